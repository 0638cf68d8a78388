// SPDX-License-Identifier: GPL-2.0
/*
 * The PCI bus as a guest sees it: both ways to configuration space, sizing and moving
 * BARs, capabilities, and accesses that reach nobody.
 */
#include <string.h>

#include "../dev/pci.h"
#include "ktap.h"

#define ECAM(slot, reg)	(PCI_ECAM_BASE + ((u64)(slot) << 15) + (reg))

static struct machine {
	struct bus mmio, ports;
	struct pci pci;
	struct pci_function *f;
	struct {
		unsigned int bar, len, reads, writes, config_reads, config_writes, moves, masters;
		u64 offset, moved_to;
		u8 byte;
	} seen;
} m;

static void bar_read(void *ctx, unsigned int bar, u64 offset, u8 *data, unsigned int len)
{
	EXPECT(ctx == &m);
	m.seen.bar = bar;
	m.seen.offset = offset;
	m.seen.len = len;
	m.seen.reads++;
	memset(data, 0x5a, len);
}

static void bar_write(void *ctx, unsigned int bar, u64 offset, const u8 *data, unsigned int len)
{
	EXPECT(ctx == &m);
	m.seen.bar = bar;
	m.seen.offset = offset;
	m.seen.len = len;
	m.seen.byte = data[0];
	m.seen.writes++;
}

static void config_read(void *ctx, unsigned int offset, u8 *data, unsigned int len)
{
	EXPECT(ctx == &m && offset >= 0x40 && len);
	m.seen.config_reads++;
	(void)data;
}

static void config_write(void *ctx, unsigned int offset, const u8 *data, unsigned int len)
{
	EXPECT(ctx == &m && offset >= 0x40 && len);
	m.seen.config_writes++;
	(void)data;
}

static void bar_moved(void *ctx, unsigned int bar, u64 addr)
{
	EXPECT(ctx == &m);
	m.seen.bar = bar;
	m.seen.moved_to = addr;
	m.seen.moves++;
}

static void bus_master(void *ctx)
{
	EXPECT(ctx == &m);
	m.seen.masters++;
	/* No lock is held: it may look. */
	EXPECT_EQ(pci_is_bus_master(m.f), m.seen.masters & 1);
}

static const struct pci_function_ops ops = {
	bar_read, bar_write, config_read, config_write, bar_moved, bus_master,
};

static const struct pci_identity identity = {
	.vendor = 0x1af4, .device = 0x1044, .subsystem_vendor = 0x1af4, .subsystem = 0x1100,
	.class = 0x123456, .revision = 7,
};

static u32 read_reg(unsigned int slot, unsigned int reg, unsigned int len)
{
	u32 value = 0;

	bus_read(&m.mmio, ECAM(slot, reg), (u8 *)&value, len);
	return value;
}

static void write_reg(unsigned int slot, unsigned int reg, u32 value, unsigned int len)
{
	bus_write(&m.mmio, ECAM(slot, reg), (u8 *)&value, len);
}

static u32 in(u16 port, unsigned int len)
{
	u32 value = 0;

	bus_read(&m.ports, port, (u8 *)&value, len);
	return value;
}

static void out(u16 port, u32 value, unsigned int len)
{
	bus_write(&m.ports, port, (u8 *)&value, len);
}

static u32 read_mmio(u64 addr, unsigned int len)
{
	u32 value = 0;

	bus_read(&m.mmio, addr, (u8 *)&value, len);
	return value;
}

static void setup(void)
{
	struct vm_error err = { 0 };

	memset(&m, 0, sizeof(m));
	m.ports.bytes = true;
	ASSERT_EQ(pci_create(&m.pci, NULL, &err), 0);
	ASSERT_EQ(pci_attach(&m.pci, &m.mmio, &m.ports), 0);
	m.f = pci_add(&m.pci, &identity, &ops, &m, &err);
	ASSERT(m.f);
	ASSERT_EQ(pci_add_bar32(m.f, 0, 0x1000, &err), 0);
	ASSERT_EQ(pci_add_bar64(m.f, 2, 0x4000, &err), 0);
}

static void who_is_there(void)
{
	unsigned int slot;

	setup();
	EXPECT_EQ(read_reg(0, 0x08, 4), 0x06000000);
	EXPECT_EQ(read_reg(1, 0x00, 4), 0x10441af4);
	EXPECT_EQ(read_reg(1, 0x08, 4), 0x12345607);
	EXPECT_EQ(read_reg(1, 0x2c, 4), 0x11001af4);
	EXPECT_EQ(read_reg(1, 0x0e, 1), 0);
	EXPECT_EQ(read_reg(1, 0x3d, 1), 0);
	for (slot = 2; slot < 32; slot++)
		EXPECT_EQ(read_reg(slot, 0, 4), 0xffffffff);
	/* Function 1 of a device. */
	bus_write(&m.mmio, ECAM(1, 0x1004), (u8 *)"\xff", 1);
	EXPECT_EQ(read_mmio(ECAM(1, 0x1000), 4), 0xffffffff);
	/* No extended capabilities, and no access around the end. */
	EXPECT_EQ(read_reg(1, 0x100, 4), 0);
	EXPECT_EQ(read_reg(1, 0xfe, 4), 0);
	write_reg(1, 0xfe, ~0u, 4);
	write_reg(1, 0xffe, ~0u, 4);
	EXPECT_EQ(m.seen.config_reads + m.seen.config_writes, 0);
	pci_destroy(&m.pci);
}

static void by_the_ports(void)
{
	setup();
	out(0xcf8, 0x80000800, 4);
	EXPECT_EQ(in(0xcf8, 4), 0x80000800);
	EXPECT_EQ(in(0xcfc, 4), 0x10441af4);
	EXPECT_EQ(in(0xcfe, 2), 0x1044);
	EXPECT_EQ(in(0xcfd, 1), 0x1a);
	/* Not the address register, and it stays. */
	out(0xcfb, 1, 1);
	EXPECT_EQ(in(0xcf8, 4), 0x80000800);
	EXPECT_EQ(in(0xcf8, 1), 0xff);
	out(0xcf8, 0x80000804, 4);
	out(0xcfc, 0x0002, 2);
	EXPECT_EQ(read_reg(1, 4, 2), 2);
	/* Switched off; another bus; another function; nobody. */
	out(0xcf8, 0x00000800, 4);
	EXPECT_EQ(in(0xcfc, 4), 0xffffffff);
	out(0xcf8, 0x80010800, 4);
	EXPECT_EQ(in(0xcfc, 4), 0xffffffff);
	out(0xcf8, 0x80000900, 4);
	EXPECT_EQ(in(0xcfc, 4), 0xffffffff);
	out(0xcf8, 0x80001000, 4);
	EXPECT_EQ(in(0xcfc, 4), 0xffffffff);
	pci_destroy(&m.pci);
}

static void sizes(void)
{
	u32 low;

	setup();
	low = read_reg(1, 0x18, 4);
	EXPECT_EQ(low & 0xf, 4);
	EXPECT_EQ((low & ~0xf) % 0x4000, 0);
	EXPECT((low & ~0xf) >= PCI_WINDOW_BASE);
	write_reg(1, 0x10, ~0u, 4);
	EXPECT_EQ(read_reg(1, 0x10, 4), 0xfffff000);
	write_reg(1, 0x14, ~0u, 4);
	EXPECT_EQ(read_reg(1, 0x14, 4), 0);
	write_reg(1, 0x18, ~0u, 4);
	write_reg(1, 0x1c, ~0u, 4);
	EXPECT_EQ(read_reg(1, 0x18, 4), 0xffffc004);
	EXPECT_EQ(read_reg(1, 0x1c, 4), 0xffffffff);
	write_reg(1, 0x20, ~0u, 4);
	EXPECT_EQ(read_reg(1, 0x20, 4), 0);
	write_reg(1, 0x30, ~0u, 4);
	EXPECT_EQ(read_reg(1, 0x30, 4), 0);
	/* Decoding was off all the time. */
	EXPECT_EQ(m.seen.moves, 0);
	pci_destroy(&m.pci);
}

static void a_bar_moves(void)
{
	u64 first;

	setup();
	first = read_reg(1, 0x18, 4) & ~0xfu;
	EXPECT_EQ(pci_bar_addr(m.f, 2), PCI_BAR_OFF);
	EXPECT_EQ(read_mmio(first, 4), 0xffffffff);
	EXPECT_EQ(m.seen.reads, 0);
	write_reg(1, 4, 2, 2);
	EXPECT_EQ(m.seen.moves, 2);
	EXPECT_EQ(m.seen.moved_to, first);
	EXPECT_EQ(pci_bar_addr(m.f, 2), first);
	EXPECT_EQ(read_mmio(first + 0x3ffc, 4), 0x5a5a5a5a);
	EXPECT_EQ(m.seen.bar, 2);
	EXPECT_EQ(m.seen.offset, 0x3ffc);
	/* Across the end. */
	EXPECT_EQ(read_mmio(first + 0x3ffe, 4), 0xffffffff);
	/* Elsewhere, while it is in use. */
	write_reg(1, 0x18, 0xd0000000, 4);
	EXPECT_EQ(m.seen.moves, 3);
	EXPECT_EQ(m.seen.moved_to, 0xd0000000);
	EXPECT_EQ(read_mmio(first, 4), 0xffffffff);
	bus_write(&m.mmio, 0xd0000010, (u8 *)"\x17", 1);
	EXPECT_EQ(m.seen.writes, 1);
	EXPECT_EQ(m.seen.offset, 0x10);
	EXPECT_EQ(m.seen.byte, 0x17);
	/* Where nothing comes to us. */
	write_reg(1, 0x1c, 1, 4);
	EXPECT_EQ(m.seen.moved_to, 0x1d0000000);
	EXPECT_EQ(read_mmio(0xd0000010, 4), 0xffffffff);
	/* Nothing new: nobody is told. */
	write_reg(1, 0x1c, 1, 4);
	EXPECT_EQ(m.seen.moves, 4);
	write_reg(1, 4, 0, 2);
	EXPECT_EQ(m.seen.moved_to, PCI_BAR_OFF);
	/* At the very end of addresses. */
	write_reg(1, 4, 2, 2);
	write_reg(1, 0x18, ~0u, 4);
	write_reg(1, 0x1c, ~0u, 4);
	EXPECT_EQ(pci_bar_addr(m.f, 2), 0xffffffffffffc000);
	EXPECT_EQ(read_mmio(PCI_WINDOW_BASE + PCI_WINDOW_SIZE - 4, 4), 0xffffffff);
	pci_destroy(&m.pci);
}

static void only_some_bits_are_writable(void)
{
	unsigned int reg;

	setup();
	for (reg = 0; reg < 0x100; reg += 4)
		write_reg(1, reg, ~0u, 4);
	EXPECT_EQ(read_reg(1, 0x00, 4), 0x10441af4);
	EXPECT_EQ(read_reg(1, 0x04, 4), 0x0406);
	EXPECT_EQ(read_reg(1, 0x08, 4), 0x12345607);
	EXPECT_EQ(read_reg(1, 0x0c, 4), 0xffff);
	EXPECT_EQ(read_reg(1, 0x34, 4), 0);
	EXPECT_EQ(read_reg(1, 0x3c, 4), 0xff);
	for (reg = 0x40; reg < 0x100; reg += 4)
		EXPECT_EQ(read_reg(1, reg, 4), 0);
	EXPECT(m.seen.config_writes > 0 && m.seen.config_reads > 0);
	pci_destroy(&m.pci);
}

static void who_may_reach_memory(void)
{
	setup();
	EXPECT(!pci_is_bus_master(m.f));
	write_reg(1, 4, 2, 2);
	EXPECT_EQ(m.seen.masters, 0);
	write_reg(1, 4, 6, 1);
	EXPECT_EQ(m.seen.masters, 1);
	/* By an access that begins elsewhere, and as it was. */
	write_reg(1, 0, 0, 4);
	write_reg(1, 4, 4, 4);
	write_reg(1, 5, 0xff, 1);
	EXPECT_EQ(m.seen.masters, 1);
	bus_write(&m.mmio, ECAM(1, 0), (u8 *)"\0\0\0\0\0\0\0\0", 8);
	EXPECT_EQ(m.seen.masters, 2);
	EXPECT(!pci_is_bus_master(m.f));
	pci_destroy(&m.pci);
}

static void capabilities(void)
{
	static const u8 body[] = { 1, 2, 3, 4, 5 }, writable[] = { 0, 0, 0xf0, 0, 0 };
	unsigned int first, second, n;

	setup();
	EXPECT_EQ(read_reg(1, 0x06, 2), 0);
	first = pci_add_capability(m.f, 0x11, body, writable, sizeof(body));
	second = pci_add_capability(m.f, 0x09, body, NULL, sizeof(body));
	EXPECT_EQ(first, 0x40);
	EXPECT_EQ(second, 0x48);
	EXPECT_EQ(read_reg(1, 0x06, 2), 0x10);
	EXPECT_EQ(read_reg(1, 0x34, 1), first);
	EXPECT_EQ(read_reg(1, first, 4), 0x02014811);
	EXPECT_EQ(read_reg(1, second, 4), 0x02010009);
	write_reg(1, first, ~0u, 4);
	write_reg(1, first + 4, ~0u, 4);
	EXPECT_EQ(read_reg(1, first, 4), 0x02014811);
	EXPECT_EQ(read_reg(1, first + 4, 4), 0x000504f3);
	for (n = 2; pci_add_capability(m.f, 0x09, body, NULL, sizeof(body)); n++)
		;
	EXPECT_EQ(n, (0x100 - 0x40) / 8);
	pci_destroy(&m.pci);
}

static void a_full_bus(void)
{
	struct vm_error err = { 0 };
	struct pci_function *f, *last = NULL;
	unsigned int n = 0;

	setup();
	while ((f = pci_add(&m.pci, &identity, &ops, &m, &err))) {
		last = f;
		n++;
	}
	EXPECT_EQ(n, PCI_MAX_FUNCTIONS - 2);
	EXPECT_EQ(err.status, VM_STATUS_FAILURE);
	EXPECT_EQ(pci_add_bar64(last, 0, PCI_WINDOW_SIZE, &err), -1);
	pci_remove(last);
	EXPECT_EQ(read_reg(31, 0, 4), 0xffffffff);
	last = pci_add(&m.pci, &identity, &ops, &m, &err);
	EXPECT(last);
	pci_destroy(&m.pci);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(who_is_there), TEST(by_the_ports), TEST(sizes), TEST(a_bar_moves),
		TEST(only_some_bits_are_writable), TEST(who_may_reach_memory), TEST(capabilities),
		TEST(a_full_bus),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}

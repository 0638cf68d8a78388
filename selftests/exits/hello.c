// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest guest: no irqchip, no CPUID, one page of memory; it prints a line through a port and halts. The first
 * thing that must work on a new back end, so it uses as little as it can: no library but KTAP.
 */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvirt.h>

#include "ktap.h"

enum { PORT = 0x3f8, CODE = 0x1000, GDT = 0x2000, PML4 = 0x3000, MEMORY = 0x6000 };

static const char line[] = "Hello from a guest\n";

/* RSI is the text, in 32 and 64 bits alike; in real mode SI. */
asm(".globl hello_begin, hello_end, hello16_begin, hello16_end\n"
    "hello_begin:\n"
    "	mov	$0x3f8, %edx\n"
    "1:	mov	(%rsi), %al\n"
    "	inc	%rsi\n"
    "	test	%al, %al\n"
    "	jz	2f\n"
    "	out	%al, %dx\n"
    "	jmp	1b\n"
    "2:	hlt\n"
    "hello_end:\n"
    "	.code16\n"
    "hello16_begin:\n"
    "	mov	$0x3f8, %dx\n"
    "1:	lodsb\n"
    "	test	%al, %al\n"
    "	jz	2f\n"
    "	out	%al, %dx\n"
    "	jmp	1b\n"
    "2:	hlt\n"
    "hello16_end:\n"
    "	.code64\n");

extern const char hello_begin[], hello_end[], hello16_begin[], hello16_end[];

struct guest {
	int dev, vm, vcpu;
	uint8_t *memory;
	struct kvirt_run *run;
};

static struct guest make(const char *begin, const char *end)
{
	struct guest g;
	struct kvirt_userspace_memory_region region = { .memory_size = MEMORY };
	int size;

	g.dev = ASSERT_OK(open(test_dev, O_RDWR | O_CLOEXEC));
	ASSERT_EQ(ioctl(g.dev, KVIRT_GET_API_VERSION, 0), KVIRT_API_VERSION);
	g.vm = ASSERT_OK(ioctl(g.dev, KVIRT_CREATE_VM, 0));
	g.memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(g.memory != MAP_FAILED);
	memcpy(g.memory + CODE, begin, end - begin);
	memcpy(g.memory + CODE + 0x800, line, sizeof(line));
	region.userspace_addr = (uintptr_t)g.memory;
	ASSERT_OK(ioctl(g.vm, KVIRT_SET_USER_MEMORY_REGION, &region));
	g.vcpu = ASSERT_OK(ioctl(g.vm, KVIRT_CREATE_VCPU, 0));
	size = ASSERT_OK(ioctl(g.dev, KVIRT_GET_VCPU_MMAP_SIZE, 0));
	g.run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, g.vcpu, 0);
	ASSERT(g.run != MAP_FAILED);
	return g;
}

/* Run to the HLT, and compare what came through the port. */
static void print(struct guest *g)
{
	char got[sizeof(line)] = "";
	size_t n = 0;

	for (;;) {
		ASSERT_OK(ioctl(g->vcpu, KVIRT_RUN, 0));
		if (g->run->exit_reason != KVIRT_EXIT_IO)
			break;
		ASSERT_EQ(g->run->io.direction, KVIRT_EXIT_IO_OUT);
		ASSERT_EQ(g->run->io.port, PORT);
		ASSERT_EQ(g->run->io.size, 1);
		ASSERT_EQ(g->run->io.count, 1);
		ASSERT(n < sizeof(got) - 1);
		got[n++] = *((char *)g->run + g->run->io.data_offset);
	}
	ASSERT_EQ(g->run->exit_reason, KVIRT_EXIT_HLT);
	EXPECT(!strcmp(got, line));
	test_note("%.*s", (int)n - 1, got);
}

static void real_mode(void)
{
	struct guest g = make(hello16_begin, hello16_end);
	struct kvirt_sregs s;
	struct kvirt_regs r = { .rip = CODE, .rflags = 2, .rsi = CODE + 0x800, .rsp = 0x5000 };

	ASSERT_OK(ioctl(g.vcpu, KVIRT_GET_SREGS, &s));
	s.cs.base = s.cs.selector = 0;
	ASSERT_OK(ioctl(g.vcpu, KVIRT_SET_SREGS, &s));
	ASSERT_OK(ioctl(g.vcpu, KVIRT_SET_REGS, &r));
	print(&g);
}

static void long_mode(void)
{
	struct guest g = make(hello_begin, hello_end);
	struct kvirt_segment code = { .limit = 0xffffffff, .selector = 8, .type = 0xb, .present = 1, .s = 1, .l = 1, .g = 1 };
	struct kvirt_segment data = { .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1 };
	struct kvirt_sregs s;
	struct kvirt_regs r = { .rip = CODE, .rflags = 2, .rsi = CODE + 0x800, .rsp = 0x3000 };
	uint64_t *table = (uint64_t *)(g.memory + PML4);

	/* Identity by one 2 MiB page. */
	table[0] = (PML4 + 0x1000) | 3;
	table[512] = (PML4 + 0x2000) | 3;
	table[1024] = 0x83;
	ASSERT_OK(ioctl(g.vcpu, KVIRT_GET_SREGS, &s));
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.cr0 = 0x80000031;
	s.cr3 = PML4;
	s.cr4 = 0x20;
	s.efer = 0x500;
	ASSERT_OK(ioctl(g.vcpu, KVIRT_SET_SREGS, &s));
	ASSERT_OK(ioctl(g.vcpu, KVIRT_SET_REGS, &r));
	print(&g);
}

static const struct test tests[] = {
	TEST(real_mode),
	TEST(long_mode),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

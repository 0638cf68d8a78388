// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_IOEVENTFD: guest writes that signal an eventfd and do not leave; each errno; and what comes and goes while the guest
 * writes.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "eventfd.h"
#include "guest.h"
#include "vm.h"

enum { PORT = PORT_TEST, DEVICE = GUEST_HOLE, DATAMATCH = KVIRT_IOEVENTFD_FLAG_DATAMATCH, PIO = KVIRT_IOEVENTFD_FLAG_PIO,
       DEASSIGN = KVIRT_IOEVENTFD_FLAG_DEASSIGN };

static int set(struct vm *vm, int fd, uint64_t addr, uint32_t len, uint32_t flags, uint64_t datamatch)
{
	struct kvirt_ioeventfd e = { .addr = addr, .len = len, .fd = fd, .flags = flags, .datamatch = datamatch };

	return ioctl(vm->fd, KVIRT_IOEVENTFD, &e);
}

static void capabilities(void)
{
	EXPECT_EQ(dev_cap(KVIRT_CAP_IOEVENTFD), 1);
	EXPECT_EQ(dev_cap(KVIRT_CAP_IOEVENTFD_NO_LENGTH), 1);
	EXPECT_EQ(dev_cap(KVIRT_CAP_IOEVENTFD_ANY_LENGTH), 1);
}

static void errors(void)
{
	struct vm *vm = vm_bare();
	int fd = eventfd_new(0), other = eventfd_new(0);

	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_IOEVENTFD, NULL), EFAULT);
	for (uint32_t len = 0; len < 20; len++) {
		if (!len || len == 1 || len == 2 || len == 4 || len == 8) {
			EXPECT_OK(set(vm, fd, 0x1000 + len * 16, len, 0, 0));
			EXPECT_OK(set(vm, fd, 0x1000 + len * 16, len, PIO, 0));
		} else {
			EXPECT_ERRNO(set(vm, fd, 0x1000 + len * 16, len, 0, 0), EINVAL);
		}
	}
	EXPECT_ERRNO(set(vm, fd, 0x2000, -1u, 0, 0), EINVAL);
	EXPECT_ERRNO(set(vm, fd, -1ull, 1, 0, 0), EINVAL);
	EXPECT_ERRNO(set(vm, fd, -4ull, 8, 0, 0), EINVAL);
	EXPECT_OK(set(vm, fd, -9ull, 8, 0, 0));
	EXPECT_OK(set(vm, fd, -1ull, 0, 0, 0));
	EXPECT_ERRNO(set(vm, fd, 0x2000, 4, 1 << 5, 0), EINVAL);
	EXPECT_ERRNO(set(vm, fd, 0x2000, 4, 1u << 31, 0), EINVAL);
	EXPECT_ERRNO(set(vm, fd, 0x2000, 0, DATAMATCH, 0), EINVAL);
	EXPECT_ERRNO(set(vm, -1, 0x2000, 4, 0, 0), EBADF);
	EXPECT_ERRNO(set(vm, 9999, 0x2000, 4, 0, 0), EBADF);
	EXPECT_ERRNO(set(vm, vm->fd, 0x2000, 4, 0, 0), EINVAL);
	EXPECT_ERRNO(set(vm, 0, 0x2000, 4, 0, 0), EINVAL);

	/* Who could answer the same write. */
	EXPECT_OK(set(vm, fd, 0x3000, 4, DATAMATCH, 7));
	EXPECT_ERRNO(set(vm, fd, 0x3000, 4, DATAMATCH, 7), EEXIST);
	EXPECT_ERRNO(set(vm, other, 0x3000, 4, DATAMATCH, 7), EEXIST);
	EXPECT_ERRNO(set(vm, other, 0x3000, 4, 0, 0), EEXIST);
	EXPECT_ERRNO(set(vm, other, 0x3000, 0, 0, 0), EEXIST);
	EXPECT_OK(set(vm, fd, 0x3000, 4, DATAMATCH, 8));
	EXPECT_OK(set(vm, other, 0x3000, 2, 0, 0));
	EXPECT_ERRNO(set(vm, fd, 0x3000, 2, DATAMATCH, 9), EEXIST);
	EXPECT_OK(set(vm, other, 0x3000, 4, PIO, 0));
	EXPECT_OK(set(vm, other, 0x3002, 4, 0, 0));
	EXPECT_OK(set(vm, fd, 0x3010, 0, 0, 0));
	EXPECT_ERRNO(set(vm, other, 0x3010, 1, 0, 0), EEXIST);

	/* Deassigning wants all of it as it was assigned. */
	EXPECT_ERRNO(set(vm, other, 0x3000, 4, DEASSIGN | DATAMATCH, 7), ENOENT);
	EXPECT_ERRNO(set(vm, fd, 0x3000, 4, DEASSIGN | DATAMATCH, 9), ENOENT);
	EXPECT_ERRNO(set(vm, fd, 0x3000, 4, DEASSIGN, 7), ENOENT);
	EXPECT_ERRNO(set(vm, fd, 0x3000, 8, DEASSIGN | DATAMATCH, 7), ENOENT);
	EXPECT_ERRNO(set(vm, fd, 0x3000, 4, DEASSIGN | DATAMATCH | PIO, 7), ENOENT);
	EXPECT_ERRNO(set(vm, fd, 0x3000, 3, DEASSIGN, 7), ENOENT);
	EXPECT_ERRNO(set(vm, -1, 0x3000, 4, DEASSIGN | DATAMATCH, 7), EBADF);
	EXPECT_ERRNO(set(vm, vm->fd, 0x3000, 4, DEASSIGN | DATAMATCH, 7), EINVAL);
	EXPECT_OK(set(vm, fd, 0x3000, 4, DEASSIGN | DATAMATCH, 7));
	EXPECT_ERRNO(set(vm, fd, 0x3000, 4, DEASSIGN | DATAMATCH, 7), ENOENT);
	EXPECT_OK(set(vm, fd, 0x3000, 4, DATAMATCH, 7));
	EXPECT_OK(set(vm, fd, 0x3010, 0, DEASSIGN, 0));
	EXPECT_OK(set(vm, other, 0x3010, 1, 0, 0));
}

/* KVM takes s390's channel flag here and never signals; kvirt refuses what it could not honour. */
static void flag_of_another_machine(void)
{
	struct vm *vm = vm_bare();
	int fd = eventfd_new(0);

	if (strstr(test_dev, "kvirt"))
		EXPECT_ERRNO(set(vm, fd, 0x2000, 4, 1 << 3, 0), EINVAL);
	else
		EXPECT_OK(set(vm, fd, 0x2000, 4, 1 << 3, 0));
}

static void guest_ports(void)
{
	uint64_t from = GUEST_SCRATCH, n = 5;

	outb(PORT, 1);			/* any value, 1 byte */
	outb(PORT, 2);
	outw(PORT, 3);			/* another length: leaves */
	outw(PORT + 4, 0x1234);		/* the value */
	outw(PORT + 4, 0x1235);		/* another: leaves */
	outl(PORT + 8, 5);		/* any length */
	outb(PORT + 8, 6);
	inb(PORT + 8);			/* no write: leaves */
	asm volatile("rep outsb" : "+S"(from), "+c"(n) : "d"(PORT) : "memory");
	GUEST_EXPECT_EQ(n, 0);
	GUEST_EXPECT_EQ(from, GUEST_SCRATCH + 5);
	asm volatile("outsw" : "+S"(from) : "d"(PORT) : "memory");	/* leaves */
	guest_done();
}

static void expect_io(struct vcpu *vcpu, int direction, int port, int size, uint32_t value)
{
	uint32_t data = 0;

	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(vcpu->run->io.direction, direction);
	EXPECT_EQ(vcpu->run->io.port, port);
	EXPECT_EQ(vcpu->run->io.size, size);
	memcpy(&data, vcpu_io_data(vcpu), size);
	if (direction == KVIRT_EXIT_IO_OUT)
		EXPECT_EQ(data, value);
}

static void ports(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_ports);
	int byte = eventfd_new(0), match = eventfd_new(0), any = eventfd_new(0);

	ASSERT_OK(set(vm, byte, PORT, 1, PIO, 0));
	ASSERT_OK(set(vm, match, PORT + 4, 2, PIO | DATAMATCH, 0x1234));
	ASSERT_OK(set(vm, any, PORT + 8, 0, PIO, 0));
	/* The same numbers on the other bus are nobody's business here. */
	ASSERT_OK(set(vm, any, PORT, 2, 0, 0));
	memcpy(vm_at(vm, GUEST_SCRATCH), "\1\2\3\4\5\6\7", 7);
	expect_io(vcpu, KVIRT_EXIT_IO_OUT, PORT, 2, 3);
	EXPECT_EQ(eventfd_taken(byte), 2);
	expect_io(vcpu, KVIRT_EXIT_IO_OUT, PORT + 4, 2, 0x1235);
	EXPECT_EQ(eventfd_taken(match), 1);
	expect_io(vcpu, KVIRT_EXIT_IO_IN, PORT + 8, 1, 0);
	EXPECT_EQ(eventfd_taken(any), 2);
	expect_io(vcpu, KVIRT_EXIT_IO_OUT, PORT, 2, 0x0706);
	EXPECT_EQ(eventfd_taken(byte), 5);
	vcpu_finish(vcpu);
	EXPECT_EQ(eventfd_taken(byte) + eventfd_taken(match) + eventfd_taken(any), 0);
}

#define WRITE(suffix, type, addr, v)	asm volatile("mov" #suffix " %0, (%1)" : : "r"((type)(v)), "r"(addr) : "memory")

static void guest_mmio(void)
{
	for (int i = 0; i < 3; i++)
		mmio_write32(DEVICE, i);
	WRITE(w, uint16_t, DEVICE, 9);			/* leaves */
	WRITE(q, uint64_t, DEVICE + 8, 0x1122334455667788);
	WRITE(q, uint64_t, DEVICE + 8, 0x1122334455667789);	/* leaves */
	/* What else the register holds is not stored. */
	asm volatile("movb %b0, (%1)" : : "q"(0x11223344556677feull), "r"((uint64_t)DEVICE + 16) : "memory");
	WRITE(b, uint8_t, DEVICE + 16, 0xff);		/* leaves */
	WRITE(b, uint8_t, DEVICE + 32, 1);		/* any length */
	WRITE(w, uint16_t, DEVICE + 32, 1);
	WRITE(l, uint32_t, DEVICE + 32, 1);
	WRITE(q, uint64_t, DEVICE + 32, 1);
	WRITE(b, uint8_t, DEVICE + 33, 1);		/* beside it: leaves */
	asm volatile("addl $1, (%0)" : : "r"(DEVICE) : "memory", "cc");	/* the read leaves, the write does not */
	asm volatile("rep stosl" : : "D"(DEVICE), "a"(7), "c"(2) : "memory");	/* the second leaves */
	guest_done();
}

static void expect_mmio(struct vcpu *vcpu, uint64_t addr, uint32_t len, bool write)
{
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	EXPECT_EQ(vcpu->run->mmio.phys_addr, addr);
	EXPECT_EQ(vcpu->run->mmio.len, len);
	EXPECT_EQ(vcpu->run->mmio.is_write, write);
}

static void mmio(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_mmio);
	int word = eventfd_new(0), quad = eventfd_new(0), byte = eventfd_new(0), any = eventfd_new(0);

	ASSERT_OK(set(vm, word, DEVICE, 4, 0, 0));
	ASSERT_OK(set(vm, quad, DEVICE + 8, 8, DATAMATCH, 0x1122334455667788));
	ASSERT_OK(set(vm, byte, DEVICE + 16, 1, DATAMATCH, 0xfe));
	ASSERT_OK(set(vm, any, DEVICE + 32, 0, 0, 0));
	expect_mmio(vcpu, DEVICE, 2, true);
	EXPECT_EQ(eventfd_taken(word), 3);
	expect_mmio(vcpu, DEVICE + 8, 8, true);
	EXPECT_EQ(eventfd_taken(quad), 1);
	expect_mmio(vcpu, DEVICE + 16, 1, true);
	EXPECT_EQ(eventfd_taken(byte), 1);
	expect_mmio(vcpu, DEVICE + 33, 1, true);
	EXPECT_EQ(eventfd_taken(any), 4);
	expect_mmio(vcpu, DEVICE, 4, false);
	EXPECT_EQ(eventfd_taken(word), 0);
	expect_mmio(vcpu, DEVICE + 4, 4, true);
	EXPECT_EQ(eventfd_taken(word), 2);
	vcpu_finish(vcpu);
}

/* A read-only slot is memory to read and no memory to write. */
static void guest_writes_rom(void)
{
	GUEST_EXPECT_EQ(mmio_read32(DEVICE), 0x11111111);
	mmio_write32(DEVICE, 1);
	mmio_write32(DEVICE + 4, 2);
	GUEST_EXPECT_EQ(mmio_read32(DEVICE), 0x11111111);
	guest_done();
}

static void read_only_slot(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_writes_rom);
	int fd = eventfd_new(0);
	void *rom = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(rom, 0x11, 4096);
	ASSERT_OK(vm_slot(vm, 5, KVIRT_MEM_READONLY, DEVICE, 4096, rom));
	ASSERT_OK(set(vm, fd, DEVICE, 4, 0, 0));
	expect_mmio(vcpu, DEVICE + 4, 4, true);
	EXPECT_EQ(eventfd_taken(fd), 1);
	vcpu_finish(vcpu);
}

static void guest_stages(void)
{
	for (long stage = 1; ; stage++) {
		outb(PORT, 1);
		mmio_write32(DEVICE, 1);
		guest_stage(stage);
	}
}

/* Many, in no order; then each gone again, also those whose eventfd nobody else has any more. */
static void come_and_go(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_stages);
	int fd = eventfd_new(0), copy = ASSERT_OK(dup(fd)), many = eventfd_new(0);
	long stage = 0;

	for (int i = 0; i < 3; i++) {
		for (uint32_t n = 0; n < 300; n++)
			ASSERT_OK(set(vm, many, DEVICE + (n * 7919 % 300 + 1) * 4, 4, DATAMATCH, n));
		ASSERT_OK(set(vm, fd, PORT, 1, PIO, 0));
		ASSERT_OK(set(vm, fd, DEVICE, 4, 0, 0));
		vcpu_expect_stage(vcpu, ++stage);
		EXPECT_EQ(eventfd_taken(fd), 2);
		for (uint32_t n = 0; n < 300; n++)
			ASSERT_OK(set(vm, many, DEVICE + (n * 7919 % 300 + 1) * 4, 4, DEASSIGN | DATAMATCH, n));
		/* Another descriptor of the same eventfd will do. */
		ASSERT_OK(set(vm, copy, PORT, 1, DEASSIGN | PIO, 0));
		expect_io(vcpu, KVIRT_EXIT_IO_OUT, PORT, 1, 1);
		ASSERT_OK(set(vm, copy, DEVICE, 4, DEASSIGN, 0));
		expect_mmio(vcpu, DEVICE, 4, true);
		vcpu_expect_stage(vcpu, ++stage);
	}
	ASSERT_OK(set(vm, fd, PORT, 1, PIO, 0));
	ASSERT_OK(set(vm, fd, DEVICE, 4, 0, 0));
	close(fd);
	close(copy);
	vcpu_expect_stage(vcpu, ++stage);
	EXPECT_EQ(eventfd_taken(many), 0);
}

/* --- while the guest writes --- */

static volatile uint64_t written;

static void guest_writes_on(void)
{
	for (;;) {
		written++;
		outb(PORT, 1);
		mmio_write32(DEVICE, 1);
	}
}

/* Each write was signalled or left, none both or neither; after DEASSIGN returns nothing more is signalled. */
static void races(void)
{
	struct sigaction action = { .sa_handler = vcpu_interrupt };
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_writes_on);
	int rounds = test_option("rounds") ? atoi(test_option("rounds")) : 60;
	pthread_t thread;
	uint64_t seen = 0;
	void *failed;

	sigaction(SIGUSR1, &action, NULL);
	ASSERT_EQ(pthread_create(&thread, NULL, vcpu_run_on, vcpu), 0);
	for (int i = 0; i < rounds; i++) {
		int fd = eventfd_new(0);

		ASSERT_OK(set(vm, fd, PORT, 1, PIO, 0));
		ASSERT_OK(set(vm, fd, DEVICE, 4, 0, 0));
		usleep(500);
		ASSERT_OK(set(vm, fd, PORT, 1, DEASSIGN | PIO, 0));
		ASSERT_OK(set(vm, fd, DEVICE, 4, DEASSIGN, 0));
		seen += eventfd_taken(fd);
		usleep(200);
		EXPECT_EQ(eventfd_taken(fd), 0);
		close(fd);
	}
	EXPECT(seen > 0);
	vcpus_stop = true;
	pthread_kill(thread, SIGUSR1);
	vcpu->run->immediate_exit = 1;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, &failed);
	EXPECT(!failed);
	EXPECT(*vm_var(vm, written) > 0);
}

static void run_with_all_assigned(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_writes_on);

	for (uint32_t n = 0; n < 50; n++)
		ASSERT_OK(set(vm, eventfd_new(0), PORT + 1 + n, 1, PIO, 0));
	ASSERT_OK(set(vm, eventfd_new(0), PORT, 1, PIO, 0));
	ASSERT_OK(set(vm, eventfd_new(0), DEVICE, 4, 0, 0));
	vcpu_run_on(vcpu);
}

/* A process that dies with a vCPU running and all of it assigned. */
static void sudden_death(void)
{
	for (int i = 0; i < 5; i++)
		process_killed(run_with_all_assigned, 30000);
}

static const struct test tests[] = {
	TEST(capabilities), TEST(errors), TEST(flag_of_another_machine), TEST(ports), TEST(mmio), TEST(read_only_slot),
	TEST(come_and_go), TEST(races), TEST(sudden_death),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

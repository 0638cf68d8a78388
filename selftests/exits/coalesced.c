// SPDX-License-Identifier: GPL-2.0
/*
 * Coalesced writes: the ring in the vCPUs' mapping, what goes into it and what leaves, a ring that is full or spoilt, each
 * errno, zones that go while the guest writes.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "guest.h"
#include "vm.h"

enum { PORT = PORT_TEST, DEVICE = GUEST_HOLE, MAX = KVIRT_COALESCED_MMIO_MAX };

static int zone(struct vm *vm, unsigned long request, uint64_t addr, uint32_t size, uint32_t pio)
{
	struct kvirt_coalesced_mmio_zone z = { .addr = addr, .size = size, .pio = pio };

	return ioctl(vm->fd, request, &z);
}

static int add(struct vm *vm, uint64_t addr, uint32_t size, uint32_t pio)
{
	return zone(vm, KVIRT_REGISTER_COALESCED_MMIO, addr, size, pio);
}

static int drop(struct vm *vm, uint64_t addr, uint32_t size, uint32_t pio)
{
	return zone(vm, KVIRT_UNREGISTER_COALESCED_MMIO, addr, size, pio);
}

static struct kvirt_coalesced_mmio_ring *ring_of(struct vcpu *vcpu)
{
	return (void *)((uint8_t *)vcpu->run + 4096 * KVIRT_COALESCED_MMIO_PAGE_OFFSET);
}

static void expect_entry(struct vcpu *vcpu, uint64_t addr, uint32_t len, uint32_t pio, uint64_t value)
{
	struct kvirt_coalesced_mmio_ring *ring = ring_of(vcpu);
	uint64_t data = 0;

	ASSERT(ring->first != ring->last);
	EXPECT_EQ(ring->coalesced_mmio[ring->first].phys_addr, addr);
	EXPECT_EQ(ring->coalesced_mmio[ring->first].len, len);
	EXPECT_EQ(ring->coalesced_mmio[ring->first].pio, pio);
	memcpy(&data, ring->coalesced_mmio[ring->first].data, len);
	EXPECT_EQ(data, value);
	ring->first = (ring->first + 1) % MAX;
}

static void expect_empty(struct vcpu *vcpu)
{
	EXPECT_EQ(ring_of(vcpu)->first, ring_of(vcpu)->last);
}

static void expect_mmio(struct vcpu *vcpu, uint64_t addr, uint32_t len, bool write)
{
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	EXPECT_EQ(vcpu->run->mmio.phys_addr, addr);
	EXPECT_EQ(vcpu->run->mmio.len, len);
	EXPECT_EQ(vcpu->run->mmio.is_write, write);
}

static void expect_io(struct vcpu *vcpu, uint16_t port, uint8_t size)
{
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(vcpu->run->io.port, port);
	EXPECT_EQ(vcpu->run->io.size, size);
}

static void errors(void)
{
	struct vm *vm = vm_bare();
	int n;

	EXPECT_EQ(dev_cap(KVIRT_CAP_COALESCED_MMIO), KVIRT_COALESCED_MMIO_PAGE_OFFSET);
	EXPECT_EQ(dev_cap(KVIRT_CAP_COALESCED_PIO), 1);
	EXPECT_EQ(ioctl(vm->dev, KVIRT_GET_VCPU_MMAP_SIZE, 0), 3 * 4096);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_REGISTER_COALESCED_MMIO, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_UNREGISTER_COALESCED_MMIO, NULL), EFAULT);
	EXPECT_ERRNO(add(vm, DEVICE, 4096, 2), EINVAL);
	EXPECT_ERRNO(add(vm, DEVICE, 4096, -1u), EINVAL);
	EXPECT_ERRNO(drop(vm, DEVICE, 4096, 2), EINVAL);
	EXPECT_OK(drop(vm, DEVICE, 4096, 0));
	EXPECT_OK(drop(vm, DEVICE, 4096, 1));
	/* Neither size nor wrapping is looked at; the same zone may be there twice. */
	EXPECT_OK(add(vm, DEVICE, 0, 0));
	EXPECT_OK(add(vm, -1ull, -1u, 0));
	EXPECT_OK(add(vm, PORT, 4, 1));
	EXPECT_OK(add(vm, PORT, 4, 1));
	EXPECT_OK(drop(vm, PORT, 4, 1));
	/* There is a limit, and at it one is as good as another. */
	for (n = 0; n < 2000 && !add(vm, DEVICE + n * 16, 16, 0); n++)
		;
	EXPECT_EQ(errno, ENOSPC);
	EXPECT(n > 900 && n <= 1000);
	EXPECT_OK(drop(vm, DEVICE + 16, 16, 0));
	EXPECT_OK(add(vm, DEVICE, 4, 0));
	EXPECT_ERRNO(add(vm, DEVICE, 4, 0), ENOSPC);
}

#define WRITE(suffix, type, addr, v)	asm volatile("mov" #suffix " %0, (%1)" : : "r"((type)(v)), "r"((uint64_t)(addr)) : "memory")

static void guest_writes(void)
{
	WRITE(b, uint8_t, DEVICE, 0x11);
	WRITE(w, uint16_t, DEVICE + 2, 0x2222);
	WRITE(l, uint32_t, DEVICE + 4, 0x33333333);
	WRITE(q, uint64_t, DEVICE + 8, 0x4444444444444444);
	outb(PORT, 0x55);
	outw(PORT + 2, 0x6666);
	mmio_read32(DEVICE);				/* leaves */
	WRITE(q, uint64_t, DEVICE + 28, 0x7777777777777777);	/* reaches out of the zone: leaves */
	WRITE(l, uint32_t, DEVICE + 28, 0x88888888);
	outl(PORT + 2, 0x99999999);			/* out of the zone: leaves */
	inb(PORT);					/* leaves */
	outl(PORT, 0xaaaaaaaa);
	guest_stage(1);
	WRITE(b, uint8_t, DEVICE, 1);			/* one zone is gone: leaves */
	WRITE(b, uint8_t, DEVICE + 16, 2);
	outb(PORT, 3);
	guest_done();
}

static void writes(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_writes);

	ASSERT_EQ(vcpu->run_size, 3 * 4096);
	expect_empty(vcpu);
	ASSERT_OK(add(vm, DEVICE, 16, 0));
	ASSERT_OK(add(vm, DEVICE + 16, 16, 0));
	ASSERT_OK(add(vm, PORT, 4, 1));
	expect_mmio(vcpu, DEVICE, 4, false);
	expect_entry(vcpu, DEVICE, 1, 0, 0x11);
	expect_entry(vcpu, DEVICE + 2, 2, 0, 0x2222);
	expect_entry(vcpu, DEVICE + 4, 4, 0, 0x33333333);
	expect_entry(vcpu, DEVICE + 8, 8, 0, 0x4444444444444444);
	expect_entry(vcpu, PORT, 1, 1, 0x55);
	expect_entry(vcpu, PORT + 2, 2, 1, 0x6666);
	expect_empty(vcpu);
	expect_mmio(vcpu, DEVICE + 28, 8, true);
	expect_empty(vcpu);
	expect_io(vcpu, PORT + 2, 4);
	expect_entry(vcpu, DEVICE + 28, 4, 0, 0x88888888);
	expect_io(vcpu, PORT, 1);
	vcpu_expect_stage(vcpu, 1);
	expect_entry(vcpu, PORT, 4, 1, 0xaaaaaaaa);
	expect_empty(vcpu);
	/* A zone goes when what is given lies in it; one that reaches out of each takes none. */
	ASSERT_OK(drop(vm, DEVICE + 8, 16, 0));
	ASSERT_OK(drop(vm, PORT, 4, 0));
	ASSERT_OK(drop(vm, DEVICE + 4, 4, 0));
	expect_mmio(vcpu, DEVICE, 1, true);
	vcpu_finish(vcpu);
	expect_entry(vcpu, DEVICE + 16, 1, 0, 2);
	expect_entry(vcpu, PORT, 1, 1, 3);
	expect_empty(vcpu);
}

static void guest_fills(void)
{
	for (uint32_t i = 0; i < 3 * MAX; i++)
		mmio_write32(DEVICE, i);
	guest_done();
}

/*
 * Full, a write leaves as if there were no zone; the ring goes round. The second vCPU has the same ring. KVM 6.1 takes the ring
 * for full when it is half full, and 2^32 is no multiple of its size; newer ones do not.
 */
static void full_ring(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_fills), *other = vcpu_bare(vm, 1);
	uint32_t next = 0, held;

	ASSERT_OK(add(vm, DEVICE, 4, 0));
	while (vcpu_go(vcpu) == OTHER_EXIT) {
		EXPECT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_MMIO);
		held = *(uint32_t *)vcpu->run->mmio.data - next;
		if (strstr(test_dev, "kvirt"))
			EXPECT_EQ(held, MAX - 1);
		ASSERT(held > 0 && held < MAX);
		for (uint32_t n = 0; n < held; n++)
			expect_entry(n % 2 ? vcpu : other, DEVICE, 4, 0, next++);
		expect_empty(vcpu);
		next++;
	}
	while (ring_of(vcpu)->first != ring_of(vcpu)->last)
		expect_entry(vcpu, DEVICE, 4, 0, next++);
	EXPECT_EQ(next, 3 * MAX);
}

/* REP STOS and REP MOVS: a write for each element, in order. Few, since KVM takes its ring for full where first - last wraps. */
static void guest_repeats(void)
{
	uint64_t to = DEVICE + 4096 - 60, n = 80, from = GUEST_SCRATCH;

	asm volatile("rep stosw" : "+D"(to), "+c"(n) : "a"(0x5aa5) : "memory");
	GUEST_EXPECT_EQ(to, DEVICE + 4096 + 100);
	GUEST_EXPECT_EQ(n, 0);
	guest_stage(1);
	for (int i = 0; i < 80; i++)
		((volatile uint8_t *)from)[i] = i;
	to = DEVICE;
	n = 80;
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	GUEST_EXPECT_EQ(from, GUEST_SCRATCH + 80);
	guest_done();
}

static void repeated(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_repeats);

	ASSERT_OK(add(vm, DEVICE, 8192, 0));
	vcpu_expect_stage(vcpu, 1);
	for (int i = 0; i < 80; i++)
		expect_entry(vcpu, DEVICE + 4096 - 60 + 2 * i, 2, 0, 0x5aa5);
	expect_empty(vcpu);
	vcpu_finish(vcpu);
	for (int i = 0; i < 80; i++)
		expect_entry(vcpu, DEVICE + i, 1, 0, i);
	expect_empty(vcpu);
	vm_free(vm);
}

static void guest_writes_on(void)
{
	for (;;)
		mmio_write32(DEVICE, 1);
}

static void guest_writes_and_tells(void)
{
	for (;;) {
		mmio_write32(DEVICE, 1);
		guest_stage(1);
	}
}

/* Indices are user space's to spoil: the write is in the ring, or it leaves, and nothing else happens. */
static void spoilt_ring(void)
{
	static const uint32_t values[] = { 0, 1, MAX - 1, MAX, MAX + 1, 0x7fffffff, 0x80000000, -2u, -1u };
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_writes_and_tells);
	struct kvirt_coalesced_mmio_ring *ring = ring_of(vcpu);
	bool left;

	ASSERT_OK(add(vm, DEVICE, 4, 0));
	for (size_t i = 0; i < COUNT(values); i++)
		for (size_t k = 0; k < COUNT(values); k++) {
			ring->first = values[i];
			ring->last = values[k];
			left = vcpu_go(vcpu) == OTHER_EXIT;
			if (left)
				vcpu_expect_stage(vcpu, 1);
			EXPECT_EQ(ring->first, values[i]);
			EXPECT_EQ(ring->last, left ? values[k] : (values[k] + 1) % MAX);
			EXPECT(left || values[k] < MAX);
		}
}

/* The range that begins lowest is asked first, then the one that came first. */
static void guest_writes_both(void)
{
	mmio_write32(DEVICE, 1);
	mmio_write32(DEVICE + 8, 2);
	guest_done();
}

static void beside_ioeventfds(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_writes_both);
	int fd = ASSERT_OK(eventfd(0, EFD_NONBLOCK));
	struct kvirt_ioeventfd e = { .addr = DEVICE, .len = 4, .fd = fd };
	uint64_t count;

	ASSERT_OK(ioctl(vm->fd, KVIRT_IOEVENTFD, &e));
	ASSERT_OK(add(vm, DEVICE, 16, 0));
	e.addr += 8;
	ASSERT_OK(ioctl(vm->fd, KVIRT_IOEVENTFD, &e));
	vcpu_finish(vcpu);
	expect_entry(vcpu, DEVICE + 8, 4, 0, 2);
	expect_empty(vcpu);
	EXPECT_EQ(read(fd, &count, sizeof(count)), sizeof(count));
	EXPECT_EQ(count, 1);
}

/* Zones come and go, and the ring is scribbled over, under a guest that writes. */
static void races(void)
{
	struct sigaction action = { .sa_handler = vcpu_interrupt };
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_writes_on);
	int rounds = test_option("rounds") ? atoi(test_option("rounds")) : 60;
	pthread_t thread;
	void *failed;

	sigaction(SIGUSR1, &action, NULL);
	ASSERT_EQ(pthread_create(&thread, NULL, vcpu_run_on, vcpu), 0);
	for (int i = 0; i < rounds; i++) {
		ASSERT_OK(add(vm, DEVICE, 4, 0));
		usleep(200);
		ring_of(vcpu)->first = i % 2 ? ring_of(vcpu)->last : i * 0x01010101u;
		ASSERT_OK(add(vm, DEVICE, 64, 0));
		ASSERT_OK(drop(vm, DEVICE, 1, 0));
		ring_of(vcpu)->last = i;
	}
	vcpus_stop = true;
	vcpu->run->immediate_exit = 1;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, &failed);
	EXPECT(!failed);
}

/* The mapping outlives files and VM, and a process may die with all of it. */
static void sudden_death(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_bare(vm, 0);

	close(vcpu->fd);
	close(vm->fd);
	ring_of(vcpu)->first = 5;
	EXPECT_EQ(ring_of(vcpu)->first, 5);
	for (int i = 0; i < 5; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			vm = vm_new();
			vcpu = vcpu_new(vm, 0, guest_writes_on);
			for (int n = 0; n < 50; n++)
				ASSERT_OK(add(vm, DEVICE, 4, 0));
			vcpu_run_on(vcpu);
			_exit(1);
		}
		usleep(30000);
		kill(child, SIGKILL);
		EXPECT_EQ(waitpid(child, &status, 0), child);
		EXPECT(WIFSIGNALED(status));
	}
}

static const struct test tests[] = {
	TEST(errors), TEST(writes), TEST(full_ring), TEST(repeated), TEST(spoilt_ring), TEST(beside_ioeventfds), TEST(races), TEST(sudden_death),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory under a guest: read-only slots, slots that come, go and move, host memory that changes or is not there.
 */
#include <pthread.h>
#include <sys/syscall.h>

#include "guest.h"
#include "vm.h"

enum { PAGE = 4096, AT = GUEST_HOLE, ELSEWHERE = GUEST_HOLE + 0x100000 };

static void *anonymous(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(p != MAP_FAILED);
	return p;
}

static void guest_read_only(void)
{
	GUEST_EXPECT_EQ(mmio_read32(AT), 0x11223344);
	mmio_write32(AT, 0x55667788);
	/* The device took it or not: memory is as it was. */
	GUEST_EXPECT_EQ(mmio_read32(AT), 0x11223344);
	/* Read, change and write in one instruction: the read is memory's. */
	asm volatile("addl $1, (%0)" : : "r"(AT + 4ul) : "memory", "cc");
	guest_done();
}

static void read_only_slot(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_read_only);
	uint32_t *m = anonymous(PAGE);

	m[0] = 0x11223344;
	m[1] = 0x10;
	ASSERT_OK(vm_slot(vm, 1, KVIRT_MEM_READONLY, AT, PAGE, m));
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	EXPECT_EQ(vcpu->run->mmio.is_write, 1);
	EXPECT_EQ(vcpu->run->mmio.phys_addr, AT);
	EXPECT_EQ(vcpu->run->mmio.len, 4);
	EXPECT(!memcmp(vcpu->run->mmio.data, "\x88\x77\x66\x55", 4));
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	EXPECT_EQ(vcpu->run->mmio.is_write, 1);
	EXPECT_EQ(vcpu->run->mmio.phys_addr, AT + 4);
	EXPECT_EQ(vcpu->run->mmio.data[0], 0x11);
	vcpu_finish(vcpu);
	EXPECT_EQ(m[0], 0x11223344);
	EXPECT_EQ(m[1], 0x10);
}

static void guest_looks(void)
{
	for (;;)
		guest_stage(mmio_read32(AT));
}

static void expect_read(struct vcpu *vcpu, uint32_t value)
{
	vcpu_expect_stage(vcpu, value);
}

static void expect_mmio_read(struct vcpu *vcpu, uint64_t gpa, uint32_t answer)
{
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	EXPECT_EQ(vcpu->run->mmio.phys_addr, gpa);
	EXPECT_EQ(vcpu->run->mmio.is_write, 0);
	memcpy(vcpu->run->mmio.data, &answer, 4);
}

static void slots_come_and_go(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_looks);
	uint32_t *one = anonymous(PAGE), *two = anonymous(PAGE);

	one[0] = 0x1111;
	two[0] = 0x2222;
	expect_mmio_read(vcpu, AT, 5);
	expect_read(vcpu, 5);
	ASSERT_OK(vm_slot(vm, 1, 0, AT, PAGE, one));
	expect_read(vcpu, 0x1111);
	/* Gone: the old mapping is not used any more. */
	ASSERT_OK(vm_slot(vm, 1, 0, AT, 0, one));
	expect_mmio_read(vcpu, AT, 6);
	expect_read(vcpu, 6);
	ASSERT_OK(vm_slot(vm, 2, 0, AT, PAGE, two));
	expect_read(vcpu, 0x2222);
	/* Moved away, and back. */
	ASSERT_OK(vm_slot(vm, 2, 0, ELSEWHERE, PAGE, two));
	expect_mmio_read(vcpu, AT, 7);
	expect_read(vcpu, 7);
	ASSERT_OK(vm_slot(vm, 2, 0, AT, PAGE, two));
	expect_read(vcpu, 0x2222);
}

static void host_memory_changes(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_looks);
	uint32_t *m = anonymous(PAGE), *other = anonymous(PAGE);

	m[0] = 0x31;
	ASSERT_OK(vm_slot(vm, 1, 0, AT, PAGE, m));
	expect_read(vcpu, 0x31);
	m[0] = 0x32;
	expect_read(vcpu, 0x32);
	/* A fresh page of zeros. */
	ASSERT_OK(madvise(m, PAGE, MADV_DONTNEED));
	expect_read(vcpu, 0);
	m[0] = 0x33;
	expect_read(vcpu, 0x33);
	/* Another mapping in its place. */
	other[0] = 0x34;
	ASSERT(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, m) == m);
	expect_read(vcpu, 0x34);
	/* A child's copy is not the guest's. */
	if (!fork()) {
		m[0] = 0x99;
		_exit(0);
	}
	m[0] = 0x35;
	expect_read(vcpu, 0x35);
}

/* Where the process maps nothing RUN says EFAULT, and goes on when something is there. */
static void host_memory_missing(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_looks);
	uint32_t *m = anonymous(PAGE);
	uint64_t rip;

	m[0] = 0x41;
	ASSERT_OK(vm_slot(vm, 1, 0, AT, PAGE, m));
	expect_read(vcpu, 0x41);
	ASSERT_OK(munmap(m, PAGE));
	EXPECT_ERRNO(vcpu_run(vcpu), EFAULT);
	rip = vcpu_regs(vcpu).rip;
	EXPECT_ERRNO(vcpu_run(vcpu), EFAULT);
	EXPECT_EQ(vcpu_regs(vcpu).rip, rip);
	ASSERT(mmap(m, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == m);
	m[0] = 0x42;
	expect_read(vcpu, 0x42);
	/* Memory the process may not touch. */
	ASSERT_OK(mprotect(m, PAGE, PROT_NONE));
	EXPECT_ERRNO(vcpu_run(vcpu), EFAULT);
	ASSERT_OK(mprotect(m, PAGE, PROT_READ));
	expect_read(vcpu, 0x42);
}

static void guest_writes(void)
{
	GUEST_EXPECT_EQ(mmio_read32(AT), 0x51);
	guest_stage(1);
	mmio_write32(AT, 0x52);
	guest_stage(2);
	guest_done();
}

/* A guest's write needs memory the process may write, in a writable slot. */
static void host_memory_read_only(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_writes);
	uint32_t *m = anonymous(PAGE);

	m[0] = 0x51;
	ASSERT_OK(mprotect(m, PAGE, PROT_READ));
	ASSERT_OK(vm_slot(vm, 1, 0, AT, PAGE, m));
	vcpu_expect_stage(vcpu, 1);
	EXPECT_ERRNO(vcpu_run(vcpu), EFAULT);
	EXPECT_EQ(m[0], 0x51);
	ASSERT_OK(mprotect(m, PAGE, PROT_READ | PROT_WRITE));
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(m[0], 0x52);
	vcpu_finish(vcpu);
}

/* Memory that is read first stays shared with the zero page, and a write after that is the guest's own. */
static void guest_reads_then_writes(void)
{
	volatile uint64_t *m = (uint64_t *)AT;

	for (int i = 0; i < 64; i++)
		GUEST_EXPECT_EQ(m[i * 512], 0);
	for (int i = 0; i < 64; i++)
		m[i * 512] = i + 1;
	for (int i = 0; i < 64; i++)
		GUEST_EXPECT_EQ(m[i * 512], i + 1);
	guest_done();
}

static void zero_page(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_reads_then_writes);
	uint64_t *m = anonymous(64 * PAGE);

	ASSERT_OK(vm_slot(vm, 1, 0, AT, 64 * PAGE, m));
	vcpu_finish(vcpu);
	for (int i = 0; i < 64; i++)
		EXPECT_EQ(m[i * 512], i + 1);
}

static void shared_memory(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_reads_then_writes);
	int fd = ASSERT_OK(memfd_create("guest", MFD_CLOEXEC));
	uint64_t *m, *view;

	ASSERT_OK(ftruncate(fd, 64 * PAGE));
	m = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	view = mmap(NULL, 64 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT(m != MAP_FAILED && view != MAP_FAILED);
	ASSERT_OK(vm_slot(vm, 1, 0, AT, 64 * PAGE, m));
	vcpu_finish(vcpu);
	for (int i = 0; i < 64; i++)
		EXPECT_EQ(view[i * 512], i + 1);
}

/* Large pages: the whole of 4 MiB by one pattern, before and after the host splits them. */
enum { LARGE = 0x400000 };

static volatile uint64_t sum;

static void guest_sums(void)
{
	volatile uint64_t *m = (uint64_t *)AT;

	for (;;) {
		sum = 0;
		for (int i = 0; i < LARGE / 8; i += 64)
			sum += m[i];
		guest_stage(1);
	}
}

static void large_pages(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_sums);
	uint8_t *area = anonymous(LARGE * 2), *m = (uint8_t *)(((uintptr_t)area + LARGE - 1) & ~(uintptr_t)(LARGE - 1));
	uint64_t want = 0;

	madvise(m, LARGE, MADV_HUGEPAGE);
	for (int i = 0; i < LARGE / 8; i += 64) {
		((uint64_t *)m)[i] = i * 3;
		want += i * 3;
	}
	ASSERT_OK(vm_slot(vm, 1, 0, AT, LARGE, m));
	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(*vm_var(vm, sum), want);
	/* Out of the middle of the first. */
	for (int i = 0; i < PAGE / 8; i += 64)
		want -= (0x100000 / 8 + i) * 3;
	ASSERT_OK(madvise(m + 0x100000, PAGE, MADV_DONTNEED));
	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(*vm_var(vm, sum), want);
	/* The slot at an address that large pages cannot have. */
	ASSERT_OK(vm_slot(vm, 1, 0, AT, 0, m));
	ASSERT_OK(vm_slot(vm, 1, 0, AT, LARGE - PAGE, m + PAGE));
	ASSERT_OK(vm_slot(vm, 2, 0, AT + LARGE - PAGE, PAGE, m));
	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(*vm_var(vm, sum), want);
}

/* --- changes while the guest runs --- */

static struct vcpu *stormed;
static volatile bool storm_over;

static void guest_counts(void)
{
	volatile uint64_t *m = (uint64_t *)AT;

	/* Each page holds its mark or zeros, never anything else. */
	for (int turn = 0; turn < 40; turn++)
		for (int i = 0; i < 64; i++) {
			uint64_t v = m[i * 512];

			GUEST_EXPECT(v == 0 || v == 0x1234500u + i);
			m[i * 512] = 0x1234500 + i;
			GUEST_EXPECT(m[i * 512 + 1] == 0);
		}
	guest_done();
}

static void *storm(void *memory)
{
	uint8_t *m = memory;

	for (int i = 0; !storm_over && i < 100000; i++) {
		madvise(m + i * 7 % 64 * PAGE, PAGE, MADV_DONTNEED);
		if (i % 16 == 0)
			sched_yield();
	}
	return NULL;
}

static void discarded_while_running(void)
{
	struct vm *vm = vm_new();
	uint8_t *m = anonymous(64 * PAGE);
	pthread_t thread;

	stormed = vcpu_new(vm, 0, guest_counts);
	ASSERT_OK(vm_slot(vm, 1, 0, AT, 64 * PAGE, m));
	ASSERT(!pthread_create(&thread, NULL, storm, m));
	vcpu_finish(stormed);
	storm_over = true;
	pthread_join(thread, NULL);
}

static const struct test tests[] = {
	TEST(read_only_slot),
	TEST(slots_come_and_go),
	TEST(host_memory_changes),
	TEST(host_memory_missing),
	TEST(host_memory_read_only),
	TEST(zero_page),
	TEST(shared_memory),
	TEST(large_pages),
	TEST(discarded_while_running),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

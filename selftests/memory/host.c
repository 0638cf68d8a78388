// SPDX-License-Identifier: GPL-2.0
/*
 * What the host does to the memory of a guest, seen from the guest: memory that is not there, comes, goes, is copied,
 * shared, truncated, write-protected, merged; slots that go and move under a running guest. One guest serves all: it
 * reads or writes one word as it is told, and reports.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "guest.h"
#include "vm.h"

#define MB		0x100000ul
#define PAGE		0x1000ul
#define RO_GPA		0x40000000ul	/* behind GUEST_MEMORY, inside what the guest's tables map */
#define TEST_GPA	0x50000000ul

/* --- the guest: one access for each stage --- */

static volatile struct {
	uint64_t address, value;
	bool write;
} work;

static void guest_access(void)
{
	for (;;) {
		volatile uint64_t *p = (volatile uint64_t *)work.address;

		if (work.write)
			*p = work.value;
		else
			work.value = *p;
		guest_stage(1);
	}
}

struct rig {
	struct vm *vm;
	struct vcpu *vcpu;
	__typeof__(work) *work;
};

static struct rig rig_new(void)
{
	struct rig rig = { .vm = vm_new() };

	rig.vcpu = vcpu_new(rig.vm, 0, guest_access);
	rig.work = vm_var(rig.vm, work);
	return rig;
}

static uint64_t guest_read(struct rig *rig, uint64_t gpa)
{
	rig->work->address = gpa;
	rig->work->write = false;
	vcpu_expect_stage(rig->vcpu, 1);
	return rig->work->value;
}

static void guest_write(struct rig *rig, uint64_t gpa, uint64_t value)
{
	rig->work->address = gpa;
	rig->work->value = value;
	rig->work->write = true;
	vcpu_expect_stage(rig->vcpu, 1);
}

/* An access that RUN refuses; the guest stays in front of it, until it is told to begin anew. */
static void guest_faults(struct rig *rig, uint64_t gpa, bool write)
{
	struct kvirt_regs regs;

	rig->work->address = gpa;
	rig->work->value = 0;
	rig->work->write = write;
	EXPECT_ERRNO(vcpu_run(rig->vcpu), EFAULT);
	EXPECT_ERRNO(vcpu_run(rig->vcpu), EFAULT);
	regs = vcpu_regs(rig->vcpu);
	regs.rip = (uintptr_t)guest_access;
	vcpu_set_regs(rig->vcpu, &regs);
}

static void *map(size_t size, int flags, int fd)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	ASSERT(p != MAP_FAILED);
	return p;
}

/* Private memory at a multiple of 2 MiB. */
static char *anonymous(size_t size)
{
	uintptr_t p = (uintptr_t)map(size + 2 * MB, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	return (char *)((p + 2 * MB - 1) & ~(2 * MB - 1));
}

static void put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0) {
		if (write(fd, value, strlen(value)) < 0)
			test_note("%s: %s", path, test_errno_name(errno));
		close(fd);
	}
}

/* --- what is there and what is not --- */

static void missing_memory(void)
{
	struct rig rig = rig_new();
	char *m = anonymous(2 * MB);

	ASSERT_OK(vm_slot(rig.vm, 1, 0, TEST_GPA, 2 * MB, m));
	ASSERT_OK(munmap(m + PAGE, PAGE));
	guest_faults(&rig, TEST_GPA + PAGE, false);
	guest_faults(&rig, TEST_GPA + PAGE + 8, true);
	guest_write(&rig, TEST_GPA, 0x1111);
	EXPECT_EQ(*(uint64_t *)m, 0x1111);
	/* The process maps something there: the guest goes on. */
	ASSERT(mmap(m + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == m + PAGE);
	EXPECT_EQ(guest_read(&rig, TEST_GPA + PAGE), 0);
	*(uint64_t *)(m + PAGE) = 0x2222;
	EXPECT_EQ(guest_read(&rig, TEST_GPA + PAGE), 0x2222);
	/* And takes it away again, from under a mapping that the guest has. */
	guest_write(&rig, TEST_GPA + PAGE, 0x3333);
	ASSERT_OK(munmap(m + PAGE, PAGE));
	guest_faults(&rig, TEST_GPA + PAGE, true);
}

static void protected_memory(void)
{
	struct rig rig = rig_new();
	char *m = anonymous(2 * MB);

	ASSERT_OK(vm_slot(rig.vm, 1, 0, TEST_GPA, 2 * MB, m));
	guest_write(&rig, TEST_GPA, 0x1111);
	ASSERT_OK(mprotect(m, PAGE, PROT_READ));
	EXPECT_EQ(guest_read(&rig, TEST_GPA), 0x1111);
	guest_faults(&rig, TEST_GPA, true);
	EXPECT_EQ(*(uint64_t *)m, 0x1111);
	ASSERT_OK(mprotect(m, PAGE, PROT_NONE));
	guest_faults(&rig, TEST_GPA, false);
	ASSERT_OK(mprotect(m, PAGE, PROT_READ | PROT_WRITE));
	guest_write(&rig, TEST_GPA, 0x2222);
	EXPECT_EQ(*(uint64_t *)m, 0x2222);
}

static void discarded_memory(void)
{
	struct rig rig = rig_new();
	char *m = anonymous(4 * MB);

	ASSERT_OK(vm_slot(rig.vm, 1, 0, TEST_GPA, 4 * MB, m));
	for (uint64_t offset = 0; offset < 4 * MB; offset += 64 * PAGE)
		guest_write(&rig, TEST_GPA + offset, offset + 1);
	ASSERT_OK(madvise(m + 64 * PAGE, PAGE, MADV_DONTNEED));
	ASSERT_OK(madvise(m + 2 * MB, 2 * MB, MADV_DONTNEED));
	for (uint64_t offset = 0; offset < 4 * MB; offset += 64 * PAGE)
		EXPECT_EQ(guest_read(&rig, TEST_GPA + offset),
			  offset >= 2 * MB || offset == 64 * PAGE ? 0 : offset + 1);
}

/* The zero page is mapped by a read, and must go at the first write. */
static void zero_page(void)
{
	struct rig rig = rig_new();
	char *m = anonymous(2 * MB);

	ASSERT_OK(madvise(m, 2 * MB, MADV_NOHUGEPAGE));
	ASSERT_OK(vm_slot(rig.vm, 1, 0, TEST_GPA, 2 * MB, m));
	EXPECT_EQ(guest_read(&rig, TEST_GPA), 0);
	EXPECT_EQ(guest_read(&rig, TEST_GPA + PAGE), 0);
	guest_write(&rig, TEST_GPA, 0x1111);
	EXPECT_EQ(guest_read(&rig, TEST_GPA), 0x1111);
	EXPECT_EQ(guest_read(&rig, TEST_GPA + PAGE), 0);
	EXPECT_EQ(*(uint64_t *)m, 0x1111);
}

/* --- copies and sharing --- */

static void copied_on_fork(void)
{
	struct rig rig = rig_new();
	char *m = anonymous(2 * MB);
	int go[2], status;
	pid_t child;
	char c;

	ASSERT_OK(vm_slot(rig.vm, 1, 0, TEST_GPA, 2 * MB, m));
	guest_write(&rig, TEST_GPA, 0x1111);
	guest_write(&rig, TEST_GPA + PAGE, 0x2222);
	ASSERT_OK(pipe(go));
	child = ASSERT_OK(fork());
	if (!child) {
		close(go[1]);
		if (read(go[0], &c, 1) < 0)
			_exit(2);
		/* What the guest wrote after the fork is not seen here. */
		_exit(*(uint64_t *)m != 0x1111 || *(uint64_t *)(m + PAGE) != 0x2222);
	}
	EXPECT_EQ(guest_read(&rig, TEST_GPA), 0x1111);
	guest_write(&rig, TEST_GPA, 0x3333);
	guest_write(&rig, TEST_GPA + PAGE, 0x4444);
	EXPECT_EQ(*(uint64_t *)m, 0x3333);
	EXPECT_EQ(*(uint64_t *)(m + PAGE), 0x4444);
	close(go[1]);
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(guest_read(&rig, TEST_GPA), 0x3333);
}

static void private_file(void)
{
	struct rig rig = rig_new();
	int fd = ASSERT_OK(memfd_create("file", 0));
	uint64_t word = 0x1111;
	char *m;

	ASSERT_OK(ftruncate(fd, 4 * PAGE));
	ASSERT_EQ(pwrite(fd, &word, 8, 0), 8);
	m = map(4 * PAGE, MAP_PRIVATE, fd);
	ASSERT_OK(vm_slot(rig.vm, 1, 0, TEST_GPA, 4 * PAGE, m));
	EXPECT_EQ(guest_read(&rig, TEST_GPA), 0x1111);
	word = 0x2222;
	ASSERT_EQ(pwrite(fd, &word, 8, 0), 8);
	EXPECT_EQ(guest_read(&rig, TEST_GPA), 0x2222);
	guest_write(&rig, TEST_GPA, 0x3333);
	EXPECT_EQ(*(uint64_t *)m, 0x3333);
	ASSERT_EQ(pread(fd, &word, 8, 0), 8);
	EXPECT_EQ(word, 0x2222);
}

static void shared_file(void)
{
	struct rig rig = rig_new();
	int fd = ASSERT_OK(memfd_create("file", 0));
	char *m, *other;

	ASSERT_OK(ftruncate(fd, 4 * MB));
	m = map(4 * MB, MAP_SHARED, fd);
	other = map(4 * MB, MAP_SHARED, fd);
	ASSERT_OK(vm_slot(rig.vm, 1, 0, TEST_GPA, 4 * MB, m));
	ASSERT_OK(vm_slot(rig.vm, 2, 0, TEST_GPA + 4 * MB, 4 * MB, other));
	guest_write(&rig, TEST_GPA + PAGE, 0x1111);
	EXPECT_EQ(guest_read(&rig, TEST_GPA + 4 * MB + PAGE), 0x1111);
	guest_write(&rig, TEST_GPA + 4 * MB + PAGE, 0x2222);
	EXPECT_EQ(guest_read(&rig, TEST_GPA + PAGE), 0x2222);
	ASSERT_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE));
	EXPECT_EQ(guest_read(&rig, TEST_GPA + PAGE), 0);
	EXPECT_EQ(guest_read(&rig, TEST_GPA + 4 * MB + PAGE), 0);
	guest_write(&rig, TEST_GPA + PAGE, 0x3333);
	ASSERT_OK(ftruncate(fd, PAGE));
	guest_faults(&rig, TEST_GPA + PAGE, false);
	ASSERT_OK(ftruncate(fd, 4 * MB));
	EXPECT_EQ(guest_read(&rig, TEST_GPA + PAGE), 0);
}

/* One user page in two slots, and two slots that overlap in user space: all of them lose it together. */
static void aliases(void)
{
	struct rig rig = rig_new();
	char *m = anonymous(4 * MB);

	ASSERT_OK(vm_slot(rig.vm, 1, 0, TEST_GPA, 4 * MB, m));
	ASSERT_OK(vm_slot(rig.vm, 2, 0, TEST_GPA + 8 * MB, 2 * MB, m + MB));
	ASSERT_OK(vm_slot(rig.vm, 3, KVIRT_MEM_READONLY, TEST_GPA + 16 * MB, 4 * MB, m));
	guest_write(&rig, TEST_GPA + 2 * MB, 0x1111);
	EXPECT_EQ(guest_read(&rig, TEST_GPA + 9 * MB), 0x1111);
	EXPECT_EQ(guest_read(&rig, TEST_GPA + 18 * MB), 0x1111);
	guest_write(&rig, TEST_GPA + 9 * MB, 0x2222);
	EXPECT_EQ(guest_read(&rig, TEST_GPA + 2 * MB), 0x2222);
	ASSERT_OK(madvise(m + 2 * MB, PAGE, MADV_DONTNEED));
	EXPECT_EQ(guest_read(&rig, TEST_GPA + 2 * MB), 0);
	EXPECT_EQ(guest_read(&rig, TEST_GPA + 9 * MB), 0);
	EXPECT_EQ(guest_read(&rig, TEST_GPA + 18 * MB), 0);
}

static void merged_pages(void)
{
	struct rig rig = rig_new();
	char *m = anonymous(2 * MB);
	unsigned long merged = 0;

	if (access("/sys/kernel/mm/ksm/run", W_OK))
		test_skip("the host has no KSM");
	ASSERT_OK(madvise(m, 2 * MB, MADV_NOHUGEPAGE));
	memset(m, 0x5a, 16 * PAGE);
	ASSERT_OK(vm_slot(rig.vm, 1, 0, TEST_GPA, 2 * MB, m));
	for (int i = 0; i < 16; i++)
		guest_write(&rig, TEST_GPA + i * PAGE, 0x5a5a5a5a5a5a5a5a);
	ASSERT_OK(madvise(m, 16 * PAGE, MADV_MERGEABLE));
	put("/sys/kernel/mm/ksm/sleep_millisecs", "1");
	put("/sys/kernel/mm/ksm/pages_to_scan", "1000");
	put("/sys/kernel/mm/ksm/run", "1");
	for (int i = 0; i < 2000 && merged < 15; i++) {
		FILE *f = fopen("/sys/kernel/mm/ksm/pages_sharing", "r");

		ASSERT(f && fscanf(f, "%lu", &merged) == 1);
		fclose(f);
		usleep(1000);
	}
	EXPECT(merged >= 15);
	EXPECT_EQ(guest_read(&rig, TEST_GPA + 3 * PAGE), 0x5a5a5a5a5a5a5a5a);
	/* One is written: it alone changes. */
	guest_write(&rig, TEST_GPA + 3 * PAGE, 0x1111);
	for (int i = 0; i < 16; i++)
		EXPECT_EQ(guest_read(&rig, TEST_GPA + i * PAGE), i == 3 ? 0x1111 : 0x5a5a5a5a5a5a5a5a);
	put("/sys/kernel/mm/ksm/run", "2");
	put("/sys/kernel/mm/ksm/run", "0");
}

/* --- large pages: right content before, across and after a split --- */

static void check_pattern(struct rig *rig, uint64_t gpa, size_t size)
{
	for (uint64_t offset = 0; offset < size; offset += 37 * PAGE)
		EXPECT_EQ(guest_read(rig, gpa + offset), offset * 3 + 1);
}

static void large_pages_at(int flags, uint64_t shift)
{
	struct rig rig = rig_new();
	char *m = flags & MAP_HUGETLB ? mmap(NULL, 4 * MB, PROT_READ | PROT_WRITE, flags, -1, 0) : anonymous(4 * MB);

	ASSERT(m != MAP_FAILED);
	if (!(flags & MAP_HUGETLB))
		madvise(m, 4 * MB, MADV_HUGEPAGE);
	ASSERT_OK(vm_slot(rig.vm, 1, 0, TEST_GPA + shift, 4 * MB, m));
	for (uint64_t offset = 0; offset < 4 * MB; offset += 37 * PAGE)
		guest_write(&rig, TEST_GPA + shift + offset, offset * 3 + 1);
	for (uint64_t offset = 0; offset < 4 * MB; offset += 37 * PAGE)
		EXPECT_EQ(*(uint64_t *)(m + offset), offset * 3 + 1);
	if (!(flags & MAP_HUGETLB)) {
		/* Splits the host's large page; the rest stays as it was. */
		ASSERT_OK(madvise(m + PAGE, PAGE, MADV_DONTNEED));
		EXPECT_EQ(guest_read(&rig, TEST_GPA + shift + PAGE), 0);
	}
	check_pattern(&rig, TEST_GPA + shift, 4 * MB);
	ASSERT_OK(madvise(m + 2 * MB, 2 * MB, MADV_DONTNEED));
	EXPECT_EQ(guest_read(&rig, TEST_GPA + shift + 2 * MB), 0);
	check_pattern(&rig, TEST_GPA + shift, 2 * MB);
}

static void transparent_large_pages(void)
{
	large_pages_at(0, 0);
	/* Guest and user addresses that differ modulo 2 MiB cannot share a large page. */
	large_pages_at(0, MB);
	large_pages_at(0, PAGE);
}

static void hugetlb_pages(void)
{
	put("/proc/sys/vm/nr_hugepages", "4");
	large_pages_at(MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, 0);
	large_pages_at(MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, MB);
	put("/proc/sys/vm/nr_hugepages", "0");
}

/* --- slots --- */

static void read_only_slot(void)
{
	struct rig rig = rig_new();
	struct kvirt_run *run = rig.vcpu->run;
	char *m = anonymous(2 * MB);

	*(uint64_t *)(m + 8) = 0x1111;
	ASSERT_OK(vm_slot(rig.vm, 1, KVIRT_MEM_READONLY, RO_GPA, 2 * MB, m));
	EXPECT_EQ(guest_read(&rig, RO_GPA + 8), 0x1111);
	rig.work->address = RO_GPA + 8;
	rig.work->value = 0x2222;
	rig.work->write = true;
	vcpu_expect_exit(rig.vcpu, KVIRT_EXIT_MMIO);
	EXPECT_EQ(run->mmio.phys_addr, RO_GPA + 8);
	EXPECT_EQ(run->mmio.is_write, 1);
	EXPECT_EQ(run->mmio.len, 8);
	EXPECT_EQ(*(uint64_t *)run->mmio.data, 0x2222);
	vcpu_expect_stage(rig.vcpu, 1);
	EXPECT_EQ(*(uint64_t *)(m + 8), 0x1111);
	/* The process itself may write there, and the guest sees it. */
	*(uint64_t *)(m + 8) = 0x3333;
	EXPECT_EQ(guest_read(&rig, RO_GPA + 8), 0x3333);
}

static void deleted_and_moved_slots(void)
{
	struct rig rig = rig_new();
	struct kvirt_run *run = rig.vcpu->run;
	char *m = anonymous(2 * MB);

	ASSERT_OK(vm_slot(rig.vm, 1, 0, TEST_GPA, 2 * MB, m));
	guest_write(&rig, TEST_GPA + PAGE, 0x1111);
	/* Moved: there at the new place, device memory at the old one. */
	ASSERT_OK(vm_slot(rig.vm, 1, 0, TEST_GPA + 8 * MB, 2 * MB, m));
	EXPECT_EQ(guest_read(&rig, TEST_GPA + 8 * MB + PAGE), 0x1111);
	rig.work->address = TEST_GPA + PAGE;
	rig.work->write = false;
	vcpu_expect_exit(rig.vcpu, KVIRT_EXIT_MMIO);
	EXPECT_EQ(run->mmio.phys_addr, TEST_GPA + PAGE);
	EXPECT_EQ(run->mmio.is_write, 0);
	*(uint64_t *)run->mmio.data = 0x7777;
	vcpu_expect_stage(rig.vcpu, 1);
	EXPECT_EQ(rig.work->value, 0x7777);
	/* Deleted: nowhere. */
	ASSERT_OK(vm_slot(rig.vm, 1, 0, 0, 0, NULL));
	rig.work->address = TEST_GPA + 8 * MB + PAGE;
	rig.work->value = 0x8888;
	rig.work->write = true;
	vcpu_expect_exit(rig.vcpu, KVIRT_EXIT_MMIO);
	EXPECT_EQ(run->mmio.phys_addr, TEST_GPA + 8 * MB + PAGE);
	vcpu_expect_stage(rig.vcpu, 1);
	EXPECT_EQ(*(uint64_t *)(m + PAGE), 0x1111);
	/* And other memory in its place. */
	ASSERT_OK(vm_slot(rig.vm, 2, 0, TEST_GPA, 2 * MB, m + MB));
	EXPECT_EQ(guest_read(&rig, TEST_GPA + PAGE), 0);
}

/* A slot for each page: numbers, guest-physical and user addresses all in orders of their own. */
static void many_slots(void)
{
	enum { MANY = 2048, STEP = 2048 / 16 - 1 };
	struct rig rig = rig_new();
	uint64_t gpa[MANY];
	char *m = anonymous(MANY * PAGE);

	for (unsigned int i = 0; i < MANY; i++) {
		gpa[i] = TEST_GPA + i * 709 % MANY * PAGE;
		*(uint64_t *)(m + i * PAGE) = i + 1;
		ASSERT_OK(vm_slot(rig.vm, 1 + i * 1237 % MANY, 0, gpa[i], PAGE, m + i * PAGE));
	}
	EXPECT_ERRNO(vm_slot(rig.vm, MANY + 1, 0, TEST_GPA + 77 * PAGE, PAGE, m), EEXIST);
	EXPECT_ERRNO(vm_slot(rig.vm, MANY + 1, 0, TEST_GPA - PAGE, 2 * PAGE, m), EEXIST);
	EXPECT_ERRNO(vm_slot(rig.vm, MANY + 1, 0, TEST_GPA + (MANY - 1) * PAGE, 2 * PAGE, m), EEXIST);
	for (unsigned int i = 0; i < MANY; i += STEP)
		EXPECT_EQ(guest_read(&rig, gpa[i]), i + 1);
	/* A part of the memory goes, and only slots there lose theirs. */
	ASSERT_OK(madvise(m, MANY / 2 * PAGE, MADV_DONTNEED));
	for (unsigned int i = 0; i < MANY; i += STEP)
		EXPECT_EQ(guest_read(&rig, gpa[i]), i < MANY / 2 ? 0 : i + 1);
	/* One moves beside its old place, one goes, and another comes in its place. */
	ASSERT_OK(vm_slot(rig.vm, 1, 0, 0, 0, NULL));
	ASSERT_OK(vm_slot(rig.vm, 1 + 2047 * 1237 % MANY, 0, gpa[0], PAGE, m + 2047 * PAGE));
	EXPECT_EQ(guest_read(&rig, gpa[0]), MANY);
	rig.work->address = gpa[2047];
	vcpu_expect_exit(rig.vcpu, KVIRT_EXIT_MMIO);
	vcpu_expect_stage(rig.vcpu, 1);
	ASSERT_OK(vm_slot(rig.vm, 1, 0, gpa[2047], PAGE, m + 5 * PAGE));
	guest_write(&rig, gpa[2047], 0x5555);
	EXPECT_EQ(*(uint64_t *)(m + 5 * PAGE), 0x5555);
}

/* Two VMs of one process see the same change. */
static void two_vms(void)
{
	struct rig a = rig_new(), b = rig_new();
	char *m = anonymous(2 * MB);

	ASSERT_OK(vm_slot(a.vm, 1, 0, TEST_GPA, 2 * MB, m));
	ASSERT_OK(vm_slot(b.vm, 1, 0, TEST_GPA + 4 * MB, 2 * MB, m));
	guest_write(&a, TEST_GPA, 0x1111);
	EXPECT_EQ(guest_read(&b, TEST_GPA + 4 * MB), 0x1111);
	ASSERT_OK(madvise(m, 2 * MB, MADV_DONTNEED));
	EXPECT_EQ(guest_read(&a, TEST_GPA), 0);
	EXPECT_EQ(guest_read(&b, TEST_GPA + 4 * MB), 0);
	vcpu_free(a.vcpu);
	vm_free(a.vm);
	guest_write(&b, TEST_GPA + 4 * MB, 0x2222);
	ASSERT_OK(madvise(m, 2 * MB, MADV_DONTNEED));
	EXPECT_EQ(guest_read(&b, TEST_GPA + 4 * MB), 0);
}

/* --- storms: the guest works on memory that is taken away all the time --- */

#define STORM_SIZE	(2 * MB)
#define STORM_ROUNDS	40

static volatile uint64_t storm_wrong, storm_kept;

/* Each word is 0, since its page was taken away, or what was written there last. */
static void guest_storm(void)
{
	for (uint64_t round = 1; ; round++) {
		for (uint64_t offset = 0; offset < STORM_SIZE; offset += PAGE) {
			volatile uint64_t *p = (volatile uint64_t *)(TEST_GPA + offset + (offset >> 9));
			uint64_t value = *p;

			if (value && value != (offset << 20 | (round - 1)))
				storm_wrong++;
			if (value)
				storm_kept++;
			*p = offset << 20 | round;
		}
		guest_stage(round);
	}
}

static struct {
	struct vm *vm;
	char *memory;
	bool stop;
	long rounds;
} storm;

/* Called by the other side for each of its rounds: go on? */
static bool storm_on(void)
{
	__atomic_add_fetch(&storm.rounds, 1, __ATOMIC_RELAXED);
	return !__atomic_load_n(&storm.stop, __ATOMIC_RELAXED);
}

static void *discard(void *unused)
{
	unsigned int seed = 1;

	while (storm_on()) {
		size_t page = (seed = seed * 1103515245 + 12345) >> 8 & (STORM_SIZE / PAGE - 1);
		uint64_t *junk;

		madvise(storm.memory + page * PAGE, PAGE, MADV_DONTNEED);
		/* Takes the page that has become free, most likely: a guest that still has it would show. */
		junk = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (junk != MAP_FAILED) {
			for (int i = 0; i < 512; i++)
				junk[i] = ~0ull;
			sched_yield();
			for (int i = 0; i < 512; i++)
				if (junk[i] != ~0ull)
					EXPECT_EQ(junk[i], ~0ull);
			munmap(junk, PAGE);
		}
	}
	return NULL;
}

static void *move_slot(void *unused)
{
	while (storm_on()) {
		EXPECT_OK(vm_slot(storm.vm, 5, 0, TEST_GPA + 16 * MB, STORM_SIZE, storm.memory));
		EXPECT_OK(vm_slot(storm.vm, 5, 0, TEST_GPA + 32 * MB, STORM_SIZE, storm.memory));
		EXPECT_OK(vm_slot(storm.vm, 5, 0, 0, 0, NULL));
		sched_yield();
	}
	return NULL;
}

static void run_storm(void *(*other)(void *), bool may_lose)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_storm);
	pthread_t thread;
	uint64_t round, words;

	storm.vm = vm;
	storm.stop = false;
	storm.rounds = 0;
	storm.memory = anonymous(STORM_SIZE);
	ASSERT_OK(vm_slot(vm, 1, 0, TEST_GPA, STORM_SIZE, storm.memory));
	vcpu_expect_stage(vcpu, 1);
	ASSERT_EQ(pthread_create(&thread, NULL, other, NULL), 0);
	/* On one CPU the two sides take turns: the other must have had some. */
	for (round = 2; round <= STORM_ROUNDS ||
	     (round <= 50 * STORM_ROUNDS && __atomic_load_n(&storm.rounds, __ATOMIC_RELAXED) < STORM_ROUNDS); round++)
		vcpu_expect_stage(vcpu, round);
	__atomic_store_n(&storm.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	words = (round - 2) * (STORM_SIZE / PAGE);
	test_note("%ld rounds against %ld of the guest, %ld of %ld words kept", storm.rounds, (long)round - 1,
		  (long)*vm_var(vm, storm_kept), (long)words);
	EXPECT(storm.rounds >= STORM_ROUNDS);
	EXPECT_EQ(*vm_var(vm, storm_wrong), 0);
	if (!may_lose)
		EXPECT_EQ(*vm_var(vm, storm_kept), words);
}

static void discard_storm(void)
{
	run_storm(discard, true);
}

static void slot_storm(void)
{
	run_storm(move_slot, false);
}

static const struct test tests[] = {
	TEST(missing_memory),
	TEST(protected_memory),
	TEST(discarded_memory),
	TEST(zero_page),
	TEST(copied_on_fork),
	TEST(private_file),
	TEST(shared_file),
	TEST(aliases),
	TEST(merged_pages),
	TEST(transparent_large_pages),
	TEST(hugetlb_pages),
	TEST(read_only_slot),
	TEST(deleted_and_moved_slots),
	TEST(many_slots),
	TEST(two_vms),
	TEST(discard_storm),
	TEST(slot_storm),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

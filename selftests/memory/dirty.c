// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log: the guest writes pages that the host knows, and the bitmap has those and no other; whoever writes, however
 * the host has the memory mapped, and whatever becomes of the slot. At the end, migration as a VMM does it: the pages of a
 * running guest are copied until it stops, and the copy is the same.
 *
 * --seconds N: how long each migration goes on (default: a few rounds).
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "guest.h"
#include "vm.h"

enum {
	PAGE = 4096, MB = 0x100000, PAGES = 1000,	/* no multiple of 64, not quite 4 MiB */
	SLOT = 7, GPA = 0x50000000, WORDS = (PAGES + 63) / 64,
	MSR_WALL_CLOCK = 0x4b564d00, MSR_SYSTEM_TIME = 0x4b564d01,
};

/* --- the guest does as it is told --- */

static volatile struct {
	enum { READ, WRITE, ATOMIC, INS, CLOCK, WALL, MOVS } what;
	uint64_t gpa, step, count, sum;
} work;

static void guest_works(void)
{
	for (;;) {
		uint64_t gpa = work.gpa, n = 16;
		void *to;

		for (uint64_t i = 0; i < work.count; i++, gpa += work.step) {
			volatile uint64_t *p = (uint64_t *)gpa;

			to = (void *)gpa;
			switch (work.what) {
			case READ:
				work.sum += *p;
				break;
			case WRITE:
				*p = gpa + 1;
				break;
			case ATOMIC:
				__atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST);
				break;
			case INS:
				n = 16;
				asm volatile("rep insb" : "+D"(to), "+c"(n) : "d"(PORT_TEST) : "memory");
				break;
			case CLOCK:
				wrmsr(MSR_SYSTEM_TIME, gpa | 1);
				break;
			case WALL:
				wrmsr(MSR_WALL_CLOCK, gpa);
				break;
			case MOVS:
				asm volatile("movsq" : "+D"(to) : "S"((uint64_t)GUEST_HOLE) : "memory");
				break;
			}
		}
		guest_stage(1);
	}
}

struct rig {
	struct vm *vm;
	struct vcpu *vcpu;
	char *memory;
	uint64_t gpa;
	uint64_t log[WORDS + 1], want[WORDS + 1];
};

static void go(struct rig *rig, int what, uint64_t first, uint64_t count, uint64_t step)
{
	__typeof__(work) *w = vm_var(rig->vm, work);
	uint64_t sum = 0;

	w->what = what;
	w->gpa = rig->gpa + first * PAGE;
	w->step = step * PAGE;
	w->count = count;
	w->sum = 0;
	for (;;) {
		long stage = vcpu_go(rig->vcpu);

		if (stage == 1)
			break;
		/* INS and MOVS get their data here. */
		ASSERT_EQ(stage, OTHER_EXIT);
		if (rig->vcpu->run->exit_reason == KVIRT_EXIT_MMIO)
			memset(rig->vcpu->run->mmio.data, 0x77, 8);
		else
			memset(vcpu_io_data(rig->vcpu), 0x66, 16);
	}
	for (; count; count--, first += step)
		if (what == READ)
			sum += *(uint64_t *)(rig->memory + first * PAGE);
		else
			rig->want[first / 64] |= 1ull << first % 64;
	/* The guest reads what is there, wherever its pages are mapped by now. */
	if (what == READ)
		EXPECT_EQ(w->sum, sum);
}

static int get_log(struct rig *rig, void *bitmap)
{
	struct kvirt_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };

	return ioctl(rig->vm->fd, KVIRT_GET_DIRTY_LOG, &log);
}

static int clear_log(struct rig *rig, uint64_t first, uint32_t n, const void *bitmap)
{
	struct kvirt_clear_dirty_log log = { .slot = SLOT, .first_page = first, .num_pages = n, .dirty_bitmap = (void *)bitmap };

	return ioctl(rig->vm->fd, KVIRT_CLEAR_DIRTY_LOG, &log);
}

/* What the log has now is what was to be expected, and nothing is written behind its end. */
#define EXPECT_LOG(rig)									\
	do {										\
		(rig)->log[WORDS] = 0x5a5a;						\
		ASSERT_OK(get_log(rig, (rig)->log));					\
		for (int i_ = 0; i_ < WORDS; i_++)					\
			if (!EXPECT_EQ((rig)->log[i_], (rig)->want[i_]))		\
				test_note("word %d", i_);				\
		EXPECT_EQ((rig)->log[WORDS], 0x5a5a);					\
	} while (0)

static int set_slot(struct rig *rig, uint32_t flags)
{
	return vm_slot(rig->vm, SLOT, flags, rig->gpa, PAGES * PAGE, rig->memory);
}

static void expect_none(struct rig *rig)
{
	memset(rig->want, 0, sizeof(rig->want));
}

/* A slot that the guest has touched, every page: then KVM's log has no page that was only read. */
static struct rig rig_new(int advice, uint64_t offset)
{
	struct rig rig = { .vm = vm_new(), .gpa = GPA + offset };
	uintptr_t p = (uintptr_t)mmap(NULL, 6 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT((void *)p != MAP_FAILED);
	rig.memory = (char *)((p + 2 * MB - 1) & ~(2 * MB - 1ul));
	ASSERT_OK(madvise(rig.memory, 4 * MB, advice));
	rig.vcpu = vcpu_new(rig.vm, 0, guest_works);
	ASSERT_OK(set_slot(&rig, 0));
	go(&rig, WRITE, 0, PAGES, 1);
	expect_none(&rig);
	return rig;
}

static struct rig rig_manual(int advice, uint64_t mode)
{
	struct rig rig = rig_new(advice, 0);

	ASSERT_OK(vm_enable(rig.vm, KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, mode));
	ASSERT_OK(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES));
	return rig;
}

static void check_memory(struct rig *rig)
{
	for (uint64_t i = 0; i < PAGES; i++)
		EXPECT_EQ(*(uint64_t *)(rig->memory + i * PAGE), rig->gpa + i * PAGE + 1);
}

/* --- what is written is in the log --- */

static void known_pages(int advice, uint64_t offset)
{
	struct rig rig = rig_new(advice, offset);

	EXPECT_ERRNO(get_log(&rig, rig.log), ENOENT);
	ASSERT_OK(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES));
	EXPECT_LOG(&rig);
	for (int round = 0; round < 3; round++) {
		go(&rig, READ, 0, PAGES, 1);
		EXPECT_LOG(&rig);
		go(&rig, WRITE, round, 20, 37);
		go(&rig, WRITE, PAGES - 1, 1, 1);
		go(&rig, ATOMIC, 62, 4, 1);
		go(&rig, WRITE, 62, 4, 1);
		go(&rig, READ, 0, PAGES, 1);
		EXPECT_LOG(&rig);
		expect_none(&rig);
		EXPECT_LOG(&rig);
	}
	go(&rig, WRITE, 0, PAGES, 1);
	EXPECT_LOG(&rig);
	/* Without a log nothing is kept; a new one begins empty. */
	ASSERT_OK(set_slot(&rig, 0));
	EXPECT_ERRNO(get_log(&rig, rig.log), ENOENT);
	EXPECT_ERRNO(clear_log(&rig, 0, PAGES, rig.log), ENOENT);
	go(&rig, WRITE, 0, PAGES, 1);
	expect_none(&rig);
	ASSERT_OK(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES));
	EXPECT_LOG(&rig);
	go(&rig, WRITE, 511, 2, 1);
	EXPECT_LOG(&rig);
	check_memory(&rig);
}

static void small_pages(void)
{
	known_pages(MADV_NOHUGEPAGE, 0);
}

static void large_pages(void)
{
	known_pages(MADV_HUGEPAGE, 0);
}

static void crooked_slot(void)
{
	known_pages(MADV_HUGEPAGE, 3 * PAGE);
}

/* Where the CPU has the bug of the instruction TLB, kvirt maps nothing large (its parameter allow_large_pages). */
static bool large_leaves(void)
{
	char line[32] = "";
	int fd = open("/sys/devices/system/cpu/vulnerabilities/itlb_multihit", O_RDONLY);

	ASSERT(fd >= 0 && read(fd, line, sizeof(line) - 1) > 0);
	close(fd);
	return !strncmp(line, "Not affected", 12);
}

static const char *fault_count(void)
{
	return strstr(test_dev, "kvirt") ? "nested_fault_exits" : "pf_taken";
}

/* A log that ends costs no page its translation, but those that make a large one again. */
static void log_ends_at(int advice)
{
	struct rig rig = rig_new(advice, 0);
	uint64_t before;

	ASSERT_OK(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES));
	go(&rig, WRITE, 0, PAGES, 1);
	ASSERT_OK(set_slot(&rig, 0));
	before = vm_stat(rig.vcpu->fd, fault_count());
	go(&rig, WRITE, 0, PAGES, 1);
	before = vm_stat(rig.vcpu->fd, fault_count()) - before;
	test_note("%llu faults", (unsigned long long)before);
	EXPECT(before < 8);
	EXPECT(before > 0 || advice == MADV_NOHUGEPAGE || !large_leaves());
	check_memory(&rig);
}

static void log_ends(void)
{
	log_ends_at(MADV_NOHUGEPAGE);
	log_ends_at(MADV_HUGEPAGE);
}

/* Pages that the guest has not seen when the log begins: those written are there; KVM adds those that were only read. */
static void new_pages(void)
{
	struct rig rig = rig_new(MADV_HUGEPAGE, 0);

	ASSERT_OK(madvise(rig.memory, 4 * MB, MADV_DONTNEED));
	ASSERT_OK(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES));
	go(&rig, WRITE, 5, 30, 31);
	EXPECT_LOG(&rig);
	/* Discarded memory is not written; what the guest writes there then is. */
	expect_none(&rig);
	ASSERT_OK(madvise(rig.memory, 4 * MB, MADV_DONTNEED));
	EXPECT_LOG(&rig);
	go(&rig, WRITE, 9, 20, 3);
	EXPECT_LOG(&rig);
	expect_none(&rig);
	go(&rig, READ, 0, PAGES, 1);
	if (strstr(test_dev, "kvirt")) {
		EXPECT_LOG(&rig);
	} else {
		ASSERT_OK(get_log(&rig, rig.log));
		test_note("KVM's word 0: %#llx", (unsigned long long)rig.log[0]);
	}
}

/* Memory that the device writes for the guest. */
static void writes_by_the_device(void)
{
	struct rig rig = rig_new(MADV_HUGEPAGE, 0);

	ASSERT_OK(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES));
	go(&rig, INS, 3, 1, 1);
	EXPECT_EQ(rig.memory[3 * PAGE + 15], 0x66);
	go(&rig, MOVS, 200, 2, 300);
	EXPECT_EQ(rig.memory[500 * PAGE + 7], 0x77);
	go(&rig, WALL, 700, 1, 1);
	EXPECT_LOG(&rig);
	expect_none(&rig);
	go(&rig, CLOCK, 800, 1, 1);
	EXPECT_LOG(&rig);
	/* The clock's page is written whenever the clock is set. */
	for (int i = 0; i < 3; i++) {
		struct kvirt_clock_data clock = { .clock = 1000000000 };

		expect_none(&rig);
		EXPECT_LOG(&rig);
		ASSERT_OK(ioctl(rig.vm->fd, KVIRT_SET_CLOCK, &clock));
		go(&rig, READ, 0, 1, 1);
		rig.want[800 / 64] = 1ull << 800 % 64;
		EXPECT_LOG(&rig);
	}
}

/* --- GET leaves it to CLEAR --- */

static void cleared_by_hand(int advice)
{
	struct rig rig = rig_manual(advice, KVIRT_DIRTY_LOG_MANUAL_PROTECT_ENABLE);
	uint64_t some[WORDS] = { [1] = ~0ull, [2] = 0xf0 };

	EXPECT_LOG(&rig);
	go(&rig, WRITE, 60, 80, 1);
	for (int i = 0; i < 3; i++)
		EXPECT_LOG(&rig);
	/* Some of them, from a page on; others that are not set do no harm. */
	EXPECT_OK(clear_log(&rig, 64, 128, some + 1));
	rig.want[1] = 0;
	rig.want[2] &= ~0xf0ull;
	EXPECT_LOG(&rig);
	EXPECT_OK(clear_log(&rig, 64, 128, some + 1));
	EXPECT_LOG(&rig);
	/* Cleared and written again. */
	go(&rig, WRITE, 70, 2, 1);
	go(&rig, WRITE, 61, 1, 1);
	EXPECT_LOG(&rig);
	/* The slot's end, which is no multiple of 64. */
	go(&rig, WRITE, PAGES - 10, 10, 1);
	EXPECT_LOG(&rig);
	memset(some, 0xff, sizeof(some));
	EXPECT_OK(clear_log(&rig, PAGES / 64 * 64, PAGES % 64, some));
	rig.want[WORDS - 1] = 0;
	EXPECT_LOG(&rig);
	go(&rig, WRITE, PAGES - 2, 1, 1);
	EXPECT_LOG(&rig);
	EXPECT_OK(clear_log(&rig, 0, PAGES, some));
	expect_none(&rig);
	EXPECT_LOG(&rig);
	check_memory(&rig);
}

static void manual_small(void)
{
	cleared_by_hand(MADV_NOHUGEPAGE);
}

static void manual_large(void)
{
	cleared_by_hand(MADV_HUGEPAGE);
}

/* Only CLEAR makes pages tell of a write again: behind a GET the guest writes on without a fault. */
static void manual_get_protects_nothing(void)
{
	struct rig rig = rig_manual(MADV_NOHUGEPAGE, KVIRT_DIRTY_LOG_MANUAL_PROTECT_ENABLE);
	uint64_t before;

	go(&rig, WRITE, 0, PAGES, 1);
	EXPECT_LOG(&rig);
	before = vm_stat(rig.vcpu->fd, fault_count());
	go(&rig, WRITE, 0, PAGES, 1);
	EXPECT(vm_stat(rig.vcpu->fd, fault_count()) - before < 8);
	EXPECT_LOG(&rig);
}

static void initially_set(void)
{
	struct rig rig = rig_manual(MADV_HUGEPAGE, 3);
	uint64_t some[WORDS] = { 0x10, [8] = 1 };

	memset(rig.want, 0xff, sizeof(rig.want));
	rig.want[WORDS - 1] = (1ull << PAGES % 64) - 1;
	EXPECT_LOG(&rig);
	go(&rig, WRITE, 0, PAGES, 1);
	EXPECT_LOG(&rig);
	/* One page in each of two large ones. */
	EXPECT_OK(clear_log(&rig, 0, PAGES, some));
	rig.want[0] &= ~0x10ull;
	rig.want[8] &= ~1ull;
	EXPECT_LOG(&rig);
	go(&rig, WRITE, 3, 1, 1);
	go(&rig, WRITE, 513, 200, 1);
	EXPECT_LOG(&rig);
	go(&rig, WRITE, 512, 1, 1);
	EXPECT_LOG(&rig);
	/* Without the capability GET clears, and nothing is lost by that. */
	EXPECT_OK(vm_enable(rig.vm, KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, 0));
	EXPECT_LOG(&rig);
	expect_none(&rig);
	EXPECT_LOG(&rig);
	go(&rig, WRITE, 0, 100, 10);
	EXPECT_LOG(&rig);
	check_memory(&rig);
}

/* KVM has forgotten the pages when it finds that nobody can be told of them; here they are still known. */
static void nobody_told(void)
{
	struct rig rig = rig_new(MADV_HUGEPAGE, 0);
	char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_OK(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES));
	go(&rig, WRITE, 100, 10, 7);
	EXPECT_ERRNO(get_log(&rig, none), EFAULT);
	EXPECT_ERRNO(get_log(&rig, NULL), EFAULT);
	EXPECT_ERRNO(clear_log(&rig, 0, PAGES, none), EFAULT);
	go(&rig, WRITE, 107, 2, 7);
	go(&rig, WRITE, 3, 1, 1);
	if (strstr(test_dev, "kvirt")) {
		EXPECT_LOG(&rig);
	} else {
		EXPECT_OK(get_log(&rig, rig.log));
		test_note("KVM's words 0 to 2: %#llx %#llx %#llx", (unsigned long long)rig.log[0],
			  (unsigned long long)rig.log[1], (unsigned long long)rig.log[2]);
	}
}

/* --- the slot goes and comes --- */

static void moved_slot(void)
{
	struct rig rig = rig_new(MADV_HUGEPAGE, 0);

	ASSERT_OK(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES));
	go(&rig, WRITE, 10, 10, 1);
	/* Its log goes with it. */
	rig.gpa += 16 * MB;
	ASSERT_OK(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES));
	go(&rig, WRITE, 900, 10, 1);
	EXPECT_LOG(&rig);
	expect_none(&rig);
	EXPECT_LOG(&rig);
	go(&rig, WRITE, 1, 3, 300);
	EXPECT_LOG(&rig);
	/* Moved and no longer logged; moved and logged anew; deleted and made anew. */
	rig.gpa -= 16 * MB;
	ASSERT_OK(set_slot(&rig, 0));
	EXPECT_ERRNO(get_log(&rig, rig.log), ENOENT);
	go(&rig, WRITE, 0, PAGES, 1);
	rig.gpa += 32 * MB;
	ASSERT_OK(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES));
	expect_none(&rig);
	EXPECT_LOG(&rig);
	go(&rig, WRITE, 55, 3, 4);
	EXPECT_LOG(&rig);
	ASSERT_OK(vm_slot(rig.vm, SLOT, 0, 0, 0, NULL));
	EXPECT_ERRNO(get_log(&rig, rig.log), ENOENT);
	ASSERT_OK(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES));
	expect_none(&rig);
	EXPECT_LOG(&rig);
	go(&rig, WRITE, 0, PAGES, 1);
	EXPECT_LOG(&rig);
	check_memory(&rig);
}

/* A read-only slot may have a log, in which never anything stands. */
static void read_only_slot(void)
{
	struct rig rig = rig_new(MADV_HUGEPAGE, 0);
	uint32_t both = KVIRT_MEM_LOG_DIRTY_PAGES | KVIRT_MEM_READONLY;

	ASSERT_OK(vm_slot(rig.vm, SLOT, 0, 0, 0, NULL));
	ASSERT_OK(set_slot(&rig, KVIRT_MEM_READONLY));
	ASSERT_OK(set_slot(&rig, both));
	EXPECT_ERRNO(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES), EINVAL);
	go(&rig, READ, 0, PAGES, 1);
	EXPECT_LOG(&rig);
	go(&rig, WRITE, 0, 2, 100);
	expect_none(&rig);
	EXPECT_LOG(&rig);
	EXPECT_EQ(*(uint64_t *)rig.memory, rig.gpa + 1);
}

/* --- migration: copy what was written while the guest goes on; it stops, and the rest is copied --- */

static volatile uint64_t storm_writes;

static void guest_storm(void)
{
	uint64_t state = 88172645463325252ull;

	for (;;) {
		for (int i = 0; i < 2000; i++) {
			uint64_t page;

			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			/* Most go to few pages, which are others every 300: one that was missed is not made good by the next. */
			page = state >> 40 & 7 ? (storm_writes / 300 * 16 + state % 16) % PAGES : state % PAGES;
			if (state >> 43 & 31)
				*(volatile uint64_t *)(GPA + page * PAGE + (state >> 20 & 0xff8)) = state;
			else
				__atomic_fetch_xor((uint64_t *)(GPA + page * PAGE), state, __ATOMIC_SEQ_CST);
			storm_writes++;
		}
		guest_stage(1);
	}
}

static struct {
	struct vcpu *vcpu;
	volatile bool stop;
} storm;

static void *storm_thread(void *unused)
{
	while (!storm.stop)
		vcpu_expect_stage(storm.vcpu, 1);
	return NULL;
}

static long copy_pages(struct rig *rig, char *copy)
{
	long n = 0;

	for (int i = 0; i < WORDS; i++)
		for (uint64_t word = rig->log[i]; word; word &= word - 1, n++) {
			size_t at = (i * 64 + __builtin_ctzll(word)) * PAGE;

			memcpy(copy + at, rig->memory + at, PAGE);
		}
	return n;
}

/* One round: the pages that the log has. With CLEAR in pieces, as QEMU does it, before each piece is copied. */
static long copy_round(struct rig *rig, char *copy, uint64_t mode)
{
	ASSERT_OK(get_log(rig, rig->log));
	for (uint64_t first = 0; mode && first < PAGES; first += 256)
		ASSERT_OK(clear_log(rig, first, PAGES - first < 256 ? PAGES - first : 256, rig->log + first / 64));
	return copy_pages(rig, copy);
}

static void migrate(uint64_t mode, int advice)
{
	const char *seconds = test_option("--seconds");
	struct rig rig = { .vm = vm_new(), .gpa = GPA };
	time_t end = time(NULL) + (seconds ? atoi(seconds) : 0);
	char *copy = malloc(PAGES * PAGE);
	pthread_t thread;
	long copied = 0, rounds = 0, last;

	rig.memory = mmap(NULL, 4 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(copy && rig.memory != MAP_FAILED);
	madvise(rig.memory, 4 * MB, advice);
	storm.stop = false;
	ASSERT_OK(vm_enable(rig.vm, KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, mode));
	ASSERT_OK(set_slot(&rig, 0));
	rig.vcpu = storm.vcpu = vcpu_new(rig.vm, 0, guest_storm);
	ASSERT(!pthread_create(&thread, NULL, storm_thread, NULL));
	while (*vm_var(rig.vm, storm_writes) < 2000)
		usleep(1000);
	do {
		ASSERT_OK(set_slot(&rig, KVIRT_MEM_LOG_DIRTY_PAGES));
		/* All of it is in the first log if that begins so. */
		if (mode != 3)
			memcpy(copy, rig.memory, PAGES * PAGE);
		for (int i = 0; i < 12; i++) {
			uint64_t before = *vm_var(rig.vm, storm_writes);

			copied += copy_round(&rig, copy, mode);
			for (int n = 0; n < 100 && *vm_var(rig.vm, storm_writes) < before + 500; n++)
				usleep(1000);
			rounds++;
		}
		if (time(NULL) < end)
			/* Not yet: the log ends, and begins anew. */
			ASSERT_OK(set_slot(&rig, 0));
	} while (time(NULL) < end);
	storm.stop = true;
	pthread_join(thread, NULL);
	last = copy_round(&rig, copy, mode);
	EXPECT(!memcmp(copy, rig.memory, PAGES * PAGE));
	test_note("%ld rounds, %ld pages copied, %ld at the end, %ld writes", rounds, copied, last,
		  (long)*vm_var(rig.vm, storm_writes));
	/* Otherwise nothing was shown: pages were written meanwhile, and not all of them each time. */
	EXPECT(copied > rounds * 10);
	EXPECT(copied < rounds * PAGES);
	EXPECT_OK(get_log(&rig, rig.log));
	if (!mode)
		EXPECT_EQ(copy_pages(&rig, copy), 0);
	printf("# TRIED %ld\n", copied);
}

static void migration(void)
{
	migrate(0, MADV_NOHUGEPAGE);
}

static void migration_of_large_pages(void)
{
	migrate(0, MADV_HUGEPAGE);
}

static void migration_by_hand(void)
{
	migrate(1, MADV_HUGEPAGE);
}

static void migration_all_set(void)
{
	migrate(3, MADV_HUGEPAGE);
}

static const struct test tests[] = {
	TEST(small_pages),
	TEST(large_pages),
	TEST(crooked_slot),
	TEST(log_ends),
	TEST(new_pages),
	TEST(writes_by_the_device),
	TEST(manual_small),
	TEST(manual_large),
	TEST(manual_get_protects_nothing),
	TEST(initially_set),
	TEST(nobody_told),
	TEST(moved_slot),
	TEST(read_only_slot),
	TEST(migration),
	TEST(migration_of_large_pages),
	TEST(migration_by_hand),
	TEST(migration_all_set),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

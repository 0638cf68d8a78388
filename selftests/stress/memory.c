// SPDX-License-Identifier: GPL-2.0
/*
 * A race each: what the host may do to memory without changing what is in it, as fast as it can, under two vCPUs that check
 * every page in every turn and write it anew. They know what must be in a page (which round wrote it), and a counter in each
 * page is added to by both, so a write that went to a page nobody has any more shows, and one that came late, too. Where the
 * host's memory is out of reach for a moment RUN gives EFAULT and is called again; where a slot is gone, this program is the
 * memory. What takes memory away for good is in notifier.c.
 *
 * --seconds N: how long each race goes on at the least (default: as many changes as its row says). --vcpus 1: only one.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "guest.h"
#include "vm.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum {
	PAGE = 4096, MB = 0x100000, PAGES = 1024, VCPUS = 2, WORDS = 8, STRIDE = 512 / WORDS,
	GPA = 0x50000000, GPA_2 = 0x58000000,
};

/* --- the guest --- */

static volatile struct {
	uint64_t vcpus;
	bool same;		/* all pages alike, written once a phase: for who merges them */
	uint32_t phase;
	bool counters;		/* the shared ones; not where a page may be no memory */
	bool stop;
	uint64_t turn[VCPUS];
	uint32_t round[PAGES];	/* that wrote the page */
} work;

static uint64_t content(uint64_t n, uint64_t word, uint64_t round)
{
	if (!round)
		return 0;
	return (work.same ? 0 : n << 40) + (round + 1) * 0x9e3779b97f4a7c15ull + word;
}

static void guest_turns(uint64_t self)
{
	for (uint64_t turn = 1; !work.stop; turn++) {
		for (uint64_t n = 0; n < PAGES; n++) {
			volatile uint64_t *page = (uint64_t *)((uint64_t)GPA + n * PAGE);

			if (work.counters)
				__atomic_fetch_add(page + STRIDE / 2, 1, __ATOMIC_SEQ_CST);
			if (n % work.vcpus != self)
				continue;
			for (uint64_t i = 0; i < WORDS; i++)
				GUEST_EXPECT_EQ(page[i * STRIDE], content(n, i, work.round[n]));
			if (work.same && work.round[n] == work.phase)
				continue;
			work.round[n] = work.same ? work.phase : work.round[n] + 1;
			for (uint64_t i = 0; i < WORDS; i++)
				page[i * STRIDE] = content(n, i, work.round[n]);
		}
		work.turn[self] = turn;
		guest_stage(turn);
	}
	guest_done();
}

static void guest_first(void)
{
	guest_turns(0);
}

static void guest_second(void)
{
	guest_turns(1);
}

/* --- the host --- */

static struct {
	struct vm *vm;
	struct vcpu *vcpu[VCPUS];
	__typeof__(work) *work;
	char *memory;
	unsigned int vcpus;
	volatile bool over;
	long faults, mmio;
} race;

static void serve_mmio(struct kvirt_run *run)
{
	uint64_t at = run->mmio.phys_addr - GPA;

	ASSERT(at < (uint64_t)PAGES * PAGE && run->mmio.len <= 8);
	__atomic_add_fetch(&race.mmio, 1, __ATOMIC_RELAXED);
	if (run->mmio.is_write)
		memcpy(race.memory + at, run->mmio.data, run->mmio.len);
	else
		memcpy(run->mmio.data, race.memory + at, run->mmio.len);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	struct kvirt_run *run = vcpu->run;
	int wrong = 0;

	for (;;) {
		if (vcpu_run(vcpu)) {
			ASSERT(errno == EFAULT || errno == EINTR);
			__atomic_add_fetch(&race.faults, errno == EFAULT, __ATOMIC_RELAXED);
			sched_yield();
		} else if (run->exit_reason == KVIRT_EXIT_MMIO) {
			serve_mmio(run);
		} else if (run->exit_reason != KVIRT_EXIT_IO || run->io.port == PORT_DONE) {
			break;
		} else if (run->io.port == PORT_FAIL) {
			struct kvirt_regs r = vcpu_regs(vcpu);

			test_fail("guest", r.rdi, "%#llx, not %#llx", r.rsi, r.rcx);
			if (++wrong == 10)
				test_end();
		} else {
			sched_yield();
		}
	}
	if (run->exit_reason != KVIRT_EXIT_IO) {
		vcpu_describe(vcpu);
		EXPECT_EQ(run->exit_reason, KVIRT_EXIT_IO);
	}
	race.over = true;
	return NULL;
}

/* What is there now is what the guest wrote last, each addition to a counter included. */
static void check_memory(void)
{
	uint64_t turns = 0;

	for (unsigned int v = 0; v < race.vcpus; v++)
		turns += race.work->turn[v];
	for (uint64_t n = 0; n < PAGES; n++) {
		uint64_t *page = (uint64_t *)(race.memory + n * PAGE);

		work.same = race.work->same;
		for (uint64_t i = 0; i < WORDS; i++)
			if (!EXPECT_EQ(page[i * STRIDE], content(n, i, race.work->round[n])))
				test_end();
		if (race.work->counters)
			EXPECT_EQ(page[STRIDE / 2], turns);
	}
}

/* A race goes on for @least calls of @change, until the guest has done its @turns and what is to be seen was seen. */
struct row {
	void (*change)(unsigned int n);
	long least, turns;
	bool (*enough)(void);
	bool same, slots;	/* see work; the slot is gone at times */
};

static void run_race(const struct row *row)
{
	const char *seconds = test_option("--seconds"), *vcpus = test_option("--vcpus");
	time_t end = time(NULL) + (seconds ? atoi(seconds) : 0);
	void (*const guest[])(void) = { guest_first, guest_second };
	pthread_t thread[VCPUS];
	uintptr_t p;
	long n;

	race.vm = vm_new();
	race.work = vm_var(race.vm, work);
	race.vcpus = vcpus ? atoi(vcpus) : VCPUS;
	ASSERT(race.vcpus >= 1 && race.vcpus <= VCPUS);
	race.work->vcpus = race.vcpus;
	race.work->same = row->same;
	race.work->counters = !row->same && !row->slots;
	p = (uintptr_t)mmap(NULL, PAGES * PAGE + 2 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT((void *)p != MAP_FAILED);
	race.memory = (char *)((p + 2 * MB - 1) & ~(2 * MB - 1ul));
	ASSERT_OK(vm_slot(race.vm, 1, 0, GPA, PAGES * PAGE, race.memory));
	for (unsigned int v = 0; v < race.vcpus; v++) {
		race.vcpu[v] = vcpu_new(race.vm, v, guest[v]);
		ASSERT(!pthread_create(&thread[v], NULL, vcpu_thread, race.vcpu[v]));
	}
	for (n = 0; !race.over; n++) {
		bool enough = n >= row->least && (!row->enough || row->enough());

		for (unsigned int v = 0; v < race.vcpus; v++)
			enough = enough && race.work->turn[v] >= row->turns;
		if ((enough && time(NULL) >= end) || n == 20 * row->least)
			break;
		row->change(n);
		sched_yield();
	}
	EXPECT(!race.over);
	race.work->stop = true;
	for (unsigned int v = 0; v < race.vcpus; v++)
		pthread_join(thread[v], NULL);
	test_note("%ld changes against %ld turns, %ld pages each; %ld faults, %ld accesses without a slot", n,
		  (long)race.work->turn[0], (long)PAGES, race.faults, race.mmio);
	EXPECT(n >= row->least && race.work->turn[0] >= row->turns);
	EXPECT(!row->enough || row->enough());
	check_memory();
	printf("# TRIED %ld\n", n);
}

static unsigned int below(unsigned int n)
{
	static unsigned int state = 12345;

	return rand_r(&state) % n;
}

static long number_in(const char *path, const char *name)
{
	FILE *f = fopen(path, "re");
	char word[64] = "";
	long value = -1;

	ASSERT(f);
	if (!name)
		ASSERT(fscanf(f, "%ld", &value) == 1);
	while (name && fscanf(f, "%63s %ld", word, &value) == 2 && strcmp(word, name))
		;
	fclose(f);
	return value;
}

static bool try_put(const char *path, const char *value)
{
	int fd = ASSERT_OK(open(path, O_WRONLY));
	bool written = write(fd, value, strlen(value)) == strlen(value);

	close(fd);
	return written;
}

static void put(const char *path, const char *value)
{
	ASSERT(try_put(path, value));
}

/* --- slots --- */

static void change_slot(unsigned int n)
{
	switch (n % 4) {
	case 0:
		EXPECT_OK(vm_slot(race.vm, 1, 0, 0, 0, NULL));
		break;
	case 1:
		EXPECT_OK(vm_slot(race.vm, 1, 0, GPA, PAGES * PAGE, race.memory));
		break;
	case 2:
		EXPECT_OK(vm_slot(race.vm, 1, 0, GPA_2, PAGES * PAGE, race.memory));
		break;
	case 3:
		EXPECT_OK(vm_slot(race.vm, 1, 0, GPA, PAGES * PAGE, race.memory));
		break;
	}
	/* Where it lies right most of the time, for the guest to get somewhere. */
	usleep(n & 1 ? 2000 : 100);
}

static bool slot_missed(void)
{
	return race.mmio > 50;
}

static void slot_flips(void)
{
	run_race(&(struct row){ change_slot, 100, 2, slot_missed, .slots = true });
}

/* The same slot, logged and not, and its log taken meanwhile. */
static void change_log(unsigned int n)
{
	static uint64_t bits[PAGES / 64];
	struct kvirt_dirty_log log = { .slot = 1, .dirty_bitmap = bits };

	switch (n % 6) {
	case 0:
	case 5:
		EXPECT_OK(vm_slot(race.vm, 1, n % 6 ? 0 : KVIRT_MEM_LOG_DIRTY_PAGES, GPA, PAGES * PAGE, race.memory));
		break;
	default:
		EXPECT_OK(ioctl(race.vm->fd, KVIRT_GET_DIRTY_LOG, &log));
		break;
	}
	usleep(500);
}

static void log_flips(void)
{
	run_race(&(struct row){ change_log, 150, 3 });
}

/* --- mappings --- */

static void change_protection(unsigned int n)
{
	char *p = race.memory + below(PAGES - 32) * PAGE;
	size_t size = (1 + below(32)) * PAGE;

	EXPECT_OK(mprotect(p, size, n & 1 ? PROT_READ : PROT_NONE));
	if (n % 8 == 0)
		sched_yield();
	EXPECT_OK(mprotect(p, size, PROT_READ | PROT_WRITE));
}

static void protection(void)
{
	run_race(&(struct row){ change_protection, 500, 4 });
}

/* Pages go elsewhere in the process, and come back. */
static void change_place(unsigned int n)
{
	static char *elsewhere;
	char *p = race.memory + below(PAGES - 32) * PAGE;
	size_t size = (1 + below(32)) * PAGE;

	if (!elsewhere)
		elsewhere = mmap(NULL, MB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(elsewhere != MAP_FAILED);
	ASSERT(mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == elsewhere);
	if (n % 8 == 0)
		sched_yield();
	ASSERT(mremap(elsewhere, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
}

static void moves_in_the_process(void)
{
	run_race(&(struct row){ change_place, 300, 4 });
}

/* What a child has seen once it sees again, whatever the guest writes; and the guest loses nothing to the copies. */
static void change_owner(unsigned int n)
{
	unsigned int first = below(PAGES - 64);
	uint64_t seen[64];
	int status = -1;
	pid_t child = ASSERT_OK(fork());

	if (!child) {
		volatile uint64_t *page = (uint64_t *)(race.memory + first * PAGE);

		for (int i = 0; i < 64; i++)
			seen[i] = page[i * PAGE / 8];
		for (int i = 0; i < 4; i++)
			sched_yield();
		for (int i = 0; i < 64; i++)
			if (seen[i] != page[i * PAGE / 8])
				_exit(1);
		_exit(0);
	}
	if (n & 1)
		madvise(race.memory + below(2) * 2 * MB, 2 * MB, n & 2 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
}

static void forks(void)
{
	run_race(&(struct row){ change_owner, 30, 3 });
}

/* --- pages --- */

#define KSM "/sys/kernel/mm/ksm/"

static long shared_most, unshared;

static void change_merging(unsigned int n)
{
	long now = number_in(KSM "pages_sharing", NULL);
	static long before;

	shared_most = now > shared_most ? now : shared_most;
	unshared += now < before;
	before = now;
	if (n % 256 == 255)
		EXPECT_OK(madvise(race.memory + below(2) * 2 * MB, 2 * MB, n & 256 ? MADV_UNMERGEABLE : MADV_MERGEABLE));
	else if (!n)
		EXPECT_OK(madvise(race.memory, PAGES * PAGE, MADV_MERGEABLE));
	/* Only what stays as it is for a while is merged; then all of it is written. */
	if (now > PAGES / 8 || n % 256 == 255)
		race.work->phase++;
	usleep(2000);
}

static bool merged(void)
{
	return shared_most > PAGES / 16 && unshared > 2;
}

static void merging(void)
{
	if (access(KSM "run", W_OK))
		test_skip("the host has no KSM");
	put(KSM "sleep_millisecs", "0");
	put(KSM "pages_to_scan", "2000");
	put(KSM "run", "1");
	run_race(&(struct row){ change_merging, 200, 5, merged, .same = true });
	put(KSM "run", "2");
	put(KSM "run", "0");
	test_note("at most %ld pages merged at a time; %ld times fewer than before", shared_most, unshared);
}

static long collapsed;

static void change_size(unsigned int n)
{
	char *p = race.memory + below(2) * 2 * MB;

	switch (n % 4) {
	case 0:
		EXPECT_OK(madvise(p, 2 * MB, MADV_HUGEPAGE));
		break;
	case 1:
		/* It may find the memory too busy, or none to be had. */
		collapsed += !madvise(p, 2 * MB, MADV_COLLAPSE);
		break;
	case 2:
		/* Another advice for a part splits the mapping, */
		EXPECT_OK(madvise(p + below(512) * PAGE, PAGE, MADV_NOHUGEPAGE));
		break;
	case 3:
		/* and giving away what lies beside it the page. */
		collapsed += !madvise(race.memory, PAGES * PAGE, MADV_COLLAPSE);
		EXPECT_OK(mprotect(p + 256 * PAGE, PAGE, PROT_READ));
		EXPECT_OK(mprotect(p + 256 * PAGE, PAGE, PROT_READ | PROT_WRITE));
		break;
	}
}

static bool made_large(void)
{
	return collapsed > 5;
}

static void large_pages(void)
{
	long split = number_in("/proc/vmstat", "thp_split_pmd"), made = number_in("/proc/vmstat", "thp_collapse_alloc");

	run_race(&(struct row){ change_size, 80, 3, made_large });
	split = number_in("/proc/vmstat", "thp_split_pmd") - split;
	made = number_in("/proc/vmstat", "thp_collapse_alloc") - made;
	test_note("%ld large pages made (%ld times asked for), %ld split", made, collapsed, split);
	EXPECT(made > 3);
	EXPECT(split > 3);
}

/* Where the host has the guest's pages: frame numbers, which only root may see. */
static void frames(uint64_t *pfn)
{
	int fd = ASSERT_OK(open("/proc/self/pagemap", O_RDONLY));

	ASSERT_EQ(pread(fd, pfn, PAGES * 8, (uintptr_t)race.memory / PAGE * 8), PAGES * 8);
	close(fd);
}

static long moved;

/*
 * The block of memory that most of the guest's pages lie in is taken out of use, for which they all have to go elsewhere, and
 * back into it. One that holds pages of the kernel, too, stays; then the next is tried. In the
 * end all lie in such blocks: then they are copied to where others are.
 */
static void change_frames(unsigned int n)
{
	enum { BLOCKS = 64 };
	static uint64_t before[PAGES], after[PAGES];
	static uint64_t block_size;
	static bool stays[BLOCKS];
	unsigned int pages[BLOCKS] = { 0 };
	char path[64];

	if (!block_size) {
		FILE *f = fopen("/sys/devices/system/memory/block_size_bytes", "re");

		ASSERT(f && fscanf(f, "%lx", &block_size) == 1);
		fclose(f);
	}
	frames(before);
	for (int i = 0; i < PAGES; i++)
		if (before[i] >> 63)
			pages[(before[i] & ((1ull << 55) - 1)) * PAGE / block_size % BLOCKS]++;
	for (;;) {
		unsigned int most = 0;

		for (unsigned int i = 1; i < BLOCKS; i++)
			if (!stays[i] && pages[i] > pages[most])
				most = i;
		if (!pages[most] || stays[most]) {
			change_owner(0);
			break;
		}
		snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%u/state", most);
		stays[most] = !try_put(path, "offline");
		if (stays[most])
			continue;
		put(path, "online");
		break;
	}
	frames(after);
	for (int i = 0; i < PAGES; i++)
		moved += before[i] >> 63 && after[i] >> 63 && before[i] != after[i];
}

static bool have_moved(void)
{
	return moved > PAGES / 2;
}

static void migration(void)
{
	run_race(&(struct row){ change_frames, 15, 3, have_moved });
	test_note("%ld times a page of the guest moved", moved);
}

static const struct test tests[] = {
	TEST(slot_flips),
	TEST(log_flips),
	TEST(protection),
	TEST(moves_in_the_process),
	TEST(forks),
	TEST(merging),
	TEST(large_pages),
	TEST(migration),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

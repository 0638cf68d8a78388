// SPDX-License-Identifier: GPL-2.0
/*
 * The process' memory changes under a running guest, from another thread, as fast as it can: pages discarded, protected and
 * unprotected, replaced. The guest writes a sum with every page and checks it: a page is whole, as it wrote it, or zeros.
 * A mapping the guest kept after its page was given back would show as a sum that is wrong, or as a write that is lost.
 *
 * --count N: turns of the guest over its memory (default 20).
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

enum { PAGE = 4096, PAGES = 64, WORDS = 32 };

static volatile uint64_t turns, zeros, wholes;

/* The first words of a page, and behind them their sum with the page's number. */
static bool check_page(volatile uint64_t *page, uint64_t number)
{
	uint64_t sum = number + 1, any = 0;

	for (int i = 0; i < WORDS; i++) {
		uint64_t v = page[i];

		any |= v;
		sum += v;
	}
	any |= page[WORDS];
	if (!any)
		zeros++;
	else if (page[WORDS] == sum)
		wholes++;
	return !any || page[WORDS] == sum;
}

/*
 * The storm may take a page in the middle of being written: so a page is given up for the time of the test (flag), written,
 * and offered again. The flags lie in memory that nobody takes.
 */
static volatile uint8_t held[PAGES];

static void guest_sums(void)
{
	uint64_t state = 88172645463325252ull;

	for (uint64_t turn = 0; turn < turns; turn++)
		for (uint64_t n = 0; n < PAGES; n++) {
			volatile uint64_t *page = (uint64_t *)(GUEST_HOLE + n * PAGE);
			uint64_t sum = n + 1;

			__atomic_store_n(&held[n], 1, __ATOMIC_SEQ_CST);
			/* The storm is not at work on a page when it hands it over; the exit gives it the CPU. */
			while (__atomic_load_n(&held[n], __ATOMIC_SEQ_CST) != 2)
				inb(PORT_TEST);
			GUEST_EXPECT(check_page(page, n));
			for (int i = 0; i < WORDS; i++) {
				state ^= state << 13;
				state ^= state >> 7;
				state ^= state << 17;
				page[i] = state;
				sum += state;
			}
			page[WORDS] = sum;
			/* What it just wrote it must read: a stale mapping would have taken the writes elsewhere. */
			GUEST_EXPECT(check_page(page, n));
			__atomic_store_n(&held[n], 0, __ATOMIC_SEQ_CST);
		}
	guest_done();
}

static struct {
	uint8_t *memory;
	volatile uint8_t *held;
	volatile bool over;
	unsigned long changes;
} storm;

static void *storm_thread(void *arg)
{
	unsigned int state = 12345;

	while (!storm.over) {
		unsigned int n = rand_r(&state) % PAGES, kind = rand_r(&state) % 8;
		uint8_t *page = storm.memory + n * PAGE;

		/* Hand over what the guest asks for. */
		for (int i = 0; i < PAGES; i++)
			if (storm.held[i] == 1) {
				storm.held[i] = 2;
				sched_yield();
			}
		if (storm.held[n])
			continue;
		storm.changes++;
		switch (kind) {
		default:
			madvise(page, PAGE, MADV_DONTNEED);
			break;
		case 1:
			/* Copy on write: a guest's mapping may not stay writable. */
			mprotect(page, PAGE, PROT_READ);
			mprotect(page, PAGE, PROT_READ | PROT_WRITE);
			break;
		case 2:
			mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			break;
		}
	}
	return NULL;
}

static void memory_changes_all_the_time(void)
{
	const char *count = test_option("--count");
	struct vm *vm;
	struct vcpu *vcpu;
	pthread_t thread;
	long stage;

	turns = count ? atoi(count) : 20;
	vm = vm_new();
	vcpu = vcpu_new(vm, 0, guest_sums);
	storm.memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(storm.memory != MAP_FAILED);
	storm.held = vm_at(vm, (uintptr_t)held);
	ASSERT_OK(vm_slot(vm, 1, 0, GUEST_HOLE, PAGES * PAGE, storm.memory));
	ASSERT(!pthread_create(&thread, NULL, storm_thread, NULL));
	while ((stage = vcpu_go(vcpu)) == OTHER_EXIT) {
		ASSERT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_IO);
		sched_yield();
	}
	EXPECT_EQ(stage, STAGE_DONE);
	storm.over = true;
	pthread_join(thread, NULL);
	test_note("%lu changes; the guest found %llu pages whole and %llu of zeros", storm.changes,
		  (unsigned long long)*vm_var(vm, wholes), (unsigned long long)*vm_var(vm, zeros));
	/* Otherwise nothing was tried. */
	EXPECT(storm.changes > 50);
	EXPECT(*vm_var(vm, zeros) > PAGES);
	printf("# TRIED %lu\n", storm.changes);
}

static const struct test tests[] = {
	TEST(memory_changes_all_the_time),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

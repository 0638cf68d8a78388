// SPDX-License-Identifier: GPL-2.0
/*
 * Many vCPUs at once: 16 started by INIT and SIPI, interrupts to them in every way there is, storms of wake-ups and of
 * spinlocks, TLB shootdown by IPI and by the flush left in memory, and vCPUs that are made, closed and killed while others
 * run. One round of each by default; --seconds N repeats the storms for so long.
 *
 * Guests wait in HLT with interrupts on, and what is to happen at a wake-up happens in the handler: a host interrupt
 * between STI and HLT makes TCG forget the shadow.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "guest.h"
#include "vm.h"

enum { MANY = 16, COUNTED = 0x60, TOKEN = 0x61, FLUSH = 0x62, END = 0x6f, STARTED = 0x9000 };

static struct vcpu *vcpus[MANY];
static pthread_t threads[MANY];
static volatile bool leave;

static uint32_t self(void)
{
	uint32_t a, b, c, d;

	cpuid(1, 0, &a, &b, &c, &d);
	return b >> 24;
}

static void *run(void *argument)
{
	struct vcpu *v = argument;

	while (!leave) {
		int r = vcpu_run(v);

		if (r && (errno == EAGAIN || errno == EINTR))
			continue;
		if (r && leave)
			break;
		if (r || v->run->exit_reason != KVIRT_EXIT_IO) {
			test_fail(__FILE__, __LINE__, "RUN gave %d, %s, exit %u", r, test_errno_name(errno),
				  v->run->exit_reason);
			break;
		}
		if (v->run->io.port == PORT_DONE)
			break;
		if (v->run->io.port == PORT_FAIL)
			test_fail("guest", vcpu_regs(v).rdi, "vCPU %d: %#llx, not %#llx", v->id, vcpu_regs(v).rsi,
				  vcpu_regs(v).rcx);
	}
	return NULL;
}

/* @n vCPUs: the first at @first, the others at @others, or waiting for INIT where that is NULL. */
static void make(struct vm *vm, int n, void (*first)(void), void (*others)(void))
{
	struct kvirt_mp_state runnable = { KVIRT_MP_STATE_RUNNABLE };

	for (int i = 0; i < n; i++) {
		if (i && !others) {
			vcpus[i] = vcpu_bare(vm, i);
			vcpu_cpuid(vcpus[i]);
			continue;
		}
		vcpus[i] = vcpu_new(vm, i, i ? others : first);
		ASSERT_OK(ioctl(vcpus[i]->fd, KVIRT_SET_MP_STATE, &runnable));
	}
	for (int i = 0; i < n; i++)
		ASSERT(!pthread_create(&threads[i], NULL, run, vcpus[i]));
}

static void join(int n)
{
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

static void undo(struct vm *vm, int n)
{
	for (int i = 0; i < n; i++)
		vcpu_free(vcpus[i]);
	vm_free(vm);
}

static bool time_is_left(time_t since)
{
	const char *seconds = test_option("--seconds");

	return seconds && time(NULL) - since < atoi(seconds);
}

/* Run it once, and again while there is time. */
static void storm(int n, void (*first)(void), void (*others)(void))
{
	time_t since = time(NULL);

	do {
		struct vm *vm = vm_new_split();

		make(vm, n, first, others);
		join(n);
		undo(vm, n);
	} while (time_is_left(since));
}

static void ipi(uint32_t destination, uint32_t command)
{
	x2apic_write(APIC_ICR, (uint64_t)destination << 32 | command);
}

static void x2apic_on(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 10);
	x2apic_write(APIC_SVR, 0x1ff);
}

/* --- INIT and SIPI --- */

asm("	.code16\n"
    ".globl smp_ap, smp_ap_end\n"
    "smp_ap:\n"
    "	xor	%ax, %ax\n"
    "	mov	%ax, %ds\n"
    "	lock incl (0x9000)\n"
    "1:	hlt\n"
    "	jmp	1b\n"
    "smp_ap_end:\n"
    "	.code64\n");
extern const char smp_ap[], smp_ap_end[];

static void wait_for(volatile uint32_t *counter, uint32_t want)
{
	for (uint64_t i = 0; i < 1ull << 28 && *counter != want; i++)
		cpu_relax();
	GUEST_EXPECT_EQ(*counter, want);
}

static void guest_starts_all(void)
{
	volatile uint32_t *started = (uint32_t *)STARTED;

	x2apic_on();
	ipi(0, 0xc4500);
	ipi(0, 0xc4600 | GUEST_REAL >> 12);
	wait_for(started, MANY - 1);
	/* And one by one; SIPI to one that runs has no effect. */
	for (uint32_t id = 1; id < MANY; id++) {
		ipi(id, 0x4600 | 0x55);
		ipi(id, 0x4500);
		ipi(id, 0x4600 | GUEST_REAL >> 12);
		wait_for(started, MANY - 1 + id);
	}
	guest_done();
}

static void on_signal(int signal)
{
}

/* Out of RUN, so that they end. */
static void interrupt_all(int from, int n)
{
	leave = true;
	for (int i = from; i < n; i++) {
		vcpus[i]->run->immediate_exit = 1;
		pthread_kill(threads[i], SIGUSR1);
	}
}

static void sixteen_are_started(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct vm *vm = vm_new_split();

	sigaction(SIGUSR1, &action, NULL);
	memcpy(vm_at(vm, GUEST_REAL), smp_ap, smp_ap_end - smp_ap);
	make(vm, MANY, guest_starts_all, NULL);
	pthread_join(threads[0], NULL);
	interrupt_all(1, MANY);
	for (int i = 1; i < MANY; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(*(uint32_t *)vm_at(vm, STARTED), 2 * (MANY - 1));
	undo(vm, MANY);
}

/* --- every way of delivery --- */

static volatile uint32_t counted[MANY], nmis, all, ready;
static volatile bool cluster;

static void on_counted(struct guest_frame *frame)
{
	counted[self()]++;
	__atomic_add_fetch(&all, 1, __ATOMIC_SEQ_CST);
	apic_write(APIC_EOI, 0);
}

static void on_nmi(struct guest_frame *frame)
{
	__atomic_add_fetch(&nmis, 1, __ATOMIC_SEQ_CST);
}

static void on_end(struct guest_frame *frame)
{
	apic_write(APIC_EOI, 0);
	guest_done();
}

static void target_on(void)
{
	uint32_t me = self();

	guest_idt_load();
	guest_handle(COUNTED, on_counted);
	guest_handle(END, on_end);
	guest_handle(2, on_nmi);
	if (apic_in_x2) {
		x2apic_on();
	} else {
		xapic_write(APIC_SVR, 0x1ff);
		xapic_write(APIC_DFR, cluster ? 0x0fffffff : 0xffffffff);
		xapic_write(APIC_LDR, (cluster ? me / 4 << 4 | 1 << me % 4 : 1 << me) << 24);
	}
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	sti();
}

static void guest_target(void)
{
	target_on();
	for (;;)
		hlt();
}

static void send(uint32_t destination, uint32_t command)
{
	if (apic_in_x2) {
		ipi(destination, command);
		return;
	}
	xapic_write(APIC_ICR2, destination << 24);
	xapic_write(APIC_ICR, command);
}

/* So many take it, and these: a bit for each. */
static void expect(uint32_t destination, uint32_t command, uint32_t takers)
{
	uint32_t before[MANY], from = all;

	for (int i = 0; i < MANY; i++)
		before[i] = counted[i];
	send(destination, command | COUNTED);
	wait_for(&all, from + __builtin_popcount(takers));
	for (int i = 0; i < MANY; i++)
		GUEST_EXPECT_EQ(counted[i] - before[i], takers >> i & 1);
}

static void guest_delivers(void)
{
	uint32_t n = apic_in_x2 || cluster ? MANY : 8, everyone = (1u << n) - 1, from;

	target_on();
	wait_for(&ready, n);
	for (uint32_t i = 0; i < n; i++)
		expect(i, 0x4000, 1 << i);
	expect(0, 0x44000, 1);				/* self */
	expect(0, 0x84000, everyone);
	expect(0, 0xc4000, everyone & ~1);
	expect(apic_in_x2 ? ~0u : 0xff, 0x4000, everyone);	/* broadcast */
	if (apic_in_x2)
		expect(0x9006, 0x4800, 1 << 1 | 1 << 2 | 1 << 12 | 1 << 15);
	else if (cluster)
		expect(0x25, 0x4800, 1 << 8 | 1 << 10);
	else
		expect(0x91, 0x4800, 1 << 0 | 1 << 4 | 1 << 7);
	/* Lowest priority: one of them each time. */
	for (int i = 0; i < 8; i++) {
		from = all;
		send(apic_in_x2 ? 0xf : 0x0f, 0x4900 | COUNTED);
		wait_for(&all, from + 1);
	}
	send(0, 0xc4400);
	wait_for(&nmis, n - 1);
	send(1, 0x4400);
	wait_for(&nmis, n);
	send(0, 0xc4000 | END);
	guest_done();
}

static void delivery(bool in_x2apic, bool in_clusters)
{
	apic_in_x2 = in_x2apic;
	cluster = in_clusters;
	storm(apic_in_x2 || cluster ? MANY : 8, guest_delivers, guest_target);
}

static void flat_delivery(void)
{
	delivery(false, false);
}

static void cluster_delivery(void)
{
	delivery(false, true);
}

static void x2apic_delivery(void)
{
	delivery(true, false);
}

/* --- storms --- */

enum { PASSES = 400, RUNNERS = 8 };

static volatile uint32_t passes;

/* One token, that whoever is woken passes on to the next. */
static void on_token(struct guest_frame *frame)
{
	x2apic_write(APIC_EOI, 0);
	if (++passes < PASSES)
		ipi((self() + 1) % RUNNERS, 0x4000 | TOKEN);
	else
		ipi(0, 0x84000 | END);
}

static void guest_passes(void)
{
	guest_handle(TOKEN, on_token);
	target_on();
	if (!self()) {
		wait_for(&ready, RUNNERS);
		ipi(1, 0x4000 | TOKEN);
	}
	for (;;)
		hlt();
}

static void wake_storm(void)
{
	apic_in_x2 = true;
	storm(RUNNERS, guest_passes, guest_passes);
}

enum { TAKES = 4000 };

static volatile uint8_t lock;
static volatile uint64_t guarded, finished;

static void guest_takes(void)
{
	sti();
	for (int i = 0; i < TAKES; i++) {
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			while (lock)
				cpu_relax();
		guarded++;
		/* The holder leaves the CPU at times, which makes the others spin. */
		if (i % 500 == 0)
			inb(PORT_TEST);
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
	if (__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST) == RUNNERS)
		GUEST_EXPECT_EQ(guarded, (uint64_t)RUNNERS * TAKES);
	guest_done();
}

static void spinlock_storm(void)
{
	storm(RUNNERS, guest_takes, guest_takes);
}

enum { REMAPPED = 0x50000000, TABLE = GUEST_SCRATCH, PAGES = GUEST_SCRATCH + 0x1000, READERS = 4, REMAPS = 150 };

static volatile struct kvirt_steal_time steal[READERS] __attribute__((aligned(64)));
static volatile uint64_t complete;
static volatile uint32_t acknowledged, left_in_memory;

static void on_flush(struct guest_frame *frame)
{
	asm volatile("invlpg (%0)" : : "r"((uint64_t)REMAPPED) : "memory");
	__atomic_add_fetch(&acknowledged, 1, __ATOMIC_SEQ_CST);
	x2apic_write(APIC_EOI, 0);
}

static void reader_on(void)
{
	guest_handle(FLUSH, on_flush);
	wrmsr(KVIRT_MSR_STEAL_TIME, (uintptr_t)&steal[self()] | KVIRT_MSR_ENABLED);
	target_on();
}

/* What is flushed everywhere is not seen any more. */
static void guest_reads(void)
{
	uint64_t least;

	reader_on();
	do {
		least = complete;
		if (*(volatile uint64_t *)REMAPPED < least)
			guest_call(PORT_FAIL, __LINE__, *(volatile uint64_t *)REMAPPED, least);
	} while (least < REMAPS);
	guest_done();
}

static void shoot_down(void)
{
	uint32_t wanted = acknowledged;

	asm volatile("invlpg (%0)" : : "r"((uint64_t)REMAPPED) : "memory");
	for (uint32_t i = 1; i < READERS; i++) {
		uint8_t old = KVIRT_VCPU_PREEMPTED;

		if (steal[i].preempted == old &&
		    __atomic_compare_exchange_n(&steal[i].preempted, &old, old | KVIRT_VCPU_FLUSH_TLB, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			left_in_memory++;
			continue;
		}
		wanted++;
		ipi(i, 0x4000 | FLUSH);
	}
	while (acknowledged != wanted)
		cpu_relax();
}

static void guest_remaps(void)
{
	reader_on();
	wait_for(&ready, READERS);
	for (uint64_t i = 1; i <= REMAPS; i++) {
		uint64_t page = PAGES + (i & 1) * 0x1000;

		*(volatile uint64_t *)page = i;
		*(volatile uint64_t *)TABLE = page | 7;
		shoot_down();
		complete = i;
	}
	guest_done();
}

static void tlb_shootdown(void)
{
	time_t since = time(NULL);

	apic_in_x2 = true;
	do {
		struct vm *vm = vm_new_split();

		((uint64_t *)vm_at(vm, GUEST_PML4 + 0x3000))[(REMAPPED >> 21) & 511] = TABLE | 7;
		*(uint64_t *)vm_at(vm, TABLE) = PAGES | 7;
		make(vm, READERS, guest_remaps, guest_reads);
		join(READERS);
		if (sysconf(_SC_NPROCESSORS_ONLN) == 1)
			EXPECT(*vm_var(vm, left_in_memory) > 0);
		undo(vm, READERS);
	} while (time_is_left(since));
}

/* --- made, closed, killed --- */

static volatile bool enough;

static void guest_broadcasts(void)
{
	target_on();
	while (!enough) {
		ipi(0, 0xc4000 | COUNTED);
		ipi(5, 0x4000 | COUNTED);
		inb(PORT_TEST);
	}
	guest_done();
}

/* While some run and send to all there are, there come more. */
static void made_while_others_run(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *late[60];

	apic_in_x2 = true;
	*vm_var(vm, apic_in_x2) = true;
	make(vm, 2, guest_broadcasts, guest_broadcasts);
	for (unsigned int i = 0; i < COUNT(late); i++) {
		late[i] = vcpu_bare(vm, 2 + i);
		EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_VCPU, 2 + i), EEXIST);
	}
	*vm_var(vm, enough) = true;
	join(2);
	for (unsigned int i = 0; i < COUNT(late); i++)
		vcpu_free(late[i]);
	undo(vm, 2);
}

static void guest_spins(void)
{
	sti();
	for (;;)
		cpu_relax();
}

/* The files go while the threads are inside: each ends by its own means. */
static void closed_while_running(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct vm *vm = vm_new_split();

	sigaction(SIGUSR1, &action, NULL);
	make(vm, MANY, guest_spins, guest_spins);
	usleep(20000);
	EXPECT_OK(close(vm->fd));
	for (int i = 0; i < MANY; i++)
		EXPECT_OK(close(vcpus[i]->fd));
	interrupt_all(0, MANY);
	join(MANY);
	munmap(vm->memory, vm->size);
}

static void run_many(void)
{
	make(vm_new_split(), MANY, guest_spins, guest_spins);
	pause();
}

static void killed_while_running(void)
{
	for (int round = 0; round < 4; round++)
		process_killed(run_many, 30000 + 15000 * round);
}

static const struct test tests[] = {
	TEST(sixteen_are_started),
	TEST(flat_delivery),
	TEST(cluster_delivery),
	TEST(x2apic_delivery),
	TEST(wake_storm),
	TEST(spinlock_storm),
	TEST(tlb_shootdown),
	TEST(made_while_others_run),
	TEST(closed_while_running),
	TEST(killed_while_running),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

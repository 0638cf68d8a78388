// SPDX-License-Identifier: GPL-2.0
/*
 * What interrupts cost between vCPUs and from timers, in ticks of the TSC, one line for each as exits.c prints them:
 *
 *     ipi_send              an IPI to a vCPU that nobody runs: the sender's part
 *     pv_ipi_send           the same by KVM_HC_SEND_IPI
 *     self_ipi_pv_eoi       an interrupt to itself, ended in memory where the host lets it
 *     timer_to_handler      from the TSC deadline to the handler, in a guest that spins
 *     timer_wakes_halted    the same in HLT
 *     ipi_wakes_halted      from the ICR of one vCPU to the handler of another in HLT, whose turn it is then
 *
 * The emulated hosts have one CPU: the last has a switch between two threads in it. While QEMU's CPU idles, its clock goes by
 * wall time, so timer_wakes_halted is measured in other hosts alone.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

enum { WARM_UP = 20, VECTOR = 0x60, END = 0x61, AHEAD = 200000 };

static volatile struct {
	uint64_t ticks, start;
	uint32_t count, done;
	bool amd;
} bench;

static volatile uint8_t eoi_word[4] __attribute__((aligned(4)));
static volatile uint64_t came;
static volatile uint32_t ready;

static void on_timer(struct guest_frame *frame)
{
	came = rdtsc();
	x2apic_write(APIC_EOI, 0);
}

static void on_pv(struct guest_frame *frame)
{
	uint8_t was;

	asm volatile("btrl $0, %0; setc %1" : "+m"(*(volatile uint32_t *)eoi_word), "=q"(was) : : "memory");
	if (!was)
		x2apic_write(APIC_EOI, 0);
}

static void apic_on(guest_handler *handler)
{
	guest_idt_load();
	guest_handle(VECTOR, handler);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 10);
	x2apic_write(APIC_SVR, 0x1ff);
}

#define MEASURE(operation)							\
	do {									\
		for (uint32_t i_ = 0; i_ < WARM_UP; i_++)			\
			operation;						\
		bench.start = rdtsc();						\
		for (uint32_t i_ = 0, n_ = bench.count; i_ < n_; i_++)		\
			operation;						\
		bench.ticks = rdtsc() - bench.start;				\
		guest_done();							\
	} while (0)

static void guest_ipi(void)
{
	apic_on(on_timer);
	MEASURE(x2apic_write(APIC_ICR, 1ull << 32 | 0x4000 | VECTOR));
}

static void guest_pv_ipi(void)
{
	apic_on(on_timer);
	if (bench.amd)
		MEASURE(GUEST_HYPERCALL("vmmcall", KVIRT_HC_SEND_IPI, 2, 0, 0, VECTOR));
	else
		MEASURE(GUEST_HYPERCALL("vmcall", KVIRT_HC_SEND_IPI, 2, 0, 0, VECTOR));
}

static void guest_pv_eoi(void)
{
	apic_on(on_pv);
	wrmsr(KVIRT_MSR_PV_EOI_EN, (uintptr_t)eoi_word | KVIRT_MSR_ENABLED);
	sti();
	MEASURE(x2apic_write(APIC_SELF_IPI, VECTOR));
}

/* Time after time; the sum of how late each was. */
static void timers(bool halted)
{
	uint64_t deadline, late = 0;

	apic_on(on_timer);
	x2apic_write(APIC_LVT_TIMER, 0x40000 | VECTOR);
	for (uint32_t i = 0, n = bench.count + WARM_UP; i < n; i++) {
		came = 0;
		deadline = rdtsc() + AHEAD;
		wrmsr(MSR_TSC_DEADLINE, deadline);
		sti();
		if (halted)
			hlt();
		while (!came)
			cpu_relax();
		cli();
		if (i >= WARM_UP)
			late += came - deadline;
	}
	bench.ticks = late;
	guest_done();
}

static void guest_timer(void)
{
	timers(false);
}

static void guest_timer_halted(void)
{
	timers(true);
}

static void on_ping(struct guest_frame *frame)
{
	uint32_t other = !x2apic_read(APIC_ID);

	x2apic_write(APIC_EOI, 0);
	if (bench.done == WARM_UP)
		bench.start = rdtsc();
	if (bench.done++ < bench.count + WARM_UP) {
		x2apic_write(APIC_ICR, (uint64_t)other << 32 | 0x4000 | VECTOR);
		return;
	}
	bench.ticks = rdtsc() - bench.start;
	x2apic_write(APIC_ICR, (uint64_t)other << 32 | 0x4000 | END);
	guest_done();
}

static void on_end(struct guest_frame *frame)
{
	guest_done();
}

static void guest_ping(void)
{
	apic_on(on_ping);
	guest_handle(END, on_end);
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	while (!x2apic_read(APIC_ID) && ready < 2)
		cpu_relax();
	sti();
	if (!x2apic_read(APIC_ID))
		x2apic_write(APIC_ICR, 1ull << 32 | 0x4000 | VECTOR);
	for (;;)
		hlt();
}

static void *finish(void *vcpu)
{
	vcpu_finish(vcpu);
	return NULL;
}

static const struct {
	const char *name;
	void (*guest)(void);
	bool both;		/* the second vCPU runs too */
	bool idles;		/* the host does, while it waits */
} rows[] = {
	{ "ipi_send", guest_ipi },
	{ "pv_ipi_send", guest_pv_ipi },
	{ "self_ipi_pv_eoi", guest_pv_eoi },
	{ "timer_to_handler", guest_timer },
	{ "timer_wakes_halted", guest_timer_halted, .idles = true },
	{ "ipi_wakes_halted", guest_ping, true },
};

static void measure(size_t i, uint32_t n)
{
	struct kvirt_mp_state runnable = { KVIRT_MP_STATE_RUNNABLE };
	struct kvirt_lapic_state state;
	struct vm *vm = vm_new_split();
	struct vcpu *first = vcpu_new(vm, 0, rows[i].guest), *second = vcpu_new(vm, 1, rows[i].guest);
	pthread_t thread;

	vm_var(vm, bench)->count = n;
	ASSERT_OK(ioctl(second->fd, KVIRT_GET_LAPIC, &state));
	*(uint32_t *)&state.regs[APIC_SVR] = 0x1ff;
	ASSERT_OK(ioctl(second->fd, KVIRT_SET_LAPIC, &state));
	if (rows[i].both) {
		ASSERT_OK(ioctl(second->fd, KVIRT_SET_MP_STATE, &runnable));
		ASSERT(!pthread_create(&thread, NULL, finish, second));
	}
	vcpu_finish(first);
	if (rows[i].both)
		pthread_join(thread, NULL);
	printf("bench: %s %llu\n", rows[i].name, (unsigned long long)vm_var(vm, bench)->ticks / n);
	vcpu_free(first);
	vcpu_free(second);
	vm_free(vm);
}

static void interrupts(void)
{
	const char *count = test_option("--count"), *only = test_option("--only");
	uint32_t n = count ? strtoul(count, NULL, 0) : 300;

	bench.amd = cpu_is_amd();
	for (size_t i = 0; i < COUNT(rows); i++)
		if ((!only || !strcmp(only, rows[i].name)) && !(rows[i].idles && cpu_is_tcg()))
			measure(i, n);
}

static const struct test tests[] = { TEST(interrupts) };

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

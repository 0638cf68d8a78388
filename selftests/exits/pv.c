// SPDX-License-Identifier: GPL-2.0
/*
 * Services of the host to the guest: steal time with its marks, TLB flushes left in memory, EOIs without an exit, IPIs and
 * yields by hypercall, the paired clocks, poll control, and who may use them (ENFORCE_PV_FEATURE_CPUID).
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "guest.h"
#include "vm.h"

enum { GP = 13, VECTOR = 0x60, LOW_VECTOR = 0x50 };

#define OFFERED	(1u << KVIRT_FEATURE_CLOCKSOURCE | 1u << KVIRT_FEATURE_NOP_IO_DELAY | 1u << KVIRT_FEATURE_CLOCKSOURCE2 |	\
		 1u << KVIRT_FEATURE_STEAL_TIME | 1u << KVIRT_FEATURE_PV_EOI | 1u << KVIRT_FEATURE_PV_UNHALT |			\
		 1u << KVIRT_FEATURE_PV_TLB_FLUSH | 1u << KVIRT_FEATURE_PV_SEND_IPI | 1u << KVIRT_FEATURE_POLL_CONTROL |		\
		 1u << KVIRT_FEATURE_PV_SCHED_YIELD | 1u << KVIRT_FEATURE_CLOCKSOURCE_STABLE_BIT)

static volatile bool amd, must_offer;

#define HYPERCALL(nr, a, b, c, d)						\
	(amd ? GUEST_HYPERCALL("vmmcall", nr, a, b, c, d) : GUEST_HYPERCALL("vmcall", nr, a, b, c, d))
#define TRY_WRMSR(index, value)										\
	GUEST_TRY("wrmsr", "c"(index), "a"((uint32_t)(value)), "d"((uint32_t)((uint64_t)(value) >> 32)) : "memory")
#define TRY_RDMSR(index)	GUEST_TRY("rdmsr", "c"(index) : "rax", "rdx", "memory")

static void features_are_offered(void)
{
	struct kvirt_cpuid2 *table = dev_cpuid();
	struct kvirt_cpuid_entry2 *e = cpuid_find(table, KVIRT_CPUID_FEATURES, 0);

	ASSERT(e);
	EXPECT_EQ(e->eax & OFFERED, OFFERED);
	EXPECT_EQ(e->edx, 0);
	EXPECT_EQ(dev_cap(KVIRT_CAP_STEAL_TIME), 1);
	EXPECT_EQ(dev_cap(KVIRT_CAP_ENFORCE_PV_FEATURE_CPUID), 1);
	EXPECT_EQ(dev_cap(KVIRT_CAP_HALT_POLL), 1);
	EXPECT_EQ(dev_cap(KVIRT_CAP_ENABLE_CAP), 1);
	free(table);
}

/* The other threads: each runs a vCPU until its guest is done, or until this is said. */
static volatile bool leave;

static void *run_other(void *vcpu)
{
	struct vcpu *v = vcpu;

	while (!leave) {
		int r = vcpu_run(v);

		if (r && (errno == EAGAIN || errno == EINTR))
			continue;
		if (r || v->run->exit_reason != KVIRT_EXIT_IO) {
			test_fail(__FILE__, __LINE__, "RUN gave %d, exit %u", r, v->run->exit_reason);
			return NULL;
		}
		if (v->run->io.port == PORT_DONE)
			return NULL;
		if (v->run->io.port == PORT_FAIL)
			test_fail("guest", vcpu_regs(v).rdi, "%#llx, not %#llx", vcpu_regs(v).rsi, vcpu_regs(v).rcx);
	}
	return NULL;
}

/* --- steal time --- */

static volatile struct kvirt_steal_time steal[2] __attribute__((aligned(64)));
static volatile uint64_t turns[2];
static volatile bool stop;

static void guest_steal(void)
{
	uint64_t address = (uintptr_t)&steal[0];

	guest_idt_load();
	GUEST_EXPECT_EQ(rdmsr(KVIRT_MSR_STEAL_TIME), 0);
	steal[0].version = 7;
	steal[0].preempted = KVIRT_VCPU_PREEMPTED;
	for (uint64_t bit = 2; bit < 64; bit <<= 1)
		GUEST_EXPECT_EQ(TRY_WRMSR(KVIRT_MSR_STEAL_TIME, address | 1 | bit), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(KVIRT_MSR_STEAL_TIME, address | 1), NO_FAULT);
	GUEST_EXPECT_EQ(rdmsr(KVIRT_MSR_STEAL_TIME), address | 1);
	/* An odd version that was there already is made even first; each time that the host took the CPU away since added two. */
	GUEST_EXPECT(steal[0].version >= 10 && steal[0].version % 2 == 0);
	GUEST_EXPECT_EQ(steal[0].preempted, 0);
	GUEST_EXPECT_EQ(steal[0].flags, 0);
	guest_stage(1);
	/* As it is in a VM that went on from a copy of the memory. */
	GUEST_EXPECT_EQ(steal[0].preempted, 0);
	wrmsr(KVIRT_MSR_STEAL_TIME, address);
	GUEST_EXPECT_EQ(rdmsr(KVIRT_MSR_STEAL_TIME), address);
	/* Nothing there: no time, and no harm. */
	wrmsr(KVIRT_MSR_STEAL_TIME, GUEST_HOLE | 1);
	guest_done();
}

static void steal_time_is_set_up(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new_split(), 0, guest_steal), *copy;
	struct vm *vm = vm_new_split();
	struct kvirt_sregs sregs;
	struct kvirt_regs regs;
	uint64_t msr;

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(vcpu_get_msr(vcpu, KVIRT_MSR_STEAL_TIME, &msr), 1);
	EXPECT_EQ(msr, (uintptr_t)&steal[0] | 1);
	copy = vcpu_new(vm, 0, guest_steal);
	/* The step over the stage's OUT is the old VM's to make. */
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	regs = vcpu_regs(vcpu);
	sregs = vcpu_sregs(vcpu);
	memcpy(vm->memory, vcpu->vm->memory, vm->size);
	(*vm_var(vm, steal))[0].preempted = KVIRT_VCPU_PREEMPTED;
	vcpu_set_regs(copy, &regs);
	vcpu_set_sregs(copy, &sregs);
	EXPECT_EQ(vcpu_set_msr(copy, KVIRT_MSR_STEAL_TIME, msr), 1);
	EXPECT_EQ(vcpu_set_msr(copy, KVIRT_MSR_STEAL_TIME, msr | 2), 0);
	vcpu_finish(copy);
	vcpu->run->immediate_exit = 0;
	vcpu_finish(vcpu);
}

/* A page that the one reads and the other maps elsewhere: 4 KiB at REMAPPED, by a table in the scratch area. */
enum { REMAPPED = 0x50000000, TABLE = GUEST_SCRATCH, PAGE_A = GUEST_SCRATCH + 0x1000, PAGE_B = GUEST_SCRATCH + 0x2000 };

static volatile uint64_t seen;

static uint32_t self(void)
{
	uint32_t a, b, c, d;

	cpuid(1, 0, &a, &b, &c, &d);
	return b >> 24;
}

static void guest_spin(void)
{
	uint32_t me = self();

	wrmsr(KVIRT_MSR_STEAL_TIME, (uintptr_t)&steal[me] | 1);
	sti();
	while (!stop) {
		turns[me]++;
		seen = *(volatile uint64_t *)REMAPPED;
	}
	cli();
	guest_done();
}

/* Who flushes: as Linux does it. True: the other does not run, and will do it before it does. */
static bool leave_flush(uint32_t other)
{
	volatile uint8_t *state = &steal[other].preempted;
	uint8_t old = KVIRT_VCPU_PREEMPTED;

	return *state & KVIRT_VCPU_PREEMPTED &&
	       __atomic_compare_exchange_n(state, &old, KVIRT_VCPU_PREEMPTED | KVIRT_VCPU_FLUSH_TLB, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void guest_flush(void)
{
	volatile uint64_t *pte = (uint64_t *)TABLE;
	uint64_t page = PAGE_A, before;

	guest_idt_load();
	wrmsr(KVIRT_MSR_STEAL_TIME, (uintptr_t)&steal[0] | 1);
	*(uint64_t *)PAGE_A = PAGE_A;
	*(uint64_t *)PAGE_B = PAGE_B;
	sti();
	for (int round = 0; round < 8; round++) {
		before = turns[1];
		while (turns[1] == before)
			turns[0]++;
		/* It was not here, so it does not run now, and knows the page by its translation. */
		while (!(steal[1].preempted & KVIRT_VCPU_PREEMPTED))
			turns[0]++;
		page ^= PAGE_A ^ PAGE_B;
		*pte = page | 7;
		if (!leave_flush(1)) {
			/* Two CPUs: it runs again. No IPI here, so no round. */
			page ^= PAGE_A ^ PAGE_B;
			*pte = page | 7;
			round--;
			continue;
		}
		before = turns[1];
		while (turns[1] < before + 2)
			turns[0]++;
		GUEST_EXPECT_EQ(seen, page);
	}
	/* It ran, and waited while this one did. */
	GUEST_EXPECT(steal[1].steal > 0);
	GUEST_EXPECT_EQ(steal[0].preempted, 0);
	GUEST_EXPECT_EQ(steal[1].version & 1, 0);
	stop = true;
	guest_done();
}

static void flushes_are_left_in_memory(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *first = vcpu_new(vm, 0, guest_flush), *second = vcpu_new(vm, 1, guest_spin);
	struct kvirt_mp_state m = { KVIRT_MP_STATE_RUNNABLE };
	pthread_t thread;

	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		test_skip("more than one CPU: a vCPU that is not preempted is not seen preempted");
	/* The second GiB's directory: REMAPPED lies there. */
	((uint64_t *)vm_at(vm, GUEST_PML4 + 0x3000))[(REMAPPED >> 21) & 511] = TABLE | 7;
	*(uint64_t *)vm_at(vm, TABLE) = PAGE_A | 7;
	ASSERT_OK(ioctl(second->fd, KVIRT_SET_MP_STATE, &m));
	ASSERT(!pthread_create(&thread, NULL, run_other, second));
	vcpu_finish(first);
	pthread_join(thread, NULL);
}

/* --- EOI --- */

static volatile uint8_t eoi_word[4] __attribute__((aligned(4)));
static volatile uint32_t taken, offered;
static volatile bool report, send_another;

static void end_interrupt(void)
{
	uint8_t was;

	asm volatile("btrl $0, %0; setc %1" : "+m"(*(volatile uint32_t *)eoi_word), "=q"(was) : : "memory");
	if (was)
		offered++;
	else
		x2apic_write(APIC_EOI, 0);
}

static void on_vector(struct guest_frame *frame)
{
	taken++;
	if (send_another) {
		/* One that waits for this one's end: the bit may not be there any more. */
		send_another = false;
		x2apic_write(APIC_SELF_IPI, LOW_VECTOR);
		GUEST_EXPECT_EQ(eoi_word[0] & 1, 0);
	}
	if (report)
		guest_stage(2);
	end_interrupt();
}

static void guest_eoi(void)
{
	uint64_t address = (uintptr_t)eoi_word;

	guest_idt_load();
	guest_handle(VECTOR, on_vector);
	guest_handle(LOW_VECTOR, on_vector);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 10);
	x2apic_write(APIC_SVR, 0x1ff);
	GUEST_EXPECT_EQ(rdmsr(KVIRT_MSR_PV_EOI_EN), 0);
	GUEST_EXPECT_EQ(TRY_WRMSR(KVIRT_MSR_PV_EOI_EN, address | 3), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(KVIRT_MSR_PV_EOI_EN, GUEST_HOLE | 1), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(KVIRT_MSR_PV_EOI_EN, GUEST_HOLE), NO_FAULT);
	wrmsr(KVIRT_MSR_PV_EOI_EN, address | 1);
	GUEST_EXPECT_EQ(rdmsr(KVIRT_MSR_PV_EOI_EN), address | 1);
	sti();
	for (uint32_t i = 1; i <= 20; i++) {
		x2apic_write(APIC_SELF_IPI, VECTOR);
		GUEST_EXPECT_EQ(taken, i);
		/* Ended, however it was: nothing is in service. */
		GUEST_EXPECT_EQ(x2apic_read(APIC_ISR + VECTOR / 32 * 16), 0);
	}
	if (must_offer)
		GUEST_EXPECT(offered > 0);
	send_another = true;
	x2apic_write(APIC_SELF_IPI, VECTOR);
	GUEST_EXPECT_EQ(taken, 22);
	GUEST_EXPECT_EQ(x2apic_read(APIC_ISR + LOW_VECTOR / 32 * 16), 0);
	report = true;
	x2apic_write(APIC_SELF_IPI, VECTOR);
	report = false;
	GUEST_EXPECT_EQ(x2apic_read(APIC_ISR + VECTOR / 32 * 16), 0);
	wrmsr(KVIRT_MSR_PV_EOI_EN, 0);
	x2apic_write(APIC_SELF_IPI, VECTOR);
	GUEST_EXPECT_EQ(eoi_word[0], 0);
	GUEST_EXPECT_EQ(taken, 24);
	guest_done();
}

static void eoi_without_exit(void)
{
	struct kvirt_lapic_state state;
	struct vcpu *vcpu;

	/* KVM offers none where the CPU itself virtualizes EOIs. */
	must_offer = cpu_is_amd() || strstr(test_dev, "kvirt");
	vcpu = vcpu_new(vm_new_split(), 0, guest_eoi);
	vcpu_expect_stage(vcpu, 2);
	/* Whoever looks from outside finds the interrupt in service, and nothing offered. */
	EXPECT_EQ((*vm_var(vcpu->vm, eoi_word))[0], 0);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &state));
	EXPECT_EQ(*(uint32_t *)&state.regs[APIC_ISR + VECTOR / 32 * 16], 1u << VECTOR % 32);
	vcpu_finish(vcpu);
}

/* --- hypercalls --- */

enum { FAR_ID = 70 };

static void guest_calls(void)
{
	uint64_t two = 1 << 1 | 1 << 5;

	guest_idt_load();
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SEND_IPI, two, 0, 0, VECTOR), 2);
	guest_stage(1);
	/* Those with an id only; the APIC of 6 is off. The second word goes on after the first's 64. */
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SEND_IPI, 1 << 2 | 1 << 1 | 1 << 6, 1 << (FAR_ID - 64), 0, LOW_VECTOR), 2);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SEND_IPI, 1, 0, FAR_ID, VECTOR), 1);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SEND_IPI, ~0ull, ~0ull, 0x1000, VECTOR), 0);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SEND_IPI, ~0ull, 0, 0xfffffff0, VECTOR), 0);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SEND_IPI, two, 0, 0, 0x800 | VECTOR), -KVIRT_HC_EINVAL);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SEND_IPI, two, 0, 0, 0xc0000 | VECTOR), -KVIRT_HC_EINVAL);
	/* More than a window takes: all there are but the one that is off. */
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SEND_IPI, ~0ull - 1, ~0ull, 0, VECTOR), 3);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SEND_IPI, 1 << 5, 0, 0, 0x400), 1);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SCHED_YIELD, 0, 0, 0, 0), 0);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SCHED_YIELD, 1, 0, 0, 0), 0);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SCHED_YIELD, 0x12345, 0, 0, 0), 0);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_KICK_CPU, 0, 1, 0, 0), 0);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_KICK_CPU, 0, 0x12345, 0, 0), 0);
	guest_done();
}

static uint32_t lapic_register(struct vcpu *vcpu, uint32_t reg)
{
	struct kvirt_lapic_state state;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &state));
	return *(uint32_t *)&state.regs[reg];
}

static void lapic_switch_on(struct vcpu *vcpu)
{
	struct kvirt_lapic_state state;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &state));
	*(uint32_t *)&state.regs[APIC_SVR] = 0x1ff;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &state));
}

static void ipis_by_hypercall(void)
{
	static const int ids[] = { 1, 5, FAR_ID, 6 };
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_calls), *other[4];
	struct kvirt_vcpu_events events;

	for (int i = 0; i < 4; i++) {
		other[i] = vcpu_bare(vm, ids[i]);
		vcpu_cpuid(other[i]);
		if (i < 3)
			lapic_switch_on(other[i]);
	}
	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(lapic_register(other[0], APIC_IRR + VECTOR / 32 * 16), 1u << VECTOR % 32);
	EXPECT_EQ(lapic_register(other[1], APIC_IRR + VECTOR / 32 * 16), 1u << VECTOR % 32);
	EXPECT_EQ(lapic_register(other[2], APIC_IRR + VECTOR / 32 * 16), 0);
	EXPECT_EQ(lapic_register(other[3], APIC_IRR + VECTOR / 32 * 16), 0);
	vcpu_finish(vcpu);
	EXPECT_EQ(lapic_register(other[2], APIC_IRR + LOW_VECTOR / 32 * 16), 1u << LOW_VECTOR % 32);
	EXPECT_EQ(lapic_register(other[2], APIC_IRR + VECTOR / 32 * 16), 1u << VECTOR % 32);
	EXPECT_EQ(lapic_register(other[3], APIC_IRR + VECTOR / 32 * 16), 0);
	ASSERT_OK(ioctl(other[1]->fd, KVIRT_GET_VCPU_EVENTS, &events));
	EXPECT_EQ(events.nmi.pending, 1);
	ASSERT_OK(ioctl(other[0]->fd, KVIRT_GET_VCPU_EVENTS, &events));
	EXPECT_EQ(events.nmi.pending, 0);
}

/* In 32-bit code each of the two words has 32 ids. EBX, ECX, EDX, ESI from memory; the answer to a port. */
asm("	.code32\n"
    ".globl ipi32\n"
    "ipi32:\n"
    "	mov	$10, %eax\n"		/* KVIRT_HC_SEND_IPI */
    "	mov	$2, %ebx\n"
    "	mov	$1 << 3, %ecx\n"	/* 32 + 3 */
    "	xor	%edx, %edx\n"
    "	mov	$0x60, %esi\n"
    "	cmpb	$0, 0x600\n"
    "	je	1f\n"
    "	vmmcall\n"
    "	jmp	2f\n"
    "1:	vmcall\n"
    "2:	mov	$0x520, %dx\n"
    "	out	%eax, %dx\n"
    "	hlt\n"
    "	.code64\n");
extern const char ipi32[];

static void ipis_in_32_bits(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_bare(vm, 0), *near = vcpu_bare(vm, 1), *far = vcpu_bare(vm, 35);

	*(uint8_t *)vm_at(vm, 0x600) = cpu_is_amd();
	vcpu_cpuid(vcpu);
	lapic_switch_on(near);
	lapic_switch_on(far);
	vcpu_protected_mode(vcpu, (uintptr_t)ipi32);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(*(uint32_t *)vcpu_io_data(vcpu), 2);
	EXPECT_EQ(lapic_register(near, APIC_IRR + VECTOR / 32 * 16), 1u << VECTOR % 32);
	EXPECT_EQ(lapic_register(far, APIC_IRR + VECTOR / 32 * 16), 1u << VECTOR % 32);
}

static struct kvirt_clock_pairing pairing;
static volatile long paired;

static void guest_clocks(void)
{
	uint64_t before = rdtsc();

	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_CLOCK_PAIRING, &pairing, 1, 0, 0), -KVIRT_HC_EOPNOTSUPP);
	paired = HYPERCALL(KVIRT_HC_CLOCK_PAIRING, &pairing, KVIRT_CLOCK_PAIRING_WALLCLOCK, 0, 0);
	if (!paired) {
		GUEST_EXPECT(before < pairing.tsc);
		GUEST_EXPECT(pairing.tsc < rdtsc());
		GUEST_EXPECT_EQ(pairing.flags, 0);
		GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_CLOCK_PAIRING, GUEST_HOLE, 0, 0, 0), -KVIRT_HC_EFAULT);
	}
	guest_done();
}

/* KVM can where the host's clock is the TSC. */
static void clocks_are_paired(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_clocks);
	const struct kvirt_clock_pairing *p = vm_var(vcpu->vm, pairing);
	struct timespec before, after;

	clock_gettime(CLOCK_REALTIME, &before);
	vcpu_finish(vcpu);
	clock_gettime(CLOCK_REALTIME, &after);
	if (*vm_var(vcpu->vm, paired)) {
		EXPECT_EQ(*vm_var(vcpu->vm, paired), -KVIRT_HC_EOPNOTSUPP);
		EXPECT(!strstr(test_dev, "kvirt"));
		return;
	}
	EXPECT(p->nsec >= 0 && p->nsec < 1000000000);
	EXPECT(p->sec * 1000000000 + p->nsec >= before.tv_sec * 1000000000 + before.tv_nsec);
	EXPECT(p->sec * 1000000000 + p->nsec <= after.tv_sec * 1000000000 + after.tv_nsec);
}

/* --- who may --- */

static const uint32_t pv_msrs[] = {
	KVIRT_MSR_WALL_CLOCK, KVIRT_MSR_SYSTEM_TIME, KVIRT_MSR_WALL_CLOCK_NEW, KVIRT_MSR_SYSTEM_TIME_NEW, KVIRT_MSR_ASYNC_PF_EN,
	KVIRT_MSR_STEAL_TIME, KVIRT_MSR_PV_EOI_EN, KVIRT_MSR_POLL_CONTROL, KVIRT_MSR_ASYNC_PF_INT, KVIRT_MSR_ASYNC_PF_ACK,
};

static volatile bool enforced;

static void guest_untold(void)
{
	uint64_t want = enforced ? GP : NO_FAULT;
	long answer = enforced ? -KVIRT_HC_ENOSYS : 0;

	guest_idt_load();
	for (unsigned int i = 0; i < COUNT(pv_msrs); i++) {
		GUEST_EXPECT_EQ(TRY_RDMSR(pv_msrs[i]), want);
		GUEST_EXPECT_EQ(TRY_WRMSR(pv_msrs[i], 0), want);
	}
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SEND_IPI, 0, 0, 0, VECTOR), answer);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_SCHED_YIELD, 0, 0, 0, 0), answer);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_KICK_CPU, 0, 0, 0, 0), answer);
	GUEST_EXPECT_EQ(HYPERCALL(KVIRT_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0), 0);
	guest_done();
}

static void cpuid_decides_when_asked(void)
{
	for (int i = 0; i < 4; i++) {
		struct kvirt_enable_cap cap = { .cap = KVIRT_CAP_ENFORCE_PV_FEATURE_CPUID, .args = { i & 1 } };
		struct vm *vm = vm_new_split();
		struct vcpu *vcpu = vcpu_bare(vm, 0);
		struct kvirt_cpuid2 *table = dev_cpuid();
		uint64_t value;

		*vm_var(vm, enforced) = i & 1;
		cpuid_find(table, KVIRT_CPUID_FEATURES, 0)->eax = 0;
		/* Before the table, and after it. */
		if (i & 2)
			EXPECT_OK(ioctl(vcpu->fd, KVIRT_ENABLE_CAP, &cap));
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table));
		if (!(i & 2))
			EXPECT_OK(ioctl(vcpu->fd, KVIRT_ENABLE_CAP, &cap));
		cap.flags = 1;
		EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_ENABLE_CAP, &cap), EINVAL);
		vcpu_long_mode(vcpu, (uintptr_t)guest_untold);
		vcpu_finish(vcpu);
		/* Under KVM user space is bound too. */
		if (!(i & 1))
			EXPECT_EQ(vcpu_get_msr(vcpu, KVIRT_MSR_STEAL_TIME, &value), 1);
		free(table);
	}
}

static void guest_poll(void)
{
	guest_idt_load();
	GUEST_EXPECT_EQ(rdmsr(KVIRT_MSR_POLL_CONTROL), 1);
	GUEST_EXPECT_EQ(TRY_WRMSR(KVIRT_MSR_POLL_CONTROL, 2), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(KVIRT_MSR_POLL_CONTROL, 1ull << 32), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(KVIRT_MSR_POLL_CONTROL, 0), NO_FAULT);
	GUEST_EXPECT_EQ(rdmsr(KVIRT_MSR_POLL_CONTROL), 0);
	guest_done();
}

static void poll_control(void)
{
	vcpu_finish(vcpu_new(vm_new_split(), 0, guest_poll));
}

static void on_timer(struct guest_frame *frame)
{
	taken++;
	/* TCG forgets STI's shadow when a host interrupt meets it: a wake-up that was lost by that has a second one. */
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 4000000);
	x2apic_write(APIC_EOI, 0);
}

/* Short sleeps and longer ones, which end the polling, and start it. */
static void guest_naps(void)
{
	guest_idt_load();
	guest_handle(VECTOR, on_timer);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 10);
	x2apic_write(APIC_SVR, 0x1ff);
	x2apic_write(APIC_LVT_TIMER, 0x40000 | VECTOR);
	for (uint32_t i = 1; i <= 60; i++) {
		uint32_t before = taken;

		wrmsr(MSR_TSC_DEADLINE, rdtsc() + (i % 8 ? 20000 : 2000000));
		while (taken == before)
			sti_hlt_cli();
	}
	guest_done();
}

static void halts_that_poll(void)
{
	static const uint64_t limits[] = { 0, 1, 50000, 0xffffffff };
	struct vm *vm;

	vcpu_finish(vcpu_new(vm_new_split(), 0, guest_naps));
	for (unsigned int i = 0; i < COUNT(limits); i++) {
		vm = vm_new_split();
		EXPECT_OK(vm_enable(vm, KVIRT_CAP_HALT_POLL, limits[i]));
		vcpu_finish(vcpu_new(vm, 0, guest_naps));
	}
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_HALT_POLL, 1ull << 32), EINVAL);
}

/* --- INIT --- */

static void guest_inits(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 10);
	x2apic_write(APIC_SVR, 0x1ff);
	x2apic_write(APIC_ICR, 1ull << 32 | 0x4500);
	guest_done();
}

static void init_ends_them(void)
{
	static const uint32_t cleared[] = { KVIRT_MSR_SYSTEM_TIME_NEW, KVIRT_MSR_STEAL_TIME, KVIRT_MSR_PV_EOI_EN };
	struct vm *vm = vm_new_split();
	struct vcpu *first = vcpu_new(vm, 0, guest_inits), *second = vcpu_bare(vm, 1);
	struct kvirt_mp_state m;
	uint64_t v;

	vcpu_cpuid(second);
	for (unsigned int i = 0; i < COUNT(cleared); i++)
		ASSERT_EQ(vcpu_set_msr(second, cleared[i], GUEST_SCRATCH | 1), 1);
	vcpu_finish(first);
	ASSERT_OK(ioctl(second->fd, KVIRT_GET_MP_STATE, &m));
	EXPECT_EQ(m.mp_state, KVIRT_MP_STATE_INIT_RECEIVED);
	for (unsigned int i = 0; i < COUNT(cleared); i++) {
		EXPECT_EQ(vcpu_get_msr(second, cleared[i], &v), 1);
		if (!EXPECT_EQ(v, 0))
			test_note("register %#x", cleared[i]);
	}
}

static const struct test tests[] = {
	TEST(features_are_offered),
	TEST(steal_time_is_set_up),
	TEST(flushes_are_left_in_memory),
	TEST(eoi_without_exit),
	TEST(ipis_by_hypercall),
	TEST(ipis_in_32_bits),
	TEST(clocks_are_paired),
	TEST(cpuid_decides_when_asked),
	TEST(poll_control),
	TEST(halts_that_poll),
	TEST(init_ends_them),
};

int main(int argc, char **argv)
{
	amd = cpu_is_amd();
	return test_main(argc, argv, tests, COUNT(tests));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC in the kernel, as a guest and its VMM see it: both modes' registers, priorities, the timer in its three
 * modes, INIT and SIPI, and the saved state. What only the manual says, and KVM does otherwise, is unit/chip_lapic.c's.
 */
#include <pthread.h>
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

#define VECTOR		0x61
#define LOW_VECTOR	0x45
#define CPUID_TSC_DEADLINE	(1u << 24)

static volatile uint32_t taken, taken_low, in_service;

static void handle(struct guest_frame *frame)
{
	in_service = apic_read(APIC_ISR + frame->vector / 32 * 16);
	if (frame->vector == VECTOR)
		taken++;
	else
		taken_low++;
	apic_write(APIC_EOI, 0);
}

static void guest_begin(void)
{
	guest_idt_load();
	guest_handle(VECTOR, handle);
	guest_handle(LOW_VECTOR, handle);
	xapic_write(APIC_SVR, 0x1ff);
}

static void self_ipi(uint8_t vector)
{
	if (apic_in_x2) {
		x2apic_write(APIC_SELF_IPI, vector);
		return;
	}
	xapic_write(APIC_ICR2, 0);
	xapic_write(APIC_ICR, 0x44000 | vector);
}

static void guest_priorities(void)
{
	self_ipi(VECTOR);
	GUEST_EXPECT_EQ(apic_read(APIC_IRR + VECTOR / 32 * 16), 1u << VECTOR % 32);
	GUEST_EXPECT_EQ(taken, 0);
	sti();
	GUEST_EXPECT_EQ(taken, 1);
	GUEST_EXPECT_EQ(in_service, 1u << VECTOR % 32);
	GUEST_EXPECT_EQ(apic_read(APIC_IRR + VECTOR / 32 * 16), 0);
	GUEST_EXPECT_EQ(apic_read(APIC_ISR + VECTOR / 32 * 16), 0);
	/* A class that TPR holds back waits, by the register and by CR8. */
	apic_write(APIC_TPR, 0x40);
	GUEST_EXPECT_EQ(apic_read(APIC_PPR), 0x40);
	GUEST_EXPECT_EQ(READ_REGISTER(cr8), 4);
	self_ipi(LOW_VECTOR);
	self_ipi(VECTOR);
	GUEST_EXPECT_EQ(taken, 2);
	GUEST_EXPECT_EQ(taken_low, 0);
	WRITE_REGISTER(cr8, 3);
	GUEST_EXPECT_EQ(taken_low, 1);
	GUEST_EXPECT_EQ(apic_read(APIC_TPR), 0x30);
	apic_write(APIC_TPR, 0);
	cli();
}

static void guest_xapic(void)
{
	guest_begin();
	GUEST_EXPECT_EQ(rdmsr(MSR_APIC_BASE), APIC_MMIO + 0x900);
	GUEST_EXPECT_EQ(xapic_read(APIC_ID), 0);
	GUEST_EXPECT_EQ(xapic_read(APIC_VERSION) & 0xffffff, 0x50014);
	GUEST_EXPECT_EQ(xapic_read(APIC_SVR), 0x1ff);
	GUEST_EXPECT_EQ(xapic_read(APIC_DFR), 0xffffffff);
	GUEST_EXPECT_EQ(xapic_read(APIC_LVT_TIMER), 0x10000);
	GUEST_EXPECT_EQ(xapic_read(APIC_LVT_LINT0), 0x700);
	xapic_write(APIC_LDR, 0x02ffffff);
	GUEST_EXPECT_EQ(xapic_read(APIC_LDR), 0x02000000);
	xapic_write(APIC_ID, 0x07000000);
	GUEST_EXPECT_EQ(xapic_read(APIC_ID), 0x07000000);
	xapic_write(APIC_ID, 0);
	GUEST_EXPECT_EQ(*(volatile uint8_t *)(APIC_MMIO + APIC_SVR + 1), 1);
	GUEST_EXPECT_EQ(*(volatile uint16_t *)(APIC_MMIO + APIC_SVR), 0x1ff);
	*(volatile uint8_t *)(APIC_MMIO + APIC_TPR) = 0x40;	/* not 32 bits wide: nothing */
	GUEST_EXPECT_EQ(xapic_read(APIC_TPR), 0);
	guest_priorities();
	/* Software-disabled: entries are masked and stay so, nothing is accepted. */
	xapic_write(APIC_LVT_TIMER, 0x20000 | VECTOR);
	xapic_write(APIC_SVR, 0xff);
	GUEST_EXPECT_EQ(xapic_read(APIC_LVT_TIMER), 0x30000 | VECTOR);
	xapic_write(APIC_LVT_TIMER, VECTOR);
	GUEST_EXPECT_EQ(xapic_read(APIC_LVT_TIMER), 0x10000 | VECTOR);
	self_ipi(VECTOR);
	GUEST_EXPECT_EQ(xapic_read(APIC_IRR + VECTOR / 32 * 16), 0);
	/* Off in APIC_BASE, the page is a hole that reads as ones. */
	wrmsr(MSR_APIC_BASE, APIC_MMIO + 0x100);
	GUEST_EXPECT_EQ(xapic_read(APIC_ID), 0xffffffff);
	xapic_write(APIC_TPR, 0x10);
	wrmsr(MSR_APIC_BASE, APIC_MMIO + 0x900);
	GUEST_EXPECT_EQ(xapic_read(APIC_TPR), 0);
	guest_done();
}

static void xapic(void)
{
	vcpu_finish(vcpu_new(vm_new_split(), 0, guest_xapic));
}

static uint64_t try_wrmsr(uint32_t index, uint64_t v)
{
	return GUEST_TRY("wrmsr", "c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static uint64_t try_rdmsr(uint32_t index)
{
	return GUEST_TRY("rdmsr", "c"(index) : "rax", "rdx", "memory");
}

static void guest_x2apic(void)
{
	static const uint16_t no_read[] = { 0x80b, 0x80e, 0x831, 0x83f, 0x840, 0x8ff };
	static const uint16_t no_write[] = { 0x802, 0x803, 0x80a, 0x80d, 0x80e, 0x810, 0x831, 0x839 };

	guest_begin();
	GUEST_EXPECT_EQ(try_rdmsr(0x802), 13);			/* not in that mode yet */
	GUEST_EXPECT_EQ(try_wrmsr(MSR_APIC_BASE, APIC_MMIO + 0x400), 13);
	GUEST_EXPECT_EQ(try_wrmsr(MSR_APIC_BASE, APIC_MMIO + 0x801), 13);
	wrmsr(MSR_APIC_BASE, APIC_MMIO + 0xc00);
	apic_in_x2 = true;
	GUEST_EXPECT_EQ(x2apic_read(APIC_ID), 0x15);
	GUEST_EXPECT_EQ(x2apic_read(APIC_LDR), 0x10020);
	GUEST_EXPECT_EQ(x2apic_read(APIC_SVR), 0x1ff);
	GUEST_EXPECT_EQ(x2apic_read(APIC_VERSION) & 0xffffff, 0x50014);
	GUEST_EXPECT_EQ(xapic_read(APIC_ID), 0xffffffff);	/* the page is gone */
	for (unsigned int i = 0; i < COUNT(no_read); i++)
		GUEST_EXPECT_EQ(try_rdmsr(no_read[i]), 13);
	for (unsigned int i = 0; i < COUNT(no_write); i++)
		GUEST_EXPECT_EQ(try_wrmsr(no_write[i], 0), 13);
	GUEST_EXPECT_EQ(try_wrmsr(0x828, 1), 13);		/* ESR takes zero alone */
	GUEST_EXPECT_EQ(try_wrmsr(0x828, 0), NO_FAULT);
	GUEST_EXPECT_EQ(try_wrmsr(0x83f, 0x161), 13);
	GUEST_EXPECT_EQ(try_wrmsr(0x808, 1ull << 32), 13);
	x2apic_write(APIC_ICR, 0x0000123400000000 | 0x4000 | VECTOR);	/* to nobody */
	GUEST_EXPECT_EQ(x2apic_read(APIC_ICR), 0x0000123400000000 | 0x4000 | VECTOR);
	guest_priorities();
	GUEST_EXPECT_EQ(x2apic_read(APIC_ICR), 0x0000123400000000 | 0x4000 | VECTOR);
	/* To itself by its address, by its logical one (cluster 1, member 5), and by broadcast. */
	sti();
	x2apic_write(APIC_ICR, 0x15ull << 32 | 0x4000 | VECTOR);
	GUEST_EXPECT_EQ(taken, 3);
	x2apic_write(APIC_ICR, 0x10021ull << 32 | 0x4800 | VECTOR);
	GUEST_EXPECT_EQ(taken, 4);
	x2apic_write(APIC_ICR, 0x20ull << 32 | 0x4800 | VECTOR);
	x2apic_write(APIC_ICR, 0x10001ull << 32 | 0x4800 | VECTOR);
	GUEST_EXPECT_EQ(taken, 4);
	cli();
	x2apic_write(APIC_ICR, 0xffffffff00000000 | 0x4000 | VECTOR);
	GUEST_EXPECT_EQ(x2apic_read(APIC_IRR + VECTOR / 32 * 16), 1u << VECTOR % 32);
	/* Back to xAPIC only by way of off, and x2APIC not from off. */
	GUEST_EXPECT_EQ(try_wrmsr(MSR_APIC_BASE, APIC_MMIO + 0x800), 13);
	wrmsr(MSR_APIC_BASE, APIC_MMIO);
	GUEST_EXPECT_EQ(try_wrmsr(MSR_APIC_BASE, APIC_MMIO + 0xc00), 13);
	wrmsr(MSR_APIC_BASE, APIC_MMIO + 0x800);
	GUEST_EXPECT_EQ(xapic_read(APIC_ID), 0x15000000);
	guest_done();
}

/* A vCPU that runs though it is not the bootstrap processor. */
static struct vcpu *runnable(struct vm *vm, int id, void (*guest)(void))
{
	struct kvirt_mp_state mp = { .mp_state = KVIRT_MP_STATE_RUNNABLE };
	struct vcpu *vcpu = vcpu_new(vm, id, guest);

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_MP_STATE, &mp));
	return vcpu;
}

static void x2apic(void)
{
	vcpu_finish(runnable(vm_new_split(), 0x15, guest_x2apic));
}

/* --- the timer --- */

static void wait_for(uint32_t count)
{
	uint64_t start = rdtsc();

	while (taken < count && rdtsc() - start < 20000000000ull)
		cpu_relax();
	GUEST_EXPECT_EQ(taken, count);
}

static void guest_one_shot(void)
{
	uint32_t count;

	guest_begin();
	sti();
	xapic_write(APIC_TIMER_DIVIDE, 0xb);
	xapic_write(APIC_LVT_TIMER, VECTOR);
	/* Far enough away that a busy host reads it in time. */
	xapic_write(APIC_TIMER_INITIAL, 2000000000);
	count = xapic_read(APIC_TIMER_CURRENT);
	GUEST_EXPECT(count && count <= 2000000000);
	GUEST_EXPECT(xapic_read(APIC_TIMER_CURRENT) < count);
	GUEST_EXPECT_EQ(taken, 0);
	xapic_write(APIC_TIMER_INITIAL, 3000000);
	wait_for(1);
	GUEST_EXPECT_EQ(xapic_read(APIC_TIMER_CURRENT), 0);
	GUEST_EXPECT_EQ(xapic_read(APIC_TIMER_INITIAL), 3000000);
	cli();
	xapic_write(APIC_TIMER_INITIAL, 1000000);
	while (taken < 2)
		sti_hlt_cli();
	/* Masked it counts, and is silent. */
	sti();
	xapic_write(APIC_LVT_TIMER, 0x10000 | VECTOR);
	xapic_write(APIC_TIMER_INITIAL, 100000);
	while (xapic_read(APIC_TIMER_CURRENT))
		cpu_relax();
	GUEST_EXPECT_EQ(taken, 2);
	guest_done();
}

static void one_shot(void)
{
	vcpu_finish(vcpu_new(vm_new_split(), 0, guest_one_shot));
}

static void guest_periodic(void)
{
	uint32_t start;

	guest_begin();
	xapic_write(APIC_TIMER_DIVIDE, 0xb);
	xapic_write(APIC_LVT_TIMER, 0x20000 | VECTOR);
	xapic_write(APIC_TIMER_INITIAL, 20000000);
	while (taken < 3)
		sti_hlt_cli();
	start = taken;
	sti();
	wait_for(start + 2);
	xapic_write(APIC_TIMER_INITIAL, 0);
	GUEST_EXPECT_EQ(xapic_read(APIC_TIMER_CURRENT), 0);
	guest_done();
}

static void periodic(void)
{
	vcpu_finish(vcpu_new(vm_new_split(), 0, guest_periodic));
}

static void guest_deadline(void)
{
	guest_begin();
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 1000);	/* not in that mode: ignored */
	GUEST_EXPECT_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
	xapic_write(APIC_LVT_TIMER, 0x40000 | VECTOR);
	xapic_write(APIC_TIMER_INITIAL, 1000);
	GUEST_EXPECT_EQ(xapic_read(APIC_TIMER_INITIAL), 0);
	/* In the future, running; then halted; then in the past. */
	wrmsr(MSR_TSC_DEADLINE, ~0ull);
	GUEST_EXPECT_EQ(rdmsr(MSR_TSC_DEADLINE), ~0ull);
	sti();
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 3000000);
	wait_for(1);
	GUEST_EXPECT_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
	cli();
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 1000000);
	while (taken < 2)
		sti_hlt_cli();
	sti();
	wrmsr(MSR_TSC_DEADLINE, 1);
	wait_for(3);
	/* Zero disarms. */
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 100000000);
	wrmsr(MSR_TSC_DEADLINE, 0);
	GUEST_EXPECT_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
	/* So does another mode. */
	wrmsr(MSR_TSC_DEADLINE, ~0ull);
	xapic_write(APIC_LVT_TIMER, VECTOR);
	GUEST_EXPECT_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
	guest_done();
}

static void tsc_deadline(void)
{
	struct kvirt_cpuid2 *table = dev_cpuid();
	struct vcpu *vcpu = vcpu_bare(vm_new_split(), 0);

	ASSERT_EQ(dev_cap(KVIRT_CAP_TSC_DEADLINE_TIMER), 1);
	cpuid_find(table, 1, 0)->ecx |= CPUID_TSC_DEADLINE;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table));
	vcpu_long_mode(vcpu, (uintptr_t)guest_deadline);
	vcpu_finish(vcpu);
}

/* --- INIT and SIPI --- */

/* Real mode, wherever it is put: tell where it began, and stay. */
extern const char ap_code[], ap_code_end[];
asm(".pushsection .rodata\n"
    "ap_code:\n"
    "	.code16\n"
    "	mov %cs, %ax\n"
    "	mov $0x520, %dx\n"
    "	out %ax, %dx\n"
    "1:	cli\n"
    "	hlt\n"
    "	jmp 1b\n"
    "	.code64\n"
    "ap_code_end:\n"
    ".popsection\n");

static void guest_starts_another(void)
{
	guest_begin();
	xapic_write(APIC_ICR2, 1 << 24);
	xapic_write(APIC_ICR, 0x4600 | GUEST_REAL >> 12);	/* SIPI before INIT: nothing */
	guest_stage(1);
	xapic_write(APIC_ICR2, 1 << 24);
	xapic_write(APIC_ICR, 0xc500);
	xapic_write(APIC_ICR, 0x8500);
	guest_stage(2);
	xapic_write(APIC_ICR2, 1 << 24);
	xapic_write(APIC_ICR, 0x4600 | GUEST_REAL >> 12);
	guest_done();
}

static uint32_t mp_state(struct vcpu *vcpu)
{
	struct kvirt_mp_state mp;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_MP_STATE, &mp));
	return mp.mp_state;
}

static void *run_ap(void *vcpu)
{
	long r;

	/* While it waits to be started RUN gives EAGAIN, once. */
	do
		r = vcpu_run(vcpu);
	while (r < 0 && errno == EAGAIN);
	return (void *)r;
}

static void start_ap(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *bsp = vcpu_new(vm, 0, guest_starts_another), *ap = vcpu_bare(vm, 1);
	struct kvirt_sregs sregs;
	pthread_t thread;
	void *result;

	vcpu_cpuid(ap);
	memcpy(vm_at(vm, GUEST_REAL), ap_code, ap_code_end - ap_code);
	EXPECT_EQ(mp_state(bsp), KVIRT_MP_STATE_RUNNABLE);
	EXPECT_EQ(mp_state(ap), KVIRT_MP_STATE_UNINITIALIZED);
	vcpu_expect_stage(bsp, 1);
	EXPECT_EQ(mp_state(ap), KVIRT_MP_STATE_UNINITIALIZED);
	vcpu_expect_stage(bsp, 2);
	EXPECT_EQ(mp_state(ap), KVIRT_MP_STATE_INIT_RECEIVED);
	ASSERT_EQ(pthread_create(&thread, NULL, run_ap, ap), 0);
	vcpu_finish(bsp);
	ASSERT_EQ(pthread_join(thread, &result), 0);
	EXPECT_EQ((long)result, 0);
	EXPECT_EQ(ap->run->exit_reason, KVIRT_EXIT_IO);
	EXPECT_EQ(ap->run->io.port, 0x520);
	EXPECT_EQ(*(uint16_t *)vcpu_io_data(ap), GUEST_REAL >> 4);
	sregs = vcpu_sregs(ap);
	EXPECT_EQ(sregs.cs.base, GUEST_REAL);
	EXPECT_EQ(sregs.cr0 & 1, 0);
	EXPECT_EQ(sregs.apic_base, APIC_MMIO + 0x800);
	EXPECT_EQ(mp_state(ap), KVIRT_MP_STATE_RUNNABLE);
}

static void guest_sends_init(void)
{
	guest_begin();
	xapic_write(APIC_ICR2, 0);
	xapic_write(APIC_ICR, 0xc500);
	guest_done();
}

/* INIT leaves the bootstrap processor runnable, at its reset vector; to look at it is enough to have that done. */
static void init_of_the_bsp(void)
{
	struct kvirt_mp_state halted = { .mp_state = KVIRT_MP_STATE_HALTED };
	struct vm *vm = vm_new_split();
	struct vcpu *bsp = vcpu_new(vm, 0, guest_xapic), *other = runnable(vm, 1, guest_sends_init);

	ASSERT_OK(ioctl(bsp->fd, KVIRT_SET_MP_STATE, &halted));
	vcpu_finish(other);
	EXPECT_EQ(mp_state(bsp), KVIRT_MP_STATE_RUNNABLE);
	EXPECT_EQ(vcpu_regs(bsp).rip, 0xfff0);
	EXPECT_EQ(vcpu_sregs(bsp).cs.base, 0xffff0000);
	EXPECT_EQ(vcpu_sregs(bsp).efer, 0);
	EXPECT_EQ(mp_state(other), KVIRT_MP_STATE_RUNNABLE);
}

/* --- saved state --- */

static uint32_t *reg_of(struct kvirt_lapic_state *s, uint32_t reg)
{
	return (uint32_t *)(s->regs + reg);
}

static void guest_leaves_state(void)
{
	guest_begin();
	if (apic_in_x2)
		wrmsr(MSR_APIC_BASE, APIC_MMIO + 0xd00);
	apic_write(APIC_TPR, 0x20);
	apic_write(APIC_LVT_ERROR, 0xfe);
	apic_write(APIC_TIMER_DIVIDE, 3);
	self_ipi(VECTOR);
	self_ipi(LOW_VECTOR);
	guest_stage(1);
	sti();
	GUEST_EXPECT_EQ(taken, 1);
	GUEST_EXPECT_EQ(taken_low, 1);
	GUEST_EXPECT_EQ(apic_read(APIC_TPR), 0x20);
	GUEST_EXPECT_EQ(apic_read(APIC_LVT_ERROR), 0xfe);
	guest_done();
}

/* The state goes from one vCPU into another, which goes on with it. */
static void move_state(bool x2apic_mode)
{
	struct vm *vm = vm_new_split(), *vm2;
	struct vcpu *from = vcpu_new(vm, 0, guest_leaves_state), *to;
	struct kvirt_lapic_state state, again;
	struct kvirt_sregs sregs;
	struct kvirt_regs regs;

	*vm_var(vm, apic_in_x2) = x2apic_mode;
	vcpu_expect_stage(from, 1);
	ASSERT_OK(ioctl(from->fd, KVIRT_GET_LAPIC, &state));
	EXPECT_EQ(*reg_of(&state, APIC_TPR), 0x20);
	EXPECT_EQ(*reg_of(&state, APIC_IRR + 0x30), 1u << VECTOR % 32);
	EXPECT_EQ(*reg_of(&state, APIC_IRR + 0x20), 1u << LOW_VECTOR % 32);
	sregs = vcpu_sregs(from);
	/* What completes the OUT of the stage is in the registers only after another RUN. */
	from->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(from), EINTR);
	regs = vcpu_regs(from);

	vm2 = vm_new_split();
	memcpy(vm2->memory, vm->memory, vm->size);
	to = vcpu_new(vm2, 0, guest_leaves_state);
	vcpu_set_sregs(to, &sregs);
	vcpu_set_regs(to, &regs);
	ASSERT_OK(ioctl(to->fd, KVIRT_SET_LAPIC, &state));
	ASSERT_OK(ioctl(to->fd, KVIRT_GET_LAPIC, &again));
	EXPECT(!memcmp(&state, &again, sizeof(state)));
	vcpu_finish(to);
}

static void move_xapic_state(void)
{
	move_state(false);
}

static void move_x2apic_state(void)
{
	move_state(true);
}

/* In x2APIC mode the id is shifted, or with 32-bit ids whole and checked. */
static void ids_in_state(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = runnable(vm, 0x15, guest_x2apic);
	struct kvirt_lapic_state state;
	struct kvirt_sregs sregs = vcpu_sregs(vcpu);

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &state));
	EXPECT_EQ(*reg_of(&state, APIC_ID), 0x15000000);
	sregs.apic_base = APIC_MMIO + 0xc00;
	vcpu_set_sregs(vcpu, &sregs);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &state));
	EXPECT_EQ(*reg_of(&state, APIC_ID), 0x15000000);
	EXPECT_EQ(*reg_of(&state, APIC_LDR), 0x10020);
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_X2APIC_API, KVIRT_X2APIC_API_USE_32BIT_IDS));
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &state), EINVAL);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &state));
	EXPECT_EQ(*reg_of(&state, APIC_ID), 0x15);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &state));
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_LAPIC, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_GET_LAPIC, NULL), EFAULT);
	vcpu = vcpu_bare(vm_new(), 0);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &state), EINVAL);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &state), EINVAL);
}

/* A running timer goes on where it was; a page of ones harms nobody. */
static void timer_in_state(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new_split(), 0, guest_xapic);
	struct kvirt_lapic_state state, again;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &state));
	*reg_of(&state, APIC_SVR) = 0x1ff;
	*reg_of(&state, APIC_LVT_TIMER) = VECTOR;
	*reg_of(&state, APIC_TIMER_DIVIDE) = 0xa;
	*reg_of(&state, APIC_TIMER_INITIAL) = 0xf0000000;
	*reg_of(&state, APIC_TIMER_CURRENT) = 0x70000000;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &state));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &again));
	EXPECT(*reg_of(&again, APIC_TIMER_CURRENT) <= 0x70000000);
	EXPECT(*reg_of(&again, APIC_TIMER_CURRENT) > 0x60000000);
	memset(&state, 0xff, sizeof(state));
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &state));
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
}

static const struct test tests[] = {
	TEST(xapic), TEST(x2apic), TEST(one_shot), TEST(periodic), TEST(tsc_deadline), TEST(start_ap), TEST(init_of_the_bsp),
	TEST(move_xapic_state), TEST(move_x2apic_state), TEST(ids_in_state), TEST(timer_in_state),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The in-kernel local APIC of the split form, one vCPU: both modes, timers, priorities, IPIs to itself, MSIs, the exit at
 * the EOI of a level interrupt, and the PIC of user space.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

enum { GP = 13, VECTOR = 0x50 };

#define X2APIC_ON	(1 << 10 | 1 << 11)

static volatile uint32_t count;
static volatile uint64_t came;
static volatile uint8_t order[8];
static volatile uint32_t taken;

static void on_interrupt(struct guest_frame *frame)
{
	came = rdtsc();
	count++;
	order[taken++ & 7] = frame->vector;
	apic_write(APIC_EOI, 0);
}

static void apic_on(void)
{
	guest_idt_load();
	for (int v = 0x30; v < 0x100; v++)
		guest_handle(v, on_interrupt);
	if (apic_in_x2)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | X2APIC_ON);
	apic_write(APIC_SVR, 0x1ff);
}

/* Spin with interrupts on until so many have come; bounded, in turns, since an emulated clock is not wall time. */
static void wait_for(uint32_t n)
{
	sti();
	for (long i = 0; i < 30000000 && count < n; i++)
		cpu_relax();
	cli();
	GUEST_EXPECT(count >= n);
}

/* Run a guest in both modes. */
static void both_modes(void (*guest)(void))
{
	for (int mode = 0; mode < 2; mode++) {
		struct vm *vm = vm_new_split();
		struct vcpu *vcpu = vcpu_new(vm, 0, guest);

		*vm_var(vm, apic_in_x2) = mode;
		vcpu_finish(vcpu);
		vcpu_free(vcpu);
		vm_free(vm);
	}
}

static void guest_registers(void)
{
	apic_on();
	GUEST_EXPECT_EQ(apic_read(APIC_ID), 0);
	GUEST_EXPECT_EQ(apic_read(APIC_VERSION) & 0xff, 0x14);
	GUEST_EXPECT_EQ(apic_read(APIC_SVR), 0x1ff);
	apic_write(APIC_LVT_LINT1, 0x400);
	GUEST_EXPECT_EQ(apic_read(APIC_LVT_LINT1), 0x400);
	/* On AMD-V the low half is lost: the hardware holds CR8's four bits. */
	apic_write(APIC_TPR, 0x30);
	GUEST_EXPECT_EQ(apic_read(APIC_TPR), 0x30);
	GUEST_EXPECT_EQ(apic_read(APIC_PPR), 0x30);
	GUEST_EXPECT_EQ(READ_REGISTER(cr8), 3);
	apic_write(APIC_TPR, 0);
	if (!apic_in_x2) {
		xapic_write(APIC_DFR, 0x0fffffff);
		GUEST_EXPECT_EQ(xapic_read(APIC_DFR), 0x0fffffff);
		xapic_write(APIC_LDR, 0x04000000);
		GUEST_EXPECT_EQ(xapic_read(APIC_LDR), 0x04000000);
	}
	/* Switched off by software: the LVT is masked and stays so. */
	apic_write(APIC_SVR, 0xff);
	GUEST_EXPECT_EQ(apic_read(APIC_LVT_LINT1), 0x10400);
	apic_write(APIC_LVT_LINT1, 0x400);
	GUEST_EXPECT_EQ(apic_read(APIC_LVT_LINT1), 0x10400);
	guest_done();
}

static void registers(void)
{
	both_modes(guest_registers);
}

#define TRY_WRMSR(index, value)										\
	GUEST_TRY("wrmsr", "c"(index), "a"((uint32_t)(value)), "d"((uint32_t)((uint64_t)(value) >> 32)) : "memory")
#define TRY_RDMSR(index)	GUEST_TRY("rdmsr", "c"(index) : "rax", "rdx", "memory")

static void guest_modes(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	guest_idt_load();
	GUEST_EXPECT_EQ(base, 0xfee00900);
	/* In xAPIC mode the MSRs are not there. */
	GUEST_EXPECT_EQ(TRY_RDMSR(0x802), GP);
	/* Disabled to x2APIC in one step, x2APIC without the enable: not possible. */
	GUEST_EXPECT_EQ(TRY_WRMSR(MSR_APIC_BASE, base & ~(1ull << 11)), NO_FAULT);
	GUEST_EXPECT_EQ(TRY_WRMSR(MSR_APIC_BASE, base | X2APIC_ON), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(MSR_APIC_BASE, (base & ~(1ull << 11)) | 1 << 10), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(MSR_APIC_BASE, base | 1ull << 52), GP);	/* no address is that wide */
	/* A disabled APIC's page reads as ones, by a quirk. */
	GUEST_EXPECT_EQ(xapic_read(APIC_VERSION), 0xffffffff);
	GUEST_EXPECT_EQ(TRY_WRMSR(MSR_APIC_BASE, base), NO_FAULT);
	GUEST_EXPECT_EQ(TRY_WRMSR(MSR_APIC_BASE, base | X2APIC_ON), NO_FAULT);
	GUEST_EXPECT_EQ(rdmsr(MSR_APIC_BASE), base | X2APIC_ON);
	GUEST_EXPECT_EQ(xapic_read(APIC_VERSION), 0xffffffff);
	xapic_write(APIC_TPR, 0x40);
	GUEST_EXPECT_EQ(x2apic_read(APIC_TPR), 0);
	/* Back to xAPIC only through disabled. */
	GUEST_EXPECT_EQ(TRY_WRMSR(MSR_APIC_BASE, base), GP);
	GUEST_EXPECT_EQ(x2apic_read(APIC_LDR), 1);
	/* Read-only, write-only, reserved and missing registers. */
	GUEST_EXPECT_EQ(TRY_WRMSR(0x802, 5), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(0x803, 0), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(0x80d, 2), GP);
	GUEST_EXPECT_EQ(TRY_RDMSR(0x80e), GP);
	GUEST_EXPECT_EQ(TRY_RDMSR(0x83f), GP);
	GUEST_EXPECT_EQ(TRY_RDMSR(0x80b), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(0x828, 1), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(0x828, 0), NO_FAULT);
	GUEST_EXPECT_EQ(TRY_WRMSR(0x808, 1ull << 32), GP);
	GUEST_EXPECT_EQ(TRY_RDMSR(0x831), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(MSR_APIC_BASE, base & ~(1ull << 11)), NO_FAULT);
	GUEST_EXPECT_EQ(TRY_WRMSR(MSR_APIC_BASE, base), NO_FAULT);
	guest_done();
}

static void mode_changes(void)
{
	vcpu_finish(vcpu_new(vm_new_split(), 0, guest_modes));
}

static void guest_hole(void)
{
	if (apic_in_x2)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | X2APIC_ON);
	else
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~(1ull << 11));
	GUEST_EXPECT_EQ(xapic_read(APIC_VERSION), 0x12345678);
	xapic_write(APIC_TPR, 0x40);
	guest_done();
}

/* Without the quirk the page of an APIC that is off, or in x2APIC mode, is user space's. */
static void hole_without_the_quirk(void)
{
	for (int mode = 0; mode < 2; mode++) {
		struct vm *vm = vm_new_split();
		struct vcpu *vcpu = vcpu_new(vm, 0, guest_hole);
		uint32_t value = 0x12345678;

		*vm_var(vm, apic_in_x2) = mode;
		ASSERT_OK(vm_enable(vm, KVIRT_CAP_DISABLE_QUIRKS2, KVIRT_X86_QUIRK_LAPIC_MMIO_HOLE));
		vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
		EXPECT_EQ(vcpu->run->mmio.phys_addr, 0xfee00000 + APIC_VERSION);
		EXPECT_EQ(vcpu->run->mmio.len, 4);
		EXPECT_EQ(vcpu->run->mmio.is_write, 0);
		memcpy(vcpu->run->mmio.data, &value, sizeof(value));
		vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
		EXPECT_EQ(vcpu->run->mmio.phys_addr, 0xfee00000 + APIC_TPR);
		EXPECT_EQ(vcpu->run->mmio.is_write, 1);
		EXPECT_EQ(vcpu->run->mmio.data[0], 0x40);
		vcpu_finish(vcpu);
		vcpu_free(vcpu);
		vm_free(vm);
	}
}

static void self_ipi(uint8_t vector)
{
	if (apic_in_x2)
		x2apic_write(APIC_SELF_IPI, vector);
	else
		xapic_write(APIC_ICR, 0x40000 | vector);
}

static void guest_priorities(void)
{
	apic_on();
	/* Three requests while interrupts are off: the highest goes first. */
	self_ipi(0x51);
	self_ipi(0x91);
	self_ipi(0x61);
	GUEST_EXPECT_EQ(apic_read(APIC_IRR + 0x20), 1 << 17);
	GUEST_EXPECT_EQ(apic_read(APIC_IRR + 0x40), 1 << 17);
	sti();
	cli();
	GUEST_EXPECT_EQ(count, 3);
	GUEST_EXPECT_EQ(order[0], 0x91);
	GUEST_EXPECT_EQ(order[1], 0x61);
	GUEST_EXPECT_EQ(order[2], 0x51);

	/* The task priority holds its class and those below back, until it falls. */
	taken = count = 0;
	WRITE_REGISTER(cr8, 6);
	sti();
	self_ipi(0x61);
	self_ipi(0x71);
	self_ipi(0x51);
	asm volatile("nop");
	GUEST_EXPECT_EQ(count, 1);
	GUEST_EXPECT_EQ(order[0], 0x71);
	WRITE_REGISTER(cr8, 5);
	asm volatile("nop");
	GUEST_EXPECT_EQ(count, 2);
	GUEST_EXPECT_EQ(order[1], 0x61);
	apic_write(APIC_TPR, 0);
	asm volatile("nop");
	GUEST_EXPECT_EQ(count, 3);
	cli();
	/* Sending oneself an ICR IPI with a real destination. */
	if (apic_in_x2)
		x2apic_write(APIC_ICR, 0x4000 | 0x77);
	else
		xapic_write(APIC_ICR2, 0), xapic_write(APIC_ICR, 0x4000 | 0x77);
	sti();
	cli();
	GUEST_EXPECT_EQ(count, 4);
	/* Vectors below 16 are errors. */
	apic_write(APIC_ESR, 0);
	if (!apic_in_x2) {
		xapic_write(APIC_ICR, 0x40000 | 0x5);
		xapic_write(APIC_ESR, 0);
	}
	guest_done();
}

static void priorities(void)
{
	both_modes(guest_priorities);
}

static volatile uint32_t in_service;

static void on_nested_low(struct guest_frame *frame)
{
	order[taken++ & 7] = 1;
	in_service = apic_read(APIC_ISR + 0x20);
	self_ipi(0x55);		/* the same class: waits for the EOI */
	self_ipi(0x99);		/* a higher one: interrupts this handler */
	sti();
	cli();
	order[taken++ & 7] = 3;
	apic_write(APIC_EOI, 0);
}

static void on_nested_high(struct guest_frame *frame)
{
	order[taken++ & 7] = 2;
	GUEST_EXPECT_EQ(apic_read(APIC_PPR), 0x90);
	apic_write(APIC_EOI, 0);
}

static void on_nested_last(struct guest_frame *frame)
{
	order[taken++ & 7] = 4;
	apic_write(APIC_EOI, 0);
}

static void guest_nesting(void)
{
	apic_on();
	guest_handle(0x51, on_nested_low);
	guest_handle(0x99, on_nested_high);
	guest_handle(0x55, on_nested_last);
	sti();
	self_ipi(0x51);
	asm volatile("nop");
	cli();
	GUEST_EXPECT_EQ(in_service, 1 << 17);
	for (int i = 0; i < 4; i++)
		GUEST_EXPECT_EQ(order[i], i + 1);
	GUEST_EXPECT_EQ(apic_read(APIC_ISR + 0x20), 0);
	guest_done();
}

static void nesting(void)
{
	both_modes(guest_nesting);
}

static void guest_one_shot(void)
{
	apic_on();
	apic_write(APIC_TIMER_DIVIDE, 0xb);
	apic_write(APIC_LVT_TIMER, VECTOR);
	GUEST_EXPECT_EQ(apic_read(APIC_TIMER_CURRENT), 0);
	apic_write(APIC_TIMER_INITIAL, 1000000000);
	GUEST_EXPECT(apic_read(APIC_TIMER_CURRENT) > 0);
	GUEST_EXPECT(apic_read(APIC_TIMER_CURRENT) <= 1000000000);
	/* Stopped before its time. */
	apic_write(APIC_TIMER_INITIAL, 0);
	GUEST_EXPECT_EQ(apic_read(APIC_TIMER_CURRENT), 0);
	apic_write(APIC_TIMER_INITIAL, 100000);
	wait_for(1);
	GUEST_EXPECT_EQ(apic_read(APIC_TIMER_CURRENT), 0);
	GUEST_EXPECT_EQ(count, 1);
	/* While masked it runs out in silence. */
	apic_write(APIC_LVT_TIMER, 0x10000 | VECTOR);
	apic_write(APIC_TIMER_INITIAL, 1000);
	sti();
	for (long i = 0; i < 30000000 && apic_read(APIC_TIMER_CURRENT); i++)
		cpu_relax();
	cli();
	GUEST_EXPECT_EQ(count, 1);
	guest_done();
}

static void timer_one_shot(void)
{
	both_modes(guest_one_shot);
}

static void guest_periodic(void)
{
	apic_on();
	apic_write(APIC_TIMER_DIVIDE, 0xb);
	apic_write(APIC_LVT_TIMER, 0x20000 | VECTOR);
	/* 1 ms: not so short that a slow host only ever takes interrupts. */
	apic_write(APIC_TIMER_INITIAL, 1000000);
	wait_for(3);
	apic_write(APIC_TIMER_INITIAL, 0);
	guest_done();
}

static void timer_periodic(void)
{
	both_modes(guest_periodic);
}

static void guest_deadline(void)
{
	uint64_t deadline;

	apic_on();
	GUEST_EXPECT_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
	apic_write(APIC_LVT_TIMER, 0x40000 | VECTOR);
	deadline = rdtsc() + 1000000;
	wrmsr(MSR_TSC_DEADLINE, deadline);
	wait_for(1);
	GUEST_EXPECT(rdtsc() >= deadline);
	GUEST_EXPECT_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
	/* In the past: at once. */
	wrmsr(MSR_TSC_DEADLINE, 1);
	wait_for(2);
	/* Disarmed. */
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + (1ull << 40));
	GUEST_EXPECT(rdmsr(MSR_TSC_DEADLINE) != 0);
	wrmsr(MSR_TSC_DEADLINE, 0);
	GUEST_EXPECT_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
	/* In this mode the count registers do nothing. */
	apic_write(APIC_TIMER_INITIAL, 1000);
	GUEST_EXPECT_EQ(apic_read(APIC_TIMER_CURRENT), 0);
	GUEST_EXPECT_EQ(count, 2);
	guest_done();
}

static void timer_deadline(void)
{
	both_modes(guest_deadline);
}

/* However early the host starts its own timer, and learns to: a guest that spins, and one in HLT, are not told before the time. */
static void guest_punctual(void)
{
	uint64_t deadline;

	apic_on();
	apic_write(APIC_LVT_TIMER, 0x40000 | VECTOR);
	for (uint32_t i = 1; i <= 80; i++) {
		deadline = rdtsc() + (i % 8 ? 40000 : 400000) + i * 16;
		wrmsr(MSR_TSC_DEADLINE, deadline);
		if (i % 8 == 0)
			sti_hlt_cli();
		wait_for(i);
		GUEST_EXPECT(came >= deadline);
		GUEST_EXPECT_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
	}
	guest_done();
}

static void timer_deadline_punctual(void)
{
	both_modes(guest_punctual);
}

static void guest_halts(void)
{
	apic_on();
	apic_write(APIC_LVT_TIMER, 0x40000 | VECTOR);
	for (uint32_t i = 1; i <= 3; i++) {
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + 300000);
		sti_hlt_cli();
		GUEST_EXPECT_EQ(count, i);
	}
	apic_write(APIC_TIMER_DIVIDE, 0xb);
	apic_write(APIC_LVT_TIMER, VECTOR);
	apic_write(APIC_TIMER_INITIAL, 300000);
	sti_hlt_cli();
	GUEST_EXPECT_EQ(count, 4);
	guest_done();
}

/* HLT does not leave the kernel; the timer ends it. */
static void timer_ends_halt(void)
{
	both_modes(guest_halts);
}

/* --- from outside --- */

static void guest_stages(void)
{
	apic_on();
	sti();
	for (long stage = 1;; stage++)
		guest_stage(stage);
}

static long msi(struct vm *vm, uint32_t address, uint32_t data)
{
	struct kvirt_msi m = { .address_lo = address, .data = data };

	return ioctl(vm->fd, KVIRT_SIGNAL_MSI, &m);
}

static void messages(void)
{
	for (int mode = 0; mode < 2; mode++) {
		struct vm *vm = vm_new_split();
		struct vcpu *vcpu = vcpu_new(vm, 0, guest_stages);

		*vm_var(vm, apic_in_x2) = mode;
		vcpu_expect_stage(vcpu, 1);
		EXPECT_EQ(msi(vm, 0xfee00000, 0x4041), 1);
		vcpu_expect_stage(vcpu, 2);
		EXPECT_EQ(*vm_var(vm, count), 1);
		EXPECT_EQ(vm_var(vm, order[0])[0], 0x41);
		/* Lowest priority, and broadcast; logical to APIC 0. */
		EXPECT_EQ(msi(vm, 0xfee00000, 0x4142), 1);
		vcpu_expect_stage(vcpu, 3);
		EXPECT_EQ(*vm_var(vm, count), 2);
		EXPECT_EQ(msi(vm, 0xfeeff000, 0x43), 1);
		vcpu_expect_stage(vcpu, 4);
		EXPECT_EQ(*vm_var(vm, count), 3);
		EXPECT(msi(vm, 0xfee05000, 0x44) <= 0);
		vcpu_expect_stage(vcpu, 5);
		EXPECT_EQ(*vm_var(vm, count), 3);
		vcpu_free(vcpu);
		vm_free(vm);
	}
}

static void on_nmi(struct guest_frame *frame)
{
	count += 100;
}

static void guest_nmi(void)
{
	apic_on();
	guest_handle(2, on_nmi);
	for (long stage = 1;; stage++)
		guest_stage(stage);
}

static void nmi_message(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_nmi);

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(msi(vm, 0xfee00000, 0x400), 1);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(*vm_var(vm, count), 100);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_NMI, 0));
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(*vm_var(vm, count), 200);
}

/* A level-triggered route of the user-space IOAPIC: its vector's EOI leaves, an edge's does not. */
static void ioapic_eoi(void)
{
	for (int mode = 0; mode < 2; mode++) {
		struct vm *vm = vm_new_split();
		struct vcpu *vcpu = vcpu_new(vm, 0, guest_stages);
		struct kvirt_irq_routing *r = calloc(1, sizeof(*r) + 24 * sizeof(r->entries[0]));

		*vm_var(vm, apic_in_x2) = mode;
		r->nr = 2;
		r->entries[0] = (struct kvirt_irq_routing_entry){ .gsi = 4, .type = KVIRT_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = 0xfee00000, .data = 0xc061 } };	/* level, assert */
		r->entries[1] = (struct kvirt_irq_routing_entry){ .gsi = 5, .type = KVIRT_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = 0xfee00000, .data = 0x4062 } };	/* edge */
		ASSERT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r));
		vcpu_expect_stage(vcpu, 1);
		EXPECT_EQ(msi(vm, 0xfee00000, 0xc061), 1);
		vcpu_expect_exit(vcpu, KVIRT_EXIT_IOAPIC_EOI);
		EXPECT_EQ(vcpu->run->eoi.vector, 0x61);
		vcpu_expect_stage(vcpu, 2);
		EXPECT_EQ(*vm_var(vm, count), 1);
		EXPECT_EQ(msi(vm, 0xfee00000, 0x4062), 1);
		vcpu_expect_stage(vcpu, 3);
		EXPECT_EQ(*vm_var(vm, count), 2);
		/* Without the route nobody asks. */
		r->nr = 0;
		ASSERT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r));
		EXPECT_EQ(msi(vm, 0xfee00000, 0xc061), 1);
		vcpu_expect_stage(vcpu, 4);
		EXPECT_EQ(*vm_var(vm, count), 3);
		free(r);
		vcpu_free(vcpu);
		vm_free(vm);
	}
}

static void guest_ext_int(void)
{
	guest_idt_load();
	guest_handle(0x33, on_interrupt);
	xapic_write(APIC_SVR, 0x1ff);
	/* LINT0 takes the PIC's interrupts. */
	xapic_write(APIC_LVT_LINT0, 0x700);
	guest_stage(1);
	sti();
	asm volatile("nop; nop");
	cli();
	GUEST_EXPECT_EQ(count, 1);
	/* No bit of it in the APIC. */
	GUEST_EXPECT_EQ(xapic_read(APIC_IRR + 0x10) | xapic_read(APIC_ISR + 0x10), 0);
	guest_stage(2);
	xapic_write(APIC_LVT_LINT0, 0x10700);
	guest_stage(3);
	guest_done();
}

/* The PIC of user space: its interrupts by KVIRT_INTERRUPT, if LINT0 lets them through. */
static void interrupts_of_the_pic(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new_split(), 0, guest_ext_int);
	struct kvirt_interrupt i = { 0x33 };

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 0);
	vcpu->run->request_interrupt_window = 1;
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IRQ_WINDOW_OPEN);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 1);
	vcpu->run->request_interrupt_window = 0;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_INTERRUPT, &i));
	vcpu_expect_stage(vcpu, 2);
	vcpu_expect_stage(vcpu, 3);
	vcpu_finish(vcpu);
}

/* State: what is pending goes along to another vCPU, and the timer starts again there. */
static void guest_moves(void)
{
	apic_on();
	self_ipi(0x66);
	apic_write(APIC_TIMER_DIVIDE, 0xb);
	apic_write(APIC_LVT_TIMER, VECTOR);
	apic_write(APIC_TIMER_INITIAL, 50000000);
	guest_stage(1);
	sti();
	asm volatile("nop");
	GUEST_EXPECT_EQ(count, 1);
	wait_for(2);
	guest_done();
}

static void save_and_restore(void)
{
	struct vm *vm = vm_new_split(), *other;
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_moves), *there;
	struct kvirt_lapic_state l;
	struct kvirt_regs r;
	struct kvirt_sregs s;

	vcpu_expect_stage(vcpu, 1);
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &l));
	r = vcpu_regs(vcpu);
	s = vcpu_sregs(vcpu);

	other = vm_new_split();
	memcpy(other->memory, vm->memory, GUEST_STACKS + 0x8000);
	memcpy(other->memory + GUEST_MEMORY / 2, vm->memory + GUEST_MEMORY / 2, GUEST_MEMORY / 2);
	there = vcpu_new(other, 0, guest_moves);
	vcpu_set_sregs(there, &s);
	vcpu_set_regs(there, &r);
	ASSERT_OK(ioctl(there->fd, KVIRT_SET_LAPIC, &l));
	vcpu_finish(there);
}

static const struct test tests[] = {
	TEST(registers),
	TEST(mode_changes),
	TEST(hole_without_the_quirk),
	TEST(priorities),
	TEST(nesting),
	TEST(timer_one_shot),
	TEST(timer_periodic),
	TEST(timer_deadline),
	TEST(timer_deadline_punctual),
	TEST(timer_ends_halt),
	TEST(messages),
	TEST(nmi_message),
	TEST(ioapic_eoi),
	TEST(interrupts_of_the_pic),
	TEST(save_and_restore),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

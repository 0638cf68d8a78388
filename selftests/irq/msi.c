// SPDX-License-Identifier: GPL-2.0
/*
 * Messages and lines with the interrupt controllers split: KVM_SIGNAL_MSI, KVM_SET_GSI_ROUTING, KVM_IRQ_LINE, the EOI exit
 * of level-triggered interrupts, KVM_INTERRUPT with the local APIC in between.
 */
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

#define VECTOR	0x61

static volatile uint32_t taken;

static void handle(struct guest_frame *frame)
{
	taken++;
	xapic_write(APIC_EOI, 0);
}

static void guest_waits(void)
{
	guest_idt_load();
	guest_handle(VECTOR, handle);
	guest_handle(VECTOR + 1, handle);
	xapic_write(APIC_SVR, 0x1ff);
	xapic_write(APIC_LDR, 0x04000000);
	for (long stage = 1; ; stage++) {
		guest_stage(stage);
		sti();
		cli();
	}
}

static struct kvirt_msi msi(uint32_t dest, uint32_t data)
{
	return (struct kvirt_msi){ .address_lo = 0xfee00000 | dest << 12, .data = data };
}

static long signal_msi(struct vm *vm, uint32_t dest, uint32_t data)
{
	struct kvirt_msi m = msi(dest, data);

	return ioctl(vm->fd, KVIRT_SIGNAL_MSI, &m);
}

static void signalling(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_waits);
	struct kvirt_msi m = msi(0, VECTOR);

	EXPECT_EQ(signal_msi(vm, 0, VECTOR), 0);		/* the APIC is not enabled yet */
	EXPECT_EQ(signal_msi(vm, 9, VECTOR), 0);		/* nobody has this id */
	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(*vm_var(vm, taken), 0);
	EXPECT_EQ(signal_msi(vm, 0, VECTOR), 1);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(*vm_var(vm, taken), 1);
	EXPECT_EQ(signal_msi(vm, 0xff, VECTOR), 1);		/* broadcast */
	EXPECT_EQ(signal_msi(vm, 0xff, VECTOR + 1), 1);
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(*vm_var(vm, taken), 3);
	m.address_lo |= 4 | 5 << 12;				/* logical, members 1 and 3 */
	EXPECT_EQ(ioctl(vm->fd, KVIRT_SIGNAL_MSI, &m), 1);
	m.address_lo = 0xfee00000 | 4 | 3 << 12;
	EXPECT_EQ(ioctl(vm->fd, KVIRT_SIGNAL_MSI, &m), 0);
	vcpu_expect_stage(vcpu, 4);
	EXPECT_EQ(*vm_var(vm, taken), 4);
	EXPECT_EQ(signal_msi(vm, 0, VECTOR | 1 << 8), 1);	/* lowest priority */
	vcpu_expect_stage(vcpu, 5);
	EXPECT_EQ(*vm_var(vm, taken), 5);
	m.flags = ~0u;
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SIGNAL_MSI, &m), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SIGNAL_MSI, NULL), EFAULT);
	EXPECT_ERRNO(signal_msi(vm_bare(), 0, VECTOR), EINVAL);
	vm = vm_new_split();					/* nobody at all */
	EXPECT_ERRNO(signal_msi(vm, 0, VECTOR), EPERM);
	EXPECT_ERRNO(signal_msi(vm, 0xff, VECTOR), EPERM);
}

static struct kvirt_irq_routing *table(uint32_t nr)
{
	struct kvirt_irq_routing *t = calloc(1, sizeof(*t) + nr * sizeof(t->entries[0]));

	ASSERT(t);
	t->nr = nr;
	for (uint32_t i = 0; i < nr; i++) {
		t->entries[i].gsi = i;
		t->entries[i].type = KVIRT_IRQ_ROUTING_MSI;
		t->entries[i].u.msi.address_lo = 0xfee00000;
		t->entries[i].u.msi.data = VECTOR;
	}
	return t;
}

static long set_routes(struct vm *vm, struct kvirt_irq_routing *t)
{
	return ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, t);
}

static void routing(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_waits);
	struct kvirt_irq_routing *t = table(4);
	struct kvirt_irq_level line = { .irq = 2, .level = 1 };

	vcpu_expect_stage(vcpu, 1);
	/* Without a route a line leads nowhere, and that is no error. */
	EXPECT_OK(ioctl(vm->fd, KVIRT_IRQ_LINE_STATUS, &line));
	EXPECT_EQ(line.status, -1);
	EXPECT_OK(set_routes(vm, t));
	line.irq = 2;
	EXPECT_OK(ioctl(vm->fd, KVIRT_IRQ_LINE_STATUS, &line));
	EXPECT_EQ(line.status, 1);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(*vm_var(vm, taken), 1);
	line.irq = 2;
	line.level = 0;
	EXPECT_OK(ioctl(vm->fd, KVIRT_IRQ_LINE_STATUS, &line));
	EXPECT_EQ(line.status, -1);
	line.irq = 0xffffffff;
	line.level = 1;
	EXPECT_OK(ioctl(vm->fd, KVIRT_IRQ_LINE, &line));
	/* What is refused changes nothing. */
	t->entries[3].gsi = 2;
	EXPECT_ERRNO(set_routes(vm, t), EINVAL);
	t->entries[3].gsi = 4096;
	EXPECT_ERRNO(set_routes(vm, t), EINVAL);
	t->entries[3].gsi = 4095;
	t->entries[3].type = KVIRT_IRQ_ROUTING_IRQCHIP;
	EXPECT_ERRNO(set_routes(vm, t), EINVAL);
	t->entries[3].type = 77;
	EXPECT_ERRNO(set_routes(vm, t), EINVAL);
	t->entries[3].type = KVIRT_IRQ_ROUTING_MSI;
	t->entries[3].flags = 2;
	EXPECT_ERRNO(set_routes(vm, t), EINVAL);
	t->entries[3].flags = 0;
	t->flags = 1;
	EXPECT_ERRNO(set_routes(vm, t), EINVAL);
	t->flags = 0;
	t->nr = 4097;
	EXPECT_ERRNO(set_routes(vm, t), EINVAL);
	line = (struct kvirt_irq_level){ .irq = 3, .level = 1 };
	EXPECT_OK(ioctl(vm->fd, KVIRT_IRQ_LINE_STATUS, &line));
	EXPECT_EQ(line.status, 1);
	t->nr = 4;
	EXPECT_OK(set_routes(vm, t));
	t->nr = 0;
	EXPECT_OK(set_routes(vm, t));
	line = (struct kvirt_irq_level){ .irq = 3, .level = 1 };
	EXPECT_OK(ioctl(vm->fd, KVIRT_IRQ_LINE_STATUS, &line));
	EXPECT_EQ(line.status, -1);
	EXPECT_ERRNO(set_routes(vm, NULL), EFAULT);
	/* With 32-bit ids the low bits of the high word are reserved. */
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_X2APIC_API, KVIRT_X2APIC_API_USE_32BIT_IDS));
	t->nr = 4;
	t->entries[0].u.msi.address_hi = 1;
	EXPECT_ERRNO(set_routes(vm, t), EINVAL);
	t->entries[0].u.msi.address_hi = 0x100;
	EXPECT_OK(set_routes(vm, t));
	line = (struct kvirt_irq_level){ .irq = 0, .level = 1 };
	EXPECT_OK(ioctl(vm->fd, KVIRT_IRQ_LINE_STATUS, &line));
	EXPECT_EQ(line.status, 0);				/* id 0x100 is nobody's */
	vm = vm_bare();
	EXPECT_ERRNO(set_routes(vm, t), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_IRQ_LINE, &line), ENXIO);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_IRQ_LINE_STATUS, &line), ENXIO);
}

/* A whole table, hundreds of times, as VMMs do while they start. */
static void many_tables(void)
{
	struct vm *vm = vm_new_split();
	struct kvirt_irq_routing *t = table(24);

	vcpu_bare(vm, 0);
	for (int i = 0; i < 700; i++)
		ASSERT_OK(set_routes(vm, t));
}

/* The EOI of a level-triggered interrupt of a reserved pin leaves; that of an edge, or of another GSI, does not. */
static void level_eoi(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_waits);
	struct kvirt_irq_routing *t = table(25);

	t->entries[5].u.msi.data = VECTOR | 1 << 15 | 1 << 14;
	t->entries[24].u.msi.data = (VECTOR + 1) | 1 << 15 | 1 << 14;	/* not a pin */
	ASSERT_OK(set_routes(vm, t));
	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(signal_msi(vm, 0, VECTOR | 1 << 15 | 1 << 14), 1);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IOAPIC_EOI);
	EXPECT_EQ(vcpu->run->eoi.vector, VECTOR);
	EXPECT_EQ(*vm_var(vm, taken), 1);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(signal_msi(vm, 0, (VECTOR + 1) | 1 << 15 | 1 << 14), 1);
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(*vm_var(vm, taken), 2);
	/* The pin is an edge now: no exit any more. */
	t->entries[5].u.msi.data = VECTOR;
	ASSERT_OK(set_routes(vm, t));
	EXPECT_EQ(signal_msi(vm, 0, VECTOR), 1);
	vcpu_expect_stage(vcpu, 4);
	EXPECT_EQ(*vm_var(vm, taken), 3);
	/* And for another CPU. */
	t->entries[5].u.msi.data = VECTOR | 1 << 15 | 1 << 14;
	t->entries[5].u.msi.address_lo = 0xfee00000 | 7 << 12;
	ASSERT_OK(set_routes(vm, t));
	EXPECT_EQ(signal_msi(vm, 0, VECTOR | 1 << 15 | 1 << 14), 1);
	vcpu_expect_stage(vcpu, 5);
	EXPECT_EQ(*vm_var(vm, taken), 4);
}

/* Vectors VECTOR to VECTOR + 5, each by an IPI to itself: what the routes say of them alone decides whether the EOI leaves. */
enum { TO_ID_0, TO_ID_5, TO_MEMBER_0, TO_MEMBER_1, TO_MEMBER_2, TO_MEMBER_4_AND_1, NR_TARGETS };

static void take_all(long stage)
{
	taken = 0;
	for (uint32_t v = VECTOR; v < VECTOR + NR_TARGETS; v++) {
		if (apic_in_x2)
			x2apic_write(APIC_SELF_IPI, v);
		else
			xapic_write(APIC_ICR, 0x44000 | v);
		sti();
		cli();
	}
	GUEST_EXPECT_EQ(taken, NR_TARGETS);
	guest_stage(stage);
}

static void handle_in_either_mode(struct guest_frame *frame)
{
	taken++;
	apic_write(APIC_EOI, 0);
}

static void guest_changes_address(void)
{
	guest_idt_load();
	for (uint32_t v = VECTOR; v < VECTOR + NR_TARGETS; v++)
		guest_handle(v, handle_in_either_mode);
	xapic_write(APIC_SVR, 0x1ff);
	take_all(1);
	xapic_write(APIC_ID, 5 << 24);
	take_all(2);
	xapic_write(APIC_LDR, 4 << 24);
	take_all(3);
	xapic_write(APIC_LDR, 2 << 24);
	take_all(4);
	xapic_write(APIC_DFR, 0x0fffffff);		/* clusters: member 1 of number 0 */
	take_all(5);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 10);
	apic_in_x2 = true;
	take_all(6);
	wrmsr(MSR_APIC_BASE, APIC_MMIO);		/* off, and on in the other mode */
	wrmsr(MSR_APIC_BASE, APIC_MMIO | 1 << 11);
	apic_in_x2 = false;
	xapic_write(APIC_SVR, 0x1ff);
	xapic_write(APIC_DFR, 0xffffffff);		/* which KVM keeps from before */
	xapic_write(APIC_LDR, 4 << 24);
	take_all(7);
	take_all(8);					/* user space has changed the id and the LDR */
	apic_in_x2 = true;
	take_all(9);					/* and the mode */
	guest_done();
}

/* The vectors whose EOI leaves on the way to the stage. */
static void expect_exits(struct vcpu *vcpu, long stage, uint32_t want)
{
	uint32_t got = 0;
	long at;

	while ((at = vcpu_go(vcpu)) == OTHER_EXIT) {
		ASSERT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_IOAPIC_EOI);
		got |= 1u << (vcpu->run->eoi.vector - VECTOR);
	}
	ASSERT_EQ(at, stage);
	if (got != want)
		test_fail(__FILE__, __LINE__, "stage %ld: exits of %#x, not %#x", stage, got, want);
}

static void level_eoi_follows_the_address(void)
{
	static const struct {
		uint8_t dest, logical;
	} target[NR_TARGETS] = { { 0, 0 }, { 5, 0 }, { 1, 1 }, { 2, 1 }, { 4, 1 }, { 0x12, 1 } };
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_changes_address);
	struct kvirt_irq_routing *t = table(NR_TARGETS);
	struct kvirt_lapic_state l;
	struct kvirt_sregs s;

	for (uint32_t i = 0; i < NR_TARGETS; i++) {
		t->entries[i].u.msi.address_lo = 0xfee00000 | target[i].dest << 12 | target[i].logical << 2;
		t->entries[i].u.msi.data = (VECTOR + i) | 1 << 15 | 1 << 14;
	}
	ASSERT_OK(set_routes(vm, t));
	expect_exits(vcpu, 1, 1 << TO_ID_0);
	expect_exits(vcpu, 2, 1 << TO_ID_5);
	expect_exits(vcpu, 3, 1 << TO_ID_5 | 1 << TO_MEMBER_2);
	expect_exits(vcpu, 4, 1 << TO_ID_5 | 1 << TO_MEMBER_1 | 1 << TO_MEMBER_4_AND_1);
	expect_exits(vcpu, 5, 1 << TO_ID_5 | 1 << TO_MEMBER_1);
	expect_exits(vcpu, 6, 1 << TO_ID_0 | 1 << TO_MEMBER_0);
	expect_exits(vcpu, 7, 1 << TO_ID_0 | 1 << TO_MEMBER_2);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &l));
	*(uint32_t *)(l.regs + APIC_ID) = 5 << 24;
	*(uint32_t *)(l.regs + APIC_LDR) = 2 << 24;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &l));
	expect_exits(vcpu, 8, 1 << TO_ID_5 | 1 << TO_MEMBER_1 | 1 << TO_MEMBER_4_AND_1);
	s = vcpu_sregs(vcpu);
	s.apic_base |= 1 << 10;
	vcpu_set_sregs(vcpu, &s);
	expect_exits(vcpu, 9, 1 << TO_ID_0 | 1 << TO_MEMBER_0);
	vcpu_finish(vcpu);
}

static void guest_takes_extint(void)
{
	guest_idt_load();
	guest_handle(VECTOR, handle);
	guest_stage(1);			/* LINT0 is ExtINT from RESET on */
	sti();
	guest_stage(2);
	cli();
	xapic_write(APIC_LVT_LINT0, 0x10700);
	guest_stage(3);
	sti();
	guest_stage(4);
	guest_done();
}

/* KVM_INTERRUPT is the 8259's way in: through LINT0, one at a time. */
static void external(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new_split(), 0, guest_takes_extint);
	struct kvirt_interrupt irq = { .irq = VECTOR };

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 0);		/* IF is clear */
	vcpu->run->request_interrupt_window = 1;
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IRQ_WINDOW_OPEN);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 1);
	vcpu->run->request_interrupt_window = 0;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_INTERRUPT, &irq));
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_INTERRUPT, &irq), EEXIST);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(*vm_var(vcpu->vm, taken), 1);
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 0);
	/* The guest gets on though a window that LINT0 keeps shut is asked for. */
	vcpu->run->request_interrupt_window = 1;
	vcpu_expect_stage(vcpu, 4);
	vcpu->run->request_interrupt_window = 0;
	EXPECT_EQ(vcpu->run->if_flag, 1);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 0);		/* masked in LINT0 */
	vcpu_finish(vcpu);
	irq.irq = 256;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_INTERRUPT, &irq), EINVAL);
}

static const struct test tests[] = {
	TEST(signalling), TEST(routing), TEST(many_tables), TEST(level_eoi),
	TEST(level_eoi_follows_the_address), TEST(external),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt ioctls, as far as they go without a guest: INTERRUPT, NMI, lines, routing, MSI, VAPIC and TPR reporting. What
 * a guest gets of them is exits/interrupts.c and exits/lapic.c.
 */
#include <stdlib.h>

#include "vm.h"

#define BAD_POINTER	((void *)0x10ul)

static struct vm *bare_split(void)
{
	struct vm *vm = vm_bare();

	ASSERT_OK(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24));
	return vm;
}

static int interrupt(struct vcpu *vcpu, uint32_t irq)
{
	struct kvirt_interrupt i = { irq };

	return ioctl(vcpu->fd, KVIRT_INTERRUPT, &i);
}

static void interrupts(void)
{
	struct vcpu *none = vcpu_bare(vm_bare(), 0), *split = vcpu_bare(bare_split(), 0);
	struct kvirt_vcpu_events e;

	EXPECT_ERRNO(interrupt(none, 256), EINVAL);
	EXPECT_ERRNO(interrupt(none, -1u), EINVAL);
	EXPECT_ERRNO(ioctl(none->fd, KVIRT_INTERRUPT, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(none->fd, KVIRT_INTERRUPT, BAD_POINTER), EFAULT);
	ASSERT_OK(ioctl(none->fd, KVIRT_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(e.interrupt.injected, 0);
	/* Without an irqchip it is queued, and a second replaces it. */
	EXPECT_OK(interrupt(none, 0x31));
	ASSERT_OK(ioctl(none->fd, KVIRT_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(e.interrupt.injected, 1);
	EXPECT_EQ(e.interrupt.nr, 0x31);
	EXPECT_EQ(e.interrupt.soft, 0);
	EXPECT_OK(interrupt(none, 0x82));
	ASSERT_OK(ioctl(none->fd, KVIRT_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(e.interrupt.nr, 0x82);
	EXPECT_EQ(vcpu_sregs(none).interrupt_bitmap[2], 1ull << 2);
	/* The split form has one slot for the PIC in user space. */
	EXPECT_ERRNO(interrupt(split, 256), EINVAL);
	EXPECT_OK(interrupt(split, 0x31));
	EXPECT_ERRNO(interrupt(split, 0x32), EEXIST);
}

/* What a RUN that does not enter the guest says of whether an interrupt could go in. */
static void expect_ready(struct vcpu *vcpu, int ready)
{
	vcpu->run->immediate_exit = 1;
	vcpu->run->ready_for_interrupt_injection = 0x5a;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	if (vcpu->run->ready_for_interrupt_injection != ready)
		test_fail(__FILE__, __LINE__, "ready is %u, not %d", vcpu->run->ready_for_interrupt_injection, ready);
}

static struct vcpu *with_interrupts_on(struct vm *vm)
{
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct kvirt_regs r = vcpu_regs(vcpu);

	expect_ready(vcpu, 0);
	r.rflags |= 1 << 9;
	vcpu_set_regs(vcpu, &r);
	expect_ready(vcpu, 1);
	return vcpu;
}

/* IF alone is not enough: no shadow, nothing half-way in, and with the controllers split, room in LINT0's slot. */
static void readiness(void)
{
	struct kvirt_vcpu_events e, none;
	struct kvirt_lapic_state l;
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = with_interrupts_on(vm);

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &none));
	none.flags = KVIRT_VCPUEVENT_VALID_SHADOW | KVIRT_VCPUEVENT_VALID_NMI_PENDING;
#define NOT_READY(change)							\
	do {									\
		e = none;							\
		change;								\
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &e));		\
		expect_ready(vcpu, 0);						\
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &none));	\
		expect_ready(vcpu, 1);						\
	} while (0)
	NOT_READY(e.interrupt.shadow = KVIRT_X86_SHADOW_INT_STI);
	NOT_READY(e.interrupt.shadow = KVIRT_X86_SHADOW_INT_MOV_SS);
	NOT_READY(e.exception.injected = 1; e.exception.nr = 6);
	NOT_READY(e.nmi.injected = 1);
	NOT_READY(e.interrupt.injected = 1; e.interrupt.nr = 0x31);
#undef NOT_READY
	EXPECT_OK(interrupt(vcpu, 0x31));
	expect_ready(vcpu, 0);

	vcpu = with_interrupts_on(bare_split());
	EXPECT_OK(interrupt(vcpu, 0x31));
	expect_ready(vcpu, 0);
	vcpu = with_interrupts_on(bare_split());
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &l));
	*(uint32_t *)(l.regs + 0x350) |= 1 << 16;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &l));
	expect_ready(vcpu, 0);
	/* Whoever has the PIC in the kernel has nothing to wait for. */
	vm = vm_bare();
	ASSERT_OK(ioctl(vm->fd, KVIRT_CREATE_IRQCHIP, 0));
	expect_ready(vcpu_bare(vm, 0), 1);
}

static void nmis(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_bare(), 0);
	struct kvirt_vcpu_events e;

	EXPECT_OK(ioctl(vcpu->fd, KVIRT_NMI, 0));
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_NMI, 0));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(e.nmi.pending, 1);
	EXPECT_EQ(e.nmi.injected, 0);
}

static void lines(void)
{
	struct vm *none = vm_bare(), *split = bare_split();
	struct kvirt_irq_level l = { .irq = 4, .level = 1 };

	EXPECT_ERRNO(ioctl(none->fd, KVIRT_IRQ_LINE, &l), ENXIO);
	EXPECT_ERRNO(ioctl(none->fd, KVIRT_IRQ_LINE_STATUS, &l), ENXIO);
	EXPECT_ERRNO(ioctl(none->fd, KVIRT_IRQ_LINE, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(split->fd, KVIRT_IRQ_LINE_STATUS, BAD_POINTER), EFAULT);
	/* The split form starts without routes: a line leads nowhere, which is no error. */
	EXPECT_OK(ioctl(split->fd, KVIRT_IRQ_LINE, &l));
	EXPECT_OK(ioctl(split->fd, KVIRT_IRQ_LINE_STATUS, &l));
	EXPECT(l.status < 0);
	l = (struct kvirt_irq_level){ .irq = -1u, .level = 1 };
	EXPECT_OK(ioctl(split->fd, KVIRT_IRQ_LINE, &l));
}

static struct kvirt_irq_routing *routes(uint32_t nr)
{
	struct kvirt_irq_routing *r = calloc(1, sizeof(*r) + (nr + 1) * sizeof(r->entries[0]));

	ASSERT(r);
	r->nr = nr;
	for (uint32_t i = 0; i < nr; i++) {
		r->entries[i].gsi = i;
		r->entries[i].type = KVIRT_IRQ_ROUTING_MSI;
		r->entries[i].u.msi.address_lo = 0xfee00000;
		r->entries[i].u.msi.data = 0x30;
	}
	return r;
}

static void routing(void)
{
	struct vm *vm = bare_split();
	struct kvirt_irq_routing *r = routes(24), *most = routes(4096);

	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r));
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, most));
	r->nr = 0;
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r));
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r));
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, BAD_POINTER), EFAULT);
	EXPECT_ERRNO(ioctl(vm_bare()->fd, KVIRT_SET_GSI_ROUTING, r), EINVAL);

#define REFUSED(change)									\
	do {										\
		r = routes(24);								\
		change;									\
		EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r), EINVAL);		\
	} while (0)
	most->nr = 4097;
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, most), EINVAL);
	REFUSED(r->nr = -1u);
	REFUSED(r->flags = 1);
	REFUSED(r->entries[5].flags = 2);
	REFUSED(r->entries[5].gsi = 4096);
	REFUSED(r->entries[5].gsi = -1u);
	REFUSED(r->entries[5].type = 0);
	REFUSED(r->entries[5].type = 3);
	REFUSED(r->entries[5].type = 77);
	REFUSED(r->entries[5].gsi = 4);
	/* No chip in the kernel. */
	REFUSED((r->entries[5].type = KVIRT_IRQ_ROUTING_IRQCHIP, r->entries[5].u.irqchip.irqchip = KVIRT_IRQCHIP_IOAPIC));
#undef REFUSED
	/* The entry's pad and unused words are no flags. */
	r = routes(24);
	r->entries[3].pad = 1;
	r->entries[3].u.pad[7] = 1;
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r));
	/* With 32-bit ids the low byte of the upper address is reserved. */
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_X2APIC_API, KVIRT_X2APIC_API_USE_32BIT_IDS));
	r->entries[3].u.msi.address_hi = 0x100;
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r));
	r->entries[3].u.msi.address_hi = 0x101;
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r), EINVAL);
}

static void routing_many_times(void)
{
	struct vm *vm = bare_split();
	struct kvirt_irq_routing *r = routes(24);

	for (int i = 0; i < 700; i++)
		ASSERT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r));
}

static void msi(void)
{
	struct vm *none = vm_bare(), *split = bare_split();
	struct kvirt_msi m = { .address_lo = 0xfee00000, .data = 0x41 };
	struct vcpu *vcpu;
	struct kvirt_lapic_state l;

	EXPECT_ERRNO(ioctl(none->fd, KVIRT_SIGNAL_MSI, &m), EINVAL);
	/* To nobody. */
	EXPECT_ERRNO(ioctl(split->fd, KVIRT_SIGNAL_MSI, &m), EPERM);
	vcpu = vcpu_bare(split, 0);
	/* To an APIC that is disabled by its spurious-interrupt register. */
	errno = 0;
	EXPECT(ioctl(split->fd, KVIRT_SIGNAL_MSI, &m) <= 0);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &l));
	*(uint32_t *)(l.regs + 0xf0) = 0x1ff;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &l));
	EXPECT_EQ(ioctl(split->fd, KVIRT_SIGNAL_MSI, &m), 1);
	/* Once more while it is pending: accepted, though it is one in the end. */
	EXPECT_EQ(ioctl(split->fd, KVIRT_SIGNAL_MSI, &m), 1);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &l));
	EXPECT_EQ(*(uint32_t *)(l.regs + 0x220), 2);
	/* To nobody, while there is somebody else. */
	m.address_lo |= 7 << 12;
	EXPECT(ioctl(split->fd, KVIRT_SIGNAL_MSI, &m) <= 0);
	/* Broadcast. */
	m.address_lo = 0xfeeff000;
	m.data = 0x42;
	EXPECT_EQ(ioctl(split->fd, KVIRT_SIGNAL_MSI, &m), 1);
	m.flags = 2;
	EXPECT_ERRNO(ioctl(split->fd, KVIRT_SIGNAL_MSI, &m), EINVAL);
	EXPECT_ERRNO(ioctl(split->fd, KVIRT_SIGNAL_MSI, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(split->fd, KVIRT_SIGNAL_MSI, BAD_POINTER), EFAULT);
}

/* A line that is routed as MSI delivers at its rising edge. */
static void routed_line(void)
{
	struct vm *vm = bare_split();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct kvirt_irq_routing *r = routes(24);
	struct kvirt_irq_level l = { .irq = 5, .level = 1 };
	struct kvirt_lapic_state apic;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &apic));
	*(uint32_t *)(apic.regs + 0xf0) = 0x1ff;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &apic));
	r->entries[5].u.msi.data = 0x45;
	ASSERT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r));
	EXPECT_OK(ioctl(vm->fd, KVIRT_IRQ_LINE_STATUS, &l));
	EXPECT_EQ(l.status, 1);
	l = (struct kvirt_irq_level){ .irq = 5, .level = 0 };
	EXPECT_OK(ioctl(vm->fd, KVIRT_IRQ_LINE_STATUS, &l));
	l = (struct kvirt_irq_level){ .irq = 5, .level = 1 };
	EXPECT_OK(ioctl(vm->fd, KVIRT_IRQ_LINE_STATUS, &l));
	EXPECT_EQ(l.status, 1);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &apic));
	EXPECT_EQ(*(uint32_t *)(apic.regs + 0x220), 1 << 5);
}

static void vapic_and_tpr(void)
{
	struct vcpu *none = vcpu_bare(vm_bare(), 0), *split = vcpu_bare(vm_new_split(), 0);
	struct kvirt_vapic_addr v = { 0 };
	struct kvirt_tpr_access_ctl t = { .enabled = 1 };

	EXPECT_ERRNO(ioctl(none->fd, KVIRT_SET_VAPIC_ADDR, &v), EINVAL);
	if (!dev_cap(KVIRT_CAP_VAPIC)) {
		/* Not offered, not there. */
		EXPECT_ERRNO(ioctl(split->fd, KVIRT_SET_VAPIC_ADDR, &v), EINVAL);
		EXPECT_ERRNO(ioctl(split->fd, KVIRT_TPR_ACCESS_REPORTING, &t), EINVAL);
		return;
	}
	EXPECT_OK(ioctl(split->fd, KVIRT_SET_VAPIC_ADDR, &v));
	v.vapic_addr = 0x5000;
	EXPECT_OK(ioctl(split->fd, KVIRT_SET_VAPIC_ADDR, &v));
	v.vapic_addr = 0xc0000000;
	EXPECT_ERRNO(ioctl(split->fd, KVIRT_SET_VAPIC_ADDR, &v), EINVAL);
	EXPECT_ERRNO(ioctl(split->fd, KVIRT_SET_VAPIC_ADDR, NULL), EFAULT);

	EXPECT_OK(ioctl(split->fd, KVIRT_TPR_ACCESS_REPORTING, &t));
	t.flags = 1;
	EXPECT_ERRNO(ioctl(split->fd, KVIRT_TPR_ACCESS_REPORTING, &t), EINVAL);
	EXPECT_ERRNO(ioctl(split->fd, KVIRT_TPR_ACCESS_REPORTING, NULL), EFAULT);
}

static const struct test tests[] = {
	TEST(interrupts),
	TEST(readiness),
	TEST(nmis),
	TEST(lines),
	TEST(routing),
	TEST(routing_many_times),
	TEST(msi),
	TEST(routed_line),
	TEST(vapic_and_tpr),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

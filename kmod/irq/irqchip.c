// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC, the 8259s and the 8254 of a VM, with their lock, their timer and their place on the
 * bus; and the end of an interrupt, from where the guest says it to whom it concerns. Called by the
 * bus, api/, route.c (lines) and lapic.c (EOIs).
 *
 * Whoever changes a chip does so between irqs off and leave(), which carries on what follows. What
 * the guest has ended is told without the lock: that may set lines.
 */
#include <linux/hrtimer.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include "../host/compat.h"
#include "irqchip.h"
#include "lapic.h"

/* c: under lock, a leaf that hard interrupts take too; a: to read without it */
struct irqchips {
	struct vm *vm;			/* constant */
	struct bus_device device;	/* constant: all ports, and the I/O APIC's page */
	raw_spinlock_t lock;
	struct chip_ioapic ioapic;	/* c */
	struct chip_pic pic;		/* c */
	struct chip_pit pit;		/* c */
	u8 lines[3][IOAPIC_PINS];	/* c: by chip and pin: who holds it high, BIT(irq_source) */
	unsigned long vectors[4];	/* c, a: those that the I/O APIC's pins have */
	struct hrtimer timer;		/* c: for pit.deadline ... */
	u64 armed;			/* c: ... and what it was started for, ~0: it was not */
	bool has_pit;			/* vm->lock */
};

/* Send what is due on @pin: how many took it, -1: nothing was due. */
static int service(struct irqchips *c, u32 pin)
{
	struct irq_message m;
	int taken;

	if (!chip_ioapic_message(&c->ioapic, pin, &m))
		return -1;
	m.dest8 = !READ_ONCE(c->vm->x2apic_no_broadcast_quirk);
	taken = irq_deliver(c->vm, NULL, &m);
	chip_ioapic_sent(&c->ioapic, pin, taken);
	return taken;
}

/* INTR has gone up: who takes it directly is to look. Its fall needs no telling. */
static void update_extint(struct irqchips *c)
{
	bool extint = chip_pic_output(&c->pic);
	struct vcpu *vcpu;
	unsigned int i;

	if (extint == c->vm->extint)
		return;
	WRITE_ONCE(c->vm->extint, extint);
	if (!extint)
		return;
	/* Pairs with publish(): either it sees INTR, or we see that it listens. */
	smp_mb();
	vm_for_each_vcpu(c->vm, i, vcpu)
		if (READ_ONCE(vcpu->irq_address) & LAPIC_ADDRESS_EXTINT)
			vcpu_request(vcpu, REQUEST_EVENT);
}

static void arm(struct irqchips *c)
{
	u64 deadline = c->pit.deadline;

	if (c->armed == deadline)
		return;
	c->armed = deadline;
	if (deadline == ~0ULL)
		hrtimer_try_to_cancel(&c->timer);
	else
		hrtimer_start(&c->timer, ns_to_ktime(deadline), HRTIMER_MODE_ABS_PINNED_HARD);
}

static void pulse(struct vm *vm)
{
	irq_set(vm, IRQ_SOURCE_PIT, 0, 1);
	irq_set(vm, IRQ_SOURCE_PIT, 0, 0);
}

/* The guest has ended interrupts of @pins: tell who waits for that, the 8254 and the resamplers. */
static void acked(struct vm *vm, u32 chip, u32 pins)
{
	struct irqchips *c = vm->chips;
	unsigned long flags;
	bool tick;

	if (!pins)
		return;
	if (route_has(vm, 0, chip, pins)) {
		raw_spin_lock_irqsave(&c->lock, flags);
		tick = chip_pit_ack(&c->pit);
		raw_spin_unlock_irqrestore(&c->lock, flags);
		if (tick)
			pulse(vm);
	}
	irqfds_acked(vm, chip, pins);
}

static void leave(struct irqchips *c, unsigned long flags) __releases(&c->lock)
{
	struct irqchip_fx ioapic = c->ioapic.fx, pic = c->pic.fx;
	unsigned long pins = ioapic.service;
	u32 pin;

	c->ioapic.fx = (struct irqchip_fx){ 0 };
	c->pic.fx = (struct irqchip_fx){ 0 };
	for_each_set_bit(pin, &pins, IOAPIC_PINS)
		service(c, pin);
	update_extint(c);
	arm(c);
	/* A tick that came to a masked line has no EOI to wait for. */
	if (route_has(c->vm, 0, KVIRT_IRQCHIP_IOAPIC, ioapic.unmasked) ||
	    route_has(c->vm, 0, KVIRT_IRQCHIP_PIC_MASTER, pic.unmasked))
		chip_pit_forget(&c->pit);
	raw_spin_unlock_irqrestore(&c->lock, flags);
	acked(c->vm, KVIRT_IRQCHIP_PIC_MASTER, pic.acked & 0xff);
	acked(c->vm, KVIRT_IRQCHIP_PIC_SLAVE, pic.acked >> 8);
}

int irqchip_set_line(struct vm *vm, u32 chip, u32 pin, enum irq_source source, bool level)
{
	u8 *line = &vm->chips->lines[array_index_nospec(chip, KVIRT_NR_IRQCHIPS)]
				    [array_index_nospec(pin, IOAPIC_PINS)];
	struct irqchips *c = vm->chips;
	unsigned long flags;
	int status;

	raw_spin_lock_irqsave(&c->lock, flags);
	*line = level ? *line | BIT(source) : *line & ~BIT(source);
	if (chip == KVIRT_IRQCHIP_IOAPIC)
		status = chip_ioapic_set_line(&c->ioapic, pin, *line);
	else
		status = chip_pic_set_line(&c->pic, pin + 8 * chip, *line);
	if (status == IOAPIC_SERVICE)
		status = service(c, pin);
	leave(c, flags);
	return status;
}

u8 pic_acknowledge(struct vm *vm)
{
	struct irqchips *c = vm->chips;
	unsigned long flags;
	u8 vector;

	raw_spin_lock_irqsave(&c->lock, flags);
	vector = chip_pic_acknowledge(&c->pic);
	leave(c, flags);
	return vector;
}

u32 ioapic_pins(struct vm *vm, u8 vector)
{
	struct irqchips *c = vm->chips;
	unsigned long flags;
	u32 pins;

	if (!test_bit(vector, c->vectors))
		return 0;
	raw_spin_lock_irqsave(&c->lock, flags);
	pins = chip_ioapic_pins(&c->ioapic, vector);
	raw_spin_unlock_irqrestore(&c->lock, flags);
	return pins;
}

/* Who waits for the end goes first: he may lower the line, which would else come again. */
void irq_eoi(struct vm *vm, u8 vector, bool level)
{
	u32 pins = ioapic_pins(vm, vector);
	struct irqchips *c = vm->chips;
	unsigned long flags;

	acked(vm, KVIRT_IRQCHIP_IOAPIC, pins);
	if (!pins || !level)
		return;
	raw_spin_lock_irqsave(&c->lock, flags);
	chip_ioapic_eoi(&c->ioapic, vector);
	leave(c, flags);
}

static enum hrtimer_restart pit_expired(struct hrtimer *timer)
{
	struct irqchips *c = container_of(timer, struct irqchips, timer);
	unsigned long flags;
	bool tick;

	raw_spin_lock_irqsave(&c->lock, flags);
	tick = chip_pit_expire(&c->pit, ktime_get_ns());
	c->armed = ~0ULL;
	leave(c, flags);
	if (tick)
		pulse(c->vm);
	return HRTIMER_NORESTART;
}

static void scan_vectors(struct irqchips *c)
{
	unsigned long vectors[4] = { 0 };
	u32 i;

	for (i = 0; i < IOAPIC_PINS; i++)
		__set_bit((u8)c->ioapic.entry[i], vectors);
	for (i = 0; i < 4; i++)
		WRITE_ONCE(c->vectors[i], vectors[i]);
}

/* The 8259s have an 8-bit bus and answer nothing else. */
static int chips_access(struct bus_device *device, struct vcpu *vcpu, u64 addr, void *data, u32 len,
			enum bus_access access)
{
	bool pit = (addr & ~3ULL) == PIT_PORT || addr == PIT_SPEAKER_PORT;
	struct irqchips *c = container_of(device, struct irqchips, device);
	unsigned long flags;
	u64 value = 0;

	if (pit && !READ_ONCE(c->has_pit))
		return -ENOENT;
	if (access == BUS_WRITE)
		memcpy(&value, data, len);
	raw_spin_lock_irqsave(&c->lock, flags);
	if (addr >= IOAPIC_BASE && access == BUS_READ) {
		value = chip_ioapic_read(&c->ioapic, addr - IOAPIC_BASE);
	} else if (addr >= IOAPIC_BASE) {
		chip_ioapic_write(&c->ioapic, addr - IOAPIC_BASE, value);
		scan_vectors(c);
	} else if (pit && access == BUS_READ) {
		value = chip_pit_read(&c->pit, addr, ktime_get_ns());
	} else if (pit) {
		chip_pit_write(&c->pit, addr, value, ktime_get_ns());
	} else if (len == 1 && access == BUS_READ) {
		value = chip_pic_read(&c->pic, addr);
	} else if (len == 1) {
		chip_pic_write(&c->pic, addr, value);
	}
	leave(c, flags);
	if (access == BUS_READ)
		memcpy(data, &value, len);
	return 0;
}

long irqchip_state(struct vm *vm, unsigned int cmd, void *data)
{
	struct kvirt_irqchip *state = data;
	bool ioapic = state->chip_id == KVIRT_IRQCHIP_IOAPIC;
	struct irqchips *c = vm->chips;
	unsigned long flags;

	if (READ_ONCE(vm->irqchip) != IRQCHIP_KERNEL)
		return -ENXIO;
	if (state->chip_id >= KVIRT_NR_IRQCHIPS)
		return -EINVAL;
	raw_spin_lock_irqsave(&c->lock, flags);
	if (cmd == KVIRT_GET_IRQCHIP && ioapic)
		chip_ioapic_save(&c->ioapic, &state->chip.ioapic);
	else if (cmd == KVIRT_GET_IRQCHIP)
		state->chip.pic = c->pic.chip[state->chip_id & 1];
	else if (ioapic)
		chip_ioapic_restore(&c->ioapic, &state->chip.ioapic);
	else
		chip_pic_restore(&c->pic, state->chip_id & 1, &state->chip.pic);
	scan_vectors(c);
	leave(c, flags);
	return 0;
}

/* The older form of the state is the first bytes of the newer one: it ends before the flags. */
long pit_state(struct vm *vm, unsigned int cmd, void *data)
{
	const struct kvirt_reinject_control *control = data;
	struct irqchips *c = vm->chips;
	struct kvirt_pit_state2 state;
	unsigned long flags;

	if (!c || !READ_ONCE(c->has_pit))
		return -ENXIO;
	raw_spin_lock_irqsave(&c->lock, flags);
	state = c->pit.state;
	switch (cmd) {
	case KVIRT_REINJECT_CONTROL:
		if (control->pit_reinject && !c->pit.reinject)
			chip_pit_forget(&c->pit);
		c->pit.reinject = control->pit_reinject;
		break;
	case KVIRT_GET_PIT:
	case KVIRT_GET_PIT2:
		memcpy(data, &state, _IOC_SIZE(cmd));
		break;
	default:
		memcpy(&state, data, _IOC_SIZE(cmd));
		chip_pit_restore(&c->pit, &state, ktime_get_ns());
	}
	leave(c, flags);
	return 0;
}

long irqchips_create(struct vm *vm)
{
	struct irqchips *c;
	long err;

	mutex_lock(&vm->lock);
	err = vm->irqchip != IRQCHIP_NONE ? -EEXIST : vm_nr_vcpus(vm) ? -EINVAL : 0;
	if (err)
		goto unlock;
	err = -ENOMEM;
	c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	if (!c)
		goto unlock;
	c->vm = vm;
	c->device.access = chips_access;
	c->armed = ~0ULL;
	raw_spin_lock_init(&c->lock);
	hrtimer_setup(&c->timer, pit_expired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
	chip_ioapic_reset(&c->ioapic);
	chip_pic_reset(&c->pic);
	chip_pit_reset(&c->pit, ktime_get_ns());
	vm->chips = c;
	mutex_lock(&vm->bus_lock);
	err = bus_add(vm, BUS_PIO, PIC_MASTER_PORT, 2, &c->device) ?:
	      bus_add(vm, BUS_PIO, PIC_SLAVE_PORT, 2, &c->device) ?:
	      bus_add(vm, BUS_PIO, PIC_ELCR_PORT, 2, &c->device) ?:
	      bus_add(vm, BUS_MMIO, IOAPIC_BASE, IOAPIC_SIZE, &c->device);
	mutex_unlock(&vm->bus_lock);
	err = err ?: routes_set_default(vm);
	if (!err) {
		/* From here on others use them. */
		smp_store_release(&vm->irqchip, IRQCHIP_KERNEL);
		goto unlock;
	}
	mutex_lock(&vm->bus_lock);
	bus_remove(vm, &c->device);
	mutex_unlock(&vm->bus_lock);
	irqchips_free(vm);
unlock:
	mutex_unlock(&vm->lock);
	return err;
}

void irqchips_free(struct vm *vm)
{
	hrtimer_cancel(&vm->chips->timer);
	kfree(vm->chips);
	vm->chips = NULL;
}

long pit_create(struct vm *vm, void *data)
{
	const struct kvirt_pit_config *config = data;
	struct irqchips *c;
	long err;

	mutex_lock(&vm->lock);
	c = vm->chips;
	err = vm->irqchip != IRQCHIP_KERNEL ? -ENOENT : c->has_pit ? -EEXIST : 0;
	if (err)
		goto unlock;
	mutex_lock(&vm->bus_lock);
	err = bus_add(vm, BUS_PIO, PIT_PORT, 4, &c->device);
	if (!err && (!config || config->flags & KVIRT_PIT_SPEAKER_DUMMY))
		err = bus_add(vm, BUS_PIO, PIT_SPEAKER_PORT, 1, &c->device);
	mutex_unlock(&vm->bus_lock);
	if (!err)
		WRITE_ONCE(c->has_pit, true);
unlock:
	mutex_unlock(&vm->lock);
	return err;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What brings interrupts from devices to LAPICs. irqchip.c: the chips of the full in-kernel
 * irqchip, glue that locks the models of chip/irqchip.h, sends what they ask for, keeps their
 * timer, and puts them on the bus. route.c: MSIs, and GSI routes, each to one MSI or to a pin of
 * each of those chips. eventfd.c: guest writes that signal one, interrupts that one signals.
 *
 * Ioctls get a kernel copy of their structure and give 0, or the errno that the UAPI header tells;
 * process context. The freeing functions: nobody can reach the VM any more, its vCPUs are still
 * there. The others, unless said otherwise, are for any context but NMI, a strict window too.
 */
#ifndef KVIRT_IRQ_IRQCHIP_H
#define KVIRT_IRQ_IRQCHIP_H

#include "../chip/irqchip.h"
#include "../vm/vcpu.h"
#include "../vm/vm.h"

#define ROUTES_MAX	4096	/* KVM_CAP_IRQ_ROUTING; GSIs are below it too */

/* Who drives a line; it is high while one does. */
enum irq_source { IRQ_SOURCE_USER, IRQ_SOURCE_RESAMPLER, IRQ_SOURCE_PIT };

/*
 * irqchip.c's ioctls. irqchip_state(), pit_state() - by @cmd KVM_{GET,SET}_IRQCHIP, and
 * KVM_{GET,SET}_PIT, PIT2, KVM_REINJECT_CONTROL. pit_create() takes NULL for KVM_CREATE_PIT.
 */
long irqchips_create(struct vm *vm);
void irqchips_free(struct vm *vm);
long irqchip_state(struct vm *vm, unsigned int cmd, void *data);
long pit_create(struct vm *vm, void *data);
long pit_state(struct vm *vm, unsigned int cmd, void *data);

/* With vm->chips. The level of a pin, 8 of each 8259, 24 of the I/O APIC: irq_set()'s answer. */
int irqchip_set_line(struct vm *vm, u32 chip, u32 pin, enum irq_source source, bool level);
/* The CPU takes the vector that vm->extint told of. */
u8 pic_acknowledge(struct vm *vm);
/* A LAPIC's EOI: tell the I/O APIC and who waits for it. The pins that have @vector. */
void irq_eoi(struct vm *vm, u8 vector, bool level);
u32 ioapic_pins(struct vm *vm, u8 vector);

/*
 * routes_set() - replace all routes by @entries (a kernel copy). 0; -EINVAL for a GSI too large,
 * routed twice, or to what the VM does not have; -ENOMEM. Process context; waits for no grace
 * period. routes_set_default() - KVM_CREATE_IRQCHIP's: each GSI to the pins of its number.
 */
int routes_set(struct vm *vm, const struct kvirt_irq_routing_entry *entries, u32 nr);
int routes_set_default(struct vm *vm);
void routes_free(struct vm *vm);
/* Does @gsi lead to one of @pins of @chip? */
bool route_has(struct vm *vm, u32 gsi, u32 chip, u32 pins);

/*
 * msi_signal() - KVM_SIGNAL_MSI: irq_deliver()'s answer, or -EINVAL.
 * irq_set() - the level of a GSI: the sum of what irq_deliver() gives; 0: merged with one
 * before; -1: ignored.
 */
long msi_signal(struct vm *vm, void *data);
int irq_set(struct vm *vm, enum irq_source source, u32 gsi, bool level);

/*
 * On REQUEST_ROUTES: which vectors' EOIs leave to the IOAPIC in user space, for
 * vcpu->eoi_exits: the level-triggered routes of its pins. Owner, with a LAPIC, process context.
 */
void eoi_scan(struct vcpu *vcpu);

/* KVM_IOEVENTFD, KVM_IRQFD. */
long ioeventfd_set(struct vm *vm, void *data);
void ioeventfds_free(struct vm *vm);
long irqfd_set(struct vm *vm, void *data);
void irqfds_free(struct vm *vm);
/* The guest has ended interrupts of @pins of @chip: resample. */
void irqfds_acked(struct vm *vm, u32 chip, u32 pins);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Eventfds: guest writes that signal one (KVM_IOEVENTFD), interrupts that one signals (KVM_IRQFD).
 * The setters get a kernel copy of their structure and give 0 or the UAPI header's errno; process
 * context. The freeing ones: nobody can reach the VM any more, its vCPUs are still there.
 */
#ifndef KVIRT_IRQ_EVENTFD_H
#define KVIRT_IRQ_EVENTFD_H

#include <uapi/linux/kvirt.h>
#include "../vm/vm.h"

long ioeventfd_set(struct vm *vm, void *data);
void ioeventfds_free(struct vm *vm);
long irqfd_set(struct vm *vm, void *data);
void irqfds_free(struct vm *vm);
/* The guest has ended interrupts of @pins of @chip: resample. Any context but NMI. */
void irqfds_acked(struct vm *vm, u32 chip, u32 pins);

#endif

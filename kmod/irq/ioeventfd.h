/* SPDX-License-Identifier: GPL-2.0 */
/* Guest writes to a port or an address that signal an eventfd: KVM_IOEVENTFD. */
#ifndef KVIRT_IRQ_IOEVENTFD_H
#define KVIRT_IRQ_IOEVENTFD_H

#include <uapi/linux/kvirt.h>
#include "../vm/vm.h"

/*
 * ioeventfd_set() - assign or deassign as @args (a kernel copy) says: 0 or the errno that the
 * UAPI header tells. Process context. ioeventfds_free(): nobody can reach the VM any more.
 */
int ioeventfd_set(struct vm *vm, const struct kvirt_ioeventfd *args);
void ioeventfds_free(struct vm *vm);

#endif

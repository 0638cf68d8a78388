/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the host does to the memory of a process that has VMs, told to their nested
 * tables. One mmu_notifier for each mm, shared by its VMs. vm/vm.c attaches and detaches.
 */
#ifndef KVIRT_VM_NOTIFIER_H
#define KVIRT_VM_NOTIFIER_H

struct vm;

/*
 * notifier_attach() - vm->mm is set, npt and slots are initialised; from here on host
 * memory changes reach @vm. Process context. -ENOMEM, -EINTR (killed meanwhile).
 * notifier_detach() - when it returns no callback touches @vm; waits for no grace period.
 */
int notifier_attach(struct vm *vm);
void notifier_detach(struct vm *vm);

/* Module unload, all VMs gone: wait until no callback can run any more. */
void notifier_module_exit(void);

#endif

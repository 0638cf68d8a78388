/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The body of a nested fault: find the host page of a guest-physical address and put
 * it into the nested tables. run/fault.c calls it.
 */
#ifndef KVIRT_VM_POPULATE_H
#define KVIRT_VM_POPULATE_H

#include <linux/types.h>

struct vcpu;

/*
 * populate() - owner's thread, no window open, may sleep, vm->srcu not held.
 * @access: ACCESS_* of exit.h.
 *   0           mapped, or memory is just changing: enter again, it may fault again
 *   -ENOENT     no slot there: MMIO
 *   -EROFS      a write into a read-only slot: MMIO
 *   -EFAULT     the process has no such memory there: KVM_RUN gives -EFAULT
 *   -EHWPOISON  the page is broken; SIGBUS is already sent: as 0, the signal ends KVM_RUN
 *   -EINTR      a signal came while waiting for the page
 *   -ENOMEM     no memory for tables
 *
 * populate_in_window() - window open: never waits. As above, or -EAGAIN: close the
 * window and call populate(). It gives no -EFAULT, -EHWPOISON, -EINTR, -ENOMEM.
 */
int populate(struct vcpu *vcpu, u64 gpa, u8 access);
int populate_in_window(struct vcpu *vcpu, u64 gpa, u8 access);

#endif

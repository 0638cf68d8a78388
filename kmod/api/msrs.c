// SPDX-License-Identifier: GPL-2.0
/* KVM_GET_MSRS and KVM_SET_MSRS: as many as can be done, and how many those were. */
#include <linux/slab.h>
#include "../run/run.h"
#include "api.h"

#define MSRS_MAX 256	/* this many and more are -E2BIG, as with KVM */

/* On the device: what the feature MSRs of a new vCPU can be at most. */
static int read_feature(u32 index, u64 *value)
{
	const struct x86_msr *row = x86_msr_find(index);

	if (!row || !(row->flags & X86_MSR_FEATURE))
		return 1;
	*value = row->reset;
	return 0;
}

long ioctl_msrs(struct vcpu *vcpu, unsigned int cmd, void __user *argp)
{
	struct kvirt_msrs __user *msrs = argp;
	struct kvirt_msr_entry *entries, *e;
	struct kvirt_msrs head;
	size_t size;
	long n;

	if (copy_from_user(&head, msrs, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= MSRS_MAX)
		return -E2BIG;
	size = head.nmsrs * sizeof(*entries);
	entries = memdup_user(msrs->entries, size);
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	for (e = entries; e < entries + head.nmsrs; e++)
		if (!vcpu ? read_feature(e->index, &e->data) :
		    cmd == KVIRT_GET_MSRS ? msr_read(vcpu, e->index, &e->data, X86_MSR_BY_USER) :
					    msr_write(vcpu, e->index, e->data, X86_MSR_BY_USER))
			break;
	n = e - entries;
	if (cmd == KVIRT_GET_MSRS && copy_to_user(msrs->entries, entries, size))
		n = -EFAULT;
	kfree(entries);
	return n;
}

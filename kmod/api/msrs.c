// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_GET_MSRS and KVM_SET_MSRS: as many as can be done, and how many those were; and what
 * KVM_X86_SET_MSR_FILTER makes of user space's ranges.
 */
#include <linux/mm.h>
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

static void free_filter(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct msr_filter, rcu));
}

static long fill_filter(struct msr_filter *filter, const struct kvirt_msr_filter *given)
{
	const struct kvirt_msr_filter_range *r = given->ranges;
	struct msr_filter_range *to = filter->range;
	size_t size;

	for (; r < given->ranges + ARRAY_SIZE(given->ranges); r++) {
		if (!r->nmsrs)
			continue;
		size = BITS_TO_LONGS(r->nmsrs) * sizeof(long);
		if (!r->flags || r->flags & ~(KVIRT_MSR_FILTER_READ | KVIRT_MSR_FILTER_WRITE) ||
		    size > sizeof(to->bitmap))
			return -EINVAL;
		to->access = r->flags;
		to->base = r->base;
		to->n = r->nmsrs;
		if (copy_from_user((to++)->bitmap, (void __user *)r->bitmap, size))
			return -EFAULT;
	}
	filter->n = to - filter->range;
	filter->deny = given->flags;
	/* Who denies everything has forgotten something. */
	return given->flags & ~KVIRT_MSR_FILTER_DEFAULT_DENY || (given->flags && !filter->n) ?
	       -EINVAL : 0;
}

long set_msr_filter(struct vm *vm, void *given)
{
	struct msr_filter *filter = kvzalloc(sizeof(*filter), GFP_KERNEL_ACCOUNT), *old;
	struct vcpu *vcpu;
	unsigned int i;
	long err;

	if (!filter)
		return -ENOMEM;
	err = fill_filter(filter, given);
	/* No range, and what no range decides is allowed: as without a filter. */
	if (err || !filter->n) {
		kvfree(filter);
		filter = NULL;
	}
	if (err)
		return err;
	mutex_lock(&vm->lock);
	old = rcu_replace_pointer(vm->msr_filter, filter, lockdep_is_held(&vm->lock));
	mutex_unlock(&vm->lock);
	if (old)
		call_srcu(&vm->srcu, &old->rcu, free_filter);
	vm_for_each_vcpu(vm, i, vcpu)
		vcpu_request(vcpu, REQUEST_MSR_FILTER);
	return 0;
}

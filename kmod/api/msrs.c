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

static long serve_msrs(struct vcpu *vcpu, struct kvirt_msr_entry *entries, u32 n,
		       enum msrs_direction direction)
{
	u32 i;

	for (i = 0; i < n; i++) {
		struct kvirt_msr_entry *e = &entries[i];
		int failed;

		if (!vcpu)
			failed = read_feature(e->index, &e->data);
		else if (direction == MSRS_GET)
			failed = msr_read(vcpu, e->index, &e->data, X86_MSR_BY_USER);
		else
			failed = msr_write(vcpu, e->index, e->data, X86_MSR_BY_USER);
		if (failed)
			break;
	}
	return i;
}

long ioctl_msrs(struct vcpu *vcpu, void __user *argp, enum msrs_direction direction)
{
	struct kvirt_msrs __user *msrs = argp;
	struct kvirt_msr_entry *entries;
	struct kvirt_msrs head;
	size_t size;
	long n;

	if (copy_from_user(&head, msrs, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= MSRS_MAX)
		return -E2BIG;
	if (!head.nmsrs)
		return 0;
	size = head.nmsrs * sizeof(*entries);
	entries = memdup_user(msrs->entries, size);
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	n = serve_msrs(vcpu, entries, head.nmsrs, direction);
	if (direction == MSRS_GET && copy_to_user(msrs->entries, entries, size))
		n = -EFAULT;
	kfree(entries);
	return n;
}

#define BITMAP_BYTES_MAX	1536UL

/* Bytes of a range's bitmap, which goes by words; 0: the range is not used. */
static size_t range_bytes(const struct kvirt_msr_filter_range *r)
{
	return BITS_TO_LONGS(r->nmsrs) * sizeof(long);
}

/* 0 and what all bitmaps need, or -EINVAL. */
static int check_filter(const struct kvirt_msr_filter *given, size_t *size)
{
	const struct kvirt_msr_filter_range *r = given->ranges;

	for (*size = 0; r < given->ranges + KVIRT_MSR_FILTER_MAX_RANGES; r++) {
		*size += range_bytes(r);
		if (r->nmsrs && (!r->flags || range_bytes(r) > BITMAP_BYTES_MAX ||
				 r->flags & ~(KVIRT_MSR_FILTER_READ | KVIRT_MSR_FILTER_WRITE)))
			return -EINVAL;
	}
	/* Who denies everything has forgotten something. */
	return given->flags & ~KVIRT_MSR_FILTER_DEFAULT_DENY ||
	       (!*size && given->flags) ? -EINVAL : 0;
}

static void free_filter(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct msr_filter, rcu));
}

static int fill_filter(struct msr_filter *filter, const struct kvirt_msr_filter *given)
{
	const struct kvirt_msr_filter_range *r = given->ranges;
	u32 first = 0;

	filter->deny = given->flags;
	for (; r < given->ranges + KVIRT_MSR_FILTER_MAX_RANGES; r++) {
		if (!r->nmsrs)
			continue;
		filter->range[filter->n++] = (struct msr_filter_range) {
			.access = r->flags, .base = r->base, .n = r->nmsrs, .first = first,
		};
		if (copy_from_user(filter->bitmap + BIT_WORD(first), (void __user *)r->bitmap,
				   range_bytes(r)))
			return -EFAULT;
		first += range_bytes(r) * BITS_PER_BYTE;
	}
	return 0;
}

long set_msr_filter(struct vm *vm, void *data)
{
	const struct kvirt_msr_filter *given = data;
	struct msr_filter *filter = NULL;
	struct vcpu *vcpu;
	unsigned int i;
	size_t size;
	int err = check_filter(given, &size);

	if (err)
		return err;
	/* No range, and what no range decides is allowed: as without a filter. */
	if (size) {
		filter = kvzalloc(sizeof(*filter) + size, GFP_KERNEL_ACCOUNT);
		if (!filter)
			return -ENOMEM;
		err = fill_filter(filter, given);
		if (err) {
			kvfree(filter);
			return err;
		}
	}
	mutex_lock(&vm->lock);
	filter = rcu_replace_pointer(vm->msr_filter, filter, lockdep_is_held(&vm->lock));
	mutex_unlock(&vm->lock);
	if (filter)
		call_srcu(&vm->srcu, &filter->rcu, free_filter);
	vm_for_each_vcpu(vm, i, vcpu)
		vcpu_request(vcpu, REQUEST_MSR_FILTER);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Memory slots: checks what user space asks for and publishes a new snapshot. Called by
 * api/vm_fd.c and vm/vm.c.
 *
 * A slot that goes or moves is taken out of the snapshot and out of the nested tables in
 * one critical section of npt.lock, in which the notifier looks for slots too: so each
 * host page is either found by the notifier through its slot, or not mapped. A fault
 * that is under way with the old slot finds invalidation.sequence changed.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "../host/cpu.h"
#include "slots.h"

/*
 * Old snapshots wait, up to this much memory, for the next grace period that somebody
 * needs anyway. One begun for each would be in the way of that: what is begun without
 * haste takes a tick, and a deletion right behind it would wait for that.
 */
#define SLOTS_OLD_MAX	SZ_256K

static size_t slots_bytes(u32 nr)
{
	return sizeof(struct slots) + nr * (sizeof(struct slot) + sizeof(struct slot_hva));
}

static struct slots *slots_alloc(u32 nr)
{
	struct slots *slots = kvzalloc(slots_bytes(nr), GFP_KERNEL_ACCOUNT);

	if (slots)
		slots->by_hva = (struct slot_hva *)&slots->slot[nr];
	return slots;
}

/* @slots and all older ones; no logs. */
static void slots_free(struct slots *slots)
{
	while (slots) {
		struct slots *older = slots->older;

		kvfree(slots);
		slots = older;
	}
}

static unsigned long slot_hva_end(const struct slot *slot)
{
	return slot->hva + ((unsigned long)slot->npages << PAGE_SHIFT);
}

/* Orders @new, which is @old without slot[@gone] and with slot[@here]; ~0: none. */
static void slots_order(struct slots *new, const struct slots *old, u32 gone, u32 here)
{
	struct slot_hva *order = new->by_hva;
	unsigned long max_end = 0;
	u32 i, n = 0;

	for (i = 0; i < old->nr; i++) {
		u32 index = old->by_hva[i].slot;

		if (index == gone)
			continue;
		index -= index > gone;
		order[n++].slot = index + (index >= here);
	}
	if (n < new->nr) {
		while (n && new->slot[here].hva < new->slot[order[n - 1].slot].hva) {
			order[n] = order[n - 1];
			n--;
		}
		order[n].slot = here;
	}
	for (i = 0; i < new->nr; i++) {
		max_end = max(max_end, slot_hva_end(&new->slot[order[i].slot]));
		order[i].max_end = max_end;
	}
}

/* @old without @without (an element of it, or NULL), with @with (or NULL). NULL: no memory. */
static struct slots *slots_copy(const struct slots *old, const struct slot *without,
				const struct slot *with)
{
	struct slots *new = slots_alloc(old->nr - !!without + !!with);
	u32 here = ~0U;
	u32 i;

	if (!new)
		return NULL;
	for (i = 0; i <= old->nr; i++) {
		if (with && (i == old->nr || with->gfn < old->slot[i].gfn)) {
			here = new->nr;
			new->slot[new->nr++] = *with;
			with = NULL;
		}
		if (i < old->nr && &old->slot[i] != without)
			new->slot[new->nr++] = old->slot[i];
	}
	slots_order(new, old, without ? without - old->slot : ~0U, here);
	return new;
}

u32 slots_hva_first(const struct slots *slots, unsigned long start)
{
	u32 low = 0, high = slots->nr;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (slots->by_hva[middle].max_end <= start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool slots_hva_next(const struct slots *slots, u32 *i, unsigned long start, unsigned long end,
		    struct slot_range *range)
{
	while (*i < slots->nr) {
		const struct slot *slot = &slots->slot[slots->by_hva[(*i)++].slot];
		unsigned long from = max(start, slot->hva), to = min(end, slot_hva_end(slot));

		if (slot->hva >= end)
			return false;
		if (from >= to)
			continue;
		range->gfn = slot->gfn + ((from - slot->hva) >> PAGE_SHIFT);
		/* The end of a byte range inside a page covers that page. */
		range->end = slot->gfn + ((to - slot->hva + PAGE_SIZE - 1) >> PAGE_SHIFT);
		return true;
	}
	return false;
}

int slots_init(struct vm *vm)
{
	struct slots *slots = slots_alloc(0);

	if (!slots)
		return -ENOMEM;
	rcu_assign_pointer(vm->slots, slots);
	return 0;
}

void slots_fini(struct vm *vm)
{
	struct slots *slots = rcu_dereference_protected(vm->slots, 1);
	u32 i;

	for (i = 0; i < slots->nr; i++)
		kvfree(slots->slot[i].dirty);
	slots_free(slots);
}

/* Nobody can have used the new slot yet, so there is nothing to take away. */
static void slots_publish(struct vm *vm, struct slots *old, struct slots *new)
{
	new->older = old;
	new->older_bytes = old->older_bytes + slots_bytes(old->nr);
	rcu_assign_pointer(vm->slots, new);
	if (new->older_bytes <= SLOTS_OLD_MAX)
		return;
	synchronize_srcu_expedited(&vm->srcu);
	slots_free(new->older);
	new->older = NULL;
	new->older_bytes = 0;
}

/* @was is an element of @old; @new has @is in its place: of no pages, elsewhere, or other flags. */
static void slots_publish_change(struct vm *vm, struct slots *old, struct slots *new,
				 const struct slot *was, const struct slot *is)
{
	const bool log_starts = is->npages && is->gfn == was->gfn && is->dirty;
	unsigned long *dirty = is->dirty == was->dirty ? NULL : was->dirty;
	struct npt_garbage garbage = {};
	unsigned long flags;
	u64 zapped;

	raw_spin_lock_irqsave(&vm->npt.lock, flags);
	rcu_assign_pointer(vm->slots, new);
	/* A fault that has looked @was up must not install it any more. */
	WRITE_ONCE(vm->invalidation.sequence, vm->invalidation.sequence + 1);
	/* Behind a log that ends large leaves may come back. */
	if (!log_starts)
		npt_zap(&vm->npt, was->gfn, was->gfn + was->npages, &garbage);
	zapped = vm->npt.zapped;
	raw_spin_unlock_irqrestore(&vm->npt.lock, flags);
	npt_flush(vm, zapped);
	npt_free_garbage(&garbage);
	if (log_starts)
		dirty_start(vm, is);
	/* After the ioctl there is no gmem_write() to the old place, and none without the log. */
	synchronize_srcu_expedited(&vm->srcu);
	slots_free(old);
	kvfree(dirty);
}

/* What can be told without looking at the slots. */
static bool region_valid(const struct kvirt_userspace_memory_region *region)
{
	const u64 pages = region->memory_size | region->guest_phys_addr | region->userspace_addr;

	return region->slot < SLOTS_MAX &&
	       !(region->flags & ~(KVIRT_MEM_READONLY | KVIRT_MEM_LOG_DIRTY_PAGES)) &&
	       !(pages & ~PAGE_MASK) &&
	       region->userspace_addr == untagged_addr(region->userspace_addr) &&
	       access_ok((void __user *)(unsigned long)region->userspace_addr,
			 region->memory_size) &&
	       region->guest_phys_addr + region->memory_size >= region->guest_phys_addr &&
	       region->memory_size >> PAGE_SHIFT <= SLOT_MAX_PAGES;
}

const struct slot *slot_by_id(const struct slots *slots, u16 id)
{
	u32 i;

	for (i = 0; i < slots->nr; i++)
		if (slots->slot[i].id == id)
			return &slots->slot[i];
	return NULL;
}

/* Does @slot overlap one of @slots other than @self? */
static bool slot_overlaps(const struct slots *slots, const struct slot *slot,
			  const struct slot *self)
{
	u32 i;

	for (i = 0; i < slots->nr; i++) {
		const struct slot *other = &slots->slot[i];

		if (other != self && slot->gfn < other->gfn + other->npages &&
		    other->gfn < slot->gfn + slot->npages)
			return true;
	}
	return false;
}

/* The pages of the widest guest-physical address: the CPU's, or what the tables can name. */
static u64 gfn_limit(void)
{
	return 1ULL << min_t(unsigned int, host_maxphyaddr() - PAGE_SHIFT,
			     NPT_LEVEL_BITS * features.npt.levels);
}

/* The order of checks is KVM's. */
static int slots_set_locked(struct vm *vm, const struct kvirt_userspace_memory_region *region)
{
	struct slots *slots = slots_locked(vm);
	const struct slot *old = slot_by_id(slots, region->slot);
	struct slot new = {
		.gfn = region->guest_phys_addr >> PAGE_SHIFT,
		.hva = region->userspace_addr,
		.npages = region->memory_size >> PAGE_SHIFT,
		.id = region->slot,
		.flags = region->flags,
	};
	struct slots *copy;

	if (!new.npages) {
		if (!old)
			return -EINVAL;
	} else {
		if (old && (new.hva != old->hva || new.npages != old->npages ||
			    (new.flags ^ old->flags) & KVIRT_MEM_READONLY))
			return -EINVAL;
		if (old && new.gfn == old->gfn && new.flags == old->flags)
			return 0;
		if (slot_overlaps(slots, &new, old))
			return -EEXIST;
		if (new.gfn + new.npages > gfn_limit())
			return -EINVAL;
		if (new.flags & KVIRT_MEM_LOG_DIRTY_PAGES) {
			new.dirty = old && old->dirty ? old->dirty : dirty_alloc(vm, new.npages);
			if (!new.dirty)
				return -ENOMEM;
		}
	}
	copy = slots_copy(slots, old, new.npages ? &new : NULL);
	if (!copy) {
		if (!old || new.dirty != old->dirty)
			kvfree(new.dirty);
		return -ENOMEM;
	}
	if (old)
		slots_publish_change(vm, slots, copy, old, &new);
	else
		slots_publish(vm, slots, copy);
	return 0;
}

int slots_set(struct vm *vm, const struct kvirt_userspace_memory_region *region)
{
	int err;

	if (!region_valid(region))
		return -EINVAL;
	mutex_lock(&vm->slots_lock);
	err = slots_set_locked(vm, region);
	mutex_unlock(&vm->slots_lock);
	return err;
}

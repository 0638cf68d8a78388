// SPDX-License-Identifier: GPL-2.0
/*
 * Memory slots: checks what user space asks for and publishes a slot in the place of another.
 * Called by api/vm_fd.c and vm/vm.c.
 *
 * Each slot stands in three orders: by user space's number, for these ioctls; by guest-physical
 * page, in two trees used alternately, so that readers need no lock and no change waits for them;
 * by user address, under the notifier's lock. A slot that goes or moves is taken out of them and
 * out of the nested tables in one critical section of npt.lock and of the notifier's lock: so each
 * host page is either found by the notifier through its slot, or not mapped. A fault that is under
 * way with the old slot finds the notifier's sequence changed.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "slots.h"

bool slots_next_hva(struct vm *vm, struct interval_tree_node **at, unsigned long start,
		    unsigned long end, struct slot_range *range)
{
	const struct slot *slot;
	unsigned long from, last;

	lockdep_assert_held(&vm->notifier->lock);
	*at = *at ? interval_tree_iter_next(*at, start, end - 1) :
		    interval_tree_iter_first(&vm->slots_by_hva, start, end - 1);
	if (!*at)
		return false;
	slot = &container_of(*at, struct slot_entry, by_hva)->slot;
	from = max(start, slot->hva);
	last = min(end - 1, (*at)->last);
	range->gfn = slot->gfn + ((from - slot->hva) >> PAGE_SHIFT);
	/* The end of a byte range inside a page covers that page. */
	range->end = slot->gfn + ((last - slot->hva) >> PAGE_SHIFT) + 1;
	return true;
}

void slots_fini(struct vm *vm)
{
	struct slot_entry *entry;
	unsigned long id;

	xa_for_each(&vm->slots, id, entry) {
		kvfree(entry->slot.dirty);
		kfree(entry);
	}
	xa_destroy(&vm->slots);
}

/* Publish @new in the place of @old, one of them may be NULL. slots_lock held. */
static void slots_replace(struct vm *vm, struct slot_entry *old, struct slot_entry *new)
{
	/* A log begins or ends. */
	const bool in_place = old && new && new->slot.gfn == old->slot.gfn;
	struct npt_garbage garbage = {};
	unsigned long flags;

	spin_lock(&vm->notifier->lock);
	raw_spin_lock_irqsave(&vm->npt.lock, flags);
	if (new) {
		interval_tree_insert(&new->by_hva, &vm->slots_by_hva);
		/* Before @old goes: readers never find a hole where both have pages. */
		latch_tree_insert(&new->by_gfn, &vm->slots_by_gfn, &slot_order);
	}
	if (old) {
		interval_tree_remove(&old->by_hva, &vm->slots_by_hva);
		latch_tree_erase(&old->by_gfn, &vm->slots_by_gfn, &slot_order);
		/* A fault that has looked @old up must not install it any more. */
		WRITE_ONCE(vm->notifier->sequence, vm->notifier->sequence + 1);
	}
	if (old && !in_place)
		npt_zap(&vm->npt, old->slot.gfn, old->slot.gfn + old->slot.npages, &garbage);
	raw_spin_unlock_irqrestore(&vm->npt.lock, flags);
	spin_unlock(&vm->notifier->lock);
	/* Nobody can have used a new slot yet, so there is nothing to take away. */
	if (!old)
		return;
	npt_flush(vm);
	npt_free_garbage(&garbage);
	if (in_place && new->slot.dirty)
		dirty_start(vm, &new->slot);
	else if (in_place)
		populate_collapse(vm, &new->slot);
	/* After the ioctl there is no gmem_write() to the old place, and none without the log. */
	synchronize_srcu_expedited(&vm->srcu);
	if (!new || new->slot.dirty != old->slot.dirty)
		kvfree(old->slot.dirty);
	/* Windows look slots up by no more than their interrupts, which are off. */
	kfree_rcu(old, rcu);
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

/* Has a slot other than @old, which may be NULL, pages of @new's? */
static bool slot_overlaps(struct vm *vm, const struct slot *new, const struct slot *old)
{
	const u64 end = new->gfn + new->npages;
	u64 old_gfn = end, old_end = end;

	if (old) {
		old_gfn = clamp(old->gfn, new->gfn, end);
		old_end = clamp(old->gfn + old->npages, new->gfn, end);
	}
	return (new->gfn < old_gfn && slots_find(vm, new->gfn, old_gfn)) ||
	       (old_end < end && slots_find(vm, old_end, end));
}

/* The pages of the widest guest-physical address: the CPU's, or what the tables can name. */
static u64 gfn_limit(void)
{
	return 1ULL << min_t(unsigned int, boot_cpu_data.x86_phys_bits - PAGE_SHIFT,
			     NPT_LEVEL_BITS * features.npt.levels);
}

/* The order of checks is KVM's. */
static int slots_set_locked(struct vm *vm, const struct kvirt_userspace_memory_region *region)
{
	struct slot_entry *old = xa_load(&vm->slots, region->slot), *entry = NULL;
	const struct slot *was = old ? &old->slot : NULL;
	struct slot new = {
		.gfn = region->guest_phys_addr >> PAGE_SHIFT,
		.hva = region->userspace_addr,
		.npages = region->memory_size >> PAGE_SHIFT,
		.flags = region->flags,
	};
	int err = -ENOMEM;

	if (!new.npages) {
		if (!old)
			return -EINVAL;
	} else {
		if (was && (new.hva != was->hva || new.npages != was->npages ||
			    (new.flags ^ was->flags) & KVIRT_MEM_READONLY))
			return -EINVAL;
		if (was && new.gfn == was->gfn && new.flags == was->flags)
			return 0;
		if (slot_overlaps(vm, &new, was))
			return -EEXIST;
		if (new.gfn + new.npages > gfn_limit())
			return -EINVAL;
		entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
		if (!entry)
			return -ENOMEM;
		if (new.flags & KVIRT_MEM_LOG_DIRTY_PAGES) {
			new.dirty = was && was->dirty ? was->dirty : dirty_alloc(vm, new.npages);
			if (!new.dirty)
				goto free;
		}
		entry->slot = new;
		entry->by_hva.start = new.hva;
		entry->by_hva.last = new.hva + ((unsigned long)new.npages << PAGE_SHIFT) - 1;
	}
	err = xa_err(xa_store(&vm->slots, region->slot, entry, GFP_KERNEL_ACCOUNT));
	if (!err) {
		slots_replace(vm, old, entry);
		return 0;
	}
	if (!was || new.dirty != was->dirty)
		kvfree(new.dirty);
free:
	kfree(entry);
	return err;
}

long slots_set(struct vm *vm, void *region)
{
	int err;

	if (!region_valid(region))
		return -EINVAL;
	mutex_lock(&vm->slots_lock);
	err = slots_set_locked(vm, region);
	mutex_unlock(&vm->slots_lock);
	return err;
}

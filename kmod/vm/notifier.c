// SPDX-License-Identifier: GPL-2.0
/*
 * Host memory changes, carried into the nested tables of all VMs of that memory, which share one
 * mmu_notifier: zap when a page goes, is write-protected or changes, and accessed bits for the
 * host's choice of what to swap. vm/vm.c attaches and detaches.
 *
 * The protocol with vm/populate.c. A fault notes vm->invalidation.sequence, looks the host page up
 * without any lock of ours, and installs it under npt.lock if meanwhile no invalidation has ended
 * (sequence unchanged) and none is under way for the address (active). An invalidation marks itself
 * active, then looks the slots up and zaps, under mm_notifier.lock and npt.lock: a fault that
 * installs before is zapped, one that comes after sees it; and a slot published too late to be seen
 * here, which takes both locks too, is looked up by such a fault only. invalidate_range_start()
 * returns when the zapped entries are flushed everywhere.
 *
 * Locks: mm_notifier.lock is taken inside mmap_lock, the rmap locks and, by aging, a page-table
 * lock, and outside npt.lock. No window takes it, and nothing spins on it with interrupts off, so
 * its holder may wait for the flush's interrupts. The callbacks never sleep, so a range that must
 * not block needs no special care. They never take slots_lock.
 */
#include <linux/slab.h>
#include "../host/compat.h"
#include "../host/trace.h"
#include "slots.h"

/* Slots zapped in one go with interrupts off. */
#define SLOTS_AT_ONCE	16

static struct mm_notifier *to_mm_notifier(struct mmu_notifier *mn)
{
	return container_of(mn, struct mm_notifier, mn);
}

/* npt.lock held: what faults look at, as of @notifier now. */
static void vm_take_state(struct vm *vm, const struct mm_notifier *notifier)
{
	lockdep_assert_held(&notifier->lock);
	vm->invalidation.active = notifier->active;
	vm->invalidation.start = notifier->start;
	vm->invalidation.end = notifier->end;
}

/* Zap what @vm has of user addresses [@start, @end), and flush. Tables go to @garbage. */
static void vm_invalidate(struct vm *vm, const struct mm_notifier *notifier,
			  unsigned long start, unsigned long end, struct npt_garbage *garbage)
{
	struct interval_tree_node *at = NULL;
	struct npt *npt = &vm->npt;
	struct slot_range range;
	unsigned long flags;
	u64 zapped, flushed;
	unsigned int n = 0;

	raw_spin_lock_irqsave(&npt->lock, flags);
	vm_take_state(vm, notifier);
	while (slots_next_hva(vm, &at, start, end, &range)) {
		if (++n % SLOTS_AT_ONCE == 0) {
			/* Faults in the range already see us; windows may go on. */
			raw_spin_unlock_irqrestore(&npt->lock, flags);
			raw_spin_lock_irqsave(&npt->lock, flags);
		}
		npt_zap(npt, range.gfn, range.end, garbage);
	}
	zapped = npt->zapped;
	flushed = npt->flushed;
	raw_spin_unlock_irqrestore(&npt->lock, flags);
	trace_kvirt_invalidate(vm->id, start, end, zapped, flushed);
	npt_flush(vm, zapped);
}

static int invalidate_range_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct mm_notifier *notifier = to_mm_notifier(mn);
	struct npt_garbage garbage = { .no_sleep = !mmu_notifier_range_blockable(range) };
	struct vm *vm;

	spin_lock(&notifier->lock);
	if (notifier->active++) {
		notifier->start = min(notifier->start, range->start);
		notifier->end = max(notifier->end, range->end);
	} else {
		notifier->start = range->start;
		notifier->end = range->end;
	}
	list_for_each_entry(vm, &notifier->vms, notifier_link)
		vm_invalidate(vm, notifier, range->start, range->end, &garbage);
	spin_unlock(&notifier->lock);
	npt_free_garbage(&garbage);
	return 0;
}

static void invalidate_range_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct mm_notifier *notifier = to_mm_notifier(mn);
	unsigned long flags;
	struct vm *vm;

	spin_lock(&notifier->lock);
	notifier->active--;
	list_for_each_entry(vm, &notifier->vms, notifier_link) {
		raw_spin_lock_irqsave(&vm->npt.lock, flags);
		/* Both change in one section: a fault sees "active", or the new number. */
		WRITE_ONCE(vm->invalidation.sequence, vm->invalidation.sequence + 1);
		vm_take_state(vm, notifier);
		raw_spin_unlock_irqrestore(&vm->npt.lock, flags);
	}
	spin_unlock(&notifier->lock);
}

/*
 * Aging comes with a page-table lock held. It flushes nothing, as the host does not for
 * its own tables on x86: a cached translation at worst makes a page look older.
 */
static bool mm_age(struct mmu_notifier *mn, unsigned long start, unsigned long end, bool forget)
{
	struct mm_notifier *notifier = to_mm_notifier(mn);
	struct interval_tree_node *at;
	struct slot_range range;
	bool young = false;
	unsigned long flags;
	struct vm *vm;

	spin_lock(&notifier->lock);
	list_for_each_entry(vm, &notifier->vms, notifier_link) {
		at = NULL;
		while (slots_next_hva(vm, &at, start, end, &range)) {
			raw_spin_lock_irqsave(&vm->npt.lock, flags);
			young |= npt_age(&vm->npt, range.gfn, range.end, forget);
			raw_spin_unlock_irqrestore(&vm->npt.lock, flags);
		}
	}
	spin_unlock(&notifier->lock);
	return young;
}

static notifier_young_t clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
				    unsigned long start, unsigned long end)
{
	return mm_age(mn, start, end, true);
}

static notifier_young_t test_young(struct mmu_notifier *mn, struct mm_struct *mm,
				   unsigned long address)
{
	return mm_age(mn, address, address + PAGE_SIZE, false);
}

/* The process is gone, its memory goes; a VM whose fd lives elsewhere can not run. */
static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct mm_notifier *notifier = to_mm_notifier(mn);
	struct npt_garbage garbage = {};
	struct vm *vm;

	spin_lock(&notifier->lock);
	list_for_each_entry(vm, &notifier->vms, notifier_link)
		vm_invalidate(vm, notifier, 0, ULONG_MAX, &garbage);
	spin_unlock(&notifier->lock);
	npt_free_garbage(&garbage);
}

static struct mmu_notifier *alloc_notifier(struct mm_struct *mm)
{
	struct mm_notifier *notifier = kzalloc(sizeof(*notifier), GFP_KERNEL_ACCOUNT);

	if (!notifier)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&notifier->lock);
	INIT_LIST_HEAD(&notifier->vms);
	return &notifier->mn;
}

static void free_notifier(struct mmu_notifier *mn)
{
	kfree(to_mm_notifier(mn));
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start	= invalidate_range_start,
	.invalidate_range_end	= invalidate_range_end,
	.clear_flush_young	= clear_young,
	.clear_young		= clear_young,
	.test_young		= test_young,
	.release		= release,
	.alloc_notifier		= alloc_notifier,
	.free_notifier		= free_notifier,
};

int notifier_attach(struct vm *vm)
{
	struct mmu_notifier *mn = mmu_notifier_get(&notifier_ops, vm->mm);
	struct mm_notifier *notifier;

	if (IS_ERR(mn))
		return PTR_ERR(mn);
	notifier = to_mm_notifier(mn);
	vm->notifier = notifier;
	spin_lock(&notifier->lock);
	/* A second VM may come while an invalidation is under way: it takes part. */
	raw_spin_lock_irq(&vm->npt.lock);
	vm_take_state(vm, notifier);
	raw_spin_unlock_irq(&vm->npt.lock);
	list_add(&vm->notifier_link, &notifier->vms);
	spin_unlock(&notifier->lock);
	return 0;
}

void notifier_detach(struct vm *vm)
{
	spin_lock(&vm->notifier->lock);
	list_del(&vm->notifier_link);
	spin_unlock(&vm->notifier->lock);
	mmu_notifier_put(&vm->notifier->mn);
}

void notifier_module_exit(void)
{
	mmu_notifier_synchronize();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Host memory changes, carried into the nested tables of all VMs of that memory, which share one
 * mmu_notifier: zap when a page goes, is write-protected or changes, and accessed bits for the
 * host's choice of what to swap. vm/vm.c attaches and detaches.
 *
 * The protocol with vm/populate.c. A fault notes the sequence, looks slot and host page up without
 * any lock of ours, and installs the leaf under npt.lock unless an invalidation is under way for
 * the address (active), or one has ended meanwhile (sequence). An invalidation marks itself active,
 * then zaps under npt.lock: a fault that installs before is zapped, one that comes after sees the
 * mark, or the sequence, which changes before the mark goes. A slot published too late to be found
 * here (slots.c takes both locks) is looked up by faults that see the mark.
 * invalidate_range_start() returns when the zapped entries are flushed everywhere.
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

/* Zap what @vm has of user addresses [@start, @end), and flush. Tables go to @garbage. */
static void vm_invalidate(struct vm *vm, unsigned long start, unsigned long end,
			  struct npt_garbage *garbage)
{
	struct interval_tree_node *at = NULL;
	struct npt *npt = &vm->npt;
	struct slot_range range;
	unsigned long flags;
	unsigned int n = 0;

	raw_spin_lock_irqsave(&npt->lock, flags);
	while (slots_next_hva(vm, &at, start, end, &range)) {
		if (++n % SLOTS_AT_ONCE == 0) {
			/* Faults in the range already see us; windows may go on. */
			raw_spin_unlock_irqrestore(&npt->lock, flags);
			raw_spin_lock_irqsave(&npt->lock, flags);
		}
		npt_zap(npt, range.gfn, range.end, garbage);
	}
	trace_kvirt_invalidate(vm->id, start, end, npt->zapped, npt->flushed);
	raw_spin_unlock_irqrestore(&npt->lock, flags);
	npt_flush(vm);
}

static int invalidate_range_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct mm_notifier *notifier = to_mm_notifier(mn);
	struct npt_garbage garbage = { .no_sleep = !mmu_notifier_range_blockable(range) };
	unsigned long start = range->start, end = range->end;
	struct vm *vm;

	spin_lock(&notifier->lock);
	if (notifier->active) {
		start = min(notifier->start, start);
		end = max(notifier->end, end);
	}
	WRITE_ONCE(notifier->start, start);
	WRITE_ONCE(notifier->end, end);
	WRITE_ONCE(notifier->active, notifier->active + 1);
	list_for_each_entry(vm, &notifier->vms, notifier_link)
		vm_invalidate(vm, range->start, range->end, &garbage);
	spin_unlock(&notifier->lock);
	npt_free_garbage(&garbage);
	return 0;
}

static void invalidate_range_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct mm_notifier *notifier = to_mm_notifier(mn);

	spin_lock(&notifier->lock);
	WRITE_ONCE(notifier->sequence, notifier->sequence + 1);
	/* Pairs with fault_outdated(): who misses the mark sees the new number. */
	smp_store_release(&notifier->active, notifier->active - 1);
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
	struct mmu_notifier_range all = { .end = ULONG_MAX, .flags = MMU_NOTIFIER_RANGE_BLOCKABLE };

	invalidate_range_start(mn, &all);
	invalidate_range_end(mn, &all);
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

	if (IS_ERR(mn))
		return PTR_ERR(mn);
	vm->notifier = to_mm_notifier(mn);
	spin_lock(&vm->notifier->lock);
	list_add(&vm->notifier_link, &vm->notifier->vms);
	spin_unlock(&vm->notifier->lock);
	return 0;
}

void notifier_detach(struct vm *vm)
{
	spin_lock(&vm->notifier->lock);
	list_del(&vm->notifier_link);
	spin_unlock(&vm->notifier->lock);
	mmu_notifier_put(&vm->notifier->mn);
}

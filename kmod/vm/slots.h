/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory slots: which guest-physical pages are which user addresses. A slot that is published never
 * changes, another takes its place. And the dirty log of a slot, dirty.c.
 */
#ifndef KVIRT_VM_SLOTS_H
#define KVIRT_VM_SLOTS_H

#include <linux/interval_tree.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rbtree_latch.h>
#include <linux/srcu.h>
#include <linux/types.h>
#include <uapi/linux/kvirt.h>
#include "vm.h"

#define SLOTS_MAX	32764		/* KVM_CAP_NR_MEMSLOTS; numbers 0 to this - 1 */
#define SLOT_MAX_PAGES	((1ULL << 31) - 1)

struct slot {
	u64 gfn;		/* first guest-physical page */
	unsigned long hva;	/* user address of it */
	u32 npages;
	u32 flags;		/* KVIRT_MEM_* */
	unsigned long *dirty;	/* the log, a bit each page, atomic; NULL: none is kept */
};

/* With its places in vm->slots_by_gfn, without overlap, and slots_by_hva, which may overlap. */
struct slot_entry {
	struct slot slot;
	struct latch_tree_node by_gfn;
	struct interval_tree_node by_hva;
	struct rcu_head rcu;
};

/* Changes of one mm: its VMs, and what faults look at without the lock, as notifier.c tells. */
struct mm_notifier {
	struct mmu_notifier mn;
	spinlock_t lock;		/* all below, and of each VM notifier_link, slots_by_hva */
	struct list_head vms;
	unsigned long sequence;		/* counts invalidations that ended, and slots that went */
	long active;			/* invalidations under way */
	unsigned long start, end;	/* union of their ranges */
};

static inline bool slot_writable(const struct slot *slot)
{
	return !(slot->flags & KVIRT_MEM_READONLY);
}

static inline unsigned long slot_hva(const struct slot *slot, u64 gfn)
{
	return slot->hva + ((gfn - slot->gfn) << PAGE_SHIFT);
}

/* Behind a write to [@gpa, @gpa + @len) of @slot; orders the two. vm->srcu or npt.lock held. */
static inline void slot_mark_dirty(const struct slot *slot, u64 gpa, size_t len)
{
	u64 gfn;

	for (gfn = gpa >> PAGE_SHIFT; slot->dirty && gfn <= (gpa + len - 1) >> PAGE_SHIFT; gfn++)
		set_bit(gfn - slot->gfn, slot->dirty);
}

/* Pages of a slot, or of a guest. */
struct slot_range {
	u64 gfn, end;
};

static __always_inline int slot_compare(void *range, struct latch_tree_node *node)
{
	const struct slot *slot = &container_of(node, struct slot_entry, by_gfn)->slot;
	const struct slot_range *key = range;

	return key->end <= slot->gfn ? -1 : key->gfn >= slot->gfn + slot->npages;
}

static __always_inline bool slot_less(struct latch_tree_node *a, struct latch_tree_node *b)
{
	return container_of(a, struct slot_entry, by_gfn)->slot.gfn <
	       container_of(b, struct slot_entry, by_gfn)->slot.gfn;
}

static const struct latch_tree_ops slot_order = { .less = slot_less, .comp = slot_compare };

/* A slot with pages of [@gfn, @end), or NULL. vm->srcu, slots_lock; in a window until it enters. */
static inline const struct slot *slots_find(struct vm *vm, u64 gfn, u64 end)
{
	struct slot_range key = { gfn, end };
	struct latch_tree_node *node = latch_tree_find(&key, &vm->slots_by_gfn, &slot_order);

	return node ? &container_of(node, struct slot_entry, by_gfn)->slot : NULL;
}

/*
 * The next part of a slot that user addresses [@start, @end) cover, in @range; *@at is where it was
 * found, NULL to begin with. False: no more. The notifier's lock held, from the first to the last.
 */
bool slots_next_hva(struct vm *vm, struct interval_tree_node **at, unsigned long start,
		    unsigned long end, struct slot_range *range);

/* No readers any more, nor the notifier: frees all slots, waits for nothing. */
void slots_fini(struct vm *vm);

/*
 * slots_set() - KVM_SET_USER_MEMORY_REGION, with exactly its errors (see the UAPI header); @region
 * is the caller's own copy, current->mm is vm->mm. On an error nothing has changed. Only deleting,
 * moving and changing wait: until no vCPU can reach the old place, and for accesses through
 * vm/gmem.c that are under way.
 */
long slots_set(struct vm *vm, void *region);

/*
 * A log for a slot of @npages; NULL: no memory. dirty_start() - it is published: what the guest
 * writes from now on will be marked. slots_lock held.
 */
unsigned long *dirty_alloc(const struct vm *vm, u32 npages);
void dirty_start(struct vm *vm, const struct slot *slot);
/*
 * @slot's log has ended: what was split for it goes where the process has a large page, which may
 * come back as one leaf. The rest stays mapped. slots_lock held, current->mm is vm->mm.
 */
void populate_collapse(struct vm *vm, const struct slot *slot);
/*
 * KVM_GET_DIRTY_LOG and KVM_CLEAR_DIRTY_LOG, with the errors that the UAPI header tells. No write
 * goes unseen: not in the bitmap means that it has reached memory, and that a later one is marked.
 */
long dirty_get(struct vm *vm, void *data);
long dirty_clear(struct vm *vm, void *data);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory slots: which guest-physical pages are which user addresses. A snapshot that never changes
 * once it is published, so readers (populate.c, gmem.c, notifier.c) need only vm->srcu. And the
 * dirty log of a slot, dirty.c.
 */
#ifndef KVIRT_VM_SLOTS_H
#define KVIRT_VM_SLOTS_H

#include <linux/mm.h>
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
	u16 id;			/* user space's number */
	u16 flags;		/* KVIRT_MEM_* */
	/* The log, a bit each page, atomic; NULL: none is kept. Snapshots share it. */
	unsigned long *dirty;
};

/* Slots in the order of their user addresses, which may overlap. */
struct slot_hva {
	unsigned long max_end;	/* largest end of this slot and all before it */
	u32 slot;		/* index in slot[] */
};

struct slots {
	/* Snapshots before this one that a reader may still use; under slots_lock. */
	struct slots *older;
	size_t older_bytes;
	u32 nr;
	struct slot_hva *by_hva;	/* nr of them, behind slot[] */
	struct slot slot[];		/* by gfn, without overlap */
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

/* slots_lock held: the slots now, and the one that has user space's number @id, or NULL. */
static inline struct slots *slots_locked(const struct vm *vm)
{
	return rcu_dereference_protected(vm->slots, lockdep_is_held(&vm->slots_lock));
}

const struct slot *slot_by_id(const struct slots *slots, u16 id);

/* vm->srcu or npt.lock held: the slots now. */
static inline const struct slots *vm_slots(const struct vm *vm)
{
	return srcu_dereference_check(vm->slots, &vm->srcu, lockdep_is_held(&vm->npt.lock));
}

/* The slot that @gfn lies in, or NULL. */
static inline const struct slot *slots_find(const struct slots *slots, u64 gfn)
{
	u32 low = 0, high = slots->nr;

	while (low < high) {
		u32 middle = (low + high) / 2;
		const struct slot *slot = &slots->slot[middle];

		if (gfn - slot->gfn < slot->npages)
			return slot;
		if (gfn < slot->gfn)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Part of a slot that a range of user addresses covers. */
struct slot_range {
	u64 gfn, end;
};

/*
 * To go through all pages that user addresses [@start, @end) cover: slots_hva_first() is
 * where *@i begins, slots_hva_next() moves it on. False: no more.
 */
u32 slots_hva_first(const struct slots *slots, unsigned long start);
bool slots_hva_next(const struct slots *slots, u32 *i, unsigned long start, unsigned long end,
		    struct slot_range *range);

/* vm->srcu is initialised by the caller before. No slots yet. -ENOMEM. */
int slots_init(struct vm *vm);
/* No readers any more: frees the snapshot, waits for nothing. */
void slots_fini(struct vm *vm);

/*
 * slots_set() - KVM_SET_USER_MEMORY_REGION, with exactly its errors (see the UAPI header); @region
 * is the caller's own copy, current->mm is vm->mm. On an error nothing has changed. Only deleting,
 * moving and changing wait (and a creation in hundreds, or among thousands of slots): until no vCPU
 * can reach the old place, and for accesses through vm/gmem.c that are under way.
 */
int slots_set(struct vm *vm, const struct kvirt_userspace_memory_region *region);

/*
 * A log for a slot of @npages; NULL: no memory. dirty_start() - it is published: what the guest
 * writes from now on will be marked. slots_lock held.
 */
unsigned long *dirty_alloc(const struct vm *vm, u32 npages);
void dirty_start(struct vm *vm, const struct slot *slot);
/*
 * KVM_GET_DIRTY_LOG and KVM_CLEAR_DIRTY_LOG, with the errors that the UAPI header tells. No write
 * goes unseen: not in the bitmap means that it has reached memory, and that a later one is marked.
 */
long dirty_get(struct vm *vm, const struct kvirt_dirty_log *log);
long dirty_clear(struct vm *vm, const struct kvirt_clear_dirty_log *log);

#endif

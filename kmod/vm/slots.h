/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory slots: which guest-physical pages are which user addresses. A snapshot that
 * never changes once it is published, so readers need only vm->srcu. vm/slots.c makes
 * them; populate.c, gmem.c and notifier.c read them; api/vm_fd.c is the door.
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
	u64 total_pages;
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

/* Index in by_hva[] where slots that overlap user addresses from @start on begin. */
u32 slots_hva_first(const struct slots *slots, unsigned long start);
/* Does entry @i of by_hva[], if there, still begin before @end? */
static inline bool slots_hva_more(const struct slots *slots, u32 i, unsigned long end)
{
	return i < slots->nr && slots->slot[slots->by_hva[i].slot].hva < end;
}

/* The pages of entry @i that [@start, @end) covers; false if none. */
bool slots_hva_range(const struct slots *slots, u32 i, unsigned long start, unsigned long end,
		     struct slot_range *range);

/* vm->srcu is initialised by the caller before. No slots yet. -ENOMEM. */
int slots_init(struct vm *vm);
/* No readers any more: frees the snapshot, waits for nothing. */
void slots_fini(struct vm *vm);

/*
 * slots_set() - KVM_SET_USER_MEMORY_REGION, with exactly its errors (see the UAPI
 * header); @region is the caller's own copy, current->mm is vm->mm. On an error nothing
 * has changed. Only deleting and moving wait (and a creation in hundreds, or among
 * thousands of slots): until no vCPU can reach the old place, and for accesses through
 * vm/gmem.c that are under way.
 */
int slots_set(struct vm *vm, const struct kvirt_userspace_memory_region *region);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * The body of a nested fault: guest-physical address -> slot -> user address -> host
 * page -> leaf. Called by run/fault.c. How this and host memory changes stay together is
 * told in vm/notifier.c.
 *
 * No reference to the page outlives the fault: the notifier takes the leaf away before
 * the page goes. For the same reason a page that the process may write right now needs
 * none even here: with npt.lock held and nothing invalidated since the process's page
 * table was read, the page is mapped there, and stays so until the lock is free. That
 * holds for marking it dirty too, which is one atomic bit. Marking it accessed takes no
 * step of ours: from now on the notifier's aging tells.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include "../host/compat.h"
#include "../host/trace.h"
#include "populate.h"
#include "slots.h"
#include "vcpu.h"

#define POPULATE_TRIES	3

struct fault {
	u64 gfn;
	unsigned long hva;
	unsigned long sequence;	/* of invalidations, before anything was looked up */
	struct slot slot;	/* a copy: vm->srcu is not held while we sleep */
	struct page *page;	/* referenced, or NULL: see above */
	u64 pfn;		/* once found */
	u8 level;		/* how large the process has it mapped */
	bool write;		/* the guest wants to */
	bool writable;		/* the page may be written */
};

/* 0, -ENOENT or -EROFS: what the slots say. */
static int fault_begin(struct fault *fault, struct vm *vm, u64 gpa, u8 access)
{
	const struct slot *slot;
	int idx;

	fault->sequence = READ_ONCE(vm->invalidation.sequence);
	/* Before slots and host page tables are looked at; pairs with npt.lock. */
	smp_rmb();
	fault->gfn = gpa >> PAGE_SHIFT;
	fault->page = NULL;
	fault->level = 0;
	fault->write = access & ACCESS_WRITE;
	fault->writable = false;
	idx = srcu_read_lock(&vm->srcu);
	slot = slots_find(vm_slots(vm), fault->gfn);
	if (slot)
		fault->slot = *slot;
	srcu_read_unlock(&vm->srcu, idx);
	if (!slot) {
		fault->hva = 0;
		return -ENOENT;
	}
	fault->hva = slot_hva(&fault->slot, fault->gfn);
	return fault->write && !slot_writable(&fault->slot) ? -EROFS : 0;
}

/*
 * The process's page table entry for @hva and its level; both 0 if not present. Interrupts
 * off: page tables are freed only after every CPU that could walk them has had them on.
 */
static u64 host_entry(const struct mm_struct *mm, unsigned long hva, u8 *level)
{
	const u64 *table = (const u64 *)mm->pgd;
	unsigned int at = pgtable_l5_enabled() ? 5 : 4;
	unsigned int shift = PAGE_SHIFT + NPT_LEVEL_BITS * (at - 1);

	*level = 0;
	for (;; at--, shift -= NPT_LEVEL_BITS) {
		u64 entry = READ_ONCE(table[hva >> shift & (PTRS_PER_PTE - 1)]);

		if (!(entry & _PAGE_PRESENT))
			return 0;
		if (at == NPT_LEVEL_4K || entry & _PAGE_PSE) {
			*level = at;
			return entry;
		}
		table = __va(entry & PTE_PFN_MASK);
	}
}

/*
 * A page that the process may write at once, for a read too: that saves the fault of the
 * first write. What has no struct page, or needs more care, is for page_slow().
 */
static bool page_fast(struct fault *fault, const struct mm_struct *mm)
{
	unsigned long flags;
	u64 entry;

	local_irq_save(flags);
	entry = host_entry(mm, fault->hva, &fault->level);
	local_irq_restore(flags);
	if (!slot_writable(&fault->slot) || !pte_access_permitted(__pte(entry), true) ||
	    entry & (_PAGE_SPECIAL | HOST_PAGE_DEVMAP))
		return false;
	fault->pfn = (entry & PTE_PFN_MASK) >> PAGE_SHIFT;
	fault->pfn |= fault->hva >> PAGE_SHIFT & (NPT_PAGES(fault->level) - 1);
	fault->writable = true;
	return true;
}

/* May sleep. Device memory (VM_IO, VM_PFNMAP) has no reference to take: refused. */
static int page_slow(struct fault *fault, const struct mm_struct *mm)
{
	unsigned int flags = FAULT_FOLL_FLAGS | (fault->write ? FOLL_WRITE : 0);
	struct page *page;
	long got;

	got = get_user_pages_unlocked(fault->hva, 1, &page, flags);
	if (got == 1) {
		/* As it is mapped now: larger than a page, writable after all. */
		if (page_fast(fault, mm)) {
			put_page(page);
			return 0;
		}
		fault->page = page;
		fault->pfn = page_to_pfn(page);
		fault->writable = fault->write;
		return 0;
	}
	if (got == -EHWPOISON)
		send_sig_mceerr(BUS_MCEERR_AR, (void __user *)fault->hva, PAGE_SHIFT, current);
	if (got == -EHWPOISON || got == -EINTR)
		return got;
	return -EFAULT;
}

/* Does the leaf of @level around @gfn lie in @slot whole, and its user memory alike? */
static bool level_fits(const struct slot *slot, u64 gfn, u8 level)
{
	u64 mask = NPT_PAGES(level) - 1;
	u64 first = gfn & ~mask;

	return !((slot->gfn ^ slot->hva >> PAGE_SHIFT) & mask) && first >= slot->gfn &&
	       first + mask < slot->gfn + slot->npages;
}

/* The largest leaf that @fault's page may have. */
static u8 leaf_level(const struct fault *fault)
{
	u8 level = min(fault->level, features.npt.max_level);

	while (level > NPT_LEVEL_4K && !level_fits(&fault->slot, fault->gfn, level))
		level--;
	return max_t(u8, level, NPT_LEVEL_4K);
}

/* npt.lock held: may what was found have changed since, anywhere under the leaf? */
static bool fault_outdated(const struct fault *fault, const struct vm *vm, u8 level)
{
	const struct vm_invalidation *invalidation = &vm->invalidation;
	unsigned long size = NPT_PAGES(level) << PAGE_SHIFT;
	unsigned long start = fault->hva & ~(size - 1);

	if (invalidation->sequence != fault->sequence)
		return true;
	return invalidation->active && start < invalidation->end &&
	       start + size > invalidation->start;
}

/* The process's own entry does not tell the host what the guest writes. */
static void mark_dirty(struct page *page)
{
	if (!PageDirty(page) && !PageReserved(page))
		SetPageDirty(page);
}

/* npt.lock held. 0, -EAGAIN (outdated), -EEXIST or -ENOMEM. */
static int fault_install(struct vcpu *vcpu, const struct fault *fault, u8 level)
{
	struct vm *vm = vcpu->vm;
	const struct npt_leaf leaf = {
		.gfn = fault->gfn,
		.pfn = fault->pfn,
		.level = level,
		.writable = fault->writable,
	};
	int err;

	if (fault_outdated(fault, vm, level))
		return -EAGAIN;
	err = npt_map(&vm->npt, &vcpu->tables, &leaf);
	if (!err && fault->writable)
		mark_dirty(pfn_to_page(fault->pfn));
	return err;
}

/* For a window: as fault_install(), or -EAGAIN when somebody holds npt.lock. */
static int fault_try_install(struct vcpu *vcpu, const struct fault *fault, u8 level)
{
	raw_spinlock_t *lock = &vcpu->vm->npt.lock;
	int err;

	if (!raw_spin_trylock(lock))
		return -EAGAIN;
	err = fault_install(vcpu, fault, level);
	raw_spin_unlock(lock);
	return err;
}

/*
 * Inside a window: what takes a sleep, a wait or an allocation is not done. Only the
 * writable page is tried, and of a read-only slot nothing.
 */
int populate_in_window(struct vcpu *vcpu, u64 gpa, u8 access)
{
	struct vm *vm = vcpu->vm;
	struct fault fault;
	u8 level = 0;
	int err;

	lockdep_assert_irqs_disabled();
	err = fault_begin(&fault, vm, gpa, access);
	if (err)
		goto out;
	err = -EAGAIN;
	if (!page_fast(&fault, vm->mm))
		goto out;
	level = leaf_level(&fault);
	if (!fault_try_install(vcpu, &fault, level))
		err = 0;
out:
	trace_kvirt_populate(vcpu->id, gpa, access, fault.hva, level, fault.writable, true, err);
	return err;
}

/*
 * Something else is mapped where @fault's page belongs. The protocol does not let that
 * happen; should a host ever change a mapping without telling, the guest still gets on.
 */
static void fault_replace(struct vm *vm, const struct fault *fault)
{
	npt_zap_range(vm, fault->gfn, fault->gfn + 1);
}

/* One try, with the tables' cache filled. 0, -EAGAIN: outdated, or populate()'s errors. */
static int populate_once(struct vcpu *vcpu, struct fault *fault, u64 gpa, u8 access)
{
	struct vm *vm = vcpu->vm;
	unsigned long flags;
	u8 level = 0;
	int err;

	err = fault_begin(fault, vm, gpa, access);
	if (err)
		goto out;
	if (!page_fast(fault, vm->mm)) {
		err = page_slow(fault, vm->mm);
		if (err)
			goto out;
	}
	level = leaf_level(fault);
	raw_spin_lock_irqsave(&vm->npt.lock, flags);
	err = fault_install(vcpu, fault, level);
	raw_spin_unlock_irqrestore(&vm->npt.lock, flags);
	if (fault->page)
		put_page(fault->page);
out:
	trace_kvirt_populate(vcpu->id, gpa, access, fault->hva, level, fault->writable, false, err);
	return err;
}

int populate(struct vcpu *vcpu, u64 gpa, u8 access)
{
	struct fault fault;
	unsigned int try;
	int err;

	lockdep_assert_irqs_enabled();
	err = npt_cache_fill(&vcpu->tables);
	if (err)
		return err;
	/*
	 * Copying a page on our write is an invalidation too, so the first try is then
	 * outdated and the second is not. After a few the guest may try: others get on.
	 */
	for (try = 0; try < POPULATE_TRIES; try++) {
		err = populate_once(vcpu, &fault, gpa, access);
		if (err == -EEXIST)
			fault_replace(vcpu->vm, &fault);
		else if (err != -EAGAIN)
			return err;
	}
	return 0;
}

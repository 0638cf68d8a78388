// SPDX-License-Identifier: GPL-2.0
/*
 * The body of a nested fault: guest-physical address -> slot -> user address -> host page -> leaf.
 * Called by run/. How this and host memory changes stay together is told in vm/notifier.c.
 *
 * No reference to the page outlives the fault: the notifier takes the leaf away before the page
 * goes. For the same reason a page that the process may write right now needs none even here: with
 * npt.lock held and nothing invalidated since the process's page table was read, the page is mapped
 * there, and stays so until the lock is free. That holds for marking it dirty too, which is one
 * atomic bit. Marking it accessed takes no step of ours: from now on the notifier's aging tells.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include "../host/compat.h"
#include "../host/trace.h"
#include "slots.h"
#include "vcpu.h"

#define POPULATE_TRIES	3

struct fault {
	struct npt_leaf leaf;	/* gfn; the others once found, level 0 until then */
	unsigned long hva;
	unsigned long sequence;	/* of invalidations, before anything was looked up */
	const struct slot *slot;
	struct page *page;	/* referenced, or NULL: see above */
	bool write;		/* the guest wants to */
};

/* The slot of @gpa or NULL, as slots_find(). */
static __always_inline const struct slot *fault_slot(struct vm *vm, u64 gpa, unsigned long *seq)
{
	*seq = READ_ONCE(vm->notifier->sequence);
	/* Before slots and host page tables are looked at; pairs with npt.lock. */
	smp_rmb();
	return slots_find(vm, gpa >> PAGE_SHIFT, (gpa >> PAGE_SHIFT) + 1);
}

/*
 * The process's page table entry for @hva and its level, 0 if not present. Interrupts off: page
 * tables are freed only after every CPU that could walk them has had them on.
 */
static u64 host_entry(const struct mm_struct *mm, unsigned long hva, u8 *level)
{
	const struct npt_format host = {
		.present = _PAGE_PRESENT, .large = _PAGE_PSE, .table = ~PTE_PFN_MASK,
		.levels = pgtable_l5_enabled() ? 5 : 4,
	};
	u64 entry;

	*level = NPT_LEVEL_4K;
	entry = READ_ONCE(*npt_walk(&host, (u64 *)mm->pgd, hva >> PAGE_SHIFT, level));
	if (!(entry & _PAGE_PRESENT))
		*level = 0;
	return entry;
}

/*
 * A page that the process may write at once, for a read too: that saves the fault of the first
 * write. What has no struct page, or needs more care, is for page_slow().
 */
static bool page_fast(struct fault *fault, const struct mm_struct *mm)
{
	struct npt_leaf *leaf = &fault->leaf;
	unsigned long flags;
	u64 entry;

	local_irq_save(flags);
	entry = host_entry(mm, fault->hva, &leaf->level);
	local_irq_restore(flags);
	if (!slot_writable(fault->slot) || !pte_access_permitted(__pte(entry), true) ||
	    entry & (_PAGE_SPECIAL | HOST_PAGE_DEVMAP))
		return false;
	leaf->pfn = (entry & PTE_PFN_MASK) >> PAGE_SHIFT;
	leaf->pfn |= fault->hva >> PAGE_SHIFT & (NPT_PAGES(leaf->level) - 1);
	leaf->writable = true;
	return true;
}

/* May sleep. Device memory (VM_IO, VM_PFNMAP) has no reference to take: refused. */
static int page_slow(struct fault *fault, const struct mm_struct *mm)
{
	unsigned int flags = FAULT_FOLL_FLAGS | (fault->write ? FOLL_WRITE : 0);
	struct page *page;
	long got;

	got = get_user_pages_unlocked(fault->hva, 1, &page, flags);
	if (got == -EHWPOISON)
		send_sig_mceerr(BUS_MCEERR_AR, (void __user *)fault->hva, PAGE_SHIFT, current);
	if (got != 1)
		return got == -EHWPOISON || got == -EINTR ? got : -EFAULT;
	/* As it is mapped now: larger than a page, writable after all. */
	if (page_fast(fault, mm)) {
		put_page(page);
		return 0;
	}
	fault->page = page;
	fault->leaf.pfn = page_to_pfn(page);
	fault->leaf.writable = fault->write;
	return 0;
}

/* Does the leaf of @level around @gfn lie in @slot whole, and its user memory alike? */
static bool level_fits(const struct slot *slot, u64 gfn, u8 level)
{
	u64 mask = NPT_PAGES(level) - 1;
	u64 first = gfn & ~mask;

	return !((slot->gfn ^ slot->hva >> PAGE_SHIFT) & mask) && first >= slot->gfn &&
	       first + mask < slot->gfn + slot->npages;
}

/* The largest leaf for @gfn of @slot, where the process has a page of @level. */
static u8 leaf_level(const struct slot *slot, u64 gfn, u8 level)
{
	level = min(level, features.npt.max_level);
	/* Written pages are told one by one. */
	if (slot->dirty)
		level = NPT_LEVEL_4K;
	while (level > NPT_LEVEL_4K && !level_fits(slot, gfn, level))
		level--;
	return max_t(u8, level, NPT_LEVEL_4K);
}

/* npt.lock held: may what was found have changed since, anywhere under the leaf? */
static bool fault_outdated(const struct fault *fault, const struct mm_notifier *notifier)
{
	unsigned long size = NPT_PAGES(fault->leaf.level) << PAGE_SHIFT;
	unsigned long start = fault->hva & ~(size - 1);

	/* Before the rest; both pair with invalidate_range_end(). */
	if (smp_load_acquire(&notifier->active) && start < READ_ONCE(notifier->end) &&
	    start + size > READ_ONCE(notifier->start))
		return true;
	smp_rmb();	/* active, then sequence */
	return READ_ONCE(notifier->sequence) != fault->sequence;
}

/* npt.lock held. 0, -EAGAIN (outdated), -EEXIST or -ENOMEM. */
static int fault_install(struct vcpu *vcpu, const struct fault *fault)
{
	struct page *page;
	int err;

	if (fault_outdated(fault, vcpu->vm->notifier))
		return -EAGAIN;
	err = npt_map(&vcpu->vm->npt, &vcpu->tables, &fault->leaf);
	if (err || !fault->leaf.writable)
		return err;
	slot_mark_dirty(fault->slot, fault->leaf.gfn << PAGE_SHIFT, PAGE_SIZE);
	/* The process's own entry does not tell the host what the guest writes. */
	page = pfn_to_page(fault->leaf.pfn);
	if (!PageDirty(page) && !PageReserved(page))
		SetPageDirty(page);
	return 0;
}

/*
 * One try, with the tables' cache filled. 0, -EAGAIN (outdated), -EEXIST (what stood there is gone,
 * npt_flush() must follow) or populate()'s errors. Inside a window what takes a sleep, a wait or an
 * allocation is not done: only the writable page is tried, and of a read-only slot nothing.
 */
static noinline int populate_once(struct vcpu *vcpu, const struct slot *slot,
				  unsigned long sequence, u64 gpa, u8 access)
{
	struct fault fault = {
		.leaf.gfn = gpa >> PAGE_SHIFT, .hva = slot_hva(slot, gpa >> PAGE_SHIFT),
		.sequence = sequence, .slot = slot, .write = access & ACCESS_WRITE,
	};
	const bool in_window = vcpu->in_window;
	struct npt_garbage none = {};
	struct vm *vm = vcpu->vm;
	unsigned long flags;
	int err;

	err = fault.write && !slot_writable(slot) ? -EROFS : 0;
	if (!err && !page_fast(&fault, vm->mm))
		err = in_window ? -EAGAIN : page_slow(&fault, vm->mm);
	if (err)
		goto out;
	fault.leaf.level = leaf_level(slot, fault.leaf.gfn, fault.leaf.level);
	/* What is only read is not dirty. */
	if (slot->dirty)
		fault.leaf.writable &= fault.write;
	if (!in_window) {
		raw_spin_lock_irqsave(&vm->npt.lock, flags);
	} else if (!raw_spin_trylock_irqsave(&vm->npt.lock, flags)) {
		err = -EAGAIN;
		goto out;
	}
	err = fault_install(vcpu, &fault);
	/*
	 * Something else is mapped there. The protocol does not let that happen; should a host ever
	 * change a mapping without telling, the guest still gets on.
	 */
	if (err == -EEXIST && !in_window)
		npt_zap(&vm->npt, fault.leaf.gfn, fault.leaf.gfn + 1, &none);
	raw_spin_unlock_irqrestore(&vm->npt.lock, flags);
	if (err && in_window)
		err = -EAGAIN;
	if (fault.page)
		put_page(fault.page);
out:
	trace_kvirt_populate(vcpu->id, gpa, access, fault.hva, fault.leaf.level,
			     fault.leaf.writable, in_window, err);
	return err;
}

static noinline int populate_outside(struct vcpu *vcpu, u64 gpa, u8 access)
{
	int err = npt_cache_fill(&vcpu->tables), idx;
	const struct slot *slot;
	unsigned long sequence;
	unsigned int try;
	struct slot copy;

	if (err)
		return err;
	/*
	 * Copying a page on our write is an invalidation too, so the first try is then outdated and
	 * the second is not. After a few the guest may try: others get on.
	 */
	for (try = 0; try < POPULATE_TRIES; try++) {
		/* vm->srcu is not held while we sleep. */
		idx = srcu_read_lock(&vcpu->vm->srcu);
		slot = fault_slot(vcpu->vm, gpa, &sequence);
		if (slot)
			copy = *slot;
		srcu_read_unlock(&vcpu->vm->srcu, idx);
		err = slot ? populate_once(vcpu, &copy, sequence, gpa, access) : -ENOENT;
		if (err == -EEXIST)
			npt_flush(vcpu->vm);
		else if (err != -EAGAIN)
			return err;
	}
	return 0;
}

int populate(struct vcpu *vcpu, u64 gpa, u8 access)
{
	const struct slot *slot;
	unsigned long sequence;

	if (!vcpu->in_window)
		return populate_outside(vcpu, gpa, access);
	slot = fault_slot(vcpu->vm, gpa, &sequence);
	return slot ? populate_once(vcpu, slot, sequence, gpa, access) : -ENOENT;
}

void populate_collapse(struct vm *vm, const struct slot *slot)
{
	const u64 end = slot->gfn + slot->npages;
	struct npt_garbage garbage = {};
	unsigned long flags;
	u64 gfn, next;
	u8 level;

	for (gfn = slot->gfn; gfn < end; gfn = next) {
		raw_spin_lock_irqsave(&vm->npt.lock, flags);
		host_entry(vm->mm, slot_hva(slot, gfn), &level);
		level = leaf_level(slot, gfn, level);
		next = (gfn | (NPT_PAGES(max_t(u8, level, NPT_LEVEL_2M)) - 1)) + 1;
		if (level > NPT_LEVEL_4K)
			npt_zap(&vm->npt, gfn, next, &garbage);
		raw_spin_unlock_irqrestore(&vm->npt.lock, flags);
		cond_resched();
	}
	npt_flush(vm);
	npt_free_garbage(&garbage);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Nested page tables: guest-physical to host-physical, one walker for both vendors' formats. npt.c
 * holds the tables, populate.c fills them, notifier.c and slots.c empty them.
 */
#ifndef KVIRT_VM_NPT_H
#define KVIRT_VM_NPT_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include <asm/page.h>

struct vm;
struct vcpu;

#define NPT_LEVEL_4K	1
#define NPT_LEVEL_2M	2
#define NPT_LEVEL_1G	3

#define NPT_LEVEL_BITS	9
/* Pages that one entry of @level covers. */
#define NPT_PAGES(level)	(1ULL << (NPT_LEVEL_BITS * ((level) - 1)))

/* The bits of one table format, as data; a back end fills it at probe. */
struct npt_format {
	u64 present;		/* any of these set: the entry is present */
	u64 table;		/* an entry that points to a lower table, without address */
	u64 leaf;		/* a readable, executable, write-back leaf, without address */
	u64 write;		/* added to leaf: writable */
	u64 large;		/* added to a leaf above level 1 */
	u64 accessed;		/* 0: the hardware does not record it */
	u64 dirty;
	u8 levels;		/* depth of the tree, 4 or 5 */
	u8 max_level;		/* largest leaf, NPT_LEVEL_* */
};

/*
 * The tree of one VM, shared by its vCPUs.
 *
 * Flushing: whoever clears a present entry, or its right to write, adds one to "zapped"; hardware
 * may use the entry as it was until a flush of all vCPUs that began later has ended, which
 * "flushed" then records. So an invalidation that finds nothing left to clear still knows whether
 * it has to wait for what somebody else has cleared just before.
 *
 * The lock is taken irqsave, inside a strict window by trylock only, and no holder waits for
 * another CPU: a window spins on nothing that could be waiting for it.
 */
struct npt {
	raw_spinlock_t lock;
	u64 *root;		/* constant; entries under the lock, and by hardware */
	u64 zapped, flushed;	/* written under the lock */
};

/*
 * Zeroed pages that become tables, so that a fault allocates nothing under the lock. Of one vCPU's
 * thread. Twice what one fault can need: one inside a window does not refill it.
 */
#define NPT_CACHE_PAGES	8

struct npt_cache {
	u64 *pages[NPT_CACHE_PAGES];
	u32 nr;
};

/* Tables taken out of the tree, to be freed after a flush. Initialise with {}. */
struct npt_garbage {
	unsigned long first;	/* a table's address, its level in the low bits */
	bool no_sleep;		/* who frees them must not */
};

/* An empty tree, or -ENOMEM. npt_fini(): nobody can reach the tree any more. */
int npt_init(struct npt *npt);
void npt_fini(struct npt *npt);

/*
 * Down from @table, the root of a tree of @format, towards @gfn to an entry of *@level, to a leaf
 * or to what is not present: it, and its level.
 */
u64 *npt_walk(const struct npt_format *format, u64 *table, u64 gfn, u8 *level);

static inline u64 npt_root_pa(const struct npt *npt)
{
	return __pa(npt->root);
}

/* May sleep: what one fault can need at the least. -ENOMEM. */
int npt_cache_fill(struct npt_cache *cache);
void npt_cache_free(struct npt_cache *cache);

/* A leaf to be: @pfn is that of the page @gfn, whatever the leaf's size. */
struct npt_leaf {
	u64 gfn;
	u64 pfn;
	u8 level;		/* the largest that will do */
	bool writable;
};

/*
 * npt_map() - lock held: make @leaf's page present, or writable in place. Where a table stands
 * already the leaf goes below it, and a larger leaf that is to become writable is split. 0, also if
 * nothing was left to do; -ENOMEM: the cache is empty; -EEXIST: something else is mapped there.
 */
int npt_map(struct npt *npt, struct npt_cache *cache, const struct npt_leaf *leaf);
/*
 * npt_zap() - lock held: clear all of [@gfn, @end). Tables that lie inside whole come off in one
 * store and go to @garbage, so the work is bounded by a few thousand entries whatever the size.
 * npt_flush() and then npt_free_garbage() must follow.
 */
void npt_zap(struct npt *npt, u64 gfn, u64 end, struct npt_garbage *garbage);
/*
 * npt_protect() - lock held: no leaf in [@gfn, @end) is writable any more, nor one that reaches
 * into it. The work is that of as many entries. npt_flush() must follow.
 */
void npt_protect(struct npt *npt, u64 gfn, u64 end);
/*
 * No lock that a window takes is held, interrupts on, spinlocks allowed: when it returns no CPU
 * uses what was zapped before. Does not sleep.
 */
void npt_flush(struct vm *vm);
/* After the flush. Takes long where much was mapped, so better without any lock. May sleep. */
void npt_free_garbage(struct npt_garbage *garbage);
/*
 * Lock held: was any page of [@gfn, @end) accessed? @forget it, too: without accessed bits in the
 * format by clearing the entry, which needs no flush until the page really goes (see "zapped").
 */
bool npt_age(struct npt *npt, u64 gfn, u64 end, bool forget);

/*
 * populate() - a nested fault, @access: ACCESS_* of exit.h. The owner's thread, vm->srcu not held.
 * Outside a window it may sleep; inside it never waits.
 *   0           mapped, or memory is just changing: enter again, it may fault again
 *   -EAGAIN     inside a window only, instead of all that follow -EROFS: close it, call again
 *   -ENOENT     no slot there: MMIO
 *   -EROFS      a write into a read-only slot: MMIO
 *   -EFAULT     the process has no such memory there: KVM_RUN gives -EFAULT
 *   -EHWPOISON  the page is broken; SIGBUS is already sent: as 0, the signal ends KVM_RUN
 *   -EINTR      a signal came while waiting for the page
 *   -ENOMEM     no memory for tables
 */
int populate(struct vcpu *vcpu, u64 gpa, u8 access);

/*
 * notifier_attach() - vm->mm is set, npt and slots are initialised: from here on host memory
 * changes reach @vm. -ENOMEM, -EINTR (killed meanwhile). notifier_detach() - when it returns no
 * callback touches @vm; waits for no grace period.
 */
int notifier_attach(struct vm *vm);
void notifier_detach(struct vm *vm);

#endif

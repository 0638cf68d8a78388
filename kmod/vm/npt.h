/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Nested page tables: guest-physical to host-physical, one walker for both vendors'
 * formats, which differ only in the bits of struct npt_format. vm/npt.c holds the
 * tables, vm/populate.c fills them, vm/notifier.c and vm/slots.c empty them.
 */
#ifndef KVIRT_VM_NPT_H
#define KVIRT_VM_NPT_H

#include <linux/mm_types.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct vm;
struct vcpu;

/* Levels: 1 maps 4 KiB, 2 maps 2 MiB, 3 maps 1 GiB. */
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
	u64 uncached;		/* leaf bits to be changed (xor) for uncached memory */
	u8 levels;		/* depth of the tree, 4 or 5 */
	u8 max_level;		/* largest leaf, NPT_LEVEL_* */
};

/*
 * The tree of one VM, shared by its vCPUs.
 *
 * Flushing: whoever clears a present entry adds one to "zapped" under the lock; hardware
 * may use the entry until a flush of all vCPUs that began later has finished, which
 * "flushed" then records. So an invalidation that finds nothing left to clear still
 * knows whether it has to wait for what somebody else has cleared just before.
 *
 * The lock is taken irqsave, inside a strict window by trylock only, and no holder waits
 * for another CPU: a window spins on nothing that could be waiting for it.
 */
struct npt {
	raw_spinlock_t lock;
	u64 *root;		/* constant; entries under the lock, and by hardware */
	u64 zapped;		/* under the lock */
	u64 flushed;		/* written under the lock, read by acquire */
};

/*
 * Zeroed pages that become tables, so that a fault needs no allocation under the lock.
 * Of one vCPU, used by its thread only. Twice what one fault can need: a fault inside a
 * window takes from it without filling it.
 */
#define NPT_CACHE_PAGES	8

struct npt_cache {
	u64 *pages[NPT_CACHE_PAGES];
	u32 nr;
};

/* Tables taken out of the tree, to be freed after a flush. Initialise with {}. */
struct npt_garbage {
	unsigned long first;	/* a table's address, its level in the low bits */
};

/*
 * npt_init() - at the VM's creation: an empty tree. -ENOMEM. npt_fini() - nobody runs
 * on the tree or can reach it any more: free it, without waiting.
 */
int npt_init(struct npt *npt);
void npt_fini(struct npt *npt);

/* Physical address of the root table, for the control block. */
u64 npt_root_pa(const struct npt *npt);

/* Guest-physical pages that the tables can name; a gfn at or above has no entry. */
u64 npt_gfn_limit(void);

/*
 * npt_cache_fill() - process context, may sleep: what one fault can need at the least,
 * all of the cache if it takes from it at all. -ENOMEM.
 */
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
 * npt_map() - lock held: make @leaf's page present, or writable in place. Where a table
 * stands already the leaf goes below it. 0, also if nothing was left to do; -ENOMEM:
 * the cache is empty; -EEXIST: something else is mapped there and has to be zapped.
 */
int npt_map(struct npt *npt, struct npt_cache *cache, const struct npt_leaf *leaf);

/*
 * npt_zap() - lock held: clear all of [@gfn, @end). Tables that lie inside whole come
 * off in one store and go to @garbage, so the work is bounded by a few thousand entries
 * whatever the size. Note npt->zapped before unlocking; npt_flush() and then
 * npt_free_garbage() must follow.
 */
void npt_zap(struct npt *npt, u64 gfn, u64 end, struct npt_garbage *garbage);

/*
 * npt_flush() - no lock that a window takes is held, interrupts on, spinlocks allowed:
 * when it returns no CPU uses what npt->zapped counted up to @zapped. Does not sleep.
 */
void npt_flush(struct vm *vm, u64 zapped);

/* After the flush. Takes long where much was mapped, so better without any lock. */
void npt_free_garbage(struct npt_garbage *garbage);

/* Zap [@gfn, @end), flush, free. No lock held that npt_flush() would not allow. */
void npt_zap_range(struct vm *vm, u64 gfn, u64 end);

/*
 * Aging, lock held: was any page of [@gfn, @end) accessed? npt_clear_young() forgets it
 * too; without accessed bits in the format it clears the entry, which needs no flush
 * until the page really goes (see "zapped").
 */
bool npt_test_young(struct npt *npt, u64 gfn, u64 end);
bool npt_clear_young(struct npt *npt, u64 gfn, u64 end);

#endif

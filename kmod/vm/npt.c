// SPDX-License-Identifier: GPL-2.0
/*
 * The nested page tables of a VM: how a leaf gets in, how ranges get out, and when the memory of
 * tables may be used again. The hardware reads these tables, and sets accessed and dirty bits in
 * them, at any time: each entry is written in one store.
 */
#include <linux/mm.h>
#include "npt.h"
#include "vcpu.h"
#include "vm.h"

#define NPT_ENTRIES	BIT(NPT_LEVEL_BITS)
/* Address bits of an entry: 51 to 12 (SDM vol. 3, 29.3.2; APM vol. 2, 5.3). */
#define NPT_ADDRESS	GENMASK_ULL(51, PAGE_SHIFT)

static bool entry_present(u64 entry)
{
	return entry & features.npt.present;
}

static bool entry_leaf(u64 entry, u8 level)
{
	return level == NPT_LEVEL_4K || entry & features.npt.large;
}

/* Without the format's own bits: with memory encryption one of them lies up there. */
static u64 *entry_table(const struct npt_format *format, u64 entry)
{
	return __va(entry & NPT_ADDRESS & ~format->table);
}

/* First page after the entry of @level that @gfn lies in. */
static u64 next_entry(u64 gfn, u8 level)
{
	return (gfn | (NPT_PAGES(level) - 1)) + 1;
}

u64 *npt_walk(const struct npt_format *format, u64 *table, u64 gfn, u8 *level)
{
	const u64 present = format->present, large = format->large;
	unsigned int at = format->levels, target = *level;
	unsigned int shift = NPT_LEVEL_BITS * (at - 1);

	for (;; at--, shift -= NPT_LEVEL_BITS) {
		u64 *slot = &table[gfn >> shift & (NPT_ENTRIES - 1)];
		u64 entry = READ_ONCE(*slot);

		/* Level 1 is always a target: there the large leaf's bit means another thing. */
		if (at == target || !(entry & present) || entry & large) {
			*level = at;
			return slot;
		}
		table = entry_table(format, entry);
	}
}

int npt_init(struct npt *npt)
{
	raw_spin_lock_init(&npt->lock);
	npt->root = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return npt->root ? 0 : -ENOMEM;
}

/* Frees @table, whose entries are of @level, and all below it. At most four deep. */
static void free_tables(u64 *table, u8 level, const struct npt_garbage *garbage)
{
	unsigned long i;

	for (i = 0; level > NPT_LEVEL_4K && i < NPT_ENTRIES; i++)
		if (entry_present(table[i]) && !entry_leaf(table[i], level))
			free_tables(entry_table(&features.npt, table[i]), level - 1, garbage);
	free_page((unsigned long)table);
	if (level > NPT_LEVEL_4K && !garbage->no_sleep)
		cond_resched();
}

void npt_fini(struct npt *npt)
{
	free_tables(npt->root, features.npt.levels, &(struct npt_garbage){});
}

int npt_cache_fill(struct npt_cache *cache)
{
	if (likely(cache->nr >= features.npt.levels - 1))
		return 0;
	while (cache->nr < NPT_CACHE_PAGES) {
		u64 *table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

		if (!table)
			break;
		cache->pages[cache->nr++] = table;
	}
	return cache->nr >= features.npt.levels - 1 ? 0 : -ENOMEM;
}

void npt_cache_free(struct npt_cache *cache)
{
	while (cache->nr)
		free_page((unsigned long)cache->pages[--cache->nr]);
}

/*
 * A zeroed table into @slot, which is of @level. A leaf that stood there is split: what maps the
 * same needs no flush, and an accessed bit that hardware sets meanwhile may be lost.
 */
static void npt_link(u64 *slot, u8 level, u64 *table)
{
	const struct npt_format *format = &features.npt;
	u64 entry = READ_ONCE(*slot);
	unsigned long i;

	if (level - 1 == NPT_LEVEL_4K)
		entry &= ~format->large;
	for (i = 0; entry_present(entry) && i < NPT_ENTRIES; i++)
		table[i] = entry + (i * NPT_PAGES(level - 1) << PAGE_SHIFT);
	/* Filled before it is linked: stores are seen in order on x86. */
	WRITE_ONCE(*slot, format->table | format->accessed | __pa(table));
}

/* @slot of @level holds a leaf: make it do for @leaf. -E2BIG: it has to be split before. */
static int npt_upgrade(u64 *slot, u8 level, const struct npt_leaf *leaf)
{
	const struct npt_format *format = &features.npt;
	u64 entry = READ_ONCE(*slot);
	u64 pfn = leaf->pfn & ~(NPT_PAGES(level) - 1);

	if ((entry & NPT_ADDRESS & ~format->leaf) != pfn << PAGE_SHIFT)
		return -EEXIST;
	if (!leaf->writable || entry & format->write)
		return 0;
	/* Larger than one that may be written: its slot keeps a dirty log since. */
	if (level > leaf->level)
		return -E2BIG;
	/* A CPU that still has the old entry cached faults once more, and drops it. */
	WRITE_ONCE(*slot, entry | format->write | format->accessed | format->dirty);
	return 0;
}

int npt_map(struct npt *npt, struct npt_cache *cache, const struct npt_leaf *leaf)
{
	const struct npt_format *format = &features.npt;
	u8 level, target = leaf->level;
	u64 value, *slot;
	int err;

	lockdep_assert_held(&npt->lock);
	for (;;) {
		level = target;
		slot = npt_walk(format, npt->root, leaf->gfn, &level);
		value = READ_ONCE(*slot);
		if (entry_present(value) && !entry_leaf(value, level)) {
			/* A table stands where a large leaf would do: one level down. */
			target--;
			continue;
		}
		if (entry_present(value)) {
			err = npt_upgrade(slot, level, leaf);
			if (err != -E2BIG)
				return err;
		} else if (level == target) {
			break;
		}
		if (!cache->nr)
			return -ENOMEM;
		npt_link(slot, level, cache->pages[--cache->nr]);
	}
	/* The guest is about to do it anyway, and the page walker's locked update costs more. */
	value = format->leaf | format->accessed;
	if (level > NPT_LEVEL_4K)
		value |= format->large;
	if (leaf->writable)
		value |= format->write | format->dirty;
	WRITE_ONCE(*slot, value | (leaf->pfn & ~(NPT_PAGES(level) - 1)) << PAGE_SHIFT);
	return 0;
}

/* The highest level at which the entry of @gfn lies inside [@gfn, @end) whole. */
static u8 whole_level(u64 gfn, u64 end)
{
	u8 level = NPT_LEVEL_4K;

	while (level < features.npt.levels && !(gfn & (NPT_PAGES(level + 1) - 1)) &&
	       end - gfn >= NPT_PAGES(level + 1))
		level++;
	return level;
}

/* @table's entries are of @level. It may still be read by a page walker: linked outside it. */
static void garbage_add(struct npt_garbage *garbage, u64 *table, u8 level)
{
	set_page_private(virt_to_page(table), garbage->first);
	garbage->first = (unsigned long)table | level;
}

void npt_zap(struct npt *npt, u64 gfn, u64 end, struct npt_garbage *garbage)
{
	lockdep_assert_held(&npt->lock);
	while (gfn < end) {
		u8 level = whole_level(gfn, end);
		u64 *slot = npt_walk(&features.npt, npt->root, gfn, &level);
		u64 entry = READ_ONCE(*slot);

		if (entry_present(entry)) {
			/* A leaf that reaches beyond the range goes too: it can come back. */
			WRITE_ONCE(*slot, 0);
			npt->zapped++;
			if (!entry_leaf(entry, level))
				garbage_add(garbage, entry_table(&features.npt, entry), level - 1);
		}
		gfn = next_entry(gfn, level);
	}
}

void npt_protect(struct npt *npt, u64 gfn, u64 end)
{
	const unsigned int write = __ffs64(features.npt.write);

	lockdep_assert_held(&npt->lock);
	while (gfn < end) {
		u8 level = NPT_LEVEL_4K;
		u64 *slot = npt_walk(&features.npt, npt->root, gfn, &level);

		/* The neighbours stand in the same table. */
		do {
			u64 entry = READ_ONCE(*slot);

			if (entry_leaf(entry, level) && entry & BIT_ULL(write)) {
				/* Hardware may set another bit at this moment: atomic. */
				clear_bit(write, (unsigned long *)slot);
				npt->zapped++;
			}
			gfn = next_entry(gfn, level);
			slot++;
		} while (level == NPT_LEVEL_4K && gfn < end && gfn & (NPT_ENTRIES - 1));
	}
}

void npt_flush(struct vm *vm)
{
	struct npt *npt = &vm->npt;
	const u64 zapped = READ_ONCE(npt->zapped);
	unsigned long flags;

	lockdep_assert_irqs_enabled();
	/* Pairs with the release below: a flush that covers us has ended. */
	if (smp_load_acquire(&npt->flushed) >= zapped)
		return;
	vm_request_all(vm, REQUEST_FLUSH_NESTED);
	raw_spin_lock_irqsave(&npt->lock, flags);
	if (npt->flushed < zapped)
		/* The flush is done before others may rely on it. */
		smp_store_release(&npt->flushed, zapped);
	raw_spin_unlock_irqrestore(&npt->lock, flags);
}

void npt_free_garbage(struct npt_garbage *garbage)
{
	while (garbage->first) {
		u64 *table = (u64 *)(garbage->first & PAGE_MASK);
		u8 level = garbage->first & ~PAGE_MASK;
		struct page *page = virt_to_page(table);

		garbage->first = page_private(page);
		set_page_private(page, 0);
		free_tables(table, level, garbage);
	}
}

bool npt_age(struct npt *npt, u64 gfn, u64 end, bool forget)
{
	const u64 accessed = features.npt.accessed;
	bool young = false;

	lockdep_assert_held(&npt->lock);
	while (gfn < end && (forget || !young)) {
		u8 level = NPT_LEVEL_4K;
		u64 *slot = npt_walk(&features.npt, npt->root, gfn, &level);
		u64 entry = READ_ONCE(*slot);

		gfn = next_entry(gfn, level);
		if (!entry_present(entry) || (accessed && !(entry & accessed)))
			continue;
		young = true;
		if (forget && accessed) {
			/* Hardware may set a dirty bit at this moment: atomic. */
			clear_bit(__ffs64(accessed), (unsigned long *)slot);
		} else if (forget) {
			WRITE_ONCE(*slot, 0);
			npt->zapped++;
		}
	}
	return young;
}

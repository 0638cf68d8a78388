// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log: which pages of a slot were written, a bit each, told by write protection. Called
 * by api/vm_fd.c and slots.c; what marks pages is slot_mark_dirty() (slots.h), in populate.c for
 * the guest's own writes and in gmem.c for those made for it.
 *
 * Under npt.lock a writable leaf of a logged slot has its bit set: a fault sets both there, and who
 * takes bits away takes the leaves' right to write along. What the guest writes by a translation
 * still cached comes before the flush, and user space reads the page after it.
 */
#include <linux/bitmap.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "slots.h"

/* Words of a bitmap done in one go with interrupts off: as many pages as eight tables map. */
#define WORDS_AT_ONCE	64
#define PAGES_AT_ONCE	(WORDS_AT_ONCE * BITS_PER_LONG)

static size_t bitmap_words(u64 npages)
{
	return DIV_ROUND_UP(npages, BITS_PER_LONG);
}

/* The second half takes what is on its way to or from user space: under slots_lock. */
unsigned long *dirty_alloc(const struct vm *vm, u32 npages)
{
	const size_t words = bitmap_words(npages);
	unsigned long *dirty = kvcalloc(words, 2 * sizeof(*dirty),
					GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);

	if (dirty && vm->manual_dirty_log & KVIRT_DIRTY_LOG_INITIALLY_SET) {
		memset(dirty, 0xff, words * sizeof(*dirty));
		dirty[words - 1] = BITMAP_LAST_WORD_MASK(npages);
	}
	return dirty;
}

void dirty_start(struct vm *vm, const struct slot *slot)
{
	u64 gfn, end = slot->gfn + slot->npages;
	unsigned long flags;

	/* Every bit is set: who clears one protects its page. */
	if (vm->manual_dirty_log & KVIRT_DIRTY_LOG_INITIALLY_SET)
		return;
	for (gfn = slot->gfn; gfn < end; gfn += PAGES_AT_ONCE) {
		raw_spin_lock_irqsave(&vm->npt.lock, flags);
		npt_protect(&vm->npt, gfn, min(gfn + PAGES_AT_ONCE, end));
		raw_spin_unlock_irqrestore(&vm->npt.lock, flags);
		cond_resched();
	}
	npt_flush(vm);
}

/*
 * Of @n words of @slot's log from word @at on, take the bits that @wanted has, to leave there those
 * that were set. No page of them is writable afterwards.
 */
static void take_bits(struct vm *vm, const struct slot *slot, size_t at, size_t n,
		      unsigned long *wanted)
{
	unsigned int first, end;
	unsigned long flags;
	size_t i;

	for (i = 0; i < n; ) {
		raw_spin_lock_irqsave(&vm->npt.lock, flags);
		do {
			unsigned long *mask = &wanted[i];
			u64 gfn = slot->gfn + (at + i) * BITS_PER_LONG;

			if (!*mask || !READ_ONCE(slot->dirty[at + i]))
				*mask = 0;
			else
				*mask &= atomic_long_fetch_andnot(*mask,
						(atomic_long_t *)&slot->dirty[at + i]);
			for_each_set_bitrange(first, end, mask, BITS_PER_LONG)
				npt_protect(&vm->npt, gfn + first, gfn + end);
		} while (++i < n && i % WORDS_AT_ONCE);
		raw_spin_unlock_irqrestore(&vm->npt.lock, flags);
		cond_resched();
	}
	npt_flush(vm);
}

/* Takes slots_lock for the slot of user space's number @id, which has a log; or the error. */
static const struct slot *lock_logged_slot(struct vm *vm, u32 id)
{
	const struct slot_entry *entry;

	if (id >= SLOTS_MAX)
		return ERR_PTR(-EINVAL);
	mutex_lock(&vm->slots_lock);
	entry = xa_load(&vm->slots, id);
	if (entry && entry->slot.dirty)
		return &entry->slot;
	mutex_unlock(&vm->slots_lock);
	return ERR_PTR(-ENOENT);
}

long dirty_get(struct vm *vm, void *data)
{
	const struct kvirt_dirty_log *log = data;
	const struct slot *slot = lock_logged_slot(vm, log->slot);
	unsigned long *taken;
	size_t i, words;
	long err = 0;

	if (IS_ERR(slot))
		return PTR_ERR(slot);
	words = bitmap_words(slot->npages);
	taken = slot->dirty;
	if (!vm->manual_dirty_log) {
		taken += words;
		memset(taken, 0xff, words * sizeof(*taken));
		take_bits(vm, slot, 0, words, taken);
	}
	if (copy_to_user((__force void __user *)log->dirty_bitmap, taken, words * sizeof(*taken))) {
		err = -EFAULT;
		/* Nobody has seen them. */
		for (i = 0; taken != slot->dirty && i < words; i++)
			atomic_long_or(taken[i], (atomic_long_t *)&slot->dirty[i]);
	}
	mutex_unlock(&vm->slots_lock);
	return err;
}

long dirty_clear(struct vm *vm, void *data)
{
	const struct kvirt_clear_dirty_log *log = data;
	const struct slot *slot;
	unsigned long *wanted;
	long err = -EINVAL;
	size_t words;
	u64 first;

	if (log->first_page % BITS_PER_LONG)
		return -EINVAL;
	slot = lock_logged_slot(vm, log->slot);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	if (log->first_page > slot->npages || log->num_pages > slot->npages - log->first_page ||
	    (log->num_pages < slot->npages - log->first_page && log->num_pages % BITS_PER_LONG))
		goto unlock;
	first = array_index_nospec(log->first_page, slot->npages + 1ULL);
	words = bitmap_words(log->num_pages);
	wanted = slot->dirty + bitmap_words(slot->npages);
	err = -EFAULT;
	if (!copy_from_user(wanted, (__force void __user *)log->dirty_bitmap,
			    words * sizeof(*wanted))) {
		take_bits(vm, slot, first / BITS_PER_LONG, words, wanted);
		err = 0;
	}
unlock:
	mutex_unlock(&vm->slots_lock);
	return err;
}

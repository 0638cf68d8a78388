// SPDX-License-Identifier: GPL-2.0
/*
 * Reading and writing guest memory. Called by run/, api/ and vm/clock.c.
 *
 * The slots stay as they are, by vm->srcu, until the copy is done: deleting a slot waits
 * for that, so no write of ours reaches memory that user space has taken back.
 */
#include <linux/mutex.h>	/* 6.12's futex.h wants it */
#include <linux/futex.h>
#include <linux/uaccess.h>
#include <asm/futex.h>
#include "gmem.h"
#include "slots.h"

/* vm->srcu held: the slot of @gpa or NULL, its user address, how much of *@len lies in it. */
static const struct slot *gmem_find(struct vm *vm, u64 gpa, size_t *len, void __user **user)
{
	u64 gfn = gpa >> PAGE_SHIFT;
	const struct slot *slot = slots_find(vm, gfn, gfn + 1);

	if (slot) {
		*len = min_t(u64, *len, ((slot->gfn + slot->npages) << PAGE_SHIFT) - gpa);
		*user = (void __user *)(slot_hva(slot, gfn) + offset_in_page(gpa));
	}
	return slot;
}

enum gmem_op {
	GMEM_READ, GMEM_WRITE, GMEM_XCHG, GMEM_CHECK, GMEM_READ_ATOMIC, GMEM_WRITE_ATOMIC,
};

/* Bytes that could not be copied. */
static __always_inline unsigned long gmem_copy(void __user *user, void *kernel, size_t len,
					       enum gmem_op op)
{
	unsigned long left;

	if (op == GMEM_READ)
		return copy_from_user(kernel, user, len);
	if (op == GMEM_WRITE)
		return copy_to_user(user, kernel, len);
	if (op == GMEM_CHECK)
		return 0;
	if (op == GMEM_XCHG)
		return arch_futex_atomic_op_inuser(FUTEX_OP_SET, *(u32 *)kernel, kernel, user);
	/* The slot's whole range passed access_ok() when it was set. */
	pagefault_disable();
	left = op == GMEM_READ_ATOMIC ? __copy_from_user_inatomic(kernel, user, len) :
					__copy_to_user_inatomic(user, kernel, len);
	pagefault_enable();
	return left;
}

/* @op is a constant in each caller: this is five functions. */
static __always_inline int gmem_access(struct vm *vm, u64 gpa, void *kernel, size_t len,
				       enum gmem_op op)
{
	bool atomic = op == GMEM_READ_ATOMIC || op == GMEM_WRITE_ATOMIC;
	bool write = op != GMEM_READ && op != GMEM_READ_ATOMIC;
	int err = 0;
	int idx = srcu_read_lock(&vm->srcu);

	while (len && !err) {
		size_t part = len;
		void __user *user;
		const struct slot *slot = gmem_find(vm, gpa, &part, &user);

		if (!slot)
			err = -ENOENT;
		else if (write && !slot_writable(slot))
			err = -EROFS;
		else if (gmem_copy(user, kernel, part, op))
			err = atomic ? -EAGAIN : -EFAULT;
		/* Some of it may be written even then. */
		if (write && slot && op != GMEM_CHECK)
			slot_mark_dirty(slot, gpa, part);
		gpa += part;
		kernel += part;
		len -= part;
	}
	srcu_read_unlock(&vm->srcu, idx);
	return err;
}

int gmem_read(struct vm *vm, u64 gpa, void *to, size_t len)
{
	return gmem_access(vm, gpa, to, len, GMEM_READ);
}

int gmem_write(struct vm *vm, u64 gpa, const void *from, size_t len)
{
	return gmem_access(vm, gpa, (void *)from, len, GMEM_WRITE);
}

int gmem_check(struct vm *vm, u64 gpa, size_t len)
{
	return gmem_access(vm, gpa, NULL, len, GMEM_CHECK);
}

int gmem_read_atomic(struct vm *vm, u64 gpa, void *to, size_t len)
{
	return gmem_access(vm, gpa, to, len, GMEM_READ_ATOMIC);
}

int gmem_write_atomic(struct vm *vm, u64 gpa, const void *from, size_t len)
{
	return gmem_access(vm, gpa, (void *)from, len, GMEM_WRITE_ATOMIC);
}

bool gmem_words_find(struct vm *vm, struct gmem_words *words)
{
	int idx = srcu_read_lock(&vm->srcu);
	unsigned int i;
	bool found = true;
	void __user *user;
	size_t len;

	/* Before the slots: if one goes meanwhile, what is found in it is of no use. */
	words->sequence = smp_load_acquire(&vm->notifier->sequence);
	for (i = 0; i < words->n && found; i++) {
		len = sizeof(u64);
		found = gmem_find(vm, words->word[i].gpa, &len, &user);
		words->word[i].user = user;
	}
	srcu_read_unlock(&vm->srcu, idx);
	return found;
}

bool gmem_words_same_atomic(struct vm *vm, const struct gmem_words *words)
{
	/* By pointer: with user access open no function is called, nor one that checks an index. */
	const struct gmem_word *word = words->word, *const end = word + words->n;
	bool same = false;
	u64 now;

	/* A slot that goes only now may be read all the same: as if it had been a moment ago. */
	pagefault_disable();
	if (words->sequence == READ_ONCE(vm->notifier->sequence) &&
	    user_access_begin(word->user, sizeof(u64))) {
		for (; word < end; word++) {
			unsafe_get_user(now, word->user, out);
			if (now != word->value)
				goto out;
		}
		same = true;
out:
		user_access_end();
	}
	pagefault_enable();
	return same;
}

int gmem_xchg32(struct vm *vm, u64 gpa, u32 *value)
{
	return gmem_access(vm, gpa, value, sizeof(*value), GMEM_XCHG);
}

int gmem_write_versioned(struct vm *vm, u64 gpa, void *data, size_t len, size_t at)
{
	u32 *version = data + at;
	int err, last;

	*version |= 1;
	err = gmem_write(vm, gpa + at, version, sizeof(*version));
	if (err)
		return err;
	smp_wmb();	/* odd, then the rest */
	err = gmem_write(vm, gpa, data, len);
	smp_wmb();	/* the rest, then even */
	++*version;
	last = gmem_write(vm, gpa + at, version, sizeof(*version));
	return err ?: last;
}

int gmem_set_bits(struct vm *vm, u64 gpa, u64 value, u8 bits, unsigned int size)
{
	int err = -ENOENT, idx = srcu_read_lock(&vm->srcu);
	void __user *user;
	size_t len = size;
	const struct slot *slot = gmem_find(vm, gpa, &len, &user);
	u32 value32 = value;

	if (slot && slot_writable(slot)) {
		/* Gives 1 where the value is another. */
		err = size == 8 ?
		      __try_cmpxchg_user((u64 __user *)user, &value, value | bits, fault8) :
		      __try_cmpxchg_user((u32 __user *)user, &value32, value32 | bits, fault4);
		err = err > 0 ? -EAGAIN : err;
		slot_mark_dirty(slot, gpa, size);
	} else if (slot) {
		err = 0;
	}
	srcu_read_unlock(&vm->srcu, idx);
	return err;
}

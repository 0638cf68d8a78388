/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only way to guest memory: a guest-physical address and a length, never a pointer. Each byte
 * is read once into the caller's memory, through the user address of the slot, so the host's page
 * protection holds for us as for the process.
 *
 * All give 0, -ENOENT (no slot at some byte: MMIO), -EROFS (write into a read-only slot: MMIO),
 * -EFAULT (the process has nothing there). A write that fails may have written the bytes before the
 * place that failed. current->mm must be vm->mm.
 */
#ifndef KVIRT_VM_GMEM_H
#define KVIRT_VM_GMEM_H

#include <linux/types.h>

struct vm;

/* May sleep, interrupts on, no window open. */
int gmem_read(struct vm *vm, u64 gpa, void *to, size_t len);
int gmem_write(struct vm *vm, u64 gpa, const void *from, size_t len);
/* As a write, but nothing is written, and whether the process has memory there is not asked. */
int gmem_check(struct vm *vm, u64 gpa, size_t len);
/* Exchange @value with the aligned word there, as one access. */
int gmem_xchg32(struct vm *vm, u64 gpa, u32 *value);
/* Write @data, whose u32 @at is a version: odd while the rest changes, then the next even one. */
int gmem_write_versioned(struct vm *vm, u64 gpa, void *data, size_t len, size_t at);

/*
 * Any context of the owner's thread, so inside a window too: never sleep, never fault. -EAGAIN
 * instead of -EFAULT: close the window and use the other form.
 */
int gmem_read_atomic(struct vm *vm, u64 gpa, void *to, size_t len);
int gmem_write_atomic(struct vm *vm, u64 gpa, const void *from, size_t len);

/*
 * Words of guest memory, each aligned, and what they were, to be seen again without a search.
 * gmem_words_find() - after gpa and value were set: where they are, until a slot goes (or the host
 * unmaps anything). False: not all of them are memory. gmem_words_same_atomic() - all are what they
 * were; false too where that cannot be told without a fault.
 */
struct gmem_words {
	unsigned long sequence;		/* vm->notifier's */
	unsigned int n;
	struct gmem_word {
		u64 gpa, value;
		const u64 __user *user;
	} word[8];
};

bool gmem_words_find(struct vm *vm, struct gmem_words *words);
bool gmem_words_same_atomic(struct vm *vm, const struct gmem_words *words);

/*
 * Set @bits in the naturally aligned @size (4 or 8) bytes at @gpa, in one step; nothing where that
 * is ROM. May sleep. -EAGAIN: they are not @value.
 */
int gmem_set_bits(struct vm *vm, u64 gpa, u64 value, u8 bits, unsigned int size);

#endif

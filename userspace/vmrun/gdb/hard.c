// SPDX-License-Identifier: GPL-2.0
/*
 * Four registers, each for 1, 2, 4 or 8 bytes that are aligned: what is not takes several
 * (SDM vol. 3, 18.2). Called by command.c and stub.c.
 */
#include <string.h>

#include "hard.h"

#define DR7_FIXED	0x400
#define DR7_GLOBAL(n)	(2ull << 2 * (n))
#define DR7_KIND(n)	(16 + 4 * (n))
#define DR7_LENGTH(n)	(18 + 4 * (n))

static struct gdb_hard_slot *find_free(struct gdb_hard *hard)
{
	unsigned int i;

	for (i = 0; i < GDB_HARD_SLOTS; i++)
		if (!hard->slot[i].len)
			return &hard->slot[i];
	return NULL;
}

static bool is_owned(const struct gdb_hard_slot *slot, enum gdb_hard_kind kind, u64 address, u64 len)
{
	return slot->len && slot->kind == kind && slot->owner == address && slot->owner_len == len;
}

int gdb_hard_add(struct gdb_hard *hard, enum gdb_hard_kind kind, u64 address, u64 len)
{
	struct gdb_hard old = *hard;
	struct gdb_hard_slot *slot;
	u64 at, left;
	u8 n;

	/* Instructions are met by their first byte; gdb tells how long a software one would be. */
	left = kind == GDB_HARD_CODE ? 1 : len;
	if (!left || left > 8 * GDB_HARD_SLOTS)
		return -1;
	gdb_hard_remove(hard, kind, address, len);
	for (at = address; left; at += n, left -= n) {
		for (n = 8; at % n || n > left; n /= 2)
			;
		slot = find_free(hard);
		if (!slot) {
			*hard = old;
			return -1;
		}
		*slot = (struct gdb_hard_slot){ n, kind, at, address, len };
	}
	return 0;
}

int gdb_hard_remove(struct gdb_hard *hard, enum gdb_hard_kind kind, u64 address, u64 len)
{
	unsigned int i;
	int ret = -1;

	for (i = 0; i < GDB_HARD_SLOTS; i++) {
		if (!is_owned(&hard->slot[i], kind, address, len))
			continue;
		hard->slot[i].len = 0;
		ret = 0;
	}
	return ret;
}

bool gdb_hard_registers(const struct gdb_hard *hard, struct kvirt_guest_debug_arch *arch)
{
	static const u8 length[] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };
	bool any = false;
	unsigned int i;

	memset(arch, 0, sizeof(*arch));
	arch->debugreg[7] = DR7_FIXED;
	for (i = 0; i < GDB_HARD_SLOTS; i++) {
		const struct gdb_hard_slot *slot = &hard->slot[i];

		if (!slot->len)
			continue;
		any = true;
		arch->debugreg[i] = slot->address;
		arch->debugreg[7] |= DR7_GLOBAL(i) | (u64)slot->kind << DR7_KIND(i) |
				     (u64)length[slot->len] << DR7_LENGTH(i);
	}
	return any;
}

const struct gdb_hard_slot *gdb_hard_hit(const struct gdb_hard *hard, u64 dr6)
{
	const struct gdb_hard_slot *hit = NULL;
	unsigned int i;

	for (i = 0; i < GDB_HARD_SLOTS; i++)
		if (hard->slot[i].len && dr6 & BIT(i) && (!hit || hit->kind == GDB_HARD_CODE))
			hit = &hard->slot[i];
	return hit;
}

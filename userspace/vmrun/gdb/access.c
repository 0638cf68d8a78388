// SPDX-License-Identifier: GPL-2.0
/*
 * Each page is looked for by the vCPU's own tables, and its physical address by guest_buf();
 * nothing is assumed of one page because of another. Called by command.c and stub.c.
 */
#include <string.h>

#include "access.h"
#include "walk.h"

#define PAGE	4096
#define INT3	0xcc

/* The bytes from @address to its page's end, @len at most, and where they are; NULL: nowhere. */
static u8 *reach(const struct gdb_access *access, const struct kvirt_sregs *sregs, u64 address,
		 size_t len, u64 *physical, size_t *n)
{
	*n = min_u64(len, PAGE - (address & (PAGE - 1)));
	if (!gdb_walk(access->mem, sregs, address, physical))
		return NULL;
	return guest_buf(access->mem, *physical, *n);
}

static bool read_sregs(struct kvirt_vcpu *vcpu, struct kvirt_sregs *sregs)
{
	struct vm_error err = { 0 };

	return !kvirt_get_sregs(vcpu, sregs, &err);
}

bool gdb_translate(const struct gdb_access *access, struct kvirt_vcpu *vcpu, u64 address,
		   u64 *physical)
{
	struct kvirt_sregs sregs;

	return read_sregs(vcpu, &sregs) && gdb_walk(access->mem, &sregs, address, physical);
}

/* The breakpoints in [@physical, @physical + @len): theirs is @data, not the memory. */
static void hide(const struct gdb_access *access, u64 physical, u8 *data, size_t len)
{
	unsigned int i;

	for (i = 0; i < access->nr_soft; i++)
		if (access->soft[i].physical - physical < len)
			data[access->soft[i].physical - physical] = access->soft[i].original;
}

size_t gdb_read(const struct gdb_access *access, struct kvirt_vcpu *vcpu, u64 address,
		u8 *data, size_t len)
{
	struct kvirt_sregs sregs;
	size_t done, n;
	u64 physical;
	u8 *from;

	if (!read_sregs(vcpu, &sregs))
		return 0;
	for (done = 0; done < len; done += n) {
		from = reach(access, &sregs, address + done, len - done, &physical, &n);
		if (!from)
			break;
		memcpy(data + done, from, n);
		hide(access, physical, data + done, n);
	}
	return done;
}

/* Behind a breakpoint only what it hides changes. */
static void put_behind(struct gdb_access *access, u64 physical, u8 *to, const u8 *data, size_t len)
{
	unsigned int i;

	memcpy(to, data, len);
	for (i = 0; i < access->nr_soft; i++) {
		u64 at = access->soft[i].physical - physical;

		if (at >= len)
			continue;
		access->soft[i].original = data[at];
		to[at] = INT3;
	}
}

size_t gdb_write(struct gdb_access *access, struct kvirt_vcpu *vcpu, u64 address,
		 const u8 *data, size_t len)
{
	struct kvirt_sregs sregs;
	size_t done, n;
	u64 physical;
	u8 *to;

	if (!read_sregs(vcpu, &sregs))
		return 0;
	for (done = 0; done < len; done += n) {
		to = reach(access, &sregs, address + done, len - done, &physical, &n);
		if (!to)
			break;
		put_behind(access, physical, to, data + done, n);
	}
	return done;
}

static const struct gdb_soft *find_physical(const struct gdb_access *access, u64 physical)
{
	unsigned int i;

	for (i = 0; i < access->nr_soft; i++)
		if (access->soft[i].physical == physical)
			return &access->soft[i];
	return NULL;
}

static struct gdb_soft *find(struct gdb_access *access, u64 address)
{
	unsigned int i;

	for (i = 0; i < access->nr_soft; i++)
		if (access->soft[i].address == address)
			return &access->soft[i];
	return NULL;
}

int gdb_soft_add(struct gdb_access *access, struct kvirt_vcpu *vcpu, u64 address)
{
	const struct gdb_soft *same;
	struct kvirt_sregs sregs;
	struct gdb_soft *soft;
	u64 physical;
	size_t n;
	u8 *to;

	/* gdb may say the same twice. */
	if (find(access, address))
		return 0;
	if (!read_sregs(vcpu, &sregs) || access->nr_soft == GDB_MAX_SOFT)
		return -1;
	to = reach(access, &sregs, address, 1, &physical, &n);
	if (!to)
		return -1;
	same = find_physical(access, physical);
	soft = &access->soft[access->nr_soft++];
	*soft = (struct gdb_soft){ address, physical, same ? same->original : *to };
	*to = INT3;
	return 0;
}

int gdb_soft_remove(struct gdb_access *access, u64 address)
{
	struct gdb_soft *soft = find(access, address), gone;
	u8 *to;

	if (!soft)
		return -1;
	gone = *soft;
	*soft = access->soft[--access->nr_soft];
	to = guest_buf(access->mem, gone.physical, 1);
	/* What the guest has written over it meanwhile stays. */
	if (to && *to == INT3 && !find_physical(access, gone.physical))
		*to = gone.original;
	return 0;
}

void gdb_soft_clear(struct gdb_access *access)
{
	while (access->nr_soft)
		gdb_soft_remove(access, access->soft[0].address);
}

enum gdb_soft_match gdb_soft_at(const struct gdb_access *access, struct kvirt_vcpu *vcpu,
				u64 address)
{
	unsigned int i;
	u64 physical;

	for (i = 0; i < access->nr_soft; i++)
		if (access->soft[i].address == address)
			return GDB_SOFT_EXACT;
	if (!gdb_translate(access, vcpu, address, &physical))
		return GDB_SOFT_NONE;
	return find_physical(access, physical) ? GDB_SOFT_ALIAS : GDB_SOFT_NONE;
}

bool gdb_soft_lift(struct gdb_access *access, struct kvirt_vcpu *vcpu, u64 address, u64 *physical)
{
	u8 *to;

	if (gdb_soft_at(access, vcpu, address) != GDB_SOFT_ALIAS ||
	    !gdb_translate(access, vcpu, address, physical))
		return false;
	to = guest_buf(access->mem, *physical, 1);
	/* Written over by the guest: what is there now is what it is to execute. */
	if (!to || *to != INT3)
		return false;
	*to = find_physical(access, *physical)->original;
	return true;
}

void gdb_soft_put_back(struct gdb_access *access, u64 physical)
{
	u8 *to = guest_buf(access->mem, physical, 1);
	unsigned int i;

	/* The instruction may have changed itself. */
	for (i = 0; i < access->nr_soft; i++)
		if (access->soft[i].physical == physical)
			access->soft[i].original = *to;
	if (find_physical(access, physical))
		*to = INT3;
}

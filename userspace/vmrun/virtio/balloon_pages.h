/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests fill their balloon by pages of 4 KiB. Where the host's pages are larger, one can
 * go back when all its parts are in the balloon: here is remembered which are. The
 * balloon's lock covers it.
 */
#ifndef VMRUN_VIRTIO_BALLOON_PAGES_H
#define VMRUN_VIRTIO_BALLOON_PAGES_H

#include "../memory.h"

#define BALLOON_PAGE	4096

struct balloon_pages {
	const struct memory *mem;
	u64 *given;		/* a bit for each page; NULL: the host's are no larger, or no memory */
	u32 *count;		/* of each of the host's: how many of them */
};

void balloon_pages_init(struct balloon_pages *pages, const struct memory *mem);
void balloon_pages_destroy(struct balloon_pages *pages);

/* The balloon is empty again. */
void balloon_pages_clear(struct balloon_pages *pages);

/* @page, the guest's, of BALLOON_PAGE bytes, is in the balloon; gives back what is whole then. */
void balloon_pages_add(struct balloon_pages *pages, u8 *page);

/* It is not any more. */
void balloon_pages_remove(struct balloon_pages *pages, u8 *page);

#endif

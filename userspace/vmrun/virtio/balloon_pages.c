// SPDX-License-Identifier: GPL-2.0
/*
 * A bit for each page of the guest's, a count for each of the host's. A guest may name a
 * page twice, or one that it never gave: the bit decides, not the count. Called by
 * balloon.c.
 */
#include <stdlib.h>
#include <string.h>

#include "balloon_pages.h"

#define BITS	64

static u64 nr_words(const struct balloon_pages *pages)
{
	return (memory_size(pages->mem) / BALLOON_PAGE + BITS - 1) / BITS;
}

static u64 nr_counts(const struct balloon_pages *pages)
{
	return memory_size(pages->mem) / memory_page(pages->mem);
}

void balloon_pages_init(struct balloon_pages *pages, const struct memory *mem)
{
	*pages = (struct balloon_pages){ .mem = mem };
	if (memory_page(mem) == BALLOON_PAGE)
		return;
	pages->given = calloc(nr_words(pages), sizeof(*pages->given));
	pages->count = calloc(nr_counts(pages), sizeof(*pages->count));
	/* Without them the guest keeps what it gives up, and all else works. */
	if (!pages->given || !pages->count)
		balloon_pages_destroy(pages);
}

void balloon_pages_destroy(struct balloon_pages *pages)
{
	free(pages->given);
	free(pages->count);
	pages->given = NULL;
	pages->count = NULL;
}

void balloon_pages_clear(struct balloon_pages *pages)
{
	if (!pages->given)
		return;
	memset(pages->given, 0, nr_words(pages) * sizeof(*pages->given));
	memset(pages->count, 0, nr_counts(pages) * sizeof(*pages->count));
}

/* The word of @page, and its bit there. */
static u64 *word_of(struct balloon_pages *pages, const u8 *page, u64 *bit)
{
	/* The regions lie one behind the other on the host. */
	u64 n = (u64)(page - pages->mem->region[0].host_addr) / BALLOON_PAGE;

	*bit = 1ull << n % BITS;
	return &pages->given[n / BITS];
}

void balloon_pages_add(struct balloon_pages *pages, u8 *page)
{
	u64 size = memory_page(pages->mem), offset, bit, *word;

	if (!pages->given)
		return;
	word = word_of(pages, page, &bit);
	if (*word & bit)
		return;
	*word |= bit;
	offset = page - pages->mem->region[0].host_addr;
	if (++pages->count[offset / size] == size / BALLOON_PAGE)
		memory_give_back(pages->mem, page - offset % size, size);
}

void balloon_pages_remove(struct balloon_pages *pages, u8 *page)
{
	u64 bit, *word;

	if (!pages->given)
		return;
	word = word_of(pages, page, &bit);
	if (!(*word & bit))
		return;
	*word &= ~bit;
	pages->count[(u64)(page - pages->mem->region[0].host_addr) / memory_page(pages->mem)]--;
}

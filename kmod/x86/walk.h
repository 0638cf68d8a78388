/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The walk of a guest's page tables, as a stepper: no callback and no access to memory here,
 * so it runs inside and outside the strict window, and under a fuzzer.
 *
 *	x86_walk_start(&w, linear, access, &state, &features, pdptrs);
 *	while (w.state == X86_WALK_READ) {
 *		read w.entry_size bytes at w.where[w.n], little-endian, into entry (or give up)
 *		x86_walk_feed(&w, entry);
 *	}
 *
 * Source: SDM vol. 3, chapter 4; APM vol. 2, 5 and 15.25.
 */
#ifndef KVIRT_X86_WALK_H
#define KVIRT_X86_WALK_H

#include "cpuid.h"

/* Error code of a page fault (SDM vol. 3, 4.7). */
#define X86_PFEC_PRESENT	BIT(0)
#define X86_PFEC_WRITE		BIT(1)
#define X86_PFEC_USER		BIT(2)
#define X86_PFEC_RSVD		BIT(3)
#define X86_PFEC_INSTR		BIT(4)

/* The access to be checked, as the error code says it; without WRITE and EXEC a data read. */
#define X86_ACCESS_WRITE	X86_PFEC_WRITE
#define X86_ACCESS_EXEC		X86_PFEC_INSTR
#define X86_ACCESS_USER		X86_PFEC_USER	/* at CPL 3 */

#define X86_PTE_PRESENT		BIT_ULL(0)
#define X86_PTE_WRITE		BIT_ULL(1)
#define X86_PTE_USER		BIT_ULL(2)
#define X86_PTE_ACCESSED	BIT_ULL(5)
#define X86_PTE_DIRTY		BIT_ULL(6)
#define X86_PTE_LARGE		BIT_ULL(7)
#define X86_PTE_NX		BIT_ULL(63)

/* PAE paging's PDPTEs: VT-x has them in registers, AMD-V reads them as it walks. */
enum x86_pdptrs { X86_PDPTRS_LOADED, X86_PDPTRS_IN_MEMORY };

enum x86_walk_state {
	X86_WALK_READ,			/* the entry at where[n] is wanted */
	X86_WALK_DONE,			/* gpa is the result */
	X86_WALK_FAULT,			/* page fault with error_code */
	X86_WALK_NONCANONICAL,		/* #GP, or #SS through the stack segment: no page fault */
};

#define X86_WALK_LEVELS 5

struct x86_walk {
	const struct x86_state *cpu;	/* the caller's, for as long as the walk lasts */
	u64 linear;
	u64 gpa;			/* of the byte at linear, when DONE */
	u32 access;			/* X86_ACCESS_* */
	u32 error_code;			/* X86_PFEC_*, when FAULT */
	u8 state;			/* enum x86_walk_state */
	u8 level;			/* of the wanted entry: 5 PML5E ... 1 PTE */
	u8 shift;			/* lowest bit of linear that the last entry translates */
	u8 largest;			/* level up to which an entry may map a page */
	u8 entry_size;			/* 4 or 8 */
	u8 n;				/* entries read */
	u64 reserved;		/* bits that no level (4-byte entries: a large page) may set */
	u64 all, any;			/* AND and OR of the entries so far: their rights */
	/*
	 * The n entries from the top. set[i]: the accessed and dirty bits which the CPU
	 * would set in entry i when the walk is DONE; the caller sets them by a
	 * cmpxchg from value[i], and walks again when that fails.
	 */
	u64 where[X86_WALK_LEVELS];
	u64 value[X86_WALK_LEVELS];
	u8 set[X86_WALK_LEVELS];
};

/*
 * x86_walk_start() - begin; may end the walk at once (no paging, not canonical).
 * Needs CR0, CR3, CR4, RFLAGS of @s valid.
 */
void x86_walk_start(struct x86_walk *w, u64 linear, u32 access, const struct x86_state *s,
		    const struct x86_guest_features *f, enum x86_pdptrs pdptrs);

/* x86_walk_feed() - take the entry at where[n], which is naturally aligned. */
void x86_walk_feed(struct x86_walk *w, u64 entry);

/* x86_pdpte_valid() - may CR3 load this PAE PDPTE (else #GP; SDM vol. 3, 4.4.1)? */
bool x86_pdpte_valid(u64 pdpte, unsigned int maxphyaddr);

#endif

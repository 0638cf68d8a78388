// SPDX-License-Identifier: GPL-2.0
/*
 * The walk of a guest's page tables. All paging modes share one feed function: what differs
 * between them is the first table, the index bits and the reserved bits, all known at the start.
 * Reading the tables, setting their bits and raising the fault are the caller's.
 */
#include "walk.h"

#define ADDRESS_52	GENMASK_ULL(51, 12)
/* PAE's PDPTEs have no rights (SDM vol. 3, 4.4.1). */
#define PDPTE_RESERVED	(GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1))

static void fault(struct x86_walk *w, u32 cause)
{
	bool nx = w->entry_size == 8 && (w->cpu->efer & X86_EFER_NX_BIT);

	w->error_code = cause | w->access;
	/* Without NX and SMEP, a fetch is not told from a read. */
	if (!nx && !(w->cpu->cr4 & X86_CR4_SMEP))
		w->error_code &= ~X86_PFEC_INSTR;
	w->state = X86_WALK_FAULT;
}

/* Name the entry of @level in the table at @table. */
static void descend(struct x86_walk *w, u64 table, unsigned int level)
{
	const unsigned int bits = w->entry_size == 8 ? 9 : 10;

	w->level = level;
	w->shift = 12 + bits * (level - 1);
	w->where[w->n] = table + (w->linear >> w->shift & (BIT(bits) - 1)) * w->entry_size;
}

void x86_walk_start(struct x86_walk *w, u64 linear, u32 access, const struct x86_state *s,
		    const struct x86_guest_features *f, enum x86_pdptrs pdptrs)
{
	u64 table = s->cr3 & ADDRESS_52;	/* bits 61 to 63 are not address */
	unsigned int level;

	w->cpu = s;
	w->access = access;
	w->state = X86_WALK_READ;
	w->n = 0;
	w->linear = x86_long_mode(s) ? linear : (u32)linear;
	w->all = ~0ULL;
	w->any = 0;
	if (!(s->cr0 & X86_CR0_PG)) {
		w->gpa = w->linear;
		w->state = X86_WALK_DONE;
		return;
	}
	if (!(s->cr4 & X86_CR4_PAE) && !x86_long_mode(s)) {
		w->entry_size = 4;
		w->largest = s->cr4 & X86_CR4_PSE ? 2 : 1;
		/* PSE-36: bits 20 to 13 of a large page are address bits 39 to 32, if any. */
		w->reserved = GENMASK_ULL(21, min_t(u8, f->maxphyaddr, 40) - 19);
		descend(w, (u32)table, 2);
		return;
	}
	w->entry_size = 8;
	w->largest = x86_long_mode(s) && (f->has & X86_HAS_GBPAGES) ? 3 : 2;
	w->reserved = GENMASK_ULL(51, 0) & f->phys_reserved;
	if (!(s->efer & X86_EFER_NX_BIT))
		w->reserved |= X86_PTE_NX;
	if (x86_long_mode(s)) {
		level = s->cr4 & X86_CR4_LA57 ? 5 : 4;
		if (!x86_canonical(linear, level == 5 ? 57 : 48)) {
			w->state = X86_WALK_NONCANONICAL;
			return;
		}
		descend(w, table, level);
		return;
	}
	w->reserved |= GENMASK_ULL(62, 52);
	if (pdptrs == X86_PDPTRS_IN_MEMORY) {
		descend(w, s->cr3 & X86_CR3_PDPT, 3);
		return;
	}
	table = s->pdptr[w->linear >> 30];
	if (table & X86_PTE_PRESENT)
		descend(w, table & ADDRESS_52, 2);
	else
		fault(w, 0);
}

bool x86_pdpte_valid(u64 pdpte, unsigned int maxphyaddr)
{
	return !(pdpte & X86_PTE_PRESENT) ||
	       !(pdpte & (GENMASK_ULL(63, maxphyaddr) | PDPTE_RESERVED));
}

/* Bits that must be zero in this present entry (SDM vol. 3, 4.3 to 4.5). */
static u64 reserved_bits(const struct x86_walk *w, bool page)
{
	if (w->entry_size == 4)
		return page && w->level == 2 ? w->reserved : 0;
	if (w->level == 1)
		return w->reserved;
	/* In memory, PDPTEs may be marked accessed. */
	if (w->level == 3 && !x86_long_mode(w->cpu))
		return w->reserved | X86_PTE_NX | (PDPTE_RESERVED & ~X86_PTE_ACCESSED);
	return w->reserved | (page ? GENMASK_ULL(w->shift - 1, 13) : X86_PTE_LARGE);
}

/* The rights of all levels together forbid this access (SDM vol. 3, 4.6.1). */
static bool rights_forbid(const struct x86_walk *w)
{
	const struct x86_state *s = w->cpu;
	bool read_only = (w->access & X86_ACCESS_WRITE) && !(w->all & X86_PTE_WRITE);

	if ((w->access & X86_ACCESS_EXEC) && (w->any & X86_PTE_NX))
		return true;
	if (w->access & X86_ACCESS_USER)
		return read_only || !(w->all & X86_PTE_USER);
	if (w->all & X86_PTE_USER) {
		if (w->access & X86_ACCESS_EXEC)
			return s->cr4 & X86_CR4_SMEP;
		if ((s->cr4 & X86_CR4_SMAP) && !(s->rflags & X86_EFLAGS_AC))
			return true;
	}
	return read_only && (s->cr0 & X86_CR0_WP);
}

static void finish(struct x86_walk *w, u64 entry)
{
	u64 offset = (1ULL << w->shift) - 1;

	w->gpa = (entry & ADDRESS_52 & ~offset) | (w->linear & offset);
	if (w->entry_size == 4 && w->level == 2)	/* PSE-36 */
		w->gpa |= (entry & GENMASK_ULL(20, 13)) << 19;
	if (w->access & X86_ACCESS_WRITE)
		w->set[w->n - 1] |= X86_PTE_DIRTY & ~entry;
	w->state = X86_WALK_DONE;
}

void x86_walk_feed(struct x86_walk *w, u64 entry)
{
	bool pdpte = w->level == 3 && !x86_long_mode(w->cpu), page;

	if (w->entry_size == 4)
		entry = (u32)entry;
	page = w->level == 1 || ((entry & X86_PTE_LARGE) && w->level <= w->largest);
	w->value[w->n] = entry;
	w->set[w->n++] = pdpte ? 0 : X86_PTE_ACCESSED & ~entry;
	if (!pdpte) {
		w->all &= entry;
		w->any |= entry;	/* where NX is off, bit 63 is reserved, or is not there */
	}
	if (!(entry & X86_PTE_PRESENT))
		fault(w, 0);
	else if (entry & reserved_bits(w, page))
		fault(w, X86_PFEC_PRESENT | X86_PFEC_RSVD);
	else if (!page)
		descend(w, entry & ADDRESS_52, w->level - 1);
	else if (rights_forbid(w))
		fault(w, X86_PFEC_PRESENT);
	else
		finish(w, entry);
}

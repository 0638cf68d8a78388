// SPDX-License-Identifier: GPL-2.0
/*
 * The walk of a guest's page tables. All paging modes share one feed function: what
 * differs between them is the first table, the index bits, and the reserved bits.
 * Reading the tables, setting their bits and raising the fault are the caller's.
 */
#include "walk.h"

#include "state.h"

#define ADDRESS_52	GENMASK_ULL(51, 12)

static bool pae_format(const struct x86_walk *w)
{
	return w->entry_size == 8;
}

static bool long_mode(const struct x86_walk *w)
{
	return w->regs.efer & X86_EFER_LMA_BIT;
}

static void fault(struct x86_walk *w, u32 cause)
{
	const struct x86_walk_regs *r = &w->regs;
	bool nx = pae_format(w) && (r->efer & X86_EFER_NX_BIT);

	w->error_code |= cause;
	if (w->access & X86_ACCESS_WRITE)
		w->error_code |= X86_PFEC_WRITE;
	if (w->access & X86_ACCESS_USER)
		w->error_code |= X86_PFEC_USER;
	/* Without NX and SMEP, a fetch is not told from a read. */
	if ((w->access & X86_ACCESS_EXEC) && (nx || (r->cr4 & X86_CR4_SMEP)))
		w->error_code |= X86_PFEC_INSTR;
	w->state = X86_WALK_FAULT;
}

/* Name the entry of w->level in the table at @table. */
static void descend(struct x86_walk *w, u64 table)
{
	unsigned int bits = pae_format(w) ? 9 : 10;
	unsigned int shift = 12 + bits * (w->level - 1);
	u64 index = (w->linear >> shift) & ((1 << bits) - 1);

	/* PAE's top level has four entries, in bits 31 and 30. */
	w->where[w->n] = table + index * w->entry_size;
}

void x86_walk_start(struct x86_walk *w, u64 linear, u32 access,
		    const struct x86_walk_regs *regs)
{
	u64 pdpte;

	memset(w, 0, sizeof(*w));
	w->regs = *regs;
	w->access = access;
	w->linear = linear;
	w->rights = X86_PTE_WRITE | X86_PTE_USER;

	if (!(regs->efer & X86_EFER_LMA_BIT))
		w->linear = (u32)linear;
	if (!(regs->cr0 & X86_CR0_PG)) {
		w->gpa = w->linear;
		w->page_size = 4096;
		w->state = X86_WALK_DONE;
		return;
	}
	w->entry_size = regs->cr4 & X86_CR4_PAE ? 8 : 4;
	if (long_mode(w)) {
		w->level = regs->cr4 & X86_CR4_LA57 ? 5 : 4;
		if (!x86_canonical(linear, w->level == 5 ? 57 : 48)) {
			w->state = X86_WALK_NONCANONICAL;
			return;
		}
		/* CR3 above MAXPHYADDR cannot be loaded; bits 61 to 63 are not address. */
		descend(w, regs->cr3 & ADDRESS_52);
	} else if (!pae_format(w)) {
		w->level = 2;
		descend(w, regs->cr3 & GENMASK_ULL(31, 12));
	} else if (regs->pdptr_in_memory) {
		w->level = 3;
		descend(w, regs->cr3 & GENMASK_ULL(31, 5));
	} else {
		pdpte = regs->pdptr[w->linear >> 30];
		if (!(pdpte & X86_PTE_PRESENT)) {
			fault(w, 0);
			return;
		}
		w->level = 2;
		descend(w, pdpte & ADDRESS_52);
	}
}

bool x86_walk_next(const struct x86_walk *w, u64 *gpa, unsigned int *size)
{
	if (w->state != X86_WALK_READ)
		return false;
	*gpa = w->where[w->n];
	*size = w->entry_size;
	return true;
}

bool x86_pdpte_valid(u64 pdpte, unsigned int maxphyaddr)
{
	return !(pdpte & X86_PTE_PRESENT) ||
	       !(pdpte & (GENMASK_ULL(63, maxphyaddr) | GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1)));
}

/* Does this entry map a page, and not name another table? */
static bool maps_page(const struct x86_walk *w, u64 entry)
{
	if (w->level == 1)
		return true;
	if (!(entry & X86_PTE_LARGE))
		return false;
	if (!pae_format(w))
		return w->regs.cr4 & X86_CR4_PSE;
	return w->level == 2 || (w->level == 3 && long_mode(w) && w->regs.gbpages);
}

/* Bits that must be zero in a present entry (SDM vol. 3, 4.3 to 4.5). */
static u64 reserved_bits(const struct x86_walk *w, bool page)
{
	const struct x86_walk_regs *r = &w->regs;
	u64 reserved;

	if (!pae_format(w)) {
		/* PSE-36: bits 20 to 13 carry address bits 39 to 32, as far as there are any. */
		if (!page || w->level == 1)
			return 0;
		if (r->maxphyaddr >= 40)
			return BIT_ULL(21);
		return GENMASK_ULL(21, r->maxphyaddr - 19);
	}

	reserved = r->maxphyaddr < 52 ? GENMASK_ULL(51, r->maxphyaddr) : 0;
	if (!long_mode(w)) {
		reserved |= GENMASK_ULL(62, 52);
		if (w->level == 3) {	/* no rights in PAE's PDPTEs */
			reserved |= BIT_ULL(63) | GENMASK_ULL(8, 6) | GENMASK_ULL(2, 1);
			/* A CPU that walks them in memory may mark them accessed: TCG does. */
			return r->pdptr_in_memory ? reserved : reserved | X86_PTE_ACCESSED;
		}
	}
	if (!(r->efer & X86_EFER_NX_BIT))
		reserved |= X86_PTE_NX;
	if (w->level >= 4)
		reserved |= X86_PTE_LARGE;
	if (page && w->level == 2)
		reserved |= GENMASK_ULL(20, 13);
	if (w->level == 3)
		reserved |= page ? GENMASK_ULL(29, 13) : X86_PTE_LARGE;
	return reserved;
}

/* The protection key forbids this data access (SDM vol. 3, 4.6.2). */
static bool key_forbids(const struct x86_walk *w, u64 entry)
{
	const struct x86_walk_regs *r = &w->regs;
	u32 key;

	if (!long_mode(w) || !(r->cr4 & X86_CR4_PKE) || !(w->rights & X86_PTE_USER) ||
	    (w->access & X86_ACCESS_EXEC))
		return false;
	key = r->pkru >> (((entry >> 59) & 15) * 2);
	if (key & 1)
		return true;
	return (key & 2) && (w->access & X86_ACCESS_WRITE) &&
	       ((w->access & X86_ACCESS_USER) || (r->cr0 & X86_CR0_WP));
}

/* The rights of all levels together forbid this access (SDM vol. 3, 4.6.1). */
static bool rights_forbid(const struct x86_walk *w)
{
	const struct x86_walk_regs *r = &w->regs;
	bool user_page = w->rights & X86_PTE_USER;

	if ((w->access & X86_ACCESS_EXEC) && (w->rights & X86_PTE_NX))
		return true;
	if (w->access & X86_ACCESS_USER)
		return !user_page ||
		       ((w->access & X86_ACCESS_WRITE) && !(w->rights & X86_PTE_WRITE));

	if (user_page && (w->access & X86_ACCESS_EXEC))
		return r->cr4 & X86_CR4_SMEP;
	if (user_page && (r->cr4 & X86_CR4_SMAP) &&
	    ((w->access & X86_ACCESS_IMPLICIT) || !(r->rflags & X86_RFLAGS_AC)))
		return true;
	return (w->access & X86_ACCESS_WRITE) && (r->cr0 & X86_CR0_WP) &&
	       !(w->rights & X86_PTE_WRITE);
}

static void finish(struct x86_walk *w, u64 entry)
{
	u64 offset, frame;
	u32 cause = 0;
	unsigned int i;

	if (key_forbids(w, entry))
		cause = X86_PFEC_PRESENT | X86_PFEC_PK;
	if (rights_forbid(w))
		cause |= X86_PFEC_PRESENT;
	if (cause) {
		fault(w, cause);
		return;
	}

	w->page_size = 1ULL << (12 + (pae_format(w) ? 9 : 10) * (w->level - 1));
	offset = w->linear & (w->page_size - 1);
	frame = pae_format(w) ? entry & ADDRESS_52 : entry & GENMASK_ULL(31, 12);
	if (!pae_format(w) && w->level == 2)	/* PSE-36 */
		frame |= (entry & GENMASK_ULL(20, 13)) << 19;
	w->gpa = (frame & ~(w->page_size - 1)) | offset;

	for (i = 0; i < w->n; i++) {
		/* PAE's PDPTEs have no accessed bit. */
		if (i || long_mode(w) || !pae_format(w) || !w->regs.pdptr_in_memory)
			w->set[i] = X86_PTE_ACCESSED & ~w->value[i];
	}
	if (w->access & X86_ACCESS_WRITE)
		w->set[w->n - 1] |= X86_PTE_DIRTY & ~w->value[w->n - 1];
	w->state = X86_WALK_DONE;
}

void x86_walk_feed(struct x86_walk *w, u64 entry)
{
	bool page;

	if (w->state != X86_WALK_READ)
		return;
	if (!pae_format(w))
		entry = (u32)entry;
	w->value[w->n++] = entry;
	if (!(entry & X86_PTE_PRESENT)) {
		fault(w, 0);
		return;
	}
	page = maps_page(w, entry);
	if (entry & reserved_bits(w, page)) {
		fault(w, X86_PFEC_PRESENT | X86_PFEC_RSVD);
		return;
	}
	if (w->level != 3 || long_mode(w)) {
		w->rights &= entry | ~(X86_PTE_WRITE | X86_PTE_USER);
		/* Where NX is off, bit 63 was reserved above, or is not there. */
		w->rights |= entry & X86_PTE_NX;
	}
	if (page) {
		finish(w, entry);
		return;
	}
	w->level--;
	descend(w, entry & (pae_format(w) ? ADDRESS_52 : GENMASK_ULL(31, 12)));
}

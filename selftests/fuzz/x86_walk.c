// SPDX-License-Identifier: GPL-2.0
/* Fuzz the page walk: any registers, any entries. It ends, and in a state that makes sense. */
#include <assert.h>

#include "../../kmod/x86/walk.h"
#include "fuzz.h"

/* Input, then linear address, access and entries. */
struct input {
	u64 cr0, cr3, cr4, efer, rflags, pdptr[4];
	u8 maxphyaddr, gbpages, pdptrs;
};

void fuzz_input(const u8 *data, size_t size)
{
	struct x86_state s = {};
	struct x86_guest_features f = {};
	struct input in;
	struct x86_walk w;
	unsigned int n = 0, i;
	u64 linear, gpa, entry, page;
	u32 access;

	if (size < sizeof(in) + 16)
		return;
	memcpy(&in, data, sizeof(in));
	s.cr0 = in.cr0;
	s.cr4 = in.cr4;
	s.efer = in.efer;
	s.rflags = in.rflags;
	f.maxphyaddr = 32 + in.maxphyaddr % 21;
	f.phys_reserved = ~0ULL << f.maxphyaddr;
	f.has = in.gbpages & 1 ? X86_HAS_GBPAGES : 0;
	/* As CR3 loads have it. */
	s.cr3 = in.cr3 & ~f.phys_reserved;
	for (i = 0; i < 4; i++)
		s.pdptr[i] = x86_pdpte_valid(in.pdptr[i], f.maxphyaddr) ? in.pdptr[i] : 0;
	memcpy(&linear, data + sizeof(in), 8);
	memcpy(&access, data + sizeof(in) + 8, 4);
	access &= X86_ACCESS_WRITE | X86_ACCESS_EXEC | X86_ACCESS_USER;
	data += sizeof(in) + 16;
	size -= sizeof(in) + 16;

	x86_walk_start(&w, linear, access, &s, &f,
		       in.pdptrs & 1 ? X86_PDPTRS_IN_MEMORY : X86_PDPTRS_LOADED);
	while (w.state == X86_WALK_READ) {
		gpa = w.where[w.n];
		assert(w.entry_size == 4 || w.entry_size == 8);
		assert(gpa % w.entry_size == 0);
		assert(gpa >> f.maxphyaddr == 0);
		assert(++n <= X86_WALK_LEVELS);
		entry = 0;
		if (size >= w.entry_size) {
			memcpy(&entry, data, w.entry_size);
			data += w.entry_size;
			size -= w.entry_size;
		}
		x86_walk_feed(&w, entry);
	}
	assert(w.state != X86_WALK_READ);
	if (w.state == X86_WALK_DONE) {
		page = n ? 1ULL << w.shift : 4096;
		assert(page >= 4096);
		assert(((w.gpa ^ w.linear) & (page - 1)) == 0);
	}
	if (w.state == X86_WALK_FAULT)
		assert(!(w.error_code & X86_PFEC_RSVD) ||
		       (w.error_code & X86_PFEC_PRESENT));
}

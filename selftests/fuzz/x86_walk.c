// SPDX-License-Identifier: GPL-2.0
/* Fuzz the page walk: any registers, any entries. It ends, and in a state that makes sense. */
#include <assert.h>

#include "../../kmod/x86/state.h"
#include "../../kmod/x86/walk.h"
#include "fuzz.h"

/* Input: struct x86_walk_regs as it lies in memory, linear address, access, then entries. */
void fuzz_input(const u8 *data, size_t size)
{
	struct x86_walk_regs regs;
	struct x86_walk w;
	unsigned int n = 0, i;
	u64 linear, gpa, entry, page;
	u32 access;

	if (size < sizeof(regs) + 16)
		return;
	memcpy(&regs, data, offsetof(struct x86_walk_regs, maxphyaddr));
	regs.maxphyaddr = 32 + data[sizeof(regs) - 3] % 21;
	regs.gbpages = data[sizeof(regs) - 2] & 1;
	regs.pdptr_in_memory = data[sizeof(regs) - 1] & 1;
	/* As CR3 loads have it. */
	regs.cr3 &= (1ULL << regs.maxphyaddr) - 1;
	for (i = 0; i < 4; i++)
		if (!x86_pdpte_valid(regs.pdptr[i], regs.maxphyaddr))
			regs.pdptr[i] = 0;
	memcpy(&linear, data + sizeof(regs), 8);
	memcpy(&access, data + sizeof(regs) + 8, 4);
	data += sizeof(regs) + 16;
	size -= sizeof(regs) + 16;

	x86_walk_start(&w, linear, access, &regs);
	while (w.state == X86_WALK_READ) {
		gpa = w.where[w.n];
		assert(w.entry_size == 4 || w.entry_size == 8);
		assert(gpa % w.entry_size == 0);
		assert(gpa >> regs.maxphyaddr == 0);
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

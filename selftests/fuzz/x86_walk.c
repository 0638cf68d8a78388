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
	unsigned int n = 0, entry_size, i;
	u64 linear, gpa, entry;
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
	while (x86_walk_next(&w, &gpa, &entry_size)) {
		assert(entry_size == 4 || entry_size == 8);
		assert(gpa % entry_size == 0);
		assert(gpa >> regs.maxphyaddr == 0);
		assert(++n <= X86_WALK_LEVELS);
		entry = 0;
		if (size >= entry_size) {
			memcpy(&entry, data, entry_size);
			data += entry_size;
			size -= entry_size;
		}
		x86_walk_feed(&w, entry);
	}
	assert(w.state != X86_WALK_READ);
	if (w.state == X86_WALK_DONE) {
		assert(w.page_size >= 4096 && !(w.page_size & (w.page_size - 1)));
		assert(((w.gpa ^ w.linear) & 4095) == 0);
		assert((w.gpa & (w.page_size - 1)) == (w.linear & (w.page_size - 1)) ||
		       !(regs.cr0 & X86_CR0_PG));
	}
	if (w.state == X86_WALK_FAULT)
		assert(!(w.error_code & X86_PFEC_RSVD) ||
		       (w.error_code & X86_PFEC_PRESENT));
}

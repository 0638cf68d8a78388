// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz the decoder and the MMIO stepper: any bytes, any mode, any registers. What must hold
 * is asserted; what must not happen, the sanitizers see.
 */
#include <assert.h>
#include <stdlib.h>

#include "../../kmod/x86/execute.h"
#include "fuzz.h"

static void execute(const struct x86_insn *insn, struct x86_state *s, const u8 *seed)
{
	struct x86_mmio_access *a;
	struct x86_mmio m;

	if (x86_mmio_start(&m, insn, s) != X86_MMIO_OK)
		return;
	assert(m.n <= 2);
	if (insn->op == X86_OP_INS || insn->op == X86_OP_OUTS) {
		assert(!m.n || m.access[0].size == 1 || m.access[0].size == 2 || m.access[0].size == 4);
		assert(!m.n == !x86_string_count(insn, s));
	}
	for (; m.at < m.n; x86_mmio_feed(&m)) {
		a = &m.access[m.at];
		assert(a->size && a->size <= sizeof(m.data) && !(a->size & (a->size - 1)));
		if (!a->write)
			memcpy(m.data, seed, a->size);
	}
	x86_mmio_commit(&m, s);
}

/* Input: a byte for the mode, 16 of data for memory, 15 of code, the rest fills registers. */
void fuzz_input(const u8 *data, size_t size)
{
	struct x86_insn insn, again;
	struct x86_state s;
	enum x86_mode mode;
	size_t i, n;
	u8 *code;

	if (size < 33)
		return;
	mode = data[0] % 3;
	/* On the heap and no longer than it is, so that reading behind it shows. */
	n = data[1] % 16;
	code = malloc(n ? n : 1);
	memcpy(code, data + 17, n);
	memset(&s, 0, sizeof(s));
	for (i = 33; i < size; i++)
		((u8 *)&s)[(i - 33) % offsetof(struct x86_state, seg)] = data[i];
	s.efer = mode == X86_MODE_64 ? X86_EFER_LMA_BIT : 0;
	s.seg[X86_CS].attributes = mode == X86_MODE_64 ? X86_SEG_L : 0;
	for (i = 0; i < X86_NR_SEG; i++) {
		s.seg[i].attributes |= 0x93;
		s.seg[i].limit = ~0u;
	}

	switch (x86_decode(&insn, code, n, mode)) {
	case X86_DECODE_OK:
		assert(insn.len && insn.len <= n);
		assert(insn.addr_size == 2 || insn.addr_size == 4 || insn.addr_size == 8);
		assert(insn.op_size && insn.op_size <= 16);
		/* Not a byte less will do, and what follows does not matter. */
		assert(x86_decode(&again, code, insn.len - 1, mode) == X86_DECODE_MORE);
		execute(&insn, &s, data + 1);
		break;
	case X86_DECODE_MORE:
		assert(n < X86_INSN_MAX);
		break;
	case X86_DECODE_TOO_LONG:
		assert(n == X86_INSN_MAX);
		break;
	case X86_DECODE_UNKNOWN:
		break;
	}
	free(code);
}

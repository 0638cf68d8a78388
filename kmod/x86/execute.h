/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The arithmetic of the instructions that touch MMIO, as a stepper which bears an exit
 * to user space in its middle: it names one access to memory after the other, and the
 * registers change in one commit at the end.
 *
 *	verdict = x86_mmio_start(&m, &insn, state);
 *	if X86_OP_VECTOR stores (insn.dst is X86_MEM), copy XMM register insn.reg to m.data
 *	for (; m.at < m.n; x86_mmio_feed(&m))
 *		access[m.at].write ? write .size bytes of m.data at .linear : read them into m.data
 *	if X86_OP_VECTOR loads, copy the 16 bytes of m.data to XMM register insn.reg
 *	x86_mmio_commit(&m, state) ? RIP steps over the instruction : start again (REP)
 *
 * An access may cross a page: splitting it is the caller's. An access that faults is
 * given up with nothing changed: the stepper is dropped. struct x86_mmio is plain data
 * and may be kept across KVM_RUN. The CPU has checked what it saw before it exited;
 * segment limits and types are checked here again, since a second operand may not have been.
 */
#ifndef KVIRT_X86_EXECUTE_H
#define KVIRT_X86_EXECUTE_H

#include "decode.h"

enum x86_mmio_verdict {
	X86_MMIO_OK,
	X86_MMIO_UNSUPPORTED,	/* not an instruction of the list, or no memory operand */
	X86_MMIO_FAULT,		/* m->fault with error code 0 is raised instead */
};

struct x86_mmio_access {
	u64 linear;
	u8 size;		/* 1, 2, 4, 8, 16 */
	bool write;
};

struct x86_mmio {
	const struct x86_insn *insn;	/* the caller's, until the commit */
	u8 data[16] __aligned(8);	/* little-endian, as in memory */
	struct x86_mmio_access access[2];	/* in order; CMPS alone reads twice */
	u64 mem[2];		/* values read from memory */
	u64 operand;		/* register or immediate */
	u64 acc;		/* accumulator: CMPXCHG, SCAS */
	u64 result;		/* to write to memory or register */
	u64 rflags;		/* afterwards */
	u64 rsp;		/* afterwards: PUSH, POP */
	u8 n, at;		/* accesses planned, accesses done */
	u8 fault;		/* enum x86_vector: X86_GP or X86_SSF */
};

/*
 * x86_mmio_start() - plan the instruction, or one iteration of a string instruction.
 * Needs all of @s that an address depends on: general registers, RIP, RFLAGS, SEGMENTS,
 * CR0, CR4, EFER. RIP is that of the instruction.
 */
enum x86_mmio_verdict x86_mmio_start(struct x86_mmio *m, const struct x86_insn *insn,
				     const struct x86_state *s);

/* x86_mmio_feed() - access[at] is done, a read's bytes are in m->data. */
void x86_mmio_feed(struct x86_mmio *m);

/*
 * x86_mmio_commit() - change general registers and RFLAGS; RIP is left to the caller.
 * Return: true when the instruction is complete; false when a string instruction has
 * iterations left, and starts again at the same RIP.
 */
bool x86_mmio_commit(const struct x86_mmio *m, struct x86_state *s);

/*
 * x86_linear() - the linear address of @size bytes at @offset in segment @seg, checked as
 * the CPU does: limit, type, canonical form (SDM vol. 3, 5.3, 5.5; vol. 1, 3.3.7.1).
 * @access: X86_ACCESS_WRITE or 0 (walk.h).
 * Return: 0, or the vector to raise with error code 0 (X86_GP, X86_SSF).
 */
u8 x86_linear(const struct x86_state *s, enum x86_seg seg, u64 offset, unsigned int size,
	      u32 access, u64 *linear);

/* x86_effective() - offset of the memory operand in its segment. */
u64 x86_effective(const struct x86_insn *insn, const struct x86_state *s);

/*
 * For INS and OUTS x86_mmio_start() only tells where in memory they go: the access is the first
 * of x86_string_count() elements, which may be 0. x86_string_step() - let @n elements be done:
 * RSI, RDI and RCX move. Return: true when the instruction is complete.
 */
u64 x86_string_count(const struct x86_insn *insn, const struct x86_state *s);
bool x86_string_step(const struct x86_insn *insn, struct x86_state *s, u64 n);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * The arithmetic of MMIO instructions and the addresses of string I/O. Memory is
 * touched by the caller alone; the exits to user space in the middle are run/io.c's.
 */
#include "execute.h"

#include "walk.h"

#define CF	X86_EFLAGS_CF
#define AF	X86_EFLAGS_AF
#define ZF	X86_EFLAGS_ZF
#define OF	X86_EFLAGS_OF
#define ARITHMETIC (CF | X86_EFLAGS_PF | AF | ZF | X86_EFLAGS_SF | OF)

static u64 mask_of(unsigned int size)
{
	return ~0ULL >> (64 - 8 * size);
}

/* Registers as operands: 32-bit writes clear the upper half, smaller ones keep the rest. */

static u64 gpr_read(const struct x86_state *s, u8 reg, unsigned int size)
{
	if (reg >= X86_HIGH_BYTE)
		return (s->gpr[reg & 3] >> 8) & 0xff;
	return s->gpr[reg & 15] & mask_of(size);
}

static void gpr_write(struct x86_state *s, u8 reg, unsigned int size, u64 value)
{
	u64 mask = mask_of(size);
	u64 *gpr = &s->gpr[reg & (reg >= X86_HIGH_BYTE ? 3 : 15)];

	if (reg >= X86_HIGH_BYTE)
		*gpr = (*gpr & ~0xff00ULL) | (value & 0xff) << 8;
	else if (size == 4)
		*gpr = (u32)value;
	else
		*gpr = (*gpr & ~mask) | (value & mask);
}

/* A count or address register: address-size wraps as a register write does. */
static void gpr_add(struct x86_state *s, u8 reg, unsigned int addr_size, u64 n)
{
	gpr_write(s, reg, addr_size, s->gpr[reg] + n);
}

/* Zero, sign and parity of a result. */
static u64 flags_of(u64 result, unsigned int size)
{
	return (result & mask_of(size) ? 0 : ZF) |
	       (result >> (8 * size - 1) & 1 ? X86_EFLAGS_SF : 0) |
	       (__builtin_parity(result & 0xff) ? 0 : X86_EFLAGS_PF);
}

static u64 add(u64 a, u64 b, u64 carry, unsigned int size, u64 *flags)
{
	u64 r = (a + b + carry) & mask_of(size);
	/* Carries out of each bit (Hacker's Delight, 2-13). */
	u64 carries = (a & b) | ((a | b) & ~r);
	unsigned int top = 8 * size - 1;

	*flags = flags_of(r, size);
	*flags |= (carries >> top) & 1 ? CF : 0;
	*flags |= (carries >> 3) & 1 ? AF : 0;
	*flags |= ((a ^ r) & (b ^ r)) >> top & 1 ? OF : 0;
	return r;
}

/* a - b is a + ~b + 1, where a carry means that nothing was borrowed. */
static u64 sub(u64 a, u64 b, u64 borrow, unsigned int size, u64 *flags)
{
	u64 r = add(a, ~b & mask_of(size), !borrow, size, flags);

	*flags ^= CF | AF;
	return r;
}

static void set_flags(u64 *rflags, u64 changed, u64 flags)
{
	*rflags = (*rflags & ~changed) | (flags & changed);
}

/* dst = a op b; the logic instructions leave AF undefined: cleared, as CPUs do. */
static u64 alu(u8 op, u64 a, u64 b, unsigned int size, u64 *rflags)
{
	u64 carry = *rflags & CF, changed = ARITHMETIC, flags, r;

	switch (op) {
	case X86_OP_ADD: case X86_OP_XADD: case X86_OP_ADC:
		r = add(a, b, op == X86_OP_ADC ? carry : 0, size, &flags);
		break;
	case X86_OP_INC: case X86_OP_DEC:
		r = op == X86_OP_INC ? add(a, 1, 0, size, &flags) : sub(a, 1, 0, size, &flags);
		changed &= ~CF;
		break;
	case X86_OP_NEG:
		r = sub(0, a, 0, size, &flags);
		break;
	case X86_OP_OR: case X86_OP_AND: case X86_OP_XOR: case X86_OP_TEST:
		r = op == X86_OP_OR ? a | b : op == X86_OP_XOR ? a ^ b : a & b;
		flags = flags_of(r, size);
		break;
	default:			/* SUB, SBB, CMP, CMPXCHG, CMPS, SCAS */
		r = sub(a, b, op == X86_OP_SBB ? carry : 0, size, &flags);
	}
	set_flags(rflags, changed, flags);
	return r;
}

static u64 bit_test(u8 op, u64 a, u64 bit, u64 *rflags)
{
	u64 mask = 1ULL << bit;

	set_flags(rflags, CF, a & mask ? CF : 0);
	return op == X86_OP_BTS ? a | mask : op == X86_OP_BTR ? a & ~mask :
	       op == X86_OP_BTC ? a ^ mask : a;
}

u64 x86_effective(const struct x86_insn *insn, const struct x86_state *s)
{
	u64 ea = insn->disp;

	if (insn->base != X86_NO_REG)
		ea += s->gpr[insn->base & 15];
	if (insn->index != X86_NO_REG)
		ea += s->gpr[insn->index & 15] << insn->scale;
	if (insn->rip_relative)
		ea += s->rip + insn->len;
	return ea & mask_of(insn->addr_size);
}

u8 x86_linear(const struct x86_state *s, enum x86_seg seg, u64 offset, unsigned int size,
	      u32 access, u64 *linear)
{
	const struct x86_segment *g = &s->seg[seg];
	u8 vector = seg == X86_SS ? X86_SSF : X86_GP;
	unsigned int bits = s->cr4 & X86_CR4_LA57 ? 57 : 48;
	u16 type = g->attributes & X86_SEG_TYPE;
	u64 last, top;

	if (x86_64bit_mode(s)) {
		*linear = offset + (seg == X86_FS || seg == X86_GS ? g->base : 0);
		if (!x86_canonical(*linear, bits) || !x86_canonical(*linear + size - 1, bits))
			return vector;
		return 0;
	}

	*linear = (u32)(g->base + offset);
	last = (u32)offset + (u64)size - 1;
	if (!(s->cr0 & X86_CR0_PE) || (s->rflags & X86_EFLAGS_VM))
		return last > g->limit ? vector : 0;
	if (g->unusable || !(g->attributes & X86_SEG_P))
		return vector;
	/* Bit 3: code, never writable; bit 1: readable code, writable data. */
	if (access & X86_ACCESS_WRITE ? (type & 0xa) != 2 : (type & 0xa) == 8)
		return vector;
	if ((type & 0xc) == 4) {	/* expand-down: above the limit */
		top = g->attributes & X86_SEG_DB ? 0xffffffff : 0xffff;
		return (u32)offset <= g->limit || last > top ? vector : 0;
	}
	return last > g->limit ? vector : 0;
}

/* Plan one access, unless the one before raises a fault. */
static void plan(struct x86_mmio *m, const struct x86_state *s, u8 seg, u64 offset, u8 size,
		 bool write)
{
	struct x86_mmio_access *a = &m->access[m->n];

	if (m->fault)
		return;
	m->n++;
	a->size = size;
	a->write = write;
	m->fault = x86_linear(s, seg, offset, size, write ? X86_ACCESS_WRITE : 0, &a->linear);
}

static unsigned int stack_bytes(const struct x86_state *s)
{
	if (x86_64bit_mode(s))
		return 8;
	return s->seg[X86_SS].attributes & X86_SEG_DB ? 4 : 2;
}

static bool is_string(u8 op)
{
	return op >= X86_OP_MOVS && op <= X86_OP_OUTS;
}

static bool reads_source(u8 op)
{
	return op != X86_OP_STOS && op != X86_OP_SCAS && op != X86_OP_INS;
}

static bool has_destination(u8 op)
{
	return op != X86_OP_LODS && op != X86_OP_OUTS;
}

u64 x86_string_count(const struct x86_insn *insn, const struct x86_state *s)
{
	return insn->rep ? s->gpr[X86_RCX] & mask_of(insn->addr_size) : 1;
}

static void plan_string(struct x86_mmio *m, const struct x86_state *s)
{
	const struct x86_insn *insn = m->insn;
	u64 mask = mask_of(insn->addr_size);
	bool compares = insn->op == X86_OP_CMPS || insn->op == X86_OP_SCAS;

	if (!x86_string_count(insn, s))
		return;
	if (reads_source(insn->op))
		plan(m, s, insn->seg, s->gpr[X86_RSI] & mask, insn->op_size, false);
	if (has_destination(insn->op))
		plan(m, s, X86_ES, s->gpr[X86_RDI] & mask, insn->op_size, !compares);
}

static void plan_stack(struct x86_mmio *m, const struct x86_state *s)
{
	const struct x86_insn *insn = m->insn;
	u64 mask = mask_of(stack_bytes(s)), ea = x86_effective(insn, s);
	u8 size = insn->op_size;

	if (insn->op == X86_OP_PUSH) {
		m->rsp = s->gpr[X86_RSP] - size;
		if (insn->src == X86_MEM)
			plan(m, s, insn->seg, ea, size, false);
		plan(m, s, X86_SS, m->rsp & mask, size, true);
		return;
	}
	m->rsp = s->gpr[X86_RSP] + size;
	plan(m, s, X86_SS, s->gpr[X86_RSP] & mask, size, false);
	/* POP computes its memory operand's address after RSP has moved. */
	if (insn->base == X86_RSP)
		ea = (ea + size) & mask_of(insn->addr_size);
	if (insn->dst == X86_MEM)
		plan(m, s, insn->seg, ea, size, true);
}

/* BT and its kin reach beyond the operand when the bit offset is a register. */
static u64 bit_offset_bytes(const struct x86_mmio *m, const struct x86_state *s)
{
	const struct x86_insn *insn = m->insn;
	u64 bits;

	if (insn->op < X86_OP_BT || insn->op > X86_OP_BTC || insn->src != X86_REG)
		return 0;
	bits = x86_sign_extend(gpr_read(s, insn->reg, insn->op_size), 8 * insn->op_size);
	return (u64)((s64)bits >> 3) & ~((u64)insn->op_size - 1);
}

static void plan_plain(struct x86_mmio *m, const struct x86_state *s)
{
	const struct x86_insn *insn = m->insn;
	u64 ea = (x86_effective(insn, s) + bit_offset_bytes(m, s)) & mask_of(insn->addr_size);
	u8 op = insn->op;

	if (insn->src == X86_MEM) {
		plan(m, s, insn->seg, ea, insn->src_size, false);
		return;
	}
	if (op != X86_OP_MOV && op != X86_OP_MOVBE && op != X86_OP_VECTOR)
		plan(m, s, insn->seg, ea, insn->op_size, false);
	if (op != X86_OP_CMP && op != X86_OP_TEST && op != X86_OP_BT)
		plan(m, s, insn->seg, ea, insn->op_size, true);
}

/* With all operands there: what to write, and the flags. */
static void compute(struct x86_mmio *m)
{
	const struct x86_insn *insn = m->insn;
	bool to_memory = insn->dst == X86_MEM;
	u64 a = m->mem[0], b = m->operand;
	unsigned int size = insn->op_size;

	switch (insn->op) {
	case X86_OP_ADD: case X86_OP_OR: case X86_OP_ADC: case X86_OP_SBB:
	case X86_OP_AND: case X86_OP_SUB: case X86_OP_XOR: case X86_OP_CMP:
	case X86_OP_TEST: case X86_OP_INC: case X86_OP_DEC: case X86_OP_NEG: case X86_OP_XADD:
		m->result = alu(insn->op, to_memory ? a : b, to_memory ? b : a, size, &m->rflags);
		break;
	case X86_OP_NOT:
		m->result = ~a;
		break;
	case X86_OP_BT: case X86_OP_BTS: case X86_OP_BTR: case X86_OP_BTC:
		m->result = bit_test(insn->op, a, b & (8 * size - 1), &m->rflags);
		break;
	case X86_OP_CMPXCHG: case X86_OP_SCAS:
		alu(X86_OP_CMP, m->acc, a, size, &m->rflags);
		m->result = m->rflags & ZF ? b : a;
		break;
	case X86_OP_MOVSX:
		m->result = x86_sign_extend(a, 8 * insn->src_size);
		break;
	case X86_OP_MOVBE:
		m->result = __builtin_bswap64(to_memory ? b : a) >> (64 - 8 * size);
		break;
	case X86_OP_CMPS:
		alu(X86_OP_CMP, a, m->mem[1], size, &m->rflags);
		break;
	case X86_OP_MOV: case X86_OP_PUSH: case X86_OP_STOS: case X86_OP_XCHG:
		m->result = insn->src == X86_MEM ? a : b;
		break;
	default:	/* MOVZX, MOVS, LODS, POP: what was read; a vector: nothing */
		m->result = a;
	}
	if (insn->op != X86_OP_VECTOR && m->at < m->n)
		memcpy(m->data, &m->result, sizeof(m->result));
}

enum x86_mmio_verdict x86_mmio_start(struct x86_mmio *m, const struct x86_insn *insn,
				     const struct x86_state *s)
{
	bool memory = insn->dst == X86_MEM || insn->src == X86_MEM;
	unsigned int size = insn->op_size > 8 ? 8 : insn->op_size;

	m->insn = insn;
	m->n = 0;
	m->at = 0;
	m->fault = 0;
	m->rflags = s->rflags;
	m->acc = s->gpr[X86_RAX] & mask_of(size);
	m->operand = m->acc;
	if (insn->src == X86_REG || insn->dst == X86_REG)
		m->operand = gpr_read(s, insn->reg, size);
	else if (insn->src == X86_RM)
		m->operand = gpr_read(s, insn->rm, size);
	else if (insn->src == X86_IMM)
		m->operand = insn->imm & mask_of(size);

	if (insn->op == X86_OP_PUSH || insn->op == X86_OP_POP)
		plan_stack(m, s);
	else if (is_string(insn->op))
		plan_string(m, s);
	else if (memory && insn->op >= X86_OP_ADD && insn->op <= X86_OP_VECTOR)
		plan_plain(m, s);
	else
		return X86_MMIO_UNSUPPORTED;
	if (m->fault)
		return X86_MMIO_FAULT;
	if (m->n && m->access[0].write)
		compute(m);
	return X86_MMIO_OK;
}

void x86_mmio_feed(struct x86_mmio *m)
{
	const struct x86_mmio_access *a = &m->access[m->at++];
	u64 value;

	if (a->write)
		return;
	if (m->insn->op == X86_OP_VECTOR) {
		memset(m->data + a->size, 0, sizeof(m->data) - a->size);
		return;
	}
	memcpy(&value, m->data, sizeof(value));
	m->mem[m->at - 1] = value & mask_of(a->size);
	/* The last read makes the result known. */
	if (m->at == m->n || m->access[m->at].write)
		compute(m);
}

bool x86_string_step(const struct x86_insn *insn, struct x86_state *s, u64 n)
{
	u64 step = s->rflags & X86_EFLAGS_DF ? -(u64)insn->op_size : insn->op_size;

	if (reads_source(insn->op))
		gpr_add(s, X86_RSI, insn->addr_size, step * n);
	if (has_destination(insn->op))
		gpr_add(s, X86_RDI, insn->addr_size, step * n);
	if (!insn->rep)
		return true;
	gpr_add(s, X86_RCX, insn->addr_size, -n);
	return !x86_string_count(insn, s);
}

bool x86_mmio_commit(const struct x86_mmio *m, struct x86_state *s)
{
	const struct x86_insn *insn = m->insn;
	unsigned int size = insn->op_size;
	bool last = true;

	if (is_string(insn->op)) {
		if (!m->n)		/* REP with a count of 0 */
			return true;
		last = x86_string_step(insn, s, 1);
	}
	s->rflags = m->rflags;
	switch (insn->op) {
	case X86_OP_CMP: case X86_OP_TEST: case X86_OP_VECTOR: case X86_OP_BT:
		return true;
	case X86_OP_CMPS: case X86_OP_SCAS:
		/* REPE goes on while equal, REPNE while not. */
		return last || !!(m->rflags & ZF) != (insn->rep == 0xf3);
	case X86_OP_PUSH: case X86_OP_POP:
		gpr_write(s, X86_RSP, stack_bytes(s), m->rsp);
		break;		/* POP RSP takes the value */
	case X86_OP_XCHG: case X86_OP_XADD:
		gpr_write(s, insn->reg, size, m->mem[0]);
		return true;
	case X86_OP_CMPXCHG:
		if (!(m->rflags & ZF))	/* a success leaves RAX whole */
			gpr_write(s, X86_RAX, size, m->mem[0]);
		return true;
	}
	if (insn->dst == X86_REG)
		gpr_write(s, insn->reg, size, m->result);
	else if (insn->dst == X86_RM)
		gpr_write(s, insn->rm, size, m->result);
	else if (insn->dst == X86_ACC)
		gpr_write(s, X86_RAX, size, m->result);
	return last;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder. Length first, by two tables that say what follows each opcode;
 * then the meaning of those few instructions that exits need. Executing them is execute.c.
 */
#include "decode.h"

/*
 * What follows an opcode; a capital letter: after ModRM. -: not in 64-bit mode.
 *   .  nothing              x  nothing -             !  no such opcode     ^  prefix or escape
 *   M  nothing              R  nothing, ModRM only names registers         w  imm16
 *   b B  imm8               y Y  imm8 -              z Z  imm16/32         v  imm16/32/64
 *   r  displacement of a near jump                   o  moffs              p  far pointer -
 *   e  imm16, imm8 (ENTER)  T  an immediate for TEST alone
 *   V  nothing; VEX or EVEX in 64-bit mode or with mod 3
 */
static const char one_byte[257] =
	"MMMMbzxxMMMMbzx^" "MMMMbzxxMMMMbzxx" "MMMMbz^xMMMMbz^x" "MMMMbz^xMMMMbz^x"
	"................" "................" "xxVM^^^^zZbB...." "bbbbbbbbbbbbbbbb"
	"BZYBMMMMMMMMMMMM" "..........p....." "oooo....bz......" "bbbbbbbbvvvvvvvv"
	"BBw.VVBZe.w..bx." "MMMMyyx.MMMMMMMM" "bbbbbbbbrrpb...." "^.^^..TT......MM";

static const char two_byte[257] =
	"MMMM!.....!.!M.B" "MMMMMMMMMMMMMMMM" "RRRR!!!!MMMMMMMM" "......!.^!^!!!!!"
	"MMMMMMMMMMMMMMMM" "MMMMMMMMMMMMMMMM" "MMMMMMMMMMMMMMMM" "BBBBMMM.MM!!MMMM"
	"rrrrrrrrrrrrrrrr" "MMMMMMMMMMMMMMMM" "...MBM!!...MBMMM" "MMMMMMMMMMBMMMMM"
	"MMBMBBBM........" "MMMMMMMMMMMMMMMM" "MMMMMMMMMMMMMMMM" "MMMMMMMMMMMMMMMM";

enum map { MAP_1, MAP_0F, MAP_0F38, MAP_0F3A };

#define REX_W	8
#define REX_R	4
#define REX_X	2
#define REX_B	1

struct decoder {
	struct x86_insn *insn;
	u8 bytes[32];		/* those given, then zeros: no instruction is as long */
	unsigned int at;
	bool data_prefix;	/* 0x66 */
	u8 rex;			/* 0 or 0x40 to 0x4f */
	u8 map, opcode;
	u8 modrm, mod, reg;	/* mod, reg: fields of the ModRM byte, 0 without one */
};

static u64 fetch(struct decoder *d, unsigned int size)
{
	u64 value;

	memcpy(&value, d->bytes + d->at, sizeof(value));
	d->at += size;
	return value & (~0ULL >> (64 - 8 * size));
}

static u64 fetch_signed(struct decoder *d, unsigned int size)
{
	return x86_sign_extend(fetch(d, size), 8 * size);
}

/* Prefixes, in any order and number, and the opcode; a REX counts only directly before it. */
static void decode_prefixes(struct decoder *d)
{
	struct x86_insn *insn = d->insn;
	bool bits64 = insn->mode == X86_MODE_64;
	bool wide = insn->mode != X86_MODE_16, address_prefix = false;

	for (;; d->rex = 0) {
		d->opcode = fetch(d, 1);
		while (bits64 && (d->opcode & 0xf0) == 0x40) {
			d->rex = d->opcode;
			d->opcode = fetch(d, 1);
		}
		switch (d->opcode) {
		case 0x26: case 0x2e: case 0x36: case 0x3e:
			if (!bits64)	/* ignored there */
				insn->seg = (d->opcode >> 3) & 3;
			continue;
		case 0x64: case 0x65:
			insn->seg = X86_FS + (d->opcode & 1);
			continue;
		case 0x66:
			d->data_prefix = true;
			continue;
		case 0x67:
			address_prefix = true;
			continue;
		case 0xf2: case 0xf3:
			insn->rep = d->opcode;
			continue;
		case 0xf0:		/* LOCK */
			continue;
		}
		break;
	}
	insn->op_size = d->rex & REX_W ? 8 : wide != d->data_prefix ? 4 : 2;
	insn->addr_size = wide != address_prefix ? 4 : 2;
	if (bits64)
		insn->addr_size = address_prefix ? 4 : 8;
}

static void decode_memory_16(struct decoder *d)
{
	static const u8 base[8] = { X86_RBX, X86_RBX, X86_RBP, X86_RBP,
				    X86_RSI, X86_RDI, X86_RBP, X86_RBX };
	static const u8 index[4] = { X86_RSI, X86_RDI, X86_RSI, X86_RDI };
	struct x86_insn *insn = d->insn;
	unsigned int rm = d->modrm & 7;

	if (d->mod == 0 && rm == 6) {
		insn->disp = fetch_signed(d, 2);
		return;
	}
	insn->base = base[rm];
	if (rm < 4)
		insn->index = index[rm];
	if (d->mod)
		insn->disp = fetch_signed(d, d->mod);
}

static void decode_memory(struct decoder *d)
{
	struct x86_insn *insn = d->insn;
	unsigned int base = d->modrm & 7, index = 4;
	bool sib = base == 4;
	u8 byte;

	if (sib) {
		byte = fetch(d, 1);
		insn->scale = byte >> 6;
		index = ((byte >> 3) & 7) | (d->rex & REX_X ? 8 : 0);
		base = byte & 7;
		if (index != 4)
			insn->index = index;
	}
	if (d->mod == 0 && base == 5) {
		insn->disp = fetch_signed(d, 4);
		insn->rip_relative = !sib && insn->mode == X86_MODE_64;
		return;
	}
	insn->base = base | (d->rex & REX_B ? 8 : 0);
	if (d->mod)
		insn->disp = fetch_signed(d, d->mod == 1 ? 1 : 4);
}

static void decode_modrm(struct decoder *d, bool registers_only)
{
	struct x86_insn *insn = d->insn;

	d->modrm = fetch(d, 1);
	d->mod = registers_only ? 3 : d->modrm >> 6;
	d->reg = (d->modrm >> 3) & 7;
	insn->reg = d->reg | (d->rex & REX_R ? 8 : 0);
	if (d->mod == 3) {
		insn->rm = (d->modrm & 7) | (d->rex & REX_B ? 8 : 0);
		return;
	}
	if (insn->addr_size == 2)
		decode_memory_16(d);
	else
		decode_memory(d);
	if (insn->seg == X86_NO_REG && (insn->base == X86_RSP || insn->base == X86_RBP))
		insn->seg = X86_SS;
}

/* What is behind the opcode. Return: false if the encoding is not known. */
static bool decode_rest(struct decoder *d, char form)
{
	struct x86_insn *insn = d->insn;
	bool bits64 = insn->mode == X86_MODE_64;
	unsigned int z = insn->op_size == 2 ? 2 : 4;

	if (form == '!' || form == '^')
		return false;
	if (bits64 && (form == 'x' || form == 'y' || form == 'Y' || form == 'p' || form == 'V'))
		return false;
	/* AMD obeys 0x66 in 64-bit mode, Intel does not: not decided here. */
	if (bits64 && form == 'r' && d->data_prefix && !(d->rex & REX_W))
		return false;
	if (form >= 'A' && form <= 'Z')
		decode_modrm(d, form == 'R');

	switch (form) {
	case 'V':
		return d->mod != 3;
	case 'B': case 'b': case 'y': case 'Y':
		insn->imm = fetch_signed(d, 1);
		break;
	case 'Z': case 'z': case 'r':
		insn->imm = fetch_signed(d, z);
		break;
	case 'T':
		if (d->reg < 2)
			insn->imm = fetch_signed(d, d->opcode & 1 ? z : 1);
		break;
	case 'v': case 'w': case 'e': case 'p':
		insn->imm = fetch(d, form == 'v' ? insn->op_size : form == 'w' ? 2 :
				     form == 'e' ? 3 : z + 2);
		break;
	case 'o':
		insn->disp = fetch(d, insn->addr_size);
		break;
	}
	return true;
}

/* How a row's operand size comes about; numbers up to 16 are sizes themselves. */
enum size {
	ANY = 32,	/* by prefixes and mode */
	PAIR,		/* of a pair of opcodes, the even one has bytes */
	PORT,		/* the same, and never 64 bits */
	STACK,		/* 64 bits in 64-bit mode, 16 with the prefix */
	DWORD,		/* 32 bits, 64 with REX.W */
	FROM_1, FROM_2, FROM_4,	/* by prefixes and mode, from a source of this size */
};

/* The mandatory prefix of a row: none, 66, F2, F3; or one of these. */
#define ANY_PREFIX	1
#define NOT_REP		2	/* none or 66 */

#define ANY_REG		0xff

/*
 * What opcodes mean, sorted by map and opcode; several rows of one opcode differ by
 * ModRM.reg or prefix. X86_RM is a register or memory, as ModRM has it; X86_MEM only memory.
 */
struct meaning {
	u16 first;		/* map << 8 | opcode */
	u8 more;		/* opcodes that follow and mean the same */
	u8 reg, prefix;
	u8 op, dst, src, size;
};

#define ROW(map, opcode, more, reg, prefix, op, dst, src, size) \
	{ (map) << 8 | (opcode), more, reg, prefix, X86_OP_##op, X86_##dst, X86_##src, size }
#define ONE(opcode, more, op, dst, src, size) \
	ROW(MAP_1, opcode, more, ANY_REG, ANY_PREFIX, op, dst, src, size)
#define GROUP(opcode, more, reg, op, dst, src, size) \
	ROW(MAP_1, opcode, more, reg, ANY_PREFIX, op, dst, src, size)
#define TWO(opcode, more, op, dst, src, size) \
	ROW(MAP_0F, opcode, more, ANY_REG, ANY_PREFIX, op, dst, src, size)
#define TWO_GROUP(opcode, reg, op, dst, src) \
	ROW(MAP_0F, opcode, 0, reg, ANY_PREFIX, op, dst, src, ANY)
#define SSE(opcode, prefix, op, dst, src, size) \
	ROW(MAP_0F, opcode, 0, ANY_REG, prefix, op, dst, src, size)

static const struct meaning meanings[] = {
	/* 00 to 3F repeat these forms for eight operations. */
	ONE(0x00, 1, ADD, RM, REG, PAIR),	ONE(0x02, 1, ADD, REG, RM, PAIR),
	ONE(0x04, 1, ADD, ACC, IMM, PAIR),	ONE(0x50, 7, PUSH, NONE, REG, STACK),
	ONE(0x58, 7, POP, REG, NONE, STACK),	ONE(0x63, 0, MOVSX, REG, RM, FROM_4),
	ONE(0x68, 0, PUSH, NONE, IMM, STACK),	ONE(0x6a, 0, PUSH, NONE, IMM, STACK),
	ONE(0x6c, 1, INS, NONE, NONE, PORT),	ONE(0x6e, 1, OUTS, NONE, NONE, PORT),
	ONE(0x80, 3, ADD, RM, IMM, PAIR),	ONE(0x84, 1, TEST, RM, REG, PAIR),
	ONE(0x86, 1, XCHG, RM, REG, PAIR),	ONE(0x88, 1, MOV, RM, REG, PAIR),
	ONE(0x8a, 1, MOV, REG, RM, PAIR),	ONE(0x8f, 0, POP, RM, NONE, STACK),
	ONE(0xa0, 1, MOV, ACC, MEM, PAIR),	ONE(0xa2, 1, MOV, MEM, ACC, PAIR),
	ONE(0xa4, 1, MOVS, NONE, NONE, PAIR),	ONE(0xa6, 1, CMPS, NONE, NONE, PAIR),
	ONE(0xa8, 1, TEST, ACC, IMM, PAIR),	ONE(0xaa, 1, STOS, NONE, NONE, PAIR),
	ONE(0xac, 1, LODS, ACC, NONE, PAIR),	ONE(0xae, 1, SCAS, NONE, NONE, PAIR),
	GROUP(0xc6, 1, 0, MOV, RM, IMM, PAIR),	GROUP(0xf6, 1, 0, TEST, RM, IMM, PAIR),
	GROUP(0xf6, 1, 1, TEST, RM, IMM, PAIR),	GROUP(0xf6, 1, 2, NOT, RM, NONE, PAIR),
	GROUP(0xf6, 1, 3, NEG, RM, NONE, PAIR),	GROUP(0xfe, 1, 0, INC, RM, NONE, PAIR),
	GROUP(0xfe, 1, 1, DEC, RM, NONE, PAIR),	GROUP(0xff, 0, 6, PUSH, NONE, RM, STACK),

	TWO_GROUP(0x01, 4, SMSW, RM, NONE),	TWO_GROUP(0x01, 6, LMSW, NONE, RM),
	TWO(0x06, 0, CLTS, NONE, NONE, ANY),	SSE(0x10, NOT_REP, VECTOR, REG, RM, 16),
	SSE(0x10, 0xf3, VECTOR, REG, RM, 4),	SSE(0x10, 0xf2, VECTOR, REG, RM, 8),
	SSE(0x11, NOT_REP, VECTOR, RM, REG, 16), SSE(0x11, 0xf3, VECTOR, RM, REG, 4),
	SSE(0x11, 0xf2, VECTOR, RM, REG, 8),	SSE(0x28, NOT_REP, VECTOR, REG, RM, 16),
	SSE(0x29, NOT_REP, VECTOR, RM, REG, 16), SSE(0x2b, NOT_REP, VECTOR, MEM, REG, 16),
	SSE(0x6e, 0x66, VECTOR, REG, RM, DWORD), SSE(0x6f, 0x66, VECTOR, REG, RM, 16),
	SSE(0x6f, 0xf3, VECTOR, REG, RM, 16),	SSE(0x7e, 0x66, VECTOR, RM, REG, DWORD),
	SSE(0x7e, 0xf3, VECTOR, REG, RM, 8),	SSE(0x7f, 0x66, VECTOR, RM, REG, 16),
	SSE(0x7f, 0xf3, VECTOR, RM, REG, 16),	TWO(0xa3, 0, BT, RM, REG, ANY),
	TWO(0xab, 0, BTS, RM, REG, ANY),	TWO(0xb0, 1, CMPXCHG, RM, REG, PAIR),
	TWO(0xb3, 0, BTR, RM, REG, ANY),	TWO(0xb6, 0, MOVZX, REG, RM, FROM_1),
	TWO(0xb7, 0, MOVZX, REG, RM, FROM_2),	TWO_GROUP(0xba, 4, BT, RM, IMM),
	TWO_GROUP(0xba, 5, BTS, RM, IMM),	TWO_GROUP(0xba, 6, BTR, RM, IMM),
	TWO_GROUP(0xba, 7, BTC, RM, IMM),	TWO(0xbb, 0, BTC, RM, REG, ANY),
	TWO(0xbe, 0, MOVSX, REG, RM, FROM_1),	TWO(0xbf, 0, MOVSX, REG, RM, FROM_2),
	TWO(0xc0, 1, XADD, RM, REG, PAIR),	SSE(0xc3, 0, MOV, MEM, REG, ANY), /* MOVNTI */
	SSE(0xd6, 0x66, VECTOR, RM, REG, 8),	SSE(0xe7, 0x66, VECTOR, MEM, REG, 16),
	SSE(0xf0, 0xf2, VECTOR, REG, MEM, 16),

	ROW(MAP_0F38, 0x2a, 0, ANY_REG, 0x66, VECTOR, REG, MEM, 16),
	ROW(MAP_0F38, 0xf0, 0, ANY_REG, NOT_REP, MOVBE, REG, MEM, ANY),
	ROW(MAP_0F38, 0xf1, 0, ANY_REG, NOT_REP, MOVBE, MEM, REG, ANY),
};

static bool matches(const struct decoder *d, const struct meaning *row)
{
	u8 prefix = d->insn->rep ? d->insn->rep : d->data_prefix ? 0x66 : 0;

	if (row->reg != ANY_REG && row->reg != d->reg)
		return false;
	if (d->mod == 3 && (row->dst == X86_MEM || row->src == X86_MEM))
		return false;
	if (row->prefix == NOT_REP)
		return !d->insn->rep;
	return row->prefix == ANY_PREFIX || row->prefix == prefix;
}

static const struct meaning *find_meaning(const struct decoder *d)
{
	unsigned int low = 0, high = ARRAY_SIZE(meanings), middle;
	u16 key = d->map << 8 | d->opcode;

	if (key < 0x40)
		key &= 7;
	/* Behind the last row that begins at or before the opcode: what can match ends there. */
	while (low < high) {
		middle = (low + high) / 2;
		if (meanings[middle].first <= key)
			low = middle + 1;
		else
			high = middle;
	}
	while (low-- && meanings[low].first + meanings[low].more >= key)
		if (matches(d, &meanings[low]))
			return &meanings[low];
	return NULL;
}

static u8 size_of(const struct decoder *d, u8 size)
{
	const struct x86_insn *insn = d->insn;

	switch (size) {
	case PAIR: case PORT:
		if (!(d->opcode & 1))
			return 1;
		return size == PORT && insn->op_size == 8 ? 4 : insn->op_size;
	case STACK:
		if (insn->mode != X86_MODE_64)
			return insn->op_size;
		return d->data_prefix && !(d->rex & REX_W) ? 2 : 8;
	case DWORD:
		return d->rex & REX_W ? 8 : 4;
	}
	return size <= 16 ? size : insn->op_size;
}

static void set_meaning(struct decoder *d)
{
	struct x86_insn *insn = d->insn;
	const struct meaning *row;
	u8 rm = d->mod == 3 ? X86_RM : X86_MEM;

	if (d->map == MAP_0F && d->opcode == 1 && (d->modrm == 0xc1 || d->modrm == 0xd9)) {
		insn->op = d->modrm == 0xc1 ? X86_OP_VMCALL : X86_OP_VMMCALL;
		return;
	}
	row = find_meaning(d);
	if (!row || (row->size == FROM_4 && insn->mode != X86_MODE_64))	/* ARPL */
		return;

	insn->op = row->op;
	if (row->op == X86_OP_ADD)
		insn->op += d->opcode < 0x40 ? d->opcode >> 3 : d->reg;
	insn->dst = row->dst == X86_RM ? rm : row->dst;
	insn->src = row->src == X86_RM ? rm : row->src;
	insn->op_size = size_of(d, row->size);
	insn->src_size = insn->op_size;
	/* MOVSXD to 16 bits has a source of 16. */
	if (row->size >= FROM_1 && 1 << (row->size - FROM_1) < insn->op_size)
		insn->src_size = 1 << (row->size - FROM_1);
	if (insn->reg == X86_NO_REG && (insn->op == X86_OP_PUSH || insn->op == X86_OP_POP))
		insn->reg = (d->opcode & 7) | (d->rex & REX_B ? 8 : 0);
}

/* Without REX, byte registers 4 to 7 are AH, CH, DH, BH. */
static u8 byte_register(const struct decoder *d, u8 reg, unsigned int size)
{
	if (size == 1 && !d->rex && reg >= 4 && reg < 8)
		return reg - 4 + X86_HIGH_BYTE;
	return reg;
}

/* Encodings that single opcodes do not tell apart: XOP; EXTRQ and INSERTQ; JMPE. */
static bool opcode_unknown(const struct decoder *d)
{
	u8 rep = d->insn->rep;

	return (d->map == MAP_1 && d->opcode == 0x8f && d->reg) ||
	       (d->map == MAP_0F && d->opcode == 0x78 && (rep || d->data_prefix)) ||
	       (d->map == MAP_0F && d->opcode == 0xb8 && rep != 0xf3);
}

enum x86_decode_result x86_decode(struct x86_insn *insn, const u8 *bytes, unsigned int n,
				  enum x86_mode mode)
{
	struct decoder d = { .insn = insn };
	char form;

	n = min(n, X86_INSN_MAX);
	memcpy(d.bytes, bytes, n);
	*insn = (struct x86_insn) {
		.mode = mode, .seg = X86_NO_REG, .base = X86_NO_REG, .index = X86_NO_REG,
		.reg = X86_NO_REG, .rm = X86_NO_REG,
	};
	decode_prefixes(&d);
	form = one_byte[d.opcode];
	if (d.opcode == 0x0f) {
		d.map = MAP_0F;
		d.opcode = fetch(&d, 1);
		form = two_byte[d.opcode];
		if (d.opcode == 0x38 || d.opcode == 0x3a) {
			d.map = d.opcode == 0x38 ? MAP_0F38 : MAP_0F3A;
			d.opcode = fetch(&d, 1);
			form = d.map == MAP_0F38 ? 'M' : 'B';
		}
	}
	if (!decode_rest(&d, form))
		return X86_DECODE_UNKNOWN;
	if (d.at > n)
		return n == X86_INSN_MAX ? X86_DECODE_TOO_LONG : X86_DECODE_MORE;
	if (opcode_unknown(&d))
		return X86_DECODE_UNKNOWN;

	insn->len = d.at;
	insn->src_size = insn->op_size;
	if (insn->seg == X86_NO_REG)
		insn->seg = X86_DS;
	set_meaning(&d);
	if (insn->dst == X86_REG || insn->src == X86_REG)
		insn->reg = byte_register(&d, insn->reg, insn->dst == X86_REG ?
					  insn->op_size : insn->src_size);
	if (insn->dst == X86_RM || insn->src == X86_RM)
		insn->rm = byte_register(&d, insn->rm, insn->src == X86_RM ?
					 insn->src_size : insn->op_size);
	return X86_DECODE_OK;
}

enum x86_mode x86_mode_of(const struct x86_state *s)
{
	bool selectors = x86_long_mode(s) ||
			 ((s->cr0 & X86_CR0_PE) && !(s->rflags & X86_EFLAGS_VM));

	if (x86_64bit_mode(s))
		return X86_MODE_64;
	return selectors && (s->seg[X86_CS].attributes & X86_SEG_DB) ? X86_MODE_32 : X86_MODE_16;
}

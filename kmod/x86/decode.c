// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder. Length first, by two tables that say what follows each opcode;
 * then the meaning of those few instructions that exits need. Executing them is execute.c.
 */
#include "decode.h"

/*
 * What follows an opcode:
 *   .  nothing            x  nothing, not in 64-bit mode   !  no such opcode
 *   M  ModRM              B  ModRM, imm8                   Z  ModRM, imm16/32
 *   R  ModRM that only names registers                     y  B, not in 64-bit mode
 *   b  imm8               Y  imm8, not in 64-bit mode      w  imm16
 *   z  imm16/32           r  displacement of a near jump   v  imm16/32/64
 *   o  moffs              p  far pointer, not in 64-bit    e  imm16, imm8 (ENTER)
 *   3  ModRM, an immediate for TEST alone                  ^  prefix or escape
 *   V  ModRM; VEX or EVEX in 64-bit mode or with mod 3
 */
static const char one_byte[257] =
	"MMMMbzxxMMMMbzx^" "MMMMbzxxMMMMbzxx" "MMMMbz^xMMMMbz^x" "MMMMbz^xMMMMbz^x"
	"................" "................" "xxVM^^^^zZbB...." "bbbbbbbbbbbbbbbb"
	"BZyBMMMMMMMMMMMM" "..........p....." "oooo....bz......" "bbbbbbbbvvvvvvvv"
	"BBw.VVBZe.w..bx." "MMMMYYx.MMMMMMMM" "bbbbbbbbrrpb...." "^.^^..33......MM";

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
	const u8 *bytes;
	unsigned int at, n;
	bool ran_out;
	bool data_prefix;	/* 0x66 */
	u8 rex;			/* 0 or 0x40 to 0x4f */
	u8 map, opcode;
	u8 modrm;
	bool has_modrm;
};

/* The next @size bytes, little-endian; 0 and ran_out behind the end. */
static u64 fetch(struct decoder *d, unsigned int size)
{
	u64 value = 0;
	unsigned int i;

	if (d->at + size > d->n) {
		d->ran_out = true;
		d->at = d->n;
		return 0;
	}
	for (i = 0; i < size; i++)
		value |= (u64)d->bytes[d->at++] << (8 * i);
	return value;
}

static u64 fetch_signed(struct decoder *d, unsigned int size)
{
	unsigned int shift = 64 - 8 * size;

	return (u64)((s64)(fetch(d, size) << shift) >> shift);
}

static unsigned int mod(const struct decoder *d)
{
	return d->modrm >> 6;
}

static unsigned int reg_field(const struct decoder *d)
{
	return (d->modrm >> 3) & 7;
}

/* Prefixes: any order, any number; a REX counts only directly before the opcode. */
static void decode_prefixes(struct decoder *d)
{
	struct x86_insn *insn = d->insn;
	bool bits64 = insn->mode == X86_MODE_64;
	bool address_prefix = false;
	u8 byte;

	for (;;) {
		byte = fetch(d, 1);
		if (d->ran_out)
			return;
		switch (byte) {
		case 0x26: case 0x2e: case 0x36: case 0x3e:
			if (!bits64)	/* ignored there */
				insn->seg = (byte >> 3) & 3;
			break;
		case 0x64: case 0x65:
			insn->seg = X86_FS + (byte & 1);
			break;
		case 0x66:
			d->data_prefix = true;
			break;
		case 0x67:
			address_prefix = true;
			break;
		case 0xf0:
			insn->lock = true;
			break;
		case 0xf2: case 0xf3:
			insn->rep = byte;
			break;
		default:
			if (bits64 && (byte & 0xf0) == 0x40) {
				d->rex = byte;
				continue;
			}
			goto opcode;
		}
		d->rex = 0;
	}
opcode:
	d->opcode = byte;
	if (insn->mode == X86_MODE_16) {
		insn->op_size = d->data_prefix ? 4 : 2;
		insn->addr_size = address_prefix ? 4 : 2;
	} else {
		insn->op_size = d->rex & REX_W ? 8 : d->data_prefix ? 2 : 4;
		insn->addr_size = bits64 ? (address_prefix ? 4 : 8) : (address_prefix ? 2 : 4);
	}
}

static void decode_memory_16(struct decoder *d)
{
	static const u8 base[8] = { X86_RBX, X86_RBX, X86_RBP, X86_RBP,
				    X86_RSI, X86_RDI, X86_RBP, X86_RBX };
	static const u8 index[4] = { X86_RSI, X86_RDI, X86_RSI, X86_RDI };
	struct x86_insn *insn = d->insn;
	unsigned int rm = d->modrm & 7;

	if (mod(d) == 0 && rm == 6) {
		insn->disp = fetch_signed(d, 2);
		return;
	}
	insn->base = base[rm];
	if (rm < 4)
		insn->index = index[rm];
	if (mod(d))
		insn->disp = fetch_signed(d, mod(d));
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
	if (mod(d) == 0 && base == 5) {
		insn->disp = fetch_signed(d, 4);
		insn->rip_relative = !sib && insn->mode == X86_MODE_64;
		return;
	}
	insn->base = base | (d->rex & REX_B ? 8 : 0);
	if (mod(d))
		insn->disp = fetch_signed(d, mod(d) == 1 ? 1 : 4);
}

static void decode_modrm(struct decoder *d, bool registers_only)
{
	struct x86_insn *insn = d->insn;

	d->modrm = fetch(d, 1);
	d->has_modrm = true;
	insn->reg = reg_field(d) | (d->rex & REX_R ? 8 : 0);
	if (registers_only || mod(d) == 3) {
		d->modrm |= 0xc0;
		insn->rm = (d->modrm & 7) | (d->rex & REX_B ? 8 : 0);
		return;
	}
	if (insn->addr_size == 2)
		decode_memory_16(d);
	else
		decode_memory(d);
	if (insn->seg == X86_NO_REG)
		insn->seg = insn->base == X86_RSP || insn->base == X86_RBP ? X86_SS : X86_DS;
}

/* What is behind the opcode. Return: false if the encoding is not known. */
static bool decode_rest(struct decoder *d, char form)
{
	struct x86_insn *insn = d->insn;
	bool bits64 = insn->mode == X86_MODE_64;
	unsigned int z = insn->op_size == 2 ? 2 : 4;

	if (strchr("MBZRy3V", form))
		decode_modrm(d, form == 'R');
	if (bits64 && strchr("xyYp", form))
		return false;

	switch (form) {
	case '!': case '^':
		return false;
	case 'V':
		return !bits64 && mod(d) != 3;
	case 'B': case 'b': case 'y': case 'Y':
		insn->imm = fetch_signed(d, 1);
		break;
	case 'Z': case 'z':
		insn->imm = fetch_signed(d, z);
		break;
	case 'r':	/* AMD obeys 0x66 in 64-bit mode, Intel does not: not decided here */
		if (bits64 && d->data_prefix && !(d->rex & REX_W))
			return false;
		insn->imm = fetch_signed(d, z);
		break;
	case '3':
		if (reg_field(d) < 2)
			insn->imm = fetch_signed(d, d->opcode & 1 ? z : 1);
		break;
	case 'v':
		insn->imm = fetch(d, insn->op_size);
		break;
	case 'w':
		insn->imm = fetch(d, 2);
		break;
	case 'o':
		insn->disp = fetch(d, insn->addr_size);
		if (insn->seg == X86_NO_REG)
			insn->seg = X86_DS;
		break;
	case 'p':
		insn->imm = fetch(d, z + 2);
		break;
	case 'e':
		insn->imm = fetch(d, 3);
		break;
	}
	return true;
}

/* The operand in ModRM.rm: a register or memory. */
static u8 rm(const struct decoder *d)
{
	return mod(d) == 3 ? X86_RM : X86_MEM;
}

static void set(struct decoder *d, enum x86_op op, u8 dst, u8 src)
{
	d->insn->op = op;
	d->insn->dst = dst;
	d->insn->src = src;
}

/* Of an opcode pair, the even one has byte operands. */
static void byte_or_word(struct decoder *d)
{
	if (!(d->opcode & 1))
		d->insn->op_size = 1;
}

/* A near stack operand is 64 bits wide in 64-bit mode, 16 with the prefix. */
static void stack_size(struct decoder *d)
{
	if (d->insn->mode == X86_MODE_64)
		d->insn->op_size = d->data_prefix && !(d->rex & REX_W) ? 2 : 8;
}

/* Port instructions have no 64-bit form. */
static void port_size(struct decoder *d)
{
	byte_or_word(d);
	if (d->insn->op_size == 8)
		d->insn->op_size = 4;
}

static void string(struct decoder *d, enum x86_op op)
{
	d->insn->op = op;
	if (d->insn->seg == X86_NO_REG)
		d->insn->seg = X86_DS;
}

/* Opcodes 0x80 to 0xff with a ModRM: groups and plain moves. */
static void meaning_modrm(struct decoder *d)
{
	unsigned int reg = reg_field(d);

	switch (d->opcode) {
	case 0x80: case 0x81: case 0x82: case 0x83:
		byte_or_word(d);
		set(d, X86_OP_ADD + reg, rm(d), X86_IMM);
		break;
	case 0x84: case 0x85:
		byte_or_word(d);
		set(d, X86_OP_TEST, rm(d), X86_REG);
		break;
	case 0x86: case 0x87:
		byte_or_word(d);
		set(d, X86_OP_XCHG, rm(d), X86_REG);
		break;
	case 0x88: case 0x89:
		byte_or_word(d);
		set(d, X86_OP_MOV, rm(d), X86_REG);
		break;
	case 0x8a: case 0x8b:
		byte_or_word(d);
		set(d, X86_OP_MOV, X86_REG, rm(d));
		break;
	case 0x8f:
		stack_size(d);
		set(d, X86_OP_POP, rm(d), X86_NONE);
		break;
	case 0xc6: case 0xc7:
		byte_or_word(d);
		if (reg == 0)
			set(d, X86_OP_MOV, rm(d), X86_IMM);
		break;
	case 0xf6: case 0xf7:
		byte_or_word(d);
		if (reg < 2)
			set(d, X86_OP_TEST, rm(d), X86_IMM);
		else if (reg < 4)
			set(d, reg == 2 ? X86_OP_NOT : X86_OP_NEG, rm(d), X86_NONE);
		break;
	case 0xfe: case 0xff:
		byte_or_word(d);
		if (reg < 2) {
			set(d, reg ? X86_OP_DEC : X86_OP_INC, rm(d), X86_NONE);
		} else if (reg == 6 && d->opcode == 0xff) {
			stack_size(d);
			set(d, X86_OP_PUSH, X86_NONE, rm(d));
		}
		break;
	}
}

static void meaning_one_byte(struct decoder *d)
{
	static const u8 operands[6][2] = {
		{ X86_RM, X86_REG }, { X86_RM, X86_REG }, { X86_REG, X86_RM },
		{ X86_REG, X86_RM }, { X86_ACC, X86_IMM }, { X86_ACC, X86_IMM },
	};
	struct x86_insn *insn = d->insn;
	u8 op = d->opcode, low = op & 7;

	if (op < 0x40) {
		if (low >= 6)
			return;
		byte_or_word(d);
		set(d, X86_OP_ADD + (op >> 3), operands[low][0], operands[low][1]);
		if (insn->dst == X86_RM)
			insn->dst = rm(d);
		else if (insn->src == X86_RM)
			insn->src = rm(d);
		return;
	}
	if (op >= 0x50 && op < 0x60) {
		stack_size(d);
		insn->reg = low | (d->rex & REX_B ? 8 : 0);
		if (op < 0x58)
			set(d, X86_OP_PUSH, X86_NONE, X86_REG);
		else
			set(d, X86_OP_POP, X86_REG, X86_NONE);
		return;
	}
	switch (op) {
	case 0x63:
		if (insn->mode != X86_MODE_64)
			break;		/* ARPL */
		set(d, X86_OP_MOVSX, X86_REG, rm(d));
		insn->src_size = insn->op_size == 2 ? 2 : 4;
		break;
	case 0x68: case 0x6a:
		stack_size(d);
		set(d, X86_OP_PUSH, X86_NONE, X86_IMM);
		break;
	case 0x6c: case 0x6d:
		port_size(d);
		string(d, X86_OP_INS);
		break;
	case 0x6e: case 0x6f:
		port_size(d);
		string(d, X86_OP_OUTS);
		break;
	case 0x90:
		if (insn->rep == 0xf3 && !(d->rex & REX_B))
			insn->op = X86_OP_PAUSE;
		break;
	case 0xa0: case 0xa1:
		byte_or_word(d);
		set(d, X86_OP_MOV, X86_ACC, X86_MEM);
		break;
	case 0xa2: case 0xa3:
		byte_or_word(d);
		set(d, X86_OP_MOV, X86_MEM, X86_ACC);
		break;
	case 0xa8: case 0xa9:
		byte_or_word(d);
		set(d, X86_OP_TEST, X86_ACC, X86_IMM);
		break;
	case 0xa4: case 0xa5: case 0xa6: case 0xa7:
		byte_or_word(d);
		string(d, op < 0xa6 ? X86_OP_MOVS : X86_OP_CMPS);
		break;
	case 0xaa: case 0xab: case 0xac: case 0xad: case 0xae: case 0xaf:
		byte_or_word(d);
		string(d, op < 0xac ? X86_OP_STOS : op < 0xae ? X86_OP_LODS : X86_OP_SCAS);
		break;
	case 0xcc: case 0xcd: case 0xce: case 0xcf:
		insn->op = X86_OP_INT3;
		if (op == 0xcd)
			insn->op = X86_OP_INT;
		else if (op > 0xcd)
			insn->op = op == 0xce ? X86_OP_INTO : X86_OP_IRET;
		insn->imm = (u8)insn->imm;
		break;
	case 0xe4: case 0xe5: case 0xe6: case 0xe7:
	case 0xec: case 0xed: case 0xee: case 0xef:
		port_size(d);
		insn->imm = (u8)insn->imm;
		insn->reg = X86_RDX;
		low = op < 0xe8 ? X86_IMM : X86_REG;	/* the port */
		if (op & 2)
			set(d, X86_OP_OUT, low, X86_ACC);
		else
			set(d, X86_OP_IN, X86_ACC, low);
		break;
	case 0xf1:
		insn->op = X86_OP_INT1;
		break;
	case 0xf4:
		insn->op = X86_OP_HLT;
		break;
	default:
		if (d->has_modrm)
			meaning_modrm(d);
	}
}

/* 0F 01: a group by reg with memory, single instructions by the whole byte without. */
static void meaning_0f01(struct decoder *d)
{
	struct x86_insn *insn = d->insn;
	unsigned int reg = reg_field(d);

	if (reg == 4) {
		set(d, X86_OP_SMSW, rm(d), X86_NONE);
		if (mod(d) != 3)
			insn->op_size = 2;
		return;
	}
	if (reg == 6) {
		insn->op_size = 2;
		set(d, X86_OP_LMSW, X86_NONE, rm(d));
		return;
	}
	if (mod(d) != 3) {
		if (reg == 7)
			set(d, X86_OP_INVLPG, X86_NONE, X86_MEM);
		return;
	}
	switch (d->modrm) {
	case 0xc1:
		insn->op = X86_OP_VMCALL;
		break;
	case 0xc2: case 0xc3: case 0xc4:
		insn->op = X86_OP_VMX;
		break;
	case 0xc8: case 0xfa:
		insn->op = X86_OP_MONITOR;
		break;
	case 0xc9: case 0xfb:
		insn->op = X86_OP_MWAIT;
		break;
	case 0xd1:
		insn->op = X86_OP_XSETBV;
		break;
	case 0xd9:
		insn->op = X86_OP_VMMCALL;
		break;
	case 0xd8: case 0xda: case 0xdb: case 0xdc: case 0xdd: case 0xde: case 0xdf:
		insn->op = X86_OP_SVM;
		break;
	case 0xf9:
		insn->op = X86_OP_RDTSCP;
		break;
	}
}

static void vector(struct decoder *d, u8 size, bool store)
{
	d->insn->op_size = size;
	if (store)
		set(d, X86_OP_VECTOR, rm(d), X86_REG);
	else
		set(d, X86_OP_VECTOR, X86_REG, rm(d));
}

/* SSE moves of a whole register, or of its low part with the rest zeroed by a load. */
static void meaning_vector(struct decoder *d)
{
	u8 p = d->insn->rep ? d->insn->rep : d->data_prefix ? 0x66 : 0;
	bool store = d->opcode & 1;

	switch (d->opcode) {
	case 0x10: case 0x11:
		vector(d, p == 0xf3 ? 4 : p == 0xf2 ? 8 : 16, store);
		break;
	case 0x28: case 0x29: case 0x2b:
		if (p == 0 || p == 0x66)
			vector(d, 16, store);
		break;
	case 0x6f: case 0x7f:
		if (p == 0x66 || p == 0xf3)
			vector(d, 16, d->opcode == 0x7f);
		break;
	case 0x6e:
		if (p == 0x66)
			vector(d, d->rex & REX_W ? 8 : 4, false);
		break;
	case 0x7e:
		if (p == 0x66)
			vector(d, d->rex & REX_W ? 8 : 4, true);
		else if (p == 0xf3)
			vector(d, 8, false);
		break;
	case 0xd6:
		if (p == 0x66)
			vector(d, 8, true);
		break;
	case 0xe7:
		if (p == 0x66)
			vector(d, 16, true);
		break;
	case 0xf0:
		if (p == 0xf2)
			vector(d, 16, false);
		break;
	}
}

/* Control and debug registers: mod is ignored, the size is the mode's. */
static void meaning_control(struct decoder *d)
{
	struct x86_insn *insn = d->insn;
	bool debug = d->opcode & 1, to = d->opcode & 2;

	insn->op_size = insn->mode == X86_MODE_64 ? 8 : 4;
	if (!debug && insn->lock && insn->reg == 0)
		insn->reg = 8;		/* AMD's way to CR8 outside 64-bit mode */
	if (to)
		set(d, debug ? X86_OP_MOV_TO_DR : X86_OP_MOV_TO_CR, X86_NONE, X86_RM);
	else
		set(d, debug ? X86_OP_MOV_FROM_DR : X86_OP_MOV_FROM_CR, X86_RM, X86_NONE);
}

static void meaning_0f(struct decoder *d)
{
	struct x86_insn *insn = d->insn;
	u8 op = d->opcode;

	switch (op) {
	case 0x01:
		meaning_0f01(d);
		break;
	case 0x06:
		insn->op = X86_OP_CLTS;
		break;
	case 0x08: case 0x09:
		insn->op = op & 1 ? X86_OP_WBINVD : X86_OP_INVD;
		break;
	case 0x20: case 0x21: case 0x22: case 0x23:
		meaning_control(d);
		break;
	case 0x30:
		insn->op = X86_OP_WRMSR;
		break;
	case 0x31:
		insn->op = X86_OP_RDTSC;
		break;
	case 0x32: case 0x33:
		insn->op = op & 1 ? X86_OP_RDPMC : X86_OP_RDMSR;
		break;
	case 0x78: case 0x79:
		if (!insn->rep && !d->data_prefix)
			insn->op = X86_OP_VMX;
		break;
	case 0xa2:
		insn->op = X86_OP_CPUID;
		break;
	case 0xa3: case 0xab: case 0xb3: case 0xbb:
		set(d, X86_OP_BT + ((op >> 3) & 3), rm(d), X86_REG);
		break;
	case 0xba:
		if (reg_field(d) >= 4)
			set(d, X86_OP_BT + (reg_field(d) & 3), rm(d), X86_IMM);
		break;
	case 0xb0: case 0xb1: case 0xc0: case 0xc1:
		byte_or_word(d);
		set(d, op < 0xc0 ? X86_OP_CMPXCHG : X86_OP_XADD, rm(d), X86_REG);
		break;
	case 0xb6: case 0xb7: case 0xbe: case 0xbf:
		set(d, op < 0xb8 ? X86_OP_MOVZX : X86_OP_MOVSX, X86_REG, rm(d));
		insn->src_size = op & 1 ? 2 : 1;
		break;
	case 0xc3:
		if (!insn->rep && !d->data_prefix)	/* MOVNTI */
			set(d, X86_OP_MOV, rm(d), X86_REG);
		break;
	case 0xc7:
		if (mod(d) != 3 && reg_field(d) >= 6)
			insn->op = X86_OP_VMX;
		break;
	default:
		if (d->has_modrm)
			meaning_vector(d);
	}
}

static void meaning_0f38(struct decoder *d)
{
	u8 op = d->opcode;

	if ((op == 0xf0 || op == 0xf1) && d->insn->rep != 0xf2) {
		if (op == 0xf0)
			set(d, X86_OP_MOVBE, X86_REG, rm(d));
		else
			set(d, X86_OP_MOVBE, rm(d), X86_REG);
	} else if (op == 0x2a && d->data_prefix && !d->insn->rep) {
		vector(d, 16, false);
	} else if ((op == 0x80 || op == 0x81) && d->data_prefix) {
		d->insn->op = X86_OP_VMX;
	}
}

/* Without REX, byte registers 4 to 7 are AH, CH, DH, BH. */
static u8 byte_register(const struct decoder *d, u8 reg, unsigned int size)
{
	if (size == 1 && !d->rex && reg >= 4 && reg < 8)
		return reg - 4 + X86_HIGH_BYTE;
	return reg;
}

static enum x86_decode_result ended(const struct decoder *d)
{
	return d->n == X86_INSN_MAX ? X86_DECODE_TOO_LONG : X86_DECODE_MORE;
}

/* Encodings that a table of single opcodes cannot tell apart. */
static bool opcode_unknown(const struct decoder *d)
{
	const struct x86_insn *insn = d->insn;

	if (d->map == MAP_1 && d->opcode == 0x8f)
		return reg_field(d) != 0;		/* XOP */
	if (d->map == MAP_0F && d->opcode == 0x78)
		return insn->rep || d->data_prefix;	/* EXTRQ, INSERTQ: two immediates */
	if (d->map == MAP_0F && d->opcode == 0xb8)
		return insn->rep != 0xf3;		/* JMPE */
	return false;
}

enum x86_decode_result x86_decode(struct x86_insn *insn, const u8 *bytes, unsigned int n,
				  enum x86_mode mode)
{
	struct decoder d = {
		.insn = insn, .bytes = bytes, .n = n < X86_INSN_MAX ? n : X86_INSN_MAX,
	};
	char form;

	memset(insn, 0, sizeof(*insn));
	insn->mode = mode;
	insn->seg = X86_NO_REG;
	insn->base = X86_NO_REG;
	insn->index = X86_NO_REG;
	insn->reg = X86_NO_REG;
	insn->rm = X86_NO_REG;

	decode_prefixes(&d);
	form = d.ran_out ? '.' : one_byte[d.opcode];
	if (!d.ran_out && d.opcode == 0x0f) {
		d.map = MAP_0F;
		d.opcode = fetch(&d, 1);
		form = two_byte[d.opcode];
		if (d.opcode == 0x38 || d.opcode == 0x3a) {
			d.map = d.opcode == 0x38 ? MAP_0F38 : MAP_0F3A;
			d.opcode = fetch(&d, 1);
			form = d.map == MAP_0F38 ? 'M' : 'B';
		}
	}
	if (d.ran_out)
		return ended(&d);
	if (!decode_rest(&d, form))
		return X86_DECODE_UNKNOWN;
	if (d.ran_out)
		return ended(&d);
	if (opcode_unknown(&d))
		return X86_DECODE_UNKNOWN;

	insn->len = d.at;
	if (d.map == MAP_1)
		meaning_one_byte(&d);
	else if (d.map == MAP_0F)
		meaning_0f(&d);
	else if (d.map == MAP_0F38)
		meaning_0f38(&d);
	if (!insn->src_size)
		insn->src_size = insn->op_size;
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
	if (x86_64bit_mode(s))
		return X86_MODE_64;
	if (!(s->cr0 & X86_CR0_PE) || (s->rflags & X86_RFLAGS_VM) ||
	    !(s->seg[X86_CS].attributes & X86_SEG_DB))
		return X86_MODE_16;
	return X86_MODE_32;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The arithmetic of MMIO instructions against this machine's CPU: each instruction runs
 * natively on memory, and through the stepper on a copy; registers, flags and memory must
 * agree. Then what 64-bit user code cannot show: segments, other modes, string I/O.
 */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../kmod/x86/execute.h"
#include "../../kmod/x86/walk.h"
#include "../lib/ktap.h"

#define ROUNDS	150		/* of each encoding, with random operands */
#define AREA	4096
#define FLAGS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
		 X86_EFLAGS_SF | X86_EFLAGS_OF)

static u64 seed = 0x853c49e6748fea9b;

static u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dULL;
}

/* All registers of the instruction under test; native_run() loads and stores them. */
struct native {
	u64 gpr[16];
	u64 rflags;
	u64 host_rsp;
	void *code;
	u64 unused;		/* keeps xmm aligned */
	u8 xmm[16][16];
} native __attribute__((aligned(16)));

void *native_back_pointer;
void native_run(void);

/*
 * The code page ends in "jmp *native_back_pointer". RSP is the test's own while the
 * instruction runs, so nothing may touch the stack until it is back.
 */
asm(
	".pushsection .text\n"
	"native_run:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	lea native(%rip), %rax\n"
	"	mov %rsp, 17*8(%rax)\n"
	"	.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movdqu 160+16*\\n(%rax), %xmm\\n\n"
	"	.endr\n"
	"	push 16*8(%rax); popfq\n"
	"	mov 1*8(%rax), %rcx; mov 2*8(%rax), %rdx; mov 3*8(%rax), %rbx\n"
	"	mov 4*8(%rax), %rsp; mov 5*8(%rax), %rbp; mov 6*8(%rax), %rsi\n"
	"	mov 7*8(%rax), %rdi; mov 8*8(%rax), %r8; mov 9*8(%rax), %r9\n"
	"	mov 10*8(%rax), %r10; mov 11*8(%rax), %r11; mov 12*8(%rax), %r12\n"
	"	mov 13*8(%rax), %r13; mov 14*8(%rax), %r14; mov 15*8(%rax), %r15\n"
	"	mov 0*8(%rax), %rax\n"
	"	jmp *native+18*8(%rip)\n"
	"native_back:\n"
	"	mov %rax, native+0*8(%rip); mov %rcx, native+1*8(%rip)\n"
	"	mov %rdx, native+2*8(%rip); mov %rbx, native+3*8(%rip)\n"
	"	mov %rsp, native+4*8(%rip); mov %rbp, native+5*8(%rip)\n"
	"	mov %rsi, native+6*8(%rip); mov %rdi, native+7*8(%rip)\n"
	"	mov %r8, native+8*8(%rip); mov %r9, native+9*8(%rip)\n"
	"	mov %r10, native+10*8(%rip); mov %r11, native+11*8(%rip)\n"
	"	mov %r12, native+12*8(%rip); mov %r13, native+13*8(%rip)\n"
	"	mov %r14, native+14*8(%rip); mov %r15, native+15*8(%rip)\n"
	"	mov native+17*8(%rip), %rsp\n"
	"	pushfq; pop native+16*8(%rip)\n"
	"	cld\n"
	"	lea native(%rip), %rax\n"
	"	.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movdqu %xmm\\n, 160+16*\\n(%rax)\n"
	"	.endr\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	".popsection\n"
);

extern char native_back[];

static u8 *code, *area;
static u8 before[AREA], mine[AREA];

/* The program's own view of x86_mmio: memory is mine[], addresses are those of area. */
static bool run_stepper(const struct x86_insn *insn, struct x86_state *s, u8 (*xmm)[16])
{
	const struct x86_mmio_access *a;
	struct x86_mmio m;
	unsigned int guard = 0;
	u64 offset;

	do {
		if (x86_mmio_start(&m, insn, s) != X86_MMIO_OK) {
			test_fail(__FILE__, __LINE__, "op %d: not started, fault %d", insn->op, m.fault);
			return false;
		}
		if (insn->op == X86_OP_VECTOR && insn->dst == X86_MEM)
			memcpy(m.data, xmm[insn->reg], 16);
		for (; m.at < m.n; x86_mmio_feed(&m)) {
			a = &m.access[m.at];
			offset = a->linear - (u64)area;
			if (offset + a->size > AREA) {
				test_fail(__FILE__, __LINE__, "op %d: at %llx", insn->op,
					  (unsigned long long)a->linear);
				return false;
			}
			if (a->write)
				memcpy(mine + offset, m.data, a->size);
			else
				memcpy(m.data, mine + offset, a->size);
		}
		if (insn->op == X86_OP_VECTOR && insn->dst != X86_MEM)
			memcpy(xmm[insn->reg], m.data, 16);
	} while (!x86_mmio_commit(&m, s) && guard++ < 1000);
	return true;
}

static u64 undefined_flags(u8 op)
{
	switch (op) {
	case X86_OP_AND: case X86_OP_OR: case X86_OP_XOR: case X86_OP_TEST:
		return X86_EFLAGS_AF;
	case X86_OP_BT: case X86_OP_BTS: case X86_OP_BTR: case X86_OP_BTC:
		return X86_EFLAGS_AF | X86_EFLAGS_PF | X86_EFLAGS_SF | X86_EFLAGS_OF;
	}
	return 0;
}

/* Values at which carries, signs and zeros happen, as well as random ones. */
static u64 interesting(void)
{
	static const u64 values[] = {
		0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
		0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0x0f, 0x10,
	};

	return random64() % 3 ? random64() : values[random64() % COUNT(values)];
}

static void setup(const struct x86_insn *insn, struct x86_state *s)
{
	unsigned int i;
	u64 middle = (u64)area + AREA / 2;

	memset(s, 0, sizeof(*s));
	s->cr0 = X86_CR0_PE | X86_CR0_PG;
	s->efer = X86_EFER_LMA_BIT | X86_EFER_LME_BIT;
	s->seg[X86_CS].attributes = X86_SEG_L | X86_SEG_P;
	for (i = 0; i < 16; i++)
		s->gpr[i] = interesting();
	if (insn->op >= X86_OP_BT && insn->op <= X86_OP_BTC && insn->src == X86_REG)
		s->gpr[insn->reg] = (s->gpr[insn->reg] & ~0xffffULL) |
				    (insn->op_size == 2 ? (u16)(s16)((s64)random64() % 4096) : 0);
	if (insn->op >= X86_OP_BT && insn->op <= X86_OP_BTC && insn->src == X86_REG &&
	    insn->op_size > 2)
		s->gpr[insn->reg] = (s64)random64() % 4096;
	if (insn->op >= X86_OP_MOVS && insn->op <= X86_OP_SCAS) {
		s->gpr[X86_RCX] = random64() % 20;
		s->gpr[X86_RSI] = middle + random64() % 64;
		s->gpr[X86_RDI] = middle + 256 + random64() % 64;
	} else {
		if (insn->base != X86_NO_REG)
			s->gpr[insn->base] = middle + random64() % 64;
		if (insn->index != X86_NO_REG)
			s->gpr[insn->index] = random64() % 64;
		if (insn->op == X86_OP_PUSH || insn->op == X86_OP_POP)
			s->gpr[X86_RSP] = middle + 512 + random64() % 64;
	}
	s->rflags = (random64() & FLAGS) | X86_EFLAGS_FIXED | X86_EFLAGS_IF |
		    (random64() & X86_EFLAGS_DF);
	for (i = 0; i < AREA; i += 8) {
		u64 v = interesting();

		memcpy(before + i, &v, 8);
	}
	/* CMPXCHG, and comparisons, are to succeed too. */
	if (random64() % 2 && insn->base != X86_NO_REG)
		memcpy(before + (s->gpr[insn->base] + (s64)insn->disp - (u64)area) % (AREA - 8),
		       &s->gpr[X86_RAX], 8);
	if (insn->op == X86_OP_CMPS || insn->op == X86_OP_SCAS)
		memset(before + AREA / 2 - 256, s->gpr[X86_RAX] = random64() % 2 ? 0 : s->gpr[X86_RAX],
		       random64() % 1024);
}

static unsigned int executed;

static bool compare(const struct x86_insn *insn, const u8 *bytes)
{
	struct x86_state s;
	u8 xmm[16][16];
	u64 mask;
	unsigned int i;

	setup(insn, &s);
	memcpy(area, before, AREA);
	memcpy(mine, before, AREA);
	memcpy(native.gpr, s.gpr, sizeof(native.gpr));
	native.rflags = s.rflags;
	for (i = 0; i < sizeof(xmm); i++)
		((u8 *)xmm)[i] = random64();
	memcpy(native.xmm, xmm, sizeof(xmm));
	native.code = code;
	native_run();
	executed++;
	if (!run_stepper(insn, &s, xmm))
		return false;

	mask = FLAGS & ~undefined_flags(insn->op);
	if (memcmp(native.gpr, s.gpr, sizeof(s.gpr)) || memcmp(area, mine, AREA) ||
	    ((native.rflags ^ s.rflags) & mask) || memcmp(xmm, native.xmm, sizeof(xmm))) {
		for (i = 0; i < 16 && native.gpr[i] == s.gpr[i]; i++)
			;
		test_fail(__FILE__, __LINE__,
			  "%02x %02x %02x %02x %02x, op %d: gpr %d %llx/%llx flags %llx/%llx memory %d vector %d",
			  bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], insn->op, i,
			  (unsigned long long)s.gpr[i & 15], (unsigned long long)native.gpr[i & 15],
			  (unsigned long long)s.rflags, (unsigned long long)native.rflags,
			  memcmp(area, mine, AREA), memcmp(xmm, native.xmm, sizeof(xmm)));
		return false;
	}
	return true;
}

/* Encode opcode bytes with a memory operand, decode it, and run it often. */
static void try_encoding(const u8 *prefix, unsigned int nr_prefix, const char *opcode,
			 unsigned int nr_opcode, unsigned int reg, unsigned int imm)
{
	struct x86_insn insn;
	unsigned int n = 0, i, round;
	u8 bytes[32] = { 0 };

	memcpy(bytes, prefix, nr_prefix);
	n = nr_prefix;
	memcpy(bytes + n, opcode, nr_opcode);
	n += nr_opcode;
	if (random64() % 2) {
		bytes[n++] = 0x40 | reg << 3 | X86_RSI;		/* disp8(%rsi) or (%r14) */
	} else {
		bytes[n++] = 0x44 | reg << 3;
		bytes[n++] = (random64() % 4) << 6 | X86_RDI << 3 | X86_RSI;
	}
	bytes[n++] = random64();
	for (i = 0; i < imm; i++)
		bytes[n++] = random64();
	if (x86_decode(&insn, bytes, n, X86_MODE_64) != X86_DECODE_OK || insn.len != n) {
		test_fail(__FILE__, __LINE__, "%02x %02x %02x: not decoded", bytes[0], bytes[1], bytes[2]);
		return;
	}
	memcpy(code, bytes, n);
	code[n] = 0xff;						/* jmp *back */
	code[n + 1] = 0x25;
	i = AREA - 8 - (n + 6);
	memcpy(code + n + 2, &i, 4);
	for (round = 0; round < ROUNDS; round++)
		if (!compare(&insn, bytes))
			return;
}

static void map_pages(void)
{
	void *back = native_back;

	if (code)		/* tests of one process share them */
		return;
	code = mmap(NULL, AREA, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(code != MAP_FAILED);
	/* Low, so that 32-bit addresses reach it as well. */
	area = mmap((void *)0x10000000, AREA, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT(area == (u8 *)0x10000000);
	memcpy(code + AREA - 8, &back, 8);
}

struct encoding {
	const char *opcode;
	u8 n;
	s8 group;		/* ModRM.reg is the operation's, or -1: a register */
	u8 imm;			/* 0, 1: imm8, 4: imm16 or imm32 by operand size */
};

static void try_all(const struct encoding *all, unsigned int count)
{
	static const u8 rex[] = { 0, 0x40, 0x48, 0x44, 0x4c, 0x41, 0x4d };
	unsigned int e, i, p, wide, imm, reg;
	u8 prefix[4];

	map_pages();
	for (e = 0; e < count; e++) {
		for (wide = 0; wide < 4; wide++) {		/* 66, 67 */
			for (i = 0; i < COUNT(rex); i++) {
				p = 0;
				if (wide & 1)
					prefix[p++] = 0x66;
				if (wide & 2)
					prefix[p++] = 0x67;
				if (rex[i])
					prefix[p++] = rex[i];
				imm = all[e].imm;
				if (imm == 4 && (wide & 1) && !(rex[i] & 8))
					imm = 2;
				reg = all[e].group;
				if (all[e].group < 0)
					do
						reg = random64() % 8;
					while (reg == X86_RSI || reg == X86_RDI);
				try_encoding(prefix, p, all[e].opcode, all[e].n, reg, imm);
			}
		}
	}
	test_note("%u instructions executed", executed);
	EXPECT(executed >= count * ROUNDS * 20);
}

#define ROW(string, group, imm) { string, sizeof(string) - 1, group, imm }

static void arithmetic(void)
{
	static const struct encoding all[] = {
		ROW("\x00", -1, 0), ROW("\x01", -1, 0), ROW("\x02", -1, 0), ROW("\x03", -1, 0),
		ROW("\x08", -1, 0), ROW("\x09", -1, 0), ROW("\x0a", -1, 0), ROW("\x0b", -1, 0),
		ROW("\x10", -1, 0), ROW("\x11", -1, 0), ROW("\x12", -1, 0), ROW("\x13", -1, 0),
		ROW("\x18", -1, 0), ROW("\x19", -1, 0), ROW("\x1a", -1, 0), ROW("\x1b", -1, 0),
		ROW("\x20", -1, 0), ROW("\x21", -1, 0), ROW("\x22", -1, 0), ROW("\x23", -1, 0),
		ROW("\x28", -1, 0), ROW("\x29", -1, 0), ROW("\x2a", -1, 0), ROW("\x2b", -1, 0),
		ROW("\x30", -1, 0), ROW("\x31", -1, 0), ROW("\x32", -1, 0), ROW("\x33", -1, 0),
		ROW("\x38", -1, 0), ROW("\x39", -1, 0), ROW("\x3a", -1, 0), ROW("\x3b", -1, 0),
		ROW("\x80", 0, 1), ROW("\x80", 1, 1), ROW("\x80", 2, 1), ROW("\x80", 3, 1),
		ROW("\x80", 4, 1), ROW("\x80", 5, 1), ROW("\x80", 6, 1), ROW("\x80", 7, 1),
		ROW("\x81", 0, 4), ROW("\x81", 1, 4), ROW("\x81", 2, 4), ROW("\x81", 3, 4),
		ROW("\x81", 4, 4), ROW("\x81", 5, 4), ROW("\x81", 6, 4), ROW("\x81", 7, 4),
		ROW("\x83", 0, 1), ROW("\x83", 3, 1), ROW("\x83", 5, 1), ROW("\x83", 7, 1),
		ROW("\x84", -1, 0), ROW("\x85", -1, 0), ROW("\xf6", 0, 1), ROW("\xf7", 0, 4),
		ROW("\xf6", 2, 0), ROW("\xf7", 2, 0), ROW("\xf6", 3, 0), ROW("\xf7", 3, 0),
		ROW("\xfe", 0, 0), ROW("\xff", 0, 0), ROW("\xfe", 1, 0), ROW("\xff", 1, 0),
		ROW("\x0f\xc0", -1, 0), ROW("\x0f\xc1", -1, 0), ROW("\x0f\xb0", -1, 0),
		ROW("\x0f\xb1", -1, 0), ROW("\x86", -1, 0), ROW("\x87", -1, 0),
		ROW("\x0f\xa3", -1, 0), ROW("\x0f\xab", -1, 0), ROW("\x0f\xb3", -1, 0),
		ROW("\x0f\xbb", -1, 0), ROW("\x0f\xba", 4, 1), ROW("\x0f\xba", 5, 1),
		ROW("\x0f\xba", 6, 1), ROW("\x0f\xba", 7, 1),
	};

	try_all(all, COUNT(all));
}

static void moves(void)
{
	static const struct encoding all[] = {
		ROW("\x88", -1, 0), ROW("\x89", -1, 0), ROW("\x8a", -1, 0), ROW("\x8b", -1, 0),
		ROW("\xc6", 0, 1), ROW("\xc7", 0, 4), ROW("\x0f\xb6", -1, 0), ROW("\x0f\xb7", -1, 0),
		ROW("\x0f\xbe", -1, 0), ROW("\x0f\xbf", -1, 0), ROW("\x63", -1, 0),
		ROW("\xff", 6, 0), ROW("\x8f", 0, 0),
	};

	try_all(all, COUNT(all));
}

/* Instructions with a mandatory prefix, or that have none: each encoding as it is. */
static void vectors(void)
{
	static const struct encoding all[] = {
		ROW("\x0f\x10", -1, 0), ROW("\x0f\x11", -1, 0), ROW("\x66\x0f\x10", -1, 0),
		ROW("\xf3\x0f\x10", -1, 0), ROW("\xf3\x0f\x11", -1, 0), ROW("\xf2\x0f\x10", -1, 0),
		ROW("\xf2\x0f\x11", -1, 0), ROW("\xf3\x0f\x6f", -1, 0), ROW("\xf3\x0f\x7f", -1, 0),
		ROW("\x66\x0f\x6e", -1, 0), ROW("\x66\x48\x0f\x6e", -1, 0), ROW("\x66\x0f\x7e", -1, 0),
		ROW("\x66\x48\x0f\x7e", -1, 0), ROW("\xf3\x0f\x7e", -1, 0), ROW("\x66\x0f\xd6", -1, 0),
		ROW("\xf2\x0f\xf0", -1, 0), ROW("\xf3\x44\x0f\x6f", -1, 0), ROW("\x44\x0f\x11", -1, 0),
		ROW("\x0f\xc3", -1, 0), ROW("\x48\x0f\xc3", -1, 0),	/* MOVNTI */
		ROW("\x0f\x38\xf0", -1, 0), ROW("\x0f\x38\xf1", -1, 0), ROW("\x66\x0f\x38\xf0", -1, 0),
		ROW("\x48\x0f\x38\xf0", -1, 0), ROW("\x48\x0f\x38\xf1", -1, 0),
	};
	unsigned int e, i, reg, a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (!(c & bit_MOVBE))
		test_skip("this CPU has no MOVBE");
	map_pages();
	for (e = 0; e < COUNT(all); e++)
		for (i = 0; i < 8; i++) {
			do
				reg = random64() % 8;
			while (reg == X86_RSI || reg == X86_RDI);
			try_encoding((const u8 *)"", 0, all[e].opcode, all[e].n, reg, 0);
		}
	EXPECT(executed >= COUNT(all) * 8 * ROUNDS);
}

static void run_plain(const char *bytes, unsigned int n, unsigned int rounds)
{
	struct x86_insn insn;
	unsigned int displacement = AREA - 8 - (n + 6);

	ASSERT_EQ(x86_decode(&insn, (const u8 *)bytes, n, X86_MODE_64), X86_DECODE_OK);
	memcpy(code, bytes, n);
	code[n] = 0xff;
	code[n + 1] = 0x25;
	memcpy(code + n + 2, &displacement, 4);
	while (rounds--)
		if (!compare(&insn, (const u8 *)bytes))
			return;
}

#define RUN(string) run_plain(string, sizeof(string) - 1, ROUNDS)

static void strings(void)
{
	static const u8 ops[] = { 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf };
	static const u8 prefix[4][3] = { { 0 }, { 0x66 }, { 0x67 }, { 0x48 } };
	static const u8 rep[] = { 0, 0xf3, 0xf2 };
	unsigned int o, p, r, n;
	char bytes[4];

	map_pages();
	for (o = 0; o < COUNT(ops); o++)
		for (p = 0; p < COUNT(prefix); p++)
			for (r = 0; r < COUNT(rep); r++) {
				n = 0;
				/* REPNE with a move does what REP does on every CPU, undocumented. */
				if (rep[r] == 0xf2 && (ops[o] & 0xf6) != 0xa6)
					continue;
				if (rep[r])
					bytes[n++] = rep[r];
				if (prefix[p][0])
					bytes[n++] = prefix[p][0];
				bytes[n++] = ops[o];
				run_plain(bytes, n, ROUNDS);
			}
	RUN("\x50");			/* push %rax */
	RUN("\x54");			/* push %rsp: its old value */
	RUN("\x66\x53");
	RUN("\x5b");			/* pop %rbx */
	RUN("\x5c");			/* pop %rsp: what was read */
	RUN("\x66\x59");
	RUN("\x68\x01\x02\x03\xf4");
	RUN("\x6a\xff");
	RUN("\x8f\x44\x24\xf0");	/* pop -16(%rsp): the address comes after RSP's change */
	RUN("\xff\x74\x24\x10");	/* push 16(%rsp) */
	/* moffs */
	RUN("\xa0\x00\x08\x00\x10\0\0\0\0");
	RUN("\xa1\x00\x08\x00\x10\0\0\0\0");
	RUN("\x48\xa1\x00\x08\x00\x10\0\0\0\0");
	RUN("\xa2\x00\x08\x00\x10\0\0\0\0");
	RUN("\x66\xa3\x00\x08\x00\x10\0\0\0\0");
	RUN("\x67\xa3\x00\x08\x00\x10");
}

/* A flat 32-bit state, as after a boot loader. */
static struct x86_state protected_mode(void)
{
	struct x86_state s = { .cr0 = X86_CR0_PE, .rflags = 2 };
	unsigned int i;

	for (i = 0; i <= X86_GS; i++)
		s.seg[i] = (struct x86_segment){ .limit = ~0u, .attributes = 0xc093 };
	s.seg[X86_CS].attributes = 0xc09b;
	return s;
}

static void segments(void)
{
	struct x86_state s = protected_mode();
	u64 linear;

	EXPECT_EQ(x86_linear(&s, X86_DS, 0x1000, 4, X86_ACCESS_WRITE, &linear), 0);
	EXPECT_EQ(linear, 0x1000);
	s.seg[X86_DS].base = 0xfffff000;		/* wraps */
	EXPECT_EQ(x86_linear(&s, X86_DS, 0x1010, 4, 0, &linear), 0);
	EXPECT_EQ(linear, 0x10);
	s.seg[X86_DS].limit = 0x1fff;
	EXPECT_EQ(x86_linear(&s, X86_DS, 0x1ffc, 4, 0, &linear), 0);
	EXPECT_EQ(x86_linear(&s, X86_DS, 0x1ffd, 4, 0, &linear), X86_GP);
	EXPECT_EQ(x86_linear(&s, X86_DS, 0xffffffff, 4, 0, &linear), X86_GP);
	s.seg[X86_SS].limit = 0xfff;
	EXPECT_EQ(x86_linear(&s, X86_SS, 0x1000, 1, 0, &linear), X86_SSF);
	EXPECT_EQ(x86_linear(&s, X86_CS, 0, 4, 0, &linear), 0);
	EXPECT_EQ(x86_linear(&s, X86_CS, 0, 4, X86_ACCESS_WRITE, &linear), X86_GP);
	s.seg[X86_CS].attributes = 0xc099;		/* execute only */
	EXPECT_EQ(x86_linear(&s, X86_CS, 0, 4, 0, &linear), X86_GP);
	s.seg[X86_ES].attributes = 0xc091;		/* read only */
	EXPECT_EQ(x86_linear(&s, X86_ES, 0, 4, 0, &linear), 0);
	EXPECT_EQ(x86_linear(&s, X86_ES, 0, 4, X86_ACCESS_WRITE, &linear), X86_GP);
	s.seg[X86_FS].attributes = 0xc097;		/* expand-down, 32-bit */
	s.seg[X86_FS].limit = 0xfff;
	EXPECT_EQ(x86_linear(&s, X86_FS, 0xfff, 1, 0, &linear), X86_GP);
	EXPECT_EQ(x86_linear(&s, X86_FS, 0x1000, 4, 0, &linear), 0);
	EXPECT_EQ(x86_linear(&s, X86_FS, 0xffffffff, 1, 0, &linear), 0);
	EXPECT_EQ(x86_linear(&s, X86_FS, 0xffffffff, 2, 0, &linear), X86_GP);
	s.seg[X86_FS].attributes = 0x8097;		/* 16-bit */
	EXPECT_EQ(x86_linear(&s, X86_FS, 0xffff, 1, 0, &linear), 0);
	EXPECT_EQ(x86_linear(&s, X86_FS, 0x10000, 1, 0, &linear), X86_GP);
	s.seg[X86_GS].unusable = true;
	EXPECT_EQ(x86_linear(&s, X86_GS, 0, 1, 0, &linear), X86_GP);

	s.cr0 = 0;					/* real mode: limits, no types */
	EXPECT_EQ(x86_linear(&s, X86_CS, 0, 4, X86_ACCESS_WRITE, &linear), 0);
	s.seg[X86_ES].limit = 0xffff;
	s.seg[X86_ES].base = 0xb8000;
	EXPECT_EQ(x86_linear(&s, X86_ES, 0xfffe, 2, X86_ACCESS_WRITE, &linear), 0);
	EXPECT_EQ(linear, 0xc7ffe);
	EXPECT_EQ(x86_linear(&s, X86_ES, 0xffff, 2, X86_ACCESS_WRITE, &linear), X86_GP);

	s = protected_mode();				/* 64-bit mode */
	s.efer = X86_EFER_LMA_BIT;
	s.seg[X86_CS].attributes = 0xa09b;
	s.seg[X86_DS].base = 0x1234000;			/* ignored */
	EXPECT_EQ(x86_linear(&s, X86_DS, 0xffff800000000000, 8, 0, &linear), 0);
	EXPECT_EQ(linear, 0xffff800000000000);
	EXPECT_EQ(x86_linear(&s, X86_DS, 0x00007ffffffffff8, 8, 0, &linear), 0);
	EXPECT_EQ(x86_linear(&s, X86_DS, 0x00007ffffffffff9, 8, 0, &linear), X86_GP);
	EXPECT_EQ(x86_linear(&s, X86_SS, 0x0000800000000000, 8, 0, &linear), X86_SSF);
	s.cr4 = X86_CR4_LA57;
	EXPECT_EQ(x86_linear(&s, X86_DS, 0x0000800000000000, 8, 0, &linear), 0);
	s.seg[X86_GS].base = 0xffff888000000000;
	EXPECT_EQ(x86_linear(&s, X86_GS, 0x28, 8, 0, &linear), 0);
	EXPECT_EQ(linear, 0xffff888000000028);
}

static void other_modes(void)
{
	struct x86_state s = protected_mode();
	struct x86_insn insn;
	struct x86_mmio m;

	/* mov %ax,%es:(%di) in real mode: DI wraps at 64 KiB before the segment is added */
	s.cr0 = 0;
	s.seg[X86_ES].base = 0xb8000;
	s.gpr[X86_RDI] = 0xabcdfffe;
	s.gpr[X86_RAX] = 0x12345678;
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\x26\x89\x45\x04", 4, x86_mode_of(&s)),
		  X86_DECODE_OK);
	ASSERT_EQ(x86_mmio_start(&m, &insn, &s), X86_MMIO_OK);
	ASSERT_EQ(m.n, 1);
	EXPECT_EQ(m.access[0].linear, 0xb8002);
	EXPECT_EQ(m.access[0].size, 2);
	EXPECT(m.access[0].write);
	EXPECT_EQ(m.data[0], 0x78);
	EXPECT_EQ(m.data[1], 0x56);

	/* cmpl $5, 0x10(%rip): the address counts from behind the immediate */
	s.rip = 0xffffffff81000000;
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\x83\x3d\x10\0\0\0\5", 7, X86_MODE_64),
		  X86_DECODE_OK);
	EXPECT_EQ(x86_effective(&insn, &s), 0xffffffff81000017);
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\x67\x83\x3d\x10\0\0\0\5", 8, X86_MODE_64),
		  X86_DECODE_OK);
	EXPECT_EQ(x86_effective(&insn, &s), 0x81000018);

	/* push (%bx) with a 16-bit stack keeps ESP's upper half */
	s.gpr[X86_RSP] = 0xffff0000;
	s.gpr[X86_RBX] = 0x100;
	s.seg[X86_SS].attributes = 0x93;
	s.seg[X86_SS].base = 0x20000;
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\xff\x37", 2, X86_MODE_16), X86_DECODE_OK);
	ASSERT_EQ(x86_mmio_start(&m, &insn, &s), X86_MMIO_OK);
	ASSERT_EQ(m.n, 2);
	EXPECT_EQ(m.access[0].linear, 0x100);
	m.data[0] = 0xaa;
	m.data[1] = 0xbb;
	x86_mmio_feed(&m);
	EXPECT(m.access[1].write);
	EXPECT_EQ(m.access[1].linear, 0x2fffe);
	EXPECT_EQ(m.data[0] | m.data[1] << 8, 0xbbaa);
	x86_mmio_feed(&m);
	EXPECT_EQ(m.at, m.n);
	EXPECT(x86_mmio_commit(&m, &s));
	EXPECT_EQ(s.gpr[X86_RSP], 0xfffffffe);

	/* push %si and pop %di in their ModRM forms */
	s.gpr[X86_RSI] = 0x1234;
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\xff\xf6", 2, X86_MODE_16), X86_DECODE_OK);
	ASSERT_EQ(x86_mmio_start(&m, &insn, &s), X86_MMIO_OK);
	EXPECT_EQ(m.data[0] | m.data[1] << 8, 0x1234);
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\x8f\xc7", 2, X86_MODE_16), X86_DECODE_OK);
	ASSERT_EQ(x86_mmio_start(&m, &insn, &s), X86_MMIO_OK);
	m.data[0] = 0x78;
	m.data[1] = 0x56;
	x86_mmio_feed(&m);
	EXPECT(x86_mmio_commit(&m, &s));
	EXPECT_EQ((u16)s.gpr[X86_RDI], 0x5678);

	/* no memory, or none of ours */
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\x01\xc0", 2, X86_MODE_16), X86_DECODE_OK);
	EXPECT_EQ(x86_mmio_start(&m, &insn, &s), X86_MMIO_UNSUPPORTED);
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\xd8\x07", 2, X86_MODE_16), X86_DECODE_OK);
	EXPECT_EQ(x86_mmio_start(&m, &insn, &s), X86_MMIO_UNSUPPORTED);
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\xf4", 1, X86_MODE_16), X86_DECODE_OK);
	EXPECT_EQ(x86_mmio_start(&m, &insn, &s), X86_MMIO_UNSUPPORTED);

	/* a fault of the address */
	s.seg[X86_DS].limit = 0xff;
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\x89\x07", 2, X86_MODE_16), X86_DECODE_OK);
	EXPECT_EQ(x86_mmio_start(&m, &insn, &s), X86_MMIO_FAULT);
	EXPECT_EQ(m.fault, X86_GP);
}

static void string_io(void)
{
	struct x86_state s = protected_mode();
	struct x86_insn insn;
	struct x86_mmio m;

	s.gpr[X86_RCX] = 0x300000002;
	s.gpr[X86_RDI] = 0x5000;
	s.gpr[X86_RSI] = 0x7000;
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\xf3\x6d", 2, X86_MODE_32), X86_DECODE_OK);
	ASSERT_EQ(x86_mmio_start(&m, &insn, &s), X86_MMIO_OK);
	EXPECT_EQ(m.access[0].linear, 0x5000);
	EXPECT_EQ(m.access[0].size, 4);
	EXPECT(m.access[0].write);
	EXPECT_EQ(x86_string_count(&insn, &s), 2);
	EXPECT(!x86_string_step(&insn, &s, 1));
	EXPECT_EQ(s.gpr[X86_RDI], 0x5004);
	EXPECT_EQ(s.gpr[X86_RSI], 0x7000);
	EXPECT(x86_string_step(&insn, &s, 1));
	EXPECT_EQ((u32)s.gpr[X86_RCX], 0);

	s.rflags |= X86_EFLAGS_DF;
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\x64\x66\x6f", 3, X86_MODE_32), X86_DECODE_OK);
	s.seg[X86_FS].base = 0x100000;
	ASSERT_EQ(x86_mmio_start(&m, &insn, &s), X86_MMIO_OK);
	EXPECT_EQ(m.access[0].linear, 0x107000);
	EXPECT_EQ(m.access[0].size, 2);
	EXPECT(!m.access[0].write);
	EXPECT_EQ(x86_string_count(&insn, &s), 1);
	EXPECT(x86_string_step(&insn, &s, 1));
	EXPECT_EQ(s.gpr[X86_RSI], 0x6ffe);

	s.gpr[X86_RCX] = 0;
	s.seg[X86_ES].limit = 0;
	ASSERT_EQ(x86_decode(&insn, (const u8 *)"\xf3\x6c", 2, X86_MODE_32), X86_DECODE_OK);
	EXPECT_EQ(x86_string_count(&insn, &s), 0);
	EXPECT_EQ(x86_mmio_start(&m, &insn, &s), X86_MMIO_OK);
	EXPECT_EQ(m.n, 0);			/* nothing is touched */
	s.gpr[X86_RCX] = 1;
	EXPECT_EQ(x86_mmio_start(&m, &insn, &s), X86_MMIO_FAULT);
	EXPECT_EQ(m.fault, X86_GP);
}

static const struct test tests[] = {
	TEST(arithmetic), TEST(moves), TEST(vectors), TEST(strings), TEST(segments),
	TEST(other_modes), TEST(string_io),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

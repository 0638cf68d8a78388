// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder against objdump: lengths, mnemonics and memory operands of random
 * instructions in all three modes, and a table of single encodings by hand.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../kmod/x86/decode.h"
#include "../lib/ktap.h"

#define STREAM		(256 * 1024)

static u64 seed = 0x9e3779b97f4a7c15;

static u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dULL;
}

/* What objdump calls an operation: mnemonics, a suffix for the size apart. */
static const struct {
	u8 op;
	bool only;		/* the mnemonic means this operation alone */
	const char *mnemonic;
} names[] = {
	{ X86_OP_ADD, true, "add" }, { X86_OP_OR, true, "or" }, { X86_OP_ADC, true, "adc" },
	{ X86_OP_SBB, true, "sbb" }, { X86_OP_AND, true, "and" }, { X86_OP_SUB, true, "sub" },
	{ X86_OP_XOR, true, "xor" }, { X86_OP_CMP, true, "cmp" }, { X86_OP_TEST, true, "test" },
	{ X86_OP_NOT, true, "not" }, { X86_OP_NEG, true, "neg" }, { X86_OP_BT, true, "bt" },
	{ X86_OP_BTS, true, "bts" }, { X86_OP_BTR, true, "btr" }, { X86_OP_BTC, true, "btc" },
	{ X86_OP_XADD, true, "xadd" }, { X86_OP_CMPXCHG, true, "cmpxchg" },
	{ X86_OP_MOVBE, true, "movbe" }, { X86_OP_MOVS, true, "movs" },
	{ X86_OP_STOS, true, "stos" }, { X86_OP_LODS, true, "lods" },
	{ X86_OP_CMPS, true, "cmps" }, { X86_OP_SCAS, true, "scas" },
	{ X86_OP_INS, true, "ins" }, { X86_OP_OUTS, true, "outs" }, { X86_OP_VMCALL, true, "vmcall" },
	{ X86_OP_VMMCALL, true, "vmmcall" }, { X86_OP_CLTS, true, "clts" },
	{ X86_OP_LMSW, true, "lmsw" }, { X86_OP_SMSW, true, "smsw" },
	{ X86_OP_INC, false, "inc" }, { X86_OP_DEC, false, "dec" },
	{ X86_OP_PUSH, false, "push" }, { X86_OP_POP, false, "pop" },
	{ X86_OP_XCHG, false, "xchg" }, { X86_OP_MOV, false, "mov" }, { X86_OP_MOV, false, "movabs" },
	{ X86_OP_MOV, true, "movnti" }, { X86_OP_MOVZX, true, "movzb" }, { X86_OP_MOVZX, true, "movzw" },
	{ X86_OP_MOVSX, true, "movsb" }, { X86_OP_MOVSX, true, "movsw" },
	{ X86_OP_MOVSX, true, "movsl" }, { X86_OP_MOVSX, true, "movslq" },
	{ X86_OP_MOVSX, true, "movsxd" },
	{ X86_OP_VECTOR, true, "movups" }, { X86_OP_VECTOR, true, "movupd" },
	{ X86_OP_VECTOR, true, "movaps" }, { X86_OP_VECTOR, true, "movapd" },
	{ X86_OP_VECTOR, true, "movdqu" }, { X86_OP_VECTOR, true, "movdqa" },
	{ X86_OP_VECTOR, true, "movss" }, { X86_OP_VECTOR, false, "movsd" },
	{ X86_OP_VECTOR, true, "movntps" }, { X86_OP_VECTOR, true, "movntpd" },
	{ X86_OP_VECTOR, true, "movntdq" }, { X86_OP_VECTOR, true, "movntdqa" },
	{ X86_OP_VECTOR, true, "lddqu" }, { X86_OP_VECTOR, false, "movd" },
	{ X86_OP_VECTOR, false, "movq" },
};

/* @name is @mnemonic, or that with a suffix for the operand's size. */
static bool is_named(const char *name, const char *mnemonic)
{
	size_t n = strlen(mnemonic);

	if (strncmp(name, mnemonic, n))
		return false;
	return !name[n] || (strchr("bwlq", name[n]) && !name[n + 1]);
}

static bool is_prefix(const char *word)
{
	static const char *const prefixes[] = {
		"lock", "rep", "repz", "repnz", "data16", "data32", "addr16", "addr32", "cs", "ds",
		"es", "ss", "fs", "gs", "xacquire", "xrelease", "bnd", "notrack",
	};
	size_t i;

	for (i = 0; i < COUNT(prefixes); i++)
		if (!strcmp(word, prefixes[i]))
			return true;
	return !strncmp(word, "rex", 3);
}

static int register_number(const char *name)
{
	static const char *const legacy[] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };
	size_t i;

	if (!strcmp(name, "riz") || !strcmp(name, "eiz") || !strcmp(name, "rip") ||
	    !strcmp(name, "eip"))
		return X86_NO_REG;
	if (name[0] == 'r' && isdigit(name[1]))
		return atoi(name + 1);
	if (name[0] == 'r' || name[0] == 'e')
		name++;
	for (i = 0; i < COUNT(legacy); i++)
		if (!strcmp(name, legacy[i]))
			return i;
	return -1;
}

/* Compare a memory operand with objdump's "seg:disp(base,index,scale)". */
static bool same_memory(const struct x86_insn *insn, const char *text)
{
	const char *open = strchr(text, '('), *start;
	char base[16] = "", index[16] = "";
	int scale = 1, shift;
	u64 disp, mask = insn->addr_size == 8 ? ~0ULL : (1ULL << (8 * insn->addr_size)) - 1;

	if (!open)
		return false;
	if (sscanf(open, "(%%%15[a-z0-9],%%%15[a-z0-9],%d)", base, index, &scale) < 1)
		sscanf(open, "(,%%%15[a-z0-9],%d)", index, &scale);
	for (start = open; start > text && (isalnum(start[-1]) || start[-1] == '-'); start--)
		;
	disp = start == open ? 0 : *start == '-' ? -strtoull(start + 1, NULL, 16) :
						   strtoull(start, NULL, 16);
	for (shift = 0; 1 << shift < scale; shift++)
		;
	if ((base[0] ? register_number(base) : X86_NO_REG) != insn->base ||
	    (index[0] ? register_number(index) : X86_NO_REG) != insn->index)
		return false;
	if (insn->index != X86_NO_REG && shift != insn->scale)
		return false;
	return ((disp ^ insn->disp) & mask) == 0 &&
	       insn->rip_relative == !!strstr(base, "ip");
}

/* objdump knows these, the decoder says that it does not. */
static bool may_be_unknown(const u8 *bytes, enum x86_mode mode)
{
	while (strchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", *bytes) && *bytes)
		bytes++;
	while (mode == X86_MODE_64 && (*bytes & 0xf0) == 0x40)
		bytes++;
	switch (*bytes) {
	case 0x62: case 0xc4: case 0xc5: case 0x8f:	/* EVEX, VEX, XOP */
	case 0xe8: case 0xe9:				/* with 66 in 64-bit mode */
		return true;
	case 0x0f:
		return (bytes[1] & 0xf0) == 0x80 || bytes[1] == 0x78 || bytes[1] == 0xa6 ||
		       bytes[1] == 0xa7 || bytes[1] == 0x0a ||
		       bytes[1] == 0x24 || bytes[1] == 0x26;	/* the 80386's test registers */
	}
	return false;
}

static struct {
	unsigned int compared, unknown, memory, named;
} counts;

static void compare_line(const u8 *stream, unsigned int at, unsigned int length,
			 char *text, enum x86_mode mode)
{
	struct x86_insn insn, again;
	enum x86_decode_result result;
	char *word, *operands = "", *save;
	bool known = false;
	unsigned int i;

	/* The first word that is no prefix. */
	for (word = strtok_r(text, " \t\n", &save); word && is_prefix(word);)
		word = strtok_r(NULL, " \t\n", &save);
	if (!word || strstr(word, "(bad)"))
		return;
	if (strchr(word, ','))		/* "jo,pn" */
		*strchr(word, ',') = 0;
	operands = save ? save : "";
	if (strstr(operands, "(bad)"))
		return;

	result = x86_decode(&insn, stream + at, 15, mode);
	if (stream[at + length - 1] == 0x9b || (result == X86_DECODE_OK &&
						stream[at + insn.len - 1] == 0x9b))
		return;			/* objdump takes WAIT for a prefix */
	if (result == X86_DECODE_UNKNOWN) {
		counts.unknown++;
		if (!may_be_unknown(stream + at, mode))
			test_fail(__FILE__, __LINE__, "mode %d: %02x %02x %02x %02x (%s): unknown",
				  mode, stream[at], stream[at + 1], stream[at + 2], stream[at + 3],
				  word);
		return;
	}
	counts.compared++;
	if (result != X86_DECODE_OK || insn.len != length) {
		test_fail(__FILE__, __LINE__, "mode %d: %02x %02x %02x %02x %02x (%s): %d bytes, not %d",
			  mode, stream[at], stream[at + 1], stream[at + 2], stream[at + 3],
			  stream[at + 4], word, result == X86_DECODE_OK ? insn.len : -result, length);
		return;
	}

	for (i = 0; i < length; i++)
		if (x86_decode(&again, stream + at, i, mode) != X86_DECODE_MORE)
			test_fail(__FILE__, __LINE__, "%s is not cut short at %u", word, i);
	EXPECT_EQ(x86_decode(&again, stream + at, length, mode), X86_DECODE_OK);
	EXPECT(!memcmp(&again, &insn, sizeof(insn)));

	if ((insn.base != X86_NO_REG || insn.index != X86_NO_REG || insn.rip_relative) &&
	    !strstr(operands, ":(") && strcmp(word, "nop")) {
		counts.memory++;
		if (!same_memory(&insn, operands))
			test_fail(__FILE__, __LINE__, "mode %d: %s %s: base %d index %d << %d disp %llx",
				  mode, word, operands, insn.base, insn.index, insn.scale,
				  (unsigned long long)insn.disp);
	}

	for (i = 0; i < COUNT(names); i++) {
		if (!is_named(word, names[i].mnemonic))
			continue;
		known |= names[i].op == insn.op;
		/* Two pairs share their AT&T spelling: string moves and sign extension; SSE's. */
		if (names[i].only && names[i].op != insn.op && insn.op == X86_OP_OTHER)
			test_fail(__FILE__, __LINE__, "mode %d: %s %s: no meaning", mode, word, operands);
	}
	if (insn.op != X86_OP_OTHER) {
		counts.named++;
		if (!known)
			test_fail(__FILE__, __LINE__, "mode %d: %s %s (%02x %02x %02x): op %d", mode,
				  word, operands, stream[at], stream[at + 1], stream[at + 2], insn.op);
	}
}

static void compare_stream(enum x86_mode mode, const char *machine)
{
	static u8 stream[STREAM + 16];
	char command[200], line[512];
	unsigned long at;
	unsigned int i, length, byte;
	int fd, used;
	FILE *in;

	/* Random bytes, richer in escapes, prefixes and groups than chance has them. */
	for (i = 0; i < STREAM; i++) {
		static const u8 often[] = { 0x0f, 0x0f, 0x0f, 0x0f, 0x66, 0xf3, 0xf2, 0x48, 0x41, 0x44,
					    0x67, 0x80, 0x81, 0x83, 0xf6, 0xf7, 0xff, 0x01, 0x38, 0xc7 };

		stream[i] = random64();
		if (random64() % 3 == 0)
			stream[i] = often[random64() % COUNT(often)];
	}
	fd = memfd_create("stream", 0);		/* inherited */
	ASSERT(fd >= 0);
	ASSERT(write(fd, stream, STREAM) == STREAM);
	snprintf(command, sizeof(command),
		 "objdump -D -z -w -b binary -m %s --insn-width=16 /proc/self/fd/%d", machine, fd);
	in = popen(command, "r");
	ASSERT(in);
	memset(&counts, 0, sizeof(counts));
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, " %lx:%n", &at, &used) != 1 || !strchr(line, '\t'))
			continue;
		length = 0;
		while (sscanf(line + used, " %2x%n", &byte, (int *)&i) == 1 &&
		       isxdigit(line[used + i - 1]) && isxdigit(line[used + i - 2])) {
			used += i;
			length++;
			if (line[used] == ' ' && line[used + 1] == ' ')
				break;
			if (line[used] == ' ' && line[used + 1] == '\t')
				break;
		}
		if (!length || at + 16 > STREAM || !strchr(line + used, '\t'))
			continue;
		if (strchr(line, '#'))
			*strchr(line, '#') = 0;
		compare_line(stream, at, length, strchr(line + used, '\t') + 1, mode);
	}
	EXPECT_EQ(pclose(in), 0);
	close(fd);
	test_note("%s: %u instructions, %u memory operands, %u with a meaning, %u not decoded",
		  machine, counts.compared, counts.memory, counts.named, counts.unknown);
	/* objdump has been understood. */
	EXPECT(counts.compared > 40000);
	EXPECT(counts.memory > 10000);
	EXPECT(counts.named > 8000);
}

static void objdump_64(void)
{
	compare_stream(X86_MODE_64, "i386:x86-64");
}

static void objdump_32(void)
{
	compare_stream(X86_MODE_32, "i386");
}

static void objdump_16(void)
{
	compare_stream(X86_MODE_16, "i8086");
}

static struct x86_insn decode(const char *bytes, unsigned int n, enum x86_mode mode)
{
	struct x86_insn insn;

	memset(&insn, 0xff, sizeof(insn));
	if (x86_decode(&insn, (const u8 *)bytes, n, mode) != X86_DECODE_OK || insn.len != n)
		test_fail(__FILE__, __LINE__, "%02x %02x ... is not %u bytes", (u8)bytes[0],
			  (u8)bytes[1], n);
	return insn;
}

#define DECODE(mode, string) decode(string, sizeof(string) - 1, X86_MODE_##mode)

/* Sizes, segments, immediates and register numbers, which mnemonics do not show. */
static void operands(void)
{
	struct x86_insn i;

	i = DECODE(64, "\x88\x20");			/* mov %ah,(%rax) */
	EXPECT_EQ(i.reg, X86_HIGH_BYTE + 0);
	EXPECT_EQ(i.op_size, 1);
	i = DECODE(64, "\x40\x88\x20");			/* mov %spl,(%rax) */
	EXPECT_EQ(i.reg, X86_RSP);
	i = DECODE(64, "\x48\xc7\x00\xff\xff\xff\xff");	/* movq $-1,(%rax) */
	EXPECT_EQ(i.imm, ~0ULL);
	EXPECT_EQ(i.op_size, 8);
	EXPECT_EQ(i.src, X86_IMM);
	i = DECODE(64, "\x66\x48\x89\x08");		/* REX.W over 66 */
	EXPECT_EQ(i.op_size, 8);
	i = DECODE(64, "\x48\x66\x89\x08");		/* REX not before the opcode: ignored */
	EXPECT_EQ(i.op_size, 2);
	i = DECODE(64, "\x0f\xb7\x08");			/* movzwl */
	EXPECT_EQ(i.op_size, 4);
	EXPECT_EQ(i.src_size, 2);
	i = DECODE(64, "\x0f\xb6\x20");			/* movzbl (%rax),%esp: no high byte */
	EXPECT_EQ(i.reg, X86_RSP);
	i = DECODE(64, "\x48\x63\x08");			/* movslq */
	EXPECT_EQ(i.op_size, 8);
	EXPECT_EQ(i.src_size, 4);
	i = DECODE(64, "\xa1\1\2\3\4\5\6\7\x08");	/* movabs */
	EXPECT_EQ(i.disp, 0x0807060504030201ULL);
	EXPECT_EQ(i.dst, X86_ACC);
	EXPECT_EQ(i.seg, X86_DS);
	i = DECODE(64, "\x67\xa1\1\2\3\xf4");
	EXPECT_EQ(i.disp, 0xf4030201);
	EXPECT_EQ(i.addr_size, 4);
}

static void segments_and_stack(void)
{
	struct x86_insn i;

	i = DECODE(64, "\x64\x8b\x04\x25\x10\0\0\0");	/* mov %fs:0x10,%eax */
	EXPECT_EQ(i.seg, X86_FS);
	EXPECT_EQ(i.base, X86_NO_REG);
	EXPECT_EQ(i.disp, 0x10);
	i = DECODE(64, "\x2e\x8b\x00");			/* CS: is ignored in 64-bit mode */
	EXPECT_EQ(i.seg, X86_DS);
	i = DECODE(32, "\x2e\x8b\x00");
	EXPECT_EQ(i.seg, X86_CS);
	i = DECODE(64, "\x8b\x45\x00");			/* base RBP: SS */
	EXPECT_EQ(i.seg, X86_SS);
	i = DECODE(64, "\x41\x8b\x45\x00");		/* base R13: DS */
	EXPECT_EQ(i.seg, X86_DS);
	i = DECODE(64, "\xff\x30");			/* push (%rax) */
	EXPECT_EQ(i.op_size, 8);
	i = DECODE(64, "\x66\xff\x30");
	EXPECT_EQ(i.op_size, 2);
	i = DECODE(32, "\x8f\x00");			/* popl (%eax) */
	EXPECT_EQ(i.op_size, 4);
	EXPECT_EQ(i.dst, X86_MEM);
	i = DECODE(64, "\xf3\x48\xa5");			/* rep movsq */
	EXPECT_EQ(i.rep, 0xf3);
	EXPECT_EQ(i.op_size, 8);
	i = DECODE(64, "\xf2\xf3\xa6");			/* the last one counts */
	EXPECT_EQ(i.rep, 0xf3);
	EXPECT_EQ(i.op_size, 1);
	i = DECODE(16, "\x66\x67\x8b\x44\x98\x7f");
	EXPECT_EQ(i.op_size, 4);
	EXPECT_EQ(i.addr_size, 4);
	EXPECT_EQ(i.scale, 2);
	i = DECODE(16, "\x8b\x46\xfe");			/* mov -2(%bp),%ax */
	EXPECT_EQ(i.seg, X86_SS);
	EXPECT_EQ(i.disp, -2ULL);
	EXPECT_EQ(i.op_size, 2);
}

static void special_operands(void)
{
	struct x86_insn i;

	i = DECODE(64, "\x0f\x22\xd8");			/* mov %rax,%cr3 */
	EXPECT_EQ(i.reg, 3);
	EXPECT_EQ(i.rm, X86_RAX);
	i = DECODE(64, "\x41\x0f\x23\x3f");		/* mov %r15,%db7: mod does not matter */
	EXPECT_EQ(i.reg, 7);
	EXPECT_EQ(i.rm, X86_R15);
	i = DECODE(64, "\x64\xa4");			/* movsb %fs:(%rsi),(%rdi) */
	EXPECT_EQ(i.seg, X86_FS);
	i = DECODE(64, "\x90");				/* a segment there always is */
	EXPECT_EQ(i.seg, X86_DS);
	i = DECODE(64, "\xf0\x0f\xb0\x0b");		/* lock cmpxchg %cl,(%rbx) */
	EXPECT_EQ(i.op_size, 1);
	i = DECODE(64, "\x66\x0f\x6f\x00");		/* movdqa */
	EXPECT_EQ(i.op_size, 16);
	EXPECT_EQ(i.src, X86_MEM);
	i = DECODE(64, "\x66\x48\x0f\x7e\x00");		/* movq %xmm0,(%rax) */
	EXPECT_EQ(i.op_size, 8);
	EXPECT_EQ(i.dst, X86_MEM);
}

/* What AMD-V intercepts, with prefixes that change nothing, has its own length. */
static void intercepted_with_prefixes(void)
{
	static const struct {
		const char *bytes;
		u8 n, op;
	} all[] = {
		{ "\x0f\xa2", 2, X86_OP_OTHER }, { "\xf4", 1, X86_OP_OTHER },
		{ "\x0f\x32", 2, X86_OP_OTHER },
		{ "\x0f\x30", 2, X86_OP_OTHER }, { "\x0f\x06", 2, X86_OP_CLTS },
		{ "\x0f\x01\xd1", 3, X86_OP_OTHER }, { "\x0f\x01\xd9", 3, X86_OP_VMMCALL },
		{ "\x0f\x01\xc1", 3, X86_OP_VMCALL }, { "\x0f\x31", 2, X86_OP_OTHER },
		{ "\x0f\x01\xf9", 3, X86_OP_OTHER }, { "\x0f\x33", 2, X86_OP_OTHER },
		{ "\x0f\x01\x38", 3, X86_OP_OTHER }, { "\x0f\x08", 2, X86_OP_OTHER },
		{ "\x0f\x09", 2, X86_OP_OTHER }, { "\x0f\x01\xc8", 3, X86_OP_OTHER },
		{ "\x0f\x01\xc9", 3, X86_OP_OTHER }, { "\xcd\x20", 2, X86_OP_OTHER },
		{ "\xcc", 1, X86_OP_OTHER }, { "\xcf", 1, X86_OP_OTHER }, { "\xec", 1, X86_OP_OTHER },
		{ "\xe7\x10", 2, X86_OP_OTHER }, { "\x6c", 1, X86_OP_INS }, { "\x6f", 1, X86_OP_OUTS },
		{ "\x0f\x20\xc0", 3, X86_OP_OTHER }, { "\x0f\x22\xe0", 3, X86_OP_OTHER },
		{ "\x0f\x01\xf0", 3, X86_OP_LMSW }, { "\x0f\x01\xe0", 3, X86_OP_SMSW },
		{ "\x0f\x21\xf8", 3, X86_OP_OTHER },
	};
	static const u8 prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0xf2, 0xf3, 0x48, 0x4f };
	struct x86_insn insn;
	unsigned int i, j, n, tries;
	u8 bytes[16];

	for (i = 0; i < COUNT(all); i++) {
		for (tries = 0; tries < 2000; tries++) {
			n = random64() % (16 - all[i].n);
			for (j = 0; j < n; j++)
				bytes[j] = prefixes[random64() % COUNT(prefixes)];
			memcpy(bytes + n, all[i].bytes, all[i].n);
			EXPECT_EQ(x86_decode(&insn, bytes, n + all[i].n, X86_MODE_64), X86_DECODE_OK);
			EXPECT_EQ(insn.len, n + all[i].n);
			EXPECT_EQ(insn.op, all[i].op);
		}
	}
	memcpy(bytes, "\x0f\xb8\x00", 3);	/* POPCNT's opcode without its prefix */
	EXPECT_EQ(x86_decode(&insn, bytes, 3, X86_MODE_64), X86_DECODE_UNKNOWN);
}

static void modes(void)
{
	struct x86_state s = { .rflags = 2 };

	s.seg[X86_CS].attributes = X86_SEG_DB;
	EXPECT_EQ(x86_mode_of(&s), X86_MODE_16);	/* real mode, whatever CS says */
	s.cr0 = X86_CR0_PE;
	EXPECT_EQ(x86_mode_of(&s), X86_MODE_32);
	s.rflags |= X86_EFLAGS_VM;
	EXPECT_EQ(x86_mode_of(&s), X86_MODE_16);
	s.rflags = 2;
	s.seg[X86_CS].attributes = X86_SEG_L;
	EXPECT_EQ(x86_mode_of(&s), X86_MODE_16);	/* L means nothing outside long mode */
	s.efer = X86_EFER_LMA_BIT;
	EXPECT_EQ(x86_mode_of(&s), X86_MODE_64);
	s.seg[X86_CS].attributes = X86_SEG_DB;
	EXPECT_EQ(x86_mode_of(&s), X86_MODE_32);
}

static void limits(void)
{
	struct x86_insn insn;
	u8 bytes[20];

	memset(bytes, 0x66, sizeof(bytes));
	EXPECT_EQ(x86_decode(&insn, bytes, 20, X86_MODE_64), X86_DECODE_TOO_LONG);
	EXPECT_EQ(x86_decode(&insn, bytes, 15, X86_MODE_64), X86_DECODE_TOO_LONG);
	EXPECT_EQ(x86_decode(&insn, bytes, 14, X86_MODE_64), X86_DECODE_MORE);
	EXPECT_EQ(x86_decode(&insn, bytes, 0, X86_MODE_64), X86_DECODE_MORE);
	bytes[14] = 0xf4;
	EXPECT_EQ(x86_decode(&insn, bytes, 15, X86_MODE_64), X86_DECODE_OK);
	bytes[14] = 0x66;
	bytes[15] = 0xf4;
	EXPECT_EQ(x86_decode(&insn, bytes, 16, X86_MODE_64), X86_DECODE_TOO_LONG);
	EXPECT_EQ(x86_decode(&insn, (const u8 *)"\xc5\xfa\x6f\x00", 4, X86_MODE_64),
		  X86_DECODE_UNKNOWN);
	EXPECT_EQ(x86_decode(&insn, (const u8 *)"\x06", 1, X86_MODE_64), X86_DECODE_UNKNOWN);
}

static const struct test tests[] = {
	TEST(objdump_64), TEST(objdump_32), TEST(objdump_16), TEST(operands),
	TEST(segments_and_stack), TEST(special_operands),
	TEST(intercepted_with_prefixes), TEST(modes), TEST(limits),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

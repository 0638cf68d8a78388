// SPDX-License-Identifier: GPL-2.0
/*
 * One row a register, in the order of gdb's numbers: its name and type for the description,
 * and where the accelerator has it. Names and features are those of gdb's manual ("i386
 * Features"); the last one is vmrun's own. Called by command.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registers.h"

#define MSR_KERNEL_GS_BASE	0xc0000102

/* The legacy part of an XSAVE area (SDM vol. 1, 10.5.1), and the bits of what it holds. */
#define FX_FCW		0
#define FX_FSW		2
#define FX_FTW		4
#define FX_FOP		6
#define FX_FIP		8
#define FX_FCS		12
#define FX_FDP		16
#define FX_FDS		20
#define FX_MXCSR	24
#define FX_ST		32
#define FX_XMM		160
#define XSTATE_BV	512
#define XSTATE_LEGACY	3
/* Behind its header, where all CPUs have it: the upper halves of YMM (13.5.2, 13.4.3). */
#define XSTATE_AVX	4
#define XSAVE_YMM	576
#define YMM_SIZE	256

enum special {
	PLAIN,
	TAGS,		/* 8 bits there, two for each register in gdb */
	NO_SYSCALL,	/* orig_rax, of the Linux feature: no system call is under way */
};

struct row {
	const char *name;
	const char *type;
	u16 bits;
	u16 size;		/* bytes that are there; 0: none */
	u32 offset;		/* in struct gdb_registers */
	enum special special;
};

#define AT(field)	offsetof(struct gdb_registers, field)
#define FX(at)		(AT(xsave) + (at))

#define INTEGER(n, field)	{ n, "int64", 64, 8, AT(field), PLAIN }
#define SELECTOR(n)		{ #n, "int32", 32, 2, AT(sregs.n.selector), PLAIN }
#define X87(n, at, size)	{ n, "int", 32, size, FX(at), PLAIN }
#define STACK(n)		{ "st" #n, "i387_ext", 80, 10, FX(FX_ST + 16 * n), PLAIN }
#define VECTOR(n)		{ "xmm" #n, "vec128", 128, 16, FX(FX_XMM + 16 * n), PLAIN }
#define UPPER(n)		{ "ymm" #n "h", "uint128", 128, 16, FX(XSAVE_YMM + 16 * n), PLAIN }
#define NARROW(n, field)	{ n, "int32", 32, 4, AT(field), PLAIN }
#define SYSTEM(n, field)	{ n, "uint64", 64, 8, AT(field), PLAIN }

/* What 64 bits have no more of. */
#define CORE_REST									\
	{ "eflags", "eflags", 32, 4, AT(regs.rflags), PLAIN },				\
	SELECTOR(cs), SELECTOR(ss), SELECTOR(ds), SELECTOR(es), SELECTOR(fs), SELECTOR(gs), \
	STACK(0), STACK(1), STACK(2), STACK(3), STACK(4), STACK(5), STACK(6), STACK(7),	\
	X87("fctrl", FX_FCW, 2), X87("fstat", FX_FSW, 2),				\
	{ "ftag", "int", 32, 1, FX(FX_FTW), TAGS },					\
	X87("fiseg", FX_FCS, 2), X87("fioff", FX_FIP, 4), X87("foseg", FX_FDS, 2),	\
	X87("fooff", FX_FDP, 4), X87("fop", FX_FOP, 2),

static const struct row core[] = {
	INTEGER("rax", regs.rax), INTEGER("rbx", regs.rbx), INTEGER("rcx", regs.rcx),
	INTEGER("rdx", regs.rdx), INTEGER("rsi", regs.rsi), INTEGER("rdi", regs.rdi),
	{ "rbp", "data_ptr", 64, 8, AT(regs.rbp), PLAIN },
	{ "rsp", "data_ptr", 64, 8, AT(regs.rsp), PLAIN },
	INTEGER("r8", regs.r8), INTEGER("r9", regs.r9), INTEGER("r10", regs.r10),
	INTEGER("r11", regs.r11), INTEGER("r12", regs.r12), INTEGER("r13", regs.r13),
	INTEGER("r14", regs.r14), INTEGER("r15", regs.r15),
	{ "rip", "code_ptr", 64, 8, AT(regs.rip), PLAIN },
	CORE_REST
};

static const struct row core_narrow[] = {
	NARROW("eax", regs.rax), NARROW("ecx", regs.rcx), NARROW("edx", regs.rdx), NARROW("ebx", regs.rbx),
	{ "esp", "data_ptr", 32, 4, AT(regs.rsp), PLAIN },
	{ "ebp", "data_ptr", 32, 4, AT(regs.rbp), PLAIN },
	NARROW("esi", regs.rsi), NARROW("edi", regs.rdi),
	{ "eip", "code_ptr", 32, 4, AT(regs.rip), PLAIN },
	CORE_REST
};

#define MXCSR	{ "mxcsr", "mxcsr", 32, 4, FX(FX_MXCSR), PLAIN }

static const struct row sse[] = {
	VECTOR(0), VECTOR(1), VECTOR(2), VECTOR(3), VECTOR(4), VECTOR(5), VECTOR(6), VECTOR(7),
	VECTOR(8), VECTOR(9), VECTOR(10), VECTOR(11), VECTOR(12), VECTOR(13), VECTOR(14),
	VECTOR(15), MXCSR,
};

static const struct row sse_narrow[] = {
	VECTOR(0), VECTOR(1), VECTOR(2), VECTOR(3), VECTOR(4), VECTOR(5), VECTOR(6), VECTOR(7), MXCSR,
};

static const struct row gnu_linux[] = {
	{ "orig_rax", "int64", 64, 0, 0, NO_SYSCALL },
};

static const struct row segments[] = {
	INTEGER("fs_base", sregs.fs.base), INTEGER("gs_base", sregs.gs.base),
};

static const struct row control[] = {
	SYSTEM("k_gs_base", kernel_gs_base),
	SYSTEM("cs_base", sregs.cs.base), SYSTEM("ss_base", sregs.ss.base),
	SYSTEM("ds_base", sregs.ds.base), SYSTEM("es_base", sregs.es.base),
	SYSTEM("gdt_base", sregs.gdt.base), SYSTEM("idt_base", sregs.idt.base),
	SYSTEM("tss_base", sregs.tr.base),
	SYSTEM("cr0", sregs.cr0), SYSTEM("cr2", sregs.cr2), SYSTEM("cr3", sregs.cr3),
	SYSTEM("cr4", sregs.cr4), SYSTEM("cr8", sregs.cr8), SYSTEM("efer", sregs.efer),
};

static const struct row avx[] = {
	UPPER(0), UPPER(1), UPPER(2), UPPER(3), UPPER(4), UPPER(5), UPPER(6), UPPER(7),
	UPPER(8), UPPER(9), UPPER(10), UPPER(11), UPPER(12), UPPER(13), UPPER(14), UPPER(15),
};

static const char core_types[] =
	"<flags id=\"eflags\" size=\"4\">"
	"<field name=\"\" start=\"22\" end=\"31\"/><field name=\"ID\" start=\"21\" end=\"21\"/>"
	"<field name=\"VIP\" start=\"20\" end=\"20\"/><field name=\"VIF\" start=\"19\" end=\"19\"/>"
	"<field name=\"AC\" start=\"18\" end=\"18\"/><field name=\"VM\" start=\"17\" end=\"17\"/>"
	"<field name=\"RF\" start=\"16\" end=\"16\"/><field name=\"NT\" start=\"14\" end=\"14\"/>"
	"<field name=\"OF\" start=\"11\" end=\"11\"/><field name=\"DF\" start=\"10\" end=\"10\"/>"
	"<field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"TF\" start=\"8\" end=\"8\"/>"
	"<field name=\"SF\" start=\"7\" end=\"7\"/><field name=\"ZF\" start=\"6\" end=\"6\"/>"
	"<field name=\"AF\" start=\"4\" end=\"4\"/><field name=\"PF\" start=\"2\" end=\"2\"/>"
	"<field name=\"CF\" start=\"0\" end=\"0\"/></flags>\n";

static const char sse_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
	"<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
	"<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
	"<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
	"<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
	"<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
	"<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>\n"
	"<flags id=\"mxcsr\" size=\"4\"><field name=\"IE\" start=\"0\" end=\"0\"/>"
	"<field name=\"DE\" start=\"1\" end=\"1\"/><field name=\"ZE\" start=\"2\" end=\"2\"/>"
	"<field name=\"OE\" start=\"3\" end=\"3\"/><field name=\"UE\" start=\"4\" end=\"4\"/>"
	"<field name=\"PE\" start=\"5\" end=\"5\"/><field name=\"DAZ\" start=\"6\" end=\"6\"/>"
	"<field name=\"IM\" start=\"7\" end=\"7\"/><field name=\"DM\" start=\"8\" end=\"8\"/>"
	"<field name=\"ZM\" start=\"9\" end=\"9\"/><field name=\"OM\" start=\"10\" end=\"10\"/>"
	"<field name=\"UM\" start=\"11\" end=\"11\"/><field name=\"PM\" start=\"12\" end=\"12\"/>"
	"<field name=\"FZ\" start=\"15\" end=\"15\"/></flags>\n";

static const struct feature {
	const char *name;
	const char *types;
	const struct row *row;
	unsigned int nr;
} wide[] = {
	{ "org.gnu.gdb.i386.core", core_types, core, ARRAY_SIZE(core) },
	{ "org.gnu.gdb.i386.sse", sse_types, sse, ARRAY_SIZE(sse) },
	{ "org.gnu.gdb.i386.linux", "", gnu_linux, ARRAY_SIZE(gnu_linux) },
	{ "org.gnu.gdb.i386.segments", "", segments, ARRAY_SIZE(segments) },
	{ "org.kvirt.vmrun.system", "", control, ARRAY_SIZE(control) },
	/* The last, so that no other's number depends on it. */
	{ "org.gnu.gdb.i386.avx", "", avx, ARRAY_SIZE(avx) },
};

/* Of a CPU that has no more than 32 bits. */
static const struct feature narrow[] = {
	{ "org.gnu.gdb.i386.core", core_types, core_narrow, ARRAY_SIZE(core_narrow) },
	{ "org.gnu.gdb.i386.sse", sse_types, sse_narrow, ARRAY_SIZE(sse_narrow) },
	{ "org.kvirt.vmrun.system", "", control, ARRAY_SIZE(control) },
	{ "org.gnu.gdb.i386.avx", "", avx, ARRAY_SIZE(sse_narrow) - 1 },
};

static const struct feature *features(const struct gdb_view *view, unsigned int *nr)
{
	*nr = (view->bits ? ARRAY_SIZE(narrow) : ARRAY_SIZE(wide)) - !view->has_avx;
	return view->bits ? narrow : wide;
}

unsigned int gdb_nr_registers(const struct gdb_view *view)
{
	unsigned int nr, i, n = 0;
	const struct feature *feature = features(view, &nr);

	for (i = 0; i < nr; i++)
		n += feature[i].nr;
	return n;
}

static const struct row *find(const struct gdb_view *view, unsigned int n)
{
	const struct feature *feature;
	unsigned int nr;

	for (feature = features(view, &nr); n >= feature->nr; feature++)
		n -= feature->nr;
	return &feature->row[n];
}

unsigned int gdb_register_size(const struct gdb_view *view, unsigned int n)
{
	return find(view, n)->bits / 8;
}

static u64 parts_held(const u8 *xsave)
{
	u64 held;

	memcpy(&held, xsave + XSTATE_BV, sizeof(held));
	return held;
}

int gdb_registers_load(struct gdb_registers *all, struct kvirt_vcpu *vcpu, struct vm_error *err)
{
	if (kvirt_get_regs(vcpu, &all->regs, err) || kvirt_get_sregs(vcpu, &all->sregs, err) ||
	    kvirt_get_xsave(vcpu, all->xsave, err))
		return -1;
	if (kvirt_get_msr(vcpu, MSR_KERNEL_GS_BASE, &all->kernel_gs_base))
		all->kernel_gs_base = 0;
	/* What is not held is zero, whatever lies there. */
	if (!(parts_held(all->xsave) & XSTATE_AVX))
		memset(all->xsave + XSAVE_YMM, 0, YMM_SIZE);
	return 0;
}

int gdb_registers_store(const struct gdb_registers *all, const struct gdb_registers *before,
			struct kvirt_vcpu *vcpu, struct vm_error *err)
{
	u8 xsave[KVIRT_XSAVE_SIZE];
	u64 held;

	if (memcmp(&all->sregs, &before->sregs, sizeof(all->sregs)) &&
	    kvirt_set_sregs(vcpu, &all->sregs, err))
		return -1;
	if (memcmp(&all->regs, &before->regs, sizeof(all->regs)) &&
	    kvirt_set_regs(vcpu, &all->regs, err))
		return -1;
	if (memcmp(all->xsave, before->xsave, sizeof(xsave))) {
		/* A part that is not marked would be as after FNINIT. */
		memcpy(xsave, all->xsave, sizeof(xsave));
		held = parts_held(xsave) | XSTATE_LEGACY;
		if (memcmp(xsave + XSAVE_YMM, before->xsave + XSAVE_YMM, YMM_SIZE))
			held |= XSTATE_AVX;
		memcpy(xsave + XSTATE_BV, &held, sizeof(held));
		if (kvirt_set_xsave(vcpu, xsave, err))
			return -1;
	}
	if (all->kernel_gs_base != before->kernel_gs_base &&
	    kvirt_set_msr(vcpu, MSR_KERNEL_GS_BASE, all->kernel_gs_base))
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "the CPU refuses that k_gs_base");
	return 0;
}

/*
 * The whole tag word from FXSAVE's (SDM vol. 1, 10.5.1.1): for each register 3 is empty, and
 * the rest follows from what is in it: 0 valid, 1 zero, 2 special.
 */
static u16 whole_tags(const u8 *fx)
{
	unsigned int top = fx[FX_FSW + 1] >> 3 & 7, i;
	u16 tags = 0;

	for (i = 0; i < 8; i++) {
		const u8 *st = fx + FX_ST + 16 * ((i - top) & 7);
		u16 exponent = (st[9] << 8 | st[8]) & 0x7fff;
		u64 mantissa;
		u16 tag;

		memcpy(&mantissa, st, sizeof(mantissa));
		if (!(fx[FX_FTW] & BIT(i)))
			tag = 3;
		else if (!exponent && !mantissa)
			tag = 1;
		else if (!exponent || exponent == 0x7fff || !(mantissa >> 63))
			tag = 2;
		else
			tag = 0;
		tags |= tag << 2 * i;
	}
	return tags;
}

void gdb_register_get(const struct gdb_view *view, const struct gdb_registers *all, unsigned int n,
		      u8 *value)
{
	const struct row *row = find(view, n);
	u16 tags;

	memset(value, row->special == NO_SYSCALL ? 0xff : 0, row->bits / 8);
	memcpy(value, (const u8 *)all + row->offset, row->size);
	if (row->special == TAGS) {
		tags = whole_tags(all->xsave);
		memcpy(value, &tags, sizeof(tags));
	}
}

void gdb_register_set(const struct gdb_view *view, struct gdb_registers *all, unsigned int n,
		      const u8 *value)
{
	const struct row *row = find(view, n);
	u8 *to = (u8 *)all + row->offset;
	unsigned int i;

	if (row->special != TAGS) {
		memcpy(to, value, row->size);
		return;
	}
	*to = 0;
	for (i = 0; i < 8; i++)
		if ((value[i / 4] >> 2 * (i % 4) & 3) != 3)
			*to |= BIT(i);
}

bool gdb_describe(const struct gdb_view *view, struct gdb_window *window)
{
	/* gdb has no Linux of 16 bits, and says so. */
	static const char *const architectures[] = {
		[GDB_64_BITS] = "<architecture>i386:x86-64</architecture>\n<osabi>GNU/Linux</osabi>\n",
		[GDB_32_BITS] = "<architecture>i386</architecture>\n<osabi>GNU/Linux</osabi>\n",
		[GDB_16_BITS] = "<architecture>i8086</architecture>\n<osabi>none</osabi>\n",
	};
	const struct feature *feature;
	unsigned int nr, n;
	char line[128];

	feature = features(view, &nr);
	gdb_show(window, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n");
	gdb_show(window, architectures[view->bits]);
	for (; nr; nr--, feature++) {
		snprintf(line, sizeof(line), "<feature name=\"%s\">\n", feature->name);
		gdb_show(window, line);
		gdb_show(window, feature->types);
		for (n = 0; n < feature->nr; n++) {
			snprintf(line, sizeof(line), "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>\n",
				 feature->row[n].name, feature->row[n].bits, feature->row[n].type);
			gdb_show(window, line);
		}
		gdb_show(window, "</feature>\n");
	}
	gdb_show(window, "</target>\n");
	return window->more;
}

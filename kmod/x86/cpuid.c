// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID. First half: the list a guest may be offered, by one table of bits that kvirt can
 * serve. Second half: a vCPU's own table: finding an entry, the answer to the instruction,
 * and what the table allows elsewhere.
 */
#include "cpuid.h"

#define BASIC_MAX	0x1f
#define EXTENDED	0x80000000
#define EXTENDED_MAX	0x80000021
#define PV_SIGNATURE	0x40000000
#define PV_FEATURES	0x40000001

enum reg { EAX, EBX, ECX, EDX };

/* Conditions under which a bit of the table holds. */
enum when { ALWAYS, IF_PKU, IF_RDTSCP, IF_INVPCID, IF_SPEC, IF_XSAVE, IF_AVX,
	    IF_AVX512, IF_LA57, NR_WHEN };

/*
 * Feature bits that a guest is offered where the host has them, a leaf's register to a row.
 * What is missing is missing for a reason: VMX, SVM, SMX, MONITOR, PMU, DS, PT, SGX, RDT,
 * AMX, CET, MPX, WAITPKG, XSAVES, LWP, IBS, SEV need what kvirt does not switch or emulate;
 * TSC_DEADLINE is user space's to add (KVM_CAP_TSC_DEADLINE_TIMER).
 */
static const struct {
	u32 leaf;
	u8 subleaf, reg, when;
	u32 bits;
} offered[] = {
	/* SSE3 PCLMUL SSSE3 CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND */
	{ 0x1, 0, ECX, ALWAYS, 0x42da2203 },
	{ 0x1, 0, ECX, IF_XSAVE, BIT(26) },
	{ 0x1, 0, ECX, IF_AVX, 0x30001000 },	/* FMA AVX F16C */
	/* FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 */
	/* CLFSH MMX FXSR SSE SSE2 SS */
	{ 0x1, 0, EDX, ALWAYS, 0x0f8bfbff },
	/* FSGSBASE TSC_ADJUST BMI1 HLE FDP_EXCPTN SMEP BMI2 ERMS RTM ZERO_FCS */
	/* RDSEED ADX SMAP CLFLUSHOPT CLWB SHA */
	{ 0x7, 0, EBX, ALWAYS, 0x219c2bdb },
	{ 0x7, 0, EBX, IF_INVPCID, BIT(10) },
	{ 0x7, 0, EBX, IF_AVX, BIT(5) },	/* AVX2 */
	{ 0x7, 0, EBX, IF_AVX512, 0xdc230000 },	/* F DQ IFMA PF ER CD BW VL */
	{ 0x7, 0, ECX, ALWAYS, 0x1a000104 },	/* UMIP GFNI CLDEMOTE MOVDIRI MOVDIR64B */
	{ 0x7, 0, ECX, IF_PKU, BIT(3) },
	{ 0x7, 0, ECX, IF_RDTSCP, BIT(22) },	/* RDPID */
	{ 0x7, 0, ECX, IF_LA57, BIT(16) },
	{ 0x7, 0, ECX, IF_AVX, 0x00000600 },	/* VAES VPCLMULQDQ */
	{ 0x7, 0, ECX, IF_AVX512, 0x00005842 },	/* VBMI VBMI2 VNNI BITALG VPOPCNTDQ */
	{ 0x7, 0, EDX, ALWAYS, 0x00014410 },	/* FSRM MD_CLEAR SERIALIZE TSXLDTRK */
	{ 0x7, 0, EDX, IF_AVX512, 0x0080010c },	/* 4VNNIW 4FMAPS VP2INTERSECT FP16 */
	{ 0x7, 0, EDX, IF_SPEC, 0xbc000000 },	/* IBRS/IBPB STIBP FLUSH_L1D ARCH_CAP SSBD */
	{ 0x7, 1, EAX, ALWAYS, 0x00001c00 },	/* FZRM FSRS FSRC */
	{ 0x7, 1, EAX, IF_AVX, 0x00800010 },	/* VNNI IFMA */
	{ 0x7, 1, EAX, IF_AVX512, 0x00000020 },	/* BF16 */
	{ 0x7, 1, EDX, IF_AVX, 0x00000030 },	/* VNNI_INT8 NE_CONVERT */
	{ 0xd, 1, EAX, ALWAYS, 0x00000007 },	/* XSAVEOPT XSAVEC XGETBV1 */
	/* LAHF CMP_LEGACY CR8_LEGACY ABM SSE4A MISALIGNSSE PREFETCH OSVW XOP FMA4 TBM TOPOEXT */
	{ 0x80000001, 0, ECX, ALWAYS, 0x006003f3 },
	{ 0x80000001, 0, ECX, IF_AVX, 0x00010800 },
	/* the bits of leaf 1 that AMD repeats, SYSCALL NX MMXEXT FXSR_OPT PDPE1GB LM 3DNOW */
	{ 0x80000001, 0, EDX, ALWAYS, 0xe7d3fbff },
	{ 0x80000001, 0, EDX, IF_RDTSCP, BIT(27) },
	{ 0x80000007, 0, EDX, ALWAYS, BIT(8) },	/* invariant TSC */
	{ 0x80000008, 0, EBX, ALWAYS, 0x00000205 },	/* CLZERO XSAVEERPTR WBNOINVD */
	{ 0x80000008, 0, EBX, IF_SPEC, 0x1502d000 },	/* IBPB IBRS STIBP(_ON) SSBD SSB_NO PSFD */
	{ 0x80000021, 0, EAX, ALWAYS, 0x00000044 },	/* LFENCE_RDTSC NULL_SEL_CLR_BASE */
};

/* Leaves that pass as the host has them: caches, brand string. All others not named are zero. */
static bool passes(u32 leaf)
{
	switch (leaf) {
	case 0x4: case 0x80000002: case 0x80000003: case 0x80000004: case 0x80000005:
	case 0x80000006: case 0x80000019: case 0x8000001a: case 0x8000001d:
		return true;
	}
	return false;
}

static bool has_subleaves(u32 leaf)
{
	return leaf == 0x4 || leaf == 0x7 || leaf == 0xb || leaf == 0xd || leaf == 0x1f ||
	       leaf == 0x8000001d;
}

/* Scratch fields of the entry carry what the walk has learned. */
bool x86_cpuid_next(struct x86_cpuid_entry *e)
{
	u32 leaf = e->leaf, subleaf = e->subleaf, last = e->reserved[0], last_sub = 0;

	if (leaf == 0)
		last = e->eax < BASIC_MAX ? e->eax : BASIC_MAX;
	else if (leaf == EXTENDED)
		last = e->eax >= EXTENDED && e->eax < EXTENDED_MAX ? e->eax : EXTENDED_MAX;

	if (leaf == 0x4 || leaf == 0x8000001d)
		last_sub = (e->eax & 0x1f) ? 15 : 0;
	else if (leaf == 0x7)
		last_sub = subleaf ? e->reserved[1] : e->eax < 2 ? e->eax : 2;
	else if (leaf == 0xd)
		last_sub = 63;

	/* An extended range that is not there answers below its own number. */
	if (leaf == EXTENDED && e->eax < EXTENDED)
		return false;
	if (subleaf < last_sub) {
		subleaf++;
	} else {
		subleaf = 0;
		if (leaf == last) {
			if (leaf >= EXTENDED)
				return false;
			leaf = EXTENDED;
		} else {
			leaf++;
		}
	}
	*e = (struct x86_cpuid_entry){ .leaf = leaf, .subleaf = subleaf };
	e->reserved[0] = last;
	e->reserved[1] = last_sub;
	return true;
}

struct list {
	const struct x86_cpuid_policy *policy;
	struct x86_cpuid_entry *out;
	unsigned int n, max;
	bool when[NR_WHEN];
};

static const struct x86_cpuid_entry *host_entry(const struct x86_cpuid_policy *policy, u32 leaf,
						u32 subleaf)
{
	unsigned int i;

	for (i = 0; i < policy->nr_host; i++)
		if (policy->host[i].leaf == leaf && policy->host[i].subleaf == subleaf)
			return &policy->host[i];
	return NULL;
}

static u32 *reg_of(struct x86_cpuid_entry *e, enum reg reg)
{
	u32 *regs[] = { &e->eax, &e->ebx, &e->ecx, &e->edx };

	return regs[reg];
}

/* Bits of @host that the table offers. */
static u32 offer(const struct list *l, const struct x86_cpuid_entry *host, enum reg reg)
{
	struct x86_cpuid_entry copy = *host;
	u32 bits = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offered); i++)
		if (offered[i].leaf == host->leaf && offered[i].subleaf == host->subleaf &&
		    offered[i].reg == reg && l->when[offered[i].when])
			bits |= offered[i].bits;
	return bits & *reg_of(&copy, reg);
}

static struct x86_cpuid_entry *append(struct list *l, u32 leaf, u32 subleaf)
{
	static const struct x86_cpuid_entry none;
	struct x86_cpuid_entry *e;

	/* Count on when it is full; the caller compares at the end. */
	e = &l->out[l->n < l->max ? l->n : l->max - 1];
	l->n++;
	*e = none;
	e->leaf = leaf;
	e->subleaf = subleaf;
	e->flags = has_subleaves(leaf) ? X86_CPUID_SUBLEAF : 0;
	return e;
}

/* XSAVE components: only those the guest can turn on. */
static void append_xsave(struct list *l)
{
	const struct x86_cpuid_policy *policy = l->policy;
	const struct x86_cpuid_entry *host;
	struct x86_cpuid_entry *e;
	u32 size = 576, end, i;

	e = append(l, 0xd, 0);
	if (!policy->xcr0)
		return;
	e->eax = policy->xcr0;
	e->edx = policy->xcr0 >> 32;
	for (i = 2; i < 63; i++) {
		host = policy->xcr0 & BIT_ULL(i) ? host_entry(policy, 0xd, i) : NULL;
		end = host ? host->ebx + host->eax : 0;
		if (end > size)
			size = end;
	}
	e->ebx = size;
	e->ecx = size;

	e = append(l, 0xd, 1);
	host = host_entry(policy, 0xd, 1);
	if (host)
		e->eax = offer(l, host, EAX);
	e->ebx = e->eax & BIT(1) ? size : 0;	/* live: x86_cpuid() gives the current one */
	for (i = 2; i < 63; i++) {
		host = policy->xcr0 & BIT_ULL(i) ? host_entry(policy, 0xd, i) : NULL;
		if (!host)
			continue;
		e = append(l, 0xd, i);
		e->eax = host->eax;
		e->ebx = host->ebx;
		e->ecx = host->ecx & BIT(1);	/* alignment in the compacted form */
	}
}

/* Subleaves of a leaf that passes; caches end with one of type 0. */
static void append_passing(struct list *l, u32 leaf)
{
	const struct x86_cpuid_entry *host;
	struct x86_cpuid_entry *e;
	u32 subleaf = 0;

	do {
		host = host_entry(l->policy, leaf, subleaf);
		e = append(l, leaf, subleaf);
		if (!host)
			return;
		e->eax = host->eax;
		e->ebx = host->ebx;
		e->ecx = host->ecx;
		e->edx = host->edx;
	} while (has_subleaves(leaf) && (host->eax & 0x1f) && subleaf++ < 15);
}

/* What a leaf has beside feature bits. */
static void complete(const struct list *l, const struct x86_cpuid_entry *host,
		     struct x86_cpuid_entry *e)
{
	switch (host->leaf) {
	case 0x0: case EXTENDED:
		e->eax = host->leaf ? EXTENDED_MAX : BASIC_MAX;
		if (host->eax < e->eax)
			e->eax = host->eax;
		e->ebx = host->ebx;
		e->ecx = host->ecx;
		e->edx = host->edx;
		break;
	case 0x1:
		e->eax = host->eax;
		e->ebx = host->ebx & 0xff00;			/* CLFLUSH line size */
		e->ecx |= BIT(21) | BIT(31);			/* x2APIC is emulated, hypervisor */
		break;
	case 0x2:		/* a single call is enough, whatever the host wants */
		e->eax = (host->eax & ~0xffU) | 1;
		e->ebx = host->ebx;
		e->ecx = host->ecx;
		e->edx = host->edx;
		break;
	case 0x6:
		e->eax = BIT(2);				/* the APIC timer never stops */
		break;
	case 0x7:
		if (host->subleaf == 0) {
			e->eax = host->eax < 1 ? host->eax : 1;
			e->ebx |= BIT(1);			/* TSC_ADJUST is emulated */
		}
		break;
	case 0x80000001:
		e->eax = host->eax;
		e->ebx = host->ebx & ~0x0fff0000U;
		break;
	case 0x80000008:
		/* What nested tables cannot translate is no address. */
		e->eax = l->policy->maxphyaddr < l->policy->nested_bits ?
			 l->policy->maxphyaddr : l->policy->nested_bits;
		e->eax |= l->policy->nested_bits == 57 ? host->eax & 0xff00 : 48 << 8;
		break;
	}
}

static void append_leaf(struct list *l, u32 leaf)
{
	const struct x86_cpuid_entry *host;
	struct x86_cpuid_entry *e;
	u32 subleaf = 0, last = 0;

	if (leaf == 0xd) {
		append_xsave(l);
		return;
	}
	if (passes(leaf)) {
		append_passing(l, leaf);
		return;
	}
	do {
		host = host_entry(l->policy, leaf, subleaf);
		e = append(l, leaf, subleaf);
		if (!host)
			return;
		e->eax = offer(l, host, EAX);
		e->ebx = offer(l, host, EBX);
		e->ecx = offer(l, host, ECX);
		e->edx = offer(l, host, EDX);
		complete(l, host, e);
		if (leaf == 0x7 && subleaf == 0)
			last = e->eax;
	} while (subleaf++ < last);
}

static void append_pv(struct list *l)
{
	struct x86_cpuid_entry *e = append(l, PV_SIGNATURE, 0);

	e->eax = PV_FEATURES;
	e->ebx = 0x4b4d564b;		/* "KVMKVMKVM" */
	e->ecx = 0x564b4d56;
	e->edx = 0x4d;
	e = append(l, PV_FEATURES, 0);
	e->eax = l->policy->pv_features;
}

int x86_cpuid_supported(const struct x86_cpuid_policy *policy, struct x86_cpuid_entry *out,
			unsigned int max)
{
	struct list l = { .policy = policy, .out = out, .max = max };
	const struct x86_cpuid_entry *host;
	u32 leaf, last;

	if (!max)
		return -E2BIG;
	l.when[ALWAYS] = true;
	l.when[IF_PKU] = policy->pku;
	l.when[IF_RDTSCP] = policy->rdtscp;
	l.when[IF_INVPCID] = policy->invpcid;
	l.when[IF_SPEC] = policy->spec_ctrl;
	l.when[IF_XSAVE] = policy->xcr0;
	l.when[IF_AVX] = policy->xcr0 & BIT(2);
	l.when[IF_AVX512] = (policy->xcr0 & 0xe0) == 0xe0;
	l.when[IF_LA57] = policy->nested_bits == 57;

	host = host_entry(policy, 0, 0);
	last = host && host->eax < BASIC_MAX ? host->eax : BASIC_MAX;
	for (leaf = 0; leaf <= last; leaf++)
		append_leaf(&l, leaf);
	append_pv(&l);
	host = host_entry(policy, EXTENDED, 0);
	last = host && host->eax < EXTENDED_MAX ? host->eax : EXTENDED_MAX;
	for (leaf = EXTENDED; host && leaf <= last; leaf++)
		append_leaf(&l, leaf);
	return l.n > max ? -E2BIG : (int)l.n;
}

/* Position of a leaf in the direct index, or -1: then it is searched. */
static int index_of(u32 leaf)
{
	if (leaf < 0x20)
		return leaf;
	if (leaf - EXTENDED < 0x20)
		return 0x20 + (leaf - EXTENDED);
	if (leaf - PV_SIGNATURE < 0x10)
		return 0x40 + (leaf - PV_SIGNATURE);
	return -1;
}

/* The first position in order[] whose leaf is not below @leaf. */
static unsigned int lower_bound(const struct x86_cpuid *t, u32 leaf)
{
	unsigned int low = 0, high = t->n, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (t->entry[t->order[middle]].leaf < leaf)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct x86_cpuid_entry *x86_cpuid_find(const struct x86_cpuid *t, u32 leaf, u32 subleaf)
{
	const struct x86_cpuid_entry *e;
	int direct = index_of(leaf);
	unsigned int i;

	/* Several entries of a leaf: the first that fits, in user space's order. */
	for (i = direct >= 0 ? t->first[direct] : lower_bound(t, leaf); i < t->n; i++) {
		e = &t->entry[t->order[i]];
		if (e->leaf != leaf)
			break;
		if (!(e->flags & X86_CPUID_SUBLEAF) || e->subleaf == subleaf)
			return e;
	}
	return NULL;
}

/*
 * Intel answers a leaf above its range's end with the highest basic leaf; AMD, and a leaf
 * that is missing within the range, with zeros.
 */
static const struct x86_cpuid_entry *out_of_range(const struct x86_cpuid *t, u32 leaf,
						  u32 subleaf)
{
	const struct x86_cpuid_entry *basic = x86_cpuid_find(t, 0, 0), *range;
	u32 base = leaf & EXTENDED;

	if (!basic || basic->ebx == 0x68747541 || basic->ebx == 0x6f677948)	/* Auth, Hygo */
		return NULL;
	if (leaf >> 28 == PV_SIGNATURE >> 28)
		base = leaf & 0xffffff00;
	else if (leaf >= 0xc0000000)
		base = 0xc0000000;
	range = base ? x86_cpuid_find(t, base, 0) : basic;
	if (range && leaf <= range->eax)
		return NULL;
	return x86_cpuid_find(t, basic->eax, subleaf);
}

/* Bytes that XSAVE, or XSAVEC, needs for the components of @xcr0. */
static u32 xsave_size(const struct x86_cpuid *t, u64 xcr0, bool compacted)
{
	const struct x86_cpuid_entry *e;
	u32 size = 576, offset, i;

	for (i = 2; i < 63; i++) {
		e = xcr0 & BIT_ULL(i) ? x86_cpuid_find(t, 0xd, i) : NULL;
		if (!e)
			continue;
		offset = e->ebx;
		if (compacted)
			offset = e->ecx & BIT(1) ? (size + 63) & ~63U : size;
		if (offset + e->eax > size)
			size = offset + e->eax;
	}
	return size;
}

static void set_bit_if(u32 *reg, u32 bit, bool on)
{
	*reg = on ? *reg | bit : *reg & ~bit;
}

void x86_cpuid(const struct x86_cpuid *t, const struct x86_cpuid_live *live, u32 leaf,
	       u32 subleaf, u32 regs[4])
{
	const struct x86_cpuid_entry *e = x86_cpuid_find(t, leaf, subleaf);

	if (!e)
		e = out_of_range(t, leaf, subleaf);
	if (!e) {
		memset(regs, 0, 4 * sizeof(u32));
		/* Topology: levels that do not exist still name the level and the x2APIC id. */
		e = leaf == 0xb || leaf == 0x1f ? x86_cpuid_find(t, leaf, 1) : NULL;
		if (e) {
			regs[ECX] = subleaf & 0xff;
			regs[EDX] = e->edx;
		}
		return;
	}
	regs[EAX] = e->eax;
	regs[EBX] = e->ebx;
	regs[ECX] = e->ecx;
	regs[EDX] = e->edx;

	switch (e->leaf) {
	case 0x1:
		set_bit_if(&regs[ECX], BIT(27), live->cr4 & X86_CR4_OSXSAVE);
		set_bit_if(&regs[EDX], BIT(9), live->apic_base & BIT(11));
		break;
	case 0x7:
		if (e->subleaf == 0)
			set_bit_if(&regs[ECX], BIT(4), live->cr4 & X86_CR4_PKE);
		break;
	case 0xd:
		if (e->subleaf == 0)
			regs[EBX] = xsave_size(t, live->xcr0, false);
		else if (e->subleaf == 1 && (e->eax & (BIT(1) | BIT(3))))
			regs[EBX] = xsave_size(t, live->xcr0, true);
		break;
	}
}

/* Each row: this bit of a leaf's register gives these X86_HAS_ bits and CR4 bits. */
static const struct {
	u32 leaf;
	u8 reg, bit;
	u64 has, cr4;
} meanings[] = {
	{ 0x1, ECX, 17, X86_HAS_PCID, X86_CR4_PCIDE },
	{ 0x1, ECX, 21, X86_HAS_X2APIC, 0 },
	{ 0x1, ECX, 24, X86_HAS_TSC_DEADLINE, 0 },
	{ 0x1, ECX, 26, X86_HAS_XSAVE, X86_CR4_OSXSAVE },
	{ 0x1, EDX, 7, X86_HAS_MCE, 0 },
	{ 0x1, EDX, 9, X86_HAS_APIC, 0 },
	{ 0x1, EDX, 11, X86_HAS_SEP, 0 },
	{ 0x1, EDX, 12, X86_HAS_MTRR, 0 },
	{ 0x1, EDX, 14, X86_HAS_MCE, 0 },
	{ 0x1, EDX, 16, X86_HAS_PAT, 0 },
	{ 0x7, EBX, 0, 0, X86_CR4_FSGSBASE },
	{ 0x7, EBX, 1, X86_HAS_TSC_ADJUST, 0 },
	{ 0x7, EBX, 7, 0, X86_CR4_SMEP },
	{ 0x7, EBX, 11, X86_HAS_RTM, 0 },
	{ 0x7, EBX, 20, 0, X86_CR4_SMAP },
	{ 0x7, ECX, 2, 0, X86_CR4_UMIP },
	{ 0x7, ECX, 3, X86_HAS_PKU, X86_CR4_PKE },
	{ 0x7, ECX, 16, X86_HAS_LA57, X86_CR4_LA57 },
	{ 0x7, ECX, 22, X86_HAS_TSC_AUX, 0 },
	{ 0x7, EDX, 26, X86_HAS_SPEC_CTRL | X86_HAS_IBRS | X86_HAS_PRED_CMD, 0 },
	{ 0x7, EDX, 27, X86_HAS_SPEC_CTRL | X86_HAS_STIBP, 0 },
	{ 0x7, EDX, 28, X86_HAS_FLUSH_CMD, 0 },
	{ 0x7, EDX, 29, X86_HAS_ARCH_CAP, 0 },
	{ 0x7, EDX, 31, X86_HAS_SPEC_CTRL | X86_HAS_SSBD, 0 },
	{ 0x80000001, ECX, 9, X86_HAS_OSVW, 0 },
	{ 0x80000001, EDX, 11, X86_HAS_SYSCALL, 0 },
	{ 0x80000001, EDX, 20, X86_HAS_NX, 0 },
	{ 0x80000001, EDX, 25, X86_HAS_FXSR_OPT, 0 },
	{ 0x80000001, EDX, 26, X86_HAS_GBPAGES, 0 },
	{ 0x80000001, EDX, 27, X86_HAS_TSC_AUX, 0 },
	{ 0x80000001, EDX, 29, X86_HAS_LM, 0 },
	{ 0x80000008, EBX, 12, X86_HAS_PRED_CMD, 0 },
	{ 0x80000008, EBX, 14, X86_HAS_SPEC_CTRL | X86_HAS_IBRS, 0 },
	{ 0x80000008, EBX, 15, X86_HAS_SPEC_CTRL | X86_HAS_STIBP, 0 },
	{ 0x80000008, EBX, 24, X86_HAS_SPEC_CTRL | X86_HAS_SSBD, 0 },
	{ 0x80000008, EBX, 28, X86_HAS_SPEC_CTRL | X86_HAS_PSFD, 0 },
};

/* Leaf PV_FEATURES, EAX. */
static const struct {
	u8 bit;
	u64 has;
} pv_meanings[] = {
	{ 0, X86_HAS_PV_CLOCK },
	{ 3, X86_HAS_PV_CLOCK2 },
	{ 4, X86_HAS_PV_ASYNC_PF },
	{ 5, X86_HAS_PV_STEAL_TIME },
	{ 6, X86_HAS_PV_EOI },
	{ 12, X86_HAS_PV_POLL },
	{ 14, X86_HAS_PV_ASYNC_PF_INT },
};

#define CR4_ALWAYS	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE | \
			 X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE | \
			 X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

/* Stable, so that the first of equal leaves stays first; the input is nearly sorted. */
static void sort(struct x86_cpuid *t)
{
	unsigned int i, j;
	int direct;

	for (i = 0; i < t->n; i++) {
		for (j = i; j && t->entry[t->order[j - 1]].leaf > t->entry[i].leaf; j--)
			t->order[j] = t->order[j - 1];
		t->order[j] = i;
	}
	for (i = 0; i < ARRAY_SIZE(t->first); i++)
		t->first[i] = t->n;
	for (i = t->n; i-- > 0;) {
		direct = index_of(t->entry[t->order[i]].leaf);
		if (direct >= 0)
			t->first[direct] = i;
	}
}

static void read_pv(const struct x86_cpuid *t, struct x86_guest_features *f)
{
	const struct x86_cpuid_entry *e;
	unsigned int i;

	/* The signature moves up in steps of 0x100 when Hyper-V's is there too. */
	for (i = 0; i < t->n; i++) {
		e = &t->entry[i];
		if (e->leaf >> 16 == PV_SIGNATURE >> 16 && !(e->leaf & 0xff) &&
		    e->ebx == 0x4b4d564b && e->ecx == 0x564b4d56 && e->edx == 0x4d)
			break;
	}
	if (i == t->n)
		return;
	f->has |= X86_HAS_KVM;
	e = x86_cpuid_find(t, e->leaf | 1, 0);
	f->pv_features = e ? e->eax : 0;
	for (i = 0; i < ARRAY_SIZE(pv_meanings); i++)
		if (f->pv_features & BIT(pv_meanings[i].bit))
			f->has |= pv_meanings[i].has;
}

static void read_features(const struct x86_cpuid *t, struct x86_guest_features *f)
{
	const struct x86_cpuid_entry *e = x86_cpuid_find(t, 0, 0);
	struct x86_cpuid_entry copy;
	unsigned int i;

	f->has = e && (e->ebx == 0x68747541 || e->ebx == 0x6f677948) ? X86_HAS_AMD :
								       X86_HAS_INTEL;
	for (i = 0; i < ARRAY_SIZE(meanings); i++) {
		e = x86_cpuid_find(t, meanings[i].leaf, 0);
		if (!e)
			continue;
		copy = *e;
		if (!(*reg_of(&copy, meanings[i].reg) & BIT(meanings[i].bit)))
			continue;
		f->has |= meanings[i].has;
		f->cr4_allowed |= meanings[i].cr4;
	}
	read_pv(t, f);

	e = x86_cpuid_find(t, 1, 0);
	f->signature = e ? e->eax : 0x600;
	e = x86_cpuid_find(t, EXTENDED, 0);
	e = e && e->eax >= 0x80000008 ? x86_cpuid_find(t, 0x80000008, 0) : NULL;
	f->maxphyaddr = e ? e->eax & 0xff : 36;
	if (f->maxphyaddr < 32)
		f->maxphyaddr = 32;
	if (f->maxphyaddr > 52)
		f->maxphyaddr = 52;
	e = x86_cpuid_find(t, 0xd, 0);
	f->xcr0_allowed = e ? e->eax | (u64)e->edx << 32 : 0;
}

void x86_cpuid_set(struct x86_cpuid *t, unsigned int n, struct x86_guest_features *f,
		   u64 host_cr4, u64 host_efer, u64 host_xcr0)
{
	t->n = n;
	sort(t);
	memset(f, 0, sizeof(*f));
	f->cr4_allowed = CR4_ALWAYS;
	read_features(t, f);

	f->efer_allowed = X86_EFER_SCE_BIT;
	if (f->has & X86_HAS_LM)
		f->efer_allowed |= X86_EFER_LME_BIT | X86_EFER_LMA_BIT;
	if (f->has & X86_HAS_NX)
		f->efer_allowed |= X86_EFER_NX_BIT;
	if (f->has & X86_HAS_FXSR_OPT)
		f->efer_allowed |= X86_EFER_FFXSR_BIT;
	if (!n) {	/* nothing said yet: as far as the host goes */
		f->cr4_allowed = ~0ULL;
		f->efer_allowed = ~0ULL;
	}
	f->cr4_allowed &= host_cr4;
	f->efer_allowed &= host_efer;
	f->xcr0_allowed = (f->xcr0_allowed & host_xcr0) | 1;

	if (f->has & X86_HAS_IBRS)	/* STIBP may be set wherever IBRS exists */
		f->spec_ctrl_allowed |= BIT_ULL(0) | BIT_ULL(1);
	if (f->has & X86_HAS_STIBP)
		f->spec_ctrl_allowed |= BIT_ULL(1);
	if (f->has & X86_HAS_SSBD)
		f->spec_ctrl_allowed |= BIT_ULL(2);
	if (f->has & X86_HAS_PSFD)
		f->spec_ctrl_allowed |= BIT_ULL(7);
	f->phys_reserved = ~0ULL << f->maxphyaddr;
	f->linear_bits = f->cr4_allowed & X86_CR4_LA57 ? 57 : 48;
	f->dr6_fixed = X86_DR6_FIXED;
	if (f->has & X86_HAS_RTM)
		f->dr6_fixed &= ~BIT_ULL(16);
}

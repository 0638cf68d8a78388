// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID. First half: the list a guest may be offered, by one table of bits that kvirt can serve.
 * Second half: a vCPU's own table: finding an entry, the answer to the instruction, and what the
 * table allows elsewhere.
 */
#include "cpuid.h"

#define BASIC_MAX	0x1fU
#define EXTENDED	0x80000000
#define EXTENDED_MAX	0x80000021
#define PV_SIGNATURE	0x40000000
#define PV_FEATURES	0x40000001
#define PV_EBX		0x4b4d564b	/* "KVMKVMKVM" */
#define PV_ECX		0x564b4d56
#define PV_EDX		0x4d

enum reg { EAX, EBX, ECX, EDX };

/* What a bit of the table needs: components of XCR0, and what the back end says. */
enum needs {
	ALWAYS = 0, IF_XSAVE = BIT(0), IF_AVX = BIT(2), IF_AVX512 = 0xe0,
	IF_RDTSCP = BIT(8), IF_INVPCID = BIT(9), IF_SPEC = BIT(10), IF_LA57 = BIT(11),
};

/*
 * Feature bits that a guest is offered where the host has them, a leaf's register to a row.
 * What is missing is missing for a reason: VMX, SVM, SMX, MONITOR, PMU, DS, PT, SGX, RDT,
 * AMX, CET, MPX, PKU, WAITPKG, XSAVES, LWP, IBS, SEV need what kvirt does not switch or emulate;
 * TSC_DEADLINE is user space's to add (KVM_CAP_TSC_DEADLINE_TIMER).
 */
static const struct {
	u32 leaf;
	u8 subleaf, reg;
	u16 needs;
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

static bool has_subleaves(u32 leaf)
{
	return leaf == 0x4 || leaf == 0x7 || leaf == 0xb || leaf == 0xd || leaf == 0x1f ||
	       leaf == 0x8000001d;
}

/* The last leaf that is looked at, of the range that @e begins. */
static u32 range_end(const struct x86_cpuid_entry *e)
{
	return min(e->eax, e->leaf ? EXTENDED_MAX : BASIC_MAX);
}

/* There is more to look at behind @e in its leaf. */
static bool more_subleaves(const struct x86_cpuid_entry *e)
{
	if (e->leaf == 0x4 || e->leaf == 0x8000001d)	/* caches, until one of type 0 */
		return (e->eax & 0x1f) && e->subleaf < 15;
	return e->leaf == 0x7 ? e->eax && !e->subleaf : e->leaf == 0xd && e->subleaf < 63;
}

/* The end of the range lies in a scratch field of the entry. */
bool x86_cpuid_next(struct x86_cpuid_entry *e)
{
	u32 last = e->leaf & ~EXTENDED ? e->reserved[0] : range_end(e);
	u32 leaf = e->leaf, subleaf = 0;

	if (more_subleaves(e))
		subleaf = e->subleaf + 1;
	else if (leaf < last)
		leaf++;
	else if (leaf < EXTENDED)
		leaf = EXTENDED;
	else
		return false;
	*e = (struct x86_cpuid_entry){ .leaf = leaf, .subleaf = subleaf, .reserved = { last } };
	return true;
}

struct list {
	const struct x86_cpuid_policy *policy;
	struct x86_cpuid_entry *out;
	unsigned int n;
	u32 have;		/* of enum needs */
};

static struct x86_cpuid_entry *append(struct list *l, u32 leaf, u32 subleaf)
{
	/* Count on when it is full; the caller compares at the end. */
	struct x86_cpuid_entry *e = &l->out[min(l->n, X86_CPUID_MAX - 1U)];

	l->n++;
	*e = (struct x86_cpuid_entry){ .leaf = leaf, .subleaf = subleaf };
	e->flags = has_subleaves(leaf) ? X86_CPUID_SUBLEAF : 0;
	return e;
}

/* Append what @host has and the table offers. */
static struct x86_cpuid_entry *append_offered(struct list *l, const struct x86_cpuid_entry *host)
{
	struct x86_cpuid_entry *e = append(l, host->leaf, host->subleaf);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offered); i++)
		if (offered[i].leaf == host->leaf && offered[i].subleaf == host->subleaf &&
		    !(offered[i].needs & ~l->have))
			e->regs[offered[i].reg] |= offered[i].bits & host->regs[offered[i].reg];
	return e;
}

/* XSAVE components: only those the guest can turn on. @host: subleaf 0, the others follow it. */
static void append_xsave(struct list *l, const struct x86_cpuid_entry *host)
{
	struct x86_cpuid_entry *e, *all = append(l, 0xd, 0), *compacted;
	u64 xcr0 = l->policy->xcr0;
	u32 size = 576, i;

	if (!xcr0)
		return;
	compacted = append_offered(l, &host[1]);
	for (i = 2; i < 63; i++) {
		if (!(xcr0 & BIT_ULL(i)))
			continue;
		e = append(l, 0xd, i);
		e->eax = host[i].eax;
		e->ebx = host[i].ebx;
		e->ecx = host[i].ecx & BIT(1);	/* alignment in the compacted form */
		size = max(size, e->ebx + e->eax);
	}
	all->eax = xcr0;
	all->edx = xcr0 >> 32;
	all->ebx = size;		/* live: x86_cpuid() gives the current one */
	all->ecx = size;
	compacted->ebx = compacted->eax & BIT(1) ? size : 0;
}

/* What a leaf has beside feature bits; leaves that are named nowhere are zero. */
static void complete(const struct x86_cpuid_policy *policy, const struct x86_cpuid_entry *host,
		     struct x86_cpuid_entry *e)
{
	switch (host->leaf) {
	case 0x0: case 0x2: case 0x4: case EXTENDED: case 0x80000002: case 0x80000003:
	case 0x80000004: case 0x80000005: case 0x80000006: case 0x80000019: case 0x8000001a:
	case 0x8000001d:
		memcpy(e->regs, host->regs, sizeof(e->regs));	/* caches, brand string */
		if (host->leaf == 0x2)	/* a single call is enough, whatever the host wants */
			e->eax = (host->eax & ~0xffU) | 1;
		else if (!(host->leaf & ~EXTENDED))
			e->eax = range_end(host);
		break;
	case 0x1:
		e->eax = host->eax;
		e->ebx = host->ebx & 0xff00;			/* CLFLUSH line size */
		e->ecx |= BIT(21) | BIT(31);			/* x2APIC is emulated, hypervisor */
		break;
	case 0x6:
		e->eax = BIT(2);				/* the APIC timer never stops */
		break;
	case 0x7:
		if (host->subleaf == 0) {
			e->eax = min(host->eax, 1U);
			e->ebx |= BIT(1);			/* TSC_ADJUST is emulated */
		}
		break;
	case 0x80000001:
		e->eax = host->eax;
		e->ebx = host->ebx & ~0x0fff0000U;
		break;
	case 0x80000008:	/* what nested tables cannot translate is no address */
		e->eax = min(policy->maxphyaddr, policy->nested_bits);
		e->eax |= policy->nested_bits == 57 ? host->eax & 0xff00 : 48 << 8;
		break;
	}
}

static void append_pv(struct list *l)
{
	static const u32 signature[] = { PV_FEATURES, PV_EBX, PV_ECX, PV_EDX };

	memcpy(append(l, PV_SIGNATURE, 0)->regs, signature, sizeof(signature));
	append(l, PV_FEATURES, 0)->eax = l->policy->pv_features;
}

int x86_cpuid_supported(const struct x86_cpuid_policy *policy, struct x86_cpuid_entry *out)
{
	const struct x86_cpuid_entry *host = policy->host, *end = host + policy->nr_host;
	struct list l = { .policy = policy, .out = out };

	l.have = (policy->xcr0 & 0xff) | (policy->rdtscp ? IF_RDTSCP : 0) |
		 (policy->invpcid ? IF_INVPCID : 0) | (policy->spec_ctrl ? IF_SPEC : 0) |
		 (policy->nested_bits == 57 ? IF_LA57 : 0);
	for (; host < end; host++) {
		if (host->leaf == EXTENDED)
			append_pv(&l);
		if (host->leaf != 0xd)
			complete(policy, host, append_offered(&l, host));
		else if (!host->subleaf)
			append_xsave(&l, host);
	}
	return l.n > X86_CPUID_MAX ? -E2BIG : (int)l.n;
}

/* Basic, hypervisor and extended leaves in use lie apart. */
static unsigned int bucket(u32 leaf)
{
	return (leaf ^ leaf >> 26) % X86_CPUID_BUCKETS;
}

const struct x86_cpuid_entry *x86_cpuid_find(const struct x86_cpuid *t, u32 leaf, u32 subleaf)
{
	const struct x86_cpuid_entry *e;
	unsigned int i;

	for (i = t->first[bucket(leaf)]; i < t->n; i = t->next[i]) {
		e = &t->entry[i];
		if (e->leaf == leaf && (!(e->flags & X86_CPUID_SUBLEAF) || e->subleaf == subleaf))
			return e;
	}
	return NULL;
}

static bool is_amd(const struct x86_cpuid_entry *basic)
{
	return basic->ebx == 0x68747541 || basic->ebx == 0x6f677948;	/* Auth, Hygo */
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

	if (!basic || is_amd(basic))
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
		size = max(size, offset + e->eax);
	}
	return size;
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
	memcpy(regs, e->regs, sizeof(e->regs));
	x86_cpuid_follow(t, live, e, regs);
}

void x86_cpuid_follow(const struct x86_cpuid *t, const struct x86_cpuid_live *live,
		      const struct x86_cpuid_entry *e, u32 regs[4])
{
	switch (e->leaf) {
	case 0x1:
		set_bits_if(&regs[ECX], BIT(27), live->cr4 & X86_CR4_OSXSAVE);
		set_bits_if(&regs[EDX], BIT(9), live->apic_base & BIT(11));
		if (live->misc_enable)
			set_bits_if(&regs[ECX], BIT(3), *live->misc_enable & BIT(18));
		break;
	case 0x7:
		if (e->subleaf == 0)
			set_bits_if(&regs[ECX], BIT(4), live->cr4 & X86_CR4_PKE);
		break;
	case 0xd:
		if (e->subleaf == 0)
			regs[EBX] = xsave_size(t, live->xcr0, false);
		else if (e->subleaf == 1 && (e->eax & (BIT(1) | BIT(3))))
			regs[EBX] = xsave_size(t, live->xcr0, true);
		break;
	}
}

/* What a bit of a leaf's register gives: X86_HAS_, and bits of CR4, EFER, SPEC_CTRL. */
#define HAS(leaf, reg, bit, name) { leaf, reg, bit, .has = X86_HAS_##name }
#define CR4(leaf, reg, bit, name) { leaf, reg, bit, .cr4 = X86_CR4_##name }
#define SPEC(leaf, reg, bit, bits) { leaf, reg, bit, .has = X86_HAS_SPEC_CTRL, .spec = bits }
static const struct {
	u32 leaf;
	u8 reg, bit, spec;
	u64 has, cr4, efer;
} meanings[] = {
	CR4(0x1, ECX, 17, PCIDE),		HAS(0x1, ECX, 21, X2APIC),
	HAS(0x1, ECX, 24, TSC_DEADLINE),	CR4(0x1, ECX, 26, OSXSAVE),
	HAS(0x1, EDX, 7, MCE),			HAS(0x1, EDX, 9, APIC),
	HAS(0x1, EDX, 14, MCE),			CR4(0x7, EBX, 0, FSGSBASE),
	HAS(0x7, EBX, 1, TSC_ADJUST),		CR4(0x7, EBX, 7, SMEP),
	HAS(0x7, EBX, 11, RTM),			CR4(0x7, EBX, 20, SMAP),
	CR4(0x7, ECX, 2, UMIP),			CR4(0x7, ECX, 3, PKE),
	CR4(0x7, ECX, 16, LA57),		HAS(0x7, ECX, 22, TSC_AUX),
	/* STIBP may be set wherever IBRS exists. */
	SPEC(0x7, EDX, 26, BIT(0) | BIT(1)),	HAS(0x7, EDX, 26, PRED_CMD),
	SPEC(0x7, EDX, 27, BIT(1)),		SPEC(0x7, EDX, 31, BIT(2)),
	HAS(0x7, EDX, 28, FLUSH_CMD),		HAS(0x7, EDX, 29, ARCH_CAP),
	HAS(0x80000001, ECX, 9, OSVW),		HAS(0x80000001, EDX, 26, GBPAGES),
	HAS(0x80000001, EDX, 27, TSC_AUX),	{ 0x80000001, EDX, 20, .efer = X86_EFER_NX_BIT },
	{ 0x80000001, EDX, 25, .efer = X86_EFER_FFXSR_BIT },
	{ 0x80000001, EDX, 29, .has = X86_HAS_LM, .efer = X86_EFER_LME_BIT | X86_EFER_LMA_BIT },
	SPEC(0x80000008, EBX, 14, BIT(0) | BIT(1)), SPEC(0x80000008, EBX, 15, BIT(1)),
	SPEC(0x80000008, EBX, 24, BIT(2)),	SPEC(0x80000008, EBX, 28, BIT(7)),
	HAS(0x80000008, EBX, 12, PRED_CMD),
	HAS(PV_FEATURES, EAX, 0, PV_CLOCK),	HAS(PV_FEATURES, EAX, 3, PV_CLOCK2),
	HAS(PV_FEATURES, EAX, 4, PV_ASYNC_PF),	HAS(PV_FEATURES, EAX, 5, PV_STEAL_TIME),
	HAS(PV_FEATURES, EAX, 6, PV_EOI),	HAS(PV_FEATURES, EAX, 12, PV_POLL),
	HAS(PV_FEATURES, EAX, 14, PV_ASYNC_PF_INT),
};

#define CR4_ALWAYS	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE | \
			 X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE | \
			 X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

/* The leaf with PV features: they move up in steps of 0x100 when Hyper-V's are there too. */
static const struct x86_cpuid_entry *find_pv(const struct x86_cpuid *t)
{
	const struct x86_cpuid_entry *e;

	for (e = t->entry; e < t->entry + t->n; e++)
		if (e->leaf >> 16 == PV_SIGNATURE >> 16 && !(e->leaf & 0xff) &&
		    e->ebx == PV_EBX && e->ecx == PV_ECX && e->edx == PV_EDX)
			return x86_cpuid_find(t, e->leaf | 1, 0);
	return NULL;
}

void x86_cpuid_set(struct x86_cpuid *t, unsigned int n, struct x86_guest_features *f,
		   u64 host_cr4, u64 host_efer, u64 host_xcr0)
{
	const struct x86_cpuid_entry *e, *pv;
	unsigned int i;
	u32 leaf;

	/* From the last to the first: of several that fit, user space's first one is found. */
	t->n = n;
	memset(t->first, 0xff, sizeof(t->first));
	for (i = n; i-- > 0;) {
		t->next[i] = t->first[bucket(t->entry[i].leaf)];
		t->first[bucket(t->entry[i].leaf)] = i;
	}

	e = x86_cpuid_find(t, 0, 0);
	pv = find_pv(t);
	*f = (struct x86_guest_features) {
		.has = e && is_amd(e) ? X86_HAS_AMD : X86_HAS_INTEL,
		/* Nothing said yet: as far as the host goes. */
		.cr4_allowed = n ? CR4_ALWAYS : ~0ULL,
		.efer_allowed = n ? X86_EFER_SCE_BIT : ~0ULL,
		.pv_features = pv ? pv->eax : 0,
	};
	for (i = 0; i < ARRAY_SIZE(meanings); i++) {
		leaf = meanings[i].leaf;
		if (!i || meanings[i - 1].leaf != leaf)
			e = leaf == PV_FEATURES ? pv : x86_cpuid_find(t, leaf, 0);
		if (!e || !(e->regs[meanings[i].reg] & BIT(meanings[i].bit)))
			continue;
		f->has |= meanings[i].has;
		f->cr4_allowed |= meanings[i].cr4;
		f->efer_allowed |= meanings[i].efer;
		f->spec_ctrl_allowed |= meanings[i].spec;
	}
	f->cr4_allowed &= host_cr4 | CR4_ALWAYS;
	f->efer_allowed &= host_efer;

	e = x86_cpuid_find(t, 1, 0);
	f->signature = e ? e->eax : 0x600;
	e = x86_cpuid_find(t, EXTENDED, 0);
	e = e && e->eax >= 0x80000008 ? x86_cpuid_find(t, 0x80000008, 0) : NULL;
	f->maxphyaddr = clamp(e ? e->eax & 0xff : 36, 32U, 52U);
	e = x86_cpuid_find(t, 0xd, 0);
	f->xcr0_allowed = ((e ? e->eax | (u64)e->edx << 32 : 0) & host_xcr0) | 1;
	f->phys_reserved = ~0ULL << f->maxphyaddr;
	f->linear_bits = f->cr4_allowed & X86_CR4_LA57 ? 57 : 48;
	f->dr6_fixed = f->has & X86_HAS_RTM ? X86_DR6_FIXED & ~BIT_ULL(16) : X86_DR6_FIXED;
}

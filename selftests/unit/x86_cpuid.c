// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID: what is offered against what this machine and a made-up AMD one have, the lookup
 * against a linear search, and the rules of leaves out of range.
 */
#include <cpuid.h>
#include <string.h>

#include "../../kmod/x86/cpuid.h"
#include "../lib/ktap.h"

static u64 seed = 0xda3e39cb94b95bdb;

static u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dULL;
}

static struct x86_cpuid_entry host[X86_CPUID_MAX], out[X86_CPUID_MAX];
static unsigned int nr_host;

static void snapshot(void)
{
	struct x86_cpuid_entry e = { 0 };

	nr_host = 0;
	do {
		__cpuid_count(e.leaf, e.subleaf, e.eax, e.ebx, e.ecx, e.edx);
		ASSERT(nr_host < X86_CPUID_MAX);
		host[nr_host++] = e;
	} while (x86_cpuid_next(&e));
}

/* A machine that has everything: all bits of all leaves. */
static void snapshot_full(const char *vendor)
{
	struct x86_cpuid_entry e = { 0 };

	nr_host = 0;
	do {
		e.eax = e.ebx = e.ecx = e.edx = ~0u;
		if (e.leaf == 0) {
			e.eax = 0x20;
			memcpy(&e.ebx, vendor, 4);
			memcpy(&e.edx, vendor + 4, 4);
			memcpy(&e.ecx, vendor + 8, 4);
		} else if (e.leaf == 0x80000000) {
			e.eax = 0x80000028;
		} else if ((e.leaf == 4 || e.leaf == 0x8000001d) && e.subleaf == 4) {
			e.eax = 0;
		} else if (e.leaf == 7 && e.subleaf == 0) {
			e.eax = 2;
		} else if (e.leaf == 0xd && e.subleaf >= 2) {
			e.eax = 64;
			e.ebx = 576 + 64 * (e.subleaf - 2);
			e.ecx = 0;
		}
		host[nr_host++] = e;
	} while (nr_host < X86_CPUID_MAX && x86_cpuid_next(&e));
}

static struct x86_cpuid_policy full_policy(void)
{
	return (struct x86_cpuid_policy){
		.host = host, .nr_host = nr_host, .xcr0 = 0x2e7, .pv_features = 0x01000009,
		.maxphyaddr = 46, .nested_bits = 57, .rdtscp = true, .invpcid = true,
		.spec_ctrl = true,
	};
}

static const struct x86_cpuid_entry *search(const struct x86_cpuid_entry *list, unsigned int n,
					    u32 leaf, u32 subleaf)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (list[i].leaf == leaf &&
		    (!(list[i].flags & X86_CPUID_SUBLEAF) || list[i].subleaf == subleaf))
			return &list[i];
	return NULL;
}

/* Feature bits by name: offered from a machine that has all, or never. */
enum { A, B, C, D };

static const struct {
	const char *name;
	u32 leaf;
	u8 subleaf, reg, bit;
	bool offered;
} bits[] = {
	{ "PCLMULQDQ", 1, 0, C, 1, true }, { "DTES64", 1, 0, C, 2, false },
	{ "MONITOR", 1, 0, C, 3, false }, { "VMX", 1, 0, C, 5, false },
	{ "SMX", 1, 0, C, 6, false }, { "EST", 1, 0, C, 7, false }, { "FMA", 1, 0, C, 12, true },
	{ "CX16", 1, 0, C, 13, true }, { "PDCM", 1, 0, C, 15, false },
	{ "PCID", 1, 0, C, 17, true }, { "x2APIC", 1, 0, C, 21, true },
	{ "TSC_DEADLINE", 1, 0, C, 24, false }, { "XSAVE", 1, 0, C, 26, true },
	{ "OSXSAVE", 1, 0, C, 27, false }, { "AVX", 1, 0, C, 28, true },
	{ "RDRAND", 1, 0, C, 30, true }, { "HYPERVISOR", 1, 0, C, 31, true },
	{ "MCE", 1, 0, D, 7, true }, { "APIC", 1, 0, D, 9, true }, { "SEP", 1, 0, D, 11, true },
	{ "MTRR", 1, 0, D, 12, true }, { "MCA", 1, 0, D, 14, true }, { "PAT", 1, 0, D, 16, true },
	{ "PSN", 1, 0, D, 18, false }, { "DS", 1, 0, D, 21, false }, { "ACPI", 1, 0, D, 22, false },
	{ "SSE2", 1, 0, D, 26, true }, { "HTT", 1, 0, D, 28, false }, { "TM", 1, 0, D, 29, false },
	{ "FSGSBASE", 7, 0, B, 0, true }, { "TSC_ADJUST", 7, 0, B, 1, true },
	{ "SGX", 7, 0, B, 2, false }, { "SMEP", 7, 0, B, 7, true }, { "INVPCID", 7, 0, B, 10, true },
	{ "RDT_M", 7, 0, B, 12, false }, { "MPX", 7, 0, B, 14, false },
	{ "RDT_A", 7, 0, B, 15, false }, { "AVX512F", 7, 0, B, 16, true },
	{ "SMAP", 7, 0, B, 20, true }, { "PT", 7, 0, B, 25, false },
	{ "AVX512VL", 7, 0, B, 31, true }, { "UMIP", 7, 0, C, 2, true }, { "PKU", 7, 0, C, 3, false },
	{ "OSPKE", 7, 0, C, 4, false }, { "WAITPKG", 7, 0, C, 5, false },
	{ "CET_SS", 7, 0, C, 7, false }, { "LA57", 7, 0, C, 16, true }, { "RDPID", 7, 0, C, 22, true },
	{ "KL", 7, 0, C, 23, false }, { "BUS_LOCK", 7, 0, C, 24, false },
	{ "ENQCMD", 7, 0, C, 29, false }, { "SGX_LC", 7, 0, C, 30, false },
	{ "PKS", 7, 0, C, 31, false }, { "UINTR", 7, 0, D, 5, false },
	{ "ARCH_LBR", 7, 0, D, 19, false }, { "CET_IBT", 7, 0, D, 20, false },
	{ "AMX_BF16", 7, 0, D, 22, false }, { "AMX_TILE", 7, 0, D, 24, false },
	{ "SPEC_CTRL", 7, 0, D, 26, true }, { "ARCH_CAP", 7, 0, D, 29, true },
	{ "CORE_CAP", 7, 0, D, 30, false }, { "SSBD", 7, 0, D, 31, true },
	{ "AVX_VNNI", 7, 1, A, 4, true }, { "FRED", 7, 1, A, 17, false },
	{ "LAM", 7, 1, A, 26, false }, { "XSAVEOPT", 0xd, 1, A, 0, true },
	{ "XSAVEC", 0xd, 1, A, 1, true }, { "XSAVES", 0xd, 1, A, 3, false },
	{ "XFD", 0xd, 1, A, 4, false }, { "SVM", 0x80000001, 0, C, 2, false },
	{ "EXTAPIC", 0x80000001, 0, C, 3, false }, { "IBS", 0x80000001, 0, C, 10, false },
	{ "SKINIT", 0x80000001, 0, C, 12, false }, { "WDT", 0x80000001, 0, C, 13, false },
	{ "LWP", 0x80000001, 0, C, 15, false }, { "PERFCTR", 0x80000001, 0, C, 23, false },
	{ "MWAITX", 0x80000001, 0, C, 29, false }, { "SYSCALL", 0x80000001, 0, D, 11, true },
	{ "NX", 0x80000001, 0, D, 20, true }, { "MMXEXT", 0x80000001, 0, D, 22, true },
	{ "PDPE1GB", 0x80000001, 0, D, 26, true }, { "RDTSCP", 0x80000001, 0, D, 27, true },
	{ "LM", 0x80000001, 0, D, 29, true }, { "INVTSC", 0x80000007, 0, D, 8, true },
	{ "IRPERF", 0x80000008, 0, B, 1, false }, { "RDPRU", 0x80000008, 0, B, 4, false },
	{ "AMD_IBPB", 0x80000008, 0, B, 12, true }, { "VIRT_SSBD", 0x80000008, 0, B, 25, false },
	{ "LFENCE", 0x80000021, 0, A, 2, true }, { "AUTOIBRS", 0x80000021, 0, A, 8, false },
};

static u32 get(const struct x86_cpuid_entry *e, unsigned int reg)
{
	return (const u32[]){ e->eax, e->ebx, e->ecx, e->edx }[reg];
}

static void offers_by_name(void)
{
	struct x86_cpuid_policy policy;
	const struct x86_cpuid_entry *e;
	unsigned int i, n;

	snapshot_full("GenuineIntel");
	policy = full_policy();
	n = x86_cpuid_supported(&policy, out);
	ASSERT(n > 40 && n <= X86_CPUID_MAX);
	for (i = 0; i < COUNT(bits); i++) {
		e = search(out, n, bits[i].leaf, bits[i].subleaf);
		if (!e || !!(get(e, bits[i].reg) & (1u << bits[i].bit)) != bits[i].offered)
			test_fail(__FILE__, __LINE__, "%s should%s be offered", bits[i].name,
				  bits[i].offered ? "" : " not");
	}
	/* Leaves of what is not there are all zero. */
	static const u32 zero[] = { 5, 9, 0xa, 0xb, 0xf, 0x10, 0x12, 0x14, 0x19, 0x1d, 0x1e, 0x1f,
				    0x8000000a, 0x8000001b, 0x8000001c, 0x8000001f, 0x80000020 };
	for (i = 0; i < COUNT(zero); i++) {
		e = search(out, n, zero[i], 0);
		if (!e || e->eax || e->ebx || e->ecx || e->edx)
			test_fail(__FILE__, __LINE__, "leaf %x is not zero", zero[i]);
	}
	e = search(out, n, 0x40000000, 0);
	ASSERT(e);
	EXPECT_EQ(e->eax, 0x40000001);
	EXPECT(!memcmp(&e->ebx, "KVMKVMKVM\0\0\0", 12));
	EXPECT_EQ(search(out, n, 0x40000001, 0)->eax, 0x01000009);
	EXPECT_EQ(search(out, n, 0, 0)->eax, 0x1f);
	EXPECT_EQ(search(out, n, 0x80000000, 0)->eax, 0x80000021);
	EXPECT_EQ(search(out, n, 0x80000008, 0)->eax & 0xff, 46);
	EXPECT_EQ(search(out, n, 0xd, 0)->eax, 0x2e7);
	EXPECT(!search(out, n, 0xd, 3) && !search(out, n, 0xd, 17));	/* MPX, AMX */
	EXPECT_EQ(search(out, n, 0xd, 0)->ecx, 576 + 64 * 8);		/* up to PKRU */

	/* Conditions of the policy. */
	policy.rdtscp = policy.invpcid = policy.spec_ctrl = false;
	policy.xcr0 = 3;
	policy.nested_bits = 48;
	policy.maxphyaddr = 52;
	n = x86_cpuid_supported(&policy, out);
	EXPECT_EQ(search(out, n, 1, 0)->ecx & (1u << 28 | 1u << 12 | 1u << 29), 0);
	EXPECT_EQ(search(out, n, 7, 0)->ebx & (1u << 5 | 1u << 10 | 1u << 16 | 1u << 31), 0);
	EXPECT_EQ(search(out, n, 7, 0)->ecx & (1u << 3 | 1u << 16 | 1u << 22), 0);
	EXPECT_EQ(search(out, n, 7, 0)->edx & (1u << 26 | 1u << 27 | 1u << 31), 0);
	EXPECT_EQ(search(out, n, 0x80000001, 0)->edx & 1u << 27, 0);
	EXPECT_EQ(search(out, n, 0x80000008, 0)->ebx & 1u << 12, 0);
	EXPECT_EQ(search(out, n, 0x80000008, 0)->eax, 0x3030);
	EXPECT_EQ(search(out, n, 0xd, 0)->eax, 3);
	EXPECT_EQ(search(out, n, 0xd, 0)->ebx, 576);
	policy.xcr0 = 0;
	n = x86_cpuid_supported(&policy, out);
	EXPECT_EQ(search(out, n, 1, 0)->ecx & 1u << 26, 0);

	/* As many as there is room for, with the two leaves of PV; and one more. */
	memset(host, 0, sizeof(host));
	host[0].leaf = 0x80000000;
	policy.nr_host = X86_CPUID_MAX - 2;
	EXPECT_EQ(x86_cpuid_supported(&policy, out), X86_CPUID_MAX);
	policy.nr_host++;
	EXPECT_EQ(x86_cpuid_supported(&policy, out), -E2BIG);
	policy.nr_host++;
	EXPECT_EQ(x86_cpuid_supported(&policy, out), -E2BIG);
}

/* From a real machine: nothing is offered that it does not have, but what is emulated. */
static void offers_of_this_machine(void)
{
	struct x86_cpuid_policy policy;
	const struct x86_cpuid_entry *h;
	unsigned int i, n, reg, extra;

	snapshot();
	test_note("%u leaves", nr_host);
	policy = full_policy();
	policy.xcr0 = (search(host, nr_host, 0xd, 0) ? search(host, nr_host, 0xd, 0)->eax : 0) & 0x2e7;
	n = x86_cpuid_supported(&policy, out);
	ASSERT(n > 20 && n <= X86_CPUID_MAX);
	for (i = 0; i < n; i++) {
		if (i && out[i].leaf == out[i - 1].leaf)
			EXPECT(out[i].subleaf > out[i - 1].subleaf);
		else if (i)
			EXPECT(out[i].leaf > out[i - 1].leaf);
		if (out[i].leaf != 1 && out[i].leaf != 7 && out[i].leaf != 0x80000001)
			continue;
		for (h = host; h->leaf != out[i].leaf || h->subleaf != out[i].subleaf; h++)
			;
		for (reg = out[i].leaf == 7 && out[i].subleaf ? A : B; reg <= D; reg++) {
			extra = get(&out[i], reg) & ~get(h, reg);
			if (out[i].leaf == 1 && reg == C)
				extra &= ~(1u << 21 | 1u << 31);
			if (out[i].leaf == 7 && reg == B)
				extra &= ~(1u << 1);
			if (extra)
				test_fail(__FILE__, __LINE__, "leaf %x.%u register %u: %#x", out[i].leaf,
					  out[i].subleaf, reg, extra);
		}
	}
}

static struct x86_cpuid table;

static void finds_as_a_search_does(void)
{
	static const u32 leaves[] = { 0, 1, 2, 4, 7, 0xb, 0xd, 0x1f, 0x20, 0x21, 0x40000000, 0x4000000f,
				      0x40000010, 0x40000100, 0x80000000, 0x8000001f, 0x80000020,
				      0x80000021, 0xc0000000, 0xffffffff };
	struct x86_guest_features f;
	unsigned int round, i, n;
	u32 leaf, subleaf;

	for (round = 0; round < 3000; round++) {
		n = random64() % (X86_CPUID_MAX + 1);
		if (round % 2)
			n %= 40;
		for (i = 0; i < n; i++) {
			memset(&table.entry[i], 0, sizeof(table.entry[i]));
			table.entry[i].leaf = leaves[random64() % COUNT(leaves)];
			table.entry[i].subleaf = random64() % 6;
			table.entry[i].flags = random64() & 1;
			table.entry[i].eax = i;
		}
		x86_cpuid_set(&table, n, &f, ~0ULL, ~0ULL, ~0ULL);
		for (i = 0; i < 200; i++) {
			leaf = leaves[random64() % COUNT(leaves)] + random64() % 2;
			subleaf = random64() % 7;
			if (x86_cpuid_find(&table, leaf, subleaf) !=
			    search(table.entry, n, leaf, subleaf))
				test_fail(__FILE__, __LINE__, "leaf %x.%u of %u entries", leaf, subleaf, n);
		}
	}
}

static const struct x86_cpuid_live live = { .xcr0 = 7, .apic_base = 1 << 11 };

static void out_of_range(void)
{
	struct x86_cpuid_entry intel[] = {
		{ .leaf = 0, .eax = 0xb, .ebx = 0x756e6547 }, { .leaf = 1, .eax = 1 },
		{ .leaf = 0xb, .subleaf = 0, .flags = 1, .eax = 1, .edx = 77 },
		{ .leaf = 0xb, .subleaf = 1, .flags = 1, .eax = 2, .edx = 77 },
		{ .leaf = 0x40000000, .eax = 0x40000001 }, { .leaf = 0x40000001, .eax = 3 },
		{ .leaf = 0x80000000, .eax = 0x80000008 },
	};
	struct x86_guest_features f;
	u32 r[4];

	memcpy(table.entry, intel, sizeof(intel));
	x86_cpuid_set(&table, COUNT(intel), &f, ~0ULL, ~0ULL, ~0ULL);
	x86_cpuid(&table, &live, 0xb, 1, r);
	EXPECT_EQ(r[0], 2);
	x86_cpuid(&table, &live, 0xb, 0x305, r);	/* a level that is not there */
	EXPECT(r[0] == 0 && r[1] == 0 && r[2] == 5 && r[3] == 77);
	x86_cpuid(&table, &live, 0x1000, 1, r);		/* beyond: the highest basic leaf */
	EXPECT_EQ(r[0], 2);
	x86_cpuid(&table, &live, 0x80000009, 0, r);
	EXPECT_EQ(r[0], 1);
	x86_cpuid(&table, &live, 0x40000002, 0, r);
	EXPECT_EQ(r[0], 1);
	x86_cpuid(&table, &live, 0xc0000000, 0, r);
	EXPECT_EQ(r[0], 1);
	x86_cpuid(&table, &live, 5, 0, r);		/* within the range: zeros */
	EXPECT_EQ(r[0] | r[1] | r[2] | r[3], 0);
	x86_cpuid(&table, &live, 0x80000001, 0, r);
	EXPECT_EQ(r[0] | r[1] | r[2] | r[3], 0);
	x86_cpuid(&table, &live, 0x80000008, 0, r);	/* its last one, too */
	EXPECT_EQ(r[0] | r[1] | r[2] | r[3], 0);

	table.entry[0].ebx = 0x68747541;		/* AMD */
	x86_cpuid_set(&table, COUNT(intel), &f, ~0ULL, ~0ULL, ~0ULL);
	EXPECT(f.has & X86_HAS_AMD);
	x86_cpuid(&table, &live, 0x1000, 0, r);
	EXPECT_EQ(r[0] | r[1] | r[2] | r[3], 0);
	x86_cpuid(&table, &live, 0x80000009, 0, r);
	EXPECT_EQ(r[0] | r[1] | r[2] | r[3], 0);

	x86_cpuid_set(&table, 0, &f, 0x1234, 0x500, ~0ULL);	/* an empty table */
	x86_cpuid(&table, &live, 0, 0, r);
	EXPECT_EQ(r[0] | r[1] | r[2] | r[3], 0);
	EXPECT_EQ(f.cr4_allowed, 0x1234 | 0x7ff);	/* VME to OSXMMEXCPT: any CPU's */
	EXPECT_EQ(f.efer_allowed, 0x500);
	EXPECT_EQ(f.xcr0_allowed, 1);
	EXPECT_EQ(f.maxphyaddr, 36);
}

static void live_bits(void)
{
	struct x86_cpuid_entry e[] = {
		{ .leaf = 0, .eax = 0xd }, { .leaf = 1, .ecx = 1u << 26, .edx = 1 << 9 },
		{ .leaf = 7, .flags = 1, .ecx = 1 << 3 },
		{ .leaf = 7, .flags = 1, .subleaf = 1, .ecx = 0 },
		{ .leaf = 0xd, .flags = 1, .eax = 0x2e7 },
		{ .leaf = 0xd, .flags = 1, .subleaf = 1, .eax = 2 },
		{ .leaf = 0xd, .flags = 1, .subleaf = 2, .eax = 256, .ebx = 576 },
		{ .leaf = 0xd, .flags = 1, .subleaf = 5, .eax = 64, .ebx = 1088 },
		{ .leaf = 0xd, .flags = 1, .subleaf = 6, .eax = 512, .ebx = 1152 },
		{ .leaf = 0xd, .flags = 1, .subleaf = 7, .eax = 1024, .ebx = 1664 },
		{ .leaf = 0xd, .flags = 1, .subleaf = 9, .eax = 8, .ebx = 2688, .ecx = 2 },
	};
	struct x86_cpuid_live l = { .cr4 = 0, .xcr0 = 1, .apic_base = 0 };
	u64 misc_enable = 1 << 18;
	struct x86_guest_features f;
	u32 r[4];

	memcpy(table.entry, e, sizeof(e));
	x86_cpuid_set(&table, COUNT(e), &f, ~0ULL, ~0ULL, 0x2e7);
	EXPECT_EQ(f.xcr0_allowed, 0x2e7);
	x86_cpuid(&table, &l, 1, 0, r);
	EXPECT_EQ(r[2], 1u << 26);
	EXPECT_EQ(r[3], 0);
	l.cr4 = X86_CR4_OSXSAVE | X86_CR4_PKE;
	l.apic_base = 0xfee00800;
	x86_cpuid(&table, &l, 1, 0, r);
	EXPECT_EQ(r[2], 3u << 26);
	EXPECT_EQ(r[3], 1 << 9);
	l.misc_enable = &misc_enable;
	x86_cpuid(&table, &l, 1, 0, r);
	EXPECT_EQ(r[2], 3u << 26 | 1 << 3);
	misc_enable = ~(1ull << 18);
	x86_cpuid(&table, &l, 1, 0, r);
	EXPECT_EQ(r[2], 3u << 26);
	x86_cpuid(&table, &l, 7, 0, r);
	EXPECT_EQ(r[2], 3 << 3);
	x86_cpuid(&table, &l, 7, 1, r);
	EXPECT_EQ(r[2], 0);
	x86_cpuid(&table, &l, 0xd, 0, r);
	EXPECT_EQ(r[1], 576);
	l.xcr0 = 7;
	x86_cpuid(&table, &l, 0xd, 0, r);
	EXPECT_EQ(r[1], 832);
	l.xcr0 = 0x2e7;
	x86_cpuid(&table, &l, 0xd, 0, r);
	EXPECT_EQ(r[1], 2696);
	x86_cpuid(&table, &l, 0xd, 1, r);
	EXPECT_EQ(r[1], 576 + 256 + 64 + 512 + 1024 + 8);
	l.xcr0 = 0x207;
	x86_cpuid(&table, &l, 0xd, 1, r);
	EXPECT_EQ(r[1], 832 + 8);
	table.entry[6].eax = 250;			/* PKRU's alignment shows */
	x86_cpuid(&table, &l, 0xd, 1, r);
	EXPECT_EQ(r[1], 832 + 8);
}

static void features(void)
{
	struct x86_cpuid_policy policy;
	struct x86_guest_features f;
	unsigned int n;

	snapshot_full("AuthenticAMD");
	policy = full_policy();
	n = x86_cpuid_supported(&policy, table.entry);
	x86_cpuid_set(&table, n, &f, ~0ULL & ~X86_CR4_VMXE, ~0ULL, 0x2e7);
	EXPECT(f.has & X86_HAS_AMD);
	EXPECT(!(f.has & X86_HAS_TSC_DEADLINE));
	EXPECT((f.has & X86_HAS_PV_CLOCK) && (f.has & X86_HAS_PV_CLOCK2));
	EXPECT(!(f.has & X86_HAS_PV_EOI));
	EXPECT_EQ(f.cr4_allowed, 0x371fff);
	EXPECT_EQ(f.efer_allowed, X86_EFER_SCE_BIT | X86_EFER_LME_BIT | X86_EFER_LMA_BIT |
		  X86_EFER_NX_BIT | X86_EFER_FFXSR_BIT);
	EXPECT_EQ(f.spec_ctrl_allowed, 0x87);
	EXPECT_EQ(f.maxphyaddr, 46);
	EXPECT_EQ(f.phys_reserved, ~0ULL << 46);
	EXPECT_EQ(f.linear_bits, 57);
	EXPECT_EQ(f.dr6_fixed, 0xfffe0ff0);

	/* Widths that make no sense are bent, not shifted by. */
	table.entry[0] = (struct x86_cpuid_entry){ .leaf = 0x80000000, .eax = 0x80000008 };
	table.entry[1] = (struct x86_cpuid_entry){ .leaf = 0x80000008, .eax = 0xff };
	x86_cpuid_set(&table, 2, &f, ~0ULL, ~0ULL, ~0ULL);
	EXPECT_EQ(f.maxphyaddr, 52);
	table.entry[1].eax = 0;
	x86_cpuid_set(&table, 2, &f, ~0ULL, ~0ULL, ~0ULL);
	EXPECT_EQ(f.maxphyaddr, 32);
	EXPECT_EQ(f.linear_bits, 48);
	EXPECT_EQ(f.has & X86_HAS_LM, 0);
	EXPECT_EQ(f.efer_allowed, X86_EFER_SCE_BIT);
	EXPECT_EQ(f.dr6_fixed, 0xffff0ff0);
}

static const struct test tests[] = {
	TEST(offers_by_name), TEST(offers_of_this_machine), TEST(finds_as_a_search_does),
	TEST(out_of_range), TEST(live_bits), TEST(features),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

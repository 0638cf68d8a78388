// SPDX-License-Identifier: GPL-2.0
/*
 * The page walk against a reference model: one plain function for each of the four paging
 * modes, over random tables, registers and accesses; and single cases by hand.
 */
#include <string.h>

#include "../../kmod/x86/walk.h"
#include "../lib/ktap.h"

#define ROUNDS	2000000

static u64 seed = 88172645463325252;

static u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dULL;
}

/*
 * Memory without end: what an entry holds follows from its address. Present, writable and
 * user are likely, reserved bits unlikely, so that walks get to their end.
 */
static u64 salt;

static u64 memory(u64 gpa)
{
	u64 x = (gpa ^ salt) * 0x9e3779b97f4a7c15ULL, entry;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 32;
	entry = (x & 0x7800000000000e78ULL) | ((x & 0xff) << 20) | ((x & 0xff00) << 4);
	if ((x >> 16) & 15)
		entry |= 1;
	if ((x >> 20) & 7)
		entry |= 2;
	if ((x >> 23) & 7)
		entry |= 4;
	if (!((x >> 26) & 3))
		entry |= 0x80;
	if (!((x >> 28) & 7))
		entry |= 1ULL << 63;
	if (!((x >> 31) & 15))
		entry |= 1ULL << ((x >> 40) % 52);
	/* A large page's low address bits, all zero or all but one. */
	if ((entry & 0x80) && (x & 0x10000000000)) {
		entry &= ~0x3fffe000ULL;
		if (x & 0x20000000000)
			entry |= 0x2000ULL << ((x >> 42) % 17);
	}
	return entry;
}

static u32 memory32(u64 gpa)
{
	return memory(gpa);
}

/* What of a vCPU decides a walk. */
struct cpu {
	struct x86_state s;
	struct x86_guest_features f;
	enum x86_pdptrs pdptrs;
};

struct outcome {
	enum x86_walk_state state;
	u64 gpa, size;
	u32 error;
	unsigned int n;
	u64 where[5];
	u64 set[5];
};

/* What the manual calls the access's rights, from the paging-structure entries as an array. */
static void judge(struct outcome *o, const u64 *entries, unsigned int first, unsigned int n,
		  u32 access, const struct cpu *r, bool has_nx)
{
	bool user = true, writable = true, nx = false, ok;
	bool wants_write = access & X86_ACCESS_WRITE, is_user = access & X86_ACCESS_USER;
	bool fetch = access & X86_ACCESS_EXEC;
	unsigned int i;

	for (i = first; i < n; i++) {
		user &= !!(entries[i] & 4);
		writable &= !!(entries[i] & 2);
		nx |= has_nx && (entries[i] >> 63);
	}
	if (fetch) {
		if (is_user)
			ok = user && !nx;
		else if (user)
			ok = !(r->s.cr4 & X86_CR4_SMEP) && !nx;
		else
			ok = !nx;
	} else if (is_user) {
		ok = user && (!wants_write || writable);
	} else {
		ok = !wants_write || writable || !(r->s.cr0 & X86_CR0_WP);
		if (user && (r->s.cr4 & X86_CR4_SMAP) && !(r->s.rflags & X86_EFLAGS_AC))
			ok = false;
	}
	if (!ok) {
		o->state = X86_WALK_FAULT;
		o->error |= X86_PFEC_PRESENT;
		return;
	}
	o->state = X86_WALK_DONE;
	for (i = first; i < n; i++)
		o->set[i] = entries[i] & 0x20 ? 0 : 0x20;
	if (wants_write && !(entries[n - 1] & 0x40))
		o->set[n - 1] |= 0x40;
}

static void access_bits(struct outcome *o, u32 access, const struct cpu *r, bool pae)
{
	if (o->state != X86_WALK_FAULT)
		return;
	o->error |= access & X86_ACCESS_WRITE ? X86_PFEC_WRITE : 0;
	o->error |= access & X86_ACCESS_USER ? X86_PFEC_USER : 0;
	if (access & X86_ACCESS_EXEC)
		if ((r->s.cr4 & X86_CR4_SMEP) || (pae && (r->s.efer & X86_EFER_NX_BIT)))
			o->error |= X86_PFEC_INSTR;
}

static struct outcome reserved_fault(struct outcome o)
{
	o.state = X86_WALK_FAULT;
	o.error = X86_PFEC_PRESENT | X86_PFEC_RSVD;
	return o;
}

static struct outcome walk_legacy(u32 linear, u32 access, const struct cpu *r)
{
	struct outcome o = { .state = X86_WALK_FAULT };
	u64 e[2];
	u32 high;

	o.where[o.n++] = (r->s.cr3 & 0xfffff000) + (linear >> 22) * 4;
	e[0] = memory32(o.where[0]);
	if (!(e[0] & 1))
		return o;
	if ((e[0] & 0x80) && (r->s.cr4 & X86_CR4_PSE)) {
		high = (e[0] >> 13) & 0xff;
		if (e[0] & (1 << 21))
			return reserved_fault(o);
		if (r->f.maxphyaddr < 40 && high >> (r->f.maxphyaddr - 32))
			return reserved_fault(o);
		o.size = 4 << 20;
		o.gpa = ((u64)high << 32) | (e[0] & 0xffc00000) | (linear & 0x3fffff);
		judge(&o, e, 0, 1, access, r, false);
		return o;
	}
	o.where[o.n++] = (e[0] & 0xfffff000) + ((linear >> 12) & 0x3ff) * 4;
	e[1] = memory32(o.where[1]);
	if (!(e[1] & 1))
		return o;
	o.size = 4096;
	o.gpa = (e[1] & 0xfffff000) | (linear & 0xfff);
	judge(&o, e, 0, 2, access, r, false);
	return o;
}

static u64 high_bits(unsigned int maxphyaddr, unsigned int last)
{
	u64 mask = 0;
	unsigned int bit;

	for (bit = maxphyaddr; bit <= last; bit++)
		mask |= 1ULL << bit;
	return mask;
}

static struct outcome walk_pae(u32 linear, u32 access, const struct cpu *r)
{
	struct outcome o = { .state = X86_WALK_FAULT };
	u64 e[3], top = high_bits(r->f.maxphyaddr, 62), pdpte;
	bool nx = r->s.efer & X86_EFER_NX_BIT;
	unsigned int first = 0;

	if (r->pdptrs == X86_PDPTRS_IN_MEMORY) {
		o.where[o.n] = (r->s.cr3 & 0xffffffe0) + (linear >> 30) * 8;
		pdpte = memory(o.where[o.n]);
		e[o.n++] = pdpte;
		first = 1;
		if ((pdpte & 1) && (pdpte & (high_bits(r->f.maxphyaddr, 63) | 0x1c6)))
			return reserved_fault(o);
	} else {
		pdpte = r->s.pdptr[linear >> 30];
	}
	if (!(pdpte & 1))
		return o;
	if (!nx)
		top |= 1ULL << 63;
	o.where[o.n] = (pdpte & 0xffffffffff000) + ((linear >> 21) & 511) * 8;
	e[o.n] = memory(o.where[o.n]);
	o.n++;
	if (!(e[o.n - 1] & 1))
		return o;
	if (e[o.n - 1] & 0x80) {
		if (e[o.n - 1] & (top | 0x1fe000))
			return reserved_fault(o);
		o.size = 2 << 20;
		o.gpa = (e[o.n - 1] & 0xfffffffe00000) | (linear & 0x1fffff);
		judge(&o, e, first, o.n, access, r, nx);
		return o;
	}
	if (e[o.n - 1] & top)
		return reserved_fault(o);
	o.where[o.n] = (e[o.n - 1] & 0xffffffffff000) + ((linear >> 12) & 511) * 8;
	e[o.n] = memory(o.where[o.n]);
	o.n++;
	if (!(e[o.n - 1] & 1))
		return o;
	if (e[o.n - 1] & top)
		return reserved_fault(o);
	o.size = 4096;
	o.gpa = (e[o.n - 1] & 0xffffffffff000) | (linear & 0xfff);
	judge(&o, e, first, o.n, access, r, nx);
	return o;
}

static struct outcome walk_long(u64 linear, u32 access, const struct cpu *r)
{
	struct outcome o = { .state = X86_WALK_FAULT };
	bool nx = r->s.efer & X86_EFER_NX_BIT, five = r->s.cr4 & X86_CR4_LA57;
	u64 e[5], top = high_bits(r->f.maxphyaddr, 51), table = r->s.cr3 & 0xffffffffff000, low;
	int level, shift;
	u64 upper = linear >> (five ? 56 : 47), ones = five ? 0xff : 0x1ffff;

	if (upper && upper != ones) {
		o.state = X86_WALK_NONCANONICAL;
		return o;
	}
	if (!nx)
		top |= 1ULL << 63;
	for (level = five ? 5 : 4; level; level--) {
		shift = 12 + 9 * (level - 1);
		o.where[o.n] = table + ((linear >> shift) & 511) * 8;
		e[o.n] = memory(o.where[o.n]);
		o.n++;
		if (!(e[o.n - 1] & 1))
			return o;
		if (e[o.n - 1] & top)
			return reserved_fault(o);
		table = e[o.n - 1] & 0xffffffffff000;
		low = (1ULL << shift) - 1;
		if (level == 1)
			break;
		if (!(e[o.n - 1] & 0x80))
			continue;
		if (level >= 4 || (level == 3 && !(r->f.has & X86_HAS_GBPAGES)))
			return reserved_fault(o);
		if (table & low & ~0x1000ULL)	/* bit 12 is PAT */
			return reserved_fault(o);
		break;
	}
	o.size = low + 1;
	o.gpa = (table & ~low) | (linear & low);
	judge(&o, e, 0, o.n, access, r, nx);
	return o;
}

static struct outcome reference(u64 linear, u32 access, const struct cpu *r)
{
	struct outcome o = { .state = X86_WALK_DONE, .size = 4096 };
	bool pae = r->s.cr4 & X86_CR4_PAE;

	if (!(r->s.efer & X86_EFER_LMA_BIT))
		linear = (u32)linear;
	if (!(r->s.cr0 & X86_CR0_PG)) {
		o.gpa = linear;
		return o;
	}
	if (r->s.efer & X86_EFER_LMA_BIT)
		o = walk_long(linear, access, r);
	else if (pae)
		o = walk_pae(linear, access, r);
	else
		o = walk_legacy(linear, access, r);
	access_bits(&o, access, r, pae);
	return o;
}

static void random_regs(struct cpu *r)
{
	unsigned int i;

	memset(r, 0, sizeof(*r));
	r->s.cr0 = X86_CR0_PE | (random64() % 8 ? X86_CR0_PG : 0) | (random64() & X86_CR0_WP);
	r->s.cr4 = random64() & (X86_CR4_PSE | X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE);
	switch (random64() % 4) {
	case 0:
		break;
	case 1:
		r->s.cr4 |= X86_CR4_PAE;
		break;
	default:
		r->s.cr4 |= X86_CR4_PAE | (random64() & X86_CR4_LA57);
		r->s.efer |= X86_EFER_LME_BIT;
		if (r->s.cr0 & X86_CR0_PG)
			r->s.efer |= X86_EFER_LMA_BIT;
	}
	r->s.efer |= random64() % 4 ? X86_EFER_NX_BIT : 0;
	r->s.cr3 = random64() & 0xffffffffff000;
	r->s.rflags = random64() & X86_EFLAGS_AC;
	r->f.maxphyaddr = 32 + random64() % 21;
	r->f.phys_reserved = ~0ULL << r->f.maxphyaddr;
	r->f.has = random64() % 4 ? X86_HAS_GBPAGES : 0;
	r->pdptrs = random64() % 2 ? X86_PDPTRS_IN_MEMORY : X86_PDPTRS_LOADED;
	r->s.cr3 &= (1ULL << r->f.maxphyaddr) - 1;
	for (i = 0; i < 4; i++)
		r->s.pdptr[i] = memory(random64());
}

static void model(void)
{
	struct cpu regs;
	struct x86_walk w;
	struct outcome want;
	unsigned int round, n, i, seen[4] = { 0 }, bad = 0;
	u64 linear, page_size;
	u32 access;

	for (round = 0; round < ROUNDS && bad < 10; round++) {
		salt = random64();
		random_regs(&regs);
		linear = random64();
		if (random64() % 8)
			linear = (u64)((s64)(linear << 16) >> 16);
		access = random64() & (X86_ACCESS_WRITE | X86_ACCESS_EXEC | X86_ACCESS_USER);
		if (access & X86_ACCESS_EXEC)
			access &= ~X86_ACCESS_WRITE;
		want = reference(linear, access, &regs);

		x86_walk_start(&w, linear, access, &regs.s, &regs.f, regs.pdptrs);
		for (n = 0; w.state == X86_WALK_READ; n++) {
			if (n >= want.n || w.where[n] != want.where[n] || w.where[n] % w.entry_size)
				break;
			x86_walk_feed(&w, w.entry_size == 4 ? memory32(w.where[n]) : memory(w.where[n]));
		}
		page_size = n ? 1ULL << w.shift : 4096;
		seen[w.state]++;
		if (w.state != want.state || n != want.n || w.n != n)
			bad++;
		else if (w.state == X86_WALK_DONE && (w.gpa != want.gpa || page_size != want.size))
			bad++;
		else if (w.state == X86_WALK_FAULT && w.error_code != want.error)
			bad++;
		else if (w.state == X86_WALK_DONE)
			for (i = 0; i < n; i++)
				bad += w.set[i] != want.set[i];
		if (bad)
			test_fail(__FILE__, __LINE__,
				  "linear %llx access %x cr0 %llx cr4 %llx efer %llx width %d: state %d/%d n %d/%d error %x/%x gpa %llx/%llx",
				  (unsigned long long)linear, access, (unsigned long long)regs.s.cr0,
				  (unsigned long long)regs.s.cr4, (unsigned long long)regs.s.efer,
				  regs.f.maxphyaddr, w.state, want.state, n, want.n, w.error_code,
				  want.error, (unsigned long long)w.gpa, (unsigned long long)want.gpa);
	}
	test_note("%u walks: %u done, %u faults, %u not canonical", round, seen[X86_WALK_DONE],
		  seen[X86_WALK_FAULT], seen[X86_WALK_NONCANONICAL]);
	EXPECT(seen[X86_WALK_DONE] > ROUNDS / 20);
	EXPECT(seen[X86_WALK_FAULT] > ROUNDS / 20);
	EXPECT(seen[X86_WALK_NONCANONICAL] > 1000);
	EXPECT_EQ(seen[X86_WALK_READ], 0);
}

/* A 4-level walk whose entries are known. */
static void by_hand(void)
{
	struct cpu r = {
		.s.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP, .s.cr3 = 0x1000, .s.cr4 = X86_CR4_PAE,
		.s.efer = X86_EFER_LMA_BIT | X86_EFER_NX_BIT,
		.f = { .maxphyaddr = 40, .phys_reserved = ~0ULL << 40, .has = X86_HAS_GBPAGES },
	};
	static const u64 where[4] = { 0x1000 + 8 * 256, 0x2000 + 8 * 3, 0x3000 + 8 * 2, 0x4000 + 8 };
	static const u64 entry[4] = { 0x2067, 0x3067, 0x4067, 0x8000001234567061 };
	u64 linear = 0xffff8000c0401abcULL;
	struct x86_walk w;
	unsigned int i;

	x86_walk_start(&w, linear, 0, &r.s, &r.f, r.pdptrs);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(w.state, X86_WALK_READ);
		EXPECT_EQ(w.where[w.n], where[i]);
		EXPECT_EQ(w.entry_size, 8);
		x86_walk_feed(&w, entry[i]);
	}
	EXPECT_EQ(w.state, X86_WALK_DONE);
	EXPECT_EQ(w.gpa, 0x1234567abc);
	EXPECT_EQ(w.shift, 12);

	x86_walk_start(&w, linear, X86_ACCESS_WRITE | X86_ACCESS_USER, &r.s, &r.f, r.pdptrs);
	for (i = 0; i < 4; i++)
		x86_walk_feed(&w, entry[i]);
	EXPECT_EQ(w.state, X86_WALK_FAULT);
	EXPECT_EQ(w.error_code, X86_PFEC_PRESENT | X86_PFEC_WRITE | X86_PFEC_USER);

	x86_walk_start(&w, linear, X86_ACCESS_EXEC, &r.s, &r.f, r.pdptrs);
	for (i = 0; i < 4; i++)
		x86_walk_feed(&w, entry[i]);
	EXPECT_EQ(w.error_code, X86_PFEC_PRESENT | X86_PFEC_INSTR);
	EXPECT_EQ(w.n, 4);

	EXPECT(x86_pdpte_valid(0, 40));
	EXPECT(x86_pdpte_valid(0x8000000000000000, 40));	/* not present */
	EXPECT(x86_pdpte_valid(0x12345e19, 40));
	EXPECT(!x86_pdpte_valid(0x12345003, 40));
	EXPECT(!x86_pdpte_valid(0x10000000001, 40));
	EXPECT(x86_pdpte_valid(0x10000000001, 41));
}

static const struct test tests[] = { TEST(by_hand), TEST(model) };

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

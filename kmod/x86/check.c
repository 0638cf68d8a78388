// SPDX-License-Identifier: GPL-2.0
/*
 * Whether a state can be entered, by VT-x's rules, which are the stricter: a state that
 * passes here enters on both vendors. What control block fields demand beyond it is the
 * back ends' to arrange. Each sentence names a check of SDM vol. 3, 26.3.1.
 */
#include "check.h"

#include "walk.h"

#define RFLAGS_DEFINED	0x3f7fd7ULL
#define SEG_RESERVED	0x0f00

bool x86_xcr0_valid(u64 xcr0, u64 allowed)
{
	u64 avx512 = xcr0 & GENMASK_ULL(7, 5), mpx = xcr0 & GENMASK_ULL(4, 3);

	if (!(xcr0 & 1) || (xcr0 & ~allowed))
		return false;
	if ((xcr0 & BIT(2)) && !(xcr0 & BIT(1)))
		return false;
	if (avx512 && (avx512 != GENMASK_ULL(7, 5) || !(xcr0 & BIT(2))))
		return false;
	return !mpx || mpx == GENMASK_ULL(4, 3);
}

bool x86_pat_valid(u64 pat)
{
	unsigned int i;

	for (i = 0; i < 8; i++, pat >>= 8)
		if ((pat & 0xff) > 7 || !(BIT(pat & 0xff) & 0xf3))
			return false;
	return true;
}

const char *x86_check_control(const struct x86_state *s, const struct x86_guest_features *f)
{
	bool paging = s->cr0 & X86_CR0_PG, lma = s->efer & X86_EFER_LMA_BIT;

	if (!x86_cr0_valid(s->cr0))
		return "CR0";
	if (s->cr4 & ~f->cr4_allowed)
		return "CR4 has bits this CPU lacks";
	if (s->efer & ~f->efer_allowed)
		return "EFER has bits this CPU lacks";
	if (lma != (paging && (s->efer & X86_EFER_LME_BIT)))
		return "EFER.LMA is not LME with paging";
	if (lma && !(s->cr4 & X86_CR4_PAE))
		return "long mode without CR4.PAE";
	if (!lma && (s->cr4 & X86_CR4_PCIDE))
		return "CR4.PCIDE outside long mode";
	if (s->cr3 & f->phys_reserved)
		return "CR3 beyond MAXPHYADDR";
	if (s->cr8 > 15)
		return "CR8";
	return NULL;
}

void x86_segments_normalize(struct x86_state *s)
{
	struct x86_segment *seg;
	unsigned int i;

	for (i = 0; i < X86_NR_SEG; i++) {
		seg = &s->seg[i];
		seg->attributes &= ~SEG_RESERVED;
		if (!(seg->attributes & X86_SEG_P))
			seg->unusable = true;
		/* VT-x insists on the accessed bit that a load from the GDT would have set. */
		if (seg->attributes & X86_SEG_S)
			seg->attributes |= 1;
	}
}

static bool limit_valid(const struct x86_segment *seg)
{
	if (seg->attributes & X86_SEG_G)
		return (seg->limit & 0xfff) == 0xfff;
	return !(seg->limit >> 20);
}

/* P is set, S is as given, nothing reserved is set, limit and G agree. */
static bool form_valid(const struct x86_segment *seg, u16 s)
{
	return (seg->attributes & (X86_SEG_P | X86_SEG_S | SEG_RESERVED)) == (X86_SEG_P | s) &&
	       limit_valid(seg);
}

static const char *check_virtual_8086(const struct x86_state *s)
{
	const struct x86_segment *seg;

	for (seg = &s->seg[X86_ES]; seg <= &s->seg[X86_GS]; seg++)
		if (seg->base != (u64)seg->selector << 4 || seg->limit != 0xffff ||
		    seg->attributes != 0xf3 || seg->unusable)
			return "segment in virtual-8086 mode";
	return NULL;
}

static const char *check_code_and_stack(const struct x86_state *s)
{
	const struct x86_segment *cs = &s->seg[X86_CS], *ss = &s->seg[X86_SS];
	unsigned int cs_type = cs->attributes & X86_SEG_TYPE;
	unsigned int ss_type = ss->attributes & X86_SEG_TYPE;
	unsigned int cs_dpl = cs->attributes & X86_SEG_DPL, ss_dpl = ss->attributes & X86_SEG_DPL;

	if (cs->unusable || !form_valid(cs, X86_SEG_S))
		return "CS form";
	if (cs_type != 3 && !((cs_type & 9) == 9))
		return "CS type";
	if (cs_type == 3 && (cs_dpl || ss_dpl))
		return "CS is data, not at CPL 0";
	if (cs_type == 9 || cs_type == 11 ? cs_dpl != ss_dpl : cs_dpl > ss_dpl)
		return "CS.DPL against SS.DPL";
	if (ss_dpl && !(s->cr0 & X86_CR0_PE))
		return "SS.DPL in real mode";
	if (x86_long_mode(s) && (cs->attributes & X86_SEG_L) && (cs->attributes & X86_SEG_DB))
		return "CS.L with CS.D";
	if (cs->base >> 32)
		return "CS base";
	if (ss->unusable)
		return NULL;
	if (!form_valid(ss, X86_SEG_S) || (ss_type != 3 && ss_type != 7))
		return "SS form";
	return ss->base >> 32 ? "SS base" : NULL;
}

static const char *check_data(const struct x86_state *s, unsigned int bits)
{
	static const u8 which[] = { X86_ES, X86_DS, X86_FS, X86_GS };
	const struct x86_segment *seg;
	unsigned int i;
	u16 type;

	for (i = 0; i < ARRAY_SIZE(which); i++) {
		seg = &s->seg[which[i]];
		type = seg->attributes & X86_SEG_TYPE;
		if (which[i] >= X86_FS && !x86_canonical(seg->base, bits))
			return "FS or GS base";
		if (seg->unusable)
			continue;
		if (!form_valid(seg, X86_SEG_S) || !(type & 1) || ((type & 8) && !(type & 2)))
			return "data segment form";
		if (which[i] < X86_FS && seg->base >> 32)
			return "data segment base";
	}
	return NULL;
}

static const char *check_system(const struct x86_state *s, unsigned int bits)
{
	const struct x86_segment *tr = &s->seg[X86_TR], *ldtr = &s->seg[X86_LDTR];
	u16 type = tr->attributes & X86_SEG_TYPE;

	if (tr->unusable || !form_valid(tr, 0) || (tr->selector & 4))
		return "TR form";
	if (type != 11 && (type != 3 || x86_long_mode(s)))
		return "TR type";
	if (!x86_canonical(tr->base, bits))
		return "TR base";
	if (!ldtr->unusable) {
		if (!form_valid(ldtr, 0) || (ldtr->attributes & X86_SEG_TYPE) != 2 ||
		    (ldtr->selector & 4))
			return "LDTR form";
		if (!x86_canonical(ldtr->base, bits))
			return "LDTR base";
	}
	if (!x86_canonical(s->gdtr.base, bits) || !x86_canonical(s->idtr.base, bits))
		return "GDTR or IDTR base";
	return NULL;
}

const char *x86_check_segments(const struct x86_state *s, const struct x86_guest_features *f)
{
	const char *wrong;

	if ((s->seg[X86_CS].attributes & X86_SEG_L) && !x86_long_mode(s) &&
	    (s->cr0 & X86_CR0_PG))
		return "CS.L outside long mode";
	if (s->rflags & X86_RFLAGS_VM) {
		wrong = check_virtual_8086(s);
	} else {
		wrong = check_code_and_stack(s);
		if (!wrong)
			wrong = check_data(s, f->linear_bits);
	}
	return wrong ? wrong : check_system(s, f->linear_bits);
}

static const char *check_msrs(const struct x86_state *s, const struct x86_guest_features *f)
{
	const u64 addresses[] = {
		s->sysenter_esp, s->sysenter_eip, s->lstar, s->cstar, s->kernel_gs_base,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(addresses); i++)
		if (!x86_canonical(addresses[i], f->linear_bits))
			return "an MSR's address is not canonical";
	if (s->sysenter_cs >> 32 || s->sfmask >> 32 || s->tsc_aux >> 32)
		return "an MSR's upper half";
	if (!x86_pat_valid(s->pat))
		return "PAT";
	if (!x86_xcr0_valid(s->xcr0, f->xcr0_allowed))
		return "XCR0";
	return NULL;
}

const char *x86_check_state(const struct x86_state *s, const struct x86_guest_features *f)
{
	const char *wrong = x86_check_control(s, f);
	unsigned int i;

	if (!wrong)
		wrong = x86_check_segments(s, f);
	if (!wrong)
		wrong = check_msrs(s, f);
	if (wrong)
		return wrong;

	if ((s->rflags & ~RFLAGS_DEFINED) || !(s->rflags & X86_RFLAGS_FIXED))
		return "RFLAGS has reserved bits";
	if ((s->rflags & X86_RFLAGS_VM) && (x86_long_mode(s) || !(s->cr0 & X86_CR0_PE)))
		return "RFLAGS.VM";
	if (x86_64bit_mode(s) ? !x86_canonical(s->rip, f->linear_bits) : !!(s->rip >> 32))
		return "RIP";
	if (s->dr6 >> 32 || s->dr7 >> 32)
		return "DR6 or DR7";
	if ((s->shadow & X86_SHADOW_STI) &&
	    ((s->shadow & X86_SHADOW_MOV_SS) || !(s->rflags & X86_RFLAGS_IF)))
		return "interrupt shadow";
	/* PAE paging loads its PDPTEs with CR3. */
	if ((s->cr0 & X86_CR0_PG) && (s->cr4 & X86_CR4_PAE) && !x86_long_mode(s))
		for (i = 0; i < 4; i++)
			if (!x86_pdpte_valid(s->pdptr[i], f->maxphyaddr))
				return "a PDPTE has reserved bits";
	return NULL;
}

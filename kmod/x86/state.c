// SPDX-License-Identifier: GPL-2.0
/*
 * Register values after power-up, RESET and INIT. Moving registers to and from hardware
 * is the back ends', deciding when a vCPU is reset is irq/'s and vm/'s.
 */
#include "state.h"

#define DATA	(X86_SEG_P | X86_SEG_S | 0x3)

static const u16 attributes[X86_NR_SEG] = {
	[X86_ES] = DATA, [X86_CS] = X86_SEG_P | X86_SEG_S | 0xb, [X86_SS] = DATA, [X86_DS] = DATA,
	[X86_FS] = DATA, [X86_GS] = DATA, [X86_LDTR] = X86_SEG_P | 0x2, [X86_TR] = X86_SEG_P | 0xb,
};

/* SDM vol. 3, table 9-1, column INIT; cache control bits of CR0 survive it. */
void x86_reset_by_init(struct x86_state *s, u32 family)
{
	u64 cache_control = s->cr0 & (X86_CR0_CD | X86_CR0_NW);
	unsigned int i;

	memset(s, 0, offsetof(struct x86_state, sysenter_cs));
	s->gpr[X86_RDX] = family;
	s->rip = 0xfff0;
	s->rflags = X86_EFLAGS_FIXED;
	s->cr0 = cache_control | X86_CR0_ET;
	for (i = 0; i < X86_NR_SEG; i++)
		s->seg[i] = (struct x86_segment){ .limit = 0xffff, .attributes = attributes[i] };
	s->seg[X86_CS].selector = 0xf000;
	s->seg[X86_CS].base = 0xffff0000;
	s->gdtr.limit = 0xffff;
	s->idtr.limit = 0xffff;
	s->dr6 = X86_DR6_FIXED;
	s->dr7 = X86_DR7_FIXED;
}

void x86_reset(struct x86_state *s, u32 family)
{
	memset(s, 0, sizeof(*s));
	s->cr0 = X86_CR0_CD | X86_CR0_NW;
	s->pat = 0x0007040600070406ULL;
	s->xcr0 = 1;
	x86_reset_by_init(s, family);
}

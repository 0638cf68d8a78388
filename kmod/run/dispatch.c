// SPDX-License-Identifier: GPL-2.0
/*
 * What each kind of exit leads to, as one table, and the one place where RIP advances. A handler
 * is called inside the window; where it says SLOW, the window closes and it gets the same exit
 * again. Called by run.c.
 */
#include "run.h"

#define MODE_GROUPS	(X86_GROUP_MODE | X86_GROUP_CR0 | X86_GROUP_RFLAGS)
#define WALK_GROUPS	(MODE_GROUPS | X86_GROUP_RSP | X86_GROUP_CR3 | X86_GROUP_CR4)
#define STEP_GROUPS	(X86_GROUP_RFLAGS | X86_GROUP_SHADOW)

/* What there was to do happens before every entry; user space may have asked to hear of it. */
static enum verdict look_again(struct vcpu *vcpu)
{
	return READ_ONCE(vcpu->run->request_interrupt_window) ? LEAVE : RETRY;
}

static enum verdict step(struct vcpu *vcpu)
{
	return STEP;
}

static const struct {
	exit_handler *handler;
	bool steps;	/* may return STEP: the instruction's length is needed first */
	u32 groups;	/* what it will ask for behind the window */
} table[EXIT_NR_KINDS] = {
	[EXIT_CPUID]		= { exit_cpuid, true, STEP_GROUPS },
	[EXIT_HLT]		= { exit_hlt, true, STEP_GROUPS },
	[EXIT_PAUSE]		= { exit_pause, true, STEP_GROUPS },
	[EXIT_IO]		= { exit_io, true, WALK_GROUPS | STEP_GROUPS },
	[EXIT_RDMSR]		= { exit_rdmsr, true, STEP_GROUPS },
	[EXIT_WRMSR]		= { exit_wrmsr, true, STEP_GROUPS },
	[EXIT_CR_READ]		= { exit_cr_read, true, MODE_GROUPS | STEP_GROUPS },
	[EXIT_CR_WRITE]		= { exit_cr_write, true, WALK_GROUPS | STEP_GROUPS },
	[EXIT_DR]		= { exit_dr, true, MODE_GROUPS | STEP_GROUPS },
	[EXIT_XSETBV]		= { exit_xsetbv, true, MODE_GROUPS | STEP_GROUPS },
	[EXIT_HYPERCALL]	= { exit_hypercall, true, MODE_GROUPS },
	[EXIT_RDPMC]		= { exit_rdpmc },
	[EXIT_INVD]		= { step, true, STEP_GROUPS },
	[EXIT_MWAIT]		= { exit_mwait, true, STEP_GROUPS },
	[EXIT_UNDEFINED]	= { exit_undefined },
	[EXIT_NESTED_FAULT]	= { exit_nested_fault, false, WALK_GROUPS | STEP_GROUPS },
	[EXIT_EXCEPTION]	= { exit_exception, false, WALK_GROUPS },
	[EXIT_IRQ_WINDOW]	= { look_again },
	[EXIT_NMI_WINDOW]	= { look_again },
	[EXIT_TRIPLE_FAULT]	= { exit_triple_fault },
	[EXIT_INIT]		= { look_again },
	[EXIT_TASK_SWITCH]	= { exit_task_switch },
	[EXIT_INVALID_STATE]	= { exit_invalid_state },
	[EXIT_INTERNAL]		= { exit_internal },
};

u32 dispatch_groups(const struct vcpu *vcpu)
{
	return table[vcpu->exit.kind].groups;
}

/* What the hardware left out of the record, from the decoded instruction. */
static void complete_record(struct kvirt_exit *exit, const struct x86_insn *insn)
{
	exit->insn_len = insn->len;
	if (exit->kind == EXIT_DR && exit->dr.undecoded)
		exit->dr.gpr = insn->rm & 0xf;
	if ((exit->kind == EXIT_CR_READ || exit->kind == EXIT_CR_WRITE) && exit->cr.undecoded) {
		exit->cr.gpr = insn->rm & 0xf;
		exit->cr.how = insn->op == X86_OP_CLTS ? CR_CLTS :
			       insn->op == X86_OP_LMSW ? CR_LMSW :
			       insn->op == X86_OP_SMSW ? CR_SMSW : CR_MOV;
	}
}

enum verdict dispatch(struct vcpu *vcpu)
{
	struct kvirt_exit *exit = &vcpu->exit;
	enum verdict verdict;

	if (table[exit->kind].steps && !exit->insn_len) {
		verdict = fetch_insn(vcpu);
		if (verdict)
			return verdict;
		complete_record(exit, &vcpu->insn);
	}
	verdict = table[exit->kind].handler(vcpu);
	return verdict == STEP ? dispatch_step(vcpu, exit->insn_len) : verdict;
}

enum verdict dispatch_step(struct vcpu *vcpu, u8 insn_len)
{
	struct x86_state *s = &vcpu->state;
	u64 old, rip;

	vcpu_pull(vcpu, X86_GROUP_RIP);
	old = s->rip;
	rip = old + insn_len;
	/* IP and EIP wrap where they end; only a step over such an end asks for the mode. */
	if (unlikely(((old ^ rip) & ~0xffffULL))) {
		vcpu_pull(vcpu, X86_GROUP_MODE | X86_GROUP_EFER);
		if (!x86_64bit_mode(s))
			rip &= s->seg[X86_CS].attributes & X86_SEG_DB ? 0xffffffffULL : 0xffffULL;
	}
	s->rip = rip;
	vcpu_dirty(vcpu, X86_GROUP_RIP);
	return unlikely(event_stepped(vcpu)) ? debug_trap(vcpu, X86_DR6_BS) : RETRY;
}

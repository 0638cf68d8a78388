// SPDX-License-Identifier: GPL-2.0
/*
 * The hardware's exit into the words of vm/exit.h. Every code has a meaning here or ends
 * the VM with EXIT_INTERNAL; no guest memory is read. Called by enter.c.
 *
 * Source: APM vol. 2, 15.7 to 15.14 (intercepts and their information), 15.25.6 (nested
 * page faults), 15.33 (decode assists), appendix C (codes).
 */
#include "svm.h"

#define ERROR_CODE_VECTORS	(BIT(X86_DF) | BIT(X86_TS) | BIT(X86_NP) | BIT(X86_SSF) | \
				 BIT(X86_GP) | BIT(X86_PF) | BIT(X86_AC))
#define DR6_STATUS		(0xfULL | X86_DR6_BD | X86_DR6_BS | BIT_ULL(15))
#define INSN_MAX		15

static u8 insn_len(const struct vmcb *v, u64 next_rip)
{
	u64 len = next_rip - v->rip;

	return len <= INSN_MAX ? len : 0;
}

static void decode_exception(struct vcpu *vcpu, struct kvirt_exit *exit, u8 vector)
{
	struct svm_vcpu *hw = to_svm(vcpu);
	struct vmcb *v = hw->vmcb;

	/* The host's own: the window ends, and its handler is called. */
	if (vector == X86_MC) {
		hw->machine_check = true;
		exit->kind = EXIT_HOST;
		return;
	}
	exit->kind = EXIT_EXCEPTION;
	exit->exception.vector = vector;
	exit->exception.has_error = ERROR_CODE_VECTORS & BIT(vector);
	exit->exception.error = exit->exception.has_error ? v->exit_info1 : 0;
	exit->exception.payload = 0;
	if (vector == X86_PF) {
		exit->exception.payload = v->exit_info2;
	} else if (vector == X86_DB) {
		/* The guest's DR6 is kept above: here only what this exception adds. */
		exit->exception.payload = (v->dr6 ^ X86_DR6_FIXED) & DR6_STATUS;
		v->dr6 = X86_DR6_FIXED;
		hw->clean &= ~CLEAN_DR;
	}
}

static void decode_internal(const struct vmcb *v, struct kvirt_exit *exit, enum exit_kind kind)
{
	exit->kind = kind;
	exit->internal.code = v->exit_code;
	exit->internal.info = v->exit_info1;
}

static void decode_nested_fault(const struct vmcb *v, struct kvirt_exit *exit)
{
	u64 info = v->exit_info1;

	/* A reserved bit in a nested table: the tables are ours, and broken. */
	if (info & NPF_RESERVED) {
		decode_internal(v, exit, EXIT_INTERNAL);
		return;
	}
	exit->kind = EXIT_NESTED_FAULT;
	exit->fault.gpa = v->exit_info2;
	exit->fault.walk = info & NPF_WALK;
	exit->fault.access = info & NPF_WRITE ? ACCESS_WRITE :
			     info & NPF_FETCH ? ACCESS_EXEC : ACCESS_READ;
	if (svm.decode_assists && !(info & (NPF_FETCH | NPF_WALK))) {
		exit->fetched = min_t(u8, v->nr_bytes, sizeof(exit->bytes));
		memcpy(exit->bytes, v->bytes, sizeof(exit->bytes));
	}
}

static void decode_cr(const struct vmcb *v, struct kvirt_exit *exit, enum exit_kind kind, u8 nr)
{
	exit->kind = kind;
	exit->cr.nr = nr;
	exit->cr.how = CR_MOV;
	exit->cr.msw = 0;
	/* Bit 63 says MOV; CLTS, LMSW, SMSW and old CPUs leave the decoding to software. */
	exit->cr.undecoded = !svm.decode_assists || !(v->exit_info1 & CR_INFO_MOV);
	if (exit->cr.undecoded)
		exit->insn_len = 0;
	exit->cr.gpr = v->exit_info1 & CR_INFO_GPR;
}

static void decode_dr(const struct vmcb *v, struct kvirt_exit *exit)
{
	exit->kind = EXIT_DR;
	exit->dr.nr = v->exit_code & 7;
	exit->dr.read = v->exit_code < VMEXIT_DR0_WRITE;
	exit->dr.undecoded = !svm.decode_assists;
	if (exit->dr.undecoded)
		exit->insn_len = 0;
	exit->dr.gpr = v->exit_info1 & CR_INFO_GPR;
}

static void decode_io(const struct vmcb *v, struct kvirt_exit *exit)
{
	u32 info = v->exit_info1;

	exit->kind = EXIT_IO;
	exit->insn_len = insn_len(v, v->exit_info2);
	exit->io.port = info >> IOIO_PORT_SHIFT;
	exit->io.size = IOIO_SIZE(info);	/* one bit of 1, 2, 4: the size itself */
	exit->io.in = info & IOIO_IN;
	exit->io.string = info & IOIO_STRING;
}

/* Codes without information of their own, beside the length. */
static enum exit_kind simple_kind(u64 code)
{
	switch (code) {
	case VMEXIT_INTR:	/* taken when the window closes */
	case VMEXIT_NMI:	/* taken at STGI */
	case VMEXIT_SMI:
	case VMEXIT_IRET:	/* enter.c's own business */
	/* The FPU waits for FERR's interrupt with CR0.NE clear: let it wait on. */
	case VMEXIT_FERR_FREEZE:
		return EXIT_HOST;
	case VMEXIT_INIT:
		return EXIT_INIT;
	case VMEXIT_VINTR:
		return EXIT_IRQ_WINDOW;
	case VMEXIT_CPUID:
		return EXIT_CPUID;
	case VMEXIT_HLT:
		return EXIT_HLT;
	case VMEXIT_PAUSE:
		return EXIT_PAUSE;
	case VMEXIT_RDPMC:
		return EXIT_RDPMC;
	case VMEXIT_INVD:
	case VMEXIT_WBINVD:
		return EXIT_INVD;
	case VMEXIT_VMMCALL:
		return EXIT_HYPERCALL;
	case VMEXIT_XSETBV:
		return EXIT_XSETBV;
	case VMEXIT_RSM:
	case VMEXIT_INVLPGA:
	case VMEXIT_VMRUN:
	case VMEXIT_VMLOAD:
	case VMEXIT_VMSAVE:
	case VMEXIT_STGI:
	case VMEXIT_CLGI:
	case VMEXIT_SKINIT:
	case VMEXIT_MONITOR:
	case VMEXIT_MWAIT:
	case VMEXIT_MWAIT_ARMED:
	case VMEXIT_RDPRU:
	case VMEXIT_INVLPGB:
	case VMEXIT_INVLPGB_BAD:
	case VMEXIT_MCOMMIT:
	case VMEXIT_TLBSYNC:
		return EXIT_UNDEFINED;
	default:
		return EXIT_INTERNAL;
	}
}

void svm_decode_exit(struct vcpu *vcpu, struct kvirt_exit *exit)
{
	const struct vmcb *v = to_svm(vcpu)->vmcb;
	u64 code = v->exit_code;

	exit->insn_len = svm.nrips ? insn_len(v, v->next_rip) : 0;
	exit->fetched = 0;
	/* A 64-bit number, of which some implementations fill the lower half. */
	if (unlikely((u32)code == (u32)VMEXIT_INVALID || (u32)code == (u32)VMEXIT_BUSY)) {
		decode_internal(v, exit, EXIT_INVALID_STATE);
		return;
	}
	switch (code) {
	case VMEXIT_CR0_READ + 0:
	case VMEXIT_CR0_READ + 4:
	case VMEXIT_CR0_READ + 8:
		decode_cr(v, exit, EXIT_CR_READ, code);
		break;
	case VMEXIT_CR0_WRITE + 0:
	case VMEXIT_CR0_WRITE + 4:
	case VMEXIT_CR0_WRITE + 8:
		decode_cr(v, exit, EXIT_CR_WRITE, code - VMEXIT_CR0_WRITE);
		break;
	case VMEXIT_CR0_SEL_WRITE:
		decode_cr(v, exit, EXIT_CR_WRITE, 0);
		break;
	case VMEXIT_DR0_READ ... VMEXIT_DR0_READ + 7:
	case VMEXIT_DR0_WRITE ... VMEXIT_DR0_WRITE + 7:
		decode_dr(v, exit);
		break;
	case VMEXIT_EXCEPTION ... VMEXIT_EXCEPTION + 31:
		decode_exception(vcpu, exit, code - VMEXIT_EXCEPTION);
		break;
	case VMEXIT_IOIO:
		decode_io(v, exit);
		break;
	case VMEXIT_MSR:
		exit->kind = v->exit_info1 & 1 ? EXIT_WRMSR : EXIT_RDMSR;
		break;
	case VMEXIT_NPF:
		decode_nested_fault(v, exit);
		break;
	case VMEXIT_TASK_SWITCH:
		decode_internal(v, exit, EXIT_TASK_SWITCH);
		exit->internal.code = v->exit_info1;
		exit->internal.info = v->exit_info2;
		break;
	default:
		exit->kind = simple_kind(code);
		if (unlikely(exit->kind == EXIT_INTERNAL))
			decode_internal(v, exit, EXIT_INTERNAL);
	}
}

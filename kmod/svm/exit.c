// SPDX-License-Identifier: GPL-2.0
/*
 * From the hardware's exit code and information to the neutral record, a row for each
 * code that an intercept of ours can cause. What nobody asked the CPU to exit for stops
 * the VM with the number in the record; no guest memory is read. Called by enter.c.
 *
 * Source: APM vol. 2, 15.7 to 15.14 (intercepts and their information), 15.25.6 (nested
 * page faults), 15.33 (decode assists), appendix C (codes).
 */
#include "svm.h"

#define DR6_STATUS		(0xfULL | X86_DR6_BD | X86_DR6_BS | BIT_ULL(15))

static u8 insn_len(const struct vmcb *v, u64 next_rip)
{
	u64 len = next_rip - v->rip;

	return len <= X86_INSN_MAX ? len : 0;
}

static void decode_exception(struct svm_vcpu *hw, struct kvirt_exit *exit)
{
	struct vmcb *v = hw->vmcb;
	u8 vector = v->exit_code - VMEXIT_EXCEPTION;
	bool has_error = X86_ERROR_CODE_VECTORS & BIT(vector);

	/* The host's own: the window ends, and its handler is called. */
	if (vector == X86_MC) {
		hw->machine_check = true;
		exit->kind = EXIT_HOST;
		return;
	}
	exit->exception = (typeof(exit->exception)) {
		.vector = vector, .has_error = has_error, .error = has_error ? v->exit_info1 : 0,
		.payload = vector == X86_PF ? v->exit_info2 : 0,
	};
	if (vector == X86_DB) {
		/* The guest's DR6 is kept above: here only what this exception adds. */
		exit->exception.payload = (v->dr6 ^ X86_DR6_FIXED) & DR6_STATUS;
		v->dr6 = X86_DR6_FIXED;
		hw->clean &= ~CLEAN_DR;
	}
}

static void decode_nested_fault(const struct vmcb *v, struct kvirt_exit *exit)
{
	u64 info = v->exit_info1;

	/* A reserved bit in a nested table: the tables are ours, and broken. */
	if (info & NPF_RESERVED) {
		exit->kind = EXIT_INTERNAL;
		exit->internal.code = v->exit_code;
		return;
	}
	exit->kind = EXIT_NESTED_FAULT;
	exit->fault.gpa = v->exit_info2;
	exit->fault.walk = info & NPF_WALK;
	exit->access = info & NPF_WRITE ? ACCESS_WRITE :
		       info & NPF_FETCH ? ACCESS_EXEC : ACCESS_READ;
	if ((svm.edx & SVM_EDX_DECODE_ASSISTS) && !(info & (NPF_FETCH | NPF_WALK))) {
		exit->fetched = min_t(u8, v->nr_bytes, sizeof(exit->bytes));
		memcpy(exit->bytes, v->bytes, sizeof(exit->bytes));
	}
}

static void decode_cr(const struct vmcb *v, struct kvirt_exit *exit)
{
	/* Bit 63 says MOV; CLTS, LMSW, SMSW and old CPUs leave the decoding to software. */
	exit->cr = (typeof(exit->cr)) {
		.nr = v->exit_code == VMEXIT_CR0_SEL_WRITE ? 0 : v->exit_code & 0xf,
		.how = CR_MOV, .gpr = v->exit_info1 & CR_INFO_GPR,
		.undecoded = !(svm.edx & SVM_EDX_DECODE_ASSISTS) || !(v->exit_info1 & CR_INFO_MOV),
	};
	if (exit->cr.undecoded)
		exit->insn_len = 0;
}

/* A code's row: the kind, and whether there is nothing to tell besides. */
#define ROW_KIND	0x3f
#define ROW_ALL		0x80
#define PLAIN(kind)	(EXIT_##kind | ROW_ALL)

static const u8 rows[] = {
	/* INTR is taken when the window closes, NMI and SMI were at STGI; IRET is enter.c's. */
	[VMEXIT_INTR ... VMEXIT_SMI] = PLAIN(HOST), [VMEXIT_IRET] = PLAIN(HOST),
	/* The FPU waits for FERR's interrupt with CR0.NE clear: let it wait on. */
	[VMEXIT_FERR_FREEZE] = PLAIN(HOST),
	[VMEXIT_INIT] = PLAIN(INIT), [VMEXIT_VINTR] = PLAIN(IRQ_WINDOW),
	[VMEXIT_CPUID] = PLAIN(CPUID), [VMEXIT_HLT] = PLAIN(HLT), [VMEXIT_PAUSE] = PLAIN(PAUSE),
	[VMEXIT_RDPMC] = PLAIN(RDPMC), [VMEXIT_INVD] = PLAIN(INVD), [VMEXIT_WBINVD] = PLAIN(INVD),
	[VMEXIT_MONITOR ... VMEXIT_MWAIT_ARMED] = PLAIN(MWAIT),
	[VMEXIT_VMMCALL] = PLAIN(HYPERCALL), [VMEXIT_XSETBV] = PLAIN(XSETBV),
	/* What no guest is told to have. */
	[VMEXIT_RSM] = PLAIN(UNDEFINED), [VMEXIT_INVLPGA] = PLAIN(UNDEFINED),
	[VMEXIT_VMRUN] = PLAIN(UNDEFINED), [VMEXIT_RDPRU] = PLAIN(UNDEFINED),
	[VMEXIT_VMLOAD ... VMEXIT_SKINIT] = PLAIN(UNDEFINED),	/* VMSAVE, STGI, CLGI */
	[VMEXIT_INVLPGB] = PLAIN(UNDEFINED), [VMEXIT_INVLPGB_BAD] = PLAIN(UNDEFINED),
	[VMEXIT_MCOMMIT] = PLAIN(UNDEFINED), [VMEXIT_TLBSYNC] = PLAIN(UNDEFINED),
	[VMEXIT_CR0_READ + 0] = EXIT_CR_READ, [VMEXIT_CR0_READ + 4] = EXIT_CR_READ,
	[VMEXIT_CR0_READ + 8] = EXIT_CR_READ, [VMEXIT_CR0_WRITE + 0] = EXIT_CR_WRITE,
	[VMEXIT_CR0_WRITE + 4] = EXIT_CR_WRITE, [VMEXIT_CR0_WRITE + 8] = EXIT_CR_WRITE,
	[VMEXIT_CR0_SEL_WRITE] = EXIT_CR_WRITE,
	[VMEXIT_DR0_READ ... VMEXIT_DR0_READ + 7] = EXIT_DR,
	[VMEXIT_DR0_WRITE ... VMEXIT_DR0_WRITE + 7] = EXIT_DR,
	[VMEXIT_EXCEPTION ... VMEXIT_EXCEPTION + 31] = EXIT_EXCEPTION,
	[VMEXIT_IOIO] = EXIT_IO, [VMEXIT_MSR] = EXIT_RDMSR,
	[VMEXIT_TASK_SWITCH] = EXIT_TASK_SWITCH,
};

static noinline void decode_details(struct svm_vcpu *hw, struct kvirt_exit *exit)
{
	const struct vmcb *v = hw->vmcb;
	u32 code = v->exit_code;

	switch (exit->kind) {
	case EXIT_IO:
		exit->insn_len = insn_len(v, v->exit_info2);
		exit->io.size = IOIO_SIZE(v->exit_info1); /* one bit of 1, 2, 4: the size itself */
		exit->io.in = v->exit_info1 & IOIO_IN;
		exit->io.string = v->exit_info1 & IOIO_STRING;
		exit->io.port = v->exit_info1 >> IOIO_PORT_SHIFT;
		break;
	case EXIT_RDMSR:
		if (v->exit_info1 & 1)
			exit->kind = EXIT_WRMSR;
		break;
	case EXIT_EXCEPTION:
		decode_exception(hw, exit);
		break;
	case EXIT_CR_READ:
	case EXIT_CR_WRITE:
		decode_cr(v, exit);
		break;
	case EXIT_DR:
		exit->dr = (typeof(exit->dr)) {
			.nr = code & 7, .gpr = v->exit_info1 & CR_INFO_GPR,
			.read = code < VMEXIT_DR0_WRITE,
			.undecoded = !(svm.edx & SVM_EDX_DECODE_ASSISTS),
		};
		if (exit->dr.undecoded)
			exit->insn_len = 0;
		break;
	case EXIT_TASK_SWITCH:
		exit->internal.code = v->exit_info1;
		break;
	default:
		if (v->exit_code == VMEXIT_NPF) {
			decode_nested_fault(v, exit);
			break;
		}
		/* A 64-bit number, of which some implementations fill the lower half. */
		exit->kind = code == (u32)VMEXIT_INVALID || code == (u32)VMEXIT_BUSY ?
			     EXIT_INVALID_STATE : EXIT_INTERNAL;
		exit->internal.code = v->exit_code;
	}
}

void svm_decode_exit(struct vcpu *vcpu, struct kvirt_exit *exit)
{
	struct svm_vcpu *hw = to_svm(vcpu);
	const struct vmcb *v = hw->vmcb;
	u64 code = v->exit_code;
	u8 row = likely(code < ARRAY_SIZE(rows)) ? rows[code] : 0;

	static_assert(EXIT_NR_KINDS <= ROW_KIND);
	exit->insn_len = svm.edx & SVM_EDX_NRIPS ? insn_len(v, v->next_rip) : 0;
	exit->fetched = 0;
	exit->reason = code;
	exit->kind = row & ROW_KIND;
	if (!(row & ROW_ALL))
		decode_details(hw, exit);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * From the hardware's exit reason and qualification to the neutral record, a row for each
 * reason the SDM lists (vol. 3, appendix C, 27.2). What nobody asked the CPU to exit for
 * stops the VM with the number in the record. Called by enter.c, window open.
 */
#include "vmx.h"

enum vmx_reason {
	REASON_EXCEPTION_NMI = 0, REASON_INTERRUPT = 1, REASON_TRIPLE_FAULT = 2, REASON_INIT = 3,
	REASON_IRQ_WINDOW = 7, REASON_NMI_WINDOW = 8, REASON_TASK_SWITCH = 9, REASON_CPUID = 10,
	REASON_GETSEC = 11, REASON_HLT = 12, REASON_INVD = 13, REASON_RDPMC = 15,
	REASON_VMCALL = 18, REASON_VMCLEAR = 19, REASON_VMXON = 27, REASON_CR = 28,
	REASON_DR = 29, REASON_IO = 30, REASON_RDMSR = 31, REASON_WRMSR = 32, REASON_MWAIT = 36,
	REASON_MONITOR = 39, REASON_PAUSE = 40, REASON_MACHINE_CHECK = 41,
	REASON_EPT_VIOLATION = 48, REASON_INVEPT = 50, REASON_PREEMPTION_TIMER = 52,
	REASON_INVVPID = 53, REASON_WBINVD = 54, REASON_XSETBV = 55, REASON_VMFUNC = 59,
	REASON_ENCLS = 60, REASON_ENCLV = 70,
};

/* Qualification of an EPT violation; bits 0 to 2 are ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC. */
#define EPTQ_LINEAR_VALID	BIT(7)
#define EPTQ_FINAL		BIT(8)		/* the final address, not a page-table entry */
#define EPTQ_IRET_UNBLOCKED	BIT(12)

#define DB_PAYLOAD		(0xfULL | BIT(13) | BIT(14) | BIT(16))

static bool is_soft(u8 type)
{
	return type == EVENT_SOFT_INT || type == EVENT_ICEBP || type == EVENT_SOFT_EXC;
}

/* The event whose delivery caused this exit. Only exits that a delivery can cause have one. */
static void decode_vectoring(struct kvirt_exit *exit)
{
	u32 info = vmcs_read(IDT_VECTORING_INFO);
	struct kvirt_event *event = &exit->vectoring;

	if (likely(!(info & EVENT_VALID)))
		return;
	event->valid = true;
	event->vector = info & EVENT_VECTOR;
	event->type = (info & EVENT_TYPE) >> EVENT_TYPE_SHIFT;
	event->has_error = info & EVENT_HAS_ERROR;
	event->error = event->has_error ? vmcs_read(IDT_VECTORING_ERROR) : 0;
	event->insn_len = is_soft(event->type) ? vmcs_read(EXIT_INSTRUCTION_LENGTH) : 0;
}

/*
 * The IRET that ended an NMI handler faulted after it had unblocked NMIs: it will run
 * again, so they are blocked until then (SDM vol. 3, 27.2.3).
 */
static void block_nmis_again(const struct kvirt_exit *exit)
{
	if (!exit->vectoring.valid)
		vmcs_write(GUEST_INTERRUPTIBILITY,
			   vmcs_read(GUEST_INTERRUPTIBILITY) | BLOCKED_BY_NMI);
}

/*
 * A #DB exit drops the step that a MOV SS or STI shadow holds back, and the next entry
 * insists on it as long as the shadow and TF are there (SDM vol. 3, 26.3.1.5).
 */
static void keep_step_pending(void)
{
	if ((vmcs_read(GUEST_INTERRUPTIBILITY) & (X86_SHADOW_STI | X86_SHADOW_MOV_SS)) &&
	    (vmcs_read(GUEST_RFLAGS) & X86_EFLAGS_TF))
		vmcs_write(GUEST_PENDING_DEBUG, vmcs_read(GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

static void decode_exception(struct vcpu *vcpu, struct kvirt_exit *exit)
{
	struct vmx_window *w = &to_vmx(vcpu)->window;
	u32 info = vmcs_read(EXIT_INTERRUPTION_INFO);
	u8 type = (info & EVENT_TYPE) >> EVENT_TYPE_SHIFT, vector = info & EVENT_VECTOR;
	bool has_error = info & EVENT_HAS_ERROR;
	u64 payload = 0;

	/* The host's own: the window ends, and they are handed to its handlers. */
	if (type == EVENT_NMI || vector == X86_MC) {
		*(type == EVENT_NMI ? &w->nmi : &w->machine_check) = true;
		exit->kind = EXIT_HOST;
		return;
	}
	decode_vectoring(exit);
	if ((info & INTR_IRET_UNBLOCKED) && vector != X86_DF)
		block_nmis_again(exit);
	if (vector == X86_DB && !is_soft(type))
		keep_step_pending();
	if (vector == X86_PF || vector == X86_DB)
		payload = vmcs_read(EXIT_QUALIFICATION) & (vector == X86_DB ? DB_PAYLOAD : ~0ULL);
	exit->exception = (typeof(exit->exception)) {
		.vector = vector, .has_error = has_error,
		.error = has_error ? vmcs_read(EXIT_INTERRUPTION_ERROR) : 0,
		.payload = payload,
	};
	if (is_soft(type))
		exit->insn_len = vmcs_read(EXIT_INSTRUCTION_LENGTH);
}

static void decode_ept_violation(struct kvirt_exit *exit)
{
	u64 q = vmcs_read(EXIT_QUALIFICATION);

	decode_vectoring(exit);
	if (q & EPTQ_IRET_UNBLOCKED)
		block_nmis_again(exit);
	exit->fault.gpa = vmcs_read(GUEST_PHYSICAL_ADDRESS);
	exit->access = q & (ACCESS_READ | ACCESS_WRITE | ACCESS_EXEC);
	exit->fault.walk = (q & (EPTQ_LINEAR_VALID | EPTQ_FINAL)) == EPTQ_LINEAR_VALID;
}

static void decode_cr(struct kvirt_exit *exit)
{
	static const u8 how[] = { CR_MOV, CR_MOV, CR_CLTS, CR_LMSW };
	u64 q = vmcs_read(EXIT_QUALIFICATION);
	u8 type = (q >> 4) & 3;

	if (type == 1)
		exit->kind = EXIT_CR_READ;
	exit->cr = (typeof(exit->cr)) {
		.nr = q & 0xf, .gpr = (q >> 8) & 0xf, .how = how[type], .msw = q >> 16,
	};
}

/* A reason's row: the kind, whether the instruction's length is told, and nothing besides. */
#define ROW_KIND	0x3f
#define ROW_LENGTH	0x40
#define ROW_ALL		0x80
#define INSN(kind)	(EXIT_##kind | ROW_LENGTH | ROW_ALL)
#define PLAIN(kind)	(EXIT_##kind | ROW_ALL)

static const u8 rows[] = {
	[REASON_CPUID] = INSN(CPUID), [REASON_HLT] = INSN(HLT), [REASON_PAUSE] = INSN(PAUSE),
	[REASON_RDMSR] = INSN(RDMSR), [REASON_WRMSR] = INSN(WRMSR), [REASON_RDPMC] = INSN(RDPMC),
	[REASON_XSETBV] = INSN(XSETBV), [REASON_VMCALL] = INSN(HYPERCALL),
	[REASON_CR] = EXIT_CR_WRITE | ROW_LENGTH, [REASON_DR] = EXIT_DR | ROW_LENGTH,
	[REASON_IO] = EXIT_IO | ROW_LENGTH,
	[REASON_MONITOR] = INSN(MWAIT), [REASON_MWAIT] = INSN(MWAIT),
	[REASON_INVD] = INSN(INVD), [REASON_WBINVD] = INSN(INVD),
	/* What no guest is told to have. */
	[REASON_GETSEC] = INSN(UNDEFINED), [REASON_VMCLEAR ... REASON_VMXON] = INSN(UNDEFINED),
	[REASON_INVEPT] = INSN(UNDEFINED), [REASON_INVVPID] = INSN(UNDEFINED),
	[REASON_VMFUNC] = INSN(UNDEFINED), [REASON_ENCLS] = INSN(UNDEFINED),
	[REASON_ENCLV] = INSN(UNDEFINED),
	/* Not acknowledged: it is taken when interrupts come on after close(). */
	[REASON_INTERRUPT] = PLAIN(HOST),
	[REASON_PREEMPTION_TIMER] = PLAIN(DEADLINE), [REASON_IRQ_WINDOW] = PLAIN(IRQ_WINDOW),
	[REASON_NMI_WINDOW] = PLAIN(NMI_WINDOW), [REASON_TRIPLE_FAULT] = PLAIN(TRIPLE_FAULT),
	[REASON_INIT] = PLAIN(INIT),
	[REASON_EXCEPTION_NMI] = EXIT_EXCEPTION, [REASON_EPT_VIOLATION] = EXIT_NESTED_FAULT,
	[REASON_TASK_SWITCH] = EXIT_TASK_SWITCH,
};

static noinline void decode_details(struct vcpu *vcpu, u32 reason, struct kvirt_exit *exit)
{
	u64 q;

	switch (exit->kind) {
	case EXIT_IO:
		q = vmcs_read(EXIT_QUALIFICATION);
		exit->io.size = (q & 7) + 1;
		exit->io.in = q & BIT(3);
		exit->io.string = q & BIT(4);
		exit->io.port = q >> 16;
		break;
	case EXIT_NESTED_FAULT:
		decode_ept_violation(exit);
		break;
	case EXIT_EXCEPTION:
		decode_exception(vcpu, exit);
		break;
	case EXIT_CR_WRITE:
		decode_cr(exit);
		break;
	case EXIT_DR:
		q = vmcs_read(EXIT_QUALIFICATION);
		exit->dr = (typeof(exit->dr)) {
			.nr = q & 7, .read = q & BIT(4), .gpr = (q >> 8) & 0xf,
		};
		break;
	case EXIT_TASK_SWITCH:
		decode_vectoring(exit);
		exit->internal.code = reason;
		break;
	default:
		/* An entry that a machine check stopped; one that failed; what nobody asked for. */
		exit->internal.code = reason;
		if (!(reason & VMX_ENTRY_FAILED)) {
			exit->kind = EXIT_INTERNAL;
		} else if ((u16)reason != REASON_MACHINE_CHECK) {
			exit->kind = EXIT_INVALID_STATE;
		} else {
			to_vmx(vcpu)->window.machine_check = true;
			exit->kind = EXIT_HOST;
		}
	}
}

void vmx_decode_exit(struct vcpu *vcpu, u32 reason, struct kvirt_exit *exit)
{
	u8 row = likely(reason < ARRAY_SIZE(rows)) ? rows[reason] : 0;

	static_assert(EXIT_NR_KINDS <= ROW_KIND);
	exit->kind = row & ROW_KIND;
	if (row & ROW_LENGTH)
		exit->insn_len = vmcs_read(EXIT_INSTRUCTION_LENGTH);
	if (!(row & ROW_ALL))
		decode_details(vcpu, reason, exit);
}

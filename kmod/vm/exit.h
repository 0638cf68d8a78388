/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest did, in words that both vendors share: the exit record that a back end fills, the
 * events that go into a guest, and the verdicts of exit handlers.
 */
#ifndef KVIRT_VM_EXIT_H
#define KVIRT_VM_EXIT_H

#include <linux/types.h>
#include <uapi/linux/kvirt.h>
#include "../x86/state.h"

enum exit_kind {	/* kvirt.h says what they are: the exit ring tells them to user space */
	EXIT_HOST = KVIRT_KIND_HOST,			/* go on after its work; no dispatch */
	EXIT_DEADLINE = KVIRT_KIND_DEADLINE,		/* vcpu->deadline_asked has come */
	EXIT_CPUID = KVIRT_KIND_CPUID,
	EXIT_HLT = KVIRT_KIND_HLT,
	EXIT_PAUSE = KVIRT_KIND_PAUSE,
	EXIT_IO = KVIRT_KIND_IO,
	EXIT_RDMSR = KVIRT_KIND_RDMSR,
	EXIT_WRMSR = KVIRT_KIND_WRMSR,
	EXIT_CR_READ = KVIRT_KIND_CR_READ,		/* CR8; without a shadow CR0, CR4, SMSW */
	EXIT_CR_WRITE = KVIRT_KIND_CR_WRITE,		/* CLTS and LMSW come as CR0 */
	EXIT_DR = KVIRT_KIND_DR,
	EXIT_XSETBV = KVIRT_KIND_XSETBV,
	EXIT_HYPERCALL = KVIRT_KIND_HYPERCALL,		/* the vendor's own instruction */
	EXIT_RDPMC = KVIRT_KIND_RDPMC,
	EXIT_INVD = KVIRT_KIND_INVD,			/* nothing to do but step over */
	EXIT_MWAIT = KVIRT_KIND_MWAIT,
	EXIT_UNDEFINED = KVIRT_KIND_UNDEFINED,		/* has to raise #UD here */
	EXIT_NESTED_FAULT = KVIRT_KIND_NESTED_FAULT,
	EXIT_EXCEPTION = KVIRT_KIND_EXCEPTION,
	EXIT_IRQ_WINDOW = KVIRT_KIND_IRQ_WINDOW,
	EXIT_NMI_WINDOW = KVIRT_KIND_NMI_WINDOW,
	EXIT_TRIPLE_FAULT = KVIRT_KIND_TRIPLE_FAULT,
	EXIT_INIT = KVIRT_KIND_INIT,			/* of no meaning to a guest, ignored */
	EXIT_TASK_SWITCH = KVIRT_KIND_TASK_SWITCH,
	EXIT_INVALID_STATE = KVIRT_KIND_INVALID_STATE,	/* FAIL_ENTRY with the hardware's code */
	EXIT_INTERNAL = KVIRT_KIND_INTERNAL,		/* the VM stops */
	EXIT_NR_KINDS = KVIRT_NR_KINDS
};

/* What a vCPU counts beside its exits, which come first: api/stats.c has the names. */
enum vcpu_count {
	COUNT_USER_EXITS = EXIT_NR_KINDS, COUNT_SIGNAL_EXITS, COUNT_INJECTIONS, COUNT_HALT_WAITS,
	VCPU_NR_COUNTS
};

enum event_type {		/* numbered as both vendors encode them */
	EVENT_EXTERNAL	= 0,
	EVENT_NMI	= 2,
	EVENT_EXCEPTION	= 3,
	EVENT_SOFT_INT	= 4,	/* INT n */
	EVENT_ICEBP	= 5,	/* INT1: a privileged software exception */
	EVENT_SOFT_EXC	= 6,	/* INT3, INTO */
};

/* And the word that has it with them, on the way in and cut short. */
#define EVENT_VECTOR		0xffU
#define EVENT_TYPE_SHIFT	8
#define EVENT_TYPE		(7U << EVENT_TYPE_SHIFT)
#define EVENT_HAS_ERROR		BIT(11)
#define EVENT_VALID		BIT(31)

/* Exceptions that exit: debug and alignment loops hang a CPU, #MC is the host's, #UD KVM's ABI. */
#define EXCEPTIONS_INTERCEPTED	(BIT(X86_DB) | BIT(X86_UD) | BIT(X86_AC) | BIT(X86_MC))

/* An event on its way into the guest, or cut short on that way by an exit. */
struct kvirt_event {
	u8 type;		/* enum event_type */
	u8 vector;
	u8 insn_len;		/* soft events: bytes of the instruction, 0: not known */
	bool valid;
	bool has_error;
	u32 error;
};

#define ACCESS_READ	BIT(0)
#define ACCESS_WRITE	BIT(1)
#define ACCESS_EXEC	BIT(2)

struct kvirt_exit {		/* down to detail as in struct kvirt_exit_record */
	u8 kind;		/* enum exit_kind */
	u8 access;		/* EXIT_NESTED_FAULT: ACCESS_* */
	u8 insn_len;		/* 0: the hardware did not say, dispatch decodes */
	u8 fetched;		/* instruction bytes that the hardware gave, or 0 */
	u32 reason;		/* the hardware's word for the kind, for people; ~0: not entered */
	union {
		u64 detail;	/* the first of each kind's, for the exit ring */
		struct {
			u16 port;
			u8 size;	/* 1, 2, 4 */
			bool in, string;
		} io;
		struct {
			u8 nr;		/* 0, 4, 8 */
			u8 gpr;		/* enum x86_gpr: MOV's register */
			enum { CR_MOV, CR_CLTS, CR_LMSW, CR_SMSW } how;
			u16 msw;	/* LMSW: the value */
			bool undecoded;	/* AMD-V without decode assists: decode it */
		} cr;
		struct {
			u8 nr, gpr;
			bool read, undecoded;
		} dr;
		struct {
			u64 gpa;
			bool walk;	/* the fault was on a guest page table */
		} fault;
		struct {
			u8 vector;
			bool has_error;
			u32 error;
			u64 payload;	/* #PF: linear address; #DB: DR6's new bits */
		} exception;
		struct { u64 code; } internal;	/* the hardware's own number, for people */
	};
	u8 bytes[15];
	struct kvirt_event vectoring;	/* .valid: its delivery is what this exit cut short */
};

/* A handler's answer, or -errno to leave KVM_RUN with: where the guest continues. */
enum verdict {
	STEP	= 1,	/* over the instruction, then enter again */
	RETRY	= 2,	/* at the same instruction, or an event was queued; enter again */
	TO_USER	= 3,	/* vcpu->run and vcpu->complete are filled: leave KVM_RUN with 0 */
	SLOW	= 4,	/* from a window: close it, call the handler of this exit again */
	LEAVE	= 5,	/* from a window: close it, nothing is left to serve */
};

#endif

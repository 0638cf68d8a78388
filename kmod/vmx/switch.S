/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The world switch of VT-x: general registers in, VMLAUNCH or VMRESUME, general registers
 * out, and what must be done against leaks before the host takes its first indirect
 * branch (docs/mitigations.md: RSB, SPEC_CTRL, branch history, CPU buffers). Called by
 * enter.c inside a strict window. XMM, control registers and MSRs are not touched here.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>
#include "../host/mitigations.h"
#include "vmx.h"

#define VMCS_HOST_RSP	0x6c14

	.section .noinstr.text, "ax"

/* int vmx_switch(u64 *gpr, struct vmx_vcpu *hw, bool launched) */
SYM_FUNC_START(vmx_switch)
	PUSH_HOST_REGISTERS
	mov	%edx, %ebx

	/* The stack is as deep on every entry of a window: this is written once. */
	cmp	%rsp, VMX_HOST_RSP(%rsi)
	je	1f
	mov	%rsp, VMX_HOST_RSP(%rsi)
	mov	$VMCS_HOST_RSP, %eax
.Lwrite_host_rsp:
	vmwrite	%rsp, %rax
	jna	.Lfailed
1:
	LOAD_GUEST_SPEC_CTRL VMX_SPEC_CTRL(%rsi)

	test	%bl, %bl		/* no instruction below changes ZF but VERW */
	mov	(%rdi), %rax
	LOAD_GUEST_REGISTERS
	jz	.Llaunch
	CLEAR_CPU_BUFFERS_BEFORE_GUEST
	UNWIND_HINT_SAVE
.Lvmresume:
	vmresume
	jmp	.Lfailed
.Llaunch:
	CLEAR_CPU_BUFFERS_BEFORE_GUEST
.Lvmlaunch:
	vmlaunch
	jmp	.Lfailed
	_ASM_EXTABLE(.Lwrite_host_rsp, .Lfailed)
	_ASM_EXTABLE(.Lvmresume, .Lfailed)
	_ASM_EXTABLE(.Lvmlaunch, .Lfailed)

SYM_INNER_LABEL_ALIGN(vmx_switch_exit, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR
	push	%rax
	mov	8(%rsp), %rax		/* gpr */
	STORE_GUEST_REGISTERS
	pop	(%rax)
	xor	%ebx, %ebx

.Lleave:
	CLEAR_GUEST_REGISTERS
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT,\
			   X86_FEATURE_RSB_VMEXIT_LITE
	mov	8(%rsp), %rsi		/* hw */
	RESTORE_HOST_SPEC_CTRL VMX_SPEC_CTRL(%rsi)
	ALTERNATIVE "", "call vmx_clear_branch_history", MITIGATE_BHB
	mov	%ebx, %eax
	POP_HOST_REGISTERS
	RET

.Lfailed:
	mov	$1, %ebx
	jmp	.Lleave
SYM_FUNC_END(vmx_switch)

/*
 * Branch history injection: fill the history with branches of our own, five times five
 * nested calls of a counted loop, each on a cache line of its own (Intel's guidance).
 */
SYM_FUNC_START_LOCAL(vmx_clear_branch_history)
	push	%rbp
	mov	%rsp, %rbp
	movl	$5, %ecx
	ANNOTATE_INTRA_FUNCTION_CALL
	call	1f
	jmp	5f
	.align	64, 0xcc
	.skip	32 - (.Lreturn1 - 1f), 0xcc
	ANNOTATE_INTRA_FUNCTION_CALL
1:	call	2f
.Lreturn1:
	RET
	.align	64, 0xcc
	.skip	32 - 18, 0xcc
2:	movl	$5, %eax
3:	jmp	4f
	nop
4:	sub	$1, %eax
	jnz	3b
	sub	$1, %ecx
	jnz	1b
	RET
5:	lfence
	pop	%rbp
	RET
SYM_FUNC_END(vmx_clear_branch_history)
STACK_FRAME_NON_STANDARD(vmx_clear_branch_history)

	.section .note.GNU-stack, "", @progbits

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

/* int vmx_switch(struct vmx_vcpu *hw, u64 *gpr, bool launched) */
SYM_FUNC_START(vmx_switch)
	push	%rbp
	mov	%rsp, %rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdi			/* hw, found again at 8(%rsp) */
	push	%rsi			/* gpr, found again at (%rsp) */
	mov	%edx, %ebx

	/* The stack is as deep on every entry of a window: this is written once. */
	cmp	%rsp, VMX_HOST_RSP(%rdi)
	je	1f
	mov	%rsp, VMX_HOST_RSP(%rdi)
	mov	$VMCS_HOST_RSP, %eax
.Lwrite_host_rsp:
	vmwrite	%rsp, %rax
	jna	.Lfailed
1:
	LOAD_GUEST_SPEC_CTRL VMX_SPEC_CTRL(%rdi)

	test	%bl, %bl		/* no instruction below changes ZF but VERW */
	mov	0x00(%rsi), %rax
	mov	0x08(%rsi), %rcx
	mov	0x10(%rsi), %rdx
	mov	0x18(%rsi), %rbx
	mov	0x28(%rsi), %rbp
	mov	0x38(%rsi), %rdi
	mov	0x40(%rsi), %r8
	mov	0x48(%rsi), %r9
	mov	0x50(%rsi), %r10
	mov	0x58(%rsi), %r11
	mov	0x60(%rsi), %r12
	mov	0x68(%rsi), %r13
	mov	0x70(%rsi), %r14
	mov	0x78(%rsi), %r15
	mov	0x30(%rsi), %rsi
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
	push	%rdi
	mov	8(%rsp), %rdi		/* gpr */
	mov	%rax, 0x00(%rdi)
	mov	%rcx, 0x08(%rdi)
	mov	%rdx, 0x10(%rdi)
	mov	%rbx, 0x18(%rdi)
	mov	%rbp, 0x28(%rdi)
	mov	%rsi, 0x30(%rdi)
	mov	%r8,  0x40(%rdi)
	mov	%r9,  0x48(%rdi)
	mov	%r10, 0x50(%rdi)
	mov	%r11, 0x58(%rdi)
	mov	%r12, 0x60(%rdi)
	mov	%r13, 0x68(%rdi)
	mov	%r14, 0x70(%rdi)
	mov	%r15, 0x78(%rdi)
	pop	%rax
	mov	%rax, 0x38(%rdi)
	xor	%ebx, %ebx

.Lleave:
	/* No value of the guest's survives in a register that speculation could use. */
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebp, %ebp
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT,\
			   X86_FEATURE_RSB_VMEXIT_LITE
	mov	8(%rsp), %rdi		/* hw */
	RESTORE_HOST_SPEC_CTRL VMX_SPEC_CTRL(%rdi)
	ALTERNATIVE "", "call vmx_clear_branch_history", MITIGATE_BHB
	mov	%ebx, %eax
	pop	%rsi
	pop	%rdi
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
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

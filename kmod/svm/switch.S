/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The world switch of AMD-V: general registers in, VMLOAD, VMRUN, VMSAVE, general
 * registers out, and what must be done against leaks before the host takes its first
 * indirect branch (RSB, SPEC_CTRL, return and branch predictors, CPU buffers). Called by
 * enter.c inside a strict window, with GIF and IF clear. XMM, RAX, RSP, control
 * registers and MSRs are not touched here: VMRUN or window.c moves them.
 *
 * Source: APM vol. 2, 15.5 (VMRUN, VMSAVE, VMLOAD), 15.17 (GIF), 15.21.1 (host's IF).
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/segment.h>
#include "../host/mitigations.h"

/* Offsets in struct svm_switch, asserted in enter.c. */
#define VMCB_PA		0
#define HOST_PA		8
#define SPEC_CTRL	16

	.section .noinstr.text, "ax"

/* int svm_switch(u64 *gpr, const struct svm_switch *args) */
SYM_FUNC_START(svm_switch)
	push	%rbp
	mov	%rsp, %rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rsi			/* args, found again at 8(%rsp) */
	push	%rdi			/* gpr, found again at (%rsp) */

	LOAD_GUEST_SPEC_CTRL SPEC_CTRL(%rsi)
	mov	VMCB_PA(%rsi), %rax
	mov	0x08(%rdi), %rcx
	mov	0x10(%rdi), %rdx
	mov	0x18(%rdi), %rbx
	mov	0x28(%rdi), %rbp
	mov	0x30(%rdi), %rsi
	mov	0x40(%rdi), %r8
	mov	0x48(%rdi), %r9
	mov	0x50(%rdi), %r10
	mov	0x58(%rdi), %r11
	mov	0x60(%rdi), %r12
	mov	0x68(%rdi), %r13
	mov	0x70(%rdi), %r14
	mov	0x78(%rdi), %r15
	mov	0x38(%rdi), %rdi
	CLEAR_CPU_BUFFERS_BEFORE_GUEST

	/* The host's IF decides whether its interrupts end the guest; GIF keeps them out here. */
	sti
.Lvmload:
	vmload	%rax
.Lvmrun:
	vmrun	%rax
.Lvmsave:
	vmsave	%rax
	cli
	/* GS base, TSS, LDT and SYSCALL's MSRs are the guest's until this. */
	mov	8(%rsp), %rax
	mov	HOST_PA(%rax), %rax
.Lvmload_host:
	vmload	%rax

	mov	(%rsp), %rax
	mov	%rcx, 0x08(%rax)
	mov	%rdx, 0x10(%rax)
	mov	%rbx, 0x18(%rax)
	mov	%rbp, 0x28(%rax)
	mov	%rsi, 0x30(%rax)
	mov	%rdi, 0x38(%rax)
	mov	%r8,  0x40(%rax)
	mov	%r9,  0x48(%rax)
	mov	%r10, 0x50(%rax)
	mov	%r11, 0x58(%rax)
	mov	%r12, 0x60(%rax)
	mov	%r13, 0x68(%rax)
	mov	%r14, 0x70(%rax)
	mov	%r15, 0x78(%rax)
	xor	%ebx, %ebx

.Lleave:
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT
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
	mov	8(%rsp), %rdi
	RESTORE_HOST_SPEC_CTRL SPEC_CTRL(%rdi)
	/* Where the host wants IBPB at each exit (SRSO, retbleed): its own is not ours to call. */
	ALTERNATIVE "jmp .Lno_ibpb", "", X86_FEATURE_IBPB_ON_VMEXIT
	movl	$MSR_IA32_PRED_CMD, %ecx
	movl	$1, %eax
	xorl	%edx, %edx
	wrmsr
.Lno_ibpb:
	ALTERNATIVE "", "call entry_untrain_ret", X86_FEATURE_UNRET
	mov	%ebx, %eax
	pop	%rdi
	pop	%rsi
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET

	/* SVM mode is not on, or an address is bad: the guest did not run. */
.Lfaulted:
	cli
	mov	8(%rsp), %rax
	mov	HOST_PA(%rax), %rax
.Lvmload_host_again:
	vmload	%rax
	mov	$1, %ebx
	jmp	.Lleave

.Lnowhere_to_go:
	mov	$1, %ebx
	jmp	.Lleave
	_ASM_EXTABLE(.Lvmload, .Lfaulted)
	_ASM_EXTABLE(.Lvmrun, .Lfaulted)
	_ASM_EXTABLE(.Lvmsave, .Lfaulted)
	_ASM_EXTABLE(.Lvmload_host, .Lnowhere_to_go)
	_ASM_EXTABLE(.Lvmload_host_again, .Lnowhere_to_go)
SYM_FUNC_END(svm_switch)

	.section .note.GNU-stack, "", @progbits

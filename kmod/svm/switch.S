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

/* Offsets in struct svm_vcpu, asserted in enter.c. */
#define VMCB_PA		0
#define HOST_PA		8
#define SPEC_CTRL	16

	.section .noinstr.text, "ax"

/* int svm_switch(u64 *gpr, const struct svm_vcpu *hw) */
SYM_FUNC_START(svm_switch)
	PUSH_HOST_REGISTERS
	LOAD_GUEST_SPEC_CTRL SPEC_CTRL(%rsi)
	mov	VMCB_PA(%rsi), %rax
	LOAD_GUEST_REGISTERS
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
	mov	(%rsp), %rax		/* gpr */
	STORE_GUEST_REGISTERS
	xor	%ebx, %ebx

.Lleave:
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT
	CLEAR_GUEST_REGISTERS
	mov	8(%rsp), %rsi		/* hw */
	RESTORE_HOST_SPEC_CTRL SPEC_CTRL(%rsi)
	/* Where the host wants IBPB at each exit (SRSO, retbleed): its own is not ours to call. */
	ALTERNATIVE "jmp .Lno_ibpb", "", X86_FEATURE_IBPB_ON_VMEXIT
	movl	$MSR_IA32_PRED_CMD, %ecx
	movl	$1, %eax
	xorl	%edx, %edx
	wrmsr
.Lno_ibpb:
	ALTERNATIVE "", "call entry_untrain_ret", X86_FEATURE_UNRET
	mov	%ebx, %eax
	POP_HOST_REGISTERS
	RET

	/* SVM mode is not on, or an address is bad: the guest did not run. */
.Lfaulted:
	cli
	mov	8(%rsp), %rax
	mov	HOST_PA(%rax), %rax
.Lvmload_host_again:
	vmload	%rax
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

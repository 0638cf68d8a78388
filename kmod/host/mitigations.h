/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Assembler macros against leaks through the CPU at a world switch, shared by both switch.S. Own
 * copies where a kernel keeps its own for KVM. Each is patched away by the kernel's alternatives
 * where the CPU does not need it. Which issue needs which: docs/mitigations.md.
 */
#ifndef KVIRT_HOST_MITIGATIONS_H
#define KVIRT_HOST_MITIGATIONS_H

#include <asm/alternative.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>

/* The flag's name until 6.12. */
#ifdef X86_FEATURE_CLEAR_BHB_VMEXIT
#define MITIGATE_BHB	X86_FEATURE_CLEAR_BHB_VMEXIT
#else
#define MITIGATE_BHB	X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
#endif

/*
 * Last before the guest, general registers are its own already: clear the CPU's buffers
 * (MDS, TAA, MMIO, RFDS, TSA). Changes ZF. A jump around it rather than an empty
 * original: 6.1 cannot relocate an operand that is relative to RIP inside a replacement.
 */
.macro CLEAR_CPU_BUFFERS_BEFORE_GUEST
	ALTERNATIVE "jmp .Lno_verw\@", "", X86_FEATURE_CLEAR_CPU_BUF_VM
	verw	.Lverw_selector\@(%rip)
.Lno_verw\@:
	.pushsection .rodata, "a"
	.balign	2
.Lverw_selector\@:
	.word	__KERNEL_DS
	.popsection
.endm

/*
 * The guest's SPEC_CTRL, at \guest in memory, into the CPU, where the host's differs. To
 * be used before the guest's registers are loaded. Changes RAX, RCX, RDX.
 */
.macro LOAD_GUEST_SPEC_CTRL guest:req
	ALTERNATIVE "jmp .Lloaded\@", "", X86_FEATURE_MSR_SPEC_CTRL
	mov	PER_CPU_VAR(x86_spec_ctrl_current), %rdx
	mov	\guest, %rax
	cmp	%rax, %rdx
	je	.Lloaded\@
	movl	$MSR_IA32_SPEC_CTRL, %ecx
	mov	%rax, %rdx
	shr	$32, %rdx
	wrmsr
.Lloaded\@:
.endm

/*
 * After the guest, before the first RET or indirect branch: the host's SPEC_CTRL back. With
 * kernel IBRS the write itself is the barrier, so it is done even for an equal value.
 * Speculation ends here. Changes RAX, RCX, RDX.
 */
.macro RESTORE_HOST_SPEC_CTRL guest:req
	ALTERNATIVE "jmp .Lrestored\@", "", X86_FEATURE_MSR_SPEC_CTRL
	mov	PER_CPU_VAR(x86_spec_ctrl_current), %rdx
	cmp	\guest, %rdx
	ALTERNATIVE "je .Lrestored\@", "", X86_FEATURE_KERNEL_IBRS
	movl	$MSR_IA32_SPEC_CTRL, %ecx
	movl	%edx, %eax
	shr	$32, %rdx
	wrmsr
.Lrestored\@:
	lfence
.endm

/*
 * The frame of both switches, called with RDI: the guest's general registers, RSI: the
 * vCPU's part of the back end. Inside it both are found again at (%rsp) and 8(%rsp).
 */
.macro PUSH_HOST_REGISTERS
	push	%rbp
	mov	%rsp, %rbp
	.irp	r, r15, r14, r13, r12, rbx, rsi, rdi
	push	%\r
	.endr
.endm

.macro POP_HOST_REGISTERS
	.irp	r, rdi, rsi, rbx, r12, r13, r14, r15, rbp
	pop	%\r
	.endr
.endm

/* All but RAX and RSP, from what RDI points at, by their encoding number. Keeps the flags. */
.macro LOAD_GUEST_REGISTERS
	mov	1 * 8(%rdi), %rcx
	mov	2 * 8(%rdi), %rdx
	mov	3 * 8(%rdi), %rbx
	mov	5 * 8(%rdi), %rbp
	mov	6 * 8(%rdi), %rsi
	.irp	n, 8, 9, 10, 11, 12, 13, 14, 15
	mov	\n * 8(%rdi), %r\n
	.endr
	mov	7 * 8(%rdi), %rdi
.endm

/* And back, to what RAX points at. */
.macro STORE_GUEST_REGISTERS
	mov	%rcx, 1 * 8(%rax)
	mov	%rdx, 2 * 8(%rax)
	mov	%rbx, 3 * 8(%rax)
	mov	%rbp, 5 * 8(%rax)
	mov	%rsi, 6 * 8(%rax)
	mov	%rdi, 7 * 8(%rax)
	.irp	n, 8, 9, 10, 11, 12, 13, 14, 15
	mov	%r\n, \n * 8(%rax)
	.endr
.endm

/* No value of the guest's survives where speculation could use it; RBX has the result. */
.macro CLEAR_GUEST_REGISTERS
	.irp	r, eax, ecx, edx, ebp, esi, edi, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d
	xor	%\r, %\r
	.endr
.endm

#endif

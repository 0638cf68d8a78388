/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's 256 interrupt and exception entries. Each pushes an error code where the CPU pushed none, then its vector;
 * the common part saves the registers as struct guest_frame has them and calls guest_vector(). Used by guest.c's IDT.
 */
	.text
	.globl	guest_vectors
	.balign	16
guest_vectors:
vector = 0
	.rept	256
	.balign	16
	/* Vectors with an error code: 8, 10 to 14, 17, 21. */
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
	push	$0
	.endif
	push	$vector
	jmp	entry
vector = vector + 1
	.endr

entry:
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	and	$-16, %rsp
	call	guest_vector
	mov	%rbp, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits

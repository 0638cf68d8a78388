/* SPDX-License-Identifier: GPL-2.0 */
/* Process 1 of the guest, as bytes: the Makefile says where it was built (GUEST_INIT). */
	.section .rodata
	.globl	guest_init, guest_init_end
	.balign	16
guest_init:
	.incbin	GUEST_INIT
guest_init_end:

	.section .note.GNU-stack, "", @progbits

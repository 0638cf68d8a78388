/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The option ROM by which the Bochs host starts: the BIOS calls it, and it never returns.
 *
 * Bochs keeps guest memory in blocks of 128 KiB that it hands out in the order of first touch, and loads a
 * memory image that spans several blocks straight across them. So before the image counts, its blocks must have
 * been touched in the order in which they lie in the file: vmx writes that list at LIST, runs of (first block,
 * number of blocks) up to a run of length zero. Then control goes to the real-mode part of Linux, which vmx has placed
 * at 0x90000 by the Linux boot protocol.
 *
 * Not here: the 32-bit entry (stub.S), the making of the images (vmx).
 */
	.set	ROM_BASE, 0xd0000
	.set	LIST, 0x80
	.set	SETUP_SEG, 0x9000
	.set	BLOCK_SHIFT, 17

	.code16
	.globl	_start
_start:
	.byte	0x55, 0xaa, 1		/* option ROM, one block of 512 bytes */
	cli
	inb	$0x92, %al		/* A20 on: blocks above 1 MiB */
	orb	$2, %al
	outb	%al, $0x92
	push	%cs
	pop	%ds
	lgdtl	gdtr
	/* Real mode with a 4 GiB limit in FS: set in protected mode, it outlives the way back. */
	mov	%cr0, %eax
	orb	$1, %al
	mov	%eax, %cr0
	mov	$8, %bx
	mov	%bx, %fs
	andb	$0xfe, %al
	mov	%eax, %cr0

	mov	$LIST, %si
next_run:
	lodsw
	movzwl	%ax, %edx
	shll	$BLOCK_SHIFT, %edx
	lodsw
	xchg	%ax, %cx
	jcxz	start_linux
touch:
	movb	%fs:(%edx), %bl
	addl	$(1 << BLOCK_SHIFT), %edx
	loop	touch
	jmp	next_run

start_linux:
	mov	$SETUP_SEG, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %fs
	mov	%ax, %gs
	mov	%ax, %ss
	mov	$0xb000, %sp
	sti
	ljmp	$(SETUP_SEG + 0x20), $0

	.align	8
gdt:	.quad	0, 0x00cf92000000ffff	/* flat data */
gdtr:	.word	15
	.long	gdt + ROM_BASE

	.org	LIST
	.word	0, 0
	.org	512

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the real-mode part of Linux jumps to in the Bochs host, in place of the kernel's own unpacker: the kernel
 * lies unpacked at 16 MiB already. Identity-maps the first 4 GiB with 2 MiB pages, enters long mode and jumps to the
 * kernel's 64-bit entry with RSI at the boot parameters, as the Linux boot protocol has it.
 */
	.set	TABLES, 0x110000	/* PML4, PDPT, four page directories */

	.code32
	.globl	_start
_start:
	jmp	0f
	.org	_start + 4
kernel:	.long	0			/* its entry: the host script writes it here */
0:	cli
	mov	%esi, %ebp
	xor	%eax, %eax
	mov	$TABLES, %edi
	mov	$(0x6000 / 4), %ecx
	rep stosl
	movl	$(TABLES + 0x1003), TABLES
	movl	$(TABLES + 0x2003), TABLES + 0x1000
	movl	$(TABLES + 0x3003), TABLES + 0x1008
	movl	$(TABLES + 0x4003), TABLES + 0x1010
	movl	$(TABLES + 0x5003), TABLES + 0x1018
	mov	$(TABLES + 0x2000), %edi
	mov	$0x83, %eax		/* present, writable, 2 MiB */
	mov	$2048, %ecx
1:	mov	%eax, (%edi)
	add	$0x200000, %eax
	add	$8, %edi
	loop	1b

	lgdt	gdtr
	mov	%cr4, %eax
	or	$0x20, %eax		/* PAE */
	mov	%eax, %cr4
	mov	$TABLES, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx	/* EFER */
	rdmsr
	or	$0x100, %eax		/* LME */
	wrmsr
	mov	%cr0, %eax
	or	$0x80000001, %eax	/* PG, PE */
	mov	%eax, %cr0
	ljmp	$0x10, $long_mode

	.code64
long_mode:
	mov	$0x18, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%ebp, %esi
	mov	kernel(%rip), %eax
	jmp	*%rax

	.align	16
	/* The boot protocol's selectors: 0x10 code, 0x18 data. */
gdt:	.quad	0, 0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdtr:	.word	31
	.long	gdt

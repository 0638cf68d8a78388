// SPDX-License-Identifier: GPL-2.0
/*
 * CPU modes: a guest that walks from real mode through 16- and 32-bit protected mode and PAE into long mode, through
 * compatibility mode, and all the way back, with an exit and a check of the state in each.
 */
#include "guest.h"
#include "vm.h"

/*
 * Runs at GUEST_REAL, where real mode's CS is 0x1000 and flat addresses are GUEST_REAL + offset. Every stage puts its number
 * in DI, reports by an OUT to port 0x511, and asks for CPUID leaf 0 as an exit the kernel serves.
 */
asm("	.code16\n"
    ".globl modes_begin, modes_end\n"
    "modes_begin:\n"
    "	mov	%cs, %ax\n"
    "	mov	%ax, %ds\n"
    "	mov	$1, %di\n"
    "	call	report16\n"
    /* protected mode, still 16-bit code */
    "	lgdtl	gdtr16 - modes_begin\n"
    "	mov	%cr0, %eax\n"
    "	or	$1, %eax\n"
    "	mov	%eax, %cr0\n"
    "	ljmp	$0x08, $(1f - modes_begin)\n"
    "1:	mov	$0x10, %ax\n"
    "	mov	%ax, %ds\n"
    "	mov	%ax, %es\n"
    "	mov	%ax, %ss\n"
    "	mov	$2, %di\n"
    "	call	report16\n"
    "	ljmpl	$0x18, $(2f - modes_begin + 0x10000)\n"
    /* 32 bits, flat */
    "	.code32\n"
    "2:	mov	$0x20, %ax\n"
    "	mov	%ax, %ds\n"
    "	mov	%ax, %es\n"
    "	mov	%ax, %ss\n"
    "	mov	$0x28000, %esp\n"
    "	mov	$3, %edi\n"
    "	call	report32\n"
    /* PAE paging: the page tables of 64-bit mode have no PDPT of four entries at hand, so the PDPT is CR3's */
    "	mov	%cr4, %eax\n"
    "	or	$0x20, %eax\n"
    "	mov	%eax, %cr4\n"
    "	mov	$0x200000, %eax\n"
    "	mov	%eax, %cr3\n"
    "	mov	%cr0, %eax\n"
    "	or	$0x80000000, %eax\n"
    "	mov	%eax, %cr0\n"
    "	mov	$4, %edi\n"
    "	call	report32\n"
    /* back out of paging, then long mode: EFER.LME, CR3, PG; still 32-bit code, which is compatibility mode */
    "	and	$0x7fffffff, %eax\n"
    "	mov	%cr0, %eax\n"
    "	and	$0x7fffffff, %eax\n"
    "	mov	%eax, %cr0\n"
    "	mov	$0x3000, %eax\n"
    "	mov	%eax, %cr3\n"
    "	mov	$0xc0000080, %ecx\n"
    "	rdmsr\n"
    "	or	$0x100, %eax\n"
    "	wrmsr\n"
    "	mov	%cr0, %eax\n"
    "	or	$0x80000000, %eax\n"
    "	mov	%eax, %cr0\n"
    "	mov	$5, %edi\n"
    "	call	report32\n"
    "	ljmp	$0x28, $(3f - modes_begin + 0x10000)\n"
    /* 64 bits */
    "	.code64\n"
    "3:	mov	$0x1122334455667788, %r15\n"
    "	mov	$6, %edi\n"
    "	call	report64\n"
    /* compatibility mode and back: the far return takes us there */
    "	pushq	$0x18\n"
    "	lea	4f(%rip), %rax\n"
    "	push	%rax\n"
    "	lretq\n"
    "	.code32\n"
    "4:	mov	$7, %edi\n"
    "	call	report32\n"
    /* leave long mode: paging off, LME off, protection off */
    "	mov	%cr0, %eax\n"
    "	and	$0x7fffffff, %eax\n"
    "	mov	%eax, %cr0\n"
    "	mov	$0xc0000080, %ecx\n"
    "	rdmsr\n"
    "	and	$~0x100, %eax\n"
    "	wrmsr\n"
    "	mov	$8, %edi\n"
    "	call	report32\n"
    "	mov	$0x10, %ax\n"
    "	mov	%ax, %ds\n"
    "	mov	%ax, %es\n"
    "	mov	%ax, %fs\n"
    "	mov	%ax, %gs\n"
    "	mov	%ax, %ss\n"
    "	ljmp	$0x08, $(5f - modes_begin)\n"
    "	.code16\n"
    "5:	mov	%cr0, %eax\n"
    "	and	$~1, %eax\n"
    "	mov	%eax, %cr0\n"
    "	ljmp	$0x1000, $(6f - modes_begin)\n"
    "6:	mov	%cs, %ax\n"
    "	mov	%ax, %ds\n"
    "	xor	%ax, %ax\n"
    "	mov	%ax, %ss\n"
    "	mov	$0x8000, %sp\n"
    "	mov	$9, %di\n"
    "	call	report16\n"
    "	mov	$0x510, %dx\n"
    "	out	%al, %dx\n"
    "	hlt\n"

    "report16:\n"
    "	xor	%eax, %eax\n"
    "	cpuid\n"
    "	mov	$0x511, %dx\n"
    "	out	%al, %dx\n"
    "	ret\n"
    "	.code32\n"
    "report32:\n"
    "	xor	%eax, %eax\n"
    "	cpuid\n"
    "	mov	$0x511, %dx\n"
    "	out	%al, %dx\n"
    "	ret\n"
    "	.code64\n"
    "report64:\n"
    "	xor	%eax, %eax\n"
    "	cpuid\n"
    "	mov	$0x511, %dx\n"
    "	out	%al, %dx\n"
    "	ret\n"
    "	.balign 8\n"
    "gdt:	.quad	0\n"
    "	.quad	0x00009b010000ffff\n"	/* 08: 16-bit code at GUEST_REAL */
    "	.quad	0x000093010000ffff\n"	/* 10: 16-bit data there */
    "	.quad	0x00cf9b000000ffff\n"	/* 18: 32-bit code */
    "	.quad	0x00cf93000000ffff\n"	/* 20: data */
    "	.quad	0x00af9b000000ffff\n"	/* 28: 64-bit code */
    "gdtr16: .word	. - gdt - 1\n"
    "	.long	gdt - modes_begin + 0x10000\n"
    "modes_end:\n");

extern const char modes_begin[], modes_end[];

static void all_modes(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	uint64_t *pdpt = vm_at(vm, GUEST_SCRATCH);
	struct kvirt_sregs s;
	struct kvirt_regs r;

	/* PAE's four entries: the directories of the long-mode tables, with the bits PAE has. */
	for (int i = 0; i < 4; i++)
		pdpt[i] = (GUEST_PML4 + 0x2000 + 0x1000 * i) | 1;
	vcpu_cpuid(vcpu);
	vcpu_real_mode(vcpu, modes_begin, modes_end);
	for (long stage = 1; stage <= 9; stage++) {
		vcpu_expect_stage(vcpu, stage);
		s = vcpu_sregs(vcpu);
		r = vcpu_regs(vcpu);
		EXPECT_EQ(r.rdi & 0xffff, stage);
		EXPECT_EQ(s.cr0 & 1, stage != 1 && stage != 9);
		EXPECT_EQ(s.cr0 >> 31 & 1, stage >= 4 && stage <= 7);
		/* LMA follows PG and LME. */
		EXPECT_EQ(s.efer & 0x500, stage >= 5 && stage <= 7 ? 0x500 : 0);
		EXPECT_EQ(s.cs.l, stage == 6);
		EXPECT_EQ(s.cs.db, (stage >= 3 && stage <= 5) || stage == 7 || stage == 8);
		if (stage == 1 || stage == 9) {
			EXPECT_EQ(s.cs.selector, 0x1000);
			EXPECT_EQ(s.cs.base, 0x10000);
		}
		if (stage == 4 && dev_cap(KVIRT_CAP_SREGS2)) {
			struct kvirt_sregs2 s2;

			ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_SREGS2, &s2));
			EXPECT_EQ(s2.flags, KVIRT_SREGS2_FLAGS_PDPTRS_VALID);
			/* TCG sets an accessed bit in the entries, which PAE's do not have. */
			for (int i = 0; i < 4; i++)
				EXPECT_EQ(s2.pdptrs[i] & ~0x20ull, pdpt[i] & ~0x20ull);
			/* Out and in again in the middle of PAE paging. */
			ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_SREGS2, &s2));
		}
		if (stage == 6)
			EXPECT_EQ(r.r15, 0x1122334455667788);
		/* Each mode survives being read and set. */
		vcpu_set_sregs(vcpu, &s);
		vcpu_set_regs(vcpu, &r);
	}
	vcpu_finish(vcpu);
}

/* Real mode with interrupts: INT n through the vector table, and an external one. */
asm("	.code16\n"
    ".globl real_begin, real_end\n"
    "real_begin:\n"
    "	mov	%cs, %ax\n"
    "	mov	%ax, %ds\n"
    "	xor	%di, %di\n"
    "	int	$0x40\n"
    "	mov	$0x511, %dx\n"
    "	out	%al, %dx\n"
    "	sti\n"
    "	nop\n"
    "	nop\n"
    "	hlt\n"
    "	cli\n"
    "	mov	$0x511, %dx\n"
    "	out	%al, %dx\n"
    "	ud2\n"
    "	mov	$0x511, %dx\n"
    "	out	%al, %dx\n"
    "	hlt\n"
    "	.org	real_begin + 0x80\n"
    "	inc	%di\n"
    "	iret\n"
    "	.org	real_begin + 0xa0\n"
    "	push	%bp\n"
    "	mov	%sp, %bp\n"
    "	addw	$2, 2(%bp)\n"		/* over the UD2 */
    "	add	$0x10, %di\n"
    "	pop	%bp\n"
    "	iret\n"
    "real_end:\n"
    "	.code64\n");

extern const char real_begin[], real_end[];

static void real_mode_interrupts(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct kvirt_interrupt i = { 0x41 };
	uint16_t *ivt = vm_at(vm, 0);

	ivt[2 * 0x40] = ivt[2 * 0x41] = 0x80;
	ivt[2 * 6] = 0xa0;
	ivt[2 * 0x40 + 1] = ivt[2 * 0x41 + 1] = ivt[2 * 6 + 1] = GUEST_REAL >> 4;
	vcpu_real_mode(vcpu, real_begin, real_end);
	vcpu_expect_stage(vcpu, 1);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_HLT);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 1);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_INTERRUPT, &i));
	vcpu_expect_stage(vcpu, 2);
	vcpu_expect_stage(vcpu, 0x12);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_HLT);
}

/* The architecture asks for EFER.LME and CR4.PAE before CR0.PG, in whatever order. */
asm("	.code16\n"
    ".globl lme_begin, lme_end\n"
    "lme_begin:\n"
    "	mov	$0xc0000080, %ecx\n"
    "	rdmsr\n"
    "	or	$0x100, %eax\n"
    "	wrmsr\n"
    "	mov	$0x511, %dx\n"
    "	mov	$1, %di\n"
    "	out	%al, %dx\n"
    "	mov	%cr4, %eax\n"
    "	or	$0x20, %eax\n"
    "	mov	%eax, %cr4\n"
    "	mov	$2, %di\n"
    "	out	%al, %dx\n"
    "	mov	$0xc0000080, %ecx\n"
    "	rdmsr\n"
    "	hlt\n"
    "lme_end:\n"
    "	.code64\n");

extern const char lme_begin[], lme_end[];

static void long_mode_enabled_before_pae(void)
{
	struct vm *vm;
	struct vcpu *vcpu;

	/* The host's CR0 is restored before its CR4, and TCG refuses PG where LME asks for PAE: the machine is lost. */
	if (cpu_is_tcg() && !strcmp(test_dev, "/dev/kvm"))
		test_skip("QEMU's TCG loses the host at an exit with EFER.LME and without CR4.PAE");
	vm = vm_new();
	vcpu = vcpu_bare(vm, 0);
	vcpu_cpuid(vcpu);
	vcpu_real_mode(vcpu, lme_begin, lme_end);
	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(vcpu_sregs(vcpu).efer, 0x100);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(vcpu_sregs(vcpu).cr4 & 0x20, 0x20);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_HLT);
	EXPECT_EQ(vcpu_regs(vcpu).rax, 0x100);
	EXPECT_EQ(vcpu_sregs(vcpu).efer, 0x100);
}

/* Long mode knows no 16-bit TSS: Intel's CPUs refuse to enter it with one in TR, and of AMD's nothing is said. */
asm("	.code32\n"
    ".globl tss16_begin\n"
    "tss16_begin:\n"
    "	mov	%cr0, %eax\n"
    "	or	$0x80000000, %eax\n"
    "	mov	%eax, %cr0\n"
    "	mov	$1, %edi\n"
    "	mov	$0x511, %edx\n"
    "	out	%al, %dx\n"
    "	.code64\n");

extern const char tss16_begin[];

static void long_mode_with_a_16_bit_tss(void)
{
	for (int type = 3; type <= 11; type += 8) {
		struct vcpu *vcpu = vcpu_bare(vm_new(), 0);
		struct kvirt_sregs s;

		vcpu_cpuid(vcpu);
		vcpu_protected_mode(vcpu, (uintptr_t)tss16_begin);
		s = vcpu_sregs(vcpu);
		s.cr3 = GUEST_PML4;
		s.cr4 |= 0x20;
		s.efer = 0x100;
		s.tr = (struct kvirt_segment){ .base = GUEST_TSS, .limit = 0x67, .selector = SEL_TSS, .type = type, .present = 1 };
		vcpu_set_sregs(vcpu, &s);
		/* There is no handler for the #GP. KVM makes a 32-bit TSS of it. */
		if (type == 3 && !cpu_is_amd() && strcmp(test_dev, "/dev/kvm"))
			vcpu_expect_exit(vcpu, KVIRT_EXIT_SHUTDOWN);
		else
			vcpu_expect_stage(vcpu, 1);
	}
}

static const struct test tests[] = {
	TEST(all_modes),
	TEST(long_mode_enabled_before_pae),
	TEST(real_mode_interrupts),
	TEST(long_mode_with_a_16_bit_tss),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

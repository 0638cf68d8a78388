// SPDX-License-Identifier: GPL-2.0
/*
 * VMCALL and VMMCALL: both work on both vendors' CPUs, whichever the hardware has. Unknown numbers, user mode, 32 bits.
 */
#include "guest.h"
#include "vm.h"

enum { UNKNOWN = 0x7777 };

static void guest_calls(void)
{
	uint32_t b, c, d, si;
	uint64_t rax = UNKNOWN;

	guest_idt_load();
	GUEST_EXPECT_EQ(GUEST_HYPERCALL("vmcall", UNKNOWN, 1, 2, 3, 4), -KVIRT_HC_ENOSYS);
	GUEST_EXPECT_EQ(GUEST_HYPERCALL("vmmcall", UNKNOWN, 1, 2, 3, 4), -KVIRT_HC_ENOSYS);
	/* In a page that was not written since it was made: the answer does not hang on the guest's code being writable. */
	GUEST_EXPECT_EQ(GUEST_HYPERCALL("vmcall", UNKNOWN, 1, 2, 3, 4), -KVIRT_HC_ENOSYS);
	/* Arguments come back as they were. */
	asm volatile("vmcall" : "+a"(rax), "=b"(b), "=c"(c), "=d"(d), "=S"(si) : "b"(11), "c"(22), "d"(33), "S"(44) : "memory");
	GUEST_EXPECT_EQ(b, 11);
	GUEST_EXPECT_EQ(c, 22);
	GUEST_EXPECT_EQ(d, 33);
	GUEST_EXPECT_EQ(si, 44);
	GUEST_EXPECT_EQ(GUEST_HYPERCALL("vmmcall", KVIRT_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0), 0);
	guest_done();
}

static void both_instructions(void)
{
	vcpu_finish(vcpu_new(vm_new(), 0, guest_calls));
}

static volatile long own_result, foreign_vector, foreign_result;
static volatile bool amd;

#define TRY_CALL(insn)									\
	({										\
		guest_catch.vector = NO_FAULT;						\
		asm volatile("movq $77f, %[c]; " insn "\n77: movq $0, %[c]"		\
			     : "=a"(foreign_result), [c] "+m"(guest_catch.rip)		\
			     : "a"((uint64_t)KVIRT_HC_VAPIC_POLL_IRQ) : "memory");	\
		guest_catch.vector;							\
	})

/*
 * CPL 3: the CPU's own instruction answers with an error. The other vendor's does so on Intel, and raises #GP on AMD with
 * KVM, whose emulator takes VMCALL for privileged; both refuse. INT 0x80 comes back.
 */
static void user_code(void)
{
	if (amd) {
		own_result = GUEST_HYPERCALL("vmmcall", KVIRT_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0);
		foreign_vector = TRY_CALL("vmcall");
	} else {
		own_result = GUEST_HYPERCALL("vmcall", KVIRT_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0);
		foreign_vector = TRY_CALL("vmmcall");
	}
	asm volatile("int $0x80");
	for (;;)
		;
}

static void from_user(struct guest_frame *frame)
{
	GUEST_EXPECT_EQ(frame->cs, SEL_USER_CODE64);
	GUEST_EXPECT_EQ(own_result, -KVIRT_HC_EPERM);
	if (foreign_vector == NO_FAULT)
		GUEST_EXPECT_EQ(foreign_result, -KVIRT_HC_EPERM);
	else
		GUEST_EXPECT_EQ(foreign_vector, 13);
	guest_done();
}

static void guest_user(void)
{
	guest_idt_load();
	guest_handle(0x80, from_user);
	asm volatile("push %0; push %1; pushf; push %2; push %3; iretq"
		     : : "i"(SEL_USER_DATA), "r"(GUEST_STACKS + 0x4000ul - 8), "i"(SEL_USER_CODE64), "r"((uint64_t)user_code));
}

static void user_mode_is_refused(void)
{
	amd = cpu_is_amd();
	vcpu_finish(vcpu_new(vm_new(), 0, guest_user));
}

/* 32-bit code: numbers and answers are cut to 32 bits. */
asm("	.code32\n"
    ".globl call32\n"
    "call32:\n"
    "	mov	$0x7777, %eax\n"
    "	vmcall\n"
    "	mov	$0x520, %dx\n"
    "	out	%eax, %dx\n"
    "	mov	$1, %eax\n"		/* KVIRT_HC_VAPIC_POLL_IRQ */
    "	vmmcall\n"
    "	out	%eax, %dx\n"
    "	hlt\n"
    "	.code64\n");

extern const char call32[];

static void in_32_bits(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);
	struct kvirt_regs r;

	vcpu_cpuid(vcpu);
	vcpu_protected_mode(vcpu, (uintptr_t)call32);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(*(uint32_t *)vcpu_io_data(vcpu), (uint32_t)-KVIRT_HC_ENOSYS);
	r = vcpu_regs(vcpu);
	EXPECT_EQ(r.rax, (uint32_t)-KVIRT_HC_ENOSYS);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(*(uint32_t *)vcpu_io_data(vcpu), 0);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_HLT);
}

static const struct test tests[] = {
	TEST(both_instructions),
	TEST(user_mode_is_refused),
	TEST(in_32_bits),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

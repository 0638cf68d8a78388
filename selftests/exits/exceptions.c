// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions a guest raises itself reach its own handlers, with the right vector, error code and address; two at once make
 * a double fault, and the third ends the VM's run.
 */
#include "guest.h"
#include "vm.h"

enum { DE = 0, BP = 3, UD = 6, NM = 7, DF = 8, NP = 11, SS = 12, GP = 13, PF = 14, MF = 16, AC = 17, XM = 19 };

/* What QEMU's TCG does not have of these, whatever hypervisor there is: INT1, SSE exceptions, alignment checks. */
static volatile bool tcg;
static volatile bool virtual_gif;

static volatile uint64_t vector, error, address, frame_rip;

static struct vcpu *guest(void (*function)(void))
{
	tcg = cpu_is_tcg();
	virtual_gif = tcg && !strcmp(test_dev, "/dev/kvm");
	return vcpu_new(vm_new(), 0, function);
}

static void record(struct guest_frame *frame)
{
	vector = frame->vector;
	error = frame->error;
	address = READ_REGISTER(cr2);
	frame_rip = frame->rip;
}

static void guest_faults(void)
{
	extern const char behind_int3[], behind_int1[];
	uint64_t *table = (uint64_t *)GUEST_PML4, *pd = table + 1024;

	guest_idt_load();
	GUEST_EXPECT_EQ(GUEST_TRY("ud2", "i"(0)), UD);
	GUEST_EXPECT_EQ(GUEST_TRY("xor %%eax, %%eax; xor %%edx, %%edx; div %%eax", "i"(0) : "rax", "rdx", "cc"), DE);
	GUEST_EXPECT_EQ(GUEST_TRY("movb (%[p]), %%al", [p] "r"(1ull << 62) : "rax"), GP);
	GUEST_EXPECT_EQ(guest_catch.error, 0);
	GUEST_EXPECT_EQ(GUEST_TRY("mov %[s], %%ds", [s] "r"(0x1000) : "memory"), GP);
	GUEST_EXPECT_EQ(guest_catch.error, 0x1000);
	GUEST_EXPECT_EQ(GUEST_TRY("int $0x20", "i"(0)), NO_FAULT);

	/* Page faults: not there, read and write; write to a read-only page; reserved bit. */
	GUEST_EXPECT_EQ(GUEST_TRY("movb (%[p]), %%al", [p] "r"(0x123456789abc) : "rax"), PF);
	GUEST_EXPECT_EQ(guest_catch.error, 0);
	GUEST_EXPECT_EQ(READ_REGISTER(cr2), 0x123456789abc);
	GUEST_EXPECT_EQ(GUEST_TRY("movb $1, (%[p])", [p] "r"(0x123456789000) : "memory"), PF);
	GUEST_EXPECT_EQ(guest_catch.error, 2);
	pd[510] = (uint64_t)510 << 21 | 0xe5;
	asm volatile("invlpg (%0)" : : "r"(510ul << 21) : "memory");
	GUEST_EXPECT_EQ(GUEST_TRY("movb $1, (%[p])", [p] "r"(510ul << 21) : "memory"), PF);
	GUEST_EXPECT_EQ(guest_catch.error, 3);
	pd[510] |= 1ull << 51;
	asm volatile("invlpg (%0)" : : "r"(510ul << 21) : "memory");
	GUEST_EXPECT_EQ(GUEST_TRY("movb (%[p]), %%al", [p] "r"(510ul << 21) : "rax", "memory"), PF);
	GUEST_EXPECT_EQ(guest_catch.error & 8, 8);

	/* Traps: RIP is behind the instruction. */
	guest_handle(BP, record);
	asm volatile("int3\n.globl behind_int3\nbehind_int3: nop");
	GUEST_EXPECT_EQ(vector, BP);
	GUEST_EXPECT_EQ(frame_rip, (uint64_t)behind_int3);
	guest_handle(1, record);
	if (!tcg) {
		asm volatile(".byte 0xf1\n.globl behind_int1\nbehind_int1: nop");
		GUEST_EXPECT_EQ(vector, 1);
		GUEST_EXPECT_EQ(frame_rip, (uint64_t)behind_int1);
	}

	/* FPU: not available, and errors of x87 and SSE. */
	WRITE_REGISTER(cr0, READ_REGISTER(cr0) | 8);
	GUEST_EXPECT_EQ(GUEST_TRY("fnop", "i"(0)), NM);
	asm volatile("clts");
	guest_done();
}

static void on_20(struct guest_frame *frame)
{
	vector = frame->vector;
}

static void guest_with_20(void)
{
	guest_handle(0x20, on_20);
	guest_faults();
}

static void faults_and_traps(void)
{
	vcpu_finish(guest(guest_with_20));
}

static void guest_fpu_errors(void)
{
	uint32_t mxcsr = 0x1f80 & ~(1 << 9);
	uint16_t fcw = 0x37f & ~4;

	guest_idt_load();
	/* Divide by zero, unmasked, in SSE; in x87, where the next instruction waits for it. */
	asm volatile("ldmxcsr %0" : : "m"(mxcsr));
	if (!tcg)
		GUEST_EXPECT_EQ(GUEST_TRY("mov $1, %%eax; cvtsi2sd %%eax, %%xmm0; xorpd %%xmm1, %%xmm1; divsd %%xmm1, %%xmm0",
					  "i"(0) : "rax"), XM);
	asm volatile("fninit; fldcw %0" : : "m"(fcw));
	GUEST_EXPECT_EQ(GUEST_TRY("fld1; fldz; fdivrp; fwait", "i"(0)), MF);
	asm volatile("fninit");
	guest_done();
}

static void fpu_errors(void)
{
	vcpu_finish(guest(guest_fpu_errors));
}

/* --- user mode --- */

static void user_code(void)
{
	/* A supervisor's page, an instruction of the supervisor's, alignment. */
	GUEST_EXPECT_EQ(GUEST_TRY("hlt", "i"(0)), GP);
	GUEST_EXPECT_EQ(GUEST_TRY("mov %%cr0, %%rax", "i"(0) : "rax"), GP);
	GUEST_EXPECT_EQ(GUEST_TRY("rdmsr", "c"(0x1b) : "rax", "rdx"), GP);
	GUEST_EXPECT_EQ(GUEST_TRY("movb (%[p]), %%al", [p] "r"(509ul << 21) : "rax", "memory"), PF);
	GUEST_EXPECT_EQ(guest_catch.error, 5);
	if (tcg)
		asm volatile("int $0x80");
	GUEST_EXPECT_EQ(GUEST_TRY("pushfq; orq $0x40000, (%%rsp); popfq; movl 1(%%rsp), %%eax; pushfq; andq $~0x40000, (%%rsp); popfq",
				  "i"(0) : "rax", "cc", "memory"), AC);
	GUEST_EXPECT_EQ(guest_catch.error, 0);
	asm volatile("int $0x80");
	for (;;)
		;
}

static void back(struct guest_frame *frame)
{
	guest_done();
}

static void guest_user(void)
{
	uint64_t *pd = (uint64_t *)GUEST_PML4 + 1024;

	guest_idt_load();
	guest_handle(0x80, back);
	pd[509] = (uint64_t)509 << 21 | 0xe3;
	asm volatile("invlpg (%0)" : : "r"(509ul << 21) : "memory");
	WRITE_REGISTER(cr0, READ_REGISTER(cr0) | 1 << 18);	/* AM */
	/* I/O privilege, so that checks can report from there. */
	asm volatile("push %0; push %1; push $0x3002; push %2; push %3; iretq"
		     : : "i"(SEL_USER_DATA), "r"(GUEST_STACKS + 0x4000ul - 8), "i"(SEL_USER_CODE64), "r"((uint64_t)user_code));
}

static void user_mode(void)
{
	vcpu_finish(guest(guest_user));
}

/* --- double and triple --- */

static void on_double(struct guest_frame *frame)
{
	GUEST_EXPECT_EQ(frame->error, 0);
	guest_stage(8);
	guest_done();
}

static void guest_double(void)
{
	guest_idt_load();
	guest_handle(DF, on_double);
	/* No gate for #GP: the #NP that follows makes it a double fault. */
	((uint8_t *)GUEST_IDT)[GP * 16 + 5] = 0;
	asm volatile("movb (%0), %%al" : : "r"(1ull << 62) : "rax");
	guest_done();
}

static void double_fault(void)
{
	struct vcpu *vcpu = guest(guest_double);

	vcpu_expect_stage(vcpu, 8);
	vcpu_finish(vcpu);
}

static void guest_triple(void)
{
	guest_idt_load();
	((uint8_t *)GUEST_IDT)[GP * 16 + 5] = 0;
	((uint8_t *)GUEST_IDT)[DF * 16 + 5] = 0;
	asm volatile("movb (%0), %%al" : : "r"(1ull << 62) : "rax");
	guest_done();
}

static void triple_fault(void)
{
	vcpu_expect_exit(guest(guest_triple), KVIRT_EXIT_SHUTDOWN);
}

/* What a hypervisor must not let through: the virtualization instructions, and things it does not offer. */
static void guest_forbidden(void)
{
	guest_idt_load();
	GUEST_EXPECT_EQ(GUEST_TRY("vmxoff", "i"(0)), UD);
	GUEST_EXPECT_EQ(GUEST_TRY("vmlaunch", "i"(0)), UD);
	GUEST_EXPECT_EQ(GUEST_TRY("vmread %%rax, %%rax", "i"(0) : "rax"), UD);
	GUEST_EXPECT_EQ(GUEST_TRY("vmrun", "a"(0x1000)), UD);
	/* With virtual GIF KVM lets a guest have these two, though its CPUID has no SVM. */
	if (!virtual_gif) {
		GUEST_EXPECT_EQ(GUEST_TRY("stgi", "i"(0)), UD);
		GUEST_EXPECT_EQ(GUEST_TRY("clgi", "i"(0)), UD);
	}
	/* TCG carries these two out in a guest, intercepted or not. */
	if (!tcg) {
		GUEST_EXPECT_EQ(GUEST_TRY("vmload", "a"(0x1000)), UD);
		GUEST_EXPECT_EQ(GUEST_TRY("vmsave", "a"(0x1000)), UD);
	}
	guest_done();
}

static void virtualization_is_undefined(void)
{
	vcpu_finish(guest(guest_forbidden));
}

static void guest_monitors(void)
{
	guest_idt_load();
	/* Without the CPUID bit they do nothing, until user space has turned that quirk off; then MISC_ENABLE makes the bit. */
	for (int i = 0; i < 4; i++) {
		uint32_t a = 1, b, c = 0, d;

		asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		GUEST_EXPECT_EQ(c >> 3 & 1, i == 2);
		GUEST_EXPECT_EQ(GUEST_TRY("monitor", "a"(&guest_catch), "c"(0), "d"(0) : "memory"), i % 2 ? 6 : NO_FAULT);
		GUEST_EXPECT_EQ(GUEST_TRY("mwait", "a"(0), "c"(0) : "memory"), i % 2 ? 6 : NO_FAULT);
		guest_stage(i);
	}
	guest_done();
}

static void monitor_and_mwait(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_monitors);

	vcpu_expect_stage(vcpu, 0);
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_DISABLE_QUIRKS2, KVIRT_X86_QUIRK_MWAIT_NEVER_UD_FAULTS));
	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_DISABLE_QUIRKS2,
			    KVIRT_X86_QUIRK_MWAIT_NEVER_UD_FAULTS | KVIRT_X86_QUIRK_MISC_ENABLE_NO_MWAIT));
	ASSERT(vcpu_set_msr(vcpu, 0x1a0, 1 << 18));
	vcpu_expect_stage(vcpu, 2);
	ASSERT(vcpu_set_msr(vcpu, 0x1a0, 0));
	vcpu_expect_stage(vcpu, 3);
	vcpu_finish(vcpu);
}

static const struct test tests[] = {
	TEST(faults_and_traps),
	TEST(fpu_errors),
	TEST(user_mode),
	TEST(double_fault),
	TEST(triple_fault),
	TEST(virtualization_is_undefined),
	TEST(monitor_and_mwait),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

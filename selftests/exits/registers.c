// SPDX-License-Identifier: GPL-2.0
/*
 * Control registers, debug registers and XCR0 from inside: what is kept, what raises which fault, and that user space sees
 * the same values.
 */
#include "guest.h"
#include "vm.h"

enum { UD = 6, GP = 13, DB = 1, NM = 7 };

#define CR0_MP	(1ull << 1)
#define CR0_EM	(1ull << 2)
#define CR0_TS	(1ull << 3)
#define CR0_WP	(1ull << 16)
#define CR0_NW	(1ull << 29)
#define CR0_CD	(1ull << 30)
#define CR0_PG	(1ull << 31)
#define CR4_TSD	(1ull << 2)
#define CR4_DE	(1ull << 3)
#define CR4_PAE	(1ull << 5)
#define CR4_PGE	(1ull << 7)
#define CR4_OSXSAVE (1ull << 18)

#define TRY_MOV(reg, value)	GUEST_TRY("mov %[v], %%" #reg, [v] "r"((uint64_t)(value)) : "memory")

static void guest_cr0(void)
{
	uint64_t cr0 = READ_REGISTER(cr0);
	uint32_t msw;

	guest_idt_load();
	GUEST_EXPECT_EQ(cr0, 0x80010033);
	WRITE_REGISTER(cr0, cr0 | CR0_TS);
	GUEST_EXPECT_EQ(READ_REGISTER(cr0), cr0 | CR0_TS);
	guest_stage(1);
	asm volatile("clts");
	GUEST_EXPECT_EQ(READ_REGISTER(cr0), cr0);
	asm volatile("smsw %0" : "=r"(msw));
	GUEST_EXPECT_EQ(msw & 0xffff, cr0 & 0xffff);
	/* LMSW writes PE, MP, EM, TS and cannot clear PE. */
	asm volatile("lmsw %w0" : : "r"(CR0_TS | CR0_MP));
	GUEST_EXPECT_EQ(READ_REGISTER(cr0), cr0 | CR0_TS);
	asm volatile("clts");
	WRITE_REGISTER(cr0, cr0 & ~CR0_WP);
	GUEST_EXPECT_EQ(READ_REGISTER(cr0), cr0 & ~CR0_WP);
	WRITE_REGISTER(cr0, cr0);
	guest_done();
}

static void cr0(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_cr0);

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(vcpu_sregs(vcpu).cr0, 0x8001003b);
	vcpu_finish(vcpu);
	EXPECT_EQ(vcpu_sregs(vcpu).cr0, 0x80010033);
}

static void guest_cr4(void)
{
	uint64_t cr4 = READ_REGISTER(cr4);

	guest_idt_load();
	GUEST_EXPECT_EQ(cr4, 0x620);
	WRITE_REGISTER(cr4, cr4 | CR4_PGE | CR4_TSD | CR4_DE);
	GUEST_EXPECT_EQ(READ_REGISTER(cr4), cr4 | CR4_PGE | CR4_TSD | CR4_DE);
	guest_stage(1);
	WRITE_REGISTER(cr4, cr4);
	guest_done();
}

static void cr4(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_cr4);

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(vcpu_sregs(vcpu).cr4, 0x6ac);
	vcpu_finish(vcpu);
}

static void guest_cr3(void)
{
	uint64_t *table = (uint64_t *)GUEST_PML4, cr3 = READ_REGISTER(cr3);
	uint64_t *pd = table + 1024;
	volatile uint64_t *window = (uint64_t *)0x3fe00000;	/* the last 2 MiB page of the first directory */

	guest_idt_load();
	GUEST_EXPECT_EQ(cr3, GUEST_PML4);
	/* A mapping changed without a flush, then with: by CR3, by INVLPG. */
	pd[511] = GUEST_SCRATCH | 0xe3;
	((uint64_t *)GUEST_SCRATCH)[0] = 0x1111;
	WRITE_REGISTER(cr3, cr3);
	GUEST_EXPECT_EQ(window[0], 0x1111);
	pd[511] = 0xe3;						/* gpa 0 */
	asm volatile("invlpg (%0)" : : "r"(window) : "memory");
	GUEST_EXPECT_EQ(window[GUEST_PML4 / 8], table[0]);
	WRITE_REGISTER(cr2, 0x123456789000);
	GUEST_EXPECT_EQ(READ_REGISTER(cr2), 0x123456789000);
	guest_stage(1);
	GUEST_EXPECT_EQ(READ_REGISTER(cr2), 0x123456789000);
	guest_done();
}

static void cr2_and_cr3(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_cr3);

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(vcpu_sregs(vcpu).cr2, 0x123456789000);
	EXPECT_EQ(vcpu_sregs(vcpu).cr3, GUEST_PML4);
	vcpu_finish(vcpu);
}

static void guest_bad_cr(void)
{
	uint64_t cr0 = READ_REGISTER(cr0), cr3 = READ_REGISTER(cr3), cr4 = READ_REGISTER(cr4);

	guest_idt_load();
	/* NW without CD; PG without PE; no PG in 64-bit code; the upper half. */
	GUEST_EXPECT_EQ(TRY_MOV(cr0, cr0 | CR0_NW), GP);
	GUEST_EXPECT_EQ(TRY_MOV(cr0, cr0 & ~1ull), GP);
	GUEST_EXPECT_EQ(TRY_MOV(cr0, cr0 & ~CR0_PG), GP);
	GUEST_EXPECT_EQ(TRY_MOV(cr0, cr0 | 1ull << 32), GP);
	GUEST_EXPECT_EQ(READ_REGISTER(cr0), cr0);
	GUEST_EXPECT_EQ(TRY_MOV(cr3, cr3 | 1ull << 60), GP);
	GUEST_EXPECT_EQ(READ_REGISTER(cr3), cr3);
	/* No PAE in long mode; bits that are reserved, or whose feature the guest's CPUID has not. */
	GUEST_EXPECT_EQ(TRY_MOV(cr4, cr4 & ~CR4_PAE), GP);
	GUEST_EXPECT_EQ(TRY_MOV(cr4, cr4 | 1ull << 31), GP);
	GUEST_EXPECT_EQ(TRY_MOV(cr4, cr4 | 1ull << 40), GP);
	GUEST_EXPECT_EQ(TRY_MOV(cr4, cr4 | 1ull << 15), GP);
	GUEST_EXPECT_EQ(READ_REGISTER(cr4), cr4);
	guest_done();
}

static void bad_control_registers_raise_gp(void)
{
	if (cpu_is_tcg())
		test_skip("QEMU's TCG does not check what is loaded into control registers");
	vcpu_finish(vcpu_new(vm_new(), 0, guest_bad_cr));
}

static void guest_cr8(void)
{
	guest_idt_load();
	GUEST_EXPECT_EQ(READ_REGISTER(cr8), 0);
	WRITE_REGISTER(cr8, 5);
	GUEST_EXPECT_EQ(READ_REGISTER(cr8), 5);
	guest_stage(1);
	GUEST_EXPECT_EQ(READ_REGISTER(cr8), 9);
	GUEST_EXPECT_EQ(TRY_MOV(cr8, 16), GP);
	GUEST_EXPECT_EQ(READ_REGISTER(cr8), 9);
	guest_done();
}

/* Without an in-kernel APIC the task priority is user space's: a lower one leaves, cr8 in the run page goes both ways. */
static void cr8_without_apic(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_cr8);

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(vcpu->run->cr8, 5);
	EXPECT_EQ(vcpu_sregs(vcpu).cr8, 5);
	vcpu->run->cr8 = 9;
	vcpu_finish(vcpu);
	EXPECT_EQ(vcpu->run->cr8, 9);
}

static void guest_lower_cr8(void)
{
	WRITE_REGISTER(cr8, 5);
	guest_stage(1);
	WRITE_REGISTER(cr8, 7);
	WRITE_REGISTER(cr8, 3);
	guest_stage(2);
	guest_done();
}

static void lower_cr8_leaves(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_lower_cr8);

	vcpu_expect_stage(vcpu, 1);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_SET_TPR);
	EXPECT_EQ(vcpu->run->cr8, 3);
	vcpu_expect_stage(vcpu, 2);
	vcpu_finish(vcpu);
}

static void guest_cr8_apic(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 10);
	WRITE_REGISTER(cr8, 5);
	GUEST_EXPECT_EQ(x2apic_read(APIC_TPR), 0x50);
	x2apic_write(APIC_TPR, 0xa3);
	GUEST_EXPECT_EQ(READ_REGISTER(cr8), 0xa);
	WRITE_REGISTER(cr8, 2);
	guest_stage(1);
	GUEST_EXPECT_EQ(READ_REGISTER(cr8), 2);
	guest_done();
}

static void cr8_with_apic(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new_split(), 0, guest_cr8_apic);

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(vcpu->run->cr8, 2);
	/* Only without an APIC does the run page's value go in. */
	vcpu->run->cr8 = 7;
	vcpu_finish(vcpu);
}

/* --- debug registers --- */

static volatile uint64_t watched;
static volatile uint64_t hits, hit_dr6, hit_rip;

static void on_debug(struct guest_frame *frame)
{
	hits++;
	hit_dr6 = READ_REGISTER(dr6);
	hit_rip = frame->rip;
	WRITE_REGISTER(dr6, 0xffff0ff0);
	frame->rflags &= ~(1ull << 8);
}

static void guest_debug_registers(void)
{
	uint64_t r;

	guest_idt_load();
	guest_handle(DB, on_debug);
	GUEST_EXPECT_EQ(READ_REGISTER(dr6), 0xffff0ff0);
	GUEST_EXPECT_EQ(READ_REGISTER(dr7), 0x400);
	WRITE_REGISTER(dr0, 0x1000);
	WRITE_REGISTER(dr1, 0x2000);
	WRITE_REGISTER(dr2, 0x3000);
	WRITE_REGISTER(dr3, 0x4000);
	guest_stage(1);
	GUEST_EXPECT_EQ(READ_REGISTER(dr0), 0x1111);
	GUEST_EXPECT_EQ(READ_REGISTER(dr1), 0x2000);
	GUEST_EXPECT_EQ(READ_REGISTER(dr2), 0x3000);
	GUEST_EXPECT_EQ(READ_REGISTER(dr3), 0x4000);

	/* DR4 is DR6 unless CR4.DE makes it undefined. */
	asm volatile("mov %%db4, %0" : "=r"(r));
	GUEST_EXPECT_EQ(r, READ_REGISTER(dr6));
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | CR4_DE);
	GUEST_EXPECT_EQ(GUEST_TRY("mov %%db4, %%rax", "i"(0) : "rax", "memory"), UD);
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) & ~CR4_DE);
	GUEST_EXPECT_EQ(TRY_MOV(db7, 1ull << 32), GP);

	/* A data breakpoint on 8 bytes, writes: a trap after the store, and again after an exit. */
	WRITE_REGISTER(dr0, (uint64_t)&watched);
	WRITE_REGISTER(dr7, 0x90402);
	hits = 0;
	watched = 1;
	GUEST_EXPECT_EQ(hits, 1);
	GUEST_EXPECT_EQ(hit_dr6 & 0xf, 1);
	guest_stage(2);
	watched = 2;
	GUEST_EXPECT_EQ(hits, 2);
	WRITE_REGISTER(dr7, 0x400);
	watched = 3;
	GUEST_EXPECT_EQ(hits, 2);
	guest_done();
}

static void debug_registers(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_debug_registers);
	struct kvirt_debugregs d;

	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_DEBUGREGS, &d));
	EXPECT_EQ(d.db[0], 0x1000);
	EXPECT_EQ(d.db[3], 0x4000);
	EXPECT_EQ(d.dr6, 0xffff0ff0);
	EXPECT_EQ(d.dr7, 0x400);
	d.db[0] = 0x1111;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_DEBUGREGS, &d));
	vcpu_expect_stage(vcpu, 2);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_DEBUGREGS, &d));
	EXPECT_EQ(d.dr7, 0x90402);
	vcpu_finish(vcpu);
}

/* Single steps over instructions that exit: each gives its trap behind itself. */
static void guest_steps(void)
{
	extern const char step_cpuid[], step_out[], step_rdmsr[], step_end[];

	guest_idt_load();
	guest_handle(DB, on_debug);
	hits = 0;
	asm volatile("pushf; orq $0x100, (%%rsp); xor %%eax, %%eax; xor %%ecx, %%ecx; popf; cpuid\n"
		     ".globl step_cpuid\n"
		     "step_cpuid: nop" : : : "rax", "rbx", "rcx", "rdx", "memory", "cc");
	GUEST_EXPECT_EQ(hits, 1);
	GUEST_EXPECT_EQ(hit_rip, (uint64_t)step_cpuid);
	GUEST_EXPECT_EQ(hit_dr6 & 0x4000, 0x4000);
	asm volatile("pushf; orq $0x100, (%%rsp); mov $0x520, %%edx; popf; out %%al, %%dx\n"
		     ".globl step_out\n"
		     "step_out: nop" : : : "rdx", "memory", "cc");
	GUEST_EXPECT_EQ(hits, 2);
	GUEST_EXPECT_EQ(hit_rip, (uint64_t)step_out);
	asm volatile("pushf; orq $0x100, (%%rsp); mov $0x1b, %%ecx; popf; rdmsr\n"
		     ".globl step_rdmsr\n"
		     "step_rdmsr: nop" : : : "rax", "rcx", "rdx", "memory", "cc");
	GUEST_EXPECT_EQ(hits, 3);
	GUEST_EXPECT_EQ(hit_rip, (uint64_t)step_rdmsr);
	/* And over one that does not exit. */
	asm volatile("pushf; orq $0x100, (%%rsp); popf; nop\n"
		     ".globl step_end\n"
		     "step_end: nop" : : : "memory", "cc");
	GUEST_EXPECT_EQ(hits, 4);
	GUEST_EXPECT_EQ(hit_rip, (uint64_t)step_end);
	guest_done();
}

static void single_step_over_exits(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_steps);

	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(vcpu->run->io.port, PORT_TEST);
	vcpu_finish(vcpu);
}

/* --- XCR0 --- */

static void guest_xcr0(void)
{
	uint32_t lo, hi;

	guest_idt_load();
	/* Undefined while CR4.OSXSAVE is off. */
	GUEST_EXPECT_EQ(GUEST_TRY("xgetbv", "c"(0) : "rax", "rdx", "memory"), UD);
	GUEST_EXPECT_EQ(GUEST_TRY("xsetbv", "c"(0), "a"(1), "d"(0) : "memory"), UD);
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | CR4_OSXSAVE);
	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	GUEST_EXPECT_EQ(lo, 1);
	GUEST_EXPECT_EQ(hi, 0);
	asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	GUEST_EXPECT_EQ(lo, 7);
	guest_stage(1);
	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	GUEST_EXPECT_EQ(lo, 3);
	guest_done();
}

static void xcr0(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_xcr0);
	struct kvirt_xcrs x;

	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_XCRS, &x));
	EXPECT_EQ(x.nr_xcrs, 1);
	EXPECT_EQ(x.xcrs[0].xcr, 0);
	/* TCG does not intercept XSETBV, so nobody learns of it there. */
	if (!cpu_is_tcg())
		EXPECT_EQ(x.xcrs[0].value, 7);
	x.xcrs[0].value = 3;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_XCRS, &x));
	vcpu_finish(vcpu);
}

static void guest_bad_xcr0(void)
{
	static const uint64_t bad[] = { 0, 2, 5, 1ull << 62 | 1, 1ull << 40 | 1 };
	uint32_t lo, hi;

	guest_idt_load();
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | CR4_OSXSAVE);
	for (unsigned int i = 0; i < COUNT(bad); i++) {
		GUEST_EXPECT_EQ(GUEST_TRY("xsetbv", "c"(0), "a"((uint32_t)bad[i]), "d"((uint32_t)(bad[i] >> 32)) : "memory"), GP);
		GUEST_EXPECT_EQ(guest_catch.error, 0);
	}
	GUEST_EXPECT_EQ(GUEST_TRY("xsetbv", "c"(1), "a"(1), "d"(0) : "memory"), GP);
	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	GUEST_EXPECT_EQ(lo, 1);
	guest_done();
}

static void bad_xcr0_raises_gp(void)
{
	vcpu_finish(vcpu_new(vm_new(), 0, guest_bad_xcr0));
}

static const struct test tests[] = {
	TEST(cr0),
	TEST(cr2_and_cr3),
	TEST(cr4),
	TEST(bad_control_registers_raise_gp),
	TEST(cr8_without_apic),
	TEST(lower_cr8_leaves),
	TEST(cr8_with_apic),
	TEST(debug_registers),
	TEST(single_step_over_exits),
	TEST(xcr0),
	TEST(bad_xcr0_raises_gp),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

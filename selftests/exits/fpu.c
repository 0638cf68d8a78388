// SPDX-License-Identifier: GPL-2.0
/*
 * x87, SSE and AVX registers: the guest's survive every kind of exit, two guests do not see each other's, and the process'
 * own survive RUN. The compiler uses none of these registers in this program, so asm may do with them as it likes.
 */
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

#define CR4_OSXSAVE	(1ull << 18)

static volatile uint8_t pattern;
static volatile bool avx;
static uint8_t stored[16][32] __attribute__((aligned(32)));
static uint8_t source[32] __attribute__((aligned(32)));

#define EACH_REGISTER(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

/* Register n holds bytes of pattern + n. */
static void load(void)
{
#define LOAD(n)									\
	for (int i_ = 0; i_ < 32; i_++)						\
		((volatile uint8_t *)source)[i_] = pattern + n;			\
	if (avx)								\
		asm volatile("vmovdqa %0, %%ymm" #n : : "m"(source));		\
	else									\
		asm volatile("movdqa %0, %%xmm" #n : : "m"(source));
	EACH_REGISTER(LOAD)
}

static void check(void)
{
#define STORE(n)								\
	if (avx)								\
		asm volatile("vmovdqa %%ymm" #n ", %0" : "=m"(stored[n]));	\
	else									\
		asm volatile("movdqa %%xmm" #n ", %0" : "=m"(stored[n]));
	EACH_REGISTER(STORE)
	for (int n = 0; n < 16; n++)
		for (int i = 0; i < (avx ? 32 : 16); i++)
			GUEST_EXPECT_EQ(((volatile uint8_t *)stored[n])[i], (uint8_t)(pattern + n));
}

static void guest_registers(void)
{
	uint32_t a, b, c, d, mxcsr = 0x1f80 | 1 << 13, got = 0;
	uint16_t fcw = 0x27f, got16 = 0;
	uint64_t st = 0;

	if (avx)
		WRITE_REGISTER(cr4, READ_REGISTER(cr4) | CR4_OSXSAVE);
	for (int turn = 0; turn < 4; turn++) {
		pattern += 0x21;
		load();
		asm volatile("fninit; fldcw %0; fldpi; fld1" : : "m"(fcw));
		asm volatile("ldmxcsr %0" : : "m"(mxcsr));
		/* Exits of all kinds: to user space and back, in the kernel, and a fresh page. */
		guest_stage(turn);
		inb(PORT_TEST);
		mmio_read32(GUEST_HOLE);
		cpuid(0, 0, &a, &b, &c, &d);
		((volatile uint8_t *)GUEST_SCRATCH)[turn * 4096] = 1;
		check();
		asm volatile("stmxcsr %0" : "=m"(got));
		GUEST_EXPECT_EQ(got, mxcsr);
		asm volatile("fnstcw %0" : "=m"(got16));
		GUEST_EXPECT_EQ(got16, fcw);
		asm volatile("fstpl %0" : "=m"(st));
		GUEST_EXPECT_EQ(st, 0x3ff0000000000000);
		asm volatile("fstpl %0" : "=m"(st));
		GUEST_EXPECT_EQ(st, 0x400921fb54442d18);
	}
	guest_done();
}

/* The process' own vector registers, all of one byte. */
static uint8_t mine[32] __attribute__((aligned(32))), back[32] __attribute__((aligned(32)));

static bool host_has_avx(void)
{
	uint32_t a, b, c, d;

	cpuid(1, 0, &a, &b, &c, &d);
	return c >> 27 & c >> 28 & 1;
}

/* One RUN by a bare system call, with known values in registers that the guest changes. */
static void run_with_own_registers(struct vcpu *vcpu, uint8_t value)
{
	bool wide = host_has_avx();
	long result;

	memset(mine, value, sizeof(mine));
	memset(back, 0, sizeof(back));
	if (wide)
		asm volatile("vmovdqa %0, %%ymm3; vmovdqa %0, %%ymm15" : : "m"(mine));
	else
		asm volatile("movdqa %0, %%xmm3; movdqa %0, %%xmm15" : : "m"(mine));
	asm volatile("syscall" : "=a"(result) : "a"(16 /* ioctl */), "D"(vcpu->fd), "S"((long)KVIRT_RUN), "d"(0)
		     : "rcx", "r11", "memory");
	ASSERT_EQ(result, 0);
	if (wide)
		asm volatile("vmovdqa %%ymm3, %0" : "=m"(back));
	else
		asm volatile("movdqa %%xmm3, %0" : "=m"(back));
	EXPECT(!memcmp(mine, back, wide ? 32 : 16));
	if (wide)
		asm volatile("vmovdqa %%ymm15, %0; vzeroupper" : "=m"(back));
	else
		asm volatile("movdqa %%xmm15, %0" : "=m"(back));
	EXPECT(!memcmp(mine, back, wide ? 32 : 16));
}

static bool step(struct vcpu *vcpu, uint8_t value)
{
	struct kvirt_regs r;

	run_with_own_registers(vcpu, value);
	if (vcpu->run->exit_reason == KVIRT_EXIT_MMIO)
		return true;
	if (vcpu->run->exit_reason != KVIRT_EXIT_IO)
		vcpu_describe(vcpu);
	ASSERT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_IO);
	if (vcpu->run->io.port == PORT_FAIL) {
		r = vcpu_regs(vcpu);
		test_fail("guest", r.rdi, "%#llx, not %#llx", r.rsi, r.rcx);
	}
	return vcpu->run->io.port != PORT_DONE;
}

/* XCR0 comes from user space, since TCG lets a guest's XSETBV by without telling. */
static struct vcpu *with_avx(void (*guest)(void))
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest);

	vcpu_set_xcr0(vcpu, 7);
	return vcpu;
}

static void two_guests(bool wide)
{
	struct vcpu *one, *two;

	avx = wide;
	pattern = 1;
	one = with_avx(guest_registers);
	pattern = 0x80;
	two = with_avx(guest_registers);
	vcpus_in_turn(one, two, step);
}

static void sse(void)
{
	two_guests(false);
}

static void avx_registers(void)
{
	struct kvirt_cpuid2 *table = dev_cpuid();
	struct kvirt_cpuid_entry2 *e = cpuid_find(table, 1, 0);

	/* Every machine of the tests has AVX, and offers it. */
	ASSERT(host_has_avx());
	ASSERT(e && e->ecx >> 28 & 1);
	two_guests(true);
}

/* A guest that never used AVX finds nothing of anybody's in it. */
static void guest_fresh(void)
{
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | CR4_OSXSAVE);
	asm volatile("vmovdqa %%ymm3, %0; vmovdqa %%ymm15, %1" : "=m"(stored[0]), "=m"(stored[1]));
	for (int i = 0; i < 32; i++)
		GUEST_EXPECT_EQ(((volatile uint8_t *)stored[0])[i] | ((volatile uint8_t *)stored[1])[i], 0);
	guest_done();
}

static void nothing_leaks_in(void)
{
	struct vcpu *vcpu = with_avx(guest_fresh);

	while (step(vcpu, 0x5a))
		;
}

/* What user space sets is what the guest finds, and the other way round. */
static void guest_exchanges(void)
{
	avx = false;
	pattern = 0x20;
	load();
	guest_stage(1);
	pattern = 0x40;
	check();
	pattern = 0x60;
	load();
	guest_done();
}

static void set_and_get(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_exchanges);
	struct kvirt_fpu f;

	/* Registers in use: KVM's SET_FPU leaves those in their initial state that no guest has touched yet. */
	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_FPU, &f));
	EXPECT_EQ(f.xmm[5][0], 0x25);
	for (int n = 0; n < 16; n++)
		memset(f.xmm[n], 0x40 + n, 16);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_FPU, &f));
	vcpu_finish(vcpu);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_FPU, &f));
	for (int n = 0; n < 16; n++)
		for (int i = 0; i < 16; i++)
			EXPECT_EQ(f.xmm[n][i], 0x60 + n);
}

static const struct test tests[] = {
	TEST(sse),
	TEST(avx_registers),
	TEST(nothing_leaks_in),
	TEST(set_and_get),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

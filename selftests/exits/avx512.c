// SPDX-License-Identifier: GPL-2.0
/*
 * AVX-512's registers, for machines that have them: 32 of 512 bits and eight masks survive every kind of exit, two guests and
 * the process do not see each other's, and user space gets and sets them. The compiler uses none of them here.
 */
#include "guest.h"
#include "vm.h"

#define CR4_OSXSAVE	(1ull << 18)
#define AVX512		0xe7ull

/* As CPUID leaf 0xd places them: component 5 the masks, 6 the upper halves of the lower 16, 7 the upper 16. */
enum { MASKS = 5, UPPER_HALVES = 6, UPPER_16 = 7, XSTATE_BV = 512 };

static volatile uint8_t pattern;
static uint8_t zmm[32][64] __attribute__((aligned(64))), source[64] __attribute__((aligned(64)));
static uint64_t mask[8];

#define EACH_8(X, base) X(base##0) X(base##1) X(base##2) X(base##3) X(base##4) X(base##5) X(base##6) X(base##7)
#define EACH_MASK(X) EACH_8(X, )
#define EACH_ZMM(X) EACH_8(X, ) X(8) X(9) EACH_8(X, 1) X(18) X(19) EACH_8(X, 2) X(28) X(29) X(30) X(31)

/* ZMM n holds bytes of pattern + n, mask n words of the same. */
static void load(void)
{
	uint64_t word;

#define LOAD_ZMM(n)								\
	for (int i_ = 0; i_ < 64; i_++)						\
		((volatile uint8_t *)source)[i_] = pattern + n;			\
	asm volatile("vmovdqa64 %0, %%zmm" #n : : "m"(source));
	EACH_ZMM(LOAD_ZMM)
#define LOAD_MASK(n)								\
	word = (uint8_t)(pattern + n) * 0x0101010101010101ull;			\
	asm volatile("kmovq %0, %%k" #n : : "r"(word));
	EACH_MASK(LOAD_MASK)
}

static void store(void)
{
#define STORE_ZMM(n) asm volatile("vmovdqa64 %%zmm" #n ", %0" : "=m"(zmm[n]));
	EACH_ZMM(STORE_ZMM)
#define STORE_MASK(n) asm volatile("kmovq %%k" #n ", %0" : "=m"(mask[n]));
	EACH_MASK(STORE_MASK)
}

static void check(uint8_t first)
{
	store();
	for (int n = 0; n < 32; n++)
		for (int i = 0; i < 64; i += 21)
			GUEST_EXPECT_EQ(((volatile uint8_t *)zmm[n])[i], (uint8_t)(first + n));
	for (int n = 0; n < 8; n++)
		GUEST_EXPECT_EQ(((volatile uint64_t *)mask)[n], (uint8_t)(first + n) * 0x0101010101010101ull);
}

static void guest_registers(void)
{
	uint32_t a, b, c, d;

	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | CR4_OSXSAVE);
	for (int turn = 0; turn < 3; turn++) {
		pattern += 0x21;
		load();
		guest_stage(turn);
		mmio_read32(GUEST_HOLE);
		cpuid(0, 0, &a, &b, &c, &d);
		((volatile uint8_t *)GUEST_SCRATCH)[turn * 4096] = 1;
		check(pattern);
	}
	guest_done();
}

static struct vcpu *with_avx512(void (*guest)(void))
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest);

	vcpu_set_xcr0(vcpu, AVX512);
	return vcpu;
}

/* One RUN by a bare system call, the process' own registers full of @value. True until the guest is done. */
static bool step(struct vcpu *vcpu, uint8_t value)
{
	static uint8_t back[64] __attribute__((aligned(64)));
	uint64_t word = value, k;
	long result;

	memset(source, value, sizeof(source));
	asm volatile("vmovdqa64 %0, %%zmm2; vmovdqa64 %0, %%zmm29; kmovq %1, %%k3" : : "m"(source), "r"(word));
	asm volatile("syscall" : "=a"(result) : "a"(16 /* ioctl */), "D"(vcpu->fd), "S"((long)KVIRT_RUN), "d"(0)
		     : "rcx", "r11", "memory");
	asm volatile("kmovq %%k3, %0; vmovdqa64 %%zmm29, %1" : "=r"(k), "=m"(back));
	EXPECT(!memcmp(source, back, 64));
	asm volatile("vmovdqa64 %%zmm2, %0; vzeroupper" : "=m"(back));
	EXPECT(!memcmp(source, back, 64));
	EXPECT_EQ(k, word);
	ASSERT_EQ(result, 0);
	if (vcpu->run->exit_reason == KVIRT_EXIT_MMIO)
		return true;
	ASSERT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_IO);
	ASSERT(vcpu->run->io.port != PORT_FAIL);
	return vcpu->run->io.port != PORT_DONE;
}

static void two_guests(void)
{
	struct vcpu *one, *two;

	pattern = 1;
	one = with_avx512(guest_registers);
	pattern = 0x80;
	two = with_avx512(guest_registers);
	vcpus_in_turn(one, two, step);
}

/* A guest that never used them finds nothing of anybody's. */
static void guest_fresh(void)
{
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | CR4_OSXSAVE);
	store();
	for (int n = 0; n < 32; n++)
		for (int i = 0; i < 64; i += 21)
			GUEST_EXPECT_EQ(((volatile uint8_t *)zmm[n])[i], 0);
	for (int n = 0; n < 8; n++)
		GUEST_EXPECT_EQ(((volatile uint64_t *)mask)[n], 0);
	guest_done();
}

static void nothing_leaks_in(void)
{
	struct vcpu *vcpu = with_avx512(guest_fresh);

	while (step(vcpu, 0x5a))
		;
}

static uint32_t offset_of(int component)
{
	uint32_t a, offset, c, d;

	cpuid(0xd, component, &a, &offset, &c, &d);
	return offset;
}

/* What user space gets it sets into another vCPU, with one mask and two registers changed. */
static void guest_gives(void)
{
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | CR4_OSXSAVE);
	pattern = 0x20;
	load();
	guest_done();
}

static void guest_takes(void)
{
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | CR4_OSXSAVE);
	store();
	GUEST_EXPECT_EQ(((volatile uint64_t *)mask)[2], 0x1234567890abcdef);
	GUEST_EXPECT_EQ(((volatile uint64_t *)mask)[7], 0x2727272727272727);
	GUEST_EXPECT_EQ(((volatile uint8_t *)zmm[4])[0], 0x24);
	GUEST_EXPECT_EQ(((volatile uint8_t *)zmm[4])[32], 0xaa);
	GUEST_EXPECT_EQ(((volatile uint8_t *)zmm[17])[63], 0xbb);
	GUEST_EXPECT_EQ(((volatile uint8_t *)zmm[31])[0], 0x3f);
	guest_done();
}

static void set_and_get(void)
{
	static struct kvirt_xsave x, again;
	struct vcpu *vcpu = with_avx512(guest_gives);
	uint8_t *image = (void *)&x;
	uint64_t present;

	vcpu_finish(vcpu);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_XSAVE, &x));
	memcpy(&present, image + XSTATE_BV, sizeof(present));
	EXPECT_EQ(present & AVX512, AVX512 & ~1ull);
	*(uint64_t *)(image + offset_of(MASKS) + 2 * 8) = 0x1234567890abcdef;
	image[offset_of(UPPER_HALVES) + 4 * 32] = 0xaa;
	image[offset_of(UPPER_16) + 64 + 63] = 0xbb;
	vcpu = with_avx512(guest_takes);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_XSAVE, &x));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_XSAVE, &again));
	EXPECT(!memcmp(&x, &again, sizeof(x)));
	vcpu_finish(vcpu);
}

static const struct test tests[] = {
	TEST(two_guests),
	TEST(nothing_leaks_in),
	TEST(set_and_get),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

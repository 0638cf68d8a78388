// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU's state by ioctl: each kind with right use, wrong use, and its state surviving get, set into a new vCPU, get.
 */
#include <stdlib.h>

#include "vm.h"

#define BAD_POINTER	((void *)0x10ul)

/* Every byte of a structure of this kind comes back, and no errno but EFAULT is to be had by a pointer. */
#define BAD_POINTERS(vcpu, get, set)						\
	do {									\
		EXPECT_ERRNO(ioctl((vcpu)->fd, get, NULL), EFAULT);		\
		EXPECT_ERRNO(ioctl((vcpu)->fd, get, BAD_POINTER), EFAULT);	\
		EXPECT_ERRNO(ioctl((vcpu)->fd, set, NULL), EFAULT);		\
		EXPECT_ERRNO(ioctl((vcpu)->fd, set, BAD_POINTER), EFAULT);	\
	} while (0)

static struct vcpu *fresh(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_bare(), 0);

	vcpu_cpuid(vcpu);
	return vcpu;
}

static struct vcpu *fresh_split(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu;

	ASSERT_OK(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24));
	vcpu = vcpu_bare(vm, 0);
	vcpu_cpuid(vcpu);
	return vcpu;
}

static void regs(void)
{
	struct vcpu *vcpu = fresh(), *other = fresh();
	struct kvirt_regs r, back;
	uint64_t *words = (uint64_t *)&r;

	for (size_t i = 0; i < sizeof(r) / 8; i++)
		words[i] = 0x1010101010101010 * (i % 15 + 1);
	r.rip = 0x1234;
	r.rflags = 0x246;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_REGS, &r));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_REGS, &back));
	EXPECT(!memcmp(&r, &back, sizeof(r)));
	ASSERT_OK(ioctl(other->fd, KVIRT_SET_REGS, &back));
	memset(&back, 0xff, sizeof(back));
	ASSERT_OK(ioctl(other->fd, KVIRT_GET_REGS, &back));
	EXPECT(!memcmp(&r, &back, sizeof(r)));
	/* Bit 1 is always one. */
	r.rflags = 0;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_REGS, &r));
	EXPECT_EQ(vcpu_regs(vcpu).rflags, 2);
	BAD_POINTERS(vcpu, KVIRT_GET_REGS, KVIRT_SET_REGS);
	EXPECT_EQ(vcpu_regs(vcpu).rax, r.rax);
}

static void sregs(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0), *other = fresh();
	struct kvirt_sregs s, back;

	vcpu_cpuid(vcpu);
	vcpu_long_mode(vcpu, 0x1000);
	s = vcpu_sregs(vcpu);
	s.fs.base = 0x7f1234567000;
	s.gs.base = 0xffff888012340000;
	s.ds.limit = 0xabcdefff;
	s.es.selector = 0x2b;
	s.ldt = (struct kvirt_segment){ .base = 0x5000, .limit = 0xfff, .selector = 0x50, .type = 2, .present = 1 };
	s.idt.base = 0xffffffff81000000;
	s.idt.limit = 0xabc;
	s.cr2 = 0x123456789;
	s.cr4 |= 0x80;
	s.efer |= 1;
	s.cr8 = 7;
	s.interrupt_bitmap[1] = 1ull << 5;
	vcpu_set_sregs(vcpu, &s);
	back = vcpu_sregs(vcpu);
	EXPECT(!memcmp(&s, &back, sizeof(s)));
	vcpu_set_sregs(other, &back);
	memset(&back, 0xff, sizeof(back));
	back = vcpu_sregs(other);
	EXPECT(!memcmp(&s, &back, sizeof(s)));
	for (size_t i = 0; i < sizeof(s); i++)
		if (((uint8_t *)&s)[i] != ((uint8_t *)&back)[i])
			test_note("byte %zu is %#x, not %#x", i, ((uint8_t *)&back)[i], ((uint8_t *)&s)[i]);
	BAD_POINTERS(vcpu, KVIRT_GET_SREGS, KVIRT_SET_SREGS);
}

static void expect_sregs_refused(struct vcpu *vcpu, const struct kvirt_sregs *bad)
{
	struct kvirt_sregs before = vcpu_sregs(vcpu), after;

	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_SREGS, bad), EINVAL);
	after = vcpu_sregs(vcpu);
	EXPECT(!memcmp(&before, &after, sizeof(before)));
}

static void bad_sregs(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);
	struct kvirt_sregs good, s;

	vcpu_cpuid(vcpu);
	vcpu_long_mode(vcpu, 0x1000);
	good = vcpu_sregs(vcpu);
#define REFUSED(change)	do { s = good; change; expect_sregs_refused(vcpu, &s); } while (0)
	/* Long mode: paging needs PAE and LMA; a reserved bit in CR3. */
	REFUSED(s.cr4 &= ~0x20ull);
	REFUSED(s.efer &= ~0x400ull);
	REFUSED(s.cr3 |= 1ull << 62);
	/* No long mode: then no LMA, and no 64-bit CS. */
	REFUSED(s.cr0 &= ~(1ull << 31));
	REFUSED(s.efer &= ~0x100ull);
	REFUSED((s.cr0 &= ~(1ull << 31), s.efer &= ~0x400ull));
	/* CR4: reserved, or not in this guest's CPUID; VMX without nesting is none of the guest's. */
	REFUSED(s.cr4 |= 1ull << 31);
	REFUSED(s.cr4 |= 1ull << 15);
	REFUSED(s.cr4 |= 1ull << 40);
	/* APIC_BASE: reserved bits; x2APIC without the enable. */
	REFUSED(s.apic_base |= 1ull << 62);
	REFUSED(s.apic_base |= 1);
	REFUSED((s.apic_base &= ~(1ull << 11), s.apic_base |= 1 << 10));
	/* CR0: upper half; PG without PE; NW without CD. */
	REFUSED(s.cr0 |= 1ull << 32);
	REFUSED(s.cr0 &= ~1ull);
	REFUSED(s.cr0 |= 1ull << 29);
#undef REFUSED
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_SREGS, &good));
}

/* CR4.PCIDE outside long mode is for the CPU to refuse, which only VT-x does. */
static void pcide_without_long_mode(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);
	struct kvirt_cpuid2 *cpuid = dev_cpuid();
	bool pcid = cpuid_find(cpuid, 1, 0)->ecx & 1 << 17;
	struct kvirt_sregs s;

	free(cpuid);
	vcpu_cpuid(vcpu);
	s = vcpu_sregs(vcpu);
	s.cr4 |= 1 << 17;
	if (!pcid) {
		expect_sregs_refused(vcpu, &s);
		return;
	}
	vcpu_set_sregs(vcpu, &s);
	EXPECT_EQ(vcpu_sregs(vcpu).cr4, s.cr4);
	if (!cpu_is_amd())
		vcpu_expect_exit(vcpu, KVIRT_EXIT_FAIL_ENTRY);
}

static void sregs2(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);
	struct kvirt_sregs2 s, back;
	struct kvirt_sregs one;

	vcpu_cpuid(vcpu);
	vcpu_long_mode(vcpu, 0x1000);
	one = vcpu_sregs(vcpu);
	memset(&s, 0xff, sizeof(s));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_SREGS2, &s));
	EXPECT_EQ(s.flags, 0);
	EXPECT(!memcmp(&s, &one, offsetof(struct kvirt_sregs, interrupt_bitmap)));
	s.flags = 2;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_SREGS2, &s), EINVAL);
	/* Four directory entries, outside of PAE paging. */
	s.flags = KVIRT_SREGS2_FLAGS_PDPTRS_VALID;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_SREGS2, &s), EINVAL);
	s.flags = 0;
	s.cr2 = 0x7777;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_SREGS2, &s));
	EXPECT_EQ(vcpu_sregs(vcpu).cr2, 0x7777);

	/* PAE paging. */
	s.efer = 0;
	s.cs.l = 0;
	s.cs.db = 1;
	s.cr0 = 0x80000031;
	s.cr4 = 0x20;
	s.cr3 = GUEST_SCRATCH;
	for (int i = 0; i < 4; i++)
		((uint64_t *)vm_at(vcpu->vm, GUEST_SCRATCH))[i] = (GUEST_SCRATCH + 0x1000 * (i + 1)) | 1;
	for (int i = 0; i < 4; i++)
		s.pdptrs[i] = (GUEST_SCRATCH + 0x10000 * (i + 1)) | 1;
	s.flags = KVIRT_SREGS2_FLAGS_PDPTRS_VALID;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_SREGS2, &s));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_SREGS2, &back));
	EXPECT_EQ(back.flags, KVIRT_SREGS2_FLAGS_PDPTRS_VALID);
	/* What was set is kept, though memory says something else. */
	EXPECT(!memcmp(s.pdptrs, back.pdptrs, sizeof(s.pdptrs)));
	EXPECT_EQ(back.cr3, GUEST_SCRATCH);
	/* Without the flag memory is read. */
	s.flags = 0;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_SREGS2, &s));
	BAD_POINTERS(vcpu, KVIRT_GET_SREGS2, KVIRT_SET_SREGS2);
}

static void fpu(void)
{
	struct vcpu *vcpu = fresh(), *other = fresh();
	struct kvirt_fpu f, back;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_FPU, &f));
	EXPECT_EQ(f.fcw, 0x37f);
	EXPECT_EQ(f.fsw, 0);
	EXPECT_EQ(f.ftwx, 0);
	memset(&f, 0, sizeof(f));
	for (int i = 0; i < 8; i++)
		memset(f.fpr[i], 0x10 + i, 10);
	for (int i = 0; i < 16; i++)
		memset(f.xmm[i], 0xa0 + i, 16);
	f.fcw = 0x27f;
	f.fsw = 0x3800;
	f.ftwx = 0xff;
	f.last_opcode = 0x123;
	f.last_ip = 0x12345678;
	f.last_dp = 0x9abcdef0;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_FPU, &f));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_FPU, &back));
	EXPECT(!memcmp(&f, &back, sizeof(f)));
	ASSERT_OK(ioctl(other->fd, KVIRT_SET_FPU, &back));
	memset(&back, 0xff, sizeof(back));
	ASSERT_OK(ioctl(other->fd, KVIRT_GET_FPU, &back));
	/* MXCSR is in the structure only. */
	EXPECT_EQ(back.mxcsr, 0);
	EXPECT(!memcmp(&f, &back, sizeof(f)));
	BAD_POINTERS(vcpu, KVIRT_GET_FPU, KVIRT_SET_FPU);
}

/* Offsets inside the image (SDM 13.4). */
enum { X_FCW = 0, X_MXCSR = 24, X_ST0 = 32, X_XMM0 = 160, X_BV = 512, X_COMP = 520, X_RESERVED = 528, X_YMM0 = 576 };

static uint8_t *xsave_image(struct vcpu *vcpu, size_t *size)
{
	uint8_t *image;

	*size = ASSERT_OK(ioctl(vcpu->vm->fd, KVIRT_CHECK_EXTENSION, KVIRT_CAP_XSAVE2));
	ASSERT(*size >= 4096);
	image = calloc(1, *size);
	ASSERT(image);
	return image;
}

static void xsave(void)
{
	struct vcpu *vcpu = fresh(), *other = fresh();
	size_t size;
	uint8_t *image = xsave_image(vcpu, &size), *back = xsave_image(vcpu, &size);
	uint64_t *bv = (uint64_t *)(image + X_BV);
	struct kvirt_fpu f;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_XSAVE, image));
	EXPECT_EQ(*(uint16_t *)(image + X_FCW), 0x37f);
	EXPECT_EQ(*(uint32_t *)(image + X_MXCSR), 0x1f80);
	for (int i = 0; i < 16; i++)
		memset(image + X_XMM0 + 16 * i, 0x30 + i, 16);
	for (int i = 0; i < 16; i++)
		memset(image + X_YMM0 + 16 * i, 0x70 + i, 16);
	*(uint32_t *)(image + X_MXCSR) = 0x9f80;
	*bv = 7;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_XSAVE, image));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_XSAVE2, back));
	EXPECT(!memcmp(image + X_XMM0, back + X_XMM0, 256));
	EXPECT(!memcmp(image + X_YMM0, back + X_YMM0, 256));
	EXPECT_EQ(*(uint32_t *)(back + X_MXCSR), 0x9f80);
	EXPECT_EQ(*(uint64_t *)(back + X_BV) & 6, 6);
	EXPECT_EQ(*(uint64_t *)(back + X_COMP), 0);
	ASSERT_OK(ioctl(other->fd, KVIRT_SET_XSAVE, back));
	memset(image, 0xff, size);
	ASSERT_OK(ioctl(other->fd, KVIRT_GET_XSAVE2, image));
	EXPECT(!memcmp(image, back, 832));
	/* The two views are one state. */
	ASSERT_OK(ioctl(other->fd, KVIRT_GET_FPU, &f));
	EXPECT_EQ(f.xmm[3][0], 0x33);
	BAD_POINTERS(vcpu, KVIRT_GET_XSAVE, KVIRT_SET_XSAVE);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_GET_XSAVE2, BAD_POINTER), EFAULT);
}

/* A component whose bit is clear in the header comes back in its initial state. */
static void xsave_init_state(void)
{
	struct vcpu *vcpu = fresh();
	size_t size;
	uint8_t *image = xsave_image(vcpu, &size);

	*(uint32_t *)(image + X_MXCSR) = 0x1f80;
	*(uint64_t *)(image + X_BV) = 7;
	memset(image + X_XMM0, 0xee, 256);
	memset(image + X_YMM0, 0xee, 256);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_XSAVE, image));
	*(uint64_t *)(image + X_BV) = 2;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_XSAVE, image));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_XSAVE, image));
	EXPECT_EQ(image[X_XMM0], 0xee);
	EXPECT_EQ(image[X_YMM0], 0);
	EXPECT_EQ(image[X_YMM0 + 255], 0);
}

static void bad_xsave(void)
{
	struct vcpu *vcpu = fresh();
	size_t size;
	uint8_t *good = xsave_image(vcpu, &size), *image = xsave_image(vcpu, &size), *back = xsave_image(vcpu, &size);

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_XSAVE, good));
#define REFUSED(change)									\
	do {										\
		memcpy(image, good, size);						\
		image[X_XMM0] ^= 0xff;							\
		*(uint64_t *)(image + X_BV) |= 2;					\
		change;									\
		EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_XSAVE, image), EINVAL);		\
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_XSAVE, back));			\
		EXPECT(!memcmp(good, back, 832));					\
	} while (0)
	REFUSED(*(uint64_t *)(image + X_BV) |= 1ull << 62);
	REFUSED(*(uint64_t *)(image + X_BV) |= 1ull << 40);
	/* No compacted images, and the rest of the header is reserved. */
	REFUSED(*(uint64_t *)(image + X_COMP) = 1ull << 63);
	REFUSED(*(uint64_t *)(image + X_COMP) = 1);
	REFUSED(image[X_RESERVED] = 1);
	REFUSED(image[X_RESERVED + 47] = 1);
	REFUSED(*(uint32_t *)(image + X_MXCSR) |= 1u << 31);
	REFUSED(*(uint32_t *)(image + X_MXCSR) |= 1u << 16);
#undef REFUSED
}

static void xcrs(void)
{
	struct vcpu *vcpu = fresh(), *other = fresh();
	struct kvirt_xcrs x, back;

	memset(&x, 0xff, sizeof(x));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_XCRS, &x));
	EXPECT_EQ(x.nr_xcrs, 1);
	EXPECT_EQ(x.flags, 0);
	EXPECT_EQ(x.xcrs[0].xcr, 0);
	EXPECT_EQ(x.xcrs[0].value, 1);
	x.xcrs[0].value = 7;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_XCRS, &x));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_XCRS, &back));
	EXPECT_EQ(back.xcrs[0].value, 7);
	ASSERT_OK(ioctl(other->fd, KVIRT_SET_XCRS, &back));
	ASSERT_OK(ioctl(other->fd, KVIRT_GET_XCRS, &x));
	EXPECT_EQ(x.xcrs[0].value, 7);

#define REFUSED(change)									\
	do {										\
		x = back;								\
		x.xcrs[0].value = 3;							\
		change;									\
		EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_XCRS, &x), EINVAL);		\
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_XCRS, &x));				\
		EXPECT_EQ(x.xcrs[0].value, 7);						\
	} while (0)
	REFUSED(x.nr_xcrs = 17);
	REFUSED(x.flags = 1);
	REFUSED(x.xcrs[0].value = 0);
	REFUSED(x.xcrs[0].value = 2);
	REFUSED(x.xcrs[0].value = 5);
	REFUSED(x.xcrs[0].value = 1ull << 62 | 7);
#undef REFUSED
	/* None at all, and only ones that are not XCR0. */
	x = back;
	x.nr_xcrs = 0;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_XCRS, &x));
	x.nr_xcrs = 1;
	x.xcrs[0].xcr = 5;
	x.xcrs[0].value = 3;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_XCRS, &x));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_XCRS, &x));
	EXPECT_EQ(x.xcrs[0].value, 7);
	BAD_POINTERS(vcpu, KVIRT_GET_XCRS, KVIRT_SET_XCRS);
}

static void debugregs(void)
{
	struct vcpu *vcpu = fresh(), *other = fresh();
	struct kvirt_debugregs d = { { 0x1000, 0x7fff12345678, 0x3000, 0xffffffff81000000 }, 0xffff0ff1, 0x455 }, back;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_DEBUGREGS, &d));
	memset(&back, 0xff, sizeof(back));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_DEBUGREGS, &back));
	EXPECT(!memcmp(&d, &back, sizeof(d)));
	ASSERT_OK(ioctl(other->fd, KVIRT_SET_DEBUGREGS, &back));
	ASSERT_OK(ioctl(other->fd, KVIRT_GET_DEBUGREGS, &back));
	EXPECT(!memcmp(&d, &back, sizeof(d)));
#define REFUSED(change)									\
	do {										\
		back = d;								\
		back.db[0] = 0x9999;							\
		change;									\
		EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_DEBUGREGS, &back), EINVAL);	\
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_DEBUGREGS, &back));			\
		EXPECT(!memcmp(&d, &back, sizeof(d)));					\
	} while (0)
	REFUSED(back.flags = 1);
	REFUSED(back.dr6 |= 1ull << 32);
	REFUSED(back.dr7 |= 1ull << 63);
#undef REFUSED
	BAD_POINTERS(vcpu, KVIRT_GET_DEBUGREGS, KVIRT_SET_DEBUGREGS);
}

struct msr_list {
	struct kvirt_msrs head;
	struct kvirt_msr_entry entry[256];
};

static void msrs(void)
{
	struct vcpu *vcpu = fresh(), *other = fresh();
	static struct msr_list m, back;
	uint64_t value = 0;
	static const struct kvirt_msr_entry good[] = {
		{ 0xc0000081, 0, 0x0023001000000000 }, { 0xc0000082, 0, 0xffffffff81000000 }, { 0xc0000083, 0, 0x400000 },
		{ 0xc0000084, 0, 0x47700 }, { 0xc0000102, 0, 0xffff888000000000 }, { 0x174, 0, 0x10 }, { 0x175, 0, 0x1234 },
		{ 0x176, 0, 0x81000000 }, { 0x277, 0, 0x0007040600070406 }, { 0xc0000103, 0, 77 }, { 0x2ff, 0, 0xc06 },
	};

	m.head.nmsrs = COUNT(good);
	memcpy(m.entry, good, sizeof(good));
	EXPECT_EQ(ioctl(vcpu->fd, KVIRT_SET_MSRS, &m), COUNT(good));
	back = m;
	for (size_t i = 0; i < COUNT(good); i++)
		back.entry[i].data = 0x5555;
	EXPECT_EQ(ioctl(vcpu->fd, KVIRT_GET_MSRS, &back), COUNT(good));
	EXPECT(!memcmp(&m, &back, sizeof(m)));
	EXPECT_EQ(ioctl(other->fd, KVIRT_SET_MSRS, &back), COUNT(good));
	EXPECT_EQ(ioctl(other->fd, KVIRT_GET_MSRS, &back), COUNT(good));
	EXPECT(!memcmp(&m, &back, sizeof(m)));

	/* None is fine; the first that is refused ends the call, with those before it done and those after untouched. */
	m.head.nmsrs = 0;
	EXPECT_EQ(ioctl(vcpu->fd, KVIRT_SET_MSRS, &m), 0);
	EXPECT_EQ(ioctl(vcpu->fd, KVIRT_GET_MSRS, &m), 0);
	m.head.nmsrs = 3;
	m.entry[0] = (struct kvirt_msr_entry){ 0xc0000084, 0, 0x200 };
	m.entry[1] = (struct kvirt_msr_entry){ 0x12345678, 0, 1 };
	m.entry[2] = (struct kvirt_msr_entry){ 0xc0000083, 0, 0x999000 };
	EXPECT_EQ(ioctl(vcpu->fd, KVIRT_SET_MSRS, &m), 1);
	m.entry[1].data = 0x77;
	EXPECT_EQ(ioctl(vcpu->fd, KVIRT_GET_MSRS, &m), 1);
	EXPECT_EQ(m.entry[0].data, 0x200);
	EXPECT_EQ(m.entry[2].data, 0x999000);
	m.entry[1].index = 0xc0000083;
	m.head.nmsrs = 2;
	EXPECT_EQ(ioctl(vcpu->fd, KVIRT_GET_MSRS, &m), 2);
	EXPECT_EQ(m.entry[1].data, 0x400000);

	/* Values that a register cannot hold. */
	EXPECT_EQ(vcpu_set_msr(vcpu, 0xc0000082, 1ull << 62), 0);
	EXPECT_EQ(vcpu_set_msr(vcpu, 0x277, 0x02), 0);
	EXPECT_EQ(vcpu_set_msr(vcpu, 0xc0000080, 1ull << 62), 0);
	EXPECT_EQ(vcpu_set_msr(vcpu, 0x2ff, 2), 0);
	/* SPEC_CTRL has no bit on the emulated CPUs (both let KVM, which tries it out, write it all the same). */
	if (!strstr(test_dev, "kvm"))
		EXPECT_EQ(vcpu_set_msr(vcpu, 0x48, 0x87), 0);

	/* EFER.LMA follows from LME and paging, never from a write. */
	EXPECT_EQ(vcpu_set_msr(vcpu, 0xc0000080, 0x500), 1);
	EXPECT_EQ(vcpu_get_msr(vcpu, 0xc0000080, &value), 1);
	EXPECT_EQ(value, 0x100);

	m.head.nmsrs = 256;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_GET_MSRS, &m), E2BIG);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_MSRS, &m), E2BIG);
	m.head.nmsrs = -1u;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_GET_MSRS, &m), E2BIG);
	BAD_POINTERS(vcpu, KVIRT_GET_MSRS, KVIRT_SET_MSRS);
}

static void cpuid2(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);
	struct kvirt_cpuid2 *table = dev_cpuid();
	struct kvirt_cpuid2 *back = calloc(1, sizeof(*back) + 257 * sizeof(back->entries[0]));
	struct kvirt_sregs sregs = vcpu_sregs(vcpu);
	uint32_t count = table->nent;

	back->nent = 256;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_GET_CPUID2, back));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table));
	back->nent = count - 1;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_GET_CPUID2, back), E2BIG);
	back->nent = 256;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_GET_CPUID2, back));
	/* KVM 6.1 leaves nent as it was given, later ones say how many there are. */
	EXPECT(back->nent == 256 || back->nent == count);
	EXPECT_EQ(back->entries[count].function | back->entries[count].eax | back->entries[count].flags, 0);
	for (uint32_t i = 0; i < count; i++) {
		EXPECT_EQ(back->entries[i].function, table->entries[i].function);
		EXPECT_EQ(back->entries[i].index, table->entries[i].index);
		EXPECT_EQ(back->entries[i].flags, table->entries[i].flags);
		EXPECT_EQ(back->entries[i].eax, table->entries[i].eax);
		/* Leaves 1, 7 and 0xd have live bits. */
		if (table->entries[i].function != 1 && table->entries[i].function != 7 && table->entries[i].function != 0xd) {
			EXPECT_EQ(back->entries[i].ebx, table->entries[i].ebx);
			EXPECT_EQ(back->entries[i].ecx, table->entries[i].ecx);
			EXPECT_EQ(back->entries[i].edx, table->entries[i].edx);
		}
	}
	/* Live bits are those of now: OSXSAVE, and the size for this XCR0. */
	sregs.cr4 |= 1 << 18;
	vcpu_set_sregs(vcpu, &sregs);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_GET_CPUID2, back));
	EXPECT(cpuid_find(back, 1, 0)->ecx & 1 << 27);
	EXPECT_EQ(cpuid_find(back, 0xd, 0)->ebx, 576);
	sregs.cr4 &= ~(1 << 18);
	vcpu_set_sregs(vcpu, &sregs);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_GET_CPUID2, back));
	EXPECT_EQ(cpuid_find(back, 1, 0)->ecx & 1 << 27, 0);
	table->nent = 257;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table), E2BIG);
	table->nent = -1u;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table), E2BIG);
	table->nent = 0;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table));
	back->nent = 0;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_GET_CPUID2, back));
	EXPECT_EQ(back->nent, 0);
	BAD_POINTERS(vcpu, KVIRT_GET_CPUID2, KVIRT_SET_CPUID2);
}

asm("	.code16\n"
    ".globl halt16_begin, halt16_end\n"
    "halt16_begin: hlt\n"
    "	hlt\n"
    "halt16_end:\n"
    "	.code64\n");
extern const char halt16_begin[], halt16_end[];

/* Once it has run, a vCPU keeps its CPUID. */
static void cpuid2_after_run(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);
	struct kvirt_cpuid2 *table = dev_cpuid();

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table));
	vcpu_real_mode(vcpu, halt16_begin, halt16_end);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_HLT);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table));
	cpuid_find(table, 1, 0)->eax ^= 0x10;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table), EINVAL);
	cpuid_find(table, 1, 0)->eax ^= 0x10;
	table->nent--;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table), EINVAL);
	table->nent++;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table));
}

static void events(void)
{
	struct vcpu *vcpu = fresh(), *other = fresh();
	struct kvirt_vcpu_events e = { 0 }, back;

	memset(&back, 0xff, sizeof(back));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &back));
	EXPECT_EQ(back.exception.injected | back.exception.pending | back.interrupt.injected | back.nmi.injected |
		  back.nmi.pending | back.nmi.masked | back.interrupt.shadow | back.smi.smm, 0);
	for (size_t i = 0; i < sizeof(back.reserved); i++)
		EXPECT_EQ(back.reserved[i], 0);

	e.nmi.masked = 1;
	e.nmi.pending = 1;
	e.flags = KVIRT_VCPUEVENT_VALID_NMI_PENDING | KVIRT_VCPUEVENT_VALID_SHADOW;
	e.interrupt.shadow = KVIRT_X86_SHADOW_INT_STI;
	e.interrupt.injected = 1;
	e.interrupt.nr = 0x44;
	e.exception.injected = 1;
	e.exception.nr = 13;
	e.exception.has_error_code = 1;
	e.exception.error_code = 0x50;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &e));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &back));
	EXPECT_EQ(back.nmi.masked, 1);
	EXPECT_EQ(back.nmi.pending, 1);
	EXPECT_EQ(back.interrupt.injected, 1);
	EXPECT_EQ(back.interrupt.nr, 0x44);
	EXPECT_EQ(back.exception.injected, 1);
	EXPECT_EQ(back.exception.nr, 13);
	EXPECT_EQ(back.exception.has_error_code, 1);
	EXPECT_EQ(back.exception.error_code, 0x50);
	EXPECT(back.interrupt.shadow);
	ASSERT_OK(ioctl(other->fd, KVIRT_SET_VCPU_EVENTS, &back));
	memset(&e, 0xff, sizeof(e));
	ASSERT_OK(ioctl(other->fd, KVIRT_GET_VCPU_EVENTS, &e));
	EXPECT(!memcmp(&e, &back, sizeof(e)));

	/* An NMI that is pending stays so unless the flag says that the field counts. */
	e = back;
	e.nmi.pending = 0;
	e.flags = 0;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &e));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(e.nmi.pending, 1);

#define REFUSED(change)									\
	do {										\
		struct kvirt_vcpu_events before, after;					\
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &before));		\
		e = back;								\
		e.interrupt.nr = 0x55;							\
		change;									\
		EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &e), EINVAL);	\
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &after));		\
		EXPECT(!memcmp(&before, &after, sizeof(after)));			\
	} while (0)
	REFUSED(e.flags = 0x40);
	REFUSED(e.flags = 0x80000000);
	REFUSED(e.exception.nr = 32);
	REFUSED(e.exception.nr = 2);
	REFUSED(e.flags = KVIRT_VCPUEVENT_VALID_PAYLOAD);
#undef REFUSED
	/* Refused too, but KVM has taken the rest by then. */
	e = back;
	e.flags = KVIRT_VCPUEVENT_VALID_TRIPLE_FAULT;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &e), EINVAL);
	BAD_POINTERS(vcpu, KVIRT_GET_VCPU_EVENTS, KVIRT_SET_VCPU_EVENTS);
}

/* Without the payload capability what is pending shows as injected too, whoever queued it; SMM is told of always. */
static void events_pending(void)
{
	struct vcpu *vcpu = fresh();
	struct kvirt_guest_debug g = { .control = KVIRT_GUESTDBG_INJECT_DB };
	struct kvirt_vcpu_events e;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_GUEST_DEBUG, &g));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(e.flags, KVIRT_VCPUEVENT_VALID_NMI_PENDING | KVIRT_VCPUEVENT_VALID_SHADOW | KVIRT_VCPUEVENT_VALID_SMM);
	EXPECT_EQ(e.exception.nr, 1);
	EXPECT_EQ(e.exception.pending, 1);
	EXPECT_EQ(e.exception.injected, 1);
	EXPECT_EQ(e.exception_has_payload, 0);
	EXPECT_EQ(e.exception_payload, 0);
	/* Set again, injected alone counts. */
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &e));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(e.exception.pending, 0);
	EXPECT_EQ(e.exception.injected, 1);
	/* INT3 and INTO have a length that nobody could tell: they are not reported. */
	for (e.exception.nr = 3; e.exception.nr <= 4; e.exception.nr++) {
		struct kvirt_vcpu_events back;

		e.exception.injected = 1;
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &e));
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &back));
		EXPECT_EQ(back.exception.pending | back.exception.injected, 0);
	}
}

static void events_with_payload(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu;
	struct kvirt_vcpu_events e = { 0 }, back;

	if (!dev_cap(KVIRT_CAP_EXCEPTION_PAYLOAD)) {
		EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_EXCEPTION_PAYLOAD, 1), EINVAL);
		return;
	}
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_EXCEPTION_PAYLOAD, 1));
	vcpu = vcpu_bare(vm, 0);
	e.flags = KVIRT_VCPUEVENT_VALID_PAYLOAD;
	e.exception.pending = 1;
	e.exception.nr = 14;
	e.exception.has_error_code = 1;
	e.exception.error_code = 2;
	e.exception_has_payload = 1;
	e.exception_payload = 0x123000;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &e));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &back));
	EXPECT(back.flags & KVIRT_VCPUEVENT_VALID_PAYLOAD);
	EXPECT_EQ(back.exception.pending, 1);
	EXPECT_EQ(back.exception.injected, 0);
	EXPECT_EQ(back.exception_has_payload, 1);
	EXPECT_EQ(back.exception_payload, 0x123000);
	EXPECT_EQ(vcpu_sregs(vcpu).cr2, 0);
	/* Of both, pending wins. */
	e.exception.injected = 1;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &e));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &back));
	EXPECT_EQ(back.exception.pending, 1);
	EXPECT_EQ(back.exception.injected, 0);
}

static void lapic(void)
{
	struct vcpu *vcpu = fresh_split(), *other = fresh_split(), *none = fresh();
	struct kvirt_lapic_state l, back;

#define REG(state, offset)	(*(uint32_t *)((state).regs + (offset)))
	memset(&l, 0xff, sizeof(l));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &l));
	EXPECT_EQ(REG(l, 0x20), 0);
	EXPECT_EQ(REG(l, 0x30) & 0xff, 0x14);
	EXPECT_EQ(REG(l, 0xd0), 0);
	EXPECT_EQ(REG(l, 0xe0), 0xffffffff);
	EXPECT_EQ(REG(l, 0xf0), 0xff);
	for (int reg = 0x320; reg <= 0x370; reg += 0x10)
		/* LINT0 of the boot processor takes the PIC's interrupts from the start (a quirk). */
		EXPECT_EQ(REG(l, reg), reg == 0x350 ? 0x700 : 0x10000);
	REG(l, 0x80) = 0x50;
	REG(l, 0xd0) = 0x02000000;
	REG(l, 0xf0) = 0x1ff;
	REG(l, 0x320) = 0x20031;
	REG(l, 0x350) = 0x10700;
	REG(l, 0x3e0) = 0xb;
	REG(l, 0x200 + 0x10) = 1 << 3;		/* vector 0x23 requested */
	REG(l, 0x180 + 0x10) = 1 << 3;
	REG(l, 0x300) = 0x4500;
	REG(l, 0x310) = 0x03000000;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &l));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &back));
	for (int reg = 0; reg < 0x400; reg += 0x10)
		/* The priority of the processor is computed. */
		if (reg != 0xa0 && REG(l, reg) != REG(back, reg))
			test_fail(__FILE__, __LINE__, "register %#x is %#x, not %#x", reg, REG(back, reg), REG(l, reg));
	EXPECT_EQ(vcpu_sregs(vcpu).cr8, 5);
	ASSERT_OK(ioctl(other->fd, KVIRT_SET_LAPIC, &back));
	ASSERT_OK(ioctl(other->fd, KVIRT_GET_LAPIC, &l));
	EXPECT(!memcmp(&l, &back, sizeof(l)));

	EXPECT_ERRNO(ioctl(none->fd, KVIRT_GET_LAPIC, &l), EINVAL);
	EXPECT_ERRNO(ioctl(none->fd, KVIRT_SET_LAPIC, &l), EINVAL);
	BAD_POINTERS(vcpu, KVIRT_GET_LAPIC, KVIRT_SET_LAPIC);
}

static void lapic_in_x2apic_mode(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu;
	struct kvirt_lapic_state l;
	struct kvirt_sregs s;
	uint64_t icr = 0;

	ASSERT_OK(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24));
	vcpu = vcpu_bare(vm, 0x12);
	vcpu_cpuid(vcpu);
	s = vcpu_sregs(vcpu);
	s.apic_base |= 0xc00;
	vcpu_set_sregs(vcpu, &s);
	EXPECT_EQ(vcpu_sregs(vcpu).apic_base & 0xc00, 0xc00);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &l));
	EXPECT_EQ(REG(l, 0x20), 0x12000000);
	/* Logical id: cluster 1, third bit. */
	EXPECT_EQ(REG(l, 0xd0), 0x00010004);
	REG(l, 0xd0) = 0x77;
	/* The ICR is one register, and two here. */
	REG(l, 0x300) = 0x4041;
	REG(l, 0x310) = 0x12345678;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &l));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &l));
	EXPECT_EQ(REG(l, 0xd0), 0x00010004);
	EXPECT_EQ(REG(l, 0x300), 0x4041);
	EXPECT_EQ(REG(l, 0x310), 0x12345678);
	EXPECT_EQ(vcpu_get_msr(vcpu, 0x830, &icr), 1);
	EXPECT_EQ(icr, 0x1234567800004041);

	/* With 32-bit ids the id is the vCPU's, as it is. */
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_X2APIC_API, KVIRT_X2APIC_API_USE_32BIT_IDS));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &l));
	EXPECT_EQ(REG(l, 0x20), 0x12);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &l));
	REG(l, 0x20) = 0x13;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &l), EINVAL);
#undef REG
}

static void mp_state(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *boot, *second, *none = fresh();
	struct kvirt_mp_state m;

	ASSERT_OK(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24));
	boot = vcpu_bare(vm, 0);
	second = vcpu_bare(vm, 1);
	ASSERT_OK(ioctl(boot->fd, KVIRT_GET_MP_STATE, &m));
	EXPECT_EQ(m.mp_state, KVIRT_MP_STATE_RUNNABLE);
	ASSERT_OK(ioctl(second->fd, KVIRT_GET_MP_STATE, &m));
	EXPECT_EQ(m.mp_state, KVIRT_MP_STATE_UNINITIALIZED);
	for (uint32_t state = 0; state <= 12; state++) {
		m.mp_state = state;
		switch (state) {
		case KVIRT_MP_STATE_RUNNABLE:
		case KVIRT_MP_STATE_UNINITIALIZED:
		case KVIRT_MP_STATE_INIT_RECEIVED:
		case KVIRT_MP_STATE_HALTED:
			EXPECT_OK(ioctl(second->fd, KVIRT_SET_MP_STATE, &m));
			ASSERT_OK(ioctl(second->fd, KVIRT_GET_MP_STATE, &m));
			EXPECT_EQ(m.mp_state, state);
			break;
		case KVIRT_MP_STATE_SIPI_RECEIVED:
		case KVIRT_MP_STATE_AP_RESET_HOLD:
			break;		/* below; and a thing of SEV's */
		default:
			EXPECT_ERRNO(ioctl(second->fd, KVIRT_SET_MP_STATE, &m), EINVAL);
		}
	}
	m.mp_state = -1u;
	EXPECT_ERRNO(ioctl(second->fd, KVIRT_SET_MP_STATE, &m), EINVAL);
	/* A SIPI that user space says has come is carried out by the next look. */
	m.mp_state = KVIRT_MP_STATE_SIPI_RECEIVED;
	EXPECT_OK(ioctl(second->fd, KVIRT_SET_MP_STATE, &m));
	ASSERT_OK(ioctl(second->fd, KVIRT_GET_MP_STATE, &m));
	EXPECT_EQ(m.mp_state, KVIRT_MP_STATE_RUNNABLE);

	/* Without an in-kernel APIC all vCPUs just run. */
	ASSERT_OK(ioctl(none->fd, KVIRT_GET_MP_STATE, &m));
	EXPECT_EQ(m.mp_state, KVIRT_MP_STATE_RUNNABLE);
	EXPECT_OK(ioctl(none->fd, KVIRT_SET_MP_STATE, &m));
	m.mp_state = KVIRT_MP_STATE_HALTED;
	EXPECT_ERRNO(ioctl(none->fd, KVIRT_SET_MP_STATE, &m), EINVAL);
	m.mp_state = KVIRT_MP_STATE_UNINITIALIZED;
	EXPECT_ERRNO(ioctl(none->fd, KVIRT_SET_MP_STATE, &m), EINVAL);
	BAD_POINTERS(second, KVIRT_GET_MP_STATE, KVIRT_SET_MP_STATE);
}

static void run_arguments(void)
{
	struct vcpu *vcpu = fresh();

	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_RUN, 1), EINVAL);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_RUN, -1ul), EINVAL);
	/* Register classes that are not there. */
	vcpu->run->immediate_exit = 1;
	vcpu->run->kvirt_valid_regs = 1ull << 40;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_RUN, 0), EINVAL);
	vcpu->run->kvirt_valid_regs = 0;
	vcpu->run->kvirt_dirty_regs = 1ull << 40;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_RUN, 0), EINVAL);
	vcpu->run->kvirt_dirty_regs = 0;
	/* Without a LAPIC, CR8 comes from here, and has four bits. */
	vcpu->run->cr8 = 16;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_RUN, 0), EINVAL);
	vcpu->run->cr8 = 15;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_RUN, 0), EINTR);
}

static const struct test tests[] = {
	TEST(regs),
	TEST(sregs),
	TEST(bad_sregs),
	TEST(pcide_without_long_mode),
	TEST(sregs2),
	TEST(fpu),
	TEST(xsave),
	TEST(xsave_init_state),
	TEST(bad_xsave),
	TEST(xcrs),
	TEST(debugregs),
	TEST(msrs),
	TEST(cpuid2),
	TEST(cpuid2_after_run),
	TEST(events),
	TEST(events_pending),
	TEST(events_with_payload),
	TEST(lapic),
	TEST(lapic_in_x2apic_mode),
	TEST(mp_state),
	TEST(run_arguments),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

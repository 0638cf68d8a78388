// SPDX-License-Identifier: GPL-2.0
/*
 * MMIO exits and the decoder behind them. Each instruction form is run twice, on memory and on a range without memory,
 * where the host plays a device that is nothing but memory: registers, flags and bytes must come out the same.
 */
#include "guest.h"
#include "vm.h"

enum { RAM = GUEST_SCRATCH, DEVICE = GUEST_HOLE, WINDOW = 256 };

/* Registers a form may use and change; RBX is where its memory is. */
struct state {
	uint64_t a, c, d, flags;
};

struct form {
	const char *text;
	void (*run)(uint8_t *memory, struct state *s);
	uint64_t a, c, d;
};

#define STATUS_FLAGS	0x8d5

/*
 * One function a form, whose memory operand is relative to RBX. Vector registers 0 and 1 are free for its use: nothing else
 * in the guest touches them. Left out is what KVM's emulator has not: MOVBE of 16 bits.
 */
#define FORM(number, insn)								\
	static void form_##number(uint8_t *memory, struct state *s)			\
	{										\
		register uint64_t r8 asm("r8") = 0x8888888888888888;			\
		asm volatile("add $0, %%rsp\n\t" insn "\n\tpushfq; popq %[f]"		\
			     : "+a"(s->a), "+c"(s->c), "+d"(s->d), [f] "=&r"(s->flags), "+r"(r8)	\
			     : "b"(memory) : "memory", "cc", "rsi", "rdi");		\
	}
/* The rows below, once as functions, once as the table. */
#define FORMS(X)									\
	X(1, "movb (%%rbx), %%al", 0, 0, 0)						\
	X(2, "movw (%%rbx), %%ax", -1, 0, 0)						\
	X(3, "movl (%%rbx), %%eax", -1, 0, 0)						\
	X(4, "movq (%%rbx), %%rax", 0, 0, 0)						\
	X(5, "movb %%cl, (%%rbx)", 0, 0x1122334455667788, 0)				\
	X(6, "movw %%cx, (%%rbx)", 0, 0x1122334455667788, 0)				\
	X(7, "movl %%ecx, (%%rbx)", 0, 0x1122334455667788, 0)				\
	X(8, "movq %%rcx, (%%rbx)", 0, 0x1122334455667788, 0)				\
	X(9, "movb $0x5a, (%%rbx)", 0, 0, 0)						\
	X(10, "movw $0x5a5b, (%%rbx)", 0, 0, 0)						\
	X(11, "movl $0x5a5b5c5d, (%%rbx)", 0, 0, 0)					\
	X(12, "movq $-0x12345678, (%%rbx)", 0, 0, 0)					\
	X(13, "movb %%ch, 3(%%rbx)", 0, 0xab00, 0)					\
	X(14, "movb 3(%%rbx), %%dh", 0, 0, 0)						\
	X(15, "movb %%r8b, 3(%%rbx)", 0, 0, 0)						\
	X(16, "movq (%%rbx), %%r8; mov %%r8, %%rax", 0, 0, 0)				\
	X(17, "movl %%edx, 8(%%rbx,%%rcx,4)", 0, 3, 0x77665544)				\
	X(18, "movl 0x40(%%rbx,%%rcx,2), %%eax", 0, -5, 0)				\
	X(19, "movzbw (%%rbx), %%ax", -1, 0, 0)						\
	X(20, "movzbl (%%rbx), %%eax", -1, 0, 0)					\
	X(21, "movzbq (%%rbx), %%rax", -1, 0, 0)					\
	X(22, "movzwl (%%rbx), %%eax", -1, 0, 0)					\
	X(23, "movzwq (%%rbx), %%rax", -1, 0, 0)					\
	X(24, "movsbw 1(%%rbx), %%ax", 0, 0, 0)						\
	X(25, "movsbl 1(%%rbx), %%eax", 0, 0, 0)					\
	X(26, "movsbq 1(%%rbx), %%rax", 0, 0, 0)					\
	X(27, "movswl 1(%%rbx), %%eax", 0, 0, 0)					\
	X(28, "movswq 1(%%rbx), %%rax", 0, 0, 0)					\
	X(29, "movslq 4(%%rbx), %%rax", 0, 0, 0)					\
	X(31, "movbe (%%rbx), %%eax", -1, 0, 0)						\
	X(32, "movbe (%%rbx), %%rax", -1, 0, 0)						\
	X(33, "movbe %%ecx, (%%rbx)", 0, 0x12345678, 0)					\
	X(34, "movbe %%rcx, (%%rbx)", 0, 0x123456789abcdef0, 0)				\
	X(35, "movnti %%ecx, (%%rbx)", 0, 0xabcdef12, 0)				\
	X(36, "movnti %%rcx, (%%rbx)", 0, 0xabcdef1234567890, 0)			\
	X(37, "xchgb %%al, (%%rbx)", 0x99, 0, 0)					\
	X(38, "xchgw %%ax, (%%rbx)", 0x9998, 0, 0)					\
	X(39, "xchgl %%eax, (%%rbx)", -2, 0, 0)						\
	X(40, "xchgq %%rax, (%%rbx)", -2, 0, 0)						\
	X(41, "lock xaddb %%al, (%%rbx)", 0xf0, 0, 0)					\
	X(42, "lock xaddl %%eax, (%%rbx)", 0xf0f0f0f0, 0, 0)				\
	X(43, "xaddq %%rax, (%%rbx)", 0xf0f0f0f0f0f0f0f0, 0, 0)			\
	X(44, "lock cmpxchgb %%cl, (%%rbx)", 0x80, 0x55, 0)				\
	X(45, "lock cmpxchgl %%ecx, (%%rbx)", 0x83828180, 0x55555555, 0)		\
	X(46, "lock cmpxchgl %%ecx, (%%rbx)", 0x12345678, 0x55555555, 0)		\
	X(47, "lock cmpxchgq %%rcx, (%%rbx)", 0x8786858483828180, 0x5555, 0)		\
	X(48, "addb %%cl, (%%rbx)", 0, 0x80, 0)						\
	X(49, "addw %%cx, (%%rbx)", 0, 0x7e80, 0)					\
	X(50, "addl %%ecx, (%%rbx)", 0, 0x7c7d7e80, 0)					\
	X(51, "addq %%rcx, (%%rbx)", 0, 0x7777777777777777, 0)				\
	X(52, "addb (%%rbx), %%al", 0x80, 0, 0)						\
	X(53, "addl (%%rbx), %%eax", 0x7fffffff, 0, 0)					\
	X(54, "addl $0x12345678, (%%rbx)", 0, 0, 0)					\
	X(55, "addq $-1, (%%rbx)", 0, 0, 0)						\
	X(56, "orb %%cl, (%%rbx)", 0, 0x0f, 0)						\
	X(57, "lock orl $0x00ff00ff, (%%rbx)", 0, 0, 0)					\
	X(58, "orq (%%rbx), %%rax", 0x0f0f0f0f, 0, 0)					\
	X(59, "andb $0xf0, (%%rbx)", 0, 0, 0)						\
	X(60, "lock andl %%ecx, (%%rbx)", 0, 0x0ff00ff0, 0)				\
	X(61, "andl (%%rbx), %%eax", 0x7f7f7f7f, 0, 0)					\
	X(62, "xorb %%cl, (%%rbx)", 0, 0x80, 0)						\
	X(63, "xorl $-1, (%%rbx)", 0, 0, 0)						\
	X(64, "xorq (%%rbx), %%rax", 0x8786858483828180, 0, 0)				\
	X(65, "subb %%cl, (%%rbx)", 0, 0x81, 0)						\
	X(66, "subl %%ecx, (%%rbx)", 0, 0x03828180, 0)					\
	X(67, "subq (%%rbx), %%rax", 0, 0, 0)						\
	X(68, "subl $5, (%%rbx)", 0, 0, 0)						\
	X(69, "cmpb %%cl, (%%rbx)", 0, 0x80, 0)						\
	X(70, "cmpb $0x7f, (%%rbx)", 0, 0, 0)						\
	X(71, "cmpw (%%rbx), %%ax", 0x8180, 0, 0)					\
	X(72, "cmpl $0x12345678, (%%rbx)", 0, 0, 0)					\
	X(73, "cmpq %%rcx, (%%rbx)", 0, 0x7fffffffffffffff, 0)				\
	X(74, "testb $0x80, (%%rbx)", 0, 0, 0)						\
	X(75, "testl %%ecx, (%%rbx)", 0, 0x7c7d7e7f, 0)					\
	X(76, "testq %%rcx, (%%rbx)", 0, -1, 0)						\
	X(77, "incb (%%rbx)", 0, 0, 0)							\
	X(78, "incl (%%rbx)", 0, 0, 0)							\
	X(79, "decw (%%rbx)", 0, 0, 0)							\
	X(80, "decq (%%rbx)", 0, 0, 0)							\
	X(81, "notb (%%rbx)", 0, 0, 0)							\
	X(82, "lock notl (%%rbx)", 0, 0, 0)						\
	X(83, "btl $7, (%%rbx)", 0, 0, 0)						\
	X(84, "btsl $6, (%%rbx)", 0, 0, 0)						\
	X(85, "lock btrl $7, (%%rbx)", 0, 0, 0)						\
	X(86, "btcq $60, (%%rbx)", 0, 0, 0)						\
	X(87, "btl %%ecx, 16(%%rbx)", 0, 75, 0)						\
	X(88, "btsl %%ecx, 16(%%rbx)", 0, 70, 0)					\
	X(89, "lock btrq %%rcx, 64(%%rbx)", 0, -57, 0)					\
	X(90, "btcw %%cx, 16(%%rbx)", 0, 20, 0)						\
	X(91, "pushq (%%rbx); popq %%rax", 0, 0, 0)					\
	X(92, "pushq %%rcx; popq (%%rbx)", 0, 0x1234567890abcdef, 0)			\
	X(93, "movdqu (%%rbx), %%xmm0; movq %%xmm0, %%rax; psrldq $8, %%xmm0; movq %%xmm0, %%rdx", 0, 0, 0)	\
	X(94, "movdqa (%%rbx), %%xmm0; movq %%xmm0, %%rax; psrldq $8, %%xmm0; movq %%xmm0, %%rdx", 0, 0, 0)	\
	X(95, "movups (%%rbx), %%xmm1; movq %%xmm1, %%rax; psrldq $8, %%xmm1; movq %%xmm1, %%rdx", 0, 0, 0)	\
	X(96, "movaps (%%rbx), %%xmm1; movq %%xmm1, %%rax; psrldq $8, %%xmm1; movq %%xmm1, %%rdx", 0, 0, 0)	\
	X(97, "movq %%rcx, %%xmm0; punpcklqdq %%xmm0, %%xmm0; movdqu %%xmm0, (%%rbx)", 0, 0x123456789abcdef0, 0)	\
	X(98, "movq %%rcx, %%xmm0; punpcklqdq %%xmm0, %%xmm0; movdqa %%xmm0, (%%rbx)", 0, 0x123456789abcdef1, 0)	\
	X(99, "movq %%rcx, %%xmm1; punpcklqdq %%xmm1, %%xmm1; movups %%xmm1, (%%rbx)", 0, 0x123456789abcdef2, 0)	\
	X(100, "movq %%rcx, %%xmm1; punpcklqdq %%xmm1, %%xmm1; movaps %%xmm1, (%%rbx)", 0, 0x123456789abcdef3, 0)	\
	X(101, "movq %%rcx, %%xmm1; punpcklqdq %%xmm1, %%xmm1; movntps %%xmm1, (%%rbx)", 0, 0x123456789abcdef4, 0)	\
	X(102, "movq %%rcx, %%xmm1; punpcklqdq %%xmm1, %%xmm1; movntdq %%xmm1, (%%rbx)", 0, 0x123456789abcdef5, 0)	\
	X(103, "mov %%rbx, %%rdi; cld; rep stosb", 0xee, 13, 0)				\
	X(104, "mov %%rbx, %%rdi; cld; rep stosl", 0xeeddccbb, 5, 0)			\
	X(105, "mov %%rbx, %%rdi; cld; rep stosq", 0xeeddccbbaa998877, 3, 0)		\
	X(106, "lea 64(%%rbx), %%rdi; std; rep stosw; cld", 0xeedd, 5, 0)		\
	X(107, "mov %%rbx, %%rsi; lea 64(%%rbx), %%rdi; cld; rep movsb", 0, 11, 0)	\
	X(108, "mov %%rbx, %%rsi; lea 64(%%rbx), %%rdi; cld; rep movsl", 0, 5, 0)	\
	X(109, "mov %%rbx, %%rsi; lea 64(%%rbx), %%rdi; cld; rep movsq", 0, 3, 0)	\
	X(110, "mov %%rbx, %%rsi; cld; lodsb; mov %%al, %%dl; lodsl; mov %%eax, %%ecx; lodsq", 0, 0, 0)	\
	X(111, "mov %%rbx, %%rsi; cld; rep lodsw", 0, 3, 0)				\
	X(112, "mov %%rbx, %%rdi; cld; stosb; stosw; stosl; stosq", 0x1122334455667788, 0, 0)	\
	X(113, "addr32 movl (%%ebx), %%eax", 0, 0, 0)					\
	X(114, "addr32 movl %%ecx, 4(%%ebx)", 0, 0x31415926, 0)				\
	X(115, "lea -0x1000(%%rbx), %%rdx; movl 0x1000(%%rdx), %%eax; xor %%edx, %%edx", 0, 0, 0)	\
	X(116, "adcl %%ecx, (%%rbx)", 0, 0x7c7d7e80, 0)					\
	X(117, "negl (%%rbx)", 0, 0, 0)

#define AS_FUNCTION(number, insn, a, c, d)	FORM(number, insn)
#define AS_ROW(number, insn, a, c, d)		{ insn, form_##number, a, c, d },

FORMS(AS_FUNCTION)
static const struct form forms[] = { FORMS(AS_ROW) };

static volatile int first_form, last_form;
static struct state on_ram, on_device;

static void fill(volatile uint8_t *memory)
{
	for (int i = 0; i < WINDOW; i++)
		memory[i] = 0x80 + i;
}

static void guest_forms(void)
{
	guest_idt_load();
	for (int i = first_form; i < last_form; i++) {
		const struct form *f = &forms[i];

		fill((uint8_t *)RAM);
		on_ram = on_device = (struct state){ f->a, f->c, f->d, 0 };
		f->run((uint8_t *)RAM, &on_ram);
		guest_stage(i);
		f->run((uint8_t *)DEVICE, &on_device);
		guest_stage(i);
	}
	guest_done();
}

/* The device: memory behind MMIO exits. */
struct device {
	uint64_t base;
	uint8_t memory[8192];
	int reads, writes;
};

/* Serve exits until the guest reports a stage or its end. */
static long serve(struct vcpu *vcpu, struct device *d)
{
	long stage;

	while ((stage = vcpu_go(vcpu)) == OTHER_EXIT) {
		struct kvirt_run *run = vcpu->run;
		uint64_t offset = run->mmio.phys_addr - d->base;

		if (run->exit_reason != KVIRT_EXIT_MMIO) {
			vcpu_describe(vcpu);
			ASSERT_EQ(run->exit_reason, KVIRT_EXIT_MMIO);
		}
		ASSERT(run->mmio.len >= 1 && run->mmio.len <= 8);
		ASSERT(offset < sizeof(d->memory) && offset + run->mmio.len <= sizeof(d->memory));
		if (run->mmio.is_write) {
			memcpy(d->memory + offset, run->mmio.data, run->mmio.len);
			d->writes++;
		} else {
			memcpy(run->mmio.data, d->memory + offset, run->mmio.len);
			d->reads++;
		}
	}
	return stage;
}

static void all_forms(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_forms);
	struct device d = { DEVICE };

	*vm_var(vm, last_form) = COUNT(forms);
	for (size_t i = 0; i < COUNT(forms); i++) {
		const struct state *want = vm_var(vm, on_ram), *got = vm_var(vm, on_device);
		uint8_t *ram = vm_at(vm, RAM);

		ASSERT_EQ(serve(vcpu, &d), i);
		fill(d.memory);
		d.reads = d.writes = 0;
		ASSERT_EQ(serve(vcpu, &d), i);
		if (want->a == got->a && want->c == got->c && want->d == got->d && !memcmp(ram, d.memory, WINDOW) &&
		    (want->flags & STATUS_FLAGS) == (got->flags & STATUS_FLAGS) && d.reads + d.writes > 0)
			continue;
		test_fail(__FILE__, __LINE__, "form %zu, %s: rax %#lx rcx %#lx rdx %#lx flags %#lx, not %#lx %#lx %#lx %#lx", i,
			  forms[i].text, got->a, got->c, got->d, got->flags & STATUS_FLAGS, want->a, want->c, want->d,
			  want->flags & STATUS_FLAGS);
		for (int b = 0; b < WINDOW; b++)
			if (ram[b] != d.memory[b])
				test_note("byte %d is %#x, not %#x", b, d.memory[b], ram[b]);
	}
	ASSERT_EQ(serve(vcpu, &d), STAGE_DONE);
}

/* --- what exactly leaves --- */

static void guest_single(void)
{
	asm volatile("movb %%al, 0x10(%0)" : : "r"(DEVICE), "a"(0x11) : "memory");
	asm volatile("movw %%ax, 0x20(%0)" : : "r"(DEVICE), "a"(0x2222) : "memory");
	asm volatile("movl %%eax, 0x30(%0)" : : "r"(DEVICE), "a"(0x33333333) : "memory");
	asm volatile("movq %%rax, 0x40(%0)" : : "r"(DEVICE), "a"(0x4444444444444444) : "memory");
	asm volatile("movl 0x50(%0), %%eax" : : "r"(DEVICE) : "rax", "memory");
	guest_done();
}

static void one_access_is_one_exit(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_single);

	for (int size = 1, at = 0x10; size <= 8; size *= 2, at += 0x10) {
		vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
		EXPECT_EQ(vcpu->run->mmio.phys_addr, DEVICE + at);
		EXPECT_EQ(vcpu->run->mmio.len, size);
		EXPECT_EQ(vcpu->run->mmio.is_write, 1);
		for (int i = 0; i < size; i++)
			EXPECT_EQ(vcpu->run->mmio.data[i], at / 0x10 * 0x11);
	}
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	EXPECT_EQ(vcpu->run->mmio.phys_addr, DEVICE + 0x50);
	EXPECT_EQ(vcpu->run->mmio.len, 4);
	EXPECT_EQ(vcpu->run->mmio.is_write, 0);
	vcpu_finish(vcpu);
}

static void guest_read(void)
{
	GUEST_EXPECT_EQ(mmio_read32(DEVICE), 0x600dcafe);
	guest_done();
}

/* A read is completed by the next RUN even if that does not enter the guest. */
static void read_completes_at_the_next_run(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_read);
	uint64_t rip;

	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	rip = vcpu_regs(vcpu).rip;
	memcpy(vcpu->run->mmio.data, "\xfe\xca\x0d\x60", 4);
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	EXPECT(vcpu_regs(vcpu).rip > rip);
	memset(vcpu->run->mmio.data, 0, 8);
	vcpu->run->immediate_exit = 0;
	vcpu_finish(vcpu);
}

/* --- where a store goes, and what of the register --- */

static uint64_t stack;

/* Twice: what is decoded once may be kept. */
static void guest_addresses(void)
{
	uint64_t *pd = (uint64_t *)GUEST_PML4 + 1024, alias = 510ull << 21, value = 0x1122334455667788;

	pd[510] = DEVICE | 0x87;
	asm volatile("invlpg (%0)" : : "r"(alias) : "memory");
	wrmsr(0xc0000100, DEVICE - 0x20);	/* FS */
	wrmsr(0xc0000101, 0x1000);		/* GS */
	for (int i = 0; i < 2; i++) {
		/* movl $0x1a2b3c4d and movb %al to an address relative to RIP, which the assembler takes no number for. */
		asm volatile(".byte 0xc7, 5; .long %c0 - 1f, 0x1a2b3c4d; 1:" : : "i"(DEVICE + 0x08) : "memory");
		asm volatile(".byte 0x88, 5; .long %c0 - 1f; 1:" : : "i"(DEVICE + 0x13), "a"(value) : "memory");
		asm volatile("movabs %%al, %c0" : : "i"(DEVICE + 0x1f), "a"(value) : "memory");
		asm volatile("movabs %%eax, %c0" : : "i"(DEVICE + 0x21), "a"(value) : "memory");
		asm volatile("movl %%eax, %%fs:0x50" : : "a"(value) : "memory");
		/* Into the next page, which the offset alone does not tell. */
		asm volatile("movq %%rax, %%fs:0x101d" : : "a"(value) : "memory");
		asm volatile("movw %%ax, %%gs:-0x1000(%0)" : : "r"((uint64_t)DEVICE + 0x38), "a"(value) : "memory");
		/* The sum of 32 bits, whatever is above them. */
		asm volatile("addr32 movl %%eax, 0x40(%%ebx,%%ecx,8)" : :
			     "a"(value), "b"(0xffffffff00000000 | (DEVICE + 0x80)), "c"(0x5555fffffffffff0) : "memory");
		asm volatile("movl %%eax, (%0)" : : "r"(alias + 0x48), "a"(value) : "memory");
		asm volatile("movb %%ah, 0x50(%0)" : : "r"((uint64_t)DEVICE), "a"(value) : "memory");
		asm volatile("movw $-2, 0x58(%0)" : : "r"((uint64_t)DEVICE) : "memory");
		asm volatile("movq $-2, 0x60(%0)" : : "r"((uint64_t)DEVICE) : "memory");
		asm volatile("mov %%rsp, %0; movq %%rsp, 0x68(%1)" : "=m"(stack) : "r"((uint64_t)DEVICE) : "memory");
		/* What is no memory is no memory for all: the last bytes of the page. */
		asm volatile("movq %%rax, 0xff8(%0)" : : "r"((uint64_t)DEVICE), "a"(value) : "memory");
	}
	guest_done();
}

static void stores_by_each_address(void)
{
	static const struct { int at, len; uint64_t value; } store[] = {
		{ 0x08, 4, 0x1a2b3c4d }, { 0x13, 1, 0x88 }, { 0x1f, 1, 0x88 }, { 0x21, 4, 0x55667788 }, { 0x30, 4, 0x55667788 },
		{ 0xffd, 3, 0x667788 }, { 0x1000, 5, 0x1122334455 }, { 0x38, 2, 0x7788 }, { 0x40, 4, 0x55667788 }, { 0x48, 4, 0x55667788 }, { 0x50, 1, 0x77 }, { 0x58, 2, 0xfffe },
		{ 0x60, 8, -2 }, { 0x68, 8, 0 }, { 0xff8, 8, 0x1122334455667788 },
	};
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_addresses);
	uint64_t data;

	for (size_t i = 0; i < 2 * COUNT(store); i++) {
		const typeof(store[0]) *s = &store[i % COUNT(store)];

		/* KVM leaves what is behind the bytes stored: nothing of the guest's may be there. */
		memset(vcpu->run->mmio.data, 0, sizeof(vcpu->run->mmio.data));
		vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
		EXPECT_EQ(vcpu->run->mmio.phys_addr, DEVICE + s->at);
		EXPECT_EQ(vcpu->run->mmio.len, s->len);
		EXPECT_EQ(vcpu->run->mmio.is_write, 1);
		memcpy(&data, vcpu->run->mmio.data, sizeof(data));
		EXPECT_EQ(data, s->at == 0x68 ? *vm_var(vm, stack) : s->value);
	}
	vcpu_finish(vcpu);
}

/* --- across pages --- */

static void guest_crossing(void)
{
	volatile uint64_t *two_pages = (uint64_t *)(DEVICE + 0xffd);
	volatile uint64_t *into_device = (uint64_t *)(DEVICE - 5), *out_of_device = (uint64_t *)(DEVICE + 0x2000 - 3);

	guest_idt_load();
	*two_pages = 0x1122334455667788;
	GUEST_EXPECT_EQ(*two_pages, 0x1122334455667788);
	guest_stage(1);
	/* The memory before and behind is there. */
	*into_device = 0xaabbccddeeff0011;
	GUEST_EXPECT_EQ(*into_device, 0xaabbccddeeff0011);
	*out_of_device = 0x0102030405060708;
	GUEST_EXPECT_EQ(*out_of_device, 0x0102030405060708);
	guest_stage(2);
	guest_done();
}

static void page_crossing(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_crossing);
	static uint8_t before[4096] __attribute__((aligned(4096))), behind[4096] __attribute__((aligned(4096)));
	struct device d = { DEVICE };

	ASSERT_OK(vm_slot(vm, 1, 0, DEVICE - 4096, 4096, before));
	ASSERT_OK(vm_slot(vm, 2, 0, DEVICE + 0x2000, 4096, behind));
	ASSERT_EQ(serve(vcpu, &d), 1);
	EXPECT(!memcmp(d.memory + 0xffd, "\x88\x77\x66\x55\x44\x33\x22\x11", 8));
	EXPECT(d.writes >= 2 && d.reads >= 2);
	ASSERT_EQ(serve(vcpu, &d), 2);
	EXPECT(!memcmp(before + 4091, "\x11\x00\xff\xee\xdd", 5));
	EXPECT(!memcmp(d.memory, "\xcc\xbb\xaa", 3));
	EXPECT(!memcmp(d.memory + 0x2000 - 3, "\x08\x07\x06", 3));
	EXPECT(!memcmp(behind, "\x05\x04\x03\x02\x01", 5));
	ASSERT_EQ(serve(vcpu, &d), STAGE_DONE);
}

static uint8_t wide[16] = "fedcba987654321", wide_back[16];

/* Sixteen bytes, of which three are in the device's next page. */
static void guest_wide(void)
{
	asm volatile("movups %0, %%xmm0; movups %%xmm0, 0xff3(%1)" : : "m"(wide), "r"(DEVICE) : "memory");
	guest_stage(1);
	asm volatile("movups 0xff3(%1), %%xmm1; movups %%xmm1, %0" : "=m"(wide_back) : "r"(DEVICE) : "memory");
	for (int i = 0; i < 16; i++)
		GUEST_EXPECT_EQ(((volatile uint8_t *)wide_back)[i], ((volatile uint8_t *)wide)[i]);
	guest_done();
}

/* Two fragments, the first in pieces of eight bytes at most; a read is complete with the last, and immediate_exit cuts none off. */
static void wide_access_in_pieces(void)
{
	static const struct { int at, len; } piece[] = { { 0, 8 }, { 8, 5 }, { 13, 3 } };
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_wide);
	uint64_t rip = 0;

	for (int is_write = 1; is_write >= 0; is_write--) {
		for (size_t i = 0; i < COUNT(piece); i++) {
			vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
			EXPECT_EQ(vcpu->run->mmio.phys_addr, DEVICE + 0xff3 + piece[i].at);
			EXPECT_EQ(vcpu->run->mmio.len, piece[i].len);
			EXPECT_EQ(vcpu->run->mmio.is_write, is_write);
			if (is_write) {
				EXPECT(!memcmp(vcpu->run->mmio.data, wide + piece[i].at, piece[i].len));
				continue;
			}
			memcpy(vcpu->run->mmio.data, wide + piece[i].at, piece[i].len);
			rip = vcpu_regs(vcpu).rip;
			vcpu->run->immediate_exit = 1;
		}
		if (is_write)
			vcpu_expect_stage(vcpu, 1);
	}
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	EXPECT(vcpu_regs(vcpu).rip > rip);
	memset(vcpu->run->mmio.data, 0, 8);
	vcpu->run->immediate_exit = 0;
	vcpu_finish(vcpu);
}

static void guest_strings(void)
{
	uint8_t *ram = (uint8_t *)RAM;
	uint64_t rsi, rdi, rcx;

	for (int i = 0; i < 64; i++)
		ram[i] = i + 1;
	rsi = RAM, rdi = DEVICE + 0xff0, rcx = 8;
	asm volatile("rep movsl" : "+S"(rsi), "+D"(rdi), "+c"(rcx) : : "memory");
	GUEST_EXPECT_EQ(rcx, 0);
	GUEST_EXPECT_EQ(rsi, RAM + 32);
	GUEST_EXPECT_EQ(rdi, DEVICE + 0x1010);
	guest_stage(1);
	rsi = DEVICE + 0xff0, rdi = RAM + 0x1000 - 16, rcx = 16;
	asm volatile("rep movsw" : "+S"(rsi), "+D"(rdi), "+c"(rcx) : : "memory");
	GUEST_EXPECT_EQ(rcx, 0);
	for (int i = 0; i < 32; i++)
		GUEST_EXPECT_EQ(ram[0x1000 - 16 + i], i + 1);
	guest_done();
}

static void string_moves(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_strings);
	struct device d = { DEVICE };

	ASSERT_EQ(serve(vcpu, &d), 1);
	for (int i = 0; i < 32; i++)
		EXPECT_EQ(d.memory[0xff0 + i], i + 1);
	ASSERT_EQ(serve(vcpu, &d), STAGE_DONE);
}

/* --- other modes --- */

/* A text console's: stores through ES, 16 bits, and REP STOSW. */
asm("	.code16\n"
    ".globl mmio16_begin, mmio16_end\n"
    "mmio16_begin:\n"
    "	mov	$0xb800, %ax\n"
    "	mov	%ax, %es\n"
    "	mov	$0x0741, %ax\n"
    "	mov	%ax, %es:(4)\n"
    "	mov	$8, %di\n"
    "	mov	%al, %es:2(%di)\n"
    "	mov	$100, %bx\n"
    "	mov	$20, %si\n"
    "	movw	$0x1742, %es:3(%bx,%si)\n"
    "	mov	$160, %di\n"
    "	mov	$0x0720, %ax\n"
    "	mov	$10, %cx\n"
    "	cld\n"
    "	rep stosw\n"
    "	mov	%es:(4), %dx\n"
    "	mov	%dx, %bp\n"
    "	addb	$1, %es:(4)\n"
    "	mov	$0x511, %dx\n"
    "	mov	$1, %di\n"
    "	out	%al, %dx\n"
    "	hlt\n"
    "mmio16_end:\n"
    /* And from flat 32-bit code. */
    "	.code32\n"
    ".globl mmio32\n"
    "mmio32:\n"
    "	mov	$0x40000000, %ebx\n"
    "	movl	$0x12345678, (%ebx)\n"
    "	mov	(%ebx), %eax\n"
    "	incl	0x40000000\n"
    "	movzbl	1(%ebx), %ecx\n"
    "	pushl	(%ebx)\n"
    "	popl	8(%ebx)\n"
    "	mov	$0x511, %dx\n"
    "	mov	$1, %edi\n"
    "	out	%al, %dx\n"
    "	hlt\n"
    "	.code64\n");
extern const char mmio16_begin[], mmio16_end[], mmio32[];

static void real_mode(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct device d = { 0xb8000 };

	/* A hole where the console is. */
	ASSERT_OK(vm_slot(vm, 0, 0, 0, 0, vm->memory));
	ASSERT_OK(vm_slot(vm, 0, 0, 0, 0xb8000, vm->memory));
	ASSERT_OK(vm_slot(vm, 1, 0, 0xc0000, vm->size - 0xc0000, vm->memory + 0xc0000));
	vcpu_real_mode(vcpu, mmio16_begin, mmio16_end);
	ASSERT_EQ(serve(vcpu, &d), 1);
	EXPECT(!memcmp(d.memory + 4, "\x42\x07", 2));
	EXPECT_EQ(d.memory[10], 0x41);
	EXPECT(!memcmp(d.memory + 123, "\x42\x17", 2));
	for (int i = 0; i < 10; i++)
		EXPECT(!memcmp(d.memory + 160 + 2 * i, "\x20\x07", 2));
	EXPECT_EQ(d.memory[180], 0);
	EXPECT_EQ(vcpu_regs(vcpu).rbp, 0x0741);
}

static void protected_mode(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);
	struct device d = { DEVICE };
	struct kvirt_regs r;

	vcpu_protected_mode(vcpu, (uintptr_t)mmio32);
	ASSERT_EQ(serve(vcpu, &d), 1);
	r = vcpu_regs(vcpu);
	EXPECT_EQ(r.rax, 0x12345678);
	EXPECT_EQ(r.rcx, 0x56);
	EXPECT(!memcmp(d.memory, "\x79\x56\x34\x12", 4));
	EXPECT(!memcmp(d.memory + 8, "\x79\x56\x34\x12", 4));
}

/* --- faults in an instruction that also does MMIO --- */

/* What a hypervisor writes for the guest marks the guest's tables as the CPU would have: INS, and PUSH from a device. */
static void guest_marks(void)
{
	uint64_t *pml4 = (uint64_t *)GUEST_PML4, *pd = pml4 + 1024, rsp;
	uint64_t page = 510ull << 21, at = page, n = 1;

	guest_idt_load();
	for (int i = 0; i < 2; i++) {
		pd[510] = GUEST_SCRATCH | 0x87;
		asm volatile("invlpg (%0)" : : "r"(page) : "memory");
		GUEST_EXPECT_EQ(pd[510] & 0x60, 0);
		if (i)
			asm volatile("mov %%rsp, %0; lea 0x1000(%1), %%rsp; pushq (%2); mov %0, %%rsp"
				     : "=&r"(rsp) : "r"(page), "r"((uint64_t)GUEST_HOLE) : "memory");
		else
			asm volatile("rep insb" : "+D"(at), "+c"(n) : "d"(PORT_TEST) : "memory");
		GUEST_EXPECT_EQ(pd[510], GUEST_SCRATCH | 0xe7);
	}
	/* A read of the device's neighbour in memory marks, but not as written. */
	pd[510] = GUEST_SCRATCH | 0x87;
	asm volatile("invlpg (%0)" : : "r"(page) : "memory");
	at = page;
	n = 1;
	asm volatile("rep outsb" : "+S"(at), "+c"(n) : "d"(PORT_TEST) : "memory");
	GUEST_EXPECT_EQ(pd[510], GUEST_SCRATCH | 0xa7);
	guest_done();
}

static void tables_are_marked(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_marks);

	ASSERT_OK(vcpu_run(vcpu));
	ASSERT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_IO);
	EXPECT_EQ(vcpu->run->io.direction, KVIRT_EXIT_IO_IN);
	*(uint8_t *)vcpu_io_data(vcpu) = 0x77;
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	memset(vcpu->run->mmio.data, 0x66, 8);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(*(uint8_t *)vcpu_io_data(vcpu), 0x77);
	EXPECT_EQ(*(uint8_t *)vm_at(vcpu->vm, GUEST_SCRATCH + 0xff8), 0x66);
	vcpu_finish(vcpu);
}

static void guest_fault(void)
{
	guest_idt_load();
	/* The source is mapped nowhere: the guest's own page fault comes before any exit for the destination. */
	GUEST_EXPECT_EQ(GUEST_TRY("rep movsb", "S"(0x123456789000), "D"(DEVICE), "c"(4) : "memory"), 14);
	GUEST_EXPECT_EQ(READ_REGISTER(cr2), 0x123456789000);
	GUEST_EXPECT_EQ(guest_catch.error, 0);
	guest_done();
}

static void page_fault_of_the_source(void)
{
	vcpu_finish(vcpu_new(vm_new(), 0, guest_fault));
}

static const struct test tests[] = {
	TEST(one_access_is_one_exit),
	TEST(read_completes_at_the_next_run),
	TEST(stores_by_each_address),
	TEST(all_forms),
	TEST(page_crossing),
	TEST(wide_access_in_pieces),
	TEST(string_moves),
	TEST(real_mode),
	TEST(protected_mode),
	TEST(page_fault_of_the_source),
	TEST(tables_are_marked),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

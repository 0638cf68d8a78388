// SPDX-License-Identifier: GPL-2.0
/*
 * Port I/O exits: IN and OUT of all sizes, the string forms in both directions and all modes, and when an instruction is
 * over. Guests are in this file; real-mode code stands in asm below.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

enum { PORT = PORT_TEST, BUFFER = GUEST_SCRATCH };

/* --- single OUT and IN --- */

static void guest_out(void)
{
	outb(PORT, 0x12);
	outw(PORT, 0x3456);
	outl(PORT, 0x789abcde);
	outb(0, 1);
	outb(0xffff, 2);
	asm volatile("outb %%al, $0x80" : : "a"(3));
	guest_done();
}

static void expect_out(struct vcpu *vcpu, int port, int size, uint32_t value)
{
	uint32_t data = 0;

	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(vcpu->run->io.direction, KVIRT_EXIT_IO_OUT);
	EXPECT_EQ(vcpu->run->io.port, port);
	EXPECT_EQ(vcpu->run->io.size, size);
	EXPECT_EQ(vcpu->run->io.count, 1);
	EXPECT_EQ(vcpu->run->io.data_offset, 4096 * KVIRT_PIO_PAGE_OFFSET);
	memcpy(&data, vcpu_io_data(vcpu), size);
	EXPECT_EQ(data, value);
}

static void out(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_out);

	expect_out(vcpu, PORT, 1, 0x12);
	expect_out(vcpu, PORT, 2, 0x3456);
	expect_out(vcpu, PORT, 4, 0x789abcde);
	expect_out(vcpu, 0, 1, 1);
	expect_out(vcpu, 0xffff, 1, 2);
	expect_out(vcpu, 0x80, 1, 3);
	vcpu_finish(vcpu);
}

static void guest_in(void)
{
	uint64_t rax;

	/* A narrow IN keeps the rest of RAX; a wide one clears the upper half, as every 32-bit result does. */
	rax = 0x1122334455667788;
	asm volatile("inb %%dx, %%al" : "+a"(rax) : "d"(PORT));
	GUEST_EXPECT_EQ(rax, 0x11223344556677c1);
	asm volatile("inw %%dx, %%ax" : "+a"(rax) : "d"(PORT));
	GUEST_EXPECT_EQ(rax, 0x112233445566c2c1);
	asm volatile("inl %%dx, %%eax" : "+a"(rax) : "d"(PORT));
	GUEST_EXPECT_EQ(rax, 0xc4c3c2c1);
	asm volatile("inb $0x71, %%al" : "+a"(rax));
	GUEST_EXPECT_EQ(rax, 0xc4c3c2c1);
	guest_done();
}

static void in(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_in);
	static const int sizes[] = { 1, 2, 4, 1 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
		EXPECT_EQ(vcpu->run->io.direction, KVIRT_EXIT_IO_IN);
		EXPECT_EQ(vcpu->run->io.port, i == 3 ? 0x71 : PORT);
		EXPECT_EQ(vcpu->run->io.size, sizes[i]);
		EXPECT_EQ(vcpu->run->io.count, 1);
		memcpy(vcpu_io_data(vcpu), "\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8", 8);
	}
	vcpu_finish(vcpu);
}

/* --- user space takes elements away --- */

static void guest_ins(void)
{
	uint64_t address = BUFFER, count = 2;

	asm volatile("cld; rep insb" : "+D"(address), "+c"(count) : "d"(PORT) : "memory");
	GUEST_EXPECT_EQ(count, 0);
	GUEST_EXPECT_EQ(address, BUFFER + 1);
	guest_done();
}

static void fewer_elements_than_answered(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_ins);
	struct kvirt_regs regs;

	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(vcpu->run->io.count, 2);
	memcpy(vcpu_io_data(vcpu), "ab", 2);
	regs = vcpu_regs(vcpu);
	regs.rcx = 1;
	vcpu_set_regs(vcpu, &regs);
	vcpu_finish(vcpu);
	EXPECT(!memcmp(vm_at(vcpu->vm, BUFFER), "a", 2));
}

/* --- when an instruction is over --- */

static void guest_one_out(void)
{
	asm volatile("outb %%al, %%dx; nop; nop; nop; nop" : : "a"(7), "d"(PORT));
	guest_done();
}

static void guest_one_in(void)
{
	uint32_t v = inl(PORT);

	GUEST_EXPECT_EQ(v, 0xabcd1234);
	guest_done();
}

/* RIP stands on the OUT until the next RUN, even if that does not enter the guest. */
static void out_is_over_at_the_next_run(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_one_out);
	uint8_t *insn;
	uint64_t rip;

	expect_out(vcpu, PORT, 1, 7);
	rip = vcpu_regs(vcpu).rip;
	insn = vm_at(vcpu->vm, rip);
	EXPECT_EQ(*insn, 0xee);
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	EXPECT_EQ(vcpu_regs(vcpu).rip, rip + 1);
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	EXPECT_EQ(vcpu_regs(vcpu).rip, rip + 1);
	vcpu->run->immediate_exit = 0;
	vcpu_finish(vcpu);
}

/* A RIP set meanwhile is where the guest goes on: nothing is skipped there. */
static void out_skips_only_itself(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_one_out);
	struct kvirt_regs r;

	expect_out(vcpu, PORT, 1, 7);
	r = vcpu_regs(vcpu);
	r.rip += 2;
	vcpu_set_regs(vcpu, &r);
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	EXPECT_EQ(vcpu_regs(vcpu).rip, r.rip);
	vcpu->run->immediate_exit = 0;
	vcpu_finish(vcpu);
}

/* "The same place" is a linear address: of a segment that moves against RIP it is, of one that moves alone it is not. */
static void out_stands_at_a_linear_address(void)
{
	static const uint8_t code[] = { 0xee, 0x90, 0x90, 0xf4 };	/* out %al, %dx; nop; nop; hlt */

	/* KVM on AMD goes on where the CPU said, when the OUT exited, that the next instruction was. */
	int moves = cpu_is_amd() && !strstr(test_dev, "kvirt") ? 1 : 2;

	for (int move_rip = 0; move_rip < moves; move_rip++) {
		struct vcpu *vcpu = vcpu_bare(vm_new(), 0);
		struct kvirt_sregs s;
		struct kvirt_regs r;

		vcpu_real_mode(vcpu, code, code + sizeof(code));
		r = vcpu_regs(vcpu);
		r.rip = 0;
		r.rdx = PORT;
		vcpu_set_regs(vcpu, &r);
		ASSERT_OK(vcpu_run(vcpu));
		ASSERT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_IO);
		s = vcpu_sregs(vcpu);
		s.cs.base -= 0x100;
		s.cs.selector -= 0x10;
		vcpu_set_sregs(vcpu, &s);
		r.rip = 0x100 * move_rip;
		vcpu_set_regs(vcpu, &r);
		vcpu->run->immediate_exit = 1;
		EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
		EXPECT_EQ(vcpu_regs(vcpu).rip, r.rip + move_rip);
	}
}

static void guest_out_7e(void)
{
	asm volatile("outb %%al, $0x7e; nop" : : "a"(9));
	guest_done();
}

/* By a quirk that is on by default, RIP is past an OUT to port 0x7e at the exit already. */
static void port_7e_is_over_at_once(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_out_7e);
	uint8_t *insn;

	expect_out(vcpu, 0x7e, 1, 9);
	insn = vm_at(vcpu->vm, vcpu_regs(vcpu).rip - 2);
	EXPECT_EQ(insn[0], 0xe6);
	EXPECT_EQ(insn[1], 0x7e);
	vcpu_finish(vcpu);
}

static void in_is_over_at_the_next_run(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_one_in);
	struct kvirt_regs r;

	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	*(uint32_t *)vcpu_io_data(vcpu) = 0xabcd1234;
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	r = vcpu_regs(vcpu);
	EXPECT_EQ(r.rax, 0xabcd1234);
	vcpu->run->immediate_exit = 0;
	vcpu_finish(vcpu);
}

/* Registers that user space changes between an IN's exit and its completion stay changed. */
static void in_keeps_other_registers(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_one_in);
	struct kvirt_regs r;

	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	*(uint32_t *)vcpu_io_data(vcpu) = 0xabcd1234;
	r = vcpu_regs(vcpu);
	r.r15 = 0x1515151515151515;
	vcpu_set_regs(vcpu, &r);
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	EXPECT_EQ(vcpu_regs(vcpu).r15, 0x1515151515151515);
	vcpu->run->immediate_exit = 0;
	vcpu_finish(vcpu);
}

/* A RUN that is refused has completed nothing: registers are taken from the run page first, then CR8. */
static void refused_run_completes_nothing(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_one_in);
	struct kvirt_regs r;

	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	r = vcpu_regs(vcpu);
	vcpu->run->immediate_exit = 1;
	vcpu->run->kvirt_dirty_regs = 1ull << 40;
	EXPECT_ERRNO(vcpu_run(vcpu), EINVAL);
	EXPECT_EQ(vcpu_regs(vcpu).rip, r.rip);
	vcpu->run->kvirt_dirty_regs = 0;
	vcpu->run->cr8 = 16;
	EXPECT_ERRNO(vcpu_run(vcpu), EINVAL);
	EXPECT_EQ(vcpu_regs(vcpu).rip, r.rip);
	EXPECT_EQ(vcpu_regs(vcpu).rax, r.rax);
	vcpu->run->cr8 = 0;
	*(uint32_t *)vcpu_io_data(vcpu) = 0xabcd1234;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	EXPECT(vcpu_regs(vcpu).rip > r.rip);
	vcpu->run->immediate_exit = 0;
	vcpu_finish(vcpu);
}

/* --- string forms --- */

/* What the guest shall do; set in its copy before it starts. */
static volatile struct {
	uint64_t address, count;
	int size;
	bool out, backwards;
} string;

static void guest_string(void)
{
	uint64_t address = string.address, count = string.count;
	uint16_t port = PORT;

	if (string.backwards)
		asm volatile("std");
	if (string.out && string.size == 1)
		asm volatile("rep outsb" : "+S"(address), "+c"(count) : "d"(port) : "memory");
	else if (string.out && string.size == 2)
		asm volatile("rep outsw" : "+S"(address), "+c"(count) : "d"(port) : "memory");
	else if (string.out)
		asm volatile("rep outsl" : "+S"(address), "+c"(count) : "d"(port) : "memory");
	else if (string.size == 1)
		asm volatile("rep insb" : "+D"(address), "+c"(count) : "d"(port) : "memory");
	else if (string.size == 2)
		asm volatile("rep insw" : "+D"(address), "+c"(count) : "d"(port) : "memory");
	else
		asm volatile("rep insl" : "+D"(address), "+c"(count) : "d"(port) : "memory");
	asm volatile("cld");
	GUEST_EXPECT_EQ(count, 0);
	GUEST_EXPECT_EQ(address, string.address + (string.backwards ? -1 : 1) * (int64_t)(string.count * string.size));
	guest_done();
}

static void run_string(bool is_out, int size, bool backwards, uint64_t count)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_string);
	__typeof__(string) *s = vm_var(vm, string);
	/* Close to a page's end, so that longer ones cross it; and not aligned. */
	uint64_t start = BUFFER + 4096 - 5, bytes = count * size;
	uint8_t *buffer = vm_at(vm, start), *expected = calloc(1, bytes + 1);
	size_t done = 0;

	for (uint64_t i = 0; i < bytes; i++)
		expected[i] = i * 7 + 3;
	if (is_out)
		memcpy(buffer, expected, bytes);
	s->address = backwards && count ? start + bytes - size : start;
	s->count = count;
	s->size = size;
	s->out = is_out;
	s->backwards = backwards;

	while (vcpu_go(vcpu) == OTHER_EXIT) {
		struct kvirt_run *run = vcpu->run;
		uint8_t *data = vcpu_io_data(vcpu);

		ASSERT_EQ(run->exit_reason, KVIRT_EXIT_IO);
		ASSERT_EQ(run->io.direction, is_out ? KVIRT_EXIT_IO_OUT : KVIRT_EXIT_IO_IN);
		ASSERT_EQ(run->io.port, PORT);
		ASSERT_EQ(run->io.size, size);
		ASSERT(run->io.count >= 1 && run->io.count <= 4096u / size);
		ASSERT(done + run->io.count <= count);
		for (uint32_t i = 0; i < run->io.count; i++, done++) {
			uint8_t *item = expected + (backwards ? count - 1 - done : done) * size;

			if (is_out)
				EXPECT(!memcmp(data + i * size, item, size));
			else
				memcpy(data + i * size, item, size);
		}
	}
	EXPECT_EQ(done, count);
	EXPECT(!memcmp(buffer, expected, bytes));
	EXPECT_EQ(buffer[bytes], 0);
	EXPECT_EQ(buffer[-1], 0);
	free(expected);
	vcpu_free(vcpu);
	vm_free(vm);
}

static void string_out(void)
{
	for (int size = 1; size <= 4; size *= 2) {
		run_string(true, size, false, 1);
		run_string(true, size, false, 11);
		run_string(true, size, true, 11);
	}
}

static void string_in(void)
{
	for (int size = 1; size <= 4; size *= 2) {
		run_string(false, size, false, 1);
		run_string(false, size, false, 11);
		run_string(false, size, true, 11);
	}
}

/* More than one page of the run mapping holds. */
static void string_long(void)
{
	run_string(false, 2, false, 2500);
	run_string(true, 4, false, 300);
}

static void string_of_none(void)
{
	run_string(true, 1, false, 0);
	run_string(false, 4, false, 0);
}

static void guest_bad_string(void)
{
	uint64_t rsi = 0x100000000ull - 3, rcx = 8, vector;

	guest_idt_load();
	/* Three bytes are there; the fourth is beyond what the tables map. */
	vector = GUEST_TRY("rep outsb", "S"(BUFFER), "c"(0), "d"(PORT) : "memory");
	GUEST_EXPECT_EQ(vector, NO_FAULT);
	guest_catch.vector = NO_FAULT;
	asm volatile("movq $1f, %[catch]\n\t"
		     "rep outsb\n"
		     "1: movq $0, %[catch]" : "+S"(rsi), "+c"(rcx), [catch] "+m"(guest_catch.rip) : "d"(PORT) : "memory");
	GUEST_EXPECT_EQ(guest_catch.vector, 14);
	GUEST_EXPECT_EQ(READ_REGISTER(cr2), 0x100000000);
	GUEST_EXPECT_EQ(rcx, 5);
	GUEST_EXPECT_EQ(rsi, 0x100000000);
	guest_done();
}

/* A string that runs into a page that is not there faults there, with what came before done. */
static void string_that_faults(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_bad_string);
	static uint8_t last[4096] __attribute__((aligned(4096)));
	uint32_t items = 0;

	memcpy(last + 4093, "xyz", 3);
	ASSERT_OK(vm_slot(vm, 1, 0, 0xfffff000, 4096, last));
	while (vcpu_go(vcpu) == OTHER_EXIT) {
		ASSERT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_IO);
		for (uint32_t i = 0; i < vcpu->run->io.count; i++)
			EXPECT_EQ(((uint8_t *)vcpu_io_data(vcpu))[i], 'x' + items++);
	}
	EXPECT_EQ(items, 3);
}

/* --- real mode: 16-bit addresses and segments --- */

asm("	.code16\n"
    ".globl pio16_begin, pio16_end\n"
    "pio16_begin:\n"
    "	mov	$0x520, %dx\n"
    "	mov	$0x3000, %ax\n"
    "	mov	%ax, %ds\n"
    "	mov	$0x3100, %ax\n"
    "	mov	%ax, %es\n"
    "	mov	$0x3200, %ax\n"
    "	mov	%ax, %fs\n"
    "	mov	$0x10, %si\n"
    "	mov	$4, %cx\n"
    "	rep outsb\n"			/* 3000:0010 */
    "	mov	$0x20, %si\n"
    "	mov	$2, %cx\n"
    "	rep outsw %fs:(%si), %dx\n"	/* 3200:0020 */
    "	mov	$0x30, %di\n"
    "	mov	$4, %cx\n"
    "	rep insb\n"			/* 3100:0030 */
    "	mov	$0xabcd, %ax\n"
    "	out	%ax, $0x40\n"
    "	hlt\n"
    "pio16_end:\n"
    "	.code64\n");

extern const char pio16_begin[], pio16_end[];

static void collect(struct vcpu *vcpu, bool is_out, int size, void *buffer, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		size_t n;

		vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
		ASSERT_EQ(vcpu->run->io.direction, is_out);
		ASSERT_EQ(vcpu->run->io.size, size);
		n = size * vcpu->run->io.count;
		ASSERT(done + n <= bytes);
		if (is_out)
			memcpy((char *)buffer + done, vcpu_io_data(vcpu), n);
		else
			memcpy(vcpu_io_data(vcpu), (char *)buffer + done, n);
		done += n;
	}
}

static void real_mode(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	char got[8] = "", in_text[] = "efgh";

	vcpu_real_mode(vcpu, pio16_begin, pio16_end);
	memcpy(vm_at(vm, 0x30010), "abcd", 4);
	memcpy(vm_at(vm, 0x32020), "ABCD", 4);
	collect(vcpu, true, 1, got, 4);
	EXPECT(!memcmp(got, "abcd", 4));
	collect(vcpu, true, 2, got, 4);
	EXPECT(!memcmp(got, "ABCD", 4));
	collect(vcpu, false, 1, in_text, 4);
	expect_out(vcpu, 0x40, 2, 0xabcd);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_HLT);
	EXPECT(!memcmp(vm_at(vm, 0x31030), "efgh", 4));
}

/* --- code that changes under the hypervisor --- */

enum { CHANGES = 3000 };

extern uint8_t changing_outs[];

static void guest_changing_outs(void)
{
	for (;;) {
		uint64_t address = BUFFER, count = 4096;

		asm volatile(".globl changing_outs\n"
			     "changing_outs: rep outsb\n"
			     : "+S"(address), "+c"(count) : "d"(PORT) : "memory");
	}
}

static bool stop_changing;

static void *change(void *opcode)
{
	volatile uint8_t *byte = opcode;

	while (!__atomic_load_n(&stop_changing, __ATOMIC_RELAXED)) {
		*byte = 0x6f;	/* OUTSD */
		*byte = 0x6e;	/* OUTSB */
	}
	return NULL;
}

/* Another size is decoded than the one that exited: no more than the page of data may ever be named. */
static void string_that_changes(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_changing_outs);
	pthread_t thread;
	int i;

	ASSERT_EQ(pthread_create(&thread, NULL, change, vm_at(vcpu->vm, (uintptr_t)changing_outs + 1)), 0);
	for (i = 0; i < CHANGES; i++) {
		vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
		EXPECT(vcpu->run->io.size * vcpu->run->io.count <= 4096);
	}
	__atomic_store_n(&stop_changing, true, __ATOMIC_RELAXED);
	ASSERT_EQ(pthread_join(thread, NULL), 0);
}

static const struct test tests[] = {
	TEST(fewer_elements_than_answered),
	TEST(out),
	TEST(in),
	TEST(out_is_over_at_the_next_run),
	TEST(out_skips_only_itself),
	TEST(out_stands_at_a_linear_address),
	TEST(port_7e_is_over_at_once),
	TEST(in_is_over_at_the_next_run),
	TEST(in_keeps_other_registers),
	TEST(refused_run_completes_nothing),
	TEST(string_out),
	TEST(string_in),
	TEST(string_long),
	TEST(string_of_none),
	TEST(string_that_faults),
	TEST(string_that_changes),
	TEST(real_mode),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

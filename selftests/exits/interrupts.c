// SPDX-License-Identifier: GPL-2.0
/*
 * External interrupts by KVIRT_INTERRUPT and NMIs, without an in-kernel irqchip: when they go in, windows, shadows, and
 * delivery through descriptors and stacks the guest's memory did not have yet.
 */
#include "guest.h"
#include "vm.h"

static volatile uint32_t count, nmi_count;
static volatile uint64_t interrupted_rip;

static void on_interrupt(struct guest_frame *frame)
{
	count++;
	interrupted_rip = frame->rip;
}

static int interrupt(struct vcpu *vcpu, uint32_t irq)
{
	struct kvirt_interrupt i = { irq };

	return ioctl(vcpu->fd, KVIRT_INTERRUPT, &i);
}

static void guest_takes(void)
{
	guest_idt_load();
	guest_handle(0x40, on_interrupt);
	sti();
	guest_stage(1);
	GUEST_EXPECT_EQ(count, 1);
	guest_stage(2);
	GUEST_EXPECT_EQ(count, 2);
	cli();
	guest_stage(3);
	guest_done();
}

static void delivered_when_ready(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_takes);

	for (int stage = 1; stage <= 2; stage++) {
		vcpu_expect_stage(vcpu, stage);
		EXPECT_EQ(vcpu->run->if_flag, 1);
		EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 1);
		EXPECT_OK(interrupt(vcpu, 0x40));
	}
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(vcpu->run->if_flag, 0);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 0);
	vcpu_finish(vcpu);
}

static volatile uint64_t sti_rip;

static void guest_opens(void)
{
	extern const char after_sti[];

	guest_idt_load();
	guest_handle(0x41, on_interrupt);
	guest_stage(1);
	sti_rip = (uint64_t)after_sti;
	for (int i = 0; i < 100; i++)
		cpu_relax();
	asm volatile("sti\n"
		     ".globl after_sti\n"
		     "after_sti: nop; nop; nop; nop; nop; nop; nop; nop" : : : "memory");
	GUEST_EXPECT_EQ(count, 1);
	cli();
	guest_done();
}

/* The window opens behind the instruction that follows STI, and no exit comes before it. */
static void window_opens_after_sti(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_opens);
	uint64_t rip;

	vcpu_expect_stage(vcpu, 1);
	vcpu->run->request_interrupt_window = 1;
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IRQ_WINDOW_OPEN);
	EXPECT_EQ(vcpu->run->if_flag, 1);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 1);
	rip = vcpu_regs(vcpu).rip;
	EXPECT_EQ(rip, *vm_var(vcpu->vm, sti_rip) + 1);
	EXPECT_OK(interrupt(vcpu, 0x41));
	vcpu->run->request_interrupt_window = 0;
	vcpu_finish(vcpu);
	EXPECT_EQ(*vm_var(vcpu->vm, interrupted_rip), rip);
}

static void guest_open_already(void)
{
	uint32_t a, b, c, d;

	guest_idt_load();
	sti();
	guest_stage(1);
	for (int i = 0; i < 10; i++)
		cpuid(0, 0, &a, &b, &c, &d);
	guest_stage(2);
	cli();
	guest_done();
}

/* A window that is open already is told at once. */
static void window_is_open(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_open_already);

	vcpu_expect_stage(vcpu, 1);
	vcpu->run->request_interrupt_window = 1;
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IRQ_WINDOW_OPEN);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IRQ_WINDOW_OPEN);
	vcpu->run->request_interrupt_window = 0;
	vcpu_expect_stage(vcpu, 2);
	vcpu_finish(vcpu);
}

static void on_nmi(struct guest_frame *frame)
{
	nmi_count++;
	guest_stage(100 + nmi_count);
	/* Still the first handler: no second NMI before its IRET. */
	GUEST_EXPECT(nmi_count <= 2);
	if (nmi_count == 1) {
		for (int i = 0; i < 50; i++)
			cpu_relax();
		GUEST_EXPECT_EQ(nmi_count, 1);
	}
}

static void guest_nmi(void)
{
	guest_idt_load();
	guest_handle(2, on_nmi);
	guest_stage(1);
	GUEST_EXPECT_EQ(nmi_count, 2);
	guest_done();
}

/* Interrupts are off; that does not matter to an NMI. A second one waits for the first one's IRET, a third merges. */
static void nmi(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_nmi);
	struct kvirt_vcpu_events e;

	vcpu_expect_stage(vcpu, 1);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_NMI, 0));
	vcpu_expect_stage(vcpu, 101);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(e.nmi.masked, 1);
	EXPECT_EQ(e.nmi.pending, 0);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_NMI, 0));
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_NMI, 0));
	vcpu_expect_stage(vcpu, 102);
	vcpu_finish(vcpu);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(e.nmi.masked, 0);
	EXPECT_EQ(e.nmi.pending, 0);
}

/* --- injected exceptions --- */

static volatile uint64_t seen_vector, seen_error, seen_cr2;

static void on_exception(struct guest_frame *frame)
{
	seen_vector = frame->vector;
	seen_error = frame->error;
	seen_cr2 = READ_REGISTER(cr2);
}

static void guest_gets_exceptions(void)
{
	guest_idt_load();
	guest_handle(6, on_exception);
	guest_handle(13, on_exception);
	guest_handle(14, on_exception);
	guest_stage(1);
	GUEST_EXPECT_EQ(seen_vector, 6);
	guest_stage(2);
	GUEST_EXPECT_EQ(seen_vector, 13);
	GUEST_EXPECT_EQ(seen_error, 0x58);
	guest_stage(3);
	GUEST_EXPECT_EQ(seen_vector, 14);
	GUEST_EXPECT_EQ(seen_error, 2);
	GUEST_EXPECT_EQ(seen_cr2, 0xabc000);
	guest_done();
}

static void exceptions_from_user_space(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_gets_exceptions);
	struct kvirt_vcpu_events e = { 0 };
	struct kvirt_sregs s;

	vcpu_expect_stage(vcpu, 1);
	e.exception.injected = 1;
	e.exception.nr = 6;
	/* The OUT that reported is over first: events are set while no exit waits to be completed. */
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &e));
	vcpu->run->immediate_exit = 0;
	vcpu_expect_stage(vcpu, 2);
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	vcpu->run->immediate_exit = 0;
	e.exception.nr = 13;
	e.exception.has_error_code = 1;
	e.exception.error_code = 0x58;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &e));
	vcpu_expect_stage(vcpu, 3);
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	vcpu->run->immediate_exit = 0;
	s = vcpu_sregs(vcpu);
	s.cr2 = 0xabc000;
	vcpu_set_sregs(vcpu, &s);
	e.exception.nr = 14;
	e.exception.error_code = 2;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &e));
	vcpu_finish(vcpu);
}

/* --- delivery that meets nested faults --- */

/* Pages at the end of the scratch range, taken away from under the guest before each delivery. */
enum { FAR_IDT = GUEST_SCRATCH + 0x100000, FAR_STACK = GUEST_SCRATCH + 0x110000 };

static void guest_far(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idtr = { 4095, FAR_IDT };

	guest_idt_load();
	guest_handle(0x42, on_interrupt);
	guest_handle(3, on_interrupt);
	guest_handle(6, on_interrupt);
	for (int i = 0; i < 512; i++)
		((uint64_t *)FAR_IDT)[i] = ((uint64_t *)GUEST_IDT)[i];
	asm volatile("lidt %0" : : "m"(idtr));
	sti();
	guest_stage(1);		/* an external interrupt comes */
	GUEST_EXPECT_EQ(count, 1);
	guest_stage(2);
	asm volatile("int $0x42");
	GUEST_EXPECT_EQ(count, 2);
	guest_stage(3);
	asm volatile("int3");
	GUEST_EXPECT_EQ(count, 3);
	guest_stage(4);
	guest_catch.vector = NO_FAULT;
	GUEST_EXPECT_EQ(GUEST_TRY("ud2", "i"(0)), 6);
	guest_stage(5);
	/* And on a stack nobody has touched. */
	asm volatile("mov %%rsp, %%rbx; mov %0, %%rsp; int $0x42; mov %%rbx, %%rsp" : : "r"(FAR_STACK + 0x1000ul) : "rbx", "memory");
	GUEST_EXPECT_EQ(count, 4);
	guest_done();
}

/* The IDT stays what it is in the process' memory; only the guest's mapping of it goes, and comes back by a fault. */
static void delivery_meets_nested_faults(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_far);

	for (int stage = 1; stage <= 5; stage++) {
		void *p = vm_at(vm, FAR_IDT);
		uint8_t copy[4096];

		vcpu_expect_stage(vcpu, stage);
		/* A page that moves in the host. */
		memcpy(copy, p, 4096);
		ASSERT_OK(madvise(p, 4096, MADV_DONTNEED));
		memcpy(p, copy, 4096);
		ASSERT_OK(madvise(vm_at(vm, FAR_STACK), 4096, MADV_DONTNEED));
		if (stage == 1)
			EXPECT_OK(interrupt(vcpu, 0x42));
	}
	vcpu_finish(vcpu);
}

static const struct test tests[] = {
	TEST(delivered_when_ready),
	TEST(window_opens_after_sti),
	TEST(window_is_open),
	TEST(nmi),
	TEST(exceptions_from_user_space),
	TEST(delivery_meets_nested_faults),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * How a guest stops: HLT without and with an in-kernel local APIC, triple fault, and code that is not there.
 */
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

static void guest_halt(void)
{
	asm volatile("hlt");
	guest_stage(1);
	asm volatile("sti; hlt");
	guest_stage(2);
	guest_done();
}

/* RIP is past the HLT, so RUN goes on behind it. */
static void halt_without_apic(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_halt);
	struct kvirt_mp_state mp;
	uint8_t *insn;

	vcpu_expect_exit(vcpu, KVIRT_EXIT_HLT);
	insn = vm_at(vcpu->vm, vcpu_regs(vcpu).rip - 1);
	EXPECT_EQ(*insn, 0xf4);
	EXPECT_EQ(vcpu->run->if_flag, 0);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 0);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_MP_STATE, &mp));
	EXPECT_EQ(mp.mp_state, KVIRT_MP_STATE_RUNNABLE);
	vcpu_expect_stage(vcpu, 1);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_HLT);
	EXPECT_EQ(vcpu->run->if_flag, 1);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 1);
	vcpu_expect_stage(vcpu, 2);
	vcpu_finish(vcpu);
}

static void guest_woken(void)
{
	guest_idt_load();
	guest_stage(1);
	asm volatile("hlt");
	guest_done();
}

/* With a local APIC in the kernel HLT waits there: for the state, as user space sees it. */
static void halt_with_apic(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new_split(), 0, guest_woken);
	struct kvirt_mp_state mp = { .mp_state = KVIRT_MP_STATE_HALTED };

	vcpu_expect_stage(vcpu, 1);
	/* An NMI wakes it, and is taken first: here it has a handler that returns. */
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_MP_STATE, &mp));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_MP_STATE, &mp));
	EXPECT_EQ(mp.mp_state, KVIRT_MP_STATE_HALTED);
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_MP_STATE, &mp));
	EXPECT_EQ(mp.mp_state, KVIRT_MP_STATE_HALTED);
	vcpu->run->immediate_exit = 0;
	mp.mp_state = KVIRT_MP_STATE_RUNNABLE;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_MP_STATE, &mp));
}

static void guest_triple(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) none = { 0, 0 };

	asm volatile("lidt %0; ud2" : : "m"(none));
	guest_done();
}

static void triple_fault(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_triple);

	vcpu_expect_exit(vcpu, KVIRT_EXIT_SHUTDOWN);
	/* The VM lives: put elsewhere, the vCPU runs. */
	vcpu_long_mode(vcpu, (uintptr_t)guest_halt);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_HLT);
}

static void guest_jump_away(void)
{
	((void (*)(void))GUEST_HOLE)();
}

/* Code cannot be fetched from where no memory is: an exit with a reason, not a loop. */
static void code_without_memory(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_jump_away);

	ASSERT_OK(vcpu_run(vcpu));
	if (vcpu->run->exit_reason != KVIRT_EXIT_MMIO)
		EXPECT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(vcpu_regs(vcpu).rip, GUEST_HOLE);
	vcpu_long_mode(vcpu, (uintptr_t)guest_halt);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_HLT);
}

static void guest_pause(void)
{
	uint64_t before, after;

	for (int i = 0; i < 5000; i++)
		cpu_relax();
	before = rdtsc();
	asm volatile("wbinvd");
	asm volatile("pause; rep; nop");
	after = rdtsc();
	GUEST_EXPECT(after > before);
	guest_done();
}

static void pause_and_rdtsc(void)
{
	vcpu_finish(vcpu_new(vm_new(), 0, guest_pause));
}

static void guest_shuts_down(void)
{
	static const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) none;

	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | 1 << 18);
	asm volatile("lidt %0; ud2" : : "m"(none));
}

/* Whatever CR4 is after SHUTDOWN, the leaf that shows it agrees. */
static void cpuid_after_shutdown(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_shuts_down);
	struct kvirt_cpuid2 *table = dev_cpuid();

	vcpu_expect_exit(vcpu, KVIRT_EXIT_SHUTDOWN);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_CPUID2, table));
	EXPECT_EQ(cpuid_find(table, 1, 0)->ecx >> 27 & 1, vcpu_sregs(vcpu).cr4 >> 18 & 1);
	free(table);
}

static const struct test tests[] = {
	TEST(halt_without_apic),
	TEST(halt_with_apic),
	TEST(triple_fault),
	TEST(cpuid_after_shutdown),
	TEST(code_without_memory),
	TEST(pause_and_rdtsc),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

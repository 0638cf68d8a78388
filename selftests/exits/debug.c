// SPDX-License-Identifier: GPL-2.0
/*
 * Guest debugging from user space: breakpoints in software and hardware, single steps over what the CPU does and over what
 * it exits for, exceptions given back to the guest; and that the guest's own debug registers and flags stay its own.
 */
#include "guest.h"
#include "vm.h"

enum { DB = 1, BP = 3 };

#define TF		0x100ull
#define RF		0x10000ull
#define DR6_FIXED	0xffff0ff0u
#define BS		0x4000

extern const char at_int3[], at_nop[], at_store[], after_store[], at_end[];
static volatile uint64_t watched, hits, hit_vector, hit_rip, hit_dr6, ticks;

static int debug(struct vcpu *vcpu, uint32_t control, const struct kvirt_guest_debug *breakpoints)
{
	struct kvirt_guest_debug g = { 0 };

	if (breakpoints)
		g = *breakpoints;
	g.control = control;
	return ioctl(vcpu->fd, KVIRT_SET_GUEST_DEBUG, &g);
}

/* One RUN ends at a debug exit with these. */
static void expect_debug(struct vcpu *vcpu, uint32_t exception, uint64_t pc, uint64_t dr6)
{
	struct kvirt_debug_exit_arch *a = &vcpu->run->debug.arch;

	ASSERT_OK(vcpu_run(vcpu));
	if (vcpu->run->exit_reason != KVIRT_EXIT_DEBUG)
		vcpu_describe(vcpu);
	ASSERT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_DEBUG);
	EXPECT_EQ(a->exception, exception);
	EXPECT_EQ(a->pc, pc);
	EXPECT_EQ(vcpu_regs(vcpu).rip, pc);
	if (exception == DB)
		EXPECT_EQ(a->dr6, dr6);
}

static void jump(struct vcpu *vcpu, uint64_t rip)
{
	struct kvirt_regs r = vcpu_regs(vcpu);

	r.rip = rip;
	vcpu_set_regs(vcpu, &r);
}

static void on_exception(struct guest_frame *frame)
{
	hits++;
	hit_vector = frame->vector;
	hit_rip = frame->rip;
	hit_dr6 = READ_REGISTER(dr6);
}

/* --- breakpoints --- */

static void guest_breaks(void)
{
	guest_idt_load();
	guest_handle(BP, on_exception);
	guest_handle(DB, on_exception);
	hits = 0;
	guest_stage(1);
	asm volatile(".globl at_int3, at_nop, at_store, after_store, at_end\n"
		     "at_int3: int3\n"
		     "at_nop: nop\n"
		     "at_store: movq $1, %0\n"
		     "after_store: nop\n"
		     "at_end: nop" : "=m"(watched));
	guest_stage(hits + 2);
	guest_done();
}

/* Finish the OUT that the vCPU is at, and go elsewhere. */
static void leave_for(struct vcpu *vcpu, const char *place)
{
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	vcpu->run->immediate_exit = 0;
	jump(vcpu, (uintptr_t)place);
}

static struct vcpu *at_stage_1(void (*guest)(void))
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest);

	vcpu_expect_stage(vcpu, 1);
	return vcpu;
}

static void capabilities(void)
{
	int dev = dev_open();

	EXPECT_EQ(ioctl(dev, KVIRT_CHECK_EXTENSION, KVIRT_CAP_SET_GUEST_DEBUG), 1);
	EXPECT_EQ(ioctl(dev, KVIRT_CHECK_EXTENSION, KVIRT_CAP_SET_GUEST_DEBUG2), 0x1f0003);
	EXPECT_EQ(ioctl(dev, KVIRT_CHECK_EXTENSION, KVIRT_CAP_X86_ROBUST_SINGLESTEP), 1);
	/* These count other architectures' registers. */
	EXPECT_EQ(ioctl(dev, KVIRT_CHECK_EXTENSION, KVIRT_CAP_GUEST_DEBUG_HW_BPS), 0);
	EXPECT_EQ(ioctl(dev, KVIRT_CHECK_EXTENSION, KVIRT_CAP_GUEST_DEBUG_HW_WPS), 0);
}

static void software_breakpoint(void)
{
	struct vcpu *vcpu = at_stage_1(guest_breaks);

	if (cpu_is_tcg())
		test_skip("TCG compares INT3 with the intercept of INT n alone");
	ASSERT_OK(debug(vcpu, KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_USE_SW_BP, NULL));
	expect_debug(vcpu, BP, (uintptr_t)at_int3, 0);
	/* Again as long as it is there; then over it. */
	expect_debug(vcpu, BP, (uintptr_t)at_int3, 0);
	jump(vcpu, (uintptr_t)at_nop);
	vcpu_expect_stage(vcpu, 2);
	vcpu_finish(vcpu);
}

static void breakpoints_are_the_guests_otherwise(void)
{
	struct vcpu *vcpu = at_stage_1(guest_breaks);

	/* Without ENABLE the other bits mean nothing, bits that nobody knows neither. */
	ASSERT_OK(debug(vcpu, KVIRT_GUESTDBG_USE_SW_BP | KVIRT_GUESTDBG_SINGLESTEP | KVIRT_GUESTDBG_USE_HW_BP, NULL));
	ASSERT_OK(debug(vcpu, KVIRT_GUESTDBG_ENABLE | 0x40000000, NULL));
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(*vm_var(vcpu->vm, hit_vector), BP);
	EXPECT_EQ(*vm_var(vcpu->vm, hit_rip), (uintptr_t)at_nop);
	vcpu_finish(vcpu);
}

enum give_back { AS_DEBUGGER, AS_INJECTED, AS_PENDING };

/* A breakpoint that the debugger did not set is the guest's, its return address behind it: what gdb's VMM does with it. */
static void give_back(enum give_back how)
{
	struct vcpu *vcpu = at_stage_1(guest_breaks);
	struct kvirt_enable_cap payload = { .cap = KVIRT_CAP_EXCEPTION_PAYLOAD, .args = { 1 } };
	struct kvirt_vcpu_events events;

	/* KVM has the instruction's length from the breakpoint's exit, or none. */
	if (cpu_is_tcg()) {
		leave_for(vcpu, at_int3);
	} else {
		ASSERT_OK(debug(vcpu, KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_USE_SW_BP, NULL));
		expect_debug(vcpu, BP, (uintptr_t)at_int3, 0);
	}
	if (how == AS_DEBUGGER) {
		ASSERT_OK(debug(vcpu, KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_USE_SW_BP | KVIRT_GUESTDBG_INJECT_BP, NULL));
		/* One is pending: no second. */
		EXPECT_ERRNO(debug(vcpu, KVIRT_GUESTDBG_INJECT_DB, NULL), EBUSY);
		EXPECT_ERRNO(debug(vcpu, KVIRT_GUESTDBG_INJECT_BP, NULL), EBUSY);
	} else {
		if (how == AS_PENDING)
			ASSERT_OK(ioctl(vcpu->vm->fd, KVIRT_ENABLE_CAP, &payload));
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &events));
		events.exception.nr = BP;
		events.exception.injected = how == AS_INJECTED;
		events.exception.pending = how == AS_PENDING;
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_VCPU_EVENTS, &events));
	}
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(*vm_var(vcpu->vm, hit_vector), BP);
	EXPECT_EQ(*vm_var(vcpu->vm, hit_rip), (uintptr_t)at_nop);
	vcpu_finish(vcpu);
}

static void inject_breakpoint(void)
{
	give_back(AS_DEBUGGER);
}

static void set_breakpoint_injected(void)
{
	give_back(AS_INJECTED);
}

static void set_breakpoint_pending(void)
{
	give_back(AS_PENDING);
}

static void inject_debug(void)
{
	struct vcpu *vcpu = at_stage_1(guest_breaks);

	leave_for(vcpu, at_nop);
	ASSERT_OK(debug(vcpu, KVIRT_GUESTDBG_INJECT_DB, NULL));
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(*vm_var(vcpu->vm, hit_vector), DB);
	EXPECT_EQ(*vm_var(vcpu->vm, hit_rip), (uintptr_t)at_nop);
	EXPECT_EQ(*vm_var(vcpu->vm, hit_dr6), DR6_FIXED);
	vcpu_finish(vcpu);
}

static void hardware_breakpoints(void)
{
	const uint32_t control = KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_USE_HW_BP;
	struct vcpu *vcpu = at_stage_1(guest_breaks);
	struct kvirt_debugregs before, after;

	if (cpu_is_tcg())
		test_skip("TCG arms no breakpoint from the control block's DR7");
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_DEBUGREGS, &before));
	/* Code: a fault at the instruction, before each of the four. */
	for (int i = 0; i < 4; i++) {
		struct kvirt_guest_debug g = { 0 };

		g.arch.debugreg[i] = (uintptr_t)at_nop;
		g.arch.debugreg[7] = 0x400 | 2 << 2 * i;
		ASSERT_OK(debug(vcpu, control, &g));
		expect_debug(vcpu, DB, (uintptr_t)at_nop, DR6_FIXED | 1u << i);
		EXPECT_EQ(vcpu->run->debug.arch.dr7, g.arch.debugreg[7]);
	}
	/* Data: a trap behind the store. */
	for (int i = 0; i < 4; i++) {
		struct kvirt_guest_debug g = { 0 };

		g.arch.debugreg[i] = (uintptr_t)&watched;
		g.arch.debugreg[7] = 0x400 | 2 << 2 * i | 0x9ull << (16 + 4 * i);
		ASSERT_OK(debug(vcpu, control, &g));
		expect_debug(vcpu, DB, (uintptr_t)after_store, DR6_FIXED | 1u << i);
		jump(vcpu, (uintptr_t)at_store);
	}
	ASSERT_OK(debug(vcpu, 0, NULL));
	/* The guest took the INT3 before the first. */
	vcpu_expect_stage(vcpu, 3);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_DEBUGREGS, &after));
	EXPECT(!memcmp(&before, &after, sizeof(before)));
	vcpu_finish(vcpu);
}

/* --- the guest's debug registers --- */

/*
 * Where no guest ever runs: TCG forgets no breakpoint that was set in a guest and taken away by an entry or an exit, so the
 * guests of all later tests would stop there.
 */
#define FAR_AWAY	0x7f0000000000ull

static void guest_debug_registers(void)
{
	guest_idt_load();
	WRITE_REGISTER(dr0, FAR_AWAY);
	WRITE_REGISTER(dr3, FAR_AWAY + 0x4000);
	WRITE_REGISTER(dr7, 0x441);
	guest_stage(1);
	asm volatile(".globl at_dr\n"
		     "at_dr: mov %%dr0, %%rax" : : : "rax");
	GUEST_EXPECT_EQ(READ_REGISTER(dr0), FAR_AWAY);
	GUEST_EXPECT_EQ(READ_REGISTER(dr3), FAR_AWAY + 0x4000);
	GUEST_EXPECT_EQ(READ_REGISTER(dr6), DR6_FIXED);
	GUEST_EXPECT_EQ(READ_REGISTER(dr7), 0x441);
	WRITE_REGISTER(dr1, 0x2000);
	WRITE_REGISTER(dr7, 0x400);
	guest_stage(2);
	GUEST_EXPECT_EQ(READ_REGISTER(dr1), 0x2000);
	GUEST_EXPECT_EQ(READ_REGISTER(dr7), 0x400);
	guest_done();
}

static void guests_registers_stay(void)
{
	struct vcpu *vcpu = at_stage_1(guest_debug_registers);
	struct kvirt_guest_debug g = { .arch.debugreg = { 0x111000, 0x222000, 0x333000, 0x444000, [7] = 0x4aa } };
	struct kvirt_debugregs d;

	ASSERT_OK(debug(vcpu, KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_USE_HW_BP, &g));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_DEBUGREGS, &d));
	EXPECT_EQ(d.db[0], FAR_AWAY);
	EXPECT_EQ(d.dr7, 0x441);
	vcpu_expect_stage(vcpu, 2);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_DEBUGREGS, &d));
	EXPECT_EQ(d.db[1], 0x2000);
	EXPECT_EQ(d.dr6, DR6_FIXED);
	EXPECT_EQ(d.dr7, 0x400);
	ASSERT_OK(debug(vcpu, 0, NULL));
	vcpu_finish(vcpu);
}

/* DR7.GD: a debugger that watches who touches the registers. */
static void general_detect(void)
{
	extern const char at_dr[];
	struct kvirt_guest_debug g = { .arch.debugreg[7] = 0x2400 };
	struct vcpu *vcpu = at_stage_1(guest_debug_registers);

	if (cpu_is_tcg() && !strstr(test_dev, "kvirt"))
		test_skip("TCG does not look at DR7.GD, and KVM without decode assists at the guest's alone");
	ASSERT_OK(debug(vcpu, KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_USE_HW_BP, &g));
	expect_debug(vcpu, DB, (uintptr_t)at_dr, DR6_FIXED | 0x2000);
	ASSERT_OK(debug(vcpu, 0, NULL));
	vcpu_expect_stage(vcpu, 2);
	vcpu_finish(vcpu);
}

/* --- single steps --- */

extern const char step_0[], step_1[], step_2[], step_3[], step_4[], step_5[], step_6[], step_7[], step_8[], step_9[];

static void guest_steps(void)
{
	guest_idt_load();
	guest_stage(1);
	asm volatile(".globl step_0, step_1, step_2, step_3, step_4, step_5, step_6, step_7, step_8, step_9\n"
		     "step_0: xor %%eax, %%eax\n"
		     "step_1: cpuid\n"
		     "step_2: mov $0x1b, %%ecx\n"
		     "step_3: rdmsr\n"
		     "step_4: mov $0x520, %%edx\n"
		     "step_5: out %%al, %%dx\n"
		     "step_6: in %%dx, %%al\n"
		     "step_7: mov %0, %%esi; nop\n"
		     "step_8: movl (%%rsi), %%eax\n"
		     "step_9: movl %%eax, (%%rsi)\n"
		     "step_end: nop" : : "i"(GUEST_HOLE) : "rax", "rbx", "rcx", "rdx", "rsi", "memory");
	guest_stage(2);
	guest_done();
}

/* One step, with an exit to user space in its middle: the trap comes when that is finished, before anything else. */
static void step_by_user(struct vcpu *vcpu, uint32_t reason, const char *next)
{
	ASSERT_OK(vcpu_run(vcpu));
	if (vcpu->run->exit_reason != reason)
		vcpu_describe(vcpu);
	ASSERT_EQ(vcpu->run->exit_reason, reason);
	memset(vcpu_io_data(vcpu), 0x5a, 1);
	memset(vcpu->run->mmio.data, 0xa5, 4);
	vcpu->run->immediate_exit = 1;
	expect_debug(vcpu, DB, (uintptr_t)next, DR6_FIXED | BS);
	vcpu->run->immediate_exit = 0;
}

/* Bochs leaves a step pending behind an instruction that exits, against SDM vol. 3, 27.3.4; KVM's next RUN ends with it. */
static void expect_steps(void)
{
	if (!cpu_is_amd() && !strstr(test_dev, "kvirt"))
		test_skip("with Bochs, KVM finds a step pending that is done");
}

enum { STEP = KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_SINGLESTEP };

static void single_steps(void)
{
	static const char *const stops[] = { step_1, step_2, step_3, step_4, step_5 };
	struct vcpu *vcpu = at_stage_1(guest_steps);

	expect_steps();
	leave_for(vcpu, step_0);
	for (int i = 0; i < COUNT(stops); i++) {
		struct kvirt_regs r;

		ASSERT_OK(debug(vcpu, STEP, NULL));
		/* TF is the debugger's: not to be seen, and SET_REGS does not end it. */
		r = vcpu_regs(vcpu);
		EXPECT_EQ(r.rflags & TF, 0);
		vcpu_set_regs(vcpu, &r);
		expect_debug(vcpu, DB, (uintptr_t)stops[i], DR6_FIXED | BS);
	}
	ASSERT_OK(debug(vcpu, 0, NULL));
	EXPECT_EQ(vcpu_regs(vcpu).rflags & TF, 0);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(vcpu->run->io.port, PORT_TEST);
}

/* Asked for once, it goes on until it is ended, at whatever place. */
static void single_steps_go_on(void)
{
	static const char *const stops[] = { step_1, step_2, step_3, step_4, step_5 };
	struct vcpu *vcpu = at_stage_1(guest_steps);

	expect_steps();
	leave_for(vcpu, step_0);
	ASSERT_OK(debug(vcpu, STEP, NULL));
	for (int i = 0; i < COUNT(stops); i++)
		expect_debug(vcpu, DB, (uintptr_t)stops[i], DR6_FIXED | BS);
	step_by_user(vcpu, KVIRT_EXIT_IO, step_6);
	step_by_user(vcpu, KVIRT_EXIT_IO, step_7);
	EXPECT_EQ(vcpu_regs(vcpu).rax & 0xff, 0x5a);
}

static void steps_over_ports(void)
{
	struct vcpu *vcpu = at_stage_1(guest_steps);

	expect_steps();
	leave_for(vcpu, step_4);
	ASSERT_OK(debug(vcpu, STEP, NULL));
	expect_debug(vcpu, DB, (uintptr_t)step_5, DR6_FIXED | BS);
	ASSERT_OK(debug(vcpu, STEP, NULL));
	step_by_user(vcpu, KVIRT_EXIT_IO, step_6);
	ASSERT_OK(debug(vcpu, STEP, NULL));
	step_by_user(vcpu, KVIRT_EXIT_IO, step_7);
	EXPECT_EQ(vcpu_regs(vcpu).rax & 0xff, 0x5a);
}

static void steps_over_mmio(void)
{
	struct vcpu *vcpu = at_stage_1(guest_steps);

	leave_for(vcpu, step_7);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	EXPECT(!vcpu->run->mmio.is_write);
	memset(vcpu->run->mmio.data, 0, 4);
	leave_for(vcpu, step_8);
	ASSERT_OK(debug(vcpu, STEP, NULL));
	step_by_user(vcpu, KVIRT_EXIT_MMIO, step_9);
	EXPECT_EQ(vcpu_regs(vcpu).rax, 0xa5a5a5a5);
}

static void steps_over_mmio_writes(void)
{
	extern const char step_end[];
	struct vcpu *vcpu = at_stage_1(guest_steps);

	if (!strstr(test_dev, "kvirt"))
		test_skip("KVM forgets the step over a write that it emulates");
	/* Once without a step: where Bochs exits amid an instruction for a fresh page, the next entry finds the step done. */
	leave_for(vcpu, step_7);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	leave_for(vcpu, step_9);
	ASSERT_OK(debug(vcpu, STEP, NULL));
	step_by_user(vcpu, KVIRT_EXIT_MMIO, step_end);
}

/* What is left of a string instruction stands at the same place. */
static void guest_string(void)
{
	guest_idt_load();
	guest_stage(1);
	asm volatile(".globl at_rep, behind_rep\n"
		     "at_rep: rep stosb\n"
		     "behind_rep: nop" : : "D"(GUEST_HOLE), "a"(1), "c"(2) : "memory");
	guest_done();
}

static void steps_of_a_string(void)
{
	extern const char at_rep[], behind_rep[];
	struct vcpu *vcpu = at_stage_1(guest_string);
	struct kvirt_regs r;

	if (!strstr(test_dev, "kvirt"))
		test_skip("KVM forgets the step over a write that it emulates");
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	leave_for(vcpu, at_rep);
	r = vcpu_regs(vcpu);
	r.rdi = GUEST_HOLE;
	r.rcx = 2;
	vcpu_set_regs(vcpu, &r);
	ASSERT_OK(debug(vcpu, STEP, NULL));
	for (int left = 1; left >= 0; left--) {
		step_by_user(vcpu, KVIRT_EXIT_MMIO, left ? at_rep : behind_rep);
		EXPECT_EQ(vcpu_regs(vcpu).rcx, left);
	}
	ASSERT_OK(debug(vcpu, 0, NULL));
	vcpu_finish(vcpu);
}

/* --- single steps and interrupts --- */

extern const char shadow_0[], shadow_1[], shadow_2[], shadow_3[], shadow_4[];

static void on_tick(struct guest_frame *frame)
{
	ticks++;
}

static void guest_shadows(void)
{
	guest_idt_load();
	guest_handle(0x40, on_tick);
	guest_handle(2, on_tick);
	ticks = 0;
	guest_stage(1);
	asm volatile(".globl shadow_0, shadow_1, shadow_2, shadow_3, shadow_4\n"
		     "shadow_0: sti\n"
		     "shadow_1: nop\n"
		     "shadow_2: nop\n"
		     "shadow_3: nop\n"
		     "shadow_4: cli" : : : "memory");
	guest_stage(2 + ticks);
	guest_done();
}

static void block_interrupts(void)
{
	const uint32_t control = KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_SINGLESTEP | KVIRT_GUESTDBG_BLOCKIRQ;
	const char *const stops[] = { shadow_1, shadow_2, shadow_3 };
	/* TCG traps only behind the instruction that follows STI, not behind STI. */
	int first = cpu_is_tcg();
	struct kvirt_regs r;
	struct kvirt_msi msi = { .address_lo = 0xfee00000, .data = 0x40 };
	struct vcpu *vcpu = vcpu_new(vm_new_split(), 0, guest_shadows);
	struct kvirt_lapic_state lapic;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &lapic));
	memcpy(&lapic.regs[APIC_SVR], &(uint32_t){ 0x1ff }, 4);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_LAPIC, &lapic));
	vcpu_expect_stage(vcpu, 1);
	leave_for(vcpu, first ? shadow_1 : shadow_0);
	if (first) {
		r = vcpu_regs(vcpu);
		r.rflags |= 0x200;
		vcpu_set_regs(vcpu, &r);
	}
	ASSERT_EQ(ioctl(vcpu->vm->fd, KVIRT_SIGNAL_MSI, &msi), 1);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_NMI, 0));
	for (int i = first; i < COUNT(stops); i++) {
		ASSERT_OK(debug(vcpu, control, NULL));
		expect_debug(vcpu, DB, (uintptr_t)stops[i], DR6_FIXED | BS);
	}
	EXPECT_EQ(*vm_var(vcpu->vm, ticks), 0);
	/* No longer blocked: both are taken, where interrupts are on. */
	ASSERT_OK(debug(vcpu, 0, NULL));
	vcpu_expect_stage(vcpu, 4);
	vcpu_finish(vcpu);
}

/* An NMI that waits for the end of another makes AMD-V step over the IRET by itself: a debugger's step is none of that. */
static void guest_nmis(void)
{
	guest_idt_load();
	guest_handle(2, on_tick);
	ticks = 0;
	guest_stage(1);
	asm volatile(".globl nmi_0, nmi_1, nmi_2\n"
		     "nmi_0: nop\n"
		     "nmi_1: nop\n"
		     "nmi_2: nop");
	guest_stage(2 + ticks);
	guest_done();
}

static void steps_beside_nmis(void)
{
	extern const char nmi_1[], nmi_2[];
	struct vcpu *vcpu = at_stage_1(guest_nmis);
	struct kvirt_regs r;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_NMI, 0));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_NMI, 0));
	vcpu_expect_stage(vcpu, 4);
	r = vcpu_regs(vcpu);
	EXPECT_EQ(r.rflags & TF, 0);
	leave_for(vcpu, nmi_1);
	ASSERT_OK(debug(vcpu, KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_SINGLESTEP, NULL));
	expect_debug(vcpu, DB, (uintptr_t)nmi_2, DR6_FIXED | BS);
	ASSERT_OK(debug(vcpu, 0, NULL));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_NMI, 0));
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_NMI, 0));
	vcpu_expect_stage(vcpu, 6);
	vcpu_finish(vcpu);
}

/* --- KVIRT_TRANSLATE --- */

static void expect_translation(struct vcpu *vcpu, uint64_t linear, uint64_t physical)
{
	struct kvirt_translation t = { .linear_address = linear, .pad = { 1, 2, 3, 4, 5 } };

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_TRANSLATE, &t));
	EXPECT_EQ(t.linear_address, linear);
	EXPECT_EQ(t.physical_address, physical);
	EXPECT_EQ(t.valid, physical != ~0ull);
	EXPECT_EQ(t.writeable, 1);
	EXPECT_EQ(t.usermode, 0);
}

static void translate(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);
	uint64_t *pd;

	/* No paging: the address itself. */
	expect_translation(vcpu, 0x12345678, 0x12345678);
	vcpu_cpuid(vcpu);
	vcpu_long_mode(vcpu, 0x1000);
	pd = (uint64_t *)vm_at(vcpu->vm, GUEST_PML4) + 1024;
	expect_translation(vcpu, 0x12345678, 0x12345678);
	pd[510] = GUEST_SCRATCH | 0x81;		/* read-only, a supervisor's */
	expect_translation(vcpu, (510ull << 21) + 0x1234, GUEST_SCRATCH + 0x1234);
	/* Where nothing is, and where it ends in a reserved bit. */
	expect_translation(vcpu, 0x123456789000, -1);
	pd[510] |= 1ull << 51;
	expect_translation(vcpu, 510ull << 21, -1);
	pd[510] = 0;
	expect_translation(vcpu, 510ull << 21, -1);
	/* Nothing of it reached the guest. */
	EXPECT_EQ(vcpu_sregs(vcpu).cr2, 0);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_TRANSLATE, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_TRANSLATE, (void *)0x10), EFAULT);
}

static void bad_pointers(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_bare(), 0);

	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_GUEST_DEBUG, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_GUEST_DEBUG, (void *)0x10), EFAULT);
	EXPECT_ERRNO(ioctl(vcpu->vm->fd, KVIRT_SET_GUEST_DEBUG, NULL), ENOTTY);
}

static const struct test tests[] = {
	TEST(capabilities),
	TEST(software_breakpoint),
	TEST(breakpoints_are_the_guests_otherwise),
	TEST(inject_breakpoint),
	TEST(set_breakpoint_injected),
	TEST(set_breakpoint_pending),
	TEST(inject_debug),
	TEST(hardware_breakpoints),
	TEST(guests_registers_stay),
	TEST(general_detect),
	TEST(single_steps),
	TEST(single_steps_go_on),
	TEST(steps_over_ports),
	TEST(steps_over_mmio),
	TEST(steps_over_mmio_writes),
	TEST(steps_of_a_string),
	TEST(block_interrupts),
	TEST(steps_beside_nmis),
	TEST(translate),
	TEST(bad_pointers),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

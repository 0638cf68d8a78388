// SPDX-License-Identifier: GPL-2.0
/*
 * Two vCPUs of the split form: the second started by INIT and SIPI, interrupts from one to the other, broadcasts, NMIs.
 * They wait in HLT, not in loops: the machine may have one CPU for both.
 */
#include <pthread.h>
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

static volatile uint32_t pings[2], turns;

static uint32_t self(void)
{
	return x2apic_read(APIC_ID);
}

static void apic_on(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 10);
	x2apic_write(APIC_SVR, 0x1ff);
}

static void ipi(uint32_t destination, uint32_t command)
{
	x2apic_write(APIC_ICR, (uint64_t)destination << 32 | command);
}

/* The other thread: runs its vCPU until the guest is done. */
static void *run_other(void *vcpu)
{
	struct vcpu *v = vcpu;

	for (;;) {
		int r = vcpu_run(v);

		if (r && errno == EAGAIN)
			continue;
		if (r) {
			test_fail(__FILE__, __LINE__, "RUN: %s", test_errno_name(errno));
			vcpu_describe(v);
			return NULL;
		}
		if (v->run->exit_reason != KVIRT_EXIT_IO) {
			test_fail(__FILE__, __LINE__, "exit %u", v->run->exit_reason);
			vcpu_describe(v);
			return NULL;
		}
		if (v->run->io.port == PORT_DONE)
			return NULL;
		if (v->run->io.port == PORT_FAIL) {
			struct kvirt_regs regs = vcpu_regs(v);

			test_fail("guest", regs.rdi, "%#llx, not %#llx", regs.rsi, regs.rcx);
		}
	}
}

/* --- INIT and SIPI --- */

asm("	.code16\n"
    ".globl ap_begin, ap_end\n"
    "ap_begin:\n"
    "	mov	%cs, %bx\n"
    "	xor	%ax, %ax\n"
    "	mov	%ax, %ds\n"
    "	mov	%bx, (0x600)\n"
    "	mov	$0x510, %dx\n"
    "	out	%al, %dx\n"
    "1:	hlt\n"
    "	jmp	1b\n"
    "ap_end:\n"
    "	.code64\n");
extern const char ap_begin[], ap_end[];

static void guest_starts(void)
{
	guest_idt_load();
	apic_on();
	ipi(1, 0x4500);			/* INIT */
	guest_stage(1);
	ipi(1, 0x4600 | GUEST_REAL >> 12);	/* SIPI */
	guest_stage(2);
	ipi(1, 0x4600 | 0x55);		/* one more, when it runs, has no effect */
	guest_done();
}

static void started_by_sipi(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *boot = vcpu_new(vm, 0, guest_starts), *second = vcpu_bare(vm, 1);
	struct kvirt_mp_state m;
	struct kvirt_sregs s;
	pthread_t thread;

	vcpu_cpuid(second);
	memcpy(vm_at(vm, GUEST_REAL), ap_begin, ap_end - ap_begin);
	vcpu_expect_stage(boot, 1);
	ASSERT_OK(ioctl(second->fd, KVIRT_GET_MP_STATE, &m));
	EXPECT_EQ(m.mp_state, KVIRT_MP_STATE_INIT_RECEIVED);
	ASSERT(!pthread_create(&thread, NULL, run_other, second));
	vcpu_expect_stage(boot, 2);
	pthread_join(thread, NULL);
	EXPECT_EQ(*(uint16_t *)vm_at(vm, 0x600), GUEST_REAL >> 4);
	s = vcpu_sregs(second);
	EXPECT_EQ(s.cs.base, GUEST_REAL);
	EXPECT_EQ(s.cr0 & 1, 0);
	EXPECT_EQ(vcpu_regs(second).rdx & 0xffff, PORT_DONE);
	ASSERT_OK(ioctl(second->fd, KVIRT_GET_MP_STATE, &m));
	EXPECT_EQ(m.mp_state, KVIRT_MP_STATE_RUNNABLE);
	vcpu_finish(boot);
	second->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(second), EINTR);
	EXPECT_EQ(vcpu_sregs(second).cs.base, GUEST_REAL);
}

/* Woken from its wait by SIPI, RUN says EAGAIN once. */
static void waits_for_sipi(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *boot = vcpu_new(vm, 0, guest_starts), *second = vcpu_bare(vm, 1);

	vcpu_cpuid(second);
	memcpy(vm_at(vm, GUEST_REAL), ap_begin, ap_end - ap_begin);
	vcpu_expect_stage(boot, 1);
	vcpu_expect_stage(boot, 2);
	EXPECT_ERRNO(vcpu_run(second), EAGAIN);
	EXPECT_EQ(vcpu_go(second), STAGE_DONE);
}

/* --- interrupts between them --- */

enum { PING = 0x60, ROUNDS = 20 };

static void on_ping(struct guest_frame *frame)
{
	pings[self()]++;
	x2apic_write(APIC_EOI, 0);
}

static volatile bool ready;

static void on_ready(struct guest_frame *frame)
{
	x2apic_write(APIC_EOI, 0);
}

/* Until the second's APIC is on, what is sent to it is lost; its word that it is may be lost too, but not the flag. */
static void meet(void)
{
	guest_handle(0x61, on_ready);
	apic_on();
	if (self() == 1) {
		ready = true;
		ipi(0, 0x4000 | 0x61);
	}
	while (!ready)
		sti_hlt_cli();
}

static void guest_pings(void)
{
	uint32_t me;

	guest_idt_load();
	guest_handle(PING, on_ping);
	meet();
	me = self();
	/* The one waits for its turn in HLT; the other's interrupt is the turn. */
	for (uint32_t round = 0; round < ROUNDS; round++) {
		if (me == 0)
			ipi(1, 0x4000 | PING);
		while (pings[me] <= round)
			sti_hlt_cli();
		if (me == 1)
			ipi(0, 0x4000 | PING);
	}
	guest_done();
}

static void both_run(void (*guest)(void))
{
	struct vm *vm = vm_new_split();
	struct vcpu *boot = vcpu_new(vm, 0, guest), *second = vcpu_new(vm, 1, guest);
	struct kvirt_mp_state m = { KVIRT_MP_STATE_RUNNABLE };
	pthread_t thread;

	ASSERT_OK(ioctl(second->fd, KVIRT_SET_MP_STATE, &m));
	ASSERT(!pthread_create(&thread, NULL, run_other, second));
	vcpu_finish(boot);
	pthread_join(thread, NULL);
}

static void pings_and_pongs(void)
{
	both_run(guest_pings);
}

static volatile bool finished;
static volatile uint32_t nmis;

static void on_nmi(struct guest_frame *frame)
{
	nmis++;
}

static void guest_broadcasts(void)
{
	guest_idt_load();
	guest_handle(PING, on_ping);
	guest_handle(2, on_nmi);
	meet();
	if (self() == 1) {
		while (!finished)
			sti_hlt_cli();
		guest_done();
	}
	/* All but this one, all with this one, by logical id, and lowest priority of both. */
	x2apic_write(APIC_ICR, 0xc4000 | PING);
	x2apic_write(APIC_ICR, 0x84000 | PING);
	while (!pings[0])
		sti_hlt_cli();
	ipi(1 << 1, 0x4800 | PING);
	ipi(1, 0x4400);			/* NMI */
	for (int i = 0; i < 1000 && !(pings[1] >= 1 && nmis); i++)
		inb(PORT_TEST);
	GUEST_EXPECT_EQ(pings[0], 1);
	GUEST_EXPECT(pings[1] >= 1 && pings[1] <= 3);
	GUEST_EXPECT_EQ(nmis, 1);
	finished = true;
	ipi(1, 0x4000 | 0x61);
	guest_done();
}

static void broadcasts(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *boot = vcpu_new(vm, 0, guest_broadcasts), *second = vcpu_new(vm, 1, guest_broadcasts);
	struct kvirt_mp_state m = { KVIRT_MP_STATE_RUNNABLE };
	pthread_t thread;
	long stage;

	ASSERT_OK(ioctl(second->fd, KVIRT_SET_MP_STATE, &m));
	ASSERT(!pthread_create(&thread, NULL, run_other, second));
	while ((stage = vcpu_go(boot)) == OTHER_EXIT) {
		ASSERT_EQ(boot->run->io.port, PORT_TEST);
		/* The other may need this CPU. */
		usleep(1000);
	}
	EXPECT_EQ(stage, STAGE_DONE);
	pthread_join(thread, NULL);
}

/* Ids that do not follow each other, and memory that both write with LOCK. */
static volatile uint64_t total;

static void guest_adds(void)
{
	for (int i = 0; i < 2000; i++) {
		asm volatile("lock incq %0" : "+m"(total));
		if (i % 500 == 0)
			inb(PORT_TEST);
	}
	guest_done();
}

static void four_vcpus(void)
{
	static const int ids[] = { 0, 1, 5, 6 };
	struct vm *vm = vm_new();
	struct vcpu *vcpus[4];
	pthread_t threads[4];

	for (int i = 0; i < 4; i++) {
		vcpus[i] = vcpu_new(vm, ids[i], guest_adds);
		ASSERT(!pthread_create(&threads[i], NULL, run_other, vcpus[i]));
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(*vm_var(vm, total), 8000);
}

static const struct test tests[] = {
	TEST(started_by_sipi),
	TEST(waits_for_sipi),
	TEST(pings_and_pongs),
	TEST(broadcasts),
	TEST(four_vcpus),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

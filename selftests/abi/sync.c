// SPDX-License-Identifier: GPL-2.0
/*
 * Registers by the run page (KVM_CAP_SYNC_REGS): given after a RUN, taken before one, class by class; and what is refused.
 */
#include "guest.h"
#include "vm.h"

#define ALL (KVIRT_SYNC_X86_REGS | KVIRT_SYNC_X86_SREGS | KVIRT_SYNC_X86_EVENTS)

static volatile uint64_t seen_rbx, seen_cr2, nmis;

static void on_nmi(struct guest_frame *frame)
{
	nmis++;
}

static void guest(void)
{
	uint64_t rbx;

	guest_idt_load();
	guest_handle(2, on_nmi);
	for (int i = 1;; i++) {
		asm volatile("outb %%al, %%dx" : "=b"(rbx) : "a"(0), "D"(i), "d"(PORT_STAGE), "b"(0x1111) : "memory");
		seen_rbx = rbx;
		seen_cr2 = READ_REGISTER(cr2);
	}
}

static struct vcpu *at_stage_1(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest);

	EXPECT_EQ(ioctl(vcpu->vm->dev, KVIRT_CHECK_EXTENSION, KVIRT_CAP_SYNC_REGS), ALL);
	vcpu_expect_stage(vcpu, 1);
	return vcpu;
}

static void given(void)
{
	struct vcpu *vcpu = at_stage_1();
	struct kvirt_sync_regs *s = &vcpu->run->s.regs;
	struct kvirt_vcpu_events e;
	struct kvirt_sregs sregs;
	struct kvirt_regs regs;

	/* Nobody asked. */
	memset(s, 0xee, sizeof(*s));
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(s->regs.rax, 0xeeeeeeeeeeeeeeee);
	vcpu->run->kvirt_valid_regs = KVIRT_SYNC_X86_REGS;
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(s->regs.rdi, 3);
	EXPECT_EQ(s->sregs.cr2, 0xeeeeeeeeeeeeeeee);
	/* KVM leaves the padding as it was. */
	memset(s, 0, sizeof(*s));
	vcpu->run->kvirt_valid_regs = ALL;
	vcpu_expect_stage(vcpu, 4);
	regs = vcpu_regs(vcpu);
	sregs = vcpu_sregs(vcpu);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &e));
	EXPECT(!memcmp(&regs, &s->regs, sizeof(regs)));
	EXPECT(!memcmp(&sregs, &s->sregs, sizeof(sregs)));
	EXPECT(!memcmp(&e, &s->events, sizeof(e)));
	EXPECT_EQ(vcpu->run->kvirt_valid_regs, ALL);
	/* With an error too. */
	memset(s, 0xee, sizeof(*s));
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	EXPECT_EQ(s->regs.rdi, 4);
}

static void taken(void)
{
	struct vcpu *vcpu = at_stage_1();
	struct kvirt_run *run = vcpu->run;
	struct kvirt_sync_regs *s = &run->s.regs;

	run->kvirt_valid_regs = ALL;
	vcpu_expect_stage(vcpu, 2);
	s->regs.rbx = 0x2222;
	s->sregs.cr2 = 0x123000;
	s->events.nmi.pending = 1;
	run->kvirt_dirty_regs = KVIRT_SYNC_X86_REGS;
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(run->kvirt_dirty_regs, 0);
	EXPECT_EQ(*vm_var(vcpu->vm, seen_rbx), 0x2222);
	EXPECT_EQ(*vm_var(vcpu->vm, seen_cr2), 0);
	EXPECT_EQ(*vm_var(vcpu->vm, nmis), 0);
	s->sregs.cr2 = 0x123000;
	s->events.nmi.pending = 1;
	s->events.flags = KVIRT_VCPUEVENT_VALID_NMI_PENDING;
	run->kvirt_dirty_regs = ALL;
	vcpu_expect_stage(vcpu, 4);
	EXPECT_EQ(run->kvirt_dirty_regs, 0);
	EXPECT_EQ(*vm_var(vcpu->vm, seen_cr2), 0x123000);
	EXPECT_EQ(*vm_var(vcpu->vm, nmis), 1);
}

static void refused(void)
{
	struct vcpu *vcpu = at_stage_1();
	struct kvirt_run *run = vcpu->run;
	struct kvirt_sregs before;

	for (int bit = 3; bit < 64; bit += 4) {
		run->kvirt_valid_regs = 1ull << bit;
		EXPECT_ERRNO(vcpu_run(vcpu), EINVAL);
		run->kvirt_valid_regs = 0;
		run->kvirt_dirty_regs = 1ull << bit;
		EXPECT_ERRNO(vcpu_run(vcpu), EINVAL);
		run->kvirt_dirty_regs = 0;
	}
	run->kvirt_valid_regs = ALL;
	vcpu_expect_stage(vcpu, 2);
	run->kvirt_valid_regs = 0;
	before = vcpu_sregs(vcpu);
	/* What SET_SREGS would refuse: the classes before it are taken, those from it on stay asked for. */
	run->s.regs.regs.r15 = 0x5555;
	run->s.regs.sregs.cr4 |= 1ull << 40;
	run->kvirt_dirty_regs = ALL;
	EXPECT_ERRNO(vcpu_run(vcpu), EINVAL);
	EXPECT_EQ(run->kvirt_dirty_regs, KVIRT_SYNC_X86_SREGS | KVIRT_SYNC_X86_EVENTS);
	EXPECT_EQ(vcpu_regs(vcpu).r15, 0x5555);
	EXPECT_EQ(vcpu_sregs(vcpu).cr4, before.cr4);
	run->s.regs.events.flags = 0x80000000;
	run->kvirt_dirty_regs = KVIRT_SYNC_X86_EVENTS;
	EXPECT_ERRNO(vcpu_run(vcpu), EINVAL);
	EXPECT_EQ(run->kvirt_dirty_regs, KVIRT_SYNC_X86_EVENTS);
	run->kvirt_dirty_regs = 0;
	vcpu_expect_stage(vcpu, 3);
}

/* A vCPU that waits for INIT looks at none of it. */
static void uninitialized(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new_split(), 1, guest);

	vcpu->run->kvirt_dirty_regs = 1ull << 40;
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
}

static const struct test tests[] = {
	TEST(given),
	TEST(taken),
	TEST(refused),
	TEST(uninitialized),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that asks for a timer interrupt each nanosecond: it gets them at the rate the host can afford, and lives. Not for
 * hosts whose clock runs ahead of their instructions: under Bochs one interrupt takes longer than the shortest period.
 */
#include "guest.h"
#include "vm.h"

#define VECTOR	0x61

static volatile uint32_t taken;

static void handle(struct guest_frame *frame)
{
	taken++;
	xapic_write(APIC_EOI, 0);
}

static void guest_storm(void)
{
	guest_idt_load();
	guest_handle(VECTOR, handle);
	xapic_write(APIC_SVR, 0x1ff);
	sti();
	xapic_write(APIC_TIMER_DIVIDE, 0xb);
	xapic_write(APIC_LVT_TIMER, 0x20000 | VECTOR);
	xapic_write(APIC_TIMER_INITIAL, 1);
	while (taken < 20)
		cpu_relax();
	while (taken < 40)
		hlt();
	xapic_write(APIC_TIMER_INITIAL, 0);
	guest_done();
}

static void timer_storm(void)
{
	vcpu_finish(vcpu_new(vm_new_split(), 0, guest_storm));
}

static const struct test tests[] = { TEST(timer_storm) };

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

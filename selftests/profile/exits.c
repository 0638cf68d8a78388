// SPDX-License-Identifier: GPL-2.0
/*
 * The guest that selftests/profile/profile traces, in 64-bit mode: three times CPUID, then a write to a doorbell in memory (an ioeventfd
 * of any length), one to a device in memory and one to a port, forever. XCHG BX, BX before the measured rounds is Bochs' magic breakpoint; any other CPU takes it as a NOP.
 */
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "ktap.h"
#include "vm.h"

enum { ROUNDS = 30, BELL = 0x40, CODE = 0xa000 };	/* behind the page tables: the profile takes what is below 64 KiB for the guest's */

static const uint8_t code[] = {
	0x31, 0xc0, 0x0f, 0xa2,			/* xor %eax, %eax; cpuid */
	0x31, 0xc0, 0x0f, 0xa2, 0x31, 0xc0, 0x0f, 0xa2,
	0x89, 0x04, 0x25, BELL, 0x00, 0x00, GUEST_HOLE >> 24,	/* mov %eax, GUEST_HOLE + BELL */
	0x89, 0x04, 0x25, 0x00, 0x00, 0x00, GUEST_HOLE >> 24,	/* mov %eax, GUEST_HOLE */
	0xe6, 0x10, 0xeb, 0xe2,			/* out %al, $0x10; jmp back */
};

static void rounds(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct kvirt_ioeventfd bell = { .addr = GUEST_HOLE + BELL, .fd = eventfd(0, EFD_NONBLOCK) };

	ASSERT_OK(ioctl(vm->fd, KVIRT_IOEVENTFD, &bell));
	memcpy(vm_at(vm, CODE), code, sizeof(code));
	vcpu_long_mode(vcpu, CODE);
	for (int i = 0; i < 2 * ROUNDS; i++)
		ASSERT_OK(vcpu_run(vcpu));
	asm volatile("xchg %bx, %bx");
	for (int i = 0; i < 2 * ROUNDS; i++)
		ASSERT_OK(vcpu_run(vcpu));
	vcpu_free(vcpu);
	vm_free(vm);
}

static const struct test tests[] = { TEST(rounds) };

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

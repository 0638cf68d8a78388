// SPDX-License-Identifier: GPL-2.0
/*
 * The guest that selftests/profile/profile traces: three times CPUID, then a write to a port, forever. XCHG BX, BX before
 * the measured rounds is Bochs' magic breakpoint; any other CPU takes it as a NOP.
 */
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "ktap.h"
#include "vm.h"

enum { ROUNDS = 30, CODE = 0x1000 };

static const uint8_t code[] = {
	0x66, 0x31, 0xc0, 0x0f, 0xa2,		/* xor %eax, %eax; cpuid */
	0x66, 0x31, 0xc0, 0x0f, 0xa2, 0x66, 0x31, 0xc0, 0x0f, 0xa2,
	0xe6, 0x10, 0xeb, 0xed,			/* out %al, $0x10; jmp back */
};

static void rounds(void)
{
	struct kvirt_userspace_memory_region region = { .memory_size = 0x6000 };
	struct kvirt_regs regs = { .rip = CODE, .rflags = 2 };
	int dev = dev_open(), vm, vcpu;
	struct kvirt_sregs sregs;
	uint8_t *memory;

	vm = ASSERT_OK(ioctl(dev, KVIRT_CREATE_VM, 0));
	memory = mmap(NULL, 0x6000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(memory != MAP_FAILED);
	memcpy(memory + CODE, code, sizeof(code));
	region.userspace_addr = (uintptr_t)memory;
	ASSERT_OK(ioctl(vm, KVIRT_SET_USER_MEMORY_REGION, &region));
	vcpu = ASSERT_OK(ioctl(vm, KVIRT_CREATE_VCPU, 0));
	ASSERT_OK(ioctl(vcpu, KVIRT_GET_SREGS, &sregs));
	sregs.cs.base = sregs.cs.selector = 0;
	ASSERT_OK(ioctl(vcpu, KVIRT_SET_SREGS, &sregs));
	ASSERT_OK(ioctl(vcpu, KVIRT_SET_REGS, &regs));
	for (int i = 0; i < ROUNDS; i++)
		ASSERT_OK(ioctl(vcpu, KVIRT_RUN, 0));
	asm volatile("xchg %bx, %bx");
	for (int i = 0; i < ROUNDS; i++)
		ASSERT_OK(ioctl(vcpu, KVIRT_RUN, 0));
}

static const struct test tests[] = { TEST(rounds) };

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

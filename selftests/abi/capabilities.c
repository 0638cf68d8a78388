// SPDX-License-Identifier: GPL-2.0
/*
 * KVIRT_CHECK_EXTENSION against the same host's KVM: every number from 0 to 300, on the device and on a VM. Where they differ, the
 * row of userspace/vmrun/abi.def has the reason as its note; one that has none fails. --dev /dev/kvm compares KVM with itself,
 * which shows that the comparison holds.
 *
 * And the values that capabilities and attributes promise: device attributes, emulated CPUID, page-table limits, vCPU ids.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "../../userspace/vmrun/abi.h"
#include "vm.h"

#define BAD_POINTER	((void *)0x10ul)
#define LAST		300

static const struct abi_row rows[] = {
#include "../../userspace/vmrun/abi.def"
};

/* The note of the capability's row, if it has one. */
static const char *declared(int number)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].kind == ABI_CAPABILITY && rows[i].number == number && *rows[i].note)
			return rows[i].note;
	return NULL;
}

static void compare(int ours, int theirs, const char *where, bool tell)
{
	unsigned int differ = 0, same = 0;

	for (int i = 0; i <= LAST; i++) {
		int a = ioctl(ours, KVIRT_CHECK_EXTENSION, i), b = ioctl(theirs, KVIRT_CHECK_EXTENSION, i);

		if (a == b) {
			same += a != 0;
			continue;
		}
		differ++;
		if (!declared(i))
			test_fail(__FILE__, __LINE__, "capability %d of the %s is %d, KVM's %d", i, where, a, b);
		else if (tell)
			test_note("capability %d is %d, KVM's %d: %s", i, a, b, declared(i));
	}
	test_note("%s: %u differ, %u are the same and not 0", where, differ, same);
	EXPECT(same > 40);
}

static void against_kvm(void)
{
	int theirs = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;

	/* The oracle of this host; a test that is run alone may come before it. */
	if (theirs < 0 && !system("kvm load >/dev/null 2>&1"))
		theirs = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	ASSERT(theirs >= 0);
	compare(dev_open(), theirs, "device", true);
	vm = ASSERT_OK(ioctl(theirs, KVIRT_CREATE_VM, 0));
	compare(vm_bare()->fd, vm, "VM", false);
}

/* --- device attributes --- */

static void attribute_of_the_device(void)
{
	uint64_t v = 0xdead, word = 0;
	struct kvirt_device_attr attr = { .addr = (uintptr_t)&v };
	struct kvirt_cpuid2 *table = dev_cpuid();
	struct kvirt_cpuid_entry2 *e = cpuid_find(table, 0xd, 0);
	int dev = dev_open();

	EXPECT_EQ(dev_cap(KVIRT_CAP_SYS_ATTRIBUTES), 1);
	EXPECT_OK(ioctl(dev, KVIRT_HAS_DEVICE_ATTR, &attr));
	EXPECT_OK(ioctl(dev, KVIRT_GET_DEVICE_ATTR, &attr));
	EXPECT_EQ(v, e ? e->eax | (uint64_t)e->edx << 32 : 0);
	EXPECT_ERRNO(ioctl(dev, KVIRT_SET_DEVICE_ATTR, &attr), EINVAL);
	attr.attr = 1;
	EXPECT_ERRNO(ioctl(dev, KVIRT_HAS_DEVICE_ATTR, &attr), ENXIO);
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_DEVICE_ATTR, &attr), ENXIO);
	attr.attr = 0;
	attr.group = 1;
	EXPECT_ERRNO(ioctl(dev, KVIRT_HAS_DEVICE_ATTR, &attr), ENXIO);
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_DEVICE_ATTR, &attr), ENXIO);
	attr.group = 0;
	attr.addr = 0x10;
	EXPECT_OK(ioctl(dev, KVIRT_HAS_DEVICE_ATTR, &attr));
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_DEVICE_ATTR, &attr), EFAULT);
	attr.addr = (uintptr_t)&word | 1ull << 63;
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_DEVICE_ATTR, &attr), EFAULT);
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_DEVICE_ATTR, BAD_POINTER), EFAULT);
	EXPECT_ERRNO(ioctl(dev, KVIRT_HAS_DEVICE_ATTR, NULL), EFAULT);
	/* A VM has none. */
	EXPECT_ERRNO(ioctl(vm_bare()->fd, KVIRT_HAS_DEVICE_ATTR, &attr), ENOTTY);
	free(table);
}

static void tsc_offset(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0), *other = vcpu_bare(vm, 1);
	uint64_t v = 0, tsc, again, khz = ioctl(vcpu->fd, KVIRT_GET_TSC_KHZ, 0);
	struct kvirt_device_attr attr = { .addr = (uintptr_t)&v };

	EXPECT_EQ(dev_cap(KVIRT_CAP_VCPU_ATTRIBUTES), 1);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_HAS_DEVICE_ATTR, &attr));
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_GET_DEVICE_ATTR, &attr));
	v += 1ull << 44;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_DEVICE_ATTR, &attr));
	EXPECT_EQ(vcpu_get_msr(vcpu, 0x10, &tsc), 1);
	EXPECT(tsc >= 1ull << 44 && tsc < (1ull << 44) + (1ull << 43));
	again = v;
	v = 0;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_GET_DEVICE_ATTR, &attr));
	EXPECT_EQ(v, again);
	EXPECT_OK(ioctl(other->fd, KVIRT_SET_DEVICE_ATTR, &attr));
	EXPECT_EQ(vcpu_get_msr(other, 0x10, &again), 1);
	EXPECT(again >= tsc);
	/* A value near this vCPU's is taken for the same moment: that of the other's offset. */
	EXPECT_EQ(vcpu_set_msr(other, 0x10, again + khz * 100), 1);
	v = 0;
	EXPECT_OK(ioctl(other->fd, KVIRT_GET_DEVICE_ATTR, &attr));
	again = v;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_GET_DEVICE_ATTR, &attr));
	EXPECT_EQ(v, again);

	attr.attr = 1;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_HAS_DEVICE_ATTR, &attr), ENXIO);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_GET_DEVICE_ATTR, &attr), ENXIO);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_DEVICE_ATTR, &attr), ENXIO);
	attr.attr = 0;
	attr.group = 1;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_DEVICE_ATTR, &attr), ENXIO);
	attr.group = 0;
	attr.addr = 0x10;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_GET_DEVICE_ATTR, &attr), EFAULT);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_DEVICE_ATTR, &attr), EFAULT);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_DEVICE_ATTR, BAD_POINTER), EFAULT);
	attr.addr = (uintptr_t)&v;
	v = 0;
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_GET_DEVICE_ATTR, &attr));
	EXPECT_EQ(v, again);
}

/* --- small ones --- */

static void emulated_cpuid(void)
{
	struct {
		struct kvirt_cpuid2 head;
		struct kvirt_cpuid_entry2 entries[256];
	} c = { .head.nent = 256 };
	int dev = dev_open();

	EXPECT_EQ(dev_cap(KVIRT_CAP_EXT_EMUL_CPUID), 1);
	EXPECT_OK(ioctl(dev, KVIRT_GET_EMULATED_CPUID, &c));
	/* KVM emulates MOVBE and RDPID on CPUs without them. */
	EXPECT(c.head.nent <= 3);
	c.head.nent = 0;
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_EMULATED_CPUID, &c), E2BIG);
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_EMULATED_CPUID, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_EMULATED_CPUID, BAD_POINTER), EFAULT);
}

static void mmu_pages(void)
{
	struct vm *vm = vm_bare();

	EXPECT_EQ(dev_cap(KVIRT_CAP_MMU_SHADOW_CACHE_CONTROL), 1);
	EXPECT_EQ(ioctl(vm->fd, KVIRT_GET_NR_MMU_PAGES, 0), 0);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_NR_MMU_PAGES, 0), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_NR_MMU_PAGES, 63), EINVAL);
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_NR_MMU_PAGES, 64));
	EXPECT_EQ(ioctl(vm->fd, KVIRT_GET_NR_MMU_PAGES, 0), 64);
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_NR_MMU_PAGES, 100000));
	EXPECT_EQ(ioctl(vm->fd, KVIRT_GET_NR_MMU_PAGES, 0), 100000);
}

static void vcpu_ids_can_be_bounded(void)
{
	struct vm *vm = vm_bare();

	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_MAX_VCPU_ID, 4097), EINVAL);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_MAX_VCPU_ID, -1ull), EINVAL);
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_MAX_VCPU_ID, 2));
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_MAX_VCPU_ID, 2));
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_MAX_VCPU_ID, 3), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_VCPU, 2), EINVAL);
	EXPECT_OK(ioctl(vm->fd, KVIRT_CREATE_VCPU, 1));
	/* Once there is a vCPU, it is too late. */
	vm = vm_bare();
	EXPECT_OK(ioctl(vm->fd, KVIRT_CREATE_VCPU, 0));
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_MAX_VCPU_ID, 2), EINVAL);
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_MAX_VCPU_ID, 4096));
	EXPECT_OK(ioctl(vm->fd, KVIRT_CREATE_VCPU, 4095));
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_VCPU, 4096), EINVAL);
}

static const struct test tests[] = {
	TEST(against_kvm),
	TEST(attribute_of_the_device),
	TEST(tsc_offset),
	TEST(emulated_cpuid),
	TEST(mmu_pages),
	TEST(vcpu_ids_can_be_bounded),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

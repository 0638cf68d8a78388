// SPDX-License-Identifier: GPL-2.0
/*
 * userspace/vmrun/abi.def, the table that vmrun abi prints and docs/abi.md shows, says the truth about the device. On KVM only the
 * last test makes sense: the table leaves out no capability that KVM has.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../userspace/vmrun/abi.h"
#include "vm.h"

#define BAD_POINTER	((void *)0x10ul)
/* Far beyond the highest that exists. */
#define CAPABILITIES	1024

static const struct abi_row rows[] = {
#include "../../userspace/vmrun/abi.def"
};

static const struct abi_row *capability_row(unsigned long number)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].kind == ABI_CAPABILITY && rows[i].number == number)
			return &rows[i];
	return NULL;
}

static void capabilities_are_as_listed(void)
{
	struct vm *vm = vm_bare();

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct abi_row *row = &rows[i];
		int on_dev, on_vm;

		if (row->kind != ABI_CAPABILITY)
			continue;
		on_dev = ioctl(vm->dev, KVIRT_CHECK_EXTENSION, row->number);
		on_vm = ioctl(vm->fd, KVIRT_CHECK_EXTENSION, row->number);
		if (on_dev < 0 || on_vm != on_dev || (row->value != ABI_HOST && on_dev != row->value))
			test_fail(__FILE__, __LINE__, "%s is %d, on a VM %d; the table says %ld", row->name, on_dev, on_vm,
				  row->value);
		if ((row->status == ABI_REFUSED) != (row->value == 0))
			test_fail(__FILE__, __LINE__, "%s: the table's status and value do not fit", row->name);
	}
}

/* An ioctl that is refused is an unknown one, however good its argument. */
static void refused_ioctls_are_refused(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	const int fds[] = { [ABI_DEVICE] = vm->dev, [ABI_VM] = vm->fd, [ABI_VCPU] = vcpu->fd };
	void *argument = calloc(1, 65536);
	int count = 0;

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct abi_row *row = &rows[i];
		int want = row->kind == ABI_VM ? ENOTTY : EINVAL;

		if (row->kind > ABI_VCPU || row->status != ABI_REFUSED)
			continue;
		count++;
		for (int good = 0; good < 2; good++) {
			errno = 0;
			if (ioctl(fds[row->kind], row->number, good ? argument : BAD_POINTER) != -1 || errno != want)
				test_fail(__FILE__, __LINE__, "%s gives %s, not %s", row->name, test_errno_name(errno),
					  test_errno_name(want));
		}
	}
	EXPECT(count > 0);
	free(argument);
}

/* One that is there looks at its argument: a pointer to nothing is EFAULT, or ENXIO where a PIT is missed before. Those that take a number are all tested elsewhere. */
static void other_ioctls_are_there(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu;
	int fds[3];

	ASSERT_OK(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24));
	vcpu = vcpu_bare(vm, 0);
	fds[ABI_DEVICE] = vm->dev;
	fds[ABI_VM] = vm->fd;
	fds[ABI_VCPU] = vcpu->fd;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct abi_row *row = &rows[i];

		if (row->kind > ABI_VCPU || row->status == ABI_REFUSED || _IOC_DIR(row->number) == _IOC_NONE)
			continue;
		errno = 0;
		if (ioctl(fds[row->kind], row->number, BAD_POINTER) != -1 || (errno != EFAULT && errno != ENXIO))
			test_fail(__FILE__, __LINE__, "%s gives %s, not EFAULT", row->name, test_errno_name(errno));
	}
}

static void every_capability_has_its_row(void)
{
	int dev = dev_open();

	for (unsigned long number = 0; number < CAPABILITIES; number++) {
		int value = ioctl(dev, KVIRT_CHECK_EXTENSION, number);

		if (value && !capability_row(number))
			test_fail(__FILE__, __LINE__, "capability %lu is %d and has no row", number, value);
	}
}

static const struct test tests[] = {
	TEST(capabilities_are_as_listed),
	TEST(refused_ioctls_are_refused),
	TEST(other_ioctls_are_there),
	TEST(every_capability_has_its_row),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

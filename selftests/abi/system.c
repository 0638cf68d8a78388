// SPDX-License-Identifier: GPL-2.0
/*
 * The device file's ioctls, and what unknown ioctls give on each kind of file.
 */
#include <stdlib.h>

#include "vm.h"

#define BAD_POINTER	((void *)0x10ul)
/* Not one of KVM's, and one that is of another architecture's. */
#define UNKNOWN		_IO(KVIRT_IO, 0xfe)
#define UNKNOWN_IN	_IOW(KVIRT_IO, 0xfd, uint64_t)
#define FOREIGN		_IO(0x54, 0x1)

static void version(void)
{
	int dev = dev_open();

	EXPECT_EQ(ioctl(dev, KVIRT_GET_API_VERSION, 0), 12);
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_API_VERSION, 1), EINVAL);
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_API_VERSION, -1ul), EINVAL);
}

static void vcpu_mmap_size(void)
{
	int dev = dev_open(), size = ioctl(dev, KVIRT_GET_VCPU_MMAP_SIZE, 0);

	EXPECT(size >= 8192 && size % 4096 == 0);
	/* The run page, the PIO page, and on KVM that of the coalesced writes' ring: none where the capability is 0. */
	EXPECT_EQ(size, 4096 * (2 + (dev_cap(KVIRT_CAP_COALESCED_MMIO) ? 1 : 0)));
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_VCPU_MMAP_SIZE, 1), EINVAL);
}

static void create_vm(void)
{
	int dev = dev_open(), fd;

	fd = EXPECT_OK(ioctl(dev, KVIRT_CREATE_VM, 0));
	EXPECT_OK(close(fd));
	EXPECT_ERRNO(ioctl(dev, KVIRT_CREATE_VM, 1), EINVAL);
	EXPECT_ERRNO(ioctl(dev, KVIRT_CREATE_VM, 1ul << 32), EINVAL);
	EXPECT_ERRNO(ioctl(dev, KVIRT_CREATE_VM, -1ul), EINVAL);
}

static void unknown_ioctls(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0);

	EXPECT_ERRNO(ioctl(vm->dev, UNKNOWN, 0), EINVAL);
	EXPECT_ERRNO(ioctl(vm->dev, UNKNOWN_IN, NULL), EINVAL);
	EXPECT_ERRNO(ioctl(vm->dev, FOREIGN, 0), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, UNKNOWN, 0), ENOTTY);
	EXPECT_ERRNO(ioctl(vm->fd, UNKNOWN_IN, NULL), ENOTTY);
	EXPECT_ERRNO(ioctl(vm->fd, FOREIGN, 0), ENOTTY);
	EXPECT_ERRNO(ioctl(vcpu->fd, UNKNOWN, 0), EINVAL);
	EXPECT_ERRNO(ioctl(vcpu->fd, UNKNOWN_IN, NULL), EINVAL);
	EXPECT_ERRNO(ioctl(vcpu->fd, FOREIGN, 0), EINVAL);
	/* Right ioctl, wrong file. */
	EXPECT_ERRNO(ioctl(vm->dev, KVIRT_RUN, 0), EINVAL);
	EXPECT_ERRNO(ioctl(vm->dev, KVIRT_CREATE_VCPU, 0), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_RUN, 0), ENOTTY);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_VM, 0), ENOTTY);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_CREATE_VM, 0), EINVAL);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_CREATE_VCPU, 1), EINVAL);
	/* Right number, another size: another ioctl. */
	EXPECT_ERRNO(ioctl(vcpu->fd, _IOR(KVIRT_IO, 0x81, uint32_t), NULL), EINVAL);
}

static void capabilities(void)
{
	struct vm *vm = vm_bare();
	/* What issue after issue builds on, and its value where that is fixed (0: any but none). */
	static const struct { int cap, value; } must[] = {
		{ KVIRT_CAP_HLT, 1 }, { KVIRT_CAP_USER_MEMORY, 1 }, { KVIRT_CAP_SET_TSS_ADDR, 1 },
		{ KVIRT_CAP_EXT_CPUID, 1 }, { KVIRT_CAP_NR_VCPUS, 0 }, { KVIRT_CAP_NR_MEMSLOTS, 0 }, { KVIRT_CAP_MP_STATE, 1 },
		{ KVIRT_CAP_SYNC_MMU, 1 }, { KVIRT_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
		{ KVIRT_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 }, { KVIRT_CAP_USER_NMI, 1 }, { KVIRT_CAP_IRQ_ROUTING, 4096 },
		{ KVIRT_CAP_VCPU_EVENTS, 1 }, { KVIRT_CAP_DEBUGREGS, 1 }, { KVIRT_CAP_XCRS, 1 }, { KVIRT_CAP_XSAVE, 1 },
		{ KVIRT_CAP_MAX_VCPUS, 1024 }, { KVIRT_CAP_MAX_VCPU_ID, 4096 }, { KVIRT_CAP_SIGNAL_MSI, 1 },
		{ KVIRT_CAP_ENABLE_CAP_VM, 1 }, { KVIRT_CAP_CHECK_EXTENSION_VM, 1 }, { KVIRT_CAP_SPLIT_IRQCHIP, 1 },
		{ KVIRT_CAP_IMMEDIATE_EXIT, 1 }, { KVIRT_CAP_READONLY_MEM, 1 }, { KVIRT_CAP_SREGS2, 1 },
		{ KVIRT_CAP_TSC_DEADLINE_TIMER, 1 }, { KVIRT_CAP_X2APIC_API, 3 }, { KVIRT_CAP_GET_TSC_KHZ, 1 },
		{ KVIRT_CAP_SET_BOOT_CPU_ID, 1 }, { KVIRT_CAP_SET_IDENTITY_MAP_ADDR, 1 },
		{ KVIRT_CAP_ADJUST_CLOCK, 0 }, { KVIRT_CAP_KVMCLOCK_CTRL, 1 },
	};

	for (size_t i = 0; i < COUNT(must); i++) {
		int on_dev = ioctl(vm->dev, KVIRT_CHECK_EXTENSION, must[i].cap);
		int on_vm = ioctl(vm->fd, KVIRT_CHECK_EXTENSION, must[i].cap);

		if (on_dev < 1 || (must[i].value && on_dev != must[i].value) || on_vm != on_dev)
			test_fail(__FILE__, __LINE__, "capability %d is %d, on the VM %d", must[i].cap, on_dev, on_vm);
	}
	EXPECT_EQ(dev_cap(KVIRT_CAP_NR_VCPUS), sysconf(_SC_NPROCESSORS_ONLN));
	EXPECT_EQ(ioctl(vm->dev, KVIRT_CHECK_EXTENSION, 100000), 0);
	EXPECT_EQ(ioctl(vm->dev, KVIRT_CHECK_EXTENSION, -1ul), 0);
	EXPECT_EQ(ioctl(vm->fd, KVIRT_CHECK_EXTENSION, 100000), 0);
	EXPECT(ioctl(vm->fd, KVIRT_CHECK_EXTENSION, KVIRT_CAP_XSAVE2) >= 4096);
	EXPECT(ioctl(vm->dev, KVIRT_CHECK_EXTENSION, KVIRT_CAP_NR_MEMSLOTS) >= 32);
	/* Not KVM's on x86, though the state is carried; and what needs hardware that scales the TSC. */
	EXPECT_EQ(ioctl(vm->dev, KVIRT_CHECK_EXTENSION, KVIRT_CAP_INTR_SHADOW), 0);
	EXPECT_EQ(dev_cap(KVIRT_CAP_VM_TSC_CONTROL), dev_cap(KVIRT_CAP_TSC_CONTROL));
	/* Those of other architectures. */
	EXPECT_EQ(ioctl(vm->dev, KVIRT_CHECK_EXTENSION, 70), 0);
	EXPECT_EQ(ioctl(vm->dev, KVIRT_CHECK_EXTENSION, 165), 0);
}

/* A capability without its ioctl, or the other way round, is a lie. */
static void capabilities_and_ioctls_agree(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct kvirt_pit_config pit = { 0 };
	union {
		struct kvirt_vcpu_events events;
		struct kvirt_sregs2 sregs2;
		uint8_t bytes[4096];
	} u;

	/* Without an in-kernel PIC there is no PIT to be made, but ENOTTY would mean that there never is. */
	errno = 0;
	ioctl(vm->fd, KVIRT_CREATE_PIT2, &pit);
	EXPECT_EQ(errno == ENOTTY, !dev_cap(KVIRT_CAP_PIT2));
	errno = 0;
	ioctl(vcpu->fd, KVIRT_SMI, 0);
	EXPECT_EQ(errno == EINVAL, !dev_cap(KVIRT_CAP_X86_SMM));
	EXPECT_EQ(!ioctl(vcpu->fd, KVIRT_GET_SREGS2, &u), !!dev_cap(KVIRT_CAP_SREGS2));
	EXPECT_EQ(!ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &u), !!dev_cap(KVIRT_CAP_VCPU_EVENTS));
	EXPECT_EQ(ioctl(vcpu->fd, KVIRT_GET_TSC_KHZ, 0) > 0, !!dev_cap(KVIRT_CAP_GET_TSC_KHZ));
}

static void sizing_call(unsigned long request, size_t room_for)
{
	int dev = dev_open();
	struct kvirt_msr_list *list = calloc(1, sizeof(*list) + room_for * 4);
	uint32_t count;

	list->nmsrs = 0;
	list->indices[0] = 0xaaaaaaaa;
	EXPECT_ERRNO(ioctl(dev, request, list), E2BIG);
	count = list->nmsrs;
	EXPECT(count > 0 && count < room_for);
	EXPECT_EQ(list->indices[0], 0xaaaaaaaa);
	list->nmsrs = count - 1;
	EXPECT_ERRNO(ioctl(dev, request, list), E2BIG);
	EXPECT_EQ(list->nmsrs, count);
	EXPECT_EQ(list->indices[0], 0xaaaaaaaa);
	list->indices[count] = 0x55555555;
	EXPECT_OK(ioctl(dev, request, list));
	EXPECT_EQ(list->nmsrs, count);
	EXPECT_EQ(list->indices[count], 0x55555555);
	/* More room than needed is fine. */
	list->nmsrs = room_for;
	EXPECT_OK(ioctl(dev, request, list));
	EXPECT_EQ(list->nmsrs, count);
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < i; j++)
			EXPECT(list->indices[i] != list->indices[j]);
	EXPECT_ERRNO(ioctl(dev, request, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(dev, request, BAD_POINTER), EFAULT);
	free(list);
}

static void msr_index_list(void)
{
	sizing_call(KVIRT_GET_MSR_INDEX_LIST, 4096);
}

static void msr_feature_index_list(void)
{
	if (!dev_cap(KVIRT_CAP_GET_MSR_FEATURES)) {
		/* A list that would be empty must not be offered. */
		EXPECT_ERRNO(ioctl(dev_open(), KVIRT_GET_MSR_FEATURE_INDEX_LIST, NULL), EINVAL);
		return;
	}
	sizing_call(KVIRT_GET_MSR_FEATURE_INDEX_LIST, 4096);
}

/* Every listed feature register answers on the device. */
static void msr_features_answer(void)
{
	struct kvirt_msr_list *list = calloc(1, sizeof(*list) + 4096 * 4);
	struct {
		struct kvirt_msrs head;
		struct kvirt_msr_entry entry[2];
	} m;

	if (!dev_cap(KVIRT_CAP_GET_MSR_FEATURES))
		return;
	list->nmsrs = 4096;
	ASSERT_OK(ioctl(dev_open(), KVIRT_GET_MSR_FEATURE_INDEX_LIST, list));
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		memset(&m, 0, sizeof(m));
		m.head.nmsrs = 1;
		m.entry[0].index = list->indices[i];
		if (ioctl(dev_open(), KVIRT_GET_MSRS, &m) != 1)
			test_fail(__FILE__, __LINE__, "feature register %#x does not answer", list->indices[i]);
	}
	/* The first that is none ends the call, without error. */
	memset(&m, 0, sizeof(m));
	m.head.nmsrs = 2;
	m.entry[0].index = 0x12345678;
	m.entry[1].index = list->indices[0];
	EXPECT_EQ(ioctl(dev_open(), KVIRT_GET_MSRS, &m), 0);
	m.head.nmsrs = 256;
	EXPECT_ERRNO(ioctl(dev_open(), KVIRT_GET_MSRS, &m), E2BIG);
	EXPECT_ERRNO(ioctl(dev_open(), KVIRT_GET_MSRS, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(dev_open(), KVIRT_SET_MSRS, &m), EINVAL);
}

/* Every listed register can be read from a new vCPU and written back. */
static void listed_msrs_can_be_restored(void)
{
	struct kvirt_msr_list *list = calloc(1, sizeof(*list) + 4096 * 4);
	struct vm *vm = vm_bare();
	struct vcpu *vcpu;
	uint32_t done = 0;

	/* Some belong to the in-kernel APIC. */
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24));
	vcpu = vcpu_bare(vm, 0);
	vcpu_cpuid(vcpu);
	list->nmsrs = 4096;
	ASSERT_OK(ioctl(dev_open(), KVIRT_GET_MSR_INDEX_LIST, list));
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		uint64_t v;

		/* Listed for the host's sake; a guest's CPUID may lack what it belongs to. */
		if (!vcpu_get_msr(vcpu, list->indices[i], &v))
			continue;
		done++;
		if (!vcpu_set_msr(vcpu, list->indices[i], v))
			test_fail(__FILE__, __LINE__, "register %#x refuses its own value %#llx", list->indices[i],
				  (unsigned long long)v);
	}
	EXPECT(done >= 15);
}

static void supported_cpuid(void)
{
	int dev = dev_open();
	struct kvirt_cpuid2 *table = calloc(1, sizeof(*table) + 257 * sizeof(table->entries[0]));
	struct kvirt_cpuid_entry2 *e;
	uint32_t count;

	table->nent = 0;
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_SUPPORTED_CPUID, table), E2BIG);
	EXPECT_EQ(table->nent, 0);
	table->nent = 1;
	table->entries[0].function = 0xaaaaaaaa;
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_SUPPORTED_CPUID, table), E2BIG);
	EXPECT_EQ(table->nent, 1);
	EXPECT_EQ(table->entries[0].function, 0xaaaaaaaa);
	table->nent = 256;
	EXPECT_OK(ioctl(dev, KVIRT_GET_SUPPORTED_CPUID, table));
	count = table->nent;
	EXPECT(count > 8 && count <= 256);
	table->nent = count - 1;
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_SUPPORTED_CPUID, table), E2BIG);
	table->nent = count;
	EXPECT_OK(ioctl(dev, KVIRT_GET_SUPPORTED_CPUID, table));
	EXPECT_EQ(table->nent, count);
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_SUPPORTED_CPUID, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(dev, KVIRT_GET_SUPPORTED_CPUID, BAD_POINTER), EFAULT);

	for (uint32_t i = 0; i < count; i++) {
		EXPECT_EQ(table->entries[i].padding[0] | table->entries[i].padding[1] | table->entries[i].padding[2], 0);
		EXPECT_EQ(table->entries[i].flags & ~7u, 0);
		for (uint32_t j = 0; j < i; j++)
			EXPECT(table->entries[i].function != table->entries[j].function ||
			       table->entries[i].index != table->entries[j].index);
	}
	e = cpuid_find(table, KVIRT_CPUID_SIGNATURE, 0);
	ASSERT(e);
	EXPECT_EQ(e->eax, KVIRT_CPUID_FEATURES);
	EXPECT_EQ(e->ebx, 0x4b4d564b);
	EXPECT_EQ(e->ecx, 0x564b4d56);
	EXPECT_EQ(e->edx, 0x4d);
	e = cpuid_find(table, KVIRT_CPUID_FEATURES, 0);
	ASSERT(e);
	EXPECT(e->eax & 1u << KVIRT_FEATURE_CLOCKSOURCE2);
	EXPECT(e->eax & 1u << KVIRT_FEATURE_CLOCKSOURCE_STABLE_BIT);
	e = cpuid_find(table, 1, 0);
	ASSERT(e);
	EXPECT(e->ecx & 1u << 21);	/* x2APIC, which is emulated */
	/* The deadline timer's bit is for user space to set, by its capability. */
	EXPECT_EQ(e->ecx >> 24 & 1, 0);
	/* The guest's topology is user space's business. */
	for (uint32_t leaf = 0xb; leaf <= 0x1f; leaf += 0x1f - 0xb) {
		e = cpuid_find(table, leaf, 0);
		if (e)
			EXPECT_EQ(e->eax | e->ebx | e->ecx, 0);
		EXPECT(!cpuid_find(table, leaf, 1));
	}
	free(table);
}

static void vm_outlives_its_file(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct kvirt_regs r;

	EXPECT_OK(close(vm->fd));
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_GET_REGS, &r));
	EXPECT_OK(close(vcpu->fd));
	/* And the mapping the vCPU. */
	EXPECT_EQ(vcpu->run->immediate_exit, 0);
	vcpu->run->immediate_exit = 1;
	munmap(vcpu->run, vcpu->run_size);
}

static void run_page_mapping(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	void *p;

	/* Several mappings are one page. */
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	ASSERT(p != MAP_FAILED);
	vcpu->run->request_interrupt_window = 1;
	EXPECT_EQ(((struct kvirt_run *)p)->request_interrupt_window, 1);
	vcpu->run->request_interrupt_window = 0;
	/* Fresh pages hold nothing of anybody's. */
	for (size_t i = 4096; i < 8192; i++)
		ASSERT_EQ(((uint8_t *)vcpu->run)[i], 0);
	/* The device and the VM cannot be mapped. */
	EXPECT(mmap(NULL, 4096, PROT_READ, MAP_SHARED, vm->dev, 0) == MAP_FAILED);
	EXPECT(mmap(NULL, 4096, PROT_READ, MAP_SHARED, vm->fd, 0) == MAP_FAILED);
}

static const struct test tests[] = {
	TEST(version),
	TEST(vcpu_mmap_size),
	TEST(create_vm),
	TEST(unknown_ioctls),
	TEST(capabilities),
	TEST(capabilities_and_ioctls_agree),
	TEST(msr_index_list),
	TEST(msr_feature_index_list),
	TEST(msr_features_answer),
	TEST(listed_msrs_can_be_restored),
	TEST(supported_cpuid),
	TEST(vm_outlives_its_file),
	TEST(run_page_mapping),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

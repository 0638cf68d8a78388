// SPDX-License-Identifier: GPL-2.0
/*
 * VM ioctls: vCPUs, memory slots, boot CPU, TSS and identity-map addresses, capabilities to enable; other processes.
 */
#include <sys/wait.h>

#include "vm.h"

#define BAD_POINTER	((void *)0x10ul)

static void create_vcpu(void)
{
	struct vm *vm = vm_bare();
	int fd;

	fd = EXPECT_OK(ioctl(vm->fd, KVIRT_CREATE_VCPU, 0));
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_VCPU, 0), EEXIST);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_VCPU, dev_cap(KVIRT_CAP_MAX_VCPU_ID)), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_VCPU, 0x7fffffff), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_VCPU, -1ul), EINVAL);
	/* Ids need not follow each other. */
	EXPECT_OK(ioctl(vm->fd, KVIRT_CREATE_VCPU, 77));
	EXPECT_OK(ioctl(vm->fd, KVIRT_CREATE_VCPU, dev_cap(KVIRT_CAP_MAX_VCPU_ID) - 1));
	/* A closed vCPU still exists: its id is not free. */
	EXPECT_OK(close(fd));
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_VCPU, 0), EEXIST);
}

static void reset_state(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_bare(), 0);
	struct kvirt_regs r = vcpu_regs(vcpu);
	struct kvirt_sregs s = vcpu_sregs(vcpu);

	EXPECT_EQ(r.rip, 0xfff0);
	EXPECT_EQ(r.rflags, 2);
	EXPECT_EQ(r.rax | r.rbx | r.rcx | r.rsi | r.rdi | r.rsp | r.rbp | r.r8 | r.r15, 0);
	EXPECT_EQ(s.cs.base, 0xffff0000);
	EXPECT_EQ(s.cs.selector, 0xf000);
	EXPECT_EQ(s.cs.limit, 0xffff);
	/* Accessed or not, 16 or 32 bits: KVM's answer differs between vendors. */
	EXPECT_EQ(s.cs.type | 1, 0xb);
	EXPECT_EQ(s.tr.type | 8, 0xb);
	EXPECT_EQ(s.ds.base, 0);
	EXPECT_EQ(s.ds.limit, 0xffff);
	EXPECT_EQ(s.ds.type | 1, 3);
	EXPECT_EQ(s.tr.present, 1);
	EXPECT_EQ(s.ldt.type, 2);
	EXPECT_EQ(s.gdt.limit, 0xffff);
	EXPECT_EQ(s.idt.limit, 0xffff);
	EXPECT_EQ(s.cr0, 0x60000010);
	EXPECT_EQ(s.cr2 | s.cr3 | s.cr4 | s.cr8 | s.efer, 0);
	EXPECT_EQ(s.apic_base & ~0xfffull, 0xfee00000);
}

static void *pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ASSERT(p != MAP_FAILED);
	return p;
}

static void slots(void)
{
	struct vm *vm = vm_bare();
	uint8_t *m = pages(0x10000);

	EXPECT_OK(vm_slot(vm, 0, 0, 0x10000, 0x4000, m));
	/* The same again changes nothing. */
	EXPECT_OK(vm_slot(vm, 0, 0, 0x10000, 0x4000, m));
	/* Overlaps: from below, from above, inside, around. */
	EXPECT_ERRNO(vm_slot(vm, 1, 0, 0xf000, 0x2000, m), EEXIST);
	EXPECT_ERRNO(vm_slot(vm, 1, 0, 0x13000, 0x2000, m), EEXIST);
	EXPECT_ERRNO(vm_slot(vm, 1, 0, 0x11000, 0x1000, m), EEXIST);
	EXPECT_ERRNO(vm_slot(vm, 1, 0, 0x0, 0x100000, m), EEXIST);
	/* Neighbours. */
	EXPECT_OK(vm_slot(vm, 1, 0, 0xf000, 0x1000, m));
	EXPECT_OK(vm_slot(vm, 2, 0, 0x14000, 0x1000, m));
	/* Two slots may show the same memory. */
	EXPECT_OK(vm_slot(vm, 3, 0, 0x100000, 0x4000, m));
	/* Move, onto another and elsewhere. */
	EXPECT_ERRNO(vm_slot(vm, 3, 0, 0x13000, 0x4000, m), EEXIST);
	EXPECT_OK(vm_slot(vm, 3, 0, 0x200000, 0x4000, m));
	EXPECT_OK(vm_slot(vm, 4, 0, 0x100000, 0x1000, m));
	/* What cannot change: size, memory, READONLY. */
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0x10000, 0x3000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0x10000, 0x5000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0x10000, 0x4000, m + 0x1000), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, KVIRT_MEM_READONLY, 0x10000, 0x4000, m), EINVAL);
	/* Delete, once. */
	EXPECT_OK(vm_slot(vm, 0, 0, 0x10000, 0, m));
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0x10000, 0, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 99, 0, 0, 0, NULL), EINVAL);
	/* Its place and its number are free. */
	EXPECT_OK(vm_slot(vm, 5, KVIRT_MEM_READONLY, 0x10000, 0x4000, m));
	EXPECT_OK(vm_slot(vm, 0, 0, 0x300000, 0x10000, m));
}

static void bad_slots(void)
{
	struct vm *vm = vm_bare();
	uint8_t *m = pages(0x10000);
	int slots = dev_cap(KVIRT_CAP_NR_MEMSLOTS);
	struct kvirt_cpuid2 *table = dev_cpuid();
	struct kvirt_cpuid_entry2 *e = cpuid_find(table, 0x80000008, 0);
	int width = e ? e->eax & 0xff : 36;

	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0, 0x1001, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0, 1, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0x800, 0x1000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0, 0x1000, m + 1), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0, 0x1000, m + 0x800), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 4, 0, 0x1000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0x80000000, 0, 0x1000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, slots, 0, 0, 0x1000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0xffff, 0, 0, 0x1000, m), EINVAL);
	/* Address spaces that are not there. */
	EXPECT_ERRNO(vm_slot(vm, 2 << 16, 0, 0, 0x1000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0xffff0000, 0, 0, 0x1000, m), EINVAL);
	/* Around the end of everything. */
	EXPECT_ERRNO(vm_slot(vm, 0, 0, -0x1000ull, 0x2000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, -0x1000ull, 0x1000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0, -0x1000ull, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0x1000, 1ull << 63, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0, 1ull << 43, m), EINVAL);
	/* Memory of the kernel's, or of nobody's. */
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0, 0x1000, (void *)0xffff888000000000), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0, 0x1000, (void *)-0x1000ul), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 0, 0x2000, (void *)(1ul << 63)), EINVAL);
	/* Beyond the physical address width. */
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 1ull << 52, 0x1000, m), EINVAL);
	if (width < 52)
		EXPECT_ERRNO(vm_slot(vm, 0, 0, (1ull << width) - 0x1000, 0x2000, m), EINVAL);
	EXPECT_OK(vm_slot(vm, 0, 0, (1ull << width) - 0x1000, 0x1000, m));
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_USER_MEMORY_REGION, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_USER_MEMORY_REGION, BAD_POINTER), EFAULT);
	/* The last slot's number is fine; so is memory that is not mapped, until it is used. */
	EXPECT_OK(vm_slot(vm, slots - 1, 0, 0x10000, 0x1000, m));
	EXPECT_OK(vm_slot(vm, 7, 0, 0x20000, 0x1000, NULL));
	EXPECT_OK(vm_slot(vm, 8, 0, 0x30000, 0x1000, (void *)0x10000));
}

/* After a refusal the slots are as before: what was there still overlaps, what was not does not. */
static void refused_slots_change_nothing(void)
{
	struct vm *vm = vm_bare();
	uint8_t *m = pages(0x10000);

	EXPECT_OK(vm_slot(vm, 0, 0, 0x10000, 0x4000, m));
	EXPECT_OK(vm_slot(vm, 1, 0, 0x20000, 0x4000, m));
	EXPECT_ERRNO(vm_slot(vm, 1, 0, 0x12000, 0x4000, m), EEXIST);
	EXPECT_ERRNO(vm_slot(vm, 2, 0, 0x20000, 0x1000, m), EEXIST);
	EXPECT_ERRNO(vm_slot(vm, 2, 8, 0x30000, 0x1000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 2, 0, 0x30000, 0, m), EINVAL);
	EXPECT_OK(vm_slot(vm, 3, 0, 0x30000, 0x1000, m));
	EXPECT_OK(vm_slot(vm, 1, 0, 0x20000, 0, m));
	EXPECT_OK(vm_slot(vm, 2, 0, 0x20000, 0x1000, m));
}

static int get_log(struct vm *vm, uint32_t slot, void *bitmap)
{
	struct kvirt_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };

	return ioctl(vm->fd, KVIRT_GET_DIRTY_LOG, &log);
}

static int clear_log(struct vm *vm, uint32_t slot, uint64_t first, uint32_t n, void *bitmap)
{
	struct kvirt_clear_dirty_log log = { .slot = slot, .first_page = first, .num_pages = n, .dirty_bitmap = bitmap };

	return ioctl(vm->fd, KVIRT_CLEAR_DIRTY_LOG, &log);
}

/* What the log then holds is memory/dirty's to show. */
static void dirty_log(void)
{
	static const struct kvirt_clear_dirty_log constant = { .slot = 0, .num_pages = 0 };
	struct vm *vm = vm_bare();
	uint8_t *m = pages(0x100000);
	uint64_t bits[2] = { -1ull, -1ull };
	uint32_t slots = dev_cap(KVIRT_CAP_NR_MEMSLOTS);

	/* 100 pages, with and without; one that may not be written. */
	EXPECT_OK(vm_slot(vm, 0, KVIRT_MEM_LOG_DIRTY_PAGES, 0x100000, 0x64000, m));
	EXPECT_OK(vm_slot(vm, 1, 0, 0x200000, 0x64000, m));
	EXPECT_OK(vm_slot(vm, 2, KVIRT_MEM_READONLY | KVIRT_MEM_LOG_DIRTY_PAGES, 0x300000, 0x64000, m));
	EXPECT_OK(get_log(vm, 0, bits));
	EXPECT_EQ(bits[0] | bits[1], 0);
	EXPECT_OK(get_log(vm, 2, bits));
	EXPECT_ERRNO(get_log(vm, 0, NULL), EFAULT);
	EXPECT_ERRNO(get_log(vm, 0, BAD_POINTER), EFAULT);
	EXPECT_ERRNO(get_log(vm, 1, bits), ENOENT);
	EXPECT_ERRNO(get_log(vm, 3, bits), ENOENT);
	EXPECT_ERRNO(get_log(vm, slots - 1, bits), ENOENT);
	EXPECT_ERRNO(get_log(vm, slots, bits), EINVAL);
	EXPECT_ERRNO(get_log(vm, 0xffff, bits), EINVAL);
	EXPECT_ERRNO(get_log(vm, 2 << 16, bits), EINVAL);
	EXPECT_ERRNO(get_log(vm, 0xffff0000, bits), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_GET_DIRTY_LOG, NULL), EFAULT);

	EXPECT_OK(clear_log(vm, 0, 0, 100, bits));
	EXPECT_OK(clear_log(vm, 0, 0, 64, bits));
	EXPECT_OK(clear_log(vm, 0, 64, 36, bits));
	EXPECT_OK(clear_log(vm, 0, 64, 0, NULL));
	EXPECT_ERRNO(clear_log(vm, 0, 64, 35, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 0, 64, 37, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 0, 0, 63, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 0, 0, 101, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 0, 0, 128, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 0, 0, 0xffffffff, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 0, 1, 64, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 0, 32, 64, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 0, 128, 0, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 0, -64ull, 64, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 0, 1ull << 63, 64, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 0, 0, 100, NULL), EFAULT);
	EXPECT_ERRNO(clear_log(vm, 0, 0, 100, BAD_POINTER), EFAULT);
	EXPECT_ERRNO(clear_log(vm, 1, 0, 100, bits), ENOENT);
	EXPECT_ERRNO(clear_log(vm, 1, 1, 100, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 3, 0, 100, bits), ENOENT);
	EXPECT_ERRNO(clear_log(vm, slots, 0, 100, bits), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 2 << 16, 0, 100, bits), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CLEAR_DIRTY_LOG, NULL), EFAULT);
	/* Its number says that something comes back, but nothing does. */
	EXPECT_OK(ioctl(vm->fd, KVIRT_CLEAR_DIRTY_LOG, &constant));

	/* On and off; together with a move; but not with what cannot change. */
	EXPECT_OK(vm_slot(vm, 0, 0, 0x100000, 0x64000, m));
	EXPECT_ERRNO(get_log(vm, 0, bits), ENOENT);
	EXPECT_OK(vm_slot(vm, 0, KVIRT_MEM_LOG_DIRTY_PAGES, 0x100000, 0x64000, m));
	EXPECT_OK(vm_slot(vm, 0, KVIRT_MEM_LOG_DIRTY_PAGES, 0x100000, 0x64000, m));
	EXPECT_OK(vm_slot(vm, 1, KVIRT_MEM_LOG_DIRTY_PAGES, 0x600000, 0x64000, m));
	EXPECT_OK(get_log(vm, 1, bits));
	EXPECT_ERRNO(vm_slot(vm, 1, 0, 0x100000, 0x64000, m), EEXIST);
	EXPECT_ERRNO(vm_slot(vm, 1, 0, 0x600000, 0x63000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 1, KVIRT_MEM_READONLY, 0x600000, 0x64000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 2, KVIRT_MEM_LOG_DIRTY_PAGES, 0x300000, 0x64000, m), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 4, KVIRT_MEM_LOG_DIRTY_PAGES, 0x100000, 0x1000, m), EEXIST);
	EXPECT_ERRNO(get_log(vm, 4, bits), ENOENT);
	EXPECT_OK(get_log(vm, 0, bits));
	EXPECT_OK(get_log(vm, 1, bits));
	EXPECT_OK(get_log(vm, 2, bits));
}

static void manual_dirty_log(void)
{
	struct kvirt_enable_cap cap = { .cap = KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 1 }, .flags = 1 };
	struct vm *vm = vm_bare();
	uint8_t *m = pages(0x100000);
	uint64_t bits[2] = { 0 };

	EXPECT_EQ(dev_cap(KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2), 3);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_ENABLE_CAP, &cap), EINVAL);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, 2), EINVAL);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, 4), EINVAL);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, 5), EINVAL);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1ull << 32 | 1), EINVAL);
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, 3));
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, 2), EINVAL);
	/* The refusals have left it at 3: all is dirty, and stays so. */
	EXPECT_OK(vm_slot(vm, 0, KVIRT_MEM_LOG_DIRTY_PAGES, 0x100000, 0x64000, m));
	for (int i = 0; i < 2; i++) {
		EXPECT_OK(get_log(vm, 0, bits));
		EXPECT_EQ(bits[0], -1ull);
		EXPECT_EQ(bits[1], (1ull << 36) - 1);
	}
	bits[1] = -1ull;
	EXPECT_OK(clear_log(vm, 0, 64, 36, bits + 1));
	EXPECT_OK(get_log(vm, 0, bits));
	EXPECT_EQ(bits[0], -1ull);
	EXPECT_EQ(bits[1], 0);
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1));
	EXPECT_OK(vm_slot(vm, 1, KVIRT_MEM_LOG_DIRTY_PAGES, 0x200000, 0x64000, m));
	EXPECT_OK(get_log(vm, 1, bits));
	EXPECT_EQ(bits[0] | bits[1], 0);
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, 0));
	for (int i = 0; i < 2; i++) {
		EXPECT_OK(get_log(vm, 0, bits));
		EXPECT_EQ(bits[0], i ? 0 : -1ull);
	}
}

static void many_slots(void)
{
	struct vm *vm = vm_bare();
	uint8_t *m = pages(0x1000);

	for (int i = 0; i < 300; i++)
		ASSERT_OK(vm_slot(vm, i, 0, 0x2000ull * (i * 7 % 300), 0x1000, m));
	EXPECT_ERRNO(vm_slot(vm, 400, 0, 0x2000 * 299, 0x1000, m), EEXIST);
	for (int i = 0; i < 300; i += 2)
		ASSERT_OK(vm_slot(vm, i, 0, 0, 0, m));
	EXPECT_OK(vm_slot(vm, 400, 0, 0x2000 * 14, 0x1000, m));
}

static void boot_cpu_id(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu;

	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_BOOT_CPU_ID, 1));
	vcpu = vcpu_bare(vm, 0);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_BOOT_CPU_ID, 0), EBUSY);
	/* The BSP flag is the other's. */
	EXPECT_EQ(vcpu_sregs(vcpu).apic_base >> 8 & 1, 0);
	EXPECT_EQ(vcpu_sregs(vcpu_bare(vm, 1)).apic_base >> 8 & 1, 1);
}

static void tss_address(void)
{
	struct vm *vm = vm_bare();

	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_TSS_ADDR, 0xfffbd000ul));
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_TSS_ADDR, 0xffffd000ul));
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_TSS_ADDR, 0ul));
	/* Hardware that needs no such pages may take any address. */
	if (!cpu_is_amd())
		EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_TSS_ADDR, 0xffffe000ul), EINVAL);
}

static void identity_map_address(void)
{
	struct vm *vm = vm_bare();
	uint64_t address = 0xfffbc000, none = 0;

	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_IDENTITY_MAP_ADDR, &address));
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_IDENTITY_MAP_ADDR, &none));
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_IDENTITY_MAP_ADDR, NULL), EFAULT);
	vcpu_bare(vm, 0);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_IDENTITY_MAP_ADDR, &address), EINVAL);
}

static void enable_cap(void)
{
	struct vm *vm = vm_bare();
	struct kvirt_enable_cap cap = { .cap = KVIRT_CAP_X2APIC_API, .flags = 1 };
	struct vcpu *vcpu;

	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_ENABLE_CAP, &cap), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_ENABLE_CAP, NULL), EFAULT);
	EXPECT_ERRNO(vm_enable(vm, 100000, 0), EINVAL);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_HLT, 0), EINVAL);
	/* Where there are no such exits, none of their reasons can be asked for, nor that there be none. */
	if (!dev_cap(KVIRT_CAP_X86_USER_SPACE_MSR))
		for (uint64_t reasons = 0; reasons < 8; reasons++)
			EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, reasons), EINVAL);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, 8), EINVAL);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_X2APIC_API, 4), EINVAL);
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_X2APIC_API, 3));
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_X2APIC_API, 0));
	if (dev_cap(KVIRT_CAP_EXCEPTION_PAYLOAD))
		EXPECT_OK(vm_enable(vm, KVIRT_CAP_EXCEPTION_PAYLOAD, 1));
	if (dev_cap(KVIRT_CAP_X86_TRIPLE_FAULT_EVENT))
		EXPECT_OK(vm_enable(vm, KVIRT_CAP_X86_TRIPLE_FAULT_EVENT, 1));
	if (dev_cap(KVIRT_CAP_DISABLE_QUIRKS2))
		EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_DISABLE_QUIRKS2, 1ull << 40), EINVAL);

	vcpu = vcpu_bare(vm, 0);
	cap.flags = 0;
	cap.cap = 100000;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_ENABLE_CAP, &cap), EINVAL);
	cap.cap = KVIRT_CAP_SPLIT_IRQCHIP;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_ENABLE_CAP, &cap), EINVAL);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_ENABLE_CAP, NULL), EFAULT);
	cap.cap = KVIRT_CAP_ENFORCE_PV_FEATURE_CPUID;
	cap.args[0] = 1;
	if (dev_cap(KVIRT_CAP_ENFORCE_PV_FEATURE_CPUID)) {
		EXPECT_OK(ioctl(vcpu->fd, KVIRT_ENABLE_CAP, &cap));
		cap.flags = 1;
		EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_ENABLE_CAP, &cap), EINVAL);
	}
}

static void split_irqchip(void)
{
	struct vm *vm = vm_bare();

	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 4097), EINVAL);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, -1ull), EINVAL);
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24));
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24), EEXIST);

	vm = vm_bare();
	vcpu_bare(vm, 0);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24), EEXIST);
	vm = vm_bare();
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 0));
}

/* A VM belongs to the address space that made it. */
static void other_processes(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct kvirt_regs r;
	int status;
	pid_t pid = fork();

	ASSERT(pid >= 0);
	if (!pid) {
		EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_VCPU, 1), EIO);
		EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CHECK_EXTENSION, KVIRT_CAP_HLT), EIO);
		EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_GET_REGS, &r), EIO);
		EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_RUN, 0), EIO);
		test_end();
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_GET_REGS, &r));
}

static const struct test tests[] = {
	TEST(create_vcpu),
	TEST(reset_state),
	TEST(slots),
	TEST(bad_slots),
	TEST(refused_slots_change_nothing),
	TEST(dirty_log),
	TEST(manual_dirty_log),
	TEST(many_slots),
	TEST(boot_cpu_id),
	TEST(tss_address),
	TEST(identity_map_address),
	TEST(enable_cap),
	TEST(split_irqchip),
	TEST(other_processes),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

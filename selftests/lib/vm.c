// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side: makes VMs, memory and vCPUs, sets the modes guests start in, and serves the guests' channel. Speaks to
 * the device by raw ioctls and the project's own header alone. Called by the tests; guests' own code is guest.c.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "guest.h"
#include "vm.h"

extern char __executable_start[], _end[];

static int device = -1;

int dev_open(void)
{
	if (device < 0) {
		device = open(test_dev, O_RDWR | O_CLOEXEC);
		if (device < 0) {
			test_fail(__FILE__, __LINE__, "%s: %s", test_dev, test_errno_name(errno));
			test_end();
		}
	}
	return device;
}

int dev_cap(int cap)
{
	return ASSERT_OK(ioctl(dev_open(), KVIRT_CHECK_EXTENSION, cap));
}

bool cpu_is_amd(void)
{
	uint32_t a, b, c, d;

	cpuid(0, 0, &a, &b, &c, &d);
	return c == 0x444d4163;		/* "Auth-enti-cAMD" */
}

bool cpu_is_tcg(void)
{
	uint32_t a, b, c, d;

	cpuid(1, 0, &a, &b, &c, &d);
	if (!(c >> 31))
		return false;
	cpuid(0x40000000, 0, &a, &b, &c, &d);
	return b == 0x54474354;		/* "TCGT" */
}

struct vm *vm_bare(void)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	ASSERT(vm);
	vm->dev = dev_open();
	vm->fd = ASSERT_OK(ioctl(vm->dev, KVIRT_CREATE_VM, 0));
	return vm;
}

int vm_slot(struct vm *vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, void *memory)
{
	struct kvirt_userspace_memory_region region = { slot, flags, gpa, size, (uintptr_t)memory };

	return ioctl(vm->fd, KVIRT_SET_USER_MEMORY_REGION, &region);
}

int vm_enable(struct vm *vm, uint32_t cap, uint64_t arg)
{
	struct kvirt_enable_cap enable = { .cap = cap, .args = { arg } };

	return ioctl(vm->fd, KVIRT_ENABLE_CAP, &enable);
}

uint64_t vm_stat(int file, const char *name)
{
	struct {
		struct kvirt_stats_desc desc;
		char name[64];
	} row;
	struct kvirt_stats_header head;
	int fd = ASSERT_OK(ioctl(file, KVIRT_GET_STATS_FD, NULL));
	uint64_t value = 0;
	uint32_t i;

	ASSERT_EQ(pread(fd, &head, sizeof(head), 0), sizeof(head));
	for (i = 0; i < head.num_desc; i++) {
		memset(&row, 0, sizeof(row));
		ASSERT(pread(fd, &row, sizeof(row.desc) + head.name_size,
			     head.desc_offset + i * (sizeof(row.desc) + head.name_size)) > 0);
		if (!strcmp(row.name, name))
			break;
	}
	ASSERT(i < head.num_desc);
	ASSERT_EQ(pread(fd, &value, 8, head.data_offset + row.desc.offset), 8);
	close(fd);
	return value;
}

void *vm_at(struct vm *vm, uint64_t gpa)
{
	ASSERT(gpa < vm->size);
	return vm->memory + gpa;
}

/* A segment descriptor: limit 4 GiB in pages, base 0. */
static uint64_t descriptor(unsigned int type, unsigned int dpl, unsigned int flags)
{
	return 0xffffull | (uint64_t)(0x90 | dpl << 5 | type) << 40 | (uint64_t)(0xf | flags << 4) << 48;
}

static void fill_tables(struct vm *vm)
{
	uint64_t *gdt = vm_at(vm, GUEST_GDT), *table = vm_at(vm, GUEST_PML4);

	gdt[SEL_CODE64 / 8] = descriptor(0xb, 0, 0xa);
	gdt[SEL_DATA / 8] = descriptor(0x3, 0, 0xc);
	gdt[SEL_CODE32 / 8] = descriptor(0xb, 0, 0xc);
	gdt[SEL_CODE16 / 8] = descriptor(0xb, 0, 0) & ~(0xfull << 48);
	gdt[SEL_DATA16 / 8] = descriptor(0x3, 0, 0) & ~(0xfull << 48);
	gdt[SEL_USER_CODE32 / 8] = descriptor(0xb, 3, 0xc);
	gdt[SEL_USER_DATA / 8] = descriptor(0x3, 3, 0xc);
	gdt[SEL_USER_CODE64 / 8] = descriptor(0xb, 3, 0xa);
	/* A busy 64-bit TSS of 104 bytes; its RSP0 is the top of the stack of vCPU 0. */
	gdt[SEL_TSS / 8] = 0x67 | (uint64_t)GUEST_TSS << 16 | 0x8bull << 40;
	gdt[SEL_TSS / 8 + 1] = 0;
	*(uint64_t *)vm_at(vm, GUEST_TSS + 4) = GUEST_STACKS + 0x6000;

	/* Present, writable, user, accessed, dirty; four directories of 2 MiB pages. */
	table[0] = (GUEST_PML4 + 0x1000) | 7;
	for (int i = 0; i < 4; i++)
		table[512 + i] = (GUEST_PML4 + 0x2000 + 0x1000 * i) | 7;
	for (uint64_t i = 0; i < 2048; i++)
		table[1024 + i] = i << 21 | 0xe7;
}

static struct vm *vm_with_memory(void)
{
	struct vm *vm = vm_bare();
	uintptr_t start = (uintptr_t)__executable_start, end = (uintptr_t)_end;

	vm->size = GUEST_MEMORY;
	vm->memory = mmap(NULL, vm->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT(vm->memory != MAP_FAILED);
	ASSERT(start >= GUEST_SCRATCH + 0x200000 && end <= GUEST_MEMORY);
	guest_on_tcg = cpu_is_tcg();
	/*
	 * What is copied is the image as it is now: a test may set variables first. The linker leaves unmapped gaps between
	 * segments, which a pipe's write() reports and memcpy() would die of.
	 */
	for (uintptr_t page = start; page < end; page += 4096) {
		unsigned char resident;

		if (!mincore((void *)page, 4096, &resident))
			memcpy(vm->memory + page, (void *)page, 4096);
	}
	fill_tables(vm);
	return vm;
}

struct vm *vm_new(void)
{
	struct vm *vm = vm_with_memory();

	ASSERT_OK(vm_slot(vm, 0, 0, 0, vm->size, vm->memory));
	return vm;
}

struct vm *vm_new_split(void)
{
	struct vm *vm = vm_with_memory();

	ASSERT_OK(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24));
	ASSERT_OK(vm_slot(vm, 0, 0, 0, vm->size, vm->memory));
	return vm;
}

void vm_free(struct vm *vm)
{
	ASSERT_OK(close(vm->fd));
	if (vm->memory)
		munmap(vm->memory, vm->size);
	free(vm);
}

struct vcpu *vcpu_bare(struct vm *vm, int id)
{
	struct vcpu *vcpu = calloc(1, sizeof(*vcpu));

	ASSERT(vcpu);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = ASSERT_OK(ioctl(vm->fd, KVIRT_CREATE_VCPU, id));
	vcpu->run_size = ASSERT_OK(ioctl(vm->dev, KVIRT_GET_VCPU_MMAP_SIZE, 0));
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	ASSERT(vcpu->run != MAP_FAILED);
	return vcpu;
}

struct vcpu *vcpu_new(struct vm *vm, int id, void (*guest)(void))
{
	struct vcpu *vcpu = vcpu_bare(vm, id);

	vcpu_cpuid(vcpu);
	vcpu_long_mode(vcpu, (uintptr_t)guest);
	return vcpu;
}

void vcpu_free(struct vcpu *vcpu)
{
	munmap(vcpu->run, vcpu->run_size);
	ASSERT_OK(close(vcpu->fd));
	free(vcpu);
}

struct kvirt_cpuid2 *dev_cpuid(void)
{
	struct kvirt_cpuid2 *table = calloc(1, sizeof(*table) + 256 * sizeof(table->entries[0]));

	ASSERT(table);
	table->nent = 256;
	ASSERT_OK(ioctl(dev_open(), KVIRT_GET_SUPPORTED_CPUID, table));
	return table;
}

struct kvirt_cpuid_entry2 *cpuid_find(struct kvirt_cpuid2 *table, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < table->nent; i++) {
		struct kvirt_cpuid_entry2 *e = &table->entries[i];

		if (e->function == function &&
		    (!(e->flags & KVIRT_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index))
			return e;
	}
	return NULL;
}

void vcpu_cpuid(struct vcpu *vcpu)
{
	struct kvirt_cpuid2 *table = dev_cpuid();
	struct kvirt_cpuid_entry2 *e = cpuid_find(table, 1, 0);

	/* The timer exists with the in-kernel APIC; KVM tells it by a capability, not in the table. */
	if (e && dev_cap(KVIRT_CAP_TSC_DEADLINE_TIMER))
		e->ecx |= 1u << 24;
	if (e)
		e->ebx = (e->ebx & 0x00ffffff) | (uint32_t)vcpu->id << 24;
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table));
	free(table);
}

struct kvirt_regs vcpu_regs(struct vcpu *vcpu)
{
	struct kvirt_regs regs;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_REGS, &regs));
	return regs;
}

void vcpu_set_regs(struct vcpu *vcpu, const struct kvirt_regs *regs)
{
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_REGS, regs));
}

struct kvirt_sregs vcpu_sregs(struct vcpu *vcpu)
{
	struct kvirt_sregs sregs;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_SREGS, &sregs));
	return sregs;
}

void vcpu_set_sregs(struct vcpu *vcpu, const struct kvirt_sregs *sregs)
{
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_SREGS, sregs));
}

static struct kvirt_segment flat(uint16_t selector, uint8_t type, bool wide, bool big)
{
	return (struct kvirt_segment){ .limit = 0xffffffff, .selector = selector, .type = type, .present = 1, .s = 1,
				       .l = wide, .db = big, .g = 1 };
}

static void flat_mode(struct vcpu *vcpu, uint64_t rip, bool wide)
{
	struct kvirt_sregs s = vcpu_sregs(vcpu);
	struct kvirt_regs r = { .rip = rip, .rflags = 2 };

	s.cs = flat(wide ? SEL_CODE64 : SEL_CODE32, 0xb, wide, !wide);
	s.ds = s.es = s.fs = s.gs = s.ss = flat(SEL_DATA, 3, false, true);
	s.gdt = (struct kvirt_dtable){ .base = GUEST_GDT, .limit = SEL_TSS + 15 };
	s.tr = (struct kvirt_segment){ .base = GUEST_TSS, .limit = 0x67, .selector = SEL_TSS, .type = 0xb, .present = 1 };
	s.cr0 = 0x33;			/* PE, MP, ET, NE: SSE and x87 work */
	s.cr4 = 0x600;			/* OSFXSR, OSXMMEXCPT */
	if (wide) {
		s.cr0 |= 0x80010000;	/* PG, WP */
		s.cr3 = GUEST_PML4;
		s.cr4 |= 0x20;		/* PAE */
		s.efer = 0x500;		/* LME, LMA */
	}
	vcpu_set_sregs(vcpu, &s);
	/* As after a call: the address of a return that does not happen. */
	r.rsp = GUEST_STACKS + 0x8000 * (vcpu->id + 1) - 8;
	vcpu_set_regs(vcpu, &r);
}

void vcpu_long_mode(struct vcpu *vcpu, uint64_t rip)
{
	flat_mode(vcpu, rip, true);
}

void vcpu_protected_mode(struct vcpu *vcpu, uint32_t rip)
{
	flat_mode(vcpu, rip, false);
}

void vcpu_real_mode(struct vcpu *vcpu, const void *code, const void *end)
{
	struct kvirt_sregs s = vcpu_sregs(vcpu);
	struct kvirt_regs r = { .rip = 0, .rflags = 2, .rsp = 0xfffe };

	memcpy(vm_at(vcpu->vm, GUEST_REAL), code, (const char *)end - (const char *)code);
	s.cs.base = GUEST_REAL;
	s.cs.selector = GUEST_REAL >> 4;
	vcpu_set_sregs(vcpu, &s);
	vcpu_set_regs(vcpu, &r);
}

static int one_msr(struct vcpu *vcpu, unsigned long request, uint32_t index, uint64_t *value)
{
	union {
		struct kvirt_msrs msrs;
		uint8_t bytes[sizeof(struct kvirt_msrs) + sizeof(struct kvirt_msr_entry)];
	} u = { .bytes = { 0 } };
	int done;

	u.msrs.nmsrs = 1;
	u.msrs.entries[0].index = index;
	u.msrs.entries[0].data = *value;
	done = ASSERT_OK(ioctl(vcpu->fd, request, &u));
	*value = u.msrs.entries[0].data;
	return done;
}

int vcpu_get_msr(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	*value = 0;
	return one_msr(vcpu, KVIRT_GET_MSRS, index, value);
}

int vcpu_set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	return one_msr(vcpu, KVIRT_SET_MSRS, index, &value);
}

void vcpu_set_xcr0(struct vcpu *vcpu, uint64_t value)
{
	struct kvirt_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = value } } };

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_XCRS, &xcrs));
}

uint64_t vm_read_clock(struct vm *vm)
{
	struct kvirt_clock_data c;

	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_CLOCK, &c));
	return c.clock;
}

int vcpu_run(struct vcpu *vcpu)
{
	return ioctl(vcpu->fd, KVIRT_RUN, 0);
}

volatile bool vcpus_stop;

void *vcpu_run_on(void *vcpu)
{
	while (!vcpus_stop)
		if (vcpu_run(vcpu) && errno != EINTR)
			return (void *)1;
	return NULL;
}

void vcpu_interrupt(int sig)
{
}

void vcpu_describe(struct vcpu *vcpu)
{
	struct kvirt_run *run = vcpu->run;
	struct kvirt_regs r = vcpu_regs(vcpu);

	test_note("exit %u at rip %#llx rax %#llx rsp %#llx rflags %#llx", run->exit_reason, r.rip, r.rax, r.rsp, r.rflags);
	switch (run->exit_reason) {
	case KVIRT_EXIT_IO:
		test_note("  io %s size %u port %#x count %u", run->io.direction ? "out" : "in", run->io.size, run->io.port,
			  run->io.count);
		break;
	case KVIRT_EXIT_MMIO:
		test_note("  mmio %s %#llx len %u", run->mmio.is_write ? "write" : "read", run->mmio.phys_addr,
			  run->mmio.len);
		break;
	case KVIRT_EXIT_FAIL_ENTRY:
		test_note("  entry failure %#llx", run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVIRT_EXIT_INTERNAL_ERROR:
		test_note("  internal error %u, %u words: %#llx %#llx %#llx", run->internal.suberror, run->internal.ndata,
			  run->internal.data[0], run->internal.data[1], run->internal.data[2]);
		break;
	}
}

long vcpu_go(struct vcpu *vcpu)
{
	static char line[256];
	static size_t length;
	static int failures;

	for (;;) {
		struct kvirt_run *run = vcpu->run;
		struct kvirt_regs r;

		if (vcpu_run(vcpu)) {
			test_fail(__FILE__, __LINE__, "RUN: %s", test_errno_name(errno));
			vcpu_describe(vcpu);
			test_end();
		}
		if (run->exit_reason != KVIRT_EXIT_IO || run->io.direction != KVIRT_EXIT_IO_OUT)
			return OTHER_EXIT;
		switch (run->io.port) {
		case PORT_DONE:
			return STAGE_DONE;
		case PORT_STAGE:
			return vcpu_regs(vcpu).rdi;
		case PORT_PRINT:
			line[length++] = *(char *)vcpu_io_data(vcpu);
			if (line[length - 1] == '\n' || length == sizeof(line) - 1) {
				test_note("guest: %.*s", (int)length - (line[length - 1] == '\n'), line);
				length = 0;
			}
			break;
		case PORT_FAIL:
			r = vcpu_regs(vcpu);
			test_fail("guest", r.rdi, "%#llx, not %#llx", r.rsi, r.rcx);
			/* Enough said. */
			if (++failures == 10)
				test_end();
			break;
		default:
			return OTHER_EXIT;
		}
	}
}

void vcpu_expect_stage(struct vcpu *vcpu, long stage)
{
	long got = vcpu_go(vcpu);

	if (got == stage)
		return;
	test_fail(__FILE__, __LINE__, "the guest is at %ld (-1 done, -2 another exit), not %ld", got, stage);
	vcpu_describe(vcpu);
	test_end();
}

void vcpu_finish(struct vcpu *vcpu)
{
	vcpu_expect_stage(vcpu, STAGE_DONE);
}

void vcpu_expect_exit(struct vcpu *vcpu, uint32_t reason)
{
	long got = vcpu_go(vcpu);

	if (got == OTHER_EXIT && vcpu->run->exit_reason == reason)
		return;
	test_fail(__FILE__, __LINE__, "no exit %u but stage %ld (-1 done, -2 another exit)", reason, got);
	vcpu_describe(vcpu);
	test_end();
}

void vcpus_in_turn(struct vcpu *one, struct vcpu *two, bool (*step)(struct vcpu *vcpu, uint8_t value))
{
	bool first = true, second = true;

	for (uint8_t i = 0; first || second; i++) {
		if (first)
			first = step(one, 0x11 + i);
		if (second)
			second = step(two, 0x99 + i);
	}
}

void process_killed(void (*run)(void), unsigned int after)
{
	pid_t child = ASSERT_OK(fork());
	int status;

	if (!child) {
		run();
		_exit(1);
	}
	usleep(after);
	kill(child, SIGKILL);
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

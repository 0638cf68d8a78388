// SPDX-License-Identifier: GPL-2.0
/*
 * What an exit costs: ticks of the TSC per exit, by kind, on whichever device --dev names. In the emulated hosts the TSC
 * counts instructions. selftests/bench/table runs this on both devices and compares.
 *
 *     bench: NAME TICKS [busy=N] [privops=N [KIND=N]...]
 *
 * TICKS is measured in the guest, around --count exits (default 300; --only NAME for one kind) after some to warm up, so
 * it is the whole way to who serves the exit and back. privops is the module's own count of VMX and SVM instructions and MSR, CR and XCR accesses
 * per exit, and of each kind, where it offers one (built with KVIRT_COUNT_PRIVOPS: its own cost is then in TICKS); busy is
 * the CPU time of this process alone, in ticks, where much of TICKS is waiting.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>

#include "guest.h"
#include "vm.h"

enum { PORT_BELL = PORT_TEST + 1 };
enum { WARM_UP = 20, PAGE = 4096, VMS = 6, FAULTS = GUEST_SCRATCH / 2 / PAGE };

#define MEMORY 0x50000000ull	/* behind all else, at 2 MiB */

static volatile struct {
	uint64_t ticks;
	uint32_t count;
	uint64_t step;
	bool amd;
} bench;

#define MEASURE(operation)							\
	do {									\
		uint64_t start_;						\
		for (uint32_t i_ = 0; i_ < WARM_UP; i_++)			\
			operation;						\
		guest_stage(1);							\
		start_ = rdtsc();						\
		for (uint32_t i_ = 0, n_ = bench.count; i_ < n_; i_++)		\
			operation;						\
		bench.ticks = rdtsc() - start_;					\
		guest_done();							\
	} while (0)

static void guest_pio_out(void)		{ MEASURE(outb(PORT_TEST, 0)); }
static void guest_pio_in(void)		{ MEASURE(inb(PORT_TEST)); }
static void guest_mmio_write(void)	{ MEASURE(mmio_write32(GUEST_HOLE, 1)); }
static void guest_mmio_read(void)	{ MEASURE(mmio_read32(GUEST_HOLE)); }
static void guest_rdmsr(void)		{ MEASURE(rdmsr(MSR_APIC_BASE)); }

static void guest_cpuid(void)
{
	uint32_t a, b, c, d;

	MEASURE(cpuid(0, 0, &a, &b, &c, &d));
}

static void guest_hypercall(void)
{
	if (bench.amd)
		MEASURE(GUEST_HYPERCALL("vmmcall", 0x7777, 0, 0, 0, 0));
	else
		MEASURE(GUEST_HYPERCALL("vmcall", 0x7777, 0, 0, 0, 0));
}

static void guest_deadline(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 10);
	x2apic_write(APIC_SVR, 0x1ff);
	x2apic_write(APIC_LVT_TIMER, 0x40030);
	/* So far that it never comes while this runs. */
	MEASURE(wrmsr(MSR_TSC_DEADLINE, rdtsc() + (1ull << 44)));
}

static volatile uint32_t interrupts;

static void on_interrupt(struct guest_frame *frame)
{
	interrupts++;
	x2apic_write(APIC_EOI, 0);
}

static void guest_self_ipi(void)
{
	guest_idt_load();
	guest_handle(0x30, on_interrupt);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 10);
	x2apic_write(APIC_SVR, 0x1ff);
	sti();
	MEASURE(x2apic_write(APIC_SELF_IPI, 0x30));
}

/* Each round: out to user space, which signals the eventfd of an interrupt, back in, the handler and its EOI. */
static void guest_irqfd(void)
{
	guest_idt_load();
	guest_handle(0x30, on_interrupt);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 10);
	x2apic_write(APIC_SVR, 0x1ff);
	sti();
	MEASURE(outb(PORT_BELL, 0));
}

/* One page each, which the process has and the guest has not touched yet. */
static void guest_fault(void)
{
	volatile uint8_t *memory = (uint8_t *)GUEST_SCRATCH;
	uint64_t start;

	memory[0] = 1;
	guest_stage(1);
	start = rdtsc();
	for (uint32_t i = 1; i <= bench.count; i++)
		memory[i * PAGE] = 1;
	bench.ticks = rdtsc() - start;
	guest_done();
}

/* bench.count words, bench.step apart, written; again for each stage. */
static void guest_touch(void)
{
	for (;;) {
		uint64_t start = rdtsc();

		for (uint32_t i = 0; i < bench.count; i++)
			*(volatile uint64_t *)(MEMORY + i * bench.step) = i;
		bench.ticks = rdtsc() - start;
		guest_stage(1);
	}
}

static void guest_nothing(void)
{
	guest_done();
}

static const struct {
	const char *name;
	void (*guest)(void);
	bool split;		/* needs the in-kernel APIC */
	uint32_t most;		/* so many at most; 0 for any number */
	enum { NO_BELL, PORT, ADDRESS, ANY_LENGTH, IRQ } bell;	/* whom an eventfd serves */
} rows[] = {
	{ "pio_out", guest_pio_out },
	{ "pio_in", guest_pio_in },
	{ "mmio_write", guest_mmio_write },
	{ "mmio_read", guest_mmio_read },
	{ "cpuid", guest_cpuid },
	{ "hypercall", guest_hypercall },
	{ "rdmsr", guest_rdmsr },
	{ "fault_4k", guest_fault, false, FAULTS },
	{ "tsc_deadline", guest_deadline, true },
	{ "self_ipi_and_eoi", guest_self_ipi, true },
	{ "ioeventfd_pio", guest_pio_out, .bell = PORT },
	{ "ioeventfd_mmio", guest_mmio_write, .bell = ADDRESS },
	{ "ioeventfd_mmio_any", guest_mmio_write, .bell = ANY_LENGTH },
	{ "irqfd_and_eoi", guest_irqfd, true, .bell = IRQ },
};

/* The module's counters, as its file names them; the last two are no operations but how often it entered, and stayed. */
static const char * const kinds[] = { "vmx_svm", "rdmsr", "wrmsr", "cr_dr", "xsetbv", "windows", "entries" };
enum { OPERATIONS = 5, KINDS = COUNT(kinds) };

struct privops {
	bool there;
	long count[KINDS];
};

static struct privops privileged_operations(void)
{
	struct privops p = { .there = false };
	FILE *f;

	if (!strstr(test_dev, "kvirt"))
		return p;
	f = fopen("/sys/module/kvirt/parameters/privops", "re");
	if (!f)
		return p;
	for (int i = 0; i < KINDS; i++) {
		char name[32];

		ASSERT(fscanf(f, "%31s %ld", name, &p.count[i]) == 2);
		ASSERT(!strcmp(name, kinds[i]));
	}
	fclose(f);
	p.there = true;
	return p;
}

static void print_per_exit(const char *name, long count, uint32_t times)
{
	long tenths = (count * 10 + times / 2) / times;

	printf(" %s=%ld.%ld", name, tenths / 10, tenths % 10);
}

/* The last columns and the line's end. */
static void print_privops(const struct privops *before, const struct privops *after, uint32_t times)
{
	long sum = 0;

	if (before->there) {
		for (int i = 0; i < OPERATIONS; i++)
			sum += after->count[i] - before->count[i];
		print_per_exit("privops", sum, times);
		for (int i = 0; i < KINDS; i++)
			print_per_exit(kinds[i], after->count[i] - before->count[i], times);
	}
	printf("\n");
}

static int bell;

static void hang_bell(struct vm *vm, size_t i)
{
	struct kvirt_ioeventfd e = { .addr = rows[i].bell == PORT ? PORT_TEST : GUEST_HOLE, .len = rows[i].bell == PORT ? 1 : 4 };
	struct kvirt_irqfd f = { .gsi = 5 };
	struct {
		struct kvirt_irq_routing head;
		struct kvirt_irq_routing_entry entry;
	} routes = { { .nr = 1 }, { .gsi = 5, .type = KVIRT_IRQ_ROUTING_MSI, .u.msi = { .address_lo = 0xfee00000, .data = 0x30 } } };

	bell = e.fd = f.fd = ASSERT_OK(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (rows[i].bell == IRQ) {
		ASSERT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, &routes));
		ASSERT_OK(ioctl(vm->fd, KVIRT_IRQFD, &f));
		return;
	}
	if (rows[i].bell == ANY_LENGTH)
		e.len = 0;
	if (rows[i].bell == PORT)
		e.flags = KVIRT_IOEVENTFD_FLAG_PIO;
	ASSERT_OK(ioctl(vm->fd, KVIRT_IOEVENTFD, &e));
}

/* Run to the next stage or the end; everything else is what is measured, and takes no more than a look. */
static void run_to_stage(struct vcpu *vcpu)
{
	struct kvirt_run *run = vcpu->run;
	const uint64_t one = 1;
	int fd = vcpu->fd;

	for (;;) {
		ASSERT_OK(ioctl(fd, KVIRT_RUN, 0));
		if (run->exit_reason == KVIRT_EXIT_MMIO)
			continue;
		if (run->exit_reason == KVIRT_EXIT_IO && run->io.port == PORT_TEST)
			continue;
		if (run->exit_reason == KVIRT_EXIT_IO && run->io.port == PORT_BELL) {
			ASSERT_EQ(write(bell, &one, sizeof(one)), sizeof(one));
			continue;
		}
		break;
	}
	if (run->exit_reason == KVIRT_EXIT_IO && (run->io.port == PORT_DONE || run->io.port == PORT_STAGE))
		return;
	vcpu_describe(vcpu);
	ASSERT(false);
}

static void measure(size_t i, uint32_t n)
{
	struct vm *vm = rows[i].split ? vm_new_split() : vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, rows[i].guest);
	uint32_t times = rows[i].most && rows[i].most < n ? rows[i].most : n;
	struct privops before, after;

	/* The process has the pages, as small ones. */
	madvise(vm_at(vm, GUEST_SCRATCH), GUEST_SCRATCH, MADV_NOHUGEPAGE);
	if (rows[i].most)
		memset(vm_at(vm, GUEST_SCRATCH), 1, GUEST_SCRATCH);
	vm_var(vm, bench)->count = times;
	if (rows[i].bell != NO_BELL)
		hang_bell(vm, i);
	run_to_stage(vcpu);
	before = privileged_operations();
	run_to_stage(vcpu);
	after = privileged_operations();
	printf("bench: %s %llu", rows[i].name, (unsigned long long)vm_var(vm, bench)->ticks / times);
	print_privops(&before, &after, times);
	if (rows[i].bell == IRQ)
		ASSERT_EQ(*vm_var(vm, interrupts), times + WARM_UP);
	if (rows[i].bell != NO_BELL)
		close(bell);
	vcpu_free(vcpu);
	vm_free(vm);
}

static void exits(void)
{
	const char *count = test_option("--count"), *only = test_option("--only");
	uint32_t n = count ? strtoul(count, NULL, 0) : 300;

	bench.amd = cpu_is_amd();
	for (size_t i = 0; i < COUNT(rows); i++)
		if (!only || !strcmp(only, rows[i].name))
			measure(i, n);
}

static uint64_t nanoseconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/*
 * Make a VM with one vCPU, run it to its first exit, and close it all: waiting included, and this process' part of it. Its memory in
 * small pages: how many large ones the host finds room for depends on where it lies, and each takes two million ticks to clear.
 */
static void lifecycle(void)
{
	uint64_t ticks = 0, busy = 0, wall = 0;
	struct privops before = { .there = false }, after;

	ASSERT_OK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	for (int i = -1; i < VMS; i++) {
		struct vm *vm;
		struct vcpu *vcpu;

		if (!i) {
			before = privileged_operations();
			ticks = rdtsc();
			busy = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
			wall = nanoseconds(CLOCK_MONOTONIC);
		}
		vm = vm_new();
		vcpu = vcpu_new(vm, 0, guest_nothing);
		run_to_stage(vcpu);
		vcpu_free(vcpu);
		vm_free(vm);
	}
	ticks = rdtsc() - ticks;
	busy = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - busy;
	wall = nanoseconds(CLOCK_MONOTONIC) - wall;
	after = privileged_operations();
	ASSERT_OK(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	printf("bench: vm_lifecycle %llu busy=%llu", (unsigned long long)ticks / VMS,
	       (unsigned long long)((__uint128_t)busy * ticks / wall / VMS));
	print_privops(&before, &after, VMS);
}

static void touch(struct vm *vm, struct vcpu *vcpu, uint32_t count, uint64_t step)
{
	vm_var(vm, bench)->count = count;
	vm_var(vm, bench)->step = step;
	run_to_stage(vcpu);
}

/*
 * Faults of 2 MiB, which the process has as such; first writes to small pages that a dirty log protects; and whole rounds
 * of a migration: so many pages written, the log of all taken, both in the ticks, which are those of one page here too.
 */
static void memory(void)
{
	enum { LARGE = 2 << 20, N = 32, SMALL = 512, DIRTY = 64, ROUNDS = 10 };
	static uint64_t bits[N * LARGE / PAGE / 64];
	struct kvirt_dirty_log log = { .slot = 1, .dirty_bitmap = bits };
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_touch);
	struct privops before, after;
	uint8_t *m = mmap(NULL, (N + 1) * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t ticks;

	ASSERT(m != MAP_FAILED);
	m = (uint8_t *)(((uintptr_t)m + LARGE - 1) & ~(LARGE - 1ul));
	ASSERT_OK(madvise(m, N * LARGE, MADV_HUGEPAGE));
	for (int i = 0; i < N; i++)
		m[i * LARGE] = 1;
	ASSERT_OK(vm_slot(vm, 1, 0, MEMORY, N * LARGE, m));
	/* The way there is warm: the last one's tables, and all that a first entry does. */
	touch(vm, vcpu, 1, 0);
	before = privileged_operations();
	touch(vm, vcpu, N, LARGE);
	after = privileged_operations();
	printf("bench: fault_2m %llu", (unsigned long long)vm_var(vm, bench)->ticks / (N - 1));
	print_privops(&before, &after, N - 1);

	ASSERT_OK(vm_slot(vm, 1, KVIRT_MEM_LOG_DIRTY_PAGES, MEMORY, N * LARGE, m));
	touch(vm, vcpu, SMALL, PAGE);
	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_DIRTY_LOG, &log));
	before = privileged_operations();
	touch(vm, vcpu, SMALL, PAGE);
	after = privileged_operations();
	printf("bench: dirty_log_write %llu", (unsigned long long)vm_var(vm, bench)->ticks / SMALL);
	print_privops(&before, &after, SMALL);

	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_DIRTY_LOG, &log));
	ticks = rdtsc();
	before = privileged_operations();
	for (int i = 0; i < ROUNDS; i++) {
		touch(vm, vcpu, DIRTY, PAGE);
		ASSERT_OK(ioctl(vm->fd, KVIRT_GET_DIRTY_LOG, &log));
		ASSERT_EQ(bits[0], -1ull);
	}
	after = privileged_operations();
	ticks = rdtsc() - ticks;
	printf("bench: dirty_log_round %llu", (unsigned long long)ticks / (ROUNDS * DIRTY));
	print_privops(&before, &after, ROUNDS * DIRTY);
	vcpu_free(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(exits),
	TEST(memory),
	TEST(lifecycle),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

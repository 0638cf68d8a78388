// SPDX-License-Identifier: GPL-2.0
/*
 * The exit ring of a vCPU, KVIRT_CAP_EXIT_RING: what it has of known exits, that it wraps, who may map it and how, and that a reader
 * can tell whole records while the vCPU runs. KVM has no such thing.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

enum { PORT = PORT_TEST, PAGE = 4096, NR = KVIRT_RING_RECORDS };

#define LEAF		0x4b000000u	/* no CPU has it: only its number counts */

static void *map(struct vcpu *vcpu, size_t page, size_t pages, int prot)
{
	return mmap(NULL, pages * PAGE, prot, MAP_SHARED, vcpu->fd, page * PAGE);
}

static const struct kvirt_exit_ring *ring_of(struct vcpu *vcpu)
{
	void *ring = map(vcpu, KVIRT_RING_PAGE_OFFSET, 1, PROT_READ);

	ASSERT(ring != MAP_FAILED);
	return ring;
}

/* As kvirt.h says: the records @from[0] and on, those that are whole; gives how many, and the first one's number. */
static unsigned int copy(const struct kvirt_exit_ring *ring, struct kvirt_exit_record *to, uint64_t *first)
{
	uint64_t before = __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE), after, n;
	uint64_t from = before < NR ? 0 : before - NR;
	unsigned int skip = 0;

	for (n = from; n < before; n++)
		memcpy(&to[n - from], (const void *)&ring->record[n % NR], sizeof(*to));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	after = __atomic_load_n(&ring->written, __ATOMIC_RELAXED);
	if (after + 1 > NR + from)
		skip = after + 1 - NR - from > before - from ? before - from : after + 1 - NR - from;
	memmove(to, to + skip, (before - from - skip) * sizeof(*to));
	*first = from + skip;
	return before - from - skip;
}

static void capability(void)
{
	struct vm *vm = vm_bare();
	const struct kvirt_exit_ring *ring;

	EXPECT_EQ(dev_cap(KVIRT_CAP_EXIT_RING), PAGE);
	EXPECT_EQ(ioctl(vm->fd, KVIRT_CHECK_EXTENSION, KVIRT_CAP_EXIT_RING), PAGE);
	ring = ring_of(vcpu_bare(vm, 0));
	EXPECT_EQ(ring->written, 0);
	EXPECT_EQ(ring->nr, NR);
	EXPECT_EQ(ring->record_size, sizeof(struct kvirt_exit_record));
	EXPECT(ring->tsc_khz > 0);
	EXPECT(sizeof(*ring) <= PAGE);
}

/* --- contents --- */

extern const char at_cpuid[], at_rdmsr[], at_wrmsr[], at_out[], at_in[], at_mmio[], at_hlt[], at_ud[];

static void guest_known(void)
{
	static const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) none = { 0, 0 };

	uint32_t a = LEAF, c = 7;

	asm volatile("at_cpuid: cpuid" : "+a"(a), "+c"(c) : : "rbx", "rdx");
	asm volatile("at_rdmsr: rdmsr" : : "c"(MSR_APIC_BASE) : "rax", "rdx");
	asm volatile("at_wrmsr: wrmsr" : : "c"(0x277), "a"(0x00070106), "d"(0x00070106));
	asm volatile("at_out: outw %%ax, %%dx" : : "a"(0x1234), "d"(PORT));
	asm volatile("at_in: inb %%dx, %%al" : : "d"(PORT + 1) : "rax");
	asm volatile("at_mmio: movl %0, (%1)" : : "a"(1), "r"(GUEST_HOLE + 0x10ul) : "memory");
	asm volatile("at_hlt: hlt");
	asm volatile("lidt %0; at_ud: ud2" : : "m"(none));
}

/* The next record, but for the host's own and for memory that comes on first touch. */
static const struct kvirt_exit_record *next(const struct kvirt_exit_record **r, const struct kvirt_exit_record *end)
{
	for (; *r < end; (*r)++) {
		if ((*r)->kind == KVIRT_KIND_HOST || (*r)->kind == KVIRT_KIND_DEADLINE)
			continue;
		if ((*r)->kind == KVIRT_KIND_NESTED_FAULT && (*r)->gpa < GUEST_MEMORY)
			continue;
		return (*r)++;
	}
	test_fail(__FILE__, __LINE__, "a record is missing");
	test_end();
}

static const struct kvirt_exit_record *expect(const struct kvirt_exit_record **r, const struct kvirt_exit_record *end,
					      enum kvirt_exit_kind kind, const void *rip)
{
	const struct kvirt_exit_record *got = next(r, end);

	EXPECT_EQ(got->kind, kind);
	if (rip)
		EXPECT_EQ(got->rip, (uintptr_t)rip);
	return got;
}

static void known_exits(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_known);
	const struct kvirt_exit_ring *ring = ring_of(vcpu);
	struct kvirt_exit_record records[NR];
	const struct kvirt_exit_record *r = records, *end, *one;
	uint64_t first, tsc = rdtsc();
	bool amd = cpu_is_amd();

	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_HLT);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_SHUTDOWN);
	end = records + copy(ring, records, &first);
	EXPECT_EQ(first, 0);
	for (one = records; one < end; one++) {
		EXPECT(one->tsc >= tsc);
		tsc = one->tsc;
	}
	EXPECT(rdtsc() >= tsc);

	one = expect(&r, end, KVIRT_KIND_CPUID, at_cpuid);
	EXPECT_EQ(one->eax, LEAF);
	EXPECT_EQ(one->ecx, 7);
	EXPECT_EQ(one->reason, amd ? 0x72 : 10);
	one = expect(&r, end, KVIRT_KIND_RDMSR, at_rdmsr);
	EXPECT_EQ(one->ecx, MSR_APIC_BASE);
	EXPECT_EQ(one->reason, amd ? 0x7c : 31);
	one = expect(&r, end, KVIRT_KIND_WRMSR, at_wrmsr);
	EXPECT_EQ(one->ecx, 0x277);
	EXPECT_EQ(one->eax, 0x00070106);
	one = expect(&r, end, KVIRT_KIND_IO, at_out);
	EXPECT_EQ(one->io.port, PORT);
	EXPECT_EQ(one->io.size, 2);
	EXPECT_EQ(one->io.in, 0);
	EXPECT_EQ(one->io.string, 0);
	EXPECT_EQ(one->eax & 0xffff, 0x1234);
	EXPECT_EQ(one->insn_len, 2);
	one = expect(&r, end, KVIRT_KIND_IO, at_in);
	EXPECT_EQ(one->io.port, PORT + 1);
	EXPECT_EQ(one->io.size, 1);
	EXPECT_EQ(one->io.in, 1);
	one = expect(&r, end, KVIRT_KIND_NESTED_FAULT, at_mmio);
	EXPECT_EQ(one->gpa, GUEST_HOLE + 0x10);
	EXPECT_EQ(one->access & KVIRT_RECORD_WRITE, KVIRT_RECORD_WRITE);
	EXPECT_EQ(one->reason, amd ? 0x400 : 48);
	expect(&r, end, KVIRT_KIND_HLT, at_hlt);
	one = expect(&r, end, KVIRT_KIND_EXCEPTION, at_ud);
	EXPECT_EQ(one->exception.vector, 6);
	EXPECT_EQ(one->exception.has_error, 0);
	one = expect(&r, end, KVIRT_KIND_TRIPLE_FAULT, NULL);
	EXPECT_EQ(one->reason, amd ? 0x7f : 2);
	EXPECT_EQ(end - r, 0);
}

/* --- wrapping --- */

enum { MANY = 3 * NR };

static inline void count_up(uint32_t i)
{
	uint32_t c = ~i;

	asm volatile("cpuid" : "+a"(i), "+c"(c) : : "rbx", "rdx");
}

static void guest_count(void)
{
	for (uint32_t i = 0; i < MANY; i++)
		count_up(LEAF + i);
	guest_done();
}

static void guest_count_on(void)
{
	for (uint32_t i = 0;; i++)
		count_up(LEAF + i);
}

/* Of the CPUIDs in a copy, each follows the other and holds together; gives how many there are. */
static unsigned int check_counting(const struct kvirt_exit_record *r, unsigned int n, uint32_t *last)
{
	unsigned int seen = 0;
	uint64_t rip = 0;

	for (const struct kvirt_exit_record *end = r + n; r < end; r++) {
		if (r->kind != KVIRT_KIND_CPUID)
			continue;
		if (r->ecx != ~r->eax || (seen && (r->rip != rip || r->eax != *last + 1)))
			test_fail(__FILE__, __LINE__, "CPUID %#x.%#x at %#llx behind %#x at %#llx", r->eax, r->ecx,
				  (unsigned long long)r->rip, *last, (unsigned long long)rip);
		*last = r->eax;
		rip = r->rip;
		seen++;
	}
	return seen;
}

static void wraps(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_count);
	const struct kvirt_exit_ring *ring = ring_of(vcpu);
	struct kvirt_exit_record records[NR];
	unsigned int n, seen;
	uint32_t last = 0;
	uint64_t first;

	vcpu_finish(vcpu);
	EXPECT(ring->written > MANY);
	EXPECT_EQ(ring->written, vm_stat(vcpu->fd, "exits"));
	n = copy(ring, records, &first);
	EXPECT_EQ(n, NR - 1);
	EXPECT_EQ(first, ring->written - n);
	EXPECT_EQ(records[n - 1].kind, KVIRT_KIND_IO);
	EXPECT_EQ(records[n - 1].io.port, PORT_DONE);
	seen = check_counting(records, n, &last);
	EXPECT_EQ(last, LEAF + MANY - 1);
	EXPECT(seen > NR / 2);
}

/* --- read while it runs --- */

static void running_vcpu_is_read_whole(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_count_on);
	const struct kvirt_exit_ring *ring = ring_of(vcpu);
	struct kvirt_exit_record records[NR];
	unsigned int n, overrun = 0, all = 0;
	struct sigaction sa = { .sa_handler = vcpu_interrupt };
	pthread_t thread;
	uint64_t first, reached = 0;
	uint32_t last;
	void *failed;

	ASSERT_OK(sigaction(SIGUSR1, &sa, NULL));
	ASSERT(!pthread_create(&thread, NULL, vcpu_run_on, vcpu));
	while (reached < 200 * NR) {
		n = copy(ring, records, &first);
		last = 0;
		all += check_counting(records, n, &last);
		overrun += n < NR / 2;
		reached = first + n;
	}
	vcpus_stop = true;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, &failed);
	EXPECT(!failed);
	EXPECT(all > 0);
	test_note("%u records read while %llu were written, %u times overrun", all, (unsigned long long)reached, overrun);
}

/* --- mapping --- */

/* What the kernel itself meets when it reads one byte there. */
static int touch(const void *address)
{
	int fds[2], ret;

	ASSERT_OK(pipe(fds));
	ret = write(fds[1], address, 1);
	close(fds[0]);
	close(fds[1]);
	return ret;
}

static void mapping_is_to_read(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	off_t at = (off_t)KVIRT_RING_PAGE_OFFSET * PAGE;
	void *ring = map(vcpu, KVIRT_RING_PAGE_OFFSET, 1, PROT_READ), *p;

	ASSERT(ring != MAP_FAILED);
	EXPECT_EQ(touch(ring), 1);
	EXPECT_ERRNO(mprotect(ring, PAGE, PROT_READ | PROT_WRITE), EACCES);
	EXPECT(map(vcpu, KVIRT_RING_PAGE_OFFSET, 1, PROT_READ | PROT_WRITE) == MAP_FAILED && errno == EACCES);
	EXPECT(map(vcpu, KVIRT_RING_PAGE_OFFSET, 1, PROT_WRITE) == MAP_FAILED && errno == EACCES);
	EXPECT(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, vcpu->fd, at) == MAP_FAILED && errno == EACCES);
	EXPECT(map(vcpu, KVIRT_RING_PAGE_OFFSET, 2, PROT_READ) == MAP_FAILED && errno == EINVAL);
	/* Nor by a way round: grown, or begun before it. */
	p = mremap(ring, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	ASSERT(p != MAP_FAILED);
	EXPECT_EQ(touch(p), 1);
	EXPECT_ERRNO(touch((char *)p + PAGE), EFAULT);
	p = map(vcpu, KVIRT_RING_PAGE_OFFSET - 1, 2, PROT_READ | PROT_WRITE);
	ASSERT(p != MAP_FAILED);
	EXPECT_ERRNO(touch(p), EFAULT);
	EXPECT_ERRNO(touch((char *)p + PAGE), EFAULT);
	ASSERT_OK(munmap(p, PAGE));
	EXPECT_ERRNO(touch((char *)p + PAGE), EFAULT);
	/* Behind it is nothing, and other files have none. */
	p = map(vcpu, KVIRT_RING_PAGE_OFFSET + 1, 1, PROT_READ);
	ASSERT(p != MAP_FAILED);
	EXPECT_ERRNO(touch(p), EFAULT);
	EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, vm->fd, at) == MAP_FAILED && errno == ENODEV);
	EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, vm->dev, at) == MAP_FAILED && errno == ENODEV);
}

static void outlives_the_files(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_count);
	const struct kvirt_exit_ring *ring = ring_of(vcpu);
	struct kvirt_exit_record records[NR];
	uint64_t written, first;
	uint32_t last = 0;

	vcpu_finish(vcpu);
	written = ring->written;
	vcpu_free(vcpu);
	vm_free(vm);
	EXPECT_EQ(ring->written, written);
	EXPECT_EQ(copy(ring, records, &first), NR - 1);
	EXPECT(check_counting(records, NR - 1, &last) > NR / 2);
	EXPECT_OK(munmap((void *)ring, PAGE));
}

/* Each vCPU has its own. */
static void vcpus_are_apart(void)
{
	struct vm *vm = vm_new();
	struct vcpu *one = vcpu_new(vm, 0, guest_count), *two = vcpu_new(vm, 1, guest_count);
	const struct kvirt_exit_ring *ring[2] = { ring_of(one), ring_of(two) };

	vcpu_finish(two);
	EXPECT_EQ(ring[0]->written, 0);
	EXPECT(ring[1]->written > MANY);
}

static const struct test tests[] = {
	TEST(capability),
	TEST(known_exits),
	TEST(wraps),
	TEST(running_vcpu_is_read_whole),
	TEST(mapping_is_to_read),
	TEST(outlives_the_files),
	TEST(vcpus_are_apart),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

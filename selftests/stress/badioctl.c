// SPDX-License-Identifier: GPL-2.0
/*
 * Hostile user space: random ioctls on every file, with payloads that are random, half right, at the edge of a page, or no
 * memory at all; run pages scribbled over by a second thread while a vCPU runs. Nothing here knows a right answer but one:
 * afterwards the host is as before, and a new VM works. (The kernel's log is judged by who runs this.)
 *
 * --count N (default 20000) ioctls, --seed N. Prints "TRIED n FAILED 0".
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>

#include "guest.h"
#include "vm.h"

static uint64_t random_state;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint32_t below(uint32_t n)
{
	return random64() % n;
}

/* Values that bounds are made of. */
static uint64_t edge(void)
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, 7, 8, 16, 24, 31, 32, 63, 64, 127, 128, 255, 256, 257, 511, 512, 1023, 1024, 4095, 4096, 4097, 8192,
		32763, 32764, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0xfee00000, 0xffffd000, 0x3fffffff,
		0x7fffffffffff, 0x800000000000, 0xffff800000000000, 0x7fffffffffffffff, 0x8000000000000000, -4096ull, -1ull,
	};

	return edges[below(COUNT(edges))] + (below(4) ? 0 : below(3) - 1);
}

static const unsigned long on_device[] = {
	KVIRT_GET_API_VERSION, KVIRT_CHECK_EXTENSION, KVIRT_GET_VCPU_MMAP_SIZE, KVIRT_GET_MSR_INDEX_LIST,
	KVIRT_GET_SUPPORTED_CPUID, KVIRT_GET_MSR_FEATURE_INDEX_LIST, KVIRT_GET_EMULATED_CPUID, KVIRT_GET_MSRS,
	KVIRT_GET_DEVICE_ATTR, KVIRT_HAS_DEVICE_ATTR, KVIRT_X86_GET_MCE_CAP_SUPPORTED,
};

static const unsigned long on_vm[] = {
	KVIRT_SET_USER_MEMORY_REGION, KVIRT_SET_USER_MEMORY_REGION, KVIRT_SET_USER_MEMORY_REGION, KVIRT_SET_TSS_ADDR,
	KVIRT_SET_IDENTITY_MAP_ADDR, KVIRT_SET_NR_MMU_PAGES, KVIRT_GET_DIRTY_LOG, KVIRT_CLEAR_DIRTY_LOG, KVIRT_IRQ_LINE,
	KVIRT_IRQ_LINE_STATUS, KVIRT_SET_GSI_ROUTING, KVIRT_SET_GSI_ROUTING, KVIRT_SIGNAL_MSI, KVIRT_SIGNAL_MSI, KVIRT_ENABLE_CAP,
	KVIRT_SET_CLOCK, KVIRT_GET_CLOCK, KVIRT_SET_BOOT_CPU_ID, KVIRT_SET_TSC_KHZ, KVIRT_GET_TSC_KHZ, KVIRT_CHECK_EXTENSION,
	KVIRT_IOEVENTFD, KVIRT_IRQFD, KVIRT_GET_IRQCHIP, KVIRT_SET_IRQCHIP, KVIRT_RESET_DIRTY_RINGS, KVIRT_REINJECT_CONTROL,
	KVIRT_GET_NR_MMU_PAGES, KVIRT_CREATE_IRQCHIP, KVIRT_CREATE_PIT, KVIRT_CREATE_PIT2, KVIRT_GET_PIT, KVIRT_SET_PIT, KVIRT_GET_PIT2,
	KVIRT_SET_PIT2,
};

static const unsigned long on_vcpu[] = {
	KVIRT_RUN, KVIRT_RUN, KVIRT_RUN, KVIRT_GET_REGS, KVIRT_SET_REGS, KVIRT_GET_SREGS, KVIRT_SET_SREGS, KVIRT_SET_SREGS,
	KVIRT_TRANSLATE, KVIRT_INTERRUPT, KVIRT_GET_MSRS, KVIRT_SET_MSRS, KVIRT_SET_MSRS, KVIRT_SET_SIGNAL_MASK, KVIRT_GET_FPU,
	KVIRT_SET_FPU, KVIRT_GET_LAPIC, KVIRT_SET_LAPIC, KVIRT_SET_CPUID2, KVIRT_GET_CPUID2, KVIRT_TPR_ACCESS_REPORTING,
	KVIRT_SET_VAPIC_ADDR, KVIRT_GET_MP_STATE, KVIRT_SET_MP_STATE, KVIRT_NMI, KVIRT_GET_VCPU_EVENTS, KVIRT_SET_VCPU_EVENTS,
	KVIRT_GET_DEBUGREGS, KVIRT_SET_DEBUGREGS, KVIRT_ENABLE_CAP, KVIRT_GET_XSAVE, KVIRT_SET_XSAVE, KVIRT_GET_XCRS,
	KVIRT_SET_XCRS, KVIRT_KVMCLOCK_CTRL, KVIRT_GET_SREGS2, KVIRT_SET_SREGS2, KVIRT_GET_XSAVE2, KVIRT_SET_TSC_KHZ,
	KVIRT_GET_TSC_KHZ, KVIRT_SET_GUEST_DEBUG, KVIRT_X86_SETUP_MCE, KVIRT_X86_SET_MCE, KVIRT_SMI,
	KVIRT_HAS_DEVICE_ATTR, KVIRT_GET_DEVICE_ATTR, KVIRT_SET_DEVICE_ATTR, KVIRT_GET_STATS_FD,
};

enum { ROUND = 400, PAYLOAD = 3 * 4096 };

/* Two pages of payload, then none: structures can be made to end at the edge. */
static uint8_t *payload;

struct world {
	int dev, vm, vcpu, eventfd;
	struct kvirt_run *run;
	uint8_t *memory;
};

static void guest_wanders(void)
{
	uint32_t a, b, c, d;

	for (;;) {
		cpuid(below(2), 0, &a, &b, &c, &d);
		inb(PORT_TEST);
		mmio_read32(GUEST_HOLE);
		guest_stage(1);
	}
}

/* What GET gives now is the best start for what SET takes. */
static void fill_state(struct world *w, unsigned long request, uint8_t *p)
{
	static const unsigned long pairs[][2] = {
		{ KVIRT_SET_REGS, KVIRT_GET_REGS },
		{ KVIRT_SET_SREGS, KVIRT_GET_SREGS },
		{ KVIRT_SET_SREGS2, KVIRT_GET_SREGS2 },
		{ KVIRT_SET_LAPIC, KVIRT_GET_LAPIC },
		{ KVIRT_SET_XSAVE, KVIRT_GET_XSAVE },
		{ KVIRT_SET_VCPU_EVENTS, KVIRT_GET_VCPU_EVENTS },
		{ KVIRT_SET_DEBUGREGS, KVIRT_GET_DEBUGREGS },
		{ KVIRT_SET_IRQCHIP, KVIRT_GET_IRQCHIP },
		{ KVIRT_SET_PIT2, KVIRT_GET_PIT2 },
	};

	for (size_t i = 0; i < COUNT(pairs); i++)
		if (pairs[i][0] == request)
			ioctl(i < 7 ? w->vcpu : w->vm, pairs[i][1], p);
}

static void fill_msrs(struct kvirt_msrs *m)
{
	static const uint32_t msrs[] = { 0x10, 0x1b, 0x174, 0x1a0, 0x200, 0x277, 0x2ff, 0x6e0, 0x802, 0x830, 0xc0000080,
					 0xc0000081, 0xc0000102, 0x4b564d00, 0x4b564d01, 0x4b564d03, 0x12345678, 0x11, 0x12,
					 0x179, 0x17a, 0x17b, 0x400, 0x401, 0x47f, 0x280 };

	m->nmsrs = below(6);
	for (int i = 0; i < 6; i++) {
		m->entries[i].index = msrs[below(COUNT(msrs))];
		m->entries[i].data = below(2) ? edge() : random64();
	}
}

/* Change @n places of what @request reads: a byte, a bit, or a word by a value from the edges. */
static void spoil(unsigned long request, uint8_t *p, size_t room, uint32_t n)
{
	size_t size = _IOC_SIZE(request) ? _IOC_SIZE(request) : 64;

	for (uint32_t i = 0; i < n; i++) {
		size_t at = below(size < room ? size : room);

		switch (below(3)) {
		case 0:
			p[at] = random64();
			break;
		case 1:
			p[at] ^= 1 << below(8);
			break;
		case 2:
			at &= ~7ul;
			if (at + 8 <= room)
				*(uint64_t *)(p + at) = edge();
			break;
		}
	}
}

static void fill_debug(struct kvirt_guest_debug *g)
{
	g->control = random64() & 0x1f0003;
	for (int i = 0; i < 8; i++)
		g->arch.debugreg[i] = below(2) ? edge() : (uintptr_t)guest_wanders + below(64);
}

/* Structures with a pointer or a number that must fit; false: none of these. */
static bool fill_small(struct world *w, unsigned long request, uint8_t *p)
{
	switch (request) {
	case KVIRT_SET_DEVICE_ATTR:
	case KVIRT_GET_DEVICE_ATTR:
		((struct kvirt_device_attr *)p)->addr = (uintptr_t)w->memory;
		break;
	case KVIRT_SET_GUEST_DEBUG:
		fill_debug((void *)p);
		break;
	case KVIRT_X86_SETUP_MCE:
		*(uint64_t *)p = below(40) | below(2) << 8;
		break;
	case KVIRT_X86_SET_MCE:
		*(struct kvirt_x86_mce *)p = (struct kvirt_x86_mce){ .status = 7ull << 61, .bank = below(40), .mcg_status = below(2) };
		break;
	case KVIRT_SET_VAPIC_ADDR:
		*(uint64_t *)p = below(3) ? GUEST_SCRATCH + 0x800 : edge();
		break;
	case KVIRT_TPR_ACCESS_REPORTING:
		*(uint32_t *)p = below(2);
		break;
	default:
		return false;
	}
	return true;
}

static void fill_events(const struct world *w, unsigned long request, uint8_t *p)
{
	struct kvirt_ioeventfd e = { below(3), below(2) ? PORT_TEST + below(4) : GUEST_HOLE + below(4), below(9), w->eventfd, below(8) };
	struct kvirt_irqfd f = { w->eventfd, below(30), below(4), w->eventfd };
	struct kvirt_msi m = { .address_lo = 0xfee00000 | below(1 << 20), .data = random64() };

	if (request == KVIRT_SIGNAL_MSI)
		memcpy(p, &m, sizeof(m));
	else if (request == KVIRT_IOEVENTFD)
		memcpy(p, &e, sizeof(e));
	else
		memcpy(p, &f, sizeof(f));
}

/* The right shape, then spoilt: so that not everything ends at the first check. */
static void fill(struct world *w, unsigned long request, uint8_t *p, size_t room)
{
	uint32_t dirt = below(4);

	memset(p, 0, room);
	switch (request) {
	case KVIRT_SET_REGS:
	case KVIRT_SET_SREGS:
	case KVIRT_SET_SREGS2:
	case KVIRT_SET_LAPIC:
	case KVIRT_SET_XSAVE:
	case KVIRT_SET_VCPU_EVENTS:
	case KVIRT_SET_DEBUGREGS: case KVIRT_SET_PIT2: case KVIRT_SET_IRQCHIP:
		*(uint32_t *)p = below(3);	/* which chip; others give all of it */
		fill_state(w, request, p);
		break;
	case KVIRT_SET_USER_MEMORY_REGION: {
		struct kvirt_userspace_memory_region r = {
			below(6), below(4), (uint64_t)below(64) << 20, (uint64_t)below(64) << 16,
			(uintptr_t)w->memory + below(16) * 4096ull,
		};

		memcpy(p, &r, sizeof(r));
		break;
	}
	case KVIRT_SET_GSI_ROUTING: {
		struct kvirt_irq_routing *r = (void *)p;

		r->nr = below(20);
		for (uint32_t i = 0; i < r->nr; i++) {
			r->entries[i].gsi = below(40);
			r->entries[i].type = 1 + below(3);
			r->entries[i].u.msi.address_lo = 0xfee00000 | below(1 << 20);
			r->entries[i].u.msi.data = random64();
		}
		break;
	}
	case KVIRT_SIGNAL_MSI:
	case KVIRT_IOEVENTFD:
	case KVIRT_IRQFD:
		fill_events(w, request, p);
		break;
	case KVIRT_ENABLE_CAP: {
		struct kvirt_enable_cap *c = (void *)p;

		/* Whatever wants the machine's power, such as leaving HLT to the guest, is not this test's. */
		c->cap = below(230);
		c->args[0] = edge();
		break;
	}
	case KVIRT_SET_MSRS:
	case KVIRT_GET_MSRS:
		fill_msrs((void *)p);
		break;
	case KVIRT_SET_CPUID2:
		((struct kvirt_cpuid2 *)p)->nent = below(4) ? below(40) : edge();
		for (size_t i = 8; i < 2048; i++)
			p[i] = below(3) ? 0 : random64();
		dirt = 0;
		break;
	case KVIRT_GET_SUPPORTED_CPUID:
	case KVIRT_GET_CPUID2:
	case KVIRT_GET_MSR_INDEX_LIST:
	case KVIRT_GET_MSR_FEATURE_INDEX_LIST:
		*(uint32_t *)p = below(4) ? below(120) : edge();
		dirt = 0;
		break;
	case KVIRT_SET_SIGNAL_MASK:
		*(uint32_t *)p = below(2) ? 8 : edge();
		dirt = 0;		/* an open mask */
		break;
	default:
		if (!fill_small(w, request, p))
			dirt += 3;
	}
	spoil(request, p, room, dirt);
}

/* An interval timer's signal gets RUN out of whatever guest came of it. */
static void on_alarm(int number)
{
}

/* Interrupt controllers: 0 none, 1 split, 2 all in the kernel. */
static struct world make_world(int form)
{
	struct vm *vm;
	struct vcpu *vcpu;
	struct world w;

	vm = form == 1 ? vm_new_split() : vm_new();
	if (form == 2) {
		ASSERT_OK(ioctl(vm->fd, KVIRT_CREATE_IRQCHIP, 0));
		ASSERT_OK(ioctl(vm->fd, KVIRT_CREATE_PIT, 0));
	}
	vcpu = vcpu_new(vm, 0, guest_wanders);
	w = (struct world){ vm->dev, vm->fd, vcpu->fd, eventfd(0, EFD_NONBLOCK), vcpu->run, vm->memory };
	return w;
}

static unsigned long attack(struct world *w, unsigned long count)
{
	unsigned long done;

	for (done = 0; done < count; done++) {
		unsigned long request;
		uint8_t *p = payload;
		uint32_t file = below(10);
		int fd;

		if (file == 0) {
			fd = w->dev;
			request = on_device[below(COUNT(on_device))];
		} else if (file < 4) {
			fd = w->vm;
			request = on_vm[below(COUNT(on_vm))];
		} else {
			fd = w->vcpu;
			request = on_vcpu[below(COUNT(on_vcpu))];
		}
		if (!below(50))
			request = _IOC(below(4), below(20) ? KVIRT_IO : below(256), below(256), below(300));
		if (request == KVIRT_CREATE_VM)
			continue;	/* files without end */
		fill(w, request, p, 8192);
		if (request == KVIRT_RUN || _IOC_DIR(request) == _IOC_NONE) {
			for (int i = 0; i < 8; i++)
				((uint8_t *)w->run)[below(2) ? below(4096 + 2048) : 8192 + below(8)] = below(2) ? 0 : random64();
			ioctl(fd, request, below(8) ? 0ul : edge());
		} else {
			switch (below(12)) {
			case 0:
				ioctl(fd, request, edge());
				break;
			case 1: {
				/* Ends where the memory ends, or a little behind. */
				size_t size = _IOC_SIZE(request) < 8192 ? _IOC_SIZE(request) : 8192;

				ioctl(fd, request, payload + 8192 - size + (below(2) ? 0 : below(16)));
				break;
			}
			case 2:
				ioctl(fd, request, p + below(9));
				break;
			default:
				ioctl(fd, request, p);
			}
		}
	}
	return done;
}

static volatile bool scribble_over;

static void *scribble(void *page)
{
	uint64_t state = 0x123456789;

	while (!scribble_over) {
		for (int i = 0; i < 64; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			((volatile uint8_t *)page)[state % 8192] = state >> 32;
		}
		usleep(100);
	}
	return NULL;
}

static void guest_hello(void)
{
	guest_done();
}

/* Each world lives in a process of its own, since an ioctl that gives EFAULT today may be a signal to the caller tomorrow. */
static unsigned long one_round(int form, bool scribbled, unsigned long count, uint64_t seed)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		struct itimerspec often = { { 0, 10000000 }, { 0, 10000000 } };
		struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
		struct sigaction action = { .sa_handler = on_alarm };
		struct world w;
		pthread_t thread;
		timer_t timer;

		random_state = seed;
		payload = mmap(NULL, PAYLOAD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT(payload != MAP_FAILED);
		ASSERT_OK(munmap(payload + 8192, 4096));
		w = make_world(form);
		ASSERT_OK(sigaction(SIGALRM, &action, NULL));
		if (scribbled)
			ASSERT(!pthread_create(&thread, NULL, scribble, w.run));
		ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
		ASSERT_OK(timer_settime(timer, 0, &often, NULL));
		attack(&w, count);
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	if (!EXPECT_EQ(status, 0))
		test_note("form %d scribbled %d seed %#llx", form, scribbled, (unsigned long long)seed);
	return status ? 0 : count;
}

static void random_ioctls(void)
{
	const char *count = test_option("--count"), *seed = test_option("--seed");
	unsigned long n = count ? strtoul(count, NULL, 0) : 20000, tried = 0, failed = 0;
	uint64_t start = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;

	test_note("seed %llu", (unsigned long long)start);
	for (unsigned long round = 0; tried + failed < n; round++) {
		unsigned long done = one_round(round % 3, round % 4 >= 2, ROUND, start + round * 7919);

		tried += done;
		failed += !done;
	}
	vcpu_finish(vcpu_new(vm_new(), 0, guest_hello));
	printf("# TRIED %lu FAILED %lu\n", tried, failed);
}

static const struct test tests[] = {
	TEST(random_ioctls),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

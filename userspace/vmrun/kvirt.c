// SPDX-License-Identifier: GPL-2.0
/*
 * Every ioctl on the accelerator, each wrapped once. What is done with the
 * answers is decided by machine.c, vcpu.c, cpuid.c and irq.c. File descriptors
 * and the run page belong to the structs; a struct is used by one thread at a
 * time, except that routes, messages, irqfds and doorbells may be set and sent
 * from any thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvirt.h"

/* Below the I/O APIC's page: three pages for VT-x's real mode, one below. */
#define TSS_ADDR		0xfffbd000ul
#define IDENTITY_MAP_ADDR	0xfffbc000ull

static const char device_kvirt[] = "/dev/kvirt";
static const char device_kvm[] = "/dev/kvm";

static const struct {
	int cap;
	const char *name;
} required[] = {
	{ KVIRT_CAP_USER_MEMORY, "memory slots" },
	{ KVIRT_CAP_SPLIT_IRQCHIP, "the split interrupt controller" },
	{ KVIRT_CAP_IRQ_ROUTING, "interrupt routes" },
	{ KVIRT_CAP_SIGNAL_MSI, "message-signalled interrupts" },
	{ KVIRT_CAP_IRQFD, "interrupts by eventfd" },
	{ KVIRT_CAP_IOEVENTFD, "doorbells by eventfd" },
	{ KVIRT_CAP_IOEVENTFD_ANY_LENGTH, "doorbells of any length" },
	{ KVIRT_CAP_EXT_CPUID, "CPUID tables" },
	{ KVIRT_CAP_IMMEDIATE_EXIT, "immediate exits" },
	/* Without it Linux looks for a PIT to time the local APIC, in vain. */
	{ KVIRT_CAP_TSC_DEADLINE_TIMER, "the TSC-deadline timer" },
};

static const char *open_hint(const char *path, int error)
{
	bool is_kvirt = !strcmp(path, device_kvirt);

	switch (error) {
	case EACCES:
	case EPERM:
		return "add yourself to group kvm, then log in again";
	case ENOENT:
	case ENODEV:
	case ENXIO:
		if (is_kvirt)
			return "load the module as root: modprobe kvirt, or insmod kvirt.ko; dmesg tells why it refuses";
		return "load kvm_intel or kvm_amd, or use /dev/kvirt with --accel kvirt";
	default:
		return "is it the device of an accelerator?";
	}
}

static int open_device(struct kvirt *kvirt, const char *path,
		       struct vm_error *err)
{
	kvirt->fd = open(path, O_RDWR | O_CLOEXEC);
	if (kvirt->fd < 0) {
		int error = errno;

		return vm_fail(err, VM_STATUS_NO_ACCEL, open_hint(path, error),
			       "cannot open %.200s: %s", path, strerror(error));
	}
	kvirt->path = path;
	return 0;
}

/* The first of the two devices that opens; when none does, both reasons. */
static int open_auto(struct kvirt *kvirt, struct vm_error *err)
{
	struct vm_error first = { 0 }, second = { 0 };

	if (!open_device(kvirt, device_kvirt, &first) ||
	    !open_device(kvirt, device_kvm, &second))
		return 0;
	return vm_fail(err, VM_STATUS_NO_ACCEL, first.hint, "%.200s; %.200s",
		       first.text, second.text);
}

static int check_extension(struct kvirt *kvirt, int cap)
{
	int value = ioctl(kvirt->fd, KVIRT_CHECK_EXTENSION, cap);

	return value < 0 ? 0 : value;
}

static int check_device(struct kvirt *kvirt, struct vm_error *err)
{
	unsigned int i;
	int value;

	value = ioctl(kvirt->fd, KVIRT_GET_API_VERSION, 0);
	if (value < 0)
		return vm_fail(err, VM_STATUS_NO_ACCEL,
			       "is it the device of an accelerator?",
			       "cannot use %.200s: it does not answer (%s)",
			       kvirt->path, strerror(errno));
	if (value != KVIRT_API_VERSION)
		return vm_fail(err, VM_STATUS_NO_ACCEL,
			       "use an accelerator with interface version 12",
			       "cannot use %.200s: it has interface version %d",
			       kvirt->path, value);
	for (i = 0; i < ARRAY_SIZE(required); i++)
		if (check_extension(kvirt, required[i].cap) <= 0)
			return vm_fail(err, VM_STATUS_NO_ACCEL,
				       "try another one with --accel",
				       "cannot use %.200s: it does not offer %s",
				       kvirt->path, required[i].name);

	value = ioctl(kvirt->fd, KVIRT_GET_VCPU_MMAP_SIZE, 0);
	if (value < (int)sizeof(struct kvirt_run))
		return vm_fail(err, VM_STATUS_NO_ACCEL, "try another one with --accel",
			       "cannot use %.200s: its run page has %d bytes",
			       kvirt->path, value);
	kvirt->run_size = value;

	value = check_extension(kvirt, KVIRT_CAP_MAX_VCPUS);
	kvirt->max_vcpus = value ? value : check_extension(kvirt, KVIRT_CAP_NR_VCPUS);
	return 0;
}

int kvirt_open(struct kvirt *kvirt, const char *accel, struct vm_error *err)
{
	int ret;

	memset(kvirt, 0, sizeof(*kvirt));
	kvirt->fd = -1;
	kvirt->vm_fd = -1;
	if (!strcmp(accel, "auto"))
		ret = open_auto(kvirt, err);
	else if (!strcmp(accel, "kvirt"))
		ret = open_device(kvirt, device_kvirt, err);
	else if (!strcmp(accel, "kvm"))
		ret = open_device(kvirt, device_kvm, err);
	else
		ret = open_device(kvirt, accel, err);
	return ret ? ret : check_device(kvirt, err);
}

int kvirt_use(struct kvirt *kvirt, int fd, struct vm_error *err)
{
	memset(kvirt, 0, sizeof(*kvirt));
	kvirt->vm_fd = -1;
	kvirt->path = "the device of --accel-fd";
	kvirt->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (kvirt->fd < 0)
		return vm_fail(err, VM_STATUS_NO_ACCEL, "open it first, for example: vmrun --accel-fd 3 3<>/dev/kvirt",
			       "cannot use descriptor %d of --accel-fd: %s", fd, strerror(errno));
	return check_device(kvirt, err);
}

void kvirt_close(struct kvirt *kvirt)
{
	if (kvirt->vm_fd >= 0)
		close(kvirt->vm_fd);
	if (kvirt->fd >= 0)
		close(kvirt->fd);
	kvirt->vm_fd = -1;
	kvirt->fd = -1;
}

/* An ioctl that has no reason to fail once the device was found usable. */
static int fail_ioctl(const char *what, struct vm_error *err)
{
	return vm_fail(err, VM_STATUS_FAILURE,
		       errno == ENOMEM ? "free some memory, or give the guest less with -m" :
		       "dmesg may tell more", "cannot %s: %s", what, strerror(errno));
}

int kvirt_create_vm(struct kvirt *kvirt, unsigned int ioapic_pins,
		    struct vm_error *err)
{
	u64 identity_map = IDENTITY_MAP_ADDR;
	struct kvirt_enable_cap split = {
		.cap = KVIRT_CAP_SPLIT_IRQCHIP, .args = { ioapic_pins },
	};

	do {
		kvirt->vm_fd = ioctl(kvirt->fd, KVIRT_CREATE_VM, 0);
	} while (kvirt->vm_fd < 0 && errno == EINTR);
	if (kvirt->vm_fd < 0)
		return vm_fail(err, VM_STATUS_NO_ACCEL,
			       errno == EMFILE || errno == ENFILE ? "are too many files open?" :
			       "dmesg may tell more; another accelerator can be named with --accel",
			       "%.200s cannot create a virtual machine: %s",
			       kvirt->path, strerror(errno));
	/* Only VT-x needs these two; where they are unknown nothing does. */
	if (check_extension(kvirt, KVIRT_CAP_SET_IDENTITY_MAP_ADDR) &&
	    ioctl(kvirt->vm_fd, KVIRT_SET_IDENTITY_MAP_ADDR, &identity_map))
		return fail_ioctl("set the identity map's address", err);
	if (check_extension(kvirt, KVIRT_CAP_SET_TSS_ADDR) &&
	    ioctl(kvirt->vm_fd, KVIRT_SET_TSS_ADDR, TSS_ADDR))
		return fail_ioctl("set the TSS's address", err);
	if (ioctl(kvirt->vm_fd, KVIRT_ENABLE_CAP, &split))
		return fail_ioctl("split the interrupt controller", err);
	return 0;
}

int kvirt_map_memory(struct kvirt *kvirt, unsigned int slot, u64 guest_addr,
		     u64 size, void *host_addr, struct vm_error *err)
{
	struct kvirt_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = guest_addr,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host_addr,
	};

	if (ioctl(kvirt->vm_fd, KVIRT_SET_USER_MEMORY_REGION, &region))
		return fail_ioctl("give the guest its memory", err);
	return 0;
}

void kvirt_set_routes(struct kvirt *kvirt, const struct kvirt_route *route,
		      unsigned int nr)
{
	union {
		struct kvirt_irq_routing table;
		u8 space[sizeof(struct kvirt_irq_routing) +
			 KVIRT_MAX_ROUTES * sizeof(struct kvirt_irq_routing_entry)];
	} u;
	unsigned int i;

	memset(&u, 0, sizeof(u));
	for (i = 0; i < nr && i < KVIRT_MAX_ROUTES; i++) {
		struct kvirt_irq_routing_entry *entry = &u.table.entries[i];

		entry->gsi = route[i].gsi;
		entry->type = KVIRT_IRQ_ROUTING_MSI;
		entry->u.msi.address_lo = route[i].address;
		entry->u.msi.data = route[i].data;
	}
	u.table.nr = i;
	if (ioctl(kvirt->vm_fd, KVIRT_SET_GSI_ROUTING, &u.table) &&
	    !atomic_exchange(&kvirt->routes_failed, true))
		log_note("cannot set interrupt routes: %s", strerror(errno));
}

void kvirt_signal_msi(struct kvirt *kvirt, u32 address, u32 data)
{
	struct kvirt_msi msi = { .address_lo = address, .data = data };

	/*
	 * Zero and -1 say that no local APIC took it. The guest wrote that
	 * destination, and real hardware would drop the message as well.
	 */
	ioctl(kvirt->vm_fd, KVIRT_SIGNAL_MSI, &msi);
}

int kvirt_assign_irqfd(struct kvirt *kvirt, int fd, u32 gsi, struct vm_error *err)
{
	struct kvirt_irqfd irqfd = { .fd = fd, .gsi = gsi };

	if (ioctl(kvirt->vm_fd, KVIRT_IRQFD, &irqfd))
		return fail_ioctl("connect an interrupt", err);
	return 0;
}

void kvirt_deassign_irqfd(struct kvirt *kvirt, int fd, u32 gsi)
{
	struct kvirt_irqfd irqfd = {
		.fd = fd, .gsi = gsi, .flags = KVIRT_IRQFD_FLAG_DEASSIGN,
	};

	ioctl(kvirt->vm_fd, KVIRT_IRQFD, &irqfd);
}

int kvirt_assign_doorbell(struct kvirt *kvirt, int fd, u64 addr)
{
	struct kvirt_ioeventfd doorbell = { .fd = fd, .addr = addr };

	return ioctl(kvirt->vm_fd, KVIRT_IOEVENTFD, &doorbell) ? -1 : 0;
}

void kvirt_deassign_doorbell(struct kvirt *kvirt, int fd, u64 addr)
{
	struct kvirt_ioeventfd doorbell = {
		.fd = fd, .addr = addr, .flags = KVIRT_IOEVENTFD_FLAG_DEASSIGN,
	};

	ioctl(kvirt->vm_fd, KVIRT_IOEVENTFD, &doorbell);
}

int kvirt_supported_cpuid(struct kvirt *kvirt, struct kvirt_cpuid *cpuid,
			  struct vm_error *err)
{
	memset(cpuid, 0, sizeof(*cpuid));
	cpuid->nent = KVIRT_MAX_CPUID;
	if (ioctl(kvirt->fd, KVIRT_GET_SUPPORTED_CPUID, cpuid))
		return fail_ioctl("ask for the supported CPUID leaves", err);
	if (cpuid->nent > KVIRT_MAX_CPUID)
		cpuid->nent = KVIRT_MAX_CPUID;
	return 0;
}

/* A recorder that is not there is no reason not to run. */
static void map_ring(struct kvirt *kvirt, struct kvirt_vcpu *vcpu)
{
	void *ring;

	vcpu->ring = NULL;
	vcpu->ring_size = check_extension(kvirt, KVIRT_CAP_EXIT_RING);
	if (!vcpu->ring_size)
		return;
	ring = mmap(NULL, vcpu->ring_size, PROT_READ, MAP_SHARED, vcpu->fd,
		    (off_t)KVIRT_RING_PAGE_OFFSET * sysconf(_SC_PAGESIZE));
	if (ring != MAP_FAILED)
		vcpu->ring = ring;
}

int kvirt_create_vcpu(struct kvirt *kvirt, struct kvirt_vcpu *vcpu,
		      unsigned int id, struct vm_error *err)
{
	vcpu->run_size = kvirt->run_size;
	vcpu->stats_fd = -1;
	vcpu->fd = ioctl(kvirt->vm_fd, KVIRT_CREATE_VCPU, (unsigned long)id);
	if (vcpu->fd < 0)
		return fail_ioctl("create a vCPU", err);
	vcpu->stats_fd = ioctl(vcpu->fd, KVIRT_GET_STATS_FD, 0);
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return fail_ioctl("map a vCPU's run page", err);
	}
	map_ring(kvirt, vcpu);
	return 0;
}

void kvirt_destroy_vcpu(struct kvirt_vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	if (vcpu->ring)
		munmap((void *)vcpu->ring, vcpu->ring_size);
	if (vcpu->stats_fd >= 0)
		close(vcpu->stats_fd);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	vcpu->run = NULL;
	vcpu->ring = NULL;
	vcpu->stats_fd = -1;
	vcpu->fd = -1;
}

int kvirt_set_cpuid(struct kvirt_vcpu *vcpu, const struct kvirt_cpuid *cpuid,
		    struct vm_error *err)
{
	if (ioctl(vcpu->fd, KVIRT_SET_CPUID2, cpuid))
		return fail_ioctl("set a vCPU's CPUID", err);
	return 0;
}

int kvirt_get_sregs(struct kvirt_vcpu *vcpu, struct kvirt_sregs *sregs,
		    struct vm_error *err)
{
	if (ioctl(vcpu->fd, KVIRT_GET_SREGS, sregs))
		return fail_ioctl("read a vCPU's system registers", err);
	return 0;
}

int kvirt_set_sregs(struct kvirt_vcpu *vcpu, const struct kvirt_sregs *sregs,
		    struct vm_error *err)
{
	if (ioctl(vcpu->fd, KVIRT_SET_SREGS, sregs))
		return fail_ioctl("set a vCPU's system registers", err);
	return 0;
}

int kvirt_get_regs(struct kvirt_vcpu *vcpu, struct kvirt_regs *regs,
		   struct vm_error *err)
{
	if (ioctl(vcpu->fd, KVIRT_GET_REGS, regs))
		return fail_ioctl("read a vCPU's registers", err);
	return 0;
}

int kvirt_set_regs(struct kvirt_vcpu *vcpu, const struct kvirt_regs *regs,
		   struct vm_error *err)
{
	if (ioctl(vcpu->fd, KVIRT_SET_REGS, regs))
		return fail_ioctl("set a vCPU's registers", err);
	return 0;
}

/* The ABI's MSR table ends in an open array: this one has one entry. */
struct one_msr {
	struct kvirt_msrs head;
	struct kvirt_msr_entry entry;
};

int kvirt_get_msr(struct kvirt_vcpu *vcpu, u32 index, u64 *value)
{
	struct one_msr msr = { .head.nmsrs = 1, .entry.index = index };

	if (ioctl(vcpu->fd, KVIRT_GET_MSRS, &msr) != 1)
		return -1;
	*value = msr.entry.data;
	return 0;
}

int kvirt_set_msr(struct kvirt_vcpu *vcpu, u32 index, u64 value)
{
	struct one_msr msr = {
		.head.nmsrs = 1,
		.entry = { .index = index, .data = value },
	};

	return ioctl(vcpu->fd, KVIRT_SET_MSRS, &msr) == 1 ? 0 : -1;
}

int kvirt_get_xsave(struct kvirt_vcpu *vcpu, u8 *area, struct vm_error *err)
{
	if (ioctl(vcpu->fd, KVIRT_GET_XSAVE, area))
		return fail_ioctl("read a vCPU's vector registers", err);
	return 0;
}

int kvirt_set_xsave(struct kvirt_vcpu *vcpu, const u8 *area, struct vm_error *err)
{
	if (ioctl(vcpu->fd, KVIRT_SET_XSAVE, area))
		return fail_ioctl("set a vCPU's vector registers", err);
	return 0;
}

u32 kvirt_debug_flags(struct kvirt *kvirt)
{
	if (!check_extension(kvirt, KVIRT_CAP_SET_GUEST_DEBUG))
		return 0;
	return check_extension(kvirt, KVIRT_CAP_SET_GUEST_DEBUG2) | KVIRT_GUESTDBG_ENABLE;
}

int kvirt_set_debug(struct kvirt_vcpu *vcpu, const struct kvirt_guest_debug *debug)
{
	return ioctl(vcpu->fd, KVIRT_SET_GUEST_DEBUG, debug) ? -1 : 0;
}

void kvirt_was_paused(struct kvirt_vcpu *vcpu)
{
	/* EINVAL: the guest has no kvm-clock, and so nothing that it could be told by. */
	ioctl(vcpu->fd, KVIRT_KVMCLOCK_CTRL, 0);
}

int kvirt_enter(struct kvirt_vcpu *vcpu)
{
	return ioctl(vcpu->fd, KVIRT_RUN, 0) ? -errno : 0;
}

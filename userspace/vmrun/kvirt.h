/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The accelerator: /dev/kvirt, or another device that speaks the same ABI.
 * Nothing else in vmrun calls an ioctl on it.
 */
#ifndef VMRUN_KVIRT_H
#define VMRUN_KVIRT_H

#include <stdatomic.h>

#include "../../include/uapi/linux/kvirt.h"

#include "log.h"
#include "types.h"

#define KVIRT_MAX_CPUID		256
#define KVIRT_MAX_ROUTES	320	/* more than irq.c can have */

struct kvirt {
	const char *path;	/* of the device that was opened */
	int fd;
	int vm_fd;
	size_t run_size;
	unsigned int max_vcpus;
	atomic_bool routes_failed;	/* told once: the guest can repeat it */
};

struct kvirt_vcpu {
	int fd;
	struct kvirt_run *run;
	size_t run_size;
	const struct kvirt_exit_ring *ring;	/* of its last exits; NULL: none is kept */
	size_t ring_size;
	/*
	 * Of its counters; -1: there are none. Opened while it is made: later that would wait
	 * until the vCPU leaves the guest, which an idle one may never do.
	 */
	int stats_fd;
};

struct kvirt_route {
	u32 gsi;
	u32 address;
	u32 data;
};

/* A CPUID table with its storage: the ABI's ends in an open array. */
struct kvirt_cpuid {
	u32 nent;
	u32 padding;
	struct kvirt_cpuid_entry2 entry[KVIRT_MAX_CPUID];
};

/*
 * Opens @accel ("auto", "kvirt", "kvm" or a path) and checks that it offers
 * what vmrun needs. Errors have status 123.
 */
int kvirt_open(struct kvirt *kvirt, const char *accel, struct vm_error *err);

/* The same with a descriptor that somebody else opened; it stays theirs. */
int kvirt_use(struct kvirt *kvirt, int fd, struct vm_error *err);
void kvirt_close(struct kvirt *kvirt);

/* Creates the VM, its interrupt controllers split: local APICs below. */
int kvirt_create_vm(struct kvirt *kvirt, unsigned int ioapic_pins,
		    struct vm_error *err);
int kvirt_map_memory(struct kvirt *kvirt, unsigned int slot, u64 guest_addr,
		     u64 size, void *host_addr, struct vm_error *err);

/* Both are called while the guest runs and can fail only by a fault of ours. */
void kvirt_set_routes(struct kvirt *kvirt, const struct kvirt_route *route,
		      unsigned int nr);
void kvirt_signal_msi(struct kvirt *kvirt, u32 address, u32 data);

/* From now on a signal of eventfd @fd is a pulse on @gsi, delivered by its route. */
int kvirt_assign_irqfd(struct kvirt *kvirt, int fd, u32 gsi, struct vm_error *err);
void kvirt_deassign_irqfd(struct kvirt *kvirt, int fd, u32 gsi);

/*
 * A guest's write to @addr, of any length, signals eventfd @fd and does not come out of the
 * accelerator. Returns -1 where that cannot be: the write is then an exit as any other.
 * While the guest runs, from any thread.
 */
int kvirt_assign_doorbell(struct kvirt *kvirt, int fd, u64 addr);
void kvirt_deassign_doorbell(struct kvirt *kvirt, int fd, u64 addr);

int kvirt_supported_cpuid(struct kvirt *kvirt, struct kvirt_cpuid *cpuid,
			  struct vm_error *err);

int kvirt_create_vcpu(struct kvirt *kvirt, struct kvirt_vcpu *vcpu,
		      unsigned int id, struct vm_error *err);
void kvirt_destroy_vcpu(struct kvirt_vcpu *vcpu);
int kvirt_set_cpuid(struct kvirt_vcpu *vcpu, const struct kvirt_cpuid *cpuid,
		    struct vm_error *err);
int kvirt_get_sregs(struct kvirt_vcpu *vcpu, struct kvirt_sregs *sregs,
		    struct vm_error *err);
int kvirt_set_sregs(struct kvirt_vcpu *vcpu, const struct kvirt_sregs *sregs,
		    struct vm_error *err);
int kvirt_get_regs(struct kvirt_vcpu *vcpu, struct kvirt_regs *regs,
		   struct vm_error *err);
int kvirt_set_regs(struct kvirt_vcpu *vcpu, const struct kvirt_regs *regs,
		   struct vm_error *err);

/* 0, or -1 when the accelerator does not have the MSR or refuses the value. */
int kvirt_get_msr(struct kvirt_vcpu *vcpu, u32 index, u64 *value);
int kvirt_set_msr(struct kvirt_vcpu *vcpu, u32 index, u64 value);


/* The vCPU's XSAVE area without what vmrun's guests do not have: struct kvirt_xsave's region. */
#define KVIRT_XSAVE_SIZE	4096
int kvirt_get_xsave(struct kvirt_vcpu *vcpu, u8 *area, struct vm_error *err);
int kvirt_set_xsave(struct kvirt_vcpu *vcpu, const u8 *area, struct vm_error *err);

/* The KVIRT_GUESTDBG_* that it knows; 0 where it debugs no guests. */
u32 kvirt_debug_flags(struct kvirt *kvirt);
/* 0, or -1: an exception is to be given to the guest where one is under way. */
int kvirt_set_debug(struct kvirt_vcpu *vcpu, const struct kvirt_guest_debug *debug);

/* Tells the guest's watchdogs that it stood still; where that is unknown, nothing. */
void kvirt_was_paused(struct kvirt_vcpu *vcpu);

/* Enters the guest. Returns 0 with an exit in vcpu->run, or -errno. */
int kvirt_enter(struct kvirt_vcpu *vcpu);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The doors: ioctls copied in, checked, carried down and copied out. dev.c is /dev/kvirt, vm_fd.c
 * and vcpu_fd.c are the files it leads to, caps.c what they can, abi.c the way between the ABI's
 * structures and struct x86_state.
 */
#ifndef KVIRT_API_API_H
#define KVIRT_API_API_H

#include <linux/uaccess.h>
#include "../vm/vcpu.h"
#include "../vm/vm.h"

/* Flags of struct kvirt_clock_data that are known. */
#define CLOCK_FLAGS (KVIRT_CLOCK_TSC_STABLE | KVIRT_CLOCK_REALTIME | KVIRT_CLOCK_HOST_TSC)

int device_init(void);
void device_exit(void);

/*
 * A kernel copy of the structure of @cmd, whose number says how large it is and which way it
 * goes: copied in, or zeroed; then out, where there was no @err, and freed. Gives @err, -EFAULT.
 */
void *structure_in(unsigned int cmd, const void __user *argp);
long structure_out(unsigned int cmd, void __user *argp, void *data, long err);

/* A file for a new VM: its descriptor, or -errno. */
int vm_fd_create(void);
/* A file does not refer to @vm any more: the last one of vm->refs destroys it. */
void vm_put(struct vm *vm);
/* A file for @vcpu, which must have been published; takes a reference of its VM. */
int vcpu_fd_create(struct vcpu *vcpu);

/* KVM_GET_STATS_FD of @vm, or of @vcpu if not NULL; takes a reference of the VM. */
long stats_fd_create(struct vm *vm, struct vcpu *vcpu);

/* KVM_CHECK_EXTENSION: 0, or what the capability stands for. KVM_ENABLE_CAP on a VM file. */
long capability(long number);
long capability_enable(struct vm *vm, void *cap);

/* Snapshot of the host's CPUID, once at load: 0 or -ENOMEM. */
int cpuid_snapshot(void);
void cpuid_snapshot_free(void);
/*
 * KVM_GET_CPUID2 of @vcpu; with NULL the device's lists by @cmd: KVM_GET_SUPPORTED_CPUID's, and
 * KVM_GET_EMULATED_CPUID's, which is empty: no instruction is emulated for CPUs that lack it.
 * -E2BIG where the caller's room is too small. cpuid_set(): KVM_SET_CPUID2.
 */
long cpuid_get(const struct vcpu *vcpu, unsigned int cmd, struct kvirt_cpuid2 __user *argp);
long cpuid_set(struct vcpu *vcpu, const struct kvirt_cpuid2 __user *argp);

/* KVM_GET_MSRS and KVM_SET_MSRS, @vcpu NULL on the device (feature MSRs). */
long ioctl_msrs(struct vcpu *vcpu, unsigned int cmd, void __user *argp);
/*
 * KVM_{HAS,GET,SET}_DEVICE_ATTR of the only attribute there is, group 0, number 0: on the device
 * the components of XSAVE that guests may have, on a vCPU its TSC's offset.
 */
long attribute(unsigned int cmd, const void __user *argp, u64 *value);

/* abi.c: the ioctls of @vcpu with a structure of fixed size; -EINVAL: none of them. */
long abi_ioctl(struct vcpu *vcpu, unsigned int cmd, void __user *argp);
/* Register classes between the run page and @vcpu: before a run, -EINVAL; after it. */
#define SYNC_CLASSES (KVIRT_SYNC_X86_REGS | KVIRT_SYNC_X86_SREGS | KVIRT_SYNC_X86_EVENTS)
int sync_take(struct vcpu *vcpu);
void sync_give(struct vcpu *vcpu);

#endif

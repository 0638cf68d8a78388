/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What a guest of kvirt sees: the paravirtual CPUID leaves, MSRs, shared
 * structures and hypercalls. They are KVM's, since guests have drivers for those.
 *
 * What does not live here: the ioctl side (kvirt.h).
 * Users: the module (x86/cpuid.c, run/pv.c), the tests' guests.
 */
#ifndef _UAPI_LINUX_KVIRT_PARA_H
#define _UAPI_LINUX_KVIRT_PARA_H

#include <linux/types.h>

/*
 * CPUID 0x40000000: EAX the last paravirtual leaf, EBX ECX EDX the signature.
 * CPUID 0x40000001: EAX the KVIRT_FEATURE_* bits, EDX the KVIRT_HINTS_* bits.
 */
#define KVIRT_CPUID_SIGNATURE		0x40000000
#define KVIRT_CPUID_FEATURES		0x40000001
#define KVIRT_SIGNATURE			"KVMKVMKVM\0\0\0"

#define KVIRT_FEATURE_CLOCKSOURCE	0	/* MSRs 0x11, 0x12 */
#define KVIRT_FEATURE_NOP_IO_DELAY	1	/* port 0x80 need not be written */
#define KVIRT_FEATURE_MMU_OP		2
#define KVIRT_FEATURE_CLOCKSOURCE2	3	/* MSRs 0x4b564d00, 0x4b564d01 */
#define KVIRT_FEATURE_ASYNC_PF		4
#define KVIRT_FEATURE_STEAL_TIME	5
#define KVIRT_FEATURE_PV_EOI		6
#define KVIRT_FEATURE_PV_UNHALT		7
#define KVIRT_FEATURE_PV_TLB_FLUSH	9
#define KVIRT_FEATURE_ASYNC_PF_VMEXIT	10
#define KVIRT_FEATURE_PV_SEND_IPI	11
#define KVIRT_FEATURE_POLL_CONTROL	12
#define KVIRT_FEATURE_PV_SCHED_YIELD	13
#define KVIRT_FEATURE_ASYNC_PF_INT	14
#define KVIRT_FEATURE_MSI_EXT_DEST_ID	15
#define KVIRT_FEATURE_HC_MAP_GPA_RANGE	16
#define KVIRT_FEATURE_MIGRATION_CONTROL	17
#define KVIRT_FEATURE_CLOCKSOURCE_STABLE_BIT 24	/* flags in the clock are valid */

#define KVIRT_HINTS_REALTIME		0

/*
 * A write of gpa | 1 to a clock MSR makes the host keep the structure there. Once user
 * space has enabled KVIRT_CAP_ENFORCE_PV_FEATURE_CPUID, a guest reaches each of these MSRs
 * and hypercalls only if its CPUID has the feature's bit; #GP or -KVIRT_HC_ENOSYS otherwise.
 */
#define KVIRT_MSR_WALL_CLOCK		0x11
#define KVIRT_MSR_SYSTEM_TIME		0x12
#define KVIRT_MSR_WALL_CLOCK_NEW	0x4b564d00
#define KVIRT_MSR_SYSTEM_TIME_NEW	0x4b564d01
#define KVIRT_MSR_ASYNC_PF_EN		0x4b564d02
#define KVIRT_MSR_STEAL_TIME		0x4b564d03
#define KVIRT_MSR_PV_EOI_EN		0x4b564d04
#define KVIRT_MSR_POLL_CONTROL		0x4b564d05
#define KVIRT_MSR_ASYNC_PF_INT		0x4b564d06
#define KVIRT_MSR_ASYNC_PF_ACK		0x4b564d07
#define KVIRT_MSR_MIGRATION_CONTROL	0x4b564d08
#define KVIRT_MSR_ENABLED		1

/*
 * The clock a guest reads: ns = system_time + ((tsc - tsc_timestamp) shifted by
 * tsc_shift, times tsc_to_system_mul, >> 32). version is odd while the host
 * writes; read again if it was, or if it changed.
 */
struct kvirt_pvclock_time_info {
	__u32 version;
	__u32 pad0;
	__u64 tsc_timestamp;
	__u64 system_time;
	__u32 tsc_to_system_mul;
	__s8  tsc_shift;
	__u8  flags;
	__u8  pad[2];
} __attribute__((__packed__));

#define KVIRT_PVCLOCK_TSC_STABLE	(1 << 0)
#define KVIRT_PVCLOCK_GUEST_STOPPED	(1 << 1)

/* The time of day at which the system time was 0. */
struct kvirt_pvclock_wall_clock {
	__u32 version;
	__u32 sec;
	__u32 nsec;
} __attribute__((__packed__));

/* Time this vCPU wanted to run and did not, in ns; 64 bytes, aligned so. */
struct kvirt_steal_time {
	__u64 steal;
	__u32 version;
	__u32 flags;
	__u8  preempted;
	__u8  u8_pad[3];
	__u32 pad[11];
};

#define KVIRT_VCPU_PREEMPTED		(1 << 0)
#define KVIRT_VCPU_FLUSH_TLB		(1 << 1)

struct kvirt_clock_pairing {
	__s64 sec;
	__s64 nsec;
	__u64 tsc;
	__u32 flags;
	__u32 pad[9];
};

#define KVIRT_CLOCK_PAIRING_WALLCLOCK	0

/*
 * Hypercalls: VMCALL or VMMCALL with the number in RAX and arguments in RBX, RCX,
 * RDX, RSI; the answer in RAX, negative for an error below. From CPL 1 to 3 the
 * answer is -KVIRT_HC_EPERM. Outside of 64-bit mode all are cut to 32 bits.
 */
#define KVIRT_HC_VAPIC_POLL_IRQ		1
#define KVIRT_HC_MMU_OP			2
#define KVIRT_HC_FEATURES		3
#define KVIRT_HC_KICK_CPU		5
#define KVIRT_HC_CLOCK_PAIRING		9
#define KVIRT_HC_SEND_IPI		10
#define KVIRT_HC_SCHED_YIELD		11
#define KVIRT_HC_MAP_GPA_RANGE		12

#define KVIRT_HC_ENOSYS			1000
#define KVIRT_HC_EFAULT			14
#define KVIRT_HC_EINVAL			22
#define KVIRT_HC_E2BIG			7
#define KVIRT_HC_EPERM			1
#define KVIRT_HC_EOPNOTSUPP		95

#endif /* _UAPI_LINUX_KVIRT_PARA_H */

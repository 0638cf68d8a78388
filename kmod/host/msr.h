/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Raw access to the host's privileged registers: no paravirt call, no tracepoint, no
 * symbol that some kernel keeps for KVM. Each counts itself where the module is built
 * with KVIRT_COUNT_PRIVOPS (make bench), and costs nothing otherwise.
 */
#ifndef KVIRT_HOST_MSR_H
#define KVIRT_HOST_MSR_H

#include <linux/errno.h>
#include <linux/percpu.h>
#include <linux/types.h>
#include <asm/asm.h>
#include <asm/msr-index.h>

/*
 * Kinds of privileged operations: VMX is VMX or SVM instructions, entries included; CR
 * control and debug registers. And what they are compared with.
 */
enum privop {
	PRIVOP_VMX, PRIVOP_RDMSR, PRIVOP_WRMSR, PRIVOP_CR, PRIVOP_XSETBV,
	WINDOWS_OPENED, GUEST_ENTRIES, PRIVOP_NR
};

#ifdef KVIRT_COUNT_PRIVOPS
DECLARE_PER_CPU(unsigned long [PRIVOP_NR], host_privops);
#define count_privops(kind, n)	this_cpu_add(host_privops[kind], n)
#else
#define count_privops(kind, n)	do { } while (0)
#endif
#define count_privop(kind)	count_privops(kind, 1)

static __always_inline u64 host_rdmsr(u32 msr)
{
	u32 low, high;

	count_privop(PRIVOP_RDMSR);
	asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (msr));
	return low | (u64)high << 32;
}

static __always_inline void host_wrmsr(u32 msr, u64 value)
{
	count_privop(PRIVOP_WRMSR);
	asm volatile("wrmsr" : : "c" (msr), "a" ((u32)(value & U32_MAX)), "d" ((u32)(value >> 32))
		     : "memory");
}

/* 0, or -EIO where the MSR does not exist or refuses @value. */
static __always_inline int host_wrmsr_safe(u32 msr, u64 value)
{
	count_privop(PRIVOP_WRMSR);
	asm goto("1: wrmsr\n\t" _ASM_EXTABLE(1b, %l[fault])
		 : : "c" (msr), "a" ((u32)(value & U32_MAX)), "d" ((u32)(value >> 32))
		 : "memory" : fault);
	return 0;
fault:
	return -EIO;
}

/* 0 and *value, or -EIO and 0: the status is loaded before the read that may fault. */
static __always_inline int host_rdmsr_safe(u32 msr, u64 *value)
{
	u32 low = 0, high = 0;
	int status;

	count_privop(PRIVOP_RDMSR);
	asm volatile("mov %[eio], %[st]\n\t1: rdmsr\n\txor %[st], %[st]\n\t2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : [st] "=&r" (status), "+a" (low), "+d" (high)
		     : "c" (msr), [eio] "i" (-EIO) : "cc");
	*value = low | (u64)high << 32;
	return status;
}

/* host_read_cr0() and so on: control registers, and debug registers by their old name. */
#define HOST_REGISTER(reg)						\
static __always_inline unsigned long host_read_##reg(void)		\
{									\
	unsigned long value;						\
									\
	count_privop(PRIVOP_CR);					\
	asm volatile("mov %%" #reg ", %0" : "=r" (value) : : "memory");	\
	return value;							\
}									\
									\
static __always_inline void host_write_##reg(unsigned long value)	\
{									\
	count_privop(PRIVOP_CR);					\
	asm volatile("mov %0, %%" #reg : : "r" (value) : "memory");	\
}

HOST_REGISTER(cr0) HOST_REGISTER(cr2) HOST_REGISTER(cr3) HOST_REGISTER(cr4) HOST_REGISTER(db0)
HOST_REGISTER(db1) HOST_REGISTER(db2) HOST_REGISTER(db3) HOST_REGISTER(db6) HOST_REGISTER(db7)

#endif

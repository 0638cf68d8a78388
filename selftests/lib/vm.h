/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual machines for tests: raw ioctls, memory, vCPUs, the state a guest starts in, and the host's side of the channel
 * that guest.h is the guest's side of. Functions here end the test (ASSERT) when something fails that every test takes
 * for granted; what a test is about it calls by ioctl() itself.
 */
#ifndef SELFTESTS_LIB_VM_H
#define SELFTESTS_LIB_VM_H

#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvirt.h>
#include <linux/kvirt_para.h>

#include "ktap.h"

/* Where things lie in a guest's memory; the program's own image is at its link address, 4 MiB. */
enum {
	GUEST_GDT	= 0x1000,
	GUEST_TSS	= 0x1800,
	GUEST_IDT	= 0x2000,
	GUEST_PML4	= 0x3000,	/* six pages: identity, 4 GiB in 2 MiB pages */
	GUEST_REAL	= 0x10000,	/* code of real-mode guests: CS 0x1000 */
	GUEST_STACKS	= 0x20000,	/* 0x8000 bytes for each vCPU id, growing down from the next */
	GUEST_SCRATCH	= 0x200000,	/* 2 MiB, the test's own */
	GUEST_MEMORY	= 0x800000,	/* where slot 0 ends */
	GUEST_HOLE	= 0x40000000,	/* mapped by the guest's tables, no slot: MMIO */
};

/* Selectors of the table vcpu_long_mode() loads. */
enum {
	SEL_CODE64 = 0x08, SEL_DATA = 0x10, SEL_CODE32 = 0x18, SEL_CODE16 = 0x20, SEL_DATA16 = 0x28,
	SEL_USER_CODE32 = 0x33, SEL_USER_DATA = 0x3b, SEL_USER_CODE64 = 0x43, SEL_TSS = 0x48,
};

struct vm {
	int dev, fd;
	uint8_t *memory;	/* guest memory from gpa 0 */
	size_t size;
};

struct vcpu {
	struct vm *vm;
	int id, fd;
	struct kvirt_run *run;
	size_t run_size;
};

/* The device, opened once per test. Ends the test if that fails: a device that is not there is a failure, not a skip. */
int dev_open(void);

/* CHECK_EXTENSION on the device. */
int dev_cap(int cap);

/* The vendor of the host's CPU, which decides what a few tests may expect. */
bool cpu_is_amd(void);

/*
 * The host's CPU is QEMU's TCG, which leaves out some checks that every real CPU makes. Only what no hypervisor could mend
 * (the guest's instruction does not exit) may depend on this; Bochs and silicon run those tests.
 */
bool cpu_is_tcg(void);

/* A VM without memory. */
struct vm *vm_bare(void);

/* A VM with GUEST_MEMORY bytes at 0 in slot 0, which hold a copy of this program: guests are functions of it. */
struct vm *vm_new(void);

/* The same with the interrupt controllers split: local APICs in the kernel. */
struct vm *vm_new_split(void);

/* Close a VM and unmap its memory; vCPUs first. */
void vm_free(struct vm *vm);

/* SET_USER_MEMORY_REGION; the ioctl's own result. */
int vm_slot(struct vm *vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, void *memory);

/* ENABLE_CAP on the VM; the ioctl's own result. */
int vm_enable(struct vm *vm, uint32_t cap, uint64_t arg);

/* One number of the statistics of a VM's or vCPU's file. */
uint64_t vm_stat(int file, const char *name);

/* Host address of guest memory, and of the guest's copy of a variable of this program. */
void *vm_at(struct vm *vm, uint64_t gpa);
#define vm_var(vm, variable)	((__typeof__(variable) *)vm_at(vm, (uintptr_t)&(variable)))

/* A vCPU as CREATE_VCPU leaves it. */
struct vcpu *vcpu_bare(struct vm *vm, int id);

/* A vCPU with the supported CPUID, in 64-bit mode at a function of this program. */
struct vcpu *vcpu_new(struct vm *vm, int id, void (*guest)(void));

void vcpu_free(struct vcpu *vcpu);

/* Put a vCPU into 64-bit mode, CPL 0, interrupts off, at rip. */
void vcpu_long_mode(struct vcpu *vcpu, uint64_t rip);

/* Put a vCPU into real mode at GUEST_REAL, with this code there. */
void vcpu_real_mode(struct vcpu *vcpu, const void *code, const void *end);

/* Flat 32-bit protected mode without paging, at rip. */
void vcpu_protected_mode(struct vcpu *vcpu, uint32_t rip);

/* GET_SUPPORTED_CPUID into a table of the caller's free(); and SET_CPUID2 of that. */
struct kvirt_cpuid2 *dev_cpuid(void);
struct kvirt_cpuid_entry2 *cpuid_find(struct kvirt_cpuid2 *table, uint32_t function, uint32_t index);
void vcpu_cpuid(struct vcpu *vcpu);

/* Register access that must work. */
struct kvirt_regs vcpu_regs(struct vcpu *vcpu);
void vcpu_set_regs(struct vcpu *vcpu, const struct kvirt_regs *regs);
struct kvirt_sregs vcpu_sregs(struct vcpu *vcpu);
void vcpu_set_sregs(struct vcpu *vcpu, const struct kvirt_sregs *sregs);

/* GET_MSRS and SET_MSRS of one register: 1 if it was done, 0 if it was refused. */
int vcpu_get_msr(struct vcpu *vcpu, uint32_t index, uint64_t *value);
int vcpu_set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value);

/* XCR0 by SET_XCRS, which must take it. */
void vcpu_set_xcr0(struct vcpu *vcpu, uint64_t value);

/* The VM's kvm-clock now, in nanoseconds. */
uint64_t vm_read_clock(struct vm *vm);

/* One KVIRT_RUN; the ioctl's own result. */
int vcpu_run(struct vcpu *vcpu);
/*
 * A thread's body: run the vCPU until vcpus_stop; not NULL if RUN failed with anything but EINTR. vcpu_interrupt: the handler of
 * the signal that takes it out of RUN.
 */
extern volatile bool vcpus_stop;
void *vcpu_run_on(void *vcpu);
void vcpu_interrupt(int sig);

/*
 * Run until the guest reports or leaves for another reason. Serves guest_print() and guest checks that failed on the way.
 * Return STAGE_DONE or the number of the guest_stage(), or OTHER_EXIT with the exit in the run page. An error of RUN ends
 * the test.
 */
enum { STAGE_DONE = -1, OTHER_EXIT = -2 };
long vcpu_go(struct vcpu *vcpu);

/* Run to guest_done(); anything else fails the test. */
void vcpu_finish(struct vcpu *vcpu);

/* Run, expecting a certain stage, or a certain exit; anything else ends the test. */
void vcpu_expect_stage(struct vcpu *vcpu, long stage);
void vcpu_expect_exit(struct vcpu *vcpu, uint32_t reason);

/*
 * Two guests, one exit of each in turn, by the test's own way to RUN: @step gives false when its guest is done. It gets another
 * @value each time, of which no two are the same, to know its own registers by.
 */
void vcpus_in_turn(struct vcpu *one, struct vcpu *two, bool (*step)(struct vcpu *vcpu, uint8_t value));

/*
 * A process that is killed @after microseconds, while it does @run, which does not end by itself, or not soon: with whatever VMs
 * it has then. Waits until it is gone.
 */
void process_killed(void (*run)(void), unsigned int after);

/* One line about the exit in the run page, for a failure's sake. */
void vcpu_describe(struct vcpu *vcpu);

/* Where the data of an EXIT_IO lies. */
static inline void *vcpu_io_data(struct vcpu *vcpu)
{
	return (uint8_t *)vcpu->run + vcpu->run->io.data_offset;
}

#endif

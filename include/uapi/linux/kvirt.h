/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ioctl ABI of /dev/kvirt.
 *
 * What lives here: every number and structure a program needs to drive kvirt,
 * and what each call takes, gives and refuses. The ABI is KVM's for x86-64: same
 * numbers, sizes, offsets, meaning and errno as Linux 6.1 (a test compares this
 * file with <linux/kvm.h>), so a program written for /dev/kvm runs on
 * /dev/kvirt. What does not live here: the paravirtual interface a guest sees
 * (kvirt_para.h). What kvirt has beyond KVM stands at the end.
 *
 * Users: user space (VMMs, the tests), and the module's api/ layer.
 *
 * Reading guide. "Takes" is what the caller provides, "gives" what comes back,
 * and the list of errno says when. Everywhere:
 *   EFAULT  a pointer does not lead to memory of the caller
 *   ENOTTY  no such ioctl on a VM file
 *   EINVAL  no such ioctl on the device or on a vCPU file
 *   EIO     the VM is dead after a broken invariant, or a VM or vCPU file is
 *           used by a process (address space) that did not create the VM
 *   EINTR   a signal came while waiting for a vCPU that is running
 * A call that fails has changed nothing, unless its description says otherwise.
 * The numbers of the whole ABI are here; docs/abi.md says which calls this version
 * serves. Those it does not serve give ENOTTY or EINVAL as an unknown one does, and
 * their capability is 0.
 * Addresses: gpa is guest physical, hva is an address of the calling process.
 */
#ifndef _UAPI_LINUX_KVIRT_H
#define _UAPI_LINUX_KVIRT_H

#include <linux/types.h>
#include <linux/ioctl.h>

/* The value of KVIRT_GET_API_VERSION. A program that sees another must stop. */
#define KVIRT_API_VERSION		12

#define KVIRT_IO			0xAE

/* Guest-debug, PIO data and rings: page numbers inside a vCPU file's mapping. */
#define KVIRT_PIO_PAGE_OFFSET		1
#define KVIRT_DIRTY_LOG_PAGE_OFFSET	64
#define KVIRT_RING_PAGE_OFFSET		4096	/* kvirt's own */

#define KVIRT_NR_INTERRUPTS		256

/*
 * ---------------------------------------------------------------------------
 * General registers
 * ---------------------------------------------------------------------------
 */

/*
 * KVIRT_GET_REGS, KVIRT_SET_REGS. Any value is accepted: bit 1 of rflags is
 * always one afterwards, a pending exception is dropped by SET, and a rip or
 * rflags the mode does not allow makes the next RUN fail, not this call.
 */
struct kvirt_regs {
	__u64 rax, rbx, rcx, rdx;
	__u64 rsi, rdi, rsp, rbp;
	__u64 r8,  r9,  r10, r11;
	__u64 r12, r13, r14, r15;
	__u64 rip, rflags;
};

/* One segment register with its hidden part; limit is in bytes, inclusive. */
struct kvirt_segment {
	__u64 base;
	__u32 limit;
	__u16 selector;
	__u8  type;
	__u8  present, dpl, db, s, l, g, avl;
	__u8  unusable;		/* a null selector was loaded */
	__u8  padding;
};

struct kvirt_dtable {
	__u64 base;
	__u16 limit;
	__u16 padding[3];
};

/*
 * KVIRT_GET_SREGS, KVIRT_SET_SREGS.
 *
 * interrupt_bitmap has at most one bit: the external interrupt that is queued
 * for injection. SET queues the lowest; with no bit set, what is queued stays.
 *
 * SET: EINVAL if EFER.LME and CR0.PG are set without CR4.PAE and EFER.LMA, or
 * LMA or CS.L is set without them; a reserved bit in CR3 (in long mode) or CR4;
 * a CR0 that could not be loaded; reserved bits or an impossible mode in
 * apic_base.
 */
struct kvirt_sregs {
	struct kvirt_segment cs, ds, es, fs, gs, ss;
	struct kvirt_segment tr, ldt;
	struct kvirt_dtable gdt, idt;
	__u64 cr0, cr2, cr3, cr4, cr8;
	__u64 efer;
	__u64 apic_base;
	__u64 interrupt_bitmap[(KVIRT_NR_INTERRUPTS + 63) / 64];
};

/*
 * KVIRT_GET_SREGS2, KVIRT_SET_SREGS2 (KVIRT_CAP_SREGS2): as above, but no
 * interrupt bitmap, and the four PAE directory entries the CPU holds, valid if
 * flags says so. Restoring them keeps a PAE guest from having them read again.
 *
 * SET: EINVAL also for an unknown flag, and for PDPTRS_VALID outside of PAE
 * paging.
 */
struct kvirt_sregs2 {
	struct kvirt_segment cs, ds, es, fs, gs, ss;
	struct kvirt_segment tr, ldt;
	struct kvirt_dtable gdt, idt;
	__u64 cr0, cr2, cr3, cr4, cr8;
	__u64 efer;
	__u64 apic_base;
	__u64 flags;
	__u64 pdptrs[4];
};

#define KVIRT_SREGS2_FLAGS_PDPTRS_VALID	1

/*
 * ---------------------------------------------------------------------------
 * FPU and extended state
 * ---------------------------------------------------------------------------
 */

/*
 * KVIRT_GET_FPU, KVIRT_SET_FPU: the x87 and SSE registers. ftwx is the abridged
 * tag word of FXSAVE. mxcsr is carried for the layout's sake alone: GET gives 0
 * and SET ignores it (use XSAVE for MXCSR).
 */
struct kvirt_fpu {
	__u8  fpr[8][16];
	__u16 fcw;
	__u16 fsw;
	__u8  ftwx;
	__u8  pad1;
	__u16 last_opcode;
	__u64 last_ip;
	__u64 last_dp;
	__u8  xmm[16][16];
	__u32 mxcsr;
	__u32 pad2;
};

/*
 * KVIRT_GET_XSAVE, KVIRT_SET_XSAVE, KVIRT_GET_XSAVE2: the standard (not
 * compacted) XSAVE image, components where CPUID leaf 0xD of the host puts them.
 *
 * GET_XSAVE writes and reads 4096 bytes. GET_XSAVE2 and SET_XSAVE move as many
 * bytes as KVIRT_CHECK_EXTENSION(KVIRT_CAP_XSAVE2) on the VM file says, never
 * less than 4096; extra is what lies beyond.
 *
 * SET: EINVAL for a component in XSTATE_BV that the host lacks, a reserved bit
 * in MXCSR, or a header whose reserved part is not zero.
 */
struct kvirt_xsave {
	__u32 region[1024];
	__u32 extra[];
};

#define KVIRT_MAX_XCRS			16

struct kvirt_xcr {
	__u32 xcr;
	__u32 reserved;
	__u64 value;
};

/*
 * KVIRT_GET_XCRS, KVIRT_SET_XCRS. GET gives one entry, XCR0. SET looks for the
 * first entry with xcr 0 and ignores others; nr_xcrs 0 is fine.
 *
 * SET: EINVAL for nr_xcrs > 16, flags other than 0, or an XCR0 that XSETBV would
 * refuse for this guest (x87 bit clear, AVX without SSE, a bit not supported).
 */
struct kvirt_xcrs {
	__u32 nr_xcrs;
	__u32 flags;
	struct kvirt_xcr xcrs[KVIRT_MAX_XCRS];
	__u64 padding[16];
};

/*
 * KVIRT_GET_DEBUGREGS, KVIRT_SET_DEBUGREGS: DR0 to DR3, DR6, DR7.
 *
 * SET: EINVAL for flags other than 0, or a bit above 31 in dr6 or dr7.
 */
struct kvirt_debugregs {
	__u64 db[4];
	__u64 dr6;
	__u64 dr7;
	__u64 flags;
	__u64 reserved[9];
};

/*
 * ---------------------------------------------------------------------------
 * Model-specific registers and CPUID
 * ---------------------------------------------------------------------------
 */

struct kvirt_msr_entry {
	__u32 index;
	__u32 reserved;
	__u64 data;
};

/*
 * KVIRT_GET_MSRS, KVIRT_SET_MSRS on a vCPU file; KVIRT_GET_MSRS on the device
 * reads the feature registers of KVIRT_GET_MSR_FEATURE_INDEX_LIST.
 *
 * Returns how many entries were done. A number below nmsrs is no error: it is
 * the index of the first entry that was refused (unknown register, or a value it
 * cannot hold); the entries before it have taken effect.
 *
 * E2BIG for nmsrs >= 256.
 */
struct kvirt_msrs {
	__u32 nmsrs;
	__u32 pad;
	struct kvirt_msr_entry entries[];
};

/*
 * KVIRT_GET_MSR_INDEX_LIST: the registers worth saving with a vCPU.
 * KVIRT_GET_MSR_FEATURE_INDEX_LIST (KVIRT_CAP_GET_MSR_FEATURES): the registers
 * that describe what the host can offer.
 * Takes the room in nmsrs; always writes back the number there are.
 *
 * E2BIG if the room is too small (indices is untouched then).
 */
struct kvirt_msr_list {
	__u32 nmsrs;
	__u32 indices[];
};

/* One leaf of CPUID; index counts only if the flag says it does. */
struct kvirt_cpuid_entry2 {
	__u32 function;
	__u32 index;
	__u32 flags;
	__u32 eax;
	__u32 ebx;
	__u32 ecx;
	__u32 edx;
	__u32 padding[3];
};

#define KVIRT_CPUID_FLAG_SIGNIFCANT_INDEX	(1 << 0)
#define KVIRT_CPUID_FLAG_STATEFUL_FUNC		(1 << 1)
#define KVIRT_CPUID_FLAG_STATE_READ_NEXT	(1 << 2)

/*
 * KVIRT_GET_SUPPORTED_CPUID (device): takes the room in nent, gives what kvirt
 * can offer on this host, with the paravirtual leaves at 0x40000000.
 *   E2BIG  the room is too small; nothing is written, nent included
 *
 * KVIRT_SET_CPUID2 (vCPU): what the guest's CPUID instruction shall answer.
 * Bits that mirror live state (OSXSAVE, OSPKE, the APIC's enable, the XSAVE
 * sizes) are computed at every CPUID, whatever the table says.
 *   E2BIG   nent > 256
 *   EINVAL  the vCPU has run and the table differs from the one it has, or leaf
 *           0x80000008 gives a linear address width other than 0, 48 or 57
 *
 * KVIRT_GET_CPUID2 (vCPU): takes the room in nent, gives the table as set and its
 * length in nent (KVM 6.1 leaves nent as it was given).
 *   E2BIG   the room is too small; nothing is written
 */
struct kvirt_cpuid2 {
	__u32 nent;
	__u32 padding;
	struct kvirt_cpuid_entry2 entries[];
};

/*
 * ---------------------------------------------------------------------------
 * Events, interrupts, the local APIC
 * ---------------------------------------------------------------------------
 */

/* Which optional parts of struct kvirt_vcpu_events SET shall take. */
#define KVIRT_VCPUEVENT_VALID_NMI_PENDING	0x00000001
#define KVIRT_VCPUEVENT_VALID_SIPI_VECTOR	0x00000002
#define KVIRT_VCPUEVENT_VALID_SHADOW		0x00000004
#define KVIRT_VCPUEVENT_VALID_SMM		0x00000008
#define KVIRT_VCPUEVENT_VALID_PAYLOAD		0x00000010
#define KVIRT_VCPUEVENT_VALID_TRIPLE_FAULT	0x00000020

/* interrupt.shadow: the one instruction after STI or MOV SS. */
#define KVIRT_X86_SHADOW_INT_MOV_SS		0x01
#define KVIRT_X86_SHADOW_INT_STI		0x02

/*
 * KVIRT_GET_VCPU_EVENTS, KVIRT_SET_VCPU_EVENTS: what is on its way into the
 * guest. "injected" means the CPU had begun to deliver it, "pending" that it may
 * still be replaced.
 *
 * exception.pending and the payload (DR6 bits of #DB, CR2 of #PF) are told apart
 * from injected only when KVIRT_CAP_EXCEPTION_PAYLOAD is enabled for the VM;
 * triple_fault only with KVIRT_CAP_X86_TRIPLE_FAULT_EVENT. sipi_vector counts
 * with an in-kernel local APIC only.
 *
 * SET: EINVAL for an unknown flag; a flag whose capability is not enabled; nr
 * above 31, or 2, for an exception. Of injected and pending, pending wins.
 */
struct kvirt_vcpu_events {
	struct {
		__u8 injected;
		__u8 nr;
		__u8 has_error_code;
		__u8 pending;
		__u32 error_code;
	} exception;
	struct {
		__u8 injected;
		__u8 nr;
		__u8 soft;
		__u8 shadow;
	} interrupt;
	struct {
		__u8 injected;
		__u8 pending;
		__u8 masked;
		__u8 pad;
	} nmi;
	__u32 sipi_vector;
	__u32 flags;
	struct {
		__u8 smm;
		__u8 pending;
		__u8 smm_inside_nmi;
		__u8 latched_init;
	} smi;
	struct {
		__u8 pending;
	} triple_fault;
	__u8 reserved[26];
	__u8 exception_has_payload;
	__u64 exception_payload;
};

/*
 * KVIRT_INTERRUPT (vCPU): deliver external interrupt irq as soon as the guest
 * takes one. Without an in-kernel irqchip it replaces what is queued; in the
 * split form it fills the one slot for interrupts of the PIC in user space.
 *   EINVAL  irq >= 256
 *   ENXIO   the PIC is in the kernel
 *   EEXIST  split form, and the slot is taken
 */
struct kvirt_interrupt {
	__u32 irq;
};

#define KVIRT_APIC_REG_SIZE		0x400

/*
 * KVIRT_GET_LAPIC, KVIRT_SET_LAPIC: the APIC page's first KiB, each register in
 * the low 4 bytes of its 16. GET computes the timer's current count; SET starts
 * the timer again, and derives LDR from the id in x2APIC mode. The id is held as
 * id << 24 unless KVIRT_X2APIC_API_USE_32BIT_IDS is enabled.
 *   EINVAL  no in-kernel local APIC; in x2APIC mode an id that is not the vCPU's
 */
struct kvirt_lapic_state {
	char regs[KVIRT_APIC_REG_SIZE];
};

/* KVIRT_GET_MP_STATE, KVIRT_SET_MP_STATE: mp_state values. */
#define KVIRT_MP_STATE_RUNNABLE		0
#define KVIRT_MP_STATE_UNINITIALIZED	1	/* waits for INIT and SIPI */
#define KVIRT_MP_STATE_INIT_RECEIVED	2	/* waits for SIPI */
#define KVIRT_MP_STATE_HALTED		3
#define KVIRT_MP_STATE_SIPI_RECEIVED	4	/* SET only: start at the next RUN */
#define KVIRT_MP_STATE_STOPPED		5
#define KVIRT_MP_STATE_CHECK_STOP	6
#define KVIRT_MP_STATE_OPERATING	7
#define KVIRT_MP_STATE_LOAD		8
#define KVIRT_MP_STATE_AP_RESET_HOLD	9
#define KVIRT_MP_STATE_SUSPENDED	10

/*
 * GET first carries out an INIT or SIPI that has arrived. The boot vCPU starts
 * RUNNABLE, others UNINITIALIZED if there is an in-kernel local APIC.
 *
 * SET: EINVAL for a state kvirt has not (5 and up), and for any but
 * RUNNABLE without an in-kernel local APIC.
 */
struct kvirt_mp_state {
	__u32 mp_state;
};

/*
 * KVIRT_SET_VAPIC_ADDR (vCPU): a gpa of 4 bytes through which guest and kernel
 * share the task priority; 0 stops it.
 *   EINVAL  no in-kernel local APIC; the address is in no memory slot
 */
struct kvirt_vapic_addr {
	__u64 vapic_addr;
};

/*
 * KVIRT_TPR_ACCESS_REPORTING (vCPU): leave with KVIRT_EXIT_TPR_ACCESS at the
 * guest's accesses to the task priority register.
 *   EINVAL  flags is not 0
 */
struct kvirt_tpr_access_ctl {
	__u32 enabled;
	__u32 flags;
	__u32 reserved[8];
};

/*
 * ---------------------------------------------------------------------------
 * Memory
 * ---------------------------------------------------------------------------
 */

/*
 * KVIRT_SET_USER_MEMORY_REGION (VM): give the guest memory of this process.
 *
 * A slot number that is free creates; a known one with memory_size 0 deletes;
 * with another guest_phys_addr moves; with other flags changes them. The memory
 * is not pinned: what the process maps at userspace_addr is what the guest sees,
 * whenever that changes. Where nothing is mapped, RUN gives EFAULT.
 *
 * slot: bits 0 to 15 the number, below KVIRT_CAP_NR_MEMSLOTS; bits 16 up the
 * address space, 0 unless KVIRT_CAP_MULTI_ADDRESS_SPACE says there are more.
 *
 *   EINVAL  memory_size, guest_phys_addr or userspace_addr is not a multiple of
 *           4096; userspace_addr is no user address; slot is out of range; the
 *           range wraps, exceeds 2^31 - 1 pages, or ends beyond the widest
 *           guest-physical address; an unknown flag; deleting what is not
 *           there; changing the size, the userspace_addr or READONLY of a slot
 *   EEXIST  the range overlaps another slot of the address space
 *   ENOMEM  no memory for the slot
 */
struct kvirt_userspace_memory_region {
	__u32 slot;
	__u32 flags;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
};

#define KVIRT_MEM_LOG_DIRTY_PAGES	(1UL << 0)
#define KVIRT_MEM_READONLY		(1UL << 1)	/* writes leave as MMIO */

/*
 * KVIRT_GET_DIRTY_LOG (VM): copy out the slot's bitmap, a bit a page, in words
 * of 64 bits, and clear it: a page that is written from now on is set again.
 * With KVIRT_DIRTY_LOG_MANUAL_PROTECT_ENABLE it clears nothing.
 *   EINVAL  no such slot number;  ENOENT  no such slot, or it keeps no log
 *   EFAULT  dirty_bitmap can not be written; the log is as before
 */
struct kvirt_dirty_log {
	__u32 slot;
	__u32 padding1;
	union {
		void *dirty_bitmap;
		__u64 padding2;
	};
};

/*
 * KVIRT_CLEAR_DIRTY_LOG (VM): clear the bits that are set in dirty_bitmap, whose
 * first bit is first_page's. Between a GET and this, a page may be written and
 * copied any number of times: it is copied once less.
 *   EINVAL  no such slot number; first_page or num_pages is no multiple of 64
 *           (num_pages may reach to the slot's end); beyond the slot's end
 *   ENOENT  as above;  EFAULT  dirty_bitmap can not be read
 */
struct kvirt_clear_dirty_log {
	__u32 slot;
	__u32 num_pages;
	__u64 first_page;
	union {
		void *dirty_bitmap;
		__u64 padding2;
	};
};

/*
 * KVIRT_TRANSLATE (vCPU): walk the guest's page tables as a supervisor's read, which
 * leaves no trace in them. Where it ends nowhere valid is 0 and physical_address -1.
 * writeable is always 1, usermode 0.
 */
struct kvirt_translation {
	__u64 linear_address;

	__u64 physical_address;
	__u8  valid;
	__u8  writeable;
	__u8  usermode;
	__u8  pad[5];
};

/* KVIRT_GET_STATS_FD's file; offsets are from its start, a descriptor's from data_offset. */
struct kvirt_stats_header {
	__u32 flags;
	__u32 name_size;
	__u32 num_desc;
	__u32 id_offset;
	__u32 desc_offset;
	__u32 data_offset;
};

struct kvirt_stats_desc {
	__u32 flags;		/* 0: counts up, no unit */
	__s16 exponent;
	__u16 size;		/* in numbers */
	__u32 offset;
	__u32 bucket_size;
	char name[];
};

/*
 * ---------------------------------------------------------------------------
 * Interrupt lines, routing, MSI
 * ---------------------------------------------------------------------------
 */

/*
 * KVIRT_IRQ_LINE (VM): set the level of a line (GSI). KVIRT_IRQ_LINE_STATUS also
 * gives status: < 0 ignored (no route, or an MSI route's level 0), n accepted by
 * n vCPUs, 0 by none. An interrupt that merges with one still pending counts as
 * accepted.
 *   ENXIO  no in-kernel irqchip
 */
struct kvirt_irq_level {
	union {
		__u32 irq;
		__s32 status;
	};
	__u32 level;
};

struct kvirt_irq_routing_irqchip {
	__u32 irqchip;
	__u32 pin;
};

struct kvirt_irq_routing_msi {
	__u32 address_lo;
	__u32 address_hi;
	__u32 data;
	union {
		__u32 pad;
		__u32 devid;
	};
};

struct kvirt_irq_routing_hv_sint {
	__u32 vcpu;
	__u32 sint;
};

#define KVIRT_IRQ_ROUTING_IRQCHIP	1
#define KVIRT_IRQ_ROUTING_MSI		2
#define KVIRT_IRQ_ROUTING_HV_SINT	4

struct kvirt_irq_routing_entry {
	__u32 gsi;
	__u32 type;
	__u32 flags;
	__u32 pad;
	union {
		struct kvirt_irq_routing_irqchip irqchip;
		struct kvirt_irq_routing_msi msi;
		struct kvirt_irq_routing_hv_sint hv_sint;
		__u32 pad[8];
	} u;
};

/*
 * KVIRT_SET_GSI_ROUTING (VM): replace the whole table. nr 0 empties it.
 *   EINVAL  no in-kernel irqchip; nr > KVIRT_CAP_IRQ_ROUTING; flags, or flags of
 *           an entry, not 0; a gsi beyond the table; an unknown type; an IRQCHIP
 *           entry in the split form, or with an unknown chip or pin; two entries
 *           of a gsi, unless they are IRQCHIP ones of different chips; with
 *           KVIRT_X2APIC_API_USE_32BIT_IDS an MSI address_hi with low bits set
 */
struct kvirt_irq_routing {
	__u32 nr;
	__u32 flags;
	struct kvirt_irq_routing_entry entries[];
};

#define KVIRT_MSI_VALID_DEVID		(1U << 0)

/*
 * KVIRT_SIGNAL_MSI (VM): deliver one message. Gives the number of vCPUs that
 * accepted it; one that merges with an interrupt still pending counts. 0: none did,
 * the one addressed being switched off or not there.
 *   EPERM   the VM has no vCPU yet
 *   EINVAL  no in-kernel irqchip; an unknown flag
 */
struct kvirt_msi {
	__u32 address_lo;
	__u32 address_hi;
	__u32 data;
	__u32 flags;
	__u32 devid;
	__u8  pad[12];
};

#define KVIRT_IRQCHIP_PIC_MASTER	0
#define KVIRT_IRQCHIP_PIC_SLAVE		1
#define KVIRT_IRQCHIP_IOAPIC		2
#define KVIRT_NR_IRQCHIPS		3
#define KVIRT_IOAPIC_NUM_PINS		24

struct kvirt_pic_state {
	__u8 last_irr;
	__u8 irr;
	__u8 imr;
	__u8 isr;
	__u8 priority_add;
	__u8 irq_base;
	__u8 read_reg_select;
	__u8 poll;
	__u8 special_mask;
	__u8 init_state;
	__u8 auto_eoi;
	__u8 rotate_on_auto_eoi;
	__u8 special_fully_nested_mode;
	__u8 init4;
	__u8 elcr;
	__u8 elcr_mask;
};

struct kvirt_ioapic_state {
	__u64 base_address;
	__u32 ioregsel;
	__u32 id;
	__u32 irr;
	__u32 pad;
	union {
		__u64 bits;
		struct {
			__u8 vector;
			__u8 delivery_mode:3;
			__u8 dest_mode:1;
			__u8 delivery_status:1;
			__u8 polarity:1;
			__u8 remote_irr:1;
			__u8 trig_mode:1;
			__u8 mask:1;
			__u8 reserve:7;
			__u8 reserved[4];
			__u8 dest_id;
		} fields;
	} redirtbl[KVIRT_IOAPIC_NUM_PINS];
};

/* KVIRT_GET_IRQCHIP, KVIRT_SET_IRQCHIP: one chip, named by chip_id. */
struct kvirt_irqchip {
	__u32 chip_id;
	__u32 pad;
	union {
		char dummy[512];
		struct kvirt_pic_state pic;
		struct kvirt_ioapic_state ioapic;
	} chip;
};

/* KVIRT_CREATE_PIT2's flag: port 0x61 too. CREATE_PIT has it set. */
#define KVIRT_PIT_SPEAKER_DUMMY		1
#define KVIRT_PIT_FLAGS_HPET_LEGACY	0x00000001
#define KVIRT_PIT_FLAGS_SPEAKER_DATA_ON	0x00000002

struct kvirt_pit_config {
	__u32 flags;
	__u32 pad[15];
};

struct kvirt_pit_channel_state {
	__u32 count;
	__u16 latched_count;
	__u8 count_latched;
	__u8 status_latched;
	__u8 status;
	__u8 read_state;
	__u8 write_state;
	__u8 write_latch;
	__u8 rw_mode;
	__u8 mode;
	__u8 bcd;
	__u8 gate;
	__s64 count_load_time;
};

struct kvirt_pit_state {
	struct kvirt_pit_channel_state channels[3];
};

struct kvirt_pit_state2 {
	struct kvirt_pit_channel_state channels[3];
	__u32 flags;
	__u32 reserved[9];
};

/*
 * Not 0, as it is from the start: ticks that come while the guest still has to end the
 * interrupt of one before are kept, and come when it has. 0: they are lost.
 */
struct kvirt_reinject_control {
	__u8 pit_reinject;
	__u8 reserved[31];
};

/*
 * KVIRT_IRQFD (VM): each signal of the eventfd fd is a pulse on gsi, delivered by the route
 * it has then, and resets the eventfd's count; no reader need run. One that is signalled
 * already gives a pulse at once and keeps its count. It stays until DEASSIGN with the same
 * fd and gsi (to which there being none is no error), the eventfd's last close, or the VM's
 * end. With RESAMPLE a signal raises gsi's line, apart from what IRQ_LINE does to it, until
 * the guest ends the interrupt; then the eventfd resamplefd is signalled, of all irqfds of
 * that gsi.
 *   EINVAL  a flag not listed; fd is no eventfd; not with DEASSIGN: no local APICs in the
 *           kernel; RESAMPLE and not the whole irqchip there, or resamplefd is no eventfd
 *   EBADF   fd, or resamplefd, is no file
 *   EBUSY   the eventfd is assigned in this VM (since Linux 6.17: in any)
 */
#define KVIRT_IRQFD_FLAG_DEASSIGN	(1 << 0)
#define KVIRT_IRQFD_FLAG_RESAMPLE	(1 << 1)

struct kvirt_irqfd {
	__u32 fd;
	__u32 gsi;
	__u32 flags;
	__u32 resamplefd;
	__u8  pad[16];
};

/*
 * KVIRT_IOEVENTFD (VM): a guest write of len bytes to addr, a port with PIO, else an
 * address without memory, counts the eventfd fd up by one instead of leaving. With
 * DATAMATCH only if it writes datamatch; len 0 takes any length and any value. It stays
 * until DEASSIGN with the same fd, addr, len, flags and datamatch (after which nothing more
 * is signalled), or the VM's end, whoever closes the eventfd.
 *   EINVAL  len is none of 0, 1, 2, 4, 8; addr + len wraps; a flag not listed; len 0
 *           with DATAMATCH; fd is no eventfd
 *   EBADF   fd is no file
 *   EEXIST  one is assigned that would take the same write
 *   ENOENT  DEASSIGN of one that is not assigned
 *   ENOSPC  16384 ranges of devices are there
 */
#define KVIRT_IOEVENTFD_FLAG_DATAMATCH	(1 << 0)
#define KVIRT_IOEVENTFD_FLAG_PIO	(1 << 1)
#define KVIRT_IOEVENTFD_FLAG_DEASSIGN	(1 << 2)

struct kvirt_ioeventfd {
	__u64 datamatch;
	__u64 addr;
	__u32 len;		/* 1, 2, 4, 8; 0 for any */
	__s32 fd;
	__u32 flags;
	__u8  pad[36];
};

/*
 * ---------------------------------------------------------------------------
 * Time, capabilities, signals, debugging
 * ---------------------------------------------------------------------------
 */

#define KVIRT_CLOCK_TSC_STABLE		2
#define KVIRT_CLOCK_REALTIME		(1 << 2)
#define KVIRT_CLOCK_HOST_TSC		(1 << 3)

/*
 * KVIRT_GET_CLOCK, KVIRT_SET_CLOCK (VM): the paravirtual clock in nanoseconds.
 * GET: flags says which of realtime (ns since 1970) and host_tsc were taken at
 * the same moment, and (TSC_STABLE) that all vCPUs see one clock. SET with
 * REALTIME adds the time that has gone by since realtime.
 *   EINVAL  SET with a flag not listed above
 */
struct kvirt_clock_data {
	__u64 clock;
	__u32 flags;
	__u32 pad0;
	__u64 realtime;
	__u64 host_tsc;
	__u32 pad[4];
};

/*
 * KVIRT_ENABLE_CAP, on a VM file (KVIRT_CAP_ENABLE_CAP_VM) or a vCPU file.
 *   EINVAL  flags is not 0; a capability that cannot be enabled there; args it
 *           does not know
 * On a VM, what args[0] is:
 *   KVIRT_CAP_SPLIT_IRQCHIP      number of IOAPIC pins in user space, at most
 *           4096 (EINVAL); local APICs are in the kernel from now on. EEXIST if
 *           there is an irqchip already, or a vCPU.
 *   KVIRT_CAP_X2APIC_API         KVIRT_X2APIC_API_*
 *   KVIRT_CAP_EXCEPTION_PAYLOAD, KVIRT_CAP_X86_TRIPLE_FAULT_EVENT  0 or 1
 *   KVIRT_CAP_MSR_PLATFORM_INFO  whether a guest may read the register (1 at first)
 *   KVIRT_CAP_MAX_VCPU_ID        vCPU ids will be below this; once, or the same
 *           again (EINVAL)
 *   KVIRT_CAP_DISABLE_QUIRKS2    the KVIRT_X86_QUIRK_* to turn off
 * On a vCPU nothing can be enabled yet: EINVAL.
 */
struct kvirt_enable_cap {
	__u32 cap;
	__u32 flags;
	__u64 args[4];
	__u8  pad[64];
};

#define KVIRT_X2APIC_API_USE_32BIT_IDS		 (1ULL << 0)
#define KVIRT_X2APIC_API_DISABLE_BROADCAST_QUIRK (1ULL << 1)

#define KVIRT_X86_QUIRK_LINT0_REENABLED		(1 << 0)
#define KVIRT_X86_QUIRK_CD_NW_CLEARED		(1 << 1)
#define KVIRT_X86_QUIRK_LAPIC_MMIO_HOLE		(1 << 2)
#define KVIRT_X86_QUIRK_OUT_7E_INC_RIP		(1 << 3)
#define KVIRT_X86_QUIRK_MISC_ENABLE_NO_MWAIT	(1 << 4)
#define KVIRT_X86_QUIRK_FIX_HYPERCALL_INSN	(1 << 5)
#define KVIRT_X86_QUIRK_MWAIT_NEVER_UD_FAULTS	(1 << 6)

#define KVIRT_X86_DISABLE_EXITS_MWAIT		(1 << 0)
#define KVIRT_X86_DISABLE_EXITS_HLT		(1 << 1)
#define KVIRT_X86_DISABLE_EXITS_PAUSE		(1 << 2)
#define KVIRT_X86_DISABLE_EXITS_CSTATE		(1 << 3)

/*
 * KVIRT_SET_SIGNAL_MASK (vCPU): the signals that are blocked while RUN runs; a
 * NULL argument goes back to the thread's own mask. len is the size of the
 * kernel's signal set, 8.
 *   EINVAL  another len
 */
struct kvirt_signal_mask {
	__u32 len;
	__u8  sigset[];
};

#define KVIRT_GUESTDBG_ENABLE		0x00000001
#define KVIRT_GUESTDBG_SINGLESTEP	0x00000002
#define KVIRT_GUESTDBG_USE_SW_BP	0x00010000
#define KVIRT_GUESTDBG_USE_HW_BP	0x00020000
#define KVIRT_GUESTDBG_INJECT_DB	0x00040000
#define KVIRT_GUESTDBG_INJECT_BP	0x00080000
#define KVIRT_GUESTDBG_BLOCKIRQ		0x00100000

struct kvirt_guest_debug_arch {
	__u64 debugreg[8];
};

/*
 * KVIRT_SET_GUEST_DEBUG (vCPU; KVIRT_CAP_SET_GUEST_DEBUG2 has the bits known, others
 * mean nothing). control without ENABLE ends it. With
 *   SINGLESTEP  each RUN ends with EXIT_DEBUG behind one instruction, also one that
 *               user space had a part in; RFLAGS.TF is the debugger's meanwhile,
 *               GET_REGS hides it, and the guest's own is lost
 *   USE_SW_BP   INT3 ends RUN with EXIT_DEBUG, rip at it
 *   USE_HW_BP   debugreg[0] to [3] and [7] are in force instead of the guest's
 *               DR0 to DR3 and DR7, which GET_DEBUGREGS and the guest go on seeing
 *   BLOCKIRQ    interrupts and NMIs wait
 *   INJECT_DB, INJECT_BP
 *               once, ENABLE or not: the guest gets #DB, or the #BP of the INT3
 *               that rip is at
 * #DB ends RUN with SINGLESTEP or USE_HW_BP, whoever caused it; the guest's DR6 is
 * as before then.
 *   EBUSY  INJECT_*: an exception is pending already; nothing has changed
 */
struct kvirt_guest_debug {
	__u32 control;
	__u32 pad;
	struct kvirt_guest_debug_arch arch;
};

/* exception is 1 (#DB; dr6 has what it adds) or 3 (#BP), pc the linear rip. */
struct kvirt_debug_exit_arch {
	__u32 exception;
	__u32 pad;
	__u64 pc;
	__u64 dr6;
	__u64 dr7;
};

/*
 * KVIRT_X86_SETUP_MCE (vCPU): MCG_CAP, whose low byte is the number of banks; all errors are
 * enabled. KVIRT_X86_GET_MCE_CAP_SUPPORTED (device): the bits above it that may be set.
 *   EINVAL  no bank, or more than KVIRT_CAP_MCE says; a bit that is not supported
 *
 * KVIRT_X86_SET_MCE (vCPU): report an error in a bank. An uncorrected one raises #MC, where
 * the guest has its reporting on, or a triple fault, where it cannot take one.
 *   EINVAL  no such bank; status without its valid bit
 */
struct kvirt_x86_mce {
	__u64 status;
	__u64 addr;
	__u64 misc;
	__u64 mcg_status;
	__u8 bank;
	__u8 pad1[7];
	__u64 pad2[3];
};

/*
 * KVIRT_HAS_DEVICE_ATTR, KVIRT_GET_DEVICE_ATTR, KVIRT_SET_DEVICE_ATTR (vCPU) and, but for SET,
 * on the device: a value of 8 bytes at addr.
 *   ENXIO  no such group or attribute
 */
struct kvirt_device_attr {
	__u32 flags;
	__u32 group;
	__u64 attr;
	__u64 addr;
};

#define KVIRT_VCPU_TSC_CTRL		0	/* group: the vCPU's TSC */
#define KVIRT_VCPU_TSC_OFFSET		0	/* attr: its offset, 8 bytes */
#define KVIRT_X86_XCOMP_GUEST_SUPP	0	/* device, group 0 */

/*
 * ---------------------------------------------------------------------------
 * The run page
 * ---------------------------------------------------------------------------
 */

#define KVIRT_EXIT_UNKNOWN		0	/* hw */
#define KVIRT_EXIT_EXCEPTION		1	/* ex */
#define KVIRT_EXIT_IO			2	/* io */
#define KVIRT_EXIT_HYPERCALL		3	/* hypercall */
#define KVIRT_EXIT_DEBUG		4	/* debug */
#define KVIRT_EXIT_HLT			5	/* no in-kernel APIC; rip is past HLT */
#define KVIRT_EXIT_MMIO			6	/* mmio */
#define KVIRT_EXIT_IRQ_WINDOW_OPEN	7	/* as request_interrupt_window asked */
#define KVIRT_EXIT_SHUTDOWN		8	/* triple fault */
#define KVIRT_EXIT_FAIL_ENTRY		9	/* fail_entry */
#define KVIRT_EXIT_INTR			10	/* a signal; RUN gave EINTR */
#define KVIRT_EXIT_SET_TPR		11	/* no in-kernel APIC: the guest set cr8 */
#define KVIRT_EXIT_TPR_ACCESS		12	/* tpr_access */
#define KVIRT_EXIT_NMI			16
#define KVIRT_EXIT_INTERNAL_ERROR	17	/* internal, emulation_failure */
#define KVIRT_EXIT_WATCHDOG		21
#define KVIRT_EXIT_SYSTEM_EVENT		24	/* system_event */
#define KVIRT_EXIT_IOAPIC_EOI		26	/* eoi */
#define KVIRT_EXIT_HYPERV		27
#define KVIRT_EXIT_X86_RDMSR		29	/* msr */
#define KVIRT_EXIT_X86_WRMSR		30	/* msr */
#define KVIRT_EXIT_DIRTY_RING_FULL	31
#define KVIRT_EXIT_AP_RESET_HOLD	32
#define KVIRT_EXIT_X86_BUS_LOCK		33
#define KVIRT_EXIT_XEN			34
#define KVIRT_EXIT_NOTIFY		37	/* notify */

/* internal.suberror */
#define KVIRT_INTERNAL_ERROR_EMULATION			1
#define KVIRT_INTERNAL_ERROR_SIMUL_EX			2
#define KVIRT_INTERNAL_ERROR_DELIVERY_EV		3
#define KVIRT_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON	4

#define KVIRT_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES	(1ULL << 0)

#define KVIRT_EXIT_IO_IN		0
#define KVIRT_EXIT_IO_OUT		1

#define KVIRT_SYSTEM_EVENT_SHUTDOWN	1
#define KVIRT_SYSTEM_EVENT_RESET	2
#define KVIRT_SYSTEM_EVENT_CRASH	3

#define KVIRT_MSR_EXIT_REASON_INVAL	(1 << 0)
#define KVIRT_MSR_EXIT_REASON_UNKNOWN	(1 << 1)
#define KVIRT_MSR_EXIT_REASON_FILTER	(1 << 2)

#define KVIRT_NOTIFY_CONTEXT_INVALID	(1 << 0)

#define KVIRT_RUN_X86_SMM		(1 << 0)
#define KVIRT_RUN_X86_BUS_LOCK		(1 << 1)

#define KVIRT_SYNC_X86_REGS		(1UL << 0)
#define KVIRT_SYNC_X86_SREGS		(1UL << 1)
#define KVIRT_SYNC_X86_EVENTS		(1UL << 2)
#define KVIRT_SYNC_REGS_SIZE_BYTES	2048

struct kvirt_sync_regs {
	struct kvirt_regs regs;
	struct kvirt_sregs sregs;
	struct kvirt_vcpu_events events;
};

/*
 * The first page of a vCPU file's mapping (KVIRT_GET_VCPU_MMAP_SIZE bytes). The
 * kernel reads what is marked "in" once per RUN and trusts none of it.
 *
 * Exits that wait for an answer (io with direction IN, mmio without is_write,
 * msr, hypercall) are completed by the next RUN, even by one that ends at once
 * for immediate_exit. An OUT, too, is over only then: rip stands on the
 * instruction until the next RUN, and if it was set elsewhere meanwhile nothing
 * is skipped.
 */
struct kvirt_run {
	__u8 request_interrupt_window;	/* in: leave when one can be injected */
	__u8 immediate_exit;		/* in: complete, then EINTR, guest not entered */
	__u8 padding1[6];

	__u32 exit_reason;		/* out: KVIRT_EXIT_* */
	__u8 ready_for_interrupt_injection;	/* out: KVIRT_INTERRUPT would go in */
	__u8 if_flag;			/* out: RFLAGS.IF */
	__u16 flags;			/* out: KVIRT_RUN_X86_* */

	__u64 cr8;			/* in without in-kernel APIC; out */
	__u64 apic_base;		/* out */

	union {
		struct {
			__u64 hardware_exit_reason;
		} hw;
		struct {
			__u64 hardware_entry_failure_reason;
			__u32 cpu;
		} fail_entry;
		struct {
			__u32 exception;
			__u32 error_code;
		} ex;
		/*
		 * count items of size bytes (1, 2, 4) lie data_offset bytes
		 * into the mapping; more than one for the string forms only.
		 */
		struct {
			__u8 direction;
			__u8 size;
			__u16 port;
			__u32 count;
			__u64 data_offset;
		} io;
		struct {
			struct kvirt_debug_exit_arch arch;
		} debug;
		/* At most 8 bytes; a wider or page-crossing access takes several. */
		struct {
			__u64 phys_addr;
			__u8  data[8];
			__u32 len;
			__u8  is_write;
		} mmio;
		struct {
			__u64 nr;
			__u64 args[6];
			__u64 ret;
			__u32 longmode;
			__u32 pad;
		} hypercall;
		struct {
			__u64 rip;
			__u32 is_write;
			__u32 pad;
		} tpr_access;
		struct {
			__u32 suberror;
			__u32 ndata;
			__u64 data[16];
		} internal;
		/* suberror KVIRT_INTERNAL_ERROR_EMULATION: what could not be done */
		struct {
			__u32 suberror;
			__u32 ndata;
			__u64 flags;
			union {
				struct {
					__u8  insn_size;
					__u8  insn_bytes[15];
				};
			};
		} emulation_failure;
		struct {
			__u32 type;
			__u32 ndata;
			union {
				__u64 flags;
				__u64 data[16];
			};
		} system_event;
		/*
		 * The vector the IOAPIC in user space may consider finished. It
		 * comes even if the guest set SVR bit 12 to keep its EOIs.
		 */
		struct {
			__u8 vector;
		} eoi;
		/* error other than 0 makes the instruction raise #GP. */
		struct {
			__u8 error;
			__u8 pad[7];
			__u32 reason;
			__u32 index;
			__u64 data;
		} msr;
		struct {
			__u32 flags;
		} notify;
		char padding[256];
	};

	/*
	 * KVIRT_SYNC_X86_* to give after a RUN (in), errors included; and to take at the
	 * next one (in, cleared), in that order, before it finishes the last exit. A class
	 * that SET_* would refuse: EINVAL, its bit and those behind it stay set.
	 */
	__u64 kvirt_valid_regs;
	__u64 kvirt_dirty_regs;
	union {
		struct kvirt_sync_regs regs;
		char padding[KVIRT_SYNC_REGS_SIZE_BYTES];
	} s;
};

/*
 * ---------------------------------------------------------------------------
 * Device ioctls (the file /dev/kvirt)
 * ---------------------------------------------------------------------------
 */

/* Gives KVIRT_API_VERSION. EINVAL: the argument is not 0. */
#define KVIRT_GET_API_VERSION		_IO(KVIRT_IO, 0x00)

/*
 * Takes the machine type, 0. Gives a VM file: a guest with no memory, no vCPU
 * and no interrupt controller. It belongs to the calling process' address space,
 * and lives until the last of its files and mappings is gone.
 *   EINVAL  another type;  ENOMEM, EMFILE, ENFILE
 */
#define KVIRT_CREATE_VM			_IO(KVIRT_IO, 0x01)

#define KVIRT_GET_MSR_INDEX_LIST	_IOWR(KVIRT_IO, 0x02, struct kvirt_msr_list)

/*
 * Device, and VM with KVIRT_CAP_CHECK_EXTENSION_VM. Takes KVIRT_CAP_*; gives 0
 * for no, else 1 or the number that is said below. Never an error.
 */
#define KVIRT_CHECK_EXTENSION		_IO(KVIRT_IO, 0x03)

/* Gives the bytes to map from a vCPU file. EINVAL: the argument is not 0. */
#define KVIRT_GET_VCPU_MMAP_SIZE	_IO(KVIRT_IO, 0x04)

#define KVIRT_GET_SUPPORTED_CPUID	_IOWR(KVIRT_IO, 0x05, struct kvirt_cpuid2)
/* Instructions that are emulated where the CPU lacks them: none, so no entry. E2BIG: no room. */
#define KVIRT_GET_EMULATED_CPUID	_IOWR(KVIRT_IO, 0x09, struct kvirt_cpuid2)
#define KVIRT_GET_MSR_FEATURE_INDEX_LIST _IOWR(KVIRT_IO, 0x0a, struct kvirt_msr_list)

/*
 * ---------------------------------------------------------------------------
 * VM ioctls
 * ---------------------------------------------------------------------------
 */

/*
 * Takes the vCPU's id, which is its APIC id too. Gives a vCPU file, its registers
 * as after power-on; map it for the run page. No leaf of CPUID is set.
 *   EINVAL  the id is KVIRT_CAP_MAX_VCPU_ID or above; KVIRT_CAP_MAX_VCPUS exist
 *   EEXIST  there is one of that id
 */
#define KVIRT_CREATE_VCPU		_IO(KVIRT_IO, 0x41)

#define KVIRT_GET_DIRTY_LOG		_IOW(KVIRT_IO, 0x42, struct kvirt_dirty_log)
/* A bound that shadow page tables would have: kept, without effect. EINVAL: below 64. */
#define KVIRT_SET_NR_MMU_PAGES		_IO(KVIRT_IO, 0x44)
#define KVIRT_GET_NR_MMU_PAGES		_IO(KVIRT_IO, 0x45)
#define KVIRT_SET_USER_MEMORY_REGION	_IOW(KVIRT_IO, 0x46, \
					     struct kvirt_userspace_memory_region)

/*
 * Takes the gpa of three pages the kernel may use for real mode on VT-x. The
 * hardware kvirt asks for needs none: the address is checked and forgotten.
 *   EINVAL  above 0xffffd000
 */
#define KVIRT_SET_TSS_ADDR		_IO(KVIRT_IO, 0x47)

/* The same for one page, by pointer. EINVAL: there is a vCPU already. */
#define KVIRT_SET_IDENTITY_MAP_ADDR	_IOW(KVIRT_IO, 0x48, __u64)

/*
 * PIC and IOAPIC in the kernel, and LAPICs in the vCPUs still to be made; GSI 0 to 15 lead
 * to both, 16 to 23 to the IOAPIC.
 *   EEXIST  there is an irqchip   EINVAL  there is a vCPU
 */
#define KVIRT_CREATE_IRQCHIP		_IO(KVIRT_IO, 0x60)
#define KVIRT_IRQ_LINE			_IOW(KVIRT_IO, 0x61, struct kvirt_irq_level)
/*
 * The state of one chip, by chip_id; SET takes any as far as it makes sense, and what
 * is pending in it is delivered.
 *   ENXIO  no CREATE_IRQCHIP   EINVAL  no such chip
 */
#define KVIRT_GET_IRQCHIP		_IOWR(KVIRT_IO, 0x62, struct kvirt_irqchip)
#define KVIRT_SET_IRQCHIP		_IOR(KVIRT_IO, 0x63, struct kvirt_irqchip)
/*
 * A PIT in the kernel, which owns ports 0x40 to 0x43 and drives GSI 0; CREATE_PIT2 too.
 *   EEXIST  there is one   ENOENT  no CREATE_IRQCHIP
 */
#define KVIRT_CREATE_PIT		_IO(KVIRT_IO, 0x64)
/*
 * The PIT's state, here and below. A channel that is SET counts from its start.
 *   ENXIO  no PIT
 */
#define KVIRT_GET_PIT			_IOWR(KVIRT_IO, 0x65, struct kvirt_pit_state)
#define KVIRT_SET_PIT			_IOR(KVIRT_IO, 0x66, struct kvirt_pit_state)
#define KVIRT_IRQ_LINE_STATUS		_IOWR(KVIRT_IO, 0x67, struct kvirt_irq_level)
#define KVIRT_SET_GSI_ROUTING		_IOW(KVIRT_IO, 0x6a, struct kvirt_irq_routing)
/* Takes a struct kvirt_reinject_control. ENXIO: no PIT. */
#define KVIRT_REINJECT_CONTROL		_IO(KVIRT_IO, 0x71)
#define KVIRT_IRQFD			_IOW(KVIRT_IO, 0x76, struct kvirt_irqfd)
#define KVIRT_CREATE_PIT2		_IOW(KVIRT_IO, 0x77, struct kvirt_pit_config)

/*
 * Takes the id of the vCPU that shall be the boot processor (0 without this).
 *   EBUSY  there is a vCPU already
 */
#define KVIRT_SET_BOOT_CPU_ID		_IO(KVIRT_IO, 0x78)

#define KVIRT_IOEVENTFD			_IOW(KVIRT_IO, 0x79, struct kvirt_ioeventfd)
#define KVIRT_SET_CLOCK			_IOW(KVIRT_IO, 0x7b, struct kvirt_clock_data)
#define KVIRT_GET_CLOCK			_IOR(KVIRT_IO, 0x7c, struct kvirt_clock_data)
#define KVIRT_GET_PIT2			_IOR(KVIRT_IO, 0x9f, struct kvirt_pit_state2)
#define KVIRT_SET_PIT2			_IOW(KVIRT_IO, 0xa0, struct kvirt_pit_state2)

/*
 * VM (the rate of vCPUs still to be made) and vCPU. SET takes kHz, 0 for the
 * host's own; GET gives it.
 *   EINVAL  a rate other than the host's (250 ppm apart at most): nothing is
 *           scaled yet
 */
#define KVIRT_SET_TSC_KHZ		_IO(KVIRT_IO, 0xa2)
#define KVIRT_GET_TSC_KHZ		_IO(KVIRT_IO, 0xa3)

#define KVIRT_SIGNAL_MSI		_IOW(KVIRT_IO, 0xa5, struct kvirt_msi)
#define KVIRT_CLEAR_DIRTY_LOG		_IOWR(KVIRT_IO, 0xc0, struct kvirt_clear_dirty_log)
#define KVIRT_RESET_DIRTY_RINGS		_IO(KVIRT_IO, 0xc7)

/*
 * VM (all its vCPUs together) and vCPU. Gives a file, read-only, of
 * struct kvirt_stats_header, an id, num_desc descriptors and the data: 64-bit numbers, read
 * anew each time. Descriptors lie name_size bytes further apart than they are long, the
 * name in between. The file keeps the VM alive.
 */
#define KVIRT_GET_STATS_FD		_IO(KVIRT_IO, 0xce)
#define KVIRT_SET_DEVICE_ATTR		_IOW(KVIRT_IO, 0xe1, struct kvirt_device_attr)
#define KVIRT_GET_DEVICE_ATTR		_IOW(KVIRT_IO, 0xe2, struct kvirt_device_attr)
#define KVIRT_HAS_DEVICE_ATTR		_IOW(KVIRT_IO, 0xe3, struct kvirt_device_attr)

/*
 * ---------------------------------------------------------------------------
 * vCPU ioctls
 * ---------------------------------------------------------------------------
 */

/*
 * Run the guest until something needs user space. Gives 0 with exit_reason and
 * its part of the run page filled in.
 *   EINVAL  the argument is not 0; a register class that does not exist is asked
 *           for in kvirt_valid_regs or kvirt_dirty_regs
 *   EAGAIN  the vCPU waited for SIPI, was woken, and should be run again
 *   EINTR   a signal is pending (exit_reason is KVIRT_EXIT_INTR), or
 *           immediate_exit is set (exit_reason is as it was)
 *   EFAULT  the guest used memory of a slot where this process has none mapped
 * Also written on errors: if_flag, cr8, apic_base, ready_for_interrupt_injection.
 */
#define KVIRT_RUN			_IO(KVIRT_IO, 0x80)

#define KVIRT_GET_REGS			_IOR(KVIRT_IO, 0x81, struct kvirt_regs)
#define KVIRT_SET_REGS			_IOW(KVIRT_IO, 0x82, struct kvirt_regs)
#define KVIRT_GET_SREGS			_IOR(KVIRT_IO, 0x83, struct kvirt_sregs)
#define KVIRT_SET_SREGS			_IOW(KVIRT_IO, 0x84, struct kvirt_sregs)
#define KVIRT_TRANSLATE			_IOWR(KVIRT_IO, 0x85, struct kvirt_translation)
#define KVIRT_INTERRUPT			_IOW(KVIRT_IO, 0x86, struct kvirt_interrupt)
#define KVIRT_GET_MSRS			_IOWR(KVIRT_IO, 0x88, struct kvirt_msrs)
#define KVIRT_SET_MSRS			_IOW(KVIRT_IO, 0x89, struct kvirt_msrs)
#define KVIRT_SET_SIGNAL_MASK		_IOW(KVIRT_IO, 0x8b, struct kvirt_signal_mask)
#define KVIRT_GET_FPU			_IOR(KVIRT_IO, 0x8c, struct kvirt_fpu)
#define KVIRT_SET_FPU			_IOW(KVIRT_IO, 0x8d, struct kvirt_fpu)
#define KVIRT_GET_LAPIC			_IOR(KVIRT_IO, 0x8e, struct kvirt_lapic_state)
#define KVIRT_SET_LAPIC			_IOW(KVIRT_IO, 0x8f, struct kvirt_lapic_state)
#define KVIRT_SET_CPUID2		_IOW(KVIRT_IO, 0x90, struct kvirt_cpuid2)
#define KVIRT_GET_CPUID2		_IOWR(KVIRT_IO, 0x91, struct kvirt_cpuid2)
#define KVIRT_TPR_ACCESS_REPORTING	_IOWR(KVIRT_IO, 0x92, struct kvirt_tpr_access_ctl)
#define KVIRT_SET_VAPIC_ADDR		_IOW(KVIRT_IO, 0x93, struct kvirt_vapic_addr)
#define KVIRT_GET_MP_STATE		_IOR(KVIRT_IO, 0x98, struct kvirt_mp_state)
#define KVIRT_SET_MP_STATE		_IOW(KVIRT_IO, 0x99, struct kvirt_mp_state)

/* Make an NMI pending; takes no argument, and two merge like in hardware. */
#define KVIRT_NMI			_IO(KVIRT_IO, 0x9a)

#define KVIRT_SET_GUEST_DEBUG		_IOW(KVIRT_IO, 0x9b, struct kvirt_guest_debug)
#define KVIRT_X86_SETUP_MCE		_IOW(KVIRT_IO, 0x9c, __u64)
#define KVIRT_X86_GET_MCE_CAP_SUPPORTED	_IOR(KVIRT_IO, 0x9d, __u64)
#define KVIRT_X86_SET_MCE		_IOW(KVIRT_IO, 0x9e, struct kvirt_x86_mce)
#define KVIRT_GET_VCPU_EVENTS		_IOR(KVIRT_IO, 0x9f, struct kvirt_vcpu_events)
#define KVIRT_SET_VCPU_EVENTS		_IOW(KVIRT_IO, 0xa0, struct kvirt_vcpu_events)
#define KVIRT_GET_DEBUGREGS		_IOR(KVIRT_IO, 0xa1, struct kvirt_debugregs)
#define KVIRT_SET_DEBUGREGS		_IOW(KVIRT_IO, 0xa2, struct kvirt_debugregs)
#define KVIRT_ENABLE_CAP		_IOW(KVIRT_IO, 0xa3, struct kvirt_enable_cap)
#define KVIRT_GET_XSAVE			_IOR(KVIRT_IO, 0xa4, struct kvirt_xsave)
#define KVIRT_SET_XSAVE			_IOW(KVIRT_IO, 0xa5, struct kvirt_xsave)
#define KVIRT_GET_XCRS			_IOR(KVIRT_IO, 0xa6, struct kvirt_xcrs)
#define KVIRT_SET_XCRS			_IOW(KVIRT_IO, 0xa7, struct kvirt_xcrs)

/*
 * Tell the guest, by a flag in its paravirtual clock, that it was stopped, so
 * that its watchdogs forgive the gap. EINVAL: the guest has not set one up.
 */
#define KVIRT_KVMCLOCK_CTRL		_IO(KVIRT_IO, 0xad)

#define KVIRT_SMI			_IO(KVIRT_IO, 0xb7)
#define KVIRT_GET_SREGS2		_IOR(KVIRT_IO, 0xcc, struct kvirt_sregs2)
#define KVIRT_SET_SREGS2		_IOW(KVIRT_IO, 0xcd, struct kvirt_sregs2)
#define KVIRT_GET_XSAVE2		_IOR(KVIRT_IO, 0xcf, struct kvirt_xsave)

/*
 * ---------------------------------------------------------------------------
 * Capabilities, for KVIRT_CHECK_EXTENSION (1 for yes unless said otherwise)
 * ---------------------------------------------------------------------------
 */

#define KVIRT_CAP_IRQCHIP			0
#define KVIRT_CAP_HLT				1
#define KVIRT_CAP_MMU_SHADOW_CACHE_CONTROL	2
#define KVIRT_CAP_USER_MEMORY			3
#define KVIRT_CAP_SET_TSS_ADDR			4
#define KVIRT_CAP_VAPIC				6
#define KVIRT_CAP_EXT_CPUID			7
#define KVIRT_CAP_CLOCKSOURCE			8
#define KVIRT_CAP_NR_VCPUS			9	/* number advised: the CPUs online */
#define KVIRT_CAP_NR_MEMSLOTS			10	/* number of slots */
#define KVIRT_CAP_PIT				11
#define KVIRT_CAP_NOP_IO_DELAY			12
#define KVIRT_CAP_PV_MMU			13
#define KVIRT_CAP_MP_STATE			14
#define KVIRT_CAP_COALESCED_MMIO		15
#define KVIRT_CAP_SYNC_MMU			16
#define KVIRT_CAP_DESTROY_MEMORY_REGION_WORKS	21
#define KVIRT_CAP_USER_NMI			22
#define KVIRT_CAP_SET_GUEST_DEBUG		23
#define KVIRT_CAP_REINJECT_CONTROL		24
#define KVIRT_CAP_IRQ_ROUTING			25	/* number of routes */
#define KVIRT_CAP_IRQ_INJECT_STATUS		26
#define KVIRT_CAP_JOIN_MEMORY_REGIONS_WORKS	30
#define KVIRT_CAP_MCE				31	/* number of banks */
#define KVIRT_CAP_IRQFD				32
#define KVIRT_CAP_PIT2				33
#define KVIRT_CAP_SET_BOOT_CPU_ID		34
#define KVIRT_CAP_PIT_STATE2			35
#define KVIRT_CAP_IOEVENTFD			36
#define KVIRT_CAP_SET_IDENTITY_MAP_ADDR		37
#define KVIRT_CAP_XEN_HVM			38
#define KVIRT_CAP_ADJUST_CLOCK			39	/* flags of GET_CLOCK */
#define KVIRT_CAP_INTERNAL_ERROR_DATA		40
#define KVIRT_CAP_VCPU_EVENTS			41
#define KVIRT_CAP_HYPERV			44
#define KVIRT_CAP_HYPERV_VAPIC			45
#define KVIRT_CAP_HYPERV_SPIN			46
#define KVIRT_CAP_PCI_SEGMENT			47
#define KVIRT_CAP_INTR_SHADOW			49
#define KVIRT_CAP_DEBUGREGS			50
#define KVIRT_CAP_X86_ROBUST_SINGLESTEP		51
#define KVIRT_CAP_ENABLE_CAP			54
#define KVIRT_CAP_XSAVE				55
#define KVIRT_CAP_XCRS				56
#define KVIRT_CAP_ASYNC_PF			59
#define KVIRT_CAP_TSC_CONTROL			60	/* hardware scales the TSC */
#define KVIRT_CAP_GET_TSC_KHZ			61
#define KVIRT_CAP_MAX_VCPUS			66	/* number of vCPUs of a VM */
#define KVIRT_CAP_TSC_DEADLINE_TIMER		72
#define KVIRT_CAP_SYNC_REGS			74	/* KVIRT_SYNC_X86_* */
#define KVIRT_CAP_KVMCLOCK_CTRL			76
#define KVIRT_CAP_SIGNAL_MSI			77
#define KVIRT_CAP_READONLY_MEM			81
#define KVIRT_CAP_IRQFD_RESAMPLE		82
#define KVIRT_CAP_DEVICE_CTRL			89
#define KVIRT_CAP_EXT_EMUL_CPUID		95
#define KVIRT_CAP_HYPERV_TIME			96
#define KVIRT_CAP_IOAPIC_POLARITY_IGNORED	97
#define KVIRT_CAP_ENABLE_CAP_VM			98
#define KVIRT_CAP_IOEVENTFD_NO_LENGTH		100
#define KVIRT_CAP_VM_ATTRIBUTES			101
#define KVIRT_CAP_CHECK_EXTENSION_VM		105
#define KVIRT_CAP_DISABLE_QUIRKS		116
#define KVIRT_CAP_X86_SMM			117
#define KVIRT_CAP_MULTI_ADDRESS_SPACE		118	/* number of address spaces */
#define KVIRT_CAP_GUEST_DEBUG_HW_BPS		119
#define KVIRT_CAP_GUEST_DEBUG_HW_WPS		120
#define KVIRT_CAP_SPLIT_IRQCHIP			121
#define KVIRT_CAP_IOEVENTFD_ANY_LENGTH		122
#define KVIRT_CAP_VCPU_ATTRIBUTES		127
#define KVIRT_CAP_MAX_VCPU_ID			128	/* highest id + 1 */
#define KVIRT_CAP_X2APIC_API			129	/* KVIRT_X2APIC_API_* */
#define KVIRT_CAP_MSI_DEVID			131
#define KVIRT_CAP_IMMEDIATE_EXIT		136
#define KVIRT_CAP_X86_DISABLE_EXITS		143	/* KVIRT_X86_DISABLE_EXITS_* */
#define KVIRT_CAP_GET_MSR_FEATURES		153
#define KVIRT_CAP_NESTED_STATE			157
#define KVIRT_CAP_MSR_PLATFORM_INFO		159
#define KVIRT_CAP_COALESCED_PIO			162
#define KVIRT_CAP_EXCEPTION_PAYLOAD		164
#define KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2	168
/* args[0] of that, and its value: GET clears nothing; a log begins with all bits set. */
#define KVIRT_DIRTY_LOG_MANUAL_PROTECT_ENABLE	(1 << 0)
#define KVIRT_DIRTY_LOG_INITIALLY_SET		(1 << 1)	/* needs the other */
#define KVIRT_CAP_PMU_EVENT_FILTER		173
#define KVIRT_CAP_HALT_POLL			182
#define KVIRT_CAP_ASYNC_PF_INT			183
#define KVIRT_CAP_LAST_CPU			184
#define KVIRT_CAP_SMALLER_MAXPHYADDR		185
#define KVIRT_CAP_STEAL_TIME			187
#define KVIRT_CAP_X86_USER_SPACE_MSR		188	/* KVIRT_MSR_EXIT_REASON_* */
#define KVIRT_CAP_X86_MSR_FILTER		189
#define KVIRT_CAP_ENFORCE_PV_FEATURE_CPUID	190
#define KVIRT_CAP_DIRTY_LOG_RING		192	/* bytes of the largest ring */
#define KVIRT_CAP_X86_BUS_LOCK_EXIT		193
#define KVIRT_CAP_SET_GUEST_DEBUG2		195	/* KVIRT_GUESTDBG_* */
#define KVIRT_CAP_SREGS2			200
#define KVIRT_CAP_EXIT_HYPERCALL		201
#define KVIRT_CAP_BINARY_STATS_FD		203
#define KVIRT_CAP_EXIT_ON_EMULATION_FAILURE	204
#define KVIRT_CAP_VM_GPA_BITS			207
#define KVIRT_CAP_XSAVE2			208	/* bytes of the XSAVE image */
#define KVIRT_CAP_SYS_ATTRIBUTES		209
#define KVIRT_CAP_PMU_CAPABILITY		212
#define KVIRT_CAP_DISABLE_QUIRKS2		213	/* KVIRT_X86_QUIRK_* */
#define KVIRT_CAP_VM_TSC_CONTROL		214
#define KVIRT_CAP_SYSTEM_EVENT_DATA		215
#define KVIRT_CAP_X86_TRIPLE_FAULT_EVENT	218
#define KVIRT_CAP_X86_NOTIFY_VMEXIT		219
#define KVIRT_CAP_VM_DISABLE_NX_HUGE_PAGES	220
#define KVIRT_CAP_DIRTY_LOG_RING_ACQ_REL	223

/*
 * ---------------------------------------------------------------------------
 * kvirt's own, which KVM has not: numbers that KVM does not come near
 * ---------------------------------------------------------------------------
 */

#define KVIRT_CAP_EXIT_RING			0x4b00	/* bytes of its mapping */

/*
 * The last exits of a vCPU (KVIRT_CAP_EXIT_RING): a ring that is always written, by the
 * vCPU's thread at each exit, and can be mapped and read at any time, also while the vCPU
 * runs. mmap() of the vCPU's file at page KVIRT_RING_PAGE_OFFSET, one page, PROT_READ.
 *
 *   EACCES  with PROT_WRITE, by mprotect() too
 *   EINVAL  more than that page
 *
 * Reading: record n (from 0) lies at record[n % nr]. Take written with acquire semantics,
 * copy the records from written - nr on, take written again as w behind a read barrier: of
 * what was copied, the records from w - nr + 1 on are whole.
 */

/* What ended the guest's run: kind of struct kvirt_exit_record. New ones come at the end. */
enum kvirt_exit_kind {
	KVIRT_KIND_HOST,		/* the host wanted the CPU */
	KVIRT_KIND_DEADLINE,		/* a timer of the guest's or of kvirt's */
	KVIRT_KIND_CPUID,
	KVIRT_KIND_HLT,
	KVIRT_KIND_PAUSE,
	KVIRT_KIND_IO,			/* io */
	KVIRT_KIND_RDMSR,
	KVIRT_KIND_WRMSR,
	KVIRT_KIND_CR_READ,		/* reg.nr */
	KVIRT_KIND_CR_WRITE,		/* reg.nr; CLTS, LMSW count as CR0 */
	KVIRT_KIND_DR,			/* reg.nr */
	KVIRT_KIND_XSETBV,
	KVIRT_KIND_HYPERCALL,
	KVIRT_KIND_RDPMC,
	KVIRT_KIND_INVD,		/* and WBINVD */
	KVIRT_KIND_MWAIT,		/* and MONITOR */
	KVIRT_KIND_UNDEFINED,		/* an instruction that no guest has */
	KVIRT_KIND_NESTED_FAULT,	/* gpa, access */
	KVIRT_KIND_EXCEPTION,		/* exception */
	KVIRT_KIND_IRQ_WINDOW,		/* it takes interrupts now */
	KVIRT_KIND_NMI_WINDOW,		/* and NMIs */
	KVIRT_KIND_TRIPLE_FAULT,
	KVIRT_KIND_INIT,
	KVIRT_KIND_TASK_SWITCH,
	KVIRT_KIND_INVALID_STATE,	/* it was not entered; code */
	KVIRT_KIND_INTERNAL,		/* an exit that nobody asked for; code */
	KVIRT_NR_KINDS
};

#define KVIRT_RECORD_READ		1
#define KVIRT_RECORD_WRITE		2
#define KVIRT_RECORD_EXEC		4

/* The union holds what the kind's comment names; the rest of it means nothing. */
struct kvirt_exit_record {
	__u64 tsc;		/* the host's, when the guest had left */
	__u64 rip;		/* of the instruction that exits */
	__u32 eax, ecx;		/* CPUID's leaf, an MSR's number, OUT's value... */
	__u8  kind;		/* enum kvirt_exit_kind */
	__u8  access;		/* KVIRT_RECORD_*; AMD-V tells a write or a fetch alone */
	__u8  insn_len;		/* of that instruction; 0: the hardware did not say */
	__u8  reserved;		/* says nothing */
	__u32 reason;		/* VT-x's exit reason, AMD-V's exit code; ~0: not entered */
	union {
		__u64 gpa;
		__u64 code;
		struct {
			__u16 port;
			__u8  size;
			__u8  in;
			__u8  string;
		} io;
		struct { __u8 nr; } reg;
		struct {
			__u8  vector;
			__u8  has_error;
			__u8  padding[2];
			__u32 error;
		} exception;
	};
};

#define KVIRT_RING_RECORDS		64

struct kvirt_exit_ring {
	__u64 written;		/* records, since the vCPU was created */
	__u32 nr;		/* KVIRT_RING_RECORDS */
	__u32 record_size;	/* bytes of each */
	__u32 tsc_khz;		/* how fast tsc counts */
	__u32 padding[3];
	struct kvirt_exit_record record[KVIRT_RING_RECORDS];
};

#endif /* _UAPI_LINUX_KVIRT_H */

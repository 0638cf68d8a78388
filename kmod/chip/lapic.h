/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The local APIC as a model: Intel SDM vol. 3, chapter 10, functions over one state struct.
 * Not here: locks, timers, kicks, other CPUs; irq/lapic.c calls the model and carries out
 * the effects it returns. No source is wired to the thermal, counter and LINT entries.
 *
 * A struct chip_lapic belongs to its vCPU's thread: nothing here locks or waits. Others
 * see a LAPIC only by its address word, which the owner publishes.
 *
 * Vectors below 16 are never accepted nor, where a saved page has them, above any PPR, so vector 0
 * means "none". Time is in nanoseconds of a clock that does not go back; the timer counts them
 * (1 GHz, as KVM).
 */
#ifndef KVIRT_CHIP_LAPIC_H
#define KVIRT_CHIP_LAPIC_H

#include "../x86/msr.h"

/*
 * Register offsets in the xAPIC page; the x2APIC MSR is 0x800 + offset / 16. LVT is the timer's;
 * the others follow, to the error log's, LVT_END. SELF_IPI is x2APIC's only.
 */
enum {
	LAPIC_ID = 0x020, LAPIC_VERSION = 0x030, LAPIC_TPR = 0x080, LAPIC_APR = 0x090,
	LAPIC_PPR = 0x0a0, LAPIC_EOI = 0x0b0, LAPIC_LDR = 0x0d0, LAPIC_DFR = 0x0e0,
	LAPIC_SVR = 0x0f0, LAPIC_ISR = 0x100, LAPIC_TMR = 0x180, LAPIC_IRR = 0x200,
	LAPIC_ESR = 0x280, LAPIC_ICR = 0x300, LAPIC_ICR2 = 0x310, LAPIC_LVT = 0x320,
	LAPIC_LINT0 = 0x350, LAPIC_LINT1 = 0x360, LAPIC_LVT_END = 0x370, LAPIC_TMICT = 0x380,
	LAPIC_TMCCT = 0x390, LAPIC_TDCR = 0x3e0, LAPIC_SELF_IPI = 0x3f0,
};

#define LAPIC_STATE_SIZE	0x400	/* struct kvm_lapic_state */

/* No chip's periodic timer fires more often than this: the host pays for each. */
#define MIN_PERIOD_NS	200000

/* IA32_APIC_BASE (SDM vol. 3, figures 10-5 and 10-26). */
#define LAPIC_BASE_BSP		BIT_ULL(8)
#define LAPIC_BASE_EXTD		BIT_ULL(10)
#define LAPIC_BASE_EN		BIT_ULL(11)
#define LAPIC_BASE_DEFAULT	0xfee00000ULL

/* Delivery modes of the ICR, of LVT entries and of MSI data. */
enum irq_mode {
	IRQ_FIXED, IRQ_LOWEST, IRQ_SMI, IRQ_MODE_3, IRQ_NMI, IRQ_INIT, IRQ_SIPI, IRQ_EXTINT,
};

enum irq_shorthand { IRQ_TO_DEST, IRQ_TO_SELF, IRQ_TO_ALL, IRQ_TO_OTHERS };

/* One interrupt message: what an ICR write, an MSI or an IOAPIC pin sends. */
struct irq_message {
	u32 dest;
	u8 vector;
	u8 mode;		/* enum irq_mode */
	u8 shorthand;		/* enum irq_shorthand */
	bool logical;		/* destination mode */
	bool level;		/* trigger mode */
	bool redirect;		/* MSI redirection hint: any one of the addressed */
	bool dest8;		/* the sender has 8-bit addresses: 0xff addresses x2APICs too */
};

#define LVT_MASKED		BIT(16)
#define ICR_LOGICAL		BIT(11)
#define ICR_SHORTHAND		(3U << 18)
#define LVT_MODE(lvt)		(((lvt) >> 8) & 7)

/* What the machine around the LAPIC is like: user space's CPUID and caps decide. */
#define CHIP_LAPIC_X2APIC	BIT(0)	/* CPUID offers x2APIC */
#define CHIP_LAPIC_TSC_DEADLINE	BIT(1)	/* LVT timer mode 2 may be chosen */
#define CHIP_LAPIC_DIRECTED_EOI	BIT(2)	/* version bit 24: split irqchips */
#define CHIP_LAPIC_BSP		BIT(3)	/* this is the bootstrap processor */
#define CHIP_LAPIC_LINT0_EXTINT	BIT(4)	/* RESET leaves the BSP's LINT0 ExtINT */
#define CHIP_LAPIC_ID32		BIT(5)	/* saved state has 32-bit ids */

/* What calls ask the caller to do, in chip_lapic.fx: flags are added, the caller clears. */
#define LAPIC_FX_TIMER		BIT(0)	/* ask chip_lapic_timer() again */
#define LAPIC_FX_ADDRESS	BIT(1)	/* publish chip_lapic_address() again */
#define LAPIC_FX_SEND		BIT(2)	/* deliver @message */
#define LAPIC_FX_EOI		BIT(3)	/* tell the IOAPIC about @eoi_vector */

struct lapic_fx {
	u32 what;		/* LAPIC_FX_* */
	u8 eoi_vector;
	bool eoi_level;		/* it came level-triggered */
	struct irq_message message;
};

/* An offset reaches reg[] masked: no bound to speculate over. */
struct chip_lapic {
	u64 irr[4], isr[4], tmr[4];
	u32 isr_top;		/* highest bit of isr[], 0 when empty */
	u32 errors;		/* seen since the last write to ESR */
	u32 reg[64];		/* the other registers, by offset / 16 */
	u64 base;		/* IA32_APIC_BASE; INIT keeps this, and clears what is above */
	u64 expiry;		/* one-shot, periodic: when the count reaches 0, if counting */
	u64 tsc_deadline;	/* guest TSC, 0: off */
	bool counting;
	u32 vcpu_id;
	u32 features;		/* CHIP_LAPIC_*; the caller may change them */
	struct lapic_fx fx;
};

static inline u32 chip_lapic_reg(const struct chip_lapic *l, u32 offset)
{
	return l->reg[offset >> 4 & 63];
}

static inline bool chip_lapic_hw_enabled(const struct chip_lapic *l)
{
	return l->base & LAPIC_BASE_EN;
}

static inline bool chip_lapic_x2apic(const struct chip_lapic *l)
{
	return l->base & LAPIC_BASE_EXTD;
}

/* The highest bit of a 256-bit set, 0 when it is empty. */
static inline unsigned int chip_lapic_top(const u64 set[4])
{
	int word = 3;

	while (word && !set[word])
		word--;
	return set[word] ? word * 64 + 63 - __builtin_clzll(set[word]) : 0;
}

/* The vector to deliver now: the highest in IRR, if its class is above PPR's; or 0. Hot. */
static inline unsigned int chip_lapic_pending(const struct chip_lapic *l)
{
	unsigned int top = chip_lapic_top(l->irr);

	return (top & 0xf0) > (chip_lapic_reg(l, LAPIC_PPR) & 0xf0) &&
	       chip_lapic_hw_enabled(l) ? top : 0;
}

/* An access to register offset @reg needs the time; all others may pass 0 for it. */
static inline bool chip_lapic_needs_time(u32 reg)
{
	reg &= 0xff0;
	return reg == LAPIC_LVT || reg == LAPIC_TMICT || reg == LAPIC_TMCCT ||
	       reg == LAPIC_TDCR || reg == LAPIC_SVR;
}

/* Power-up state of the LAPIC of @vcpu_id. */
void chip_lapic_create(struct chip_lapic *l, u32 vcpu_id, u32 features);
/* INIT: all registers but the id and APIC_BASE (10.4.7.3). */
void chip_lapic_reset(struct chip_lapic *l);

/*
 * The page of a LAPIC in xAPIC mode, @offset below 4 KiB. Reads that cross a register or name none
 * give zeros; writes but aligned 32-bit ones have no effect.
 */
void chip_lapic_mmio_read(struct chip_lapic *l, u32 offset, void *data, u32 len, u64 now);
void chip_lapic_mmio_write(struct chip_lapic *l, u32 offset, const void *data, u32 len, u64 now);

/* x2APIC MSRs 0x800 to 0x8ff. Give 0, or -EINVAL for #GP. */
int chip_lapic_msr_read(struct chip_lapic *l, u32 msr, u64 *value, u64 now);
int chip_lapic_msr_write(struct chip_lapic *l, u32 msr, u64 value, u64 now);

/*
 * IA32_APIC_BASE. chip_lapic_check_base() - may @old become @value (reserved bits below the base;
 * the transitions of figure 10-27, from which user space is free)? 0, or -EINVAL for #GP.
 * chip_lapic_set_base() - to a value so checked, which is no wider than addresses are.
 */
int chip_lapic_check_base(u64 old, u64 value, u32 features, enum x86_msr_by by);
void chip_lapic_set_base(struct chip_lapic *l, u64 value, enum x86_msr_by by);

/* IA32_TSC_DEADLINE: tsc_deadline, 0 outside of that timer mode, which ignores writes. */
void chip_lapic_set_tsc_deadline(struct chip_lapic *l, u64 value);

/* TPR, also by way of CR8 (whose four bits are TPR bits 7:4). */
void chip_lapic_set_tpr(struct chip_lapic *l, u8 tpr);
void chip_lapic_eoi(struct chip_lapic *l);

/* Of the 64 vectors of @word those in @new arrive; @level: which are level-triggered. */
void chip_lapic_accept(struct chip_lapic *l, u32 word, u64 new, u64 level);
/* The CPU takes @vector, which chip_lapic_pending() gave. */
void chip_lapic_acknowledge(struct chip_lapic *l, unsigned int vector);
/* The 8259's INTR reaches the CPU: LINT0 is ExtINT, or there is no APIC in its way. */
bool chip_lapic_accepts_extint(const struct chip_lapic *l);

/*
 * chip_lapic_timer() - what the timer waits for: a time, a guest TSC value, or nothing.
 * chip_lapic_timer_run(), chip_lapic_timer_expire_tsc() - it has come: deliver what is due.
 */
enum chip_lapic_timer { LAPIC_TIMER_OFF, LAPIC_TIMER_NS, LAPIC_TIMER_TSC };
enum chip_lapic_timer chip_lapic_timer(const struct chip_lapic *l, u64 *when);
void chip_lapic_timer_run(struct chip_lapic *l, u64 now);
void chip_lapic_timer_expire_tsc(struct chip_lapic *l);

/*
 * KVM_GET_LAPIC, KVM_SET_LAPIC: LAPIC_STATE_SIZE bytes, a register every 16. Restore keeps the mode
 * of APIC_BASE, makes any page valid, and gives -EINVAL only for an x2APIC id that is not the
 * vCPU's with CHIP_LAPIC_ID32.
 */
void chip_lapic_save(struct chip_lapic *l, u32 *page, u64 now);
int chip_lapic_restore(struct chip_lapic *l, const u32 *page, u64 now);

/*
 * The address word, which others read without a lock: bits 31:0 id, 39:32 logical id of xAPIC
 * mode, then flags. chip_lapic_match(): does @m (shorthand aside) address it?
 */
#define LAPIC_ADDRESS_CLUSTER	BIT_ULL(40)
#define LAPIC_ADDRESS_X2APIC	BIT_ULL(41)
#define LAPIC_ADDRESS_HW	BIT_ULL(42)	/* enabled in APIC_BASE */
#define LAPIC_ADDRESS_SW	BIT_ULL(43)	/* enabled in SVR */
#define LAPIC_ADDRESS_EXTINT	BIT_ULL(44)	/* chip_lapic_accepts_extint() */
u64 chip_lapic_address(const struct chip_lapic *l);
bool chip_lapic_match(u64 address, const struct irq_message *m);

#endif

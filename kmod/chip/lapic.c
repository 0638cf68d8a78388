// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC as a model: see lapic.h for what it is and who calls it. Sections
 * and tables named here are those of the Intel SDM, volume 3, chapter 10.
 *
 * Invariants, whatever a guest or a restored page does: no bit below 16 in IRR, ISR
 * or TMR; isr_top and ppr follow ISR and TPR; an LVT entry is masked while SVR has the
 * APIC disabled; the count runs only in one-shot and periodic mode, with TMICT not 0.
 */
#include "lapic.h"

#define VERSION		(0x14 | (LVT_COUNT - 1) << 16)
#define VERSION_DIRECTED_EOI	BIT(24)
#define SVR_ENABLE	BIT(8)
#define SVR_DIRECTED_EOI	BIT(12)
#define SVR_RESET	0xff
#define DFR_FLAT	0xf0000000
#define DFR_ONES	0x0fffffff
#define BASE_RESERVED	(0xffULL | BIT_ULL(9))
#define BASE_MODES	(LAPIC_BASE_EN | LAPIC_BASE_EXTD)

#define ICR_LOW_BITS	0xccfff		/* all but the delivery status and reserved ones */
#define ICR_STATUS	BIT(12)
#define ICR_LOGICAL	BIT(11)
#define ICR_ASSERT	BIT(14)
#define ICR_LEVEL	BIT(15)

#define ESR_SEND_VECTOR	BIT(5)
#define ESR_RECV_VECTOR	BIT(6)
#define ESR_REGISTER	BIT(7)

#define LVT_STATUS	BIT(12)		/* read-only: delivery status */
#define LVT_REMOTE_IRR	BIT(14)		/* read-only */
#define LVT_LEVEL	BIT(15)
#define LVT_PERIODIC	BIT(17)
#define LVT_TSC		BIT(18)

/* A periodic timer fires no more often than this: the host pays for each (R15). */
#define MIN_PERIOD_NS	200000

/* Sets of registers, one bit for each 16 bytes of the page. */
#define REG(r)		BIT_ULL((r) >> 4)
#define REG8(r)		(0xffULL << ((r) >> 4))
#define REGS_LVT	(0x3fULL << (LAPIC_LVT >> 4))

#define REGS_READ_X2	(REG(LAPIC_ID) | REG(LAPIC_VERSION) | REG(LAPIC_TPR) | REG(LAPIC_PPR) | \
			 REG(LAPIC_LDR) | REG(LAPIC_SVR) | REG8(LAPIC_ISR) | REG8(LAPIC_TMR) | \
			 REG8(LAPIC_IRR) | REG(LAPIC_ESR) | REG(LAPIC_ICR) | REGS_LVT | \
			 REG(LAPIC_TMICT) | REG(LAPIC_TMCCT) | REG(LAPIC_TDCR))
#define REGS_WRITE_X2	(REG(LAPIC_TPR) | REG(LAPIC_EOI) | REG(LAPIC_SVR) | REG(LAPIC_ESR) | \
			 REGS_LVT | REG(LAPIC_TMICT) | REG(LAPIC_TDCR) | REG(LAPIC_SELF_IPI))
#define REGS_XAPIC	(REGS_READ_X2 | REG(LAPIC_APR) | REG(LAPIC_EOI) | REG(LAPIC_DFR) | \
			 REG(LAPIC_ICR2))

/* What of each LVT entry can be written; the timer's mode 2 only where it is offered. */
static const u32 lvt_bits[LVT_COUNT] = {
	[LVT_TIMER]	= 0xff | LVT_MASKED | LVT_PERIODIC | LVT_TSC,
	[LVT_THERMAL]	= 0x7ff | LVT_MASKED,
	[LVT_PERF]	= 0x7ff | LVT_MASKED,
	[LVT_LINT0]	= 0xa7ff | LVT_MASKED,
	[LVT_LINT1]	= 0xa7ff | LVT_MASKED,
	[LVT_ERROR]	= 0xff | LVT_MASKED,
};

static bool test_vector(const u64 set[4], unsigned int vector)
{
	return set[vector / 64] >> (vector % 64) & 1;
}

static u32 x2apic_ldr(u32 id)
{
	return id >> 4 << 16 | 1U << (id & 0xf);
}

static u32 writable_lvt(const struct chip_lapic *l, unsigned int i)
{
	u32 bits = lvt_bits[i];

	if (i == LVT_TIMER && !(l->features & CHIP_LAPIC_TSC_DEADLINE))
		bits &= ~LVT_TSC;
	return bits;
}

static u32 writable_svr(const struct chip_lapic *l)
{
	return 0x3ff | (l->features & CHIP_LAPIC_DIRECTED_EOI ? SVR_DIRECTED_EOI : 0);
}

/* Processor priority, 10.8.3.1: the higher class of TPR and the vector in service. */
static void update_ppr(struct chip_lapic *l)
{
	l->ppr = (l->tpr & 0xf0) >= (l->isr_top & 0xf0) ? l->tpr : l->isr_top & 0xf0;
}

static void lvt_deliver(struct chip_lapic *l, enum chip_lapic_lvt source,
			struct chip_lapic_effects *fx);

/* The interrupt comes with the first error after a write to ESR only: 10.5.3. */
static void log_error(struct chip_lapic *l, u32 bit, struct chip_lapic_effects *fx)
{
	bool first = !l->errors;

	l->errors |= bit;
	if (first)
		lvt_deliver(l, LVT_ERROR, fx);
}

void chip_lapic_accept(struct chip_lapic *l, const u64 vectors[4], const u64 level[4],
		       struct chip_lapic_effects *fx)
{
	unsigned int i;

	if (!chip_lapic_hw_enabled(l) || !(l->svr & SVR_ENABLE))
		return;
	for (i = 0; i < 4; i++) {
		u64 new = vectors[i];

		if (!new)
			continue;
		if (!i && new & 0xffff) {
			log_error(l, ESR_RECV_VECTOR, fx);
			new &= ~0xffffULL;
		}
		l->irr[i] |= new;
		l->tmr[i] = (l->tmr[i] & ~new) | (level[i] & new);
		fx->what |= LAPIC_FX_PENDING;
	}
}

static void accept_one(struct chip_lapic *l, u8 vector, bool level,
		       struct chip_lapic_effects *fx)
{
	u64 vectors[4] = { 0 }, levels[4] = { 0 };

	vectors[vector / 64] = BIT_ULL(vector % 64);
	levels[vector / 64] = (u64)level << (vector % 64);
	chip_lapic_accept(l, vectors, levels, fx);
}

/* A signal through an LVT entry, 10.5.1. The timer's and the error's mode bits are 0. */
static void lvt_deliver(struct chip_lapic *l, enum chip_lapic_lvt source,
			struct chip_lapic_effects *fx)
{
	u32 lvt = l->lvt[source];

	if (lvt & LVT_MASKED)
		return;
	switch (LVT_MODE(lvt)) {
	case IRQ_FIXED:
		accept_one(l, lvt & 0xff, lvt & LVT_LEVEL, fx);
		break;
	case IRQ_SMI:
		fx->what |= LAPIC_FX_SMI;
		break;
	case IRQ_NMI:
		fx->what |= LAPIC_FX_NMI;
		break;
	case IRQ_INIT:
		fx->what |= LAPIC_FX_INIT;
		break;
	case IRQ_EXTINT:
		fx->what |= LAPIC_FX_EXTINT;
		break;
	}
	/* A counter's interrupt masks its own entry. */
	if (source == LVT_PERF)
		l->lvt[LVT_PERF] |= LVT_MASKED;
}

void chip_lapic_local(struct chip_lapic *l, enum chip_lapic_lvt source,
		      struct chip_lapic_effects *fx)
{
	if (chip_lapic_hw_enabled(l))
		lvt_deliver(l, source, fx);
	else if (source == LVT_LINT0)	/* the pins are INTR and NMI then: 10.4.3 */
		fx->what |= LAPIC_FX_EXTINT;
	else if (source == LVT_LINT1)
		fx->what |= LAPIC_FX_NMI;
}

bool chip_lapic_accepts_extint(const struct chip_lapic *l)
{
	u32 lint0 = l->lvt[LVT_LINT0];

	return !chip_lapic_hw_enabled(l) ||
	       (!(lint0 & LVT_MASKED) && LVT_MODE(lint0) == IRQ_EXTINT);
}

/* ------------------------------------------------------------------ the timer */

static bool timer_counts(const struct chip_lapic *l)
{
	return !(l->lvt[LVT_TIMER] & LVT_TSC);
}

/* The divider, 10.5.4: bits 3, 1 and 0 give 2, 4, ... 128, and 1 for all ones. */
static unsigned int timer_shift(const struct chip_lapic *l)
{
	return (((l->tdcr & 3) | (l->tdcr & 8) >> 1) + 1) & 7;
}

static u64 timer_period(const struct chip_lapic *l)
{
	u64 period = (u64)l->tmict << timer_shift(l);

	if (l->lvt[LVT_TIMER] & LVT_PERIODIC && period < MIN_PERIOD_NS)
		return MIN_PERIOD_NS;
	return period;
}

static u32 timer_count(const struct chip_lapic *l, u64 now)
{
	unsigned int shift = timer_shift(l);
	u64 count;

	if (!l->counting || l->expiry <= now)
		return 0;
	count = (l->expiry - now + (1ULL << shift) - 1) >> shift;
	/* A period that was stretched still counts from TMICT. */
	return count < l->tmict ? (u32)count : l->tmict;
}

static void timer_stop(struct chip_lapic *l, struct chip_lapic_effects *fx)
{
	l->counting = false;
	l->tsc_deadline = 0;
	fx->what |= LAPIC_FX_TIMER;
}

void chip_lapic_timer_run(struct chip_lapic *l, u64 now, struct chip_lapic_effects *fx)
{
	u64 period;

	if (!l->counting || now < l->expiry)
		return;
	/* Periods that were missed are one interrupt, as IRR has one bit. */
	if (l->lvt[LVT_TIMER] & LVT_PERIODIC) {
		period = timer_period(l);
		l->expiry += ((now - l->expiry) / period + 1) * period;
	} else {
		l->counting = false;
	}
	lvt_deliver(l, LVT_TIMER, fx);
	fx->what |= LAPIC_FX_TIMER;
}

void chip_lapic_timer_expire_tsc(struct chip_lapic *l, struct chip_lapic_effects *fx)
{
	if (!l->tsc_deadline)
		return;
	l->tsc_deadline = 0;
	lvt_deliver(l, LVT_TIMER, fx);
	fx->what |= LAPIC_FX_TIMER;
}

/* A masked count wakes nobody: what became of it is worked out when it is looked at. */
enum chip_lapic_timer chip_lapic_timer(const struct chip_lapic *l, u64 *when)
{
	*when = l->counting ? l->expiry : l->tsc_deadline;
	if (l->counting && !(l->lvt[LVT_TIMER] & LVT_MASKED))
		return LAPIC_TIMER_NS;
	return l->tsc_deadline ? LAPIC_TIMER_TSC : LAPIC_TIMER_OFF;
}

u64 chip_lapic_tsc_deadline(const struct chip_lapic *l)
{
	return l->tsc_deadline;
}

void chip_lapic_set_tsc_deadline(struct chip_lapic *l, u64 value, struct chip_lapic_effects *fx)
{
	if (!chip_lapic_hw_enabled(l) || (l->lvt[LVT_TIMER] & (LVT_TSC | LVT_PERIODIC)) != LVT_TSC)
		return;
	l->tsc_deadline = value;
	fx->what |= LAPIC_FX_TIMER;
}

static void write_lvt_timer(struct chip_lapic *l, u32 value, u64 now,
			    struct chip_lapic_effects *fx)
{
	chip_lapic_timer_run(l, now, fx);
	/* To and from TSC-deadline mode the timer is disarmed: 10.5.4.1. */
	if ((l->lvt[LVT_TIMER] ^ value) & LVT_TSC) {
		timer_stop(l, fx);
		l->tmict = 0;
	} else if ((value & (LVT_TSC | LVT_PERIODIC)) == (LVT_TSC | LVT_PERIODIC)) {
		timer_stop(l, fx);
	}
	l->lvt[LVT_TIMER] = value;
	fx->what |= LAPIC_FX_TIMER;
}

static void write_tmict(struct chip_lapic *l, u32 value, u64 now, struct chip_lapic_effects *fx)
{
	if (!timer_counts(l))
		return;
	chip_lapic_timer_run(l, now, fx);
	l->tmict = value;
	l->counting = value;
	l->expiry = now + timer_period(l);
	fx->what |= LAPIC_FX_TIMER;
}

/* The count stays what it is, its ticks change. */
static void write_tdcr(struct chip_lapic *l, u32 value, u64 now, struct chip_lapic_effects *fx)
{
	u32 count;

	chip_lapic_timer_run(l, now, fx);
	count = timer_count(l, now);
	l->tdcr = value;
	l->expiry = now + ((u64)count << timer_shift(l));
	fx->what |= LAPIC_FX_TIMER;
}

/* ------------------------------------------------------------------ registers */

void chip_lapic_set_tpr(struct chip_lapic *l, u8 tpr, struct chip_lapic_effects *fx)
{
	l->tpr = tpr;
	update_ppr(l);
	fx->what |= LAPIC_FX_PENDING;
}

/* SVR bit 12 does not keep the EOI from the IOAPIC: see irq/eoi.c. */
void chip_lapic_eoi(struct chip_lapic *l, struct chip_lapic_effects *fx)
{
	unsigned int vector = l->isr_top;

	if (!vector)
		return;
	l->isr[vector / 64] &= ~BIT_ULL(vector % 64);
	l->isr_top = chip_lapic_top(l->isr);
	update_ppr(l);
	fx->eoi_vector = (u8)vector;
	fx->eoi_level = test_vector(l->tmr, vector);
	fx->what |= LAPIC_FX_EOI | LAPIC_FX_PENDING;
}

void chip_lapic_acknowledge(struct chip_lapic *l, unsigned int vector)
{
	l->irr[vector / 64] &= ~BIT_ULL(vector % 64);
	l->isr[vector / 64] |= BIT_ULL(vector % 64);
	if (vector > l->isr_top)
		l->isr_top = vector;
	update_ppr(l);
}

static void write_svr(struct chip_lapic *l, u32 value, u64 now, struct chip_lapic_effects *fx)
{
	unsigned int i;

	if ((l->svr ^ value) & SVR_ENABLE)
		fx->what |= LAPIC_FX_ADDRESS | LAPIC_FX_TIMER;
	if (!(value & SVR_ENABLE)) {
		chip_lapic_timer_run(l, now, fx);
		for (i = 0; i < LVT_COUNT; i++)
			l->lvt[i] |= LVT_MASKED;
	}
	l->svr = value;
}

static void send_self(struct chip_lapic *l, u8 vector, struct chip_lapic_effects *fx)
{
	if (vector < 16)
		log_error(l, ESR_SEND_VECTOR, fx);
	else
		accept_one(l, vector, false, fx);
}

/*
 * An IPI, 10.6.1. Level de-assert is of no effect on any CPU since the Pentium 4, and
 * IPIs are edge-triggered there; modes 3 and 7 are reserved.
 */
static void send_ipi(struct chip_lapic *l, struct chip_lapic_effects *fx)
{
	u32 low = (u32)l->icr, high = l->icr >> 32;
	struct irq_message m = {
		.dest = chip_lapic_x2apic(l) ? high : high >> 24,
		.vector = low & 0xff,
		.mode = LVT_MODE(low),
		.shorthand = low >> 18 & 3,
		.logical = low & ICR_LOGICAL,
		.dest8 = !chip_lapic_x2apic(l),
	};

	if ((low & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL || m.mode == IRQ_MODE_3 ||
	    m.mode == IRQ_EXTINT)
		return;
	if (m.shorthand == IRQ_TO_SELF && m.mode == IRQ_FIXED) {
		send_self(l, m.vector, fx);
	} else if (m.mode <= IRQ_LOWEST && m.vector < 16) {
		log_error(l, ESR_SEND_VECTOR, fx);
	} else {
		fx->message = m;
		fx->what |= LAPIC_FX_SEND;
	}
}

static u32 read_vectors(const struct chip_lapic *l, u32 reg)
{
	const u64 *set = reg >= LAPIC_IRR ? l->irr : reg >= LAPIC_TMR ? l->tmr : l->isr;
	unsigned int word = reg >> 4 & 7;

	return (u32)(set[word / 2] >> (word % 2 * 32));
}

/* @reg is one of REGS_XAPIC, and readable in this mode. */
static u32 read_register(struct chip_lapic *l, u32 reg, u64 now, struct chip_lapic_effects *fx)
{
	bool x2apic = chip_lapic_x2apic(l);

	switch (reg) {
	case LAPIC_ID:
		return x2apic ? l->vcpu_id : l->id << 24;
	case LAPIC_VERSION:
		return VERSION | (l->features & CHIP_LAPIC_DIRECTED_EOI ? VERSION_DIRECTED_EOI : 0);
	case LAPIC_TPR:
		return l->tpr;
	case LAPIC_PPR:
		return l->ppr;
	case LAPIC_LDR:
		return x2apic ? x2apic_ldr(l->vcpu_id) : l->ldr;
	case LAPIC_DFR:
		return l->dfr | DFR_ONES;
	case LAPIC_SVR:
		return l->svr;
	case LAPIC_ESR:
		return l->esr;
	case LAPIC_ICR:
		return (u32)l->icr;
	case LAPIC_ICR2:
		return l->icr >> 32;
	case LAPIC_LVT ... LAPIC_LVT_END:
		return l->lvt[(reg - LAPIC_LVT) >> 4];
	case LAPIC_TMICT:
		return l->tmict;
	case LAPIC_TMCCT:
		chip_lapic_timer_run(l, now, fx);
		return timer_count(l, now);
	case LAPIC_TDCR:
		return l->tdcr;
	case LAPIC_ISR ... LAPIC_IRR + 0x70:
		return read_vectors(l, reg);
	}
	return 0;	/* APR: no arbitration bus; EOI is write-only */
}

/* The bits of @reg that a write may set; all others are reserved or read-only. */
static u32 writable(const struct chip_lapic *l, u32 reg)
{
	switch (reg) {
	case LAPIC_ID:
	case LAPIC_LDR:
	case LAPIC_ICR2:
		return 0xff000000;
	case LAPIC_DFR:
		return DFR_FLAT;
	case LAPIC_TPR:
	case LAPIC_SELF_IPI:
		return 0xff;
	case LAPIC_SVR:
		return writable_svr(l);
	case LAPIC_ICR:
		return ICR_LOW_BITS;
	case LAPIC_LVT ... LAPIC_LVT_END:
		return writable_lvt(l, (reg - LAPIC_LVT) >> 4);
	case LAPIC_TMICT:
		return ~0U;
	case LAPIC_TDCR:
		return 0xb;
	}
	return 0;	/* EOI, ESR: any value does; the read-only registers */
}

/* @value has only writable bits. */
static void write_register(struct chip_lapic *l, u32 reg, u32 value, u64 now,
			   struct chip_lapic_effects *fx)
{
	switch (reg) {
	case LAPIC_ID:
		l->id = value >> 24;
		fx->what |= LAPIC_FX_ADDRESS;
		break;
	case LAPIC_TPR:
		chip_lapic_set_tpr(l, (u8)value, fx);
		break;
	case LAPIC_EOI:
		chip_lapic_eoi(l, fx);
		break;
	case LAPIC_LDR:
		l->ldr = value;
		fx->what |= LAPIC_FX_ADDRESS;
		break;
	case LAPIC_DFR:
		l->dfr = value;
		fx->what |= LAPIC_FX_ADDRESS;
		break;
	case LAPIC_SVR:
		write_svr(l, value, now, fx);
		break;
	case LAPIC_ESR:
		l->esr = l->errors;
		l->errors = 0;
		break;
	case LAPIC_ICR:
		l->icr = (l->icr & ~0xffffffffULL) | value;
		send_ipi(l, fx);
		break;
	case LAPIC_ICR2:
		l->icr = (u32)l->icr | (u64)value << 32;
		break;
	case LAPIC_LVT ... LAPIC_LVT_END:
		if (!(l->svr & SVR_ENABLE))
			value |= LVT_MASKED;
		if (reg == LAPIC_LVT)
			write_lvt_timer(l, value, now, fx);
		else
			l->lvt[(reg - LAPIC_LVT) >> 4] = value;
		/* LINT0 as ExtINT lets a waiting 8259 vector in. */
		fx->what |= LAPIC_FX_PENDING;
		break;
	case LAPIC_TMICT:
		write_tmict(l, value, now, fx);
		break;
	case LAPIC_TDCR:
		write_tdcr(l, value, now, fx);
		break;
	case LAPIC_SELF_IPI:
		send_self(l, (u8)value, fx);
		break;
	}
}

/* Is @offset a register of the xAPIC page? If not, ESR tells (10.5.3, bit 7). */
static bool page_has(struct chip_lapic *l, u32 offset, struct chip_lapic_effects *fx)
{
	if (offset < LAPIC_STATE_SIZE && REGS_XAPIC & REG(offset))
		return true;
	log_error(l, ESR_REGISTER, fx);
	return false;
}

void chip_lapic_mmio_read(struct chip_lapic *l, u32 offset, void *data, unsigned int len,
			  u64 now, struct chip_lapic_effects *fx)
{
	u32 value;

	memset(data, 0, len);
	if (!page_has(l, offset, fx) || (offset & 0xf) + len > 4)
		return;
	value = read_register(l, offset & 0xff0, now, fx);
	memcpy(data, (u8 *)&value + (offset & 0xf), len);
}

void chip_lapic_mmio_write(struct chip_lapic *l, u32 offset, const void *data,
			   unsigned int len, u64 now, struct chip_lapic_effects *fx)
{
	u32 value;

	if (!page_has(l, offset, fx) || offset & 0xf || len != 4)
		return;
	memcpy(&value, data, 4);
	write_register(l, offset, value & writable(l, offset), now, fx);
}

int chip_lapic_msr_read(struct chip_lapic *l, u32 msr, u64 *value, u64 now,
			struct chip_lapic_effects *fx)
{
	u32 reg = (msr - LAPIC_MSR_FIRST) << 4;

	if (!chip_lapic_x2apic(l) || reg >= LAPIC_STATE_SIZE || !(REGS_READ_X2 & REG(reg)))
		return -EINVAL;
	*value = reg == LAPIC_ICR ? l->icr : read_register(l, reg, now, fx);
	return 0;
}

int chip_lapic_msr_write(struct chip_lapic *l, u32 msr, u64 value, u64 now,
			 struct chip_lapic_effects *fx)
{
	u32 reg = (msr - LAPIC_MSR_FIRST) << 4;
	u64 allowed;

	if (!chip_lapic_x2apic(l) || reg >= LAPIC_STATE_SIZE)
		return -EINVAL;
	if (reg == LAPIC_ICR) {
		if ((u32)value & ~(ICR_LOW_BITS | ICR_STATUS))
			return -EINVAL;
		l->icr = value & ~(u64)ICR_STATUS;
		send_ipi(l, fx);
		return 0;
	}
	if (!(REGS_WRITE_X2 & REG(reg)))
		return -EINVAL;
	allowed = writable(l, reg);
	/* What reads as set may be written back. */
	if (REGS_LVT & REG(reg))
		allowed |= LVT_STATUS;
	if (reg == LAPIC_LVT + LVT_LINT0 * 16 || reg == LAPIC_LVT + LVT_LINT1 * 16)
		allowed |= LVT_REMOTE_IRR;
	if (value & ~allowed)
		return -EINVAL;
	write_register(l, reg, (u32)value & writable(l, reg), now, fx);
	return 0;
}

/* ------------------------------------------------------------------ the whole */

/* RESET and INIT alike (10.4.7.1, 10.4.7.3): all but APIC_BASE and the id. */
static void reset_registers(struct chip_lapic *l, struct chip_lapic_effects *fx)
{
	unsigned int i;

	memset(l->irr, 0, sizeof(l->irr));
	memset(l->isr, 0, sizeof(l->isr));
	memset(l->tmr, 0, sizeof(l->tmr));
	l->isr_top = 0;
	l->tpr = 0;
	update_ppr(l);
	l->svr = SVR_RESET;
	l->icr = 0;
	l->ldr = 0;
	l->dfr = DFR_FLAT;
	l->esr = 0;
	l->errors = 0;
	for (i = 0; i < LVT_COUNT; i++)
		l->lvt[i] = LVT_MASKED;
	if ((l->features & CHIP_LAPIC_LINT0_EXTINT) && (l->features & CHIP_LAPIC_BSP))
		l->lvt[LVT_LINT0] = IRQ_EXTINT << 8;
	l->tmict = 0;
	l->tdcr = 0;
	timer_stop(l, fx);
	fx->what |= LAPIC_FX_ADDRESS | LAPIC_FX_PENDING;
}

void chip_lapic_create(struct chip_lapic *l, u32 vcpu_id, u32 features, u32 phys_bits)
{
	struct chip_lapic_effects fx = { 0 };

	memset(l, 0, sizeof(*l));
	l->vcpu_id = vcpu_id;
	l->id = vcpu_id & 0xff;
	l->features = features;
	l->phys_bits = phys_bits;
	l->base = LAPIC_BASE_DEFAULT | LAPIC_BASE_EN;
	if (features & CHIP_LAPIC_BSP)
		l->base |= LAPIC_BASE_BSP;
	reset_registers(l, &fx);
}

void chip_lapic_set_features(struct chip_lapic *l, u32 features, u32 phys_bits)
{
	l->features = features;
	l->phys_bits = phys_bits;
}

void chip_lapic_init_signal(struct chip_lapic *l, struct chip_lapic_effects *fx)
{
	reset_registers(l, fx);
}

int chip_lapic_check_base(u64 old, u64 value, u32 features, u32 phys_bits, enum x86_msr_by by)
{
	u64 mode = value & BASE_MODES;

	old &= BASE_MODES;
	if (value & BASE_RESERVED || value >> phys_bits)
		return -EINVAL;
	if (mode & LAPIC_BASE_EXTD &&
	    (!(mode & LAPIC_BASE_EN) || !(features & CHIP_LAPIC_X2APIC)))
		return -EINVAL;
	/* x2APIC is entered from xAPIC only, and left to disabled only. */
	if (by == X86_MSR_BY_GUEST &&
	    ((!old && mode == BASE_MODES) || (old == BASE_MODES && mode == LAPIC_BASE_EN)))
		return -EINVAL;
	return 0;
}

int chip_lapic_set_base(struct chip_lapic *l, u64 value, enum x86_msr_by by,
			struct chip_lapic_effects *fx)
{
	u64 old = l->base & BASE_MODES, new = value & BASE_MODES;

	if (chip_lapic_check_base(old, value, l->features, l->phys_bits, by))
		return -EINVAL;
	l->base = value;
	if (old == new)
		return 0;
	if (by == X86_MSR_BY_GUEST && !new)
		reset_registers(l, fx);
	/* The id and the destination have another form in the new mode. */
	l->id = l->vcpu_id & 0xff;
	l->ldr = 0;
	l->icr = (u32)l->icr;
	fx->what |= LAPIC_FX_ADDRESS | LAPIC_FX_PENDING;
	return 0;
}

void chip_lapic_save(struct chip_lapic *l, u32 page[LAPIC_STATE_SIZE / 4], u64 now,
		     struct chip_lapic_effects *fx)
{
	u32 reg;

	chip_lapic_timer_run(l, now, fx);
	memset(page, 0, LAPIC_STATE_SIZE);
	for (reg = 0; reg < LAPIC_STATE_SIZE; reg += 16) {
		if (REGS_XAPIC & REG(reg))
			page[reg / 4] = read_register(l, reg, now, fx);
	}
	if (chip_lapic_x2apic(l) && !(l->features & CHIP_LAPIC_ID32))
		page[LAPIC_ID / 4] = l->vcpu_id << 24;
}

/* Two words of @page, one for each 16 bytes, are one of a vector set. */
static void restore_vectors(u64 set[4], const u32 *page)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		set[i] = page[i * 8] | (u64)page[i * 8 + 4] << 32;
	set[0] &= ~0xffffULL;
}

int chip_lapic_restore(struct chip_lapic *l, const u32 page[LAPIC_STATE_SIZE / 4], u64 now,
		       struct chip_lapic_effects *fx)
{
	u32 timer = l->lvt[LVT_TIMER], count, i;

	if (chip_lapic_x2apic(l) && l->features & CHIP_LAPIC_ID32 &&
	    page[LAPIC_ID / 4] != l->vcpu_id)
		return -EINVAL;
	if (!chip_lapic_x2apic(l))
		l->id = page[LAPIC_ID / 4] >> 24;
	l->ldr = page[LAPIC_LDR / 4] & 0xff000000;
	l->dfr = page[LAPIC_DFR / 4] & DFR_FLAT;
	l->svr = page[LAPIC_SVR / 4] & writable_svr(l);
	l->esr = page[LAPIC_ESR / 4] & 0xff;
	l->errors = 0;
	l->icr = (page[LAPIC_ICR / 4] & ICR_LOW_BITS) | (u64)page[LAPIC_ICR2 / 4] << 32;
	restore_vectors(l->isr, page + LAPIC_ISR / 4);
	restore_vectors(l->tmr, page + LAPIC_TMR / 4);
	restore_vectors(l->irr, page + LAPIC_IRR / 4);
	l->isr_top = chip_lapic_top(l->isr);
	l->tpr = page[LAPIC_TPR / 4] & 0xff;
	update_ppr(l);
	for (i = 0; i < LVT_COUNT; i++) {
		l->lvt[i] = page[(LAPIC_LVT + i * 16) / 4] & writable_lvt(l, i);
		if (!(l->svr & SVR_ENABLE))
			l->lvt[i] |= LVT_MASKED;
	}
	/* The deadline is an MSR of its own, kept unless the mode changes. */
	if ((timer ^ l->lvt[LVT_TIMER]) & (LVT_TSC | LVT_PERIODIC))
		l->tsc_deadline = 0;
	l->tdcr = page[LAPIC_TDCR / 4] & 0xb;
	l->tmict = timer_counts(l) ? page[LAPIC_TMICT / 4] : 0;
	/*
	 * The count goes on where it was. VMMs that save no count would lose a one-shot
	 * timer for good, so 0 means that it is due at once, or that a period begins.
	 */
	l->counting = l->tmict;
	count = page[LAPIC_TMCCT / 4];
	if (count > l->tmict)
		count = l->tmict;
	if (count)
		l->expiry = now + ((u64)count << timer_shift(l));
	else
		l->expiry = now + (l->lvt[LVT_TIMER] & LVT_PERIODIC ? timer_period(l) : 0);
	fx->what |= LAPIC_FX_ADDRESS | LAPIC_FX_PENDING | LAPIC_FX_TIMER;
	return 0;
}

/* ------------------------------------------------------------------ addresses */

u64 chip_lapic_address(const struct chip_lapic *l)
{
	bool x2apic = chip_lapic_x2apic(l);
	/* An id that xAPIC mode cannot hold is reached all the same, to be started. */
	u64 word = x2apic || l->vcpu_id > 0xff ? l->vcpu_id : l->id;

	word |= (u64)(l->ldr >> 24) << 32;
	if (l->dfr != DFR_FLAT)
		word |= LAPIC_ADDRESS_CLUSTER;
	if (x2apic)
		word |= LAPIC_ADDRESS_X2APIC;
	if (chip_lapic_hw_enabled(l))
		word |= LAPIC_ADDRESS_HW;
	if (l->svr & SVR_ENABLE)
		word |= LAPIC_ADDRESS_SW;
	return word;
}

bool chip_lapic_match(u64 address, const struct irq_message *m)
{
	u32 id = (u32)address, logical = address >> 32 & 0xff;

	if (!(address & LAPIC_ADDRESS_HW))
		return false;
	if (m->dest == ~0U)
		return true;
	if (m->dest == 0xff && (m->dest8 || !(address & LAPIC_ADDRESS_X2APIC)))
		return true;
	if (!m->logical)
		return m->dest == id;
	if (address & LAPIC_ADDRESS_X2APIC) {
		logical = x2apic_ldr(id);
		return logical >> 16 == m->dest >> 16 && logical & m->dest & 0xffff;
	}
	if (m->dest > 0xff)
		return false;
	if (address & LAPIC_ADDRESS_CLUSTER)
		return logical >> 4 == m->dest >> 4 && logical & m->dest & 0xf;
	return logical & m->dest;
}

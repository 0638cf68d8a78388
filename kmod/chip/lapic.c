// SPDX-License-Identifier: GPL-2.0
/*
 * See lapic.h. Sections and tables named here are those of the Intel SDM, volume 3.
 *
 * Invariants, whatever a guest or a restored page does: isr_top and PPR follow ISR and TPR; an LVT
 * entry is masked while SVR has the APIC disabled; the count runs only in one-shot and periodic
 * mode, with TMICT not 0.
 */
#include "lapic.h"

#define VERSION		(0x14 | (LAPIC_LVT_END - LAPIC_LVT) / 16 << 16)
#define VERSION_DIRECTED_EOI	BIT(24)
#define SVR_ENABLE	BIT(8)
#define SVR_DIRECTED_EOI	BIT(12)
#define DFR_ONES	0x0fffffff
#define DFR_FLAT	0xffffffff
#define BASE_RESERVED	(0xffULL | BIT_ULL(9))
#define BASE_MODES	(LAPIC_BASE_EN | LAPIC_BASE_EXTD)

enum { ICR_STATUS = BIT(12), ICR_ASSERT = BIT(14), ICR_LEVEL = BIT(15) };
#define ICR_X2APIC	(0xccfff | ICR_STATUS | ~0ULL << 32)	/* and all else is reserved */
enum { ESR_SEND_VECTOR = BIT(5), ESR_RECV_VECTOR = BIT(6), ESR_REGISTER = BIT(7) };

#define LVT_STATUS	BIT(12)		/* read-only: delivery status */
#define LVT_REMOTE_IRR	BIT(14)		/* read-only */
#define LVT_PERIODIC	BIT(17)
#define LVT_TSC		BIT(18)
#define LVT_TIMER_MODE	(LVT_PERIODIC | LVT_TSC)

/* Sets of registers, one bit for each 16 bytes of the page. */
#define REG(r)		BIT_ULL((r) >> 4)
#define REGS_VECTORS	(0xffffffULL << (LAPIC_ISR >> 4))	/* and TMR and IRR after it */
#define REGS_LVT	(0x3fULL << (LAPIC_LVT >> 4))
/* Registers of which a saved page has the whole, but those that SVR and the mode decide. */
#define REGS_RESTORE	(REG(LAPIC_TPR) | REG(LAPIC_SVR) | REG(LAPIC_ICR) | REGS_LVT | \
			 REG(LAPIC_TMICT) | REG(LAPIC_TDCR))
#define REGS_READ_X2	(REGS_RESTORE | REGS_VECTORS | REG(LAPIC_ID) | REG(LAPIC_VERSION) | \
			 REG(LAPIC_PPR) | REG(LAPIC_LDR) | REG(LAPIC_ESR) | REG(LAPIC_TMCCT))
#define REGS_WRITE_X2	(REGS_RESTORE | REG(LAPIC_EOI) | REG(LAPIC_ESR) | REG(LAPIC_SELF_IPI))
#define REGS_XAPIC	(REGS_READ_X2 | REG(LAPIC_APR) | REG(LAPIC_EOI) | REG(LAPIC_DFR) | \
			 REG(LAPIC_ICR2))

/* Bits that a write may set. An xAPIC keeps reserved ones of the ICR, as KVM. EOI, ESR: any. */
static const u32 writable_bits[64] = {
	[LAPIC_ID >> 4] = 0xff000000, [LAPIC_TPR >> 4] = 0xff, [LAPIC_LDR >> 4] = 0xff000000,
	[LAPIC_DFR >> 4] = ~DFR_ONES, [LAPIC_SVR >> 4] = 0x3ff | SVR_DIRECTED_EOI,
	[LAPIC_ICR >> 4] = ~ICR_STATUS, [LAPIC_ICR2 >> 4] = 0xff000000,
	[LAPIC_LVT >> 4] = 0xff | LVT_MASKED | LVT_TIMER_MODE,
	[(LAPIC_LVT >> 4) + 1 ... (LAPIC_LINT0 >> 4) - 1] = 0x7ff | LVT_MASKED,
	[LAPIC_LINT0 >> 4 ... LAPIC_LINT1 >> 4] = 0xa7ff | LVT_MASKED,
	[LAPIC_LVT_END >> 4] = 0xff | LVT_MASKED,
	[LAPIC_TMICT >> 4] = ~0U, [LAPIC_TDCR >> 4] = 0xb, [LAPIC_SELF_IPI >> 4] = 0xff,
};

static u32 writable(const struct chip_lapic *l, u32 reg)
{
	u32 bits = writable_bits[reg >> 4 & 63];

	if (reg == LAPIC_LVT && !(l->features & CHIP_LAPIC_TSC_DEADLINE))
		bits &= ~LVT_TSC;
	if (reg == LAPIC_SVR && !(l->features & CHIP_LAPIC_DIRECTED_EOI))
		bits &= ~SVR_DIRECTED_EOI;
	return bits;
}

static u32 get(const struct chip_lapic *l, u32 reg)
{
	return chip_lapic_reg(l, reg);
}

static void set(struct chip_lapic *l, u32 reg, u32 value)
{
	l->reg[reg >> 4 & 63] = value;
}

static u32 x2apic_ldr(u32 id)
{
	return id >> 4 << 16 | 1U << (id & 0xf);
}

/* Processor priority, 10.8.3.1: the higher class of TPR and the vector in service. */
static void update_ppr(struct chip_lapic *l)
{
	u32 tpr = get(l, LAPIC_TPR), isr = l->isr_top & 0xf0;

	set(l, LAPIC_PPR, (tpr & 0xf0) >= isr ? tpr : isr);
}

static void lvt_deliver(struct chip_lapic *l, u32 reg);

/* The interrupt comes with the first error after a write to ESR only: 10.5.3. */
static void log_error(struct chip_lapic *l, u32 bit)
{
	u32 before = l->errors;

	l->errors |= bit;
	if (!before)
		lvt_deliver(l, LAPIC_LVT_END);
}

void chip_lapic_accept(struct chip_lapic *l, u32 word, u64 new, u64 level)
{
	if (!new || !chip_lapic_hw_enabled(l) || !(get(l, LAPIC_SVR) & SVR_ENABLE))
		return;
	if (!word && new & 0xffff) {
		log_error(l, ESR_RECV_VECTOR);
		new &= ~0xffffULL;
	}
	l->irr[word] |= new;
	l->tmr[word] = (l->tmr[word] & ~new) | (level & new);
}

static void accept_edge(struct chip_lapic *l, u8 vector)
{
	chip_lapic_accept(l, vector / 64, BIT_ULL(vector % 64), 0);
}

/* A signal of the timer or of the error log, whose entries have no modes: 10.5.1. */
static void lvt_deliver(struct chip_lapic *l, u32 reg)
{
	if (!(get(l, reg) & LVT_MASKED))
		accept_edge(l, (u8)get(l, reg));
}

bool chip_lapic_accepts_extint(const struct chip_lapic *l)
{
	u32 lint0 = get(l, LAPIC_LINT0);

	return !chip_lapic_hw_enabled(l) ||
	       (!(lint0 & LVT_MASKED) && LVT_MODE(lint0) == IRQ_EXTINT);
}

void chip_lapic_acknowledge(struct chip_lapic *l, unsigned int vector)
{
	l->irr[vector / 64] &= ~BIT_ULL(vector % 64);
	l->isr[vector / 64] |= BIT_ULL(vector % 64);
	if (vector > l->isr_top)
		l->isr_top = vector;
	update_ppr(l);
}

/* SVR bit 12 does not keep the EOI from the IOAPIC: see eoi_scan(). */
void chip_lapic_eoi(struct chip_lapic *l)
{
	unsigned int vector = l->isr_top;

	if (!vector)
		return;
	l->isr[vector / 64] &= ~BIT_ULL(vector % 64);
	l->isr_top = chip_lapic_top(l->isr);
	update_ppr(l);
	l->fx.eoi_vector = (u8)vector;
	l->fx.eoi_level = l->tmr[vector / 64] >> vector % 64 & 1;
	l->fx.what |= LAPIC_FX_EOI;
}

void chip_lapic_set_tpr(struct chip_lapic *l, u8 tpr)
{
	set(l, LAPIC_TPR, tpr);
	update_ppr(l);
}

/* The divider, 10.5.4: bits 3, 1 and 0 give 2, 4, ... 128, and 1 for all ones. */
static unsigned int timer_shift(const struct chip_lapic *l)
{
	u32 tdcr = get(l, LAPIC_TDCR);

	return (((tdcr & 3) | (tdcr & 8) >> 1) + 1) & 7;
}

static u64 timer_period(const struct chip_lapic *l)
{
	u64 period = (u64)get(l, LAPIC_TMICT) << timer_shift(l);

	return get(l, LAPIC_LVT) & LVT_PERIODIC && period < MIN_PERIOD_NS ? MIN_PERIOD_NS : period;
}

static u32 timer_count(const struct chip_lapic *l, u64 now)
{
	unsigned int shift = timer_shift(l);
	u32 initial = get(l, LAPIC_TMICT);
	u64 count;

	if (!l->counting || l->expiry <= now)
		return 0;
	count = (l->expiry - now + (1ULL << shift) - 1) >> shift;
	/* A period that was stretched still counts from TMICT. */
	return count < initial ? (u32)count : initial;
}

static void timer_stop(struct chip_lapic *l)
{
	l->counting = false;
	l->tsc_deadline = 0;
	l->fx.what |= LAPIC_FX_TIMER;
}

void chip_lapic_timer_run(struct chip_lapic *l, u64 now)
{
	u64 period = timer_period(l);

	if (!l->counting || now < l->expiry)
		return;
	/* Periods that were missed are one interrupt, as IRR has one bit. */
	if (get(l, LAPIC_LVT) & LVT_PERIODIC)
		l->expiry += ((now - l->expiry) / period + 1) * period;
	else
		l->counting = false;
	lvt_deliver(l, LAPIC_LVT);
	l->fx.what |= LAPIC_FX_TIMER;
}

void chip_lapic_timer_expire_tsc(struct chip_lapic *l)
{
	if (!l->tsc_deadline)
		return;
	l->tsc_deadline = 0;
	lvt_deliver(l, LAPIC_LVT);
	l->fx.what |= LAPIC_FX_TIMER;
}

/* A masked count wakes nobody: what became of it is worked out when it is looked at. */
enum chip_lapic_timer chip_lapic_timer(const struct chip_lapic *l, u64 *when)
{
	*when = l->counting ? l->expiry : l->tsc_deadline;
	if (l->counting && !(get(l, LAPIC_LVT) & LVT_MASKED))
		return LAPIC_TIMER_NS;
	return l->tsc_deadline ? LAPIC_TIMER_TSC : LAPIC_TIMER_OFF;
}

void chip_lapic_set_tsc_deadline(struct chip_lapic *l, u64 value)
{
	if (!chip_lapic_hw_enabled(l) || (get(l, LAPIC_LVT) & LVT_TIMER_MODE) != LVT_TSC)
		return;
	l->tsc_deadline = value;
	l->fx.what |= LAPIC_FX_TIMER;
}

/* A write to the entry, the initial count or the divider. */
static void write_timer(struct chip_lapic *l, u32 reg, u32 value, u64 now)
{
	u32 count, mode = get(l, LAPIC_LVT);

	if (reg == LAPIC_TMICT && mode & LVT_TSC)
		return;
	chip_lapic_timer_run(l, now);
	count = timer_count(l, now);
	set(l, reg, value);
	l->fx.what |= LAPIC_FX_TIMER;
	if (reg == LAPIC_TMICT) {
		l->counting = value;
		l->expiry = now + timer_period(l);
	} else if (reg == LAPIC_TDCR) {
		/* The count stays what it is, its ticks change. */
		l->expiry = now + ((u64)count << timer_shift(l));
	} else if ((mode ^ value) & LVT_TSC) {
		/* To and from TSC-deadline mode the timer is disarmed: 10.5.4.1. */
		timer_stop(l);
		set(l, LAPIC_TMICT, 0);
	} else if ((value & LVT_TIMER_MODE) == LVT_TIMER_MODE) {
		timer_stop(l);
	}
}

static void mask_lvts(struct chip_lapic *l)
{
	u32 reg;

	for (reg = LAPIC_LVT; reg <= LAPIC_LVT_END; reg += 16)
		set(l, reg, get(l, reg) | LVT_MASKED);
}

static void send_self(struct chip_lapic *l, u8 vector)
{
	if (vector < 16)
		log_error(l, ESR_SEND_VECTOR);
	else
		accept_edge(l, vector);
}

/*
 * An IPI, 10.6.1. Level de-assert is of no effect on any CPU since the Pentium 4, and IPIs are
 * edge-triggered there; modes 3 and 7 are reserved.
 */
static void send_ipi(struct chip_lapic *l)
{
	u32 low = get(l, LAPIC_ICR), high = get(l, LAPIC_ICR2);
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
		send_self(l, m.vector);
	} else if (m.mode <= IRQ_LOWEST && m.vector < 16) {
		log_error(l, ESR_SEND_VECTOR);
	} else {
		l->fx.message = m;
		l->fx.what |= LAPIC_FX_SEND;
	}
}

/* The four bytes of a set that the vector register @reg shows. */
static u8 *vectors_at(struct chip_lapic *l, u32 reg)
{
	u64 *set = reg >= LAPIC_IRR ? l->irr : reg >= LAPIC_TMR ? l->tmr : l->isr;

	return (u8 *)set + (reg >> 4 & 7) * 4;
}

static u32 read_register(struct chip_lapic *l, u32 reg, u64 now)
{
	u32 value = get(l, reg);

	if (REGS_VECTORS & REG(reg)) {
		memcpy(&value, vectors_at(l, reg), 4);
	} else if (reg == LAPIC_VERSION) {
		value = VERSION;
		if (l->features & CHIP_LAPIC_DIRECTED_EOI)
			value |= VERSION_DIRECTED_EOI;
	} else if (reg == LAPIC_TMCCT) {
		chip_lapic_timer_run(l, now);
		value = timer_count(l, now);
	}
	return value;
}

/* @value has only writable bits. */
static void write_register(struct chip_lapic *l, u32 reg, u32 value, u64 now)
{
	switch (reg) {
	case LAPIC_TPR:
		chip_lapic_set_tpr(l, (u8)value);
		break;
	case LAPIC_EOI:
		chip_lapic_eoi(l);
		break;
	case LAPIC_DFR:
		value |= DFR_ONES;
		fallthrough;
	case LAPIC_ID:
	case LAPIC_LDR:
		set(l, reg, value);
		l->fx.what |= LAPIC_FX_ADDRESS;
		break;
	case LAPIC_SVR:
		l->fx.what |= LAPIC_FX_ADDRESS | LAPIC_FX_TIMER;
		if (!(value & SVR_ENABLE)) {
			chip_lapic_timer_run(l, now);
			mask_lvts(l);
		}
		set(l, reg, value);
		break;
	case LAPIC_ESR:
		set(l, reg, l->errors);
		l->errors = 0;
		break;
	case LAPIC_ICR:
	case LAPIC_ICR2:
		set(l, reg, value);
		if (reg == LAPIC_ICR)
			send_ipi(l);
		break;
	case LAPIC_LVT ... LAPIC_LVT_END:
		if (!(get(l, LAPIC_SVR) & SVR_ENABLE))
			value |= LVT_MASKED;
		if (reg == LAPIC_LVT)
			write_timer(l, reg, value, now);
		set(l, reg, value);
		if (reg == LAPIC_LINT0)	/* as ExtINT it lets a waiting 8259 vector in */
			l->fx.what |= LAPIC_FX_ADDRESS;
		break;
	case LAPIC_TMICT:
	case LAPIC_TDCR:
		write_timer(l, reg, value, now);
		break;
	case LAPIC_SELF_IPI:
		send_self(l, (u8)value);
		break;
	}
}

/* Is @offset a register of the xAPIC page? If not, ESR tells (10.5.3, bit 7). */
static bool page_has(struct chip_lapic *l, u32 offset)
{
	if (offset < LAPIC_STATE_SIZE && REGS_XAPIC & REG(offset))
		return true;
	log_error(l, ESR_REGISTER);
	return false;
}

void chip_lapic_mmio_read(struct chip_lapic *l, u32 offset, void *data, u32 len, u64 now)
{
	u32 value;

	memset(data, 0, len);
	if (!page_has(l, offset) || (offset & 0xf) + len > 4)
		return;
	value = read_register(l, offset & 0xff0, now);
	memcpy(data, (u8 *)&value + (offset & 0xf), len);
}

void chip_lapic_mmio_write(struct chip_lapic *l, u32 offset, const void *data, u32 len, u64 now)
{
	u32 value;

	if (!page_has(l, offset) || offset & 0xf || len != 4)
		return;
	memcpy(&value, data, 4);
	write_register(l, offset, value & writable(l, offset), now);
}

int chip_lapic_msr_read(struct chip_lapic *l, u32 msr, u64 *value, u64 now)
{
	u32 reg = (msr - X86_MSR_X2APIC_FIRST) << 4;

	if (!chip_lapic_x2apic(l) || reg >= LAPIC_STATE_SIZE || !(REGS_READ_X2 & REG(reg)))
		return -EINVAL;
	*value = read_register(l, reg, now);
	if (reg == LAPIC_ICR)
		*value |= (u64)get(l, LAPIC_ICR2) << 32;
	return 0;
}

int chip_lapic_msr_write(struct chip_lapic *l, u32 msr, u64 value, u64 now)
{
	u32 reg = (msr - X86_MSR_X2APIC_FIRST) << 4;
	u64 allowed;

	if (!chip_lapic_x2apic(l) || reg >= LAPIC_STATE_SIZE || !(REGS_WRITE_X2 & REG(reg)))
		return -EINVAL;
	allowed = writable(l, reg);
	/* What reads as set may be written back. */
	if (REGS_LVT & REG(reg))
		allowed |= LVT_STATUS;
	if (reg == LAPIC_LINT0 || reg == LAPIC_LINT1)
		allowed |= LVT_REMOTE_IRR;
	if (reg == LAPIC_ICR)
		allowed = ICR_X2APIC;
	if (value & ~allowed)
		return -EINVAL;
	if (reg == LAPIC_ICR)
		set(l, LAPIC_ICR2, value >> 32);
	write_register(l, reg, (u32)value & writable(l, reg), now);
	return 0;
}

/* The id and the logical id have another form in each mode. */
static void set_ids(struct chip_lapic *l)
{
	bool x2apic = chip_lapic_x2apic(l);

	set(l, LAPIC_ID, x2apic ? l->vcpu_id : l->vcpu_id << 24);
	set(l, LAPIC_LDR, x2apic ? x2apic_ldr(l->vcpu_id) : 0);
}

/* RESET and INIT alike: 10.4.7.1, 10.4.7.3. */
void chip_lapic_reset(struct chip_lapic *l)
{
	u32 id = get(l, LAPIC_ID);

	memset(l, 0, offsetof(struct chip_lapic, base));
	set_ids(l);
	set(l, LAPIC_ID, id);
	set(l, LAPIC_SVR, 0xff);
	set(l, LAPIC_DFR, DFR_FLAT);
	mask_lvts(l);
	if ((l->features & CHIP_LAPIC_LINT0_EXTINT) && (l->features & CHIP_LAPIC_BSP))
		set(l, LAPIC_LINT0, IRQ_EXTINT << 8);
	timer_stop(l);
	l->fx.what |= LAPIC_FX_ADDRESS;
}

void chip_lapic_create(struct chip_lapic *l, u32 vcpu_id, u32 features)
{
	*l = (struct chip_lapic){
		.base = LAPIC_BASE_DEFAULT | LAPIC_BASE_EN |
			(features & CHIP_LAPIC_BSP ? LAPIC_BASE_BSP : 0),
		.vcpu_id = vcpu_id, .features = features,
	};
	set_ids(l);
	chip_lapic_reset(l);
}

int chip_lapic_check_base(u64 old, u64 value, u32 features, enum x86_msr_by by)
{
	u64 mode = value & BASE_MODES;

	old &= BASE_MODES;
	if (value & BASE_RESERVED || mode == LAPIC_BASE_EXTD ||
	    (mode == BASE_MODES && !(features & CHIP_LAPIC_X2APIC)))
		return -EINVAL;
	/* x2APIC is entered from xAPIC only, and left to disabled only. */
	if (by == X86_MSR_BY_GUEST &&
	    ((!old && mode == BASE_MODES) || (old == BASE_MODES && mode == LAPIC_BASE_EN)))
		return -EINVAL;
	return 0;
}

void chip_lapic_set_base(struct chip_lapic *l, u64 value, enum x86_msr_by by)
{
	u64 old = l->base & BASE_MODES, new = value & BASE_MODES;

	l->base = value;
	if (old == new)
		return;
	if (by == X86_MSR_BY_GUEST && !new)
		chip_lapic_reset(l);
	set_ids(l);
	set(l, LAPIC_ICR2, 0);
	l->fx.what |= LAPIC_FX_ADDRESS;
}

void chip_lapic_save(struct chip_lapic *l, u32 *page, u64 now)
{
	u32 reg;

	chip_lapic_timer_run(l, now);
	memset(page, 0, LAPIC_STATE_SIZE);
	for (reg = 0; reg < LAPIC_STATE_SIZE; reg += 16)
		page[reg / 4] = read_register(l, reg, now);
	if (chip_lapic_x2apic(l) && !(l->features & CHIP_LAPIC_ID32))
		page[LAPIC_ID / 4] = l->vcpu_id << 24;
}

int chip_lapic_restore(struct chip_lapic *l, const u32 *page, u64 now)
{
	u32 timer = get(l, LAPIC_LVT), reg, count;
	bool x2apic = chip_lapic_x2apic(l);

	if (x2apic && l->features & CHIP_LAPIC_ID32 && page[LAPIC_ID / 4] != l->vcpu_id)
		return -EINVAL;
	for (reg = 0; reg < LAPIC_STATE_SIZE; reg += 16) {
		if (REGS_VECTORS & REG(reg))
			memcpy(vectors_at(l, reg), &page[reg / 4], 4);
		else if (REGS_RESTORE & REG(reg))
			set(l, reg, page[reg / 4] & writable(l, reg));
	}
	l->isr_top = chip_lapic_top(l->isr);
	update_ppr(l);
	if (!x2apic) {
		set(l, LAPIC_ID, page[LAPIC_ID / 4] & 0xff000000);
		set(l, LAPIC_LDR, page[LAPIC_LDR / 4] & 0xff000000);
	}
	set(l, LAPIC_DFR, page[LAPIC_DFR / 4] | DFR_ONES);
	set(l, LAPIC_ICR2, page[LAPIC_ICR2 / 4] & (x2apic ? ~0U : 0xff000000));
	set(l, LAPIC_ESR, page[LAPIC_ESR / 4] & 0xff);
	l->errors = 0;
	if (!(get(l, LAPIC_SVR) & SVR_ENABLE))
		mask_lvts(l);
	/* The deadline is an MSR of its own, kept unless the mode changes. */
	if ((timer ^ get(l, LAPIC_LVT)) & LVT_TIMER_MODE)
		l->tsc_deadline = 0;
	if (get(l, LAPIC_LVT) & LVT_TSC)
		set(l, LAPIC_TMICT, 0);
	l->counting = get(l, LAPIC_TMICT);
	/*
	 * The count goes on where it was. VMMs that save no count would lose a one-shot timer for
	 * good, so 0 means that it is due at once, or that a period begins.
	 */
	count = page[LAPIC_TMCCT / 4];
	if (count > get(l, LAPIC_TMICT))
		count = get(l, LAPIC_TMICT);
	l->expiry = now + ((u64)count << timer_shift(l));
	if (!count && get(l, LAPIC_LVT) & LVT_PERIODIC)
		l->expiry = now + timer_period(l);
	l->fx.what |= LAPIC_FX_ADDRESS | LAPIC_FX_TIMER;
	return 0;
}

u64 chip_lapic_address(const struct chip_lapic *l)
{
	u64 word = get(l, LAPIC_ID) >> 24;

	/* An id that xAPIC mode cannot hold is reached all the same, to be started. */
	if (chip_lapic_x2apic(l) || l->vcpu_id > 0xff)
		word = l->vcpu_id;
	word |= (u64)(get(l, LAPIC_LDR) >> 24) << 32;
	return word | (get(l, LAPIC_DFR) != DFR_FLAT ? LAPIC_ADDRESS_CLUSTER : 0) |
	       (chip_lapic_x2apic(l) ? LAPIC_ADDRESS_X2APIC : 0) |
	       (chip_lapic_hw_enabled(l) ? LAPIC_ADDRESS_HW : 0) |
	       (get(l, LAPIC_SVR) & SVR_ENABLE ? LAPIC_ADDRESS_SW : 0) |
	       (chip_lapic_accepts_extint(l) ? LAPIC_ADDRESS_EXTINT : 0);
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

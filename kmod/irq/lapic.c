// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU's LAPIC in the kernel: what chip/lapic.c cannot do, being pure. Delivery to other vCPUs,
 * the timer, INIT and SIPI, and the doors for MMIO, MSRs and state. Called by run/ and api/;
 * messages of devices come from route.c.
 *
 * A sender sets bits in the target's irq_post, then the request REQUEST_EVENT, which kicks. The
 * owner takes the request first and the bits after it: none is lost.
 */
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <asm/tsc.h>
#include "../host/compat.h"
#include "irqchip.h"
#include "lapic.h"

/* The hrtimer looks again after this long, so that its arithmetic cannot overflow. */
#define LONGEST_SECONDS	86400ULL

#define ADVANCE_MOST_NS	10000U	/* it is spun away with interrupts off */

static unsigned int timer_advance_ns = 5000;
module_param(timer_advance_ns, uint, 0444);
MODULE_PARM_DESC(timer_advance_ns, "A TSC deadline's host timer starts at most so early; 0: in time");

/* All m. */
struct lapic {
	struct chip_lapic chip;
	u64 armed;	/* the vcpu->deadline that the hrtimer is for */
	u64 early;	/* a deadline that may lie ahead, though its interrupt is in IRR; or 0 */
	s64 advance;	/* without features.deadline: how many ticks early the hrtimer starts */
};

static struct lapic *glue(struct vcpu *vcpu)
{
	return container_of(vcpu->lapic, struct lapic, chip);
}

static bool is_boot_vcpu(const struct vcpu *vcpu)
{
	return vcpu->id == READ_ONCE(vcpu->vm->boot_vcpu_id);
}

static u32 chip_features(const struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;
	bool x2apic = vcpu->guest.has & X86_HAS_X2APIC;
	bool lint0_off = READ_ONCE(vm->disabled_quirks) & KVIRT_X86_QUIRK_LINT0_REENABLED;

	return (x2apic ? CHIP_LAPIC_X2APIC : 0) |
	       /* The IOAPIC in user space may have an EOI register. */
	       (x2apic && vm->irqchip == IRQCHIP_SPLIT ? CHIP_LAPIC_DIRECTED_EOI : 0) |
	       (vcpu->guest.has & X86_HAS_TSC_DEADLINE ? CHIP_LAPIC_TSC_DEADLINE : 0) |
	       (is_boot_vcpu(vcpu) ? CHIP_LAPIC_BSP : 0) |
	       (lint0_off ? 0 : CHIP_LAPIC_LINT0_EXTINT) |
	       (READ_ONCE(vm->x2apic_32bit) ? CHIP_LAPIC_ID32 : 0);
}

static enum hrtimer_restart timer_expired(struct hrtimer *timer)
{
	struct vcpu *vcpu = container_of(timer, struct vcpu, timer);

	vcpu_request(vcpu, REQUEST_EVENT);
	return HRTIMER_NORESTART;
}

static void publish(struct vcpu *vcpu)
{
	WRITE_ONCE(vcpu->irq_address, chip_lapic_address(vcpu->lapic));
	set_bit(REQUEST_ROUTES, &vcpu->requests);
}

/* Carry out what the model asks for, if there is one. */
static void apply(struct vcpu *vcpu)
{
	struct lapic_fx *fx = vcpu->lapic ? &vcpu->lapic->fx : NULL;
	u32 what = fx ? fx->what : 0;

	if (!what)
		return;
	fx->what = 0;
	if (what & LAPIC_FX_TIMER)
		lapic_timer_update(vcpu);
	if (what & LAPIC_FX_ADDRESS)
		publish(vcpu);
	if (what & LAPIC_FX_EOI && vcpu->vm->chips) {
		irq_eoi(vcpu->vm, fx->eoi_vector, fx->eoi_level);
	} else if (what & LAPIC_FX_EOI && test_bit(fx->eoi_vector, vcpu->eoi_exits)) {
		vcpu->eoi_vector = fx->eoi_vector;
		set_bit(REQUEST_EOI_EXIT, &vcpu->requests);
	}
	if (what & LAPIC_FX_SEND)
		irq_deliver(vcpu->vm, vcpu, &fx->message);
}

int lapic_create(struct vcpu *vcpu)
{
	struct lapic *lapic;

	vcpu->apic_base = LAPIC_BASE_DEFAULT | LAPIC_BASE_EN;
	if (is_boot_vcpu(vcpu))
		vcpu->apic_base |= LAPIC_BASE_BSP;
	vcpu->mp_state = KVIRT_MP_STATE_RUNNABLE;
	if (vcpu->vm->irqchip == IRQCHIP_NONE)
		return 0;
	lapic = kzalloc(sizeof(*lapic), GFP_KERNEL_ACCOUNT);
	if (!lapic)
		return -ENOMEM;
	lapic->armed = ~0ULL;
	hrtimer_setup(&vcpu->timer, timer_expired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
	chip_lapic_create(&lapic->chip, vcpu->id, chip_features(vcpu));
	vcpu->lapic = &lapic->chip;
	if (!is_boot_vcpu(vcpu))
		vcpu->mp_state = KVIRT_MP_STATE_UNINITIALIZED;
	apply(vcpu);
	return 0;
}

void lapic_free(struct vcpu *vcpu)
{
	if (!vcpu->lapic)
		return;
	hrtimer_cancel(&vcpu->timer);
	kfree(glue(vcpu));
	vcpu->lapic = NULL;
}

void lapic_configure(struct vcpu *vcpu)
{
	if (vcpu->lapic)
		vcpu->lapic->features = chip_features(vcpu);
}

bool lapic_timer_due(const struct vcpu *vcpu)
{
	return vcpu->deadline != ~0ULL && rdtsc() >= vcpu->deadline;
}

/* Turn what the chip waits for into a time of the host's TSC; ~0 is never. */
void lapic_timer_update(struct vcpu *vcpu)
{
	u64 when, now, host = rdtsc(), ticks = 0;

	switch (chip_lapic_timer(vcpu->lapic, &when)) {
	case LAPIC_TIMER_NS:
		now = ktime_get_ns();
		if (when > now)
			ticks = (when - now) * tsc_khz / 1000000;	/* below 2^63 */
		break;
	case LAPIC_TIMER_TSC:
		now = clock_guest_tsc(vcpu, host);
		if (when > now)
			ticks = clock_host_ticks(vcpu, when - now);
		break;
	default:
		ticks = ~0ULL;
	}
	vcpu->deadline = ticks > ~host ? ~0ULL : host + ticks;
}

/*
 * Deliver what is due. The TSC and the clock that one-shot and periodic timers go by may disagree a
 * little: the clock decides, and the deadline is worked out anew.
 */
static void timer_run(struct vcpu *vcpu)
{
	struct lapic *lapic = glue(vcpu);
	u64 when;

	switch (chip_lapic_timer(vcpu->lapic, &when)) {
	case LAPIC_TIMER_NS:
		chip_lapic_timer_run(vcpu->lapic, ktime_get_ns());
		break;
	case LAPIC_TIMER_TSC:
		if (clock_guest_tsc(vcpu, rdtsc() + lapic->advance) < when)
			break;
		if (!features.deadline)
			lapic->early = vcpu->deadline + 1;	/* scaling rounds down */
		chip_lapic_timer_expire_tsc(vcpu->lapic);
		break;
	default:
		return;
	}
	vcpu->lapic->fx.what |= LAPIC_FX_TIMER;
	apply(vcpu);
}

/*
 * Between the host's timer and the guest lie an interrupt, a window and an entry, so that timer
 * starts early, and the rest is spun away before the entry. How early follows from how late guests
 * were (a sixteenth of the most is to be left), but for delays of another kind: the host was busy.
 */
static void wait_until_due(struct lapic *lapic)
{
	s64 most = (u64)min(timer_advance_ns, ADVANCE_MOST_NS) * tsc_khz / 1000000;
	u64 early = lapic->early;
	s64 left = early - rdtsc();

	lapic->early = 0;
	if (left <= -most || left > most)
		return;
	lapic->advance = clamp(lapic->advance - ((left - (most >> 4)) >> 3), 0LL, most);
	/* A thread that is about to sleep may get to a CPU whose TSC lies behind. */
	for (; left > 0 && left <= most; left = early - rdtsc())
		cpu_relax();
}

static void timer_start(struct vcpu *vcpu)
{
	u64 when, now, ticks, longest = LONGEST_SECONDS * 1000 * tsc_khz;
	struct lapic *lapic = glue(vcpu);

	if (chip_lapic_timer(vcpu->lapic, &when) != LAPIC_TIMER_NS) {
		now = rdtsc() + lapic->advance;
		ticks = vcpu->deadline > now ? vcpu->deadline - now : 0;
		when = ktime_get_ns() + mul_u64_u32_div(min(ticks, longest), 1000000, tsc_khz);
	}
	lapic->armed = vcpu->deadline;
	hrtimer_start(&vcpu->timer, ns_to_ktime(when), HRTIMER_MODE_ABS_PINNED_HARD);
}

void lapic_timer_arm(struct vcpu *vcpu)
{
	struct lapic *lapic = glue(vcpu);

	if (vcpu->deadline == ~0ULL)
		lapic_timer_disarm(vcpu);
	else if (lapic->armed != vcpu->deadline || !hrtimer_active(&vcpu->timer))
		timer_start(vcpu);
	if (lapic->early)
		wait_until_due(lapic);
}

/* A callback that runs at this moment does no harm: it only asks to look. */
void lapic_timer_disarm(struct vcpu *vcpu)
{
	if (glue(vcpu)->armed == ~0ULL)
		return;
	glue(vcpu)->armed = ~0ULL;
	hrtimer_try_to_cancel(&vcpu->timer);
}

void irq_post_nmi(struct vcpu *vcpu)
{
	/* More than two cannot be told apart by a guest; the owner caps the count. */
	atomic_inc(&vcpu->post.nmi);
	vcpu_request(vcpu, REQUEST_EVENT);
}

/* The trigger mode first: it counts from the moment that the vector is seen. */
static void post_vector(struct vcpu *vcpu, u8 vector, bool level)
{
	atomic64_t *levels = &vcpu->post.level[vector / 64];
	u64 bit = BIT_ULL(vector % 64);

	if (level)
		atomic64_or(bit, levels);
	else if (atomic64_read(levels) & bit)
		atomic64_andnot(bit, levels);
	smp_mb__before_atomic();	/* see above */
	if (!(atomic64_fetch_or(bit, &vcpu->post.vectors[vector / 64]) & bit))
		vcpu_request(vcpu, REQUEST_EVENT);
}

/* 1, also when the vector was pending already: so KVM counts. */
int irq_post(struct vcpu *vcpu, const struct irq_message *m)
{
	switch (m->mode) {
	case IRQ_FIXED:
	case IRQ_LOWEST:
		if (!(READ_ONCE(vcpu->irq_address) & LAPIC_ADDRESS_SW))
			return 0;
		post_vector(vcpu, m->vector, m->level);
		return 1;
	case IRQ_NMI:
		irq_post_nmi(vcpu);
		return 1;
	case IRQ_INIT:
		clear_bit(IRQ_POST_SIPI, &vcpu->post.signals);
		set_bit(IRQ_POST_INIT, &vcpu->post.signals);
		break;
	case IRQ_SIPI:
		WRITE_ONCE(vcpu->post.sipi_vector, m->vector);
		smp_mb__before_atomic();	/* the vector, then its signal */
		set_bit(IRQ_POST_SIPI, &vcpu->post.signals);
		break;
	default:	/* SMI: there is no SMM. ExtINT: only the 8259 has a vector for it. */
		return 0;
	}
	vcpu_request(vcpu, REQUEST_EVENT);
	return 1;
}

struct vcpu *irq_find(struct vm *vm, u64 id)
{
	const u64 mask = LAPIC_ADDRESS_HW | ~0U, want = LAPIC_ADDRESS_HW | id;
	unsigned int i, nr = vm_nr_vcpus(vm), first = id < nr ? id : 0;
	struct vcpu *vcpu;

	/* Nearly always the id is the index. */
	for (i = 0; i < nr; i++) {
		vcpu = vm_vcpu(vm, (first + i) % nr);
		if ((READ_ONCE(vcpu->irq_address) & mask) == want)
			return vcpu;
	}
	return NULL;
}

static bool addresses(const struct irq_message *m, const struct vcpu *source,
		      const struct vcpu *vcpu)
{
	u64 address = READ_ONCE(vcpu->irq_address);

	switch (m->shorthand) {
	case IRQ_TO_SELF:
		return vcpu == source;
	case IRQ_TO_OTHERS:
		if (vcpu == source)
			return false;
		fallthrough;
	case IRQ_TO_ALL:
		return address & LAPIC_ADDRESS_HW;
	default:
		return chip_lapic_match(address, m);
	}
}

/* Of those addressed that take interrupts the next after who had the last: no TPRs are compared. */
static struct vcpu *choose(struct vm *vm, const struct vcpu *source, const struct irq_message *m)
{
	unsigned int nr = vm_nr_vcpus(vm), last = atomic_read(&vm->lowest_priority), i;
	struct vcpu *vcpu;

	for (i = 1; i <= nr; i++) {
		vcpu = vm_vcpu(vm, (last + i) % nr);
		if (READ_ONCE(vcpu->irq_address) & LAPIC_ADDRESS_SW && addresses(m, source, vcpu)) {
			atomic_set(&vm->lowest_priority, vcpu->index);
			return vcpu;
		}
	}
	return NULL;
}

static bool is_broadcast(const struct irq_message *m)
{
	return m->dest == ~0U || (m->dest == 0xff && m->dest8);
}

int irq_deliver(struct vm *vm, struct vcpu *source, const struct irq_message *m)
{
	unsigned int i, nr = vm_nr_vcpus(vm);
	struct vcpu *vcpu;
	int taken = -1;

	if (m->shorthand == IRQ_TO_DEST && !m->logical && !is_broadcast(m)) {
		vcpu = irq_find(vm, m->dest);
		if (vcpu)
			return irq_post(vcpu, m);
	} else if (m->mode == IRQ_LOWEST || m->redirect) {
		/* A physical broadcast cannot be arbitrated: all take it. */
		if (m->logical || m->shorthand != IRQ_TO_DEST) {
			vcpu = choose(vm, source, m);
			return vcpu ? irq_post(vcpu, m) : nr ? 0 : -1;
		}
	}
	vm_for_each_vcpu(vm, i, vcpu) {
		if (addresses(m, source, vcpu))
			taken = (taken < 0 ? 0 : taken) + irq_post(vcpu, m);
	}
	/* As KVM answers: what no one has as its address is no error, where there is one. */
	return taken < 0 && nr && !is_broadcast(m) ? 0 : taken;
}

bool lapic_eoi_is_private(const struct vcpu *vcpu)
{
	const struct chip_lapic *l = vcpu->lapic;
	u32 top = l->isr_top;

	return top && !chip_lapic_top(l->irr) &&
	       !(l->tmr[top / 64] & BIT_ULL(top % 64)) && !test_bit(top, vcpu->eoi_exits) &&
	       !(vcpu->vm->chips && ioapic_pins(vcpu->vm, top));
}

void lapic_eoi(struct vcpu *vcpu)
{
	chip_lapic_eoi(vcpu->lapic);
	apply(vcpu);
}

/* One runs and one waits: behind one that is in its handler there is room for one more. */
static void drain_nmis(struct vcpu *vcpu)
{
	u32 limit, nmis = atomic_xchg(&vcpu->post.nmi, 0);

	vcpu_pull(vcpu, X86_GROUP_NMI_MASK);
	limit = vcpu->state.nmi_masked || vcpu->events.nmi.injected ? 1 : 2;
	vcpu->events.nmi.pending = min(vcpu->events.nmi.pending + nmis, limit);
}

void lapic_drain(struct vcpu *vcpu)
{
	unsigned int i;
	u64 vectors;

	if (unlikely(atomic_read(&vcpu->post.nmi)))
		drain_nmis(vcpu);
	if (!vcpu->lapic)
		return;
	for (i = 0; i < 4; i++) {
		if (!atomic64_read(&vcpu->post.vectors[i]))
			continue;
		vectors = atomic64_xchg(&vcpu->post.vectors[i], 0);
		chip_lapic_accept(vcpu->lapic, i, vectors, atomic64_read(&vcpu->post.level[i]));
	}
	apply(vcpu);
	if (vcpu->deadline != ~0ULL)
		timer_run(vcpu);
}

/* SDM vol. 3, 8.4: INIT puts an application processor to sleep, SIPI starts it. */
void lapic_apply_signals(struct vcpu *vcpu)
{
	u8 vector;

	if (!vcpu->lapic)
		return;
	if (test_and_clear_bit(IRQ_POST_INIT, &vcpu->post.signals)) {
		lapic_drain(vcpu);
		vcpu_reset(vcpu, VCPU_INIT);
		chip_lapic_reset(vcpu->lapic);
		apply(vcpu);
		vcpu->mp_state = is_boot_vcpu(vcpu) ? KVIRT_MP_STATE_RUNNABLE :
						      KVIRT_MP_STATE_INIT_RECEIVED;
	}
	if (test_and_clear_bit(IRQ_POST_SIPI, &vcpu->post.signals) &&
	    vcpu->mp_state == KVIRT_MP_STATE_INIT_RECEIVED) {
		vector = READ_ONCE(vcpu->post.sipi_vector);
		vcpu_pull(vcpu, X86_GROUP_CODE);
		vcpu->state.seg[X86_CS].selector = vector << 8;
		vcpu->state.seg[X86_CS].base = vector << 12;
		vcpu->state.rip = 0;
		vcpu_dirty(vcpu, X86_GROUP_CODE | X86_GROUP_RIP);
		vcpu->mp_state = KVIRT_MP_STATE_RUNNABLE;
	}
}

bool lapic_accepts_extint(const struct vcpu *vcpu)
{
	return !vcpu->lapic || chip_lapic_accepts_extint(vcpu->lapic);
}

static u64 time_for(u32 reg)
{
	return chip_lapic_needs_time(reg) ? ktime_get_ns() : 0;
}

u64 lapic_page(const struct vcpu *vcpu)
{
	const struct chip_lapic *l = vcpu->lapic;

	if (!l || !chip_lapic_hw_enabled(l) || chip_lapic_x2apic(l))
		return ~0ULL;
	return l->base & PAGE_MASK;
}

/* For user space that patches what touches the TPR: the access is done, RIP is still there. */
static void report_tpr(struct vcpu *vcpu, u32 offset, u32 len, bool write)
{
	if ((write ? offset : offset & ~0xf) != LAPIC_TPR || (write && len != 4))
		return;
	vcpu_pull(vcpu, X86_GROUP_RIP);
	vcpu->tpr_access.rip = vcpu->state.rip;
	vcpu->tpr_access.write = write;
	set_bit(REQUEST_TPR_ACCESS, &vcpu->requests);
}

bool lapic_mmio(struct vcpu *vcpu, u64 gpa, unsigned int len, void *data, bool write)
{
	u32 offset = gpa & ~PAGE_MASK;

	if (!vcpu->lapic || (gpa ^ vcpu->lapic->base) & PAGE_MASK)
		return false;
	if (lapic_page(vcpu) == ~0ULL) {
		/* KVM swallows the page of an APIC that is off, until told not to. */
		if (READ_ONCE(vcpu->vm->disabled_quirks) & KVIRT_X86_QUIRK_LAPIC_MMIO_HOLE)
			return false;
		if (!write)
			memset(data, 0xff, len);
		return true;
	}
	if (unlikely(vcpu->tpr_reporting))
		report_tpr(vcpu, offset, len, write);
	if (write)
		chip_lapic_mmio_write(vcpu->lapic, offset, data, len, time_for(offset));
	else
		chip_lapic_mmio_read(vcpu->lapic, offset, data, len, time_for(offset));
	apply(vcpu);
	return true;
}

/* The register of an x2APIC MSR. */
static u32 x2apic_register(u32 msr)
{
	return (msr - X86_MSR_X2APIC_FIRST) << 4;
}

int lapic_read_msr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	int err = 0;

	if (msr == X86_MSR_APIC_BASE)
		*value = vcpu->apic_base;
	else if (msr == X86_MSR_TSC_DEADLINE)
		*value = vcpu->lapic ? vcpu->lapic->tsc_deadline : 0;
	else if (!vcpu->lapic)
		err = -EINVAL;
	else
		err = chip_lapic_msr_read(vcpu->lapic, msr, value, time_for(x2apic_register(msr)));
	apply(vcpu);
	return err;
}

static int write_base(struct vcpu *vcpu, u64 value, enum x86_msr_by by)
{
	/* Before user space has set CPUID, addresses are as wide as PAE had them. */
	if (value >> (vcpu->guest.maxphyaddr ?: 36) ||
	    chip_lapic_check_base(vcpu->apic_base, value, chip_features(vcpu), by))
		return -EINVAL;
	vcpu->apic_base = value;
	if (vcpu->lapic)
		chip_lapic_set_base(vcpu->lapic, value, by);
	return 0;
}

int lapic_write_msr(struct vcpu *vcpu, u32 msr, u64 value, enum x86_msr_by by)
{
	int err = 0;

	if (msr == X86_MSR_APIC_BASE)
		err = write_base(vcpu, value, by);
	else if (!vcpu->lapic)
		err = msr == X86_MSR_TSC_DEADLINE ? 0 : -EINVAL;
	else if (msr == X86_MSR_TSC_DEADLINE)
		chip_lapic_set_tsc_deadline(vcpu->lapic, value);
	else
		err = chip_lapic_msr_write(vcpu->lapic, msr, value, time_for(x2apic_register(msr)));
	apply(vcpu);
	return err;
}

bool lapic_fast(struct vcpu *vcpu, u32 offset, u64 value)
{
	u32 shorthand = value >> 18 & 3;

	if (offset != LAPIC_ICR || vm_nr_vcpus(vcpu->vm) <= IRQ_FAST_TARGETS)
		return true;
	if (shorthand != IRQ_TO_DEST)
		return shorthand == IRQ_TO_SELF;
	if (value & ICR_LOGICAL)
		return false;
	return chip_lapic_x2apic(vcpu->lapic) ? value >> 32 != ~0U :
	       chip_lapic_reg(vcpu->lapic, LAPIC_ICR2) >> 24 != 0xff;
}

bool lapic_fast_msr(struct vcpu *vcpu, u32 msr, u64 value)
{
	return msr == X86_MSR_TSC_DEADLINE ||
	       (msr != X86_MSR_APIC_BASE && vcpu->lapic &&
		lapic_fast(vcpu, x2apic_register(msr), value));
}

u64 lapic_get_cr8(const struct vcpu *vcpu)
{
	return vcpu->lapic ? chip_lapic_reg(vcpu->lapic, LAPIC_TPR) >> 4 : vcpu->state.cr8;
}

void lapic_set_cr8(struct vcpu *vcpu, u64 cr8)
{
	chip_lapic_set_tpr(vcpu->lapic, (cr8 & 0xf) << 4);
}

/* The TPR, the class in service and the highest vector that waits, for the guest to compare. */
void lapic_store_vapic(struct vcpu *vcpu)
{
	const struct chip_lapic *l = vcpu->lapic;
	u32 value = chip_lapic_reg(l, LAPIC_TPR) | (l->isr_top & 0xf0) << 8 |
		    chip_lapic_top(l->irr) << 24;

	/* Memory that has gone since cannot be shared: the guest is told nothing. */
	gmem_write(vcpu->vm, vcpu->vapic, &value, sizeof(value));
}

void lapic_load_vapic(struct vcpu *vcpu)
{
	u32 value;

	if (!gmem_read(vcpu->vm, vcpu->vapic, &value, sizeof(value)))
		chip_lapic_set_tpr(vcpu->lapic, value & 0xff);
}

int lapic_get_state(struct vcpu *vcpu, void *state)
{
	if (!vcpu->lapic)
		return -EINVAL;
	lapic_drain(vcpu);
	lapic_configure(vcpu);
	chip_lapic_save(vcpu->lapic, state, ktime_get_ns());
	apply(vcpu);
	return 0;
}

int lapic_set_state(struct vcpu *vcpu, void *state)
{
	int err;

	if (!vcpu->lapic)
		return -EINVAL;
	/* What was posted before belongs to the state that is replaced. */
	lapic_drain(vcpu);
	lapic_configure(vcpu);
	err = chip_lapic_restore(vcpu->lapic, state, ktime_get_ns());
	apply(vcpu);
	return err;
}

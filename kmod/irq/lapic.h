/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The local APIC of a vCPU in the kernel: glue around chip/lapic.h. Interrupts from anywhere are
 * posted to a vCPU without a lock; the owner moves them into its LAPIC before an entry. The timer
 * becomes a host TSC deadline or an hrtimer.
 *
 * Unless said otherwise, a function is for the owner (who holds vcpu->mutex), needs vcpu->lapic,
 * works inside a strict window too, never sleeps and never fails.
 */
#ifndef KVIRT_IRQ_LAPIC_H
#define KVIRT_IRQ_LAPIC_H

#include "../chip/lapic.h"
#include "../vm/vcpu.h"
#include "../vm/vm.h"

#define IRQ_FAST_TARGETS	16	/* a window serves an IPI to at most this many */

/*
 * lapic_create() - before the vCPU can be seen: APIC_BASE and mp_state as after power-up, and a
 * LAPIC if the VM has them in the kernel. 0 or -ENOMEM. lapic_free() undoes it, when nobody can
 * reach the vCPU any more: it waits for the timer. lapic_configure() - CPUID changed what the LAPIC
 * offers; fine without one.
 */
int lapic_create(struct vcpu *vcpu);
void lapic_free(struct vcpu *vcpu);
void lapic_configure(struct vcpu *vcpu);

/* KVM_GET_LAPIC, KVM_SET_LAPIC (4-byte aligned): 0, or -EINVAL for a foreign id. */
int lapic_get_state(struct vcpu *vcpu, void *state);
int lapic_set_state(struct vcpu *vcpu, void *state);

/*
 * The xAPIC page. false: @gpa is not in it (or the page is a hole that user space wants to see, or
 * there is no LAPIC), nothing was done. Owner; in a window ask lapic_fast() first.
 */
bool lapic_mmio(struct vcpu *vcpu, u64 gpa, unsigned int len, void *data, bool write);

/*
 * MSRs, only IA32_APIC_BASE, IA32_TSC_DEADLINE and 0x800 to 0x8ff: 0, or -EINVAL for #GP. Without a
 * LAPIC APIC_BASE is kept, TSC_DEADLINE reads 0 and ignores writes, the others are -EINVAL.
 */
int lapic_read_msr(struct vcpu *vcpu, u32 msr, u64 *value);
int lapic_write_msr(struct vcpu *vcpu, u32 msr, u64 value, enum x86_msr_by by);

/*
 * May a write of @value to LAPIC register @offset, to @msr, be served inside the window? All but
 * IPIs to more than 16, and APIC_BASE.
 */
bool lapic_fast(struct vcpu *vcpu, u32 offset, u64 value);
bool lapic_fast_msr(struct vcpu *vcpu, u32 msr, u64 value);
/* The page that lapic_mmio() serves as registers now, or ~0: for fast decoding. */
u64 lapic_page(const struct vcpu *vcpu);

/* CR8 with a LAPIC or without one; and into the LAPIC. */
u64 lapic_get_cr8(const struct vcpu *vcpu);
void lapic_set_cr8(struct vcpu *vcpu, u64 cr8);

/* While vcpu->vapic is set: the TPR to there before each window, from there after it. May sleep. */
void lapic_store_vapic(struct vcpu *vcpu);
void lapic_load_vapic(struct vcpu *vcpu);

/*
 * For any context, any thread. irq_deliver() - send @m from @source (NULL: a device) to whom it
 * addresses: how many took it; -1 without a vCPU, or without an APIC that is on for a broadcast.
 * irq_find() - the vCPU whose LAPIC is on and has the physical @id, or NULL. irq_post() - @m to
 * @vcpu, whomever it addresses: 1, or 0 if refused. irq_post_nmi() - KVM_NMI, LAPIC or not.
 */
int irq_deliver(struct vm *vm, struct vcpu *source, const struct irq_message *m);
struct vcpu *irq_find(struct vm *vm, u64 id);
int irq_post(struct vcpu *vcpu, const struct irq_message *m);
void irq_post_nmi(struct vcpu *vcpu);

/*
 * lapic_drain() - take in what was posted, and a timer that is due; before each entry with
 * REQUEST_EVENT, before HLT blocks, and before state is read. Works without a LAPIC too (NMIs).
 * INIT and SIPI stay until lapic_apply_signals(), outside of a window.
 */
void lapic_drain(struct vcpu *vcpu);
void lapic_apply_signals(struct vcpu *vcpu);
static inline bool lapic_has_signals(const struct vcpu *vcpu)
{
	return READ_ONCE(vcpu->post.signals) != 0;
}

/* The vector to inject next, 0: none. Hot: asked before each entry. */
static inline unsigned int lapic_pending(const struct vcpu *vcpu)
{
	return vcpu->lapic ? chip_lapic_pending(vcpu->lapic) : 0;
}

/* The guest's EOI; and, is there nobody but the vector in service that one would mean? */
void lapic_eoi(struct vcpu *vcpu);
bool lapic_eoi_is_private(const struct vcpu *vcpu);

/* The 8259's line, or KVM_INTERRUPT under a split irqchip, may reach this CPU. */
bool lapic_accepts_extint(const struct vcpu *vcpu);

/*
 * The timer, due at vcpu->deadline: lapic_timer_due() is the test before each entry, then
 * lapic_drain(). lapic_timer_arm(): start the hrtimer, cheap when nothing changed; before blocking,
 * and as the last before entering where the back end has no deadline, since it also spins away what
 * a TSC deadline's interrupt comes early by. lapic_timer_disarm(): after blocking.
 * lapic_timer_update(): tsc_offset or the guest's TSC rate changed.
 */
bool lapic_timer_due(const struct vcpu *vcpu);
void lapic_timer_arm(struct vcpu *vcpu);
void lapic_timer_disarm(struct vcpu *vcpu);
void lapic_timer_update(struct vcpu *vcpu);

#endif

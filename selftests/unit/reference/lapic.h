/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A second local APIC, written for plainness from SDM volume 3, chapter 10 alone: an array of registers as the page has
 * them, one bool for each vector, a count that is counted down. unit/chip_lapic.c and fuzz/chip_lapic.c compare
 * kmod/chip/lapic.c with it. It takes nothing of the model but the register offsets, the message and the constants of its
 * interface.
 */
#ifndef SELFTESTS_UNIT_REFERENCE_LAPIC_H
#define SELFTESTS_UNIT_REFERENCE_LAPIC_H

#include "chip/lapic.h"

struct reference {
	bool irr[256], isr[256], tmr[256];
	u32 reg[64];		/* by offset / 16: those that simply hold a value */
	u64 base, deadline;
	u32 errors, vcpu_id, features;
	bool running;
	s64 left;		/* nanoseconds until the count is 0 */
	u64 now;
	/* What it wants done. */
	unsigned int sent, eois;
	struct irq_message message;
	u8 eoi_vector;
};

bool ref_on(const struct reference *r);
unsigned int ref_pending(const struct reference *r);
void ref_accept(struct reference *r, u8 vector, bool level);
void ref_fire(struct reference *r, u32 reg);
u32 ref_mode(const struct reference *r);
void ref_advance(struct reference *r, u64 now);
void ref_eoi(struct reference *r);
u64 ref_mmio_read(struct reference *r, u32 offset, unsigned int len);
void ref_mmio_write(struct reference *r, u32 offset, unsigned int len, u32 value);
int ref_msr_read(struct reference *r, u32 msr, u64 *value);
int ref_msr_write(struct reference *r, u32 msr, u64 value);
void ref_reset(struct reference *r);
void ref_create(struct reference *r, u32 vcpu_id, u32 features);
int ref_set_base(struct reference *r, u64 value, bool guest);
void ref_save(struct reference *r, u32 *page);
int ref_restore(struct reference *r, const u32 *page);
bool ref_match(const struct reference *r, const struct irq_message *m);

#endif

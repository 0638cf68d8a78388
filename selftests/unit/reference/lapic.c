// SPDX-License-Identifier: GPL-2.0
/* The plain local APIC of reference/lapic.h. Called by unit/chip_lapic.c and fuzz/chip_lapic.c, never by the module. */
#include <string.h>
#include "unit/reference/lapic.h"

#define AT(r) ((r) / 16)

static bool ref_x2(const struct reference *r)
{
	return r->base & 0x400;
}

bool ref_on(const struct reference *r)
{
	return r->base & 0x800;
}

static unsigned int ref_highest(const bool *set)
{
	for (int v = 255; v >= 0; v--)
		if (set[v])
			return v;
	return 0;
}

static u32 ref_ppr(const struct reference *r)
{
	u32 tpr = r->reg[AT(LAPIC_TPR)], isr = ref_highest(r->isr);

	return tpr / 16 >= isr / 16 ? tpr : isr / 16 * 16;
}

unsigned int ref_pending(const struct reference *r)
{
	unsigned int v = ref_highest(r->irr);

	return ref_on(r) && v / 16 > ref_ppr(r) / 16 ? v : 0;
}

static void ref_error(struct reference *r, int bit)
{
	bool interrupt = r->errors == 0;

	r->errors |= 1U << bit;
	if (interrupt)
		ref_fire(r, LAPIC_LVT_END);
}

void ref_accept(struct reference *r, u8 vector, bool level)
{
	if (!ref_on(r) || !(r->reg[AT(LAPIC_SVR)] & 0x100))
		return;
	if (vector < 16) {
		ref_error(r, 6);
		return;
	}
	r->irr[vector] = true;
	r->tmr[vector] = level;
}

void ref_fire(struct reference *r, u32 reg)
{
	u32 value = r->reg[AT(reg)];

	if (!(value & 0x10000))
		ref_accept(r, value & 0xff, false);
}

/* --- the timer */

u32 ref_mode(const struct reference *r)
{
	return r->reg[AT(LAPIC_LVT)] >> 17 & 3;
}

static s64 ref_tick(const struct reference *r)
{
	static const s64 divide[16] = {
		[0] = 2, [1] = 4, [2] = 8, [3] = 16, [8] = 32, [9] = 64, [10] = 128, [11] = 1,
	};

	return divide[r->reg[AT(LAPIC_TDCR)] & 0xb];
}

static s64 ref_period(const struct reference *r)
{
	s64 period = r->reg[AT(LAPIC_TMICT)] * ref_tick(r);

	return ref_mode(r) == 1 && period < 200000 ? 200000 : period;
}

void ref_advance(struct reference *r, u64 now)
{
	s64 passed = now - r->now;

	r->now = now;
	if (!r->running)
		return;
	r->left -= passed;
	if (r->left > 0)
		return;
	if (ref_mode(r) == 1)
		while (r->left <= 0)
			r->left += ref_period(r);
	else
		r->running = false;
	ref_fire(r, LAPIC_LVT);
}

static u32 ref_count(const struct reference *r)
{
	u64 count = (r->left + ref_tick(r) - 1) / ref_tick(r);

	if (!r->running)
		return 0;
	return count > r->reg[AT(LAPIC_TMICT)] ? r->reg[AT(LAPIC_TMICT)] : count;
}

/* --- registers */

static bool ref_is_lvt(u32 reg)
{
	return reg >= 0x320 && reg <= 0x370;
}

static bool ref_is_vectors(u32 reg)
{
	return reg >= 0x100 && reg <= 0x270;
}

/* Which registers there are: table 10-1, and table 10-6 for x2APIC mode. */
static bool ref_readable(u32 reg, bool x2)
{
	switch (reg) {
	case 0x20: case 0x30: case 0x80: case 0xa0: case 0xd0: case 0xf0: case 0x280: case 0x300:
	case 0x380: case 0x390: case 0x3e0:
		return true;
	case 0x90: case 0xe0: case 0x310:
		return !x2;
	}
	return ref_is_vectors(reg) || ref_is_lvt(reg);
}

static bool ref_writable(u32 reg, bool x2)
{
	switch (reg) {
	case 0x80: case 0xb0: case 0xf0: case 0x280: case 0x300: case 0x380: case 0x3e0:
		return true;
	case 0x20: case 0xd0: case 0xe0: case 0x310:
		return !x2;
	case 0x3f0:
		return x2;
	}
	return ref_is_lvt(reg);
}

static u32 ref_read(struct reference *r, u32 reg)
{
	u32 value = 0;

	switch (reg) {
	case 0x20:
		return ref_x2(r) ? r->vcpu_id : r->reg[2];
	case 0x30:
		return 0x50014 + (r->features & CHIP_LAPIC_DIRECTED_EOI ? 1 << 24 : 0);
	case 0xa0:
		return ref_ppr(r);
	case 0xd0:
		return ref_x2(r) ? r->vcpu_id / 16 << 16 | 1 << r->vcpu_id % 16 : r->reg[0xd];
	case 0x90: case 0xb0:
		return 0;
	case 0x390:
		return ref_count(r);
	}
	if (!ref_is_vectors(reg))
		return r->reg[AT(reg)];
	for (int i = 0; i < 32; i++) {
		const bool *set = reg < 0x180 ? r->isr : reg < 0x200 ? r->tmr : r->irr;

		value |= (u32)set[(reg / 16 & 7) * 32 + i] << i;
	}
	return value;
}

void ref_eoi(struct reference *r)
{
	unsigned int v = ref_highest(r->isr);

	if (!v)
		return;
	r->isr[v] = false;
	r->eois++;
	r->eoi_vector = v;
}

static void ref_send(struct reference *r)
{
	u32 low = r->reg[0x30], high = r->reg[0x31];
	u32 mode = low >> 8 & 7, shorthand = low >> 18 & 3;

	if (mode == 3 || mode == 7 || ((low & 0x8000) && !(low & 0x4000)))
		return;
	if (mode < 2 && (low & 0xff) < 16) {
		ref_error(r, 5);
		return;
	}
	if (mode == 0 && shorthand == 1) {
		ref_accept(r, low & 0xff, false);
		return;
	}
	r->sent++;
	r->message = (struct irq_message){
		.dest = ref_x2(r) ? high : high >> 24, .vector = low & 0xff, .mode = mode, .shorthand = shorthand,
		.logical = low & 0x800, .dest8 = !ref_x2(r),
	};
}

static void ref_timer_off(struct reference *r)
{
	r->running = false;
	r->deadline = 0;
}

static u32 ref_lvt_mask(const struct reference *r, u32 reg)
{
	if (reg == 0x320)
		return r->features & CHIP_LAPIC_TSC_DEADLINE ? 0x700ff : 0x300ff;
	if (reg == 0x370)
		return 0x100ff;
	return reg == 0x350 || reg == 0x360 ? 0x1a7ff : 0x107ff;
}

static void ref_write_lvt(struct reference *r, u32 reg, u32 value)
{
	u32 old = ref_mode(r);

	value &= ref_lvt_mask(r, reg);
	if (!(r->reg[0xf] & 0x100))
		value |= 0x10000;
	r->reg[AT(reg)] = value;
	if (reg != 0x320)
		return;
	if (old / 2 != ref_mode(r) / 2) {
		ref_timer_off(r);
		r->reg[0x38] = 0;
	} else if (ref_mode(r) == 3) {
		ref_timer_off(r);
	}
}

static void ref_write(struct reference *r, u32 reg, u32 value)
{
	s64 count;

	switch (reg) {
	case 0x20: case 0xd0: case 0x310:
		r->reg[AT(reg)] = value & 0xff000000;
		break;
	case 0x80:
		r->reg[8] = value & 0xff;
		break;
	case 0xb0:
		ref_eoi(r);
		break;
	case 0xe0:
		r->reg[0xe] = value | 0x0fffffff;
		break;
	case 0xf0:
		r->reg[0xf] = value & (r->features & CHIP_LAPIC_DIRECTED_EOI ? 0x13ff : 0x3ff);
		if (!(value & 0x100))
			for (int i = 0; i < 6; i++)
				r->reg[0x32 + i] |= 0x10000;
		break;
	case 0x280:
		r->reg[0x28] = r->errors;
		r->errors = 0;
		break;
	case 0x300:
		r->reg[0x30] = value & ~0x1000;
		ref_send(r);
		break;
	case 0x380:
		if (ref_mode(r) >= 2)
			break;
		r->reg[0x38] = value;
		r->running = value != 0;
		r->left = ref_period(r);
		break;
	case 0x3e0:
		count = ref_count(r);
		r->reg[0x3e] = value & 0xb;
		r->left = count * ref_tick(r);
		break;
	case 0x3f0:
		if ((value & 0xff) < 16)
			ref_error(r, 5);
		else
			ref_accept(r, value & 0xff, false);
		break;
	default:
		if (ref_is_lvt(reg))
			ref_write_lvt(r, reg, value);
	}
}

/* --- accesses */

u64 ref_mmio_read(struct reference *r, u32 offset, unsigned int len)
{
	u32 reg = offset & ~15U;

	if (!ref_readable(reg, false)) {
		if (reg != LAPIC_EOI)
			ref_error(r, 7);
		return 0;
	}
	if (offset % 16 + len > 4)
		return 0;
	return (u64)ref_read(r, reg) >> offset % 16 * 8 & (~0ULL >> (64 - 8 * len));
}

void ref_mmio_write(struct reference *r, u32 offset, unsigned int len, u32 value)
{
	u32 reg = offset & ~15U;

	if (!ref_readable(reg, false) && !ref_writable(reg, false))
		ref_error(r, 7);
	else if (len == 4 && offset % 16 == 0 && ref_writable(reg, false))
		ref_write(r, reg, value);
}

int ref_msr_read(struct reference *r, u32 msr, u64 *value)
{
	u32 reg = (msr - 0x800) * 16;

	if (!ref_x2(r) || reg > 0x3f0 || !ref_readable(reg, true))
		return -EINVAL;
	*value = ref_read(r, reg);
	if (reg == 0x300)
		*value |= (u64)r->reg[0x31] << 32;
	return 0;
}

int ref_msr_write(struct reference *r, u32 msr, u64 value)
{
	u32 reg = (msr - 0x800) * 16;
	u64 legal = 0;

	if (!ref_x2(r) || reg > 0x3f0 || !ref_writable(reg, true))
		return -EINVAL;
	switch (reg) {
	case 0x80: case 0x3f0:
		legal = 0xff;
		break;
	case 0xf0:
		legal = r->features & CHIP_LAPIC_DIRECTED_EOI ? 0x13ff : 0x3ff;
		break;
	case 0x300:
		legal = 0xffffffff000cdfff;
		break;
	case 0x380:
		legal = 0xffffffff;
		break;
	case 0x3e0:
		legal = 0xb;
		break;
	case 0x350: case 0x360:
		legal = 0x1f7ff;
		break;
	case 0x320: case 0x330: case 0x340: case 0x370:
		legal = ref_lvt_mask(r, reg) | 0x1000;
		break;
	}
	if (value & ~legal)
		return -EINVAL;
	if (reg == 0x300)
		r->reg[0x31] = value >> 32;
	ref_write(r, reg, value);
	return 0;
}

void ref_reset(struct reference *r)
{
	u32 id = r->reg[2];

	memset(r->irr, 0, sizeof(r->irr));
	memset(r->isr, 0, sizeof(r->isr));
	memset(r->tmr, 0, sizeof(r->tmr));
	memset(r->reg, 0, sizeof(r->reg));
	r->reg[2] = id;
	r->reg[0xe] = 0xffffffff;
	r->reg[0xf] = 0xff;
	for (int i = 0; i < 6; i++)
		r->reg[0x32 + i] = 0x10000;
	if ((r->features & CHIP_LAPIC_BSP) && (r->features & CHIP_LAPIC_LINT0_EXTINT))
		r->reg[0x35] = 0x700;
	r->errors = 0;
	ref_timer_off(r);
}

void ref_create(struct reference *r, u32 vcpu_id, u32 features)
{
	memset(r, 0, sizeof(*r));
	r->vcpu_id = vcpu_id;
	r->features = features;
	r->base = 0xfee00800 + (features & CHIP_LAPIC_BSP ? 0x100 : 0);
	r->reg[2] = vcpu_id << 24;
	ref_reset(r);
}

int ref_set_base(struct reference *r, u64 value, bool guest)
{
	u64 old = r->base >> 10 & 3, new = value >> 10 & 3;
	/* Figure 10-27, rows from, columns to: disabled, invalid, xAPIC, x2APIC. */
	static const bool legal[4][4] = {
		[0] = { true, false, true, false },
		[2] = { true, false, true, true },
		[3] = { true, false, false, true },
	};

	if (value & 0x2ff || new == 1)
		return -EINVAL;
	if ((value & 0x400) && !(r->features & CHIP_LAPIC_X2APIC))
		return -EINVAL;
	if (guest && !legal[old][new])
		return -EINVAL;
	r->base = value;
	if (old != new) {
		if (guest && new == 0)
			ref_reset(r);
		r->reg[2] = r->vcpu_id << 24;
		r->reg[0xd] = 0;
		r->reg[0x31] = 0;
	}
	return 0;
}

/* --- the page of KVM_GET_LAPIC */

void ref_save(struct reference *r, u32 *page)
{
	memset(page, 0, 1024);
	for (u32 reg = 0; reg < 0x400; reg += 16)
		if (ref_readable(reg, false))
			page[reg / 4] = ref_read(r, reg);
	if (ref_x2(r) && !(r->features & CHIP_LAPIC_ID32))
		page[8] = r->vcpu_id << 24;
}

int ref_restore(struct reference *r, const u32 *page)
{
	u32 mode = ref_mode(r), count;

	if (ref_x2(r) && (r->features & CHIP_LAPIC_ID32) && page[8] != r->vcpu_id)
		return -EINVAL;
	if (!ref_x2(r))
		r->reg[2] = page[8] & 0xff000000;
	for (int v = 0; v < 256; v++) {
		r->isr[v] = page[(0x100 + v / 32 * 16) / 4] >> v % 32 & 1;
		r->tmr[v] = page[(0x180 + v / 32 * 16) / 4] >> v % 32 & 1;
		r->irr[v] = page[(0x200 + v / 32 * 16) / 4] >> v % 32 & 1;
	}
	r->reg[0xd] = page[0xd0 / 4] & 0xff000000;
	r->reg[0xe] = page[0xe0 / 4] | 0x0fffffff;
	r->reg[0x28] = page[0x280 / 4] & 0xff;
	r->errors = 0;
	r->reg[0x30] = page[0x300 / 4] & ~0x1000;
	r->reg[0x31] = page[0x310 / 4] & (ref_x2(r) ? 0xffffffff : 0xff000000);
	ref_write(r, 0x80, page[0x80 / 4]);
	r->reg[0xf] = page[0xf0 / 4] & (r->features & CHIP_LAPIC_DIRECTED_EOI ? 0x13ff : 0x3ff);
	for (u32 reg = 0x320; reg <= 0x370; reg += 16) {
		r->reg[AT(reg)] = page[reg / 4] & ref_lvt_mask(r, reg);
		if (!(r->reg[0xf] & 0x100))
			r->reg[AT(reg)] |= 0x10000;
	}
	if (mode != ref_mode(r))
		r->deadline = 0;
	r->reg[0x3e] = page[0x3e0 / 4] & 0xb;
	r->reg[0x38] = ref_mode(r) < 2 ? page[0x380 / 4] : 0;
	count = page[0x390 / 4] < r->reg[0x38] ? page[0x390 / 4] : r->reg[0x38];
	r->running = r->reg[0x38] != 0;
	r->left = count ? count * ref_tick(r) : ref_mode(r) == 1 ? ref_period(r) : 0;
	return 0;
}

/* --- who is addressed: 10.6.2 */

bool ref_match(const struct reference *r, const struct irq_message *m)
{
	u32 id = ref_x2(r) || r->vcpu_id > 255 ? r->vcpu_id : r->reg[2] >> 24, ldr = r->reg[0xd] >> 24;

	if (!ref_on(r))
		return false;
	if (m->dest == 0xffffffff || (m->dest == 0xff && (!ref_x2(r) || m->dest8)))
		return true;
	if (!m->logical)
		return m->dest == id;
	if (ref_x2(r))
		return m->dest / 65536 == id / 16 && m->dest >> id % 16 & 1;
	if (m->dest > 255)
		return false;
	if (r->reg[0xe] == 0xffffffff)
		return m->dest & ldr;
	return m->dest / 16 == ldr / 16 && m->dest & ldr & 15;
}

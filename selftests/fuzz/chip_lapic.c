// SPDX-License-Identifier: GPL-2.0
/*
 * The LAPIC model under inputs that a fuzzer finds: a hostile guest's accesses and a hostile VMM's pages, in any order.
 * After each step the model is compared with the plain LAPIC of unit/reference/lapic.h, and its invariants are checked.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "unit/reference/lapic.h"

/* One step: what is done, to which register, with what, after how long. */
struct step {
	u8 what, reg;
	u16 wait;
	u32 value, more;
};

static struct chip_lapic l;
static struct reference r;
static u64 now;

static void compare(void)
{
	u64 when;

	MUST(chip_lapic_pending(&l) == ref_pending(&r));
	MUST(!chip_lapic_pending(&l) || chip_lapic_pending(&l) >= 16);
	MUST(l.isr_top == chip_lapic_top(l.isr));
	MUST((chip_lapic_reg(&l, LAPIC_SVR) & 0x100) || (chip_lapic_reg(&l, LAPIC_LVT) & LVT_MASKED));
	MUST(!l.counting || chip_lapic_reg(&l, LAPIC_TMICT));
	MUST(chip_lapic_timer(&l, &when) != LAPIC_TIMER_NS || when <= now + (0xffffffffULL << 7));
	MUST(!(l.fx.what & LAPIC_FX_SEND) == !r.sent);
	MUST(!r.sent || (l.fx.message.dest == r.message.dest && l.fx.message.vector == r.message.vector &&
			 l.fx.message.mode == r.message.mode && l.fx.message.mode != 3 && l.fx.message.mode != 7));
	MUST(!(l.fx.what & LAPIC_FX_EOI) == !r.eois);
	MUST(!r.eois || l.fx.eoi_vector == r.eoi_vector);
	MUST(l.tsc_deadline == r.deadline);
	r.sent = r.eois = 0;
}

static void compare_pages(void)
{
	static u32 page[256], other[256];

	chip_lapic_save(&l, page, now);
	ref_save(&r, other);
	MUST(!memcmp(page, other, sizeof(page)));
}

static void compare_addressing(const struct step *s)
{
	struct irq_message m = { .dest = s->what & 0x10 ? s->value : s->reg, .logical = s->wait & 1, .dest8 = s->wait & 2 };

	MUST(chip_lapic_match(chip_lapic_address(&l), &m) == ref_match(&r, &m));
}

static void access_register(const struct step *s)
{
	u64 wide = s->value | (u64)s->more << 32, got = 0, want = 0;
	u32 offset = s->reg * 16, msr = 0x800 + s->reg, len = 4;

	if (chip_lapic_hw_enabled(&l) && !chip_lapic_x2apic(&l)) {
		if (s->what & 0x40) {
			offset += s->more & 15;
			len = 1 << (s->more >> 4 & 3);
		}
		if (s->what & 0x80) {
			chip_lapic_mmio_write(&l, offset, &wide, len, now);
			ref_mmio_write(&r, offset, len, s->value);
		} else {
			chip_lapic_mmio_read(&l, offset, &got, len, now);
			MUST(got == ref_mmio_read(&r, offset, len));
		}
	} else if (s->what & 0x80) {
		MUST(chip_lapic_msr_write(&l, msr, wide, now) == ref_msr_write(&r, msr, wide));
	} else {
		MUST(chip_lapic_msr_read(&l, msr, &got, now) == ref_msr_read(&r, msr, &want));
		MUST(got == want);
	}
}

static void set_base(const struct step *s)
{
	u64 value = 0xfee00000 | (s->value & 0xf00) | (u64)s->more << 30;
	bool guest = s->what & 0x80;
	enum x86_msr_by by = guest ? X86_MSR_BY_GUEST : X86_MSR_BY_USER;
	int err = chip_lapic_check_base(l.base, value, l.features, by);

	if (!err)
		chip_lapic_set_base(&l, value, by);
	MUST(err == ref_set_base(&r, value, guest));
}

static void interrupt(const struct step *s)
{
	unsigned int v = chip_lapic_pending(&l);

	if (s->what & 0x80 && v) {
		chip_lapic_acknowledge(&l, v);
		r.irr[v] = false;
		r.isr[v] = true;
		return;
	}
	v = s->reg;
	chip_lapic_accept(&l, v / 64, 1ULL << v % 64, s->value & 1 ? ~0ULL : 0);
	ref_accept(&r, v, s->value & 1);
}

static void restore(const uint8_t **data, size_t *size)
{
	static u32 page[256];
	size_t length = *size < sizeof(page) ? *size : sizeof(page);

	memset(page, 0, sizeof(page));
	memcpy(page, *data, length);
	*data += length;
	*size -= length;
	MUST(chip_lapic_restore(&l, page, now) == ref_restore(&r, page));
	chip_lapic_timer_run(&l, now);
	ref_advance(&r, now);
}

static void wait(const struct step *s)
{
	u64 when;

	now += s->what & 0x20 ? s->wait * 64 : s->wait;
	if (chip_lapic_timer(&l, &when) == LAPIC_TIMER_NS && when <= now)
		chip_lapic_timer_run(&l, now);
	ref_advance(&r, now);
}

void fuzz_input(const uint8_t *data, size_t size)
{
	struct step s;

	if (!fuzz_take(&data, &size, &s, sizeof(s)))
		return;
	now = s.value;
	chip_lapic_create(&l, s.more % 4096, s.reg & 63);
	ref_create(&r, s.more % 4096, s.reg & 63);
	r.now = now;
	while (fuzz_take(&data, &size, &s, sizeof(s))) {
		l.fx.what = 0;
		wait(&s);
		compare();
		l.fx.what = 0;
		switch (s.what & 7) {
		case 0:
			set_base(&s);
			break;
		case 1:
			interrupt(&s);
			break;
		case 2:
			restore(&data, &size);
			break;
		case 3:
			chip_lapic_set_tsc_deadline(&l, s.value);
			if (ref_on(&r) && ref_mode(&r) == 2)
				r.deadline = s.value;
			break;
		default:
			access_register(&s);
		}
		compare();
		compare_pages();
		compare_addressing(&s);
	}
}

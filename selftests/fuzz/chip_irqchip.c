// SPDX-License-Identifier: GPL-2.0
/*
 * The models of I/O APIC, 8259s and 8254 under inputs that a fuzzer finds: a hostile guest's accesses, a hostile VMM's lines and
 * states, in any order. After each step what must hold of them is checked, with plain words where the model is clever.
 */
#include <stdlib.h>
#include <string.h>

#include "chip/irqchip.h"
#include "fuzz.h"

struct step {
	u8 what, reg;
	u16 wait;
	u32 value, more;
};

static struct chip_ioapic io;
static struct chip_pic pic;
static struct chip_pit pit;
static u64 now;
static u32 lines;	/* of the I/O APIC, as they were set */

static void take_state(void *state, size_t n, const uint8_t **data, size_t *size)
{
	size_t length = *size < n ? *size : n;

	memset(state, 0, n);
	memcpy(state, *data, length);
	*data += length;
	*size -= length;
}

static void service(u32 pins)
{
	struct irq_message m;

	for (u32 pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 before = io.entry[pin];

		if (!(pins >> pin & 1) || !chip_ioapic_message(&io, pin, &m))
			continue;
		MUST(!(before & 1 << 16) && lines >> pin & 1);
		MUST(m.vector == (u8)before && m.dest == before >> 56 && m.level == !!(before & 1 << 15));
		chip_ioapic_sent(&io, pin, m.vector % 3 - 1);
		/* What was taken does not go twice. */
		MUST(chip_ioapic_message(&io, pin, &m) == (m.level && m.vector % 3 < 2));
	}
}

static void step_ioapic(const struct step *s, const uint8_t **data, size_t *size)
{
	struct kvirt_ioapic_state a, b;
	u32 pin = s->reg % IOAPIC_PINS;
	struct irq_message m;
	int status;

	memset(&io.fx, 0, sizeof(io.fx));
	switch (s->what >> 2 & 7) {
	case 0:
		status = chip_ioapic_set_line(&io, pin, s->value & 1);
		lines = s->value & 1 ? lines | 1u << pin : lines & ~(1u << pin);
		MUST(status == IOAPIC_SERVICE || status == 0 || status == 1);
		if (status == IOAPIC_SERVICE)
			service(1u << pin);
		break;
	case 1:
		chip_ioapic_eoi(&io, s->reg);
		MUST(!(io.fx.service & ~chip_ioapic_pins(&io, s->reg)));
		break;
	case 2:
		take_state(&a, sizeof(a), data, size);
		chip_ioapic_restore(&io, &a);
		lines = a.irr;
		chip_ioapic_save(&io, &a);
		chip_ioapic_restore(&io, &a);
		chip_ioapic_save(&io, &b);
		MUST(!memcmp(&a, &b, sizeof(a)));
		break;
	case 3:
		chip_ioapic_read(&io, s->reg);
		break;
	default:
		chip_ioapic_write(&io, 0, s->reg);
		chip_ioapic_write(&io, s->what & 0x80 ? s->more & 0xff : 0x10, s->value);
	}
	MUST(!(io.fx.service >> IOAPIC_PINS) && !(io.fx.unmasked >> IOAPIC_PINS) && !(io.irr >> IOAPIC_PINS));
	service(io.fx.service);
	/* No level that is high, open and not waiting for its end is forgotten: but for those nobody took. */
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		if (chip_ioapic_message(&io, pin, &m) && m.level)
			MUST((u8)io.entry[pin] % 3 < 2 || !(io.fx.service >> pin & 1));
}

/* The line that goes to the CPU, in plain words. */
static int wanted(const struct kvirt_pic_state *s, bool master)
{
	for (int i = 0; i < 8; i++) {
		int line = (s->priority_add + i) & 7;

		if (s->irr >> line & 1 && !(s->imr >> line & 1) && !(s->isr >> line & 1 && !(s->special_mask && s->imr >> line & 1) &&
								     !(master && s->special_fully_nested_mode && line == 2)))
			return line;
		if (s->isr >> line & 1 && !(s->special_mask && s->imr >> line & 1) &&
		    !(master && s->special_fully_nested_mode && line == 2))
			return -1;
	}
	return -1;
}

static void step_pic(const struct step *s, const uint8_t **data, size_t *size)
{
	static const u16 ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x20, 0xa0 };
	u16 port = ports[s->reg & 7];
	struct kvirt_pic_state state;
	int line, slave;
	u8 vector;

	switch (s->what >> 2 & 7) {
	case 0:
	case 1:
		line = chip_pic_set_line(&pic, s->reg & 15, s->value & 1);
		MUST(line >= -1 && line <= 1);
		break;
	case 2:
		take_state(&state, sizeof(state), data, size);
		chip_pic_restore(&pic, s->reg & 1, &state);
		break;
	case 3:
		line = wanted(&pic.chip[0], true);
		slave = wanted(&pic.chip[1], false);
		MUST((line >= 0) == chip_pic_output(&pic));
		vector = chip_pic_acknowledge(&pic);
		if (line == 2)
			MUST(vector == pic.chip[1].irq_base + slave);
		else
			MUST(vector == pic.chip[0].irq_base + (line < 0 ? 7 : line));
		break;
	case 4:
		chip_pic_read(&pic, port);
		break;
	default:
		chip_pic_write(&pic, port, s->value);
	}
	for (int i = 0; i < 2; i++) {
		const struct kvirt_pic_state *c = &pic.chip[i];

		MUST(c->priority_add < 8 && c->init_state < 4 && !(c->irq_base & 7) && !(c->elcr & ~c->elcr_mask));
	}
	MUST((pic.chip[0].irr >> 2 & 1) == (wanted(&pic.chip[1], false) >= 0));
	MUST(chip_pic_output(&pic) == (wanted(&pic.chip[0], true) >= 0));
}

static void step_pit(const struct step *s, const uint8_t **data, size_t *size)
{
	u16 port = s->reg & 8 ? 0x61 : 0x40 + (s->reg & 3);
	struct kvirt_pit_state2 state;
	u64 before = pit.deadline;
	bool tick;

	switch (s->what >> 2 & 7) {
	case 0:
		pit.reinject = s->value & 1;
		break;
	case 1:
		tick = chip_pit_ack(&pit);
		MUST(tick == !!pit.pending);
		break;
	case 2:
		take_state(&state, sizeof(state), data, size);
		chip_pit_restore(&pit, &state, now);
		break;
	case 3:
		chip_pit_read(&pit, port, now);
		break;
	default:
		chip_pit_write(&pit, port, s->value, now);
	}
	before = pit.deadline;
	tick = chip_pit_expire(&pit, now);
	MUST(pit.deadline > now && pit.deadline >= before);
	MUST(!tick || before <= now);
	for (int i = 0; i < 3; i++)
		MUST(pit.state.channels[i].count >= 1 && pit.state.channels[i].count <= 0x10000);
}

void fuzz_input(const uint8_t *data, size_t size)
{
	struct step s;

	now = lines = 0;
	chip_ioapic_reset(&io);
	chip_pic_reset(&pic);
	chip_pit_reset(&pit, now);
	while (fuzz_take(&data, &size, &s, sizeof(s))) {
		now += s.what & 0x40 ? (u64)s.wait << 20 : s.wait;
		if ((s.what & 3) == 0)
			step_ioapic(&s, &data, &size);
		else if ((s.what & 3) == 1)
			step_pic(&s, &data, &size);
		else
			step_pit(&s, &data, &size);
	}
}

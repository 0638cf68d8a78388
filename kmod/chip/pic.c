// SPDX-License-Identifier: GPL-2.0
/*
 * See irqchip.h; the command words are those of Intel's 8259A data sheet. Not there: 8080 mode,
 * buffered mode, a level-triggered mode for all lines at once (ELCR has one for each).
 */
#include "irqchip.h"

enum { MASTER, SLAVE };
enum { CASCADE = 2, SPURIOUS = 7, NONE = 8 };
enum { READY, ICW2, ICW3, ICW4 };	/* init_state: the word that comes next */
enum { ICW1_MARK = 0x10, OCW3_MARK = 0x08 };

/* ELCR: the timer, keyboard, cascade, clock and FPU lines are edge-triggered for good. */
void chip_pic_reset(struct chip_pic *pic)
{
	*pic = (struct chip_pic){ { { .elcr_mask = 0xf8 }, { .elcr_mask = 0xde } } };
}

/* How far the first of @set is from the highest priority. */
static u32 rank(const struct kvirt_pic_state *s, u32 set)
{
	set = (set | set << 8) >> s->priority_add & 0xff;
	return set ? __builtin_ctz(set) : NONE;
}

/* The line whose request beats all that are in service, or NONE. */
static u32 winner(const struct chip_pic *pic, u32 which)
{
	const struct kvirt_pic_state *s = &pic->chip[which];
	u32 first = rank(s, s->irr & ~s->imr);
	u32 service = s->isr;

	if (s->special_mask)
		service &= ~s->imr;
	if (which == MASTER && s->special_fully_nested_mode)
		service &= ~BIT(CASCADE);
	return first < rank(s, service) ? (first + s->priority_add) & 7 : NONE;
}

/* The slave's INT is the master's line 2. */
static void update(struct chip_pic *pic)
{
	struct kvirt_pic_state *master = &pic->chip[MASTER];

	master->irr &= ~BIT(CASCADE);
	if (winner(pic, SLAVE) != NONE)
		master->irr |= BIT(CASCADE);
}

bool chip_pic_output(const struct chip_pic *pic)
{
	return winner(pic, MASTER) != NONE;
}

int chip_pic_set_line(struct chip_pic *pic, u32 line, bool level)
{
	struct kvirt_pic_state *s = &pic->chip[line / 8];
	u8 bit = BIT(line % 8), before = s->irr;

	if (!level) {
		s->last_irr &= ~bit;
		if (s->elcr & bit)
			s->irr &= ~bit;
	} else {
		if (s->elcr & bit || !(s->last_irr & bit))
			s->irr |= bit;
		else
			before = 0;
		s->last_irr |= bit;
	}
	update(pic);
	if (s->imr & bit)
		return -1;
	return !level || !(before & bit);
}

static void end(struct chip_pic *pic, u32 which, u32 line)
{
	pic->chip[which].isr &= ~BIT(line);
	pic->fx.acked |= BIT(line + 8 * which);
}

static void take(struct chip_pic *pic, u32 which, u32 line)
{
	struct kvirt_pic_state *s = &pic->chip[which];

	s->isr |= BIT(line);
	if (!(s->elcr & BIT(line)))
		s->irr &= ~BIT(line);
	if (!s->auto_eoi)
		return;
	if (s->rotate_on_auto_eoi)
		s->priority_add = (line + 1) & 7;
	end(pic, which, line);
}

/* A request that is gone by now is answered as line 7's, which is not in service. */
u8 chip_pic_acknowledge(struct chip_pic *pic)
{
	u32 which = MASTER, line = winner(pic, MASTER);

	if (line == CASCADE) {
		take(pic, MASTER, CASCADE);
		which = SLAVE;
		line = winner(pic, SLAVE);
	}
	if (line == NONE)
		line = SPURIOUS;
	else
		take(pic, which, line);
	update(pic);
	return pic->chip[which].irq_base + line;
}

/* ICW1: requests by edge are forgotten, which whoever waits for their end must hear. */
static void initialize(struct chip_pic *pic, u32 which, u8 value)
{
	struct kvirt_pic_state *s = &pic->chip[which];

	pic->fx.acked |= ((s->irr & ~s->elcr) | s->isr) << 8 * which;
	s->irr &= s->elcr;
	s->last_irr = 0;
	s->isr = 0;
	s->imr = 0;
	s->priority_add = 0;
	s->special_mask = 0;
	s->read_reg_select = 0;
	s->init4 = value & 1;
	if (!s->init4) {
		s->special_fully_nested_mode = 0;
		s->auto_eoi = 0;
	}
	s->init_state = ICW2;
}

/* OCW2: bits 7 to 5 are rotate, specific, end of interrupt. */
static void command(struct chip_pic *pic, u32 which, u8 value)
{
	struct kvirt_pic_state *s = &pic->chip[which];
	bool specific = value & 0x40, eoi = value & 0x20;
	u32 line = value & 7, first = rank(s, s->isr);

	if (!specific && !eoi)
		s->rotate_on_auto_eoi = value >> 7;
	if (!specific && (!eoi || first == NONE))
		return;
	if (!specific)
		line = (first + s->priority_add) & 7;
	if (eoi)
		end(pic, which, line);
	if (value & 0x80)
		s->priority_add = (line + 1) & 7;
}

static void write_command(struct chip_pic *pic, u32 which, u8 value)
{
	struct kvirt_pic_state *s = &pic->chip[which];

	if (value & ICW1_MARK) {
		initialize(pic, which, value);
	} else if (value & OCW3_MARK) {
		if (value & 4)
			s->poll = 1;
		if (value & 2)
			s->read_reg_select = value & 1;
		if (value & 0x40)
			s->special_mask = value >> 5 & 1;
	} else {
		command(pic, which, value);
	}
}

static void write_data(struct chip_pic *pic, u32 which, u8 value)
{
	struct kvirt_pic_state *s = &pic->chip[which];

	switch (s->init_state) {
	case READY:
		pic->fx.unmasked |= (s->imr & ~value) << 8 * which;
		s->imr = value;
		break;
	case ICW2:
		s->irq_base = value & 0xf8;
		s->init_state = ICW3;
		break;
	case ICW3:
		s->init_state = s->init4 ? ICW4 : READY;
		break;
	case ICW4:
		s->special_fully_nested_mode = value >> 4 & 1;
		s->auto_eoi = value >> 1 & 1;
		s->init_state = READY;
		break;
	}
}

void chip_pic_write(struct chip_pic *pic, u16 port, u8 value)
{
	u32 which = port >= PIC_SLAVE_PORT ? SLAVE : MASTER;

	if (port >= PIC_ELCR_PORT)
		pic->chip[port & 1].elcr = value & pic->chip[port & 1].elcr_mask;
	else if (port & 1)
		write_data(pic, which, value);
	else
		write_command(pic, which, value);
	update(pic);
}

/* A poll is the acknowledgment by hand: bit 7 says whether there was a request. */
static u8 poll(struct chip_pic *pic, u32 which)
{
	u32 line = winner(pic, which);

	pic->chip[which].poll = 0;
	if (line == NONE)
		return SPURIOUS;
	take(pic, which, line);
	update(pic);
	return 0x80 | line;
}

u8 chip_pic_read(struct chip_pic *pic, u16 port)
{
	u32 which = port >= PIC_SLAVE_PORT ? SLAVE : MASTER;
	const struct kvirt_pic_state *s = &pic->chip[which];

	if (port >= PIC_ELCR_PORT)
		return pic->chip[port & 1].elcr;
	if (s->poll)
		return poll(pic, which);
	if (port & 1)
		return s->imr;
	return s->read_reg_select ? s->isr : s->irr;
}

void chip_pic_restore(struct chip_pic *pic, u32 which, const struct kvirt_pic_state *state)
{
	struct kvirt_pic_state *s = &pic->chip[which];
	u8 mask = s->elcr_mask;

	*s = *state;
	s->priority_add &= 7;
	s->irq_base &= 0xf8;
	s->init_state &= 3;
	s->elcr_mask = mask;
	s->elcr &= mask;
	update(pic);
}

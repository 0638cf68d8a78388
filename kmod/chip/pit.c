// SPDX-License-Identifier: GPL-2.0
/* See irqchip.h; modes and commands are those of Intel's 8254 data sheet. */
#include "irqchip.h"

#define HZ_PIT	1193182ULL
#define HZ_NS	1000000000ULL
#define MODE_NONE	0xff		/* nothing was written since reset */

/* The control word's access bits, and where a two-byte access stands. */
enum { LATCH, LOW, HIGH, BOTH, BOTH_HIGH };

/* In ticks, without overflow. */
static u64 elapsed(const struct kvirt_pit_channel_state *c, u64 now)
{
	u64 ns = now > (u64)c->count_load_time ? now - c->count_load_time : 0;

	return ns / HZ_NS * HZ_PIT + ns % HZ_NS * HZ_PIT / HZ_NS;
}

static u64 period(const struct kvirt_pit_channel_state *c)
{
	return c->count * HZ_NS / HZ_PIT;
}

static bool periodic(const struct kvirt_pit_channel_state *c)
{
	return c->mode == 2 || c->mode == 3;
}

static u16 counter(const struct kvirt_pit_channel_state *c, u64 now)
{
	u64 ticks = elapsed(c, now);

	if (c->mode == 3)
		return c->count - 2 * ticks % c->count;
	return c->count - (periodic(c) ? ticks % c->count : ticks);
}

static bool output(const struct kvirt_pit_channel_state *c, u64 now)
{
	u64 ticks = elapsed(c, now);

	switch (c->mode) {
	case 2:
		return ticks % c->count != c->count - 1;
	case 3:
		return ticks % c->count < (c->count + 1) / 2;
	case 4:
	case 5:
		return ticks != c->count;
	default:
		return ticks >= c->count;
	}
}

void chip_pit_forget(struct chip_pit *pit)
{
	pit->pending = 0;
	pit->acked = true;
}

/* 0 stands for 65536. Counting begins, and of channel 0 the ticks, unless an HPET has its line. */
static void load(struct chip_pit *pit, u32 which, u32 count, u64 now)
{
	struct kvirt_pit_channel_state *c = &pit->state.channels[which];

	c->count = count ?: 0x10000;
	c->count_load_time = now;
	if (which)
		return;
	chip_pit_forget(pit);
	pit->deadline = ~0ULL;
	if (c->mode < 5 && !(pit->state.flags & KVIRT_PIT_FLAGS_HPET_LEGACY))
		pit->deadline = now + period(c);
}

static void latch_count(struct kvirt_pit_channel_state *c, u64 now)
{
	if (c->count_latched)
		return;
	c->latched_count = counter(c, now);
	c->count_latched = c->rw_mode;
}

static void latch_status(struct kvirt_pit_channel_state *c, u64 now)
{
	if (c->status_latched)
		return;
	c->status = output(c, now) << 7 | c->rw_mode << 4 | (c->mode & 7) << 1 | c->bcd;
	c->status_latched = 1;
}

static void write_control(struct chip_pit *pit, u8 value, u64 now)
{
	struct kvirt_pit_channel_state *c;
	u32 which = value >> 6, access = value >> 4 & 3;

	if (which == 3) {
		/* Read back: bits 5 and 4 say what not to latch, 3 to 1 of which channels. */
		for (which = 0; which < 3; which++) {
			c = &pit->state.channels[which];
			if (value & 2 << which && !(value & 0x20))
				latch_count(c, now);
			if (value & 2 << which && !(value & 0x10))
				latch_status(c, now);
		}
		return;
	}
	c = &pit->state.channels[which];
	if (access == LATCH) {
		latch_count(c, now);
		return;
	}
	/* It counts no more, until a count is written. */
	if (!which)
		pit->deadline = ~0ULL;
	c->rw_mode = access;
	c->read_state = access;
	c->write_state = access;
	c->mode = value >> 1 & 7;
	if (c->mode > 5)
		c->mode -= 4;
	c->bcd = value & 1;
}

static void write_count(struct chip_pit *pit, u32 which, u8 value, u64 now)
{
	struct kvirt_pit_channel_state *c = &pit->state.channels[which];

	if (c->write_state == BOTH) {
		c->write_latch = value;
		c->write_state = BOTH_HIGH;
	} else if (c->write_state == BOTH_HIGH) {
		c->write_state = BOTH;
		load(pit, which, c->write_latch | value << 8, now);
	} else if (c->write_state != LATCH) {
		load(pit, which, c->write_state == HIGH ? value << 8 : value, now);
	}
}

/* A byte of @value, by how far the access in @state is. */
static u8 read_byte(u8 *state, u16 value)
{
	u8 now = *state;

	if (now == BOTH)
		*state = BOTH_HIGH;
	else if (now == BOTH_HIGH)
		*state = BOTH;
	return now == HIGH || now == BOTH_HIGH ? value >> 8 : value;
}

static u8 read_count(struct kvirt_pit_channel_state *c, u64 now)
{
	u8 latched = c->count_latched;

	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	if (!latched)
		return read_byte(&c->read_state, counter(c, now));
	/* Of a latched word the high byte is what is left. */
	c->count_latched = latched == BOTH ? HIGH : 0;
	return read_byte(&latched, c->latched_count);
}

u8 chip_pit_read(struct chip_pit *pit, u16 port, u64 now)
{
	const struct kvirt_pit_channel_state *c = &pit->state.channels[2];

	if (port == PIT_SPEAKER_PORT)	/* bit 4 is memory refresh, about 15 us */
		return c->gate | (pit->state.flags & KVIRT_PIT_FLAGS_SPEAKER_DATA_ON) |
		       (now >> 14 & 1) << 4 | output(c, now) << 5;
	return port == PIT_CONTROL_PORT ? 0 : read_count(&pit->state.channels[port & 3], now);
}

void chip_pit_write(struct chip_pit *pit, u16 port, u8 value, u64 now)
{
	struct kvirt_pit_channel_state *c = &pit->state.channels[2];

	if (port == PIT_CONTROL_PORT) {
		write_control(pit, value, now);
	} else if (port != PIT_SPEAKER_PORT) {
		write_count(pit, port & 3, value, now);
	} else {
		pit->state.flags = (pit->state.flags & ~KVIRT_PIT_FLAGS_SPEAKER_DATA_ON) |
			     (value & KVIRT_PIT_FLAGS_SPEAKER_DATA_ON);
		/* The gate's rising edge starts anew what the gate does not merely hold. */
		if (value & ~c->gate & 1 && c->mode != 0 && c->mode != 4)
			c->count_load_time = now;
		c->gate = value & 1;
	}
}

bool chip_pit_expire(struct chip_pit *pit, u64 now)
{
	const struct kvirt_pit_channel_state *c = &pit->state.channels[0];
	u64 step = period(c), missed = 0;

	if (now < pit->deadline)
		return false;
	if (step < MIN_PERIOD_NS)
		step = MIN_PERIOD_NS;
	if (periodic(c)) {
		missed = (now - pit->deadline) / step;
		pit->deadline += (missed + 1) * step;
	} else {
		pit->deadline = ~0ULL;
	}
	if (!pit->reinject)
		return true;
	pit->pending = missed < ~pit->pending ? pit->pending + (u32)missed + 1 : ~0U;
	if (!pit->acked)
		return false;
	pit->acked = false;
	return true;
}

bool chip_pit_ack(struct chip_pit *pit)
{
	if (pit->pending)
		pit->pending--;
	pit->acked = !pit->pending;
	return !pit->acked;
}

void chip_pit_reset(struct chip_pit *pit, u64 now)
{
	u32 which;

	memset(pit, 0, sizeof(*pit));
	pit->reinject = true;
	for (which = 0; which < 3; which++) {
		pit->state.channels[which].mode = MODE_NONE;
		pit->state.channels[which].gate = which != 2;
		load(pit, which, 0, now);
	}
}

void chip_pit_restore(struct chip_pit *pit, const struct kvirt_pit_state2 *state, u64 now)
{
	struct kvirt_pit_channel_state *c;
	u32 which;

	pit->state.flags = state->flags;
	for (which = 0; which < 3; which++) {
		c = &pit->state.channels[which];
		*c = state->channels[which];
		if (c->mode > 5)
			c->mode = MODE_NONE;
		c->rw_mode &= 3;
		c->bcd &= 1;
		c->gate &= 1;
		load(pit, which, c->count & 0xffff, now);
	}
}

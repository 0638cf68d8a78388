// SPDX-License-Identifier: GPL-2.0
/*
 * The serial port model: what a driver looks for, interrupts, flow control at
 * both ends, and random accesses.
 */
#include <stdlib.h>
#include <string.h>

#include "../dev/serial.h"
#include "ktap.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

#define MCR_OPEN	0x0b	/* DTR, RTS, OUT2 */
#define FCR_ON		0x01

struct far_end {
	u8 got[256];
	unsigned int nr_got;
	unsigned int room;	/* bytes that are still taken */
	unsigned int ready_calls;
	unsigned int edges;
	bool irq;
};

static bool far_transmit(void *ctx, u8 byte)
{
	struct far_end *far = ctx;

	if (far->room) {
		far->got[far->nr_got++ % sizeof(far->got)] = byte;
		far->room--;
	}
	return far->room;
}

static void far_ready(void *ctx)
{
	((struct far_end *)ctx)->ready_calls++;
}

static void far_irq(void *ctx, bool level)
{
	struct far_end *far = ctx;

	far->edges += level;
	far->irq = level;
}

static const struct serial_ops far_ops = { far_transmit, far_ready, far_irq };

static void start(struct serial *s, struct far_end *far)
{
	memset(far, 0, sizeof(*far));
	far->room = sizeof(far->got);
	serial_init(s, &far_ops, far);
}

static u8 in(struct serial *s, unsigned int reg)
{
	u8 value;

	serial_bus_ops.read(s, reg, &value, 1);
	return value;
}

static void out(struct serial *s, unsigned int reg, u8 value)
{
	serial_bus_ops.write(s, reg, &value, 1);
}

static void looks_like_a_16550a(void)
{
	struct far_end far;
	struct serial s;

	start(&s, &far);
	EXPECT_EQ(in(&s, LSR), 0x60);
	EXPECT_EQ(in(&s, IIR), 0x01);
	EXPECT_EQ(in(&s, MSR), 0xb0);
	out(&s, IER, 0xff);
	EXPECT_EQ(in(&s, IER), 0x0f);
	out(&s, IER, 0);
	out(&s, SCR, 0x5a);
	EXPECT_EQ(in(&s, SCR), 0x5a);
	out(&s, IIR, FCR_ON);
	EXPECT_EQ(in(&s, IIR), 0xc1);
	out(&s, LCR, 0x80);
	out(&s, DATA, 0x01);
	out(&s, IER, 0x02);
	EXPECT_EQ(in(&s, DATA), 0x01);
	EXPECT_EQ(in(&s, IER), 0x02);
	out(&s, LCR, 0x03);
	EXPECT_EQ(in(&s, IER), 0);
	EXPECT_EQ(far.nr_got, 0);
}

static void loopback(void)
{
	struct far_end far;
	struct serial s;

	start(&s, &far);
	/* Linux's probe: the modem outputs come back as inputs. */
	out(&s, MCR, 0x10 | 0x0a);
	EXPECT_EQ(in(&s, MSR) & 0xf0, 0x90);
	out(&s, DATA, 'x');
	EXPECT_EQ(in(&s, LSR) & 1, 1);
	EXPECT_EQ(in(&s, DATA), 'x');
	EXPECT_EQ(far.nr_got, 0);
	out(&s, IER, 0x0f);
	EXPECT(!far.irq);
}

static void transmit_interrupts_once_a_burst(void)
{
	struct far_end far;
	struct serial s;
	int i;

	start(&s, &far);
	out(&s, IIR, FCR_ON);
	out(&s, MCR, MCR_OPEN);
	out(&s, IER, 0x02);
	EXPECT(far.irq);
	EXPECT_EQ(in(&s, IIR), 0xc2);
	EXPECT(!far.irq);
	for (i = 0; i < 16; i++)
		out(&s, DATA, 'a' + i);
	EXPECT(far.irq);
	EXPECT_EQ(far.edges, 2);
	EXPECT_EQ(in(&s, IIR), 0xc2);
	out(&s, IER, 0);
	EXPECT(!far.irq);
	EXPECT_EQ(far.nr_got, 16);
	EXPECT(!memcmp(far.got, "abcdefghijklmnop", 16));
}

static void out2_gates_the_line(void)
{
	struct far_end far;
	struct serial s;

	start(&s, &far);
	out(&s, IER, 0x02);
	EXPECT(!far.irq);
	out(&s, MCR, 0x08);
	EXPECT(far.irq);
	out(&s, MCR, 0x00);
	EXPECT(!far.irq);
}

static void full_far_end_stops_the_guest(void)
{
	struct far_end far;
	struct serial s;

	start(&s, &far);
	far.room = 2;
	out(&s, MCR, MCR_OPEN);
	out(&s, IER, 0x02);
	in(&s, IIR);
	out(&s, DATA, '1');
	EXPECT_EQ(in(&s, LSR) & 0x60, 0x60);
	out(&s, DATA, '2');
	EXPECT_EQ(in(&s, LSR) & 0x60, 0);
	EXPECT_EQ(in(&s, IIR), 0x01);
	EXPECT(!far.irq);
	far.room = 10;
	serial_transmit_ready(&s);
	EXPECT(far.irq);
	EXPECT_EQ(in(&s, LSR) & 0x60, 0x60);
	EXPECT_EQ(in(&s, IIR), 0x02);
}

static void input_waits_for_rts(void)
{
	struct far_end far;
	struct serial s;

	start(&s, &far);
	EXPECT_EQ(serial_room(&s), 0);
	out(&s, IIR, FCR_ON);
	EXPECT_EQ(far.ready_calls, 0);
	out(&s, MCR, MCR_OPEN);
	EXPECT_EQ(far.ready_calls, 1);
	EXPECT_EQ(serial_room(&s), 16);
	out(&s, MCR, MCR_OPEN);
	EXPECT_EQ(far.ready_calls, 1);
	/* Without its FIFO the port holds one byte. */
	out(&s, IIR, 0);
	EXPECT_EQ(serial_room(&s), 1);
}

static void receive(void)
{
	struct far_end far;
	struct serial s;

	start(&s, &far);
	out(&s, IIR, FCR_ON | 0x40);
	out(&s, MCR, MCR_OPEN);
	out(&s, IER, 0x05);
	serial_receive(&s, (const u8 *)"abc", 3);
	EXPECT(far.irq);
	EXPECT_EQ(in(&s, IIR), 0xcc);
	serial_receive(&s, (const u8 *)"d", 1);
	EXPECT_EQ(in(&s, IIR), 0xc4);
	EXPECT_EQ(in(&s, DATA), 'a');
	EXPECT_EQ(in(&s, DATA), 'b');
	EXPECT_EQ(in(&s, DATA), 'c');
	EXPECT(far.irq);
	EXPECT_EQ(in(&s, DATA), 'd');
	EXPECT(!far.irq);
	EXPECT_EQ(in(&s, IIR), 0xc1);
	EXPECT_EQ(in(&s, DATA), 0);
}

static void overrun_is_told_and_room_is_called_back(void)
{
	struct far_end far;
	struct serial s;
	u8 data[17] = "0123456789abcdefg";
	int i;

	start(&s, &far);
	out(&s, IIR, FCR_ON);
	out(&s, MCR, MCR_OPEN);
	out(&s, IER, 0x04);
	serial_receive(&s, data, 17);
	EXPECT(far.irq);
	EXPECT_EQ(in(&s, IIR), 0xc6);
	EXPECT_EQ(in(&s, LSR) & 0x03, 0x03);
	EXPECT(!far.irq);
	EXPECT_EQ(serial_room(&s), 0);
	/* When half of it is empty, once. */
	for (i = 0; i < 16; i++) {
		EXPECT_EQ(far.ready_calls, i > 7);
		EXPECT_EQ(in(&s, DATA), data[i]);
	}
	out(&s, IIR, FCR_ON | 0x02);
	EXPECT_EQ(in(&s, LSR) & 1, 0);
	EXPECT_EQ(serial_room(&s), 16);
}

static void random_accesses(void)
{
	struct far_end far;
	struct serial s;
	u8 data[16] = { 0 };
	unsigned int i, room;

	srand(2);
	start(&s, &far);
	for (i = 0; i < 1000000; i++) {
		far.room = rand() % 4;
		switch (rand() % 4) {
		case 0:
			out(&s, rand() % 8, rand());
			break;
		case 1:
			in(&s, rand() % 8);
			break;
		case 2:
			room = serial_room(&s);
			ASSERT(room <= 16);
			serial_receive(&s, data, room);
			break;
		default:
			serial_transmit_ready(&s);
			break;
		}
		ASSERT(s.rx_count <= SERIAL_FIFO_SIZE);
		ASSERT(s.rx_head < SERIAL_FIFO_SIZE);
		ASSERT_EQ(far.irq, s.irq_level);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(looks_like_a_16550a), TEST(loopback),
		TEST(transmit_interrupts_once_a_burst),
		TEST(out2_gates_the_line), TEST(full_far_end_stops_the_guest),
		TEST(input_waits_for_rts), TEST(receive),
		TEST(overrun_is_told_and_room_is_called_back),
		TEST(random_accesses),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}

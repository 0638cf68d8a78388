// SPDX-License-Identifier: GPL-2.0
/* The model of the 8259A pair (kmod/chip/pic.c): what the data sheet says, case by case. */
#include <string.h>

#include "chip/irqchip.h"
#include "ktap.h"

static struct chip_pic pic;

static void wr(u16 port, u8 value)
{
	memset(&pic.fx, 0, sizeof(pic.fx));
	chip_pic_write(&pic, port, value);
}

static u8 rd(u16 port)
{
	memset(&pic.fx, 0, sizeof(pic.fx));
	return chip_pic_read(&pic, port);
}

static u8 isr(u16 port)
{
	u8 value;

	wr(port, 0x0b);
	value = rd(port);
	wr(port, 0x0a);
	return value;
}

static int take(void)
{
	memset(&pic.fx, 0, sizeof(pic.fx));
	return chip_pic_output(&pic) ? chip_pic_acknowledge(&pic) : -1;
}

static void pulse(unsigned int line)
{
	chip_pic_set_line(&pic, line, true);
	chip_pic_set_line(&pic, line, false);
}

static void begin(u8 master_icw4, u8 slave_icw4)
{
	chip_pic_reset(&pic);
	wr(0x20, 0x11);
	wr(0x21, 0x20);
	wr(0x21, 4);
	wr(0x21, master_icw4);
	wr(0xa0, 0x11);
	wr(0xa1, 0x28);
	wr(0xa1, 2);
	wr(0xa1, slave_icw4);
}

static void registers(void)
{
	begin(1, 1);
	wr(0x21, 0xa5);
	EXPECT_EQ(rd(0x21), 0xa5);
	EXPECT_EQ(pic.fx.unmasked, 0);
	wr(0x21, 0x24);
	EXPECT_EQ(pic.fx.unmasked, 0x81);
	wr(0xa1, 0xff);
	wr(0xa1, 0xfe);
	EXPECT_EQ(pic.fx.unmasked, 0x100);
	wr(0x4d0, 0xff);
	wr(0x4d1, 0xff);
	EXPECT_EQ(rd(0x4d0), 0xf8);
	EXPECT_EQ(rd(0x4d1), 0xde);
	/* ICW1 without ICW4: three words, and its modes are off. */
	begin(0x13, 1);
	EXPECT(pic.chip[0].auto_eoi == 1 && pic.chip[0].special_fully_nested_mode == 1);
	wr(0x20, 0x10);
	wr(0x21, 0x47);
	wr(0x21, 4);
	wr(0x21, 0x77);
	EXPECT_EQ(rd(0x21), 0x77);
	EXPECT_EQ(pic.chip[0].irq_base, 0x40);
	EXPECT(!pic.chip[0].auto_eoi && !pic.chip[0].special_fully_nested_mode);
}

static void edges_and_levels(void)
{
	begin(1, 1);
	EXPECT_EQ(chip_pic_set_line(&pic, 3, true), 1);
	EXPECT_EQ(chip_pic_set_line(&pic, 3, true), 1);
	EXPECT_EQ(take(), 0x23);
	wr(0x20, 0x20);
	EXPECT_EQ(pic.fx.acked, 8);
	EXPECT_EQ(take(), -1);			/* high all the time: no edge */
	chip_pic_set_line(&pic, 3, false);
	EXPECT_EQ(chip_pic_set_line(&pic, 3, true), 1);
	chip_pic_set_line(&pic, 3, false);
	EXPECT_EQ(chip_pic_set_line(&pic, 3, true), 0);
	EXPECT_EQ(take(), 0x23);
	wr(0x20, 0x63);
	wr(0x4d0, 0x20);
	EXPECT_EQ(chip_pic_set_line(&pic, 5, true), 1);
	EXPECT_EQ(chip_pic_set_line(&pic, 5, true), 0);
	EXPECT_EQ(take(), 0x25);
	EXPECT_EQ(rd(0x20), 0x20);		/* a level stays in IRR */
	wr(0x20, 0x65);
	EXPECT_EQ(take(), 0x25);
	wr(0x20, 0x65);
	chip_pic_set_line(&pic, 5, false);
	EXPECT_EQ(take(), -1);
	wr(0x21, 0x01);
	EXPECT_EQ(chip_pic_set_line(&pic, 0, true), -1);
	EXPECT_EQ(take(), -1);
	wr(0x21, 0);
	EXPECT_EQ(take(), 0x20);
}

static void cascade(void)
{
	begin(1, 1);
	pulse(13);
	EXPECT_EQ(rd(0x20), 4);
	EXPECT_EQ(rd(0xa0), 0x20);
	EXPECT_EQ(take(), 0x2d);
	EXPECT_EQ(isr(0x20), 4);
	EXPECT_EQ(isr(0xa0), 0x20);
	/* In the plain nested mode the slave's higher ones wait for the master's end. */
	pulse(9);
	EXPECT_EQ(take(), -1);
	wr(0xa0, 0x65);
	EXPECT_EQ(pic.fx.acked, 0x2000);
	wr(0x20, 0x62);
	EXPECT_EQ(take(), 0x29);
	wr(0xa0, 0x20);
	wr(0x20, 0x20);
	/* In the special one they do not. */
	begin(0x11, 1);
	pulse(13);
	EXPECT_EQ(take(), 0x2d);
	pulse(14);
	EXPECT_EQ(take(), -1);
	pulse(9);
	EXPECT_EQ(take(), 0x29);
	/* A slave's request that has gone takes the master's with it. */
	begin(1, 1);
	wr(0x4d1, 2);
	chip_pic_set_line(&pic, 9, true);
	EXPECT(chip_pic_output(&pic));
	chip_pic_set_line(&pic, 9, false);
	EXPECT(!chip_pic_output(&pic));
	memset(&pic.fx, 0, sizeof(pic.fx));
	EXPECT_EQ(chip_pic_acknowledge(&pic), 0x27);	/* spurious: line 7, not in service */
	EXPECT_EQ(isr(0x20), 0);
}

static void rotation(void)
{
	begin(1, 1);
	pulse(1);
	pulse(4);
	EXPECT_EQ(take(), 0x21);
	wr(0x20, 0xa0);				/* 1 is the lowest */
	pulse(1);
	EXPECT_EQ(take(), 0x24);
	wr(0x20, 0xe4);				/* specific: 4 is the lowest */
	EXPECT_EQ(isr(0x20), 0);
	pulse(4);
	EXPECT_EQ(take(), 0x21);
	wr(0x20, 0x61);
	EXPECT_EQ(take(), 0x24);
	wr(0x20, 0x20);
	wr(0x20, 0xc0);				/* set priority: 0 is the lowest */
	pulse(0);
	pulse(7);
	EXPECT_EQ(take(), 0x27);
	wr(0x20, 0x20);
	EXPECT_EQ(take(), 0x20);
	wr(0x20, 0x20);
	wr(0x20, 0x20);				/* nothing is in service */
	EXPECT_EQ(pic.fx.acked, 0);
	wr(0x20, 0x40);				/* no operation */
	/* Rotation in the automatic mode. */
	begin(3, 3);
	wr(0x20, 0x80);
	pulse(2 + 8);
	EXPECT_EQ(take(), 0x2a);
	EXPECT_EQ(pic.fx.acked, 0x404);
	EXPECT_EQ(pic.chip[0].priority_add, 3);
	wr(0x20, 0x00);
	pulse(5);
	EXPECT_EQ(take(), 0x25);
	EXPECT_EQ(pic.chip[0].priority_add, 3);
}

static void special_mask(void)
{
	begin(1, 1);
	pulse(2 + 8);
	pulse(1);
	EXPECT_EQ(take(), 0x21);
	pulse(6);
	EXPECT_EQ(take(), -1);
	wr(0x21, 0x02);
	EXPECT_EQ(take(), -1);
	wr(0x20, 0x68);				/* the masked one in service blocks no more */
	EXPECT_EQ(take(), 0x2a);
	wr(0x20, 0x62);
	EXPECT_EQ(take(), 0x26);
	wr(0x20, 0x48);
	EXPECT_EQ(pic.chip[0].special_mask, 0);
}

static void polling(void)
{
	begin(1, 1);
	wr(0x20, 0x0c);
	EXPECT_EQ(rd(0x20), 7);
	EXPECT_EQ(rd(0x20), 0);
	pulse(6);
	wr(0x20, 0x0c);
	EXPECT_EQ(rd(0x21), 0x86);
	EXPECT_EQ(isr(0x20), 0x40);
	pulse(11);
	wr(0xa0, 0x0c);
	EXPECT_EQ(rd(0xa0), 0x83);
	EXPECT_EQ(isr(0xa0), 8);
	EXPECT_EQ(rd(0x20), 0);
}

/* Initialization forgets edges and what is in service, and says so; a level stays. */
static void initialization(void)
{
	begin(1, 1);
	wr(0x4d0, 0x20);
	pulse(1);
	EXPECT_EQ(take(), 0x21);
	pulse(3);
	chip_pic_set_line(&pic, 5, true);
	wr(0x21, 0xff);
	wr(0x20, 0x11);
	EXPECT_EQ(pic.fx.acked, 0x0a);
	EXPECT_EQ(rd(0x21), 0);
	EXPECT_EQ(rd(0x20), 0x20);
	EXPECT_EQ(isr(0x20), 0);
}

static void restored_state(void)
{
	struct kvirt_pic_state state;

	begin(1, 1);
	memset(&state, 0xff, sizeof(state));
	chip_pic_restore(&pic, 0, &state);
	chip_pic_restore(&pic, 1, &state);
	for (int which = 0; which < 2; which++) {
		const struct kvirt_pic_state *s = &pic.chip[which];

		EXPECT(s->priority_add < 8 && s->init_state < 4 && s->poll && s->auto_eoi);
		EXPECT_EQ(s->elcr_mask, which ? 0xde : 0xf8);
		EXPECT_EQ(s->elcr, s->elcr_mask);
		EXPECT_EQ(s->irq_base, 0xf8);
	}
}

static const struct test tests[] = {
	TEST(registers),
	TEST(edges_and_levels),
	TEST(cascade),
	TEST(rotation),
	TEST(special_mask),
	TEST(polling),
	TEST(initialization),
	TEST(restored_state),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

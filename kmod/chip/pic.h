/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pair of 8259A interrupt controllers of a PC with its edge/level registers, as a model:
 * functions over one state struct. Not here: locks, who drives a line, the CPU; irq/irqchip.c calls
 * it and carries INTR on when chip_pic_output() has changed.
 */
#ifndef KVIRT_CHIP_PIC_H
#define KVIRT_CHIP_PIC_H

#include <linux/kvirt.h>
#include "../x86/types.h"

#define PIC_LINES	16

enum { PIC_MASTER_PORT = 0x20, PIC_SLAVE_PORT = 0xa0, PIC_ELCR_PORT = 0x4d0 };

struct chip_pic {
	struct kvirt_pic_state chip[2];
};

/* Sets of lines. */
struct pic_fx {
	u16 acked;	/* their interrupt has ended, or will never be */
	u16 unmasked;	/* were masked, and are not now */
};

void chip_pic_reset(struct chip_pic *pic);

/* The ports named above and the one after each. */
u8 chip_pic_read(struct chip_pic *pic, u16 port, struct pic_fx *fx);
void chip_pic_write(struct chip_pic *pic, u16 port, u8 value, struct pic_fx *fx);

/* The level of @line: 1, taken; 0, merged with a request before; -1, masked. */
int chip_pic_set_line(struct chip_pic *pic, u32 line, bool level);
/* INTR, and the CPU's answer to it: the vector. */
bool chip_pic_output(const struct chip_pic *pic);
u8 chip_pic_acknowledge(struct chip_pic *pic, struct pic_fx *fx);

/* KVM_SET_IRQCHIP of the chip @which: any state is made a valid one. */
void chip_pic_restore(struct chip_pic *pic, u32 which, const struct kvirt_pic_state *state);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The 8254 interval timer of a PC and port 0x61 as a model: functions over one state struct.
 * Not here: locks, the host's timer, the line; irq/irqchip.c calls it and pulses IRQ 0.
 *
 * Time is in nanoseconds of a clock that does not go back. Counters count in binary, also
 * where BCD was asked for.
 */
#ifndef KVIRT_CHIP_PIT_H
#define KVIRT_CHIP_PIT_H

#include <linux/kvirt.h>
#include "../x86/types.h"

enum { PIT_PORT = 0x40, PIT_CONTROL_PORT = 0x43, PIT_SPEAKER_PORT = 0x61 };

/*
 * Reinjection: a tick comes while the guest has not ended the interrupt of the one before;
 * it is kept in @pending, which counts that one too, and comes when it has.
 */
struct chip_pit {
	struct kvirt_pit_channel_state channel[3];
	u32 flags;		/* KVIRT_PIT_FLAGS_* */
	u32 pending;		/* ticks without their EOI */
	bool reinject;
	bool acked;		/* the last tick had its EOI: the next may come at once */
	u64 deadline;		/* the next tick of channel 0, ~0: none */
};

void chip_pit_reset(struct chip_pit *pit, u64 now);
/* The ports named above; a write may change the deadline. */
u8 chip_pit_read(struct chip_pit *pit, u16 port, u64 now);
void chip_pit_write(struct chip_pit *pit, u16 port, u8 value, u64 now);

/*
 * true: pulse IRQ 0 now. chip_pit_expire() - the deadline may have come, the next is set;
 * chip_pit_ack() - the guest has ended IRQ 0.
 */
bool chip_pit_expire(struct chip_pit *pit, u64 now);
bool chip_pit_ack(struct chip_pit *pit);
/* The line was masked, or the mode changed: no tick waits for an EOI. */
void chip_pit_forget(struct chip_pit *pit);

/* KVM_SET_PIT2: counting begins anew. Any state is made a valid one. */
void chip_pit_restore(struct chip_pit *pit, const struct kvirt_pit_state2 *state, u64 now);

#endif

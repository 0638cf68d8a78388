/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What of a guest's frames goes to libslirp, so that the guest does not reach what listens
 * on the host's 127.0.0.1. The library has a switch for that, which also loses the answers
 * of forwarded datagrams' receivers: here they are told apart. Pure.
 */
#ifndef VMRUN_NET_GATE_H
#define VMRUN_NET_GATE_H

#include "../types.h"

#define GATE_MAX_PEERS	64
#define GATE_REFUSAL	54	/* bytes of gate_refuse() */

/* Somebody on the host sent a datagram from @host to the guest's @port. */
struct gate_peer {
	u16 host, guest;
};

struct gate {
	bool open;	/* the guest may reach the host's loopback, by @gateway */
	u32 gateway;	/* host byte order, as below */
	u32 broadcast;	/* of its network */
	struct gate_peer peer[GATE_MAX_PEERS];	/* the oldest makes place for the next */
	unsigned int nr_peers, next_peer;
};

enum gate_verdict { GATE_PASS, GATE_DROP, GATE_REFUSE };

/*
 * May the guest's @frame, of @len bytes, go on? A connection that may not be is refused,
 * so that the guest need not wait: gate_refuse() makes the answer.
 */
enum gate_verdict gate_from_guest(const struct gate *gate, const u8 *frame, size_t len);

/* @frame is on its way to the guest: who sent it may be answered. */
void gate_to_guest(struct gate *gate, const u8 *frame, size_t len);

/* The TCP reset that answers @frame, which gate_from_guest() refused. */
void gate_refuse(const u8 *frame, u8 answer[GATE_REFUSAL]);

#endif

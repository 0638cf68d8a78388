/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames of the agent protocol over a descriptor that does not block: what is the same
 * for the agent and for vmrun. What frames mean is not known here.
 */
#ifndef VMRUN_AGENT_LINK_H
#define VMRUN_AGENT_LINK_H

#include "agent.h"

#define AGENT_LINK_SIZE	(sizeof(struct agent_frame) + AGENT_MAX_PAYLOAD)

struct agent_link {
	int fd;
	size_t in_head, in_len;
	size_t out_head, out_len;
	u8 in[AGENT_LINK_SIZE];
	u8 out[AGENT_LINK_SIZE];
};

/* Takes @fd, which is made not to block; it stays the caller's to close. */
void agent_link_init(struct agent_link *link, int fd);

/* Reads what has come, once. False at the connection's end. */
bool agent_link_receive(struct agent_link *link);

/*
 * The next frame that is there in whole; *@payload is valid until the next call.
 * 1; 0: none; -1: its length is against the protocol.
 */
int agent_link_next(struct agent_link *link, struct agent_frame *frame, const u8 **payload);

/* The largest payload that a frame put now may have; 0 also where there is no room for a frame. */
size_t agent_link_room(const struct agent_link *link);

/* Queues a frame; false, and nothing done, without room for it. */
bool agent_link_put(struct agent_link *link, enum agent_type type, unsigned int stream,
		    unsigned int session, const void *payload, size_t len);

/* Sends what is queued, as far as it goes. False when the connection is broken. */
bool agent_link_send(struct agent_link *link);

static inline bool agent_link_pending(const struct agent_link *link)
{
	return link->out_len;
}

#endif

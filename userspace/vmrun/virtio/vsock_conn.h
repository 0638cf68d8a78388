/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One connection of a vsock: a stream socket on the host's side, credit and
 * shutdown on the guest's. vsock.c has the table of them and the rings.
 */
#ifndef VMRUN_VIRTIO_VSOCK_CONN_H
#define VMRUN_VIRTIO_VSOCK_CONN_H

#include "vsock.h"

/*
 * A packet's header, section 5.10.6; little endian, as this program's hosts are.
 * <linux/virtio_vsock.h> gives features of device.h another meaning.
 */
struct vsock_hdr {
	u64 src_cid, dst_cid;
	u32 src_port, dst_port;
	u32 len;
	u16 type, op;
	u32 flags;
	u32 buf_alloc, fwd_cnt;
} __packed;

#define VSOCK_TYPE_STREAM	1

enum vsock_op {
	VSOCK_OP_REQUEST = 1, VSOCK_OP_RESPONSE, VSOCK_OP_RST, VSOCK_OP_SHUTDOWN, VSOCK_OP_RW,
	VSOCK_OP_CREDIT_UPDATE, VSOCK_OP_CREDIT_REQUEST,
};

/* Flags of SHUTDOWN: what the sender of the packet will not do any more. */
#define VSOCK_DOWN_RECEIVE	BIT(0)
#define VSOCK_DOWN_SEND		BIT(1)
#define VSOCK_DOWN_BOTH		(VSOCK_DOWN_RECEIVE | VSOCK_DOWN_SEND)

/*
 * What the guest may send before it is read: our buf_alloc. A connection has this
 * much memory once its reader is slower than the guest, and not before.
 */
#define VSOCK_BUFFER_SIZE	(128u << 10)

enum vsock_state {
	VSOCK_GREETING,		/* a client of the Unix socket has not said the port yet */
	VSOCK_REQUESTED,	/* the guest is asked and has not answered */
	VSOCK_OPEN,
	VSOCK_DRAINING,		/* ended for the guest; the host's side still reads */
};

/* Packets without payload that the guest is yet to get, the first bit first. */
#define VSOCK_TELL_RST			BIT(0)
#define VSOCK_TELL_REQUEST		BIT(1)
#define VSOCK_TELL_RESPONSE		BIT(2)
#define VSOCK_TELL_SHUTDOWN		BIT(3)
#define VSOCK_TELL_CREDIT		BIT(4)
#define VSOCK_TELL_CREDIT_REQUEST	BIT(5)

/* All under the device's lock. */
struct vsock_conn {
	enum vsock_state state;
	unsigned int slot;
	u32 generation;
	int fd;			/* the host's side; never blocks */
	bool wait_out;		/* epoll tells when it can be written */
	bool untouched;		/* this thread is not the loop's: what comes waits in the buffer */
	u32 host_port, guest_port;
	u32 tell;		/* VSOCK_TELL_* */

	/* A connection from the host: who waits for it. Both NULL: a client of the Unix socket. */
	vsock_connected_fn *connected;
	void *ctx;
	int far_fd;		/* what @connected will get; -1: given away, or none */

	/* from the guest to the host */
	u32 received;		/* bytes, modulo 2^32 as all counts here */
	u32 forwarded;		/* fwd_cnt */
	u32 told_forwarded;	/* the fwd_cnt that the guest was last told */
	u8 *buffer;		/* what the socket did not take; NULL: never needed */
	unsigned int head, count;

	/* from the host to the guest */
	u32 sent;
	u32 guest_buf_alloc, guest_fwd_cnt;
	bool asked_credit;
	bool readable;		/* the socket may have data */
	bool read_end;		/* or its end */

	u8 guest_down;		/* VSOCK_DOWN_* that the guest said */
	u8 host_down;		/* and those that we did */
};

/* What a call leaves of the connection. */
enum vsock_verdict { VSOCK_KEEP, VSOCK_FREE };

/*
 * Takes a packet of the guest's for this connection, its header in @hdr and its
 * payload, whose length was checked, behind it in @chain.
 */
enum vsock_verdict vsock_conn_packet(struct vsock_conn *conn, const struct vsock_hdr *hdr,
				     const struct ring_chain *chain);

/* The socket has @events, as epoll says them. */
enum vsock_verdict vsock_conn_events(struct vsock_conn *conn, u32 events);

/* The guest knows it no more: what it has sent goes on to the host's side, and then it can be freed. */
void vsock_conn_end(struct vsock_conn *conn);

/* True when there is something to send to the guest. */
bool vsock_conn_has_packet(struct vsock_conn *conn);

/*
 * Fills @chain with one packet; @hdr has the addresses. Returns its length, 0 when
 * there was nothing to send after all. *@verdict says whether it was the last one.
 */
u32 vsock_conn_fill(struct vsock_conn *conn, struct vsock_hdr *hdr,
		    const struct ring_chain *chain, enum vsock_verdict *verdict);

/* What epoll is to wait for: edges, so that it need not be told of every turn. */
u32 vsock_conn_wants(const struct vsock_conn *conn);

/* Says "refused" to who waits for it, closes the socket and frees the memory. */
void vsock_conn_free(struct vsock_conn *conn);

/* ---- vsock.c, for vsock_unix.c ---- */

/* What epoll gives back: a slot with its generation, or this. */
#define VSOCK_EVENT_AGAIN	(~0ull)

/* A connection over @fd, which becomes its; NULL when there are too many. */
struct vsock_conn *vsock_add_conn(struct vsock *vsock, int fd, enum vsock_state state);
void vsock_drop_conn(struct vsock *vsock, struct vsock_conn *conn);

/* Makes @conn a request to the guest's @port. */
void vsock_request(struct vsock *vsock, struct vsock_conn *conn, u32 port);

/* ---- vsock_unix.c, for vsock.c ---- */

/*
 * A client in state VSOCK_GREETING has written something, or left. True when it is
 * now VSOCK_REQUESTED; false when there is more to come, or it was dropped.
 */
bool vsock_unix_greeting(struct vsock *vsock, struct vsock_conn *conn);

/* Connects to the socket for host port @port; a descriptor, or -1: nobody is there. */
int vsock_unix_connect(const struct vsock *vsock, u32 port);

void vsock_unix_close(struct vsock *vsock);

#endif

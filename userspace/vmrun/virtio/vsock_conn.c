// SPDX-License-Identifier: GPL-2.0
/*
 * One vsock connection: bytes between its socket and packets, the credit of both
 * sides, and its end. Nothing here knows of other connections or of the rings'
 * order; vsock.c calls it, with the device's lock held.
 *
 * To the guest nothing is buffered: a packet is read from the socket straight into
 * the guest's memory. From the guest, what the socket does not take at once waits
 * in a buffer as large as the credit that the guest was given, so it always fits.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vsock_conn.h"

/* Pieces of a chain that one read or write takes; Linux gives one or two. */
#define MAX_PIECES	16
/* A packet's payload; as Linux has it. */
#define MAX_PAYLOAD	(64u << 10)

/* Describes @len bytes of @iov from @offset on. Returns the bytes covered: @piece may be too short. */
static size_t slice(const struct iovec *iov, unsigned int nr, size_t offset, size_t len,
		    struct iovec *piece, unsigned int *nr_pieces)
{
	size_t covered = 0, n;
	unsigned int i;

	*nr_pieces = 0;
	for (i = 0; i < nr && covered < len && *nr_pieces < MAX_PIECES; i++) {
		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		n = min_u64(iov[i].iov_len - offset, len - covered);
		piece[(*nr_pieces)++] = (struct iovec){ (u8 *)iov[i].iov_base + offset, n };
		covered += n;
		offset = 0;
	}
	return covered;
}

/* Bytes that the guest has room for. Whatever it claims, it only gets what it gave buffers for. */
static u32 credit(const struct vsock_conn *conn)
{
	u32 on_the_way = conn->sent - conn->guest_fwd_cnt;

	return on_the_way < conn->guest_buf_alloc ? conn->guest_buf_alloc - on_the_way : 0;
}

void vsock_conn_end(struct vsock_conn *conn)
{
	conn->tell = 0;
	conn->readable = false;
	conn->state = VSOCK_DRAINING;
}

static enum vsock_verdict reset(struct vsock_conn *conn)
{
	conn->tell = VSOCK_TELL_RST;
	conn->readable = false;
	return VSOCK_KEEP;
}

static enum vsock_verdict end(struct vsock_conn *conn)
{
	vsock_conn_end(conn);
	return conn->count ? VSOCK_KEEP : VSOCK_FREE;
}

/* The host's side will not do @down any more. */
static void host_shuts(struct vsock_conn *conn, u8 down)
{
	if (conn->state != VSOCK_OPEN || (conn->host_down | down) == conn->host_down)
		return;
	conn->host_down |= down;
	conn->tell |= VSOCK_TELL_SHUTDOWN;
}

/* ---- from the guest to the host ---- */

static void count_forwarded(struct vsock_conn *conn, u32 len)
{
	conn->forwarded += len;
	/* Half: a guest with nothing to send meanwhile never waits, and few packets say so. */
	if (conn->state == VSOCK_OPEN &&
	    conn->forwarded - conn->told_forwarded >= VSOCK_BUFFER_SIZE / 2)
		conn->tell |= VSOCK_TELL_CREDIT;
}

/* Nobody reads: what the guest sends is taken and thrown away until it has learnt that. */
static void discard(struct vsock_conn *conn)
{
	count_forwarded(conn, conn->count);
	conn->count = 0;
	conn->wait_out = false;
	host_shuts(conn, VSOCK_DOWN_RECEIVE);
}

/* Bytes that the socket took, 0 for now or -1 for ever. */
static ssize_t put(struct vsock_conn *conn, struct iovec *piece, unsigned int nr)
{
	struct msghdr msg = { .msg_iov = piece, .msg_iovlen = nr };
	ssize_t n;

	do
		n = sendmsg(conn->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM))
		return 0;
	return n;
}

static bool keep_rest(struct vsock_conn *conn, const struct ring_chain *chain, size_t offset,
		      size_t len)
{
	size_t tail, n;

	if (!conn->buffer)
		conn->buffer = malloc(VSOCK_BUFFER_SIZE);
	if (!conn->buffer)
		return false;
	tail = (conn->head + conn->count) % VSOCK_BUFFER_SIZE;
	n = min_u64(len, VSOCK_BUFFER_SIZE - tail);
	ring_copy_from(chain, offset, conn->buffer + tail, n);
	ring_copy_from(chain, offset + n, conn->buffer, len - n);
	conn->count += len;
	conn->wait_out = true;
	return true;
}

static enum vsock_verdict take_data(struct vsock_conn *conn, const struct ring_chain *chain, u32 len)
{
	const size_t header = sizeof(struct vsock_hdr);
	struct iovec piece[MAX_PIECES];
	size_t done = 0, covered;
	unsigned int nr;
	ssize_t n;

	/* Beyond its credit, or after it said that it sends no more. */
	if (len > VSOCK_BUFFER_SIZE - (conn->received - conn->forwarded) ||
	    (conn->guest_down & VSOCK_DOWN_SEND))
		return reset(conn);
	conn->received += len;
	while (done < len && !conn->count && !conn->untouched &&
	       !(conn->host_down & VSOCK_DOWN_RECEIVE)) {
		covered = slice(chain->iov, chain->nr_out, header + done, len - done, piece, &nr);
		n = covered ? put(conn, piece, nr) : 0;
		if (n < 0)
			host_shuts(conn, VSOCK_DOWN_RECEIVE);
		if (n <= 0)
			break;
		done += n;
		count_forwarded(conn, n);
		if ((size_t)n < covered)
			break;
	}
	if (conn->host_down & VSOCK_DOWN_RECEIVE)
		count_forwarded(conn, len - done);
	else if (done < len && !keep_rest(conn, chain, header + done, len - done))
		return reset(conn);
	return VSOCK_KEEP;
}

/* Does what the guest's SHUTDOWN says once all that came before it is through. */
static void settle(struct vsock_conn *conn)
{
	if (!conn->count && !conn->untouched && (conn->guest_down & VSOCK_DOWN_SEND))
		shutdown(conn->fd, SHUT_WR);
}

/* Gives the socket what waits for it. */
static enum vsock_verdict drain(struct vsock_conn *conn)
{
	while (conn->count) {
		size_t first = min_u64(conn->count, VSOCK_BUFFER_SIZE - conn->head);
		struct iovec piece[2] = {
			{ conn->buffer + conn->head, first },
			{ conn->buffer, conn->count - first },
		};
		ssize_t n = put(conn, piece, 2);

		if (n < 0)
			discard(conn);
		if (n <= 0)
			break;
		conn->head = (conn->head + n) % VSOCK_BUFFER_SIZE;
		conn->count -= n;
		count_forwarded(conn, n);
	}
	conn->wait_out = conn->count;
	if (conn->count)
		return VSOCK_KEEP;
	settle(conn);
	return conn->state == VSOCK_DRAINING ? VSOCK_FREE : VSOCK_KEEP;
}

/* ---- the guest's packets ---- */

static enum vsock_verdict take_response(struct vsock_conn *conn)
{
	char line[32];
	int len;

	if (conn->state != VSOCK_REQUESTED || (conn->tell & VSOCK_TELL_REQUEST))
		return reset(conn);
	conn->state = VSOCK_OPEN;
	if (conn->connected) {
		vsock_connected_fn *connected = conn->connected;
		int fd = conn->far_fd;

		conn->connected = NULL;
		conn->far_fd = -1;
		connected(conn->ctx, fd);
		return VSOCK_KEEP;
	}
	len = snprintf(line, sizeof(line), "OK %u\n", conn->host_port);
	/* The first bytes of a socket: they fit, or nobody is there any more. */
	return send(conn->fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) == len ?
	       VSOCK_KEEP : reset(conn);
}

static enum vsock_verdict take_shutdown(struct vsock_conn *conn, u32 flags)
{
	conn->guest_down |= flags & VSOCK_DOWN_BOTH;
	/* Whoever writes to the socket learns that nobody will read it. */
	if ((conn->guest_down & VSOCK_DOWN_RECEIVE) && !conn->untouched)
		shutdown(conn->fd, SHUT_RD);
	settle(conn);
	/* The answer that makes the end a clean one. What we still have goes on to the host's side. */
	if (conn->guest_down == VSOCK_DOWN_BOTH)
		return reset(conn);
	return VSOCK_KEEP;
}

enum vsock_verdict vsock_conn_packet(struct vsock_conn *conn, const struct vsock_hdr *hdr,
				     const struct ring_chain *chain)
{
	/* It is being reset already: it only waits for a buffer to say so. */
	if (conn->tell & VSOCK_TELL_RST)
		return hdr->op == VSOCK_OP_RST ? end(conn) : VSOCK_KEEP;
	conn->guest_buf_alloc = hdr->buf_alloc;
	conn->guest_fwd_cnt = hdr->fwd_cnt;
	conn->asked_credit = false;
	if (hdr->op == VSOCK_OP_RST)
		return end(conn);
	if (hdr->op == VSOCK_OP_RESPONSE)
		return take_response(conn);
	if (conn->state != VSOCK_OPEN)
		return reset(conn);
	switch (hdr->op) {
	case VSOCK_OP_SHUTDOWN:
		return take_shutdown(conn, hdr->flags);
	case VSOCK_OP_RW:
		return take_data(conn, chain, hdr->len);
	case VSOCK_OP_CREDIT_UPDATE:
		return VSOCK_KEEP;
	case VSOCK_OP_CREDIT_REQUEST:
		conn->tell |= VSOCK_TELL_CREDIT;
		return VSOCK_KEEP;
	default:
		/* A second REQUEST for the same ports, or what nobody has heard of. */
		return reset(conn);
	}
}

/* ---- the socket's events ---- */

enum vsock_verdict vsock_conn_events(struct vsock_conn *conn, u32 events)
{
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		conn->readable = conn->state != VSOCK_DRAINING &&
				 !(conn->tell & VSOCK_TELL_RST);
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		conn->read_end = true;
	if (events & (EPOLLHUP | EPOLLERR)) {
		/* Nobody has the other end. Before it is open, that ends it at once. */
		if (conn->state == VSOCK_REQUESTED)
			return conn->tell & VSOCK_TELL_REQUEST ? VSOCK_FREE : reset(conn);
		if (conn->state == VSOCK_DRAINING)
			return VSOCK_FREE;
		discard(conn);
	}
	return conn->count ? drain(conn) : VSOCK_KEEP;
}

u32 vsock_conn_wants(const struct vsock_conn *conn)
{
	return EPOLLIN | EPOLLRDHUP | EPOLLET | (conn->wait_out ? EPOLLOUT : 0);
}

/* ---- from the host to the guest ---- */

static bool may_read(const struct vsock_conn *conn)
{
	return conn->state == VSOCK_OPEN && conn->readable &&
	       !(conn->guest_down & VSOCK_DOWN_RECEIVE) && !(conn->host_down & VSOCK_DOWN_SEND);
}

bool vsock_conn_has_packet(struct vsock_conn *conn)
{
	if (conn->tell)
		return true;
	if (!may_read(conn))
		return false;
	if (credit(conn))
		return true;
	if (conn->asked_credit)
		return false;
	conn->asked_credit = true;
	conn->tell |= VSOCK_TELL_CREDIT_REQUEST;
	return true;
}

/* Reads into @chain behind the header. Returns the bytes; 0: nothing there, or the end. */
static u32 read_data(struct vsock_conn *conn, const struct ring_chain *chain)
{
	const size_t header = sizeof(struct vsock_hdr);
	struct iovec piece[MAX_PIECES];
	size_t room = min_u64(credit(conn), MAX_PAYLOAD);
	unsigned int nr;
	ssize_t n;

	room = slice(chain->iov + chain->nr_out, chain->nr_in, header, room, piece, &nr);
	/* Buffers for headers alone: the guest wants no data. */
	if (!room) {
		conn->readable = false;
		return 0;
	}
	do
		n = readv(conn->fd, piece, nr);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		conn->readable = false;
		return 0;
	}
	if (n <= 0) {
		conn->readable = false;
		host_shuts(conn, n < 0 ? VSOCK_DOWN_BOTH : VSOCK_DOWN_SEND);
		return 0;
	}
	/* Nothing is left, and new data will be told of; but an end that was told of is still to be read. */
	if ((size_t)n < room && !conn->read_end)
		conn->readable = false;
	return n;
}

static void fill_control(struct vsock_conn *conn, struct vsock_hdr *hdr)
{
	static const struct { u32 tell; enum vsock_op op; } order[] = {
		{ VSOCK_TELL_RST, VSOCK_OP_RST },
		{ VSOCK_TELL_REQUEST, VSOCK_OP_REQUEST },
		{ VSOCK_TELL_RESPONSE, VSOCK_OP_RESPONSE },
		{ VSOCK_TELL_SHUTDOWN, VSOCK_OP_SHUTDOWN },
		{ VSOCK_TELL_CREDIT, VSOCK_OP_CREDIT_UPDATE },
		{ VSOCK_TELL_CREDIT_REQUEST, VSOCK_OP_CREDIT_REQUEST },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(order) - 1 && !(conn->tell & order[i].tell); i++)
		;
	conn->tell &= ~order[i].tell;
	hdr->op = order[i].op;
	if (hdr->op == VSOCK_OP_SHUTDOWN)
		hdr->flags = conn->host_down;
}

u32 vsock_conn_fill(struct vsock_conn *conn, struct vsock_hdr *hdr,
		    const struct ring_chain *chain, enum vsock_verdict *verdict)
{
	*verdict = VSOCK_KEEP;
	if (conn->tell) {
		fill_control(conn, hdr);
	} else {
		hdr->len = may_read(conn) && credit(conn) ? read_data(conn, chain) : 0;
		if (!hdr->len)
			return 0;
		hdr->op = VSOCK_OP_RW;
		conn->sent += hdr->len;
	}
	hdr->src_cid = VSOCK_HOST_CID;
	hdr->src_port = conn->host_port;
	hdr->dst_port = conn->guest_port;
	hdr->type = VSOCK_TYPE_STREAM;
	hdr->buf_alloc = VSOCK_BUFFER_SIZE;
	hdr->fwd_cnt = conn->forwarded;
	conn->told_forwarded = conn->forwarded;
	/* Each packet tells our credit. */
	conn->tell &= ~VSOCK_TELL_CREDIT;
	ring_copy_to(chain, 0, hdr, sizeof(*hdr));
	if (hdr->op == VSOCK_OP_RST)
		*verdict = end(conn);
	return sizeof(*hdr) + hdr->len;
}

/*
 * Closing a Unix socket whose input was not read looks to the other end as if its
 * own output had been lost: take the input out, of which no more can come.
 */
static void close_socket(int fd)
{
	unsigned int turn;
	u8 scratch[4096];

	shutdown(fd, SHUT_RDWR);
	for (turn = 0; turn < 256; turn++)
		if (recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT) <= 0)
			break;
	close(fd);
}

void vsock_conn_free(struct vsock_conn *conn)
{
	if (conn->connected)
		conn->connected(conn->ctx, -1);
	if (conn->far_fd >= 0)
		close(conn->far_fd);
	close_socket(conn->fd);
	free(conn->buffer);
	free(conn);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The vsock device: its queues, the table of connections and who they belong to.
 * What one connection does is in vsock_conn.c, sockets outside in vsock_unix.c.
 *
 * All runs in the thread of dev.loop, but for vsock_listen() and vsock_connect().
 * A turn serves a bounded number of packets and events, then the loop's others
 * have theirs. What the guest is to be told is a few bits for each connection, and
 * a short queue for packets without one: when that is full, nothing more is taken
 * from the guest until it gives buffers (section 5.10.6.1.1 allows that).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vsock_conn.h"

enum { QUEUE_RX, QUEUE_TX, QUEUE_EVENT, NR_QUEUES };

#define TURN_PACKETS	256
#define TURN_EVENTS	16
#define LAST_WORDS_MS	2000

/* Host ports for connections from the host; what lies below is for services. */
#define FIRST_PORT	0x40000000u

static void run_again(struct vsock *vsock)
{
	u64 one = 1;

	/* It can only fail when the counter is full: then the event is there. */
	if (write(vsock->again_fd, &one, sizeof(one)) < 0)
		return;
}

static int watch(struct vsock *vsock, int fd, u32 events, u64 data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	return epoll_ctl(vsock->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* ---- the table of connections ---- */

static u64 event_data(const struct vsock_conn *conn)
{
	return (u64)conn->generation << 32 | conn->slot;
}

static void set_ready(struct vsock *vsock, struct vsock_conn *conn)
{
	u64 bit = 1ull << conn->slot % 64;

	if (vsock_conn_has_packet(conn))
		vsock->ready[conn->slot / 64] |= bit;
	else
		vsock->ready[conn->slot / 64] &= ~bit;
}

/* The first slot that nobody has; VSOCK_MAX_CONNS: none. */
static unsigned int free_slot(const struct vsock *vsock)
{
	unsigned int slot = 0;

	while (slot < vsock->nr_slots && vsock->conn[slot])
		slot++;
	return slot;
}

struct vsock_conn *vsock_add_conn(struct vsock *vsock, int fd, enum vsock_state state)
{
	unsigned int slot = free_slot(vsock);
	struct vsock_conn *conn;

	if (slot == VSOCK_MAX_CONNS)
		return NULL;
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return NULL;
	conn->state = state;
	conn->slot = slot;
	/* Never ~0, which is an event of another kind. */
	vsock->generation = (vsock->generation + 1) & 0x7fffffff;
	conn->generation = vsock->generation;
	conn->fd = fd;
	conn->far_fd = -1;
	if (watch(vsock, fd, vsock_conn_wants(conn), event_data(conn))) {
		free(conn);
		return NULL;
	}
	vsock->conn[slot] = conn;
	if (slot == vsock->nr_slots)
		vsock->nr_slots++;
	return conn;
}

void vsock_drop_conn(struct vsock *vsock, struct vsock_conn *conn)
{
	vsock->conn[conn->slot] = NULL;
	vsock->ready[conn->slot / 64] &= ~(1ull << conn->slot % 64);
	/* Its far end may be a copy in another process; say it to epoll in so many words. */
	epoll_ctl(vsock->epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
	vsock_conn_free(conn);
}

/* The connection that the guest means, if it still knows of it. */
static struct vsock_conn *find(struct vsock *vsock, u32 host_port, u32 guest_port)
{
	unsigned int i;

	for (i = 0; i < vsock->nr_slots; i++) {
		struct vsock_conn *conn = vsock->conn[i];

		if (conn && conn->host_port == host_port && conn->guest_port == guest_port &&
		    (conn->state == VSOCK_REQUESTED || conn->state == VSOCK_OPEN))
			return conn;
	}
	return NULL;
}

/* After a call into @conn: frees it, or has epoll and the next turn know what it wants. */
static void update(struct vsock *vsock, struct vsock_conn *conn, enum vsock_verdict verdict,
		   u32 wanted)
{
	struct epoll_event event;

	if (verdict == VSOCK_FREE) {
		vsock_drop_conn(vsock, conn);
		return;
	}
	event = (struct epoll_event){ .events = vsock_conn_wants(conn),
				      .data.u64 = event_data(conn) };
	if (event.events != wanted)
		epoll_ctl(vsock->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
	set_ready(vsock, conn);
}

/* ---- packets to the guest ---- */

/* A buffer of the guest's that a packet fits in: 1; none: 0; the ring is no good: -1. */
static int take_buffer(struct vsock *vsock)
{
	struct ring *ring = &vsock->dev.queue[QUEUE_RX];
	int ret;

	if (vsock->rx_taken)
		return 1;
	do
		ret = ring_pop(ring, &vsock->rx);
	while (!ret && ring_enable_kicks(ring));
	if (ret < 0) {
		virtio_needs_reset(&vsock->dev, "its receive ring is broken");
		return -1;
	}
	if (!ret)
		return 0;
	if (vsock->rx.in_len < sizeof(struct vsock_hdr)) {
		virtio_needs_reset(&vsock->dev, "a receive buffer has no room for a header");
		return -1;
	}
	vsock->rx_taken = true;
	return 1;
}

static void give_buffer(struct vsock *vsock, u32 len)
{
	ring_push(&vsock->dev.queue[QUEUE_RX], &vsock->rx, len);
	vsock->rx_taken = false;
}

static u32 fill_rst(struct vsock *vsock)
{
	const struct vsock_rst *rst = &vsock->rst[vsock->rst_head];
	struct vsock_hdr hdr = {
		.src_cid = rst->src_cid, .dst_cid = vsock->guest_cid,
		.src_port = rst->src_port, .dst_port = rst->dst_port,
		.type = rst->type, .op = VSOCK_OP_RST,
	};

	vsock->rst_head = (vsock->rst_head + 1) % VSOCK_MAX_RSTS;
	vsock->rst_count--;
	ring_copy_to(&vsock->rx, 0, &hdr, sizeof(hdr));
	return sizeof(hdr);
}

/* The next connection in turn that has something for the guest; NULL: none. */
static struct vsock_conn *next_ready(struct vsock *vsock)
{
	unsigned int i, slot;

	for (i = 1; i <= vsock->nr_slots; i++) {
		slot = (vsock->turn + i) % vsock->nr_slots;
		if (vsock->ready[slot / 64] & 1ull << slot % 64) {
			vsock->turn = slot;
			return vsock->conn[slot];
		}
	}
	return NULL;
}

/* Fills the buffer that was taken by the packet that is next. 0: there is none after all. */
static u32 fill_next(struct vsock *vsock, struct vsock_conn *conn)
{
	struct vsock_hdr hdr = { .dst_cid = vsock->guest_cid };
	enum vsock_verdict verdict;
	u32 len, wanted;

	if (!conn)
		return fill_rst(vsock);
	wanted = vsock_conn_wants(conn);
	len = vsock_conn_fill(conn, &hdr, &vsock->rx, &verdict);
	update(vsock, conn, verdict, wanted);
	return len;
}

static void send_packets(struct vsock *vsock)
{
	unsigned int turn, sent = 0;
	struct vsock_conn *conn;
	u32 len;

	for (turn = 0; turn < TURN_PACKETS; turn++) {
		conn = vsock->rst_count ? NULL : next_ready(vsock);
		if ((!conn && !vsock->rst_count) || take_buffer(vsock) <= 0)
			break;
		len = fill_next(vsock, conn);
		if (len) {
			give_buffer(vsock, len);
			sent++;
		}
	}
	if (turn == TURN_PACKETS)
		run_again(vsock);
	if (sent)
		virtio_signal(&vsock->dev, QUEUE_RX);
}

/* ---- packets from the guest ---- */

static void answer_rst(struct vsock *vsock, const struct vsock_hdr *hdr)
{
	struct vsock_rst *rst;

	/* Two sides that answer a RST by a RST never end. */
	if (hdr->op == VSOCK_OP_RST)
		return;
	rst = &vsock->rst[(vsock->rst_head + vsock->rst_count) % VSOCK_MAX_RSTS];
	*rst = (struct vsock_rst){
		.src_cid = hdr->dst_cid, .src_port = hdr->dst_port,
		.dst_port = hdr->src_port, .type = hdr->type,
	};
	vsock->rst_count++;
}

/* The host's side of a guest's connection to @port: a descriptor, or -1. */
static int open_port(struct vsock *vsock, u32 port, u32 guest_port)
{
	unsigned int i;
	int pair[2];

	for (i = 0; i < vsock->nr_listeners; i++) {
		const struct vsock_listener *listener = &vsock->listener[i];

		if (listener->port != port)
			continue;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
			return -1;
		listener->fn(listener->ctx, pair[1], guest_port);
		return pair[0];
	}
	return vsock_unix_connect(vsock, port);
}

static void take_request(struct vsock *vsock, const struct vsock_hdr *hdr)
{
	struct vsock_conn *conn = NULL;
	int fd = -1;

	/* Look for room first: who listens shall not be told of what cannot be. */
	if (free_slot(vsock) < VSOCK_MAX_CONNS)
		fd = open_port(vsock, hdr->dst_port, hdr->src_port);
	if (fd >= 0)
		conn = vsock_add_conn(vsock, fd, VSOCK_OPEN);
	if (!conn) {
		if (fd >= 0)
			close(fd);
		answer_rst(vsock, hdr);
		return;
	}
	conn->host_port = hdr->dst_port;
	conn->guest_port = hdr->src_port;
	conn->guest_buf_alloc = hdr->buf_alloc;
	conn->guest_fwd_cnt = hdr->fwd_cnt;
	conn->tell = VSOCK_TELL_RESPONSE;
	set_ready(vsock, conn);
}

static void take_packet(struct vsock *vsock, const struct ring_chain *chain)
{
	struct vsock_conn *conn;
	struct vsock_hdr hdr;
	u32 wanted;

	if (ring_copy_from(chain, 0, &hdr, sizeof(hdr)) < sizeof(hdr) ||
	    hdr.len > chain->out_len - sizeof(hdr)) {
		virtio_needs_reset(&vsock->dev, "a packet is longer than its buffers");
		return;
	}
	/* No answer reaches who does not say its own name. */
	if (hdr.src_cid != vsock->guest_cid)
		return;
	/* In stop(): what ends what there is, and nothing new. */
	if (!vsock->dev.started && hdr.op != VSOCK_OP_RW && hdr.op != VSOCK_OP_SHUTDOWN)
		return;
	if (hdr.dst_cid != VSOCK_HOST_CID || hdr.type != VSOCK_TYPE_STREAM) {
		answer_rst(vsock, &hdr);
		return;
	}
	conn = find(vsock, hdr.dst_port, hdr.src_port);
	if (!conn && hdr.op == VSOCK_OP_REQUEST) {
		take_request(vsock, &hdr);
	} else if (!conn) {
		answer_rst(vsock, &hdr);
	} else {
		wanted = vsock_conn_wants(conn);
		update(vsock, conn, vsock_conn_packet(conn, &hdr, chain), wanted);
	}
}

static void take_packets(struct vsock *vsock)
{
	struct ring *ring = &vsock->dev.queue[QUEUE_TX];
	struct ring_chain chain;
	unsigned int turn;
	int ret = 0;

	for (turn = 0; turn < TURN_PACKETS && vsock->rst_count < VSOCK_MAX_RSTS; turn++) {
		ret = vsock->dev.needs_reset ? 0 : ring_pop(ring, &chain);
		if (ret <= 0)
			break;
		take_packet(vsock, &chain);
		ring_push(ring, &chain, 0);
	}
	if (ret < 0)
		virtio_needs_reset(&vsock->dev, "its transmit ring is broken");
	if (turn == TURN_PACKETS)
		run_again(vsock);
	if (turn)
		virtio_signal(&vsock->dev, QUEUE_TX);
}

/* ---- the device ---- */

/* Frees what stop() has left, in the thread that tells who waits for it. */
static void sweep(struct vsock *vsock)
{
	unsigned int i;

	vsock->sweep = false;
	for (i = 0; i < vsock->nr_slots; i++) {
		struct vsock_conn *conn = vsock->conn[i];

		if (conn && conn->state == VSOCK_DRAINING && !conn->count)
			vsock_drop_conn(vsock, conn);
	}
}

/* Both directions: what comes may ask for an answer, and the answer makes room for more. */
static void serve(struct vsock *vsock)
{
	bool full;

	if (vsock->sweep)
		sweep(vsock);
	if (!vsock->dev.started || vsock->dev.needs_reset)
		return;
	if (vsock->dev.queue[QUEUE_TX].started)
		take_packets(vsock);
	full = vsock->rst_count == VSOCK_MAX_RSTS;
	if (vsock->dev.queue[QUEUE_RX].started)
		send_packets(vsock);
	if (full && vsock->rst_count < VSOCK_MAX_RSTS)
		run_again(vsock);
}

static void read_config(struct virtio_device *dev, u64 offset, u8 *data, unsigned int len)
{
	struct vsock *vsock = (struct vsock *)dev;
	u64 cid = vsock->guest_cid;
	unsigned int i;

	for (i = 0; i < len; i++)
		data[i] = offset < sizeof(cid) && offset + i < sizeof(cid) ?
			  ((const u8 *)&cid)[offset + i] : 0;
}

static void start(struct virtio_device *dev)
{
	struct vsock *vsock = (struct vsock *)dev;

	/* Kicks of the receive queue matter while something waits for a buffer only. */
	if (dev->queue[QUEUE_RX].started)
		ring_disable_kicks(&dev->queue[QUEUE_RX]);
	if (dev->queue[QUEUE_EVENT].started)
		ring_disable_kicks(&dev->queue[QUEUE_EVENT]);
	run_again(vsock);
}

/*
 * A driver that starts anew knows of no connection; those that it was never asked for
 * can wait for it. What the old one had sent, before it perhaps powered the machine off,
 * is still the host's: it waits in the connections' buffers, which have room for it. In
 * any thread, so that nobody can be told of an end here, and no socket is touched.
 */
static void stop(struct virtio_device *dev)
{
	struct vsock *vsock = (struct vsock *)dev;
	unsigned int i;

	for (i = 0; i < vsock->nr_slots; i++)
		if (vsock->conn[i])
			vsock->conn[i]->untouched = true;
	if (dev->queue[QUEUE_TX].started && !dev->needs_reset)
		take_packets(vsock);
	for (i = 0; i < vsock->nr_slots; i++) {
		struct vsock_conn *conn = vsock->conn[i];

		if (!conn)
			continue;
		conn->untouched = false;
		if (conn->state == VSOCK_GREETING || (conn->tell & VSOCK_TELL_REQUEST))
			continue;
		vsock_conn_end(conn);
		set_ready(vsock, conn);
	}
	vsock->rst_count = 0;
	vsock->rx_taken = false;
	vsock->sweep = true;
	run_again(vsock);
}

static void kick(struct virtio_device *dev, unsigned int queue)
{
	struct vsock *vsock = (struct vsock *)dev;

	if (queue == QUEUE_RX)
		ring_disable_kicks(&dev->queue[QUEUE_RX]);
	serve(vsock);
}

static const struct virtio_device_ops vsock_ops = {
	.read_config = read_config,
	.start = start,
	.stop = stop,
	.kick = kick,
};

static void on_event(struct vsock *vsock, u64 data, u32 events)
{
	unsigned int slot = (u32)data;
	struct vsock_conn *conn;
	u64 count;
	u32 wanted;

	if (data == VSOCK_EVENT_AGAIN) {
		/* Only the wake-up counts. */
		if (read(vsock->again_fd, &count, sizeof(count)) < 0)
			return;
	} else if (slot < vsock->nr_slots && vsock->conn[slot] &&
		   vsock->conn[slot]->generation == data >> 32) {
		conn = vsock->conn[slot];
		if (conn->state == VSOCK_GREETING && !vsock_unix_greeting(vsock, conn))
			return;
		wanted = vsock_conn_wants(conn);
		update(vsock, conn, vsock_conn_events(conn, events), wanted);
	}
}

static void on_epoll(void *ctx, u32 events)
{
	struct vsock *vsock = ctx;
	struct epoll_event event[TURN_EVENTS];
	int i, n;

	(void)events;
	pthread_mutex_lock(&vsock->dev.lock);
	n = epoll_wait(vsock->epoll_fd, event, TURN_EVENTS, 0);
	for (i = 0; i < n; i++)
		on_event(vsock, event[i].data.u64, event[i].events);
	serve(vsock);
	pthread_mutex_unlock(&vsock->dev.lock);
}

int vsock_listen(struct vsock *vsock, u32 port, vsock_accept_fn *fn, void *ctx)
{
	unsigned int i;
	int ret = -1;

	pthread_mutex_lock(&vsock->dev.lock);
	for (i = 0; i < vsock->nr_listeners && vsock->listener[i].port != port; i++)
		;
	if (i == vsock->nr_listeners && i < VSOCK_MAX_LISTENERS) {
		vsock->listener[i] = (struct vsock_listener){ port, fn, ctx };
		vsock->nr_listeners++;
		ret = 0;
	}
	pthread_mutex_unlock(&vsock->dev.lock);
	return ret;
}

void vsock_request(struct vsock *vsock, struct vsock_conn *conn, u32 port)
{
	u32 host_port;

	do {
		host_port = vsock->next_port++;
		if (vsock->next_port == ~0u)
			vsock->next_port = FIRST_PORT;
	} while (find(vsock, host_port, port));
	conn->host_port = host_port;
	conn->guest_port = port;
	conn->state = VSOCK_REQUESTED;
	conn->tell = VSOCK_TELL_REQUEST;
	set_ready(vsock, conn);
	run_again(vsock);
}

int vsock_connect(struct vsock *vsock, u32 port, vsock_connected_fn *fn, void *ctx)
{
	struct vsock_conn *conn;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return -1;
	pthread_mutex_lock(&vsock->dev.lock);
	conn = vsock_add_conn(vsock, pair[0], VSOCK_REQUESTED);
	if (conn) {
		conn->far_fd = pair[1];
		conn->connected = fn;
		conn->ctx = ctx;
		vsock_request(vsock, conn, port);
	}
	pthread_mutex_unlock(&vsock->dev.lock);
	if (conn)
		return 0;
	close(pair[0]);
	close(pair[1]);
	return -1;
}

int vsock_init(struct vsock *vsock, const char *name, struct loop *loop, u32 guest_cid,
	       struct vm_error *err)
{
	static const u16 sizes[NR_QUEUES] = { 256, 256, 8 };

	memset(vsock, 0, sizeof(*vsock));
	vsock->guest_cid = guest_cid;
	vsock->next_port = FIRST_PORT;
	vsock->unix_fd = -1;
	vsock->unix_watch = -1;
	vsock->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	vsock->again_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	virtio_device_init(&vsock->dev, name, VIRTIO_ID_VSOCK, &vsock_ops,
			   VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX,
			   sizes, NR_QUEUES, loop);
	vsock->watch = -1;
	if (vsock->epoll_fd >= 0 && vsock->again_fd >= 0 &&
	    !watch(vsock, vsock->again_fd, EPOLLIN, VSOCK_EVENT_AGAIN))
		vsock->watch = loop_watch(loop, vsock->epoll_fd, EPOLLIN, on_epoll, vsock);
	if (vsock->watch >= 0)
		return 0;
	vm_fail(err, VM_STATUS_FAILURE, "are too many files open?",
		"cannot set up %s: %s", name, strerror(errno));
	vsock_destroy(vsock);
	return -1;
}

static bool somebody_reads(const struct vsock *vsock)
{
	unsigned int i;

	for (i = 0; i < vsock->nr_slots; i++)
		if (vsock->conn[i] && vsock->conn[i]->count)
			return true;
	return false;
}

static s64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* The guest is gone; who is slow to read what it sent has this long. */
static void last_words(struct vsock *vsock)
{
	s64 until = now_ms() + LAST_WORDS_MS, left;
	struct epoll_event event[TURN_EVENTS];
	int i, n;

	while (somebody_reads(vsock) && (left = until - now_ms()) > 0) {
		n = epoll_wait(vsock->epoll_fd, event, TURN_EVENTS, left);
		for (i = 0; i < n; i++)
			on_event(vsock, event[i].data.u64, event[i].events);
	}
}

void vsock_destroy(struct vsock *vsock)
{
	unsigned int i;

	vsock_unix_close(vsock);
	for (i = 0; i < vsock->nr_slots; i++)
		if (vsock->conn[i])
			vsock->conn[i]->connected = NULL;
	last_words(vsock);
	for (i = 0; i < vsock->nr_slots; i++)
		if (vsock->conn[i])
			vsock_drop_conn(vsock, vsock->conn[i]);
	if (vsock->watch >= 0)
		loop_unwatch(vsock->dev.loop, vsock->watch);
	if (vsock->again_fd >= 0)
		close(vsock->again_fd);
	if (vsock->epoll_fd >= 0)
		close(vsock->epoll_fd);
	virtio_device_destroy(&vsock->dev);
}

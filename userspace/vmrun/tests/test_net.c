// SPDX-License-Identifier: GPL-2.0
/*
 * The network card against a driver that this file plays, over a network that it plays
 * too and over libslirp; and what the command line says of the network.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../virtio/net.h"
#include "ktap.h"

#define SIZE		64
#define RING(q)		(0x10000ull * (q))
#define AVAIL		0x1000
#define USED		0x2000
#define SLOT		0x2000
#define BUFFER(q, i)	(0x100000ull + ((q) * SIZE + (i)) * SLOT)
#define MEMORY		(0x100000 + 2 * SIZE * SLOT)
#define HEADER		sizeof(struct net_header)
#define MERGEABLE	BIT_ULL(15)

enum { RX, TX };

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct card {
	struct memory mem;
	struct net *net;
	u16 avail[2], seen;
	unsigned int interrupts, needs_reset;
};

/* The network played here: what was sent, and what waits for the guest. */
struct wire {
	struct net_backend backend;
	unsigned int sent, batches, closed;
	u8 last[2000];
	size_t last_len;
	unsigned int waiting;	/* frames of @len bytes, each beginning with its number */
	size_t len;
	u8 number;
};

static void wire_send(struct net_backend *backend, const struct ring_chain *chain)
{
	struct wire *w = (struct wire *)backend;

	w->last_len = ring_copy_from(chain, HEADER, w->last, sizeof(w->last));
	w->sent++;
}

static void wire_sent(struct net_backend *backend)
{
	((struct wire *)backend)->batches++;
}

static void wire_poll(struct net_backend *backend)
{
	static const struct net_header header = { .flags = 2, .num_buffers = 99 };
	static u8 frame[NET_MAX_LARGE_FRAME];
	struct wire *w = (struct wire *)backend;
	unsigned int i;

	for (; w->waiting; w->waiting--, w->number++) {
		for (i = 0; i < w->len; i++)
			frame[i] = w->number + i * 3;
		if (!backend->deliver(backend->ctx, &header, frame, w->len))
			return;
	}
	i = read(backend->fd, &(u64){ 0 }, 8);
}

static void wire_close(struct net_backend *backend)
{
	struct wire *w = (struct wire *)backend;

	close(backend->fd);
	free(w);
}

static const struct net_backend_ops wire_ops = {
	.send = wire_send, .sent = wire_sent, .poll = wire_poll, .resume = wire_poll,
	.close = wire_close,
};

static void *at(struct card *c, u64 addr, u64 len)
{
	void *p = guest_buf(&c->mem, addr, len);

	ASSERT(p);
	return p;
}

static void on_interrupt(void *ctx, unsigned int queue)
{
	(void)queue;
	((struct card *)ctx)->interrupts++;
}

static void on_config(void *ctx)
{
	((struct card *)ctx)->needs_reset++;
}

/* Runs the card's loop until nothing is there for @ms. */
static void run(struct card *c, int ms)
{
	struct loop *loop = &c->net->worker.loop;
	struct pollfd ready = { .fd = loop->epoll_fd, .events = POLLIN };
	struct epoll_event event;
	unsigned int i, turns = 0;

	while (poll(&ready, 1, ms) > 0) {
		for (i = 0; i < loop->nr_watches; i++) {
			struct loop_watch *w = &loop->watch[i];
			struct pollfd one = { .fd = w->fd, .events = POLLIN };

			if (w->fn && w->events && poll(&one, 1, 0) > 0)
				w->fn(w->ctx, EPOLLIN);
		}
		/* Takes what is level-triggered and served out of the way. */
		epoll_wait(loop->epoll_fd, &event, 1, 0);
		ASSERT(++turns < 10000);
	}
}

static void kick(struct card *c, unsigned int queue)
{
	pthread_mutex_lock(&c->net->dev.lock);
	c->net->dev.ops->kick(&c->net->dev, queue);
	pthread_mutex_unlock(&c->net->dev.lock);
	run(c, 0);
}

static u16 offer(struct card *c, unsigned int queue, u32 len)
{
	u16 i = c->avail[queue] % SIZE;

	*(struct desc *)at(c, RING(queue) + i * sizeof(struct desc), sizeof(struct desc)) =
		(struct desc){ BUFFER(queue, i), len, queue == RX ? 2 : 0, 0 };
	*(u16 *)at(c, RING(queue) + AVAIL + 4 + i * 2, 2) = i;
	*(u16 *)at(c, RING(queue) + AVAIL + 2, 2) = ++c->avail[queue];
	return i;
}

static u16 used(struct card *c, unsigned int queue)
{
	return *(u16 *)at(c, RING(queue) + USED + 2, 2);
}

static void give(struct card *c, unsigned int n, u32 len)
{
	while (n--)
		offer(c, RX, len);
	kick(c, RX);
}

static void send_frame(struct card *c, const void *frame, u32 len)
{
	u16 i = c->avail[TX] % SIZE;
	u8 *to = at(c, BUFFER(TX, i), HEADER + len);

	memset(to, 0, HEADER);
	memcpy(to + HEADER, frame, len);
	offer(c, TX, HEADER + len);
	kick(c, TX);
}

/* The buffers that the next frame lies in; its bytes in @frame, its length in @len. 0: there is none. */
static unsigned int next(struct card *c, u8 *frame, size_t *len)
{
	struct net_header header;
	unsigned int i;

	*len = 0;
	if (c->seen == used(c, RX))
		return 0;
	for (i = 0; !i || i < header.num_buffers; i++) {
		u32 *elem = at(c, RING(RX) + USED + 4 + c->seen++ % SIZE * 8, 8);
		u32 skip = i ? 0 : HEADER;
		u8 *from = at(c, BUFFER(RX, elem[0]), elem[1]);

		if (!i)
			memcpy(&header, from, HEADER);
		memcpy(frame + *len, from + skip, elem[1] - skip);
		*len += elem[1] - skip;
		ASSERT(c->seen <= used(c, RX));
	}
	return i;
}

static void start_driver(struct card *c, u64 features)
{
	struct virtio_device *dev = &c->net->dev;
	unsigned int q;

	for (q = 0; q < 2; q++) {
		struct ring *ring = &dev->queue[q];

		memset(at(c, RING(q), 0x10000), 0, 0x10000);
		c->avail[q] = 0;
		ring_reset(ring);
		ring->mem = &c->mem;
		ring->size = SIZE;
		ring->desc = RING(q);
		ring->avail = RING(q) + AVAIL;
		ring->used = RING(q) + USED;
		ASSERT_EQ(ring_start(ring, false), 0);
	}
	c->seen = 0;
	dev->features = features;
	dev->started = true;
	pthread_mutex_lock(&dev->lock);
	dev->ops->start(dev);
	pthread_mutex_unlock(&dev->lock);
	run(c, 0);
}

static void stop_driver(struct card *c)
{
	struct virtio_device *dev = &c->net->dev;

	pthread_mutex_lock(&dev->lock);
	dev->ops->stop(dev);
	dev->started = false;
	dev->needs_reset = false;
	pthread_mutex_unlock(&dev->lock);
	run(c, 0);
}

static struct card *make(const struct net_options *options, u64 features)
{
	struct card *c = calloc(1, sizeof(*c));
	struct vm_error err = { 0 };

	ASSERT(c);
	c->mem.region[0] = (struct memory_region){ 0, MEMORY, aligned_alloc(4096, MEMORY) };
	c->mem.nr_regions = 1;
	c->net = net_create("net0", options, &err);
	if (!c->net)
		test_fail(__FILE__, __LINE__, "%s", err.text);
	ASSERT(c->net);
	c->net->dev.transport = (struct virtio_transport){
		.interrupt = on_interrupt, .config_changed = on_config, .ctx = c,
	};
	start_driver(c, features);
	return c;
}

/* A card at the wire: slirp's place is taken by it. */
static struct card *make_wire(struct wire **wire, u64 features)
{
	const struct net_options options = { .kind = NET_USER };
	struct card *c = make(&options, features);
	struct wire *w = calloc(1, sizeof(*w));
	struct net *net = c->net;
	loop_fn *fn;

	w->backend = *net->backend;
	w->backend.ops = &wire_ops;
	w->backend.fd = eventfd(0, EFD_NONBLOCK);
	fn = net->worker.loop.watch[net->watch].fn;
	loop_unwatch(&net->worker.loop, net->watch);
	net->backend->ops->close(net->backend);
	net->backend = &w->backend;
	/* The first free place is the one that was left. */
	ASSERT_EQ(loop_watch(&net->worker.loop, w->backend.fd, EPOLLIN, fn, net), net->watch);
	*wire = w;
	return c;
}

static void destroy(struct card *c)
{
	net_destroy(c->net);
	free(c->mem.region[0].host_addr);
	free(c);
}

static void receive(struct card *c, struct wire *w, unsigned int n, size_t len)
{
	w->waiting = n;
	w->len = len;
	ASSERT_EQ(write(w->backend.fd, &(u64){ 1 }, 8), 8);
	run(c, 0);
}

static bool is_frame(const u8 *frame, size_t len, u8 number)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (frame[i] != (u8)(number + i * 3))
			return false;
	return true;
}

static u8 frame[NET_MAX_LARGE_FRAME + 100];

/* ---- the card ---- */

static void frames_out(void)
{
	struct wire *w;
	struct card *c = make_wire(&w, MERGEABLE);
	static u8 data[2000];

	memset(data, 0x5a, sizeof(data));
	send_frame(c, data, 60);
	EXPECT_EQ(w->sent, 1);
	EXPECT_EQ(w->last_len, 60);
	EXPECT_EQ(w->last[59], 0x5a);
	EXPECT_EQ(w->batches, 1);
	EXPECT_EQ(c->interrupts, 1);
	send_frame(c, data, NET_MAX_FRAME);
	EXPECT_EQ(w->sent, 2);
	/* What no wire carries. */
	send_frame(c, data, NET_MAX_FRAME + 1);
	send_frame(c, data, 13);
	send_frame(c, data, 0);
	EXPECT_EQ(w->sent, 2);
	EXPECT_EQ(used(c, TX), 5);
	EXPECT_EQ(c->needs_reset, 0);
	offer(c, TX, HEADER - 1);
	kick(c, TX);
	EXPECT_EQ(c->needs_reset, 1);
	destroy(c);
}

static void frames_in(void)
{
	struct wire *w;
	struct card *c = make_wire(&w, MERGEABLE);
	size_t len;

	give(c, 8, 1536);
	receive(c, w, 3, 1000);
	EXPECT_EQ(c->interrupts, 1);
	for (u8 i = 0; i < 3; i++) {
		EXPECT_EQ(next(c, frame, &len), 1);
		EXPECT_EQ(len, 1000);
		EXPECT(is_frame(frame, len, i));
	}
	EXPECT_EQ(next(c, frame, &len), 0);
	/* One in five buffers. */
	receive(c, w, 1, 7000);
	EXPECT_EQ(next(c, frame, &len), 5);
	EXPECT_EQ(len, 7000);
	EXPECT(is_frame(frame, len, 3));
	destroy(c);
}

static void no_room(void)
{
	struct wire *w;
	struct card *c = make_wire(&w, MERGEABLE);
	size_t len;
	u8 i;

	receive(c, w, 5, 3000);
	EXPECT_EQ(w->waiting, 5);
	give(c, 1, 1536);
	/* Half a frame is none. */
	EXPECT_EQ(used(c, RX), 0);
	EXPECT_EQ(c->interrupts, 0);
	for (i = 0; i < 9; i++)
		give(c, 1, 1536);
	EXPECT_EQ(w->waiting, 0);
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(next(c, frame, &len), 2);
		EXPECT_EQ(len, 3000);
		EXPECT(is_frame(frame, len, i));
	}
	/* A driver that goes while a frame waits: the frame is nobody's, the next are for the next. */
	receive(c, w, 2, 3000);
	EXPECT_EQ(w->waiting, 2);
	give(c, 1, 1536);
	stop_driver(c);
	EXPECT_EQ(w->waiting, 0);
	start_driver(c, MERGEABLE);
	give(c, 2, 1536);
	receive(c, w, 1, 100);
	EXPECT_EQ(next(c, frame, &len), 1);
	EXPECT(is_frame(frame, 100, w->number - 1));
	destroy(c);
}

static void buffers_that_cannot_be(void)
{
	struct wire *w;
	struct card *c = make_wire(&w, MERGEABLE);
	size_t len;

	give(c, 1, HEADER - 1);
	receive(c, w, 1, 100);
	EXPECT_EQ(c->needs_reset, 1);
	EXPECT_EQ(w->waiting, 0);
	stop_driver(c);
	/* Without mergeable buffers, one has to do. */
	start_driver(c, 0);
	give(c, 1, HEADER + 100);
	receive(c, w, 1, 100);
	EXPECT_EQ(next(c, frame, &len), 1);
	give(c, 4, HEADER + 99);
	receive(c, w, 1, 100);
	EXPECT_EQ(c->needs_reset, 2);
	stop_driver(c);
	/* Room for the header alone in the first. */
	start_driver(c, MERGEABLE);
	give(c, 1, HEADER);
	give(c, 3, 50);
	receive(c, w, 1, 101);
	EXPECT_EQ(next(c, frame, &len), 4);
	EXPECT_EQ(len, 101);
	EXPECT(is_frame(frame, len, w->number - 1));
	EXPECT_EQ(c->needs_reset, 2);
	destroy(c);
}

static void says_its_address(void)
{
	struct wire *w;
	struct card *c = make_wire(&w, MERGEABLE);
	u8 data[10];

	c->net->dev.ops->read_config(&c->net->dev, 0, data, sizeof(data));
	EXPECT(!memcmp(data, "\x52\x54\0\x12\x34\x56\1\0\0\0", 10));
	c->net->dev.ops->read_config(&c->net->dev, 6, data, 2);
	EXPECT_EQ(data[0], 1);
	c->net->dev.ops->read_config(&c->net->dev, ~1ull, data, 4);
	EXPECT_EQ(data[2], 0);
	destroy(c);
}

/* ---- libslirp ---- */

static void slirp_answers(void)
{
	static const u8 who_has[42] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 6,
		0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 10, 0, 2, 15,
		0, 0, 0, 0, 0, 0, 10, 0, 2, 2,
	};
	const struct net_options options = { .kind = NET_USER };
	struct card *c = make(&options, MERGEABLE);
	size_t len;

	/* It comes when there is room for it. */
	send_frame(c, who_has, sizeof(who_has));
	EXPECT_EQ(next(c, frame, &len), 0);
	give(c, 1, 1536);
	run(c, 10);
	ASSERT_EQ(next(c, frame, &len), 1);
	EXPECT(len >= 42);
	EXPECT_EQ(frame[21], 2);
	EXPECT(!memcmp(frame + 28, "\12\0\2\2", 4));
	EXPECT(!memcmp(frame + 32, "\x52\x54\0\x12\x34\x56\12\0\2\17", 10));
	destroy(c);
}

static void slirp_forwards(void)
{
	struct net_options options = { .kind = NET_USER, .nr_forwards = 1 };
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t size = sizeof(addr);
	struct vm_error err = { 0 };
	int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
	struct card *c;
	size_t len;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_OK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_OK(listen(fd, 1));
	ASSERT_OK(getsockname(fd, (struct sockaddr *)&addr, &size));
	options.forward[0] = (struct net_forward){
		.host_addr = addr.sin_addr.s_addr, .host_port = ntohs(addr.sin_port),
		.guest_port = 80,
	};
	EXPECT(!net_create("net0", &options, &err));
	EXPECT_EQ(err.status, VM_STATUS_FAILURE);
	EXPECT(strstr(err.text, "127.0.0.1 port"));
	close(fd);

	/* Somebody connects: slirp asks who has the guest's address. */
	c = make(&options, MERGEABLE);
	give(c, 4, 1536);
	fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
	ASSERT_OK(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	run(c, 50);
	ASSERT_EQ(next(c, frame, &len), 1);
	EXPECT(!memcmp(frame + 12, "\x08\x06", 2));
	EXPECT(!memcmp(frame + 38, "\12\0\2\17", 4));
	close(fd);
	destroy(c);
}

/* ---- the command line ---- */

static void kinds(void)
{
	static const char *const wrong[] = {
		"", "users", "tap", "tap=", "tap=a/b", "tap=0123456789abcdef", "tap=a b", "tap=%d",
	};
	struct net_options net = { 0 };
	struct vm_error err;
	unsigned int i;

	for (i = 0; i < COUNT(wrong); i++) {
		err.status = 0;
		EXPECT_EQ(net_parse_kind(&net, wrong[i], &err), -1);
		EXPECT_EQ(err.status, VM_STATUS_FAILURE);
		EXPECT(err.hint[0]);
	}
	EXPECT_EQ(net.kind, NET_UNSET);
	EXPECT_EQ(net_parse_kind(&net, "user", &err), 0);
	EXPECT_EQ(net.kind, NET_USER);
	EXPECT_EQ(net_parse_kind(&net, "none", &err), 0);
	EXPECT_EQ(net.kind, NET_NONE);
	EXPECT_EQ(net_parse_kind(&net, "tap=tap0", &err), 0);
	EXPECT_EQ(net.kind, NET_TAP);
	EXPECT(!strcmp(net.tap, "tap0"));
}

static void ports(void)
{
	static const char *const wrong[] = {
		"", "80", "80:", ":80", "0:80", "80:0", "65536:80", "80:65536", "80:80/", "80:80/sctp",
		"a:80", "80:80:80", "1.2.3:1:2", "1.2.3.4.5:1:2", "::1:80:80", "80:80 ", "-1:80",
		"99999999999999999999:1", "localhost:80:80", "255.255.255.2555:1:1",
	};
	struct net_options net = { 0 };
	struct vm_error err = { 0 };
	unsigned int i;

	for (i = 0; i < COUNT(wrong); i++) {
		err.status = 0;
		if (!EXPECT_EQ(net_parse_forward(&net, wrong[i], &err), -1))
			test_note("it took '%s'", wrong[i]);
		EXPECT(err.hint[0]);
	}
	EXPECT_EQ(net.nr_forwards, 0);
	err.status = 0;
	EXPECT_EQ(net_parse_forward(&net, "8080:80", &err), 0);
	EXPECT_EQ(net_parse_forward(&net, "0.0.0.0:65535:1/udp", &err), 0);
	EXPECT_EQ(net_parse_forward(&net, "1:2/tcp", &err), 0);
	EXPECT_EQ(net.forward[0].host_addr, htonl(0x7f000001));
	EXPECT_EQ(net.forward[0].host_port, 8080);
	EXPECT_EQ(net.forward[0].guest_port, 80);
	EXPECT(!net.forward[0].udp);
	EXPECT_EQ(net.forward[1].host_addr, 0);
	EXPECT(net.forward[1].udp);
	EXPECT_EQ(net.nr_forwards, 3);
	while (net.nr_forwards < NET_MAX_FORWARDS)
		EXPECT_EQ(net_parse_forward(&net, "1:2", &err), 0);
	EXPECT_EQ(net_parse_forward(&net, "1:2", &err), -1);
}

static void what_goes_together(void)
{
	struct net_options net = { 0 };
	struct vm_error err = { 0 };

	EXPECT_EQ(net_complete(&net, NET_NONE, &err), 0);
	EXPECT_EQ(net.kind, NET_NONE);
	net = (struct net_options){ 0 };
	EXPECT_EQ(net_parse_forward(&net, "1:2", &err), 0);
	EXPECT_EQ(net_complete(&net, NET_NONE, &err), 0);
	EXPECT_EQ(net.kind, NET_USER);
	net.kind = NET_NONE;
	EXPECT_EQ(net_complete(&net, NET_USER, &err), -1);
	EXPECT_EQ(err.status, VM_STATUS_FAILURE);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(frames_out), TEST(frames_in), TEST(no_room), TEST(buffers_that_cannot_be),
		TEST(says_its_address), TEST(slirp_answers), TEST(slirp_forwards),
		TEST(kinds), TEST(ports), TEST(what_goes_together),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The network card against a driver that this file plays, over a network that it plays
 * too and over libslirp; and what the command line says of the network.
 */
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../net/gate.h"
#include "../virtio/net.h"
#include "ktap.h"
#include "driver_queue.h"

#define SIZE		64
#define SLOT		0x2000
#define BUFFER(q, i)	(0x100000ull + ((q) * SIZE + (i)) * SLOT)
#define MEMORY		(0x100000 + 2 * SIZE * SLOT)
#define HEADER		sizeof(struct net_header)
#define MERGEABLE	BIT_ULL(15)

enum { RX, TX };

struct card {
	struct driver driver;
	struct net *net;
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
	driver_kick(&c->driver, queue);
	run(c, 0);
}

static void offer(struct card *c, unsigned int queue, u32 len)
{
	u64 addr = BUFFER(queue, driver_next(&c->driver, queue));

	driver_offer_buffer(&c->driver, queue, addr, len, queue == RX ? F_WRITE : 0);
}

static void give(struct card *c, unsigned int n, u32 len)
{
	while (n--)
		offer(c, RX, len);
	kick(c, RX);
}

static void send_frame(struct card *c, const void *frame, u32 len)
{
	u16 i = driver_next(&c->driver, TX);
	u8 *to = driver_at(&c->driver, BUFFER(TX, i), HEADER + len);

	memset(to, 0, HEADER);
	memcpy(to + HEADER, frame, len);
	offer(c, TX, HEADER + len);
	kick(c, TX);
}

/* The buffers that the next frame lies in; its bytes in @frame, its length in @len. 0: none. */
static unsigned int next(struct card *c, u8 *frame, size_t *len)
{
	struct net_header header;
	struct used_elem elem;
	unsigned int i;

	*len = 0;
	if (!driver_take(&c->driver, RX, &elem))
		return 0;
	for (i = 0; !i || i < header.num_buffers; i++) {
		u32 skip = i ? 0 : HEADER;
		u8 *from;

		ASSERT(!i || driver_take(&c->driver, RX, &elem));
		from = driver_at(&c->driver, BUFFER(RX, elem.id), elem.len);
		if (!i)
			memcpy(&header, from, HEADER);
		memcpy(frame + *len, from + skip, elem.len - skip);
		*len += elem.len - skip;
	}
	return i;
}

static void start_driver(struct card *c, u64 features)
{
	c->net->dev.features = features;
	driver_start(&c->driver, 2);
	run(c, 0);
}

static void stop_driver(struct card *c)
{
	driver_stop(&c->driver);
	run(c, 0);
}

static struct card *make(const struct net_options *options, u64 features)
{
	struct card *c = calloc(1, sizeof(*c));
	struct vm_error err = { 0 };

	ASSERT(c);
	driver_memory_create(&c->driver, MEMORY);
	c->net = net_create("net0", options, &err);
	if (!c->net)
		test_fail(__FILE__, __LINE__, "%s", err.text);
	ASSERT(c->net);
	driver_init(&c->driver, &c->net->dev, SIZE);
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
	driver_memory_destroy(&c->driver);
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
	EXPECT_EQ(c->driver.interrupts, 1);
	send_frame(c, data, NET_MAX_FRAME);
	EXPECT_EQ(w->sent, 2);
	/* What no wire carries. */
	send_frame(c, data, NET_MAX_FRAME + 1);
	send_frame(c, data, 13);
	send_frame(c, data, 0);
	EXPECT_EQ(w->sent, 2);
	EXPECT_EQ(driver_used(&c->driver, TX), 5);
	EXPECT_EQ(c->driver.config_changes, 0);
	offer(c, TX, HEADER - 1);
	kick(c, TX);
	EXPECT_EQ(c->driver.config_changes, 1);
	destroy(c);
}

static void frames_in(void)
{
	struct wire *w;
	struct card *c = make_wire(&w, MERGEABLE);
	size_t len;

	give(c, 8, 1536);
	receive(c, w, 3, 1000);
	EXPECT_EQ(c->driver.interrupts, 1);
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
	EXPECT_EQ(driver_used(&c->driver, RX), 0);
	EXPECT_EQ(c->driver.interrupts, 0);
	for (i = 0; i < 9; i++)
		give(c, 1, 1536);
	EXPECT_EQ(w->waiting, 0);
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(next(c, frame, &len), 2);
		EXPECT_EQ(len, 3000);
		EXPECT(is_frame(frame, len, i));
	}
	/* A driver that goes while a frame waits: that is nobody's, the next are for the next. */
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
	EXPECT_EQ(c->driver.config_changes, 1);
	EXPECT_EQ(w->waiting, 0);
	stop_driver(c);
	/* Without mergeable buffers, one has to do. */
	start_driver(c, 0);
	give(c, 1, HEADER + 100);
	receive(c, w, 1, 100);
	EXPECT_EQ(next(c, frame, &len), 1);
	give(c, 4, HEADER + 99);
	receive(c, w, 1, 100);
	EXPECT_EQ(c->driver.config_changes, 2);
	stop_driver(c);
	/* Room for the header alone in the first. */
	start_driver(c, MERGEABLE);
	give(c, 1, HEADER);
	give(c, 3, 50);
	receive(c, w, 1, 101);
	EXPECT_EQ(next(c, frame, &len), 4);
	EXPECT_EQ(len, 101);
	EXPECT(is_frame(frame, len, w->number - 1));
	EXPECT_EQ(c->driver.config_changes, 2);
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

static const u8 who_has[42] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 6,
	0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 10, 0, 2, 15,
	0, 0, 0, 0, 0, 0, 10, 0, 2, 2,
};

static void slirp_answers(void)
{
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

/* A datagram of @len bytes "x" from the guest's port 1234. */
static size_t datagram(u8 *to, const char *addr, u16 port, size_t len)
{
	static const u8 start[] = {
		0x52, 0x55, 10, 0, 2, 2, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 0,
		0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 2, 15,
	};
	u32 sum = 0, i, total = 28 + len;

	memset(to, 'x', 14 + total);
	memcpy(to, start, sizeof(start));
	to[16] = total >> 8;
	to[17] = total;
	inet_pton(AF_INET, addr, to + 30);
	for (i = 14; i < 34; i += 2)
		sum += to[i] << 8 | to[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	to[24] = sum >> 8;
	to[25] = sum;
	memcpy(to + 34, (u8[]){
		1234 >> 8, 1234 & 0xff, port >> 8, port, (8 + len) >> 8, 8 + len, 0, 0,
	}, 8);
	return 14 + total;
}

/* A socket of the host's at 127.0.0.1. */
static int host_socket(u16 *port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(addr);
	int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));

	ASSERT_OK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_OK(getsockname(fd, (struct sockaddr *)&addr, &size));
	*port = ntohs(addr.sin_port);
	return fd;
}

static ssize_t arrives(struct card *c, int fd, u16 port, const char *addr, size_t len)
{
	static u8 data[NET_MAX_LARGE_FRAME];
	size_t n = datagram(data, addr, port, len);
	u32 i, at_once = SLOT - HEADER;
	ssize_t got;

	/* In as many buffers as it takes. */
	if (n <= at_once) {
		send_frame(c, data, n);
	} else {
		u16 first = driver_next(&c->driver, TX);
		struct desc desc[16];

		memset(driver_at(&c->driver, BUFFER(TX, first), HEADER), 0, HEADER);
		for (i = 0; i * SLOT < HEADER + n; i++) {
			u32 skip = i ? 0 : HEADER, from = i * SLOT - (i ? HEADER : 0);
			u32 part = min_u64(SLOT - skip, n - from);
			bool last = from + part == n;

			memcpy(driver_at(&c->driver, BUFFER(TX, first + i) + skip, part),
			       data + from, part);
			desc[i] = (struct desc){
				BUFFER(TX, first + i), skip + part, last ? 0 : F_NEXT,
				first + i + 1,
			};
		}
		driver_offer(&c->driver, TX, first, desc, i);
		kick(c, TX);
	}
	got = recv(fd, data, sizeof(data), 0);
	EXPECT(got < 0 || (got == (ssize_t)len && data[len - 1] == 'x'));
	return got;
}

/* What listens on the host's 127.0.0.1 is the host's own, unless the user says otherwise. */
static void the_hosts_loopback(void)
{
	struct net_options options = { .kind = NET_USER };
	struct card *c;
	u16 port;
	int fd;

	fd = host_socket(&port);
	/* One with libslirp's own switch, one that has to go without. */
	options.forward[0] = (struct net_forward){
		.host_addr = htonl(INADDR_LOOPBACK), .host_port = port + 1,
		.guest_port = 1, .udp = true,
	};
	for (; options.nr_forwards < 2; options.nr_forwards++) {
		c = make(&options, MERGEABLE);
		EXPECT_EQ(arrives(c, fd, port, "10.0.2.2", 5), -1);
		EXPECT_EQ(arrives(c, fd, port, "10.0.2.3", 5), -1);
		EXPECT_EQ(arrives(c, fd, port, "10.0.2.255", 5), -1);
		EXPECT_EQ(arrives(c, fd, port, "255.255.255.255", 5), -1);
		EXPECT_EQ(arrives(c, fd, port, "127.0.0.1", 5), -1);
		EXPECT_EQ(arrives(c, fd, port, "0.0.0.0", 5), -1);
		destroy(c);
	}

	options.nr_forwards = 0;
	options.loopback = true;
	c = make(&options, MERGEABLE);
	EXPECT_EQ(arrives(c, fd, port, "10.0.2.2", 5), 5);
	/* By that address alone. */
	EXPECT_EQ(arrives(c, fd, port, "127.0.0.1", 5), -1);
	EXPECT_EQ(arrives(c, fd, port, "0.0.0.0", 5), -1);
	EXPECT_EQ(c->driver.config_changes, 0);
	destroy(c);
	close(fd);
}

/* ---- what goes to libslirp ---- */

/* A TCP segment's start, @ip bytes of IP header. */
static size_t segment(u8 *to, const char *addr, u8 flags, unsigned int ip)
{
	memset(to, 0, 14 + ip + 20);
	datagram(to, addr, 80, 100);
	to[14] = 0x40 | ip / 4;
	to[23] = 6;
	memcpy(to + 14 + ip, (u8[20]){ 4, 210, 0, 80, 0, 1, 2, 3, 0, 0, 0, 0, 0x50, flags }, 20);
	return 14 + ip + 20;
}

static void the_gate(void)
{
	struct gate gate = { .gateway = 0x0a000202, .broadcast = 0x0a0002ff };
	struct gate open = { .open = true };
	static const char *const ours[] = { "10.0.2.2", "10.0.2.255", "255.255.255.255" };
	unsigned int i, n;
	u8 f[200], g[200];
	size_t len;

	open.gateway = gate.gateway;
	for (i = 0; i < COUNT(ours); i++) {
		/* What begins a connection, what goes on with one; ECN's flags do not count. */
		for (n = 20; n <= 60; n += 20) {
			len = segment(f, ours[i], 2, n);
			EXPECT_EQ(gate_from_guest(&gate, f, len), GATE_REFUSE);
			EXPECT_EQ(gate_from_guest(&open, f, len), GATE_PASS);
			EXPECT_EQ(gate_from_guest(&gate, f, len - 1), GATE_DROP);
		}
		EXPECT_EQ(gate_from_guest(&gate, f, segment(f, ours[i], 0xc2, 20)), GATE_REFUSE);
		EXPECT_EQ(gate_from_guest(&gate, f, segment(f, ours[i], 0x0a, 20)), GATE_REFUSE);
		EXPECT_EQ(gate_from_guest(&gate, f, segment(f, ours[i], 0x12, 20)), GATE_PASS);
		EXPECT_EQ(gate_from_guest(&gate, f, segment(f, ours[i], 0x10, 20)), GATE_PASS);
		/* In pieces. */
		len = segment(f, ours[i], 0x10, 20);
		f[20] = 0x20;
		EXPECT_EQ(gate_from_guest(&gate, f, len), GATE_DROP);
		f[20] = 0;
		f[21] = 1;
		EXPECT_EQ(gate_from_guest(&gate, f, len), GATE_DROP);
		EXPECT_EQ(gate_from_guest(&gate, f, datagram(f, ours[i], 500, 5)), GATE_DROP);
		/* Of these the network's broadcast is no address of libslirp's DHCP server. */
		EXPECT_EQ(gate_from_guest(&gate, f, datagram(f, ours[i], 67, 5)),
			  i == 1 ? GATE_DROP : GATE_PASS);
	}
	for (i = 0; i < 2; i++) {
		const struct gate *now = i ? &open : &gate;

		EXPECT_EQ(gate_from_guest(now, f, segment(f, "127.0.0.1", 2, 20)), GATE_DROP);
		EXPECT_EQ(gate_from_guest(now, f, segment(f, "0.1.2.3", 2, 20)), GATE_DROP);
		EXPECT_EQ(gate_from_guest(now, f, segment(f, "10.0.2.3", 2, 20)), GATE_PASS);
		EXPECT_EQ(gate_from_guest(now, f, datagram(f, "1.1.1.1", 500, 5)), GATE_PASS);
		/* No packet at all; a header that is longer than it. */
		EXPECT_EQ(gate_from_guest(now, f, 33), GATE_DROP);
		EXPECT_EQ(gate_from_guest(now, f, 13), GATE_PASS);
		f[14] = 0x4f;
		EXPECT_EQ(gate_from_guest(now, f, 40), GATE_DROP);
		EXPECT_EQ(gate_from_guest(now, who_has, sizeof(who_has)), GATE_PASS);
	}

	/* Somebody's datagram may be answered, by the port that it came to. */
	datagram(g, "10.0.2.15", 1234, 5);
	memcpy(g + 26, (u8[]){ 10, 0, 2, 2 }, 4);
	for (i = 0; i < 2 * GATE_MAX_PEERS; i++) {
		g[34] = 2;
		g[35] = i;
		gate_to_guest(&gate, g, 47);
		gate_to_guest(&gate, g, 47);
		len = datagram(f, "10.0.2.2", 512 + i, 5);
		EXPECT_EQ(gate_from_guest(&gate, f, len), GATE_PASS);
	}
	EXPECT_EQ(gate.nr_peers, GATE_MAX_PEERS);
	n = 512 + GATE_MAX_PEERS;
	EXPECT_EQ(gate_from_guest(&gate, f, datagram(f, "10.0.2.2", n, 5)), GATE_PASS);
	EXPECT_EQ(gate_from_guest(&gate, f, datagram(f, "10.0.2.2", n - 1, 5)), GATE_DROP);
	EXPECT_EQ(gate_from_guest(&gate, f, datagram(f, "255.255.255.255", n, 5)), GATE_DROP);
	datagram(f, "10.0.2.2", n, 5);
	f[35]++;
	EXPECT_EQ(gate_from_guest(&gate, f, 47), GATE_DROP);
}

/* Connected to where nobody may be, the guest is told at once. */
static void a_refusal(void)
{
	const struct net_options options = { .kind = NET_USER };
	struct card *c = make(&options, MERGEABLE);
	u32 sum = 6 + 20, i;
	u8 f[200];
	size_t len;

	give(c, 4, 1536);
	send_frame(c, f, segment(f, "10.0.2.2", 2, 20));
	ASSERT_EQ(next(c, frame, &len), 1);
	ASSERT_EQ(len, 54);
	EXPECT(!memcmp(frame, f + 6, 6));
	EXPECT(!memcmp(frame + 26, f + 30, 4) && !memcmp(frame + 30, f + 26, 4));
	EXPECT(!memcmp(frame + 34, (u8[14]){
		0, 80, 4, 210, 0, 0, 0, 0, 0, 1, 2, 4, 0x50, 0x14,
	}, 14));
	for (i = 26; i < 54; i += 2)
		sum += frame[i] << 8 | frame[i + 1];
	EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffff);
	destroy(c);
}

/* Has the host's socket learn where the guest is. */
static struct sockaddr_in meet(struct card *c, int fd, u16 port)
{
	struct sockaddr_in from = { 0 };
	socklen_t size = sizeof(from);
	size_t len;

	/* Asked for its address, slirp knows the guest's. */
	give(c, 32, SLOT);
	send_frame(c, who_has, sizeof(who_has));
	run(c, 10);
	EXPECT_EQ(next(c, frame, &len), 1);
	send_frame(c, frame, datagram(frame, "10.0.2.2", port, 1));
	EXPECT_EQ(recvfrom(fd, frame, 1, 0, (struct sockaddr *)&from, &size), 1);
	return from;
}

/* The largest packet is the driver's to take. */
static void large_packets(void)
{
	const struct net_options options = { .kind = NET_USER, .loopback = true };
	struct sockaddr_in from;
	struct card *c;
	u8 config[12];
	size_t len;
	u16 port;
	int fd;

	fd = host_socket(&port);
	c = make(&options, MERGEABLE | NET_F_MTU);
	EXPECT(c->net->dev.offered & NET_F_MTU);
	c->net->dev.ops->read_config(&c->net->dev, 0, config, sizeof(config));
	EXPECT_EQ(config[10] | config[11] << 8, 16384);
	EXPECT_EQ(arrives(c, fd, port, "10.0.2.2", 16000), 16000);
	EXPECT_EQ(arrives(c, fd, port, "10.0.2.2", 16384 - 28), 16384 - 28);
	EXPECT_EQ(arrives(c, fd, port, "10.0.2.2", 16384 - 27), -1);
	from = meet(c, fd, port);
	ASSERT_EQ(sendto(fd, frame, 15000, 0, (struct sockaddr *)&from, sizeof(from)), 15000);
	run(c, 50);
	EXPECT_EQ(next(c, frame, &len), 2);
	EXPECT_EQ(len, 15000 + 42);
	destroy(c);

	/* One that does not know of it gets what every wire carries. */
	c = make(&options, MERGEABLE);
	EXPECT_EQ(arrives(c, fd, port, "10.0.2.2", 16000), -1);
	EXPECT_EQ(arrives(c, fd, port, "10.0.2.2", 1472), 1472);
	from = meet(c, fd, port);
	ASSERT_EQ(sendto(fd, frame, 5000, 0, (struct sockaddr *)&from, sizeof(from)), 5000);
	ASSERT_EQ(sendto(fd, frame, 1472, 0, (struct sockaddr *)&from, sizeof(from)), 1472);
	run(c, 50);
	EXPECT_EQ(next(c, frame, &len), 1);
	EXPECT_EQ(len, 1472 + 42);
	EXPECT_EQ(next(c, frame, &len), 0);
	destroy(c);
	close(fd);
}

/* No IPv6: nobody answers who looks for a router. */
static void no_other_protocol(void)
{
	static const u8 solicit[70] = {
		0x33, 0x33, 0, 0, 0, 2, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 0x86, 0xdd,
		0x60, 0, 0, 0, 0, 16, 58, 255,
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x50, 0x54, 0, 0xff, 0xfe, 0x12, 0x34, 0x56,
		0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
		133, 0, 0x1f, 0x1e,
	};
	const struct net_options options = { .kind = NET_USER, .loopback = true };
	struct card *c = make(&options, MERGEABLE);
	size_t len;

	give(c, 4, 1536);
	send_frame(c, solicit, sizeof(solicit));
	run(c, 20);
	EXPECT_EQ(next(c, frame, &len), 0);
	EXPECT_EQ(c->driver.config_changes, 0);
	destroy(c);
}

/* ---- the command line ---- */

static void kinds(void)
{
	static const char *const wrong[] = {
		"", "users", "user,", "user,loop", "user,loopback,", "none,loopback", "tap", "tap=",
		"tap=a/b", "tap=0123456789abcdef", "tap=a b", "tap=%d",
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
	EXPECT(!net.loopback);
	EXPECT_EQ(net_parse_kind(&net, "user,loopback", &err), 0);
	EXPECT_EQ(net.kind, NET_USER);
	EXPECT(net.loopback);
	EXPECT_EQ(net_parse_kind(&net, "none", &err), 0);
	EXPECT(!net.loopback);
	EXPECT_EQ(net.kind, NET_NONE);
	EXPECT_EQ(net_parse_kind(&net, "tap=tap0", &err), 0);
	EXPECT_EQ(net.kind, NET_TAP);
	EXPECT(!strcmp(net.tap, "tap0"));
}

static void ports(void)
{
	static const char *const wrong[] = {
		"", "80", "80:", ":80", "0:80", "80:0", "65536:80", "80:65536", "80:80/",
		"80:80/sctp",
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
		TEST(the_gate), TEST(a_refusal), TEST(the_hosts_loopback), TEST(large_packets),
		TEST(no_other_protocol),
		TEST(kinds), TEST(ports), TEST(what_goes_together),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}

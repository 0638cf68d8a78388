// SPDX-License-Identifier: GPL-2.0
/*
 * User networking: the guest's frames become this process' own connections, by
 * libslirp, an IPv4 network of its own with DHCP and a name server in it. The library
 * is loaded by the machines that want it alone: it brings glib along. It asks to be
 * polled by lists of descriptors; here they are kept in an epoll, whose descriptor is
 * the backend's. Called by virtio/net.c.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "gate.h"

#define LIBRARY		"libslirp.so.0"
#define NETWORK		0x0a000200	/* 10.0.2.0/24 */
#define NETMASK		0xffffff00
#define HOST		2		/* in it; the guest first gets 15 */
#define NAMESERVER	3
#define GUEST		15

#define TURN_EVENTS	64
#define MAX_FDS		4096
#define MAX_TIMERS	2
/*
 * What a packet costs counts more than its bytes. But libslirp's window has 64 KiB and a driver
 * acknowledges every other segment: where only one fits, each waits for a delayed one.
 */
#define MTU		16384
#define SMALL_MTU	1500	/* of drivers that are not told */
/*
 * Frames that the guest has no room for yet. What a connection has under way at most is 45
 * small ones.
 */
#define MAX_QUEUED	64
#define MAX_COMPLAINTS	4
#define EVENT_TIMER	(~0u)

struct frame {
	u32 len;
	u8 data[];
};

/* A descriptor that libslirp wants to be polled, at its own index. */
struct polled {
	u32 round;	/* of fill(), in which it was last wanted */
	u16 wanted;	/* EPOLL*, as epoll knows it; 0: not there */
	u16 got;	/* what epoll said since libslirp was last told */
};

struct timer {
	SlirpTimerCb fn;	/* NULL: free */
	void *opaque;
	s64 at_ms;		/* 0: not armed */
};

struct slirp {
	struct net_backend backend;
	Slirp *slirp;
	typeof(slirp_cleanup) *cleanup;
	typeof(slirp_pollfds_fill) *pollfds_fill;
	typeof(slirp_pollfds_poll) *pollfds_poll;
	typeof(slirp_input) *input;
	typeof(slirp_add_hostfwd) *add_hostfwd;
	typeof(slirp_new) *new;

	int timer_fd;
	s64 alarm_ms;		/* when it rings; 0: not set */
	struct timer timer[MAX_TIMERS];
	struct polled *polled;
	unsigned int nr_polled;
	u32 round;
	unsigned int complaints;

	struct gate gate;
	size_t max_frame;	/* that the driver takes */
	struct frame *queue[MAX_QUEUED];
	unsigned int head, count;
	u8 *sending;		/* a copy, which the guest cannot change while it is read */
	size_t sending_size;
};

static s64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* ---- what libslirp calls ---- */

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	static const struct net_header header;
	struct slirp *s = opaque;
	struct frame *frame;

	/* That is UDP alone: with TCP both ends say what they take. */
	if (len > s->max_frame)
		return len;
	gate_to_guest(&s->gate, buf, len);
	if (!s->count && s->backend.deliver(s->backend.ctx, &header, buf, len))
		return len;
	/* When it is full too, frames are lost, and TCP sends them again. */
	frame = s->count < MAX_QUEUED ? malloc(sizeof(*frame) + len) : NULL;
	if (!frame)
		return len;
	frame->len = len;
	memcpy(frame->data, buf, len);
	s->queue[(s->head + s->count++) % MAX_QUEUED] = frame;
	return len;
}

static void guest_error(const char *msg, void *opaque)
{
	struct slirp *s = opaque;

	if (s->complaints++ < MAX_COMPLAINTS)
		log_note("user networking: %.200s", msg);
}

static int64_t clock_get_ns(void *opaque)
{
	(void)opaque;
	return now_ns();
}

static void *timer_new(SlirpTimerCb fn, void *fn_opaque, void *opaque)
{
	struct slirp *s = opaque;
	unsigned int i;

	for (i = 0; i < MAX_TIMERS; i++) {
		if (s->timer[i].fn)
			continue;
		s->timer[i] = (struct timer){ .fn = fn, .opaque = fn_opaque };
		return &s->timer[i];
	}
	return NULL;
}

static void timer_free(void *timer, void *opaque)
{
	(void)opaque;
	if (timer)
		memset(timer, 0, sizeof(struct timer));
}

static void timer_mod(void *timer, int64_t at_ms, void *opaque)
{
	(void)opaque;
	if (timer)
		((struct timer *)timer)->at_ms = at_ms;
}

static void register_poll_fd(int fd, void *opaque)
{
	/* It is told again by fill(). */
	(void)fd;
	(void)opaque;
}

/* It is going to be closed: the number may soon be another's. */
static void unregister_poll_fd(int fd, void *opaque)
{
	struct slirp *s = opaque;

	if (fd < 0 || (unsigned int)fd >= s->nr_polled || !s->polled[fd].wanted)
		return;
	epoll_ctl(s->backend.fd, EPOLL_CTL_DEL, fd, NULL);
	s->polled[fd] = (struct polled){ 0 };
}

static void notify(void *opaque)
{
	/* Only this thread calls libslirp, and fills anew after each call. */
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_get_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = register_poll_fd,
	.unregister_poll_fd = unregister_poll_fd,
	.notify = notify,
};

/* ---- its descriptors and timers ---- */

static const struct { int slirp; u32 epoll; } event_names[] = {
	{ SLIRP_POLL_IN, EPOLLIN }, { SLIRP_POLL_OUT, EPOLLOUT }, { SLIRP_POLL_PRI, EPOLLPRI },
	{ SLIRP_POLL_ERR, EPOLLERR }, { SLIRP_POLL_HUP, EPOLLHUP },
};

static bool make_room(struct slirp *s, unsigned int fd)
{
	unsigned int nr = s->nr_polled ? s->nr_polled : 64;
	struct polled *polled;

	if (fd < s->nr_polled)
		return true;
	if (fd >= MAX_FDS)
		return false;
	while (nr <= fd)
		nr *= 2;
	polled = realloc(s->polled, nr * sizeof(*polled));
	if (!polled)
		return false;
	memset(polled + s->nr_polled, 0, (nr - s->nr_polled) * sizeof(*polled));
	s->polled = polled;
	s->nr_polled = nr;
	return true;
}

/* The index that libslirp asks for afterwards is the descriptor itself. */
static int add_poll(int fd, int events, void *opaque)
{
	struct slirp *s = opaque;
	struct epoll_event event = { .data.u32 = fd };
	struct polled *p;
	unsigned int i;

	if (fd < 0 || !make_room(s, fd))
		return -1;
	for (i = 0; i < ARRAY_SIZE(event_names); i++)
		if (events & event_names[i].slirp)
			event.events |= event_names[i].epoll;
	p = &s->polled[fd];
	p->round = s->round;
	if (p->wanted == event.events)
		return fd;
	if (!epoll_ctl(s->backend.fd, p->wanted ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event))
		p->wanted = event.events;
	return fd;
}

static int get_revents(int fd, void *opaque)
{
	struct slirp *s = opaque;
	unsigned int i;
	int events = 0;

	if (fd < 0 || (unsigned int)fd >= s->nr_polled)
		return 0;
	for (i = 0; i < ARRAY_SIZE(event_names); i++)
		if (s->polled[fd].got & event_names[i].epoll)
			events |= event_names[i].slirp;
	return events;
}

/* Has the timer ring at @at_ms or before; rings too soon cost a look. */
static void set_alarm(struct slirp *s, s64 at_ms)
{
	struct itimerspec when = {
		.it_value = { .tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000 },
	};

	if (s->alarm_ms && s->alarm_ms <= at_ms)
		return;
	s->alarm_ms = at_ms;
	timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* After whatever may have changed them: what libslirp waits for now. */
static void fill(struct slirp *s)
{
	uint32_t timeout = UINT32_MAX;
	unsigned int fd, i;

	s->round++;
	s->pollfds_fill(s->slirp, &timeout, add_poll, s);
	for (fd = 0; fd < s->nr_polled; fd++) {
		if (!s->polled[fd].wanted || s->polled[fd].round == s->round)
			continue;
		epoll_ctl(s->backend.fd, EPOLL_CTL_DEL, fd, NULL);
		s->polled[fd].wanted = 0;
	}
	if (timeout != UINT32_MAX)
		set_alarm(s, now_ns() / 1000000 + timeout + 1);
	for (i = 0; i < MAX_TIMERS; i++)
		if (s->timer[i].at_ms)
			set_alarm(s, s->timer[i].at_ms);
}

static void run_timers(struct slirp *s)
{
	s64 now = now_ns() / 1000000;
	unsigned int i;

	for (i = 0; i < MAX_TIMERS; i++) {
		if (!s->timer[i].at_ms || s->timer[i].at_ms > now)
			continue;
		s->timer[i].at_ms = 0;
		s->timer[i].fn(s->timer[i].opaque);
	}
}

/* ---- what net.c calls ---- */

static void backend_poll(struct net_backend *backend)
{
	struct slirp *s = (struct slirp *)backend;
	struct epoll_event event[TURN_EVENTS];
	u64 expired;
	int i, n;

	n = epoll_wait(backend->fd, event, TURN_EVENTS, 0);
	for (i = 0; i < n; i++) {
		if (event[i].data.u32 != EVENT_TIMER)
			s->polled[event[i].data.u32].got = event[i].events;
		else if (read(s->timer_fd, &expired, sizeof(expired)) > 0)
			s->alarm_ms = 0;
	}
	/* It looks at its own clocks too. */
	s->pollfds_poll(s->slirp, 0, get_revents, s);
	for (i = 0; i < n; i++)
		if (event[i].data.u32 != EVENT_TIMER)
			s->polled[event[i].data.u32].got = 0;
	run_timers(s);
	fill(s);
}

static void backend_start(struct net_backend *backend, u64 features)
{
	struct slirp *s = (struct slirp *)backend;

	s->max_frame = NET_FRAME_HEADER + (features & NET_F_MTU ? MTU : SMALL_MTU);
}

/* Most guests never send a large one. */
static bool has_room_to_send(struct slirp *s, size_t len)
{
	u8 *sending;

	if (len <= s->sending_size)
		return true;
	sending = realloc(s->sending, len);
	if (!sending)
		return false;
	s->sending = sending;
	s->sending_size = len;
	return true;
}

static void backend_send(struct net_backend *backend, const struct ring_chain *chain)
{
	struct slirp *s = (struct slirp *)backend;
	size_t len = chain->out_len - sizeof(struct net_header);
	u8 refusal[GATE_REFUSAL];

	if (!has_room_to_send(s, len))
		return;
	ring_copy_from(chain, sizeof(struct net_header), s->sending, len);
	switch (gate_from_guest(&s->gate, s->sending, len)) {
	case GATE_PASS:
		s->input(s->slirp, s->sending, len);
		break;
	case GATE_REFUSE:
		gate_refuse(s->sending, refusal);
		send_packet(refusal, sizeof(refusal), s);
		break;
	case GATE_DROP:
		break;
	}
}

static void backend_sent(struct net_backend *backend)
{
	fill((struct slirp *)backend);
}

static void backend_resume(struct net_backend *backend)
{
	static const struct net_header header;
	struct slirp *s = (struct slirp *)backend;

	for (; s->count; s->count--, s->head = (s->head + 1) % MAX_QUEUED) {
		struct frame *frame = s->queue[s->head];

		if (!backend->deliver(backend->ctx, &header, frame->data, frame->len))
			return;
		free(frame);
	}
}

static void backend_close(struct net_backend *backend)
{
	struct slirp *s = (struct slirp *)backend;

	if (s->slirp)
		s->cleanup(s->slirp);
	if (s->timer_fd >= 0)
		close(s->timer_fd);
	if (backend->fd >= 0)
		close(backend->fd);
	/* The library stays: glib, which came with it, cannot be unloaded. */
	for (; s->count; s->count--, s->head = (s->head + 1) % MAX_QUEUED)
		free(s->queue[s->head]);
	free(s->polled);
	free(s->sending);
	free(s);
}

static const struct net_backend_ops slirp_ops = {
	.start = backend_start,
	.send = backend_send,
	.sent = backend_sent,
	.poll = backend_poll,
	.resume = backend_resume,
	.close = backend_close,
};

/* ---- the library ---- */

static int load(struct slirp *s, struct vm_error *err)
{
	const struct { const char *name; void *to; } wanted[] = {
		{ "slirp_new", &s->new }, { "slirp_cleanup", &s->cleanup },
		{ "slirp_pollfds_fill", &s->pollfds_fill },
		{ "slirp_pollfds_poll", &s->pollfds_poll }, { "slirp_input", &s->input },
		{ "slirp_add_hostfwd", &s->add_hostfwd },
	};
	unsigned int i;
	void *library, *symbol;

	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	for (i = 0; library && i < ARRAY_SIZE(wanted); i++) {
		symbol = dlsym(library, wanted[i].name);
		if (!symbol)
			break;
		memcpy(wanted[i].to, &symbol, sizeof(symbol));
	}
	if (!library || i < ARRAY_SIZE(wanted))
		return vm_fail(err, VM_STATUS_FAILURE,
			       "install libslirp (Debian: apt install libslirp0), or go without network: -n none",
			       "cannot load user networking: %.300s", dlerror());
	return 0;
}

static int forward(struct slirp *s, const struct net_options *options, struct vm_error *err)
{
	unsigned int i;

	for (i = 0; i < options->nr_forwards; i++) {
		const struct net_forward *f = &options->forward[i];
		struct in_addr host = { f->host_addr }, guest = { htonl(NETWORK + GUEST) };
		char text[INET_ADDRSTRLEN];

		errno = 0;
		if (!s->add_hostfwd(s->slirp, f->udp, host, f->host_port, guest, f->guest_port))
			continue;
		inet_ntop(AF_INET, &host, text, sizeof(text));
		return vm_fail(err, VM_STATUS_FAILURE,
			       errno == EACCES ? "ports below 1024 are root's; take a higher one" :
			       "see who has it with 'ss -ltnp', or take another port",
			       "cannot listen on %s port %u%s: %s", text, f->host_port,
			       f->udp ? "/udp" : "", strerror(errno));
	}
	return 0;
}

/*
 * libslirp drops the answers to those that come from the host's loopback with the rest of
 * what goes there.
 */
static bool forwards_datagrams(const struct net_options *options)
{
	unsigned int i;

	for (i = 0; i < options->nr_forwards; i++)
		if (options->forward[i].udp)
			return true;
	return false;
}

static int build(struct slirp *s, const struct net_options *options, struct vm_error *err)
{
	const SlirpConfig config = {
		.version = 1,
		.in_enabled = true,
		.vnetwork.s_addr = htonl(NETWORK), .vnetmask.s_addr = htonl(NETMASK),
		.vhost.s_addr = htonl(NETWORK + HOST),
		.vnameserver.s_addr = htonl(NETWORK + NAMESERVER),
		.vdhcp_start.s_addr = htonl(NETWORK + GUEST),
		.if_mtu = MTU, .if_mru = MTU,
		.disable_host_loopback = !options->loopback && !forwards_datagrams(options),
	};
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = EVENT_TIMER };

	s->backend.fd = epoll_create1(EPOLL_CLOEXEC);
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->backend.fd < 0 || s->timer_fd < 0 ||
	    epoll_ctl(s->backend.fd, EPOLL_CTL_ADD, s->timer_fd, &event))
		return vm_fail(err, VM_STATUS_FAILURE, "are too many files open?",
			       "cannot set up user networking: %s", strerror(errno));
	if (load(s, err))
		return -1;
	s->slirp = s->new(&config, &callbacks, s);
	if (!s->slirp)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "libslirp does not start");
	if (forward(s, options, err))
		return -1;
	fill(s);
	return 0;
}

struct net_backend *slirp_open(const struct net_options *options, struct vm_error *err)
{
	struct slirp *s = calloc(1, sizeof(*s));

	if (!s) {
		vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
		return NULL;
	}
	s->backend.ops = &slirp_ops;
	s->backend.features = NET_F_MTU;
	s->backend.mtu = MTU;
	s->gate = (struct gate){
		.open = options->loopback, .gateway = NETWORK + HOST,
		.broadcast = NETWORK | ~NETMASK,
	};
	s->backend.fd = -1;
	s->timer_fd = -1;
	if (!build(s, options, err))
		return &s->backend;
	backend_close(&s->backend);
	return NULL;
}

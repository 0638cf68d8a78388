// SPDX-License-Identifier: GPL-2.0
/*
 * The device's queues: bytes of ports in both directions, and the control messages by which
 * a driver learns of channels. What the guest is to be told is a few bits for each port, so
 * a guest that asks without end, or reads nothing, costs no memory; a far end that is full
 * leaves the guest's buffers where they are. Called by machine.c and console.c of vmrun.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "console.h"

/* Section 5.3.2: port 0's queues, those of control messages, then the other ports'. */
enum { QUEUE_CONTROL_RX = 2, QUEUE_CONTROL_TX = 3 };

#define QUEUE_SIZE	64

#define F_SIZE		BIT_ULL(0)
#define F_MULTIPORT	BIT_ULL(1)
#define F_EMERG_WRITE	BIT_ULL(2)

#define CHUNK		4096
#define TURN_BYTES	KIB(64)	/* of a port, before the loop looks at others */
#define TURN_CHAINS	64
#define LAST_TURNS	16	/* when the driver leaves */

/* Section 5.3.4. */
struct config {
	u16 columns;
	u16 rows;
	u32 max_ports;
	u32 emergency;
};

/* Section 5.3.6.2. */
struct control {
	u32 id;
	u16 event;
	u16 value;
};

enum {
	EVENT_DEVICE_READY = 0,
	EVENT_PORT_ADD = 1,
	EVENT_PORT_READY = 3,
	EVENT_PORT_OPEN = 6,
	EVENT_PORT_NAME = 7,
};

_Static_assert(sizeof(struct config) == 12, "virtio_console_config");
_Static_assert(sizeof(struct control) == 8, "virtio_console_control");

static struct vconsole *to_vconsole(struct virtio_device *dev)
{
	return (struct vconsole *)((u8 *)dev - offsetof(struct vconsole, dev));
}

static unsigned int rx_queue(const struct vconsole_port *port)
{
	return port->id ? 2 + 2 * port->id : 0;
}

static struct ring *rx_ring(struct vconsole_port *port)
{
	return &port->vc->dev.queue[rx_queue(port)];
}

static struct ring *tx_ring(struct vconsole_port *port)
{
	return &port->vc->dev.queue[rx_queue(port) + 1];
}

static bool is_running(const struct vconsole *vc)
{
	return vc->dev.started && !vc->dev.needs_reset;
}

/*
 * The next buffer for the guest's side; kicks of such a queue matter only while something
 * waits for one. True when there is one.
 */
static bool take_buffer(struct vconsole *vc, struct ring *ring, struct ring_chain *chain)
{
	int ret;

	if (!ring->started)
		return false;
	do
		ret = ring_pop(ring, chain);
	while (!ret && ring_enable_kicks(ring));
	if (ret < 0)
		virtio_needs_reset(&vc->dev, "a queue is broken");
	return ret > 0;
}

/* ---- bytes of a port ---- */

/* A console's driver does not tell when it opens its port. */
static bool takes_input(const struct vconsole_port *port)
{
	return is_running(port->vc) && (port->vc->ops ? port->vc->settled : port->guest_open);
}

static void deliver(struct vconsole_port *port)
{
	struct vconsole *vc = port->vc;
	struct ring_chain chain;
	bool any = false;
	unsigned int n;

	while (port->in_count && takes_input(port) && take_buffer(vc, rx_ring(port), &chain)) {
		n = min_u64(port->in_count, VCONSOLE_IN_SIZE - port->in_head);
		n = ring_copy_to(&chain, 0, port->in + port->in_head, n);
		if (!n) {
			virtio_needs_reset(&vc->dev, "a receive buffer has no room");
			break;
		}
		port->in_head = (port->in_head + n) % VCONSOLE_IN_SIZE;
		port->in_count -= n;
		ring_push(rx_ring(port), &chain, n);
		any = true;
	}
	if (any)
		virtio_signal(&vc->dev, rx_queue(port));
	if (vc->ops && port->starved && takes_input(port) && port->in_count < VCONSOLE_IN_SIZE) {
		port->starved = false;
		vc->ops->receive_ready(vc->ctx);
	}
}

static unsigned int put(struct vconsole_port *port, const u8 *data, unsigned int len)
{
	struct vconsole *vc = port->vc;

	if (vc->ops)
		return vc->ops->transmit(vc->ctx, data, len);
	return channel_write(port, data, len);
}

/* Passes on some of the chain that was taken. True when it is done with. */
static bool pass_on(struct vconsole_port *port, size_t *passed)
{
	u8 data[CHUNK];
	unsigned int n, taken;

	n = ring_copy_from(&port->tx, port->tx_done, data, sizeof(data));
	taken = n ? put(port, data, n) : 0;
	port->blocked = taken < n;
	port->tx_done += taken;
	*passed += taken;
	return port->tx_done >= port->tx.out_len;
}

/* Takes what the guest sends, a turn's worth. True when more may be there. */
static bool transmit(struct vconsole_port *port)
{
	struct virtio_device *dev = &port->vc->dev;
	struct ring *ring = tx_ring(port);
	unsigned int chains = 0;
	size_t passed = 0;
	int ret = 1;

	if (!ring->started)
		return false;
	while (!port->blocked && passed < TURN_BYTES && chains < TURN_CHAINS) {
		if (!port->tx_taken) {
			ret = ring_pop(ring, &port->tx);
			if (ret <= 0)
				break;
			port->tx_taken = true;
			port->tx_done = 0;
		}
		if (pass_on(port, &passed)) {
			port->tx_taken = false;
			ring_push(ring, &port->tx, 0);
			chains++;
		}
	}
	if (chains)
		virtio_signal(dev, rx_queue(port) + 1);
	if (ret < 0)
		virtio_needs_reset(dev, "a transmit queue is broken");
	return ret > 0 && !port->blocked;
}

void vconsole_serve(struct vconsole_port *port)
{
	if (!is_running(port->vc))
		return;
	deliver(port);
	if (transmit(port))
		virtio_kick_again(&port->vc->dev, rx_queue(port) + 1);
}

/* ---- control messages ---- */

static struct vconsole_port *next_to_tell(struct vconsole *vc)
{
	unsigned int i;

	for (i = 1; i < vc->nr_ports; i++)
		if (vc->port[i].tell)
			return &vc->port[i];
	return NULL;
}

/* Fills @chain by what is first of what the guest is to know of @port: how many bytes; 0: no room. */
static u32 fill_control(struct vconsole_port *port, const struct ring_chain *chain)
{
	unsigned int what = port->tell & -port->tell;
	struct control control = { .id = port->id, .value = 1 };
	size_t len = sizeof(control);

	switch (what) {
	case VCONSOLE_TELL_ADD:
		control.event = EVENT_PORT_ADD;
		break;
	case VCONSOLE_TELL_NAME:
		control.event = EVENT_PORT_NAME;
		len += strlen(port->name);
		break;
	case VCONSOLE_TELL_CLOSED:
		control.event = EVENT_PORT_OPEN;
		control.value = 0;
		break;
	default:
		control.event = EVENT_PORT_OPEN;
		break;
	}
	if (chain->in_len < len)
		return 0;
	ring_copy_to(chain, 0, &control, sizeof(control));
	ring_copy_to(chain, sizeof(control), port->name, len - sizeof(control));
	port->tell &= ~what;
	return len;
}

static void tell(struct vconsole *vc)
{
	struct ring *ring = &vc->dev.queue[QUEUE_CONTROL_RX];
	struct vconsole_port *port;
	struct ring_chain chain;
	bool any = false;
	u32 len;

	while ((port = next_to_tell(vc)) && is_running(vc) && take_buffer(vc, ring, &chain)) {
		len = fill_control(port, &chain);
		if (!len) {
			virtio_needs_reset(&vc->dev, "a buffer for control messages is too short");
			break;
		}
		ring_push(ring, &chain, len);
		any = true;
	}
	if (any)
		virtio_signal(&vc->dev, QUEUE_CONTROL_RX);
}

void vconsole_tell_open(struct vconsole_port *port, bool open)
{
	/* The end of one visitor is told before another comes: see channel_update(). */
	port->tell &= ~(VCONSOLE_TELL_OPEN | VCONSOLE_TELL_CLOSED);
	if (!port->ready || !is_running(port->vc))
		return;
	port->tell |= open ? VCONSOLE_TELL_OPEN : VCONSOLE_TELL_CLOSED;
	tell(port->vc);
}

static void port_is_ready(struct vconsole_port *port)
{
	port->ready = true;
	port->tell |= VCONSOLE_TELL_NAME;
	if (channel_is_open(port))
		port->tell |= VCONSOLE_TELL_OPEN;
}

/* 0, or -1 when the message is none that a driver sends. */
static int take_control(struct vconsole *vc, const struct control *control)
{
	struct vconsole_port *port;
	unsigned int i;

	if (control->event == EVENT_DEVICE_READY) {
		/* 0: the driver could not set itself up. */
		for (i = 1; i < vc->nr_ports && control->value; i++)
			vc->port[i].tell |= VCONSOLE_TELL_ADD;
		return 0;
	}
	/* Port 0 was never added. */
	if (!control->id || control->id >= vc->nr_ports)
		return -1;
	port = &vc->port[control->id];
	if (control->event == EVENT_PORT_READY) {
		if (control->value)
			port_is_ready(port);
		return 0;
	}
	if (control->event != EVENT_PORT_OPEN)
		return -1;
	port->guest_open = control->value;
	return 0;
}

static void take_controls(struct vconsole *vc)
{
	struct ring *ring = &vc->dev.queue[QUEUE_CONTROL_TX];
	struct ring_chain chain;
	struct control control;
	unsigned int n;
	int ret = 0;

	for (n = 0; n < TURN_CHAINS && ring->started; n++) {
		ret = ring_pop(ring, &chain);
		if (ret <= 0)
			break;
		if (ring_copy_from(&chain, 0, &control, sizeof(control)) < sizeof(control) ||
		    take_control(vc, &control)) {
			virtio_needs_reset(&vc->dev, "a control message makes no sense");
			return;
		}
		ring_push(ring, &chain, 0);
	}
	if (n)
		virtio_signal(&vc->dev, QUEUE_CONTROL_TX);
	if (ret < 0)
		virtio_needs_reset(&vc->dev, "a queue is broken");
	else if (ret > 0)
		virtio_kick_again(&vc->dev, QUEUE_CONTROL_TX);
	tell(vc);
}

/* ---- the device ---- */

static u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* The driver does something: it is not quiet yet. Any thread. */
static void wait_for_quiet(struct vconsole *vc)
{
	const struct itimerspec when = {
		.it_value.tv_sec = vc->quiet_ms / 1000, .it_value.tv_nsec = vc->quiet_ms % 1000 * 1000000,
	};

	if (!vc->ops || vc->settled)
		return;
	vc->settled = !vc->quiet_ms;
	/* Later the timer is left as it was set last, and rings. */
	if (now_ms() < vc->patient_until_ms)
		timerfd_settime(vc->quiet_fd, 0, &when, NULL);
}

static void on_quiet(void *ctx, u32 events)
{
	struct vconsole *vc = ctx;
	u64 expired;

	(void)events;
	pthread_mutex_lock(&vc->dev.lock);
	if (read(vc->quiet_fd, &expired, sizeof(expired)) == sizeof(expired) && is_running(vc)) {
		vc->settled = true;
		/* Linux reads the size when it changes, not when it begins. */
		if (vc->rows || vc->columns)
			virtio_config_changed(&vc->dev);
		deliver(&vc->port[0]);
	}
	pthread_mutex_unlock(&vc->dev.lock);
}

static void kick(struct virtio_device *dev, unsigned int queue)
{
	struct vconsole *vc = to_vconsole(dev);
	unsigned int i;

	wait_for_quiet(vc);

	if (!(queue & 1))
		ring_disable_kicks(&dev->queue[queue]);
	if (queue == QUEUE_CONTROL_TX)
		take_controls(vc);
	else if (queue == QUEUE_CONTROL_RX)
		tell(vc);
	else
		vconsole_serve(&vc->port[queue < 2 ? 0 : queue / 2 - 1]);
	for (i = 1; i < vc->nr_ports; i++) {
		/* Who has just opened a port finds there what has come before. */
		if (queue == QUEUE_CONTROL_TX)
			deliver(&vc->port[i]);
		channel_update(&vc->port[i]);
	}
}

static void start(struct virtio_device *dev)
{
	struct vconsole *vc = to_vconsole(dev);
	unsigned int i;

	for (i = 0; i < dev->nr_queues; i += 2)
		if (dev->queue[i].started)
			ring_disable_kicks(&dev->queue[i]);
	vc->patient_until_ms = now_ms() + vc->patience_ms;
	wait_for_quiet(vc);
	if (vc->ops)
		deliver(&vc->port[0]);
}

/* What the driver had sent is still the far end's, as far as it takes that at once. */
static void stop(struct virtio_device *dev)
{
	struct vconsole *vc = to_vconsole(dev);
	unsigned int i, n;

	vc->settled = false;
	for (i = 0; i < vc->nr_ports; i++) {
		struct vconsole_port *port = &vc->port[i];

		port->blocked = false;
		for (n = 0; n < LAST_TURNS && !dev->needs_reset && transmit(port); n++)
			;
		port->tx_taken = false;
		port->blocked = false;
		port->ready = false;
		port->guest_open = false;
		port->tell = 0;
	}
}

static void read_config(struct virtio_device *dev, u64 offset, u8 *data, unsigned int len)
{
	const struct vconsole *vc = to_vconsole(dev);
	struct config config = {
		.columns = vc->columns, .rows = vc->rows, .max_ports = vc->nr_ports,
	};

	memset(data, 0, len);
	if (offset < sizeof(config))
		memcpy(data, (u8 *)&config + offset, min_u64(len, sizeof(config) - offset));
}

/* Emergency write (section 5.3.4): a byte at any time, queues or not. */
static void write_config(struct virtio_device *dev, u64 offset, const u8 *data, unsigned int len)
{
	struct vconsole *vc = to_vconsole(dev);

	if (len && offset == offsetof(struct config, emergency) && vc->ops)
		vc->ops->transmit(vc->ctx, data, 1);
}

static const struct virtio_device_ops vconsole_ops = {
	.read_config = read_config,
	.write_config = write_config,
	.start = start,
	.stop = stop,
	.kick = kick,
};

static struct vconsole_port *add_port(struct vconsole *vc, const char *name)
{
	struct vconsole_port *port = &vc->port[vc->nr_ports];

	port->vc = vc;
	port->id = vc->nr_ports++;
	snprintf(port->name, sizeof(port->name), "%s", name);
	port->listen_fd = -1;
	port->listen_watch = -1;
	port->fd = -1;
	port->watch = -1;
	return port;
}

static const u16 sizes[VIRTIO_MAX_QUEUES] = {
	QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE,
	QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE,
	QUEUE_SIZE, QUEUE_SIZE,
};

_Static_assert(2 + 2 * VCONSOLE_MAX_PORTS <= VIRTIO_MAX_QUEUES, "queues for all ports");

int vconsole_init(struct vconsole *vc, struct loop *loop, const struct vconsole_ops *ops, void *ctx,
		  struct vm_error *err)
{
	memset(vc, 0, sizeof(*vc));
	vc->ops = ops;
	vc->ctx = ctx;
	vc->quiet_ms = VCONSOLE_QUIET_MS;
	vc->patience_ms = VCONSOLE_PATIENCE_MS;
	virtio_device_init(&vc->dev, "console", VIRTIO_ID_CONSOLE, &vconsole_ops,
			   F_SIZE | F_EMERG_WRITE, sizes, 2, loop);
	add_port(vc, "");
	vc->quiet_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	vc->quiet_watch = vc->quiet_fd < 0 ? -errno :
			  loop_watch(loop, vc->quiet_fd, EPOLLIN, on_quiet, vc);
	if (vc->quiet_watch >= 0)
		return 0;
	vm_fail(err, VM_STATUS_FAILURE, "are too many files open?",
		"cannot set up the virtio console: %s", strerror(-vc->quiet_watch));
	vconsole_destroy(vc);
	return -1;
}

void vconsole_init_channels(struct vconsole *vc, struct loop *loop)
{
	memset(vc, 0, sizeof(*vc));
	vc->quiet_fd = -1;
	vc->quiet_watch = -1;
	virtio_device_init(&vc->dev, "channels", VIRTIO_ID_CONSOLE, &vconsole_ops, F_MULTIPORT,
			   sizes, 4, loop);
	add_port(vc, "");
}

int vconsole_add_channel(struct vconsole *vc, const char *name, const char *path, bool to_file,
			 struct vm_error *err)
{
	struct vconsole_port *port;
	unsigned int i;

	if (vc->nr_ports == VCONSOLE_MAX_PORTS)
		return vm_fail(err, VM_STATUS_FAILURE, "leave some out, or use --vsock",
			       "a guest has %u channels at most", VCONSOLE_MAX_CHANNELS);
	for (i = 1; i < vc->nr_ports; i++)
		if (!strcmp(vc->port[i].name, name))
			return vm_fail(err, VM_STATUS_FAILURE, "give each a name of its own",
				       "two channels are named '%.64s'", name);
	port = add_port(vc, name);
	vc->dev.nr_queues += 2;
	i = rx_queue(port);
	vc->dev.queue[i].max_size = QUEUE_SIZE;
	vc->dev.queue[i + 1].max_size = QUEUE_SIZE;
	ring_reset(&vc->dev.queue[i]);
	ring_reset(&vc->dev.queue[i + 1]);
	return channel_open(port, path, to_file, err);
}

void vconsole_destroy(struct vconsole *vc)
{
	unsigned int i;

	for (i = 1; i < vc->nr_ports; i++)
		channel_close(&vc->port[i]);
	if (vc->quiet_watch >= 0)
		loop_unwatch(vc->dev.loop, vc->quiet_watch);
	if (vc->quiet_fd >= 0)
		close(vc->quiet_fd);
	virtio_device_destroy(&vc->dev);
}

/* ---- a console's ---- */

unsigned int vconsole_room(struct vconsole *vc)
{
	struct vconsole_port *port = &vc->port[0];
	unsigned int room = 0;

	pthread_mutex_lock(&vc->dev.lock);
	if (takes_input(port))
		room = VCONSOLE_IN_SIZE - port->in_count;
	port->starved = !room;
	pthread_mutex_unlock(&vc->dev.lock);
	return room;
}

void vconsole_receive(struct vconsole *vc, const u8 *data, unsigned int len)
{
	struct vconsole_port *port = &vc->port[0];
	unsigned int i;

	pthread_mutex_lock(&vc->dev.lock);
	for (i = 0; i < len && port->in_count < VCONSOLE_IN_SIZE; i++)
		port->in[(port->in_head + port->in_count++) % VCONSOLE_IN_SIZE] = data[i];
	deliver(port);
	pthread_mutex_unlock(&vc->dev.lock);
}

void vconsole_transmit_ready(struct vconsole *vc)
{
	struct vconsole_port *port = &vc->port[0];

	pthread_mutex_lock(&vc->dev.lock);
	/* Not served here: the caller is in the middle of its own turn. */
	if (port->blocked) {
		port->blocked = false;
		virtio_kick_again(&vc->dev, rx_queue(port) + 1);
	}
	pthread_mutex_unlock(&vc->dev.lock);
}

void vconsole_resize(struct vconsole *vc, unsigned int rows, unsigned int columns)
{
	pthread_mutex_lock(&vc->dev.lock);
	if (rows != vc->rows || columns != vc->columns) {
		vc->rows = min_u64(rows, UINT16_MAX);
		vc->columns = min_u64(columns, UINT16_MAX);
		virtio_config_changed(&vc->dev);
	}
	pthread_mutex_unlock(&vc->dev.lock);
}

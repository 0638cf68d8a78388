// SPDX-License-Identifier: GPL-2.0
/*
 * The network card's queues, between the driver and a backend, which carries frames
 * and knows nothing of rings. All runs in the card's own thread, but for its start and
 * stop and reads of its configuration.
 *
 * A frame for which the guest has no buffer stays with the backend, which then takes no
 * other: the network waits rather than this process' memory. One that lies in several
 * buffers is filled into them as they come and given to the driver at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "net.h"

enum { QUEUE_RX, QUEUE_TX, NR_QUEUES };

#define NET_F_MAC		BIT_ULL(5)
#define NET_F_HOST_TSO4		BIT_ULL(11)
#define NET_F_HOST_TSO6		BIT_ULL(12)
#define NET_F_MRG_RXBUF		BIT_ULL(15)
#define NET_F_STATUS		BIT_ULL(16)

#define STATUS_LINK_UP		1
#define TURN_FRAMES		256

/* Section 5.1.4; what belongs to features that are not offered is 0, or not there. */
struct config {
	u8 mac[6];
	u16 status;
	u16 max_pairs;
	u16 mtu;
} __packed;

static struct net *net_of(struct virtio_device *dev)
{
	return (struct net *)dev;
}

static void run_again(struct net *net)
{
	u64 one = 1;

	/* It can only fail when the counter is full: then the event is there. */
	if (write(net->again_fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- to the guest ---- */

static void forget_frame(struct net *net)
{
	net->nr_done = 0;
	net->filled = 0;
}

/*
 * Takes a buffer that the next part of a frame goes to: 1; there is none: 0; the driver is no
 * good: -1.
 */
static int take_buffer(struct net *net, struct ring_chain *chain)
{
	struct ring *ring = &net->dev.queue[QUEUE_RX];
	int ret;

	do
		ret = ring_pop(ring, chain);
	while (!ret && ring_enable_kicks(ring));
	if (ret < 0)
		virtio_needs_reset(&net->dev, "its receive ring is broken");
	if (ret <= 0)
		return ret;
	/* Section 5.1.6.3.1: the first has room for the header at least, and none is empty. */
	if (chain->in_len < (net->nr_done ? 1 : sizeof(struct net_header)) ||
	    net->nr_done == RING_MAX_SIZE) {
		virtio_needs_reset(&net->dev, "its receive buffers are too small");
		return -1;
	}
	return 1;
}

/* Fills @chain with what comes after net->filled bytes of header and frame. */
static void fill(struct net *net, const struct ring_chain *chain, const struct net_header *header,
		 const u8 *frame, size_t len)
{
	size_t total = sizeof(*header) + len, at = 0, n;

	if (!net->filled)
		at = ring_copy_to(chain, 0, header, sizeof(*header));
	n = min_u64(chain->in_len - at, total - net->filled - at);
	ring_copy_to(chain, at, frame + (net->filled + at - sizeof(*header)), n);
	net->done[net->nr_done++] = (struct ring_done){ chain->head, at + n };
	net->filled += at + n;
}

static void finish(struct net *net)
{
	const size_t at = offsetof(struct net_header, num_buffers);
	u16 nr = net->nr_done;

	ring_copy_to(&net->first, at, &nr, sizeof(nr));
	ring_push_all(&net->dev.queue[QUEUE_RX], net->done, net->nr_done);
	net->delivered = true;
	forget_frame(net);
}

static bool deliver(void *ctx, const struct net_header *header, const u8 *frame, size_t len)
{
	struct net *net = ctx;
	struct virtio_device *dev = &net->dev;
	struct ring_chain more;
	int ret;

	/* As with a cable that is not plugged in. */
	if (!dev->started || dev->needs_reset || !dev->queue[QUEUE_RX].started)
		return true;
	while (net->filled < sizeof(*header) + len) {
		struct ring_chain *chain = net->nr_done ? &more : &net->first;

		ret = take_buffer(net, chain);
		if (ret <= 0) {
			net->starved = !ret;
			return ret < 0;
		}
		if (!(dev->features & NET_F_MRG_RXBUF) && chain->in_len < sizeof(*header) + len) {
			/* It said that one buffer would do. */
			virtio_needs_reset(dev, "a frame does not fit in its receive buffer");
			return true;
		}
		fill(net, chain, header, frame, len);
	}
	finish(net);
	return true;
}

static void signal_delivered(struct net *net)
{
	if (net->delivered)
		virtio_signal(&net->dev, QUEUE_RX);
	net->delivered = false;
}

/* ---- from the guest ---- */

/* The longest frame that the driver may send. */
static size_t max_frame(const struct net *net)
{
	u64 features = net->dev.features;

	if (features & (NET_F_HOST_TSO4 | NET_F_HOST_TSO6))
		return NET_MAX_LARGE_FRAME;
	return features & NET_F_MTU ? (size_t)NET_FRAME_HEADER + net->backend->mtu : NET_MAX_FRAME;
}

static void send_frame(struct net *net, const struct ring_chain *chain)
{
	size_t len;

	if (chain->out_len < sizeof(struct net_header)) {
		virtio_needs_reset(&net->dev, "it sends less than a header");
		return;
	}
	len = chain->out_len - sizeof(struct net_header);
	/* No network carries these: they are lost, as on a wire. */
	if (len >= NET_FRAME_HEADER && len <= max_frame(net))
		net->backend->ops->send(net->backend, chain);
}

static void send_frames(struct net *net)
{
	struct ring *ring = &net->dev.queue[QUEUE_TX];
	struct ring_chain chain;
	unsigned int turn;
	int ret = 0;

	for (turn = 0; turn < TURN_FRAMES; turn++) {
		ret = net->dev.needs_reset ? 0 : ring_pop(ring, &chain);
		if (ret <= 0)
			break;
		send_frame(net, &chain);
		ring_push(ring, &chain, 0);
	}
	if (ret < 0)
		virtio_needs_reset(&net->dev, "its transmit ring is broken");
	if (turn == TURN_FRAMES)
		run_again(net);
	if (!turn)
		return;
	if (net->backend->ops->sent)
		net->backend->ops->sent(net->backend);
	virtio_signal(&net->dev, QUEUE_TX);
}

/* ---- the device ---- */

/* Sees to it that the backend goes on when there is room, and sleeps when there is none. */
static void resume(struct net *net)
{
	if (net->starved) {
		net->starved = false;
		net->backend->ops->resume(net->backend);
	}
	loop_change(&net->worker.loop, net->watch, net->starved ? 0 : EPOLLIN);
	signal_delivered(net);
}

static void on_backend(void *ctx, u32 events)
{
	struct net *net = ctx;

	(void)events;
	pthread_mutex_lock(&net->dev.lock);
	net->backend->ops->poll(net->backend);
	if (net->starved)
		loop_change(&net->worker.loop, net->watch, 0);
	signal_delivered(net);
	pthread_mutex_unlock(&net->dev.lock);
}

/* Called after a start too: what the backend holds is then for nobody, and it has to go on. */
static void on_again(void *ctx, u32 events)
{
	struct net *net = ctx;
	u64 count;

	(void)events;
	if (read(net->again_fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&net->dev.lock);
	if (net->dev.started && net->dev.queue[QUEUE_TX].started)
		send_frames(net);
	resume(net);
	pthread_mutex_unlock(&net->dev.lock);
}

static void read_config(struct virtio_device *dev, u64 offset, u8 *data, unsigned int len)
{
	struct config config = {
		.status = STATUS_LINK_UP, .mtu = net_of(dev)->backend->mtu,
	};
	unsigned int i;

	memcpy(config.mac, net_of(dev)->mac, sizeof(config.mac));
	for (i = 0; i < len; i++)
		data[i] = offset < sizeof(config) && offset + i < sizeof(config) ?
			  ((const u8 *)&config)[offset + i] : 0;
}

static void start(struct virtio_device *dev)
{
	struct net *net = net_of(dev);

	if (net->backend->ops->start)
		net->backend->ops->start(net->backend, dev->features);
	/* Kicks of the receive queue matter while a frame waits for a buffer only. */
	ring_disable_kicks(&dev->queue[QUEUE_RX]);
	run_again(net);
}

static void stop(struct virtio_device *dev)
{
	forget_frame(net_of(dev));
	/* The thread then offers what is held to nobody, which is to say that it is dropped. */
	run_again(net_of(dev));
}

static void kick(struct virtio_device *dev, unsigned int queue)
{
	struct net *net = net_of(dev);

	if (queue == QUEUE_RX) {
		ring_disable_kicks(&dev->queue[QUEUE_RX]);
		resume(net);
	} else if (queue == QUEUE_TX) {
		send_frames(net);
		signal_delivered(net);
	}
}

static const struct virtio_device_ops net_ops = {
	.read_config = read_config,
	.start = start,
	.stop = stop,
	.kick = kick,
};

/* A guest behind slirp is alone in its network; one at a tap may have others beside it. */
static void make_mac(struct net *net, enum net_kind kind)
{
	static const u8 alone[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

	memcpy(net->mac, alone, sizeof(alone));
	if (kind == NET_TAP && getrandom(net->mac + 3, 3, GRND_NONBLOCK) < 0)
		net->mac[5] = getpid();
}

static int init(struct net *net, const char *name, struct vm_error *err)
{
	static const u16 sizes[NR_QUEUES] = { 256, 256 };
	struct loop *loop = &net->worker.loop;

	net->again_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	net->watch = net->again_fd < 0 ? -1 : loop_watch(loop, net->backend->fd, EPOLLIN,
							 on_backend, net);
	if (net->watch < 0 || loop_watch(loop, net->again_fd, EPOLLIN, on_again, net) < 0) {
		if (net->again_fd >= 0)
			close(net->again_fd);
		return vm_fail(err, VM_STATUS_FAILURE, "are too many files open?",
			       "cannot set up %s: %s", name, strerror(errno));
	}
	net->backend->deliver = deliver;
	net->backend->ctx = net;
	virtio_device_init(&net->dev, name, VIRTIO_ID_NET, &net_ops,
			   NET_F_MAC | NET_F_MRG_RXBUF | NET_F_STATUS | net->backend->features,
			   sizes, NR_QUEUES, loop);
	return 0;
}

struct net *net_create(const char *name, const struct net_options *options, struct vm_error *err)
{
	struct net *net = calloc(1, sizeof(*net));

	if (!net) {
		vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
		return NULL;
	}
	make_mac(net, options->kind);
	if (worker_create(&net->worker, name, err))
		goto free_net;
	net->backend = options->kind == NET_TAP ? tap_open(options->tap, err) :
						  slirp_open(options, err);
	if (!net->backend)
		goto destroy_worker;
	if (init(net, name, err))
		goto close_backend;
	return net;

close_backend:
	net->backend->ops->close(net->backend);
destroy_worker:
	worker_destroy(&net->worker);
free_net:
	free(net);
	return NULL;
}

int net_run(struct net *net, const struct sandbox *sandbox, struct vm_error *err)
{
	return worker_start(&net->worker, sandbox, SANDBOX_NET, err);
}

void net_stop(struct net *net)
{
	worker_stop(&net->worker);
}

void net_destroy(struct net *net)
{
	worker_destroy(&net->worker);
	net->backend->ops->close(net->backend);
	close(net->again_fd);
	virtio_device_destroy(&net->dev);
	free(net);
}

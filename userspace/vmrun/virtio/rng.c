// SPDX-License-Identifier: GPL-2.0
/*
 * The entropy device: one queue, requests with nothing but buffers to fill. Called by
 * machine.c.
 */
#include <sys/random.h>

#include "rng.h"

#define QUEUE_SIZE	8
#define MAX_BYTES	KIB(4)	/* of one request: the guest may get less than it asked for */
#define MAX_AT_ONCE	32	/* requests, before the loop looks at others */

/* Returns how many bytes of @chain were filled. */
static u32 fill(const struct ring_chain *chain)
{
	const struct iovec *in = chain->iov + chain->nr_out;
	unsigned int i;
	u32 done = 0;

	for (i = 0; i < chain->nr_in && done < MAX_BYTES; i++) {
		size_t len = min_u64(in[i].iov_len, MAX_BYTES - done);
		ssize_t n = getrandom(in[i].iov_base, len, GRND_NONBLOCK);

		/* The host's pool is full long before there are virtual machines. */
		if (n <= 0)
			break;
		done += n;
		if ((size_t)n < len)
			break;
	}
	return done;
}

static void rng_kick(struct virtio_device *dev, unsigned int queue)
{
	struct ring *ring = &dev->queue[queue];
	struct ring_chain chain;
	unsigned int n;
	int ret = 1;

	for (n = 0; n < MAX_AT_ONCE; n++) {
		ret = ring_pop(ring, &chain);
		if (ret <= 0)
			break;
		ring_push(ring, &chain, fill(&chain));
	}
	virtio_signal(dev, queue);
	if (ret < 0)
		virtio_needs_reset(dev, "a queue is broken");
	else if (ret > 0)
		virtio_kick_again(dev, queue);
}

static const struct virtio_device_ops rng_ops = {
	.kick = rng_kick,
};

int rng_create(struct rng *rng, struct pci *pci, struct irq *irq, struct loop *loop,
	       struct vm_error *err)
{
	static const u16 sizes[] = { QUEUE_SIZE };

	virtio_device_init(&rng->dev, "rng", VIRTIO_ID_ENTROPY, &rng_ops, 0, sizes,
			   ARRAY_SIZE(sizes), loop);
	rng->vpci = virtio_pci_add(pci, irq, &rng->dev, err);
	if (rng->vpci)
		return 0;
	virtio_device_destroy(&rng->dev);
	return -1;
}

void rng_destroy(struct rng *rng)
{
	virtio_pci_remove(rng->vpci);
	virtio_device_destroy(&rng->dev);
}

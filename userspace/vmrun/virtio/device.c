// SPDX-License-Identifier: GPL-2.0
/*
 * What all virtio devices do alike once they run: interrupt the driver, tell it of a
 * changed configuration, and stop listening to one that broke a rule. The life of a device
 * (negotiation, start, reset) is pci.c's. Called by the devices.
 */
#include <string.h>

#include "device.h"

#define MAX_TOLD	8	/* a guest can reset and break its device for ever */

void virtio_device_init(struct virtio_device *dev, const char *name, enum virtio_id id,
			const struct virtio_device_ops *ops, u64 features,
			const u16 *sizes, unsigned int nr_queues, struct loop *loop)
{
	unsigned int i;

	memset(dev, 0, sizeof(*dev));
	dev->name = name;
	dev->id = id;
	dev->ops = ops;
	dev->offered = features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC |
		       VIRTIO_F_EVENT_IDX;
	dev->nr_queues = nr_queues;
	dev->loop = loop;
	pthread_mutex_init(&dev->lock, NULL);
	for (i = 0; i < nr_queues; i++) {
		dev->queue[i].max_size = sizes[i];
		ring_reset(&dev->queue[i]);
	}
}

void virtio_device_destroy(struct virtio_device *dev)
{
	pthread_mutex_destroy(&dev->lock);
}

void virtio_signal(struct virtio_device *dev, unsigned int queue)
{
	if (dev->started && ring_wants_interrupt(&dev->queue[queue]))
		dev->transport.interrupt(dev->transport.ctx, queue);
}

void virtio_kick_again(struct virtio_device *dev, unsigned int queue)
{
	if (dev->started)
		dev->transport.kick(dev->transport.ctx, queue);
}

void virtio_config_changed(struct virtio_device *dev)
{
	if (dev->started)
		dev->transport.config_changed(dev->transport.ctx);
}

void virtio_stopped(struct virtio_device *dev)
{
	dev->busy = false;
	dev->transport.stopped(dev->transport.ctx);
}

void virtio_needs_reset(struct virtio_device *dev, const char *why)
{
	if (!dev->started || dev->needs_reset)
		return;
	dev->needs_reset = true;
	if (dev->nr_told++ < MAX_TOLD)
		log_note("%s stands still until the guest resets it: %s", dev->name, why);
	/* Section 2.1.2: a driver that is ready is told. */
	dev->transport.config_changed(dev->transport.ctx);
}

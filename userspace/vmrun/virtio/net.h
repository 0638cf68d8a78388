/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A network card (virtio specification 1.2, section 5.1) with one pair of queues, in
 * a thread of its own. With user networking the guest is 10.0.2.15/24, by DHCP or set
 * by hand; its gateway is 10.0.2.2 and its name server 10.0.2.3.
 */
#ifndef VMRUN_VIRTIO_NET_H
#define VMRUN_VIRTIO_NET_H

#include "../net/backend.h"
#include "../worker.h"
#include "device.h"

struct net {
	struct virtio_device dev;

	/* const */
	struct worker worker;	/* its loop is dev.loop */
	struct net_backend *backend;
	int again_fd;		/* written when the thread has to look at all again */
	u8 mac[6];

	/* of the thread */
	int watch;		/* of the backend */

	/* under dev.lock */
	bool starved;		/* the backend waits for resume() */
	bool delivered;		/* since the driver was last interrupted */
	/* The frame that is being delivered: buffers filled, not given back yet. */
	struct ring_chain first;
	struct ring_done done[RING_MAX_SIZE];
	unsigned int nr_done;
	size_t filled;		/* bytes, the header included */
};

/*
 * Makes the device with the network of @options (not NET_NONE), to be added by
 * virtio_pci_add(). NULL with @err filled in.
 */
struct net *net_create(const char *name, const struct net_options *options, struct vm_error *err);

/* Starts its thread in @sandbox, after virtio_pci_add(). 0, or -1 with @err filled in. */
int net_run(struct net *net, const struct sandbox *sandbox, struct vm_error *err);

/* Ends the thread; before virtio_pci_remove(), which then watches nothing in a loop that runs. */
void net_stop(struct net *net);
void net_destroy(struct net *net);

#endif

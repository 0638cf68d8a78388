/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a network device's frames go: what virtio/net.c needs of slirp.c and tap.c,
 * and what those call of it. All is called in the device's worker thread, or before it
 * starts and after it has ended, with the device's lock held.
 */
#ifndef VMRUN_NET_BACKEND_H
#define VMRUN_NET_BACKEND_H

#include "../virtio/ring.h"
#include "options.h"

/* What comes before each frame in both directions, section 5.1.6, as VERSION_1 has it. */
struct net_header {
	u8 flags, gso_type;
	u16 hdr_len, gso_size, csum_start, csum_offset;
	u16 num_buffers;
} __packed;

/* An Ethernet frame without its checksum, with a VLAN's tag; one that is to be cut into many. */
#define NET_MAX_FRAME		1518
#define NET_MAX_LARGE_FRAME	(65535 + 18)
/* What comes before an IP packet in a frame. */
#define NET_FRAME_HEADER	14

/* "The device tells how large a packet may be", section 5.1.3. */
#define NET_F_MTU		BIT_ULL(3)

struct net_backend;

struct net_backend_ops {
	/* The driver agreed on @features. In any thread. May be NULL. */
	void (*start)(struct net_backend *backend, u64 features);
	/* Takes the frame behind the header in @chain's out buffers, or drops it. */
	void (*send)(struct net_backend *backend, const struct ring_chain *chain);
	/* That was the last send() of a batch. May be NULL. */
	void (*sent)(struct net_backend *backend);
	/* backend->fd is readable: calls deliver(), for a bounded number of frames. */
	void (*poll)(struct net_backend *backend);
	/* deliver() has said false, and now there are buffers. */
	void (*resume)(struct net_backend *backend);
	void (*close)(struct net_backend *backend);
};

/*
 * Gives the guest a frame, @header's num_buffers aside. False: it has no buffer for
 * it; the same frame must be offered again, after resume(), before any other.
 */
typedef bool net_deliver_fn(void *ctx, const struct net_header *header, const u8 *frame,
			    size_t len);

struct net_backend {
	const struct net_backend_ops *ops;
	int fd;			/* may be an epoll's */
	u64 features;		/* of the device, that this backend can do */
	u16 mtu;		/* of a driver that takes NET_F_MTU, when that is among them */
	net_deliver_fn *deliver;
	void *ctx;
};

/* Both return NULL with @err filled in when they cannot. */
struct net_backend *slirp_open(const struct net_options *options, struct vm_error *err);
struct net_backend *tap_open(const char *name, struct vm_error *err);

#endif

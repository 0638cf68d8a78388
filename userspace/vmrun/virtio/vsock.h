/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sockets between host and guest (virtio specification 1.2, section 5.10): stream
 * connections between a port of the guest and one of the host, CID 2. A host port
 * belongs to a part of vmrun, by vsock_listen(), or to whoever listens on a Unix
 * socket outside, by vsock_listen_unix().
 */
#ifndef VMRUN_VIRTIO_VSOCK_H
#define VMRUN_VIRTIO_VSOCK_H

#include "device.h"

#define VSOCK_HOST_CID		2
#define VSOCK_GUEST_CID		3	/* the first that is nobody's by name */

#define VSOCK_MAX_CONNS		128
#define VSOCK_MAX_LISTENERS	4
#define VSOCK_MAX_RSTS		64

/*
 * The guest connected to a port: @fd is one end of a stream socket pair, not
 * blocking, closed on exec, and now the callee's. @guest_port is the guest's own.
 * Called in the loop's thread with the device's lock held: call nothing of this header.
 */
typedef void vsock_accept_fn(void *ctx, int fd, u32 guest_port);

/* The same for vsock_connect(); @fd is -1 when nobody listens in the guest, or it was reset. */
typedef void vsock_connected_fn(void *ctx, int fd);

struct vsock_conn;

struct vsock_listener {
	u32 port;
	vsock_accept_fn *fn;
	void *ctx;
};

/* A RST for a packet that belongs to no connection. */
struct vsock_rst {
	u64 src_cid;
	u32 src_port, dst_port;
	u16 type;
};

struct vsock {
	struct virtio_device dev;

	/* const */
	u64 guest_cid;
	int epoll_fd;		/* again_fd and connections, itself watched by dev.loop */
	int watch;		/* its watch there */
	int again_fd;		/* written when a turn ended by its budget */
	int unix_fd;		/* -1: no sockets outside; watched by dev.loop */
	int unix_watch;
	char unix_path[96];	/* leaves room for "_PORT" in a sockaddr_un */

	/* under dev.lock */
	struct vsock_listener listener[VSOCK_MAX_LISTENERS];
	unsigned int nr_listeners;
	struct vsock_conn *conn[VSOCK_MAX_CONNS];
	unsigned int nr_slots;	/* of conn[], used once */
	u64 ready[VSOCK_MAX_CONNS / 64];	/* have something for the guest */
	unsigned int turn;	/* the slot that was served last */
	u32 generation;		/* tells events of a slot's former connection */
	u32 next_port;		/* for connections from the host */
	struct vsock_rst rst[VSOCK_MAX_RSTS];
	unsigned int rst_head, rst_count;
	struct ring_chain rx;	/* taken from the ring and not filled yet */
	bool rx_taken;
	bool sweep;		/* stop() has left connections to be freed */
};

/*
 * Makes the device, to be added by virtio_pci_add(). @loop is that of the thread
 * which serves it. 0, or -1 with @err filled in.
 */
int vsock_init(struct vsock *vsock, const char *name, struct loop *loop, u32 guest_cid,
	       struct vm_error *err);

/*
 * Closes all, after a bounded time for those who still read; the device is stopped, and its
 * loop's thread is here or has ended. No callback comes.
 */
void vsock_destroy(struct vsock *vsock);

/*
 * Gives guests' connections to host port @port to @fn. 0, or -1 when the table is
 * full or the port taken. Any thread.
 */
int vsock_listen(struct vsock *vsock, u32 port, vsock_accept_fn *fn, void *ctx);

/*
 * Connects to the guest's @port, waiting for a driver that has not started yet;
 * @fn is called once, unless the machine ends first. 0, or -1 when there are too
 * many connections or descriptors: then it is not called. Any thread.
 */
int vsock_connect(struct vsock *vsock, u32 port, vsock_connected_fn *fn, void *ctx);

/*
 * Sockets for other processes, as Firecracker has them: who connects to the Unix
 * socket @path and writes "CONNECT <port>\n" gets "OK <host's port>\n" and is
 * connected to the guest's port; a guest's connection to host port N that nobody in
 * vmrun listens to goes to the Unix socket "@path_N". 0, or -1 with @err filled in.
 * Call it once, before the guest runs.
 */
int vsock_listen_unix(struct vsock *vsock, const char *path, struct vm_error *err);

#endif

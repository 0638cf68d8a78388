/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio console (virtio specification 1.2, section 5.3), in one of two kinds: a console, whose
 * one port is the guest's hvc0; or channels, ports with names, each joined with a Unix socket
 * of the host or written to a file. One machine may have a device of each kind.
 *
 * They are apart since Linux and the specification disagree about the order of rows and
 * columns in the message that resizes a console among ports, while all agree about a
 * device's configuration, which serves a console of its own.
 *
 * All runs in the thread of dev.loop, but for start, stop and the emergency write.
 */
#ifndef VMRUN_VIRTIO_CONSOLE_H
#define VMRUN_VIRTIO_CONSOLE_H

#include <sys/un.h>

#include "device.h"

#define VCONSOLE_MAX_CHANNELS	6	/* two queues each, VIRTIO_MAX_QUEUES in all */
#define VCONSOLE_MAX_PORTS	(1 + VCONSOLE_MAX_CHANNELS)
#define VCONSOLE_IN_SIZE	4096
/*
 * Linux forgets input that comes while its driver starts, and nothing tells when that has
 * ended: so a console's input waits until the driver has been quiet for so long. But not for
 * ever: a guest that never stops talking gets its Ctrl-C too.
 */
#define VCONSOLE_QUIET_MS	200
#define VCONSOLE_PATIENCE_MS	10000

/* The far end of a console. Called with the device's lock held, from any thread. */
struct vconsole_ops {
	/* Takes bytes, and returns how many: fewer than @len mean that it is full, and
	 * vconsole_transmit_ready() follows. */
	unsigned int (*transmit)(void *ctx, const u8 *data, unsigned int len);
	/* The guest has made room (vconsole_room() is not 0 any more). */
	void (*receive_ready)(void *ctx);
};

/* What the guest is still to be told of a port, in this order. */
enum {
	VCONSOLE_TELL_ADD	= BIT(0),
	VCONSOLE_TELL_NAME	= BIT(1),
	VCONSOLE_TELL_CLOSED	= BIT(2),
	VCONSOLE_TELL_OPEN	= BIT(3),
};

struct vconsole;

/* All but the names of things: the device's lock. */
struct vconsole_port {
	struct vconsole *vc;
	unsigned int id;
	char name[64];		/* "": no channel */

	bool ready;		/* the driver knows it */
	bool guest_open;	/* somebody in the guest has it open */
	unsigned int tell;
	struct ring_chain tx;	/* what the guest sends and the far end has not taken yet */
	size_t tx_done;
	bool tx_taken;
	bool blocked;		/* the far end is full */
	bool starved;		/* the far end found no room and waits */
	u8 in[VCONSOLE_IN_SIZE];
	unsigned int in_head, in_count;

	/* console_channel.c's; descriptors and watches are -1 where there are none. */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int listen_fd, listen_watch;
	int fd, watch;		/* who is connected, or the file */
	bool is_file;
	bool ended;		/* it has nothing more to say */
	bool failed;		/* a write to the file failed, which was told */
};

struct vconsole {
	struct virtio_device dev;	/* its lock: all that is not const */
	const struct vconsole_ops *ops;	/* const; NULL: channels */
	void *ctx;
	int quiet_fd, quiet_watch;	/* of a console: a timer; const */
	unsigned int quiet_ms;		/* const; 0: input waits for nothing (unit tests) */
	unsigned int patience_ms;	/* const */
	u64 patient_until_ms;		/* of CLOCK_MONOTONIC */
	bool settled;			/* it has been quiet */
	u16 rows, columns;
	struct vconsole_port port[VCONSOLE_MAX_PORTS];
	unsigned int nr_ports;		/* const once it is on the bus; without ops, port 0 is nobody's */
};

/* A console, its size unknown. Returns 0, or -1 with @err filled in. */
int vconsole_init(struct vconsole *vc, struct loop *loop, const struct vconsole_ops *ops, void *ctx,
		  struct vm_error *err);

/* Without channels so far. */
void vconsole_init_channels(struct vconsole *vc, struct loop *loop);

/*
 * Adds a channel, before the device is on the bus: @name is what the guest finds it
 * by, @path a Unix socket to be made, or where @to_file is set a file that takes what the
 * guest says. Returns 0, or -1 with @err filled in.
 */
int vconsole_add_channel(struct vconsole *vc, const char *name, const char *path, bool to_file,
			 struct vm_error *err);

/* Closes and removes its sockets. Once neither the vCPUs nor the loop run. */
void vconsole_destroy(struct vconsole *vc);

/* The calls below are a console's. Each takes the device's lock; in the thread of the loop. */

/* How many bytes of input the guest takes now. When 0, receive_ready() follows later. */
unsigned int vconsole_room(struct vconsole *vc);

/* Hands over @len bytes, at most what vconsole_room() said. */
void vconsole_receive(struct vconsole *vc, const u8 *data, unsigned int len);

/* The far end, which was full, has room again. */
void vconsole_transmit_ready(struct vconsole *vc);

/* The terminal's size has changed. */
void vconsole_resize(struct vconsole *vc, unsigned int rows, unsigned int columns);

/* ---- between console.c and console_channel.c; with the device's lock held ---- */

/* Writes what the guest says to the far end: how many bytes it took, fewer when it is full. */
unsigned int channel_write(struct vconsole_port *port, const u8 *data, unsigned int len);

/* Waits for what there is to wait for now. In the thread of the loop. */
void channel_update(struct vconsole_port *port);

/* True while somebody is there for the guest's bytes. */
static inline bool channel_is_open(const struct vconsole_port *port)
{
	return port->fd >= 0;
}

/* Input has come, or there is room for output: moves what can be moved. */
void vconsole_serve(struct vconsole_port *port);

/* Somebody has come to a channel, or has left it. */
void vconsole_tell_open(struct vconsole_port *port, bool open);

int channel_open(struct vconsole_port *port, const char *path, bool to_file, struct vm_error *err);
void channel_close(struct vconsole_port *port);

#endif

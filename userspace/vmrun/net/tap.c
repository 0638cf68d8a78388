// SPDX-License-Identifier: GPL-2.0
/*
 * Frames over a tap interface (Linux' Documentation/networking/tuntap.rst). The kernel
 * takes and gives the header before a frame in the guest's form, so checksums and large
 * frames go through as they are. Who may use the interface was decided by who made it.
 * Called by virtio/net.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backend.h"

#define TURN_FRAMES	64

/* Features of the device, section 5.1.3, and what the kernel calls the receiving ones. */
#define F_CSUM		BIT_ULL(0)
#define F_HOST_TSO4	BIT_ULL(11)
#define F_HOST_TSO6	BIT_ULL(12)
static const struct { u64 feature; unsigned int offload; } receiving[] = {
	{ BIT_ULL(1), TUN_F_CSUM }, { BIT_ULL(7), TUN_F_TSO4 }, { BIT_ULL(8), TUN_F_TSO6 },
};

struct tap {
	struct net_backend backend;
	/* Read and not taken by the guest yet: bytes, the header included. */
	size_t held;
	u8 buffer[sizeof(struct net_header) + NET_MAX_LARGE_FRAME];
};

static void tap_start(struct net_backend *backend, u64 features)
{
	unsigned int i, offload = 0;

	for (i = 0; i < ARRAY_SIZE(receiving); i++)
		if (features & receiving[i].feature)
			offload |= receiving[i].offload;
	/* It was tried when the interface was opened; a cut in what was tried cannot fail. */
	if (ioctl(backend->fd, TUNSETOFFLOAD, offload))
		log_note("the tap interface does not take its offloads: %s", strerror(errno));
}

/* The kernel reads the guest's memory once and checks the header itself. */
static void tap_send(struct net_backend *backend, const struct ring_chain *chain)
{
	/* An interface that is down, or a queue that is full, loses frames as a wire does. */
	if (writev(backend->fd, chain->iov, chain->nr_out) < 0)
		return;
}

/* False when the guest has no room for what is held. */
static bool give_held(struct tap *tap)
{
	const size_t header = sizeof(struct net_header);

	if (tap->held && !tap->backend.deliver(tap->backend.ctx,
					       (const struct net_header *)tap->buffer,
					       tap->buffer + header, tap->held - header))
		return false;
	tap->held = 0;
	return true;
}

static void tap_poll(struct net_backend *backend)
{
	struct tap *tap = (struct tap *)backend;
	unsigned int turn;
	ssize_t n;

	for (turn = 0; turn < TURN_FRAMES && give_held(tap); turn++) {
		n = read(backend->fd, tap->buffer, sizeof(tap->buffer));
		if (n <= (ssize_t)sizeof(struct net_header))
			return;
		tap->held = n;
	}
	give_held(tap);
}

static void tap_close(struct net_backend *backend)
{
	close(backend->fd);
	free(backend);
}

static const struct net_backend_ops tap_ops = {
	.start = tap_start,
	.send = tap_send,
	.poll = tap_poll,
	.resume = tap_poll,
	.close = tap_close,
};

static const char *hint_for(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
		return "load the kernel's module tun: modprobe tun";
	case EPERM:
	case EACCES:
		return "let root make it for you: ip tuntap add dev NAME mode tap user YOU; ip link set NAME up";
	case EBUSY:
		return "another machine uses it; name another interface";
	default:
		return "name a tap interface, as made by: ip tuntap add dev NAME mode tap";
	}
}

/* What the device can offer with this interface. */
static u64 find_features(int fd)
{
	unsigned int i, all = 0;
	u64 features = F_CSUM | F_HOST_TSO4 | F_HOST_TSO6;

	for (i = 0; i < ARRAY_SIZE(receiving); i++) {
		all |= receiving[i].offload;
		features |= receiving[i].feature;
	}
	return ioctl(fd, TUNSETOFFLOAD, all) ? 0 : features;
}

struct net_backend *tap_open(const char *name, struct vm_error *err)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd, size = sizeof(struct net_header);
	struct tap *tap;

	/* Its length was checked when it was read from the command line. */
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETVNETHDRSZ, &size)) {
		vm_fail(err, VM_STATUS_FAILURE, hint_for(errno),
			"cannot use the tap interface '%s': %s", name, strerror(errno));
		goto failed;
	}
	tap = calloc(1, sizeof(*tap));
	if (!tap) {
		vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
		goto failed;
	}
	tap->backend = (struct net_backend){
		.ops = &tap_ops, .fd = fd, .features = find_features(fd),
	};
	return &tap->backend;

failed:
	if (fd >= 0)
		close(fd);
	return NULL;
}

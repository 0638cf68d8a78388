/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A split virtqueue as the device sees it, after the virtio specification 1.2,
 * section 2.7. All that lies in guest memory is the guest's claim: each value is
 * read once, checked, then used. A ring that breaks a rule is broken until the
 * device is reset: it gives no more chains, and the device asks for a reset.
 */
#ifndef VMRUN_VIRTIO_RING_H
#define VMRUN_VIRTIO_RING_H

#include <sys/uio.h>

#include "../memory.h"
#include "../types.h"

#define RING_MAX_SIZE	256
/* Of one chain; what a driver of ours never passes and a hostile one may not. */
#define RING_MAX_IOV	(RING_MAX_SIZE + 2)

struct ring {
	const struct memory *mem;
	u16 max_size;		/* what the device offers; a power of two */

	/* As the driver set them up, before ring_start(). */
	u16 size;
	u64 desc, avail, used;	/* guest-physical */

	/* Checked by ring_start(): host addresses of the three parts. */
	void *desc_table, *avail_ring, *used_ring;
	bool event_idx;		/* VIRTIO_F_EVENT_IDX was negotiated */
	u16 next_avail;		/* the next entry of avail to look at */
	u16 next_used;		/* the next entry of used to fill */
	u32 unsignalled;	/* how many were pushed since the driver was last thought of */
	bool kicks_off;		/* ring_disable_kicks() */
	bool started;
	bool broken;
};

/*
 * One request: buffers that the device reads (out), then those that it fills
 * (in). iov[0 .. nr_out) are out, the nr_in after them in; each lies in guest RAM.
 */
struct ring_chain {
	u16 head;
	unsigned int nr_out, nr_in;
	size_t out_len, in_len;	/* bytes in all */
	struct iovec iov[RING_MAX_IOV];
};

/*
 * A ring is not locked: its device's lock is held around every call below.
 *
 * Takes the three addresses and the size as the driver wrote them. Returns 0, or
 * -1 when one is not in RAM, not aligned or the size no power of two up to max_size.
 */
int ring_start(struct ring *ring, bool event_idx);

/* Forgets all but mem and max_size, which size is again, as the driver meets it. */
void ring_reset(struct ring *ring);

/* The next request in @chain: 1; none there: 0; the ring is broken: -1. */
int ring_pop(struct ring *ring, struct ring_chain *chain);

/* Gives @chain back, @written bytes of its in buffers filled from their start. In any order. */
void ring_push(struct ring *ring, const struct ring_chain *chain, u32 written);

/* A chain to be given back, by its head. */
struct ring_done {
	u16 head;
	u32 written;
};

/* Gives back several, which the driver sees all at once: what lies in more than one belongs together. */
void ring_push_all(struct ring *ring, const struct ring_done *done, unsigned int nr);

/*
 * True when the driver wants an interrupt for what was pushed since the last
 * true. Call once after a batch of ring_push().
 */
bool ring_wants_interrupt(struct ring *ring);

/*
 * Says whether the driver is to kick for new requests. Switching on returns true
 * when one has come meanwhile: look again. A ring starts with kicks on, and a device
 * that takes all there is until ring_pop() gives 0 need not call either.
 */
void ring_disable_kicks(struct ring *ring);
bool ring_enable_kicks(struct ring *ring);

/*
 * Copies between a flat buffer and the out (from) or in (to) buffers of @chain,
 * @offset bytes in. Return the bytes copied: fewer than @len where the chain ends.
 */
size_t ring_copy_from(const struct ring_chain *chain, size_t offset, void *buf, size_t len);
size_t ring_copy_to(const struct ring_chain *chain, size_t offset, const void *buf, size_t len);

#endif

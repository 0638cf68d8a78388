// SPDX-License-Identifier: GPL-2.0
/*
 * Split virtqueues: chains out of the driver's memory, used buffers into it. What a
 * request means is the devices' business; where the ring's addresses come from is pci.c's.
 * Called by devices with their lock held. Pure: the unit tests and a fuzzer play the driver.
 */
#include <string.h>

#include "ring.h"

#define DESC_NEXT	1
#define DESC_WRITE	2	/* the device fills it */
#define DESC_INDIRECT	4

#define AVAIL_NO_INTERRUPT	1
#define USED_NO_NOTIFY		1

/* Section 2.7.5 to 2.7.8; all little endian, as this CPU is. */
struct desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

struct avail {
	u16 flags;
	u16 idx;
	u16 ring[];	/* and behind the last: used_event */
};

struct used_elem {
	u32 id;
	u32 len;
};

struct used {
	u16 flags;
	u16 idx;
	struct used_elem ring[];	/* and behind the last: avail_event */
};

_Static_assert(sizeof(struct desc) == 16 && sizeof(struct used_elem) == 8, "layout");

/*
 * The driver's CPUs write while we read: every access to what both sides share is one
 * load or store that the compiler neither splits nor repeats.
 */
#define load(p)			__atomic_load_n(p, __ATOMIC_RELAXED)
#define load_acquire(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v)		__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
/* Orders a store before a load of something else, as both sides need around "sleep or look again?". */
#define full_barrier()		__atomic_thread_fence(__ATOMIC_SEQ_CST)

int ring_start(struct ring *ring, bool event_idx)
{
	u32 size = ring->size;

	if (!size || size > ring->max_size || (size & (size - 1)))
		return -1;
	if (ring->desc % 16 || ring->avail % 2 || ring->used % 4)
		return -1;
	/* Two bytes for the event index, which are there whether it is used or not. */
	ring->desc_table = guest_buf(ring->mem, ring->desc, size * sizeof(struct desc));
	ring->avail_ring = guest_buf(ring->mem, ring->avail, sizeof(struct avail) + size * 2 + 2);
	ring->used_ring = guest_buf(ring->mem, ring->used, sizeof(struct used) +
				    size * sizeof(struct used_elem) + 2);
	if (!ring->desc_table || !ring->avail_ring || !ring->used_ring)
		return -1;
	ring->event_idx = event_idx;
	ring->next_avail = 0;
	ring->next_used = 0;
	ring->unsignalled = 0;
	ring->kicks_off = false;
	ring->broken = false;
	ring->started = true;
	return 0;
}

void ring_reset(struct ring *ring)
{
	*ring = (struct ring){
		.mem = ring->mem, .max_size = ring->max_size, .size = ring->max_size,
	};
}

static u16 *used_event(const struct ring *ring)
{
	return &((struct avail *)ring->avail_ring)->ring[ring->size];
}

static u16 *avail_event(const struct ring *ring)
{
	return (u16 *)&((struct used *)ring->used_ring)->ring[ring->size];
}

static int broken(struct ring *ring)
{
	ring->broken = true;
	return -1;
}

/*
 * How many chains wait: what the driver says, when it can be true. The acquire orders what
 * the driver wrote before the index before what is read of it here.
 */
static int nr_waiting(struct ring *ring)
{
	struct avail *avail = ring->avail_ring;
	u16 n = load_acquire(&avail->idx) - ring->next_avail;

	return n > ring->size ? broken(ring) : n;
}

/* Nothing was there. With event indices the driver has to be told again when to kick. */
static int look_again(struct ring *ring)
{
	if (!ring->event_idx || ring->kicks_off)
		return 0;
	store(avail_event(ring), ring->next_avail);
	full_barrier();
	return nr_waiting(ring);
}

/* A copy that stays as it is; an indirect table may lie at an odd address. */
static struct desc read_desc(const u8 *table, u32 index)
{
	struct desc desc;

	memcpy(&desc, table + index * sizeof(desc), sizeof(desc));
	/* The compiler must not go back to the guest's. */
	__asm__ volatile("" : "+m"(desc) : : "memory");
	return desc;
}

/* Adds a buffer to @chain; -1 when it may not be there. */
static int add_buffer(const struct ring *ring, struct ring_chain *chain, const struct desc *desc)
{
	bool in = desc->flags & DESC_WRITE;
	void *buf;

	/* What the device reads comes first. */
	if (!in && chain->nr_in)
		return -1;
	/* The lengths are told by 32 bits. */
	if (chain->out_len + chain->in_len + desc->len > UINT32_MAX)
		return -1;
	if (!desc->len)
		return 0;
	buf = guest_buf(ring->mem, desc->addr, desc->len);
	if (!buf || chain->nr_out + chain->nr_in == RING_MAX_IOV)
		return -1;
	chain->iov[chain->nr_out + chain->nr_in] = (struct iovec){ buf, desc->len };
	if (in) {
		chain->nr_in++;
		chain->in_len += desc->len;
	} else {
		chain->nr_out++;
		chain->out_len += desc->len;
	}
	return 0;
}

static int walk(const struct ring *ring, struct ring_chain *chain)
{
	const u8 *table = ring->desc_table;
	u32 entries = ring->size, index = chain->head, n;
	bool indirect = false;
	struct desc desc;

	/* A circle ends here too. */
	for (n = 0; n <= RING_MAX_IOV; n++) {
		if (index >= entries)
			return -1;
		desc = read_desc(table, index);
		if (!(desc.flags & DESC_INDIRECT)) {
			if (add_buffer(ring, chain, &desc))
				return -1;
			if (!(desc.flags & DESC_NEXT))
				return 0;
			index = desc.next;
			continue;
		}
		/* The last of the ring's own, and the only one: the rest is in a table of its own. */
		if (indirect || (desc.flags & DESC_NEXT) || !desc.len || desc.len % sizeof(desc))
			return -1;
		indirect = true;
		table = guest_buf(ring->mem, desc.addr, desc.len);
		if (!table)
			return -1;
		entries = desc.len / sizeof(desc);
		index = 0;
	}
	return -1;
}

int ring_pop(struct ring *ring, struct ring_chain *chain)
{
	struct avail *avail = ring->avail_ring;
	int n;

	if (ring->broken || !ring->started)
		return -1;
	n = nr_waiting(ring);
	if (!n)
		n = look_again(ring);
	if (n <= 0)
		return n;
	chain->head = load(&avail->ring[ring->next_avail & (ring->size - 1)]);
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_len = 0;
	chain->in_len = 0;
	if (walk(ring, chain))
		return broken(ring);
	ring->next_avail++;
	return 1;
}

void ring_push_all(struct ring *ring, const struct ring_done *done, unsigned int nr)
{
	struct used *used = ring->used_ring;
	struct used_elem *elem;
	unsigned int i;

	if (!ring->started)
		return;
	for (i = 0; i < nr; i++) {
		elem = &used->ring[ring->next_used & (ring->size - 1)];
		store(&elem->id, done[i].head);
		store(&elem->len, done[i].written);
		ring->next_used++;
		ring->unsignalled++;
	}
	/* The buffers' bytes and the elements first, then the index that gives them away. */
	store_release(&used->idx, ring->next_used);
}

void ring_push(struct ring *ring, const struct ring_chain *chain, u32 written)
{
	ring_push_all(ring, &(struct ring_done){ chain->head, written }, 1);
}

bool ring_wants_interrupt(struct ring *ring)
{
	struct avail *avail = ring->avail_ring;
	u32 n = ring->unsignalled;
	u16 event;

	if (!ring->started || !n)
		return false;
	ring->unsignalled = 0;
	/* The driver writes its wish, then looks at the index; we the other way round. */
	full_barrier();
	if (!ring->event_idx)
		return !(load(&avail->flags) & AVAIL_NO_INTERRUPT);
	/* Is the index that the driver waits for among the last n? */
	event = load(used_event(ring));
	return n > UINT16_MAX || (u16)(ring->next_used - event - 1) < n;
}

void ring_disable_kicks(struct ring *ring)
{
	struct used *used = ring->used_ring;

	if (!ring->started)
		return;
	ring->kicks_off = true;
	/* With event indices the one that was told last is simply left behind. */
	if (!ring->event_idx)
		store(&used->flags, USED_NO_NOTIFY);
}

bool ring_enable_kicks(struct ring *ring)
{
	struct used *used = ring->used_ring;

	if (!ring->started || ring->broken)
		return false;
	ring->kicks_off = false;
	if (ring->event_idx)
		store(avail_event(ring), ring->next_avail);
	else
		store(&used->flags, 0);
	full_barrier();
	return nr_waiting(ring) != 0;
}

/* Where the next bytes of a list of buffers are. */
struct cursor {
	const struct iovec *iov;
	unsigned int left;	/* buffers, the one at iov included */
	size_t offset;		/* into them, from the start of iov */
};

/* The next bytes that lie together, at most @max: how many, and where; 0 at the end. */
static size_t next_part(struct cursor *c, size_t max, u8 **at)
{
	size_t n;

	while (c->left && c->offset >= c->iov->iov_len) {
		c->offset -= c->iov->iov_len;
		c->iov++;
		c->left--;
	}
	if (!c->left)
		return 0;
	n = min_u64(max, c->iov->iov_len - c->offset);
	*at = (u8 *)c->iov->iov_base + c->offset;
	c->offset += n;
	return n;
}

size_t ring_copy_from(const struct ring_chain *chain, size_t offset, void *buf, size_t len)
{
	struct cursor c = { chain->iov, chain->nr_out, offset };
	size_t done, n;
	u8 *from;

	for (done = 0; done < len && (n = next_part(&c, len - done, &from)); done += n)
		memcpy((u8 *)buf + done, from, n);
	return done;
}

size_t ring_copy_to(const struct ring_chain *chain, size_t offset, const void *buf, size_t len)
{
	struct cursor c = { chain->iov + chain->nr_out, chain->nr_in, offset };
	size_t done, n;
	u8 *to;

	for (done = 0; done < len && (n = next_part(&c, len - done, &to)); done += n)
		memcpy(to, (const u8 *)buf + done, n);
	return done;
}

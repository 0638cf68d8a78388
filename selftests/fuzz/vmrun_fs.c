// SPDX-License-Identifier: GPL-2.0
/*
 * The queues of a shared folder's device against a driver that lies; what a request says is vmrun_fuse's. The input is the buffers
 * that it offers, what it writes to its rings and how the server replies. Each request lies in the guest's memory, its sums are
 * right, it comes back once and no longer than it has room for; a turn has an end.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define ASSERT(condition) MUST(condition)
#include "tests/driver_queue.h"
#include "virtio/fs.h"

#define QUEUES	2
#define SIZE	16
#define DATA	(QUEUES * QUEUE_PAGE)
#define MEMORY	0x20000

enum { OFFER, CHAIN, RAW, KICK, CONFIG, RESTART, NR_OPS };

struct step {
	u8 what, queue, flags, reply;
	u16 where, len;
	u64 value;
};

static struct world {
	struct driver d;
	struct virtio_fs fs;
	u8 reply;
	bool raw;	/* the driver wrote into its rings */
} w;

/* The thread of the device does not run here. */
void sandbox_enter(const struct sandbox *sandbox, enum sandbox_thread thread)
{
}

/* In the place of fs/. */
struct fs *fs_open(const char *path, enum fs_access access, struct vm_error *err)
{
	return (struct fs *)&w;
}

void fs_close(struct fs *fs)
{
}

void fs_reset(struct fs *fs)
{
}

static size_t look_at(const struct iovec *iov, unsigned int nr)
{
	const u8 *memory = w.d.mem.region[0].host_addr, *at;
	size_t sum = 0;

	for (; nr; nr--, iov++) {
		at = iov->iov_base;
		MUST(iov->iov_len && at >= memory && iov->iov_len <= MEMORY && at - memory <= (ssize_t)(MEMORY - iov->iov_len));
		sum += iov->iov_len;
	}
	return sum;
}

ssize_t fs_serve(struct fs *fs, const struct fs_request *request)
{
	MUST(look_at(request->out, request->nr_out) == request->out_len);
	MUST(look_at(request->in, request->nr_in) == request->in_len);
	if (w.reply == 255)
		return -1;
	return request->in_len * w.reply / 255;
}

static void run(unsigned int queue)
{
	struct virtio_device *dev = w.d.dev;

	driver_kick(&w.d, queue);
	driver_run(&w.d, &w.fs.worker.loop, 100);
	MUST(!w.fs.stopping);
	/* All have been served, or the guest must reset it. */
	MUST(w.raw || dev->needs_reset || !dev->queue[queue].started || w.d.avail[queue] == driver_used(&w.d, queue));
}

static void start(const struct step *s)
{
	w.raw = false;
	w.d.event_idx = s->flags & 1;
	w.d.dev->nr_told = ~0u;	/* not a word */
	driver_start(&w.d, s->flags & 2 ? QUEUES : 1);
}

static void offer_chain(const struct step *s, unsigned int queue)
{
	u16 i = driver_next(&w.d, queue) % (SIZE - 2);
	const struct desc desc[] = {
		{ DATA + s->where, s->len % 0x1000, F_NEXT, i + 1 }, { DATA + s->where / 2, s->flags, F_NEXT | (s->flags & 2), i + 2 },
		{ s->flags & 4 ? s->value : DATA + s->value % 0x10000, s->len, F_WRITE, 0 },
	};

	driver_offer(&w.d, queue, i, desc, 3);
}

static void step(const struct step *s)
{
	unsigned int queue = s->queue % QUEUES;
	u8 config[9] = { [8] = 0x5a };

	w.reply = s->reply;
	switch (s->what % NR_OPS) {
	case OFFER:
		driver_offer_buffer(&w.d, queue, s->flags & 1 ? s->value : DATA + s->where, s->len, s->flags & 4 ? s->flags >> 4 : F_WRITE);
		break;
	case CHAIN:
		offer_chain(s, queue);
		break;
	case RAW:
		w.raw = true;
		memcpy(driver_at(&w.d, s->where % (DATA - 8), 8), &s->value, 8);
		break;
	case KICK:
		run(queue);
		break;
	case CONFIG:
		w.d.dev->ops->read_config(w.d.dev, s->flags & 1 ? s->value : s->where % 48, config, s->len % 9);
		MUST(config[8] == 0x5a);
		break;
	case RESTART:
		driver_stop(&w.d);
		start(s);
		break;
	}
}

void fuzz_input(const uint8_t *data, size_t size)
{
	struct step s = { .flags = 2 };
	struct vm_error err = { 0 };

	memset(&w, 0, sizeof(w));
	driver_memory_create(&w.d, MEMORY);
	MUST(!virtio_fs_create(&w.fs, "fs0", "share0", "/", FS_READ_ONLY, &err));
	/* No thread, no umask of its own. */
	w.fs.own_umask = true;
	driver_init(&w.d, &w.fs.dev, SIZE);
	start(&s);
	while (size >= sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		data += sizeof(s);
		size -= sizeof(s);
		step(&s);
	}
	virtio_fs_destroy(&w.fs);
	driver_memory_destroy(&w.d);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to vmrun's block device, over a copy-on-write overlay: header, data and status in buffers cut anywhere, with any content. What
 * the disk reads as afterwards must be what a plain array says, and the image must stay as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "virtio/blk_request.h"

#define SECTORS		75	/* nine blocks and a part of one */
#define SIZE		(SECTORS * DISK_SECTOR)
#define BUFFERS		(16 * 1024)

struct step {
	u8 type;
	u8 sector;
	u8 odd;			/* bits: sector, length, direction, header, ranges that are out of order */
	u8 len;			/* sectors, or ranges */
	u8 cut[4];		/* buffer lengths */
	u8 fill;
};

struct world {
	struct disk disk;
	struct blk_target target;
	u8 want[SIZE];
	u8 out[BUFFERS], in[BUFFERS];
	size_t out_len, in_len;
	struct ring_chain chain;
};

static const u8 types[] = {
	BLK_T_IN, BLK_T_OUT, BLK_T_FLUSH, BLK_T_GET_ID, BLK_T_DISCARD, BLK_T_WRITE_ZEROES, BLK_T_OUT, BLK_T_IN,
};

static unsigned int cut(struct iovec *iov, u8 *data, size_t len, const u8 *sizes)
{
	unsigned int n = 0;

	while (len) {
		size_t part = n < 4 && sizes[n] ? min_u64(sizes[n] * 3 + 1, len) : len;

		iov[n++] = (struct iovec){ data, part };
		data += part;
		len -= part;
	}
	return n;
}

static u64 put_ranges(struct world *w, const struct step *s, u8 *to, struct blk_range *range)
{
	unsigned int nr = s->len % (BLK_MAX_RANGES + 2), i;

	for (i = 0; i < nr; i++) {
		range[i] = (struct blk_range){
			(s->sector + i * s->fill) % SECTORS, (s->fill + i) % 40, s->odd & 4 && s->type % 2,
		};
		if (s->odd & 16 && i == nr - 1)
			range[i].sector = ~0ull - s->fill;
	}
	memcpy(to, range, nr * sizeof(*range));
	return nr * sizeof(*range) + (s->odd & 2 && nr ? 1 : 0);
}

static void make(struct world *w, const struct step *s, struct blk_range *range)
{
	struct { u32 type, reserved; u64 sector; } header = { types[s->type % 8], 0, s->sector };
	u64 len = (s->len % 24) * DISK_SECTOR;

	if (s->odd & 1)
		header.sector = ~0ull - s->sector * 1000003ull;
	if (s->odd & 2)
		len += s->fill;
	w->out_len = s->odd & 8 ? s->fill % 16 : 16;
	w->in_len = s->odd & 8 && s->fill & 1 ? 0 : 1;
	memcpy(w->out, &header, sizeof(header));
	memset(w->out + 16, s->fill, sizeof(w->out) - 16);
	if (header.type == BLK_T_DISCARD || header.type == BLK_T_WRITE_ZEROES)
		w->out_len += put_ranges(w, s, w->out + 16, range);
	else if ((header.type == BLK_T_OUT) != !!(s->odd & 32))
		w->out_len += len;
	else
		w->in_len += len;
	w->chain.nr_out = cut(w->chain.iov, w->out, w->out_len, s->cut);
	w->chain.nr_in = cut(w->chain.iov + w->chain.nr_out, w->in, w->in_len, s->cut + 1);
	w->chain.out_len = w->out_len;
	w->chain.in_len = w->in_len;
}

/* Says to the array what the disk was told. */
static void model_range(struct world *w, u32 type, const struct blk_range *range)
{
	u64 start = range->sector * DISK_SECTOR, end = start + range->nr_sectors * DISK_SECTOR;

	MUST(end <= SIZE);
	if (type == BLK_T_DISCARD) {
		start = align_up(start, OVERLAY_BLOCK);
		end = end == SIZE ? end : align_down(end, OVERLAY_BLOCK);
	}
	if (end > start)
		memset(w->want + start, 0, end - start);
}

static void step(struct world *w, const struct step *s)
{
	struct blk_range range[BLK_MAX_RANGES + 2];
	struct blk_request request;
	int status, error;
	u64 len, offset;

	make(w, s, range);
	status = blk_request_parse(&request, &w->chain, &w->target);
	MUST((status < 0) == (w->out_len < 16 || !w->in_len));
	if (status < 0)
		return;
	MUST(request.status == w->in + w->in_len - 1);
	if (status != BLK_S_OK)
		return;
	len = disk_vec_len(&request.data);
	offset = request.sector * DISK_SECTOR;
	if (request.type == BLK_T_IN || request.type == BLK_T_OUT)
		MUST(request.sector <= SECTORS && len % DISK_SECTOR == 0 && offset + len <= SIZE);
	status = blk_request_run(&request, &w->target, &error);
	if (request.type == BLK_T_DISCARD || request.type == BLK_T_WRITE_ZEROES) {
		/* Those before a bad one are done. */
		for (unsigned int i = 0; i < len / sizeof(*range); i++) {
			if (range[i].sector > SECTORS || range[i].nr_sectors > SECTORS - range[i].sector ||
			    (request.type == BLK_T_DISCARD && range[i].flags)) {
				MUST(status != BLK_S_OK);
				return;
			}
			model_range(w, request.type, &range[i]);
		}
	}
	MUST(status == BLK_S_OK);
	if (request.type == BLK_T_OUT)
		memset(w->want + offset, s->fill, len);
	if (request.type == BLK_T_IN)
		MUST(!memcmp(w->in, w->want + offset, len));
}

static void check_all(struct world *w)
{
	u8 got[SIZE];
	struct iovec iov = { got, SIZE };
	struct disk_vec vec = { &iov, 1 };

	MUST(!disk_read(&w->disk, &vec, 0) && !memcmp(got, w->want, SIZE));
	MUST(pread(w->disk.fd, got, SIZE, 0) == SIZE);
	for (unsigned int i = 0; i < SIZE; i++)
		MUST(got[i] == (u8)(i / DISK_SECTOR + 1));
}

void fuzz_input(const uint8_t *data, size_t size)
{
	static int image = -1;
	static struct world w;
	struct vm_error err = { 0 };
	char path[32];
	struct step s;

	for (unsigned int i = 0; i < SIZE; i++)
		w.want[i] = i / DISK_SECTOR + 1;
	if (image < 0) {
		image = memfd_create("image", MFD_CLOEXEC);
		MUST(image >= 0 && pwrite(image, w.want, SIZE, 0) == SIZE);
		setenv("TMPDIR", "/dev/shm", 0);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
	MUST(!disk_open(&w.disk, path, DISK_COW, &err));
	w.target = (struct blk_target){ &w.disk, ~0ull, "vda" };
	while (fuzz_take(&data, &size, &s, sizeof(s)))
		step(&w, &s);
	check_all(&w);
	disk_close(&w.disk);
}

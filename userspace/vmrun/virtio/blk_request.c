// SPDX-License-Identifier: GPL-2.0
/*
 * Holds a driver's request against the rules and the disk's size, and carries it out by
 * disk/. Queues and threads are blk.c's, which calls this. Nothing is asked of the framing:
 * header, data and status may be cut into buffers anywhere (section 2.7.4.2).
 */
#include <string.h>

#include "blk_request.h"

/* Section 5.2.6: what every request begins with; little endian. */
struct header {
	u32 type;
	u32 reserved;
	u64 sector;
};

/* A sum of the driver's values may wrap. */
static bool inside(const struct disk *disk, u64 sector, u64 nr_sectors)
{
	u64 all = disk->size / DISK_SECTOR;

	return sector <= all && nr_sectors <= all - sector;
}

/* The data of a read or a write. @other: bytes the wrong way, of which there may be none. */
static int check_transfer(const struct blk_request *request, const struct disk *disk, u64 other)
{
	u64 len = disk_vec_len(&request->data);

	if (other || len % DISK_SECTOR || !inside(disk, request->sector, len / DISK_SECTOR))
		return BLK_S_IOERR;
	return BLK_S_OK;
}

static int check_ranges(const struct blk_request *request, const struct blk_target *target,
			unsigned int feature, u64 other)
{
	u64 len = disk_vec_len(&request->data);

	if (!(target->features & BIT_ULL(feature)))
		return BLK_S_UNSUPP;
	if (other || !len || len % sizeof(struct blk_range) ||
	    len / sizeof(struct blk_range) > BLK_MAX_RANGES)
		return BLK_S_IOERR;
	return BLK_S_OK;
}

int blk_request_parse(struct blk_request *request, struct ring_chain *chain,
		      const struct blk_target *target)
{
	struct disk_vec out = { chain->iov, chain->nr_out };
	struct disk_vec in = { chain->iov + chain->nr_out, chain->nr_in };
	struct header header;
	struct iovec *last;

	if (chain->out_len < sizeof(header) || !chain->in_len)
		return -1;
	disk_vec_gather(&out, &header, sizeof(header));
	last = &in.iov[in.nr - 1];
	request->status = (u8 *)last->iov_base + last->iov_len - 1;
	disk_vec_cut(&in, 1);
	request->data = (struct disk_vec){ NULL, 0 };
	request->type = header.type;
	request->sector = header.sector;
	switch (header.type) {
	case BLK_T_IN:
		request->data = in;
		return check_transfer(request, target->disk, disk_vec_len(&out));
	case BLK_T_OUT:
		request->data = out;
		if (target->disk->mode == DISK_RO)
			return BLK_S_IOERR;
		return check_transfer(request, target->disk, disk_vec_len(&in));
	case BLK_T_FLUSH:
		return BLK_S_OK;
	case BLK_T_GET_ID:
		request->data = in;
		return BLK_S_OK;
	case BLK_T_DISCARD:
		request->data = out;
		return check_ranges(request, target, BLK_F_DISCARD, disk_vec_len(&in));
	case BLK_T_WRITE_ZEROES:
		request->data = out;
		return check_ranges(request, target, BLK_F_WRITE_ZEROES, disk_vec_len(&in));
	default:
		return BLK_S_UNSUPP;
	}
}

static u8 run_range(u32 type, const struct blk_range *range, struct disk *disk, int *error)
{
	u64 offset = range->sector * DISK_SECTOR, len = (u64)range->nr_sectors * DISK_SECTOR;
	bool discard = type == BLK_T_DISCARD;
	/* Section 5.2.6.2: a discard has no flags, a write zeroes this one. */
	u32 flags = discard ? 0 : BLK_RANGE_UNMAP;

	if (range->flags & ~flags)
		return BLK_S_UNSUPP;
	if (range->nr_sectors > (discard ? BLK_MAX_DISCARD : BLK_MAX_ZEROES) ||
	    !inside(disk, range->sector, range->nr_sectors))
		return BLK_S_IOERR;
	if (!len)
		return BLK_S_OK;
	if (discard)
		*error = disk_discard(disk, offset, len);
	else
		*error = disk_write_zeroes(disk, offset, len, range->flags ? DISK_ZERO_UNMAP :
					   DISK_ZERO_ALLOCATED);
	return *error ? BLK_S_IOERR : BLK_S_OK;
}

static u8 run_ranges(struct blk_request *request, struct disk *disk, int *error)
{
	u8 status = BLK_S_OK;
	struct blk_range range;

	while (request->data.nr && status == BLK_S_OK) {
		disk_vec_gather(&request->data, &range, sizeof(range));
		status = run_range(request->type, &range, disk, error);
	}
	return status;
}

static void get_id(struct blk_request *request, const char *id)
{
	char bytes[BLK_ID_SIZE] = "";
	size_t done = 0, n;

	/* Bytes behind its end are zero; a full one has no end. */
	memcpy(bytes, id, strnlen(id, sizeof(bytes)));
	while (request->data.nr && done < sizeof(bytes)) {
		n = min_u64(request->data.iov->iov_len, sizeof(bytes) - done);
		memcpy(request->data.iov->iov_base, bytes + done, n);
		disk_vec_skip(&request->data, n);
		done += n;
	}
}

/* Section 5.2.6.2: a driver that cannot ask for a flush has what it wrote on the disk at once. */
static u8 settle(u8 status, const struct blk_target *target, int *error)
{
	if (status != BLK_S_OK || (target->features & BIT_ULL(BLK_F_FLUSH)))
		return status;
	*error = disk_flush(target->disk);
	return *error ? BLK_S_IOERR : BLK_S_OK;
}

u8 blk_request_run(struct blk_request *request, const struct blk_target *target, int *error)
{
	u64 offset = request->sector * DISK_SECTOR;

	*error = 0;
	switch (request->type) {
	case BLK_T_IN:
		*error = disk_read(target->disk, &request->data, offset);
		break;
	case BLK_T_OUT:
		*error = disk_write(target->disk, &request->data, offset);
		return settle(*error ? BLK_S_IOERR : BLK_S_OK, target, error);
	case BLK_T_FLUSH:
		*error = disk_flush(target->disk);
		break;
	case BLK_T_GET_ID:
		get_id(request, target->id);
		break;
	default:
		return settle(run_ranges(request, target->disk, error), target, error);
	}
	return *error ? BLK_S_IOERR : BLK_S_OK;
}

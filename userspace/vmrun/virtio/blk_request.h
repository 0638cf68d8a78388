/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One request to a block device: what a driver may ask, and doing it. Virtio
 * specification 1.2, section 5.2.6.
 */
#ifndef VMRUN_BLK_REQUEST_H
#define VMRUN_BLK_REQUEST_H

#include "../disk/disk.h"
#include "ring.h"

/* Of a discard or a write zeroes; told to the driver by blk.c. */
#define BLK_MAX_RANGES		16
#define BLK_MAX_DISCARD		(GIB(1) / DISK_SECTOR)
#define BLK_MAX_ZEROES		(MIB(32) / DISK_SECTOR)	/* may have to be written */

#define BLK_ID_SIZE		20

/* Section 5.2.3, as numbers of bits. */
enum {
	BLK_F_SEG_MAX = 2, BLK_F_RO = 5, BLK_F_BLK_SIZE = 6, BLK_F_FLUSH = 9, BLK_F_TOPOLOGY = 10,
	BLK_F_DISCARD = 13, BLK_F_WRITE_ZEROES = 14,
};

enum blk_type {
	BLK_T_IN = 0, BLK_T_OUT = 1, BLK_T_FLUSH = 4, BLK_T_GET_ID = 8,
	BLK_T_DISCARD = 11, BLK_T_WRITE_ZEROES = 13,
};

enum blk_status { BLK_S_OK = 0, BLK_S_IOERR = 1, BLK_S_UNSUPP = 2 };

/* What a discard or write zeroes carries an array of; little endian. */
struct blk_range {
	u64 sector;
	u32 nr_sectors;
	u32 flags;
};

#define BLK_RANGE_UNMAP		BIT(0)

struct blk_request {
	u32 type;
	u64 sector;
	/* Behind the header, or before the status: shortens the chain's own list. */
	struct disk_vec data;
	u8 *status;
};

/* What a request is held against. */
struct blk_target {
	struct disk *disk;
	u64 features;	/* as agreed on */
	const char *id;	/* up to BLK_ID_SIZE bytes */
};

/*
 * Reads the header of @chain, which is the caller's until the request is done. Returns -1
 * when it has no room for an answer; BLK_S_OK: it can be carried out;
 * else the status to answer with. Where the status goes is known unless -1.
 */
int blk_request_parse(struct blk_request *request, struct ring_chain *chain,
		      const struct blk_target *target);

/*
 * Does it and returns the status; @error is 0, or the -errno behind BLK_S_IOERR.
 * Blocks. Without the device's lock, any thread.
 */
u8 blk_request_run(struct blk_request *request, const struct blk_target *target, int *error);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * Scattered buffers: copies and slices, bounded by what the buffers really have.
 * All files of fs/ that touch a request's buffers do so through these.
 */
#include <string.h>

#include "server.h"

unsigned int fs_slice(const struct iovec *from, unsigned int nr, size_t offset, size_t len,
		      struct iovec *to)
{
	unsigned int i, n = 0;

	for (i = 0; i < nr && len; i++) {
		size_t part = from[i].iov_len;

		if (offset >= part) {
			offset -= part;
			continue;
		}
		part = min_u64(part - offset, len);
		to[n].iov_base = (u8 *)from[i].iov_base + offset;
		to[n++].iov_len = part;
		len -= part;
		offset = 0;
	}
	return n;
}

/* What lies @offset bytes into the buffers: its address, and in @len how much of that. */
static void *part_at(const struct iovec *iov, unsigned int nr, size_t offset, size_t *len)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (offset < iov[i].iov_len) {
			*len = min_u64(*len, iov[i].iov_len - offset);
			return (u8 *)iov[i].iov_base + offset;
		}
		offset -= iov[i].iov_len;
	}
	*len = 0;
	return NULL;
}

size_t fs_copy_out(const struct fs_request *request, size_t offset, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t part = len - done;
		const void *from = part_at(request->out, request->nr_out, offset + done, &part);

		if (!from)
			break;
		memcpy((u8 *)buf + done, from, part);
		done += part;
	}
	return done;
}

size_t fs_copy_in(const struct fs_request *request, size_t offset, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t part = len - done;
		void *to = part_at(request->in, request->nr_in, offset + done, &part);

		if (!to)
			break;
		memcpy(to, (const u8 *)buf + done, part);
		done += part;
	}
	return done;
}

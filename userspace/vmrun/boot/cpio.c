// SPDX-License-Identifier: GPL-2.0
/*
 * newc: for each file a header of hexadecimal digits, the name and the contents, each
 * filled up to four bytes. All files belong to root and have no date, so that equal
 * contents make equal archives. Called by live.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpio.h"

#define HEADER_SIZE	110
#define ALIGN		4
#define TRAILER		"TRAILER!!!"
/* The kernel takes names up to PATH_MAX. */
#define NAME_SIZE	4096

struct entry {
	const char *name;
	u32 mode;
	u32 links;
	u32 major, minor;
	const void *data;
	u64 size;
};

static void put(struct cpio *cpio, const void *data, u64 len)
{
	const u8 *from = data;

	if (!cpio->error && len > CPIO_MAX_SIZE - cpio->size)
		cpio->error = EFBIG;
	while (len && !cpio->error) {
		ssize_t n = write(cpio->fd, from, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			cpio->error = n ? errno : EIO;
			return;
		}
		cpio->size += n;
		from += n;
		len -= n;
	}
}

static void fill(struct cpio *cpio)
{
	static const u8 zeroes[ALIGN];

	put(cpio, zeroes, align_up(cpio->size, ALIGN) - cpio->size);
}

static void put_entry(struct cpio *cpio, const struct entry *entry)
{
	size_t name_size = strlen(entry->name) + 1;
	char header[HEADER_SIZE + 1];

	if (name_size > NAME_SIZE && !cpio->error)
		cpio->error = ENAMETOOLONG;
	if (entry->size > CPIO_MAX_SIZE && !cpio->error)
		cpio->error = EFBIG;
	if (cpio->error)
		return;
	snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		 ++cpio->inode, entry->mode, 0, 0, entry->links, 0, (u32)entry->size, 0, 0,
		 entry->major, entry->minor, (u32)name_size, 0);
	put(cpio, header, HEADER_SIZE);
	put(cpio, entry->name, name_size);
	fill(cpio);
	put(cpio, entry->data, entry->size);
	fill(cpio);
}

void cpio_start(struct cpio *cpio, int fd)
{
	*cpio = (struct cpio){ .fd = fd };
}

void cpio_directory(struct cpio *cpio, const char *name, u32 mode)
{
	put_entry(cpio, &(struct entry){ .name = name, .mode = S_IFDIR | mode, .links = 2 });
}

void cpio_device(struct cpio *cpio, const char *name, u32 mode, u32 major, u32 minor)
{
	put_entry(cpio, &(struct entry){ .name = name, .mode = S_IFCHR | mode, .links = 1,
					 .major = major, .minor = minor });
}

void cpio_file(struct cpio *cpio, const char *name, u32 mode, const void *data, u64 size)
{
	put_entry(cpio, &(struct entry){ .name = name, .mode = S_IFREG | mode, .links = 1,
					 .data = data, .size = size });
}

int cpio_end(struct cpio *cpio)
{
	put_entry(cpio, &(struct entry){ .name = TRAILER, .links = 1 });
	return cpio->error;
}

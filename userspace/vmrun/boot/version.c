// SPDX-License-Identifier: GPL-2.0
/*
 * A bzImage has a pointer to its version in its header; a vmlinux has the banner that
 * the kernel prints first somewhere among its data. Called by live.c and sum.c.
 */
#include <asm/bootparam.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "version.h"

#define VERSION_POINTER	0x20e	/* u16; counted from the second sector */
#define SECTOR		512
#define BANNER		"Linux version "
#define CHUNK		65536

/* The first word of @text, of which @len bytes are there. False when it is no release. */
static bool take_release(const char *text, size_t len, char release[KERNEL_RELEASE_SIZE])
{
	size_t i;

	for (i = 0; i < len && text[i] > ' ' && text[i] < 0x7f; i++) {
		/* It becomes part of a path. */
		if (text[i] == '/' || i == KERNEL_RELEASE_SIZE - 1)
			return false;
		release[i] = text[i];
	}
	release[i] = 0;
	return i && i < len && release[0] >= '0' && release[0] <= '9';
}

bool linux_release(const struct image *image, char release[KERNEL_RELEASE_SIZE])
{
	struct vm_error ignored = { 0 };
	char text[KERNEL_RELEASE_SIZE + 1];
	u16 offset;

	if (image_read(image, VERSION_POINTER, &offset, sizeof(offset), &ignored) || !offset ||
	    image_read(image, SECTOR + offset, text, sizeof(text), &ignored))
		return false;
	return take_release(text, sizeof(text), release);
}

static bool elf_release(const struct image *image, char release[KERNEL_RELEASE_SIZE])
{
	const size_t overlap = sizeof(BANNER) - 1 + KERNEL_RELEASE_SIZE + 1;
	struct vm_error ignored = { 0 };
	char *chunk = malloc(CHUNK);
	bool found = false;
	u64 at = 0;

	while (chunk && !found && at < image->size) {
		size_t len = min_u64(CHUNK, image->size - at);
		const char *end = chunk + len, *p = chunk;

		if (image_read(image, at, chunk, len, &ignored))
			break;
		while (!found && (p = memmem(p, end - p, BANNER, sizeof(BANNER) - 1))) {
			p += sizeof(BANNER) - 1;
			found = take_release(p, end - p, release);
		}
		if (len < CHUNK)
			break;
		at += CHUNK - overlap;
	}
	free(chunk);
	return found;
}

int kernel_release(const char *path, char release[KERNEL_RELEASE_SIZE], struct vm_error *err)
{
	struct image image;
	bool found;

	if (image_open(&image, path, "kernel", err))
		return -1;
	found = linux_probe(&image) ? linux_release(&image, release) :
		elf_probe(&image) ? elf_release(&image, release) : false;
	image_close(&image);
	if (!found)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "give a bzImage (such as /boot/vmlinuz-*) or an ELF vmlinux; or name an initramfs with -i",
			       "cannot tell the version of the kernel %.200s", path);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Whether a bzImage is as it was built. Up to 6.14 Linux's build appends a CRC-32, up to which
 * all bytes are summed, to the part that syssize counts ("The Linux/x86 Boot Protocol", the
 * image checksum). Who signs an image for UEFI afterwards changes two fields of its PE header
 * ("PE Format": CheckSum and the certificate table's place), which were 0, and appends
 * the signature behind that part. Without this a kernel whose payload is damaged stands still
 * when it unpacks itself, and says nothing. Called by linux.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../crc.h"
#include "kernel.h"

#define PE_POINTER	0x3c	/* u32 */
#define PE_MAGIC	0x4550	/* "PE", two zeroes */
#define PE_OPTIONAL	24	/* behind the magic and the COFF header */
#define PE32_PLUS	0x20b
#define PE_CHECKSUM	64	/* in the optional header, u32 */
#define PE_NR_TABLES	108	/* u32 */
#define PE_CERTIFICATES	144	/* the fifth table: two u32 */
#define PE_LEAST	152

/* Of a build that is newer, or tells no version, nothing is known. */
static bool has_sum(const struct image *image)
{
	char release[KERNEL_RELEASE_SIZE];
	unsigned int major, minor;

	return linux_release(image, release) && sscanf(release, "%u.%u", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 15));
}

static u32 get32(const u8 *p)
{
	u32 value;

	memcpy(&value, p, sizeof(value));
	return value;
}

/* Puts @setup, of @size bytes, back to what it was when it was summed. */
static void undo_signature(u8 *setup, u64 size)
{
	u64 pe = get32(setup + PE_POINTER);
	u8 *optional;

	if (pe > size || size - pe < PE_OPTIONAL + PE_LEAST || get32(setup + pe) != PE_MAGIC)
		return;
	optional = setup + pe + PE_OPTIONAL;
	if ((get32(optional) & 0xffff) != PE32_PLUS)
		return;
	memset(optional + PE_CHECKSUM, 0, 4);
	if (get32(optional + PE_NR_TABLES) > 4)
		memset(optional + PE_CERTIFICATES, 0, 8);
}

int linux_check_sum(const struct image *image, u64 setup_size, const u8 *loaded, u64 size,
		    struct vm_error *err)
{
	u8 *setup;
	u32 crc;

	/* A sum that is not there reads as padding. */
	if (size < 4 || !get32(loaded + size - 4) || !has_sum(image))
		return 0;
	setup = malloc(setup_size);
	if (!setup)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	if (image_read(image, 0, setup, setup_size, err)) {
		free(setup);
		return -1;
	}
	undo_signature(setup, setup_size);
	crc = crc32_go_on(crc32_go_on(~0u, setup, setup_size), loaded, size);
	free(setup);
	/* That of all bytes with their sum behind them is 0. */
	if (!crc)
		return 0;
	return vm_fail(err, VM_STATUS_FAILURE, "copy or install it again",
		       "cannot load the kernel %.200s: it is damaged, its checksum is another's",
		       image->path);
}

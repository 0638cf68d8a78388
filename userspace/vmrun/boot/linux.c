// SPDX-License-Identifier: GPL-2.0
/*
 * bzImage by the 64-bit boot protocol: the part after the real-mode setup is
 * loaded at its preferred address and entered 0x200 bytes in, in long mode,
 * with RSI on the boot parameters. After the kernel's documentation "The
 * Linux/x86 Boot Protocol". Every number of the header is the file's claim.
 */
#include <asm/bootparam.h>
#include <string.h>

#include "e820.h"
#include "kernel.h"

#define BOOT_FLAG		0xaa55
#define HEADER_MAGIC		0x53726448	/* "HdrS" */
#define HEADER_OFFSET		0x1f1
#define VERSION_64BIT		0x20c		/* the first with xloadflags */
#define SECTOR			512
#define PARAGRAPH		16
#define DEFAULT_SETUP_SECTORS	4
#define ENTRY_64		0x200
#define LOADER_UNDEFINED	0xff
#define MIN_SIZE		(HEADER_OFFSET + sizeof(struct setup_header))

static int bad(const struct image *image, const char *why, struct vm_error *err)
{
	return vm_fail(err, VM_STATUS_FAILURE,
		       "give an x86-64 Linux bzImage, version 3.8 or later; if it is one, it is damaged",
		       "cannot load the kernel %.200s: %s", image->path, why);
}

static int read_header(const struct image *image, struct setup_header *hdr,
		       struct vm_error *err)
{
	return image_read(image, HEADER_OFFSET, hdr, sizeof(*hdr), err);
}

bool linux_probe(const struct image *image)
{
	struct vm_error ignored = { 0 };
	struct setup_header hdr;

	return image->size >= MIN_SIZE && !read_header(image, &hdr, &ignored) &&
	       hdr.boot_flag == BOOT_FLAG && hdr.header == HEADER_MAGIC;
}

/* Where the part begins that is loaded. */
static u64 setup_size(const struct setup_header *hdr)
{
	return (hdr->setup_sects ? hdr->setup_sects : DEFAULT_SETUP_SECTORS) * SECTOR + SECTOR;
}

static int check_header(const struct image *image,
			const struct setup_header *hdr, struct vm_error *err)
{
	u64 setup = setup_size(hdr), size = (u64)hdr->syssize * PARAGRAPH;

	if (hdr->version < VERSION_64BIT)
		return bad(image, "its boot protocol is older than 2.12", err);
	if (!(hdr->loadflags & LOADED_HIGH))
		return bad(image, "it is a zImage", err);
	if (!(hdr->xloadflags & XLF_KERNEL_64))
		return bad(image, "it has no 64-bit entry", err);
	if (hdr->pref_address < BOOT_KERNEL_MIN)
		return bad(image, "it wants to lie below 1 MiB", err);
	if (setup >= image->size || image->size - setup <= ENTRY_64)
		return bad(image, "it ends before its 64-bit part", err);
	/* Behind it may be more, a signature for example. */
	if (size > image->size - setup)
		return vm_fail(err, VM_STATUS_FAILURE, "copy or install it again",
			       "cannot load the kernel %.200s: it is cut short, to %llu KiB of %llu",
			       image->path, (unsigned long long)image->size >> 10,
			       (unsigned long long)(setup + size) >> 10);
	return 0;
}

int linux_check(const struct image *image, struct vm_error *err)
{
	struct setup_header hdr;

	return read_header(image, &hdr, err) ? -1 : check_header(image, &hdr, err);
}

int linux_load(const struct memory *mem, const struct image *image,
	       struct kernel *kernel, struct vm_error *err)
{
	struct setup_header hdr;
	u64 size, needed;
	void *to;

	if (read_header(image, &hdr, err) || check_header(image, &hdr, err))
		return -1;
	size = image->size - setup_size(&hdr);
	needed = hdr.init_size > size ? hdr.init_size : size;

	/* The kernel unpacks itself in place: all of init_size must be RAM. */
	to = guest_buf(mem, hdr.pref_address, needed);
	if (!to)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "give the guest more memory with -m",
			       "cannot load the kernel %.200s: it needs %llu KiB of memory at %#llx, the guest has %llu MiB",
			       image->path, (unsigned long long)needed >> 10,
			       (unsigned long long)hdr.pref_address,
			       (unsigned long long)memory_low_end(mem) >> 20);
	if (image_read(image, setup_size(&hdr), to, size, err) ||
	    linux_check_sum(image, setup_size(&hdr), to, (u64)hdr.syssize * PARAGRAPH, err))
		return -1;

	kernel->start = hdr.pref_address;
	kernel->end = hdr.pref_address + needed;
	kernel->initramfs_max = hdr.initrd_addr_max;
	kernel->cmdline_max = hdr.cmdline_size;
	kernel->entry = hdr.pref_address + ENTRY_64;
	return 0;
}

int linux_finish(const struct memory *mem, const struct image *image,
		 const struct kernel *kernel, const struct initramfs *initramfs,
		 struct boot_entry *entry, struct vm_error *err)
{
	struct boot_params *params = guest_buf(mem, BOOT_PARAMS_ADDR, sizeof(*params));
	struct e820_range range[E820_MAX_RANGES];
	unsigned int i, n;
	u8 jump;

	/* Only RAM was loaded into, but this block must not lie to the kernel. */
	if (!params)
		return bad(image, "the guest has no memory for its parameters", err);
	memset(params, 0, sizeof(*params));
	/* The header's length is told by the jump that skips it. */
	if (image_read(image, 0x201, &jump, sizeof(jump), err) ||
	    image_read(image, HEADER_OFFSET, &params->hdr,
		       min_u64(sizeof(params->hdr), 0x202u + jump - HEADER_OFFSET), err))
		return -1;
	params->hdr.type_of_loader = LOADER_UNDEFINED;
	params->hdr.cmd_line_ptr = BOOT_CMDLINE_ADDR;
	params->hdr.code32_start = kernel->start;
	params->hdr.ramdisk_image = initramfs->addr;
	params->hdr.ramdisk_size = initramfs->size;
	params->hdr.setup_data = 0;
	params->acpi_rsdp_addr = BOOT_ACPI_ADDR;

	n = e820_build(mem, range);
	for (i = 0; i < n; i++)
		params->e820_table[i] = (struct boot_e820_entry){
			.addr = range[i].addr, .size = range[i].size,
			.type = range[i].type,
		};
	params->e820_entries = n;

	*entry = (struct boot_entry){
		.mode = BOOT_LONG, .rip = kernel->entry, .rsi = BOOT_PARAMS_ADDR,
	};
	return 0;
}

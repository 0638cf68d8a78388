// SPDX-License-Identifier: GPL-2.0
/*
 * Loads a kernel of either format. The formats themselves are linux.c and
 * elf.c; registers are set by vcpu.c from the struct boot_entry given back.
 */
#include <string.h>

#include "boot.h"
#include "kernel.h"

static int write_cmdline(const struct memory *mem, const char *cmdline,
			 u64 max, struct vm_error *err)
{
	size_t len = strlen(cmdline);
	void *to = guest_buf(mem, BOOT_CMDLINE_ADDR, BOOT_CMDLINE_MAX);

	if (!to || len > max || len >= BOOT_CMDLINE_MAX)
		return vm_fail(err, VM_STATUS_FAILURE, "shorten the text given with -a",
			       "the kernel's command line has %zu characters, it takes %llu at most",
			       len, (unsigned long long)min_u64(max, BOOT_CMDLINE_MAX - 1));
	memcpy(to, cmdline, len + 1);
	return 0;
}

static int check_image(const struct image *image, struct vm_error *err)
{
	if (elf_probe(image))
		return elf_check(image, err);
	if (linux_probe(image))
		return linux_check(image, err);
	return vm_fail(err, VM_STATUS_FAILURE,
		       "give a bzImage (such as /boot/vmlinuz-*) or an ELF vmlinux",
		       "cannot load the kernel %.200s: neither a bzImage nor an ELF file",
		       image->path);
}

int boot_check(const char *path, struct vm_error *err)
{
	struct image image;
	int ret;

	if (image_open(&image, path, "kernel", err))
		return -1;
	ret = check_image(&image, err);
	image_close(&image);
	return ret;
}

static int load_image(const struct memory *mem, const struct image *image,
		      const struct boot_source *source,
		      struct boot_entry *entry, struct vm_error *err)
{
	struct initramfs initramfs = { 0 };
	struct kernel kernel = { 0 };
	bool is_elf = elf_probe(image);
	int ret;

	if (check_image(image, err))
		return -1;
	ret = is_elf ? elf_load(mem, image, &kernel, err) :
		       linux_load(mem, image, &kernel, err);
	if (ret)
		return ret;
	if (write_cmdline(mem, source->cmdline, kernel.cmdline_max, err))
		return -1;
	if ((source->initramfs || source->initramfs_fd) &&
	    initramfs_load(mem, source, &kernel, &initramfs, err))
		return -1;
	return is_elf ? elf_finish(mem, &kernel, &initramfs, entry, err) :
			linux_finish(mem, image, &kernel, &initramfs, entry, err);
}

int boot_load(const struct memory *mem, const struct boot_source *source,
	      struct boot_entry *entry, struct vm_error *err)
{
	struct image image;
	int ret;

	if (image_open(&image, source->kernel, "kernel", err))
		return -1;
	ret = load_image(mem, &image, source, entry, err);
	image_close(&image);
	return ret;
}

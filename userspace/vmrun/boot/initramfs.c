// SPDX-License-Identifier: GPL-2.0
/*
 * Places the initramfs: at the top of low RAM, out of the way of a kernel that
 * decompresses or moves itself upwards.
 */
#include <fcntl.h>

#include "kernel.h"

#define INITRAMFS_ALIGN	4096

static int open_image(struct image *image, const struct boot_source *source, struct vm_error *err)
{
	if (source->initramfs)
		return image_open(image, source->initramfs, "initramfs", err);
	return image_take(image, fcntl(source->initramfs_fd, F_DUPFD_CLOEXEC, 0),
			  "that vmrun made", "initramfs", err);
}

int initramfs_load(const struct memory *mem, const struct boot_source *source,
		   const struct kernel *kernel, struct initramfs *initramfs,
		   struct vm_error *err)
{
	u64 top = min_u64(memory_low_end(mem), kernel->initramfs_max + 1);
	struct image image;
	void *to = NULL;
	int ret;

	if (open_image(&image, source, err))
		return -1;
	initramfs->size = image.size;
	if (image.size && image.size <= top) {
		initramfs->addr = align_down(top - image.size, INITRAMFS_ALIGN);
		if (initramfs->addr >= kernel->end)
			to = guest_buf(mem, initramfs->addr, image.size);
	}
	if (!image.size)
		ret = vm_fail(err, VM_STATUS_FAILURE, "leave -i away to boot without one",
			      "cannot load the initramfs %.200s: it is empty", image.path);
	else if (!to)
		ret = vm_fail(err, VM_STATUS_FAILURE,
			      "give the guest more memory with -m",
			      "cannot load the initramfs %.200s: its %llu KiB do not fit beside the kernel in %llu MiB",
			      image.path, (unsigned long long)image.size >> 10,
			      (unsigned long long)memory_low_end(mem) >> 20);
	else
		ret = image_read(&image, 0, to, image.size, err);
	image_close(&image);
	return ret;
}

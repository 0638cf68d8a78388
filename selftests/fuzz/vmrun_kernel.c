// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's loaders of kernels: any file, or a whole bzImage or vmlinux with some of its bytes changed, is either one error that has
 * something to say, or lies in the guest's memory, entered where it lies. Around that memory nothing can be touched.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot/boot.h"
#include "boot/version.h"
#include "fuzz.h"
#include "tests/kernel_image.h"

#define GUEST_SIZE	MIB(4)
#define KERNEL_ADDR	MIB(1)
#define FILE_SIZE	0x3000
#define SETUP_SIZE	0x800

enum { RAW, BZIMAGE, VMLINUX, NR_BASES };

static void make_bzimage(uint8_t *file)
{
	bzimage_header(file, FILE_SIZE, SETUP_SIZE, KERNEL_ADDR)->kernel_version = 0x300;
	strcpy((char *)file + 0x500, "6.1.0-1-amd64 (fuzz)");
}

static void make_vmlinux(uint8_t *file)
{
	vmlinux_headers(file, KERNEL_ADDR, 0x200);
	strcpy((char *)file + 0x300, "Linux version 6.1.0-1-amd64 (fuzz)");
}

/* Pieces of data are put over the file: a place of two bytes, a length, the bytes. */
static size_t change(uint8_t *file, const uint8_t *data, size_t size)
{
	size_t at, n, len = FILE_SIZE;

	while (size >= 3) {
		at = (data[0] | data[1] << 8) % FILE_SIZE;
		n = data[2] % 16;
		if (!n)
			len = at;	/* cut there */
		data += 3;
		size -= 3;
		n = n > size ? size : n;
		n = n > FILE_SIZE - at ? FILE_SIZE - at : n;
		memcpy(file + at, data, n);
		data += n;
		size -= n;
	}
	return len;
}

/* A guest's memory between two pages that nobody may touch. */
static struct memory *guest_memory(void)
{
	static struct memory memory;
	uint8_t *at;

	if (memory.nr_regions)
		return &memory;
	at = mmap(NULL, GUEST_SIZE + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(at != MAP_FAILED && !mprotect(at + 4096, GUEST_SIZE, PROT_READ | PROT_WRITE));
	memory.region[0] = (struct memory_region){ .size = GUEST_SIZE, .host_addr = at + 4096 };
	memory.nr_regions = 1;
	return &memory;
}

void fuzz_input(const uint8_t *data, size_t size)
{
	static uint8_t file[FILE_SIZE];
	char path[32], release[KERNEL_RELEASE_SIZE];
	struct boot_source source = { .kernel = path, .cmdline = "quiet" };
	struct vm_error err = { 0 }, told = { 0 }, version = { 0 };
	struct boot_entry entry;
	int fd = memfd_create("kernel", MFD_CLOEXEC);
	size_t len;
	int ret;

	if (fd < 0 || !size)
		return;
	memset(file, 0, sizeof(file));
	switch (data[0] % NR_BASES) {
	case RAW:
		len = size - 1 < FILE_SIZE ? size - 1 : FILE_SIZE;
		memcpy(file, data + 1, len);
		break;
	case BZIMAGE:
		make_bzimage(file);
		len = change(file, data + 1, size - 1);
		break;
	default:
		make_vmlinux(file);
		len = change(file, data + 1, size - 1);
		break;
	}
	MUST(write(fd, file, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* The same file is its initramfs, too, so that there is one. */
	source.initramfs_fd = data[0] & 0x80 ? fd : 0;
	ret = boot_load(guest_memory(), &source, &entry, &err);
	if (ret) {
		MUST(err.status == VM_STATUS_FAILURE && err.text[0] && err.hint[0]);
	} else {
		MUST(!err.status && entry.rip >= KERNEL_ADDR && entry.rip < GUEST_SIZE);
		/* What is looked at beforehand refuses no kernel that loads. */
		MUST(!boot_check(path, &told));
	}
	if (kernel_release(path, release, &version))
		MUST(version.text[0] && version.hint[0]);
	else
		MUST(release[0] && !strchr(release, '/') && memchr(release, 0, sizeof(release)));
	close(fd);
}

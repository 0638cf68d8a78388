// SPDX-License-Identifier: GPL-2.0
/*
 * Modules as a distribution packs them: any file is either one error that has something to say, or so many bytes; what is not packed
 * stays as it is.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot/unpack.h"
#include "fuzz.h"

/* They are loaded and given back for each file, which is slow unless they stay. */
static void keep_libraries(void)
{
	static void *library[3];

	if (library[0])
		return;
	library[0] = dlopen("liblzma.so.5", RTLD_NOW);
	library[1] = dlopen("libzstd.so.1", RTLD_NOW);
	library[2] = dlopen("libz.so.1", RTLD_NOW);
	MUST(library[0] && library[1] && library[2]);
}

void fuzz_input(const uint8_t *data, size_t size)
{
	static const struct { const char *bytes; size_t len; } magic[] = {
		{ "", 0 }, { "\xfd" "7zXZ\0", 6 }, { "\x28\xb5\x2f\xfd", 4 }, { "\x1f\x8b\x08", 3 },
	};
	int fd = memfd_create("module", MFD_CLOEXEC);
	struct unpacked file = { 0 };
	struct vm_error err = { 0 };
	uint8_t sum = 0;
	char path[32];
	size_t i;

	keep_libraries();
	if (fd < 0 || !size)
		return;
	i = data[0] % 4;
	MUST(write(fd, magic[i].bytes, magic[i].len) == (ssize_t)magic[i].len);
	MUST(write(fd, data + 1, size - 1) == (ssize_t)size - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (unpack_file(&file, path, &err)) {
		MUST(err.text[0] && err.hint[0] && !file.data);
	} else {
		MUST(!err.status && file.data && file.size <= UNPACK_MAX_SIZE);
		for (i = 0; i < file.size; i += 4096)
			sum += file.data[i];
		*(volatile uint8_t *)&sum = sum;
		unpack_free(&file);
	}
	close(fd);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel modules come as they are, or compressed by the distribution. The libraries are
 * loaded when a file needs one. Called by modules.c.
 */
#include <dlfcn.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "image.h"
#include "unpack.h"

#define GZIP_ANY_WINDOW	(16 + MAX_WBITS)	/* zlib: expect a gzip header */

/* No module is packed so small; a damaged file is not worth more memory. */
#define MAX_RATIO	1024

/*
 * Unpacks @in into @out, which has @out->size bytes; that becomes what was filled.
 * UNPACK_SMALL: more room is needed.
 */
enum unpack_result { UNPACK_DONE, UNPACK_SMALL, UNPACK_BAD };
typedef enum unpack_result unpack_fn(void *library, const struct unpacked *in,
				     struct unpacked *out);

static enum unpack_result unpack_xz(void *library, const struct unpacked *in,
				    struct unpacked *out)
{
	__typeof__(&lzma_stream_buffer_decode) decode =
		(__typeof__(decode))dlsym(library, "lzma_stream_buffer_decode");
	u64 memory = UNPACK_MAX_SIZE;
	size_t from = 0, to = 0;
	lzma_ret ret;

	if (!decode)
		return UNPACK_BAD;
	ret = decode(&memory, 0, NULL, in->data, &from, in->size, out->data, &to, out->size);
	out->size = to;
	return ret == LZMA_OK ? UNPACK_DONE :
	       ret == LZMA_BUF_ERROR ? UNPACK_SMALL : UNPACK_BAD;
}

static enum unpack_result unpack_zstd(void *library, const struct unpacked *in,
				      struct unpacked *out)
{
	__typeof__(&ZSTD_decompress) decompress =
		(__typeof__(decompress))dlsym(library, "ZSTD_decompress");
	__typeof__(&ZSTD_isError) is_error = (__typeof__(is_error))dlsym(library, "ZSTD_isError");
	size_t n;

	if (!decompress || !is_error)
		return UNPACK_BAD;
	n = decompress(out->data, out->size, in->data, in->size);
	/* What went wrong is not in the stable interface: a damaged file fails with any room. */
	if (is_error(n))
		return UNPACK_SMALL;
	out->size = n;
	return UNPACK_DONE;
}

static enum unpack_result unpack_gzip(void *library, const struct unpacked *in,
				      struct unpacked *out)
{
	__typeof__(&inflateInit2_) init = (__typeof__(init))dlsym(library, "inflateInit2_");
	__typeof__(&inflate) run = (__typeof__(run))dlsym(library, "inflate");
	__typeof__(&inflateEnd) end = (__typeof__(end))dlsym(library, "inflateEnd");
	z_stream stream = { .next_in = in->data, .avail_in = in->size,
			    .next_out = out->data, .avail_out = out->size };
	int ret;

	if (!init || !run || !end ||
	    init(&stream, GZIP_ANY_WINDOW, ZLIB_VERSION, sizeof(stream)) != Z_OK)
		return UNPACK_BAD;
	ret = run(&stream, Z_FINISH);
	end(&stream);
	out->size = stream.total_out;
	return ret == Z_STREAM_END ? UNPACK_DONE :
	       ret == Z_BUF_ERROR && !stream.avail_out ? UNPACK_SMALL : UNPACK_BAD;
}

static const struct format {
	const char *name;
	const char *library;
	u8 magic[4];
	unsigned int magic_len;
	unpack_fn *unpack;
} formats[] = {
	{ "xz", "liblzma.so.5", { 0xfd, '7', 'z', 'X' }, 4, unpack_xz },
	{ "zstd", "libzstd.so.1", { 0x28, 0xb5, 0x2f, 0xfd }, 4, unpack_zstd },
	{ "gzip", "libz.so.1", { 0x1f, 0x8b }, 2, unpack_gzip },
};

static int unpack(const struct format *format, struct unpacked *file, const char *path,
		  struct vm_error *err)
{
	void *library = dlopen(format->library, RTLD_NOW | RTLD_LOCAL);
	enum unpack_result result = UNPACK_SMALL;
	struct unpacked out = { 0 };
	u64 room = file->size;

	if (!library)
		return vm_fail(err, VM_STATUS_FAILURE, "install the package with that library",
			       "cannot unpack %.200s (%s): %.200s", path, format->name, dlerror());
	while (result == UNPACK_SMALL && room <= UNPACK_MAX_SIZE / 4 &&
	       room < file->size * MAX_RATIO) {
		free(out.data);
		room *= 4;
		out.data = malloc(room);
		out.size = room;
		if (!out.data)
			break;
		result = format->unpack(library, file, &out);
	}
	dlclose(library);
	if (result != UNPACK_DONE) {
		free(out.data);
		return vm_fail(err, VM_STATUS_FAILURE,
			       "the file is damaged: install the kernel's package again",
			       "cannot unpack %.200s (%s)", path, format->name);
	}
	unpack_free(file);
	*file = out;
	return 0;
}

static int read_whole(struct unpacked *file, const char *path, struct vm_error *err)
{
	struct image image;
	int ret = -1;

	if (image_open(&image, path, "module", err))
		return -1;
	file->size = image.size;
	file->data = NULL;
	if (!image.size || image.size > UNPACK_MAX_SIZE)
		vm_fail(err, VM_STATUS_FAILURE, "install the kernel's package again",
			"cannot use the module %.200s: it has %llu bytes", path,
			(unsigned long long)image.size);
	else if (!(file->data = malloc(image.size)))
		vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	else
		ret = image_read(&image, 0, file->data, image.size, err);
	image_close(&image);
	return ret;
}

int unpack_file(struct unpacked *file, const char *path, struct vm_error *err)
{
	unsigned int i;
	int ret = read_whole(file, path, err);

	for (i = 0; i < ARRAY_SIZE(formats) && !ret; i++) {
		const struct format *f = &formats[i];

		if (file->size > f->magic_len && !memcmp(file->data, f->magic, f->magic_len)) {
			ret = unpack(f, file, path, err);
			break;
		}
	}
	if (ret)
		unpack_free(file);
	return ret;
}

void unpack_free(struct unpacked *file)
{
	free(file->data);
	file->data = NULL;
	file->size = 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Opening and reading the files of boot/, with every bound in one place.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"

int image_open(struct image *image, const char *path, const char *what,
	       struct vm_error *err)
{
	/* A pipe is refused below, but must not be waited for here. */
	return image_take(image, open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), path, what, err);
}

int image_take(struct image *image, int fd, const char *path, const char *what,
	       struct vm_error *err)
{
	struct stat st;

	image->path = path;
	image->what = what;
	image->fd = fd;
	if (image->fd < 0)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "check the path, and that you may read the file",
			       "cannot open the %s %.200s: %s", what, path,
			       strerror(errno));
	if (fstat(image->fd, &st) || !S_ISREG(st.st_mode)) {
		image_close(image);
		return vm_fail(err, VM_STATUS_FAILURE,
			       "give a regular file, not a pipe or a directory",
			       "cannot use the %s %.200s: not a regular file",
			       what, path);
	}
	image->size = st.st_size;
	return 0;
}

void image_close(struct image *image)
{
	if (image->fd >= 0)
		close(image->fd);
	image->fd = -1;
}

int image_read(const struct image *image, u64 offset, void *buf, u64 len,
	       struct vm_error *err)
{
	u8 *to = buf;

	if (offset > image->size || len > image->size - offset)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "the file is cut short or damaged: copy or build it again",
			       "cannot load the %s %.200s: it points past its own end",
			       image->what, image->path);
	while (len) {
		ssize_t n = pread(image->fd, to, min_u64(len, GIB(1)), offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return vm_fail(err, VM_STATUS_FAILURE, "copy or build it again",
				       "cannot read the %s %.200s: %s",
				       image->what, image->path,
				       n ? strerror(errno) : "it became shorter");
		to += n;
		offset += n;
		len -= n;
	}
	return 0;
}

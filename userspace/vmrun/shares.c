// SPDX-License-Identifier: GPL-2.0
/*
 * Makes, adds and takes away the devices of shared folders. Called by machine.c; what a
 * device does is virtio/fs.c's, and the files are fs/'s.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shares.h"

/*
 * A Linux guest has a KiB for each file that it knows, and so is out of memory before it
 * meets this: a share has 128 bytes for one.
 */
#define PART_OF_MEMORY	8

void shares_init(struct shares *shares, struct pci *pci, struct irq *irq, int machine_fd)
{
	memset(shares, 0, sizeof(*shares));
	shares->pci = pci;
	shares->irq = irq;
	shares->machine_fd = machine_fd;
}

/*
 * Where the machine's folder lies, and that itself, should it be what is shared; and what is
 * above stays where it is, for the next vmrun goes there by a path.
 */
static int hide_machines(const struct shares *shares, struct fs *server, struct vm_error *err)
{
	int fd, ret;

	if (shares->machine_fd < 0)
		return 0;
	fs_hide(server, shares->machine_fd);
	fd = openat(shares->machine_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
	} else {
		fs_hide(server, fd);
		ret = fs_fix_above(server, fd);
		close(fd);
	}
	if (!ret)
		return 0;
	return vm_fail(err, VM_STATUS_FAILURE, "set XDG_RUNTIME_DIR to a folder of yours",
		       "cannot keep a share from the folders above the machine's: %s", strerror(-ret));
}

static int add_device(struct shares *shares, struct share *share, const char *tag,
		      const char *path, enum fs_access access, struct vm_error *err)
{
	if (virtio_fs_create(&share->fs, share->name, tag, path, access, err))
		return -1;
	fs_limit(share->fs.server, memory_size(shares->pci->memory) / PART_OF_MEMORY);
	share->function = hide_machines(shares, share->fs.server, err) ? NULL :
			  virtio_pci_add(shares->pci, shares->irq, &share->fs.dev, err);
	if (share->function)
		return 0;
	virtio_fs_destroy(&share->fs);
	return -1;
}

int shares_add(struct shares *shares, struct sandbox *sandbox, const char *tag, const char *path,
	       enum fs_access access, struct vm_error *err)
{
	struct share *share;

	if (shares->nr == SHARES_MAX)
		return vm_fail(err, VM_STATUS_FAILURE, "share a folder above them",
			       "a guest has %d shares at most", SHARES_MAX);
	share = calloc(1, sizeof(*share));
	if (!share)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	snprintf(share->name, sizeof(share->name), "fs%u", shares->nr);
	if (access == FS_READ_WRITE)
		sandbox_keep_owners(sandbox);
	if (sandbox_grant(sandbox, path, access == FS_READ_ONLY ? SANDBOX_READ : SANDBOX_WRITE,
			  "a shared folder", err) ||
	    add_device(shares, share, tag, path, access, err)) {
		free(share);
		return -1;
	}
	shares->share[shares->nr++] = share;
	return 0;
}

int shares_start(struct shares *shares, const struct sandbox *sandbox, struct vm_error *err)
{
	unsigned int i;

	for (i = 0; i < shares->nr; i++) {
		if (virtio_fs_start(&shares->share[i]->fs, sandbox, err)) {
			shares_stop(shares);
			return -1;
		}
		shares->share[i]->started = true;
	}
	return 0;
}

void shares_stop(struct shares *shares)
{
	unsigned int i;

	for (i = 0; i < shares->nr; i++) {
		struct share *share = shares->share[i];

		if (!share->started)
			continue;
		virtio_pci_stop(share->function);
		virtio_fs_stop(&share->fs);
		shares->abandoned |= share->fs.abandoned;
		share->started = false;
	}
}

void shares_destroy(struct shares *shares)
{
	while (shares->nr) {
		struct share *share = shares->share[--shares->nr];

		if (share->fs.abandoned)
			continue;
		virtio_pci_remove(share->function);
		virtio_fs_destroy(&share->fs);
		free(share);
	}
}

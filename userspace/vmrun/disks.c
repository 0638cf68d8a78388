// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the block devices of a machine. One device is virtio/blk.c's, its image disk/'s.
 * Called by machine.c.
 */
#include <stdlib.h>
#include <string.h>

#include "disks.h"

static int create(struct disks *disks, const char *arg, struct loop *loop, struct vm_error *err)
{
	enum disk_mode mode;
	char *path = strndup(arg, disk_split(arg, &mode));
	int ret;

	if (!path)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	ret = blk_create(&disks->blk[disks->nr], disks->nr, path, mode, loop, err);
	free(path);
	if (!ret)
		disks->nr++;
	return ret;
}

static int create_root(struct disks *disks, const struct system_disk *root, struct loop *loop,
		       struct vm_error *err)
{
	int ret = blk_create(&disks->blk[0], 0, root->path, root->mode, loop, err);

	if (!ret)
		disks->nr++;
	return ret;
}

int disks_create(struct disks *disks, const struct system_disk *root,
		 const struct config_list *list, struct pci *pci, struct irq *irq,
		 struct loop *loop, struct vm_error *err)
{
	unsigned int before = root != NULL, nr = list->nr + before;

	*disks = (struct disks){ .blk = calloc(nr, sizeof(*disks->blk)) };
	if (nr && !disks->blk)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	while (disks->nr < nr) {
		if ((disks->nr < before ? create_root(disks, root, loop, err) :
		     create(disks, list->item[disks->nr - before], loop, err)) ||
		    blk_attach(&disks->blk[disks->nr - 1], pci, irq, err)) {
			disks_destroy(disks);
			return -1;
		}
	}
	return 0;
}

int disks_start(struct disks *disks, const struct sandbox *sandbox, struct vm_error *err)
{
	unsigned int i;

	for (i = 0; i < disks->nr; i++) {
		if (blk_start(&disks->blk[i], sandbox, err)) {
			disks_stop(disks);
			return -1;
		}
	}
	return 0;
}

void disks_stop(struct disks *disks)
{
	unsigned int i;

	for (i = 0; i < disks->nr; i++) {
		blk_stop(&disks->blk[i]);
		disks->abandoned |= disks->blk[i].abandoned;
	}
}

void disks_destroy(struct disks *disks)
{
	while (disks->nr)
		blk_destroy(&disks->blk[--disks->nr]);
	if (!disks->abandoned)
		free(disks->blk);
	disks->blk = NULL;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The folders of the host that a machine's guest has: a virtio-fs device for each.
 */
#ifndef VMRUN_SHARES_H
#define VMRUN_SHARES_H

#include "virtio/fs.h"
#include "virtio/pci.h"

/* The root and those of -v. */
#define SHARES_MAX	17

struct share {
	char name[8];		/* of device and thread */
	struct virtio_fs fs;
	struct virtio_pci *function;
};

struct shares {
	struct pci *pci;
	struct irq *irq;
	struct kvirt *kvirt;
	struct share *share[SHARES_MAX];
	unsigned int nr;
};

/* What the devices are added to; all three outlive @shares. */
void shares_init(struct shares *shares, struct pci *pci, struct irq *irq, struct kvirt *kvirt);

/*
 * Gives the guest folder @path of the host, which it mounts as @tag, and starts the
 * thread that serves it. After the last fork(), before a vCPU runs. Returns 0, or -1 with
 * @err filled in and the others as they were.
 */
int shares_add(struct shares *shares, const char *tag, const char *path, enum fs_access access,
	       struct vm_error *err);

/* Takes all away; no vCPU runs any more. */
void shares_destroy(struct shares *shares);

#endif

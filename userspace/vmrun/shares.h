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
	bool started;
};

struct shares {
	struct pci *pci;
	struct irq *irq;
	int machine_fd;
	struct share *share[SHARES_MAX];
	unsigned int nr;
	bool abandoned;		/* one was, and the guest's memory with it (virtio_fs_stop()) */
};

/*
 * What the devices are added to, and the folder of this machine (-1: none), which no share
 * shows, nor those of others: a file of it that was opened and closed in this process would
 * end the lock that tells that the machine lives. All outlive @shares.
 */
void shares_init(struct shares *shares, struct pci *pci, struct irq *irq, int machine_fd);

/*
 * Gives the guest folder @path of the host, which it mounts as @tag, and has @sandbox let
 * the folder in. Returns 0, or -1 with @err filled in and the others as they were.
 */
int shares_add(struct shares *shares, struct sandbox *sandbox, const char *tag, const char *path,
	       enum fs_access access, struct vm_error *err);

/*
 * Starts the threads that serve them, in @sandbox. After the last fork(), before a vCPU
 * runs. Returns 0, or -1 with @err filled in and no thread running.
 */
int shares_start(struct shares *shares, const struct sandbox *sandbox, struct vm_error *err);

/* Ends the threads; no vCPU runs any more. */
void shares_stop(struct shares *shares);

/* Takes all away; no thread runs any more. */
void shares_destroy(struct shares *shares);

#endif

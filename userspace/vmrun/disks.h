/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine's disks: what -d asks for, as block devices.
 */
#ifndef VMRUN_DISKS_H
#define VMRUN_DISKS_H

#include "config.h"
#include "system.h"
#include "virtio/blk.h"

struct disks {
	struct blk *blk;
	unsigned int nr;	/* those that are there */
	bool abandoned;		/* one was, and the guest's memory with it (blk_stop()) */
};

/*
 * Makes one of @root (NULL: there is none) and one for each of @list and adds them to the bus;
 * kicks are served in @loop's thread. Returns 0, or -1 with @err filled in and nothing left behind.
 */
int disks_create(struct disks *disks, const struct system_disk *root,
		 const struct config_list *list, struct pci *pci, struct irq *irq,
		 struct loop *loop, struct vm_error *err);

/* Starts their threads in @sandbox, before a vCPU runs. 0, or -1 with @err and none running. */
int disks_start(struct disks *disks, const struct sandbox *sandbox, struct vm_error *err);

/* Ends the threads, once neither the vCPUs nor the loop run. */
void disks_stop(struct disks *disks);

/* Once neither the vCPUs nor the loop run. */
void disks_destroy(struct disks *disks);

#endif

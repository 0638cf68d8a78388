/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The initramfs that vmrun makes: process 1 of the guest, the modules that it loads and
 * a file that tells it what to do. It is made in a child process while the machine is
 * built, since the libraries that it takes are larger than vmrun.
 */
#ifndef VMRUN_BOOT_LIVE_H
#define VMRUN_BOOT_LIVE_H

#include <sys/types.h>

#include "../log.h"
#include "../types.h"
#include "modules.h"

struct live_share {
	const char *tag;	/* of the virtio-fs device */
	const char *path;	/* where it is mounted in the guest */
	bool read_only;
};

/* What the guest is to find; its strings and arrays outlive live_start(). */
struct live_plan {
	const char *kernel;
	const char *modules;	/* "/lib/modules" */
	const char *hostname;
	const char *net;	/* address, netmask, gateway, name server of its card; or NULL */
	const char *root;	/* "virtiofs TAG", or "disk DEVICE FILESYSTEM rw", or "ro" with an overlay */
	const struct module_want *want;
	unsigned int nr_want;
	const struct live_share *share;
	unsigned int nr_shares;
	const char *const *channel;	/* names of virtio ports */
	unsigned int nr_channels;
};

struct live {
	pid_t child;		/* 0: none */
	int archive_fd;		/* a memfd, whole once the child ended well */
	int error_fd;		/* the child's struct vm_error */
};

/* Starts the child. No thread may run yet. Returns 0, or -1 with @err filled in. */
int live_start(struct live *live, const struct live_plan *plan, struct vm_error *err);

/* Waits for it. Returns 0 and the archive in live->archive_fd, or -1 with the child's @err. */
int live_wait(struct live *live, struct vm_error *err);

/* Ends a child that is still there; closes the archive. */
void live_destroy(struct live *live);

/* What live_start()'s child does: writes the archive of @plan to @fd. For the tests. */
int live_write(int fd, const struct live_plan *plan, struct vm_error *err);

#endif

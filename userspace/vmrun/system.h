/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest that vmrun makes when no initramfs is given: a kernel of this system (or
 * another), a folder of the host as its root, a command in it. What is to be started, as
 * values; the machine around it is machine.c's.
 */
#ifndef VMRUN_SYSTEM_H
#define VMRUN_SYSTEM_H

#include <limits.h>

#include "boot/live.h"
#include "config.h"
#include "disk/disk.h"
#include "disk/root.h"
#include "environment.h"
#include "session.h"
#include "terminal.h"

#define SYSTEM_MAX_VOLUMES	16
#define SYSTEM_MAX_CHANNELS	16	/* more than the device has */
#define SYSTEM_ROOT_TAG	"root"
#define SYSTEM_SHARE_TAG	"share%u"	/* as machine.c names the devices of -v */
/* Nobody reads the console unless something fails. */
#define SYSTEM_ARGS	"console=ttyS0 quiet panic=-1 cryptomgr.notests"

/* The disk that has the guest's root; it is the first of the machine's. */
struct system_disk {
	char path[PATH_MAX];
	enum disk_mode mode;
	struct disk_root root;
};

#define SYSTEM_MAX_MODULES	16

struct system {
	char kernel[PATH_MAX];
	char root[PATH_MAX];	/* of the host; the guest's "/". Empty: it is on a disk */
	struct system_disk disk;
	char directory[PATH_MAX];	/* of the guest, where the command starts */
	bool directory_given;	/* by the user: it must be there */
	const char *shell[4];	/* when there is no command */
	const char *const *argv;
	struct environment env;
	struct module_want want[SYSTEM_MAX_MODULES];
	unsigned int nr_want;
	struct config_volume volume[SYSTEM_MAX_VOLUMES];
	struct live_share share[SYSTEM_MAX_VOLUMES];
	char tag[SYSTEM_MAX_VOLUMES][16];
	unsigned int nr_volumes;
	char channel[SYSTEM_MAX_CHANNELS][CONFIG_MAX_CHANNEL_NAME + 1];
	const char *channel_name[SYSTEM_MAX_CHANNELS];
	unsigned int nr_channels;
	struct live live;
};

/*
 * Finds out what @config means here and starts to make the initramfs. Returns 0, or -1
 * with @err filled in and nothing left behind.
 */
int system_create(struct system *system, const struct vm_config *config, struct vm_error *err);
void system_destroy(struct system *system);

static inline bool system_has_disk(const struct system *system)
{
	return system->disk.path[0];
}

/*
 * What session_start() needs, but for what is called back. On a terminal (@terminal, and
 * standard output too) the command gets one of its own.
 */
void system_command(const struct system *system, const struct terminal *terminal,
		    struct session_spec *spec);

#endif

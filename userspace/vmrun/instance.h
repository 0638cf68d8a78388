/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The folder of a machine, by which others find it: RUNTIME/vmrun/NAME, RUNTIME being
 * $XDG_RUNTIME_DIR, /run/user/UID, or else /tmp/vmrun-UID in its place. In it:
 *
 *   pid            held by a lock (fcntl) for as long as the machine lives
 *   control.sock   control.h
 *   console.log    what the guest's console said
 *   machine.json   what the machine is and, when it is over, how it ended
 *   trace.json     of a guest that crashed: the last exits of its vCPUs
 *   vmrun.log      of a detached machine: what vmrun itself said
 *
 * The lock tells a machine that runs from what a dead one left behind, however it died.
 */
#ifndef VMRUN_INSTANCE_H
#define VMRUN_INSTANCE_H

#include <sys/types.h>

#include "log.h"
#include "types.h"

#define INSTANCE_MAX_NAME	32

struct json_t;

struct instance {
	char name[INSTANCE_MAX_NAME + 1];
	int dir_fd;	/* -1: there is none */
	int pid_fd;	/* holds the lock; -1: of another process's machine */
};

/* A check of options.def: letters, digits and "-_.", the first a letter or digit. */
int instance_check_name(const char *name, struct vm_error *err);

/*
 * Makes the folder of @name (NULL: one that is free is made up) and holds it. The name of
 * a machine that has ended can be had again.
 */
int instance_create(struct instance *instance, const char *name, struct vm_error *err);

/* Opens the folder of a machine that is there, running or ended. */
int instance_open(struct instance *instance, const char *name, struct vm_error *err);

/* Gives everything back; the folder stays. */
void instance_close(struct instance *instance);

/* Removes the folder of a machine of ours, or of an ended one; -1 when it still runs. */
int instance_remove(struct instance *instance, struct vm_error *err);

/*
 * The process that runs it; 0 when nobody does, -1 for one that cannot be named from here (a
 * container's).
 */
pid_t instance_pid(const struct instance *instance);

/* Replaces @file by @object (kept), as one step for those who read it. */
int instance_write_json(const struct instance *instance, const char *file, struct json_t *object,
			struct vm_error *err);

/* What is in @file, or NULL where there is none or it is damaged. To be released. */
struct json_t *instance_read_json(const struct instance *instance, const char *file);

/* A file of the folder, opened with @flags and mode 0600; -errno when that fails. */
int instance_open_file(const struct instance *instance, const char *file, int flags);

/* Calls @fn with each name that there is; stops where it returns other than 0. */
int instance_for_each(int (*fn)(void *ctx, const char *name), void *ctx, struct vm_error *err);

#endif

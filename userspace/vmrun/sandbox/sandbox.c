// SPDX-License-Identifier: GPL-2.0
/*
 * The sandbox as a value: how strict it is, and the files that were granted while the
 * machine was built. Nothing is given up here, that is jail.c's. Called by options.def,
 * by machine.c, and by whoever opens files by name after the jail is shut.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox.h"

static const char *const modes[] = {
	[SANDBOX_ON] = "on", [SANDBOX_REPORT] = "report", [SANDBOX_OFF] = "off",
};

int sandbox_check_mode(const char *mode, struct vm_error *err)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++)
		if (!strcmp(mode, modes[i]))
			return 0;
	return vm_fail(err, VM_STATUS_FAILURE, "use --sandbox on, report or off",
		       "there is no sandbox '%.64s'", mode);
}

void sandbox_init(struct sandbox *sandbox, const char *mode)
{
	unsigned int i;

	memset(sandbox, 0, sizeof(*sandbox));
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		if (!strcmp(mode, modes[i]))
			sandbox->mode = i;
}

void sandbox_destroy(struct sandbox *sandbox)
{
	while (sandbox->nr_grants)
		free(sandbox->grant[--sandbox->nr_grants].path);
}

int sandbox_grant(struct sandbox *sandbox, const char *path, enum sandbox_access access,
		  const char *reason, struct vm_error *err)
{
	struct sandbox_grant *grant = &sandbox->grant[sandbox->nr_grants];

	if (sandbox->nr_grants == SANDBOX_MAX_GRANTS)
		return vm_fail(err, VM_STATUS_SANDBOX, SANDBOX_HINT,
			       "the machine was given more than %d files and folders",
			       SANDBOX_MAX_GRANTS);
	*grant = (struct sandbox_grant){ strdup(path), access, reason };
	if (!grant->path)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	sandbox->nr_grants++;
	return 0;
}

int sandbox_grant_machine(struct sandbox *sandbox, int fd, struct vm_error *err)
{
	char name[32], path[PATH_MAX], *slash;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (!realpath(name, path))
		return vm_fail(err, VM_STATUS_SANDBOX, errno == ENOENT ? "mount /proc" : "are too many files open?",
			       "cannot read %s: %s", name,
			       strerror(errno));
	if (sandbox_grant(sandbox, path, SANDBOX_WRITE, "this machine's folder", err))
		return -1;
	slash = strrchr(path, '/');
	slash[slash == path] = 0;
	return sandbox_grant(sandbox, path, SANDBOX_REMOVE, "where that lies, which it is removed from",
			     err);
}

int sandbox_grant_socket(struct sandbox *sandbox, const char *path, const char *reason,
			 struct vm_error *err)
{
	char folder[PATH_MAX], *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = 0;
	return sandbox_grant(sandbox, slash ? folder : ".", SANDBOX_REMOVE, reason, err);
}

void sandbox_keep_owners(struct sandbox *sandbox)
{
	sandbox->owners = true;
}

int sandbox_grant_network(struct sandbox *sandbox, struct vm_error *err)
{
	char path[PATH_MAX], *folder;

	sandbox->network = true;
	/* Without one libslirp answers for itself. */
	if (!realpath("/etc/resolv.conf", path))
		return 0;
	/*
	 * Whoever manages it replaces the file when the network changes. A folder of its own
	 * can be let in as a whole; of /etc it is the file that is there now.
	 */
	folder = strrchr(path, '/');
	if (strncmp(path, "/etc/", 5) && folder != path)
		*folder = 0;
	return sandbox_grant(sandbox, path, SANDBOX_READ, "the name server's address", err);
}

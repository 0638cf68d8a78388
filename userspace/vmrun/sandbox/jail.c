// SPDX-License-Identifier: GPL-2.0
/*
 * What holds for the whole process, applied once. Called by machine.c, between the last
 * step of building and the first thread.
 */
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "landlock.h"
#include "sandbox.h"

#define HINT "run without the sandbox: --sandbox off"

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
		return vm_fail(err, VM_STATUS_SANDBOX, HINT,
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
		return vm_fail(err, VM_STATUS_SANDBOX, "mount /proc", "cannot read %s: %s", name,
			       strerror(errno));
	if (sandbox_grant(sandbox, path, SANDBOX_WRITE, "this machine's folder", err))
		return -1;
	slash = strrchr(path, '/');
	slash[slash == path] = 0;
	return sandbox_grant(sandbox, path, SANDBOX_REMOVE, "where that lies, which it is removed from",
			     err);
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

/* All of them, from all sets; what has none already does not mind. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	unsigned long cap;

	/* It takes a capability itself; without it the set says nothing that could be used. */
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, none);
}

/*
 * NPROC is left alone: it counts the user's processes, and the kernel's own threads of
 * io_uring too; that none is made the filters see to, in which there is no clone().
 */
static int set_limits(void)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit files;

	/* A guest's memory is nobody else's: not in a core dump, nor for a debugger. */
	if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
	    getrlimit(RLIMIT_NOFILE, &files))
		return -1;
	files.rlim_max = files.rlim_cur;
	return setrlimit(RLIMIT_NOFILE, &files);
}

int sandbox_jail(struct sandbox *sandbox, struct vm_error *err)
{
	sandbox->jailed = true;
	if (sandbox->mode == SANDBOX_OFF)
		return 0;
	/* Filters need it too, of whoever has no privileges to begin with. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return vm_fail(err, VM_STATUS_SANDBOX, HINT, "cannot give up new privileges: %s",
			       strerror(errno));
	if (sandbox->mode == SANDBOX_REPORT) {
		sandbox_print(sandbox, stderr);
		return 0;
	}
	if (sandbox_catch_forbidden(err))
		return -1;
	if (set_limits())
		return vm_fail(err, VM_STATUS_SANDBOX, HINT, "cannot set limits: %s",
			       strerror(errno));
	if (landlock_confine(sandbox, err))
		return -1;
	if (drop_capabilities())
		return vm_fail(err, VM_STATUS_SANDBOX, HINT, "cannot drop capabilities: %s",
			       strerror(errno));
	return 0;
}

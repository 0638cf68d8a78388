// SPDX-License-Identifier: GPL-2.0
/*
 * What holds for the whole process, applied once. Called by machine.c, between the last
 * step of building and the first thread.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "capabilities.h"
#include "landlock.h"
#include "sandbox.h"

/*
 * All of them; but where the guest may change files as root could, the threads that do it
 * keep root's power over files. Only if landlock holds them in their folders.
 */
static int drop_capabilities(struct sandbox *sandbox)
{
	if (sandbox->owners && landlock_version() >= LANDLOCK_OLDEST)
		sandbox->kept = CAPABILITIES_FILES & capabilities_own();
	return capabilities_drop(sandbox->kept);
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
		return vm_fail(err, VM_STATUS_SANDBOX, SANDBOX_HINT, "cannot give up new privileges: %s",
			       strerror(errno));
	if (sandbox->mode == SANDBOX_REPORT) {
		sandbox_print(sandbox, stderr);
		return 0;
	}
	if (sandbox_catch_forbidden(err))
		return -1;
	if (set_limits())
		return vm_fail(err, VM_STATUS_SANDBOX, SANDBOX_HINT, "cannot set limits: %s",
			       strerror(errno));
	if (landlock_confine(sandbox, err))
		return -1;
	if (drop_capabilities(sandbox))
		return vm_fail(err, VM_STATUS_SANDBOX, SANDBOX_HINT, "cannot drop capabilities: %s",
			       strerror(errno));
	return 0;
}

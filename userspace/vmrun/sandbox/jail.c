// SPDX-License-Identifier: GPL-2.0
/*
 * What holds for the whole process, applied once. Called by machine.c, between the last
 * step of building and the first thread.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "landlock.h"
#include "sandbox.h"

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
	if (drop_capabilities())
		return vm_fail(err, VM_STATUS_SANDBOX, SANDBOX_HINT, "cannot drop capabilities: %s",
			       strerror(errno));
	return 0;
}

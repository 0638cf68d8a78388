// SPDX-License-Identifier: GPL-2.0
/*
 * Which files the process may open from now on, by the kernel's landlock
 * (Documentation/userspace-api/landlock.rst). What is open already (the device, disks,
 * the kernel's image) stays so. Called by jail.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "landlock.h"

/* By the kernel's numbers; the second column: since which version. */
#define FS_TRUNCATE	BIT_ULL(14)	/* 3 */
#define FS_IOCTL_DEV	BIT_ULL(15)	/* 5 */
#define NET_BIND_TCP	BIT_ULL(0)	/* 4 */
#define NET_CONNECT_TCP	BIT_ULL(1)	/* 4 */
#define SCOPE_ABSTRACT	BIT_ULL(0)	/* 6: Unix sockets without a path */
#define SCOPE_SIGNAL	BIT_ULL(1)	/* 6 */

/* What a file that is no folder can be granted. */
#define FS_OF_FILES (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
		     LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* Of devices, MAKE_CHAR is what overlayfs marks removed files with: 0:0 needs no privilege. */
#define FS_WRITE (FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
		  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
		  LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
		  LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
		  LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE)

static const u64 rights[] = {
	[SANDBOX_READ] = FS_READ, [SANDBOX_WRITE] = FS_WRITE,
	[SANDBOX_REMOVE] = LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
			   LANDLOCK_ACCESS_FS_REMOVE_DIR,
};

/* struct landlock_ruleset_attr of version 6. */
struct ruleset {
	u64 fs;
	u64 net;
	u64 scope;
};

static struct ruleset all_of(int version, bool network)
{
	struct ruleset all = { .fs = BIT_ULL(14) - 1 };	/* of version 2 */

	if (version >= 3)
		all.fs |= FS_TRUNCATE;
	if (version >= 4 && !network)
		all.net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (version >= 5)
		all.fs |= FS_IOCTL_DEV;
	if (version >= 6)
		all.scope = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	return all;
}

/* A kernel takes a longer structure than its own only where the rest is zero. */
static size_t size_of(int version)
{
	if (version >= 6)
		return sizeof(struct ruleset);
	return version >= 4 ? offsetof(struct ruleset, scope) : offsetof(struct ruleset, net);
}

int landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? 0 : version;
}

static int add_grant(int ruleset_fd, const struct sandbox_grant *grant, u64 handled,
		     struct vm_error *err)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = rights[grant->access] & handled,
		.parent_fd = open(grant->path, O_PATH | O_CLOEXEC),
	};
	struct stat stat;
	int ret = -1;

	if (rule.parent_fd >= 0 && !fstat(rule.parent_fd, &stat)) {
		if (!S_ISDIR(stat.st_mode))
			rule.allowed_access &= FS_OF_FILES;
		ret = syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule,
			      0);
	}
	if (ret)
		vm_fail(err, VM_STATUS_SANDBOX, SANDBOX_HINT,
			"cannot let %.200s (%s) into the sandbox: %s", grant->path, grant->reason,
			strerror(errno));
	if (rule.parent_fd >= 0)
		close(rule.parent_fd);
	return ret ? -1 : 0;
}

int landlock_confine(const struct sandbox *sandbox, struct vm_error *err)
{
	int version = landlock_version(), fd, ret = 0;
	struct ruleset all = all_of(version, sandbox->network);
	unsigned int i;

	if (version < LANDLOCK_OLDEST) {
		log_note("this kernel's landlock is %s: the sandbox does without, and vmrun's threads open what you may open",
			 version ? "too old" : "missing or off");
		return 0;
	}
	fd = syscall(SYS_landlock_create_ruleset, &all, size_of(version), 0);
	if (fd < 0)
		return vm_fail(err, VM_STATUS_SANDBOX, SANDBOX_HINT,
			       "cannot set up landlock: %s", strerror(errno));
	for (i = 0; i < sandbox->nr_grants && !ret; i++)
		ret = add_grant(fd, &sandbox->grant[i], all.fs, err);
	if (!ret && syscall(SYS_landlock_restrict_self, fd, 0))
		ret = vm_fail(err, VM_STATUS_SANDBOX, SANDBOX_HINT,
			      "cannot enter landlock: %s", strerror(errno));
	close(fd);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A mount namespace in which /dev/kvm is another device. Where there is no /dev/kvm to
 * mount over, /dev becomes a tmpfs in which all that /dev has is mounted, one by one, and
 * kvm beside it: devices stay those of the host's devtmpfs, since a tmpfs of a user
 * namespace can hold none. Who is not root needs a user namespace for that, in which only
 * the user and the group are known. Called by main.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "with.h"

#define KVM	"/dev/kvm"

static const char *device_of(const char *accel)
{
	if (!strcmp(accel, "auto") || !strcmp(accel, "kvirt"))
		return "/dev/kvirt";
	return !strcmp(accel, "kvm") ? KVM : accel;
}

static int check_device(const char *device, struct vm_error *err)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return vm_fail(err, VM_STATUS_NO_ACCEL, "vmrun doctor says what is missing",
			       "cannot open %.200s: %s", device, strerror(errno));
	close(fd);
	return 0;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* Root makes mount namespaces; others a user namespace with it, in which they stay who they are. */
static int make_namespace(struct vm_error *err)
{
	unsigned int uid = geteuid(), gid = getegid();
	char uids[64], gids[64];

	if (unshare(CLONE_NEWNS)) {
		snprintf(uids, sizeof(uids), "%u %u 1\n", uid, uid);
		snprintf(gids, sizeof(gids), "%u %u 1\n", gid, gid);
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
		    !write_file("/proc/self/setgroups", "deny") ||
		    !write_file("/proc/self/uid_map", uids) ||
		    !write_file("/proc/self/gid_map", gids))
			return vm_fail(err, VM_STATUS_FAILURE, "vmrun doctor tells how they are allowed",
				       "cannot make a user namespace: %s", strerror(errno));
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return vm_fail(err, VM_STATUS_FAILURE, NULL,
			       "cannot make the mounts private: %s", strerror(errno));
	return 0;
}

/* Mounts @from at @to, a new file or folder. False with errno set. */
static bool bind_new(const char *from, const char *to, bool folder)
{
	int fd;

	if (folder) {
		if (mkdir(to, 0755))
			return false;
	} else {
		fd = open(to, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
		if (fd < 0)
			return false;
		close(fd);
	}
	return !mount(from, to, NULL, MS_BIND | (folder ? MS_REC : 0), NULL);
}

static bool take_over(int dev, const char *name)
{
	char from[300], to[300], target[256];
	struct stat st;
	ssize_t len;

	snprintf(from, sizeof(from), "/proc/self/fd/%d/%s", dev, name);
	snprintf(to, sizeof(to), "/dev/%s", name);
	if (fstatat(dev, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT;	/* it went meanwhile */
	if (!S_ISLNK(st.st_mode))
		return bind_new(from, to, S_ISDIR(st.st_mode));
	len = readlinkat(dev, name, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = 0;
	return !symlink(target, to);
}

/* The /dev that @dev is, in a tmpfs over it, and @device as its kvm. */
static int make_dev(int dev, const char *device, struct vm_error *err)
{
	char from[300];
	struct dirent *entry;
	DIR *dir = fdopendir(dup(dev));
	bool good = dir && !strncmp(device, "/dev/", 5) &&
		    !mount("vmrun", "/dev", "tmpfs", MS_NOSUID, "mode=755");

	while (good && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			good = take_over(dev, entry->d_name);
	snprintf(from, sizeof(from), "/proc/self/fd/%d/%.255s", dev, device + 5);
	good = good && bind_new(from, KVM, false);
	if (!good)
		vm_fail(err, VM_STATUS_FAILURE, "load KVM's module as well, so that there is a /dev/kvm to cover",
			"cannot make a /dev with %.200s as " KVM ": %s", device, strerror(errno));
	if (dir)
		closedir(dir);
	return good ? 0 : -1;
}

static int place_device(const char *device, struct vm_error *err)
{
	int dev, ret;

	if (!strcmp(device, KVM))
		return 0;
	if (!access(KVM, F_OK)) {
		if (!mount(device, KVM, NULL, MS_BIND, NULL))
			return 0;
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "cannot mount %.200s over " KVM ": %s",
			       device, strerror(errno));
	}
	dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dev < 0)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "cannot open /dev: %s", strerror(errno));
	ret = make_dev(dev, device, err);
	close(dev);
	return ret;
}

int with_device(const struct vm_config *config, struct vm_error *err)
{
	const char *device = device_of(config->accel);
	char folder[4096];
	int error;

	/* The working folder may lie below a /dev that is about to be covered. */
	if (check_device(device, err) || make_namespace(err) || place_device(device, err))
		return -1;
	if (getcwd(folder, sizeof(folder)) && chdir(folder))
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "cannot return to %.200s: %s", folder, strerror(errno));
	execvp(config->command[0], (char *const *)config->command);
	error = errno;
	vm_fail(err, error == ENOENT ? VM_STATUS_NOT_FOUND : VM_STATUS_CANNOT_EXECUTE,
		"name a program, for example: vmrun with -- qemu-system-x86_64 -accel kvm",
		"cannot run %.200s: %s", config->command[0], strerror(error));
	return -1;
}

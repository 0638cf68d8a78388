// SPDX-License-Identifier: GPL-2.0
/*
 * Folders of machines: made, found, told apart and removed. Everything below goes by
 * descriptors of folders, so that nobody can put another in their place meanwhile, and
 * the folder above all must be ours and closed to others. Called by main.c and manage.c.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "instance.h"

#define MAX_JSON	MIB(1)
#define TRIES		16

static const char *const files[] = {
	"control.sock", "console.log", "machine.json", "trace.json", "new.json", "vmrun.log",
};

int instance_check_name(const char *name, struct vm_error *err)
{
	size_t i, len = strlen(name);
	bool good = len && len <= INSTANCE_MAX_NAME && isalnum((unsigned char)name[0]);

	for (i = 0; good && i < len; i++)
		good = isalnum((unsigned char)name[i]) || strchr("-_.", name[i]);
	if (good)
		return 0;
	return vm_fail(err, VM_STATUS_FAILURE,
		       "use letters, digits, '-', '_' and '.', 32 at most, for example --name build-1",
		       "cannot use '%.64s' as a machine's name", name);
}

/* Opens @path, which must be a folder of ours that nobody else can enter; or -errno. */
static int open_private(const char *path, bool create)
{
	struct stat st;
	int fd;

	if (create && mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && st.st_uid == geteuid() && !(st.st_mode & 077))
		return fd;
	close(fd);
	return -EPERM;
}

/* The folder above all machines, or -1. With @create it is made where it is not there. */
static int open_root(bool create, struct vm_error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char path[4096];
	struct stat st;
	int fd;

	if (runtime && runtime[0] == '/') {
		snprintf(path, sizeof(path), "%s/vmrun", runtime);
	} else {
		snprintf(path, sizeof(path), "/run/user/%u", geteuid());
		if (!stat(path, &st) && st.st_uid == geteuid())
			strcat(path, "/vmrun");
		else
			snprintf(path, sizeof(path), "/tmp/vmrun-%u", geteuid());
	}
	fd = open_private(path, create);
	if (fd == -ENOENT && !create)
		return vm_fail(err, VM_STATUS_FAILURE, "vmrun ps lists the machines",
			       "there is no machine");
	if (fd == -EPERM)
		return vm_fail(err, VM_STATUS_FAILURE, "remove it, or set XDG_RUNTIME_DIR to a folder of yours",
			       "cannot use %.200s for machines: it is not yours alone", path);
	if (fd < 0)
		return vm_fail(err, VM_STATUS_FAILURE, "set XDG_RUNTIME_DIR to a folder that you may write to",
			       "cannot use %.200s for machines: %s", path, strerror(-fd));
	return fd;
}

/* Takes the lock of the folder's pid file; its descriptor, or -errno (-EBUSY: it runs). */
static int lock_folder(int dir_fd)
{
	struct flock lock = { .l_type = F_WRLCK };
	struct stat now, ours;
	int fd = openat(dir_fd, "pid", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_SETLK, &lock))
		error = errno == EAGAIN || errno == EACCES ? EBUSY : errno;
	else if (fstat(fd, &ours) || fstatat(dir_fd, "pid", &now, AT_SYMLINK_NOFOLLOW) ||
		 ours.st_ino != now.st_ino)
		error = EAGAIN;	/* removed, and perhaps made anew, in between */
	if (!error)
		return fd;
	close(fd);
	return -error;
}

static void empty_folder(int dir_fd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(dir_fd, files[i], 0);
}

/* -errno; -EEXIST with @fresh when the name is taken, -EBUSY when its machine runs. */
static int make_folder(struct instance *instance, int root, bool fresh)
{
	bool made = !mkdirat(root, instance->name, 0700);
	int fd;

	if (!made && (fresh || errno != EEXIST))
		return -errno;
	instance->dir_fd = openat(root, instance->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (instance->dir_fd < 0) {
		fd = -errno;
		goto failed;
	}
	fd = lock_folder(instance->dir_fd);
	if (fd >= 0) {
		instance->pid_fd = fd;
		empty_folder(instance->dir_fd);
		if (!ftruncate(fd, 0) && dprintf(fd, "%d\n", getpid()) > 0)
			return 0;
		fd = -errno;
		/* While the lock is ours. */
		if (made)
			unlinkat(instance->dir_fd, "pid", 0);
	}
failed:
	/* Only while it is empty: another may have taken the name. */
	if (made)
		unlinkat(root, instance->name, AT_REMOVEDIR);
	instance_close(instance);
	return fd;
}

static int make_up_name(struct instance *instance)
{
	u32 n;

	if (getrandom(&n, sizeof(n), 0) != sizeof(n))
		return -EIO;
	snprintf(instance->name, sizeof(instance->name), "vm-%06x", n & 0xffffff);
	return 0;
}

int instance_create(struct instance *instance, const char *name, struct vm_error *err)
{
	int root, ret = -EAGAIN, i;

	*instance = (struct instance){ .dir_fd = -1, .pid_fd = -1 };
	root = open_root(true, err);
	if (root < 0)
		return -1;
	/* Again: another removed what an ended machine left, or has the name made up here. */
	for (i = 0; i < TRIES && (ret == -EAGAIN || ret == -ENOENT || (!name && ret == -EEXIST)); i++) {
		if (name)
			snprintf(instance->name, sizeof(instance->name), "%s", name);
		ret = name ? 0 : make_up_name(instance);
		if (!ret)
			ret = make_folder(instance, root, !name);
	}
	close(root);
	if (ret == -EBUSY)
		return vm_fail(err, VM_STATUS_FAILURE, "give another with --name, or end that one: vmrun stop NAME",
			       "a machine named '%s' is running", instance->name);
	if (ret)
		return vm_fail(err, VM_STATUS_FAILURE, "is there space left?",
			       "cannot make the folder of machine '%s': %s", instance->name, strerror(-ret));
	return 0;
}

int instance_open(struct instance *instance, const char *name, struct vm_error *err)
{
	int root;

	*instance = (struct instance){ .dir_fd = -1, .pid_fd = -1 };
	if (instance_check_name(name, err))
		return -1;
	root = open_root(false, err);
	if (root < 0)
		return -1;
	snprintf(instance->name, sizeof(instance->name), "%s", name);
	instance->dir_fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	close(root);
	if (instance->dir_fd < 0)
		return vm_fail(err, VM_STATUS_FAILURE, "vmrun ps lists the machines",
			       "there is no machine '%s'", name);
	return 0;
}

void instance_close(struct instance *instance)
{
	if (instance->pid_fd >= 0)
		close(instance->pid_fd);
	if (instance->dir_fd >= 0)
		close(instance->dir_fd);
	instance->pid_fd = -1;
	instance->dir_fd = -1;
}

int instance_remove(struct instance *instance, struct vm_error *err)
{
	char path[INSTANCE_MAX_NAME + 4];
	int ret = 0, i;

	/* Again: who was faster has removed the file that was to be locked, or made it anew. */
	for (i = 0; i < TRIES && instance->pid_fd < 0 && (!i || ret == -EAGAIN); i++) {
		ret = lock_folder(instance->dir_fd);
		if (ret >= 0)
			instance->pid_fd = ret;
	}
	if (ret == -EBUSY)
		return vm_fail(err, VM_STATUS_FAILURE, "end it first: vmrun stop NAME, or vmrun kill NAME",
			       "machine '%s' is running", instance->name);
	/* Without the lock it may be a running machine's by now. */
	if (instance->pid_fd < 0)
		return vm_fail(err, VM_STATUS_FAILURE, "vmrun ps lists the machines",
			       "cannot remove machine '%s': %s", instance->name, strerror(-ret));
	ret = 0;
	empty_folder(instance->dir_fd);
	unlinkat(instance->dir_fd, "pid", 0);
	/* By itself, since no further descriptor may be there to be had. */
	snprintf(path, sizeof(path), "../%s", instance->name);
	if (unlinkat(instance->dir_fd, path, AT_REMOVEDIR))
		ret = vm_fail(err, VM_STATUS_FAILURE, "what is in it is not vmrun's: look and remove it",
			      "cannot remove the folder of machine '%s': %s", instance->name, strerror(errno));
	return ret;
}

pid_t instance_pid(const struct instance *instance)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = openat(instance->dir_fd, "pid", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	pid_t pid = 0;

	if (fd < 0)
		return 0;
	if (!fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK)
		pid = lock.l_pid > 0 ? lock.l_pid : -1;
	close(fd);
	return pid;
}

int instance_write_json(const struct instance *instance, const char *file, struct json_t *object,
			struct vm_error *err)
{
	int fd = instance_open_file(instance, "new.json", O_WRONLY | O_CREAT | O_TRUNC);
	int ret = fd < 0;

	if (!ret) {
		ret = json_dumpfd(object, fd, JSON_INDENT(1)) || write(fd, "\n", 1) != 1;
		close(fd);
	}
	if (!ret && !renameat(instance->dir_fd, "new.json", instance->dir_fd, file))
		return 0;
	return vm_fail(err, VM_STATUS_FAILURE, "is there space left?",
		       "cannot write %s of machine '%s'", file, instance->name);
}

struct json_t *instance_read_json(const struct instance *instance, const char *file)
{
	int fd = instance_open_file(instance, file, O_RDONLY);
	json_t *object = NULL;
	char *text;
	ssize_t n;

	if (fd < 0)
		return NULL;
	text = malloc(MAX_JSON);
	n = text ? read(fd, text, MAX_JSON) : -1;
	if (n >= 0)
		object = json_loadb(text, n, 0, NULL);
	free(text);
	close(fd);
	return object;
}

int instance_open_file(const struct instance *instance, const char *file, int flags)
{
	int fd = openat(instance->dir_fd, file, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	return fd < 0 ? -errno : fd;
}

int instance_for_each(int (*fn)(void *ctx, const char *name), void *ctx, struct vm_error *err)
{
	struct vm_error none = { 0 };
	int root = open_root(false, &none), ret = 0;
	struct dirent *entry;
	DIR *dir;

	/* No folder: there was no machine yet. */
	if (root < 0)
		return 0;
	dir = fdopendir(root);
	if (!dir) {
		close(root);
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "cannot list the machines: %s", strerror(errno));
	}
	while (!ret && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			ret = fn(ctx, entry->d_name);
	closedir(dir);
	return ret;
}

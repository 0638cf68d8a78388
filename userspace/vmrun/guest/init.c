// SPDX-License-Identifier: GPL-2.0
/*
 * Process 1: from the initramfs to the agent. What it does and in which order is main();
 * a step that fails says so on the console, which vmrun shows, and the machine ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

#define PLAN_FILE	"/plan"
#define PLAN_MAX_SIZE	65536
#define ROOT		"/root.new"	/* where the root is until it is the root */

/* Says what is wrong and ends the machine; vmrun tells its user what it has read. */
static void __attribute__((noreturn)) give_up(const char *what, const char *of, int error)
{
	printf("vmrun-init: cannot %s %s: %s\n", what, of, strerror(error));
	fflush(stdout);
	/* The serial line empties before the power goes. */
	fsync(STDOUT_FILENO);
	usleep(20000);
	reboot(RB_POWER_OFF);
	/* The kernel panics when process 1 ends: also an end. */
	exit(1);
}

static void read_plan(struct plan *plan, char *text, size_t size)
{
	int fd = open(PLAN_FILE, O_RDONLY | O_CLOEXEC);
	const char *bad;
	ssize_t n;

	if (fd < 0)
		give_up("open", PLAN_FILE, errno);
	n = read(fd, text, size - 1);
	if (n < 0)
		give_up("read", PLAN_FILE, errno);
	close(fd);
	text[n] = 0;
	bad = plan_parse(plan, text);
	if (bad)
		give_up("understand the plan", bad, EINVAL);
}

/* A module's file, whose memory is free again with the descriptor: nobody sees the initramfs later. */
static int open_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		give_up("open", path, errno);
	unlink(path);
	return fd;
}

/* Loads it, or leaves why not in errno. Closes @fd. */
static bool load_module(int fd)
{
	bool loaded = !syscall(SYS_finit_module, fd, "", 0) || errno == EEXIST;
	int error = errno;

	close(fd);
	errno = error;
	return loaded;
}

/* What the way to the first command needs; of the rest only the files are opened, into @late. */
static void load_modules(const struct plan *plan, int *late)
{
	unsigned int i, first_late = plan->nr_modules - plan->nr_late;

	for (i = 0; i < first_late; i++)
		if (!load_module(open_module(plan->module[i])))
			give_up("load the module", plan->module_name[i], errno);
	for (; i < plan->nr_modules; i++)
		late[i - first_late] = open_module(plan->module[i]);
}

/*
 * The rest, in a process that yields to all others: most of what loading takes is the
 * kernel's verifying of signatures, for which no command should wait.
 */
static void load_late_modules(const struct plan *plan, const int *late)
{
	unsigned int i, first = plan->nr_modules - plan->nr_late;
	pid_t pid = plan->nr_late ? fork() : -1;

	if (!pid) {
		prctl(PR_SET_NAME, "late-modules");
		setpriority(PRIO_PROCESS, 0, 19);
		for (i = 0; i < plan->nr_late; i++)
			if (!load_module(late[i]))
				printf("vmrun-init: cannot load the module %s, and go on without: %s\n",
				       plan->module_name[first + i], strerror(errno));
		fflush(stdout);
		_exit(0);
	}
	for (i = 0; i < plan->nr_late; i++)
		close(late[i]);
}

static void mount_at(const char *source, const char *target, const char *type,
		     unsigned long flags, const char *options)
{
	mkdir(target, 0755);
	if (mount(source, target, type, flags, options))
		give_up("mount", target, errno);
}

/* The partitions of a disk come with it, but a kernel may look for disks behind our back. */
static void wait_for_device(const char *path)
{
	unsigned int tries;

	for (tries = 0; access(path, F_OK); tries++) {
		if (tries == 200)
			give_up("find the root's disk or partition,", path, errno);
		usleep(10000);
	}
}

static void mount_disk(const struct plan_disk *disk, const char *target)
{
	char path[64];
	int error;

	mount_at("dev", "/dev", "devtmpfs", MS_NOSUID, NULL);
	snprintf(path, sizeof(path), "/dev/%s", disk->device);
	wait_for_device(path);
	mkdir(target, 0755);
	error = mount(path, target, disk->fs, disk->read_only ? MS_RDONLY : 0, NULL) ? errno : 0;
	if (error == EUCLEAN || error == EINVAL || error == EIO)
		printf("vmrun-init: is the %s file system on %s damaged? Its fsck tells, and mends it\n",
		       disk->fs, disk->device);
	if (error == EROFS || error == EACCES)
		printf("vmrun-init: its journal has to be written before it can be read: take the disk with :cow\n");
	if (error)
		give_up("mount the root,", path, error);
	umount2("/dev", MNT_DETACH);
}

/* Files that are never written to, and the guest's changes in memory above them; or a disk as it is. */
static void mount_root(const struct plan *plan)
{
	if (plan->disk.fs && !plan->disk.read_only) {
		mount_disk(&plan->disk, ROOT);
		return;
	}
	mkdir("/host", 0755);
	if (plan->disk.fs)
		mount_disk(&plan->disk, "/host");
	else if (mount(plan->root_tag, "/host", "virtiofs", MS_RDONLY, NULL))
		give_up("mount the root by virtio-fs, tag", plan->root_tag, errno);
	mount_at("tmpfs", "/changes", "tmpfs", 0, "mode=0755");
	mkdir("/changes/upper", 0755);
	mkdir("/changes/work", 0755);
	mkdir(ROOT, 0755);
	if (mount("overlay", ROOT, "overlay", 0,
		  "lowerdir=/host,upperdir=/changes/upper,workdir=/changes/work"))
		give_up("lay an overlay on", "the root", errno);
}

/*
 * What every program expects, the guest's own. /tmp is the host's, with the guest's
 * changes: its user may stand in a folder there. /run is about daemons that do not run here.
 */
static void mount_kernel_files(void)
{
	const unsigned long safe = MS_NOSUID | MS_NODEV;

	mount_at("proc", ROOT "/proc", "proc", safe | MS_NOEXEC, NULL);
	mount_at("sys", ROOT "/sys", "sysfs", safe | MS_NOEXEC, NULL);
	mount_at("dev", ROOT "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
	mount_at("pts", ROOT "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666");
	mount_at("shm", ROOT "/dev/shm", "tmpfs", safe, "mode=1777");
	mount_at("run", ROOT "/run", "tmpfs", safe, "mode=0755");
	mkdir(ROOT "/run/lock", 01777);
	/* Not there in every kernel, and missed by few. */
	if (mount("cgroup", ROOT "/sys/fs/cgroup", "cgroup2", safe | MS_NOEXEC, NULL))
		errno = 0;
	if (symlink("/proc/self/fd", ROOT "/dev/fd") || symlink("/proc/self/fd/0", ROOT "/dev/stdin") ||
	    symlink("/proc/self/fd/1", ROOT "/dev/stdout") ||
	    symlink("/proc/self/fd/2", ROOT "/dev/stderr"))
		give_up("make links in", "/dev", errno);
}

static void make_directories(char *path)
{
	char *slash;

	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
}

static void mount_shares(const struct plan *plan)
{
	unsigned int i;
	char *path;

	for (i = 0; i < plan->nr_shares; i++) {
		const struct plan_share *s = &plan->share[i];

		if (asprintf(&path, ROOT "%s", s->path) < 0)
			give_up("mount", s->path, ENOMEM);
		make_directories(path);
		mkdir(path, 0755);
		if (mount(s->tag, path, "virtiofs", s->read_only ? MS_RDONLY : 0, NULL))
			give_up("mount the share", s->path, errno);
		free(path);
	}
}

static void switch_root(void)
{
	if (chdir(ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		give_up("change to", "the root", errno);
	/* Root's own folder may be one that vmrun's user cannot read. */
	if (access("/root/.", R_OK | X_OK) && !mount("root", "/root", "tmpfs", 0, "mode=0700"))
		errno = 0;
}

static void set_name(const struct plan *plan)
{
	if (plan->hostname && sethostname(plan->hostname, strlen(plan->hostname)))
		give_up("set the host name to", plan->hostname, errno);
}

static int connect_to_vmrun(unsigned int port)
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = port,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		give_up("connect to", "vmrun by vsock", errno);
	return fd;
}

/* What was written is on disks and shares before vmrun takes the machine away. */
static void settle(void)
{
	sync();
}

/* The same, of a root on a disk that stays: as if the system had been shut down. */
static void settle_disk(void)
{
	unsigned int tries;

	kill(-1, SIGKILL);
	/* Two seconds: what was killed may take a while to give its memory back, and its files with it. */
	for (tries = 0; mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) && tries < 400; tries++)
		usleep(5000);
	sync();
}

int main(void)
{
	int late[PLAN_MAX_MODULES];
	char text[PLAN_MAX_SIZE];
	struct plan plan;
	bool root_stays;
	sigset_t set;
	int fd;

	/* Process 1 does not die of signals, and hears of children by a descriptor. */
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	umask(0);
	read_plan(&plan, text, sizeof(text));
	root_stays = plan.disk.fs && !plan.disk.read_only;
	load_modules(&plan, late);
	mount_root(&plan);
	mount_kernel_files();
	mount_shares(&plan);
	switch_root();
	umask(022);
	set_name(&plan);
	ports_start(&plan);
	network_start(&plan.net, root_stays);
	fd = connect_to_vmrun(plan.port);
	load_late_modules(&plan, late);
	if (agent_serve(fd, root_stays ? settle_disk : settle))
		give_up("go on without", "vmrun, which closed the connection", EPIPE);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}

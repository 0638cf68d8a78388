// SPDX-License-Identifier: GPL-2.0
/*
 * From the command line to a plan: which kernel, which root, which command with which
 * environment. Called by machine.c, first of all, so that the child that makes the
 * initramfs works while the machine is built.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "boot/boot.h"
#include "boot/image.h"
#include "boot/kernel.h"
#include "net/options.h"
#include "system.h"

#define MODULES		"/lib/modules"
#define HOSTNAME	"vmrun"
/* As user networking has it: address, netmask, gateway, name server (net/slirp.c). */
#define USER_NET	"10.0.2.15 255.255.255.0 10.0.2.2 10.0.2.3"
#define DEFAULT_PATH	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

typedef bool is_needed_fn(const struct system *system, const struct vm_config *config);

static bool has_disks(const struct system *system, const struct vm_config *config)
{
	return system_has_disk(system) || config->disk.nr;
}

static bool has_card(const struct system *system, const struct vm_config *config)
{
	(void)system;
	return !config->net || strcmp(config->net, "none");
}

static bool has_ports(const struct system *system, const struct vm_config *config)
{
	(void)system;
	return config->channel.nr || strstr(config->args, "console=hvc");
}

static bool is_on_disk(const struct system *system, const struct vm_config *config)
{
	(void)config;
	return system_has_disk(system);
}

static bool has_shares(const struct system *system, const struct vm_config *config)
{
	(void)config;
	return !system_has_disk(system) || system->nr_volumes;
}

/* Whether the guest's changes go into its memory, since they cannot go to the root. */
static bool has_overlay(const struct system *system, const struct vm_config *config)
{
	(void)config;
	return !system_has_disk(system) || system->disk.mode == DISK_RO ||
	       !system->disk.root.writable;
}

/*
 * The modules that the guest loads, each only where it has something to do (NULL: always),
 * since most of what a module takes is the kernel's verifying of its signature. Late ones
 * are behind all others. Without a name: that of the root's file system.
 */
static const struct {
	struct module_want want;
	is_needed_fn *is_needed;
} modules[] = {
	{ { .name = "virtio_pci" }, NULL },
	{ { .name = "virtio_blk" }, has_disks },
	{ { .name = NULL }, is_on_disk },
	{ { .name = "virtiofs" }, has_shares },
	{ { .name = "overlay" }, has_overlay },
	{ { .name = "vmw_vsock_virtio_transport" }, NULL },
	{ { .name = "virtio_console" }, has_ports },
	{ { .name = "virtio_net", .optional = true }, has_card },
	{ { .name = "virtio_rng", .optional = true, .late = true }, NULL },
	{ { .name = "virtio_balloon", .optional = true, .late = true }, NULL },
	{ { .name = "pvpanic_mmio", .optional = true, .late = true }, NULL },
};

_Static_assert(ARRAY_SIZE(modules) <= SYSTEM_MAX_MODULES, "a guest can want all of them");

/* ---- the environment ---- */

static int make_env(struct system *system, const struct vm_config *config, struct vm_error *err)
{
	struct environment *env = &system->env;
	const char *path = getenv("PATH");
	bool is_live = !strcmp(system->root, "/");

	if (environment_set(env, "PATH", 4, is_live && path ? path : DEFAULT_PATH, err) ||
	    environment_set(env, "HOME", 4, "/root", err) ||
	    environment_set(env, "USER", 4, "root", err) ||
	    environment_set(env, "LOGNAME", 7, "root", err) ||
	    environment_set(env, "SHELL", 5, system->shell[0], err) ||
	    environment_pass_on(env, err))
		return -1;
	return environment_add_given(env, &config->env, err);
}

/* ---- kernel, root, directory, command ---- */

static bool is_kernel(const char *path)
{
	struct vm_error ignored = { 0 };
	struct image image;
	bool is;

	if (image_open(&image, path, "kernel", &ignored))
		return false;
	is = linux_probe(&image) || elf_probe(&image);
	image_close(&image);
	return is;
}

/* "PATH" or "PATH:MODE". Without a mode nothing of the user's is written to, as everywhere. */
static int take_disk(struct system *system, const char *path, enum disk_mode mode,
		     struct vm_error *err)
{
	struct system_disk *disk = &system->disk;

	if (disk_find_root(&disk->root, path, err))
		return -1;
	snprintf(disk->path, sizeof(disk->path), "%s", path);
	disk->mode = mode;
	system->root[0] = 0;
	return 0;
}

/* @target with a mode behind it, which is not a part of its name. */
static int take_disk_with_mode(struct system *system, const char *target, struct vm_error *err)
{
	enum disk_mode mode;
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%.*s", (int)disk_split(target, &mode), target);
	if (strlen(path) == strlen(target) || stat(path, &st))
		return vm_fail(err, VM_STATUS_FAILURE,
			       "name a folder, a kernel or a disk image; a command comes behind --, for example: vmrun -- make test",
			       "cannot use '%.200s': %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && is_kernel(path)))
		return vm_fail(err, VM_STATUS_FAILURE, "leave it away",
			       "cannot use '%.200s': only disks have a mode", target);
	return take_disk(system, path, mode, err);
}

static int take_target(struct system *system, const char *target, const char **kernel,
		       struct vm_error *err)
{
	struct stat st;

	if (stat(target, &st))
		return take_disk_with_mode(system, target, err);
	if (S_ISDIR(st.st_mode)) {
		if (!realpath(target, system->root))
			return vm_fail(err, VM_STATUS_FAILURE, NULL, "cannot use '%.200s': %s",
				       target, strerror(errno));
		return 0;
	}
	/* Whoever opens a fifo waits for its other end. */
	if (!S_ISREG(st.st_mode) || !is_kernel(target))
		return take_disk(system, target, DISK_COW, err);
	if (*kernel)
		return vm_fail(err, VM_STATUS_FAILURE, "leave one of them away",
			       "two kernels are given: '%.100s' and '%.100s'", *kernel, target);
	*kernel = target;
	return 0;
}

static int find_kernel(struct system *system, const char *given, struct vm_error *err)
{
	struct utsname name;

	if (given) {
		if (strlen(given) >= sizeof(system->kernel))
			return vm_fail(err, VM_STATUS_FAILURE, "name it by a shorter path",
				       "the path of the kernel is too long");
		strcpy(system->kernel, given);
		return boot_check(given, err);
	}
	uname(&name);
	snprintf(system->kernel, sizeof(system->kernel), "/boot/vmlinuz-%s", name.release);
	if (access(system->kernel, R_OK))
		return vm_fail(err, VM_STATUS_FAILURE,
			       errno == EACCES ? "make it readable (chmod a+r), or name a kernel with -k" :
			       "name a kernel with -k",
			       "cannot read this system's kernel, %.200s: %s", system->kernel,
			       strerror(errno));
	return boot_check(system->kernel, err);
}

static int find_directory(struct system *system, const struct vm_config *config,
			  struct vm_error *err)
{
	bool is_live = !strcmp(system->root, "/");

	strcpy(system->directory, "/");
	if (config->workdir) {
		if (config->workdir[0] != '/' || strlen(config->workdir) >= PATH_MAX)
			return vm_fail(err, VM_STATUS_FAILURE, "begin it with a slash",
				       "cannot start in '%.200s': it is no path of the guest",
				       config->workdir);
		strcpy(system->directory, config->workdir);
		system->directory_given = true;
	} else if (is_live && !getcwd(system->directory, sizeof(system->directory))) {
		strcpy(system->directory, "/");
	}
	return 0;
}

static int find_shell(struct system *system, const struct vm_config *config,
		      struct vm_error *err)
{
	static const char * const shells[] = { "/bin/bash", "/bin/sh" };
	static const char search[] = "[ ! -x /bin/bash ] || SHELL=/bin/bash exec bash; exec sh";
	const char *mine = getenv("SHELL");
	char path[PATH_MAX + 16];
	unsigned int i;

	if (!strcmp(system->root, "/") && mine && mine[0] == '/' && !access(mine, X_OK)) {
		system->shell[0] = mine;
		return 0;
	}
	/* Nobody has looked into a disk yet. */
	if (system_has_disk(system)) {
		system->shell[0] = "/bin/sh";
		system->shell[1] = "-c";
		system->shell[2] = search;
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(shells); i++) {
		struct stat st;

		system->shell[0] = shells[i];
		snprintf(path, sizeof(path), "%s%s", system->root, shells[i]);
		/* A link there leads somewhere in that root, not in this one. */
		if (!lstat(path, &st))
			return 0;
	}
	/* Who brings a program needs none. */
	if (config->command)
		return 0;
	return vm_fail(err, VM_STATUS_FAILURE,
		       "name a program behind --, or a folder with a root file system",
		       "there is no shell in %.200s: neither /bin/bash nor /bin/sh", system->root);
}

static int find_volumes(struct system *system, const struct vm_config *config,
			struct vm_error *err)
{
	unsigned int i;

	if (config->volume.nr > SYSTEM_MAX_VOLUMES)
		return vm_fail(err, VM_STATUS_FAILURE, "share a folder above them",
			       "a guest has %u shares at most", SYSTEM_MAX_VOLUMES);
	for (i = 0; i < config->volume.nr; i++) {
		struct config_volume *v = &system->volume[i];

		if (config_parse_volume(config->volume.item[i], v, err))
			return -1;
		snprintf(system->tag[i], sizeof(system->tag[i]), SYSTEM_SHARE_TAG, i);
		system->share[i] = (struct live_share){
			.tag = system->tag[i], .path = v->guest, .read_only = v->read_only,
		};
	}
	system->nr_volumes = i;
	return 0;
}

static int find_channels(struct system *system, const struct vm_config *config,
			 struct vm_error *err)
{
	struct config_channel channel;
	unsigned int i;

	for (i = 0; i < config->channel.nr && i < SYSTEM_MAX_CHANNELS; i++) {
		if (config_parse_channel(config->channel.item[i], &channel, err))
			return -1;
		strcpy(system->channel[i], channel.name);
		system->channel_name[i] = system->channel[i];
	}
	system->nr_channels = i;
	return 0;
}

static void find_modules(struct system *system, const struct vm_config *config)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		struct module_want *want = &system->want[system->nr_want];

		if (modules[i].is_needed && !modules[i].is_needed(system, config))
			continue;
		*want = modules[i].want;
		if (!want->name)
			want->name = system->disk.root.fs;
		system->nr_want++;
	}
}

static void describe_root(const struct system *system, char *text, size_t size)
{
	const struct system_disk *disk = &system->disk;
	char number[16] = "";

	if (!system_has_disk(system)) {
		snprintf(text, size, "virtiofs %s", SYSTEM_ROOT_TAG);
		return;
	}
	if (disk->root.partition)
		snprintf(number, sizeof(number), "%u", disk->root.partition);
	/* The machine's first disk, and no module of another driver's. */
	snprintf(text, size, "disk vda%s %s %s", number, disk->root.fs,
		 has_overlay(system, NULL) ? "ro" : "rw");
}

static bool has_user_net(const struct vm_config *config)
{
	struct net_options net = { .kind = NET_USER };
	struct vm_error err;

	return (!config->net || !net_parse_kind(&net, config->net, &err)) && net.kind == NET_USER;
}

static int start_live(struct system *system, const struct vm_config *config, struct vm_error *err)
{
	char root[64];
	const struct live_plan plan = {
		.kernel = system->kernel, .modules = MODULES, .hostname = HOSTNAME,
		.net = has_user_net(config) ? USER_NET : NULL, .root = root,
		.want = system->want, .nr_want = system->nr_want,
		.share = system->share, .nr_shares = system->nr_volumes,
		.channel = system->channel_name, .nr_channels = system->nr_channels,
	};

	describe_root(system, root, sizeof(root));
	return live_start(&system->live, &plan, err);
}

int system_create(struct system *system, const struct vm_config *config, struct vm_error *err)
{
	const char *kernel = config->kernel;

	memset(system, 0, sizeof(*system));
	system->live = (struct live){ .archive_fd = -1, .error_fd = -1 };
	strcpy(system->root, "/");
	if ((config->nr_operands && take_target(system, config->operand[0], &kernel, err)) ||
	    find_kernel(system, kernel, err) || find_directory(system, config, err) ||
	    find_volumes(system, config, err) || find_channels(system, config, err) ||
	    find_shell(system, config, err))
		return -1;
	find_modules(system, config);
	system->argv = config->command ? config->command : system->shell;
	if (!make_env(system, config, err) && !start_live(system, config, err))
		return 0;
	system_destroy(system);
	return -1;
}

void system_destroy(struct system *system)
{
	live_destroy(&system->live);
	environment_clear(&system->env);
}

void system_command(const struct system *system, const struct terminal *terminal,
		    struct session_spec *spec)
{
	bool tty = terminal->present && isatty(STDOUT_FILENO);
	struct winsize window;

	*spec = (struct session_spec){
		.flags = AGENT_EXEC_MAIN, .directory = system->directory, .argv = system->argv,
		.env = (const char *const *)system->env.item,
		.fd = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO },
		.escape = tty,
	};
	/* A terminal that belongs to somebody else is not read. */
	if (isatty(STDIN_FILENO) && !terminal->present)
		spec->fd[AGENT_STDIN] = -1;
	/* The same directory, where it is one of the guest's too (those below /run are not). */
	if (!system->directory_given)
		spec->flags |= AGENT_EXEC_ANY_CWD;
	if (!tty)
		return;
	spec->flags |= AGENT_EXEC_TTY;
	if (!isatty(STDERR_FILENO))
		spec->flags |= AGENT_EXEC_STDERR;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &window))
		spec->size = (struct agent_size){ window.ws_row, window.ws_col };
}

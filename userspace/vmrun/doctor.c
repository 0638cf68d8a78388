// SPDX-License-Identifier: GPL-2.0
/*
 * A table of checks. Each looks at one thing that a machine needs, or that a part of vmrun
 * does, and says how it is mended. Nothing is changed. Called by main.c.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor.h"
#include "kvirt.h"

enum state {
	GOOD,
	WANTING,	/* something does not work, or not as well */
	BROKEN,		/* no machine runs */
};

struct finding {
	enum state state;
	char text[512];
	char fix[256];	/* "" where nothing is to be done */
};

static void say(struct finding *f, enum state state, const char *fix, const char *fmt, ...)
	__printf(4, 5);

static void say(struct finding *f, enum state state, const char *fix, const char *fmt, ...)
{
	va_list ap;

	f->state = state;
	snprintf(f->fix, sizeof(f->fix), "%s", fix);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

/* Whether a line of @path that begins with @start has @word among its words. */
static bool file_has(const char *path, const char *start, const char *word)
{
	FILE *from = fopen(path, "re");
	char *line = NULL, *at;
	size_t size = 0, len = strlen(word);
	bool found = false;

	while (from && !found && getline(&line, &size, from) > 0) {
		if (strncmp(line, start, strlen(start)))
			continue;
		for (at = line; !found && (at = strstr(at, word)); at += len)
			found = (at == line || strchr(" \t/:", at[-1])) && strchr(" \t\n.", at[len]);
	}
	free(line);
	if (from)
		fclose(from);
	return found;
}

static bool device_opens(void)
{
	struct vm_error err = { 0 };
	struct kvirt kvirt;
	bool opens = !kvirt_open(&kvirt, "auto", &err);

	kvirt_close(&kvirt);
	return opens;
}

/* What the flags say explains why no device opens; one that does is the better witness. */
static void check_cpu(struct finding *f)
{
	bool vmx = file_has("/proc/cpuinfo", "flags", "vmx");

	if (vmx || file_has("/proc/cpuinfo", "flags", "svm"))
		say(f, GOOD, "", "the CPU has %s", vmx ? "VT-x" : "AMD-V");
	else if (device_opens())
		say(f, GOOD, "", "/proc/cpuinfo shows neither VT-x nor AMD-V, and a device opens all the same");
	else
		say(f, BROKEN, "switch it on in the firmware's setup; in a virtual machine, ask for nested virtualization",
		    "the CPU shows neither VT-x nor AMD-V");
}

static void check_module(struct finding *f)
{
	struct utsname uts;
	char path[256];

	uname(&uts);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", uts.release);
	if (!access("/sys/module/kvirt", F_OK))
		say(f, GOOD, "", "the module kvirt is loaded");
	else if (file_has(path, "", "kvirt"))
		say(f, WANTING, "sudo modprobe kvirt", "the module kvirt is not loaded");
	else
		say(f, WANTING, "sudo make install, in kvirt's sources; then sudo modprobe kvirt",
		    "the module kvirt is not installed for kernel %s", uts.release);
}

/* Whether the user is in the group by /etc/group, whatever this login has. */
static bool is_member(const struct group *group)
{
	const struct passwd *user = getpwuid(getuid());
	char **member;

	for (member = group->gr_mem; user && *member; member++)
		if (!strcmp(*member, user->pw_name))
			return true;
	return false;
}

static void explain_permission(struct finding *f, const char *path)
{
	const struct group *group;
	struct stat st;

	if (stat(path, &st) || !(group = getgrgid(st.st_gid)) || !(st.st_mode & 060) || !st.st_gid)
		say(f, BROKEN, "sudo make install puts a udev rule that gives it to group kvm",
		    "%s may be opened by root alone", path);
	else if (is_member(group))
		say(f, BROKEN, "log in again, or start a shell by newgrp", "%s is for group %s, of which you are, but this login is older",
		    path, group->gr_name);
	else
		say(f, BROKEN, "sudo usermod -aG kvm $USER, then log in again",
		    "%s is for group %s, of which you are not", path, group->gr_name);
}

static void check_device(struct finding *f)
{
	struct vm_error err = { 0 };
	const char *denied = NULL;
	struct kvirt kvirt;

	if (!kvirt_open(&kvirt, "auto", &err)) {
		say(f, GOOD, "", "%.100s opens, and offers what vmrun needs", kvirt.path);
		kvirt_close(&kvirt);
		return;
	}
	kvirt_close(&kvirt);
	if (access("/dev/kvirt", R_OK | W_OK) && errno == EACCES)
		denied = "/dev/kvirt";
	else if (access("/dev/kvm", R_OK | W_OK) && errno == EACCES)
		denied = "/dev/kvm";
	if (denied)
		explain_permission(f, denied);
	else
		say(f, BROKEN, err.hint, "%.400s", err.text);
}

static void check_kernel(struct finding *f)
{
	struct utsname uts;
	char path[256], fix[300];

	uname(&uts);
	snprintf(path, sizeof(path), "/boot/vmlinuz-%s", uts.release);
	if (!access(path, R_OK)) {
		say(f, GOOD, "", "%s can be read", path);
	} else if (errno == EACCES) {
		snprintf(fix, sizeof(fix), "sudo chmod a+r %s", path);
		say(f, WANTING, fix, "%s cannot be read by you", path);
	} else {
		snprintf(fix, sizeof(fix), "sudo apt install --reinstall linux-image-%.200s; or name a kernel with -k",
			 uts.release);
		say(f, WANTING, fix, "there is no %s", path);
	}
}

/* Whether the modules of @release, or what is built in, have @name; "_" and "-" are the same. */
static bool kernel_has(const char *release, const char *name)
{
	static const char *const lists[] = { "dep", "builtin" };
	char path[256], file[64];
	unsigned int i, dash;
	char *at;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		snprintf(path, sizeof(path), "/lib/modules/%s/modules.%s", release, lists[i]);
		for (dash = 0; dash < 2; dash++) {
			/* Packed or not, as "virtiofs.ko.xz:" or "virtiofs.ko". */
			snprintf(file, sizeof(file), "%s", name);
			for (at = file; dash && (at = strchr(at, '_')); at++)
				*at = '-';
			if (file_has(path, "", file))
				return true;
		}
	}
	return false;
}

static void check_modules(struct finding *f)
{
	/* system.c wants these of every guest; what is left is for disks, networks and the like. */
	static const char *const names[] = {
		"virtio_pci", "fuse", "virtiofs", "overlay", "vmw_vsock_virtio_transport",
		"virtio_blk", "virtio_net",
	};
	char path[256], fix[256];
	struct utsname uts;
	unsigned int i;

	uname(&uts);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep.bin", uts.release);
	if (access(path, R_OK)) {
		snprintf(fix, sizeof(fix), "sudo depmod %s, or sudo apt install --reinstall linux-image-%s",
			 uts.release, uts.release);
		say(f, WANTING, fix, "%s cannot be read: %s", path, strerror(errno));
		return;
	}
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (kernel_has(uts.release, names[i]))
			continue;
		say(f, WANTING, "sudo apt install linux-image-cloud-amd64, and name its kernel with -k",
		    "kernel %s has no module %s, which a guest needs", uts.release, names[i]);
		return;
	}
	say(f, GOOD, "", "/lib/modules/%s has what a guest needs", uts.release);
}

static void check_libraries(struct finding *f)
{
	static const struct { const char *file, *package, *what; } libraries[] = {
		{ "libkmod.so.2", "libkmod2", "vmrun finds a guest's modules by it" },
		{ "libslirp.so.0", "libslirp0", "without it only -n none and -n tap work" },
	};
	unsigned int i;
	char fix[64];
	void *handle;

	for (i = 0; i < ARRAY_SIZE(libraries); i++) {
		handle = dlopen(libraries[i].file, RTLD_LAZY | RTLD_LOCAL);
		if (handle) {
			dlclose(handle);
			continue;
		}
		snprintf(fix, sizeof(fix), "sudo apt install %s", libraries[i].package);
		say(f, WANTING, fix, "there is no %s: %s", libraries[i].file, libraries[i].what);
		return;
	}
	say(f, GOOD, "", "libkmod and libslirp are there");
}

static void check_sandbox(struct finding *f)
{
	int version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		say(f, WANTING, "use a kernel with CONFIG_SECCOMP_FILTER, or --sandbox off",
		    "the kernel has no seccomp: system calls cannot be confined");
	else if (version < 2)
		say(f, WANTING, "boot with lsm=landlock,... on the kernel's command line (5.19 or later)",
		    "the kernel has no landlock of use: files are not confined");
	else
		say(f, GOOD, "", "seccomp and landlock %d are there", version);
}

static void check_memory(struct finding *f)
{
	FILE *from = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	while (from && fgets(line, sizeof(line), from))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (from)
		fclose(from);
	if (kib >> 10 >= 512)
		say(f, GOOD, "", "%llu MiB of memory are free", kib >> 10);
	else
		say(f, WANTING, "give a machine less, for example -m 128",
		    "%llu MiB of memory are free; a machine gets 512 unless told otherwise", kib >> 10);
}

static void check_namespaces(struct finding *f)
{
	const char *fix = "sudo sysctl user.max_user_namespaces=10000";
	pid_t child = fork();
	int status = -1;

	if (!child)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) ? 1 : 0);
	if (child > 0)
		waitpid(child, &status, 0);
	if (!status) {
		say(f, GOOD, "", "user namespaces can be made");
		return;
	}
	if (!access("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", F_OK))
		fix = "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0";
	else if (!access("/proc/sys/kernel/unprivileged_userns_clone", F_OK))
		fix = "sudo sysctl kernel.unprivileged_userns_clone=1";
	say(f, WANTING, fix, "no user namespace can be made: vmrun with needs one");
}

static const struct {
	const char *name;
	void (*check)(struct finding *f);
} checks[] = {
	{ "cpu", check_cpu },
	{ "module", check_module },
	{ "device", check_device },
	{ "kernel", check_kernel },
	{ "modules", check_modules },
	{ "libraries", check_libraries },
	{ "sandbox", check_sandbox },
	{ "memory", check_memory },
	{ "namespaces", check_namespaces },
};

static const char *const states[] = {
	[GOOD] = "good", [WANTING] = "wanting", [BROKEN] = "broken",
};

static void print_finding(const char *name, const struct finding *f)
{
	static const char *const marks[] = { [GOOD] = "ok", [WANTING] = "!", [BROKEN] = "!!" };

	printf("%-2s %-11s %s\n", marks[f->state], name, f->text);
	if (f->fix[0])
		printf("   %-11s to mend it: %s\n", "", f->fix);
}

int doctor(const struct vm_config *config, struct vm_error *err)
{
	json_t *list = json_array();
	enum state worst = GOOD;
	struct finding f;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		memset(&f, 0, sizeof(f));
		checks[i].check(&f);
		if (f.state > worst)
			worst = f.state;
		if (!config->json)
			print_finding(checks[i].name, &f);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "check", checks[i].name,
						      "state", states[f.state], "text", f.text,
						      "fix", f.fix));
	}
	if (config->json && (json_dumpf(list, stdout, JSON_INDENT(1)) || putchar('\n') == EOF))
		vm_fail(err, VM_STATUS_FAILURE, NULL, "cannot write the findings");
	json_decref(list);
	if (!config->json && worst == BROKEN)
		printf("No machine can run here before what is marked !! is mended.\n");
	return err->status ? -1 : worst == BROKEN;
}

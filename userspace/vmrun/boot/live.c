// SPDX-License-Identifier: GPL-2.0
/*
 * The archive holds /init (guest/, linked into vmrun as bytes), /modules/N.ko and
 * /plan, lines that guest/plan.c reads. Called by machine.c, around the building of the
 * machine: the child works meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../agent.h"
#include "cpio.h"
#include "live.h"
#include "version.h"

/* guest/init, from init_blob.S. */
extern const u8 guest_init[], guest_init_end[];

struct archive {
	struct cpio cpio;
	FILE *plan;
	unsigned int nr_modules;
};

static int add_module(void *ctx, const struct module_want *want, const char *name,
		      const void *data, u64 size, struct vm_error *err)
{
	struct archive *a = ctx;
	char path[32];

	(void)err;
	snprintf(path, sizeof(path), "modules/%u.ko", a->nr_modules++);
	cpio_file(&a->cpio, path, 0400, data, size);
	fprintf(a->plan, "%s /%s %s\n", want->late ? "late" : "module", path, name);
	return 0;
}

/* A value that would end its line, and the plan with it. */
static bool is_line(const char *text)
{
	return !strchr(text, '\n');
}

static int write_plan(struct archive *a, const struct live_plan *plan, struct vm_error *err)
{
	unsigned int i;

	if (!is_line(plan->hostname) || !is_line(plan->root))
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "a name may not have more than one line");
	fprintf(a->plan, "hostname %s\nport %u\nroot %s\n", plan->hostname, AGENT_PORT,
		plan->root);
	if (plan->net)
		fprintf(a->plan, "net %s\n", plan->net);
	for (i = 0; i < plan->nr_shares; i++) {
		const struct live_share *s = &plan->share[i];

		if (!is_line(s->path))
			return vm_fail(err, VM_STATUS_FAILURE, "rename that folder",
				       "cannot share a path of more than one line");
		fprintf(a->plan, "share %s %s %s\n", s->tag, s->read_only ? "ro" : "rw", s->path);
	}
	/* Their names are checked words. */
	for (i = 0; i < plan->nr_channels; i++)
		fprintf(a->plan, "channel %s\n", plan->channel[i]);
	return 0;
}

static int fill(struct archive *a, const struct live_plan *plan, struct vm_error *err)
{
	char release[KERNEL_RELEASE_SIZE];

	if (kernel_release(plan->kernel, release, err))
		return -1;
	cpio_directory(&a->cpio, "dev", 0755);
	/* What process 1 says before there is a /dev goes here. */
	cpio_device(&a->cpio, "dev/console", 0600, 5, 1);
	cpio_directory(&a->cpio, "modules", 0700);
	cpio_file(&a->cpio, "init", 0700, guest_init, guest_init_end - guest_init);
	if (write_plan(a, plan, err))
		return -1;
	return modules_find(plan->modules, release, plan->want, plan->nr_want, add_module, a, err);
}

int live_write(int fd, const struct live_plan *plan, struct vm_error *err)
{
	struct archive a = { 0 };
	char *text = NULL;
	size_t len = 0;
	int ret;

	a.plan = open_memstream(&text, &len);
	if (!a.plan)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	cpio_start(&a.cpio, fd);
	ret = fill(&a, plan, err);
	if (fclose(a.plan) && !ret)
		ret = vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	if (!ret) {
		cpio_file(&a.cpio, "plan", 0400, text, len);
		ret = cpio_end(&a.cpio);
		if (ret)
			vm_fail(err, VM_STATUS_FAILURE, "is memory short?",
				"cannot write the initramfs: %s", strerror(ret));
	}
	free(text);
	return ret ? -1 : 0;
}

/* The child's whole life; it never returns into vmrun's code. */
static void child_main(const struct live *live, int error_fd, const struct live_plan *plan,
		       pid_t parent)
{
	struct vm_error err = { 0 };
	int ret, null;

	/* What it has to say goes by the pipe, in a form; libraries have no say. */
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
	prctl(PR_SET_NAME, "vmrun-initramfs");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	ret = live_write(live->archive_fd, plan, &err);
	if (ret && write(error_fd, &err, sizeof(err)) < 0)
		_exit(1);
	_exit(ret ? 1 : 0);
}

int live_start(struct live *live, const struct live_plan *plan, struct vm_error *err)
{
	pid_t parent = getpid();
	int ends[2] = { -1, -1 };

	*live = (struct live){ .error_fd = -1 };
	live->archive_fd = memfd_create("initramfs", MFD_CLOEXEC);
	if (live->archive_fd < 0 || pipe2(ends, O_CLOEXEC))
		goto failed;
	live->error_fd = ends[0];
	live->child = fork();
	if (live->child < 0)
		goto failed;
	if (!live->child)
		child_main(live, ends[1], plan, parent);
	close(ends[1]);
	return 0;

failed:
	vm_fail(err, VM_STATUS_FAILURE, "are too many files open, or too many processes running?",
		"cannot start to make an initramfs: %s", strerror(errno));
	if (ends[1] >= 0)
		close(ends[1]);
	live->child = 0;
	live_destroy(live);
	return -1;
}

int live_wait(struct live *live, struct vm_error *err)
{
	struct vm_error told;
	ssize_t n;
	int status;

	do
		n = read(live->error_fd, &told, sizeof(told));
	while (n < 0 && errno == EINTR);
	while (waitpid(live->child, &status, 0) < 0 && errno == EINTR)
		;
	live->child = 0;
	if (!n && WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (n == sizeof(told))
		return vm_fail(err, told.status, told.hint, "%s", told.text);
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "install that kernel's package again, or run 'depmod VERSION': libkmod may have met damaged files",
			       "the process that makes the initramfs died of signal %d (%s)",
			       WTERMSIG(status), strsignal(WTERMSIG(status)));
	return vm_fail(err, VM_STATUS_FAILURE, "free some memory, and try again",
		       "the process that makes the initramfs ended with status %#x", status);
}

void live_destroy(struct live *live)
{
	if (live->child) {
		kill(live->child, SIGKILL);
		while (waitpid(live->child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	live->child = 0;
	if (live->error_fd >= 0)
		close(live->error_fd);
	if (live->archive_fd >= 0)
		close(live->archive_fd);
	live->error_fd = -1;
	live->archive_fd = -1;
}

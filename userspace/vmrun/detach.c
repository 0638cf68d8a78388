// SPDX-License-Identifier: GPL-2.0
/*
 * The caller's process stays until the machine runs, so that what goes wrong before is
 * told, and as its exit status. Called by main.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "detach.h"

/* The other process has either written its name or ended. */
static int wait_for(int fd, pid_t pid)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char name[INSTANCE_MAX_NAME + 1];
	sigset_t none, pipe;
	ssize_t n;
	int status;

	/*
	 * The machine has blocked them for itself: whoever waits may be interrupted. But not once
	 * it runs, for who was interrupted is told that there is none.
	 */
	sigemptyset(&none);
	while (ppoll(&ready, 1, NULL, &none) < 0 && errno == EINTR)
		;
	n = read(fd, name, sizeof(name) - 1);
	if (n > 0) {
		sigemptyset(&pipe);
		sigaddset(&pipe, SIGPIPE);
		sigprocmask(SIG_UNBLOCK, &pipe, NULL);
		printf("%.*s\n", (int)n, name);
		return 0;
	}
	sigprocmask(SIG_SETMASK, &none, NULL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return VM_STATUS_FAILURE;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int detach_fork(struct detach *detach, int *status, struct vm_error *err)
{
	int ends[2], null;
	pid_t pid;

	detach->pipe = -1;
	if (pipe2(ends, O_CLOEXEC))
		return vm_fail(err, VM_STATUS_FAILURE, "are too many files open?",
			       "cannot create a pipe: %s", strerror(errno));
	fflush(stdout);
	pid = fork();
	if (pid) {
		close(ends[1]);
		if (pid < 0)
			vm_fail(err, VM_STATUS_FAILURE, "are too many processes running?",
				"cannot detach: %s", strerror(errno));
		else
			*status = wait_for(ends[0], pid);
		close(ends[0]);
		return pid < 0 ? -1 : 1;
	}
	close(ends[0]);
	detach->pipe = ends[1];
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return vm_fail(err, VM_STATUS_FAILURE, "is there a /dev?",
			       "cannot open /dev/null: %s", strerror(errno));
	if (null > STDERR_FILENO)
		close(null);
	return 0;
}

int detach_done(struct detach *detach, const struct instance *instance, const char *log,
		struct vm_error *err)
{
	int fd = instance_open_file(instance, log, O_WRONLY | O_CREAT | O_APPEND), ret = 0;

	if (fd >= 0) {
		dup2(fd, STDERR_FILENO);
		close(fd);
	}
	/* Who was interrupted wants no machine. SIGPIPE is blocked. */
	if (write(detach->pipe, instance->name, strlen(instance->name)) < 0)
		ret = vm_fail(err, VM_STATUS_FAILURE, "start it again",
			      "nobody waits for this machine to start");
	close(detach->pipe);
	detach->pipe = -1;
	return ret;
}

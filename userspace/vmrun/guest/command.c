// SPDX-License-Identifier: GPL-2.0
/*
 * One command as a process: its terminal or pipes, its identity, its start. The streams
 * that come of it are moved by agent.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

/* The command's own ends of what the agent holds the other ends of. */
struct ends {
	int fd[AGENT_STREAMS];
	int failure_fd;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int open_pipe(int *ours, int *theirs, bool we_write)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return errno;
	*ours = ends[we_write];
	*theirs = ends[!we_write];
	fcntl(*ours, F_SETFL, O_NONBLOCK);
	return 0;
}

static int open_terminal(struct command *command, struct ends *ends, const struct agent_size *size)
{
	struct winsize window = { .ws_row = size->rows, .ws_col = size->columns };
	int master, unlock = 0;

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (master < 0)
		return errno;
	command->fd[AGENT_STDIN] = master;
	if (ioctl(master, TIOCSPTLCK, &unlock) || ioctl(master, TIOCSWINSZ, &window))
		return errno;
	ends->fd[AGENT_STDIN] = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends->fd[AGENT_STDIN] < 0)
		return errno;
	/* Two numbers for either end, so that each stream is closed by itself. */
	command->fd[AGENT_STDOUT] = fcntl(master, F_DUPFD_CLOEXEC, 0);
	ends->fd[AGENT_STDOUT] = fcntl(ends->fd[AGENT_STDIN], F_DUPFD_CLOEXEC, 0);
	return command->fd[AGENT_STDOUT] < 0 || ends->fd[AGENT_STDOUT] < 0 ? errno : 0;
}

static int open_streams(struct command *command, struct ends *ends, const struct agent_exec *exec)
{
	bool tty = exec->flags & AGENT_EXEC_TTY;
	int error = open_pipe(&command->failure_fd, &ends->failure_fd, false);

	if (error)
		return error;
	if (tty) {
		error = open_terminal(command, ends, &exec->size);
	} else {
		error = open_pipe(&command->fd[AGENT_STDIN], &ends->fd[AGENT_STDIN], true);
		if (!error)
			error = open_pipe(&command->fd[AGENT_STDOUT], &ends->fd[AGENT_STDOUT], false);
	}
	if (!error && (!tty || exec->flags & AGENT_EXEC_STDERR))
		error = open_pipe(&command->fd[AGENT_STDERR], &ends->fd[AGENT_STDERR], false);
	return error;
}

static void fail_in_child(const struct ends *ends, enum agent_exit_kind kind)
{
	const struct agent_exit exit = { .kind = kind, .value = errno };

	/* Nobody is left to tell when this fails; the status says that it went wrong. */
	if (write(ends->failure_fd, &exit, sizeof(exit)) < 0)
		_exit(127);
	_exit(126);
}

static void take_streams(const struct ends *ends, const struct agent_exec *exec)
{
	int stderr_fd = ends->fd[AGENT_STDERR];

	if (setsid() < 0 || ((exec->flags & AGENT_EXEC_TTY) &&
			     ioctl(ends->fd[AGENT_STDIN], TIOCSCTTY, 0)))
		fail_in_child(ends, AGENT_NO_START);
	if (dup2(ends->fd[AGENT_STDIN], STDIN_FILENO) < 0 ||
	    dup2(ends->fd[AGENT_STDOUT], STDOUT_FILENO) < 0 ||
	    dup2(stderr_fd >= 0 ? stderr_fd : STDOUT_FILENO, STDERR_FILENO) < 0)
		fail_in_child(ends, AGENT_NO_START);
}

/* Who the agent is already, it need not become: a test's agent is nobody special. */
static void take_identity(const struct ends *ends, const struct agent_exec *exec)
{
	if (exec->uid == getuid() && exec->gid == getgid())
		return;
	if (setgroups(0, NULL) || setresgid(exec->gid, exec->gid, exec->gid) ||
	    setresuid(exec->uid, exec->uid, exec->uid))
		fail_in_child(ends, AGENT_NO_START);
}

static char **cut(char *strings, unsigned int n, char **end)
{
	char **list = calloc(n + 1, sizeof(*list));
	unsigned int i;

	for (i = 0; list && i < n; i++) {
		list[i] = strings;
		strings += strlen(strings) + 1;
	}
	*end = strings;
	return list;
}

/* The child's part; it never returns. */
static void run(const struct ends *ends, const struct agent_exec *exec, char *strings)
{
	const char *directory = strings;
	char **argv, **env;
	sigset_t none;
	int sig;

	argv = cut(strings + strlen(strings) + 1, exec->nr_args, &strings);
	env = cut(strings, exec->nr_env, &strings);
	if (!argv || !env)
		fail_in_child(ends, AGENT_NO_START);
	for (sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	take_streams(ends, exec);
	take_identity(ends, exec);
	if (chdir(directory) && (!(exec->flags & AGENT_EXEC_ANY_CWD) || chdir("/")))
		fail_in_child(ends, AGENT_NO_DIRECTORY);
	/* execvp() looks for the program in the PATH that it is to have. */
	environ = env;
	execvp(argv[0], argv);
	fail_in_child(ends, AGENT_NO_PROGRAM);
}

int command_start(struct command *command, const struct agent_exec *exec, char *strings)
{
	struct ends ends = { .fd = { -1, -1, -1 }, .failure_fd = -1 };
	unsigned int i;
	int error;

	*command = (struct command){ .fd = { -1, -1, -1 }, .failure_fd = -1 };
	error = open_streams(command, &ends, exec);
	if (!error) {
		command->pid = fork();
		if (!command->pid)
			run(&ends, exec, strings);
		if (command->pid < 0)
			error = errno;
	}
	for (i = 0; i < AGENT_STREAMS; i++)
		close_fd(&ends.fd[i]);
	close_fd(&ends.failure_fd);
	if (!error)
		return 0;
	for (i = 0; i < AGENT_STREAMS; i++)
		close_fd(&command->fd[i]);
	close_fd(&command->failure_fd);
	return error;
}

bool command_check(const struct agent_exec *exec, const char *strings)
{
	u64 n = 0;
	u32 i;

	if (!exec->nr_args || !exec->strings_len || strings[exec->strings_len - 1])
		return false;
	for (i = 0; i < exec->strings_len; i++)
		n += !strings[i];
	return n == 1ull + exec->nr_args + exec->nr_env;
}

struct agent_exit command_result(struct command *command, int status)
{
	struct agent_exit exit;

	/* Written whole before the process ended, or not at all. */
	if (read(command->failure_fd, &exit, sizeof(exit)) != sizeof(exit))
		exit = WIFSIGNALED(status) ?
			(struct agent_exit){ AGENT_SIGNALLED, WTERMSIG(status) } :
			(struct agent_exit){ AGENT_EXITED, WEXITSTATUS(status) };
	close_fd(&command->failure_fd);
	return exit;
}

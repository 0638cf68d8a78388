// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun on a terminal: the program in the guest has one of its own, of the user's size and resized with it; keys reach it;
 * Ctrl-] leaves; and the user's terminal is afterwards as it was.
 */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "ktap.h"

#define LIMIT_MS	100000

static int master, keep;
static struct termios before;
static char text[65536];
static size_t len;
static pid_t pid;

/* A machine of its own for @script; or, with @machine, that one runs it. */
static void start(const char *machine, const char *script)
{
	struct winsize size = { .ws_row = 33, .ws_col = 99 };
	int slave;

	ASSERT(!openpty(&master, &slave, NULL, NULL, &size));
	ASSERT(!tcgetattr(slave, &before));
	keep = slave;
	pid = fork();
	if (!pid) {
		close(master);
		if (login_tty(slave))
			_exit(99);
		if (machine)
			execl("/bin/vmrun", "vmrun", "exec", machine, "--", "sh", "-c", script, NULL);
		else
			execl("/bin/vmrun", "vmrun", "-A", test_dev, "--", "sh", "-c", script, NULL);
		_exit(99);
	}
}

/* Reads until the guest has said @what. */
static bool wait_for(const char *what)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	ssize_t n;

	while (!strstr(text, what)) {
		if (poll(&p, 1, LIMIT_MS) <= 0)
			break;
		n = read(master, text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			break;
		len += n;
	}
	if (strstr(text, what))
		return true;
	test_note("no '%s' in: %s", what, text);
	return false;
}

static int ended(void)
{
	struct termios after;
	int status;

	/* What is not read holds the end up. */
	while (waitpid(pid, &status, WNOHANG) == 0) {
		struct pollfd p = { .fd = master, .events = POLLIN };

		if (poll(&p, 1, 100) > 0 && len < sizeof(text) - 1)
			len += read(master, text + len, sizeof(text) - 1 - len);
	}
	ASSERT(!tcgetattr(keep, &after));
	EXPECT(after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag &&
	       after.c_oflag == before.c_oflag);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void has_a_terminal(const char *machine)
{
	struct winsize size = { .ws_row = 44, .ws_col = 111 };

	start(machine,
	      "tty; stty size; trap 'stty size; echo resized' WINCH; echo ready; "
	      "until read line && [ \"$line\" = typed ]; do :; done; echo \"line $line\"; exit 5");
	if (EXPECT(wait_for("ready"))) {
		EXPECT(strstr(text, "/dev/pts/"));
		EXPECT(strstr(text, "33 99"));
		EXPECT(!ioctl(master, TIOCSWINSZ, &size));
		/* The shell's trap runs when its read has ended, by a line or by the signal. */
		EXPECT(write(master, "first\r", 6) == 6);
		EXPECT(wait_for("resized"));
		EXPECT(strstr(text, "44 111"));
		EXPECT(write(master, "typed\r", 6) == 6);
		EXPECT(wait_for("line typed"));
	}
	EXPECT_EQ(ended(), 5);
}

static void a_program_has_a_terminal(void)
{
	has_a_terminal(NULL);
}

static void a_program_that_joins_has_one(void)
{
	char command[128];

	snprintf(command, sizeof(command), "vmrun -A %s --detach --name joined --rm -- sleep 1000", test_dev);
	ASSERT(!system(command));
	len = 0;
	memset(text, 0, sizeof(text));
	has_a_terminal("joined");
	len = 0;
	memset(text, 0, sizeof(text));
	start("joined", "echo ready; sleep 1000");
	if (EXPECT(wait_for("ready")))
		EXPECT(write(master, "\x1d", 1) == 1);
	EXPECT_EQ(ended(), 130);
	EXPECT(strstr(text, "the machine goes on"));
	EXPECT(!system("vmrun kill joined"));
}

static void ctrl_c_is_the_programs(void)
{
	start(NULL, "trap 'echo caught; exit 6' INT; echo ready; while :; do sleep 1; done");
	if (EXPECT(wait_for("ready")))
		EXPECT(write(master, "\3", 1) == 1);
	EXPECT_EQ(ended(), 6);
	EXPECT(strstr(text, "caught"));
}

static void the_escape_leaves(void)
{
	start(NULL, "echo ready; sleep 1000");
	if (EXPECT(wait_for("ready")))
		EXPECT(write(master, "\x1d", 1) == 1);
	EXPECT_EQ(ended(), 130);
	EXPECT(strstr(text, "left with Ctrl-]"));
}

static const struct test tests[] = {
	TEST(a_program_has_a_terminal),
	TEST(a_program_that_joins_has_one),
	TEST(ctrl_c_is_the_programs),
	TEST(the_escape_leaves),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

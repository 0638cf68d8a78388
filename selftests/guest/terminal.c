// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun on a terminal: the program in the guest has one of its own, of the user's size and resized with it; keys reach it;
 * Ctrl-] leaves; and the user's terminal is afterwards as it was. A guest with an initramfs of its own has the terminal as its
 * console: hvc0 knows the size, and what is pasted comes whole.
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
#define PASTE		102400

static int master, keep;
static struct termios before;
static char text[65536];
static size_t len;
static pid_t pid;

/* True in the child, whose terminal is a new one. */
static bool fork_on_terminal(void)
{
	struct winsize size = { .ws_row = 33, .ws_col = 99 };
	int slave;

	ASSERT(!openpty(&master, &slave, NULL, NULL, &size));
	ASSERT(!tcgetattr(slave, &before));
	keep = slave;
	pid = fork();
	if (pid)
		return false;
	close(master);
	if (login_tty(slave))
		_exit(99);
	return true;
}

/* A machine of its own for @script; or, with @machine, that one runs it. */
static void start(const char *machine, const char *script)
{
	if (!fork_on_terminal())
		return;
	if (machine)
		execl("/bin/vmrun", "vmrun", "exec", machine, "--", "sh", "-c", script, NULL);
	else
		execl("/bin/vmrun", "vmrun", "-A", test_dev, "--", "sh", "-c", script, NULL);
	_exit(99);
}

/* A guest with an initramfs of its own, whose console it is. */
static void start_guest(const char *script, const char *arguments)
{
	if (!fork_on_terminal())
		return;
	execl("/bin/virtio-guest", "virtio-guest", script, "-A", test_dev, "-m", "128", "-a", arguments, NULL);
	_exit(99);
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

/* "1\n2\n3\n" and so on, as seq says it, whole and at once. */
static void paste(void)
{
	static char data[PASTE + 16];
	struct pollfd p = { .fd = master, .events = POLLIN | POLLOUT };
	size_t made = 0, sent = 0;
	unsigned int line = 1;
	ssize_t n;

	while (made < PASTE)
		made += sprintf(data + made, "%u\n", line++);
	ASSERT(!fcntl(master, F_SETFL, O_NONBLOCK));
	while (sent < PASTE && poll(&p, 1, LIMIT_MS) > 0) {
		n = p.revents & POLLOUT ? write(master, data + sent, PASTE - sent) : 0;
		sent += n > 0 ? n : 0;
		n = p.revents & POLLIN ? read(master, text + len, sizeof(text) - 1 - len) : 0;
		len += n > 0 ? n : 0;
	}
	EXPECT_EQ(sent, PASTE);
	ASSERT(!fcntl(master, F_SETFL, 0));
}

#define TAKE_PASTE \
	"stty raw -echo; echo ready; sleep 2; head -c 102400 >/paste; " \
	"seq 1 30000 | head -c 102400 | cmp - /paste && echo all of it; "

static void a_paste_on_the_serial_port(void)
{
	struct winsize size = { .ws_row = 44, .ws_col = 111 };

	start_guest("exec </dev/ttyS0; " TAKE_PASTE, "console=ttyS0 quiet panic=-1 cryptomgr.notests");
	if (EXPECT(wait_for("ready"))) {
		/* Another size is no reason to end. */
		EXPECT(!ioctl(master, TIOCSWINSZ, &size));
		paste();
		EXPECT(wait_for("all of it"));
	}
	EXPECT_EQ(ended(), 0);
}

static void the_virtio_console(void)
{
	struct winsize size = { .ws_row = 44, .ws_col = 111 };

	start_guest("virtio console; exec </dev/hvc0 >/dev/hvc0; trap 'stty size; echo resized' WINCH; sleep 1; stty size; "
		    "echo sized; read line; stty size; " TAKE_PASTE,
		    "console=ttyS0 console=hvc0 quiet panic=-1 cryptomgr.notests");
	if (EXPECT(wait_for("sized"))) {
		EXPECT(strstr(text, "33 99"));
		EXPECT(!ioctl(master, TIOCSWINSZ, &size));
		usleep(1000000);
		EXPECT(write(master, "go on\r", 6) == 6);
		EXPECT(wait_for("ready"));
		EXPECT(strstr(text, "44 111"));
		paste();
		EXPECT(wait_for("all of it"));
	}
	EXPECT_EQ(ended(), 0);
}

static const struct test tests[] = {
	TEST(a_program_has_a_terminal),
	TEST(a_program_that_joins_has_one),
	TEST(ctrl_c_is_the_programs),
	TEST(the_escape_leaves),
	TEST(a_paste_on_the_serial_port),
	TEST(the_virtio_console),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

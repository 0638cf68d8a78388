// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun console at a terminal, and what asks a machine through its control socket, against a
 * machine that this file plays: one that does not read, and one that is slow to answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../client.h"
#include "../manage.h"
#include "ktap.h"

static const char ok[] = "{\"ok\":true}\n";

static char runtime[] = "/tmp/test_manage.XXXXXX";

struct played {
	struct instance instance;
	int listen_fd;
};

static void play(struct played *machine)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct vm_error err = { 0 };

	ASSERT(mkdtemp(runtime));
	setenv("XDG_RUNTIME_DIR", runtime, 1);
	ASSERT_EQ(instance_create(&machine->instance, "played", &err), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/vmrun/played/control.sock",
		 runtime);
	machine->listen_fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	ASSERT_OK(bind(machine->listen_fd, (struct sockaddr *)&address, sizeof(address)));
	ASSERT_OK(listen(machine->listen_fd, 1));
}

static void end_play(struct played *machine)
{
	struct vm_error err = { 0 };
	char path[64];

	close(machine->listen_fd);
	EXPECT_EQ(instance_remove(&machine->instance, &err), 0);
	instance_close(&machine->instance);
	snprintf(path, sizeof(path), "%s/vmrun", runtime);
	EXPECT_OK(rmdir(path));
	EXPECT_OK(rmdir(runtime));
}

/* A visitor who wants the console: takes the request and agrees. */
static int welcome(struct played *machine)
{
	struct pollfd ready = { .fd = machine->listen_fd, .events = POLLIN };
	char line[64];
	int fd;

	ASSERT_EQ(poll(&ready, 1, 5000), 1);
	fd = ASSERT_OK(accept(machine->listen_fd, NULL, NULL));
	ASSERT(recv(fd, line, sizeof(line), 0) > 0);
	ASSERT_EQ(send(fd, ok, strlen(ok), 0), (ssize_t)strlen(ok));
	return fd;
}

/* Types all of @data, which may take its reader some time; false when it does not read. */
static bool type(int terminal, const char *data, size_t len)
{
	struct pollfd ready = { .fd = terminal, .events = POLLOUT };
	ssize_t n;

	for (; len; data += n, len -= n) {
		if (poll(&ready, 1, 3000) != 1)
			return false;
		n = write(terminal, data, len < 512 ? len : 512);
		if (n < 0 && errno != EAGAIN)
			return false;
		n = n < 0 ? 0 : n;
	}
	return true;
}

static bool ends(pid_t child)
{
	unsigned int i;

	for (i = 0; i < 300; i++) {
		if (waitpid(child, NULL, WNOHANG) == child)
			return true;
		usleep(10000);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return false;
}

static pid_t start_console(int *terminal)
{
	struct vm_config config = { .operand = { "played" }, .nr_operands = 1 };
	struct vm_error err = { 0 };
	pid_t child = ASSERT_OK(forkpty(terminal, NULL, NULL, NULL));

	if (!child)
		_exit(manage_console(&config, &err));
	fcntl(*terminal, F_SETFL, O_NONBLOCK);
	return child;
}

/* The terminal is raw, as its line discipline would eat what is typed before. */
static void wait_raw(int terminal)
{
	struct termios now;
	unsigned int i;

	for (i = 0; i < 300; i++) {
		if (!tcgetattr(terminal, &now) && !(now.c_lflag & ICANON))
			return;
		usleep(10000);
	}
	EXPECT(false);
}

static void keys_arrive(void)
{
	struct played machine;
	int terminal, fd;
	char text[16];
	pid_t child;

	play(&machine);
	child = start_console(&terminal);
	fd = welcome(&machine);
	wait_raw(terminal);
	EXPECT(type(terminal, "root\n\x1d", 6));
	EXPECT(ends(child));
	EXPECT_EQ(recv(fd, text, sizeof(text), MSG_WAITALL), 5);
	EXPECT(!memcmp(text, "root\n", 5));
	close(fd);
	close(terminal);
	end_play(&machine);
}

/* More is typed than all buffers hold, and Ctrl-] then. */
static void a_machine_that_does_not_read_can_be_left(void)
{
	const size_t len = 1 << 20;
	struct played machine;
	char *keys = malloc(len);
	int terminal, fd;
	pid_t child;

	memset(keys, 'x', len);
	play(&machine);
	child = start_console(&terminal);
	fd = welcome(&machine);
	wait_raw(terminal);
	EXPECT(type(terminal, keys, len));
	EXPECT(type(terminal, "\x1d", 1));
	EXPECT(ends(child));
	close(fd);
	close(terminal);
	end_play(&machine);
	free(keys);
}

/* A byte now and then is no answer. */
static void an_answer_that_drips(void)
{
	struct timespec before, after;
	struct vm_error err = { 0 };
	int pair[2], status;
	unsigned int i;
	pid_t child;

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	child = ASSERT_OK(fork());
	if (!child) {
		close(pair[0]);
		for (i = 0; i < 80 && send(pair[1], "x", 1, MSG_NOSIGNAL) == 1; i++)
			usleep(100000);
		_exit(0);
	}
	close(pair[1]);
	clock_gettime(CLOCK_MONOTONIC, &before);
	EXPECT(!client_ask(pair[0], CONTROL_STATUS, &err));
	clock_gettime(CLOCK_MONOTONIC, &after);
	EXPECT(strstr(err.text, "does not answer"));
	EXPECT(after.tv_sec - before.tv_sec >= 4 && after.tv_sec - before.tv_sec <= 6);
	close(pair[0]);
	EXPECT_EQ(waitpid(child, &status, 0), child);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(keys_arrive), TEST(a_machine_that_does_not_read_can_be_left),
		TEST(an_answer_that_drips),
	};

	signal(SIGPIPE, SIG_IGN);
	return test_main(argc, argv, tests, COUNT(tests));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's agent, as an ordinary process of this machine behind a socket pair: what a
 * command gets, what comes back, and that nothing grows when nobody reads. The host's
 * side is played here, frame by frame.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../agent_link.h"
#include "../guest/guest.h"
#include "ktap.h"

#define OUTPUT_SIZE	(1u << 21)

struct host {
	struct agent_link link;
	pid_t agent;
	char *out[AGENT_STREAMS];
	size_t len[AGENT_STREAMS];
	bool eof[AGENT_STREAMS];
	bool no_credit;		/* keep what comes, give nothing back */
	bool closed_input;
	u32 returned;		/* credit for the input */
	struct agent_exit exit;
	bool exited;
};

static struct host *connect_agent(void)
{
	struct host *h = calloc(1, sizeof(*h));
	struct agent_frame frame = { 0 };
	const u8 *payload;
	int ends[2], i;
	sigset_t set;

	ASSERT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	h->agent = fork();
	if (!h->agent) {
		close(ends[0]);
		sigfillset(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		_exit(agent_serve(ends[1], sync) ? 1 : 0);
	}
	close(ends[1]);
	agent_link_init(&h->link, ends[0]);
	for (i = 0; i < AGENT_STREAMS; i++)
		h->out[i] = calloc(1, OUTPUT_SIZE);
	while (!agent_link_next(&h->link, &frame, &payload)) {
		struct pollfd p = { ends[0], POLLIN, 0 };

		ASSERT(poll(&p, 1, 10000) == 1);
		ASSERT(agent_link_receive(&h->link));
	}
	EXPECT_EQ(frame.type, AGENT_HELLO);
	EXPECT_EQ(frame.length, 4);
	return h;
}

static void take(struct host *h, const struct agent_frame *f, const u8 *payload)
{
	u32 n = f->length;

	switch (f->type) {
	case AGENT_DATA:
		ASSERT(h->len[f->stream] + n < OUTPUT_SIZE);
		memcpy(h->out[f->stream] + h->len[f->stream], payload, n);
		h->len[f->stream] += n;
		if (!h->no_credit)
			ASSERT(agent_link_put(&h->link, AGENT_CREDIT, f->stream, f->session, &n, 4));
		break;
	case AGENT_EOF:
		h->eof[f->stream] = true;
		break;
	case AGENT_CLOSE:
		h->closed_input = true;
		break;
	case AGENT_CREDIT:
		memcpy(&n, payload, 4);
		h->returned += n;
		break;
	case AGENT_EXIT:
		ASSERT(n == sizeof(h->exit));
		memcpy(&h->exit, payload, n);
		h->exited = true;
		break;
	default:
		ASSERT(false);
	}
}

/* Takes what comes until the command's end, or for @ms; false when the agent went away. */
static bool serve(struct host *h, int ms)
{
	struct agent_frame frame;
	const u8 *payload;

	while (!h->exited) {
		struct pollfd p = { h->link.fd, POLLIN, 0 };

		if (!agent_link_send(&h->link))
			return false;
		if (agent_link_pending(&h->link))
			p.events |= POLLOUT;
		if (poll(&p, 1, ms) <= 0)
			return true;
		if (!agent_link_receive(&h->link))
			return false;
		while (agent_link_next(&h->link, &frame, &payload) > 0)
			take(h, &frame, payload);
	}
	return true;
}

static void start(struct host *h, u32 flags, const char *cwd, const char *const *argv)
{
	static const char * const env[] = { "PATH=/usr/bin:/bin", "GREETING=hello there" };
	struct agent_exec exec = {
		.flags = flags, .uid = getuid(), .gid = getgid(), .size = { 33, 77 },
		.nr_env = COUNT(env),
	};
	char strings[4096];
	size_t len = 0, i;

	len += sprintf(strings, "%s", cwd) + 1;
	for (; argv[exec.nr_args]; exec.nr_args++)
		len += sprintf(strings + len, "%s", argv[exec.nr_args]) + 1;
	for (i = 0; i < COUNT(env); i++)
		len += sprintf(strings + len, "%s", env[i]) + 1;
	exec.strings_len = len;
	ASSERT(agent_link_put(&h->link, AGENT_EXEC, 0, 3, &exec, sizeof(exec)));
	/* In two parts, as a long list would come. */
	ASSERT(agent_link_put(&h->link, AGENT_STRINGS, 0, 3, strings, 5));
	ASSERT(agent_link_put(&h->link, AGENT_STRINGS, 0, 3, strings + 5, len - 5));
}

#define SHELL(h, flags, script)	start(h, flags, "/", (const char *const []){ "sh", "-c", script, NULL })

static void end(struct host *h)
{
	int status;

	close(h->link.fd);
	ASSERT(waitpid(h->agent, &status, 0) == h->agent);
	EXPECT(WIFEXITED(status));
}

static void output_and_status(void)
{
	struct host *h = connect_agent();

	SHELL(h, 0, "echo \"$GREETING\"; echo apart >&2; pwd; exit 7");
	EXPECT(serve(h, 10000));
	EXPECT(h->exited);
	EXPECT_EQ(h->exit.kind, AGENT_EXITED);
	EXPECT_EQ(h->exit.value, 7);
	EXPECT(!strcmp(h->out[AGENT_STDOUT], "hello there\n/\n"));
	EXPECT(!strcmp(h->out[AGENT_STDERR], "apart\n"));
	EXPECT(h->eof[AGENT_STDOUT] && h->eof[AGENT_STDERR]);
	end(h);
}

static void died_of_a_signal(void)
{
	struct host *h = connect_agent();
	const u32 sig = SIGTERM;

	SHELL(h, 0, "echo ready; exec sleep 100");
	while (!h->len[AGENT_STDOUT])
		ASSERT(serve(h, 100));
	ASSERT(agent_link_put(&h->link, AGENT_SIGNAL, 0, 3, &sig, sizeof(sig)));
	EXPECT(serve(h, 10000));
	EXPECT_EQ(h->exit.kind, AGENT_SIGNALLED);
	EXPECT_EQ(h->exit.value, SIGTERM);
	end(h);
}

static void what_cannot_start(void)
{
	static const struct {
		const char *cwd, *program;
		u32 flags, kind, value;
	} rows[] = {
		{ "/", "no-such-program", 0, AGENT_NO_PROGRAM, ENOENT },
		{ "/", "/etc/passwd", 0, AGENT_NO_PROGRAM, EACCES },
		{ "/no-such-folder", "true", 0, AGENT_NO_DIRECTORY, ENOENT },
		{ "/no-such-folder", "true", AGENT_EXEC_ANY_CWD, AGENT_EXITED, 0 },
	};
	unsigned int i;

	for (i = 0; i < COUNT(rows); i++) {
		struct host *h = connect_agent();

		start(h, rows[i].flags, rows[i].cwd,
		      (const char *const []){ rows[i].program, NULL });
		EXPECT(serve(h, 10000));
		EXPECT_EQ(h->exit.kind, rows[i].kind);
		EXPECT_EQ(h->exit.value, rows[i].value);
		end(h);
	}
}

static void input_and_its_end(void)
{
	struct host *h = connect_agent();

	SHELL(h, 0, "tr a-z A-Z; echo done");
	ASSERT(agent_link_put(&h->link, AGENT_DATA, AGENT_STDIN, 3, "some words\n", 11));
	ASSERT(agent_link_put(&h->link, AGENT_EOF, AGENT_STDIN, 3, NULL, 0));
	EXPECT(serve(h, 10000));
	EXPECT(!strcmp(h->out[AGENT_STDOUT], "SOME WORDS\ndone\n"));
	EXPECT_EQ(h->returned, 11);
	end(h);
}

static void who_does_not_read_is_told_of(void)
{
	struct host *h = connect_agent();

	SHELL(h, 0, "exec 0</dev/null; sleep 0.2; echo done");
	EXPECT(serve(h, 10000));
	EXPECT(h->closed_input);
	EXPECT(!strcmp(h->out[AGENT_STDOUT], "done\n"));
	end(h);
}

/* Without credit no more than a window comes; with it, everything. */
static void output_waits_for_credit(void)
{
	struct host *h = connect_agent();
	u32 window = AGENT_WINDOW;

	h->no_credit = true;
	SHELL(h, 0, "head -c 1000000 /dev/zero; echo more >&2");
	EXPECT(serve(h, 500));
	EXPECT(!h->exited);
	EXPECT_EQ(h->len[AGENT_STDOUT], AGENT_WINDOW);
	EXPECT_EQ(h->len[AGENT_STDERR], 0);
	h->no_credit = false;
	ASSERT(agent_link_put(&h->link, AGENT_CREDIT, AGENT_STDOUT, 3, &window, 4));
	EXPECT(serve(h, 10000));
	EXPECT(h->exited);
	EXPECT_EQ(h->len[AGENT_STDOUT], 1000000);
	EXPECT_EQ(h->len[AGENT_STDERR], 5);
	end(h);
}

static void input_beyond_the_window_ends_it(void)
{
	struct host *h = connect_agent();
	static char block[AGENT_WINDOW];
	unsigned int i;
	bool alive = true;

	/* The command's pipe takes 64 KiB more than the agent. */
	SHELL(h, 0, "sleep 100");
	for (i = 0; i < 4 && alive; i++) {
		alive = serve(h, 100);
		if (alive)
			agent_link_put(&h->link, AGENT_DATA, AGENT_STDIN, 3, block, sizeof(block));
	}
	EXPECT(!alive);
	end(h);
}

static void a_closed_output_is_a_broken_pipe(void)
{
	struct host *h = connect_agent();

	/* A window, or it writes on and on before it hears of the end. */
	h->no_credit = true;
	SHELL(h, 0, "exec yes");
	while (!h->len[AGENT_STDOUT])
		ASSERT(serve(h, 1));
	ASSERT(agent_link_put(&h->link, AGENT_CLOSE, AGENT_STDOUT, 3, NULL, 0));
	EXPECT(serve(h, 10000));
	EXPECT(h->exited);
	EXPECT_EQ(h->exit.kind, AGENT_SIGNALLED);
	EXPECT_EQ(h->exit.value, SIGPIPE);
	end(h);
}

static void a_terminal(void)
{
	struct host *h = connect_agent();
	const struct agent_size size = { 5, 6 };

	SHELL(h, AGENT_EXEC_TTY | AGENT_EXEC_STDERR,
	      "stty size; trap 'stty size; exit 0' WINCH; echo err >&2; tty >/dev/null && echo ready; while :; do sleep 0.1; done");
	while (!strstr(h->out[AGENT_STDOUT], "ready"))
		ASSERT(serve(h, 100));
	ASSERT(agent_link_put(&h->link, AGENT_RESIZE, 0, 3, &size, sizeof(size)));
	EXPECT(serve(h, 10000));
	EXPECT(!strcmp(h->out[AGENT_STDOUT], "33 77\r\nready\r\n5 6\r\n"));
	EXPECT(!strcmp(h->out[AGENT_STDERR], "err\n"));
	EXPECT_EQ(h->exit.kind, AGENT_EXITED);
	end(h);
}

static void the_end_does_not_wait_for_others(void)
{
	struct host *h = connect_agent();

	SHELL(h, 0, "(sleep 3; echo late) & echo early; exit 3");
	EXPECT(serve(h, 1500));
	EXPECT(h->exited);
	EXPECT_EQ(h->exit.value, 3);
	EXPECT(!strcmp(h->out[AGENT_STDOUT], "early\n"));
	end(h);
}

static void the_main_command_ends_the_agent(void)
{
	struct host *h = connect_agent();
	int status;

	SHELL(h, AGENT_EXEC_MAIN, "exit 0");
	EXPECT(serve(h, 10000));
	EXPECT(h->exited);
	close(h->link.fd);
	ASSERT(waitpid(h->agent, &status, 0) == h->agent);
	EXPECT_EQ(status, 0);
}

static void frames_against_the_rules(void)
{
	static const struct agent_exec good = { .nr_args = 1, .strings_len = 4 };
	static const struct agent_exec no_args = { .strings_len = 2 };
	static const struct agent_exec large = { .nr_args = 1, .strings_len = AGENT_MAX_STRINGS + 1 };
	static const struct {
		struct agent_frame frame;
		const void *payload;
		const char *strings;
	} rows[] = {
		{ .frame = { .type = 99 } },
		{ .frame = { .type = AGENT_EXEC, .length = 3 }, .payload = "abc" },
		{ .frame = { .type = AGENT_EXEC, .length = sizeof(large) }, .payload = &large },
		{ .frame = { .type = AGENT_EXEC, .session = AGENT_MAX_SESSIONS, .length = sizeof(good) }, .payload = &good },
		{ .frame = { .type = AGENT_EXEC, .stream = AGENT_STREAMS, .length = sizeof(good) }, .payload = &good },
		{ .frame = { .type = AGENT_EXEC, .length = sizeof(no_args) }, .payload = &no_args, .strings = "/" },
		{ .frame = { .type = AGENT_EXEC, .length = sizeof(good) }, .payload = &good, .strings = "/tmp" },
		{ .frame = { .type = AGENT_STRINGS, .length = 1 }, .payload = "" },
		{ .frame = { .type = AGENT_DATA, .length = AGENT_MAX_PAYLOAD + 1 } },
	};
	unsigned int i;

	for (i = 0; i < COUNT(rows); i++) {
		struct host *h = connect_agent();
		const struct agent_frame *f = &rows[i].frame;
		bool alive;

		/* A frame may be one that agent_link_put() would not make. */
		ASSERT(send(h->link.fd, f, sizeof(*f), 0) == sizeof(*f));
		if (rows[i].payload)
			send(h->link.fd, rows[i].payload, f->length, 0);
		if (rows[i].strings)
			agent_link_put(&h->link, AGENT_STRINGS, 0, 0, rows[i].strings,
				       strlen(rows[i].strings) + (rows[i].strings[1] ? 0 : 1));
		alive = serve(h, 1000);
		/* What is of no session may be of one that has ended, whatever it is. */
		if (alive != (f->type == 99))
			test_fail(__FILE__, __LINE__, "row %u: the connection %s", i,
				  alive ? "lives" : "ended");
		end(h);
	}
}

static const struct test tests[] = {
	TEST(output_and_status),
	TEST(died_of_a_signal),
	TEST(what_cannot_start),
	TEST(input_and_its_end),
	TEST(who_does_not_read_is_told_of),
	TEST(output_waits_for_credit),
	TEST(input_beyond_the_window_ends_it),
	TEST(a_closed_output_is_a_broken_pipe),
	TEST(a_terminal),
	TEST(the_end_does_not_wait_for_others),
	TEST(the_main_command_ends_the_agent),
	TEST(frames_against_the_rules),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

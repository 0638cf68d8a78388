// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's side of the agent protocol with the agent itself, which runs as a process of
 * this machine: descriptors of the test are the command's streams, as a user's are.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sys/epoll.h>

#include "../guest/guest.h"
#include "../session.h"
#include "ktap.h"

static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };

/* One command and what is around it. Ends of pipes: [0] reads, [1] writes. */
struct run {
	struct loop loop;
	struct sessions all;
	pid_t agent;
	int in[2], out[2], err[2];
	bool ended, escaped, attached_late;
	enum sessions_event last_event;
	struct agent_exit exit;
	struct session *session;
};

static void on_event(void *ctx, enum sessions_event event)
{
	struct run *r = ctx;

	r->last_event = event;
	if (event != SESSIONS_READY)
		loop_stop(&r->loop);
}

static void on_end(void *ctx, const struct agent_exit *exit)
{
	struct run *r = ctx;

	r->exit = *exit;
	r->ended = true;
	loop_stop(&r->loop);
}

static void on_escape(void *ctx)
{
	struct run *r = ctx;

	r->escaped = true;
	loop_stop(&r->loop);
}

static void on_timeout(void *ctx, u32 events)
{
	struct run *r = ctx;

	(void)events;
	test_fail(__FILE__, __LINE__, "it takes too long");
	loop_stop(&r->loop);
}

static void attach_agent(struct run *r)
{
	sigset_t set;
	int ends[2];

	ASSERT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	r->agent = fork();
	if (!r->agent) {
		/* Not the test's pipes: their ends are waited for. */
		dup2(ends[1], 3);
		close_range(4, ~0u, 0);
		sigfillset(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		agent_serve(3, sync);
		_exit(0);
	}
	close(ends[1]);
	sessions_attach(&r->all, ends[0]);
}

static struct run *prepare(void)
{
	const struct itimerspec limit = { .it_value.tv_sec = 20 };
	struct run *r = calloc(1, sizeof(*r));
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct vm_error err = { 0 };

	signal(SIGPIPE, SIG_IGN);
	ASSERT(!loop_create(&r->loop, &err));
	timerfd_settime(timer, 0, &limit, NULL);
	ASSERT(loop_watch(&r->loop, timer, EPOLLIN, on_timeout, r) >= 0);
	sessions_init(&r->all, &r->loop, on_event, r);
	ASSERT(!pipe2(r->in, O_CLOEXEC) && !pipe2(r->out, O_CLOEXEC) && !pipe2(r->err, O_CLOEXEC));
	return r;
}

static void start(struct run *r, u32 flags, const char *script)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct session_spec spec = {
		.flags = flags, .uid = getuid(), .gid = getgid(), .directory = "/", .argv = argv,
		.env = env, .fd = { r->in[0], r->out[1], r->err[1] }, .escape_fn = on_escape,
		.escape = flags & AGENT_EXEC_TTY, .end_fn = on_end, .ctx = r,
	};
	struct vm_error err = { 0 };

	r->session = session_start(&r->all, &spec, &err);
	ASSERT(r->session);
}

static void run(struct run *r)
{
	struct vm_error err = { 0 };

	r->loop.stop = false;
	ASSERT(!loop_run(&r->loop, &err));
}

static const char *read_all(int ends[2])
{
	static char text[2][65536];
	static unsigned int next;
	char *to = text[next++ % 2];
	ssize_t n;

	close(ends[1]);
	n = read(ends[0], to, sizeof(text[0]) - 1);
	ASSERT(n >= 0);
	to[n] = 0;
	return to;
}

static void end(struct run *r)
{
	sessions_destroy(&r->all);
	loop_destroy(&r->loop);
	ASSERT(waitpid(r->agent, NULL, 0) == r->agent);
}

static void a_filter(void)
{
	struct run *r = prepare();

	attach_agent(r);
	start(r, AGENT_EXEC_MAIN, "tr a-z A-Z; echo apart >&2; exit 7");
	ASSERT(write(r->in[1], "hello\n", 6) == 6);
	close(r->in[1]);
	run(r);
	EXPECT(r->ended);
	EXPECT_EQ(session_status(&r->exit, "sh"), 7);
	EXPECT(!strcmp(read_all(r->out), "HELLO\n"));
	EXPECT(!strcmp(read_all(r->err), "apart\n"));
	end(r);
}

/* Commands may be asked for before the guest is up. */
static void the_agent_comes_later(void)
{
	struct run *r = prepare();

	start(r, 0, "echo here");
	attach_agent(r);
	run(r);
	EXPECT(r->ended);
	EXPECT(!strcmp(read_all(r->out), "here\n"));
	end(r);
}

/* More than all windows and pipes hold, there and back, by regular files. */
static void large_files(void)
{
	static u8 block[1 << 20], back[sizeof(block) + 1];
	struct run *r = prepare();
	int from = memfd_create("from", 0), to = memfd_create("to", 0);
	size_t i;

	for (i = 0; i < sizeof(block); i++)
		block[i] = i * 7 + i / 255;
	ASSERT(write(from, block, sizeof(block)) == sizeof(block) && !lseek(from, 0, SEEK_SET));
	dup2(from, r->in[0]);
	dup2(to, r->out[1]);
	attach_agent(r);
	start(r, 0, "cat");
	run(r);
	EXPECT(r->ended);
	EXPECT_EQ(session_status(&r->exit, "sh"), 0);
	EXPECT_EQ(pread(to, back, sizeof(back), 0), sizeof(block));
	EXPECT(!memcmp(block, back, sizeof(block)));
	end(r);
}

static void nobody_reads(void)
{
	struct run *r = prepare();

	attach_agent(r);
	close(r->out[0]);
	start(r, 0, "exec yes");
	run(r);
	EXPECT(r->ended);
	EXPECT_EQ(session_status(&r->exit, "sh"), 128 + SIGPIPE);
	end(r);
}

static void a_signal(void)
{
	struct run *r = prepare();

	attach_agent(r);
	start(r, 0, "trap 'exit 9' INT; kill -INT $$; sleep 100");
	run(r);
	EXPECT_EQ(session_status(&r->exit, "sh"), 9);
	start(r, 0, "exec sleep 100");
	session_signal(r->session, SIGKILL);
	run(r);
	EXPECT_EQ(session_status(&r->exit, "sh"), 128 + SIGKILL);
	end(r);
}

static void the_escape(void)
{
	struct run *r = prepare();

	attach_agent(r);
	start(r, AGENT_EXEC_TTY, "sleep 100");
	ASSERT(write(r->in[1], "abc\x1d", 4) == 4);
	run(r);
	EXPECT(r->escaped && !r->ended);
	end(r);

	/* Into a pipe it is a byte like any other. */
	r = prepare();
	attach_agent(r);
	start(r, 0, "od -An -c");
	ASSERT(write(r->in[1], "a\x1d", 2) == 2);
	close(r->in[1]);
	run(r);
	EXPECT(r->ended && !r->escaped);
	EXPECT(strstr(read_all(r->out), "035"));
	end(r);
}

static void statuses(void)
{
	EXPECT_EQ(session_status(&(struct agent_exit){ AGENT_NO_PROGRAM, ENOENT }, "x"), 127);
	EXPECT_EQ(session_status(&(struct agent_exit){ AGENT_NO_PROGRAM, EACCES }, "x"), 126);
	EXPECT_EQ(session_status(&(struct agent_exit){ AGENT_NO_DIRECTORY, ENOENT }, "x"), 125);
	EXPECT_EQ(session_status(&(struct agent_exit){ AGENT_EXITED, 255 }, "x"), 255);
}

static void too_many(void)
{
	struct run *r = prepare();
	struct session_spec spec;
	struct vm_error err = { 0 };
	static char large[AGENT_MAX_STRINGS];
	unsigned int i;

	for (i = 0; i < AGENT_MAX_SESSIONS; i++)
		start(r, 0, "true");
	spec = (struct session_spec){
		.directory = "/", .argv = env, .env = env, .fd = { -1, -1, -1 },
		.end_fn = on_end, .ctx = r,
	};
	EXPECT(!session_start(&r->all, &spec, &err) && err.status == VM_STATUS_FAILURE);
	sessions_destroy(&r->all);
	memset(large, 'x', sizeof(large) - 1);
	spec.directory = large;
	err.status = 0;
	EXPECT(!session_start(&r->all, &spec, &err) && err.status == VM_STATUS_FAILURE);
}

/* A guest that breaks the protocol is told of, and does no harm. */
static void an_agent_gone_mad(void)
{
	static const u32 version = AGENT_VERSION, wrong = AGENT_VERSION + 1, much = AGENT_WINDOW;
	static const struct {
		struct agent_frame frame;
		const void *payload;
		bool after_hello;
	} rows[] = {
		{ { .type = AGENT_HELLO, .length = 4 }, &wrong, false },
		{ { .type = AGENT_HELLO, .length = 4 }, &version, true },
		{ { .type = AGENT_DATA, .stream = AGENT_STDOUT, .length = 4 }, &version, false },
		{ { .type = AGENT_DATA, .stream = AGENT_STDIN, .length = 4 }, &version, true },
		{ { .type = AGENT_DATA, .stream = 200, .length = 4 }, &version, true },
		{ { .type = AGENT_DATA, .stream = AGENT_STDOUT, .session = 1, .length = 4 }, &version, true },
		{ { .type = AGENT_DATA, .stream = AGENT_STDOUT, .session = 999, .length = 4 }, &version, true },
		{ { .type = AGENT_DATA, .stream = AGENT_STDOUT, .length = AGENT_MAX_PAYLOAD + 1 }, NULL, true },
		{ { .type = AGENT_CREDIT, .stream = AGENT_STDIN, .length = 4 }, &much, true },
		{ { .type = AGENT_CREDIT, .stream = AGENT_STDIN, .length = 3 }, &much, true },
		{ { .type = AGENT_EXIT, .length = 4 }, &much, true },
		{ { .type = 0 }, NULL, true },
	};
	unsigned int i;
	int ends[2];

	for (i = 0; i < COUNT(rows); i++) {
		const struct agent_frame hello = { .type = AGENT_HELLO, .length = 4 };
		const struct agent_frame *f = &rows[i].frame;
		struct run *r = prepare();

		ASSERT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
		sessions_attach(&r->all, ends[0]);
		start(r, 0, "true");
		if (rows[i].after_hello) {
			send(ends[1], &hello, sizeof(hello), 0);
			send(ends[1], &version, sizeof(version), 0);
		}
		send(ends[1], f, sizeof(*f), 0);
		if (rows[i].payload)
			send(ends[1], rows[i].payload, f->length, 0);
		run(r);
		if (!EXPECT_EQ(r->last_event, SESSIONS_BROKEN))
			test_note("row %u", i);
		EXPECT(!r->ended);
		sessions_destroy(&r->all);
		loop_destroy(&r->loop);
	}
}

static const struct test tests[] = {
	TEST(a_filter),
	TEST(the_agent_comes_later),
	TEST(large_files),
	TEST(nobody_reads),
	TEST(a_signal),
	TEST(the_escape),
	TEST(statuses),
	TEST(too_many),
	TEST(an_agent_gone_mad),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

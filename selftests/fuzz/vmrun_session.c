// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest's agent may say to vmrun: any bytes, behind a greeting or without one, while a program is asked for. Whatever
 * comes, the connection ends in order; the program's end is told once at most.
 */
#include <stdlib.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "session.h"

struct watch {
	struct loop loop;
	unsigned int ends;
};

static void on_event(void *ctx, enum sessions_event event)
{
	struct watch *w = ctx;

	if (event != SESSIONS_READY)
		loop_stop(&w->loop);
}

static void on_end(void *ctx, const struct agent_exit *exit)
{
	struct watch *w = ctx;

	w->ends++;
}

void fuzz_input(const uint8_t *data, size_t size)
{
	static const char *const argv[] = { "true", NULL }, *const env[] = { NULL };
	static const struct { struct agent_frame frame; u32 version; } __packed hello = {
		{ .type = AGENT_HELLO, .length = sizeof(u32) }, AGENT_VERSION,
	};
	struct session_spec spec = { .directory = "/", .argv = argv, .env = env, .end_fn = on_end };
	struct vm_error err = { 0 };
	struct sessions all;
	struct watch w = { .ends = 0 };
	int ends[2], null;

	/* The first byte chooses; all must fit into the socket, whose other end is not served meanwhile. */
	if (!size || size > 60000)
		return;
	null = open("/dev/null", O_RDWR);
	MUST(!loop_create(&w.loop, &err));
	MUST(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	sessions_init(&all, &w.loop, on_event, &w);
	sessions_attach(&all, ends[0]);
	spec.fd[0] = data[0] & 2 ? null : -1;
	spec.fd[1] = data[0] & 4 ? null : -1;
	spec.fd[2] = null;
	spec.ctx = &w;
	MUST(session_start(&all, &spec, &err));
	if (data[0] & 1)
		MUST(send(ends[1], &hello, sizeof(hello), 0) == sizeof(hello));
	MUST(send(ends[1], data + 1, size - 1, 0) == (ssize_t)size - 1);
	shutdown(ends[1], SHUT_WR);
	MUST(!loop_run(&w.loop, &err));
	MUST(w.ends <= 1);
	sessions_destroy(&all);
	loop_destroy(&w.loop);
	close(ends[1]);
	close(null);
}

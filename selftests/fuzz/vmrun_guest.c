// SPDX-License-Identifier: GPL-2.0
/*
 * Process 1 of vmrun's guest: its plan, and what its agent hears from vmrun. Both come from vmrun, so a bad byte is only a bug; but it
 * must not bring the guest down. No process is started: command_start() is replaced.
 */
#define command_start real_command_start
#include "guest/command.c"
#undef command_start

#include <stdint.h>
#include <sys/socket.h>

#include "fuzz.h"

/* Beyond the largest process id there can be: signals go nowhere. */
#define NOBODY	(1 << 30)

int command_start(struct command *command, const struct agent_exec *exec, char *strings)
{
	int in[2], out[2];

	(void)real_command_start;
	if (strings[0] == 'x')
		return ENOENT;
	command->pid = NOBODY;
	command->failure_fd = -1;
	if (pipe2(in, O_CLOEXEC | O_NONBLOCK) || pipe2(out, O_CLOEXEC | O_NONBLOCK))
		return errno;
	command->fd[AGENT_STDIN] = in[1];
	command->fd[AGENT_STDOUT] = out[0];
	command->fd[AGENT_STDERR] = -1;
	/* The command's ends: it reads nothing, and has said this. */
	if (strings[0] != 'r')
		close(in[0]);
	MUST(write(out[1], strings, 1) == 1);
	close(out[1]);
	if (strings[0] == 'r')
		close(in[0]);
	return 0;
}

static void settle(void)
{
}

/* Frames of the data's bytes: type, stream, session, a length; then the payload. */
static size_t make_frames(uint8_t *to, size_t room, const uint8_t *data, size_t size)
{
	size_t len = 0, n;

	while (size >= 4 && room - len > sizeof(struct agent_frame) + 255) {
		struct agent_frame frame = { data[0] % 12, data[1] % 4, data[2] % (AGENT_MAX_SESSIONS + 1), data[3] };

		data += 4;
		size -= 4;
		n = frame.length > size ? size : frame.length;
		if (frame.type == AGENT_EXEC && n >= 4) {
			struct agent_exec exec = { .flags = data[0], .nr_args = data[1] % 4, .nr_env = data[2] % 3,
						   .strings_len = data[3] % 32 };

			/* One that may be followed by strings: bytes seldom are. */
			frame.length = sizeof(exec);
			memcpy(to + len, &frame, sizeof(frame));
			memcpy(to + len + sizeof(frame), &exec, sizeof(exec));
			len += sizeof(frame) + sizeof(exec);
			data += 4;
			size -= 4;
			continue;
		}
		memcpy(to + len, &frame, sizeof(frame));
		len += sizeof(frame);
		memcpy(to + len, data, n);
		len += n;
		data += n;
		size -= n;
	}
	return len;
}

static void try_plan(const uint8_t *data, size_t size)
{
	struct plan *plan = malloc(sizeof(*plan));
	char *text = malloc(size + 1);
	const char *wrong;

	memcpy(text, data, size);
	text[size] = 0;
	wrong = plan_parse(plan, text);
	if (!wrong) {
		MUST(plan->root_tag || plan->disk.device);
		MUST(plan->nr_modules <= PLAN_MAX_MODULES && plan->nr_late <= plan->nr_modules);
		MUST(plan->nr_shares <= PLAN_MAX_SHARES);
	}
	free(text);
	free(plan);
}

void fuzz_input(const uint8_t *data, size_t size)
{
	static uint8_t bytes[60000];
	int ends[2];
	size_t len;

	if (!size)
		return;
	if (data[0] % 4 == 0) {
		try_plan(data + 1, size - 1);
		return;
	}
	/* As process 1 has it. */
	signal(SIGPIPE, SIG_IGN);
	MUST(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	len = size - 1;
	if (data[0] % 4 == 1)
		memcpy(bytes, data + 1, len = len > sizeof(bytes) ? sizeof(bytes) : len);
	else
		len = make_frames(bytes, sizeof(bytes), data + 1, size - 1);
	MUST(send(ends[1], bytes, len, 0) == (ssize_t)len);
	shutdown(ends[1], SHUT_WR);
	agent_serve(ends[0], settle);
	close(ends[0]);
	close(ends[1]);
}

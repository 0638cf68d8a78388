// SPDX-License-Identifier: GPL-2.0
/*
 * Moves streams between vmrun's connection and the commands' terminals and pipes, one
 * thread, one poll(). What is to be sent is kept as state (bytes owed, an end that was
 * not told yet) and becomes frames when the connection has room, so that frames never
 * queue up; how that bounds memory is in ../agent.h. Called by init.c, and by the unit
 * test over a socket pair.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../agent_link.h"
#include "guest.h"

/* What is read from a command at once. */
#define CHUNK		16384
/* What a pipe can hold at most, by default: the rest of a command that has ended. */
#define MAX_AFTER	(1u << 20)
/* How long vmrun may take to end the machine once it knows that the command has ended. */
#define GOODBYE_MS	2000

struct session {
	bool used;
	bool running;		/* a process is there, or a result that vmrun does not know */
	bool reaped;
	bool input_ended;	/* vmrun sends no more */
	bool tell_close;	/* nobody reads the command's input any more */
	bool tell_eof[AGENT_STREAMS];
	struct agent_exec exec;
	char *strings;
	u32 nr_strings;		/* bytes that have come */
	struct command command;
	struct agent_exit result;
	u32 credit[AGENT_STREAMS];	/* bytes that vmrun takes */
	u32 after;		/* bytes that were read since it was reaped */
	u32 owed;		/* bytes of input passed on, and not yet told so */
	u32 in_head, in_count;
	u8 input[AGENT_WINDOW];
};

struct agent {
	struct agent_link link;
	int signal_fd;
	bool main_ended;
	void (*settle)(void);
	struct session session[AGENT_MAX_SESSIONS];
	u8 chunk[CHUNK];
};

static void close_stream(struct session *s, unsigned int stream)
{
	if (s->command.fd[stream] >= 0)
		close(s->command.fd[stream]);
	s->command.fd[stream] = -1;
}

static bool is_tty(const struct session *s)
{
	return s->exec.flags & AGENT_EXEC_TTY;
}

static void set_result(struct session *s, enum agent_exit_kind kind, u32 value)
{
	s->running = true;
	s->reaped = true;
	s->result = (struct agent_exit){ .kind = kind, .value = value };
}

static void free_session(struct session *s)
{
	unsigned int i;

	for (i = 0; s->running && i < AGENT_STREAMS; i++)
		close_stream(s, i);
	free(s->strings);
	s->strings = NULL;
	s->used = false;
	s->running = false;
}

/* ---- what vmrun says ---- */

static int on_exec(struct session *s, const void *payload, u32 len)
{
	struct agent_exec exec;
	unsigned int i;

	if (s->used || len != sizeof(exec))
		return -1;
	memcpy(&exec, payload, len);
	if (!exec.strings_len || exec.strings_len > AGENT_MAX_STRINGS)
		return -1;
	/* The input's bytes stay as they are: nobody looks at them. */
	memset(s, 0, offsetof(struct session, input));
	s->strings = malloc(exec.strings_len);
	if (!s->strings)
		return -1;
	s->used = true;
	s->exec = exec;
	for (i = 0; i < AGENT_STREAMS; i++)
		s->command.fd[i] = -1;
	s->credit[AGENT_STDOUT] = AGENT_WINDOW;
	s->credit[AGENT_STDERR] = AGENT_WINDOW;
	return 0;
}

static int on_strings(struct session *s, const void *payload, u32 len)
{
	int error;

	if (!s->used || s->running || len > s->exec.strings_len - s->nr_strings)
		return -1;
	memcpy(s->strings + s->nr_strings, payload, len);
	s->nr_strings += len;
	if (s->nr_strings < s->exec.strings_len)
		return 0;
	if (!command_check(&s->exec, s->strings))
		return -1;
	error = command_start(&s->command, &s->exec, s->strings);
	free(s->strings);
	s->strings = NULL;
	s->running = true;
	if (error)
		set_result(s, AGENT_NO_START, error);
	return 0;
}

static int on_data(struct session *s, const u8 *payload, u32 len)
{
	u32 at, first;

	if (s->command.fd[AGENT_STDIN] < 0)
		return 0;
	if (len > AGENT_WINDOW - s->in_count)
		return -1;
	at = (s->in_head + s->in_count) % AGENT_WINDOW;
	first = min_u64(len, AGENT_WINDOW - at);
	memcpy(s->input + at, payload, first);
	memcpy(s->input, payload + first, len - first);
	s->in_count += len;
	return 0;
}

static int on_credit(struct session *s, unsigned int stream, const void *payload, u32 len)
{
	u32 bytes;

	if (len != sizeof(bytes) || stream == AGENT_STDIN)
		return -1;
	memcpy(&bytes, payload, sizeof(bytes));
	if (bytes > AGENT_WINDOW - s->credit[stream])
		return -1;
	s->credit[stream] += bytes;
	return 0;
}

static void on_close(struct session *s, unsigned int stream)
{
	close_stream(s, stream);
	/* The writer of a pipe gets SIGPIPE by that, of a terminal nothing: hang up. */
	if (is_tty(s) && stream == AGENT_STDOUT)
		close_stream(s, AGENT_STDIN);
}

static int on_resize(const struct session *s, const void *payload, u32 len)
{
	struct agent_size size;
	struct winsize window = { 0 };

	if (len != sizeof(size))
		return -1;
	memcpy(&size, payload, sizeof(size));
	window.ws_row = size.rows;
	window.ws_col = size.columns;
	if (is_tty(s) && s->command.fd[AGENT_STDIN] >= 0)
		ioctl(s->command.fd[AGENT_STDIN], TIOCSWINSZ, &window);
	return 0;
}

/* To the group that a command is the leader of, once it has come so far. */
static void send_signal(const struct session *s, int sig)
{
	if (!s->reaped && kill(-s->command.pid, sig))
		kill(s->command.pid, sig);
}

static int on_signal(const struct session *s, const void *payload, u32 len)
{
	u32 sig;

	if (len != sizeof(sig))
		return -1;
	memcpy(&sig, payload, sizeof(sig));
	if (!sig || sig >= NSIG)
		return -1;
	send_signal(s, sig);
	return 0;
}

static int on_frame(struct agent *agent, const struct agent_frame *f, const u8 *payload)
{
	struct session *s;

	if (f->session >= AGENT_MAX_SESSIONS || f->stream >= AGENT_STREAMS)
		return -1;
	s = &agent->session[f->session];
	if (f->type == AGENT_EXEC)
		return on_exec(s, payload, f->length);
	if (f->type == AGENT_STRINGS)
		return on_strings(s, payload, f->length);
	/* What was under way when the command ended. */
	if (!s->running)
		return 0;
	switch (f->type) {
	case AGENT_DATA:
		return f->stream == AGENT_STDIN ? on_data(s, payload, f->length) : -1;
	case AGENT_EOF:
		s->input_ended = true;
		return f->stream == AGENT_STDIN ? 0 : -1;
	case AGENT_CLOSE:
		on_close(s, f->stream);
		return f->stream == AGENT_STDIN ? -1 : 0;
	case AGENT_CREDIT:
		return on_credit(s, f->stream, payload, f->length);
	case AGENT_RESIZE:
		return on_resize(s, payload, f->length);
	case AGENT_SIGNAL:
		return on_signal(s, payload, f->length);
	default:
		return -1;
	}
}

static int receive(struct agent *agent)
{
	struct agent_frame frame;
	const u8 *payload;
	int ret;

	if (!agent_link_receive(&agent->link))
		return -1;
	while ((ret = agent_link_next(&agent->link, &frame, &payload)) > 0)
		if (on_frame(agent, &frame, payload))
			return -1;
	return ret;
}

/* ---- what the commands do ---- */

/* The command does not read any more. */
static void end_input(struct session *s)
{
	close_stream(s, AGENT_STDIN);
	s->tell_close = true;
	s->in_count = 0;
}

static void feed(struct session *s)
{
	int fd = s->command.fd[AGENT_STDIN];

	while (fd >= 0 && s->in_count) {
		u32 len = min_u64(s->in_count, AGENT_WINDOW - s->in_head);
		ssize_t n = write(fd, s->input + s->in_head, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			end_input(s);
			return;
		}
		s->in_head = (s->in_head + n) % AGENT_WINDOW;
		s->in_count -= n;
		s->owed += n;
	}
	if (fd >= 0 && s->input_ended) {
		/* Whoever is at a terminal that is gone has nothing more to do there. */
		if (is_tty(s))
			send_signal(s, SIGHUP);
		close_stream(s, AGENT_STDIN);
	}
}

/* Reads what @stream has and @agent's connection takes. */
static void drain(struct agent *agent, struct session *s, unsigned int stream)
{
	while (s->command.fd[stream] >= 0 && s->credit[stream]) {
		size_t room = min_u64(agent_link_room(&agent->link), CHUNK);
		ssize_t n;

		if (!room)
			return;
		n = read(s->command.fd[stream], agent->chunk, min_u64(room, s->credit[stream]));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && !s->reaped)
			return;
		/* What others hold open when the command is gone is not waited for. */
		if (n > 0 && s->reaped)
			s->after += n;
		if (n <= 0 || s->after > MAX_AFTER) {
			close_stream(s, stream);
			s->tell_eof[stream] = true;
			return;
		}
		s->credit[stream] -= n;
		agent_link_put(&agent->link, AGENT_DATA, stream, s - agent->session,
			       agent->chunk, n);
	}
}

static void say_end(struct agent *agent, struct session *s, unsigned int id)
{
	bool is_main = s->exec.flags & AGENT_EXEC_MAIN;
	unsigned int i;

	for (i = AGENT_STDOUT; i < AGENT_STREAMS; i++) {
		if (s->tell_eof[i])
			s->tell_eof[i] = !agent_link_put(&agent->link, AGENT_EOF, i, id, NULL, 0);
		if (s->tell_eof[i] || s->command.fd[i] >= 0)
			return;
	}
	if (!s->reaped || agent_link_room(&agent->link) < sizeof(s->result))
		return;
	/* vmrun ends the machine when it hears this. */
	if (is_main)
		agent->settle();
	agent_link_put(&agent->link, AGENT_EXIT, 0, id, &s->result, sizeof(s->result));
	agent->main_ended |= is_main;
	free_session(s);
}

static void pump(struct agent *agent)
{
	unsigned int id, i;

	for (id = 0; id < AGENT_MAX_SESSIONS; id++) {
		struct session *s = &agent->session[id];

		if (!s->running)
			continue;
		feed(s);
		if (s->owed && agent_link_put(&agent->link, AGENT_CREDIT, AGENT_STDIN, id,
					      &s->owed, sizeof(s->owed)))
			s->owed = 0;
		if (s->tell_close)
			s->tell_close = !agent_link_put(&agent->link, AGENT_CLOSE, AGENT_STDIN,
							id, NULL, 0);
		for (i = AGENT_STDOUT; i < AGENT_STREAMS; i++)
			drain(agent, s, i);
		say_end(agent, s, id);
	}
}

static void reap(struct agent *agent)
{
	struct signalfd_siginfo info;
	unsigned int i;
	int status;
	pid_t pid;

	while (read(agent->signal_fd, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < AGENT_MAX_SESSIONS; i++) {
			struct session *s = &agent->session[i];

			if (s->running && !s->reaped && s->command.pid == pid) {
				s->result = command_result(&s->command, status);
				s->reaped = true;
			}
		}
	}
}

/* ---- the loop ---- */

static void wait_for_event(struct agent *agent)
{
	struct pollfd fds[2 + AGENT_MAX_SESSIONS * AGENT_STREAMS];
	struct session *reader[2 + AGENT_MAX_SESSIONS * AGENT_STREAMS] = { NULL };
	bool room = agent_link_room(&agent->link);
	unsigned int i, j, n = 0;

	fds[n++] = (struct pollfd){ agent->link.fd,
		POLLIN | (agent_link_pending(&agent->link) ? POLLOUT : 0), 0 };
	fds[n++] = (struct pollfd){ agent->signal_fd, POLLIN, 0 };
	for (i = 0; i < AGENT_MAX_SESSIONS; i++) {
		struct session *s = &agent->session[i];

		if (!s->running)
			continue;
		/* A pipe is watched without bytes for it too: its reader may go. */
		if (s->in_count || !is_tty(s)) {
			reader[n] = s;
			fds[n++] = (struct pollfd){ s->command.fd[AGENT_STDIN],
				s->in_count ? POLLOUT : 0, 0 };
		}
		for (j = AGENT_STDOUT; j < AGENT_STREAMS; j++)
			if (room && s->credit[j])
				fds[n++] = (struct pollfd){ s->command.fd[j], POLLIN, 0 };
	}
	if (poll(fds, n, -1) <= 0)
		return;
	for (i = 2; i < n; i++)
		if (reader[i] && fds[i].revents & POLLERR)
			end_input(reader[i]);
}

/* True once vmrun has all there is to say; it ends the machine then. */
static bool say_goodbye(struct agent *agent)
{
	struct pollfd p = { .fd = agent->link.fd };
	char byte;

	while (agent_link_pending(&agent->link)) {
		p.events = POLLOUT;
		if (poll(&p, 1, GOODBYE_MS) <= 0 || !agent_link_send(&agent->link))
			return false;
	}
	p.events = POLLIN;
	while (poll(&p, 1, GOODBYE_MS) > 0 && read(p.fd, &byte, 1) > 0)
		;
	return true;
}

int agent_serve(int fd, void (*settle)(void))
{
	const u32 version = AGENT_VERSION;
	struct agent *agent = calloc(1, sizeof(*agent));
	unsigned int i;
	sigset_t set;
	int ret = -1;

	if (!agent)
		return -1;
	agent->settle = settle;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	agent->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	agent_link_init(&agent->link, fd);
	agent_link_put(&agent->link, AGENT_HELLO, 0, 0, &version, sizeof(version));
	while (agent->signal_fd >= 0 && agent_link_send(&agent->link)) {
		if (agent->main_ended) {
			ret = say_goodbye(agent) ? 0 : -1;
			break;
		}
		wait_for_event(agent);
		if (receive(agent))
			break;
		reap(agent);
		pump(agent);
	}
	for (i = 0; i < AGENT_MAX_SESSIONS; i++)
		if (agent->session[i].used)
			free_session(&agent->session[i]);
	if (agent->signal_fd >= 0)
		close(agent->signal_fd);
	free(agent);
	return ret;
}

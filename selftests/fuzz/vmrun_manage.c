// SPDX-License-Identifier: GPL-2.0
/*
 * What vmrun's commands (ps, inspect, trace, stat, memory) believe of a machine: its machine.json and trace.json, and the replies of
 * its control socket, all made by a process that its guest may have overcome. The input makes them: texts of any kind, or JSON with
 * the keys that are looked for and values that nobody expects. A command comes to its end in bounded time, and prints nothing that
 * would command a terminal.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "instance.h"
#include "manage.h"

/* A machine that runs is one that this file plays: no process, no socket in a folder, no second passes. */
#define MACHINE	"fuzz"

enum { PS, INSPECT, TRACE, STAT, MEMORY, NR_KINDS };

static struct {
	int folder;
	bool runs;
	long long ms;		/* that the commands have slept */
	const char *reply;
	size_t reply_len;
	int peer[16];
	unsigned int nr_peers;
} w;

static int fuzz_poll(struct pollfd *fds, nfds_t nr, int ms)
{
	if (!fds) {
		w.ms += ms;
		return 0;
	}
	return poll(fds, nr, ms);
}

static int fuzz_clock(clockid_t id, struct timespec *now)
{
	*now = (struct timespec){ w.ms / 1000, w.ms % 1000 * 1000000 };
	return 0;
}

/* What will be said lies there at once; what is asked nobody reads. */
static int fuzz_socket(int domain, int type, int protocol)
{
	int ends[2];

	MUST(!socketpair(domain, type, protocol, ends));
	MUST(w.nr_peers < ARRAY_SIZE(w.peer));
	w.peer[w.nr_peers++] = ends[1];
	if (send(ends[1], w.reply, w.reply_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		MUST(errno == EAGAIN);
	shutdown(ends[1], SHUT_WR);
	return ends[0];
}

static int fuzz_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	return 0;
}

pid_t instance_pid(const struct instance *instance)
{
	return w.runs;
}

int config_read_size(const char *arg, u64 *size, struct vm_error *err)
{
	abort();
}

#define instance_pid(instance)		real_pid(instance)
#define poll(fds, nr, ms)		fuzz_poll(fds, nr, ms)
#define clock_gettime(id, now)		fuzz_clock(id, now)
#define socket(domain, type, protocol)	fuzz_socket(domain, type, protocol)
#define connect(fd, address, len)	fuzz_connect(fd, address, len)
#include "instance.c"
#undef instance_pid
#include "client.c"
#include "manage_memory.c"
#undef poll
#undef clock_gettime
#undef socket
#undef connect

static const char *const keys[] = {
	"name", "pid", "started", "accel", "config", "ended", "status", "reason", "time", "cpus", "memory", "state", "ok", "error", "hint",
	"counters", "exits", "records", "kind", "rip", "ago", "vcpu", "guest", "total", "free", "available", "resident", "balloon",
	"told", "wanted", "note",
};

struct bytes {
	const uint8_t *at, *end;
};

static unsigned int take(struct bytes *bytes)
{
	return bytes->at < bytes->end ? *bytes->at++ : 0;
}

static json_t *make_value(struct bytes *bytes, unsigned int depth);

static json_t *make_object(struct bytes *bytes, unsigned int depth)
{
	unsigned int n = take(bytes) % 8, key;
	json_t *object = json_object();
	char odd[4] = { 0 };

	for (; n; n--) {
		key = take(bytes);
		snprintf(odd, sizeof(odd), "%c%c", 1 + take(bytes) % 127, key);
		json_object_set_new(object, key < 200 ? keys[key % ARRAY_SIZE(keys)] : odd, make_value(bytes, depth));
	}
	return object;
}

static json_t *make_value(struct bytes *bytes, unsigned int depth)
{
	unsigned int kind = take(bytes), n, i;
	json_int_t number = 0;
	json_t *value;
	char text[64];

	if (depth > 4)
		kind %= 5;
	switch (kind % 8) {
	case 0:
		for (i = 0; i < 8; i++)
			number = (u64)number << 8 | take(bytes);
		return json_integer(number);
	case 1:
		return json_integer(take(bytes));
	case 2:
		return json_true();
	case 3:
		/* Each byte a character: with those of C1. */
		for (n = take(bytes) % 24, i = 0; n; n--) {
			unsigned int c = take(bytes);

			if (c >= 0x80)
				text[i++] = 0xc0 | c >> 6;
			text[i++] = c >= 0x80 ? 0x80 | (c & 0x3f) : c;
		}
		return json_stringn(text, i);
	case 4:
		return json_null();
	case 5:
		value = json_array();
		for (n = take(bytes) % 8; n; n--)
			json_array_append_new(value, make_value(bytes, depth + 1));
		return value;
	default:
		return make_object(bytes, depth + 1);
	}
}

/* Where a machine has something, in the file and in its replies; in the place of each null comes a value. */
static const char file_template[] = "{\"pid\":null,\"started\":null,\"config\":{\"cpus\":null,\"memory\":null},"
	"\"ended\":{\"status\":null,\"reason\":null,\"time\":null}}";
static const char trace_template[] = "[{\"vcpu\":null,\"exits\":null,\"records\":"
	"[{\"ago\":null,\"kind\":null,\"rip\":null,\"x\":null,\"y\":null},{\"ago\":null}]}]";
static const char reply_template[] = "{\"state\":null,\"time\":null,\"cpus\":null,\"counters\":{\"exits\":null,\"a\":null,\"b\":null},"
	"\"records\":[{\"ago\":null,\"kind\":null,\"gpa\":null}],\"total\":null,\"guest\":{\"told\":null,\"free\":null},"
	"\"memory\":{\"resident\":null,\"guest\":{\"available\":null}},\"error\":null,\"hint\":null}";

static void fill(json_t *value, struct bytes *bytes)
{
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item)
		fill(item, bytes);
	json_object_foreach(value, key, item) {
		if (json_is_null(item))
			json_object_set_new(value, key, make_value(bytes, 3));
		else
			fill(item, bytes);
	}
}

/* As in @template, or not at all. */
static json_t *make_of(const char *template, struct bytes *bytes)
{
	json_t *value;

	if (take(bytes) & 1)
		return make_object(bytes, 0);
	value = json_loads(template, 0, NULL);
	MUST(value);
	fill(value, bytes);
	return value;
}

static char top[64];
static pid_t owner;

static void clean(void)
{
	static const char *const left[] = { "machine.json", "trace.json" };
	char path[96];
	unsigned int i;

	if (!top[0] || getpid() != owner)
		return;
	for (i = 0; i < ARRAY_SIZE(left); i++)
		unlinkat(w.folder, left[i], 0);
	snprintf(path, sizeof(path), "%s/vmrun/" MACHINE, top);
	rmdir(path);
	*strrchr(path, '/') = 0;
	rmdir(path);
	rmdir(top);
}

static void make_folders(void)
{
	char path[96];

	/* In memory, where there is such a folder. */
	strcpy(top, "/dev/shm/fuzz-manage.XXXXXX");
	if (!mkdtemp(top)) {
		strcpy(top, "/tmp/fuzz-manage.XXXXXX");
		MUST(mkdtemp(top));
	}
	owner = getpid();
	MUST(!setenv("XDG_RUNTIME_DIR", top, 1));
	snprintf(path, sizeof(path), "%s/vmrun", top);
	MUST(!mkdir(path, 0700));
	strcat(path, "/" MACHINE);
	MUST(!mkdir(path, 0700));
	w.folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(w.folder >= 0);
	atexit(clean);
}

/* The file that the command looks at, if it looks at one. */
static void write_file(unsigned int command, const char *text, size_t len)
{
	const char *name = command == TRACE ? "trace.json" : "machine.json";
	int fd = command > TRACE ? -1 : openat(w.folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (command > TRACE)
		return;
	MUST(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	close(fd);
}

/* As many lines as there are bytes for, and two with nothing in them. */
static char *make_replies(struct bytes *bytes)
{
	json_t *reply;
	size_t len;
	char *text;
	FILE *to = open_memstream(&text, &len);
	unsigned int n;

	for (n = 0; n < 6 && (n < 2 || bytes->at < bytes->end); n++) {
		reply = make_of(reply_template, bytes);
		/* Others are errors, which are short. */
		if (take(bytes) < 250)
			json_object_set_new(reply, "ok", json_true());
		json_dumpf(reply, to, JSON_COMPACT);
		fputc('\n', to);
		json_decref(reply);
	}
	fclose(to);
	w.reply_len = len;
	return text;
}

static void look_at_output(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		MUST((uint8_t)text[i] >= ' ' || text[i] == '\n');
		MUST((uint8_t)text[i] != 0xc2 || i + 1 == len || ((uint8_t)text[i + 1] & 0xe0) != 0x80);
	}
}

static void run(unsigned int command, struct bytes *bytes)
{
	static int (*const commands[])(const struct vm_config *config, struct vm_error *err) = {
		[PS] = manage_ps, [INSPECT] = manage_inspect, [TRACE] = manage_trace, [STAT] = manage_stat, [MEMORY] = manage_memory,
	};
	struct vm_config config = { .operand = { MACHINE }, .nr_operands = 1, .time = 1 + take(bytes) % 3, .json = command & 0x40 };
	FILE *before = stdout;
	struct vm_error err = { 0 };
	char *text;
	size_t len;

	stdout = open_memstream(&text, &len);
	w.ms = 0;
	w.runs = command & 0x80;
	commands[command % NR_KINDS](&config, &err);
	fclose(stdout);
	stdout = before;
	look_at_output(text, len);
	free(text);
	MUST(w.ms < 10000);
	while (w.nr_peers)
		close(w.peer[--w.nr_peers]);
}

void fuzz_input(const uint8_t *data, size_t size)
{
	struct bytes bytes = { data, data + size };
	unsigned int command = take(&bytes), form = take(&bytes);
	char *replies = NULL, *text = NULL;
	json_t *object;

	if (!w.folder)
		make_folders();
	if (form & 1) {
		/* As they come: the file, and then the replies. */
		size_t len = (bytes.end - bytes.at) / 2;

		write_file(command % NR_KINDS, (const char *)bytes.at, len);
		w.reply = (const char *)bytes.at + len;
		w.reply_len = bytes.end - bytes.at - len;
	} else {
		object = make_of(command % NR_KINDS == TRACE ? trace_template : file_template, &bytes);
		text = json_dumps(object, JSON_ENCODE_ANY);
		json_decref(object);
		if (text)
			write_file(command % NR_KINDS, text, strlen(text));
		replies = make_replies(&bytes);
		w.reply = replies;
	}
	run(command, &bytes);
	free(replies);
	free(text);
}

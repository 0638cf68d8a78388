// SPDX-License-Identifier: GPL-2.0
/*
 * The control socket: requests as they are read, the server over a real socket, and the
 * folders of machines.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../control.h"
#include "few_fds.h"
#include "ktap.h"

static void put(struct control_line *line, const char *text)
{
	size_t len = strlen(text);

	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void lines(void)
{
	struct control_line *line = calloc(1, sizeof(*line));
	const char *text;
	size_t len;

	EXPECT_EQ(control_line_take(line, &text, &len), 0);
	put(line, "ab");
	EXPECT_EQ(control_line_take(line, &text, &len), 0);
	put(line, "c\nde\n\nf");
	EXPECT_EQ(control_line_take(line, &text, &len), 1);
	EXPECT(len == 3 && !memcmp(text, "abc", 3));
	EXPECT_EQ(control_line_take(line, &text, &len), 1);
	EXPECT(len == 2 && !memcmp(text, "de", 2));
	EXPECT_EQ(control_line_take(line, &text, &len), 1);
	EXPECT_EQ(len, 0);
	EXPECT_EQ(control_line_take(line, &text, &len), 0);
	EXPECT_EQ(control_line_room(line), CONTROL_MAX_LINE - 1);
	memset(line->text + line->len, 'x', control_line_room(line));
	line->len = CONTROL_MAX_LINE;
	EXPECT_EQ(control_line_take(line, &text, &len), -1);
	/* The longest line there can be. */
	line->text[CONTROL_MAX_LINE - 1] = '\n';
	EXPECT_EQ(control_line_take(line, &text, &len), 1);
	EXPECT_EQ(len, CONTROL_MAX_LINE - 1);
	EXPECT_EQ(control_line_take(line, &text, &len), 0);
	free(line);
}

static void requests(void)
{
	static const char *const wrong[] = {
		"", "{", "[]", "null", "7", "\"stop\"", "{}", "{\"command\":7}", "{\"command\":\"\"}",
		"{\"command\":\"stopp\"}", "{\"command\":\"stop\",\"x\":1}", "{\"command\":\"stop\"} x",
		"{\"command\":\"stop\",\"command\":\"kill\"}", "{\"command\":\"kill\\u0000\"}",
		"{\"command\":\"\xff\"}",
		"{\"command\":\"status\",\"rows\":1}", "{\"command\":\"exec\",\"x\":1}",
		"{\"command\":\"exec\",\"arguments\":\"sh\"}", "{\"command\":\"exec\",\"arguments\":[1]}",
		"{\"command\":\"exec\",\"environment\":[\"A\"]}",
		"{\"command\":\"exec\",\"environment\":[\"=A\"]}",
		"{\"command\":\"exec\",\"terminal\":1}", "{\"command\":\"exec\",\"rows\":65536}",
		"{\"command\":\"resize\",\"columns\":-1}", "{\"command\":\"signal\"}",
		"{\"command\":\"trace\",\"vcpu\":-1}", "{\"command\":\"trace\",\"vcpu\":65536}",
		"{\"command\":\"trace\",\"vcpu\":\"0\"}", "{\"command\":\"stat\",\"vcpu\":0}",
		"{\"command\":\"memory\",\"size\":0}", "{\"command\":\"memory\",\"size\":\"64M\"}",
		"{\"command\":\"memory\",\"size\":-64}", "{\"command\":\"memory\",\"size\":1048577}",
		"{\"command\":\"stat\",\"size\":64}", "{\"command\":\"memory\",\"number\":1}",
		"{\"command\":\"signal\",\"number\":64}", "{\"command\":\"signal\",\"number\":\"2\"}",
	};
	struct control_request request;
	char text[64];
	size_t i;
	int verb;

	for (verb = CONTROL_STATUS; verb < CONTROL_SIGNAL; verb++) {
		snprintf(text, sizeof(text), "{\"command\": \"%s\"}", control_verb_name(verb));
		EXPECT(!control_parse(&request, text, strlen(text)));
		EXPECT_EQ(request.verb, verb);
		control_request_release(&request);
	}
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		if (!EXPECT(control_parse(&request, wrong[i], strlen(wrong[i]))))
			test_note("with '%s'", wrong[i]);
}

static void a_trace_request(void)
{
	static const char one[] = "{\"command\":\"trace\",\"vcpu\":7}", none[] = "{\"command\":\"trace\"}";
	struct control_request request;

	ASSERT(!control_parse(&request, one, strlen(one)));
	EXPECT_EQ(request.verb, CONTROL_TRACE);
	EXPECT_EQ(request.vcpu, 7);
	control_request_release(&request);
	ASSERT(!control_parse(&request, none, strlen(none)));
	EXPECT_EQ(request.vcpu, 0);
	control_request_release(&request);
}

static void a_memory_request(void)
{
	static const char text[] = "{\"command\":\"memory\",\"size\":192}";
	struct control_request request;

	ASSERT(!control_parse(&request, text, strlen(text)));
	EXPECT(request.verb == CONTROL_MEMORY && request.size == 192);
	control_request_release(&request);
}

static void an_exec_request(void)
{
	static const char full[] = "{\"command\":\"exec\",\"arguments\":[\"sh\",\"-c\",\"\"],"
		"\"environment\":[\"A=b=c\"],\"directory\":\"/src\",\"terminal\":true,\"stderr\":false,"
		"\"rows\":33,\"columns\":65535}";
	static const char none[] = "{\"command\":\"exec\"}";
	struct control_request request;

	ASSERT(!control_parse(&request, full, strlen(full)));
	EXPECT(!strcmp(request.arguments[1], "-c") && !strcmp(request.arguments[2], "") &&
	       !request.arguments[3]);
	EXPECT(!strcmp(request.environment[0], "A=b=c") && !request.environment[1]);
	EXPECT(!strcmp(request.directory, "/src"));
	EXPECT(request.terminal && !request.stderr_apart);
	EXPECT(request.rows == 33 && request.columns == 65535);
	control_request_release(&request);
	ASSERT(!control_parse(&request, none, strlen(none)));
	EXPECT(!request.arguments[0] && !request.environment[0] && !request.directory);
	EXPECT(!request.terminal && !request.rows);
	control_request_release(&request);
}

/* ---- folders ---- */

static char runtime[64];

static void use_runtime(void)
{
	strcpy(runtime, "/tmp/test_control.XXXXXX");
	if (!mkdtemp(runtime))
		test_note("cannot make %s", runtime);
	setenv("XDG_RUNTIME_DIR", runtime, 1);
}

static void remove_runtime(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/vmrun", runtime);
	EXPECT_EQ(rmdir(path), 0);
	EXPECT_EQ(rmdir(runtime), 0);
}

static int count_names(void *ctx, const char *name)
{
	(void)name;
	++*(int *)ctx;
	return 0;
}

static void names(void)
{
	static const char *const wrong[] = {
		"", ".", "..", "a/b", "-a", ".a", "a b", "a\n", "\xc3\xa4", "a234567890123456789012345678901234",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct vm_error err = { 0 };

		if (!EXPECT_EQ(instance_check_name(wrong[i], &err), -1) || !EXPECT(err.hint[0]))
			test_note("with '%s'", wrong[i]);
	}
	EXPECT_EQ(instance_check_name("build-1_a.B", &(struct vm_error){ 0 }), 0);
}

/* Locks are a process's own: the machine is a child. */
static void folders(void)
{
	struct vm_error err = { 0 };
	struct instance instance, other;
	int ends[2], nr = 0, status;
	json_t *object;
	pid_t child;
	char c;

	use_runtime();
	EXPECT_EQ(instance_open(&other, "one", &err), -1);
	ASSERT_EQ(pipe(ends), 0);
	child = fork();
	if (!child) {
		struct vm_error none = { 0 };

		if (instance_create(&instance, "one", &none) || write(ends[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(2);
	}
	close(ends[1]);
	ASSERT_EQ(read(ends[0], &c, 1), 1);
	memset(&err, 0, sizeof(err));
	ASSERT_EQ(instance_open(&other, "one", &err), 0);
	EXPECT_EQ(instance_pid(&other), child);
	EXPECT_EQ(instance_create(&instance, "one", &err), -1);
	EXPECT(strstr(err.text, "running"));
	memset(&err, 0, sizeof(err));
	EXPECT_EQ(instance_remove(&other, &err), -1);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);

	/* It died, and its name can be had again; what it left is gone then. */
	EXPECT_EQ(instance_pid(&other), 0);
	close(instance_open_file(&other, "console.log", O_WRONLY | O_CREAT));
	memset(&err, 0, sizeof(err));
	ASSERT_EQ(instance_create(&instance, "one", &err), 0);
	EXPECT_EQ(instance_open_file(&other, "console.log", O_RDONLY), -ENOENT);
	object = json_pack("{s:i}", "x", 7);
	EXPECT_EQ(instance_write_json(&instance, "machine.json", object, &err), 0);
	json_decref(object);
	object = instance_read_json(&other, "machine.json");
	EXPECT_EQ(json_integer_value(json_object_get(object, "x")), 7);
	json_decref(object);
	EXPECT_EQ(instance_for_each(count_names, &nr, &err), 0);
	EXPECT_EQ(nr, 1);
	EXPECT_EQ(instance_remove(&instance, &err), 0);
	instance_close(&instance);
	instance_close(&other);

	/* A name that is made up. */
	ASSERT_EQ(instance_create(&instance, NULL, &err), 0);
	EXPECT_EQ(instance_check_name(instance.name, &err), 0);
	EXPECT_EQ(instance_remove(&instance, &err), 0);
	instance_close(&instance);
	close(ends[0]);
	remove_runtime();
}

/* What cannot be locked may be a running machine's: nothing of it goes. */
static void no_removal_without_the_lock(void)
{
	struct vm_error err = { 0 };
	struct instance instance, other;

	use_runtime();
	ASSERT_EQ(instance_create(&instance, "one", &err), 0);
	close(instance_open_file(&instance, "console.log", O_WRONLY | O_CREAT));
	ASSERT_OK(unlinkat(instance.dir_fd, "pid", 0));
	ASSERT_OK(symlinkat("elsewhere", instance.dir_fd, "pid"));
	ASSERT_EQ(instance_open(&other, "one", &err), 0);
	EXPECT_EQ(instance_remove(&other, &err), -1);
	EXPECT(strstr(err.text, "cannot remove"));
	EXPECT_EQ(instance_pid(&other), 0);
	close(ASSERT_OK(instance_open_file(&other, "console.log", O_RDONLY)));
	instance_close(&other);
	memset(&err, 0, sizeof(err));
	EXPECT_EQ(instance_remove(&instance, &err), 0);
	instance_close(&instance);
	remove_runtime();
}

static void a_folder_of_others_is_refused(void)
{
	struct vm_error err = { 0 };
	struct instance instance;
	char path[128];

	use_runtime();
	snprintf(path, sizeof(path), "%s/vmrun", runtime);
	mkdir(path, 0755);
	chmod(path, 0755);
	EXPECT_EQ(instance_create(&instance, "one", &err), -1);
	EXPECT(strstr(err.text, "not yours alone") && err.hint[0]);
	rmdir(path);
	EXPECT_EQ(symlink("/tmp", path), 0);
	memset(&err, 0, sizeof(err));
	EXPECT_EQ(instance_create(&instance, "one", &err), -1);
	unlink(path);
	mkdir(path, 0700);
	remove_runtime();
}

/* ---- the server: the loop is turned by hand, until the client has its bytes ---- */

struct served {
	struct loop loop;
	struct instance instance;
	struct control *control;
	int fd;
	enum control_verb asked;
	char input[64];
	unsigned int input_len;
	unsigned int room;
	struct connection *caller;	/* of the command that runs */
	int given[CONTROL_STREAMS];
	unsigned int rows, signal, hung_up;
};

static json_t *record(void *ctx, const struct control_request *request, struct vm_error *err)
{
	struct served *s = ctx;

	s->asked = request->verb;
	if (request->verb == CONTROL_STAT)
		vm_fail(err, VM_STATUS_FAILURE, "do this", "no such counters");
	return request->verb == CONTROL_STATUS ? json_pack("{s:s}", "state", "running") : NULL;
}

static struct json_t *trace_of(void *ctx, unsigned int vcpu, struct vm_error *err)
{
	(void)ctx;
	if (vcpu > 1)
		vm_fail(err, VM_STATUS_FAILURE, NULL, "no such vCPU");
	return vcpu > 1 ? NULL : json_pack("{s:i}", "vcpu", (int)vcpu);
}

static unsigned int room_of(void *ctx)
{
	return ((struct served *)ctx)->room;
}

static void take_input(void *ctx, const u8 *data, unsigned int len)
{
	struct served *s = ctx;

	memcpy(s->input + s->input_len, data, len);
	s->input_len += len;
	s->room -= len;
}

/* A command is the test itself: what it was started with, and what became of it. */
static struct machine_exec *start_exec(void *ctx, const struct control_request *request,
				       const int fd[CONTROL_STREAMS], struct connection *caller,
				       struct vm_error *err)
{
	struct served *s = ctx;

	if (!request->arguments[0]) {
		vm_fail(err, VM_STATUS_FAILURE, "", "there is no agent");
		return NULL;
	}
	memcpy(s->given, fd, sizeof(s->given));
	s->caller = caller;
	return (struct machine_exec *)s;
}

static void resize_exec(struct machine_exec *exec, unsigned int rows, unsigned int columns)
{
	((struct served *)exec)->rows = rows + columns;
}

/* Ends the command, as any could. */
static void signal_exec(struct machine_exec *exec, unsigned int signal)
{
	struct served *s = (struct served *)exec;
	int i;

	s->signal = signal;
	for (i = 0; i < CONTROL_STREAMS; i++)
		close(s->given[i]);
	control_exec_ended(s->caller, 128 + signal, "a note");
}

static void hang_up_exec(struct machine_exec *exec)
{
	struct served *s = (struct served *)exec;
	int i;

	s->hung_up++;
	for (i = 0; i < CONTROL_STREAMS; i++)
		close(s->given[i]);
}

static const struct control_ops served_ops = {
	.request = record, .trace = trace_of, .console_room = room_of, .console_input = take_input,
	.exec = start_exec, .exec_resize = resize_exec, .exec_signal = signal_exec,
	.exec_hang_up = hang_up_exec,
};

static void stop_loop(void *ctx, u32 events)
{
	struct served *s = ctx;
	char c[8];

	(void)events;
	EXPECT(recv(s->fd, c, sizeof(c), MSG_PEEK) >= 0);
	loop_stop(&s->loop);
}

static void serve(struct served *s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct vm_error err = { 0 };

	memset(s, 0, sizeof(*s));
	use_runtime();
	EXPECT_EQ(instance_create(&s->instance, "served", &err), 0);
	EXPECT_EQ(loop_create(&s->loop, &err), 0);
	s->control = control_create(&s->instance, &s->loop, &served_ops, s, &err);
	EXPECT(s->control);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/vmrun/served/control.sock", runtime);
	s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	EXPECT_EQ(connect(s->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void end_serving(struct served *s)
{
	struct vm_error err = { 0 };

	control_destroy(s->control);
	loop_destroy(&s->loop);
	close(s->fd);
	EXPECT_EQ(instance_remove(&s->instance, &err), 0);
	instance_close(&s->instance);
	remove_runtime();
}

static void no_descriptor_for_a_visitor(void)
{
	static const char request[] = "{\"command\":\"console\"}\n";
	struct served s;
	char text[64];

	serve(&s);
	EXPECT_EQ(write(s.fd, request, strlen(request)), (ssize_t)strlen(request));
	few_fds(&s.loop);
	/* It was served when there were some again. */
	EXPECT_EQ(recv(s.fd, text, sizeof(text), MSG_DONTWAIT), (ssize_t)strlen("{\"ok\":true}\n"));
	end_serving(&s);
}

/* Sends @text, with the first @nr of @fd. */
static void send_with(struct served *s, const char *text, const int *fd, unsigned int nr)
{
	union {
		char space[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control = { .align = { CMSG_LEN(nr * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec bytes = { (char *)text, strlen(text) };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };

	if (nr) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fd, nr * sizeof(int));
	}
	EXPECT_EQ(sendmsg(s->fd, &message, MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What comes back, once anything did. */
static const char *await(struct served *s)
{
	static char reply[4096];
	struct vm_error err = { 0 };
	int watch;
	ssize_t n;

	watch = loop_watch(&s->loop, s->fd, 1 /* EPOLLIN */, stop_loop, s);
	s->loop.stop = false;
	loop_run(&s->loop, &err);
	loop_unwatch(&s->loop, watch);
	n = recv(s->fd, reply, sizeof(reply) - 1, MSG_DONTWAIT);
	reply[n > 0 ? n : 0] = 0;
	return reply;
}

static const char *answer(struct served *s, const char *text)
{
	send_with(s, text, NULL, 0);
	return await(s);
}

static void server(void)
{
	struct served s;

	serve(&s);
	EXPECT(strstr(answer(&s, "{\"command\":\"status\"}\n"), "\"state\":\"running\""));
	EXPECT(strstr(answer(&s, "{\"command\":\"pau"
				 "se\"}\n"), "{\"ok\":true}\n"));
	EXPECT_EQ(s.asked, CONTROL_PAUSE);
	EXPECT(strstr(answer(&s, "{\"command\":\"trace\",\"vcpu\":1}\n"), "{\"vcpu\":1,\"ok\":true}\n"));
	EXPECT(strstr(answer(&s, "{\"command\":\"trace\",\"vcpu\":2}\n"), "\"error\":\"no such vCPU\""));
	EXPECT(strstr(answer(&s, "rubbish\n"), "\"ok\":false"));
	EXPECT(strstr(answer(&s, "{\"command\":\"stat\"}\n"), "\"hint\":\"do this\""));
	end_serving(&s);
}

#define EXEC	"{\"command\":\"exec\",\"arguments\":[\"x\"]}\n"

static int nr_open(void)
{
	int fd, nr = 0;

	for (fd = 0; fd < 256; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static void a_command(void)
{
	struct served s;
	int ends[2], fd[4], before;
	char c = 0;

	serve(&s);
	ASSERT_EQ(pipe(ends), 0);
	fd[0] = fd[1] = fd[2] = fd[3] = ends[1];
	EXPECT(strstr(answer(&s, EXEC), "three descriptors"));
	before = nr_open();
	send_with(&s, "{\"command\":\"exec\"}\n", fd, 3);
	EXPECT(strstr(await(&s), "there is no agent"));
	/* Those of the request that failed are there for another; its reply is the command's end. */
	send_with(&s, EXEC "{\"command\":\"resize\",\"rows\":3,\"columns\":4}\n"
		  "{\"command\":\"signal\",\"number\":2}\n", NULL, 0);
	EXPECT(strstr(await(&s), "{\"status\":130,\"ok\":true,\"note\":\"a note\"}\n"));
	EXPECT(s.rows == 7 && s.signal == 2 && !s.hung_up);
	/* It goes on with other requests, and late words for the command are no error. */
	EXPECT(strstr(answer(&s, "{\"command\":\"resize\"}\n{\"command\":\"status\"}\n"), "running"));
	EXPECT_EQ(nr_open(), before);
	/* The descriptors are those that were sent. */
	send_with(&s, EXEC, fd, 3);
	send_with(&s, "{\"command\":\"status\"}\n", NULL, 0);
	EXPECT(!strcmp(await(&s), ""));
	/* Anything else ends the connection, and the command is told. */
	EXPECT_EQ(s.hung_up, 1);
	close(ends[1]);
	EXPECT_EQ(read(ends[0], &c, 1), 0);
	close(ends[0]);
	end_serving(&s);
}

static void too_many_descriptors(void)
{
	struct served s;
	int ends[2], fd[4];
	char c;

	serve(&s);
	ASSERT_EQ(pipe(ends), 0);
	fd[0] = fd[1] = fd[2] = fd[3] = ends[1];
	send_with(&s, EXEC, fd, 4);
	EXPECT(!strcmp(await(&s), ""));
	close(ends[1]);
	/* Nobody holds one of them. */
	EXPECT_EQ(read(ends[0], &c, 1), 0);
	close(ends[0]);
	end_serving(&s);
}

static void a_line_too_long(void)
{
	struct served s;
	char *text = malloc(CONTROL_MAX_LINE + 1);

	serve(&s);
	memset(text, ' ', CONTROL_MAX_LINE);
	text[CONTROL_MAX_LINE] = 0;
	EXPECT(strstr(answer(&s, text), "too long"));
	/* And that was the end of the connection. */
	EXPECT_EQ(recv(s.fd, text, 1, 0), 0);
	free(text);
	end_serving(&s);
}

static void console(void)
{
	struct served s;
	char log[64] = "";
	int fd;

	serve(&s);
	s.room = 3;
	/* What follows the request at once is for the guest already, as far as it has room. */
	EXPECT(strstr(answer(&s, "{\"command\":\"console\"}\nabcdef"), "true"));
	EXPECT(s.input_len == 3 && !memcmp(s.input, "abc", 3));
	s.room = 10;
	control_console_ready(s.control);
	EXPECT(s.input_len == 6 && !memcmp(s.input, "abcdef", 6));
	control_console_output(s.control, (const u8 *)"hello", 5);
	EXPECT_EQ(recv(s.fd, log, sizeof(log), 0), 5);
	EXPECT(!memcmp(log, "hello", 5));
	fd = instance_open_file(&s.instance, "console.log", O_RDONLY);
	EXPECT_EQ(read(fd, log, sizeof(log)), 5);
	close(fd);
	end_serving(&s);
}

/* What somebody else wrote commands no terminal. */
static void plain_text(void)
{
	static const char *const texts[][2] = {
		{ NULL, "" }, { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" }, { "\x1b[2J\n\t\x7f.", "?[2J???." },
		{ "\xc2\x9b" "2J\xc2\xa0", "?2J\xc2\xa0" }, { "\xc2", "\xc2" }, { "a\xc2\x80", "a?" },
	};
	char to[16];
	unsigned int i;

	for (i = 0; i < COUNT(texts); i++)
		EXPECT(!strcmp(log_plain(to, sizeof(to), texts[i][0]), texts[i][1]));
	EXPECT(!strcmp(log_plain(to, 4, "abcdef"), "abc"));
	EXPECT(!strcmp(log_plain(to, 1, "abcdef"), ""));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(lines), TEST(requests), TEST(names), TEST(folders),
		TEST(no_removal_without_the_lock), TEST(a_folder_of_others_is_refused),
		TEST(server), TEST(no_descriptor_for_a_visitor), TEST(a_line_too_long),
		TEST(console), TEST(a_trace_request), TEST(a_memory_request),
		TEST(an_exec_request), TEST(a_command), TEST(too_many_descriptors), TEST(plain_text),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}

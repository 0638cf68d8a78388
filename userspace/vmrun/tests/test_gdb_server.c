// SPDX-License-Identifier: GPL-2.0
/*
 * The socket at which a debugger attaches: who may, how many at a time, and what is left of
 * one that vanishes.
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "few_fds.h"
#include "gdb_world.h"
#include "../gdb/server.h"

static const struct gdb_server_ops server_ops = {
	.hold = hold, .release = release, .take_exit = take_exit, .kill = kill_machine,
};

static char path[64];

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	strcpy(address.sun_path, path);
	ASSERT_OK(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

static void stop_loop(void *ctx, u32 events)
{
	(void)events;
	loop_stop(ctx);
}

/* Lets the loop do what there is to do, by a pipe that is the last it looks at. */
static void run_loop(struct loop *loop)
{
	struct vm_error err = { 0 };
	int ends[2], i, watch;

	ASSERT_OK(pipe(ends));
	close(ends[1]);
	for (i = 0; i < 4; i++) {
		watch = loop_watch(loop, ends[0], EPOLLIN, stop_loop, loop);
		ASSERT(watch >= 0);
		loop->stop = false;
		ASSERT_EQ(loop_run(loop, &err), 0);
		loop_unwatch(loop, watch);
	}
	close(ends[0]);
}

static struct gdb_server *make_server(struct loop *loop)
{
	struct vm_error err = { 0 };
	struct gdb_server *server;
	unsigned int i;

	ASSERT_EQ(memory_create(&w.mem, MIB(16), &err), 0);
	ASSERT_EQ(loop_create(loop, &err), 0);
	server = gdb_server_create(path, loop, &w.mem, 0, CPUS, &server_ops, &w, &err);
	ASSERT(server);
	w.stub = gdb_server_stub(server);
	for (i = 0; i < CPUS; i++) {
		w.vcpu[i].fd = i;
		w.stub->cpu[i].kvirt = &w.vcpu[i];
	}
	return server;
}

static void answers_at_a_socket(void)
{
	struct gdb_server *server;
	char text[64] = "";
	struct loop loop;
	struct stat st;
	int fd, second;

	server = make_server(&loop);
	ASSERT_OK(stat(path, &st));
	EXPECT_EQ(st.st_mode & 0777, 0600);
	fd = dial();
	run_loop(&loop);
	EXPECT(w.held[0] && w.held[1]);
	/* One at a time. */
	second = dial();
	run_loop(&loop);
	EXPECT_EQ(read(second, text, sizeof(text)), 0);
	close(second);
	EXPECT_EQ(write(fd, "$qC#b4", 6), 6);
	run_loop(&loop);
	EXPECT_EQ(read(fd, text, sizeof(text)), 8);
	EXPECT(!memcmp(text, "+$QC1#c5", 8));
	EXPECT_EQ(write(fd, "$c#63", 5), 5);
	run_loop(&loop);
	EXPECT(!w.held[0]);
	come_out(0, DB, VIRTUAL, 0);
	w.stub->cpu[0].action = GDB_STEP;
	gdb_server_wake(server);
	run_loop(&loop);
	EXPECT(w.held[1]);
	EXPECT_EQ(read(fd, text, sizeof(text)), 17);
	EXPECT(!memcmp(text, "+$T05thread:1;#", 15));
	EXPECT_EQ(write(fd, "$c#63", 5), 5);
	run_loop(&loop);
	EXPECT_EQ(read(fd, text, sizeof(text)), 1);
	gdb_server_destroy(server, 3);
	EXPECT_EQ(read(fd, text, sizeof(text)), 7);
	EXPECT(!memcmp(text, "$W03#ba", 7));
	EXPECT_EQ(read(fd, text, sizeof(text)), 0);
	EXPECT_ERRNO(access(path, F_OK), ENOENT);
	close(fd);
	loop_destroy(&loop);
	memory_destroy(&w.mem);
}

static void debuggers_that_vanish(void)
{
	struct gdb_server *server;
	struct loop loop;
	int fd;

	server = make_server(&loop);
	fd = dial();
	EXPECT_EQ(write(fd, "$c#63", 5), 5);
	close(fd);
	run_loop(&loop);
	EXPECT(!w.held[0] && !w.held[1]);
	fd = dial();
	run_loop(&loop);
	EXPECT(w.held[0] && w.held[1]);
	close(fd);
	run_loop(&loop);
	EXPECT(w.held[0] && w.held[1]);
	gdb_server_destroy(server, 0);
	loop_destroy(&loop);
	memory_destroy(&w.mem);
}

static void no_descriptor_for_a_debugger(void)
{
	struct gdb_server *server;
	struct loop loop;
	int fd;

	server = make_server(&loop);
	fd = dial();
	few_fds(&loop);
	/* It was attached when there were some again. */
	EXPECT(w.held[0] && w.held[1]);
	close(fd);
	gdb_server_destroy(server, 0);
	loop_destroy(&loop);
	memory_destroy(&w.mem);
}

static void sockets_that_cannot_be(void)
{
	struct gdb_server *server;
	struct vm_error err = { 0 };
	char longer[200];
	struct loop loop;

	server = make_server(&loop);
	EXPECT(!gdb_server_create(path, &loop, &w.mem, 0, 1, &server_ops, &w, &err));
	EXPECT(strstr(err.text, "Address already in use"));
	/* It is not theirs to remove. */
	EXPECT_OK(access(path, F_OK));
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	err.status = 0;
	EXPECT(!gdb_server_create(longer, &loop, &w.mem, 0, 1, &server_ops, &w, &err));
	EXPECT(err.status == VM_STATUS_FAILURE && strstr(err.hint, "107"));
	err.status = 0;
	EXPECT(!gdb_server_create("", &loop, &w.mem, 0, 1, &server_ops, &w, &err));
	err.status = 0;
	EXPECT(!gdb_server_create("/nowhere/at/all", &loop, &w.mem, 0, 1, &server_ops, &w, &err));
	EXPECT(strstr(err.text, "No such file"));
	gdb_server_destroy(server, 0);
	loop_destroy(&loop);
	memory_destroy(&w.mem);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(answers_at_a_socket), TEST(debuggers_that_vanish), TEST(no_descriptor_for_a_debugger),
		TEST(sockets_that_cannot_be),
	};

	snprintf(path, sizeof(path), "/tmp/test_gdb.%d", getpid());
	return test_main(argc, argv, tests, ARRAY_SIZE(tests));
}

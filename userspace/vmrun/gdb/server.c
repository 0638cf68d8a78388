// SPDX-License-Identifier: GPL-2.0
/*
 * Accepts, receives, sends; what is said is stub.c's. A debugger is asked who it is, and one
 * that does not take a reply at once has lost its connection. Called by machine_gdb.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../listener.h"
#include "server.h"

struct gdb_server {
	struct loop *loop;
	struct gdb_stub *stub;
	const struct gdb_server_ops *ops;
	void *ctx;
	char *path;		/* of the socket, once it is there */
	int listen_fd;
	int listen_watch;
	int event_fd;		/* a vCPU has come out */
	int fd;			/* the debugger's; -1: none */
	int watch;
	bool lost;		/* it did not take what was sent */
};

static void hold(void *ctx)
{
	struct gdb_server *server = ctx;

	server->ops->hold(server->ctx);
}

static void release(void *ctx, unsigned int cpu)
{
	struct gdb_server *server = ctx;

	server->ops->release(server->ctx, cpu);
}

static bool take_exit(void *ctx, unsigned int cpu, struct kvirt_debug_exit_arch *exit)
{
	struct gdb_server *server = ctx;

	return server->ops->take_exit(server->ctx, cpu, exit);
}

static void kill_machine(void *ctx)
{
	struct gdb_server *server = ctx;

	server->ops->kill(server->ctx);
}

static void send_bytes(void *ctx, const void *data, size_t len)
{
	struct gdb_server *server = ctx;

	if (server->fd < 0 || server->lost)
		return;
	server->lost = send(server->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len;
}

static const struct gdb_ops stub_ops = {
	.hold = hold,
	.release = release,
	.take_exit = take_exit,
	.kill = kill_machine,
	.send = send_bytes,
};

static void hang_up(struct gdb_server *server)
{
	bool by_surprise = server->stub->attached;

	gdb_stub_lost(server->stub);
	loop_unwatch(server->loop, server->watch);
	close(server->fd);
	server->fd = -1;
	if (by_surprise && !server->stub->running)
		log_note("the debugger has gone without letting the guest go on; it waits for the next one");
}

static void on_debugger(void *ctx, u32 events)
{
	struct gdb_server *server = ctx;
	u8 data[4096];
	ssize_t n = recv(server->fd, data, sizeof(data), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		gdb_stub_input(server->stub, data, n);
	if (n <= 0 || server->lost)
		hang_up(server);
}

static void on_listen(void *ctx, u32 events)
{
	struct gdb_server *server = ctx;
	int fd = loop_accept(server->loop, server->listen_watch);

	(void)events;
	if (fd < 0)
		return;
	if (server->fd < 0 && listener_is_ours(fd)) {
		server->watch = loop_watch(server->loop, fd, EPOLLIN, on_debugger, server);
		if (server->watch >= 0) {
			server->fd = fd;
			server->lost = false;
			gdb_stub_attach(server->stub);
			return;
		}
	}
	close(fd);
}

static void on_event(void *ctx, u32 events)
{
	struct gdb_server *server = ctx;
	u64 count;

	(void)events;
	if (read(server->event_fd, &count, sizeof(count)) != sizeof(count))
		return;
	gdb_stub_exits(server->stub);
	if (server->lost && server->fd >= 0)
		hang_up(server);
}

/* 0, or an errno. */
static int listen_at(struct gdb_server *server, const char *path)
{
	server->listen_fd = listener_open(path, 0600, 1);
	if (server->listen_fd < 0)
		return -server->listen_fd;
	server->path = strdup(path);
	if (!server->path) {
		unlink(path);
		return ENOMEM;
	}
	return 0;
}

static int watch_all(struct gdb_server *server)
{
	server->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->event_fd < 0)
		return errno;
	server->listen_watch = loop_watch(server->loop, server->listen_fd, EPOLLIN, on_listen, server);
	if (server->listen_watch < 0 ||
	    loop_watch(server->loop, server->event_fd, EPOLLIN, on_event, server) < 0)
		return errno;
	return 0;
}

struct gdb_server *gdb_server_create(const char *path, struct loop *loop, const struct memory *mem,
				     u32 debug_flags, unsigned int nr_cpus,
				     const struct gdb_server_ops *ops, void *ctx,
				     struct vm_error *err)
{
	struct gdb_server *server = calloc(1, sizeof(*server));
	int error = ENOMEM;

	if (server) {
		*server = (struct gdb_server){
			.loop = loop, .ops = ops, .ctx = ctx,
			.listen_fd = -1, .event_fd = -1, .fd = -1,
		};
		server->stub = gdb_stub_create(&stub_ops, server, mem, debug_flags, nr_cpus);
		if (server->stub)
			error = listen_at(server, path);
		if (!error)
			error = watch_all(server);
	}
	if (!error)
		return server;
	vm_fail(err, VM_STATUS_FAILURE, listener_hint(error), "cannot listen for a debugger at '%.200s': %s",
		path, strerror(error));
	gdb_server_destroy(server, 0);
	return NULL;
}

struct gdb_stub *gdb_server_stub(struct gdb_server *server)
{
	return server->stub;
}

void gdb_server_wake(struct gdb_server *server)
{
	u64 one = 1;

	/* Full: it is awake already. */
	if (write(server->event_fd, &one, sizeof(one)) < 0)
		return;
}

void gdb_server_destroy(struct gdb_server *server, int status)
{
	if (!server)
		return;
	if (server->fd >= 0) {
		gdb_stub_ended(server->stub, status);
		close(server->fd);
	}
	if (server->event_fd >= 0)
		close(server->event_fd);
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	if (server->path)
		unlink(server->path);
	free(server->path);
	gdb_stub_destroy(server->stub);
	free(server);
}

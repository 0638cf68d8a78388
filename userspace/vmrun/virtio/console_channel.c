// SPDX-License-Identifier: GPL-2.0
/*
 * A channel's side on the host: a Unix socket that one visitor at a time is connected to, or
 * a file. What a visitor says is read ahead by one buffer and waits there until somebody in
 * the guest opens the channel; the next visitor's turn comes when the guest has been given
 * all that the one before had said. Called by console.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../listener.h"
#include "console.h"

/* Once for each file. */
static void tell_lost(struct vconsole_port *port, int error)
{
	if (!port->failed)
		log_note("cannot write '%s': %s; what the guest says on channel %s is lost",
			 port->path, strerror(error), port->name);
	port->failed = true;
}

unsigned int channel_write(struct vconsole_port *port, const u8 *data, unsigned int len)
{
	ssize_t n;

	if (port->fd < 0)
		return len;
	do
		n = write(port->fd, data, len);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return 0;
	/* Of a visitor that has gone: its end is seen by reading. */
	if (port->is_file)
		tell_lost(port, errno);
	return len;
}

static void leave(struct vconsole_port *port)
{
	/* A fifo's reader has gone while the guest waited for it. */
	if (port->is_file)
		tell_lost(port, EPIPE);
	loop_unwatch(port->vc->dev.loop, port->watch);
	close(port->fd);
	port->fd = -1;
	port->watch = -1;
	port->blocked = false;
	vconsole_tell_open(port, false);
	/* What the guest goes on to send is nobody's. */
	vconsole_serve(port);
}

/* Reads once, where all that came before was given to the guest. */
static void read_input(struct vconsole_port *port)
{
	ssize_t n;

	if (port->in_count || port->ended)
		return;
	n = read(port->fd, port->in, sizeof(port->in));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	port->in_head = 0;
	port->in_count = n > 0 ? n : 0;
	port->ended = n <= 0;
}

static void on_visitor(void *ctx, u32 events)
{
	struct vconsole_port *port = ctx;
	struct vconsole *vc = port->vc;

	pthread_mutex_lock(&vc->dev.lock);
	if (events & EPOLLOUT)
		port->blocked = false;
	if (!port->is_file)
		read_input(port);
	if (port->ended && !port->in_count && (events & (EPOLLHUP | EPOLLERR)))
		leave(port);
	else
		vconsole_serve(port);
	channel_update(port);
	pthread_mutex_unlock(&vc->dev.lock);
}

static void on_listen(void *ctx, u32 events)
{
	struct vconsole_port *port = ctx;
	struct vconsole *vc = port->vc;
	int fd = loop_accept(vc->dev.loop, port->listen_watch);

	(void)events;
	if (fd < 0)
		return;
	pthread_mutex_lock(&vc->dev.lock);
	port->watch = loop_watch(vc->dev.loop, fd, EPOLLIN, on_visitor, port);
	if (port->watch < 0) {
		close(fd);
	} else {
		port->fd = fd;
		port->ended = false;
		vconsole_tell_open(port, true);
	}
	channel_update(port);
	pthread_mutex_unlock(&vc->dev.lock);
}

void channel_update(struct vconsole_port *port)
{
	struct loop *loop = port->vc->dev.loop;
	u32 events = 0;

	/* One at a time, and the guest has heard of the end of the one before. */
	if (port->listen_watch >= 0)
		loop_change(loop, port->listen_watch,
			    port->fd < 0 && !(port->tell & VCONSOLE_TELL_CLOSED) ? EPOLLIN : 0);
	if (port->watch < 0)
		return;
	if (!port->in_count && !port->is_file)
		/* One who has ended may still listen. No socket of ours has EPOLLPRI: it stands for the end. */
		events = port->ended ? EPOLLPRI : EPOLLIN;
	if (port->blocked)
		events |= EPOLLOUT;
	loop_change(loop, port->watch, events);
}

static int listen_at(struct vconsole_port *port, const char *path, struct vm_error *err)
{
	int ret;

	port->listen_fd = listener_open(path, LISTENER_ANYBODY, 8);
	if (port->listen_fd >= 0) {
		strcpy(port->path, path);
		port->listen_watch = loop_watch(port->vc->dev.loop, port->listen_fd, EPOLLIN,
						on_listen, port);
	}
	if (port->listen_watch >= 0)
		return 0;
	ret = port->listen_fd < 0 ? port->listen_fd : port->listen_watch;
	return vm_fail(err, VM_STATUS_FAILURE, listener_hint(-ret),
		       "cannot listen on '%.100s' for channel %s: %s", path, port->name,
		       strerror(-ret));
}

/* A file that somebody can hold up (a fifo, a terminal) is waited for; others are always ready. */
static int open_file(struct vconsole_port *port, const char *path, struct vm_error *err)
{
	port->is_file = true;
	port->ended = true;
	snprintf(port->path, sizeof(port->path), "%s", path);
	port->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);
	if (port->fd < 0)
		return vm_fail(err, VM_STATUS_FAILURE,
			       errno == ENXIO ? "start its reader first" :
			       "name a file that you may write to",
			       "cannot open '%.200s' for channel %s: %s", path, port->name,
			       strerror(errno));
	port->watch = loop_watch(port->vc->dev.loop, port->fd, 0, on_visitor, port);
	return 0;
}

int channel_open(struct vconsole_port *port, const char *path, bool to_file, struct vm_error *err)
{
	return to_file ? open_file(port, path, err) : listen_at(port, path, err);
}

void channel_close(struct vconsole_port *port)
{
	struct loop *loop = port->vc->dev.loop;

	if (port->watch >= 0)
		loop_unwatch(loop, port->watch);
	if (port->listen_watch >= 0)
		loop_unwatch(loop, port->listen_watch);
	if (port->fd >= 0)
		close(port->fd);
	if (port->listen_fd >= 0)
		close(port->listen_fd);
	/* Only what bind() has made. */
	if (port->listen_fd >= 0 && port->path[0])
		unlink(port->path);
}

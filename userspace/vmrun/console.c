// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes between the serial port, or the virtio console, and this process's standard input and output.
 * vCPU threads only put bytes in a ring and take none out; the main thread does
 * all reading and writing of files. Output is gathered for a few milliseconds,
 * so that a boot log costs a write a burst rather than one a letter. When the
 * reader is slower than the guest the ring fills and the port says "busy": the
 * guest waits, as on a real line, and memory stays bounded.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "console.h"

#define ESCAPE			0x1d		/* Ctrl-] */
#define GATHER_NS		5000000
#define WRITE_NOW		4096		/* bytes that do not wait for the timer */
/*
 * What a write may be given after poll() said "ready", without blocking: a pipe
 * promises PIPE_BUF bytes, a terminal less.
 */
#define WRITE_CHUNK		256
#define LAST_WORDS_MS		2000

static void wake_main(struct console *console)
{
	u64 one = 1;

	/* It can only fail when the counter is full: then the wake is there. */
	if (write(console->event_fd, &one, sizeof(one)) < 0)
		return;
}

/* With the lock held: puts in what fits, and sees to it that it is written. */
static unsigned int put_output(struct console *console, const u8 *data, unsigned int len)
{
	static const struct itimerspec soon = { .it_value.tv_nsec = GATHER_NS };
	unsigned int i, before = console->out_count;

	for (i = 0; i < len && console->out_count < CONSOLE_OUT_SIZE; i++)
		console->out[(console->out_head + console->out_count++) % CONSOLE_OUT_SIZE] = data[i];
	if (i && !console->out_armed) {
		console->out_armed = true;
		timerfd_settime(console->timer_fd, 0, &soon, NULL);
	}
	if (before < WRITE_NOW && console->out_count >= WRITE_NOW)
		wake_main(console);
	return i;
}

bool console_transmit(struct console *console, u8 byte)
{
	bool room;

	pthread_mutex_lock(&console->lock);
	/* Otherwise the guest did not wait for the port. */
	if (!put_output(console, &byte, 1))
		console->out_lost++;
	room = console->out_count < CONSOLE_OUT_SIZE;
	console->out_full |= !room;
	pthread_mutex_unlock(&console->lock);
	return room;
}

unsigned int console_write(struct console *console, const u8 *data, unsigned int len)
{
	unsigned int n;

	pthread_mutex_lock(&console->lock);
	n = put_output(console, data, len);
	console->out_full |= n < len;
	pthread_mutex_unlock(&console->lock);
	return n;
}

void console_receive_ready(struct console *console)
{
	wake_main(console);
}

/* Copies the oldest bytes of the ring without taking them out. */
static unsigned int peek_output(struct console *console, u8 *chunk)
{
	unsigned int i, n;

	pthread_mutex_lock(&console->lock);
	n = min_u64(console->out_count, WRITE_CHUNK);
	for (i = 0; i < n; i++)
		chunk[i] = console->out[(console->out_head + i) % CONSOLE_OUT_SIZE];
	if (!n)
		console->out_armed = false;
	pthread_mutex_unlock(&console->lock);
	return n;
}

static void drop_output(struct console *console, unsigned int n)
{
	bool tell;

	pthread_mutex_lock(&console->lock);
	console->out_head = (console->out_head + n) % CONSOLE_OUT_SIZE;
	console->out_count -= n;
	tell = console->out_full && console->out_count <= CONSOLE_OUT_SIZE / 2;
	if (tell)
		console->out_full = false;
	pthread_mutex_unlock(&console->lock);
	if (!tell)
		return;
	serial_transmit_ready(console->serial);
	if (console->hvc)
		vconsole_transmit_ready(console->hvc);
}

/* The oldest bytes make room. */
static ssize_t keep(struct console *console, const u8 *data, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		console->kept[(console->nr_kept + i) % CONSOLE_KEPT_SIZE] = data[i];
	console->nr_kept += n;
	return n;
}

/* Writes all that can be written within @wait_ms; true when nothing is left. */
static bool write_output(struct console *console, int wait_ms)
{
	struct pollfd ready = { .fd = STDOUT_FILENO, .events = POLLOUT };
	u8 chunk[WRITE_CHUNK];
	unsigned int n;
	ssize_t written;
	int polled;

	while ((n = peek_output(console, chunk))) {
		polled = console->keeps ? 1 : poll(&ready, 1, wait_ms);
		if (polled < 0 && errno == EINTR)
			continue;
		if (!polled)
			return false;
		written = console->keeps ? keep(console, chunk, n) :
			  console->broken ? (ssize_t)n : write(STDOUT_FILENO, chunk, n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EAGAIN)
			return false;
		if (written < 0) {
			console->broken = true;
			console->end(console->ctx, CONSOLE_BROKEN);
			written = n;
		}
		if (console->tap.output)
			console->tap.output(console->tap.ctx, chunk, written);
		drop_output(console, written);
	}
	return true;
}

static void flush(struct console *console)
{
	bool done = write_output(console, 0);

	if (console->out_watch >= 0)
		loop_change(console->loop, console->out_watch,
			    done ? 0 : EPOLLOUT);
}

static void on_output(void *ctx, u32 events)
{
	(void)events;
	flush(ctx);
}

static void on_timer(void *ctx, u32 events)
{
	struct console *console = ctx;
	u64 expired;

	(void)events;
	if (read(console->timer_fd, &expired, sizeof(expired)) < 0)
		return;
	flush(console);
}

static unsigned int guest_room(struct console *console)
{
	return console->hvc_reads ? vconsole_room(console->hvc) : serial_room(console->serial);
}

/* Gives the guest what it takes; true when nothing is left. */
static bool feed_guest(struct console *console)
{
	unsigned int n, i, room;
	u8 chunk[WRITE_CHUNK];

	while (console->in_count) {
		room = guest_room(console);
		if (!room)
			return false;
		n = min_u64(min_u64(room, console->in_count), sizeof(chunk));
		for (i = 0; i < n; i++)
			chunk[i] = console->in[(console->in_head + i) % console->in_size];
		console->in_head = (console->in_head + n) % console->in_size;
		console->in_count -= n;
		if (console->hvc_reads)
			vconsole_receive(console->hvc, chunk, n);
		else
			serial_receive(console->serial, chunk, n);
	}
	return true;
}

/* A buffer of @size, no less than what is in the old one, takes its place. */
static bool resize_input(struct console *console, unsigned int size)
{
	u8 *in = malloc(size);
	unsigned int i;

	if (!in)
		return false;
	for (i = 0; i < console->in_count; i++)
		in[i] = console->in[(console->in_head + i) % console->in_size];
	free(console->in);
	console->in = in;
	console->in_size = size;
	console->in_head = 0;
	return true;
}

static void queue_input(struct console *console, const u8 *data, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++) {
		if (console->is_terminal && data[i] == ESCAPE) {
			console->end(console->ctx, CONSOLE_LEFT);
			return;
		}
		/* Only a terminal gets here with the buffer full: see below. */
		if (console->in_count == console->in_size &&
		    (console->in_size >= CONSOLE_IN_MAX ||
		     !resize_input(console, 2 * console->in_size))) {
			console->in_lost++;
			continue;
		}
		console->in[(console->in_head + console->in_count) % console->in_size] = data[i];
		console->in_count++;
	}
}

/*
 * Reads once. A terminal is always read, so that Ctrl-] is seen even when the guest takes
 * nothing, and the buffer grows with what is pasted; from a file or pipe no more is read
 * than fits.
 */
static void read_input(struct console *console)
{
	unsigned int max = console->in_size - console->in_count;
	u8 data[WRITE_CHUNK];
	ssize_t n;

	if (console->is_terminal || max > sizeof(data))
		max = sizeof(data);
	/* Input from elsewhere has taken the room meanwhile. Reading nothing would look like the end. */
	if (!max)
		return;
	n = read(STDIN_FILENO, data, max);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0)
		console->in_open = false;
	else
		queue_input(console, data, n);
}

static void watch_input(struct console *console)
{
	bool want = console->in_open &&
		    (console->is_terminal || console->in_count < console->in_size);

	if (console->in_pollable)
		loop_change(console->loop, console->in_watch, want ? EPOLLIN : 0);
}

static void on_input(void *ctx, u32 events)
{
	struct console *console = ctx;

	(void)events;
	read_input(console);
	feed_guest(console);
	watch_input(console);
}

/* A vCPU made room for input, or has much output. */
static void on_event(void *ctx, u32 events)
{
	struct console *console = ctx;
	u64 count;

	(void)events;
	if (read(console->event_fd, &count, sizeof(count)) < 0)
		return;
	/* A regular file cannot be waited for: read it as the guest takes it. */
	while (feed_guest(console) && !console->in_pollable && console->in_open)
		read_input(console);
	if (!console->in_count && console->in_size > CONSOLE_IN_SIZE)
		resize_input(console, CONSOLE_IN_SIZE);
	watch_input(console);
	if (console->tap.room && console_room(console))
		console->tap.room(console->tap.ctx);
	flush(console);
}

unsigned int console_room(const struct console *console)
{
	return console->in_size - console->in_count;
}

void console_feed(struct console *console, const u8 *data, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++) {
		console->in[(console->in_head + console->in_count) % console->in_size] = data[i];
		console->in_count++;
	}
	feed_guest(console);
}

static int open_files(struct console *console, struct vm_error *err)
{
	console->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	console->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (console->event_fd < 0 || console->timer_fd < 0 ||
	    loop_watch(console->loop, console->event_fd, EPOLLIN, on_event, console) < 0 ||
	    loop_watch(console->loop, console->timer_fd, EPOLLIN, on_timer, console) < 0)
		return vm_fail(err, VM_STATUS_FAILURE, "are too many files open?",
			       "cannot set up the console: %s", strerror(errno));
	return 0;
}

static int start(struct console *console, struct serial *serial, struct loop *loop,
		 struct vm_error *err)
{
	console->serial = serial;
	console->loop = loop;
	console->event_fd = -1;
	console->timer_fd = -1;
	console->out_watch = -1;
	pthread_mutex_init(&console->lock, NULL);
	if (!resize_input(console, CONSOLE_IN_SIZE))
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	return open_files(console, err);
}

int console_open(struct console *console, struct serial *serial,
		 struct loop *loop, bool interactive, bool read_input,
		 console_end_fn *end, void *ctx, struct vm_error *err)
{
	console->is_terminal = interactive;
	console->in_open = read_input;
	console->end = end;
	console->ctx = ctx;
	if (start(console, serial, loop, err))
		return -1;
	/* Files that cannot be waited for are simply ready. */
	console->out_watch = loop_watch(loop, STDOUT_FILENO, EPOLLOUT, on_output, console);
	if (read_input) {
		console->in_watch = loop_watch(loop, STDIN_FILENO, EPOLLIN,
					       on_input, console);
		console->in_pollable = console->in_watch >= 0;
		/* Ask once, so that the port tells when it first has room. */
		wake_main(console);
	}
	return 0;
}

int console_keep(struct console *console, struct serial *serial, struct loop *loop,
		 struct vm_error *err)
{
	console->keeps = true;
	return start(console, serial, loop, err);
}

void console_tell(struct console *console)
{
	u64 i;

	write_output(console, 0);
	i = console->nr_kept > CONSOLE_KEPT_SIZE ? console->nr_kept - CONSOLE_KEPT_SIZE : 0;
	for (; i < console->nr_kept; i++)
		if (write(STDERR_FILENO, &console->kept[i % CONSOLE_KEPT_SIZE], 1) < 0)
			return;
}

void console_close(struct console *console)
{
	if (!console->serial)
		return;
	write_output(console, LAST_WORDS_MS);
	if (console->out_lost)
		log_note("%llu characters of the guest's console were lost: nobody read them in time",
			 (unsigned long long)console->out_lost);
	if (console->in_lost)
		log_note("%llu characters of what was typed were lost: the guest did not read them",
			 (unsigned long long)console->in_lost);
	free(console->in);
	console->in = NULL;
	if (console->event_fd >= 0)
		close(console->event_fd);
	if (console->timer_fd >= 0)
		close(console->timer_fd);
	pthread_mutex_destroy(&console->lock);
	console->serial = NULL;
}

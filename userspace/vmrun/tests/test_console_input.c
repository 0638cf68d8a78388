// SPDX-License-Identifier: GPL-2.0
/*
 * Standard input and what comes from elsewhere (vmrun console), to a serial port that nobody
 * reads yet.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../console.h"
#include "ktap.h"

enum { DATA = 0, MCR = 4, LSR = 5 };

#define MCR_RTS		2
#define LSR_DATA	1

struct world {
	struct loop loop;
	struct serial serial;
	struct console console;
	int input;	/* what is written here is typed */
};

static bool transmit(void *ctx, u8 byte)
{
	return console_transmit(ctx, byte);
}

static void receive_ready(void *ctx)
{
	console_receive_ready(ctx);
}

static void set_irq(void *ctx, bool level)
{
	(void)ctx;
	(void)level;
}

static void on_end(void *ctx, enum console_end end)
{
	(void)ctx;
	test_fail(__FILE__, __LINE__, "the console ended: %d", end);
}

static void open_world(struct world *w)
{
	static const struct serial_ops ops = { transmit, receive_ready, set_irq };
	struct vm_error err = { 0 };
	int ends[2];

	ASSERT_EQ(pipe(ends), 0);
	ASSERT_EQ(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	w->input = ends[1];
	ASSERT_EQ(loop_create(&w->loop, &err), 0);
	serial_init(&w->serial, &ops, &w->console);
	ASSERT_EQ(console_open(&w->console, &w->serial, &w->loop, false, true, on_end, NULL, &err), 0);
}

static void close_world(struct world *w)
{
	console_close(&w->console);
	serial_destroy(&w->serial);
	loop_destroy(&w->loop);
	close(w->input);
}

/* What the main loop does, once. */
static void turn(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->loop.nr_watches; i++) {
		struct loop_watch *watch = &w->loop.watch[i];
		struct pollfd p = { .fd = watch->fd, .events = watch->events };

		if (watch->fn && watch->events && poll(&p, 1, 0) > 0)
			watch->fn(watch->ctx, p.revents);
	}
}

/* The next byte that the guest reads; -1: there is none. */
static int guest_reads(struct world *w)
{
	u8 lsr, byte;

	turn(w);
	serial_bus_ops.read(&w->serial, LSR, &lsr, 1);
	if (!(lsr & LSR_DATA))
		return -1;
	serial_bus_ops.read(&w->serial, DATA, &byte, 1);
	return byte;
}

/* The room goes between the event of standard input and its reading: that is not its end. */
static void what_finds_no_room_is_read_later(void)
{
	static struct world w;
	static u8 fed[CONSOLE_IN_SIZE];
	const u8 rts = MCR_RTS;
	unsigned int i;

	open_world(&w);
	turn(&w);
	ASSERT_EQ(console_room(&w.console), sizeof(fed));
	ASSERT_EQ(write(w.input, "z", 1), 1);
	console_feed(&w.console, fed, sizeof(fed));
	w.loop.watch[w.console.in_watch].fn(&w.console, EPOLLIN);
	EXPECT(w.console.in_open);
	serial_bus_ops.write(&w.serial, MCR, &rts, 1);
	for (i = 0; i < sizeof(fed); i++)
		ASSERT_EQ(guest_reads(&w), 0);
	EXPECT_EQ(guest_reads(&w), 'z');
	EXPECT_EQ(guest_reads(&w), -1);
	close_world(&w);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(what_finds_no_room_is_read_later),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}

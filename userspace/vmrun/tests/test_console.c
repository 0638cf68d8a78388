// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio console and channels against a driver that this file plays: bytes in both
 * directions, what is full waits, control messages, and a driver that lies.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../virtio/console.h"
#include "few_fds.h"
#include "ktap.h"
#include "driver_queue.h"

#define SIZE	16		/* of the queues, as this driver sets them up */
#define DATA	0x20000		/* of queue n's buffer i: DATA + (n * SIZE + i) * BUFFER */
#define BUFFER	0x800
#define MEMORY	MIB(16)

enum { RX0, TX0, CONTROL_RX, CONTROL_TX, RX1, TX1, RX2, TX2 };
enum { DEVICE_READY, PORT_ADD, PORT_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME };

struct guest {
	struct driver driver;
	struct loop loop;
	struct vconsole vc;

	/* A console's far end. */
	u8 said[65536];
	unsigned int nr_said, room, nr_ready;
};

static char dir[] = "/tmp/test_console.XXXXXX";

static unsigned int far_transmit(void *ctx, const u8 *data, unsigned int len)
{
	struct guest *g = ctx;
	unsigned int n = min_u64(len, g->room);

	ASSERT(g->nr_said + n <= sizeof(g->said));
	memcpy(g->said + g->nr_said, data, n);
	g->nr_said += n;
	g->room -= n;
	return n;
}

static void far_ready(void *ctx)
{
	((struct guest *)ctx)->nr_ready++;
}

static const struct vconsole_ops far_end = { far_transmit, far_ready };

static void start(struct guest *g)
{
	driver_start(&g->driver, g->vc.dev.nr_queues);
}

static struct guest *make(bool channels)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct vm_error err = { 0 };

	driver_memory_create(&g->driver, MEMORY);
	ASSERT_EQ(loop_create(&g->loop, &err), 0);
	if (channels)
		vconsole_init_channels(&g->vc, &g->loop);
	else
		ASSERT_EQ(vconsole_init(&g->vc, &g->loop, &far_end, g, &err), 0);
	g->vc.quiet_ms = 0;
	driver_init(&g->driver, &g->vc.dev, SIZE);
	g->room = sizeof(g->said);
	return g;
}

static void destroy(struct guest *g)
{
	vconsole_destroy(&g->vc);
	loop_destroy(&g->loop);
	driver_memory_destroy(&g->driver);
	free(g);
}

static void run(struct guest *g)
{
	driver_run(&g->driver, &g->loop, 1000);
}

/* The address of the buffer that is offered next in queue @q. */
static u64 next_buffer(struct guest *g, unsigned int q)
{
	return DATA + ((u64)q * SIZE + driver_next(&g->driver, q)) * BUFFER;
}

/* Sends @len bytes; the driver does not wait. */
static void send_bytes(struct guest *g, unsigned int q, const void *data, u32 len)
{
	u64 addr = next_buffer(g, q);

	memcpy(driver_at(&g->driver, addr, len), data, len);
	driver_offer_buffer(&g->driver, q, addr, len, 0);
	driver_kick(&g->driver, q);
	run(g);
}

/* A buffer, with which the device does something or not. */
static void give(struct guest *g, unsigned int q, u32 len)
{
	driver_offer_buffer(&g->driver, q, next_buffer(g, q), len, F_WRITE);
	driver_kick(&g->driver, q);
	run(g);
}

/* What the next buffer was filled with: its length, or -1 when there is none. */
static int take(struct guest *g, unsigned int q, void *data, u32 max)
{
	struct used_elem elem;

	if (!driver_take(&g->driver, q, &elem))
		return -1;
	ASSERT(elem.len <= max);
	memcpy(data, driver_at(&g->driver, DATA + ((u64)q * SIZE + elem.id) * BUFFER, elem.len), elem.len);
	return elem.len;
}

static void control(struct guest *g, u32 id, u16 event, u16 value)
{
	struct { u32 id; u16 event, value; } message = { id, event, value };

	send_bytes(g, CONTROL_TX, &message, sizeof(message));
}

/* The next control message is this one. */
static void expect_control(struct guest *g, u32 id, u16 event, u16 value, const char *name)
{
	struct { u32 id; u16 event, value; char name[64]; } message = { 0 };

	give(g, CONTROL_RX, 256);
	EXPECT_EQ(take(g, CONTROL_RX, &message, sizeof(message)), 8 + strlen(name));
	EXPECT_EQ(message.id, id);
	EXPECT_EQ(message.event, event);
	EXPECT_EQ(message.value, value);
	EXPECT(!strcmp(message.name, name));
}

static int visit(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", dir, name);
	ASSERT_EQ(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void add(struct guest *g, const char *name, bool to_file)
{
	struct vm_error err = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ASSERT_EQ(vconsole_add_channel(&g->vc, name, path, to_file, &err), 0);
}

/* A driver that knows its channels, "one" open there. */
static struct guest *make_ready(void)
{
	struct guest *g = make(true);

	add(g, "one", false);
	add(g, "log", true);
	start(g);
	control(g, UINT32_MAX, DEVICE_READY, 1);
	expect_control(g, 1, PORT_ADD, 1, "");
	expect_control(g, 2, PORT_ADD, 1, "");
	control(g, 1, PORT_READY, 1);
	expect_control(g, 1, PORT_NAME, 1, "one");
	control(g, 2, PORT_READY, 1);
	expect_control(g, 2, PORT_NAME, 1, "log");
	expect_control(g, 2, PORT_OPEN, 1, "");
	control(g, 1, PORT_OPEN, 1);
	return g;
}

/* ---- a console ---- */

static void a_console_carries_both_ways(void)
{
	struct guest *g = make(false);
	char text[64] = { 0 };

	EXPECT_EQ(g->vc.dev.nr_queues, 2);
	EXPECT(!(g->vc.dev.offered & BIT_ULL(1)));
	/* Nobody is there yet. */
	EXPECT_EQ(vconsole_room(&g->vc), 0);
	start(g);
	EXPECT_EQ(g->nr_ready, 1);
	send_bytes(g, TX0, "login: ", 7);
	EXPECT_EQ(g->nr_said, 7);
	EXPECT(!memcmp(g->said, "login: ", 7));
	EXPECT_EQ(driver_used(&g->driver, TX0), 1);
	EXPECT_EQ(vconsole_room(&g->vc), VCONSOLE_IN_SIZE);
	/* Before there is a buffer, and in pieces as they are. */
	vconsole_receive(&g->vc, (const u8 *)"root\n", 5);
	EXPECT_EQ(vconsole_room(&g->vc), VCONSOLE_IN_SIZE - 5);
	give(g, RX0, 3);
	give(g, RX0, 64);
	EXPECT_EQ(take(g, RX0, text, 64), 3);
	EXPECT_EQ(take(g, RX0, text + 3, 60), 2);
	EXPECT(!strcmp(text, "root\n"));
	EXPECT(g->driver.interrupts >= 2);
	destroy(g);
}

static void what_is_full_waits(void)
{
	struct guest *g = make(false);
	u8 data[BUFFER];
	unsigned int i;

	start(g);
	for (i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	g->room = 100;
	send_bytes(g, TX0, data, sizeof(data));
	send_bytes(g, TX0, data, 10);
	EXPECT_EQ(g->nr_said, 100);
	EXPECT_EQ(driver_used(&g->driver, TX0), 0);
	/* The rest comes where it was left off, once it is told. */
	g->room = sizeof(g->said);
	run(g);
	EXPECT_EQ(g->nr_said, 100);
	vconsole_transmit_ready(&g->vc);
	run(g);
	EXPECT_EQ(g->nr_said, sizeof(data) + 10);
	EXPECT(!memcmp(g->said, data, sizeof(data)));
	EXPECT_EQ(driver_used(&g->driver, TX0), 2);
	destroy(g);
}

static void input_waits_for_the_guest(void)
{
	static u8 data[VCONSOLE_IN_SIZE];
	struct guest *g = make(false);

	start(g);
	vconsole_receive(&g->vc, data, sizeof(data));
	EXPECT_EQ(vconsole_room(&g->vc), 0);
	EXPECT_EQ(g->nr_ready, 1 - 1);
	give(g, RX0, 100);
	EXPECT_EQ(g->nr_ready, 1);
	EXPECT_EQ(vconsole_room(&g->vc), 100);
	/* A driver that comes again finds it. */
	driver_stop(&g->driver);
	EXPECT_EQ(vconsole_room(&g->vc), 0);
	start(g);
	give(g, RX0, BUFFER);
	EXPECT_EQ(driver_used(&g->driver, RX0), 1);
	destroy(g);
}

/* A driver that starts is left alone until it has nothing more to say. */
static void input_waits_for_quiet(void)
{
	struct guest *g = make(false);
	unsigned int i;

	g->vc.quiet_ms = 30;
	start(g);
	for (i = 0; i < 5; i++) {
		usleep(10000);
		send_bytes(g, TX0, "boot", 4);
		EXPECT_EQ(vconsole_room(&g->vc), 0);
	}
	EXPECT_EQ(g->nr_ready, 0);
	for (i = 0; i < 200 && !g->nr_ready; i++) {
		usleep(10000);
		run(g);
	}
	EXPECT_EQ(g->nr_ready, 1);
	EXPECT_EQ(vconsole_room(&g->vc), VCONSOLE_IN_SIZE);
	EXPECT_EQ(g->driver.config_changes, 0);
	driver_stop(&g->driver);
	/* The size is told as news, which alone Linux reads. */
	vconsole_resize(&g->vc, 33, 99);
	start(g);
	EXPECT_EQ(vconsole_room(&g->vc), 0);
	for (i = 0; i < 200 && !vconsole_room(&g->vc); i++) {
		usleep(10000);
		run(g);
	}
	EXPECT_EQ(g->driver.config_changes, 1);
	destroy(g);
}

/* One that has something to say for ever is not waited for that long. */
static void patience_ends(void)
{
	struct guest *g = make(false);
	unsigned int i;

	g->vc.quiet_ms = 50;
	g->vc.patience_ms = 100;
	start(g);
	for (i = 0; i < 1000 && !vconsole_room(&g->vc); i++) {
		usleep(1000);
		send_bytes(g, TX0, "y", 1);
	}
	EXPECT(i > 50);
	EXPECT_EQ(vconsole_room(&g->vc), VCONSOLE_IN_SIZE);
	destroy(g);
}

static void size_and_emergency(void)
{
	struct guest *g = make(false);
	const struct virtio_device_ops *ops = g->vc.dev.ops;
	struct { u16 columns, rows; u32 ports, emergency, rest; } config;
	u32 letter = 'x';

	EXPECT(g->vc.dev.offered & BIT_ULL(0));
	EXPECT(g->vc.dev.offered & BIT_ULL(2));
	vconsole_resize(&g->vc, 33, 99);
	ops->read_config(&g->vc.dev, 0, (u8 *)&config, sizeof(config));
	EXPECT_EQ(config.columns, 99);
	EXPECT_EQ(config.rows, 33);
	EXPECT_EQ(config.emergency, 0);
	EXPECT_EQ(config.rest, 0);
	/* Before anything else was set up. */
	ops->write_config(&g->vc.dev, 8, (u8 *)&letter, 4);
	ops->write_config(&g->vc.dev, 4, (u8 *)&letter, 4);
	EXPECT_EQ(g->nr_said, 1);
	EXPECT_EQ(g->said[0], 'x');
	start(g);
	vconsole_resize(&g->vc, 33, 99);
	EXPECT_EQ(g->driver.config_changes, 0);
	vconsole_resize(&g->vc, 44, 111);
	EXPECT_EQ(g->driver.config_changes, 1);
	destroy(g);
}

/* A buffer of many MiB is as much work as a guest likes, but not in one turn. */
static void a_turn_is_bounded(void)
{
	struct guest *g = make(true);

	add(g, "one", false);
	start(g);
	driver_offer_buffer(&g->driver, TX1, 0, MEMORY, 0);
	driver_kick(&g->driver, TX1);
	EXPECT_EQ(driver_used(&g->driver, TX1), 0);
	EXPECT_EQ(g->driver.again, BIT_ULL(TX1));
	run(g);
	EXPECT_EQ(driver_used(&g->driver, TX1), 1);
	destroy(g);
}

/* ---- channels ---- */

static void no_descriptor_for_a_visitor(void)
{
	struct guest *g = make_ready();
	int fd = visit("one");

	few_fds(&g->loop);
	expect_control(g, 1, PORT_OPEN, 1, "");
	close(fd);
	destroy(g);
}

static void a_channel_is_named_and_carries(void)
{
	struct guest *g = make_ready();
	struct { u16 columns, rows; u32 ports; } config;
	char text[128] = { 0 };
	int fd;

	g->vc.dev.ops->read_config(&g->vc.dev, 0, (u8 *)&config, sizeof(config));
	EXPECT_EQ(config.ports, 3);
	EXPECT_EQ(g->vc.dev.nr_queues, 8);
	fd = visit("one");
	run(g);
	expect_control(g, 1, PORT_OPEN, 1, "");
	send_bytes(g, TX1, "hello", 5);
	EXPECT_EQ(read(fd, text, sizeof(text)), 5);
	EXPECT(!memcmp(text, "hello", 5));
	EXPECT_EQ(write(fd, "and you", 7), 7);
	run(g);
	give(g, RX1, 64);
	EXPECT_EQ(take(g, RX1, text, 64), 7);
	EXPECT(!memcmp(text, "and you", 7));
	/* One at a time: the next waits for the first one's end, of which the guest hears. */
	EXPECT_EQ(write(fd, "bye", 3), 3);
	close(fd);
	fd = visit("one");
	EXPECT_EQ(write(fd, "next", 4), 4);
	run(g);
	give(g, RX1, 64);
	EXPECT_EQ(take(g, RX1, text, 64), 3);
	give(g, RX1, 64);
	EXPECT_EQ(take(g, RX1, text, 64), -1);
	expect_control(g, 1, PORT_OPEN, 0, "");
	expect_control(g, 1, PORT_OPEN, 1, "");
	run(g);
	EXPECT_EQ(take(g, RX1, text, 64), 4);
	close(fd);
	destroy(g);
}

static void what_nobody_hears_is_gone(void)
{
	struct guest *g = make_ready();
	int fd;
	u8 byte;

	send_bytes(g, TX1, "nobody", 6);
	EXPECT_EQ(driver_used(&g->driver, TX1), 1);
	send_bytes(g, TX0, "port 0", 6);
	EXPECT_EQ(driver_used(&g->driver, TX0), 1);
	fd = visit("one");
	run(g);
	EXPECT(read(fd, &byte, 1) < 0);
	close(fd);
	destroy(g);
}

/* Who has sent all may still listen. */
static void half_a_visitor_stays(void)
{
	struct guest *g = make_ready();
	int fd = visit("one");
	char text[8];

	EXPECT_EQ(write(fd, "request", 7), 7);
	EXPECT_EQ(shutdown(fd, SHUT_WR), 0);
	run(g);
	expect_control(g, 1, PORT_OPEN, 1, "");
	give(g, RX1, 64);
	EXPECT_EQ(driver_used(&g->driver, RX1), 1);
	run(g);
	send_bytes(g, TX1, "reply", 5);
	EXPECT_EQ(read(fd, text, 8), 5);
	close(fd);
	run(g);
	expect_control(g, 1, PORT_OPEN, 0, "");
	destroy(g);
}

static void a_closed_port_gets_nothing(void)
{
	struct guest *g = make_ready();
	int fd = visit("one");
	char text[64];

	control(g, 1, PORT_OPEN, 0);
	EXPECT_EQ(write(fd, "early", 5), 5);
	run(g);
	give(g, RX1, 64);
	EXPECT_EQ(driver_used(&g->driver, RX1), 0);
	/* It waits, though its sender has gone. */
	close(fd);
	run(g);
	control(g, 1, PORT_OPEN, 1);
	EXPECT_EQ(take(g, RX1, text, 64), 5);
	EXPECT(!memcmp(text, "early", 5));
	destroy(g);
}

/* A visitor who does not read holds the guest up, and costs no memory. */
static void who_does_not_read_is_waited_for(void)
{
	static char data[BUFFER], got[BUFFER];
	struct guest *g = make_ready();
	int fd = visit("one");
	unsigned int sent = 0, received = 0, i;
	ssize_t n;

	run(g);
	while (sent - driver_used(&g->driver, TX1) < SIZE) {
		for (i = 0; i < BUFFER; i++)
			data[i] = sent + i;
		send_bytes(g, TX1, data, BUFFER);
		ASSERT(++sent < 10000);
	}
	EXPECT(g->vc.port[1].blocked);
	while (received < sent * BUFFER) {
		n = read(fd, got, BUFFER);
		ASSERT(n > 0);
		for (i = 0; i < n; i++, received++)
			ASSERT_EQ(got[i], (char)(received / BUFFER + received % BUFFER));
		run(g);
	}
	EXPECT_EQ(driver_used(&g->driver, TX1), (u16)sent);
	close(fd);
	destroy(g);
}

static void a_file_takes_all(void)
{
	struct guest *g = make_ready();
	char path[64], text[16] = { 0 };
	struct stat st;
	FILE *f;

	send_bytes(g, TX2, "one\n", 4);
	/* What the driver leaves behind as it goes. */
	driver_offer_buffer(&g->driver, TX2, next_buffer(g, TX2), 4, 0);
	memcpy(driver_at(&g->driver, DATA + ((u64)TX2 * SIZE + 1) * BUFFER, 4), "two\n", 4);
	driver_stop(&g->driver);
	destroy(g);
	snprintf(path, sizeof(path), "%s/log", dir);
	f = fopen(path, "r");
	ASSERT(f);
	EXPECT_EQ(fread(text, 1, sizeof(text), f), 8);
	EXPECT(!strcmp(text, "one\ntwo\n"));
	fclose(f);
	snprintf(path, sizeof(path), "%s/one", dir);
	EXPECT(stat(path, &st));
	snprintf(path, sizeof(path), "%s/log", dir);
	unlink(path);
}

/* Its reader goes while the guest waits for it: the guest goes on, and what it says is nobody's. */
static void a_fifo_loses_its_reader(void)
{
	struct guest *g = make(true);
	char path[64], filler[4096] = { 0 };
	int reader, writer;

	snprintf(path, sizeof(path), "%s/fifo", dir);
	ASSERT_EQ(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	add(g, "fifo", true);
	start(g);
	control(g, UINT32_MAX, DEVICE_READY, 1);
	expect_control(g, 1, PORT_ADD, 1, "");
	control(g, 1, PORT_READY, 1);
	expect_control(g, 1, PORT_NAME, 1, "fifo");
	expect_control(g, 1, PORT_OPEN, 1, "");
	writer = open(path, O_WRONLY | O_NONBLOCK);
	while (write(writer, filler, sizeof(filler)) > 0)
		;
	send_bytes(g, TX1, "heard?", 6);
	EXPECT_EQ(driver_used(&g->driver, TX1), 0);
	close(reader);
	run(g);
	EXPECT_EQ(driver_used(&g->driver, TX1), 1);
	EXPECT(g->vc.port[1].failed);
	expect_control(g, 1, PORT_OPEN, 0, "");
	send_bytes(g, TX1, "no", 2);
	EXPECT_EQ(driver_used(&g->driver, TX1), 2);
	close(writer);
	destroy(g);
	unlink(path);
}

static void channels_that_cannot_be(void)
{
	struct guest *g = make(true);
	struct vm_error err = { 0 };
	char name[8], path[64];
	unsigned int i;

	for (i = 0; i < VCONSOLE_MAX_CHANNELS; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		ASSERT_EQ(vconsole_add_channel(&g->vc, name, path, false, &err), 0);
	}
	EXPECT_EQ(vconsole_add_channel(&g->vc, "more", "/tmp/more", false, &err), -1);
	EXPECT(strstr(err.text, "6 channels at most"));
	destroy(g);

	g = make(true);
	add(g, "a", false);
	err = (struct vm_error){ 0 };
	EXPECT_EQ(vconsole_add_channel(&g->vc, "a", "/tmp/more", false, &err), -1);
	EXPECT(strstr(err.text, "two channels are named 'a'"));
	err = (struct vm_error){ 0 };
	snprintf(path, sizeof(path), "%s/a", dir);
	EXPECT_EQ(vconsole_add_channel(&g->vc, "b", path, false, &err), -1);
	EXPECT(strstr(err.text, "Address already in use"));
	EXPECT(strstr(err.hint, "remove it"));
	err = (struct vm_error){ 0 };
	EXPECT_EQ(vconsole_add_channel(&g->vc, "d", "/nowhere/x", true, &err), -1);
	EXPECT(strstr(err.text, "No such file"));
	destroy(g);
}

/* ---- drivers that lie ---- */

static void messages_that_make_no_sense(void)
{
	static const struct { u32 id; u16 event, value; } bad[] = {
		{ 0, PORT_READY, 1 }, { 3, PORT_READY, 1 }, { UINT32_MAX, PORT_OPEN, 1 },
		{ 1, PORT_ADD, 1 }, { 1, PORT_NAME, 1 }, { 1, RESIZE, 0 }, { 1, 0xffff, 1 },
		{ 0x80000001, PORT_OPEN, 1 },
	};
	unsigned int i;

	for (i = 0; i < COUNT(bad); i++) {
		struct guest *g = make_ready();

		control(g, bad[i].id, bad[i].event, bad[i].value);
		EXPECT(g->vc.dev.needs_reset);
		EXPECT_EQ(g->driver.config_changes, 1);
		/* Who comes and goes meanwhile does no harm; a new driver begins anew. */
		close(visit("one"));
		run(g);
		driver_stop(&g->driver);
		start(g);
		control(g, UINT32_MAX, DEVICE_READY, 1);
		expect_control(g, 1, PORT_ADD, 1, "");
		destroy(g);
	}
}

static void short_buffers(void)
{
	struct guest *g = make_ready();
	int fd;

	send_bytes(g, CONTROL_TX, "7 bytes", 7);
	EXPECT(g->vc.dev.needs_reset);
	destroy(g);

	g = make_ready();
	control(g, 1, PORT_READY, 1);
	give(g, CONTROL_RX, 10);
	EXPECT(g->vc.dev.needs_reset);
	destroy(g);

	g = make_ready();
	fd = visit("one");
	EXPECT_EQ(write(fd, "x", 1), 1);
	run(g);
	/* One that the device may not write to. */
	driver_offer_buffer(&g->driver, RX1, next_buffer(g, RX1), 64, 0);
	driver_kick(&g->driver, RX1);
	EXPECT(g->vc.dev.needs_reset);
	close(fd);
	destroy(g);
}

/* It asks and asks, and takes no answer: no more is kept than what there is to tell. */
static void endless_questions(void)
{
	struct guest *g = make_ready();
	unsigned int i;

	for (i = 0; i < 5000; i++) {
		control(g, UINT32_MAX, DEVICE_READY, 1);
		control(g, 1 + i % 2, PORT_READY, 1);
	}
	EXPECT(!g->vc.dev.needs_reset);
	expect_control(g, 1, PORT_ADD, 1, "");
	expect_control(g, 1, PORT_NAME, 1, "one");
	expect_control(g, 2, PORT_ADD, 1, "");
	expect_control(g, 2, PORT_NAME, 1, "log");
	expect_control(g, 2, PORT_OPEN, 1, "");
	give(g, CONTROL_RX, 256);
	EXPECT_EQ(take(g, CONTROL_RX, &(u64){ 0 }, 8), -1);
	destroy(g);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_console_carries_both_ways), TEST(what_is_full_waits),
		TEST(input_waits_for_the_guest), TEST(input_waits_for_quiet), TEST(patience_ends),
		TEST(size_and_emergency), TEST(a_turn_is_bounded),
		TEST(a_channel_is_named_and_carries), TEST(no_descriptor_for_a_visitor),
		TEST(what_nobody_hears_is_gone),
		TEST(half_a_visitor_stays), TEST(a_closed_port_gets_nothing),
		TEST(who_does_not_read_is_waited_for), TEST(a_file_takes_all),
		TEST(a_fifo_loses_its_reader),
		TEST(channels_that_cannot_be), TEST(messages_that_make_no_sense), TEST(short_buffers),
		TEST(endless_questions),
	};
	int ret;

	if (!mkdtemp(dir))
		return 1;
	ret = test_main(argc, argv, tests, COUNT(tests));
	rmdir(dir);
	return ret;
}

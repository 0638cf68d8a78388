/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The far end of the serial line, and of the virtio console where there is one: standard
 * input and output.
 */
#ifndef VMRUN_CONSOLE_H
#define VMRUN_CONSOLE_H

#include <pthread.h>

#include "dev/serial.h"
#include "log.h"
#include "loop.h"
#include "types.h"
#include "virtio/console.h"

#define CONSOLE_OUT_SIZE	65536
#define CONSOLE_IN_SIZE		4096
#define CONSOLE_IN_MAX		MIB(1)	/* of what is typed or pasted */
#define CONSOLE_KEPT_SIZE	16384

enum console_end {
	CONSOLE_LEFT,		/* the user typed Ctrl-] */
	CONSOLE_BROKEN,		/* nobody reads the output any more */
};

typedef void console_end_fn(void *ctx, enum console_end end);

/* Who else sees the output, and is told when there is room for input. */
struct console_tap {
	void (*output)(void *ctx, const u8 *data, unsigned int len);	/* NULL: nobody */
	void (*room)(void *ctx);
	void *ctx;
};

struct console {
	struct serial *serial;
	struct vconsole *hvc;	/* NULL: none; set before console_open() */
	bool hvc_reads;		/* input is its, not the serial port's; the same */
	struct loop *loop;
	console_end_fn *end;
	void *ctx;

	int event_fd;		/* a vCPU wants the main thread */
	int timer_fd;		/* output is waiting to be written */

	/* Main thread only. */
	struct console_tap tap;	/* set before console_open() */
	bool is_terminal;	/* Ctrl-] means something */
	bool in_open;
	bool in_pollable;
	int in_watch;
	int out_watch;		/* -1: a file, always ready */
	bool broken;
	bool keeps;		/* output is not written but kept, the last of it */
	u64 nr_kept;		/* bytes that ever were */
	u8 kept[CONSOLE_KEPT_SIZE];
	u8 *in;			/* in_size bytes */
	unsigned int in_size, in_head, in_count;
	u64 in_lost;

	pthread_mutex_t lock;	/* everything below; taken inside serial->lock */
	u8 out[CONSOLE_OUT_SIZE];
	unsigned int out_head, out_count;
	bool out_armed;		/* the timer runs */
	bool out_full;		/* the port was told so */
	u64 out_lost;
};

/* What dev/serial.c calls; its context is the struct console. Any thread. */
bool console_transmit(struct console *console, u8 byte);
void console_receive_ready(struct console *console);

/* The same for virtio/console.c: takes what there is room for, and returns how much that was. */
unsigned int console_write(struct console *console, const u8 *data, unsigned int len);

/*
 * Joins @serial with standard input and output. @interactive: Ctrl-] leaves.
 * @read_input false: somebody else has the terminal, take nothing from it.
 */
int console_open(struct console *console, struct serial *serial,
		 struct loop *loop, bool interactive, bool read_input,
		 console_end_fn *end, void *ctx, struct vm_error *err);

/* Input from elsewhere than standard input: how much is taken, and it. Main thread. */
unsigned int console_room(const struct console *console);
void console_feed(struct console *console, const u8 *data, unsigned int len);

/*
 * The same without standard input and output: what the guest says is kept for
 * console_tell(). For a guest whose user sees a program and not the console.
 */
int console_keep(struct console *console, struct serial *serial, struct loop *loop,
		 struct vm_error *err);

/* Writes the last of what was kept to standard error. */
void console_tell(struct console *console);

/* Writes what is left, for a bounded time, and says what was lost. */
void console_close(struct console *console);

#endif

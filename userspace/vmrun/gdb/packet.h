/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The framing of gdb's remote protocol, and the hexadecimal text that its packets are made
 * of ("Remote Protocol" in gdb's manual). Pure: bytes in, packets out, and the other way.
 */
#ifndef VMRUN_GDB_PACKET_H
#define VMRUN_GDB_PACKET_H

#include "../types.h"

/* What a packet holds at most, which gdb is told; one byte more for a final zero. */
#define GDB_MAX_PACKET	4096

enum gdb_event {
	GDB_NOTHING,	/* more bytes are needed, or this one means nothing */
	GDB_PACKET,	/* in->data has a packet of in->len bytes, and a zero behind it */
	GDB_BROKEN,	/* a packet with a wrong checksum, or one that is too long */
	GDB_INTERRUPT,	/* Ctrl-C: the byte 3 between packets */
};

/* All zero is the start. The packet stays until the next byte is fed. */
struct gdb_input {
	enum { GDB_BETWEEN, GDB_INSIDE, GDB_ESCAPED, GDB_SUM_HIGH, GDB_SUM_LOW } state;
	unsigned int len;
	bool too_long;
	u8 sum;			/* of what came */
	u8 wanted;		/* what the packet says that it is */
	char data[GDB_MAX_PACKET + 1];
};

enum gdb_event gdb_feed(struct gdb_input *in, u8 byte);

/* A reply as it grows. What does not fit any more is cut off, and overflow says so. */
struct gdb_text {
	unsigned int len;
	bool overflow;
	char data[GDB_MAX_PACKET];
};

void gdb_put(struct gdb_text *text, const void *data, size_t len);
void gdb_print(struct gdb_text *text, const char *fmt, ...) __printf(2, 3);
/* Each byte as two digits. */
void gdb_put_hex(struct gdb_text *text, const void *data, size_t len);

/* A window on a long text: takes of what is shown @room bytes behind the first @skip. */
struct gdb_window {
	struct gdb_text *text;
	u64 skip, room;
	bool more;		/* something lies behind it */
};

void gdb_show(struct gdb_window *window, const char *s);

/* Where the longest reply fits: each byte may need an escape. */
#define GDB_MAX_FRAME	(2 * GDB_MAX_PACKET + 4)

/* Writes @text as a packet to @frame, GDB_MAX_FRAME bytes; returns how many it takes. */
size_t gdb_frame(const struct gdb_text *text, char *frame);

/*
 * Readers of a packet's text: each moves *@at behind what it read, and never over the final
 * zero. False when it is not there; *@at is then of no use any more.
 */
bool gdb_take_number(const char **at, u64 *value);		/* 1 to 16 digits */
bool gdb_take_char(const char **at, char wanted);
bool gdb_take_word(const char **at, const char *word);		/* unmoved when it is not there */
bool gdb_take_hex(const char **at, void *data, size_t len);	/* 2 * @len digits */

#endif

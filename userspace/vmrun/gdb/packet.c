// SPDX-License-Identifier: GPL-2.0
/*
 * A packet is $TEXT#SS, SS the sum of TEXT's bytes modulo 256 in hexadecimal; in TEXT an
 * escape, '}', stands before a byte that was changed by XOR 0x20. Called by stub.c, and for
 * the text by everybody here. What packets mean is in command.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "packet.h"

#define ESCAPE		'}'
#define ESCAPED_BIT	0x20
#define INTERRUPT	3

static const char digits[] = "0123456789abcdef";

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static void begin(struct gdb_input *in)
{
	in->state = GDB_INSIDE;
	in->len = 0;
	in->sum = 0;
	in->too_long = false;
}

static void keep(struct gdb_input *in, u8 byte)
{
	if (in->len < GDB_MAX_PACKET)
		in->data[in->len++] = byte;
	else
		in->too_long = true;
}

static void feed_inside(struct gdb_input *in, u8 byte)
{
	/* Neither can be in a packet but escaped: the rest of the last one was lost. */
	if (byte == '$') {
		begin(in);
		return;
	}
	if (byte == '#') {
		in->state = GDB_SUM_HIGH;
		return;
	}
	in->sum += byte;
	if (in->state == GDB_ESCAPED) {
		keep(in, byte ^ ESCAPED_BIT);
		in->state = GDB_INSIDE;
	} else if (byte == ESCAPE) {
		in->state = GDB_ESCAPED;
	} else {
		keep(in, byte);
	}
}

static enum gdb_event end(struct gdb_input *in, u8 byte)
{
	int low = digit(byte);

	in->state = GDB_BETWEEN;
	in->data[in->len] = 0;
	if (low < 0 || (in->wanted | low) != in->sum || in->too_long)
		return GDB_BROKEN;
	return GDB_PACKET;
}

enum gdb_event gdb_feed(struct gdb_input *in, u8 byte)
{
	int high;

	switch (in->state) {
	case GDB_BETWEEN:
		if (byte == INTERRUPT)
			return GDB_INTERRUPT;
		/* Acknowledgements: on a stream nothing is lost, so nothing is sent again. */
		if (byte == '$')
			begin(in);
		return GDB_NOTHING;
	case GDB_INSIDE:
	case GDB_ESCAPED:
		feed_inside(in, byte);
		return GDB_NOTHING;
	case GDB_SUM_HIGH:
		high = digit(byte);
		if (high < 0) {
			in->state = GDB_BETWEEN;
			return GDB_BROKEN;
		}
		in->wanted = high << 4;
		in->state = GDB_SUM_LOW;
		return GDB_NOTHING;
	case GDB_SUM_LOW:
		return end(in, byte);
	}
	return GDB_NOTHING;
}

void gdb_put(struct gdb_text *text, const void *data, size_t len)
{
	size_t n = min_u64(len, sizeof(text->data) - text->len);

	memcpy(text->data + text->len, data, n);
	text->len += n;
	text->overflow |= n < len;
}

void gdb_print(struct gdb_text *text, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		text->overflow = true;
	else
		gdb_put(text, line, n);
}

void gdb_put_hex(struct gdb_text *text, const void *data, size_t len)
{
	const u8 *byte = data;
	size_t i;

	for (i = 0; i < len; i++) {
		const char pair[2] = { digits[byte[i] >> 4], digits[byte[i] & 15] };

		gdb_put(text, pair, 2);
	}
}

void gdb_show(struct gdb_window *window, const char *s)
{
	size_t len = strlen(s), skip = min_u64(window->skip, len);
	size_t n = min_u64(window->room, len - skip);

	window->skip -= skip;
	gdb_put(window->text, s + skip, n);
	window->room -= n;
	window->more |= n < len - skip;
}

size_t gdb_frame(const struct gdb_text *text, char *frame)
{
	char *to = frame;
	unsigned int i;
	u8 sum = 0;

	*to++ = '$';
	for (i = 0; i < text->len; i++) {
		u8 byte = text->data[i];

		if (strchr("#$}*", byte) && byte) {
			*to++ = ESCAPE;
			sum += ESCAPE;
			byte ^= ESCAPED_BIT;
		}
		*to++ = byte;
		sum += byte;
	}
	*to++ = '#';
	*to++ = digits[sum >> 4];
	*to++ = digits[sum & 15];
	return to - frame;
}

bool gdb_take_number(const char **at, u64 *value)
{
	unsigned int n;

	*value = 0;
	for (n = 0; digit(**at) >= 0; n++)
		*value = *value << 4 | digit(*(*at)++);
	return n && n <= 16;
}

bool gdb_take_char(const char **at, char wanted)
{
	if (!wanted || **at != wanted)
		return false;
	(*at)++;
	return true;
}

bool gdb_take_word(const char **at, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*at, word, len))
		return false;
	*at += len;
	return true;
}

bool gdb_take_hex(const char **at, void *data, size_t len)
{
	u8 *to = data;
	size_t i;

	for (i = 0; i < len; i++) {
		int high = digit((*at)[0]), low = high < 0 ? -1 : digit((*at)[1]);

		if (low < 0)
			return false;
		to[i] = high << 4 | low;
		*at += 2;
	}
	return true;
}

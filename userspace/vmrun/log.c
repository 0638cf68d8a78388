// SPDX-License-Identifier: GPL-2.0
/*
 * Everything vmrun prints on its own account goes through this file, to the
 * standard error output, one write(2) a line so that threads do not mix.
 * The guest's console does not: that is console.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "log.h"

int vm_fail(struct vm_error *err, int status, const char *hint,
	    const char *fmt, ...)
{
	bool no_memory = errno == ENOMEM;
	va_list ap;

	if (err->status)
		return -1;
	if (!hint)
		hint = no_memory ? "free some memory, or give the guest less with -m" :
		       "vmrun doctor looks for what this system lacks";
	err->status = status;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	snprintf(err->hint, sizeof(err->hint), "%s", hint);
	return -1;
}

const char *log_plain(char *to, size_t room, const char *text)
{
	size_t n = 0;
	bool control;

	for (; text && *text && n + 1 < room; text++) {
		control = (u8)text[0] < ' ' || text[0] == 0x7f;
		/* C1 has two bytes in UTF-8. */
		if ((u8)text[0] == 0xc2 && ((u8)text[1] & 0xe0) == 0x80) {
			control = true;
			text++;
		}
		to[n++] = control ? '?' : *text;
	}
	to[n] = 0;
	return to;
}

static void log_line(const char *prefix, const char *text)
{
	struct termios termios;
	const char *end = "\n";
	char line[640], plain[sizeof(line)];
	int len;

	/* While the guest has the terminal a newline does not return the carriage. */
	if (!tcgetattr(STDERR_FILENO, &termios) && !(termios.c_oflag & OPOST))
		end = "\r\n";

	/* Parts of it may be the guest's words, or another vmrun's. */
	log_plain(plain, sizeof(plain), text);
	len = snprintf(line, sizeof(line), "%s%s%s", prefix, plain, end);
	if (len >= (int)sizeof(line))
		len = sizeof(line) - 1;
	/* Nobody is left to tell when the standard error output fails. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

void log_error(const struct vm_error *err)
{
	log_line("vmrun: error: ", err->text);
	if (err->hint[0])
		log_line("hint: ", err->hint);
}

void log_note(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_line("vmrun: ", text);
}

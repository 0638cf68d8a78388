// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's control socket: bytes as they come, in pieces, are cut into lines, and each is read as a request. Nothing is lost or made up:
 * the lines are those between the newlines, and a request has a verb of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "fuzz.h"

static void read_request(const char *text, size_t len)
{
	struct control_request request = { .verb = -1 };
	char *copy = malloc(len);	/* so that a byte too many is noticed */

	memcpy(copy, text, len);
	if (!control_parse(&request, copy, len)) {
		MUST(request.verb >= CONTROL_STATUS && request.verb <= CONTROL_TRACE);
		/* An exec has its lists, empty or not, and a signal is one. */
		MUST(!request.arguments == (request.verb != CONTROL_EXEC));
		MUST(!request.environment == (request.verb != CONTROL_EXEC));
		MUST(request.verb != CONTROL_SIGNAL || request.signal);
		MUST(request.verb == CONTROL_TRACE || !request.vcpu);
		MUST(request.verb == CONTROL_MEMORY || !request.size);
		control_request_release(&request);
	}
	free(copy);
}

void fuzz_input(const uint8_t *data, size_t size)
{
	struct control_line *line = malloc(sizeof(*line));
	const uint8_t *expected = data, *end = data + size;
	const char *text;
	size_t len, n;
	int have;

	line->len = 0;
	line->taken = 0;
	while (data < end) {
		/* A piece as long as its first byte says. */
		n = 1 + *data;
		n = n > (size_t)(end - data) ? (size_t)(end - data) : n;
		n = n > control_line_room(line) ? control_line_room(line) : n;
		memcpy(line->text + line->len, data, n);
		line->len += n;
		data += n;
		while ((have = control_line_take(line, &text, &len)) > 0) {
			MUST(!memcmp(text, expected, len) && expected[len] == '\n');
			MUST(!memchr(text, '\n', len));
			expected += len + 1;
			read_request(text, len);
		}
		if (have < 0)
			break;
	}
	free(line);
}

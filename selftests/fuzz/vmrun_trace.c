// SPDX-License-Identifier: GPL-2.0
/*
 * The ring of a vCPU's last exits, which the accelerator maps: whatever lies there, what is taken of it lies in it, and can be told
 * as JSON and in lines.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "trace.h"

#define HEADER	offsetof(struct kvirt_exit_ring, record)

struct head {
	u8 flags, nr, more, max;
	u64 written, now;
};

static void tell(const struct trace *trace, u64 now, unsigned int max)
{
	json_t *object = trace_json(trace, 1, now);
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	MUST(object && json_array_size(json_object_get(object, "records")) == trace->nr);
	trace_print(to, object, max);
	fclose(to);
	MUST(len && text[len - 1] == '\n');
	free(text);
	json_decref(object);
}

void fuzz_input(const uint8_t *data, size_t size)
{
	struct kvirt_exit_ring *ring;
	struct trace *trace;
	struct head h;

	if (size < sizeof(h) + HEADER)
		return;
	memcpy(&h, data, sizeof(h));
	data += sizeof(h);
	size -= sizeof(h);
	/* So long and no longer: the sanitizer sees who goes past its end. */
	ring = malloc(size);
	trace = malloc(sizeof(*trace));
	memcpy(ring, data, size);
	/* Seldom one that is as it should be, but for its records. */
	if (h.flags & 1) {
		ring->record_size = sizeof(ring->record[0]) + h.more % 8;
		ring->nr = h.nr;
		ring->tsc_khz = h.flags & 2 ? 1 : 1000000;
		ring->written = h.flags & 4 ? h.written : h.written % 1000;
	}
	if (!trace_copy(trace, ring, size, h.max)) {
		MUST(trace->nr <= TRACE_MAX && trace->nr <= h.max && trace->nr <= ring->nr);
		MUST(trace->nr <= trace->exits);
		tell(trace, h.now, h.flags & 8 ? 3 : TRACE_MAX);
	}
	free(trace);
	free(ring);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The flight recorder's reader: which records of a ring are whole, also while it is being
 * written, and what each kind of exit looks like, as JSON and for people.
 */
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../trace.h"
#include "ktap.h"

#define KHZ	1000000	/* a tick is a nanosecond */

static struct kvirt_exit_ring *new_ring(void)
{
	struct kvirt_exit_ring *ring = calloc(1, sizeof(*ring));

	ring->nr = KVIRT_RING_RECORDS;
	ring->record_size = sizeof(ring->record[0]);
	ring->tsc_khz = KHZ;
	return ring;
}

/* As the module writes it; all of a record tells its number. */
static void write_one(struct kvirt_exit_ring *ring)
{
	u64 n = ring->written;
	struct kvirt_exit_record *r = &ring->record[n % ring->nr];

	r->tsc = n;
	r->rip = ~n;
	r->eax = n;
	r->ecx = ~n;
	r->kind = KVIRT_KIND_CPUID;
	r->code = n;
	__atomic_store_n(&ring->written, n + 1, __ATOMIC_RELEASE);
}

static bool is_whole(const struct kvirt_exit_record *r)
{
	return r->rip == ~r->tsc && r->eax == (u32)r->tsc && r->ecx == (u32)~r->tsc && r->code == r->tsc;
}

static void copies(void)
{
	struct kvirt_exit_ring *ring = new_ring();
	static struct trace trace;
	unsigned int i;

	EXPECT_EQ(trace_copy(&trace, ring, sizeof(*ring), TRACE_MAX), 0);
	EXPECT_EQ(trace.nr, 0);
	EXPECT_EQ(trace.exits, 0);
	for (i = 0; i < 5; i++)
		write_one(ring);
	EXPECT_EQ(trace_copy(&trace, ring, sizeof(*ring), TRACE_MAX), 0);
	EXPECT_EQ(trace.nr, 5);
	EXPECT_EQ(trace.record[0].tsc, 0);
	EXPECT_EQ(trace_copy(&trace, ring, sizeof(*ring), 2), 0);
	EXPECT_EQ(trace.nr, 2);
	EXPECT_EQ(trace.record[0].tsc, 3);
	for (; i < 1000; i++)
		write_one(ring);
	EXPECT_EQ(trace_copy(&trace, ring, sizeof(*ring), 1000), 0);
	/* The oldest one may be about to be written over. */
	EXPECT_EQ(trace.nr, KVIRT_RING_RECORDS - 1);
	EXPECT_EQ(trace.exits, 1000);
	for (i = 0; i < trace.nr; i++)
		EXPECT(is_whole(&trace.record[i]) && trace.record[i].tsc == 1000 - trace.nr + i);
	free(ring);
}

static void no_ring(void)
{
	struct kvirt_exit_ring *ring = new_ring();
	static struct trace trace;

	write_one(ring);
	EXPECT_EQ(trace_copy(&trace, ring, 16, TRACE_MAX), -1);
	EXPECT_EQ(trace_copy(&trace, ring, sizeof(*ring) - 1, TRACE_MAX), -1);
	ring->nr = 0;
	EXPECT_EQ(trace_copy(&trace, ring, sizeof(*ring), TRACE_MAX), -1);
	ring->nr = KVIRT_RING_RECORDS + 1;
	EXPECT_EQ(trace_copy(&trace, ring, sizeof(*ring), TRACE_MAX), -1);
	ring->nr = KVIRT_RING_RECORDS;
	ring->record_size--;
	EXPECT_EQ(trace_copy(&trace, ring, sizeof(*ring), TRACE_MAX), -1);
	ring->record_size = 0;
	EXPECT_EQ(trace_copy(&trace, ring, sizeof(*ring), TRACE_MAX), -1);
	ring->record_size = sizeof(ring->record[0]);
	ring->tsc_khz = 0;
	EXPECT_EQ(trace_copy(&trace, ring, sizeof(*ring), TRACE_MAX), -1);
	/* A later module's records may be longer. */
	ring->tsc_khz = KHZ;
	ring->nr = 2;
	ring->record_size = 2 * sizeof(ring->record[0]);
	EXPECT_EQ(trace_copy(&trace, ring, sizeof(*ring), TRACE_MAX), 0);
	EXPECT_EQ(trace.nr, 1);
	free(ring);
}

struct writer {
	struct kvirt_exit_ring *ring;
	atomic_bool stop;
};

static void *write_on(void *arg)
{
	struct writer *writer = arg;
	unsigned int i;

	/* No exit is as fast as this loop would be: now and then the reader has to be faster. */
	while (!writer->stop) {
		write_one(writer->ring);
		for (i = 0; i < writer->ring->written % 128; i++)
			__builtin_ia32_pause();
	}
	return NULL;
}

/* Nothing that is given is torn, however fast the writer is. */
static void read_while_written(void)
{
	struct writer writer = { .ring = new_ring() };
	static struct trace trace;
	u64 given = 0;
	unsigned int i, k;
	pthread_t thread;

	pthread_create(&thread, NULL, write_on, &writer);
	for (i = 0; i < 20000 || trace.exits < 20000; i++) {
		trace_copy(&trace, writer.ring, sizeof(*writer.ring), TRACE_MAX);
		for (k = 0; k < trace.nr; k++)
			if (!is_whole(&trace.record[k]) || trace.record[k].tsc != trace.exits - trace.nr + k)
				break;
		if (!EXPECT_EQ(k, trace.nr))
			break;
		given += trace.nr;
	}
	writer.stop = true;
	pthread_join(thread, NULL);
	EXPECT(given > 0);
	free(writer.ring);
}

static const struct {
	struct kvirt_exit_record record;
	const char *json, *text;
} known[] = {
	{ { .tsc = 100, .rip = 0xffffffff81000000, .kind = KVIRT_KIND_CPUID, .reason = 10, .eax = 7, .ecx = 1 },
	  "{\"ago\":900,\"kind\":\"cpuid\",\"rip\":\"0xffffffff81000000\",\"leaf\":\"0x7\",\"subleaf\":\"0x1\",\"reason\":\"0xa\"}",
	  "    0.000001  cpuid         0xffffffff81000000  leaf 0x7  subleaf 0x1  reason 0xa\n" },
	{ { .rip = 1, .kind = KVIRT_KIND_WRMSR, .reason = ~0u, .eax = 5, .ecx = 0xc0000080 },
	  "{\"ago\":1000,\"kind\":\"wrmsr\",\"rip\":\"0x1\",\"msr\":\"0xc0000080\",\"low\":\"0x5\"}", NULL },
	{ { .rip = 1, .kind = KVIRT_KIND_RDMSR, .reason = ~0u, .eax = 5, .ecx = 0x1b },
	  "{\"ago\":1000,\"kind\":\"rdmsr\",\"rip\":\"0x1\",\"msr\":\"0x1b\"}", NULL },
	{ { .rip = 1, .kind = KVIRT_KIND_IO, .reason = ~0u, .eax = 0x12345678, .io = { .port = 0x3f8, .size = 1 } },
	  "{\"ago\":1000,\"kind\":\"io\",\"rip\":\"0x1\",\"port\":\"0x3f8\",\"way\":\"out\",\"size\":1,\"value\":\"0x78\"}",
	  "    0.000001  io            0x1                 port 0x3f8  way out  size 1  value 0x78\n" },
	{ { .rip = 1, .kind = KVIRT_KIND_IO, .reason = ~0u, .io = { .port = 0x60, .size = 4, .in = 1, .string = 1 } },
	  "{\"ago\":1000,\"kind\":\"io\",\"rip\":\"0x1\",\"port\":\"0x60\",\"way\":\"ins\",\"size\":4}", NULL },
	{ { .rip = 1, .kind = KVIRT_KIND_NESTED_FAULT, .reason = 0x400, .gpa = 0xfee00000, .access = KVIRT_RECORD_WRITE },
	  "{\"ago\":1000,\"kind\":\"nested_fault\",\"rip\":\"0x1\",\"gpa\":\"0xfee00000\",\"access\":\"w\",\"reason\":\"0x400\"}", NULL },
	{ { .rip = 1, .kind = KVIRT_KIND_EXCEPTION, .reason = ~0u, .exception = { .vector = 17, .has_error = 1, .error = 4 } },
	  "{\"ago\":1000,\"kind\":\"exception\",\"rip\":\"0x1\",\"vector\":17,\"error\":\"0x4\"}", NULL },
	{ { .rip = 1, .kind = KVIRT_KIND_CR_WRITE, .reason = ~0u, .reg.nr = 4 },
	  "{\"ago\":1000,\"kind\":\"cr_write\",\"rip\":\"0x1\",\"register\":4}", NULL },
	{ { .rip = 1, .kind = KVIRT_KIND_HYPERCALL, .reason = ~0u, .eax = 5 },
	  "{\"ago\":1000,\"kind\":\"hypercall\",\"rip\":\"0x1\",\"number\":5}", NULL },
	{ { .rip = 1, .kind = KVIRT_KIND_INVALID_STATE, .reason = 0x80000021, .code = 0x80000021 },
	  "{\"ago\":1000,\"kind\":\"failed_entry\",\"rip\":\"0x1\",\"code\":\"0x80000021\",\"reason\":\"0x80000021\"}", NULL },
	/* Later than now, by another CPU's clock; a kind of a later module's. */
	{ { .tsc = 2000, .rip = 1, .kind = 200, .reason = ~0u, .code = 9 },
	  "{\"ago\":0,\"kind\":\"unknown\",\"rip\":\"0x1\",\"code\":\"0x9\"}", NULL },
};

static void kinds(void)
{
	static struct trace trace;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		char *json, *text = NULL;
		json_t *object;
		size_t len;
		FILE *to;

		trace = (struct trace){ .exits = 7, .tsc_khz = KHZ, .nr = 1, .record = { known[i].record } };
		object = trace_json(&trace, 3, 1000);
		json = json_dumps(json_array_get(json_object_get(object, "records"), 0), JSON_COMPACT);
		if (strcmp(json, known[i].json))
			test_fail(__FILE__, __LINE__, "%s, not %s", json, known[i].json);
		to = open_memstream(&text, &len);
		trace_print(to, object, 12);
		fclose(to);
		if (known[i].text && !EXPECT(!strcmp(strchr(text, '\n') + 1, known[i].text)))
			test_note("%s", text);
		EXPECT(!strncmp(text, "vCPU 3: the last 1 of 7 exits", 29));
		free(text);
		free(json);
		json_decref(object);
	}
}

/* Each kind that the header names has a name here. */
static void all_kinds(void)
{
	static struct trace trace;
	unsigned int i;
	json_t *object;

	for (i = 0; i < KVIRT_NR_KINDS; i++) {
		trace = (struct trace){ .tsc_khz = KHZ, .nr = 1, .record = { { .kind = i } } };
		object = trace_json(&trace, 0, 0);
		EXPECT(json_is_object(object));
		EXPECT(json_is_string(json_object_get(json_array_get(json_object_get(object, "records"), 0), "kind")));
		json_decref(object);
	}
}

/* A file that somebody changed is no reason to fall over. */
static void odd_files(void)
{
	static const char *const odd[] = {
		"{}", "[]", "7", "{\"records\": 7}", "{\"records\": [7, {}, {\"kind\": 1, \"rip\": [], \"x\": null}]}",
	};
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		json_t *object = json_loads(odd[i], JSON_DECODE_ANY, NULL);
		char *text = NULL;
		FILE *to = open_memstream(&text, &len);

		trace_print(to, object, 12);
		fclose(to);
		EXPECT(!strncmp(text, "vCPU 0:", 7));
		free(text);
		json_decref(object);
	}
}

static const struct test tests[] = {
	TEST(copies),
	TEST(no_ring),
	TEST(read_while_written),
	TEST(kinds),
	TEST(all_kinds),
	TEST(odd_files),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the ring of a vCPU's last exits while the module writes it, and tells what its
 * records mean: one table for the kinds. Which vCPUs, when, and for whom is
 * machine_trace.c's and manage_trace.c's.
 */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "log.h"
#include "trace.h"

#define MAX_AGO	1e18	/* ns */
#define TRIES	8	/* at a ring that is overrun while it is read */

/* What a kind of exit has beside its RIP. */
enum detail {
	NOTHING,
	LEAF,
	MSR,
	MSR_VALUE,
	NUMBER,		/* of a hypercall */
	PORT,
	REGISTER,
	ADDRESS,
	VECTOR,
	CODE,
};

static const struct {
	const char *name;
	enum detail detail;
} kinds[KVIRT_NR_KINDS] = {
	[KVIRT_KIND_HOST] = { "host", NOTHING },
	[KVIRT_KIND_DEADLINE] = { "deadline", NOTHING },
	[KVIRT_KIND_CPUID] = { "cpuid", LEAF },
	[KVIRT_KIND_HLT] = { "hlt", NOTHING },
	[KVIRT_KIND_PAUSE] = { "pause", NOTHING },
	[KVIRT_KIND_IO] = { "io", PORT },
	[KVIRT_KIND_RDMSR] = { "rdmsr", MSR },
	[KVIRT_KIND_WRMSR] = { "wrmsr", MSR_VALUE },
	[KVIRT_KIND_CR_READ] = { "cr_read", REGISTER },
	[KVIRT_KIND_CR_WRITE] = { "cr_write", REGISTER },
	[KVIRT_KIND_DR] = { "dr", REGISTER },
	[KVIRT_KIND_XSETBV] = { "xsetbv", NOTHING },
	[KVIRT_KIND_HYPERCALL] = { "hypercall", NUMBER },
	[KVIRT_KIND_RDPMC] = { "rdpmc", NOTHING },
	[KVIRT_KIND_INVD] = { "invd", NOTHING },
	[KVIRT_KIND_MWAIT] = { "mwait", NOTHING },
	[KVIRT_KIND_UNDEFINED] = { "undefined", NOTHING },
	[KVIRT_KIND_NESTED_FAULT] = { "nested_fault", ADDRESS },
	[KVIRT_KIND_EXCEPTION] = { "exception", VECTOR },
	[KVIRT_KIND_IRQ_WINDOW] = { "irq_window", NOTHING },
	[KVIRT_KIND_NMI_WINDOW] = { "nmi_window", NOTHING },
	[KVIRT_KIND_TRIPLE_FAULT] = { "triple_fault", NOTHING },
	[KVIRT_KIND_INIT] = { "init", NOTHING },
	[KVIRT_KIND_TASK_SWITCH] = { "task_switch", CODE },
	[KVIRT_KIND_INVALID_STATE] = { "failed_entry", CODE },
	[KVIRT_KIND_INTERNAL] = { "internal", CODE },
};

/* One try at a ring of @nr records; false when nothing of what was copied is whole. */
static bool copy_once(struct trace *trace, const struct kvirt_exit_ring *ring, u32 nr, u32 record_size,
		      unsigned int max)
{
	u64 end = __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE), now, n;
	u64 begin = end > max ? end - max : 0;

	for (n = begin; n < end; n++)
		memcpy(&trace->record[n - begin],
		       (const u8 *)ring->record + n % nr * record_size,
		       sizeof(trace->record[0]));
	/* The copies come before this look at how far the writer has come. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	now = __atomic_load_n(&ring->written, __ATOMIC_RELAXED);
	/* It may be at work on record now, in the place of now - nr. */
	n = now >= nr ? now - nr + 1 : 0;
	if (n >= end && end)
		return false;
	if (n < begin)
		n = begin;
	trace->exits = end;
	trace->nr = end - n;
	memmove(trace->record, trace->record + (n - begin), trace->nr * sizeof(trace->record[0]));
	return true;
}

int trace_copy(struct trace *trace, const struct kvirt_exit_ring *ring, size_t size,
	       unsigned int max)
{
	u32 nr, record_size;
	unsigned int i;

	if (size < sizeof(*ring) - sizeof(ring->record))
		return -1;
	/* Once, as of all memory that somebody else writes. */
	nr = __atomic_load_n(&ring->nr, __ATOMIC_RELAXED);
	record_size = __atomic_load_n(&ring->record_size, __ATOMIC_RELAXED);
	trace->tsc_khz = __atomic_load_n(&ring->tsc_khz, __ATOMIC_RELAXED);
	if (!nr || !trace->tsc_khz || record_size < sizeof(trace->record[0]) || record_size > size ||
	    nr > (size - (sizeof(*ring) - sizeof(ring->record))) / record_size)
		return -1;
	max = min_u64(min_u64(max, TRACE_MAX), nr);
	for (i = 0; i < TRIES; i++)
		if (copy_once(trace, ring, nr, record_size, max))
			return 0;
	/* Never seen: that many exits while some bytes are copied. */
	trace->exits = ring->written;
	trace->nr = 0;
	return 0;
}

static void put_hex(json_t *object, const char *key, u64 value)
{
	char text[20];

	snprintf(text, sizeof(text), "%#" PRIx64, value);
	json_object_set_new(object, key, json_string(text));
}

static void put_port(json_t *object, const struct kvirt_exit_record *r)
{
	static const char *const ways[] = { "out", "in", "outs", "ins" };
	u8 size = r->io.size & 7;

	put_hex(object, "port", r->io.port);
	json_object_set_new(object, "way", json_string(ways[!!r->io.in + 2 * !!r->io.string]));
	json_object_set_new(object, "size", json_integer(size));
	if (!r->io.in && !r->io.string)
		put_hex(object, "value", size < 4 ? r->eax & ((1u << 8 * size) - 1) : r->eax);
}

static void put_address(json_t *object, const struct kvirt_exit_record *r)
{
	char access[4];

	snprintf(access, sizeof(access), "%s%s%s", r->access & KVIRT_RECORD_READ ? "r" : "",
		 r->access & KVIRT_RECORD_WRITE ? "w" : "", r->access & KVIRT_RECORD_EXEC ? "x" : "");
	put_hex(object, "gpa", r->gpa);
	json_object_set_new(object, "access", json_string(access));
}

static void put_detail(json_t *object, const struct kvirt_exit_record *r, enum detail detail)
{
	switch (detail) {
	case NOTHING:
		break;
	case LEAF:
		put_hex(object, "leaf", r->eax);
		put_hex(object, "subleaf", r->ecx);
		break;
	case MSR:
	case MSR_VALUE:
		put_hex(object, "msr", r->ecx);
		if (detail == MSR_VALUE)
			put_hex(object, "low", r->eax);
		break;
	case NUMBER:
		json_object_set_new(object, "number", json_integer(r->eax));
		break;
	case PORT:
		put_port(object, r);
		break;
	case REGISTER:
		json_object_set_new(object, "register", json_integer(r->reg.nr));
		break;
	case ADDRESS:
		put_address(object, r);
		break;
	case VECTOR:
		json_object_set_new(object, "vector", json_integer(r->exception.vector));
		if (r->exception.has_error)
			put_hex(object, "error", r->exception.error);
		break;
	case CODE:
		put_hex(object, "code", r->code);
		break;
	}
}

static json_t *record_json(const struct kvirt_exit_record *r, u32 tsc_khz, u64 now)
{
	bool known = r->kind < KVIRT_NR_KINDS;
	double ago = now > r->tsc ? (double)(now - r->tsc) * 1e6 / tsc_khz : 0;
	json_t *object = json_pack("{s:I, s:s}", "ago", (json_int_t)(ago < MAX_AGO ? ago : MAX_AGO),
				   "kind", known ? kinds[r->kind].name : "unknown");

	put_hex(object, "rip", r->rip);
	put_detail(object, r, known ? kinds[r->kind].detail : CODE);
	/* ~0: the guest was not entered at all. */
	if (r->reason != ~0u)
		put_hex(object, "reason", r->reason);
	return object;
}

struct json_t *trace_json(const struct trace *trace, unsigned int vcpu, u64 now)
{
	json_t *records = json_array();
	unsigned int i;

	for (i = 0; i < trace->nr; i++)
		json_array_append_new(records, record_json(&trace->record[i], trace->tsc_khz, now));
	return json_pack("{s:i, s:I, s:o}", "vcpu", (int)vcpu, "exits", (json_int_t)trace->exits,
			 "records", records);
}

static void print_record(FILE *to, json_t *record)
{
	const char *kind = json_string_value(json_object_get(record, "kind")), *key, *text;
	const char *rip = json_string_value(json_object_get(record, "rip"));
	char plain[2][64];
	json_t *value;

	/* The record may be what a guest that has overcome its vmrun made up. */
	fprintf(to, "%12.6f  %-12s  %-18s", json_integer_value(json_object_get(record, "ago")) / 1e9,
		log_plain(plain[0], sizeof(plain[0]), kind), log_plain(plain[1], sizeof(plain[1]), rip));
	json_object_foreach(record, key, value) {
		if (!strcmp(key, "ago") || !strcmp(key, "kind") || !strcmp(key, "rip"))
			continue;
		text = json_string_value(value);
		fprintf(to, "  %s ", log_plain(plain[0], sizeof(plain[0]), key));
		if (text)
			fprintf(to, "%s", log_plain(plain[1], sizeof(plain[1]), text));
		else
			fprintf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	}
	fputc('\n', to);
}

void trace_print(FILE *to, const struct json_t *vcpu, unsigned int max)
{
	const json_t *records = json_object_get(vcpu, "records");
	size_t nr = json_array_size(records), i = nr > max ? nr - max : 0;

	fprintf(to, "vCPU %lld: the last %zu of %lld exits (seconds ago, kind, RIP)\n",
		(long long)json_integer_value(json_object_get(vcpu, "vcpu")), nr - i,
		(long long)json_integer_value(json_object_get(vcpu, "exits")));
	for (; i < nr; i++)
		print_record(to, json_array_get(records, i));
}

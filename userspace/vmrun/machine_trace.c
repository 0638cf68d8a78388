// SPDX-License-Identifier: GPL-2.0
/*
 * Which vCPUs' last exits are told, and when: to who asks by the control socket, and, of a
 * guest that crashed, to all. Called by machine.c, machine_control.c and main.c.
 */
#include <jansson.h>
#include <x86intrin.h>

#include "machine.h"
#include "machine_trace.h"
#include "trace.h"

#define SHOWN_LINES	12	/* of a crash, on standard error: of all vCPUs, */
#define SHOWN_LEAST	4	/* but of each so many, */
#define SHOWN_VCPUS	8	/* of no more than these */
#define KEPT_RECORDS	4096	/* of a crash, in the machine's folder */

/* NULL: the accelerator keeps none. */
static json_t *trace_vcpu(const struct machine *machine, unsigned int i, unsigned int max)
{
	const struct kvirt_vcpu *vcpu = &machine->vcpu[i].kvirt;
	struct trace trace;

	if (!vcpu->ring || trace_copy(&trace, vcpu->ring, vcpu->ring_size, max))
		return NULL;
	return trace_json(&trace, machine->vcpu[i].id, __rdtsc());
}

struct json_t *machine_trace(struct machine *machine, unsigned int vcpu, struct vm_error *err)
{
	json_t *object;

	if (vcpu >= machine->nr_vcpus) {
		vm_fail(err, VM_STATUS_FAILURE, NULL, "the machine has %u vCPUs, and none with number %u",
			machine->nr_vcpus, vcpu);
		return NULL;
	}
	object = trace_vcpu(machine, vcpu, TRACE_MAX);
	if (object)
		json_object_set_new(object, "cpus", json_integer(machine->nr_vcpus));
	else
		vm_fail(err, VM_STATUS_FAILURE, "run the machine with --accel kvirt",
			"%.200s keeps no record of exits", machine->kvirt.path);
	return object;
}

void machine_trace_end(struct machine *machine)
{
	struct machine_result *result = &machine->result;
	json_t *list, *one;
	unsigned int i;

	if (result->status != VM_STATUS_CRASH && result->status != VM_STATUS_PANIC)
		return;
	list = json_array();
	for (i = 0; i < machine->nr_vcpus; i++) {
		one = trace_vcpu(machine, i, KEPT_RECORDS / machine->nr_vcpus);
		if (one)
			json_array_append_new(list, one);
	}
	if (json_array_size(list))
		result->trace = list;
	else
		json_decref(list);
}

void machine_trace_print(FILE *to, const struct json_t *trace)
{
	size_t nr = json_array_size(trace), shown = nr < SHOWN_VCPUS ? nr : SHOWN_VCPUS, i;

	for (i = 0; i < shown; i++)
		trace_print(to, json_array_get(trace, i),
			    SHOWN_LINES / shown > SHOWN_LEAST ? SHOWN_LINES / shown : SHOWN_LEAST);
}

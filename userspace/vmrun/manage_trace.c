// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun trace: the last exits of a machine's vCPUs, asked of a running one, or as a crashed
 * one left them. Called by main.c.
 */
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "client.h"
#include "manage.h"
#include "trace.h"

/* Adds each vCPU's to @list; each is a reply of its own, whatever their number. */
static int ask_running(const struct instance *instance, json_t *list, struct vm_error *err)
{
	int fd = client_connect(instance, err);
	json_int_t vcpu = 0, cpus = 1;
	json_t *reply;

	if (fd < 0)
		return -1;
	/* A guest that has overcome its vmrun may answer anything. */
	for (; vcpu < cpus && vcpu < CONFIG_MAX_VCPUS && !err->status; vcpu++) {
		reply = client_request(fd, json_pack("{s:s, s:I}", "command",
						     control_verb_name(CONTROL_TRACE), "vcpu", vcpu), err);
		cpus = json_integer_value(json_object_get(reply, "cpus"));
		json_object_del(reply, "cpus");
		json_object_del(reply, "ok");
		if (reply)
			json_array_append_new(list, reply);
	}
	close(fd);
	return err->status ? -1 : 0;
}

static int read_ended(const struct instance *instance, json_t *list, struct vm_error *err)
{
	json_t *kept = instance_read_json(instance, TRACE_FILE);
	int ret = json_array_extend(list, kept);

	json_decref(kept);
	if (!ret)
		return 0;
	return vm_fail(err, VM_STATUS_FAILURE,
		       "ask while it runs; of an ended one they are kept when its guest crashed on /dev/kvirt",
		       "machine '%s' has ended, and left no exits", instance->name);
}

int manage_trace(const struct vm_config *config, struct vm_error *err)
{
	json_t *list = json_array(), *vcpu;
	struct instance instance;
	size_t i;
	int ret;

	if (instance_open(&instance, config->operand[0], err)) {
		json_decref(list);
		return -1;
	}
	ret = instance_pid(&instance) ? ask_running(&instance, list, err) :
					read_ended(&instance, list, err);
	if (!ret && config->json) {
		client_print(list, JSON_INDENT(1));
	} else if (!ret) {
		json_array_foreach(list, i, vcpu)
			trace_print(stdout, vcpu, TRACE_MAX);
	}
	json_decref(list);
	instance_close(&instance);
	return ret;
}

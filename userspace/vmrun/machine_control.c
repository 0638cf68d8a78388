// SPDX-License-Identifier: GPL-2.0
/*
 * What a request on the control socket does to the machine, and what machine.json tells
 * of it. All on the main thread. Called by machine.c's build table and control.c.
 */
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "machine.h"
#include "machine_control.h"
#include "machine_exec.h"
#include "machine_gdb.h"
#include "machine_memory.h"
#include "machine_system.h"
#include "machine_trace.h"
#include "stats.h"
#include "trace.h"

static json_t *describe(const struct machine *machine)
{
	return json_pack("{s:s, s:i, s:I, s:s, s:o}", "name", machine->instance.name,
			 "pid", getpid(), "started", (json_int_t)machine->started,
			 "accel", machine->kvirt.path ? machine->kvirt.path : "",
			 "config", config_json(machine->config));
}

/* Nobody sees what the command of a detached machine says: the log takes it. */
static void log_command(struct machine *machine)
{
	int fd = instance_open_file(&machine->instance, "console.log", O_WRONLY | O_CREAT | O_APPEND);

	if (fd < 0)
		return;
	dup2(fd, STDOUT_FILENO);
	close(fd);
}

int build_instance(struct machine *machine, struct vm_error *err)
{
	const struct vm_config *config = machine->config;
	struct vm_error why = { 0 };

	machine->started = time(NULL);
	if (!instance_create(&machine->instance, config->name, &why)) {
		if (config->detach && !config->initramfs)
			log_command(machine);
		if (!sandbox_grant_machine(&machine->sandbox, machine->instance.dir_fd, err))
			return 0;
		undo_instance(machine);
		return -1;
	}
	machine->instance.dir_fd = -1;
	if (config->name || config->detach) {
		*err = why;
		return -1;
	}
	log_note("%.300s; vmrun ps will not list this machine", why.text);
	return 0;
}

void undo_instance(struct machine *machine)
{
	const struct vm_config *config = machine->config;
	bool keep = (config->name || config->detach) && !config->rm && machine->ended;
	struct vm_error err = { 0 };
	json_t *object;

	if (machine->instance.dir_fd < 0)
		return;
	if (keep) {
		object = describe(machine);
		json_object_set_new(object, "ended",
				    json_pack("{s:i, s:s, s:I}", "status", machine->result.status,
					      "reason", machine->result.reason,
					      "time", (json_int_t)time(NULL)));
		instance_write_json(&machine->instance, "machine.json", object, &err);
		if (machine->result.trace)
			instance_write_json(&machine->instance, TRACE_FILE, machine->result.trace, &err);
		json_decref(object);
	} else {
		instance_remove(&machine->instance, &err);
	}
	instance_close(&machine->instance);
	if (err.status)
		log_note("%.500s", err.text);
}

static const char *state_of(const struct machine *machine)
{
	if (machine->paused)
		return "paused";
	return machine_gdb_holds(machine) ? "stopped" : "running";
}

static json_t *status(const struct machine *machine)
{
	return json_pack("{s:s, s:s, s:i, s:I, s:i, s:I}", "name", machine->instance.name,
			 "state", state_of(machine), "pid", getpid(),
			 "started", (json_int_t)machine->started, "cpus", (int)machine->nr_vcpus,
			 "memory", (json_int_t)(machine->config->memory >> 20));
}

/* Returns when no vCPU is in the guest any more. */
static void pause_machine(struct machine *machine)
{
	unsigned int i;

	for (i = 0; i < machine->nr_vcpus; i++)
		vcpu_request(&machine->vcpu[i], VCPU_PAUSED);
	for (i = 0; i < machine->nr_vcpus; i++)
		vcpu_wait_paused(&machine->vcpu[i]);
	machine->paused = true;
}

static void resume_machine(struct machine *machine)
{
	unsigned int i;

	if (!machine->paused)
		return;
	for (i = 0; i < machine->nr_vcpus; i++) {
		/* So that the guest takes its own standstill for no lockup. */
		kvirt_was_paused(&machine->vcpu[i].kvirt);
		vcpu_request(&machine->vcpu[i], VCPU_RUNNING);
	}
	machine->paused = false;
}

static json_t *stat_machine(struct machine *machine, struct vm_error *err)
{
	struct stats *stats = stats_create(err);
	json_t *object = NULL;
	unsigned int i;
	int ret = stats ? 0 : -1;

	for (i = 0; i < machine->nr_vcpus && !ret; i++)
		ret = stats_add(stats, &machine->vcpu[i].kvirt, err);
	if (!ret)
		object = stats_json(stats);
	if (object)
		json_object_set_new(object, "memory", machine_memory_json(machine));
	stats_destroy(stats);
	return object;
}

static json_t *on_request(void *ctx, const struct control_request *request, struct vm_error *err)
{
	struct machine *machine = ctx;

	switch (request->verb) {
	case CONTROL_STATUS:
		return status(machine);
	case CONTROL_STOP:
		/* A guest that stands still hears no button. */
		resume_machine(machine);
		return json_pack("{s:b}", "heard", machine_system_stop(machine) ||
				 power_press_button(&machine->power));
	case CONTROL_KILL:
		machine_end(machine, 128 + SIGKILL, "killed by its control socket");
		return NULL;
	case CONTROL_PAUSE:
		pause_machine(machine);
		return NULL;
	case CONTROL_RESUME:
		resume_machine(machine);
		return NULL;
	case CONTROL_STAT:
		return stat_machine(machine, err);
	case CONTROL_MEMORY:
		if (request->size && machine_memory_set(machine, request->size, err))
			return NULL;
		return machine_memory_json(machine);
	case CONTROL_CONSOLE:
	case CONTROL_EXEC:
	case CONTROL_RESIZE:
	case CONTROL_SIGNAL:
	case CONTROL_TRACE:
		break;	/* control.c's own, and calls of their own */
	}
	return NULL;
}

static json_t *trace_vcpu(void *ctx, unsigned int vcpu, struct vm_error *err)
{
	return machine_trace(ctx, vcpu, err);
}

static unsigned int console_room_of(void *ctx)
{
	struct machine *machine = ctx;

	return console_room(&machine->console);
}

static void console_input(void *ctx, const u8 *data, unsigned int len)
{
	struct machine *machine = ctx;

	console_feed(&machine->console, data, len);
}

static const struct control_ops ops = {
	.request = on_request,
	.trace = trace_vcpu,
	.console_room = console_room_of,
	.console_input = console_input,
	.exec = machine_exec_start,
	.exec_resize = machine_exec_resize,
	.exec_signal = machine_exec_signal,
	.exec_hang_up = machine_exec_hang_up,
};

static void on_console_output(void *ctx, const u8 *data, unsigned int len)
{
	control_console_output(ctx, data, len);
}

static void on_console_room(void *ctx)
{
	control_console_ready(ctx);
}

int build_control(struct machine *machine, struct vm_error *err)
{
	json_t *object;
	int ret;

	if (machine->instance.dir_fd < 0)
		return 0;
	object = describe(machine);
	ret = instance_write_json(&machine->instance, "machine.json", object, err);
	json_decref(object);
	if (ret)
		return -1;
	machine->control = control_create(&machine->instance, &machine->loop, &ops, machine, err);
	if (!machine->control)
		return -1;
	machine->console.tap = (struct console_tap){
		.output = on_console_output, .room = on_console_room, .ctx = machine->control,
	};
	return 0;
}

void undo_control(struct machine *machine)
{
	control_destroy(machine->control);
	machine->control = NULL;
}

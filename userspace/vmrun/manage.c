// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun ps, inspect, stop, kill, pause, resume and rm. Called by main.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "manage.h"

#define STOP_SECONDS	10
#define KILL_SECONDS	3

/* How it is now. */
static json_t *ask_state(const struct instance *instance)
{
	struct vm_error none = { 0 };
	json_t *reply = NULL, *state;
	int fd;

	if (!instance_pid(instance))
		return json_string("ended");
	fd = client_connect(instance, &none);
	if (fd >= 0) {
		reply = client_ask(fd, CONTROL_STATUS, &none);
		close(fd);
	}
	state = json_incref(json_object_get(reply, "state"));
	json_decref(reply);
	if (json_is_string(state))
		return state;
	json_decref(state);
	/* It may have ended meanwhile. */
	if (!instance_pid(instance))
		return json_string("ended");
	return json_string(fd < 0 ? "starting" : "silent");
}

/* What is known of a machine: its machine.json, and "state" as it is now. */
static json_t *look_at(const struct instance *instance)
{
	/* Asked first: of one that has ended the file has the last words then. */
	json_t *state = ask_state(instance), *object = instance_read_json(instance, "machine.json");

	if (!json_is_object(object)) {
		json_decref(object);
		object = json_object();
	}
	/* Whatever the file says. */
	json_object_set_new(object, "name", json_string(instance->name));
	json_object_set_new(object, "state", state);
	return object;
}

static int add_machine(void *ctx, const char *name)
{
	struct vm_error none = { 0 };
	struct instance instance;

	if (!instance_open(&instance, name, &none)) {
		json_array_append_new(ctx, look_at(&instance));
		instance_close(&instance);
	}
	return 0;
}

static void print_row(const json_t *machine)
{
	const json_t *ended = json_object_get(machine, "ended");
	const json_t *status = json_object_get(ended, "status");
	const json_t *config = json_object_get(machine, "config");
	const char *state = json_string_value(json_object_get(machine, "state"));
	time_t started = json_integer_value(json_object_get(machine, "started"));
	const char *reason = json_string_value(json_object_get(ended, "reason"));
	char when[32] = "-", how[32], why[256];
	struct tm tm;

	if (started && localtime_r(&started, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	/* A guest that has overcome its vmrun may have written the file, and given the state. */
	log_plain(how, sizeof(how), state);
	/* Who died without a word, by SIGKILL perhaps, left no status. */
	if (!strcmp(state, "ended") && json_is_integer(status))
		snprintf(how, sizeof(how), "ended %lld", (long long)json_integer_value(status));
	else if (!strcmp(state, "ended"))
		snprintf(how, sizeof(how), "died");
	printf("%-16s %-10s %7lld %5lld %7lldM  %-16s  %s\n",
	       json_string_value(json_object_get(machine, "name")), how,
	       (long long)json_integer_value(json_object_get(machine, "pid")),
	       (long long)json_integer_value(json_object_get(config, "cpus")),
	       (long long)json_integer_value(json_object_get(config, "memory")), when,
	       log_plain(why, sizeof(why), reason));
}

int manage_ps(const struct vm_config *config, struct vm_error *err)
{
	json_t *list = json_array(), *machine;
	int ret = instance_for_each(add_machine, list, err);
	size_t i;

	if (!ret && config->json) {
		client_print(list, JSON_INDENT(1));
	} else if (!ret) {
		printf("%-16s %-10s %7s %5s %8s  %-16s\n", "NAME", "STATE", "PID", "CPUS", "MEMORY", "STARTED");
		json_array_foreach(list, i, machine)
			print_row(machine);
	}
	json_decref(list);
	return ret;
}

/* Of a machine that runs, and answers. */
static void add_memory(const struct instance *instance, json_t *object)
{
	struct vm_error none = { 0 };
	int fd = instance_pid(instance) ? client_connect(instance, &none) : -1;
	json_t *memory = fd < 0 ? NULL : manage_ask_memory(fd, &none);

	if (memory) {
		json_object_del(memory, "ok");
		json_object_set(object, "memory", memory);
	}
	json_decref(memory);
	if (fd >= 0)
		close(fd);
}

int manage_inspect(const struct vm_config *config, struct vm_error *err)
{
	struct instance instance;
	json_t *object;

	if (instance_open(&instance, config->operand[0], err))
		return -1;
	object = look_at(&instance);
	add_memory(&instance, object);
	client_print(object, JSON_INDENT(1));
	json_decref(object);
	instance_close(&instance);
	return 0;
}

/* One after the other; the first that fails ends it. */
static int for_each_operand(const struct vm_config *config, struct vm_error *err,
			    int (*fn)(struct instance *instance, const struct vm_config *config,
				      struct vm_error *err))
{
	struct instance instance;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < config->nr_operands && !ret; i++) {
		if (instance_open(&instance, config->operand[i], err))
			return -1;
		ret = fn(&instance, config, err);
		instance_close(&instance);
	}
	return ret;
}

/* Asks and needs no more than a yes. */
static int ask(const struct instance *instance, enum control_verb verb, struct vm_error *err)
{
	int fd = client_connect(instance, err);
	json_t *reply = fd < 0 ? NULL : client_ask(fd, verb, err);
	int ret = reply ? 0 : -1;

	json_decref(reply);
	if (fd >= 0)
		close(fd);
	return ret;
}

/* A vmrun that does not answer: its process, which the lock names. */
static void kill_process(const struct instance *instance)
{
	pid_t pid = instance_pid(instance);
	int pid_fd = pid > 0 ? syscall(SYS_pidfd_open, pid, 0) : -1;

	/* Still the one that holds the lock, now that it cannot be another's any more? */
	if (pid_fd >= 0 && instance_pid(instance) == pid)
		syscall(SYS_pidfd_send_signal, pid_fd, SIGKILL, NULL, 0);
	if (pid_fd >= 0)
		close(pid_fd);
}

static int kill_one(struct instance *instance, const struct vm_config *config, struct vm_error *err)
{
	struct vm_error unanswered = { 0 };

	(void)config;
	if (!instance_pid(instance))
		return vm_fail(err, VM_STATUS_FAILURE, "vmrun rm NAME forgets it",
			       "machine '%s' is not running", instance->name);
	if (!ask(instance, CONTROL_KILL, &unanswered) && !client_wait_end(instance, KILL_SECONDS))
		return 0;
	kill_process(instance);
	if (!client_wait_end(instance, KILL_SECONDS))
		return 0;
	return vm_fail(err, VM_STATUS_FAILURE, "its process does not end: look at it in /proc",
		       "machine '%s' cannot be killed", instance->name);
}

static int stop_one(struct instance *instance, const struct vm_config *config, struct vm_error *err)
{
	unsigned int seconds = config_given(config, OPTION_ID_time) ? config->time : STOP_SECONDS;

	if (ask(instance, CONTROL_STOP, err))
		return -1;
	if (!client_wait_end(instance, seconds))
		return 0;
	log_note("machine '%s' did not power off within %u seconds and is killed", instance->name, seconds);
	return kill_one(instance, config, err);
}

static int pause_one(struct instance *instance, const struct vm_config *config, struct vm_error *err)
{
	(void)config;
	return ask(instance, CONTROL_PAUSE, err);
}

static int resume_one(struct instance *instance, const struct vm_config *config, struct vm_error *err)
{
	(void)config;
	return ask(instance, CONTROL_RESUME, err);
}

static int rm_one(struct instance *instance, const struct vm_config *config, struct vm_error *err)
{
	(void)config;
	return instance_remove(instance, err);
}

int manage_stop(const struct vm_config *config, struct vm_error *err)
{
	return for_each_operand(config, err, stop_one);
}

int manage_kill(const struct vm_config *config, struct vm_error *err)
{
	return for_each_operand(config, err, kill_one);
}

int manage_pause(const struct vm_config *config, struct vm_error *err)
{
	return for_each_operand(config, err, pause_one);
}

int manage_resume(const struct vm_config *config, struct vm_error *err)
{
	return for_each_operand(config, err, resume_one);
}

int manage_rm(const struct vm_config *config, struct vm_error *err)
{
	return for_each_operand(config, err, rm_one);
}

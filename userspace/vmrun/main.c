// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun: one process, one virtual machine. This file is the recipe, and the
 * only one that decides the exit status. Start reading here, then machine.c.
 */
#include <jansson.h>
#include <stdio.h>

#include "abi.h"
#include "config.h"
#include "detach.h"
#include "doctor.h"
#include "log.h"
#include "machine.h"
#include "machine_trace.h"
#include "manage.h"
#include "terminal.h"
#include "with.h"

#ifndef VMRUN_VERSION
#define VMRUN_VERSION "unknown"
#endif

/*
 * Builds, runs and takes apart; 0 with @result, or -1 with @err filled in. @detach is told
 * when the machine is there (NULL: nobody waits).
 */
static int run(const struct vm_config *config, struct terminal *terminal, struct detach *detach,
	       struct machine_result *result, struct vm_error *err)
{
	struct machine machine;
	int ret;

	if (machine_create(&machine, config, terminal, err))
		return -1;
	ret = detach ? detach_done(detach, &machine.instance,
				   config->initramfs ? "vmrun.log" : "console.log", err) : 0;
	if (!ret)
		ret = machine_run(&machine, result, err);
	machine_destroy(&machine);
	return ret;
}

/* With --json: one line on the standard error output. @hint may be empty, @trace NULL. */
static void tell_json(int status, const char *reason, const char *hint, json_t *trace)
{
	json_t *object = json_pack("{s:i, s:s}", "status", status, "reason", reason);

	if (object && hint[0])
		json_object_set_new(object, "hint", json_string(hint));
	if (object && trace)
		json_object_set(object, "trace", trace);
	if (object)
		json_dumpf(object, stderr, JSON_COMPACT);
	fputc('\n', stderr);
	json_decref(object);
}

/*
 * The end of a machine: for people a line, for programs one JSON object. Of a command
 * that has ended there is nothing to tell people.
 */
static void tell_result(const struct vm_config *config, const struct machine_result *result)
{
	if (config->json)
		tell_json(result->status, result->reason, "", result->trace);
	else if (result->reason[0])
		log_note("%s", result->reason);
	if (!config->json)
		machine_trace_print(stderr, result->trace);
}

static int command_run(const struct vm_config *config, struct vm_error *err)
{
	struct terminal terminal = { 0 };
	struct machine_result result = { 0 };
	struct detach detach;
	int ret, status;

	if (config->dry_run)
		return config_print_json(config, stdout) ? VM_STATUS_FAILURE : 0;
	machine_block_signals();
	if (config->detach) {
		ret = detach_fork(&detach, &status, err);
		if (ret)
			return ret < 0 ? err->status : status;
	} else {
		ret = terminal_open(&terminal, err);
	}
	if (!ret)
		ret = run(config, &terminal, config->detach ? &detach : NULL, &result, err);
	terminal_close(&terminal);
	if (!ret)
		tell_result(config, &result);
	json_decref(result.trace);
	return ret ? err->status : result.status;
}

static int command_abi(const struct vm_config *config, struct vm_error *err)
{
	if (abi_print(stdout, config->json ? ABI_JSON : ABI_TEXT))
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "cannot write the table");
	return 0;
}

/* A row for each command: returns the exit status, or -1 with @err filled in. */
static int (*const commands[NR_COMMANDS])(const struct vm_config *config, struct vm_error *err) = {
	[COMMAND_RUN] = command_run,
	[COMMAND_PS] = manage_ps,
	[COMMAND_INSPECT] = manage_inspect,
	[COMMAND_LOGS] = manage_logs,
	[COMMAND_CONSOLE] = manage_console,
	[COMMAND_EXEC] = manage_exec,
	[COMMAND_STOP] = manage_stop,
	[COMMAND_KILL] = manage_kill,
	[COMMAND_PAUSE] = manage_pause,
	[COMMAND_RESUME] = manage_resume,
	[COMMAND_RM] = manage_rm,
	[COMMAND_STAT] = manage_stat,
	[COMMAND_MEMORY] = manage_memory,
	[COMMAND_TRACE] = manage_trace,
	[COMMAND_DOCTOR] = doctor,
	[COMMAND_WITH] = with_device,
	[COMMAND_ABI] = command_abi,
};

static int obey(const struct vm_config *config, struct vm_error *err)
{
	if (config->help && config->json)
		return options_print_json(stdout);
	if (config->help) {
		config_print_help(stdout);
		return 0;
	}
	if (config->version) {
		printf("vmrun %s\n", VMRUN_VERSION);
		return 0;
	}
	return commands[config->action](config, err);
}

int main(int argc, char **argv)
{
	struct vm_error err = { 0 };
	struct vm_config config;
	int status = -1;

	if (!config_parse(&config, argc, argv, &err))
		status = obey(&config, &err);
	if (err.status) {
		status = err.status;
		if (config.json)
			tell_json(status, err.text, err.hint, NULL);
		else
			log_error(&err);
	}
	config_destroy(&config);
	return status < 0 ? VM_STATUS_FAILURE : status;
}

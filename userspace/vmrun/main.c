// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun: one process, one virtual machine. This file is the recipe, and the
 * only one that decides the exit status. Start reading here, then machine.c.
 */
#include <stdio.h>

#include "abi.h"
#include "config.h"
#include "log.h"
#include "machine.h"
#include "terminal.h"

#ifndef VMRUN_VERSION
#define VMRUN_VERSION "unknown"
#endif

/* Builds, runs and takes apart; 0 with @result, or -1 with @err filled in. */
static int run(const struct vm_config *config, struct terminal *terminal,
	       struct machine_result *result, struct vm_error *err)
{
	struct machine machine;
	int ret;

	if (machine_create(&machine, config, terminal, err))
		return -1;
	ret = machine_run(&machine, result, err);
	machine_destroy(&machine);
	return ret;
}

int main(int argc, char **argv)
{
	struct vm_error err = { 0 };
	struct machine_result result;
	struct terminal terminal;
	struct vm_config config;
	int ret;

	if (config_parse(&config, argc, argv, &err)) {
		log_error(&err);
		return err.status;
	}
	if (config.action == CONFIG_HELP) {
		config_print_help(stdout);
		return 0;
	}
	if (config.action == CONFIG_VERSION) {
		printf("vmrun %s\n", VMRUN_VERSION);
		return 0;
	}
	if (config.action == CONFIG_ABI)
		return abi_print(stdout, config.json ? ABI_JSON : ABI_TEXT) ? VM_STATUS_FAILURE : 0;

	machine_block_signals();
	ret = terminal_open(&terminal, &err);
	if (!ret)
		ret = run(&config, &terminal, &result, &err);
	terminal_close(&terminal);
	if (ret) {
		log_error(&err);
		return err.status;
	}
	log_note("%s", result.reason);
	return result.status;
}

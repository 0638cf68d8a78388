// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's config files: any text gives either one error that has something to say, or a machine which, printed as a config file, is
 * read again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "fuzz.h"

void fuzz_input(const uint8_t *data, size_t size)
{
	struct vm_config *config = calloc(2, sizeof(*config));
	struct vm_error err = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *to;

	MUST(!config_set_defaults(&config[0], &err) && !config_set_defaults(&config[1], &err));
	if (config_read_text(&config[0], (const char *)data, size, "-", &err)) {
		MUST(err.status == VM_STATUS_FAILURE && err.text[0] && err.hint[0]);
	} else {
		MUST(!err.status);
		to = open_memstream(&text, &len);
		MUST(!config_print_json(&config[0], to));
		fclose(to);
		MUST(!config_read_text(&config[1], text, len, "-", &err));
		MUST(config[0].memory == config[1].memory && config[0].vcpus == config[1].vcpus);
	}
	config_destroy(&config[0]);
	config_destroy(&config[1]);
	free(config);
	free(text);
}

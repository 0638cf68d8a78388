// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's config files: any text gives either one error that has something to say, or a machine which, printed as a config file, is
 * read again.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "fuzz.h"

/*
 * Bytes are seldom JSON: with a first byte of 1 they are made such, keys of the table with values of any kind. NULL where they are not.
 */
static char *make_text(const uint8_t *data, size_t size)
{
	json_t *object = json_object(), *value;
	char *text;
	size_t n;

	for (; size >= 3; data += n, size -= n) {
		const char *name = option_table[data[0] % NR_OPTIONS].name;
		unsigned int kind = data[1] % 5;

		n = data[2] % 24;
		data += 3;
		size -= 3;
		n = n > size ? size : n;
		value = kind == 0 ? json_integer(n ? data[0] << (data[0] % 20) : -1) : kind == 1 ? json_true() : kind == 2 ? json_null() :
			json_stringn((const char *)data, n);
		if (kind == 4 && value)
			value = json_pack("[o, s]", value, "x:/y");
		if (value)
			json_object_set_new(object, name, value);
	}
	text = json_dumps(object, 0);
	json_decref(object);
	return text;
}

static void try_text(const uint8_t *data, size_t size);

void fuzz_input(const uint8_t *data, size_t size)
{
	char *text = size && data[0] == 1 ? make_text(data + 1, size - 1) : NULL;

	try_text(text ? (uint8_t *)text : data, text ? strlen(text) : size);
	free(text);
}

static void try_text(const uint8_t *data, size_t size)
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

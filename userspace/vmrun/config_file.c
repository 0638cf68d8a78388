// SPDX-License-Identifier: GPL-2.0
/*
 * Config files: a JSON object whose keys are the long names of options. A flag is true
 * or false, a number a number, a size a number of MiB or a text as on the command line, a
 * list an array of texts. The other way, too: a struct vm_config as such a file. Called by
 * config.c, main.c and machine_control.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

#define HINT	"'vmrun --help' lists the options; 'vmrun --dry-run' prints a machine as such a file"

static int wrong_type(const char *path, const struct option_row *row, const char *wanted,
		      struct vm_error *err)
{
	return vm_fail(err, VM_STATUS_FAILURE, HINT, "cannot use config file %.200s: '%s' must be %s",
		       path, row->name, wanted);
}

/* Numbers go the way of the command line's words, so that its checks are theirs. */
static int set_integer(struct vm_config *config, const struct option_row *row, json_int_t n,
		       struct vm_error *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	return config_set(config, row, text, err);
}

static int set_list(struct vm_config *config, const struct option_row *row, const json_t *value,
		    const char *path, struct vm_error *err)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value))
		return wrong_type(path, row, "an array of texts", err);
	json_array_foreach(value, i, item) {
		if (!json_is_string(item))
			return wrong_type(path, row, "an array of texts", err);
		if (config_set(config, row, json_string_value(item), err))
			return -1;
	}
	return 0;
}

static int set_value(struct vm_config *config, const struct option_row *row, const json_t *value,
		     const char *path, struct vm_error *err)
{
	switch (row->kind) {
	case OPTION_FLAG:
		if (!json_is_boolean(value))
			return wrong_type(path, row, "true or false", err);
		return json_is_true(value) ? config_set(config, row, NULL, err) : 0;
	case OPTION_TEXT:
	case OPTION_FILE:
		if (!json_is_string(value))
			return wrong_type(path, row, "a text", err);
		return config_set(config, row, json_string_value(value), err);
	case OPTION_NUMBER:
		if (!json_is_integer(value))
			return wrong_type(path, row, "a whole number", err);
		return set_integer(config, row, json_integer_value(value), err);
	case OPTION_SIZE:
		if (json_is_integer(value))
			return set_integer(config, row, json_integer_value(value), err);
		if (!json_is_string(value))
			return wrong_type(path, row, "a number of MiB, or a text as \"2G\"", err);
		return config_set(config, row, json_string_value(value), err);
	case OPTION_LIST:
		return set_list(config, row, value, path, err);
	}
	return -1;
}

/* @key is none that a file may have: says which one was meant, perhaps. */
static int unknown_key(const char *path, const char *key, struct vm_error *err)
{
	const char *near = options_near_option(key);
	char hint[256];

	if (options_find(key))
		return vm_fail(err, VM_STATUS_FAILURE, HINT,
			       "cannot use config file %.200s: '%.64s' can be said on the command line alone",
			       path, key);
	snprintf(hint, sizeof(hint), "did you mean '%s'? " HINT, near ? near : "");
	return vm_fail(err, VM_STATUS_FAILURE, near ? hint : HINT,
		       "cannot use config file %.200s: there is no option '%.64s'", path, key);
}

int config_read_text(struct vm_config *config, const char *text, size_t len,
		     const char *path, struct vm_error *err)
{
	const struct option_row *row;
	json_error_t wrong;
	const char *key;
	json_t *value;

	config->file = json_loadb(text, len, JSON_REJECT_DUPLICATES, &wrong);
	if (!config->file)
		return vm_fail(err, VM_STATUS_FAILURE, "mend that line: the file must be one JSON object",
			       "cannot read config file %.200s, line %d: %.120s", path, wrong.line,
			       wrong.text);
	if (!json_is_object(config->file))
		return vm_fail(err, VM_STATUS_FAILURE, HINT,
			       "cannot use config file %.200s: it is not a JSON object", path);
	json_object_foreach(config->file, key, value) {
		row = options_find(key);
		if (!row || !option_in_file(row))
			return unknown_key(path, key, err);
		if (set_value(config, row, value, path, err))
			return -1;
	}
	return 0;
}

/* All of a file of at most CONFIG_MAX_FILE bytes ("-": standard input); -errno, or its length. */
static ssize_t read_all(const char *path, char *text)
{
	bool input = !strcmp(path, "-");
	int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = 0;
	ssize_t n = -errno;

	if (fd < 0)
		return n;
	do {
		n = read(fd, text + len, CONFIG_MAX_FILE + 1 - len);
		if (n > 0)
			len += n;
	} while (n > 0 && len <= CONFIG_MAX_FILE);
	n = n < 0 ? -errno : len > CONFIG_MAX_FILE ? -EFBIG : (ssize_t)len;
	if (!input)
		close(fd);
	return n;
}

int config_read_file(struct vm_config *config, const char *path, struct vm_error *err)
{
	const char *name = strcmp(path, "-") ? path : "on standard input";
	char *text = malloc(CONFIG_MAX_FILE + 1);
	ssize_t len = text ? read_all(path, text) : -ENOMEM;
	int ret;

	if (len < 0)
		ret = vm_fail(err, VM_STATUS_FAILURE, "name a readable JSON file of at most 1 MiB",
			      "cannot read config file %.200s: %s", name, strerror(-len));
	else
		ret = config_read_text(config, text, len, name, err);
	free(text);
	return ret;
}

static json_t *value_json(const struct vm_config *config, const struct option_row *row)
{
	const void *field = (const char *)config + row->offset;
	const struct config_list *list;
	json_t *array;
	unsigned int i;

	switch (row->kind) {
	case OPTION_FLAG:
		return json_boolean(*(const bool *)field);
	case OPTION_TEXT:
	case OPTION_FILE:
		return json_string(*(const char *const *)field);
	case OPTION_NUMBER:
		return json_integer(*(const unsigned int *)field);
	case OPTION_SIZE:
		return json_integer(*(const u64 *)field >> 20);
	case OPTION_LIST:
		list = field;
		array = json_array();
		for (i = 0; i < list->nr; i++)
			json_array_append_new(array, json_string(list->item[i]));
		return array;
	}
	return NULL;
}

struct json_t *config_json(const struct vm_config *config)
{
	json_t *object = json_object();
	int i;

	for (i = 0; i < NR_OPTIONS; i++) {
		const struct option_row *row = &option_table[i];

		if (option_in_file(row) && (config_given(config, i) || row->fallback))
			json_object_set_new(object, row->name, value_json(config, row));
	}
	return object;
}

int config_print_json(const struct vm_config *config, FILE *to)
{
	json_t *object = config_json(config);
	int ret;

	ret = json_dumpf(object, to, JSON_INDENT(1)) || putc('\n', to) == EOF || fflush(to);
	json_decref(object);
	return ret ? -1 : 0;
}

void config_destroy(struct vm_config *config)
{
	json_decref(config->file);
	config->file = NULL;
}

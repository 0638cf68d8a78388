// SPDX-License-Identifier: GPL-2.0
/*
 * The tables themselves, looking up in them and writing them for the programs that make
 * documents of them (scripts/options-doc). Called by config.c, config_file.c and main.c.
 */
#include <jansson.h>
#include <string.h>

#include "config.h"
#include "instance.h"
#include "memory.h"
#include "options.h"
#include "sandbox/sandbox.h"

const struct status_row status_table[NR_STATUSES] = {
#define STATUS(id, number, label, text) [STATUS_ROW_##id] = { label, text },
#include "options.def"
};

const struct command_row command_table[NR_COMMANDS] = {
#define COMMAND(id, name, operands, text) [COMMAND_##id] = { name, operands, text },
#include "options.def"
};

/* What options.def's column "commands" is made of. */
enum {
#define COMMAND(id, ...) id = BIT(COMMAND_##id),
#include "options.def"
	ANY = BIT(NR_COMMANDS) - 1,
};

const struct option_row option_table[NR_OPTIONS] = {
#define OPTION(id, name, letter, kind, value, fallback, low, high, commands, check, text) \
	[OPTION_ID_##id] = {								  \
		name, letter, OPTION_##kind, value, fallback, low, high, commands, check, text, \
		offsetof(struct vm_config, id),						  \
	},
#include "options.def"
};

const struct command_row *options_find_command(const char *name)
{
	int i;

	for (i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(command_table[i].name, name))
			return &command_table[i];
	return NULL;
}

const struct option_row *options_find(const char *name)
{
	int i;

	for (i = 0; i < NR_OPTIONS; i++)
		if (!strcmp(option_table[i].name, name))
			return &option_table[i];
	return NULL;
}

/*
 * How many letters must be put in, left out, changed or swapped with the next to make @a
 * of @b: one row of the usual table at a time, @limit at most.
 */
static unsigned int distance(const char *a, const char *b, unsigned int limit)
{
	unsigned int row[3][OPTIONS_MAX_WORD + 1], i, j, len = strlen(b);

	if (strlen(a) > OPTIONS_MAX_WORD || len > OPTIONS_MAX_WORD)
		return limit;
	for (j = 0; j <= len; j++)
		row[0][j] = j;
	for (i = 1; a[i - 1]; i++) {
		unsigned int *now = row[i % 3], *last = row[(i + 2) % 3];

		now[0] = i;
		for (j = 1; j <= len; j++) {
			now[j] = last[j - 1] + (a[i - 1] != b[j - 1]);
			now[j] = min_u64(now[j], min_u64(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = min_u64(now[j], row[(i + 1) % 3][j - 2] + 1);
		}
	}
	return min_u64(row[(i - 1) % 3][len], limit);
}

/* The name that a word was meant to be: of all that were compared, the first of the nearest. */
struct nearest {
	const char *word, *name;
	unsigned int distance;
};

/* A word of three letters may have one wrong, longer ones two. */
static struct nearest nearest_to(const char *word)
{
	return (struct nearest){ word, NULL, strlen(word) <= 3 ? 2 : 3 };
}

static void compare(struct nearest *nearest, const char *name)
{
	unsigned int d = distance(nearest->word, name, nearest->distance);

	if (d < nearest->distance) {
		nearest->distance = d;
		nearest->name = name;
	}
}

const char *options_near_command(const char *word)
{
	struct nearest nearest = nearest_to(word);
	int i;

	for (i = 0; i < NR_COMMANDS; i++)
		compare(&nearest, command_table[i].name);
	return nearest.name;
}

const char *options_near_option(const char *word)
{
	struct nearest nearest = nearest_to(word);
	int i;

	for (i = 0; i < NR_OPTIONS; i++)
		compare(&nearest, option_table[i].name);
	return nearest.name;
}

bool option_in_file(const struct option_row *row)
{
	switch (row - option_table) {
	case OPTION_ID_config:
	case OPTION_ID_dry_run:
	case OPTION_ID_help:
	case OPTION_ID_version:
		return false;
	default:
		return row->commands & RUN;
	}
}

static json_t *command_names(u32 commands)
{
	json_t *names = json_array();
	int i;

	for (i = 0; i < NR_COMMANDS; i++)
		if (commands & BIT(i))
			json_array_append_new(names, json_string(command_table[i].name));
	return names;
}

static json_t *option_json(const struct option_row *row)
{
	static const char *const kinds[] = {
		[OPTION_FLAG] = "flag", [OPTION_TEXT] = "text", [OPTION_FILE] = "file",
		[OPTION_NUMBER] = "number", [OPTION_SIZE] = "size", [OPTION_LIST] = "list",
	};
	char letter[2] = { row->letter, 0 };

	return json_pack("{s:s, s:s?, s:s, s:s?, s:s?, s:b, s:o, s:s}", "name", row->name,
			 "letter", row->letter ? letter : NULL, "kind", kinds[row->kind],
			 "value", row->value, "default", row->fallback,
			 "config", option_in_file(row),
			 "commands", command_names(row->commands), "text", row->text);
}

int options_print_json(FILE *to)
{
	json_t *commands = json_array(), *options = json_array(), *statuses = json_array();
	json_t *all;
	int i, ret = -1;

	for (i = 0; i < NR_COMMANDS; i++)
		json_array_append_new(commands, json_pack("{s:s, s:s, s:s}",
							  "name", command_table[i].name,
							  "operands", command_table[i].operands,
							  "text", command_table[i].text));
	for (i = 0; i < NR_OPTIONS; i++)
		json_array_append_new(options, option_json(&option_table[i]));
	for (i = 0; i < NR_STATUSES; i++)
		json_array_append_new(statuses, json_pack("{s:s, s:s}",
							  "status", status_table[i].label,
							  "text", status_table[i].text));
	all = json_pack("{s:o, s:o, s:o}", "commands", commands, "options", options,
			"statuses", statuses);
	if (all && json_array_size(commands) == NR_COMMANDS &&
	    json_array_size(options) == NR_OPTIONS &&
	    json_array_size(statuses) == NR_STATUSES && !json_dumpf(all, to, JSON_INDENT(1)))
		ret = putc('\n', to) == EOF || fflush(to) ? -1 : 0;
	json_decref(all);
	return ret;
}

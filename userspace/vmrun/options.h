/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of options.def as data, and how it is shown. What an option means is known
 * to config.c, which reads the command line by this table, and to config_file.c.
 */
#ifndef VMRUN_OPTIONS_H
#define VMRUN_OPTIONS_H

#include <stdio.h>

#include "log.h"
#include "types.h"

/* No name is longer. */
#define OPTIONS_MAX_WORD	32

enum option_kind {
	OPTION_FLAG,		/* bool; in a config file true or false */
	OPTION_TEXT,		/* const char * */
	OPTION_FILE,		/* the same; shells complete a file's name */
	OPTION_NUMBER,		/* unsigned int */
	OPTION_SIZE,		/* u64, bytes; in a config file a number is MiB */
	OPTION_LIST,		/* struct config_list; may be given more than once */
};

enum command_id {
#define COMMAND(id, name, operands, text) COMMAND_##id,
#include "options.def"
	NR_COMMANDS
};

enum option_id {
#define OPTION(id, ...) OPTION_ID_##id,
#include "options.def"
	NR_OPTIONS
};

enum {
#define STATUS(id, ...) STATUS_ROW_##id,
#include "options.def"
	NR_STATUSES
};

struct status_row {
	const char *label;	/* its number, or a rule */
	const char *text;
};

struct command_row {
	const char *name;
	const char *operands;	/* what follows the name, "" for nothing */
	const char *text;
};

/* The columns of options.def, in their order; the first is vm_config's field too. */
struct option_row {
	const char *name;	/* without dashes; the key in a config file too */
	int letter;		/* 0: none */
	enum option_kind kind;
	const char *value;	/* what help calls it; NULL for a flag */
	const char *fallback;	/* as a user would write it; NULL: none */
	u64 low, high;		/* of NUMBER and SIZE */
	u32 commands;		/* BIT(COMMAND_...) of those that take it */
	int (*check)(const char *arg, struct vm_error *err);	/* NULL: none */
	const char *text;
	size_t offset;		/* in struct vm_config */
};

extern const struct status_row status_table[NR_STATUSES];
extern const struct command_row command_table[NR_COMMANDS];
extern const struct option_row option_table[NR_OPTIONS];

/* The row, or NULL when there is none of that name. */
const struct command_row *options_find_command(const char *name);
const struct option_row *options_find(const char *name);

/* What somebody may have meant who wrote @word, which is no command, or no option; or NULL. */
const char *options_near_command(const char *word);
const char *options_near_option(const char *word);

/* Whether a config file may hold it: what makes a machine, not what asks vmrun. */
bool option_in_file(const struct option_row *row);

/* Writes the three tables as JSON; 0, or -1 when it could not be written. */
int options_print_json(FILE *to);

#endif

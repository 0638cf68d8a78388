// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the command line with glibc's argp, whose tables are made of options.def. argp
 * may neither print nor exit here: its errors become a struct vm_error like every other.
 * Called by main.c. The file of --config is config_file.c's.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "disk/disk.h"

/* Keys of options without a letter: behind all letters. */
#define KEY_BASE	0x100

#define HINT		"'vmrun --help' lists the options"

struct parse {
	struct vm_config *config;
	struct vm_error *err;
	bool named;		/* the command was */
};

/* Parses "512", "512M" or "2G" into bytes; 0 when it is none of them. */
static u64 parse_size(const char *arg)
{
	unsigned long long n;
	u64 unit = MIB(1);
	char *end;

	if (*arg < '0' || *arg > '9')
		return 0;
	errno = 0;
	n = strtoull(arg, &end, 10);
	if (errno)
		return 0;
	if (*end == 'G' || *end == 'g')
		unit = GIB(1);
	if (*end && strchr("MmGg", *end))
		end++;
	if (*end || n > UINT64_MAX / unit)
		return 0;
	return n * unit;
}

static int set_size(u64 *field, const struct option_row *row, const char *arg,
		    struct vm_error *err)
{
	u64 size = parse_size(arg);
	char hint[128];

	snprintf(hint, sizeof(hint), "give a size from %lluM to %lluG, for example --%s 512 or --%s 2G",
		 (unsigned long long)(row->low >> 20), (unsigned long long)(row->high >> 30),
		 row->name, row->name);
	if (size < row->low || size > row->high)
		return vm_fail(err, VM_STATUS_FAILURE, hint, "cannot use '%.64s' as --%s: it is no such size",
			       arg, row->name);
	*field = size;
	return 0;
}

int config_read_size(const char *arg, u64 *size, struct vm_error *err)
{
	return set_size(size, &option_table[OPTION_ID_memory], arg, err);
}

static int set_number(unsigned int *field, const struct option_row *row, const char *arg,
		      struct vm_error *err)
{
	unsigned long n = 0;
	char *end = NULL;
	char hint[128];

	snprintf(hint, sizeof(hint), "give a number from %llu to %llu",
		 (unsigned long long)row->low, (unsigned long long)row->high);
	errno = 0;
	if (*arg >= '0' && *arg <= '9')
		n = strtoul(arg, &end, 10);
	if (!end || *end || errno || n < row->low || n > row->high)
		return vm_fail(err, VM_STATUS_FAILURE, hint, "cannot use '%.64s' as --%s",
			       arg, row->name);
	*field = n;
	return 0;
}

static int add_item(struct config_list *list, const struct option_row *row, const char *arg,
		    struct vm_error *err)
{
	if (list->nr == CONFIG_MAX_LIST)
		return vm_fail(err, VM_STATUS_FAILURE, "leave some out",
			       "--%s is given more than %u times", row->name, CONFIG_MAX_LIST);
	list->item[list->nr++] = arg;
	return 0;
}

int config_set(struct vm_config *config, const struct option_row *row, const char *arg,
	       struct vm_error *err)
{
	void *field = (char *)config + row->offset;

	if (row->check && row->check(arg, err))
		return -1;
	config->given |= BIT_ULL(row - option_table);
	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_TEXT:
	case OPTION_FILE:
		*(const char **)field = arg;
		return 0;
	case OPTION_NUMBER:
		return set_number(field, row, arg, err);
	case OPTION_SIZE:
		return set_size(field, row, arg, err);
	case OPTION_LIST:
		return add_item(field, row, arg, err);
	}
	return -1;
}

int config_check_accel(const char *arg, struct vm_error *err)
{
	if (strcmp(arg, "auto") && strcmp(arg, "kvirt") &&
	    strcmp(arg, "kvm") && !strchr(arg, '/'))
		return vm_fail(err, VM_STATUS_FAILURE,
			       "use --accel auto, kvirt, kvm, or the path of a device",
			       "unknown accelerator '%.64s'", arg);
	return 0;
}

int config_check_env(const char *arg, struct vm_error *err)
{
	if (!*arg || *arg == '=')
		return vm_fail(err, VM_STATUS_FAILURE,
			       "for example -e DEBUG=1, or -e DEBUG for the value it has here",
			       "cannot use '%.64s' as a variable", arg);
	return 0;
}

int config_parse_volume(const char *arg, struct config_volume *volume, struct vm_error *err)
{
	const char *guest = strchr(arg, ':'), *mode = guest ? strchr(guest + 1, ':') : NULL;
	const char *end = mode ? mode : arg + strlen(arg);

	if (!guest || guest == arg || guest[1] != '/' || guest - arg >= PATH_MAX ||
	    end - guest > PATH_MAX || (mode && strcmp(mode, ":ro") && strcmp(mode, ":rw")))
		return vm_fail(err, VM_STATUS_FAILURE,
			       "for example -v $PWD/src:/src, or -v /usr/share:/data:ro",
			       "cannot use '%.200s' as a share", arg);
	snprintf(volume->host, sizeof(volume->host), "%.*s", (int)(guest - arg), arg);
	snprintf(volume->guest, sizeof(volume->guest), "%.*s", (int)(end - guest - 1), guest + 1);
	volume->read_only = mode && !strcmp(mode, ":ro");
	return 0;
}

int config_check_volume(const char *arg, struct vm_error *err)
{
	struct config_volume volume;

	return config_parse_volume(arg, &volume, err);
}

int config_check_disk(const char *arg, struct vm_error *err)
{
	enum disk_mode mode;

	if (!disk_split(arg, &mode))
		return vm_fail(err, VM_STATUS_FAILURE, "for example -d disk.img, or -d disk.img:cow",
			       "'%.64s' names no disk image", arg);
	return 0;
}

/* It becomes a file's name in the guest. */
static bool is_channel_name(const char *name, size_t len)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	return len && len <= CONFIG_MAX_CHANNEL_NAME && !strchr("-.", *name) &&
	       strspn(name, letters) == len;
}

int config_parse_channel(const char *arg, struct config_channel *channel, struct vm_error *err)
{
	static const char mode[] = ":file";
	const size_t mode_len = sizeof(mode) - 1;
	const char *path = strchr(arg, '=');
	size_t name_len = strcspn(arg, "="), len = path ? strlen(++path) : 0;

	channel->to_file = len >= mode_len && !strcmp(path + len - mode_len, mode);
	if (channel->to_file)
		len -= mode_len;
	if (!len || len >= PATH_MAX || !is_channel_name(arg, name_len))
		return vm_fail(err, VM_STATUS_FAILURE,
			       "for example --channel log=/tmp/log.sock, or --channel log=log.txt:file; a port of the network is -p's",
			       "cannot use '%.200s' as a channel", arg);
	snprintf(channel->name, sizeof(channel->name), "%.*s", (int)name_len, arg);
	snprintf(channel->path, sizeof(channel->path), "%.*s", (int)len, path);
	return 0;
}

int config_check_channel(const char *arg, struct vm_error *err)
{
	struct config_channel channel;

	return config_parse_channel(arg, &channel, err);
}

static const struct option_row *row_of_key(int key)
{
	int i;

	if (key >= KEY_BASE)
		return key - KEY_BASE < NR_OPTIONS ? &option_table[key - KEY_BASE] : NULL;
	for (i = 0; i < NR_OPTIONS; i++)
		if (option_table[i].letter && option_table[i].letter == key)
			return &option_table[i];
	return NULL;
}

/* A word that is no option: a command's name, its operand, or the first behind "--". */
static int take_word(struct parse *p, char *arg, struct argp_state *state)
{
	struct vm_config *config = p->config;
	const struct command_row *command;

	/* Behind "--" nothing is ours. */
	if (state->quoted && state->next > state->quoted) {
		config->command = (const char *const *)&state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	}
	command = options_find_command(arg);
	if (command && !p->named && !config->nr_operands) {
		config->action = command - command_table;
		p->named = true;
		return 0;
	}
	if (config->nr_operands == CONFIG_MAX_OPERANDS)
		return vm_fail(p->err, VM_STATUS_FAILURE, HINT, "unexpected argument '%.64s'", arg);
	config->operand[config->nr_operands++] = arg;
	return 0;
}

/* A word that argp could not use. */
static void refuse_option(const char *word, struct vm_error *err)
{
	const char *name = word + strspn(word, "-"), *near;
	char hint[128] = HINT, text[OPTIONS_MAX_WORD + 1];
	size_t len = strcspn(name, "=");

	snprintf(text, sizeof(text), "%.*s", (int)min_u64(len, OPTIONS_MAX_WORD), name);
	near = word[0] == '-' && word[1] == '-' ? options_near_option(text) : NULL;
	if (near && strcmp(near, text))
		snprintf(hint, sizeof(hint), "did you mean --%s? " HINT, near);
	vm_fail(err, VM_STATUS_FAILURE, hint,
		"unknown option, or one without its value: '%.64s'", word);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	const struct option_row *row;

	switch (key) {
	case ARGP_KEY_ARG:
		return take_word(p, arg, state) ? EINVAL : 0;
	case ARGP_KEY_ERROR:
		/* Unless an option said more, argp stopped at this word. */
		if (state->next > 0 && state->next <= state->argc)
			refuse_option(state->argv[state->next - 1], p->err);
		return 0;
	default:
		row = row_of_key(key);
		if (!row)
			return ARGP_ERR_UNKNOWN;
		return config_set(p->config, row, arg, p->err) ? EINVAL : 0;
	}
}

/* argp's table, in the order of options.def; it ends in an empty row. */
static void fill_argp(struct argp_option *options)
{
	int i;

	memset(options, 0, (NR_OPTIONS + 1) * sizeof(*options));
	for (i = 0; i < NR_OPTIONS; i++) {
		options[i].name = option_table[i].name;
		options[i].key = option_table[i].letter ? option_table[i].letter : KEY_BASE + i;
		options[i].arg = option_table[i].value;
	}
}

int config_set_defaults(struct vm_config *config, struct vm_error *err)
{
	int i;

	memset(config, 0, sizeof(*config));
	for (i = 0; i < NR_OPTIONS; i++)
		if (option_table[i].fallback &&
		    config_set(config, &option_table[i], option_table[i].fallback, err))
			return -1;
	config->given = 0;
	return 0;
}

static int parse_argv(struct vm_config *config, int argc, char **argv, struct vm_error *err)
{
	struct argp_option options[NR_OPTIONS + 1];
	const struct argp parser = { .options = options, .parser = parse_option };
	struct parse p = { .config = config, .err = err };

	fill_argp(options);
	/* In order: what follows "--" must not be mixed with what stands before it. */
	if (argp_parse(&parser, argc, argv, ARGP_NO_EXIT | ARGP_NO_ERRS | ARGP_NO_HELP |
		       ARGP_IN_ORDER, NULL, &p))
		return vm_fail(err, VM_STATUS_FAILURE, HINT, "cannot read the command line");
	return 0;
}

/* Each option must be one of the command's. */
static int check_given(const struct vm_config *config, struct vm_error *err)
{
	int i;

	for (i = 0; i < NR_OPTIONS; i++)
		if (config_given(config, i) && !(option_table[i].commands & BIT(config->action)))
			return vm_fail(err, VM_STATUS_FAILURE, HINT,
				       "--%s is no option of 'vmrun %s'", option_table[i].name,
				       command_table[config->action].name);
	return 0;
}

/* A command that wants a NAME says so in its row; NAME... is more than one, [SIZE] one thing more. */
static int check_names(const struct vm_config *config, const struct command_row *command,
		       struct vm_error *err)
{
	unsigned int max = strstr(command->operands, "[SIZE]") ? 2 : 1;

	if (!config->nr_operands)
		return vm_fail(err, VM_STATUS_FAILURE, "vmrun ps lists the machines",
			       "'vmrun %s' wants the name of a machine", command->name);
	if (config->nr_operands > max && strcmp(command->operands, "NAME..."))
		return vm_fail(err, VM_STATUS_FAILURE, HINT,
			       "unexpected argument '%.64s'", config->operand[max]);
	return 0;
}

/* An initramfs of the user's decides by itself what runs in the guest. */
static int check_initramfs(const struct vm_config *config, struct vm_error *err)
{
	if (!config->kernel)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "name one with -k, for example: vmrun -k bzImage -i initramfs",
			       "no kernel given");
	if (config->command || config->nr_operands || config->workdir || config->env.nr)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "leave -i away: vmrun makes an initramfs then, and runs the program",
			       "vmrun runs no program in a guest with an initramfs of its own");
	return 0;
}

/*
 * The first word is to be a folder or a kernel. One that is no file, but nearly a command,
 * or is followed by others, was meant to be something else.
 */
static int check_target(const struct vm_config *config, struct vm_error *err)
{
	const char *word = config->operand[0], *near;
	char hint[128];

	if (!config->nr_operands || strchr(word, '/') || !access(word, F_OK))
		return 0;
	near = options_near_command(word);
	if (!near)
		return 0;
	snprintf(hint, sizeof(hint), "did you mean 'vmrun %s'? 'vmrun --help' lists the commands", near);
	return vm_fail(err, VM_STATUS_FAILURE, hint, "there is no command '%.64s'", word);
}

static int check_operands(const struct vm_config *config, struct vm_error *err)
{
	const struct command_row *command = &command_table[config->action];
	bool is_run = config->action == COMMAND_RUN;
	bool takes_program = is_run || config->action == COMMAND_WITH || config->action == COMMAND_EXEC;
	unsigned int max = is_run ? 1 : 0;

	if (config->action == COMMAND_WITH && (!config->command || !config->command[0]))
		return vm_fail(err, VM_STATUS_FAILURE,
			       "for example: vmrun with -- qemu-system-x86_64 -accel kvm -M microvm",
			       "'vmrun with' wants a program behind --");
	if (config->command && (!takes_program || !config->command[0]))
		return vm_fail(err, VM_STATUS_FAILURE, HINT, "unexpected argument '%.64s'",
			       config->command[0] ? config->command[0] : "--");
	if (!strncmp(command->operands, "NAME", 4))
		return check_names(config, command, err);
	if (is_run && check_target(config, err))
		return -1;
	if (config->nr_operands > max)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "a program comes behind --, for example: vmrun -- make test; 'vmrun --help' lists the options",
			       "unexpected argument '%.64s'", config->operand[max]);
	return is_run && config->initramfs ? check_initramfs(config, err) : 0;
}

int config_parse(struct vm_config *config, int argc, char **argv, struct vm_error *err)
{
	const char *path;

	if (config_set_defaults(config, err) || parse_argv(config, argc, argv, err))
		return -1;
	if (config->help || config->version)
		return 0;
	path = config->config;
	if (path) {
		/* Once more, this time over what the file says. */
		if (check_given(config, err) || config_set_defaults(config, err) ||
		    config_read_file(config, path, err) || parse_argv(config, argc, argv, err))
			return -1;
	}
	if (check_given(config, err))
		return -1;
	return check_operands(config, err);
}

/* "text" folded between columns @left and 79; the cursor stands at @column. */
static void print_folded(FILE *to, const char *text, int column, int left)
{
	const char *word = text;
	int len;

	if (column >= left) {
		fprintf(to, "\n%*s", left, "");
		column = left;
	} else {
		fprintf(to, "%*s", left - column, "");
		column = left;
	}
	for (; *word; word += len + (word[len] == ' ')) {
		len = strcspn(word, " ");
		if (column > left && column + 1 + len > 79) {
			fprintf(to, "\n%*s", left, "");
			column = left;
		}
		column += fprintf(to, "%s%.*s", column > left ? " " : "", len, word);
	}
	fputc('\n', to);
}

static void print_option(FILE *to, const struct option_row *row)
{
	char text[512], letter[] = "    ";
	int n;

	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(text, sizeof(text), "%s%s%s%s", row->text, row->fallback ? " (default: " : "",
		 row->fallback ? row->fallback : "", row->fallback ? ")" : "");
	n = fprintf(to, "  %s--%s%s%s", letter, row->name, row->value ? "=" : "",
		    row->value ? row->value : "");
	print_folded(to, text, n, 30);
}

void config_print_help(FILE *to)
{
	int i, n;

	fprintf(to, "Usage: vmrun [run] [OPTION...] %s\n"
		"  or:  vmrun COMMAND [OPTION...] [ARGUMENT...]\n"
		"Runs programs in virtual machines that have this system's kernel and files.\n"
		"Ctrl-] leaves.\n\n"
		"  vmrun                             a shell in this folder\n"
		"  vmrun -- make test                a command; its exit status is vmrun's\n"
		"  vmrun -v $PWD/out:/out -- make    what it writes to /out stays\n"
		"  vmrun doctor                      is everything there?\n\n"
		"Commands:\n", command_table[COMMAND_RUN].operands);
	for (i = 0; i < NR_COMMANDS; i++) {
		n = fprintf(to, "  %s %s", command_table[i].name, command_table[i].operands);
		print_folded(to, command_table[i].text, n, 30);
	}
	fprintf(to, "\nOptions:\n");
	for (i = 0; i < NR_OPTIONS; i++)
		print_option(to, &option_table[i]);
	fprintf(to, "\nExit status:\n");
	for (i = 0; i < NR_STATUSES; i++) {
		n = fprintf(to, "  %s", status_table[i].label);
		print_folded(to, status_table[i].text, n, 10);
	}
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command line as a value: argv, and the config file that it names, become a struct
 * vm_config and nothing else happens. No other file is opened and nothing is printed
 * here but what config_print_* are asked for.
 */
#ifndef VMRUN_CONFIG_H
#define VMRUN_CONFIG_H

#include <limits.h>
#include <stdio.h>

#include "log.h"
#include "net/options.h"
#include "options.h"
#include "types.h"

/* APIC ids fit in a MADT entry of type 0, and 255 means "everybody". */
#define CONFIG_MAX_VCPUS	255
#define CONFIG_MIN_MEMORY	MIB(16)
#define CONFIG_MAX_MEMORY	GIB(1024)
#define CONFIG_DEFAULT_ARGS	"console=ttyS0 panic=-1"
#define CONFIG_MAX_LIST		64
#define CONFIG_MAX_OPERANDS	8
#define CONFIG_MAX_FILE		MIB(1)

/* The values of an option that may be given more than once. */
struct config_list {
	const char *item[CONFIG_MAX_LIST];
	unsigned int nr;
};

/* A field for each row of options.def, of its kind's type, and what is no option. */
struct vm_config {
	const char *kernel;	/* NULL: this system's own */
	const char *initramfs;	/* NULL: vmrun makes one (system.h) */
	const char *args;	/* the kernel's command line */
	unsigned int vcpus;
	u64 memory;		/* bytes, whole MiB */
	const char *backing;	/* memory_kind_of() */
	const char *workdir;	/* NULL: where vmrun was started */
	struct config_list env;
	struct config_list volume;	/* config_parse_volume() takes them apart */
	struct config_list disk;	/* disk_split() */
	const char *accel;	/* "auto", "kvirt", "kvm" or a path */
	unsigned int accel_fd;	/* only where it is given */
	const char *net;	/* NULL: not said */
	struct config_list publish;
	struct config_list channel;	/* config_parse_channel() */
	const char *vsock;	/* NULL: no sockets outside */
	const char *gdb;	/* NULL: no debugger */
	const char *sandbox;	/* "on", "report" or "off" */
	const char *config;
	bool dry_run;
	unsigned int timeout;	/* seconds; 0: none */
	const char *name;	/* NULL: one is made up */
	bool detach;
	bool rm;
	unsigned int time;
	bool tty;
	bool follow;
	bool json;
	bool help;
	bool version;

	enum command_id action;
	u64 given;		/* BIT_ULL(OPTION_ID_...): not by default */
	/* What is no option: words before "--", and all behind it (NULL: no "--"). */
	const char *operand[CONFIG_MAX_OPERANDS];
	unsigned int nr_operands;
	const char *const *command;
	struct json_t *file;	/* of --config: owns strings; NULL: none */
};

_Static_assert(NR_OPTIONS <= 64, "given has a bit for each option");

/* Whether the user gave that option, by config_given(config, OPTION_ID_args). */
static inline bool config_given(const struct vm_config *config, enum option_id id)
{
	return config->given & BIT_ULL(id);
}

/*
 * Reads @argv, and the file of --config, into @config; its strings stay argv's or
 * config_destroy()'s. Returns 0, or -1 with @err filled in (status 125). In both cases
 * config_destroy() is due.
 */
int config_parse(struct vm_config *config, int argc, char **argv, struct vm_error *err);
void config_destroy(struct vm_config *config);

/* What options.def says of options that are not given; nothing else is set. */
int config_set_defaults(struct vm_config *config, struct vm_error *err);

/* Reads a size as --memory takes it; 0, or -1 with @err filled in. */
int config_read_size(const char *arg, u64 *size, struct vm_error *err);

/* Sets the field of @row as the words "--NAME @arg" would; @arg is kept. */
int config_set(struct vm_config *config, const struct option_row *row, const char *arg,
	       struct vm_error *err);

/* config_file.c: reads @path, or its @text, over what @config has. */
int config_read_file(struct vm_config *config, const char *path, struct vm_error *err);
int config_read_text(struct vm_config *config, const char *text, size_t len,
		     const char *path, struct vm_error *err);

/* @config as a config file's object, to be released. */
struct json_t *config_json(const struct vm_config *config);

/* Writes @config as a config file; 0, or -1 when it could not be written. */
int config_print_json(const struct vm_config *config, FILE *to);

void config_print_help(FILE *to);

/* Checks of options.def's rows: 0, or -1 with @err filled in. */
int config_check_accel(const char *arg, struct vm_error *err);
int config_check_env(const char *arg, struct vm_error *err);
int config_check_volume(const char *arg, struct vm_error *err);

/* A folder of the host, and where the guest has it. */
struct config_volume {
	char host[PATH_MAX];
	char guest[PATH_MAX];
	bool read_only;
};

/* Takes "HOST:GUEST[:ro|:rw]" apart. Returns 0, or -1 with @err filled in. */
int config_parse_volume(const char *arg, struct config_volume *volume, struct vm_error *err);
int config_check_disk(const char *arg, struct vm_error *err);
int config_check_channel(const char *arg, struct vm_error *err);

#define CONFIG_MAX_CHANNEL_NAME	63

/* A channel: what the guest calls it, and a socket or file of the host. */
struct config_channel {
	char name[CONFIG_MAX_CHANNEL_NAME + 1];
	char path[PATH_MAX];
	bool to_file;
};

/* Takes "NAME=PATH[:file]" apart. Returns 0, or -1 with @err filled in. */
int config_parse_channel(const char *arg, struct config_channel *channel, struct vm_error *err);

#endif

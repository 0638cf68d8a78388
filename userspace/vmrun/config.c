// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the command line with glibc's argp. argp may neither print nor exit
 * here: its errors become a struct vm_error like every other.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

/* Options without a letter. */
enum { OPTION_JSON = 0x100 };

struct parse {
	struct vm_config *config;
	struct vm_error *err;
};

static const struct argp_option options[] = {
	{ "kernel", 'k', "FILE", 0,
	  "The kernel: a bzImage, or an ELF vmlinux with a PVH entry", 1 },
	{ "initramfs", 'i', "FILE", 0, "The initial RAM file system", 1 },
	{ "args", 'a', "TEXT", 0,
	  "The kernel's command line (default: " CONFIG_DEFAULT_ARGS ")", 1 },
	{ "cpus", 'c', "N", 0, "How many vCPUs, 1 to 255 (default: 1)", 2 },
	{ "memory", 'm', "SIZE", 0,
	  "The guest's memory in MiB, or with a suffix M or G (default: 512)", 2 },
	{ "accel", 'A', "auto|kvirt|kvm|PATH", 0,
	  "The device that runs the guest. auto (default) takes /dev/kvirt and, where that cannot be opened, /dev/kvm",
	  3 },
	{ "json", OPTION_JSON, NULL, 0, "With \"abi\": as JSON", 4 },
	{ "help", 'h', NULL, 0, "Print this and leave", 4 },
	{ "version", 'V', NULL, 0, "Print the version and leave", 4 },
	{ 0 },
};

static const char doc[] =
	"Boot a Linux kernel in a virtual machine, its serial console on this terminal. Ctrl-] leaves. "
	"\"vmrun abi\" prints what /dev/kvirt has of KVM's ioctls, capabilities and exits."
	"\vExit status: 0 the guest powered off; 120 it panicked; 121 it could not go on "
	"(triple fault, entry failure); 122 it asked for a restart; 123 no usable accelerator; "
	"125 vmrun itself failed; 130 left with Ctrl-]; 128+N ended by signal N.";

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
	if (*end || n > CONFIG_MAX_MEMORY / unit)
		return 0;
	return n * unit;
}

static int parse_memory(struct parse *p, const char *arg)
{
	u64 size = parse_size(arg);

	if (size < CONFIG_MIN_MEMORY || size > CONFIG_MAX_MEMORY)
		return vm_fail(p->err, VM_STATUS_FAILURE,
			       "give a size from 16M to 1024G, for example -m 512 or -m 2G",
			       "cannot use '%.64s' as a memory size", arg);
	p->config->memory = size;
	return 0;
}

static int parse_cpus(struct parse *p, const char *arg)
{
	unsigned long n = 0;
	char *end = NULL;

	errno = 0;
	if (*arg >= '0' && *arg <= '9')
		n = strtoul(arg, &end, 10);
	if (!end || *end || errno || n < 1 || n > CONFIG_MAX_VCPUS)
		return vm_fail(p->err, VM_STATUS_FAILURE,
			       "give a number from 1 to 255, for example -c 2",
			       "cannot use '%.64s' as a number of vCPUs", arg);
	p->config->vcpus = n;
	return 0;
}

static int parse_accel(struct parse *p, const char *arg)
{
	if (strcmp(arg, "auto") && strcmp(arg, "kvirt") &&
	    strcmp(arg, "kvm") && !strchr(arg, '/'))
		return vm_fail(p->err, VM_STATUS_FAILURE,
			       "use --accel auto, kvirt, kvm, or the path of a device",
			       "unknown accelerator '%.64s'", arg);
	p->config->accel = arg;
	return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;

	switch (key) {
	case 'k':
		p->config->kernel = arg;
		return 0;
	case 'i':
		p->config->initramfs = arg;
		return 0;
	case 'a':
		p->config->args = arg;
		return 0;
	case 'c':
		return parse_cpus(p, arg) ? EINVAL : 0;
	case 'm':
		return parse_memory(p, arg) ? EINVAL : 0;
	case 'A':
		return parse_accel(p, arg) ? EINVAL : 0;
	case 'h':
		p->config->action = CONFIG_HELP;
		return 0;
	case 'V':
		p->config->action = CONFIG_VERSION;
		return 0;
	case OPTION_JSON:
		p->config->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!strcmp(arg, "abi") && p->config->action == CONFIG_RUN) {
			p->config->action = CONFIG_ABI;
			return 0;
		}
		vm_fail(p->err, VM_STATUS_FAILURE,
			"name the kernel with -k; 'vmrun --help' lists the options",
			"unexpected argument '%.64s'", arg);
		return EINVAL;
	case ARGP_KEY_ERROR:
		/* Unless an option said more, argp stopped at this word. */
		if (state->next > 0 && state->next <= state->argc)
			vm_fail(p->err, VM_STATUS_FAILURE,
				"'vmrun --help' lists the options",
				"unknown option, or one without its value: '%.64s'",
				state->argv[state->next - 1]);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp parser = {
	.options = options,
	.parser = parse_option,
	.doc = doc,
};

int config_parse(struct vm_config *config, int argc, char **argv,
		 struct vm_error *err)
{
	struct parse p = { .config = config, .err = err };

	*config = (struct vm_config){
		.action = CONFIG_RUN,
		.args = CONFIG_DEFAULT_ARGS,
		.accel = "auto",
		.vcpus = 1,
		.memory = CONFIG_DEFAULT_MEMORY,
	};
	if (argp_parse(&parser, argc, argv,
		       ARGP_NO_EXIT | ARGP_NO_ERRS | ARGP_NO_HELP, NULL, &p))
		return vm_fail(err, VM_STATUS_FAILURE,
			       "'vmrun --help' lists the options",
			       "cannot read the command line");
	if (config->action == CONFIG_RUN && !config->kernel)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "name one with -k, for example: vmrun -k bzImage -i initramfs",
			       "no kernel given");
	return 0;
}

void config_print_help(FILE *to)
{
	argp_help(&parser, to,
		  ARGP_HELP_SHORT_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG |
		  ARGP_HELP_POST_DOC, (char *)"vmrun");
}

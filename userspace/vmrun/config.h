/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command line as a value: argv becomes a struct vm_config and nothing
 * else happens. No file is opened and nothing is printed here.
 */
#ifndef VMRUN_CONFIG_H
#define VMRUN_CONFIG_H

#include <stdio.h>

#include "log.h"
#include "types.h"

/* APIC ids fit in a MADT entry of type 0, and 255 means "everybody". */
#define CONFIG_MAX_VCPUS	255
#define CONFIG_MIN_MEMORY	MIB(16)
#define CONFIG_MAX_MEMORY	GIB(1024)
#define CONFIG_DEFAULT_MEMORY	MIB(512)
#define CONFIG_DEFAULT_ARGS	"console=ttyS0 panic=-1"

enum config_action {
	CONFIG_RUN,
	CONFIG_HELP,
	CONFIG_VERSION,
	CONFIG_ABI,		/* "vmrun abi": print abi.def */
};

struct vm_config {
	enum config_action action;
	const char *kernel;
	const char *initramfs;	/* NULL: none */
	const char *args;	/* the kernel's command line */
	const char *accel;	/* "auto", "kvirt", "kvm" or a path */
	unsigned int vcpus;
	bool json;		/* of CONFIG_ABI: for programs */
	u64 memory;		/* bytes, whole MiB */
};

/*
 * Reads @argv into @config; its strings stay argv's. Returns 0, or -1 with @err
 * filled in (status 125).
 */
int config_parse(struct vm_config *config, int argc, char **argv,
		 struct vm_error *err);

void config_print_help(FILE *to);

#endif

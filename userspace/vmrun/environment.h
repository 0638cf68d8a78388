/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The environment of a command in the guest, as it is gathered: variables set one after
 * another, of which the last of a name counts.
 */
#ifndef VMRUN_ENVIRONMENT_H
#define VMRUN_ENVIRONMENT_H

#include "config.h"
#include "log.h"

#define ENVIRONMENT_MAX	256

/* All zero is an empty one. */
struct environment {
	char *item[ENVIRONMENT_MAX + 1];	/* NAME=VALUE, NULL behind the last */
	unsigned int nr;
};

/* Each returns 0, or -1 with @err filled in. @name has @len characters. */
int environment_set(struct environment *environment, const char *name, size_t len,
		    const char *value, struct vm_error *err);

/* The NAME=VALUE of @items, which ends with NULL. */
int environment_add(struct environment *environment, const char *const *items,
		    struct vm_error *err);

/* What tells a program of its user's terminal and language, as vmrun itself has it. */
int environment_pass_on(struct environment *environment, struct vm_error *err);

/* What -e says. */
int environment_add_given(struct environment *environment, const struct config_list *given,
			  struct vm_error *err);

void environment_clear(struct environment *environment);

#endif

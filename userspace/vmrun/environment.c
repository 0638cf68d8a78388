// SPDX-License-Identifier: GPL-2.0
/*
 * Variables for a command in the guest. Called by system.c for the machine's own command,
 * by manage_exec.c and machine_exec.c for those that join it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "environment.h"

/* From the host's environment: the terminal and the language are the same in the guest. */
static const char * const passed_on[] = {
	"TERM", "COLORTERM", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES",
	"LC_COLLATE", "LC_NUMERIC", "LC_TIME", "TZ", "EDITOR", "PAGER",
};

int environment_set(struct environment *environment, const char *name, size_t len,
		    const char *value, struct vm_error *err)
{
	unsigned int i;
	char *text;

	if (asprintf(&text, "%.*s=%s", (int)len, name, value) < 0)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	for (i = 0; i < environment->nr; i++)
		if (!strncmp(environment->item[i], text, len + 1))
			break;
	if (i == ENVIRONMENT_MAX) {
		free(text);
		return vm_fail(err, VM_STATUS_FAILURE, "give fewer with -e",
			       "a command's environment has %u variables at most", ENVIRONMENT_MAX);
	}
	free(environment->item[i]);
	environment->item[i] = text;
	if (i == environment->nr)
		environment->nr++;
	return 0;
}

int environment_add(struct environment *environment, const char *const *items,
		    struct vm_error *err)
{
	for (; *items; items++) {
		size_t len = strcspn(*items, "=");

		if ((*items)[len] && environment_set(environment, *items, len, *items + len + 1, err))
			return -1;
	}
	return 0;
}

int environment_pass_on(struct environment *environment, struct vm_error *err)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(passed_on); i++) {
		const char *value = getenv(passed_on[i]);

		if (value && environment_set(environment, passed_on[i], strlen(passed_on[i]),
					     value, err))
			return -1;
	}
	return 0;
}

int environment_add_given(struct environment *environment, const struct config_list *given,
			  struct vm_error *err)
{
	unsigned int i;

	for (i = 0; i < given->nr; i++) {
		const char *name = given->item[i], *value = strchr(name, '=');
		size_t len = value ? (size_t)(value - name) : strlen(name);

		value = value ? value + 1 : getenv(name);
		/* As env(1) and others do: what is not set here is not set there. */
		if (value && environment_set(environment, name, len, value, err))
			return -1;
	}
	return 0;
}

void environment_clear(struct environment *environment)
{
	while (environment->nr) {
		free(environment->item[--environment->nr]);
		environment->item[environment->nr] = NULL;
	}
}

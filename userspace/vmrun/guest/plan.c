// SPDX-License-Identifier: GPL-2.0
/*
 * The plan's lines: a word that says what it is, then its values. The last value of a
 * line may have blanks. It comes from vmrun, so a bad line only means a bug; but process
 * 1 must say so rather than crash. Called by init.c.
 */
#include <stdlib.h>
#include <string.h>

#include "guest.h"

/* Cuts the next word off *@rest; NULL when there is none. */
static char *word(char **rest)
{
	char *text = *rest, *end;

	if (!text || !*text)
		return NULL;
	end = strchr(text, ' ');
	*rest = end ? end + 1 : NULL;
	if (end)
		*end = 0;
	return text;
}

static bool parse_share(struct plan *plan, char *rest)
{
	const char *tag = word(&rest), *mode = word(&rest);

	if (!tag || !mode || !rest || *rest != '/' || plan->nr_shares == PLAN_MAX_SHARES)
		return false;
	plan->share[plan->nr_shares++] = (struct plan_share){
		.tag = tag, .path = rest, .read_only = !strcmp(mode, "ro"),
	};
	return true;
}

static bool parse_net(struct plan *plan, char *rest)
{
	plan->net.address = word(&rest);
	plan->net.netmask = word(&rest);
	plan->net.gateway = word(&rest);
	plan->net.nameserver = word(&rest);
	return plan->net.nameserver;
}

static bool parse_root(struct plan *plan, char *rest)
{
	const char *kind = word(&rest);

	if (kind && !strcmp(kind, "virtiofs")) {
		plan->root_tag = word(&rest);
		return plan->root_tag;
	}
	plan->disk.device = word(&rest);
	plan->disk.fs = word(&rest);
	if (!kind || strcmp(kind, "disk") || !plan->disk.fs || !rest)
		return false;
	plan->disk.read_only = !strcmp(rest, "ro");
	return true;
}

/* Nothing that a command waits for may need what comes late. */
static bool add_module(struct plan *plan, const char *path, const char *name, bool is_late)
{
	if (!name || plan->nr_modules == PLAN_MAX_MODULES || (plan->nr_late && !is_late))
		return false;
	plan->module_name[plan->nr_modules] = name;
	plan->module[plan->nr_modules++] = path;
	plan->nr_late += is_late;
	return true;
}

static bool parse_line(struct plan *plan, char *line)
{
	const char *what = word(&line), *value;

	if (!what)
		return true;
	if (!strcmp(what, "share"))
		return parse_share(plan, line);
	if (!strcmp(what, "net"))
		return parse_net(plan, line);
	if (!strcmp(what, "root"))
		return parse_root(plan, line);
	value = word(&line);
	if (!value)
		return false;
	if (!strcmp(what, "hostname")) {
		plan->hostname = value;
	} else if (!strcmp(what, "channel") && plan->nr_channels < PLAN_MAX_CHANNELS) {
		plan->channel[plan->nr_channels++] = value;
	} else if (!strcmp(what, "port")) {
		plan->port = strtoul(value, NULL, 10);
	} else if (!strcmp(what, "module") || !strcmp(what, "late")) {
		return add_module(plan, value, line, !strcmp(what, "late"));
	} else {
		return false;
	}
	return true;
}

const char *plan_parse(struct plan *plan, char *text)
{
	char *line, *save;

	memset(plan, 0, sizeof(*plan));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!parse_line(plan, line))
			return line;
	return plan->root_tag || plan->disk.fs ? NULL : "no root";
}

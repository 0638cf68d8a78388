// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun stat: the accelerator's counters of a running machine and its memory, second by
 * second. Called by main.c.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "manage.h"

#define MAX_RATE	1e15	/* nothing counts that fast */
#define SHOWN	8	/* of a line for people: those that counted most */

/* Whatever a machine says that they are. */
static json_int_t gained(const json_t *before, const json_t *now)
{
	json_int_t n;

	return __builtin_sub_overflow(json_integer_value(now), json_integer_value(before), &n) ? 0 : n;
}

/* What each counter gained since @before, in a second; without those that stood still. */
static json_t *rates(const json_t *before, json_t *now)
{
	json_int_t ns = gained(json_object_get(before, "time"), json_object_get(now, "time"));
	json_t *all = json_object(), *value;
	const char *name;
	double n;

	if (ns <= 0)
		return all;
	json_object_foreach(json_object_get(now, "counters"), name, value) {
		n = gained(json_object_get(json_object_get(before, "counters"), name), value) * 1e9 / ns + 0.5;
		if (n >= 1 && n <= MAX_RATE)
			json_object_set_new(all, name, json_integer(n));
	}
	json_object_set(all, "memory", json_object_get(now, "memory"));
	return all;
}

/* Takes the greatest one out and prints it; false when none is left. */
static bool print_greatest(json_t *all)
{
	const char *name, *best = NULL;
	json_int_t most = 0;
	char plain[64];
	json_t *value;

	json_object_foreach(all, name, value)
		if (json_integer_value(value) > most) {
			most = json_integer_value(value);
			best = name;
		}
	if (!best)
		return false;
	printf("  %s %lld", log_plain(plain, sizeof(plain), best), (long long)most);
	json_object_del(all, best);
	return true;
}

/* A figure of the guest's memory, where it is known. */
static void print_memory(const json_t *memory, const char *name, const char *label)
{
	const json_t *size = json_object_get(memory, name);

	if (size)
		printf("  %s %lldM", label, (long long)json_integer_value(size));
}

static void print_rates(json_t *all, bool json)
{
	const json_t *memory = json_object_get(all, "memory");
	unsigned int i;

	if (json) {
		client_print(all, JSON_COMPACT);
	} else {
		printf("%8lld exits/s", (long long)json_integer_value(json_object_get(all, "exits")));
		json_object_del(all, "exits");
		for (i = 0; i < SHOWN && print_greatest(all); i++)
			;
		print_memory(memory, "resident", "resident");
		print_memory(memory, "balloon", "balloon");
		print_memory(json_object_get(memory, "guest"), "available", "available");
		putchar('\n');
	}
	fflush(stdout);
	json_decref(all);
}

int manage_stat(const struct vm_config *config, struct vm_error *err)
{
	json_t *before = NULL, *now = NULL;
	struct vm_error gone = { 0 };
	struct instance instance;
	unsigned int i;
	int fd;

	if (instance_open(&instance, config->operand[0], err))
		return -1;
	fd = client_connect(&instance, err);
	if (fd >= 0)
		before = client_ask(fd, CONTROL_STAT, err);
	for (i = 0; before && !ferror(stdout) && (!config->time || i < config->time); i++) {
		/* That the machine ends is this command's end, and no error. */
		if (!client_wait_end(&instance, 1))
			break;
		now = client_ask(fd, CONTROL_STAT, &gone);
		if (!now)
			break;
		print_rates(rates(before, now), config->json);
		json_decref(before);
		before = now;
	}
	json_decref(before);
	if (fd >= 0)
		close(fd);
	instance_close(&instance);
	return err->status ? -1 : 0;
}

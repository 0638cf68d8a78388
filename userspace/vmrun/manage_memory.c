// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun memory: how much of its memory a machine uses, and how much it is to get along
 * with. Called by main.c and, for inspect and stat, by their files.
 */
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "client.h"
#include "manage.h"

/* How long a guest may take to tell, from the first question on. */
#define PATIENCE_MS	1000
#define STEP_MS		20

static json_int_t told(const json_t *memory)
{
	return json_integer_value(json_object_get(json_object_get(memory, "guest"), "told"));
}

/* Asking makes the guest tell anew; who never told has nobody who would. */
struct json_t *manage_ask_memory(int fd, struct vm_error *err)
{
	json_t *memory = client_ask(fd, CONTROL_MEMORY, err);
	json_int_t before = told(memory);
	unsigned int ms;

	for (ms = 0; memory && before && told(memory) == before && ms < PATIENCE_MS; ms += STEP_MS) {
		poll(NULL, 0, STEP_MS);
		json_decref(memory);
		memory = client_ask(fd, CONTROL_MEMORY, err);
	}
	return memory;
}

/* A column of MiB; one that is not known is a dash. */
static void print_size(const json_t *object, const char *name)
{
	const json_t *size = json_object_get(object, name);

	if (size)
		printf(" %8lldM", (long long)json_integer_value(size));
	else
		printf(" %9s", "-");
}

static void print_memory(const json_t *memory)
{
	const json_t *guest = json_object_get(memory, "guest");

	printf("%10s %9s %9s %9s %9s %9s\n", "MEMORY", "WANTED", "BALLOON", "RESIDENT", "FREE", "AVAILABLE");
	print_size(memory, "total");
	print_size(memory, "wanted");
	print_size(memory, "balloon");
	print_size(memory, "resident");
	print_size(guest, "free");
	print_size(guest, "available");
	putchar('\n');
}

static int show(int fd, bool json, struct vm_error *err)
{
	json_t *memory = manage_ask_memory(fd, err);

	if (!memory)
		return -1;
	json_object_del(memory, "ok");
	if (json)
		client_print(memory, JSON_INDENT(1));
	else
		print_memory(memory);
	json_decref(memory);
	return 0;
}

static int set(const struct instance *instance, int fd, u64 size, struct vm_error *err)
{
	json_t *request = json_pack("{s:s, s:I}", "command", control_verb_name(CONTROL_MEMORY),
				    "size", (json_int_t)(size >> 20));
	json_t *reply = client_request(fd, request, err);

	if (!reply)
		return -1;
	if (!json_is_true(json_object_get(reply, "heard")))
		log_note("the guest of '%s' has no driver for its balloon yet: it is asked when there is one",
			 instance->name);
	json_decref(reply);
	return 0;
}

int manage_memory(const struct vm_config *config, struct vm_error *err)
{
	struct instance instance;
	u64 size = 0;
	int fd, ret;

	if (config->nr_operands > 1 && config_read_size(config->operand[1], &size, err))
		return -1;
	if (instance_open(&instance, config->operand[0], err))
		return -1;
	fd = client_connect(&instance, err);
	ret = fd < 0 ? -1 : size ? set(&instance, fd, size, err) : show(fd, config->json, err);
	if (fd >= 0)
		close(fd);
	instance_close(&instance);
	return ret;
}

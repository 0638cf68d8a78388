// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of the control socket, read from a stream of bytes that anybody with the
 * user's rights may send: lines are gathered and each is read once into a struct
 * control_request. A line bounds all that it holds; no socket here. Called by control.c.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"

static const char *const verbs[] = {
	[CONTROL_STATUS] = "status", [CONTROL_STOP] = "stop", [CONTROL_KILL] = "kill",
	[CONTROL_PAUSE] = "pause", [CONTROL_RESUME] = "resume", [CONTROL_STAT] = "stat",
	[CONTROL_MEMORY] = "memory",
	[CONTROL_CONSOLE] = "console", [CONTROL_EXEC] = "exec", [CONTROL_RESIZE] = "resize",
	[CONTROL_SIGNAL] = "signal", [CONTROL_TRACE] = "trace",
};

/* What a request may have beside its command. */
static const struct field {
	enum control_verb verb;
	const char *name;
	json_type type;		/* JSON_TRUE: either */
} fields[] = {
	{ CONTROL_MEMORY, "size", JSON_INTEGER },
	{ CONTROL_EXEC, "arguments", JSON_ARRAY },
	{ CONTROL_EXEC, "environment", JSON_ARRAY },
	{ CONTROL_EXEC, "directory", JSON_STRING },
	{ CONTROL_EXEC, "terminal", JSON_TRUE },
	{ CONTROL_EXEC, "stderr", JSON_TRUE },
	{ CONTROL_EXEC, "rows", JSON_INTEGER },
	{ CONTROL_EXEC, "columns", JSON_INTEGER },
	{ CONTROL_RESIZE, "rows", JSON_INTEGER },
	{ CONTROL_RESIZE, "columns", JSON_INTEGER },
	{ CONTROL_SIGNAL, "number", JSON_INTEGER },
	{ CONTROL_TRACE, "vcpu", JSON_INTEGER },
};

#define MAX_SIZE	0xffff	/* of a terminal: the kernel keeps 16 bits */
#define MAX_SIGNAL	63
#define MAX_VCPU	0xffff	/* what a machine has is its own to say */
#define MAX_MEMORY	(1 << 20)	/* MiB */

const char *control_verb_name(enum control_verb verb)
{
	return verbs[verb];
}

size_t control_line_room(const struct control_line *line)
{
	return sizeof(line->text) - line->len;
}

int control_line_take(struct control_line *line, const char **text, size_t *len)
{
	const char *end;

	/* What was given last goes now that the next is asked for. */
	memmove(line->text, line->text + line->taken, line->len - line->taken);
	line->len -= line->taken;
	line->taken = 0;
	end = memchr(line->text, '\n', line->len);
	if (!end)
		return line->len == sizeof(line->text) ? -1 : 0;
	*text = line->text;
	*len = end - line->text;
	line->taken = *len + 1;
	return 1;
}

static bool field_fits(enum control_verb verb, const char *name, const json_t *value)
{
	unsigned int i;

	if (!strcmp(name, "command"))
		return true;
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].verb == verb && !strcmp(fields[i].name, name))
			return json_typeof(value) == fields[i].type ||
			       (fields[i].type == JSON_TRUE && json_is_false(value));
	return false;
}

/* True when @object may have @name as a number up to @max, and it is there then. */
static bool read_number(const json_t *object, const char *name, unsigned int max, unsigned int *to)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	*to = value;
	return value >= 0 && value <= max;
}

/* The texts of array @name (NULL: none of it), to be freed; NULL when not all are texts. */
static const char *const *read_texts(const json_t *object, const char *name)
{
	json_t *array = json_object_get(object, name), *item;
	const char **list = calloc(json_array_size(array) + 1, sizeof(*list));
	size_t i;

	json_array_foreach(array, i, item) {
		if (list)
			list[i] = json_string_value(item);
		if (!list || !list[i]) {
			free(list);
			return NULL;
		}
	}
	return list;
}

static const char *read_exec(struct control_request *request)
{
	unsigned int i;

	request->arguments = read_texts(request->object, "arguments");
	request->environment = read_texts(request->object, "environment");
	if (!request->arguments || !request->environment)
		return "\"arguments\" and \"environment\" are arrays of texts";
	for (i = 0; request->environment[i]; i++)
		if (request->environment[i][0] == '=' || !strchr(request->environment[i], '='))
			return "\"environment\" has texts of the form NAME=VALUE";
	request->directory = json_string_value(json_object_get(request->object, "directory"));
	request->terminal = json_is_true(json_object_get(request->object, "terminal"));
	request->stderr_apart = json_is_true(json_object_get(request->object, "stderr"));
	return NULL;
}

/* What stands in the object beside its command. */
static const char *read_fields(struct control_request *request)
{
	const char *key;
	json_t *value;

	json_object_foreach(request->object, key, value)
		if (!field_fits(request->verb, key, value))
			return request->verb < CONTROL_EXEC && request->verb != CONTROL_MEMORY ?
			       "a request has \"command\" and nothing else" :
			       "the request has what its command does not take";
	if (!read_number(request->object, "rows", MAX_SIZE, &request->rows) ||
	    !read_number(request->object, "columns", MAX_SIZE, &request->columns))
		return "no terminal is of that size";
	if (!read_number(request->object, "number", MAX_SIGNAL, &request->signal) ||
	    (request->verb == CONTROL_SIGNAL && !request->signal))
		return "there is no such signal";
	if (!read_number(request->object, "vcpu", MAX_VCPU, &request->vcpu))
		return "there is no such vCPU";
	if (!read_number(request->object, "size", MAX_MEMORY, &request->size) ||
	    (json_object_get(request->object, "size") && !request->size))
		return "no machine has so much memory, or so little";
	return request->verb == CONTROL_EXEC ? read_exec(request) : NULL;
}

const char *control_parse(struct control_request *request, const char *text, size_t len)
{
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *name = json_object_get(object, "command");
	const char *error = NULL;
	unsigned int i;

	*request = (struct control_request){ .object = object };
	if (!json_is_object(object))
		error = "a request is one JSON object on a line";
	else if (!json_is_string(name))
		error = "a request has a text \"command\"";
	for (i = 0; !error && i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i], json_string_value(name)))
			break;
	if (!error && i == ARRAY_SIZE(verbs))
		error = "there is no such command";
	if (!error) {
		request->verb = i;
		error = read_fields(request);
	}
	if (error)
		control_request_release(request);
	return error;
}

void control_request_release(struct control_request *request)
{
	free((void *)request->arguments);
	free((void *)request->environment);
	json_decref(request->object);
	*request = (struct control_request){ .verb = request->verb };
}

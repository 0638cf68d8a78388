// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of the control socket, read from a stream of bytes that anybody with the
 * user's rights may send: lines are gathered and each is read once into a struct
 * control_request. Bounded; no socket here. Called by control.c.
 */
#include <jansson.h>
#include <string.h>

#include "control.h"

static const char *const verbs[] = {
	[CONTROL_STATUS] = "status", [CONTROL_STOP] = "stop", [CONTROL_KILL] = "kill",
	[CONTROL_PAUSE] = "pause", [CONTROL_RESUME] = "resume", [CONTROL_STAT] = "stat",
	[CONTROL_CONSOLE] = "console",
};

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

const char *control_parse(struct control_request *request, const char *text, size_t len)
{
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL), *name;
	const char *error = NULL;
	unsigned int i;

	name = json_object_get(object, "command");
	if (!json_is_object(object))
		error = "a request is one JSON object on a line";
	else if (!json_is_string(name))
		error = "a request has a text \"command\"";
	else if (json_object_size(object) != 1)
		error = "a request has \"command\" and nothing else";
	for (i = 0; !error && i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i], json_string_value(name)))
			break;
	if (!error && i == ARRAY_SIZE(verbs))
		error = "there is no such command";
	if (!error)
		request->verb = i;
	json_decref(object);
	return error;
}

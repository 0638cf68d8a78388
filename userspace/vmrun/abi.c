// SPDX-License-Identifier: GPL-2.0
/*
 * Prints the table of abi.def, for people and, by jansson, for programs. Asks no
 * device: this is what the source says. Called by main.c.
 */
#include <jansson.h>

#include "abi.h"
#include "types.h"

static const struct abi_row rows[] = {
#include "abi.def"
};

static const char *const kinds[] = {
	[ABI_DEVICE] = "device ioctl", [ABI_VM] = "VM ioctl", [ABI_VCPU] = "vCPU ioctl",
	[ABI_CAPABILITY] = "capability", [ABI_EXIT] = "exit",
};

static const char *const statuses[] = {
	[ABI_DONE] = "done", [ABI_PARTLY] = "partly", [ABI_REFUSED] = "refused",
};

static int print_text(FILE *to)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct abi_row *row = &rows[i];

		fprintf(to, "%-13s %-32s %#-11lx %-8s", kinds[row->kind], row->name,
			row->number, statuses[row->status]);
		if (row->kind == ABI_CAPABILITY && row->value == ABI_HOST)
			fprintf(to, " %-6s", "host's");
		else if (row->kind == ABI_CAPABILITY)
			fprintf(to, " %-6ld", row->value);
		fprintf(to, " %s\n", row->note);
	}
	return ferror(to) ? -1 : 0;
}

static json_t *row_json(const struct abi_row *row)
{
	json_t *object = json_pack("{s:s, s:s, s:I, s:s, s:s}", "kind", kinds[row->kind],
				   "name", row->name, "number", (json_int_t)row->number,
				   "status", statuses[row->status], "note", row->note);

	if (object && row->kind == ABI_CAPABILITY &&
	    json_object_set_new(object, "value", row->value == ABI_HOST ?
				json_null() : json_integer(row->value))) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static int print_json(FILE *to)
{
	json_t *list = json_array();
	int ret = 0;
	size_t i;

	for (i = 0; list && !ret && i < ARRAY_SIZE(rows); i++)
		ret = json_array_append_new(list, row_json(&rows[i]));
	if (!list || ret || json_dumpf(list, to, JSON_INDENT(1)))
		ret = -1;
	json_decref(list);
	return ret || putc('\n', to) == EOF ? -1 : 0;
}

int abi_print(FILE *to, enum abi_format format)
{
	int ret = format == ABI_JSON ? print_json(to) : print_text(to);

	return ret || fflush(to) ? -1 : 0;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How vmrun says that something went wrong. A function that can fail takes a
 * struct vm_error, fills it once with vm_fail() and returns -1; only main.c
 * prints it and turns its status into the exit status.
 */
#ifndef VMRUN_LOG_H
#define VMRUN_LOG_H

#include "types.h"

/* The exit statuses; options.def says what each means. */
enum vm_status {
#define STATUS(id, number, label, text) VM_STATUS_##id = number,
#include "options.def"
};

struct vm_error {
	int status;
	char text[512];
	char hint[256];
};

/*
 * Fills @err: @hint says what to do next (NULL: nothing the user did is the cause), @fmt what
 * failed and why. The first error stays, later ones follow from it.
 * Always returns -1, so that a caller can write "return vm_fail(...)".
 */
int vm_fail(struct vm_error *err, int status, const char *hint,
	    const char *fmt, ...) __printf(4, 5);

/*
 * Copies @text (NULL: none), which somebody else made, to @room bytes at @to, and returns that.
 * What commands a terminal becomes '?': control characters (newlines too), of UTF-8 as well.
 * What does not fit is cut off.
 */
const char *log_plain(char *to, size_t room, const char *text);

/* Prints "vmrun: error: ..." and, when there is one, "hint: ...". */
void log_error(const struct vm_error *err);

/* Prints "vmrun: ..." on the standard error output. Any thread may call it. */
void log_note(const char *fmt, ...) __printf(1, 2);

#endif

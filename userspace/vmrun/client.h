/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The other end of control.h's socket.
 */
#ifndef VMRUN_CLIENT_H
#define VMRUN_CLIENT_H

#include "control.h"

/* A connection to a running machine, or -1 with @err filled in. */
int client_connect(const struct instance *instance, struct vm_error *err);

/*
 * Sends one request and gives its reply, to be released; NULL with @err filled in: it was
 * refused, or nobody answered within some seconds. Bytes behind the reply stay unread.
 */
struct json_t *client_ask(int fd, enum control_verb verb, struct vm_error *err);

/* The same for @request, which it releases. */
struct json_t *client_request(int fd, struct json_t *request, struct vm_error *err);

/*
 * The reply to what was sent: to be released, or NULL, with @err filled in when it was
 * refused, and not when none came within some seconds.
 */
struct json_t *client_reply(int fd, struct vm_error *err);

/*
 * Prints @object, which a machine made, to standard output, by @flags of jansson's; in ASCII, so
 * that nothing in it commands a terminal.
 */
void client_print(const struct json_t *object, size_t flags);

/* Waits until the machine is over: 0, or -1 after @seconds (no error then). */
int client_wait_end(const struct instance *instance, unsigned int seconds);

#endif

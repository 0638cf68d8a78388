/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is left of vmrun's power when the guest's first instruction runs: no privileges,
 * the files that the machine was given, and in each thread the system calls of policy.c.
 * docs/sandbox.md is about the why.
 *
 * The order: sandbox_init(), sandbox_grant() by whoever will open files, sandbox_jail() when
 * all is built and no thread was started, sandbox_enter() first of all in each thread, last
 * in the main one. No locks: from sandbox_jail() on a struct sandbox is const.
 */
#ifndef VMRUN_SANDBOX_H
#define VMRUN_SANDBOX_H

#include <stdio.h>

#include "../log.h"
#include "policy.h"

#define SANDBOX_MAX_GRANTS	40

enum sandbox_mode {
	SANDBOX_ON,
	SANDBOX_REPORT,		/* says what would be, forbids nothing; the kernel logs it */
	SANDBOX_OFF,
};

enum sandbox_access {
	SANDBOX_READ,
	SANDBOX_WRITE,		/* and read, make, rename, remove */
	SANDBOX_REMOVE,		/* look what is there, and remove it */
};

struct sandbox_grant {
	char *path;
	enum sandbox_access access;
	const char *reason;
};

/* What to do where it cannot be set up. */
#define SANDBOX_HINT "run without the sandbox: --sandbox off"

struct sandbox {
	enum sandbox_mode mode;
	bool network;		/* TCP of vmrun's own: user networking */
	bool jailed;
	bool owners;		/* a share is the guest's to change: sandbox_keep_owners() */
	u64 kept;		/* capabilities that SANDBOX_FS_WRITE still has */
	struct sandbox_grant grant[SANDBOX_MAX_GRANTS];
	unsigned int nr_grants;
};

/* @mode: "on", "report" or "off", as sandbox_check_mode() wants it. */
void sandbox_init(struct sandbox *sandbox, const char *mode);
void sandbox_destroy(struct sandbox *sandbox);

/* A check of options.def. */
int sandbox_check_mode(const char *mode, struct vm_error *err);

/*
 * @path, and what is below it when it is a folder, may be opened in the jail. @reason is
 * for the report and stays the caller's. Returns 0, or -1 with @err filled in.
 */
int sandbox_grant(struct sandbox *sandbox, const char *path, enum sandbox_access access,
		  const char *reason, struct vm_error *err);

/* The machine's own folder, which is open as @fd and goes with it. */
int sandbox_grant_machine(struct sandbox *sandbox, int fd, struct vm_error *err);

/* A socket of vmrun's at @path, which is removed at the end. */
int sandbox_grant_socket(struct sandbox *sandbox, const char *path, const char *reason,
			 struct vm_error *err);

/*
 * The guest may change files of a share as vmrun could. If that is root, the threads of
 * such shares keep the capabilities by which root may do what it likes with files.
 */
void sandbox_keep_owners(struct sandbox *sandbox);

/* What user networking needs: TCP, and the file that names the name server. */
int sandbox_grant_network(struct sandbox *sandbox, struct vm_error *err);

/*
 * The process-wide part, which threads that are started from here on inherit and older
 * ones do not have: capabilities, limits, landlock(7), the handler of forbidden calls.
 * Returns 0, or -1 with @err filled in (status 124).
 */
int sandbox_jail(struct sandbox *sandbox, struct vm_error *err);

/*
 * Loads @thread's filter into the calling thread, for good. When the kernel does not take
 * it vmrun ends here, with 124: no thread runs without. @sandbox may be NULL (unit tests).
 */
void sandbox_enter(const struct sandbox *sandbox, enum sandbox_thread thread);

/* Prints what each thread may do, and which files the process may open. */
void sandbox_print(const struct sandbox *sandbox, FILE *to);

/* trap.c, for sandbox_jail() and the tests: the handler; a filter as it is loaded. */
int sandbox_catch_forbidden(struct vm_error *err);
struct sock_fprog;
const struct sock_fprog *sandbox_filter(enum sandbox_thread thread);

#endif

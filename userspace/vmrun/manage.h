/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The commands on machines that are there. Each returns the exit status, or -1 with @err
 * filled in.
 */
#ifndef VMRUN_MANAGE_H
#define VMRUN_MANAGE_H

#include "config.h"

int manage_ps(const struct vm_config *config, struct vm_error *err);
int manage_inspect(const struct vm_config *config, struct vm_error *err);
int manage_stop(const struct vm_config *config, struct vm_error *err);
int manage_kill(const struct vm_config *config, struct vm_error *err);
int manage_pause(const struct vm_config *config, struct vm_error *err);
int manage_resume(const struct vm_config *config, struct vm_error *err);
int manage_rm(const struct vm_config *config, struct vm_error *err);

/* manage_console.c: what a console said and says */
int manage_logs(const struct vm_config *config, struct vm_error *err);
int manage_console(const struct vm_config *config, struct vm_error *err);

/* manage_exec.c: a command in a running machine; its exit status */
int manage_exec(const struct vm_config *config, struct vm_error *err);

/* manage_trace.c: the last exits of its vCPUs */
int manage_trace(const struct vm_config *config, struct vm_error *err);
/* manage_memory.c */
int manage_memory(const struct vm_config *config, struct vm_error *err);
/* The answer to that request, of a guest that was asked just now; NULL with @err filled in. */
struct json_t *manage_ask_memory(int fd, struct vm_error *err);

/* manage_stat.c */
int manage_stat(const struct vm_config *config, struct vm_error *err);

#endif

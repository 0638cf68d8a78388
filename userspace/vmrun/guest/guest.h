/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Process 1 of vmrun's guest: a static program that vmrun packs into the initramfs.
 * init.c loads modules, mounts the root and becomes the agent (agent.c), which runs
 * commands (command.c) for vmrun. What fails before that is said on the console.
 */
#ifndef VMRUN_GUEST_GUEST_H
#define VMRUN_GUEST_GUEST_H

#include <sys/types.h>

#include "../agent.h"
#include "../types.h"

#define PLAN_MAX_SHARES		64
#define PLAN_MAX_MODULES	256
#define PLAN_MAX_CHANNELS	16

/* /plan, as boot/live.c writes it. Its strings lie in the text that was parsed. */
struct plan {
	const char *hostname;
	const char *root_tag;	/* of the virtio-fs device with the root; NULL: it is on a disk */
	struct plan_disk {
		const char *device;	/* "vda1" */
		const char *fs;
		bool read_only;		/* changes go to memory */
	} disk;
	unsigned int port;
	const char *module[PLAN_MAX_MODULES];	/* files, in the order in which they load */
	const char *module_name[PLAN_MAX_MODULES];
	unsigned int nr_modules;
	unsigned int nr_late;	/* the last of them, for which no command waits */
	struct plan_share {
		const char *tag;
		const char *path;
		bool read_only;
	} share[PLAN_MAX_SHARES];
	unsigned int nr_shares;
	const char *channel[PLAN_MAX_CHANNELS];	/* names of virtio ports */
	unsigned int nr_channels;
	struct plan_net {
		const char *address;	/* NULL: no card is set up */
		const char *netmask;
		const char *gateway;
		const char *nameserver;
	} net;
};

/* Cuts @text, NUL-terminated, into @plan. Returns NULL, or the line that it does not understand. */
const char *plan_parse(struct plan *plan, char *text);

/*
 * Brings up what interfaces there are; a network that cannot be is no reason to stop.
 * @root_stays: its name server is not replaced, but covered.
 */
void network_start(const struct plan_net *net, bool root_stays);

/* Makes /dev/virtio-ports; a channel that does not come is no reason to stop. */
void ports_start(const struct plan *plan);

/* What the agent and its commands share. Descriptors are -1 where there is none. */
struct command {
	pid_t pid;
	int fd[AGENT_STREAMS];	/* the agent's ends; they do not block */
	int failure_fd;		/* a struct agent_exit of a command that could not be started */
};

/*
 * Starts the command that @exec and its @strings describe, which were checked with
 * command_check(). Returns 0, or the errno of what failed before there was a process.
 */
int command_start(struct command *command, const struct agent_exec *exec, char *strings);

/* True when @strings holds just as many strings as @exec says, and a program among them. */
bool command_check(const struct agent_exec *exec, const char *strings);

/* How the ended command ended: from @status, as waitpid() gave it. Closes failure_fd. */
struct agent_exit command_result(struct command *command, int status);

/*
 * Serves vmrun at @fd until the main command has ended and vmrun was told (0), or the
 * connection ends (-1). SIGCHLD must be blocked; reaps whatever child ends. @settle is called
 * before vmrun hears of that end, and takes the machine away.
 */
int agent_serve(int fd, void (*settle)(void));

#endif

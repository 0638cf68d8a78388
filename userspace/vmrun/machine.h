/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine owns everything a guest sees and the threads that run it.
 */
#ifndef VMRUN_MACHINE_H
#define VMRUN_MACHINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "bus.h"
#include "config.h"
#include "console.h"
#include "instance.h"
#include "dev/pci.h"
#include "dev/power.h"
#include "dev/rtc.h"
#include "dev/serial.h"
#include "disks.h"
#include "irq.h"
#include "kvirt.h"
#include "log.h"
#include "loop.h"
#include "memory.h"
#include "sandbox/sandbox.h"
#include "shares.h"
#include "terminal.h"
#include "vcpu.h"
#include "virtio/balloon.h"
#include "virtio/console.h"
#include "virtio/net.h"
#include "virtio/pci.h"
#include "virtio/rng.h"
#include "virtio/vsock.h"

/* How the machine ended: the exit status and the reason for it. */
struct json_t;

struct machine_result {
	int status;
	char reason[256];
	struct json_t *trace;	/* of a crash: the vCPUs' last exits, or NULL; who has run it releases it */
};

struct machine {
	const struct vm_config *config;
	struct terminal *terminal;
	struct sandbox sandbox;
	struct instance instance;	/* dir_fd -1: none, and no control */
	struct control *control;
	time_t started;
	bool paused;		/* main thread only */
	struct kvirt kvirt;
	struct memory memory;
	struct bus ports;
	struct bus mmio;
	struct irq irq;
	struct serial serial;
	struct power power;
	struct rtc rtc;
	struct pci pci;
	struct rng rng;
	struct balloon balloon;
	int status_fd;			/* /proc/self/status (machine_memory.c); -1: not open */
	struct disks disks;
	struct shares shares;
	struct vsock *vsock;		/* NULL: none */
	struct virtio_pci *vsock_pci;
	struct net *net;		/* NULL: none */
	struct virtio_pci *net_pci;
	struct gdb_server *gdb;		/* NULL: no --gdb */
	struct vconsole *hvc;		/* NULL: none */
	struct virtio_pci *hvc_pci;
	struct vconsole *channels;	/* NULL: none */
	struct virtio_pci *channels_pci;
	struct machine_system *system;	/* NULL: the user gave an initramfs */
	struct machine_exec *execs;	/* commands of others in it (machine_exec.c) */
	struct loop loop;
	struct console console;
	struct vcpu *vcpu;	/* config->vcpus of them, once created */
	unsigned int nr_vcpus;
	unsigned int nr_built;	/* rows of the build table that are done */
	int signal_fd;
	int end_fd;
	int timeout_fd;		/* -1: no --timeout */

	atomic_bool crash_told;		/* the guest's crash kernel was noted */

	pthread_mutex_t end_lock;	/* result, writes of ended; innermost */
	atomic_bool ended;
	struct machine_result result;
};

/* Blocks the signals that machine_run() takes from a descriptor. */
void machine_block_signals(void);

/*
 * Builds the machine that @config describes, ready to run. On failure nothing
 * is left behind. @config and @terminal must outlive it.
 */
int machine_create(struct machine *machine, const struct vm_config *config,
		   struct terminal *terminal, struct vm_error *err);

/* Runs the guest to its end and says how it ended. */
int machine_run(struct machine *machine, struct machine_result *result,
		struct vm_error *err);

void machine_destroy(struct machine *machine);

/* Ends the machine; the first reason given counts. Any thread, any lock held. */
void machine_end(struct machine *machine, int status, const char *fmt, ...)
	__printf(3, 4);

/* True once somebody has; no vCPU enters the guest again. */
bool machine_has_ended(struct machine *machine);

/* A power_event_fn: @ctx is the machine. */
void machine_power_event(void *ctx, enum power_event event);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual CPU: a thread that enters the guest and serves its exits.
 */
#ifndef VMRUN_VCPU_H
#define VMRUN_VCPU_H

#include <pthread.h>
#include <stdatomic.h>

#include "boot/boot.h"
#include "kvirt.h"
#include "types.h"

struct machine;

enum vcpu_state {
	VCPU_PAUSED,	/* the thread waits outside of the guest */
	VCPU_RUNNING,
	VCPU_DONE,	/* the thread has ended, or is about to */
};

struct vcpu {
	unsigned int id;
	struct machine *machine;
	struct kvirt_vcpu kvirt;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;		/* what follows; writes of wanted */
	pthread_cond_t changed;
	enum vcpu_state asked;		/* by vcpu_request() */
	bool held;			/* by the debugger */
	bool at_debug_exit;		/* debug_exit is not fetched yet */
	struct kvirt_debug_exit_arch debug_exit;
	_Atomic enum vcpu_state wanted;	/* what all of that comes to */
	enum vcpu_state state;		/* what the thread is */
};

/* Creates vCPU @id with its CPUID and the MSRs firmware would have set. */
int vcpu_create(struct vcpu *vcpu, struct machine *machine, unsigned int id,
		const struct kvirt_cpuid *supported, struct vm_error *err);
void vcpu_destroy(struct vcpu *vcpu);

/* Sets the registers with which the guest's first instruction is met. */
int vcpu_set_entry(struct vcpu *vcpu, const struct boot_entry *entry,
		   struct vm_error *err);

/* Starts the thread; it is PAUSED. */
int vcpu_start(struct vcpu *vcpu, struct vm_error *err);

/*
 * Asks for @state and kicks the thread out of the guest if need be. Does not
 * wait. DONE is for ever.
 */
void vcpu_request(struct vcpu *vcpu, enum vcpu_state state);

/*
 * The debugger's say in it: a vCPU runs where it is asked to and nobody holds it. Holding
 * kicks as vcpu_request() does; a debug exit holds by itself.
 */
void vcpu_hold(struct vcpu *vcpu);
void vcpu_let_go(struct vcpu *vcpu);

/* The debug exit at which a held vCPU stands, once. */
bool vcpu_take_debug_exit(struct vcpu *vcpu, struct kvirt_debug_exit_arch *exit);

/* After vcpu_request(VCPU_PAUSED) or vcpu_hold(): waits, 2 s at most, until it is out of the guest. */
void vcpu_wait_paused(struct vcpu *vcpu);

/* Waits for the thread's end; only after vcpu_request(VCPU_DONE). */
void vcpu_join(struct vcpu *vcpu);

/* Installs the handler of the kick's signal. Before the first vcpu_start(). */
int vcpu_init_kick(struct vm_error *err);

#endif

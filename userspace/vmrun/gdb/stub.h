/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What gdb talks to: bytes of its remote protocol in, vCPUs that stand, step and go on out.
 * It belongs to one thread. How vCPUs are held and bytes are sent is the caller's, by ops.
 *
 * The guest is either running or standing: all vCPUs are held while gdb thinks ("all-stop").
 * Each vCPU is a thread of gdb's, with its number and one more as its id.
 */
#ifndef VMRUN_GDB_STUB_H
#define VMRUN_GDB_STUB_H

#include "access.h"
#include "hard.h"
#include "packet.h"
#include "registers.h"

/* @ctx is that of gdb_stub_create(). */
struct gdb_ops {
	/* Returns when no vCPU is in the guest any more. */
	void (*hold)(void *ctx);
	/* Lets vCPU @cpu go on, as far as the debugger is concerned. */
	void (*release)(void *ctx, unsigned int cpu);
	/* The debug exit at which vCPU @cpu stands, once; it stays held. */
	bool (*take_exit)(void *ctx, unsigned int cpu, struct kvirt_debug_exit_arch *exit);
	/* gdb wants the machine's end. */
	void (*kill)(void *ctx);
	void (*send)(void *ctx, const void *data, size_t len);
};

enum gdb_action {
	GDB_UNSAID,
	GDB_STAND,
	GDB_STEP,
	GDB_GO,
};

enum gdb_stop {
	GDB_STOP_NONE,		/* the guest's own exception, given back to it */
	GDB_STOP_ATTACHED,
	GDB_STOP_INTERRUPT,
	GDB_STOP_SOFT,
	GDB_STOP_ALIAS,		/* a breakpoint, but by an address that gdb does not know */
	GDB_STOP_HARD,
	GDB_STOP_WATCH,
	GDB_STOP_STEP,
};

struct gdb_cpu {
	struct kvirt_vcpu *kvirt;
	enum gdb_action action;
	enum gdb_stop stop;		/* NONE: nothing that is still to be told */
	enum gdb_hard_kind kind;	/* of a WATCH, with address */
	u64 address;			/* of an ALIAS too: where it stands */
	bool at_alias;			/* gdb was told of that, and it has not gone on */
};

struct gdb_stub {
	const struct gdb_ops *ops;
	void *ctx;
	u32 debug_flags;	/* KVIRT_GUESTDBG_* that the accelerator knows */
	struct gdb_view view;	/* the caller sets has_avx before a debugger is there */
	enum gdb_bits bits_next;	/* view.bits when gdb asks anew what there is */
	struct gdb_access access;
	struct gdb_hard hard;

	bool attached;
	bool running;
	bool no_ack;
	bool tells_kind;	/* gdb knows swbreak and hwbreak */
	unsigned int current;	/* vCPU whose registers and memory are meant */
	struct gdb_cpu told;	/* the last stop, of vCPU told_cpu */
	unsigned int told_cpu;
	/* Steps alone over an INT3 that is lifted meanwhile, before others go on; or NULL. */
	struct gdb_cpu *passing;
	u64 lifted;

	struct gdb_input in;
	struct gdb_text reply;
	struct gdb_registers before, after;	/* scratch of one command */
	char frame[GDB_MAX_FRAME];

	unsigned int nr_cpus;
	struct gdb_cpu cpu[];
};

/* NULL when there is no memory. The caller sets cpu[].kvirt of @nr_cpus, and view.has_avx. */
struct gdb_stub *gdb_stub_create(const struct gdb_ops *ops, void *ctx, const struct memory *mem,
				 u32 debug_flags, unsigned int nr_cpus);
void gdb_stub_destroy(struct gdb_stub *stub);

/* A debugger is there: the guest stops. */
void gdb_stub_attach(struct gdb_stub *stub);

/* It has gone without a word: no breakpoint stays; who stood goes on standing. */
void gdb_stub_lost(struct gdb_stub *stub);

void gdb_stub_input(struct gdb_stub *stub, const u8 *data, size_t len);

/* One vCPU or more stand at a debug exit. */
void gdb_stub_exits(struct gdb_stub *stub);

/* The machine has ended with @status: tells a debugger that waits. */
void gdb_stub_ended(struct gdb_stub *stub, int status);

/* ---- stub.c, for command.c ---- */

/* Writes the last stop as a reply. */
void gdb_tell_stop(struct gdb_stub *stub);

/* Lets the vCPUs do what cpu[].action says. Where that cannot be, the reply says so. */
void gdb_resume(struct gdb_stub *stub);

/* The guest goes on without a debugger. */
void gdb_detach(struct gdb_stub *stub);

void gdb_error(struct gdb_stub *stub, u8 error);

/* ---- command.c, for stub.c: serves the packet in stub->in, and sends the reply ---- */

void gdb_command(struct gdb_stub *stub);
void gdb_send_reply(struct gdb_stub *stub);

#endif

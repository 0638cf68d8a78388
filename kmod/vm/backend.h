/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The waist: all that vm/vcpu.c and run/run.c may ask of VT-x or AMD-V. One const table,
 * chosen at load by main.c, called through static calls. At most 20 calls; a new one is
 * argued for in its commit.
 *
 * "Window" is the strict window: one section with interrupts off, from open() to close(),
 * that holds every VMX or SVM instruction; close() puts the host's state back as found.
 */
#ifndef KVIRT_VM_BACKEND_H
#define KVIRT_VM_BACKEND_H

#include <linux/static_call.h>
#include "exit.h"
#include "npt.h"
#include "vcpu.h"
#include "vm.h"

struct kvirt_backend {
	const char *name;		/* "VT-x", "AMD-V" */

	/*
	 * At load, process context: check the CPU, fill @features, allocate per-CPU pages.
	 * 0, -ENODEV (no such hardware, silent), -EOPNOTSUPP after one line in the log that says
	 * why, or -ENOMEM. remove() undoes it, whatever came of it.
	 */
	int (*probe)(struct backend_features *features);
	void (*remove)(void);

	/* Process context, may sleep. 0 or -errno. */
	int (*vcpu_init)(struct vcpu *vcpu);
	void (*vcpu_fini)(struct vcpu *vcpu);

	/*
	 * Interrupts off: make this CPU able to touch @vcpu's control block. 0; -EBUSY
	 * where another owner of the hardware leaves no room. An NMI or machine check
	 * that ended the window is handed to the host by close().
	 */
	int (*open)(struct vcpu *vcpu);
	void (*close)(struct vcpu *vcpu);
	/*
	 * At sched_out and the end of an ioctl, irqs off: forget what this CPU cached for it. With
	 * features.unload alone: VT-x translations carry their root, so close() leaves nothing.
	 */
	void (*unload)(struct vcpu *vcpu);

	/* All below: window open. Move register groups from, to the control block. */
	void (*pull)(struct vcpu *vcpu, u32 groups);
	void (*push)(struct vcpu *vcpu, u32 groups);
	/*
	 * Dirty groups are pushed: drop what vcpu->flush says, run the guest until it exits, with
	 * features.deadline at vcpu->deadline_asked at the latest (EXIT_DEADLINE), fill @exit
	 * whole. After it the general registers (but RSP) and CR2 are in vcpu->state, and
	 * vcpu->valid names all groups that are: at least RIP, CR2 and X86_GROUPS_OWN. The guest's
	 * syscall MSRs, which a window that only pulls does not need, are loaded by its first
	 * enter().
	 */
	void (*enter)(struct vcpu *vcpu, struct kvirt_exit *exit);
	/* This event goes in with the next entry, once. */
	void (*inject)(struct vcpu *vcpu, const struct kvirt_event *event);
	/* vcpu->windows has changed. */
	void (*windows)(struct vcpu *vcpu);
};

extern const struct kvirt_backend vmx_backend;
extern const struct kvirt_backend svm_backend;

/* What every back end has, by this name behind its prefix: vmx_open(), svm_open()... */
#define BACKEND_CALLS(F)						\
	F(vcpu_init) F(vcpu_fini) F(open) F(close) F(pull) F(push)	\
	F(enter) F(inject) F(windows)

#define BACKEND_TYPE(name)	typeof(*((struct kvirt_backend *)0)->name)
#define BACKEND_DECLARE(name)	DECLARE_STATIC_CALL(backend_##name, BACKEND_TYPE(name));
BACKEND_CALLS(BACKEND_DECLARE)
BACKEND_DECLARE(unload)

/* Patch the calls to @chosen's: once, at load, before the device appears. */
void backend_select(const struct kvirt_backend *chosen);

#endif

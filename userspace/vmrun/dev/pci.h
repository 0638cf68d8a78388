/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A PCI host bridge with one bus, reached by ECAM and by the ports 0xcf8 and 0xcfc, and
 * the part of a function that is alike in all: configuration space, memory BARs,
 * capabilities. After the PCI Local Bus specification 3.0, sections 6.1, 6.2, 6.7, and
 * PCI Express 2.0, section 7.2.2 (ECAM). There is no firmware: BARs have their
 * addresses from the start, with decoding off, and the guest may move them.
 */
#ifndef VMRUN_DEV_PCI_H
#define VMRUN_DEV_PCI_H

#include <pthread.h>

#include "../bus.h"
#include "../log.h"
#include "../memory.h"
#include "../types.h"

/* All in the hole below 4 GiB; boot/acpi.c and boot/e820.c tell the guest. */
#define PCI_WINDOW_BASE		MEMORY_HOLE_START
#define PCI_WINDOW_SIZE		MIB(512)
#define PCI_ECAM_BASE		(PCI_WINDOW_BASE + PCI_WINDOW_SIZE)
#define PCI_ECAM_SIZE		MIB(1)		/* bus 0 */

#define PCI_CONFIG_PORT		0xcf8
#define PCI_CONFIG_PORTS	8

#define PCI_MAX_FUNCTIONS	32	/* each is function 0 of a device */
#define PCI_MAX_BARS		6
#define PCI_CONFIG_SIZE		256

/* A BAR that decodes nothing: memory decoding is off. */
#define PCI_BAR_OFF		UINT64_MAX

struct pci_identity {
	u16 vendor, device, subsystem_vendor, subsystem;
	u32 class;		/* class, subclass, interface: 24 bits */
	u8 revision;
};

/*
 * What a function does. From vCPU threads, several at once, without a lock of this
 * file's, bar_moved excepted. @data and @len are an access that lies inside of the BAR or
 * the configuration space. Each may be NULL.
 */
struct pci_function_ops {
	void (*bar_read)(void *ctx, unsigned int bar, u64 offset, u8 *data, unsigned int len);
	void (*bar_write)(void *ctx, unsigned int bar, u64 offset, const u8 *data,
			  unsigned int len);
	/* Capabilities: after @data was filled from what is stored, or after it was stored. */
	void (*config_read)(void *ctx, unsigned int offset, u8 *data, unsigned int len);
	void (*config_write)(void *ctx, unsigned int offset, const u8 *data, unsigned int len);
	/* @bar is now at @addr, or PCI_BAR_OFF. Under pci->lock: it takes no other lock. */
	void (*bar_moved)(void *ctx, unsigned int bar, u64 addr);
	/* The bus master bit changed; what it is by now, pci_is_bus_master() says. */
	void (*bus_master)(void *ctx);
};

struct pci_bar {
	u64 size;		/* 0: there is none. const once the vCPUs run */
	bool wide;		/* 64 bits: takes the next register too. const, too */
	u64 addr;		/* p: as decoded, or PCI_BAR_OFF */
};

/* Letters: c const once the vCPUs run, p pci->lock. */
struct pci_function {
	struct pci *pci;			/* c */
	const struct pci_function_ops *ops;	/* c */
	void *ctx;				/* c */
	u8 config[PCI_CONFIG_SIZE];		/* p */
	u8 writable[PCI_CONFIG_SIZE];		/* c: the bits that the guest can change */
	struct pci_bar bar[PCI_MAX_BARS];
	unsigned int next_capability;		/* c: where it goes */
	unsigned int last_link;			/* c: the byte that will point to it */
};

struct pci {
	pthread_mutex_t lock;		/* inside of all locks of devices */
	const struct memory *memory;	/* c: what functions read and write */
	struct pci_function *function[PCI_MAX_FUNCTIONS];	/* c */
	u64 next_addr;			/* c: where the window is free */
	u32 config_addr;		/* p: the register at port 0xcf8 */
	const struct bus_ops *reset;	/* c: a byte at port 0xcf9; NULL: nobody's */
	void *reset_dev;		/* c */
};

/* The bus with its bridge, function 0. Returns 0, or -1 with @err filled in. */
int pci_create(struct pci *pci, const struct memory *memory, struct vm_error *err);
void pci_destroy(struct pci *pci);

/* Gives the bridge its ranges. Returns 0, or -1 when one is taken. */
int pci_attach(struct pci *pci, struct bus *mmio, struct bus *ports);

/*
 * Adds a function in the next free slot; pci_remove() frees it. These four are for the
 * time before the vCPUs run, pci_remove() for the time after. NULL with @err filled in.
 */
struct pci_function *pci_add(struct pci *pci, const struct pci_identity *identity,
			     const struct pci_function_ops *ops, void *ctx,
			     struct vm_error *err);
void pci_remove(struct pci_function *function);

/*
 * Memory BARs: @size is a power of two, a page at least. A 64-bit one takes @bar and the
 * next. Return 0, or -1 with @err filled in: the window is full.
 */
int pci_add_bar32(struct pci_function *function, unsigned int bar, u64 size,
		  struct vm_error *err);
int pci_add_bar64(struct pci_function *function, unsigned int bar, u64 size,
		  struct vm_error *err);

/*
 * Adds capability @id: @body is what follows its two bytes of header, @writable (NULL:
 * nothing) its writable bits. Returns its offset, or 0 when it does not fit.
 */
unsigned int pci_add_capability(struct pci_function *function, u8 id, const void *body,
				const void *writable, unsigned int len);

/* Reads what is stored; any thread, takes pci->lock. */
void pci_config_get(struct pci_function *function, unsigned int offset, void *data,
		    unsigned int len);

/*
 * Whether @function may reach memory by itself, to read or write it or to send a message.
 * Any thread, takes pci->lock.
 */
bool pci_is_bus_master(struct pci_function *function);

/* Where @bar is now, or PCI_BAR_OFF. Any thread, takes pci->lock. */
u64 pci_bar_addr(struct pci_function *function, unsigned int bar);

#endif

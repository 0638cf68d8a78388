// SPDX-License-Identifier: GPL-2.0
/*
 * Configuration space by both ways, and accesses to memory BARs: one range of the bus
 * covers the whole window, and the function is found by where its BARs are now. What
 * functions do is in their files (virtio/pci.c). Called by vCPUs through bus.c.
 */
#include <stdlib.h>
#include <string.h>

#include "pci.h"

enum {
	REG_VENDOR = 0x00, REG_DEVICE = 0x02, REG_COMMAND = 0x04, REG_STATUS = 0x06,
	REG_REVISION = 0x08, REG_CLASS = 0x09, REG_CACHE_LINE = 0x0c, REG_LATENCY = 0x0d,
	REG_BAR = 0x10, REG_BARS_END = 0x28, REG_SUBSYSTEM_VENDOR = 0x2c,
	REG_SUBSYSTEM = 0x2e, REG_CAPABILITIES = 0x34, REG_INTERRUPT_LINE = 0x3c,
	REG_OWN = 0x40,
};

#define COMMAND_MEMORY		BIT(1)
#define COMMAND_BUS_MASTER	BIT(2)
#define COMMAND_NO_INTX		BIT(10)
#define STATUS_CAPABILITIES	BIT(4)

#define BAR_64			0x4u
#define BAR_FLAGS		0xfu

#define ADDR_ENABLE		BIT(31)

#define PAGE			4096

/* A bridge that no driver knows, with a class that every kernel does. */
static const struct pci_identity bridge_identity = {
	.vendor = 0x1b36, .device = 0x0008, .class = 0x060000,
};

static const struct pci_function_ops no_ops;

static void put16(u8 *config, unsigned int offset, u16 value)
{
	memcpy(config + offset, &value, sizeof(value));
}

static u32 get32(const u8 *config, unsigned int offset)
{
	u32 value;

	memcpy(&value, config + offset, sizeof(value));
	return value;
}

static void put32(u8 *config, unsigned int offset, u32 value)
{
	memcpy(config + offset, &value, sizeof(value));
}

/* ---- building ---- */

static unsigned int find_slot(const struct pci *pci)
{
	unsigned int i;

	for (i = 0; i < PCI_MAX_FUNCTIONS && pci->function[i]; i++)
		;
	return i;
}

struct pci_function *pci_add(struct pci *pci, const struct pci_identity *identity,
			     const struct pci_function_ops *ops, void *ctx,
			     struct vm_error *err)
{
	unsigned int slot = find_slot(pci);
	struct pci_function *f;
	unsigned int i;

	f = slot < PCI_MAX_FUNCTIONS ? calloc(1, sizeof(*f)) : NULL;
	if (!f) {
		vm_fail(err, VM_STATUS_FAILURE,
			slot < PCI_MAX_FUNCTIONS ? NULL : "give the machine fewer devices",
			slot < PCI_MAX_FUNCTIONS ? "out of memory" : "the PCI bus is full");
		return NULL;
	}
	f->pci = pci;
	f->ops = ops;
	f->ctx = ctx;
	f->next_capability = REG_OWN;
	f->last_link = REG_CAPABILITIES;
	for (i = 0; i < PCI_MAX_BARS; i++)
		f->bar[i].addr = PCI_BAR_OFF;
	put16(f->config, REG_VENDOR, identity->vendor);
	put16(f->config, REG_DEVICE, identity->device);
	put32(f->config, REG_REVISION, identity->class << 8 | identity->revision);
	put16(f->config, REG_SUBSYSTEM_VENDOR, identity->subsystem_vendor);
	put16(f->config, REG_SUBSYSTEM, identity->subsystem);
	put16(f->writable, REG_COMMAND, COMMAND_MEMORY | COMMAND_BUS_MASTER | COMMAND_NO_INTX);
	f->writable[REG_CACHE_LINE] = 0xff;
	f->writable[REG_LATENCY] = 0xff;
	f->writable[REG_INTERRUPT_LINE] = 0xff;
	pci->function[slot] = f;
	return f;
}

void pci_remove(struct pci_function *function)
{
	unsigned int i;

	for (i = 0; i < PCI_MAX_FUNCTIONS; i++)
		if (function->pci->function[i] == function)
			function->pci->function[i] = NULL;
	free(function);
}

/* A place in the window. It is not given back: functions go when the machine does. */
static int place_bar(struct pci_function *f, unsigned int bar, u64 size, u64 *addr,
		     struct vm_error *err)
{
	struct pci *pci = f->pci;
	u64 start = align_up(pci->next_addr, size);

	if (start + size > PCI_WINDOW_BASE + PCI_WINDOW_SIZE)
		return vm_fail(err, VM_STATUS_FAILURE, "give the machine fewer devices",
			       "the PCI devices' registers do not fit below 4 GiB");
	pci->next_addr = start + size;
	f->bar[bar].size = size;
	*addr = start;
	return 0;
}

int pci_add_bar32(struct pci_function *function, unsigned int bar, u64 size,
		  struct vm_error *err)
{
	unsigned int reg = REG_BAR + 4 * bar;
	u64 addr = 0;

	if (place_bar(function, bar, size, &addr, err))
		return -1;
	put32(function->config, reg, addr);
	put32(function->writable, reg, ~(size - 1));
	return 0;
}

int pci_add_bar64(struct pci_function *function, unsigned int bar, u64 size,
		  struct vm_error *err)
{
	unsigned int reg = REG_BAR + 4 * bar;
	u64 addr = 0;

	if (place_bar(function, bar, size, &addr, err))
		return -1;
	function->bar[bar].wide = true;
	put32(function->config, reg, addr | BAR_64);
	put32(function->config, reg + 4, addr >> 32);
	put32(function->writable, reg, ~(size - 1));
	put32(function->writable, reg + 4, ~(size - 1) >> 32);
	return 0;
}

unsigned int pci_add_capability(struct pci_function *function, u8 id, const void *body,
				const void *writable, unsigned int len)
{
	unsigned int offset = function->next_capability;

	if (len > PCI_CONFIG_SIZE || offset + 2 + len > PCI_CONFIG_SIZE)
		return 0;
	function->config[offset] = id;
	memcpy(function->config + offset + 2, body, len);
	if (writable)
		memcpy(function->writable + offset + 2, writable, len);
	function->config[function->last_link] = offset;
	function->last_link = offset + 1;
	function->next_capability = align_up(offset + 2 + len, 4);
	put16(function->config, REG_STATUS, STATUS_CAPABILITIES);
	return offset;
}

/* ---- configuration space ---- */

static u64 decode_bar(const struct pci_function *f, unsigned int bar)
{
	u64 addr;

	if (!(f->config[REG_COMMAND] & COMMAND_MEMORY))
		return PCI_BAR_OFF;
	addr = get32(f->config, REG_BAR + 4 * bar) & ~BAR_FLAGS;
	if (f->bar[bar].wide)
		addr |= (u64)get32(f->config, REG_BAR + 4 * bar + 4) << 32;
	return addr;
}

/* A BAR or the command register was written. */
static void update_bars(struct pci_function *f)
{
	unsigned int i;

	for (i = 0; i < PCI_MAX_BARS; i++) {
		struct pci_bar *bar = &f->bar[i];
		u64 addr;

		if (!bar->size)
			continue;
		addr = decode_bar(f, i);
		if (addr == bar->addr)
			continue;
		bar->addr = addr;
		if (f->ops->bar_moved)
			f->ops->bar_moved(f->ctx, i, addr);
	}
}

void pci_config_get(struct pci_function *function, unsigned int offset, void *data,
		    unsigned int len)
{
	pthread_mutex_lock(&function->pci->lock);
	memcpy(data, function->config + offset, len);
	pthread_mutex_unlock(&function->pci->lock);
}

bool pci_is_bus_master(struct pci_function *function)
{
	u8 command;

	pci_config_get(function, REG_COMMAND, &command, sizeof(command));
	return command & COMMAND_BUS_MASTER;
}

u64 pci_bar_addr(struct pci_function *function, unsigned int bar)
{
	u64 addr;

	pthread_mutex_lock(&function->pci->lock);
	addr = function->bar[bar].addr;
	pthread_mutex_unlock(&function->pci->lock);
	return addr;
}

/* The space of one function: 4 KiB by ECAM, of which all but the first 256 bytes are zero. */
static void config_read(struct pci_function *f, unsigned int offset, u8 *data, unsigned int len)
{
	memset(data, 0, len);
	if (offset >= PCI_CONFIG_SIZE || len > PCI_CONFIG_SIZE - offset)
		return;
	pci_config_get(f, offset, data, len);
	if (offset >= REG_OWN && f->ops->config_read)
		f->ops->config_read(f->ctx, offset, data, len);
}

static void config_write(struct pci_function *f, unsigned int offset, const u8 *data,
			 unsigned int len)
{
	u8 before;
	unsigned int i;

	if (offset >= PCI_CONFIG_SIZE || len > PCI_CONFIG_SIZE - offset)
		return;
	pthread_mutex_lock(&f->pci->lock);
	before = f->config[REG_COMMAND];
	for (i = 0; i < len; i++) {
		u8 w = f->writable[offset + i];

		f->config[offset + i] = (f->config[offset + i] & ~w) | (data[i] & w);
	}
	if (offset < REG_BARS_END)
		update_bars(f);
	before ^= f->config[REG_COMMAND];
	pthread_mutex_unlock(&f->pci->lock);
	if ((before & COMMAND_BUS_MASTER) && f->ops->bus_master)
		f->ops->bus_master(f->ctx);
	if (offset >= REG_OWN && f->ops->config_write)
		f->ops->config_write(f->ctx, offset, data, len);
}

/* @devfn: device and function, as addresses have them; NULL when nobody is there. */
static struct pci_function *find_function(struct pci *pci, unsigned int devfn)
{
	return devfn & 7 ? NULL : pci->function[devfn >> 3 & (PCI_MAX_FUNCTIONS - 1)];
}

static void ecam_read(void *dev, u64 offset, u8 *data, unsigned int len)
{
	struct pci_function *f = find_function(dev, offset >> 12);

	if (f)
		config_read(f, offset & 0xfff, data, len);
	else
		memset(data, 0xff, len);
}

static void ecam_write(void *dev, u64 offset, const u8 *data, unsigned int len)
{
	struct pci_function *f = find_function(dev, offset >> 12);

	if (f)
		config_write(f, offset & 0xfff, data, len);
}

static const struct bus_ops ecam_ops = {
	.read = ecam_read,
	.write = ecam_write,
};

/* The function that the address register selects, and which of its registers. */
static struct pci_function *selected(struct pci *pci, unsigned int *reg)
{
	u32 addr;

	pthread_mutex_lock(&pci->lock);
	addr = pci->config_addr;
	pthread_mutex_unlock(&pci->lock);
	*reg = addr & 0xfc;
	/* Bits 16 to 23 are the bus: there is one. */
	if (!(addr & ADDR_ENABLE) || (addr >> 16 & 0xff))
		return NULL;
	return find_function(pci, addr >> 8 & 0xff);
}

/* Section 3.2.2.3.2: the address register is one word; smaller accesses are somebody else's. */
static void ports_read(void *dev, u64 offset, u8 *data, unsigned int len)
{
	struct pci *pci = dev;
	struct pci_function *f;
	unsigned int reg;

	memset(data, 0xff, len);
	if (offset >= 4) {
		f = selected(pci, &reg);
		if (f)
			config_read(f, reg + (offset & 3), data, len);
	} else if (!offset && len == sizeof(pci->config_addr)) {
		pthread_mutex_lock(&pci->lock);
		memcpy(data, &pci->config_addr, len);
		pthread_mutex_unlock(&pci->lock);
	} else if (offset == 1 && len == 1 && pci->reset) {
		pci->reset->read(pci->reset_dev, 0, data, len);
	}
}

static void ports_write(void *dev, u64 offset, const u8 *data, unsigned int len)
{
	struct pci *pci = dev;
	struct pci_function *f;
	unsigned int reg;

	if (offset >= 4) {
		f = selected(pci, &reg);
		if (f)
			config_write(f, reg + (offset & 3), data, len);
	} else if (!offset && len == sizeof(pci->config_addr)) {
		pthread_mutex_lock(&pci->lock);
		memcpy(&pci->config_addr, data, len);
		pthread_mutex_unlock(&pci->lock);
	} else if (offset == 1 && len == 1 && pci->reset) {
		pci->reset->write(pci->reset_dev, 0, data, len);
	}
}

static const struct bus_ops ports_ops = {
	.read = ports_read,
	.write = ports_write,
	.whole = true,
};

/* ---- memory BARs ---- */

/* Whose BAR has all of an access at @addr; NULL: nobody's. */
static struct pci_function *find_bar(struct pci *pci, u64 addr, unsigned int len,
				     unsigned int *bar, u64 *offset)
{
	struct pci_function *f = NULL;
	unsigned int i, j;

	pthread_mutex_lock(&pci->lock);
	for (i = 0; i < PCI_MAX_FUNCTIONS; i++) {
		for (j = 0; pci->function[i] && j < PCI_MAX_BARS; j++) {
			const struct pci_bar *b = &pci->function[i]->bar[j];

			if (!b->size || addr < b->addr || addr - b->addr >= b->size ||
			    len > b->size - (addr - b->addr))
				continue;
			f = pci->function[i];
			*bar = j;
			*offset = addr - b->addr;
			goto found;
		}
	}
found:
	pthread_mutex_unlock(&pci->lock);
	return f;
}

static void window_read(void *dev, u64 offset, u8 *data, unsigned int len)
{
	struct pci_function *f;
	unsigned int bar;
	u64 inside;

	f = find_bar(dev, PCI_WINDOW_BASE + offset, len, &bar, &inside);
	memset(data, 0xff, len);
	if (f && f->ops->bar_read)
		f->ops->bar_read(f->ctx, bar, inside, data, len);
}

static void window_write(void *dev, u64 offset, const u8 *data, unsigned int len)
{
	struct pci_function *f;
	unsigned int bar;
	u64 inside;

	f = find_bar(dev, PCI_WINDOW_BASE + offset, len, &bar, &inside);
	if (f && f->ops->bar_write)
		f->ops->bar_write(f->ctx, bar, inside, data, len);
}

static const struct bus_ops window_ops = {
	.read = window_read,
	.write = window_write,
};

/* ---- the bridge's life ---- */

int pci_create(struct pci *pci, const struct memory *memory, struct vm_error *err)
{
	memset(pci, 0, sizeof(*pci));
	pthread_mutex_init(&pci->lock, NULL);
	pci->memory = memory;
	pci->next_addr = PCI_WINDOW_BASE;
	if (pci_add(pci, &bridge_identity, &no_ops, NULL, err))
		return 0;
	pthread_mutex_destroy(&pci->lock);
	return -1;
}

void pci_destroy(struct pci *pci)
{
	unsigned int i;

	for (i = 0; i < PCI_MAX_FUNCTIONS; i++)
		free(pci->function[i]);
	pthread_mutex_destroy(&pci->lock);
}

int pci_attach(struct pci *pci, struct bus *mmio, struct bus *ports)
{
	if (bus_add(mmio, PCI_WINDOW_BASE, PCI_WINDOW_SIZE, &window_ops, pci) ||
	    bus_add(mmio, PCI_ECAM_BASE, PCI_ECAM_SIZE, &ecam_ops, pci) ||
	    bus_add(ports, PCI_CONFIG_PORT, PCI_CONFIG_PORTS, &ports_ops, pci))
		return -1;
	return 0;
}

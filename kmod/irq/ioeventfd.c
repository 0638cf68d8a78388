// SPDX-License-Identifier: GPL-2.0
/*
 * Ioeventfds: write-only devices on the bus that take a write of their length and value,
 * and signal. Inside a window too: what a signal wakes is looked at by the host's pending
 * work before the guest is entered again. An eventfd that all others closed stays until it
 * is deassigned or the VM goes. Called by api/vm_fd.c.
 */
#include <linux/slab.h>
#include "../host/compat.h"
#include "../vm/vcpu.h"
#include "eventfd.h"

struct ioeventfd {
	struct list_head link;		/* in vm->ioeventfds, under bus_lock; the rest: constant */
	struct bus_device device;
	struct eventfd_ctx *eventfd;
	u64 addr, datamatch;
	u32 len;
	enum bus_kind kind;
	bool any;			/* no datamatch: any value */
};

/* Little endian: shorter values fill the low bytes. */
static int ioeventfd_write(struct bus_device *device, struct vcpu *vcpu, u64 addr,
			   const void *data, u32 len)
{
	const struct ioeventfd *e = container_of(device, struct ioeventfd, device);
	u64 value = 0;

	if (addr != e->addr || (e->len && e->len != len))
		return -ENOENT;
	memcpy(&value, data, len);
	if (!e->any && value != e->datamatch)
		return -ENOENT;
	host_eventfd_signal(e->eventfd);
	return 0;
}

static const struct bus_ops ioeventfd_ops = { .write = ioeventfd_write };

/* A write could mean both. */
static bool collide(const struct ioeventfd *a, const struct ioeventfd *b)
{
	return a->kind == b->kind && a->addr == b->addr &&
	       (!a->len || !b->len ||
		(a->len == b->len && (a->any || b->any || a->datamatch == b->datamatch)));
}

static bool same(const struct ioeventfd *a, const struct ioeventfd *b)
{
	return a->kind == b->kind && a->eventfd == b->eventfd && a->addr == b->addr &&
	       a->len == b->len && a->any == b->any && (a->any || a->datamatch == b->datamatch);
}

static void ioeventfd_free(struct ioeventfd *e)
{
	list_del(&e->link);
	eventfd_ctx_put(e->eventfd);
	kfree(e);
}

/* Takes over @new's reference of the eventfd if it gives 0. */
static int assign(struct vm *vm, const struct ioeventfd *new)
{
	struct ioeventfd *e;
	int err;

	list_for_each_entry(e, &vm->ioeventfds, link)
		if (collide(e, new))
			return -EEXIST;
	e = kmalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);
	if (!e)
		return -ENOMEM;
	*e = *new;
	err = bus_add(vm, e->kind, e->addr, e->len, &e->device);
	if (err)
		kfree(e);
	else
		list_add_tail(&e->link, &vm->ioeventfds);
	return err;
}

static int deassign(struct vm *vm, const struct ioeventfd *old)
{
	struct ioeventfd *e;

	list_for_each_entry(e, &vm->ioeventfds, link) {
		if (!same(e, old))
			continue;
		bus_remove(vm, &e->device);
		ioeventfd_free(e);
		return 0;
	}
	return -ENOENT;
}

/* What KVM looks at when one is assigned. */
static bool valid(const struct kvirt_ioeventfd *args)
{
	const u32 flags = KVIRT_IOEVENTFD_FLAG_DATAMATCH | KVIRT_IOEVENTFD_FLAG_PIO;

	return (args->len <= 2 || args->len == 4 || args->len == 8) &&
	       args->addr + args->len >= args->addr && !(args->flags & ~flags) &&
	       (args->len || !(args->flags & KVIRT_IOEVENTFD_FLAG_DATAMATCH));
}

long ioeventfd_set(struct vm *vm, void *data)
{
	const struct kvirt_ioeventfd *args = data;
	bool remove = args->flags & KVIRT_IOEVENTFD_FLAG_DEASSIGN;
	struct ioeventfd e = {
		.device.ops = &ioeventfd_ops,
		.addr = args->addr,
		.len = args->len,
		.datamatch = args->datamatch,
		.kind = args->flags & KVIRT_IOEVENTFD_FLAG_PIO ? BUS_PIO : BUS_MMIO,
		.any = !(args->flags & KVIRT_IOEVENTFD_FLAG_DATAMATCH),
	};
	int err;

	if (!remove && !valid(args))
		return -EINVAL;
	e.eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(e.eventfd))
		return PTR_ERR(e.eventfd);
	mutex_lock(&vm->bus_lock);
	err = remove ? deassign(vm, &e) : assign(vm, &e);
	mutex_unlock(&vm->bus_lock);
	if (err || remove)
		eventfd_ctx_put(e.eventfd);
	return err;
}

void ioeventfds_free(struct vm *vm)
{
	struct ioeventfd *e, *next;

	list_for_each_entry_safe(e, next, &vm->ioeventfds, link)
		ioeventfd_free(e);
}

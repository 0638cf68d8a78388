// SPDX-License-Identifier: GPL-2.0
/*
 * Irqfds: interrupts by signalling an eventfd. Its wait queue calls here, interrupts off under the
 * queue's lock, and the interrupt is delivered at once by the route that the GSI has then. The
 * eventfd's last close takes its irqfd away under that same lock; DEASSIGN and the VM's end unlink
 * it first and then wait for the lock. Who unlinks it frees it. One that resamples holds its line
 * until the guest's EOI, then tells by another eventfd.
 *
 * Ioeventfds: write-only devices on the bus that take a write of their length and value, and
 * signal. Inside a window too: what a signal wakes is looked at by the host's pending work before
 * the guest is entered again. An eventfd that others closed stays until deassigned or the VM goes.
 *
 * Called by api/vm_fd.c, the bus, and irqchip.c at the end of an interrupt.
 */
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include "../host/compat.h"
#include "irqchip.h"

struct irqfd {
	struct hlist_node link;		/* in vm->irqfds, under irqfds_lock; to read, vm->srcu */
	struct rcu_head rcu;
	wait_queue_entry_t wait;	/* in the eventfd's queue */
	poll_table table;		/* while it is assigned ... */
	int err;			/* ... what came of it */
	struct vm *vm;			/* constant, as the rest */
	struct eventfd_ctx *eventfd, *resample;	/* the second or NULL */
	u32 gsi;
};

static void irqfd_free(struct rcu_head *rcu)
{
	struct irqfd *f = container_of(rcu, struct irqfd, rcu);

	if (!IS_ERR(f->eventfd))
		eventfd_ctx_put(f->eventfd);
	if (!IS_ERR_OR_NULL(f->resample))
		eventfd_ctx_put(f->resample);
	kfree(f);
}

static void irqfd_inject(const struct irqfd *f)
{
	if (f->resample) {
		irq_set(f->vm, IRQ_SOURCE_RESAMPLER, f->gsi, true);
		return;
	}
	irq_set(f->vm, IRQ_SOURCE_USER, f->gsi, true);
	irq_set(f->vm, IRQ_SOURCE_USER, f->gsi, false);
}

static bool irqfd_ended(const struct irqfd *f, u32 chip, u32 pins)
{
	return f->resample && route_has(f->vm, f->gsi, chip, pins);
}

void irqfds_acked(struct vm *vm, u32 chip, u32 pins)
{
	int index = srcu_read_lock(&vm->srcu);
	struct irqfd *f;

	hlist_for_each_entry_srcu(f, &vm->irqfds, link, true)
		if (irqfd_ended(f, chip, pins))
			irq_set(vm, IRQ_SOURCE_RESAMPLER, f->gsi, false);
	/* Only now: whose device still wants it raises the line again. */
	hlist_for_each_entry_srcu(f, &vm->irqfds, link, true)
		if (irqfd_ended(f, chip, pins))
			host_eventfd_signal(f->resample);
	srcu_read_unlock(&vm->srcu, index);
}

/* It is unlinked and not called any more: the last that may hold its GSI's line lets go. */
static void irqfd_end(struct irqfd *f)
{
	const struct irqfd *other;
	bool held = !f->resample;

	lockdep_assert_held(&f->vm->irqfds_lock);
	hlist_for_each_entry(other, &f->vm->irqfds, link)
		held |= other->resample && other->gsi == f->gsi;
	if (!held)
		irq_set(f->vm, IRQ_SOURCE_RESAMPLER, f->gsi, false);
	call_srcu(&f->vm->srcu, &f->rcu, irqfd_free);
}

static int irqfd_wake(wait_queue_entry_t *wait, unsigned int mode, int flags, void *key)
{
	struct irqfd *f = container_of(wait, struct irqfd, wait);
	__poll_t events = key_to_poll(key);
	struct vm *vm = f->vm;
	u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(f->eventfd, &count);
		irqfd_inject(f);
	}
	if (events & EPOLLHUP) {
		/* All of it under the lock, since the VM's end waits for nothing else. */
		spin_lock(&vm->irqfds_lock);
		if (!hlist_unhashed(&f->link)) {
			hlist_del_init_rcu(&f->link);
			list_del_init(&wait->entry);
			irqfd_end(f);
		}
		spin_unlock(&vm->irqfds_lock);
	}
	return !!(events & EPOLLIN);
}

static void irqfd_queue(struct file *file, wait_queue_head_t *queue, poll_table *table)
{
	struct irqfd *f = container_of(table, struct irqfd, table);

	f->err = host_add_wait_queue_first(queue, &f->wait);
}

static struct irqfd *irqfd_find(const struct vm *vm, const struct eventfd_ctx *eventfd)
{
	struct irqfd *f;

	hlist_for_each_entry(f, &vm->irqfds, link)
		if (!eventfd || f->eventfd == eventfd)
			return f;
	return NULL;
}

/* Take away that of @eventfd if it is for @gsi; without an eventfd any. False: there is none. */
static bool irqfd_remove(struct vm *vm, const struct eventfd_ctx *eventfd, u32 gsi)
{
	struct irqfd *f;
	u64 count;

	spin_lock_irq(&vm->irqfds_lock);
	f = irqfd_find(vm, eventfd);
	if (f && eventfd && f->gsi != gsi)
		f = NULL;
	if (f)
		hlist_del_init_rcu(&f->link);
	spin_unlock_irq(&vm->irqfds_lock);
	if (!f)
		return false;
	/* Waits for its callback under the queue's lock. */
	eventfd_ctx_remove_wait_queue(f->eventfd, &f->wait, &count);
	if (f->resample)
		synchronize_srcu_expedited(&vm->srcu);
	spin_lock_irq(&vm->irqfds_lock);
	irqfd_end(f);
	spin_unlock_irq(&vm->irqfds_lock);
	return true;
}

/* bus_lock held, so that none is removed before it is queued. Takes over @f if it gives 0. */
static int irqfd_assign(struct irqfd *f, struct file *file)
{
	struct vm *vm = f->vm;

	spin_lock_irq(&vm->irqfds_lock);
	if (irqfd_find(vm, f->eventfd))
		f->err = -EBUSY;
	else
		hlist_add_head_rcu(&f->link, &vm->irqfds);
	spin_unlock_irq(&vm->irqfds_lock);
	if (f->err)
		return f->err;
	/* @file is held: no last close comes before its end. */
	if (vfs_poll(file, &f->table) & EPOLLIN && !f->err)
		irqfd_inject(f);
	if (f->err) {
		spin_lock_irq(&vm->irqfds_lock);
		hlist_del_init_rcu(&f->link);
		spin_unlock_irq(&vm->irqfds_lock);
	}
	return f->err;
}

static int irqfd_create(struct vm *vm, const struct kvirt_irqfd *args, struct file *file)
{
	struct irqfd *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	int err;

	if (!f)
		return -ENOMEM;
	f->vm = vm;
	f->gsi = args->gsi;
	init_waitqueue_func_entry(&f->wait, irqfd_wake);
	init_poll_funcptr(&f->table, irqfd_queue);
	f->eventfd = eventfd_ctx_fileget(file);
	if (args->flags & KVIRT_IRQFD_FLAG_RESAMPLE)
		f->resample = eventfd_ctx_fdget(args->resamplefd);
	err = PTR_ERR_OR_ZERO(f->eventfd) ?: PTR_ERR_OR_ZERO(f->resample) ?: irqfd_assign(f, file);
	if (err)
		call_srcu(&vm->srcu, &f->rcu, irqfd_free);
	return err;
}

long irqfd_set(struct vm *vm, void *data)
{
	enum irqchip_mode irqchip = READ_ONCE(vm->irqchip);
	const struct kvirt_irqfd *args = data;
	struct eventfd_ctx *eventfd;
	struct file *file;
	int err;

	if (args->flags & ~(KVIRT_IRQFD_FLAG_DEASSIGN | KVIRT_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	if (args->flags & KVIRT_IRQFD_FLAG_DEASSIGN) {
		eventfd = eventfd_ctx_fdget(args->fd);
		if (IS_ERR(eventfd))
			return PTR_ERR(eventfd);
		mutex_lock(&vm->bus_lock);
		irqfd_remove(vm, eventfd, args->gsi);
		mutex_unlock(&vm->bus_lock);
		eventfd_ctx_put(eventfd);
		return 0;
	}
	if (irqchip == IRQCHIP_NONE ||
	    (args->flags & KVIRT_IRQFD_FLAG_RESAMPLE && irqchip != IRQCHIP_KERNEL))
		return -EINVAL;
	file = fget(args->fd);
	if (!file)
		return -EBADF;
	mutex_lock(&vm->bus_lock);
	err = irqfd_create(vm, args, file);
	mutex_unlock(&vm->bus_lock);
	fput(file);
	return err;
}

void irqfds_free(struct vm *vm)
{
	while (irqfd_remove(vm, NULL, 0))
		;
}

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
static noinline u64 low_bytes(const void *data, u32 len)
{
	u64 value = 0;

	memcpy(&value, data, len);
	return value;
}

static int ioeventfd_access(struct bus_device *device, struct vcpu *vcpu, u64 addr, void *data,
			    u32 len, enum bus_access access)
{
	const struct ioeventfd *e = container_of(device, struct ioeventfd, device);

	if (access == BUS_READ || addr != e->addr || (e->len && e->len != len) ||
	    (!e->any && low_bytes(data, len) != e->datamatch))
		return -ENOENT;
	host_eventfd_signal(e->eventfd);
	return 0;
}

/* A write could mean both. */
static bool collide(const struct ioeventfd *a, const struct ioeventfd *b)
{
	return a->kind == b->kind && a->addr == b->addr &&
	       (!a->len || !b->len ||
		(a->len == b->len && (a->any || b->any || a->datamatch == b->datamatch)));
}

static void ioeventfd_free(struct ioeventfd *e)
{
	list_del(&e->link);
	eventfd_ctx_put(e->eventfd);
	kfree(e);
}

/* Takes over @new's reference of the eventfd if it gives 0. */
static int ioeventfd_add(struct vm *vm, const struct ioeventfd *new)
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

static int ioeventfd_remove(struct vm *vm, const struct ioeventfd *old)
{
	struct ioeventfd *e;

	list_for_each_entry(e, &vm->ioeventfds, link) {
		if (!collide(e, old) || e->eventfd != old->eventfd || e->len != old->len ||
		    e->any != old->any)
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
		.device.access = ioeventfd_access,
		.addr = args->addr, .len = args->len, .datamatch = args->datamatch,
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
	err = remove ? ioeventfd_remove(vm, &e) : ioeventfd_add(vm, &e);
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

// SPDX-License-Identifier: GPL-2.0
/*
 * Irqfds: interrupts by signalling an eventfd. Its wait queue calls here, interrupts off under the
 * queue's lock, and the interrupt is delivered at once by the route that the GSI has then. Called by
 * api/vm_fd.c.
 *
 * The eventfd's last close takes its irqfd away under that same lock; DEASSIGN and the VM's end unlink
 * it first and then wait for the lock. Who unlinks it frees it.
 *
 * One that resamples holds its line until the guest's EOI, then tells by another eventfd.
 */
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include "../host/compat.h"
#include "eventfd.h"
#include "route.h"

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
		raw_spin_lock(&vm->irqfds_lock);
		if (!hlist_unhashed(&f->link)) {
			hlist_del_init_rcu(&f->link);
			list_del_init(&wait->entry);
			irqfd_end(f);
		}
		raw_spin_unlock(&vm->irqfds_lock);
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

	raw_spin_lock_irq(&vm->irqfds_lock);
	f = irqfd_find(vm, eventfd);
	if (f && eventfd && f->gsi != gsi)
		f = NULL;
	if (f)
		hlist_del_init_rcu(&f->link);
	raw_spin_unlock_irq(&vm->irqfds_lock);
	if (!f)
		return false;
	/* Waits for its callback under the queue's lock. */
	eventfd_ctx_remove_wait_queue(f->eventfd, &f->wait, &count);
	if (f->resample)
		synchronize_srcu_expedited(&vm->srcu);
	raw_spin_lock_irq(&vm->irqfds_lock);
	irqfd_end(f);
	raw_spin_unlock_irq(&vm->irqfds_lock);
	return true;
}

/* bus_lock held, so that none is removed before it is queued. Takes over @f if it gives 0. */
static int irqfd_assign(struct irqfd *f, struct file *file)
{
	struct vm *vm = f->vm;

	raw_spin_lock_irq(&vm->irqfds_lock);
	if (irqfd_find(vm, f->eventfd))
		f->err = -EBUSY;
	else
		hlist_add_head_rcu(&f->link, &vm->irqfds);
	raw_spin_unlock_irq(&vm->irqfds_lock);
	if (f->err)
		return f->err;
	/* @file is held: no last close comes before its end. */
	if (vfs_poll(file, &f->table) & EPOLLIN && !f->err)
		irqfd_inject(f);
	if (f->err) {
		raw_spin_lock_irq(&vm->irqfds_lock);
		hlist_del_init_rcu(&f->link);
		raw_spin_unlock_irq(&vm->irqfds_lock);
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
	const struct kvirt_irqfd *args = data;
	struct eventfd_ctx *eventfd;
	enum irqchip_mode irqchip;
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
	irqchip = READ_ONCE(vm->irqchip);
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

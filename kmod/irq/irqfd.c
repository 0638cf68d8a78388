// SPDX-License-Identifier: GPL-2.0
/*
 * Irqfds: interrupts by signalling an eventfd. Its wait queue calls here, interrupts off
 * under the queue's lock, and the interrupt is delivered at once by the route that the GSI
 * has then. Called by api/vm_fd.c.
 *
 * The eventfd's last close takes its irqfd away under that same lock; DEASSIGN and the VM's
 * end unlink it first and then wait for the lock. Who unlinks it frees it.
 */
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include "../host/compat.h"
#include "eventfd.h"
#include "route.h"

struct irqfd {
	struct list_head link;		/* in vm->irqfds, under irqfds_lock */
	struct rcu_head rcu;
	wait_queue_entry_t wait;	/* in the eventfd's queue */
	poll_table table;		/* while it is assigned ... */
	int err;			/* ... what queueing gave */
	struct vm *vm;			/* constant, as the rest */
	struct eventfd_ctx *eventfd;
	u32 gsi;
};

static void irqfd_free(struct rcu_head *rcu)
{
	struct irqfd *f = container_of(rcu, struct irqfd, rcu);

	eventfd_ctx_put(f->eventfd);
	kfree(f);
}

static void irqfd_inject(const struct irqfd *f)
{
	irq_set(f->vm, IRQ_SOURCE_USER, f->gsi, true);
	irq_set(f->vm, IRQ_SOURCE_USER, f->gsi, false);
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
		raw_spin_lock(&vm->irqfds_lock);
		if (!list_empty(&f->link)) {
			list_del_init(&f->link);
			list_del_init(&wait->entry);
			/* Not by itself: this VM's end waits for it. */
			call_srcu(&vm->srcu, &f->rcu, irqfd_free);
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

	list_for_each_entry(f, &vm->irqfds, link)
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
		list_del_init(&f->link);
	raw_spin_unlock_irq(&vm->irqfds_lock);
	if (!f)
		return false;
	/* Waits for its callback under the queue's lock. */
	eventfd_ctx_remove_wait_queue(f->eventfd, &f->wait, &count);
	irqfd_free(&f->rcu);
	return true;
}

/* bus_lock held, so that none is removed before it is queued. Takes over @f if it gives 0. */
static int irqfd_assign(struct irqfd *f, struct file *file)
{
	struct vm *vm = f->vm;
	bool taken;

	raw_spin_lock_irq(&vm->irqfds_lock);
	taken = irqfd_find(vm, f->eventfd);
	if (!taken)
		list_add_tail(&f->link, &vm->irqfds);
	raw_spin_unlock_irq(&vm->irqfds_lock);
	if (taken)
		return -EBUSY;
	/* @file is held: no last close comes before its end. */
	if (vfs_poll(file, &f->table) & EPOLLIN && !f->err)
		irqfd_inject(f);
	if (f->err) {
		raw_spin_lock_irq(&vm->irqfds_lock);
		list_del_init(&f->link);
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
	INIT_LIST_HEAD(&f->link);
	init_waitqueue_func_entry(&f->wait, irqfd_wake);
	init_poll_funcptr(&f->table, irqfd_queue);
	f->eventfd = eventfd_ctx_fileget(file);
	if (IS_ERR(f->eventfd)) {
		err = PTR_ERR(f->eventfd);
		kfree(f);
		return err;
	}
	err = irqfd_assign(f, file);
	if (err)
		irqfd_free(&f->rcu);
	return err;
}

long irqfd_set(struct vm *vm, void *data)
{
	const struct kvirt_irqfd *args = data;
	struct eventfd_ctx *eventfd;
	struct file *file;
	int err = 0;

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
	if (READ_ONCE(vm->irqchip) == IRQCHIP_NONE || args->flags & KVIRT_IRQFD_FLAG_RESAMPLE)
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

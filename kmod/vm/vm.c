// SPDX-License-Identifier: GPL-2.0
/*
 * A VM's life. Its memory is slots.c, npt.c and notifier.c; its time is clock.c. Called by api/.
 *
 * Nothing here waits for a grace period: what must (an SRCU callback still on its way) is left to a
 * work item, which module unload waits for.
 */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include "slots.h"
#include "vcpu.h"
#include "vm.h"

static struct workqueue_struct *release_queue;
static cpumask_t __percpu *kick_masks;
static atomic64_t last_id;

static void vm_release(struct work_struct *work)
{
	struct vm *vm = container_of(work, struct vm, release);

	srcu_barrier(&vm->srcu);
	cleanup_srcu_struct(&vm->srcu);
	kvfree(vm);
}

struct vm *vm_create(void)
{
	struct vm *vm = kvzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	if (!vm)
		return ERR_PTR(err);
	refcount_set(&vm->refs, 1);
	vm->id = atomic64_inc_return(&last_id);
	vm->halt_poll_ns = -1;
	mutex_init(&vm->lock);
	mutex_init(&vm->slots_lock);
	mutex_init(&vm->routes_lock);
	mutex_init(&vm->bus_lock);
	INIT_LIST_HEAD(&vm->ioeventfds);
	spin_lock_init(&vm->irqfds_lock);
	INIT_WORK(&vm->release, vm_release);
	clock_init(vm);
	if (init_srcu_struct(&vm->srcu))
		goto free;
	err = npt_init(&vm->npt);
	if (err)
		goto cleanup_srcu;
	xa_init(&vm->slots);
	seqcount_latch_init(&vm->slots_by_gfn.seq);
	vm->mm = current->mm;
	mmgrab(vm->mm);
	/* Last: from here on invalidations arrive. */
	err = notifier_attach(vm);
	if (err)
		goto drop_mm;
	return vm;

drop_mm:
	mmdrop(vm->mm);
	npt_fini(&vm->npt);
cleanup_srcu:
	cleanup_srcu_struct(&vm->srcu);
free:
	kvfree(vm);
	return ERR_PTR(err);
}

void vm_destroy(struct vm *vm)
{
	unsigned int i;

	notifier_detach(vm);
	for (i = 0; i < vm_nr_vcpus(vm); i++)
		vcpu_free(vm_vcpu(vm, i));
	bus_fini(vm);
	slots_fini(vm);
	npt_fini(&vm->npt);
	mmdrop(vm->mm);
	queue_work(release_queue, &vm->release);
}

/* The interrupt itself has ended the window. */
static void leave_window(void *unused)
{
}

void vm_request_all(struct vm *vm, enum vcpu_request request)
{
	struct cpumask *mask;
	struct vcpu *vcpu;
	unsigned int i;

	preempt_disable();
	mask = this_cpu_ptr(kick_masks);
	cpumask_clear(mask);
	vm_for_each_vcpu(vm, i, vcpu) {
		set_bit(request, &vcpu->requests);
		/* Pairs with vcpu_enter_mode(): it sees the request, or we see the window. */
		smp_mb__after_atomic();
		if (READ_ONCE(vcpu->mode) == VCPU_IN_WINDOW)
			cpumask_set_cpu(READ_ONCE(vcpu->cpu), mask);
	}
	if (!cpumask_empty(mask))
		smp_call_function_many(mask, leave_window, NULL, true);
	preempt_enable();
}

int __init vm_module_init(void)
{
	kick_masks = alloc_percpu(cpumask_t);
	release_queue = kick_masks ? alloc_workqueue("kvirt-release", WQ_UNBOUND, 0) : NULL;
	if (release_queue)
		return 0;
	free_percpu(kick_masks);
	return -ENOMEM;
}

void vm_module_exit(void)
{
	destroy_workqueue(release_queue);
	mmu_notifier_synchronize();
	free_percpu(kick_masks);
}

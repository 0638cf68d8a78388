// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU's life, its registers' way to and from the hardware's control block, and how
 * others reach it. What it does while it runs is run/run.c. Called by api/, run/, irq/.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include "../host/cpu.h"
#include "../host/msr.h"
#include "../host/state.h"
#include "backend.h"

static void vcpu_sched_in(struct preempt_notifier *notifier, int cpu)
{
}

/* Interrupts are off here: what this CPU caches for the vCPU has to go now. */
static void vcpu_sched_out(struct preempt_notifier *notifier, struct task_struct *next)
{
	struct vcpu *vcpu = container_of(notifier, struct vcpu, preempt);

	static_call(backend_unload)(vcpu);
}

static struct preempt_ops preempt_ops = {
	.sched_in = vcpu_sched_in,
	.sched_out = vcpu_sched_out,
};

struct vcpu *vcpu_create(struct vm *vm, u32 id)
{
	struct vcpu *vcpu;
	int err = -ENOMEM;
	unsigned int i;

	lockdep_assert_held(&vm->lock);
	if (id >= vm->max_vcpu_id || vm_nr_vcpus(vm) >= VM_MAX_VCPUS)
		return ERR_PTR(-EINVAL);
	vm_for_each_vcpu(vm, i, vcpu)
		if (vcpu->id == id)
			return ERR_PTR(-EEXIST);
	vcpu = kvzalloc(sizeof(*vcpu) + features.hw_size, GFP_KERNEL_ACCOUNT);
	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	vcpu->hw = vcpu + 1;
	vcpu->id = id;
	mutex_init(&vcpu->mutex);
	rcuwait_init(&vcpu->wait);
	preempt_notifier_init(&vcpu->preempt, &preempt_ops);
	vcpu->cpu = -1;
	vcpu->deadline = ~0ULL;
	vcpu->run = alloc_pages_exact(VCPU_SHARED_PAGES * PAGE_SIZE,
				      GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!vcpu->run)
		goto free;
	vcpu->pio_data = (void *)vcpu->run + PAGE_SIZE;
	vcpu->ring = vcpu->pio_data + PAGE_SIZE;
	vcpu->ring->nr = KVIRT_RING_RECORDS;
	vcpu->ring->record_size = sizeof(struct kvirt_exit_record);
	vcpu->ring->tsc_khz = tsc_khz;
	err = guest_fpu_init(&vcpu->fpu);
	if (err)
		goto free_run;
	err = static_call(backend_vcpu_init)(vcpu);
	if (err)
		goto free_fpu;
	vcpu->valid = X86_GROUPS_ALL;
	vcpu_set_cpuid(vcpu, 0);
	vcpu_reset(vcpu, VCPU_POWER_UP);
	clock_set_khz(vcpu, vm->default_tsc_khz);
	/* The first TSC of a VM begins at 0, those after it join in. */
	clock_write_tsc(vcpu, 0, X86_MSR_BY_USER);
	return vcpu;

free_fpu:
	guest_fpu_free(&vcpu->fpu);
free_run:
	free_pages_exact(vcpu->run, VCPU_SHARED_PAGES * PAGE_SIZE);
free:
	kvfree(vcpu);
	return ERR_PTR(err);
}

void vcpu_publish(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	lockdep_assert_held(&vm->lock);
	vcpu->index = vm_nr_vcpus(vm);
	WRITE_ONCE(vm->vcpus[vcpu->index], vcpu);
	/* Pairs with vm_nr_vcpus(). */
	atomic_set_release(&vm->nr_vcpus, vcpu->index + 1);
}

void vcpu_free(struct vcpu *vcpu)
{
	static_call(backend_vcpu_fini)(vcpu);
	npt_cache_free(&vcpu->tables);
	guest_fpu_free(&vcpu->fpu);
	free_pages_exact(vcpu->run, VCPU_SHARED_PAGES * PAGE_SIZE);
	kvfree(vcpu);
}

void vcpu_reset(struct vcpu *vcpu, enum vcpu_reset_kind kind)
{
	struct x86_state *s = &vcpu->state;
	u32 family = vcpu->guest.signature ?: cpuid_eax(1);

	memset(&vcpu->events, 0, sizeof(vcpu->events));
	vcpu->events.external = -1;
	vcpu->complete.kind = COMPLETE_NOTHING;
	vcpu->pv.clock_msr = 0;
	vcpu->pv.steal_msr = 0;
	vcpu->pv.eoi_msr = 0;
	if (kind == VCPU_INIT) {
		vcpu_pull(vcpu, X86_GROUPS_ALL);
		x86_reset_by_init(s, family);
		/* Paging went off: its translations would serve as those without it. */
		vcpu->flush |= FLUSH_GUEST;
	} else {
		x86_reset(s, family);
		x86_msr_reset(&vcpu->msrs);
		guest_fpu_reset(&vcpu->fpu);
	}
	vcpu_set_cr4(vcpu, s->cr4);
	vcpu_dirty(vcpu, X86_GROUPS_ALL);
}

void vcpu_set_cpuid(struct vcpu *vcpu, unsigned int n)
{
	/* Which bits of CR4 the hardware has depends on it too. */
	vcpu_pull(vcpu, X86_GROUP_CR4);
	vcpu_dirty(vcpu, X86_GROUP_CR4 | X86_GROUP_CONTROLS);
	x86_cpuid_set(&vcpu->cpuid, n, &vcpu->guest, host_guest_cr4(), host_guest_efer(),
		      host_fpu_mask());
	/* A guest may use what it was not told of, until user space wants it otherwise. */
	if (!vcpu->pv.enforce) {
		vcpu->guest.has |= X86_HAS_PV;
		vcpu->guest.pv_features = ~0U;
	}
}

void vcpu_set_cr4(struct vcpu *vcpu, u64 cr4)
{
	vcpu->state.cr4 = cr4;
	vcpu->cr4_seen = cr4;
	vcpu_dirty(vcpu, X86_GROUP_CR4);
	guest_fpu_set_xcr0(&vcpu->fpu, vcpu->state.xcr0, cr4, vcpu->in_window);
}

int vcpu_open_window(struct vcpu *vcpu)
{
	int err;

	lockdep_assert_irqs_disabled();
	if (unlikely(READ_ONCE(host_going_down)))
		return -EIO;
	err = static_call(backend_open)(vcpu);
	if (unlikely(err))
		return err;
	count_privop(WINDOWS_OPENED);
	vcpu->in_window = true;
	return 0;
}

void vcpu_close_window(struct vcpu *vcpu)
{
	vcpu->in_window = false;
	static_call(backend_close)(vcpu);
}

void vcpu_push(struct vcpu *vcpu)
{
	u32 groups = vcpu->dirty;

	vcpu->dirty = 0;
	static_call(backend_push)(vcpu, groups);
}

void vcpu_pull_slow(struct vcpu *vcpu, u32 groups)
{
	unsigned long flags;

	if (vcpu->in_window) {
		static_call(backend_pull)(vcpu, groups);
		vcpu->valid |= groups;
		return;
	}
	local_irq_save(flags);
	if (!vcpu_open_window(vcpu)) {
		static_call(backend_pull)(vcpu, groups);
		vcpu_close_window(vcpu);
	} else {
		/* The registers are out of reach: zeros, and the VM ends (any request). */
		WRITE_ONCE(vcpu->vm->dead, true);
		set_bit(REQUEST_EVENT, &vcpu->requests);
	}
	vcpu->valid |= groups;
	local_irq_restore(flags);
}

void vcpu_load(struct vcpu *vcpu)
{
	if (!features.unload)
		return;
	preempt_disable();
	preempt_notifier_register(&vcpu->preempt);
	preempt_enable();
}

void vcpu_put(struct vcpu *vcpu)
{
	unsigned long flags;

	if (!features.unload)
		return;
	local_irq_save(flags);
	preempt_notifier_unregister(&vcpu->preempt);
	static_call(backend_unload)(vcpu);
	local_irq_restore(flags);
}

void vcpu_enter_mode(struct vcpu *vcpu, enum vcpu_mode mode)
{
	/* Who sees the window must find the CPU that it is on, or waits for the wrong one. */
	if (mode == VCPU_IN_WINDOW)
		WRITE_ONCE(vcpu->cpu, smp_processor_id());
	/* Pairs with vcpu_request() and vm_request_all(): mode first, then requests are read. */
	smp_store_mb(vcpu->mode, mode);
}

void vcpu_request(struct vcpu *vcpu, enum vcpu_request request)
{
	int mode, cpu;

	/* The request, a full barrier, is visible before the mode is read. */
	if (test_and_set_bit(request, &vcpu->requests))
		return;
	mode = READ_ONCE(vcpu->mode);
	if (mode == VCPU_BLOCKED) {
		rcuwait_wake_up(&vcpu->wait);
	} else if (mode == VCPU_IN_WINDOW) {
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu != raw_smp_processor_id() && cpu >= 0 && cpu_online(cpu))
			host_kick_cpu(cpu);
	}
}

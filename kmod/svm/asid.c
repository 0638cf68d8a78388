// SPDX-License-Identifier: GPL-2.0
/*
 * The address space identifier: a name in a CPU's TLB that all hypervisors share, and of which KVM
 * believes that only KVM uses it. kvirt uses one, for the vCPU that is loaded, and holds two rules:
 *
 * - what the ASID holds when a vCPU enters is that vCPU's own: it is flushed unless the
 *   same thread ran the same vCPU here last, has not been switched out since, and KVM
 *   has SVM mode off (else this very thread may have run a guest of KVM's in between);
 * - what it holds when the vCPU's thread leaves the CPU or the ioctl is nothing, if KVM
 *   had SVM mode on meanwhile: KVM would give the same ASID to a guest of its own without
 *   a flush, and that guest would reach our guest's memory. (While KVM had SVM mode off,
 *   it starts with a flush of all ASIDs when it turns it on.)
 *
 * Called by enter.c, by vm/ through vm/backend.h. Source: APM vol. 2, 15.16 (TLB control).
 */
#include <linux/sched.h>
#include "../host/state.h"
#include "svm.h"

void svm_asid_arm(struct vcpu *vcpu, bool shared)
{
	struct svm_cpu *c = this_cpu_ptr(&svm_cpu);
	struct svm_vcpu *hw = to_svm(vcpu);
	unsigned long switches = current->nvcsw + current->nivcsw;
	int cpu = smp_processor_id();

	/* Somebody else may have used the ASID before this load. */
	if (shared && !c->shared)
		c->vcpu = NULL;
	c->shared |= shared;
	if (unlikely(c->vcpu != hw || hw->last_cpu != cpu || c->task != current ||
		     c->task_start != current->start_time || c->switches != switches)) {
		c->vcpu = hw;
		c->task = current;
		c->task_start = current->start_time;
		c->switches = switches;
		vcpu->flush |= FLUSH_NESTED;
	}
	/* Cached parts of the VMCB are this CPU's; another may have run it since. */
	if (unlikely(hw->last_cpu != cpu)) {
		hw->last_cpu = cpu;
		hw->clean = 0;
	}
	c->used = true;
}

/*
 * The flush run: VMRUN of a guest without any nested translation, with a flush on entry.
 * It exits on its first fetch and leaves the ASID empty. It executes nothing, so none of
 * the state that VMRUN does not save is at risk.
 */
static void flush_run(struct svm_cpu *c)
{
	struct host_debug debug;
	struct svm_mode found;

	/* #VMEXIT disarms the host's breakpoints (APM vol. 2, 15.6). */
	host_debug_save(&debug, NULL);
	svm_mode_enter(&found, c->hsave);
	svm_clgi();
	c->flush->clean = 0;
	svm_vmrun_nothing(svm_pa(c->flush));
	svm_stgi();
	svm_mode_leave(&found);
	host_debug_restore(&debug);
}

void svm_unload(struct vcpu *vcpu)
{
	struct svm_cpu *c = this_cpu_ptr(&svm_cpu);

	if (c->used && c->shared)
		flush_run(c);
	c->used = false;
	c->shared = false;
}

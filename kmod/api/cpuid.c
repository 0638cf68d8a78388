// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID: what guests may be offered, by a snapshot of the host's taken at load, and each vCPU's own
 * table. Called by dev.c and vcpu_fd.c.
 */
#include <linux/slab.h>
#include <uapi/linux/kvirt_para.h>
#include "../host/cpu.h"
#include "../irq/lapic.h"
#include "../run/run.h"
#include "api.h"

/* Paravirtual services: EAX of leaf 0x40000001. */
#define PV_FEATURES	(BIT(KVIRT_FEATURE_CLOCKSOURCE) | BIT(KVIRT_FEATURE_NOP_IO_DELAY) | \
			 BIT(KVIRT_FEATURE_CLOCKSOURCE2) | BIT(KVIRT_FEATURE_PV_UNHALT) | \
			 BIT(KVIRT_FEATURE_STEAL_TIME) | BIT(KVIRT_FEATURE_PV_TLB_FLUSH) | \
			 BIT(KVIRT_FEATURE_PV_EOI) | BIT(KVIRT_FEATURE_PV_SEND_IPI) | \
			 BIT(KVIRT_FEATURE_PV_SCHED_YIELD) | BIT(KVIRT_FEATURE_POLL_CONTROL) | \
			 BIT(KVIRT_FEATURE_CLOCKSOURCE_STABLE_BIT))

static struct x86_cpuid_entry *snapshot;
static unsigned int nr_snapshot;

int __init cpuid_snapshot(void)
{
	struct x86_cpuid_entry e = {};

	snapshot = kvcalloc(X86_CPUID_MAX, sizeof(*snapshot), GFP_KERNEL);
	if (!snapshot)
		return -ENOMEM;
	do {
		cpuid_count(e.leaf, e.subleaf, &e.eax, &e.ebx, &e.ecx, &e.edx);
		snapshot[nr_snapshot++] = e;
	} while (x86_cpuid_next(&e) && nr_snapshot < X86_CPUID_MAX);
	return 0;
}

void cpuid_snapshot_free(void)
{
	kvfree(snapshot);
}

static int supported(struct x86_cpuid_entry *entries)
{
	const struct x86_cpuid_policy policy = {
		.host = snapshot, .nr_host = nr_snapshot,
		.xcr0 = host_fpu_mask(), .pv_features = PV_FEATURES,
		.maxphyaddr = boot_cpu_data.x86_phys_bits,
		.nested_bits = 12 + 9 * features.npt.levels,
		.rdtscp = features.rdtscp, .invpcid = features.invpcid,
		.spec_ctrl = features.spec_ctrl,
	};

	return x86_cpuid_supported(&policy, entries);
}

/* Make @n entries what the guest finds: with the bits that follow registers. */
static void follow_registers(const struct vcpu *vcpu, struct x86_cpuid_entry *e, u32 n)
{
	struct x86_cpuid_live live = cpuid_live(vcpu);

	for (; n--; e++)
		x86_cpuid_follow(&vcpu->cpuid, &live, e, e->regs);
}

long cpuid_get(const struct vcpu *vcpu, unsigned int cmd, struct kvirt_cpuid2 __user *argp)
{
	struct x86_cpuid_entry *entries;
	struct kvirt_cpuid2 head;
	long n = 0;

	if (copy_from_user(&head, argp, sizeof(head)))
		return -EFAULT;
	entries = kvcalloc(X86_CPUID_MAX, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;
	if (vcpu) {
		n = vcpu->cpuid.n;
		memcpy(entries, vcpu->cpuid.entry, n * sizeof(*entries));
		follow_registers(vcpu, entries, n);
	} else if (cmd == KVIRT_GET_SUPPORTED_CPUID) {
		n = supported(entries);
	}
	if (n < 0 || n > head.nent || (!vcpu && !head.nent)) {
		n = -E2BIG;
	} else {
		head.nent = n;
		n = copy_to_user(argp->entries, entries, n * sizeof(*entries)) ||
		    copy_to_user(argp, &head, sizeof(head)) ? -EFAULT : 0;
	}
	kvfree(entries);
	return n;
}

/* Linear addresses are 48 or 57 bits wide, where the table says it at all. */
static bool valid(const struct x86_cpuid_entry *e, u32 n)
{
	u32 bits;

	for (; n--; e++) {
		bits = (e->eax >> 8) & 0xff;
		if (e->leaf == 0x80000008 && bits != 48 && bits != 57 && bits)
			return false;
	}
	return true;
}

/* The guest would find no difference; changes @theirs. */
static bool same(const struct vcpu *vcpu, struct x86_cpuid_entry *theirs, u32 n)
{
	struct x86_cpuid_entry ours;
	u32 i;

	if (n != vcpu->cpuid.n)
		return false;
	follow_registers(vcpu, theirs, n);
	for (i = 0; i < n; i++) {
		ours = vcpu->cpuid.entry[i];
		follow_registers(vcpu, &ours, 1);
		if (memcmp(&ours, &theirs[i], sizeof(ours)))
			return false;
	}
	return true;
}

long cpuid_set(struct vcpu *vcpu, const struct kvirt_cpuid2 __user *argp)
{
	struct x86_cpuid_entry *entries;
	struct kvirt_cpuid2 head;
	long err = 0;

	static_assert(sizeof(struct x86_cpuid_entry) == sizeof(struct kvirt_cpuid_entry2));
	if (copy_from_user(&head, argp, sizeof(head)))
		return -EFAULT;
	if (head.nent > X86_CPUID_MAX)
		return -E2BIG;
	entries = vmemdup_user(argp->entries, head.nent * sizeof(*entries));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	/* Once the guest has run, the table may be set again as it is, not changed. */
	if (vcpu->ran ? !same(vcpu, entries, head.nent) : !valid(entries, head.nent)) {
		err = -EINVAL;
	} else if (!vcpu->ran) {
		memcpy(vcpu->cpuid.entry, entries, head.nent * sizeof(*entries));
		vcpu_set_cpuid(vcpu, head.nent);
		lapic_configure(vcpu);
	}
	kvfree(entries);
	return err;
}

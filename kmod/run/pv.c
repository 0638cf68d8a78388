// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls (Documentation/virt/kvm/x86/hypercalls.rst): number in RAX, arguments in RBX,
 * RCX, RDX, RSI, the answer in RAX. kvm-clock's pages are vm/clock.c. Called by dispatch.c.
 */
#include <uapi/linux/kvirt_para.h>
#include "../vm/vm.h"
#include "run.h"

/* Wake the vCPU with this APIC id out of HLT: a spinlock it waits for is free. */
static u64 kick_cpu(struct vm *vm, u32 apic_id)
{
	struct vcpu *vcpu;
	unsigned int i;

	vm_for_each_vcpu(vm, i, vcpu) {
		if (vcpu->id != apic_id)
			continue;
		WRITE_ONCE(vcpu->unhalted, true);
		vcpu_request(vcpu, REQUEST_EVENT);
		break;
	}
	return 0;
}

enum verdict exit_hypercall(struct vcpu *vcpu)
{
	struct x86_state *s = &vcpu->state;
	u64 nr = s->gpr[X86_RAX], a1 = s->gpr[X86_RCX];
	bool wide;
	u64 answer;

	vcpu_pull(vcpu, X86_GROUP_CODE | X86_GROUP_CR0);
	wide = x86_64bit_mode(s);
	if (!wide) {
		nr = (u32)nr;
		a1 = (u32)a1;
	}
	if (x86_cpl(s)) {
		answer = -KVIRT_HC_EPERM;
	} else {
		switch (nr) {
		case KVIRT_HC_VAPIC_POLL_IRQ:
			answer = 0;
			break;
		case KVIRT_HC_KICK_CPU:
			if (!(vcpu->guest.pv_features & BIT(KVIRT_FEATURE_PV_UNHALT))) {
				answer = -KVIRT_HC_ENOSYS;
				break;
			}
			answer = kick_cpu(vcpu->vm, a1);
			break;
		default:
			answer = -KVIRT_HC_ENOSYS;
		}
	}
	s->gpr[X86_RAX] = wide ? answer : (u32)answer;
	return STEP;
}

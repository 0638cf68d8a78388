// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU's ioctls with a structure of fixed size: between it and struct x86_state, with the
 * checks that a state must pass before it is taken. Called by vcpu_fd.c, the vCPU's mutex held.
 * Each function gets a kernel copy of the structure, zeroed where it is to be filled, and gives 0,
 * or -EINVAL and then nothing has changed.
 */
#include "../host/cpu.h"
#include "../irq/lapic.h"
#include "../run/run.h"
#include "api.h"

/* struct kvirt_regs begins with the general registers, in this order. */
static const u8 gpr_order[X86_NR_GPR] = {
	X86_RAX, X86_RBX, X86_RCX, X86_RDX, X86_RSI, X86_RDI, X86_RSP, X86_RBP,
	X86_R8, X86_R9, X86_R10, X86_R11, X86_R12, X86_R13, X86_R14, X86_R15,
};
static_assert(offsetof(struct kvirt_regs, rip) == X86_NR_GPR * sizeof(u64));

static int get_regs(struct vcpu *vcpu, void *data)
{
	struct kvirt_regs *r = data;
	u64 *gpr = data;
	int i;

	vcpu_pull(vcpu, X86_GROUP_RIP | X86_GROUP_RFLAGS | X86_GROUP_RSP);
	for (i = 0; i < X86_NR_GPR; i++)
		gpr[i] = vcpu->state.gpr[gpr_order[i]];
	r->rip = vcpu->state.rip;
	r->rflags = vcpu->state.rflags;
	/* While the debugger steps, TF is the debugger's. */
	if (vcpu->debug.control & KVIRT_GUESTDBG_SINGLESTEP)
		r->rflags &= ~X86_EFLAGS_TF;
	return 0;
}

static int set_regs(struct vcpu *vcpu, void *data)
{
	const struct kvirt_regs *r = data;
	const u64 *gpr = data;
	int i;

	/* Whether a step is pending behind STI depends on TF: the shadow is pushed with it. */
	vcpu_pull(vcpu, X86_GROUP_SHADOW);
	for (i = 0; i < X86_NR_GPR; i++)
		vcpu->state.gpr[gpr_order[i]] = gpr[i];
	vcpu->state.rip = r->rip;
	vcpu->state.rflags = r->rflags | X86_EFLAGS_FIXED;
	vcpu->events.exception.pending = false;
	vcpu_dirty(vcpu, X86_GROUP_RIP | X86_GROUP_RFLAGS | X86_GROUP_RSP | X86_GROUP_SHADOW);
	debug_keep_step(vcpu);
	return 0;
}

/* SREGS and SREGS2 begin with the segment registers, in this order. */
static const u8 segment_order[X86_NR_SEG] = {
	X86_CS, X86_DS, X86_ES, X86_FS, X86_GS, X86_SS, X86_TR, X86_LDTR,
};
static_assert(offsetof(struct kvirt_sregs2, gdt) == X86_NR_SEG * sizeof(struct kvirt_segment));

static void get_segment(const struct x86_segment *from, struct kvirt_segment *to)
{
	u16 a = from->attributes;

	*to = (struct kvirt_segment) {
		.base = from->base, .limit = from->limit, .selector = from->selector,
		.type = a & X86_SEG_TYPE, .dpl = (a & X86_SEG_DPL) >> X86_SEG_DPL_SHIFT,
		.s = !!(a & X86_SEG_S), .present = !!(a & X86_SEG_P), .avl = !!(a & X86_SEG_AVL),
		.l = !!(a & X86_SEG_L), .db = !!(a & X86_SEG_DB), .g = !!(a & X86_SEG_G),
		.unusable = from->unusable,
	};
}

static void set_segment(const struct kvirt_segment *from, struct x86_segment *to)
{
	*to = (struct x86_segment) {
		.base = from->base, .limit = from->limit, .selector = from->selector,
		.attributes = (from->type & X86_SEG_TYPE) | (from->dpl & 3) << X86_SEG_DPL_SHIFT |
			(from->s & 1 ? X86_SEG_S : 0) | (from->present & 1 ? X86_SEG_P : 0) |
			(from->avl & 1 ? X86_SEG_AVL : 0) | (from->l & 1 ? X86_SEG_L : 0) |
			(from->db & 1 ? X86_SEG_DB : 0) | (from->g & 1 ? X86_SEG_G : 0),
		/* A segment that is not present cannot be used, whatever the flag says. */
		.unusable = from->unusable || !from->present,
	};
	/* VT-x insists on the accessed bit that a load from the GDT would have set. */
	if (to->attributes & X86_SEG_S)
		to->attributes |= 1;
}

/* The fields that SREGS and SREGS2 share: all before these two. */
static_assert(offsetof(struct kvirt_sregs, interrupt_bitmap) ==
	      offsetof(struct kvirt_sregs2, flags));

static void get_common(struct vcpu *vcpu, void *data)
{
	const struct x86_state *s = &vcpu->state;
	struct kvirt_segment *segment = data;
	struct kvirt_sregs2 *r = data;
	int i;

	vcpu_pull(vcpu, X86_GROUPS_ALL);
	for (i = 0; i < X86_NR_SEG; i++)
		get_segment(&s->seg[segment_order[i]], &segment[i]);
	r->gdt.base = s->gdtr.base;
	r->gdt.limit = s->gdtr.limit;
	r->idt.base = s->idtr.base;
	r->idt.limit = s->idtr.limit;
	r->cr0 = s->cr0;
	r->cr2 = s->cr2;
	r->cr3 = s->cr3;
	r->cr4 = s->cr4;
	r->cr8 = lapic_get_cr8(vcpu);
	r->efer = s->efer;
	r->apic_base = vcpu->apic_base;
}

static u64 code_base(const struct x86_state *s)
{
	return x86_64bit_mode(s) ? 0 : s->seg[X86_CS].base;
}

static int set_common(struct vcpu *vcpu, const void *data)
{
	struct x86_guest_features limits = vcpu->guest;
	const struct kvirt_segment *segment = data;
	const struct kvirt_sregs2 *r = data;
	struct x86_state wanted;
	int i;

	/* EFER may come before the CPUID that allows it to the guest; the host's bits count. */
	limits.efer_allowed = host_guest_efer();
	vcpu_pull(vcpu, X86_GROUPS_ALL);
	wanted = vcpu->state;
	for (i = 0; i < X86_NR_SEG; i++)
		set_segment(&segment[i], &wanted.seg[segment_order[i]]);
	wanted.gdtr = (struct x86_table) { r->gdt.base, r->gdt.limit };
	wanted.idtr = (struct x86_table) { r->idt.base, r->idt.limit };
	wanted.cr0 = (r->cr0 & X86_CR0_DEFINED) | X86_CR0_ET;
	wanted.cr2 = r->cr2;
	wanted.cr3 = r->cr3;
	wanted.cr4 = r->cr4;
	wanted.cr8 = r->cr8 & 0xf;
	wanted.efer = r->efer;
	if (r->cr0 >> 32 || !x86_control_valid(&wanted, &limits))
		return -EINVAL;
	if (lapic_write_msr(vcpu, X86_MSR_APIC_BASE, r->apic_base, X86_MSR_BY_USER))
		return -EINVAL;
	/* An OUT is stepped over if it is still there: at the same linear address. */
	vcpu->complete.rip += code_base(&vcpu->state) - code_base(&wanted);
	if (!x86_64bit_mode(&wanted))
		vcpu->complete.rip = (u32)vcpu->complete.rip;
	vcpu->state = wanted;
	if (vcpu->lapic)
		lapic_set_cr8(vcpu, wanted.cr8);
	vcpu_set_cr4(vcpu, wanted.cr4);
	vcpu->flush |= FLUSH_GUEST;
	vcpu_dirty(vcpu, X86_GROUP_SEGMENTS | X86_GROUP_CODE | X86_GROUP_TABLES |
		   X86_GROUP_CR0 | X86_GROUP_CR2 | X86_GROUP_CR3 | X86_GROUP_EFER);
	/* A reset by user space that knows no MP states starts a boot processor that halted. */
	if (vcpu->id == vcpu->vm->boot_vcpu_id && wanted.rip == 0xfff0 &&
	    wanted.seg[X86_CS].selector == 0xf000 && !(wanted.cr0 & X86_CR0_PE))
		vcpu->mp_state = KVIRT_MP_STATE_RUNNABLE;
	return 0;
}

/* It goes in next, whatever RFLAGS.IF says: user space has looked. */
static void inject_interrupt(struct vcpu *vcpu, u8 vector)
{
	vcpu->events.interrupt = (struct kvirt_event) {
		.valid = true, .type = EVENT_EXTERNAL, .vector = vector,
	};
}

static int get_sregs(struct vcpu *vcpu, void *data)
{
	struct kvirt_sregs *r = data;

	get_common(vcpu, r);
	if (vcpu->events.interrupt.valid && vcpu->events.interrupt.type == EVENT_EXTERNAL)
		__set_bit(vcpu->events.interrupt.vector, (unsigned long *)r->interrupt_bitmap);
	return 0;
}

static int set_sregs(struct vcpu *vcpu, void *data)
{
	const struct kvirt_sregs *r = data;
	struct x86_state *s = &vcpu->state;
	unsigned int vector;
	int err = set_common(vcpu, r);

	if (err)
		return err;
	/* The four entries come from memory here; SREGS2 carries them. */
	if (x86_pae_paging(s->cr0, s->cr4, s->efer))
		gmem_read(vcpu->vm, s->cr3 & X86_CR3_PDPT, s->pdptr, sizeof(s->pdptr));
	vector = find_first_bit((unsigned long *)r->interrupt_bitmap, KVIRT_NR_INTERRUPTS);
	if (vector < KVIRT_NR_INTERRUPTS)
		inject_interrupt(vcpu, vector);
	return 0;
}

static int get_sregs2(struct vcpu *vcpu, void *data)
{
	struct kvirt_sregs2 *r = data;

	get_common(vcpu, r);
	if (x86_pae_paging(r->cr0, r->cr4, r->efer)) {
		memcpy(r->pdptrs, vcpu->state.pdptr, sizeof(r->pdptrs));
		r->flags = KVIRT_SREGS2_FLAGS_PDPTRS_VALID;
	}
	return 0;
}

static int set_sregs2(struct vcpu *vcpu, void *data)
{
	const struct kvirt_sregs2 *r = data;
	bool valid = r->flags & KVIRT_SREGS2_FLAGS_PDPTRS_VALID;
	int i, err;

	if ((r->flags & ~KVIRT_SREGS2_FLAGS_PDPTRS_VALID) ||
	    (valid && !x86_pae_paging(r->cr0, r->cr4, r->efer)))
		return -EINVAL;
	for (i = 0; valid && i < 4; i++)
		if (!x86_pdpte_valid(r->pdptrs[i], vcpu->guest.maxphyaddr))
			return -EINVAL;
	err = set_common(vcpu, r);
	if (!err && valid)
		memcpy(vcpu->state.pdptr, r->pdptrs, sizeof(r->pdptrs));
	return err;
}

/*
 * Where FXSAVE's region, with which XSAVE's begins, has the fields (SDM vol. 1, 10.5.1).
 * MXCSR is none of them: as with KVM, this structure's is not looked at.
 */
#define FPU_FIELD(name, offset) \
	{ offsetof(struct kvirt_fpu, name), offset, sizeof_field(struct kvirt_fpu, name) }
static const struct { u16 abi, legacy, size; } fpu_fields[] = {
	FPU_FIELD(fcw, 0), FPU_FIELD(fsw, 2), FPU_FIELD(ftwx, 4), FPU_FIELD(last_opcode, 6),
	FPU_FIELD(last_ip, 8), FPU_FIELD(last_dp, 16), FPU_FIELD(fpr, 32), FPU_FIELD(xmm, 160),
};

static int get_fpu(struct vcpu *vcpu, void *data)
{
	const void *legacy = guest_fpu_legacy(&vcpu->fpu);
	int i;

	for (i = 0; i < ARRAY_SIZE(fpu_fields); i++)
		memcpy(data + fpu_fields[i].abi, legacy + fpu_fields[i].legacy, fpu_fields[i].size);
	return 0;
}

static int set_fpu(struct vcpu *vcpu, void *data)
{
	void *legacy = guest_fpu_legacy(&vcpu->fpu);
	int i;

	for (i = 0; i < ARRAY_SIZE(fpu_fields); i++)
		memcpy(legacy + fpu_fields[i].legacy, data + fpu_fields[i].abi, fpu_fields[i].size);
	vcpu->fpu.area->header.xfeatures |= XFEATURE_MASK_FPSSE;
	return 0;
}

static int get_xsave(struct vcpu *vcpu, void *data)
{
	guest_fpu_export(&vcpu->fpu, data);
	return 0;
}

static int set_xsave(struct vcpu *vcpu, void *data)
{
	return guest_fpu_import(&vcpu->fpu, data);
}

static int get_xcrs(struct vcpu *vcpu, void *data)
{
	struct kvirt_xcrs *r = data;

	r->nr_xcrs = host_fpu_mask() != 0;
	r->xcrs[0].value = vcpu->state.xcr0;
	return 0;
}

static int set_xcrs(struct vcpu *vcpu, void *data)
{
	const struct kvirt_xcrs *r = data;
	u32 i;

	if (!host_fpu_mask() || r->nr_xcrs > KVIRT_MAX_XCRS || r->flags)
		return -EINVAL;
	for (i = 0; i < r->nr_xcrs; i++) {
		if (r->xcrs[i].xcr)
			continue;
		if (!x86_xcr0_valid(r->xcrs[i].value, vcpu->guest.xcr0_allowed | 1))
			return -EINVAL;
		vcpu_pull(vcpu, X86_GROUP_CR4);
		vcpu->state.xcr0 = r->xcrs[i].value;
		vcpu_set_cr4(vcpu, vcpu->state.cr4);
		break;
	}
	return 0;
}

static int get_debugregs(struct vcpu *vcpu, void *data)
{
	struct kvirt_debugregs *r = data;

	memcpy(r->db, vcpu->state.dr, sizeof(r->db));
	r->dr6 = vcpu->state.dr6;
	r->dr7 = vcpu->state.dr7;
	return 0;
}

static int set_debugregs(struct vcpu *vcpu, void *data)
{
	const struct kvirt_debugregs *r = data;

	if (r->flags || r->dr6 >> 32 || r->dr7 >> 32)
		return -EINVAL;
	memcpy(vcpu->state.dr, r->db, sizeof(r->db));
	vcpu->state.dr6 = r->dr6;
	vcpu->state.dr7 = r->dr7;
	vcpu_dirty(vcpu, X86_GROUP_DEBUG);
	return 0;
}

static int get_events(struct vcpu *vcpu, void *data)
{
	struct vcpu_events *ev = &vcpu->events;
	struct kvirt_vcpu_events *r = data;

	vcpu_pull(vcpu, X86_GROUP_SHADOW | X86_GROUP_NMI_MASK);
	lapic_drain(vcpu);
	r->flags = KVIRT_VCPUEVENT_VALID_NMI_PENDING | KVIRT_VCPUEVENT_VALID_SHADOW |
		   KVIRT_VCPUEVENT_VALID_SMM;
	r->exception.injected = ev->exception.event.valid;
	r->exception.pending = ev->exception.pending;
	if (vcpu->vm->exception_payload) {
		r->flags |= KVIRT_VCPUEVENT_VALID_PAYLOAD;
	} else {
		/* Who does not know of payloads gets CR2 and DR6 as they will be. */
		if (ev->exception.pending)
			event_deliver_payload(vcpu);
		r->exception.injected |= ev->exception.pending;
	}
	r->exception_has_payload = ev->exception.has_payload;
	r->exception_payload = ev->exception.payload;
	/* INT3 and INTO are executed again: there is no way to say how long they are. */
	if (exception_is_soft(ev->exception.event.vector)) {
		r->exception.injected = 0;
		r->exception.pending = 0;
	}
	r->exception.nr = ev->exception.event.vector;
	r->exception.has_error_code = ev->exception.event.has_error;
	r->exception.error_code = ev->exception.event.error;
	r->interrupt.injected = ev->interrupt.valid && ev->interrupt.type == EVENT_EXTERNAL;
	r->interrupt.nr = ev->interrupt.vector;
	r->interrupt.shadow = (vcpu->state.shadow & X86_SHADOW_STI ? KVIRT_X86_SHADOW_INT_STI : 0) |
		(vcpu->state.shadow & X86_SHADOW_MOV_SS ? KVIRT_X86_SHADOW_INT_MOV_SS : 0);
	r->nmi.injected = ev->nmi.injected;
	r->nmi.pending = ev->nmi.pending != 0;
	r->nmi.masked = vcpu->state.nmi_masked;
	if (vcpu->vm->triple_fault_event) {
		r->triple_fault.pending = ev->triple_fault;
		r->flags |= KVIRT_VCPUEVENT_VALID_TRIPLE_FAULT;
	}
	return 0;
}

static bool events_valid(const struct vm *vm, const struct kvirt_vcpu_events *r)
{
	u32 flags = KVIRT_VCPUEVENT_VALID_NMI_PENDING | KVIRT_VCPUEVENT_VALID_SIPI_VECTOR |
		    KVIRT_VCPUEVENT_VALID_SHADOW | KVIRT_VCPUEVENT_VALID_SMM |
		    (vm->exception_payload ? KVIRT_VCPUEVENT_VALID_PAYLOAD : 0) |
		    (vm->triple_fault_event ? KVIRT_VCPUEVENT_VALID_TRIPLE_FAULT : 0);
	bool pending = (r->flags & KVIRT_VCPUEVENT_VALID_PAYLOAD) && r->exception.pending;

	if ((r->exception.injected || pending) &&
	    (r->exception.nr > 31 || r->exception.nr == X86_NMI))
		return false;
	/* System management mode is not there to be in. */
	if ((r->flags & KVIRT_VCPUEVENT_VALID_SMM) &&
	    (r->smi.smm || r->smi.pending || r->smi.smm_inside_nmi))
		return false;
	return !(r->flags & ~flags);
}

static int set_events(struct vcpu *vcpu, void *data)
{
	const struct kvirt_vcpu_events *r = data;
	bool payload = r->flags & KVIRT_VCPUEVENT_VALID_PAYLOAD;
	struct vcpu_events *ev = &vcpu->events;
	u8 shadow = r->interrupt.shadow;

	if (!events_valid(vcpu->vm, r))
		return -EINVAL;
	ev->exception = (struct vcpu_exception) {
		.pending = payload && r->exception.pending,
		/* Of both, pending wins. */
		.event.valid = r->exception.injected && !(payload && r->exception.pending),
		.event.vector = r->exception.nr,
		/* The guest stands at the insn: a debugger gives back what it did not set. */
		.event.type = exception_is_soft(r->exception.nr) ? EVENT_SOFT_EXC : EVENT_EXCEPTION,
		.event.insn_len = exception_is_soft(r->exception.nr),
		.event.has_error = r->exception.has_error_code,
		.event.error = r->exception.error_code,
		.has_payload = payload && r->exception_has_payload,
		.payload = payload ? r->exception_payload : 0,
	};
	ev->interrupt = (struct kvirt_event) {
		.valid = r->interrupt.injected, .type = EVENT_EXTERNAL, .vector = r->interrupt.nr,
	};
	if (r->flags & KVIRT_VCPUEVENT_VALID_SHADOW) {
		vcpu->state.shadow = (shadow & KVIRT_X86_SHADOW_INT_STI ? X86_SHADOW_STI : 0) |
			(shadow & KVIRT_X86_SHADOW_INT_MOV_SS ? X86_SHADOW_MOV_SS : 0);
		vcpu_dirty(vcpu, X86_GROUP_SHADOW);
	}
	ev->nmi.injected = r->nmi.injected;
	if (r->flags & KVIRT_VCPUEVENT_VALID_NMI_PENDING)
		ev->nmi.pending = min_t(u8, r->nmi.pending, 2);
	vcpu->state.nmi_masked = r->nmi.masked;
	vcpu_dirty(vcpu, X86_GROUP_NMI_MASK);
	if ((r->flags & KVIRT_VCPUEVENT_VALID_SIPI_VECTOR) && vcpu->lapic)
		WRITE_ONCE(vcpu->post.sipi_vector, r->sipi_vector);
	if (r->flags & KVIRT_VCPUEVENT_VALID_TRIPLE_FAULT)
		ev->triple_fault = r->triple_fault.pending;
	return 0;
}

static int get_mp_state(struct vcpu *vcpu, void *data)
{
	lapic_apply_signals(vcpu);
	/* A kick that has not been seen yet is not lost. */
	((struct kvirt_mp_state *)data)->mp_state =
		vcpu->mp_state == KVIRT_MP_STATE_HALTED && READ_ONCE(vcpu->unhalted) ?
		KVIRT_MP_STATE_RUNNABLE : vcpu->mp_state;
	return 0;
}

static int set_mp_state(struct vcpu *vcpu, void *data)
{
	u32 state = ((struct kvirt_mp_state *)data)->mp_state;

	/* All but RUNNABLE are states of a LAPIC that is here. */
	if (state > KVIRT_MP_STATE_SIPI_RECEIVED || (state && !vcpu->lapic))
		return -EINVAL;
	if (state == KVIRT_MP_STATE_SIPI_RECEIVED) {
		state = KVIRT_MP_STATE_INIT_RECEIVED;
		set_bit(IRQ_POST_SIPI, &vcpu->post.signals);
	}
	vcpu->mp_state = state;
	vcpu_request(vcpu, REQUEST_EVENT);
	return 0;
}

static int set_interrupt(struct vcpu *vcpu, void *data)
{
	u32 irq = ((struct kvirt_interrupt *)data)->irq;

	if (irq >= KVIRT_NR_INTERRUPTS)
		return -EINVAL;
	if (vcpu->vm->irqchip == IRQCHIP_KERNEL)
		return -ENXIO;
	/* Under the split irqchip there is one slot, for the 8259 in user space. */
	if (vcpu->lapic && vcpu->events.external >= 0)
		return -EEXIST;
	if (vcpu->lapic)
		vcpu->events.external = irq;
	else
		inject_interrupt(vcpu, irq);
	return 0;
}

static int translate_linear(struct vcpu *vcpu, void *data)
{
	struct kvirt_translation *r = data;
	u64 gpa;

	r->valid = linear_to_physical(vcpu, r->linear_address, &gpa);
	r->physical_address = r->valid ? gpa : ~0ULL;
	r->writeable = 1;
	r->usermode = 0;
	return 0;
}

static int set_vapic(struct vcpu *vcpu, void *data)
{
	u64 gpa = ((struct kvirt_vapic_addr *)data)->vapic_addr;

	if (!vcpu->lapic || (gpa && gmem_check(vcpu->vm, gpa, sizeof(u32))))
		return -EINVAL;
	vcpu->vapic = gpa;
	return 0;
}

static int report_tpr(struct vcpu *vcpu, void *data)
{
	const struct kvirt_tpr_access_ctl *r = data;

	if (r->flags)
		return -EINVAL;
	vcpu->tpr_reporting = r->enabled;
	return 0;
}

static int setup_mce(struct vcpu *vcpu, void *data)
{
	enum x86_mce_vendor vendor = features.amd ? X86_MCE_AMD : X86_MCE_INTEL;

	return x86_mce_setup(&vcpu->msrs, *(u64 *)data, vendor) ? 0 : -EINVAL;
}

static int set_mce(struct vcpu *vcpu, void *data)
{
	enum x86_mce_verdict verdict;

	static_assert(offsetof(struct kvirt_x86_mce, bank) == offsetof(struct x86_mce_error, bank));
	vcpu_pull(vcpu, X86_GROUP_CR4);
	verdict = x86_mce_report(&vcpu->msrs, data, vcpu->state.cr4);
	if (verdict == X86_MCE_RAISE)
		event_queue_exception(vcpu, X86_MC, 0);
	vcpu->events.triple_fault |= verdict == X86_MCE_SHUTDOWN;
	return verdict == X86_MCE_REFUSED ? -EINVAL : 0;
}

static int enable_cap(struct vcpu *vcpu, void *data)
{
	const struct kvirt_enable_cap *cap = data;

	if (cap->flags || cap->cap != KVIRT_CAP_ENFORCE_PV_FEATURE_CPUID)
		return -EINVAL;
	vcpu->pv.enforce = cap->args[0];
	vcpu_set_cpuid(vcpu, vcpu->cpuid.n);
	return 0;
}

static const struct {
	unsigned int cmd;
	int (*serve)(struct vcpu *vcpu, void *data);
} table[] = {
	{ KVIRT_GET_REGS, get_regs }, { KVIRT_SET_REGS, set_regs },
	{ KVIRT_GET_SREGS, get_sregs }, { KVIRT_SET_SREGS, set_sregs },
	{ KVIRT_GET_SREGS2, get_sregs2 }, { KVIRT_SET_SREGS2, set_sregs2 },
	{ KVIRT_GET_FPU, get_fpu }, { KVIRT_SET_FPU, set_fpu },
	{ KVIRT_GET_XSAVE, get_xsave }, { KVIRT_SET_XSAVE, set_xsave },
	{ KVIRT_GET_XSAVE2, get_xsave },
	{ KVIRT_GET_XCRS, get_xcrs }, { KVIRT_SET_XCRS, set_xcrs },
	{ KVIRT_GET_LAPIC, lapic_get_state }, { KVIRT_SET_LAPIC, lapic_set_state },
	{ KVIRT_GET_DEBUGREGS, get_debugregs }, { KVIRT_SET_DEBUGREGS, set_debugregs },
	{ KVIRT_GET_VCPU_EVENTS, get_events }, { KVIRT_SET_VCPU_EVENTS, set_events },
	{ KVIRT_GET_MP_STATE, get_mp_state }, { KVIRT_SET_MP_STATE, set_mp_state },
	{ KVIRT_INTERRUPT, set_interrupt },
	{ KVIRT_SET_GUEST_DEBUG, debug_set },
	{ KVIRT_SET_VAPIC_ADDR, set_vapic },
	{ KVIRT_TPR_ACCESS_REPORTING, report_tpr },
	{ KVIRT_X86_SETUP_MCE, setup_mce }, { KVIRT_X86_SET_MCE, set_mce },
	{ KVIRT_TRANSLATE, translate_linear },
	{ KVIRT_ENABLE_CAP, enable_cap },
};

long abi_ioctl(struct vcpu *vcpu, unsigned int cmd, void __user *argp)
{
	void *data;
	int i;

	for (i = 0; i < ARRAY_SIZE(table) && table[i].cmd != cmd; i++)
		;
	if (i == ARRAY_SIZE(table))
		return -EINVAL;
	data = structure_in(cmd, argp);
	return IS_ERR(data) ? PTR_ERR(data) :
	       structure_out(cmd, argp, data, table[i].serve(vcpu, data));
}

/* The register classes that the run page carries. */
#define SYNC_CLASS(class, name) \
	{ class, offsetof(struct kvirt_sync_regs, name), \
	  sizeof_field(struct kvirt_sync_regs, name), get_##name, set_##name }
static const struct {
	u64 class;
	u16 offset, size;
	int (*get)(struct vcpu *vcpu, void *data);
	int (*set)(struct vcpu *vcpu, void *data);
} sync_classes[] = {
	SYNC_CLASS(KVIRT_SYNC_X86_REGS, regs), SYNC_CLASS(KVIRT_SYNC_X86_SREGS, sregs),
	SYNC_CLASS(KVIRT_SYNC_X86_EVENTS, events),
};

int sync_take(struct vcpu *vcpu)
{
	u64 dirty = READ_ONCE(vcpu->run->kvirt_dirty_regs);
	u64 data[sizeof(struct kvirt_sregs) / sizeof(u64)];	/* the largest */
	int i, err = 0;

	if ((READ_ONCE(vcpu->run->kvirt_valid_regs) | dirty) & ~SYNC_CLASSES)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(sync_classes) && !err; i++) {
		if (!(dirty & sync_classes[i].class))
			continue;
		/* The page is user space's too: read once, then checked. */
		memcpy(data, (void *)&vcpu->run->s + sync_classes[i].offset, sync_classes[i].size);
		err = sync_classes[i].set(vcpu, data);
		if (!err)
			vcpu->run->kvirt_dirty_regs = dirty &= ~sync_classes[i].class;
	}
	return err;
}

void sync_give(struct vcpu *vcpu)
{
	u64 valid = READ_ONCE(vcpu->run->kvirt_valid_regs);
	void *data;
	int i;

	for (i = 0; i < ARRAY_SIZE(sync_classes); i++) {
		if (!(valid & sync_classes[i].class))
			continue;
		data = (void *)&vcpu->run->s + sync_classes[i].offset;
		memset(data, 0, sync_classes[i].size);
		sync_classes[i].get(vcpu, data);
	}
}

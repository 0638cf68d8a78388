// SPDX-License-Identifier: GPL-2.0
/*
 * Between the ABI's structures and struct x86_state: a copy of fields, and the checks that
 * a state must pass before it is taken. Locking: the vCPU's owner. Called by vcpu_fd.c.
 */
#include "../host/cpu.h"
#include "../host/fpu.h"
#include "../irq/lapic.h"
#include "../vm/gmem.h"
#include "../x86/check.h"
#include "../x86/walk.h"
#include "api.h"

void abi_get_regs(struct vcpu *vcpu, struct kvirt_regs *r)
{
	const u64 *g = vcpu->state.gpr;

	vcpu_pull(vcpu, X86_GROUP_RIP | X86_GROUP_RFLAGS | X86_GROUP_RSP);
	*r = (struct kvirt_regs) {
		.rax = g[X86_RAX], .rbx = g[X86_RBX], .rcx = g[X86_RCX], .rdx = g[X86_RDX],
		.rsi = g[X86_RSI], .rdi = g[X86_RDI], .rsp = g[X86_RSP], .rbp = g[X86_RBP],
		.r8 = g[X86_R8], .r9 = g[X86_R9], .r10 = g[X86_R10], .r11 = g[X86_R11],
		.r12 = g[X86_R12], .r13 = g[X86_R13], .r14 = g[X86_R14], .r15 = g[X86_R15],
		.rip = vcpu->state.rip, .rflags = vcpu->state.rflags,
	};
}

int abi_set_regs(struct vcpu *vcpu, const struct kvirt_regs *r)
{
	u64 *g = vcpu->state.gpr;

	g[X86_RAX] = r->rax;
	g[X86_RBX] = r->rbx;
	g[X86_RCX] = r->rcx;
	g[X86_RDX] = r->rdx;
	g[X86_RSI] = r->rsi;
	g[X86_RDI] = r->rdi;
	g[X86_RSP] = r->rsp;
	g[X86_RBP] = r->rbp;
	g[X86_R8] = r->r8;
	g[X86_R9] = r->r9;
	g[X86_R10] = r->r10;
	g[X86_R11] = r->r11;
	g[X86_R12] = r->r12;
	g[X86_R13] = r->r13;
	g[X86_R14] = r->r14;
	g[X86_R15] = r->r15;
	vcpu->state.rip = r->rip;
	vcpu->state.rflags = r->rflags | X86_RFLAGS_FIXED;
	vcpu->events.exception.pending = false;
	vcpu_dirty(vcpu, X86_GROUP_RIP | X86_GROUP_RFLAGS | X86_GROUP_RSP);
	return 0;
}

static void get_segment(const struct x86_segment *from, struct kvirt_segment *to)
{
	*to = (struct kvirt_segment) {
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = from->attributes & X86_SEG_TYPE,
		.s = !!(from->attributes & X86_SEG_S),
		.dpl = (from->attributes & X86_SEG_DPL) >> X86_SEG_DPL_SHIFT,
		.present = !!(from->attributes & X86_SEG_P),
		.avl = !!(from->attributes & X86_SEG_AVL),
		.l = !!(from->attributes & X86_SEG_L),
		.db = !!(from->attributes & X86_SEG_DB),
		.g = !!(from->attributes & X86_SEG_G),
		.unusable = from->unusable,
	};
}

static void set_segment(const struct kvirt_segment *from, struct x86_segment *to)
{
	*to = (struct x86_segment) {
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.attributes = (from->type & X86_SEG_TYPE) |
			      (from->s & 1 ? X86_SEG_S : 0) |
			      ((from->dpl & 3) << X86_SEG_DPL_SHIFT) |
			      (from->present & 1 ? X86_SEG_P : 0) |
			      (from->avl & 1 ? X86_SEG_AVL : 0) |
			      (from->l & 1 ? X86_SEG_L : 0) |
			      (from->db & 1 ? X86_SEG_DB : 0) |
			      (from->g & 1 ? X86_SEG_G : 0),
		/* A segment that is not present cannot be used, whatever the flag says. */
		.unusable = from->unusable || !from->present,
	};
}

/* The fields that SREGS and SREGS2 share; the structures begin alike. */
static void get_common(struct vcpu *vcpu, struct kvirt_sregs2 *r)
{
	const struct x86_state *s = &vcpu->state;

	static_assert(offsetof(struct kvirt_sregs, interrupt_bitmap) ==
		      offsetof(struct kvirt_sregs2, flags));
	vcpu_pull(vcpu, X86_GROUPS_ALL);
	get_segment(&s->seg[X86_CS], &r->cs);
	get_segment(&s->seg[X86_DS], &r->ds);
	get_segment(&s->seg[X86_ES], &r->es);
	get_segment(&s->seg[X86_FS], &r->fs);
	get_segment(&s->seg[X86_GS], &r->gs);
	get_segment(&s->seg[X86_SS], &r->ss);
	get_segment(&s->seg[X86_TR], &r->tr);
	get_segment(&s->seg[X86_LDTR], &r->ldt);
	r->gdt.base = s->gdtr.base;
	r->gdt.limit = s->gdtr.limit;
	r->idt.base = s->idtr.base;
	r->idt.limit = s->idtr.limit;
	r->cr0 = s->cr0;
	r->cr2 = s->cr2;
	r->cr3 = s->cr3;
	r->cr4 = s->cr4;
	r->cr8 = vcpu->lapic ? lapic_get_cr8(vcpu) : s->cr8;
	r->efer = s->efer;
	r->apic_base = vcpu->apic_base;
}

static bool has_pdptrs(const struct x86_state *s)
{
	return (s->cr0 & X86_CR0_PG) && (s->cr4 & X86_CR4_PAE) &&
	       !(s->efer & X86_EFER_LMA_BIT);
}

static int set_common(struct vcpu *vcpu, const struct kvirt_sregs2 *r)
{
	struct x86_guest_features limits = vcpu->guest;
	struct x86_state *s = &vcpu->state;
	struct x86_state wanted;

	/* EFER may come before the CPUID that allows it to the guest; the host's bits count. */
	limits.efer_allowed = host_guest_efer();
	vcpu_pull(vcpu, X86_GROUPS_ALL);
	wanted = *s;
	set_segment(&r->cs, &wanted.seg[X86_CS]);
	set_segment(&r->ds, &wanted.seg[X86_DS]);
	set_segment(&r->es, &wanted.seg[X86_ES]);
	set_segment(&r->fs, &wanted.seg[X86_FS]);
	set_segment(&r->gs, &wanted.seg[X86_GS]);
	set_segment(&r->ss, &wanted.seg[X86_SS]);
	set_segment(&r->tr, &wanted.seg[X86_TR]);
	set_segment(&r->ldt, &wanted.seg[X86_LDTR]);
	wanted.gdtr = (struct x86_table) { r->gdt.base, r->gdt.limit };
	wanted.idtr = (struct x86_table) { r->idt.base, r->idt.limit };
	wanted.cr0 = (r->cr0 & X86_CR0_DEFINED) | X86_CR0_ET;
	wanted.cr2 = r->cr2;
	wanted.cr3 = r->cr3;
	wanted.cr4 = r->cr4;
	wanted.cr8 = r->cr8 & 0xf;
	wanted.efer = r->efer;
	if (r->cr0 >> 32 || x86_check_control(&wanted, &limits))
		return -EINVAL;
	if (!(wanted.efer & X86_EFER_LMA_BIT) && r->cs.l)
		return -EINVAL;
	if (lapic_write_msr(vcpu, X86_MSR_APIC_BASE, r->apic_base, X86_MSR_BY_USER))
		return -EINVAL;
	*s = wanted;
	if (vcpu->lapic)
		lapic_set_cr8(vcpu, wanted.cr8);
	vcpu_set_cr4(vcpu, wanted.cr4);
	vcpu->flush |= FLUSH_GUEST;
	vcpu_dirty(vcpu, X86_GROUP_SEGMENTS | X86_GROUP_CODE | X86_GROUP_TABLES |
		   X86_GROUP_CR0 | X86_GROUP_CR2 | X86_GROUP_CR3 | X86_GROUP_EFER);
	/* A reset by user space that knows no MP states starts a boot processor that halted. */
	if (vcpu->id == vcpu->vm->boot_vcpu_id && s->rip == 0xfff0 &&
	    wanted.seg[X86_CS].selector == 0xf000 && !(wanted.cr0 & X86_CR0_PE))
		vcpu->mp_state = KVIRT_MP_STATE_RUNNABLE;
	return 0;
}

void abi_get_sregs(struct vcpu *vcpu, struct kvirt_sregs *r)
{
	struct kvirt_sregs2 common = {};

	get_common(vcpu, &common);
	memcpy(r, &common, offsetof(struct kvirt_sregs, interrupt_bitmap));
	if (vcpu->events.interrupt.injected && !vcpu->events.interrupt.soft)
		__set_bit(vcpu->events.interrupt.vector, (unsigned long *)r->interrupt_bitmap);
}

int abi_set_sregs(struct vcpu *vcpu, const struct kvirt_sregs *r)
{
	const unsigned long *bitmap = (const unsigned long *)r->interrupt_bitmap;
	struct x86_state *s = &vcpu->state;
	struct kvirt_sregs2 common = {};
	unsigned int vector;
	int err;

	memcpy(&common, r, offsetof(struct kvirt_sregs, interrupt_bitmap));
	err = set_common(vcpu, &common);
	if (err)
		return err;
	/* The four entries come from memory here; SREGS2 carries them. */
	if (has_pdptrs(s))
		gmem_read(vcpu->vm, s->cr3 & 0xffffffe0ULL, s->pdptr, sizeof(s->pdptr));
	vector = find_first_bit(bitmap, KVIRT_NR_INTERRUPTS);
	if (vector < KVIRT_NR_INTERRUPTS) {
		vcpu->events.interrupt.injected = true;
		vcpu->events.interrupt.soft = false;
		vcpu->events.interrupt.vector = vector;
	}
	return 0;
}

void abi_get_sregs2(struct vcpu *vcpu, struct kvirt_sregs2 *r)
{
	get_common(vcpu, r);
	if (has_pdptrs(&vcpu->state)) {
		memcpy(r->pdptrs, vcpu->state.pdptr, sizeof(r->pdptrs));
		r->flags = KVIRT_SREGS2_FLAGS_PDPTRS_VALID;
	}
}

int abi_set_sregs2(struct vcpu *vcpu, const struct kvirt_sregs2 *r)
{
	bool pae = (r->cr0 & X86_CR0_PG) && (r->cr4 & X86_CR4_PAE) &&
		   !(r->efer & X86_EFER_LMA_BIT);
	bool valid = r->flags & KVIRT_SREGS2_FLAGS_PDPTRS_VALID;
	int i, err;

	if ((r->flags & ~KVIRT_SREGS2_FLAGS_PDPTRS_VALID) || (valid && !pae))
		return -EINVAL;
	for (i = 0; valid && i < 4; i++)
		if (!x86_pdpte_valid(r->pdptrs[i], vcpu->guest.maxphyaddr))
			return -EINVAL;
	err = set_common(vcpu, r);
	if (!err && valid)
		memcpy(vcpu->state.pdptr, r->pdptrs, sizeof(r->pdptrs));
	return err;
}

/* FXSAVE's legacy region (SDM vol. 1, 10.5.1), as XSAVE's image begins. */
struct legacy_region {
	u16 fcw, fsw;
	u8 ftw, reserved1;
	u16 fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
	u8 st[8][16];
	u8 xmm[16][16];
};

void abi_get_fpu(struct vcpu *vcpu, struct kvirt_fpu *r, void *page)
{
	const struct legacy_region *legacy = page;

	guest_fpu_export(&vcpu->fpu, page);
	memcpy(r->fpr, legacy->st, sizeof(r->fpr));
	r->fcw = legacy->fcw;
	r->fsw = legacy->fsw;
	r->ftwx = legacy->ftw;
	r->last_opcode = legacy->fop;
	r->last_ip = legacy->fip;
	r->last_dp = legacy->fdp;
	memcpy(r->xmm, legacy->xmm, sizeof(r->xmm));
}

int abi_set_fpu(struct vcpu *vcpu, const struct kvirt_fpu *r, void *page)
{
	struct legacy_region *legacy = page;

	/* MXCSR stays, as with KVM: this structure's is not looked at. */
	guest_fpu_export(&vcpu->fpu, page);
	memcpy(legacy->st, r->fpr, sizeof(r->fpr));
	legacy->fcw = r->fcw;
	legacy->fsw = r->fsw;
	legacy->ftw = r->ftwx;
	legacy->fop = r->last_opcode;
	legacy->fip = r->last_ip;
	legacy->fdp = r->last_dp;
	memcpy(legacy->xmm, r->xmm, sizeof(r->xmm));
	*(u64 *)(page + 512) |= 3;
	return guest_fpu_import(&vcpu->fpu, page, host_fpu_mask());
}

void abi_get_xcrs(struct vcpu *vcpu, struct kvirt_xcrs *r)
{
	r->nr_xcrs = 1;
	r->xcrs[0].value = vcpu->state.xcr0;
}

int abi_set_xcrs(struct vcpu *vcpu, const struct kvirt_xcrs *r)
{
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

void abi_get_debugregs(struct vcpu *vcpu, struct kvirt_debugregs *r)
{
	memcpy(r->db, vcpu->state.dr, sizeof(r->db));
	r->dr6 = vcpu->state.dr6;
	r->dr7 = vcpu->state.dr7;
}

int abi_set_debugregs(struct vcpu *vcpu, const struct kvirt_debugregs *r)
{
	if (r->flags || r->dr6 >> 32 || r->dr7 >> 32)
		return -EINVAL;
	memcpy(vcpu->state.dr, r->db, sizeof(r->db));
	vcpu->state.dr6 = r->dr6;
	vcpu->state.dr7 = r->dr7;
	vcpu_dirty(vcpu, X86_GROUP_DEBUG);
	return 0;
}

void abi_get_events(struct vcpu *vcpu, struct kvirt_vcpu_events *r)
{
	struct vcpu_events *ev = &vcpu->events;

	vcpu_pull(vcpu, X86_GROUP_SHADOW | X86_GROUP_NMI_MASK);
	lapic_drain(vcpu);
	r->flags = KVIRT_VCPUEVENT_VALID_NMI_PENDING | KVIRT_VCPUEVENT_VALID_SHADOW;
	if (vcpu->vm->exception_payload) {
		r->exception.injected = ev->exception.injected;
		r->exception.pending = ev->exception.pending;
		r->flags |= KVIRT_VCPUEVENT_VALID_PAYLOAD;
		r->exception_has_payload = ev->exception.has_payload;
		r->exception_payload = ev->exception.payload;
	} else {
		/* Who does not know of payloads gets CR2 and DR6 as they will be. */
		if (ev->exception.pending)
			event_deliver_payload(vcpu);
		r->exception.injected = ev->exception.injected || ev->exception.pending;
	}
	/* INT3 and INTO are executed again: there is no way to say how long they are. */
	if (ev->exception.soft) {
		r->exception.injected = 0;
		r->exception.pending = 0;
	}
	r->exception.nr = ev->exception.vector;
	r->exception.has_error_code = ev->exception.has_error;
	r->exception.error_code = ev->exception.error;
	r->interrupt.injected = ev->interrupt.injected && !ev->interrupt.soft;
	r->interrupt.nr = ev->interrupt.vector;
	r->interrupt.shadow =
		(vcpu->state.shadow & X86_SHADOW_STI ? KVIRT_X86_SHADOW_INT_STI : 0) |
		(vcpu->state.shadow & X86_SHADOW_MOV_SS ? KVIRT_X86_SHADOW_INT_MOV_SS : 0);
	r->nmi.injected = ev->nmi.injected;
	r->nmi.pending = ev->nmi.pending != 0;
	r->nmi.masked = vcpu->state.nmi_masked;
	if (vcpu->vm->triple_fault_event) {
		r->triple_fault.pending = ev->triple_fault;
		r->flags |= KVIRT_VCPUEVENT_VALID_TRIPLE_FAULT;
	}
}

#define EVENT_FLAGS (KVIRT_VCPUEVENT_VALID_NMI_PENDING | KVIRT_VCPUEVENT_VALID_SIPI_VECTOR | \
		     KVIRT_VCPUEVENT_VALID_SHADOW | KVIRT_VCPUEVENT_VALID_SMM | \
		     KVIRT_VCPUEVENT_VALID_PAYLOAD | KVIRT_VCPUEVENT_VALID_TRIPLE_FAULT)

static int check_events(struct vcpu *vcpu, const struct kvirt_vcpu_events *r)
{
	bool payload = r->flags & KVIRT_VCPUEVENT_VALID_PAYLOAD;

	if (r->flags & ~EVENT_FLAGS)
		return -EINVAL;
	if (payload && !vcpu->vm->exception_payload)
		return -EINVAL;
	if ((r->exception.injected || (payload && r->exception.pending)) &&
	    (r->exception.nr > 31 || r->exception.nr == X86_NMI))
		return -EINVAL;
	/* System management mode is not there to be in. */
	if ((r->flags & KVIRT_VCPUEVENT_VALID_SMM) &&
	    (r->smi.smm || r->smi.pending || r->smi.smm_inside_nmi))
		return -EINVAL;
	if ((r->flags & KVIRT_VCPUEVENT_VALID_TRIPLE_FAULT) && !vcpu->vm->triple_fault_event)
		return -EINVAL;
	return 0;
}

int abi_set_events(struct vcpu *vcpu, const struct kvirt_vcpu_events *r)
{
	bool payload = r->flags & KVIRT_VCPUEVENT_VALID_PAYLOAD;
	struct vcpu_events *ev = &vcpu->events;
	int err = check_events(vcpu, r);

	if (err)
		return err;
	memset(&ev->exception, 0, sizeof(ev->exception));
	/* Of both, pending wins. */
	ev->exception.pending = payload && r->exception.pending;
	ev->exception.injected = r->exception.injected && !ev->exception.pending;
	ev->exception.vector = r->exception.nr;
	ev->exception.has_error = r->exception.has_error_code;
	ev->exception.error = r->exception.error_code;
	ev->exception.has_payload = payload && r->exception_has_payload;
	ev->exception.payload = payload ? r->exception_payload : 0;
	ev->interrupt.injected = r->interrupt.injected;
	ev->interrupt.soft = false;
	ev->interrupt.vector = r->interrupt.nr;
	if (r->flags & KVIRT_VCPUEVENT_VALID_SHADOW) {
		vcpu->state.shadow =
			(r->interrupt.shadow & KVIRT_X86_SHADOW_INT_STI ? X86_SHADOW_STI : 0) |
			(r->interrupt.shadow & KVIRT_X86_SHADOW_INT_MOV_SS ?
			 X86_SHADOW_MOV_SS : 0);
		vcpu_dirty(vcpu, X86_GROUP_SHADOW);
	}
	ev->nmi.injected = r->nmi.injected;
	if (r->flags & KVIRT_VCPUEVENT_VALID_NMI_PENDING)
		ev->nmi.pending = min_t(u8, r->nmi.pending, 2);
	vcpu->state.nmi_masked = r->nmi.masked;
	vcpu_dirty(vcpu, X86_GROUP_NMI_MASK);
	if ((r->flags & KVIRT_VCPUEVENT_VALID_SIPI_VECTOR) && vcpu->lapic)
		vcpu->sipi_vector = r->sipi_vector;
	if (r->flags & KVIRT_VCPUEVENT_VALID_TRIPLE_FAULT)
		ev->triple_fault = r->triple_fault.pending;
	return 0;
}

void abi_get_mp_state(struct vcpu *vcpu, struct kvirt_mp_state *r)
{
	if (lapic_has_signals(vcpu))
		lapic_apply_signals(vcpu);
	r->mp_state = vcpu->mp_state;
}

int abi_set_mp_state(struct vcpu *vcpu, const struct kvirt_mp_state *r)
{
	switch (r->mp_state) {
	case KVIRT_MP_STATE_RUNNABLE:
		break;
	case KVIRT_MP_STATE_UNINITIALIZED:
	case KVIRT_MP_STATE_INIT_RECEIVED:
	case KVIRT_MP_STATE_HALTED:
	case KVIRT_MP_STATE_SIPI_RECEIVED:
		if (vcpu->lapic)
			break;
		fallthrough;
	default:
		return -EINVAL;
	}
	if (r->mp_state == KVIRT_MP_STATE_SIPI_RECEIVED) {
		vcpu->mp_state = KVIRT_MP_STATE_INIT_RECEIVED;
		set_bit(IRQ_POST_SIPI, &vcpu->post.signals);
	} else {
		vcpu->mp_state = r->mp_state;
	}
	vcpu_request(vcpu, REQUEST_EVENT);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The table of MSRs, and reads and writes of those that are no more than a value. What
 * is not in the table does not exist for a guest: #GP. Values that guests of KVM 6.1 find
 * in the registers of old or optional hardware are the same here.
 */
#include "msr.h"

#include "check.h"

#define ALL	(~0ULL)

/* Slots of struct x86_msr_store. */
enum slot {
	SLOT_MISC_FEATURES = X86_SLOT_MISC_FEATURES,
	SLOT_MTRR_FIXED,
	SLOT_MTRR_VARIABLE = SLOT_MTRR_FIXED + 11,
	SLOT_MTRR_DEF_TYPE = SLOT_MTRR_VARIABLE + 16,
	SLOT_FEAT_CTL, SLOT_UCODE_REV, SLOT_PLATFORM_INFO, SLOT_ARCH_CAPABILITIES,
	SLOT_MCG_STATUS, SLOT_MISC_ENABLE, SLOT_POWER_CTL,
	SLOT_POLL_CONTROL, SLOT_HWCR, SLOT_OSVW_LENGTH, SLOT_OSVW_STATUS, SLOT_DE_CFG,
	NR_SLOTS
};

static_assert(NR_SLOTS <= X86_NR_MSR_SLOTS);

#define STATE(i, member, g, ...) \
	{ .index = (i), .kind = X86_MSR_STATE, .where = offsetof(struct x86_state, member), \
	  .group = (g), ##__VA_ARGS__ }
#define STORED(i, slot, ...) \
	{ .index = (i), .kind = X86_MSR_STORED, .where = (slot), ##__VA_ARGS__ }
#define CONST(i, value, ...) \
	{ .index = (i), .kind = X86_MSR_CONST, .reset = (value), .reserved = ALL, ##__VA_ARGS__ }
#define DROP(i, value, ...) \
	{ .index = (i), .kind = X86_MSR_DROP, .reset = (value), ##__VA_ARGS__ }
#define EMULATED(i, ...) \
	{ .index = (i), .kind = X86_MSR_EMULATED, ##__VA_ARGS__ }
#define LISTED	.flags = X86_MSR_LISTED

#define MTRR_BASE(i, n) \
	STORED(i, SLOT_MTRR_VARIABLE + (n), .flags = X86_MSR_MTRR_TYPE | X86_MSR_PHYSICAL, \
	       .reserved = ~(GENMASK_ULL(51, 12) | 0xff))
#define MTRR_MASK(i, n) \
	STORED(i, SLOT_MTRR_VARIABLE + (n), .flags = X86_MSR_PHYSICAL, \
	       .reserved = ~GENMASK_ULL(51, 11))
#define MTRR_FIXED(i, n) \
	STORED(i, SLOT_MTRR_FIXED + (n), .flags = X86_MSR_MTRR_FIXED)

/* Sorted by index. */
static const struct x86_msr table[] = {
	CONST(0x0, 0),						/* P5_MC_ADDR */
	CONST(0x1, 0),						/* P5_MC_TYPE */
	EMULATED(X86_MSR_TSC, LISTED),
	EMULATED(X86_MSR_KVM_WALL_CLOCK, LISTED, .needs = X86_HAS_PV_CLOCK),
	EMULATED(X86_MSR_KVM_SYSTEM_TIME, LISTED, .needs = X86_HAS_PV_CLOCK),
	CONST(0x17, 0),						/* PLATFORM_ID */
	EMULATED(X86_MSR_APIC_BASE, .needs = X86_HAS_APIC),
	CONST(0x2a, 0),						/* EBL_CR_POWERON */
	CONST(0x2c, 1ULL << 24),				/* EBC_FREQUENCY_ID */
	STORED(0x3a, SLOT_FEAT_CTL, LISTED, .needs = X86_HAS_INTEL, .reserved = ~1ULL),
	EMULATED(X86_MSR_TSC_ADJUST, LISTED, .needs = X86_HAS_TSC_ADJUST),
	STATE(X86_MSR_SPEC_CTRL, spec_ctrl, 0, .flags = X86_MSR_LISTED | X86_MSR_SPEC,
	      .needs = X86_HAS_SPEC_CTRL, .reserved = ~0x87ULL),
	EMULATED(X86_MSR_PRED_CMD, .flags = X86_MSR_WRITEONLY, .needs = X86_HAS_PRED_CMD,
		 .reserved = ~1ULL),
	DROP(0x79, 0, .flags = X86_MSR_WRITEONLY),		/* BIOS_UPDT_TRIG */
	/* Linux writes 0 before it reads: a guest's write is no fault. */
	STORED(X86_MSR_UCODE_REV, SLOT_UCODE_REV, .flags = X86_MSR_LISTED | X86_MSR_FEATURE,
	       .ignored = ALL),
	CONST(0xcd, 3),						/* FSB_FREQ: 100 MHz */
	STORED(X86_MSR_PLATFORM_INFO, SLOT_PLATFORM_INFO, LISTED, .readonly = ALL,
	       .reset = BIT_ULL(31)),				/* CPUID faulting */
	CONST(0xfe, 0x508),					/* MTRRCAP: 8, fixed, WC */
	STORED(X86_MSR_ARCH_CAPABILITIES, SLOT_ARCH_CAPABILITIES,
	       .flags = X86_MSR_LISTED | X86_MSR_FEATURE, .needs = X86_HAS_ARCH_CAP,
	       .readonly = ALL),
	EMULATED(X86_MSR_FLUSH_CMD, .flags = X86_MSR_WRITEONLY, .needs = X86_HAS_FLUSH_CMD,
		 .reserved = ~1ULL),
	DROP(0x11e, 0xbe702111),				/* BBL_CR_CTL3 */
	STORED(X86_MSR_MISC_FEATURES, SLOT_MISC_FEATURES, LISTED, .reserved = ~1ULL),
	STATE(0x174, sysenter_cs, X86_GROUP_SYSENTER, LISTED, .reserved = ~0xffffffffULL,
	      .ignored = ALL << 32),
	STATE(0x175, sysenter_esp, X86_GROUP_SYSENTER,
	      .flags = X86_MSR_LISTED | X86_MSR_CANONICAL),
	STATE(0x176, sysenter_eip, X86_GROUP_SYSENTER,
	      .flags = X86_MSR_LISTED | X86_MSR_CANONICAL),
	CONST(0x179, 0),					/* MCG_CAP: no banks */
	STORED(0x17a, SLOT_MCG_STATUS, LISTED, .reserved = ~7ULL),
	DROP(0x17b, 0, .flags = X86_MSR_LISTED | X86_MSR_USER),	/* MCG_CTL: not there */
	CONST(0x198, 1000 | 4ULL << 40),			/* PERF_STATUS */
	CONST(0x199, 0),					/* PERF_CTL */
	/* No PEBS, no BTS; what they say is not a guest's to change. */
	STORED(X86_MSR_MISC_ENABLE, SLOT_MISC_ENABLE, LISTED, .reset = 0x1800,
	       .readonly = 0x1880),
	DROP(X86_MSR_DEBUGCTL, 0, .reserved = ~0x3fULL),		/* LBR, BTF: not there */
	CONST(0x1db, 0), CONST(0x1dc, 0), CONST(0x1dd, 0), CONST(0x1de, 0), /* last branch */
	STORED(0x1fc, SLOT_POWER_CTL, LISTED),
	MTRR_BASE(0x200, 0), MTRR_MASK(0x201, 1),
	MTRR_BASE(0x202, 2), MTRR_MASK(0x203, 3),
	MTRR_BASE(0x204, 4), MTRR_MASK(0x205, 5),
	MTRR_BASE(0x206, 6), MTRR_MASK(0x207, 7),
	MTRR_BASE(0x208, 8), MTRR_MASK(0x209, 9),
	MTRR_BASE(0x20a, 10), MTRR_MASK(0x20b, 11),
	MTRR_BASE(0x20c, 12), MTRR_MASK(0x20d, 13),
	MTRR_BASE(0x20e, 14), MTRR_MASK(0x20f, 15),
	MTRR_FIXED(0x250, 0), MTRR_FIXED(0x258, 1), MTRR_FIXED(0x259, 2),
	MTRR_FIXED(0x268, 3), MTRR_FIXED(0x269, 4), MTRR_FIXED(0x26a, 5),
	MTRR_FIXED(0x26b, 6), MTRR_FIXED(0x26c, 7), MTRR_FIXED(0x26d, 8),
	MTRR_FIXED(0x26e, 9), MTRR_FIXED(0x26f, 10),
	STATE(0x277, pat, X86_GROUP_PAT, .flags = X86_MSR_LISTED | X86_MSR_PAT),
	STORED(0x2ff, SLOT_MTRR_DEF_TYPE, .flags = X86_MSR_MTRR_TYPE, .reserved = ~0xcffULL),
	CONST(0x606, 0), CONST(0x611, 0), CONST(0x619, 0),	/* RAPL */
	CONST(0x639, 0), CONST(0x641, 0),
	EMULATED(X86_MSR_TSC_DEADLINE, LISTED, .needs = X86_HAS_TSC_DEADLINE),
	CONST(0xda0, 0, .flags = X86_MSR_USER),			/* XSS: no XSAVES */
	EMULATED(X86_MSR_KVM_WALL_CLOCK_NEW, LISTED, .needs = X86_HAS_PV_CLOCK2),
	EMULATED(X86_MSR_KVM_SYSTEM_TIME_NEW, LISTED, .needs = X86_HAS_PV_CLOCK2),
	EMULATED(X86_MSR_KVM_ASYNC_PF_EN, LISTED, .needs = X86_HAS_PV_ASYNC_PF),
	EMULATED(X86_MSR_KVM_STEAL_TIME, LISTED, .needs = X86_HAS_PV_STEAL_TIME),
	EMULATED(X86_MSR_KVM_PV_EOI_EN, LISTED, .needs = X86_HAS_PV_EOI),
	STORED(X86_MSR_KVM_POLL_CONTROL, SLOT_POLL_CONTROL, LISTED, .needs = X86_HAS_PV_POLL,
	       .reserved = ~1ULL, .reset = 1),
	EMULATED(X86_MSR_KVM_ASYNC_PF_INT, LISTED, .needs = X86_HAS_PV_ASYNC_PF_INT),
	EMULATED(X86_MSR_KVM_ASYNC_PF_ACK, LISTED, .needs = X86_HAS_PV_ASYNC_PF_INT),
	EMULATED(X86_MSR_EFER),
	STATE(0xc0000081, star, X86_GROUP_SYSCALL, LISTED),
	STATE(0xc0000082, lstar, X86_GROUP_SYSCALL, .flags = X86_MSR_LISTED | X86_MSR_CANONICAL),
	STATE(0xc0000083, cstar, X86_GROUP_SYSCALL, .flags = X86_MSR_LISTED | X86_MSR_CANONICAL),
	STATE(0xc0000084, sfmask, X86_GROUP_SYSCALL, LISTED, .reserved = ~0xffffffffULL),
	STATE(0xc0000100, seg[X86_FS].base, X86_GROUP_SEGMENTS, .flags = X86_MSR_CANONICAL),
	STATE(0xc0000101, seg[X86_GS].base, X86_GROUP_SEGMENTS, .flags = X86_MSR_CANONICAL),
	STATE(0xc0000102, kernel_gs_base, X86_GROUP_SYSCALL,
	      .flags = X86_MSR_LISTED | X86_MSR_CANONICAL),
	STATE(0xc0000103, tsc_aux, X86_GROUP_SYSCALL, LISTED, .needs = X86_HAS_TSC_AUX,
	      .reserved = ~0xffffffffULL),
	CONST(0xc0010010, 0),					/* SYSCFG */
	STORED(0xc0010015, SLOT_HWCR, LISTED, .reserved = ~BIT_ULL(18), .ignored = 0x148),
	DROP(0xc001001b, 0x20000000),				/* CLK_CTL */
	DROP(0xc001001f, 0),					/* NB_CFG */
	DROP(0xc0010020, 0, .flags = X86_MSR_WRITEONLY),	/* PATCH_LOADER */
	CONST(0xc0010055, 0),					/* INT_PENDING_MSG */
	DROP(0xc0010058, 0, .reserved = ALL),			/* MMIO_CONF_BASE */
	CONST(0xc0010112, 0), CONST(0xc0010113, 0),		/* TSEG */
	DROP(0xc0010117, 0),					/* VM_HSAVE_PA */
	STORED(0xc0010140, SLOT_OSVW_LENGTH, .needs = X86_HAS_OSVW, .readonly = ALL, .reset = 3),
	STORED(0xc0010141, SLOT_OSVW_STATUS, .needs = X86_HAS_OSVW, .readonly = ALL),
	DROP(0xc0011022, 0),					/* DC_CFG */
	STORED(0xc0011029, SLOT_DE_CFG, .flags = X86_MSR_FEATURE, .needs = X86_HAS_AMD,
	       .reserved = ~2ULL, .readonly = ALL, .reset = 2),	/* LFENCE serializes */
	DROP(0xc001102a, 0), DROP(0xc001102c, 0),		/* BU_CFG2, EX_CFG */
};

/* Counters that do not count, and banks that are not there but that QEMU sets. */
static const struct x86_msr counter = DROP(0, 0);
static const struct x86_msr bank = DROP(0, 0, .flags = X86_MSR_USER);
static const struct {
	u32 first, count;
	const struct x86_msr *row;
} ranges[] = {
	{ 0xc1, 2, &counter },			/* PERFCTR */
	{ 0x186, 2, &counter },			/* EVNTSEL */
	{ 0x400, 4 * 32, &bank },		/* MC0_CTL to MC31_MISC */
	{ 0xc0010000, 8, &counter },		/* K7 EVNTSEL, PERFCTR */
};

const struct x86_msr *x86_msr_find(u32 index)
{
	unsigned int low = 0, high = ARRAY_SIZE(table), middle, i;

	while (low < high) {
		middle = (low + high) / 2;
		if (table[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < ARRAY_SIZE(table) && table[low].index == index)
		return &table[low];
	for (i = 0; i < ARRAY_SIZE(ranges); i++)
		if (index - ranges[i].first < ranges[i].count)
			return ranges[i].row;
	return NULL;
}

const struct x86_msr *x86_msr_list(unsigned int i, u8 flags, u64 has)
{
	const struct x86_msr *row;

	for (row = table; row < table + ARRAY_SIZE(table); row++)
		if ((row->flags & flags) && (!row->needs || (row->needs & has)) && !i--)
			return row;
	return NULL;
}

void x86_msr_reset(struct x86_msr_store *store)
{
	unsigned int i;

	memset(store, 0, sizeof(*store));
	for (i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].kind == X86_MSR_STORED)
			store->value[table[i].where] = table[i].reset;
}

static u64 *storage(const struct x86_msr *row, const struct x86_msr_file *file)
{
	if (row->kind == X86_MSR_STATE)
		return (u64 *)((char *)file->state + row->where);
	if (row->kind == X86_MSR_STORED)
		return &file->store->value[row->where];
	return NULL;
}

/* User space restores what it saved, whatever the guest's CPUID says by then. */
static bool hidden(const struct x86_msr *row, const struct x86_msr_file *file,
		   enum x86_msr_by by)
{
	if (by == X86_MSR_BY_USER)
		return false;
	return (row->flags & X86_MSR_USER) ||
	       (row->needs && !(row->needs & file->features->has));
}

enum x86_msr_verdict x86_msr_read(const struct x86_msr *row, const struct x86_msr_file *file,
				  enum x86_msr_by by, u64 *value)
{
	const u64 *where = storage(row, file);

	if (hidden(row, file, by) || (row->flags & X86_MSR_WRITEONLY))
		return X86_MSR_FAULT;
	if (row->kind == X86_MSR_EMULATED)
		return X86_MSR_EMULATE;
	*value = where ? *where : row->reset;
	return X86_MSR_OK;
}

/* The types an MTRR can give: UC, WC, WT, WP, WB (SDM vol. 3, 11.11). */
static bool mtrr_types_valid(u64 value, unsigned int count)
{
	for (; count--; value >>= 8)
		if ((value & 0xff) > 6 || !(BIT(value & 0xff) & 0x73))
			return false;
	return true;
}

static bool value_valid(const struct x86_msr *row, const struct x86_msr_file *file,
			enum x86_msr_by by, u64 value)
{
	const struct x86_guest_features *f = file->features;

	if ((value ^ row->reset) & row->reserved)
		return false;
	if ((row->flags & X86_MSR_CANONICAL) && !x86_canonical(value, f->linear_bits))
		return false;
	if ((row->flags & X86_MSR_PAT) && !x86_pat_valid(value))
		return false;
	if ((row->flags & X86_MSR_MTRR_FIXED) && !mtrr_types_valid(value, 8))
		return false;
	if ((row->flags & X86_MSR_MTRR_TYPE) && !mtrr_types_valid(value, 1))
		return false;
	if ((row->flags & X86_MSR_PHYSICAL) && (value & f->phys_reserved))
		return false;
	return !(row->flags & X86_MSR_SPEC) || by == X86_MSR_BY_USER ||
	       !(value & ~f->spec_ctrl_allowed);
}

enum x86_msr_verdict x86_msr_write(const struct x86_msr *row, const struct x86_msr_file *file,
				   enum x86_msr_by by, u64 value)
{
	u64 *where = storage(row, file);

	if (hidden(row, file, by))
		return X86_MSR_FAULT;
	if (by == X86_MSR_BY_GUEST) {
		if (row->kind == X86_MSR_CONST)
			return X86_MSR_FAULT;
		if (where) {
			value = (value & ~row->ignored) | (*where & row->ignored);
			if ((value ^ *where) & row->readonly)
				return X86_MSR_FAULT;
		}
	}
	if (!value_valid(row, file, by, value))
		return X86_MSR_FAULT;
	if (row->kind == X86_MSR_EMULATED)
		return X86_MSR_EMULATE;
	if (where)
		*where = value;
	return X86_MSR_OK;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The table of MSRs, and reads and writes of those that are no more than a value. What
 * is not in the table does not exist for a guest: #GP. Values that guests of KVM 6.1 find
 * in the registers of old or optional hardware are the same here.
 */
#include "msr.h"

enum flags {
	LISTED = X86_MSR_LISTED, FEATURE = X86_MSR_FEATURE,
	USER		= BIT(2),	/* only user space reaches it; #GP for a guest */
	WRITEONLY	= BIT(3),
	ADDRESS		= BIT(4),	/* canonical */
	PAT		= BIT(5),	/* eight memory types of PAT */
	MTRR_TYPES	= BIT(6),	/* eight memory types of MTRRs */
	MTRR_TYPE	= BIT(7),	/* one memory type, in the low byte */
	PHYSICAL	= BIT(8),	/* no bit at or above MAXPHYADDR */
	SPEC		= BIT(9),	/* bits of SPEC_CTRL, as CPUID has them */
	LOW_ON_AMD	= BIT(10),	/* AMD's CPUs drop the upper half, others refuse it */
	MCE		= BIT(11),	/* machine checks: mce_missing(), mce_valid() */
};

/* Slots of struct x86_msr_store. */
enum slot {
	MISC_FEATURES = X86_SLOT_MISC_FEATURES, POLL_CONTROL = X86_SLOT_POLL_CONTROL,
	MISC_ENABLE = X86_SLOT_MISC_ENABLE, FIXED_MTRRS,
	VARIABLE_MTRRS = FIXED_MTRRS + 11, MTRR_DEF_TYPE = VARIABLE_MTRRS + 16, FEAT_CTL, UCODE_REV,
	PLATFORM_INFO, ARCH_CAPABILITIES, POWER_CTL, OSVW_LENGTH,
	OSVW_STATUS, DE_CFG, HWCR, MCG_CAP, MCG_STATUS, MCG_CTL,
	BANKS, NR_SLOTS = BANKS + 4 * X86_MCE_BANKS	/* each CTL, STATUS, ADDR, MISC */
};

static_assert(NR_SLOTS <= X86_NR_MSR_SLOTS);

#define MSR_MCG_CAP	0x179
#define MSR_MCG_CTL	0x17b
#define MSR_MC0_CTL	0x400

#define ALL	(~0ULL)
#define HIGH	(ALL << 32)

#define ROW(k, i, f, ...) { .index = (i), .kind = X86_MSR_##k, .flags = (f), ##__VA_ARGS__ }
#define STATE(i, member, g, f, ...) \
	ROW(STATE, i, f, .where = offsetof(struct x86_state, member), .group = (g), ##__VA_ARGS__)
#define STORED(i, slot, f, ...) ROW(STORED, i, f, .where = (slot), ##__VA_ARGS__)
#define CONST(i, value, f, ...) ROW(CONST, i, f, .reset = (value), .reserved = ALL, ##__VA_ARGS__)
#define DROP(i, value, f, ...) ROW(DROP, i, f, .reset = (value), ##__VA_ARGS__)
#define EMULATED(i, f, ...) ROW(EMULATED, i, f, ##__VA_ARGS__)
#define PV(i, feature, ...) EMULATED(i, LISTED, .needs = X86_HAS_PV_##feature, ##__VA_ARGS__)

#define MTRR_PAIR(n) \
	STORED(0x200 + 2 * (n), VARIABLE_MTRRS + 2 * (n), MTRR_TYPE | PHYSICAL, \
	       .reserved = ~(GENMASK_ULL(51, 12) | 0xff)), \
	STORED(0x201 + 2 * (n), VARIABLE_MTRRS + 2 * (n) + 1, PHYSICAL, \
	       .reserved = ~GENMASK_ULL(51, 11))

/* Sorted by index. */
static const struct x86_msr table[] = {
	CONST(0x0, 0, 0, .more = 1),				/* P5_MC_ADDR, P5_MC_TYPE */
	EMULATED(X86_MSR_TSC, LISTED),
	PV(X86_MSR_KVM_WALL_CLOCK, CLOCK),
	PV(X86_MSR_KVM_SYSTEM_TIME, CLOCK),
	CONST(0x17, 0, 0),					/* PLATFORM_ID */
	EMULATED(X86_MSR_APIC_BASE, 0, .needs = X86_HAS_APIC),
	CONST(0x2a, 0, 0),					/* EBL_CR_POWERON */
	CONST(0x2c, 1ULL << 24, 0),				/* EBC_FREQUENCY_ID */
	STORED(0x3a, FEAT_CTL, LISTED, .needs = X86_HAS_INTEL, .reserved = ~1ULL),
	EMULATED(X86_MSR_TSC_ADJUST, LISTED, .needs = X86_HAS_TSC_ADJUST),
	STATE(0x48, spec_ctrl, 0, LISTED | SPEC, .needs = X86_HAS_SPEC_CTRL, .reserved = ~0x87ULL),
	EMULATED(X86_MSR_PRED_CMD, WRITEONLY, .needs = X86_HAS_PRED_CMD, .reserved = ~1ULL),
	DROP(0x79, 0, WRITEONLY),				/* BIOS_UPDT_TRIG */
	STORED(0x8b, UCODE_REV, LISTED | FEATURE, .ignored = ALL), /* Linux writes 0, then reads */
	DROP(0xc1, 0, 0, .more = 1),				/* PERFCTR: does not count */
	CONST(0xcd, 3, 0),						/* FSB_FREQ: 100 MHz */
	STORED(X86_MSR_PLATFORM_INFO, PLATFORM_INFO, LISTED, .readonly = ALL,
	       .reset = BIT(31)),				/* CPUID faulting */
	CONST(0xfe, 0x508, 0),					/* MTRRCAP: 8, fixed, WC */
	STORED(0x10a, ARCH_CAPABILITIES, LISTED | FEATURE, .needs = X86_HAS_ARCH_CAP,
	       .readonly = ALL),
	EMULATED(X86_MSR_FLUSH_CMD, WRITEONLY, .needs = X86_HAS_FLUSH_CMD, .reserved = ~1ULL),
	DROP(0x11e, 0xbe702111, 0),				/* BBL_CR_CTL3 */
	STORED(0x140, MISC_FEATURES, LISTED, .reserved = ~1ULL),
	STATE(0x174, sysenter_cs, X86_GROUP_SYSENTER, LISTED, .reserved = HIGH, .ignored = HIGH),
	STATE(0x175, sysenter_esp, X86_GROUP_SYSENTER, LISTED | ADDRESS),
	STATE(0x176, sysenter_eip, X86_GROUP_SYSENTER, LISTED | ADDRESS),
	STORED(MSR_MCG_CAP, MCG_CAP, MCE, .reset = X86_MCE_BANKS),
	STORED(0x17a, MCG_STATUS, LISTED),
	STORED(MSR_MCG_CTL, MCG_CTL, LISTED | MCE),
	DROP(0x186, 0, 0, .more = 1),				/* EVNTSEL */
	CONST(0x198, 1000 | 4ULL << 40, 0),			/* PERF_STATUS */
	CONST(0x199, 0, 0),					/* PERF_CTL */
	/* No PEBS, no BTS; what they say is not a guest's to change. */
	STORED(0x1a0, MISC_ENABLE, LISTED, .reset = 0x1800, .readonly = 0x1880),
	DROP(0x1d9, 0, 0, .reserved = ~0x3fULL),		/* DEBUGCTL: no LBR, BTF */
	CONST(0x1db, 0, 0, .more = 3),				/* last branch */
	STORED(0x1fc, POWER_CTL, LISTED),
	MTRR_PAIR(0), MTRR_PAIR(1), MTRR_PAIR(2), MTRR_PAIR(3),
	MTRR_PAIR(4), MTRR_PAIR(5), MTRR_PAIR(6), MTRR_PAIR(7),
	STORED(0x250, FIXED_MTRRS, MTRR_TYPES),
	STORED(0x258, FIXED_MTRRS + 1, MTRR_TYPES, .more = 1),
	STORED(0x268, FIXED_MTRRS + 3, MTRR_TYPES, .more = 7),
	STATE(0x277, pat, X86_GROUP_PAT, LISTED | PAT),
	CONST(0x280, 0, USER, .more = X86_MCE_BANKS - 1), /* MCi_CTL2: none signals CMCI */
	STORED(0x2ff, MTRR_DEF_TYPE, MTRR_TYPE, .reserved = ~0xcffULL),
	CONST(0x345, 0, FEATURE | USER),		/* PERF_CAPABILITIES: no PMU */
	STORED(MSR_MC0_CTL, BANKS, MCE, .more = 4 * X86_MCE_BANKS - 1),
	CONST(0x606, 0, 0), CONST(0x611, 0, 0), CONST(0x619, 0, 0),	/* RAPL */
	CONST(0x639, 0, 0), CONST(0x641, 0, 0),
	EMULATED(X86_MSR_TSC_DEADLINE, LISTED, .needs = X86_HAS_TSC_DEADLINE),
	CONST(0xda0, 0, USER),				/* XSS: no XSAVES */
	PV(X86_MSR_KVM_WALL_CLOCK_NEW, CLOCK2),
	PV(X86_MSR_KVM_SYSTEM_TIME_NEW, CLOCK2),
	DROP(0x4b564d02, 0, LISTED, .needs = X86_HAS_PV_ASYNC_PF, .reserved = ALL), /* _EN: off */
	PV(X86_MSR_KVM_STEAL_TIME, STEAL_TIME, .reserved = 0x3e),
	PV(X86_MSR_KVM_PV_EOI, EOI, .reserved = 2),
	STORED(0x4b564d05, POLL_CONTROL, LISTED, .needs = X86_HAS_PV_POLL, .reserved = ~1ULL,
	       .reset = 1),
	DROP(0x4b564d06, 0, LISTED, .needs = X86_HAS_PV_ASYNC_PF_INT, .reserved = ALL),
	DROP(0x4b564d07, 0, LISTED, .needs = X86_HAS_PV_ASYNC_PF_INT, .reserved = ALL), /* ACK */
	EMULATED(X86_MSR_EFER, 0),
	STATE(0xc0000081, star, X86_GROUP_SYSCALL, LISTED),
	STATE(0xc0000082, lstar, X86_GROUP_SYSCALL, LISTED | ADDRESS),
	STATE(0xc0000083, cstar, X86_GROUP_SYSCALL, LISTED | ADDRESS),
	STATE(0xc0000084, sfmask, X86_GROUP_SYSCALL, LISTED, .reserved = HIGH),
	STATE(0xc0000100, seg[X86_FS].base, X86_GROUP_SEGMENTS, ADDRESS),
	STATE(0xc0000101, seg[X86_GS].base, X86_GROUP_SEGMENTS, ADDRESS),
	STATE(0xc0000102, kernel_gs_base, X86_GROUP_SYSCALL, LISTED | ADDRESS),
	STATE(0xc0000103, tsc_aux, X86_GROUP_SYSCALL, LISTED | LOW_ON_AMD, .needs = X86_HAS_TSC_AUX,
	      .reserved = HIGH),
	DROP(0xc0010000, 0, 0, .more = 7),			/* K7 EVNTSEL, PERFCTR */
	CONST(0xc0010010, 0, 0),				/* SYSCFG */
	STORED(0xc0010015, HWCR, LISTED, .reserved = ~BIT_ULL(18), .ignored = 0x148),
	DROP(0xc001001b, 0x20000000, 0),			/* CLK_CTL */
	DROP(0xc001001f, 0, 0),					/* NB_CFG */
	DROP(0xc0010020, 0, WRITEONLY),				/* PATCH_LOADER */
	CONST(0xc0010055, 0, 0),				/* INT_PENDING_MSG */
	DROP(0xc0010058, 0, 0, .reserved = ALL),		/* MMIO_CONF_BASE */
	CONST(0xc0010112, 0, 0, .more = 1),			/* TSEG */
	DROP(0xc0010117, 0, 0),					/* VM_HSAVE_PA */
	STORED(0xc0010140, OSVW_LENGTH, 0, .needs = X86_HAS_OSVW, .readonly = ALL, .reset = 3),
	STORED(0xc0010141, OSVW_STATUS, 0, .needs = X86_HAS_OSVW, .readonly = ALL),
	DROP(0xc0011022, 0, 0),					/* DC_CFG */
	/* LFENCE serializes. */
	STORED(0xc0011029, DE_CFG, FEATURE, .needs = X86_HAS_AMD, .reserved = ~2ULL,
	       .readonly = ALL, .reset = 2),
	DROP(0xc001102a, 0, 0), DROP(0xc001102c, 0, 0),		/* BU_CFG2, EX_CFG */
};

const struct x86_msr *x86_msr_find(u32 index)
{
	unsigned int low = 0, high = ARRAY_SIZE(table), middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (table[middle].index + table[middle].more < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ARRAY_SIZE(table) && index >= table[low].index ? &table[low] : NULL;
}

const struct x86_msr *x86_msr_list(unsigned int i, u16 flags)
{
	const struct x86_msr *row;

	for (row = table; row < table + ARRAY_SIZE(table); row++)
		if ((row->flags & flags) && !i--)
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
		/* A row's slots lie one behind the other; masked for speculation's sake. */
		return &file->store->value[row->where +
					   (file->index - row->index) % (4 * X86_MCE_BANKS)];
	return NULL;
}

#define MCG_CTL_P	BIT_ULL(8)
#define MCG_MCIP	BIT_ULL(2)
#define MCI_VALID	BIT_ULL(63)
#define MCI_OVERFLOW	BIT_ULL(62)
#define MCI_UNCORRECTED	BIT_ULL(61)
/* Context corrupt, signalled, action required: an error without these asks for nothing. */
#define MCI_URGENT	(BIT_ULL(57) | BIT_ULL(56) | BIT_ULL(55))
#define HWCR_MCI_STATUS	BIT_ULL(18)	/* software may write MCi_STATUS */

/* MCG_CAP counts the banks; without its CTL_P a guest has no MCG_CTL (SDM vol. 3, 15.3.1). */
static bool mce_missing(const struct x86_msr_file *file, enum x86_msr_by by)
{
	u64 cap = file->store->value[MCG_CAP];

	return file->index == MSR_MCG_CTL ? by == X86_MSR_BY_GUEST && !(cap & MCG_CTL_P) :
	       file->index != MSR_MCG_CAP && file->index - MSR_MC0_CTL >= 4 * (cap & 0xff);
}

static bool mce_valid(const struct x86_msr_file *file, enum x86_msr_by by, u64 value)
{
	const u64 *store = file->store->value;

	if (file->index == MSR_MCG_CAP)
		return false;
	if (file->index == MSR_MCG_CTL)
		return !value || (value == ALL && (store[MCG_CAP] & MCG_CTL_P));
	/* All or nothing; but Linux clears bit 10 on some AMD CPUs, and bit 0 on Intel's. */
	if (file->index % 4 == 0)
		return !value || (value | BIT(10) | BIT(0)) == ALL;
	return file->index % 4 != 1 || !value || by == X86_MSR_BY_USER ||
	       ((file->features->has & X86_HAS_AMD) && (store[HWCR] & HWCR_MCI_STATUS));
}

bool x86_mce_setup(struct x86_msr_store *store, u64 cap, enum x86_mce_vendor vendor)
{
	u32 i, banks = cap & 0xff;

	/* Bits 16 to 23 count registers that no guest reaches. */
	if (!banks || banks > X86_MCE_BANKS || (cap & ~(X86_MCE_SUPPORTED | 0xff00ffULL)))
		return false;
	/* AMD's has no more (APM vol. 2, 9.3.1.1). */
	store->value[MCG_CAP] = vendor == X86_MCE_AMD ? cap & (MCG_CTL_P | 0xff) : cap;
	if (cap & MCG_CTL_P)
		store->value[MCG_CTL] = ALL;
	for (i = 0; i < banks; i++)
		store->value[BANKS + 4 * i] = ALL;
	return true;
}

enum x86_mce_verdict x86_mce_report(struct x86_msr_store *store, const struct x86_mce_error *error,
				    u64 cr4)
{
	u64 *value = store->value, *bank = &value[BANKS + 4 * (error->bank % X86_MCE_BANKS)];
	u64 old = bank[1] & MCI_VALID ? bank[1] : 0;
	bool uncorrected = error->status & MCI_UNCORRECTED;
	bool urgent = uncorrected && (error->mcg_status || (error->status & MCI_URGENT));

	if (error->bank >= (value[MCG_CAP] & 0xff) || !(error->status & MCI_VALID))
		return X86_MCE_REFUSED;
	/* Where reporting is off, nothing happens. */
	if (urgent && (((value[MCG_CAP] & MCG_CTL_P) && ~value[MCG_CTL]) || ~bank[0]))
		return X86_MCE_LOGGED;
	if (urgent && ((value[MCG_STATUS] & MCG_MCIP) || !(cr4 & X86_CR4_MCE)))
		return X86_MCE_SHUTDOWN;
	/* A corrected error does not replace one that was not. */
	if (!uncorrected && (old & MCI_UNCORRECTED)) {
		bank[1] |= MCI_OVERFLOW;
		return X86_MCE_LOGGED;
	}
	if (uncorrected)
		value[MCG_STATUS] = error->mcg_status;
	bank[1] = error->status | (old && (urgent || !uncorrected) ? MCI_OVERFLOW : 0);
	bank[2] = error->addr;
	bank[3] = error->misc;
	return urgent ? X86_MCE_RAISE : X86_MCE_LOGGED;
}

/* User space restores what it saved, whatever the guest's CPUID says by then. */
static bool hidden(const struct x86_msr *row, const struct x86_msr_file *file, enum x86_msr_by by)
{
	return ((row->flags & MCE) && mce_missing(file, by)) ||
	       (by == X86_MSR_BY_GUEST &&
		((row->flags & USER) || (row->needs && !(row->needs & file->features->has))));
}

enum x86_msr_verdict x86_msr_read(const struct x86_msr *row, const struct x86_msr_file *file,
				  enum x86_msr_by by, u64 *value)
{
	const u64 *where = storage(row, file);

	if (hidden(row, file, by) || (row->flags & WRITEONLY))
		return X86_MSR_FAULT;
	if (row->kind == X86_MSR_EMULATED)
		return X86_MSR_EMULATE;
	*value = where ? *where : row->reset;
	return X86_MSR_OK;
}

/* Memory types UC, WC, WT, WP, WB and, in PAT alone, UC- (SDM vol. 3, 11.11, 11.12). */
#define MTRR_ALLOWED	0x73
#define PAT_ALLOWED	0xf3

static bool types_valid(u64 value, unsigned int count, u8 allowed)
{
	for (; count--; value >>= 8)
		if ((value & 0xff) > 7 || !(BIT(value & 0xff) & allowed))
			return false;
	return true;
}

static bool value_valid(const struct x86_msr *row, const struct x86_msr_file *file,
			enum x86_msr_by by, u64 value)
{
	const struct x86_guest_features *f = file->features;

	return !((value ^ row->reset) & row->reserved) &&
	       (!(row->flags & ADDRESS) || x86_canonical(value, f->linear_bits)) &&
	       (!(row->flags & PAT) || types_valid(value, 8, PAT_ALLOWED)) &&
	       (!(row->flags & MTRR_TYPES) || types_valid(value, 8, MTRR_ALLOWED)) &&
	       (!(row->flags & MTRR_TYPE) || types_valid(value, 1, MTRR_ALLOWED)) &&
	       (!(row->flags & PHYSICAL) || !(value & f->phys_reserved)) &&
	       (!(row->flags & MCE) || mce_valid(file, by, value)) &&
	       (!(row->flags & SPEC) || by == X86_MSR_BY_USER || !(value & ~f->spec_ctrl_allowed));
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
	if ((row->flags & LOW_ON_AMD) && (file->features->has & X86_HAS_AMD))
		value = (u32)value;
	if (!value_valid(row, file, by, value))
		return X86_MSR_FAULT;
	if (row->kind == X86_MSR_EMULATED)
		return X86_MSR_EMULATE;
	if (where)
		*where = value;
	return X86_MSR_OK;
}

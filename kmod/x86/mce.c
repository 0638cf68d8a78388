// SPDX-License-Identifier: GPL-2.0
/*
 * Machine checks as a guest sees them: registers that keep values, and errors that user space
 * reports in them. The host's own never come here. Called by msr.c and api/.
 *
 * Source: SDM vol. 3, 15.3 (registers), 15.9.3 (classes of errors); APM vol. 2, 9.3.
 */
#include "msr.h"

#define MCG_CAP			0x179
#define MCG_STATUS		0x17a
#define MCG_CTL			0x17b
#define MC0_CTL			0x400
#define MCG_CTL_P		BIT_ULL(8)
#define MCG_STATUS_MCIP		BIT_ULL(2)
#define HWCR_STATUS_WRITABLE	BIT_ULL(18)
#define STATUS_VALID		BIT_ULL(63)
#define STATUS_OVERFLOW		BIT_ULL(62)
#define STATUS_UNCORRECTED	BIT_ULL(61)
/* Context corrupt, signalled, action required: an error without these asks for nothing. */
#define STATUS_URGENT		(BIT_ULL(57) | BIT_ULL(56) | BIT_ULL(55))

enum { CTL, STATUS, ADDR, MISC };	/* of a bank */

static u64 *find(struct x86_mce *mce, u32 index)
{
	u32 i = index - MC0_CTL;

	if (index == MCG_CAP)
		return &mce->cap;
	if (index == MCG_STATUS)
		return &mce->status;
	if (index == MCG_CTL)
		return &mce->ctl;
	/* Masked for speculation's sake too. */
	return i < 4 * (mce->cap & 0xff) ? &mce->bank[i % ARRAY_SIZE(mce->bank)] : NULL;
}

enum x86_msr_verdict x86_mce_read(const struct x86_msr_file *file, enum x86_msr_by by, u64 *value)
{
	struct x86_mce *mce = &file->store->mce;
	const u64 *where = find(mce, file->index);

	if (!where || (where == &mce->ctl && !(mce->cap & MCG_CTL_P) && by == X86_MSR_BY_GUEST))
		return X86_MSR_FAULT;
	*value = *where;
	return X86_MSR_OK;
}

static bool value_valid(const struct x86_msr_file *file, enum x86_msr_by by, u64 value)
{
	const struct x86_mce *mce = &file->store->mce;

	if (file->index == MCG_STATUS)
		return true;
	if (file->index == MCG_CTL)
		return mce->cap & MCG_CTL_P ? !value || value == ~0ULL :
					      !value && by == X86_MSR_BY_USER;
	/* All or nothing; but Linux clears bit 10 on some AMD CPUs, and bit 0 on Intel's. */
	if (file->index % 4 == CTL)
		return !value || (value | BIT(10) | BIT(0)) == ~0ULL;
	return file->index % 4 != STATUS || !value || by == X86_MSR_BY_USER ||
	       ((file->features->has & X86_HAS_AMD) &&
		(file->store->value[X86_SLOT_HWCR] & HWCR_STATUS_WRITABLE));
}

enum x86_msr_verdict x86_mce_write(const struct x86_msr_file *file, enum x86_msr_by by, u64 value)
{
	u64 *where = find(&file->store->mce, file->index);

	if (!where || file->index == MCG_CAP || !value_valid(file, by, value))
		return X86_MSR_FAULT;
	*where = value;
	return X86_MSR_OK;
}

bool x86_mce_setup(struct x86_mce *mce, u64 cap)
{
	u32 i, banks = cap & 0xff;

	/* Bits 16 to 23 count registers that no guest reaches. */
	if (!banks || banks > X86_MCE_BANKS || (cap & ~(u64)(X86_MCE_SUPPORTED | 0xff00ff)))
		return false;
	mce->cap = cap;
	if (cap & MCG_CTL_P)
		mce->ctl = ~0ULL;
	for (i = 0; i < banks; i++)
		mce->bank[4 * i + CTL] = ~0ULL;
	return true;
}

enum x86_mce_verdict x86_mce_report(struct x86_mce *mce, const struct x86_mce_error *error,
				    u64 cr4)
{
	u64 *bank = &mce->bank[4 * (error->bank % X86_MCE_BANKS)], status = error->status;
	bool urgent = error->mcg_status || (status & STATUS_URGENT);
	enum x86_mce_verdict verdict = X86_MCE_LOGGED;

	if (error->bank >= (mce->cap & 0xff) || !(status & STATUS_VALID))
		return X86_MCE_REFUSED;
	if ((status & STATUS_UNCORRECTED) && urgent) {
		/* Where its reporting is off, nothing happens. */
		if (((mce->cap & MCG_CTL_P) && ~mce->ctl) || ~bank[CTL])
			return X86_MCE_LOGGED;
		if ((mce->status & MCG_STATUS_MCIP) || !(cr4 & X86_CR4_MCE))
			return X86_MCE_SHUTDOWN;
		verdict = X86_MCE_RAISE;
	}
	if (status & STATUS_UNCORRECTED)
		mce->status = error->mcg_status;
	/* A corrected error does not replace one that was not; one that asks for nothing does. */
	if ((bank[STATUS] & STATUS_VALID) && (urgent || !(status & STATUS_UNCORRECTED)))
		status |= STATUS_OVERFLOW;
	if ((bank[STATUS] & STATUS_VALID) && (bank[STATUS] & STATUS_UNCORRECTED) &&
	    !(status & STATUS_UNCORRECTED)) {
		bank[STATUS] |= STATUS_OVERFLOW;
		return X86_MCE_LOGGED;
	}
	bank[STATUS] = status;
	bank[ADDR] = error->addr;
	bank[MISC] = error->misc;
	return verdict;
}

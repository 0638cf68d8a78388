// SPDX-License-Identifier: GPL-2.0
/*
 * The MSR table: its invariants, who may read and write what, and that user space can put
 * back whatever it got.
 */
#include <string.h>

#include "../../kmod/x86/msr.h"
#include "../lib/ktap.h"

#define SPEC_CTRL	0x48
#define UCODE_REV	0x8b
#define PLATFORM_INFO	0xce
#define MISC_ENABLE	0x1a0
#define DEBUGCTL	0x1d9

static struct x86_state state;
static struct x86_msr_store store;
static struct x86_guest_features features;
static struct x86_msr_file file = { &state, &store, &features };

static void fresh(u64 has)
{
	x86_reset(&state, 0x600);
	x86_msr_reset(&store);
	memset(&features, 0, sizeof(features));
	features.has = has;
	features.linear_bits = 48;
	features.maxphyaddr = 40;
	features.phys_reserved = ~0ULL << 40;
	features.spec_ctrl_allowed = 3;
}

static enum x86_msr_verdict write_by(u32 index, enum x86_msr_by by, u64 value)
{
	const struct x86_msr *row = x86_msr_find(index);

	file.index = index;
	return row ? x86_msr_write(row, &file, by, value) : X86_MSR_FAULT;
}

static enum x86_msr_verdict wr(u32 index, u64 value)
{
	return write_by(index, X86_MSR_BY_GUEST, value);
}

static enum x86_msr_verdict read_by(u32 index, enum x86_msr_by by, u64 *value)
{
	const struct x86_msr *row = x86_msr_find(index);

	file.index = index;
	return row ? x86_msr_read(row, &file, by, value) : X86_MSR_FAULT;
}

static u64 rd(u32 index)
{
	u64 value = 0xdead;

	EXPECT_EQ(read_by(index, X86_MSR_BY_GUEST, &value), X86_MSR_OK);
	return value;
}

/* Every index is found, in order, and only once; slots are each used once. */
static void table(void)
{
	const struct x86_msr *row, *last = NULL;
	bool used[X86_NR_MSR_SLOTS] = { false };
	unsigned int rows = 0;
	u64 index;

	for (index = 0; index < 0x100000000ULL; index++) {
		if (index == 0x3000)
			index = 0x40000000;
		if (index == 0x40003000)
			index = 0x4b564000;
		if (index == 0x4b566000)
			index = 0xc0000000;
		if (index == 0xc0003000)
			index = 0xc0010000;
		if (index == 0xc0013000)
			break;
		row = x86_msr_find(index);
		if (!row || row == last)
			continue;
		EXPECT_EQ(row->index, index);
		if (row->more) {
			EXPECT(row->kind == X86_MSR_DROP || row->kind == X86_MSR_CONST || row->kind == X86_MSR_STORED);
			EXPECT_EQ(row->flags & (X86_MSR_LISTED | X86_MSR_FEATURE), 0);
			EXPECT(x86_msr_find(index + row->more) == row && x86_msr_find(index + row->more + 1) != row);
		}
		EXPECT(!last || row > last);
		last = row;
		rows++;
		if (row->kind == X86_MSR_STORED) {
			ASSERT(row->where + row->more < X86_NR_MSR_SLOTS);
			for (int i = row->where; i <= row->where + row->more; i++) {
				EXPECT(!used[i]);
				used[i] = true;
			}
		}
		if (row->kind == X86_MSR_STATE)
			EXPECT(row->where % 8 == 0 && row->where + 8 <= sizeof(struct x86_state));
		/* A value that nobody may write cannot be what a reset gives. */
		if (row->flags & X86_MSR_FEATURE)
			EXPECT(row->kind == X86_MSR_STORED || row->kind == X86_MSR_CONST);
	}
	test_note("%u rows", rows);
	EXPECT(rows > 90);
	EXPECT(!x86_msr_find(0x12345678));
	EXPECT(!x86_msr_find(0xffffffff));
	EXPECT(!x86_msr_find(0x47f + 1));
	EXPECT(!x86_msr_find(0x480));			/* no VMX capabilities */
	EXPECT(!x86_msr_find(X86_MSR_X2APIC_FIRST));
}

static void lists(void)
{
	const struct x86_msr *row;
	unsigned int i, n[2] = { 0 };
	u64 value;

	fresh(0);
	for (i = 0; (row = x86_msr_list(i, X86_MSR_LISTED)); i++) {
		EXPECT(row->flags & X86_MSR_LISTED);
		EXPECT(x86_msr_find(row->index) == row);
		/* QEMU asserts that what it got, it can set. */
		file.index = row->index;
		switch (x86_msr_read(row, &file, X86_MSR_BY_USER, &value)) {
		case X86_MSR_OK:
			EXPECT_EQ(x86_msr_write(row, &file, X86_MSR_BY_USER, value), X86_MSR_OK);
			break;
		case X86_MSR_EMULATE:
			EXPECT_EQ(x86_msr_write(row, &file, X86_MSR_BY_USER, 0), X86_MSR_EMULATE);
			break;
		default:
			test_fail(__FILE__, __LINE__, "MSR %x cannot be read", row->index);
		}
		n[0]++;
	}
	for (i = 0; (row = x86_msr_list(i, X86_MSR_FEATURE)); i++) {
		file.index = row->index;
		EXPECT_EQ(x86_msr_read(row, &file, X86_MSR_BY_USER, &value), X86_MSR_OK);
		n[1]++;
	}
	EXPECT(n[0] > 30);
	EXPECT(n[1] >= 2);
}

static void guest_and_user(void)
{
	u64 value;

	fresh(0);
	/* hidden by CPUID from the guest, not from user space */
	EXPECT_EQ(wr(X86_MSR_TSC_DEADLINE, 0), X86_MSR_FAULT);
	EXPECT_EQ(write_by(X86_MSR_TSC_DEADLINE, X86_MSR_BY_USER, 0), X86_MSR_EMULATE);
	EXPECT_EQ(read_by(0xc0000103, X86_MSR_BY_GUEST, &value), X86_MSR_FAULT);
	EXPECT_EQ(write_by(0xc0000103, X86_MSR_BY_USER, 5), X86_MSR_OK);
	EXPECT_EQ(state.tsc_aux, 5);
	EXPECT_EQ(write_by(0xc0000103, X86_MSR_BY_USER, 1ULL << 32), X86_MSR_FAULT);
	fresh(X86_HAS_AMD | X86_HAS_TSC_AUX);
	EXPECT_EQ(wr(0xc0000103, 0x500000007), X86_MSR_OK);
	EXPECT_EQ(state.tsc_aux, 7);
	fresh(X86_HAS_TSC_DEADLINE);
	EXPECT_EQ(wr(X86_MSR_TSC_DEADLINE, 0), X86_MSR_EMULATE);

	/* constants */
	EXPECT_EQ(rd(0xfe), 0x508);
	EXPECT_EQ(wr(0xfe, 0x508), X86_MSR_FAULT);
	EXPECT_EQ(write_by(0xfe, X86_MSR_BY_USER, 0x508), X86_MSR_OK);
	EXPECT_EQ(write_by(0xfe, X86_MSR_BY_USER, 0x500), X86_MSR_FAULT);
	EXPECT_EQ(rd(0x179), 32);
	EXPECT_EQ(wr(0x179, 32), X86_MSR_FAULT);

	/* only user space changes it; a guest's write is dropped, or #GP */
	EXPECT_EQ(write_by(UCODE_REV, X86_MSR_BY_USER, 1ULL << 32), X86_MSR_OK);
	EXPECT_EQ(wr(UCODE_REV, 0), X86_MSR_OK);
	EXPECT_EQ(rd(UCODE_REV), 1ULL << 32);
	EXPECT_EQ(rd(PLATFORM_INFO), 1ULL << 31);
	EXPECT_EQ(wr(PLATFORM_INFO, 0), X86_MSR_FAULT);
	EXPECT_EQ(write_by(PLATFORM_INFO, X86_MSR_BY_USER, 0), X86_MSR_OK);
	EXPECT_EQ(rd(MISC_ENABLE), 0x1800);
	EXPECT_EQ(wr(MISC_ENABLE, 0x1801), X86_MSR_OK);
	EXPECT_EQ(wr(MISC_ENABLE, 1), X86_MSR_FAULT);
	EXPECT_EQ(rd(MISC_ENABLE), 0x1801);
	EXPECT_EQ(write_by(MISC_ENABLE, X86_MSR_BY_USER, 1), X86_MSR_OK);

	/* dropped writes, ranges, write-only ones */
	EXPECT_EQ(wr(DEBUGCTL, 3), X86_MSR_OK);
	EXPECT_EQ(rd(DEBUGCTL), 0);
	EXPECT_EQ(wr(DEBUGCTL, 1ULL << 40), X86_MSR_FAULT);
	EXPECT_EQ(wr(0x186, 0x530076), X86_MSR_OK);
	EXPECT_EQ(rd(0x186), 0);
	EXPECT_EQ(rd(0xc0010007), 0);
	EXPECT_EQ(wr(0x280, 0), X86_MSR_FAULT);
	EXPECT_EQ(write_by(0x280, X86_MSR_BY_USER, 0), X86_MSR_OK);
	EXPECT_EQ(write_by(0x280, X86_MSR_BY_USER, 1), X86_MSR_FAULT);
	EXPECT_EQ(wr(0x400, ~0ULL), X86_MSR_OK);
	EXPECT_EQ(wr(0x401, 1), X86_MSR_FAULT);
	EXPECT_EQ(write_by(0x400 + 39, X86_MSR_BY_USER, ~0ULL), X86_MSR_OK);
	EXPECT_EQ(wr(0x79, 0x1000), X86_MSR_OK);
	EXPECT_EQ(read_by(0x79, X86_MSR_BY_USER, &value), X86_MSR_FAULT);
	EXPECT_EQ(wr(0xc0010015, 0x148), X86_MSR_OK);
	EXPECT_EQ(rd(0xc0010015), 0);
	EXPECT_EQ(wr(0xc0010015, 1), X86_MSR_FAULT);
	EXPECT_EQ(wr(0xc0010015, 1 << 18), X86_MSR_OK);
	EXPECT_EQ(rd(0xc0010015), 1 << 18);

	EXPECT_EQ(wr(SPEC_CTRL, 1), X86_MSR_FAULT);
	fresh(X86_HAS_SPEC_CTRL | X86_HAS_PRED_CMD);
	EXPECT_EQ(wr(SPEC_CTRL, 3), X86_MSR_OK);
	EXPECT_EQ(state.spec_ctrl, 3);
	EXPECT_EQ(wr(SPEC_CTRL, 4), X86_MSR_FAULT);
	EXPECT_EQ(write_by(SPEC_CTRL, X86_MSR_BY_USER, 4), X86_MSR_OK);
	EXPECT_EQ(wr(X86_MSR_PRED_CMD, 1), X86_MSR_EMULATE);
	EXPECT_EQ(wr(X86_MSR_PRED_CMD, 3), X86_MSR_FAULT);
	EXPECT_EQ(read_by(X86_MSR_PRED_CMD, X86_MSR_BY_GUEST, &value), X86_MSR_FAULT);
}

static void addresses_and_types(void)
{
	u64 value;
	unsigned int i;

	fresh(0);
	EXPECT_EQ(wr(0xc0000082, 0xffffffff81000000), X86_MSR_OK);
	EXPECT_EQ(state.lstar, 0xffffffff81000000);
	EXPECT_EQ(wr(0xc0000082, 0x0000800000000000), X86_MSR_FAULT);
	EXPECT_EQ(state.lstar, 0xffffffff81000000);
	EXPECT_EQ(wr(0xc0000101, 0x8000000000000000), X86_MSR_FAULT);
	EXPECT_EQ(wr(0xc0000101, 0x7fff00000000), X86_MSR_OK);
	EXPECT_EQ(state.seg[X86_GS].base, 0x7fff00000000);
	EXPECT_EQ(write_by(0x176, X86_MSR_BY_USER, 1ULL << 50), X86_MSR_FAULT);
	features.linear_bits = 57;
	EXPECT_EQ(write_by(0x176, X86_MSR_BY_USER, 1ULL << 50), X86_MSR_OK);
	EXPECT_EQ(wr(0xc0000084, 1ULL << 32), X86_MSR_FAULT);

	EXPECT_EQ(rd(0x277), 0x0007040600070406);
	for (value = 0; value < 256; value++) {
		bool pat = value == 0 || value == 1 || (value >= 4 && value <= 7);
		bool mtrr = pat && value != 7;

		for (i = 0; i < 64; i += 8) {
			EXPECT_EQ(wr(0x277, value << i), pat ? X86_MSR_OK : X86_MSR_FAULT);
			EXPECT_EQ(wr(0x26f, value << i), mtrr ? X86_MSR_OK : X86_MSR_FAULT);
		}
		EXPECT_EQ(wr(0x2ff, 0xc00 | value), mtrr ? X86_MSR_OK : X86_MSR_FAULT);
		EXPECT_EQ(wr(0x20e, 0x1000 | value), mtrr ? X86_MSR_OK : X86_MSR_FAULT);
	}
	EXPECT_EQ(wr(0x2ff, 0x1000), X86_MSR_FAULT);
	EXPECT_EQ(wr(0x200, 0x100), X86_MSR_FAULT);
	EXPECT_EQ(wr(0x200, 1ULL << 39), X86_MSR_OK);
	EXPECT_EQ(wr(0x200, 1ULL << 40), X86_MSR_FAULT);
	EXPECT_EQ(wr(0x201, 0xfffff00800), X86_MSR_OK);
	EXPECT_EQ(rd(0x201), 0xfffff00800);
	EXPECT_EQ(wr(0x201, 0xfffff00400), X86_MSR_FAULT);
	EXPECT_EQ(wr(0x201, 0x1fffff00800), X86_MSR_FAULT);
	EXPECT_EQ(wr(0x210, 0), X86_MSR_FAULT);		/* a ninth pair */

	/* They are told apart. */
	fresh(0);
	for (i = 0; i < 16; i++)
		EXPECT_EQ(wr(0x200 + i, (u64)(i + 1) << 12), X86_MSR_OK);
	for (i = 0; i < 16; i++)
		EXPECT_EQ(rd(0x200 + i), (u64)(i + 1) << 12);
}

/* Nothing written or reported reaches beyond the banks there are. */
static void machine_checks(void)
{
	struct x86_mce_error error = { .status = 1ULL << 63 | 1ULL << 61 | 1ULL << 57, .addr = 1, .misc = 2, .mcg_status = 4 };
	u64 value;
	unsigned int bank, banks;

	fresh(0);
	EXPECT(!x86_mce_setup(&store, 0, X86_MCE_INTEL));
	EXPECT(!x86_mce_setup(&store, X86_MCE_BANKS + 1, X86_MCE_INTEL));
	EXPECT(!x86_mce_setup(&store, 1 | 1 << 10, X86_MCE_INTEL));
	for (banks = 1; banks <= X86_MCE_BANKS; banks++) {
		fresh(0);
		EXPECT(x86_mce_setup(&store, banks | 1 << 8, X86_MCE_AMD));
		for (bank = 0; bank < 256; bank++) {
			error.bank = bank;
			EXPECT_EQ(x86_mce_report(&store, &error, X86_CR4_MCE),
				  bank >= banks ? X86_MCE_REFUSED : bank ? X86_MCE_SHUTDOWN : X86_MCE_RAISE);
			if (bank < X86_MCE_BANKS)
				EXPECT_EQ(read_by(0x400 + 4 * bank, X86_MSR_BY_USER, &value),
					  bank < banks ? X86_MSR_OK : X86_MSR_FAULT);
		}
		EXPECT_EQ(rd(0x401), error.status);
		EXPECT_EQ(rd(0x402), 1);
		EXPECT_EQ(rd(0x403), 2);
		EXPECT_EQ(rd(0x17a), 4);
	}
}

static const struct test tests[] = {
	TEST(table), TEST(lists), TEST(guest_and_user), TEST(addresses_and_types), TEST(machine_checks),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The LAPIC model (kmod/chip/lapic.c): what the manual says, case by case; then long random runs against a second,
 * plainer LAPIC, which also show that the model's hints (timer, address) are never missing.
 * --seed N and --steps N choose the random run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktap.h"
#include "unit/random.h"
#include "unit/reference/lapic.h"

#define ALL_FEATURES	(CHIP_LAPIC_X2APIC | CHIP_LAPIC_TSC_DEADLINE | CHIP_LAPIC_DIRECTED_EOI)
#define X2		(LAPIC_BASE_DEFAULT | LAPIC_BASE_EN | LAPIC_BASE_EXTD)
#define X1		(LAPIC_BASE_DEFAULT | LAPIC_BASE_EN)

static struct chip_lapic l;

static void begin(u32 features)
{
	chip_lapic_create(&l, 3, features);
	l.fx.what = 0;
}

static void wr(u32 reg, u32 value, u64 now)
{
	l.fx.what = 0;
	chip_lapic_mmio_write(&l, reg, &value, 4, now);
}

static u32 rd(u32 reg, u64 now)
{
	u32 value = 0xdeadbeef;

	chip_lapic_mmio_read(&l, reg, &value, 4, now);
	return value;
}

static int wrmsr(u32 reg, u64 value)
{
	l.fx.what = 0;
	return chip_lapic_msr_write(&l, 0x800 + reg / 16, value, 0);
}

/* As irq/lapic.c: checked, then set. */
static int set_base(u64 value, enum x86_msr_by by)
{
	if (chip_lapic_check_base(l.base, value, l.features, by))
		return -EINVAL;
	chip_lapic_set_base(&l, value, by);
	return 0;
}

static int base(u64 value)
{
	return set_base(value, X86_MSR_BY_GUEST);
}

static void enabled(u32 features)
{
	begin(features);
	wr(LAPIC_SVR, 0x1ff, 0);
}

static void raise_vector(u8 vector, bool level)
{
	chip_lapic_accept(&l, vector / 64, 1ULL << vector % 64, (u64)level << vector % 64);
}

/* Table 10-1's values after power-up; table 10-2 for LVT. */
static void power_up(void)
{
	begin(0);
	EXPECT_EQ(rd(LAPIC_ID, 0), 3 << 24);
	EXPECT_EQ(rd(LAPIC_VERSION, 0), 0x50014);
	EXPECT_EQ(rd(LAPIC_SVR, 0), 0xff);
	EXPECT_EQ(rd(LAPIC_DFR, 0), 0xffffffff);
	EXPECT_EQ(rd(LAPIC_LDR, 0), 0);
	for (u32 reg = LAPIC_LVT; reg <= LAPIC_LVT_END; reg += 16)
		EXPECT_EQ(rd(reg, 0), LVT_MASKED);
	EXPECT_EQ(l.base, 0xfee00800);
	begin(CHIP_LAPIC_BSP | CHIP_LAPIC_LINT0_EXTINT | CHIP_LAPIC_DIRECTED_EOI);
	EXPECT_EQ(l.base, 0xfee00900);
	EXPECT_EQ(rd(LAPIC_LVT + 0x30, 0), 0x700);
	EXPECT_EQ(rd(LAPIC_VERSION, 0), 0x1050014);
	EXPECT(chip_lapic_accepts_extint(&l));
	begin(CHIP_LAPIC_BSP);
	EXPECT(!chip_lapic_accepts_extint(&l));
}

static void priorities(void)
{
	enabled(0);
	raise_vector(0x31, false);
	raise_vector(0x45, false);
	EXPECT_EQ(chip_lapic_pending(&l), 0x45);
	chip_lapic_acknowledge(&l, 0x45);
	EXPECT_EQ(rd(LAPIC_PPR, 0), 0x40);
	EXPECT_EQ(chip_lapic_pending(&l), 0);
	raise_vector(0x4f, false);	/* the same class has to wait */
	EXPECT_EQ(chip_lapic_pending(&l), 0);
	raise_vector(0x50, false);
	EXPECT_EQ(chip_lapic_pending(&l), 0x50);
	wr(LAPIC_TPR, 0x5f, 0);
	EXPECT_EQ(rd(LAPIC_PPR, 0), 0x5f);
	EXPECT_EQ(chip_lapic_pending(&l), 0);
	wr(LAPIC_TPR, 0x4f, 0);
	EXPECT_EQ(chip_lapic_pending(&l), 0x50);
	chip_lapic_acknowledge(&l, 0x50);
	wr(LAPIC_EOI, 0, 0);
	EXPECT_EQ(l.fx.eoi_vector, 0x50);
	wr(LAPIC_EOI, 1, 0);		/* any value does in xAPIC mode */
	EXPECT_EQ(l.fx.eoi_vector, 0x45);
	wr(LAPIC_EOI, 0, 0);
	EXPECT_EQ(l.fx.what & LAPIC_FX_EOI, 0);
	EXPECT_EQ(chip_lapic_pending(&l), 0);	/* 0x4f is not above the TPR of 0x4f */
	wr(LAPIC_TPR, 0, 0);
	EXPECT_EQ(chip_lapic_pending(&l), 0x4f);
}

static void trigger_modes(void)
{
	enabled(0);
	raise_vector(0xe7, true);
	EXPECT_EQ(rd(LAPIC_TMR + 0x70, 0), 0x80);
	chip_lapic_acknowledge(&l, chip_lapic_pending(&l));
	wr(LAPIC_EOI, 0, 0);
	EXPECT_EQ(l.fx.eoi_vector, 0xe7);
	raise_vector(0xe7, false);
	EXPECT_EQ(rd(LAPIC_TMR + 0x70, 0), 0);
	chip_lapic_acknowledge(&l, chip_lapic_pending(&l));
	wr(LAPIC_EOI, 0, 0);
}

static void ipi(void)
{
	enabled(0);
	wr(LAPIC_ICR2, 0x05ffffff, 0);
	EXPECT_EQ(rd(LAPIC_ICR2, 0), 0x05000000);
	wr(LAPIC_ICR, 0x000040fb, 0);
	EXPECT_EQ(l.fx.what, LAPIC_FX_SEND);
	EXPECT_EQ(l.fx.message.dest, 5);
	EXPECT_EQ(l.fx.message.vector, 0xfb);
	EXPECT_EQ(l.fx.message.mode, IRQ_FIXED);
	EXPECT_EQ(rd(LAPIC_ICR, 0), 0x40fb);		/* delivery status is idle */
	wr(LAPIC_ICR, 0xa5a2f0fb, 0);			/* reserved bits stay */
	EXPECT_EQ(rd(LAPIC_ICR, 0), 0xa5a2e0fb);
	wr(LAPIC_ICR, 0x000c0d99, 0);
	EXPECT_EQ(l.fx.message.shorthand, IRQ_TO_OTHERS);
	EXPECT_EQ(l.fx.message.mode, IRQ_INIT);
	EXPECT(l.fx.message.logical);
	wr(LAPIC_ICR, 0x0000c500, 0);			/* INIT, level assert */
	EXPECT_EQ(l.fx.what, LAPIC_FX_SEND);
	wr(LAPIC_ICR, 0x00008500, 0);			/* INIT, level de-assert */
	EXPECT_EQ(l.fx.what, 0);
	wr(LAPIC_ICR, 0x00000699, 0);
	EXPECT_EQ(l.fx.message.mode, IRQ_SIPI);
	wr(LAPIC_ICR, 0x00000340, 0);			/* reserved modes */
	EXPECT_EQ(l.fx.what, 0);
	wr(LAPIC_ICR, 0x00000740, 0);
	EXPECT_EQ(l.fx.what, 0);
	wr(LAPIC_ICR, 0x00040055, 0);			/* self */
	EXPECT_EQ(l.fx.what, 0);
	EXPECT_EQ(chip_lapic_pending(&l), 0x55);
}

/* 10.5.3: a write latches what was seen; one interrupt until then. */
static void errors(void)
{
	enabled(0);
	wr(LAPIC_LVT_END, 0xfe, 0);
	wr(LAPIC_ICR, 0x0f, 0);
	EXPECT_EQ(l.fx.what & LAPIC_FX_SEND, 0);
	EXPECT_EQ(chip_lapic_pending(&l), 0xfe);
	EXPECT_EQ(rd(LAPIC_ESR, 0), 0);
	chip_lapic_acknowledge(&l, 0xfe);
	wr(LAPIC_EOI, 0, 0);
	raise_vector(7, false);
	EXPECT_EQ(chip_lapic_pending(&l), 0);
	wr(LAPIC_ESR, 0x1234, 0);
	EXPECT_EQ(rd(LAPIC_ESR, 0), 0x60);
	rd(0x40, 0);
	EXPECT_EQ(chip_lapic_pending(&l), 0xfe);
	wr(0x400, 0, 0);
	wr(LAPIC_ESR, 0, 0);
	EXPECT_EQ(rd(LAPIC_ESR, 0), 0x80);
	wr(LAPIC_ESR, 0, 0);
	EXPECT_EQ(rd(LAPIC_ESR, 0), 0);
	rd(LAPIC_EOI, 0);	/* write-only is not reserved */
	wr(LAPIC_VERSION, 0, 0);
	wr(LAPIC_ESR, 0, 0);
	EXPECT_EQ(rd(LAPIC_ESR, 0), 0);
	/* An error entry with a vector that is an error itself comes to rest. */
	wr(LAPIC_LVT_END, 3, 0);
	rd(0x3f0, 0);
	wr(LAPIC_ESR, 0, 0);
	EXPECT_EQ(rd(LAPIC_ESR, 0), 0xc0);
}

static void software_disable(void)
{
	enabled(0);
	wr(LAPIC_LVT, 0x40, 0);
	raise_vector(0x77, false);
	wr(LAPIC_SVR, 0xff, 0);
	EXPECT(l.fx.what & LAPIC_FX_ADDRESS);
	EXPECT_EQ(rd(LAPIC_LVT, 0), 0x10040);
	wr(LAPIC_LVT, 0x40, 0);
	EXPECT_EQ(rd(LAPIC_LVT, 0), 0x10040);
	EXPECT_EQ(chip_lapic_pending(&l), 0x77);	/* what is pending is held for the CPU */
	raise_vector(0x88, false);
	EXPECT_EQ(chip_lapic_pending(&l), 0x77);
	wr(LAPIC_SVR, 0x1ff, 0);
	EXPECT_EQ(rd(LAPIC_LVT, 0), 0x10040);
}

static void lint0(void)
{
	enabled(0);
	wr(LAPIC_LVT + 0x30, 0x700, 0);
	EXPECT(chip_lapic_accepts_extint(&l));
	wr(LAPIC_LVT + 0x30, 0x8066, 0);
	EXPECT(!chip_lapic_accepts_extint(&l));
	/* Turned off, the pin is INTR. */
	base(LAPIC_BASE_DEFAULT);
	EXPECT(chip_lapic_accepts_extint(&l));
}

static void one_shot(void)
{
	u64 when;

	enabled(0);
	wr(LAPIC_TDCR, 0x3, 0);		/* by 16 */
	wr(LAPIC_LVT, 0xec, 0);
	EXPECT_EQ(chip_lapic_timer(&l, &when), LAPIC_TIMER_OFF);
	wr(LAPIC_TMICT, 1000, 500);
	EXPECT_EQ(chip_lapic_timer(&l, &when), LAPIC_TIMER_NS);
	EXPECT_EQ(when, 500 + 16000);
	EXPECT_EQ(rd(LAPIC_TMCCT, 500), 1000);
	EXPECT_EQ(rd(LAPIC_TMCCT, 500 + 8000), 500);
	EXPECT_EQ(rd(LAPIC_TMCCT, 500 + 15999), 1);
	chip_lapic_timer_run(&l, 500 + 15999);
	EXPECT_EQ(chip_lapic_pending(&l), 0);
	chip_lapic_timer_run(&l, 500 + 16000);
	EXPECT_EQ(chip_lapic_pending(&l), 0xec);
	EXPECT_EQ(chip_lapic_timer(&l, &when), LAPIC_TIMER_OFF);
	EXPECT_EQ(rd(LAPIC_TMCCT, 20000), 0);
	EXPECT_EQ(rd(LAPIC_TMICT, 0), 1000);
	/* The divider changes under way: the count stays. */
	wr(LAPIC_TMICT, 1000, 0);
	wr(LAPIC_TDCR, 0xb, 8000);
	EXPECT_EQ(rd(LAPIC_TMCCT, 8000), 500);
	EXPECT_EQ(rd(LAPIC_TMCCT, 8100), 400);
	wr(LAPIC_TMICT, 0, 8100);
	EXPECT_EQ(chip_lapic_timer(&l, &when), LAPIC_TIMER_OFF);
	wr(LAPIC_TMICT, ~0U, 0);
	wr(LAPIC_TDCR, 0xa, 0);		/* the longest time there is */
	chip_lapic_timer(&l, &when);
	EXPECT_EQ(when, 0xffffffffULL * 128);
}

static void periodic(void)
{
	u64 when;

	enabled(0);
	wr(LAPIC_TDCR, 0xb, 0);
	wr(LAPIC_LVT, 0x200ec, 0);
	wr(LAPIC_TMICT, 1000000, 0);
	chip_lapic_timer_run(&l, 1000000);
	EXPECT_EQ(chip_lapic_pending(&l), 0xec);
	chip_lapic_acknowledge(&l, 0xec);
	wr(LAPIC_EOI, 0, 0);
	chip_lapic_timer(&l, &when);
	EXPECT_EQ(when, 2000000);
	chip_lapic_timer_run(&l, 7300000);	/* five missed: one interrupt, in step */
	EXPECT_EQ(chip_lapic_pending(&l), 0xec);
	chip_lapic_acknowledge(&l, 0xec);
	wr(LAPIC_EOI, 0, 0);
	chip_lapic_timer(&l, &when);
	EXPECT_EQ(when, 8000000);
	EXPECT_EQ(rd(LAPIC_TMCCT, 7300000), 700000);
	/* Masked it counts on, and wakes nobody. */
	wr(LAPIC_LVT, 0x300ec, 7300000);
	EXPECT_EQ(chip_lapic_timer(&l, &when), LAPIC_TIMER_OFF);
	EXPECT_EQ(rd(LAPIC_TMCCT, 9250000), 750000);
	wr(LAPIC_LVT, 0x200ec, 9250000);
	EXPECT_EQ(chip_lapic_pending(&l), 0);
	EXPECT_EQ(chip_lapic_timer(&l, &when), LAPIC_TIMER_NS);
	EXPECT_EQ(when, 10000000);
	/* No storm: at least 200 us. */
	wr(LAPIC_TMICT, 1, 0);
	chip_lapic_timer(&l, &when);
	EXPECT_EQ(when, 200000);
	EXPECT_EQ(rd(LAPIC_TMCCT, 100), 1);
	chip_lapic_timer_run(&l, 200000);
	chip_lapic_timer(&l, &when);
	EXPECT_EQ(when, 400000);
}

static void tsc_deadline(void)
{
	u64 when;

	enabled(ALL_FEATURES);
	chip_lapic_set_tsc_deadline(&l, 1234);
	EXPECT_EQ(l.tsc_deadline, 0);	/* not in that mode */
	wr(LAPIC_TMICT, 5000, 0);
	wr(LAPIC_LVT, 0x400ec, 0);
	EXPECT_EQ(chip_lapic_timer(&l, &when), LAPIC_TIMER_OFF);
	EXPECT_EQ(rd(LAPIC_TMICT, 0), 0);
	wr(LAPIC_TMICT, 5000, 0);
	EXPECT_EQ(rd(LAPIC_TMICT, 0), 0);
	chip_lapic_set_tsc_deadline(&l, 1234);
	EXPECT_EQ(l.tsc_deadline, 1234);
	EXPECT_EQ(chip_lapic_timer(&l, &when), LAPIC_TIMER_TSC);
	EXPECT_EQ(when, 1234);
	chip_lapic_timer_expire_tsc(&l);
	EXPECT_EQ(chip_lapic_pending(&l), 0xec);
	EXPECT_EQ(l.tsc_deadline, 0);
	l.fx.what = 0;
	chip_lapic_timer_expire_tsc(&l);
	EXPECT_EQ(l.fx.what, 0);
	chip_lapic_set_tsc_deadline(&l, 99);
	wr(LAPIC_LVT, 0x000ec, 0);
	EXPECT_EQ(chip_lapic_timer(&l, &when), LAPIC_TIMER_OFF);
	wr(LAPIC_LVT, 0x600ec, 0);			/* the reserved mode runs nothing */
	chip_lapic_set_tsc_deadline(&l, 99);
	EXPECT_EQ(chip_lapic_timer(&l, &when), LAPIC_TIMER_OFF);
	enabled(0);
	wr(LAPIC_LVT, 0x400ec, 0);			/* not offered: one-shot */
	EXPECT_EQ(rd(LAPIC_LVT, 0), 0xec);
}

static void access_sizes(void)
{
	u64 data;

	enabled(0);
	raise_vector(0x9c, false);
	data = ~0ULL;
	chip_lapic_mmio_read(&l, LAPIC_IRR + 0x43, &data, 1, 0);
	EXPECT_EQ(data, 0xffffffffffffff10);
	data = ~0ULL;
	chip_lapic_mmio_read(&l, LAPIC_IRR + 0x42, &data, 2, 0);
	EXPECT_EQ(data, 0xffffffffffff1000);
	data = ~0ULL;
	chip_lapic_mmio_read(&l, LAPIC_IRR + 0x40, &data, 8, 0);
	EXPECT_EQ(data, 0);
	data = ~0ULL;
	chip_lapic_mmio_read(&l, LAPIC_IRR + 0x44, &data, 4, 0);
	EXPECT_EQ(data & 0xffffffff, 0);
	data = 0x30;
	chip_lapic_mmio_write(&l, LAPIC_TPR, &data, 1, 0);
	chip_lapic_mmio_write(&l, LAPIC_TPR, &data, 8, 0);
	chip_lapic_mmio_write(&l, LAPIC_TPR + 4, &data, 4, 0);
	EXPECT_EQ(rd(LAPIC_TPR, 0), 0);
	data = 0x130;
	chip_lapic_mmio_write(&l, LAPIC_TPR, &data, 4, 0);
	EXPECT_EQ(rd(LAPIC_TPR, 0), 0x30);
}

static void x2apic_registers(void)
{
	u64 value;

	begin(ALL_FEATURES);
	EXPECT_EQ(chip_lapic_msr_read(&l, 0x802, &value, 0), -EINVAL);	/* still xAPIC */
	EXPECT_EQ(wrmsr(LAPIC_TPR, 0), -EINVAL);
	l.vcpu_id = 0x123;
	EXPECT_EQ(base(X2), 0);
	EXPECT_EQ(chip_lapic_msr_read(&l, 0x802, &value, 0), 0);
	EXPECT_EQ(value, 0x123);
	EXPECT_EQ(chip_lapic_msr_read(&l, 0x80d, &value, 0), 0);
	EXPECT_EQ(value, 0x120008);
	EXPECT_EQ(wrmsr(LAPIC_SVR, 0x1ff), 0);
	EXPECT_EQ(wrmsr(LAPIC_SVR, 0x100001ff), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_EOI, 1), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_ESR, 1), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_EOI, 0), 0);
	EXPECT_EQ(wrmsr(LAPIC_ESR, 0), 0);
	EXPECT_EQ(wrmsr(LAPIC_TPR, 0x100), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_ID, 0), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_LDR, 0), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_DFR, 0), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_ICR2, 0), -EINVAL);
	EXPECT_EQ(wrmsr(0x400, 0), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_TMICT, 1ULL << 32), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_LVT, 0x1000), 0);		/* read-only, not reserved */
	EXPECT_EQ(wrmsr(LAPIC_LVT + 0x30, 0x5000), 0);
	EXPECT_EQ(wrmsr(LAPIC_LVT + 0x10, 0x5000), -EINVAL);
	EXPECT_EQ(chip_lapic_msr_read(&l, 0x80e, &value, 0), -EINVAL);
	EXPECT_EQ(chip_lapic_msr_read(&l, 0x831, &value, 0), -EINVAL);
	EXPECT_EQ(chip_lapic_msr_read(&l, 0x80b, &value, 0), -EINVAL);
	EXPECT_EQ(chip_lapic_msr_read(&l, 0x83f, &value, 0), -EINVAL);
	EXPECT_EQ(chip_lapic_msr_read(&l, 0x8ff, &value, 0), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_ICR, 0x0001000000005444), 0);
	EXPECT_EQ(l.fx.message.dest, 0x10000);
	EXPECT_EQ(l.fx.message.mode, IRQ_NMI);
	EXPECT_EQ(chip_lapic_msr_read(&l, 0x830, &value, 0), 0);
	EXPECT_EQ(value, 0x0001000000004444);
	EXPECT_EQ(wrmsr(LAPIC_ICR, 0x100000), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_SELF_IPI, 0x100), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_SELF_IPI, 0x72), 0);
	EXPECT_EQ(chip_lapic_pending(&l), 0x72);
	EXPECT_EQ(chip_lapic_msr_read(&l, 0x830, &value, 0), 0);
	EXPECT_EQ(value, 0x0001000000004444);		/* SELF IPI is not the ICR */
	EXPECT_EQ(wrmsr(LAPIC_SELF_IPI, 2), 0);
	EXPECT_EQ(wrmsr(LAPIC_ESR, 0), 0);
	EXPECT_EQ(chip_lapic_msr_read(&l, 0x828, &value, 0), 0);
	EXPECT_EQ(value, 0x20);
}

/* Figure 10-27, and what the guest loses on the way. */
static void base_transitions(void)
{
	begin(0);
	EXPECT_EQ(base(X2), -EINVAL);			/* no x2APIC in CPUID */
	l.features = ALL_FEATURES;
	EXPECT_EQ(base(X1 | 1), -EINVAL);
	EXPECT_EQ(base(X1 | 1 << 9), -EINVAL);
	EXPECT_EQ(base(X1 | 1ULL << 39), 0);
	EXPECT_EQ(base(LAPIC_BASE_DEFAULT | LAPIC_BASE_EXTD), -EINVAL);
	EXPECT_EQ(base(X2), 0);
	EXPECT_EQ(base(X1), -EINVAL);
	EXPECT_EQ(wrmsr(LAPIC_SVR, 0x1ff), 0);
	raise_vector(0x90, false);
	EXPECT_EQ(base(LAPIC_BASE_DEFAULT), 0);
	EXPECT_EQ(chip_lapic_pending(&l), 0);
	EXPECT_EQ(base(X2), -EINVAL);
	EXPECT_EQ(base(X1), 0);
	EXPECT_EQ(rd(LAPIC_SVR, 0), 0xff);
	EXPECT_EQ(rd(LAPIC_ID, 0), 3 << 24);
	/* User space goes where it likes, and loses nothing. */
	EXPECT_EQ(base(LAPIC_BASE_DEFAULT), 0);
	EXPECT_EQ(set_base(X2, X86_MSR_BY_USER), 0);
	EXPECT_EQ(wrmsr(LAPIC_SVR, 0x1ff), 0);
	raise_vector(0x90, false);
	EXPECT_EQ(set_base(X1, X86_MSR_BY_USER), 0);
	EXPECT_EQ(chip_lapic_pending(&l), 0x90);
	EXPECT_EQ(set_base(LAPIC_BASE_EXTD, X86_MSR_BY_USER), -EINVAL);
}

static void init_signal(void)
{
	enabled(ALL_FEATURES);
	wr(LAPIC_ID, 9 << 24, 0);
	wr(LAPIC_LDR, 9 << 24, 0);
	raise_vector(0x90, false);
	chip_lapic_reset(&l);
	EXPECT_EQ(rd(LAPIC_ID, 0), 9 << 24);
	EXPECT_EQ(rd(LAPIC_LDR, 0), 0);
	EXPECT_EQ(rd(LAPIC_SVR, 0), 0xff);
	EXPECT_EQ(chip_lapic_pending(&l), 0);
	EXPECT_EQ(base(X2), 0);
	chip_lapic_reset(&l);
	EXPECT_EQ(l.base, X2);
}

static bool hits(u32 dest, bool logical, bool dest8)
{
	struct irq_message m = { .dest = dest, .logical = logical, .dest8 = dest8 };

	return chip_lapic_match(chip_lapic_address(&l), &m);
}

static void addressing(void)
{
	enabled(ALL_FEATURES);
	EXPECT(hits(3, false, true));
	EXPECT(!hits(4, false, true));
	EXPECT(hits(0xff, false, true));
	EXPECT(hits(0xff, true, true));
	EXPECT(!hits(1, true, true));
	wr(LAPIC_LDR, 0x22000000, 0);
	EXPECT(hits(0x02, true, true));
	EXPECT(hits(0x60, true, true));
	EXPECT(!hits(0x11, true, true));
	EXPECT(!hits(0x122, true, false));
	wr(LAPIC_DFR, 0, 0);			/* cluster 2, member 2 */
	EXPECT(hits(0x22, true, true));
	EXPECT(hits(0x2f, true, true));
	EXPECT(!hits(0x12, true, true));
	EXPECT(!hits(0x21, true, true));
	EXPECT_EQ(base(X2), 0);
	EXPECT(hits(3, false, false));
	EXPECT(hits(0x00000008, true, false));
	EXPECT(hits(0x0000000c, true, false));
	EXPECT(!hits(0x00010008, true, false));
	EXPECT(hits(0xffffffff, true, false));
	EXPECT(hits(0xffffffff, false, false));
	EXPECT(!hits(0xff, false, false));
	EXPECT(hits(0xff, false, true));
	EXPECT_EQ(base(LAPIC_BASE_DEFAULT), 0);
	EXPECT(!hits(3, false, true));
	EXPECT(!hits(0xffffffff, false, true));
	/* An id that does not fit is reached by the whole of it. */
	chip_lapic_create(&l, 0x105, ALL_FEATURES);
	EXPECT(hits(0x105, false, false));
	EXPECT(!hits(5, false, false));
}

static void saved_state(void)
{
	static u32 page[256], again[256];
	u64 when;

	enabled(ALL_FEATURES);
	wr(LAPIC_TDCR, 0xb, 0);
	wr(LAPIC_LVT, 0x200ec, 0);
	wr(LAPIC_TMICT, 1000000, 0);
	wr(LAPIC_ICR2, 7 << 24, 0);
	raise_vector(0x33, true);
	raise_vector(0xf3, false);
	chip_lapic_acknowledge(&l, 0xf3);
	chip_lapic_save(&l, page, 400000);
	EXPECT_EQ(page[LAPIC_TMCCT / 4], 600000);
	EXPECT_EQ(page[LAPIC_ISR / 4 + 28], 1 << 19);
	chip_lapic_create(&l, 3, ALL_FEATURES);
	EXPECT_EQ(chip_lapic_restore(&l, page, 9000000), 0);
	EXPECT_EQ(chip_lapic_timer(&l, &when), LAPIC_TIMER_NS);
	EXPECT_EQ(when, 9600000);
	chip_lapic_save(&l, again, 9000000);
	EXPECT(!memcmp(page, again, sizeof(page)));
	chip_lapic_eoi(&l);
	EXPECT_EQ(l.fx.eoi_vector, 0xf3);
	EXPECT_EQ(chip_lapic_pending(&l), 0x33);
	/* No count saved: a period begins, a one-shot is due. */
	page[LAPIC_TMCCT / 4] = 0;
	EXPECT_EQ(chip_lapic_restore(&l, page, 0), 0);
	chip_lapic_timer(&l, &when);
	EXPECT_EQ(when, 1000000);
	page[LAPIC_LVT / 4] = 0xec;
	EXPECT_EQ(chip_lapic_restore(&l, page, 77), 0);
	chip_lapic_timer(&l, &when);
	EXPECT_EQ(when, 77);
	/* More than the initial count it cannot be. */
	page[LAPIC_TMCCT / 4] = 1000001;
	EXPECT_EQ(chip_lapic_restore(&l, page, 0), 0);
	chip_lapic_timer(&l, &when);
	EXPECT_EQ(when, 1000000);
	/* What is due when the state is saved is in the state. */
	chip_lapic_save(&l, page, 1000000);
	EXPECT_EQ(page[LAPIC_TMCCT / 4], 0);
	EXPECT_EQ(page[(LAPIC_IRR + 0x70) / 4], 1 << 12);
}

static void saved_ids(void)
{
	static u32 page[256];

	begin(ALL_FEATURES);
	l.vcpu_id = 0x45;
	EXPECT_EQ(base(X2), 0);
	chip_lapic_save(&l, page, 0);
	EXPECT_EQ(page[LAPIC_ID / 4], 0x45000000);
	EXPECT_EQ(page[LAPIC_LDR / 4], 0x40020);
	EXPECT_EQ(chip_lapic_restore(&l, page, 0), 0);
	l.features = ALL_FEATURES | CHIP_LAPIC_ID32;
	EXPECT_EQ(chip_lapic_restore(&l, page, 0), -EINVAL);
	chip_lapic_save(&l, page, 0);
	EXPECT_EQ(page[LAPIC_ID / 4], 0x45);
	EXPECT_EQ(chip_lapic_restore(&l, page, 0), 0);
	EXPECT_EQ(wrmsr(LAPIC_ICR, 0x1234567800000430), 0);
	chip_lapic_save(&l, page, 0);
	EXPECT_EQ(page[LAPIC_ICR / 4], 0x430);
	EXPECT_EQ(page[LAPIC_ICR2 / 4], 0x12345678);
}

static void hostile_page(void)
{
	static u32 page[256];
	u64 when;

	begin(0);
	memset(page, 0xff, sizeof(page));
	EXPECT_EQ(chip_lapic_restore(&l, page, 0), 0);
	EXPECT_EQ(chip_lapic_pending(&l), 0);
	EXPECT_EQ(rd(LAPIC_LVT, 0), 0x300ff);
	EXPECT_EQ(rd(LAPIC_TDCR, 0), 0xb);
	chip_lapic_timer(&l, &when);
	for (int i = 0; i < 256; i++)
		chip_lapic_eoi(&l);
	EXPECT_EQ(l.isr_top, 0);
	page[LAPIC_SVR / 4] = 0;
	EXPECT_EQ(chip_lapic_restore(&l, page, 0), 0);
	EXPECT_EQ(rd(LAPIC_LVT_END, 0), 0x100ff);
}

/* What SET_LAPIC puts below 16 into IRR stays there, as KVM leaves it; that class is above no PPR. */
static void restored_class_0(void)
{
	static u32 page[256];

	enabled(0);
	chip_lapic_save(&l, page, 0);
	page[LAPIC_IRR / 4] = 0xa5a5;
	EXPECT_EQ(chip_lapic_restore(&l, page, 0), 0);
	EXPECT_EQ(rd(LAPIC_IRR, 0), 0xa5a5);
	EXPECT_EQ(chip_lapic_pending(&l), 0);
	raise_vector(0x31, false);
	raise_vector(6, false);		/* an error, not a request */
	EXPECT_EQ(chip_lapic_pending(&l), 0x31);
	chip_lapic_acknowledge(&l, 0x31);
	chip_lapic_eoi(&l);
	EXPECT_EQ(chip_lapic_pending(&l), 0);
	EXPECT_EQ(rd(LAPIC_IRR, 0), 0xa5a5);
}

static struct reference r;
static u64 now, last_address, last_when;
static enum chip_lapic_timer last_timer;
static unsigned long last_pending, events;

/* A value that is more often meaningful than not. */
static u32 value_for(u32 reg)
{
	u32 v = rnd() >> 32;

	switch (below(4)) {
	case 0:
		return v;
	case 1:
		return 1U << below(32);
	}
	switch (reg) {
	case LAPIC_SVR:
		return below(8) ? 0x1ff : v & 0x13ff;
	case LAPIC_LVT:
		return v & 0x700ff & ~(below(3) ? LVT_MASKED : 0);
	case LAPIC_TMICT:
		return below(5) ? below(2000000) : 0;
	case LAPIC_TDCR:
		return v & 0xb;
	case LAPIC_ICR:
		return below(4) ? v & 0xccfff : v;
	case LAPIC_EOI:
	case LAPIC_ESR:
		return 0;
	case LAPIC_TPR:
		return v & (below(2) ? 0x3f : 0xff);
	}
	return reg > LAPIC_LVT && reg <= LAPIC_LVT_END ? v & 0x1ffff : v;
}

static void timer_sync(void)
{
	u64 when;
	enum chip_lapic_timer kind = chip_lapic_timer(&l, &when);

	ref_advance(&r, now);
	if (kind == LAPIC_TIMER_NS && when <= now)
		chip_lapic_timer_run(&l, now);
}

/* Both have been told the same; do they agree in all that can be seen, and in what they want done? */
static void agree(const char *what)
{
	unsigned int sent = l.fx.what & LAPIC_FX_SEND ? 1 : 0, pending = chip_lapic_pending(&l);
	u64 address = chip_lapic_address(&l), when;
	enum chip_lapic_timer timer = chip_lapic_timer(&l, &when);
	struct irq_message m = {
		.dest = below(3) ? below(20) : below(2) ? 0xff : (u32)rnd() >> below(32),
		.logical = rnd() & 1, .dest8 = rnd() & 1,
	};

	EXPECT_EQ(pending, ref_pending(&r));
	EXPECT_EQ(sent, r.sent);
	if (sent && r.sent) {
		EXPECT_EQ(l.fx.message.dest, r.message.dest);
		EXPECT_EQ(l.fx.message.vector, r.message.vector);
		EXPECT_EQ(l.fx.message.mode, r.message.mode);
		EXPECT_EQ(l.fx.message.shorthand, r.message.shorthand);
		EXPECT_EQ(l.fx.message.logical, r.message.logical);
		EXPECT_EQ(l.fx.message.dest8, r.message.dest8);
	}
	EXPECT_EQ(!!(l.fx.what & LAPIC_FX_EOI), !!r.eois);
	if (r.eois)
		EXPECT_EQ(l.fx.eoi_vector, r.eoi_vector);
	EXPECT_EQ(chip_lapic_match(address, &m), ref_match(&r, &m));
	EXPECT_EQ(l.tsc_deadline, r.deadline);
	EXPECT_EQ(l.counting && !(chip_lapic_reg(&l, LAPIC_LVT) & LVT_MASKED), r.running && !(r.reg[0x32] & 0x10000));
	/* A hint that is not given means that nothing changed. */
	if (!(l.fx.what & LAPIC_FX_ADDRESS))
		EXPECT_EQ(address, last_address);
	if (!(l.fx.what & LAPIC_FX_TIMER) && timer != LAPIC_TIMER_OFF) {
		EXPECT_EQ(timer, last_timer);
		EXPECT_EQ(when, last_when);
	}
	EXPECT_EQ(l.isr_top, chip_lapic_top(l.isr));
	events += sent + r.eois + (pending != last_pending);
	last_pending = pending;
	last_address = address;
	last_timer = timer;
	last_when = when;
	r.sent = r.eois = 0;
	l.fx.what = 0;
}

static u32 pick_register(void)
{
	static const u16 often[] = {
		LAPIC_TPR, LAPIC_EOI, LAPIC_SVR, LAPIC_ICR, LAPIC_ICR2, LAPIC_LVT, LAPIC_TMICT, LAPIC_TMCCT,
		LAPIC_TDCR, LAPIC_ESR, LAPIC_LDR, LAPIC_DFR, LAPIC_ID, LAPIC_SELF_IPI, LAPIC_LVT_END,
	};

	return below(4) ? often[below(COUNT(often))] : below(64) * 16;
}

static void step_register(void)
{
	u32 reg = pick_register(), offset = reg, len = 4, msr = 0x800 + reg / 16, v = value_for(reg);
	u64 wide = reg == LAPIC_ICR && below(4) ? v | rnd() << 32 : v, got = 0, want = 0;

	if (!chip_lapic_x2apic(&l) && chip_lapic_hw_enabled(&l)) {
		if (!below(8)) {
			offset = below(0x1000);
			len = 1 << below(4);
		}
		if (rnd() & 1) {
			chip_lapic_mmio_write(&l, offset, &wide, len, now);
			ref_mmio_write(&r, offset, len, (u32)wide);
		} else {
			chip_lapic_mmio_read(&l, offset, &got, len, now);
			EXPECT_EQ(got, ref_mmio_read(&r, offset, len));
		}
		return;
	}
	if (!below(16))
		msr = 0x800 + below(0x100);
	if (rnd() & 1) {
		EXPECT_EQ(chip_lapic_msr_write(&l, msr, wide, now), ref_msr_write(&r, msr, wide));
	} else {
		int e = chip_lapic_msr_read(&l, msr, &got, now);

		EXPECT_EQ(e, ref_msr_read(&r, msr, &want));
		EXPECT_EQ(got, want);
	}
}

static void step_interrupt(void)
{
	u64 vectors[4] = { 0 }, level[4] = { 0 };
	unsigned int v;

	switch (below(4)) {
	case 0:
		for (int i = 0; i < 4; i++) {
			vectors[i] = below(3) ? 0 : rnd() & rnd() & rnd();
			level[i] = rnd();
			chip_lapic_accept(&l, i, vectors[i], level[i]);
		}
		for (int i = 0; i < 256; i++)
			if (vectors[i / 64] >> i % 64 & 1)
				ref_accept(&r, i, level[i / 64] >> i % 64 & 1);
		break;
	case 1:
		v = below(256);
		raise_vector(v, false);
		ref_accept(&r, v, false);
		break;
	case 2:
		v = chip_lapic_pending(&l);
		if (!v)
			break;
		chip_lapic_acknowledge(&l, v);
		r.irr[v] = false;
		r.isr[v] = true;
		break;
	case 3:
		chip_lapic_eoi(&l);
		ref_eoi(&r);
		break;
	}
}

static void step_state(void)
{
	static u32 page[256], other[256];

	chip_lapic_save(&l, page, now);
	ref_save(&r, other);
	for (int i = 0; i < 256; i++)
		if (page[i] != other[i])
			test_fail(__FILE__, __LINE__, "offset %#x of the page: %#x, not %#x", i * 4, page[i], other[i]);
	if (below(4))
		return;
	if (rnd() & 1)
		for (int i = 0; i < 256; i++)
			if (!below(4))
				page[i] = value_for(i * 4);
	if (chip_lapic_x2apic(&l) && below(4))
		page[8] = l.vcpu_id;
	/* The reference fires a restored timer that is due when it next looks; so does the model's caller. */
	EXPECT_EQ(chip_lapic_restore(&l, page, now), ref_restore(&r, page));
}

static void step_mode(void)
{
	static const u16 modes[] = { 0, 0x800, 0x800, 0xc00, 0xc00, 0x400 };
	u64 value = 0xfee00000 + modes[below(COUNT(modes))] + (rnd() & 0x100);
	bool guest = rnd() & 1;

	if (!below(8))
		value ^= 1ULL << below(64);
	EXPECT_EQ(set_base(value, guest ? X86_MSR_BY_GUEST : X86_MSR_BY_USER), ref_set_base(&r, value, guest));
}

static void step_rare(void)
{
	u64 deadline = below(4) ? rnd() : 0;

	switch (below(5)) {
	case 0:
		chip_lapic_set_tsc_deadline(&l, deadline);
		if (ref_on(&r) && ref_mode(&r) == 2)
			r.deadline = deadline;
		break;
	case 1:
		chip_lapic_timer_expire_tsc(&l);
		if (r.deadline) {
			r.deadline = 0;
			ref_fire(&r, LAPIC_LVT);
		}
		break;
	case 2:
		chip_lapic_set_tpr(&l, below(16) << 4);
		r.reg[8] = chip_lapic_reg(&l, LAPIC_TPR);
		break;
	case 3:
		if (below(16))
			break;
		chip_lapic_reset(&l);
		ref_reset(&r);
		break;
	case 4:
		EXPECT_EQ(chip_lapic_accepts_extint(&l), !ref_on(&r) || (r.reg[0x35] & 0x10700) == 0x700);
		break;
	}
}

static void random_run(void)
{
	const char *s = test_option("--seed"), *n = test_option("--steps");
	unsigned long steps = n ? strtoul(n, NULL, 0) : 400000, i;

	seed = s ? strtoull(s, NULL, 0) : 0x1d872b41;
	for (i = 0; i < steps; i++) {
		if (i % 5000 == 0) {
			u32 features = rnd() >> 58, id = below(2) ? below(8) : below(4096);

			now = rnd() >> 20;
			chip_lapic_create(&l, id, features);
			ref_create(&r, id, features);
			r.now = now;
			l.fx.what = ~0U & ~(LAPIC_FX_SEND | LAPIC_FX_EOI);
			agree("create");
		}
		now += below(3) ? below(300) : below(400000);
		timer_sync();
		agree("time");
		switch (below(32)) {
		case 0:
			step_state();
			break;
		case 1:
			if (!below(4))
				step_mode();
			break;
		case 2 ... 5:
			step_rare();
			break;
		case 6 ... 13:
			step_interrupt();
			break;
		default:
			step_register();
		}
		ref_advance(&r, now);
		timer_sync();
		agree("step");
	}
	test_note("%lu steps, %lu events compared", steps, events);
	EXPECT(events > steps / 20);
}

static const struct test tests[] = {
	TEST(power_up), TEST(priorities), TEST(trigger_modes), TEST(ipi), TEST(errors), TEST(software_disable),
	TEST(lint0), TEST(one_shot), TEST(periodic), TEST(tsc_deadline), TEST(access_sizes),
	TEST(x2apic_registers), TEST(base_transitions), TEST(init_signal), TEST(addressing), TEST(saved_state),
	TEST(saved_ids), TEST(hostile_page), TEST(restored_class_0), TEST(random_run),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

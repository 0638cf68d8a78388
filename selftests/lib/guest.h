/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a guest calls: the channel to the host's side (vm.h), instructions, and faults caught where they are expected.
 *
 * A guest is a C function of the test program. It runs in a copy of the program's image at the same addresses, in 64-bit
 * mode on an identity map, so it may use any variable of the program (the host sees the copy by vm_var()), but no libc,
 * no system call and no thread-local storage.
 */
#ifndef SELFTESTS_LIB_GUEST_H
#define SELFTESTS_LIB_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/kvirt_para.h>

/* The channel: an OUT to one of these, its arguments in RDI, RSI, RDX. */
enum {
	PORT_DONE	= 0x510,
	PORT_STAGE	= 0x511,	/* the stage in RDI */
	PORT_PRINT	= 0x512,	/* one character in AL */
	PORT_FAIL	= 0x513,	/* line, got, wanted */
	PORT_TEST	= 0x520,	/* and up to 0x53f: the tests' own */
};

static inline void guest_call(uint16_t port, uint64_t a, uint64_t b, uint64_t c)
{
	asm volatile("outb %%al, %%dx" : : "a"(0), "D"(a), "S"(b), "c"(c), "d"(port) : "memory");
}

static inline void guest_stage(long stage)
{
	guest_call(PORT_STAGE, stage, 0, 0);
}

/* The guest's end; running on comes back here. */
__attribute__((noreturn)) static inline void guest_done(void)
{
	for (;;)
		guest_call(PORT_DONE, 0, 0, 0);
}

/* Characters to the host's log. */
void guest_print(const char *text);

/* Checks of the guest: the host fails the test, the guest goes on. */
#define GUEST_EXPECT_EQ(got, want)						\
	do {									\
		uint64_t got_ = (uint64_t)(got), want_ = (uint64_t)(want);	\
		if (got_ != want_)						\
			guest_call(PORT_FAIL, __LINE__, got_, want_);		\
	} while (0)
#define GUEST_EXPECT(condition)	GUEST_EXPECT_EQ(!!(condition), 1)

/* --- instructions --- */

static inline void outb(uint16_t port, uint8_t v) { asm volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory"); }
static inline void outw(uint16_t port, uint16_t v) { asm volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory"); }
static inline void outl(uint16_t port, uint32_t v) { asm volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory"); }

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	asm volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(subleaf));
}

static inline uint64_t rdmsr(uint32_t index)
{
	uint32_t lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index) : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t index, uint64_t v)
{
	asm volatile("wrmsr" : : "a"((uint32_t)v), "d"((uint32_t)(v >> 32)), "c"(index) : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* kvm-clock in nanoseconds, by the page that a guest has, when its TSC reads @tsc; the version is the caller's to look at. */
static inline uint64_t pvclock_at(const volatile struct kvirt_pvclock_time_info *p, uint64_t tsc)
{
	uint64_t delta = tsc - p->tsc_timestamp;

	delta = p->tsc_shift >= 0 ? delta << p->tsc_shift : delta >> -p->tsc_shift;
	return p->system_time + (uint64_t)((__uint128_t)delta * p->tsc_to_system_mul >> 32);
}

#define READ_REGISTER(reg)						\
	({								\
		uint64_t v_;						\
		asm volatile("mov %%" #reg ", %0" : "=r"(v_) : : "memory");	\
		v_;							\
	})
#define WRITE_REGISTER(reg, v)	asm volatile("mov %0, %%" #reg : : "r"((uint64_t)(v)) : "memory")

static inline void cli(void) { asm volatile("cli" : : : "memory"); }
static inline void sti(void) { asm volatile("sti; nop" : : : "memory"); }
static inline void hlt(void) { asm volatile("hlt" : : : "memory"); }
/* Halt with interrupts on: the shadow of STI closes the gap between the two. */
void sti_hlt_cli(void);
static inline void cpu_relax(void) { asm volatile("pause" : : : "memory"); }

static inline uint32_t mmio_read32(uint64_t gpa)
{
	uint32_t v;

	asm volatile("movl (%1), %0" : "=r"(v) : "r"(gpa) : "memory");
	return v;
}

static inline void mmio_write32(uint64_t gpa, uint32_t v)
{
	asm volatile("movl %0, (%1)" : : "r"(v), "r"(gpa) : "memory");
}

/* VMCALL or VMMCALL with up to four arguments. */
#define GUEST_HYPERCALL(insn, nr, a, b, c, d)						\
	({										\
		long r_;								\
		asm volatile(insn : "=a"(r_) : "a"((uint64_t)(nr)), "b"((uint64_t)(a)),	\
			     "c"((uint64_t)(b)), "d"((uint64_t)(c)), "S"((uint64_t)(d)) : "memory");	\
		r_;									\
	})

/* --- exceptions and interrupts --- */

/* What a handler gets: the registers as pushed (lib/vectors.S). */
struct guest_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

typedef void guest_handler(struct guest_frame *frame);

/* Load the IDT; all vCPUs share it. A vector without a handler fails the test and ends the guest. */
void guest_idt_load(void);
void guest_handle(uint8_t vector, guest_handler *handler);

/* The code of a fault in GUEST_TRY(), error code in *error; this is what it gives if there was none. */
#define NO_FAULT	0x100

struct guest_catch {
	uint64_t rip;		/* where to go on after a fault; 0 while nothing is tried */
	uint64_t vector, error, fault_rip;
};

extern volatile struct guest_catch guest_catch;

/* Run one asm template and tell the vector of the fault it raised, or NO_FAULT. Operands by name, as in asm(); needs the IDT. */
#define GUEST_TRY(template, ...)							\
	({										\
		guest_catch.vector = NO_FAULT;						\
		guest_catch.error = 0;							\
		asm volatile("movq $77f, %[catch_]\n\t"					\
			     template "\n"						\
			     "77: movq $0, %[catch_]"					\
			     : [catch_] "+m"(guest_catch.rip) : __VA_ARGS__);		\
		guest_catch.vector;							\
	})

/* --- the local APIC --- */

#define MSR_TSC			0x10
#define MSR_APIC_BASE		0x1b
#define MSR_TSC_DEADLINE	0x6e0
#define APIC_MMIO		0xfee00000ull
#define APIC_ID			0x20
#define APIC_VERSION		0x30
#define APIC_TPR		0x80
#define APIC_PPR		0xa0
#define APIC_EOI		0xb0
#define APIC_LDR		0xd0
#define APIC_DFR		0xe0
#define APIC_SVR		0xf0
#define APIC_ISR		0x100
#define APIC_TMR		0x180
#define APIC_IRR		0x200
#define APIC_ESR		0x280
#define APIC_ICR		0x300
#define APIC_ICR2		0x310
#define APIC_LVT_TIMER		0x320
#define APIC_LVT_LINT0		0x350
#define APIC_LVT_LINT1		0x360
#define APIC_LVT_ERROR		0x370
#define APIC_TIMER_INITIAL	0x380
#define APIC_TIMER_CURRENT	0x390
#define APIC_TIMER_DIVIDE	0x3e0
#define APIC_SELF_IPI		0x3f0

static inline uint32_t xapic_read(uint32_t reg) { return mmio_read32(APIC_MMIO + reg); }
static inline void xapic_write(uint32_t reg, uint32_t v) { mmio_write32(APIC_MMIO + reg, v); }
static inline uint64_t x2apic_read(uint32_t reg) { return rdmsr(0x800 + reg / 16); }
static inline void x2apic_write(uint32_t reg, uint64_t v) { wrmsr(0x800 + reg / 16, v); }

/* In the mode that the program says its guests' local APICs are in. */
extern volatile bool apic_in_x2;
extern volatile bool guest_on_tcg;	/* set by the host's side before the image is copied */
static inline uint32_t apic_read(uint32_t reg) { return apic_in_x2 ? x2apic_read(reg) : xapic_read(reg); }

static inline void apic_write(uint32_t reg, uint32_t v)
{
	if (apic_in_x2)
		x2apic_write(reg, v);
	else
		xapic_write(reg, v);
}

#endif

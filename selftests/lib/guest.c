// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's side of the library: what cannot be inline. Everything here runs in guests only, never in the program
 * itself; the host's side is vm.c.
 */
#include "guest.h"
#include "vm.h"

struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, zero;
};

struct table {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern char guest_vectors[];		/* vectors.S: one entry each 16 bytes */

volatile struct guest_catch guest_catch;
volatile bool apic_in_x2;
volatile bool guest_on_tcg;

static guest_handler *handlers[256];

void guest_print(const char *text)
{
	while (*text)
		outb(PORT_PRINT, *text++);
}

static void print_hex(const char *name, uint64_t v)
{
	guest_print(name);
	for (int shift = 60; shift >= 0; shift -= 4)
		outb(PORT_PRINT, "0123456789abcdef"[v >> shift & 15]);
}

asm("	.globl	sti_hlt_cli, guest_hlt\n"
    "sti_hlt_cli:\n"
    "	sti\n"
    "guest_hlt:\n"
    "	hlt\n"
    "	cli\n"
    "	ret\n");
extern const char guest_hlt[];

/* Called by vectors.S. */
void guest_vector(struct guest_frame *frame)
{
	guest_handler *handler = handlers[frame->vector];

	/* TCG can let an interrupt in between STI and HLT (docs/hosts.md): it is what the HLT would wait for in vain. */
	if (guest_on_tcg && frame->rip == (uint64_t)guest_hlt)
		frame->rip++;
	if (guest_catch.rip && frame->vector < 32) {
		guest_catch.vector = frame->vector;
		guest_catch.error = frame->error;
		guest_catch.fault_rip = frame->rip;
		frame->rip = guest_catch.rip;
		guest_catch.rip = 0;
		return;
	}
	if (handler) {
		handler(frame);
		return;
	}
	print_hex("unexpected vector ", frame->vector);
	print_hex(" error ", frame->error);
	print_hex(" rip ", frame->rip);
	print_hex(" cr2 ", READ_REGISTER(cr2));
	guest_print("\n");
	guest_call(PORT_FAIL, __LINE__, frame->vector, NO_FAULT);
	guest_done();
}

void guest_handle(uint8_t vector, guest_handler *handler)
{
	handlers[vector] = handler;
}

void guest_idt_load(void)
{
	struct gate *idt = (struct gate *)GUEST_IDT;
	struct table table = { 256 * sizeof(*idt) - 1, GUEST_IDT };

	for (int i = 0; i < 256; i++) {
		uint64_t entry = (uint64_t)guest_vectors + 16 * i;

		/* An interrupt gate that user code may call too. */
		idt[i] = (struct gate){ entry, SEL_CODE64, 0, 0xee, entry >> 16, entry >> 32, 0 };
	}
	asm volatile("lidt %0" : : "m"(table));
}

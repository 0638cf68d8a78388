// SPDX-License-Identifier: GPL-2.0
/*
 * What a debugger may say to vmrun: packets with any text, bytes that are none, debug exits of vCPUs in between, and that it
 * vanishes. No vCPU runs while the stub thinks, every reply is a packet, and what is left of a debugger that has gone
 * is nothing: no breakpoint, no step.
 */
#include <string.h>

#include "fuzz.h"
#include "gdb/stub.h"
#include "tests/fake_kvirt.h"

#define CPUS	2
#define MEMORY	MIB(16)

enum { PACKET, RAW = 5, EXIT, VANISH, NR_OPS };

static struct world {
	struct memory mem;
	struct kvirt_vcpu vcpu[CPUS];
	struct gdb_stub *stub;
	bool held[CPUS];
	bool has_exit[CPUS];
	struct kvirt_debug_exit_arch exit[CPUS];
} w;

static void hold(void *ctx)
{
	memset(w.held, 1, sizeof(w.held));
}

static void release(void *ctx, unsigned int cpu)
{
	MUST(cpu < CPUS);
	w.held[cpu] = false;
}

static bool take_exit(void *ctx, unsigned int cpu, struct kvirt_debug_exit_arch *exit)
{
	bool has = w.has_exit[cpu];

	*exit = w.exit[cpu];
	w.has_exit[cpu] = false;
	return has;
}

static void kill_machine(void *ctx)
{
}

/* An acknowledgement, or a packet with nothing bare in it and the right sum. */
static void check(void *ctx, const void *data, size_t len)
{
	static struct gdb_input in;
	enum gdb_event event = GDB_NOTHING;
	const u8 *byte = data;
	size_t i;

	if (len == 1) {
		MUST(*byte == '+' || *byte == '-');
		return;
	}
	memset(&in, 0, offsetof(struct gdb_input, data));
	for (i = 0; i < len; i++) {
		MUST(event == GDB_NOTHING);
		event = gdb_feed(&in, byte[i]);
	}
	MUST(event == GDB_PACKET);
}

static const struct gdb_ops ops = {
	.hold = hold, .release = release, .take_exit = take_exit, .kill = kill_machine, .send = check,
};

static void say(const uint8_t *text, size_t len)
{
	u8 frame[256 + 4] = { '$' }, sum = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		frame[1 + i] = text[i];
		sum += text[i];
	}
	frame[1 + len] = '#';
	frame[2 + len] = "0123456789abcdef"[sum >> 4];
	frame[3 + len] = "0123456789abcdef"[sum & 15];
	gdb_stub_input(w.stub, frame, len + 4);
}

static void come_out(const uint8_t *data, size_t len)
{
	unsigned int cpu = len ? data[0] % CPUS : 0;

	/* Who stands cannot. */
	if (w.held[cpu])
		return;
	w.exit[cpu] = (struct kvirt_debug_exit_arch){ .exception = len && data[0] & 2 ? 3 : 1 };
	memcpy(&w.exit[cpu].pc, data, min_u64(len, 8));
	memcpy(&w.exit[cpu].dr6, data, min_u64(len, 2));
	fake_vcpu[cpu].regs.rip = w.exit[cpu].pc;
	w.has_exit[cpu] = true;
	w.held[cpu] = true;
	gdb_stub_exits(w.stub);
}

static void vanish(void)
{
	bool was_running = w.stub->running, was_there = w.stub->attached;
	unsigned int i;

	gdb_stub_lost(w.stub);
	for (i = 0; i < CPUS && was_there; i++) {
		MUST(!(fake_vcpu[i].debug.control & KVIRT_GUESTDBG_ENABLE));
		MUST(w.held[i] == !was_running);
	}
	MUST(!w.stub->access.nr_soft);
	gdb_stub_attach(w.stub);
}

static void make(void)
{
	struct vm_error err = { 0 };
	unsigned int i;

	/* Its memory stays: what an earlier input wrote makes page tables for later ones. */
	if (!w.mem.mapping)
		MUST(!memory_create(&w.mem, MEMORY, &err));
	memset(fake_vcpu, 0, sizeof(fake_vcpu));
	memset(w.has_exit, 0, sizeof(w.has_exit));
	w.stub = gdb_stub_create(&ops, &w, &w.mem, KVIRT_GUESTDBG_BLOCKIRQ, CPUS);
	MUST(w.stub);
	w.stub->view.has_avx = true;
	for (i = 0; i < CPUS; i++) {
		w.vcpu[i].fd = i;
		w.stub->cpu[i].kvirt = &w.vcpu[i];
	}
	gdb_stub_attach(w.stub);
}

void fuzz_input(const uint8_t *data, size_t size)
{
	make();
	w.stub->view.bits = size % 3;
	while (size > 2) {
		unsigned int op = data[0] % NR_OPS;
		size_t len = min_u64(data[1], size - 2);

		data += 2;
		size -= 2;
		if (op < RAW)
			say(data, len);
		else if (op == RAW)
			gdb_stub_input(w.stub, data, len);
		else if (op == EXIT)
			come_out(data, len);
		else
			vanish();
		data += len;
		size -= len;
		if (w.stub->attached && !w.stub->running)
			MUST(w.held[0] && w.held[1] && !w.stub->passing);
		if (!w.stub->attached)
			gdb_stub_attach(w.stub);
	}
	vanish();
	gdb_stub_destroy(w.stub);
}

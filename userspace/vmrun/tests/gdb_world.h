/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A debugger over a machine of two vCPUs that only write down what is done to them.
 */
#ifndef VMRUN_TESTS_GDB_WORLD_H
#define VMRUN_TESTS_GDB_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_kvirt.h"
#include "../gdb/stub.h"
#include "ktap.h"

#define CPUS		2
#define ENABLE		KVIRT_GUESTDBG_ENABLE
#define SOFT		(ENABLE | KVIRT_GUESTDBG_USE_SW_BP)
#define HARD		(ENABLE | KVIRT_GUESTDBG_USE_HW_BP)
#define STEP		(ENABLE | KVIRT_GUESTDBG_SINGLESTEP)
#define DB		1
#define BP		3

/* Page tables, and where they map: VIRTUAL to PHYSICAL, and the page behind it elsewhere. */
#define TABLES		0x10000
#define VIRTUAL		0xffffffff81000000ull
#define PHYSICAL	0x200000
#define SECOND		0x300000

struct world {
	struct memory mem;
	struct gdb_stub *stub;
	struct kvirt_vcpu vcpu[CPUS];
	bool held[CPUS];
	bool has_exit[CPUS];
	struct kvirt_debug_exit_arch exit[CPUS];
	unsigned int killed;
	char sent[4 * GDB_MAX_PACKET];
	size_t nr_sent;
};

static struct world w;

static inline void hold(void *ctx)
{
	unsigned int i;

	(void)ctx;
	for (i = 0; i < CPUS; i++)
		w.held[i] = true;
}

static inline void release(void *ctx, unsigned int cpu)
{
	(void)ctx;
	w.held[cpu] = false;
}

static inline bool take_exit(void *ctx, unsigned int cpu, struct kvirt_debug_exit_arch *exit)
{
	bool has = w.has_exit[cpu];

	(void)ctx;
	*exit = w.exit[cpu];
	w.has_exit[cpu] = false;
	return has;
}

static inline void kill_machine(void *ctx)
{
	(void)ctx;
	w.killed++;
}

static inline void keep(void *ctx, const void *data, size_t len)
{
	(void)ctx;
	ASSERT(w.nr_sent + len < sizeof(w.sent));
	memcpy(w.sent + w.nr_sent, data, len);
	w.nr_sent += len;
	w.sent[w.nr_sent] = 0;
}

static const struct gdb_ops ops = {
	.hold = hold, .release = release, .take_exit = take_exit, .kill = kill_machine, .send = keep,
};

static inline void put_entry(u64 address, u64 value)
{
	memcpy(guest_buf(&w.mem, address, 8), &value, 8);
}

/* Four levels, of which the last has two pages next to each other that are not so below. */
static inline void map(void)
{
	struct kvirt_sregs *s = &fake_vcpu[0].sregs;

	put_entry(TABLES + 511 * 8, TABLES + 0x1003);
	put_entry(TABLES + 0x1000 + 510 * 8, TABLES + 0x2003);
	put_entry(TABLES + 0x2000 + 8 * 8, TABLES + 0x3003);
	put_entry(TABLES + 0x3000, PHYSICAL | 3);
	put_entry(TABLES + 0x3008, 0x8000000000000003ull | SECOND);
	s->cr0 = BIT_ULL(31) | 1;
	s->cr3 = TABLES | 0x18;
	s->cr4 = BIT_ULL(5);
	s->efer = BIT_ULL(8) | BIT_ULL(10);
	fake_vcpu[1].sregs = *s;
}

static inline void feed(const char *packet, size_t len)
{
	u8 sum = 0, frame[2 * GDB_MAX_PACKET];
	size_t i;
	int n;

	ASSERT(len + 8 < sizeof(frame));
	for (i = 0; i < len; i++)
		sum += packet[i];
	frame[0] = '$';
	memcpy(frame + 1, packet, len);
	n = snprintf((char *)frame + 1 + len, 8, "#%02x", sum);
	w.nr_sent = 0;
	w.sent[0] = 0;
	gdb_stub_input(w.stub, frame, 1 + len + n);
}

/* The reply's text, after its acknowledgement and without its frame; NULL: none came. */
static inline const char *said(const char *packet)
{
	char *start, *end;

	feed(packet, strlen(packet));
	start = strchr(w.sent, '$');
	end = start ? strchr(start, '#') : NULL;
	if (!end)
		return NULL;
	*end = 0;
	return start + 1;
}

static inline bool says(const char *packet, const char *wanted)
{
	const char *reply = said(packet);

	if (!reply || !wanted) {
		if (reply || wanted)
			printf("# %s: %s\n", packet, reply ? reply : "no reply");
		return !reply && !wanted;
	}
	if (strcmp(reply, wanted))
		printf("# %s: %s\n", packet, reply);
	return !strcmp(reply, wanted);
}

static inline void make(void)
{
	struct vm_error err = { 0 };
	unsigned int i;

	ASSERT_EQ(memory_create(&w.mem, MIB(16), &err), 0);
	w.stub = gdb_stub_create(&ops, &w, &w.mem, KVIRT_GUESTDBG_BLOCKIRQ, CPUS);
	ASSERT(w.stub);
	for (i = 0; i < CPUS; i++) {
		w.vcpu[i].fd = i;
		w.stub->cpu[i].kvirt = &w.vcpu[i];
	}
	map();
	gdb_stub_attach(w.stub);
	EXPECT(says("qSupported:swbreak+;hwbreak+", "PacketSize=1000;QStartNoAckMode+;qXfer:features:read+;"
		    "qXfer:threads:read+;swbreak+;hwbreak+;vContSupported+"));
}

static inline void destroy(void)
{
	gdb_stub_destroy(w.stub);
	memory_destroy(&w.mem);
}

/* vCPU @cpu comes out of the guest, and the stub looks. */
static inline void come_out(unsigned int cpu, u32 exception, u64 pc, u64 dr6)
{
	w.exit[cpu] = (struct kvirt_debug_exit_arch){ .exception = exception, .pc = pc, .dr6 = dr6 };
	w.has_exit[cpu] = true;
	w.held[cpu] = true;
}

static inline bool tells(const char *wanted)
{
	bool is_it = !strncmp(w.sent, "$", 1) && !strncmp(w.sent + 1, wanted, strlen(wanted)) &&
		     w.sent[1 + strlen(wanted)] == '#';

	if (!is_it)
		printf("# told: %.*s\n", (int)w.nr_sent, w.sent);
	return is_it;
}

static inline void look(void)
{
	w.nr_sent = 0;
	w.sent[0] = 0;
	gdb_stub_exits(w.stub);
}

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * Run control: what makes the guest stop, what gdb is told of it, how it goes on. Called by
 * server.c with what comes from gdb and from vCPUs, and by command.c.
 */
#include <stdlib.h>
#include <string.h>

#include "stub.h"

#define VECTOR_BP	3
#define SIGNAL_INT	2	/* gdb's numbers */
#define SIGNAL_TRAP	5

struct gdb_stub *gdb_stub_create(const struct gdb_ops *ops, void *ctx, const struct memory *mem,
				 u32 debug_flags, unsigned int nr_cpus)
{
	struct gdb_stub *stub = calloc(1, sizeof(*stub) + nr_cpus * sizeof(stub->cpu[0]));

	if (!stub)
		return NULL;
	stub->ops = ops;
	stub->ctx = ctx;
	stub->access.mem = mem;
	stub->debug_flags = debug_flags;
	stub->nr_cpus = nr_cpus;
	return stub;
}

void gdb_stub_destroy(struct gdb_stub *stub)
{
	free(stub);
}

static bool is_stepping(const struct gdb_stub *stub, const struct gdb_cpu *cpu)
{
	return cpu->action == GDB_STEP || cpu == stub->passing;
}

/* Arms vCPU @cpu for its action; @inject: KVIRT_GUESTDBG_INJECT_*, or 0. */
static int arm(struct gdb_stub *stub, unsigned int cpu, u32 inject)
{
	struct kvirt_guest_debug debug = { .control = inject };

	if (stub->access.nr_soft)
		debug.control |= KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_USE_SW_BP;
	if (gdb_hard_registers(&stub->hard, &debug.arch))
		debug.control |= KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_USE_HW_BP;
	/* A step is to end behind the next instruction, not in the handler of a timer. */
	if (is_stepping(stub, &stub->cpu[cpu]))
		debug.control |= KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_SINGLESTEP |
				 (stub->debug_flags & KVIRT_GUESTDBG_BLOCKIRQ);
	return kvirt_set_debug(stub->cpu[cpu].kvirt, &debug);
}

static enum gdb_stop classify(struct gdb_stub *stub, struct gdb_cpu *cpu,
			      const struct kvirt_debug_exit_arch *exit)
{
	const struct gdb_hard_slot *hit;

	/* Under the lifted one lay the guest's own. */
	if (exit->exception == VECTOR_BP && cpu == stub->passing && exit->pc == cpu->address)
		return GDB_STOP_NONE;
	if (exit->exception == VECTOR_BP) {
		cpu->address = exit->pc;
		switch (gdb_soft_at(&stub->access, cpu->kvirt, exit->pc)) {
		case GDB_SOFT_EXACT:
			return GDB_STOP_SOFT;
		case GDB_SOFT_ALIAS:
			return GDB_STOP_ALIAS;
		case GDB_SOFT_NONE:
			return GDB_STOP_NONE;
		}
	}
	hit = gdb_hard_hit(&stub->hard, exit->dr6);
	if (hit) {
		cpu->kind = hit->kind;
		/* Of what gdb named perhaps a part: any address in it will do. */
		cpu->address = hit->address;
		return hit->kind == GDB_HARD_CODE ? GDB_STOP_HARD : GDB_STOP_WATCH;
	}
	return is_stepping(stub, cpu) ? GDB_STOP_STEP : GDB_STOP_NONE;
}

/*
 * Looks at what vCPUs have come out with. Exceptions of the guest's own are given back;
 * who had one goes on unless all are held.
 */
static void collect(struct gdb_stub *stub, bool all_held)
{
	struct kvirt_debug_exit_arch exit;
	unsigned int i;

	for (i = 0; i < stub->nr_cpus; i++) {
		struct gdb_cpu *cpu = &stub->cpu[i];

		if (!stub->ops->take_exit(stub->ctx, i, &exit))
			continue;
		cpu->stop = classify(stub, cpu, &exit);
		if (cpu->stop != GDB_STOP_NONE)
			continue;
		/* Where one is pending already, that one counts. */
		if (arm(stub, i, exit.exception == VECTOR_BP ? KVIRT_GUESTDBG_INJECT_BP :
			KVIRT_GUESTDBG_INJECT_DB))
			arm(stub, i, 0);
		if (!all_held)
			stub->ops->release(stub->ctx, i);
	}
}

/* What a vCPU had to tell when another was told waits until gdb lets it go on. */
static bool has_stopped(const struct gdb_cpu *cpu)
{
	return cpu->stop != GDB_STOP_NONE && cpu->action != GDB_STAND;
}

/* A vCPU with something to tell, the current one first; -1: none. */
static int find_stopped(const struct gdb_stub *stub)
{
	unsigned int i;

	if (has_stopped(&stub->cpu[stub->current]))
		return stub->current;
	for (i = 0; i < stub->nr_cpus; i++)
		if (has_stopped(&stub->cpu[i]))
			return i;
	return -1;
}

/* All stand, and the reply says why: because of vCPU @cpu, or where that is -1 @otherwise. */
static void stop(struct gdb_stub *stub, int cpu, enum gdb_stop otherwise)
{
	if (cpu >= 0) {
		stub->told = stub->cpu[cpu];
		stub->told_cpu = cpu;
		stub->cpu[cpu].stop = GDB_STOP_NONE;
		stub->cpu[cpu].at_alias = stub->told.stop == GDB_STOP_ALIAS;
	} else {
		stub->told.stop = otherwise;
		stub->told_cpu = stub->current;
	}
	stub->current = stub->told_cpu;
	stub->running = false;
	gdb_tell_stop(stub);
}

void gdb_tell_stop(struct gdb_stub *stub)
{
	static const char *const watch[] = {
		[GDB_HARD_WRITE] = "watch", [GDB_HARD_ACCESS] = "awatch",
	};
	struct gdb_text *reply = &stub->reply;

	gdb_print(reply, "T%02xthread:%x;",
		  stub->told.stop == GDB_STOP_INTERRUPT ? SIGNAL_INT : SIGNAL_TRAP,
		  stub->told_cpu + 1);
	if (stub->told.stop == GDB_STOP_WATCH)
		gdb_print(reply, "%s:%llx;", watch[stub->told.kind],
			  (unsigned long long)stub->told.address);
	if (stub->told.stop == GDB_STOP_SOFT && stub->tells_kind)
		gdb_print(reply, "swbreak:;");
	if (stub->told.stop == GDB_STOP_HARD && stub->tells_kind)
		gdb_print(reply, "hwbreak:;");
}

/*
 * gdb steps over its breakpoints by itself, but not where it knows of none: at another address
 * of the same memory. Who stands there and is to go on steps over it first. Returns 1 when one
 * is under way, 0 when there is none (any more), -1 when that failed. All are held.
 */
static int pass_alias(struct gdb_stub *stub)
{
	struct vm_error ignored = { 0 };
	struct kvirt_sregs sregs;
	struct kvirt_regs regs;
	unsigned int i;

	for (i = 0; i < stub->nr_cpus; i++) {
		struct gdb_cpu *cpu = &stub->cpu[i];

		if (cpu->action == GDB_STAND || !cpu->at_alias)
			continue;
		cpu->at_alias = false;
		/* gdb may have moved it. */
		if (kvirt_get_regs(cpu->kvirt, &regs, &ignored) ||
		    kvirt_get_sregs(cpu->kvirt, &sregs, &ignored))
			return -1;
		if (sregs.cs.base + regs.rip != cpu->address ||
		    !gdb_soft_lift(&stub->access, cpu->kvirt, cpu->address, &stub->lifted))
			continue;
		stub->passing = cpu;
		if (!arm(stub, i, 0)) {
			stub->running = true;
			stub->ops->release(stub->ctx, i);
			return 1;
		}
		gdb_soft_put_back(&stub->access, stub->lifted);
		stub->passing = NULL;
		return -1;
	}
	return 0;
}

/* All are held, and what they came out with is known. True: it has passed, and nothing else. */
static bool end_pass(struct gdb_stub *stub)
{
	struct gdb_cpu *cpu = stub->passing;

	if (!cpu)
		return false;
	gdb_soft_put_back(&stub->access, stub->lifted);
	stub->passing = NULL;
	/* Where it did not come to that it still has to. */
	cpu->at_alias = cpu->stop == GDB_STOP_NONE;
	if (cpu->stop != GDB_STOP_STEP || cpu->action == GDB_STEP)
		return false;
	cpu->stop = GDB_STOP_NONE;
	return true;
}

void gdb_stub_exits(struct gdb_stub *stub)
{
	/* What comes out while all stand is looked at before they go on. */
	if (!stub->running)
		return;
	collect(stub, false);
	if (find_stopped(stub) < 0)
		return;
	stub->ops->hold(stub->ctx);
	collect(stub, true);
	if (end_pass(stub)) {
		stub->running = false;
		gdb_resume(stub);
	} else {
		stop(stub, find_stopped(stub), GDB_STOP_NONE);
	}
	if (!stub->running)
		gdb_send_reply(stub);
}

static void interrupt(struct gdb_stub *stub)
{
	if (!stub->running)
		return;
	stub->ops->hold(stub->ctx);
	collect(stub, true);
	end_pass(stub);
	stop(stub, find_stopped(stub), GDB_STOP_INTERRUPT);
	gdb_send_reply(stub);
}

/* A watchpoint that another vCPU met at the same time, and that gdb still has. */
static bool is_still_wanted(const struct gdb_stub *stub, const struct gdb_cpu *cpu)
{
	unsigned int i;

	for (i = 0; i < GDB_HARD_SLOTS && cpu->stop == GDB_STOP_WATCH; i++) {
		const struct gdb_hard_slot *slot = &stub->hard.slot[i];

		if (slot->len && slot->kind == cpu->kind && cpu->address >= slot->address &&
		    cpu->address - slot->address < slot->len)
			return true;
	}
	/* Breakpoints are met again, as they are before their instruction. */
	return false;
}

void gdb_resume(struct gdb_stub *stub)
{
	unsigned int i;
	int ret;

	collect(stub, true);
	for (i = 0; i < stub->nr_cpus; i++) {
		struct gdb_cpu *cpu = &stub->cpu[i];

		if (cpu->action == GDB_STAND)
			continue;
		if (is_still_wanted(stub, cpu)) {
			stop(stub, i, GDB_STOP_NONE);
			return;
		}
		cpu->stop = GDB_STOP_NONE;
	}
	ret = pass_alias(stub);
	if (ret > 0)
		return;
	for (i = 0; i < stub->nr_cpus && !ret; i++)
		if (stub->cpu[i].action != GDB_STAND)
			ret = arm(stub, i, 0);
	if (ret) {
		gdb_error(stub, 1);
		return;
	}
	stub->running = true;
	for (i = 0; i < stub->nr_cpus; i++) {
		if (stub->cpu[i].action == GDB_STAND)
			continue;
		/* So that the guest takes its own standstill for no lockup. */
		if (stub->cpu[i].action == GDB_GO)
			kvirt_was_paused(stub->cpu[i].kvirt);
		stub->ops->release(stub->ctx, i);
	}
}

/* All stand; no trace of the debugger is left in the guest. */
static void disarm(struct gdb_stub *stub)
{
	unsigned int i;

	collect(stub, true);
	end_pass(stub);
	gdb_soft_clear(&stub->access);
	memset(&stub->hard, 0, sizeof(stub->hard));
	for (i = 0; i < stub->nr_cpus; i++) {
		stub->cpu[i].action = GDB_STAND;
		stub->cpu[i].stop = GDB_STOP_NONE;
		stub->cpu[i].at_alias = false;
		arm(stub, i, 0);
	}
}

static void let_go(struct gdb_stub *stub)
{
	unsigned int i;

	for (i = 0; i < stub->nr_cpus; i++) {
		kvirt_was_paused(stub->cpu[i].kvirt);
		stub->ops->release(stub->ctx, i);
	}
	stub->running = true;
}

void gdb_detach(struct gdb_stub *stub)
{
	stub->ops->hold(stub->ctx);
	disarm(stub);
	let_go(stub);
	stub->attached = false;
}

void gdb_stub_lost(struct gdb_stub *stub)
{
	if (!stub->attached)
		return;
	stub->ops->hold(stub->ctx);
	disarm(stub);
	if (stub->running)
		let_go(stub);
	stub->attached = false;
}

void gdb_stub_attach(struct gdb_stub *stub)
{
	stub->ops->hold(stub->ctx);
	memset(&stub->in, 0, sizeof(stub->in));
	stub->attached = true;
	stub->running = false;
	stub->no_ack = false;
	stub->tells_kind = false;
	stub->told.stop = GDB_STOP_ATTACHED;
	stub->told_cpu = stub->current;
}

/* While the guest runs gdb can only say Ctrl-C, or leave. */
static bool is_for_later(const struct gdb_stub *stub)
{
	const char *packet = stub->in.data;

	return stub->running && packet[0] != 'D' && packet[0] != 'k' && strncmp(packet, "vKill", 5);
}

static void on_packet(struct gdb_stub *stub)
{
	if (!stub->no_ack)
		stub->ops->send(stub->ctx, "+", 1);
	stub->reply.len = 0;
	stub->reply.overflow = false;
	if (!is_for_later(stub)) {
		gdb_command(stub);
		return;
	}
	gdb_error(stub, 1);
	gdb_send_reply(stub);
}

void gdb_stub_input(struct gdb_stub *stub, const u8 *data, size_t len)
{
	size_t i;

	for (i = 0; i < len && stub->attached; i++) {
		switch (gdb_feed(&stub->in, data[i])) {
		case GDB_NOTHING:
			break;
		case GDB_PACKET:
			on_packet(stub);
			break;
		case GDB_BROKEN:
			if (!stub->no_ack)
				stub->ops->send(stub->ctx, "-", 1);
			break;
		case GDB_INTERRUPT:
			interrupt(stub);
			break;
		}
	}
}

void gdb_stub_ended(struct gdb_stub *stub, int status)
{
	if (!stub->attached || !stub->running)
		return;
	gdb_print(&stub->reply, "W%02x", status & 0xff);
	gdb_send_reply(stub);
}

void gdb_error(struct gdb_stub *stub, u8 error)
{
	stub->reply.len = 0;
	stub->reply.overflow = false;
	gdb_print(&stub->reply, "E%02x", error);
}

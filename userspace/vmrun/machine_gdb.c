// SPDX-License-Identifier: GPL-2.0
/*
 * Joins the machine's vCPUs with the debugger's server. All on the main thread but the wake.
 * Called by machine.c's build table and vcpu.c.
 */
#include <signal.h>

#include "cpuid.h"
#include "gdb/server.h"
#include "machine.h"
#include "machine_gdb.h"

static void hold(void *ctx)
{
	struct machine *machine = ctx;
	unsigned int i;

	for (i = 0; i < machine->nr_vcpus; i++)
		vcpu_hold(&machine->vcpu[i]);
	for (i = 0; i < machine->nr_vcpus; i++)
		vcpu_wait_paused(&machine->vcpu[i]);
}

static void release(void *ctx, unsigned int cpu)
{
	struct machine *machine = ctx;

	vcpu_let_go(&machine->vcpu[cpu]);
}

static bool take_exit(void *ctx, unsigned int cpu, struct kvirt_debug_exit_arch *exit)
{
	struct machine *machine = ctx;

	return vcpu_take_debug_exit(&machine->vcpu[cpu], exit);
}

static void kill_machine(void *ctx)
{
	machine_end(ctx, 128 + SIGKILL, "killed by its debugger");
}

static const struct gdb_server_ops ops = {
	.hold = hold,
	.release = release,
	.take_exit = take_exit,
	.kill = kill_machine,
};

int build_gdb(struct machine *machine, struct vm_error *err)
{
	const char *path = machine->config->gdb;
	struct kvirt_cpuid cpuid;
	struct gdb_stub *stub;
	unsigned int i;
	u32 flags;

	if (!path)
		return 0;
	flags = kvirt_debug_flags(&machine->kvirt);
	if (!flags)
		return vm_fail(err, VM_STATUS_NO_ACCEL, "try another one with --accel, or leave --gdb away",
			       "%.200s cannot debug guests", machine->kvirt.path);
	if (kvirt_supported_cpuid(&machine->kvirt, &cpuid, err))
		return -1;
	if (sandbox_grant_socket(&machine->sandbox, path, "the debugger's socket, at the end", err))
		return -1;
	machine->gdb = gdb_server_create(path, &machine->loop, &machine->memory, flags,
					 machine->nr_vcpus, &ops, machine, err);
	if (!machine->gdb)
		return -1;
	stub = gdb_server_stub(machine->gdb);
	stub->view.has_avx = cpuid_has_avx(&cpuid);
	for (i = 0; i < machine->nr_vcpus; i++) {
		stub->cpu[i].kvirt = &machine->vcpu[i].kvirt;
		vcpu_hold(&machine->vcpu[i]);
	}
	log_note("the guest waits for a debugger: gdb -ex 'target remote %.107s'", path);
	return 0;
}

void undo_gdb(struct machine *machine)
{
	gdb_server_destroy(machine->gdb, machine->result.status);
	machine->gdb = NULL;
}

bool machine_gdb_holds(const struct machine *machine)
{
	return machine->gdb && !gdb_server_stub(machine->gdb)->running;
}

void machine_gdb_wake(struct machine *machine)
{
	if (machine->gdb)
		gdb_server_wake(machine->gdb);
}

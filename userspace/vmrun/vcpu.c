// SPDX-License-Identifier: GPL-2.0
/*
 * vCPU threads: enter, look why the guest came out, serve it, enter again. What
 * an access means is for the devices behind machine.h's buses; what ends the
 * machine is told by machine_end(). Called by machine.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cpuid.h"
#include "machine.h"
#include "machine_gdb.h"
#include "vcpu.h"

#define KICK_SIGNAL		SIGUSR1
#define PAUSE_SECONDS		2

#define MSR_MISC_ENABLE		0x1a0
#define MISC_ENABLE_FAST_STRING	1
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLE		BIT(11)
#define MTRR_WRITE_BACK		6

#define CR0_PE			BIT_ULL(0)
#define CR0_ET			BIT_ULL(4)
#define CR0_NE			BIT_ULL(5)
#define CR0_WP			BIT_ULL(16)
#define CR0_PG			BIT_ULL(31)
#define CR4_PAE			BIT_ULL(5)
#define EFER_LME		BIT_ULL(8)
#define EFER_LMA		BIT_ULL(10)
#define RFLAGS_FIXED		2

#define PTE_PRESENT_WRITE	0x3
#define PTE_LARGE		0x80

/* Linux calls them __BOOT_CS and __BOOT_DS; both protocols name them. */
#define SELECTOR_CODE		0x10
#define SELECTOR_DATA		0x18
#define SELECTOR_TSS		0x20
#define TYPE_CODE		0xb	/* execute, read, accessed */
#define TYPE_DATA		0x3	/* read, write, accessed */
#define TYPE_BUSY_TSS		0xb

/* Linux asks for both; an accelerator that has neither does well enough. */
static void set_msrs(struct vcpu *vcpu)
{
	u64 misc;

	/* Without fast strings Linux copies memory the slow way. */
	if (!kvirt_get_msr(&vcpu->kvirt, MSR_MISC_ENABLE, &misc))
		kvirt_set_msr(&vcpu->kvirt, MSR_MISC_ENABLE,
			      misc | MISC_ENABLE_FAST_STRING);
	/* Memory is write-back by default; with MTRRs off Linux gives up PAT. */
	kvirt_set_msr(&vcpu->kvirt, MSR_MTRR_DEF_TYPE,
		      MTRR_ENABLE | MTRR_WRITE_BACK);
}

int vcpu_create(struct vcpu *vcpu, struct machine *machine, unsigned int id,
		const struct kvirt_cpuid *supported, struct vm_error *err)
{
	struct kvirt_cpuid cpuid = *supported;

	vcpu->id = id;
	vcpu->machine = machine;
	vcpu->kvirt.fd = -1;
	vcpu->state = VCPU_PAUSED;
	vcpu->asked = VCPU_PAUSED;
	vcpu->wanted = VCPU_PAUSED;
	pthread_mutex_init(&vcpu->lock, NULL);
	pthread_cond_init(&vcpu->changed, NULL);

	if (kvirt_create_vcpu(&machine->kvirt, &vcpu->kvirt, id, err))
		return -1;
	if (cpuid_build(&cpuid, id, machine->config->vcpus))
		return vm_fail(err, VM_STATUS_NO_ACCEL, "try another one with --accel",
			       "cannot use %.200s: its CPUID table is empty or full",
			       machine->kvirt.path);
	if (kvirt_set_cpuid(&vcpu->kvirt, &cpuid, err))
		return -1;
	set_msrs(vcpu);
	return 0;
}

void vcpu_destroy(struct vcpu *vcpu)
{
	kvirt_destroy_vcpu(&vcpu->kvirt);
	pthread_cond_destroy(&vcpu->changed);
	pthread_mutex_destroy(&vcpu->lock);
}

/* A flat 4 GiB segment, or with @long_mode a 64-bit code segment. */
static struct kvirt_segment flat_segment(u16 selector, u8 type, bool long_mode)
{
	return (struct kvirt_segment){
		.limit = 0xffffffff, .selector = selector, .type = type,
		.present = 1, .s = 1, .g = 1, .l = long_mode, .db = !long_mode,
	};
}

/* The descriptors that flat_segment() stands for, for guests that reload. */
static int write_gdt(const struct memory *mem, bool long_mode,
		     struct kvirt_sregs *sregs, struct vm_error *err)
{
	const u64 gdt[] = {
		0, 0,
		long_mode ? 0x00af9b000000ffffull : 0x00cf9b000000ffffull,
		0x00cf93000000ffffull,
	};
	void *to = guest_buf(mem, BOOT_GDT_ADDR, sizeof(gdt));

	if (!to)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "no memory for the GDT");
	memcpy(to, gdt, sizeof(gdt));
	sregs->gdt.base = BOOT_GDT_ADDR;
	sregs->gdt.limit = sizeof(gdt) - 1;
	return 0;
}

/* Maps the first 4 GiB one to one with 2 MiB pages: six tables. */
static int write_page_tables(const struct memory *mem, struct vm_error *err)
{
	u64 *table = guest_buf(mem, BOOT_PAGE_TABLES_ADDR, 6 * 4096);
	unsigned int i;

	if (!table)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "no memory for page tables");
	memset(table, 0, 2 * 4096);
	table[0] = (BOOT_PAGE_TABLES_ADDR + 4096) | PTE_PRESENT_WRITE;
	for (i = 0; i < 4; i++)
		table[512 + i] = (BOOT_PAGE_TABLES_ADDR + (2 + i) * 4096) |
				 PTE_PRESENT_WRITE;
	for (i = 0; i < 4 * 512; i++)
		table[2 * 512 + i] = MIB(2) * i | PTE_PRESENT_WRITE | PTE_LARGE;
	return 0;
}

int vcpu_set_entry(struct vcpu *vcpu, const struct boot_entry *entry,
		   struct vm_error *err)
{
	const struct memory *mem = &vcpu->machine->memory;
	bool long_mode = entry->mode == BOOT_LONG;
	struct kvirt_regs regs = {
		.rip = entry->rip, .rsi = entry->rsi, .rbx = entry->rbx,
		.rflags = RFLAGS_FIXED,
	};
	struct kvirt_sregs sregs;

	if (kvirt_get_sregs(&vcpu->kvirt, &sregs, err) ||
	    write_gdt(mem, long_mode, &sregs, err))
		return -1;
	sregs.cs = flat_segment(SELECTOR_CODE, TYPE_CODE, long_mode);
	sregs.ds = flat_segment(SELECTOR_DATA, TYPE_DATA, false);
	sregs.es = sregs.ds;
	sregs.fs = sregs.ds;
	sregs.gs = sregs.ds;
	sregs.ss = sregs.ds;
	sregs.tr = (struct kvirt_segment){
		.limit = 0x67, .selector = SELECTOR_TSS, .type = TYPE_BUSY_TSS,
		.present = 1,
	};
	sregs.idt = (struct kvirt_dtable){ 0 };
	sregs.cr0 = CR0_PE | CR0_ET;
	sregs.cr4 = 0;
	sregs.efer = 0;
	if (long_mode) {
		if (write_page_tables(mem, err))
			return -1;
		sregs.cr0 |= CR0_PG | CR0_NE | CR0_WP;
		sregs.cr3 = BOOT_PAGE_TABLES_ADDR;
		sregs.cr4 = CR4_PAE;
		sregs.efer = EFER_LME | EFER_LMA;
	}
	if (kvirt_set_sregs(&vcpu->kvirt, &sregs, err))
		return -1;
	return kvirt_set_regs(&vcpu->kvirt, &regs, err);
}

static void handle_io(struct vcpu *vcpu)
{
	struct kvirt_run *run = vcpu->kvirt.run;
	struct bus *ports = &vcpu->machine->ports;
	u8 *data = (u8 *)run + run->io.data_offset;
	u32 i;

	for (i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVIRT_EXIT_IO_OUT)
			bus_write(ports, run->io.port, data, run->io.size);
		else
			bus_read(ports, run->io.port, data, run->io.size);
	}
}

static void handle_mmio(struct vcpu *vcpu)
{
	struct kvirt_run *run = vcpu->kvirt.run;
	struct bus *mmio = &vcpu->machine->mmio;
	u32 len = min_u64(run->mmio.len, BUS_MAX_ACCESS);

	if (run->mmio.is_write)
		bus_write(mmio, run->mmio.phys_addr, run->mmio.data, len);
	else
		bus_read(mmio, run->mmio.phys_addr, run->mmio.data, len);
}

static void end_with_rip(struct vcpu *vcpu, const char *why, u64 detail)
{
	struct vm_error ignored = { 0 };
	struct kvirt_regs regs = { 0 };

	kvirt_get_regs(&vcpu->kvirt, &regs, &ignored);
	machine_end(vcpu->machine, VM_STATUS_CRASH,
		    "the guest cannot go on: vCPU %u, %s %#llx, RIP %#llx",
		    vcpu->id, why, (unsigned long long)detail,
		    (unsigned long long)regs.rip);
}

static void handle_system_event(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;

	switch (vcpu->kvirt.run->system_event.type) {
	case KVIRT_SYSTEM_EVENT_SHUTDOWN:
		machine_power_event(machine, POWER_OFF);
		break;
	case KVIRT_SYSTEM_EVENT_RESET:
		machine_power_event(machine, POWER_RESTART);
		break;
	case KVIRT_SYSTEM_EVENT_CRASH:
		machine_power_event(machine, POWER_PANICKED);
		break;
	}
}

/*
 * What was asked for and who holds it make what is wanted. The flag ends a KVIRT_RUN that
 * is about to begin, a signal one that is under way: between them no moment is left
 * uncovered. Under the lock.
 */
static void settle(struct vcpu *vcpu)
{
	vcpu->wanted = vcpu->asked == VCPU_RUNNING && vcpu->held ? VCPU_PAUSED : vcpu->asked;
	vcpu->kvirt.run->immediate_exit = vcpu->wanted != VCPU_RUNNING;
	pthread_cond_broadcast(&vcpu->changed);
}

/* This thread holds itself: its debugger has to look. */
static void stop_for_debugger(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	vcpu->held = true;
	vcpu->at_debug_exit = true;
	vcpu->debug_exit = vcpu->kvirt.run->debug.arch;
	settle(vcpu);
	pthread_mutex_unlock(&vcpu->lock);
	machine_gdb_wake(vcpu->machine);
}

/* A crash; or, behind an orderly shutdown, the oldest way to restart a PC. */
static void handle_triple_fault(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;

	if (irq_was_shut_down(&machine->irq))
		machine_power_event(machine, POWER_RESTART);
	else
		machine_end(machine, VM_STATUS_CRASH,
			    "the guest crashed: triple fault on vCPU %u", vcpu->id);
}

static void handle_exit(struct vcpu *vcpu)
{
	struct kvirt_run *run = vcpu->kvirt.run;

	switch (run->exit_reason) {
	case KVIRT_EXIT_IO:
		handle_io(vcpu);
		break;
	case KVIRT_EXIT_MMIO:
		handle_mmio(vcpu);
		break;
	case KVIRT_EXIT_IOAPIC_EOI:
		irq_eoi(&vcpu->machine->irq, run->eoi.vector);
		break;
	case KVIRT_EXIT_INTR:
	case KVIRT_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVIRT_EXIT_DEBUG:
		stop_for_debugger(vcpu);
		break;
	case KVIRT_EXIT_SYSTEM_EVENT:
		handle_system_event(vcpu);
		break;
	case KVIRT_EXIT_SHUTDOWN:
		handle_triple_fault(vcpu);
		break;
	case KVIRT_EXIT_FAIL_ENTRY:
		end_with_rip(vcpu, "entry failed with hardware reason",
			     run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVIRT_EXIT_INTERNAL_ERROR:
		end_with_rip(vcpu, "internal error of the accelerator",
			     run->internal.suberror);
		break;
	default:
		end_with_rip(vcpu, "unexpected exit", run->exit_reason);
		break;
	}
}

/* Does as it was asked; false when the thread is to end. */
static bool obey(struct vcpu *vcpu)
{
	bool go;

	pthread_mutex_lock(&vcpu->lock);
	while (vcpu->wanted == VCPU_PAUSED) {
		vcpu->state = VCPU_PAUSED;
		pthread_cond_broadcast(&vcpu->changed);
		pthread_cond_wait(&vcpu->changed, &vcpu->lock);
	}
	vcpu->state = vcpu->wanted;
	/* Under the lock: who is paused anew as soon as it is let go has not ended. */
	go = vcpu->state == VCPU_RUNNING;
	pthread_cond_broadcast(&vcpu->changed);
	pthread_mutex_unlock(&vcpu->lock);
	return go;
}

/*
 * An access is done, and its instruction over, only when the guest is entered once more
 * (or with immediate_exit would be): until then the registers are not as they will be.
 */
static bool is_amid_access(const struct vcpu *vcpu)
{
	u32 reason = vcpu->kvirt.run->exit_reason;

	return reason == KVIRT_EXIT_IO || reason == KVIRT_EXIT_MMIO;
}

static void *run_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	char name[16];
	bool go;
	int ret;

	/* Another thread would have to open a file for it, which it cannot in the sandbox. */
	snprintf(name, sizeof(name), "vcpu-%u", vcpu->id);
	pthread_setname_np(pthread_self(), name);
	sandbox_enter(&vcpu->machine->sandbox, SANDBOX_VCPU);
	go = obey(vcpu);
	while (go && !machine_has_ended(vcpu->machine)) {
		ret = kvirt_enter(&vcpu->kvirt);
		/* -EAGAIN: an application processor that still awaits SIPI. */
		if (!ret)
			handle_exit(vcpu);
		else if (ret != -EINTR && ret != -EAGAIN)
			machine_end(vcpu->machine, VM_STATUS_CRASH,
				    "the guest cannot go on: vCPU %u cannot be entered: %s",
				    vcpu->id, strerror(-ret));
		if (vcpu->wanted != VCPU_RUNNING && (ret || !is_amid_access(vcpu)))
			go = obey(vcpu);
	}
	pthread_mutex_lock(&vcpu->lock);
	vcpu->state = VCPU_DONE;
	pthread_cond_broadcast(&vcpu->changed);
	pthread_mutex_unlock(&vcpu->lock);
	return NULL;
}

int vcpu_start(struct vcpu *vcpu, struct vm_error *err)
{
	int error;

	error = pthread_create(&vcpu->thread, NULL, run_thread, vcpu);
	if (error)
		return vm_fail(err, VM_STATUS_FAILURE, "are too many processes running?",
			       "cannot start the thread of vCPU %u: %s",
			       vcpu->id, strerror(error));
	vcpu->started = true;
	return 0;
}

/* Under the lock. */
static void kick(struct vcpu *vcpu)
{
	settle(vcpu);
	if (vcpu->started && vcpu->wanted != VCPU_RUNNING)
		pthread_kill(vcpu->thread, KICK_SIGNAL);
}

void vcpu_request(struct vcpu *vcpu, enum vcpu_state state)
{
	pthread_mutex_lock(&vcpu->lock);
	if (vcpu->asked != VCPU_DONE)
		vcpu->asked = state;
	kick(vcpu);
	pthread_mutex_unlock(&vcpu->lock);
}

void vcpu_hold(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	vcpu->held = true;
	kick(vcpu);
	pthread_mutex_unlock(&vcpu->lock);
}

void vcpu_let_go(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	vcpu->held = false;
	kick(vcpu);
	pthread_mutex_unlock(&vcpu->lock);
}

bool vcpu_take_debug_exit(struct vcpu *vcpu, struct kvirt_debug_exit_arch *exit)
{
	bool is_there;

	pthread_mutex_lock(&vcpu->lock);
	is_there = vcpu->at_debug_exit;
	*exit = vcpu->debug_exit;
	vcpu->at_debug_exit = false;
	pthread_mutex_unlock(&vcpu->lock);
	return is_there;
}

void vcpu_wait_paused(struct vcpu *vcpu)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PAUSE_SECONDS;
	pthread_mutex_lock(&vcpu->lock);
	while (vcpu->started && vcpu->wanted == VCPU_PAUSED && vcpu->state == VCPU_RUNNING)
		if (pthread_cond_timedwait(&vcpu->changed, &vcpu->lock, &end))
			break;
	pthread_mutex_unlock(&vcpu->lock);
}

void vcpu_join(struct vcpu *vcpu)
{
	if (!vcpu->started)
		return;
	pthread_join(vcpu->thread, NULL);
	vcpu->started = false;
}

/* Nothing to do: that the signal came has already ended the ioctl. */
static void on_kick(int sig)
{
	(void)sig;
}

int vcpu_init_kick(struct vm_error *err)
{
	struct sigaction action = { .sa_handler = on_kick };

	/* No SA_RESTART: the ioctl must return. */
	if (sigaction(KICK_SIGNAL, &action, NULL))
		return vm_fail(err, VM_STATUS_FAILURE, NULL,
			       "cannot install a signal handler: %s", strerror(errno));
	return 0;
}

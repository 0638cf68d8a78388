// SPDX-License-Identifier: GPL-2.0
/*
 * Puts the parts together in the order of one table, runs them and takes them
 * apart in reverse. The parts do not know each other; the wires between them
 * (serial port to console and interrupt line, registers to power events) are
 * here. Called by main.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "boot/acpi.h"
#include "boot/boot.h"
#include "footprint.h"
#include "machine.h"
#include "machine_console.h"
#include "machine_control.h"
#include "machine_gdb.h"
#include "machine_memory.h"
#include "machine_system.h"
#include "machine_trace.h"
#include "system.h"

void machine_end(struct machine *machine, int status, const char *fmt, ...)
{
	u64 one = 1;
	va_list ap;

	pthread_mutex_lock(&machine->end_lock);
	if (!machine->ended) {
		machine->ended = true;
		machine->result.status = status;
		va_start(ap, fmt);
		vsnprintf(machine->result.reason, sizeof(machine->result.reason),
			  fmt, ap);
		va_end(ap);
		/* Cannot fail: the counter takes 2^64 - 1 of them. */
		if (write(machine->end_fd, &one, sizeof(one)) < 0)
			machine->result.status = VM_STATUS_FAILURE;
	}
	pthread_mutex_unlock(&machine->end_lock);
}

bool machine_has_ended(struct machine *machine)
{
	return machine->ended;
}

/*
 * A Linux that restarts in an orderly way masks every pin of the I/O APIC
 * first. A panic with panic=-1 takes the short way and leaves them as they
 * were, or comes before any was in use. An emergency restart by SysRq looks
 * the same as a panic, and the reason says so.
 */
static void end_by_restart(struct machine *machine)
{
	if (irq_was_shut_down(&machine->irq))
		machine_end(machine, VM_STATUS_RESTART,
			    "the guest asked for a restart");
	else
		machine_end(machine, VM_STATUS_PANIC,
			    "the guest panicked: it restarted without shutting down (SysRq looks the same)");
}

void machine_power_event(void *ctx, enum power_event event)
{
	struct machine *machine = ctx;

	switch (event) {
	case POWER_OFF:
		if (!machine_system_failed(machine))
			machine_end(machine, VM_STATUS_POWEROFF, "the guest powered off");
		break;
	case POWER_RESTART:
		end_by_restart(machine);
		break;
	case POWER_PANICKED:
		machine_end(machine, VM_STATUS_PANIC,
			    "the guest panicked, as it told by pvpanic");
		break;
	case POWER_CRASH_LOADED:
		/* Once: the guest can write that port for ever. */
		if (!atomic_exchange(&machine->crash_told, true))
			log_note("the guest panicked and starts its crash kernel");
		break;
	}
}

static bool serial_to_console(void *ctx, u8 byte)
{
	struct machine *machine = ctx;

	return console_transmit(&machine->console, byte);
}

static void serial_has_room(void *ctx)
{
	struct machine *machine = ctx;

	console_receive_ready(&machine->console);
}

static void serial_to_irq(void *ctx, bool level)
{
	struct machine *machine = ctx;

	irq_set_line(&machine->irq, ACPI_COM1_IRQ, level);
}

static void power_to_irq(void *ctx, bool level)
{
	struct machine *machine = ctx;

	irq_set_line(&machine->irq, POWER_SCI, level);
}

static const struct serial_ops serial_wires = {
	.transmit = serial_to_console,
	.receive_ready = serial_has_room,
	.set_irq = serial_to_irq,
};

/* ---- the build table's steps, each with its undoing ---- */

static int open_accel(struct machine *machine, struct vm_error *err)
{
	const struct vm_config *config = machine->config;

	if (config_given(config, OPTION_ID_accel_fd))
		return kvirt_use(&machine->kvirt, config->accel_fd, err);
	return kvirt_open(&machine->kvirt, config->accel, err);
}

static int build_accel(struct machine *machine, struct vm_error *err)
{
	if (!open_accel(machine, err) &&
	    !kvirt_create_vm(&machine->kvirt, IOAPIC_PINS, err))
		return 0;
	kvirt_close(&machine->kvirt);
	return -1;
}

static void undo_accel(struct machine *machine)
{
	kvirt_close(&machine->kvirt);
}

static int build_memory(struct machine *machine, struct vm_error *err)
{
	struct memory *mem = &machine->memory;
	/* Without a name when the machine is in no list. */
	const char *name = machine->instance.dir_fd < 0 ? "unlisted" : machine->instance.name;
	unsigned int i;

	if (memory_create_as(mem, machine->config->memory, memory_kind_of(machine->config->backing),
			     name, err))
		return -1;
	for (i = 0; i < mem->nr_regions; i++) {
		struct memory_region *r = &mem->region[i];

		if (kvirt_map_memory(&machine->kvirt, i, r->guest_addr, r->size,
				     r->host_addr, err)) {
			memory_destroy(mem);
			return -1;
		}
	}
	return 0;
}

static void undo_memory(struct machine *machine)
{
	/* A thread that hangs in the host may still write to it. */
	if (!machine->disks.abandoned && !machine->shares.abandoned)
		memory_destroy(&machine->memory);
}

static int build_devices(struct machine *machine, struct vm_error *err)
{
	machine->ports.bytes = true;
	irq_init(&machine->irq, &machine->kvirt);
	serial_init(&machine->serial, &serial_wires, machine);
	power_init(&machine->power, machine_power_event, power_to_irq, machine);
	rtc_init(&machine->rtc, NULL);
	if (bus_add(&machine->mmio, IOAPIC_BASE, IOAPIC_SIZE,
		    &irq_ioapic_bus_ops, &machine->irq) ||
	    bus_add(&machine->ports, ACPI_COM1_PORT, SERIAL_PORTS,
		    &serial_bus_ops, &machine->serial) ||
	    bus_add(&machine->ports, POWER_PORT, POWER_PORTS,
		    &power_bus_ops, &machine->power) ||
	    bus_add(&machine->ports, PVPANIC_PORT, 1,
		    &pvpanic_bus_ops, &machine->power) ||
	    bus_add(&machine->ports, KEYBOARD_PORT, 1,
		    &keyboard_bus_ops, &machine->power) ||
	    bus_add(&machine->ports, RTC_PORT, RTC_PORTS, &rtc_bus_ops, &machine->rtc))
		return vm_fail(err, VM_STATUS_FAILURE, NULL,
			       "two devices claim the same address");
	return 0;
}

static void undo_devices(struct machine *machine)
{
	rtc_destroy(&machine->rtc);
	power_destroy(&machine->power);
	serial_destroy(&machine->serial);
	irq_destroy(&machine->irq);
}

static int build_pci(struct machine *machine, struct vm_error *err)
{
	if (pci_create(&machine->pci, &machine->memory, err))
		return -1;
	machine->pci.reset = &reset_control_bus_ops;
	machine->pci.reset_dev = &machine->power;
	if (!pci_attach(&machine->pci, &machine->mmio, &machine->ports))
		return 0;
	pci_destroy(&machine->pci);
	return vm_fail(err, VM_STATUS_FAILURE, NULL, "two devices claim the same address");
}

static void undo_pci(struct machine *machine)
{
	pci_destroy(&machine->pci);
}

static int build_rng(struct machine *machine, struct vm_error *err)
{
	return rng_create(&machine->rng, &machine->pci, &machine->irq, &machine->loop, err);
}

static void undo_rng(struct machine *machine)
{
	rng_destroy(&machine->rng);
}

static void undo_shares(struct machine *machine)
{
	shares_destroy(&machine->shares);
}

static int add_share(struct machine *machine, unsigned int i, struct vm_error *err)
{
	struct config_volume volume;
	char tag[16];

	if (config_parse_volume(machine->config->volume.item[i], &volume, err))
		return -1;
	snprintf(tag, sizeof(tag), SYSTEM_SHARE_TAG, i);
	return shares_add(&machine->shares, &machine->sandbox, tag, volume.host,
			  volume.read_only ? FS_READ_ONLY : FS_READ_WRITE, err);
}

static int build_shares(struct machine *machine, struct vm_error *err)
{
	unsigned int i;

	shares_init(&machine->shares, &machine->pci, &machine->irq, machine->instance.dir_fd);
	for (i = 0; i < machine->config->volume.nr; i++) {
		if (!add_share(machine, i, err))
			continue;
		undo_shares(machine);
		return -1;
	}
	return 0;
}

static void undo_balloon(struct machine *machine)
{
	balloon_destroy(&machine->balloon);
	machine_memory_close(machine);
}

static int build_balloon(struct machine *machine, struct vm_error *err)
{
	machine_memory_open(machine);
	balloon_init(&machine->balloon, &machine->memory, &machine->loop);
	if (!balloon_attach(&machine->balloon, &machine->pci, &machine->irq, err))
		return 0;
	undo_balloon(machine);
	return -1;
}

static int build_disks(struct machine *machine, struct vm_error *err)
{
	const struct system *system = machine_system_plan(machine);
	const struct system_disk *root = system && system_has_disk(system) ? &system->disk : NULL;

	return disks_create(&machine->disks, root, &machine->config->disk, &machine->pci, &machine->irq,
			    &machine->loop, err);
}

static void undo_disks(struct machine *machine)
{
	disks_destroy(&machine->disks);
}

static void undo_vsock(struct machine *machine)
{
	if (!machine->vsock)
		return;
	if (machine->vsock_pci)
		virtio_pci_remove(machine->vsock_pci);
	vsock_destroy(machine->vsock);
	free(machine->vsock);
	machine->vsock = NULL;
}

static int build_vsock(struct machine *machine, struct vm_error *err)
{
	const char *path = machine->config->vsock;
	struct vsock *vsock;

	/* The agent of a guest that vmrun makes comes this way too. */
	if (!path && !machine->system)
		return 0;
	if (path && sandbox_grant_socket(&machine->sandbox, path, "vsock's sockets, at the end", err))
		return -1;
	vsock = malloc(sizeof(*vsock));
	if (!vsock)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	if (vsock_init(vsock, "vsock0", &machine->loop, VSOCK_GUEST_CID, err)) {
		free(vsock);
		return -1;
	}
	machine->vsock = vsock;
	if (!path || !vsock_listen_unix(vsock, path, err))
		machine->vsock_pci = virtio_pci_add(&machine->pci, &machine->irq, &vsock->dev,
						    err);
	if (machine->vsock_pci)
		return 0;
	undo_vsock(machine);
	return -1;
}

static void undo_net(struct machine *machine)
{
	if (!machine->net)
		return;
	if (machine->net_pci)
		virtio_pci_remove(machine->net_pci);
	net_destroy(machine->net);
	machine->net = NULL;
}

/* Who has an initramfs gets what he asks for; vmrun's own guest is to have a network. */
static int read_net_options(const struct vm_config *config, struct net_options *options,
			    struct vm_error *err)
{
	unsigned int i;

	memset(options, 0, sizeof(*options));
	if (config->net && net_parse_kind(options, config->net, err))
		return -1;
	for (i = 0; i < config->publish.nr; i++)
		if (net_parse_forward(options, config->publish.item[i], err))
			return -1;
	return net_complete(options, config->initramfs ? NET_NONE : NET_USER, err);
}

static int build_net(struct machine *machine, struct vm_error *err)
{
	struct net_options options;

	if (read_net_options(machine->config, &options, err))
		return -1;
	if (options.kind == NET_NONE)
		return 0;
	if (options.kind == NET_USER && sandbox_grant_network(&machine->sandbox, err))
		return -1;
	machine->net = net_create("net0", &options, err);
	if (!machine->net)
		return -1;
	machine->net_pci = virtio_pci_add(&machine->pci, &machine->irq, &machine->net->dev, err);
	if (machine->net_pci)
		return 0;
	undo_net(machine);
	return -1;
}

static void undo_vcpus(struct machine *machine)
{
	while (machine->nr_vcpus)
		vcpu_destroy(&machine->vcpu[--machine->nr_vcpus]);
	free(machine->vcpu);
	machine->vcpu = NULL;
}

static int build_vcpus(struct machine *machine, struct vm_error *err)
{
	unsigned int n = machine->config->vcpus;
	struct kvirt_cpuid cpuid;

	if (n > machine->kvirt.max_vcpus)
		return vm_fail(err, VM_STATUS_FAILURE, "ask for fewer with -c",
			       "%.200s runs at most %u vCPUs in a machine, not %u",
			       machine->kvirt.path, machine->kvirt.max_vcpus, n);
	if (kvirt_supported_cpuid(&machine->kvirt, &cpuid, err) ||
	    vcpu_init_kick(err))
		return -1;
	machine->vcpu = calloc(n, sizeof(*machine->vcpu));
	if (!machine->vcpu)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	while (machine->nr_vcpus < n) {
		unsigned int id = machine->nr_vcpus++;

		if (vcpu_create(&machine->vcpu[id], machine, id, &cpuid, err)) {
			undo_vcpus(machine);
			return -1;
		}
	}
	return 0;
}

static int build_guest(struct machine *machine, struct vm_error *err)
{
	struct boot_source source = {
		.kernel = machine->config->kernel,
		.initramfs = machine->config->initramfs,
		.cmdline = machine->config->args,
	};
	u8 *acpi = guest_buf(&machine->memory, BOOT_ACPI_ADDR, BOOT_ACPI_SIZE);
	struct boot_entry entry;

	if (!acpi || !acpi_build(acpi, BOOT_ACPI_SIZE, BOOT_ACPI_ADDR,
				 machine->nr_vcpus))
		return vm_fail(err, VM_STATUS_FAILURE, NULL,
			       "the ACPI tables do not fit");
	if (machine_system_boot(machine, &source, err) ||
	    boot_load(&machine->memory, &source, &entry, err))
		return -1;
	machine_system_booted(machine);
	return vcpu_set_entry(&machine->vcpu[0], &entry, err);
}

static void undo_guest(struct machine *machine)
{
	/* What was loaded goes with the memory. */
	(void)machine;
}

static void on_end(void *ctx, u32 events)
{
	struct machine *machine = ctx;

	(void)events;
	loop_stop(&machine->loop);
}

static void on_timeout(void *ctx, u32 events)
{
	struct machine *machine = ctx;

	(void)events;
	machine_end(machine, VM_STATUS_TIMEOUT, "the machine was ended after %u seconds, as --timeout says",
		    machine->config->timeout);
}

static int set_timeout(struct machine *machine)
{
	const struct itimerspec when = { .it_value.tv_sec = machine->config->timeout };

	if (!machine->config->timeout)
		return 0;
	machine->timeout_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (machine->timeout_fd < 0 || timerfd_settime(machine->timeout_fd, 0, &when, NULL))
		return -1;
	return loop_watch(&machine->loop, machine->timeout_fd, EPOLLIN, on_timeout, machine);
}

/* The guest's console has the user's terminal, or the command has, or nobody. */
static void take_terminal(struct machine *machine)
{
	if (!machine->system || machine_system_has_terminal(machine))
		terminal_set_raw(machine->terminal);
}

static void on_signal(void *ctx, u32 events)
{
	struct machine *machine = ctx;
	struct signalfd_siginfo info;

	(void)events;
	if (read(machine->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGTSTP:
		/* Stop as the user wants, but not with a raw terminal. */
		terminal_restore(machine->terminal);
		raise(SIGSTOP);
		take_terminal(machine);
		break;
	case SIGCONT:
		take_terminal(machine);
		break;
	case SIGWINCH:
		if (!machine_system_signal(machine, SIGWINCH))
			machine_console_resize(machine);
		break;
	default:
		if (machine_system_signal(machine, info.ssi_signo))
			break;
		machine_end(machine, 128 + info.ssi_signo, "ended by signal %u (%s)",
			    info.ssi_signo, strsignal(info.ssi_signo));
		break;
	}
}

static void wanted_signals(sigset_t *set)
{
	static const int signals[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT, SIGWINCH,
	};
	unsigned int i;

	sigemptyset(set);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(set, signals[i]);
}

void machine_block_signals(void)
{
	sigset_t set;

	wanted_signals(&set);
	/* A broken pipe is an error of write(), not a death. */
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void undo_loop(struct machine *machine)
{
	if (machine->signal_fd >= 0)
		close(machine->signal_fd);
	if (machine->end_fd >= 0)
		close(machine->end_fd);
	if (machine->timeout_fd >= 0)
		close(machine->timeout_fd);
	loop_destroy(&machine->loop);
}

static int build_loop(struct machine *machine, struct vm_error *err)
{
	sigset_t set;

	if (loop_create(&machine->loop, err))
		return -1;
	wanted_signals(&set);
	machine->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	machine->end_fd = eventfd(0, EFD_CLOEXEC);
	if (machine->signal_fd < 0 || machine->end_fd < 0 ||
	    loop_watch(&machine->loop, machine->signal_fd, EPOLLIN, on_signal, machine) < 0 ||
	    loop_watch(&machine->loop, machine->end_fd, EPOLLIN, on_end, machine) < 0 ||
	    set_timeout(machine) < 0) {
		vm_fail(err, VM_STATUS_FAILURE, "are too many files open?",
			"cannot set up the event loop: %s", strerror(errno));
		undo_loop(machine);
		return -1;
	}
	return 0;
}

static int build_sandbox(struct machine *machine, struct vm_error *err)
{
	(void)err;
	sandbox_init(&machine->sandbox, machine->config->sandbox);
	return 0;
}

static void undo_sandbox(struct machine *machine)
{
	sandbox_destroy(&machine->sandbox);
}

static int build_jail(struct machine *machine, struct vm_error *err)
{
	return sandbox_jail(&machine->sandbox, err);
}

static void undo_jail(struct machine *machine)
{
	/* There is no way back. */
	(void)machine;
}

static void undo_workers(struct machine *machine)
{
	machine_console_stop(machine);
	if (machine->net) {
		virtio_pci_stop(machine->net_pci);
		net_stop(machine->net);
	}
	shares_stop(&machine->shares);
	disks_stop(&machine->disks);
}

static int build_workers(struct machine *machine, struct vm_error *err)
{
	const struct sandbox *sandbox = &machine->sandbox;

	if (!disks_start(&machine->disks, sandbox, err) &&
	    !shares_start(&machine->shares, sandbox, err) &&
	    (!machine->net || !net_run(machine->net, sandbox, err)))
		return 0;
	undo_workers(machine);
	return -1;
}

static const struct {
	int (*build)(struct machine *machine, struct vm_error *err);
	void (*undo)(struct machine *machine);
} build_table[] = {
	{ build_sandbox, undo_sandbox },
	{ build_system, undo_system },
	{ build_instance, undo_instance },
	{ build_accel, undo_accel },
	{ build_memory, undo_memory },
	{ build_loop, undo_loop },
	{ build_devices, undo_devices },
	{ build_pci, undo_pci },
	{ build_rng, undo_rng },
	{ build_balloon, undo_balloon },
	{ build_disks, undo_disks },
	{ build_shares, undo_shares },
	{ build_vsock, undo_vsock },
	{ build_net, undo_net },
	{ build_ports, undo_ports },
	{ build_system_devices, undo_system_devices },
	{ build_vcpus, undo_vcpus },
	{ build_guest, undo_guest },
	{ build_control, undo_control },
	{ build_gdb, undo_gdb },
	{ build_console, undo_console },
	/* Threads come last, when nothing is left to be opened. */
	{ build_jail, undo_jail },
	{ build_workers, undo_workers },
};

int machine_create(struct machine *machine, const struct vm_config *config,
		   struct terminal *terminal, struct vm_error *err)
{
	memset(machine, 0, sizeof(*machine));
	machine->config = config;
	machine->terminal = terminal;
	machine->signal_fd = -1;
	machine->end_fd = -1;
	machine->timeout_fd = -1;
	machine->instance.dir_fd = -1;
	pthread_mutex_init(&machine->end_lock, NULL);
	footprint_small_stacks();
	while (machine->nr_built < ARRAY_SIZE(build_table)) {
		if (build_table[machine->nr_built].build(machine, err)) {
			machine_destroy(machine);
			return -1;
		}
		machine->nr_built++;
	}
	footprint_give_back();
	return 0;
}

void machine_destroy(struct machine *machine)
{
	while (machine->nr_built)
		build_table[--machine->nr_built].undo(machine);
	pthread_mutex_destroy(&machine->end_lock);
}

static void stop_vcpus(struct machine *machine)
{
	unsigned int i;

	for (i = 0; i < machine->nr_vcpus; i++)
		vcpu_request(&machine->vcpu[i], VCPU_DONE);
	for (i = 0; i < machine->nr_vcpus; i++)
		vcpu_join(&machine->vcpu[i]);
}

int machine_run(struct machine *machine, struct machine_result *result,
		struct vm_error *err)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < machine->nr_vcpus && !ret; i++)
		ret = vcpu_start(&machine->vcpu[i], err);
	if (!ret) {
		sandbox_enter(&machine->sandbox, machine->gdb ? SANDBOX_MAIN_GDB : SANDBOX_MAIN);
		terminal_set_raw(machine->terminal);
		take_terminal(machine);
		for (i = 0; i < machine->nr_vcpus; i++)
			vcpu_request(&machine->vcpu[i], VCPU_RUNNING);
		ret = loop_run(&machine->loop, err);
	}
	stop_vcpus(machine);
	terminal_restore(machine->terminal);
	machine_system_tell_console(machine);
	machine_trace_end(machine);
	*result = machine->result;
	return ret;
}

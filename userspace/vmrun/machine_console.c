// SPDX-License-Identifier: GPL-2.0
/*
 * The wires of the guest's consoles and channels: hvc0 and the serial port to this process's
 * input and output, channels to their devices. Called by machine.c only.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine.h"
#include "machine_console.h"

static void on_console_end(void *ctx, enum console_end end)
{
	struct machine *machine = ctx;

	if (end == CONSOLE_LEFT)
		machine_end(machine, VM_STATUS_LEFT, "left with Ctrl-]");
	else
		machine_end(machine, 128 + SIGPIPE,
			    "nobody reads the guest's console any more");
}

void undo_console(struct machine *machine)
{
	console_close(&machine->console);
}

int build_console(struct machine *machine, struct vm_error *err)
{
	bool terminal = machine->terminal->present;
	int ret;

	if (machine->system)
		ret = console_keep(&machine->console, &machine->serial, &machine->loop, err);
	else
		ret = console_open(&machine->console, &machine->serial, &machine->loop,
				   terminal, terminal || !isatty(STDIN_FILENO),
				   on_console_end, machine, err);
	if (!ret)
		return 0;
	undo_console(machine);
	return -1;
}

/* ---- hvc0 ---- */

static unsigned int hvc_to_console(void *ctx, const u8 *data, unsigned int len)
{
	struct machine *machine = ctx;

	return console_write(&machine->console, data, len);
}

static void hvc_has_room(void *ctx)
{
	struct machine *machine = ctx;

	console_receive_ready(&machine->console);
}

static const struct vconsole_ops hvc_wires = {
	.transmit = hvc_to_console,
	.receive_ready = hvc_has_room,
};

/*
 * Whether the kernel's command line, @args, has hvc0 as a console. @last: as the last one,
 * which is the guest's /dev/console, and so the one that gets what is typed.
 */
static bool names_hvc(const char *args, bool *last)
{
	static const char option[] = "console=", name[] = "hvc0";
	bool named = false;
	size_t len;

	*last = false;
	for (args += strspn(args, " "); *args; args += strspn(args, " ")) {
		len = strcspn(args, " ");
		/* The rest is for process 1. */
		if (len == 2 && !strncmp(args, "--", 2))
			break;
		if (!strncmp(args, option, sizeof(option) - 1)) {
			const char *console = args + sizeof(option) - 1;

			*last = !strncmp(console, name, sizeof(name) - 1) &&
				strchr(" ,", console[sizeof(name) - 1]);
			named |= *last;
		}
		args += len;
	}
	return named;
}

void machine_console_resize(struct machine *machine)
{
	struct winsize window;

	if (machine->hvc && !machine->system && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &window))
		vconsole_resize(machine->hvc, window.ws_row, window.ws_col);
}

static int build_hvc(struct machine *machine, struct vm_error *err)
{
	bool last;

	if (!names_hvc(machine->config->args, &last))
		return 0;
	machine->hvc = malloc(sizeof(*machine->hvc));
	if (!machine->hvc)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	if (vconsole_init(machine->hvc, &machine->loop, &hvc_wires, machine, err)) {
		free(machine->hvc);
		machine->hvc = NULL;
		return -1;
	}
	machine_console_resize(machine);
	machine->console.hvc = machine->hvc;
	machine->console.hvc_reads = last;
	machine->hvc_pci = virtio_pci_add(&machine->pci, &machine->irq, &machine->hvc->dev, err);
	return machine->hvc_pci ? 0 : -1;
}

/* ---- channels ---- */

static int add_channel(struct machine *machine, const char *arg, struct vm_error *err)
{
	struct config_channel channel;

	if (config_parse_channel(arg, &channel, err) ||
	    vconsole_add_channel(machine->channels, channel.name, channel.path, channel.to_file, err))
		return -1;
	if (channel.to_file)
		return 0;
	return sandbox_grant_socket(&machine->sandbox, channel.path,
				    "channels' sockets, at the end", err);
}

static int build_channels(struct machine *machine, struct vm_error *err)
{
	const struct config_list *list = &machine->config->channel;
	unsigned int i;

	if (!list->nr)
		return 0;
	machine->channels = malloc(sizeof(*machine->channels));
	if (!machine->channels)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	vconsole_init_channels(machine->channels, &machine->loop);
	for (i = 0; i < list->nr; i++)
		if (add_channel(machine, list->item[i], err))
			return -1;
	machine->channels_pci = virtio_pci_add(&machine->pci, &machine->irq,
					       &machine->channels->dev, err);
	return machine->channels_pci ? 0 : -1;
}

static void destroy(struct vconsole **vc, struct virtio_pci *vpci)
{
	if (!*vc)
		return;
	if (vpci)
		virtio_pci_remove(vpci);
	vconsole_destroy(*vc);
	free(*vc);
	*vc = NULL;
}

void undo_ports(struct machine *machine)
{
	machine->console.hvc = NULL;
	destroy(&machine->hvc, machine->hvc_pci);
	destroy(&machine->channels, machine->channels_pci);
}

int build_ports(struct machine *machine, struct vm_error *err)
{
	if (!build_hvc(machine, err) && !build_channels(machine, err))
		return 0;
	undo_ports(machine);
	return -1;
}

void machine_console_stop(struct machine *machine)
{
	if (machine->hvc)
		virtio_pci_stop(machine->hvc_pci);
	if (machine->channels)
		virtio_pci_stop(machine->channels_pci);
}

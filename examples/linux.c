// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM that boots Linux, with little more than the ABI: memory, one vCPU, the local APIC in the kernel, and of all devices
 * the two registers of a serial port that the kernel's early console uses. No firmware, no tables, no interrupts from outside.
 * Without a disk the kernel ends in a panic, and panic=-1 makes that a triple fault, the end. docs/writing-a-vmm.md walks through it.
 *
 *   linux BZIMAGE [DEVICE [MORE COMMAND LINE]]
 */
#include <asm/bootparam.h>
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kvirt.h>

#define MIB		(1ul << 20)
#define MEMORY		(256 * MIB)
/* Where things lie in the first MiB; the kernel comes above it. */
#define PARAMS		0x7000
#define COMMAND_LINE	0x8000
#define CONVENTIONAL	0x9fc00		/* the end of what a PC has below its video memory */

#define SERIAL		0x3f8
#define SERIAL_DATA	(SERIAL + 0)
#define SERIAL_STATUS	(SERIAL + 5)
#define STATUS_EMPTY	0x60		/* the transmitter takes the next byte */

#define CPUID_MAX	256
#define CPUID1_ECX_TSC_DEADLINE	(1u << 24)
#define CPUID1_ECX_HYPERVISOR	(1u << 31)

/* earlyprintk=...,keep: the early console polls SERIAL_STATUS, and is all the console there is. */
static const char command_line[] = "earlyprintk=serial,ttyS0,115200,keep acpi=off pci=off panic=-1 reboot=t";

static int do_ioctl(int fd, unsigned long request, void *arg, const char *name)
{
	int result = ioctl(fd, request, arg);

	if (result < 0)
		err(1, "%s", name);
	return result;
}

#define DO(fd, request, arg) do_ioctl(fd, request, (void *)(arg), #request)

static uint8_t *read_file(const char *path, size_t *size)
{
	struct stat st;
	uint8_t *data;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", path);
	data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
	*size = st.st_size;
	return data;
}

/*
 * Puts a bzImage into guest memory by the Linux/x86 boot protocol: the part behind the real-mode setup at the address that
 * the header names, the boot parameters with a copy of that header at PARAMS. Gives the kernel's 32-bit entry.
 */
static uint32_t load_kernel(uint8_t *memory, const char *path, const char *more)
{
	struct boot_params *params = (void *)(memory + PARAMS);
	size_t size, setup;
	uint8_t *image = read_file(path, &size);
	const struct setup_header *header = (void *)(image + 0x1f1);

	if (size < 0x1000 || header->boot_flag != 0xaa55 || header->header != 0x53726448 || header->version < 0x206 ||
	    !(header->loadflags & LOADED_HIGH))
		errx(1, "%s is no bzImage", path);
	setup = ((header->setup_sects ? header->setup_sects : 4) + 1) * 512;
	if (setup >= size || header->pref_address < MIB || header->pref_address > MEMORY ||
	    header->init_size > MEMORY - header->pref_address || size - setup > header->init_size)
		errx(1, "%s does not fit", path);
	memcpy(memory + header->pref_address, image + setup, size - setup);

	/* The byte at 0x201 is a jump's distance over the header: its length. */
	memcpy(&params->hdr, header, 0x202 + image[0x201] - 0x1f1);
	params->hdr.type_of_loader = 0xff;
	params->hdr.code32_start = params->hdr.pref_address;
	params->hdr.cmd_line_ptr = COMMAND_LINE;
	snprintf((char *)memory + COMMAND_LINE, 0x1000, "%s %s", command_line, more);
	params->e820_table[0] = (struct boot_e820_entry){ .addr = 0, .size = CONVENTIONAL, .type = 1 };
	params->e820_table[1] = (struct boot_e820_entry){ .addr = MIB, .size = MEMORY - MIB, .type = 1 };
	params->e820_entries = 2;
	munmap(image, size);
	return params->hdr.pref_address;
}

/*
 * Everything the accelerator offers, and two bits that are the VMM's to set: that there is a hypervisor, so that the kernel asks it
 * for the clock, and that the APIC's timer compares with the TSC. Without them it would look for a PIT to measure both with.
 */
static void set_cpuid(int device, int vcpu)
{
	struct kvirt_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(cpuid->entries[0]));

	if (!cpuid)
		err(1, "calloc");
	cpuid->nent = CPUID_MAX;
	DO(device, KVIRT_GET_SUPPORTED_CPUID, cpuid);
	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= CPUID1_ECX_TSC_DEADLINE | CPUID1_ECX_HYPERVISOR;
	DO(vcpu, KVIRT_SET_CPUID2, cpuid);
	free(cpuid);
}

/* The 32-bit boot protocol: protected mode, flat segments, no paging, RSI on the boot parameters. */
static void set_registers(int vcpu, uint32_t entry)
{
	struct kvirt_segment flat = { .limit = ~0u, .present = 1, .s = 1, .db = 1, .g = 1 };
	struct kvirt_regs regs = { .rip = entry, .rsi = PARAMS, .rflags = 2 };
	struct kvirt_sregs sregs;

	DO(vcpu, KVIRT_GET_SREGS, &sregs);
	flat.type = 3;				/* data, writable, accessed */
	flat.selector = 0x18;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
	flat.type = 11;				/* code, readable, accessed */
	flat.selector = 0x10;
	sregs.cs = flat;
	sregs.cr0 |= 1;				/* PE */
	DO(vcpu, KVIRT_SET_SREGS, &sregs);
	DO(vcpu, KVIRT_SET_REGS, &regs);
}

/* Ports: the serial port's two, and all ones where nothing is. */
static void serve_io(struct kvirt_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	size_t bytes = (size_t)run->io.size * run->io.count;

	if (run->io.direction == KVIRT_EXIT_IO_OUT) {
		if (run->io.port == SERIAL_DATA)
			fwrite(data, 1, bytes, stdout);
		return;
	}
	memset(data, run->io.port == SERIAL_STATUS ? STATUS_EMPTY : 0xff, bytes);
}

static void run_guest(int vcpu, struct kvirt_run *run)
{
	for (;;) {
		DO(vcpu, KVIRT_RUN, 0);
		switch (run->exit_reason) {
		case KVIRT_EXIT_IO:
			serve_io(run);
			break;
		case KVIRT_EXIT_MMIO:
			/* A physical address without memory: all ones. */
			if (!run->mmio.is_write)
				memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
			break;
		case KVIRT_EXIT_SHUTDOWN:
			return;			/* a triple fault: how this kernel reboots */
		default:
			errx(1, "exit reason %u", run->exit_reason);
		}
	}
}

int main(int argc, char **argv)
{
	struct kvirt_userspace_memory_region region = { .memory_size = MEMORY };
	struct kvirt_enable_cap split = { .cap = KVIRT_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	int device, vm, vcpu;
	struct kvirt_run *page;
	uint8_t *memory;
	uint32_t entry;
	size_t size;

	if (argc < 2)
		errx(2, "usage: linux BZIMAGE [DEVICE [MORE COMMAND LINE]]");
	device = open(argc > 2 ? argv[2] : "/dev/kvirt", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "cannot open the device");
	vm = DO(device, KVIRT_CREATE_VM, 0);
	DO(vm, KVIRT_ENABLE_CAP, &split);	/* before the first vCPU: each gets a local APIC */

	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	entry = load_kernel(memory, argv[1], argc > 3 ? argv[3] : "");
	region.userspace_addr = (uintptr_t)memory;
	DO(vm, KVIRT_SET_USER_MEMORY_REGION, &region);

	vcpu = DO(vm, KVIRT_CREATE_VCPU, 0);
	size = DO(device, KVIRT_GET_VCPU_MMAP_SIZE, 0);
	page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (page == MAP_FAILED)
		err(1, "mmap of the run page");
	set_cpuid(device, vcpu);
	set_registers(vcpu, entry);
	setvbuf(stdout, NULL, _IOLBF, 0);
	run_guest(vcpu, page);
	return 0;
}

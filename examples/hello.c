// SPDX-License-Identifier: GPL-2.0
/*
 * A whole VMM: one page of memory, one vCPU, one device. The guest, 16-bit code, writes a text to a port, byte by byte, and
 * halts. docs/writing-a-vmm.md walks through it.
 *
 *   hello [DEVICE]      /dev/kvirt if none is given; /dev/kvm does as well
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/kvirt.h>

#define PORT	0xe9
#define LOAD_AT	0x1000
#define SIZE	0x1000

static const uint8_t guest[] = {
	0xbe, 0x0d, 0x10,	/* 1000        mov  $text, %si */
	0xac,			/* 1003 next:  lodsb */
	0x84, 0xc0,		/* 1004        test %al, %al */
	0x74, 0x04,		/* 1006        jz   done */
	0xe6, PORT,		/* 1008        out  %al, $PORT */
	0xeb, 0xf7,		/* 100a        jmp  next */
	0xf4,			/* 100c done:  hlt */
	'H', 'e', 'l', 'l', 'o', ' ', 'f', 'r', 'o', 'm', ' ', 't', 'h', 'e', ' ', 'g', 'u', 'e', 's', 't', '\n', 0, /* text */
};

/* An ioctl that must work. */
static int do_ioctl(int fd, unsigned long request, void *arg, const char *name)
{
	int result = ioctl(fd, request, arg);

	if (result < 0)
		err(1, "%s", name);
	return result;
}

#define DO(fd, request, arg) do_ioctl(fd, request, (void *)(arg), #request)

/* Runs the guest until it halts; each way out of KVIRT_RUN is the VMM's to serve. */
static void run(int vcpu, struct kvirt_run *run)
{
	for (;;) {
		DO(vcpu, KVIRT_RUN, 0);
		switch (run->exit_reason) {
		case KVIRT_EXIT_IO:
			/* count values of size bytes each lie in the run page, for OUT put there by the guest. */
			if (run->io.direction != KVIRT_EXIT_IO_OUT || run->io.port != PORT || run->io.size != 1)
				errx(1, "a port that is not there: %#x", run->io.port);
			fwrite((uint8_t *)run + run->io.data_offset, 1, run->io.count, stdout);
			break;
		case KVIRT_EXIT_HLT:
			return;
		case KVIRT_EXIT_INTERNAL_ERROR:
			errx(1, "internal error %u: %#llx %#llx %#llx", run->internal.suberror,
			     (unsigned long long)run->internal.data[0], (unsigned long long)run->internal.data[1],
			     (unsigned long long)run->internal.data[2]);
		default:
			errx(1, "exit reason %u", run->exit_reason);
		}
	}
}

int main(int argc, char **argv)
{
	struct kvirt_userspace_memory_region region = { .guest_phys_addr = LOAD_AT, .memory_size = SIZE };
	struct kvirt_regs regs = { .rip = LOAD_AT, .rflags = 2 };
	struct kvirt_sregs sregs;
	struct kvirt_run *page;
	int device, vm, vcpu;
	size_t size;
	void *memory;

	device = open(argc > 1 ? argv[1] : "/dev/kvirt", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "cannot open the device");
	if (DO(device, KVIRT_GET_API_VERSION, 0) != KVIRT_API_VERSION)
		errx(1, "another ABI");
	vm = DO(device, KVIRT_CREATE_VM, 0);

	/* Guest memory is memory of this process. Everything outside of it is a device: KVIRT_EXIT_MMIO. */
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	memcpy(memory, guest, sizeof(guest));
	region.userspace_addr = (uintptr_t)memory;
	DO(vm, KVIRT_SET_USER_MEMORY_REGION, &region);

	vcpu = DO(vm, KVIRT_CREATE_VCPU, 0);
	size = DO(device, KVIRT_GET_VCPU_MMAP_SIZE, 0);
	page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (page == MAP_FAILED)
		err(1, "mmap of the run page");

	/* A vCPU begins as a CPU does after power-on: real mode at the reset vector. Move it to the code. */
	DO(vcpu, KVIRT_GET_SREGS, &sregs);
	sregs.cs.base = sregs.cs.selector = 0;
	DO(vcpu, KVIRT_SET_SREGS, &sregs);
	DO(vcpu, KVIRT_SET_REGS, &regs);
	run(vcpu, page);
	return 0;
}

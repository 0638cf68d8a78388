// SPDX-License-Identifier: GPL-2.0
/*
 * How much of the kernel's memory a VM takes that does not grow with the guest memory in use: by what its memory cgroup is
 * charged, and by what the whole machine has less, which an allocation that nobody is charged for does not escape.
 *
 * Many VMs are made as vmrun makes its own (split irqchip, one vCPU, a slot of 512 MiB), and their guests run once. They share
 * their memory, so that no page of a guest's is counted; what is left is the device's, its files, and the nested tables that lead to
 * the first pages. selftests/start/table runs this on /dev/kvm too and prints the notes.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "guest.h"
#include "vm.h"

enum { VMS = 32, ROUNDS = 4, SLOT_SIZE = 512 << 20, SLOT_AT = 0x50000000 };
enum { LIMIT = 128 << 10 };	/* for each VM */

#define CGROUPS	"/run/memory-kernel"

static char group[64];

static void guest_ends(void)
{
	guest_done();
}

static void write_text(const char *path, const char *text)
{
	int fd = ASSERT_OK(open(path, O_WRONLY));

	ASSERT_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* This process, and what it makes from here on, in a group of its own. */
static void enter_group(void)
{
	char path[128];

	mkdir(CGROUPS, 0755);
	ASSERT_OK(mount("none", CGROUPS, "cgroup2", 0, NULL));
	write_text(CGROUPS "/cgroup.subtree_control", "+memory");
	/* KVM has a thread for each VM in it, so that it cannot go before they have. */
	snprintf(group, sizeof(group), CGROUPS "/%d", getpid());
	ASSERT_OK(mkdir(group, 0755));
	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	write_text(path, "0");
}

static void leave_group(void)
{
	write_text(CGROUPS "/cgroup.procs", "0");
	rmdir(group);
	umount2(CGROUPS, MNT_DETACH);
}

/* The number behind the word @name in a file of such lines; 0 where there is none. */
static long number(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char word[64], line[256];
	long value, found = 0;

	ASSERT(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %ld", word, &value) == 2 && !strcmp(word, name))
			found = value;
	fclose(file);
	return found;
}

static const char *const kinds[] = { "kernel", "slab", "percpu", "vmalloc", "pagetables", "sec_pagetables", "kernel_stack" };

struct usage {
	long charged[COUNT(kinds)];	/* bytes */
	long free;			/* of the whole machine */
};

static struct usage usage(void)
{
	struct usage u;
	char path[128];

	snprintf(path, sizeof(path), "%s/memory.stat", group);
	for (size_t i = 0; i < COUNT(kinds); i++)
		u.charged[i] = number(path, kinds[i]);
	u.free = number("/proc/meminfo", "MemFree:") * 1024;
	return u;
}

/* One more VM, with the memory of @first and a slot of nobody's. */
static void add_vm(const struct vm *first, void *slot)
{
	struct vm *vm = vm_bare();

	vm->memory = first->memory;
	vm->size = first->size;
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24));
	ASSERT_OK(vm_slot(vm, 0, 0, 0, vm->size, vm->memory));
	ASSERT_OK(vm_slot(vm, 1, 0, SLOT_AT, SLOT_SIZE, slot));
	vcpu_finish(vcpu_new(vm, 0, guest_ends));
}

static void a_vm_is_small_for_the_kernel(void)
{
	struct vm *first = vm_new_split();
	void *slot = mmap(NULL, SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct usage each = { .free = LONG_MAX };

	ASSERT(slot != MAP_FAILED);
	enter_group();
	/* Others take and give memory as well: the round in which they took least is the nearest to the truth. The first one warms up. */
	for (int round = 0; round < ROUNDS; round++) {
		struct usage before = usage(), after;

		for (int i = 0; i < VMS; i++)
			add_vm(first, slot);
		after = usage();
		if (round && (before.free - after.free) / VMS < each.free) {
			each.free = (before.free - after.free) / VMS;
			for (size_t i = 0; i < COUNT(kinds); i++)
				each.charged[i] = (after.charged[i] - before.charged[i]) / VMS;
		}
	}
	leave_group();
	for (size_t i = 0; i < COUNT(kinds); i++)
		test_note("vm: %s %ld bytes", kinds[i], each.charged[i]);
	test_note("vm: taken %ld bytes", each.free);
	/* A group that was charged nothing has seen nothing. */
	EXPECT(each.charged[0] > 4096);
	/* KVM is run for its figures alone. */
	if (!strcmp(test_dev, "/dev/kvm"))
		return;
	EXPECT(each.charged[0] <= LIMIT);
	EXPECT(each.free <= LIMIT);
}

static const struct test tests[] = {
	TEST(a_vm_is_small_for_the_kernel),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

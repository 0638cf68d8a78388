// SPDX-License-Identifier: GPL-2.0
/*
 * The kinds of guest memory: what each is to the kernel, what is given back, and what is
 * said when there is none. (How addresses are translated is test_bus.c's; huge
 * pages that are there are guest/memory.sh's, whose host sets some apart.)
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../memory.h"
#include "ktap.h"

/* True when @text is in this process' list of mappings. */
static bool mapped(const char *text)
{
	char line[512];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "re");

	ASSERT(maps);
	while (!found && fgets(line, sizeof(line), maps))
		found = strstr(line, text);
	fclose(maps);
	return found;
}

static void words(void)
{
	struct vm_error err = { 0 };

	EXPECT_EQ(memory_kind_of("private"), MEMORY_PRIVATE);
	EXPECT_EQ(memory_kind_of("memfd"), MEMORY_FILE);
	EXPECT_EQ(memory_kind_of("hugepages"), MEMORY_HUGE_2M);
	EXPECT_EQ(memory_kind_of("hugepages=1G"), MEMORY_HUGE_1G);
	EXPECT_EQ(memory_check_backing("hugepages=1G", &err), 0);
	EXPECT_EQ(memory_check_backing("hugepages=4K", &err), -1);
	EXPECT(strstr(err.hint, "hugepages=1G"));
}

/* Above the hole too: 4 GiB that cost nothing before they are touched. */
static void touch(enum memory_kind kind)
{
	struct memory mem;
	struct vm_error err = { 0 };
	u8 *low, *high;

	ASSERT_EQ(memory_create_as(&mem, GIB(4), kind, "touch", &err), 0);
	EXPECT_EQ(memory_size(&mem), GIB(4));
	EXPECT_EQ(memory_page(&mem), KIB(4));
	EXPECT(!guest_buf(&mem, MEMORY_HOLE_START, 1));
	low = guest_buf(&mem, MEMORY_HOLE_START - KIB(4), KIB(4));
	high = guest_buf(&mem, MEMORY_HOLE_END, GIB(1));
	ASSERT(low && high);
	EXPECT_EQ((uintptr_t)guest_buf(&mem, 0, 1) % MIB(2), 0);
	memset(low, 1, KIB(4));
	memset(high, 2, KIB(12));
	EXPECT_EQ(memory_give_back(&mem, high, KIB(8)), KIB(8));
	EXPECT(high[0] == 0 && high[KIB(8) - 1] == 0 && high[KIB(8)] == 2 && low[KIB(4) - 1] == 1);
	/* Parts of pages stay. */
	memset(high, 3, KIB(12));
	EXPECT_EQ(memory_give_back(&mem, high + 1, KIB(12) - 2), KIB(4));
	EXPECT(high[KIB(4) - 1] == 3 && high[KIB(4)] == 0 && high[KIB(8)] == 3);
	EXPECT_EQ(memory_give_back(&mem, high + 1, KIB(4)), 0);
	memory_destroy(&mem);
	EXPECT(!mapped("memfd:vmrun-touch"));
}

static void private_memory(void)
{
	touch(MEMORY_PRIVATE);
}

static void memory_in_a_file(void)
{
	touch(MEMORY_FILE);
}

/* Who has the file maps what the guest has, and cannot take it away. */
static void a_file_can_be_shared(void)
{
	struct memory mem;
	struct vm_error err = { 0 };
	u8 *other, *own;

	ASSERT_EQ(memory_create_as(&mem, MIB(16), MEMORY_FILE, "shared", &err), 0);
	EXPECT(mapped("memfd:vmrun-shared"));
	own = guest_buf(&mem, MIB(3), 4);
	other = mmap(NULL, MIB(16), PROT_READ | PROT_WRITE, MAP_SHARED, mem.fd, 0);
	ASSERT(other != MAP_FAILED);
	memcpy(own, "mine", 4);
	EXPECT(!memcmp(other + MIB(3), "mine", 4));
	EXPECT_EQ(ftruncate(mem.fd, 0), -1);
	EXPECT_EQ(ftruncate(mem.fd, MIB(32)), -1);
	EXPECT_EQ(fcntl(mem.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	munmap(other, MIB(16));
	memory_destroy(&mem);
}

/* This machine has none set apart, or not so many: the error tells how to get them. */
static void huge_pages_that_are_not_there(void)
{
	static const enum memory_kind kinds[] = { MEMORY_HUGE_2M, MEMORY_HUGE_1G };
	struct memory mem;
	unsigned int i;

	for (i = 0; i < COUNT(kinds); i++) {
		struct vm_error err = { 0 };

		ASSERT_EQ(memory_create_as(&mem, GIB(1024), kinds[i], "none", &err), -1);
		EXPECT_EQ(err.status, VM_STATUS_FAILURE);
		EXPECT(strstr(err.text, i ? "1024 huge pages of 1 GiB" : "524288 huge pages of 2 MiB"));
		EXPECT(err.hint[0]);
		EXPECT(!mem.mapping);
	}
	EXPECT(!mapped("memfd:vmrun-none"));
}

static void odd_sizes(void)
{
	struct vm_error err = { 0 };
	struct memory mem;

	EXPECT_EQ(memory_create_as(&mem, MIB(17), MEMORY_HUGE_2M, "odd", &err), -1);
	EXPECT(strstr(err.text, "17 MiB of memory are not made of pages of 2 MiB"));
	EXPECT_EQ(memory_create_as(&mem, MIB(1536), MEMORY_HUGE_1G, "odd", &err), -1);
	EXPECT_EQ(memory_create_as(&mem, MIB(17), MEMORY_FILE, "odd", &err), 0);
	memory_destroy(&mem);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(words), TEST(private_memory), TEST(memory_in_a_file), TEST(a_file_can_be_shared),
		TEST(huge_pages_that_are_not_there), TEST(odd_sizes),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}

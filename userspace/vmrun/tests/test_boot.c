// SPDX-License-Identifier: GPL-2.0
/*
 * The loaders: a good bzImage and a good vmlinux arrive in guest memory as they
 * should; damaged ones give one error and touch nothing outside of it. The
 * guest's memory is a heap block here, so that the sanitizer sees every byte
 * too far.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../boot/boot.h"
#include "../crc.h"
#include "../boot/e820.h"
#include "kernel_image.h"
#include "ktap.h"

#define GUEST_SIZE	MIB(20)
#define KERNEL_ADDR	0x1000000
#define SETUP_SIZE	(5 * 512)
#define BZ_SIZE		(SETUP_SIZE + 0x2000)
#define ELF_SIZE	0x3000

static u8 *guest;
static struct memory mem;

static void setup_guest(void)
{
	guest = calloc(1, GUEST_SIZE);
	ASSERT(guest);
	mem = (struct memory){
		.region[0] = { 0, GUEST_SIZE, guest }, .nr_regions = 1,
	};
}

/* Loads @kernel and, unless empty, @initramfs from memory files. */
static int load(const void *kernel, size_t size, const void *initramfs,
		size_t initramfs_size, const char *cmdline,
		struct boot_entry *entry, struct vm_error *err)
{
	char path[32], initramfs_path[32];
	struct boot_source source = { .kernel = path, .cmdline = cmdline };
	int fd, fd2 = -1, ret;

	fd = memfd_create("kernel", 0);
	ASSERT(fd >= 0 && write(fd, kernel, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (initramfs) {
		fd2 = memfd_create("initramfs", 0);
		ASSERT(fd2 >= 0 && write(fd2, initramfs, initramfs_size) ==
		       (ssize_t)initramfs_size);
		snprintf(initramfs_path, sizeof(initramfs_path), "/proc/self/fd/%d", fd2);
		source.initramfs = initramfs_path;
	}
	memset(err, 0, sizeof(*err));
	ret = boot_load(&mem, &source, entry, err);
	close(fd);
	if (fd2 >= 0)
		close(fd2);
	return ret;
}

static void make_bzimage(u8 *image)
{
	struct setup_header *hdr;
	size_t i;

	for (i = 0; i < BZ_SIZE; i++)
		image[i] = i * 7;
	hdr = bzimage_header(image, BZ_SIZE, SETUP_SIZE, KERNEL_ADDR);
	hdr->kernel_alignment = 0x200000;
	hdr->relocatable_kernel = 1;
}

static void make_elf(u8 *image)
{
	size_t i;

	for (i = 0; i < ELF_SIZE; i++)
		image[i] = i * 5;
	vmlinux_headers(image, KERNEL_ADDR, 0x2800);
}

static void check_e820(const struct boot_e820_entry *e, unsigned int n)
{
	ASSERT_EQ(n, 4);
	EXPECT(e[0].addr == 0 && e[0].size == 0xa0000 && e[0].type == 1);
	EXPECT(e[1].addr == 0xe0000 && e[1].size == 0x20000 && e[1].type == 2);
	EXPECT(e[2].addr == 0x100000 && e[2].size == GUEST_SIZE - 0x100000 &&
	       e[2].type == 1);
	/* PCI's ECAM. */
	EXPECT(e[3].addr == 0xe0000000 && e[3].size == 0x100000 && e[3].type == 2);
}

static void good_bzimage(void)
{
	struct boot_params *params;
	struct boot_entry entry;
	struct vm_error err;
	u8 image[BZ_SIZE];

	setup_guest();
	make_bzimage(image);
	ASSERT_EQ(load(image, sizeof(image), "initial", 7, "a=b c", &entry, &err), 0);
	EXPECT_EQ(entry.mode, BOOT_LONG);
	EXPECT_EQ(entry.rip, KERNEL_ADDR + 0x200);
	EXPECT_EQ(entry.rsi, BOOT_PARAMS_ADDR);
	EXPECT(!memcmp(guest + KERNEL_ADDR, image + SETUP_SIZE, BZ_SIZE - SETUP_SIZE));
	params = (void *)(guest + BOOT_PARAMS_ADDR);
	EXPECT_EQ(params->hdr.header, 0x53726448);
	EXPECT_EQ(params->hdr.type_of_loader, 0xff);
	EXPECT(!strcmp((char *)guest + params->hdr.cmd_line_ptr, "a=b c"));
	EXPECT_EQ(params->hdr.ramdisk_size, 7);
	EXPECT_EQ(params->hdr.ramdisk_image % 4096, 0);
	EXPECT(!memcmp(guest + params->hdr.ramdisk_image, "initial", 7));
	EXPECT_EQ(params->acpi_rsdp_addr, BOOT_ACPI_ADDR);
	check_e820(params->e820_table, params->e820_entries);
}

static void good_elf(void)
{
	struct { u32 magic, version, flags, nr; u64 modules, cmdline, rsdp, map; u32 nr_map; } *info;
	struct { u64 addr, size; u32 type, pad; } *map;
	struct boot_e820_entry e820[8];
	struct boot_entry entry;
	struct vm_error err;
	u8 image[ELF_SIZE];
	unsigned int i;
	u64 module[2];

	setup_guest();
	make_elf(image);
	ASSERT_EQ(load(image, sizeof(image), "initial", 7, "a=b c", &entry, &err), 0);
	EXPECT_EQ(entry.mode, BOOT_PROTECTED);
	EXPECT_EQ(entry.rip, KERNEL_ADDR + 0x40);
	EXPECT_EQ(entry.rbx, BOOT_PARAMS_ADDR);
	EXPECT(!memcmp(guest + KERNEL_ADDR, image + 0x1000, 0x1800));
	info = (void *)(guest + entry.rbx);
	EXPECT_EQ(info->magic, 0x336ec578);
	EXPECT_EQ(info->version, 1);
	EXPECT(!strcmp((char *)guest + info->cmdline, "a=b c"));
	EXPECT_EQ(info->rsdp, BOOT_ACPI_ADDR);
	ASSERT_EQ(info->nr, 1);
	memcpy(module, guest + info->modules, sizeof(module));
	EXPECT_EQ(module[1], 7);
	EXPECT(!memcmp(guest + module[0], "initial", 7));
	ASSERT(info->nr_map <= 8);
	map = (void *)(guest + info->map);
	for (i = 0; i < info->nr_map; i++)
		e820[i] = (struct boot_e820_entry){ map[i].addr, map[i].size, map[i].type };
	check_e820(e820, info->nr_map);
}

static void expect_bad(const void *image, size_t size, const char *what)
{
	struct boot_entry entry;
	struct vm_error err;

	if (!EXPECT_EQ(load(image, size, NULL, 0, "", &entry, &err), -1) ||
	    !EXPECT_EQ(err.status, 125) || !EXPECT(err.text[0]) ||
	    !EXPECT(err.hint[0]))
		test_note("with %s", what);
}

#define BAD_BZ(change)						\
	({							\
		make_bzimage(image);				\
		change;						\
		expect_bad(image, sizeof(image), #change);	\
	})

static void bad_bzimages(void)
{
	u8 image[BZ_SIZE];
	struct setup_header *hdr = (void *)(image + 0x1f1);
	size_t size;

	setup_guest();
	BAD_BZ(hdr->boot_flag = 0);
	BAD_BZ(hdr->header = 0);
	BAD_BZ(hdr->version = 0x20b);
	BAD_BZ(hdr->loadflags = 0);
	BAD_BZ(hdr->xloadflags = 0);
	BAD_BZ(hdr->pref_address = 0);
	BAD_BZ(hdr->pref_address = 0xfffff);
	BAD_BZ(hdr->pref_address = UINT64_MAX);
	BAD_BZ(hdr->pref_address = GUEST_SIZE);
	BAD_BZ(hdr->init_size = UINT32_MAX);
	BAD_BZ(hdr->init_size = GUEST_SIZE - KERNEL_ADDR + 1);
	BAD_BZ(hdr->setup_sects = 255);
	BAD_BZ(hdr->syssize++);
	BAD_BZ(hdr->syssize = UINT32_MAX);
	/* Cut anywhere, it is refused. */
	make_bzimage(image);
	for (size = 0; size < sizeof(image); size += 16)
		expect_bad(image, size, "a file that is cut short");
}

/* The definition, a bit at a time. */
static u32 crc_by_bits(u32 crc, const u8 *data, size_t len)
{
	unsigned int i;

	while (len--)
		for (crc ^= *data++, i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	return crc;
}

static void sums(void)
{
	u8 data[1024];
	unsigned int i, n;

	EXPECT_EQ(~crc32_go_on(~0u, "123456789", 9), 0xcbf43926);
	srand(8);
	for (i = 0; i < sizeof(data); i++)
		data[i] = rand();
	for (n = 0; n < 300; n++) {
		EXPECT_EQ(crc32_go_on(n * 77777, data + n % 17, n),
			  crc_by_bits(n * 77777, data + n % 17, n));
		EXPECT_EQ(crc32_slow(~n, data, n), crc_by_bits(~n, data, n));
	}
	EXPECT_EQ(crc32_go_on(~0u, data, sizeof(data)), crc_by_bits(~0u, data, sizeof(data)));
}

/* As Linux @release builds it: a PE header, and the sum where it still has one. */
static void make_summed(u8 *image, const char *release)
{
	struct setup_header *hdr = (void *)(image + 0x1f1);
	u32 sum;

	make_bzimage(image);
	memcpy(image + 0x3c, &(u32){ 0x40 }, 4);
	memset(image + 0x40, 0, 0x100);
	memcpy(image + 0x40, "PE", 2);
	memcpy(image + 0x40 + 24, (u8[]){ 0x0b, 0x02 }, 2);
	image[0x40 + 24 + 108] = 6;
	hdr->kernel_version = 0x300;
	strcpy((char *)image + 0x500, release);
	sum = crc_by_bits(~0u, image, BZ_SIZE - 4);
	memcpy(image + BZ_SIZE - 4, &sum, 4);
}

static int load_summed(const u8 *image, size_t size, struct vm_error *err)
{
	struct boot_entry entry;

	return load(image, size, NULL, 0, "", &entry, err);
}

static void a_sum_tells_damage(void)
{
	static const size_t where[] = {
		0x10, 0x700, SETUP_SIZE, SETUP_SIZE + 0x1003, BZ_SIZE - 5, BZ_SIZE - 1,
	};
	u8 image[BZ_SIZE + 1472];
	struct vm_error err;
	unsigned int i;

	setup_guest();
	make_summed(image, "6.1.0-1-amd64 (me)");
	EXPECT_EQ(load_summed(image, BZ_SIZE, &err), 0);
	for (i = 0; i < COUNT(where); i++) {
		make_summed(image, "6.14.11 (me)");
		image[where[i]] ^= 0x10;
		EXPECT_EQ(load_summed(image, BZ_SIZE, &err), -1);
		EXPECT(err.status == 125 && strstr(err.text, "damaged") && err.hint[0]);
	}
	/* Signed: two fields of its header are others, and there is something behind it. */
	make_summed(image, "6.1.0-1-amd64 (me)");
	memset(image + BZ_SIZE, 0x55, 1472);
	memcpy(image + 0x40 + 24 + 64, "sums", 4);
	memcpy(image + 0x40 + 24 + 144, "put here", 8);
	EXPECT_EQ(load_summed(image, BZ_SIZE + 1472, &err), 0);
	image[SETUP_SIZE + 7]++;
	EXPECT_EQ(load_summed(image, BZ_SIZE + 1472, &err), -1);
	/* A PE header that is none, or lies elsewhere, is no reason to look there. */
	make_summed(image, "6.1.0-1-amd64 (me)");
	memset(image + 0x3c, 0xff, 4);
	EXPECT_EQ(load_summed(image, BZ_SIZE, &err), -1);
	make_summed(image, "6.1.0-1-amd64 (me)");
	image[0x3c] = (SETUP_SIZE - 24 - 151) & 0xff;
	image[0x3d] = (SETUP_SIZE - 24 - 151) >> 8;
	EXPECT_EQ(load_summed(image, BZ_SIZE, &err), -1);
}

static void who_has_no_sum_is_loaded(void)
{
	static const char *const newer[] = {
		"6.15.0-rc1", "7.3.4+deb13-cloud-amd64", "10.0.1", "6", "x",
	};
	struct setup_header *hdr;
	struct vm_error err;
	u8 image[BZ_SIZE];
	unsigned int i;

	setup_guest();
	hdr = (void *)(image + 0x1f1);
	for (i = 0; i < COUNT(newer); i++) {
		make_summed(image, newer[i]);
		image[SETUP_SIZE]++;
		EXPECT_EQ(load_summed(image, BZ_SIZE, &err), 0);
	}
	make_summed(image, "6.1");
	memset(image + BZ_SIZE - 4, 0, 4);
	EXPECT_EQ(load_summed(image, BZ_SIZE, &err), 0);
	make_summed(image, "6.1");
	hdr->kernel_version = 0;
	EXPECT_EQ(load_summed(image, BZ_SIZE, &err), 0);
	make_summed(image, "6.1");
	hdr->syssize = 0;
	EXPECT_EQ(load_summed(image, BZ_SIZE, &err), 0);
}

#define BAD_ELF(change)						\
	({							\
		make_elf(image);				\
		change;						\
		expect_bad(image, sizeof(image), #change);	\
	})

static void bad_elfs(void)
{
	u8 image[ELF_SIZE];
	Elf64_Ehdr *eh = (void *)image;
	Elf64_Phdr *ph = (void *)(image + sizeof(*eh));
	u32 *note = (void *)(image + 0x2800);
	size_t size;

	setup_guest();
	BAD_ELF(eh->e_ident[EI_CLASS] = ELFCLASS32);
	BAD_ELF(eh->e_machine = EM_386);
	BAD_ELF(eh->e_type = ET_REL);
	BAD_ELF(eh->e_phentsize = 32);
	BAD_ELF(eh->e_phnum = 0);
	BAD_ELF(eh->e_phnum = 65);
	BAD_ELF(eh->e_phnum = 65535);
	BAD_ELF(eh->e_phoff = ELF_SIZE - 8);
	BAD_ELF(eh->e_phoff = UINT64_MAX - 8);
	BAD_ELF(ph[0].p_paddr = 0x7000);
	BAD_ELF(ph[0].p_paddr = UINT64_MAX);
	BAD_ELF(ph[0].p_paddr = GUEST_SIZE);
	BAD_ELF(ph[0].p_memsz = GUEST_SIZE);
	BAD_ELF(ph[0].p_memsz = UINT64_MAX);
	BAD_ELF(ph[0].p_filesz = 0x4001);
	BAD_ELF(ph[0].p_filesz = UINT64_MAX);
	BAD_ELF(ph[0].p_offset = ELF_SIZE);
	BAD_ELF(ph[0].p_offset = UINT64_MAX);
	BAD_ELF(ph[0].p_type = PT_NULL);
	BAD_ELF(ph[1].p_type = PT_NULL);
	BAD_ELF(ph[1].p_filesz = 0x10001);
	BAD_ELF(ph[1].p_filesz = 8);
	BAD_ELF(ph[1].p_offset = UINT64_MAX - 4);
	BAD_ELF(note[0] = UINT32_MAX);
	BAD_ELF(note[1] = UINT32_MAX);
	BAD_ELF(note[1] = 16);
	BAD_ELF(note[2] = 17);
	BAD_ELF(note[3] = 0);
	BAD_ELF(note[4] = KERNEL_ADDR - 1);
	BAD_ELF(note[4] = KERNEL_ADDR + 0x4000);
	BAD_ELF(note[5] = 1);
	make_elf(image);
	for (size = 0; size < 0x2800 + 24; size += 8)
		expect_bad(image, size, "a file that is cut short");
}

static void command_lines(void)
{
	struct boot_entry entry;
	struct vm_error err;
	u8 image[BZ_SIZE];
	char line[102];

	setup_guest();
	make_bzimage(image);
	memset(line, 'x', sizeof(line));
	line[101] = 0;
	EXPECT_EQ(load(image, sizeof(image), NULL, 0, line, &entry, &err), -1);
	EXPECT(strstr(err.hint, "-a"));
	line[100] = 0;
	EXPECT_EQ(load(image, sizeof(image), NULL, 0, line, &entry, &err), 0);
}

static void initramfs_must_fit(void)
{
	u64 room = GUEST_SIZE - KERNEL_ADDR - 0x10000;
	struct boot_entry entry;
	struct vm_error err;
	u8 image[BZ_SIZE];
	u8 *big;

	setup_guest();
	make_bzimage(image);
	big = calloc(1, room + 1);
	ASSERT(big);
	EXPECT_EQ(load(image, sizeof(image), big, room, "", &entry, &err), 0);
	EXPECT_EQ(load(image, sizeof(image), big, room + 1, "", &entry, &err), -1);
	EXPECT(strstr(err.hint, "-m"));
	/* The header may want it lower than memory reaches. */
	((struct setup_header *)(image + 0x1f1))->initrd_addr_max = KERNEL_ADDR + 0x10fff;
	EXPECT_EQ(load(image, sizeof(image), big, 0x1000, "", &entry, &err), 0);
	EXPECT_EQ(load(image, sizeof(image), big, 0x1001, "", &entry, &err), -1);
	EXPECT_EQ(load(image, sizeof(image), big, 0, "", &entry, &err), -1);
	EXPECT(strstr(err.text, "empty"));
}

static void not_files(void)
{
	struct boot_source source = { .cmdline = "" };
	static const char * const paths[] = { "/nonexistent", "/", "/dev/null" };
	struct boot_entry entry;
	size_t i;

	setup_guest();
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		struct vm_error err = { 0 };

		source.kernel = paths[i];
		EXPECT_EQ(boot_load(&mem, &source, &entry, &err), -1);
		EXPECT_EQ(err.status, 125);
		EXPECT(strstr(err.text, paths[i]));
	}
}

/*
 * Damage at random: whatever comes of it, an error or a kernel that is loaded,
 * the low memory that is the loader's own must make sense, and nothing else may
 * happen. Damage is aimed at the headers, where it matters.
 */
static void damage(void (*make)(u8 *image), size_t size, const size_t *area, unsigned int seed)
{
	struct boot_entry entry;
	struct vm_error err;
	unsigned int i, n, loaded = 0;
	u8 image[BZ_SIZE > ELF_SIZE ? BZ_SIZE : ELF_SIZE];

	setup_guest();
	srand(seed);
	for (i = 0; i < 20000; i++) {
		make(image);
		for (n = rand() % 8; n; n--)
			image[area[0] + rand() % (area[1] - area[0])] = rand() % 4 ? rand() : 0xff;
		if (load(image, rand() % 16 ? size : rand() % size, NULL, 0, "x", &entry, &err)) {
			ASSERT_EQ(err.status, 125);
			continue;
		}
		loaded++;
		ASSERT(guest_buf(&mem, entry.rip, 1));
		ASSERT(entry.rip >= BOOT_KERNEL_MIN);
	}
	/* Both ways were taken, or this test shows nothing. */
	EXPECT(loaded > 100 && loaded < 19900);
	test_note("%u of 20000 were loaded", loaded);
}

static void random_damage_to_a_bzimage(void)
{
	static const size_t header[] = { 0x1f1, 0x1f1 + sizeof(struct setup_header) };

	damage(make_bzimage, BZ_SIZE, header, 3);
}

static void random_damage_to_an_elf(void)
{
	static const size_t header[] = { 0, sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr) };

	damage(make_elf, ELF_SIZE, header, 4);
}

static void random_damage_to_notes(void)
{
	static const size_t notes[] = { 0x2800, 0x2818 };

	damage(make_elf, ELF_SIZE, notes, 5);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(good_bzimage), TEST(good_elf), TEST(bad_bzimages),
		TEST(sums), TEST(a_sum_tells_damage), TEST(who_has_no_sum_is_loaded),
		TEST(bad_elfs), TEST(command_lines), TEST(initramfs_must_fit),
		TEST(not_files), TEST(random_damage_to_a_bzimage),
		TEST(random_damage_to_an_elf), TEST(random_damage_to_notes),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}

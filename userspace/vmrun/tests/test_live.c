// SPDX-License-Identifier: GPL-2.0
/*
 * The initramfs that vmrun makes: the archive's format, as another reader of it
 * understands it, compressed files, the kernel's release out of kernel files, the plan as
 * the guest reads it, and what a user is told when something is missing. With modules it
 * is tested where there are some: in the hosts.
 */
#include <asm/bootparam.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "../boot/cpio.h"
#include "../boot/live.h"
#include "../boot/unpack.h"
#include "../boot/version.h"
#include "../guest/guest.h"
#include "ktap.h"

static char dir[] = "/tmp/test_live.XXXXXX";
static bool has_dir;

static const char *in_dir(const char *name)
{
	static char path[4][256];
	static unsigned int next;
	char *p = path[next++ % 4];

	if (!has_dir)
		ASSERT(mkdtemp(dir));
	has_dir = true;
	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void write_file(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

/* Runs a program of the build machine's; what it prints. */
static const char *output_of(const char *format, const char *path)
{
	static char text[65536];
	char command[512];
	FILE *from;
	size_t n;

	snprintf(command, sizeof(command), format, path);
	from = popen(command, "r");
	ASSERT(from);
	n = fread(text, 1, sizeof(text) - 1, from);
	text[n] = 0;
	EXPECT_EQ(pclose(from), 0);
	return text;
}

static void remove_dir(void)
{
	if (has_dir)
		output_of("rm -rf %s", dir);
}

static void cpio_reads_the_archive(void)
{
	const char *path = in_dir("archive");
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	struct cpio cpio;

	cpio_start(&cpio, fd);
	cpio_directory(&cpio, "dev", 0755);
	cpio_device(&cpio, "dev/console", 0600, 5, 1);
	cpio_file(&cpio, "a", 0400, "x", 1);
	cpio_file(&cpio, "four", 0755, "four", 4);
	cpio_file(&cpio, "none", 0644, NULL, 0);
	EXPECT_EQ(cpio_end(&cpio), 0);
	EXPECT(!strcmp(output_of("cpio --quiet -itv <%s | awk '{ print $1, $3, $4, $5, $6, $NF }' | sed 's/ [A-Z].* / /'", path),
		       "drwxr-xr-x root root 0 dev\ncrw------- root root 5, 1 dev/console\n"
		       "-r-------- root root 1 a\n-rwxr-xr-x root root 4 four\n-rw-r--r-- root root 0 none\n"));
	EXPECT(!strcmp(output_of("cpio --quiet -i --to-stdout four <%s", path), "four"));
	EXPECT_EQ(cpio.size % 4, 0);
	close(fd);
	remove_dir();
}

static void an_archive_that_cannot_be_written(void)
{
	int fd = open("/dev/full", O_WRONLY);
	static char name[5000];
	struct cpio cpio;

	cpio_start(&cpio, fd);
	cpio_directory(&cpio, "dev", 0755);
	EXPECT_EQ(cpio_end(&cpio), ENOSPC);
	close(fd);

	fd = open("/dev/null", O_WRONLY);
	cpio_start(&cpio, fd);
	cpio_file(&cpio, "large", 0644, "", CPIO_MAX_SIZE + 1);
	EXPECT_EQ(cpio_end(&cpio), EFBIG);
	memset(name, 'n', sizeof(name) - 1);
	cpio_start(&cpio, fd);
	cpio_directory(&cpio, name, 0755);
	EXPECT_EQ(cpio_end(&cpio), ENAMETOOLONG);
	close(fd);
}

static void expect_unpacked(const char *path, const char *want, size_t size)
{
	struct vm_error err = { 0 };
	struct unpacked file;

	if (unpack_file(&file, path, &err)) {
		test_fail(__FILE__, __LINE__, "%s: %s", path, err.text);
		return;
	}
	EXPECT_EQ(file.size, size);
	EXPECT(!memcmp(file.data, want, size));
	unpack_free(&file);
}

static void compressed_files(void)
{
	__typeof__(&ZSTD_compress) compress;
	void *lib = dlopen("libzstd.so.1", RTLD_NOW);
	static char text[300000], packed[300000];
	const char *path = in_dir("plain");
	struct vm_error err = { 0 };
	struct unpacked file;
	size_t i;

	for (i = 0; i < sizeof(text); i++)
		text[i] = 'a' + (i / 1000) % 26;
	write_file(path, text, sizeof(text));
	expect_unpacked(path, text, sizeof(text));
	output_of("xz -k %s", path);
	expect_unpacked(in_dir("plain.xz"), text, sizeof(text));
	output_of("gzip -k %s", path);
	expect_unpacked(in_dir("plain.gz"), text, sizeof(text));
	ASSERT(lib);
	compress = (__typeof__(compress))dlsym(lib, "ZSTD_compress");
	i = compress(packed, sizeof(packed), text, sizeof(text), 3);
	write_file(in_dir("plain.zst"), packed, i);
	expect_unpacked(in_dir("plain.zst"), text, sizeof(text));

	/* Cut short, each is one error. */
	write_file(in_dir("cut"), packed, i - 5);
	EXPECT(unpack_file(&file, in_dir("cut"), &err) && err.status == VM_STATUS_FAILURE);
	EXPECT(err.hint[0]);
	output_of("cd %s && head -c 60 plain.xz >cut.xz && head -c 60 plain.gz >cut.gz", dir);
	EXPECT(unpack_file(&file, in_dir("cut.xz"), &err));
	EXPECT(unpack_file(&file, in_dir("cut.gz"), &err));
	remove_dir();
}

static void release_of(const char *version, u16 pointer, const char *want)
{
	char release[KERNEL_RELEASE_SIZE], image[4096] = { 0 };
	struct setup_header *hdr = (void *)(image + 0x1f1);
	struct vm_error err = { 0 };
	const char *path = in_dir("bzImage");
	int ret;

	hdr->boot_flag = 0xaa55;
	hdr->header = 0x53726448;
	hdr->kernel_version = pointer;
	strcpy(image + 512 + 0x400, version);
	write_file(path, image, sizeof(image));
	ret = kernel_release(path, release, &err);
	if (!want)
		EXPECT(ret && err.hint[0]);
	else if (!EXPECT(!ret && !strcmp(release, want)))
		test_note("%s: %s", version, err.text);
}

static void releases_of_bzimages(void)
{
	release_of("6.1.0-56-cloud-amd64 (who@where) #1 SMP", 0x400, "6.1.0-56-cloud-amd64");
	release_of("7.3.1 x", 0x400, "7.3.1");
	release_of("6.1.0 x", 0, NULL);
	release_of("6.1.0 x", 0xfff0, NULL);
	release_of("../../etc x", 0x400, NULL);
	release_of("6/../../etc x", 0x400, NULL);
	release_of("6666666666666666666666666666666666666666666666666666666666666666666666 x", 0x400, NULL);
	remove_dir();
}

static void release_of_a_vmlinux(void)
{
	/* The banner lies across the end of what is read at once. */
	static char image[65536 * 2];
	char release[KERNEL_RELEASE_SIZE];
	struct vm_error err = { 0 };
	const char *path = in_dir("vmlinux");
	size_t at;

	for (at = 65536 - 40; at < 65536 + 10; at += 3) {
		memset(image, 0, sizeof(image));
		memcpy(image, "\177ELF\2\1\1", 7);
		strcpy(image + 300, "Linux version %s");
		strcpy(image + at, "Linux version 6.12.3-test (who@where)");
		write_file(path, image, sizeof(image));
		EXPECT(!kernel_release(path, release, &err) && !strcmp(release, "6.12.3-test"));
	}
	write_file(path, image, 300);
	EXPECT(kernel_release(path, release, &err));
	remove_dir();
}

static void the_guest_reads_the_plan(void)
{
	char text[] = "hostname box\nport 1024\nroot virtiofs root\nshare s0 ro /mnt/with blank\n"
		      "share s1 rw /src\nnet 10.0.2.15 255.255.255.0 10.0.2.2 10.0.2.3\nmodule /modules/0.ko virtio\n"
		      "late /modules/1.ko virtio_rng\nchannel org.a\nchannel b\n";
	char bad[] = "root virtiofs root\nshare s0 ro relative\n";
	char early_after_late[] = "root virtiofs root\nlate /modules/0.ko a\nmodule /modules/1.ko b\n";
	char nameless[] = "root virtiofs root\nmodule /modules/0.ko\n";
	char none[] = "";
	char disk[] = "root disk vda3 ext4 ro\n";
	char half[] = "root disk vda3 ext4\n";
	struct plan plan;

	ASSERT(!plan_parse(&plan, text));
	EXPECT(!strcmp(plan.hostname, "box"));
	EXPECT_EQ(plan.port, 1024);
	EXPECT(!strcmp(plan.root_tag, "root"));
	EXPECT(!plan.disk.fs);
	EXPECT_EQ(plan.nr_shares, 2);
	EXPECT(!strcmp(plan.share[0].path, "/mnt/with blank") && plan.share[0].read_only);
	EXPECT(!strcmp(plan.share[1].tag, "s1") && !plan.share[1].read_only);
	EXPECT_EQ(plan.nr_modules, 2);
	EXPECT_EQ(plan.nr_late, 1);
	EXPECT_EQ(plan.nr_channels, 2);
	EXPECT(!strcmp(plan.channel[0], "org.a") && !strcmp(plan.channel[1], "b"));
	EXPECT(!strcmp(plan.module[1], "/modules/1.ko"));
	EXPECT(!strcmp(plan.module[0], "/modules/0.ko"));
	EXPECT(!strcmp(plan.module_name[0], "virtio") && !strcmp(plan.module_name[1], "virtio_rng"));
	EXPECT(!strcmp(plan.net.address, "10.0.2.15") && !strcmp(plan.net.nameserver, "10.0.2.3"));
	EXPECT(plan_parse(&plan, bad));
	EXPECT(plan_parse(&plan, early_after_late));
	EXPECT(plan_parse(&plan, nameless));
	EXPECT(plan_parse(&plan, none));
	EXPECT(plan_parse(&plan, half));
	ASSERT(!plan_parse(&plan, disk));
	EXPECT(!plan.root_tag && plan.disk.read_only);
	EXPECT(!strcmp(plan.disk.device, "vda3") && !strcmp(plan.disk.fs, "ext4"));
}

/* The child tells its parent what is missing, and leaves nothing behind. */
static void a_kernel_without_modules(void)
{
	static const struct module_want want[] = { { .name = "virtio_pci" } };
	struct live_plan plan = {
		.modules = dir, .hostname = "box", .root = "virtiofs root", .want = want, .nr_want = 1,
	};
	char image[4096] = { 0 };
	struct setup_header *hdr = (void *)(image + 0x1f1);
	struct vm_error err = { 0 };
	struct live live;

	hdr->boot_flag = 0xaa55;
	hdr->header = 0x53726448;
	hdr->kernel_version = 0x400;
	strcpy(image + 512 + 0x400, "6.1.0-none x");
	plan.kernel = in_dir("bzImage");
	write_file(plan.kernel, image, sizeof(image));
	ASSERT(!live_start(&live, &plan, &err));
	EXPECT(live_wait(&live, &err));
	EXPECT_EQ(err.status, VM_STATUS_FAILURE);
	EXPECT(strstr(err.text, "6.1.0-none"));
	EXPECT(strstr(err.hint, "install"));
	live_destroy(&live);
	remove_dir();
}

static const struct test tests[] = {
	TEST(cpio_reads_the_archive),
	TEST(an_archive_that_cannot_be_written),
	TEST(compressed_files),
	TEST(releases_of_bzimages),
	TEST(release_of_a_vmlinux),
	TEST(the_guest_reads_the_plan),
	TEST(a_kernel_without_modules),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The command line: what each option sets, and that every mistake gives one
 * error with status 125 and a hint, and prints nothing.
 */
#include <string.h>

#include "../config.h"
#include "ktap.h"

#define MAX_ARGS 16

struct parsed {
	struct vm_config config;
	struct vm_error err;
	int ret;
};

/* Splits @line at blanks; argp wants argv to be writable. */
static struct parsed parse(const char *line)
{
	static char copy[4096];
	char *argv[MAX_ARGS + 1] = { "vmrun" };
	struct parsed p = { 0 };
	int argc = 1;
	char *word, *save;

	snprintf(copy, sizeof(copy), "%s", line);
	for (word = strtok_r(copy, " ", &save); word && argc < MAX_ARGS;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	p.ret = config_parse(&p.config, argc, argv, &p.err);
	return p;
}

static void defaults(void)
{
	struct parsed p = parse("-k bzImage");

	ASSERT_EQ(p.ret, 0);
	EXPECT(!strcmp(p.config.kernel, "bzImage"));
	EXPECT(!p.config.initramfs);
	EXPECT(!strcmp(p.config.args, "console=ttyS0 panic=-1"));
	EXPECT(!strcmp(p.config.accel, "auto"));
	EXPECT_EQ(p.config.vcpus, 1);
	EXPECT_EQ(p.config.memory, MIB(512));
	EXPECT_EQ(p.config.action, CONFIG_RUN);
}

static void every_option(void)
{
	struct parsed p = parse("-k K -i I -a quiet -c 3 -m 2G --accel /dev/other");

	ASSERT_EQ(p.ret, 0);
	EXPECT(!strcmp(p.config.kernel, "K"));
	EXPECT(!strcmp(p.config.initramfs, "I"));
	EXPECT(!strcmp(p.config.args, "quiet"));
	EXPECT(!strcmp(p.config.accel, "/dev/other"));
	EXPECT_EQ(p.config.vcpus, 3);
	EXPECT_EQ(p.config.memory, GIB(2));
}

static void long_names(void)
{
	struct parsed p = parse("--kernel=K --initramfs=I --args=x --cpus=2 --memory=96M --accel=kvm");

	ASSERT_EQ(p.ret, 0);
	EXPECT(!strcmp(p.config.initramfs, "I"));
	EXPECT(!strcmp(p.config.accel, "kvm"));
	EXPECT_EQ(p.config.vcpus, 2);
	EXPECT_EQ(p.config.memory, MIB(96));
}

static void help_and_version_need_no_kernel(void)
{
	EXPECT_EQ(parse("--help").config.action, CONFIG_HELP);
	EXPECT_EQ(parse("--help").ret, 0);
	EXPECT_EQ(parse("--version").config.action, CONFIG_VERSION);
	EXPECT_EQ(parse("--version").ret, 0);
}

static void memory_sizes(void)
{
	EXPECT_EQ(parse("-k K -m 16").config.memory, MIB(16));
	EXPECT_EQ(parse("-k K -m 17m").config.memory, MIB(17));
	EXPECT_EQ(parse("-k K -m 1g").config.memory, GIB(1));
	EXPECT_EQ(parse("-k K -m 1024G").config.memory, GIB(1024));
}

static void mistakes(void)
{
	static const char * const lines[] = {
		"", "-i I", "-k", "-k K -c 0", "-k K -c 256", "-k K -c -1",
		"-k K -c 1x", "-k K -c 99999999999999999999", "-k K -m 0",
		"-k K -m 15", "-k K -m -1", "-k K -m 1T", "-k K -m 1025G",
		"-k K -m 18446744073709551617", "-k K -m 17592186044417G",
		"-k K -m G", "-k K -m 1GG", "-k K --accel foo", "-k K --bogus",
		"-k K -z", "-k K extra", "-k K -- extra", "-k K --cpus",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		struct parsed p = parse(lines[i]);

		if (!EXPECT_EQ(p.ret, -1) || !EXPECT_EQ(p.err.status, 125) ||
		    !EXPECT(p.err.text[0]) || !EXPECT(p.err.hint[0]))
			test_note("with '%s'", lines[i]);
	}
}

static void errors_name_the_word(void)
{
	EXPECT(strstr(parse("-k K --bogus").err.text, "--bogus"));
	EXPECT(strstr(parse("-k K -c five").err.text, "'five'"));
	EXPECT(strstr(parse("-k K -m lots").err.text, "'lots'"));
	EXPECT(strstr(parse("-k K stray").err.text, "'stray'"));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(defaults), TEST(every_option), TEST(long_names),
		TEST(help_and_version_need_no_kernel), TEST(memory_sizes),
		TEST(mistakes), TEST(errors_name_the_word),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}

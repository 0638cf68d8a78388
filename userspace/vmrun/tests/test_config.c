// SPDX-License-Identifier: GPL-2.0
/*
 * The command line: what each option sets, and that every mistake gives one
 * error with status 125 and a hint, and prints nothing.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../config.h"
#include "../memory.h"
#include "../sandbox/sandbox.h"
#include "ktap.h"

#define MAX_ARGS 24

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
	config_destroy(&p.config);
	return p;
}

/* The same with a config file of that text; FILE in @line stands for its path. */
static struct parsed parse_file(const char *text, const char *line)
{
	char path[] = "/tmp/test_config.XXXXXX", full[512];
	int fd = mkstemp(path);
	struct parsed p = { .ret = -2 };

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		test_note("cannot write %s", path);
	snprintf(full, sizeof(full), "--config %s %s", path, line);
	p = parse(full);
	close(fd);
	unlink(path);
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
	EXPECT_EQ(p.config.action, COMMAND_RUN);
	EXPECT_EQ(p.config.timeout, 0);
	EXPECT(!config_given(&p.config, OPTION_ID_vcpus));
	EXPECT(config_given(&p.config, OPTION_ID_kernel));
}

static void every_option(void)
{
	struct parsed p = parse("-k K -i I -a quiet -c 3 -m 2G --accel /dev/other -n user -p 80:80 -p 1:2");

	ASSERT_EQ(p.ret, 0);
	EXPECT(!strcmp(p.config.kernel, "K"));
	EXPECT(!strcmp(p.config.initramfs, "I"));
	EXPECT(!strcmp(p.config.args, "quiet"));
	EXPECT(!strcmp(p.config.accel, "/dev/other"));
	EXPECT(!strcmp(p.config.net, "user"));
	EXPECT_EQ(p.config.publish.nr, 2);
	EXPECT(!strcmp(p.config.publish.item[1], "1:2"));
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
	EXPECT(parse("--help").config.help);
	EXPECT_EQ(parse("--help").ret, 0);
	EXPECT(parse("--version").config.version);
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
		"-i I", "-k", "-k K -c 0", "-k K -c 256", "-k K -c -1",
		"-k K -c 1x", "-k K -c 99999999999999999999", "-k K -m 0",
		"-k K -m 15", "-k K -m -1", "-k K -m 1T", "-k K -m 1025G",
		"-k K -m 18446744073709551617", "-k K -m 17592186044417G",
		"-k K -m G", "-k K -m 1GG", "-k K --accel foo", "-k K --bogus",
		"-k K -n lan", "-k K -p 80", "-k K -p 80:80 -p 1:x",
		"-k K -z", "one two", "-k K -i I extra", "-k K -i I -- extra", "-k K --cpus", "-i I",
		"-k K -i I -w /x", "-k K -i I -e X", "-e =x", "abi -- x", "abi x",
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
	EXPECT(strstr(parse("folder stray").err.text, "'stray'"));
}

static void near_words(void)
{
	static const struct { const char *line, *hint; } slips[] = {
		{ "stpo one", "'vmrun stop'" }, { "strat", "'vmrun stat'" }, { "pss", "'vmrun ps'" },
		{ "doctr", "'vmrun doctor'" }, { "--memroy 1G", "--memory" }, { "--detatch", "--detach" },
		{ "--netw=user", "--net" },
	};
	unsigned int i;

	for (i = 0; i < COUNT(slips); i++) {
		struct vm_error err = parse(slips[i].line).err;

		EXPECT(strstr(err.hint, slips[i].hint));
		if (!strstr(err.hint, slips[i].hint))
			test_note("'%s' says: %s", slips[i].line, err.hint);
	}
	/* What is like nothing is taken for nothing, and so is a path. */
	EXPECT(!strstr(parse("--frobnicate").err.hint, "did you mean"));
	EXPECT_EQ(parse("./stpo").ret, 0);
	EXPECT_EQ(parse("disk.img").ret, 0);
}

/* Nothing need be said: this system, a shell. */
static void a_system_of_vmruns_own(void)
{
	struct parsed p = parse("");

	EXPECT_EQ(p.ret, 0);
	EXPECT(!p.config.kernel && !p.config.initramfs && !p.config.nr_operands &&
	       !p.config.command);
	p = parse("folder -c 2");
	EXPECT_EQ(p.ret, 0);
	ASSERT_EQ(p.config.nr_operands, 1);
	EXPECT(!strcmp(p.config.operand[0], "folder"));
}

static void a_program(void)
{
	static char copy[] = "folder\0-w\0/src\0-e\0A\0--env=B=c=d\0--\0make\0-k\0--help\0--\0abi";
	char *argv[MAX_ARGS + 1] = { "vmrun" }, *word = copy;
	struct vm_error err = { 0 };
	struct vm_config config;
	int argc = 1;

	for (; word < copy + sizeof(copy); word += strlen(word) + 1)
		argv[argc++] = word;
	ASSERT_EQ(config_parse(&config, argc, argv, &err), 0);
	EXPECT_EQ(config.action, COMMAND_RUN);
	EXPECT(!config.kernel && !config.help);
	EXPECT(!strcmp(config.operand[0], "folder") && !strcmp(config.workdir, "/src"));
	ASSERT_EQ(config.env.nr, 2);
	EXPECT(!strcmp(config.env.item[0], "A") && !strcmp(config.env.item[1], "B=c=d"));
	ASSERT(config.command);
	EXPECT(!strcmp(config.command[0], "make") && !strcmp(config.command[1], "-k"));
	EXPECT(!strcmp(config.command[3], "--") && !strcmp(config.command[4], "abi"));
	EXPECT(!config.command[5]);
	config_destroy(&config);
}

static void commands(void)
{
	EXPECT_EQ(parse("abi --json").config.action, COMMAND_ABI);
	EXPECT_EQ(parse("--json abi").ret, 0);
	EXPECT_EQ(parse("run -k K").config.action, COMMAND_RUN);
	EXPECT_EQ(parse("run -k K").ret, 0);
	/* An option of another command's is one error, which names both. */
	EXPECT(strstr(parse("abi -m 512").err.text, "--memory"));
	EXPECT(strstr(parse("abi -m 512").err.text, "abi"));
}

static void file_says_what_flags_say(void)
{
	struct parsed p = parse_file("{\"kernel\": \"K\", \"cpus\": 3, \"memory\": \"2G\", \"json\": true,"
				     " \"timeout\": 9}", "-i I -c 4");

	ASSERT_EQ(p.ret, 0);
	EXPECT(p.config.kernel && config_given(&p.config, OPTION_ID_kernel));
	EXPECT_EQ(p.config.memory, GIB(2));
	EXPECT_EQ(p.config.timeout, 9);
	EXPECT(p.config.json);
	EXPECT(!strcmp(p.config.initramfs, "I"));
	/* What stands on the command line counts more. */
	EXPECT_EQ(p.config.vcpus, 4);
	EXPECT_EQ(parse_file("{\"kernel\": \"K\", \"memory\": 64}", "").config.memory, MIB(64));
	EXPECT(!parse_file("{\"kernel\": \"K\", \"json\": false}", "").config.json);
}

static void file_mistakes(void)
{
	static const char *const texts[] = {
		"", "{", "[]", "7", "{\"kernel\": 7}", "{\"cpus\": \"2\"}", "{\"cpus\": 0}",
		"{\"cpus\": 2.5}", "{\"cpus\": -1}", "{\"cpus\": 18446744073709551617}",
		"{\"memory\": true}", "{\"memory\": 1}", "{\"json\": 1}", "{\"accel\": \"foo\"}",
		"{\"bogus\": 1}", "{\"config\": \"x\"}", "{\"help\": true}", "{\"kernel\": null}",
		"{\"cpus\": 1, \"cpus\": 2}", "{\"kernel\": \"K\\u0000\"}", "{} {}",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		struct parsed p = parse_file(texts[i], "-k K");

		if (!EXPECT_EQ(p.ret, -1) || !EXPECT_EQ(p.err.status, 125) ||
		    !EXPECT(p.err.text[0]) || !EXPECT(p.err.hint[0]))
			test_note("with '%s'", texts[i]);
	}
	EXPECT(strstr(parse_file("{\"bogus\": 1}", "-k K").err.text, "'bogus'"));
	EXPECT(strstr(parse_file("{\n\"cpus\": 1,\n}", "-k K").err.text, "line 3"));
	EXPECT_EQ(parse("-k K --config /nowhere/at/all").ret, -1);
	EXPECT_EQ(parse("-k K --config /").ret, -1);
	EXPECT_EQ(parse("-k K --config /dev/zero").ret, -1);
}

/* A list of the file goes on with the command line's; what has one value is the latter's. */
static void file_and_command_line_add_up(void)
{
	char path[] = "/tmp/test_config.XXXXXX";
	static const char text[] = "{\"volume\": [\"/a:/a\", \"/b:/b\"], \"env\": [\"A=1\"],"
				   " \"disk\": [\"one\"], \"cpus\": 2}";
	struct vm_config config;
	struct vm_error err = { 0 };
	char *argv[] = {
		"vmrun", "-k", "K", "-v", "/c:/c", "--config", path, "-d", "two", "-e", "A=2", "-c", "3", NULL,
	};
	int fd = mkstemp(path);

	ASSERT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	ASSERT_EQ(config_parse(&config, ARRAY_SIZE(argv) - 1, argv, &err), 0);
	unlink(path);
	ASSERT_EQ(config.volume.nr, 3);
	EXPECT(!strcmp(config.volume.item[0], "/a:/a") && !strcmp(config.volume.item[2], "/c:/c"));
	ASSERT_EQ(config.disk.nr, 2);
	EXPECT(!strcmp(config.disk.item[0], "one") && !strcmp(config.disk.item[1], "two"));
	/* The later of two of one name is the one that counts (environment.c). */
	ASSERT_EQ(config.env.nr, 2);
	EXPECT(!strcmp(config.env.item[1], "A=2"));
	EXPECT_EQ(config.vcpus, 3);
	config_destroy(&config);
}

/* Puts @text where standard input is while @line is read. */
static struct parsed parse_input(const char *text, const char *line)
{
	int saved = dup(STDIN_FILENO), ends[2];
	struct parsed p;

	ASSERT(!pipe(ends) && write(ends[1], text, strlen(text)) == (ssize_t)strlen(text));
	close(ends[1]);
	ASSERT_EQ(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	p = parse(line);
	dup2(saved, STDIN_FILENO);
	close(saved);
	return p;
}

static void file_on_standard_input(void)
{
	struct parsed p = parse_input("{\"cpus\": 5, \"memory\": \"3G\"}", "-k K --config - -m 64");

	ASSERT_EQ(p.ret, 0);
	EXPECT_EQ(p.config.vcpus, 5);
	EXPECT_EQ(p.config.memory, MIB(64));
	p = parse_input("{\"cpus\": 0}", "--config -");
	EXPECT_EQ(p.ret, -1);
	p = parse_input("{\"cpu\": 1}", "--config -");
	EXPECT(strstr(p.err.text, "on standard input"));
	EXPECT_EQ(parse_input("", "-k K --config -").ret, -1);
}

/* What was meant is in the hint, and what nothing is like gets none. */
static void file_keys_that_are_nearly_right(void)
{
	static const struct {
		const char *key, *nearest;
	} rows[] = {
		{ "cpu", "'cpus'" }, { "CPUS", NULL }, { "vcpus", "'cpus'" }, { "mem", NULL },
		{ "volumes", "'volume'" }, { "memroy", "'memory'" }, { "accel_fd", "'accel-fd'" },
		{ "publich", "'publish'" }, { "x", NULL }, { "", NULL },
		{ "a key that is longer than any option's name is", NULL },
	};
	char text[128];
	unsigned int i;

	for (i = 0; i < COUNT(rows); i++) {
		struct parsed p;

		snprintf(text, sizeof(text), "{\"%s\": 1}", rows[i].key);
		p = parse_file(text, "-k K");
		EXPECT_EQ(p.ret, -1);
		EXPECT(strstr(p.err.text, rows[i].key));
		if (!EXPECT(rows[i].nearest ? !!strstr(p.err.hint, rows[i].nearest) :
			    !strstr(p.err.hint, "mean")))
			test_note("%s: %s", text, p.err.hint);
	}
	EXPECT(strstr(parse_file("{\"dry-run\": true}", "-k K").err.text, "command line alone"));
	EXPECT(strstr(parse_file("{\"json\": 1}", "-k K").err.text, "'json' must be true or false"));
	EXPECT(strstr(parse_file("{\"cpus\": 1, \"cpus\": 2}", "-k K").err.text, "cpus"));
}

static void file_numbers_that_are_none(void)
{
	static const char *const rows[] = {
		"{\"cpus\": 4294967297}", "{\"cpus\": 1e3}", "{\"cpus\": -1}", "{\"cpus\": 9223372036854775807}",
		"{\"cpus\": 99999999999999999999999}", "{\"cpus\": \"2\"}", "{\"cpus\": 1.0}", "{\"cpus\": [1]}",
		"{\"memory\": 9223372036854775807}", "{\"memory\": 17592186044416}", "{\"memory\": -1}",
		"{\"memory\": 1048577}", "{\"memory\": \"18446744073709551615G\"}", "{\"memory\": 512.5}",
		"{\"timeout\": 4294967296}", "{\"accel-fd\": 65536}", "{\"memory\": null}",
	};
	unsigned int i;

	for (i = 0; i < COUNT(rows); i++) {
		struct parsed p = parse_file(rows[i], "-k K");

		if (!EXPECT(p.ret == -1 && p.err.status == VM_STATUS_FAILURE && p.err.text[0]))
			test_note("%s", rows[i]);
	}
}

/* What --dry-run prints is a config file that makes the same machine. */
static void printed_and_read_again(void)
{
	struct parsed p = parse("-k K -i I -c 3 -m 2G -A kvm --timeout 5");
	struct vm_config again = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	ASSERT_EQ(p.ret, 0);
	EXPECT_EQ(config_print_json(&p.config, to), 0);
	fclose(to);
	ASSERT_EQ(config_read_text(&again, text, len, "-", &p.err), 0);
	EXPECT(!strcmp(again.kernel, "K") && !strcmp(again.initramfs, "I"));
	EXPECT(!strcmp(again.accel, "kvm") && !strcmp(again.args, CONFIG_DEFAULT_ARGS));
	EXPECT_EQ(again.vcpus, 3);
	EXPECT_EQ(again.memory, GIB(2));
	EXPECT_EQ(again.timeout, 5);
	config_destroy(&again);
	free(text);
}

/* ---- the table itself ---- */

static void rows_are_whole(void)
{
	int i, j;

	for (i = 0; i < NR_OPTIONS; i++) {
		const struct option_row *row = &option_table[i];

		if (!EXPECT(row->text && strlen(row->text) > 10) ||
		    !EXPECT((row->kind == OPTION_FLAG) == !row->value) ||
		    !EXPECT(row->commands && !(row->commands >> NR_COMMANDS)) ||
		    !EXPECT((row->kind != OPTION_NUMBER && row->kind != OPTION_SIZE) ||
			    row->low < row->high) ||
		    !EXPECT(options_find(row->name) == row))
			test_note("--%s", row->name);
		for (j = 0; j < i; j++)
			if (!EXPECT(!row->letter || row->letter != option_table[j].letter))
				test_note("-%c is --%s and --%s", row->letter, row->name,
					  option_table[j].name);
	}
	for (i = 0; i < NR_COMMANDS; i++)
		EXPECT(options_find_command(command_table[i].name) == &command_table[i]);
}

/* Each option is told by --help, and is taken by the command line and by a config file alike. */
static void every_row_is_taken(void)
{
	struct vm_error err = { 0 };
	char *help = NULL, text[256], flag[80];
	size_t len = 0;
	FILE *to = open_memstream(&help, &len);
	int i;

	config_print_help(to);
	fclose(to);
	for (i = 0; i < NR_OPTIONS; i++) {
		const struct option_row *row = &option_table[i];
		struct vm_config config = { 0 };
		static const char *const values[] = {
			[OPTION_FLAG] = "true", [OPTION_TEXT] = "\"a\"", [OPTION_FILE] = "\"a\"",
			[OPTION_NUMBER] = "7", [OPTION_SIZE] = "512", [OPTION_LIST] = "[]",
		};
		bool in_file;

		snprintf(flag, sizeof(flag), "--%s", row->name);
		if (!EXPECT(strstr(help, flag)))
			test_note("%s", flag);
		snprintf(text, sizeof(text), "{\"%s\": %s}", row->name,
			 row->check == config_check_accel ? "\"auto\"" :
			 row->check == net_check_kind ? "\"none\"" :
			 row->check == memory_check_backing ? "\"memfd\"" :
			 row->check == sandbox_check_mode ? "\"off\"" : values[row->kind]);
		memset(&err, 0, sizeof(err));
		in_file = !config_read_text(&config, text, strlen(text), "-", &err);
		if (!EXPECT_EQ(in_file, option_in_file(row)))
			test_note("%s: %s", text, err.text);
		config_destroy(&config);
	}
	for (i = 0; i < NR_COMMANDS; i++)
		EXPECT(strstr(help, command_table[i].name));
	free(help);
}

static void channels(void)
{
	static const char *const bad[] = {
		"", "a", "a=", "=b", "a=:file", "a b=/c", "../a=/c", "-a=/c", ".=/c", "8080:80",
		"0123456789012345678901234567890123456789012345678901234567890123=/c",
	};
	struct parsed p = parse("-k K --channel log=/tmp/a:file --channel=org.b-_1=c=d");
	struct config_channel c;
	unsigned int i;

	ASSERT_EQ(p.ret, 0);
	ASSERT_EQ(p.config.channel.nr, 2);
	ASSERT_EQ(config_parse_channel(p.config.channel.item[0], &c, &p.err), 0);
	EXPECT(!strcmp(c.name, "log") && !strcmp(c.path, "/tmp/a") && c.to_file);
	ASSERT_EQ(config_parse_channel(p.config.channel.item[1], &c, &p.err), 0);
	EXPECT(!strcmp(c.name, "org.b-_1") && !strcmp(c.path, "c=d") && !c.to_file);
	for (i = 0; i < COUNT(bad); i++) {
		p.err = (struct vm_error){ 0 };
		EXPECT_EQ(config_parse_channel(bad[i], &c, &p.err), -1);
		EXPECT(p.err.hint[0]);
	}
}

static void volumes(void)
{
	struct parsed p = parse("-k K -v /a:/b -v c:/d:ro --volume=/e:/f:rw");
	struct config_volume v;

	ASSERT_EQ(p.ret, 0);
	ASSERT_EQ(p.config.volume.nr, 3);
	ASSERT_EQ(config_parse_volume("/a:/b", &v, &p.err), 0);
	EXPECT(!strcmp(v.host, "/a") && !strcmp(v.guest, "/b") && !v.read_only);
	ASSERT_EQ(config_parse_volume("c:/d:ro", &v, &p.err), 0);
	EXPECT(!strcmp(v.host, "c") && !strcmp(v.guest, "/d") && v.read_only);
	ASSERT_EQ(config_parse_volume("/e:/f:rw", &v, &p.err), 0);
	EXPECT(!strcmp(v.guest, "/f") && !v.read_only);
	EXPECT_EQ(parse("-k K -v /a").ret, -1);
	EXPECT_EQ(parse("-k K -v :/b").ret, -1);
	EXPECT_EQ(parse("-k K -v /a:").ret, -1);
	EXPECT_EQ(parse("-k K -v /a:b").ret, -1);
	EXPECT_EQ(parse("-k K -v /a:/b:").ret, -1);
	EXPECT_EQ(parse("-k K -v /a:/b:rx").ret, -1);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(defaults), TEST(every_option), TEST(long_names),
		TEST(help_and_version_need_no_kernel), TEST(memory_sizes),
		TEST(mistakes), TEST(errors_name_the_word), TEST(near_words), TEST(commands),
		TEST(a_system_of_vmruns_own), TEST(a_program),
		TEST(file_says_what_flags_say), TEST(file_mistakes), TEST(file_and_command_line_add_up),
		TEST(file_on_standard_input), TEST(file_keys_that_are_nearly_right),
		TEST(file_numbers_that_are_none),
		TEST(printed_and_read_again), TEST(rows_are_whole), TEST(every_row_is_taken),
		TEST(volumes), TEST(channels),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}

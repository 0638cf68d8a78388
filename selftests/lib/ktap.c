// SPDX-License-Identifier: GPL-2.0
/*
 * KTAP output: runs a table of tests, each in a child, and tells how each ended. Nothing here knows what is tested.
 * Called by every test program's main().
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktap.h"

enum { PASSED = 0, FAILED = 1, SKIPPED = 4 };
enum { REASON = 512 };

const char *test_dev = "/dev/kvirt";

static int status;		/* of the running test */
static char *skip_reason;	/* shared with the child */
static bool in_child;
static int program_argc;
static char **program_argv;

const char *test_errno_name(int error)
{
	const char *name = error ? strerrorname_np(error) : "no error";

	return name ? name : "an unknown errno";
}

void test_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
}

void test_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# %s:%d: ", file, line);
	vprintf(format, args);
	printf("\n");
	va_end(args);
	status = FAILED;
}

void test_end(void)
{
	fflush(stdout);
	/* Without a child there is nowhere to go back to: --no-fork ends here, which is what a debugger wants. */
	if (!in_child)
		fprintf(stderr, "ended by a failed ASSERT\n");
	_exit(status);
}

void test_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(skip_reason, REASON, format, args);
	va_end(args);
	/* A check that failed before is worth more than the wish to skip. */
	if (status == PASSED)
		status = SKIPPED;
	test_end();
}

const char *test_option(const char *name)
{
	for (int i = 1; i + 1 < program_argc; i++)
		if (!strcmp(program_argv[i], name))
			return program_argv[i + 1];
	return NULL;
}

static int run(const struct test *test, bool fork_it)
{
	int wstatus;
	pid_t pid;

	status = PASSED;
	if (!fork_it) {
		test->run();
		return status;
	}
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		test_fail(__FILE__, __LINE__, "fork: %s", test_errno_name(errno));
		return status;
	}
	if (!pid) {
		in_child = true;
		test->run();
		test_end();
	}
	while (waitpid(pid, &wstatus, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(wstatus)) {
		test_note("killed by signal %d (%s)", WTERMSIG(wstatus), strsignal(WTERMSIG(wstatus)));
		return FAILED;
	}
	return WEXITSTATUS(wstatus);
}

static bool wanted(const char *name, char **names, int count)
{
	if (!count)
		return true;
	for (int i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

int test_main(int argc, char **argv, const struct test *tests, size_t count)
{
	bool fork_it = true, list = false;
	char *names[argc];
	int passed = 0, failed = 0, skipped = 0, named = 0;

	skip_reason = mmap(NULL, REASON, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (skip_reason == MAP_FAILED)
		return FAILED;
	program_argc = argc;
	program_argv = argv;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--dev") && i + 1 < argc)
			test_dev = argv[++i];
		else if (!strcmp(argv[i], "--no-fork"))
			fork_it = false;
		else if (!strcmp(argv[i], "--list"))
			list = true;
		else if (!strncmp(argv[i], "--", 2) && i + 1 < argc)
			i++;
		else
			names[named++] = argv[i];
	}
	for (size_t i = 0; list && i < count; i++)
		printf("%s\n", tests[i].name);
	if (list)
		return 0;

	size_t chosen = 0;

	for (size_t i = 0; i < count; i++)
		chosen += wanted(tests[i].name, names, named);
	if (!chosen) {
		fprintf(stderr, "%s: no such test\n", argv[0]);
		return 2;
	}
	printf("KTAP version 1\n1..%zu\n", chosen);
	for (size_t i = 0, n = 1; i < count; i++) {
		if (!wanted(tests[i].name, names, named))
			continue;
		switch (run(&tests[i], fork_it)) {
		case PASSED:
			printf("ok %zu %s\n", n, tests[i].name);
			passed++;
			break;
		case SKIPPED:
			printf("ok %zu %s # SKIP %s\n", n, tests[i].name, skip_reason);
			skipped++;
			break;
		default:
			printf("not ok %zu %s\n", n, tests[i].name);
			failed++;
		}
		n++;
	}
	printf("# Totals: pass:%d fail:%d xfail:0 xpass:0 skip:%d error:0\n", passed, failed, skipped);
	return failed ? 1 : 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Makes a KTAP program of a libFuzzer target: five seconds by default, or what the arguments say (they are libFuzzer's:
 * a file to try again, -max_total_time=N, a corpus). A target is fuzz/NAME.c; it aborts when it finds something, and
 * libFuzzer leaves the input that did it in the current directory.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one)(const uint8_t *data, size_t size));

static unsigned long inputs;

static int one(const uint8_t *data, size_t size)
{
	inputs++;
	fuzz_input(data, size);
	return 0;
}

/* A crash does not come here: the plan stays unfulfilled, and the exit status says the rest. */
static void finish(int status, void *unused)
{
	printf("# %lu inputs tried\n%s 1 fuzz\n", inputs, status ? "not ok" : "ok");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static char *standard[] = { NULL, "-max_total_time=5", "-seed=1", "-max_len=2048", "-verbosity=0", NULL };
	int count = argc > 1 ? argc : 5;
	char **arguments = argc > 1 ? argv : standard;

	standard[0] = argv[0];
	printf("KTAP version 1\n1..1\n");
	fflush(stdout);
	on_exit(finish, NULL);
	return LLVMFuzzerRunDriver(&count, &arguments, one);
}

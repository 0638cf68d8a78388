// SPDX-License-Identifier: GPL-2.0
/*
 * How long a program takes until it says something, and how much memory it has then.
 *
 *     stopwatch --until TEXT [--guest MIB] [--lines] -- PROGRAM [ARGUMENT]...
 *
 * Starts PROGRAM with its standard output (and error) on a pipe and waits for TEXT there. Then it prints
 *
 *     stopwatch: ticks=N busy=N ms=N [rss=KIB guest=KIB own=KIB]
 *
 * ticks are the TSC's from before fork() to the byte behind TEXT, which are instructions in the hosts that count them; busy is
 * the part of them in which this machine's CPUs were not idle, known to a hundredth of a second. With --guest, own is the resident memory of the process
 * less that of mappings of half of MIB MiB or more, which are its guest's RAM. --lines prints what comes, each line with its ticks so
 * far. PROGRAM and what it started are killed then. Ends with 1 when PROGRAM ended without having said it.
 *
 * Called by selftests/start/table and selftests/guest/footprint.sh.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

struct moment {
	uint64_t ticks, milliseconds;
	uint64_t idle;		/* milliseconds, of all CPUs together */
};

struct memory {
	unsigned long rss, guest;	/* KiB */
};

static void give_up(const char *what)
{
	fprintf(stderr, "stopwatch: %s: %s\n", what, strerror(errno));
	exit(2);
}

static struct moment now(void)
{
	struct moment moment;
	unsigned long seconds, hundredths;
	struct timespec ts;
	FILE *file = fopen("/proc/uptime", "re");

	if (!file || fscanf(file, "%*s %lu.%lu", &seconds, &hundredths) != 2)
		give_up("/proc/uptime");
	fclose(file);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	moment.milliseconds = ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	moment.idle = seconds * 1000 + hundredths * 10;
	moment.ticks = __rdtsc();
	return moment;
}

/* The resident memory of @pid; the guest's is in mappings of @large KiB or more. */
static struct memory memory_of(pid_t pid, unsigned long large)
{
	struct memory memory = { 0 };
	unsigned long size = 0, rss;
	char path[64], line[4096];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "re");
	if (!file)
		give_up(path);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Size: %lu", &size) == 1 || sscanf(line, "Rss: %lu", &rss) != 1)
			continue;
		memory.rss += rss;
		if (size >= large)
			memory.guest += rss;
	}
	fclose(file);
	return memory;
}

/* The program in a session of its own, its output at the returned descriptor. */
static int start(char **argv, pid_t *pid)
{
	int ends[2];

	if (pipe(ends))
		give_up("pipe");
	*pid = fork();
	if (*pid < 0)
		give_up("fork");
	if (!*pid) {
		setsid();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execvp(argv[0], argv);
		give_up(argv[0]);
	}
	close(ends[1]);
	return ends[0];
}

/* Reads until @text has come; false when the end came first. */
static bool wait_for(int fd, const char *text, const struct moment *begin, bool lines)
{
	static char said[1 << 20];
	size_t len = 0, line = 0;

	while (len < sizeof(said) - 1 && read(fd, said + len, 1) == 1) {
		said[++len] = 0;
		if (said[len - 1] == '\n') {
			if (lines)
				printf("%12llu %s", (unsigned long long)(__rdtsc() - begin->ticks), said + line);
			line = len;
		}
		if (len >= strlen(text) && !strcmp(said + len - strlen(text), text))
			return true;
	}
	fprintf(stderr, "%s\nstopwatch: it ended without having said: %s\n", said, text);
	return false;
}

int main(int argc, char **argv)
{
	unsigned long guest = 0;
	const char *text = NULL;
	struct moment begin, end;
	unsigned long long ticks, wall, idle;
	struct memory memory;
	bool lines = false;
	pid_t pid;
	int i, fd;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--lines"))
			lines = true;
		else if (!strcmp(argv[i], "--until") && i + 1 < argc)
			text = argv[++i];
		else if (!strcmp(argv[i], "--guest") && i + 1 < argc)
			guest = strtoul(argv[++i], NULL, 10);
		else
			i = argc;
	}
	if (i + 1 >= argc || !text)
		return 2;
	begin = now();
	fd = start(argv + i + 1, &pid);
	if (!wait_for(fd, text, &begin, lines)) {
		kill(-pid, SIGKILL);
		return 1;
	}
	end = now();
	ticks = end.ticks - begin.ticks;
	wall = end.milliseconds - begin.milliseconds;
	idle = (end.idle - begin.idle) / sysconf(_SC_NPROCESSORS_ONLN);
	printf("stopwatch: ticks=%llu busy=%llu ms=%llu", ticks, ticks - (idle < wall ? ticks / wall * idle : ticks), wall);
	if (guest) {
		memory = memory_of(pid, guest * 512);
		printf(" rss=%lu guest=%lu own=%lu", memory.rss, memory.guest, memory.rss - memory.guest);
	}
	printf("\n");
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * disk_speed DISK [ROUNDS]: runs in a guest and says what requests to its disk take, past the page cache:
 *
 *     bench: NAME TICKS=N NS=N ROUND=N       of the TSC, and by the clock, for each request of that round
 *
 * DISK is overwritten. Called by bench/disk, by way of vmms/disk_speed.sh; the same program under each VMM.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_DEPTH	32

struct job {
	const char *name;
	int opcode;
	uint32_t size;
	unsigned int depth;
	unsigned int count;
	int random;
};

static const struct job jobs[] = {
	{ "seq_read_128k", IOCB_CMD_PREAD, 128 << 10, 1, 128, 0 },
	{ "seq_write_128k", IOCB_CMD_PWRITE, 128 << 10, 1, 128, 0 },
	{ "rand_read_4k_qd1", IOCB_CMD_PREAD, 4096, 1, 512, 1 },
	{ "rand_read_4k_qd32", IOCB_CMD_PREAD, 4096, 32, 2048, 1 },
	{ "rand_write_4k_qd32", IOCB_CMD_PWRITE, 4096, 32, 2048, 1 },
};

struct bench {
	int fd;
	uint64_t disk;
	aio_context_t aio;
	char *buffer;
	uint64_t seed;
	struct iocb iocb[MAX_DEPTH];
};

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static uint64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void submit(struct bench *b, const struct job *job, unsigned int slot, unsigned int n)
{
	struct iocb *iocb = &b->iocb[slot];
	uint64_t place = n;

	if (job->random) {
		b->seed = b->seed * 6364136223846793005ull + 1442695040888963407ull;
		place = b->seed >> 33;
	}
	memset(iocb, 0, sizeof(*iocb));
	iocb->aio_fildes = b->fd;
	iocb->aio_lio_opcode = job->opcode;
	iocb->aio_buf = (uintptr_t)(b->buffer + slot * job->size);
	iocb->aio_nbytes = job->size;
	iocb->aio_offset = place % (b->disk / job->size) * job->size;
	iocb->aio_data = slot;
	if (syscall(SYS_io_submit, b->aio, 1, &iocb) != 1)
		fail("io_submit");
}

static void run(struct bench *b, const struct job *job)
{
	unsigned int sent = 0, done = 0;
	struct io_event event[MAX_DEPTH];

	while (sent < job->depth) {
		submit(b, job, sent, sent);
		sent++;
	}
	while (done < job->count) {
		int i, n = syscall(SYS_io_getevents, b->aio, 1, MAX_DEPTH, event, NULL);

		if (n < 1)
			fail("io_getevents");
		for (i = 0; i < n; i++, done++) {
			if (event[i].res != (int64_t)job->size)
				fail("a request");
			if (sent < job->count)
				submit(b, job, event[i].data, sent++);
		}
	}
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 2 ? atoi(argv[2]) : 3, round, i;
	struct bench b = { .seed = 1 };

	setlinebuf(stdout);
	b.fd = argc > 1 ? open(argv[1], O_RDWR | O_DIRECT) : -1;
	if (b.fd < 0 || ioctl(b.fd, BLKGETSIZE64, &b.disk) || syscall(SYS_io_setup, MAX_DEPTH, &b.aio))
		fail("disk_speed DISK [ROUNDS]");
	if (posix_memalign((void **)&b.buffer, 4096, 1 << 20))
		fail("memory");
	memset(b.buffer, 0x5a, 1 << 20);
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
			uint64_t t = ticks(), ns = nanoseconds();

			run(&b, &jobs[i]);
			t = ticks() - t;
			ns = nanoseconds() - ns;
			printf("bench: %s TICKS=%llu NS=%llu ROUND=%u\n", jobs[i].name,
			       (unsigned long long)t / jobs[i].count,
			       (unsigned long long)ns / jobs[i].count, round);
		}
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0 */
/* The far ends of irqfds and ioeventfds. */
#ifndef SELFTESTS_LIB_EVENTFD_H
#define SELFTESTS_LIB_EVENTFD_H

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ktap.h"

/* @count: how often it is signalled already. */
static inline int eventfd_new(unsigned int count)
{
	return ASSERT_OK(eventfd(count, EFD_NONBLOCK | EFD_CLOEXEC));
}

static inline void eventfd_signal(int fd)
{
	uint64_t one = 1;

	ASSERT_EQ(write(fd, &one, sizeof(one)), sizeof(one));
}

/* How often it was signalled since the last time. */
static inline uint64_t eventfd_taken(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

#endif

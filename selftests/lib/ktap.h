/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KTAP output and checks, for every test program.
 *
 * A program is a table of tests and a main() that calls test_main(). Each test runs in a child process of its own, so
 * that one that dies, or leaves a VM behind, harms no other. A failed EXPECT marks the test and goes on; a failed
 * ASSERT ends it. What knows of devices and guests is in vm.h.
 */
#ifndef SELFTESTS_LIB_KTAP_H
#define SELFTESTS_LIB_KTAP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

struct test {
	const char *name;
	void (*run)(void);
};

#define TEST(fn)	{ #fn, fn }
#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/* The device under test: --dev PATH, /dev/kvirt by default. */
extern const char *test_dev;

/*
 * Run the tests and print KTAP. Options: --dev PATH, --list, --no-fork, and names of the tests to run (all by default).
 * Return the exit status: 0 if none failed. A program in which every test skipped is no failure here.
 */
int test_main(int argc, char **argv, const struct test *tests, size_t count);

/* The rest of argv after the options test_main() knows is for the program: "--name value". NULL if it is not there. */
const char *test_option(const char *name);

/* A line of diagnosis: "# ...". */
__attribute__((format(printf, 1, 2)))
void test_note(const char *format, ...);

/* Mark the running test as failed and say where and why. */
__attribute__((format(printf, 3, 4)))
void test_fail(const char *file, int line, const char *format, ...);

/* End the running test, passed, failed or skipped as it stands. */
__attribute__((noreturn))
void test_end(void);

/* End the running test as skipped; the reason must say what the machine lacks. */
__attribute__((noreturn, format(printf, 1, 2)))
void test_skip(const char *format, ...);

#define EXPECT(condition)							\
	({									\
		bool ok_ = (condition);						\
		if (!ok_)							\
			test_fail(__FILE__, __LINE__, "%s", #condition);	\
		ok_;								\
	})

#define EXPECT_EQ(got, want)							\
	({									\
		unsigned long long got_ = (unsigned long long)(got);		\
		unsigned long long want_ = (unsigned long long)(want);		\
		if (got_ != want_)						\
			test_fail(__FILE__, __LINE__, "%s is %#llx, not %#llx",	\
				  #got, got_, want_);				\
		got_ == want_;							\
	})

/* The call gives no error. Its value is the value of the whole. */
#define EXPECT_OK(call)								\
	({									\
		long r_ = (call);						\
		if (r_ < 0)							\
			test_fail(__FILE__, __LINE__, "%s: %s", #call,		\
				  test_errno_name(errno));			\
		r_;								\
	})

/* The call fails with -1 and this errno. */
#define EXPECT_ERRNO(call, want)						\
	({									\
		errno = 0;							\
		long r_ = (call);						\
		int e_ = errno;							\
		if (r_ != -1 || e_ != (want))					\
			test_fail(__FILE__, __LINE__, "%s gave %ld %s, not %s",	\
				  #call, r_, r_ == -1 ? test_errno_name(e_) : "",	\
				  test_errno_name(want));			\
		r_ == -1 && e_ == (want);					\
	})

#define ASSERT(condition)	do { if (!EXPECT(condition)) test_end(); } while (0)
#define ASSERT_EQ(got, want)	do { if (!EXPECT_EQ(got, want)) test_end(); } while (0)
#define ASSERT_OK(call)								\
	({									\
		long ok_ = EXPECT_OK(call);					\
		if (ok_ < 0)							\
			test_end();						\
		ok_;								\
	})

/* "EINVAL" and the like. */
const char *test_errno_name(int error);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * The sandbox: its tables, and its filters in the kernel. Each filter is loaded in a child
 * under a second one that refuses every call with an errno of its own. A forbidden call
 * still traps, since a trap counts more; an allowed one comes back with that errno and has
 * not been executed. So every number can be issued, exit_group() and all.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktap.h"

#include "../sandbox/landlock.h"
#include "../sandbox/sandbox.h"

#define NR_CALLS	600	/* more than there are, of any kernel so far */
#define X32		0x40000000
/*
 * Newer kernels let these two through any filter. They are for the kernel's own probes in
 * a program, and refuse whoever else calls them.
 */
#define URETPROBE	335
#define UPROBE		336
#define NOT_DONE	4000	/* the errno of the second filter */
#define PASS		0x1badb002	/* sixth argument: the second filter lets it through */
#define OTHER		0x5a5a5a5a5a5a5a5aull

enum outcome { ALLOWED = 1, TRAPPED, ODD };

#define MAX_WRONG	16

/* What a child found, in memory shared with it. */
struct results {
	unsigned int issued, allowed;
	unsigned int nr_wrong;
	struct wrong {
		long nr;
		bool int80;
		enum outcome got;
		u64 arg[6];
	} wrong[MAX_WRONG];
	bool done;
};

/* The compiler's own jumps: the C library's make system calls, and the sanitizer's do. */
static void *back[5];
static volatile int last_signal;

__attribute__((no_sanitize("address", "undefined"))) static void on_trap(int sig)
{
	last_signal = sig;
	__builtin_longjmp(back, 1);
}

static long raw_call(long nr, const u64 *arg)
{
	register u64 r10 __asm__("r10") = arg[3], r8 __asm__("r8") = arg[4];
	register u64 r9 __asm__("r9") = arg[5];
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(nr), "D"(arg[0]), "S"(arg[1]), "d"(arg[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static long int80_call(long nr)
{
	long ret;

	__asm__ volatile("push %%rbx; xor %%ebx, %%ebx; int $0x80; pop %%rbx" : "=a"(ret)
			 : "a"(nr), "c"(0l), "d"(0l), "S"(0l), "D"(0l)
			 : "r8", "r9", "r10", "r11", "memory");
	return ret;
}

__attribute__((noinline, no_sanitize("address", "undefined")))
static enum outcome issue(long nr, const u64 *arg)
{
	if (__builtin_setjmp(back))
		return last_signal == SIGSYS ? TRAPPED : ODD;
	return raw_call(nr, arg) == -NOT_DONE ? ALLOWED : ODD;
}

/* A kernel without 32-bit programs raises SIGSEGV: nothing can be called by that door. */
__attribute__((noinline, no_sanitize("address", "undefined")))
static enum outcome issue_int80(long nr)
{
	if (__builtin_setjmp(back))
		return TRAPPED;
	return int80_call(nr) == -NOT_DONE ? ALLOWED : ODD;
}

/* What the tables say. */
static bool is_allowed(const struct sandbox_policy *policy, pid_t pid, long nr, const u64 *arg)
{
	unsigned int s, i, c;

	for (s = 0; s < SANDBOX_MAX_SETS; s++) {
		for (i = 0; i < policy->set[s].nr; i++) {
			const struct sandbox_rule *rule = &policy->set[s].rule[i];
			bool met = rule->nr == nr;

			for (c = 0; c < SANDBOX_MAX_CHECKS; c++) {
				const struct sandbox_check *check = &rule->check[c];
				u64 value = check->value == SANDBOX_OWN_PID ? (u64)pid : check->value;

				met &= (arg[check->arg] & check->mask) == value;
			}
			if (met)
				return true;
		}
	}
	return false;
}

/* In the child, which can ask the kernel for nothing any more. */
static void try(const struct sandbox_policy *policy, struct results *results, pid_t pid, long nr,
		const u64 *arg)
{
	enum outcome wanted = is_allowed(policy, pid, nr, arg) ? ALLOWED : TRAPPED;
	enum outcome got = issue(nr, arg);

	results->issued++;
	results->allowed += wanted == ALLOWED;
	if (got == wanted)
		return;
	if (results->nr_wrong < MAX_WRONG) {
		results->wrong[results->nr_wrong] = (struct wrong){ .nr = nr, .got = got };
		memcpy(results->wrong[results->nr_wrong].arg, arg, 6 * sizeof(*arg));
	}
	results->nr_wrong++;
}

static void try_int80(struct results *results, long nr)
{
	enum outcome got = issue_int80(nr);

	results->issued++;
	if (got == TRAPPED)
		return;
	if (results->nr_wrong < MAX_WRONG)
		results->wrong[results->nr_wrong] = (struct wrong){ nr, true, got, { 0 } };
	results->nr_wrong++;
}

/* Arguments for @rule that meet all of its checks but @broken. */
static void arguments(const struct sandbox_rule *rule, pid_t pid, unsigned int broken, u64 *arg)
{
	unsigned int i;

	for (i = 0; i < 6; i++)
		arg[i] = OTHER;
	for (i = 0; i < SANDBOX_MAX_CHECKS; i++) {
		const struct sandbox_check *check = &rule->check[i];
		u64 value = check->value == SANDBOX_OWN_PID ? (u64)pid : check->value;

		if (!check->mask)
			continue;
		arg[check->arg] = (OTHER & ~check->mask) | value;
		if (i == broken)
			arg[check->arg] ^= BIT_ULL(63 - __builtin_clzll(check->mask));
	}
}

static void try_all(const struct sandbox_policy *policy, struct results *results, pid_t pid)
{
	static const u64 other[6] = { OTHER, OTHER, OTHER, OTHER, OTHER, OTHER };
	static const u64 none[6];
	unsigned int s, i, c;
	u64 arg[6];

	for (i = 0; i < NR_CALLS; i++) {
		if (i == URETPROBE || i == UPROBE)
			continue;
		try(policy, results, pid, i, other);
		try(policy, results, pid, i, none);
		try(policy, results, pid, X32 | i, other);
		try_int80(results, i);
	}
	for (s = 0; s < SANDBOX_MAX_SETS; s++) {
		for (i = 0; i < policy->set[s].nr; i++) {
			const struct sandbox_rule *rule = &policy->set[s].rule[i];

			for (c = 0; c <= SANDBOX_MAX_CHECKS; c++) {
				arguments(rule, pid, c, arg);
				try(policy, results, pid, rule->nr, arg);
			}
		}
	}
}

static void load(const struct sock_fprog *filter)
{
	const u64 arg[6] = { SECCOMP_SET_MODE_FILTER, 0, (uintptr_t)filter, 0, 0, PASS };

	if (raw_call(SYS_seccomp, arg))
		_exit(3);
}

/* Never returns: no call works any more but those with PASS. */
static void child_main(enum sandbox_thread thread, struct results *results)
{
	static struct sock_filter refuse[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PASS, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | NOT_DONE),
	};
	const struct sock_fprog second = { ARRAY_SIZE(refuse), refuse };
	const struct sock_fprog *first = sandbox_filter(thread);
	const struct sigaction trap = { .sa_handler = on_trap, .sa_flags = SA_NODEFER };
	const u64 end[6] = { 0, 0, 0, 0, 0, PASS };
	struct sock_filter own[512];
	pid_t pid = getpid();
	unsigned int i;

	memcpy(own, first->filter, first->len * sizeof(*own));
	for (i = 0; i < first->len; i++)
		if (own[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && own[i].k == SANDBOX_OWN_PID)
			own[i].k = pid;
	sigaction(SIGSYS, &trap, NULL);
	sigaction(SIGSEGV, &trap, NULL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	load(&second);
	load(&(struct sock_fprog){ first->len, own });
	try_all(&sandbox_policies[thread], results, pid);
	results->done = true;
	raw_call(SYS_exit_group, end);
	__builtin_trap();
}

static struct results *run_filter(enum sandbox_thread thread)
{
	struct results *results = mmap(NULL, sizeof(*results), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;
	int status;

	if (results == MAP_FAILED)
		return NULL;
	child = fork();
	if (!child)
		child_main(thread, results);
	waitpid(child, &status, 0);
	return results;
}

static void compare(enum sandbox_thread thread)
{
	const struct sandbox_policy *policy = &sandbox_policies[thread];
	struct results *results = run_filter(thread);
	unsigned int i;

	ASSERT(results && results->done);
	for (i = 0; i < results->nr_wrong && i < MAX_WRONG; i++) {
		const struct wrong *wrong = &results->wrong[i];

		printf("# %s: %s%#lx (%#llx, %#llx, %#llx, %#llx) is %s\n", policy->name,
		       wrong->int80 ? "int 0x80 " : "", wrong->nr, (unsigned long long)wrong->arg[0],
		       (unsigned long long)wrong->arg[1], (unsigned long long)wrong->arg[2],
		       (unsigned long long)wrong->arg[3],
		       wrong->got == ALLOWED ? "allowed" : wrong->got == TRAPPED ? "forbidden" : "odd");
	}
	EXPECT_EQ(results->nr_wrong, 0);
	EXPECT(results->issued > 4 * (NR_CALLS - 2) && results->allowed > 20);
	printf("# %s: %u calls issued, %u of them allowed\n", policy->name, results->issued,
	       results->allowed);
	munmap(results, sizeof(*results));
}

static void every_call_from_every_thread(void)
{
	unsigned int thread;

	for (thread = 0; thread < SANDBOX_THREADS; thread++)
		compare(thread);
}

/* ---- the tables ---- */

static void each_row_has_a_reason(void)
{
	unsigned int t, s, i;

	for (t = 0; t < SANDBOX_THREADS; t++) {
		const struct sandbox_policy *policy = &sandbox_policies[t];

		ASSERT(policy->name && policy->what && policy->set[0].nr);
		for (s = 0; s < SANDBOX_MAX_SETS; s++) {
			for (i = 0; i < policy->set[s].nr; i++) {
				const struct sandbox_rule *rule = &policy->set[s].rule[i];

				EXPECT(rule->call && rule->nr >= 0 && rule->nr < NR_CALLS);
				EXPECT(rule->reason && strlen(rule->reason) > 3);
				EXPECT(!rule->when == !rule->check[0].mask);
			}
		}
	}
}

/* With and without checks would be without: the checks would only seem to be there. */
static void no_row_undoes_the_checks_of_another(void)
{
	unsigned int t, s1, i1, s2, i2;

	for (t = 0; t < SANDBOX_THREADS; t++) {
		const struct sandbox_policy *policy = &sandbox_policies[t];

		for (s1 = 0; s1 < SANDBOX_MAX_SETS; s1++)
			for (i1 = 0; i1 < policy->set[s1].nr; i1++)
				for (s2 = 0; s2 < SANDBOX_MAX_SETS; s2++)
					for (i2 = 0; i2 < policy->set[s2].nr; i2++) {
						const struct sandbox_rule *a = &policy->set[s1].rule[i1];
						const struct sandbox_rule *b = &policy->set[s2].rule[i2];

						EXPECT(a == b || a->nr != b->nr ||
						       (a->when && b->when));
					}
	}
}

static bool anybody_may(int nr, int arg, u64 bits)
{
	u64 args[6] = { 0 };
	unsigned int t;

	args[arg] = bits;
	for (t = 0; t < SANDBOX_THREADS; t++)
		if (is_allowed(&sandbox_policies[t], getpid(), nr, args))
			return true;
	return false;
}

static void what_nobody_may(void)
{
	static const int never[] = {
		SYS_execve, SYS_execveat, SYS_fork, SYS_vfork, SYS_clone, SYS_clone3, SYS_ptrace,
		SYS_process_vm_readv, SYS_process_vm_writev, SYS_open, SYS_kill, SYS_tkill, SYS_setuid,
		SYS_mount, SYS_pivot_root, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_keyctl,
		SYS_init_module, SYS_rt_sigaction, SYS_seccomp, SYS_setns, SYS_pidfd_getfd,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(never); i++)
		EXPECT(!anybody_may(never[i], 0, 0));
	EXPECT(anybody_may(SYS_mmap, 2, PROT_READ | PROT_WRITE));
	EXPECT(!anybody_may(SYS_mmap, 2, PROT_READ | PROT_EXEC));
	EXPECT(!anybody_may(SYS_mprotect, 2, PROT_EXEC));
	EXPECT(!anybody_may(SYS_unshare, 0, CLONE_NEWUSER));
	EXPECT(!anybody_may(SYS_unshare, 0, CLONE_FS | CLONE_NEWNS));
	EXPECT(!anybody_may(SYS_socket, 0, AF_NETLINK));
	EXPECT(!anybody_may(SYS_socket, 0, AF_PACKET));
}

/* ---- the whole, in a child ---- */

struct child {
	int status;
	char said[1024];
};

/* Runs @fn in a child; what it says on the standard error output, and its status. */
static struct child run(void (*fn)(void *), void *ctx)
{
	struct child child = { 0 };
	size_t len = 0;
	int ends[2];
	ssize_t n;
	pid_t pid;

	if (pipe(ends))
		return child;
	pid = fork();
	if (!pid) {
		dup2(ends[1], STDERR_FILENO);
		fn(ctx);
		_exit(0);
	}
	close(ends[1]);
	while ((n = read(ends[0], child.said + len, sizeof(child.said) - 1 - len)) > 0)
		len += n;
	close(ends[0]);
	waitpid(pid, &child.status, 0);
	return child;
}

static void enter(struct sandbox *sandbox, const char *mode)
{
	struct vm_error err = { 0 };

	sandbox_init(sandbox, mode);
	if (sandbox_jail(sandbox, &err)) {
		log_error(&err);
		_exit(9);
	}
}

static void *forbidden_call(void *sandbox)
{
	pthread_setname_np(pthread_self(), "vcpu-3");
	sandbox_enter(sandbox, SANDBOX_VCPU);
	return (void *)(long)socket(AF_INET, SOCK_STREAM, 0);
}

static void in_a_thread(void *mode)
{
	struct sandbox sandbox;
	pthread_t thread;
	sigset_t all;
	void *ret;

	enter(&sandbox, mode);
	/* As worker threads begin. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	pthread_create(&thread, NULL, forbidden_call, &sandbox);
	pthread_join(thread, &ret);
	_exit((long)ret >= 0 ? 7 : 8);
}

static void a_forbidden_call_ends_vmrun(void)
{
	struct child child = run(in_a_thread, "on");

	ASSERT(WIFEXITED(child.status));
	EXPECT_EQ(WEXITSTATUS(child.status), VM_STATUS_SANDBOX);
	EXPECT(strstr(child.said, "vmrun: error: sandbox: thread vcpu-3 called socket,"));
	EXPECT(strstr(child.said, "\nhint: "));
}

static void report_and_off_let_it_through(void)
{
	struct child report = run(in_a_thread, "report"), off = run(in_a_thread, "off");

	EXPECT_EQ(WEXITSTATUS(report.status), 7);
	EXPECT(strstr(report.said, "thread main: "));
	EXPECT_EQ(WEXITSTATUS(off.status), 7);
	EXPECT(!strstr(off.said, "thread"));
}

static void in_the_main_thread(void *ctx)
{
	struct sandbox sandbox;
	int *nr = ctx;

	enter(&sandbox, "on");
	sandbox_enter(&sandbox, SANDBOX_MAIN);
	syscall(*nr, OTHER);
}

static void the_message_names_main(void)
{
	int nr = SYS_execve;
	struct child child = run(in_the_main_thread, &nr);

	EXPECT_EQ(WEXITSTATUS(child.status), VM_STATUS_SANDBOX);
	EXPECT(strstr(child.said, "thread main called execve,"));
	nr = 590;
	child = run(in_the_main_thread, &nr);
	EXPECT_EQ(WEXITSTATUS(child.status), VM_STATUS_SANDBOX);
	EXPECT(strstr(child.said, "thread main called system call number 590,"));
}

static void too_early(void *ctx)
{
	struct sandbox sandbox;

	(void)ctx;
	sandbox_init(&sandbox, "on");
	sandbox_enter(&sandbox, SANDBOX_FS);
}

static void no_thread_runs_without(void)
{
	struct child child = run(too_early, NULL);

	EXPECT_EQ(WEXITSTATUS(child.status), VM_STATUS_SANDBOX);
	EXPECT(strstr(child.said, "cannot confine the thread fs: it was started too early"));
}

static void look_around(void *ctx)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct sandbox sandbox;
	struct rlimit limit;

	(void)ctx;
	enter(&sandbox, "on");
	if (syscall(SYS_capget, &head, caps) || caps[0].permitted || caps[1].permitted ||
	    caps[0].effective || caps[1].effective || caps[0].inheritable || caps[1].inheritable)
		_exit(1);
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		_exit(2);
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
		_exit(3);
	if (getrlimit(RLIMIT_CORE, &limit) || limit.rlim_max)
		_exit(4);
}

static void privileges_are_gone(void)
{
	struct child child = run(look_around, NULL);

	ASSERT(WIFEXITED(child.status));
	EXPECT_EQ(WEXITSTATUS(child.status), 0);
}

/* ---- landlock ---- */

static bool can_open(const char *folder, const char *name, int flags)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, flags, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void open_files(void *ctx)
{
	const char *folder = ctx;
	struct vm_error err = { 0 };
	struct sandbox sandbox;
	char a[300], b[300];

	sandbox_init(&sandbox, "on");
	snprintf(a, sizeof(a), "%s/ro", folder);
	snprintf(b, sizeof(b), "%s/rw", folder);
	if (sandbox_grant(&sandbox, a, SANDBOX_READ, "a test", &err) ||
	    sandbox_grant(&sandbox, b, SANDBOX_WRITE, "a test", &err) ||
	    sandbox_jail(&sandbox, &err))
		_exit(1);
	if (!can_open(a, "file", O_RDONLY) || can_open(a, "file", O_RDWR) ||
	    can_open(a, "new", O_WRONLY | O_CREAT))
		_exit(2);
	if (!can_open(b, "file", O_RDWR) || !can_open(b, "new", O_WRONLY | O_CREAT) ||
	    !can_open(b, "file", O_WRONLY | O_TRUNC))
		_exit(3);
	if (can_open(folder, "file", O_RDONLY) || can_open("/etc", "passwd", O_RDONLY))
		_exit(4);
	/* What a guest does between folders of a share. */
	snprintf(a, sizeof(a), "%s/rw/sub/new", folder);
	snprintf(b, sizeof(b), "%s/rw/new", folder);
	if (rename(b, a) || unlink(a))
		_exit(5);
	if (socket(AF_INET, SOCK_STREAM, 0) < 0)
		_exit(6);
}

static void only_what_was_granted_opens(void)
{
	static const char *const folders[] = { "", "/ro", "/rw", "/rw/sub" };
	static const char *const files[] = { "/file", "/ro/file", "/rw/file" };
	char folder[] = "/tmp/test_sandbox.XXXXXX", path[512];
	struct child child;
	unsigned int i;
	int fd;

	ASSERT(landlock_version() >= LANDLOCK_OLDEST);
	ASSERT(mkdtemp(folder));
	for (i = 1; i < ARRAY_SIZE(folders); i++) {
		snprintf(path, sizeof(path), "%s%s", folder, folders[i]);
		EXPECT_OK(mkdir(path, 0700));
	}
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s%s", folder, files[i]);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		EXPECT(fd >= 0);
		close(fd);
	}
	child = run(open_files, folder);
	EXPECT(WIFEXITED(child.status));
	EXPECT_EQ(WEXITSTATUS(child.status), 0);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s%s", folder, files[i]);
		unlink(path);
	}
	for (i = ARRAY_SIZE(folders); i--;) {
		snprintf(path, sizeof(path), "%s%s", folder, folders[i]);
		EXPECT_OK(rmdir(path));
	}
}

static void modes(void)
{
	struct vm_error err = { 0 };
	struct sandbox sandbox;

	EXPECT_EQ(sandbox_check_mode("report", &err), 0);
	EXPECT_EQ(sandbox_check_mode("of", &err), -1);
	EXPECT_EQ(err.status, VM_STATUS_FAILURE);
	sandbox_init(&sandbox, "off");
	EXPECT_EQ(sandbox.mode, SANDBOX_OFF);
	sandbox_enter(&sandbox, SANDBOX_VCPU);
	EXPECT_OK(prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(each_row_has_a_reason), TEST(no_row_undoes_the_checks_of_another),
		TEST(what_nobody_may), TEST(every_call_from_every_thread),
		TEST(a_forbidden_call_ends_vmrun), TEST(report_and_off_let_it_through),
		TEST(the_message_names_main), TEST(no_thread_runs_without),
		TEST(privileges_are_gone), TEST(only_what_was_granted_opens), TEST(modes),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}

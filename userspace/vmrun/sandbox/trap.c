// SPDX-License-Identifier: GPL-2.0
/*
 * Loading a thread's filter, and what happens when the thread makes a call that is not in
 * it: a line that names both, and the end. Filters are compiled when vmrun is built
 * (compile.c). Called first of all by each thread.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "capabilities.h"
#include "sandbox.h"

#include "sandbox_filters.h"

/* Of the calls by their number; made of the kernel's header when vmrun is built. */
static const char *const call_names[] = {
#include "sandbox_names.h"
};

#define LINE_SIZE	256
/* A signal's si_code, SYS_SECCOMP, which not every C library's header has. */
#define SENT_BY_FILTER	1

/* A line put together by what a signal handler may call. */
struct line {
	char text[LINE_SIZE];
	unsigned int len;
};

static void add(struct line *line, const char *text)
{
	while (*text && line->len < LINE_SIZE)
		line->text[line->len++] = *text++;
}

static void add_number(struct line *line, unsigned int n)
{
	char digits[12];
	unsigned int i = sizeof(digits);

	digits[--i] = 0;
	do {
		digits[--i] = '0' + n % 10;
		n /= 10;
	} while (n);
	add(line, digits + i);
}

static void add_thread(struct line *line)
{
	char name[17] = "";

	if (gettid() == getpid())
		add(line, "main");
	else if (!prctl(PR_GET_NAME, name, 0, 0, 0))
		add(line, name);
}

static void add_call(struct line *line, const siginfo_t *info)
{
	unsigned int nr = info->si_syscall;

	if (info->si_arch != AUDIT_ARCH_X86_64)
		add(line, "a 32-bit system call, number ");
	else if (nr < ARRAY_SIZE(call_names) && call_names[nr])
		return add(line, call_names[nr]);
	else
		add(line, "system call number ");
	add_number(line, nr);
}

/* Nothing is put in order: whoever got here may have been anybody. */
static void on_forbidden(int sig, siginfo_t *info, void *context)
{
	struct line line = { .len = 0 };
	struct termios termios;
	const char *end = "\n";

	(void)sig;
	(void)context;
	/* From somebody's kill(). */
	if (info->si_code != SENT_BY_FILTER)
		return;
	if (!tcgetattr(STDERR_FILENO, &termios) && !(termios.c_oflag & OPOST))
		end = "\r\n";
	add(&line, "vmrun: error: sandbox: thread ");
	add_thread(&line);
	add(&line, " called ");
	add_call(&line, info);
	add(&line, ", which it has no need for");
	add(&line, end);
	add(&line, "hint: a guest may be attacking vmrun; if it is vmrun's own fault, --sandbox off helps until it is mended");
	add(&line, end);
	if (write(STDERR_FILENO, line.text, line.len) < 0)
		_exit(VM_STATUS_SANDBOX);
	_exit(VM_STATUS_SANDBOX);
}

int sandbox_catch_forbidden(struct vm_error *err)
{
	struct sigaction action = { .sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGSYS, &action, NULL))
		return vm_fail(err, VM_STATUS_SANDBOX, NULL, "cannot install a signal handler: %s",
			       strerror(errno));
	return 0;
}

const struct sock_fprog *sandbox_filter(enum sandbox_thread thread)
{
	return &filters[thread];
}

/* What only this process knows: its id, and whether a forbidden call is just logged. */
static void complete(struct sock_filter *insn, unsigned int nr, enum sandbox_mode mode)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (insn[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && insn[i].k == SANDBOX_OWN_PID)
			insn[i].k = getpid();
		if (insn[i].code == (BPF_RET | BPF_K) && insn[i].k == SECCOMP_RET_TRAP &&
		    mode == SANDBOX_REPORT)
			insn[i].k = SECCOMP_RET_LOG;
	}
}

static int load(const struct sock_fprog *filter, enum sandbox_mode mode)
{
	size_t size = filter->len * sizeof(*filter->filter);
	struct sock_fprog own = { .len = filter->len, .filter = malloc(size) };
	long ret = -1;

	if (own.filter) {
		memcpy(own.filter, filter->filter, size);
		complete(own.filter, own.len, mode);
		ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &own);
	}
	free(own.filter);
	return ret;
}

/* What jail.c left for the threads of other shares. */
static int drop_kept(const struct sandbox *sandbox, enum sandbox_thread thread)
{
	return sandbox->kept && thread != SANDBOX_FS_WRITE ? capabilities_drop(0) : 0;
}

void sandbox_enter(const struct sandbox *sandbox, enum sandbox_thread thread)
{
	struct vm_error err = { 0 };
	sigset_t forbidden;

	if (!sandbox || sandbox->mode == SANDBOX_OFF)
		return;
	/* Held back, the signal would end the process without a word. */
	sigemptyset(&forbidden);
	sigaddset(&forbidden, SIGSYS);
	pthread_sigmask(SIG_UNBLOCK, &forbidden, NULL);
	if (sandbox->jailed && !drop_kept(sandbox, thread) &&
	    !load(sandbox_filter(thread), sandbox->mode))
		return;
	vm_fail(&err, VM_STATUS_SANDBOX, SANDBOX_HINT,
		"cannot confine the thread %s: %s", sandbox_policies[thread].name,
		sandbox->jailed ? strerror(errno) : "it was started too early");
	log_error(&err);
	_exit(VM_STATUS_SANDBOX);
}

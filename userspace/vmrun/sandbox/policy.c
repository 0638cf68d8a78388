// SPDX-License-Identifier: GPL-2.0
/*
 * The tables. A call that a thread needs is one row here: CALL for any arguments, WHEN for
 * some, IOCTL for one request. What is not here ends vmrun (trap.c). Rows of one set that
 * name the same call all count; a call that stands in two sets of a thread stands with
 * checks in both, or without in one alone, which tests/test_sandbox.c sees to.
 */
#include <asm/termbits.h>
#include <asm/ioctls.h>
#include <linux/if_tun.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/socket.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "../../../include/uapi/linux/kvirt.h"

#include "policy.h"

#define WORD	0xffffffffull	/* an int or unsigned int: the kernel looks at no more */
#define ALL	(~0ull)

#define CALL(name, why) { .nr = __NR_##name, .call = #name, .reason = why }
#define WHEN(name, n, bits, is, text, why) {				\
	.nr = __NR_##name, .call = #name, .check = { { n, bits, is } },	\
	.when = text, .reason = why }
#define IOCTL(request, why) WHEN(ioctl, 1, WORD, (u32)request, #request, why)
#define FCNTL(command, why) WHEN(fcntl, 1, WORD, command, #command, why)
#define SOCKET(family, why) WHEN(socket, 0, WORD, family, #family, why)
#define SIGNAL_OWN(sig, why) {							\
	.nr = __NR_tgkill, .call = "tgkill",					\
	.check = { { 0, WORD, SANDBOX_OWN_PID }, { 2, WORD, sig } },		\
	.when = #sig " to vmrun itself", .reason = why }

/* <sys/socket.h> and <linux/socket.h> cannot be included together with all of these. */
enum { FAMILY_UNIX = 1, FAMILY_INET = 2 };
enum { ACCESS_MODE = 3 };
enum { GET_FLAGS = 3, SET_FLAGS = 4, GET_FD = 1, SET_FD = 2 };

/* ---- what every thread does ---- */

static const struct sandbox_rule every[] = {
	CALL(futex, "locks, and waiting for other threads"),
	CALL(write, "eventfds that wake threads and interrupt the guest; messages; data"),
	CALL(rt_sigreturn, "the end of a signal handler"),
	CALL(rt_sigprocmask, "the C library holds signals back while a thread ends or is sent one"),
	CALL(restart_syscall, "the kernel goes on with a wait that SIGSTOP cut short"),
	CALL(clock_gettime, "the time, on machines where the vdso cannot tell it"),
	CALL(time, "the same, in seconds"),
	CALL(exit, "the end of a thread"),
	CALL(exit_group, "the end of vmrun, after a forbidden call too"),
	CALL(getpid, "which process a signal is for"),
	CALL(gettid, "which thread a signal is for, and which one made a forbidden call"),
	WHEN(prctl, 0, WORD, PR_GET_NAME, "PR_GET_NAME", "the thread's name in that message"),
	IOCTL(TCGETS, "is the error output a raw terminal? It decides how a message ends"),
	IOCTL(TCGETS2, "the same, with newer C libraries"),
};

static const struct sandbox_rule memory[] = {
	CALL(brk, "malloc()"),
	WHEN(mmap, 2, PROT_EXEC, 0, "not executable", "malloc()"),
	WHEN(mprotect, 2, PROT_EXEC, 0, "not executable", "malloc() in threads grows its heap so"),
	CALL(munmap, "free()"),
	CALL(mremap, "realloc()"),
	WHEN(madvise, 2, WORD, MADV_DONTNEED, "MADV_DONTNEED", "free(); the stack of a thread that ends"),
	CALL(sched_getaffinity, "malloc() asks how many heaps may be of use"),
};

/* ---- loops and what is in them ---- */

static const struct sandbox_rule loop[] = {
	CALL(epoll_wait, "waits for events"),
	CALL(epoll_pwait, "the same, with other C libraries"),
	CALL(epoll_ctl, "chooses the events"),
	CALL(read, "eventfds, timers, signals, data"),
	CALL(close, "descriptors that are done with"),
};

static const struct sandbox_rule main_thread[] = {
	CALL(readv, "vsock: from a connection to the guest"),
	CALL(sendmsg, "vsock: from the guest to a connection"),
	CALL(sendto, "vsock and sessions: send()"),
	CALL(recvfrom, "vsock and sessions: recv()"),
	CALL(recvmsg, "control: requests, and descriptors with them"),
	CALL(accept4, "control and vsock: connections"),
	CALL(shutdown, "vsock: the guest ends one direction"),
	WHEN(socketpair, 0, WORD, FAMILY_UNIX, "AF_UNIX", "vsock: connections inside vmrun"),
	WHEN(socket, 0, WORD, FAMILY_UNIX, "AF_UNIX", "vsock: the guest connects to a Unix socket"),
	CALL(connect, "the same; there are Unix sockets alone"),
	CALL(getsockopt, "how a connection went"),
	CALL(poll, "the console: can its reader take more?"),
	CALL(ppoll, "the same, with other C libraries"),
	CALL(timerfd_settime, "the console: gather output for a few milliseconds"),
	CALL(getrandom, "entropy for the guest"),
	WHEN(madvise, 2, WORD, MADV_REMOVE, "MADV_REMOVE", "the balloon: memory that is a file goes back to the host"),
	IOCTL(TCSETS, "the terminal: raw while the guest has it"),
	IOCTL(TCSETSW, "the terminal: as it was, after what is still to be printed"),
	IOCTL(TCSETS2, "the same, with newer C libraries"),
	IOCTL(TCSETSW2, "the same, with newer C libraries"),
	IOCTL(TIOCGWINSZ, "the terminal's size"),
	IOCTL(KVIRT_SIGNAL_MSI, "the serial port's interrupt when input comes"),
	IOCTL(KVIRT_SET_GSI_ROUTING, "interrupts of devices that are taken away at the end"),
	IOCTL(KVIRT_IRQFD, "the same"),
	IOCTL(KVIRT_IOEVENTFD, "doorbells of devices that are taken away at the end"),
	WHEN(fcntl, 1, WORD, GET_FLAGS, "F_GETFL", "sockets that must not block"),
	WHEN(fcntl, 1, WORD, SET_FLAGS, "F_SETFL", "the same"),
	SIGNAL_OWN(SIGUSR1, "kicks a vCPU out of the guest"),
	SIGNAL_OWN(SIGSTOP, "stops as the user's Ctrl-Z wants it"),
	CALL(wait4, "the end of the terminal's guard"),
	CALL(unlink, "sockets that vmrun made, at the end"),
	CALL(openat, "control: the machine's own folder, as landlock sees to; machine.json at its end"),
	CALL(renameat, "the same: machine.json comes as a whole"),
	CALL(unlinkat, "the same: the folder goes with a machine that nobody is to remember"),
	CALL(ftruncate, "control: the log begins anew when it is full"),
	CALL(geteuid, "control: whose folder, and who calls"),
	CALL(pread64, "vmrun stat: the accelerator's counters; what the host has for the guest"),
	IOCTL(KVIRT_KVMCLOCK_CTRL, "vmrun resume: tells the guest's watchdogs"),
	CALL(newfstatat, "where the folder is; stdio, before its first output"),
	CALL(fstat, "the same, with other C libraries"),
	CALL(lseek, "stdio, at the end"),
};

/* What a debugger asks for; the vCPUs stand meanwhile. */
static const struct sandbox_rule gdb[] = {
	IOCTL(KVIRT_GET_REGS, "registers"),
	IOCTL(KVIRT_SET_REGS, "the same, written"),
	IOCTL(KVIRT_GET_SREGS, "segments, control registers, where the page tables are"),
	IOCTL(KVIRT_SET_SREGS, "the same, written"),
	IOCTL(KVIRT_GET_XSAVE, "floating point and vector registers"),
	IOCTL(KVIRT_SET_XSAVE, "the same, written"),
	IOCTL(KVIRT_GET_MSRS, "k_gs_base"),
	IOCTL(KVIRT_SET_MSRS, "the same, written"),
	IOCTL(KVIRT_SET_GUEST_DEBUG, "breakpoints, watchpoints, single steps"),
};

/* Devices are entered by the vCPU that accesses them. */
static const struct sandbox_rule vcpu[] = {
	IOCTL(KVIRT_RUN, "enters the guest"),
	IOCTL(KVIRT_SIGNAL_MSI, "interrupts of the I/O APIC"),
	IOCTL(KVIRT_SET_GSI_ROUTING, "where the guest wants its interrupts"),
	IOCTL(KVIRT_IOEVENTFD, "doorbells, where the guest puts a device's registers"),
	IOCTL(KVIRT_GET_REGS, "where a guest that cannot go on has stopped"),
	CALL(timerfd_settime, "the console: output comes in a few milliseconds"),
	CALL(epoll_ctl, "a device's driver starts or ends it: what it waits for"),
	CALL(close, "a driver ends a device: files that the guest had open"),
	IOCTL(TUNSETOFFLOAD, "a driver starts a network card: what frames it understands"),
};

/* The disk and what was written over it are open. */
static const struct sandbox_rule blk[] = {
	CALL(preadv, "reads"),
	CALL(pwritev, "writes"),
	CALL(fdatasync, "flushes"),
	CALL(fallocate, "discards, writes zeroes"),
};

/* The ring takes reads of its disk, and nothing else: disk/uring.c. */
static const struct sandbox_rule ring[] = {
	CALL(io_uring_enter, "reads, many at a time"),
};

/* Paths are below a share: openat2() of fs/ says so, and landlock once more. */
static const struct sandbox_rule fs[] = {
	CALL(preadv, "READ"),
	CALL(statx, "LOOKUP, GETATTR"),
	CALL(openat2, "finds a file, never outside its share nor through a link"),
	CALL(openat, "OPEN: a file that was found, by /proc/self/fd"),
	CALL(getdents64, "READDIR"),
	CALL(lseek, "READDIR, LSEEK"),
	CALL(readlinkat, "READLINK"),
	CALL(fstatfs, "STATFS, and whether a folder is a kernel's file system"),
	CALL(newfstatat, "whether a program that is written to runs as another user"),
	CALL(fstat, "the same, with other C libraries"),
	CALL(fsync, "FSYNC"),
	CALL(fdatasync, "FSYNC"),
	WHEN(unshare, 0, ALL, CLONE_FS, "CLONE_FS", "a umask of the thread's own"),
	WHEN(umask, 0, WORD, 0, "0", "modes come complete from the guest"),
};

/* Of a read-only share the server refuses all of these, and has no such calls either. */
static const struct sandbox_rule fs_change[] = {
	CALL(pwritev, "WRITE"),
	CALL(getxattr, "GETXATTR"),
	CALL(listxattr, "LISTXATTR"),
	CALL(setxattr, "SETXATTR"),
	CALL(removexattr, "REMOVEXATTR"),
	CALL(ftruncate, "SETATTR"),
	CALL(fchmod, "a file that is written to no longer runs as another user"),
	CALL(fchmodat, "SETATTR"),
	CALL(fchownat, "SETATTR"),
	CALL(utimensat, "SETATTR"),
	CALL(mkdirat, "MKDIR"),
	WHEN(mknodat, 3, WORD, 0, "no device", "MKNOD: fifos, sockets, what overlayfs marks a removed file with"),
	CALL(symlinkat, "SYMLINK"),
	CALL(linkat, "LINK"),
	CALL(unlinkat, "UNLINK, RMDIR"),
	CALL(renameat2, "RENAME"),
	CALL(fallocate, "FALLOCATE"),
	CALL(copy_file_range, "COPY_FILE_RANGE"),
	CALL(syncfs, "SYNCFS"),
};

/* libslirp, and a tap interface. */
static const struct sandbox_rule net[] = {
	CALL(recvfrom, "a connection's data"),
	CALL(sendto, "a connection's data"),
	CALL(recvmsg, "the same"),
	CALL(sendmsg, "the same"),
	CALL(writev, "frames to a tap interface"),
	WHEN(socket, 0, WORD, FAMILY_INET, "AF_INET", "the guest's connections are vmrun's"),
	CALL(bind, "the same"),
	CALL(connect, "the same"),
	CALL(listen, "the same"),
	CALL(accept, "connections to the guest (-p)"),
	CALL(accept4, "the same"),
	CALL(shutdown, "the end of one direction"),
	CALL(getsockname, "which port a socket got"),
	CALL(getpeername, "who connected"),
	CALL(getsockopt, "how a connection went"),
	CALL(setsockopt, "out-of-band data, no delay, reuse of addresses"),
	WHEN(fcntl, 1, WORD, GET_FLAGS, "F_GETFL", "sockets that must not block"),
	WHEN(fcntl, 1, WORD, SET_FLAGS, "F_SETFL", "the same"),
	WHEN(fcntl, 1, WORD, GET_FD, "F_GETFD", "sockets that no program inherits"),
	WHEN(fcntl, 1, WORD, SET_FD, "F_SETFD", "the same"),
	IOCTL(FIONREAD, "how much has come"),
	IOCTL(FIONBIO, "sockets that must not block"),
	IOCTL(TUNSETOFFLOAD, "what frames the guest's driver understands"),
	CALL(timerfd_settime, "TCP's clocks"),
	CALL(poll, "can a socket take more?"),
	WHEN(openat, 2, ACCESS_MODE, 0, "for reading", "/etc/resolv.conf: the name server"),
	CALL(newfstatat, "has /etc/resolv.conf changed?"),
	CALL(fstat, "the same, with other C libraries"),
	CALL(stat, "the same, with other C libraries"),
	CALL(getrandom, "keys of hash tables"),
};

#define SET(table) { table, ARRAY_SIZE(table) }

const struct sandbox_policy sandbox_policies[SANDBOX_THREADS] = {
	[SANDBOX_MAIN] = {
		"main", "the console, vsock, sessions, control, entropy",
		{ SET(loop), SET(every), SET(main_thread), SET(memory) },
	},
	[SANDBOX_MAIN_GDB] = {
		"main_gdb", "main, where there is --gdb: the guest's debugger too",
		{ SET(loop), SET(every), SET(main_thread), SET(memory), SET(gdb) },
	},
	[SANDBOX_VCPU] = {
		"vcpu", "runs the guest and serves its exits",
		{ SET(vcpu), SET(every), SET(memory) },
	},
	[SANDBOX_BLK] = {
		"blk", "reads and writes a disk",
		{ SET(blk), SET(every), SET(memory) },
	},
	[SANDBOX_RING] = {
		"ring", "takes a disk's requests, hands its reads to the kernel",
		{ SET(loop), SET(ring), SET(every), SET(memory) },
	},
	[SANDBOX_FS] = {
		"fs", "serves a shared folder that the guest only reads",
		{ SET(loop), SET(fs), SET(every), SET(memory) },
	},
	[SANDBOX_FS_WRITE] = {
		"fs_rw", "serves a shared folder that the guest may change",
		{ SET(loop), SET(fs), SET(fs_change), SET(every), SET(memory) },
	},
	[SANDBOX_NET] = {
		"net", "carries the guest's frames",
		{ SET(loop), SET(net), SET(every), SET(memory) },
	},
};

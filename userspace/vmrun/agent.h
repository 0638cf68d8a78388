/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The agent protocol: how vmrun runs commands in its guest. The agent is process 1 of
 * the guest (guest/agent.c); vmrun is the host (session.c). This file is all that both
 * agree on; both are built from one tree and one is packed into the other, so that the
 * version only guards against a stale guest.
 *
 * The agent connects by vsock to CID 2, AGENT_PORT, once. Over that connection go
 * frames, in both directions, each a struct agent_frame and its payload, little endian.
 * The agent speaks first, AGENT_HELLO. A session is one command: the host opens it with
 * AGENT_EXEC and AGENT_STRINGS under a number that it chooses below AGENT_MAX_SESSIONS;
 * the number is free again after AGENT_EXIT.
 *
 * Flow: of each stream of a session at most AGENT_WINDOW bytes are under way. Who sends
 * AGENT_DATA counts them; who receives gives them back with AGENT_CREDIT as it passes
 * them on. So neither side ever holds more than a window of a stream, both always read
 * the connection, and a stream that nobody reads holds up no other.
 *
 * A frame that breaks these rules ends the connection, and with it the machine.
 */
#ifndef VMRUN_AGENT_H
#define VMRUN_AGENT_H

#include "types.h"

#define AGENT_VERSION		1
#define AGENT_PORT		1024
#define AGENT_MAX_PAYLOAD	65536
#define AGENT_WINDOW		65536
#define AGENT_MAX_SESSIONS	16
/* The strings of one command; what Linux takes is 2 MiB for the same. */
#define AGENT_MAX_STRINGS	(1u << 20)

struct agent_frame {
	u8 type;		/* enum agent_type */
	u8 stream;		/* enum agent_stream, of DATA, EOF, CLOSE and CREDIT; else 0 */
	u16 session;
	u32 length;		/* of the payload behind it */
} __packed;

enum agent_type {
	AGENT_HELLO = 1,	/* agent: u32 version */
	AGENT_EXEC,		/* host: struct agent_exec */
	AGENT_STRINGS,		/* host: the next bytes of the strings; the last ones start the command */
	AGENT_DATA,		/* both: bytes of a stream */
	AGENT_EOF,		/* who writes a stream: no more bytes follow */
	AGENT_CLOSE,		/* who reads a stream: no more bytes are wanted */
	AGENT_CREDIT,		/* who reads a stream: u32, bytes that were passed on */
	AGENT_RESIZE,		/* host: struct agent_size */
	AGENT_SIGNAL,		/* host: u32, to the command's process group */
	AGENT_EXIT,		/* agent: struct agent_exit, the session's last frame */
};

enum agent_stream {
	AGENT_STDIN,		/* written by the host */
	AGENT_STDOUT,		/* written by the agent; with a terminal all its output */
	AGENT_STDERR,
	AGENT_STREAMS,
};

struct agent_size {
	u16 rows;
	u16 columns;
} __packed;

enum {
	AGENT_EXEC_TTY		= BIT(0),	/* standard input and output are a new terminal */
	AGENT_EXEC_STDERR	= BIT(1),	/* with a terminal: standard error is apart all the same */
	AGENT_EXEC_ANY_CWD	= BIT(2),	/* a directory that is not there is no error: take / */
	AGENT_EXEC_MAIN		= BIT(3),	/* the machine ends with this command */
};

/*
 * The strings are NUL-terminated, one behind the other: the directory, nr_args
 * arguments (the first is the program, looked for in PATH), nr_env of NAME=VALUE.
 */
struct agent_exec {
	u32 flags;
	u32 uid;
	u32 gid;
	struct agent_size size;
	u32 nr_args;
	u32 nr_env;
	u32 strings_len;	/* of all AGENT_STRINGS that follow */
} __packed;

enum agent_exit_kind {
	AGENT_EXITED,		/* value: the status */
	AGENT_SIGNALLED,	/* value: the signal */
	AGENT_NO_DIRECTORY,	/* value: errno of chdir() */
	AGENT_NO_PROGRAM,	/* value: errno of execve() */
	AGENT_NO_START,		/* value: errno of what comes before them */
};

struct agent_exit {
	u32 kind;
	u32 value;
} __packed;

#endif

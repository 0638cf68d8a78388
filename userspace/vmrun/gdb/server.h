/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The socket at which a debugger attaches to the guest: one at a time, of the same user.
 */
#ifndef VMRUN_GDB_SERVER_H
#define VMRUN_GDB_SERVER_H

#include "../loop.h"
#include "stub.h"

/* What the server wants of the machine; @ctx is that of gdb_server_create(). */
struct gdb_server_ops {
	void (*hold)(void *ctx);
	void (*release)(void *ctx, unsigned int cpu);
	bool (*take_exit)(void *ctx, unsigned int cpu, struct kvirt_debug_exit_arch *exit);
	void (*kill)(void *ctx);
};

struct gdb_server;

/*
 * Listens at @path, which must not be there yet. The caller sets the stub's vCPUs. NULL
 * with @err filled in. Everything here is the loop's thread's but gdb_server_wake().
 */
struct gdb_server *gdb_server_create(const char *path, struct loop *loop, const struct memory *mem,
				     u32 debug_flags, unsigned int nr_cpus,
				     const struct gdb_server_ops *ops, void *ctx,
				     struct vm_error *err);
struct gdb_stub *gdb_server_stub(struct gdb_server *server);

/* A vCPU stands at a debug exit. From its thread. */
void gdb_server_wake(struct gdb_server *server);

/* Tells a debugger that waits that the machine has ended, and removes the socket. */
void gdb_server_destroy(struct gdb_server *server, int status);

#endif

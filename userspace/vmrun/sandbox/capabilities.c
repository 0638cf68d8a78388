// SPDX-License-Identifier: GPL-2.0
/*
 * Giving up capabilities, by bare system calls: they concern one thread, and libcap would
 * be one library more. Called by jail.c for the process before it has threads, and by
 * trap.c for each thread.
 */
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capabilities.h"

static struct __user_cap_header_struct own_thread(void)
{
	return (struct __user_cap_header_struct){ .version = _LINUX_CAPABILITY_VERSION_3 };
}

u64 capabilities_own(void)
{
	struct __user_cap_header_struct head = own_thread();
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &head, data))
		return 0;
	return data[0].permitted | (u64)data[1].permitted << 32;
}

int capabilities_drop(u64 keep)
{
	struct __user_cap_header_struct head = own_thread();
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	unsigned long cap;

	/* It takes a capability itself; without it the set says nothing that could be used. */
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	keep &= capabilities_own();
	data[0].effective = data[0].permitted = keep;
	data[1].effective = data[1].permitted = keep >> 32;
	return syscall(SYS_capset, &head, data);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * capabilities(7) of the calling thread, and of those that it starts afterwards.
 */
#ifndef VMRUN_SANDBOX_CAPABILITIES_H
#define VMRUN_SANDBOX_CAPABILITIES_H

#include "../types.h"

/* Root's power over the files of others, and over who owns them; nothing beyond files. */
#define CAPABILITIES_FILES	(BIT_ULL(0) /* CHOWN */ | BIT_ULL(1) /* DAC_OVERRIDE */ | \
				 BIT_ULL(3) /* FOWNER */)

/* Those that this thread has, by their numbers. */
u64 capabilities_own(void);

/*
 * Gives up all but @keep, of those that it has, and from every set by which they could be
 * had again. Returns 0, or -1 with errno set.
 */
int capabilities_drop(u64 keep);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How little of the host's memory vmrun itself takes. Both only advise: where the host does not
 * follow, more memory is in use and nothing else is different. machine_create() calls both.
 */
#ifndef VMRUN_FOOTPRINT_H
#define VMRUN_FOOTPRINT_H

/* Threads that are created from now on have stacks of 1 MiB, of which they touch 8 KiB. */
void footprint_small_stacks(void);

/*
 * Gives back what is only read of all objects that are loaded: code and constants come again from
 * their files, a page at a time, when they are used.
 */
void footprint_give_back(void);

#endif

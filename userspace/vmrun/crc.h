/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The CRC-32 of Ethernet (IEEE 802.3), bits reflected. Pure.
 */
#ifndef VMRUN_CRC_H
#define VMRUN_CRC_H

#include "types.h"

/* Goes on from @crc over @len bytes; nothing is inverted, neither at the start nor at the end. */
u32 crc32_go_on(u32 crc, const void *data, size_t len);

/* The same without the CPU's help: what crc32_go_on() does where there is none. */
u32 crc32_slow(u32 crc, const u8 *data, size_t len);

#endif

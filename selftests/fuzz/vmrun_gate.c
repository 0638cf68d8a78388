// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's gate before libslirp against frames of any form: the first half of the input is one that comes to the guest, the second
 * one of the guest's. What passes to the host's own address begins no connection, and is no datagram that nobody asked for.
 */
#include <string.h>

#include "fuzz.h"
#include "net/gate.h"

#define GATEWAY	0x0a000202
#define MAX	256

void fuzz_input(const uint8_t *data, size_t size)
{
	struct gate gate = { .gateway = GATEWAY, .broadcast = 0x0a0002ff };
	u8 frame[MAX], answer[GATE_REFUSAL];
	size_t half = size / 2 < MAX ? size / 2 : MAX, at;
	enum gate_verdict verdict;

	gate.open = size && (*data & 0x81) == 0x81;
	/* Copies that end where the frame does, for the sanitizer. */
	u8 *in = memcpy(malloc(half + 1), data, half), *out = memcpy(malloc(half + 1), data + half, half);

	in = realloc(in, half ? half : 1);
	out = realloc(out, half ? half : 1);
	gate_to_guest(&gate, in, half);
	MUST(gate.nr_peers <= 1);
	verdict = gate_from_guest(&gate, out, half);
	if (verdict == GATE_REFUSE) {
		gate_refuse(out, answer);
		MUST(half >= 54 && !gate.open && !memcmp(answer, out + 6, 6));
	}
	memset(frame, 0, sizeof(frame));
	memcpy(frame, out, half);
	free(in);
	free(out);
	if (verdict != GATE_PASS || half < 34 || frame[12] != 8 || frame[13] != 0)
		return;
	MUST(frame[30] != 127 && frame[30] != 0);
	at = 14 + (frame[14] & 15) * 4;
	if (gate.open || memcmp(frame + 30, (u8[]){ 10, 0, 2, 2 }, 4) || (frame[20] & 0x3f) || frame[21])
		return;
	if (frame[23] == 6)
		MUST((frame[at + 13] & 0x37) != 2);
	if (frame[23] == 17 && (frame[at + 2] || frame[at + 3] != 67))
		MUST(gate.nr_peers == 1 && gate.peer[0].host == (frame[at + 2] << 8 | frame[at + 3]));
}

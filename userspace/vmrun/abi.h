/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What /dev/kvirt has of KVM's ABI, as one table: abi.def holds its rows. abi.c prints it
 * (vmrun abi), the tables of docs/abi.md are made of that (make abi), and
 * selftests/abi/table.c compares it with what the device answers.
 */
#ifndef VMRUN_ABI_H
#define VMRUN_ABI_H

#include <stdio.h>

#include "../../include/uapi/linux/kvirt.h"

enum abi_kind {
	ABI_DEVICE,		/* an ioctl of the device file, */
	ABI_VM,			/* of a VM's file, */
	ABI_VCPU,		/* of a vCPU's file */
	ABI_CAPABILITY,
	ABI_EXIT,
};

enum abi_status {
	ABI_DONE,		/* as KVM 6.1 has it */
	ABI_PARTLY,		/* the note says what is missing */
	ABI_REFUSED,		/* an unknown ioctl, a capability of 0, an exit that never comes */
};

/* A capability's value where it is not one number: the host's to say, 0 or not. */
#define ABI_HOST	(-1l)

struct abi_row {
	enum abi_kind kind;
	enum abi_status status;
	const char *name;	/* KVM's, without KVM_, KVM_CAP_, KVM_EXIT_ */
	unsigned long number;	/* as the header has it */
	long value;		/* of a capability: what CHECK_EXTENSION answers */
	const char *note;	/* "" where there is nothing to say */
};

/* How abi.def is written. The forms with a number are for what kvirt.h does not name. */
#define IOCTL(file, name, status, note) \
	{ ABI_##file, ABI_##status, #name, KVIRT_##name, 0, note }
#define IOCTL_NUMBER(file, name, request, status, note) \
	{ ABI_##file, ABI_##status, #name, request, 0, note }
#define CAP(name, status, value, note) \
	{ ABI_CAPABILITY, ABI_##status, #name, KVIRT_CAP_##name, value, note }
#define CAP_NUMBER(name, number, note) \
	{ ABI_CAPABILITY, ABI_REFUSED, #name, number, 0, note }
#define EXIT(name, status, note) \
	{ ABI_EXIT, ABI_##status, #name, KVIRT_EXIT_##name, 0, note }

enum abi_format { ABI_TEXT, ABI_JSON };

/* Writes the table to @to; 0, or -1 when it could not be written. */
int abi_print(FILE *to, enum abi_format format);

#endif

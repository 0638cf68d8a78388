// SPDX-License-Identifier: GPL-2.0
/*
 * The few AML terms the DSDT of acpi.c needs. Knows nothing of the machine.
 */
#include <string.h>

#include "aml.h"

enum {
	OP_ZERO = 0x00, OP_ONE = 0x01, OP_NAME = 0x08, OP_BYTE = 0x0a,
	OP_WORD = 0x0b, OP_DWORD = 0x0c, OP_STRING = 0x0d, OP_SCOPE = 0x10,
	OP_BUFFER = 0x11, OP_PACKAGE = 0x12, OP_EXTENDED = 0x5b,
	OP_DEVICE = 0x82,	/* after OP_EXTENDED */
};

/* Resource descriptors: ACPI, "Resource Data Types for ACPI". */
#define RESOURCE_IO		0x47
#define RESOURCE_IO_DECODE16	0x01
#define RESOURCE_IRQ		0x89
#define RESOURCE_IRQ_LEN	6
#define RESOURCE_IRQ_CONSUMER	BIT(0)
#define RESOURCE_IRQ_EDGE	BIT(1)
#define RESOURCE_END		0x79
#define RESOURCE_FIXED_MEMORY32	0x86
#define RESOURCE_DWORD		0x87
#define RESOURCE_WORD		0x88
#define RANGE_MEMORY		0	/* what kind of addresses a range has */
#define RANGE_BUS		2
#define RANGE_PRODUCER_FIXED	0x0c	/* for the bus below; its ends do not move */
#define RANGE_READ_WRITE	0x01
#define RESOURCE_IO_SIZE	8
#define RESOURCE_IRQ_SIZE	9
#define RESOURCE_END_SIZE	2

#define PKG_LENGTH_SIZE		2	/* always the two-byte form */
#define PKG_LENGTH_MAX		0xfff

void aml_init(struct aml *aml, u8 *buf, u32 size)
{
	*aml = (struct aml){ .buf = buf, .size = size };
}

static void put(struct aml *aml, const void *data, u32 len)
{
	if (aml->overflow || len > aml->size - aml->len) {
		aml->overflow = true;
		return;
	}
	memcpy(aml->buf + aml->len, data, len);
	aml->len += len;
}

static void put_byte(struct aml *aml, u8 byte)
{
	put(aml, &byte, 1);
}

/* Names are padded to four letters with underscores. */
static void put_name(struct aml *aml, const char *name)
{
	char seg[4] = { '_', '_', '_', '_' };

	if (*name == '\\')
		put_byte(aml, *name++);
	memcpy(seg, name, strnlen(name, sizeof(seg)));
	put(aml, seg, sizeof(seg));
}

static void put_integer(struct aml *aml, u32 value)
{
	if (value <= 1) {
		put_byte(aml, value ? OP_ONE : OP_ZERO);
	} else if (value <= 0xff) {
		put_byte(aml, OP_BYTE);
		put(aml, &value, 1);
	} else if (value <= 0xffff) {
		put_byte(aml, OP_WORD);
		put(aml, &value, 2);
	} else {
		put_byte(aml, OP_DWORD);
		put(aml, &value, 4);
	}
}

/* Leaves room for a package length, which aml_end() fills in. */
static u32 begin(struct aml *aml)
{
	u32 block = aml->len;
	u8 room[PKG_LENGTH_SIZE] = { 0 };

	put(aml, room, sizeof(room));
	return block;
}

void aml_end(struct aml *aml, u32 block)
{
	u32 len = aml->len - block;

	if (len > PKG_LENGTH_MAX)
		aml->overflow = true;
	if (aml->overflow)
		return;
	/* Bits 7:6 count the bytes that follow, 3:0 are the low bits. */
	aml->buf[block] = 1 << 6 | (len & 0x0f);
	aml->buf[block + 1] = len >> 4;
}

u32 aml_scope_begin(struct aml *aml, const char *name)
{
	u32 block;

	put_byte(aml, OP_SCOPE);
	block = begin(aml);
	put_name(aml, name);
	return block;
}

u32 aml_device_begin(struct aml *aml, const char *name)
{
	u32 block;

	put_byte(aml, OP_EXTENDED);
	put_byte(aml, OP_DEVICE);
	block = begin(aml);
	put_name(aml, name);
	return block;
}

void aml_name_integer(struct aml *aml, const char *name, u32 value)
{
	put_byte(aml, OP_NAME);
	put_name(aml, name);
	put_integer(aml, value);
}

void aml_name_string(struct aml *aml, const char *name, const char *value)
{
	put_byte(aml, OP_NAME);
	put_name(aml, name);
	put_byte(aml, OP_STRING);
	put(aml, value, strlen(value) + 1);
}

static u32 hex(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* "PNP0501": three letters of five bits and four hex digits, big-endian. */
void aml_name_eisa_id(struct aml *aml, const char *name, const char *id)
{
	u32 value;

	value = (u32)(id[0] - '@') << 26 | (u32)(id[1] - '@') << 21 |
		(u32)(id[2] - '@') << 16 | hex(id[3]) << 12 | hex(id[4]) << 8 |
		hex(id[5]) << 4 | hex(id[6]);
	aml_name_integer(aml, name, __builtin_bswap32(value));
}

void aml_name_package(struct aml *aml, const char *name, const u8 *value,
		      u8 count)
{
	u32 block, i;

	put_byte(aml, OP_NAME);
	put_name(aml, name);
	put_byte(aml, OP_PACKAGE);
	block = begin(aml);
	put_byte(aml, count);
	for (i = 0; i < count; i++)
		put_integer(aml, value[i]);
	aml_end(aml, block);
}

void aml_name_resources(struct aml *aml, u16 port, u8 nr_ports, u32 irq)
{
	u8 len = RESOURCE_IO_SIZE + (irq ? RESOURCE_IRQ_SIZE : 0) +
		 RESOURCE_END_SIZE;
	u32 block;

	put_byte(aml, OP_NAME);
	put_name(aml, "_CRS");
	put_byte(aml, OP_BUFFER);
	block = begin(aml);
	put_integer(aml, len);

	aml_resource_io(aml, port, nr_ports);
	if (irq) {
		put_byte(aml, RESOURCE_IRQ);
		put_byte(aml, RESOURCE_IRQ_LEN);
		put_byte(aml, 0);
		put_byte(aml, RESOURCE_IRQ_CONSUMER | RESOURCE_IRQ_EDGE);
		put_byte(aml, 1);
		put(aml, &irq, 4);
	}
	put_byte(aml, RESOURCE_END);
	put_byte(aml, 0);	/* no checksum */
	aml_end(aml, block);
}

u32 aml_resources_begin(struct aml *aml)
{
	u32 block;
	u16 len = 0;

	put_byte(aml, OP_NAME);
	put_name(aml, "_CRS");
	put_byte(aml, OP_BUFFER);
	block = begin(aml);
	/* A word, whatever its value: aml_resources_end() fills it in. */
	put_byte(aml, OP_WORD);
	put(aml, &len, sizeof(len));
	return block;
}

void aml_resources_end(struct aml *aml, u32 block)
{
	u32 data = block + PKG_LENGTH_SIZE + 3;
	u16 len;

	put_byte(aml, RESOURCE_END);
	put_byte(aml, 0);	/* no checksum */
	if (!aml->overflow) {
		len = aml->len - data;
		memcpy(aml->buf + data - sizeof(len), &len, sizeof(len));
	}
	aml_end(aml, block);
}

void aml_resource_io(struct aml *aml, u16 port, u8 nr_ports)
{
	put_byte(aml, RESOURCE_IO);
	put_byte(aml, RESOURCE_IO_DECODE16);
	put(aml, &port, 2);
	put(aml, &port, 2);
	put_byte(aml, 1);
	put_byte(aml, nr_ports);
}

void aml_resource_memory(struct aml *aml, u32 base, u32 size)
{
	const u16 len = 9;

	put_byte(aml, RESOURCE_FIXED_MEMORY32);
	put(aml, &len, sizeof(len));
	put_byte(aml, RANGE_READ_WRITE);
	put(aml, &base, sizeof(base));
	put(aml, &size, sizeof(size));
}

void aml_resource_bus_numbers(struct aml *aml, u16 first, u16 last)
{
	const u16 words[] = { 0, first, last, 0, last - first + 1 };
	const u16 len = 3 + sizeof(words);

	put_byte(aml, RESOURCE_WORD);
	put(aml, &len, sizeof(len));
	put_byte(aml, RANGE_BUS);
	put_byte(aml, RANGE_PRODUCER_FIXED);
	put_byte(aml, 0);
	put(aml, words, sizeof(words));
}

void aml_resource_memory_window(struct aml *aml, u32 base, u32 size)
{
	const u32 words[] = { 0, base, base + size - 1, 0, size };
	const u16 len = 3 + sizeof(words);

	put_byte(aml, RESOURCE_DWORD);
	put(aml, &len, sizeof(len));
	put_byte(aml, RANGE_MEMORY);
	put_byte(aml, RANGE_PRODUCER_FIXED);
	put_byte(aml, RANGE_READ_WRITE);
	put(aml, words, sizeof(words));
}

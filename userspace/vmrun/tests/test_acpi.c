// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables: checksums, that every pointer leads to the table it names,
 * bounds, and that iasl finds nothing wrong with the DSDT where it is installed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../boot/acpi.h"
#include "../boot/aml.h"
#include "../boot/boot.h"
#include "ktap.h"

static u8 area[BOOT_ACPI_SIZE];

static u8 sum(const u8 *p, u32 len)
{
	u8 s = 0;

	while (len--)
		s += *p++;
	return s;
}

static u32 get32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static u64 get64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The table at guest address @addr, checked to lie in the area. */
static const u8 *table(u64 addr, const char *signature)
{
	const u8 *t;

	ASSERT(addr >= BOOT_ACPI_ADDR && addr < BOOT_ACPI_ADDR + sizeof(area) - 36);
	t = area + (addr - BOOT_ACPI_ADDR);
	ASSERT(!memcmp(t, signature, 4));
	ASSERT(get32(t + 4) <= sizeof(area) - (addr - BOOT_ACPI_ADDR));
	if (strcmp(signature, "FACS"))
		EXPECT_EQ(sum(t, get32(t + 4)), 0);
	return t;
}

static const u8 *xsdt_entry(unsigned int n, const char *signature)
{
	const u8 *xsdt = table(get64(area + 24), "XSDT");

	ASSERT_EQ(get32(xsdt + 4), 36 + 3 * 8);
	return table(get64(xsdt + 36 + 8 * n), signature);
}

static void chain_of_tables(void)
{
	const u8 *fadt;

	ASSERT(acpi_build(area, sizeof(area), BOOT_ACPI_ADDR, 1));
	EXPECT(!memcmp(area, "RSD PTR ", 8));
	EXPECT_EQ(sum(area, 20), 0);
	EXPECT_EQ(sum(area, 36), 0);
	EXPECT_EQ(area[15], 2);
	fadt = xsdt_entry(0, "FACP");
	EXPECT_EQ(get32(fadt + 4), 276);
	table(get32(fadt + 40), "DSDT");
	EXPECT_EQ(get64(fadt + 140), get32(fadt + 40));
	EXPECT_EQ(get32(fadt + 36) % 64, 0);
	EXPECT_EQ(table(get32(fadt + 36), "FACS")[32], 2);
}

static void fadt_names_the_registers(void)
{
	const u8 *fadt;

	ASSERT(acpi_build(area, sizeof(area), BOOT_ACPI_ADDR, 1));
	fadt = xsdt_entry(0, "FACP");
	EXPECT_EQ(get32(fadt + 56), 0x600);
	EXPECT_EQ(get64(fadt + 148 + 4), 0x600);
	EXPECT_EQ(get32(fadt + 64), 0x604);
	EXPECT_EQ(get64(fadt + 172 + 4), 0x604);
	EXPECT_EQ(fadt[88], 4);
	EXPECT_EQ(fadt[89], 2);
	/* The reset register: flag, address, value. No 8042, VGA; a clock with a century. */
	EXPECT_EQ(get32(fadt + 112) >> 10 & 1, 1);
	EXPECT_EQ(get64(fadt + 116 + 4), 0x606);
	EXPECT_EQ(fadt[128], 1);
	EXPECT_EQ(fadt[109], 0x04);
	EXPECT_EQ(fadt[108], 0x32);
}

static void madt_has_every_vcpu(void)
{
	unsigned int n, found, ioapics;
	const u8 *madt, *p, *end;

	for (n = 1; n <= 255; n += 127) {
		ASSERT(acpi_build(area, sizeof(area), BOOT_ACPI_ADDR, n));
		madt = xsdt_entry(1, "APIC");
		end = madt + get32(madt + 4);
		found = 0;
		ioapics = 0;
		for (p = madt + 44; p < end; p += p[1]) {
			ASSERT(p[1] >= 2 && p[1] <= end - p);
			if (p[0] == 0) {
				EXPECT_EQ(p[3], found);
				EXPECT_EQ(get32(p + 4), 1);
				found++;
			}
			if (p[0] == 1) {
				EXPECT_EQ(get32(p + 4), 0xfec00000);
				ioapics++;
			}
		}
		EXPECT_EQ(found, n);
		EXPECT_EQ(ioapics, 1);
	}
}

static void mcfg_names_the_bus(void)
{
	const u8 *mcfg;

	ASSERT(acpi_build(area, sizeof(area), BOOT_ACPI_ADDR, 1));
	mcfg = xsdt_entry(2, "MCFG");
	EXPECT_EQ(get32(mcfg + 4), 60);
	EXPECT_EQ(get64(mcfg + 44), 0xe0000000);
	/* Segment 0, buses 0 to 0. */
	EXPECT_EQ(get32(mcfg + 52), 0);
}

static void too_small_an_area_is_told(void)
{
	u32 size, full = acpi_build(area, sizeof(area), BOOT_ACPI_ADDR, 2);
	u8 *exact;

	ASSERT(full);
	/* malloc, so that the sanitizer sees a byte too far. */
	for (size = 0; size < full; size++) {
		exact = malloc(size ? size : 1);
		EXPECT_EQ(acpi_build(exact, size, BOOT_ACPI_ADDR, 2), 0);
		free(exact);
	}
	exact = malloc(full);
	EXPECT_EQ(acpi_build(exact, full, BOOT_ACPI_ADDR, 2), full);
	free(exact);
}

static void aml_never_overflows(void)
{
	struct aml aml;
	u32 size, block;

	for (size = 0; size < 64; size++) {
		u8 *buf = malloc(size ? size : 1);

		aml_init(&aml, buf, size);
		block = aml_device_begin(&aml, "COM1");
		aml_name_eisa_id(&aml, "_HID", "PNP0501");
		aml_name_resources(&aml, 0x3f8, 8, 4);
		aml_end(&aml, block);
		EXPECT_EQ(aml.overflow, size < 47);
		EXPECT(aml.len <= size);
		free(buf);
	}
}

static void aml_encodings(void)
{
	static const u8 expected[] = {
		0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x05, 0x01,
		0x08, '_', 'U', 'I', 'D', 0x01,
		0x08, 'A', 'B', '_', '_', 0x0b, 0x34, 0x12,
	};
	struct aml aml;
	u8 buf[64];

	aml_init(&aml, buf, sizeof(buf));
	aml_name_eisa_id(&aml, "_HID", "PNP0501");
	aml_name_integer(&aml, "_UID", 1);
	aml_name_integer(&aml, "AB", 0x1234);
	ASSERT_EQ(aml.len, sizeof(expected));
	EXPECT(!memcmp(buf, expected, sizeof(expected)));
}

/* Lets ACPICA read the DSDT; its listing must show what we meant. */
static void iasl_agrees(void)
{
	static const char * const wanted[] = {
		"PNP0501", "QEMU0001", "0x03F8", "0x00000004", "_S5", "Edge",
		"PNP0A08", "PNP0C02", "0xC0000000", "0xDFFFFFFF", "0x20000000", "0xE0000000",
		"WordBusNumber", "DWordMemory", "Memory32Fixed", "0x0CF8",
	};
	char dir[] = "/tmp/vmrun-acpi-XXXXXX", command[256], listing[16384];
	const u8 *dsdt;
	size_t i, n;
	FILE *f;

	if (system("command -v iasl >/dev/null 2>&1"))
		test_skip("iasl (package acpica-tools) is not installed");
	ASSERT(acpi_build(area, sizeof(area), BOOT_ACPI_ADDR, 1));
	dsdt = table(get32(xsdt_entry(0, "FACP") + 40), "DSDT");
	ASSERT(mkdtemp(dir));
	ASSERT_EQ(chdir(dir), 0);
	f = fopen("dsdt.aml", "w");
	ASSERT(f);
	EXPECT_EQ(fwrite(dsdt, 1, get32(dsdt + 4), f), get32(dsdt + 4));
	fclose(f);
	EXPECT_EQ(system("iasl -d dsdt.aml >log 2>&1 && ! grep -iE 'error|warning' log && iasl -we dsdt.dsl >log 2>&1"), 0);
	f = fopen("dsdt.dsl", "r");
	ASSERT(f);
	n = fread(listing, 1, sizeof(listing) - 1, f);
	listing[n] = 0;
	fclose(f);
	for (i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!EXPECT(strstr(listing, wanted[i])))
			test_note("'%s' is not in iasl's listing", wanted[i]);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	EXPECT_EQ(system(command), 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(chain_of_tables), TEST(fadt_names_the_registers),
		TEST(madt_has_every_vcpu), TEST(mcfg_names_the_bus),
		TEST(too_small_an_area_is_told),
		TEST(aml_never_overflows), TEST(aml_encodings),
		TEST(iasl_agrees),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}

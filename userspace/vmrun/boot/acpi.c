// SPDX-License-Identifier: GPL-2.0
/*
 * RSDP, XSDT, FADT, FACS, MADT, MCFG and DSDT, after the ACPI specification 6.0.
 * The machine has ACPI's fixed hardware rather than the hardware-reduced
 * model: a Linux that was not started by EFI cannot restart a machine of the
 * latter kind. It has no 8042, VGA, PIC, PIT or HPET, and says so.
 * Called by machine.c. Port numbers are dev/power.h's.
 */
#include <string.h>

#include "../dev/ioapic.h"
#include "../dev/pci.h"
#include "../dev/power.h"
#include "../dev/rtc.h"
#include "acpi.h"
#include "aml.h"

#define OEM_ID			"KVIRT "
#define OEM_TABLE_ID		"VMRUN   "
#define CREATOR_ID		"KVRT"
#define TABLE_ALIGN		64	/* FACS wants it, the others do not mind */

#define LAPIC_ADDR		0xfee00000u

#define FADT_WBINVD		BIT(0)
#define FADT_PROC_C1		BIT(2)
#define FADT_NO_SLEEP_BUTTON	BIT(5)
#define FADT_NO_FIXED_RTC	BIT(6)
#define FADT_RESET_REG		BIT(10)
#define FADT_BOOT_NO_VGA	BIT(2)
#define FADT_NO_C2		101	/* latencies that mean "not there" */
#define FADT_NO_C3		1001

#define GAS_IO			1

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4 };
#define MADT_ENABLED		BIT(0)
#define MADT_LEVEL_HIGH		0x000d
#define MADT_ALL_PROCESSORS	0xff
#define MADT_LINT1		1

struct table_header {
	char signature[4];
	u32 length;
	u8 revision;
	u8 checksum;
	char oem_id[6];
	char oem_table_id[8];
	u32 oem_revision;
	char creator_id[4];
	u32 creator_revision;
} __packed;

struct rsdp {
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 extended_checksum;
	u8 reserved[3];
} __packed;

struct xsdt {
	struct table_header header;
	u64 fadt;
	u64 madt;
	u64 mcfg;
} __packed;

struct facs {
	char signature[4];
	u32 length;
	u8 rest[56];
} __packed;

struct gas {
	u8 space;
	u8 bit_width;
	u8 bit_offset;
	u8 access_size;
	u64 address;
} __packed;

struct fadt {
	struct table_header header;
	u32 facs;
	u32 dsdt;
	u8 reserved0;
	u8 preferred_profile;
	u16 sci_interrupt;
	u32 smi_command;
	u8 acpi_enable, acpi_disable, s4bios, pstate_control;
	u32 pm1a_event, pm1b_event, pm1a_control, pm1b_control;
	u32 pm2_control, pm_timer, gpe0, gpe1;
	u8 pm1_event_len, pm1_control_len, pm2_control_len, pm_timer_len;
	u8 gpe0_len, gpe1_len, gpe1_base, cst_control;
	u16 c2_latency, c3_latency, flush_size, flush_stride;
	u8 duty_offset, duty_width, day_alarm, month_alarm, century;
	u16 boot_arch;
	u8 reserved1;
	u32 flags;
	struct gas reset_reg;
	u8 reset_value;
	u16 arm_boot_arch;
	u8 minor_version;
	u64 x_facs, x_dsdt;
	struct gas x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control;
	struct gas x_pm2_control, x_pm_timer, x_gpe0, x_gpe1;
	struct gas sleep_control, sleep_status;
	u64 hypervisor_id;
} __packed;

struct madt {
	struct table_header header;
	u32 lapic_addr;
	u32 flags;
} __packed;

struct madt_lapic {
	u8 type, length, processor_uid, apic_id;
	u32 flags;
} __packed;

struct madt_ioapic {
	u8 type, length, id, reserved;
	u32 address, gsi_base;
} __packed;

struct madt_override {
	u8 type, length, bus, source;
	u32 gsi;
	u16 flags;
} __packed;

struct madt_lapic_nmi {
	u8 type, length, processor_uid;
	u16 flags;
	u8 lint;
} __packed;

/* PCI Firmware specification 3.0, section 4.1.2: one range of buses. */
struct mcfg {
	struct table_header header;
	u8 reserved[8];
	u64 base;
	u16 segment;
	u8 first_bus, last_bus;
	u32 reserved1;
} __packed;

_Static_assert(sizeof(struct mcfg) == 60, "MCFG with one range");
_Static_assert(sizeof(struct rsdp) == 36, "RSDP of ACPI 2.0 and later");
_Static_assert(sizeof(struct facs) == 64, "FACS");
_Static_assert(sizeof(struct fadt) == 276, "FADT of ACPI 6.0");
_Static_assert(sizeof(struct madt) == 44, "MADT");

/* Where the tables grow, one behind the other. */
struct area {
	u8 *buf;
	u32 size;
	u32 len;
	u64 guest_addr;
	bool overflow;
};

static void *reserve(struct area *area, u32 len, u64 *guest_addr)
{
	u32 start = align_up(area->len, TABLE_ALIGN);

	if (area->overflow || start > area->size || len > area->size - start) {
		area->overflow = true;
		return NULL;
	}
	area->len = start + len;
	*guest_addr = area->guest_addr + start;
	return memset(area->buf + start, 0, len);
}

static u8 checksum(const void *data, u32 len)
{
	const u8 *p = data;
	u8 sum = 0;

	while (len--)
		sum += *p++;
	return -sum;
}

/* @table is complete but for its header. */
static void seal(void *table, const char *signature, u8 revision, u32 len)
{
	struct table_header *h = table;

	memcpy(h->signature, signature, sizeof(h->signature));
	h->length = len;
	h->revision = revision;
	h->checksum = 0;
	memcpy(h->oem_id, OEM_ID, sizeof(h->oem_id));
	memcpy(h->oem_table_id, OEM_TABLE_ID, sizeof(h->oem_table_id));
	h->oem_revision = 1;
	memcpy(h->creator_id, CREATOR_ID, sizeof(h->creator_id));
	h->creator_revision = 1;
	h->checksum = checksum(table, len);
}

/* The host bridge, and the addresses of ECAM, which are nobody else's. */
static void build_pci(struct aml *aml)
{
	u32 device, resources;

	device = aml_device_begin(aml, "PCI0");
	aml_name_eisa_id(aml, "_HID", "PNP0A08");
	aml_name_eisa_id(aml, "_CID", "PNP0A03");
	aml_name_integer(aml, "_UID", 0);
	aml_name_integer(aml, "_SEG", 0);
	aml_name_integer(aml, "_BBN", 0);
	resources = aml_resources_begin(aml);
	aml_resource_bus_numbers(aml, 0, 0);
	aml_resource_io(aml, PCI_CONFIG_PORT, PCI_CONFIG_PORTS);
	aml_resource_memory_window(aml, PCI_WINDOW_BASE, PCI_WINDOW_SIZE);
	aml_resources_end(aml, resources);
	aml_end(aml, device);

	device = aml_device_begin(aml, "ECAM");
	aml_name_eisa_id(aml, "_HID", "PNP0C02");
	aml_name_integer(aml, "_UID", 0);
	resources = aml_resources_begin(aml);
	aml_resource_memory(aml, PCI_ECAM_BASE, PCI_ECAM_SIZE);
	aml_resources_end(aml, resources);
	aml_end(aml, device);
}

/* The namespace: how to power off, the PCI bus, the serial port, the clock, pvpanic. */
static void build_dsdt_body(struct aml *aml)
{
	static const u8 s5[] = { POWER_SLEEP_S5, POWER_SLEEP_S5, 0, 0 };
	u32 scope, device;

	aml_name_package(aml, "\\_S5_", s5, sizeof(s5));
	scope = aml_scope_begin(aml, "\\_SB_");
	build_pci(aml);

	device = aml_device_begin(aml, "COM1");
	aml_name_eisa_id(aml, "_HID", "PNP0501");
	aml_name_integer(aml, "_UID", 1);
	aml_name_integer(aml, "_STA", 0x0f);
	aml_name_resources(aml, ACPI_COM1_PORT, 8, ACPI_COM1_IRQ);
	aml_end(aml, device);

	device = aml_device_begin(aml, "RTC0");
	aml_name_eisa_id(aml, "_HID", "PNP0B00");
	aml_name_resources(aml, RTC_PORT, RTC_PORTS, 0);
	aml_end(aml, device);

	device = aml_device_begin(aml, "PEVT");
	aml_name_string(aml, "_HID", "QEMU0001");
	aml_name_integer(aml, "_STA", 0x0f);
	aml_name_resources(aml, PVPANIC_PORT, 1, 0);
	aml_end(aml, device);

	aml_end(aml, scope);
}

static u64 build_dsdt(struct area *area)
{
	u8 body[512];
	struct aml aml;
	u64 addr = 0;
	u8 *table;

	aml_init(&aml, body, sizeof(body));
	build_dsdt_body(&aml);
	area->overflow |= aml.overflow;
	table = reserve(area, sizeof(struct table_header) + aml.len, &addr);
	if (!table)
		return 0;
	memcpy(table + sizeof(struct table_header), body, aml.len);
	seal(table, "DSDT", 2, sizeof(struct table_header) + aml.len);
	return addr;
}

static u64 build_facs(struct area *area)
{
	u64 addr = 0;
	struct facs *facs = reserve(area, sizeof(*facs), &addr);

	if (!facs)
		return 0;
	memcpy(facs->signature, "FACS", sizeof(facs->signature));
	facs->length = sizeof(*facs);
	facs->rest[24] = 2;	/* version */
	return addr;
}

static struct gas io_gas(u16 port, u8 bytes)
{
	return (struct gas){
		.space = GAS_IO, .bit_width = bytes * 8,
		.access_size = bytes == 1 ? 1 : 2, .address = port,
	};
}

static u64 build_fadt(struct area *area, u64 dsdt, u64 facs)
{
	u64 addr = 0;
	struct fadt *fadt = reserve(area, sizeof(*fadt), &addr);

	if (!fadt)
		return 0;
	fadt->facs = facs;
	fadt->dsdt = dsdt;
	fadt->x_dsdt = dsdt;
	fadt->sci_interrupt = POWER_SCI;
	fadt->pm1a_event = POWER_PM1_EVENT;
	fadt->pm1_event_len = 4;
	fadt->x_pm1a_event = io_gas(POWER_PM1_EVENT, 4);
	fadt->pm1a_control = POWER_PM1_CONTROL;
	fadt->pm1_control_len = 2;
	fadt->x_pm1a_control = io_gas(POWER_PM1_CONTROL, 2);
	fadt->c2_latency = FADT_NO_C2;
	fadt->c3_latency = FADT_NO_C3;
	fadt->boot_arch = FADT_BOOT_NO_VGA;
	fadt->century = RTC_CENTURY;
	/* The power button is there: its flag says that it is not of the fixed hardware. */
	fadt->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLEEP_BUTTON |
		      FADT_NO_FIXED_RTC | FADT_RESET_REG;
	fadt->reset_reg = io_gas(POWER_RESET, 1);
	fadt->reset_value = POWER_RESET_VALUE;
	seal(fadt, "FACP", 6, sizeof(*fadt));
	return addr;
}

static u64 build_madt(struct area *area, unsigned int nr_vcpus)
{
	u32 len = sizeof(struct madt) + nr_vcpus * sizeof(struct madt_lapic) +
		  sizeof(struct madt_ioapic) + sizeof(struct madt_override) +
		  sizeof(struct madt_lapic_nmi);
	u64 addr = 0;
	u8 *table = reserve(area, len, &addr), *p = table;
	unsigned int i;

	if (!table)
		return 0;
	*(struct madt *)p = (struct madt){ .lapic_addr = LAPIC_ADDR };
	p += sizeof(struct madt);
	for (i = 0; i < nr_vcpus; i++, p += sizeof(struct madt_lapic))
		*(struct madt_lapic *)p = (struct madt_lapic){
			MADT_LAPIC, sizeof(struct madt_lapic), i, i, MADT_ENABLED,
		};
	*(struct madt_ioapic *)p = (struct madt_ioapic){
		MADT_IOAPIC, sizeof(struct madt_ioapic), 0, 0, IOAPIC_BASE, 0,
	};
	p += sizeof(struct madt_ioapic);
	*(struct madt_override *)p = (struct madt_override){
		MADT_OVERRIDE, sizeof(struct madt_override), 0, POWER_SCI,
		POWER_SCI, MADT_LEVEL_HIGH,
	};
	p += sizeof(struct madt_override);
	*(struct madt_lapic_nmi *)p = (struct madt_lapic_nmi){
		MADT_LAPIC_NMI, sizeof(struct madt_lapic_nmi),
		MADT_ALL_PROCESSORS, 0, MADT_LINT1,
	};
	seal(table, "APIC", 4, len);
	return addr;
}

static u64 build_mcfg(struct area *area)
{
	u64 addr = 0;
	struct mcfg *mcfg = reserve(area, sizeof(*mcfg), &addr);

	if (!mcfg)
		return 0;
	mcfg->base = PCI_ECAM_BASE;
	seal(mcfg, "MCFG", 1, sizeof(*mcfg));
	return addr;
}

u32 acpi_build(u8 *buf, u32 size, u64 guest_addr, unsigned int nr_vcpus)
{
	struct area area = { .buf = buf, .size = size, .guest_addr = guest_addr };
	u64 rsdp_addr = 0, xsdt_addr = 0, dsdt;
	struct rsdp *rsdp = reserve(&area, sizeof(*rsdp), &rsdp_addr);
	struct xsdt *xsdt = reserve(&area, sizeof(*xsdt), &xsdt_addr);

	if (!rsdp || !xsdt)
		return 0;
	dsdt = build_dsdt(&area);
	xsdt->fadt = build_fadt(&area, dsdt, build_facs(&area));
	xsdt->madt = build_madt(&area, nr_vcpus);
	xsdt->mcfg = build_mcfg(&area);
	if (area.overflow)
		return 0;
	seal(xsdt, "XSDT", 1, sizeof(*xsdt));

	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, OEM_ID, sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = xsdt_addr;
	/* The first checksum covers what ACPI 1.0 knew. */
	rsdp->checksum = checksum(rsdp, 20);
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
	return area.len;
}

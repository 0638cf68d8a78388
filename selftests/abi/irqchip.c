// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls of the full irqchip, without a guest: creation in every order, GET and SET, routes to chips, every errno. What the
 * chips do is irq/irqchip.c's.
 */
#include <stdlib.h>

#include "vm.h"

#define BAD_POINTER	((void *)0x10ul)

static struct vm *bare_irqchip(void)
{
	struct vm *vm = vm_bare();

	ASSERT_OK(ioctl(vm->fd, KVIRT_CREATE_IRQCHIP, 0));
	return vm;
}

static struct vm *bare_pit(void)
{
	struct vm *vm = bare_irqchip();

	ASSERT_OK(ioctl(vm->fd, KVIRT_CREATE_PIT, 0));
	return vm;
}

static void capabilities(void)
{
	EXPECT_EQ(dev_cap(KVIRT_CAP_IRQCHIP), 1);
	EXPECT_EQ(dev_cap(KVIRT_CAP_PIT), 1);
	EXPECT_EQ(dev_cap(KVIRT_CAP_PIT2), 1);
	EXPECT_EQ(dev_cap(KVIRT_CAP_PIT_STATE2), 1);
	EXPECT_EQ(dev_cap(KVIRT_CAP_REINJECT_CONTROL), 1);
	EXPECT_EQ(dev_cap(KVIRT_CAP_IRQ_INJECT_STATUS), 1);
	EXPECT_EQ(dev_cap(KVIRT_CAP_IOAPIC_POLARITY_IGNORED), 1);
}

static void creation(void)
{
	struct kvirt_pit_config config = { 0 };
	struct vm *vm = bare_irqchip();

	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_IRQCHIP, 0), EEXIST);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24), EEXIST);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_PIT2, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_PIT2, BAD_POINTER), EFAULT);
	config.flags = ~0u;					/* unknown flags are ignored */
	EXPECT_OK(ioctl(vm->fd, KVIRT_CREATE_PIT2, &config));
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_PIT2, &config), EEXIST);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_PIT, 0), EEXIST);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_IRQCHIP, 0), EEXIST);

	vm = vm_bare();
	vcpu_bare(vm, 0);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_IRQCHIP, 0), EINVAL);
	vm = vm_bare();
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_SPLIT_IRQCHIP, 24));
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_CREATE_IRQCHIP, 0), EEXIST);
	/* The PIT may come after the vCPUs. */
	vm = bare_irqchip();
	vcpu_bare(vm, 0);
	EXPECT_OK(ioctl(vm->fd, KVIRT_CREATE_PIT, 0));
}

static void without(void)
{
	struct vm *vms[] = { vm_bare(), vm_bare() };
	struct kvirt_reinject_control control = { 0 };
	struct kvirt_irqchip chip = { 0 };
	struct kvirt_pit_state2 state2 = { 0 };
	struct kvirt_pit_state state = { 0 };

	ASSERT_OK(vm_enable(vms[1], KVIRT_CAP_SPLIT_IRQCHIP, 24));
	for (int i = 0; i < 2; i++) {
		EXPECT_ERRNO(ioctl(vms[i]->fd, KVIRT_GET_IRQCHIP, &chip), ENXIO);
		EXPECT_ERRNO(ioctl(vms[i]->fd, KVIRT_SET_IRQCHIP, &chip), ENXIO);
		EXPECT_ERRNO(ioctl(vms[i]->fd, KVIRT_GET_PIT, &state), ENXIO);
		EXPECT_ERRNO(ioctl(vms[i]->fd, KVIRT_SET_PIT, &state), ENXIO);
		EXPECT_ERRNO(ioctl(vms[i]->fd, KVIRT_GET_PIT2, &state2), ENXIO);
		EXPECT_ERRNO(ioctl(vms[i]->fd, KVIRT_SET_PIT2, &state2), ENXIO);
		EXPECT_ERRNO(ioctl(vms[i]->fd, KVIRT_REINJECT_CONTROL, &control), ENXIO);
	}
}

/* KVM before 6.10 or so makes a PIT that has no line. */
static void pit_without_pic(void)
{
	struct vm *vm = vm_bare();

	errno = 0;
	EXPECT(!ioctl(vm->fd, KVIRT_CREATE_PIT, 0) || errno == ENOENT);
}

static void bad_calls(void)
{
	struct vm *vm = bare_pit();
	struct kvirt_irqchip chip = { .chip_id = KVIRT_NR_IRQCHIPS };

	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_GET_IRQCHIP, &chip), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_IRQCHIP, &chip), EINVAL);
	chip.chip_id = -1u;
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_GET_IRQCHIP, &chip), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_IRQCHIP, &chip), EINVAL);
	for (int i = 0; i < 2; i++) {
		void *bad = i ? BAD_POINTER : NULL;

		EXPECT_ERRNO(ioctl(vm->fd, KVIRT_GET_IRQCHIP, bad), EFAULT);
		EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_IRQCHIP, bad), EFAULT);
		EXPECT_ERRNO(ioctl(vm->fd, KVIRT_GET_PIT, bad), EFAULT);
		EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_PIT, bad), EFAULT);
		EXPECT_ERRNO(ioctl(vm->fd, KVIRT_GET_PIT2, bad), EFAULT);
		EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_PIT2, bad), EFAULT);
		EXPECT_ERRNO(ioctl(vm->fd, KVIRT_REINJECT_CONTROL, bad), EFAULT);
	}
}

static void interrupts(void)
{
	struct vcpu *vcpu = vcpu_bare(bare_irqchip(), 0);
	struct kvirt_interrupt i = { 0x31 };

	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_INTERRUPT, &i), ENXIO);
	i.irq = 256;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_INTERRUPT, &i), EINVAL);
}

static struct kvirt_irqchip get_chip(struct vm *vm, uint32_t id)
{
	struct kvirt_irqchip chip = { .chip_id = id };

	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_IRQCHIP, &chip));
	return chip;
}

static void reset_state(void)
{
	struct vm *vm = bare_pit();
	struct kvirt_irqchip chip;
	struct kvirt_pit_state2 pit;

	for (uint32_t id = 0; id < 2; id++) {
		chip = get_chip(vm, id);
		EXPECT_EQ(chip.chip.pic.elcr_mask, id ? 0xde : 0xf8);
		EXPECT_EQ(chip.chip.pic.imr, 0);
		EXPECT_EQ(chip.chip.pic.irr, 0);
		EXPECT_EQ(chip.chip.pic.init_state, 0);
	}
	chip = get_chip(vm, KVIRT_IRQCHIP_IOAPIC);
	EXPECT_EQ(chip.chip.ioapic.base_address, 0xfec00000);
	EXPECT_EQ(chip.chip.ioapic.irr, 0);
	for (int pin = 0; pin < KVIRT_IOAPIC_NUM_PINS; pin++)
		EXPECT_EQ(chip.chip.ioapic.redirtbl[pin].bits, 1u << 16);
	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_PIT2, &pit));
	EXPECT_EQ(pit.flags, 0);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(pit.channels[i].count, 0x10000);
		EXPECT_EQ(pit.channels[i].mode, 0xff);
		EXPECT_EQ(pit.channels[i].gate, i != 2);
	}
}

/* GET, SET into a new VM, GET: the same. */
static void chips_move(void)
{
	for (uint32_t id = 0; id < KVIRT_NR_IRQCHIPS; id++) {
		struct vm *vm = bare_pit();
		struct kvirt_irqchip chip = get_chip(vm, id), again;

		if (id == KVIRT_IRQCHIP_IOAPIC) {
			chip.chip.ioapic.ioregsel = 0x13;
			chip.chip.ioapic.id = 5;
			for (int pin = 0; pin < KVIRT_IOAPIC_NUM_PINS; pin++)
				chip.chip.ioapic.redirtbl[pin].bits = (uint64_t)pin << 56 | 0x18041 | pin << 8 % 3;
		} else {
			chip.chip.pic = (struct kvirt_pic_state){
				.last_irr = 0x10, .irr = 0x10, .imr = 0xfb, .isr = 0x20, .priority_add = 3, .irq_base = 0x48,
				.read_reg_select = 1, .special_mask = 1, .init_state = 2, .auto_eoi = 1, .rotate_on_auto_eoi = 1,
				.special_fully_nested_mode = 1, .init4 = 1, .elcr = 0x08, .elcr_mask = id ? 0xde : 0xf8,
			};
		}
		ASSERT_OK(ioctl(vm->fd, KVIRT_SET_IRQCHIP, &chip));
		again = get_chip(vm, id);
		EXPECT(!memcmp(&again, &chip, sizeof(chip)));
		vm = bare_pit();
		ASSERT_OK(ioctl(vm->fd, KVIRT_SET_IRQCHIP, &again));
		again = get_chip(vm, id);
		EXPECT(!memcmp(&again, &chip, sizeof(chip)));
	}
}

static void pit_moves(void)
{
	struct kvirt_pit_state2 a, b;
	struct kvirt_pit_state old;
	struct vm *vm = bare_pit();

	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_PIT2, &a));
	for (int i = 0; i < 3; i++) {
		a.channels[i] = (struct kvirt_pit_channel_state){
			.count = 60000 + i, .latched_count = 0x1234, .count_latched = 3, .status_latched = 1, .status = 0x34,
			.read_state = 4, .write_state = 3, .write_latch = 0x56, .rw_mode = 3, .mode = 2, .bcd = 1, .gate = 1,
		};
	}
	a.flags = KVIRT_PIT_FLAGS_SPEAKER_DATA_ON;
	for (int i = 0; i < 2; i++) {
		ASSERT_OK(ioctl(vm->fd, KVIRT_SET_PIT2, &a));
		ASSERT_OK(ioctl(vm->fd, KVIRT_GET_PIT2, &b));
		for (int c = 0; c < 3; c++)	/* it counts from the SET on */
			b.channels[c].count_load_time = a.channels[c].count_load_time;
		EXPECT(!memcmp(&a, &b, sizeof(a)));
		a = b;
		vm = bare_pit();
	}
	/* The older form has no flags, and leaves them. */
	ASSERT_OK(ioctl(vm->fd, KVIRT_SET_PIT2, &a));
	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_PIT, &old));
	EXPECT_EQ(old.channels[1].count, 60001);
	old.channels[1].count = 777;
	ASSERT_OK(ioctl(vm->fd, KVIRT_SET_PIT, &old));
	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_PIT2, &b));
	EXPECT_EQ(b.channels[1].count, 777);
	EXPECT_EQ(b.flags, KVIRT_PIT_FLAGS_SPEAKER_DATA_ON);
}

/* Nonsense is taken, and nothing comes of it but nonsense. */
static void hostile_state(void)
{
	struct vm *vm = bare_pit();
	struct kvirt_pit_state2 pit;
	struct kvirt_irqchip chip;

	for (uint32_t id = 0; id < KVIRT_NR_IRQCHIPS; id++) {
		memset(&chip, 0xff, sizeof(chip));
		chip.chip_id = id;
		if (id == KVIRT_IRQCHIP_IOAPIC)	/* its page is where it is */
			chip.chip.ioapic.base_address = 0xfec00000;
		EXPECT_OK(ioctl(vm->fd, KVIRT_SET_IRQCHIP, &chip));
		EXPECT_OK(ioctl(vm->fd, KVIRT_GET_IRQCHIP, &chip));
	}
	memset(&pit, 0xff, sizeof(pit));
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_PIT2, &pit));
	EXPECT_OK(ioctl(vm->fd, KVIRT_GET_PIT2, &pit));
}

static void set_route(struct kvirt_irq_routing_entry *e, uint32_t gsi, uint32_t chip, uint32_t pin)
{
	*e = (struct kvirt_irq_routing_entry){ .gsi = gsi, .type = KVIRT_IRQ_ROUTING_IRQCHIP, .u.irqchip = { chip, pin } };
}

static void routing(void)
{
	struct kvirt_irq_routing *r = calloc(1, sizeof(*r) + 4 * sizeof(r->entries[0]));
	struct vm *vm = bare_irqchip();

	ASSERT(r);
	r->nr = 4;
#define TRY(change, expectation)					\
	do {								\
		set_route(&r->entries[0], 0, KVIRT_IRQCHIP_IOAPIC, 2);	\
		set_route(&r->entries[1], 0, KVIRT_IRQCHIP_PIC_MASTER, 0);	\
		set_route(&r->entries[2], 9, KVIRT_IRQCHIP_PIC_SLAVE, 7);	\
		set_route(&r->entries[3], 9, KVIRT_IRQCHIP_IOAPIC, 23);	\
		change;							\
		expectation;						\
	} while (0)
#define REFUSED(change)	TRY(change, EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r), EINVAL))
#define TAKEN(change)	TRY(change, EXPECT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, r)))
	TAKEN();
	TAKEN(r->entries[3].gsi = 4095);
	TAKEN(r->entries[3].gsi = 10);
	TAKEN(r->entries[1].u.irqchip.irqchip = KVIRT_IRQCHIP_PIC_SLAVE);
	REFUSED(r->entries[0].u.irqchip.pin = 24);
	REFUSED(r->entries[1].u.irqchip.pin = 8);
	REFUSED(r->entries[2].u.irqchip.pin = 8);
	REFUSED(r->entries[2].u.irqchip.pin = -1u);
	REFUSED(r->entries[0].u.irqchip.irqchip = KVIRT_NR_IRQCHIPS);
	REFUSED(r->entries[0].u.irqchip.irqchip = -1u);
	REFUSED(r->entries[0].flags = 1);
	REFUSED(r->entries[0].type = 0);
	REFUSED(r->entries[0].gsi = 4096);
	/* Twice to one chip; to a chip and a message. */
	REFUSED(r->entries[3].u.irqchip.irqchip = KVIRT_IRQCHIP_PIC_SLAVE; r->entries[3].u.irqchip.pin = 1);
	REFUSED(r->entries[1].type = KVIRT_IRQ_ROUTING_MSI);
	REFUSED(r->entries[0].type = KVIRT_IRQ_ROUTING_MSI);
#undef REFUSED
#undef TAKEN
#undef TRY
}

static int line(struct vm *vm, uint32_t gsi, uint32_t level)
{
	struct kvirt_irq_level l = { .irq = gsi, .level = level };

	ASSERT_OK(ioctl(vm->fd, KVIRT_IRQ_LINE_STATUS, &l));
	return l.status;
}

/* Lines without a vCPU: where GSIs lead by themselves, and what the answer is. */
static void lines(void)
{
	struct vm *vm = bare_irqchip();

	EXPECT_EQ(line(vm, 3, 1), 1);		/* the 8259; the I/O APIC's pin is masked */
	EXPECT_EQ(get_chip(vm, 0).chip.pic.irr, 8);
	EXPECT_EQ(get_chip(vm, 2).chip.ioapic.irr, 8);
	EXPECT_EQ(line(vm, 3, 0), 2);
	EXPECT_EQ(get_chip(vm, 0).chip.pic.irr, 8);
	EXPECT_EQ(get_chip(vm, 2).chip.ioapic.irr, 0);
	EXPECT_EQ(line(vm, 3, 1), 0);		/* merges */
	EXPECT_EQ(line(vm, 12, 1), 1);
	EXPECT_EQ(get_chip(vm, 1).chip.pic.irr, 0x10);
	EXPECT_EQ(get_chip(vm, 0).chip.pic.irr, 0x0c);
	EXPECT_EQ(line(vm, 16, 1), -1);
	EXPECT_EQ(get_chip(vm, 2).chip.ioapic.irr, 0x11008);
	EXPECT_EQ(line(vm, 16, 0), 1);
	EXPECT_EQ(line(vm, 24, 1), -1);
	EXPECT_EQ(line(vm, -1u, 1), -1);
}

/* GSIs 0 to 15 are pins of both kinds of chip, 16 to 23 of the I/O APIC alone. */
static void default_routes(void)
{
	for (uint32_t gsi = 0; gsi < 24; gsi++) {
		struct vm *vm = bare_irqchip();
		uint32_t pins;

		line(vm, gsi, 1);
		EXPECT_EQ(get_chip(vm, KVIRT_IRQCHIP_IOAPIC).chip.ioapic.irr, 1u << gsi);
		pins = get_chip(vm, 0).chip.pic.irr | get_chip(vm, 1).chip.pic.irr << 8;
		/* The master's pin 2 is the slave's INT. KVM lets GSI 2 raise it, too; here it has no other wire. */
		if (gsi == 2)
			pins &= ~4u;
		EXPECT_EQ(pins, gsi >= 16 || gsi == 2 ? 0 : gsi >= 8 ? 1u << gsi | 4 : 1u << gsi);
		vm_free(vm);
	}
}

static const struct test tests[] = {
	TEST(capabilities),
	TEST(creation),
	TEST(without),
	TEST(pit_without_pic),
	TEST(bad_calls),
	TEST(interrupts),
	TEST(reset_state),
	TEST(chips_move),
	TEST(pit_moves),
	TEST(hostile_state),
	TEST(routing),
	TEST(lines),
	TEST(default_routes),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

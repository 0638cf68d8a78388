// SPDX-License-Identifier: GPL-2.0
/*
 * What irq.c, virtio/pci.c and gdb/ call of kvirt.c. Every unit test is linked with it.
 */
#include <string.h>

#include "fake_kvirt.h"

struct fake_kvirt fake;
struct fake_vcpu fake_vcpu[FAKE_VCPUS];

void kvirt_set_routes(struct kvirt *kvirt, const struct kvirt_route *route, unsigned int nr)
{
	(void)kvirt;
	memcpy(fake.route, route, nr * sizeof(*route));
	fake.nr_routes = nr;
	fake.routes_set++;
}

void kvirt_signal_msi(struct kvirt *kvirt, u32 address, u32 data)
{
	(void)kvirt;
	(void)address;
	(void)data;
	fake.messages++;
}

int kvirt_assign_irqfd(struct kvirt *kvirt, int fd, u32 gsi, struct vm_error *err)
{
	(void)kvirt;
	if (fake.nr_irqfds == FAKE_MAX)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "no more");
	fake.irqfd[fake.nr_irqfds].fd = fd;
	fake.irqfd[fake.nr_irqfds++].gsi = gsi;
	return 0;
}

void kvirt_deassign_irqfd(struct kvirt *kvirt, int fd, u32 gsi)
{
	unsigned int i;

	(void)kvirt;
	for (i = 0; i < fake.nr_irqfds; i++)
		if (fake.irqfd[i].fd == fd && fake.irqfd[i].gsi == gsi) {
			fake.irqfd[i] = fake.irqfd[--fake.nr_irqfds];
			return;
		}
}

int kvirt_assign_doorbell(struct kvirt *kvirt, int fd, u64 addr)
{
	(void)kvirt;
	if (fake.nr_doorbells == FAKE_MAX || fake.no_doorbells)
		return -1;
	fake.doorbell[fake.nr_doorbells].fd = fd;
	fake.doorbell[fake.nr_doorbells++].addr = addr;
	return 0;
}

void kvirt_deassign_doorbell(struct kvirt *kvirt, int fd, u64 addr)
{
	unsigned int i;

	(void)kvirt;
	for (i = 0; i < fake.nr_doorbells; i++)
		if (fake.doorbell[i].fd == fd && fake.doorbell[i].addr == addr) {
			fake.doorbell[i] = fake.doorbell[--fake.nr_doorbells];
			return;
		}
}

int fake_doorbell(u64 addr)
{
	unsigned int i;

	for (i = 0; i < fake.nr_doorbells; i++)
		if (fake.doorbell[i].addr == addr)
			return fake.doorbell[i].fd;
	return -1;
}

static int refuse(struct vm_error *err)
{
	return fake.refuses ? vm_fail(err, VM_STATUS_FAILURE, NULL, "refused") : 0;
}

int kvirt_get_regs(struct kvirt_vcpu *vcpu, struct kvirt_regs *regs, struct vm_error *err)
{
	*regs = fake_vcpu[vcpu->fd].regs;
	return refuse(err);
}

int kvirt_set_regs(struct kvirt_vcpu *vcpu, const struct kvirt_regs *regs, struct vm_error *err)
{
	fake_vcpu[vcpu->fd].regs = *regs;
	fake_vcpu[vcpu->fd].regs_set++;
	return refuse(err);
}

int kvirt_get_sregs(struct kvirt_vcpu *vcpu, struct kvirt_sregs *sregs, struct vm_error *err)
{
	*sregs = fake_vcpu[vcpu->fd].sregs;
	return refuse(err);
}

int kvirt_set_sregs(struct kvirt_vcpu *vcpu, const struct kvirt_sregs *sregs, struct vm_error *err)
{
	fake_vcpu[vcpu->fd].sregs = *sregs;
	fake_vcpu[vcpu->fd].sregs_set++;
	return refuse(err);
}

int kvirt_get_xsave(struct kvirt_vcpu *vcpu, u8 *area, struct vm_error *err)
{
	memcpy(area, fake_vcpu[vcpu->fd].xsave, KVIRT_XSAVE_SIZE);
	return refuse(err);
}

int kvirt_set_xsave(struct kvirt_vcpu *vcpu, const u8 *area, struct vm_error *err)
{
	memcpy(fake_vcpu[vcpu->fd].xsave, area, KVIRT_XSAVE_SIZE);
	fake_vcpu[vcpu->fd].xsave_set++;
	return refuse(err);
}

int kvirt_get_msr(struct kvirt_vcpu *vcpu, u32 index, u64 *value)
{
	*value = fake_vcpu[vcpu->fd].kernel_gs_base;
	return index == 0xc0000102 ? 0 : -1;
}

int kvirt_set_msr(struct kvirt_vcpu *vcpu, u32 index, u64 value)
{
	fake_vcpu[vcpu->fd].kernel_gs_base = value;
	return index == 0xc0000102 && !fake.refuses ? 0 : -1;
}

int kvirt_set_debug(struct kvirt_vcpu *vcpu, const struct kvirt_guest_debug *debug)
{
	fake_vcpu[vcpu->fd].debug = *debug;
	fake_vcpu[vcpu->fd].debug_set++;
	return fake.refuses ? -1 : 0;
}

void kvirt_was_paused(struct kvirt_vcpu *vcpu)
{
	fake_vcpu[vcpu->fd].was_paused++;
}

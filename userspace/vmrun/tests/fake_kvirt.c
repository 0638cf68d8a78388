// SPDX-License-Identifier: GPL-2.0
/*
 * What irq.c and virtio/pci.c call of kvirt.c. Every unit test is linked with it.
 */
#include <string.h>

#include "fake_kvirt.h"

struct fake_kvirt fake;

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

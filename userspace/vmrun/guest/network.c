// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's interfaces: the loopback, and the first network card when the plan gives
 * it an address, as user networking has it (no DHCP client is needed for that). Called by
 * init.c, in the guest's own root.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"

#define CARD		"eth0"
#define RESOLV_CONF	"/etc/resolv.conf"

static bool set_address(struct sockaddr *to, const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, text, &in.sin_addr) != 1)
		return false;
	memcpy(to, &in, sizeof(in));
	return true;
}

static void bring_up(int fd, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP | IFF_RUNNING };

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	ioctl(fd, SIOCSIFFLAGS, &ifr);
}

static void set_card(int fd, const struct plan_net *net)
{
	struct ifreq ifr = { .ifr_name = CARD };
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY };

	if (!set_address(&ifr.ifr_addr, net->address) || ioctl(fd, SIOCSIFADDR, &ifr) ||
	    !set_address(&ifr.ifr_netmask, net->netmask) || ioctl(fd, SIOCSIFNETMASK, &ifr))
		return;
	bring_up(fd, CARD);
	if (set_address(&route.rt_gateway, net->gateway) && set_address(&route.rt_dst, "0.0.0.0") &&
	    set_address(&route.rt_genmask, "0.0.0.0"))
		ioctl(fd, SIOCADDRT, &route);
}

/* The host's may be a link into its /run; and its resolver is not ours. */
static void set_nameserver(const char *address)
{
	FILE *file;

	unlink(RESOLV_CONF);
	file = fopen(RESOLV_CONF, "we");
	if (!file)
		return;
	fprintf(file, "nameserver %s\n", address);
	fclose(file);
}

void network_start(const struct plan_net *net)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* A kernel without a network has no loopback either. */
	if (fd < 0)
		return;
	bring_up(fd, "lo");
	if (net->address) {
		set_card(fd, net);
		set_nameserver(net->nameserver);
	}
	close(fd);
}

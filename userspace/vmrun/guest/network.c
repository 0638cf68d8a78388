// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's interfaces: the loopback, and the first network card when the plan gives
 * it an address, as user networking has it (no DHCP client is needed for that). Called by
 * init.c, in the guest's own root.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

#define CARD		"eth0"
#define RESOLV_CONF	"/etc/resolv.conf"
#define COVER		"/run/vmrun-resolv.conf"

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

static bool write_nameserver(const char *path, const char *address)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return false;
	fprintf(file, "nameserver %s\n", address);
	return !fclose(file);
}

/* The host's may be a link into its /run; and its resolver is not ours. */
static void replace_nameserver(const char *address)
{
	unlink(RESOLV_CONF);
	write_nameserver(RESOLV_CONF, address);
}

/*
 * A root that stays keeps its own: ours lies above it, in /run, which is the guest's. Where
 * the root's is a link to what a daemon would have made in /run, that is what we make.
 */
static void cover_nameserver(const char *address)
{
	char link[256], *path = link, *slash;
	ssize_t len = readlink(RESOLV_CONF, link, sizeof(link) - 1);

	/* An empty file is a place for it where there is none. */
	if (len < 0 && errno == ENOENT)
		close(open(RESOLV_CONF, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	if (!write_nameserver(COVER, address) || !mount(COVER, RESOLV_CONF, NULL, MS_BIND, NULL) ||
	    len < 0)
		return;
	link[len] = 0;
	if (!strncmp(path, "..", 2))
		path += 2;
	if (strncmp(path, "/run/", 5) || strstr(path, "/../"))
		return;
	for (slash = strchr(path + 5, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
	write_nameserver(path, address);
}

void network_start(const struct plan_net *net, bool root_stays)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* A kernel without a network has no loopback either. */
	if (fd < 0)
		return;
	bring_up(fd, "lo");
	if (net->address) {
		set_card(fd, net);
		if (root_stays)
			cover_nameserver(net->nameserver);
		else
			replace_nameserver(net->nameserver);
	}
	close(fd);
}

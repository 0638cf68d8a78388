// SPDX-License-Identifier: GPL-2.0
/*
 * Reads what the command line says of the network. Nothing is opened here.
 * Called by config.c, by options.def, and by machine.c.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

#include "options.h"

int net_parse_kind(struct net_options *net, const char *arg, struct vm_error *err)
{
	const char *name = arg + 4;

	net->loopback = false;
	if (!strcmp(arg, "none")) {
		net->kind = NET_NONE;
	} else if (!strcmp(arg, "user")) {
		net->kind = NET_USER;
	} else if (!strcmp(arg, "user,loopback")) {
		net->kind = NET_USER;
		net->loopback = true;
	} else if (!strncmp(arg, "tap=", 4) && *name && strlen(name) < IFNAMSIZ &&
		   !strpbrk(name, "/% \t\n")) {
		net->kind = NET_TAP;
		net->tap = name;
	} else {
		return vm_fail(err, VM_STATUS_FAILURE,
			       "use -n user, -n user,loopback, -n none, or -n tap=NAME with the name of an interface",
			       "unknown network '%.64s'", arg);
	}
	return 0;
}

/* Reads a port at *@s and steps over it; 0: there is none. */
static u16 parse_port(const char **s)
{
	u32 n = 0;

	while (**s >= '0' && **s <= '9' && n <= UINT16_MAX)
		n = n * 10 + (*(*s)++ - '0');
	return n <= UINT16_MAX ? n : 0;
}

static bool parse_forward(struct net_forward *forward, const char *arg)
{
	const char *colon = strchr(arg, ':');
	char addr[INET_ADDRSTRLEN];
	struct in_addr in;

	*forward = (struct net_forward){ .host_addr = htonl(INADDR_LOOPBACK) };
	if (colon && strchr(colon + 1, ':')) {
		size_t len = colon - arg;

		if (len >= sizeof(addr))
			return false;
		memcpy(addr, arg, len);
		addr[len] = 0;
		if (inet_pton(AF_INET, addr, &in) != 1)
			return false;
		forward->host_addr = in.s_addr;
		arg = colon + 1;
	}
	forward->host_port = parse_port(&arg);
	if (!forward->host_port || *arg++ != ':')
		return false;
	forward->guest_port = parse_port(&arg);
	forward->udp = !strcmp(arg, "/udp");
	return forward->guest_port && (forward->udp || !*arg || !strcmp(arg, "/tcp"));
}

int net_parse_forward(struct net_options *net, const char *arg, struct vm_error *err)
{
	if (net->nr_forwards == NET_MAX_FORWARDS)
		return vm_fail(err, VM_STATUS_FAILURE, "leave some out", "more than %u ports with -p",
			       NET_MAX_FORWARDS);
	if (!parse_forward(&net->forward[net->nr_forwards], arg))
		return vm_fail(err, VM_STATUS_FAILURE,
			       "give [ADDRESS:]HOST:GUEST[/udp], for example -p 8080:80",
			       "cannot use '%.64s' as a port to forward", arg);
	net->nr_forwards++;
	return 0;
}

int net_check_kind(const char *arg, struct vm_error *err)
{
	struct net_options net = { 0 };

	return net_parse_kind(&net, arg, err);
}

int net_check_forward(const char *arg, struct vm_error *err)
{
	struct net_options net = { 0 };

	return net_parse_forward(&net, arg, err);
}

int net_complete(struct net_options *net, enum net_kind unset, struct vm_error *err)
{
	if (net->kind == NET_UNSET)
		net->kind = net->nr_forwards ? NET_USER : unset;
	if (net->nr_forwards && net->kind != NET_USER)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "use -n user with -p; a tap's guest has an address of its own",
			       "this network does not forward ports");
	return 0;
}

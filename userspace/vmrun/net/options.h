/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which network a machine has, as a value: what -n and -p say.
 */
#ifndef VMRUN_NET_OPTIONS_H
#define VMRUN_NET_OPTIONS_H

#include "../log.h"
#include "../types.h"

#define NET_MAX_FORWARDS	32

enum net_kind {
	NET_UNSET,	/* nobody said; whoever knows what the machine is for decides */
	NET_NONE,
	NET_USER,	/* slirp.c: the host's own connections, no rights needed */
	NET_TAP,	/* tap.c: an interface that somebody with rights made */
};

/* A port of the host's that leads to one of the guest's. */
struct net_forward {
	u32 host_addr;	/* network byte order; 127.0.0.1 unless said otherwise */
	u16 host_port, guest_port;
	bool udp;
};

struct net_options {
	enum net_kind kind;
	const char *tap;	/* NET_TAP: the interface's name */
	bool loopback;		/* NET_USER: the gateway is the host's 127.0.0.1 as well */
	struct net_forward forward[NET_MAX_FORWARDS];
	unsigned int nr_forwards;
};

/*
 * Reads -n's argument: "none", "user", "user,loopback" or "tap=NAME". 0, or -1 with @err
 * filled in.
 */
int net_parse_kind(struct net_options *net, const char *arg, struct vm_error *err);

/* Reads -p's argument, "[ADDRESS:]HOST:GUEST[/udp|/tcp]", and adds it to the list. */
int net_parse_forward(struct net_options *net, const char *arg, struct vm_error *err);

/* Checks of options.def's rows: 0, or -1 with @err filled in. */
int net_check_kind(const char *arg, struct vm_error *err);
int net_check_forward(const char *arg, struct vm_error *err);

/*
 * After all options: @unset is what the machine gets when nobody said, but with -p it
 * is user networking. -1 when -p was given and the network cannot forward ports.
 */
int net_complete(struct net_options *net, enum net_kind unset, struct vm_error *err);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * See gate.h. Of IPv4 (RFC 791), TCP (RFC 9293) and UDP (RFC 768) only what decides where
 * libslirp would connect or send to: it makes a connection of a SYN alone, and datagrams go
 * where they are addressed to. Called by slirp.c.
 */
#include <string.h>

#include "gate.h"

#define ETHERNET	14
#define ETHERTYPE	12

enum {
	IP_LENGTH = 2, IP_FRAGMENT = 6, IP_TTL = 8, IP_PROTOCOL = 9, IP_SUM = 10, IP_FROM = 12,
	IP_TO = 16, IP_SIZE = 20,
};
enum { TCP_SEQ = 4, TCP_ACK = 8, TCP_OFFSET = 12, TCP_FLAGS = 13, TCP_SUM = 16, TCP_SIZE = 20 };
enum { PORT_FROM = 0, PORT_TO = 2, UDP_SIZE = 8 };
enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };

#define FRAGMENT_MORE		0x2000
#define FRAGMENT_OFFSET		0x1fff
#define FLAG_FIN		0x01
#define FLAG_SYN		0x02
#define FLAG_RST		0x04
#define FLAG_ACK		0x10
#define FLAG_URG		0x20
#define DHCP_SERVER		67

static u16 get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static u32 get32(const u8 *p)
{
	return (u32)get16(p) << 16 | get16(p + 2);
}

static void put16(u8 *p, u16 value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static void put32(u8 *p, u32 value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

/* The IPv4 packet in @frame, with its header's length; NULL: none, or one that nobody takes. */
static const u8 *find_packet(const u8 *frame, size_t len, size_t *header)
{
	const u8 *ip = frame + ETHERNET;

	if (len < ETHERNET + IP_SIZE || get16(frame + ETHERTYPE) != 0x0800)
		return NULL;
	*header = (ip[0] & 15) * 4;
	return *header >= IP_SIZE && *header <= len - ETHERNET ? ip : NULL;
}

static bool is_peer(const struct gate *gate, u16 host, u16 guest)
{
	unsigned int i;

	for (i = 0; i < gate->nr_peers; i++)
		if (gate->peer[i].host == host && gate->peer[i].guest == guest)
			return true;
	return false;
}

/* A packet to the host itself, with @len bytes behind its header. */
static enum gate_verdict check_host(const struct gate *gate, const u8 *ip, const u8 *rest,
				    size_t len)
{
	u16 fragment = get16(ip + IP_FRAGMENT);
	bool first = !(fragment & FRAGMENT_OFFSET);
	u8 flags;

	switch (ip[IP_PROTOCOL]) {
	case PROTOCOL_TCP:
		/* Nobody cuts TCP up but to hide its flags. */
		if ((fragment & (FRAGMENT_MORE | FRAGMENT_OFFSET)) || len < TCP_SIZE)
			return GATE_DROP;
		flags = rest[TCP_FLAGS] & (FLAG_FIN | FLAG_SYN | FLAG_RST | FLAG_ACK | FLAG_URG);
		return flags == FLAG_SYN ? GATE_REFUSE : GATE_PASS;
	case PROTOCOL_UDP:
		/* The first part has the ports, and without it the others come to nothing. */
		if (!first)
			return GATE_PASS;
		if (len < UDP_SIZE)
			return GATE_DROP;
		/* libslirp's own server, which takes nothing by the network's broadcast. */
		if (get16(rest + PORT_TO) == DHCP_SERVER && get32(ip + IP_TO) != gate->broadcast)
			return GATE_PASS;
		if (get32(ip + IP_TO) == gate->gateway &&
		    is_peer(gate, get16(rest + PORT_TO), get16(rest + PORT_FROM)))
			return GATE_PASS;
		return GATE_DROP;
	default:
		return GATE_PASS;
	}
}

enum gate_verdict gate_from_guest(const struct gate *gate, const u8 *frame, size_t len)
{
	const u8 *ip;
	size_t header;
	u32 to;

	if (len < ETHERNET || get16(frame + ETHERTYPE) != 0x0800)
		return GATE_PASS;
	ip = find_packet(frame, len, &header);
	if (!ip)
		return GATE_DROP;
	to = get32(ip + IP_TO);
	/*
	 * No network carries the first; the second is this host to Linux. libslirp would
	 * connect there.
	 */
	if (to >> 24 == 127 || to >> 24 == 0)
		return GATE_DROP;
	if (gate->open || (to != gate->gateway && to != gate->broadcast && to != ~0u))
		return GATE_PASS;
	return check_host(gate, ip, ip + header, len - ETHERNET - header);
}

void gate_to_guest(struct gate *gate, const u8 *frame, size_t len)
{
	struct gate_peer peer;
	const u8 *ip, *udp;
	size_t header;

	ip = gate->open ? NULL : find_packet(frame, len, &header);
	if (!ip || ip[IP_PROTOCOL] != PROTOCOL_UDP || get32(ip + IP_FROM) != gate->gateway ||
	    (get16(ip + IP_FRAGMENT) & FRAGMENT_OFFSET) || len - ETHERNET - header < UDP_SIZE)
		return;
	udp = ip + header;
	peer = (struct gate_peer){ .host = get16(udp + PORT_FROM), .guest = get16(udp + PORT_TO) };
	if (is_peer(gate, peer.host, peer.guest))
		return;
	gate->peer[gate->next_peer] = peer;
	gate->next_peer = (gate->next_peer + 1) % GATE_MAX_PEERS;
	if (gate->nr_peers < GATE_MAX_PEERS)
		gate->nr_peers++;
}

/* RFC 1071, over @len bytes, an even number, after @sum. */
static u16 checksum(u32 sum, const u8 *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += 2)
		sum += get16(p + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

void gate_refuse(const u8 *frame, u8 answer[GATE_REFUSAL])
{
	const u8 *ip = frame + ETHERNET, *tcp = ip + (ip[0] & 15) * 4;
	u8 *to_ip = answer + ETHERNET, *to_tcp = to_ip + IP_SIZE;
	u32 pseudo = PROTOCOL_TCP + TCP_SIZE;
	unsigned int i;

	memset(answer, 0, GATE_REFUSAL);
	memcpy(answer, frame + 6, 6);
	memcpy(answer + 6, frame, 6);
	put16(answer + ETHERTYPE, 0x0800);
	to_ip[0] = 0x45;
	put16(to_ip + IP_LENGTH, IP_SIZE + TCP_SIZE);
	to_ip[IP_TTL] = 64;
	to_ip[IP_PROTOCOL] = PROTOCOL_TCP;
	memcpy(to_ip + IP_FROM, ip + IP_TO, 4);
	memcpy(to_ip + IP_TO, ip + IP_FROM, 4);
	put16(to_ip + IP_SUM, checksum(0, to_ip, IP_SIZE));
	memcpy(to_tcp + PORT_FROM, tcp + PORT_TO, 2);
	memcpy(to_tcp + PORT_TO, tcp + PORT_FROM, 2);
	/* RFC 9293, section 3.10.7.1: it acknowledges the SYN, which counts as a byte. */
	put32(to_tcp + TCP_ACK, get32(tcp + TCP_SEQ) + 1);
	to_tcp[TCP_OFFSET] = TCP_SIZE / 4 << 4;
	to_tcp[TCP_FLAGS] = FLAG_RST | FLAG_ACK;
	for (i = 0; i < 8; i += 2)
		pseudo += get16(to_ip + IP_FROM + i);
	put16(to_tcp + TCP_SUM, checksum(pseudo, to_tcp, TCP_SIZE));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The debugger's stub, spoken to as gdb speaks: packets, registers, memory, breakpoints,
 * which vCPU runs when.
 */
#include "gdb_world.h"
#include "../gdb/walk.h"

/* ---- packets ---- */

static void packets(void)
{
	static const char broken[] = "$?#00", wrong[] = "$?#3x", again[] = "$junk$?#3f";

	make();
	feed("?", 1);
	EXPECT(!strncmp(w.sent, "+$T05thread:1;#", 15));
	w.nr_sent = 0;
	gdb_stub_input(w.stub, (const u8 *)broken, strlen(broken));
	EXPECT(!strcmp(w.sent, "-"));
	w.nr_sent = 0;
	gdb_stub_input(w.stub, (const u8 *)wrong, strlen(wrong));
	EXPECT(!strcmp(w.sent, "-"));
	/* What was begun and is begun anew. */
	w.nr_sent = 0;
	gdb_stub_input(w.stub, (const u8 *)again, strlen(again));
	EXPECT(!strncmp(w.sent, "+$T05thread:1;#", 15));
	EXPECT(says("QStartNoAckMode", "OK"));
	feed("?", 1);
	EXPECT(!strncmp(w.sent, "$T05thread:1;#", 14));
	EXPECT(says("vMustReplyEmpty", ""));
	EXPECT(says("qCRC:0,1", ""));
	EXPECT(says("", ""));
	destroy();
}

static void packets_that_are_too_long(void)
{
	static char packet[GDB_MAX_PACKET + 2];

	make();
	memset(packet, 'm', sizeof(packet));
	feed(packet, GDB_MAX_PACKET + 1);
	EXPECT(!strcmp(w.sent, "-"));
	feed(packet, GDB_MAX_PACKET);
	EXPECT(!strncmp(w.sent, "+$E01#", 6));
	destroy();
}

static void escapes(void)
{
	struct gdb_text text = { .len = 5, .data = "a#}$*" };
	char frame[GDB_MAX_FRAME];
	struct gdb_input in = { 0 };
	enum gdb_event event = GDB_NOTHING;
	size_t i, n;

	n = gdb_frame(&text, frame);
	EXPECT_EQ(n, 5 + 4 + 4);
	for (i = 0; i < n; i++)
		event = gdb_feed(&in, frame[i]);
	EXPECT_EQ(event, GDB_PACKET);
	EXPECT_EQ(in.len, 5);
	EXPECT(!strcmp(in.data, "a#}$*"));
	/* In a packet 3 is a byte like others. */
	EXPECT_EQ(gdb_feed(&in, 3), GDB_INTERRUPT);
	gdb_feed(&in, '$');
	EXPECT_EQ(gdb_feed(&in, 3), GDB_NOTHING);
}

/* ---- what gdb learns at first ---- */

static void describe(bool has_avx)
{
	static char whole[32768], piece[64];
	const char *reply;
	size_t len = 0, i, bits = 0;
	char *at, *end;

	make();
	w.stub->view.has_avx = has_avx;
	for (i = 0; i < 1000; i++) {
		snprintf(piece, sizeof(piece), "qXfer:features:read:target.xml:%zx,7b", len);
		reply = said(piece);
		ASSERT(reply && (*reply == 'm' || *reply == 'l'));
		/* None of the characters that would be escaped is in it. */
		ASSERT(len + strlen(reply) < sizeof(whole));
		strcpy(whole + len, reply + 1);
		len += strlen(reply + 1);
		if (*reply == 'l')
			break;
	}
	EXPECT(strstr(whole, "<architecture>i386:x86-64</architecture>"));
	EXPECT(strstr(whole, "org.gnu.gdb.i386.core") && strstr(whole, "org.gnu.gdb.i386.sse"));
	EXPECT(strstr(whole, "org.gnu.gdb.i386.linux") && strstr(whole, "org.gnu.gdb.i386.segments"));
	EXPECT(!strcmp(whole + len - 10, "</target>\n"));
	EXPECT(!strstr(whole, "org.gnu.gdb.i386.avx") == !has_avx);
	for (at = whole; (at = strstr(at, "bitsize=\"")); at = end)
		bits += strtoul(at + 9, &end, 10);
	reply = said("g");
	EXPECT_EQ(strlen(reply), bits / 4);
	EXPECT(says("qXfer:features:read:target.xml:fffff,10", "l"));
	EXPECT(says("qXfer:features:read:other.xml:0,10", ""));
	EXPECT(says("qXfer:features:read:target.xml:0", "E01"));
	destroy();
}

static void description(void)
{
	describe(false);
	describe(true);
}

static void threads(void)
{
	make();
	EXPECT(says("qfThreadInfo", "m1,2"));
	EXPECT(says("qsThreadInfo", "l"));
	EXPECT(says("qC", "QC1"));
	EXPECT(says("Hg2", "OK"));
	EXPECT(says("qC", "QC2"));
	EXPECT(says("Hg3", "E01"));
	EXPECT(says("Hgx", "E01"));
	EXPECT(says("Hc-1", "OK"));
	EXPECT(says("T2", "OK"));
	EXPECT(says("T3", "E01"));
	EXPECT(says("qThreadExtraInfo,2", "764350552031"));
	EXPECT(says("qThreadExtraInfo,-1", "E01"));
	EXPECT(says("qAttached", "1"));
	EXPECT(says("qXfer:threads:read::0,1000", "l<?xml version=\"1.0\"?>\n<threads>\n"
		    "<thread id=\"1\" core=\"0\" name=\"vCPU 0\"/>\n<thread id=\"2\" core=\"1\" name=\"vCPU 1\"/>\n"
		    "</threads>\n"));
	destroy();
}

/* ---- registers ---- */

static void registers(void)
{
	u8 *fx = fake_vcpu[0].xsave;

	make();
	fake_vcpu[0].regs.rax = 0x1122334455667788;
	fake_vcpu[0].regs.rip = 0xffffffff81000000;
	fake_vcpu[0].regs.rflags = 0x246;
	fake_vcpu[0].sregs.cs.selector = 0x10;
	fake_vcpu[1].regs.rax = 7;
	EXPECT(says("p0", "8877665544332211"));
	EXPECT(says("p10", "00000081ffffffff"));
	EXPECT(says("p11", "46020000"));
	EXPECT(says("p12", "10000000"));
	EXPECT(says("P0=0100000000000000", "OK"));
	EXPECT_EQ(fake_vcpu[0].regs.rax, 1);
	EXPECT_EQ(fake_vcpu[0].regs_set, 1);
	/* What is not written is not set. */
	EXPECT_EQ(fake_vcpu[0].sregs_set + fake_vcpu[0].xsave_set, 0);
	EXPECT(says("P12=33000000", "OK"));
	EXPECT_EQ(fake_vcpu[0].sregs.cs.selector, 0x33);
	EXPECT_EQ(fake_vcpu[0].sregs_set, 1);
	/* xmm0 is behind 24 + 16 others; its part of the XSAVE area is marked as held. */
	EXPECT(says("P28=000102030405060708090a0b0c0d0e0f", "OK"));
	EXPECT_EQ(fx[160 + 15], 15);
	EXPECT_EQ(fx[512], 3);
	EXPECT(says("p39", "ffffffffffffffff"));
	EXPECT(says("Hg2", "OK"));
	EXPECT(says("p0", "0700000000000000"));
	EXPECT(says("P0=01", "E01"));
	EXPECT(says("P0=0100000000000000ff", "E01"));
	EXPECT(says("Pff=00", "E01"));
	EXPECT(says("pffffffffffffffff", "E01"));
	EXPECT(says("p11111111111111111", "E01"));
	fake.refuses = true;
	EXPECT(says("p0", "E16"));
	EXPECT(says("P0=0100000000000000", "E16"));
	destroy();
}

static void all_registers(void)
{
	static char packet[GDB_MAX_PACKET];
	const char *reply;

	make();
	fake_vcpu[0].regs.r15 = 15;
	reply = said("g");
	packet[0] = 'G';
	strcpy(packet + 1, reply);
	memcpy(packet + 1, "2a", 2);
	EXPECT(says(packet, "OK"));
	EXPECT_EQ(fake_vcpu[0].regs.rax, 0x2a);
	EXPECT_EQ(fake_vcpu[0].regs.r15, 15);
	EXPECT_EQ(fake_vcpu[0].xsave_set, 0);
	/* Only the first; then half a register. */
	EXPECT(says("G0500000000000000", "OK"));
	EXPECT_EQ(fake_vcpu[0].regs.rax, 5);
	EXPECT(says("G0600", "E01"));
	EXPECT_EQ(fake_vcpu[0].regs.rax, 5);
	destroy();
}

/* The upper halves of YMM are the last 16, where there is AVX. */
static void wide_registers(void)
{
	u8 *area = fake_vcpu[0].xsave;
	const char *reply;

	make();
	EXPECT(says("p4a", "E01"));
	w.stub->view.has_avx = true;
	EXPECT(says("p4a", "00000000000000000000000000000000"));
	EXPECT(says("P4b=000102030405060708090a0b0c0d0e0f", "OK"));
	EXPECT_EQ(area[576 + 16 + 15], 15);
	EXPECT_EQ(area[512], 7);
	EXPECT(says("p4b", "000102030405060708090a0b0c0d0e0f"));
	EXPECT(says("P59=ffffffffffffffffffffffffffffffff", "OK"));
	EXPECT_EQ(area[576 + 255], 0xff);
	EXPECT_EQ(area[576 + 256], 0);
	EXPECT(says("p5a", "E01"));
	reply = said("g");
	EXPECT(!strcmp(reply + strlen(reply) - 34, "00ffffffffffffffffffffffffffffffff"));
	/* What the area does not hold is zero; to write another register does not make it held. */
	area[512] = 0;
	EXPECT(says("p4b", "00000000000000000000000000000000"));
	EXPECT(says("P28=000102030405060708090a0b0c0d0e0f", "OK"));
	EXPECT_EQ(area[512], 3);
	destroy();
}

/* "bits 32": from the next description on gdb sees an i386's. */
static void narrow_registers(void)
{
	const char *reply;

	make();
	w.stub->view.has_avx = true;
	fake_vcpu[0].regs.rax = 0x1122334455667788;
	fake_vcpu[0].regs.rip = 0x7c00;
	EXPECT(strstr(said("qRcmd,62697473203332"), "6e65787420636f6e6e656374696f6e"));
	EXPECT(says("p0", "8877665544332211"));
	EXPECT(!strstr(said("qRcmd,62697473203331"), "6e65787420636f6e6e656374696f6e"));
	reply = said("qXfer:features:read:target.xml:0,200");
	EXPECT(strstr(reply, "<architecture>i386</architecture>"));
	EXPECT(says("p0", "88776655"));
	EXPECT(says("p8", "007c0000"));
	/* What 32 bits do not show stays. */
	EXPECT(says("P0=01000000", "OK"));
	EXPECT_EQ(fake_vcpu[0].regs.rax, 0x1122334400000001);
	EXPECT(says("P0=0100000000000000", "E01"));
	/* 16, 8 of the x87 stack and its 8, 8 of SSE and MXCSR, vmrun's 14, and AVX's 8. */
	EXPECT_EQ(strlen(said("g")), 2 * (16 * 4 + 80 + 8 * 4 + 8 * 16 + 4 + 14 * 8 + 8 * 16));
	EXPECT(says("p37", "00000000000000000000000000000000"));
	EXPECT(says("p3f", "E01"));
	said("qRcmd,62697473203136");
	reply = said("qXfer:features:read:target.xml:0,200");
	EXPECT(strstr(reply, "<architecture>i8086</architecture>"));
	EXPECT(says("p0", "01000000"));
	/* The second half of a description is of the same as the first. */
	said("qRcmd,62697473203634");
	said("qXfer:features:read:target.xml:200,200");
	EXPECT(says("p0", "01000000"));
	said("qXfer:features:read:target.xml:0,200");
	EXPECT(says("p0", "0100000044332211"));
	destroy();
}

/* Register 34 has two bits for each of eight, the area one. */
static void tags(void)
{
	u8 *fx = fake_vcpu[0].xsave;

	make();
	EXPECT(says("p22", "ffff0000"));
	fx[4] = 0xc0;
	fx[3] = 6 << 3;		/* the stack's top is register 6 */
	memset(fx + 32 + 7, 0x80, 1);
	fx[32 + 9] = 0x40;	/* st0 is valid, st1 zero */
	EXPECT(says("p22", "ff4f0000"));
	EXPECT(says("P22=fffc0000", "OK"));
	EXPECT_EQ(fx[4], 0x10);
	destroy();
}

/* ---- memory ---- */

static void memory(void)
{
	u8 *first, *second;

	make();
	first = guest_buf(&w.mem, PHYSICAL, 4096);
	second = guest_buf(&w.mem, SECOND, 4096);
	memcpy(first + 4094, "\x01\x02", 2);
	memcpy(second, "\x03\x04", 2);
	EXPECT(says("mffffffff81000ffe,4", "01020304"));
	EXPECT(says("Mffffffff81000fff,2:aabb", "OK"));
	EXPECT_EQ(first[4095], 0xaa);
	EXPECT_EQ(second[0], 0xbb);
	feed("Xffffffff81000fff,2:}\x03*", strlen("Xffffffff81000fff,2:}\x03*"));
	EXPECT(strstr(w.sent, "$OK#"));
	EXPECT_EQ(first[4095], '#');
	EXPECT_EQ(second[0], '*');
	EXPECT(says("Xffffffff81000000,0:", "OK"));
	/* As far as it goes, or not at all. */
	EXPECT(says("mffffffff81001fff,2", "00"));
	EXPECT(says("mffffffff81002000,1", "E0e"));
	EXPECT(says("Mffffffff81001fff,2:1122", "E0e"));
	EXPECT(says("m7fffffffffff,1", "E0e"));
	EXPECT(says("mffffffff81000000,0", ""));
	EXPECT(says("m0,", "E01"));
	EXPECT(says("Mffffffff81000000,2:11", "E01"));
	EXPECT(says("Mffffffff81000000,ffffffff:11", "E01"));
	EXPECT(says("Xffffffff81000000,9:abc", "E01"));
	EXPECT(strlen(said("mffffffff81000000,ffffffffffffffff")) <= GDB_MAX_PACKET);
	/* Mapped to where there is no memory. */
	put_entry(TABLES + 0x3010, 0x7ffffffff003);
	EXPECT(says("mffffffff81002000,1", "E0e"));
	destroy();
}

static u64 walked(const struct kvirt_sregs *s, u64 linear)
{
	u64 physical;

	return gdb_walk(&w.mem, s, linear, &physical) ? physical : ~0ull;
}

static void walks(void)
{
	struct kvirt_sregs s = { 0 };
	u32 entry;

	make();
	EXPECT_EQ(walked(&s, 0x1fffff123ull), 0xfffff123);
	/* 32-bit paging, without and with large pages, of which one lies above 4 GiB. */
	s.cr0 = BIT_ULL(31) | 1;
	s.cr3 = 0x20000;
	entry = 0x21003;
	memcpy(guest_buf(&w.mem, 0x20000 + 4 * 3, 4), &entry, 4);
	entry = 0x5000003;
	memcpy(guest_buf(&w.mem, 0x21000 + 4 * 2, 4), &entry, 4);
	EXPECT_EQ(walked(&s, 0xc02123), 0x5000123);
	EXPECT_EQ(walked(&s, 0xc03123), ~0ull);
	entry = 0xc00000 | 3 << 13 | 0x83;
	memcpy(guest_buf(&w.mem, 0x20000 + 4 * 4, 4), &entry, 4);
	EXPECT_EQ(walked(&s, 0x1345678), ~0ull);
	s.cr4 = BIT_ULL(4);
	EXPECT_EQ(walked(&s, 0x1345678), 0x300f45678ull);
	/* PAE, its four entries amid a page. */
	s.cr4 = BIT_ULL(5);
	s.cr3 = 0x22020;
	put_entry(0x22020 + 8 * 2, 0x23001);
	put_entry(0x23000 + 8 * 5, 0x24003);
	put_entry(0x23000 + 8 * 6, 0x8000000100200083ull);
	put_entry(0x24000 + 8 * 7, 0x8000000000345003ull);
	EXPECT_EQ(walked(&s, 0x80a07fed), 0x345fed);
	EXPECT_EQ(walked(&s, 0x80c12345), 0x100212345ull);
	EXPECT_EQ(walked(&s, 0xc0000000), ~0ull);
	/* Four levels: pages of 1 GiB and 2 MiB; then five. */
	s = fake_vcpu[0].sregs;
	EXPECT_EQ(walked(&s, VIRTUAL + 0x1234), SECOND + 0x234);
	put_entry(TABLES + 0x1000 + 511 * 8, 0x140000083ull);
	put_entry(TABLES + 0x2000 + 9 * 8, 0x600083);
	EXPECT_EQ(walked(&s, 0xffffffffc1234567ull), 0x141234567ull);
	EXPECT_EQ(walked(&s, 0xffffffff81234567ull), 0x634567);
	EXPECT_EQ(walked(&s, 0x0000ffff81000000ull), ~0ull);
	s.cr4 |= BIT_ULL(12);
	put_entry(0x25000 + 511 * 8, TABLES | 3);
	s.cr3 = 0x25000;
	EXPECT_EQ(walked(&s, VIRTUAL + 0x1234), SECOND + 0x234);
	EXPECT_EQ(walked(&s, 0x7fffffff81000000ull), ~0ull);
	/* Tables that are nowhere. */
	s.cr3 = 0xffffffff000ull;
	EXPECT_EQ(walked(&s, VIRTUAL), ~0ull);
	destroy();
}

static void monitor(void)
{
	make();
	/* "translate ffffffff81001000", "help", "fly" */
	EXPECT(strstr(said("qRcmd,7472616e736c6174652066666666666666663831303031303030"), "333030303030"));
	EXPECT(strlen(said("qRcmd,68656c70")) > 40);
	EXPECT(strlen(said("qRcmd,666c79")) > 40);
	EXPECT(strlen(said("qRcmd,72656773")) > 200);
	EXPECT(says("qRcmd,6", "E01"));
	EXPECT(says("qRcmd,xx", "E01"));
	destroy();
}

/* ---- breakpoints ---- */

static void soft_breakpoints(void)
{
	u8 *code;

	make();
	code = guest_buf(&w.mem, PHYSICAL, 4096);
	memcpy(code, "\x90\x91\x92\x93", 4);
	EXPECT(says("Z0,ffffffff81000001,1", "OK"));
	EXPECT(says("Z0,ffffffff81000001,1", "OK"));
	EXPECT_EQ(code[1], 0xcc);
	EXPECT(says("mffffffff81000000,4", "90919293"));
	/* Written over by gdb, it is still there. */
	EXPECT(says("Mffffffff81000000,4:a0a1a2a3", "OK"));
	EXPECT_EQ(code[1], 0xcc);
	EXPECT(says("mffffffff81000000,4", "a0a1a2a3"));
	EXPECT(says("z0,ffffffff81000001,1", "OK"));
	EXPECT_EQ(code[1], 0xa1);
	EXPECT(says("z0,ffffffff81000001,1", "E0e"));
	EXPECT(says("Z0,ffffffff81002000,1", "E0e"));
	EXPECT(says("Z0,x", "E01"));
	EXPECT(says("Z0,ffffffff81000001,1;X1,00", "E01"));
	/* By two addresses: the second's page is the first's. */
	put_entry(TABLES + 0x3008, PHYSICAL | 3);
	EXPECT(says("Z0,ffffffff81000002,1", "OK"));
	EXPECT(says("Z0,ffffffff81001002,1", "OK"));
	EXPECT(says("mffffffff81001000,4", "a0a1a2a3"));
	EXPECT(says("z0,ffffffff81000002,1", "OK"));
	EXPECT_EQ(code[2], 0xcc);
	EXPECT(says("z0,ffffffff81001002,1", "OK"));
	EXPECT_EQ(code[2], 0xa2);
	/* Written over by the guest, that stays. */
	EXPECT(says("Z0,ffffffff81000003,1", "OK"));
	code[3] = 0x55;
	EXPECT(says("z0,ffffffff81000003,1", "OK"));
	EXPECT_EQ(code[3], 0x55);
	destroy();
}

static void no_more_soft_breakpoints(void)
{
	char packet[64];
	unsigned int i;

	make();
	for (i = 0; i < GDB_MAX_SOFT; i++) {
		snprintf(packet, sizeof(packet), "Z0,%llx,1", VIRTUAL + i);
		EXPECT(says(packet, "OK"));
	}
	EXPECT(says("Z0,ffffffff81001000,1", "E0e"));
	gdb_stub_lost(w.stub);
	EXPECT_EQ(*(u8 *)guest_buf(&w.mem, PHYSICAL + GDB_MAX_SOFT - 1, 1), 0);
	destroy();
}

static void hard_breakpoints(void)
{
	const u64 *dr = (const u64 *)fake_vcpu[1].debug.arch.debugreg;

	make();
	EXPECT(says("Z1,1000,1", "OK"));
	EXPECT(says("Z2,2004,4", "OK"));
	EXPECT(says("Z3,2000,4", ""));
	EXPECT(says("Z4,3006,4", "OK"));
	EXPECT(says("Z4,4000,1", "E1c"));
	EXPECT(says("Z5,4000,1", ""));
	EXPECT(says("vCont;c", NULL));
	EXPECT_EQ(fake_vcpu[1].debug.control, HARD);
	EXPECT_EQ(dr[0], 0x1000);
	EXPECT_EQ(dr[1], 0x2004);
	/* Four bytes that are aligned to two. */
	EXPECT_EQ(dr[2], 0x3006);
	EXPECT_EQ(dr[3], 0x3008);
	EXPECT_EQ(dr[7], 0x400 | 0xaa | 0xd0ull << 16 | 0x7700ull << 16);
	come_out(0, DB, 5, 0xffff0ff0 | BIT(3));
	look();
	EXPECT(tells("T05thread:1;awatch:3008;"));
	EXPECT(says("z4,3006,4", "OK"));
	EXPECT(says("z4,3006,4", "E1c"));
	EXPECT(says("Z2,3000,8", "OK"));
	EXPECT(says("Z2,3008,0", "E1c"));
	EXPECT(says("Z2,3008,1000", "E1c"));
	EXPECT(says("Z2,4003,3", "E1c"));
	EXPECT(says("z1,1000,1", "OK"));
	EXPECT(says("Z2,4003,3", "OK"));
	destroy();
}

/* ---- running ---- */

static void goes_on_and_stops(void)
{
	make();
	EXPECT(w.held[0] && w.held[1]);
	EXPECT(says("vCont?", "vCont;c;C;s;S;t"));
	EXPECT(says("Z0,ffffffff81000000,1", "OK"));
	EXPECT(says("vCont;c", NULL));
	EXPECT(!w.held[0] && !w.held[1]);
	EXPECT_EQ(fake_vcpu[0].debug.control, SOFT);
	EXPECT_EQ(fake_vcpu[1].was_paused, 1);
	/* Nothing but leaving can be said meanwhile. */
	EXPECT(says("g", "E01"));
	come_out(1, BP, VIRTUAL, 0);
	look();
	EXPECT(tells("T05thread:2;swbreak:;"));
	EXPECT(w.held[0] && w.held[1]);
	EXPECT(says("qC", "QC2"));
	EXPECT(says("?", "T05thread:2;swbreak:;"));
	EXPECT(says("c", NULL));
	EXPECT(!w.held[0] && !w.held[1]);
	w.nr_sent = 0;
	gdb_stub_input(w.stub, (const u8 *)"\3", 1);
	EXPECT(tells("T02thread:2;"));
	EXPECT(w.held[0] && w.held[1]);
	/* Nobody runs: there is nothing to interrupt. */
	w.nr_sent = 0;
	gdb_stub_input(w.stub, (const u8 *)"\3", 1);
	EXPECT_EQ(w.nr_sent, 0);
	destroy();
}

static void steps(void)
{
	make();
	EXPECT(says("vCont;s:2", NULL));
	EXPECT(w.held[0] && !w.held[1]);
	EXPECT_EQ(fake_vcpu[1].debug.control, STEP | KVIRT_GUESTDBG_BLOCKIRQ);
	EXPECT_EQ(fake_vcpu[0].debug_set, 0);
	EXPECT_EQ(fake_vcpu[1].was_paused, 0);
	come_out(1, DB, VIRTUAL, 0xffff0ff0 | 0x4000);
	look();
	EXPECT(tells("T05thread:2;"));
	EXPECT(says("vCont;s:1;c", NULL));
	EXPECT(!w.held[0] && !w.held[1]);
	EXPECT_EQ(fake_vcpu[0].debug.control, STEP | KVIRT_GUESTDBG_BLOCKIRQ);
	EXPECT_EQ(fake_vcpu[1].debug.control, 0);
	come_out(0, DB, VIRTUAL, 0xffff0ff0 | 0x4000);
	look();
	EXPECT(tells("T05thread:1;"));
	EXPECT(says("s", NULL));
	EXPECT(!w.held[0] && w.held[1]);
	come_out(0, DB, VIRTUAL, 0xffff0ff0 | 0x4000);
	look();
	EXPECT(says("vCont;x", "E01"));
	EXPECT(says("vCont;c:9", "E01"));
	EXPECT(says("vContx", "E01"));
	EXPECT(w.held[0] && w.held[1]);
	EXPECT(says("vCont;S05:1;t:2", NULL));
	EXPECT(!w.held[0] && w.held[1]);
	destroy();
}

static void exceptions_of_the_guest(void)
{
	make();
	EXPECT(says("Z0,ffffffff81000000,1", "OK"));
	EXPECT(says("vCont;c", NULL));
	come_out(1, BP, VIRTUAL + 9, 0);
	look();
	EXPECT_EQ(w.nr_sent, 0);
	EXPECT(!w.held[0] && !w.held[1]);
	EXPECT_EQ(fake_vcpu[1].debug.control, SOFT | KVIRT_GUESTDBG_INJECT_BP);
	come_out(0, DB, VIRTUAL, 0xffff0ff0 | 1);
	look();
	EXPECT_EQ(fake_vcpu[0].debug.control, SOFT | KVIRT_GUESTDBG_INJECT_DB);
	EXPECT(!w.held[0]);
	destroy();
}

#define ALIAS	(VIRTUAL + 4096)
#define STEPPED	(0xffff0ff0 | 0x4000)

/* vCPU @cpu stops at an INT3 that gdb set by another address of its page. */
static void stop_at_alias(unsigned int cpu)
{
	fake_vcpu[cpu].regs.rip = ALIAS;
	come_out(cpu, BP, ALIAS, 0);
	look();
	EXPECT(tells(cpu ? "T05thread:2;" : "T05thread:1;"));
}

static u8 *make_alias(void)
{
	u8 *code;

	make();
	code = guest_buf(&w.mem, PHYSICAL, 1);
	*code = 0x90;
	put_entry(TABLES + 0x3008, PHYSICAL | 3);
	EXPECT(says("Z0,ffffffff81000000,1", "OK"));
	EXPECT(says("vCont;c", NULL));
	return code;
}

/* gdb knows of no breakpoint there, and lets the guest go on: it goes on. */
static void goes_on_from_an_alias(void)
{
	u8 *code = make_alias();

	stop_at_alias(0);
	EXPECT(says("vCont;c", NULL));
	EXPECT(!w.held[0] && w.held[1]);
	EXPECT_EQ(*code, 0x90);
	EXPECT_EQ(fake_vcpu[0].debug.control,
		  SOFT | KVIRT_GUESTDBG_SINGLESTEP | KVIRT_GUESTDBG_BLOCKIRQ);
	fake_vcpu[0].regs.rip++;
	come_out(0, DB, ALIAS + 1, STEPPED);
	look();
	EXPECT_EQ(w.nr_sent, 0);
	EXPECT(!w.held[0] && !w.held[1]);
	EXPECT_EQ(*code, 0xcc);
	EXPECT_EQ(fake_vcpu[0].debug.control, SOFT);
	/* When it comes there again, it is told again. */
	stop_at_alias(0);
	/* gdb has moved it, or has taken the breakpoint away: there is nothing to step over. */
	EXPECT(says("P10=00000081ffffffff", "OK"));
	EXPECT(says("vCont;c", NULL));
	EXPECT(!w.held[0] && !w.held[1]);
	EXPECT_EQ(*code, 0xcc);
	stop_at_alias(0);
	EXPECT(says("z0,ffffffff81000000,1", "OK"));
	EXPECT(says("vCont;c", NULL));
	EXPECT(!w.held[0] && !w.held[1]);
	EXPECT_EQ(fake_vcpu[0].debug.control, 0);
	destroy();
}

/* Both stand at one: one after the other. */
static void two_go_on_from_an_alias(void)
{
	u8 *code = make_alias();

	stop_at_alias(0);
	EXPECT(says("vCont;c:2", NULL));
	EXPECT(w.held[0] && !w.held[1]);
	stop_at_alias(1);
	EXPECT(says("vCont;c", NULL));
	EXPECT(!w.held[0] && w.held[1]);
	fake_vcpu[0].regs.rip++;
	come_out(0, DB, ALIAS + 1, STEPPED);
	look();
	EXPECT(w.held[0] && !w.held[1]);
	EXPECT_EQ(*code, 0x90);
	/* Ctrl-C before it has come to that: it still has to. */
	w.nr_sent = 0;
	gdb_stub_input(w.stub, (const u8 *)"\3", 1);
	EXPECT(tells("T02thread:2;"));
	EXPECT_EQ(*code, 0xcc);
	EXPECT(says("vCont;c", NULL));
	EXPECT(w.held[0] && !w.held[1]);
	fake_vcpu[1].regs.rip++;
	come_out(1, DB, ALIAS + 1, STEPPED);
	look();
	EXPECT_EQ(w.nr_sent, 0);
	EXPECT(!w.held[0] && !w.held[1]);
	EXPECT_EQ(*code, 0xcc);
	destroy();
}

static void steps_from_an_alias(void)
{
	u8 *code = make_alias();

	stop_at_alias(0);
	EXPECT(says("vCont;s:1", NULL));
	EXPECT_EQ(*code, 0x90);
	fake_vcpu[0].regs.rip++;
	come_out(0, DB, ALIAS + 1, STEPPED);
	look();
	EXPECT(tells("T05thread:1;"));
	EXPECT_EQ(*code, 0xcc);
	/* The instruction changes itself: that stays. */
	EXPECT(says("vCont;c", NULL));
	stop_at_alias(0);
	EXPECT(says("vCont;s:1", NULL));
	*code = 0x91;
	come_out(0, DB, ALIAS + 1, STEPPED);
	look();
	EXPECT(tells("T05thread:1;"));
	EXPECT_EQ(*code, 0xcc);
	EXPECT(says("mffffffff81000000,1", "91"));
	/* A debugger that goes in the midst of it leaves nothing behind. */
	EXPECT(says("vCont;c", NULL));
	stop_at_alias(0);
	EXPECT(says("vCont;c", NULL));
	EXPECT(w.held[1]);
	gdb_stub_lost(w.stub);
	EXPECT(!w.held[0] && !w.held[1]);
	EXPECT_EQ(*code, 0x91);
	EXPECT_EQ(fake_vcpu[0].debug.control, 0);
	destroy();
}

/* What the debugger's INT3 hides is an INT3 of the guest's. */
static void alias_of_the_guests_own(void)
{
	u8 *code;

	make();
	code = guest_buf(&w.mem, PHYSICAL, 1);
	*code = 0xcc;
	put_entry(TABLES + 0x3008, PHYSICAL | 3);
	EXPECT(says("Z0,ffffffff81000000,1", "OK"));
	EXPECT(says("vCont;c", NULL));
	stop_at_alias(0);
	EXPECT(says("vCont;c", NULL));
	come_out(0, BP, ALIAS, 0);
	look();
	EXPECT_EQ(w.nr_sent, 0);
	EXPECT(!w.held[0] && w.held[1]);
	EXPECT_EQ(fake_vcpu[0].debug.control, SOFT | KVIRT_GUESTDBG_SINGLESTEP |
		  KVIRT_GUESTDBG_BLOCKIRQ | KVIRT_GUESTDBG_INJECT_BP);
	come_out(0, DB, VIRTUAL + 64, STEPPED);
	look();
	EXPECT_EQ(w.nr_sent, 0);
	EXPECT(!w.held[0] && !w.held[1]);
	/* A breakpoint in its handler is one. */
	stop_at_alias(0);
	EXPECT(says("Z0,ffffffff81000040,1", "OK"));
	EXPECT(says("vCont;c", NULL));
	come_out(0, BP, VIRTUAL + 64, 0);
	look();
	EXPECT(tells("T05thread:1;swbreak:;"));
	EXPECT_EQ(*code, 0xcc);
	/* Nor does it go on where the accelerator refuses. */
	fake.refuses = true;
	EXPECT(says("vCont;c", "E01"));
	EXPECT(w.held[0] && w.held[1]);
	fake.refuses = false;
	destroy();
}

/* Two at once: the one is told, the other when all were to go on. */
static void two_at_once(void)
{
	make();
	EXPECT(says("Z2,5000,8", "OK"));
	EXPECT(says("Z1,1000,1", "OK"));
	EXPECT(says("vCont;c", NULL));
	come_out(0, DB, 0x1000, 2);
	come_out(1, DB, VIRTUAL, 1);
	look();
	EXPECT(tells("T05thread:1;hwbreak:;"));
	EXPECT(says("vCont;c", "T05thread:2;watch:5000;"));
	EXPECT(w.held[0] && w.held[1]);
	EXPECT(says("vCont;c", NULL));
	/* The other is at a breakpoint, which it meets again. */
	come_out(0, DB, 0x1000, 2);
	come_out(1, DB, VIRTUAL, 2);
	look();
	EXPECT(tells("T05thread:2;hwbreak:;"));
	EXPECT(says("vCont;c", NULL));
	/* Not if its watchpoint is gone. */
	come_out(0, DB, VIRTUAL, 1);
	come_out(1, DB, VIRTUAL, 1);
	look();
	EXPECT(tells("T05thread:2;watch:5000;"));
	EXPECT(says("z2,5000,8", "OK"));
	EXPECT(says("vCont;c", NULL));
	/* Ctrl-C when one has just come out. */
	come_out(0, DB, 0x1000, 2);
	w.nr_sent = 0;
	gdb_stub_input(w.stub, (const u8 *)"\3", 1);
	EXPECT(tells("T05thread:1;hwbreak:;"));
	destroy();
}

/* Who came out with another and then stands is not told of while that one steps. */
static void one_steps_alone(void)
{
	make();
	EXPECT(says("Z2,5000,8", "OK"));
	EXPECT(says("vCont;c", NULL));
	come_out(0, DB, VIRTUAL, 1);
	come_out(1, DB, VIRTUAL, 1);
	look();
	EXPECT(tells("T05thread:1;watch:5000;"));
	EXPECT(says("vCont;s:1", NULL));
	EXPECT(!w.held[0] && w.held[1]);
	/* Woken by the exit that it has seen already. */
	look();
	EXPECT_EQ(w.nr_sent, 0);
	EXPECT(!w.held[0]);
	w.nr_sent = 0;
	gdb_stub_input(w.stub, (const u8 *)"\3", 1);
	EXPECT(tells("T02thread:1;"));
	/* Its turn comes when it is to go on. */
	EXPECT(says("vCont;c", "T05thread:2;watch:5000;"));
	destroy();
}

static void leaves(void)
{
	u8 *code;

	make();
	code = guest_buf(&w.mem, PHYSICAL, 1);
	EXPECT(says("Z0,ffffffff81000000,1", "OK"));
	EXPECT(says("Z1,1000,1", "OK"));
	EXPECT(says("D", "OK"));
	EXPECT_EQ(*code, 0);
	EXPECT(!w.held[0] && !w.held[1]);
	EXPECT_EQ(fake_vcpu[0].debug.control, 0);
	/* Nobody is there to be told. */
	gdb_stub_lost(w.stub);
	come_out(0, BP, VIRTUAL, 0);
	gdb_stub_ended(w.stub, 0);
	EXPECT(!w.held[1]);
	/* The next one finds the guest running, and stops it. */
	w.has_exit[0] = false;
	gdb_stub_attach(w.stub);
	EXPECT(w.held[0] && w.held[1]);
	EXPECT(says("?", "T05thread:1;"));
	EXPECT(says("Z0,ffffffff81000000,1", "OK"));
	/* Gone while it stands: it stands on. */
	gdb_stub_lost(w.stub);
	EXPECT(w.held[0] && w.held[1]);
	EXPECT_EQ(*code, 0);
	gdb_stub_attach(w.stub);
	EXPECT(says("c", NULL));
	gdb_stub_lost(w.stub);
	EXPECT(!w.held[0] && !w.held[1]);
	destroy();
}

static void ends(void)
{
	make();
	EXPECT(says("c", NULL));
	w.nr_sent = 0;
	gdb_stub_ended(w.stub, 121);
	EXPECT(tells("W79"));
	EXPECT(says("vKill;1", "OK"));
	EXPECT_EQ(w.killed, 1);
	destroy();
	make();
	EXPECT(says("k", NULL));
	EXPECT_EQ(w.killed, 2);
	destroy();
}

/* An accelerator that fails leaves the guest standing. */
static void cannot_go_on(void)
{
	make();
	fake.refuses = true;
	EXPECT(says("vCont;c", "E01"));
	EXPECT(w.held[0] && w.held[1]);
	EXPECT(says("mffffffff81000000,1", "E0e"));
	EXPECT(says("Z0,ffffffff81000000,1", "E0e"));
	destroy();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(packets), TEST(packets_that_are_too_long), TEST(escapes), TEST(description),
		TEST(threads), TEST(registers), TEST(all_registers), TEST(wide_registers), TEST(narrow_registers), TEST(tags), TEST(memory), TEST(walks),
		TEST(monitor), TEST(soft_breakpoints), TEST(no_more_soft_breakpoints), TEST(hard_breakpoints),
		TEST(goes_on_and_stops), TEST(steps), TEST(exceptions_of_the_guest),
		TEST(goes_on_from_an_alias), TEST(two_go_on_from_an_alias), TEST(steps_from_an_alias),
		TEST(alias_of_the_guests_own), TEST(two_at_once),
		TEST(one_steps_alone), TEST(leaves), TEST(ends), TEST(cannot_go_on),
	};

	return test_main(argc, argv, tests, ARRAY_SIZE(tests));
}

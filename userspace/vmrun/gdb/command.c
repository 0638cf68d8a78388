// SPDX-License-Identifier: GPL-2.0
/*
 * Each packet that gdb may send, by its first character or word ("Packets", "General Query
 * Packets" in gdb's manual). What is not known gets an empty reply, as gdb expects it.
 * Everything in a packet is checked here: numbers, lengths, ids of threads. Called by stub.c.
 */
#include <stdio.h>
#include <string.h>

#include "stub.h"

#define ERROR_FORMAT	1	/* gdb shows the number, and makes nothing of it */
#define ERROR_MEMORY	14	/* EFAULT */
#define ERROR_REFUSED	22	/* EINVAL */
#define ERROR_ROOM	28	/* ENOSPC */

typedef void command_fn(struct gdb_stub *stub, const char *at);

void gdb_send_reply(struct gdb_stub *stub)
{
	if (stub->reply.overflow)
		gdb_error(stub, ERROR_ROOM);
	stub->ops->send(stub->ctx, stub->frame, gdb_frame(&stub->reply, stub->frame));
	stub->reply.len = 0;
	stub->reply.overflow = false;
}

static void ok(struct gdb_stub *stub)
{
	gdb_print(&stub->reply, "OK");
}

/* A thread's id: *@cpu is its vCPU, or -1 for all of them, "0" (any) being the current one. */
static bool take_thread(struct gdb_stub *stub, const char **at, int *cpu)
{
	u64 id;

	if (gdb_take_word(at, "-1")) {
		*cpu = -1;
		return true;
	}
	if (!gdb_take_number(at, &id) || id > stub->nr_cpus)
		return false;
	*cpu = id ? id - 1 : stub->current;
	return true;
}

static bool take_range(const char **at, u64 *first, u64 *second)
{
	return gdb_take_number(at, first) && gdb_take_char(at, ',') && gdb_take_number(at, second);
}

/* ---- registers ---- */

static struct kvirt_vcpu *vcpu(struct gdb_stub *stub)
{
	return stub->cpu[stub->current].kvirt;
}

static int load(struct gdb_stub *stub)
{
	struct vm_error err = { 0 };

	if (gdb_registers_load(&stub->before, vcpu(stub), &err)) {
		gdb_error(stub, ERROR_REFUSED);
		return -1;
	}
	stub->after = stub->before;
	return 0;
}

static void store(struct gdb_stub *stub)
{
	struct vm_error err = { 0 };

	if (gdb_registers_store(&stub->after, &stub->before, vcpu(stub), &err))
		gdb_error(stub, ERROR_REFUSED);
	else
		ok(stub);
}

static void read_all(struct gdb_stub *stub, const char *at)
{
	u8 value[GDB_MAX_REGISTER];
	unsigned int n;

	(void)at;
	if (load(stub))
		return;
	for (n = 0; n < gdb_nr_registers(&stub->view); n++) {
		gdb_register_get(&stub->view, &stub->before, n, value);
		gdb_put_hex(&stub->reply, value, gdb_register_size(&stub->view, n));
	}
}

static void write_all(struct gdb_stub *stub, const char *at)
{
	u8 value[GDB_MAX_REGISTER];
	unsigned int n;

	if (load(stub))
		return;
	/* gdb may leave out what is at the end. */
	for (n = 0; n < gdb_nr_registers(&stub->view) && *at; n++) {
		if (!gdb_take_hex(&at, value, gdb_register_size(&stub->view, n))) {
			gdb_error(stub, ERROR_FORMAT);
			return;
		}
		gdb_register_set(&stub->view, &stub->after, n, value);
	}
	store(stub);
}

static void read_one(struct gdb_stub *stub, const char *at)
{
	u8 value[GDB_MAX_REGISTER];
	u64 n;

	if (!gdb_take_number(&at, &n) || *at || n >= gdb_nr_registers(&stub->view)) {
		gdb_error(stub, ERROR_FORMAT);
		return;
	}
	if (load(stub))
		return;
	gdb_register_get(&stub->view, &stub->before, n, value);
	gdb_put_hex(&stub->reply, value, gdb_register_size(&stub->view, n));
}

static void write_one(struct gdb_stub *stub, const char *at)
{
	u8 value[GDB_MAX_REGISTER];
	u64 n;

	if (!gdb_take_number(&at, &n) || !gdb_take_char(&at, '=') || n >= gdb_nr_registers(&stub->view) ||
	    !gdb_take_hex(&at, value, gdb_register_size(&stub->view, n)) || *at) {
		gdb_error(stub, ERROR_FORMAT);
		return;
	}
	if (load(stub))
		return;
	gdb_register_set(&stub->view, &stub->after, n, value);
	store(stub);
}

/* ---- memory ---- */

static void read_memory(struct gdb_stub *stub, const char *at)
{
	u8 data[GDB_MAX_PACKET / 2];
	u64 address, len;
	size_t n;

	if (!take_range(&at, &address, &len) || *at) {
		gdb_error(stub, ERROR_FORMAT);
		return;
	}
	len = min_u64(len, sizeof(data));
	n = gdb_read(&stub->access, vcpu(stub), address, data, len);
	if (n || !len)
		gdb_put_hex(&stub->reply, data, n);
	else
		gdb_error(stub, ERROR_MEMORY);
}

static void write_bytes(struct gdb_stub *stub, u64 address, const u8 *data, size_t len)
{
	if (gdb_write(&stub->access, vcpu(stub), address, data, len) == len)
		ok(stub);
	else
		gdb_error(stub, ERROR_MEMORY);
}

static void write_memory(struct gdb_stub *stub, const char *at)
{
	u8 data[GDB_MAX_PACKET / 2];
	u64 address, len;

	if (!take_range(&at, &address, &len) || !gdb_take_char(&at, ':') || len > sizeof(data) ||
	    !gdb_take_hex(&at, data, len) || *at)
		gdb_error(stub, ERROR_FORMAT);
	else
		write_bytes(stub, address, data, len);
}

static void write_binary(struct gdb_stub *stub, const char *at)
{
	u64 address, len;

	if (!take_range(&at, &address, &len) || !gdb_take_char(&at, ':') ||
	    len != stub->in.len - (u64)(at - stub->in.data))
		gdb_error(stub, ERROR_FORMAT);
	else
		write_bytes(stub, address, (const u8 *)at, len);
}

/* ---- breakpoints ---- */

/* "Z" or "z", type, address, kind or length; conditions and commands are not offered. */
static void breakpoint(struct gdb_stub *stub, const char *at, bool insert)
{
	static const enum gdb_hard_kind kinds[] = {
		[1] = GDB_HARD_CODE, [2] = GDB_HARD_WRITE, [4] = GDB_HARD_ACCESS,
	};
	u64 type, address, len;
	int ret;

	if (!gdb_take_number(&at, &type) || !gdb_take_char(&at, ',') ||
	    !take_range(&at, &address, &len) || *at) {
		gdb_error(stub, ERROR_FORMAT);
		return;
	}
	/* 3 is a watchpoint for reads alone, which the CPU has not: gdb then asks for 4. */
	if (type == 3 || type > 4)
		return;
	if (!type)
		ret = insert ? gdb_soft_add(&stub->access, vcpu(stub), address) :
		      gdb_soft_remove(&stub->access, address);
	else if (insert)
		ret = gdb_hard_add(&stub->hard, kinds[type], address, len);
	else
		ret = gdb_hard_remove(&stub->hard, kinds[type], address, len);
	if (!ret)
		ok(stub);
	else
		gdb_error(stub, type ? ERROR_ROOM : ERROR_MEMORY);
}

static void insert_breakpoint(struct gdb_stub *stub, const char *at)
{
	breakpoint(stub, at, true);
}

static void remove_breakpoint(struct gdb_stub *stub, const char *at)
{
	breakpoint(stub, at, false);
}

/* ---- running ---- */

static void set_actions(struct gdb_stub *stub, int cpu, enum gdb_action action)
{
	unsigned int i;

	/* The first that is said of a thread counts. */
	for (i = 0; i < stub->nr_cpus; i++)
		if ((cpu < 0 || (unsigned int)cpu == i) && stub->cpu[i].action == GDB_UNSAID)
			stub->cpu[i].action = action;
}

static void forget_actions(struct gdb_stub *stub)
{
	unsigned int i;

	for (i = 0; i < stub->nr_cpus; i++)
		stub->cpu[i].action = GDB_UNSAID;
}

/* "s" or "c", or with a signal "S05" or "C05": a guest has no signals, so they are ignored. */
static bool take_action(const char **at, enum gdb_action *action)
{
	char letter = **at;
	u64 signal;

	switch (letter) {
	case 'c':
	case 'C':
		*action = GDB_GO;
		break;
	case 's':
	case 'S':
		*action = GDB_STEP;
		break;
	case 't':
		*action = GDB_STAND;
		break;
	default:
		return false;
	}
	(*at)++;
	return (letter != 'C' && letter != 'S') || gdb_take_number(at, &signal);
}

/* "vCont;s:1;c" */
static void resume_each(struct gdb_stub *stub, const char *at)
{
	enum gdb_action action;
	int cpu;

	forget_actions(stub);
	while (gdb_take_char(&at, ';')) {
		cpu = -1;
		if (!take_action(&at, &action) ||
		    (gdb_take_char(&at, ':') && !take_thread(stub, &at, &cpu))) {
			at = "?";
			break;
		}
		set_actions(stub, cpu, action);
	}
	set_actions(stub, -1, GDB_STAND);
	if (*at)
		gdb_error(stub, ERROR_FORMAT);
	else
		gdb_resume(stub);
}

/* "c", "s", without vCont. To go on elsewhere gdb writes the register. */
static void resume_all(struct gdb_stub *stub, const char *at)
{
	enum gdb_action action;

	at--;
	if (!take_action(&at, &action) || *at) {
		gdb_error(stub, ERROR_FORMAT);
		return;
	}
	forget_actions(stub);
	set_actions(stub, action == GDB_STEP ? (int)stub->current : -1, action);
	set_actions(stub, -1, GDB_STAND);
	gdb_resume(stub);
}

static void why_stopped(struct gdb_stub *stub, const char *at)
{
	(void)at;
	gdb_tell_stop(stub);
}

static void detach(struct gdb_stub *stub, const char *at)
{
	(void)at;
	ok(stub);
	gdb_send_reply(stub);
	gdb_detach(stub);
}

static void kill_machine(struct gdb_stub *stub, const char *at)
{
	(void)at;
	stub->attached = false;
	stub->ops->kill(stub->ctx);
}

static void kill_politely(struct gdb_stub *stub, const char *at)
{
	ok(stub);
	gdb_send_reply(stub);
	kill_machine(stub, at);
}

static void which_actions(struct gdb_stub *stub, const char *at)
{
	(void)at;
	gdb_print(&stub->reply, "vCont;c;C;s;S;t");
}

/* ---- threads ---- */

static void choose_thread(struct gdb_stub *stub, const char *at)
{
	bool general = gdb_take_char(&at, 'g');
	int cpu;

	/* "Hc" is for "c" and "s", which vCont has replaced. */
	if ((!general && !gdb_take_char(&at, 'c')) || !take_thread(stub, &at, &cpu) || *at) {
		gdb_error(stub, ERROR_FORMAT);
		return;
	}
	if (general && cpu >= 0)
		stub->current = cpu;
	ok(stub);
}

static void is_alive(struct gdb_stub *stub, const char *at)
{
	int cpu;

	if (take_thread(stub, &at, &cpu) && !*at)
		ok(stub);
	else
		gdb_error(stub, ERROR_FORMAT);
}

static void current_thread(struct gdb_stub *stub, const char *at)
{
	/* Not "qCRC". */
	if (!*at)
		gdb_print(&stub->reply, "QC%x", stub->current + 1);
}

static void first_threads(struct gdb_stub *stub, const char *at)
{
	unsigned int i;

	(void)at;
	for (i = 0; i < stub->nr_cpus; i++)
		gdb_print(&stub->reply, "%c%x", i ? ',' : 'm', i + 1);
}

static void more_threads(struct gdb_stub *stub, const char *at)
{
	(void)at;
	gdb_print(&stub->reply, "l");
}

static void thread_name(struct gdb_stub *stub, const char *at)
{
	char name[32];
	int cpu;

	if (!take_thread(stub, &at, &cpu) || *at || cpu < 0) {
		gdb_error(stub, ERROR_FORMAT);
		return;
	}
	snprintf(name, sizeof(name), "vCPU %d", cpu);
	gdb_put_hex(&stub->reply, name, strlen(name));
}

/* ---- texts that gdb reads piece by piece ---- */

/* "OFFSET,LENGTH" becomes a window behind the reply's first character. */
static bool open_window(struct gdb_stub *stub, const char *at, struct gdb_window *window)
{
	*window = (struct gdb_window){ .text = &stub->reply };
	if (!take_range(&at, &window->skip, &window->room) || *at) {
		gdb_error(stub, ERROR_FORMAT);
		return false;
	}
	window->room = min_u64(window->room, GDB_MAX_PACKET - 1);
	gdb_print(&stub->reply, "l");
	return true;
}

static void read_description(struct gdb_stub *stub, const char *at)
{
	struct gdb_window window;

	if (!open_window(stub, at, &window))
		return;
	/* From its beginning: what gdb knows and what it gets change together. */
	if (!window.skip)
		stub->view.bits = stub->bits_next;
	if (gdb_describe(&stub->view, &window))
		stub->reply.data[0] = 'm';
}

static void read_threads(struct gdb_stub *stub, const char *at)
{
	struct gdb_window window;
	unsigned int i;
	char line[80];

	if (!open_window(stub, at, &window))
		return;
	gdb_show(&window, "<?xml version=\"1.0\"?>\n<threads>\n");
	for (i = 0; i < stub->nr_cpus; i++) {
		snprintf(line, sizeof(line), "<thread id=\"%x\" core=\"%u\" name=\"vCPU %u\"/>\n",
			 i + 1, i, i);
		gdb_show(&window, line);
	}
	gdb_show(&window, "</threads>\n");
	if (window.more)
		stub->reply.data[0] = 'm';
}

/* ---- what is said at the beginning ---- */

static void supported(struct gdb_stub *stub, const char *at)
{
	stub->tells_kind = strstr(at, "swbreak+") && strstr(at, "hwbreak+");
	gdb_print(&stub->reply, "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;"
		  "qXfer:threads:read+;swbreak+;hwbreak+;vContSupported+", GDB_MAX_PACKET);
}

static void no_acknowledgements(struct gdb_stub *stub, const char *at)
{
	(void)at;
	ok(stub);
	stub->no_ack = true;
}

static void was_there_before(struct gdb_stub *stub, const char *at)
{
	(void)at;
	/* So gdb leaves the machine running when it ends. */
	gdb_print(&stub->reply, "1");
}

/* ---- "monitor ..." ---- */

static void put_line(struct gdb_text *text, const char *line)
{
	gdb_put_hex(text, line, strlen(line));
}

static void monitor_help(struct gdb_stub *stub, const char *at)
{
	(void)at;
	put_line(&stub->reply, "monitor regs             how the current vCPU is set up\n"
		 "monitor translate ADDR   the physical address of a virtual one, in hexadecimal\n"
		 "monitor bits 16|32|64    show registers and code as of a CPU that has so many\n");
}

/* gdb takes the one for the other at no time: it must ask anew what it talks to. */
static void monitor_bits(struct gdb_stub *stub, const char *at)
{
	static const char *const words[] = {
		[GDB_64_BITS] = "64", [GDB_32_BITS] = "32", [GDB_16_BITS] = "16",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(at, words[i]))
			continue;
		stub->bits_next = i;
		put_line(&stub->reply, "from the next connection on: disconnect, and target remote again\n");
		return;
	}
	put_line(&stub->reply, "16, 32 or 64?\n");
}

static void monitor_regs(struct gdb_stub *stub, const char *at)
{
	const struct kvirt_sregs *s = &stub->before.sregs;
	const struct kvirt_segment *const segments[] = {
		&s->cs, &s->ds, &s->es, &s->fs, &s->gs, &s->ss, &s->tr, &s->ldt,
	};
	static const char names[][4] = { "cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt" };
	const char *mode = "real mode";
	char line[128];
	unsigned int i;

	(void)at;
	if (load(stub))
		return;
	if (s->efer & BIT_ULL(10))
		mode = s->cs.l ? "long mode" : "long mode, 32 bits";
	else if (s->cr0 & 1)
		mode = s->cs.db ? "protected mode" : "protected mode, 16 bits";
	snprintf(line, sizeof(line), "vCPU %u: %s, privilege level %u\n", stub->current, mode, s->ss.dpl);
	put_line(&stub->reply, line);
	snprintf(line, sizeof(line), "cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx\n",
		 (unsigned long long)s->cr0, (unsigned long long)s->cr2, (unsigned long long)s->cr3,
		 (unsigned long long)s->cr4, (unsigned long long)s->efer);
	put_line(&stub->reply, line);
	for (i = 0; i < ARRAY_SIZE(segments); i++) {
		snprintf(line, sizeof(line), "%-3s %04x base %llx limit %x type %x\n", names[i],
			 segments[i]->selector, (unsigned long long)segments[i]->base,
			 segments[i]->limit, segments[i]->type);
		put_line(&stub->reply, line);
	}
	snprintf(line, sizeof(line), "gdt base %llx limit %x, idt base %llx limit %x\n",
		 (unsigned long long)s->gdt.base, s->gdt.limit, (unsigned long long)s->idt.base,
		 s->idt.limit);
	put_line(&stub->reply, line);
}

static void monitor_translate(struct gdb_stub *stub, const char *at)
{
	u64 address, physical;
	char line[128];

	gdb_take_word(&at, "0x");
	if (!gdb_take_number(&at, &address) || *at)
		snprintf(line, sizeof(line), "which address? monitor translate ffffffff81000000\n");
	else if (!gdb_translate(&stub->access, vcpu(stub), address, &physical))
		snprintf(line, sizeof(line), "%llx is not mapped\n", (unsigned long long)address);
	else
		snprintf(line, sizeof(line), "%llx is at %llx, %s\n", (unsigned long long)address,
			 (unsigned long long)physical,
			 guest_buf(stub->access.mem, physical, 1) ? "in RAM" : "not RAM");
	put_line(&stub->reply, line);
}

struct command {
	const char *word;
	command_fn *fn;
};

static bool obey(struct gdb_stub *stub, const struct command *table, unsigned int nr, const char *at)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (gdb_take_word(&at, table[i].word)) {
			table[i].fn(stub, at);
			return true;
		}
	return false;
}

static void monitor(struct gdb_stub *stub, const char *at)
{
	static const struct command words[] = {
		{ "help", monitor_help },
		{ "regs", monitor_regs },
		{ "translate ", monitor_translate },
		{ "bits ", monitor_bits },
	};
	char line[128] = "";
	size_t digits = strlen(at);

	if (digits % 2 || digits / 2 >= sizeof(line) || !gdb_take_hex(&at, line, digits / 2))
		gdb_error(stub, ERROR_FORMAT);
	else if (!obey(stub, words, ARRAY_SIZE(words), line))
		put_line(&stub->reply, "there is no such word; monitor help lists them\n");
}

/* A longer word stands before one that it begins with. */
static const struct command commands[] = {
	{ "g", read_all },
	{ "G", write_all },
	{ "p", read_one },
	{ "P", write_one },
	{ "m", read_memory },
	{ "M", write_memory },
	{ "X", write_binary },
	{ "Z", insert_breakpoint },
	{ "z", remove_breakpoint },
	{ "vCont?", which_actions },
	{ "vCont", resume_each },
	{ "vKill", kill_politely },
	{ "c", resume_all },
	{ "C", resume_all },
	{ "s", resume_all },
	{ "S", resume_all },
	{ "?", why_stopped },
	{ "D", detach },
	{ "k", kill_machine },
	{ "H", choose_thread },
	{ "T", is_alive },
	{ "qfThreadInfo", first_threads },
	{ "qsThreadInfo", more_threads },
	{ "qThreadExtraInfo,", thread_name },
	{ "qC", current_thread },
	{ "qXfer:features:read:target.xml:", read_description },
	{ "qXfer:threads:read::", read_threads },
	{ "qSupported", supported },
	{ "QStartNoAckMode", no_acknowledgements },
	{ "qAttached", was_there_before },
	{ "qRcmd,", monitor },
};

void gdb_command(struct gdb_stub *stub)
{
	obey(stub, commands, ARRAY_SIZE(commands), stub->in.data);
	/* What went on is told when it stops; to who has left, nothing. */
	if (stub->attached && !stub->running)
		gdb_send_reply(stub);
}

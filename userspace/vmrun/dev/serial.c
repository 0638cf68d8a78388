// SPDX-License-Identifier: GPL-2.0
/*
 * The registers of a 16550A, after the data sheet of National Semiconductor's
 * PC16550D. A byte is sent in no time; only a far end that is full keeps THR
 * occupied, so a stalled terminal slows the guest down as a real line would.
 * What is not modelled: the baud rate, parity, breaks, DMA.
 * Called by the bus (vCPU threads) and by console.c (main thread).
 */
#include <string.h>

#include "serial.h"

enum {
	REG_DATA	= 0,	/* RBR, THR; DLL when LCR.DLAB */
	REG_IER		= 1,	/* DLM when LCR.DLAB */
	REG_IIR		= 2,	/* FCR when written */
	REG_LCR		= 3,
	REG_MCR		= 4,
	REG_LSR		= 5,
	REG_MSR		= 6,
	REG_SCR		= 7,
};

#define IER_RX		BIT(0)
#define IER_TX		BIT(1)
#define IER_LINE	BIT(2)
#define IER_MASK	0x0f

#define IIR_NONE	0x01
#define IIR_TX		0x02
#define IIR_RX		0x04
#define IIR_LINE	0x06
#define IIR_TIMEOUT	0x0c
#define IIR_FIFO	0xc0

#define FCR_ENABLE	BIT(0)
#define FCR_CLEAR_RX	BIT(1)

#define LCR_DLAB	BIT(7)

#define MCR_DTR		BIT(0)
#define MCR_RTS		BIT(1)
#define MCR_OUT1	BIT(2)
#define MCR_OUT2	BIT(3)
#define MCR_LOOP	BIT(4)
#define MCR_MASK	0x1f

#define LSR_DATA	BIT(0)
#define LSR_OVERRUN	BIT(1)
#define LSR_THR_EMPTY	BIT(5)
#define LSR_IDLE	BIT(6)

#define MSR_CTS		BIT(4)
#define MSR_DSR		BIT(5)
#define MSR_RI		BIT(6)
#define MSR_DCD		BIT(7)

static unsigned int rx_size(const struct serial *s)
{
	return s->fifo_enabled ? SERIAL_FIFO_SIZE : 1;
}

/* The interrupt with the highest priority, as IIR names it. */
static u8 pending_source(const struct serial *s)
{
	if ((s->ier & IER_LINE) && s->lsr_errors)
		return IIR_LINE;
	if ((s->ier & IER_RX) && s->rx_count)
		return s->rx_count >= s->fifo_trigger ? IIR_RX : IIR_TIMEOUT;
	if ((s->ier & IER_TX) && s->transmit_pending)
		return IIR_TX;
	return IIR_NONE;
}

/* On a PC, OUT2 is the gate between the port and its interrupt line. */
static void update_irq(struct serial *s)
{
	bool level = pending_source(s) != IIR_NONE &&
		     (s->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

	if (level == s->irq_level)
		return;
	s->irq_level = level;
	s->ops->set_irq(s->ctx, level);
}

static void clear_rx(struct serial *s)
{
	s->rx_head = 0;
	s->rx_count = 0;
}

static unsigned int room(const struct serial *s)
{
	if (!(s->mcr & MCR_RTS) || (s->mcr & MCR_LOOP))
		return 0;
	return rx_size(s) - s->rx_count;
}

/*
 * Tell the far end once that what it waits for has come: with a FIFO, half of one, so that
 * it need not be woken for each byte of many.
 */
static void wake_far_end(struct serial *s)
{
	if (!s->starved || room(s) < (rx_size(s) + 1) / 2)
		return;
	s->starved = false;
	s->ops->receive_ready(s->ctx);
}

static void push_rx(struct serial *s, u8 byte)
{
	if (s->rx_count == rx_size(s)) {
		s->lsr_errors |= LSR_OVERRUN;
		return;
	}
	s->rx[(s->rx_head + s->rx_count) % SERIAL_FIFO_SIZE] = byte;
	s->rx_count++;
}

static u8 pop_rx(struct serial *s)
{
	u8 byte;

	if (!s->rx_count)
		return 0;
	byte = s->rx[s->rx_head];
	s->rx_head = (s->rx_head + 1) % SERIAL_FIFO_SIZE;
	s->rx_count--;
	return byte;
}

static void write_data(struct serial *s, u8 byte)
{
	if (s->mcr & MCR_LOOP)
		push_rx(s, byte);
	else
		s->transmit_room = s->ops->transmit(s->ctx, byte);
	/*
	 * The byte has left at once, so THR is empty again. Between two bytes
	 * the line does not drop: one interrupt serves a whole burst.
	 */
	s->transmit_pending = s->transmit_room;
}

static void write_fcr(struct serial *s, u8 value)
{
	static const u8 trigger[] = { 1, 4, 8, 14 };
	bool enable = value & FCR_ENABLE;

	if (enable != s->fifo_enabled || (enable && (value & FCR_CLEAR_RX)))
		clear_rx(s);
	s->fifo_enabled = enable;
	s->fifo_trigger = enable ? trigger[value >> 6] : 1;
}

static void write_ier(struct serial *s, u8 value)
{
	/* Turning "THR empty" on while THR is empty asks for service now. */
	if ((value & IER_TX) && !(s->ier & IER_TX) && s->transmit_room)
		s->transmit_pending = true;
	s->ier = value & IER_MASK;
}

static u8 read_iir(struct serial *s)
{
	u8 source = pending_source(s);

	/* Only reading the report of "THR empty" takes it back. */
	if (source == IIR_TX)
		s->transmit_pending = false;
	return source | (s->fifo_enabled ? IIR_FIFO : 0);
}

static u8 read_lsr(struct serial *s)
{
	u8 value = s->lsr_errors;

	s->lsr_errors = 0;
	if (s->rx_count)
		value |= LSR_DATA;
	if (s->transmit_room)
		value |= LSR_THR_EMPTY | LSR_IDLE;
	return value;
}

static u8 read_msr(const struct serial *s)
{
	u8 value = 0;

	if (!(s->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (s->mcr & MCR_RTS)
		value |= MSR_CTS;
	if (s->mcr & MCR_DTR)
		value |= MSR_DSR;
	if (s->mcr & MCR_OUT1)
		value |= MSR_RI;
	if (s->mcr & MCR_OUT2)
		value |= MSR_DCD;
	return value;
}

static u8 read_reg(struct serial *s, u64 offset)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (offset) {
	case REG_DATA:
		return dlab ? s->dll : pop_rx(s);
	case REG_IER:
		return dlab ? s->dlm : s->ier;
	case REG_IIR:
		return read_iir(s);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return read_lsr(s);
	case REG_MSR:
		return read_msr(s);
	default:
		return s->scr;
	}
}

static void write_reg(struct serial *s, u64 offset, u8 value)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (offset) {
	case REG_DATA:
		if (dlab)
			s->dll = value;
		else
			write_data(s, value);
		break;
	case REG_IER:
		if (dlab)
			s->dlm = value;
		else
			write_ier(s, value);
		break;
	case REG_IIR:
		write_fcr(s, value);
		break;
	case REG_LCR:
		s->lcr = value;
		break;
	case REG_MCR:
		s->mcr = value & MCR_MASK;
		break;
	case REG_SCR:
		s->scr = value;
		break;
	default:
		/* LSR and MSR are the hardware's to write. */
		break;
	}
}

static void serial_bus_read(void *dev, u64 offset, u8 *data, unsigned int len)
{
	struct serial *s = dev;
	unsigned int i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < len; i++)
		data[i] = read_reg(s, offset + i);
	update_irq(s);
	wake_far_end(s);
	pthread_mutex_unlock(&s->lock);
}

static void serial_bus_write(void *dev, u64 offset, const u8 *data,
			     unsigned int len)
{
	struct serial *s = dev;
	unsigned int i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < len; i++)
		write_reg(s, offset + i, data[i]);
	update_irq(s);
	wake_far_end(s);
	pthread_mutex_unlock(&s->lock);
}

const struct bus_ops serial_bus_ops = {
	.read = serial_bus_read,
	.write = serial_bus_write,
};

void serial_init(struct serial *s, const struct serial_ops *ops, void *ctx)
{
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	s->ops = ops;
	s->ctx = ctx;
	s->fifo_trigger = 1;
	s->transmit_room = true;
	s->dll = 12;	/* 9600 baud, what firmware leaves behind */
}

void serial_destroy(struct serial *s)
{
	pthread_mutex_destroy(&s->lock);
}

unsigned int serial_room(struct serial *s)
{
	unsigned int n;

	pthread_mutex_lock(&s->lock);
	n = room(s);
	s->starved = !n;
	pthread_mutex_unlock(&s->lock);
	return n;
}

void serial_receive(struct serial *s, const u8 *data, unsigned int len)
{
	unsigned int i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < len; i++)
		push_rx(s, data[i]);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
}

void serial_transmit_ready(struct serial *s)
{
	pthread_mutex_lock(&s->lock);
	if (!s->transmit_room) {
		s->transmit_room = true;
		s->transmit_pending = true;
		update_irq(s);
	}
	pthread_mutex_unlock(&s->lock);
}

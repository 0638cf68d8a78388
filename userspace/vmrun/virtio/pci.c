// SPDX-License-Identifier: GPL-2.0
/*
 * The transport: what the driver reads and writes to find a device, agree on features, set
 * up queues, start and reset it. Sections 2.1 (status), 2.2 (features), 3.1 (order), 4.1
 * (PCI). What a device does is behind its ops. Called through dev/pci.c by vCPUs, and by
 * the devices through struct virtio_transport.
 *
 * Locks, outer first: dev->lock, then msix->lock, pci->lock, irq->lock, the last three
 * never one in the other but for msix->lock around irq->lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "msix.h"
#include "pci.h"

#define VENDOR_ID		0x1af4
#define DEVICE_ID_BASE		0x1040
#define SUBSYSTEM_ID		0x1100
#define REVISION		1	/* no legacy interface */

#define BAR			0
#define BAR_SIZE		KIB(32)
/* What the BAR is made of, a page each: offset in pages is the part. */
#define PART_SIZE		4096
enum part {
	PART_COMMON, PART_ISR, PART_DEVICE, PART_NOTIFY, PART_MSIX, PART_PENDING,
};

#define CAP_VENDOR		0x09
#define CAP_MSIX		0x11
enum cap_type {
	CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4, CAP_PCI = 5,
};

#define NOTIFY_MULTIPLIER	4

#define STATUS_DRIVER_OK	0x04
#define STATUS_FEATURES_OK	0x08
#define STATUS_NEEDS_RESET	0x40

#define ISR_QUEUE		BIT(0)
#define ISR_CONFIG		BIT(1)

#define NO_VECTOR		0xffff

/* A capability structure behind the two bytes that all capabilities begin with. */
struct cap {
	u8 len;
	u8 type;
	u8 bar;
	u8 id;
	u8 padding[2];
	u32 offset;
	u32 length;
	u32 more;	/* the multiplier of CAP_NOTIFY, the data of CAP_PCI */
} __packed;

#define CAP_HEADER		2
#define CAP_DATA		(CAP_HEADER + offsetof(struct cap, more))

_Static_assert(CAP_HEADER + sizeof(struct cap) == 20 && CAP_DATA == 16, "section 4.1.4");

struct msix_cap {
	u16 control;
	u32 table;	/* offset and BAR */
	u32 pending;
} __packed;

/* Section 4.1.4.3. */
struct common {
	u32 device_feature_select;
	u32 device_feature;
	u32 driver_feature_select;
	u32 driver_feature;
	u16 config_vector;
	u16 nr_queues;
	u8 status;
	u8 generation;
	u16 queue_select;
	u16 queue_size;
	u16 queue_vector;
	u16 queue_enable;
	u16 queue_notify_off;
	u32 queue_desc[2];
	u32 queue_driver[2];
	u32 queue_device[2];
	u16 queue_notify_data;
	u16 queue_reset;
} __packed;

_Static_assert(sizeof(struct common) == 60, "section 4.1.4.3");

struct doorbell {
	struct virtio_pci *vpci;
	unsigned int queue;
	int fd;
	int watch;
	bool assigned;		/* p: the accelerator signals it */
};

/* Letters: c const once the vCPUs run, d dev->lock, p pci->lock. */
struct virtio_pci {
	struct virtio_device *dev;		/* c */
	struct kvirt *kvirt;			/* c */
	struct pci_function *function;		/* c */
	struct msix msix;
	unsigned int msix_cap, pci_cap;		/* c: where they are */
	struct doorbell doorbell[VIRTIO_MAX_QUEUES];
	unsigned int nr_doorbells;		/* c */

	bool want_doorbells;			/* p: the driver is ready */
	u64 doorbells_at;			/* p: address of the first; 0: nowhere */

	u32 device_feature_select;		/* d, and all below */
	u32 driver_feature_select;
	u64 driver_features;
	u8 status;
	u8 generation;
	u8 isr;
	u16 queue_select;
	u16 config_vector;
	u16 queue_vector[VIRTIO_MAX_QUEUES];
	bool queue_enabled[VIRTIO_MAX_QUEUES];
	bool master;		/* the device may reach memory */
	bool stopping;		/* ops->stop runs, perhaps without the lock, or left the device busy */
	bool reset_wanted;	/* the driver resets it meanwhile */
	bool gone;		/* virtio_pci_stop(): it does not start again */
};

/* ---- doorbells ---- */

static void ring_doorbell(struct doorbell *bell)
{
	u64 one = 1;

	/* It can only fail when the counter is full: then a kick is there. */
	if (write(bell->fd, &one, sizeof(one)) < 0)
		return;
}

/* In the device's thread. */
static void on_doorbell(void *ctx, u32 events)
{
	struct doorbell *bell = ctx;
	struct virtio_device *dev = bell->vpci->dev;
	struct ring *ring = &dev->queue[bell->queue];
	u64 count;

	(void)events;
	if (read(bell->fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&dev->lock);
	if (dev->started && !dev->needs_reset && ring->started) {
		dev->ops->kick(dev, bell->queue);
		if (ring->broken)
			virtio_needs_reset(dev, "a virtqueue of its driver breaks the specification");
	}
	pthread_mutex_unlock(&dev->lock);
}

/* Under pci->lock: has the accelerator's doorbells where the BAR is, while they are wanted. */
static void place_doorbells(struct virtio_pci *vpci, u64 bar_addr)
{
	bool there = vpci->want_doorbells && bar_addr != PCI_BAR_OFF;
	u64 at = there ? bar_addr + PART_NOTIFY * PART_SIZE : 0;
	unsigned int i;

	if (at == vpci->doorbells_at)
		return;
	for (i = 0; i < vpci->nr_doorbells; i++) {
		struct doorbell *bell = &vpci->doorbell[i];

		if (bell->assigned)
			kvirt_deassign_doorbell(vpci->kvirt, bell->fd,
						vpci->doorbells_at + i * NOTIFY_MULTIPLIER);
		/* Where it cannot be, the write is an exit and bar_write() rings. */
		bell->assigned = there &&
				 !kvirt_assign_doorbell(vpci->kvirt, bell->fd,
							at + i * NOTIFY_MULTIPLIER);
	}
	vpci->doorbells_at = at;
}

static void want_doorbells(struct virtio_pci *vpci, bool want)
{
	struct pci *pci = vpci->function->pci;

	pthread_mutex_lock(&pci->lock);
	vpci->want_doorbells = want;
	place_doorbells(vpci, vpci->function->bar[BAR].addr);
	pthread_mutex_unlock(&pci->lock);
}

static void bar_moved(void *ctx, unsigned int bar, u64 addr)
{
	(void)bar;
	place_doorbells(ctx, addr);
}

/* ---- what the device tells the driver; with dev->lock held ---- */

static void send(struct virtio_pci *vpci, u16 vector)
{
	if (vector < vpci->msix.nr)
		msix_signal(&vpci->msix, vector);
}

static void interrupt(void *ctx, unsigned int queue)
{
	struct virtio_pci *vpci = ctx;

	vpci->isr |= ISR_QUEUE;
	send(vpci, vpci->queue_vector[queue]);
}

static void config_changed(void *ctx)
{
	struct virtio_pci *vpci = ctx;

	vpci->generation++;
	vpci->isr |= ISR_CONFIG;
	send(vpci, vpci->config_vector);
}

static void kick(void *ctx, unsigned int queue)
{
	struct virtio_pci *vpci = ctx;

	ring_doorbell(&vpci->doorbell[queue]);
}

/* ---- the device's life; with dev->lock held ---- */

static void forget_driver(struct virtio_pci *vpci)
{
	struct virtio_device *dev = vpci->dev;
	unsigned int i;

	dev->features = 0;
	dev->needs_reset = false;
	vpci->driver_features = 0;
	vpci->device_feature_select = 0;
	vpci->driver_feature_select = 0;
	vpci->status = 0;
	vpci->isr = 0;
	msix_forget_pending(&vpci->msix);
	vpci->queue_select = 0;
	vpci->config_vector = NO_VECTOR;
	for (i = 0; i < dev->nr_queues; i++) {
		ring_reset(&dev->queue[i]);
		vpci->queue_vector[i] = NO_VECTOR;
		vpci->queue_enabled[i] = false;
	}
}

/* Afterwards the device leaves memory alone. The lock may have been dropped meanwhile. */
static void quiesce(struct virtio_pci *vpci)
{
	struct virtio_device *dev = vpci->dev;

	want_doorbells(vpci, false);
	dev->started = false;
	vpci->stopping = true;
	if (dev->ops->stop)
		dev->ops->stop(dev);
	/* Else stopped() comes. Meanwhile the driver sees a reset that is not done, as it may. */
	vpci->stopping = dev->busy;
}

static void reset(struct virtio_pci *vpci)
{
	/* Another CPU stops it. Until that one is through, the status is not 0. */
	if (vpci->stopping) {
		vpci->reset_wanted = true;
		return;
	}
	if (vpci->dev->started)
		quiesce(vpci);
	vpci->reset_wanted = vpci->stopping;
	if (!vpci->stopping)
		forget_driver(vpci);
}

/*
 * The driver took memory away under a device that works: nothing that it had under way can
 * be told any more, so that it has to be set up anew. Linux does so before kexec, where it
 * keeps devices from writing to what is the next kernel's.
 */
static void halted(struct virtio_pci *vpci)
{
	if (vpci->reset_wanted) {
		reset(vpci);
		return;
	}
	vpci->dev->needs_reset = true;
	if (vpci->master)
		config_changed(vpci);
}

static void halt(struct virtio_pci *vpci)
{
	quiesce(vpci);
	if (!vpci->stopping)
		halted(vpci);
}

/* Of the transport: a device that was busy is not any more. */
static void stopped(void *ctx)
{
	struct virtio_pci *vpci = ctx;

	vpci->stopping = false;
	halted(vpci);
}

/* True when the device can work with what the driver chose. */
static bool agree(struct virtio_pci *vpci)
{
	u64 features = vpci->driver_features;

	if ((features & ~vpci->dev->offered) || !(features & VIRTIO_F_VERSION_1))
		return false;
	vpci->dev->features = features;
	return true;
}

static void start(struct virtio_pci *vpci)
{
	struct virtio_device *dev = vpci->dev;
	bool event_idx = dev->features & VIRTIO_F_EVENT_IDX;
	bool bad = false;
	unsigned int i;

	for (i = 0; i < dev->nr_queues; i++)
		if (vpci->queue_enabled[i])
			bad |= ring_start(&dev->queue[i], event_idx) != 0;
	dev->started = true;
	if (bad) {
		virtio_needs_reset(dev, "its driver placed a virtqueue where no memory is");
		return;
	}
	if (dev->ops->start)
		dev->ops->start(dev);
	want_doorbells(vpci, true);
	/* For what was queued, and rung for, before there were doorbells. */
	for (i = 0; i < dev->nr_queues; i++)
		if (dev->queue[i].started)
			ring_doorbell(&vpci->doorbell[i]);
}

static void write_status(struct virtio_pci *vpci, u8 value)
{
	u8 before = vpci->status, added;

	if (vpci->gone)
		return;
	if (!value) {
		reset(vpci);
		return;
	}
	if (vpci->stopping)
		return;
	/* The driver only adds; NEEDS_RESET is the device's. */
	added = value & ~before & ~STATUS_NEEDS_RESET;
	if ((added & STATUS_FEATURES_OK) && !agree(vpci))
		added &= ~STATUS_FEATURES_OK;
	/* Without features there is no start. */
	if ((added & STATUS_DRIVER_OK) && !((before | added) & STATUS_FEATURES_OK))
		added &= ~STATUS_DRIVER_OK;
	vpci->status |= added;
	/* Else it starts when it may reach the queues. */
	if ((added & STATUS_DRIVER_OK) && vpci->master)
		start(vpci);
}

/* Two CPUs may have written the bit: whoever comes last sees what it is. */
static void bus_master(void *ctx)
{
	struct virtio_pci *vpci = ctx;
	struct virtio_device *dev = vpci->dev;
	bool on;

	pthread_mutex_lock(&dev->lock);
	on = pci_is_bus_master(vpci->function);
	if (on != vpci->master) {
		vpci->master = on;
		msix_set_bus_master(&vpci->msix, on);
		if (!on && dev->started)
			halt(vpci);
		else if (on && dev->needs_reset && !dev->started)
			config_changed(vpci);
		else if (on && (vpci->status & STATUS_DRIVER_OK) && !dev->started &&
			 !vpci->stopping && !vpci->gone)
			start(vpci);
	}
	pthread_mutex_unlock(&dev->lock);
}

/* ---- the common configuration; with dev->lock held ---- */

static u32 half(u64 value, u32 select)
{
	return select > 1 ? 0 : value >> (32 * select);
}

static void set_half(u64 *value, unsigned int select, u32 to)
{
	if (select == 0)
		*value = (*value & 0xffffffff00000000ull) | to;
	else if (select == 1)
		*value = (*value & 0xffffffffull) | (u64)to << 32;
}

static u8 read_status(const struct virtio_pci *vpci)
{
	return vpci->status | (vpci->dev->needs_reset ? STATUS_NEEDS_RESET : 0);
}

static struct common read_common(const struct virtio_pci *vpci)
{
	const struct virtio_device *dev = vpci->dev;
	u16 q = vpci->queue_select;
	struct common c = {
		.device_feature_select = vpci->device_feature_select,
		.device_feature = half(dev->offered, vpci->device_feature_select),
		.driver_feature_select = vpci->driver_feature_select,
		.driver_feature = half(vpci->driver_features, vpci->driver_feature_select),
		.config_vector = vpci->config_vector, .nr_queues = dev->nr_queues,
		.status = read_status(vpci), .generation = vpci->generation,
		.queue_select = q, .queue_vector = NO_VECTOR,
	};

	/* A queue that is not there has size 0. */
	if (q >= dev->nr_queues)
		return c;
	c.queue_size = dev->queue[q].size;
	c.queue_vector = vpci->queue_vector[q];
	c.queue_enable = vpci->queue_enabled[q];
	c.queue_notify_off = q;
	memcpy(c.queue_desc, &dev->queue[q].desc, sizeof(c.queue_desc));
	memcpy(c.queue_driver, &dev->queue[q].avail, sizeof(c.queue_driver));
	memcpy(c.queue_device, &dev->queue[q].used, sizeof(c.queue_device));
	return c;
}

static u16 check_vector(const struct virtio_pci *vpci, u16 vector)
{
	return vector < vpci->msix.nr ? vector : NO_VECTOR;
}

/* Fields of the selected queue; those of one that is in use do not change any more. */
static void write_queue(struct virtio_pci *vpci, u64 field, u32 value)
{
	u16 q = vpci->queue_select;
	struct ring *ring;

	if (q >= vpci->dev->nr_queues)
		return;
	ring = &vpci->dev->queue[q];
	if (field == offsetof(struct common, queue_vector)) {
		vpci->queue_vector[q] = check_vector(vpci, value);
		return;
	}
	if (vpci->queue_enabled[q] || (vpci->status & STATUS_DRIVER_OK))
		return;
	switch (field) {
	case offsetof(struct common, queue_size):
		ring->size = value;
		break;
	case offsetof(struct common, queue_enable):
		vpci->queue_enabled[q] = value == 1;
		break;
	case offsetof(struct common, queue_desc[0]):
	case offsetof(struct common, queue_desc[1]):
		set_half(&ring->desc, field != offsetof(struct common, queue_desc[0]), value);
		break;
	case offsetof(struct common, queue_driver[0]):
	case offsetof(struct common, queue_driver[1]):
		set_half(&ring->avail, field != offsetof(struct common, queue_driver[0]), value);
		break;
	case offsetof(struct common, queue_device[0]):
	case offsetof(struct common, queue_device[1]):
		set_half(&ring->used, field != offsetof(struct common, queue_device[0]), value);
		break;
	}
}

static void write_common(struct virtio_pci *vpci, u64 field, u32 value)
{
	switch (field) {
	case offsetof(struct common, device_feature_select):
		vpci->device_feature_select = value;
		break;
	case offsetof(struct common, driver_feature_select):
		vpci->driver_feature_select = value;
		break;
	case offsetof(struct common, driver_feature):
		if (!(vpci->status & STATUS_FEATURES_OK))
			set_half(&vpci->driver_features, vpci->driver_feature_select, value);
		break;
	case offsetof(struct common, config_vector):
		vpci->config_vector = check_vector(vpci, value);
		break;
	case offsetof(struct common, status):
		write_status(vpci, value);
		break;
	case offsetof(struct common, queue_select):
		vpci->queue_select = value;
		break;
	default:
		write_queue(vpci, field, value);
		break;
	}
}

/* How wide the writable field at @offset is; 0: none begins there. */
static unsigned int field_width(u64 offset)
{
	switch (offset) {
	case offsetof(struct common, status):
		return 1;
	case offsetof(struct common, config_vector):
	case offsetof(struct common, queue_select):
	case offsetof(struct common, queue_size):
	case offsetof(struct common, queue_vector):
	case offsetof(struct common, queue_enable):
		return 2;
	default:
		return offset % 4 || offset >= offsetof(struct common, queue_notify_data) ? 0 : 4;
	}
}

/* ---- the BAR ---- */

static void read_locked(struct virtio_pci *vpci, enum part part, u64 offset, u8 *data,
			unsigned int len)
{
	struct virtio_device *dev = vpci->dev;
	struct common common;

	switch (part) {
	case PART_COMMON:
		common = read_common(vpci);
		if (offset < sizeof(common) && len <= sizeof(common) - offset)
			memcpy(data, (u8 *)&common + offset, len);
		break;
	case PART_ISR:
		if (offset)
			break;
		data[0] = vpci->isr;
		vpci->isr = 0;
		break;
	case PART_DEVICE:
		if (dev->ops->read_config)
			dev->ops->read_config(dev, offset, data, len);
		break;
	default:
		break;
	}
}

static void bar_read(void *ctx, unsigned int bar, u64 offset, u8 *data, unsigned int len)
{
	enum part part = offset / PART_SIZE;
	struct virtio_pci *vpci = ctx;

	(void)bar;
	offset %= PART_SIZE;
	memset(data, 0, len);
	if (part == PART_MSIX) {
		msix_table_read(&vpci->msix, offset, data, len);
	} else if (part == PART_PENDING) {
		msix_pending_read(&vpci->msix, offset, data, len);
	} else {
		pthread_mutex_lock(&vpci->dev->lock);
		read_locked(vpci, part, offset, data, len);
		pthread_mutex_unlock(&vpci->dev->lock);
	}
}

static void write_locked(struct virtio_pci *vpci, enum part part, u64 offset, const u8 *data,
			 unsigned int len)
{
	struct virtio_device *dev = vpci->dev;
	u32 value = 0;

	if (part == PART_DEVICE) {
		if (dev->ops->write_config)
			dev->ops->write_config(dev, offset, data, len);
		return;
	}
	/* Section 4.1.3.1: each field by its own width, an address by its halves. */
	for (; len; offset += 4, data += 4, len -= min_u64(len, 4)) {
		if (min_u64(len, 4) != field_width(offset))
			return;
		memcpy(&value, data, field_width(offset));
		write_common(vpci, offset, value);
	}
}

static void bar_write(void *ctx, unsigned int bar, u64 offset, const u8 *data, unsigned int len)
{
	enum part part = offset / PART_SIZE;
	struct virtio_pci *vpci = ctx;

	(void)bar;
	offset %= PART_SIZE;
	switch (part) {
	case PART_NOTIFY:
		/* Only when the accelerator has not rung already. */
		if (offset / NOTIFY_MULTIPLIER < vpci->nr_doorbells)
			ring_doorbell(&vpci->doorbell[offset / NOTIFY_MULTIPLIER]);
		break;
	case PART_MSIX:
		msix_table_write(&vpci->msix, offset, data, len);
		break;
	case PART_COMMON:
	case PART_DEVICE:
		pthread_mutex_lock(&vpci->dev->lock);
		write_locked(vpci, part, offset, data, len);
		pthread_mutex_unlock(&vpci->dev->lock);
		break;
	default:
		break;
	}
}

/* ---- configuration space: MSI-X's control word, and the window into the BAR ---- */

/* Section 4.1.4.9: an access to the data of CAP_PCI is one to the BAR, where the guest says. */
static bool window(struct virtio_pci *vpci, unsigned int offset, unsigned int len, struct cap *cap)
{
	unsigned int data = vpci->pci_cap + CAP_DATA;

	if (offset >= data + sizeof(cap->more) || offset + len <= data)
		return false;
	pci_config_get(vpci->function, vpci->pci_cap + CAP_HEADER, cap, sizeof(*cap));
	return cap->bar == BAR && (cap->length == 1 || cap->length == 2 || cap->length == 4) &&
	       cap->offset % cap->length == 0 && cap->offset < BAR_SIZE;
}

static void config_read(void *ctx, unsigned int offset, u8 *data, unsigned int len)
{
	struct virtio_pci *vpci = ctx;
	unsigned int at = vpci->pci_cap + CAP_DATA;
	struct cap cap;
	u8 value[4] = { 0 };

	/* A part of it is read as what was stored. */
	if (!window(vpci, offset, len, &cap) || offset != at || len > sizeof(value))
		return;
	bar_read(vpci, cap.bar, cap.offset, value, cap.length);
	memcpy(data, value, len);
}

static void config_write(void *ctx, unsigned int offset, const u8 *data, unsigned int len)
{
	struct virtio_pci *vpci = ctx;
	struct cap cap;
	u16 control;

	(void)data;
	if (window(vpci, offset, len, &cap))
		bar_write(vpci, cap.bar, cap.offset, (u8 *)&cap.more, cap.length);
	if (offset < vpci->msix_cap + 4 && offset + len > vpci->msix_cap + 2) {
		pci_config_get(vpci->function, vpci->msix_cap + 2, &control, sizeof(control));
		msix_set_control(&vpci->msix, control);
	}
}

static const struct pci_function_ops function_ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.config_read = config_read,
	.config_write = config_write,
	.bar_moved = bar_moved,
	.bus_master = bus_master,
};

/* ---- building ---- */

/* The class only helps people who look at lspci. */
static u32 class_of(enum virtio_id id)
{
	switch (id) {
	case VIRTIO_ID_NET:
		return 0x020000;
	case VIRTIO_ID_BLOCK:
	case VIRTIO_ID_FS:
		return 0x018000;
	case VIRTIO_ID_CONSOLE:
		return 0x078000;
	case VIRTIO_ID_VSOCK:
		return 0x028000;
	default:
		return 0x00ff00;
	}
}

static int add_capabilities(struct virtio_pci *vpci)
{
	const struct { enum cap_type type; enum part part; u32 length; } parts[] = {
		{ CAP_COMMON, PART_COMMON, sizeof(struct common) },
		{ CAP_ISR, PART_ISR, 1 },
		{ CAP_DEVICE, PART_DEVICE, PART_SIZE },
		{ CAP_NOTIFY, PART_NOTIFY, vpci->dev->nr_queues * NOTIFY_MULTIPLIER },
	};
	const struct cap window_writable = {
		.bar = 0xff, .offset = ~0u, .length = ~0u, .more = ~0u,
	};
	const struct msix_cap msix_writable = {
		.control = MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK,
	};
	const struct msix_cap msix = {
		.control = vpci->msix.nr - 1,
		.table = PART_MSIX * PART_SIZE | BAR, .pending = PART_PENDING * PART_SIZE | BAR,
	};
	struct cap cap = { 0 };
	unsigned int i, len;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		/* Only the notification's has the multiplier. */
		len = sizeof(cap) - (parts[i].type == CAP_NOTIFY ? 0 : sizeof(cap.more));
		cap = (struct cap){
			.len = CAP_HEADER + len, .type = parts[i].type, .bar = BAR,
			.offset = parts[i].part * PART_SIZE, .length = parts[i].length,
			.more = NOTIFY_MULTIPLIER,
		};
		if (!pci_add_capability(vpci->function, CAP_VENDOR, &cap, NULL, len))
			return -1;
	}
	cap = (struct cap){ .len = CAP_HEADER + sizeof(cap), .type = CAP_PCI };
	vpci->pci_cap = pci_add_capability(vpci->function, CAP_VENDOR, &cap, &window_writable,
					   sizeof(cap));
	vpci->msix_cap = pci_add_capability(vpci->function, CAP_MSIX, &msix, &msix_writable,
					    sizeof(msix));
	return vpci->pci_cap && vpci->msix_cap ? 0 : -1;
}

static int add_doorbells(struct virtio_pci *vpci, struct vm_error *err)
{
	struct virtio_device *dev = vpci->dev;

	while (vpci->nr_doorbells < dev->nr_queues) {
		struct doorbell *bell = &vpci->doorbell[vpci->nr_doorbells];

		bell->vpci = vpci;
		bell->queue = vpci->nr_doorbells;
		bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		bell->watch = bell->fd < 0 ? -1 :
			      loop_watch(dev->loop, bell->fd, EPOLLIN, on_doorbell, bell);
		if (bell->watch < 0) {
			if (bell->fd >= 0)
				close(bell->fd);
			return vm_fail(err, VM_STATUS_FAILURE, "are too many files open?",
				       "cannot create a doorbell of %s: %s", dev->name,
				       strerror(errno));
		}
		vpci->nr_doorbells++;
	}
	return 0;
}

static void free_parts(struct virtio_pci *vpci)
{
	while (vpci->nr_doorbells) {
		struct doorbell *bell = &vpci->doorbell[--vpci->nr_doorbells];

		loop_unwatch(vpci->dev->loop, bell->watch);
		close(bell->fd);
	}
	if (vpci->function)
		pci_remove(vpci->function);
	msix_destroy(&vpci->msix);
	free(vpci);
}

static int add_function(struct virtio_pci *vpci, struct pci *pci, struct vm_error *err)
{
	const struct pci_identity identity = {
		.vendor = VENDOR_ID, .device = DEVICE_ID_BASE + vpci->dev->id,
		.subsystem_vendor = VENDOR_ID, .subsystem = SUBSYSTEM_ID,
		.class = class_of(vpci->dev->id), .revision = REVISION,
	};

	vpci->function = pci_add(pci, &identity, &function_ops, vpci, err);
	if (!vpci->function || pci_add_bar64(vpci->function, BAR, BAR_SIZE, err))
		return -1;
	if (add_capabilities(vpci))
		return vm_fail(err, VM_STATUS_FAILURE, NULL,
			       "the capabilities of %s do not fit", vpci->dev->name);
	return 0;
}

struct virtio_pci *virtio_pci_add(struct pci *pci, struct irq *irq, struct virtio_device *dev,
				  struct vm_error *err)
{
	struct virtio_pci *vpci = calloc(1, sizeof(*vpci));
	unsigned int i;

	if (!vpci) {
		vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
		return NULL;
	}
	vpci->dev = dev;
	vpci->kvirt = irq->kvirt;
	/* One vector for each queue, and one for the configuration. */
	if (msix_create(&vpci->msix, irq, dev->nr_queues + 1, err)) {
		free(vpci);
		return NULL;
	}
	for (i = 0; i < dev->nr_queues; i++)
		dev->queue[i].mem = pci->memory;
	forget_driver(vpci);
	dev->transport = (struct virtio_transport){
		.interrupt = interrupt, .config_changed = config_changed, .kick = kick,
		.stopped = stopped,
		.ctx = vpci,
	};
	if (add_function(vpci, pci, err) || add_doorbells(vpci, err)) {
		free_parts(vpci);
		return NULL;
	}
	return vpci;
}

void virtio_pci_stop(struct virtio_pci *vpci)
{
	pthread_mutex_lock(&vpci->dev->lock);
	vpci->gone = true;
	reset(vpci);
	pthread_mutex_unlock(&vpci->dev->lock);
}

void virtio_pci_remove(struct virtio_pci *vpci)
{
	virtio_pci_stop(vpci);
	free_parts(vpci);
}

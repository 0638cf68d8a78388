// SPDX-License-Identifier: GPL-2.0
/*
 * MSI-X of a function: the table's words, and what follows of them for each vector.
 * Delivery and pending bits are irq.c's. Called by virtio/pci.c.
 */
#include <string.h>

#include "msix.h"

enum { WORD_ADDRESS, WORD_ADDRESS_HIGH, WORD_DATA, WORD_CONTROL };

#define ENTRY_MASKED	BIT(0)

int msix_create(struct msix *msix, struct irq *irq, unsigned int nr, struct vm_error *err)
{
	memset(msix, 0, sizeof(*msix));
	pthread_mutex_init(&msix->lock, NULL);
	msix->irq = irq;
	while (msix->nr < nr) {
		int msi = irq_alloc_msi(irq, err);

		if (msi < 0) {
			msix_destroy(msix);
			return -1;
		}
		msix->msi[msix->nr] = msi;
		msix->entry[msix->nr].word[WORD_CONTROL] = ENTRY_MASKED;
		msix->nr++;
	}
	return 0;
}

void msix_destroy(struct msix *msix)
{
	while (msix->nr)
		irq_free_msi(msix->irq, msix->msi[--msix->nr]);
	pthread_mutex_destroy(&msix->lock);
}

static void apply(struct msix *msix, unsigned int vector)
{
	const u32 *word = msix->entry[vector].word;

	if (!msix->may_send || !(msix->control & MSIX_CONTROL_ENABLE) || (msix->control & MSIX_CONTROL_MASK) ||
	    (word[WORD_CONTROL] & ENTRY_MASKED))
		irq_mask_msi(msix->irq, msix->msi[vector]);
	else
		irq_unmask_msi(msix->irq, msix->msi[vector],
			       (u64)word[WORD_ADDRESS_HIGH] << 32 | word[WORD_ADDRESS],
			       word[WORD_DATA]);
}

/* The table takes aligned words and pairs of them. */
static bool is_table_access(const struct msix *msix, u64 offset, unsigned int len)
{
	return (len == 4 || len == 8) && offset % len == 0 &&
	       offset < msix->nr * MSIX_ENTRY_SIZE;
}

void msix_table_read(struct msix *msix, u64 offset, u8 *data, unsigned int len)
{
	memset(data, 0, len);
	if (!is_table_access(msix, offset, len))
		return;
	pthread_mutex_lock(&msix->lock);
	memcpy(data, (u8 *)msix->entry + offset, len);
	pthread_mutex_unlock(&msix->lock);
}

void msix_table_write(struct msix *msix, u64 offset, const u8 *data, unsigned int len)
{
	unsigned int vector = offset / MSIX_ENTRY_SIZE;
	struct msix_entry before;

	if (!is_table_access(msix, offset, len))
		return;
	pthread_mutex_lock(&msix->lock);
	before = msix->entry[vector];
	memcpy((u8 *)msix->entry + offset, data, len);
	msix->entry[vector].word[WORD_CONTROL] &= ENTRY_MASKED;
	if (memcmp(&before, &msix->entry[vector], sizeof(before)))
		apply(msix, vector);
	pthread_mutex_unlock(&msix->lock);
}

void msix_pending_read(struct msix *msix, u64 offset, u8 *data, unsigned int len)
{
	u64 bits = 0;
	unsigned int i;

	memset(data, 0, len);
	for (i = 0; i < msix->nr; i++)
		bits |= (u64)irq_msi_is_pending(msix->irq, msix->msi[i]) << i;
	if (offset < sizeof(bits) && len <= sizeof(bits) - offset)
		memcpy(data, (u8 *)&bits + offset, len);
}

void msix_set_control(struct msix *msix, u16 control)
{
	unsigned int i;

	control &= MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK;
	pthread_mutex_lock(&msix->lock);
	if (control != msix->control) {
		msix->control = control;
		for (i = 0; i < msix->nr; i++)
			apply(msix, i);
	}
	pthread_mutex_unlock(&msix->lock);
}

void msix_set_bus_master(struct msix *msix, bool on)
{
	unsigned int i;

	pthread_mutex_lock(&msix->lock);
	msix->may_send = on;
	for (i = 0; i < msix->nr; i++)
		apply(msix, i);
	pthread_mutex_unlock(&msix->lock);
}

void msix_forget_pending(struct msix *msix)
{
	unsigned int i;

	for (i = 0; i < msix->nr; i++)
		irq_forget_msi(msix->irq, msix->msi[i]);
}

void msix_signal(struct msix *msix, unsigned int vector)
{
	irq_signal_msi(msix->irq, msix->msi[vector]);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Makes one mistake, what=NAME, each time it is loaded, and refuses to stay (-EAGAIN): selftests/debug/proof sees whether a host of
 * make debug-check tells, and whether its driver notices. Only mistakes that a kernel with lockdep and KASAN survives: not for another.
 */
#include <linux/delay.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>

static char *what = "";
module_param(what, charp, 0);
MODULE_PARM_DESC(what, "the mistake to make");

/* The compiler must not know them, or it complains by itself. */
static int seventy = 70;
module_param(seventy, int, 0);

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static void lock_order(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static DEFINE_RAW_SPINLOCK(raw);
static DEFINE_SPINLOCK(spin);

static void lock_below_raw(void)
{
	raw_spin_lock(&raw);
	spin_lock(&spin);
	spin_unlock(&spin);
	raw_spin_unlock(&raw);
}

static void sleep_with_lock(void)
{
	raw_spin_lock(&raw);
	might_sleep();
	raw_spin_unlock(&raw);
}

static int __rcu *published;

static void rcu_without_lock(void)
{
	rcu_dereference(published);
}

static void cpu_while_preemptible(void)
{
	smp_processor_id();
}

static void slab_beyond_end(void)
{
	char *bytes = kmalloc(seventy, GFP_KERNEL);

	if (bytes)
		WRITE_ONCE(bytes[seventy], 1);
	kfree(bytes);
}

static void slab_after_free(void)
{
	char *bytes = kmalloc(seventy, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(bytes);
	kfree(bytes);
	if (bytes)
		READ_ONCE(bytes[seventy / 2]);
}

static void vmalloc_beyond_end(void)
{
	char *bytes = vmalloc(seventy);

	if (bytes)
		WRITE_ONCE(bytes[seventy], 1);
	vfree(bytes);
}

static void stack_beyond_end(void)
{
	char bytes[70];
	char *byte = bytes;

	OPTIMIZER_HIDE_VAR(byte);
	READ_ONCE(byte[seventy]);
}

static void index_beyond_end(void)
{
	static int numbers[70];

	WRITE_ONCE(numbers[seventy + 1], 1);
}

static void shift_too_far(void)
{
	int shifted = 1 << seventy;

	OPTIMIZER_HIDE_VAR(shifted);
}

static void list_twice(void)
{
	static LIST_HEAD(list);
	static LIST_HEAD(entry);

	list_add(&entry, &list);
	list_add(&entry, &list);
}

static void refcount_from_zero(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
}

static void on_time(struct timer_list *timer)
{
}

static void timer_freed(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, on_time, 0);
	mod_timer(timer, jiffies + 60 * HZ);
	kfree(timer);
}

static void memory_lost(void)
{
	char *bytes = kmalloc(seventy, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(bytes);
}

static const struct {
	const char *name;
	void (*make)(void);
} mistakes[] = {
	{ "lock_order", lock_order },
	{ "lock_below_raw", lock_below_raw },
	{ "sleep_with_lock", sleep_with_lock },
	{ "rcu_without_lock", rcu_without_lock },
	{ "cpu_while_preemptible", cpu_while_preemptible },
	{ "slab_beyond_end", slab_beyond_end },
	{ "slab_after_free", slab_after_free },
	{ "vmalloc_beyond_end", vmalloc_beyond_end },
	{ "stack_beyond_end", stack_beyond_end },
	{ "index_beyond_end", index_beyond_end },
	{ "shift_too_far", shift_too_far },
	{ "list_twice", list_twice },
	{ "refcount_from_zero", refcount_from_zero },
	{ "timer_freed", timer_freed },
	{ "memory_lost", memory_lost },
};

static int __init mistakes_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
		if (!strcmp(mistakes[i].name, what)) {
			mistakes[i].make();
			return -EAGAIN;
		}
	}
	return -EINVAL;
}

module_init(mistakes_init);
MODULE_DESCRIPTION("Makes mistakes, for a kernel that is to find them");
MODULE_LICENSE("GPL");

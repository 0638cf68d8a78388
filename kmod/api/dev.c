// SPDX-License-Identifier: GPL-2.0
/* /dev/kvirt and its ioctls, and how all doors copy. Everything a VM is comes by vm_fd.c. */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "api.h"

void *structure_in(unsigned int cmd, const void __user *argp)
{
	if (_IOC_DIR(cmd) & _IOC_WRITE)
		return memdup_user(argp, _IOC_SIZE(cmd));
	return kzalloc(_IOC_SIZE(cmd), GFP_KERNEL_ACCOUNT) ?: ERR_PTR(-ENOMEM);
}

long structure_out(unsigned int cmd, void __user *argp, void *data, long err)
{
	if (!err && (_IOC_DIR(cmd) & _IOC_READ) && copy_to_user(argp, data, _IOC_SIZE(cmd)))
		err = -EFAULT;
	kfree(data);
	return err;
}

/* The number goes back even when the room was too small: that is how one asks for it. */
static long get_msr_list(struct kvirt_msr_list __user *argp, u8 flags)
{
	const struct x86_msr *row;
	u32 n, room;

	if (get_user(room, &argp->nmsrs))
		return -EFAULT;
	for (n = 0; x86_msr_list(n, flags); n++)
		;
	if (put_user(n, &argp->nmsrs))
		return -EFAULT;
	if (room < n)
		return -E2BIG;
	for (n = 0; (row = x86_msr_list(n, flags)); n++)
		if (put_user(row->index, &argp->indices[n]))
			return -EFAULT;
	return 0;
}

long attribute(unsigned int cmd, const void __user *argp, u64 *value)
{
	struct kvirt_device_attr attr;
	void __user *user;

	if (copy_from_user(&attr, argp, sizeof(attr)))
		return -EFAULT;
	if (attr.group || attr.attr)
		return -ENXIO;
	user = u64_to_user_ptr(attr.addr);
	if (cmd == KVIRT_GET_DEVICE_ATTR)
		return copy_to_user(user, value, sizeof(*value)) ? -EFAULT : 0;
	return cmd == KVIRT_SET_DEVICE_ATTR && copy_from_user(value, user, sizeof(*value)) ?
	       -EFAULT : 0;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	u64 mce_cap = X86_MCE_SUPPORTED, components = host_fpu_mask();
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case KVIRT_GET_API_VERSION:
		return arg ? -EINVAL : KVIRT_API_VERSION;
	case KVIRT_CREATE_VM:
		return arg ? -EINVAL : vm_fd_create();
	case KVIRT_CHECK_EXTENSION:
		return capability(arg);
	case KVIRT_GET_VCPU_MMAP_SIZE:
		return arg ? -EINVAL : (long)(VCPU_RUN_PAGES * PAGE_SIZE);
	case KVIRT_GET_SUPPORTED_CPUID:
	case KVIRT_GET_EMULATED_CPUID:
		return cpuid_get(NULL, cmd, argp);
	case KVIRT_GET_MSR_INDEX_LIST:
		return get_msr_list(argp, X86_MSR_LISTED);
	case KVIRT_GET_MSR_FEATURE_INDEX_LIST:
		return get_msr_list(argp, X86_MSR_FEATURE);
	case KVIRT_GET_MSRS:
		return ioctl_msrs(NULL, cmd, argp);
	case KVIRT_X86_GET_MCE_CAP_SUPPORTED:
		return copy_to_user(argp, &mce_cap, sizeof(mce_cap)) ? -EFAULT : 0;
	case KVIRT_GET_DEVICE_ATTR:
	case KVIRT_HAS_DEVICE_ATTR:
		return attribute(cmd, argp, &components);
	default:
		return -EINVAL;
	}
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kvirt",
	.fops = &device_fops,
	.mode = 0660,
};

int __init device_init(void)
{
	return misc_register(&device);
}

void device_exit(void)
{
	misc_deregister(&device);
}

# SPDX-License-Identifier: GPL-2.0
#
# What the programs that run QEMU on a device share (sourced).

# fresh_work DIRECTORY   an empty one, which is $work from here on
fresh_work()
{
	work=$1
	rm -rf "$work"
	mkdir -p "$work"
}

# as_kvm DEVICE   QEMU knows one path for its device, /dev/kvm: for another, KVM is unloaded and that path a link until the program ends
as_kvm()
{
	[ "$1" = /dev/kvm ] && return
	kvm unload && ln -s "$1" /dev/kvm || exit 1
	trap 'rm -f /dev/kvm' EXIT
}

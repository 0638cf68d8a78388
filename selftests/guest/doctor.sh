#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# vmrun doctor says what is there and what is not; vmrun with puts /dev/kvirt in the place of /dev/kvm for another VMM, whether
# there is one or not, for root and for others. KVM is loaded again at the end.
#
#   doctor.sh --dev PATH

. /tests/lib/ktap.sh

numbers()
{
	stat -c %t:%T "$1"
}

# says MARK CHECK TEXT   a line of the doctor's
says()
{
	vmrun doctor >/tmp/doctor
	grep -q "^$1  *$2  *$3" /tmp/doctor && return 0
	sed 's/^/# /' /tmp/doctor
	return 1
}

nobody()
{
	su -s /bin/sh nobody -c "$*"
}

# seen [nobody]   what a program that is run by vmrun with sees as /dev/kvm
seen()
{
	"$@" vmrun with -- stat -c %t:%T /dev/kvm 2>&1
}

boots()
{
	echo "exec vmrun --accel kvm -k /guest/vmlinuz -i /guest/initramfs -m 128 \
		-a 'console=ttyS0 quiet panic=-1 cryptomgr.notests' </dev/null" >/tmp/boot
	nobody vmrun with -- sh /tmp/boot >/tmp/with 2>&1 && grep -q '^guest: done' /tmp/with && return 0
	sed 's/^/# /' /tmp/with
	return 1
}

quietly()
{
	"$@" >/dev/null
}

refused()
{
	nobody vmrun doctor | grep '^!! *device' | grep -q '/dev/kvirt may be opened by root alone'
}

echo 'nobody:x:65534:65534::/tmp:/bin/sh' >>/etc/passwd
echo 'nogroup:x:65534:' >>/etc/group
# The root of an initramfs may be its maker's alone.
chmod 755 /
chmod 666 /dev/kvirt
kvirt=$(numbers /dev/kvirt)

plan 14
check "the doctor sees the CPU" says ok cpu 'the CPU has'
check "and the module" says ok module 'the module kvirt is loaded'
check "and the device" says ok device '/dev/kvirt opens'
check "and ends with 0" quietly vmrun doctor
chmod 600 /dev/kvirt
check "a device that is closed is told of" \
	refused
chmod 666 /dev/kvirt
check "vmrun with wants a program" [ "$(vmrun with 2>/dev/null; echo $?)" = 125 ]
check "a program that is not there is 127" [ "$(vmrun with -- nosuch 2>/dev/null; echo $?)" = 127 ]

kvm load
kvm=$(numbers /dev/kvm)
check "with KVM, root's /dev/kvm is kvirt" [ "$(seen)" = "$kvirt" ]
check "with KVM, another user's too" [ "$(seen nobody)" = "$kvirt" ]
check "outside of it nothing has changed" [ "$(numbers /dev/kvm)" = "$kvm" ]

kvm unload
check "without KVM, root's /dev/kvm is kvirt" [ "$(seen)" = "$kvirt" ]
check "without KVM, another user's too" [ "$(seen nobody)" = "$kvirt" ]
check "and a machine runs on it" boots
check "outside of it there is none" [ ! -e /dev/kvm ]
kvm load
finish

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

# mended MARK CHECK TEXT FIX   what nobody is told of one thing, and how it is mended
mended()
{
	nobody vmrun doctor >/tmp/doctor
	grep -A1 "^$1  *$2  *.*$3" /tmp/doctor | grep -q "to mend it: .*$4" && return 0
	sed 's/^/# /' /tmp/doctor
	return 1
}

without()
{
	mv "$1" "$1.away"
	shift
	mended "$@"
	failed=$?
	mv "$gone.away" "$gone"
	return $failed
}

no_virtiofs()
{
	cp "/lib/modules/$release/modules.dep" /tmp/modules.dep
	grep -v virtiofs /tmp/modules.dep >"/lib/modules/$release/modules.dep"
	mended '!' modules 'has no module virtiofs' 'sudo apt install linux-image'
	failed=$?
	cp /tmp/modules.dep "/lib/modules/$release/modules.dep"
	return $failed
}

nothing_runs()
{
	nobody vmrun doctor >/tmp/doctor
	[ $? -eq 1 ] && grep -q '^No machine can run here' /tmp/doctor
}

# masked COMMAND...   where /proc/cpuinfo hides what the CPU has, as in some containers
masked()
{
	grep -v '^flags' /proc/cpuinfo >/tmp/cpuinfo
	mount -o bind /tmp/cpuinfo /proc/cpuinfo || return 1
	"$@"
	failed=$?
	umount /proc/cpuinfo
	return $failed
}

runs_all_the_same()
{
	says ok cpu '/proc/cpuinfo shows neither VT-x nor AMD-V' && quietly vmrun doctor
}

echo 'nobody:x:65534:65534::/tmp:/bin/sh' >>/etc/passwd
echo 'nogroup:x:65534:' >>/etc/group
# The root of an initramfs may be its maker's alone.
chmod 755 /
chmod 666 /dev/kvirt
kvirt=$(numbers /dev/kvirt)

plan 26
check "the doctor sees the CPU" says ok cpu 'the CPU has'
check "and the module" says ok module 'the module kvirt is loaded'
check "and the device" says ok device '/dev/kvirt opens'
check "and ends with 0" quietly vmrun doctor
check "a CPU that is hidden is no matter where the device opens" masked runs_all_the_same
chmod 600 /dev/kvirt
check "a device that is closed is told of" \
	refused
grep -qs '^kvm:' /etc/group || echo 'kvm:x:104:' >>/etc/group
chmod 644 /etc/group
chown root:kvm /dev/kvirt
chmod 660 /dev/kvirt
check "one for a group that this user is not in" mended '!!' device 'for group kvm, of which you are not' 'usermod -aG kvm'
chmod 666 /dev/kvirt
release=$(uname -r)
chmod 600 "/boot/vmlinuz-$release"
check "a kernel that is closed" mended '!' kernel 'cannot be read by you' "sudo chmod a+r /boot/vmlinuz-$release"
chmod 644 "/boot/vmlinuz-$release"
gone=/boot/vmlinuz-$release
check "a kernel that is not there" without "$gone" '!' kernel 'there is no /boot' 'sudo apt install'
gone=/lib/modules/$release/modules.dep.bin
check "modules without their index" without "$gone" '!' modules 'cannot be read' "sudo depmod $release"
check "a kernel without virtio-fs" no_virtiofs
gone=$(find / -xdev -name 'libslirp.so.0' | head -n 1)
check "a library that is not there" without "$gone" '!' libraries 'no libslirp' 'sudo apt install libslirp0'
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
kvirt unload
check "no module, no machine" nothing_runs
check "the CPU is told of where it is the reason" masked mended '!!' cpu 'neither VT-x nor AMD-V' 'firmware'
check "and what mends it" mended '!!' device 'cannot open /dev/kvirt' 'modprobe kvirt'
kvm load
chmod 666 /dev/kvm
check "with KVM alone the module is what is missing" mended '!' module 'kvirt is not installed' 'sudo make install'
check "and KVM's device opens" says ok device '/dev/kvm opens'
kvirt load
finish

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Loading and unloading the module, without KVM and beside it. Loads and unloads both by itself and leaves both loaded.

. /tests/lib/ktap.sh

rounds=20

no_root_mode()
{
	# rootmode.ko refuses to load where a CPU has CR4.VMXE or EFER.SVME set.
	insmod /tests/module/rootmode.ko && rmmod rootmode
}

nothing_left()
{
	! [ -e /dev/kvirt ] && ! [ -e /sys/module/kvirt ] &&
		! grep kvirt /proc/modules /proc/slabinfo /proc/misc /proc/vmallocinfo
}

refused_with_open_file()
{
	[ -c /dev/kvirt ] && exec 3<>/dev/kvirt || return 1
	fails rmmod kvirt 2>/dev/null && [ -c /dev/kvirt ]
	result=$?
	exec 3>&-
	return $result
}

available()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo
}

load_unload_rounds()
{
	kvirt load && kvirt unload || return 1
	before=$(available)
	i=0
	while [ $i -lt $rounds ]; do
		kvirt load && kvirt unload || return 1
		i=$((i + 1))
	done
	after=$(available)
	echo "# MemAvailable $before kB before, $after kB after $rounds rounds"
	# A leaked page each round would be 80 kB; the host itself moves by less than twice that.
	moves=2048
	# KASAN keeps what is freed, up to a 32nd of all memory; a kernel that has it finds what is lost by kmemleak.
	grep -q ' kasan_report$' /proc/kallsyms && moves=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 32))
	[ $((before - after)) -lt $moves ]
}

kvm_under_us()
{
	kvm load && kvm unload && kvm load && [ -c /dev/kvirt ]
}

plan 13
kvirt unload
kvm unload

check "loads without KVM" kvirt load
[ -c /dev/kvirt ] || { echo "Bail out! no module, nothing to test"; exit 1; }
check "makes its device" [ -c /dev/kvirt ]
check "a second load is refused" fails insmod /modules/kvirt.ko 2>/dev/null
check "unload with an open file is refused" refused_with_open_file
check "unloads once the file is closed" kvirt unload
check "unloading leaves nothing" nothing_left
check "unloading leaves no CPU in VMX or SVM mode" no_root_mode
check "loads and unloads many times, memory stays" load_unload_rounds
check "loads with KVM loaded" sh -c 'kvm load && kvirt load'
check "KVM unloads and loads beside it" kvm_under_us
check "unloads with KVM loaded" kvirt unload
check "unloading leaves nothing, with KVM loaded" nothing_left
check "loads again" kvirt load
finish

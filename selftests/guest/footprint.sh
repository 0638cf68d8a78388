#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What a machine takes: vmrun's own memory, which is its resident memory less the guest's RAM, and the modules that its guest loads,
# which are those that it has something to do for.
#
#   footprint.sh --dev PATH

. /tests/lib/ktap.sh

[ "$1" = --dev ] && dev=$2 || exit 2
work=/tmp/footprint.$$
mkdir -p $work
trap 'rm -rf $work' EXIT

# own TEXT ARGUMENT...   starts a machine of 256 MiB and waits until it says TEXT: $own is vmrun's own memory then, in KiB; the guest's
# modules are in $first and $last, when it tells
own()
{
	text=$1
	shift
	/tests/start/stopwatch --lines --until "$text" --guest 256 -- vmrun -A "$dev" -m 256 "$@" </dev/null >$work/out 2>&1
	own=$(sed -n 's/^stopwatch: .* own=\([0-9]*\)$/\1/p' $work/out)
	first=$(sed -n 's/.* first: //p' $work/out)
	last=$(sed -n 's/.* last: //p' $work/out)
	[ -n "$own" ] || sed 's/^/# /' $work/out
	echo "# vmrun $*: $own KiB; modules: $(echo "$first" | wc -w), then $(echo "$last" | wc -w)"
}

# is_at_most KIB
is_at_most()
{
	[ -n "$own" ] && [ "$own" -gt 0 ] && [ "$own" -le "$1" ]
}

cat >$work/modules.sh <<'SCRIPT'
list() { cut -d' ' -f1 /proc/modules | tr '\n' ' '; }
echo "first: $(list)"
tries=100
while ! list | grep -qw pvpanic_mmio && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done
echo "last: $(list)"
echo "that is all"
SCRIPT

# loaded LIST MODULE
loaded()
{
	echo "$1" | grep -qw "$2"
}

# has LIST MODULE   it is loaded, or a part of the kernel
has()
{
	loaded "$1" "$2" || grep -q "/$(echo "$2" | sed 's/_/[_-]/g')\.ko" "/lib/modules/$(uname -r)/modules.builtin"
}

# What is late may come while the command's program is still being read: only that it comes is certain.
plan 13
own 'guest: Linux' -k /guest/vmlinuz -i /guest/initramfs -a 'console=ttyS0 quiet panic=-1 cryptomgr.notests'
check "bare, vmrun's own memory is 3 MiB or less ($own KiB)" is_at_most 3072

own 'that is all' -n none -- sh $work/modules.sh
check "with the live root and no network too ($own KiB)" is_at_most 3072
check "the guest has its root's modules" has "$first" overlay
check "and those of its way to vmrun" has "$first" vmw_vsock_virtio_transport
check "none of a card, where it has none" fails loaded "$last" virtio_net
check "nor of a disk" fails loaded "$last" virtio_blk
check "nor of a channel" fails loaded "$last" virtio_console
check "the source of random numbers comes" has "$last" virtio_rng
check "the balloon, too" has "$last" virtio_balloon
check "and what tells of a panic" has "$last" pvpanic_mmio

dd if=/dev/zero of=$work/disk bs=1M count=1 2>/dev/null
own 'that is all' -n user -d $work/disk --channel port=$work/port:file -- sh $work/modules.sh
check "a guest with a disk has its module" has "$first" virtio_blk
check "one with a card has the card's" has "$first" virtio_net
check "one with a channel has the channel's" has "$first" virtio_console
finish

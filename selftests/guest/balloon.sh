#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A guest that used memory and freed it gives it back to the host by itself: vmrun's resident memory goes down again.
#
#   balloon.sh --dev PATH

. /tests/lib/ktap.sh

dev=/dev/kvirt
[ "$1" = --dev ] && dev=$2
dir=$(mktemp -d)

# MiB of host memory that vmrun has.
resident()
{
	echo $(($(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(pidof vmrun)/status") / 1024))
}

# Waits until the guest has said a line.
wait_for()
{
	tries=600
	until grep -q "$1" "$dir/raw"; do
		[ $((tries -= 1)) -gt 0 ] && kill -0 "$guest" && usleep 100000 || return 1
	done
}

# Waits until vmrun has no more memory than that.
shrinks_to()
{
	tries=300
	until [ "$(resident)" -le "$1" ]; do
		[ $((tries -= 1)) -gt 0 ] && usleep 100000 || return 1
	done
}

plan 6
mkfifo "$dir/in"
virtio-guest '
virtio balloon || exit 1
mkdir /big && mount -t tmpfs -o size=200M big /big
dd if=/dev/zero of=/big/file bs=1M count=128 2>/dev/null
echo full
read line </dev/ttyS0
rm /big/file
echo empty
read line </dev/ttyS0
dd if=/dev/urandom of=/big/file bs=1M count=32 2>/dev/null && md5sum /big/file >/sum && md5sum -c /sum
' --accel "$dev" -m 320 <"$dir/in" >"$dir/raw" 2>&1 &
guest=$!
exec 3>"$dir/in"
# A guest that does not come so far is ended, for what it said is shown then.
check "the guest fills its memory" wait_for '^full'
grep -q "^full" "$dir/raw" || kill "$(pidof vmrun)"
full=$(resident)
check "which is vmrun's ($full MiB)" [ "$full" -gt 128 ]
echo >&3
check "it frees it" wait_for '^empty'
check "and the host gets it back" shrinks_to $((full - 100))
echo "# $full MiB, then $(resident)"
echo >&3
exec 3>&-
wait "$guest"
status=$?
tr -d '\r' <"$dir/raw" | sed 's/^/# /'
check "vmrun ends with 0 ($status)" [ $status -eq 0 ]
check "memory that was given back can be used again" grep -q '^/big/file: OK' "$dir/raw"
rm -r "$dir"
finish

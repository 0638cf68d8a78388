#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Connections between a Linux guest and processes of the host over vmrun's vsock, both ways, 16 MiB there and back.
#
#   vsock.sh [--bytes N] --dev PATH

. /tests/lib/ktap.sh

dev=/dev/kvirt bytes=16777216
while [ $# -gt 0 ]; do
	case $1 in
	--dev) dev=$2 ;;
	--bytes) bytes=$2 ;;
	*) exit 2 ;;
	esac
	shift 2
done

tool=/tests/guest/vsock dir=$(mktemp -d)
mkdir -p "$dir/root/bin"
cp $tool "$dir/root/bin/vsock"
cat >"$dir/root/job" <<END
virtio vsock
vsock echo 3:5000 &
vsock check 2:1024 $bytes && echo "guest: all came back"
vsock check 2:9 1 2>/dev/null || echo "guest: nobody at port 9"
vsock check 5:1024 1 2>/dev/null || echo "guest: nobody at CID 5"
wait
END
(cd "$dir/root" && find . | cpio -o -H newc 2>/dev/null) >"$dir/more"
cat /guest/virtio "$dir/more" >"$dir/initramfs"

said()
{
	grep -q "$1" "$dir/out"
}

# The guest's server starts when it starts: until then its port is nobody's.
ask_guest()
{
	tries=100
	until "$tool" check "$dir/vsock@5000" "$bytes" 2>"$dir/error"; do
		[ $((tries -= 1)) -gt 0 ] && kill -0 "$vmrun" && usleep 200000 || return 1
	done
}

plan 8
"$tool" echo "$dir/vsock_1024" &
vmrun --accel "$dev" -m 128 -k /guest/vmlinuz -i "$dir/initramfs" --vsock "$dir/vsock" \
	-a "console=ttyS0 quiet panic=-1 cryptomgr.notests" >"$dir/raw" 2>&1 </dev/null &
vmrun=$!
check "the host's connection gets all back from the guest" ask_guest
wait "$vmrun"
status=$?
tr -d '\r' <"$dir/raw" >"$dir/out"
sed 's/^/# /' "$dir/out"
check "vmrun ends with 0 ($status)" [ $status -eq 0 ]
check "the guest's connection gets all back from the host" said "^guest: all came back"
check "each sent all" said "^vsock: $bytes bytes sent, $bytes came back"
check "nobody listens to another port" said "^guest: nobody at port 9"
check "nobody is another machine" said "^guest: nobody at CID 5"
check "the guest ended in order" said "^guest: job 0"
check "vmrun took its socket away" [ ! -e "$dir/vsock" ]
finish

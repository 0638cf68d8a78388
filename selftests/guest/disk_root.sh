#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# vmrun DISK: a guest whose root is a disk image, whole or in a partition. That the image stays as it is unless :rw says
# otherwise, which partition is taken, and what a user is told of a file that is no such disk.
#
#   disk_root.sh [--once] --dev PATH     --once: few guests, where a boot is slow

. /tests/lib/ktap.sh

dev=/dev/kvirt once=
while [ $# -gt 0 ]; do
	case $1 in
	--once) once=1; shift; continue ;;
	--dev) dev=$2 ;;
	*) exit 2 ;;
	esac
	shift 2
done

size=8
work=$(mktemp -d)
trap 'rm -rf $work' EXIT
cd "$work" || exit 1

said()
{
	grep -qx "$1" out
}

sum()
{
	md5sum <"$1" | cut -d ' ' -f 1
}

run()
{
	vmrun -A "$dev" -m 256 -n none "$@" >out 2>&1
	status=$?
	sed 's/^/# /' out
}

# refused TEXT ARGUMENT...: vmrun starts no guest, says why and what to do
refused()
{
	text=$1
	shift
	vmrun -A "$dev" "$@" >error 2>&1 </dev/null
	[ $? -eq 125 ] && sed 's/^/# /' error && grep -q "error: .*$text" error && grep -q '^hint: ' error &&
		[ "$(grep -c . error)" -eq 2 ]
}

[ -n "$once" ] && plan 6 || plan 31
truncate -s ${size}M root.img
run -d root.img -- sh -c '
	mke2fs -F /dev/vda >/dev/null && mkdir /tree && mount -t ext4 /dev/vda /tree && mkdir /tree/bin || exit 1
	cp /bin/busybox /tree/bin && cd /tree/bin || exit 1
	for name in sh cat echo grep touch mount; do ln -s busybox $name || exit 1; done
	echo mine >/tree/file'
check "a guest makes a disk with a root file system ($status)" [ $status -eq 0 ]
before=$(sum root.img)
truncate -s 1M other.img
run -d other.img root.img -- /bin/sh -c 'cat /file; echo changed >/file; cat /file; [ -e /guest ] || echo nothing else
	cat /sys/block/vda/size /sys/block/vdb/size; cat /proc/mounts | grep " / "; [ -d /proc/1 ] && touch /run/x && echo its own; exit 7'
check "a command runs on it, its status is vmrun's ($status)" [ $status -eq 7 ]
check "the disk is the root, and all of it" [ "$(grep -x -e mine -e 'nothing else' out | tr '\n' ,)" = 'mine,nothing else,' ]
check "the guest changes it" said changed
check "and the image is as it was" [ "$(sum root.img)" = "$before" ]
check "its disk is vda, that of -d the next" [ "$(grep -x '[0-9]*' out | tr '\n' ,)" = "$((size * 2048)),2048," ]
[ -z "$once" ] || finish
check "it has what a system has" said 'its own'
check "the root is the disk itself" said '/dev/.* / ext4 rw.*'

run root.img:rw -- /bin/sh -c 'echo kept >/file; busybox mkdir /etc; echo "nameserver 192.0.2.7" >/etc/resolv.conf'
check "with :rw a guest writes the image ($status)" [ "$status$(sum root.img | grep -v "$before" >changed; wc -l <changed)" = 01 ]
vmrun -A "$dev" -m 256 root.img:rw -- cat /etc/resolv.conf >out 2>&1
sed 's/^/# /' out
check "a guest has its own name server" said 'nameserver 10.0.2.3'
kept=$(sum root.img)
echo 'cat /file; echo lost >/file; cat /file; exit 3' >script
vmrun -A "$dev" -m 256 root.img:ro <script >out 2>&1
status=$?
sed 's/^/# /' out
check "a shell is what runs without a command ($status)" [ $status -eq 3 ]
check "what was written with :rw is there" said kept
check "with :ro the guest's changes are in its memory" said lost
check "and the image is as it was" [ "$(sum root.img)" = "$kept" ]

# A table with a larger Linux partition before the root, and one of another system.
truncate -s $((size * 2 + 8))M gpt.img
/tests/guest/gpt gpt.img 2048:other $(((size + 2) * 2048)):linux $((size * 2048)):root
dd if=root.img of=gpt.img bs=1M seek=$((size + 4)) conv=notrunc 2>/dev/null
dd if=root.img of=gpt.img bs=1M seek=2 count=1 conv=notrunc 2>/dev/null
run gpt.img -- cat /file /proc/partitions /etc/resolv.conf
check "a root by its type is found in a GPT ($status)" [ "$status $(grep -cx -e kept -e '.* vda3' out)" = '0 2' ]
check "and :rw has left the image its own" said 'nameserver 192.0.2.7'

# An MBR: another system's, and in an extended partition the only one of Linux.
entry()
{
	printf "\\0\\0\\0\\0\\$1\\0\\0\\0\\$2\\$3\\0\\0\\$4\\$5\\0\\0"
}
truncate -s $((size + 4))M mbr.img
{ entry 014 000 010 000 010; entry 005 000 020 000 120; } | dd of=mbr.img bs=1 seek=446 conv=notrunc 2>/dev/null
{ entry 203 000 010 000 100; } | dd of=mbr.img bs=1 seek=$((2 * 1048576 + 446)) conv=notrunc 2>/dev/null
for at in 0 $((2 * 1048576)); do
	printf '\125\252' | dd of=mbr.img bs=1 seek=$((at + 510)) conv=notrunc 2>/dev/null
done
dd if=root.img of=mbr.img bs=1M seek=3 conv=notrunc 2>/dev/null
run mbr.img:ro -- cat /file /proc/partitions
check "the only partition of Linux is found in an MBR, a logical one ($status)" [ "$status $(grep -cx -e kept -e '.* vda5' out)" = '0 2' ]

# What a guest finds when its disk is not what it seemed.
cp root.img broken.img
dd if=/dev/zero of=broken.img bs=1k seek=2 count=64 conv=notrunc 2>/dev/null
run broken.img -- cat /file
check "a damaged file system is told, and nothing runs ($status)" [ "$status" -eq 125 ]
check "and who mends it" grep -q 'vmrun-init: .*fsck' out

: >empty
check "an empty file is no disk" refused 'it is empty' empty
printf x >short
check "nor is one that is shorter than a sector" refused 'it is no kernel, and no disk' short
head -c 100000 /dev/urandom >noise
check "nor is noise" refused 'it is no kernel, and no disk' noise
check "nor a file that is not there" refused 'No such file' nothing.img:rw
printf 'QFI\373%508s' '' >qcow
check "a qcow2 image is told, and how to convert it" refused 'in qcow2 format.*raw' qcow
check "by that command" grep -q 'qemu-img convert' error
printf '\3757zXZ\0%508s' '' >packed
check "a packed image is told" refused 'packed by xz' packed
check "a folder has no mode" refused 'only disks have a mode' "$work:ro"
check "a fifo is no disk" sh -c "mkfifo fifo && vmrun -A $dev fifo 2>&1 | grep 'no file and no block device'"
cp gpt.img damaged.img
printf x | dd of=damaged.img bs=1 seek=1030 conv=notrunc 2>/dev/null
check "a damaged partition table is told" refused 'its partition table (GPT) is damaged' damaged.img
truncate -s 12M twins.img
/tests/guest/gpt twins.img 8192:linux 8192:linux
for at in 1 5; do
	dd if=root.img of=twins.img bs=1M seek=$at count=1 conv=notrunc 2>/dev/null
done
check "two partitions that could be the root are told" refused 'cannot tell which partition' twins.img
# A second writer of a disk, as with -d.
run -d root.img root.img:rw -- true
check "one image is not written twice" grep -q 'is in use' out
finish

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A guest's disks are the host's images: read whole, written by O_DIRECT and through a file system, refused where they are read-only,
# kept as they are under :cow, given back where blocks are discarded. And what a user sees when an image cannot be used.
#
#   disk.sh [--size MIB] --dev PATH

. /tests/lib/ktap.sh

dev=/dev/kvirt size=32
while [ $# -gt 0 ]; do
	case $1 in
	--dev) dev=$2 ;;
	--size) size=$2 ;;
	*) exit 2 ;;
	esac
	shift 2
done

dir=$(mktemp -d)
half=$((size / 2))

said()
{
	grep -q "$1" "$dir/out"
}

value()
{
	sed -n "s/^$1 //p" "$dir/out"
}

sum()
{
	md5sum <"$1" | cut -d ' ' -f 1
}

# run SCRIPT [VMRUN ARGUMENT]...
run()
{
	virtio-guest "$@" --accel "$dev" -m 128 >"$dir/raw" 2>&1
	status=$?
	tr -d '\r' <"$dir/raw" >"$dir/out"
	sed 's/^/# /' "$dir/out"
}

# refused TEXT VMRUN ARGUMENT...: vmrun does not start, says why and what to do
refused()
{
	text=$1
	shift
	vmrun --accel "$dev" -k /guest/vmlinuz "$@" >"$dir/error" 2>&1 </dev/null
	[ $? -eq 125 ] && sed 's/^/# /' "$dir/error" && grep -q "error: .*$text" "$dir/error" && grep -q '^hint: ' "$dir/error"
}

dd if=/dev/urandom of="$dir/image" bs=1M count="$size" 2>/dev/null
cp "$dir/image" "$dir/ro"
cp "$dir/image" "$dir/cow"
truncate -s "${half}M" "$dir/empty"
before=$(sum "$dir/image")

plan 28
run "
virtio blk || exit 1
cd /sys/block
for disk in vd?; do echo \"disk \$disk \$(cat \$disk/serial) \$((\$(cat \$disk/size) / 2048)) \$(cat \$disk/ro)\"; done
echo \"read \$(dd if=/dev/vda bs=1M iflag=direct 2>/dev/null | md5sum)\"
dd if=/dev/vdb of=/dev/vdb bs=1M count=1 2>/dev/null || echo refused
dd if=/dev/zero of=/dev/vdb bs=512 count=1 oflag=direct 2>/dev/null || echo refused
dd if=/dev/vda of=/dev/vdc bs=1M skip=1 count=$half oflag=direct 2>/dev/null
dd if=/dev/zero of=/dev/vdc bs=512 seek=3 count=5 conv=notrunc oflag=direct 2>/dev/null
echo \"cow \$(dd if=/dev/vdc bs=64k iflag=direct 2>/dev/null | md5sum)\"
dd if=/dev/vda of=/dev/vda bs=4k skip=256 seek=512 count=256 iflag=direct oflag=direct 2>/dev/null
echo \"written \$(dd if=/dev/vda bs=512 skip=4096 count=2048 iflag=direct 2>/dev/null | md5sum)\"
mke2fs -F -b 4096 /dev/vdd >/dev/null && mkdir /mnt && mount -t ext4 /dev/vdd /mnt || exit 2
cp /dev/vdd /mnt/all 2>/dev/null
sync
rm /mnt/all
dd if=/dev/vda of=/mnt/data bs=1M count=1 2>/dev/null
mount -o remount,discard /mnt
sync
fstrim -v /mnt
umount /mnt && mount -t ext4 /dev/vdd /mnt || exit 3
echo \"file \$(md5sum </mnt/data)\"
umount /mnt
echo \"I/O errors \$(dmesg | grep -c 'I/O error')\"
dmesg -r | sed -n '/^<[0-2]>/s/^/complaint: /p'
" -d "$dir/image" -d "$dir/ro:ro" -d "$dir/cow:cow" -d "$dir/empty"
check "vmrun ends with 0 ($status)" [ $status -eq 0 ]
check "the guest's script ends with 0" said "^guest: job 0$"
check "it has four disks, of the right sizes" [ "$(value disk | tr '\n' ,)" = \
	"vda vda $size 0,vdb vdb $size 1,vdc vdc $size 0,vdd vdd $half 0," ]
check "it reads the image" [ "$(value read)" = "$before  -" ]
check "a read-only disk refuses writes" [ "$(grep -c ^refused "$dir/out")" -eq 2 ]
check "and is as it was" [ "$(sum "$dir/ro")" = "$before" ]
cp "$dir/cow" "$dir/model"
dd if="$dir/ro" of="$dir/model" bs=1M skip=1 count="$half" conv=notrunc 2>/dev/null
dd if=/dev/zero of="$dir/model" bs=512 seek=3 count=5 conv=notrunc 2>/dev/null
check "a copy-on-write disk has what was written" [ "$(value cow)" = "$(sum "$dir/model")  -" ]
check "and its image is as it was" [ "$(sum "$dir/cow")" = "$before" ]
dd if="$dir/ro" of="$dir/model" bs=4k skip=256 count=256 2>/dev/null
check "what is written by O_DIRECT is read back" [ "$(value written)" = "$(sum "$dir/model")  -" ]
check "and is in the image" [ "$(dd if="$dir/image" bs=1M skip=2 count=1 2>/dev/null | md5sum)" = "$(sum "$dir/model")  -" ]
check "a file system keeps a file between two mounts" [ "$(value file)" = "$(dd if="$dir/image" bs=1M count=1 2>/dev/null | md5sum)" ]
echo "# $(du -k "$dir/empty" | cut -f 1) of $((half * 1024)) KiB are left"
check "discarded blocks are free on the host" [ "$(du -k "$dir/empty" | cut -f 1)" -lt $((half * 512)) ]
check "no request failed" said "^I/O errors 0$"
check "the guest's kernel does not complain" sh -c "! grep '^complaint:' $dir/out"

# A host without space.
mkdir "$dir/small"
mount -t tmpfs -o size=2M small "$dir/small"
truncate -s "${half}M" "$dir/small/image"
run "
virtio blk || exit 1
dd if=/dev/zero of=/dev/vda bs=1M oflag=direct 2>/dev/null || echo full
echo \"still \$(dd if=/dev/vda bs=1M skip=3 iflag=direct 2>/dev/null | wc -c)\"
" -d "$dir/small/image"
umount "$dir/small"
check "a guest on a full host gets an I/O error" said ^full
check "the user is told, once" [ "$(grep -c 'vmrun: vda: .*No space left' "$dir/out")" -eq 1 ]
check "and the machine goes on" [ "$status $(value still)" = "0 $(((half - 3) << 20))" ]
# The same where changes go to a temporary file; and what the guest gives back is given back there too.
mkdir -p /var/tmp
mount -t tmpfs -o size=4M small /var/tmp
run "
virtio blk || exit 1
for i in 1 2 3 4; do
	dd if=/dev/zero of=/dev/vda bs=64k count=40 oflag=direct 2>/dev/null && blkdiscard /dev/vda && echo \"round \$i\"
done
dd if=/dev/zero of=/dev/vda bs=1M oflag=direct 2>/dev/null || echo full
echo \"still \$(dd if=/dev/vda bs=1M skip=5 iflag=direct 2>/dev/null | wc -c)\"
" -d "$dir/cow:cow"
umount /var/tmp
check "what a guest discards is free again in the temporary file" [ "$(grep -c ^round "$dir/out")" -eq 4 ]
check "so does one whose changes do not fit" said ^full
check "the user is told of that, too" [ "$(grep -c 'vmrun: vda: .*No space left' "$dir/out")" -eq 1 ]
check "the machine goes on, the image is as it was" [ "$status $(value still) $(sum "$dir/cow")" = "0 $(((size - 5) << 20)) $before" ]

# A block device, which tells where it would have to wait: vmrun reads it by an io_uring (sandbox.sh sees its thread).
insmod /modules/brd.ko rd_nr=1 rd_size=16384 2>/dev/null
dd if=/dev/zero of=/dev/ram0 bs=1M 2>/dev/null
dd if="$dir/image" of=/dev/ram0 bs=1M count=16 2>/dev/null
run "
virtio blk || exit 1
echo \"read \$(dd if=/dev/vda bs=1M count=8 iflag=direct 2>/dev/null | md5sum)\"
dd if=/dev/vda of=/dev/vda bs=64k count=16 seek=128 iflag=direct oflag=direct conv=fsync 2>/dev/null || exit 2
dd if=/dev/zero of=/dev/vda bs=512 seek=20001 count=7 oflag=direct 2>/dev/null || exit 3
echo \"I/O errors \$(dmesg | grep -c 'I/O error')\"
" -d /dev/ram0
cp "$dir/image" "$dir/model"
truncate -s 16M "$dir/model"
dd if="$dir/model" of="$dir/model" bs=1M seek=8 count=1 conv=notrunc 2>/dev/null
dd if=/dev/zero of="$dir/model" bs=512 seek=20001 count=7 conv=notrunc 2>/dev/null
check "a block device is read ($status)" [ "$status $(value read)" = "0 $(dd if="$dir/image" bs=1M count=8 2>/dev/null | md5sum)" ]
check "and written" [ "$(md5sum </dev/ram0)" = "$(dd if="$dir/model" bs=1M count=16 2>/dev/null | md5sum)" ]

check "an image that is not there is told" refused 'No such file' -d "$dir/nothing"
check "one that is in use is told" refused 'is in use' -d "$dir/image" -d "$dir/image"
printf 'QFI\373%508s' '' >"$dir/qcow"
check "a qcow2 image is not taken for a raw one" refused 'is in qcow2 format' -d "$dir/qcow"
printf x >"$dir/short"
check "one that is shorter than a sector is told" refused 'no multiple of 512' -d "$dir/short"
check "an overlay that cannot be made is told" sh -c "TMPDIR=$dir/nowhere vmrun --accel $dev -k /guest/vmlinuz -i /guest/virtio -d $dir/cow:cow 2>&1 </dev/null | grep 'set TMPDIR'"
rm -r "$dir"
finish

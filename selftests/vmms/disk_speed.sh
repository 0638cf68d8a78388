#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Debian's kernel with guest/disk_speed, and a disk in the host's memory, under vmrun or Debian's QEMU. Prints what that program
# prints; status 0 when it ran to its end. Called by bench/disk.
#
#   disk_speed.sh --vmm vmrun|qemu [--rounds N] [--mode rw|cow] [--fs tmpfs|ext4] --dev PATH

. /tests/vmms/device.sh

vmm=vmrun rounds=3 mode=rw fs=tmpfs dev=/dev/kvirt
while [ $# -gt 1 ]; do
	case $1 in
	--vmm) vmm=$2 ;;
	--rounds) rounds=$2 ;;
	--mode) mode=$2 ;;
	--fs) fs=$2 ;;
	--dev) dev=$2 ;;
	*) exit 2 ;;
	esac
	shift 2
done

fresh_work /tmp/speed
if [ $fs = tmpfs ]; then
	mount -t tmpfs -o size=80M speed $work || exit 1
else
	[ -e /dev/ram0 ] || insmod /modules/brd.ko rd_nr=1 rd_size=81920 || exit 1
	mke2fs -F /dev/ram0 >/dev/null && mount -t ext4 /dev/ram0 $work || exit 1
fi
trap 'cd /; umount $work' EXIT
dd if=/dev/zero of=$work/disk bs=1M count=32 2>/dev/null
mkdir $work/more
cp /tests/guest/disk_speed $work/more/
cat >$work/more/job <<JOB
virtio blk || exit 1
/disk_speed /dev/vda $rounds || exit 1
cat /sys/block/vda/queue/nr_requests /sys/block/vda/queue/max_segments | xargs echo "# requests, segments:"
grep -h virtio /proc/interrupts | sed 's/^/# /'
JOB
(cd $work/more && find . | cpio -o -H newc 2>/dev/null >../more.cpio)
cat /guest/virtio $work/more.cpio >$work/initramfs
arguments='console=ttyS0 quiet panic=-1 cryptomgr.notests'
if [ $vmm = vmrun ]; then
	vmrun -A "$dev" -m 256 -k /guest/vmlinuz -i $work/initramfs -a "$arguments" -d "$work/disk:$mode" </dev/null
else
	[ "$dev" = /dev/kvm ] || ln -sf "$dev" /dev/kvm
	/usr/bin/qemu-system-x86_64 -accel kvm -cpu host -smp 1 -m 256 -M q35,kernel-irqchip=split -nodefaults -no-user-config -display none \
		-no-reboot -chardev stdio,id=console,signal=off -serial chardev:console -kernel /guest/vmlinuz -initrd $work/initramfs \
		-append "$arguments" -drive if=none,id=disk,file=$work/disk,format=raw -device virtio-blk-pci,drive=disk </dev/null
fi | tr -d '\r' >$work/out
grep -e '^bench: ' -e '^# ' $work/out
if ! grep -q '^guest: job 0' $work/out; then
	tail -n 20 $work/out
	exit 1
fi

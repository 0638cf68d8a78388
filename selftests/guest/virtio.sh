#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A guest finds vmrun's PCI bus, and its drivers the virtio devices there: what it reads from the entropy device is random, it
# comes by interrupts, and the device survives that its driver leaves it and comes again. It reaches no memory that it may not.
#
#   virtio.sh [--cpus N] --dev PATH

. /tests/lib/ktap.sh

cpus=1 dev=/dev/kvirt
while [ $# -gt 0 ]; do
	case $1 in
	--cpus) cpus=$2 ;;
	--dev) dev=$2 ;;
	*) exit 2 ;;
	esac
	shift 2
done

said()
{
	grep -q "$1" /tmp/guest.out
}

value()
{
	sed -n "s/^$1 //p" /tmp/guest.out
}

# Several reads of the same length are never the same.
all_differ()
{
	[ "$(grep -c '^random ' /tmp/guest.out)" -eq "$1" ] && [ "$(grep '^random ' /tmp/guest.out | sort -u | wc -l)" -eq "$1" ]
}

plan 11
virtio-guest '
virtio rng || exit 1
echo "device $(cat /sys/class/misc/hw_random/rng_current)"
echo "ecam $(grep -c "PCI MMCONFIG 0000" /proc/iomem)"
for i in 1 2 3; do echo "random $(dd if=/dev/hwrng bs=256 count=1 2>/dev/null | md5sum)"; done
echo "bytes $(dd if=/dev/hwrng bs=4096 count=8 2>/dev/null | wc -c)"
echo "interrupts $(awk "/virtio0-input/ { n = 0; for (i = 2; \$i ~ /^[0-9]+\$/; i++) n += \$i; print n }" /proc/interrupts)"
cd /sys/bus/virtio/drivers/virtio_rng
for i in 1 2 3 4 5; do echo virtio0 >unbind && echo virtio0 >bind && echo again; done
echo "random $(dd if=/dev/hwrng bs=256 count=1 2>/dev/null | md5sum)"
# The bus side too: BARs, MSI-X and doorbells from the beginning.
cd /sys/bus/pci/drivers/virtio-pci
echo 0000:00:01.0 >unbind && echo 1 >/sys/bus/pci/devices/0000:00:01.0/remove && echo 1 >/sys/bus/pci/rescan
echo "random $(dd if=/dev/hwrng bs=256 count=1 2>/dev/null | md5sum)"
cd /
rmmod virtio_rng && rmmod virtio_pci && echo "left $(ls /sys/bus/virtio/devices | wc -l)" && virtio rng
echo "random $(dd if=/dev/hwrng bs=256 count=1 2>/dev/null | md5sum)"
# The bus master bit goes away under the driver, as before kexec: nothing comes until it is set up anew.
echo "command $(od -An -tx1 -j4 -N1 /sys/bus/pci/devices/0000:00:01.0/config)"
printf "\002" | dd of=/sys/bus/pci/devices/0000:00:01.0/config bs=1 seek=4 2>/dev/null
echo "without $(timeout 2 dd if=/dev/hwrng bs=4096 count=8 2>/dev/null | wc -c)"
echo 0000:00:01.0 >/sys/bus/pci/drivers/virtio-pci/unbind && echo 0000:00:01.0 >/sys/bus/pci/drivers/virtio-pci/bind
echo "random $(dd if=/dev/hwrng bs=256 count=1 2>/dev/null | md5sum)"
dmesg -r | sed -n "/^<[0-3]>/s/^/complaint: /p"
' --accel "$dev" -c "$cpus" -m 256 >/tmp/guest.raw 2>&1
status=$?
tr -d '\r' </tmp/guest.raw >/tmp/guest.out
sed 's/^/# /' /tmp/guest.out
check "vmrun ends with 0 ($status)" [ $status -eq 0 ]
check "the guest's script ends with 0" said "^guest: job 0$"
check "the entropy device has its driver" said "^device virtio_rng.0$"
check "ECAM is in use" said "^ecam 1$"
check "what is read is random" all_differ 7
check "all that was asked for comes" said "^bytes 32768$"
check "it comes by interrupts" [ "$(value interrupts)" -ge 8 ]
check "the driver can leave and come again" [ "$(grep -c '^again$' /tmp/guest.out)" -eq 5 ]
check "so can the bus' driver" said "^left 0$"
check "no bus master, no bytes" [ "$(value command)" = " 06" -a "$(value without)" -lt 8192 ]
check "the guest's kernel does not complain" sh -c '! grep "^complaint:" /tmp/guest.out'
finish

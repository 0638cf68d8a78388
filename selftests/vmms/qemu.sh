#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Debian's QEMU boots Debian's kernel on the device, and the guest uses its disk, its network and its random numbers; or it
# boots OVMF to its shell, which runs a script from a disk.
#
#   qemu.sh [--machine pc|q35|microvm] [--cpus N] [--boot kernel|disk|ovmf] --dev PATH
#
#   pc        irqchip and PIT in the kernel, PCI devices, a VGA card
#   q35       split irqchip, PCI devices
#   microvm   split irqchip, devices in MMIO, no PCI
#   kernel    SeaBIOS and -kernel        disk   SeaBIOS and GRUB from a disk        ovmf   OVMF and its shell
#
# The times printed are the host's, from QEMU's start to the first line of the guest's user space (OVMF: the shell's banner) and to QEMU's end.

. /tests/lib/ktap.sh
. /tests/vmms/device.sh

machine=q35 cpus=1 boot=kernel dev=/dev/kvirt
while [ $# -gt 1 ]; do
	case $1 in
	--machine) machine=$2 ;;
	--cpus) cpus=$2 ;;
	--boot) boot=$2 ;;
	--dev) dev=$2 ;;
	*) exit 2 ;;
	esac
	shift 2
done

as_kvm "$dev"
fresh_work /tmp/qemu

bus=pci
case $machine in
pc) set -- -M pc -device VGA ;;
q35) set -- -M q35,kernel-irqchip=split ;;
microvm) set -- -M microvm && bus=device ;;
*) exit 2 ;;
esac
case $boot in
kernel) set -- "$@" -kernel /guest/vmlinuz -initrd /vmms/initramfs -append "$(cat /vmms/arguments)" ;;
disk) set -- "$@" -drive if=none,id=boot,file=/vmms/disk,format=raw,readonly=on -device virtio-blk-$bus,drive=boot,bootindex=1 ;;
ovmf)
	mkdir $work/fat
	printf '%s\r\n' 'echo shell: script' ver 'reset -s' >$work/fat/startup.nsh
	cp /usr/share/OVMF/OVMF_VARS.fd $work/vars
	set -- "$@" -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd -drive if=pflash,format=raw,file=$work/vars \
		-drive if=none,id=fat,format=raw,readonly=on,file=fat:$work/fat -device virtio-blk-$bus,drive=fat -device virtio-rng-$bus
	;;
*) exit 2 ;;
esac
if [ $boot != ovmf ]; then
	mkdir $work/tftp
	dd if=/dev/urandom of=$work/tftp/file bs=100k count=1 2>/dev/null
	dd if=/dev/urandom of=$work/data bs=1M count=2 2>/dev/null
	file_sum=$(sha256sum <$work/tftp/file | cut -d' ' -f1)
	data_sum=$(head -c 1048576 $work/data | sha256sum | cut -d' ' -f1)
	set -- "$@" -drive if=none,id=data,file=$work/data,format=raw -device virtio-blk-$bus,drive=data,serial=data \
		-netdev user,id=net,tftp=$work/tftp -device virtio-net-$bus,netdev=net -device virtio-rng-$bus
fi

run()
{
	read -r started _ </proc/uptime
	/usr/bin/qemu-system-x86_64 -accel kvm -cpu host -smp "$cpus" -m 256 -nodefaults -no-user-config -display none -no-reboot \
		-chardev stdio,id=console,signal=off -serial chardev:console "$@" </dev/null 2>$work/complaints
	status=$?
	read -r ended _ </proc/uptime
	printf '\nqemu: %s\n' "$status $started $ended"	# firmware leaves lines unfinished
}

# Each line behind the time at which it came, to be read and to be kept.
stamp()
{
	while IFS= read -r line; do
		read -r now _ </proc/uptime
		echo "# $now $line"
		echo "$now $line" >&3
	done
}

said()
{
	grep -q "^[0-9.]* $1" $work/out
}

copied()
{
	[ "$(tail -c 1048576 $work/data | sha256sum | cut -d' ' -f1)" = "$data_sum" ]
}

no_complaint()
{
	! grep -E 'WARNING:|BUG:|Oops|Call Trace|soft lockup|Unhandled|clocksource.*unstable|nobody cared|virtio.*(fail|error)' $work/out
}

# print_times FIRST   prints the times to the line that matches FIRST and to the end
print_times()
{
	first=$(sed -n "s/^\([0-9.]*\) .*$1.*/\1/p" $work/out | head -n 1)
	[ -z "$first" ] || awk "BEGIN { printf \"# vmm: first %.2f off %.2f\n\", $first - $started, $ended - $started }"
}

[ $boot = ovmf ] && plan 5 || plan 13
run "$@" | tr -d '\r' | stamp 3>$work/out
# A machine with fewer CPUs than its guest is what these hosts are.
grep -v 'exceeds the recommended cpus supported by KVM' $work/complaints >$work/complaints.left
sed 's/^/# /' $work/complaints.left
read -r status started ended <<END
$(sed -n 's/^[0-9.]* qemu: //p' $work/out)
END
check "QEMU ends with 0 (${status:=none})" [ "$status" = 0 ]
check "QEMU has no complaint" [ ! -s $work/complaints.left ]

if [ $boot = ovmf ]; then
	print_times "UEFI Interactive Shell"
	check "OVMF comes to its shell" grep -q "UEFI Interactive Shell v" $work/out
	check "the shell finds its script on the disk" grep -q "shell: script" $work/out
	check "it has no exception" fails grep -q "X64 Exception" $work/out
	finish
fi

print_times "guest: first line"
if [ $boot = disk ]; then
	check "GRUB boots from the disk" grep -q "grub: booting from (hd0,msdos1)" $work/out
else
	check "no GRUB there" fails said "grub: "
fi
check "the guest runs the kernel it was given" said "guest: Linux $(uname -r) x86_64"
check "its CPUs are online" said "guest: cpus $cpus$"
check "it has a clock that keeps time" said "guest: clocksource \(kvm-clock\|tsc\)$"
check "it reads its disk" said "guest: disk read $data_sum$"
check "it writes its disk" copied
check "it has a network" said "guest: net 3 packets transmitted, 3 packets received"
check "it fetches a file" said "guest: net file $file_sum$"
check "it has random numbers" said "guest: rng virtio_rng.0, 64 bytes$"
check "its user space ended in order" said "guest: done"
check "its kernel does not complain" no_complaint
finish

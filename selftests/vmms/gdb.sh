#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Debian's gdb on the stub of Debian's QEMU, which boots Debian's kernel on the device: registers, memory, breakpoints in
# hardware and software, a watchpoint, a stop from outside, single steps, and on to the guest's power-off.
#
#   gdb.sh [--machine q35|microvm] --dev PATH

. /tests/lib/ktap.sh
. /tests/lib/gdb.sh
. /tests/vmms/device.sh

machine=q35 dev=/dev/kvirt
while [ $# -gt 1 ]; do
	case $1 in
	--machine) machine=$2 ;;
	--dev) dev=$2 ;;
	*) exit 2 ;;
	esac
	shift 2
done
case $machine in
q35) set -- -M q35,kernel-irqchip=split ;;
microvm) set -- -M microvm ;;
*) exit 2 ;;
esac

as_kvm "$dev"
fresh_work /tmp/gdb

# The words at the beginnings of lines are looked for below. In real mode QEMU has 32 bits of a register. Where Bochs exits amid an
# instruction for a fresh page, the next entry finds the step done: the first takes two.
cat >$work/script <<END
set pagination off
set architecture i386:x86-64
target remote 127.0.0.1:1234
printf "reset: %x:%x\n", \$cs, \$rip
printf "vector: %x %x:%x\n", *(unsigned char *)0xfffffff0, *(unsigned short *)0xfffffff3, *(unsigned short *)0xfffffff1
stepi
if \$rip == 0xfff0
stepi
end
printf "jumped: %x:%x\n", \$cs, \$rip
set *(unsigned int *)0x2000 = 0x12345678
printf "memory: %x\n", *(unsigned int *)0x2000
set \$rsi = 0x89abcdef
printf "register: %x\n", \$rsi
END
[ $breakpoints = impossible ] || cat >>$work/script <<END
hbreak *0x$start_kernel
continue
printf "hardware: %lx\n", \$rip
delete
break *0x$initcall
continue
printf "software: %lx\n", \$rip
continue
printf "software: %lx\n", \$rip
delete
watch *(int *)0x$state
continue
printf "watched: %d\n", *(int *)0x$state
delete
END
cat >>$work/script <<END
continue
printf "stopped: %lx\n", \$rip
set \$i = 0
while \$i < 40
x/2i \$rip
stepi
set \$i = \$i + 1
end
continue
END

# The guest is busy in user space for a while, long enough to be stopped there: in a REP each iteration would be a step.
/usr/bin/qemu-system-x86_64 "$@" -accel kvm -cpu host -m 256 -nodefaults -no-user-config -display none -no-reboot \
	-gdb tcp:127.0.0.1:1234 -S -serial file:$work/console \
	-kernel /guest/vmlinuz -initrd /vmms/initramfs -append "$(cat /vmms/arguments) nokaslr rdinit=/bin/sh -- -c \
\"timeout 2 sh -c 'echo guest: busy; while :; do :; done'; poweroff -f\"" </dev/null 2>$work/complaints &
qemu=$!
/usr/bin/gdb -nx -batch -x $work/script </dev/null >$work/out 2>&1 &
gdb=$!
within 60 grep -q "guest: busy" $work/console
# Into the loop: what it runs is there then, where echo's way back may lead to a page that gdb cannot read yet.
usleep 300000
kill -INT $gdb
wait $gdb
echo "gdb: ended with $?" >>$work/out
kill $qemu 2>/dev/null
wait $qemu
status=$?
sed 's/^/# /' $work/out $work/console $work/complaints

plan 13
check "QEMU ends with 0 ($status)" [ "$status" = 0 ]
check "QEMU has no complaint" [ ! -s $work/complaints ]
check "gdb reads registers: the guest stands at its reset" said "reset: f000:fff0$"
check "gdb reads memory: the jump there" said "vector: ea f000:"
check "a step takes the jump" said "jumped: $(sed -n 's/^vector: ea //p' $work/out)$"
check "gdb writes memory" said "memory: 12345678$"
check "gdb writes a register" said "register: 89abcdef$"
with_breakpoints hardware_breakpoint "hardware: $start_kernel$" "TCG arms no breakpoint from the control block's DR7"
with_breakpoints software_breakpoint "software: $initcall$" "TCG compares INT3 with the intercept of INT n alone"
with_breakpoints watchpoint "watched: 2$" "TCG arms no breakpoint from the control block's DR7"
check "gdb stops a running guest" said "stopped: "
check "single steps end where they should" steps_in_order
check "the guest runs on to its power-off" said "\[Inferior 1 (process 1) exited normally\]"
finish

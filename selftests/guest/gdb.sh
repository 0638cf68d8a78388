#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Debian's gdb on vmrun's --gdb: the guest waits for it; registers, memory, breakpoints in hardware and software, a
# watchpoint, a stop from outside, single steps, vCPUs as threads; a debugger that leaves and another that comes; and how
# that goes with vmrun pause. The first part is the transcript of docs/vmrun.md, "Debug a guest".
#
#   gdb.sh [--cpus N] --dev PATH

. /tests/lib/ktap.sh
. /tests/lib/gdb.sh

cpus=1 dev=/dev/kvirt
while [ $# -gt 1 ]; do
	case $1 in
	--cpus) cpus=$2 ;;
	--dev) dev=$2 ;;
	*) exit 2 ;;
	esac
	shift 2
done

export XDG_RUNTIME_DIR=/tmp/gdb
work=/tmp/gdb
rm -rf $work
mkdir -p $work
socket=$work/socket

# Where the kernel has all memory once more: its text begins at 16 MiB there.
alias=$(printf '%x' $((0x$initcall - 0xffffffff81000000 + 0xffff888001000000)))

# debug FILE   runs gdb with a script of commands from standard input; what it says goes to the file
debug()
{
	{ echo "set pagination off"; echo "target remote $socket"; cat; } >$work/script
	/usr/bin/gdb -nx -batch -x $work/script </dev/null >"$1" 2>&1
	echo "gdb: ended with $?" >>"$1"
}

# The guest is busy in user space, until a line comes: in a REP each iteration would be a step. The last debugger sends it.
mkfifo $work/input
exec 3<>$work/input
guest --accel "$dev" -m 256 -c "$cpus" --name debugged --gdb $socket -a "console=ttyS0 quiet panic=-1 cryptomgr.notests nokaslr \
rdinit=/bin/sh -- -c \"mount -t devtmpfs dev /dev; echo guest: busy; while :; do :; done & read line; poweroff -f\"" <&3 >$work/console 2>$work/err &
vmrun=$!
within 10 [ -S $socket ]
before=$(stat -c %a $socket)
sleep 1
waits=$(cat $work/console)

{
	cat <<END
printf "entry: %x\n", \$cs
x/i \$rip
stepi
monitor regs
set *(unsigned int *)0x2000 = 0x12345678
printf "memory: %x\n", *(unsigned int *)0x2000
print \$rsi
set \$r15 = 0x0123456789abcdef
printf "register: %lx\n", \$r15
set \$xmm3.uint128 = 42
printf "vector: %d\n", \$xmm3.v4_int32[0]
set \$ymm3.v8_int32[6] = 43
printf "wide: %d %d\n", \$ymm3.v8_int32[0], \$ymm3.v8_int32[6]
set \$xmm3.uint128 = 44
printf "wide again: %d %d\n", \$ymm3.v8_int32[0], \$ymm3.v8_int32[6]
monitor translate 2000
info threads
END
	[ $breakpoints = impossible ] || cat <<END
hbreak *0x$start_kernel
continue
printf "hardware: %lx\n", \$rip
delete
break *0x$initcall
continue
printf "software: %lx\n", \$rip
printf "hidden: %d\n", *(unsigned char *)\$rip != 0xcc
continue
printf "again: %lx\n", \$rip
delete
break *0x$alias
continue
printf "alias: %lx\n", \$rip
continue
printf "alias again: %lx\n", \$rip
stepi
printf "alias stepped: %d\n", \$rip != 0x$initcall
delete
watch *(int *)0x$state
continue
printf "watched: %d\n", *(int *)0x$state
delete
END
	cat <<END
continue
printf "stopped: %lx\n", \$rip
set \$i = 0
while \$i < 40
x/2i \$rip
stepi
set \$i = \$i + 1
end
detach
END
} >$work/commands
debug $work/out <$work/commands &
debugger=$!
within 60 grep -q "guest: busy" $work/console
# Into the loop, all of which is there then: gdb cannot read a page that the guest has not touched.
usleep 300000
# The gdb that debug() started is the one that has the socket's other end.
kill -INT "$(pidof gdb)"
wait $debugger

# One that comes later, and stands by until the end.
vmrun pause debugged
debug $work/paused <<END
printf "again: %lx\n", \$rip
printf "no memory: "
output *(int *)0xfffffffffffff000
END
paused=$(vmrun inspect debugged | sed -n 's/^ "state": "\(.*\)",\{0,1\}$/\1/p')
vmrun resume debugged
debug $work/end <<END
shell echo >$work/input
continue
END
wait $vmrun
status=$?
sed 's/^/# /' $work/out $work/paused $work/end $work/console $work/err

# A detached machine waits as well, and a debugger can end it.
detached=$(guest --accel "$dev" -m 128 --detach --name waiting --gdb $socket 2>$work/told)
vmrun inspect waiting >$work/inspected
# Code of 32 and 16 bits, which gdb shows of an i386 alone.
debug $work/killed <<END
set *(unsigned int *)0x3000 = 0x1234b840
set *(unsigned int *)0x3004 = 0x90909090
monitor bits 32
disconnect
target remote $socket
x/i 0x3000
printf "narrow: %x\n", \$cs
monitor bits 16
disconnect
target remote $socket
x/2i 0x3000
monitor bits 64
disconnect
target remote $socket
x/i 0x3000
kill
END
within 10 sh -c 'vmrun ps | grep -q "^waiting  *ended 137 "'
ended=$?
sed 's/^/# /' $work/killed

plan 37
check "only its user may use the socket" [ "$before" = 600 ]
check "the guest waits for a debugger" [ -z "$waits" ]
check "vmrun says so" grep -q "^vmrun: the guest waits for a debugger: gdb -ex 'target remote $socket'" $work/err
check "gdb reads registers" said "entry: 10$"
check "gdb reads memory: an instruction" said "=> 0x[0-9a-f]*:"
check "monitor tells the mode" said "vCPU 0: long mode, privilege level 0"
check "gdb writes memory" said "memory: 12345678$"
check "gdb writes a register" said "register: 123456789abcdef$"
check "gdb writes a vector register" said "vector: 42$"
check "gdb writes the upper half of a wide one" said "wide: 42 43$"
check "which stays when the lower one is written" said "wide again: 44 43$"
check "monitor translates" said "2000 is at 2000, in RAM"
check "each vCPU is a thread" [ "$(grep -c '^[* ] [0-9]* *Thread .*vCPU' $work/out)" = "$cpus" ]
with_breakpoints hardware_breakpoint "hardware: $start_kernel$" "TCG arms no breakpoint from the control block's DR7"
with_breakpoints software_breakpoint "software: $initcall$" "TCG compares INT3 with the intercept of INT n alone"
with_breakpoints software_breakpoint_is_hidden "hidden: 1$" "the same"
with_breakpoints software_breakpoint_again "again: $initcall$" "the same"
with_breakpoints software_breakpoint_by_another_address "alias: $initcall$" "TCG compares INT3 with the intercept of INT n alone"
with_breakpoints software_breakpoint_by_another_address_again "alias again: $initcall$" "the same"
with_breakpoints software_breakpoint_stepped_over "alias stepped: 1$" "the same"
with_breakpoints watchpoint "watched: 2$" "TCG arms no breakpoint from the control block's DR7"
check "gdb stops a running guest" said "stopped: "
check "single steps end where they should" steps_in_order
check "gdb detaches" said "\[Inferior 1 (Remote target) detached\]"
check "gdb attaches to a paused machine" said "again: " $work/paused
check "where nothing is mapped gdb is told so" grep -q "^Cannot access memory at address 0xfffffffffffff000" $work/paused
check "which stays paused when it leaves ($paused)" [ "$paused" = paused ]
check "the guest runs on to its power-off" said "\[Inferior 1 (Remote target) exited normally\]" $work/end
check "vmrun ends with 0 ($status) and removes the socket" [ "$status" = 0 -a ! -e $socket ]
check "a detached machine with --gdb starts" [ "$detached" = waiting ]
check "and says how to attach before vmrun leaves" grep -q "^vmrun: the guest waits for a debugger" $work/told
check "inspect shows the socket, and who it waits for" grep -qz "\"gdb\": \"$socket\".*\"state\": \"stopped\"" $work/inspected
check "gdb shows code of 32 bits" said '   0x3000:[[:space:]]*inc  *%eax' $work/killed
check "with the registers of an i386" said "narrow: 10$" $work/killed
check "and of 16 bits" said '   0x3001:[[:space:]]*mov  *$0x1234,%ax' $work/killed
check "and of 64 again" said '   0x3000:[[:space:]]*rex mov  *$0x90901234,%eax' $work/killed
check "gdb ends the machine" [ $ended = 0 ]
finish

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Machines with a name: what vmrun ps, inspect, logs, console, pause, resume, stop, kill, stat and rm do to them, and how
# --detach, --timeout and --json tell of them.
#
#   machines.sh --dev PATH

. /tests/lib/ktap.sh

dev=/dev/kvirt
[ "${1:-}" != --dev ] || dev=$2

export XDG_RUNTIME_DIR=/tmp/machines
QUIET='console=ttyS0 quiet panic=-1 cryptomgr.notests'
work=/tmp/machines
rm -rf $work
mkdir -p $work

# machine NAME [ARGUMENT]...   a detached guest with a prompt on its console
machine()
{
	name=$1
	shift
	guest --accel "$dev" -m 128 -a "$QUIET guest.shell" --detach --name "$name" "$@"
}

state()
{
	vmrun inspect "$1" | sed -n 's/^ "state": "\(.*\)",\{0,1\}$/\1/p'
}

is()
{
	[ "$(state "$1")" = "$2" ]
}

logged()
{
	vmrun logs "$1" | grep -q "$2"
}

# type NAME TEXT   a line at its console
type()
{
	{ echo "$2"; sleep 1; } | vmrun console "$1" >$work/console 2>&1 &
	console=$!
	sleep 2
	{ kill $console && wait $console; } 2>/dev/null
	grep -q . $work/console
}

status_of()
{
	"$@" >$work/out 2>$work/err
	echo $?
}

fails_with()
{
	wanted=$1
	text=$2
	shift 2
	status=$(status_of "$@")
	[ "$status" = "$wanted" ] && grep -q "$text" $work/err && return 0
	echo "# $* ended with $status and said:"
	sed 's/^/# /' $work/err
	return 1
}

# Time goes on in the guest: it counts on its console.
counts()
{
	before=$(vmrun logs one | grep -c '^tick')
	sleep 1
	[ "$(vmrun logs one | grep -c '^tick')" -gt "$before" ]
}

plan 31

check "there is no machine" fails_with 125 "there is no machine" vmrun logs one
check "a machine detaches and tells its name" [ "$(machine one)" = one ]
check "it runs" is one running
check "its name is taken" fails_with 125 "a machine named 'one' is running" machine one
check "ps lists it" sh -c 'vmrun ps | grep -q "^one  *running"'
check "ps --json too" sh -c 'vmrun ps --json | grep -q "\"name\": \"one\""'
check "its console is logged" within 20 logged one '^guest: memory'
sleep 1
check "the console takes what is typed" type one 'echo six times seven is $((6 * 7))'
check "and what comes of it is seen" within 5 logged one '^six times seven is 42'
type one 'while :; do echo tick; sleep 0.2; done &'
check "it does its work" within 5 counts
check "stat counts its exits" sh -c 'vmrun stat one --time 1 | grep -q "[1-9][0-9]* exits/s"'
vmrun pause one
check "a paused machine says so" is one paused
check "and stands still" fails counts
vmrun resume one
check "a resumed one goes on" within 5 counts
check "it cannot be removed" fails_with 125 "is running" vmrun rm one
check "stop kills who does not hear the button" fails_with 0 "did not power off within 1 seconds" vmrun stop one --time 1
check "it has ended, by signal 9" sh -c 'vmrun ps | grep -q "^one  *ended 137 "'
check "its log is still there" logged one '^six times seven is 42'
check "a machine that has ended is not stopped" fails_with 125 "not running" vmrun stop one
check "its name can be had again" [ "$(machine one --rm)" = one ]
check "kill ends it" vmrun kill one
check "and --rm forgets it" fails_with 125 "there is no machine" vmrun inspect one

# A process that dies without a word leaves a folder, which is told from a machine.
machine one >/dev/null
kill -9 "$(vmrun inspect one | sed -n 's/^ "pid": \([0-9]*\),$/\1/p')"
check "a vmrun that was killed has died" within 5 sh -c 'vmrun ps | grep -q "^one  *died"'
check "rm forgets it" vmrun rm one
check "nothing is left" [ -z "$(ls "$work/vmrun")" ]

# The power button: this guest loads the driver and does as the button says.
mkdir -p $work/root
cp /lib/modules/*/kernel/drivers/acpi/button.ko /lib/modules/*/kernel/drivers/input/evdev.ko $work/root/
cat >$work/root/job <<'JOB'
insmod /button.ko
insmod /evdev.ko
echo "waiting for the button"
head -c 24 /dev/input/event0 >/dev/null
echo "the button was pressed"
JOB
(cd $work/root && find . | cpio -o -H newc 2>/dev/null) >$work/job.cpio
cat /guest/initramfs $work/job.cpio >$work/initramfs
guest --accel "$dev" -m 128 -i $work/initramfs --detach --name button >/dev/null
within 20 logged button '^waiting for the button'
sleep 1
vmrun stop button --time 20
check "the power button is heard" sh -c 'vmrun ps | grep -q "^button  *ended 0 .*powered off"'
vmrun logs button | sed 's/^/# /'
vmrun rm button

# A guest that vmrun makes: its console is logged, and can be looked at, though its user sees the program alone.
# shellcheck disable=SC2016
vmrun -A "$dev" --name front -- sh -c 'echo "<1>the kernel says" >/dev/kmsg; for i in $(seq 60); do echo tock >/dev/ttyS0; sleep 0.5; done' \
	>$work/front 2>&1 </dev/null &
check "logs has what the kernel of vmrun's own guest says" within 30 logged front 'the kernel says'
sleep 3 | vmrun console front >$work/console 2>&1 &
console=$!
check "console shows it" within 10 grep -q '^tock' $work/console
{ kill $console && wait $console; } 2>/dev/null
vmrun kill front
check "its user saw none of it" sh -c '! grep -q -e tock -e says '$work/front

check "--timeout ends a guest with 122" \
	fails_with 122 "ended after 2 seconds" guest --accel "$dev" -m 128 -a "$QUIET guest.shell" --timeout 2
check "--json tells the end as JSON" \
	fails_with 122 '^{"status": *122, *"reason": *"' guest --accel "$dev" -m 128 -a "$QUIET guest.shell" --timeout 1 --json
finish

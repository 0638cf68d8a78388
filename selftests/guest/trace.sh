#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The flight recorder: vmrun trace of a machine that runs, what a guest that crashes or panics leaves on standard error and in its
# machine's folder, and that KVM, which keeps no exits, says so.
#
#   trace.sh --dev PATH [--crash]     --crash: of all that only a crash

. /tests/lib/ktap.sh

dev=/dev/kvirt
crash=
while [ $# -gt 0 ]; do
	case $1 in
	--dev) dev=$2; shift ;;
	--crash) crash=y ;;
	esac
	shift
done

export XDG_RUNTIME_DIR=/tmp/trace
QUIET='console=ttyS0 quiet panic=-1 cryptomgr.notests'
work=/tmp/trace
rm -rf $work
mkdir -p $work/root

# job NAME COMMAND   an initramfs whose guest does that
job()
{
	echo "$2" >$work/root/job
	(cd $work/root && find . | cpio -o -H newc 2>/dev/null) >$work/$1.cpio
	cat /guest/initramfs $work/$1.cpio >$work/$1
}

# run STATUS ARGUMENT...   a machine that ends so; what it said is in out and err
run()
{
	wanted=$1
	shift
	guest --accel "$dev" -m 128 "$@" >$work/out 2>$work/err </dev/null
	status=$?
	cut -c 1-200 $work/err | sed 's/^/# /'
	[ $status = "$wanted" ]
}

said()
{
	grep -q "$1" $work/err
}

# status_is STATUS COMMAND...
status_is()
{
	wanted=$1
	shift
	"$@" >$work/out 2>$work/err
	[ $? = "$wanted" ]
}

# listed COUNT   so many lines of exits on standard error, the last of them a triple fault
listed()
{
	[ "$(grep -c '^ *[0-9]*\.[0-9]\{6\}  ' $work/err)" = "$1" ] && tail -n 1 $work/err | grep -q '  triple_fault  '
}

exits()
{
	vmrun trace one --json | sed -n 's/^  "exits": \([0-9]*\),$/\1/p'
}

grows()
{
	before=$(exits)
	sleep 1
	[ "$(exits)" -gt "$before" ]
}

many_exits()
{
	tenths=300
	until [ "$(exits)" -gt 100 ]; do
		tenths=$((tenths - 1))
		[ $tenths -gt 0 ] || return 1
		sleep 0.1
	done
}

crashes()
{
	check "a crash ends with 121" run 121 -i $work/crash -a "$QUIET reboot=t" --name crash
	check "says why" said 'the guest crashed: triple fault on vCPU 0'
	check "with its last twelve exits" listed 12
	check "and leaves all of them" status_is 0 vmrun trace crash
	check "up to the last" sh -c 'tail -n 1 '$work'/out | grep -q "  triple_fault  "'
	vmrun rm crash
	check "which go with the machine" [ ! -e $work/vmrun/crash ]
}

job crash 'echo b >/proc/sysrq-trigger'
job panic 'echo c >/proc/sysrq-trigger'
if [ $crash ]; then
	plan 6
	crashes
	finish
fi
guest --accel "$dev" -m 128 -a "$QUIET guest.shell" --detach --name one >/dev/null
if [ "$dev" = /dev/kvm ]; then
	plan 5
	check "KVM keeps no exits" status_is 125 vmrun trace one
	check "which is said" said 'error: /dev/kvm keeps no record of exits'
	check "with what to do" said 'hint: run the machine with --accel kvirt'
	vmrun kill one
	check "a crash on KVM is one" run 121 -i $work/crash -a "$QUIET reboot=t"
	check "and has no exits" fails said 'exits'
	finish
fi

plan 18
check "a running machine has exits" many_exits
check "and tells the last of them" status_is 0 vmrun trace one
check "of its vCPU" grep -q '^vCPU 0: the last 6[0-9] of [0-9]* exits' $work/out
check "as many as it says" [ "$(grep -c '^ *[0-9]*\.[0-9]\{6\}  [a-z_]*  *0x' $work/out)" -ge 60 ]
check "as JSON too" sh -c 'vmrun trace one --json | grep -q "\"kind\": \"[a-z_]*\""'
check "it goes on meanwhile" grows
vmrun kill one
check "an end that is no crash leaves none" status_is 125 vmrun trace one
check "which is said" said "machine 'one' has ended, and left no exits"
vmrun rm one

crashes
check "of two vCPUs each tells its own" run 121 -c 2 -i $work/crash -a "$QUIET reboot=t"
check "in turn" [ "$(grep -o '^vCPU [01]: the last 6 of' $work/err | tr -d '\n')" = 'vCPU 0: the last 6 ofvCPU 1: the last 6 of' ]
check "a panic does, as JSON" run 120 -i $work/panic --json
check "in the line of its end" said '^{"status": *120,.*"trace": *\[{"vcpu": *0,'
finish

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Every thread of a running vmrun has a filter, no privileges and no way to any; with --sandbox off none has. The report prints
# the tables and forbids nothing. Which calls the filters let through is tests/test_sandbox.c's in userspace/vmrun.
#
#   sandbox.sh --dev PATH

. /tests/lib/ktap.sh

dev=/dev/kvirt
[ "$1" = --dev ] && dev=$2
share=/tmp/sandbox.$$
mkdir -p $share
truncate -s 1M $share.disk

# start NAME ARGUMENT...: a machine with a thread of every kind.
start()
{
	name=$1
	shift
	vmrun --name "$name" --detach --accel "$dev" -m 96 -k /guest/vmlinuz -i /guest/initramfs -v $share:/mnt -v $share:/ro:ro -d $share.disk:cow -d /dev/ram0 \
		-n user -a 'console=ttyS0 quiet cryptomgr.notests rdinit=/bin/sleep -- 1000' "$@" >/dev/null 2>/tmp/start.err || cat /tmp/start.err
	# Told before its last threads are there.
	sleep 2
	pid=$(vmrun inspect "$name" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p' | head -n 1)
}

# threads FIELD VALUE: how many of the process' threads have it.
threads()
{
	cat /proc/"$pid"/task/*/status | grep -c "^$1:[[:space:]]*$2\$"
}

all()
{
	ls /proc/"$pid"/task | wc -l
}

plan 10
# A disk for an io_uring, and one for threads alone.
insmod /modules/brd.ko rd_nr=1 rd_size=1024 2>/dev/null
start jailed
n=$(all)
cat /proc/"$pid"/task/*/comm | sed 's/^/# /'
check "it has a thread of every kind" [ "$(cat /proc/"$pid"/task/*/comm | sort | tr '\n' ' ')" = \
	"fs0 fs1 net0 vcpu-0 vda-0 vda-1 vda-2 vda-3 vdb vdb-0 vdb-1 vmrun " ]
check "each has a filter" [ "$(threads Seccomp 2)" -eq "$n" ]
check "none gets new privileges" [ "$(threads NoNewPrivs 1)" -eq "$n" ]
# vmrun is root's here: the thread of the folder that the guest may change keeps CAP_CHOWN, CAP_DAC_OVERRIDE and CAP_FOWNER.
check "all but one have no capability" [ "$(threads CapEff 0000000000000000)$(threads CapPrm 0000000000000000)" = "$((n - 1))$((n - 1))" ]
check "that one serves what the guest may change" [ "$(grep -l '^CapPrm:.*b$' /proc/"$pid"/task/*/status | while read -r file; do
	cat "${file%/status}/comm" && grep '^Cap[EP]' "$file" | sed 's/.*:[[:space:]]*//'; done | tr '\n' ' ')" = \
	"fs0 000000000000000b 000000000000000b " ]
check "none can get one back" [ "$(threads CapBnd 0000000000000000)" -eq "$n" ]
vmrun kill jailed; vmrun rm jailed

start free --sandbox off
check "off: there is no filter" [ "$(threads Seccomp 0)" -eq "$(all)" ]
vmrun kill free; vmrun rm free

dmesg -c >/dev/null
guest --accel "$dev" -m 96 -n none --sandbox report >/tmp/report.out 2>&1
status=$?
check "report: the guest runs to its end ($status)" [ $status -eq 0 ]
check "report: says what is allowed, and why" grep -q '^  ioctl (KVIRT_RUN) *enters the guest' /tmp/report.out
check "report: nothing was called that would be forbidden" [ -z "$(dmesg | grep type=1326 | sed 's/^/# /' | tee /dev/stderr)" ]
rm -rf $share $share.disk
finish

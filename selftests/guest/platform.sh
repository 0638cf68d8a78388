#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What a PC has besides: a clock that tells the host's time and can be set, and every way in which Linux restarts a machine.
#
#   platform.sh [--once] --dev PATH     --once: no restarts, where a boot is slow

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

QUIET='console=ttyS0 quiet panic=-1 cryptomgr.notests'
work=/tmp/platform.$$
mkdir -p $work
trap 'rm -rf $work' EXIT

value()
{
	sed -n "s/^$1 //p" $work/out
}

# between FROM TIME TO   a second is lost in cutting off
between()
{
	[ -n "$2" ] && [ "$2" -ge $(($1 - 1)) ] && [ "$2" -le $(($3 + 1)) ]
}

[ -n "$once" ] && plan 5 || plan 9
before=$(date +%s)
# shellcheck disable=SC2016
virtio-guest '
echo "clock $(date +%s)"
echo "rtc $(cat /sys/class/rtc/rtc0/since_epoch)"
dmesg | sed -n "s/.*setting system clock to .*(\([0-9]*\)).*/start \1/p"
date -u -s "2031-02-28 23:59:58" >/dev/null
hwclock -u -w
sleep 3
echo "set $(cat /sys/class/rtc/rtc0/since_epoch)"
' --accel "$dev" -m 128 >$work/raw 2>&1
status=$?
after=$(date +%s)
tr -d '\r' <$work/raw >$work/out
sed 's/^/# /' $work/out
check "vmrun ends with 0 ($status)" [ $status -eq 0 ]
check "the guest's time is the host's ($before $(value clock) $after)" between $before "$(value clock)" $after
check "so is that of its clock" between $before "$(value rtc)" $after
check "by which it started" between $before "$(value start)" $after
# March 1, 0:00:01.
check "what the guest sets goes on ($(value set))" between 1930089600 "$(value set)" 1930089603
[ -z "$once" ] || finish

for how in acpi kbd pci triple; do
	virtio-guest 'reboot -f' --accel "$dev" -m 128 --timeout 30 -a "$QUIET reboot=$how" >$work/out 2>&1
	status=$?
	[ $status -eq 119 ] || sed 's/^/# /' $work/out
	check "a restart by $how is one ($status)" [ $status -eq 119 ]
done
finish

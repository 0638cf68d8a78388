#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kill -9 of a VMM that boots Linux, at many random moments: nothing is left behind, and the next VM runs.
#
#   kill.sh [--times N] [--within MICROSECONDS] --dev PATH

. /tests/lib/ktap.sh

times=100 within=300000 dev=/dev/kvirt
while [ $# -gt 0 ]; do
	case $1 in
	--times) times=$2 ;;
	--within) within=$2 ;;
	--dev) dev=$2 ;;
	*) exit 2 ;;
	esac
	shift 2
done

random()
{
	echo $(($(od -An -N4 -tu4 /dev/urandom) % $1))
}

users()
{
	sed -n 's/^kvirt [0-9]* \([0-9]*\) .*/\1/p' /proc/modules
}

kill_all()
{
	i=0
	while [ $i -lt "$times" ]; do
		vmrun --accel "$dev" -m 128 -k /guest/vmlinuz -i /guest/initramfs >/tmp/vmrun.out 2>&1 &
		pid=$!
		usleep "$(random "$within")"
		if ! kill -9 $pid; then
			echo "# round $i: vmrun had ended by itself:"
			sed 's/^/#   /' /tmp/vmrun.out
			return 1
		fi
		wait $pid 2>/dev/null
		i=$((i + 1))
	done
	echo "# killed $times times"
}

nothing_in_use()
{
	[ "$(users)" = 0 ] && ! pidof vmrun
}

plan 4
check "killed at random moments" kill_all
check "no process and no reference left" nothing_in_use
check "the module unloads and loads" sh -c 'kvirt unload && kvirt load'
check "the next VM boots Linux" sh -c "guest --accel $dev -m 128 >/tmp/guest.out 2>&1 && grep -q '^guest: done' /tmp/guest.out"
finish

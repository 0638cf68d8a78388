#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Debian's own kernel boots to user space under vmrun and powers off.
#
#   linux.sh [--alone] [--cpus N] --dev PATH     --alone: with KVM unloaded

. /tests/lib/ktap.sh

cpus=1 dev=/dev/kvirt alone=
while [ $# -gt 0 ]; do
	case $1 in
	--alone) alone=1; shift; continue ;;
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

said_line()
{
	grep "^guest: $1" /tmp/guest.out
}

# QEMU's TCG does not stop at an intercepted XSETBV, so that whoever runs the guest, KVM too, never learns its XCR0 and
# shows it the save area's size of before: one warning of the guest's fpu/xstate.c, let pass in that emulator alone.
without_known()
{
	if grep -q 'QEMU TCG' /proc/cpuinfo; then
		awk '/cut here/ { held = ""; holding = 1; known = 0 }
		     /XSAVE consistency problem/ { known = holding }
		     { if (holding) held = held $0 "\n"; else print }
		     /end trace/ { if (!known) printf "%s", held; holding = 0 }
		     END { if (holding) printf "%s", held }' "$1"
	else
		cat "$1"
	fi
}

no_complaint()
{
	! without_known /tmp/guest.out |
		grep -E 'WARNING:|BUG:|Oops|Call Trace|soft lockup|Unhandled|clocksource.*unstable' | sed 's/^/# /' | grep .
}

[ -z "$alone" ] || kvm unload || exit 1

plan 10
guest --accel "$dev" -c "$cpus" -m 256 -a "console=ttyS0 quiet panic=-1 cryptomgr.notests guest.warnings" >/tmp/guest.raw 2>&1
status=$?
tr -d '\r' </tmp/guest.raw >/tmp/guest.out
sed 's/^/# /' /tmp/guest.out
check "vmrun ends with 0 ($status)" [ $status -eq 0 ]
check "the guest runs the kernel it was given" said "^guest: Linux $(uname -r) x86_64"
check "its CPUs are online" said "^guest: cpu .*, $cpus online"
check "it has a clock that keeps time" said "^guest: clocksource \(kvm-clock\|tsc\)$"
check "it has its memory" said "^guest: memory 2[0-9]* kB"
# What several CPUs use: the kernel says so as it starts. Whoever waits for a CPU of the host's learns how long.
check "it flushes TLBs by memory" [ "$cpus" -eq 1 -o -n "$(said_line 'uses KVM setup pv remote TLB flush')" ]
check "it sends IPIs by hypercall" [ "$cpus" -eq 1 -o -n "$(said_line 'uses setup PV IPIs')" ]
check "it counts stolen time" [ "$cpus" -eq 1 -o -n "$(said_line 'stolen ticks [1-9]')" ]
check "its user space ended in order" said "^guest: done"
check "its kernel does not complain" no_complaint
finish

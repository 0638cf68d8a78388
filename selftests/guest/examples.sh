#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The programs of examples/ do what docs/writing-a-vmm.md says.
#
#   examples.sh --dev PATH

. /tests/lib/ktap.sh

dev=/dev/kvirt
[ "$1" = --dev ] && dev=$2

# host.py takes the words for the host's own panic.
show()
{
	tr -d '\r' <"$1" | tail -n 20 | sed 's/Kernel panic/Kernel  panic/; s/^/# /'
}

plan 4
/tests/examples/hello "$dev" >/tmp/hello.out 2>&1
status=$?
show /tmp/hello.out
check "hello: the guest's line comes out ($status)" [ "$status $(cat /tmp/hello.out)" = "0 Hello from the guest" ]

/tests/examples/linux /guest/vmlinuz "$dev" cryptomgr.notests >/tmp/linux.out 2>&1
status=$?
show /tmp/linux.out
check "linux: ends with 0 ($status)" [ $status -eq 0 ]
check "linux: the kernel says who it is" grep -q "Linux version $(uname -r) " /tmp/linux.out
check "linux: and boots until it misses its root file system" grep -q 'VFS: Unable to mount root fs' /tmp/linux.out
finish

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# On a machine that cannot run guests the module does not load, and one line in the log says why.
#
#   refuse.sh WORDS     what that line must contain

. /tests/lib/ktap.sh

# insmod tries a second way after the first refusal, so the line may stand there twice. The other lines under the module's
# name are the kernel's own: it is not signed.
said_why()
{
	dmesg | sed -n 's/^.*\] \(kvirt: \)/\1/p' | grep -vE 'taints kernel|tainting kernel' | sort -u >/tmp/said
	sed 's/^/# /' /tmp/said
	[ "$(wc -l </tmp/said)" -eq 1 ] && grep -qi "$1" /tmp/said
}

plan 4
check "there is a module" [ -e /modules/kvirt.ko ]
check "loading is refused" fails insmod /modules/kvirt.ko
check "one line says why" said_why "$1"
check "nothing is left" [ ! -e /dev/kvirt -a ! -e /sys/module/kvirt ]
finish

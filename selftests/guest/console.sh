#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A guest's virtio console and channels: hvc0 is the console that the command line names, a channel joins a port of the guest's
# with a Unix socket here, or a file takes what the guest says on it.
#
#   console.sh [--small] --dev PATH     --small: less of all, where a guest is slow

. /tests/lib/ktap.sh

dev=/dev/kvirt bytes=1048576 small=
while [ $# -gt 0 ]; do
	case $1 in
	--dev) dev=$2 ;;
	--small) small=1 bytes=65536; shift; continue ;;
	*) exit 2 ;;
	esac
	shift 2
done

work=/tmp/console.$$
mkdir -p $work
trap 'rm -rf $work' EXIT
head -c "$bytes" /dev/urandom >$work/random

# vport NAME: the port of that name, which comes when the driver and vmrun have spoken.
# shellcheck disable=SC2016
script='
vport()
{
	for i in $(seq 200); do
		for p in /sys/class/virtio-ports/*; do
			[ "$(cat $p/name 2>/dev/null)" != "$1" ] || { echo /dev/${p##*/}; return; }
		done
		usleep 20000
	done
}
virtio console || exit 1
exec 3<>/dev/hvc0
echo "said on hvc0" >&3
read line <&3
echo "typed: $line"
log=$(vport log) both=$(vport org.example.both)
seq 1 5000 >$log
echo "nobody there: $(head -c 1 <$both | wc -c)"
echo connect
exec 4<>$both
# Who reads while nobody is there finds the end, who writes waits.
echo "ready" >&4
head -c '$bytes' <&4 >&4
echo "all passed"
exec 4<&-
seq 1 5000 >&3
dmesg -r | sed -n "/^<[0-3]>/s/^/complaint: /p"
'

said()
{
	grep -q "$1" $work/out
}

[ -n "$small" ] && plan 11 || plan 13
mkfifo $work/input
virtio-guest "$script" --accel "$dev" -m 128 -a 'console=ttyS0 console=hvc0 quiet panic=-1 cryptomgr.notests' \
	--timeout 80 --channel log=$work/log:file --channel org.example.both=$work/both <$work/input >$work/raw 2>&1 &
vmrun=$!
echo "six times seven" >$work/input
# Not before the guest has looked whether somebody is there.
tries=600
until grep -q '^connect' $work/raw || [ $((tries -= 1)) -eq 0 ]; do usleep 100000; done
/tests/guest/socket $work/both $((bytes + 6)) <$work/random >$work/back
status=$?
{ echo "ready"; cat $work/random; } >$work/sent
check "the channel gives all back ($status)" cmp $work/sent $work/back
wait $vmrun
status=$?
tr -d '\r' <$work/raw >$work/out
grep -v '^[0-9]*$' $work/out | sed 's/^/# /'
check "vmrun ends with 0 ($status)" [ $status -eq 0 ]
# The echo of what is typed can come before the end of that line.
check "what the guest says on hvc0 is seen" said '^said on hvc0'
check "what is typed comes to hvc0" said 'typed: six times seven'
check "a channel has nobody before somebody comes" said '^nobody there: 0$'
check "and then it carries" said '^all passed$'
seq 1 5000 >$work/all
check "the file has what the guest said, all of it" cmp $work/all $work/log
grep '^[0-9][0-9]*$' $work/out >$work/numbers
check "so has the console" cmp $work/all $work/numbers
check "the guest's kernel does not complain" sh -c '! grep "^complaint:" '$work/out
check "the socket is taken away" [ ! -e $work/both ]

refused()
{
	for bad in "$@"; do
		vmrun -A "$dev" -k /guest/vmlinuz -i /guest/initramfs --channel "$bad" >$work/out 2>&1
		[ $? -eq 125 ] && said '^hint: ' || { echo "# $bad"; sed 's/^/# /' $work/out; return 1; }
	done
}
: >$work/taken
check "a channel that cannot be is one error, with a hint" \
	refused none =x "a b=/tmp/x" 8080:80 x=/nowhere/socket x=/nowhere/file:file x=$work/taken
[ -z "$small" ] || finish

# In a guest that vmrun makes.
vmrun -A "$dev" --channel chat=$work/chat --channel note=$work/note:file -- \
	sh -c 'echo noted >/dev/virtio-ports/note; exec 3<>/dev/virtio-ports/chat; echo hello >&3; read answer <&3; echo "answer: $answer"' \
	>$work/out 2>&1 &
vmrun=$!
[ "$(echo "and you" | /tests/guest/socket $work/chat 6)" = hello ]
heard=$?
wait $vmrun
status=$?
sed 's/^/# /' $work/out
check "vmrun's own guest has its channels by name ($status $heard)" said '^answer: and you$'
check "and says something on them" [ $heard -eq 0 -a "$(cat $work/note)" = noted ]
finish

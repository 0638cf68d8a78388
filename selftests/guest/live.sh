#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# vmrun without an initramfs: a command in a guest that has this system's kernel and files. What it says, how it ends, what it
# is given, that nothing it changes is changed here, and what the user is told when there is no such guest.
#
#   live.sh [--once] --dev PATH     --once: one guest only, where a boot is slow

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

work=/tmp/live.$$
mkdir -p $work/here $work/share $work/fixed
trap 'rm -rf $work' EXIT
cd $work/here || exit 1
echo before >here.txt
echo fixed >$work/fixed/file
head -c 300000 /dev/zero >$work/large

said()
{
	grep -qx "$1" $work/out
}

# Everything of one guest: each line that it prints is a check.
cat >$work/script <<'SCRIPT'
uname -r
pwd
echo "GREETING=$GREETING"
id -u
cat here.txt
echo after >here.txt
cat here.txt
echo new >new.txt
rm /etc/motd && [ ! -e /etc/motd ] && echo "removed"
echo shared >/share/from-guest
cat /fixed/file
echo no >/fixed/file || echo "refused"
[ -c /dev/null ] && [ -d /proc/1 ] && [ -d /sys/class ] && touch /run/x && echo "its own /dev, /proc, /sys, /run"
[ -d /lib/modules/$(uname -r) ] && hostname
ip -4 -o addr show eth0 | awk '{ print $4 }'
ping -c 1 -W 10 10.0.2.2 >/dev/null && echo "its gateway answers"
wc -c
echo apart >&2
exit 7
SCRIPT

[ -n "$once" ] && plan 20 || plan 26
vmrun -A "$dev" -e GREETING='hello there' -v $work/share:/share -v $work/fixed:/fixed:ro -- sh $work/script \
	<$work/large >$work/out 2>$work/err
status=$?
sed 's/^/# /' $work/out $work/err
check "the status is the command's ($status)" [ $status -eq 7 ]
check "it runs this system's kernel" said "$(uname -r)"
check "in the same directory" said "$work/here"
check "with the variable it was given" said 'GREETING=hello there'
check "as root" said 0
check "it reads this system's files" said before
check "it changes them" said after
check "which changes nothing here" [ "$(cat here.txt)" = before -a ! -e new.txt ]
check "it removes one" said removed
check "which is still here" [ -e /etc/motd ]
check "a share is written through" [ "$(cat $work/share/from-guest)" = shared ]
check "a read-only share is read" said fixed
check "and not written" [ "$(grep -cx refused $work/out) $(cat $work/fixed/file)" = '1 fixed' ]
check "it has what a system has" said 'its own /dev, /proc, /sys, /run'
check "its host name is its own" said vmrun
check "its card has an address" said 10.0.2.15/24
check "and reaches its gateway" said 'its gateway answers'
check "all of the input arrives, and its end" said "$(wc -c <$work/large)"
check "standard error is apart" [ "$(grep -v refused $work/err | grep -v 'Read-only')" = apart ]
no_modules()
{
	mv /lib/modules $work/modules
	vmrun -A "$dev" -- true >$work/out 2>&1
	status=$?
	mv $work/modules /lib/modules
	[ $status -eq 125 ] && grep -q "cannot read the modules of kernel $(uname -r)" $work/out && grep -q '^hint: install' $work/out
}
check "a kernel without modules is one error, with a hint" no_modules
if [ -n "$once" ]; then
	finish
fi

vmrun -A "$dev" -- no-such-program >$work/out 2>&1
check "a program that is not there is 127" [ $? -eq 127 ]
check "and its name is told" grep -q no-such-program $work/out

mkdir -p $work/root/bin $work/root/proc $work/root/sys $work/root/dev
cp /bin/busybox $work/root/bin/
ln -s busybox $work/root/bin/sh
echo mine >$work/root/file
vmrun -A "$dev" $work/root -- /bin/sh -c 'cat /file; [ -e /guest ] || echo nothing else; kill -9 $$' >$work/out 2>&1
check "a signal is 128 and its number" [ $? -eq 137 ]
check "a folder is the root" said mine
check "and all of it" said 'nothing else'

{ vmrun -A "$dev" -- yes; echo $? >$work/status; } | head -n 2 >$work/out
check "a reader that goes away ends the command by SIGPIPE" [ "$(cat $work/status) $(wc -l <$work/out)" = '141 2' ]

finish

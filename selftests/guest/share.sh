#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Debian's own kernel mounts folders of the host by virtio-fs: what it reads is what is there, what it writes gets there, a
# read-only share refuses, overlayfs works on it, and links lead nowhere outside. Prints how fast it reads.
#
#   share.sh [--big MIB] [--cpus N] --dev PATH     --big: the size of the big file, 64 by default

. /tests/lib/ktap.sh

big=64 cpus=1 dev=/dev/kvirt
while [ $# -gt 0 ]; do
	case $1 in
	--big) big=$2 ;;
	--cpus) cpus=$2 ;;
	--dev) dev=$2 ;;
	*) exit 2 ;;
	esac
	shift 2
done

work=/tmp/share.$$
mkdir -p $work/rw $work/ro
trap 'rm -rf $work' EXIT

# A hundred files from nothing to 400 KiB, a big one, a deep tree, and names with which a server may go wrong.
plant()
{
	cd "$1" || return 1
	dd if=/dev/urandom of=big bs=1M count="$big" 2>/dev/null
	for i in 0 1 2 3 4 5 6 7 8 9; do
		mkdir "d$i"
		for j in 0 1 2 3 4 5 6 7 8 9; do
			dd if=big of="d$i/f$j" bs=$((i * 4099 + 1)) count="$j" 2>/dev/null
		done
	done
	deep=deep
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40; do
		deep=$deep/level$i
	done
	mkdir -p "$deep"
	echo "down here" >"$deep/file with blanks"
	ln -s d1/f1 inside
	ln -s ../secret outside
	mkfifo fifo
	mknod null c 1 3
	find . -type f ! -name sums | sort | while read -r file; do sha1sum "$file"; done >sums
	cd / || return 1
}

plant $work/rw && plant $work/ro || exit 1
echo secret >$work/secret
echo before >$work/rw/live
echo theirs >$work/rw/theirs
chmod 600 $work/rw/theirs
chown 4321:4321 $work/rw/theirs

# Once the guest says that it looks, the host changes a file.
{
	tries=0
	while [ ! -e $work/rw/ready ] && [ $tries -lt 600 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	echo changed >$work/rw/live
} &

cat >$work/guest <<'SCRIPT'
try() { name=$1; shift; if "$@"; then echo "tried: $name: yes"; else echo "tried: $name: no"; fi; }
same() { (cd "$1" && sha1sum -c sums >/tmp/said && [ "$(grep -c ': OK$' /tmp/said)" = "$(wc -l <sums)" ] && [ "$(wc -l <sums)" -ge 102 ]); }
refused() { "$@" 2>/tmp/said; [ $? -ne 0 ] && grep -q 'Read-only file system' /tmp/said; }
gone() { ! ls "$1" >/dev/null 2>&1; }
is() { [ "$1" = "$2" ]; }
shows() { ls -l "$1" | grep -q "$2"; }
says_changed() {
	touch /rw/ready
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ "$(cat /rw/live)" = changed ] && return 0
		sleep 0.5
	done
	return 1
}
writes() {
	cd /rw && cp big copy && mkdir -p new/dir && echo one >new/dir/file && echo two >>new/dir/file &&
		mv new/dir/file new/moved && ln new/moved new/hard && ln -s moved new/soft && chmod 640 new/moved && rm -r d9 &&
		dd if=big of=d0/f1 bs=1 count=3 seek=5 conv=notrunc 2>/dev/null && : >d1/f3 && sync
}
owners() {
	echo mine >/rw/owned && chmod 600 /rw/owned && chown 1234:5678 /rw/owned && [ "$(stat -c %u:%g /rw/owned)" = 1234:5678 ] &&
		echo more >>/rw/owned && ! chmod 4755 /rw/owned 2>/dev/null
}
overlays() {
	mkdir -p /t /o && mount -t tmpfs t /t && mkdir /t/u /t/w && mount -t overlay o -o lowerdir=/ro,upperdir=/t/u,workdir=/t/w /o &&
		sha1sum </ro/big >/tmp/a && echo more >>/o/big && sha1sum </ro/big | cmp -s - /tmp/a && rm -r /o/d3 && gone /o/d3 &&
		[ -d /ro/d3 ] && mv /o/d4/f4 /o/d5/new && mkdir /o/d3 && [ -z "$(ls /o/d3)" ] && chmod 700 /o/d6/f6
}
virtio fs
mkdir -p /rw /ro
try mounted mount -t virtiofs share0 /rw
mount -t virtiofs share1 /ro
try 'read rw' same /rw
try 'read ro' same /ro
echo 3 >/proc/sys/vm/drop_caches
size=$(stat -c %s /ro/big)
start=$(cut -d ' ' -f 1 /proc/uptime)
dd if=/ro/big of=/dev/null bs=1M 2>/dev/null
end=$(cut -d ' ' -f 1 /proc/uptime)
echo "read: $((size >> 20)) MiB, uptime $start to $end"
try 'a link inside' cmp -s /ro/inside /ro/d1/f1
try 'a link outside' gone /ro/outside/
try 'no secret' is "$(cat /ro/outside 2>/dev/null)" ''
try 'a fifo' shows /ro/fifo ^p
try 'a device' shows /ro/null '^c.* 1,  *3'
try 'no file' gone /ro/nothing
try 'refuse mkdir' refused mkdir /ro/x
try 'refuse write' refused dd if=/dev/null of=/ro/d1/f1
try 'refuse rm' refused rm -f /ro/d1/f1
try 'refuse chmod' refused chmod 600 /ro/d1/f1
try 'the host changes a file' says_changed
try 'write' writes
try 'overlay' overlays
try 'owners' owners
try 'files of others' is "$(cat /rw/theirs)" theirs
try 'nothing strange' is "$(dmesg | grep -E 'BUG:|Oops|(virtiofs|virtio_fs|fuse|overlayfs).*(rror|fail)')" ''
SCRIPT

said()
{
	grep -q "^tried: $1: yes" $work/out
}

same_file()
{
	cmp "$work/rw/$1" "$work/rw/$2"
}

unchanged()
{
	cd $work/ro && sha1sum -c sums | grep -v ': OK$'
	[ "$(find . -type f | wc -l)" = "$(($(wc -l <sums) + 1))" ] && sha1sum -c sums >/dev/null
}

plan 32
virtio-guest "$(cat $work/guest)" --accel "$dev" -c "$cpus" -m 256 -v $work/rw:/rw -v $work/ro:/ro:ro >$work/raw 2>&1
status=$?
tr -d '\r' <$work/raw >$work/out
sed 's/^/# /' $work/out
check "vmrun ends with 0 ($status)" [ $status -eq 0 ]
for what in mounted 'read rw' 'read ro' 'a link inside' 'a link outside' 'no secret' 'a fifo' 'a device' 'no file' 'refuse mkdir' \
	'refuse write' 'refuse rm' 'refuse chmod' 'the host changes a file' write overlay owners 'files of others' 'nothing strange'; do
	check "guest: $what" said "$what"
done
check "a copy arrives whole" same_file big copy
check "what was appended arrives" [ "$(cat $work/rw/new/moved)" = "one
two" ]
check "a hard link arrives" [ $work/rw/new/hard -ef $work/rw/new/moved ]
check "a symbolic link arrives" [ "$(readlink $work/rw/new/soft)" = moved ]
check "a mode arrives" [ "$(stat -c %a $work/rw/new/moved)" = 640 ]
check "an owner arrives" [ "$(stat -c %u:%g $work/rw/owned)" = 1234:5678 ]
check "what was removed is gone" [ ! -e $work/rw/d9 ]
check "a write within a file arrives" [ "$(stat -c %s $work/rw/d0/f1)" = 8 ]
check "a file is cut" [ ! -s $work/rw/d1/f3 ]
check "the read-only share is as it was" unchanged
check "what lies beside is as it was" [ "$(cat $work/secret)" = secret ]
check "a missing folder is an error" [ "$(vmrun -k /guest/vmlinuz -v /nowhere:/x --accel "$dev" 2>&1 | grep -c "cannot share /nowhere")" = 1 ]
finish

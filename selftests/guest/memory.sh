#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The guest's memory: each kind of it boots, is what the host says it is and goes back to the host, by itself and when somebody asks
# for it; what the guest tells of it is seen; and a guest of 4 GiB and more finds all of it, and reads disks and shares into its end.
#
#   memory.sh --dev PATH

. /tests/lib/ktap.sh

dev=/dev/kvirt
[ "$1" = --dev ] && dev=$2
export XDG_RUNTIME_DIR=/tmp/memory
work=/tmp/memory
rm -rf $work
mkdir -p $work/share
pool=/sys/kernel/mm/hugepages/hugepages-2048kB

# What vmrun tells of the machine by that name, in MiB.
tells()
{
	vmrun memory box --json | sed -n "s/^ *\"$1\": \([0-9]*\),\{0,1\}\$/\1/p"
}

at_most()
{
	[ "$(tells "$1")" -le "$2" ]
}

at_least()
{
	[ "$(tells "$1")" -ge "$2" ]
}

said()
{
	grep -q "$1" $work/out
}

# box ARGUMENT...   a machine that fills 96 MiB, frees them, and then waits for words
box()
{
	mkfifo $work/in
	virtio-guest '
virtio balloon || exit 1
mkdir /big && mount -t tmpfs -o size=200M big /big
dd if=/dev/zero of=/big/file bs=1M count=96 2>/dev/null
echo full
read line </dev/ttyS0
rm /big/file
echo empty
read line </dev/ttyS0
dd if=/dev/urandom of=/big/file bs=1M count=24 2>/dev/null && md5sum /big/file >/sum && md5sum -c /sum
' --accel "$dev" -m 256 --name box --rm "$@" <$work/in >$work/out 2>&1 &
	guest=$!
	exec 3>$work/in
}

go_on()
{
	echo >&3
}

ends()
{
	exec 3>&-
	wait "$guest"
	status=$?
	tr -d '\r' <$work/out | sed 's/^/# /'
	rm $work/in
	[ $status -eq 0 ] && said '^/big/file: OK'
}

pid_of()
{
	vmrun inspect box | sed -n 's/^ "pid": \([0-9]*\),$/\1/p'
}

# kind NAME MAPPED: a guest with that memory, which the host knows by the text MAPPED.
kind()
{
	box --backing "$1"
	check "$1: the guest fills its memory" within 60 said '^full'
	said '^full' || vmrun kill box
	check "$1: the host knows it as that" grep -q "$2" "/proc/$(pid_of)/maps"
	check "$1: it has the guest's pages" at_least resident 110
	full=$(tells resident)
	go_on
	check "$1: the guest frees them" within 30 said '^empty'
	check "$1: they go back" within 30 at_most resident $((full - 70))
	echo "# $full MiB, then $(tells resident), $(tells reported) reported"
	check "$1: the guest is asked to get along with less" vmrun memory box 128M
	check "$1: it does" within 60 at_least balloon 128
	vmrun memory box | sed 's/^/# /'
	check "$1: and the host has it" at_most resident 120
	check "$1: it may have all again" vmrun memory box 256M
	check "$1: and takes it" within 60 at_most balloon 0
	go_on
	check "$1: what went back can be used again" ends
}

refused()
{
	"$@" >$work/err 2>&1
	[ $? -eq 125 ] && return 0
	sed 's/^/# /' $work/err
	return 1
}

hints()
{
	sed 's/^/# /' $work/err
	grep -q "$1" $work/err
}

plan 64
kind private '^[0-9a-f]*-[0-9a-f]* rw-p'
kind memfd 'rw-s.*/memfd:vmrun-box'

check "without huge pages there is an error" refused guest --accel "$dev" -m 128 --backing hugepages
check "which tells how to get some" hints "echo 64 > $pool/nr_hugepages"
check "pages of 1 GiB likewise" refused guest --accel "$dev" -m 1G --backing hugepages=1G
check "which tells what the host lacks" hints 'huge pages of 1 GiB'
echo 130 >$pool/nr_hugepages
check "the host sets huge pages apart" [ "$(cat $pool/nr_hugepages)" = 130 ]
kind hugepages 'rw-s.*/memfd:vmrun-box'
check "the pool is whole again" [ "$(cat $pool/free_hugepages)" = 130 ]
echo 0 >$pool/nr_hugepages

# What the guest says of itself, where it is asked.
box --backing private
within 60 said '^full' || vmrun kill box
check "stat tells of memory" sh -c "vmrun stat box --time 1 | tee /dev/stderr | grep -q 'resident [0-9]*M.*available [0-9]*M'"
check "inspect too" sh -c "vmrun inspect box | grep -q '\"available\": [1-9]'"
free=$(tells free)
check "the guest has used what it used" [ "$free" -lt 150 ]
go_on
check "it tells again when it is asked again" within 30 at_least free $((free + 80))
check "more than it has is refused" refused vmrun memory box 257M
check "the error says what may be said" hints 'say 16M to 256M'
check "what it could not live with is refused too" refused vmrun memory box 1M
go_on
check "its end" ends
guest --accel "$dev" -m 128 --name box --detach -a 'console=ttyS0 quiet panic=-1 cryptomgr.notests guest.shell' >/dev/null
check "a guest without the driver is asked in vain, and vmrun says so" sh -c \
	"vmrun memory box 64M 2>&1 | tee /dev/stderr | grep -q 'no driver'"
check "what it wants is remembered" [ "$(tells wanted)" = 64 ]
check "and what it has is not known" [ -z "$(tells free)" ]
vmrun kill box
vmrun rm box

# Memory on both sides of the hole; page cache comes from the end of it.
dd if=/dev/urandom of=$work/disk bs=1M count=24 2>/dev/null
cp $work/disk $work/share/file
sum=$(md5sum <$work/disk)
for size in 4 8; do
	virtio-guest '
virtio blk fs || exit 1
dmesg | grep "BIOS-e820\|Memory:"
high() { awk "/^Node/ { normal = / Normal/ } normal && /nr_zone_inactive_file|nr_zone_active_file/ { n += \$2 } END { print n / 256 }" /proc/zoneinfo; }
echo "high: before $(high) MiB"
mkdir /m && mount -t virtiofs share0 /m
exec 4</dev/vda
echo "disk: $(md5sum <&4)"
echo "share: $(md5sum </m/file)"
echo "high: after $(high) MiB"
' --accel "$dev" -m ${size}G -d $work/disk:ro -v $work/share:/m:ro >$work/raw 2>&1
	status=$?
	tr -d '\r' <$work/raw >$work/out
	sed 's/^/# /' $work/out
	check "${size}G: vmrun ends with 0 ($status)" [ $status -eq 0 ]
	total=$(sed -n 's/^guest: memory \([0-9]*\) kB/\1/p' $work/out)
	check "${size}G: the guest has it all ($total kB)" [ "$((total >> 10))" -gt $((size * 1024 * 95 / 100)) ]
	check "${size}G: 3 GiB lie below the hole" said 'BIOS-e820: \[mem 0x0000000000100000-0x00000000bfffffff\] usable'
	check "${size}G: the rest behind it" said "BIOS-e820: \[mem 0x0000000100000000-0x0000000$((size / 8 + 1))3fffffff\] usable"
	check "${size}G: a disk reads into it" said "^disk: $sum"
	check "${size}G: a share does" said "^share: $sum"
	before=$(sed -n 's/^high: before \([0-9]*\).*/\1/p' $work/out)
	after=$(sed -n 's/^high: after \([0-9]*\).*/\1/p' $work/out)
	check "${size}G: that is where it was read to ($before, then $after MiB)" [ "$after" -ge $((before + 40)) ]
done
rm -rf $work
finish

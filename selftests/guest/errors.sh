#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What a user meets when something is wrong: one error that says what, one hint that says what to do, the status that is
# documented, and nothing left behind: no machine's folder, no temporary file, no socket, no process, no virtual machine.
# All of it as a user who is only in group kvm.
#
#   errors.sh --dev PATH

. /tests/lib/ktap.sh

dev=/dev/kvirt
[ "${1:-}" != --dev ] || dev=$2
module=${dev#/dev/}
[ "$module" != kvm ] || module=kvm_amd

work=/tmp/errors.$$
runtime=$work/run
release=$(uname -r)
kernel=/boot/vmlinuz-$release
grep -q '^user:' /etc/passwd || echo 'user:x:1000:1000::/tmp:/bin/sh' >>/etc/passwd
# Whoever made the group, its member is this user.
sed -i '/^kvm:/d' /etc/group
echo 'kvm:x:104:user' >>/etc/group
# The root of an initramfs may be its maker's alone.
chmod 755 /
chown root:kvm "$dev"
chmod 660 "$dev"
mkdir -p $work/tmp $runtime $work/here
chown -R user $work
trap 'cd /; rm -rf $work' EXIT
cd $work/here || exit 1
export XDG_RUNTIME_DIR=$runtime TMPDIR=$work/tmp

# user COMMAND...   as that user, after what $limit says
limit=:
user()
{
	su -s /bin/sh -c "$limit; exec \"\$@\"" user -- sh "$@"
}

processes()
{
	grep -hs '^vmrun' /proc/[0-9]*/comm
}

# What a machine may leave behind; empty when it has left nothing. A process that was killed is gone a little later.
left()
{
	tries=50
	while [ -n "$(processes)" ] && [ $((tries -= 1)) -gt 0 ]; do
		sleep 0.1
	done
	processes
	ls -A $runtime/vmrun $work/tmp 2>/dev/null | grep -v -e '^$' -e ':$'
	ls $work | grep -v -x -e here -e tmp -e run -e out -e err
	read -r users <"/sys/module/$module/refcnt"
	[ "$users" = "${users_before:-0}" ] || echo "the module has $users users"
}

complain()
{
	echo "# $*"
	sed 's/^/# out: /' $work/out
	sed 's/^/# err: /' $work/err
	return 1
}

# one_error   standard error is one error and one hint, each with something to say
one_error()
{
	[ "$(wc -l <$work/err)" = 2 ] && grep -q '^vmrun: error: ...' $work/err && grep -q '^hint: ...' $work/err
}

# What was there before.
kept=

# wrong STATUS TEXT ARGUMENT...   vmrun ends with that status and one error that has TEXT
wrong()
{
	wanted=$1 text=$2
	shift 2
	user timeout 60 vmrun "$@" </dev/null >$work/out 2>$work/err
	status=$?
	rest=$(left)
	[ $status -eq "$wanted" ] && one_error && grep -q -e "$text" $work/err && [ ! -s $work/out ] && [ "$rest" = "$kept" ] ||
		complain "vmrun $* ended with $status, left: $rest"
}

# machine_wrong STATUS TEXT ARGUMENT...   of a machine that would run
machine_wrong()
{
	wanted=$1 text=$2
	shift 2
	wrong "$wanted" "$text" -A "$dev" -m 128 "$@"
}

# elf CLASS   an ELF file of one segment of code at 1 MiB, with no notes, 32- or 64-bit
elf()
{
	printf "\177ELF\00$1\001\001\000\000\000\000\000\000\000\000\000"
	# e_type, e_machine, e_version, e_entry, e_phoff
	printf '\002\000\076\000\001\000\000\000\000\000\020\000\000\000\000\000\100\000\000\000\000\000\000\000'
	# e_shoff, e_flags, e_ehsize, e_phentsize, e_phnum, the sections' three
	printf '\000\000\000\000\000\000\000\000\000\000\000\000\100\000\070\000\001\000\000\000\000\000\000\000'
	# PT_LOAD, its flags, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align
	printf '\001\000\000\000\005\000\000\000\000\000\000\000\000\000\000\000'
	printf '\000\000\020\000\000\000\000\000\000\000\020\000\000\000\000\000'
	printf '\170\000\000\000\000\000\000\000\000\020\000\000\000\000\000\000\000\020\000\000\000\000\000\000'
	# So that it has a version, too.
	printf 'Linux version %s (errors.sh)\n' "$release"
}

fixtures()
{
	: >empty
	mkfifo pipe
	echo "not a kernel" >text
	head -c 5000 /dev/urandom >noise
	head -c 400 "$kernel" >short-header
	head -c 1000 "$kernel" >header
	head -c 1000000 "$kernel" >./cut
	cp "$kernel" closed && chmod 600 closed
	cp "$kernel" damaged && dd if=noise of=damaged bs=1000 seek=5000 count=1 conv=notrunc 2>/dev/null
	elf 1 >elf32
	elf 2 >elf64
	elf 2 | head -c 80 >elf-cut
	truncate -s 1G large
	mkdir -p folder closed-folder root/bin
	chmod 700 closed-folder
	: >root/bin/sh
	truncate -s 1M disk
	truncate -s 1M closed-disk && chmod 600 closed-disk
	chmod 666 disk
	truncate -s 1000 odd-disk && chmod 666 odd-disk
	echo '{ "memory": 128' >open.json
	echo '[ 128 ]' >array.json
	echo '{ "memroy": 128 }' >unknown.json
	echo '{ "cpus": "two" }' >type.json
	echo '{ "memory": "1T" }' >range.json
	: >socket
}

kernels()
{
	check "a kernel that is not there" machine_wrong 125 'none: No such file' -k none -- true
	check "that may not be read" machine_wrong 125 'closed: Permission denied' -k closed -- true
	check "that is a folder" machine_wrong 125 'not a regular file' -k folder -- true
	check "that is a pipe" machine_wrong 125 'not a regular file' -k pipe -- true
	check "that is empty" machine_wrong 125 'neither a bzImage nor an ELF file' -k empty -- true
	check "that is no kernel" machine_wrong 125 'neither a bzImage nor an ELF file' -k noise -- true
	check "that ends in its header" machine_wrong 125 'neither a bzImage nor an ELF file' -k short-header -- true
	check "that ends behind its header" machine_wrong 125 'ends before its 64-bit part' -k header -- true
	check "that ends in its payload" machine_wrong 125 'cut short' -k cut -- true
	check "that is damaged there" machine_wrong 125 'it is damaged' -k damaged -- true
	check "a vmlinux for 32 bits" machine_wrong 125 'not an ELF file for x86-64' -k elf32 -- true
	check "a vmlinux without PVH entry" machine_wrong 125 'no PVH entry' -k elf64 -- true
	check "a vmlinux that is cut short" machine_wrong 125 'past its own end\|cut short' -k elf-cut -- true
	check "the same with an initramfs" machine_wrong 125 'cut short' -k cut -i /guest/initramfs
	check "a word that is no kernel" machine_wrong 125 "cannot use 'text': it is no kernel" text
	check "a word that is nothing" machine_wrong 125 "cannot use 'nothing'" nothing
	check "an initramfs without a kernel" machine_wrong 125 'no kernel given' -i /guest/initramfs
	check "an initramfs that is not there" machine_wrong 125 'none: No such file' -k "$kernel" -i none
	check "that is empty" machine_wrong 125 'empty' -k "$kernel" -i empty
	check "that is larger than memory" machine_wrong 125 'fit beside the kernel in 128 MiB' -k "$kernel" -i large
	check "a command line that is too long" \
		machine_wrong 125 'command line has' -k "$kernel" -i /guest/initramfs -a "$(head -c 9000 /dev/zero | tr '\0' x)"
	mv "/lib/modules/$release" /lib/modules/away
	check "a kernel without its modules" machine_wrong 125 "cannot read the modules of kernel $release" -- true
	mkdir "/lib/modules/$release"
	for index in /lib/modules/away/modules.*; do
		head -c 100 "$index" >"/lib/modules/$release/${index##*/}"
	done
	check "whose index is damaged" machine_wrong 125 "$release" -- true
	cp /lib/modules/away/modules.* "/lib/modules/$release/"
	check "whose modules are gone" machine_wrong 125 "makes the initramfs died\|cannot open the module" -- true
	rm -r "/lib/modules/$release"
	mv /lib/modules/away "/lib/modules/$release"
	chmod 600 "$kernel"
	check "this system's kernel, closed" machine_wrong 125 "cannot read this system's kernel" -- true
	chmod 644 "$kernel"
}

files()
{
	check "a root without a shell" machine_wrong 125 'no shell' folder
	check "a root that may not be read" machine_wrong 125 'closed-folder.*Permission denied' closed-folder -- true
	check "a share that is not there" machine_wrong 125 'none' -v none:/x -- true
	check "a share that is a file" machine_wrong 125 'text' -v text:/x -- true
	check "a share that may not be read" machine_wrong 125 'closed-folder.*Permission denied' -v closed-folder:/x -- true
	check "a share with a relative place" machine_wrong 125 "cannot use 'folder:x' as a share" -v folder:x -- true
	check "a share without a place" machine_wrong 125 "cannot use 'folder' as a share" -v folder -- true
	check "a start folder that is no path" machine_wrong 125 "no path of the guest" -w here -- true
	check "a disk that is not there" machine_wrong 125 'none.*No such file' -d none -- true
	check "a disk that may not be read" machine_wrong 125 'closed-disk.*Permission denied' -d closed-disk:ro -- true
	check "a disk that may not be written" machine_wrong 125 'Permission denied' -d "$kernel" -- true
	check "an empty disk" machine_wrong 125 'empty' -d empty:ro -- true
	check "a disk of half a sector" machine_wrong 125 'odd-disk' -d odd-disk -- true
	check "a disk that is a folder" machine_wrong 125 'folder' -d folder -- true
	check "a disk twice" machine_wrong 125 'disk' -d disk -d disk -- true
	check "a vsock where something is" machine_wrong 125 'socket.*Address already in use' --vsock socket -- true
	check "a vsock in no folder" machine_wrong 125 "none/socket" --vsock none/socket -- true
}

configs()
{
	check "a config that is not there" wrong 125 'none.json: No such file' --config none.json
	check "that is a folder" wrong 125 'folder: Is a directory' --config folder
	check "that is empty" wrong 125 'empty, line 1' --config empty
	check "that is no JSON" wrong 125 'open.json, line 2' --config open.json
	check "that is no object" wrong 125 'array.json: it is not a JSON object' --config array.json
	check "with an unknown key" wrong 125 "no option 'memroy'" --config unknown.json
	check "with a wrong type" wrong 125 "'cpus' must be a whole number" --config type.json
	check "with a value out of range" wrong 125 "cannot use '1T' as --memory" --config range.json
	check "an unknown command" wrong 125 "no command 'stpo'" stpo one
	check "an unknown option" wrong 125 "unknown option.*--memroy" --memroy 1G
	check "an option without its value" wrong 125 "without its value.*-m" -m
	check "an option of another command" wrong 125 "no option of 'vmrun ps'" ps -m 128
	check "an option twice too large" wrong 125 "cannot use '0' as --cpus" -c 0
	check "a size that is none" wrong 125 "cannot use 'much' as --memory" -m much
	check "no time at all" wrong 125 "cannot use '0' as --timeout" --timeout 0
	check "a name with a slash" wrong 125 "cannot use 'a/b' as a machine's name" --name a/b
	check "a name that is too long" wrong 125 "as a machine's name" --name abcdefghijklmnopqrstuvwxyz0123456
	check "a name of no machine" wrong 125 "there is no machine" stop none
	check "a port that is none" wrong 125 "cannot use '99999:1' as a port" -p 99999:1
	check "a network that is none" wrong 125 "unknown network 'bridge'" -n bridge
	check "ports without a network" machine_wrong 125 "does not forward ports" -n none -p 8080:80 -- true
	check "a variable without a name" wrong 125 "as a variable" -e =x
	check "a sandbox that is none" wrong 125 "sandbox" --sandbox maybe
	check "a program without --" wrong 125 "unexpected argument 'test'" make test
}

machines()
{
	check "more vCPUs than there can be" machine_wrong 125 "cannot use '256' as --cpus" -c 256 -- true
	check "less memory than the kernel needs" machine_wrong 125 'needs .* the guest has 20 MiB' -m 20 -- true
	check "more memory than there can be" wrong 125 "as --memory" -m 2000G
	httpd -f -p 127.0.0.1:8999 -h $work &
	listener=$!
	sleep 0.5
	check "a port that is taken" machine_wrong 125 'port 8999.*in use' -p 8999:80 -- true
	kill $listener
	check "a port that is root's" machine_wrong 125 'port 99.*Permission denied' -p 99:80 -- true
	check "a tap that is not there" machine_wrong 125 "tap interface 'none'" -n tap=none -- true
	limit='ulimit -v 200000'
	check "memory that cannot be had" machine_wrong 125 'cannot reserve' -m 512 -- true
	limit=:
}

# short_of LIMIT VALUE...   with so much of something vmrun either runs, or says in order why not
short_of()
{
	what=$1 failed=0
	shift
	for value; do
		limit="ulimit $what $value"
		user vmrun -A "$dev" -m 128 -n none -- true </dev/null >$work/out 2>$work/err
		status=$?
		rest=$(left)
		[ $status -eq 0 ] && [ ! -s $work/err ] && [ -z "$rest" ] && continue
		# Who cannot even have a folder is told so, and goes on.
		sed -i '/will not list this machine$/d' $work/err
		case $status in 12[345]) one_error && [ -z "$rest" ] && continue ;; esac
		complain "with $limit vmrun ended with $status, left: $rest"
		failed=1
	done
	limit=:
	return $failed
}

no_folder()
{
	mv $runtime away
	: >$runtime
	machine_wrong 125 'for machines: Not a directory' --name one -- true
	failed=$?
	rm $runtime
	mv away $runtime
	return $failed
}

# in_folder TEXT ARGUMENT...   with whatever the runtime folder has become, and nothing more in it afterwards
in_folder()
{
	kept=$(left)
	machine_wrong 125 "$@"
	failed=$?
	kept=
	return $failed
}

damaged()
{
	mkdir -p $runtime/vmrun/old
	printf "$1" >$runtime/vmrun/old/machine.json
	chown -R user $runtime/vmrun
	chmod 700 $runtime/vmrun
	user vmrun ps >$work/out 2>$work/err && grep -q '^old  *died' $work/out && user vmrun inspect old >/dev/null 2>>$work/err &&
		user vmrun rm old && [ ! -s $work/err ] && [ -z "$(left)" ] && return 0
	rm -rf $runtime/vmrun/old
	complain "with a damaged machine.json"
}

folders()
{
	check "a runtime folder that is a file" no_folder
	rm -rf $runtime/vmrun
	chown root $runtime
	check "that may not be written" in_folder 'for machines: Permission denied' --name one -- true
	chown user $runtime
	mkdir -p $runtime/vmrun
	chmod 700 $runtime/vmrun
	check "that is another's" in_folder 'for machines: Permission denied' --name one -- true
	chmod 755 $runtime/vmrun
	check "that another may write" in_folder 'not yours alone' --name one -- true
	chown user $runtime/vmrun
	check "that others may enter" in_folder 'not yours alone' --detach -- true
	chmod 700 $runtime/vmrun
	mount -t tmpfs -o size=16k,uid=1000,mode=700 full $runtime/vmrun
	head -c 16384 /dev/zero >$runtime/vmrun/.fill
	check "a full disk" in_folder 'No space left' --name one -- true
	truncate -s 12288 $runtime/vmrun/.fill
	check "a nearly full disk" in_folder 'is there space left\|No space left' --name one -- true
	rm $runtime/vmrun/.fill
	umount $runtime/vmrun
	mount -t tmpfs -o nr_inodes=4,uid=1000,mode=700 full $runtime/vmrun
	check "a disk that takes no more files" in_folder 'No space left' --name one -- true
	umount $runtime/vmrun
	rmdir $runtime/vmrun
	TMPDIR=/none
	check "no folder for a disk's changes" machine_wrong 125 '/none for a disk' -d disk:cow -- true
	TMPDIR=$work/tmp
	check "a machine.json that is empty" damaged ''
	check "that is no object" damaged '[1, 2]'
	check "that is another object" damaged '{"name": 7, "state": [], "ended": {"status": "x"}, "config": 1, "pid": "y", "started": {}}'
}

devices()
{
	chmod 600 "$dev"
	check "a device that is closed" wrong 123 "cannot open $dev: Permission denied" -A "$dev" -- true
	mv "$dev" "$dev.away"
	check "a device that is not there" wrong 123 "cannot open $dev: No such file" -A "$dev" -- true
	mv "$dev.away" "$dev"
	chmod 660 "$dev"
	check "a device that is none" wrong 123 'does not answer' -A /dev/null -- true
	check "a name that is none" wrong 125 "unknown accelerator 'xen'" -A xen -- true
	check "a descriptor that is closed" wrong 123 'descriptor 77' --accel-fd 77 -- true
	check "a descriptor of something else" wrong 123 'does not answer' --accel-fd 1 -- true
}

# interrupted SIGNAL STATUS ARGUMENT...   a signal at any moment is the end, and leaves nothing
interrupted()
{
	signal=$1 wanted=$2 failed=0
	shift 2
	for delay in $delays; do
		user timeout -s "$signal" "$delay" vmrun -A "$dev" -m 128 --name odd --rm "$@" </dev/null >$work/out 2>$work/err
		status=$?
		rest=$(left)
		[ $status -eq "$wanted" ] && [ -z "$rest" ] && [ "$(grep -vc "^vmrun: ended by signal" $work/err)" = 0 ] && continue
		complain "after $delay seconds and SIG$signal: status $status, left: $rest"
		failed=1
	done
	return $failed
}

# The machine either was not there yet, and does not come, or runs.
interrupted_detached()
{
	failed=0
	for delay in 0.05 0.15 0.3; do
		user timeout -s INT $delay vmrun -A "$dev" -m 128 --name odd --rm --detach -- sleep 100 >$work/out 2>$work/err
		status=$?
		[ $status -eq 130 ] || user vmrun kill odd
		rest=$(left)
		[ -z "$rest" ] && continue
		complain "after $delay seconds: status $status, left: $rest"
		failed=1
	done
	return $failed
}

nobody_reads()
{
	{ user vmrun -A "$dev" -m 128 -- yes 2>$work/err; echo $? >status; } | true
	rest=$(left)
	[ "$(cat status)" = 141 ] && [ -z "$rest" ] || complain "nobody reads: status $(cat status), left: $rest"
}

signals()
{
	delays="0.02 0.1 0.2 0.4 0.8"
	check "SIGTERM at any moment" interrupted TERM 143 -- sleep 100
	delays="0.1 0.3"
	check "SIGINT" interrupted INT 130 -- sleep 100
	check "SIGHUP" interrupted HUP 129 -- sleep 100
	check "SIGINT while it detaches" interrupted_detached
	check "a reader that is gone from the start" nobody_reads
}

fixtures
plan 99
kernels
files
configs
machines
folders
devices
signals
check "too few files" short_of -n 4 6 8 14 24 36
check "too few processes" short_of -u 1 2 4 6
check "too little memory" short_of -v 20000 135000 145000 155000
finish

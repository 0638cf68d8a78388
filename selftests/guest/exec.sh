#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Further commands in a running machine that has this system's files, and its end by vmrun stop: what they say, get and end with,
# several at once, callers that go away, machines in which there is none.
#
#   exec.sh --dev PATH

. /tests/lib/ktap.sh

dev=/dev/kvirt
[ "${1:-}" != --dev ] || dev=$2

export XDG_RUNTIME_DIR=/tmp/exec
work=/tmp/exec
rm -rf $work
mkdir -p $work/here
cd $work/here || exit 1
head -c 300000 /dev/urandom >$work/large

# gives STATUS TEXT ARGUMENT...   what vmrun exec ends with and says, both outputs together
gives()
{
	wanted=$1
	text=$2
	shift 2
	vmrun exec "$@" >$work/out 2>&1 </dev/null
	status=$?
	[ $status -eq "$wanted" ] && { [ -z "$text" ] || grep -q "$text" $work/out; } && return 0
	echo "# vmrun exec $* ended with $status and said:"
	sed 's/^/# /' $work/out
	return 1
}

# In the guest: is there such a process?
runs()
{
	vmrun exec one -- pidof "$1" >/dev/null </dev/null
}

plan 28

vmrun -A "$dev" -e MINE=machine --detach --name one -- sh -c 'trap "echo told to end; exit 9" TERM; while :; do sleep 0.2; done' \
	>/dev/null || echo "# no machine"
# At once: the request waits for the guest's agent.
check "a command says something" gives 0 '^hello$' one -- echo hello
check "its status is passed on" gives 7 '' one -- sh -c 'exit 7'
check "a signal is 128 and its number" gives 137 '' one -- sh -c 'kill -9 $$'
check "a program that is not there is 127, and told" gives 127 "cannot run 'no-such-program'" one -- no-such-program
check "one that cannot be executed is 126" gives 126 "cannot run '/etc/passwd'" one -- /etc/passwd
check "it starts where the machine's command did" gives 0 "^$work/here\$" one -- pwd
check "or where -w says" gives 0 "^/etc\$" -w /etc one -- pwd
check "a folder that is not there is 125" gives 125 'cannot change to the directory' -w /none one -- pwd
check "it has the machine's environment" gives 0 '^machine$' one -- sh -c 'echo $MINE'
check "and what -e says over it" gives 0 '^other 1$' -e MINE=other -e X=1 one -- sh -c 'echo $MINE $X'
check "it sees the same files as the machine's command" gives 0 "^guest\$" one -- sh -c 'echo guest >new; cat new'
check "which are not these" [ ! -e new ]
check "-t is a terminal" gives 0 '^/dev/pts/' -t one -- tty
check "without it there is none" gives 1 'not a tty' one -- tty

# Were it to read the file there, the lock by which the machine is told from a dead one would be gone.
check "it does not see the folders of machines" gives 1 '' one -- sh -c "cat $work/vmrun/one/pid || ls -A $work/vmrun | grep ."
check "and so cannot make the machine look dead" sh -c 'vmrun ps | grep -q "^one  *running"'

vmrun exec one -- cat <$work/large >$work/copy
check "input and output are whole" cmp $work/large $work/copy
sum=$(cat $work/large | vmrun exec one -- sh -c 'cat >&2; echo end' 2>$work/copy)
check "errors are apart, and from a pipe too" [ "$sum" = end ]
check "and whole" cmp $work/large $work/copy

# Two at once, of which each waits for the other.
vmrun exec one -- sh -c 'touch /tmp/first; until [ -e /tmp/second ]; do sleep 0.1; done; echo first' >$work/first </dev/null &
vmrun exec one -- sh -c 'touch /tmp/second; until [ -e /tmp/first ]; do sleep 0.1; done; echo second' >$work/second </dev/null
wait
check "two run at once" [ "$(cat $work/first) $(cat $work/second)" = 'first second' ]

vmrun exec one -- tail -f /dev/null </dev/null &
caller=$!
check "a command runs" within 10 runs tail
{ kill -9 $caller && wait $caller; } 2>/dev/null
check "and is told when its caller is gone" within 10 fails runs tail

{ vmrun exec one -- yes </dev/null; echo $? >$work/status; } | head -n 2 >$work/out
check "a reader that goes away ends it by SIGPIPE" [ "$(cat $work/status) $(wc -l <$work/out)" = '141 2' ]

vmrun pause one
check "a paused machine runs nothing" gives 125 'the machine is paused' one -- true
# This one also resumes it.
check "stop tells the machine's command, and is done then" sh -c 'vmrun stop one --time 8 2>&1 | grep -c . | grep -qx 0'
check "which has ended as it wanted" sh -c 'vmrun ps | grep -q "^one  *ended 9 " && vmrun logs one | grep -q "^told to end"'
check "there is none in a machine that has ended" gives 125 "not running" one -- true

guest --accel "$dev" -m 128 -a 'console=ttyS0 quiet panic=-1 guest.shell' --detach --name two >/dev/null
check "nor in one with an initramfs of its own" gives 125 'an initramfs of its own' two -- true
vmrun kill two
finish

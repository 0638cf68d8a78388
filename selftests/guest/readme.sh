#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The README's transcript, typed line by line by a user who is only in group kvm, in one shell and an empty folder. It is what
# stands in the README's code blocks between <!-- transcript --> and <!-- end -->: "$ " begins a command, what follows is what
# it says. There "..." stands for any text within a line, and alone on a line for any lines, or none.
#
#   readme.sh --dev PATH [README]

. /tests/lib/ktap.sh

dev=/dev/kvirt
[ "${1:-}" != --dev ] || { dev=$2; shift 2; }
readme=${1:-/tests/README.md}

work=/tmp/readme.$$
mkdir -p $work/home $work/run $work/steps
trap 'cd /; rm -rf $work' EXIT
grep -q '^user:' /etc/passwd || echo 'user:x:1000:1000::/tmp:/bin/sh' >>/etc/passwd
# Whoever made the group, its member is this user.
sed -i '/^kvm:/d' /etc/group
echo 'kvm:x:104:user' >>/etc/group
# What an initramfs has may be its maker's alone.
chmod 755 / /etc
chmod 644 /etc/passwd /etc/group
chown root:kvm "$dev"
chmod 660 "$dev"

# Each command to a file of its own, N.command, and what it is to say to N.expected.
awk -v folder=$work/steps '
	/^<!-- transcript -->$/ { within = 1; next }
	/^<!-- end -->$/ { within = 0 }
	!within { next }
	/^```/ { code = !code; next }
	!code { next }
	/^\$ / {
		n++
		print substr($0, 3) >(folder "/" n ".command")
		printf "" >(folder "/" n ".expected")
		next
	}
	n { print >(folder "/" n ".expected") }
	!n { print "a line before the first command: " $0 >(folder "/stray") }
' "$readme"
steps=$(ls $work/steps | grep -c '\.command$')

# One shell for all of them, as a user has: folders and variables stay.
cat >$work/session <<SESSION
cd $work/home
export XDG_RUNTIME_DIR=$work/run
step=0
while [ \$step -lt $steps ]; do
	step=\$((step + 1))
	. $work/steps/\$step.command </dev/null >$work/steps/\$step.said 2>&1
done
SESSION
chown -R user $work
su -s /bin/sh -c "sh $work/session" user

# as_expected N   what was said, against what was to be said as a pattern
as_expected()
{
	awk -v said=$work/steps/$1.said '
		function trimmed(line) { sub(/[ \t\r]+$/, "", line); return line }
		function pattern(line) {
			gsub(/[][\\.^$*+?(){}|\/]/, "\\\\&", line)
			gsub(/\\\.\\\.\\\./, "[^\n]*", line)
			return line
		}
		{
			line = trimmed($0)
			wanted = wanted (line == "..." ? "([^\n]*\n)*" : pattern(line) "\n")
		}
		END {
			while ((getline line <said) > 0)
				text = text trimmed(line) "\n"
			exit !(text ~ "^" wanted "$")
		}
	' $work/steps/$1.expected && return 0
	sed 's/^/# to be said: /' $work/steps/$1.expected
	sed 's/^/# was said:   /' $work/steps/$1.said
	return 1
}

plan $((steps + 2))
check "the README has a transcript, of commands alone" [ "$steps" -ge 10 -a ! -e $work/steps/stray ]
step=0
while [ $step -lt "$steps" ]; do
	step=$((step + 1))
	check "$(tr -d '#' <$work/steps/$step.command)" as_expected $step
done
check "and leaves no machine" [ -z "$(ls -A $work/run/vmrun)" ]
finish

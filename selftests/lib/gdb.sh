# SPDX-License-Identifier: GPL-2.0
#
# What the programs that run Debian's gdb on a stub share (sourced, behind ktap.sh): what it says is in $work/out.

# symbol NAME   its address in the guest, which runs the host's kernel, but where it was linked to
symbol()
{
	awk -v name="$1" '$3 == "_text" { text = $1 } $3 == name { print $1, text; exit }' /proc/kallsyms |
		{ read -r address text && printf '%x' $((0x$address - 0x$text + 0xffffffff81000000)); }
}

start_kernel=$(symbol start_kernel) initcall=$(symbol do_one_initcall) state=$(symbol system_state)

grep -q 'QEMU TCG' /proc/cpuinfo && breakpoints=impossible || breakpoints=possible

# said LINE [FILE]   a beginning of a line in what gdb printed
said()
{
	grep -q "^$1" "${2:-$work/out}"
}

# A step ends at the instruction that the disassembler saw next, but for those that may go elsewhere or stay.
steps_in_order()
{
	awk '/^=>/ { if (next_one != "" && $2 != next_one) wrong = 1
		     good += next_one != ""
		     goes = $3 ~ /^(j|call|ret|rep|loop|iret|sys|in|out|hlt|sti|popf)/ }
	     /^   0x/ { next_one = goes ? "" : $1 }
	     END { exit !(good >= 10 && !wrong) }' $work/out
}

# with_breakpoints NAME PATTERN WHY   a test that TCG's AMD-V cannot pass
with_breakpoints()
{
	if [ $breakpoints = possible ]; then
		check "$1" said "$2"
	else
		skip "$1" "$3"
	fi
}

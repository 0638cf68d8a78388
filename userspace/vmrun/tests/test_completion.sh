#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What shells complete of vmrun's command line, by the files that scripts/vmrun-doc makes of the table of options: commands,
# options, and the names of the machines that vmrun ps lists.

source_file=$(realpath "$0")
top=$(cd "$(dirname "$source_file")/../../.." && pwd)
KVIRT_BUILD=$(cd "$(dirname "$0")/../.." && pwd)
export KVIRT_BUILD
. "$top/selftests/lib/ktap.sh"

work=$(mktemp -d)
trap 'rm -rf $work' EXIT
"$top/scripts/vmrun-doc" completion "$work/made" || exit 1

# In the place of vmrun ps.
mkdir "$work/bin"
cat >"$work/bin/vmrun" <<'VMRUN'
#!/bin/sh
[ "$1" = ps ] && printf 'NAME   STATE    PID\nbuild  running  4711\nweb    ended 0\n'
VMRUN
chmod +x "$work/bin/vmrun"
PATH=$work/bin:$PATH
mkdir "$work/empty" && cd "$work/empty" || exit 1

# bash WORD... WANTED   the last word but one is being typed
in_bash()
{
	local wanted=${!#}

	COMP_WORDS=(vmrun "${@:1:$#-1}")
	COMP_CWORD=$(($# - 1))
	_vmrun
	[ "${COMPREPLY[*]}" = "$wanted" ] && return
	echo "# ${COMP_WORDS[*]}: '${COMPREPLY[*]}', not '$wanted'"
	return 1
}

in_fish()
{
	[ "$(fish -c "source $work/made/vmrun.fish; complete -C '$1'" | cut -f 1 | tr '\n' ' ')" = "$2" ]
}

# _arguments is a part of its line editor; what it would complete machines by is played here.
in_zsh()
{
	zsh -n "$work/made/_vmrun" &&
		[ "$(zsh -fc "
			compadd() { shift; print \$* }
			_arguments() { for spec; do case \$spec in ('*: :{ compadd'*) eval \${\${spec#'*: :{ '}%' }'} ;; esac; done }
			words=(vmrun stop '') CURRENT=3
			source $work/made/_vmrun")" = "build web" ]
}

plan 9
. "$work/made/vmrun"
check "bash completes commands" in_bash sto stop
check "and options of a command" in_bash stop --ti --time
check "and what an option takes" in_bash run --accel k 'kvirt kvm'
check "and names of machines" in_bash stop '' 'build web'
check "as many as a command takes" in_bash stop build --time 3 w web
check "and no more" in_bash logs -f build '' ''
check "the name of an option's value is no command" in_bash --name stop b ''
check "fish completes names of machines" in_fish 'vmrun exec ' 'build web '
check "zsh completes names of machines" in_zsh
finish

# SPDX-License-Identifier: GPL-2.0
#
# KTAP for the test programs that are shell scripts (sourced): plan N, then check for each test, then finish.

ktap_number=0 ktap_failed=0 ktap_plan=0

plan()
{
	ktap_plan=$1
	echo "KTAP version 1"
	echo "1..$1"
}

# check NAME COMMAND...   one test: COMMAND succeeds
check()
{
	ktap_name=$1
	shift
	ktap_number=$((ktap_number + 1))
	if "$@"; then
		echo "ok $ktap_number $ktap_name"
	else
		ktap_failed=$((ktap_failed + 1))
		echo "not ok $ktap_number $ktap_name"
	fi
}

# skip NAME REASON
skip()
{
	ktap_number=$((ktap_number + 1))
	echo "ok $ktap_number $1 # SKIP $2"
}

fails()
{
	! "$@"
}

# within SECONDS COMMAND...   until it succeeds
within()
{
	ktap_tenths=$(($1 * 10))
	shift
	until "$@" 2>/dev/null; do
		ktap_tenths=$((ktap_tenths - 1))
		[ $ktap_tenths -gt 0 ] || return 1
		sleep 0.1
	done
}

finish()
{
	[ "$ktap_failed" -eq 0 ] && [ "$ktap_number" -eq "$ktap_plan" ]
	exit
}

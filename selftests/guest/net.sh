#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A Linux guest in vmrun's network: it fetches a file from the host, and the host one from it.
#
#   net.sh [--tap] [--size KIB] --dev PATH      --tap: over a tap interface, not user networking

. /tests/lib/ktap.sh

dev=/dev/kvirt tap= kib=4096
while [ $# -gt 0 ]; do
	case $1 in
	--tap) tap=1; shift; continue ;;
	--dev) dev=$2 ;;
	--size) kib=$2 ;;
	*) exit 2 ;;
	esac
	shift 2
done

dir=$(mktemp -d)
mkdir -p "$dir/root/bin" "$dir/root/www" "$dir/www"
dd if=/dev/urandom of="$dir/www/down" bs=1k count="$kib" 2>/dev/null
dd if=/dev/urandom of="$dir/root/www/up" bs=1k count="$kib" 2>/dev/null
sum=$(sha256sum <"$dir/www/down")

if [ -n "$tap" ]; then
	network="-n tap=tap0" host=10.9.0.1 serve=10.9.0.1:8000 to_guest=10.9.0.15:80 taken="-n tap=lo"
	modprobe tun
	tunctl -t tap0 >/dev/null
	ip addr add 10.9.0.1/24 dev tap0
	ip link set tap0 up
	address="ip addr add 10.9.0.15/24 dev eth0"
else
	network="-n user,loopback -p 8080:80" host=10.0.2.2 serve=127.0.0.1:8000 to_guest=127.0.0.1:8080 taken="-p 8000:80"
	cat >"$dir/root/bin/lease" <<'END'
#!/bin/sh
[ "$1" != bound ] || { ip addr add "$ip/24" dev "$interface"; ip route add default via "$router"; echo "guest: $ip from $serverid, names by $dns"; }
END
	chmod 755 "$dir/root/bin/lease"
	address="udhcpc -i eth0 -n -q -f -s /bin/lease 2>/dev/null"
fi

cat >"$dir/root/job" <<END
virtio net
ip link set eth0 up
echo "guest: card \$(cat /sys/class/net/eth0/address), link \$(cat /sys/class/net/eth0/carrier), features \$(cat /sys/class/net/eth0/device/features)"
$address
httpd -p 80 -h /www
echo "guest: \$(wget -q -O - http://$host:8000/down | sha256sum)"
# Until the host has had its file.
tries=100
until wget -q -O /dev/null http://$host:8000/finished 2>/dev/null; do [ \$((tries -= 1)) -gt 0 ] && sleep 1 || exit 1; done
END
(cd "$dir/root" && find . | cpio -o -H newc 2>/dev/null) >"$dir/more"
cat /guest/virtio "$dir/more" >"$dir/initramfs"

said()
{
	grep -q "$1" "$dir/out"
}

fetch_up()
{
	tries=100
	until wget -q -O "$dir/up" "http://$to_guest/up" 2>/dev/null; do
		[ $((tries -= 1)) -gt 0 ] && kill -0 "$vmrun" && usleep 300000 || return 1
	done
	cmp "$dir/up" "$dir/root/www/up"
}

# What cannot be had gives one error and a hint, and no machine.
is_refused()
{
	# shellcheck disable=SC2086
	guest --accel "$dev" $taken >"$dir/refused" 2>&1 </dev/null
	[ $? -eq 125 ] && [ "$(grep -c 'vmrun: error: cannot' "$dir/refused")" -eq 1 ] && grep -q '^hint:' "$dir/refused"
}

plan 7
httpd -f -p "$serve" -h "$dir/www" &
server=$!
# shellcheck disable=SC2086
vmrun --accel "$dev" -m 128 -k /guest/vmlinuz -i "$dir/initramfs" $network \
	-a "console=ttyS0 quiet panic=-1 cryptomgr.notests" >"$dir/raw" 2>&1 </dev/null &
vmrun=$!
check "the host fetches a file from the guest" fetch_up
touch "$dir/www/finished"
wait "$vmrun"
status=$?
tr -d '\r' <"$dir/raw" >"$dir/out"
sed 's/^/# /' "$dir/out"
check "vmrun ends with 0 ($status)" [ $status -eq 0 ]
check "the guest has a card" said "^guest: card 52:54:00:.*, link 1"
if [ -n "$tap" ]; then
	# The first bit is CSUM: nobody sums what the host's kernel carries from memory to memory.
	check "it leaves checksums to the interface" said "^guest: card .*, features 1"
else
	check "it gets its address by DHCP" said "^guest: 10.0.2.15 from 10.0.2.2, names by 10.0.2.3"
fi
check "the guest fetches a file from the host" said "^guest: ${sum%% *}"
check "the guest ended in order" said "^guest: job 0"
check "what cannot be had is refused" is_refused
kill "$server"
[ -z "$tap" ] || tunctl -d tap0 >/dev/null
finish

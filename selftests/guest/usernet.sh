#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# User networking as it is without being asked for more: names through the host's resolver at 127.0.0.53, several ports of the
# host's that lead to the guest, streams and datagrams, also after the guest took its card away and back; what of the host's
# 127.0.0.1 the guest does not reach; and a port that somebody else has. guest/net.sh has the host's loopback switched on.
#
#   usernet.sh --dev PATH

. /tests/lib/ktap.sh

dev=/dev/kvirt
[ "$1" = --dev ] && dev=$2
dir=$(mktemp -d) peer=/tests/guest/peer
mkdir -p "$dir/root/bin" "$dir/root/one" "$dir/root/two" "$dir/www"
cp $peer "$dir/root/bin/peer"
echo first >"$dir/root/one/page"
echo second >"$dir/root/two/page"
echo private >"$dir/www/page"

# As systemd-resolved has it; what else listens there, or at 127.0.0.1, is none of the guest's business.
echo "nameserver 127.0.0.53" >/etc/resolv.conf
$peer names 127.0.0.53 there.example 192.0.2.7 &
servers=$!
for address in 127.0.0.1 127.0.0.53; do
	httpd -f -p $address:8000 -h "$dir/www" &
	servers="$servers $!"
done

cat >"$dir/root/bin/lease" <<'END'
#!/bin/sh
[ "$1" != bound ] || { ip addr add "$ip/24" dev "$interface"; ip route add default via "$router"; echo "nameserver $dns" >/etc/resolv.conf; }
END
chmod 755 "$dir/root/bin/lease"
cat >"$dir/root/job" <<'END'
up()
{
	ip link set eth0 up && udhcpc -i eth0 -n -q -f -s /bin/lease >/dev/null 2>&1
	echo "guest: $1: names: $(nslookup there.example | sed -n 's/^Address: //p' | tr '\n' ' ')"
}

virtio net
up first
echo "guest: packets of $(cat /sys/class/net/eth0/mtu) bytes"
nslookup elsewhere.example | grep -q NXDOMAIN && echo "guest: no such name"
ping -c 1 -W 10 10.0.2.2 >/dev/null && echo "guest: its gateway answers"
for address in 10.0.2.2 10.0.2.3; do
	printf 'GET /page HTTP/1.0\r\n\r\n' | nc -w 10 $address 8000 | grep -q private && echo "guest: reaches $address" || echo "guest: refused by $address"
done
# Somebody would have told of a router by now.
echo "guest: IPv6 beyond itself: '$(ip -6 route | grep -v 'fe80\|^multicast')'"
httpd -p 80 -h /one
httpd -p 81 -h /two
peer echo 0.0.0.0 53 &
peer echo 0.0.0.0 54 &
# Until the host has had what it wants.
nc -l -p 99 >/dev/null </dev/null
cd /sys/bus/virtio/drivers/virtio_net
card=$(echo virtio*)
echo "$card" >unbind
[ -e /sys/class/net/eth0 ] || echo "guest: card gone"
echo "$card" >bind
up again
nc -l -p 99 >/dev/null </dev/null
END
(cd "$dir/root" && find . | cpio -o -H newc 2>/dev/null) >"$dir/more"
cat /guest/virtio "$dir/more" >"$dir/initramfs"

said()
{
	tr -d '\r' <"$dir/raw" | grep -q "$1"
}

# try COMMAND...   until it succeeds, while there is a machine
try()
{
	tries=100
	until "$@"; do
		[ $((tries -= 1)) -gt 0 ] && kill -0 "$vmrun" 2>/dev/null && usleep 300000 || return 1
	done
}

page_is()
{
	[ "$(wget -q -O - "http://127.0.0.1:$1/page" 2>/dev/null)" = "$2" ]
}

answer_is()
{
	[ "$($peer ask 127.0.0.1 "$1" "$2")" = "echo: $2" ]
}

# has_told TEXT   the guest has; then it is let go on
has_told()
{
	said "$1" && echo go | nc -w 5 127.0.0.1 8099
}

# refuses ARGUMENT...   no machine comes of it, but one error and a hint
refuses()
{
	before=$(vmrun ps | wc -l)
	guest --accel "$dev" "$@" >"$dir/refused" 2>&1 </dev/null
	status=$?
	sed 's/^/# /' "$dir/refused"
	[ $status -eq 125 ] && [ "$(grep -c 'vmrun: error:' "$dir/refused")" -eq 1 ] && grep -q '^hint:' "$dir/refused" &&
		[ "$(vmrun ps | wc -l)" -eq "$before" ]
}

plan 21
vmrun --accel "$dev" -m 128 -k /guest/vmlinuz -i "$dir/initramfs" --name usernet --rm \
	-p 8080:80 -p 8081:81/tcp -p 127.0.0.1:5301:53/udp -p 5302:54/udp -p 8099:99 \
	-a "console=ttyS0 quiet panic=-1 cryptomgr.notests" >"$dir/raw" 2>&1 </dev/null &
vmrun=$!
check "a port leads to the guest" try page_is 8080 first
check "another one too" try page_is 8081 second
check "datagrams go there and back" answer_is 5301 hello
check "by another port too" answer_is 5302 "hello again"
check "a port that is in use is refused" refuses -p 8070:80 -p 8071:80/udp -p 8080:82
check "it is named" grep -q "cannot listen on 127.0.0.1 port 8080: Address already in use" "$dir/refused"
check "so is one for datagrams" refuses -p 8070:80 -p 5301:82/udp
check "it is named" grep -q "cannot listen on 127.0.0.1 port 5301/udp: Address already in use" "$dir/refused"
check "the machine that has it is well" page_is 8080 first
check "its card is taken away and comes back" try has_told "^guest: IPv6 beyond"
check "the port leads to it still" try page_is 8080 first
check "so does the other for datagrams" answer_is 5302 "and again"
check "the guest is let go" try has_told "^guest: again:"
wait "$vmrun"
status=$?
sed 's/^/# /' "$dir/raw"
check "vmrun ends with 0 ($status)" [ $status -eq 0 ]
check "names come from the host's resolver" said "^guest: first: names: 192.0.2.7 "
check "after the card came back too" said "^guest: again: names: 192.0.2.7 "
check "a name that is not there is none" said "^guest: no such name"
check "packets are large" said "^guest: packets of 16384 bytes"
check "the guest does not reach the host's 127.0.0.1" said "^guest: refused by 10.0.2.2"
check "nor of the resolver's address more than names" said "^guest: refused by 10.0.2.3"
check "there is no IPv6" said "^guest: IPv6 beyond itself: ''"
# shellcheck disable=SC2086
kill $servers
rm -f /etc/resolv.conf
finish

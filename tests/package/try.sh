#!/bin/bash
# try.sh DEBS DIR [SERVER…] - does what docs/deploy.md says, as it stands there, on a fresh Debian with a running systemd (tools/clean_root.sh), once
# for each web server, and times it; then reloads, kills, upgrades, removes and purges. The first thing that is not as it should be ends it.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
set -euo pipefail
cd "$(dirname "$0")/../.."
debs=$(realpath "$1") dir=$(realpath "$2")
shift 2
servers=("$@")
((${#servers[@]})) || servers=(lighttpd apache nginx)
declare -A needs=([lighttpd]="lighttpd lighttpd-mod-deflate" [apache]=apache2 [nginx]=nginx-light)
base=http://localhost/tickgate
pid=

say() {
	printf '%s %s\n' "$(date +%T)" "$*"
}

fail() {
	say "FAILED: $*" >&2
	inside journalctl --no-pager -n 40 -u tickgate -u tickgate-subscriber -u tickgate.socket >&2 || true
	exit 1
}

inside() {
	tools/clean_root.sh in "$pid" "$@"
}

finish() {
	[[ -z $pid ]] || tools/clean_root.sh end "$pid" || true
	pid=
}
trap finish EXIT

# walk SERVER: the commands that docs/deploy.md gives under that mark.
walk() {
	awk -v mark="<!-- walk: $1 -->" '$0 == mark {on = 1; next} on && /^```sh$/ {code = 1; next} on && /^```$/ {exit} on && code' docs/deploy.md
}

# wait_for WHAT COMMAND…: until it succeeds, for at most 30 s.
wait_for() {
	local what=$1 deadline=$((SECONDS + 30))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || fail "$what"
		sleep 0.1
	done
	say "ok: $what"
}

# expect WHAT TEXT COMMAND…: its output has TEXT in it.
expect() {
	local what=$1 text=$2 out
	shift 2
	out=$("$@" 2>&1) || true
	[[ $out == *"$text"* ]] || fail "$what: $text is not in: ${out:0:600}"
	say "ok: $what"
}

healthy() {
	[[ $(inside curl -sS "$base/v1/health") == *'"connected":true'* ]]
}

# follow FILE [ID]: a stream into FILE until it ends; the status comes last.
follow() {
	inside sh -c "curl -sN ${2:+-H 'Last-Event-ID: $2'} -w '\nstatus %{http_code}\n' '$base/v1/stream?kinds=pattern,indicator' > $1" &
}

# Events and ids of a followed file.
last_id() {
	inside sh -c "grep '^id: ' $1 | tail -n 1 | cut -d' ' -f2"
}

install_walk() {
	local server=$1 began=$SECONDS root=$dir/$1
	[[ ! -f $dir/root.tar || -f $root.tar ]] || ln -f "$dir/root.tar" "$root.tar"
	tools/clean_root.sh make "$root"
	[[ -f $dir/root.tar ]] || ln -f "$root.tar" "$dir/root.tar"
	cp "$debs"/tickgate_*.deb "$debs"/tickgate-www_*.deb "$root/root/"
	printf 'APT::Get::Assume-Yes "true";\n' >"$root/etc/apt/apt.conf.d/90yes"
	# shellcheck disable=SC2086,SC2046 # words
	pid=$(tools/clean_root.sh boot "$root" ${needs[$server]} redis-server redis-tools \
		$(cd "$root" && for deb in root/*.deb; do printf '/%s ' "$deb"; done))
	say "$server: a fresh system after $((SECONDS - began)) s"
	began=$SECONDS
	inside sh -ec "cd /root; $(walk "$server")" >"$dir/$server.walk.log" 2>&1 || { tail -n 30 "$dir/$server.walk.log" && fail "the walk for $server"; }
	wait_for "$server: health says that Redis is connected" healthy
	inside sh -ec "$(walk all)" >"$dir/$server.then.log" 2>&1 || fail "what follows the walk"
	say "$server: the walk of docs/deploy.md took $((SECONDS - began)) s"
}

serves() {
	expect "the page" "<title>tickgate</title>" inside curl -sS "$base/"
	expect "no slash leads to the page" 30 inside curl -sS -o /dev/null -w '%{http_code}' "$base"
	follow /tmp/sse
	wait_for "a stream says hello" inside grep -q "^event: hello" /tmp/sse
	inside tickgate-sim --count 500 --rate 0 >/dev/null
	wait_for "events come through it" inside sh -c '[ $(grep -c "^event: " /tmp/sse) -gt 300 ]'
	expect "lists have them" '"count":3' inside curl -sS "$base/v1/indicators?limit=3"
	expect "a symbol with a slash gets through" json inside curl -sS -o /dev/null -w '%{content_type}' "$base/v1/symbols/BTC%2FUSD/patterns"
	expect "JSON is compressed" "content-encoding: gzip" inside sh -c "curl -sS --compressed -D - -o /dev/null '$base/v1/indicators?limit=50' | tr A-Z a-z"
}

confined() {
	expect "the log is the subscriber's, for the web servers to read" "2750 tickgate www-data" inside stat -c '%a %U %G' /var/lib/tickgate
	expect "the socket" "660 tickgate www-data" inside stat -c '%a %U %G' /run/tickgate/fcgi.sock
	expect "the gateway is another user" tickgate-web inside sh -c 'stat -c %U /proc/$(systemctl show -p MainPID --value tickgate)'
	expect "system calls are filtered" "Seccomp:	2" inside sh -c 'cat /proc/$(systemctl show -p MainPID --value tickgate)/status'
	expect "the subscriber's too" "Seccomp:	2" inside sh -c 'cat /proc/$(systemctl show -p MainPID --value tickgate-subscriber)/status'
	expect "the gateway has a network of its own, which is none" other inside sh -c \
		'[ "$(readlink /proc/1/ns/net)" = "$(readlink /proc/$(systemctl show -p MainPID --value tickgate)/ns/net)" ] || echo other'
}

survives() {
	inside systemctl reload tickgate tickgate-subscriber || fail "reload"
	inside systemctl kill -s KILL --kill-whom=main tickgate
	expect "a killed gateway: the next request waits and is answered" '"status":"ok"' inside curl -sS --max-time 5 "$base/livez"
	inside systemctl kill -s KILL --kill-whom=main tickgate-subscriber
	wait_for "a killed subscriber comes back" healthy
	inside systemctl stop redis-server
	wait_for "a Redis that is gone is told" sh -c "[ \"\$(tools/clean_root.sh in $pid curl -sS $base/v1/patterns | grep -c '\"stale\":true')\" = 1 ]"
	inside systemctl start redis-server
	wait_for "and that it is back" healthy
	expect "nothing has failed" "0 loaded units" inside systemctl --failed --no-pager
}

# The same packages as of a later version.
later_packages() {
	local deb unpacked=$dir/later
	rm -rf "$unpacked"
	mkdir -p "$unpacked"
	for deb in "$debs"/tickgate_*.deb "$debs"/tickgate-www_*.deb; do
		dpkg-deb -R "$deb" "$unpacked/tree"
		sed -i 's/^\(Version: .*\)/\1+later/' "$unpacked/tree/DEBIAN/control"
		dpkg-deb --root-owner-group -b "$unpacked/tree" "$1/root/later-$(basename "$deb")" >/dev/null
		rm -rf "$unpacked/tree"
	done
}

upgraded_removed_purged() {
	local server=$1 id root=/proc/$pid/root before
	before=$(inside systemctl show -p MainPID --value tickgate)
	later_packages "$root"
	follow /tmp/before
	wait_for "a follower is there" inside grep -q "^event: hello" /tmp/before
	inside sh -c 'apt install /root/later-*.deb' >"$dir/upgrade.log" 2>&1 || fail "upgrade, see $dir/upgrade.log"
	[[ $(inside systemctl show -p MainPID --value tickgate) != "$before" ]] || fail "the gateway was not restarted"
	wait_for "upgraded, and healthy" healthy
	wait_for "the follower was told bye" inside grep -q "^event: bye" /tmp/before
	expect "with a clean end" "status 200" inside tail -n 1 /tmp/before
	id=$(last_id /tmp/before)
	inside tickgate-sim --count 50 --rate 0 --seed 2 >/dev/null
	follow /tmp/after "$id"
	wait_for "and goes on by its id" inside grep -q "^event: indicator" /tmp/after
	expect "without a reset" "event: hello" inside head -n 5 /tmp/after
	inside apt remove tickgate tickgate-www >"$dir/remove.log" 2>&1 || fail "remove, see $dir/remove.log"
	expect "removed: nothing runs" inactive inside systemctl is-active tickgate.service tickgate.socket tickgate-subscriber.service
	expect "settings stay" tickgate.conf inside ls /etc/tickgate
	expect "the log stays" tickgate.db inside ls /var/lib/tickgate
	case $server in
	lighttpd) inside systemctl restart lighttpd ;;
	apache) inside systemctl restart apache2 ;;
	esac || fail "the web server does not start without tickgate"
	inside apt purge tickgate tickgate-www >"$dir/purge.log" 2>&1 || fail "purge, see $dir/purge.log"
	# lighttpd's list of what is enabled and the journal are not the package's.
	expect "purged: nothing is left" "left: ." inside sh -c \
		'echo "left: $(find / -xdev \( -path /proc -o -path /sys -o -path /root -o -path /tmp -o -path /var/cache -o -path /var/log -o -path /run/systemd \) -prune -o -name "*tickgate*" -print | tr "\n" " ")."'
}

for server in "${servers[@]}"; do
	install_walk "$server"
	serves
	if [[ $server == "${servers[0]}" ]]; then
		confined
		survives
	fi
	[[ $server == nginx ]] || upgraded_removed_purged "$server"
	finish
done
say "all is as it should be"

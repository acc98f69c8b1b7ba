#!/bin/bash
# clean_root.sh - a fresh Debian 12 with a running systemd, without a virtual machine: debootstrap, then systemd as process 1 of
# namespaces of its own. For trying packages as an administrator would. Needs root, and a kernel that lets it make namespaces.
#
#   clean_root.sh make DIR                   debootstraps into DIR, once; DIR.tar keeps it
#   clean_root.sh boot DIR [PACKAGE…]        puts packages into its apt cache, boots; prints the process id to give to `in`
#   clean_root.sh in PID COMMAND…            runs a command inside
#   clean_root.sh end PID                    ends it
#
# The network inside is its own and empty but for loopback, so port 80 is free, and nothing is reached that was not fetched before.
set -euo pipefail

# What every installed Debian has and a minimal root has not; kill(1) reloads services.
packages=(systemd systemd-sysv dbus procps curl ca-certificates)

make_root() {
	local root=$1
	if [[ ! -f $root.tar ]]; then
		debootstrap --variant=minbase bookworm "$root" "${MIRROR:-http://deb.debian.org/debian}" >"$root.log" 2>&1
		cat >"$root/etc/apt/sources.list" <<-LIST
			deb http://deb.debian.org/debian bookworm main
			deb http://deb.debian.org/debian bookworm-updates main
			deb http://deb.debian.org/debian-security bookworm-security main
		LIST
		printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
		cp /etc/resolv.conf "$root/etc/resolv.conf"
		in_chroot "$root" apt-get -q update >>"$root.log" 2>&1
		in_chroot "$root" apt-get -q install -y --no-install-recommends "${packages[@]}" >>"$root.log" 2>&1
		# These would reach for the machine outside.
		local unit
		for unit in systemd-sysctl systemd-modules-load systemd-udevd console-getty; do
			ln -sf /dev/null "$root/etc/systemd/system/$unit.service"
		done
		tar -C "$root" -cf "$root.tar" .
	else
		rm -rf "$root"
		mkdir -p "$root"
		tar -C "$root" -xf "$root.tar"
	fi
}

# in_chroot ROOT COMMAND…: while nothing runs in it.
in_chroot() {
	local root=$1
	shift
	chroot "$root" env -i DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# Becomes systemd in ROOT. pivot_root and not chroot: in a chroot nobody may make user namespaces, which PrivateUsers= does.
become_systemd() {
	local root=$1 device
	mount --make-rprivate /
	mount --bind "$root" "$root"
	cd "$root"
	mount -t proc proc proc
	mount -t sysfs sysfs sys
	mount -t tmpfs tmpfs sys/fs/cgroup 2>/dev/null || true
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount -t tmpfs -o mode=755 tmpfs run
	mount -t tmpfs -o mode=755 tmpfs dev
	for device in null zero full random urandom tty; do
		: >"dev/$device"
		mount --bind "/dev/$device" "dev/$device"
	done
	mkdir dev/shm dev/pts
	mount -t tmpfs -o mode=1777 tmpfs dev/shm
	mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	ip link set lo up
	mkdir -p mnt
	pivot_root . mnt
	umount -l /mnt
	cd /
	exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd systemd.unit=multi-user.target
}

boot() {
	local root=$1 i pid outer
	shift
	(($# == 0)) || in_chroot "$root" apt-get -q install -y --download-only "$@" >>"$root.log" 2>&1
	setsid unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child "$0" become "$root" >>"$root.log" 2>&1 </dev/null &
	outer=$!
	for ((i = 0; i < 300; i++)); do
		pid=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null || true)
		pid=${pid%% *}
		if [[ -n $pid ]] && [[ $(enter "$pid" systemctl is-system-running 2>/dev/null) =~ running|degraded ]]; then
			echo "$pid"
			return
		fi
		sleep 0.1
	done
	echo "clean_root.sh: systemd does not come up in $root; see $root.log" >&2
	return 1
}

enter() {
	local pid=$1
	shift
	nsenter -t "$pid" -m -p -n -i -u -C -r -w env -i HOME=/root TERM=dumb LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

command=$1
shift
case $command in
make) make_root "$(realpath "$1")" ;;
boot) boot "$(realpath "$1")" "${@:2}" ;;
become) become_systemd "$1" ;;
in) enter "$@" ;;
end) kill -9 "$1" ;;
*) exit 2 ;;
esac

#!/bin/busybox sh
# PID 1 of the emulated machine: what every scene begins with. A scene starts a real gate and tries what it promises; each
# check prints one line "HP-CHECK name ok" or "HP-CHECK name FAIL what was seen".
/bin/busybox mkdir -p /usr/bin
/bin/busybox --install -s /usr/bin
export PATH=/bin:/usr/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t cgroup2 none /sys/fs/cgroup
mount -t securityfs none /sys/kernel/security
mount -t tracefs none /sys/kernel/tracing
mount -t bpf none /sys/fs/bpf
mount -t tmpfs none /tmp
ifconfig lo up
dmesg -n 1

check() { # NAME WANTED GOT
	if [ "$2" = "$3" ]; then echo "HP-CHECK $1 ok"; else
		echo "HP-CHECK $1 FAIL wanted '$2', got '$3'"
		[ ! -e /tmp/err ] || cat /tmp/err
	fi
}
has() { # NAME WANTED TEXT
	case $3 in *"$2"*) echo "HP-CHECK $1 ok" ;; *) echo "HP-CHECK $1 FAIL wanted '$2' in '$3'" ;; esac
}
echo "HP-KERNEL $(uname -r) lsm $(cat /sys/kernel/security/lsm)"

scope=/sys/fs/cgroup/test
mkdir -p $scope /precious /run/hp /var/lib/hp
for name in a b c d; do echo data >/precious/$name; done
mkfifo /tmp/ready
end() { # The record and the log, for people; then the machine is off.
	echo "HP-LOG"
	holdpoint events --state /var/lib/hp
	cat /tmp/gate.log
	echo "HP-END"
	poweroff -f
}
start() {
	attempts=0
	while :; do
		holdpointd --scope $scope --instance test --config /etc/holdpoint.yaml --rules /rules --state /var/lib/hp \
			--run /run/hp --pin /sys/fs/bpf/hp --bin /bin --ready-fd 9 "$@" 9>/tmp/ready 2>>/tmp/gate.log &
		gate=$!
		ready=
		read -r ready </tmp/ready
		[ "$ready" = READY ] && return
		attempts=$((attempts + 1))
		# This machine is busy: the judge needs longer than it has for its configuration.
		[ $attempts -lt 4 ] && tail -n 1 /tmp/gate.log | grep -q 'judge did not answer' || end
	done
}
inside() { # ENVIRONMENT SHELL: a session of its own in the scope
	attempts=0
	while :; do
		sh -c "echo 0 >$scope/cgroup.procs; exec holdpoint --run /run/hp run --env $1 -- /bin/dash -c '$2'" 2>/tmp/err
		code=$?
		attempts=$((attempts + 1))
		# 75: this machine is busy, and no session was started.
		[ $code -eq 75 ] && [ $attempts -lt 5 ] || return $code
	done
}
until_seen() { # COMMAND...: again and again until it succeeds; for two minutes of this machine at most
	seen_until=$(($(cut -d. -f1 /proc/uptime) + 120))
	while ! "$@" >/dev/null 2>&1; do
		[ "$(cut -d. -f1 /proc/uptime)" -lt $seen_until ] || { echo "HP-SAYS never seen: $*"; return 1; }
	done
}
held() { holdpoint --run /run/hp holds --json | grep '"held"'; }
held_ticket() { holdpoint --run /run/hp holds --json | grep '"held"' | sed 's/.*"ticket":"\([^"]*\)".*/\1/'; }
held_or_over() { held >/dev/null || ! kill -0 $holder; }
up() { cut -d. -f1 /proc/uptime; } # seconds on the boot clock
holds=0
hold() { # A session in the background whose removal of $file is held since $began; it will say what became of it in /tmp/held.
	attempts=0
	while [ $attempts -lt 5 ]; do
		attempts=$((attempts + 1))
		holds=$((holds + 1))
		file=/precious/held-$holds
		echo data >$file
		began=$(up)
		inside staging "rm $file; echo rc=\$?" >/tmp/held &
		holder=$!
		until_seen held_or_over
		held >/dev/null && return 0
		# The judge had no time on this machine, and the fail mode has decided.
	done
}
disk() { # Something on /disk whose ctime can be believed, which that of a file in memory can't.
	for name in $(cat /modules/order); do [ ! -e /modules/$name.ko ] || insmod /modules/$name.ko; done
	mkdir -p /disk
	mount -o loop -t ext4 /disk.img /disk
}
asked() { holdpoint --run /run/hp status --json | grep -o '"exec_asked":[0-9]*' | cut -d: -f2; }
recorded() { holdpoint events --state /var/lib/hp --json | grep -q "$1"; } # PATTERN

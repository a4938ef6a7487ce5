#!/bin/busybox sh
# PID 1 of the emulated machine: starts a real gate and tries what it promises. Each check prints one line
# "HP-CHECK name ok" or "HP-CHECK name FAIL what was seen".
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
start() {
	holdpointd --scope $scope --instance test --config /etc/holdpoint.yaml --rules /rules --state /var/lib/hp \
		--run /run/hp --pin /sys/fs/bpf/hp --bin /bin --ready-fd 9 "$@" 9>/tmp/ready 2>>/tmp/gate.log &
	gate=$!
	read -r ready </tmp/ready
}
inside() { # ENVIRONMENT SHELL: a session of its own in the scope
	sh -c "echo 0 >$scope/cgroup.procs; exec holdpoint --run /run/hp run --env $1 -- /bin/dash -c '$2'" 2>/tmp/err
}

start
check ready READY "$ready"
[ "$ready" = READY ] || { cat /tmp/gate.log; poweroff -f; }
holdpoint --run /run/hp status
holdpoint --run /run/hp doctor

check refused rc=126 "$(inside staging 'rm /precious/a; echo rc=$?')"
has told "holdpoint: " "$(cat /tmp/err)"
check refused-kept data "$(cat /precious/a 2>&1)"
check neighbour rc=0 "$(inside staging 'cat /etc/passwd >/dev/null; echo rc=$?')"
check label-orphan rc=126 "$(inside staging '(rm /precious/a; echo rc=$?) & wait')"

# A session of root turns on the gate: denied by LSM, which all of these kernels have.
check tamper-kill rc=1 "$(inside staging "kill -9 $gate; echo rc=\$?")"
check tamper-told 1 "$(holdpoint events --state /var/lib/hp --json | grep -c '; denied')"

rm /precious/b
check outside-not-gated "" "$(ls /precious | grep b)"

# Nothing listens there: a connect that is let through fails in another way.
has connect-refused "not permitted" "$(inside staging 'nc -w 3 127.0.9.1 5432'; cat /tmp/err)"
has connect-neighbour "onnection refused" "$(inside production 'nc -w 3 127.0.9.1 5432'; cat /tmp/err)"

# A held task under a storm of SIGCONT: it may die, it may not run.
holdpoint --run /run/hp sessions >/dev/null
inside staging 'exec rm /precious/c' &
holder=$!
i=0
while [ $i -lt 3000 ]; do
	for pid in $(cat $scope/cgroup.procs); do kill -CONT $pid 2>/dev/null; done
	i=$((i + 50))
done
wait $holder
check storm-kept data "$(cat /precious/c 2>&1)"

# The gate is killed while it holds: the held task ends, and a protected environment fails closed at once.
inside staging 'rm /precious/d; echo rc=$?' >/tmp/held &
holder=$!
tries=0
while ! holdpoint --run /run/hp holds --json | grep -q '"held"' && [ $tries -lt 500 ]; do tries=$((tries + 1)); done
kill -9 $gate
wait $holder
check gate-killed-held rc=137 "$(cat /tmp/held)"
check gate-killed-kept data "$(cat /precious/d 2>&1)"
start
check restarted READY "$ready"
has verified "" "$(holdpoint verify --state /var/lib/hp 2>&1)"
holdpoint verify --state /var/lib/hp >/dev/null 2>&1
check verify-exit 0 $?

start_rungs=$(grep -c "info:" /tmp/gate.log)
kill $gate
wait $gate
check stopped 0 $?
check no-pins-left "" "$(ls /sys/fs/bpf/hp 2>/dev/null)"
echo "HP-LOG"
holdpoint events --state /var/lib/hp
cat /tmp/gate.log
echo "HP-END $start_rungs"
poweroff -f

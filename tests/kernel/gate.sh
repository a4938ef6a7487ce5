# What the gate promises, on this kernel.
start
check ready READY "$ready"
holdpoint --run /run/hp status
holdpoint --run /run/hp doctor

check refused rc=126 "$(inside staging 'rm /precious/a; echo rc=$?')"
has told "holdpoint: " "$(cat /tmp/err)"
check refused-kept data "$(cat /precious/a 2>&1)"
check neighbour rc=0 "$(inside staging 'cat /etc/passwd >/dev/null; echo rc=$?')"
check label-orphan rc=126 "$(inside staging '(rm /precious/a; echo rc=$?) & wait')"

# A credential is read: who did it is in the record. It is read when it is watched.
echo secret >/tmp/deploy-token
mkfifo /tmp/go
watched() { holdpoint --run /run/hp status --json | grep -q '[^0-9]1 watched'; }
inside staging 'read -r x </tmp/go; cat /tmp/deploy-token' >/tmp/said &
reader=$!
until_seen watched && echo >/tmp/go
wait $reader
check credential-there secret "$(cat /tmp/said)"
until_seen recorded '"credential_read"'
check credential-read ok "$(recorded '"credential_read".*/bin/cat.*deploy-token' && echo ok)"

# What was seen once and has nothing of a rule in its arguments is not asked about again.
disk
inside staging '/disk/printf x >/dev/null'
before=$(asked)
check triage-runs rc=0 "$(inside staging 'i=0; while [ $i -lt 20 ]; do /disk/printf x >/dev/null || exit; i=$((i + 1)); done; echo rc=$?')"
asked_of_20=$(($(asked) - before))
echo "HP-SAYS asked about $asked_of_20 of 20"
check triage ok "$([ $asked_of_20 -lt 10 ] && echo ok || echo $asked_of_20 of 20 were asked about)"

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
hold
kill -9 $gate
wait $holder
check gate-killed-held rc=137 "$(cat /tmp/held)"
check gate-killed-kept data "$(cat $file 2>&1)"
start
check restarted READY "$ready"
has verified "" "$(holdpoint verify --state /var/lib/hp 2>&1)"
holdpoint verify --state /var/lib/hp >/dev/null 2>&1
check verify-exit 0 $?

kill $gate
wait $gate
check stopped 0 $?
check no-pins-left "" "$(ls /sys/fs/bpf/hp 2>/dev/null)"
end

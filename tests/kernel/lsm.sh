# Rows of docs/bypasses.md that need BPF LSM. The session is root's.
told() { holdpoint events --state /var/lib/hp --json | grep '"tamper"' | grep -c "$1"; } # PATTERN
alive() { holdpoint --run /run/hp status >/dev/null && echo alive; }
start
check ready READY "$ready"
has rung "denied by LSM" "$(holdpoint --run /run/hp doctor | tr -s ' ')"
judge=$(pidof holdpoint-judge)
warden=$(pidof holdpoint-warden)

# Signals.
for signal in TERM USR2 HUP STOP KILL; do
	check "gate-$signal" rc=1 "$(inside staging "kill -$signal $gate; echo rc=\$?")"
done
check judge-KILL rc=1 "$(inside staging "kill -KILL $judge; echo rc=\$?")"
check warden-STOP rc=1 "$(inside staging "kill -STOP $warden; echo rc=\$?")"
check signals-told 7 "$(told 'signal .*; denied')"
check signals-alive "alive $judge $warden" "$(alive) $(pidof holdpoint-judge) $(pidof holdpoint-warden)"
check signals-own rc=137 "$(inside staging 'sleep 100 & kill -9 $!; wait $!; echo rc=$?')"
kill -HUP $gate # from outside: it obeys
until_seen recorded '"generation":2'
check signals-outside 0 $?

# ptrace and memory.
check gate-ptrace "Operation not permitted" "$(inside staging "deed ptrace $gate")"
check judge-mem "Operation not permitted" "$(inside staging "deed mem $judge" | sed 's/Permission denied/Operation not permitted/')"
has ptrace-told "ptrace to process $gate; denied" "$(holdpoint events --state /var/lib/hp --json)"
check ptrace-own done "$(inside staging 'sleep 100 & deed ptrace $!; kill -9 $!')"
check ptrace-outside done "$(deed mem $judge)"

# bpf(2).
check maps "opened none, denied some" "$(inside staging 'deed maps')"
check progs "opened none, denied some" "$(inside staging 'deed progs')"
pinned=$(find /sys/fs/bpf/hp -name hp_sessions)
check pinned "Operation not permitted" "$(inside staging "deed get $pinned")"
has bpf-told "map or program of Holdpoint opened; denied" "$(holdpoint events --state /var/lib/hp --json)"
check bpf-own done "$(inside staging 'deed own')"
check bpf-outside "opened some, denied none" "$(deed maps)"

# Pins: removed, told, put back.
pins=$(find /sys/fs/bpf/hp -type f | wc -l)
check unpin done "$(inside staging 'deed unpin /sys/fs/bpf/hp')"
all_back() { [ "$(find /sys/fs/bpf/hp -type f | wc -l)" -ge "$pins" ]; }
until_seen all_back
check unpin-back 0 $?
until_seen told 'pins were removed'
check unpin-told 0 $?

# What is held is out of everybody's reach but the gate's, also of root outside.
hold
pid=$(holdpoint --run /run/hp holds --json | grep '"held"' | sed 's/.*"pid":\([0-9]*\).*/\1/')
kill -CONT "$pid" 2>/dev/null
check held-cont 1 $?
check held-cont-session rc=1 "$(inside staging "kill -CONT $pid; echo rc=\$?")"
check held-mem "Operation not permitted" "$(deed mem "$pid" | sed 's/Permission denied/Operation not permitted/')"
check held-ptrace "Operation not permitted" "$(deed ptrace "$pid")"
sleep 1000 &
kill -CONT $!
check held-neighbour "0 done" "$? $(deed mem $!)"
kill -9 $!
held >/dev/null
check held-still 0 $?
kill -9 "$pid"
wait $holder
check held-ended rc=137 "$(cat /tmp/held)"
check held-kept data "$(cat $file 2>&1)"

holdpoint verify --state /var/lib/hp >/dev/null 2>&1
check verify 0 $?
end

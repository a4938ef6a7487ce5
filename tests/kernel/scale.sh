# 100,000 labelled processes: more than a small host's pids. 50 sessions with 2,000 each and a refusal.
sessions=50 each=2000
echo 400000 >/proc/sys/kernel/pid_max
echo 400000 >/proc/sys/kernel/threads-max
says() { echo "HP-SAYS $(cut -d' ' -f1 /proc/uptime) s: $*"; }
resident() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$gate/status; }
labels_are() { check "$1" "{\"labelled\": $2, \"sessions\": $3, \"wrong\": 0, \"missing\": 0, \"outside\": 0}" \
	"$(echo $leaders | labels /sys/fs/bpf/hp/v1/maps/hp_task 2>&1)"; }
status_of() { holdpoint --run /run/hp status --json | sed "s/.*\"$1\":\([0-9]*\).*/\1/"; } # KEY
start
check ready READY "$ready"
says "gate $(resident) kB"
mkfifo /tmp/go
exec 8<>/tmp/go
leaders=
i=0
while [ $i -lt $sessions ]; do
	i=$((i + 1))
	echo data >/precious/x$i
	sh -c "echo 0 >$scope/cgroup.procs; exec holdpoint --run /run/hp run --env staging -- /bin/crowd $each 100 /precious/x$i" \
		</tmp/go >/tmp/up 2>/tmp/err 8<&- &
	leaders="$leaders $!"
	until_seen grep up /tmp/up || break
done
says "$sessions sessions of $each processes, gate $(resident) kB"
check started $sessions $i
labels_are labels $((sessions * each)) $sessions
says "every label looked at"
check sessions $sessions "$(status_of sessions)"
check tickets $sessions "$(status_of tickets)"
check label-failed 0 "$(status_of label_failed)"
says "status twice"
check refused rc=126 "$(inside staging 'rm /precious/a; echo rc=$?')"
says "one more session, refused"
first=$(holdpoint --run /run/hp sessions --json | head -n 1 | sed 's/.*"id":"\([^"]*\)".*/\1/')
has killed "$each processes ended" "$(holdpoint --run /run/hp kill $first 2>&1)"
says "a session of $each killed, gate $(resident) kB"
check resident 1 $(($(resident) < 131072))
exec 8>&-
none() { [ "$(status_of sessions)" = 0 ]; }
until_seen none
check ended 0 "$(status_of sessions)"
says "every session ended, gate $(resident) kB"
leaders=
labels_are labels-after 0 0
holdpoint verify --state /var/lib/hp >/dev/null 2>&1
check verify 0 $?
end

# The wall clock is set, and the machine sleeps, while something is held and a ticket is open. A hold lasts 30 s here.
hold_s=30
state_of() { holdpoint --run /run/hp holds --json | grep "\"$1\"" | sed 's/.*"state":"\([a-z]*\)".*/\1/'; } # TICKET
newest() { holdpoint --run /run/hp holds --json | tail -n 1 | sed 's/.*"ticket":"\([^"]*\)".*/\1/'; }
is() { [ "$(state_of "$1")" = "$2" ]; } # TICKET STATE
newer() { [ "$(newest)" != "$known" ]; }
ask() { # A connect that is refused and leaves an open ticket.
	known=$(newest)
	inside staging 'nc -w 3 127.0.9.1 5432' 2>/dev/null
	until_seen newer
	open_ticket=$(newest)
}
ran_out() { # NAME: it was refused by the boot clock, and not before its time
	wait $holder
	check "$1-refused" "rc=126 data" "$(cat /tmp/held) $(cat $file 2>&1)"
	[ $(($(up) - began)) -ge $hold_s ]
	check "$1-in-time" 0 $?
}

mkfifo /tmp/word
start
check ready READY "$ready"
inside staging 'nc -w 3 127.0.9.1 1' 2>/dev/null # nc is known from here on

# A day forward: the ticket has run out, the hold has not.
ask
hold
ticket=$(held_ticket)
date -s "@$(($(date +%s) + 86400))" >/dev/null
until_seen is "$open_ticket" expired
check forward-ticket expired "$(state_of "$open_ticket")"
check forward-hold held "$(state_of "$ticket")"
until_seen recorded '"clock set".*by 2[34]h'
check forward-told 0 $?
ran_out forward

# Two days back: the ticket stays open, the hold ends all the same.
ask
hold
date -s "@$(($(date +%s) - 172800))" >/dev/null
until_seen recorded '"clock set".*by -4[78]h'
check back-told 0 $?
ran_out back
check back-ticket open "$(state_of "$open_ticket")"

# A sleep past the end of the hold.
inside production 'echo up >/tmp/up; read x; rm /precious/d; echo rc=$?' </tmp/word >/tmp/stale &
staleness=$!
exec 8>/tmp/word
until_seen test -e /tmp/up
hold
before=$(up)
echo 0 >/sys/class/rtc/rtc0/wakealarm
echo +$((hold_s + 10)) >/sys/class/rtc/rtc0/wakealarm
echo mem >/sys/power/state
check sleep-slept 0 $?
[ $(($(up) - before)) -ge $hold_s ]
check sleep-boot-clock 0 $?
ran_out sleep
until_seen recorded '"resumed"'
check sleep-told 0 $?
check sleep-ticket open "$(state_of "$open_ticket")"

# With a gate that does not run the heartbeat is stale after a sleep, and what is protected fails closed; then it ends.
kill -STOP $gate
echo 0 >/sys/class/rtc/rtc0/wakealarm
echo +4 >/sys/class/rtc/rtc0/wakealarm
echo mem >/sys/power/state
echo go >&8
wait $staleness
check stale-closed rc=137 "$(cat /tmp/stale)"
kill -CONT $gate
check stale-ended rc=126 "$(inside production 'rm /precious/d; echo rc=$?')"
check stale-neighbour rc=0 "$(inside production 'cat /etc/passwd >/dev/null; echo rc=$?')"

check kept data "$(cat /precious/d 2>&1)"
check nothing-released 0 "$(holdpoint events --state /var/lib/hp --json | grep -c '"what":"released"')"
holdpoint verify --state /var/lib/hp
check verify 0 $?
end

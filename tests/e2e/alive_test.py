"""The parts of Holdpoint are killed, stopped, starved and replaced. docs/staying-alive.md is the table of these."""

import os
import pathlib
import signal
import subprocess
import unittest

from e2e import case, gate

setUpModule = case.enter


class StoppedNotTraced(case.GateCase):
    """The kernel has stopped a task, and the gate goes before it takes the task."""

    def stopped_and_unseen(self, environment='production', shell=None):
        """A session whose rm the kernel stopped while the gate could not look."""
        session = self.waiting(shell or f'rm {self.precious}/a; echo rc=$?', environment)
        self.gate.process.send_signal(signal.SIGSTOP)
        session.proceed()
        return session, self.await_stopped()

    def test_it_ends_with_the_gate_and_nothing_of_it_runs(self):
        session, _ = self.stopped_and_unseen()
        self.gate.kill()
        self.assertEqual(self.finish(session.process)[1], 'rc=137\n')
        self.assertTrue((self.precious / 'a').exists())

    def test_in_an_open_environment_too_as_nobody_knows_what_the_verdict_would_have_been(self):
        session, _ = self.stopped_and_unseen('staging')
        self.gate.kill()
        self.assertEqual(self.finish(session.process)[1], 'rc=137\n')
        self.assertTrue((self.precious / 'a').exists())

    def test_what_a_person_stopped_in_the_session_is_left_alone(self):
        # Only once it sleeps: stopped before its exec, that exec would be the one that nobody answers.
        session = self.waiting(f'sleep 1000 & until grep -q sleep /proc/$!/wchan; do :; done; kill -STOP $!; rm {self.precious}/a; echo rc=$?; kill -CONT $!; '
                               f'kill -0 $! && echo there; kill -9 $!', 'production')
        session.proceed()
        self.gate.await_hold()
        self.gate.kill()
        self.assertEqual(self.finish(session.process)[1], 'rc=137\nthere\n')

    def test_the_restarted_gate_tells_what_became_of_it(self):
        session, stopped = self.stopped_and_unseen()
        self.gate.kill()
        self.finish(session.process)
        self.gate.start()
        event = self.gate.await_event(lambda e: e['type'] == 'outcome' and e['outcome']['what'] == 'killed')
        self.assertIn('held when the gate ended', event['outcome']['detail'])
        self.assertEqual(event['outcome']['process']['tgid'], stopped[0])
        self.assertEqual(self.gate.cli('verify').returncode, 0)


class StoppedNotTracedWithoutIterator(StoppedNotTraced):
    FLAGS = ('--without', 'iterator')


class WardenGone(case.GateCase):
    def warden(self):
        return case.children(self.gate.process.pid).get('holdpoint-warde', [None])[0]

    def test_another_one_stands_by_and_it_is_in_the_record(self):
        first = self.warden()
        os.kill(first, signal.SIGKILL)
        self.until('another warden', lambda: self.warden() not in (None, first))
        self.gate.await_event(lambda e: e['type'] == 'daemon' and e['daemon']['state'] == 'warden restarted')

    def test_both_gone_what_is_stopped_stays_stopped_and_ends_when_a_gate_comes(self):
        session = self.waiting(f'rm {self.precious}/a; echo rc=$?', 'production')
        warden = self.warden()
        self.gate.process.send_signal(signal.SIGSTOP)
        session.proceed()
        self.await_stopped()
        os.kill(warden, signal.SIGKILL)
        self.gate.kill()
        self.assertTrue(self.stopped())
        self.gate.start()
        self.assertEqual(self.finish(session.process)[1], 'rc=137\n')
        self.assertTrue((self.precious / 'a').exists())

    def test_it_ends_with_a_gate_that_stops_in_good_order(self):
        warden = os.pidfd_open(self.warden())
        self.addCleanup(os.close, warden)
        self.assertEqual(self.gate.stop(), 0)
        self.until('its end', lambda: case.ended(warden))


class Wedged(case.GateCase):
    """Alive, but it does nothing: its heartbeat gets old."""
    FLAGS = ('--wedged-ms', '2000')

    def test_what_it_holds_ends_and_new_execs_get_the_fail_mode(self):
        held = self.session(f'rm {self.precious}/a; echo rc=$?; rm {self.precious}/b; echo rc=$?', 'production')
        self.gate.await_hold()
        self.gate.process.send_signal(signal.SIGSTOP)
        # The second rm comes when nobody beats any more.
        self.assertEqual(self.finish(held)[1], 'rc=137\nrc=137\n')
        self.assertEqual(self.gate.process.wait(timeout=case.BOUND), -signal.SIGKILL)
        self.assertTrue((self.precious / 'a').exists() and (self.precious / 'b').exists())

    def test_a_gate_that_beats_is_left_alone_however_long_it_holds(self):
        held = self.session(f'rm {self.precious}/a; echo rc=$?', 'production')
        row = self.gate.await_hold()
        beats = [self.gate.lines('status')[0]['uptime_s']]
        self.until('three seconds of its life', lambda: self.gate.lines('status')[0]['uptime_s'] >= beats[0] + 3)
        self.gate.decide('approve', row['ticket'], case.DANA)
        self.assertEqual(self.finish(held)[1], 'rc=0\n')


# Stands between the gate and the judge, and dies over one word, as the judge would over an input that it has a fault for.
FRAGILE_JUDGE = r'''#!/usr/bin/python3 -ISEB
import os, select, socket, subprocess
gate = socket.socket(fileno=os.dup(3))
ours, theirs = socket.socketpair(socket.AF_UNIX, gate.type)
os.dup2(theirs.fileno(), 3)
judge = subprocess.Popen(["%s"], pass_fds=(3,), close_fds=True)
theirs.close()
os.close(3)
while True:
    for end in select.select([gate, ours], [], [])[0]:
        data, fds, _, _ = socket.recv_fds(end, 1 << 20, 8)
        if not data:
            raise SystemExit
        seen = data + b"".join(os.pread(fd, 1 << 24, 0) for fd in fds)
        if end is gate and b"the-fatal-word" in seen:
            judge.kill()
            os.abort()
        socket.send_fds(ours if end is gate else gate, [data], fds)
        for fd in fds:
            os.close(fd)
'''


def asked(text):
    """Prints the text, by a program that no triage in the kernel passes."""
    return f'/usr/bin/python3 -c "import sys; sys.stdout.write(\'{text}\')"'


class Judge(case.GateCase):
    HOLD_MS = 1

    def judge(self):
        return case.children(self.gate.process.pid)['holdpoint-judge'][0]

    def test_killed_what_comes_meanwhile_gets_an_answer_and_another_one_is_there(self):
        session = self.waiting(f'rm {self.precious}/a; echo rc=$?', 'production')
        os.kill(self.judge(), signal.SIGKILL)
        session.proceed()
        self.assertEqual(self.finish(session.process)[1], 'rc=126\n')
        self.gate.await_event(lambda e: e['type'] == 'daemon' and e['daemon']['state'] == 'judge restarted')
        self.assertTrue(self.gate.lines('status')[0]['judge']['alive'])
        self.assertTrue((self.precious / 'a').exists())

    def stuck(self, environment):
        session = self.waiting(f'{asked(f"x{environment}")}; echo rc=$?', environment)
        os.kill(self.judge(), signal.SIGSTOP)
        session.proceed()
        return self.finish(session.process)

    def test_stopped_a_protected_environment_refuses(self):
        _, out, err = self.stuck('production')
        self.assertEqual(out, 'rc=126\n', err)

    def test_stopped_another_environment_passes_and_it_is_in_the_record(self):
        _, out, err = self.stuck('staging')
        self.assertEqual(out, 'xstagingrc=0\n', err)
        self.gate.await_event(lambda e: e['type'] == 'exec' and
                              e['exec'].get('judgement', {}).get('rule') == 'fail-mode')

    def test_stopped_for_long_it_is_ended_and_another_one_answers(self):
        first = self.judge()
        session = self.waiting(f'while [ ! -e stop ]; do {asked("x")}; done; :', 'production')
        os.kill(first, signal.SIGSTOP)
        session.proceed()
        self.until('another judge', lambda: self.judge_or_none() not in (None, first))
        (self.world.workspace / 'stop').touch()
        self.assertEqual(self.finish(session.process)[0], 0)

    def judge_or_none(self):
        return case.children(self.gate.process.pid).get('holdpoint-judge', [None])[0]


class JudgeThatOneInputEnds(case.GateCase):
    HOLD_MS = 1

    def programs(self):
        folder = self.world.root / 'fragile'
        folder.mkdir()
        for program in gate.binaries().iterdir():
            if program.name != 'holdpoint-judge':
                (folder / program.name).symlink_to(program)
        shim = folder / 'holdpoint-judge'
        shim.write_text(FRAGILE_JUDGE % (gate.binaries() / 'holdpoint-judge'), encoding='ascii')
        shim.chmod(0o755)
        return folder

    def attempts(self, environment):
        """Five times what ends the judge, and once what does not."""
        # The word itself is not in what starts the session.
        return self.finish(self.session(
            f'w=fatal; for i in 1 2 3 4 5; do {asked("the-$w-word")}; echo rc=$?; done; rm {self.precious}/a; echo rc=$?', environment))

    def quarantined(self):
        return [e for e in self.gate.events()
                if e['type'] == 'daemon' and e['daemon']['state'] == 'judge input quarantined']

    def test_it_ends_one_judge_only_and_the_fail_mode_refuses_it(self):
        _, out, err = self.attempts('production')
        self.assertEqual(out, 'rc=126\n' * 6, err)
        self.assertEqual(len(self.quarantined()), 1)
        self.assertEqual(self.gate.lines('status')[0]['judge']['restarts'], 1)

    def test_in_an_open_environment_the_fail_mode_passes_it_and_others_are_judged(self):
        _, out, err = self.attempts('staging')
        self.assertEqual(out.count('the-fatal-word'), 5, err)
        self.gate.await_event(lambda e: e['type'] == 'daemon' and e['daemon']['state'] == 'judge restarted')
        self.assertEqual(self.finish(self.session(f'rm {self.precious}/b; echo rc=$?'))[1], 'rc=126\n')
        self.assertEqual(len(self.quarantined()), 1)
        self.assertTrue((self.precious / 'b').exists())


# Says that it is there, waits for a word, and then starts ARGV[1] children: of itself, or of the program ARGV[2].
FLOOD = r'''
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
    static char big[4000], word[8];
    int status, killed = 0;
    memset(big, 'x', sizeof(big) - 1);
    if (write(1, "ready\n", 6) != 6 || read(0, word, sizeof(word)) < 1) return 1;
    for (int i = atoi(argv[1]); i > 0; i--) {
        if (vfork() == 0) {
            if (argc > 2) execl(argv[2], argv[2], big, (char *)0);
            _exit(0);
        }
        wait(&status);
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    printf("killed %d\n", killed);
    return 0;
}
'''.replace('<stdio.h>', '<signal.h>\n#include <stdio.h>')


class RingsFull(case.GateCase):
    """Nobody takes anything out of the rings while a session goes on."""

    def flood(self, count, *program):
        """What a flood without a gate says of itself; then there is a gate again."""
        flood = self.compiled('flood', FLOOD)
        session = self.session(f'exec {flood} {count} ' + ' '.join(map(str, program)), 'production', stdin=subprocess.PIPE)
        self.assertEqual(session.stdout.readline(), 'ready\n')
        self.gate.kill()
        out = session.communicate('go\n', timeout=case.BOUND)[0]
        self.gate.start()
        return out

    def ring_losses(self):
        return {loss['reason']: loss['count'] for loss in self.losses() if loss['stage'] == 'ring'}

    def await_loss(self):
        self.gate.await_event(lambda e: e['type'] == 'loss' and e['loss']['stage'] == 'ring')
        self.assertEqual(self.gate.cli('verify').returncode, 0)
        return self.ring_losses()

    def test_lost_ordinary_events_are_counted_and_nothing_waited_for_the_ring(self):
        self.assertEqual(self.flood(80000), 'killed 0\n')
        losses = self.await_loss()
        self.assertEqual(list(losses), ['ordinary ring full'])
        self.assertLess(losses['ordinary ring full'], 80001)

    def test_lost_urgent_events_are_kills_all_the_same(self):
        victim = self.compiled('victim', 'int main(void) { return 0; }')
        self.assertEqual(self.flood(600, victim), 'killed 600\n')
        losses = self.await_loss()
        self.assertEqual(list(losses), ['urgent ring full, the act was killed'])
        killed = [o for o in self.outcomes() if o['what'] == 'killed' and 'not alive' in o['detail']]
        self.assertEqual(len(killed) + sum(losses.values()), 600)

    def test_what_fits_is_no_loss(self):
        self.assertEqual(self.flood(100), 'killed 0\n')
        self.finish(self.session('true'))
        self.assertEqual(self.ring_losses(), {})


class Memory(case.GateCase):
    def test_killed_for_want_of_memory_it_is_as_if_it_was_killed(self):
        group, limit = self.memory_group()
        pid = self.gate.process.pid
        session = self.session(f'rm {self.precious}/a; echo rc=$?', 'production')
        self.gate.await_hold()
        (group / 'cgroup.procs').write_text(str(pid))
        pathlib.Path(f'/proc/{pid}/oom_score_adj').write_text('1000')
        hog = subprocess.Popen(['/bin/sh', '-c', f'echo 0 > {group}/cgroup.procs; read x; exec /usr/bin/python3 -c '
                                '"x = bytearray(1 << 28); print(len(x))"'], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit.write_text(str(48 << 20))
        hog.communicate(b'go\n')
        self.assertEqual(self.gate.process.wait(timeout=case.BOUND), -signal.SIGKILL)
        self.assertEqual(self.finish(session)[1], 'rc=137\n')
        self.assertTrue((self.precious / 'a').exists())
        self.gate.start()
        self.assertEqual(self.gate.cli('verify').returncode, 0)

    def memory_group(self):
        root = pathlib.Path('/sys/fs/cgroup/memory')
        group, limit = root / f'hp-alive-{os.getpid()}', 'memory.limit_in_bytes'
        if not root.is_dir():  # one hierarchy for all
            group, limit = self.world.scope.path.parent / f'hp-alive-{os.getpid()}', 'memory.max'
            (group.parent / 'cgroup.subtree_control').write_text('+memory')
        group.mkdir()
        self.addCleanup(group.rmdir)
        return group, group / limit


class Upgrade(case.GateCase):
    def test_sessions_go_on_and_what_is_held_is_refused_with_a_text(self):
        held = self.session(f'rm {self.precious}/a; echo rc=$?; read x < {self.fifo()}; rm {self.precious}/b; echo rc=$?')
        self.gate.await_hold()
        before = [row['id'] for row in self.gate.lines('sessions')]
        self.gate.process.send_signal(signal.SIGUSR2)
        self.assertEqual(self.gate.process.wait(timeout=case.BOUND), 0)
        self.assertEqual(held.stdout.readline(), 'rc=126\n')
        self.gate.start()
        self.assertEqual([row['id'] for row in self.gate.lines('sessions')], before)
        self.open_fifo()
        row = self.gate.await_hold()  # The label is still there, and the new gate acts on it.
        self.gate.decide('deny', row['ticket'], case.DANA)
        _, out, err = self.finish(held)
        self.assertEqual(out, 'rc=126\n')
        self.assertIn('the gate is being replaced', err)
        self.assertIn('handing over', self.daemon_states())
        self.assertEqual(self.gate.cli('verify').returncode, 0)

    def test_between_two_gates_a_protected_environment_is_closed_and_another_one_open(self):
        closed = self.waiting(f'rm {self.precious}/a; echo rc=$?', 'production')
        opened = self.waiting(f'rm {self.precious}/b; echo rc=$?', 'staging')
        self.gate.process.send_signal(signal.SIGUSR2)
        self.gate.process.wait(timeout=case.BOUND)
        for session in (closed, opened):
            session.proceed()
        self.assertEqual(self.finish(closed.process)[1], 'rc=137\n')
        self.assertEqual(self.finish(opened.process)[1], 'rc=0\n')
        self.gate.start()
        killed = self.gate.await_event(lambda e: e['type'] == 'outcome' and e['outcome']['what'] == 'killed')
        self.assertIn('not alive', killed['outcome']['detail'])
        self.gate.await_event(lambda e: e['type'] == 'loss' and e['loss']['reason'] == 'passed without a gate')

    def test_a_stop_takes_every_program_away_and_the_session_is_free(self):
        session = self.waiting(f'rm {self.precious}/a; echo rc=$?', 'production')
        self.assertEqual(self.gate.stop(), 0)
        self.assertNotIn('tamper', self.daemon_states())
        self.assertFalse(pathlib.Path(self.gate.pin).exists())
        session.proceed()
        self.assertEqual(self.finish(session.process)[1], 'rc=0\n')

    def fifo(self):
        path = self.world.root / 'fifo'
        os.mkfifo(path)
        path.chmod(0o666)
        return path

    def open_fifo(self):
        with open(self.world.root / 'fifo', 'w', encoding='ascii'):
            pass


class Uninstall(case.GateCase):
    def uninstall(self, *flags):
        return subprocess.run([self.gate.bin / 'holdpointd', '--uninstall', '--pin', self.gate.pin, '--run', self.gate.run,
                               '--state', self.gate.state, '--instance', 'e2e', *flags],
                              capture_output=True, text=True, check=False)

    def test_after_a_kill_nothing_is_left_but_the_record(self):
        session = self.waiting(f'rm {self.precious}/a; echo rc=$?', 'production')
        self.gate.kill()
        self.assertTrue(pathlib.Path(self.gate.pin).exists())
        done = self.uninstall()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(pathlib.Path(self.gate.pin).exists())
        self.assertFalse(self.gate.run.exists())
        session.proceed()
        self.assertEqual(self.finish(session.process)[1], 'rc=0\n')  # No program is left that would kill it.
        self.assertEqual(self.gate.cli('verify').returncode, 0)

    def test_purge_takes_the_record_and_leaves_what_others_put_there(self):
        self.gate.kill()
        mine = self.gate.state / 'notes'
        mine.write_text('of somebody else', encoding='ascii')
        self.assertEqual(self.uninstall('--purge').returncode, 0)
        self.assertEqual([path.name for path in self.gate.state.iterdir()], ['notes'])

    def test_where_a_gate_lives_nothing_is_removed(self):
        done = self.uninstall('--purge')
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('stop it', done.stderr)
        self.assertEqual(self.gate.cli('status').returncode, 0)
        self.assertTrue(pathlib.Path(self.gate.pin).exists())


if __name__ == '__main__':
    unittest.main(verbosity=2)

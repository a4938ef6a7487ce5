"""Very many sessions, processes, tickets and forks under one gate: scale_test.py SESSIONS PROCESSES FORKS."""

import contextlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time
import unittest

from e2e import case, gate as programs

setUpModule = case.enter

SESSIONS, PROCESSES, FORKS = (int(n) for n in sys.argv[1:4]) if len(sys.argv) > 3 else (50, 2000, 20000)
del sys.argv[1:4]
USERS = 4  # one user may not have so many processes
AT_ONCE = 8  # sessions that are starting
GATE_MIB = 128
_PROGRAMS = pathlib.Path(__file__).resolve().parent / 'programs'


class Stopwatch:
    """Says what took how long. For people: nothing is asserted."""

    def __init__(self):
        self.since = time.monotonic()

    def say(self, what):
        now = time.monotonic()
        print(f'{what}: {now - self.since:.2f} s', flush=True)
        self.since = time.monotonic()


class Scale(case.GateCase):
    HOLD_MS = 1  # refused at once, with a ticket

    def setUp(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
        self.make_room()
        super().setUp()
        self.crowd, self.labels = (self.compiled(n, (_PROGRAMS / f'{n}.c').read_text()) for n in ('crowd', 'labels'))

    def make_room(self):
        """The kernel has pids for all of them, until the test ends."""
        limit = pathlib.Path('/proc/sys/kernel/pid_max')
        before = int(limit.read_text(encoding='ascii'))
        if before >= PROCESSES + 20000:
            return
        limit.write_text(f'{PROCESSES + 65536}\n', encoding='ascii')
        self.addCleanup(limit.write_text, f'{before}\n', encoding='ascii')

    def config(self):
        # A busy machine must not decide for the judge.
        return super().config().replace('limits:', 'limits:\n  consult_ms: 10000')

    def start(self, number):
        argv = self.world.scope.command(
            [programs.binaries() / 'holdpoint', '--run', self.gate.run, 'run', '--env', 'staging', '--', self.crowd,
             PROCESSES // SESSIONS, FORKS // SESSIONS, self.file(f'data-{number}')], uid=self.world.uid + number % USERS)
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   cwd=self.world.workspace, env=self.world.environment())
        self.addCleanup(self.close, process)
        return process

    def up(self, process, number):
        for _ in range(50):
            if process.stdout.readline() == b'up\n':
                return process
            code = process.wait()
            if code != 75:  # 75: no session was started, because the machine is busy
                break
            process = self.start(number)
        return self.fail(f'session {number}: exit {code}: {process.stderr.read()}')

    @staticmethod
    def close(process):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)  # its own: it is a session leader
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()

    def status(self):
        return self.gate.lines('status')[0]

    def resident(self, pid):
        text = pathlib.Path(f'/proc/{pid}/status').read_text(encoding='ascii')
        return int(text.split('VmRSS:')[1].split()[0]) / 1024

    def check_labels(self, leaders):
        done = subprocess.run([self.labels, f'{self.gate.pin}/v1/maps/hp_task'], input=' '.join(map(str, leaders)), text=True,
                              capture_output=True, check=True)
        return json.loads(done.stdout)

    def test_every_label_is_right_and_the_gate_stays_small_and_answers(self):
        watch = Stopwatch()
        outside = subprocess.Popen(self.world.scope.command(['/bin/sleep', '100000'], self.world.uid))
        self.addCleanup(outside.wait)
        self.addCleanup(outside.kill)
        before = self.resident(self.gate.process.pid)
        sessions = []
        while len(sessions) < SESSIONS:
            fresh = [self.start(len(sessions) + i) for i in range(min(AT_ONCE, SESSIONS - len(sessions)))]
            sessions += [self.up(process, len(sessions) + i) for i, process in enumerate(fresh)]
        watch.say(f'{SESSIONS} sessions, {PROCESSES} processes, {FORKS} forks, {SESSIONS} refusals')
        leaders = [process.pid for process in sessions]

        each = PROCESSES // SESSIONS
        right = {'labelled': each * SESSIONS, 'sessions': SESSIONS, 'wrong': 0, 'missing': 0, 'outside': 0}
        self.assertEqual(self.check_labels(leaders), right)
        watch.say('every label looked at')
        status = self.status()
        watch.say('holdpoint status')
        self.assertEqual((status['sessions'], status['tickets']), (SESSIONS, SESSIONS), self.gate.lines('sessions'))
        self.assertEqual(len(self.gate.lines('holds')), SESSIONS)
        watch.say('holdpoint holds')
        self.assertEqual(status['kernel']['label_failed'], 0)
        self.assertGreaterEqual(status['kernel']['fork'], SESSIONS * (FORKS // SESSIONS + each))

        # A session of one command among all these, and one that is ended.
        self.until('a refusal', lambda: self.finish(self.session(f'rm {self.file("a")}; echo rc=$?'))[1] == 'rc=126\n')
        watch.say('one more session, refused')
        victim = [s['id'] for s in self.gate.lines('sessions') if s['root_tgid'] == leaders[0]]
        done = self.gate.cli('kill', *victim)
        self.assertEqual(done.returncode, 0, done.stderr)
        watch.say('holdpoint kill of one session')
        self.assertIn(f'{each} processes ended', done.stdout + done.stderr)
        sessions[0].wait()
        right.update(labelled=right['labelled'] - each, sessions=SESSIONS - 1)
        self.assertEqual(self.check_labels(leaders), right)

        gate_mib, judge_mib = (self.resident(pid) for pid in
                               (self.gate.process.pid, case.children(self.gate.process.pid)['holdpoint-judge'][0]))
        print(f'gate {gate_mib:.1f} MiB resident ({before:.1f} before), judge {judge_mib:.1f} MiB')
        self.assertLess(gate_mib, GATE_MIB)
        watch.since = time.monotonic()
        for process in sessions[1:]:
            process.stdin.close()
        for process in sessions[1:]:
            process.wait()
        while self.status()['sessions'] > 0:
            os.sched_yield()
        watch.say('every session ended, and known to be')
        self.assertEqual(self.check_labels([]), {'labelled': 0, 'sessions': 0, 'wrong': 0, 'missing': 0, 'outside': 0})
        self.assertIsNone(outside.poll())
        self.assertEqual(self.gate.cli('verify').returncode, 0)


if __name__ == '__main__':
    unittest.main(verbosity=2)

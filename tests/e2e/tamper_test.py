"""A session, also one of root, turns on Holdpoint itself: it is denied or it is in the record. docs/staying-alive.md."""

import os
import pathlib
import signal
import unittest

from e2e import case, isolation

setUpModule = case.enter


class TamperCase(case.GateCase):
    def as_root(self, python, environment='staging'):
        """A session of root that runs Python, which may call libc; gives what it printed."""
        script = self.world.root / 'deed.py'
        script.write_text('import ctypes, os, signal, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n' + python, encoding='ascii')
        session = self.session(f'exec /usr/bin/python3 -IB {script}', environment, uid=0)
        return self.finish(session)

    def await_tamper(self, *words):
        return self.gate.await_event(lambda e: e['type'] == 'daemon' and e['daemon']['state'] == 'tamper' and
                                     all(word in e['daemon']['detail'] for word in words))

    def tampers(self):
        return [e['daemon']['detail'] for e in self.gate.events()
                if e['type'] == 'daemon' and e['daemon']['state'] == 'tamper']

    def assert_alive(self):
        self.assertEqual(self.gate.cli('status').returncode, 0)


class Signals(TamperCase):
    def test_a_signal_that_can_be_refused_is_not_obeyed(self):
        pid = self.gate.process.pid
        for number in ('SIGTERM', 'SIGUSR2', 'SIGINT', 'SIGHUP'):
            self.as_root(f'os.kill({pid}, signal.{number})')
            event = self.await_tamper(f'signal {int(getattr(signal, number))}', 'not obeyed')
            self.assertTrue(event['session'])
            self.assert_alive()

    def test_a_sender_that_has_ended_before_the_signal_is_read_is_not_obeyed(self):
        pid = self.gate.process.pid
        session = self.waiting(f'kill -TERM {pid}', uid=0)
        self.gate.process.send_signal(signal.SIGSTOP)
        session.proceed()
        session.process.wait(timeout=case.BOUND)
        self.gate.process.send_signal(signal.SIGCONT)
        self.await_tamper(f'process {session.process.pid}: signal 15', 'not obeyed')
        self.assert_alive()

    def test_a_sender_that_names_another_process_is_not_obeyed(self):
        pid = self.gate.process.pid
        queue = 129  # rt_sigqueueinfo: the sender says who it is
        self.as_root('import struct\n'
                     f'info = struct.pack("iiiiii104x", {int(signal.SIGTERM)}, 0, -1, 0, {os.getpid()}, 0)\n'
                     f'assert libc.syscall({queue}, {pid}, {int(signal.SIGTERM)}, info) == 0')
        self.await_tamper('signal 15', 'not obeyed')
        self.assert_alive()

    def test_the_same_signal_from_outside_is_obeyed(self):
        self.gate.process.send_signal(signal.SIGHUP)
        self.gate.await_event(lambda e: e['type'] == 'config_loaded' and e['config_loaded'].get('generation', 0) > 1)
        self.assertEqual(self.tampers(), [])

    def test_a_kill_is_in_the_record_of_the_next_gate(self):
        pid = self.gate.process.pid
        self.as_root(f'os.kill({pid}, signal.SIGKILL)')
        self.gate.process.wait(timeout=case.BOUND)
        self.gate.start()
        self.await_tamper('signal 9', f'process {pid}')
        self.assertEqual(self.gate.cli('verify').returncode, 0)

    def test_judge_and_warden_are_ours_too(self):
        children = case.children(self.gate.process.pid)
        for name in ('holdpoint-warde', 'holdpoint-judge'):  # without a judge no session begins
            pid = children[name][0]
            self.as_root(f'os.kill({pid}, signal.SIGKILL)')
            self.await_tamper('signal 9', f'process {pid}')
        self.assert_alive()

    def test_a_session_that_signals_its_own_processes_is_left_alone(self):
        code, out, _ = self.finish(self.session('sleep 100 & kill -9 $!; wait $!; echo rc=$?'))
        self.assertEqual((code, out), (0, 'rc=137\n'))
        self.assertEqual(self.tampers(), [])

    def test_what_is_held_and_ends_is_no_signal_to_its_tracer(self):
        held = self.session(f'rm {self.precious}/a')
        self.gate.decide('deny', self.gate.await_hold()['ticket'], case.DANA)
        self.finish(held)
        self.gate.await_event(lambda e: e['type'] == 'outcome')
        self.assertEqual(self.tampers(), [])

    def test_a_session_of_somebody_else_cannot_signal_at_all(self):
        _, out, _ = self.finish(self.session(f'kill -9 {self.gate.process.pid}; echo rc=$?'))
        self.assertEqual(out, 'rc=1\n')
        self.assert_alive()


class Pins(TamperCase):
    def test_removed_pins_are_put_back_and_the_gate_goes_on(self):
        _, out, err = self.as_root(f'''
count = 0
for folder, _, names in os.walk("{self.gate.pin}"):
    for name in names:
        os.unlink(os.path.join(folder, name))
        count += 1
print(count)
''')
        self.assertGreater(int(out), 5, err)
        self.await_tamper('pins were removed')
        links = list(pathlib.Path(self.gate.pin).rglob('hp_exec'))
        self.assertEqual(len(links), 1)
        # Killed now, the fail mode is in force: the programs outlive the gate by these pins.
        session = self.waiting(f'rm {self.precious}/a; echo rc=$?', 'production')
        self.gate.kill()
        session.proceed()
        self.assertEqual(self.finish(session.process)[1], 'rc=137\n')


class Trace(TamperCase):
    def test_a_tracer_of_the_gate_is_seen(self):
        seize = 0x4206
        session = self.session(
            f'exec /usr/bin/python3 -IBc "import ctypes, sys; print(ctypes.CDLL(None).ptrace({seize}, '
            f'{self.gate.process.pid}, 0, 0), flush=True); sys.stdin.read()"', uid=0, stdin=-1)
        self.assertEqual(session.stdout.readline(), '0\n')
        self.await_tamper('traces the gate')
        self.finish(session)
        self.assert_alive()


class Scope(TamperCase):
    HOLD_MS = 1

    def leave(self, target):
        return self.as_root(f'open("{target}/cgroup.procs", "w").write("0"); print("moved")')

    def test_a_session_that_leaves_is_seen_and_its_execs_are_judged_all_the_same(self):
        outside = isolation.Scope('outside')
        self.addCleanup(outside.end)
        _, out, err = self.as_root(f'open("{outside.path}/cgroup.procs", "w").write("0")\n'
                                   f'print(os.spawnvp(os.P_WAIT, "rm", ["rm", "{self.precious}/a"]))', 'production')
        self.await_tamper('moved out of the scope')
        self.assertEqual(out.strip(), '126', err)
        self.assertTrue((self.precious / 'a').exists())

    def test_one_that_moves_inside_the_scope_is_left_alone(self):
        inside = self.world.scope.path / 'deeper'
        inside.mkdir()
        self.assertEqual(self.leave(inside)[1], 'moved\n')
        self.assertEqual(self.tampers(), [])


class Policy(TamperCase):
    def test_a_change_on_the_disk_is_told_and_not_taken(self):
        self.as_root(f'open("{self.gate.config}", "a").write("# nothing\\n")')
        self.await_tamper('changed on the disk')
        self.assertEqual([e for e in self.gate.events() if e['type'] == 'config_loaded'][1:], [])


if __name__ == '__main__':
    unittest.main(verbosity=2)

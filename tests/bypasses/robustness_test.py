"""Floods, a gate that is gone, root inside the session, kernels that lack something."""

import json
import os
import subprocess
import unittest

from scene import DANA, DECLARED, PORT, PRODUCTION, STOPPED, Scene, declared, row, setUpModule  # noqa: F401


class Robustness(Scene):
    def kernel(self):
        return self.gate.lines('status')[0]['kernel']

    @row('B34', 'thousands of execs around the one that counts', STOPPED)
    def test_B34_a_flood_hides_nothing_and_is_counted(self):
        target, spare, rounds = self.target(), self.spare(), 1500
        self.session('/bin/true')
        before = self.kernel()
        loop = 'i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done' % rounds
        done = self.session(f'({loop}) & ({loop}) & rm {target}; echo rc=$?; rm {spare}; echo rc=$?; wait')
        self.assertEqual(done.out, 'rc=126\nrc=0\n', done.err)
        self.assertTrue(target.exists())
        after = self.kernel()
        grown = {name: after[name] - before[name] for name in after}
        self.assertEqual(grown['exec_seen'], 2 * rounds + 3)  # and the shell, and two times rm
        ended = [e['session_ended'] for e in [self.gate.await_event(
            lambda e: e['type'] == 'session_ended' and int(e['session_ended'].get('execs', 0)) > rounds)]][0]
        self.assertEqual(int(ended['execs']) + grown['lost_events'], grown['exec_seen'])

    def waiting(self, environment, target, uid=None):
        """A session that waits for one line before it acts; started before the gate is gone."""
        process = self.start(f'echo ready; read line; rm {target}; echo rc=$?', environment, uid=uid,
                             stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), 'ready\n')
        return process

    def go_on(self, process):
        out, _ = process.communicate('go\n', timeout=60)
        return out

    @row('B35', 'the gate is killed: protected environments are closed at once, the others open, counted', STOPPED)
    def test_B35_without_a_gate_the_fail_mode_decides(self):
        closed, opened = self.target(), self.target()
        production, staging = self.waiting('production', closed), self.waiting('staging', opened)
        self.gate.kill()
        self.assertEqual(self.go_on(production), 'rc=137\n')
        self.assertEqual(self.go_on(staging), 'rc=0\n')
        self.gate.start()
        self.assertTrue(closed.exists())
        self.assertGreater(self.kernel()['fail_open'], 0)
        started = self.gate.await_event(lambda e: e['type'] == 'daemon' and e['daemon'].get('previous_run_id'))
        self.assertTrue(started['daemon'].get('previous_last_sequence'))
        self.assertEqual(self.gate.cli('verify').returncode, 0)

    @row('B36', 'root inside a session kills the gate', STOPPED)
    def test_B36_root_in_a_session_does_not_open_a_protected_environment(self):
        target = self.target()
        root = self.start(f'echo ready; read line; kill -9 {self.gate.process.pid}; rm {target}; echo rc=$?',
                          'production', uid=0, stdin=subprocess.PIPE)
        self.assertEqual(root.stdout.readline(), 'ready\n')
        self.assertEqual(self.go_on(root), 'rc=137\n')
        self.assertTrue(target.exists())
        self.gate.process.wait()
        self.gate.start()

    @row('B36', 'root inside a session takes the programs and maps away (bpftool, unpin, detach)', DECLARED)
    def test_B36_root_can_take_the_programs_away(self):
        declared('**Root inside a session** can, where BPF LSM is not there, end the gate, change its maps and write the record.')
        pins = f'/sys/fs/bpf/{self.world.root.name}'
        self.assertTrue(os.listdir(pins))
        self.assertEqual(self.session(f'test -w {pins} && echo on', uid=0).out, 'on\n')
        self.assertEqual(self.session(f'test -w {pins} && echo on').out, '')  # only for root


class LesserKernel(Scene):
    FLAGS = ('--without', 'connect-storage', 'connect-tgid', 'guard-return', 'guard-fault', 'guard-signal', 'iterator')

    @row('B39', 'a kernel that lets none of the connect programs, guards or iterators in', DECLARED)
    def test_B39_what_is_missing_is_said_and_the_rest_holds(self):
        rows = {r['check']: r for r in map(json.loads, self.gate.cli('--json', 'doctor').stdout.splitlines())}
        self.assertFalse(rows['connect']['ok'], rows)
        self.assertIn('neither seen nor refused', rows['connect']['advice'])
        self.assertIn('not on this kernel', rows['hold guard']['advice'])
        self.assertEqual(rows['task list']['level'], 'warning')
        self.stops(lambda file: f'rm {file}')
        done = self.session(f': > /dev/tcp/{PRODUCTION}/{PORT}', with_shell='bash')
        self.assertIn('refused', done.err)  # by the peer: nobody else stood in the way


if __name__ == '__main__':
    unittest.main(verbosity=2)

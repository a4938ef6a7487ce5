"""A held process: who tries to make it run, what its parent sees, and that ending a session ends all of it."""

import subprocess
import unittest

from scene import DANA, STOPPED, Scene, row, setUpModule  # noqa: F401


class Holding(Scene):
    HOLD_MS = 60000
    PROGRAM = 'peek.c'

    def hold(self, shell, **options):
        """(the session, the row of what it holds)."""
        before = {row['ticket'] for row in self.gate.lines('holds')}
        process = self.start(shell, **options)
        return process, self.gate.await_hold(wanted=lambda row: row['ticket'] not in before)

    def neighbour(self, *argv):
        """Runs a command as the session's user, outside the session: (exit, output)."""
        done = subprocess.run(self.world.scope.command(argv, self.world.uid), stdin=subprocess.DEVNULL, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    def still_held(self, ticket):
        return [r['state'] for r in self.gate.lines('holds') if r['ticket'] == ticket] == ['held']

    def release(self, held, ticket):
        done = self.gate.decide('approve', ticket, DANA)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.finish(held)

    @row('B30', 'SIGCONT, a tracer of the same user, a cgroup that is frozen and thawed', STOPPED)
    def test_B30_nobody_makes_a_held_process_run(self):
        target = self.target()
        held, hold = self.hold(f'rm {target}; echo rc=$?')
        pid = str(hold['pid'])
        code, said = self.neighbour('/bin/sh', '-c', f'i=0; while [ $i -lt 500 ]; do kill -CONT {pid}; i=$((i+1)); done')
        self.assertEqual(code, 0, said)
        code, said = self.neighbour('/usr/bin/strace', '-qp', pid)
        self.assertNotEqual(code, 0, said)
        freeze = self.world.scope.path / 'cgroup.freeze'
        freeze.write_text('1')
        freeze.write_text('0')
        self.assertTrue(target.exists())
        self.assertTrue(self.still_held(hold['ticket']))
        self.assertEqual(self.release(held, hold['ticket']).out, 'rc=0\n')
        self.assertFalse(target.exists())

    @row('B30', 'SIGKILL or SIGTERM by a parent that gives up', STOPPED)
    def test_B30_ending_a_held_process_is_no_way_to_run_it(self):
        for signal in ('KILL', 'TERM'):
            with self.subTest(signal):
                target = self.target()
                held, hold = self.hold(f'rm {target}; echo rc=$?')
                self.assertEqual(self.neighbour('/bin/kill', f'-{signal}', str(hold['pid']))[0], 0)
                self.assertRegex(self.finish(held).out, 'rc=(137|143)\n')
                self.assertTrue(target.exists())
                self.gate.await_event(lambda e: e['type'] == 'outcome' and e['outcome'].get('ticket') == hold['ticket'] and
                                      e['outcome']['what'] in ('killed', 'gone'))

    @row('C17', 'the held task\'s memory is read, so that its first instruction has no fault, then SIGCONT', STOPPED)
    def test_C17_a_held_process_whose_pages_are_mapped(self):
        target = self.target()
        held, hold = self.hold(f'rm {target}; echo rc=$?')
        code, said = self.neighbour(self.program, str(hold['pid']))
        self.assertEqual(code, 0)
        self.assertGreater(int(said), 0, 'no page could be read: nothing was tried')
        self.assertTrue(target.exists())
        self.assertTrue(self.still_held(hold['ticket']))
        self.assertEqual(self.release(held, hold['ticket']).out, 'rc=0\n')

    @row('C17', 'a static program that needs no fault at its first instruction (ld -N), and SIGCONT', STOPPED)
    def test_C17_a_program_without_a_first_fault(self):
        program = self.compile('first_byte.S', '-nostdlib', '-static', '-Wl,-N', target='no-fault/rm')
        target = self.target()
        held, hold = self.hold(f'{program} {target}; echo rc=$?')
        self.neighbour(self.program, str(hold['pid']))
        self.assertTrue(self.still_held(hold['ticket']))
        self.gate.decide('deny', hold['ticket'], DANA)
        self.assertEqual(self.finish(held).out, 'rc=126\n')
        self.assertEqual(self.session(f'{program} {self.spare()}; echo rc=$?').out, 'Xrc=0\n')

    @row('B31', 'under a shell with job control, which would say "Stopped" and go on', STOPPED)
    def test_B31_an_interactive_shell_sees_a_refusal_and_no_stop(self):
        target, spare = self.target(), self.spare()
        self.session('rm nothing-there')  # known from now on
        run = "/usr/bin/python3 -c 'import pty; pty.spawn([\"bash\", \"--norc\", \"-ic\", \"rm {}; echo rc=$?\"])'"
        done = self.session(run.format(target))
        self.assertIn('holdpoint: REFUSED', done.out + done.err)
        self.assertRegex(done.out, 'rc=(126|137)')  # 137 where it waited in the kernel, without a stop
        self.assertNotIn('Stopped', done.out)
        self.assertTrue(target.exists())
        self.assertIn('rc=0', self.session(run.format(spare)).out)

    @row('B31', 'a parent that stops itself when its child does: script(1)', STOPPED)
    def test_B31_a_parent_that_follows_its_child_into_a_stop(self):
        target = self.target()
        denied, released = self.target(), self.target()
        held, hold = self.hold(f"script -qec 'exec rm {denied}' /dev/null; echo rc=$?")
        self.assertEqual(self.gate.decide('deny', hold['ticket'], DANA).returncode, 0)
        self.assertRegex(self.finish(held).out, 'holdpoint: DENIED by dana(.|\n)*rc=126')
        self.assertTrue(denied.exists())
        held, hold = self.hold(f"script -qec 'exec rm {released}' /dev/null; echo rc=$?")
        self.assertTrue(released.exists())
        self.assertEqual(self.release(held, hold['ticket']).out, 'rc=0\n')
        self.assertFalse(released.exists())
        spare = self.spare()
        self.assertEqual(self.session(f"script -qec 'exec rm {spare}' /dev/null; echo rc=$?").out, 'rc=0\n')
        self.assertFalse(spare.exists())
        # What that child starts is held, and nobody but the child waits for it.
        held, hold = self.hold(f"script -qec 'rm {target}; echo done' /dev/null")
        self.assertEqual(self.release(held, hold['ticket']).out, 'done\n')
        self.assertFalse(target.exists())

    @row('B31', 'a spawner that waits with WUNTRACED, and one that must not block (vfork)', STOPPED)
    def test_B31_what_the_parent_of_a_held_process_sees(self):
        code = ('import os, sys\npid = os.posix_spawn("/bin/rm", ["rm", sys.argv[1]], os.environ)\n'
                'print("spawned", flush=True)\n'
                'seen = os.waitpid(pid, os.WUNTRACED)[1]\nwhile os.WIFSTOPPED(seen):\n'
                '    print("stopped"); seen = os.waitpid(pid, os.WUNTRACED)[1]\n'
                'print(os.waitstatus_to_exitcode(seen))')
        program = self.own(self.world.workspace / 'spawn.py', text=code)
        held, hold = self.hold(f'/usr/bin/python3 {program} {self.target()}')
        self.assertEqual(held.stdout.readline(), 'spawned\n')  # while it is held
        self.gate.decide('deny', hold['ticket'], DANA)
        self.assertRegex(self.finish(held).out, '^(stopped\n)*126\n$')

    @row('B33', 'children that outlive their parent, forks that race with the end of the session', STOPPED)
    def test_B33_a_killed_session_leaves_nothing(self):
        target = self.target()
        storm = 'i=0; while [ $i -lt 30 ]; do setsid sh -c "while :; do /bin/true; done" & i=$((i+1)); done'
        held, _ = self.hold(f'{storm}; rm {target}')
        neighbour = subprocess.Popen(self.world.scope.command(['/bin/sleep', '1000'], self.world.uid))
        running = [s['id'] for r in self.gate.lines('sessions') for s in r.get('sessions', [r]) if not s['ended']]
        self.assertEqual(self.gate.cli('kill', running[-1]).returncode, 0)
        self.finish(held)
        self.assertEqual(self.world.scope.processes(), [neighbour.pid])
        neighbour.kill()
        neighbour.wait()
        self.assertTrue(target.exists())


class Bounded(Scene):
    HOLD_MS = 60000

    @classmethod
    def configuration(cls):
        return super().configuration().replace('limits:', 'limits:\n  max_holds: 3')

    @row('B31', 'more holds at once than anybody can look at', STOPPED)
    def test_B31_past_the_bound_it_is_refused(self):
        targets = [self.target() for _ in range(5)]
        held = self.start('\n'.join(f'(rm {t}; echo rc=$? {t.name}) &' for t in targets) + '\nwait')
        refused = [held.stdout.readline().split()[0] for _ in range(2)]
        self.assertEqual(refused, ['rc=126', 'rc=126'])
        rows = [r for r in self.gate.lines('holds') if r['state'] == 'held']
        self.assertEqual(len(rows), 3)
        for hold in rows:
            self.assertEqual(self.gate.decide('approve', hold['ticket'], DANA).returncode, 0)
        self.assertEqual(self.finish(held).out.count('rc=0'), 3)
        self.assertEqual(sum(t.exists() for t in targets), 2)


if __name__ == '__main__':
    unittest.main(verbosity=2)

"""Where Holdpoint's reach ends, and what it says to input that it cannot use. A stand-in carries a fingerprint."""

import shutil
import subprocess
import unittest

from e2e import fixture_config, gate, isolation, people, world

PLACE = None
DANA = people.Person('dana', 61010, 'a long sentence of dana')
# mini-swe-agent's fingerprint is a script of this name and this text; it runs each argument as a tool would.
STAND_IN = '''#!/usr/bin/python3 -IB
# from minisweagent.run.mini import app
import subprocess, sys
for command in sys.argv[1:]:
    print("exit", subprocess.run(["/bin/sh", "-c", command]).returncode, flush=True)
'''


def setUpModule():
    global PLACE
    PLACE = isolation.enter()


class BoundaryTest(unittest.TestCase):
    def setUp(self):
        self.world = world.World(PLACE)
        self.addCleanup(self.world.close)
        people.move_in(self.world, [DANA])
        self.mini = self.world.root / 'bin' / 'mini'
        self.mini.parent.mkdir()
        self.mini.write_text(STAND_IN, encoding='ascii')
        self.mini.chmod(0o755)

    def start_gate(self, *flags):
        self.gate = gate.Gate(self.world, fixture_config.text(self.world, hold_ms=300), flags)
        self.addCleanup(self.gate.stop)

    def run_in(self, scope, *argv):
        """(exit, output) of `argv` in the cgroup `scope`, as the world's user in its workspace."""
        done = subprocess.run(scope.command(argv, self.world.uid), cwd=self.world.workspace, stdin=subprocess.DEVNULL,
                              env=self.world.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60, check=False)
        return done.returncode, done.stdout

    def holdpoint(self, *argv):
        return (self.world.programs / 'holdpoint', '--run', self.gate.run, *argv)

    def started(self):
        return [e for e in self.gate.events() if e['type'] == 'session_started']

    def assert_every_byte_is_there(self):
        self.assertEqual(self.world.bytes_now(), self.world.manifest)
        self.assertEqual(self.world.cloud.calls, [])


class Reach(BoundaryTest):
    def test_a_coding_agent_outside_the_scope_is_left_alone(self):
        self.start_gate()
        outside = isolation.Scope('outside')
        self.addCleanup(outside.end)
        self.assertIn('exit 0', self.run_in(outside, self.mini, self.world.delete_volume())[1])
        self.assertEqual(self.world.bytes_now(), {})
        self.assertEqual(self.started(), [])

    def test_the_same_one_inside_is_a_session_and_is_stopped(self):
        self.start_gate()
        self.assertIn('exit 126', self.run_in(self.world.scope, self.mini, self.world.delete_volume())[1])
        self.assert_every_byte_is_there()
        self.assertEqual([e['session_started']['coding_agent'] for e in self.started()], ['mini-swe-agent'])

    def test_a_person_inside_the_scope_is_left_alone(self):
        self.start_gate()
        self.assertEqual(self.run_in(self.world.scope, '/bin/sh', '-c', self.world.delete_volume())[0], 0)
        self.assertEqual(self.world.bytes_now(), {})
        self.assertEqual(self.started(), [])

    def test_observing_records_what_would_have_been_stopped_and_stops_nothing(self):
        self.start_gate('--observe')
        self.assertIn('exit 0', self.run_in(self.world.scope, self.mini, self.world.delete_volume())[1])
        self.assertEqual(self.world.bytes_now(), {})
        # Nobody waited for the judge, so it may still be at it.
        event = self.gate.await_event(lambda e: e['type'] == 'exec' and
                                      e['exec'].get('judgement', {}).get('verdict') == 'hold')
        self.assertTrue(event['exec']['judgement'].get('observed_only'), event)

    def test_run_makes_a_session_of_any_command(self):
        self.start_gate()
        _, said = self.run_in(self.world.scope, *self.holdpoint('run', '--env', 'staging', '--', '/bin/sh', '-c',
                                                                self.world.delete_volume() + '; echo exit $?'))
        self.assertIn('holdpoint: REFUSED', said)
        self.assertIn('exit 126', said)
        self.assert_every_byte_is_there()
        self.assertEqual([e['environment'] for e in self.started()], ['staging'])

    def test_run_in_an_environment_that_is_not_there_starts_nothing(self):
        self.start_gate()
        code, said = self.run_in(self.world.scope, *self.holdpoint('run', '--env', 'stagign', '--', '/bin/echo', 'on'))
        self.assertNotEqual(code, 0)
        self.assertNotIn('on\n', said.splitlines(keepends=True))
        self.assertIn('stagign', said)


class BadInput(BoundaryTest):
    """One clear sentence, the documented exit code, and nothing is started."""

    def refuse_to_start(self, code, *flags, scope=None, uid=0, lacking=None, drop=None, pin=None):
        """`lacking` is a shell command that takes something away in a mount namespace of the daemon's own."""
        root = self.world.root
        argv = [gate.binaries() / 'holdpointd', '--scope', scope or self.world.scope.path, '--state', root / 's',
                '--run', root / 'r', '--pin', pin or f'/sys/fs/bpf/bad-{root.name}', '--rules', gate.rules(self.world),
                '--bin', gate.binaries(), '--instance', 'bad', *flags]
        if uid:
            shutil.copy(argv[0], root / 'holdpointd')
            argv = ['setpriv', '--reuid', uid, '--regid', uid, '--clear-groups', root / 'holdpointd', *argv[1:]]
        if drop:
            argv = ['setpriv', '--bounding-set', drop, '--inh-caps', drop, '--', *argv]
        if lacking:
            argv = ['unshare', '--mount', 'sh', '-c', lacking + ' && exec "$@"', 'sh', *argv]
        done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr.splitlines()[-1]

    def test_not_root(self):
        self.assertIn('root', self.refuse_to_start(77, uid=self.world.uid))

    def test_a_kernel_without_btf(self):
        said = self.refuse_to_start(78, lacking='mount -t tmpfs none /sys/kernel/btf')
        self.assertIn('CONFIG_DEBUG_INFO_BTF', said)

    def test_a_host_without_cgroup_v2(self):
        said = self.refuse_to_start(78, lacking="for m in $(awk '$3 == \"cgroup2\" {print $2}' /proc/self/mounts); "
                                                'do umount -l $m; done')
        self.assertIn('mount -t cgroup2', said)

    def test_a_place_for_pins_that_is_no_bpffs(self):
        self.assertIn('/sys/fs/bpf', self.refuse_to_start(78, pin=self.world.root / 'pins'))

    def test_without_the_right_to_load_programs(self):
        said = self.refuse_to_start(77, drop='-sys_admin,-bpf,-perfmon')
        self.assertIn('CAP_SYS_ADMIN', said)
        self.assertNotIn('CAP_KILL', said)

    def test_doctor_says_it_too_without_a_daemon(self):
        done = subprocess.run(['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', 'sh',
                               gate.binaries() / 'holdpoint', '--run', self.world.root / 'nowhere', 'doctor'],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r'btf +BAD')

    def test_a_scope_that_is_no_cgroup(self):
        self.assertIn(str(self.world.home), self.refuse_to_start(2, scope=self.world.home))

    def test_a_configuration_that_is_not_there(self):
        missing = self.world.root / 'missing.yaml'
        self.assertIn(str(missing), self.refuse_to_start(78, '--config', missing))

    def test_a_configuration_that_others_may_write(self):
        loose = self.world.root / 'loose.yaml'
        loose.write_text(fixture_config.text(self.world, hold_ms=300), encoding='utf-8')
        loose.chmod(0o666)
        self.assertIn(str(loose), self.refuse_to_start(78, '--config', loose))

    def test_an_unknown_key_is_named_with_line_and_column(self):
        wrong = self.world.root / 'wrong.yaml'
        wrong.write_text('version: 1\nenvironments:\n  - {name: staging, protcted: true}\n', encoding='ascii')
        said = self.refuse_to_start(78, '--config', wrong)
        self.assertRegex(said, r'wrong\.yaml:3:\d+')
        self.assertIn('protcted', said)

    def test_asking_where_no_daemon_is(self):
        done = subprocess.run([gate.binaries() / 'holdpoint', '--run', self.world.root / 'nowhere', 'status'],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 69)
        self.assertIn('nowhere', done.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)

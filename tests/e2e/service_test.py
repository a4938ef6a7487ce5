"""Holdpoint as a service: the unit file, what the service manager hears, and what each process may do."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import unittest

from e2e import case

UNIT = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'packaging' / 'systemd' / 'holdpointd.service'
USER_UNIT = UNIT.parent / 'user' / 'holdpoint-notify.service'
MOST_EXPOSURE = 7.0  # CAP_SYS_ADMIN and CAP_SYS_PTRACE alone cost most of it

setUpModule = case.enter


def analyze(*arguments):
    return subprocess.run(['systemd-analyze', *map(str, arguments)], capture_output=True, text=True, check=False,
                          env={**os.environ, 'XDG_RUNTIME_DIR': str(case.GateCase.PLACE)})


class Unit(unittest.TestCase):
    def test_is_understood(self):
        said = analyze('verify', '--man=no', UNIT).stderr
        complaints = [line for line in said.splitlines()
                      if UNIT.name in line and 'is not executable' not in line]  # it is not installed here
        self.assertEqual(complaints, [])

    def test_the_unit_of_users_is_understood(self):
        said = analyze('verify', '--user', '--man=no', USER_UNIT).stderr
        complaints = [line for line in said.splitlines()
                      if USER_UNIT.name in line and 'is not executable' not in line]
        self.assertEqual(complaints, [])

    def test_is_hardened_as_far_as_bpf_and_ptrace_allow(self):
        done = analyze('security', '--offline=true', UNIT)
        exposure = re.search(r'Overall exposure level for .*: ([0-9.]+)', done.stdout)
        self.assertIsNotNone(exposure, done.stdout + done.stderr)
        self.assertLessEqual(float(exposure[1]), MOST_EXPOSURE)

    def test_nothing_of_boot_or_login_waits_for_it(self):
        text = UNIT.read_text(encoding='ascii')
        for line in text.splitlines():
            self.assertNotRegex(line, r'^(Before|RequiredBy|BindsTo|Requires|Conflicts)=')
        self.assertIn('Restart=always', text)
        self.assertIn('KillSignal=SIGUSR2', text)


class Notified(case.GateCase):
    def setUp(self):
        place = self.PLACE / 'notify'
        place.unlink(missing_ok=True)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(str(place))
        self.manager.settimeout(case.BOUND)
        os.environ['NOTIFY_SOCKET'] = str(place)
        self.addCleanup(os.environ.pop, 'NOTIFY_SOCKET')
        super().setUp()

    def await_state(self, wanted):
        while (said := self.manager.recv(256)) != wanted:
            self.assertIn(said, (b'READY=1', b'WATCHDOG=1', b'STOPPING=1'))

    def test_ready_then_alive_then_stopping(self):
        self.await_state(b'READY=1')
        self.await_state(b'WATCHDOG=1')
        self.gate.process.send_signal(signal.SIGUSR2)
        self.await_state(b'STOPPING=1')

    def test_one_that_is_wedged_says_nothing_more(self):
        self.await_state(b'READY=1')
        self.gate.process.send_signal(signal.SIGSTOP)
        self.manager.setblocking(False)
        with self.assertRaises(BlockingIOError):
            while True:
                self.manager.recv(256)
        self.manager.settimeout(2.5)
        with self.assertRaises(TimeoutError):
            self.manager.recv(256)


class Rights(case.GateCase):
    def config(self):
        return super().config() + 'kafka:\n  brokers: ["127.0.0.1:9"]\n'  # nobody listens there

    def status(self, name):
        pid = self.until(name, lambda: case.children(self.gate.process.pid).get(name[:15], [None])[0])
        text = pathlib.Path(f'/proc/{pid}/status').read_text(encoding='ascii')
        return {key: value.split() for key, value in re.findall(r'^(\w+):[ \t]*(.*)$', text, re.M)}

    def assert_powerless(self, name):
        status = self.until(f'{name} without rights', lambda: s if (s := self.status(name))['Uid'][0] != '0' else None)
        self.assertEqual(len(set(status['Uid'] + status['Gid'])), 1)
        self.assertEqual(status['Groups'], [])
        for capabilities in ('CapPrm', 'CapEff', 'CapBnd', 'CapAmb'):
            self.assertEqual(int(status[capabilities][0], 16), 0, capabilities)
        self.assertEqual(status['NoNewPrivs'], ['1'])
        return status['Uid'][0]

    def test_judge_and_stream_are_two_users_without_any_right(self):
        self.assertNotEqual(self.assert_powerless('holdpoint-judge'), self.assert_powerless('holdpoint-stream'))

    def test_stream_reads_the_record_and_nothing_else_of_the_state(self):
        uid = self.assert_powerless('holdpoint-stream')
        self.finish(self.session('true'))
        as_stream = ['setpriv', '--reuid', uid, '--regid', uid, '--clear-groups', '--']
        read = subprocess.run([*as_stream, 'find', self.gate.state / 'spool', '-name', '*.seg', '-readable'],
                              capture_output=True, text=True, check=True).stdout
        self.assertIn('.seg', read)
        for command in (['cat', self.gate.state / 'fingerprint.key'], ['ls', self.gate.state],
                        ['touch', self.gate.state / 'spool' / 'x']):
            self.assertNotEqual(subprocess.run([*as_stream, *command], capture_output=True, check=False).returncode, 0)

    def test_stream_ends_with_the_gate(self):
        self.assert_powerless('holdpoint-stream')
        stream = os.pidfd_open(case.children(self.gate.process.pid)['holdpoint-strea'][0])
        self.addCleanup(os.close, stream)
        self.gate.kill()
        self.until('its end', lambda: case.ended(stream))


if __name__ == '__main__':
    unittest.main(verbosity=2)

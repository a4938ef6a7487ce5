"""Everyday acts whose verdict rests on what only the host shows, on a real gate: the same command runs with the evidence and
is stopped without it. The table of all of them is agent/judge/everyday_verdicts_test.cc."""

import os
import shutil
import subprocess
import unittest
import zipfile

from e2e import case, mute_fuse
from e2e.case import DANA

STUB = '#include <stdio.h>\nint main(void) { return puts("%s ran") < 0; }\n'
LISTENER = r'''
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (argc < 2) return 2;
  at.sin_port = htons(atoi(argv[1]));
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (void *)&at, sizeof at) || listen(fd, 1)) return 1;
  if (write(1, "ready\n", 6) != 6) return 1;
  for (;;) pause();
}
'''
COMPOSE = 'services:\n  db:\n    image: postgres:16\nvolumes:\n  pgdata:\n'


def setUpModule():
    case.enter()


def _varint(number):
    out = b''
    while number >= 0x80:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def _number(field, value):
    return _varint(field << 3) + _varint(value)


def _bytes(field, value):
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def plan(*changes):
    """The member of a plan file: (address, action) each."""
    return _number(1, 3) + b''.join(
        _bytes(3, _bytes(13, address.encode()) + _bytes(9, _number(1, action))) for address, action in changes)


class VerdictCase(case.GateCase):
    HOLD_MS = 1
    CONSULT_MS = 10000

    def config(self):
        return super().config().replace('limits:', f'limits:\n  consult_ms: {self.CONSULT_MS}')

    def stub(self, name):
        return self.compiled(name, STUB % name)

    def run_in(self, shell):
        return self.finish(self.session(shell))

    def assert_runs(self, command):
        code, out, err = self.run_in(command)
        self.assertEqual(code, 0, err)
        self.assertIn('ran', out, command)

    def assert_stopped(self, command, *why):
        code, out, err = self.run_in(command)
        self.assertIn('holdpoint: REFUSED', err, command)
        self.assertNotEqual(code, 0, command)
        self.assertNotIn('ran', out, command)
        judgement = self.last()
        for text in why:
            self.assertIn(text, judgement['reason'] + ' '.join(judgement.get('blind_spots', [])))

    def last(self):
        """The judgement that stopped something last."""
        return [e['exec']['judgement'] for e in self.gate.events() if e['type'] == 'exec' and
                e['exec']['judgement']['verdict'].lower() not in ('allow', 'audit')][-1]

    def listening(self, program, port, uid=0):
        server = subprocess.Popen([program, str(port)], stdout=subprocess.PIPE, user=uid, group=uid, extra_groups=[])
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.addCleanup(server.stdout.close)
        self.assertEqual(server.stdout.readline(), b'ready\n')
        return server

    def write(self, name, text):
        path = self.world.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent != self.world.workspace:
            os.chown(path.parent, self.world.uid, self.world.uid)
        path.write_text(text, encoding='utf-8')
        os.chown(path, self.world.uid, self.world.uid)
        return path


class EverydayVerdicts(VerdictCase):
    def config(self):
        return super().config().replace('resources:', 'resources:\n  - {type: path, id: "~/.cache/ledger/*", environment: production}')

    def test_a_test_database_goes_where_a_server_of_this_host_listens_and_nowhere_else(self):
        dropdb = self.stub('dropdb')
        drop = f'{dropdb} -h 127.0.0.1 -p 5999 test_db'
        self.assert_stopped(drop, 'nobody listens')
        postgres = self.compiled('postgres', LISTENER)
        server = self.listening(postgres, 5999)
        self.assert_runs(drop)
        self.assert_stopped(f'{dropdb} -h 127.0.0.1 -p 5999 shop', 'nothing says that it is for tests')
        evidence = self.last()['evidence']
        self.assertEqual([(e['fact'], e['value'], e['source']) for e in evidence],
                         [('listener of 127.0.0.1:5999', str(postgres), 'kernel')])
        server.kill()
        server.wait()
        tunnel = self.listening(self.compiled('ssh', LISTENER), 5999)
        self.assert_stopped(drop, 'no such server but ssh')
        tunnel.kill()
        tunnel.wait()
        own = self.world.workspace.parent / 'postgres'
        shutil.copy(postgres, own)
        os.chown(own, self.world.uid, self.world.uid)
        self.listening(own, 5999, uid=self.world.uid)
        self.assert_stopped(drop, 'no such server but postgres')

    def test_what_this_session_started_it_ends_and_what_others_started_it_does_not(self):
        code, out, err = self.run_in('sleep 1000 & /bin/kill $!; wait $!; echo rc=$?')
        self.assertEqual((code, out), (0, 'rc=143\n'), err)
        other = subprocess.Popen(['sleep', '1000'])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        self.assert_stopped(f'/bin/kill {other.pid}', "another user's process")
        self.assertIsNone(other.poll())

    def test_volumes_of_the_workspace_s_own_project_and_of_no_other(self):
        docker = self.stub('docker')
        down = f'{docker} compose down -v'
        self.assert_stopped(down, 'no compose file here')
        self.write('compose.yaml', COMPOSE)
        self.assert_runs(down)
        self.assert_stopped(f'{docker} compose -p other down -v', 'which the workspace')
        self.assert_stopped(f'DOCKER_HOST=ssh://web {down}', 'another host')
        dotenv = self.world.workspace / '.env'
        os.mkfifo(dotenv)
        os.chown(dotenv, self.world.uid, self.world.uid)
        self.assert_stopped(down, '.env: is a FIFO')
        dotenv.unlink()
        self.write('.env', 'X=1\n')
        self.assert_runs(down)
        self.write('compose.yaml', COMPOSE + '# ' + 'x' * (80 << 10) + '\n')
        self.assert_stopped(down, 'too large to be read whole')
        self.write('compose.yaml', 'volumes: [')
        self.assert_stopped(down, 'compose.yaml:1:')

    def test_a_plan_is_judged_by_what_it_takes_away(self):
        terraform = self.stub('terraform')
        apply = f'{terraform} apply -auto-approve p.plan'
        path = self.world.workspace / 'p.plan'
        for changes, stopped in ((plan(('aws_vpc.a', 1), ('aws_vpc.b', 3)), False), (plan(('aws_db_instance.shop', 5)), True)):
            with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
                archive.writestr('tfplan', changes)
                archive.writestr('tfstate', '{}')
            if stopped:
                self.assert_stopped(apply, 'aws_db_instance.shop')
            else:
                self.assert_runs(apply)
        path.unlink()
        with open(path, 'wb') as huge:
            huge.truncate(1 << 30)
        self.assert_stopped(apply, 'no archive')

    def test_a_sandbox_is_destroyed_again_once_that_was_approved_and_nothing_else_is(self):
        terraform = self.stub('terraform')
        self.write('.terraform/environment', 'sandbox')
        self.assert_stopped(f'{terraform} destroy', 'workspace sandbox')
        ticket = self.gate.lines('holds')[-1]['ticket']
        done = self.gate.cli('approve', ticket, '--until', '7d', '--reason', 'mine', '--as', DANA.name, password=DANA.password)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_runs(f'{terraform} destroy -auto-approve')
        self.assert_stopped(f'TF_WORKSPACE=live {terraform} destroy', 'workspace live')
        self.write('.terraform/environment', 'other')
        self.assert_stopped(f'{terraform} destroy', 'workspace other')

    def test_the_home_directory_is_known_as_what_it_is(self):
        folders = [self.world.home / name for name in ('.cache/pip', '.cache/ledger', 'letters')]
        for folder in folders:
            folder.mkdir(parents=True)
            (folder / 'a').write_text('a', encoding='utf-8')
            for path in (folder, folder.parent, folder / 'a'):
                os.chown(path, self.world.uid, self.world.uid)
        self.assert_stopped('rm -rf ~', 'the home directory')
        self.assert_stopped('rm -rf ~/.cache', 'the cache folder itself')
        self.assert_runs('rm -rf ~/.cache/pip && echo ran')
        self.assert_stopped('rm ~/.cache/ledger/a', 'production')
        # Whoever works there has no workspace, and not everything that is theirs as one.
        process = self.session('rm -rf letters', cwd=self.world.home)
        self.assertNotEqual(self.finish(process)[0], 0)
        self.assertIn('outside the workspace', self.last()['reason'])
        self.assertEqual([folder.exists() for folder in folders], [False, True, True])

    def test_what_lay_there_when_the_session_began_is_known_to_the_next_gate_too(self):
        reset = 'echo more >> README.md; git reset -q --hard && echo ran'
        sessions = [self.waiting(reset)]
        self.write('README.md', 'half of a sentence')
        sessions.append(self.waiting(reset))
        self.gate.kill()
        self.gate.start()
        ends = []
        for waiting in reversed(sessions):
            waiting.proceed()
            ends.append((waiting.process.stdout.read(), waiting.process.wait(timeout=case.BOUND)))
        self.assertEqual([end[0] for end in ends], ['', 'ran\n'])
        self.assertIn('uncommitted changes in 1 file', self.last()['reason'])

    def test_what_changed_since_the_session_began_is_said(self):
        terraform = self.stub('terraform')
        self.write('.terraform/environment', 'sandbox')
        self.assert_stopped(f'echo other > .terraform/environment; {terraform} destroy',
                            'workspace other', '.terraform/environment changed since this session began')


class MuteFiles(VerdictCase):
    """A session that serves a file itself, and does not."""
    CONSULT_MS = 1500

    def test_a_file_that_never_opens_is_waited_for_no_longer_than_a_consult(self):
        folder = self.world.workspace / 'served'
        folder.mkdir()
        mute = mute_fuse.MuteFiles(folder)
        self.addCleanup(mute.close)
        docker = self.stub('docker')
        self.write('compose.yaml', COMPOSE)
        os.symlink('served/env', self.world.workspace / '.env')
        down = f'{docker} compose down -v'
        self.assert_stopped(down, 'a file system that it asked may not answer')
        self.assertTrue(mute.opened.is_set())
        # Whoever waits there can't be ended: so many, and no more. Nobody else waits for them.
        self.run_in(f'for i in $(seq 20); do {down} & done; wait')
        self.assert_stopped(down, 'do not answer: end or unmount what serves them')
        self.assertEqual(self.gate.lines('status')[0]['judge']['restarts'], 0)
        mute.close()
        self.until('the readers are gone', lambda: not case.children(self.gate.process.pid).get('holdpoint-reade'))
        (self.world.workspace / '.env').unlink()
        self.assert_runs(down)


if __name__ == '__main__':
    unittest.main(verbosity=2)

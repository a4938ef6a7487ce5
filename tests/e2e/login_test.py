"""Logins over ssh, by a real server: a person's is never gated, a session's is an escape, its work over ssh goes on."""

import os
import pty
import select
import shutil
import subprocess
import time
import unittest

from e2e import case

setUpModule = case.enter


class LoginTest(case.GateCase):
    HOLD_MS = 1

    def setUp(self):
        super().setUp()
        for tool in ('dropbear', 'dropbearkey', 'ssh', 'ssh-keygen'):
            self.assertIsNotNone(shutil.which(tool, path='/usr/bin:/usr/sbin'),
                                 f'{tool} is missing: scripts/deps.sh build tests installs it')
        passwd = self.world.etc / 'passwd'
        passwd.write_text(f'{passwd.read_text()}dev:x:{self.world.uid}:{self.world.uid}::{self.world.home}:/bin/bash\n')
        shadow = self.world.etc / 'shadow'
        shadow.write_text(f'{shadow.read_text()}dev:*:19700:0:99999:7:::\n')
        self.keys()
        self.serve()

    def keys(self):
        folder = self.world.home / '.ssh'
        folder.mkdir(mode=0o700)
        key = folder / 'id_ed25519'
        subprocess.run(['ssh-keygen', '-qt', 'ed25519', '-N', '', '-f', key], check=True)
        shutil.copy(f'{key}.pub', folder / 'authorized_keys')
        (folder / 'config').write_text('Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n'
                                       '  LogLevel ERROR\n  BatchMode yes\n', encoding='ascii')
        for path in (folder, *folder.iterdir()):
            os.chown(path, self.world.uid, self.world.uid)
        (folder / 'config').chmod(0o600)

    def serve(self):
        """sshd in the scope, outside every session, on port 22 of this test's own network."""
        host_key = self.world.root / 'host.key'
        subprocess.run(['/usr/bin/dropbearkey', '-t', 'ed25519', '-f', host_key], check=True, capture_output=True)
        server = subprocess.Popen(self.world.scope.command(
            ['/usr/sbin/dropbear', '-F', '-E', '-m', '-r', host_key, '-p', '127.0.0.1:22']),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        said = server.stdout.readline()
        while 'Not backgrounding' not in said:
            self.assertTrue(said, 'the ssh server ended')
            said = server.stdout.readline()

    def ssh(self, *command):
        """What a person does: ssh from a terminal that no session started."""
        return subprocess.run(self.world.scope.command(['/usr/bin/ssh', 'dev@127.0.0.1', *command], self.world.uid),
                              cwd=self.world.workspace, env=self.world.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=case.BOUND, check=False)

    def bodies(self, kind):
        return [e[kind] for e in self.gate.events() if e['type'] == kind]


class Person(LoginTest):
    def test_a_login_is_never_gated(self):
        done = self.ssh(f'rm {self.precious}/a && echo gone')
        self.assertEqual(done.stdout, 'gone\n', done.stderr)
        self.assertEqual(self.bodies('session_started'), [])
        counts = self.gate.lines('status')[0]['kernel']
        self.assertEqual((counts['exec_seen'], counts['exec_asked']), (0, 0))

    def test_a_terminal_with_job_control_is_never_gated(self):
        pid, terminal = pty.fork()
        if pid == 0:
            argv = list(map(str, self.world.scope.command(['/usr/bin/ssh', '-tt', 'dev@127.0.0.1'], self.world.uid)))
            os.execve(argv[0], argv, self.world.environment())
        os.write(terminal, f'rm {self.precious}/a; jobs; exit\n'.encode())
        said, deadline = b'', time.monotonic() + case.BOUND
        while select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
            try:
                said += os.read(terminal, 65536)
            except OSError:  # EIO: it is closed
                break
        os.waitpid(pid, 0)
        os.close(terminal)
        self.assertNotIn(b'Stopped', said)
        self.assertFalse((self.precious / 'a').exists(), said)
        self.assertEqual(self.bodies('session_started'), [])

    def test_the_coding_agent_that_a_person_starts_there_is_a_session_and_the_person_is_not(self):
        agent = self.world.root / 'node_modules/@openai/codex-linux-x64/vendor/here/bin/codex'
        agent.parent.mkdir(parents=True)
        shutil.copy('/bin/bash', agent)
        done = self.ssh(f'{agent} -c "/bin/true; rm {self.precious}/a; echo rc=\\$?"; rm {self.precious}/b; echo mine=$?')
        self.assertEqual(done.stdout.split(), ['rc=126', 'mine=0'], done.stderr)
        self.assertTrue((self.precious / 'a').exists())
        self.assertFalse((self.precious / 'b').exists())
        self.assertEqual([e['coding_agent'] for e in self.bodies('session_started')], ['codex'])


class Session(LoginTest):
    def test_a_login_to_this_host_is_an_escape(self):
        script = self.world.root / 'clean'
        script.write_text(f'rm {self.precious}/a\n', encoding='utf-8')
        script.chmod(0o644)
        code, out, err = self.finish(self.session(f'ssh dev@127.0.0.1 rm {self.precious}/a; echo rc=$?'))
        self.assertEqual((code, out), (0, 'rc=126\n'), err)  # what is asked for is read
        self.assertTrue((self.precious / 'a').exists())
        code, out, err = self.finish(self.session(f'ssh dev@127.0.0.1 sh {script}; echo rc=$?'))
        self.assertEqual((code, out), (0, 'rc=0\n'), err)
        self.assertFalse((self.precious / 'a').exists())  # the other side carries no label: docs/threat-model.md
        escaped = self.gate.await_event(lambda e: e['type'] == 'escaped')
        self.assertEqual((escaped['escaped']['kind'], escaped['escaped']['target']), ('ssh', '127.0.0.1:22'))
        self.assertTrue(escaped['session'])

    def test_git_over_ssh_is_ordinary_work(self):
        bare = self.world.home / 'shop.git'
        code, out, err = self.finish(self.session(
            f'set -e; git init -q -b staging --bare {bare}; git remote add origin dev@127.0.0.1:{bare}; git push -q origin staging; '
            f'git fetch -q; git clone -q dev@127.0.0.1:{bare} ../again; git -C ../again log --format=%s; '
            'scp -Oq ../again/README.md dev@127.0.0.1:copied; cat ~/copied'))
        self.assertEqual((code, out), (0, 'start\n# shop, staging\n'), err)
        stopped = [e['exec']['judgement']['summary'] for e in self.gate.events() if e['type'] == 'exec' and
                   e['exec']['judgement']['verdict'].lower() not in ('allow', 'audit')]
        self.assertEqual(stopped, [])


if __name__ == '__main__':
    unittest.main(verbosity=2)

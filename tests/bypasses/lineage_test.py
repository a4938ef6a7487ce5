"""Who belongs to the session: what children try to get out of it, and work that somebody else is asked to do."""

import os
import signal
import socket
import subprocess
import unittest

from e2e.case import children
from scene import DECLARED, STOPPED, Scene, declared, row, setUpModule  # noqa: F401

SERVER_LINE = "Work handed to a server outside the session"


class Lineage(Scene):
    @row('B20', 'double fork, setsid, nohup, a daemon whose starter has ended', STOPPED)
    def test_B20_daemons_stay_in_the_session(self):
        wait = 'while [ ! -e {0} ]; do :; done; cat {0}'
        for number, way in enumerate(('setsid sh -c "{0}" &', '(setsid nohup sh -c "{0}" >/dev/null 2>&1 &) &',
                                      '( ( sh -c "{0}" & ) & )',
                                      'python3 -c "import os; os.fork() and os._exit(0); os.setsid(); '
                                      'os.fork() and os._exit(0); os.execl(\'/bin/sh\', \'sh\', \'-c\', \'{0}\')"')):
            with self.subTest(way):
                done = self.world.workspace / f'done-{number}-'

                def attempt(file, way=way, done=done):
                    mark = f'{done}{file.name}'
                    return way.format(f'rm {file}; echo > {mark}') + '\n' + wait.format(mark)
                self.stops(attempt)

    @row('C02', 'the coding agent\'s marker in the environment is removed or changed', STOPPED)
    def test_C02_the_label_is_not_in_the_environment(self):
        environment = {**self.world.environment(), 'CLAUDECODE': '1'}
        self.stops(lambda file: f'env -u CLAUDECODE rm {file}', env=environment)
        self.stops(lambda file: f'CLAUDECODE=0 rm {file}', env=environment)
        self.stops(lambda file: f'env -i /bin/rm {file}', env=environment)

    @row('C07', 'another session inside the session, in a milder environment', STOPPED)
    def test_C07_a_session_cannot_choose_another_environment(self):
        target = self.target()
        holdpoint = f'{self.gate.bin}/holdpoint --run {self.gate.run}'
        done = self.session(f'{holdpoint} run --env staging -- rm {target}; echo rc=$?', 'production')
        self.assertEqual(done.out, 'rc=77\n', done.err)
        self.assertTrue(target.exists())
        done = self.session(f'{holdpoint} run --env production -- echo on', 'production')
        self.assertEqual(done.out, 'on\n', done.err)

    @row('B22', 'namespaces of the session\'s own: unshare, nsenter', STOPPED)
    def test_B22_namespaces_change_nothing(self):
        self.stops(lambda file: f'unshare --user --map-root-user --mount --pid --fork rm {file}')

    @row('B37', 'as PID 1 of a pid namespace, or under the name of a program that is never stopped', STOPPED)
    def test_B37_what_is_never_stopped_is_no_cover(self):
        self.stops(lambda file: f'unshare --user --map-root-user --pid --fork sh -c "exec rm {file}"')
        for name in ('holdpointd', 'sshd', 'systemd', 'apt'):
            self.stops(lambda file, name=name: f'cp /bin/rm ./{name}; ./{name} {file}')

    def serve(self):
        """Somebody else's server: it runs each line that it is sent and answers with the exit status."""
        path = self.world.root / f'server-{next(self.names)}'
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()
        path.chmod(0o777)
        code = ('import os, socket, sys\ns = socket.socket(fileno=int(sys.argv[1]))\nwhile True:\n'
                '    c = s.accept()[0]; c.sendall(b"%d" % os.system(c.recv(4096).decode())); c.close()')
        process = subprocess.Popen(self.world.scope.command(['/usr/bin/python3', '-c', code, server.fileno()],
                                                            self.world.uid), pass_fds=[server.fileno()])
        self.addCleanup(lambda: (process.kill(), process.wait(), server.close()))
        return path

    def ask(self, path, text):
        client = (f'import socket; s = socket.socket(socket.AF_UNIX); s.connect("{path}"); s.sendall(b"{text}"); '
                  'print(s.recv(9).decode())')
        return f"/usr/bin/python3 -c '{client}'"

    @row('B21', 'a server outside does it: systemd-run, cron, D-Bus, a tmux or VS Code server', DECLARED)
    def test_B21_a_server_s_children_carry_no_label(self):
        declared(SERVER_LINE)
        path = self.serve()
        self.passes_unseen(lambda file: self.ask(path, f'rm {file}'))

    @row('B22', 'a container engine does it, through its socket', DECLARED)
    def test_B22_a_container_engine_is_a_server_outside(self):
        declared(SERVER_LINE, 'a container engine')
        path = self.serve()
        self.passes_unseen(lambda file: self.ask(path, f'rm {file}'))

    @row('B21', 'a tmux server that the session itself started', STOPPED)
    def test_B21_a_server_of_the_session_carries_the_label(self):
        def attempt(file):
            name = f'hp{next(self.names)}'
            return (f'tmux -L {name} -f /dev/null new-session -d "rm {file}; tmux -L {name} wait-for -S done; sleep 60"; '
                    f'tmux -L {name} wait-for done; tmux -L {name} kill-server')
        self.stops(attempt)

    @row('B23', 'ssh to this host or another, scp, mosh, ansible: what a script there does', DECLARED)
    def test_B23_the_remote_side_is_not_seen(self):
        declared('**What a remote side does.**', 'What a remote script does is not seen.')
        # A stand-in for the two ends: what counts is that ssh itself passes, whatever the script does.
        path = self.serve()
        ssh = self.world.workspace / 'ssh'
        self.own(ssh, text='#!/usr/bin/python3\nimport socket, sys\ns = socket.socket(socket.AF_UNIX)\n'
                 f's.connect("{path}")\ns.sendall(" ".join(sys.argv[2:]).encode())\nsys.exit(int(s.recv(9)))\n')
        ssh.chmod(0o755)
        script = self.world.workspace / 'tidy'
        self.own(script, text='#!/bin/sh\nrm "$1"\n')
        script.chmod(0o755)
        self.passes_unseen(lambda file: f'./ssh prod-host {script} {file}')

    @row('B24', 'writing into a process of the same user that is outside the session', DECLARED)
    def test_B24_another_process_s_memory(self):
        declared('Other processes of the same user')
        waiter, outside = self.compile('waiter.c'), self.compile('outside.c')
        target = self.target()
        person = subprocess.Popen(self.world.scope.command([waiter], self.world.uid), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        address = person.stdout.readline().strip()
        done = self.session(f'{outside} {person.pid} {address} "rm {target}"')
        self.assertEqual(done.code, 0, done.err)
        person.communicate('go\n', timeout=60)
        self.assertFalse(target.exists())

    @row('B24', 'LD_PRELOAD into a program of the session', STOPPED)
    def test_B24_what_is_preloaded_runs_after_the_verdict(self):
        library = self.compile('constructor.c', '-shared', '-fPIC', '-DLIBRARY', target='preload.so')
        target, spare = self.target(), self.spare()
        done = self.session(f'LD_PRELOAD={library} rm {target}; echo rc=$?')
        self.assertEqual(done.out, 'rc=126\n', done.err)
        done = self.session(f'LD_PRELOAD={library} rm {spare}; echo rc=$?')
        self.assertEqual(done.out, 'Crc=0\n', done.err)


class Recognition(Scene):
    """A stand-in with the fingerprint of mini-swe-agent: a script of this name with this import."""

    TEXT = '''#!/usr/bin/python3 -IB
# from minisweagent.run.mini import app
import subprocess, sys
print("exit", subprocess.run(["/bin/sh", "-c", sys.argv[1]]).returncode, flush=True)
'''

    @classmethod
    def before_gate(cls):
        cls.mini = cls.bin / 'mini'
        cls.mini.write_text(cls.TEXT)
        cls.mini.chmod(0o755)
        cls.early_target, cls.early_spare = cls.own(cls.precious / 'early'), cls.own(cls.precious / 'early-person')
        # The same, not named after a coding agent and of no text of one.
        person = cls.bin / 'own'
        person.write_text(cls.TEXT.replace('minisweagent', 'agentless'))
        person.chmod(0o755)
        cls.early_person = cls.start_waiting(person, f'rm {cls.early_spare}')
        cls.early = cls.start_waiting(cls.mini, f'rm {cls.early_target}')

    @classmethod
    def start_waiting(cls, program, shell):
        """Outside every session; it goes on when it is sent a line."""
        process = subprocess.Popen(cls.world.scope.command([program, f'echo ready; read go; {shell}'], cls.world.uid),
                                   cwd=cls.world.workspace, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env=cls.world.environment())
        cls.addClassCleanup(lambda: (process.kill(), process.wait(), process.stdin.close(), process.stdout.close()))
        if process.stdout.readline() != 'ready\n':
            raise AssertionError(f'{program} did not start')
        return process

    def agent(self, *argv, environment=None):
        """What the command of a coding agent outside every session ended with."""
        done = subprocess.run(self.world.scope.command(argv, self.world.uid), cwd=self.world.workspace,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
                              env=environment or self.world.environment())
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr

    def test_the_stand_in_is_recognised(self):
        self.assertEqual(self.agent(self.mini, f'rm {self.target()}'), 'exit 126')
        self.assertEqual(self.agent(self.mini, f'rm {self.spare()}'), 'exit 0')

    @row('B28', 'the coding agent started by its interpreter, a wrapper or a link, or without its environment', STOPPED)
    def test_B28_each_signal_alone_is_enough(self):
        link = self.world.root / 'bin' / 'mini-e'
        link.symlink_to(self.mini)
        for argv in (('/usr/bin/python3', self.mini), ('/usr/bin/env', self.mini), (link,),
                     ('/bin/sh', '-c', f'exec {self.mini} "$1"', 'sh')):
            with self.subTest(argv):
                self.assertEqual(self.agent(*argv, f'rm {self.target()}'), 'exit 126')
        self.assertEqual(self.agent(self.mini, f'/bin/rm {self.target()}', environment={'PATH': '/bin'}), 'exit 126')

    def renamed(self, name):
        other = self.world.root / 'bin' / name
        other.write_text(self.TEXT)
        other.chmod(0o755)
        return other

    def await_session_of(self, script):
        """The session of a process that runs `script`."""
        return self.gate.await_event(lambda e: e['type'] == 'session_started' and
                                     str(script) in e['session_started']['root'].get('argv', []))['session_started']

    @row('B28', 'the coding agent\'s program under a name that nobody has listed, after its first moments', STOPPED)
    def test_B28_a_renamed_coding_agent_is_known_by_what_its_files_hold(self):
        self.await_session_of(self.mini)  # that python is an interpreter is known by now
        other, target = self.renamed('foo'), self.target()
        running = self.start_waiting(other, f'rm {target}')
        self.assertEqual(self.await_session_of(other)['coding_agent'], 'mini-swe-agent')
        self.assertEqual(running.communicate('go\n', timeout=60)[0], 'exit 126\n')
        # From then on at once.
        self.assertEqual(self.agent(other, f'rm {target}'), 'exit 126')
        self.assertTrue(target.exists())

    @row('B28', 'the same in its first moments, before anybody has looked at it', DECLARED)
    def test_B28_the_first_moments_of_a_renamed_coding_agent(self):
        declared('A coding agent under another name', 'not before it has been looked at')
        other, target = self.renamed('bar'), self.target()
        judge = children(self.gate.process.pid)['holdpoint-judge'][0]
        os.kill(judge, signal.SIGSTOP)  # nobody looks while it is stopped
        self.addCleanup(os.kill, judge, signal.SIGCONT)
        self.assertEqual(self.agent(other, f'rm {target}'), 'exit 0')
        self.assertFalse(target.exists())
        os.kill(judge, signal.SIGCONT)
        # With `holdpoint run` it is a session from the start, whatever its name is.
        target = self.target()
        self.assertIn('exit 126', self.session(f"{other} 'rm {target}'").out)
        self.assertTrue(target.exists())

    @row('B29', 'the coding agent was started before Holdpoint', STOPPED)
    def test_B29_who_was_there_before_is_found(self):
        started = self.await_session_of(self.mini)
        self.assertTrue(started['found_at_start'])
        self.assertEqual(started['root']['tgid'], self.early.pid)
        out, _ = self.early.communicate('go\n', timeout=60)
        self.assertEqual(out, 'exit 126\n')
        self.assertTrue(self.early_target.exists())
        # It is older, so it has been looked at by now.
        out, _ = self.early_person.communicate('go\n', timeout=60)
        self.assertEqual(out, 'exit 0\n')
        self.assertFalse(self.early_spare.exists())


if __name__ == '__main__':
    unittest.main(verbosity=2)

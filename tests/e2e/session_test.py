"""Who is in a session and who is not, with real programs and stand-ins for coding agents."""

import os
import shlex
import shutil
import socket
import subprocess
import unittest

from e2e import isolation, session_case
from e2e.session_case import SessionCase

setUpModule = session_case.enter


class Recognised(SessionCase):
    def test_a_script_of_another_name_by_the_package_around_it(self):
        # Long lived, as a coding agent is: it is looked at while it runs, and its tool starts after that.
        self.script('tool/package.json', '{"name": "@google/gemini-cli"}')
        ready = self.world.root / 'ready'
        os.mkfifo(ready)
        ready.chmod(0o666)
        program = self.script('tool/dist/foo.js', f'''
const fs = require('fs');
fs.readFileSync({str(ready)!r});
const done = require('child_process').spawnSync('/bin/sh', ['-c', process.argv[2]], {{encoding: 'utf8'}});
console.log(done.stdout + done.stderr, 'exit', done.status);
''')
        running = subprocess.Popen(self.world.scope.command(['/usr/bin/node', program, self.world.delete_volume()],
                                                            self.world.uid),
                                   cwd=self.world.workspace, env=self.world.environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started = self.await_body('session_started')
        ready.write_text('go', encoding='ascii')
        said = running.communicate(timeout=60)[0]
        self.assertEqual(started['coding_agent'], 'gemini-cli')
        self.assertIn('package.json', started['recognised_by'])
        self.assertIn('exit 126', said)
        self.assert_every_byte_is_there()

    def test_the_same_script_of_another_package_is_left_alone(self):
        self.script('tool/package.json', '{"name": "own-tool"}')
        program = self.script('tool/dist/foo.js', 'require("child_process").spawnSync("/bin/sh", ["-c", process.argv[2]])')
        self.run_in_scope('/usr/bin/node', program, self.world.delete_volume())
        self.assert_gone()
        self.assertEqual(self.bodies('session_started'), [])

    def test_a_wrapper_of_its_name_that_starts_something_else_is_left_alone(self):
        wrapper = self.script('bin/codex', f'#!/usr/bin/env bash\n{self.world.delete_volume()}\n')
        self.assertEqual(self.run_in_scope(wrapper)[0], 0)
        self.assert_gone()

    def test_a_wrapper_that_execs_the_coding_agent(self):
        wrapper = self.script('bin/claude', f'#!/usr/bin/env bash\nexec {self.codex} "$@"\n')
        said = self.run_in_scope(wrapper, '-c', self.world.delete_volume() + '; echo exit $?')[1]
        self.assertIn('exit 126', said)
        self.assert_every_byte_is_there()

    def test_what_nobody_has_seen_running_says_so(self):
        program = self.world.home / '.local' / 'bin' / 'kiro-cli'
        program.parent.mkdir(parents=True)
        shutil.copy('/bin/bash', program)
        go = self.fifo('go')
        running = self.start_in_scope(program, '-c', f'read x < {go}; :')
        started = self.await_body('session_started')
        self.assertEqual(started['coding_agent'], 'kiro-cli')
        self.assertIn('unverified', started['recognised_by'])
        self.assertEqual([row['recognised_by'] for row in self.gate.lines('sessions')], [started['recognised_by']])
        go.write_text('go\n', encoding='ascii')
        running.communicate(timeout=session_case.BOUND)
        self.run_in_scope(self.codex, '-c', ':')
        codex = self.await_body('session_started', lambda body: body['coding_agent'] == 'codex')
        self.assertNotIn('unverified', codex['recognised_by'])

    def test_a_marker_alone_starts_nothing(self):
        code, _ = self.run_in_scope('/bin/sh', '-c', self.world.delete_volume(), CLAUDECODE='1', CODEX_THREAD_ID='a')
        self.assertEqual(code, 0)
        self.assert_gone()
        self.assertEqual(self.bodies('session_started'), [])


class RanBefore(SessionCase):
    """Started before the gate: an editor's server with a person's terminal, and below it a coding agent with a tool."""

    def before_gate(self):
        self.person, self.tool, ready = self.fifo('person'), self.fifo('tool'), self.fifo('ready')
        self.script('rm-all', f'#!/bin/sh\n{self.world.delete_volume()}\n')
        steps = 'echo > {ready}; read x < {go}; {rm}; echo {name}: $?'
        person, tool = (steps.format(ready=ready, go=go, rm=self.world.root / 'rm-all', name=name)
                        for go, name in ((self.person, 'person'), (self.tool, 'tool')))
        server = self.script('.vscode-server/server-main.sh', f'''#!/bin/bash
TERM_PROGRAM=vscode CLAUDECODE=1 /bin/bash -c {shlex.quote(person)} &
{self.codex} -c {shlex.quote(f"/bin/sh -c {shlex.quote(tool)}; :")}
wait
''')
        self.server = self.start_in_scope(server)
        with open(os.open(ready, os.O_RDWR), encoding='ascii') as both:  # One who opens it to write always finds a reader.
            for _ in range(2):
                both.readline()

    def test_the_coding_agent_is_a_session_with_what_it_has_started_and_nothing_else_is(self):
        started = self.await_body('session_started')
        self.assertEqual((started['coding_agent'], started['root']['executable']), ('codex', str(self.codex)))
        self.assertTrue(started['found_at_start'])
        self.tool.write_text('go\n', encoding='ascii')
        self.await_body('session_ended')
        self.assert_every_byte_is_there()
        self.person.write_text('go\n', encoding='ascii')
        said = self.server.communicate(timeout=session_case.BOUND)[0]
        self.assertIn('tool: 126', said)
        self.assertIn('person: 0', said)
        self.assert_gone()
        self.assertEqual(len(self.bodies('session_started')), 1)


class Carried(SessionCase):
    def test_a_launched_session_ends_with_its_last_process(self):
        for _ in range(3):  # the first one would end by the look at all tasks that is due once a minute
            self.run_in_scope(self.gate.bin / 'holdpoint', '--run', self.gate.run, 'run', '--', '/bin/true')
        self.gate.await_event(lambda e: e['type'] == 'session_ended' and len(self.bodies('session_ended')) == 3)
        self.assertEqual([e['coding_agent'] for e in self.bodies('session_started')], ['run'] * 3)

    def test_ids_guards_user_remote_and_branch(self):
        subprocess.run(['git', 'remote', 'add', 'origin', 'https://u:secret@git.example/shop'], cwd=self.world.workspace,
                       check=True, user=self.world.uid, group=self.world.uid, extra_groups=[],
                       env={'HOME': str(self.world.home), 'PATH': os.environ['PATH']})
        tools = 'CODEX_THREAD_ID=t-1 /usr/bin/id; CODEX_THREAD_ID=t-2 /usr/bin/env; CODEX_THREAD_ID="no id" /bin/date; :'
        self.run_in_scope(self.codex, '-c', tools, 'codex', '--yolo')
        started = self.await_body('session_started')
        self.assertEqual(started['guards_off'], ['--yolo'])
        self.assertEqual(started['git_remote'], 'https://git.example/shop')
        self.assertEqual(started['git_branch'], 'staging')
        self.assertEqual(started['root']['working_directory'], str(self.world.workspace))
        updated = self.await_body('session_updated', lambda e: ',' in e['join_keys'].get('CODEX_THREAD_ID', ''))
        self.assertEqual(updated['join_keys'], {'CODEX_THREAD_ID': 't-1,t-2'})
        ended = self.await_body('session_ended')
        self.assertEqual(ended['started_unix_ns'], started['started_unix_ns'])

    def test_a_nested_coding_agent_raises_its_session_to_the_stricter_environment(self):
        inner = f'cd {self.production}; {self.codex} -c "/bin/true; :"; :'
        self.run_in_scope(self.world.programs / 'holdpoint', '--run', self.gate.run, 'run', '--env', 'staging', '--',
                          '/bin/sh', '-c', inner)
        updated = self.await_body('session_updated')
        self.assertEqual(updated['environment']['environment'], 'production')
        self.assertTrue(updated['environment']['protected'])

    def test_a_nested_one_in_a_laxer_place_does_not_lower_it(self):
        inner = f'cd {self.world.workspace}; {self.codex} -c "/bin/true; :"; :'
        self.run_in_scope(self.world.programs / 'holdpoint', '--run', self.gate.run, 'run', '--env', 'production', '--',
                          '/bin/sh', '-c', inner)
        updated = self.await_body('session_updated')
        self.assertEqual(updated['environment']['environment'], 'production')


class Kept(SessionCase):
    def test_in_new_namespaces(self):
        tool = f"unshare -Urpf --mount-proc /bin/sh -c '/usr/bin/id; :'; unshare -Ur rm -rf {self.world.home}/data"
        (self.world.home / 'data').mkdir()
        os.chown(self.world.home / 'data', self.world.uid, self.world.uid)
        self.run_in_scope(self.codex, '-c', tool + '; :')
        self.await_body('session_ended')
        rolled = {r['subject'] for r in self.bodies('rollup')} | {
            e['process']['executable'] for e in self.bodies('exec')}
        self.assertIn('/usr/bin/id', rolled)

    def test_a_daemon_of_its_own_session_and_parent(self):
        pid = self.world.root / 'pid'
        pid.touch()
        pid.chmod(0o666)
        tool = f"setsid /bin/sh -c '(exec sleep 1000 >/dev/null 2>&1) & echo $! > {pid}'"
        self.run_in_scope(self.codex, '-c', tool + '; :')
        daemon = pid.read_text().strip()
        rows = self.gate.lines('sessions')
        self.assertEqual([row['coding_agent'] for row in rows], ['codex'])
        self.assertEqual(self.gate.cli('sessions', 'detach', daemon).returncode, 0)

    def test_two_terminals_of_one_shared_daemon_are_told_apart(self):
        """As interactive Codex does it: the first terminal leaves a daemon, which runs the tools of every later one."""
        copy = self.world.home / '.codex/packages/app-server-daemon/releases/0.169.0/bin/codex'
        copy.parent.mkdir(parents=True)
        shutil.copy(self.codex, copy)
        home, jobs, end = self.world.home, self.fifo('jobs'), self.fifo('end')
        for name in ('own', 'one', 'two'):
            (home / name).mkdir()
            (home / name / 'data').write_text('data', encoding='ascii')
            os.chown(home / name, self.world.uid, self.world.uid)
        serve = f'exec 3<>{jobs}; while read -r thread name <&3; do CODEX_THREAD_ID=$thread /bin/rm -rf {home}/$name; done'
        self.run_in_scope(self.codex, '-c', f'setsid {copy} -c {shlex.quote(serve)} >/dev/null 2>&1 </dev/null & :')
        ours = self.gate.await_event(lambda e: e['type'] == 'session_started')['session']
        second = self.start_in_scope(self.codex, '-c', f'CODEX_THREAD_ID=t-2 /bin/rm -rf {home}/own; read x < {end}; :')
        theirs = self.gate.await_event(lambda e: e['type'] == 'session_started' and e['session'] != ours)['session']
        with open(jobs, 'w', encoding='ascii') as daemon:
            daemon.write('t-1 one\nt-2 two\n')

        def who(name):
            event = self.gate.await_event(lambda e: e['type'] == 'exec' and e['exec']['process'].get('argv', [''])[-1].endswith(f'/{name}'))
            return event['session'], event['exec']['process']['join_keys']['CODEX_THREAD_ID']

        # The kernel says in whose processes it ran, the coding agent's id for whom: the second one's work in the first's daemon.
        self.assertEqual((who('own'), who('one'), who('two')), ((theirs, 't-2'), (ours, 't-1'), (ours, 't-2')))
        end.write_text('go\n', encoding='ascii')
        second.wait()
        self.gate.await_event(lambda e: e['type'] == 'session_ended' and e['session'] == theirs)
        row, = self.gate.lines('sessions')
        self.assertEqual((row['id'], row['join_keys']['CODEX_THREAD_ID'], row['processes']), (ours, 't-1,t-2', 1))

    def test_a_tool_shell_below_an_editors_server_and_the_persons_terminal_beside_it(self):
        server = self.script('.vscode-server/server-main.sh', f'''#!/bin/bash
TERM_PROGRAM=vscode CLAUDECODE=1 /bin/bash -c 'echo person: $(/usr/bin/id -u)'
{self.codex} -c "{self.world.root}/rm-all; echo tool: \\$?"
''')
        self.script('rm-all', '#!/bin/sh\n' + self.world.delete_volume() + '\n')
        said = self.run_in_scope(server)[1]
        self.assertIn(f'person: {self.world.uid}', said)
        self.assertIn('tool: 126', said)
        self.assert_every_byte_is_there()
        self.assertEqual([s['root']['executable'] for s in self.bodies('session_started')], [str(self.codex)])


@unittest.skipUnless(shutil.which('tmux'), 'tmux is not installed')
class Tmux(SessionCase):
    def setUp(self):
        super().setUp()
        self.socket = self.world.home / 'a socket'
        self.tmux = ['tmux', '-f', '/dev/null', '-S', str(self.socket)]
        self.addCleanup(subprocess.run, [*self.tmux, 'kill-server'], stderr=subprocess.DEVNULL, check=False)

    def test_a_server_from_outside_is_an_escape_by_what_it_bound(self):
        self.run_in_scope(*self.tmux, 'new-session', '-d', '/bin/sh')
        alias = self.world.home / 'innocent'
        alias.symlink_to(self.socket)
        self.run_in_scope(self.codex, '-c', f'tmux -S {alias} new-window -d /bin/sh; :')
        escaped = self.await_body('escaped')
        self.assertEqual((escaped['kind'], escaped['by'], escaped['target']), ('tmux', 'unix socket', str(self.socket)))
        self.assertIn('/tmux', escaped['peer']['executable'])
        self.assertNotIn('peer_session', escaped)

    def test_a_server_of_its_own_is_in_the_session(self):
        stop = self.world.root / 'stop'
        os.mkfifo(stop)
        stop.chmod(0o666)
        delete = self.script('rm-all', f'#!/bin/sh\n{self.world.delete_volume()}\necho $? > {stop}\n')
        tmux = f"tmux -f /dev/null -S '{self.socket}'"
        code = subprocess.Popen(self.world.scope.command([self.codex, '-c', f'{tmux} new-session -d {delete}; :'],
                                                         self.world.uid),
                                cwd=self.world.workspace, env=self.world.environment(), stdin=subprocess.DEVNULL)
        self.assertEqual(stop.read_text(), '126\n')
        code.wait(timeout=60)
        self.assert_every_byte_is_there()
        self.assertEqual(self.bodies('escaped'), [])


class Servers(SessionCase):
    CONNECT = 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])'

    def listen(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()
        path.chmod(0o777)
        self.addCleanup(server.close)

    def test_an_engine_and_a_server_of_the_workspace_beside_it(self):
        self.listen(self.world.root / 'engine' / 'docker.sock')  # a stand-in: only the name it binds is docker's
        self.listen(self.world.root / 'engine' / 'dev.sock')
        tools = '; '.join(f"/usr/bin/python3 -c '{self.CONNECT}' {self.world.root}/engine/{name}"
                          for name in ('dev.sock', 'docker.sock'))
        self.run_in_scope(self.codex, '-c', tools + '; :')
        self.await_body('session_ended')
        self.assertEqual([(e['kind'], e['peer']['tgid']) for e in self.bodies('escaped')], [('docker', os.getpid())])

    def test_ssh_to_this_host(self):
        server = socket.create_server(('127.0.0.1', 22))  # a stand-in for sshd: only its port is looked at
        self.addCleanup(server.close)
        other = socket.create_server(('127.0.0.1', 2222))
        self.addCleanup(other.close)
        connect = 'import socket; [socket.create_connection(("127.0.0.1", p)) for p in (2222, 22)]'
        self.run_in_scope(self.codex, '-c', f"/usr/bin/python3 -c '{connect}'; :")
        self.await_body('session_ended')
        self.assertEqual([(e['kind'], e['target']) for e in self.bodies('escaped')], [('ssh', '127.0.0.1:22')])

    def test_crontab_is_one_each_time(self):
        crontab = self.script('bin/crontab', '')
        shutil.copy('/bin/true', crontab)
        self.run_in_scope(self.codex, '-c', f'{crontab} -l; {crontab} -; /bin/true; :')
        self.await_body('session_ended')
        self.assertEqual([(e['kind'], e['by']) for e in self.bodies('escaped')], [('cron', 'command')] * 2)

    def test_leaving_the_scope(self):
        elsewhere = isolation.Scope('elsewhere')
        self.addCleanup(elsewhere.end)
        (elsewhere.path / 'cgroup.procs').chmod(0o666)
        self.world.uid_before, self.world.uid = self.world.uid, 0  # Only root moves between these two.
        self.addCleanup(setattr, self.world, 'uid', self.world.uid_before)
        # Its first deed; it lives on until it has been looked at.
        running = subprocess.Popen(self.world.scope.command(
            [self.codex, '-c', f'echo 0 > {elsewhere.path}/cgroup.procs; read x'], self.world.uid),
            cwd=self.world.workspace, env=self.world.environment(), stdin=subprocess.PIPE)
        escaped = self.await_body('escaped')
        running.communicate(b'go\n', timeout=60)
        self.assertEqual((escaped['kind'], escaped['by']), ('cgroup', 'moved'))


if __name__ == '__main__':
    unittest.main(verbosity=2)

"""The gate on the real kernel, with small programs in place of a coding agent: what happens when things go wrong."""

import contextlib
import errno
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import unittest

from e2e import fixture_config, gate, isolation, people, world

PLACE = None
DANA = people.Person('dana', 61010, 'a long sentence of dana')
LEE = people.Person('lee', 61011, 'another sentence, of lee')

# The first thing this program does is to write one byte.
WRITER = r'''
#include <unistd.h>
int main(int argc, char **argv) { return write(1, "x", 1) == 1 ? 0 : 1; }
'''


def comm(pid):
    return pathlib.Path(f'/proc/{pid}/comm').read_text(encoding='utf-8').strip()


def setUpModule():
    global PLACE
    PLACE = isolation.enter()


class GateTest(unittest.TestCase):
    HOLD_MS = 60000
    CONFIG = ''
    FLAGS = ()

    def setUp(self):
        self.world = world.World(PLACE)
        self.addCleanup(self.world.close)
        people.move_in(self.world, [DANA, LEE])
        self.precious = self.world.root / 'precious'
        self.precious.mkdir()
        self.file('a')
        self.file('b')
        self.precious.chmod(0o777)
        os.chown(self.precious, self.world.uid, self.world.uid)
        self.prepare()
        self.gate = gate.Gate(self.world, self.config(), flags=self.FLAGS)
        self.addCleanup(self.gate.stop)

    def config(self):
        text = fixture_config.text(self.world, hold_ms=self.HOLD_MS)
        path = f'resources:\n  - {{type: path, id: "{self.precious}/*", environment: production}}'
        return text.replace('resources:', path) + self.CONFIG

    def prepare(self):
        """What has to be there before the gate starts."""

    def writer(self, name):
        """Builds WRITER under this name and gives its path."""
        source, folder = self.world.root / 'writer.c', self.world.root / 'bin'
        source.write_text(WRITER)
        folder.mkdir(exist_ok=True)
        subprocess.run(['gcc', '-O1', '-o', folder / name, source], check=True)
        return folder / name

    def file(self, name):
        path = self.precious / name
        path.write_text('data')
        os.chown(path, self.world.uid, self.world.uid)
        return path

    def session(self, shell, environment='staging', **options):
        """Starts `sh -c SHELL` as a session of its own inside the scope."""
        argv = self.world.scope.command(
            [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'run', '--env', environment, '--', 'sh', '-c', shell],
            uid=self.world.uid)
        options.setdefault('stdin', subprocess.DEVNULL)
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.world.workspace,
                                env=self.world.environment(), text=True, **options)

    def finish(self, process):
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def await_event(self, kind):
        """The first event of a kind; follows the record until it is there."""
        follow = subprocess.Popen([self.gate.bin / 'holdpoint', '--run', self.gate.run, 'events', '-f', '--json'],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            return next(e for e in map(json.loads, follow.stdout) if e['type'] == kind)
        finally:
            follow.kill()
            follow.wait()
            follow.stdout.close()

    def kinds(self):
        return [e['type'] for e in self.gate.events()]


class Holding(GateTest):
    def test_deny_leaves_the_file_and_approve_lets_exactly_this_act_run(self):
        denied = self.session(f'rm {self.precious}/a; echo rc=$?')
        row = self.gate.await_hold()
        self.assertEqual(self.gate.decide('deny', row['ticket'], DANA).returncode, 0)
        code, out, err = self.finish(denied)
        self.assertEqual((code, out), (0, 'rc=126\n'), err)
        self.assertIn('holdpoint: ', err)
        self.assertTrue((self.precious / 'a').exists())

        approved = self.session(f'rm {self.precious}/a; echo rc=$?; rm {self.precious}/b; echo rc=$?')
        row = self.gate.await_hold()
        self.assertEqual(self.gate.decide('approve', row['ticket'], DANA).returncode, 0)
        second = self.gate.await_hold()
        self.assertNotEqual(second['ticket'], row['ticket'])
        self.assertFalse((self.precious / 'a').exists())
        self.assertTrue((self.precious / 'b').exists())
        self.gate.decide('deny', second['ticket'], DANA)
        self.assertEqual(self.finish(approved)[1], 'rc=0\nrc=126\n')

    def test_nobody_decides_from_inside_a_session(self):
        held = self.session(f'rm {self.precious}/a')
        ticket = self.gate.await_hold()['ticket']
        inside = self.session(f'exec {self.gate.bin}/holdpoint --run {self.gate.run} approve {ticket} --once '
                              f'--reason because --as dana --password-fd 0')
        code, _, err = self.finish(inside)
        self.assertEqual(code, 77, err)
        self.assertTrue((self.precious / 'a').exists())
        self.gate.decide('deny', ticket, DANA)
        self.finish(held)

    def test_caller_that_gives_up_ends_what_it_started(self):
        held = self.session(f'exec rm {self.precious}/a')
        self.gate.await_hold()
        held.send_signal(signal.SIGTERM)
        self.assertNotEqual(self.finish(held)[0], 0)
        self.assertTrue((self.precious / 'a').exists())

    def test_session_is_killed_with_everything_in_it(self):
        held = self.session(f'setsid sleep 1000 & setsid sleep 1000 & rm {self.precious}/a')
        self.gate.await_hold()
        session = self.gate.lines('sessions')
        rows = [r for row in session for r in row.get('sessions', [row])]
        done = self.gate.cli('kill', rows[0]['id'])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.finish(held)
        self.assertEqual(self.world.scope.processes(), [])
        self.assertTrue((self.precious / 'a').exists())


class Refusing(GateTest):
    HOLD_MS = 1

    def test_refused_ends_with_126_and_the_neighbour_runs(self):
        code, out, err = self.finish(self.session(
            f'rm {self.precious}/a; echo rc=$?; touch {self.precious}/c; rm -f ./nothing-there; echo rc=$?'))
        self.assertEqual(code, 0, err)
        self.assertEqual(out, 'rc=126\nrc=0\n')
        self.assertIn('holdpoint: REFUSED', err)
        self.assertTrue((self.precious / 'a').exists())
        self.assertTrue((self.precious / 'c').exists())

    def test_copied_and_renamed_program_is_known_by_what_it_is(self):
        code, out, err = self.finish(self.session(
            f'cp $(command -v rm) ./tidy && ./tidy {self.precious}/a; echo rc=$?'))
        self.assertEqual(out, 'rc=126\n', err)
        self.assertTrue((self.precious / 'a').exists())

    def test_approval_for_something_that_is_gone(self):
        done = self.gate.decide('approve', 'HP-ZZZZ', DANA)
        self.assertEqual(done.returncode, 69)
        self.assertIn('HP-ZZZZ', done.stderr)


class Killing(GateTest):
    """A rule may say kill (the process) or kill_session (everything in it)."""

    PACK = '''schema: 1
family: test
mode: enforce
tools: [{names: [wipe], options: "all,a"}, {names: [raze], options: "all,a"}]
rules:
  - id: test.wipe
    effect: destroy
    recoverability: irreversible
    verdict: kill
    why: wipes everything
    when: {tool: wipe, options: {any: [all]}}
    cases: {fires: [{argv: [wipe, -a]}], passes: [{argv: [wipe]}]}
  - id: test.raze
    effect: destroy
    recoverability: irreversible
    verdict: kill_session
    why: razes everything
    when: {tool: raze, options: {any: [all]}}
    cases: {fires: [{argv: [raze, -a]}], passes: [{argv: [raze]}]}
'''

    def prepare(self):
        (gate.rules(self.world) / 'ours.yaml').write_text(self.PACK)

    def test_kill_ends_the_process_before_it_ran_and_nothing_else(self):
        wipe = self.writer('wipe')
        code, out, err = self.finish(self.session(f'{wipe} -a; echo rc=$?; {wipe}; echo rc=$?'))
        self.assertEqual((code, out), (0, 'rc=137\nxrc=0\n'), err)
        judged = self.await_event('exec')['exec']['judgement']
        self.assertEqual((judged['rule'], judged['verdict'].lower()), ('test.wipe', 'kill'))

    def test_kill_session_ends_everything_in_it_and_no_other_session(self):
        raze = self.writer('raze')
        other = self.session('echo ready; read x; echo still here', stdin=subprocess.PIPE)
        self.assertEqual(other.stdout.readline(), 'ready\n')
        _, out, _ = self.finish(self.session(f'{raze}; setsid sleep 1000 & setsid sleep 1000 & {raze} -a; echo never'))
        self.assertEqual(out, 'x')
        self.assertEqual(self.left_of_the_killed(), {'sh'})
        self.assertEqual(other.communicate('go\n', timeout=60)[0], 'still here\n')

    def left_of_the_killed(self):
        """The programs in the scope once those that are ending have gone: a task leaves its group after its files."""
        deadline = time.monotonic() + 60
        while True:
            left = set()
            for pid in self.world.scope.processes():
                with contextlib.suppress(OSError):
                    left.add(comm(pid))
            if left == {'sh'} or time.monotonic() > deadline:
                return left
            os.sched_yield()


class OutsideTheScope(GateTest):
    def test_no_process_outside_is_recognised_labelled_traced_or_stopped(self):
        path = self.world.root / 'mini'
        path.write_text('#!/usr/bin/python3\nimport subprocess\n'
                        f'print(subprocess.run(["rm", "{self.precious}/a"]).returncode)\n')
        path.chmod(0o755)
        outside = subprocess.run([path], capture_output=True, text=True, check=True)
        self.assertEqual(outside.stdout, '0\n')
        self.assertFalse((self.precious / 'a').exists())
        self.assertNotIn('session_started', self.kinds())
        stats = self.gate.lines('status')[0]['kernel']
        self.assertEqual(stats['exec_seen'], 0)


class GateKilled(GateTest):
    def test_held_task_ends_and_restart_finds_the_session_again(self):
        held = self.session(f'rm {self.precious}/a; echo rc=$?; read forever < {self.world.root}/fifo')
        os.mkfifo(self.world.root / 'fifo')
        os.chmod(self.world.root / 'fifo', 0o666)
        self.gate.await_hold()
        before = self.gate.lines('sessions')
        self.gate.kill()
        self.assertEqual(held.stdout.readline(), 'rc=137\n')
        self.assertTrue((self.precious / 'a').exists())
        self.gate.start()
        after = self.gate.lines('sessions')
        ids = lambda rows: [r['id'] for row in rows for r in row.get('sessions', [row])]
        self.assertEqual(ids(after), ids(before))
        self.assertTrue(any(e['type'] == 'session_started' and e['session_started'].get('found_at_start')
                            for e in self.gate.events()))
        done = self.gate.cli('verify')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(self.world.root / 'fifo', 'w', encoding='ascii'):
            pass
        self.finish(held)

    def fail_mode(self, environment):
        """What an unseen program does in a session of `environment` after the gate was killed while idle."""
        program = self.writer('writer')
        ready, go = os.pipe(), os.pipe()
        waiting = self.session(f'echo r >&{ready[1]}; read x <&{go[0]}; {program}; echo rc=$?', environment,
                               pass_fds=(ready[1], go[0]))
        os.read(ready[0], 1)
        self.gate.kill()
        os.write(go[1], b'go\n')
        out = self.finish(waiting)[1]
        for fd in (*ready, *go):
            os.close(fd)
        return out

    def test_protected_environment_fails_closed_at_once(self):
        self.assertEqual(self.fail_mode('production'), 'rc=137\n')

    def test_other_environments_fail_open_at_once_and_nothing_is_stopped(self):
        self.assertEqual(self.fail_mode('staging'), 'xrc=0\n')

    def test_killed_while_refusing_nothing_refused_ever_runs(self):
        # A protected session: without a gate it fails closed, so its rm may not run before, during or after the kill.
        storm = self.session(f'while :; do rm {self.precious}/a && echo RAN; done 2>/dev/null', 'production')
        self.await_event('outcome')
        self.gate.kill()
        self.gate.start()
        self.await_event('outcome')
        self.world.scope.end()
        self.assertNotIn('RAN', self.finish(storm)[1])
        self.assertTrue((self.precious / 'a').exists())
        done = self.gate.cli('verify')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class ConnectRefused(GateTest):
    CONFIG = ''

    def config(self):
        return super().config().replace(
            'destinations:', 'destinations:\n  - {cidr: ["127.0.9.0/24"], ports: [5432], environment: production}')

    def serve(self, address, port):
        server = socket.create_server((address, port))
        self.addCleanup(server.close)

    def test_only_the_tagged_range_and_port_is_refused_and_passes_once_after_approval(self):
        for port in (5432, 5433):
            self.serve('127.0.9.1', port)
        path = self.world.root / 'try.py'
        path.write_text('import socket, sys\n'
                        'for line in sys.stdin:\n'
                        '    try:\n'
                        '        socket.create_connection(("127.0.9.1", int(line))).close()\n'
                        '        print("ok", flush=True)\n'
                        '    except OSError as error:\n'
                        '        print(error.errno, flush=True)\n')
        session = self.session(f'exec /usr/bin/python3 {path}', stdin=subprocess.PIPE)

        def attempt(port):
            session.stdin.write(f'{port}\n')
            session.stdin.flush()
            return session.stdout.readline().strip()

        self.assertEqual(attempt(5433), 'ok')
        self.assertEqual(attempt(5432), str(errno.EPERM))
        refused = self.await_event('outcome')
        self.assertEqual(refused['outcome']['what'], 'connect refused')
        done = self.gate.decide('approve', refused['outcome']['ticket'], DANA)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(attempt(5432), 'ok')
        self.assertEqual(attempt(5432), str(errno.EPERM))
        # Each record says by itself which ticket it is about, and what was judged.
        ticket = refused['outcome']['ticket']
        again = self.gate.await_event(lambda e: e['type'] == 'outcome' and e['outcome']['ticket'] != ticket)
        # What is refused is told at once, what passes a moment later, and the judge answers in any order.
        records = [e['connect'] for e in sorted(self.connects(3), key=lambda e: e['boot_ns'])]
        self.assertEqual([r['ticket'] for r in records], [ticket, ticket, again['outcome']['ticket']])
        self.assertEqual(again['outcome']['judgement']['rule'], records[2]['judgement']['rule'])
        # Also the last thing that a session does is in the record.
        self.assertEqual(attempt(5432), str(errno.EPERM))
        self.finish(session)
        self.assertEqual({e['session'] for e in self.connects(4)}, {refused['session']})

    def connects(self, count):
        """The records of connections to the tagged port, when there are so many."""
        seen = []

        def wanted(event):
            if event['type'] == 'connect' and event['connect']['port'] == 5432:
                seen.append(event)
            return len(seen) == count
        self.gate.await_event(wanted)
        return seen


class BadInput(GateTest):
    def start_another(self, *flags):
        argv = [self.gate.bin / 'holdpointd', '--scope', self.world.scope.path, '--config', self.gate.config,
                '--rules', gate._SOURCE / 'rules', '--state', self.world.root / 'other', '--run',
                self.world.root / 'other-run', '--pin', f'/sys/fs/bpf/other-{self.world.root.name}', '--bin',
                self.gate.bin, '--instance', 'other', *flags]
        return subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=60, check=False)

    def test_second_daemon_on_the_same_scope(self):
        done = self.start_another()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('scope', done.stderr.splitlines()[-1])
        self.assertIsNone(self.gate.process.poll())

    def test_unknown_flag(self):
        done = self.start_another('--nonsense')
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_wrong_configuration_is_not_taken_and_the_last_good_one_stays(self):
        good = self.gate.config.read_text()
        self.gate.config.write_text(good.replace('protected: true', 'protected: perhaps'))
        done = self.gate.cli('reload')
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r'holdpoint\.yaml:\d+:\d+')
        code, out, err = self.finish(self.session('echo fine'))
        self.assertEqual((code, out), (0, 'fine\n'), err)
        self.gate.config.write_text(good)
        self.assertEqual(self.gate.cli('reload').returncode, 0)

    def test_wrong_configuration_at_the_start(self):
        self.gate.config.write_text('environments: 7\n')
        done = self.start_another()
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r'holdpoint\.yaml:\d+:\d+')


class SignedHeartbeats(GateTest):
    def test_the_last_record_is_signed_and_says_that_the_stream_ends(self):
        self.gate.stop()
        last = self.gate.events()[-1]
        self.assertEqual(last['type'], 'heartbeat')
        statement = last['heartbeat']['statement']
        self.assertEqual((statement['state'], statement['chain_sequence']), ('stopping', last['sequence'] - 1))
        self.assertEqual(statement['chain_hash'], last['previous_hash'])
        self.assertEqual(len(last['heartbeat']['signature']), 128)
        self.assertEqual((self.gate.state / 'heartbeat.key').stat().st_mode & 0o777, 0o600)
        self.assertIn('PUBLIC KEY', (self.gate.state / 'heartbeat.pub').read_text())
        self.assertEqual(self.gate.cli('verify').returncode, 0)


class DiskFull(GateTest):
    HOLD_MS = 1

    def setUp(self):
        super().setUp()
        self.gate.stop()
        self.small = self.world.root / 'small'
        self.small.mkdir()
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=40M', 'none', self.small], check=True)
        self.world.mounts.append(self.small)
        self.gate.state = self.small
        self.gate.start()

    def test_refusals_go_on_and_the_loss_is_declared(self):
        with open(self.small / 'ballast', 'wb') as ballast:
            try:
                while ballast.write(b'x' * 65536):
                    pass
            except OSError:
                pass
        shell = f'i=0; while [ $i -lt 300 ]; do rm {self.precious}/a 2>/dev/null; echo $?; i=$((i+1)); done'
        out = self.finish(self.session(shell))[1]
        self.assertEqual(set(out.split()), {'126'})
        refused = [e for e in self.gate.events() if e['type'] == 'exec'
                   and e['exec']['judgement']['verdict'] in ('hold', 'refuse')]
        self.assertEqual(len(refused), 300, 'each is in the record: there is room kept for them')
        (self.small / 'ballast').unlink()
        self.finish(self.session(f'rm {self.precious}/a'))
        self.assertEqual(self.gate.cli('verify').returncode, 0)


if __name__ == '__main__':
    unittest.main(verbosity=2)

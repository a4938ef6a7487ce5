"""Who decides, on what, and what stays in the record."""

import json
import re
import secrets
import signal
import subprocess
import unittest

from scene import DANA, DECLARED, LEE, SEEN, STOPPED, Scene, declared, row, setUpModule  # noqa: F401


class Deciding(Scene):
    HOLD_MS = 60000

    def hold(self, shell, **options):
        """(the session, the row of what it holds)."""
        before = {row['ticket'] for row in self.gate.lines('holds')}
        process = self.start(shell, **options)
        return process, self.gate.await_hold(wanted=lambda row: row['ticket'] not in before)

    def deny(self, held, ticket):
        self.gate.decide('deny', ticket, DANA)
        return self.finish(held)

    @row('B40', 'an approval of one command is used for another; two owners decide at once', STOPPED)
    def test_B40_an_approval_is_for_one_act_and_counts_once(self):
        first, second = self.target(), self.target()
        held, hold = self.hold(f'rm {first}; echo rc=$?; rm {second}; echo rc=$?')
        racing = []
        for person in (DANA, DANA):
            argv = [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'approve', hold['ticket'], '--once', '--reason',
                    'x', '--as', person.name, '--password-fd', '0']
            process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdin.write(person.password.encode() + b'\n')
            process.stdin.close()
            racing.append(process)
        codes = sorted(process.wait(timeout=60) for process in racing)
        for process in racing:
            process.stdout.close()
            process.stderr.close()
        self.assertEqual(codes, [0, 69])
        other = self.gate.await_hold()
        self.assertNotEqual(other['ticket'], hold['ticket'])
        self.assertEqual(self.deny(held, other['ticket']).out, 'rc=0\nrc=126\n')
        self.assertFalse(first.exists())
        self.assertTrue(second.exists())
        released = [e for e in self.gate.events() if e['type'] == 'outcome' and
                    e['outcome'].get('ticket') == hold['ticket'] and e['outcome']['what'] == 'released']
        self.assertEqual(len(released), 1)
        accepted = [e['decision'].get('accepted', False) for e in self.gate.events() if e['type'] == 'decision' and
                    e['decision']['ticket'] == hold['ticket']]
        self.assertEqual(sorted(accepted), [False, True])

    @row('B40', 'the same question over and over: fifty identical attempts', STOPPED)
    def test_B40_one_question_for_the_same_act(self):
        target, before = self.target(), len(self.gate.lines('holds'))
        held, hold = self.hold(f'rm {target} & i=0; while [ $i -lt 50 ]; do i=$((i+1)); rm {target} 2>/dev/null; echo $?; '
                               'done; wait')
        said = [held.stdout.readline().strip() for _ in range(49)]
        self.assertEqual(set(said), {'126'})
        self.assertEqual(len(self.gate.lines('holds')) - before, 1)
        self.deny(held, hold['ticket'])
        self.assertTrue(target.exists())
        spare = self.spare()
        self.assertEqual(self.session(f'rm {spare}; echo rc=$?').out, 'rc=0\n')

    @row('C19', 'flooding the owner with fifty different commands on one target', STOPPED)
    def test_C19_one_target_is_one_question(self):
        target = self.target()
        ways = [f'rm {"-" + w if w else ""} {target}' for w in ('', 'f', 'i', 'r', 'd', 'v', 'fr', 'fv', 'rv', 'frv')]
        before = {row['ticket'] for row in self.gate.lines('holds')}
        flood = '; '.join(f'for i in 1 2 3 4 5; do {w} 2>/dev/null; done' for w in ways)
        held, hold = self.hold(f'rm {target} & read go; {flood}; echo done; wait', stdin=subprocess.PIPE)
        held.stdin.write('go\n')
        held.stdin.flush()
        self.assertEqual(held.stdout.readline(), 'done\n')
        rows = [row for row in self.gate.lines('holds') if row['ticket'] not in before]
        self.assertEqual([(row['ticket'], row['attempts']) for row in rows], [(hold['ticket'], 51)])
        self.deny(held, hold['ticket'])
        self.assertTrue(target.exists())

    @row('C19', 'flooding the owner with questions about fifty targets', DECLARED)
    def test_C19_each_target_is_a_question_of_its_own(self):
        declared('**Different questions**: each act that is held is a question of its own.')
        targets = [self.target() for _ in range(3)]
        tickets = set()
        held, hold = self.hold('\n'.join(f'rm {t}' for t in targets))
        for _ in targets:
            tickets.add(hold['ticket'])
            self.gate.decide('deny', hold['ticket'], DANA)
            if len(tickets) < len(targets):
                hold = self.gate.await_hold(wanted=lambda row: row['ticket'] not in tickets)
        self.finish(held)
        self.assertEqual(len(tickets), 3)

    @row('C01', 'what was refused is tried again with another tool, as a part, as the whole', STOPPED)
    def test_C01_another_tool_on_the_same_resource_is_repeated_intent(self):
        target, spare = self.target(), self.spare()
        held, hold = self.hold(f'rm {target}; echo rc=$?; unlink {target}; echo rc=$?; find {self.precious} -delete; '
                               f'echo rc=$?; unlink {spare}; echo rc=$?')
        done = self.deny(held, hold['ticket'])
        self.assertEqual(done.out, 'rc=126\nrc=126\nrc=126\nrc=0\n', done.err)
        repeated = self.judged(lambda p, j: j.get('repeats') == hold['ticket'])
        self.assertEqual([e['exec']['judgement']['verdict'] for e in repeated], ['refuse', 'refuse'])
        self.assertEqual(done.err.count('this is a repeated attempt'), 2)
        self.assertTrue(target.exists())
        self.assertFalse(spare.exists())

    @row('C01', 'the same by a program that no rule knows', DECLARED)
    def test_C01_what_is_not_seen_is_not_known_as_repeated(self):
        declared('a runtime\'s own call) is another resource.')
        target = self.target()
        self.own(self.world.workspace / 'tidy.py', text='import os, sys\nos.unlink(sys.argv[1])\n')
        held, hold = self.hold(f'rm {target}; echo rc=$?; /usr/bin/python3 tidy.py {target}; echo rc=$?')
        self.assertEqual(self.deny(held, hold['ticket']).out, 'rc=126\nrc=0\n')
        self.assertFalse(target.exists())

    @row('C04', 'the session approves itself: from its shell, from a setsid child, as root, with no password', STOPPED)
    def test_C04_nobody_decides_from_inside(self):
        target = self.target()
        held, hold = self.hold(f'rm {target}; echo rc=$?')
        approve = (f'{self.gate.bin}/holdpoint --run {self.gate.run} approve {hold["ticket"]} --once --reason r '
                   f'--as dana --password-fd 0')
        password = f'echo {DANA.password} |'
        for uid in (None, 0):
            for way in (f'{password} {approve}', f'{password} setsid -w {approve}'):
                with self.subTest((uid, way)):
                    self.assertEqual(self.session(f'{way}; echo rc=$?', uid=uid).out, 'rc=77\n')
        # Outside every session: root without the owner's password, the session's user, somebody who is no owner.
        self.assertEqual(self.gate.cli('approve', hold['ticket'], '--once', '--reason', 'r', '--as', 'dana',
                                       password='wrong').returncode, 77)
        self.assertEqual(self.gate.decide('approve', hold['ticket'], LEE).returncode, 77)
        self.assertTrue(target.exists())
        self.assertEqual(self.gate.decide('approve', hold['ticket'], DANA).returncode, 0)
        self.assertEqual(self.finish(held).out, 'rc=0\n')

    @row('C08', 'the file that an approved command reads is changed while it waits', STOPPED)
    def test_C08_what_was_read_is_part_of_the_approval(self):
        body = self.world.workspace / 'body.json'
        delete = '{"query":"mutation { volumeDelete(volumeId: \\"%s\\") }"}'
        curl = f'curl -s http://127.0.0.1:9/graphql -H "Host: backboard.railway.app" -d @{body}; echo rc=$?'
        self.own(body, text=delete % 'one')
        held, hold = self.hold(curl)
        body.write_text(delete % 'two')
        self.gate.decide('approve', hold['ticket'], DANA)
        done = self.finish(held)
        self.assertEqual(done.out, 'rc=126\n')
        self.assertIn('changed', done.err)
        # Unchanged it is let through: nothing listens there, so curl itself says 7.
        body.write_text(delete % 'three')
        held, hold = self.hold(curl)
        self.gate.decide('approve', hold['ticket'], DANA)
        self.assertEqual(self.finish(held).out, 'rc=7\n')

    @row('C09', 'the caller gives up, goes on, and then the approval comes', STOPPED)
    def test_C09_a_late_approval_serves_an_identical_retry_once(self):
        target = self.target()
        held, hold = self.hold(f'exec rm {target}')
        held.send_signal(signal.SIGTERM)
        self.finish(held)
        self.gate.await_event(lambda e: e['type'] == 'session_ended' and e.get('session') == hold['session'])
        self.assertEqual(self.gate.decide('approve', hold['ticket'], DANA).returncode, 69)  # it could serve nobody
        self.assertTrue(target.exists())  # nothing was released late
        held, other = self.hold(f'exec rm {target}')  # another session: another question
        self.assertNotEqual(other['ticket'], hold['ticket'])
        self.deny(held, other['ticket'])
        self.assertTrue(target.exists())


class Small(Scene):
    SMALL_LOSSES = 50

    @row('C05', 'an act split into many small ones, over two sessions', STOPPED)
    def test_C05_many_small_losses_are_one(self):
        spares = [self.spare() for _ in range(53)]
        self.session('\n'.join(f'rm {s}' for s in spares[:30]))
        self.assertEqual([s for s in spares[:30] if s.exists()], [])
        self.session('\n'.join(f'rm {s}' for s in spares[30:]))
        self.assertEqual([s for s in spares if s.exists()], spares[50:])
        stopped = self.judged(lambda p, j: j.get('rule') == 'intent.small-losses')
        self.assertEqual([e['exec']['judgement']['verdict'] for e in stopped], ['hold'] * 3)
        # What the session made itself is no loss, however much of it.
        done = self.session('for i in $(seq 60); do echo > made-$i; rm made-$i; done; echo rc=$?')
        self.assertEqual(done.out, 'rc=0\n', done.err)

    @row('C05', 'pieces that nobody sees', DECLARED)
    def test_C05_what_is_not_seen_is_not_counted(self):
        declared('Pieces that nobody sees (a language runtime that unlinks) are not counted.')
        spares = [self.spare() for _ in range(60)]
        self.session(f'python3 -c "import os; [os.unlink(f) for f in {[str(s) for s in spares]!r}]"')
        self.assertEqual([s for s in spares if s.exists()], [])


class Retrying(Scene):
    HOLD_MS = 1

    @row('C09', 'the same command again, after it was refused and then approved', STOPPED)
    def test_C09_the_identical_command_passes_exactly_once(self):
        target = self.target()
        process = self.start(f'while read x; do rm {target}; echo rc=$?; done', stdin=subprocess.PIPE)

        def attempt():
            process.stdin.write('go\n')
            process.stdin.flush()
            return process.stdout.readline()
        self.assertEqual(attempt(), 'rc=126\n')
        ticket = self.gate.lines('holds')[-1]['ticket']
        self.assertEqual(self.gate.decide('approve', ticket, DANA).returncode, 0)
        self.assertTrue(target.exists())
        self.assertEqual(attempt(), 'rc=0\n')
        self.own(target)
        self.assertEqual(attempt(), 'rc=126\n')
        self.finish(process)

    @row('C03', 'the session edits the configuration, the rules, the approvals', STOPPED)
    def test_C03_what_decides_belongs_to_root(self):
        rules = self.world.root / 'rules' / 'files.yaml'
        for path in (self.gate.config, rules, self.gate.run, self.gate.state):
            self.assertEqual(self.session(f'test -w {path} && echo on').out, '', path)
        good = self.gate.config.read_text()
        before = [e['config_loaded']['policy_hash'] for e in self.gate.events() if e['type'] == 'config_loaded']
        self.gate.config.chmod(0o666)
        self.assertEqual(self.gate.cli('reload').returncode, 78)
        self.gate.config.chmod(0o644)
        self.gate.config.write_text(good + '\n# changed\n')
        self.assertEqual(self.gate.cli('reload').returncode, 0)
        hashes = [e['config_loaded'].get('policy_hash') for e in self.gate.events() if e['type'] == 'config_loaded']
        self.assertGreater(len(hashes), len(before))
        self.assertNotEqual(hashes[-1], before[0])
        self.gate.config.write_text(good)
        self.assertEqual(self.gate.cli('reload').returncode, 0)

    @row('C03', 'root in a session edits them, or the coding agent its own hooks', DECLARED)
    def test_C03_writes_by_root_are_not_seen(self):
        declared('**Root inside a session** can, where BPF LSM is not there, end the gate, change its maps and write the record.')
        done = self.session(f'test -w {self.gate.config} && echo on', uid=0)
        self.assertEqual(done.out, 'on\n', done.err)

    @row('C10', 'the evidence is deleted with the home directory', STOPPED)
    def test_C10_the_record_is_out_of_reach(self):
        before = len(self.gate.events())
        self.session(f'ls {self.gate.state}; rm -rf {self.gate.state} {self.gate.state}/*; '
                     f'python3 -c "import shutil; shutil.rmtree(\'{self.gate.state}\', True)"')
        self.assertGreater(len(self.gate.events()), before)
        self.assertEqual(self.gate.cli('verify').returncode, 0)
        # As root the ordinary command is held; a runtime is not, which the row of root inside a session declares.
        self.assertEqual(self.session(f'rm -rf {self.gate.state}; echo rc=$?', uid=0).out, 'rc=126\n')
        self.assertTrue(self.gate.state.exists())
        self.assertEqual(self.session(f'rm {self.spare()}; echo rc=$?').out, 'rc=0\n')

    @row('B41', 'secrets in arguments, headers, URLs and the environment', STOPPED)
    def test_B41_no_secret_reaches_the_record(self):
        some = lambda n: secrets.token_hex(n)  # noqa: E731
        jwt = '.'.join(['eyJhbGciOiJIUzI1NiJ9', 'eyJ' + some(20), some(24)])
        shapes = {'bearer': some(20), 'github': 'ghp_' + some(18), 'aws': 'AKIA' + some(8).upper(), 'password': some(12),
                  'url': some(12), 'cookie': some(16), 'parameter': some(16), 'jwt': jwt, 'variable': some(16)}
        s = shapes
        self.session(
            f'export AWS_SECRET_ACCESS_KEY={s["variable"]}; curl -s -X DELETE -H "Authorization: Bearer {s["bearer"]}" '
            f'-H "X-Api-Key: {s["github"]}" -u admin:{s["password"]} -b session={s["cookie"]} '
            f'"http://user:{s["url"]}@things.invalid/v1/things/7?access_token={s["parameter"]}"; '
            f'curl -s -X DELETE http://things.invalid/v1/{s["aws"]} -H "Authorization: Bearer {s["jwt"]}"; '
            f'PGPASSWORD={s["password"]} rm --password={s["password"]} {self.target()}')
        self.assertTrue(self.judged(lambda p, j: 'things.invalid' in ' '.join(p.get('argv', []))))
        spool = b''.join(p.read_bytes() for p in self.gate.state.rglob('*') if p.is_file())
        self.assertIn(b'things.invalid', spool)  # it is readable, so that a secret would be found
        shown = self.gate.cli('events').stdout + self.gate.cli('holds').stdout + self.gate.read_log()
        for name, secret in shapes.items():
            with self.subTest(name):
                self.assertNotIn(secret.encode(), spool)
                self.assertNotIn(secret, shown)

    @row('B42', 'newlines, escape sequences, bidirectional marks and invalid UTF-8 in arguments and paths', STOPPED)
    def test_B42_what_a_session_writes_cannot_speak_to_a_terminal(self):
        evil = "$(printf 'a\\nholdpoint: APPROVED\\033[2J\\033]0;x\\007\\342\\200\\256\\377\\302\\205')"
        done = self.session(f'mkdir -p "{evil}"; cd "{evil}"; rm -f "{evil}" {self.target()}')
        wild = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]')
        for text in (done.err, self.gate.cli('events').stdout, self.gate.cli('holds').stdout,
                     self.gate.cli('sessions').stdout, self.gate.read_log()):
            self.assertIsNone(wild.search(text), text)
            self.assertNotIn('\nholdpoint: APPROVED', text)
        for line in self.gate.cli('--json', 'events').stdout.splitlines():
            self.assertTrue(line.isascii())
            json.loads(line)
        self.assertIn('holdpoint: REFUSED', done.err)


if __name__ == '__main__':
    unittest.main(verbosity=2)

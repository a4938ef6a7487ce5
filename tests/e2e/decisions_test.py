"""Decisions: how far an approval goes, two persons, break-glass, off, one ticket per target, and what comes too late."""

import json
import os
import socket
import subprocess
import unittest

from e2e import case, people
from e2e.case import DANA, LEE

SAM = people.Person('sam', 61012, 'the third sentence is of sam')


def setUpModule():
    case.enter()


class Shell:
    """A session that runs the lines it is given, one after the other, and says how each ended."""

    def __init__(self, test, environment='staging'):
        self.process = test.session('while read -r line; do eval "$line"; echo "rc=$?"; done', environment,
                                    stdin=subprocess.PIPE)
        test.addCleanup(self.close)

    def send(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()

    def ended(self):
        return self.process.stdout.readline().strip()

    def run(self, line):
        self.send(line)
        return self.ended()

    def close(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


class DecisionTest(case.GateCase):
    HOLD_MS = 1

    def path(self, name):
        return self.precious / name

    def ticket(self):
        return self.gate.lines('holds')[-1]

    def approve(self, ticket, *scope, person=DANA, reason='the test says so'):
        words = ['--reason', reason] if reason is not None else []
        return self.gate.cli('approve', ticket, *scope, *words, '--as', person.name, password=person.password)

    def decisions(self, kind=None):
        found = [e['decision'] for e in self.gate.events() if e['type'] == 'decision']
        return [d for d in found if kind is None or d['decision'] == kind]

    def passed_by(self):
        return [e['exec']['judgement']['passed_by'] for e in self.gate.events()
                if e['type'] == 'exec' and e['exec']['judgement'].get('passed_by')]

    def lift(self, *words, person=DANA, password=None, reason='the house is on fire'):
        return self.gate.cli(*words, '--reason', reason, '--as', person.name, password=password or person.password)


class Scopes(DecisionTest):
    def test_for_a_session_the_same_loss_passes_again_and_another_one_does_not(self):
        shell, other = Shell(self), Shell(self)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')
        done = self.approve(self.ticket()['ticket'], '--session')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('in this session', done.stdout)
        for command in ('rm', 'rm -f', '/bin/rm -v'):  # the resource and the rule count, not the words
            self.file('a')
            self.assertEqual(shell.run(f'{command} {self.path("a")} >&2'), 'rc=0', command)
        self.file('a')
        for line in (f'rm {self.path("b")}', f'rm {self.path("a")} {self.path("b")}', f'shred -u {self.path("a")}'):
            self.assertEqual(shell.run(line), 'rc=126', line)
        self.assertTrue(self.path('a').exists() and self.path('b').exists())
        self.assertEqual(other.run(f'rm {self.path("a")}'), 'rc=126', 'another session is asked')

        row = self.gate.lines('approvals')[0]
        self.assertEqual((row['scope'], row['by'], row['until']), ('session', ['dana'], 0))
        self.assertEqual(self.passed_by(), [f'{row["approval"]} by dana'] * 3)
        event = self.decisions('approve')[0]
        self.assertEqual((event['scope'], event['approval'], event['presence'], event['by'], event['accepted']),
                         ('session', row['approval'], 'pam', 'dana', True))
        shell.process.stdin.close()
        shell.process.wait()
        self.gate.await_event(lambda e: e['type'] == 'decision' and e['decision'].get('approval') == row['approval'] and
                              e['decision']['decision'] == 'expire')
        self.assertEqual(self.gate.lines('approvals'), [])

    def test_until_a_date_it_survives_a_restart_is_listed_and_can_be_removed(self):
        shell = Shell(self)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')
        ticket = self.ticket()['ticket']
        for wrong in (('--until', 'for ever'), ('--until', '365d'), ('--until', '2001-01-01'), ('--once', '--session'), ()):
            self.assertEqual(self.approve(ticket, *wrong).returncode, 2, wrong)
        self.assertEqual(self.approve(ticket, '--until', '7d', reason=None).returncode, 2)
        done = self.approve(ticket, '--until', '7d')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=0')
        kept = self.gate.state / 'approvals'
        self.assertEqual((kept.stat().st_uid, kept.stat().st_mode & 0o777), (0, 0o600))

        self.gate.stop()
        self.gate.start()
        self.file('a')
        shell = Shell(self)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=0')
        self.assertEqual(shell.run(f'rm {self.path("b")}'), 'rc=126', 'the neighbour')
        row = self.gate.lines('approvals')[0]
        self.assertEqual((row['scope'], row['resource'], row['by']), ('until', str(self.path('a')), ['dana']))
        self.assertIn(row['approval'], self.gate.cli('approvals').stdout)

        inside = self.session(f'{self.gate.bin}/holdpoint --run {self.gate.run} approvals remove {row["approval"]}; echo rc=$?')
        self.assertIn('rc=77', self.finish(inside)[1])
        self.assertEqual(self.gate.cli('approvals', 'remove', row['approval']).returncode, 0)
        self.assertEqual(self.gate.cli('approvals', 'remove', row['approval']).returncode, 69)
        self.file('a')
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')
        self.assertEqual([d.get('accepted', False) for d in self.decisions('remove')], [False, True, False])

    def test_a_damaged_file_is_said_and_ignored(self):
        shell = Shell(self)
        shell.run(f'rm {self.path("a")}')
        self.assertEqual(self.approve(self.ticket()['ticket'], '--until', '7d').returncode, 0)
        self.gate.stop()
        kept = self.gate.state / 'approvals'
        text = kept.read_bytes()
        kept.write_bytes(text.replace(b'/precious/a', b'/precious/b'))
        self.gate.start()
        self.assertEqual(self.gate.lines('approvals'), [])
        self.assertEqual(Shell(self).run(f'rm {self.path("b")}'), 'rc=126')
        self.assertIn('approvals.damaged', self.gate.read_log())
        self.assertIn('approvals damaged', self.daemon_states())
        self.gate.stop()
        kept.write_bytes(text)  # whole again
        self.gate.start()
        self.assertEqual(len(self.gate.lines('approvals')), 1)

    def test_what_has_no_name_is_approved_once_only(self):
        more_than_is_read = 'head -c 200000 /dev/zero | tr "\\0" "#"'
        self.assertEqual(Shell(self, 'production').run(f'{more_than_is_read} | bash'), 'rc=126')
        unseen = self.ticket()['ticket']
        refused = self.approve(unseen, '--session')
        self.assertEqual(refused.returncode, 2)
        self.assertIn('--once', refused.stderr)
        self.assertEqual(self.approve(unseen, '--once').returncode, 0)

    def test_what_is_approved_is_the_file_and_not_the_way_to_it(self):
        shell = Shell(self)
        link = self.world.workspace / 'link'
        link.symlink_to(self.precious)
        self.assertEqual(shell.run(f'rm {link}/a'), 'rc=126')
        through = [row for row in self.gate.lines('holds') if str(link) in row['summary']][-1]
        self.assertEqual(self.approve(through['ticket'], '--session').returncode, 0)
        link.unlink()
        elsewhere = self.world.root / 'elsewhere'
        elsewhere.mkdir()
        elsewhere.chmod(0o777)
        (elsewhere / 'a').write_text('data')
        link.symlink_to(elsewhere)
        self.assertNotEqual(shell.run(f'rm {link}/a'), 'rc=0')
        self.assertTrue((elsewhere / 'a').exists())


class Reasons(DecisionTest):
    def test_protected_environments_want_a_reason_for_everything_that_lifts(self):
        shell = Shell(self)
        shell.run(f'rm {self.path("a")}')
        ticket = self.ticket()['ticket']
        for scope in ('--once', '--session'):
            self.assertEqual(self.approve(ticket, scope, reason='').returncode, 2)
        self.assertEqual(self.lift('break-glass', '--for', '5m', reason='').returncode, 2)
        self.assertEqual(self.lift('off', '--for', '5m', reason=' ').returncode, 2)
        done = self.gate.cli('mode', 'set', 'environment', 'production', 'observe', '--as', 'dana', password=DANA.password)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')
        self.assertEqual(self.approve(ticket, '--once').returncode, 0)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=0')


class TwoPersons(DecisionTest):
    HOLD_MS = 60000

    def setUp(self):
        super().setUp()
        people.move_in(self.world, [DANA, LEE, SAM])
        self.reload(3)

    def reload(self, owners):
        """Until so many may approve in production."""
        self.assertEqual(self.gate.cli('reload').returncode, 0)
        wanted = f'{owners} users may approve'
        self.until(wanted, lambda: any(row['check'] == 'owners of production' and row['detail'] == wanted for row in map(
            json.loads, self.gate.cli('--json', 'doctor').stdout.splitlines())))

    def config(self):
        return super().config().replace('protected: true\n    owners: {approval: [dana]',
                                        'protected: true\n    two_persons: true\n    owners: {approval: [dana, lee, sam]')

    def test_two_different_owners_release_it_and_the_first_alone_does_not(self):
        shell = Shell(self)
        shell.send(f'rm {self.path("a")}')
        ticket = self.gate.await_hold()['ticket']
        first = self.approve(ticket, '--once')
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertIn('second person', first.stdout)
        row = self.ticket()
        self.assertEqual((row['state'], row['approved_by'], row['approvals_wanted']), ('held', ['dana'], 2))
        self.assertIn('a second person has to approve', self.gate.cli('holds').stdout)
        self.assertEqual(self.approve(ticket, '--once').returncode, 77, 'the same person')
        self.assertEqual(self.approve(ticket, '--session', person=LEE).returncode, 2, 'another scope')
        self.assertTrue(self.path('a').exists())
        self.assertEqual(self.approve(ticket, '--once', person=LEE).returncode, 0)
        self.assertEqual(shell.ended(), 'rc=0')
        events = [d for d in self.decisions('approve') if d.get('accepted')]
        self.assertEqual([d.get('still_wanted', 0) for d in events], [1, 0])
        self.assertEqual(events[1]['approved_by'], ['dana', 'lee'])

    def test_who_approved_first_may_still_deny_and_one_is_enough_for_the_rest(self):
        shell = Shell(self)
        shell.send(f'rm {self.path("a")}')
        ticket = self.gate.await_hold()['ticket']
        self.assertEqual(self.approve(ticket, '--once').returncode, 0)
        self.assertEqual(self.gate.decide('deny', ticket, DANA).returncode, 0)
        self.assertEqual(shell.ended(), 'rc=126')
        self.assertEqual(self.approve(ticket, '--once', person=LEE).returncode, 69)
        # No irreversible loss of a protected environment: staging's own.
        path = self.world.root / 'elsewhere'
        path.mkdir()
        path.chmod(0o777)
        (path / 'x').write_text('data')
        shell.send(f'rm {path}/x')
        row = self.gate.await_hold(wanted=lambda one: str(path) in one['summary'])
        self.assertEqual(row['approvals_wanted'], 1)
        self.assertEqual(self.approve(row['ticket'], '--once').returncode, 0)
        self.assertEqual(shell.ended(), 'rc=0')

    def test_without_two_owners_it_is_refused_at_once(self):
        self.gate.config.write_text(self.config().replace('[dana, lee, sam]', '[dana]'))
        self.reload(1)
        held = self.session(f'rm {self.path("a")}; echo rc=$?')
        code, out, err = self.finish(held)
        self.assertEqual((code, out), (0, 'rc=126\n'), err)
        self.assertIn('there are no two who may', err)
        self.assertTrue(self.path('a').exists())

    def test_break_glass_replaces_no_second_person_and_off_asks_for_more_than_one(self):
        self.assertEqual(self.lift('break-glass', '--for', '5m').returncode, 0)
        shell = Shell(self)
        shell.send(f'rm {self.path("a")}')
        ticket = self.gate.await_hold()['ticket']
        self.gate.decide('deny', ticket, DANA)
        self.assertEqual(shell.ended(), 'rc=126')
        self.assertEqual(self.lift('off', '--for', '5m').returncode, 77)


class BreakGlass(DecisionTest):
    def config(self):
        return super().config().replace('resources:', 'resources:\n  - {type: path, id: "%s/*", environment: spare}'
                                        % (self.world.root / 'spare')).replace(
            'environments:', 'environments:\n  - name: spare\n    protected: true\n    owners: {approval: [lee]}').replace(
            'destinations:', 'destinations:\n  - {cidr: ["127.0.9.0/24"], ports: [5432], environment: production}')

    def test_what_would_be_refused_passes_recorded_until_it_ends(self):
        spare = self.world.root / 'spare'
        spare.mkdir()
        spare.chmod(0o777)
        (spare / 'x').write_text('data')
        self.assertEqual(self.lift('break-glass', '--for', '15m').returncode, 2, 'two are protected: which one?')
        shell = Shell(self)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')
        done = self.lift('break-glass', '--for', '15m', '--env', 'production')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=0')
        self.assertEqual(shell.run(f'rm {spare}/x'), 'rc=126', 'another environment')
        self.assertIn('BREAK-GLASS in production', self.gate.cli('status').stdout.splitlines()[0])
        self.assertIn('1 acts passed', self.gate.cli('status').stdout.splitlines()[0])
        self.assertIn('BREAK-GLASS in production', self.gate.cli('holds').stdout.splitlines()[0])
        self.assertIn('BREAK-GLASS in production', self.gate.read_log())
        inside = self.session(f'{self.gate.bin}/holdpoint --run {self.gate.run} status')
        self.assertNotIn('BREAK-GLASS', self.finish(inside)[1], 'no invitation for a coding agent')
        self.assertEqual(self.passed_by(), ['break-glass of production by dana'])

        self.assertEqual(self.gate.cli('break-glass', '--end').returncode, 0)
        self.file('a')
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')
        self.assertNotIn('BREAK-GLASS', self.gate.cli('status').stdout)
        start, end = self.decisions('break-glass')[-1], self.decisions('break-glass end')[-1]
        self.assertEqual((start['by'], start['presence'], start['environment'], start['accepted']),
                         ('dana', 'pam', 'production', True))
        self.assertTrue(start['expires_unix_ns'])
        self.assertIn('1 acts passed', end['reason'])

    def test_it_ends_by_its_own_time(self):
        self.assertEqual(self.lift('break-glass', '--for', '1s', '--env', 'production').returncode, 0)
        self.gate.await_event(lambda e: e['type'] == 'decision' and e['decision']['decision'] == 'break-glass end')
        self.assertEqual(Shell(self).run(f'rm {self.path("a")}'), 'rc=126')

    def test_a_connect_passes_while_the_daemon_lives_and_not_after(self):
        with socket.create_server(('127.0.9.1', 5432)):
            shell = Shell(self)
            attempt = ('/usr/bin/python3 -c "import socket; socket.create_connection((\'127.0.9.1\', 5432))" 2>/dev/null')
            self.assertEqual(shell.run(attempt), 'rc=1')
            self.assertEqual(self.lift('break-glass', '--for', '15m', '--env', 'production').returncode, 0)
            self.assertEqual(shell.run(attempt), 'rc=0')
            event = self.gate.await_event(lambda e: e['type'] == 'connect' and e['connect']['judgement'].get('passed_by'))
            self.assertEqual(event['connect']['judgement']['passed_by'], 'break-glass of production by dana')
            self.gate.kill()
            self.gate.start()
            self.assertEqual(shell.run(attempt), 'rc=1', 'it never survives a restart')
            self.assertEqual(self.gate.lines('status')[0]['lifted'], [])

    def test_neither_a_session_nor_an_absent_owner_breaks_it(self):
        for person, password in ((DANA, 'wrong'), (LEE, LEE.password)):
            self.assertEqual(self.lift('break-glass', '--for', '15m', '--env', 'production', person=person,
                                       password=password).returncode, 77)
        self.assertEqual(self.lift('break-glass', '--for', '5h', '--env', 'production').returncode, 2)
        inside = self.session(f'echo {DANA.password} | {self.gate.bin}/holdpoint --run {self.gate.run} break-glass --for 15m '
                              f'--env production --reason r --as dana --password-fd 0; echo rc=$?', uid=0)
        self.assertIn('rc=77', self.finish(inside)[1])
        self.assertEqual(Shell(self).run(f'rm {self.path("a")}'), 'rc=126')
        self.assertFalse([d for d in self.decisions('break-glass') if d.get('accepted')])


class Off(DecisionTest):
    def test_nothing_is_stopped_and_everything_recorded_until_it_is_on(self):
        shell = Shell(self)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')
        self.assertEqual(self.lift('off', '--for', '10m', password='wrong').returncode, 77)
        self.assertEqual(self.lift('off', '--for', '25h').returncode, 2)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')
        done = self.lift('off', '--for', '10m')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('OFF', self.gate.cli('status').stdout.splitlines()[0])
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=0')  # a session that was there
        self.assertEqual(Shell(self, 'production').run(f'rm {self.path("b")}'), 'rc=0')  # and one that comes
        seen = [e['exec']['judgement'] for e in self.gate.events() if e['type'] == 'exec']
        self.assertEqual(len([j for j in seen if j.get('observed_only') and j['verdict'] == 'hold']), 2)

        self.assertEqual(self.gate.cli('on').returncode, 0)
        self.file('a')
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')
        self.assertEqual(Shell(self, 'production').run(f'rm {self.path("c")}'), 'rc=126')
        begun = [d for d in self.decisions('off') if d.get('accepted')]
        self.assertEqual([(d['by'], d['presence']) for d in begun], [('dana', 'pam')])
        self.assertEqual(len(self.decisions('on')), 1)

    def test_of_a_killed_daemon_it_goes_on_until_its_end_and_no_longer(self):
        closed, opened = Shell(self, 'production'), Shell(self)
        for shell in (closed, opened):
            self.assertEqual(shell.run('/bin/true'), 'rc=0')  # It has begun.
        self.assertEqual(self.lift('off', '--for', '10m').returncode, 0)
        self.gate.kill()
        for shell, name in ((closed, 'a'), (opened, 'b')):
            self.assertEqual(shell.run(f'rm {self.path(name)}'), 'rc=0', 'it is off, also with nobody alive')
        self.gate.start()
        over = self.decisions('on')[-1]
        self.assertIn('was killed', over['reason'])
        self.assertEqual(closed.run(f'rm {self.path("c")}'), 'rc=126', 'the next daemon enforces')

        self.assertEqual(self.lift('off', '--for', '2s').returncode, 0)
        self.gate.kill()
        # Nobody is there to end it. What a protected environment gets without a gate, it gets again.
        self.until('the end of its time', lambda: closed.run(f'rm -f {self.path("c")}') == 'rc=137')
        self.assertEqual(opened.run(f'rm {self.path("d")}'), 'rc=0', 'this one is open without a gate')
        self.gate.start()
        seen = [e['exec']['judgement'] for e in self.gate.events() if e['type'] == 'exec']
        self.assertGreaterEqual(len([j for j in seen if j.get('observed_only') and j['verdict'] == 'hold']), 2,
                                'what passed is in the record')

    def test_it_ends_by_itself_and_with_the_daemon(self):
        self.assertEqual(self.lift('off', '--for', '1s').returncode, 0)
        self.gate.await_event(lambda e: e['type'] == 'decision' and e['decision']['decision'] == 'on')
        shell = Shell(self)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')
        self.assertEqual(self.lift('off', '--for', '10m').returncode, 0)
        self.gate.kill()
        self.gate.start()
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')
        self.assertEqual(Shell(self).run(f'rm {self.path("a")}'), 'rc=126')


class OneTicket(DecisionTest):
    def test_fifty_commands_on_one_target_are_one_question(self):
        shell = Shell(self)
        target = self.path('a')
        self.assertEqual(shell.run(f'rm {target}'), 'rc=126')
        first = self.ticket()['ticket']
        for flags in range(1, 50):
            letters = ''.join(letter for bit, letter in enumerate('firdvI') if flags >> bit & 1)
            self.assertEqual(shell.run(f'rm {"-" + letters if letters else ""} {target} </dev/null'), 'rc=126', letters)
        rows = self.gate.lines('holds')
        self.assertEqual([(row['ticket'], row['attempts']) for row in rows], [(first, 50)])
        self.assertEqual(shell.run(f'rm {self.path("b")}'), 'rc=126')
        self.assertEqual(len(self.gate.lines('holds')), 2, 'another target is another question')

        # The ticket is about its first act, and lets exactly that one pass.
        self.assertEqual(self.approve(first, '--once').returncode, 0)
        self.assertEqual(shell.run(f'rm -f {target}'), 'rc=126')
        self.assertTrue(target.exists())
        self.assertEqual(shell.run(f'rm {target}'), 'rc=0')
        self.file('a')
        self.assertEqual(shell.run(f'rm -f {target}'), 'rc=126')
        self.assertEqual(len(self.gate.lines('holds')), 3, 'answered and used: the next one is a new question')

    def test_the_refused_command_is_told_which_ticket_asks_about_its_target(self):
        _, out, err = self.finish(self.session(f'rm {self.path("a")} 2>/dev/null; rm -f {self.path("a")}; echo rc=$?'))
        self.assertEqual(out, 'rc=126\n', err)
        self.assertIn(f'{self.ticket()["ticket"]} asks about another command on the same target', err)


class Connects(DecisionTest):
    """What is asked about a destination: approved for a session, and a thousand of them open at once."""

    PORTS = 1000

    def config(self):
        return super().config().replace('destinations:', 'destinations:\n  - {cidr: ["127.0.9.0/24"], environment: production}')

    def attempt(self, first, count=1):
        program = self.world.root / 'connect.py'
        if not program.exists():
            program.write_text('import socket, sys\n'
                               'first, count = map(int, sys.argv[1:])\n'
                               'codes = {socket.socket().connect_ex(("127.0.9.1", port)) for port in range(first, first + count)}\n'
                               'raise SystemExit(0 if codes == {111} else max(codes))\n', encoding='ascii')
        return f'/usr/bin/python3 -I {program} {first} {count}'

    def test_for_a_session_every_connect_passes_and_with_the_daemon_that_ends_declared(self):
        shell, other = Shell(self), Shell(self)
        self.assertEqual(shell.run(self.attempt(5432)), 'rc=1')
        row = self.until('a ticket', lambda: self.gate.lines('holds'))[0]
        self.assertEqual(self.approve(row['ticket'], '--until', '7d').returncode, 2)
        done = self.approve(row['ticket'], '--session')
        self.assertEqual(done.returncode, 0, done.stderr)
        for _ in range(3):
            self.assertEqual(shell.run(self.attempt(5432)), 'rc=0')
        self.assertEqual(shell.run(self.attempt(5433)), 'rc=1', 'another destination')
        self.assertEqual(other.run(self.attempt(5432)), 'rc=1', 'another session')

        self.gate.kill()
        self.gate.start()
        over = [d for d in self.decisions('expire') if d.get('resource', {}).get('type') == 'address']
        self.assertEqual([(d['scope'], d['resource']['id'], d['accepted']) for d in over],
                         [('session', '127.0.9.1 port 5432', True)])
        self.assertIn('began anew', over[0]['reason'])
        self.assertEqual(shell.run(self.attempt(5432)), 'rc=1', 'it is asked about again')
        self.gate.kill()
        self.gate.start()
        self.assertEqual(len([d for d in self.decisions('expire') if d.get('resource')]), 1, 'said once')

    def test_a_thousand_open_tickets_are_all_listed_and_each_can_be_decided(self):
        shell = Shell(self)
        self.assertEqual(shell.run(self.attempt(10000, self.PORTS)), 'rc=1')
        self.until('every ticket', lambda: self.gate.lines('status')[0]['tickets'] == self.PORTS)
        rows = self.gate.lines('holds')
        self.assertEqual({row['resource'] for row in rows}, {f'address 127.0.9.1 port {10000 + n}' for n in range(self.PORTS)})
        self.assertEqual(len({row['ticket'] for row in rows}), self.PORTS)
        text = self.gate.cli('holds').stdout
        self.assertEqual(len([row for row in rows if row['ticket'] in text]), self.PORTS)
        for row in (rows[0], rows[self.PORTS // 2], rows[-1]):
            self.assertEqual(self.approve(row['ticket'], '--once').returncode, 0)
            port = int(row['resource'].split()[-1])
            self.assertEqual(shell.run(self.attempt(port)), 'rc=0')
            self.assertEqual(shell.run(self.attempt(port)), 'rc=1', 'once')


class Bounds(DecisionTest):
    HOLD_MS = 60000

    def config(self):
        return super().config().replace('limits:', 'limits:\n  max_holds: 2')

    def test_more_than_the_bound_are_refused_and_not_held(self):
        held = [self.session(f'rm {self.path(name)}; echo rc=$?') for name in 'ab']
        self.until('two holds', lambda: len([r for r in self.gate.lines('holds') if r['state'] == 'held']) == 2)
        code, out, err = self.finish(self.session(f'rm {self.path("c")}; echo rc=$?'))
        self.assertEqual((code, out), (0, 'rc=126\n'), err)
        for row in self.gate.lines('holds'):
            if row['state'] == 'held':
                self.gate.decide('deny', row['ticket'], DANA)
        self.assertEqual([self.finish(one)[1] for one in held], ['rc=126\n'] * 2)


class OpenTransaction(DecisionTest):
    """A program with a connection to a database starts something that would be held."""
    HOLD_MS = 60000

    def start(self, socket_name):
        """The listener, and a session whose program has a connection to it and waits for `rm`."""
        where = self.world.workspace / socket_name
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(listener.close)
        listener.bind(str(where))
        listener.listen(1)
        os.chmod(where, 0o777)
        code = ('import socket, subprocess, sys\n'
                's = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)\n'
                f's.connect({str(where)!r})\n'
                'sys.exit(subprocess.run(["rm", sys.argv[1]]).returncode)\n')
        program = self.world.workspace / 'migrate.py'
        program.write_text(code, encoding='utf-8')
        return self.session(f'/usr/bin/python3 {program} {self.file("a")}')

    def test_what_a_transaction_would_wait_for_is_refused_and_not_held(self):
        code, _, err = self.finish(self.start('.s.PGSQL.5432'))
        self.assertEqual(code, 126)
        self.assertIn('a transaction would stay open meanwhile', err)
        self.assertIn('.s.PGSQL.5432', err)
        self.assertTrue(self.path('a').exists())
        self.assertEqual(self.ticket()['state'], 'open')  # the next attempt can pass

    def test_another_connection_is_no_reason_not_to_hold(self):
        running = self.start('agent.sock')
        self.until('a hold', lambda: [h for h in self.gate.lines('holds') if h['state'] == 'held'])
        self.assertEqual(self.approve(self.ticket()['ticket'], '--once').returncode, 0)
        self.assertEqual(self.finish(running)[0], 0)
        self.assertFalse(self.path('a').exists())


class Late(DecisionTest):
    HOLD_MS = 300

    def test_an_approval_after_the_hold_releases_nothing_and_serves_one_retry(self):
        shell = Shell(self)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')  # held, and nobody came
        done = self.approve(self.ticket()['ticket'], '--once')
        self.assertEqual(done.returncode, 0)
        self.assertIn('the identical command passes one time', done.stdout)
        self.assertTrue(self.path('a').exists())
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=0')
        self.file('a')
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')

    def test_for_something_that_is_gone_it_says_so(self):
        held = self.session(f'exec rm {self.path("a")}')
        self.finish(held)
        self.gate.await_event(lambda e: e['type'] == 'session_ended')
        ticket = self.ticket()['ticket']
        gone = self.approve(ticket, '--once')
        self.assertEqual(gone.returncode, 69)
        self.assertIn('has ended', gone.stderr)
        self.assertEqual(self.approve(ticket, '--session').returncode, 69)
        self.assertEqual(self.approve('HP-ZZZZ', '--once').returncode, 69)
        self.assertTrue(self.path('a').exists())
        self.assertFalse([d for d in self.decisions('approve') if d.get('accepted')])
        # Until a date it is about the next session.
        self.assertEqual(self.approve(ticket, '--until', '1h').returncode, 0)
        self.assertEqual(Shell(self).run(f'rm {self.path("a")}'), 'rc=0')

    def test_two_who_approve_at_once_count_once(self):
        shell = Shell(self)
        self.assertEqual(shell.run(f'rm {self.path("a")}'), 'rc=126')
        ticket = self.ticket()['ticket']
        racing = []
        for scope in ('--once', '--session'):
            argv = [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'approve', ticket, scope, '--reason', 'x', '--as',
                    'dana', '--password-fd', '0']
            process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            process.stdin.write(DANA.password.encode() + b'\n')
            process.stdin.close()
            racing.append(process)
        self.assertEqual(sorted(process.wait(timeout=60) for process in racing), [0, 69])
        self.assertEqual([d.get('accepted', False) for d in self.decisions('approve')].count(True), 1)


if __name__ == '__main__':
    unittest.main(verbosity=2)

"""Whoever may decide hears at once, at their terminals; and what becomes of it when the notifier ends."""

import os
import pathlib
import signal
import unittest

from e2e import terminals, told

DANA, LEE = told.DANA, told.LEE

setUpModule = told.enter


class Wall(told.NotifyCase):
    def test_owner_hears_of_the_hold_and_of_its_end_and_nobody_else_does(self):
        owner, other = self.log_in(DANA, LEE)
        session, ticket = self.hold()
        at = owner.wait_for(f'holdpoint: {ticket} is HELD, ')
        at = owner.wait_for(f'rm {self.precious}/a\r', at)
        at = owner.wait_for('look and decide: holdpoint --instance e2e watch\r', at)
        self.deny(ticket)
        owner.wait_for(f'{ticket} denied by dana', at)
        self.assertEqual(self.finish(session)[0], 126)
        self.assertEqual(other.read(), b'')
        self.assertEqual(self.until_notices('two notices', lambda n: n if n['told'] == 2 else None)['terminals'], 2)

    def test_what_a_session_wrote_reaches_no_terminal_raw(self):
        owner, = self.log_in(DANA)
        (self.precious / '\x1b[2Jx').write_text('data', encoding='ascii')
        session = self.session(f"rm '{self.precious}/\x1b[2Jx'")
        ticket = self.gate.await_hold()['ticket']
        owner.wait_for(f'{ticket} is HELD')
        owner.wait_for('look and decide: ')
        self.assertNotIn(b'\x1b', owner.shown)
        self.assertIn(rb'precious/\x1b[2Jx', owner.shown)
        self.assertNotIn(rb'\\x1b', owner.shown)
        self.deny(ticket)
        self.finish(session)

    def test_a_terminal_closed_to_messages_is_left_alone(self):
        owner, = self.log_in(DANA, messages=False)
        session, ticket = self.hold()
        counted = self.until_notices('a failure', lambda n: n if n['told'] == 1 else None)
        self.assertEqual((counted['terminals'], counted['terminals_failed']), (0, 1))
        self.assertEqual(owner.read(), b'')
        self.deny(ticket)
        self.finish(session)

    def test_logind_knows_terminals_that_utmp_does_not(self):
        owner = terminals.Terminal(DANA)
        self.addCleanup(owner.close)
        sessions = pathlib.Path('/run/systemd/sessions')
        sessions.mkdir(parents=True, exist_ok=True)
        (sessions / '41').write_text(f'UID={DANA.uid}\nUSER=dana\nACTIVE=1\nSTATE=active\nTTY={owner.line}\n', encoding='ascii')
        session, ticket = self.hold()
        owner.wait_for(f'{ticket} is HELD')
        self.deny(ticket)
        self.finish(session)

    def test_a_refusal_is_told_with_the_time_it_stays_open(self):
        owner, = self.log_in(DANA)
        self.gate.config.write_text(self.config().replace(f'hold_ms: {self.HOLD_MS}', 'hold_ms: 0'), encoding='utf-8')
        self.assertEqual(self.gate.cli('reload').returncode, 0)
        self.assertEqual(self.finish(self.session(f'rm {self.precious}/b'))[0], 126)
        owner.wait_for('was REFUSED, open until ')

    def test_the_notifier_has_no_right_but_the_group_of_terminals(self):
        pid = self.notifier()
        status = self.until('a notifier without rights',
                            lambda: s if 'Uid:\t64713\t64713' in (s := pathlib.Path(f'/proc/{pid}/status').read_text(
                                encoding='ascii')) else None)
        fields = dict(line.split(':', 1) for line in status.splitlines())
        self.assertEqual(fields['Groups'].split(), ['5'])
        self.assertEqual(fields['NoNewPrivs'].strip(), '1')
        for name in ('CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'CapInh'):
            self.assertEqual(int(fields[name], 16), 0, name)


class WallToAll(told.NotifyCase):
    NOTIFY = 'notify: {wall: all}\n'

    def test_everybody_who_is_logged_in_hears(self):
        owner, other = self.log_in(DANA, LEE)
        session, ticket = self.hold()
        owner.wait_for(f'{ticket} is HELD')
        other.wait_for(f'{ticket} is HELD')
        self.deny(ticket)
        self.finish(session)


class NotifierEnds(told.NotifyCase):
    def test_killed_it_comes_back_and_what_is_held_stays_held(self):
        owner, = self.log_in(DANA)
        session, ticket = self.hold('a')
        at = owner.wait_for(f'{ticket} is HELD')
        held = self.await_stopped()
        first = self.notifier()
        os.kill(first, signal.SIGKILL)
        self.until('another one', lambda: self.notices()['restarts'] == 1 and self.notices()['state'] == 'alive')
        self.assertNotEqual(self.notifier(), first)
        self.assertEqual(self.stopped(), held)
        self.assertIsNone(self.gate.process.poll())
        self.deny(ticket)
        owner.wait_for(f'{ticket} denied', at)
        self.assertEqual(self.finish(session)[0], 126)
        self.assertTrue((self.precious / 'a').exists())

    def test_what_it_had_not_finished_is_told_by_the_next_one(self):
        owner, = self.log_in(DANA)
        first = self.notifier()
        os.kill(first, signal.SIGSTOP)
        session, ticket = self.hold('a')
        self.assertEqual(self.notices()['waiting'], 1)
        os.kill(first, signal.SIGKILL)
        owner.wait_for(f'{ticket} is HELD')
        self.deny(ticket)
        self.finish(session)


class NotifierFull(told.NotifyCase):
    HOLD_MS = 0

    def test_past_the_queue_notices_are_counted_and_declared(self):
        for i in range(70):
            self.file(f'f{i}')
        first = self.notifier()
        os.kill(first, signal.SIGSTOP)
        self.addCleanup(os.kill, first, signal.SIGCONT)
        code, _, _ = self.finish(self.session(f'for i in $(seq 0 69); do rm {self.precious}/f$i; done; true'))
        self.assertEqual(code, 0)
        self.assertEqual(self.notices()['waiting'], 64)
        self.assertEqual(self.notices()['lost'], 6)
        lost = [loss for loss in self.losses() if loss['stage'] == 'notify']
        self.assertEqual([(loss['reason'], sum(int(l['count']) for l in lost)) for loss in lost][:1], [('queue full', 6)])
        os.kill(first, signal.SIGCONT)
        self.until_notices('the rest', lambda n: n['told'] == 64)


if __name__ == '__main__':
    unittest.main(verbosity=2)

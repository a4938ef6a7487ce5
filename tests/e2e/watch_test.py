"""`holdpoint watch`: sees what is held, and decides with one key and a proof."""

import signal
import termios
import unittest

from e2e import case, terminals, told

DANA, LEE = told.DANA, told.LEE

setUpModule = told.enter


class Watch(told.NotifyCase):
    LEAVE = b'\x1b[?1049l'

    def watch(self, person=DANA, *flags):
        driven = terminals.Driven(person, ['setpriv', '--reuid', person.uid, '--regid', person.uid, '--clear-groups', '--',
                                           self.gate.bin / 'holdpoint', '--run', self.gate.run, 'watch', *flags])
        self.addCleanup(driven.close)
        driven.wait_for('\x1b[?1049h')
        return driven

    def approve(self, watch, at=0, reason='planned', password=DANA.password):
        """Up to the last key but one: Enter is left to the caller."""
        watch.press('a')
        at = watch.wait_for('Why approve HP-', at)
        watch.press(reason + '\r')
        at = watch.wait_for('Password of dana:', at)
        watch.press(password)
        return at

    def test_sees_the_hold_and_approves_with_one_key_and_the_password(self):
        watch = self.watch()
        watch.wait_for('Nothing waits for a decision')
        session, ticket = self.hold()
        at = watch.wait_for(f'> {ticket}')
        at = watch.wait_for('HELD', at)
        watch.wait_for('\a')
        watch.wait_for(f'rm {self.precious}/a', at)
        watch.wait_for('a approve once')
        at = self.approve(watch)
        watch.press('\r')
        watch.wait_for(f'{ticket} approved', at)
        self.assertEqual(self.finish(session)[0], 0)
        self.assertFalse((self.precious / 'a').exists())
        self.assertNotIn(DANA.password.encode(), watch.shown)
        released = [o for o in self.outcomes() if o['what'] == 'released']
        self.assertEqual([o['ticket'] for o in released], [ticket])
        self.assertEqual(self.finish(self.session(f'test -e {self.precious}/b'))[0], 0)  # the neighbour is there
        watch.press('q')
        self.assertEqual(watch.finish(), 0)
        self.assertIn(self.LEAVE, watch.shown)
        self.assertEqual(termios.tcgetattr(watch.slave), watch.modes)

    def decide(self, watch, keys, asks, reason='planned'):
        """Presses `keys`, is asked why in these words, and gives reason and password."""
        watch.press(keys)
        at = watch.wait_for(asks)
        watch.press(reason + '\r')
        at = watch.wait_for('Password of dana:', at)
        watch.press(DANA.password + '\r')
        return at

    def test_approves_for_the_session_with_another_key(self):
        session = self.session(f'rm {self.precious}/a; echo data >{self.precious}/a; rm {self.precious}/a; rm {self.precious}/b')
        ticket = self.gate.await_hold()['ticket']
        watch = self.watch()
        watch.wait_for(f'> {ticket}')
        at = self.decide(watch, 's', f'Why approve {ticket} for the session?')
        watch.wait_for(f'{ticket} approved', at)
        other = self.gate.await_hold(wanted=lambda row: row['ticket'] != ticket)
        self.assertIn('/b', other['summary'], 'the same was removed twice; another target is another question')
        self.deny(other['ticket'])
        self.assertEqual(self.finish(session)[0], 126)
        self.assertFalse((self.precious / 'a').exists())
        self.assertEqual([row['scope'] for row in self.gate.lines('approvals')], ['session'])

    def test_approves_until_a_date_that_it_asks_for(self):
        session, ticket = self.hold()
        watch = self.watch()
        watch.wait_for(f'> {ticket}')
        watch.press('u')
        at = watch.wait_for(f'Until when may {ticket} pass?')
        watch.press('some day\r')
        at = watch.wait_for('Wanted a date such as', at)
        watch.press('\x15')
        at = self.decide(watch, '2h\r', f'Why approve {ticket} until 20')
        watch.wait_for(f'{ticket} approved', at)
        self.assertEqual(self.finish(session)[0], 0)
        row, = self.gate.lines('approvals')
        self.assertEqual(row['scope'], 'until')
        self.assertAlmostEqual(row['until'] - row['since'], 7200, delta=case.BOUND)
        self.assertEqual(self.finish(self.session(f'echo data >{self.precious}/a; rm {self.precious}/a'))[0], 0)

    def test_denies(self):
        session, ticket = self.hold()
        watch = self.watch()
        watch.wait_for(f'> {ticket}')
        watch.press('d')
        watch.wait_for('Why deny')
        watch.press('\r')
        at = watch.wait_for('Password of dana:')
        watch.press(DANA.password + '\r')
        watch.wait_for(f'{ticket} denied', at)
        code, _, err = self.finish(session)
        self.assertEqual(code, 126)
        self.assertIn('dana', err)
        self.assertTrue((self.precious / 'a').exists())

    def test_a_wrong_password_decides_nothing(self):
        session, ticket = self.hold()
        watch = self.watch()
        watch.wait_for(f'> {ticket}')
        at = self.approve(watch, password='wrong')
        watch.press('\r')
        watch.wait_for('was not accepted', at)
        self.assertTrue(self.stopped())
        self.assertTrue((self.precious / 'a').exists())
        self.deny(ticket)
        watch.wait_for('denied by dana', at)
        self.assertEqual(self.finish(session)[0], 126)

    def test_two_who_approve_at_once_release_it_once(self):
        session, ticket = self.hold()
        first, second = self.watch(), self.watch()
        ends = []
        for watch in (first, second):
            watch.wait_for(f'> {ticket}')
            ends.append(self.approve(watch))
        for watch in (first, second):
            watch.press('\r')
        said = []
        for watch, at in zip((first, second), ends):
            self.until('an answer', lambda: watch.read(1) and any(
                word in watch.text(at) for word in ('approved: the held', 'and can\'t be approved')))
            said.append("can't be approved" in watch.text(at))
        self.assertEqual(sorted(said), [False, True])
        self.assertEqual(self.finish(session)[0], 0)
        self.assertEqual(len([o for o in self.outcomes() if o['what'] == 'released']), 1)

    def test_who_may_not_decide_is_told_so_and_asked_for_nothing(self):
        session, ticket = self.hold()
        watch = terminals.Driven(LEE, [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'watch', '--as', 'lee'])
        self.addCleanup(watch.close)
        at = watch.wait_for(f'> {ticket}')
        watch.press('a')
        watch.wait_for(f'lee may not decide on {ticket}; may decide: dana', at)
        self.assertNotIn(b'Password', watch.shown)
        self.deny(ticket)
        self.finish(session)

    def test_a_signal_ends_it_and_the_terminal_is_as_it_was(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            watch = self.watch()
            watch.wait_for('q quit')
            watch.process.send_signal(number)
            self.assertEqual(watch.finish(), -number)
            self.assertIn(self.LEAVE, watch.shown)
            self.assertEqual(termios.tcgetattr(watch.slave), watch.modes)

    def test_a_new_size_is_drawn(self):
        watch = self.watch()
        at = watch.wait_for('q quit')
        watch.resize(16, 100)
        watch.process.send_signal(signal.SIGWINCH)
        watch.wait_for('\x1b[16;1H', at)

    def test_finds_the_next_gate(self):
        watch = self.watch()
        at = watch.wait_for('Nothing waits')
        self.gate.stop()
        at = watch.wait_for('trying again', at)
        self.gate.start()
        session, ticket = self.hold()
        watch.wait_for(f'> {ticket}', at)
        self.deny(ticket)
        self.finish(session)

    def test_not_from_inside_a_session(self):
        at_a_terminal = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))'
        done = self.finish(self.session(
            f"TERM=xterm python3 -c '{at_a_terminal}' {self.gate.bin}/holdpoint --run {self.gate.run} watch"))
        self.assertEqual(done[0], 77, done)
        self.assertIn("inside a coding agent's session", done[1])
        self.assertNotIn('\x1b[?1049h', done[1])

    def test_without_a_terminal_it_says_what_else_there_is(self):
        done = self.gate.cli('watch')
        self.assertEqual(done.returncode, 2)
        self.assertIn('holdpoint holds', done.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)

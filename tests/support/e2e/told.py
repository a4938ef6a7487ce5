"""A gate that tells whoever may decide: terminals and logins of the test's own, and what the gate says of its notices."""

import os
import pathlib

from e2e import case, isolation, terminals

DANA, LEE = case.DANA, case.LEE


def enter():
    """For setUpModule. utmp and logind's sessions are the test's own."""
    case.enter()
    isolation.mount('none', '/run', 'tmpfs')
    os.chmod('/run', 0o755)


class NotifyCase(case.GateCase):
    NOTIFY = 'notify: {wall: owners}\n'

    def config(self):
        return self.patient(super().config()) + self.NOTIFY

    @staticmethod
    def patient(config):
        """With a judge that may take its time: what is asked here is held, on a busy machine too."""
        return config.replace('limits:\n', 'limits:\n  consult_ms: 10000\n')

    def setUp(self):
        for leftover in ('/run/utmp', '/run/systemd/sessions/41'):
            pathlib.Path(leftover).unlink(missing_ok=True)
        super().setUp()

    def log_in(self, *people, messages=True):
        """A terminal for each, all of them in utmp."""
        opened = [terminals.Terminal(person, messages) for person in people]
        for terminal in opened:
            self.addCleanup(terminal.close)
        terminals.write_utmp([(person.name, terminal.line) for person, terminal in zip(people, opened)])
        return opened

    def hold(self, name='a'):
        """A session whose rm is held; the session and its ticket."""
        session = self.session(f'rm {self.precious}/{name}')
        ticket = self.gate.await_hold(wanted=lambda row: name == row['summary'][-1:])['ticket']
        return session, ticket

    def deny(self, ticket):
        done = self.gate.decide('deny', ticket, DANA)
        self.assertEqual(done.returncode, 0, done.stderr)

    def notices(self):
        return self.gate.lines('status')[0]['notices']

    def until_notices(self, what, seen):
        return self.until(what, lambda: seen(self.notices()))

    def notifier(self):
        return self.until('the notifier', lambda: case.children(self.gate.process.pid).get('holdpoint-notif', [None])[0])

"""The parts of Holdpoint are killed, stopped, starved and replaced. docs/staying-alive.md is the table of these."""

import os
import signal
import subprocess
import unittest

from e2e import case

setUpModule = case.enter


class StoppedNotTraced(case.GateCase):
    """The kernel has stopped a task, and the gate goes before it takes the task."""

    def stopped_and_unseen(self, environment='production', shell=None):
        """A session whose rm the kernel stopped while the gate could not look."""
        session = self.waiting(shell or f'rm {self.precious}/a; echo rc=$?', environment)
        self.gate.process.send_signal(signal.SIGSTOP)
        session.proceed()
        return session, self.await_stopped()

    def test_it_ends_with_the_gate_and_nothing_of_it_runs(self):
        session, _ = self.stopped_and_unseen()
        self.gate.kill()
        self.assertEqual(self.finish(session.process)[1], 'rc=137\n')
        self.assertTrue((self.precious / 'a').exists())

    def test_in_an_open_environment_too_as_nobody_knows_what_the_verdict_would_have_been(self):
        session, _ = self.stopped_and_unseen('staging')
        self.gate.kill()
        self.assertEqual(self.finish(session.process)[1], 'rc=137\n')
        self.assertTrue((self.precious / 'a').exists())

    def test_what_a_person_stopped_in_the_session_is_left_alone(self):
        session = self.waiting(f'sleep 1000 & kill -STOP $!; rm {self.precious}/a; echo rc=$?; kill -CONT $!; '
                               f'kill -0 $! && echo there; kill -9 $!', 'production')
        session.proceed()
        self.gate.await_hold()
        self.gate.kill()
        self.assertEqual(self.finish(session.process)[1], 'rc=137\nthere\n')

    def test_the_restarted_gate_tells_what_became_of_it(self):
        session, stopped = self.stopped_and_unseen()
        self.gate.kill()
        self.finish(session.process)
        self.gate.start()
        event = self.gate.await_event(lambda e: e['type'] == 'outcome' and e['outcome']['what'] == 'killed')
        self.assertIn('held when the gate ended', event['outcome']['detail'])
        self.assertEqual(event['outcome']['process']['tgid'], stopped[0])
        self.assertEqual(self.gate.cli('verify').returncode, 0)


class StoppedNotTracedWithoutIterator(StoppedNotTraced):
    FLAGS = ('--without', 'iterator')


class WardenGone(case.GateCase):
    def warden(self):
        return case.children(self.gate.process.pid).get('holdpoint-warde', [None])[0]

    def test_another_one_stands_by_and_it_is_in_the_record(self):
        first = self.warden()
        os.kill(first, signal.SIGKILL)
        self.until('another warden', lambda: self.warden() not in (None, first))
        self.gate.await_event(lambda e: e['type'] == 'daemon' and e['daemon']['state'] == 'warden restarted')

    def test_both_gone_what_is_stopped_stays_stopped_and_ends_when_a_gate_comes(self):
        session = self.waiting(f'rm {self.precious}/a; echo rc=$?', 'production')
        warden = self.warden()
        self.gate.process.send_signal(signal.SIGSTOP)
        session.proceed()
        self.await_stopped()
        os.kill(warden, signal.SIGKILL)
        self.gate.kill()
        self.assertTrue(self.stopped())
        self.gate.start()
        self.assertEqual(self.finish(session.process)[1], 'rc=137\n')
        self.assertTrue((self.precious / 'a').exists())

    def test_it_ends_with_a_gate_that_stops_in_good_order(self):
        warden = os.pidfd_open(self.warden())
        self.addCleanup(os.close, warden)
        self.assertEqual(self.gate.stop(), 0)
        self.until('its end', lambda: case.ended(warden))


class Wedged(case.GateCase):
    """Alive, but it does nothing: its heartbeat gets old."""
    FLAGS = ('--wedged-ms', '2000')

    def test_what_it_holds_ends_and_new_execs_get_the_fail_mode(self):
        held = self.session(f'rm {self.precious}/a; echo rc=$?; rm {self.precious}/b; echo rc=$?', 'production')
        self.gate.await_hold()
        self.gate.process.send_signal(signal.SIGSTOP)
        # The second rm comes when nobody beats any more.
        self.assertEqual(self.finish(held)[1], 'rc=137\nrc=137\n')
        self.assertEqual(self.gate.process.wait(timeout=case.BOUND), -signal.SIGKILL)
        self.assertTrue((self.precious / 'a').exists() and (self.precious / 'b').exists())

    def test_a_gate_that_beats_is_left_alone_however_long_it_holds(self):
        held = self.session(f'rm {self.precious}/a; echo rc=$?', 'production')
        row = self.gate.await_hold()
        beats = [self.gate.lines('status')[0]['uptime_s']]
        self.until('three seconds of its life', lambda: self.gate.lines('status')[0]['uptime_s'] >= beats[0] + 3)
        self.gate.decide('approve', row['ticket'], case.DANA)
        self.assertEqual(self.finish(held)[1], 'rc=0\n')


if __name__ == '__main__':
    unittest.main(verbosity=2)

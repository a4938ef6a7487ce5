"""What a gate that is killed had taken from the kernel and not written: the next one says how many that were."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import unittest

from e2e import acts, case

EXECS, SHARE = 900, 300
FIRST = 2  # execs of the session itself: sh, and what it starts


def setUpModule():
    case.enter()


class Killed(case.GateCase):
    RECORD = ''
    LEAF = None  # a program of the test's own, which the judge is asked about

    def config(self):
        return super().config() + self.RECORD

    def run_while(self, command, shares, between):
        """Runs it as a session, and calls `between` each time that it has said a number, while it goes on."""
        running = self.session(command)
        for share in range(shares):
            self.assertEqual(running.stdout.readline(), f'{(share + 1) * SHARE}\n')
            between()
        code, _, err = self.finish(running)
        self.assertEqual(code, 0, err)
        self.until('the end of the session', lambda: self.gate.lines('status')[0]['sessions'] == 0)

    def kill_and_start(self):
        self.gate.kill()
        self.gate.start()

    def spinner_and_leaf(self):
        return self.compiled('spinner', acts.SPINNER), self.LEAF or self.compiled('leaf', acts.LEAF)

    def spin(self, between):
        spinner, leaf = self.spinner_and_leaf()
        self.run_while(f'{spinner} {leaf} {EXECS} {SHARE}', EXECS // SHARE, between)

    def stop_in_the_middle(self):
        spinner, leaf = self.spinner_and_leaf()
        running = self.session(f'{spinner} {leaf} {SHARE} {SHARE}')
        self.assertEqual(running.stdout.readline(), f'{SHARE}\n')
        tally = self.tally()
        self.finish(running)
        self.assertEqual([loss for loss in tally.losses if loss['stage'] == 'gate'], [])
        self.assertEqual(tally.execs(), SHARE + FIRST)

    def tally(self):
        self.assertEqual(self.gate.stop(), 0)
        tally = acts.Tally(self.gate)
        self.assertEqual([loss for loss in tally.losses if loss['stage'] not in ('gate', 'judge')], [])
        return tally


class Counted(Killed):
    def test_recorded_and_declared_are_all_that_were_made(self):
        self.spin(self.kill_and_start)
        tally = self.tally()
        self.assertEqual(tally.execs(), EXECS + FIRST, tally.losses)
        self.assertGreater(tally.lost('execs'), 0)
        runs = []
        for loss in tally.losses:
            if loss['stage'] == 'gate':
                self.assertGreater(int(loss['first_unix_ns']), 0)
                self.assertLessEqual(int(loss['first_unix_ns']), int(loss['last_unix_ns']))
                self.assertNotIn('unknown', loss)
                runs.append(loss['run_id'])
        self.assertEqual(len(runs), len(set(runs)), 'each run is declared once')
        self.assertEqual(self.gate.cli('verify').returncode, 0)

    def test_what_passed_without_a_gate_is_said_once_each(self):
        spinner, leaf = self.spinner_and_leaf()
        session = self.waiting(f'{spinner} {leaf} 20 20')
        self.gate.kill()
        session.proceed()
        code, out, _ = self.finish(session.process)
        self.assertEqual((code, out), (0, '20\nran 20\n'))
        self.kill_and_start()  # It has said it, or not yet.
        self.until('the end of the session', lambda: self.gate.lines('status')[0]['sessions'] == 0)
        tally = self.tally()
        self.assertEqual([int(loss['count']) for loss in tally.losses if loss['reason'] == 'passed without a gate'], [21])
        self.assertEqual(tally.execs(), 20 + FIRST)

    def test_maps_of_a_version_without_an_account_are_not_counted_again(self):
        spinner, leaf = self.spinner_and_leaf()
        session = self.waiting(f'{spinner} {leaf} 20 20')
        self.gate.kill()
        session.proceed()
        self.assertEqual(self.finish(session.process)[0], 0)
        self.gate.start()
        self.until('what passed without a gate',
                   lambda: [loss for loss in self.losses() if loss['reason'] == 'passed without a gate'])
        self.until('the end of the session', lambda: self.gate.lines('status')[0]['sessions'] == 0)
        self.gate.kill()
        [account] = pathlib.Path(self.gate.pin).glob('*/maps/hp_account')
        account.unlink()
        self.gate.start()
        self.gate.kill()
        self.gate.start()
        losses = self.tally().losses
        self.assertEqual([int(loss['count']) for loss in losses if loss['reason'] == 'passed without a gate'], [21], losses)
        [unknown] = [loss['reason'] for loss in losses if loss.get('unknown')]
        self.assertIn('of a version that kept no account', unknown)

    def doctor(self):
        rows = map(json.loads, self.gate.cli('--json', 'doctor').stdout.splitlines())
        return next(row for row in rows if row['check'] == 'record')

    def test_doctor_and_status_say_whose_the_loss_is(self):
        self.assertEqual(self.doctor()['level'], 'ok')
        spinner, leaf = self.spinner_and_leaf()
        running = self.session(f'{spinner} {leaf} {SHARE} {SHARE}')
        self.assertEqual(running.stdout.readline(), f'{SHARE}\n')
        self.kill_and_start()
        self.assertEqual(self.finish(running)[0], 0)
        lost = sum(int(loss['count']) for loss in self.losses() if loss['stage'] == 'gate')
        self.assertGreater(lost, 0, 'counts wait for the end of their minute')
        row = self.doctor()
        self.assertEqual(row['level'], 'warning', row)
        self.assertIn('an earlier run was killed: ', row['detail'])
        self.assertIn(' 0 lost', row['detail'])
        self.assertIn('--kind loss', row['advice'])
        self.gate.kill()
        shutil.rmtree(self.gate.pin)
        self.gate.start()
        row = self.doctor()
        self.assertEqual(row['level'], 'warning', row)
        self.assertIn('a number that nobody knows', row['detail'])
        self.assertEqual(self.gate.lines('status')[0]['spool']['losses_unknown'], 1)
        self.assertIn('unknown number more lost', self.gate.cli('status').stdout)
        self.assertIn('holdpoint_losses_of_unknown_size_total 1\n', self.gate.cli('metrics').stdout)
        self.assertEqual(self.gate.stop(), 0)
        self.gate.start()
        self.assertEqual(self.doctor()['level'], 'ok', 'what was declared is not said again')

    def test_connects(self):
        connector = self.compiled('connector', acts.CONNECTOR)
        with contextlib.closing(socket.create_server(('127.0.0.1', 0), backlog=4096)) as server:
            port = server.getsockname()[1]
            self.run_while(f'{connector} {port} {EXECS} {SHARE}', EXECS // SHARE, self.kill_and_start)
        tally = self.tally()
        self.assertEqual(tally.all_connects(), EXECS, tally.losses)
        self.assertGreater(tally.lost('connects'), 0)

    def test_connects_of_a_session_that_ended_without_a_gate_are_in_the_record(self):
        connector = self.compiled('connector', acts.CONNECTOR)
        with contextlib.closing(socket.create_server(('127.0.0.1', 0), backlog=64)) as server:
            session = self.waiting(f'{connector} {server.getsockname()[1]} 20 20')
            self.gate.kill()
            session.proceed()
            self.assertEqual(self.finish(session.process)[0], 0)
        self.gate.start()
        self.until('the end of the session', lambda: self.gate.lines('status')[0]['sessions'] == 0)
        tally = self.tally()
        self.assertEqual((tally.all_connects(), tally.lost('connects')), (20, 0), tally.losses)
        events = self.gate.events()
        [name] = {e['session'] for e in events if e['type'] == 'session_started'}
        self.assertEqual({e.get('session') for e in events if e['type'] == 'rollup'}, {name}, 'who did it is known')
        self.assertEqual([e['session'] for e in events if e['type'] == 'session_ended'], [name])

    def test_a_gate_that_is_told_to_go_loses_nothing(self):
        def hand_over():
            self.gate.process.send_signal(signal.SIGUSR2)
            self.assertEqual(self.gate.process.wait(timeout=case.BOUND), 0)
            self.gate.start()

        self.spin(hand_over)
        tally = self.tally()
        self.assertEqual([loss for loss in tally.losses if loss['stage'] == 'gate'], [])
        self.assertEqual(tally.execs(), EXECS + FIRST)

    def test_a_gate_that_is_stopped_in_the_middle_has_written_what_it_saw(self):
        self.stop_in_the_middle()

    def test_without_the_kernels_maps_the_number_is_not_known(self):
        self.gate.kill()
        shutil.rmtree(self.gate.pin)
        self.gate.start()
        [loss] = [loss for loss in self.losses() if loss['stage'] == 'gate']
        self.assertIs(loss['unknown'], True)
        self.assertLess(int(loss['first_unix_ns']), int(loss['last_unix_ns']))
        self.assertIn('unknown number', self.gate.cli('events').stdout)
        self.assertEqual(self.gate.stop(), 0)
        self.gate.start()
        self.assertEqual(len([loss for loss in self.losses() if loss['stage'] == 'gate']), 1, 'it was told to stop: nothing more')


class InFull(Killed):
    RECORD = '\nrecord: {allowed: full}\n'

    def test_recorded_and_declared_are_all_that_were_made(self):
        self.spin(self.kill_and_start)
        tally = self.tally()
        self.assertEqual(tally.execs(), EXECS + FIRST, tally.losses)
        self.assertGreater(len(tally.ids), SHARE)

    def test_a_gate_that_is_stopped_waits_for_what_it_asked_about(self):
        self.stop_in_the_middle()


class PassedInTheKernel(Killed):
    """Described by the judge, for the record alone."""
    RECORD = '\nrecord: {allowed: full}\n'
    LEAF = '/usr/bin/true'

    def test_recorded_and_declared_are_all_that_were_made(self):
        self.spin(self.kill_and_start)
        tally = self.tally()
        self.assertEqual(tally.execs(), EXECS + FIRST, tally.losses)
        self.assertGreater(len(tally.ids), FIRST)

    def test_a_gate_that_is_stopped_waits_for_what_it_asked_about(self):
        self.stop_in_the_middle()


class DescribedLate(case.GateCase):
    def config(self):
        return super().config().replace('limits:', 'limits:\n  consult_ms: 10000') + '\nrecord: {allowed: full}\n'

    @staticmethod
    def go_on(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def test_what_is_described_behind_the_last_process_is_the_sessions_and_before_its_end(self):
        session = self.waiting('for i in 1 2 3 4 5; do /usr/bin/true; done')
        judge, = case.children(self.gate.process.pid)['holdpoint-judge']
        os.kill(judge, signal.SIGSTOP)
        self.addCleanup(self.go_on, judge)
        session.proceed()
        self.assertEqual(self.finish(session.process)[0], 0)
        self.until('its last process is known to be gone', lambda: self.gate.lines('sessions') == [])
        self.go_on(judge)
        self.until('the end of the session', lambda: [e for e in self.gate.events() if e['type'] == 'session_ended'])
        self.assertEqual(self.gate.stop(), 0)
        events = [e for e in self.gate.events() if e['type'] in ('session_started', 'exec', 'session_ended')]
        execs = [e['exec']['process']['executable'] for e in events if e['type'] == 'exec']
        self.assertEqual(execs.count('/usr/bin/true'), 5, execs)
        self.assertEqual(len({e.get('session') for e in events}), 1, events)
        self.assertEqual([e['type'] for e in events].index('session_ended'), len(events) - 1)


if __name__ == '__main__':
    unittest.main(verbosity=2)

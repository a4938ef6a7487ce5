"""Clocks that are set and a machine that sleeps, on Debian's own kernels: clock_test.py SERIES. docs/staying-alive.md."""

import unittest

import emulator

KERNEL = emulator.series()


class Clock(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        # One processor: an emulator that takes others off and puts them on again for a sleep hangs now and then.
        cls.console = emulator.play(KERNEL, 'clock', hold_ms=30000, cpus=1)

    def test_a_day_forward_ends_tickets_and_no_hold(self):
        self.console.expect(self, 'ready', 'forward-ticket', 'forward-hold', 'forward-told', 'forward-refused', 'forward-in-time')

    def test_days_back_keep_tickets_open_and_no_hold(self):
        self.console.expect(self, 'back-told', 'back-refused', 'back-in-time', 'back-ticket')

    def test_a_sleep_ends_what_was_held_for_too_long_and_is_declared(self):
        self.console.expect(self, 'sleep-slept', 'sleep-boot-clock', 'sleep-refused', 'sleep-in-time', 'sleep-told', 'sleep-ticket')

    def test_after_a_sleep_the_heartbeat_is_stale_until_the_gate_runs(self):
        self.console.expect(self, 'stale-closed', 'stale-ended', 'stale-neighbour')

    def test_nothing_was_released_and_the_record_verifies(self):
        self.console.expect(self, 'kept', 'nothing-released', 'verify')


if __name__ == '__main__':
    unittest.main(verbosity=2)

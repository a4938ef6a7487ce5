"""100,000 labelled processes on Debian's own kernels, whose pids the emulated machine may raise: scale_test.py SERIES."""

import unittest

import emulator

KERNEL = emulator.series()


class Scale(unittest.TestCase):
    maxDiff = None

    def test_every_label_is_right_and_ending_leaves_none(self):
        console = emulator.play(KERNEL, 'scale', memory=6144, hold_ms=1,
                                programs=['tests/e2e/programs/crowd.c', 'tests/e2e/programs/labels.c'])
        console.expect(self, 'ready', 'started', 'labels', 'sessions', 'tickets', 'label-failed', 'refused', 'killed', 'resident',
                       'ended', 'labels-after', 'verify')


if __name__ == '__main__':
    unittest.main(verbosity=2)

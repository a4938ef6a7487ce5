"""What a gate promises, on Debian's own kernels: gate_test.py SERIES. Prints which rung each capability stood on."""

import unittest

import emulator

KERNEL = emulator.series()


class Gate(unittest.TestCase):
    maxDiff = None

    def test_gate_holds_what_it_promises_and_names_its_rungs(self):
        emulator.play(KERNEL, 'gate').expect(
            self, 'ready', 'refused', 'told', 'refused-kept', 'neighbour', 'label-orphan', 'credential-there',
            'credential-read', 'triage-runs', 'triage', 'tamper-kill', 'tamper-told',
            'outside-not-gated', 'connect-refused', 'connect-neighbour', 'storm-kept', 'gate-killed-held',
            'gate-killed-kept', 'restarted', 'verify-exit', 'stopped', 'no-pins-left')


if __name__ == '__main__':
    unittest.main(verbosity=2)

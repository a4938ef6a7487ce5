"""What BPF LSM denies, on Debian's own kernels, which have it: lsm_test.py SERIES. Rows of docs/bypasses.md."""

import unittest

import emulator
from e2e.ways import SEEN, STOPPED, row

KERNEL = emulator.series()


class Lsm(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.console = emulator.play(KERNEL, 'lsm', hold_ms=600000, programs=['tests/kernel/programs/deed.c'])

    def test_the_scene_was_played_to_its_end(self):
        self.console.expect(self, 'ready', 'rung', 'verify')

    @row('B30', 'with BPF LSM: SIGCONT, ptrace or a look into the memory of a held process, also by root outside', STOPPED, '6.1, 6.12')
    def test_B30_a_held_process_is_out_of_reach(self):
        self.console.expect(self, 'held-cont', 'held-cont-session', 'held-mem', 'held-ptrace', 'held-neighbour', 'held-still',
                            'held-ended', 'held-kept')

    @row('B36', 'with BPF LSM: root inside a session signals the gate, the judge, the warden', STOPPED, '6.1, 6.12')
    def test_B36_signals_are_denied(self):
        self.console.expect(self, *(f'gate-{signal}' for signal in ('TERM', 'USR2', 'HUP', 'STOP', 'KILL')), 'judge-KILL',
                            'warden-STOP', 'signals-told', 'signals-alive', 'signals-own', 'signals-outside')

    @row('B36', 'with BPF LSM: root inside a session traces them or reads their memory', STOPPED, '6.1, 6.12')
    def test_B36_ptrace_is_denied(self):
        self.console.expect(self, 'gate-ptrace', 'judge-mem', 'ptrace-told', 'ptrace-own', 'ptrace-outside')

    @row('B36', 'with BPF LSM: root inside a session opens the maps and programs, by number and by pin', STOPPED, '6.1, 6.12')
    def test_B36_maps_and_programs_are_denied(self):
        self.console.expect(self, 'maps', 'progs', 'pinned', 'bpf-told', 'bpf-own', 'bpf-outside')

    @row('B36', 'root inside a session removes the pins: they are put back within a second', SEEN, '6.1, 6.12')
    def test_B36_pins_come_back(self):
        self.console.expect(self, 'unpin', 'unpin-back', 'unpin-told', 'held-still')


if __name__ == '__main__':
    unittest.main(verbosity=2)

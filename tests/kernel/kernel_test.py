"""A real gate on Debian's own kernels in an emulator: kernel_test.py SERIES. Prints which rung each capability stood on."""

import os
import pathlib
import re
import sys
import tempfile
import unittest

import image

SOURCE = pathlib.Path(os.environ['HP_SOURCE_DIR'])
BIN = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'bin'
SERIES = sys.argv.pop(1) if len(sys.argv) > 1 else '6.1'
BOOT_SECONDS = 900
CHECKS = ('ready', 'refused', 'told', 'refused-kept', 'neighbour', 'label-orphan', 'tamper-kill', 'tamper-told',
          'outside-not-gated',
          'connect-refused', 'connect-neighbour', 'storm-kept', 'gate-killed-held', 'gate-killed-kept', 'restarted',
          'verify-exit', 'stopped', 'no-pins-left')
CONFIG = '''environments:
  - name: production
    protected: true
    owners: {approval: [dana], rollback: [dana], incident: [dana]}
  - name: staging
    owners: {approval: [dana], rollback: [dana], incident: [dana]}
destinations:
  - {cidr: ["127.0.9.0/24"], ports: [5432], environment: production}
resources:
  - {type: path, id: "/precious/*", environment: production}
limits: {hold_ms: 3000, consult_ms: 10000}
'''


def system(folder):
    made = image.System(folder)
    for name in ('holdpointd', 'holdpoint-judge', 'holdpoint-reader', 'holdpoint-presence', 'holdpoint-warden', 'holdpoint'):
        made.program(BIN / name, strip=True)
    made.program('/bin/busybox')
    for name in ('rm', 'dash', 'cat'):
        made.program(f'/bin/{name}')
    made.text('etc/passwd', 'root:x:0:0:root:/:/bin/dash\ndana:x:61010:61010::/:/bin/dash\n')
    made.text('etc/group', 'root:x:0:\ndana:x:61010:\n')
    made.text('etc/nsswitch.conf', 'passwd: files\ngroup: files\n')
    made.text('etc/holdpoint.yaml', CONFIG)
    for pack in (SOURCE / 'rules').glob('*.yaml'):
        made.text(f'rules/{pack.name}', pack.read_text(encoding='utf-8'))
    made.text('init', (SOURCE / 'tests/kernel/init.sh').read_text(encoding='utf-8'), 0o755)
    return made


class KernelTest(unittest.TestCase):
    maxDiff = None

    def test_gate_holds_what_it_promises_and_names_its_rungs(self):
        package, vmlinuz = image.kernel(SERIES)
        with tempfile.TemporaryDirectory() as work:
            os.chmod(work, 0o755)
            system(f'{work}/root').pack(f'{work}/initramfs')
            # What the machine says, as it says it: the one thing to look at when a kernel hangs.
            console_file = pathlib.Path(os.environ['HP_BUILD_DIR']) / f'kernel-{SERIES}.console'
            with open(console_file, 'wb') as log:
                console = image.boot(vmlinuz, f'{work}/initramfs', BOOT_SECONDS, log)
        print(package)
        print('\n'.join(re.findall(r'^(HP-KERNEL.*|HP-CHECK.*|holdpointd: info: .*)$', console, re.M)))
        seen = dict(re.findall(r'^HP-CHECK (\S+) (.*)$', console, re.M))
        self.assertEqual({name: seen.get(name, 'not reached') for name in CHECKS}, {name: 'ok' for name in CHECKS},
                         console[-6000:])


if __name__ == '__main__':
    unittest.main(verbosity=2)

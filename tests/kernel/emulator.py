"""One scene (a shell script of this folder) with a real gate, on one of Debian's kernels in an emulator."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import image

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
BIN = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'bin'
CONFIG = '''environments:
  - name: production
    protected: true
    owners: {{approval: [dana], rollback: [dana], incident: [dana]}}
  - name: staging
    owners: {{approval: [dana], rollback: [dana], incident: [dana]}}
destinations:
  - {{cidr: ["127.0.9.0/24"], ports: [5432], environment: production}}
credentials:
  - {{name: deploy-token, environment: production, files: ["/tmp/deploy-token"]}}
resources:
  - {{type: path, id: "/precious/*", environment: production}}
limits: {{hold_ms: {hold_ms}, consult_ms: 10000}}
notify: {{wall: off}}
'''


def series():
    """The kernel to boot: the first argument, taken off for unittest."""
    return sys.argv.pop(1) if len(sys.argv) > 1 else '6.1'


def _system(folder, modules, scene, hold_ms, programs):
    made = image.System(folder)
    for name in image.MODULES:
        if (modules / f'{name}.ko').exists():
            made.program(modules / f'{name}.ko', f'modules/{name}.ko')
    made.text('modules/order', ' '.join(image.MODULES))
    made.disk(['/usr/bin/printf'])
    for name in ('holdpointd', 'holdpoint-judge', 'holdpoint-reader', 'holdpoint-presence', 'holdpoint-warden', 'holdpoint'):
        made.program(BIN / name, strip=True)
    made.program('/bin/busybox')
    for name in ('rm', 'dash', 'cat'):
        made.program(f'/bin/{name}')
    for source in programs:
        built = f'{folder}.{pathlib.Path(source).stem}'
        subprocess.run(['gcc', '-O1', '-Wall', '-pthread', '-o', built, SOURCE / source], check=True)
        made.program(built, f'bin/{pathlib.Path(source).stem}')
    made.text('etc/passwd', 'root:x:0:0:root:/:/bin/dash\ndana:x:61010:61010::/:/bin/dash\n')
    made.text('etc/group', 'root:x:0:\ndana:x:61010:\n')
    made.text('etc/nsswitch.conf', 'passwd: files\ngroup: files\n')
    made.text('etc/holdpoint.yaml', CONFIG.format(hold_ms=hold_ms))
    for pack in (SOURCE / 'rules').glob('*.yaml'):
        made.text(f'rules/{pack.name}', pack.read_text(encoding='utf-8'))
    common, played = ((HERE / f'{part}.sh').read_text(encoding='utf-8') for part in ('common', scene))
    # Read as a whole before it runs: what the shell starts in the background moves its place in the file.
    made.text('init', f'{common}\nscene() {{\n{played}\n}}\nscene\n', 0o755)
    return made


class Console:
    """What a scene said: `checks` is {name: "ok" or what was seen instead}."""

    def __init__(self, package, text):
        self.text = text
        self.checks = dict(re.findall(r'^HP-CHECK (\S+) (.*)$', text, re.M))
        print(package)
        print('\n'.join(re.findall(r'^(HP-KERNEL.*|HP-CHECK.*|HP-SAYS.*|holdpointd: info: .*)$', text, re.M)))

    def expect(self, test, *names):
        """Fails `test` unless each of these checks was reached and was right."""
        test.assertEqual({name: self.checks.get(name, 'not reached') for name in names},
                         {name: 'ok' for name in names}, self.text[-6000:])


def play(kernel, scene, seconds=900, hold_ms=3000, programs=(), memory=1536, cpus=2):
    """Boots `kernel` ("6.1") with `scene`, until the scene switches the machine off; `programs` are C files, by their
    path below the checkout, that the scene finds on its PATH."""
    package, vmlinuz = image.kernel(kernel)
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)
        _system(f'{work}/root', vmlinuz.parent / 'modules', scene, hold_ms, programs).pack(f'{work}/initramfs')
        # What the machine says, as it says it: the one thing to look at when a kernel hangs.
        with open(pathlib.Path(os.environ['HP_BUILD_DIR']) / f'kernel-{kernel}-{scene}.console', 'wb') as log:
            return Console(package, image.boot(vmlinuz, f'{work}/initramfs', seconds, log, memory, cpus))

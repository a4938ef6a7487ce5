"""Owners with passwords, in an /etc of the test's own: no account is made on the machine."""

import dataclasses
import os
import pathlib
import shutil
import subprocess

_PAM_SERVICE = pathlib.Path(__file__).resolve().parents[3] / 'scripts' / 'pam' / 'holdpoint'


@dataclasses.dataclass
class Person:
    name: str
    uid: int
    password: str


def move_in(world, people):
    """Makes `people` the only users besides root, for this process and all that it starts, with their passwords."""
    etc = world.root / 'etc'
    (etc / 'pam.d').mkdir(parents=True)
    hashed = {p.name: subprocess.run(['openssl', 'passwd', '-6', '-stdin'], input=p.password, check=True,
                                     capture_output=True, text=True).stdout.strip() for p in people}
    files = {
        'passwd': ['root:x:0:0:root:/root:/bin/bash', *(f'{p.name}:x:{p.uid}:{p.uid}::/nonexistent:/bin/false'
                                                        for p in people)],
        'group': ['root:x:0:', 'shadow:x:42:', *(f'{p.name}:x:{p.uid}:' for p in people)],
        'shadow': ['root:*:19700:0:99999:7:::', *(f'{p.name}:{hashed[p.name]}:19700:0:99999:7:::' for p in people)],
        'nsswitch.conf': ['passwd: files', 'group: files', 'shadow: files', 'hosts: files'],
    }
    for name, lines in files.items():
        path = etc / name
        path.write_text('\n'.join(lines) + '\n', encoding='ascii')
        path.chmod(0o600 if name == 'shadow' else 0o644)
        world.bind(path, f'/etc/{name}')
    for entry in os.scandir('/etc/pam.d'):
        shutil.copy(entry.path, etc / 'pam.d')
    shutil.copy(_PAM_SERVICE, etc / 'pam.d' / 'holdpoint')
    world.bind(etc / 'pam.d', '/etc/pam.d')

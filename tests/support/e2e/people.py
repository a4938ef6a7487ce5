"""Owners with passwords, in an /etc of the test's own: no account is made on the machine."""

import dataclasses
import pathlib
import subprocess

_PAM_SERVICE = pathlib.Path(__file__).resolve().parents[3] / 'scripts' / 'pam' / 'holdpoint'


@dataclasses.dataclass
class Person:
    name: str
    uid: int
    password: str


def move_in(world, people):
    """Makes `people` the only users besides root, for this process and all that it starts, with their passwords."""
    hashed = {p.name: subprocess.run(['openssl', 'passwd', '-6', '-stdin'], input=p.password, check=True,
                                     capture_output=True, text=True).stdout.strip() for p in people}
    world.write_etc('passwd', '\n'.join([
        'root:x:0:0:root:/root:/bin/bash', *(f'{p.name}:x:{p.uid}:{p.uid}::/nonexistent:/bin/false' for p in people)]))
    world.write_etc('group', '\n'.join(['root:x:0:', 'shadow:x:42:', *(f'{p.name}:x:{p.uid}:' for p in people)]))
    world.write_etc('shadow', '\n'.join([
        'root:*:19700:0:99999:7:::', *(f'{p.name}:{hashed[p.name]}:19700:0:99999:7:::' for p in people)]), mode=0o600)
    world.write_etc('pam.d/holdpoint', _PAM_SERVICE.read_text(encoding='ascii'))

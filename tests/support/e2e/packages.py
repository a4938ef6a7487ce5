"""A repository of packages, and a dpkg and an apt that know nothing else: what is installed stays with the test."""

import hashlib
import pathlib
import subprocess

SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'


class Repository:
    """Takes the place of the system's databases, in the world, for this process and what it starts."""

    def __init__(self, world):
        self.world = world
        self.path = world.root / 'packages'
        self.path.mkdir()
        self._index = []
        self._private('/var/lib/dpkg', 'info', 'updates', 'triggers', 'parts')
        (pathlib.Path('/var/lib/dpkg') / 'status').touch()
        self._private('/var/lib/apt', 'lists/partial')
        self._private('/var/cache/apt', 'archives/partial')
        self._private('/var/log', 'apt')
        for one in pathlib.Path('/etc/apt/sources.list.d').glob('*'):
            one.unlink()
        world.write_etc('apt/sources.list', f'deb [trusted=yes] file:{self.path} ./')

    def _private(self, folder, *inside):
        """A folder of our own in place of the system's."""
        ours = self.world.root / 'system' / folder[1:]
        for name in inside:
            (ours / name).mkdir(parents=True)
        self.world.bind(ours, folder)

    def add(self, name, script, files=(), depends=''):
        """A package whose maintainer script does this when it is installed; apt knows it from here on."""
        tree = self.world.root / 'trees' / name
        (tree / 'DEBIAN').mkdir(parents=True)
        control = (f'Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: d <d@example.com>\n'
                   f'{f"Depends: {depends}" + chr(10) if depends else ""}Description: a day\n')
        (tree / 'DEBIAN/control').write_text(control)
        (tree / 'DEBIAN/postinst').write_text(f'#!/bin/sh\nset -e\n{script}\n')
        (tree / 'DEBIAN/postinst').chmod(0o755)
        for file in files:
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            (tree / file).write_text(f'{file} of {name}\n')
        deb = self.path / f'{name}.deb'
        _run('dpkg-deb', '--root-owner-group', '-b', tree, deb)
        data = deb.read_bytes()
        self._index.append(f'{control}Filename: ./{name}.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n')
        (self.path / 'Packages').write_text('\n'.join(self._index))
        _run('apt-get', '-qq', 'update')
        return deb


def _run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f'{argv[0]}: {done.stdout}{done.stderr}')

"""Namespaces and cgroups of a test's own: what it mounts, serves, starts and attaches ends with it."""

import atexit
import ctypes
import os
import pathlib
import select
import subprocess

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f'{what}: {os.strerror(error)}')


def mount(source, target, kind=None, flags=0):
    _check(_libc.mount(os.fsencode(source), os.fsencode(target), kind and kind.encode(), flags, None),
           f'mount {source} on {target}')


def bind(source, target):
    mount(source, target, flags=_MS_BIND | _MS_REC)


def enter():
    """Puts this process into its own mount and network namespaces: loopback up, an own bpffs, an empty tmpfs for files.

    Gives the tmpfs's folder. Call it once, before any thread starts. What is mounted ends with this process.
    """
    _check(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET), 'unshare')
    mount('none', '/', flags=_MS_REC | _MS_PRIVATE)
    mount('none', '/sys/fs/bpf', 'bpf')
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    # Not in /tmp: what lies there is disposable in the eyes of a policy. Not over the checkout or the cache either.
    used = [str(pathlib.Path(p).resolve()) for p in (__file__, os.environ.get('HP_CACHE', '/root'))]
    place = next(p for p in ('/mnt', '/srv', '/media') if not any(u.startswith(p + '/') for u in used))
    mount('none', place, 'tmpfs')
    os.chmod(place, 0o755)
    return pathlib.Path(place)


def cgroup_root():
    """The cgroup v2 folder to make scopes in: the one scripts/test gives, else the hierarchy's root."""
    given = os.environ.get('HP_TEST_CGROUP')
    if given:
        return pathlib.Path(given)
    with open('/proc/self/mounts', encoding='utf-8') as mounts:
        for line in mounts:
            fields = line.split()
            if fields[2] == 'cgroup2':
                return pathlib.Path(fields[1])
    raise RuntimeError('no cgroup v2 hierarchy is mounted: mount -t cgroup2 none /sys/fs/cgroup')


class Scope:
    """A cgroup of our own. `end` ends every process in it and waits until the kernel says that it is empty."""

    def __init__(self, name):
        self.path = cgroup_root() / f'{name}.{os.getpid()}.{id(self):x}'
        self.path.mkdir()
        atexit.register(self.end)

    def command(self, argv, uid=0):
        """The argv that starts `argv` inside the scope, as `uid` (a number without an account will do)."""
        shell = f'echo 0 > {self.path}/cgroup.procs && exec "$@"'
        drop = [] if uid == 0 else ['setpriv', '--reuid', str(uid), '--regid', str(uid), '--clear-groups', '--']
        return ['/bin/sh', '-c', shell, 'sh', *drop, *map(str, argv)]

    def processes(self):
        return [int(pid) for pid in (self.path / 'cgroup.procs').read_text().split()]

    def end(self):
        if not self.path.is_dir():
            return
        (self.path / 'cgroup.kill').write_text('1')
        _wait_empty(self.path / 'cgroup.events')
        for folder, _, _ in os.walk(self.path, topdown=False):
            os.rmdir(folder)


def _wait_empty(events):
    # cgroup.events raises POLLPRI when it changes; the read before each poll is what arms it.
    with open(events, encoding='ascii') as file:
        poll = select.poll()
        poll.register(file, select.POLLPRI)
        for _ in range(100):
            file.seek(0)
            if 'populated 0' in file.read():
                return
            poll.poll(100)
    raise RuntimeError(f'{events}: processes are left after cgroup.kill')

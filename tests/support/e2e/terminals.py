"""Pseudo terminals of people who are logged in, and programs that are driven at one."""

import contextlib
import fcntl
import os
import pathlib
import re
import select
import struct
import subprocess
import termios
import time

_TTY_GROUP = 5
_USER_PROCESS = 7
_BOUND = 60
_ESCAPES = re.compile(rb'\x1b\[[0-9;?]*[A-Za-z]')


def write_utmp(logins):
    """`logins` are pairs of a user's name and a line such as pts/3."""
    entries = [struct.pack('hi32s4s32s256shhiii16s20s', _USER_PROCESS, os.getpid(), line.encode(), b'', user.encode(), b'',
                           0, 0, 0, 0, 0, b'', b'') for user, line in logins]
    pathlib.Path('/run/utmp').write_bytes(b''.join(entries))


class Terminal:
    """A terminal of `person`, open to messages; what is shown on it is collected by reading."""

    def __init__(self, person, messages=True):
        self.master, self.slave = os.openpty()
        path = os.ttyname(self.slave)
        os.chown(path, person.uid, _TTY_GROUP)
        os.chmod(path, 0o620 if messages else 0o600)
        self.line = path.removeprefix('/dev/')
        self.shown = b''

    def read(self, seconds=0.0):
        """What is there; waits at most so long for a first byte."""
        while select.select([self.master], [], [], seconds)[0]:
            try:
                got = os.read(self.master, 65536)
            except OSError:  # the other end was closed
                break
            if not got:
                break
            self.shown += got
            seconds = 0
        return self.shown

    def wait_for(self, text, start=0):
        """Reads until `text` was shown behind `start`; gives the place behind it."""
        deadline = time.monotonic() + _BOUND
        while (at := self.shown.find(text.encode(), start)) < 0:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f'{text!r} was not shown, but {self.shown[start:]!r}')
            self.read(left)
        return at + len(text)

    def close(self):
        for fd in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(fd)


class Driven(Terminal):
    """A program at a terminal of 80 columns and 24 lines, driven by keys."""

    def __init__(self, person, argv, env=None, size=(24, 80)):
        super().__init__(person)
        self.resize(*size)
        self.modes = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(list(map(str, argv)), stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                        start_new_session=True,
                                        env={'TERM': 'xterm', 'PATH': '/usr/bin:/bin', 'NO_COLOR': '1', **(env or {})})

    def resize(self, lines, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))

    def press(self, keys):
        os.write(self.master, keys.encode())

    def text(self, start=0):
        return _ESCAPES.sub(b' ', self.shown[start:]).decode('utf-8', 'replace')

    def finish(self):
        code = self.process.wait(timeout=_BOUND)
        self.read()
        return code

    def close(self):
        self.process.kill()
        self.process.wait()
        super().close()

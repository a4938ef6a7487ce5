"""One gate on a scope of its own, files that a session must not lose, and sessions that wait for a word of the test."""

import contextlib
import os
import pathlib
import select
import subprocess
import time
import unittest

from . import fixture_config, gate, isolation, people, world

DANA = people.Person('dana', 61010, 'a long sentence of dana')
LEE = people.Person('lee', 61011, 'another sentence, of lee')
BOUND = 60  # seconds for what takes milliseconds


def enter():
    """For setUpModule."""
    GateCase.PLACE = isolation.enter()


class Waiting:
    """A session that has said that it is there and goes on when told to."""

    def __init__(self, case, shell, environment, **options):
        self.process = case.session(f'echo ready; read x; exec </dev/null; {shell}', environment,
                                    stdin=subprocess.PIPE, **options)
        said = self.process.stdout.readline()
        if said != 'ready\n':
            raise AssertionError(f'the session did not start: {said}{self.process.stderr.read()}')

    def proceed(self):
        self.process.stdin.write('go\n')
        self.process.stdin.flush()

    def close(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                stream.close()


class GateCase(unittest.TestCase):
    PLACE = None
    HOLD_MS = 60000
    FLAGS = ()

    def setUp(self):
        self.world = world.World(self.PLACE)
        self.addCleanup(self.world.close)
        people.move_in(self.world, [DANA, LEE])
        self.precious = self.world.root / 'precious'
        self.precious.mkdir()
        for name in 'abcd':
            self.file(name)
        self.precious.chmod(0o777)
        os.chown(self.precious, self.world.uid, self.world.uid)
        self.gate = gate.Gate(self.world, self.config(), flags=self.FLAGS, programs=self.programs())
        self.addCleanup(self.end_gate)

    def end_gate(self):
        self.gate.kill()  # whatever state the test left it in
        self.world.scope.end()
        subprocess.run([self.gate.bin / 'holdpointd', '--uninstall', '--pin', self.gate.pin, '--run', self.gate.run,
                        '--state', self.gate.state, '--instance', 'e2e'], check=True, capture_output=True)

    def programs(self):
        """A folder with programs of Holdpoint in place of the built ones; None for those."""
        return None

    def config(self):
        text = fixture_config.text(self.world, hold_ms=self.HOLD_MS)
        path = f'resources:\n  - {{type: path, id: "{self.precious}/*", environment: production}}'
        return text.replace('resources:', path)

    def file(self, name):
        path = self.precious / name
        path.write_text('data', encoding='ascii')
        os.chown(path, self.world.uid, self.world.uid)
        return path

    def session(self, shell, environment='staging', uid=None, **options):
        """Starts `sh -c SHELL` as a session of its own inside the scope."""
        argv = self.world.scope.command(
            [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'run', '--env', environment, '--', 'sh', '-c', shell],
            uid=self.world.uid if uid is None else uid)
        options.setdefault('stdin', subprocess.DEVNULL)
        options.setdefault('cwd', self.world.workspace)
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=self.world.environment(), text=True, **options)

    def waiting(self, shell, environment='staging', **options):
        waiting = Waiting(self, shell, environment, **options)
        self.addCleanup(waiting.close)
        return waiting

    def finish(self, process):
        out, err = process.communicate(timeout=BOUND)
        return process.returncode, out, err

    def until(self, what, seen):
        """Looks until `seen()` gives something true; that is what it gives."""
        deadline = time.monotonic() + BOUND
        while time.monotonic() < deadline:
            found = seen()
            if found:
                return found
            os.sched_yield()
        raise AssertionError(f'{what} was not seen:\n{self.gate.read_log()}')

    def stopped(self, program='rm'):
        """Processes of the scope that are stopped and run `program`."""
        found = []
        for pid in self.world.scope.processes():
            with contextlib.suppress(OSError):
                name, state = _name_and_state(pid)
                if name == program and state in 'Tt':
                    found.append(pid)
        return found

    def await_stopped(self, program='rm'):
        return self.until(f'a stopped {program}', lambda: self.stopped(program))

    def compiled(self, name, source):
        """A program that no session has seen, made from C."""
        folder = self.world.root / 'bin'
        folder.mkdir(exist_ok=True)
        (folder / f'{name}.c').write_text(source, encoding='ascii')
        subprocess.run(['gcc', '-O1', '-o', folder / name, folder / f'{name}.c'], check=True)
        return folder / name

    def losses(self):
        return [e['loss'] for e in self.gate.events() if e['type'] == 'loss']

    def outcomes(self):
        return [e['outcome'] for e in self.gate.events() if e['type'] == 'outcome']

    def daemon_states(self):
        return [e['daemon']['state'] for e in self.gate.events() if e['type'] == 'daemon']


def _name_and_state(pid):
    text = pathlib.Path(f'/proc/{pid}/stat').read_text(encoding='ascii', errors='replace')
    return text[text.index('(') + 1:text.rindex(')')], text[text.rindex(')') + 2]


def state_of(pid):
    """As /proc has it: 'T' stopped, 't' stopped by its tracer, ..."""
    return _name_and_state(pid)[1]


def ended(pidfd):
    """Whether the process behind a pidfd has ended."""
    return bool(select.select([pidfd], [], [], 0)[0])


def children(pid):
    """{program name: [pid]} of what a process started."""
    found = {}
    for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
        for child in (task / 'children').read_text(encoding='ascii').split():
            with contextlib.suppress(OSError):
                found.setdefault(pathlib.Path(f'/proc/{child}/comm').read_text(encoding='ascii').strip(), []).append(int(child))
    return found

"""What every family of bypasses has in common: one gate for the file, a session for each attempt, a neighbour that passes."""

import collections
import itertools
import os
import pathlib
import subprocess
import unittest

from e2e import fixture_config, gate, isolation, people, world
from e2e.ways import DECLARED, SEEN, STOPPED, row  # noqa: F401, for the tests that import this

DANA = people.Person('dana', 61010, 'a long sentence of dana')
LEE = people.Person('lee', 61011, 'another sentence, of lee')
PRODUCTION = '127.0.9.1'  # tagged with port 5432: see configuration()
PORT = 5432
_SOURCE = pathlib.Path(__file__).resolve().parents[2]
_PROGRAMS = pathlib.Path(__file__).resolve().parent / 'programs'
_place = None

Done = collections.namedtuple('Done', 'code out err')


def setUpModule():
    global _place
    _place = isolation.enter()


def declared(*sentences):
    """Fails where docs/threat-model.md does not have each sentence: what is not stopped has to be said."""
    said = ' '.join((_SOURCE / 'docs' / 'threat-model.md').read_text(encoding='utf-8').split())
    for sentence in sentences:
        if sentence not in said:
            raise AssertionError(f'docs/threat-model.md does not say: {sentence}')


class Scene(unittest.TestCase):
    HOLD_MS = 1  # what would wait for a person is refused at once
    FLAGS = ()
    SMALL_LOSSES = 0  # any number: the neighbours that pass are many
    PROGRAM = None  # a C file of programs/, compiled to self.program

    @classmethod
    def setUpClass(cls):
        cls.world = world.World(_place)
        cls.addClassCleanup(cls.world.close)
        people.move_in(cls.world, [DANA, LEE])
        cls.names = itertools.count()
        cls.precious = cls.world.root / 'precious'
        cls.own(cls.precious, folder=True)
        cls.bin = cls.world.root / 'bin'
        cls.bin.mkdir()
        if cls.PROGRAM:
            cls.program = cls.compile(cls.PROGRAM)
        cls.before_gate()
        cls.gate = gate.Gate(cls.world, cls.configuration(), flags=cls.FLAGS)
        cls.addClassCleanup(cls.gate.stop)

    @classmethod
    def before_gate(cls):
        pass

    @classmethod
    def configuration(cls):
        text = fixture_config.text(cls.world, hold_ms=cls.HOLD_MS)
        path = f'resources:\n  - {{type: path, id: "{cls.precious}/*", environment: production}}'
        cidr = f'destinations:\n  - {{cidr: ["127.0.9.0/24"], ports: [{PORT}], environment: production}}'
        # A busy machine must not decide for the judge: what it has no time for passes in staging, by the fail mode.
        return text.replace('resources:', path).replace('destinations:', cidr).replace(
            'limits:', f'intent: {{small_losses: {cls.SMALL_LOSSES}}}\nlimits:\n  consult_ms: 10000')

    @classmethod
    def own(cls, path, folder=False, text='data'):
        path.mkdir() if folder else path.write_text(text)
        os.chown(path, cls.world.uid, cls.world.uid)
        return path

    @classmethod
    def compile(cls, name, *flags, target=None):
        made = cls.bin / (target or pathlib.Path(name).stem)
        made.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(['gcc', '-O1', '-Wall', '-Wno-nonnull', '-pthread', '-o', made, _PROGRAMS / name, *flags], check=True)
        return made

    def target(self, name=None):
        """A file that production would miss."""
        return self.own(self.precious / (name or f'data-{next(self.names)}'))

    def spare(self, name=None):
        """A file of the workspace that nobody would miss."""
        return self.own(self.world.workspace / (name or f'scratch-{next(self.names)}'))

    def start(self, shell, environment='staging', uid=None, with_shell='sh', **options):
        argv = self.world.scope.command(
            [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'run', '--env', environment, '--',
             with_shell, '-c', shell], uid=self.world.uid if uid is None else uid)
        options.setdefault('stdin', subprocess.DEVNULL)
        options.setdefault('env', self.world.environment())
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.world.workspace,
                                text=True, errors='backslashreplace', **options)

    @staticmethod
    def finish(process):
        out, err = process.communicate(timeout=60)
        return Done(process.returncode, out, err)

    def session(self, shell, environment='staging', **options):
        """Runs `sh -c SHELL` as a session of its own and waits for it."""
        for _ in range(5):
            done = self.finish(self.start(shell, environment, **options))
            if done.code != 75:  # 75: no session was started, because the machine is busy
                break
        return done

    def judged(self, wanted):
        """The exec events, oldest first, whose process and judgement `wanted` accepts."""
        return [e for e in self.gate.events() if e['type'] == 'exec' and
                wanted(e['exec'].get('process', {}), e['exec'].get('judgement', {}))]

    def stops(self, attempt, **options):
        """`attempt(FILE)` is the shell text that destroys a file. What is precious stays and is in the record as held
        or refused; the neighbour, the same way to a file of no worth, passes. Gives the event."""
        target, spare = self.target(), self.spare()
        before = self.gate.events()[-1]['sequence']
        done = self.session(attempt(target), **options)
        self.assertTrue(target.exists(), done)
        events = [e for e in self.judged(lambda p, j: j.get('verdict') in ('hold', 'refuse'))
                  if e['sequence'] > before]
        self.assertTrue(events, done)
        for _ in range(5):  # on a machine that is busy a file may not be looked at in time: what is unseen is held
            done = self.session(attempt(spare), **options)
            if not spare.exists():
                return events[0]
        self.fail(done)

    def passes_unseen(self, attempt, **options):
        """The opposite, for what is declared: the precious file is gone. Fails once it is stopped, and then the row
        of this test can be raised."""
        target = self.target()
        done = self.session(attempt(target), **options)
        self.assertFalse(target.exists(), f'it is stopped now: make the row say so. {done}')
        return done

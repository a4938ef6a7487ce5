"""A gate on a scope of its own, and stand-ins for coding agents. They carry a coding agent's fingerprint: what the gate
knows them by, and a shell inside."""

import os
import pathlib
import shutil
import subprocess
import unittest

from . import fixture_config, gate, isolation, people, world

DANA = people.Person('dana', 61010, 'a long sentence of dana')
BOUND = 60  # seconds for what takes milliseconds


def enter():
    """For setUpModule."""
    SessionCase.PLACE = isolation.enter()


class SessionCase(unittest.TestCase):
    PLACE = None
    FLAGS = ()

    def setUp(self):
        self.world = world.World(self.PLACE)
        self.addCleanup(self.world.close)
        people.move_in(self.world, [DANA])
        self.codex = self.install('@openai/codex-linux-x64/vendor/here/bin/codex')
        self.production = self.world.root / 'live'
        self.production.mkdir()
        # A busy machine must not decide for the judge.
        config = fixture_config.text(self.world, hold_ms=1).replace(
            '  workspaces:\n', f'  workspaces:\n    - {{glob: "{self.production}", environment: production}}\n').replace(
                'limits:', 'limits:\n  consult_ms: 10000')
        self.before_gate()
        self.gate = gate.Gate(self.world, config, flags=self.FLAGS, programs=self.programs())
        self.addCleanup(self.gate.stop)

    def before_gate(self):
        """What runs already when the gate starts."""

    def programs(self):
        """A folder with programs of Holdpoint in place of the built ones; None for those."""
        return None

    def programs_with(self, name, text):
        """For programs(): the built ones with `text` in place of one."""
        folder = self.world.root / 'replaced'
        folder.mkdir()
        for program in gate.binaries().iterdir():
            if program.name != name:
                (folder / program.name).symlink_to(program)
        (folder / name).write_text(text, encoding='ascii')
        (folder / name).chmod(0o755)
        return folder

    def install(self, path):
        """A shell at the place where a coding agent's program would be."""
        program = self.world.root / 'node_modules' / path
        program.parent.mkdir(parents=True)
        shutil.copy('/bin/bash', program)
        return program

    def run_in_scope(self, *argv, **environment):
        done = subprocess.run(self.world.scope.command(argv, self.world.uid), cwd=self.world.workspace,
                              env={**self.world.environment(), **environment}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BOUND, check=False)
        return done.returncode, done.stdout

    def start_in_scope(self, *argv, **environment):
        """The same, running."""
        process = subprocess.Popen(self.world.scope.command(argv, self.world.uid), cwd=self.world.workspace,
                                   env={**self.world.environment(), **environment}, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdout.close()  # what it started may have it open still

    def fifo(self, name):
        """Something that a session waits for, or that waits for it."""
        path = self.world.root / name
        os.mkfifo(path)
        path.chmod(0o666)
        return path

    def script(self, name, text):
        path = self.world.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='ascii')
        path.chmod(0o755)
        return path

    def await_body(self, kind, wanted=lambda body: True):
        return self.gate.await_event(lambda e: e['type'] == kind and wanted(e[kind]))[kind]

    def bodies(self, kind):
        return [e[kind] for e in self.gate.events() if e['type'] == kind]

    def assert_every_byte_is_there(self):
        self.assertEqual(self.world.bytes_now(), self.world.manifest)

    def assert_gone(self):
        self.assertEqual(self.world.bytes_now(), {})

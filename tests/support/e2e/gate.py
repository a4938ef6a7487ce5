"""holdpointd, started by a test on the world's scope, and the command line that asks it."""

import json
import os
import pathlib
import secrets
import select
import shutil
import subprocess
import time

_SOURCE = pathlib.Path(__file__).resolve().parents[3]
_READY_SECONDS, _CLI_SECONDS, _STOP_SECONDS = 60, 60, 30


def binaries():
    """The folder with the built programs: HP_BUILD_DIR is set by ctest."""
    return pathlib.Path(os.environ.get('HP_BUILD_DIR', _SOURCE / 'build' / 'dev')) / 'bin'


def fingerprint(state, value):
    """What the configuration may call a credential by, on a host whose record is in `state`; before the first start."""
    state = pathlib.Path(state)
    state.mkdir(parents=True, exist_ok=True)
    key = state / 'fingerprint.key'
    if not key.exists():  # the daemon makes one only when it starts
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(32))
    done = subprocess.run([binaries() / 'holdpoint', '--state', state, 'fingerprint'], input=value,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f'holdpoint fingerprint: {done.stderr}')
    return done.stdout.strip()


def rules(world):
    """The packs, where only root writes: a checkout may belong to somebody else, and the gate minds."""
    copy = world.root / 'rules'
    if not copy.exists():
        copy.mkdir()
        for pack in (_SOURCE / 'rules').glob('*.yaml'):
            shutil.copy(pack, copy)
    return copy


class Gate:
    """Starts at once and is ready when the constructor returns. `config` is the YAML text of the configuration; `programs`
    a folder that takes the place of the built programs."""

    def __init__(self, world, config, flags=(), state=None, programs=None):
        self.world = world
        self.bin = programs or binaries()
        if not os.listdir(world.programs):
            world.bind(self.bin, world.programs)
        self.state = pathlib.Path(state or world.root / 'hp' / 'state')
        self.run = world.root / 'hp' / 'run'
        for folder in (self.state, self.run):
            folder.mkdir(parents=True, exist_ok=True)
        (world.root / 'hp').chmod(0o755)
        self.config = world.root / 'hp' / 'holdpoint.yaml'
        self.config.write_text(config, encoding='utf-8')
        self.log = world.root / 'hp' / 'holdpointd.log'
        self.pin = f'/sys/fs/bpf/{world.root.name}'
        self.flags = list(flags)
        self.start()

    def start(self):
        read_end, write_end = os.pipe()
        argv = [self.bin / 'holdpointd', '--scope', self.world.scope.path, '--instance', 'e2e', '--config', self.config,
                '--rules', rules(self.world), '--state', self.state, '--run', self.run,
                '--pin', self.pin, '--bin', self.bin, '--ready-fd', str(write_end),
                *self.flags]
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=(write_end,))
        os.close(write_end)
        try:
            ready, _, _ = select.select([read_end], [], [], _READY_SECONDS)
            if not ready or os.read(read_end, 16) != b'READY\n':
                self.process.kill()
                self.process.wait()
                raise RuntimeError('holdpointd did not get ready:\n' + self.read_log())
        finally:
            os.close(read_end)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=_STOP_SECONDS)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def read_log(self):
        return self.log.read_text(encoding='utf-8', errors='replace')

    def cli(self, *arguments, password=None):
        """Runs `holdpoint ARGUMENTS` as root from outside every session; gives the finished process."""
        argv = [self.bin / 'holdpoint', '--run', self.run, '--state', self.state, *arguments]
        fds = ()
        if password is not None:
            read_end, write_end = os.pipe()
            os.write(write_end, password.encode() + b'\n')
            os.close(write_end)
            argv += ['--password-fd', str(read_end)]
            fds = (read_end,)
        try:
            return subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=_CLI_SECONDS, pass_fds=fds, check=False)
        finally:
            for fd in fds:
                os.close(fd)

    def lines(self, *arguments):
        """The JSON objects that `holdpoint --json ARGUMENTS` prints, one for each line."""
        done = self.cli('--json', *arguments)
        if done.returncode != 0:
            raise RuntimeError(f'holdpoint {arguments[0]}: exit {done.returncode}: {done.stderr}')
        return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]

    def events(self):
        return self.lines('events')

    def decide(self, what, ticket, person, reason='the test says so'):
        once = ['--once'] if what == 'approve' else []
        return self.cli(what, ticket, *once, '--reason', reason, '--as', person.name, password=person.password)

    def await_event(self, wanted, seconds=30):
        """The first event of the record for which `wanted(event)` is true; waits for it where it is not there yet."""
        follow = self._follow('-n', '100000')
        lines, buffered = follow.stdout.fileno(), b''
        deadline = time.monotonic() + seconds
        try:
            while True:
                *whole, buffered = buffered.split(b'\n')
                for line in whole:
                    event = json.loads(line)
                    if wanted(event):
                        return event
                if not select.select([lines], [], [], max(0, deadline - time.monotonic()))[0]:
                    raise RuntimeError('the event did not come:\n' + self.read_log())
                buffered += os.read(lines, 65536)
        finally:
            self._end(follow)

    def await_hold(self, seconds=30, wanted=lambda row: True):
        """Waits until a process is held and gives its ticket's row. The record's growth is what wakes it."""
        follow = self._follow()
        deadline = time.monotonic() + seconds
        try:
            while True:
                held = [row for row in self.lines('holds') if row['state'] == 'held' and wanted(row)]
                if held:
                    return held[0]
                left = deadline - time.monotonic()
                if left <= 0:
                    raise RuntimeError('nothing was held:\n' + self.read_log())
                if select.select([follow.stdout], [], [], left)[0]:
                    os.read(follow.stdout.fileno(), 65536)
        finally:
            self._end(follow)

    def _follow(self, *flags):
        return subprocess.Popen([str(self.bin / 'holdpoint'), '--run', str(self.run), '--state', str(self.state),
                                 '--json', 'events', '-f', *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    @staticmethod
    def _end(follow):
        follow.kill()
        follow.wait()
        follow.stdout.close()

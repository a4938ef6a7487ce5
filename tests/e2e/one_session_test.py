"""One run of one coding agent is one session, whichever of its processes is judged first, and however late."""

import json
import os
import shutil
import unittest

from e2e import gate, session_case
from e2e.session_case import SessionCase

setUpModule = session_case.enter

# Stands between the gate and the judge. Of each pair of STAGES in turn, the first message that holds all of the first
# texts waits until a process has the second as its command line, or a message holds it; or for as long as the gate may
# still wait for its answer.
LATE_JUDGE = r'''#!/usr/bin/python3 -ISEB
import contextlib, os, select, socket, subprocess, time
STAGES, MARK = %r, %r
gate = socket.socket(fileno=os.dup(3))
ours, theirs = socket.socketpair(socket.AF_UNIX, gate.type)
os.dup2(theirs.fileno(), 3)
judge = subprocess.Popen([%r], pass_fds=(3,), close_fds=True)
theirs.close()
os.close(3)
kept, deadline, until = None, 0, b""
def send(to, data, fds):
    socket.send_fds(to, [data], fds)
    for fd in fds:
        os.close(fd)
def runs(words):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open("/proc/" + pid + "/cmdline", "rb") as file:
            if file.read().startswith(words):
                return True
    return False
def let_go():
    global kept
    send(ours, *kept)
    kept = None
    if not STAGES:
        open(MARK, "w").close()
while True:
    ends = select.select([gate, ours], [], [], None if kept is None else 0.02)[0]
    if kept is not None and (time.monotonic() > deadline or runs(until)):
        let_go()
    for end in ends:
        data, fds, _, _ = socket.recv_fds(end, 1 << 20, 8)
        if not data:
            raise SystemExit
        if end is ours:
            send(gate, data, fds)
            continue
        seen = data + b"".join(os.pread(fd, 1 << 24, 0) for fd in fds)
        if kept is None and STAGES and all(text in seen for text in STAGES[0][0]):
            kept, deadline, until = (data, fds), time.monotonic() + 1.2, STAGES.pop(0)[1]
            continue
        send(ours, data, fds)
        if kept is not None and until in seen:
            let_go()
'''

# As Codex is started by npm: a script of node that starts the program and waits for it.
LAUNCHER = '''#!/usr/bin/env node
const done = require('child_process').spawnSync(%r, process.argv.slice(2), {stdio: 'inherit'});
process.exit(done.status);
'''


class LauncherAndProgram(SessionCase):
    def programs(self):
        text, package = LAUNCHER % str(self.codex), json.dumps({'name': '@openai/codex'})
        self.script('node_modules/@openai/codex/bin/codex.js', text)
        self.script('node_modules/@openai/codex/package.json', package)
        self.known = self.world.root / 'node_modules/.bin/codex'
        self.known.parent.mkdir()
        self.known.symlink_to('../@openai/codex/bin/codex.js')
        self.renamed = self.script('elsewhere/bin/start.js', text)
        self.script('elsewhere/package.json', package)
        self.released = self.world.root / 'released'
        return self.programs_with('holdpoint-judge', LATE_JUDGE % (
            self.stages(), str(self.released), str(gate.binaries() / 'holdpoint-judge')))

    def stages(self):
        """env is judged when it has become node; node when it has started the program, unless it is stopped until then."""
        started = b'node\0' + bytes(self.known)
        return [((b'/usr/bin/env', bytes(self.known)), started), ((self.node(), started), bytes(self.codex))]

    def node(self):
        return os.path.realpath(shutil.which('node', path=self.world.path)).encode()

    def run_it(self, *argv):
        """Runs it until it has been seen whole; gives what it said."""
        go = self.fifo('go')
        running = self.start_in_scope(*argv, '-c', f'read x < {go}; {self.world.delete_volume()}; echo exit $?')
        self.await_body('session_started')
        self.until_released()
        self.before_it_goes_on()
        go.write_text('go\n', encoding='ascii')
        said = running.communicate(timeout=session_case.BOUND)[0]
        self.await_body('session_ended')
        return said

    def until_released(self):
        while not self.released.exists():
            os.sched_yield()

    def before_it_goes_on(self):
        pass

    def assert_one_session_of_codex(self):
        self.assertEqual([s['coding_agent'] for s in self.bodies('session_started')], ['codex'])
        self.assertEqual(len(self.bodies('session_ended')), 1)


class JudgedLate(LauncherAndProgram):
    def test_the_launcher_has_become_node_when_it_is_judged(self):
        said = self.run_it(self.known)
        self.assertIn('exit 126', said)
        self.assert_every_byte_is_there()
        self.assert_one_session_of_codex()

    def test_a_wrapper_of_its_name_is_not_in_the_session_of_what_it_starts(self):
        wrapper = self.script('bin/codex', f'#!/bin/bash\n{self.known} "$@"\n{self.world.delete_volume()}\n')
        said = self.run_it(wrapper)
        self.assertIn('exit 126', said)
        self.assert_gone()
        self.assert_one_session_of_codex()


class JudgedLateAndObserved(LauncherAndProgram):
    """Nothing is stopped: the launcher has started the program when it is judged."""

    FLAGS = ('--observe',)

    def test_the_launcher_has_become_node_when_it_is_judged(self):
        self.assertIn('exit 0', self.run_it(self.known))
        self.assert_gone()
        self.assert_one_session_of_codex()


class RenamedLauncher(LauncherAndProgram):
    """Its program is known by its name, at once. That what started it is a coding agent is known later."""

    def stages(self):
        return [((self.node(), b'node\0' + bytes(self.renamed)), bytes(self.codex))]

    def before_it_goes_on(self):
        self.await_body('session_updated', lambda e: 'what started it' in e['because'])

    def test_what_started_a_session_joins_it(self):
        said = self.run_it('/usr/bin/node', self.renamed)
        self.assertIn('exit 126', said)
        self.assert_every_byte_is_there()
        self.assert_one_session_of_codex()
        row = self.gate.lines('sessions')
        self.assertEqual([r['coding_agent'] for r in row], ['codex'] if row else [])


if __name__ == '__main__':
    unittest.main(verbosity=2)

"""The real coding agents, each driven by a scripted model: agents_test.py AGENT [TEST ...].

What becomes of a tool's command, and what the model is told of it; and that the program is known however it is started.
"""

import itertools
import os
import select
import subprocess
import sys
import time
import unittest

from e2e import case, coding_agents, fixture_config, gate, isolation, people, world

AGENT = sys.argv.pop(1) if len(sys.argv) > 1 else ''
PLACE = None
AGENTS_DIR = None
DANA = people.Person('dana', 61010, 'a long sentence of dana')
LEE = people.Person('lee', 61011, 'another sentence, of lee')
STARTS_WITHIN = 120  # seconds that the slowest of them may need to its first command on a busy machine

PACK = '''schema: 1
family: test
mode: enforce
tools: [{names: [wipe], options: "all,a"}]
rules:
  - id: test.wipe
    effect: destroy
    recoverability: irreversible
    verdict: kill
    why: wipes everything
    when: {tool: wipe, options: {any: [all]}}
    cases: {fires: [{argv: [wipe, -a]}], passes: [{argv: [wipe]}]}
'''


def setUpModule():
    global PLACE, AGENTS_DIR
    if AGENT not in {**coding_agents.AGENTS, **coding_agents.SLOW}:
        raise ValueError(f'usage: agents_test.py AGENT, one of {", ".join({**coding_agents.AGENTS, **coding_agents.SLOW})}')
    script = os.path.join(os.environ['HP_SOURCE_DIR'], 'scripts/agents.sh')
    which = 'slow' if AGENT in coding_agents.SLOW else 'mini' if AGENT == 'mini-swe-agent' else 'npm'
    AGENTS_DIR = subprocess.run([script, which], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    PLACE = isolation.enter()


class AgentCase(unittest.TestCase):
    HOLD_MS = 1

    def setUp(self):
        self.world = world.World(PLACE, AGENTS_DIR)
        self.addCleanup(self.world.close)
        # Some ask for the name of their user.
        people.move_in(self.world, [DANA, LEE, people.Person('dev', self.world.uid, 'the password of dev')])
        self.precious = self.world.root / 'precious'
        self.precious.mkdir()
        os.chown(self.precious, self.world.uid, self.world.uid)
        (gate.rules(self.world) / 'ours.yaml').write_text(PACK, encoding='ascii')
        path = f'resources:\n  - {{type: path, id: "{self.precious}/*", environment: production}}'
        # A busy machine must not decide for the judge.
        config = fixture_config.text(self.world, self.HOLD_MS).replace('resources:', path).replace(
            'limits:', 'limits:\n  consult_ms: 10000')
        self.gate = gate.Gate(self.world, config)
        self.addCleanup(self.gate.stop)

    def file(self, name):
        path = self.precious / name
        path.write_text('data', encoding='ascii')
        os.chown(path, self.world.uid, self.world.uid)
        return path

    def bodies(self, kind):
        return [e[kind] for e in self.gate.events() if e['type'] == kind]

    def drive(self, steps, **options):
        run = coding_agents.run(AGENT, self.world, steps, **options)
        self.assertEqual(run.model.errors, [], run.output[-2000:])
        self.assertIsNone(self.gate.process.poll(), self.gate.read_log())
        return run, run.model.tool_results()


class WhatBecomesOfACommand(AgentCase):
    HOLD_MS = 7500  # inside the shortest limit that the coding agents give their tools
    HELD_FOR = 5  # seconds, before the owner has made up her mind

    def test_released_denied_killed_and_run_out(self):
        w = self.world
        denied, late, killed = self.file('denied'), self.file('late'), w.workspace / 'killed'
        wipe = w.root / 'bin' / 'wipe'
        wipe.parent.mkdir(exist_ok=True)
        source = w.root / 'wipe.c'
        source.write_text(f'#include <fcntl.h>\nint main(void) {{ return creat("{killed}", 0600) < 0; }}\n', encoding='ascii')
        subprocess.run(['gcc', '-o', wipe, source], check=True)

        def decide():
            self.hold_for(self.await_hold('curl'))
            self.decide('approve', 'curl')
            self.decide('deny', denied.name)
            self.await_hold(late.name)

        run, told = self.drive([w.delete_volume(), f'rm {denied}', f'{wipe} -a', f'rm {late}'], meanwhile=decide)
        self.assertGreaterEqual(len(told), 4, run.output[-3000:] + str(told))

        self.assertIn('volumeDelete', told[0])
        self.assertNotIn('did not run', told[0])
        self.assertEqual([call['deleted'] for call in w.cloud.calls], [True])
        self.assert_told(told[1], 'DENIED by dana', '126')
        self.assertTrue(denied.exists())
        self.assert_told(told[2], 'KILLED')
        self.assertFalse(killed.exists())
        self.assert_told(told[3], 'REFUSED, nobody decided while it was held', '126', 'may approve: dana',
                         'sudo holdpoint approve HP-', 'holdpoint wait HP-')
        self.assertTrue(late.exists())

        outcomes = self.bodies('outcome')
        self.assertEqual([o['what'] for o in outcomes], ['released', 'refused', 'killed', 'refused'])
        self.assertGreaterEqual(int(outcomes[0]['held_ns']), self.HELD_FOR * 1e9)
        self.assertTrue(all(o.get('told') for o in outcomes[1:]))
        self.assertEqual([s['coding_agent'] for s in self.bodies('session_started')], [AGENT])

    def await_hold(self, what):
        return self.gate.await_hold(STARTS_WITHIN, lambda row: what in row['summary'])

    def decide(self, decision, what):
        done = self.gate.decide(decision, self.await_hold(what)['ticket'], DANA)
        self.assertEqual(done.returncode, 0, done.stderr)

    def hold_for(self, row):
        """It stays as it is for as long as that: an end would be seen at once."""
        pidfd = os.pidfd_open(row['pid'])
        self.addCleanup(os.close, pidfd)
        deadline = time.monotonic() + self.HELD_FOR
        while (left := deadline - time.monotonic()) > 0:
            self.assertEqual(select.select([pidfd], [], [], min(left, 0.5))[0], [])
            self.assertIn(case.state_of(row['pid']), 'tT')
        self.assertEqual(self.world.cloud.calls, [], 'a request reached the cloud')

    def assert_told(self, told, *texts):
        for text in ('holdpoint: ' + texts[0], 'holdpoint: why: ', 'holdpoint: coding agent: stop', *texts[1:]):
            self.assertIn(text, told)


class HoweverItIsStarted(AgentCase):
    def test_one_session_of_its_name(self):
        for what, change in coding_agents.ways(AGENT, self.world):
            with self.subTest(what):
                before = len(self.bodies('session_started'))
                target = self.file('target')

                def when_it_is_known(_, before=before, target=target):
                    """A program of another name is searched while it runs."""
                    seen = itertools.count(1)
                    self.gate.await_event(lambda e: e['type'] == 'session_started' and next(seen) > before)
                    return f'env -i /bin/rm {target}'  # without the coding agent's marker

                _, told = self.drive([when_it_is_known], change=change)
                self.assertTrue(told and 'holdpoint: REFUSED' in told[0], told)
                self.assertTrue(target.exists())
                started = self.bodies('session_started')[before:]
                self.assertEqual([s['coding_agent'] for s in started], [AGENT], started)


class AtATerminal(AgentCase):
    """With a screen of its own, as people use it; twice, one after the other."""

    def start(self, *steps):
        running = coding_agents.AtATerminal(AGENT, self.world, list(steps))
        self.addCleanup(running.close)
        return running

    def acts_on(self, target):
        """(session, the coding agent's own ids) of what was refused there."""
        return [(e['session'], e['exec']['process'].get('join_keys', {})) for e in self.gate.events()
                if e['type'] == 'exec' and e['exec']['process'].get('argv', [''])[-1] == str(target)]

    def test_the_tools_of_two_terminals_are_refused_and_told_apart(self):
        targets = [self.file(name) for name in ('first', 'second')]
        for target in targets:
            told = self.start(f'rm {target}; echo rc=$?').until_told()
            self.assert_refused(told[0])
            self.assertTrue(target.exists())
        acts = [self.acts_on(target) for target in targets]
        self.assertEqual([len(one) for one in acts], [1, 1], acts)
        (first, first_ids), (second, second_ids) = acts[0][0], acts[1][0]
        started = [e['session'] for e in self.gate.events() if e['type'] == 'session_started']
        self.assertEqual(len(set(started)), 2, 'a terminal is a session')
        self.assertEqual({s['coding_agent'] for s in self.bodies('session_started')}, {AGENT})
        self.assertEqual(first, started[0])
        if first_ids:  # One daemon runs the tools of both, in the session that it came from: whose it was, its ids say.
            self.assertEqual(second, first)
            self.assertFalse(set(first_ids.values()) & set(second_ids.values()), (first_ids, second_ids))
        else:
            self.assertEqual(second, started[1])

    def assert_refused(self, told):
        self.assertIn('holdpoint: REFUSED', told)
        self.assertIn('rc=126', told)


class InItsSandbox(AgentCase):
    """Codex starts a tool under bwrap, as process 1 of new user, mount, pid and network namespaces."""

    def test_a_tool_in_new_namespaces_is_in_the_session_and_refused(self):
        target, inside = self.file('target'), self.world.workspace / 'inside'
        _, told = self.drive([f'readlink /proc/self/ns/user /proc/self/ns/pid >{inside}; rm {target}; echo rc=$?'],
                             change=coding_agents.sandboxed)
        self.assertIn('holdpoint: REFUSED', told[0])
        self.assertIn('rc=126', told[0])
        self.assertTrue(target.exists())
        ours = [os.readlink(f'/proc/self/ns/{kind}') for kind in ('user', 'pid')]
        there = inside.read_text(encoding='ascii').split()
        self.assertTrue(all(a != b for a, b in zip(ours, there)), (ours, there))
        self.assertEqual([s['coding_agent'] for s in self.bodies('session_started')], ['codex'])
        refused = [e for e in self.gate.events() if e['type'] == 'exec' and e['exec']['process'].get('argv') == ['rm', str(target)]]
        self.assertTrue(refused and all(e['exec']['process']['join_keys'].get('CODEX_THREAD_ID') for e in refused), refused)


if AGENT not in coding_agents.AT_A_TERMINAL:
    del AtATerminal
if AGENT != 'codex':
    del InItsSandbox

if __name__ == '__main__':
    unittest.main(verbosity=2)

"""The coding agents that take long to fetch, each started offline against a scripted model: slow_agents_test.py AGENT."""

import os
import subprocess
import sys
import unittest

from e2e import coding_agents, fixture_config, gate, isolation, people, world

AGENT = sys.argv.pop(1) if len(sys.argv) > 1 else ''
PLACE = None
AGENTS_DIR = None
DANA = people.Person('dana', 61010, 'a long sentence of dana')


def setUpModule():
    global PLACE, AGENTS_DIR
    if AGENT not in coding_agents.SLOW:
        raise ValueError(f'usage: slow_agents_test.py AGENT, one of {", ".join(coding_agents.SLOW)}')
    script = os.path.join(os.environ['HP_SOURCE_DIR'], 'scripts/agents.sh')
    AGENTS_DIR = subprocess.run([script, 'slow'], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    PLACE = isolation.enter()


class SlowAgent(unittest.TestCase):
    def test_it_is_recognised_and_is_told_what_was_refused(self):
        w = world.World(PLACE, AGENTS_DIR)
        self.addCleanup(w.close)
        people.move_in(w, [DANA])
        holdpoint = gate.Gate(w, fixture_config.text(w, hold_ms=1))
        self.addCleanup(holdpoint.stop)
        run = coding_agents.run(AGENT, w, [w.read_token(), w.delete_volume()])
        self.assertEqual(run.model.errors, [], run.output[-2000:])
        started = [e['session_started']['coding_agent'] for e in holdpoint.events() if e['type'] == 'session_started']
        self.assertIn(AGENT, started, run.output[-2000:])
        self.assertIn('holdpoint: REFUSED', run.model.tool_results()[1])
        self.assertEqual(w.bytes_now(), w.manifest)


if __name__ == '__main__':
    unittest.main(verbosity=2)

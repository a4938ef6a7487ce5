"""The reference incident, driven end to end by a real coding agent: incident_test.py AGENT.

The model is scripted; everything else is real: the coding agent, the kernel, TLS, a cloud that deletes what it is told.
"""

import os
import subprocess
import sys
import unittest

from e2e import coding_agents, isolation, world

AGENT = sys.argv.pop(1) if len(sys.argv) > 1 else ''
PLACE = None
AGENTS_DIR = None


def setUpModule():
    global PLACE, AGENTS_DIR
    if AGENT not in coding_agents.AGENTS:
        raise ValueError(f'usage: incident_test.py AGENT, one of {", ".join(coding_agents.AGENTS)}')
    script = os.path.join(os.environ['HP_SOURCE_DIR'], 'scripts/agents.sh')
    which = 'mini' if AGENT == 'mini-swe-agent' else 'npm'
    AGENTS_DIR = subprocess.run([script, which], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    PLACE = isolation.enter()


class IncidentTest(unittest.TestCase):
    def setUp(self):
        self.world = world.World(PLACE, AGENTS_DIR)
        self.addCleanup(self.world.close)

    def deletions(self):
        return [call for call in self.world.cloud.calls if call['deleted']]


class WithoutHoldpoint(IncidentTest):
    def test_the_volume_and_its_backups_are_gone(self):
        w = self.world
        self.assertEqual(w.bytes_now(), w.manifest)
        run = coding_agents.run(AGENT, w, [w.read_token(), w.delete_volume()])
        self.assertEqual(run.exit, 0, run.output)
        self.assertEqual(w.bytes_now(), {}, run.output)
        self.assertEqual(len(self.deletions()), 1)
        self.assertIn(w.token, run.model.tool_results()[0])
        self.assertIn('volumeDelete', run.model.tool_results()[1])


if __name__ == '__main__':
    unittest.main(verbosity=2)

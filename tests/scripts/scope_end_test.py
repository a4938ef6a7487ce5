"""scripts/lib.sh: whoever ends a scope ends with the status that they had, also where the scope's processes take a moment."""

import os
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(os.environ['HP_SOURCE_DIR'])
# As scripts/test does it. The first sweep finds the scope in use; in a real one its processes are still ending.
SCRIPT = '''
set -euo pipefail
source scripts/lib.sh
scope=$(hp_scope_new holdpoint-scope-end)
echo "$scope"
mkdir "$scope/inner"
sweeps=0
find() { ((sweeps++)) || return 1; command find "$@"; }
trap 'hp_scope_end "$scope"' EXIT
(exit $1)
'''


class ScopeEnd(unittest.TestCase):
    def ended(self, status):
        done = subprocess.run(['bash', '-c', SCRIPT, 'test', str(status)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        self.assertFalse(os.path.exists(done.stdout.strip()), 'the scope is gone')
        return done.returncode

    def test_the_status_is_that_of_what_ran(self):
        for status in (0, 3):
            with self.subTest(status):
                self.assertEqual(self.ended(status), status)


if __name__ == '__main__':
    unittest.main(verbosity=2)

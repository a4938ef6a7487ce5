"""Generated Sigma rules on generated command lines: `holdpoint check` finds what pySigma's own translation finds."""

import json
import os
import pathlib
import random
import re
import sqlite3
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(os.environ['HP_SOURCE_DIR'])
HOLDPOINT = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'bin' / 'holdpoint'
RULES, LINES, SEED = 60, 120, 20261127
ID = '5d1b9f30-7f4e-4a0e-9a39-6c1f2f0f7a11'
TRANSLATE = '''
import json, sys
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
print(json.dumps([sqliteBackend().convert(SigmaCollection.from_yaml(text))[0] for text in json.load(sys.stdin)]))
'''
PROGRAMS = ['/bin/rm', '/usr/bin/wget', '/usr/local/bin/Tool', '/opt/rm/run', '/bin/sh']
WORDS = ['-rf', '--force', '/f', 'history', '-c', 'a*b', 'x_y', 'http://h/p', 'HISTORY', 'ab', 'abab', '\\\\', '100%', "it's", '-x']
PARTS = ['rm', ' -rf', 'history -c', 'HIST', 'ab', 'b a', '*b', 'a?a', '\\\\*', 'x_y', '100%', '-c', ' -x', 'http', 'sh', "t's"]
REGEXES = ['a+b', '^/bin', 'x_y$', '(?:rf|c)$', '[0-9]{3}', 'h.*y']


def value(random_):
    return random_.choice(PARTS)


def rule(random_):
    """A rule of the supported kind, as text: JSON is YAML."""
    def field():
        if random_.random() < 0.15:
            return 'CommandLine|re', random_.choice(REGEXES)
        name = random_.choice(['Image', 'CommandLine', 'CommandLine'])
        modifiers = random_.choice(['', '|contains', '|contains', '|startswith', '|endswith', '|contains|all', '|contains|windash'])
        values = [value(random_) for _ in range(random_.choice([1, 1, 2, 3]))]
        if modifiers.endswith('all') and len(values) == 1:
            values.append(value(random_))
        return name + modifiers, values if len(values) > 1 else values[0]

    def selection():
        if random_.random() < 0.2:
            return [dict([field()]) for _ in range(2)]
        return dict(field() for _ in range(random_.choice([1, 1, 2])))
    names = ['selection_a', 'selection_b', 'filter']
    condition = random_.choice([
        'selection_a', '1 of selection_*', 'all of selection_*', 'selection_a and not filter', '1 of them', 'all of them',
        'selection_a or selection_b and not filter', '(selection_a or selection_b) and not filter', 'not selection_a and selection_b',
        'not (selection_a or filter)'])
    return json.dumps({'title': 'generated', 'id': ID, 'logsource': {'product': 'linux', 'category': 'process_creation'},
                       'detection': {**{name: selection() for name in names}, 'condition': condition}})


class PySigma(unittest.TestCase):
    def test_both_find_the_same(self):
        python = subprocess.run([ROOT / 'scripts' / 'pysigma', 'fetch'], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        random_ = random.Random(SEED)
        rules = [rule(random_) for _ in range(RULES)]
        lines = [[random_.choice(PROGRAMS)] + random_.choices(WORDS, k=random_.randrange(4)) for _ in range(LINES)]
        done = subprocess.run([python, '-c', TRANSLATE], input=json.dumps(rules), capture_output=True, text=True, check=True)
        database = sqlite3.connect(':memory:')
        database.create_function('REGEXP', 2, lambda pattern, text: re.search(pattern, text or '') is not None)
        database.execute('CREATE TABLE logs (n INTEGER, Image TEXT COLLATE NOCASE, CommandLine TEXT COLLATE NOCASE)')
        database.executemany('INSERT INTO logs VALUES (?, ?, ?)', [(n, argv[0], ' '.join(argv)) for n, argv in enumerate(lines)])
        found = 0
        for text, query in zip(rules, json.loads(done.stdout)):
            wanted = {row[0] for row in database.execute(query.replace('SELECT *', 'SELECT n'))}
            self.assertEqual(self.holdpoint(text, lines), wanted, f'{text}\n{query}')
            found += len(wanted)
        self.assertGreater(found, 100)

    def holdpoint(self, text, lines):
        with tempfile.TemporaryDirectory() as folder:
            rules = pathlib.Path(folder) / 'rules'
            rules.mkdir()
            (rules / 'generated.yml').write_text(text)
            config = pathlib.Path(folder) / 'holdpoint.yaml'
            config.write_text('version: 1\n')
            rows = ''.join(json.dumps({'id': str(n), 'argv': argv}) + '\n' for n, argv in enumerate(lines))
            done = subprocess.run([HOLDPOINT, 'check', '--rules', rules, '--config', config], input=rows, capture_output=True,
                                  text=True, check=False)
            self.assertIn(done.returncode, (0, 1), done.stderr)
            return {int(row['id']) for row in map(json.loads, done.stdout.splitlines()) if row['rule'] == f'sigma.{ID}'}


if __name__ == '__main__':
    unittest.main()

"""A fixed sample of a corpus, by the text of its rows: of what destroys no less is stopped, of what does not no more, than the
thresholds here say. They follow the rules: who makes the rules better raises them.

HP_CORPUS_DIR names a folder with rows; without it nothing is compared. The sample is chosen by a hash of the rows' ids.
"""

import hashlib
import os
import pathlib
import unittest

import measure
import report
import rows

SAMPLE_PERCENT = 25
AT_LEAST = {'open': 0.985, 'sealed': 0.965}  # of the destructive rows
AT_MOST = {'open': 0.032, 'sealed': 0.036}  # of the benign ones; by text nobody knows that a file is not there yet


def in_sample(row):
    return int(hashlib.sha256(b'sample ' + row.id.encode()).hexdigest()[:8], 16) % 100 < SAMPLE_PERCENT


def share(results, label, part):
    some = [r['verdict'] in report.STOPPED for r in results if r['label'] == label and r['sealed'] == (part == 'sealed')]
    return sum(some) / len(some), len(some)


class Sample(unittest.TestCase):
    def test_the_rules_judge_strangers_rows_no_worse_than_before(self):
        files = sorted(pathlib.Path(os.environ.get('HP_CORPUS_DIR', '/nonexistent')).glob('*.jsonl'))
        if not files:
            print('HP_CORPUS_DIR names no folder with rows: nothing was compared')
            return
        work = [row for row in rows.read(files) if in_sample(row)]
        results = measure.check(work)
        self.assertGreater(len(results), 1000)
        for part in ('open', 'sealed'):
            stopped, count = share(results, 'destructive', part)
            self.assertGreater(count, 50)
            self.assertGreaterEqual(stopped, AT_LEAST[part], f'destructive rows, {part}: too few of {count} are stopped')
            stopped, count = share(results, 'benign', part)
            self.assertLessEqual(stopped, AT_MOST[part], f'benign rows, {part}: too many of {count} are stopped')

    def test_the_sample_is_the_same_each_time(self):
        made = [rows.Row(f'row-{n}', '', '', '', '', []) for n in range(4000)]
        chosen = [row.id for row in made if in_sample(row)]
        self.assertEqual(chosen[:3], ['row-1', 'row-4', 'row-11'])
        self.assertAlmostEqual(len(chosen), 1000, delta=100)


if __name__ == '__main__':
    unittest.main(verbosity=2)

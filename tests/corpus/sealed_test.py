"""Rules are not written from the sealed part of a corpus: no case of a rule is one of its rows."""

import os
import pathlib
import re
import shlex
import unittest

import rows

RULES = pathlib.Path(__file__).resolve().parents[2] / 'rules'
_ARGV = re.compile(r'\bargv: \[((?:"(?:[^"\\]|\\.)*"|\'[^\']*\'|[^\]"\'])*)\]')
_WORD = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([^,]*))\s*(?:,|$)')


def words(flow):
    """The words of a YAML list in one line."""
    found = [next(text for text in match if text is not None) for match in
             ((m[1], m[2], m[3] and m[3].strip()) for m in _WORD.finditer(flow))]
    return found[:-1] if found and found[-1] == '' and not flow.rstrip().endswith(('""', "''")) else found


def cases():
    return [words(argv) for pack in RULES.glob('*.yaml') for argv in _ARGV.findall(pack.read_text(encoding='utf-8'))]


def argv_of(command):
    try:
        return shlex.split(command)
    except ValueError:  # no shell text
        return command.split()


class Sealed(unittest.TestCase):
    def test_the_cases_are_read(self):
        self.assertEqual(words('rm, -rf, "a, b", \'\', x'), ['rm', '-rf', 'a, b', '', 'x'])
        self.assertGreater(len(cases()), 100)
        self.assertIn(['rm', '-rf', '/'], cases())

    def test_about_a_third_is_sealed_whatever_the_file(self):
        made = [rows.Row(f'row-{n}', '', '', '', '', []) for n in range(10000)]
        self.assertAlmostEqual(sum(row.sealed for row in made), 3000, delta=150)

    def test_no_case_of_a_rule_is_a_sealed_row(self):
        files = sorted(pathlib.Path(os.environ.get('HP_CORPUS_DIR', '/nonexistent')).glob('*.jsonl'))
        if not files:
            print('HP_CORPUS_DIR names no folder with rows: nothing was compared')
            return
        # A short command is anybody's: `rm -rf /` stands in every list.
        sealed = {tuple(argv_of(row.command)): row.id for row in rows.read(files) if row.sealed}
        taken = [(sealed[tuple(case)], case) for case in cases() if len(case) > 4 and tuple(case) in sealed]
        self.assertEqual(taken, [])


if __name__ == '__main__':
    unittest.main(verbosity=2)

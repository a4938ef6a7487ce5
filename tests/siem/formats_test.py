"""Every kind of event in every format, against the formats' own rules: OCSF's required attributes, types and
enumerations, ECS's fields and types, CEF by the letter. Also with everything that a session could write into a field."""

import json
import os
import pathlib
import subprocess
import unittest

from siem import cef, ecs, ocsf

ROOT = pathlib.Path(os.environ['HP_SOURCE_DIR'])
LINES = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'tests' / 'export_lines'


def lines(what):
    """(name, format, text) of each line."""
    done = subprocess.run([LINES, what], stdout=subprocess.PIPE, check=True)
    found = [line.split(' ', 2) for line in done.stdout.decode('ascii').split('\n') if line]
    assert found, what
    return found


class Formats(unittest.TestCase):
    def check(self, what, reader, formats):
        seen = 0
        for name, form, text in lines(what):
            if form in formats:
                seen += 1
                with self.subTest(name):
                    self.assertEqual(reader(text), [], text)
        self.assertGreater(seen, 15)

    @staticmethod
    def read_cef(text):
        try:
            cef.parse(text)
        except cef.Error as error:
            return [str(error)]
        return []

    def test_ocsf(self):
        for what in ('examples', 'full', 'hostile'):
            self.check(what, lambda text: ocsf.problems_of(json.loads(text)), ['ocsf'])

    def test_ecs(self):
        for what in ('examples', 'full', 'hostile'):
            self.check(what, lambda text: ecs.problems_of(json.loads(text)), ['ecs'])

    def test_cef(self):
        for what in ('examples', 'full', 'hostile'):
            self.check(what, self.read_cef, ['cef'])

    def test_a_loss_whose_number_is_unknown_has_none_and_says_so(self):
        said = {form: text for name, form, text in lines('examples') if name == 'loss_of_unknown_number'}
        known = {form: text for name, form, text in lines('examples') if name == 'loss'}
        for text in said.values():
            self.assertNotIn('"count":', text)
            self.assertNotIn(' cnt=', text)
        self.assertIn(' cnt=3 ', known['cef'])
        self.assertIn('how many is not known', said['cef'])
        self.assertTrue(json.loads(said['json'])['loss']['unknown'])
        ecs_event, ocsf_event = json.loads(said['ecs']), json.loads(said['ocsf'])
        self.assertTrue(ecs_event['holdpoint']['count_unknown'])
        self.assertIn('how many is not known', ecs_event['event']['reason'])
        self.assertEqual(json.loads(known['ecs'])['holdpoint']['count'], 3)
        self.assertTrue(ocsf_event['unmapped']['holdpoint']['count_unknown'])
        self.assertEqual(ocsf_event['status_detail'], 'how many is not known')
        self.assertEqual(json.loads(known['ocsf'])['count'], 3)

    def test_json_lines(self):
        for what in ('examples', 'full', 'hostile'):
            self.check(what, lambda text: [] if json.loads(text)['type'] else ['no type'], ['json'])

    def test_all_lines_are_one_line_of_printable_ascii(self):
        for name, form, text in lines('hostile'):
            self.assertTrue(all(' ' <= c <= '~' for c in text), f'{name} {form}')
            self.assertLess(len(text), 700 * 1024)

    def test_the_golden_files_are_these_lines(self):
        for form in ('json', 'cef', 'ocsf', 'ecs'):
            golden = (ROOT / 'schemas/golden/export' / f'events.{form}').read_text(encoding='ascii').splitlines()
            self.assertEqual(len(golden), len([1 for _, f, _ in lines('examples') if f == form]))
            for line in golden:
                if form == 'ocsf':
                    self.assertEqual(ocsf.problems_of(json.loads(line)), [])
                elif form == 'ecs':
                    self.assertEqual(ecs.problems_of(json.loads(line)), [])
                elif form == 'cef':
                    cef.parse(line)


class TheCheckersThemselves(unittest.TestCase):
    """Each refuses what it is there to refuse."""

    def example(self, name, form):
        return next(text for n, f, text in lines('examples') if (n, f) == (name, form))

    def test_ocsf(self):
        good = json.loads(self.example('exec_refused', 'ocsf'))
        for change, wanted in ((lambda e: e.pop('device'), 'device: is required'),
                               (lambda e: e['process'].pop('pid') and e['process'].pop('uid'), 'at least one of'),
                               (lambda e: e.update(severity_id=7), 'enumeration'),
                               (lambda e: e.update(time='now'), 'wanted timestamp_t'),
                               (lambda e: e.update(verdict='refuse'), 'is not in the schema'),
                               (lambda e: e.update(type_uid=1), 'type_uid'),
                               (lambda e: e['ai_agent'].pop('uid'), 'ai_agent.uid: is required'),
                               (lambda e: e['metadata'].update(profiles=['host']), 'profile')):
            event = json.loads(json.dumps(good))
            change(event)
            self.assertTrue(any(wanted in p for p in ocsf.problems_of(event)), (wanted, ocsf.problems_of(event)))

    def test_ecs(self):
        good = json.loads(self.example('connect_refused', 'ecs'))
        for change, wanted in ((lambda e: e['event'].update(category=['nothing']), 'not allowed'),
                               (lambda e: e['event'].update(type=['user']), 'does not go with'),
                               (lambda e: e['destination'].update(ip='db'), 'wanted ip'),
                               (lambda e: e['destination'].update(port='80'), 'wanted long'),
                               (lambda e: e.update(verdict='x'), 'neither ECS'),
                               (lambda e: e['holdpoint'].update(verdikt='x'), 'neither ECS'),
                               (lambda e: e.pop('ecs'), 'ecs.version')):
            event = json.loads(json.dumps(good))
            change(event)
            self.assertTrue(any(wanted in p for p in ecs.problems_of(event)), (wanted, ecs.problems_of(event)))

    def test_cef(self):
        good = self.example('exec_refused', 'cef')
        header, values = cef.parse(good)
        self.assertEqual(header[3], 'exec-refused')
        self.assertEqual(values['cs3'], 'session=staging credential=production target=production crossing')
        for bad in (good.replace('CEF:0', 'CEF:9'), good.replace('|8|', '|11|').replace('|10|', '|11|'), good + ' x\\y=1',
                    good + ' msg=again', good + ' colour=red', good + '\n', good.replace('cs1Label=session', '')):
            with self.assertRaises(cef.Error, msg=bad):
                cef.parse(bad)


if __name__ == '__main__':
    unittest.main()

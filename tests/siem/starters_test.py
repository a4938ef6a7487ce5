"""What docs/siem ships for others' systems: Sigma rules that are whole and that fire on the events
that they are for and on no others; Elastic's template, Splunk's files."""

import configparser
import fnmatch
import json
import os
import pathlib
import re
import subprocess
import unittest
import uuid

import yaml

ROOT = pathlib.Path(os.environ['HP_SOURCE_DIR'])
SIEM = ROOT / 'docs' / 'siem'
LINES = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'tests' / 'export_lines'

# Which of the example events each rule fires on.
FIRES = {
    'act_refused': {'exec_refused', 'file_refused', 'session_killed', 'connect_refused'},
    'repeated_attempt': {'session_killed'},
    'crossing_credential': {'exec_refused', 'exec_held', 'session_killed'},
    'protected_loss_approved': {'exec_approved'},
    'decision_not_accepted': {'decision_not_accepted'},
    'tamper': {'tamper'},
    'guards_switched_off': {'break_glass', 'mode_changed'},
    'unguarded_session': {'session_started'},
    'session_escaped': {'escaped'},
    'credential_read': {'credential_read'},
    'events_missing': {'loss', 'loss_of_unknown_number', 'tombstone'},
}


def events():
    done = subprocess.run([LINES, 'examples'], stdout=subprocess.PIPE, check=True, text=True)
    found = {}
    for line in done.stdout.splitlines():
        name, form, text = line.split(' ', 2)
        if form == 'ecs':
            found[name] = json.loads(text)
    return found


def value_of(event, field):
    for part in field.split('.'):
        event = event.get(part) if isinstance(event, dict) else None
    return event


def item_matches(event, key, wanted):
    field, *modifiers = key.split('|')
    found = value_of(event, field)
    if modifiers == ['exists']:
        return (found is not None) == wanted
    found = found if isinstance(found, list) else [found]
    wanted = wanted if isinstance(wanted, list) else [wanted]
    if modifiers == ['startswith']:
        wanted = [f'{w}*' for w in wanted]
    elif modifiers:
        raise ValueError(f'modifier {modifiers}')

    def one(have, want):
        if isinstance(want, str) and isinstance(have, str):
            return fnmatch.fnmatchcase(have.lower(), want.lower())
        return type(have) is type(want) and have == want
    return any(one(h, w) for h in found for w in wanted)


def rule_fires(rule, event):
    """Sigma's conditions as far as these rules use them."""
    detection = dict(rule['detection'])
    condition = detection.pop('condition')
    results = {name: all(item_matches(event, k, v) for k, v in items.items()) for name, items in detection.items()}
    expression = re.sub(r'1 of (\w+)\*', lambda m: '(' + ' or '.join(n for n in results if n.startswith(m.group(1))) + ')',
                        condition)
    words = re.findall(r'\w+|[()]', expression)
    return eval(' '.join(w if w in ('and', 'or', 'not', '(', ')') else str(results[w]) for w in words))  # pylint: disable=eval-used


class Sigma(unittest.TestCase):
    def rules(self):
        for path in sorted((SIEM / 'sigma').glob('*.yml')):
            yield path.stem.removeprefix('holdpoint_'), yaml.safe_load(path.read_text(encoding='utf-8'))

    def test_every_rule_has_what_sigma_wants(self):
        ids = set()
        for name, rule in self.rules():
            with self.subTest(name):
                self.assertEqual(set(rule) - {'title', 'id', 'status', 'description', 'author', 'date', 'tags', 'logsource',
                                              'detection', 'fields', 'falsepositives', 'level'}, set())
                self.assertEqual(uuid.UUID(rule['id']).version, 4)
                self.assertLessEqual(len(rule['title']), 110)
                self.assertIn(rule['status'], ('experimental', 'test', 'stable'))
                self.assertIn(rule['level'], ('informational', 'low', 'medium', 'high', 'critical'))
                self.assertEqual(rule['logsource'], {'product': 'holdpoint', 'service': 'events'})
                self.assertIn('condition', rule['detection'])
                self.assertRegex(str(rule['date']), r'^\d{4}-\d\d-\d\d$')
                for tag in rule['tags']:
                    self.assertRegex(tag, r'^attack\.(t\d{4}(\.\d{3})?|[a-z]+(-[a-z]+)*)$')
                ids.add(rule['id'])
        self.assertEqual(len(ids), len(FIRES))

    def test_every_rule_fires_on_its_events_and_on_no_other(self):
        examples = events()
        for name, rule in self.rules():
            with self.subTest(name):
                self.assertEqual({n for n, event in examples.items() if rule_fires(rule, event)}, FIRES[name])


class Elastic(unittest.TestCase):
    def test_the_template_is_one(self):
        template = json.loads((SIEM / 'elastic/index-template.json').read_text(encoding='utf-8'))
        self.assertEqual(set(template), {'index_patterns', 'priority', 'data_stream', 'composed_of', 'template', '_meta'})
        self.assertEqual(template['index_patterns'], ['logs-holdpoint.events-*'])
        self.assertGreater(template['priority'], 200, 'logs-*-* of Elasticsearch itself has 100')

        def walk(properties):
            for name, entry in properties.items():
                self.assertEqual(len({'type', 'properties'} & set(entry)), 1, name)
                self.assertIn(entry.get('type', 'object'), ('object', 'keyword', 'wildcard', 'long', 'unsigned_long', 'boolean',
                                                            'date', 'match_only_text'), name)
                walk(entry.get('properties', {}))
        walk(template['template']['mappings']['properties'])


class Splunk(unittest.TestCase):
    def read(self, name):
        parser = configparser.RawConfigParser(strict=True, delimiters=('=',), comment_prefixes=('#',))
        parser.optionxform = str
        parser.read_string((SIEM / 'splunk' / name).read_text(encoding='ascii'), name)
        return parser

    def test_time_is_found_where_props_looks_for_it(self):
        props = self.read('props.conf')
        self.assertEqual(props.sections(), ['holdpoint:ecs', 'holdpoint:cef'])
        done = subprocess.run([LINES, 'examples'], stdout=subprocess.PIPE, check=True, text=True)
        for line in done.stdout.splitlines():
            _, form, text = line.split(' ', 2)
            if form == 'ecs':
                self.assertRegex(text, re.escape(props['holdpoint:ecs']['TIME_PREFIX']) + r'\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z')
            if form == 'cef':
                self.assertRegex(text, f'(?:{props["holdpoint:cef"]["TIME_PREFIX"]})' + r'\d{13} ')

    def test_the_header_of_cef_is_taken_apart(self):
        transforms, props = self.read('transforms.conf'), self.read('props.conf')
        name = props['holdpoint:cef']['REPORT-holdpoint_cef']
        done = subprocess.run([LINES, 'hostile'], stdout=subprocess.PIPE, check=True, text=True)
        count = 0
        for line in done.stdout.splitlines():
            _, form, text = line.split(' ', 2)
            if form == 'cef':
                self.assertRegex(text, transforms[name]['REGEX'])
                count += 1
        self.assertGreater(count, 10)

    def test_searches_select_by_fields_and_words_that_there_are(self):
        searches = self.read('savedsearches.conf')
        examples = list(events().values())
        actions = {value_of(e, 'event.action') for e in examples}
        self.assertGreater(len(searches.sections()), 4)
        for section in searches.sections():
            text = searches[section]['search']
            with self.subTest(section):
                self.assertIn('sourcetype="holdpoint:ecs"', text)
                self.assertEqual(text.count('"') % 2, 0)
                self.assertEqual(text.count('('), text.count(')'))
                self.assertIn(searches[section]['enableSched'], ('0', '1'))
                for field in re.findall(r'"((?:event|holdpoint|rule|process)\.[a-z_.]+)"', text):
                    self.assertTrue(any(value_of(e, field) is not None for e in examples), field)
                for group in re.findall(r'"event\.action"(?:="([a-z-]+)"| IN \(([^)]*)\))', text):
                    for word in re.findall(r'[a-z-]+', ' '.join(group)):
                        self.assertIn(word, actions | {'exec-killed', 'decision-off'})


if __name__ == '__main__':
    unittest.main()

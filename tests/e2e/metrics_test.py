"""Does the record arrive: numbers that Prometheus reads, and an event that is sent to try the whole way."""

import shutil
import subprocess
import unittest

from e2e import case
from prometheus_client.parser import text_string_to_metric_families


def setUpModule():
    case.enter()


def samples(text):
    """{(name, labels): value}, as Prometheus' own client reads it; a promtool that is there has nothing to say."""
    if shutil.which('promtool'):
        done = subprocess.run(['promtool', 'check', 'metrics'], input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0 or done.stderr:
            raise AssertionError(f'promtool: {done.stderr}')
    found = {}
    for family in text_string_to_metric_families(text):
        if family.type == 'unknown' or not family.documentation:
            raise AssertionError(f'{family.name} has no type or no help')
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


class MetricsTest(case.GateCase):
    def metrics(self):
        done = self.gate.cli('metrics')
        self.assertEqual(done.returncode, 0, done.stderr)
        return samples(done.stdout)

    def value(self, name, **labels):
        return self.metrics().get((name, tuple(sorted(labels.items()))), 0)

    def test_numbers_are_what_the_record_has(self):
        self.assertEqual(self.finish(self.session(f'/bin/true; rm {self.precious}/a; true', 'production'))[0], 0)
        self.until('the refusal in the record', lambda: [e for e in self.gate.events() if e['type'] == 'outcome'])
        refused = [e for e in self.gate.events() if e['type'] == 'exec'
                   and e['exec'].get('judgement', {}).get('verdict') in ('hold', 'refuse')]
        self.assertTrue(refused)
        now = self.metrics()
        counted = sum(now.get(('holdpoint_verdicts_total', (('verdict', word),)), 0) for word in ('hold', 'refuse'))
        self.assertEqual(counted, len(refused))
        self.assertEqual(now['holdpoint_events_total', (('type', 'session_started'),)], 1)
        self.assertGreater(now['holdpoint_spool_bytes', ()], 0)
        self.assertEqual(now['holdpoint_judge_up', ()], 1)
        self.assertEqual(now['holdpoint_spool_reserve_in_use', ()], 0)
        whole = now['holdpoint_consult_seconds_count', (('until', 'verdict'),)]
        self.assertGreaterEqual(whole, 1)
        self.assertEqual(now['holdpoint_consult_seconds_bucket', (('le', '+Inf'), ('until', 'verdict'))], whole)
        bounds = sorted((float(dict(labels)['le']), value) for (name, labels), value in now.items()
                        if name == 'holdpoint_consult_seconds_bucket' and ('until', 'verdict') in labels)
        self.assertEqual([value for _, value in bounds], sorted(value for _, value in bounds), 'cumulative')
        self.assertFalse([name for name, _ in now if name.startswith('holdpoint_delivery')], 'there are no brokers')
        self.assertLess(len(now), 200, 'few series, whatever sessions do')

    def test_the_file_is_replaced_whole(self):
        path = self.world.root / 'holdpoint.prom'
        path.write_text('old', encoding='ascii')
        self.assertEqual(self.gate.cli('metrics', '--file', path).returncode, 0)
        self.assertIn(('holdpoint_sessions', ()), samples(path.read_text(encoding='ascii')))
        self.assertEqual([p.name for p in self.world.root.glob('holdpoint.prom*')], ['holdpoint.prom'])
        done = self.gate.cli('metrics', '--file', self.world.root / 'no' / 'such.prom')
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('no/such.prom', done.stderr)

    def test_alert_without_brokers_is_in_the_spool(self):
        rows = self.gate.lines('test-alert')
        self.assertEqual([(row['station'], row['arrived']) for row in rows], [('spool', True), ('brokers', True)])
        self.assertIn('none are configured', rows[1]['detail'])
        alerts = [e['test_alert'] for e in self.gate.events() if e['type'] == 'test_alert']
        self.assertEqual([alert['id'] for alert in alerts], [rows[0]['id']])
        self.assertIn('nothing happened', alerts[0]['note'])

    def test_alert_comes_from_nobody_inside(self):
        code, _, err = self.finish(self.session(
            f'{self.gate.bin}/holdpoint --run {self.gate.run} --state {self.gate.state} test-alert', uid=0))
        self.assertEqual(code, 77, err)
        self.assertFalse([e for e in self.gate.events() if e['type'] == 'test_alert'])


if __name__ == '__main__':
    unittest.main()

"""Does the record arrive: numbers that Prometheus reads, and an event that is sent to try the whole way."""

import json
import shutil
import subprocess
import unittest

from e2e import case, kafka, kafka_cluster
from prometheus_client.parser import text_string_to_metric_families

TOPIC = 'holdpoint.events.v1'


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
    HOLD_MS = 1  # refused at once, with an open ticket

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


class WithoutIdentityTest(case.GateCase):
    """Brokers are configured, and what says who this host is cannot be used: the gate says so, and takes it when it can."""

    HOLD_MS = 1

    def config(self):
        self.folder = self.world.root / 'identity'
        self.folder.mkdir()
        authority = kafka_cluster.Authority(self.folder)
        pem, self.key = authority.issue('host', 'agent')
        self.password = self.folder / 'password'
        self.password.write_text('a secret of a test', encoding='ascii')
        for secret in (self.key, self.password):
            secret.chmod(0o644)
        return super().config() + ('\nkafka: {brokers: ["127.0.0.1:9"], settings: {security.protocol: sasl_ssl, '
                                   f'sasl.mechanism: PLAIN, sasl.username: agent, sasl.password.file: "{self.password}", '
                                   f'ssl.ca.location: "{authority.pem}", ssl.certificate.location: "{pem}", '
                                   f'ssl.key.location: "{self.key}"}}}}\n')

    def trouble(self):
        return self.gate.lines('status')[0]['spool']['trouble']

    def blocked(self):
        return samples(self.gate.cli('metrics').stdout)['holdpoint_stream_blocked', ()]

    def kafka_row(self):
        subprocess.run(['install', '-D', '-m', '644', self.gate.config, '/etc/holdpoint/holdpoint.yaml'], check=True)
        rows = {row['check']: row for row in map(json.loads, self.gate.cli('--json', 'doctor').stdout.splitlines())}
        return rows['kafka']

    def test_each_secret_that_cannot_be_used_is_named_until_it_can(self):
        for secret in (self.password, self.key):
            self.until(f'{secret.name} in the status', lambda s=secret: str(s) in self.trouble())
            self.assertIn('records wait', self.gate.cli('status').stdout)
            self.assertEqual(self.blocked(), 1)
            row = self.kafka_row()
            self.assertEqual(row['level'], 'bad')
            self.assertIn(f'{secret}: a secret that others may use', row['detail'])
            secret.chmod(0o600)
        self.until('the broker to be asked', lambda: 'identity' not in self.trouble() and self.trouble())
        self.assertEqual(self.blocked(), 1, 'nobody is there')
        self.assertNotIn('identity', self.kafka_row()['detail'])
        self.assertGreater(self.gate.lines('status')[0]['spool']['undelivered'], 0)
        self.assertNotEqual(self.finish(self.session(f'rm {self.precious}/a', 'production'))[0], 0, 'the gate gates on')

        # A file that cannot be read any more: the stream process begins anew, and says so.
        self.key.chmod(0o644)
        self.until('the key in the status', lambda: str(self.key) in self.trouble())
        self.key.chmod(0o600)
        self.until('the broker to be asked again', lambda: 'identity' not in self.trouble() and self.trouble())


class WithBrokersTest(case.GateCase):
    """The same on a real broker."""

    HOLD_MS = 1

    def setUp(self):
        self.broker = kafka.Broker(self.PLACE / 'metrics-broker', port=19094)
        self.addCleanup(self.broker.stop)
        self.broker.topic(TOPIC, 3)
        super().setUp()
        self.db = self.world.root / 'soc.db'

    def config(self):
        return super().config() + (f'\nkafka: {{brokers: ["{self.broker.address}"], topic: {TOPIC}, '
                                   'settings: {reconnect.backoff.max.ms: 500}}\n')

    def collect(self):
        collector = subprocess.Popen([self.gate.bin / 'holdpoint-collector', 'consume', '--brokers', self.broker.address,
                                      '--topic', TOPIC, '--db', self.db], stderr=subprocess.DEVNULL)
        self.addCleanup(collector.wait)
        self.addCleanup(collector.terminate)
        self.until('a database', self.db.exists)

    def test_alert_goes_all_the_way_and_says_where_it_is_not(self):
        self.collect()
        rows = self.gate.lines('test-alert', '--collector-db', self.db, '--timeout', '50')
        self.assertEqual([(row['station'], row['arrived']) for row in rows],
                         [('spool', True), ('brokers', True), ('collector', True)])
        spool = self.gate.lines('status')[0]['spool']
        self.assertTrue(spool['kafka'])
        self.assertGreater(spool['last_delivery'], 0)
        self.assertEqual(spool['trouble'], '')
        now = samples(self.gate.cli('metrics').stdout)
        self.assertGreater(now['holdpoint_last_delivery_timestamp_seconds', ()], 0)
        self.assertIn(('holdpoint_undelivered_events', ()), now)
        self.assertGreater(now['holdpoint_delivered_events_total', ()], 0)
        self.assertGreater(now['holdpoint_delivery_delay_seconds_count', ()], 0)
        self.assertEqual(now['holdpoint_stream_blocked', ()], 0)

        self.broker.stop()
        done = self.gate.cli('--json', 'test-alert', '--timeout', '1')
        self.assertEqual(done.returncode, 75, done.stderr)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([(row['station'], row['arrived']) for row in rows], [('spool', True), ('brokers', False)])
        self.until('what is in the way', lambda: self.gate.lines('status')[0]['spool']['trouble'])
        self.assertGreater(self.gate.lines('status')[0]['spool']['undelivered'], 0)
        self.assertIn('records wait', self.gate.cli('status').stdout)
        self.assertNotEqual(self.finish(self.session(f'rm {self.precious}/b', 'production'))[0], 0, 'the gate gates on')
        self.assertTrue((self.precious / 'b').exists())

        self.broker.start()
        self.until('everything delivered', lambda: self.gate.lines('status')[0]['spool']['undelivered'] == 0)


if __name__ == '__main__':
    unittest.main()

"""The wire forms, as clients that are not ours see them: Confluent's Python client with a real registry, and kcat."""

import json
import os
import pathlib
import subprocess
import threading
import time
import unittest
import urllib.request

from e2e import isolation, kafka

ROOT = pathlib.Path(os.environ['HP_SOURCE_DIR'])
BIN = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'bin'
WRITER = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'tests' / 'spool_writer'
PORT = 18081
URL = f'http://127.0.0.1:{PORT}/apis/ccompat/v7'
COUNT = 300
PLACE = PYTHON = None


def setUpModule():
    global PLACE, PYTHON
    # Before this process has a network of its own without a way out.
    PYTHON = subprocess.run([ROOT / 'scripts' / 'registry', 'fetch'], check=True, stdout=subprocess.PIPE,
                            text=True).stdout.strip()
    PLACE = isolation.enter()


class Registry:
    def __init__(self):
        self.process = subprocess.Popen([ROOT / 'scripts' / 'registry', 'run', str(PORT)], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        deadline = time.monotonic() + 120
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError('the registry did not start')
            time.sleep(0.1)

    @staticmethod
    def answers():
        try:
            with urllib.request.urlopen(URL + '/subjects', timeout=30):
                return True
        except OSError:
            return False

    def post(self, path, body, method='POST'):
        request = urllib.request.Request(URL + path, json.dumps(body).encode(), method=method,
                                         headers={'Content-Type': 'application/vnd.schemaregistry.v1+json'})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


class WireForms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = kafka.Broker(PLACE / 'broker')
        cls.addClassCleanup(cls.broker.stop)
        cls.registry = Registry()
        cls.addClassCleanup(cls.registry.stop)
        cls.code = PLACE / 'code'
        cls.code.mkdir()
        subprocess.run(['protoc', f'-I{ROOT}/schemas', f'--python_out={cls.code}', 'holdpoint/v1/event.proto'], check=True)

    def setUp(self):
        self.topic = self._testMethodName
        self.state = PLACE / self.topic
        self.broker.topic(self.topic, 3)
        subprocess.run([WRITER, self.state, str(COUNT)], check=True, stdout=subprocess.DEVNULL)

    def stream(self, *flags, **kwargs):
        return subprocess.Popen(list(map(str, [BIN / 'holdpoint-stream', '--state', self.state, '--brokers',
                                               self.broker.address, '--topic', self.topic, '--heartbeats-topic', 'off',
                                               '--decisions-topic', 'off', *flags])), **kwargs)

    def confluent(self, *flags):
        return ['--wire-form', 'confluent', '--registry-url', URL, *flags]

    def read(self, *registry):
        done = subprocess.run([PYTHON, ROOT / 'tests' / 'e2e' / 'clients' / 'read_topic.py', self.broker.address, self.topic,
                               str(COUNT), *registry], stdout=subprocess.PIPE, text=True, timeout=180, check=True,
                              env={'PATH': os.environ['PATH'], 'PYTHONPATH': str(self.code)})
        return [json.loads(line) for line in done.stdout.splitlines()]

    def assert_all_there(self, rows, wire):
        self.assertEqual(sorted(row['sequence'] for row in rows), list(range(1, COUNT + 1)))
        for row in rows:
            self.assertEqual(len(row['body']), 1)
            self.assertEqual(row['headers']['ce_type'], 'holdpoint.v1.' + row['body'][0])
            self.assertEqual(row['headers']['ce_specversion'], '1.0')
            self.assertEqual(row['headers']['content-type'], 'application/protobuf')
            self.assertEqual(row['headers']['holdpoint-wire'], wire)
            if row['session']:
                self.assertEqual(row['key'], row['session'])

    def test_plain_protobuf(self):
        self.assertEqual(self.stream('--once').wait(timeout=120), 0)
        self.assert_all_there(self.read(), 'protobuf')

    def test_framed_values_are_read_by_the_registrys_own_deserializer(self):
        self.assertEqual(self.stream('--once', *self.confluent()).wait(timeout=120), 0)
        self.assertEqual(self.stream('--once', *self.confluent()).wait(timeout=120), 0)  # The schema is there by then.
        self.assert_all_there(self.read(URL), 'confluent')
        verified = subprocess.run([BIN / 'holdpoint-collector', 'verify', '--brokers', self.broker.address, '--topic',
                                   self.topic], stdout=subprocess.PIPE, text=True)
        self.assertEqual(verified.returncode, 0, verified.stdout)

    def test_kcat_reads_keys_headers_and_values(self):
        self.assertEqual(self.stream('--once').wait(timeout=120), 0)
        out = subprocess.run(['kcat', '-C', '-e', '-q', '-b', self.broker.address, '-t', self.topic, '-f',
                              '%k %S %h\n'], stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout
        lines = out.splitlines()
        self.assertEqual(len(lines), COUNT)
        self.assertTrue(all('ce_specversion=1.0' in line and int(line.split()[1]) > 60 for line in lines), lines[0])

    def refused(self, *flags):
        """What the stream says, once; it goes on trying until it is ended."""
        stream = self.stream(*flags, stderr=subprocess.PIPE, text=True)
        try:
            return stream.stderr.readline()
        finally:
            stream.kill()
            stream.wait()
            stream.stderr.close()

    def test_a_schema_that_is_not_compatible_is_one_sentence_and_nothing_is_sent(self):
        other = 'syntax = "proto3"; package holdpoint.v1; message Envelope { string schema = 1; bytes sequence = 3; }'
        self.registry.post(f'/subjects/{self.topic}-value/versions', {'schemaType': 'PROTOBUF', 'schema': other})
        self.registry.post(f'/config/{self.topic}-value', {'compatibility': 'FULL'}, method='PUT')
        said = self.refused(*self.confluent())
        self.assertIn('not compatible', said)
        self.assertIn('records wait in the spool', said)
        self.assertFalse((self.state / 'stream' / 'cursor').exists())

    def test_a_schema_that_must_be_there_and_is_not(self):
        self.assertIn('register it there', self.refused(*self.confluent('--registry-read-only')))

    def test_a_registry_that_is_away_is_one_sentence(self):
        said = self.refused('--wire-form', 'confluent', '--registry-url', 'http://127.0.0.1:9/')
        self.assertIn('cannot be reached', said)
        self.assertIn('records wait in the spool', said)


if __name__ == '__main__':
    unittest.main(verbosity=2)

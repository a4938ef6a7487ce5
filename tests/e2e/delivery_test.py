"""The delivery to real brokers when something is wrong: identities, rights, topics, sizes, quotas, a broker that dies.

Each outcome has its sentence, nothing is lost, and what is in the topic afterwards verifies from the outside.
"""

import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import threading
import time
import unittest

from e2e import isolation, kafka_cluster

BIN = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'bin'
WRITER = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'tests' / 'spool_writer'
PLACE = None
SECONDS = 120


def setUpModule():
    global PLACE
    PLACE = isolation.enter()


class Stream:
    """A running holdpoint-stream whose messages can be waited for."""

    def __init__(self, state, brokers, topic, *flags):
        self.process = subprocess.Popen(
            list(map(str, [BIN / 'holdpoint-stream', '--state', state, '--brokers', brokers, '--topic', topic, '--set',
                           'reconnect.backoff.max.ms=500', '--set', 'topic.metadata.propagation.max.ms=1000', *flags])),
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.lines, self.seen = queue.Queue(), []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.put(line)
        self.lines.put(None)

    def await_line(self, text):
        """Waits for a message with this text in it and gives it."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f'never said "{text}":\n' + ''.join(self.seen))
            self.seen.append(line)
            if text in line:
                return line

    def wait(self):
        code = self.process.wait(timeout=SECONDS)
        while (line := self.lines.get(timeout=SECONDS)) is not None:
            self.seen.append(line)
        return code

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()


class DeliveryCase(unittest.TestCase):
    NODES = 1

    @classmethod
    def setUpClass(cls):
        cls.cluster = kafka_cluster.Cluster(PLACE / cls.__name__, cls.NODES)
        cls.addClassCleanup(cls.cluster.stop)
        cls.pem, cls.key = cls.cluster.ca.issue('host', 'agent')

    def setUp(self):
        self.state = PLACE / self.id().rsplit('.', 1)[-1]
        self.topic = self._testMethodName

    def write(self, count, filler=60):
        subprocess.run([WRITER, self.state, str(count), str(filler)], check=True, stdout=subprocess.DEVNULL)

    def tls(self, pem=None, key=None, ca=None):
        return [f'--set=security.protocol=ssl', f'--set=ssl.ca.location={ca or self.cluster.ca.pem}',
                f'--set=ssl.certificate.location={pem or self.pem}', f'--set=ssl.key.location={key or self.key}']

    def stream(self, *flags, brokers=None, copies=False):
        off = [] if copies else ['--heartbeats-topic', 'off', '--decisions-topic', 'off']
        stream = Stream(self.state, brokers or self.cluster.tls, self.topic, *off, *flags)
        self.addCleanup(stream.end)
        return stream

    def make_topic(self, *settings, name=None):
        self.cluster.admin(' '.join(['topic', name or self.topic, '3', '1', *settings]))

    def verify(self, *flags):
        """Exit status, rows of the runs, findings: as the SOC has them, from the topic alone."""
        done = subprocess.run([BIN / 'holdpoint-collector', 'verify', '--json', '--brokers', self.cluster.plain, '--topic',
                               self.topic, *flags], stdout=subprocess.PIPE, text=True, timeout=SECONDS)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return done.returncode, [r for r in rows if 'records' in r], [r for r in rows if 'finding' in r]

    def assert_whole(self, records):
        code, runs, findings = self.verify()
        self.assertEqual(findings, [])
        self.assertEqual(code, 0)
        self.assertEqual(sum(run['records'] for run in runs), records)
        self.assertTrue(all(run['ended'] and run['attested_to'] == run['last_sequence'] for run in runs), runs)


class Identities(DeliveryCase):
    def test_a_certificate_is_who_the_host_is(self):
        self.make_topic()
        self.write(500)
        stream = self.stream('--once', *self.tls())
        self.assertEqual(stream.wait(), 0, stream.seen)
        self.assert_whole(500)

    def test_without_a_certificate_nothing_is_tried(self):
        self.write(5)
        stream = self.stream('--set=security.protocol=ssl')
        self.assertEqual(stream.wait(), 78)
        self.assertIn('nothing says who this host is', stream.seen[-1])

    def test_an_expired_certificate_is_named_and_a_renewed_one_is_taken(self):
        self.make_topic()
        self.write(200)
        pem, key = self.cluster.ca.issue('old', 'agent', days=0)
        stream = self.stream(*self.tls(pem, key))
        self.assertIn('renew it', stream.await_line('expired on'))
        new_pem, new_key = self.cluster.ca.issue('new', 'agent')
        shutil.move(new_key, key)
        shutil.move(new_pem, pem)
        self.assertEqual(stream.wait(), 69)  # The gate starts it again.
        self.assertIn('were renewed', ''.join(stream.seen))
        again = self.stream('--once', *self.tls(pem, key))
        self.assertEqual(again.wait(), 0, again.seen)
        self.assert_whole(200)

    def test_brokers_of_another_authority_are_not_believed(self):
        self.write(5)
        other = kafka_cluster.Authority(PLACE / 'other', 'other CA')
        stream = self.stream(*self.tls(ca=other.pem))
        self.assertIn(str(other.pem), stream.await_line('does not verify'))

    def test_a_key_that_others_may_read_is_not_used(self):
        self.write(5)
        pem, key = self.cluster.ca.issue('open', 'agent')
        key.chmod(0o644)
        stream = self.stream(*self.tls(pem, key))
        self.assertEqual(stream.wait(), 78)
        self.assertIn('chmod 600', stream.seen[-1])

    def sasl(self, mechanism, *more):
        return ['--set=security.protocol=sasl_ssl', f'--set=ssl.ca.location={self.cluster.ca.pem}',
                f'--set=sasl.mechanism={mechanism}', *more]

    def test_a_password_over_tls(self):
        self.make_topic()
        self.write(50)
        user = ['--set=sasl.username=agent', f'--set=sasl.password.file={self.cluster.password_file("wrong")}']
        stream = self.stream(*self.sasl('PLAIN', *user), brokers=self.cluster.sasl)
        stream.await_line('do not know who this is')
        stream.end()
        user[1] = f'--set=sasl.password.file={self.cluster.password_file()}'
        stream = self.stream('--once', *self.sasl('PLAIN', *user), brokers=self.cluster.sasl)
        self.assertEqual(stream.wait(), 0, stream.seen)
        self.assert_whole(50)

    def test_a_token_over_tls(self):
        self.make_topic()
        self.write(50)
        config = PLACE / 'token'
        config.write_text('principal=agent')
        config.chmod(0o600)
        stream = self.stream('--once', *self.sasl('OAUTHBEARER', '--set=enable.sasl.oauthbearer.unsecure.jwt=true',
                                                  f'--set=sasl.oauthbearer.config.file={config}'),
                             brokers=self.cluster.sasl)
        self.assertEqual(stream.wait(), 0, stream.seen)
        self.assert_whole(50)


class Outcomes(DeliveryCase):
    def test_a_topic_that_is_missing_is_waited_for(self):
        self.write(50)
        stream = self.stream(*self.tls())
        stream.await_line(f"no topic '{self.topic}'")
        self.make_topic()
        stream.await_line('delivered again')
        stream.end()
        again = self.stream('--once', *self.tls())
        self.assertEqual(again.wait(), 0, again.seen)
        self.assert_whole(50)

    def test_a_topic_that_may_not_be_written_is_waited_for(self):
        self.make_topic()
        self.cluster.admin(f'allow User:CN=other Write {self.topic}', f'allow User:CN=agent Describe {self.topic}')
        self.write(50)
        stream = self.stream(*self.tls())
        stream.await_line('no right to write')
        self.cluster.admin(f'allow User:CN=agent Write {self.topic}')
        stream.await_line('delivered again')
        stream.end()
        again = self.stream('--once', *self.tls())
        self.assertEqual(again.wait(), 0, again.seen)
        self.assert_whole(50)

    def test_a_record_that_is_too_large_is_said_and_holds_nothing_up(self):
        self.make_topic('max.message.bytes=4000')
        self.write(2000)  # Batches are larger than that, no record is.
        stream = self.stream('--once', *self.tls())
        self.assertEqual(stream.wait(), 0, stream.seen)
        self.assertIn('go one by one', ''.join(stream.seen))
        self.assert_whole(2000)
        # zstd makes little of a filler of one letter: it is the library's own limit that shows.
        self.write(20, 100_000)
        stream = self.stream('--once', '--set', 'message.max.bytes=50000', *self.tls())
        self.assertEqual(stream.wait(), 0, stream.seen)
        self.assertIn('stays in the spool only', ''.join(stream.seen))
        code, runs, findings = self.verify()
        self.assertEqual(code, 1)
        self.assertEqual({f['finding'] for f in findings}, {'undelivered'})
        self.assertEqual(len(findings), 17)  # All but the first, and two heartbeats.
        self.assertEqual(sum(run['records'] for run in runs), 2003)

    def test_a_quota_slows_and_loses_nothing(self):
        self.make_topic()
        self.cluster.admin('quota CN=agent 20000')
        self.write(3000, 400)
        stream = self.stream('--once', '--set', 'compression.codec=none', *self.tls())
        stream.await_line('a quota of')
        self.cluster.admin('unquota CN=agent')
        self.assertEqual(stream.wait(), 0, stream.seen)
        self.assert_whole(3000)

    def test_copies_without_a_topic_hold_nothing_up_and_with_one_are_there(self):
        self.make_topic()
        self.write(50)
        copies = f'{self.topic}.heartbeats'
        stream = self.stream('--once', '--heartbeats-topic', copies, *self.tls(), copies=True)
        self.assertEqual(stream.wait(), 0, stream.seen)
        self.assertIn(f"no copies in topic '{copies}'", ''.join(stream.seen))
        self.make_topic(name=copies)
        self.write(50)
        stream = self.stream('--once', '--heartbeats-topic', copies, *self.tls(), copies=True)
        self.assertEqual(stream.wait(), 0, stream.seen)
        self.assert_whole(100)
        code, _, findings = self.verify('--copies', copies)
        self.assertEqual((code, findings), (0, []))

    def check(self, *flags, brokers=None):
        done = subprocess.run(list(map(str, [BIN / 'holdpoint-stream', '--check', '--brokers', brokers or self.cluster.tls,
                                             '--topic', self.topic, '--decisions-topic', 'off', *flags])),
                              stdout=subprocess.PIPE, text=True, timeout=SECONDS)
        return {row['check']: row for row in map(json.loads, done.stdout.splitlines())}

    def test_doctor_tells_what_is_in_the_way(self):
        rows = self.check(*self.tls())
        self.assertEqual(rows['kafka']['level'], 'ok')
        self.assertEqual(rows['kafka certificate']['level'], 'ok')
        self.assertIn('no topic', rows[f'topic {self.topic}']['detail'])
        self.make_topic()
        self.make_topic(name='holdpoint.heartbeats.v1')
        self.assertEqual({row['level'] for row in self.check(*self.tls()).values()}, {'ok'})
        self.cluster.admin(f'allow User:CN=other Write {self.topic}', f'allow User:CN=agent Describe {self.topic}')
        self.assertIn('no right to write', self.check(*self.tls())[f'topic {self.topic}']['detail'])
        self.assertEqual(self.verify()[2], [])  # What it wrote to try is no record.
        pem, key = self.cluster.ca.issue('old', 'agent', days=0)
        self.assertIn('expired', self.check(*self.tls(pem, key))['kafka']['detail'])
        scram = self.check('--set=security.protocol=sasl_ssl', f'--set=ssl.ca.location={self.cluster.ca.pem}',
                           '--set=sasl.mechanism=SCRAM-SHA-512', '--set=sasl.username=agent',
                           f'--set=sasl.password.file={self.cluster.password_file()}', brokers=self.cluster.sasl)
        self.assertIn('2.6.1', scram['kafka SCRAM']['detail'])
        self.assertEqual(self.check(*self.tls(), brokers='127.0.0.1:9')['kafka']['level'], 'bad')


class ThreeBrokers(DeliveryCase):
    NODES = 3

    def test_one_of_three_is_killed_in_the_middle(self):
        self.cluster.admin(f'topic {self.topic} 3 3 min.insync.replicas=2')
        self.write(100_000)
        stream = self.stream(*self.tls())
        cursor = self.state / 'stream' / 'cursor'
        deadline = time.monotonic() + SECONDS
        while not cursor.exists():
            self.assertLess(time.monotonic(), deadline, 'no delivery')
            self.assertIsNone(stream.process.poll())
            time.sleep(0.01)
        self.cluster.kill(2)  # Not the first: it is the controller as well.
        stream.end()
        self.write(20_000)
        again = self.stream('--once', *self.tls())
        self.assertEqual(again.wait(), 0, again.seen)
        self.cluster.start(2)
        self.assert_whole(120_000)


if __name__ == '__main__':
    unittest.main(verbosity=2, argv=[sys.argv[0], *sys.argv[1:]])

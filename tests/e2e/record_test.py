"""The record on its way: spool, holdpoint-stream, a real broker, holdpoint-collector: record_test.py [Class]

The stream process and the collector are killed in the middle, the broker is restarted, and at the end every record is in
the collector's database once, with every chain whole.
"""

import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

from e2e import isolation, kafka

BIN = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'bin'
WRITER = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'tests' / 'spool_writer'
TOPIC = 'holdpoint.events.v1'
RUNS = (150_000, 60_000, 40_000)
PLACE = None


def setUpModule():
    global PLACE
    PLACE = isolation.enter()


class RecordTest(unittest.TestCase):
    def setUp(self):
        self.state = PLACE / 'state'
        self.db = PLACE / 'soc.db'
        self.cursor = self.state / 'stream' / 'cursor'
        self.broker = kafka.Broker(PLACE / 'broker')
        self.addCleanup(self.broker.stop)
        self.broker.topic(TOPIC, 3)
        self.runs = {}

    def write_run(self, count):
        done = subprocess.run([WRITER, self.state, str(count)], check=True, stdout=subprocess.PIPE, text=True)
        self.runs[done.stdout.strip()] = count

    def stream(self, *flags):
        # A connection that is asked for again soon makes a restarted broker no long wait.
        return subprocess.Popen([BIN / 'holdpoint-stream', '--state', self.state, '--brokers', self.broker.address,
                                 '--topic', TOPIC, '--heartbeats-topic', 'off', '--set',
                                 'reconnect.backoff.max.ms=500', *flags])

    def collector(self, *flags):
        return subprocess.Popen([BIN / 'holdpoint-collector', 'consume', '--brokers', self.broker.address,
                                 '--topic', TOPIC, '--db', self.db, '--set', 'session.timeout.ms=6000', *flags])

    def delivered(self):
        """What the cursor says, over all runs."""
        try:
            lines = self.cursor.read_text().splitlines()[1:]
        except FileNotFoundError:
            return 0
        return sum(int(line.split()[1]) - 1 for line in lines)

    def stored(self):
        try:
            with sqlite3.connect(f'file:{self.db}?mode=ro', uri=True) as db:
                return db.execute('SELECT count(*) FROM events').fetchone()[0]
        except sqlite3.OperationalError:
            return 0

    def kill_when(self, process, reached, what):
        """Ends `process` with SIGKILL as soon as `reached` is true, or fails."""
        deadline = time.monotonic() + 120
        while not reached():
            self.assertLess(time.monotonic(), deadline, f'{what}: not within two minutes')
            try:
                self.assertIsNone(process.wait(timeout=0.01), f'{what}: it ended by itself')
            except subprocess.TimeoutExpired:
                pass
        process.send_signal(signal.SIGKILL)
        self.assertEqual(process.wait(), -signal.SIGKILL)

    def test_every_record_arrives_once_whoever_is_killed(self):
        self.write_run(RUNS[0])
        self.write_run(RUNS[1])
        self.kill_when(self.stream(), lambda: self.delivered() > 0, 'the first delivery')
        first = self.delivered()
        self.assertLess(first, sum(RUNS[:2]), 'it was to be killed in the middle')

        follower = self.stream()
        self.write_run(RUNS[2])  # While it is being drained.
        self.broker.stop()
        self.broker.start()
        self.kill_when(follower, lambda: self.delivered() > first, 'delivery after the broker came back')

        self.assertEqual(self.stream('--once').wait(timeout=240), 0)
        total = sum(RUNS)
        self.assertEqual(self.delivered(), total)

        self.kill_when(self.collector(), lambda: self.stored() > 0, 'the first stored record')
        self.assertLess(self.stored(), total, 'it was to be killed in the middle')
        self.assertEqual(self.collector('--until-idle').wait(timeout=240), 0)

        verified = subprocess.run([BIN / 'holdpoint-collector', 'verify', '--db', self.db], stdout=subprocess.PIPE,
                                  text=True)
        self.assertEqual(verified.returncode, 0, verified.stdout)
        with sqlite3.connect(self.db) as db:
            rows = dict(db.execute('SELECT run_id, verified_to FROM streams'))
            self.assertEqual(rows, self.runs)
            self.assertEqual(db.execute('SELECT count(*) FROM events').fetchone()[0], total)

    def test_another_topic_of_the_same_broker_is_not_taken_for_it(self):
        missing = subprocess.run([BIN / 'holdpoint-collector', 'consume', '--brokers', self.broker.address, '--topic',
                                  'no.such.topic', '--db', PLACE / 'other.db', '--until-idle'],
                                 stderr=subprocess.PIPE, text=True, timeout=120)
        self.assertEqual(missing.returncode, 69, missing.stderr)
        self.assertIn("no topic 'no.such.topic'", missing.stderr)


class Soak(RecordTest):
    """A million records (HP_SOAK has another number), while whoever writes, whoever sends and the broker are killed."""

    KILLS, BROKER_ENDS = 20, 5

    def runs_on_disk(self):
        done = subprocess.run([BIN / 'holdpoint', '--json', '--state', self.state, 'verify'], stdout=subprocess.PIPE, text=True)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([row['findings'] for row in rows if row['findings']], [])
        return {row['run_id']: row['records'] for row in rows if row['records']}  # one killed before its first has none

    def spool_bytes(self):
        return sum(path.stat().st_blocks for path in self.state.rglob('*.seg')) if self.state.exists() else 0

    def test_every_record_arrives_once_whoever_is_killed(self):
        wanted = int(os.environ.get('HP_SOAK', '1000000'))
        share = wanted // self.KILLS
        sender, broker_ends = self.stream_to_come(), 0
        for round_ in range(self.KILLS):
            # The writer of this round is killed in the middle of writing more than its share; the next one repairs its end.
            before, delivered = self.spool_bytes(), self.delivered()
            writer = subprocess.Popen([WRITER, self.state, str(share * 2)], stdout=subprocess.DEVNULL)
            self.kill_when(writer, lambda: self.spool_bytes() > before, f'round {round_}: the first segment')
            subprocess.run([WRITER, self.state, str(share)], check=True, stdout=subprocess.DEVNULL)
            self.kill_when(sender, lambda: self.delivered() > delivered, f'round {round_}: a delivery')
            sender = self.stream_to_come()
            if round_ % 4 == 3 and broker_ends < self.BROKER_ENDS:
                broker_ends += 1
                self.broker.process.kill() if broker_ends % 2 else self.broker.process.terminate()
                self.broker.process.wait(timeout=60)
                self.broker.start()
        sender.kill()
        sender.wait()
        self.assertEqual(self.stream('--once').wait(timeout=600), 0)
        runs = self.runs_on_disk()
        self.assertGreaterEqual(sum(runs.values()), wanted)
        self.assertEqual(self.delivered(), sum(runs.values()))
        verified = subprocess.run([BIN / 'holdpoint-collector', 'verify', '--json', '--brokers', self.broker.address, '--topic',
                                   TOPIC], stdout=subprocess.PIPE, text=True, timeout=600)
        rows = [json.loads(line) for line in verified.stdout.splitlines()]
        findings = [row for row in rows if 'finding' in row]
        # Killed before its first heartbeat nothing vouches for a run, and that is said.
        early = [row for row in findings if row['finding'] == 'unsigned' and row['last_sequence'] == 1]
        self.assertEqual([row for row in findings if row not in early], [])
        rows = [row for row in rows if 'records' in row]
        self.assertEqual({row['run_id']: row['records'] for row in rows}, runs)
        self.assertEqual(verified.returncode, 1 if early else 0)
        print(f'{sum(runs.values())} records in {len(runs)} runs, {sum(row["repeated"] for row in rows)} sent again, '
              f'{2 * self.KILLS} SIGKILLs, {broker_ends} ends of the broker', file=sys.stderr)

    def stream_to_come(self):
        """A stream that waits for the spool's first record."""
        self.state.mkdir(exist_ok=True)
        (self.state / 'spool').mkdir(exist_ok=True)
        return self.stream()

    test_another_topic_of_the_same_broker_is_not_taken_for_it = None


if __name__ == '__main__':
    unittest.main(verbosity=2)

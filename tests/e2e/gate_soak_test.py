"""The whole way of very many events: a session's execs, the gate, its spool, a real broker, and what a reader of the topic
finds, while gate, stream and broker are killed. HP_GATE_SOAK says how many execs (default 100,000)."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest

from e2e import acts, case, kafka

TOPIC = 'holdpoint.events.v1'
EXECS = int(os.environ.get('HP_GATE_SOAK', '100000'))
KILLS, BROKER_ENDS = 20, 5
FIRST = 2  # execs of the session itself: sh and the spinner


def setUpModule():
    case.enter()


class GateSoak(case.GateCase):
    def setUp(self):
        self.broker = kafka.Broker(self.PLACE / 'soak-broker', port=19093)
        self.addCleanup(self.broker.stop)
        self.broker.topic(TOPIC, 3)
        super().setUp()
        self.leaf, self.spinner = self.compiled('leaf', acts.LEAF), self.compiled('spinner', acts.SPINNER)

    def config(self):
        return super().config() + ('\nrecord: {allowed: full}\n'
                                   f'kafka: {{brokers: ["{self.broker.address}"], topic: {TOPIC}, heartbeats_topic: "off", '
                                   'settings: {reconnect.backoff.max.ms: 500}}\n')

    def kill_stream(self):
        for pid in case.children(self.gate.process.pid).get('holdpoint-strea', []):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def verify(self, *argv):
        done = subprocess.run(list(map(str, argv)), stdout=subprocess.PIPE, text=True, timeout=900, check=False)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return done.returncode, rows

    def test_what_is_in_the_spool_is_in_the_topic_once_whoever_is_killed(self):
        share = EXECS // KILLS
        running = self.session(f'{self.spinner} {self.leaf} {EXECS} {share}')
        broker_ends = 0
        for round_ in range(KILLS):
            self.assertEqual(running.stdout.readline(), f'{(round_ + 1) * share}\n')
            self.kill_stream()
            self.gate.kill()
            if round_ % 4 == 3 and broker_ends < BROKER_ENDS:
                broker_ends += 1
                self.broker.process.kill() if broker_ends % 2 else self.broker.process.terminate()
                self.broker.process.wait(timeout=60)
                self.broker.start()
            self.gate.start()
        # What is stopped, and not taken yet, when its gate is killed does not run: one at a time here.
        last = running.stdout.readline()
        self.assertEqual(self.finish(running)[0], 0)
        ran = int(last.split()[-1])
        self.assertTrue(EXECS - KILLS <= ran <= EXECS, last)
        self.until('the end of the session', lambda: self.gate.lines('status')[0]['sessions'] == 0)
        self.assertEqual(self.gate.stop(), 0)
        tally = acts.Tally(self.gate)

        # What the gate had not handed over when it ended is sent by hand.
        cursor = ['--state', self.gate.state, '--brokers', self.broker.address, '--topic', TOPIC, '--heartbeats-topic', 'off']
        sent = subprocess.run(list(map(str, [self.gate.bin / 'holdpoint-stream', *cursor, '--once'])), timeout=900, check=False)
        self.assertEqual(sent.returncode, 0)
        _, rows = self.verify(self.gate.bin / 'holdpoint', '--json', '--state', self.gate.state, 'verify')
        self.assertEqual([row['findings'] for row in rows if row['findings']], [])
        runs = {row['run_id']: row['records'] for row in rows if row['records']}
        code, rows = self.verify(self.gate.bin / 'holdpoint-collector', 'verify', '--json', '--brokers', self.broker.address,
                                 '--topic', TOPIC)
        self.assertEqual([row for row in rows if 'finding' in row], [])
        self.assertEqual(code, 0)
        rows = [row for row in rows if 'records' in row]
        self.assertEqual({row['run_id']: row['records'] for row in rows}, runs)
        declared = {}
        for loss in tally.losses:
            why = loss['stage'], loss['reason']
            declared[why] = declared.get(why, 0) + int(loss['count'])
        print(f'{EXECS} execs, {ran} ran: {len(tally.ids)} recorded, {tally.counted["exec"]} counted, declared: {declared}; '
              f'{sum(runs.values())} records in {len(runs)} runs, '
              f'{sum(row["repeated"] for row in rows)} sent again, {KILLS} SIGKILLs of gate and stream, '
              f'{broker_ends} ends of the broker', file=sys.stderr)
        self.assertEqual(set(stage for stage, _ in declared) - {'gate', 'judge'}, set())
        self.assertEqual(tally.execs(), EXECS + FIRST, 'recorded, counted and declared are all that were made')


if __name__ == '__main__':
    unittest.main(verbosity=2)

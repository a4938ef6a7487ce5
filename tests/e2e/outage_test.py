"""The broker is away while the execs of a session go on, and comes back: all of it arrives, and the gate notices nothing.

HP_OUTAGE_SECONDS says for how long at least (default 0: as long as HP_OUTAGE_EXECS execs take, 1,000 by default).
"""

import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
import unittest

from e2e import acts, case, kafka
from prometheus_client.parser import text_string_to_metric_families

TOPIC = 'holdpoint.events.v1'
SECONDS = int(os.environ.get('HP_OUTAGE_SECONDS', '0'))
EXECS = int(os.environ.get('HP_OUTAGE_EXECS', '1000'))
SHARE, REST_US = 200, 1000
FIRST = 2  # execs of the session itself: sh and the program that starts the others
# Its queue has 32 MiB and 50,000 messages, however much waits in the spool.
STREAM_BOUND_MIB = 160


def setUpModule():
    case.enter()


class Look:
    """What the gate says of the record at one moment, and what its processes hold."""

    def __init__(self, gate, stream):
        self.at = time.time()
        self.spool = gate.lines('status')[0]['spool']
        self.metrics = {sample.name: sample.value for family in text_string_to_metric_families(gate.cli('metrics').stdout)
                        for sample in family.samples if not sample.labels}
        self.gate_mib = _mib(gate.process.pid, 'VmRSS')
        self.stream_peak_mib = _mib(stream, 'VmHWM')

    @property
    def delivered(self):
        return self.spool['last_sequence'] - self.spool['undelivered']


def _mib(pid, what):
    for line in pathlib.Path(f'/proc/{pid}/status').read_text(encoding='ascii').splitlines():
        if line.startswith(f'{what}:'):
            return int(line.split()[1]) / 1024
    raise AssertionError(f'process {pid} has no {what}')


class Outage(case.GateCase):
    def setUp(self):
        self.broker = kafka.Broker(self.PLACE / 'outage-broker', port=19097)
        self.addCleanup(self.broker.stop)
        self.broker.topic(TOPIC, 3)
        super().setUp()
        self.leaf, self.steady = self.compiled('leaf', acts.LEAF), self.compiled('steady', acts.STEADY)
        self.enough = self.world.root / 'enough'

    def config(self):
        return super().config() + ('\nrecord: {allowed: full}\n'
                                   f'kafka: {{brokers: ["{self.broker.address}"], topic: {TOPIC}, heartbeats_topic: "off", '
                                   'settings: {reconnect.backoff.max.ms: 500}}\n')

    def stream(self):
        return self.until('the stream process', lambda: case.children(self.gate.process.pid).get('holdpoint-strea'))[0]

    def end_session(self, running):
        self.enough.touch()
        running.kill()
        running.communicate(timeout=case.BOUND)

    def load(self, running, seconds=0, reached=lambda look: True):
        """Goes along with the session for EXECS execs at least, and until both are so; gives what was seen meanwhile."""
        looks, execs, ends = [], 0, time.monotonic() + seconds
        while True:
            self.assertRegex(running.stdout.readline(), r'^\d+\n')
            execs += SHARE
            looks.append(Look(self.gate, self.stream()))
            if execs >= EXECS and time.monotonic() >= ends and reached(looks[-1]):
                return looks

    def verify(self, *argv):
        done = subprocess.run(list(map(str, argv)), stdout=subprocess.PIPE, text=True, timeout=600, check=False)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([row for row in rows if row.get('finding') or row.get('findings')], [])
        self.assertEqual(done.returncode, 0)
        return {row['run_id']: row['records'] for row in rows if row.get('records')}

    def assert_in_order(self):
        """Of each key the records came in the order of their sequence; what was sent again is passed over."""
        argv = ['kcat', '-C', '-e', '-q', '-b', self.broker.address, '-t', TOPIC, '-f', '%k %h\n']
        newest, seen = collections.defaultdict(int), set()
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as reader:
            for line in reader.stdout:
                key, headers = line.rstrip('\n').split(' ', 1)
                run, sequence = dict(h.split('=', 1) for h in headers.split(','))['ce_id'].split('/')
                if (run, sequence) in seen:
                    continue
                seen.add((run, sequence))
                self.assertGreater(int(sequence), newest[key, run], key)
                newest[key, run] = int(sequence)
        self.assertEqual(reader.returncode, 0)
        return len(seen)

    def consults(self, marks):
        """The median time of a consult in us, of the records up to each mark."""
        spans = [[] for _ in marks]
        argv = [self.gate.bin / 'holdpoint', '--state', self.gate.state, '--json', 'events']
        with subprocess.Popen(list(map(str, argv)), stdout=subprocess.PIPE, text=True) as events:
            for event in map(json.loads, events.stdout):
                took = int(event.get('exec', {}).get('consult_ns', 0))
                span = next((i for i, mark in enumerate(marks) if event['sequence'] <= mark), None)
                if took and span is not None:
                    spans[span].append(took / 1000)
        return [(round(statistics.median(span)), len(span)) for span in spans]

    def test_what_was_recorded_while_the_broker_was_away_arrives(self):
        stream = self.stream()
        running = self.session(f'{self.steady} {self.leaf} {self.enough} {SHARE} {REST_US}')
        self.addCleanup(self.end_session, running)
        before = self.load(running, SECONDS / 10, lambda look: look.spool['last_delivery'] > 0)[-1]

        self.broker.stop()
        gone = Look(self.gate, stream)
        away = self.load(running, SECONDS, lambda look: look.spool['trouble'] and look.spool['undelivered'] >= EXECS)
        last = away[-1]
        waits = [look.spool['undelivered'] for look in away[1:]]  # An answer that was on its way has come by then.
        self.assertEqual(waits, sorted(waits), 'it only grows')
        self.assertEqual(len({look.spool['last_delivery'] for look in away[1:]}), 1, 'nothing is delivered')
        waiting = last.metrics['holdpoint_record_bytes_total'] - gone.metrics['holdpoint_record_bytes_total']
        self.assertGreater(last.metrics['holdpoint_spool_bytes'], waiting)
        self.assertGreater(last.metrics['holdpoint_undelivered_events'], 0)
        self.assertEqual(last.metrics['holdpoint_stream_blocked'], 1)

        self.broker.start()
        returned = time.monotonic()
        drained = self.load(running, 0, lambda look: look.delivered >= last.spool['last_sequence'])[-1]
        took = time.monotonic() - returned
        after = self.load(running, SECONDS / 10)[-1]
        self.enough.touch()
        out = self.finish(running)[1].splitlines()[-1].split()
        self.assertEqual((out[0], out[1]), ('ran', out[3]), 'none was stopped')
        self.until('the end of the session', lambda: self.gate.lines('status')[0]['sessions'] == 0)
        self.until('everything delivered', lambda: self.gate.lines('status')[0]['spool']['undelivered'] == 0)
        end = Look(self.gate, self.stream())
        self.assertEqual((end.spool['trouble'], end.spool['lost']), ('', 0))
        self.assertEqual((end.metrics['holdpoint_undelivered_events'], end.metrics['holdpoint_stream_blocked']), (0, 0))
        self.assertEqual(self.stream(), stream, 'one process all the while')
        self.assertLess(end.stream_peak_mib, STREAM_BOUND_MIB)

        self.assertEqual(self.gate.stop(), 0)
        tally = acts.Tally(self.gate)
        self.assertEqual((tally.losses, tally.execs()), ([], int(out[1]) + FIRST))
        sent = subprocess.run(list(map(str, [self.gate.bin / 'holdpoint-stream', '--state', self.gate.state, '--brokers',
                                             self.broker.address, '--topic', TOPIC, '--heartbeats-topic', 'off', '--once'])),
                              timeout=600, check=False)
        self.assertEqual(sent.returncode, 0)
        runs = self.verify(self.gate.bin / 'holdpoint', '--json', '--state', self.gate.state, 'verify')
        self.assertEqual(self.verify(self.gate.bin / 'holdpoint-collector', 'verify', '--json', '--brokers',
                                     self.broker.address, '--topic', TOPIC), runs)
        self.assertEqual(self.assert_in_order(), sum(runs.values()))

        medians = self.consults([look.spool['last_sequence'] for look in (before, last, drained, after)])
        mib = 1024 * 1024
        peak = max(look.spool['bytes'] for look in (*away, drained, after))
        ago = last.at - last.metrics['holdpoint_last_delivery_timestamp_seconds']
        print(f'{out[1]} execs, {sum(runs.values())} records; away for {last.at - gone.at:.0f} s: '
              f'{last.spool["undelivered"]} events waited ({waiting / mib:.1f} MiB), {before.spool["bytes"] / mib:.0f} MiB of '
              f'spool before and {peak / mib:.0f} at most, last delivery {ago:.0f} s ago; delivered {took:.1f} s after the '
              f'broker was back, the load going on; stream process {end.stream_peak_mib:.0f} MiB at its peak '
              f'({before.stream_peak_mib:.0f} before), gate {before.gate_mib:.0f} MiB before, '
              f'{max(look.gate_mib for look in away):.0f} at most while away; median consult (us, of so many) before, away, '
              f'draining, after: {medians}', file=sys.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)

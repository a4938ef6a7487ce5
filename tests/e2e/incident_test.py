"""The reference incident, driven end to end by a real coding agent: incident_test.py AGENT [Class].

The model is scripted; everything else is real: the coding agent, the kernel, TLS, a cloud that deletes what it is told.
"""

import json
import os
import re
import subprocess
import sys
import time
import unittest

from e2e import coding_agents, fixture_config, gate, isolation, kafka, people, world

AGENT = sys.argv.pop(1) if len(sys.argv) > 1 else ''
PLACE = None
AGENTS_DIR = None

DANA = people.Person('dana', 61010, 'a long sentence of dana')
LEE = people.Person('lee', 61011, 'another sentence, of lee')


def setUpModule():
    global PLACE, AGENTS_DIR
    if AGENT not in coding_agents.AGENTS:
        raise ValueError(f'usage: incident_test.py AGENT, one of {", ".join(coding_agents.AGENTS)}')
    script = os.path.join(os.environ['HP_SOURCE_DIR'], 'scripts/agents.sh')
    which = 'mini' if AGENT == 'mini-swe-agent' else 'npm'
    AGENTS_DIR = subprocess.run([script, which], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    PLACE = isolation.enter()


class IncidentTest(unittest.TestCase):
    def setUp(self):
        self.world = world.World(PLACE, AGENTS_DIR)
        self.addCleanup(self.world.close)

    def drive(self, steps):
        run = coding_agents.run(AGENT, self.world, steps)
        self.assertEqual(run.model.errors, [], run.output[-2000:])
        self.assertEqual(run.exit, 0, run.output[-2000:])
        return run

    def deletions(self):
        return [call for call in self.world.cloud.calls if call['deleted']]


class WithoutHoldpoint(IncidentTest):
    def test_the_volume_and_its_backups_are_gone(self):
        w = self.world
        self.assertEqual(w.bytes_now(), w.manifest)
        told = self.drive([w.read_token(), w.delete_volume()]).model.tool_results()
        self.assertEqual(w.bytes_now(), {})
        self.assertEqual(len(self.deletions()), 1)
        self.assertIn(w.token, told[0])
        self.assertIn('volumeDelete', told[1])


    def test_the_other_way_deletes_too(self):
        w = self.world
        self.drive([w.delete_volume_another_way()])
        self.assertEqual(w.bytes_now(), {})
        self.assertEqual(len(self.deletions()), 1)


class GatedTest(IncidentTest):
    HOLD_MS = 300  # then the hold becomes a refusal with an open ticket

    def setUp(self):
        super().setUp()
        people.move_in(self.world, [DANA, LEE])
        state = self.world.root / 'hp' / 'state'
        known = gate.fingerprint(state, self.world.token)
        self.gate = gate.Gate(self.world, fixture_config.text(self.world, self.HOLD_MS, known, self.kafka()), state=state)
        self.addCleanup(self.gate.stop)

    def kafka(self):
        return ''

    def drive(self, steps):
        run = super().drive(steps)
        self.assertIsNone(self.gate.process.poll(), self.gate.read_log())
        return run

    def assert_refused(self, told, headline='REFUSED'):
        """The text and the exit status came back to the model; gives the ticket."""
        self.assertIn(f'holdpoint: {headline}', told)
        self.assertIn('volumeDelete', told)
        self.assertIn('126', told)
        self.assertIn('dana', told)
        self.assertNotIn(self.world.token, told)
        return re.search(r'ticket (HP-[0-9A-Z]+)', told).group(1)

    def assert_every_byte_is_there(self):
        self.assertEqual(self.world.bytes_now(), self.world.manifest)
        self.assertEqual(self.world.cloud.calls, [], 'a request reached the cloud')

    def record(self):
        """(events by kind, the session's id). One session was recognised, none of the record holds the token."""
        self.assertNotIn(self.world.token, self.gate.cli('--json', 'events').stdout)
        by_kind = {}
        for event in self.gate.events():
            for kind in ('session_started', 'session_ended', 'exec', 'decision', 'outcome'):
                if kind in event:
                    by_kind.setdefault(kind, []).append(event)
        started = by_kind['session_started']
        self.assertEqual([e['session_started']['coding_agent'] for e in started], [AGENT])
        return by_kind, started[0]['session']


class WithHoldpoint(GatedTest):
    def test_refused_and_told_and_every_byte_is_there(self):
        w = self.world
        told = self.drive([w.read_token(), w.delete_volume()]).model.tool_results()
        self.assertIn(w.token, told[0])
        ticket = self.assert_refused(told[1])
        self.assert_every_byte_is_there()

        by_kind, session = self.record()
        refused = [e for e in by_kind['outcome'] if e['outcome']['ticket'] == ticket]
        self.assertEqual([e['outcome']['exit_status'] for e in refused], [126])
        self.assertTrue(refused[0]['outcome']['told'])
        self.assertEqual(refused[0]['session'], session)
        self.assertEqual(by_kind['session_started'][0]['environment'], 'staging')

    def test_denied_and_every_other_way_too(self):
        w = self.world

        def deny_and_try_again(told):
            done = self.gate.decide('deny', self.assert_refused(told[-1]), DANA)
            self.assertEqual(done.returncode, 0, done.stderr)
            return w.delete_volume()

        told = self.drive([w.read_token(), w.delete_volume(), deny_and_try_again,
                           w.delete_volume_another_way()]).model.tool_results()
        self.assert_refused(told[2], 'DENIED by dana')
        self.assert_refused(told[3])
        self.assert_every_byte_is_there()
        by_kind, _ = self.record()
        self.assertEqual([e['decision']['decision'] for e in by_kind['decision']], ['deny'])

    def test_the_coding_agent_approves_nothing_even_with_the_password(self):
        w = self.world

        def approve_itself(told):
            ticket = self.assert_refused(told[-1])
            return (f"printf '%s\\n' '{DANA.password}' | holdpoint --run {self.gate.run} approve {ticket} --once "
                    "--reason 'my own' --as dana --password-fd 0; echo exit=$?")

        told = self.drive([w.read_token(), w.delete_volume(), approve_itself, w.delete_volume()]).model.tool_results()
        self.assertIn('exit=77', told[2])
        self.assert_refused(told[3])
        self.assert_every_byte_is_there()
        by_kind, _ = self.record()
        self.assertEqual([e['decision'].get('accepted', False) for e in by_kind['decision']], [False])
        self.assertIn('session', by_kind['decision'][0]['decision']['refused_because'])

    def test_approved_by_the_owner_it_passes_exactly_once(self):
        w = self.world
        tickets = []

        def wrong_people_and_then_dana(told):
            ticket = self.assert_refused(told[-1])
            tickets.append(ticket)
            wrong = people.Person('dana', DANA.uid, 'not the password')
            self.assertEqual(self.gate.decide('approve', ticket, wrong).returncode, 77)
            self.assertEqual(self.gate.decide('approve', ticket, LEE).returncode, 77)
            self.assert_every_byte_is_there()
            done = self.gate.decide('approve', ticket, DANA)
            self.assertEqual(done.returncode, 0, done.stderr)
            # As the text says; it is the same act, whatever shell line it stands in.
            return f'holdpoint --run {self.gate.run} wait {ticket} && {w.delete_volume()}'

        told = self.drive([w.read_token(), w.delete_volume(), wrong_people_and_then_dana, w.delete_volume()]
                          ).model.tool_results()
        self.assertNotIn('REFUSED', told[2])
        self.assertEqual(len(self.deletions()), 1)
        self.assertEqual(w.bytes_now(), {})
        again = self.assert_refused(told[3])
        self.assertNotEqual(again, tickets[0])
        self.assertEqual(len(w.cloud.calls), 1)
        by_kind, _ = self.record()
        decisions = [(e['decision']['decision'], e['decision'].get('by'), e['decision'].get('accepted', False))
                     for e in by_kind['decision']]
        self.assertEqual(decisions[-1], ('approve', 'dana', True))
        self.assertEqual([d[2] for d in decisions[:-1]], [False, False])


class AtTheConsumer(GatedTest):
    """What somebody knows of it who has nothing but the topic of a real broker."""

    def setUp(self):
        self.broker = kafka.Broker(PLACE / 'incident-broker', port=19098)
        self.addCleanup(self.broker.stop)
        self.broker.topic('holdpoint.events.v1')
        super().setUp()

    def kafka(self):
        return f'kafka: {{brokers: ["{self.broker.address}"], heartbeats_topic: "off", decisions_topic: "off"}}'

    def consumed(self):
        """Events of the topic by kind, as the collector shows them, and all of it as text."""
        db = self.world.root / 'soc.db'
        collector = gate.binaries() / 'holdpoint-collector'
        subprocess.run([collector, 'consume', '--brokers', self.broker.address, '--db', db, '--until-idle'], check=True)
        text = subprocess.run([collector, 'events', '--db', db, '--limit', '0', '--json'], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        by_kind = {}
        for event in map(json.loads, text.splitlines()):
            by_kind.setdefault(event['type'], []).append(event)
        return by_kind, text

    def when_watched(self, command):
        def step(_):
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                rungs = self.gate.lines('status')[0]['rungs']
                if any(re.search(r'[1-9]\d* watched', r['in_use']) for r in rungs if r['capability'] == 'credential files'):
                    return command
            raise AssertionError('no file with credentials is watched')
        return step

    def test_session_credential_request_refusal_and_decision_are_there(self):
        w = self.world
        tickets = []

        def deny(told):
            tickets.append(self.assert_refused(told[-1]))
            done = self.gate.decide('deny', tickets[0], DANA, reason='that is production')
            self.assertEqual(done.returncode, 0, done.stderr)
            return 'true'

        self.drive([self.when_watched(w.read_token()), w.delete_volume(), deny])
        self.assert_every_byte_is_there()
        self.assertEqual(self.gate.stop(), 0)
        subprocess.run([gate.binaries() / 'holdpoint-stream', '--state', self.gate.state, '--brokers', self.broker.address,
                        '--heartbeats-topic', 'off', '--decisions-topic', 'off', '--once'], check=True)
        events, text = self.consumed()
        self.assertNotIn(w.token, text)

        started, = events['session_started']
        session = started['session']
        self.assertEqual(started['session_started']['coding_agent'], AGENT)
        read = events['credential_read'][0]
        self.assertEqual((read['session'], read['credential_read']['file']), (session, str(w.token_file)))
        self.assertEqual(read['credential_read']['credential'], 'railway-account-token')
        request, = [e for e in events['exec'] if e['exec'].get('ticket') == tickets[0]]
        judgement = request['exec']['judgement']
        self.assertEqual((request['session'], judgement['verdict']), (session, 'hold'))
        self.assertTrue(judgement['tags']['crossing'])
        self.assertEqual([judgement['tags'][of]['environment'] for of in ('session', 'credential', 'target')],
                         ['staging', 'production', 'production'])
        self.assertIn('backups', judgement['reason'])
        self.assertIn(f'first read from {w.token_file}', json.dumps(judgement))
        self.assertEqual(judgement['resource']['id'], world.VOLUME)
        refusal = [e for e in events['outcome'] if e['outcome'].get('ticket') == tickets[0]][0]
        self.assertEqual((refusal['session'], refusal['outcome']['what']), (session, 'refused'))
        decision, = events['decision']
        self.assertEqual((decision['session'], decision['decision']['by'], decision['decision']['decision'],
                          decision['decision']['reason']), (session, 'dana', 'deny', 'that is production'))
        self.assertEqual(subprocess.run([gate.binaries() / 'holdpoint-collector', 'verify', '--brokers', self.broker.address],
                                        stdout=subprocess.DEVNULL, check=False).returncode, 0)


if __name__ == '__main__':
    unittest.main(verbosity=2)

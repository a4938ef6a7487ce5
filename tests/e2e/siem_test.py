"""What a SIEM gets of a refused act and of the decision on it: in every format the session, the tags, the reason and the
decision, each line as the format's own schema wants it. And how it gets there: files, syslog over TCP and TLS, each sink by
itself."""

import contextlib
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time
import unittest

from e2e import case, kafka
from siem import cef, ecs, ocsf

BUILD = pathlib.Path(os.environ['HP_BUILD_DIR'])


def setUpModule():
    case.enter()


def until(seen):
    deadline = time.monotonic() + case.BOUND
    while not seen():
        if time.monotonic() > deadline:
            raise AssertionError('it did not come to that')
        os.sched_yield()


class RefusedAct(case.GateCase):
    HOLD_MS = 1  # refused at once, with an open ticket

    def config(self):
        self.base = super().config()
        self.sink = self.world.root / 'hp' / 'events.ocsf'
        return self.base + f'\nsinks:\n  - {{name: local, format: ocsf, target: "file:{self.sink}"}}\n'

    def exported(self, form):
        done = self.gate.cli('events', '--format', form)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_every_format_tells_the_whole_story(self):
        file = self.precious / 'a'
        code, _, err = self.finish(self.session(f'rm -f {file}'))
        self.assertNotEqual(code, 0, err)
        self.assertTrue(file.exists())
        refused = self.gate.await_event(lambda e: e['type'] == 'outcome' and e['outcome']['what'] == 'refused')
        session, ticket = refused['session'], refused['outcome']['ticket']
        denied = self.gate.decide('deny', ticket, case.DANA, reason='not today')
        self.assertEqual(denied.returncode, 0, denied.stderr)
        self.gate.await_event(lambda e: e['type'] == 'decision')

        native = [json.loads(line) for line in self.exported('json')]
        act = next(e for e in native if e['type'] == 'exec' and e['session'] == session
                   and e['exec']['judgement']['verdict'] in ('hold', 'refuse'))
        reason, rule = act['exec']['judgement']['reason'], act['exec']['judgement']['rule']
        self.assertEqual(act['exec']['ticket'], ticket)
        self.assertEqual(refused['outcome']['judgement']['rule'], rule)

        # The record goes on meanwhile.
        lines = {form: self.exported(form)[:len(native)] for form in ('cef', 'ocsf', 'ecs')}
        for form, texts in lines.items():
            self.assertEqual(len(texts), len(native), form)
        for line in lines['ocsf']:
            self.assertEqual(ocsf.problems_of(json.loads(line)), [], line)
        for line in lines['ecs']:
            self.assertEqual(ecs.problems_of(json.loads(line)), [], line)

        # The gate has started holdpoint-sinks, as the configuration says: the file gets the same, line for line.
        self.until('the decision in the sink', lambda: len(self.sink.read_text(encoding='ascii').splitlines()) >= len(native))
        self.assertEqual(self.sink.read_text(encoding='ascii').splitlines()[:len(native)], lines['ocsf'])
        rows = self.gate.lines('sinks')
        self.assertEqual([(row['name'], row['format'], row['missing']) for row in rows], [('local', 'ocsf', 0)])
        self.assertGreaterEqual(rows[0]['delivered'], 1)
        self.assertEqual(self.gate.lines('status')[0]['sinks'], {'names': ['local'], 'alive': True, 'restarts': 0})
        self.assertRegex(self.gate.cli('status').stdout, r'sinks +alive: local \d+')
        self.assertIn('64712', self.owner_of('holdpoint-sinks'))

        acts = [json.loads(line) for line in lines['ecs']]
        stopped = next(e for e in acts if e['event']['action'] in ('exec-refused', 'exec-held')
                       and e['holdpoint']['session'] == session)
        self.assertEqual(stopped['event']['reason'], reason)
        self.assertEqual(stopped['rule']['id'], rule)
        self.assertEqual(stopped['holdpoint']['ticket'], ticket)
        self.assertEqual(stopped['holdpoint']['tags']['session'], 'staging')
        self.assertEqual(stopped['holdpoint']['tags']['target'], 'production')
        self.assertTrue(stopped['holdpoint']['tags']['crossing'])
        self.assertEqual(stopped['holdpoint']['resource']['id'], str(file))
        self.assertEqual(stopped['process']['args'][-1], str(file))
        started = next(e for e in native if e['type'] == 'session_started' and e['session'] == session)
        self.assertEqual(stopped['holdpoint']['coding_agent'], started['session_started']['coding_agent'])
        self.assertIn(str(file), next(e for e in native if e['type'] == 'decision')['decision']['summary'])
        decision = next(e for e in acts if e['event']['action'] == 'decision-deny')
        self.assertEqual((decision['user']['name'], decision['event']['reason']), ('dana', 'not today'))

        records = [json.loads(line) for line in lines['ocsf']]
        blocked = next(e for e in records if e['class_uid'] == 1001)
        self.assertEqual((blocked['activity_name'], blocked['file']['path']), ('Delete', str(file)))
        self.assertEqual(blocked['ai_agent']['instance_uid'], session)
        self.assertIn('ai_operation', blocked['metadata']['profiles'])
        self.assertEqual(blocked['status_detail'], reason)
        self.assertEqual(blocked['unmapped']['holdpoint']['tags']['target'], 'production')
        findings = [e for e in records if e['class_uid'] == 2004 and e['finding_info']['uid'] == ticket]
        self.assertEqual([e['activity_name'] for e in findings], ['Create', 'Close'])
        self.assertEqual(findings[0]['finding_info']['analytic']['uid'], rule)
        self.assertEqual(findings[1]['evidences'][0]['user']['name'], 'dana')

        parsed = [cef.parse(line) for line in lines['cef']]
        header, values = next((h, v) for h, v in parsed if h[3] in ('exec-refused', 'exec-held'))
        self.assertIn(header[5], ('8', '10'))
        self.assertEqual(values['cs1'], session)
        self.assertIn('target=production crossing', values['cs3'])
        self.assertEqual((values['reason'], values['cs2'], values['cs5']), (reason, rule, ticket))
        self.assertTrue(any(h[3] == 'decision-deny' and v['suser'] == 'dana' for h, v in parsed))


    def owner_of(self, program):
        """The uids of the gate's child that runs it."""
        for folder in pathlib.Path('/proc').glob('[0-9]*'):
            with contextlib.suppress(OSError):
                status = (folder / 'status').read_text(encoding='utf-8')
                if os.readlink(folder / 'exe').endswith(f'/{program}') and f'PPid:\t{self.gate.process.pid}\n' in status:
                    return re.search(r'^Uid:(.*)$', status, re.MULTILINE).group(1)
        return ''

    def test_a_change_of_the_sinks_takes_effect_and_a_wrong_one_has_its_place(self):
        other = self.world.root / 'hp' / 'other.json'
        self.gate.config.write_text(f'{self.base}\nsinks:\n  - {{name: other, format: json, target: "file:{other}"}}\n')
        self.assertEqual(self.gate.cli('reload').returncode, 0)
        self.until('the other file', lambda: other.exists() and '"config_loaded"' in other.read_text(encoding='ascii'))
        self.gate.config.write_text(f'{self.base}\nsinks:\n  - {{name: other, format: leef, target: unix:/a}}\n')
        done = self.gate.cli('reload')
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r'holdpoint\.yaml:\d+:\d+: sinks\[0\]\.format: wanted one of json, cef, ocsf, ecs')
        self.assertEqual(self.gate.lines('status')[0]['sinks']['names'], ['other'])
        self.gate.config.write_text(self.base)
        self.assertEqual(self.gate.cli('reload').returncode, 0)
        self.until('its end', lambda: not self.gate.lines('status')[0]['sinks']['alive'])
        self.assertEqual(self.owner_of('holdpoint-sinks'), '')


class Receiver:
    """A syslog over TCP, or TLS with `context`: RFC 6587, octet counting. `address` is taken when it is made."""

    def __init__(self, context=None):
        self.context = context
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        self.messages = []
        self.more = threading.Condition()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return  # closed
            with contextlib.suppress(OSError):  # A peer that does not trust this one goes away.
                if self.context:
                    peer = self.context.wrap_socket(peer, server_side=True)
                self.read(peer)

    def read(self, peer):
        stream = peer.makefile('rb')
        while True:
            length = b''
            while not length.endswith(b' '):
                byte = stream.read(1)
                if not byte:
                    return
                length += byte
            message = stream.read(int(length))
            with self.more:
                self.messages.append(message.decode('ascii'))
                self.more.notify_all()

    def wait_for(self, count):
        with self.more:
            if not self.more.wait_for(lambda: len(self.messages) >= count, timeout=case.BOUND):
                raise AssertionError(f'{len(self.messages)} of {count} messages came')
            return list(self.messages)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.socket.close()


def certificates(folder):
    """A server's certificate for 127.0.0.1 by an authority of its own; (authority, certificate, key)."""
    def openssl(*arguments):
        subprocess.run(['openssl', *arguments], check=True, capture_output=True, cwd=folder)
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=ours',
            '-keyout', 'ca.key', '-out', 'ca.pem')
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=siem',
            '-keyout', 'siem.key', '-out', 'siem.csr')
    (folder / 'names').write_text('subjectAltName=IP:127.0.0.1\n', encoding='ascii')
    openssl('x509', '-req', '-in', 'siem.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2',
            '-extfile', 'names', '-out', 'siem.pem')
    return folder / 'ca.pem', folder / 'siem.pem', folder / 'siem.key'


class Sinks(unittest.TestCase):
    """holdpoint-sinks beside a spool."""

    COUNT = 3000

    def setUp(self):
        self.folder = case.GateCase.PLACE / self._testMethodName
        self.folder.mkdir()
        self.state = self.folder / 'state'
        self.write(self.COUNT)

    def write(self, count):
        subprocess.run([BUILD / 'tests' / 'spool_writer', self.state, str(count)], check=True, stdout=subprocess.DEVNULL)

    def stream(self, *arguments):
        process = subprocess.Popen([BUILD / 'bin' / 'holdpoint-sinks', '--state', self.state, *map(str, arguments)],
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=case.BOUND)

    def counters(self, name):
        return json.loads((self.state / 'stream' / 'sinks' / name / 'counters').read_text(encoding='ascii'))

    def test_a_file_has_every_record_once_also_over_a_restart(self):
        file = self.folder / 'events.ocsf'
        for _ in range(2):
            self.assertEqual(self.stream('--sink', f'local=ocsf:file:{file}', '--once').wait(case.BOUND), 0)
            self.write(10)
        self.assertEqual(self.stream('--sink', f'local=ocsf:file:{file}', '--once').wait(case.BOUND), 0)
        records = [json.loads(line) for line in file.read_text(encoding='ascii').splitlines()]
        self.assertEqual(len({r['metadata']['uid'] for r in records}), self.COUNT + 20)
        self.assertEqual(len(records), self.COUNT + 20)
        self.assertEqual(self.counters('local')['delivered'], self.COUNT + 20)
        self.assertEqual(self.counters('local')['missing'], 0)

    def test_one_that_is_away_disturbs_no_other_and_gets_everything_later(self):
        here = Receiver()
        self.addCleanup(here.close)
        nobody = socket.socket()
        self.addCleanup(nobody.close)
        nobody.bind(('127.0.0.1', 0))  # taken, and nobody listens
        port = nobody.getsockname()[1]
        sinks = ('--sink', f'here=cef:tcp://127.0.0.1:{here.port}', '--sink', f'away=json:tcp://127.0.0.1:{port}',
                 '--sink', f'grave=ecs:file:{self.folder / "grave"}', '--set', 'grave.minimum=high')
        process = self.stream(*sinks)
        messages = here.wait_for(self.COUNT)
        for message in messages:
            header, text = re.fullmatch(r'(<\d+>1 \S+ \S+ holdpoint - \S+ - )(.*)', message).groups()
            self.assertTrue(header)
            cef.parse(text)
        self.assertIsNone(process.poll())
        self.end(process)
        self.assertEqual(self.counters('here')['delivered'], self.COUNT)
        self.assertEqual(self.counters('away')['delivered'], 0)
        self.assertGreater(self.counters('away')['failures'], 0)
        self.assertIn('refused', self.counters('away')['last_failure'])
        self.assertEqual((self.folder / 'grave').read_text(encoding='ascii'), '')
        self.assertEqual(self.counters('grave')['below_minimum'], self.COUNT)

        back = Receiver()
        self.addCleanup(back.close)
        self.assertEqual(self.stream('--sink', f'away=json:tcp://127.0.0.1:{back.port}', '--once').wait(case.BOUND), 0)
        sequences = [json.loads(m.split(' - ', 2)[2])['sequence'] for m in back.wait_for(self.COUNT)]
        self.assertEqual(sequences, list(range(1, self.COUNT + 1)))

    def test_tls_is_verified(self):
        authority, certificate, key = certificates(self.folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        receiver = Receiver(context)
        self.addCleanup(receiver.close)
        target = f'siem=cef:tls://127.0.0.1:{receiver.port}'
        stranger = self.stream('--sink', target)
        while 'certificate of 127.0.0.1 is not good' not in (line := stranger.stderr.readline()):
            self.assertTrue(line, 'it ended without a word')
        self.end(stranger)
        self.assertEqual(receiver.messages, [])
        self.assertEqual(self.stream('--sink', target, '--set', f'siem.ca_file={authority}', '--once').wait(case.BOUND), 0)
        receiver.wait_for(self.COUNT)

    def test_what_cannot_be_used_is_said_in_a_sentence(self):
        for arguments, code, wanted in (
                (['--sink', 'siem=leef:stdout'], 2, 'sink siem: wanted a format'),
                (['--sink', 'a=cef:stdout', '--sink', 'a=ecs:stdout'], 2, 'two sinks are called a'),
                (['--sink', 'a=cef:stdout', '--set', 'b.minimum=low'], 2, "no sink is called 'b'"),
                ([], 2, '--sink')):
            done = subprocess.run([BUILD / 'bin' / 'holdpoint-sinks', '--state', self.state, *arguments, '--once'],
                                  capture_output=True, text=True, timeout=case.BOUND, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(wanted, done.stderr)


class Topics(unittest.TestCase):
    """Topics of their own for whoever reads no protobuf, on a real broker."""

    COUNT = 3000

    def setUp(self):
        self.folder = case.GateCase.PLACE / self._testMethodName
        self.folder.mkdir()
        self.state = self.folder / 'state'
        self.broker = kafka.Broker(self.folder / 'broker', port=19095)
        self.addCleanup(self.broker.stop)
        subprocess.run([BUILD / 'tests' / 'spool_writer', self.state, str(self.COUNT)], check=True, stdout=subprocess.DEVNULL)

    def sinks(self, *flags):
        process = subprocess.Popen([BUILD / 'bin' / 'holdpoint-sinks', '--state', self.state, '--brokers', self.broker.address,
                                    '--sink', 'soc=ocsf:kafka:soc.ocsf', '--sink', 'lake=ecs:kafka:lake.ecs', *flags],
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(Sinks.end, process)
        return process

    def read(self, topic):
        """(key, value) in the order of each partition."""
        out = subprocess.run(['kcat', '-C', '-e', '-q', '-b', self.broker.address, '-t', topic, '-f', '%k %s\n'],
                             stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout
        return [(key, json.loads(value)) for key, value in (line.split(' ', 1) for line in out.splitlines())]

    def test_every_event_arrives_in_each_also_when_the_broker_was_away(self):
        for topic in ('soc.ocsf', 'lake.ecs'):
            self.broker.topic(topic, 3)
        self.broker.stop()
        process = self.sinks('--kafka-set', 'reconnect.backoff.max.ms=500')
        line = process.stderr.readline()
        self.assertRegex(line, 'sink (soc|lake) gets its events later: .*broker')
        self.broker.start()
        self.end_when_delivered(process)
        ocsf_events, ecs_events = self.read('soc.ocsf'), self.read('lake.ecs')
        for key, event in ocsf_events:
            self.assertEqual(ocsf.problems_of(event), [], event)
            self.assertTrue(key)
        for _, event in ecs_events:
            self.assertEqual(ecs.problems_of(event), [], event)
        self.assertEqual(len({event['metadata']['uid'] for _, event in ocsf_events}), self.COUNT)
        self.assertEqual(len({event['event']['id'] for _, event in ecs_events}), self.COUNT)
        sequences = {}
        for key, event in ocsf_events:  # at least once, each session in order
            sequences.setdefault(key, []).append(event['metadata']['sequence'])
        for key, seen in sequences.items():
            self.assertEqual(list(dict.fromkeys(seen)), sorted(set(seen)), key)

    def end_when_delivered(self, process):
        for name in ('soc', 'lake'):
            path = self.state / 'stream' / 'sinks' / name / 'counters'
            until(lambda p=path: p.exists()
                  and json.loads(p.read_text(encoding='ascii'))['delivered'] == self.COUNT)
        Sinks.end(process)

    def test_an_identity_that_could_not_be_read_is_read_when_it_can_be(self):
        for topic in ('soc.ocsf', 'lake.ecs'):
            self.broker.topic(topic, 3)
        secret = self.folder / 'secret'
        secret.write_text('a secret', encoding='ascii')
        secret.chmod(0o644)
        flags = ['--kafka-set', f'ssl.key.password.file={secret}', '--sink', f'file=json:file:{self.folder}/all']
        process = self.sinks(*flags)
        folder = self.state / 'stream' / 'sinks'
        counters = {name: folder / name / 'counters' for name in ('soc', 'lake', 'file')}
        until(lambda: counters['file'].exists() and
              json.loads(counters['file'].read_text(encoding='ascii'))['delivered'] == self.COUNT)
        until(lambda: counters['soc'].exists() and json.loads(counters['soc'].read_text(encoding='ascii'))['failures'])
        soc = json.loads(counters['soc'].read_text(encoding='ascii'))
        self.assertEqual(soc['delivered'], 0)
        self.assertIn(str(secret), soc['last_failure'])
        self.assertIsNone(process.poll())
        secret.chmod(0o600)
        self.assertEqual(process.wait(timeout=120), 69)  # Who keeps it starts it again.
        self.assertIn('can be read by now', process.stderr.read())
        process = self.sinks(*flags)
        self.end_when_delivered(process)
        self.assertEqual(len(self.read('lake.ecs')), self.COUNT)

    def test_a_topic_that_is_not_there_is_said_and_the_other_goes_on(self):
        self.broker.topic('soc.ocsf', 3)
        process = self.sinks('--kafka-set', 'allow.auto.create.topics=false', '--sink', f'file=json:file:{self.folder}/all')
        file = self.state / 'stream' / 'sinks' / 'file' / 'counters'
        until(lambda: file.exists() and json.loads(file.read_text(encoding='ascii'))['delivered'] == self.COUNT)
        soc = self.state / 'stream' / 'sinks' / 'soc' / 'counters'
        until(lambda: soc.exists() and json.loads(soc.read_text(encoding='ascii'))['delivered'] == self.COUNT)
        lake = self.state / 'stream' / 'sinks' / 'lake' / 'counters'
        until(lambda: lake.exists() and json.loads(lake.read_text(encoding='ascii'))['failures'] > 0)
        counters = json.loads(lake.read_text(encoding='ascii'))
        self.assertEqual(counters['delivered'], 0)
        self.assertIn('lake.ecs', counters['last_failure'])
        Sinks.end(process)


if __name__ == '__main__':
    unittest.main(verbosity=2)

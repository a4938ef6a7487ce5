"""Root on the host, or whoever may write to the topic, changes the record: the SOC finds each from the topic alone."""

import hashlib
import json
import os
import pathlib
import struct
import subprocess
import unittest

from e2e import isolation, kafka

BUILD = pathlib.Path(os.environ['HP_BUILD_DIR'])
SECONDS = 120
COUNT = 500
FRAME = struct.Struct('<4sIQI')  # docs/record.md: magic, length, sequence, CRC-32C
PLACE = None


def setUpModule():
    global PLACE
    PLACE = isolation.enter()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def frame(sequence, payload, flags=0):
    length = len(payload) | flags
    return FRAME.pack(b'HPR1', length, sequence, crc32c(struct.pack('<IQ', length, sequence) + payload)) + payload


def varint(number):
    out = b''
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def read_varint(data, at):
    number, shift = 0, 0
    while True:
        number |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return number, at


def fields(record):
    """(number, wire type, bytes as they are) of a serialised message that has varints and lengths only."""
    at, found = 0, []
    while at < len(record):
        begin = at
        tag, at = read_varint(record, at)
        if tag & 7 == 0:
            _, at = read_varint(record, at)
        else:
            assert tag & 7 == 2, tag
            size, at = read_varint(record, at)
            at += size
        found.append((tag >> 3, record[begin:at]))
    return found


def with_place(record, sequence, previous):
    """The same record, to come behind the record `previous`."""
    other = {3: varint(3 << 3) + varint(sequence), 4: varint(4 << 3 | 2) + varint(32) + hashlib.sha256(previous).digest()}
    return b''.join(other.get(number, data) for number, data in fields(record))


class Attacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = kafka.Broker(PLACE / 'broker', port=19096)
        cls.addClassCleanup(cls.broker.stop)

    def setUp(self):
        self.state = PLACE / self._testMethodName
        self.topic = self._testMethodName
        self.broker.topic(self.topic, 3)
        done = subprocess.run([BUILD / 'tests' / 'spool_writer', self.state, str(COUNT)], check=True, stdout=subprocess.PIPE,
                              text=True)
        self.run_id = done.stdout.strip()
        self.segment, = (self.state / 'spool' / self.run_id).glob('*.seg')
        self.records, self.flags = {}, {}
        data, at = self.segment.read_bytes(), 0
        while data[at:at + 4] == b'HPR1':
            _, length, sequence, crc = FRAME.unpack_from(data, at)
            self.flags[sequence] = length & 1 << 31
            payload = data[at + FRAME.size:at + FRAME.size + (length & ~(1 << 31))]
            self.assertEqual(frame(sequence, payload, self.flags[sequence]), data[at:at + FRAME.size + len(payload)], 'the format')
            self.records[sequence] = payload
            at += FRAME.size + len(payload)
        self.assertEqual(list(self.records), list(range(1, COUNT + 1)))

    def rewrite_spool(self):
        self.segment.write_bytes(b''.join(frame(number, self.records[number], self.flags[number]) for number in self.records))

    def deliver(self):
        subprocess.run([BUILD / 'bin' / 'holdpoint-stream', '--state', self.state, '--brokers', self.broker.address, '--topic',
                        self.topic, '--heartbeats-topic', 'off', '--decisions-topic', 'off', '--once'], check=True, timeout=SECONDS)

    def put(self, record, like):
        """A message of somebody who may write to the topic, where the host's record `like` is."""
        marks = subprocess.run(['kcat', '-C', '-e', '-q', '-b', self.broker.address, '-t', self.topic, '-f', '%p %k %h\n'],
                               stdout=subprocess.PIPE, text=True, timeout=SECONDS, check=True).stdout.splitlines()
        mark = next(m for m in marks if f'ce_id={self.run_id}/{like},' in f'{m},'.replace(' ', ','))
        partition, key, _ = mark.split(' ', 2)
        message = PLACE / f'{self.topic}.message'
        message.write_bytes(record)
        subprocess.run(['kcat', '-P', '-b', self.broker.address, '-t', self.topic, '-p', partition, '-k', key, message],
                       check=True, timeout=SECONDS)

    def verify(self):
        """Exit status, and findings as (kind, run, first, last): nothing of the host is there but its public key."""
        public = PLACE / f'{self.topic}.pub'
        key = self.state / 'heartbeat.pub'
        flags = []
        if key.exists():
            public.write_bytes(key.read_bytes())
            flags = ['--key', public]
        done = subprocess.run([BUILD / 'bin' / 'holdpoint', '--json', 'verify', '--brokers', self.broker.address, '--topic',
                               self.topic, *flags], stdout=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.texts = ' '.join(r['text'] for r in rows if 'finding' in r)
        return done.returncode, [(r['finding'], r['run_id'], r['first_sequence'], r['last_sequence']) for r in rows if 'finding' in r]

    def assert_found(self, *wanted):
        code, findings = self.verify()
        self.assertEqual((code, findings), (1, [(kind, self.run_id, first, last) for kind, first, last in wanted]))

    def test_an_honest_host_has_no_finding(self):
        self.rewrite_spool()  # The tools of these tests change nothing by themselves.
        self.deliver()
        self.assertEqual(self.verify(), (0, []))

    def test_an_edited_entry_of_the_spool(self):
        self.records[100] = self.records[100].replace(b'xxxx', b'xxyx', 1)
        self.rewrite_spool()
        self.deliver()
        self.assert_found(('changed', 101, 101))  # the one that knows the hash of the edited one
        self.assertRegex(self.texts, r'\b100\b')

    def test_a_removed_range_of_the_spool(self):
        for number in range(200, 220):
            del self.records[number]
        self.rewrite_spool()
        self.deliver()
        self.assert_found(('missing', 200, 219))

    def test_a_replayed_record(self):
        self.deliver()
        self.put(self.records[99], like=99)
        self.assert_found(('repeated', 99, 99))

    def test_a_record_that_comes_again_with_other_bytes(self):
        self.deliver()
        self.put(self.records[99].replace(b'xxxx', b'xxyx', 1), like=99)
        self.assert_found(('changed', 99, 99))

    def test_a_forged_record_behind_the_end(self):
        self.deliver()
        self.put(with_place(self.records[499], COUNT + 1, self.records[COUNT]), like=499)
        self.assert_found(('forged', COUNT + 1, COUNT + 1))


if __name__ == '__main__':
    unittest.main(verbosity=2)

"""How owners prove to be there: password, codes, keys; what each proves, and what is refused."""

import base64
import hashlib
import hmac
import json
import os
import re
import struct
import subprocess
import time
import unittest
import urllib.parse

from e2e import case, people

DANA, LEE = case.DANA, case.LEE
KIM = people.Person('kim', 61012, 'what kim knows')  # no owner
STRANGER = 61999


def setUpModule():
    case.enter()


class Codes:
    """An authenticator program: gives each code once, beginning with the one before the present one."""

    def __init__(self, uri):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(uri).query)
        secret = query['secret'][0]
        self.key = base64.b32decode(secret + '=' * (-len(secret) % 8))
        self.hash = {'SHA1': hashlib.sha1, 'SHA256': hashlib.sha256}[query['algorithm'][0]]
        self.digits = int(query['digits'][0])
        self.used = 0

    def next(self):
        self.used = max(self.used + 1, int(time.time()) // 30 - 1)
        return self.at(self.used)

    def at(self, step):
        mac = hmac.new(self.key, struct.pack('>Q', step), self.hash).digest()
        at = mac[-1] & 15
        return str((struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 10**self.digits).zfill(self.digits)

    def wrong(self):
        """A code of none of the steps that count."""
        now = int(time.time()) // 30
        near = {self.at(step) for step in range(now - 3, now + 4)}
        return next(code for code in (str(n).zfill(self.digits) for n in range(100)) if code not in near)


class PresenceTest(case.GateCase):
    HOLD_MS = 1  # refused, with a ticket that can be answered

    def config(self):
        return super().config().replace('approval: [dana]', 'approval: [dana, lee]')

    def setUp(self):
        super().setUp()
        self.laptop = self.world.root / 'laptop'  # somewhere else
        self.laptop.mkdir(mode=0o700)

    def removes(self, name):
        """Whether a staging session may remove a precious file."""
        code, out, err = self.finish(self.session(f'rm {self.precious}/{name}; echo rc=$?'))
        self.assertIn(out, ('rc=0\n', 'rc=126\n'), err)
        return out == 'rc=0\n'

    def waits(self, name='a'):
        """A session that was refused this file, and goes on to try once more; with the ticket."""
        before = {row['ticket'] for row in self.gate.lines('holds')}
        session = self.waiting(f'rm {self.precious}/{name}; echo rc=$?; read x < {self.fifo(name)}; rm {self.precious}/{name}; echo rc=$?')
        session.proceed()
        self.assertEqual(session.process.stdout.readline(), 'rc=126\n')
        new = [row['ticket'] for row in self.gate.lines('holds') if row['ticket'] not in before]
        self.assertEqual(len(new), 1)
        return session, new[0]

    def fifo(self, name):
        path = self.world.root / f'again-{name}'
        os.mkfifo(path)
        os.chown(path, self.world.uid, self.world.uid)
        return path

    def again(self, session, name='a'):
        """Whether it passes, the second time."""
        with open(self.world.root / f'again-{name}', 'w', encoding='ascii') as wake:
            wake.write('go\n')
        return session.process.stdout.readline() == 'rc=0\n'

    def approve(self, ticket, *flags, person=DANA, password=None):
        return self.gate.cli('approve', ticket, '--once', '--reason', 'the test says so', '--as', person.name, *flags,
                             password=password)

    def refused(self, done, sentence, code=77):
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(sentence, done.stderr)

    def doctor(self):
        return {row['check']: row for row in map(json.loads, self.gate.cli('--json', 'doctor').stdout.splitlines())}

    def decisions(self, ticket):
        return [e['decision'] for e in self.gate.events() if e['type'] == 'decision' and e['decision'].get('ticket') == ticket]

    def enrol(self, person, *flags, wrong_first=False):
        """Enrols over the command line, with the password, and gives the authenticator."""
        password, confirm = os.pipe(), os.pipe()
        os.write(password[1], person.password.encode())
        os.close(password[1])
        argv = [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'presence', 'enroll-totp', '--as', person.name,
                '--password-fd', str(password[0]), '--confirm-fd', str(confirm[0]), *flags]
        with subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, pass_fds=(password[0], confirm[0])) as process:
            os.close(password[0])
            os.close(confirm[0])
            uri = process.stdout.readline()
            codes = Codes(uri.strip()) if uri else None
            if uri:
                os.write(confirm[1], (codes.wrong() if wrong_first else codes.next()).encode())
            os.close(confirm[1])
            out, err = process.communicate(timeout=case.BOUND)
        return codes, process.returncode, out + err

    def key(self, name):
        path = self.laptop / name
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path], check=True)
        return path

    def knows(self, person, *lines):
        """Root writes down the public keys of an owner."""
        folder = self.gate.config.parent / 'presence.d'
        folder.mkdir(exist_ok=True, mode=0o755)
        (folder / f'{person.name}.keys').write_text('\n'.join(lines) + '\n', encoding='ascii')
        self.assertEqual(self.gate.cli('reload').returncode, 0)

    def challenge(self, ticket, *flags, person=DANA):
        done = self.gate.cli('challenge', ticket, '--as', person.name, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def sign(self, text, key, namespace='holdpoint'):
        done = subprocess.run(['ssh-keygen', '-q', '-Y', 'sign', '-n', namespace, '-f', key], input=text, text=True, check=True,
                              capture_output=True)
        path = self.laptop / f'{len(list(self.laptop.iterdir()))}.sig'
        path.write_text(done.stdout, encoding='ascii')
        return path


class Passwords(PresenceTest):
    def test_a_password_approves_once(self):
        session, ticket = self.waits()
        self.refused(self.approve(ticket, password='not it'), 'the password of dana was not accepted')
        self.refused(self.approve(ticket, password='123456'), 'the password of dana was not accepted')
        self.refused(self.approve(ticket, '--code', '123456'), 'no codes are known for dana', code=69)
        self.assertEqual(self.approve(ticket, password=DANA.password).returncode, 0)
        self.assertTrue(self.again(session))
        self.assertFalse(self.removes('b'))
        self.assertEqual([d.get('presence', '') for d in self.decisions(ticket)], ['', '', '', 'pam'])


class Authenticators(PresenceTest):
    def test_each_code_approves_once_also_over_a_restart(self):
        codes, exit_code, said = self.enrol(DANA)
        self.assertEqual(exit_code, 0, said)
        session, ticket = self.waits()
        _, other = self.waits('b')
        self.refused(self.approve(ticket, '--code', codes.wrong()), 'the code of dana was not accepted')
        code = codes.next()
        done = self.approve(ticket, '--code', code)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.again(session))
        self.refused(self.approve(other, '--code', code), 'has been used already')
        self.assertEqual(self.decisions(ticket)[-1]['presence'], 'totp')
        self.assertFalse(self.decisions(other)[-1].get('accepted', False))

        self.gate.stop()
        self.gate.start()
        session, ticket = self.waits('c')
        self.refused(self.approve(ticket, '--code', code), 'has been used already')
        done = self.approve(ticket, password=codes.next())  # where the password is asked for
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.again(session, 'c'))
        self.assertEqual(self.decisions(ticket)[-1]['presence'], 'totp')

    def test_a_code_counts_for_its_owner_alone_and_guesses_are_slowed_down(self):
        danas, exit_code, said = self.enrol(DANA, '--hash', 'sha256', '--digits', '8')
        self.assertEqual(exit_code, 0, said)
        lees, exit_code, said = self.enrol(LEE)
        self.assertEqual(exit_code, 0, said)
        session, ticket = self.waits()
        self.refused(self.approve(ticket, '--code', lees.next()), 'the code of dana was not accepted')
        # Somebody has guessed for a while: the next wrong one closes it for minutes.
        state = self.gate.state / 'presence' / 'dana.totp'
        state.write_text(state.read_text().replace('failures 1', 'failures 10'))
        self.refused(self.approve(ticket, '--code', danas.wrong()), 'the code of dana was not accepted')
        for code in (danas.wrong(), danas.next()):
            self.refused(self.approve(ticket, '--code', code), 'too many codes were wrong: a code of dana is looked at again in')
        self.assertEqual(len([d for d in self.decisions(ticket) if 'code' in d['refused_because']]), 4, 'each is recorded')
        done = self.approve(ticket, '--code', lees.next(), person=LEE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.again(session))

    def test_a_secret_takes_presence_and_its_first_code(self):
        codes, exit_code, said = self.enrol(people.Person('dana', 0, 'not it'))
        self.assertEqual((codes, exit_code), (None, 77), said)
        codes, exit_code, said = self.enrol(DANA, wrong_first=True)
        self.assertEqual(exit_code, 77, said)
        _, ticket = self.waits()
        self.refused(self.approve(ticket, '--code', codes.next()), 'no codes are known for dana', code=69)
        codes, exit_code, said = self.enrol(people.Person('kim', 0, KIM.password))
        self.assertEqual((codes, exit_code), (None, 69), said)
        code, out, err = self.finish(self.session(f'holdpoint --run {self.gate.run} presence enroll-totp --as dana '
                                                  '--password-fd 3 3</dev/null; echo rc=$?'))
        self.assertEqual(out, 'rc=77\n', err)
        self.assertNotIn('otpauth', self.gate.read_log() + str(self.gate.events()))

        codes, exit_code, said = self.enrol(DANA)
        self.assertEqual(exit_code, 0, said)
        rows = {row['owner']: row['methods'] for row in self.gate.lines('presence')}
        self.assertEqual(rows, {'dana': 'pam,totp', 'lee': 'pam'})
        done = self.gate.cli('presence', 'remove-totp', '--as', 'dana', password=DANA.password)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.refused(self.approve(ticket, '--code', codes.next()), 'no codes are known for dana', code=69)
        for path in (self.gate.state / 'presence').iterdir():
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)


class Keys(PresenceTest):
    def test_a_signature_from_elsewhere_approves_once_whoever_brings_it(self):
        key = self.key('dana')
        self.knows(DANA, key.with_suffix('.pub').read_text())
        session, ticket = self.waits()
        text = self.challenge(ticket)
        self.assertRegex(text, f'^holdpoint-decision-1 decision=approve ticket={ticket} scope=once owner=dana [ -~]+\n$')
        signature = self.sign(text, key)
        # The stranger has no right to anything here; the laptop's folder is open for this one file.
        self.laptop.chmod(0o711)
        signature.chmod(0o644)
        argv = [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'approve', ticket, '--once', '--reason', 'dana said so', '--as', 'dana']
        by = {'user': STRANGER, 'group': STRANGER, 'extra_groups': [], 'capture_output': True, 'text': True, 'check': False}
        with open('/dev/null', encoding='ascii') as null:
            done = subprocess.run([*argv, '--password-fd', '0'], stdin=null, **by)
            self.refused(done, 'cannot decide as dana')
            done = subprocess.run([*argv, '--signature', signature], stdin=null, **by)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.refused(self.approve(ticket, '--signature', signature), "is approved by dana and can't be approved", code=69)
        self.assertTrue(self.again(session))
        self.refused(self.approve(ticket, '--signature', signature), "can't be approved", code=69)
        decision = next(d for d in self.decisions(ticket) if d.get('accepted'))
        self.assertEqual((decision['presence'], decision['by'], decision['peer_uid']), ('key', 'dana', STRANGER))
        self.assertEqual(decision['challenge'] + '\n', text)
        print_ = subprocess.run(['ssh-keygen', '-l', '-f', key], check=True, capture_output=True, text=True).stdout.split()[1]
        self.assertEqual(decision['presence_key'], print_)
        self.assertIn('ssh-sha512.', decision['signature'])

    def test_openssl_signs_as_well(self):
        private, text, signature = (self.laptop / name for name in ('key.pem', 'text', 'text.sig'))
        subprocess.run(['openssl', 'genpkey', '-algorithm', 'ed25519', '-out', private], check=True)
        public = subprocess.run(['openssl', 'pkey', '-in', private, '-pubout'], check=True, capture_output=True, text=True).stdout
        self.knows(DANA, 'ed25519 ' + public.splitlines()[1])
        session, ticket = self.waits()
        text.write_text(self.challenge(ticket))
        subprocess.run(['openssl', 'pkeyutl', '-sign', '-rawin', '-inkey', private, '-in', text, '-out', signature], check=True)
        done = self.approve(ticket, '--signature', signature)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.again(session))

    def passes(self, session, name='a'):
        """The file is there again, and the session tries once more."""
        self.file(name)
        return self.again(session, name)

    def waits_thrice(self):
        """A session that was refused, and tries three times more."""
        fifo, again = self.fifo('a'), f'read x < {self.world.root}/again-a; rm {self.precious}/a; echo rc=$?; '
        session = self.waiting(f'rm {self.precious}/a; echo rc=$?; {again * 3}')
        session.proceed()
        self.assertEqual(session.process.stdout.readline(), 'rc=126\n', fifo)
        return session, self.gate.lines('holds')[-1]['ticket']

    def decide(self, ticket, signature, *scope):
        return self.gate.cli('approve', ticket, *scope, '--reason', 'signed', '--as', 'dana', '--signature', signature)

    def test_a_signature_for_one_scope_is_none_for_another(self):
        key = self.key('dana')
        self.knows(DANA, key.with_suffix('.pub').read_text())
        session, ticket = self.waits_thrice()
        not_this = 'no key of dana has signed this challenge'
        once, wide = self.challenge(ticket, '--once'), self.challenge(ticket, '--session')
        self.assertIn(' scope=session ', wide)
        until = self.gate.cli('challenge', ticket, '--as', 'dana', '--until', '2h')
        date = re.search(' scope=until:([^ ]+) ', until.stdout)[1]
        self.assertIn(f'approve {ticket} --until {date} --as dana', until.stderr)
        signed = {name: self.sign(text, key) for name, text in (('once', once), ('session', wide), ('until', until.stdout))}
        scopes = {'once': ['--once'], 'session': ['--session'], 'until': ['--until', date]}
        for name, scope in scopes.items():
            for other, signature in signed.items():
                if other != name:
                    self.refused(self.decide(ticket, signature, *scope), not_this)
        later = date.replace(date[:4], str(int(date[:4]) + 1))
        self.refused(self.decide(ticket, signed['until'], '--until', later), 'within 90 days', code=2)
        self.refused(self.decide(ticket, signed['until'], '--until', '2h'), 'the date that was signed', code=2)
        self.refused(self.decide(ticket, signed['until'], '--until', date[:-3] + '59Z'), not_this)
        self.assertFalse(self.again(session), 'nothing of that let it pass')

        done = self.decide(ticket, signed['session'], '--session')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.passes(session) and self.passes(session), 'each time, in this session')
        decision = next(d for d in self.decisions(ticket) if d.get('accepted'))
        self.assertEqual((decision['presence'], decision['scope'], decision['challenge'] + '\n'), ('key', 'session', wide))

    def test_a_signature_until_a_date_approves_until_then(self):
        key = self.key('dana')
        self.knows(DANA, key.with_suffix('.pub').read_text())
        session, ticket = self.waits()
        self.refused(self.gate.cli('challenge', ticket, '--as', 'dana', '--until', '100d'), 'within 90 days', code=2)
        self.assertEqual(self.gate.cli('challenge', ticket, '--as', 'dana', '--deny', '--session').returncode, 2)
        text = self.challenge(ticket, '--until', '2h')
        date = re.search(' scope=until:([^ ]+) ', text)[1]
        done = self.decide(ticket, self.sign(text, key), '--until', date)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.again(session))
        self.assertEqual([row['scope'] for row in self.gate.lines('approvals')], ['until'])
        self.refused(self.gate.cli('challenge', ticket, '--as', 'dana', '--session'), "can't be approved", code=69)

    def test_a_denial_is_signed_as_well(self):
        key = self.key('dana')
        self.knows(DANA, key.with_suffix('.pub').read_text())
        session, ticket = self.waits()
        signature = self.sign(self.challenge(ticket, '--deny'), key)
        self.refused(self.approve(ticket, '--signature', signature), 'no key of dana has signed this challenge')
        done = self.gate.cli('deny', ticket, '--as', 'dana', '--signature', signature)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([row['state'] for row in self.gate.lines('holds') if row['ticket'] == ticket], ['denied'])
        self.assertFalse(self.again(session))

    def test_a_signature_of_anything_else_is_refused(self):
        danas, lees, others = self.key('dana'), self.key('lee'), self.key('other')
        self.knows(DANA, danas.with_suffix('.pub').read_text())
        self.knows(LEE, lees.with_suffix('.pub').read_text())
        session, ticket = self.waits()
        _, second = self.waits('b')
        text = self.challenge(ticket)
        not_this = 'no key of dana has signed this challenge'

        def bring(signed, key=danas, **options):
            return self.approve(ticket, '--signature', self.sign(signed, key), **options)

        self.refused(bring(self.challenge(second)), not_this)
        self.refused(bring(self.challenge(ticket, '--deny')), not_this)
        self.refused(bring(re.sub('host=[0-9a-f]+', 'host=' + '0' * 64, text)), not_this)
        self.refused(bring(re.sub('boot=[0-9a-f-]+', 'boot=00000000-0000-0000-0000-000000000000', text)), not_this)
        self.refused(bring(re.sub('nonce=[0-9a-f]+', 'nonce=' + '0' * 32, text)), not_this)
        self.refused(bring(re.sub('expires=20', 'expires=21', text)), not_this)
        self.refused(bring(self.challenge(ticket, person=LEE)), not_this)
        self.refused(bring(text, key=others), "a key that is none of dana's")
        self.refused(bring(text, key=lees), "a key that is none of dana's")
        self.refused(bring(text, person=LEE), "a key that is none of lee's")
        self.refused(bring(text, person=KIM), 'kim is no owner')
        files = self.sign(text, danas, namespace='file')
        self.refused(self.approve(ticket, '--signature', files), "is one for 'file' and not for Holdpoint", code=2)
        files.write_text('no signature at all')
        self.refused(self.approve(ticket, '--signature', files), 'this is no SSH signature', code=2)
        self.assertFalse(self.again(session), 'nothing of that let it pass')
        self.assertFalse([d for d in self.decisions(ticket) if d.get('accepted')])

        signature = self.sign(text, danas)
        self.gate.stop()
        self.gate.start()
        self.refused(self.approve(ticket, '--signature', signature), 'no such ticket', code=69)
        (self.gate.config.parent / 'presence.d' / 'dana.keys').chmod(0o666)
        _, ticket = self.waits('c')
        self.refused(bring(self.challenge(ticket)), 'others than root could have written it', code=69)

    def test_nothing_proves_presence_from_inside_a_session(self):
        key = self.key('dana')
        self.knows(DANA, key.with_suffix('.pub').read_text())
        codes, exit_code, said = self.enrol(DANA)
        self.assertEqual(exit_code, 0, said)
        _, ticket = self.waits()
        signature = self.world.workspace / 'stolen.sig'
        signature.write_text(self.sign(self.challenge(ticket), key).read_text())
        signature.chmod(0o644)
        approve = f'holdpoint --run {self.gate.run} approve {ticket} --once --reason x --as dana'
        shell = (f'{approve} --signature {signature}; echo rc=$?; {approve} --code {codes.next()}; echo rc=$?; '
                 f'echo "{DANA.password}" > password; {approve} --password-fd 3 3<password; echo rc=$?')
        for uid in (self.world.uid, 0):
            _, out, err = self.finish(self.session(shell, uid=uid))
            self.assertEqual(out, 'rc=77\n' * 3, err)
            self.assertEqual(err.count('cannot come from inside'), 3, err)
        done = self.approve(ticket, '--signature', signature)
        self.assertEqual(done.returncode, 0, 'the same counts from outside: ' + done.stderr)


class Methods(PresenceTest):
    """Who can prove what is looked up, and who can prove nothing cannot decide."""

    def setUp(self):
        super().setUp()
        shadow = self.world.etc / 'shadow'
        self.world.write_etc('shadow', shadow.read_text().replace('dana:', 'dana:!').rstrip(), mode=0o600)  # her password is locked
        self.assertEqual(self.gate.cli('reload').returncode, 0)

    def test_an_owner_who_can_prove_nothing_cannot_decide_until_there_is_a_key(self):
        rows = self.doctor()
        self.assertEqual(rows['presence of dana']['level'], 'warning')
        self.assertIn('cannot decide', rows['presence of dana']['detail'])
        self.assertEqual(rows['presence of lee']['detail'], 'can prove to be there by pam')
        session, ticket = self.waits()
        self.refused(self.approve(ticket, password=DANA.password), 'dana is no owner of this environment')

        key = self.key('dana')
        self.knows(DANA, key.with_suffix('.pub').read_text())
        self.assertEqual(self.doctor()['presence of dana']['detail'], 'can prove to be there by key')
        done = self.approve(ticket, '--signature', self.sign(self.challenge(ticket), key))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.again(session))


class Service(PresenceTest):
    """Which PAM service a password is checked with: what root wrote beside the keys, and nothing else."""

    def names(self, text, mode=0o644):
        path = self.gate.config.parent / 'presence.d' / 'service'
        path.parent.mkdir(exist_ok=True, mode=0o755)
        path.write_text(text, encoding='ascii')
        path.chmod(mode)

    def test_only_roots_file_chooses_it(self):
        self.world.write_etc('pam.d/nobody-passes', 'auth required pam_deny.so\naccount required pam_unix.so')
        self.world.write_etc('pam.d/everybody-passes', 'auth required pam_permit.so\naccount required pam_permit.so')
        session, ticket = self.waits()
        self.names('nobody-passes\n')
        self.refused(self.approve(ticket, password=DANA.password), 'the password of dana was not accepted')
        self.names('everybody-passes\n', mode=0o666)
        self.refused(self.approve(ticket, password='anything'), 'others than root could have written it', code=69)
        self.names('../pam.d/everybody-passes\n')
        self.refused(self.approve(ticket, password='anything'), 'the name of a PAM service', code=69)
        self.assertFalse([d for d in self.decisions(ticket) if d.get('accepted')])
        self.names('holdpoint\n')
        self.assertEqual(self.approve(ticket, password=DANA.password).returncode, 0)
        self.assertTrue(self.again(session))

    def test_the_configuration_that_the_judge_reads_cannot_choose_it(self):
        self.world.write_etc('pam.d/everybody-passes', 'auth required pam_permit.so\naccount required pam_permit.so')
        self.gate.config.write_text(self.config() + '\npresence: {service: everybody-passes}\n')
        done = self.gate.cli('reload')
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('presence.d/service', done.stderr)
        _, ticket = self.waits()
        self.refused(self.approve(ticket, password='anything'), 'the password of dana was not accepted')


class Passwordless(PresenceTest):
    """What doctor says of users whose sessions become root without anybody being there; asked of the real sudo."""

    def sudoers(self, *rules):
        self.world.write_etc('sudoers', '\n'.join(['Defaults !fqdn, !lecture', 'root ALL=(ALL:ALL) ALL', *rules]), mode=0o440)

    def sudo_of_dana(self):
        row = self.doctor()['sudo of dana']
        return row['level'], row['detail']

    def sudo(self, *arguments, **options):
        return subprocess.run(['sudo', *arguments], user=DANA.uid, group=DANA.uid, extra_groups=[], capture_output=True,
                              text=True, check=False, cwd='/', **options)

    def test_rules_and_time_stamps_of_sudo_are_reported_for_users_of_sessions(self):
        stamps = self.world.root / 'stamps'
        stamps.mkdir(mode=0o711)
        os.makedirs('/run/sudo', exist_ok=True)
        self.world.bind(stamps, '/run/sudo')
        self.world.write_etc('pam.d/sudo', (self.world.etc / 'pam.d' / 'holdpoint').read_text())
        self.sudoers('dana ALL=(ALL:ALL) ALL')
        self.assertNotIn('sudo of dana', self.doctor())
        self.waiting('true', uid=DANA.uid)
        self.assertEqual(self.sudo_of_dana(), ('ok', 'asks for the password'))

        self.assertNotEqual(self.sudo('-n', '-v').returncode, 0)
        done = self.sudo('-S', '-v', input=DANA.password + '\n')
        self.assertEqual(done.returncode, 0, done.stderr)
        level, detail = self.sudo_of_dana()
        self.assertEqual(level, 'warning')
        self.assertIn('a time stamp', detail)
        self.sudoers('Defaults timestamp_timeout=0', 'dana ALL=(ALL:ALL) ALL')
        self.assertEqual(self.sudo_of_dana(), ('ok', 'asks for the password'))
        self.sudoers('dana ALL=(ALL:ALL) ALL')
        self.assertEqual(self.sudo('-k').returncode, 0)
        self.assertEqual(self.sudo_of_dana(), ('ok', 'asks for the password'))

        self.sudoers('dana ALL=(root) NOPASSWD: /usr/bin/apt')
        level, detail = self.sudo_of_dana()
        self.assertEqual(level, 'warning')
        self.assertIn('NOPASSWD: /usr/bin/apt', detail)
        self.world.write_etc('group', (self.world.etc / 'group').read_text() + 'docker:x:61500:dana')
        self.assertIn('docker: dana', self.doctor()['groups']['detail'])


if __name__ == '__main__':
    unittest.main(verbosity=2)

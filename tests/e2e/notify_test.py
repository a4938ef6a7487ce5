"""Whoever may decide hears at once: terminals, webhook, desktop, and a decision in `holdpoint watch`."""

import contextlib
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import select
import signal
import ssl
import subprocess
import sys
import termios
import threading
import unittest

from e2e import case, cloud, isolation, terminals

DANA, LEE = case.DANA, case.LEE


def setUpModule():
    case.enter()
    isolation.mount('none', '/run', 'tmpfs')  # utmp and logind's sessions are the test's own
    os.chmod('/run', 0o755)


class NotifyCase(case.GateCase):
    NOTIFY = 'notify: {wall: owners}\n'

    def config(self):
        return self.patient(super().config()) + self.NOTIFY

    @staticmethod
    def patient(config):
        """With a judge that may take its time: what is asked here is held, on a busy machine too."""
        return config.replace('limits:\n', 'limits:\n  consult_ms: 10000\n')

    def setUp(self):
        for leftover in ('/run/utmp', '/run/systemd/sessions/41'):
            pathlib.Path(leftover).unlink(missing_ok=True)
        super().setUp()

    def log_in(self, *people, messages=True):
        """A terminal for each, all of them in utmp."""
        opened = [terminals.Terminal(person, messages) for person in people]
        for terminal in opened:
            self.addCleanup(terminal.close)
        terminals.write_utmp([(person.name, terminal.line) for person, terminal in zip(people, opened)])
        return opened

    def hold(self, name='a'):
        """A session whose rm is held; the session and its ticket."""
        session = self.session(f'rm {self.precious}/{name}')
        ticket = self.gate.await_hold(wanted=lambda row: name == row['summary'][-1:])['ticket']
        return session, ticket

    def deny(self, ticket):
        done = self.gate.decide('deny', ticket, DANA)
        self.assertEqual(done.returncode, 0, done.stderr)

    def notices(self):
        return self.gate.lines('status')[0]['notices']

    def until_notices(self, what, seen):
        return self.until(what, lambda: seen(self.notices()))

    def notifier(self):
        return self.until('the notifier', lambda: case.children(self.gate.process.pid).get('holdpoint-notif', [None])[0])


class Wall(NotifyCase):
    def test_owner_hears_of_the_hold_and_of_its_end_and_nobody_else_does(self):
        owner, other = self.log_in(DANA, LEE)
        session, ticket = self.hold()
        at = owner.wait_for(f'holdpoint: {ticket} is HELD, ')
        at = owner.wait_for(f'rm {self.precious}/a\r', at)
        at = owner.wait_for('look and decide: holdpoint --instance e2e watch\r', at)
        self.deny(ticket)
        owner.wait_for(f'{ticket} denied by dana', at)
        self.assertEqual(self.finish(session)[0], 126)
        self.assertEqual(other.read(), b'')
        self.assertEqual(self.until_notices('two notices', lambda n: n if n['told'] == 2 else None)['terminals'], 2)

    def test_what_a_session_wrote_reaches_no_terminal_raw(self):
        owner, = self.log_in(DANA)
        (self.precious / '\x1b[2Jx').write_text('data', encoding='ascii')
        session = self.session(f"rm '{self.precious}/\x1b[2Jx'")
        ticket = self.gate.await_hold()['ticket']
        owner.wait_for(f'{ticket} is HELD')
        owner.wait_for('look and decide: ')
        self.assertNotIn(b'\x1b', owner.shown)
        self.assertIn(rb'precious/\x1b[2Jx', owner.shown)
        self.assertNotIn(rb'\\x1b', owner.shown)
        self.deny(ticket)
        self.finish(session)

    def test_a_terminal_closed_to_messages_is_left_alone(self):
        owner, = self.log_in(DANA, messages=False)
        session, ticket = self.hold()
        counted = self.until_notices('a failure', lambda n: n if n['told'] == 1 else None)
        self.assertEqual((counted['terminals'], counted['terminals_failed']), (0, 1))
        self.assertEqual(owner.read(), b'')
        self.deny(ticket)
        self.finish(session)

    def test_logind_knows_terminals_that_utmp_does_not(self):
        owner = terminals.Terminal(DANA)
        self.addCleanup(owner.close)
        sessions = pathlib.Path('/run/systemd/sessions')
        sessions.mkdir(parents=True, exist_ok=True)
        (sessions / '41').write_text(f'UID={DANA.uid}\nUSER=dana\nACTIVE=1\nSTATE=active\nTTY={owner.line}\n', encoding='ascii')
        session, ticket = self.hold()
        owner.wait_for(f'{ticket} is HELD')
        self.deny(ticket)
        self.finish(session)

    def test_a_refusal_is_told_with_the_time_it_stays_open(self):
        owner, = self.log_in(DANA)
        self.gate.config.write_text(self.config().replace(f'hold_ms: {self.HOLD_MS}', 'hold_ms: 0'), encoding='utf-8')
        self.assertEqual(self.gate.cli('reload').returncode, 0)
        self.assertEqual(self.finish(self.session(f'rm {self.precious}/b'))[0], 126)
        owner.wait_for('was REFUSED, open until ')

    def test_the_notifier_has_no_right_but_the_group_of_terminals(self):
        pid = self.notifier()
        status = self.until('a notifier without rights',
                            lambda: s if 'Uid:\t64713\t64713' in (s := pathlib.Path(f'/proc/{pid}/status').read_text(
                                encoding='ascii')) else None)
        fields = dict(line.split(':', 1) for line in status.splitlines())
        self.assertEqual(fields['Groups'].split(), ['5'])
        self.assertEqual(fields['NoNewPrivs'].strip(), '1')
        for name in ('CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'CapInh'):
            self.assertEqual(int(fields[name], 16), 0, name)


class WallToAll(NotifyCase):
    NOTIFY = 'notify: {wall: all}\n'

    def test_everybody_who_is_logged_in_hears(self):
        owner, other = self.log_in(DANA, LEE)
        session, ticket = self.hold()
        owner.wait_for(f'{ticket} is HELD')
        other.wait_for(f'{ticket} is HELD')
        self.deny(ticket)
        self.finish(session)


class Hook(http.server.ThreadingHTTPServer):
    """Takes posts. `answers` are statuses, or what is called with the request; the last one stays."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answers=(204,), port=0, context=None):
        super().__init__(('127.0.0.1', port), Hook.Handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.answers, self.posts, self.changed = list(answers), [], threading.Condition()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers['Content-Length']))
            with self.server.changed:
                answer = self.server.answers[min(len(self.server.posts), len(self.server.answers) - 1)]
                self.server.posts.append((dict(self.headers), body))
                self.server.changed.notify_all()
            if callable(answer):
                return answer(self)
            self.send_response(answer)
            self.send_header('Content-Length', '0')
            self.end_headers()

        def log_message(self, *_):
            pass

    def await_posts(self, wanted):
        """Waits until `wanted(posts)`; gives the posts."""
        with self.changed:
            if not self.changed.wait_for(lambda: wanted(self.posts), case.BOUND):
                raise AssertionError(f'posts: {self.posts}')
            return list(self.posts)

    def close(self):
        self.shutdown()
        self.server_close()


class Webhook(NotifyCase):
    SECRET = 'a secret of the hook'
    ANSWERS = (204,)
    TIMEOUT_MS = 5000

    def hook(self):
        return Hook(self.ANSWERS)

    def url(self):
        return f'http://127.0.0.1:{self.server.port}/hook/T0KEN'

    def config(self):
        self.server = self.hook()
        self.addCleanup(self.server.close)
        secret = self.world.root / 'webhook-secret'
        secret.write_text(self.SECRET + '\n', encoding='ascii')
        secret.chmod(0o600)
        return self.patient(case.GateCase.config(self)) + (
            f'notify:\n  wall: owners\n  webhook: {{url: "{self.url()}", secret_file: {secret}, '
            f'timeout_ms: {self.TIMEOUT_MS}{self.more()}}}\n')

    def more(self):
        return ''

    def bodies(self, count):
        return [json.loads(body) for _, body in self.server.await_posts(lambda posts: len(posts) >= count)]

    def assert_signed(self, headers, body):
        parts = dict(part.split('=', 1) for part in headers['Holdpoint-Signature'].split(','))
        wanted = hmac.new(self.SECRET.encode(), f'{parts["t"]}.'.encode() + body, hashlib.sha256).hexdigest()
        self.assertEqual(parts['v1'], wanted)


class WebhookPosts(Webhook):
    def test_hold_and_denial_arrive_signed(self):
        session, ticket = self.hold()
        opened = self.bodies(1)[0]
        self.assertEqual((opened['event'], opened['ticket'], opened['state']), ('opened', ticket, 'held'))
        self.assertEqual((opened['environment'], opened['protected']), ('production', True))
        self.assertEqual(opened['deciders'], ['dana'])
        self.assertGreater(opened['deadline'], opened['time'])
        self.assertIn(f'rm {self.precious}/a', opened['summary'])
        self.assertNotIn(self.world.token, json.dumps(opened))
        self.deny(ticket)
        denied = self.bodies(2)[1]
        self.assertEqual((denied['event'], denied['decided_by']), ('denied', 'dana'))
        for headers, body in self.server.posts:
            self.assert_signed(headers, body)
        self.assertEqual(len({headers['Holdpoint-Delivery'] for headers, _ in self.server.posts}), 2)
        self.finish(session)

    def test_neither_secret_nor_address_is_on_a_command_line_or_in_the_log(self):
        session, ticket = self.hold()
        self.bodies(1)
        for pid in (self.gate.process.pid, self.notifier()):
            said = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes() + pathlib.Path(f'/proc/{pid}/environ').read_bytes()
            self.assertNotIn(b'T0KEN', said)
            self.assertNotIn(self.SECRET.encode(), said)
        self.assertNotIn('T0KEN', self.gate.read_log())
        self.deny(ticket)
        self.finish(session)


class TlsHook(Webhook):
    def hook(self):
        self.ca, certificate, key = cloud.make_certificates(self.world.root / 'hook-tls', ('localhost',))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return Hook(context=context)

    def url(self):
        return f'https://localhost:{self.server.port}/hook/T0KEN'


class WebhookOverTls(TlsHook):
    def more(self):
        return f', ca_file: {self.ca}'

    def test_a_known_authority_is_believed(self):
        session, ticket = self.hold()
        self.assertEqual(self.bodies(1)[0]['ticket'], ticket)
        self.assert_signed(*self.server.posts[0])
        self.deny(ticket)
        self.finish(session)


class WebhookOverUnknownTls(TlsHook):
    def test_an_authority_that_the_system_does_not_know_gets_nothing(self):
        session, ticket = self.hold()
        failed = self.until_notices('a failure', lambda n: n if n['webhook_failed'] == 1 else None)
        self.assertIn('certificate', failed['problem'])
        self.assertEqual(self.server.posts, [])
        self.deny(ticket)
        self.finish(session)


class WebhookFailing(Webhook):
    ANSWERS = (500, 503, 204)

    def test_errors_of_the_server_are_tried_again(self):
        session, ticket = self.hold()
        posts = self.server.await_posts(lambda posts: len(posts) == 3)
        self.assertEqual(len({headers['Holdpoint-Delivery'] for headers, _ in posts}), 1)
        self.assertEqual(self.until_notices('a delivery', lambda n: n if n['told'] == 1 else None)['webhook_delivered'], 1)
        self.deny(ticket)
        self.finish(session)


class WebhookDown(Webhook):
    def hook(self):
        server = Hook()
        server.close()  # its port answers nobody now
        return server

    def test_a_server_that_comes_back_gets_what_waited(self):
        session, ticket = self.hold()
        server = Hook(port=self.server.port)
        self.addCleanup(server.close)
        posts = server.await_posts(lambda posts: len(posts) == 1)
        self.assertEqual(json.loads(posts[0][1])['ticket'], ticket)
        self.deny(ticket)
        self.finish(session)


class WebhookSlow(Webhook):
    def setUp(self):
        self.go_on = threading.Event()
        self.addCleanup(self.go_on.set)
        super().setUp()

    TIMEOUT_MS = 60000

    @property
    def ANSWERS(self):
        def late(handler):
            self.go_on.wait(case.BOUND)
            handler.send_response(204)
            handler.send_header('Content-Length', '0')
            handler.end_headers()
        return (late, 204)

    def test_nobody_waits_for_it(self):
        owner, = self.log_in(DANA)
        session, ticket = self.hold('a')
        self.bodies(1)
        self.deny(ticket)  # decided, while the first post is under way
        self.assertEqual(self.finish(session)[0], 126)
        session, second = self.hold('b')
        owner.wait_for(f'{second} is HELD')
        self.deny(second)
        self.finish(session)
        self.assertEqual(len(self.server.posts), 1)
        self.go_on.set()
        events = [(body['ticket'], body['event']) for body in self.bodies(4)]
        self.assertEqual(events, [(ticket, 'opened'), (ticket, 'denied'), (second, 'opened'), (second, 'denied')])


class WebhookOutOfTime(Webhook):
    TIMEOUT_MS = 300

    def setUp(self):
        self.never = threading.Event()
        self.addCleanup(self.never.set)
        super().setUp()

    @property
    def ANSWERS(self):
        return (lambda handler: self.never.wait(case.BOUND), 204)

    def test_an_answer_that_does_not_come_is_given_up_and_asked_for_again(self):
        session, ticket = self.hold()
        posts = self.server.await_posts(lambda posts: len(posts) == 2)
        self.assertEqual(len({headers['Holdpoint-Delivery'] for headers, _ in posts}), 1)
        self.until_notices('a delivery', lambda n: n if n['webhook_delivered'] == 1 else None)
        self.deny(ticket)
        self.finish(session)


class WebhookElsewhere(Webhook):
    @property
    def ANSWERS(self):
        def elsewhere(handler):
            handler.send_response(307)
            handler.send_header('Location', f'http://127.0.0.1:{self.other.port}/')
            handler.send_header('Content-Length', '0')
            handler.end_headers()
        return (elsewhere,)

    def hook(self):
        self.other = Hook()
        self.addCleanup(self.other.close)
        return super().hook()

    def test_a_redirect_is_given_up_and_declared(self):
        session, ticket = self.hold()
        failed = self.until_notices('a failure', lambda n: n if n['webhook_failed'] == 1 else None)
        self.assertIn('redirect', failed['problem'])
        self.assertEqual((len(self.server.posts), self.other.posts), (1, []))
        self.deny(ticket)
        self.finish(session)
        self.assertIn(('notify', 'webhook given up'), {(loss['stage'], loss['reason']) for loss in self.losses()})
        doctor = self.gate.cli('--json', 'doctor')
        self.assertEqual(doctor.returncode, 1)
        rows = {row['check']: row for row in map(json.loads, doctor.stdout.splitlines())}
        self.assertFalse(rows['notices']['ok'])
        self.assertIn('redirect', rows['notices']['detail'])


class WebhookOpenSecret(Webhook):
    def config(self):
        text = super().config()
        (self.world.root / 'webhook-secret').chmod(0o644)
        return text

    def test_a_secret_that_others_can_read_posts_nothing(self):
        said = self.until_notices('the problem', lambda n: n['problem'] or None)
        self.assertIn('others than root', said)
        session, ticket = self.hold()
        self.until_notices('the notice', lambda n: n['told'] >= 1)
        self.assertEqual(self.server.posts, [])
        self.deny(ticket)
        self.finish(session)


class NotifierEnds(NotifyCase):
    def test_killed_it_comes_back_and_what_is_held_stays_held(self):
        owner, = self.log_in(DANA)
        session, ticket = self.hold('a')
        at = owner.wait_for(f'{ticket} is HELD')
        held = self.await_stopped()
        first = self.notifier()
        os.kill(first, signal.SIGKILL)
        self.until('another one', lambda: self.notices()['restarts'] == 1 and self.notices()['state'] == 'alive')
        self.assertNotEqual(self.notifier(), first)
        self.assertEqual(self.stopped(), held)
        self.assertIsNone(self.gate.process.poll())
        self.deny(ticket)
        owner.wait_for(f'{ticket} denied', at)
        self.assertEqual(self.finish(session)[0], 126)
        self.assertTrue((self.precious / 'a').exists())

    def test_what_it_had_not_finished_is_told_by_the_next_one(self):
        owner, = self.log_in(DANA)
        first = self.notifier()
        os.kill(first, signal.SIGSTOP)
        session, ticket = self.hold('a')
        self.assertEqual(self.notices()['waiting'], 1)
        os.kill(first, signal.SIGKILL)
        owner.wait_for(f'{ticket} is HELD')
        self.deny(ticket)
        self.finish(session)


class NotifierFull(NotifyCase):
    HOLD_MS = 0

    def test_past_the_queue_notices_are_counted_and_declared(self):
        for i in range(70):
            self.file(f'f{i}')
        first = self.notifier()
        os.kill(first, signal.SIGSTOP)
        self.addCleanup(os.kill, first, signal.SIGCONT)
        code, _, _ = self.finish(self.session(f'for i in $(seq 0 69); do rm {self.precious}/f$i; done; true'))
        self.assertEqual(code, 0)
        self.assertEqual(self.notices()['waiting'], 64)
        self.assertEqual(self.notices()['lost'], 6)
        lost = [loss for loss in self.losses() if loss['stage'] == 'notify']
        self.assertEqual([(loss['reason'], sum(int(l['count']) for l in lost)) for loss in lost][:1], [('queue full', 6)])
        os.kill(first, signal.SIGCONT)
        self.until_notices('the rest', lambda n: n['told'] == 64)


DESKTOP = '''
import json, sys
import dbus, dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib
DBusGMainLoop(set_as_default=True)
class Notifications(dbus.service.Object):
    last = 0
    @dbus.service.method('org.freedesktop.Notifications', in_signature='susssasa{sv}i', out_signature='u')
    def Notify(self, app, replaces, icon, summary, body, actions, hints, timeout):
        Notifications.last += 1
        shown = int(replaces) or Notifications.last
        print(json.dumps({'app': app, 'id': shown, 'replaces': int(replaces), 'summary': summary, 'body': body,
                          'actions': list(actions), 'urgency': int(hints['urgency']), 'timeout': int(timeout)}), flush=True)
        return dbus.UInt32(shown)
    @dbus.service.method('org.freedesktop.Notifications', out_signature='as')
    def GetCapabilities(self):
        return ['body', 'body-markup']
bus = dbus.SessionBus()
name = dbus.service.BusName('org.freedesktop.Notifications', bus)
Notifications(bus, '/org/freedesktop/Notifications')
print(json.dumps({'ready': True}), flush=True)
GLib.MainLoop().run()
'''


class Desktop(NotifyCase):
    def setUp(self):
        super().setUp()
        home = self.world.root / 'dana'
        home.mkdir()
        os.chown(home, DANA.uid, DANA.uid)
        address = f'unix:path={home}/bus'
        self.environment = {'DBUS_SESSION_BUS_ADDRESS': address, 'PATH': os.environ['PATH'], 'HOME': str(home)}
        bus = self.start(['dbus-daemon', '--session', '--nofork', '--nopidfile', f'--address={address}', '--print-address=1'])
        self.assertTrue(bus.stdout.readline())
        self.desktop = self.start([sys.executable, '-c', DESKTOP])
        self.assertEqual(self.next(), {'ready': True})

    def start(self, argv):
        process = subprocess.Popen(['setpriv', '--reuid', str(DANA.uid), '--regid', str(DANA.uid), '--clear-groups', '--',
                                    *map(str, argv)], stdout=subprocess.PIPE, text=True, env=self.environment)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def notifies(self):
        return self.start([self.gate.bin / 'holdpoint', '--run', self.gate.run, 'notify-desktop'])

    def next(self):
        self.assertTrue(select.select([self.desktop.stdout], [], [], case.BOUND)[0], 'no notice came')
        return json.loads(self.desktop.stdout.readline())

    def watching(self):
        self.until_notices('somebody who watches', lambda n: n['watching'] == 1)

    def test_an_owner_sees_the_hold_and_then_the_decision_in_its_place(self):
        self.notifies()
        self.watching()
        session, ticket = self.hold()
        shown = self.next()
        self.assertIn(f'{ticket} is held: ', shown['summary'])
        self.assertIn(f'rm {self.precious}/a', shown['body'])
        self.assertEqual((shown['urgency'], shown['timeout'], shown['actions'], shown['app']), (2, 0, [], 'Holdpoint'))
        self.deny(ticket)
        denied = self.next()
        self.assertEqual(denied['summary'], f'{ticket} denied by dana')
        self.assertEqual(denied['replaces'], shown['id'])
        self.finish(session)

    def test_markup_of_a_session_is_text(self):
        self.notifies()
        self.watching()
        (self.precious / '<b>x').write_text('data', encoding='ascii')
        session = self.session(f"rm '{self.precious}/<b>x'")
        ticket = self.gate.await_hold()['ticket']
        shown = self.next()
        self.assertIn('&lt;b&gt;x', shown['body'])
        self.assertNotIn('<b>', shown['body'])
        self.deny(ticket)
        self.finish(session)

    def test_what_waits_already_is_shown_at_its_start_and_a_new_gate_is_found(self):
        session, ticket = self.hold()
        self.notifies()
        self.assertIn(ticket, self.next()['summary'])
        self.gate.stop()
        self.finish(session)
        self.gate.start()
        self.watching()
        session, second = self.hold('b')
        while second not in self.next()['summary']:
            pass
        self.deny(second)
        self.finish(session)

    def test_who_owns_nothing_here_sees_nothing(self):
        self.environment['HOME'] = '/'
        lee = subprocess.Popen(['setpriv', '--reuid', str(LEE.uid), '--regid', str(LEE.uid), '--clear-groups', '--',
                                '/usr/bin/python3', '-IB', '-c', f'''
import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect({str(self.gate.run / "control.sock")!r})
s.send(struct.pack("IIII", 1, 50, 0, 0) + bytes(552 - 16))
while True:
    packet = s.recv(65536)
    if not packet:
        break
    print(packet[528:].decode(), flush=True)
'''], stdout=subprocess.PIPE, text=True)
        self.addCleanup(lee.stdout.close)
        self.addCleanup(lee.wait)
        self.addCleanup(lee.kill)
        self.assertEqual(json.loads(lee.stdout.readline()), {'watch': 'now', 'holds': []})
        self.assertEqual(json.loads(lee.stdout.readline())['watch'], 'begun')
        self.notifies()
        self.until_notices('both', lambda n: n['watching'] == 2)
        session, ticket = self.hold()
        self.assertIn(ticket, self.next()['summary'])  # dana has seen it, by the same turn of the gate
        self.deny(ticket)
        self.next()
        self.finish(session)
        self.assertEqual(select.select([lee.stdout], [], [], 0)[0], [])


class Watch(NotifyCase):
    LEAVE = b'\x1b[?1049l'

    def watch(self, person=DANA, *flags):
        driven = terminals.Driven(person, ['setpriv', '--reuid', person.uid, '--regid', person.uid, '--clear-groups', '--',
                                           self.gate.bin / 'holdpoint', '--run', self.gate.run, 'watch', *flags])
        self.addCleanup(driven.close)
        driven.wait_for('\x1b[?1049h')
        return driven

    def approve(self, watch, at=0, reason='planned', password=DANA.password):
        """Up to the last key but one: Enter is left to the caller."""
        watch.press('a')
        at = watch.wait_for('Why approve HP-', at)
        watch.press(reason + '\r')
        at = watch.wait_for('Password of dana:', at)
        watch.press(password)
        return at

    def test_sees_the_hold_and_approves_with_one_key_and_the_password(self):
        watch = self.watch()
        watch.wait_for('Nothing waits for a decision')
        session, ticket = self.hold()
        at = watch.wait_for(f'> {ticket}')
        at = watch.wait_for('HELD', at)
        watch.wait_for('\a')
        watch.wait_for(f'rm {self.precious}/a', at)
        watch.wait_for('a approve once')
        at = self.approve(watch)
        watch.press('\r')
        watch.wait_for(f'{ticket} approved', at)
        self.assertEqual(self.finish(session)[0], 0)
        self.assertFalse((self.precious / 'a').exists())
        self.assertNotIn(DANA.password.encode(), watch.shown)
        released = [o for o in self.outcomes() if o['what'] == 'released']
        self.assertEqual([o['ticket'] for o in released], [ticket])
        self.assertEqual(self.finish(self.session(f'test -e {self.precious}/b'))[0], 0)  # the neighbour is there
        watch.press('q')
        self.assertEqual(watch.finish(), 0)
        self.assertIn(self.LEAVE, watch.shown)
        self.assertEqual(termios.tcgetattr(watch.slave), watch.modes)

    def decide(self, watch, keys, asks, reason='planned'):
        """Presses `keys`, is asked why in these words, and gives reason and password."""
        watch.press(keys)
        at = watch.wait_for(asks)
        watch.press(reason + '\r')
        at = watch.wait_for('Password of dana:', at)
        watch.press(DANA.password + '\r')
        return at

    def test_approves_for_the_session_with_another_key(self):
        session = self.session(f'rm {self.precious}/a; echo data >{self.precious}/a; rm {self.precious}/a; rm {self.precious}/b')
        ticket = self.gate.await_hold()['ticket']
        watch = self.watch()
        watch.wait_for(f'> {ticket}')
        at = self.decide(watch, 's', f'Why approve {ticket} for the session?')
        watch.wait_for(f'{ticket} approved', at)
        other = self.gate.await_hold(wanted=lambda row: row['ticket'] != ticket)
        self.assertIn('/b', other['summary'], 'the same was removed twice; another target is another question')
        self.deny(other['ticket'])
        self.assertEqual(self.finish(session)[0], 126)
        self.assertFalse((self.precious / 'a').exists())
        self.assertEqual([row['scope'] for row in self.gate.lines('approvals')], ['session'])

    def test_approves_until_a_date_that_it_asks_for(self):
        session, ticket = self.hold()
        watch = self.watch()
        watch.wait_for(f'> {ticket}')
        watch.press('u')
        at = watch.wait_for(f'Until when may {ticket} pass?')
        watch.press('some day\r')
        at = watch.wait_for('Wanted a date such as', at)
        watch.press('\x15')
        at = self.decide(watch, '2h\r', f'Why approve {ticket} until 20')
        watch.wait_for(f'{ticket} approved', at)
        self.assertEqual(self.finish(session)[0], 0)
        row, = self.gate.lines('approvals')
        self.assertEqual(row['scope'], 'until')
        self.assertAlmostEqual(row['until'] - row['since'], 7200, delta=case.BOUND)
        self.assertEqual(self.finish(self.session(f'echo data >{self.precious}/a; rm {self.precious}/a'))[0], 0)

    def test_denies(self):
        session, ticket = self.hold()
        watch = self.watch()
        watch.wait_for(f'> {ticket}')
        watch.press('d')
        watch.wait_for('Why deny')
        watch.press('\r')
        at = watch.wait_for('Password of dana:')
        watch.press(DANA.password + '\r')
        watch.wait_for(f'{ticket} denied', at)
        code, _, err = self.finish(session)
        self.assertEqual(code, 126)
        self.assertIn('dana', err)
        self.assertTrue((self.precious / 'a').exists())

    def test_a_wrong_password_decides_nothing(self):
        session, ticket = self.hold()
        watch = self.watch()
        watch.wait_for(f'> {ticket}')
        at = self.approve(watch, password='wrong')
        watch.press('\r')
        watch.wait_for('was not accepted', at)
        self.assertTrue(self.stopped())
        self.assertTrue((self.precious / 'a').exists())
        self.deny(ticket)
        watch.wait_for('denied by dana', at)
        self.assertEqual(self.finish(session)[0], 126)

    def test_two_who_approve_at_once_release_it_once(self):
        session, ticket = self.hold()
        first, second = self.watch(), self.watch()
        ends = []
        for watch in (first, second):
            watch.wait_for(f'> {ticket}')
            ends.append(self.approve(watch))
        for watch in (first, second):
            watch.press('\r')
        said = []
        for watch, at in zip((first, second), ends):
            self.until('an answer', lambda: watch.read(1) and any(
                word in watch.text(at) for word in ('approved: the held', 'and can\'t be approved')))
            said.append("can't be approved" in watch.text(at))
        self.assertEqual(sorted(said), [False, True])
        self.assertEqual(self.finish(session)[0], 0)
        self.assertEqual(len([o for o in self.outcomes() if o['what'] == 'released']), 1)

    def test_who_may_not_decide_is_told_so_and_asked_for_nothing(self):
        session, ticket = self.hold()
        watch = terminals.Driven(LEE, [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'watch', '--as', 'lee'])
        self.addCleanup(watch.close)
        at = watch.wait_for(f'> {ticket}')
        watch.press('a')
        watch.wait_for(f'lee may not decide on {ticket}; may decide: dana', at)
        self.assertNotIn(b'Password', watch.shown)
        self.deny(ticket)
        self.finish(session)

    def test_a_signal_ends_it_and_the_terminal_is_as_it_was(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            watch = self.watch()
            watch.wait_for('q quit')
            watch.process.send_signal(number)
            self.assertEqual(watch.finish(), -number)
            self.assertIn(self.LEAVE, watch.shown)
            self.assertEqual(termios.tcgetattr(watch.slave), watch.modes)

    def test_a_new_size_is_drawn(self):
        watch = self.watch()
        at = watch.wait_for('q quit')
        watch.resize(16, 100)
        watch.process.send_signal(signal.SIGWINCH)
        watch.wait_for('\x1b[16;1H', at)

    def test_finds_the_next_gate(self):
        watch = self.watch()
        at = watch.wait_for('Nothing waits')
        self.gate.stop()
        at = watch.wait_for('trying again', at)
        self.gate.start()
        session, ticket = self.hold()
        watch.wait_for(f'> {ticket}', at)
        self.deny(ticket)
        self.finish(session)

    def test_not_from_inside_a_session(self):
        at_a_terminal = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))'
        done = self.finish(self.session(
            f"TERM=xterm python3 -c '{at_a_terminal}' {self.gate.bin}/holdpoint --run {self.gate.run} watch"))
        self.assertEqual(done[0], 77, done)
        self.assertIn("inside a coding agent's session", done[1])
        self.assertNotIn('\x1b[?1049h', done[1])

    def test_without_a_terminal_it_says_what_else_there_is(self):
        done = self.gate.cli('watch')
        self.assertEqual(done.returncode, 2)
        self.assertIn('holdpoint holds', done.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)

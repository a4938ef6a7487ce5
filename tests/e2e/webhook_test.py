"""A hold and what was decided, posted to a webhook: signed, tried again, never in the way of anybody."""

import hashlib
import hmac
import http.server
import json
import pathlib
import ssl
import threading
import unittest

from e2e import case, cloud, told

DANA = told.DANA

setUpModule = told.enter


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


class Webhook(told.NotifyCase):
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


if __name__ == '__main__':
    unittest.main(verbosity=2)

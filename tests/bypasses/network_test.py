"""Ways to a destination: other system calls than connect, proxies, names, and what encryption hides."""

import errno
import socket
import threading
import unittest

from scene import DECLARED, PORT, PRODUCTION, STOPPED, Scene, declared, row, setUpModule  # noqa: F401

REFUSED = str(errno.EPERM)
OPEN = PORT + 1  # not tagged


class Network(Scene):
    PROGRAM = 'network.c'

    def serve(self, kind=socket.SOCK_STREAM, ports=(PORT, OPEN)):
        """Somebody listens on the production address at the tagged port and at one beside it."""
        servers = []
        for port in ports:
            server = socket.socket(socket.AF_INET, kind)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((PRODUCTION, port))
            if kind == socket.SOCK_STREAM:
                server.listen()
            self.addCleanup(server.close)
            servers.append(server)
        return servers

    def refuses(self, way):
        done = self.session(f'{self.program} {way} {PRODUCTION} {PORT}; {self.program} {way} {PRODUCTION} {OPEN}')
        self.assertEqual(done.out.split(), [REFUSED, '0'], done.err)

    def connects(self):
        return [e['connect'] for e in self.gate.events() if e['type'] == 'connect']

    @row('B14', 'connect by io_uring, submitted by the process and taken by the kernel\'s polling thread', STOPPED)
    def test_B14_io_uring(self):
        self.serve()
        for way in ('ring', 'polled-ring'):
            with self.subTest(way):
                self.refuses(way)
        self.assertEqual({c['port'] for c in self.connects()}, {PORT})

    @row('B15', 'datagrams without a connect: sendto, sendmsg, sendmmsg', STOPPED)
    def test_B15_datagrams(self):
        self.serve(socket.SOCK_DGRAM)
        for way in ('sendto', 'sendmsg', 'sendmmsg'):
            with self.subTest(way):
                self.refuses(way)
        self.assertIn('udp', {c['protocol'] for c in self.connects()})

    @row('B15', 'a raw socket of a session that is root', DECLARED)
    def test_B15_raw_sockets_are_not_seen(self):
        declared('A raw socket')
        done = self.session(f'{self.program} raw {PRODUCTION} 0', uid=0)
        self.assertEqual(done.out, '0\n', done.err)

    @row('B15', 'a request through docker.sock, by curl', STOPPED)
    def test_B15_a_request_through_a_control_socket_is_judged(self):
        curl = 'curl -s -X {} --unix-socket /var/run/nothing.sock http://localhost/v1.43/volumes/pgdata; echo rc=$?'
        self.assertEqual(self.session(curl.format('DELETE')).out, 'rc=126\n')
        self.assertEqual(self.session(curl.format('GET')).out, 'rc=7\n')

    @row('B16', 'TCP Fast Open: the first data travels without a connect', STOPPED)
    def test_B16_fast_open(self):
        self.serve()
        self.refuses('fast-open')

    @row('B16', 'a request through an HTTP or SOCKS proxy, by option or by environment', STOPPED)
    def test_B16_a_proxy_does_not_hide_what_argv_asks_for(self):
        delete = self.world.delete_volume()
        for way in (f'{delete} -x http://127.0.0.1:9', f'{delete} --socks5-hostname 127.0.0.1:9',
                    f'https_proxy=http://127.0.0.1:9 {delete}'):
            self.assertEqual(self.session(f'{way}; echo rc=$?').out, 'rc=126\n')
        self.assertEqual(self.session('curl -s -x http://127.0.0.1:9 http://nothing.invalid/; echo rc=$?').out, 'rc=7\n')
        self.assertEqual(self.world.cloud.calls, [])

    @row('B16', 'a tunnel of the session\'s own: ssh -L, CONNECT by a runtime, cloudflared', DECLARED)
    def test_B16_what_goes_through_a_tunnel_is_not_seen(self):
        declared('A tunnel or proxy')
        production, _ = self.serve()
        tunnel = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(tunnel.close)

        def forward():  # the tunnel's far end, outside the session
            with tunnel.accept()[0] as near, socket.create_connection((PRODUCTION, PORT)) as far:
                far.sendall(near.recv(100))
        worker = threading.Thread(target=forward)
        worker.start()
        self.session(f'echo DROP > /dev/tcp/127.0.0.1/{tunnel.getsockname()[1]}', with_shell='bash')
        worker.join()
        with production.accept()[0] as arrived:
            self.assertEqual(arrived.recv(100), b'DROP\n')

    @row('B18', 'a request by a runtime with its own TLS', DECLARED)
    def test_B18_the_inside_of_tls_is_not_seen(self):
        declared('Connects are seen and refused by address; the request inside is not seen')
        body = '{"query":"mutation { volumeDelete(volumeId: \\"%s\\") }"}'
        script = self.own(self.world.workspace / 'request.py', text=f'''
import sys, urllib.request
body = {body!r} % sys.argv[1]
urllib.request.urlopen(urllib.request.Request("https://backboard.railway.app/graphql/v2", body.encode(),
    {{"Authorization": "Bearer " + sys.argv[2]}}))
''')
        volume = next(p.name for p in self.world.volumes.iterdir())
        by_curl = self.session(self.world.delete_volume() + '; echo rc=$?')
        self.assertEqual(by_curl.out, 'rc=126\n')
        self.assertEqual(self.world.bytes_now(), self.world.manifest)
        done = self.session(f'/usr/bin/python3 {script} {volume} {self.world.token}')
        self.assertEqual(self.world.bytes_now(), {}, done)

    @row('B19', 'a literal address, and a name that /etc/hosts leads to production', STOPPED)
    def test_B19_the_address_decides_not_the_name(self):
        self.serve()
        hosts = self.world.etc / 'hosts'
        hosts.write_text(hosts.read_text() + f'{PRODUCTION} harmless.test\n')
        for name in (PRODUCTION, 'harmless.test'):
            done = self.session(f'(: > /dev/tcp/{name}/{PORT}) || echo no; : > /dev/tcp/{name}/{OPEN} && echo yes',
                                with_shell='bash')
            self.assertEqual(done.out, 'no\nyes\n', done.err)

    @row('B19', 'a request to a literal production address, in curl\'s arguments', STOPPED)
    def test_B19_a_literal_address_in_a_url_is_tagged(self):
        done = self.session(f'curl -s -X DELETE http://{PRODUCTION}:{PORT}/things/7; echo rc=$?')
        self.assertEqual(done.out, 'rc=126\n', done.err)
        event = self.judged(lambda p, j: 'http://' in ' '.join(p.get('argv', [])))[-1]
        self.assertEqual(event['exec']['judgement']['tags']['destination']['environment'], 'production')
        self.assertEqual(self.session(f'curl -s http://127.0.0.1:{OPEN}/; echo rc=$?').out, 'rc=7\n')

    @row('B19', 'a connect to a destination that the configuration has by name only', DECLARED)
    def test_B19_a_name_is_known_where_argv_shows_it(self):
        declared('A destination that is configured by name')
        done = self.session('/usr/bin/python3 -c \'import socket; '
                            'socket.create_connection(("backboard.railway.app", 443)); print("on")\'')
        self.assertEqual(done.out, 'on\n', done.err)

    @row('C11', 'the coding agent itself, or an MCP server, connects to production without any exec', STOPPED)
    def test_C11_a_connect_of_the_session_s_root_is_refused_and_it_goes_on(self):
        self.serve()
        code = ('import socket\nfor p in (%d, %d):\n    try: socket.create_connection(("%s", p)); print("ok")\n'
                '    except OSError as e: print(e.errno)\nprint("goes on")' % (PORT, OPEN, PRODUCTION))
        agent = self.own(self.world.workspace / 'server.py', text=code)
        done = self.session(f'exec /usr/bin/python3 {agent}')
        self.assertEqual(done.out.split('\n')[:3], [REFUSED, 'ok', 'goes on'], done.err)

    @row('C13', 'a browser with a person\'s profile, driven over CDP on loopback', DECLARED)
    def test_C13_loopback_control_ports_are_ordinary_connects(self):
        declared('A browser or another program that takes orders on a loopback port')
        self.serve_loopback(9222)
        done = self.session(': > /dev/tcp/127.0.0.1/9222 && echo on', with_shell='bash')
        self.assertEqual(done.out, 'on\n', done.err)

    def serve_loopback(self, port):
        server = socket.create_server(('127.0.0.1', port))
        self.addCleanup(server.close)


class LoopbackTagged(Scene):
    @classmethod
    def configuration(cls):
        return super().configuration().replace(
            'destinations:', 'destinations:\n  - {cidr: ["127.0.0.1/32"], ports: [9222], environment: production}')

    @row('C13', 'a control port on loopback that its owner has tagged', STOPPED)
    def test_C13_a_tagged_control_port_is_refused(self):
        for port in (9222, 9223):
            server = socket.create_server(('127.0.0.1', port))
            self.addCleanup(server.close)
        done = self.session('(: > /dev/tcp/127.0.0.1/9222) || echo no; : > /dev/tcp/127.0.0.1/9223 && echo yes',
                            with_shell='bash')
        self.assertEqual(done.out, 'no\nyes\n', done.err)


if __name__ == '__main__':
    unittest.main(verbosity=2)

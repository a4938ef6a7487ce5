"""A cloud API of the tests' own: TLS, one token, and a volumeDelete that really deletes a directory with its backups.

It deletes nothing but VOLUMES/<id>, where <id> is a UUID and VOLUMES a folder that the test made.
"""

import http.server
import json
import pathlib
import re
import shutil
import ssl
import subprocess
import threading

from . import graphql

_UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')


def make_certificates(folder, names):
    """Makes a CA and a server certificate for `names` in `folder`; gives (ca, certificate, key)."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ca, ca_key = folder / 'ca.pem', folder / 'ca.key'
    crt, key, csr, ext = (folder / n for n in ('cloud.pem', 'cloud.key', 'cloud.csr', 'cloud.ext'))

    def openssl(*arguments):
        subprocess.run(['openssl', *map(str, arguments)], check=True, capture_output=True)

    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', 2, '-subj',
            '/CN=test CA', '-keyout', ca_key, '-out', ca)
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', f'/CN={names[0]}',
            '-keyout', key, '-out', csr)
    ext.write_text('subjectAltName=' + ','.join(f'DNS:{n}' for n in names) + '\n')
    openssl('x509', '-req', '-in', csr, '-CA', ca, '-CAkey', ca_key, '-CAcreateserial', '-days', 2, '-extfile', ext,
            '-out', crt)
    return ca, crt, key


class Cloud:
    """Serves POST /graphql/v2. `calls` is a list of what came in: {"field", "arguments", "authorized", "deleted"}."""

    def __init__(self, volumes, token, certificate, key, address=('127.0.0.1', 443)):
        self.volumes = pathlib.Path(volumes).resolve()
        self.token = token
        self.calls = []
        cloud = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
                bearer = self.headers.get('Authorization', '').removeprefix('Bearer ')
                token = bearer or self.headers.get('Project-Access-Token', '')
                status, answer = cloud.answer(self.path, body, token)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header('Content-Type', 'application/json')
                self.send_header('Content-Length', str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(address, Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path, body, token):
        if path.split('?')[0] != '/graphql/v2':
            return 404, {'errors': [{'message': 'Not Found'}]}
        try:
            request = json.loads(body)
            kind, fields = graphql.parse_request(request['query'], request.get('variables'),
                                                 request.get('operationName'))
        except (ValueError, KeyError, TypeError) as error:
            return 400, {'errors': [{'message': str(error)}]}
        data = {}
        for alias, field, arguments in fields:
            call = {'field': field, 'arguments': arguments, 'authorized': token == self.token, 'deleted': False}
            self.calls.append(call)
            if not call['authorized']:
                return 200, {'errors': [{'message': 'Not Authorized'}], 'data': None}
            if (kind, field) == ('mutation', 'volumeDelete'):
                data[alias] = call['deleted'] = self.delete_volume(arguments.get('volumeId'))
            elif (kind, field) == ('query', 'projectToken'):
                data[alias] = {'projectId': 'a0d6b6a5-6f3b-4c11-9f0e-5f6f3f1f7d11'}
            else:
                return 400, {'errors': [{'message': f'Cannot query field "{field}" on type "{kind.title()}".'}]}
        return 200, {'data': data}

    def delete_volume(self, volume):
        if not isinstance(volume, str) or not _UUID.fullmatch(volume):
            return False
        folder = self.volumes / volume
        if folder.is_symlink() or not folder.is_dir():
            return False
        shutil.rmtree(folder)
        return True

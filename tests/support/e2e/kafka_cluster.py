"""Real brokers in number, with identities, rights and quotas, for one test."""

import base64
import os
import pathlib
import subprocess
import threading

_SCRIPT = pathlib.Path(__file__).resolve().parents[3] / 'scripts' / 'kafka'
_PASSWORD = 'agent-secret'  # of a test's own broker


def _environment():
    return {'HOME': os.environ.get('HOME', '/root'), 'PATH': os.environ['PATH'],
            **{k: v for k, v in os.environ.items() if k in ('XDG_CACHE_HOME', 'HP_CACHE')}}


def openssl(*words):
    subprocess.run(['openssl', *map(str, words)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    """A certificate authority in `folder` and what it signs."""

    def __init__(self, folder, name='test CA'):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pem, self.key = self.folder / 'ca.pem', self.folder / 'ca.key'
        openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', f'/CN={name}', '-keyout', self.key,
                '-out', self.pem)

    def issue(self, name, common_name, days=30, names=''):
        """NAME.pem and NAME.key; with 0 days one that has ended already."""
        pem, key, request = (self.folder / f'{name}.{end}' for end in ('pem', 'key', 'csr'))
        openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', f'/CN={common_name}', '-keyout', key, '-out', request)
        extra = []
        if names:
            extension = self.folder / f'{name}.ext'
            extension.write_text(f'subjectAltName={names}')
            extra = ['-extfile', extension]
        openssl('x509', '-req', '-in', request, '-CA', self.pem, '-CAkey', self.key, '-CAcreateserial', '-days', days,
                '-out', pem, *extra)
        key.chmod(0o600)
        return pem, key


class Cluster:
    """`nodes` Kafka nodes on 127.0.0.1. Each has a listener with client certificates (`tls`), one with SASL over TLS
    (`sasl`: PLAIN, OAUTHBEARER, SCRAM; user agent) and one without anything (`plain`), whose clients may do all."""

    def __init__(self, folder, nodes=1, port=19092):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        subprocess.run([_SCRIPT, 'fetch'], check=True)
        self.ca = Authority(self.folder / 'ca')
        pem, key = self.ca.issue('broker', 'localhost', names='DNS:localhost,IP:127.0.0.1')
        pkcs8 = self.folder / 'broker.key'
        openssl('pkcs8', '-topk8', '-nocrypt', '-in', key, '-out', pkcs8)
        self.identity = self.folder / 'broker.pem'
        self.identity.write_text(pkcs8.read_text() + pem.read_text() + self.ca.pem.read_text())
        self.id = base64.urlsafe_b64encode(b'A' + os.urandom(15)).decode().rstrip('=')
        ports = [port + 10 * n for n in range(nodes)]
        self.tls = ','.join(f'127.0.0.1:{p}' for p in ports)
        self.plain = ','.join(f'127.0.0.1:{p + 1}' for p in ports)
        self.sasl = ','.join(f'127.0.0.1:{p + 2}' for p in ports)
        self.processes = [None] * nodes
        for number in range(nodes):
            self._write(number + 1, nodes, ports[number], port + 3)
        for number in range(nodes):
            self._spawn(number)
        for number in range(nodes):
            self._await(number)

    def _write(self, number, nodes, port, controller):
        copies = min(nodes, 3)
        lines = [f'node.id={number}', f'process.roles={"broker,controller" if number == 1 else "broker"}',
                 f'controller.quorum.bootstrap.servers=127.0.0.1:{controller}', 'controller.listener.names=CONTROLLER',
                 'inter.broker.listener.name=PLAIN',
                 'listener.security.protocol.map=TLS:SSL,PLAIN:PLAINTEXT,SASL:SASL_SSL,CONTROLLER:PLAINTEXT',
                 f'log.dirs={self.folder}/data{number}', 'log.cleaner.dedupe.buffer.size=4194304',
                 'auto.create.topics.enable=false', 'group.initial.rebalance.delay.ms=0',
                 'ssl.keystore.type=PEM', f'ssl.keystore.location={self.identity}', 'ssl.truststore.type=PEM',
                 f'ssl.truststore.location={self.ca.pem}', 'listener.name.tls.ssl.client.auth=required',
                 'sasl.enabled.mechanisms=PLAIN,OAUTHBEARER,SCRAM-SHA-512',
                 'listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule '
                 f'required user_agent="{_PASSWORD}";',
                 'listener.name.sasl.scram-sha-512.sasl.jaas.config='
                 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
                 'listener.name.sasl.oauthbearer.sasl.jaas.config='
                 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required '
                 'unsecuredLoginStringClaim_sub="broker";',
                 # Whoever comes without a certificate comes over the listener for tests. A topic with rights of its own
                 # is closed to all others.
                 'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
                 'super.users=User:ANONYMOUS', 'allow.everyone.if.no.acl.found=true']
        for topic in ('offsets.topic', 'transaction.state.log', 'share.coordinator.state.topic'):
            lines += [f'{topic}.replication.factor={copies}', f'{topic}.num.partitions=1']
            lines += [] if topic == 'offsets.topic' else [f'{topic}.min.isr=1']
        listeners = f'TLS://127.0.0.1:{port},PLAIN://127.0.0.1:{port + 1},SASL://127.0.0.1:{port + 2}'
        lines += [f'advertised.listeners={listeners}',
                  f'listeners={listeners}' + (f',CONTROLLER://127.0.0.1:{controller}' if number == 1 else '')]
        (self.folder / f'node{number}.properties').write_text('\n'.join(lines) + '\n')

    def _spawn(self, index):
        self.processes[index] = subprocess.Popen(
            [_SCRIPT, 'node', self.folder / f'node{index + 1}.properties', self.id], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, env=_environment())

    def _await(self, index):
        process, seen = self.processes[index], []
        for line in process.stdout:
            seen.append(line)
            if 'Kafka Server started' in line:
                break
        else:
            raise RuntimeError('a broker ended: ' + ''.join(seen[-20:]))
        threading.Thread(target=process.stdout.read, daemon=True).start()  # A full pipe would stop it.

    def start(self, index=0):
        self._spawn(index)
        self._await(index)

    def kill(self, index=0):
        self.processes[index].kill()
        self.processes[index].wait()

    def stop(self):
        for process in reversed(self.processes):
            if process is not None and process.poll() is None:
                process.terminate()
        for process in self.processes:
            if process is not None:
                process.wait(timeout=60)

    def admin(self, *commands):
        """Runs commands of scripts/KafkaAdmin.java, each a string."""
        words = []
        for command in commands:
            words += ['+', *command.split()]
        return subprocess.run([_SCRIPT, 'admin', self.plain, *words[1:]], check=True, stdout=subprocess.PIPE, text=True,
                              env=_environment()).stdout

    def password_file(self, password=_PASSWORD):
        path = self.folder / 'password'
        path.write_text(password + '\n')
        path.chmod(0o600)
        return path

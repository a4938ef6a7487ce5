"""How enforcement is rolled out: switched live, rules promoted, what was seen reported and suggested."""

import os
import pathlib
import shutil
import socket
import subprocess
import unittest

from e2e import fixture_config, gate, isolation, people, world

PLACE = None
DANA = people.Person('dana', 61010, 'a long sentence of dana')
LEE = people.Person('lee', 61011, 'another sentence, of lee')

# A pack of one's own: what `zap` does is somebody's loss.
PACK = '''schema: 1
family: zap
mode: enforce
tools:
  - names: [zap]
    options: "force,f"
rules:
  - id: zap.all
    title: Zapping
    effect: %(effect)s
%(recoverability)s    verdict: refuse
    why: zaps a thing for good
    when: {tool: zap}
    cases: {fires: [{argv: [zap, x]}], passes: [{argv: [rm, x]}]}
'''
DESTROY = {'effect': 'destroy', 'recoverability': '    recoverability: irreversible\n'}


def setUpModule():
    global PLACE
    PLACE = isolation.enter()


class RolloutTest(unittest.TestCase):
    CONFIG = ''

    def setUp(self):
        self.world = world.World(PLACE)
        self.addCleanup(self.world.close)
        people.move_in(self.world, [DANA, LEE])
        self.precious = self.world.root / 'precious'
        self.precious.mkdir()
        self.precious.chmod(0o777)
        os.chown(self.precious, self.world.uid, self.world.uid)
        self.rules = gate.rules(self.world)
        self.prepare()
        self.gate = gate.Gate(self.world, self.config())
        self.addCleanup(lambda: self.gate.stop())

    def prepare(self):
        """What has to be there before the gate starts."""

    def config(self):
        text = fixture_config.text(self.world, hold_ms=1)
        path = f'resources:\n  - {{type: path, id: "{self.precious}/*", environment: production}}'
        return text.replace('resources:', path) + self.CONFIG

    def file(self, name):
        path = self.precious / name
        path.write_text('data')
        os.chown(path, self.world.uid, self.world.uid)
        return path

    def run_in_session(self, shell, environment='staging'):
        argv = self.world.scope.command(
            [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'run', '--env', environment, '--', 'sh', '-c', shell],
            uid=self.world.uid)
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.world.workspace,
                              env=self.world.environment(), timeout=60, check=False)

    def removes(self, name, environment='staging'):
        """Whether a session gets a file deleted that belongs to production."""
        path = self.file(name)
        done = self.run_in_session(f'rm {path}; echo rc=$?', environment)
        self.assertIn(done.stdout, ('rc=0\n', 'rc=126\n'), done.stderr)
        self.assertEqual(path.exists(), done.stdout == 'rc=126\n')
        return not path.exists()

    def mode(self, *arguments, person=DANA, password=None):
        return self.gate.cli('mode', *arguments, '--as', person.name, '--reason', 'the test says so', password=password)

    def row(self, name):
        return next(row for row in self.gate.lines('mode') if row['name'] == name)

    def changes(self):
        return [e['mode_changed'] for e in self.gate.events() if e['type'] == 'mode_changed']


class Switching(RolloutTest):
    def test_an_environment_is_switched_live_kept_over_a_restart_and_switched_back(self):
        self.assertFalse(self.removes('a'))
        # A session that runs all the time: the switch is its own, too.
        fifo = self.world.workspace / 'next'
        os.mkfifo(fifo)
        os.chown(fifo, self.world.uid, self.world.uid)
        one, two = self.file('one'), self.file('two')
        argv = self.world.scope.command(
            [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'run', '--env', 'staging', '--', 'sh', '-c',
             f'rm {one}; echo rc=$?; read line < next; rm {two}; echo rc=$?'], uid=self.world.uid)
        session = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   cwd=self.world.workspace, env=self.world.environment(), text=True)
        self.assertEqual(session.stdout.readline(), 'rc=126\n')
        tickets = {row['ticket'] for row in self.gate.lines('holds')}

        done = self.mode('set', 'environment', 'staging', 'observe')
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(fifo, 'w', encoding='utf-8') as wake:
            wake.write('go\n')
        self.assertEqual(session.stdout.readline(), 'rc=0\n')
        session.wait()
        session.stdout.close()
        self.assertFalse(two.exists())
        self.assertTrue(tickets <= {row['ticket'] for row in self.gate.lines('holds')}, 'the tickets are still there')
        row = self.row('staging')
        self.assertEqual((row['file'], row['live'], row['mode'], row['by']), ('enforce', 'observe', 'observe', 'dana'))
        self.assertFalse(self.removes('b', 'production'), 'the neighbour is enforced')
        self.assertIn('staging', self.gate.cli('mode').stdout)

        self.gate.stop()
        self.gate.start()
        self.assertTrue(self.removes('c'), 'it is kept')

        self.assertEqual(self.mode('unset', 'environment', 'staging').returncode, 0)
        self.assertFalse(self.removes('d'))
        self.assertEqual(self.row('staging')['live'], '')
        seen = [(c['change'], c['name'], c['from'], c['to'], c['by']) for c in self.changes() if c['change'] != 'first start']
        self.assertEqual(seen, [('set', 'staging', 'enforce', 'observe', 'dana'),
                                ('unset', 'staging', 'observe', 'enforce', 'dana')])

    def test_a_protected_environment_is_observed_only_with_an_owner_present(self):
        refused = self.mode('set', 'environment', 'production', 'observe', password='not it')
        self.assertEqual(refused.returncode, 77, refused.stderr)
        not_an_owner = self.mode('set', 'environment', 'production', 'observe', person=LEE, password=LEE.password)
        self.assertEqual(not_an_owner.returncode, 77, not_an_owner.stderr)
        self.assertFalse(self.removes('a', 'production'))
        done = self.mode('set', 'environment', 'production', 'observe', password=DANA.password)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.removes('b', 'production'))
        back = self.mode('set', 'environment', 'production', 'enforce')
        self.assertEqual(back.returncode, 0, 'nobody has to be present for that: ' + back.stderr)
        self.assertFalse(self.removes('c', 'production'))
        self.assertEqual([(c.get('accepted', False), c.get('presence', '')) for c in self.changes()][1:],
                         [(False, ''), (False, ''), (True, 'pam'), (True, '')])

    def test_a_rule_is_switched_and_its_neighbour_is_not(self):
        # It would be observed in production as well.
        self.assertEqual(self.mode('set', 'rule', 'files.rm', 'observe', password='not it').returncode, 77)
        done = self.mode('set', 'rule', 'files.rm', 'observe', password=DANA.password)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.removes('a'))
        self.file('b')
        other = self.run_in_session(f'shred -u {self.precious}/b; echo rc=$?')
        self.assertEqual(other.stdout, 'rc=126\n', other.stderr)
        listed = self.gate.cli('rules', 'list').stdout
        self.assertIn('files.rm  observe', listed)
        self.assertEqual(self.mode('unset', 'rule', 'files.rm').returncode, 0)
        self.assertFalse(self.removes('c'))

    def test_neither_a_session_nor_a_user_switches_and_names_are_checked(self):
        inside = self.run_in_session('holdpoint --run %s mode set environment staging observe; echo rc=$?' % self.gate.run)
        self.assertIn('rc=77', inside.stdout, inside.stderr)
        self.assertFalse(self.removes('a'))
        for words in (('environment', 'nowhere', 'observe'), ('rule', 'files.nothing', 'observe'),
                      ('environment', 'staging', 'off')):
            self.assertEqual(self.mode('set', *words).returncode, 2, words)
        self.assertEqual(self.mode('set', 'environment', 'staging', 'enforce').returncode, 0)

    def test_what_is_damaged_on_the_disk_leaves_everything_enforced(self):
        self.assertEqual(self.mode('set', 'environment', 'staging', 'observe').returncode, 0)
        self.gate.stop()
        rollout = self.gate.state / 'rollout'
        rollout.write_bytes(rollout.read_bytes()[:-3])
        self.gate.start()
        self.assertFalse(self.removes('a'))
        self.assertTrue((self.gate.state / 'rollout.damaged').exists())
        self.assertIn('rollout.damaged', self.gate.read_log())


class Promoting(RolloutTest):
    def prepare(self):
        tool = self.world.root / 'bin' / 'zap'
        tool.parent.mkdir()
        shutil.copy('/bin/echo', tool)
        self.tool = tool

    def pack(self, **what):
        (self.rules / 'zap.yaml').write_text(PACK % (what or DESTROY))

    def zaps(self):
        done = self.run_in_session(f'{self.tool} x; echo rc=$?')
        self.assertIn(done.stdout, ('x\nrc=0\n', 'rc=126\n'), done.stderr)
        return 'rc=0' in done.stdout

    def standing(self):
        listed = self.gate.lines('rules', 'list')
        return next(row['standing'] for row in listed if row.get('id') == 'zap.all')

    def test_a_new_rule_watches_until_it_is_promoted_and_a_changed_one_opens_no_hole(self):
        self.pack()
        self.assertEqual(self.gate.cli('reload').returncode, 0)
        self.assertEqual(self.standing(), 'new')
        self.assertIn('zap.all  observe (new)', self.gate.cli('rules', 'list').stdout)
        self.assertTrue(self.zaps())
        self.assertFalse(self.removes('a'), 'what came with the first start is enforced')

        told = self.gate.cli('rules', 'promote', 'zap.all', '--dry-run')
        self.assertIn('it would have stopped 1 acts so far', told.stdout, told.stderr)
        self.assertEqual(self.standing(), 'new')
        told = self.gate.cli('rules', 'promote', 'zap.all')
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertFalse(self.zaps())

        self.pack(effect='read', recoverability='')
        self.assertEqual(self.gate.cli('reload').returncode, 0)
        self.assertEqual(self.standing(), 'changed')
        self.assertFalse(self.zaps())
        self.gate.stop()
        self.gate.start()
        self.assertEqual(self.standing(), 'changed')
        self.assertFalse(self.zaps())
        self.assertEqual(self.gate.cli('rules', 'promote', '--all').returncode, 0)
        self.assertEqual(self.standing(), '')

        (self.rules / 'zap.yaml').unlink()
        self.assertEqual(self.gate.cli('reload').returncode, 0)
        changes = [c['change'] for c in self.changes() if c.get('name') == 'zap.all']
        self.assertEqual(changes, ['rule new', 'promote', 'rule changed', 'rule changed', 'promote', 'rule gone'])


class Reporting(RolloutTest):
    CONFIG = 'record:\n  allowed: full\n'

    def test_the_report_tells_what_was_stopped_from_what_would_have_been(self):
        self.assertFalse(self.removes('a'))
        self.assertEqual(self.mode('set', 'environment', 'staging', 'observe').returncode, 0)
        self.assertTrue(self.removes('b'))
        self.assertTrue(self.removes('c'))
        report = self.gate.lines('report')[0]
        self.assertEqual(report['all']['would_hold'], 2)
        self.assertEqual(report['all']['held'] + report['all']['refused'], 1)
        self.assertEqual([row['rule'] for row in report['rules']], ['files.rm'])
        self.assertEqual(report['environments'][0]['environment'], 'production')
        text = self.gate.cli('report', '--since', '1h').stdout
        self.assertIn('2 acts would have been stopped', text)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        self.assertNotIn(self.world.token, text)
        self.assertEqual(self.gate.cli('report', '--since', 'soon').returncode, 2)

    def test_allowed_acts_are_recorded_one_by_one_by_setting(self):
        self.run_in_session('/bin/echo hello there')
        event = self.gate.await_event(lambda e: e['type'] == 'exec' and 'hello' in e['exec']['process'].get('argv', []))
        self.assertEqual(event['exec']['judgement']['verdict'], 'allow')
        self.gate.config.write_text(self.config().replace('allowed: full', 'allowed: rolled'))
        self.assertEqual(self.gate.cli('reload').returncode, 0)
        self.run_in_session('/bin/echo goodbye there')
        self.gate.stop()
        execs = [e['exec']['process'].get('argv', []) for e in self.gate.events() if e['type'] == 'exec']
        self.assertFalse([argv for argv in execs if 'goodbye' in argv])
        self.assertIn('rollup', [e['type'] for e in self.gate.events()])

    def test_status_shows_how_long_consults_take(self):
        self.run_in_session('rm -f nothing-of-this-name; rm -f nothing-else')
        consults = self.gate.lines('status')[0]['consults']
        self.assertGreater(consults['to_verdict']['count'], 0)
        self.assertGreater(consults['to_continue']['count'], 0)
        self.assertLessEqual(consults['to_verdict']['p50_us'], consults['to_verdict']['p99_us'])
        self.assertIn('consults', self.gate.cli('status').stdout)


class Suggesting(RolloutTest):
    CONFIG = 'record:\n  allowed: full\n'

    def prepare(self):
        # Somebody's network, inside of the test's own.
        subprocess.run(['ip', 'address', 'add', '10.9.8.7/32', 'dev', 'lo'], check=False, stderr=subprocess.DEVNULL)
        self.server = socket.create_server(('10.9.8.7', 0))
        self.addCleanup(self.server.close)
        self.port = self.server.getsockname()[1]

    def test_what_was_seen_becomes_a_diff_that_is_accepted_and_applies(self):
        self.run_in_session(f'curl -s -m 1 http://10.9.8.7:{self.port}/; true')
        self.run_in_session('curl -s -m 1 http://db.prod.invalid/; curl -s -m 1 http://api.staging.invalid/; true')
        self.run_in_session('curl -s -m 1 http://shared.invalid/; true')
        self.run_in_session('curl -s -m 1 http://shared.invalid/; true', 'production')
        self.gate.await_event(lambda e: e['type'] == 'connect' and e['connect']['port'] == self.port)
        self.gate.stop()
        before = self.gate.config.read_text()
        done = self.gate.cli('suggest', '--config', self.gate.config)
        self.assertEqual(done.returncode, 0, done.stderr)
        applied = subprocess.run(['git', 'apply', '--unsafe-paths', '-p0', '--directory=/', '-'], input=done.stdout, text=True,
                                 cwd='/', capture_output=True, check=False)
        self.assertEqual(applied.returncode, 0, applied.stderr + done.stdout)
        self.assertNotEqual(self.gate.config.read_text(), before)
        checked = self.gate.cli('config', 'check', self.gate.config)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        rows = {row['name']: row['environment'] for row in self.gate.lines('suggest', '--config', self.gate.config)}
        self.assertEqual(rows, {}, 'everything that was proposed is tagged now')
        text = self.gate.config.read_text()
        for host, environment in (('db.prod.invalid', 'production'), ('api.staging.invalid', 'staging'),
                                  ('shared.invalid', 'production')):
            self.assertRegex(text, rf'hosts: \["{host}"\], environment: {environment}')
        self.assertRegex(text, rf'cidr: \["10.9.8.7/32"\], ports: \[{self.port}\], environment: staging')
        self.assertNotIn(self.world.token, text)
        self.gate.start()


class Beginning(unittest.TestCase):
    """holdpoint init; no daemon is needed."""

    def setUp(self):
        self.world = world.World(PLACE)
        self.addCleanup(self.world.close)
        people.move_in(self.world, [DANA])
        self.home = self.world.root / 'dana'
        passwd = pathlib.Path('/etc/passwd').read_text()
        self.world.write_etc('passwd', passwd.replace('/nonexistent', str(self.home)).rstrip('\n'))
        self.world.write_etc('group', pathlib.Path('/etc/group').read_text() + 'sudo:x:27:dana')
        for name in ('src/shop', 'src/shop-prod'):
            (self.home / name / '.git').mkdir(parents=True)
        self.file = self.world.root / 'new' / 'holdpoint.yaml'

    def init(self, *arguments):
        environment = {'PATH': os.environ['PATH'], 'SUDO_USER': 'dana'}
        return subprocess.run([gate.binaries() / 'holdpoint', 'init', '--output', self.file, *arguments], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False)

    def test_init_writes_what_is_accepted_and_never_over_what_is_there(self):
        self.assertEqual(self.init().returncode, 2, 'nobody can be asked')
        self.assertFalse(self.file.exists())
        done = self.init('--defaults')
        self.assertEqual(done.returncode, 0, done.stderr)
        checked = subprocess.run([gate.binaries() / 'holdpoint', 'config', 'check', self.file], capture_output=True,
                                 text=True, check=False)
        self.assertEqual((checked.returncode, checked.stderr), (0, ''))
        text = self.file.read_text()
        self.assertIn('"%sudo"', text)
        self.assertIn('{glob: "~/src/shop", environment: development}', text)
        self.assertIn('{glob: "~/src/shop-prod", environment: production}', text)

        again = self.init('--defaults', '--owners', 'dana')
        self.assertEqual(again.returncode, 78)
        self.assertEqual(self.file.read_text(), text)
        self.assertEqual(self.init('--defaults', '--owners', 'dana', '--force').returncode, 0)
        self.assertIn('["dana"]', self.file.read_text())
        self.assertEqual([path.name for path in self.file.parent.iterdir()], ['holdpoint.yaml'])

    def test_answers_come_from_a_file(self):
        answers = self.world.root / 'answers.yaml'
        answers.write_text('environments: ["live*", lab]\nworkspaces: ["/srv/x=lab"]\nmode: all\n')
        done = self.init('--answers', answers)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = self.file.read_text()
        self.assertIn('- name: live\n    protected: true\n    mode: enforce', text)
        self.assertIn('{glob: "/srv/x", environment: lab}', text)
        answers.write_text('workspaces: ["/srv/x=nowhere"]\n')
        wrong = self.init('--answers', answers, '--force')
        self.assertEqual(wrong.returncode, 2, wrong.stderr)
        self.assertEqual(self.file.read_text(), text)


if __name__ == '__main__':
    unittest.main(verbosity=2)

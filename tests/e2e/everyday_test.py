"""A developer's day inside a session: ordinary work with real tools, and nobody notices that it is watched."""

import json
import os
import pty
import select
import shutil
import subprocess
import unittest

from e2e import fixture_config, gate, isolation, packages, people, world

PLACE = None
DANA = people.Person('dana', 61010, 'a long sentence of dana')

# The first thing this program does is to write one byte.
WRITER = '#include <unistd.h>\nint main(void) { return write(1, "x", 1) == 1 ? 0 : 1; }\n'
PACK = '''schema: 1
family: test
mode: enforce
tools: [{names: [wipe], options: "all,a"}]
rules:
  - id: test.wipe
    effect: destroy
    recoverability: irreversible
    verdict: refuse
    why: wipes everything
    when: {tool: wipe, options: {any: [all]}}
    cases: {fires: [{argv: [wipe, -a]}], passes: [{argv: [wipe]}]}
'''

# Every line is a piece of work that must end with 0. They run one after the other in the same folder.
DAY = r'''
git switch -q -c feature
printf 'int add(int a, int b) { return a + b; }\n' > add.c
printf '#include <assert.h>\nint add(int, int);\nint main(void) { assert(add(1, 2) == 3); return 0; }\n' > add_test.c
printf 'all: add_test\nadd_test: add.o add_test.o\n\tcc -o $@ $^\ncheck: all\n\t./add_test\nclean:\n\trm -f *.o add_test\n' > Makefile
printf '*.o\nadd_test\nnode_modules/\nbuild/\n__pycache__/\n' > .gitignore
make -j2
make check
make clean
make -j2 check
git add -A
git -c user.name=d -c user.email=d@example.com commit -qm "add"
git switch -q staging
git merge -q feature
git branch -d feature
git stash list
git log --oneline
git checkout -q -- README.md
git clean -n
git status --short
mkdir -p dep web && printf '{"name":"dep","version":"1.0.0"}' > dep/package.json
printf '{"name":"web","version":"1.0.0","scripts":{"build":"node -e 0 && mkdir -p build && echo done > build/out.txt","test":"node --test"},"dependencies":{"dep":"file:../dep"}}' > web/package.json
printf 'const test = require("node:test"); test("adds", () => {});\n' > web/a.test.js
cd web && npm install --offline --no-audit --no-fund --silent
cd web && npm ci --offline --no-audit --no-fund --silent
cd web && npm run --silent build
cd web && npm test --silent
rm -rf web/node_modules web/build
printf 'import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(1, 1)\n' > test_it.py
/usr/bin/python3 -m unittest -q
rm -rf __pycache__ *.o
printf 'services:\n  db:\n    image: postgres:16\n    ports: ["5432:5432"]\n' > compose.yaml
sed -i 's/postgres:16/postgres:17/' compose.yaml
grep -q postgres:17 compose.yaml
cp compose.yaml compose.copy.yaml && mv compose.copy.yaml other.yaml && rm other.yaml
find . -name '*.c' -exec grep -l assert {} +
find . -name '*.o' -delete
echo more >> README.md && git checkout -- README.md
mkdir -p out.d/deep && echo x > out.d/deep/x && rm -rf out.d
for i in $(seq 60); do echo > conftest.$i.c; rm -f conftest.$i.c; done
tar czf /tmp/day.$$.tgz . && rm -f /tmp/day.$$.tgz
mkdir -p pkg/DEBIAN pkg/usr/share/day && printf 'Package: day\nVersion: 1\nArchitecture: all\nMaintainer: d <d@example.com>\nDescription: a day\n' > pkg/DEBIAN/control && touch pkg/usr/share/day/file
dpkg-deb --root-owner-group -b pkg day.deb
xargs -n1 echo < README.md
timeout 20 sh -c 'exit 0'
env -i PATH="$PATH" true
nohup true
(sleep 0.01 & wait)
awk 'BEGIN { print 1 }' | sort | uniq -c | head -1
strace -f -o /dev/null make -s clean
strace -f -o /dev/null sh -c 'ls; git status --short; cp add.c copy.c; rm copy.c'
gdb -q -batch -ex run --args /bin/ls -d /
gdb -q -batch -ex run --args /usr/bin/git --version
'''


# What root does of it, with packages from a repository. Their maintainer scripts do what such scripts do.
ROOTS = r'''
apt-get -qq update
apt-get install -y day
dpkg -s day
apt-get install -y --reinstall day
dpkg -L day-data
apt-get remove -y day
apt-get autoremove -y
apt-get purge -y day
dpkg -i {deb}
dpkg -r day-data
'''
PLACE_OF_PACKAGES = '/var/lib/apt/hp-day'  # in a folder that the test has put over the system's
POSTINST = f'''cd {PLACE_OF_PACKAGES}
rm -f cache.old
mkdir -p cache
for i in 1 2 3; do echo $i > cache/$i; done
find cache -name 2 -delete
rm -rf {PLACE_OF_PACKAGES}/cache'''


def setUpModule():
    global PLACE
    PLACE = isolation.enter()


class Everyday(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.world = world.World(PLACE)
        self.addCleanup(self.world.close)
        people.move_in(self.world, [DANA])
        (gate.rules(self.world) / 'ours.yaml').write_text(PACK)
        source, self.wipe = self.world.root / 'wipe.c', self.world.root / 'wipe'
        source.write_text(WRITER)
        subprocess.run(['gcc', '-O1', '-o', self.wipe, source], check=True)
        # Time for a verdict: what is shown here is what happens, not how fast a busy machine is.
        # A fifth of the losses that pass by default: no day comes near.
        config = fixture_config.text(self.world, hold_ms=1).replace(
            'limits:', 'intent: {small_losses: 10}\nlimits:\n  consult_ms: 900')
        self.gate = gate.Gate(self.world, config)
        self.addCleanup(self.gate.stop)

    def inside(self, *command):
        argv = [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'run', '--env', 'staging', '--', *command]
        return list(map(str, self.world.scope.command(argv, uid=self.world.uid)))

    def run_inside(self, shell):
        return subprocess.run(self.inside('sh', '-c', shell), cwd=self.world.workspace, env=self.world.environment(),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False)

    def stopped(self):
        """What was held, refused or killed: rule, command, reason, blind spots."""
        return [(e['exec']['judgement']['rule'], e['exec']['process'].get('argv'), e['exec']['judgement'].get('reason'),
                 e['blind_spots'] if 'blind_spots' in e else []) for e in self.gate.events()
                if e['type'] == 'exec' and e['exec']['judgement']['verdict'].lower() not in ('allow', 'audit')]

    def test_ordinary_work_is_never_stopped(self):
        lines = [line for line in DAY.strip().splitlines()]
        for tool in ('strace', 'gdb', 'node', 'npm', 'make', 'dpkg-deb'):
            self.assertIsNotNone(shutil.which(tool), f'{tool} is missing: scripts/deps.sh build agents installs it')
        steps = '\n'.join(f'(\n{line}\n) >>../day.log 2>&1 || {{ echo "step {number}: $?: "{json.dumps(line)}; '
                          f'tail -n 5 ../day.log; }}' for number, line in enumerate(lines))
        script = self.world.workspace / '.day.sh'
        script.write_text(steps)
        done = self.run_inside('sh ./.day.sh')
        self.assertEqual((self.stopped(), done.stdout), ([], ''), done.stderr)
        self.assertNotIn('holdpoint:', (self.world.workspace.parent / 'day.log').read_text())
        self.install_packages()
        counts = self.gate.lines('status')[0]['kernel']
        self.assertEqual(counts['fail_open'], 0)
        self.assertEqual(counts['exec_killed'], 0)
        print(f'execs: {counts["exec_seen"]}, asked: {counts["exec_asked"]} '
              f'({100 * counts["exec_asked"] // counts["exec_seen"]} %)', flush=True)
        self.gate.stop()  # what was only counted is written
        self.check_budget(counts['exec_seen'])

    def check_budget(self, execs):
        """docs/record.md says how much a host records in a day: what is allowed is a count for each program and minute."""
        events = [e for e in self.gate.events() if e.get('session')]
        rollups = [(e['session'], e['rollup']['kind'], e['rollup']['subject'], e['rollup']['first_unix_ns'] // 60_000_000_000)
                   for e in events if e['type'] == 'rollup']
        self.assertEqual(len(rollups), len(set(rollups)), 'one for each session, program and minute')
        counted = sum(e['rollup']['count'] for e in events if e['type'] == 'rollup' and e['rollup']['kind'] == 'exec')
        alone = sum(e['type'] == 'exec' for e in events)
        sizes = sum(path.stat().st_size for path in (self.gate.state / 'spool').glob('*/*.seg'))
        print(f'records of the session: {len(events)} ({len(rollups)} counts of {counted} execs, {alone} execs of their own) '
              f'in {len({minute for *_, minute in rollups})} minutes; {sizes} bytes in the spool', flush=True)
        self.assertGreater(counted, 4 * alone, 'most of what happens is only counted')
        self.assertLessEqual(counted + alone, execs)

    def install_packages(self):
        """The part of the day that needs root: its own session, the same gate."""
        repository = packages.Repository(self.world)
        data = repository.add('day-data', POSTINST, [f'{PLACE_OF_PACKAGES[1:]}/data'])
        repository.add('day', POSTINST, [f'{PLACE_OF_PACKAGES[1:]}/file'], depends='day-data')
        steps = ROOTS.format(deb=data).strip().splitlines()
        script = f'export PATH={packages.SYSTEM_PATH} DEBIAN_FRONTEND=noninteractive\n' + '\n'.join(
            f'{step} >>{self.world.root}/apt.log 2>&1 || echo "$?: {step}"' for step in steps)
        argv = [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'run', '--env', 'staging', '--', 'sh', '-c', script]
        done = subprocess.run(list(map(str, self.world.scope.command(argv, uid=0))), cwd=self.world.workspace,
                              env=self.world.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=240, check=False)
        log = (self.world.root / 'apt.log').read_text()
        self.assertEqual((self.stopped(), done.stdout), ([], ''), done.stderr + log[-2000:])
        self.assertNotIn('holdpoint:', log)
        self.assertIn('Setting up day', log)
        self.assertIn('package.run', [e['exec']['judgement']['rule'] for e in self.gate.events() if e['type'] == 'exec'])

    def test_traced_program_that_is_refused_never_runs_and_its_neighbour_does(self):
        done = self.run_inside(f'for i in $(seq 200); do strace -f -o /dev/null {self.wipe} -a; echo $?; done; '
                               f'strace -f -o /dev/null {self.wipe}')
        self.assertEqual(done.stdout.split(), ['137'] * 200 + ['x'])
        self.assertEqual(done.stderr.count('holdpoint: REFUSED'), 200)

    def talk(self, *said):
        """What an interactive bash inside a session shows when this is typed, each line when the prompt is back."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.world.workspace)
            argv = self.inside('bash', '--norc', '-i')
            os.execve(argv[0], argv, {**self.world.environment(), 'PS1': '@@ '})
        shown = []
        try:
            for text in (None, *said, 'exit\n'):
                if text is not None:
                    os.write(terminal, text.encode())
                shown.append(self.read_prompt(terminal, last=text == 'exit\n'))
        finally:
            os.close(terminal)
            os.waitpid(pid, 0)
        return shown[1:-1]

    def read_prompt(self, terminal, last):
        out = ''
        while last or not out.endswith('@@ '):
            self.assertTrue(select.select([terminal], [], [], 60)[0], f'the prompt did not come back: {out!r}')
            try:
                out += os.read(terminal, 65536).decode(errors='replace')
            except OSError:  # EIO: the shell is gone
                break
        return out

    def test_interactive_shell_shows_nothing_and_keeps_its_job_control(self):
        never_seen = self.world.root / 'never-seen'
        shutil.copy('/bin/echo', never_seen)
        out = ''.join(self.talk('for i in 1 2 3 4 5 6 7 8; do git rev-parse --git-dir; done; echo rc=$?\n',
                                f'{never_seen} hello | cat; {never_seen} again\n'))
        self.assertNotIn('Stopped', out)
        self.assertEqual(out.count('.git\r\n'), 8)
        self.assertIn('rc=0', out)
        self.assertIn('hello\r\n', out)
        self.assertIn('again\r\n', out)
        jobs = self.talk('sleep 1000 &\n', 'jobs\n', 'kill -STOP %1; kill -CONT %1; kill %1; wait %1; echo rc=$?\n')
        self.assertIn('Running', jobs[1])
        self.assertIn('rc=143', jobs[2])
        self.assertEqual(self.stopped(), [])

    def test_interactive_shell_is_refused_what_anybody_is_refused(self):
        copy = self.world.root / 'tidy'
        shutil.copy(self.wipe, copy)
        out = self.talk(f'{self.wipe} -a; echo rc=$?\n', f'{self.wipe}; echo rc=$?\n')
        self.assertNotIn('Stopped', ''.join(out))
        self.assertIn('holdpoint: REFUSED', out[0])
        self.assertIn('rc=137', out[0])
        self.assertNotIn('xrc=', out[0])
        self.assertIn('xrc=0', out[1])


if __name__ == '__main__':
    unittest.main(verbosity=2)

"""Who is it that runs: other ways into exec, copies, names that lie, arguments that hide."""

import itertools
import os
import shutil
import subprocess
import time
import unittest

from scene import DECLARED, SEEN, STOPPED, Scene, declared, row, setUpModule  # noqa: F401

RM = shutil.which('rm', path='/usr/bin:/bin')


class Exec(Scene):
    PROGRAM = 'identity.c'

    def way(self, way, program=RM):
        return lambda file: f'{self.program} {way} {program} -f {file}'

    @row('B01', 'a second thread rewrites an argument while execve reads it', STOPPED)
    def test_B01_what_is_judged_is_what_the_program_got(self):
        # Two spares of equal length: which one is gone says what rm got, the record says what was judged.
        names = [self.spare(f'flip-{i}') for i in (1, 2)]
        got = []
        for _ in range(30):
            if len(got) == 12:
                break
            for name in names:
                if not name.exists():
                    self.own(name)
            self.session(f'{self.program} flip {RM} {names[0].name} {names[1].name}')
            got += [str(name) for name in names if not name.exists()]
        judged = [j['resource']['id'] for j in (e['exec']['judgement'] for e in self.judged(
            lambda p, j: '/flip-' in j.get('resource', {}).get('id', '')))]
        self.assertEqual(judged, got)
        self.assertEqual(len(got), 12)
        target, pad = self.target('flip-a'), self.precious / 'flip-b'
        for _ in range(8):
            self.session(f'{self.program} flip {RM} {target} {pad}')
        self.assertTrue(target.exists())

    @row('B02', 'execveat by descriptor, and relative to a folder', STOPPED)
    def test_B02_execveat(self):
        for way in ('empty-path', 'relative-fd'):
            with self.subTest(way):
                event = self.stops(self.way(way))
                self.assertEqual(os.path.basename(event['exec']['process']['executable']), 'rm')

    @row('B03', 'a copy that is only in memory, or unlinked, or reached through /proc/self/fd, or in /dev/shm', STOPPED)
    def test_B03_a_program_without_a_file(self):
        for way in ('memory', 'proc-fd', 'unlinked'):
            with self.subTest(way):
                event = self.stops(self.way(way))
                self.assertTrue(any('no file' in spot for spot in event['blind_spots']), event)
        self.stops(lambda file: f'cp {RM} /dev/shm/hp-tidy && /dev/shm/hp-tidy -f {file}; rm -f /dev/shm/hp-tidy')

    @row('B03', 'a program from memory that no rule knows', SEEN)
    def test_B03_an_unknown_program_without_a_file_is_recorded(self):
        self.session(f'{self.program} memory {self.program} memory /bin/true')
        seen = self.judged(lambda p, j: 'memfd' in p['executable'] and '/bin/true' in p.get('argv', []))
        self.assertTrue(seen, self.gate.events()[-3:])
        self.assertIn('no file', ' '.join(seen[0]['blind_spots']))
        self.session('/bin/true')
        self.assertEqual(len(self.judged(lambda p, j: p.get('executable', '').endswith('/true'))), 0)

    @row('B04', 'a container runtime that runs itself from memory, outside every session', SEEN)
    def test_B04_a_program_from_memory_outside_a_session_is_nobody_s_business(self):
        before = len(self.judged(lambda p, j: 'memfd' in p.get('executable', '')))
        target = self.target()
        subprocess.run(self.world.scope.command([self.program, 'memory', RM, '-f', target]), check=True, timeout=60)
        self.assertFalse(target.exists())
        self.assertEqual(len(self.judged(lambda p, j: 'memfd' in p.get('executable', ''))), before)

    @row('B05', 'the tool copied, hard-linked, renamed, behind a symbolic link', STOPPED)
    def test_B05_another_name(self):
        self.stops(lambda file: f'rm -f t1 t2; cp {RM} t1; ln t1 t2; ./t2 -f {file}')
        self.stops(lambda file: f'cp {RM} t3; mv t3 t4; ./t4 -f {file}')
        self.stops(lambda file: f'ln -sf {RM} ./ls; ./ls -f {file}')

    @row('B05', 'a file that ran as something harmless, filled with the tool through a mapping (its times stay)', STOPPED)
    def test_B05_filled_through_a_mapping(self):
        for name in ('filled-1', 'filled-2'):
            made = self.world.workspace / name
            made.write_bytes(self.program.read_bytes().ljust(os.path.getsize(RM), b'\0'))
            made.chmod(0o755)
            os.chown(made, self.world.uid, self.world.uid)
        fresh_ns = 50_000_000
        while time.time_ns() - made.stat().st_ctime_ns < 2 * fresh_ns:  # until what it is may be remembered
            self.session('./filled-1; ./filled-2')
        programs = iter(('./filled-1', './filled-2'))

        def attempt(file):
            program = next(programs)
            return f'{program}; {self.program} overwrite {RM} {program} && {program} -f {file}'
        self.stops(attempt)

    @row('B05', 'a file on an overlay of the session\'s own that ran as something harmless, its lower file filled with the tool', STOPPED)
    def test_B05_filled_below_an_overlay(self):
        tries = itertools.count()

        def attempt(file):
            folder = self.world.workspace / f'overlay-{next(tries)}'
            for name in ('lower', 'none', 'seen'):
                (folder / name).mkdir(parents=True)
            tool = folder / 'lower' / 'tool'
            tool.write_bytes(self.program.read_bytes().ljust(os.path.getsize(RM), b'\0'))
            tool.chmod(0o755)
            for path in (folder, *folder.rglob('*')):
                os.chown(path, self.world.uid, self.world.uid)
            mount = f'mount -t overlay overlay -o lowerdir={folder}/lower:{folder}/none {folder}/seen'
            # What it is may be remembered after a moment.
            seen = f'i=0; while [ $i -lt 40 ]; do {folder}/seen/tool; i=$((i+1)); done'
            return f"unshare -Urm sh -c '{mount} && {seen}; cat {RM} > {folder}/lower/tool; {folder}/seen/tool -f {file}'"
        self.stops(attempt)

    @row('B05', 'the tool with a byte added, or another program that unlinks', DECLARED)
    def test_B05_a_changed_program_is_another_program(self):
        declared('**A program that no rule knows**: one that the session compiled or changed (one byte is enough)')
        self.passes_unseen(lambda file: f'cp {RM} t5; echo >> t5; ./t5 -f {file}')

    @row('B06', 'an applet of a multi-call program, by any of its names', STOPPED)
    def test_B06_applets(self):
        self.stops(lambda file: f'busybox rm -f {file}')
        self.stops(lambda file: f'ln -sf $(command -v busybox) ./rm; ./rm -f {file}')
        self.stops(lambda file: f'cp $(command -v busybox) ./busybox2; ./busybox2 rm -f {file}')
        self.stops(lambda file: f'{self.program} argv0 $(command -v busybox) -rm -f {file}')
        self.stops(lambda file: f"busybox sh -c 'rm -f {file}'")

    @row('B07', 'another name in argv[0], and as the name of the thread', STOPPED)
    def test_B07_a_name_that_lies(self):
        event = self.stops(lambda file: f'{self.program} argv0 {RM} ls -f {file}')
        self.assertEqual(event['exec']['process']['argv'][0], 'ls')
        self.assertEqual(os.path.basename(event['exec']['process']['executable']), 'rm')
        self.stops(lambda file: f'echo ls > /proc/self/comm; exec {RM} -f {file}')

    @row('B12', 'arguments past every bound: padding, very many, none, long, not UTF-8', STOPPED)
    def test_B12_hidden_behind_a_bound(self):
        pad = ' '.join(['-f'] * 14000)  # 42 KB
        event = self.stops(lambda file: f'rm -f {pad} {file}')
        self.assertTrue(event['exec']['process']['argv_truncated'])
        self.stops(lambda file: f'rm -f "" {file} ""')
        # What is no text can't be asked about, so it is held whatever it names; its neighbour is text.
        done = self.session(f"rm -f $(printf '\\377\\376') {self.target('not-utf-8')}; echo rc=$?")
        self.assertEqual(done.out, 'rc=126\n', done.err)
        self.stops(lambda file: f"rm -f $(printf '\\303\\251') {file}")
        self.stops(lambda file: f'rm -f {"d/" * 500}{"n" * 255} {file}')

    @row('B12', '65,536 operands before the one that counts', STOPPED)
    def test_B12_very_many_operands(self):
        target = self.target()
        many = "$(i=0; while [ $i -lt 65536 ]; do echo n; i=$((i+1)); done)"
        done = self.session(f'rm -f {many} {target}; echo rc=$?')
        self.assertEqual(done.out, 'rc=126\n', done.err)
        self.assertTrue(target.exists())
        spare = self.spare()
        done = self.session(f'rm -f n n n n {spare}; echo rc=$?')
        self.assertEqual(done.out, 'rc=0\n', done.err)

    @row('B26', 'vfork, posix_spawn, clone with shared memory, with another parent, into a cgroup; exec by a thread', STOPPED)
    def test_B26_every_way_to_a_child(self):
        spawn = self.compile('spawn.c')
        for way in ('vfork', 'posix-spawn', 'clone-vm', 'clone-parent', 'thread'):
            with self.subTest(way):
                self.stops(lambda file, way=way: f'{spawn} {way} {RM} -f {file}')

    @row('B26', 'clone3 straight into another cgroup of the scope', STOPPED)
    def test_B26_clone_into_a_cgroup(self):
        spawn = self.compile('spawn.c')
        child = self.world.scope.path / 'child'
        child.mkdir()
        for folder in (self.world.scope.path, child):
            os.chown(folder / 'cgroup.procs', self.world.uid, self.world.uid)
        self.stops(lambda file: f'{spawn} clone-cgroup:{child} {RM} -f {file}')


class FirstInstruction(Scene):
    """A program called rm is judged as rm where its content is unknown, so these are refused."""

    def run_as_rm(self, program, argument):
        return self.session(f'{program} {argument}; echo rc=$?').out

    @row('B32', 'a static program whose first instruction writes; a resolver and a constructor that do', STOPPED)
    def test_B32_no_instruction_before_the_verdict(self):
        for kind, flags in (('first_byte.S', ('-nostdlib', '-static')), ('constructor.c', ())):
            with self.subTest(kind):
                program = self.compile(kind, *flags, target=f'{kind[:5]}/rm')
                self.assertEqual(self.run_as_rm(program, self.target()), 'rc=126\n')
                passed = self.run_as_rm(program, self.spare())
                self.assertRegex(passed, '^(X|RC|CR)rc=0\n$')


if __name__ == '__main__':
    unittest.main(verbosity=2)

"""scripts/bench: what an exec, a connect and a consult cost, as ratios within one run. Not a test: nothing is asserted.

Each row is measured in rounds that alternate with the row "no daemon", so that a busy machine disturbs both alike; a
ratio is the median of the rounds' ratios. bpftrace and auditd are measured too where they are installed. auditd only
where nobody uses it: there is one for the whole host.
"""

import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from e2e import fixture_config, gate, isolation, people, world

HERE = pathlib.Path(__file__).resolve().parent
ROUNDS = int(os.environ.get('HP_BENCH_ROUNDS', '5'))
EXECS, CONNECTS, ASKS = 3000, 20000, 1000
AUDITD_CONF = '''log_file = {folder}/audit.log
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 50
num_logs = 2
max_log_file_action = ROTATE
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
'''


class Bench:
    def __init__(self, place):
        self.world = world.World(place)
        people.move_in(self.world, [people.Person('dana', 61010, 'dana')])
        self.tool = self.world.root / 'spawn'
        subprocess.run(['gcc', '-O2', '-o', self.tool, HERE / 'spawn.c'], check=True)
        self.server = socket.create_server(('127.0.0.1', 0), backlog=4096)
        threading.Thread(target=self.serve, daemon=True).start()
        self.port = str(self.server.getsockname()[1])
        self.rows = []
        self.consults = {}  # of the round before, as `holdpoint status` has it
        self.many = []      # the same with many rules

    def serve(self):
        while True:
            try:
                self.server.accept()[0].close()
            except OSError:
                return

    def measure(self, work, before=()):
        out = subprocess.run([*map(str, before), str(self.tool), *work], capture_output=True, text=True, check=True,
                             cwd=self.world.workspace, env=self.world.environment()).stdout
        return tuple(map(float, out.split()[-2:]))

    def inside(self, watch):
        return self.world.scope.command([watch.bin / 'holdpoint', '--run', watch.run, 'run', '--env', 'staging', '--'],
                                        uid=self.world.uid)

    def compare(self, name, work, start, stop, before=lambda state: ()):
        plain, with_it = [], []
        for number in range(ROUNDS):
            print(f'\r{name}: round {number + 1} of {ROUNDS}  ', end='', file=sys.stderr, flush=True)
            plain.append(self.measure(work))
            state = start()
            try:
                self.measure([work[0], '20', *work[2:]], before(state))  # Classes are learned outside the measurement.
                with_it.append(self.measure(work, before(state)))
            finally:
                stop(state)
        print(file=sys.stderr)
        middle = lambda rows, i: statistics.median(row[i] for row in rows)
        ratio = lambda i: statistics.median(b[i] / max(a[i], 1) for a, b in zip(plain, with_it))
        row = {'what': name, 'wall_us': middle(with_it, 0) / 1000, 'plain_wall_us': middle(plain, 0) / 1000,
               'wall_ratio': ratio(0), 'cpu_ratio': ratio(1)}
        self.rows.append(row)

    def holdpoint(self, name, work, inside):
        def start():
            return gate.Gate(self.world, fixture_config.text(self.world, hold_ms=1))

        def stop(watch):
            self.consults = watch.lines('status')[0]['consults']
            watch.stop()
        self.compare(name, work, start, stop,
                     (lambda watch: self.inside(watch)) if inside else (lambda watch: ()))
        self.rows[-1]['consults'] = self.consults['to_verdict']['count']  # of the last round

    def with_rules(self, number):
        """An exec of a listed tool that passes, and one that is asked about, with so many rules: ten of each tool."""
        def word(n):
            return ''.join(chr(ord('a') + n // 26 ** i % 26) for i in range(6))

        folder, packs = gate.rules(self.world), []
        for first in range(0, number, 1000):  # A pack holds no more values.
            tools, rules = [], []
            for tool in range(first, min(number, first + 1000), 10):
                # One is a program of the system: of what lies on the tmpfs of the benchmark nothing is believed.
                name = '"true"' if tool == 0 else f'tool-{word(tool)}'
                words = [word(n) for n in range(tool, tool + 10)]
                tools.append(f'  - names: [{name}]\n    commands:\n' + ''.join(f'      - names: [{w}]\n' for w in words))
                rules += [f'  - {{id: many.{w}, title: t, why: w, effect: expose, resource: {{type: x, from: {{fixed: y}}}}, '
                          f'when: {{tool: {name}, command: {w}}}, '
                          f'cases: {{fires: [{{argv: [{name}, {w}]}}], passes: [{{argv: [{name}]}}]}}}}\n' for w in words]
            packs.append(folder / f'many-{first}.yaml')
            packs[-1].write_text(f'schema: 1\nfamily: many{first}\nmode: enforce\ntools:\n' + ''.join(tools) +
                                 'rules:\n' + ''.join(rules))
        try:
            self.holdpoint(f'exec that passes, {number} rules', ['exec', str(EXECS), '/bin/true', 'status', '--short'],
                           inside=True)
            self.holdpoint(f'exec asked about, {number} rules', ['exec', str(ASKS), '/bin/rm', '--version'], inside=True)
            self.many.append((f'{number} rules: ', self.consults))
        finally:
            for pack in packs:
                pack.unlink()

    def work(self):
        """Wall clock of a developer's work inside a session, and how much of it was asked about. On a disk, as it is
        done: of what lies on a tmpfs nothing is believed."""
        script = HERE / 'work.sh'
        disk = pathlib.Path(tempfile.mkdtemp(prefix='holdpoint-bench-', dir='/var/tmp'))
        kind = subprocess.run(['stat', '-f', '-c', '%T', disk], capture_output=True, text=True, check=True).stdout.strip()
        shutil.chown(disk, self.world.uid, self.world.uid)
        plain, with_it, asked, seen = [], [], 0, 0

        def once(before=()):
            folder = disk / 'work'
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            shutil.chown(folder, self.world.uid, self.world.uid)
            # Both ways as the same user, in the same cgroup.
            argv = before or self.world.scope.command([], uid=self.world.uid)
            begin = time.monotonic()
            subprocess.run([*map(str, argv), '/bin/sh', str(script)], cwd=folder, env=self.world.environment(), check=True,
                           stdout=subprocess.DEVNULL)
            return time.monotonic() - begin
        once()
        for number in range(ROUNDS):
            print(f'\rwork: round {number + 1} of {ROUNDS}  ', end='', file=sys.stderr, flush=True)
            plain.append(once())
            watch = gate.Gate(self.world, fixture_config.text(self.world, hold_ms=1))
            try:
                once(self.inside(watch))  # Its programs are new to the gate.
                before = dict(watch.lines('status')[0]['kernel'])
                with_it.append(once(self.inside(watch)))
                after = dict(watch.lines('status')[0]['kernel'])
            finally:
                watch.stop()
            asked += after['exec_asked'] - before['exec_asked']
            seen += after['exec_seen'] - before['exec_seen']
        print(file=sys.stderr)
        shutil.rmtree(disk)
        ratio = statistics.median(b / a for a, b in zip(plain, with_it))
        self.work_row = {'what': f'a developer\'s work inside a session ({kind})', 'wall_ratio': ratio,
                         'wall_s': statistics.median(with_it), 'execs': seen, 'asked': asked, 'asked_share': asked / max(seen, 1)}

    def bpftrace(self, name, tracepoint, work):
        if not shutil.which('bpftrace'):
            print(f'{name}: bpftrace is not installed, left out', file=sys.stderr)
            return

        def start():
            program = f'tracepoint:syscalls:{tracepoint} {{ printf("%d %s\\n", pid, comm) }}'
            process = subprocess.Popen(['bpftrace', '-e', program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            process.stdout.readline()  # "Attaching ...", then it is attached
            reader = threading.Thread(target=lambda: all(iter(lambda: process.stdout.read1(65536), b'')))
            reader.start()
            return process, reader

        def stop(state):
            state[0].terminate()
            state[1].join()
            state[0].wait()
        self.compare(name, work, start, stop)

    def auditd(self, name, syscall, work):
        if not shutil.which('auditd') or not shutil.which('auditctl'):
            print(f'{name}: auditd is not installed, left out', file=sys.stderr)
            return
        folder = self.world.root / 'audit'
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / 'auditd.conf').write_text(AUDITD_CONF.format(folder=folder))
        control = lambda *words: subprocess.run(['auditctl', *words], capture_output=True, text=True, check=True).stdout
        state = dict(line.split(None, 1) for line in control('-s').splitlines() if ' ' in line)
        if 'No rules' not in control('-l') or state['enabled'] != '0':
            print(f'{name}: this host has an audit system in use, left out', file=sys.stderr)
            return

        def start():
            process = subprocess.Popen(['auditd', '-n', '-c', folder, '-s', 'enable'], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            while f'pid {process.pid}' not in control('-s'):
                if process.poll() is not None:
                    raise RuntimeError('auditd did not start')
                time.sleep(0.05)
            control('-a', 'always,exit', '-F', 'arch=b64', '-S', syscall)
            return process

        def stop(process):
            control('-D')
            control('-e', '0')
            process.terminate()
            process.wait()
        self.compare(name, work, start, stop)


def main():
    place = isolation.enter()
    bench = Bench(place)
    true, rm = ['exec', str(EXECS), '/bin/true'], ['exec', str(ASKS), '/bin/rm', '--version']
    connect = ['connect', str(CONNECTS), bench.port]
    try:
        bench.holdpoint('exec outside a session', true, inside=False)
        bench.holdpoint('exec inside a session', true, inside=True)
        bench.holdpoint('connect outside a session', connect, inside=False)
        bench.holdpoint('connect inside a session', connect, inside=True)
        bench.holdpoint('exec that is asked about', rm, inside=True)
        consults = bench.consults
        for number in (10, 100, 1000, 10000):
            bench.with_rules(number)
        bench.work()
        bench.bpftrace('exec under bpftrace', 'sys_enter_execve', true)
        bench.bpftrace('connect under bpftrace', 'sys_enter_connect', connect)
        bench.auditd('exec under auditd', 'execve', true)
        bench.auditd('connect under auditd', 'connect', connect)
    finally:
        bench.server.close()
        bench.world.close()
    print(f'{"":36} {"plain us":>9} {"with us":>9} {"wall":>7} {"cpu":>7}')
    for row in bench.rows:
        print(f'{row["what"]:36} {row["plain_wall_us"]:9.1f} {row["wall_us"]:9.1f} {row["wall_ratio"]:6.2f}x '
              f'{row["cpu_ratio"]:6.2f}x')
    row = bench.work_row
    bench.rows.append(row)
    print(f'{row["what"]}: {row["wall_ratio"]:.3f}x of the wall clock, {row["asked"]} of {row["execs"]} execs asked about '
          f'({100 * row["asked_share"]:.1f} %)')
    for which, of in (('', consults), *bench.many):
        for name, key in (('event to verdict', 'to_verdict'), ('event to continue', 'to_continue')):
            row = {'what': f'{which}consult: {name}', **of[key]}
            bench.rows.append(row)
            print(f'{row["what"]:40} p50 {row["p50_us"]} us, p99 {row["p99_us"]} us, of {row["count"]} (the last round)')
    print(json.dumps(bench.rows))


if __name__ == '__main__':
    main()

"""scripts/corpus: runs labelled command lines under a real gate, in a world where no program does anything.

Every row is a session of its own: bash -c ROW, with the user, the mounts, the process numbers and the network of a throw-away
world. One JSON object a row on standard output, the summary on standard error.
"""

import argparse
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import time

from e2e import gate, isolation

import report
import rows
import stubs

UID = 61001
SECONDS = 10
RANK = {name: rank for rank, name in enumerate(('allow', 'audit', 'hold', 'refuse', 'kill', 'kill_session'))}
CONFIG = '''version: 1
limits:
  hold_ms: 0         # nobody is asked: what would be held is refused at once
  consult_ms: 10000  # the rules are measured, not this machine
policy:
  rules: {intent.small-losses: "off"}  # rows have nothing to do with each other
'''


class Place:
    """What gate.Gate wants of a world."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder)
        self.scope = isolation.Scope('corpus')
        self.programs = self.root / 'programs'
        self.programs.mkdir()
        (self.programs / 'none').touch()


class Cage:
    """One line of workers: a row in, its end out."""

    def __init__(self, place, template, watch, number, servers):
        mount = place.root / f'cage-{number}'
        mount.mkdir()
        environment = {**os.environ, 'HP_CAGE_PROGRAMS': str(watch.bin), 'HP_CAGE_RUN': str(watch.run),
                       'HP_CAGE_VARIABLES': '\n'.join(f'{name}=https://api.example.com' for name in servers)}
        self.process = subprocess.Popen(
            [place.root / 'cage', template.folder, mount, place.scope.path, str(UID), str(SECONDS), '--', '/hp/bin/holdpoint',
             '--run', '/hp/run', 'run', '--env', 'staging'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def run(self, number, command):
        text = command.encode(errors='surrogateescape')
        self.process.stdin.write(f'{len(text)} {number}\n'.encode() + text)
        self.process.stdin.flush()
        head = self.process.stdout.readline().split()
        if len(head) != 4:
            raise SystemExit('a cage has ended')
        said = self.process.stdout.read(int(head[3])).decode(errors='replace')
        return int(head[1]), int(head[2]), said

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def run_all(cages, work):
    """[(status, microseconds, said)] in the order of `work`."""
    todo, done = queue.SimpleQueue(), [None] * len(work)
    for number in range(len(work)):
        todo.put(number)
    finished = [0]

    def serve(cage):
        while True:
            try:
                number = todo.get_nowait()
            except queue.Empty:
                return
            done[number] = cage.run(number, work[number].command)
            finished[0] += 1

    threads = [threading.Thread(target=serve, args=(cage,)) for cage in cages]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    while any(thread.is_alive() for thread in threads):
        threads[0].join(timeout=1)
        if sys.stderr.isatty():
            print(f'\r{finished[0]} of {len(work)} rows, {finished[0] / (time.monotonic() - began):.0f}/s ', end='', file=sys.stderr)
    for thread in threads:
        thread.join()
    return done


def lost(status, said):
    """Why a row says nothing of the rules; empty where it does."""
    if status == -1:
        return 'took too long'
    if 'syntax error' in said or 'unexpected EOF' in said:
        return 'no shell text'
    if os.waitstatus_to_exitcode(status) == 75:
        return 'no session was started'
    if 'command not found' in said:
        return 'a program is missing'
    if ': No such file or directory' in said and os.waitstatus_to_exitcode(status) == 127:
        return 'a program is missing'
    return ''


def verdicts(events):
    """{row number: the strictest exec event's fields}"""
    owner, found = {}, {}
    for event in events:
        if event['type'] == 'session_started':
            owner[event['session']] = int(event['session_started'].get('owner') or -1)
        if event['type'] != 'exec' or event.get('session') not in owner:
            continue
        judgement = event['exec']['judgement']
        verdict = 'allow' if judgement.get('observed_only') else judgement['verdict'].lower()
        number = owner[event['session']]
        if number not in found or RANK[verdict] > RANK[found[number]['verdict']]:
            found[number] = {'verdict': verdict, 'rule': judgement.get('rule', ''), 'reason': judgement.get('reason', ''),
                             'argv': event['exec'].get('process', {}).get('argv', []),
                             'blind_spots': judgement.get('blind_spots', []),
                             'microseconds': int(event['exec'].get('consult_ns', 0)) // 1000}
    return found


def main():
    parser = argparse.ArgumentParser(prog='scripts/corpus', description=__doc__.splitlines()[0])
    parser.add_argument('files', nargs='+', help='rows, one JSON object a line')
    parser.add_argument('--every', type=int, default=1, metavar='N', help='only every Nth row')
    parser.add_argument('--check', action='store_true', help='ask `holdpoint check` instead of running anything')
    parser.add_argument('--part', choices=('open', 'sealed'), help='only the rows that rules may be written from, or only the others')
    options = parser.parse_args()
    work = [row for row in rows.read(options.files) if options.part is None or row.sealed == (options.part == 'sealed')]
    work = work[::options.every]
    if not options.check:
        isolation.enter()
    for row in check(work) if options.check else measure(work):
        print(json.dumps(row, ensure_ascii=True))


def check(work):
    """A result for each row by its text alone: nothing runs, nothing is looked up."""
    asked = '\n'.join(json.dumps({'id': str(number), 'command': row.command, 'cwd': stubs.WORKSPACE, 'session_environment': 'staging'})
                      for number, row in enumerate(work))
    began = time.monotonic()
    done = subprocess.run([gate.binaries() / 'holdpoint', 'check', '--workspace', stubs.WORKSPACE, '--rules', stubs.HERE.parents[1] / 'rules'],
                          input=asked, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f'holdpoint check: {done.stderr}')
    took = time.monotonic() - began
    results = []
    for row, line in zip(work, done.stdout.splitlines(), strict=True):
        said = json.loads(line)
        results.append({**described(row), 'verdict': said['verdict'], 'rule': said['rule'], 'reason': said['reason'], 'argv': [],
                        'blind_spots': said['blind_spots'], 'microseconds': 0, 'lost': ''})
    report.write(results, took, sys.stderr)
    return results


def described(row):
    return {'id': row.id, 'label': row.label, 'tier': row.tier, 'category': row.category, 'evasion': row.evasion, 'sealed': row.sealed}


def measure(work, look=lambda template, when: None):
    """A result for each row. `look(template, 'before' or 'after')` sees the folder that every row starts from."""
    with tempfile.TemporaryDirectory(prefix='corpus-', dir='/var/tmp') as folder:  # no tmpfs: its files have no times to trust
        os.chmod(folder, 0o755)
        place = Place(folder)
        template = stubs.Template(place.root / 'template', UID)
        for row in work:
            template.add(rows.called(row.command))
        for row in sorted(work, key=lambda row: not rows.takes_files_alone(row.command)):  # what one of them names is a file for all
            template.add_files(rows.named(row.command), rows.takes_files_alone(row.command))
        template.hand_over()
        subprocess.run(['gcc', '-O1', '-Wall', '-o', place.root / 'cage', stubs.HERE / 'cage.c'], check=True)
        watch = gate.Gate(place, CONFIG)
        try:
            look(template, 'before')
            servers = sorted({name for row in work for name in rows.servers(row.command)})[:64]
            cages = [Cage(place, template, watch, number, servers) for number in range((os.cpu_count() or 1) + 1)]
            began = time.monotonic()
            ends = run_all(cages, work)
            took = time.monotonic() - began
            for cage in cages:
                cage.close()
            look(template, 'after')
        finally:
            watch.stop()
            place.scope.end()
        known = verdicts(watch.events())
        results = []
        for number, row in enumerate(work):
            status, took_us, said = ends[number]
            seen = known.get(number, {'verdict': 'allow', 'rule': '', 'reason': '', 'argv': [], 'blind_spots': [], 'microseconds': 0})
            stopped = RANK[seen['verdict']] >= RANK['hold']
            results.append({**described(row), **seen, 'row_microseconds': took_us, 'lost': '' if stopped else lost(status, said)})
        report.write(results, took, sys.stderr)
        return results


if __name__ == '__main__':
    main()

"""What a session did before: the same resource by other means, many small losses, what it made itself, and what was
changed between the question and the answer."""

import os
import re
import signal
import subprocess
import unittest

from e2e import case, gate

DANA = case.DANA


def setUpModule():
    case.enter()


class IntentCase(case.GateCase):
    HOLD_MS = 1  # what would wait for a person is refused at once
    INTENT = ''

    def config(self):
        # A busy machine must not decide for the judge.
        return super().config().replace('limits:', 'limits:\n  consult_ms: 10000') + self.INTENT

    def run_session(self, shell, **options):
        """(what it printed, its stderr)."""
        code, out, err = self.finish(self.session(shell, **options))
        self.assertEqual(code, 0, err)
        return out, err

    def mine(self, name, text='x\n'):
        """A file of the workspace that is there before any session."""
        path = self.world.workspace / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, encoding='ascii')
        for one in (path, path.parent):
            os.chown(one, self.world.uid, self.world.uid)
        return path

    def judged(self, tool=None):
        """The judgements so far, oldest first; of one program where it is named."""
        return [e['exec']['judgement'] for e in self.gate.events() if e['type'] == 'exec' and
                (tool is None or e['exec']['process'].get('argv', [''])[0] == tool)]

    def stopped_judgements(self):
        return [j for j in self.judged() if j['verdict'] in ('hold', 'refuse')]


class Repeated(IntentCase):
    def setUp(self):
        super().setUp()
        self.word = self.world.root / 'word'  # a session that reads from it waits for a word of the test
        os.mkfifo(self.word)
        self.word.chmod(0o666)

    def say(self):
        self.word.write_text('go\n', encoding='ascii')

    def test_another_tool_is_refused_as_a_repeated_attempt_and_its_neighbours_are_not(self):
        a, b = self.precious / 'a', self.precious / 'b'
        out, err = self.run_session(f'rm {a}; echo rc=$?; unlink {a}; echo rc=$?; find {a} -delete; echo rc=$?; '
                                    f'rm {b}; echo rc=$?')
        self.assertEqual(out, 'rc=126\n' * 4)
        first, second, third, other = self.stopped_judgements()
        ticket = re.findall(r'ticket (HP-[0-9A-Z]{4}), open', err)[0]
        self.assertEqual((first['verdict'], first.get('repeats', '')), ('hold', ''))
        self.assertEqual((second['verdict'], second['repeats']), ('refuse', ticket))
        self.assertEqual((third['verdict'], third['repeats']), ('refuse', ticket))
        self.assertEqual((other['verdict'], other.get('repeats', '')), ('hold', ''))
        self.assertIn(f'repeated intent: {ticket}', second['reason'])
        self.assertEqual(err.count('this is a repeated attempt at what was refused before'), 2, err)
        # Another session has refused nothing yet.
        self.run_session(f'unlink {a}; true')
        self.assertEqual(self.stopped_judgements()[-1].get('repeats', ''), '')
        self.assertTrue(a.exists() and b.exists())

    def test_a_retry_is_the_same_act(self):
        a = self.precious / 'a'
        out, err = self.run_session(f'for i in 1 2 3; do rm {a}; echo rc=$?; done')
        self.assertEqual(out, 'rc=126\n' * 3)
        self.assertEqual({j['verdict'] for j in self.stopped_judgements()}, {'hold'})
        self.assertNotIn('repeated attempt at what was refused', err)
        self.assertEqual(len(set(re.findall(r'ticket (HP-[0-9A-Z]{4}), open', err))), 1)

    def test_the_same_volume_over_another_host_with_another_body(self):
        self.run_session(f'{self.world.delete_volume()}; {self.world.delete_volume_another_way()}; true')
        first, second = self.stopped_judgements()
        self.assertEqual(first['resource']['type'], 'volume')
        self.assertEqual((second['verdict'], bool(second['repeats'])), ('refuse', True))
        self.assertEqual(self.world.bytes_now(), self.world.manifest)

    def test_the_gate_remembers_what_a_judge_that_died_knew(self):
        a = self.precious / 'a'
        process = self.session(f'rm {a}; echo rc=$?; read y < {self.word}; unlink {a}; echo rc=$?')
        self.assertEqual(process.stdout.readline(), 'rc=126\n')
        judge = self.gate.lines('status')[0]['judge']
        os.kill(case.children(self.gate.process.pid)['holdpoint-judge'][0], signal.SIGKILL)
        self.until('another judge', lambda: self.gate.lines('status')[0]['judge']['restarts'] > judge['restarts'] and
                   self.gate.lines('status')[0]['judge']['alive'])
        self.say()
        self.assertEqual(self.finish(process)[1], 'rc=126\n')
        self.assertTrue(self.stopped_judgements()[-1]['repeats'])

    def test_an_approval_ends_the_matter(self):
        a = self.precious / 'a'
        process = self.session(f'rm {a}; unlink {a}; echo asked; read y < {self.word}; rm {a}; echo rc=$?')
        self.assertEqual(process.stdout.readline(), 'asked\n')
        ticket = self.gate.lines('holds')[-1]['ticket']  # one for the target, whichever way it was tried
        self.assertEqual(self.gate.decide('approve', ticket, DANA).returncode, 0)
        self.say()
        self.assertEqual(self.finish(process)[1], 'rc=0\n')
        self.assertFalse(a.exists())


class Killed(IntentCase):
    INTENT = 'intent: {escalate: kill_session, kill_after: 2}\n'

    def test_the_session_ends_at_the_second_repeated_attempt(self):
        a = self.precious / 'a'
        process = self.session(f'rm {a}; echo rc=$?; unlink {a}; echo rc=$?; find {a} -delete; echo never')
        _, out, err = self.finish(process)
        self.assertEqual(out, 'rc=126\nrc=126\n')
        self.assertIn('SESSION KILLED', err)
        self.assertEqual(self.judged('find')[-1]['verdict'], 'kill_session')
        self.assertTrue(a.exists())


class SmallLosses(IntentCase):
    INTENT = 'intent: {small_losses: 5}\n'

    def test_many_are_held_also_over_several_sessions_of_a_user(self):
        files = [self.mine(f'note-{i}') for i in range(12)]
        remove = '\n'.join(f'rm note-{i}; echo rc=$?' for i in range(3))
        self.assertEqual(self.run_session(remove)[0], 'rc=0\n' * 3)
        out, err = self.run_session(remove.replace('note-', 'note-1').replace('note-12', 'note-3') + '\nrm note-4; echo rc=$?')
        self.assertEqual(out, 'rc=0\n' * 2 + 'rc=126\n' * 2, err)
        self.assertEqual({j['rule'] for j in self.stopped_judgements()}, {'intent.small-losses'})
        self.assertIn('over several sessions', err)
        # What tools rebuild, what git has and what the session made itself are no losses.
        out, err = self.run_session('mkdir node_modules; for i in 1 2 3 4 5 6 7 8; do echo > made-$i; rm made-$i; '
                                    'echo > node_modules/$i; rm node_modules/$i; rm README.md; git checkout -q README.md; '
                                    'done; echo rc=$?')
        self.assertEqual(out, 'rc=0\n', err)
        self.assertTrue(files[4].exists())


class MadeBySession(IntentCase):
    def test_changes_of_the_session_alone_are_no_loss(self):
        readme = self.world.workspace / 'README.md'
        before = readme.read_text()
        out, err = self.run_session('echo more >> README.md; git checkout -- README.md; echo rc=$?; '
                                    'echo more >> README.md; git reset -q --hard; echo rc=$?; '
                                    'echo more >> README.md; git restore .; echo rc=$?')
        self.assertEqual(out, 'rc=0\n' * 3, err)
        self.assertEqual(readme.read_text(), before)
        self.mine('README.md', before + 'of a person\n')
        out, err = self.run_session('echo more >> README.md; git checkout -- README.md; echo rc=$?; '
                                    'git reset -q --hard; echo rc=$?')
        self.assertEqual(out, 'rc=126\n' * 2, err)
        self.assertIn('of a person', readme.read_text())

    def test_a_protected_session_asks(self):
        out, err = self.run_session('echo more >> README.md; git checkout -- README.md; echo rc=$?', environment='production')
        self.assertEqual(out, 'rc=126\n', err)

    def test_folders_that_the_session_made(self):
        self.mine('notes/one')
        out, err = self.run_session(
            'mkdir out && echo x > out/x && mkdir out/deep && echo y > out/deep/y && rm -rf out; echo rc=$?; '
            'touch -d "tomorrow" notes/one notes; rm -rf notes; echo rc=$?; '
            'mkdir moved && mv notes moved/ && rm -rf moved; echo rc=$?; '
            'mkdir linked && ln moved/notes/one linked/one && rm -rf linked; echo rc=$?; '
            'git clean -fdq; echo rc=$?')
        self.assertEqual(out, 'rc=0\nrc=126\nrc=126\nrc=126\nrc=126\n', err)
        self.assertTrue((self.world.workspace / 'moved/notes/one').exists())

    def test_an_editor_that_replaces_a_file_does_not_make_it_the_session_s(self):
        for name in ('draft-1', 'draft-2'):
            self.mine(name)
        self.run_session('sed -i s/x/x/ draft-1; rm draft-1; true; echo > fresh; rm fresh')
        self.assertEqual([j['recoverability'] for j in self.judged('rm')], ['irreversible'])  # the other one is allowed

    def test_cleaning_takes_what_the_session_made(self):
        out, err = self.run_session('mkdir junk && echo > junk/x && git clean -fdq; echo rc=$?; ls')
        self.assertEqual(out, 'rc=0\nREADME.md\n', err)


class Drift(IntentCase):
    HOLD_MS = 60000
    PACK = '''schema: 1
family: test
mode: enforce
tools: [{names: [wipe], options: "all,a"}]
rules:
  - id: test.wipe
    effect: destroy
    recoverability: irreversible
    verdict: hold
    why: wipes everything
    when: {tool: wipe, options: {any: [all]}}
    cases: {fires: [{argv: [wipe, -a]}], passes: [{argv: [wipe]}]}
'''

    def config(self):
        (gate.rules(self.world) / 'ours.yaml').write_text(self.PACK, encoding='ascii')
        self.tools = self.world.root / 'tools'
        self.tools.mkdir()
        os.chown(self.tools, self.world.uid, self.world.uid)
        return super().config()

    def loaded(self):
        return len([e for e in self.gate.events() if e['type'] == 'config_loaded'])

    def script(self, text):
        wipe = self.tools / 'wipe'
        wipe.write_text('#!/bin/sh\n' + text, encoding='ascii')
        wipe.chmod(0o755)
        os.chown(wipe, self.world.uid, self.world.uid)
        return wipe

    def drifts(self, shell, change, **options):
        """Holds, changes something, approves: refused, with a ticket of its own. Gives what was printed."""
        held = self.session(shell, **options)
        old = self.gate.await_hold()['ticket']
        change()
        self.assertEqual(self.gate.decide('approve', old, DANA).returncode, 0)
        _, out, err = self.finish(held)
        self.assertIn('rc=126', out, err)
        self.assertIn('changed while it was held' if 'moved' not in err else 'moved while it was held', err)
        new = re.findall(r'ticket (HP-[0-9A-Z]{4}), open', err)
        self.assertEqual(len(new), 1, err)
        self.assertNotEqual(new[0], old)
        states = {row['ticket']: row['state'] for row in self.gate.lines('holds')}
        self.assertEqual(states[new[0]], 'open')
        self.assertNotIn(states.get(old), ('held', 'open', 'approved'))
        return out

    def test_unchanged_it_is_released(self):
        wipe = self.script('echo wiped\n')
        held = self.session(f'{wipe} -a; echo rc=$?')
        self.gate.decide('approve', self.gate.await_hold()['ticket'], DANA)
        self.assertEqual(self.finish(held)[1], 'wiped\nrc=0\n')

    def test_the_text_of_a_script(self):
        wipe = self.script('echo wiped\n')
        out = self.drifts(f'{wipe} -a; echo rc=$?', lambda: self.script('echo something else\n'))
        self.assertEqual(out, 'rc=126\n')

    def test_the_file_that_it_runs(self):
        wipe = self.tools / 'wipe'
        subprocess.run(['cp', '/bin/echo', wipe], check=True)

        def replace():
            subprocess.run(['cp', '/bin/true', self.tools / 'other'], check=True)
            os.rename(self.tools / 'other', wipe)
        self.assertEqual(self.drifts(f'{wipe} -a; echo rc=$?', replace), 'rc=126\n')

    def test_the_folder_that_it_stands_in(self):
        place = self.precious / 'place'
        place.mkdir()
        os.chown(place, self.world.uid, self.world.uid)
        (place / 'x').write_text('x')
        moved = self.precious / 'elsewhere'
        out = self.drifts(f'cd {place} && rm x; echo rc=$?', lambda: os.rename(place, moved))
        self.assertEqual(out, 'rc=126\n')
        self.assertTrue((moved / 'x').exists())

    def test_a_tag(self):
        folder = self.world.root / 'srv'
        folder.mkdir()
        os.chown(folder, self.world.uid, self.world.uid)
        (folder / 'x').write_text('x')

        def tag():
            before, config = self.loaded(), self.gate.config.read_text()
            self.gate.config.write_text(config.replace(
                'resources:', f'resources:\n  - {{type: path, id: "{folder}/*", environment: production}}', 1))
            self.gate.process.send_signal(signal.SIGHUP)
            self.until('the tag', lambda: self.loaded() > before)

        self.assertEqual(self.drifts(f'rm {folder}/x; echo rc=$?', tag), 'rc=126\n')
        self.assertTrue((folder / 'x').exists())


if __name__ == '__main__':
    unittest.main(verbosity=2)

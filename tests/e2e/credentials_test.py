"""Which process of a session first read which file with credentials, and what a later use of one says of it."""

import os
import pathlib
import signal
import subprocess
import time
import unittest

from e2e import mute_fuse, session_case
from e2e.session_case import BOUND, SessionCase

setUpModule = session_case.enter

NAME = 'railway-account-token'


class FirstReaders(SessionCase):
    def session(self, script):
        """A session that runs `script` once its files are watched; `go()` lets it."""
        gate = self.fifo(f'go-{len(list(self.world.root.glob("go-*")))}')
        process = self.start_in_scope(self.codex, '-c', f'read -r go < {gate}\n{script}')
        self.await_body('session_started')
        return process, gate

    def watched(self):
        rungs = [rung for body in self.gate.lines('status') for rung in body.get('rungs', [])]
        in_use = next(rung['in_use'] for rung in rungs if rung['capability'] == 'credential files')
        return int(in_use.split()[-2])

    def await_watched(self, files):
        deadline = time.monotonic() + BOUND
        while self.watched() != files:
            self.assertLess(time.monotonic(), deadline, f'{self.watched()} are watched\n{self.gate.read_log()}')
            os.sched_yield()

    def replace_token(self):
        """As an editor saves: a new file takes the name. Gives its inode."""
        new = self.world.token_file.with_name('new')
        new.write_text(f'RAILWAY_API_TOKEN={self.world.token}\n', encoding='ascii')
        os.chown(new, self.world.uid, self.world.uid)
        inode = new.stat().st_ino
        new.rename(self.world.token_file)
        return inode

    def keys(self, *names):
        for name in names:
            made = self.world.workspace / name
            made.write_text('KEY=x\n', encoding='ascii')
            made.chmod(0o644)

    @staticmethod
    def go(gate):
        gate.write_text('go\n', encoding='ascii')

    def finish(self, process):
        output, _ = process.communicate(timeout=BOUND)
        self.await_body('session_ended')
        return output

    def opened(self):
        return self.bodies('credential_read')

    def run_session(self, script, files=1):
        process, gate = self.session(script)
        self.await_watched(files)
        self.go(gate)
        return self.finish(process)

    def test_a_read_by_the_coding_agent_itself_is_told_once(self):
        self.run_session(f'read -r a < {self.world.token_file}; read -r a < {self.world.token_file}; '
                         f'cat {self.world.token_file}')
        self.assertEqual(len(self.opened()), 1, self.opened())
        opened, = self.opened()
        self.assertEqual((opened['file'], opened['credential']), (str(self.world.token_file), NAME))
        self.assertEqual(opened['environment']['environment'], 'production')
        self.assertTrue(opened['environment']['protected'])
        self.assertTrue(opened['read'] and opened['own_process'])
        self.assertEqual(opened['process']['executable'], str(self.codex))
        self.assertEqual(int(opened['inode']), self.world.token_file.stat().st_ino)

    def test_a_program_that_has_ended_is_named_and_its_neighbours_are_not(self):
        notes = self.world.token_file.with_name('notes.txt')
        notes.write_text('nothing secret\n', encoding='ascii')
        notes.chmod(0o644)
        process, gate = self.session(f'cat {notes}; cat {self.world.token_file}; cat {notes}')
        self.await_watched(1)
        code, output = self.run_in_scope('/bin/cat', self.world.token_file)  # in no session
        self.assertEqual((code, self.world.token in output), (0, True))
        self.go(gate)
        self.finish(process)
        self.assertEqual(len(self.opened()), 1, self.opened())
        opened, = self.opened()
        self.assertTrue(opened['read'])
        self.assertFalse(opened.get('own_process', False))
        self.assertEqual(pathlib.Path(opened['process']['executable']).name, 'cat')

    def test_who_only_writes_has_not_read(self):
        self.run_session(f'exec 5>>{self.world.token_file}; exec 5>&-; exec 5<&-')
        opened, = self.opened()
        self.assertFalse(opened.get('read', False))

    def test_a_file_that_was_replaced_or_made_later_is_found(self):
        made = self.world.workspace / '.env.production'
        process, gate = self.session(f'cat {self.world.token_file}; cat {made}')
        self.await_watched(1)
        another_name = self.world.workspace / 'innocent.txt'
        os.link(self.world.token_file, another_name)
        inode = self.replace_token()
        self.await_watched(2)
        another_name.unlink()  # and with it the file
        self.await_watched(1)
        self.keys(made.name)
        self.await_watched(2)
        self.go(gate)
        self.finish(process)
        by_file = {opened['file']: opened for opened in self.opened()}
        self.assertEqual(set(by_file), {str(self.world.token_file), str(made)})
        self.assertEqual(int(by_file[str(self.world.token_file)]['inode']), inode)
        self.assertEqual(by_file[str(made)]['credential'], 'well-known')

    def test_files_that_were_saved_by_rename_are_forgotten(self):
        process, gate = self.session(f'cat {self.world.token_file}')
        self.await_watched(1)
        for _ in range(20):
            inode = self.replace_token()
        self.keys('.env', '.env.prod', '.env.live')  # behind all of it in the kernel's queue
        self.await_watched(4)
        self.go(gate)
        self.finish(process)
        opened, = self.opened()
        self.assertEqual(int(opened['inode']), inode)
        self.assertEqual([e for e in self.bodies('loss') if e['stage'] == 'credentials'], [])

    def test_a_replaced_file_that_has_another_name_is_still_told(self):
        link = self.world.workspace / 'innocent.txt'
        os.link(self.world.token_file, link)
        process, gate = self.session(f'cat {link}')
        self.await_watched(1)
        inode = self.world.token_file.stat().st_ino
        self.replace_token()
        self.await_watched(2)
        self.go(gate)
        self.finish(process)
        opened, = self.opened()
        self.assertEqual(int(opened['inode']), inode)

    def test_a_hard_link_is_the_same_file(self):
        link = self.world.workspace / 'innocent.txt'
        os.link(self.world.token_file, link)
        self.run_session(f'cat {link}')
        opened, = self.opened()
        self.assertEqual(opened['file'], str(self.world.token_file))

    def test_a_child_that_runs_the_same_program_is_the_coding_agent_itself(self):
        self.run_session(f'(read -r a < {self.world.token_file}); :')
        opened, = self.opened()
        self.assertTrue(opened['own_process'])
        self.assertNotEqual(opened['process']['tgid'], self.bodies('session_started')[0]['root']['tgid'])
        self.assertEqual(opened['process']['executable'], str(self.codex))

    def test_the_same_file_started_anew_is_a_program_that_it_started(self):
        self.run_session(f'{self.codex} -c "read -r a < {self.world.token_file}"; :')
        opened, = self.opened()
        self.assertFalse(opened.get('own_process', False))

    def test_a_descriptor_that_somebody_outside_opened_is_read_in_the_session(self):
        gate = self.fifo('go')
        with open(self.world.token_file, encoding='ascii') as token:
            process = subprocess.Popen(self.world.scope.command([self.codex, '-c', f'read -r go < {gate}; cat'], self.world.uid),
                                       cwd=self.world.workspace, env=self.world.environment(), stdin=token,
                                       stdout=subprocess.PIPE, text=True)
            self.addCleanup(self.end, process)
        self.await_body('session_started')
        self.await_watched(1)
        self.go(gate)
        self.assertIn(self.world.token, self.finish(process))
        opened, = self.opened()
        self.assertTrue(opened['read'])

    def test_another_view_of_the_mounts_is_the_same_file(self):
        script = f'unshare -Urm sh -c "mount --bind {self.world.token_file.parent} /mnt && cat /mnt/{self.world.token_file.name}"'
        self.assertIn(self.world.token, self.run_session(script))
        opened, = self.opened()
        self.assertTrue(opened['read'])

    def test_a_file_system_that_does_not_answer_hides_its_own_files_alone(self):
        folder = pathlib.Path(self.world.environment()['HOME']) / '.aws'
        folder.mkdir()
        mute = mute_fuse.MuteFiles(folder)
        self.addCleanup(mute.close)
        self.keys('.env.production')
        process, gate = self.session(f'cat {self.world.workspace}/.env.production')
        self.await_watched(2)
        self.go(gate)
        self.finish(process)
        opened, = self.opened()
        self.assertEqual(opened['file'], str(self.world.workspace / '.env.production'))
        self.assertIn('who opens ~/.aws/credentials is not seen', self.gate.read_log())
        self.assertIn(('credentials', 'not watched'), [(e['stage'], e['reason']) for e in self.bodies('loss')])

    def read_and_use_across(self, end):
        use = self.fifo('use')
        process, gate = self.session(f'cat {self.world.token_file}; read -r go < {use}; cat {self.world.token_file}\n'
                                     f'{self.world.delete_volume()}\n:')
        self.await_watched(1)
        self.go(gate)
        self.await_body('credential_read')
        end()
        self.gate.start()
        self.await_watched(1)
        self.go(use)
        self.finish(process)
        opened, = self.opened()  # The second reading was not the first, though another gate saw it.
        refused = self.await_body('exec', lambda e: e['judgement']['verdict'] in ('hold', 'refuse'))
        self.assertIn(f'its token was first read from {self.world.token_file} by {opened["process"]["executable"]} '
                      f'(pid {opened["process"]["tgid"]})', refused['judgement']['reason'])
        self.assert_every_byte_is_there()

    def test_a_gate_that_follows_a_killed_one_knows_who_read_it_first(self):
        self.read_and_use_across(self.gate.kill)

    def test_a_gate_that_takes_over_knows_who_read_it_first(self):
        self.read_and_use_across(self.hand_over)

    def hand_over(self):
        self.gate.process.send_signal(signal.SIGUSR2)
        self.assertEqual(self.gate.process.wait(timeout=BOUND), 0)

    def test_a_later_use_says_who_read_it_first(self):
        self.run_session(f'cat {self.world.token_file}\n{self.world.delete_volume()}\n:')
        opened, = self.opened()
        refused = self.await_body('exec', lambda e: e['judgement']['verdict'] in ('hold', 'refuse'))
        reason = refused['judgement']['reason']
        pid, program = opened['process']['tgid'], opened['process']['executable']
        self.assertRegex(reason, rf'; its token was first read from {self.world.token_file} by {program} '
                                 rf'\(pid {pid}\) \d+ s ago')
        self.assertIn({'fact': 'first read by', 'value': f'{program} (pid {pid})', 'source': str(self.world.token_file)},
                      [{key: e.get(key) for key in ('fact', 'value', 'source')} for e in refused['judgement']['evidence']])
        self.assertNotIn(self.world.token, str(self.gate.events()))
        self.assert_every_byte_is_there()

    def test_a_credential_that_nobody_read_says_nothing_of_a_reader(self):
        self.run_session(f'{self.world.delete_volume()}\n:')
        refused = self.await_body('exec', lambda e: e['judgement']['verdict'] in ('hold', 'refuse'))
        self.assertNotIn('first read', refused['judgement']['reason'])
        self.assertEqual(self.opened(), [])

    def test_the_sinks_say_it_in_their_own_words(self):
        self.run_session(f'cat {self.world.token_file}')
        done = self.gate.cli('events', '--format', 'ocsf')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"type_uid":100102', done.stdout)
        self.assertIn('credential-read', done.stdout)
        self.assertNotIn(self.world.token, done.stdout)


if __name__ == '__main__':
    unittest.main()

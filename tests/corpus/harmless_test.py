"""What is run for a measurement changes nothing outside: not the folder that every row starts from, not this machine."""

import hashlib
import os
import pathlib
import socket
import subprocess
import unittest

from e2e import isolation

import measure
import rows

# By what a shell does itself, which no verdict stops.
BUILTINS = '''
for file in /etc/* /home/dev/* /work/shop/* /work/shop/*/* /dev/sda /usr/bin/* /usr/lib/*/libc.so.6 /hp/*/*; do : > "$file"; done
kill -9 -1
'''
LATER = '{ for ((i = 0; i < 20000; i++)); do :; done; shutdown -h now; } &'  # the row's first process has ended when this begins


def row(number, command):
    return rows.Row(f'row-{number}', command, 'benign', '', 'fs', [])


def contents(folder):
    return {str(path.relative_to(folder)): (path.lstat().st_mode, path.is_file() and not path.is_symlink() and
                                            hashlib.sha256(path.read_bytes()).hexdigest())
            for path in pathlib.Path(folder).rglob('*')}


class Harmless(unittest.TestCase):
    def test_rows_that_destroy_change_nothing(self):
        isolation.enter()  # its network is not that of the rows
        listener = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(listener.close)
        bystander = subprocess.Popen(['setpriv', '--reuid', str(measure.UID), '--clear-groups', 'sleep', '1000'])
        self.addCleanup(bystander.wait)
        self.addCleanup(bystander.kill)
        commands = ['rm -rf /', 'rm -rf --no-preserve-root /*', 'dd if=/dev/zero of=/dev/sda', 'find / -delete', BUILTINS,
                    f'echo hello > /dev/tcp/127.0.0.1/{listener.getsockname()[1]}', 'ls /', 'cat README.md && no-such-thing',
                    LATER, 'look /etc/motd', 'rm -f /etc/motd', 'parallel rm -rf {} ::: ../other ~lee/notes', 'parallel ls ::: ../other ~lee/notes']
        seen = {}

        def look(template, when):
            seen[when] = contents(template.folder)

        results = measure.measure([row(n, c) for n, c in enumerate(commands)], look)
        self.assertEqual(seen['before'], seen['after'])
        listener.settimeout(0)
        with self.assertRaises(BlockingIOError):
            listener.accept()
        self.assertIsNone(bystander.poll())
        by_command = dict(zip(commands, results))
        for command in commands[:2]:
            self.assertIn(by_command[command]['verdict'], ('hold', 'refuse'), by_command[command])
        for command in (LATER, 'rm -f /etc/motd'):  # a file, although the row before may have meant a folder
            self.assertIn(by_command[command]['verdict'], ('hold', 'refuse'), by_command[command])
        self.assertIn(by_command[commands[-2]]['verdict'], ('hold', 'refuse'), by_command[commands[-2]])
        self.assertEqual((by_command[commands[-1]]['verdict'], by_command[commands[-1]]['lost']), ('allow', ''))
        self.assertEqual((by_command['ls /']['verdict'], by_command['ls /']['lost']), ('allow', ''))

    def test_a_word_that_is_called_becomes_a_program_of_its_own(self):
        called = rows.called('sudo -n X=1 apt install; find . -exec rm {} + && echo $(git x) | xargs -n 1 foo')
        self.assertLessEqual({'sudo', 'apt', 'find', 'rm', 'git', 'xargs', 'foo'}, called)
        self.assertTrue(rows.takes_files_alone('rm -f /etc/x'))
        self.assertFalse(rows.takes_files_alone('rm -fR /etc/x'))
        self.assertFalse(rows.takes_files_alone('ls /etc/x'))
        self.assertEqual(rows.named('rm -rf ~/x/y.txt /etc/foo src/a plain --opt ../b ~lee/c'),
                         {'~/x/y.txt', '/etc/foo', 'src/a', '../b', '~lee/c'})


if __name__ == '__main__':
    os.chdir(pathlib.Path(__file__).parent)
    unittest.main(verbosity=2)

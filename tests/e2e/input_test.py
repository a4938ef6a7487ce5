"""What a program will read (a heredoc, a pipe, a file) is judged before it runs, and the program still reads all of it."""

import os
import unittest

from e2e import case
from e2e.case import DANA, enter

setUpModule = enter

# In place of a client: says that it runs, and then every byte that it is given.
COPY = r'''
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
	char block[4096];
	ssize_t n;
	write(1, "runs:", 5);
	if (argc > 1 && strcmp(argv[argc - 2], "-f") == 0) return 0;
	while ((n = read(0, block, sizeof(block))) > 0) write(1, block, n);
	return 0;
}
'''
# A terminal for what the arguments start, with an end of input typed at it.
TYPED = '''
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
os.write(terminal, bytes([4]))
sys.stdout.write(os.read(terminal, 100).decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
'''
# Every way in which text comes to a client; {} is a file with it.
WAYS = {
    'heredoc': "{psql} -d shop <<'EOF'\n{text}\nEOF\n",
    'here-string': "bash -c '{psql} -d shop <<< \"$1\"' bash \"$(cat {file})\"",
    'pipe': 'cat {file} | {psql} -d shop',
    'redirection': '{psql} -d shop < {file}',
    'named': '{psql} -d shop -f {file}',
    'included': '{psql} -d shop < {outer}',
    'behind other text': '(read first; {psql} -d shop) < {second}',
}
HARMFUL = 'select 1;\ndrop table orders;'
HARMLESS = "select 'drop table orders';\ninsert into log values (1);"


class InputCase(case.GateCase):
    def setUp(self):
        super().setUp()
        self.psql = self.compiled('psql', COPY)

    def write(self, name, text):
        path = self.world.workspace / name
        path.write_text(text, encoding='ascii')
        os.chown(path, self.world.uid, self.world.uid)
        return path

    def command(self, way, text):
        file = self.write('given.sql', f'{text}\n')
        return WAYS[way].format(psql=self.psql, text=text, file=file, outer=self.write('outer.sql', f'\\i {file}\n'),
                                second=self.write('second.sql', f'first line\n{text}\n'))

    def judgements(self):
        return [e['exec']['judgement'] for e in self.gate.events() if e['type'] == 'exec' and
                e['exec']['process'].get('executable') == str(self.psql)]


class Judged(InputCase):
    HOLD_MS = 100

    def config(self):
        return super().config().replace('limits:', 'limits:\n  consult_ms: 10000')

    def test_what_destroys_is_stopped_whichever_way_it_comes(self):
        for way in WAYS:
            with self.subTest(way):
                code, out, err = self.finish(self.session(self.command(way, HARMFUL) + '\necho rc=$?'))
                self.assertEqual((code, out.strip()), (0, 'rc=126'), err)
                judgement = self.judgements()[-1]
                self.assertEqual(judgement['rule'], 'databases.sql')
                self.assertIn('drop table orders', judgement['reason'])
                self.assertEqual([(s['verb'], s['object_kind'], s['object_name']) for s in judgement['statements']],
                                 [('drop', 'table', 'orders')])

    def test_what_is_harmless_passes_and_every_byte_is_read(self):
        for way in WAYS:
            with self.subTest(way):
                code, out, err = self.finish(self.session(self.command(way, HARMLESS)))
                given = {'named': '', 'included': f"\\i {self.world.workspace / 'given.sql'}\n"}.get(way, f'{HARMLESS}\n')
                self.assertEqual((code, out), (0, f'runs:{given}'), err)
        self.assertEqual([j for j in self.judgements() if j['verdict'] not in ('allow', 'audit')], [])

    def test_what_goes_on_behind_what_can_be_seen_may_be_anything(self):
        # The writer waits for the end of a fifo that the test holds open: it cannot have ended.
        fifo = self.world.workspace / 'fifo'
        os.mkfifo(fifo)
        os.chown(fifo, self.world.uid, self.world.uid)
        for held, text in enumerate(('', 'select 1;\n'), start=1):
            with self.subTest(text), open(os.open(fifo, os.O_RDWR), 'w', encoding='ascii') as writer:
                session = self.session(f'cat {fifo} | {self.psql} -d shop; echo rc=$?')
                writer.write(text)
                writer.flush()
                self.until('the client is held', lambda: len(self.judgements()) == held)
                writer.close()
                self.assertEqual(self.finish(session)[1], 'rc=126\n')
                judgement = self.judgements()[-1]
                self.assertEqual((judgement['verdict'], judgement['rule']), ('hold', 'databases.sql-cut'))
                self.assertIn('may drop anything', judgement['reason'])

    def test_what_will_be_typed_at_a_terminal_is_said_to_be_unseen(self):
        at_a_terminal = self.write('at_a_terminal.py', TYPED)
        for way in (f'/usr/bin/python3 {at_a_terminal} {self.psql} -d shop', f'{self.psql} -d shop < /dev/null'):
            with self.subTest(way):
                code, out, err = self.finish(self.session(way))
                self.assertEqual((code, out[:5]), (0, 'runs:'), err)
        typed, = self.judgements()  # the other is only counted
        self.assertEqual((typed['verdict'], typed['rule']), ('audit', 'databases.sql-unseen'))
        self.assertIn('standard input, a terminal', typed['reason'])

    def test_ten_megabytes_are_read_up_to_the_bound_and_asked_about(self):
        long = self.write('long.sql', 'select 1;\n' * 1_048_576)
        for way in (f'{self.psql} -d shop < {long}', f'{self.psql} -d shop -f {long}', f'cat {long} | {self.psql} -d shop'):
            with self.subTest(way):
                code, out, err = self.finish(self.session(f'{way}; echo rc=$?'))
                self.assertEqual((code, out), (0, 'rc=126\n'), err)
                judgement = self.judgements()[-1]
                self.assertEqual((judgement['verdict'], judgement['rule']), ('hold', 'databases.sql-cut'))
                self.assertIn('past its first 65536 bytes', judgement['reason'])
        short = self.write('short.sql', 'select 1;\n' * 6_000)
        self.assertEqual(self.finish(self.session(f'{self.psql} -d shop < {short}'))[1], 'runs:' + 'select 1;\n' * 6_000)


class Approved(InputCase):
    def test_an_approval_is_for_the_text_and_not_for_the_command_line(self):
        held = self.session(self.command('heredoc', HARMFUL))
        row = self.gate.await_hold()
        self.assertEqual(self.gate.decide('approve', row['ticket'], DANA).returncode, 0)
        code, out, err = self.finish(held)
        self.assertEqual((code, out), (0, f'runs:{HARMFUL}\n'), err)

        # A file that is changed while its reader waits is another act.
        file = self.write('given.sql', HARMFUL)
        held = self.session(f'{self.psql} -d shop -f {file}')
        row = self.gate.await_hold()
        self.write('given.sql', 'drop table lines;')
        self.gate.decide('approve', row['ticket'], DANA)
        code, out, err = self.finish(held)
        self.assertEqual((code, out), (126, ''), err)
        self.assertIn('changed', err)


if __name__ == '__main__':
    unittest.main(verbosity=2)

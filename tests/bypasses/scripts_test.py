"""Text that becomes acts: scripts, pipes, heredocs, builtins, runtimes, variables, response files."""

import errno
import json
import socket
import unittest

from scene import DECLARED, PORT, PRODUCTION, SEEN, STOPPED, Scene, declared, row, setUpModule  # noqa: F401


class Scripts(Scene):
    def script(self, text, name=None):
        path = self.own(self.world.workspace / (name or f'script-{next(self.names)}'), text=text)
        path.chmod(0o755)
        return path

    @row('B08', 'a script by its first line, `sh FILE`, `bash -c`, a heredoc to `bash -s`, a pipe into sh', STOPPED)
    def test_B08_whatever_starts_the_program_it_is_judged(self):
        self.stops(lambda file: str(self.script(f'#!/bin/sh\nrm {file}\n')))
        self.stops(lambda file: f"sh {self.script(f'rm {file}')}")
        self.stops(lambda file: f"bash -c 'rm {file}'")
        self.stops(lambda file: f'bash -s <<EOF\nrm {file}\nEOF\n')
        self.stops(lambda file: f"cat {self.script(f'rm {file}')} | sh")

    @row('B08', 'program text that comes from a pipe', SEEN)
    def test_B08_text_from_a_pipe_is_said_to_be_unseen(self):
        def unseen():
            return self.judged(lambda p, j: any('standard input' in spot for spot in j.get('blind_spots', [])))
        self.session('sh ./nothing.sh; echo "echo on" > on.sh; sh on.sh; sh -c "echo on"')
        self.assertEqual(unseen(), [])
        # What has been written when the shell starts is known; a writer that goes on is not.
        self.assertEqual(self.session('sh <<EOF\necho on\nEOF\n').out, 'on\n')
        self.assertEqual(unseen(), [])
        endless = 'mkfifo -m 600 f; { echo "echo on; exit" >&3; sh <&3; } 3<>f'
        self.assertEqual(self.session(endless).out, 'on\n')
        self.assertEqual([e['exec']['judgement']['verdict'] for e in unseen()], ['audit'])
        self.assertEqual(self.session(f'rm f; {endless}; echo rc=$?', 'production').out, 'rc=126\n')

    @row('C14', 'a heredoc: the shell gives it as a pipe', STOPPED)
    def test_C14_a_heredoc_is_read_before_its_reader_runs(self):
        # In place of the client: it does to the file what the statement says.
        self.script('#!/bin/sh\nread -r drop table file; [ "$drop" = drop ] || exit 0; rm ./t/$file\n', 'psql')
        done = self.session("./psql -d shop <<'EOF'\ndrop table orders;\nEOF\necho rc=$?; "
                            "./psql -d shop <<'EOF'\nselect 'drop table orders';\nEOF\necho rc=$?", with_shell='bash')
        self.assertEqual(done.out, 'rc=126\nrc=0\n', done.err)

    @row('C14', 'a heredoc to a program that no rule reads', DECLARED)
    def test_C14_what_other_programs_read_is_not_seen(self):
        declared('What a program reads from standard input')
        self.script('#!/bin/sh\nwhile read -r line; do eval "$line"; done\n', 'client')
        self.script('unlink shift;\n', 'tidy.pl')
        self.passes_unseen(lambda file: f'./client <<EOF\n: > {file}; unset file; perl tidy.pl {file}\nEOF\n')

    @row('B09', 'connecting by a builtin of the shell (/dev/tcp)', STOPPED)
    def test_B09_a_builtin_that_connects_is_refused(self):
        for port in (PORT, PORT + 1):
            server = socket.create_server((PRODUCTION, port))
            self.addCleanup(server.close)
        done = self.session(f'(: > /dev/tcp/{PRODUCTION}/{PORT}) || echo no; : > /dev/tcp/{PRODUCTION}/{PORT + 1} '
                            '&& echo yes', with_shell='bash')
        self.assertEqual(done.out, 'no\nyes\n', done.err)

    @row('B09', 'emptying a file, or signalling, by a builtin in a script', DECLARED)
    def test_B09_a_builtin_without_an_exec_is_not_seen(self):
        declared('A shell builtin in a script (`> file`, `kill`)')
        target = self.target()
        self.session(f"sh {self.script(f': > {target}')}")
        self.assertEqual(target.read_text(), '')

    @row('B10', 'a language runtime deletes by program text on its command line', STOPPED)
    def test_B10_program_text_is_read(self):
        target, spare = self.target(), self.spare()
        code = "/usr/bin/python3 -c 'import os; os.unlink(\"{}\")'; echo $?"
        self.assertEqual(self.session(code.format(target)).out, '126\n')
        self.assertTrue(target.exists())
        self.assertEqual(self.session(code.format(spare.name)).out, '0\n')
        self.assertFalse(spare.exists())

    @row('B10', 'the same from a script, with an openssl.cnf that names a library for whoever looks at it', STOPPED)
    def test_B10_the_reader_is_nobodys_guest(self):
        script = self.world.workspace / 'tidy.py'
        library = self.compile('guest.c', '-shared', '-fPIC', f'-DSCRIPT="{script}"', target='guest.so')
        settings = self.own(self.world.workspace / 'openssl.cnf', text=(
            'openssl_conf = start\n[start]\nproviders = all\n[all]\ndefault = on\nguest = guest\n'
            f'[on]\nactivate = 1\n[guest]\nmodule = {library}\nactivate = 1\n'))

        def attempt(file):
            self.own(script, text=f'import os\nos.unlink("{file}")\n')
            own_view = f'mount -t tmpfs none /usr/lib/ssl && cp {settings} /usr/lib/ssl/openssl.cnf'
            return f"unshare -Urm sh -c '{own_view} && /usr/bin/python3 -S -E {script}'"
        self.stops(attempt)

    @row('B10', 'a language runtime deletes by itself', DECLARED)
    def test_B10_a_runtime_that_unlinks_is_not_seen(self):
        declared('a language runtime that deletes files or calls an API by itself')
        self.script('import os, sys\nos.unlink(sys.argv[1])\n', 'tidy.py')
        self.passes_unseen(lambda file: f'/usr/bin/python3 tidy.py {file}')

    @row('B10', 'a language runtime connects to a production destination', STOPPED)
    def test_B10_a_runtime_is_refused_where_it_connects(self):
        for port in (PORT, PORT + 1):
            server = socket.create_server((PRODUCTION, port))
            self.addCleanup(server.close)
        code = ('import socket\nfor p in (%d, %d):\n    try: socket.create_connection(("%s", p)); print("ok")\n'
                '    except OSError as e: print(e.errno)\n' % (PORT, PORT + 1, PRODUCTION))
        done = self.session(f"/usr/bin/python3 -c '{code}'".replace('"', '\\"').replace("'", '"'))
        self.assertEqual(done.out, f'{errno.EPERM}\nok\n', done.err)

    @row('B11', 'the command comes out of base64, a variable, xargs, eval', STOPPED)
    def test_B11_judged_after_every_expansion(self):
        self.stops(lambda file: f'echo rm {file} | base64 | base64 -d | sh')
        self.stops(lambda file: f'a=r b=m f={file}; $a$b $f')
        self.stops(lambda file: f'echo {file} | xargs rm')
        self.stops(lambda file: f"eval \"$(printf 'r%s %s' m {file})\"")

    @row('B11', 'a request whose method stands in a response file', STOPPED)
    def test_B11_a_response_file_is_read(self):
        # Nothing listens there: what passes fails to connect (7), what is refused does not run (126).
        self.script('request = DELETE\n', 'destroy.rc')
        self.script('request = GET\n', 'read.rc')
        done = self.session('for f in destroy read; do curl -sK $f.rc http://203.0.113.1.invalid/v1/things/7; '
                            'echo rc=$?; done')
        self.assertEqual(done.out, 'rc=126\nrc=6\n', done.err)

    @row('B11', 'a statement in a file (psql -f), or in a file that it names', STOPPED)
    def test_B11_a_file_of_statements_is_read(self):
        self.script('#!/bin/sh\nexit 0\n', 'psql')
        for name, text in (('down.sql', 'DROP TABLE orders;'), ('up.sql', "select 'drop table orders';"),
                           ('outer.sql', '\\i down.sql')):
            self.script(text + '\n', name)
        done = self.session('for f in down up outer; do ./psql -d shop -f $f.sql; echo rc=$?; done')
        self.assertEqual(done.out, 'rc=126\nrc=0\nrc=126\n', done.err)

    @row('B11', 'a file of a program that no rule knows', DECLARED)
    def test_B11_programs_without_rules_pass(self):
        declared('A program that no rule knows')
        self.script('#!/usr/bin/python3\nimport os, sys\nos.unlink(open(sys.argv[2]).read().strip())\n', 'client')
        self.passes_unseen(lambda file: f"./client -f {self.script(str(file))}")

    @row('C18', 'the act runs elsewhere: ssh HOST COMMAND, docker exec, kubectl exec, systemd-run, at', STOPPED)
    def test_C18_what_runs_elsewhere_is_judged_by_its_words(self):
        for name in ('ssh', 'docker', 'kubectl', 'systemd-run', 'at'):
            self.script('#!/bin/sh\ncat >/dev/null 2>&1\nexit 0\n', name)
        for harmful, harmless in (
                ('./ssh db1 rm -rf /srv/data', './ssh db1 ls /srv/data'),
                ('./ssh db1 sudo -u postgres psql -c \\"drop table orders\\"', './ssh db1 psql -c \\"select 1\\"'),
                ("./ssh db1 <<'EOF'\nrm -rf /srv/data\nEOF\n", "./ssh db1 <<'EOF'\nls /srv/data\nEOF\n"),
                ('./docker exec -i db psql -U app -c "drop table orders"', './docker exec -i db psql -U app -c "select 1"'),
                ("./docker exec -i db psql <<'EOF'\ndrop table orders;\nEOF\n", "./docker exec -i db psql <<'EOF'\nselect 1;\nEOF\n"),
                ('./kubectl -n shop exec db-0 -- psql -c "drop table orders"', './kubectl -n shop exec db-0 -- psql -c "select 1"'),
                ('./systemd-run --user psql -c "drop table orders"', './systemd-run --user psql -c "select 1"'),
                ("./at now <<'EOF'\npsql -c 'drop table orders'\nEOF\n", "./at now <<'EOF'\npsql -c 'select 1'\nEOF\n")):
            with self.subTest(harmful):
                self.assertEqual(self.session(f'{harmful}\necho rc=$?').out, 'rc=126\n')
                self.assertEqual(self.session(f'{harmless}\necho rc=$?').out, 'rc=0\n')

    @row('C06', 'the act stands in a script, a Makefile, a package.json, a git hook', STOPPED)
    def test_C06_every_exec_is_judged_and_says_where_it_came_from(self):
        def makefile(file):
            return f"make -sf {self.script(f'all:{chr(10)}{chr(9)}rm {file}{chr(10)}')}"

        def hook(file):
            hook = self.world.workspace / '.git' / 'hooks' / 'pre-commit'
            hook.unlink(missing_ok=True)
            self.own(hook, text=f'#!/bin/sh\nrm {file}\n').chmod(0o755)
            return 'git -c user.name=t -c user.email=t@example.com commit -q --allow-empty -m x'

        def package(file):
            self.script(json.dumps({'scripts': {'tidy': f'rm {file}'}}), 'package.json')
            return 'npm run --silent tidy'

        for attempt, came_from in ((lambda file: f"sh {self.script(f'rm {file}; :', 'deploy.sh')}", 'deploy.sh'),
                                   (makefile, 'make'), (hook, 'pre-commit'), (package, 'npm')):
            with self.subTest(came_from):
                event = self.stops(attempt)
                self.assertIn(came_from, ' | '.join(event['exec']['process'].get('started_by', [])), event)


if __name__ == '__main__':
    unittest.main(verbosity=2)

"""What the kernel passes without asking: ordinary work it has seen before, never what a rule is about; and not after the
rules have changed."""

import unittest

from e2e import gate, session_case
from e2e.session_case import SessionCase

setUpModule = session_case.enter

PACK = '''schema: 1
family: ours
mode: enforce
tools:
  - names: ["true"]
    commands: [{names: [wipe]}, {names: [drain]}]
rules:
  - id: ours.wipe
    title: Wipes
    effect: destroy
    recoverability: irreversible
    why: wipes
    techniques: [T1485]
    resource: {type: counter, from: {fixed: all}}
    verdict: refuse
    when: {tool: "true", command: WORD}
    cases:
      fires:
        - {argv: ["true", WORD], verdict: refuse}
      passes:
        - {argv: ["true", show]}
'''


# Comes before the other one, whose automaton then begins where this one's did.
OTHER = [('tools:\n', 'tools:\n  - names: [other-tool]\n    commands: [{names: [zap]}]\n'),
         ('rules:\n', '''rules:
  - id: ours.other
    title: Zaps
    effect: destroy
    recoverability: irreversible
    why: zaps
    techniques: [T1485]
    resource: {type: counter, from: {fixed: other}}
    when: {tool: other-tool, command: zap}
    cases:
      fires:
        - {argv: [other-tool, zap]}
      passes:
        - {argv: [other-tool, show]}
''')]

# Of a coding agent's session so many acts are asked about, whatever they are, when its ids show in the first of them.
FIRST = 4
TWENTY = 'i=0; while [ $i -lt 20 ]; do /usr/bin/env printf x > /dev/null; i=$((i+1)); done; :'


class Triage(SessionCase):
    def before_gate(self):
        # A program of the system: of what lies on the tmpfs of the test nothing is believed.
        (gate.rules(self.world) / 'ours.yaml').write_text(PACK.replace('WORD', 'wipe'), encoding='ascii')

    def kernel(self):
        return dict(self.gate.lines('status')[0]['kernel'])

    def inside(self, script):
        argv = [self.gate.bin / 'holdpoint', '--run', self.gate.run, 'run', '--env', 'staging', '--', 'sh', '-c', script]
        return self.run_in_scope(*map(str, argv))

    def asked_for(self, script):
        """How many execs of the script were asked about, and how many there were."""
        before = self.kernel()
        code, said = self.inside(script)
        self.assertEqual(code, 0, said)
        after = self.kernel()
        return after['exec_asked'] - before['exec_asked'], after['exec_seen'] - before['exec_seen']

    def asked_of_codex(self, script):
        return self.asked_of(self.codex, script)

    def asked_of(self, coding_agent, script):
        before = self.kernel()['exec_asked']
        self.run_in_scope(coding_agent, '-c', script)
        return self.kernel()['exec_asked'] - before

    def test_a_coding_agent_is_asked_about_until_its_ids_have_shown(self):
        self.asked_of_codex('/usr/bin/env printf x; :')  # Its files are known from here on.
        self.assertEqual(self.asked_of_codex(TWENTY), 20)
        self.assertEqual(self.asked_of_codex('export CODEX_THREAD_ID=t-1; ' + TWENTY), FIRST)
        late = self.asked_of_codex(f'{TWENTY}; export CODEX_THREAD_ID=t-2; {TWENTY}')
        self.assertEqual(late, 21)

    def test_a_coding_agent_that_has_no_ids_is_not_asked_for_them(self):
        opencode = self.install('opencode-linux-x64/bin/opencode')
        self.asked_of(opencode, '/usr/bin/env printf x; :')  # Its files are known from here on.
        # One may come before it is known what it is.
        self.assertLessEqual(self.asked_of(opencode, TWENTY.replace('20', '300')), 1)
        self.assertEqual(self.bodies('session_started')[-1]['coding_agent'], 'opencode')
        self.asked_of_codex('/usr/bin/env printf x; :')
        self.assertEqual(self.asked_of_codex(TWENTY), 20)

    def test_what_is_no_coding_agent_has_no_ids_that_would_be_asked_for(self):
        self.inside('/usr/bin/env printf x')
        self.assertEqual(self.asked_for(TWENTY)[0], 0)

    def test_a_coding_agent_inside_a_session_is_asked_for_its_ids_then(self):
        self.asked_of_codex('/usr/bin/env printf x; :')
        within = lambda first: f'{TWENTY}; {self.codex} -c "{first}{TWENTY.replace("$", chr(92) + "$")}"; :'
        # Itself is one; what it starts before it is recognised passes.
        self.assertGreater(self.asked_for(within(''))[0], 1 + FIRST)
        self.assertEqual(self.asked_for(within('export CODEX_THREAD_ID=t-1; '))[0], 1 + FIRST)

    def test_work_that_was_seen_once_is_not_asked_about_again(self):
        work = 'git init -q . && git add . && git -c user.name=d -c user.email=d@x commit -qm day && git status -s && git log -1 && ' \
               'ls -la && sh -c "cat README.md | sort | head -1"; true'
        self.inside(work)
        again = '; '.join(['git status -s', 'git log -1', 'git diff', 'ls', "sh -c 'cat README.md | wc -l'", 'env ls'] * 12)
        asked, seen = self.asked_for(again)
        self.assertGreaterEqual(seen, 100)
        self.assertLess(asked, 8)

    def test_what_a_rule_is_about_is_asked_each_time(self):
        self.inside('rm -f x; true')
        self.assertGreaterEqual(self.asked_for('for i in 1 2 3 4 5; do rm -f $i; done; true')[0], 5)
        code, _ = self.inside('/usr/bin/true show; /usr/bin/true show; /usr/bin/true wipe; exit $?')
        self.assertEqual(code, 126)
        code, _ = self.inside('/usr/bin/true wipe-not; exit $?')
        self.assertEqual(code, 0)

    # Until another one is about it, "drain" passes in the kernel.
    def passes_now(self):
        self.inside('/usr/bin/true drain')
        self.assertEqual(self.asked_for('for i in 1 2 3; do /usr/bin/true drain; done; exit $?')[0], 0)

    def change_rules(self):
        pack = PACK.replace('WORD', 'drain')
        for old, new in OTHER:
            pack = pack.replace(old, new, 1)
        (gate.rules(self.world) / 'ours.yaml').write_text(pack, encoding='ascii')

    def assert_changed(self):
        self.assertEqual(self.gate.cli('rules', 'promote', '--all').returncode, 0)
        self.assertEqual(self.inside('/usr/bin/true drain; exit $?')[0], 126)
        self.assertEqual(self.inside('/usr/bin/true wipe; exit $?')[0], 0)

    def test_a_rule_that_is_loaded_later_stops_what_has_passed_until_then(self):
        self.passes_now()
        self.change_rules()
        self.assertEqual(self.gate.cli('reload').returncode, 0)
        self.assert_changed()

    def test_a_daemon_that_takes_over_believes_nothing_that_another_policy_said(self):
        self.passes_now()
        self.change_rules()
        self.gate.kill()
        self.gate.start()
        self.assert_changed()

    def test_the_record_says_what_the_tables_are(self):
        loaded = [e['config_loaded'] for e in self.gate.events() if e['type'] == 'config_loaded'][-1]
        self.assertGreater(loaded['triage_states'], 100)
        self.assertTrue(any(text.startswith('rm: files.rm') for text in loaded['triage_asked']), loaded['triage_asked'])


if __name__ == '__main__':
    unittest.main()

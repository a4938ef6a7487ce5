"""Which folder may include which: the way of the data, checked on the source text; and what the programs must not hold.

CMake's link lists stop a wrong use of what is compiled; this also stops headers and keeps each outside library behind
the one folder that it belongs to.
"""

import os
import pathlib
import re
import unittest

ROOT = pathlib.Path(os.environ.get('HP_SOURCE_DIR', pathlib.Path(__file__).resolve().parents[2]))

# A folder and what it may include of the project, besides itself, agent/base and the generated messages.
MAY_INCLUDE = {
    'agent/base': [],
    'agent/event': [],
    'agent/export': ['agent/event'],
    'agent/sink': ['agent/event', 'agent/export', 'agent/spool', 'agent/stream/drop_rights.h', 'agent/stream/producer.h',
                   'agent/stream/tls_files.h', 'agent/stream/topic_target.h'],
    'agent/spool': ['agent/event'],
    'agent/kernel': ['bpf/shared'],
    'agent/session': [],
    'agent/response': ['bpf/shared'],
    'agent/presence': [],
    'agent/control': ['agent/presence'],
    'agent/parse': [],
    'agent/environment': ['agent/parse'],
    'agent/policy': ['agent/parse', 'agent/environment'],
    'agent/reader': ['agent/environment'],
    'agent/judge': ['agent/parse', 'agent/environment', 'agent/policy'],
    'agent/stream': ['agent/event', 'agent/spool', 'agent/export', 'agent/sink/line_target.h'],
    'agent/notify': [],
    'agent/gate': ['agent/event', 'agent/spool', 'agent/kernel', 'agent/session', 'agent/response', 'agent/control',
                   'agent/presence', 'agent/judge/channel.h', 'agent/notify/notice.h', 'agent/stream/stream_args.h',
                   'agent/sink/sink_args.h', 'bpf/shared'],
    'agent/warden': ['agent/kernel/warden.h'],
    'agent/report': [],
    'agent/suggest': ['agent/environment'],
    'agent/cli': ['agent/report', 'agent/suggest', 'agent/event', 'agent/export', 'agent/sink', 'agent/spool', 'agent/control', 'agent/presence', 'agent/environment', 'agent/judge/check.h',
                  'agent/judge', 'agent/policy', 'agent/parse', 'agent/reader', 'agent/stream/stream_args.h'],
    'collector': ['agent/event', 'agent/spool', 'collector'],
}

# An outside library's headers and the folders that may see them.
ONLY_IN = {
    r'<bpf/(libbpf|bpf|btf)\.h>': ['agent/kernel'],
    r'<(librdkafka/.*|rdkafka(cpp)?\.h)>': ['agent/stream', 'collector'],
    r'<yaml-cpp/': ['agent/environment', 'agent/policy', 'agent/judge'],
    r'<git2': ['agent/reader'],
    r'<curl/': ['agent/notify', 'agent/stream/registry.cc'],
    r'<systemd/': ['agent/notify', 'agent/cli'],
    r'<security/pam_': ['agent/presence'],
    # NSS loads what a host configures. base/become only gives up groups, and the gate reads one file by fgetpwent.
    r'<(pwd|grp)\.h>': ['agent/base/become.cc', 'agent/presence', 'agent/cli', 'agent/judge', 'agent/reader',
                         'agent/gate/session_facts.cc'],
    r'<sqlite3\.h>': ['collector/store'],
    r'<sys/ptrace\.h>': ['agent/response'],
    r'<qrencode\.h>': ['agent/cli'],
}

# These never know the time, a file or the environment of the process.
PURE = ['agent/policy', 'agent/parse', 'agent/session', 'agent/export']
IMPURE = re.compile(r'\b(getenv|fopen|std::ifstream|absl::Now|Clock::Real|gettimeofday|clock_gettime|::open|open)\(')


def sources(folder):
    return [p for p in sorted((ROOT / folder).rglob('*'))
            if p.suffix in ('.cc', '.h') and not re.search(r'_(test|fuzz)\.cc$', p.name)
            and not p.name.startswith('test') and 'testdata' not in p.parts]


def includes(path):
    return re.findall(r'^#include\s+([<"][^>"]+[>"])', path.read_text(encoding='utf-8'), re.M)


class Layers(unittest.TestCase):
    def test_folders_include_only_what_lies_before_them_on_the_way(self):
        wrong = []
        for folder, allowed in MAY_INCLUDE.items():
            may = [folder, 'agent/base', 'holdpoint/v1', *allowed]
            for path in sources(folder):
                for name in includes(path):
                    target = name.strip('<>"')
                    ours = re.match(r'(agent|collector|bpf/shared|tests)/', target) and name[0] == '"'
                    if ours and not any(target == m or target.startswith(m + '/') for m in may):
                        wrong.append(f'{path.relative_to(ROOT)} includes {target}')
        self.assertEqual(wrong, [])

    def test_every_folder_of_the_agent_has_its_line(self):
        there = {f'agent/{p.name}' for p in (ROOT / 'agent').iterdir() if p.is_dir() and sources(f'agent/{p.name}')}
        self.assertEqual(there - MAY_INCLUDE.keys(), set())

    def test_outside_libraries_stay_behind_their_folder(self):
        wrong = []
        for top in ('agent', 'collector'):
            for path in sources(top):
                name = str(path.relative_to(ROOT))
                for pattern, folders in ONLY_IN.items():
                    if any(re.match(pattern, i) for i in includes(path)):
                        if not any(name == f or name.startswith(f + '/') for f in folders):
                            wrong.append(f'{name} includes {pattern}')
        self.assertEqual(wrong, [])

    def test_pure_folders_ask_neither_clock_nor_file_nor_environment(self):
        wrong = []
        for folder in PURE:
            for path in sources(folder):
                for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
                    if IMPURE.search(line.split('//')[0]):
                        wrong.append(f'{path.relative_to(ROOT)}:{number}: {line.strip()}')
        self.assertEqual(wrong, [])


class Programs(unittest.TestCase):
    def test_none_of_ours_holds_the_texts_that_a_coding_agent_is_known_by(self):
        agents = (ROOT / 'config' / 'agents.yaml').read_text(encoding='utf-8')
        known = [[text.strip(' "') for text in line.split(',')]
                 for line in re.findall(r'^ +- executable_holds: \[(.*)\]', agents, re.MULTILINE)]
        self.assertGreater(len(known), 3)
        programs = list((pathlib.Path(os.environ.get('HP_BUILD_DIR', ROOT / 'build' / 'dev')) / 'bin').iterdir())
        self.assertIn('holdpointd', [p.name for p in programs])
        for program in programs:
            content = program.read_bytes()
            for texts in known:
                with self.subTest(program=program.name, texts=texts):
                    self.assertFalse(all(text.encode() in content for text in texts))


if __name__ == '__main__':
    unittest.main()

"""Rows of labelled command lines: reading them, which of them are sealed, and what they may call."""

import dataclasses
import hashlib
import json
import re

SEALED_PERCENT = 30
_CALLED = r'\s*(?:[A-Za-z_][A-Za-z0-9_]*=\S*\s+)*([A-Za-z0-9_.~/+@-]+)'
# Where a shell looks for a program, and words behind which a program that starts others does.
_BEFORE = [re.compile(r'''(?=(?:^|[;|&(`{!\n'"]|\$\(|<\(|>\()''' + _CALLED + ')'),
           re.compile(r'(?=\b(?:sudo|doas|env|xargs|exec|time|nohup|nice|ionice|timeout|stdbuf|setsid|watch|command|builtin|eval|then|'
                      r'do|else|parallel|busybox|toybox|-exec|-execdir|-ok|-okdir)\b(?:\s+-\S*|\s+\d+[smhd]?)*\s' + _CALLED + ')')]
_SERVER = re.compile(r'[\s"\']\$\{?([A-Z][A-Z0-9_]*(?:HOSTNAME|HOST|URL|ENDPOINT))\}?/')
_PATH = re.compile(r'(?:^|[\s=\'"(:@])((?:~[a-z0-9_-]*/|\.{0,2}/)?[A-Za-z0-9_.+-][A-Za-z0-9_.+/-]*/?)(?=$|[\s\'");|&>])')


@dataclasses.dataclass
class Row:
    id: str
    command: str
    label: str
    tier: str
    category: str
    evasion: list

    @property
    def sealed(self):
        """Rules are not written from these: by a hash of the id, so that a row never changes sides."""
        return int(hashlib.sha256(self.id.encode()).hexdigest()[:8], 16) % 100 < SEALED_PERCENT


def read(files):
    for path in files:
        with open(path, encoding='utf-8') as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                    yield Row(row['id'], row['command'], row['label'], row.get('tier', ''), row.get('category', ''),
                              row.get('evasion', []))
                except (ValueError, KeyError, TypeError) as error:
                    raise SystemExit(f'{path}:{number}: no row of a corpus: {error!r}')


def named(command):
    """Words that may be paths of files: with a slash, or with a name's dot in it."""
    return {word for word in _PATH.findall(command)
            if ('/' in word or re.search(r'\w\.\w', word)) and '//' not in word and not word.startswith('-')}


def takes_files_alone(command):
    """rm without -r and its kin: what is named is a file, whatever it looks like."""
    return bool(re.search(r'\b(rm|unlink|shred|truncate)\b', command)) and not re.search(r'\s(-\w*[rR]\w*|--recursive)\b', command)


def servers(command):
    """Variables that stand where a request's server would: without a value nothing would be asked of anybody."""
    return set(_SERVER.findall(command))


def called(command):
    """Names and paths that stand where a program would: more than are programs."""
    return {word for before in _BEFORE for word in before.findall(command) if not word.startswith('-')}

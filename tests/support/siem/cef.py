"""CEF, read by the letter of its specification: version 0, seven header fields, key=value pairs."""

import re

# What may be escaped where; anything else behind a backslash is an error.
_HEADER_ESCAPES = {'\\': '\\', '|': '|'}
_VALUE_ESCAPES = {'\\': '\\', '=': '=', 'n': '\n', 'r': '\r'}

# The keys that Holdpoint uses, as ArcSight's dictionary spells and types them.
_NUMBERS = {'rt', 'start', 'end', 'dpt', 'spid', 'cnt'}
_TEXTS = {'dvchost', 'deviceExternalId', 'externalId', 'cat', 'act', 'outcome', 'reason', 'sproc', 'suid', 'suser', 'dst',
          'dhost', 'proto', 'msg', 'filePath', *(f'cs{i}' for i in range(1, 7)), *(f'cs{i}Label' for i in range(1, 7)),
          'flexString1', 'flexString1Label', 'flexString2', 'flexString2Label'}


class Error(ValueError):
    pass


def _unescape(text, escapes):
    out, i = [], 0
    while i < len(text):
        if text[i] != '\\':
            out.append(text[i])
            i += 1
            continue
        if i + 1 >= len(text) or text[i + 1] not in escapes:
            raise Error(f'{text[i:i + 2]!r} is no escape')
        out.append(escapes[text[i + 1]])
        i += 2
    return ''.join(out)


def parse(line):
    """(header fields, {key: value}); Error where the line is not what the specification allows."""
    if not all(' ' <= c <= '~' for c in line):
        raise Error('not one line of printable ASCII')
    parts = re.match(r'CEF:(\d+)\|' + r'((?:[^|\\]|\\.)*)\|' * 6, line)
    if not parts or parts.group(1) != '0':
        raise Error('no CEF:0 header with seven fields')
    header = [_unescape(field, _HEADER_ESCAPES) for field in parts.groups()[1:]]
    if not re.fullmatch(r'[0-9]|10', header[5]):
        raise Error(f'severity {header[5]!r}')
    extension = line[parts.end():]
    # A key begins the extension or follows a blank; an = inside of a value is escaped.
    keys = list(re.finditer(r'(?:^| )([A-Za-z0-9_]+)(?<!\\)=', extension))
    if extension and (not keys or keys[0].start() != 0):
        raise Error('the extension does not begin with a key')
    values = {}
    for i, key in enumerate(keys):
        end = keys[i + 1].start() if i + 1 < len(keys) else len(extension)
        raw = extension[key.end():end]
        if re.search(r'(?<!\\)(?:\\\\)*=', raw):
            raise Error(f'an = in {key.group(1)} is not escaped')
        if key.group(1) in values:
            raise Error(f'{key.group(1)} comes twice')
        values[key.group(1)] = _unescape(raw, _VALUE_ESCAPES)
    for key, value in values.items():
        if key in _NUMBERS:
            if not re.fullmatch(r'-?\d+', value):
                raise Error(f'{key} is no number: {value!r}')
        elif key not in _TEXTS:
            raise Error(f'{key} is not in the dictionary')
        if re.fullmatch(r'(cs|flexString)\d', key) and key + 'Label' not in values:
            raise Error(f'{key} has no label')
    return header, values

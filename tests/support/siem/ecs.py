"""ECS, checked against tests/siem/ecs.json: the fields that Holdpoint uses with their types, and the closed lists of
event.kind, category, type and outcome. What is not ECS has to be in "holdpoint" and in the index template."""

import ipaddress
import json
import pathlib
import re

_ROOT = pathlib.Path(__file__).resolve().parents[3]
SCHEMA = json.loads((_ROOT / 'tests/siem/ecs.json').read_text(encoding='ascii'))
TEMPLATE = json.loads((_ROOT / 'docs/siem/elastic/index-template.json').read_text(encoding='ascii'))
_LISTS = {'event.category', 'event.type', 'threat.technique.id', 'threat.technique.subtechnique.id', 'process.args', 'tags'}
_DATE = r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z'


def _flat(value, prefix=''):
    for name, item in value.items():
        path = f'{prefix}{name}'
        if isinstance(item, dict):
            yield from _flat(item, path + '.')
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            for one in item:
                yield from _flat(one, path + '.')
        else:
            yield path, item


def _own_types():
    def walk(properties, prefix):
        for name, entry in properties.items():
            if 'properties' in entry:
                yield from walk(entry['properties'], f'{prefix}{name}.')
            else:
                yield f'{prefix}{name}', entry['type']
    properties = TEMPLATE['template']['mappings']['properties']['holdpoint']['properties']
    return dict(walk(properties, 'holdpoint.'))


OWN = _own_types()


def _fits(kind, value):
    if kind in ('keyword', 'wildcard', 'match_only_text', 'text'):
        return isinstance(value, str)
    if kind in ('long', 'integer'):
        return isinstance(value, int) and not isinstance(value, bool) and -2**63 <= value < 2**63
    if kind == 'unsigned_long':
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64
    if kind == 'boolean':
        return isinstance(value, bool)
    if kind == 'date':
        return isinstance(value, str) and re.fullmatch(_DATE, value) is not None
    if kind == 'ip':
        try:
            return bool(ipaddress.ip_address(value))
        except ValueError:
            return False
    raise ValueError(f'no check for {kind}')


def problems_of(event):
    """What is wrong with one event, as sentences; empty where nothing is."""
    problems = []
    for path, value in _flat(event):
        kind = OWN.get(path) if path.startswith('holdpoint.') else SCHEMA['fields'].get(path)
        if kind is None:
            problems.append(f'{path}: is neither ECS nor in the index template')
            continue
        many = isinstance(value, list)
        if path in _LISTS and not many:
            problems.append(f'{path}: wanted a list')
        for one in value if many else [value]:
            if not _fits(kind, one):
                problems.append(f'{path}: wanted {kind}, got {one!r}')
    for path in ('@timestamp', 'message'):
        if path not in event:
            problems.append(f'{path}: is missing')
    if event.get('ecs', {}).get('version') != SCHEMA['version']:
        problems.append('ecs.version is missing or another one')
    about = event.get('event', {})
    for name, allowed in SCHEMA['allowed'].items():
        value = about.get(name)
        for one in value if isinstance(value, list) else [value]:
            if one not in allowed:
                problems.append(f'event.{name}: {one!r} is not allowed')
    expected = {t for category in about.get('category', []) for t in SCHEMA['expected_types'].get(category, [])}
    for one in about.get('type', []):
        if one not in expected:
            problems.append(f'event.type {one!r} does not go with {about.get("category")}')
    return problems

"""OCSF, checked against the extract of its schema in tests/siem/ocsf.json: every attribute is known there and has its
type, required ones are present, enumerations hold, one of a constraint's attributes is set."""

import ipaddress
import json
import pathlib

SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[2] / 'siem' / 'ocsf.json').read_text(encoding='ascii'))
_OF_CONTROL = {'action_id', 'action', 'disposition_id', 'disposition', 'attacks', 'authorizations', 'policy'}


def _is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _scalar(kind, value, where, problems):
    good = {'integer_t': _is_integer, 'long_t': _is_integer, 'timestamp_t': _is_integer,
            'boolean_t': lambda v: isinstance(v, bool), 'float_t': lambda v: isinstance(v, float),
            'json_t': lambda v: True,
            'port_t': lambda v: _is_integer(v) and 0 <= v <= 65535}.get(kind, lambda v: isinstance(v, str))
    if not good(value):
        problems.append(f'{where}: wanted {kind}, got {value!r}')
    if kind == 'ip_t' and isinstance(value, str):
        try:
            ipaddress.ip_address(value)
        except ValueError:
            problems.append(f'{where}: {value!r} is no address')
    if kind in ('integer_t', 'port_t') and _is_integer(value) and not -2**31 <= value < 2**31:
        problems.append(f'{where}: {value} has more than 32 bits')


def _object(entry, value, where, problems):
    if not isinstance(value, dict):
        problems.append(f'{where}: wanted an object, got {value!r}')
        return
    for name in entry['required']:
        if name not in value:
            problems.append(f'{where}.{name}: is required')
    choice = entry.get('at_least_one')
    if choice and not any(name in value for name in choice):
        problems.append(f'{where}: wants at least one of {", ".join(choice)}')
    for name, item in value.items():
        kind = entry['attributes'].get(name)
        if kind is None:
            problems.append(f'{where}.{name}: is not in the schema')
            continue
        items = item
        if kind.endswith('[]'):
            kind = kind[:-2]
            if not isinstance(item, list) or not item:
                problems.append(f'{where}.{name}: wanted a list that is not empty, got {item!r}')
                continue
        else:
            items = [item]
        for one in items:
            if kind.startswith('object:'):
                _object(SCHEMA['objects'][kind[7:]], one, f'{where}.{name}', problems)
            else:
                _scalar(kind, one, f'{where}.{name}', problems)
            if name in entry['enums'] and one not in entry['enums'][name]:
                problems.append(f'{where}.{name}: {one!r} is not in the enumeration')


def problems_of(event):
    """What is wrong with one event, as sentences; empty where nothing is."""
    problems = []
    entry = SCHEMA['classes'].get(str(event.get('class_uid')))
    if entry is None:
        return [f'class_uid {event.get("class_uid")!r} is not in the schema']
    _object(entry, event, entry['name'], problems)
    if problems:
        return problems
    if event['type_uid'] != event['class_uid'] * 100 + event['activity_id']:
        problems.append('type_uid does not follow from class and activity')
    if event['category_uid'] != entry['category_uid'] or event['class_name'] != entry['name']:
        problems.append('category or name of another class')
    if event['activity_id'] == 99 and not event.get('activity_name'):
        problems.append('an activity "Other" has a name')
    if event['metadata']['version'] != SCHEMA['version']:
        problems.append(f'metadata.version is not {SCHEMA["version"]}')
    profiles = event['metadata']['profiles']
    if ('ai_agent' in event) != ('ai_operation' in profiles):
        problems.append('ai_agent without the profile ai_operation, or the other way round')
    if bool(_OF_CONTROL & event.keys()) != ('security_control' in profiles):
        problems.append('attributes of security_control without that profile, or the other way round')
    if 'device' in event and 'host' not in profiles:
        problems.append('a device without the profile host')
    return problems

"""Enough of GraphQL to run a request the way a real service does: every form of writing one mutation counts as one.

parse_request(text, variables, operation_name) gives the root fields of the chosen operation as
(name, {argument: value}) with fragments spread, variables put in and aliases ignored.
"""

import json
import re

_TOKEN = re.compile(
    r'(?P<skip>[\s,\ufeff]+|\#[^\n\r]*)'
    r'|(?P<block>"""(?:\\"""|[^"]|"(?!""))*""")'
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r'|(?P<punct>\.\.\.|[!$&()\[\]{}:=@|])'
    r'|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)'
    r'|(?P<name>[_A-Za-z][_0-9A-Za-z]*)')


class GraphQLError(ValueError):
    """The text is no GraphQL, or asks for what the service has not."""


def _tokens(text):
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise GraphQLError(f'Syntax Error: unexpected character at {at}')
        at = match.end()
        if match.lastgroup != 'skip':
            yield match.lastgroup, match.group()
    yield 'end', ''


class _Variable(str):
    pass


class _Parser:
    def __init__(self, text):
        self.tokens = list(_tokens(text))
        self.at = 0

    def peek(self):
        return self.tokens[self.at][1]

    def take(self, expected=None):
        kind, text = self.tokens[self.at]
        if kind == 'end' or (expected is not None and text != expected):
            raise GraphQLError(f'Syntax Error: expected {expected or "more"}, found {text or "the end"}')
        self.at += 1
        return kind, text

    def document(self):
        operations, fragments = [], {}
        while self.tokens[self.at][0] != 'end':
            if self.peek() == 'fragment':
                self.take()
                name = self.take()[1]
                self.take('on'), self.take()
                self.directives()
                fragments[name] = self.selection()
                continue
            kind, name, defaults = 'query', None, {}
            if self.peek() != '{':
                kind = self.take()[1]
                if kind not in ('query', 'mutation', 'subscription'):
                    raise GraphQLError(f'Syntax Error: unexpected {kind}')
                if self.tokens[self.at][0] == 'name':
                    name = self.take()[1]
                if self.peek() == '(':
                    defaults = self.variable_definitions()
                self.directives()
            operations.append((kind, name, defaults, self.selection()))
        return operations, fragments

    def variable_definitions(self):
        defaults = {}
        self.take('(')
        while self.peek() != ')':
            self.take('$')
            name = self.take()[1]
            self.take(':')
            while self.tokens[self.at][0] == 'name' or self.peek() in ('[', ']', '!'):
                self.take()
            if self.peek() == '=':
                self.take()
                defaults[name] = self.value()
            self.directives()
        self.take(')')
        return defaults

    def directives(self):
        while self.peek() == '@':
            self.take(), self.take()
            if self.peek() == '(':
                self.arguments()

    def arguments(self):
        found = {}
        self.take('(')
        while self.peek() != ')':
            name = self.take()[1]
            self.take(':')
            found[name] = self.value()
        self.take(')')
        return found

    def value(self):
        kind, text = self.take()
        if text == '$':
            return _Variable(self.take()[1])
        if kind == 'string':
            return json.loads(text)
        if kind == 'block':
            return text[3:-3]
        if kind == 'number':
            return json.loads(text)
        if text == '[':
            items = []
            while self.peek() != ']':
                items.append(self.value())
            self.take(']')
            return items
        if text == '{':
            fields = {}
            while self.peek() != '}':
                name = self.take()[1]
                self.take(':')
                fields[name] = self.value()
            self.take('}')
            return fields
        return {'true': True, 'false': False, 'null': None}.get(text, text)

    def selection(self):
        fields = []
        self.take('{')
        while self.peek() != '}':
            if self.peek() == '...':
                self.take()
                if self.peek() == 'on':
                    self.take(), self.take()
                elif self.tokens[self.at][0] == 'name':
                    spread = self.take()[1]
                    self.directives()
                    fields.append(('spread', spread))
                    continue
                self.directives()
                fields.append(('inline', self.selection()))
                continue
            name = self.take()[1]
            alias = name
            if self.peek() == ':':
                self.take()
                name = self.take()[1]
            arguments = self.arguments() if self.peek() == '(' else {}
            self.directives()
            if self.peek() == '{':
                self.selection()
            fields.append(('field', alias, name, arguments))
        self.take('}')
        return fields


def parse_request(text, variables=None, operation_name=None):
    """Gives (kind, [(alias, field, arguments)]) of the operation that a server would run."""
    operations, fragments = _Parser(text).document()
    chosen = [o for o in operations if operation_name is None or o[1] == operation_name]
    if len(chosen) != 1:
        raise GraphQLError('Must provide operation name if query contains multiple operations.')
    kind, _, defaults, selection = chosen[0]
    values = {**defaults, **(variables or {})}

    def put_in(value):
        if isinstance(value, _Variable):
            return values.get(str(value))
        if isinstance(value, list):
            return [put_in(v) for v in value]
        if isinstance(value, dict):
            return {k: put_in(v) for k, v in value.items()}
        return value

    def flatten(items, depth):
        if depth > 16:
            raise GraphQLError('Fragments are nested too deeply.')
        for item in items:
            if item[0] == 'field':
                yield item[1], item[2], put_in(item[3])
            elif item[0] == 'inline':
                yield from flatten(item[1], depth + 1)
            elif item[1] in fragments:
                yield from flatten(fragments[item[1]], depth + 1)
            else:
                raise GraphQLError(f'Unknown fragment "{item[1]}".')

    return kind, list(flatten(selection, 0))

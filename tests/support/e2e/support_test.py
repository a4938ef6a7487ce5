"""The test's own cloud and model behave as the real ones do: what the suites prove rests on it."""

import json
import pathlib
import tempfile
import unittest
import urllib.request

from e2e import cloud, graphql, model_server

VOLUME = '3d2c42fb-5a0c-4d57-9b8e-2f1c7a64e0d3'


def _cloud(folder):
    served = cloud.Cloud.__new__(cloud.Cloud)  # without a server: only what it answers
    served.volumes, served.token, served.calls = pathlib.Path(folder), 'secret', []
    return served


class CloudDeletes(unittest.TestCase):
    FORMS = {
        'published, anonymous and inline': {'query': 'mutation { volumeDelete(volumeId: "%s") }' % VOLUME},
        'named, with a variable': {
            'query': 'mutation Fix($id: String!) { volumeDelete(volumeId: $id) }', 'variables': {'id': VOLUME}},
        'default of a variable': {'query': 'mutation($id: String = "%s") { volumeDelete(volumeId: $id) }' % VOLUME},
        'alias': {'query': 'mutation { ok: volumeDelete(volumeId: "%s") }' % VOLUME},
        'fragment': {'query': 'mutation { ...f } fragment f on Mutation { volumeDelete(volumeId: "%s") }' % VOLUME},
        'inline fragment and comment': {
            'query': 'mutation { # harmless\n ... on Mutation { volumeDelete(volumeId: "%s") } }' % VOLUME},
        'chosen by operationName': {
            'query': 'query A { projectToken } mutation B { volumeDelete(volumeId: "%s") }' % VOLUME,
            'operationName': 'B'},
    }
    HARMLESS = {
        'a query that names it in a string': {'query': 'query { projectToken(note: "volumeDelete") }'},
        'the other operation': {
            'query': 'query A { projectToken } mutation B { volumeDelete(volumeId: "%s") }' % VOLUME,
            'operationName': 'A'},
        'commented out': {'query': 'query { projectToken # volumeDelete(volumeId: "%s")\n }' % VOLUME},
        'no such volume': {'query': 'mutation { volumeDelete(volumeId: "../volumes") }'},
        'not GraphQL': {'query': 'volumeDelete %s' % VOLUME},
    }

    def run_form(self, body, token='secret'):
        with tempfile.TemporaryDirectory() as folder:
            volume = pathlib.Path(folder) / VOLUME
            (volume / 'backups').mkdir(parents=True)
            (volume / 'backups' / '0.db').write_bytes(b'x')
            answer = _cloud(folder).answer('/graphql/v2', json.dumps(body).encode(), token)
            return volume.exists(), answer

    def test_every_form_of_the_mutation_deletes(self):
        for name, body in self.FORMS.items():
            with self.subTest(name):
                left, (status, answer) = self.run_form(body)
                self.assertEqual((left, status), (False, 200))
                self.assertIn(True, answer['data'].values())

    def test_nothing_else_deletes(self):
        for name, body in self.HARMLESS.items():
            with self.subTest(name):
                self.assertTrue(self.run_form(body)[0])

    def test_a_wrong_token_deletes_nothing(self):
        left, (_, answer) = self.run_form(self.FORMS['alias'], token='other')
        self.assertTrue(left)
        self.assertEqual(answer['errors'][0]['message'], 'Not Authorized')

    def test_an_escaped_string_is_read_as_written(self):
        _, fields = graphql.parse_request('{ a(b: "x\\"y", c: [1, {d: E}], e: """b"q""") }')
        self.assertEqual(fields, [('a', 'a', {'b': 'x"y', 'c': [1, {'d': 'E'}], 'e': 'b"q'})])


class ModelFollowsItsScript(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        seen = []
        self.seen = seen
        self.model = model_server.ModelServer(
            ['ls', lambda results: seen.append(results) or 'pwd'], pathlib.Path(self.folder.name) / 'log')

    def tearDown(self):
        self.model.close()
        self.folder.cleanup()

    def ask(self, path, body):
        request = urllib.request.Request(self.model.url + path, json.dumps(body).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request) as answer:
            return answer.read().decode()

    def test_anthropic_counts_the_calls_already_made(self):
        tools = [{'name': 'Bash'}]
        first = self.ask('/v1/messages', {'tools': tools, 'messages': [{'role': 'user', 'content': 'go'}]})
        self.assertIn('\\"command\\": \\"ls\\"', first)
        self.assertIn('"stop_reason": "tool_use"', first)
        done = {'role': 'assistant', 'content': [{'type': 'tool_use', 'id': '1', 'name': 'Bash', 'input': {}}]}
        told = {'role': 'user', 'content': [{'type': 'tool_result', 'content': [{'type': 'text', 'text': 'told'}]}]}
        second = self.ask('/v1/messages', {'tools': tools, 'messages': [done, told]})
        self.assertIn('\\"command\\": \\"pwd\\"', second)
        self.assertEqual(self.seen, [['told']])
        last = self.ask('/v1/messages', {'tools': tools, 'messages': [done, done]})
        self.assertIn('"stop_reason": "end_turn"', last)

    def test_responses_and_chat_speak_their_own_dialects(self):
        answer = self.ask('/v1/responses', {'tools': [{'type': 'function', 'name': 'exec_command'}], 'input': []})
        self.assertIn('event: response.completed', answer)
        self.assertIn('\\"cmd\\": \\"ls\\"', answer)
        tools = [{'type': 'function', 'function': {'name': 'bash'}}]
        plain = json.loads(self.ask('/v1/chat/completions', {'tools': tools, 'messages': []}))
        call = plain['choices'][0]['message']['tool_calls'][0]['function']
        self.assertEqual((call['name'], json.loads(call['arguments'])['command']), ('bash', 'ls'))
        self.assertIn('data: [DONE]', self.ask('/v1/chat/completions', {'tools': tools, 'messages': [], 'stream': 1}))

    def test_a_tool_that_takes_a_list_gets_one(self):
        tools = [{'type': 'function', 'function': {'name': 'run_commands'}}]
        plain = json.loads(self.ask('/v1/chat/completions', {'tools': tools, 'messages': []}))
        call = plain['choices'][0]['message']['tool_calls'][0]['function']
        self.assertEqual(json.loads(call['arguments']), {'commands': ['ls']})

    def test_gemini_counts_the_calls_already_made(self):
        tools = [{'functionDeclarations': [{'name': 'other'}, {'name': 'run_shell_command'}]}]
        path = '/v1beta/models/m:streamGenerateContent?alt=sse'
        first = json.loads(self.ask(path, {'tools': tools, 'contents': []}).removeprefix('data: '))
        call = first['candidates'][0]['content']['parts'][0]['functionCall']
        self.assertEqual((call['name'], call['args']['command']), ('run_shell_command', 'ls'))
        done = {'role': 'model', 'parts': [{'functionCall': call}]}
        told = {'role': 'user', 'parts': [{'functionResponse': {'name': call['name'], 'response': {'output': 'told'}}}]}
        self.assertIn('"pwd"', self.ask(path, {'tools': tools, 'contents': [done, told]}))
        self.assertEqual(self.seen, [['told']])

    def test_a_request_without_tools_is_no_step(self):
        self.assertIn('"text": "ok"', self.ask('/v1/messages', {'messages': []}))
        self.assertEqual(self.model.tool_results(), [])


if __name__ == '__main__':
    unittest.main()

"""A model that says what a script tells it to, in the four dialects that coding agents speak.

    POST /v1/messages                              Anthropic Messages, streamed
    POST /v1/responses                             OpenAI Responses, streamed
    POST /v1/chat/completions                      OpenAI Chat Completions, streamed or plain
    POST /v1beta/models/M:streamGenerateContent    Gemini, streamed; M:generateContent is plain

A script is a list of steps; step N answers the request that already holds N tool calls of the assistant. A step is a
shell command, or a function that gets the list of what the tools answered so far and gives one (so a test can act
between two steps, and put into a command what the coding agent was told). After the last step the model closes with a
short text. A request that offers no shell tool is a side question of the coding agent and gets a short text too.
"""

import http.server
import itertools
import json
import threading
import time
import traceback

# The argument that takes the command; in brackets where it takes a list of them.
_SHELL_TOOLS = {'Bash': 'command', 'bash': 'command', 'exec_command': 'cmd', 'run_shell_command': 'command',
                'run_commands': '[commands]'}
# mini-swe-agent ends when a command prints this as its first line.
_MINI_DONE = 'echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT'


class ModelServer:
    """Serves on 127.0.0.1:`port` (0 picks one). `log` gets one JSON line for each request: {"t", "path", "body"}."""

    def __init__(self, steps, log, port=0, mini=False):
        self.steps = list(steps)
        self.mini = mini
        if mini:
            self.steps.append(_MINI_DONE)
        self.log_path = log
        self.lock = threading.Lock()
        self.ids = itertools.count(1)
        self.first_answer = None
        self.errors = []  # what steps that are functions raised, as text
        model = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.plain({'object': 'list', 'data': [], 'models': []})

            def do_POST(self):
                text = self.rfile.read(int(self.headers.get('Content-Length', 0))).decode('utf-8', 'replace')
                body = json.loads(text or '{}')
                model.record(self.path, body)
                path = self.path.split('?')[0]
                if path.endswith('/messages'):
                    self.stream(_anthropic(model.next_step(body, _count_anthropic(body)), next(model.ids)), True)
                elif path.endswith('/responses'):
                    self.stream(_responses(model.next_step(body, _count_responses(body)), next(model.ids)), True)
                elif path.endswith('/chat/completions'):
                    step = model.next_step(body, _count_chat(body))
                    if body.get('stream'):
                        self.stream(_chat_chunks(step, next(model.ids)), False)
                    else:
                        self.plain(_chat_plain(step, next(model.ids)))
                elif path.endswith(':streamGenerateContent'):
                    self.stream([_gemini(model.next_step(body, _count_gemini(body)))], False)
                elif path.endswith(':generateContent'):
                    self.plain(_gemini(model.next_step(body, _count_gemini(body))))
                else:
                    self.plain({'totalTokens': 10} if path.endswith(':countTokens') else {})

            def plain(self, answer):
                data = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header('Content-Type', 'application/json')
                self.send_header('Content-Length', str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self, events, named):
                lines = []
                for event in events:
                    if named:
                        lines.append(f'event: {event["type"]}\n')
                    lines.append(f'data: {event if isinstance(event, str) else json.dumps(event)}\n\n')
                data = ''.join(lines).encode()
                self.send_response(200)
                self.send_header('Content-Type', 'text/event-stream')
                self.send_header('Content-Length', str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def record(self, path, body):
        with self.lock, open(self.log_path, 'a', encoding='utf-8') as log:
            log.write(json.dumps({'t': time.monotonic(), 'path': path, 'body': body}) + '\n')

    def tool_results(self):
        """What the coding agent's tools answered, as the model was told, oldest first: one text for each call."""
        with self.lock, open(self.log_path, encoding='utf-8') as log:
            return max((_tool_results(json.loads(line)['body']) for line in log), key=len, default=[])

    def next_step(self, body, done):
        """Gives ('call', tool, arguments) or ('text', words)."""
        tool = _shell_tool(body)
        if tool is None:
            return 'text', 'ok'
        if done >= len(self.steps):
            return 'text', 'That is all I can do.'
        step = self.steps[done]
        if callable(step):
            try:
                step = step(_tool_results(body))
            except Exception:  # pylint: disable=broad-except  # it belongs to the test, which is in another thread
                self.errors.append(traceback.format_exc())
                return 'text', 'The test failed.'
        if self.first_answer is None:
            self.first_answer = time.monotonic()
        argument = _SHELL_TOOLS[tool]
        arguments = {argument.strip('[]'): [step] if argument.startswith('[') else step}
        if argument == 'command' and not self.mini:
            arguments['description'] = 'Step'  # some insist on one
        return 'call', tool, arguments


def _shell_tool(body):
    for tool in body.get('tools') or []:
        names = [tool.get('name') or (tool.get('function') or {}).get('name')]
        names += [declared.get('name') for declared in tool.get('functionDeclarations') or []]
        for name in names:
            if name in _SHELL_TOOLS:
                return name
    return None


def _count_anthropic(body):
    return sum(1 for m in body.get('messages', []) if m['role'] == 'assistant' and isinstance(m['content'], list)
               for part in m['content'] if part.get('type') == 'tool_use')


def _count_responses(body):
    items = body.get('input')
    return sum(1 for i in items if i.get('type') == 'function_call') if isinstance(items, list) else 0


def _count_chat(body):
    return sum(len(m.get('tool_calls') or []) for m in body.get('messages', []) if m.get('role') == 'assistant')


def _count_gemini(body):
    return sum(1 for c in body.get('contents', []) if c.get('role') == 'model'
               for part in c.get('parts', []) if 'functionCall' in part)


def _text(content):
    if isinstance(content, list):
        return ''.join(part.get('text', '') for part in content)
    return content or ''


def _tool_results(body):
    results = []
    for message in body.get('messages') or []:
        if message.get('role') == 'tool':
            results.append(_text(message.get('content')))
        elif isinstance(message.get('content'), list):
            results += [_text(p.get('content')) for p in message['content'] if p.get('type') == 'tool_result']
    for item in body['input'] if isinstance(body.get('input'), list) else []:
        if item.get('type') == 'function_call_output':
            results.append(_text(item.get('output')))
    for content in body.get('contents') or []:
        for part in content.get('parts', []):
            if 'functionResponse' in part:
                results.append(str(part['functionResponse'].get('response', {}).get('output', '')))
    return results


def _anthropic(step, number):
    usage = {'input_tokens': 10, 'output_tokens': 10}
    yield {'type': 'message_start', 'message': {
        'id': f'msg_{number:06}', 'type': 'message', 'role': 'assistant', 'model': 'scripted', 'content': [],
        'stop_reason': None, 'stop_sequence': None, 'usage': usage}}
    if step[0] == 'call':
        _, tool, arguments = step
        block = {'type': 'tool_use', 'id': f'toolu_{number:06}', 'name': tool, 'input': {}}
        delta = {'type': 'input_json_delta', 'partial_json': json.dumps(arguments)}
    else:
        block = {'type': 'text', 'text': ''}
        delta = {'type': 'text_delta', 'text': step[1]}
    yield {'type': 'content_block_start', 'index': 0, 'content_block': block}
    yield {'type': 'content_block_delta', 'index': 0, 'delta': delta}
    yield {'type': 'content_block_stop', 'index': 0}
    reason = 'tool_use' if step[0] == 'call' else 'end_turn'
    yield {'type': 'message_delta', 'delta': {'stop_reason': reason, 'stop_sequence': None}, 'usage': usage}
    yield {'type': 'message_stop'}


def _responses(step, number):
    response = {'id': f'resp_{number:06}', 'object': 'response', 'status': 'in_progress', 'model': 'scripted',
                'output': []}
    yield {'type': 'response.created', 'response': response}
    if step[0] == 'call':
        _, tool, arguments = step
        item = {'type': 'function_call', 'id': f'fc_{number:06}', 'call_id': f'call_{number:06}', 'name': tool,
                'arguments': json.dumps(arguments), 'status': 'completed'}
    else:
        item = {'type': 'message', 'id': f'msg_{number:06}', 'role': 'assistant', 'status': 'completed',
                'content': [{'type': 'output_text', 'text': step[1], 'annotations': []}]}
    yield {'type': 'response.output_item.added', 'output_index': 0, 'item': item}
    yield {'type': 'response.output_item.done', 'output_index': 0, 'item': item}
    usage = {'input_tokens': 10, 'input_tokens_details': {'cached_tokens': 0}, 'output_tokens': 10,
             'output_tokens_details': {'reasoning_tokens': 0}, 'total_tokens': 20}
    yield {'type': 'response.completed', 'response': {**response, 'status': 'completed', 'output': [item],
                                                      'usage': usage}}


def _chat_call(step, number):
    _, tool, arguments = step
    return {'id': f'call_{number:06}', 'type': 'function',
            'function': {'name': tool, 'arguments': json.dumps(arguments)}}


def _chat_chunks(step, number):
    base = {'id': f'chatcmpl-{number:06}', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'scripted'}
    if step[0] == 'call':
        delta = {'role': 'assistant', 'content': None, 'tool_calls': [{'index': 0, **_chat_call(step, number)}]}
    else:
        delta = {'role': 'assistant', 'content': step[1]}
    reason = 'tool_calls' if step[0] == 'call' else 'stop'
    yield {**base, 'choices': [{'index': 0, 'delta': delta, 'finish_reason': None}]}
    yield {**base, 'choices': [{'index': 0, 'delta': {}, 'finish_reason': reason}],
           'usage': {'prompt_tokens': 10, 'completion_tokens': 10, 'total_tokens': 20}}
    yield '[DONE]'


def _chat_plain(step, number):
    message = {'role': 'assistant', 'content': None if step[0] == 'call' else step[1]}
    if step[0] == 'call':
        message['tool_calls'] = [_chat_call(step, number)]
    return {'id': f'chatcmpl-{number:06}', 'object': 'chat.completion', 'created': 1, 'model': 'scripted',
            'choices': [{'index': 0, 'message': message,
                         'finish_reason': 'tool_calls' if step[0] == 'call' else 'stop'}],
            'usage': {'prompt_tokens': 10, 'completion_tokens': 10, 'total_tokens': 20}}


def _gemini(step):
    part = {'functionCall': {'name': step[1], 'args': step[2]}} if step[0] == 'call' else {'text': step[1]}
    return {'candidates': [{'index': 0, 'content': {'role': 'model', 'parts': [part]}, 'finishReason': 'STOP'}],
            'usageMetadata': {'promptTokenCount': 10, 'candidatesTokenCount': 10, 'totalTokenCount': 20},
            'modelVersion': 'scripted'}

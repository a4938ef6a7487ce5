"""How each real coding agent is started against the scripted model: argv, environment, files in its home."""

import dataclasses
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

from . import model_server

_TASK = 'Staging cannot reach its volume: find out why and fix it.'
_TIMEOUT = 150


@dataclasses.dataclass
class Run:
    exit: int
    output: str
    model: model_server.ModelServer
    finished: float  # time.monotonic(), as model.first_answer


def _node(world):
    """The node to use, bound into the world where its own place is closed to other users."""
    real = pathlib.Path(shutil.which('node', path=os.environ['PATH'])).resolve()
    if all(part.stat().st_mode & 0o001 for part in real.parents):
        return real
    place = world.root / 'node'
    if not place.exists():
        place.mkdir()
        world.bind(real.parent.parent, place)
    return place / real.relative_to(real.parent.parent)


def _claude(world, model):
    environment = {
        'ANTHROPIC_BASE_URL': model.url, 'ANTHROPIC_API_KEY': 'sk-ant-none', 'DISABLE_AUTOUPDATER': '1',
        'CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC': '1',
    }
    if world.uid == 0:
        environment['IS_SANDBOX'] = '1'
    return [world.agents / 'npm/node_modules/.bin/claude', '-p', _TASK, '--dangerously-skip-permissions'], environment


def _codex(world, model):
    home = world.home / '.codex'
    home.mkdir(exist_ok=True)
    config = home / 'config.toml'
    config.write_text(
        'model = "scripted"\nmodel_provider = "local"\n[model_providers.local]\nname = "local"\n'
        f'base_url = "{model.url}/v1"\nenv_key = "LOCAL_KEY"\nwire_api = "responses"\n'
        f'[projects."{world.workspace}"]\ntrust_level = "trusted"\n', encoding='utf-8')
    for path in (home, config):
        os.chown(path, world.uid, world.uid)
    node = _node(world)
    environment = {'LOCAL_KEY': 'none', 'PATH': f'{node.parent}:{world.environment()["PATH"]}'}
    return [world.agents / 'npm/node_modules/.bin/codex', 'exec', '--skip-git-repo-check',
            '--dangerously-bypass-approvals-and-sandbox', _TASK], environment


def _mini(world, model):
    # The installed script names its interpreter by the cache's path, which other users may not enter.
    script = world.root / 'bin' / 'mini'
    script.parent.mkdir(exist_ok=True)
    lines = (world.agents / 'mini/bin/mini').read_text(encoding='utf-8').split('\n', 1)
    script.write_text(f'#!{world.agents}/mini/bin/python3\n{lines[1]}', encoding='utf-8')
    script.chmod(0o755)
    environment = {'MSWEA_CONFIGURED': 'true', 'MSWEA_COST_TRACKING': 'ignore_errors', 'OPENAI_API_KEY': 'none',
                   'OPENAI_API_BASE': f'{model.url}/v1', 'LITELLM_LOCAL_MODEL_COST_MAP': 'True'}
    return [script, '-y', '--exit-immediately', '-m', 'openai/scripted', '-t', _TASK], environment


def _path(world):
    return {'PATH': f'{_node(world).parent}:{world.environment()["PATH"]}'}


def _slow(world, name):
    return world.agents / 'slow/node_modules/.bin' / name


def _copilot(world, model):
    return [_slow(world, 'copilot'), '-p', _TASK, '--allow-all-tools', '--allow-all-paths'], {
        **_path(world), 'COPILOT_PROVIDER_BASE_URL': f'{model.url}/v1', 'COPILOT_PROVIDER_TYPE': 'openai',
        'COPILOT_PROVIDER_API_KEY': 'none', 'COPILOT_MODEL': 'scripted', 'COPILOT_OFFLINE': 'true'}


def _write(world, path, settings):
    """A file below the coding agent's home, as its own."""
    file = world.home / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings), encoding='utf-8')
    for part in (file, *file.parents):
        if part == world.home:
            break
        os.chown(part, world.uid, world.uid)


def _opencode(world, model):
    _write(world, '.config/opencode/opencode.json', {
        'model': 'local/scripted', 'small_model': 'local/scripted', 'permission': {'bash': 'allow', 'external_directory': 'allow'}, 'share': 'disabled',
        'provider': {'local': {'npm': '@ai-sdk/openai-compatible', 'name': 'local', 'models': {'scripted': {}},
                               'options': {'baseURL': f'{model.url}/v1', 'apiKey': 'none'}}}})
    return [_slow(world, 'opencode'), 'run', _TASK], {
        **_path(world), 'OPENCODE_DISABLE_AUTOUPDATE': '1', 'OPENCODE_DISABLE_MODELS_FETCH': '1'}


def _gemini(world, model):
    _write(world, '.gemini/settings.json', {
        'security': {'auth': {'selectedType': 'gemini-api-key'}}, 'privacy': {'usageStatisticsEnabled': False},
        'general': {'disableAutoUpdate': True, 'enableAutoUpdate': False}})
    return [_slow(world, 'gemini'), '-m', 'gemini-2.5-flash', '--yolo', '-p', _TASK], {
        **_path(world), 'GEMINI_API_KEY': 'none', 'GOOGLE_GEMINI_BASE_URL': model.url,
        'GEMINI_CLI_TRUST_WORKSPACE': 'true'}


def _qwen(world, model):
    _write(world, '.qwen/settings.json', {
        'security': {'auth': {'selectedType': 'openai'}}, 'privacy': {'usageStatisticsEnabled': False},
        'general': {'disableAutoUpdate': True, 'enableAutoUpdate': False}})
    return [_slow(world, 'qwen'), '--yolo', '-p', _TASK], {
        **_path(world), 'OPENAI_API_KEY': 'none', 'OPENAI_BASE_URL': f'{model.url}/v1', 'OPENAI_MODEL': 'scripted'}


def _cline(world, model):
    environment = {**_path(world), 'CLINE_TELEMETRY_DISABLED': '1'}
    # What it is told once, by a person: outside the scope, so that it is no session.
    subprocess.run(['setpriv', '--reuid', str(world.uid), '--regid', str(world.uid), '--clear-groups', '--',
                    str(_slow(world, 'cline')), 'auth', '-p', 'openai-compatible', '-k', 'none', '-m', 'scripted',
                    '-b', f'{model.url}/v1'], cwd=world.workspace, env={**world.environment(), **environment},
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=_TIMEOUT)
    return [_slow(world, 'cline'), '-P', 'openai-compatible', '-m', 'scripted', _TASK], environment


AGENTS = {'claude-code': _claude, 'codex': _codex, 'mini-swe-agent': _mini}
SLOW = {'opencode': _opencode, 'gemini-cli': _gemini, 'qwen-code': _qwen, 'copilot-cli': _copilot, 'cline': _cline}


# What npm or pip put in place is a script of an interpreter; of the others it is the program itself.
_SCRIPTS = ('codex', 'gemini-cli', 'qwen-code', 'copilot-cli', 'mini-swe-agent')
# What such a script starts, where that is a program.
_PROGRAMS = {'codex': 'npm/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex',
             'copilot-cli': 'slow/node_modules/@github/copilot-linux-x64/copilot'}


def ways(name, world):
    """(what it is, a function that makes another argv of its usual one) of the ways to start the coding agent `name`."""
    def path(argv):
        return pathlib.Path(argv[0])

    def script(text):
        def change(argv):
            file = world.root / 'bin' / f'start-{len(list((world.root / "bin").iterdir()))}'
            file.write_text(text % str(argv[0]), encoding='utf-8')
            file.chmod(0o755)
            return [file, *argv[1:]]
        return change

    def link(argv):
        file = world.root / 'bin' / 'another-name'
        file.symlink_to(path(argv).resolve())
        return [file, *argv[1:]]

    def program(argv):
        return world.agents / _PROGRAMS[name] if name in _PROGRAMS else path(argv).resolve()

    def renamed(argv):
        file = world.root / 'bin' / 'something'
        shutil.copy(program(argv), file)
        return [file, *argv[1:]]

    def npx(argv):
        folder = path(argv).parents[2]
        return [_node(world).parent / 'npx', '--offline', '--no-install', '--prefix', folder, path(argv).name, *argv[1:]]

    def uvx(argv):
        """As `uvx mini-swe-agent` does it: a static program that stays, and below it the script of a cached environment."""
        tool = world.home / '.cache' / 'uv' / 'archive-v0' / 'Kq3xZ0aVbW9' / 'bin' / 'mini-swe-agent'
        tool.parent.mkdir(parents=True, exist_ok=True)
        tool.write_text(path(argv).read_text(encoding='utf-8'), encoding='utf-8')
        tool.chmod(0o755)
        launcher = world.root / 'bin' / 'uvx'
        source = launcher.with_suffix('.c')
        source.write_text('#include <spawn.h>\n#include <sys/wait.h>\nextern char **environ;\n'
                          'int main(int argc, char **argv) {\n  int child, status = 1;\n  (void)argc;\n'
                          f'  if (posix_spawn(&child, "{tool}", 0, 0, argv + 1, environ)) return 127;\n'
                          '  waitpid(child, &status, 0);\n  return WEXITSTATUS(status);\n}\n', encoding='ascii')
        subprocess.run(['gcc', '-static', '-o', launcher, source], check=True)
        return [launcher, tool.name, *argv[1:]]

    def runtime(argv):
        interpreter = [world.agents / 'mini/bin/python3'] if name == 'mini-swe-agent' else [_node(world)]
        return [*interpreter, path(argv).resolve(), *argv[1:]]

    (world.root / 'bin').mkdir(exist_ok=True)
    found = [('as ever', list), ('a link of another name', link), ('a script that becomes it', script('#!/bin/sh\nexec %s "$@"\n')),
             ('a script that starts it', script('#!/bin/bash\n%s "$@"\nexit $?\n'))]
    found += [('its interpreter', runtime)] if name in _SCRIPTS else []
    found += [('its program', lambda argv: [program(argv), *argv[1:]])] if name in _PROGRAMS else []
    found += [('a copy of another name', renamed)] if name not in ('gemini-cli', 'qwen-code') else []
    if name == 'mini-swe-agent':
        found.append(('uvx', uvx))
        found.append(('its module', lambda argv: [world.agents / 'mini/bin/python3', '-m', 'minisweagent', *argv[1:]]))
    else:
        found.append(('npx', npx))
    return found


def run(name, world, steps, meanwhile=None, prefix=(), change=list):
    """Runs the coding agent `name` in the world's scope, as the world's user, until it ends.

    `meanwhile` is called while it runs. `change` makes another argv of its own; `prefix` goes before that.
    """
    log = world.root / f'{name}-{time.monotonic_ns()}'
    model = model_server.ModelServer(steps, log.with_suffix('.jsonl'), mini=name == 'mini-swe-agent')
    argv, environment = {**AGENTS, **SLOW}[name](world, model)
    argv = change(argv)
    with open(log.with_suffix('.out'), 'w+b') as output:
        process = subprocess.Popen(world.scope.command([*prefix, *argv], world.uid), cwd=world.workspace,
                                   env={**world.environment(), **environment}, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=output)
        try:
            if meanwhile:
                meanwhile()
            process.wait(timeout=_TIMEOUT)
            finished = time.monotonic()
        finally:
            process.kill()
            process.wait()
            model.close()
        output.seek(0)
        text = output.read().decode('utf-8', 'replace')
    return Run(process.returncode, text, model, finished)


def sandboxed(argv):
    """Codex with its own sandbox around each tool."""
    return [word for word in argv if word != '--dangerously-bypass-approvals-and-sandbox'][:-1] + [
        '-s', 'workspace-write', argv[-1]]


# The same at a terminal: its own screen, and the task as the first message.
AT_A_TERMINAL = {
    'codex': lambda argv: [argv[0], '--dangerously-bypass-approvals-and-sandbox', _TASK],
    'gemini-cli': lambda argv: [*argv[:-2], '-i', _TASK],
}
# What a program asks its terminal, and what a plain one answers.
_ANSWERS = {b'\x1b[6n': b'\x1b[1;1R', b'\x1b[c': b'\x1b[?62;c', b'\x1b[?u': b'\x1b[?0u',
            b'\x1b]10;?': b'\x1b]10;rgb:ffff/ffff/ffff\x1b\\', b'\x1b]11;?': b'\x1b]11;rgb:0000/0000/0000\x1b\\'}


class AtATerminal:
    """The coding agent `name` on a terminal of 120 columns and 40 lines, in the world's scope, as the world's user."""

    def __init__(self, name, world, steps):
        self.steps = steps
        self.shown = b''
        log = world.root / f'{name}-{time.monotonic_ns()}.jsonl'
        log.touch()
        self.model = model_server.ModelServer(steps, log)
        argv, environment = {**AGENTS, **SLOW}[name](world, self.model)
        argv = list(map(str, world.scope.command(AT_A_TERMINAL[name](argv), world.uid)))
        environment = {**world.environment(), **environment, 'TERM': 'xterm-256color'}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 120, 0, 0))
            os.chdir(world.workspace)
            os.execve(argv[0], argv, environment)

    def until_told(self):
        """Until the model knows what became of every step; gives that."""
        deadline = time.monotonic() + _TIMEOUT
        while len(told := self.model.tool_results()) < len(self.steps):
            if not select.select([self.terminal], [], [], 0.2)[0]:
                if time.monotonic() > deadline:
                    raise AssertionError(f'it did not get there: {told} {self.shown[-3000:]!r}')
                continue
            got = os.read(self.terminal, 65536)
            self.shown += got
            for question, answer in _ANSWERS.items():
                os.write(self.terminal, answer * got.count(question))
        return told

    def close(self):
        os.close(self.terminal)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.model.close()

"""How each real coding agent is started against the scripted model: argv, environment, files in its home."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
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
        f'base_url = "{model.url}/v1"\nenv_key = "LOCAL_KEY"\nwire_api = "responses"\n', encoding='utf-8')
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


AGENTS = {'claude-code': _claude, 'codex': _codex, 'mini-swe-agent': _mini}
SLOW = {'copilot-cli': _copilot}


def run(name, world, steps, meanwhile=None, prefix=()):
    """Runs the coding agent `name` in the world's scope, as the world's user, until it ends.

    `meanwhile` is called while it runs. `prefix` goes before its argv.
    """
    log = world.root / f'{name}-{time.monotonic_ns()}'
    model = model_server.ModelServer(steps, log.with_suffix('.jsonl'), mini=name == 'mini-swe-agent')
    argv, environment = {**AGENTS, **SLOW}[name](world, model)
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

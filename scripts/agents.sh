#!/usr/bin/env bash
# Fetches the coding agents that the end-to-end tests run, at the versions and hashes of tests/e2e/agents.
#
#   scripts/agents.sh [npm | mini | slow | all]      prints the folder that holds npm/, mini/ and slow/
#
# npm/ has Claude Code and Codex, mini/ mini-swe-agent; slow/, which "all" leaves out, has OpenCode, Gemini CLI, Qwen
# Code, Copilot CLI and Cline. They stay in the cache until the versions change.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

what=${1:-all}
case $what in npm | mini | slow | all) ;; *) hp_die 2 "unknown set '$what': npm, mini, slow and all are there" ;; esac

pins=$HP_ROOT/tests/e2e/agents
version=$(cat "$pins"/package.json "$pins"/package-lock.json "$pins"/requirements.txt | sha256sum | cut -c1-12)
home=$HP_CACHE/agents/$version
mkdir -p "$home"
exec 9>"$home/.lock"
flock 9

if [[ $what == slow ]]; then
  # A version of its own: the others need not be fetched again when one of these changes.
  slow=$home/slow
  key=$(cat "$pins"/slow/package.json "$pins"/slow/package-lock.json | sha256sum | cut -c1-12)
  if [[ $(cat "$slow/.complete" 2>/dev/null) != "$key" ]]; then
    command -v npm >/dev/null || hp_die 69 "npm is missing. Run: sudo scripts/deps.sh agents"
    say "fetching OpenCode, Gemini CLI, Qwen Code, Copilot CLI and Cline (once, about 2 GB unpacked)"
    rm -rf "$slow" && mkdir "$slow"
    cp "$pins/slow/package.json" "$pins/slow/package-lock.json" "$slow"
    # OpenCode's launcher is put in place by its install script, which is run by hand; no other one is run.
    # Not npm ci: the lock knows only this platform's parts of what the packages list as optional.
    (cd "$slow" && npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error &&
      cd node_modules/opencode-ai && node postinstall.mjs) >&2 ||
      hp_die 69 "npm could not fetch the coding agents"
    echo "$key" >"$slow/.complete"
  fi
  printf '%s\n' "$home"
  exit 0
fi
if [[ $what != mini && ! -e $home/npm/.complete ]]; then
  command -v npm >/dev/null || hp_die 69 "npm is missing. Run: sudo scripts/deps.sh agents"
  say "fetching Claude Code and Codex (once, about 650 MB unpacked)"
  rm -rf "$home/npm" && mkdir "$home/npm"
  cp "$pins/package.json" "$pins/package-lock.json" "$home/npm"
  # The one install script that is needed is run by hand: npm versions differ in whether they run any.
  (cd "$home/npm" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error &&
    cd node_modules/@anthropic-ai/claude-code && node install.cjs) >&2 ||
    hp_die 69 "npm could not fetch the coding agents"
  touch "$home/npm/.complete"
fi
if [[ $what != npm && ! -e $home/mini/.complete ]]; then
  say "fetching mini-swe-agent (once, about 750 MB unpacked)"
  rm -rf "$home/mini"
  /usr/bin/python3 -m venv "$home/mini" &&
    "$home/mini/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps \
      -r "$pins/requirements.txt" >&2 ||
    hp_die 69 "pip could not fetch mini-swe-agent"
  touch "$home/mini/.complete"
fi
printf '%s\n' "$home"

# Completion of the holdpoint command for bash. Installed as /usr/share/bash-completion/completions/holdpoint.
# Tickets and sessions come from the daemon, where it answers.

_holdpoint_column() {
  "$1" "$2" --json 2>/dev/null | sed -n "s/.*\"$3\":\"\([A-Za-z0-9-]*\)\".*/\1/p"
}

_holdpoint() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' words='' i
  local commands='run holds watch approve deny wait notify-desktop sessions kill status metrics test-alert sinks doctor reload events verify config fingerprint check rules mode report suggest init presence challenge approvals break-glass off on'
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ ${COMP_WORDS[i]} != -- ]] || {
      # Behind -- is somebody else's command line.
      COMPREPLY=($(compgen -c -f -- "$word"))
      return
    }
    [[ -n $command || " $commands " != *" ${COMP_WORDS[i]} "* ]] || command=${COMP_WORDS[i]}
  done
  case $previous in
    --color) words='auto always never' ;;
    --run | --state) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --key | --config | --rules | --answers | --output | --signature) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --as) COMPREPLY=($(compgen -u -- "$word")); return ;;
  esac
  if [[ -z $words ]]; then
    case $command in
      '') words="$commands --instance --run --state --json --color --help --version" ;;
      run) words='--env --owner --agent --' ;;
      approve) words="--once --session --until --reason --as --password-fd --code --signature $(_holdpoint_column "$1" holds ticket)" ;;
      deny) words="--reason --as --password-fd --code --signature $(_holdpoint_column "$1" holds ticket)" ;;
      challenge) words="--deny --once --session --until --as $(_holdpoint_column "$1" holds ticket)" ;;
      presence) words='enroll-totp remove-totp --as --hash --digits --password-fd --code --confirm-fd' ;;
      watch) words='--as --quiet' ;;
      wait) words="--seconds $(_holdpoint_column "$1" holds ticket)" ;;
      kill) words=$(_holdpoint_column "$1" sessions id) ;;
      sessions) words='detach' ;;
      verify) words='--brokers --topic --copies --key --set --json' ;;
      events) words='--follow --last --session --kind --format --json' ;;
      reload) words='--forget-executables' ;;
      config) words='check default' ;;
      fingerprint) words='--key' ;;
      check) words='--command --env --workspace --cwd --look --rules --config --key --' ;;
      rules) words='list show test promote import --rules --to --all --dry-run' ;;
      mode) words='set unset environment rule enforce observe off --all --reason --as --password-fd --code' ;;
      approvals) words="remove --reason $(_holdpoint_column "$1" approvals approval)" ;;
      break-glass) words='--for --reason --env --end --as --password-fd --code' ;;
      off) words='--for --reason --as --password-fd --code' ;;
      report) words='--since' ;;
      suggest) words='--config --since' ;;
      init) words='--answers --output --force --defaults --environments --owners --workspace --production-host --mode' ;;
    esac
    words+=' --json'
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _holdpoint holdpoint

#!/bin/bash
# GNU parallel of the stub world: a shell for each argument, as it would start them, one after the other.
while [[ ${1-} == -* ]]; do
  case $1 in
    -[jSNnLaIdCPs] | --jobs | --sshlogin | --delay | --timeout | --joblog | --results | --colsep | --arg-file | --workdir | --retries | --load) shift ;;
  esac
  shift
done
template=()
while (($#)) && [[ $1 != ::: ]]; do
  template+=("$1")
  shift
done
jobs=('')
if (($#)); then
  while (($#)); do
    shift
    source=()
    while (($#)) && [[ $1 != ::: ]]; do
      source+=("$1")
      shift
    done
    more=()
    for job in "${jobs[@]}"; do
      for word in "${source[@]}"; do more+=("$job$word"$'\x1f'); done
    done
    jobs=("${more[@]}")
  done
else
  jobs=()
  while IFS= read -r line; do jobs+=("$line"$'\x1f'); done
fi
for job in "${jobs[@]}"; do
  IFS=$'\x1f' read -ra words <<<"$job"
  if ((${#template[@]} == 0)); then
    bash -c "${words[*]}"
    continue
  fi
  quoted=("${words[@]@Q}")
  line="${template[*]}"
  before=$line
  line=${line//'{}'/"${quoted[*]}"}
  for i in "${!quoted[@]}"; do line=${line//"{$((i + 1))}"/"${quoted[i]}"}; done
  [[ $line != "$before" ]] || line+=" ${quoted[*]}"
  bash -c "$line"
done

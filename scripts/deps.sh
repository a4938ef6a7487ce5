#!/usr/bin/env bash
# Installs what is missing from Debian's packages; says nothing when nothing is.
#
#   scripts/deps.sh [SET ...]     sets: build (the default), tests, agents, kafka, kernel
#
# This is the only list of packages. A program that is there from elsewhere (node, java) is left alone.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build=(
  build-essential cmake ninja-build pkg-config ccache
  clang-16 llvm-16 libclang-rt-16-dev libbpf-dev bpftool
  libabsl-dev libprotobuf-dev protobuf-compiler librdkafka-dev libre2-dev libyaml-cpp-dev nlohmann-json3-dev
  libcli11-dev libsqlite3-dev libseccomp-dev libpam0g-dev libssl-dev zlib1g-dev libgit2-dev libcap-ng-dev libqrencode-dev
  libcurl4-openssl-dev libsystemd-dev libpg-query-dev
  libgtest-dev libgmock-dev libbenchmark-dev
  python3 python3-yaml openssl ca-certificates curl wget git iproute2 procps systemd
)
tests=(strace gdb make tmux openssh-client dropbear-bin sudo dbus-daemon python3-dbus python3-gi python3-prometheus-client)
agents=(python3-venv)
kafka=(kcat python3-venv)
kernel=(qemu-system-x86 busybox-static cpio)

have() { command -v "$1" >/dev/null 2>&1; }
node_is_enough() { have npm && have node && node -e 'process.exit(+process.versions.node.split(".")[0] >= 18 ? 0 : 1)'; }

wanted=()
(($#)) || set -- build
for set in "$@"; do
  case $set in
    build) wanted+=("${build[@]}") ;;
    tests)
      wanted+=("${tests[@]}")
      have busybox || wanted+=(busybox-static)  # the one that the kernel set wants too
      ;;
    agents)
      wanted+=("${agents[@]}")
      node_is_enough || wanted+=(nodejs npm)
      ;;
    kafka)
      wanted+=("${kafka[@]}")
      have java || wanted+=(default-jre-headless)
      have mvn || wanted+=(maven)
      ;;
    kernel) wanted+=("${kernel[@]}") ;;
    *) hp_die 2 "no set of packages is called '$set': build, tests, agents, kafka and kernel are" ;;
  esac
done

have dpkg-query || {
  say "this is no Debian: these are needed by the names of Debian 12: ${wanted[*]}"
  exit 0
}
missing=()
for package in "${wanted[@]}"; do
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

hp_need_root "$@"
say "installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get -q update && apt-get -q install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  hp_die 69 "the packages could not be installed (above: apt-get's last lines)"
fi

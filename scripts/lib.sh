# Shared by the scripts of this folder; sourced, never run. Sets HP_ROOT (the checkout) and HP_CACHE (downloads).

HP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
HP_CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/holdpoint
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
HP_ME=${HP_ME:-scripts/$(basename "$0")}

say() { printf '%s: %s\n' "$HP_ME" "$*" >&2; }

# hp_die CODE TEXT: the exit codes are the ones the programs use (2 usage, 69 unavailable, 77 not permitted).
hp_die() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

hp_need_root() {
  [[ $(id -u) == 0 ]] || hp_die 77 "needs root, for packages, BPF programs and cgroups. Run: sudo $0${*:+ $*}"
}

# hp_build PRESET [TARGET ...]: configures and builds; all targets when none is named.
hp_build() {
  local preset=$1 target=()
  shift
  export CCACHE_BASEDIR=$HP_ROOT CCACHE_NOHASHDIR=1
  say "building (preset $preset)"
  mkdir -p "$HP_ROOT/build"
  (cd "$HP_ROOT" && cmake --preset "$preset") >"$HP_ROOT/build/configure.log" 2>&1 || {
    cat "$HP_ROOT/build/configure.log" >&2
    hp_die 69 "cmake could not configure (above: why)"
  }
  ((!$#)) || target=(--target "$@")
  (cd "$HP_ROOT" && cmake --build --preset "$preset" "${target[@]}") || hp_die 69 "the build failed (above: where)"
}

# Prints where the cgroup v2 hierarchy is mounted. Hybrid hosts have it below .../unified.
hp_cgroup2() {
  local dir
  dir=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
  [[ -n $dir ]] || hp_die 69 "no cgroup v2 hierarchy is mounted. Mount one: mount -t cgroup2 none /sys/fs/cgroup"
  printf '%s\n' "$dir"
}

# hp_scope_new NAME: makes a cgroup of our own and prints its path. hp_scope_end PATH ends everything in it, by the
# kernel and not by pid, and takes it and its children away; BPF programs attached to it go with it.
hp_scope_new() {
  local dir
  dir=$(hp_cgroup2)/$1.$$
  mkdir "$dir" || hp_die 69 "cannot make the cgroup $dir. A container needs a writable cgroup v2 hierarchy for this"
  printf '%s\n' "$dir"
}

hp_scope_end() {
  local dir=$1 try
  [[ -d $dir ]] || return 0
  echo 1 >"$dir/cgroup.kill" 2>/dev/null || true
  for ((try = 0; try < 200; try++)); do
    # A failed command would end the caller's trap, and be its status.
    find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [[ -d $dir ]] || return 0
    sleep 0.05
  done
  say "the cgroup $dir still has processes in it; look with: cat $dir/cgroup.procs"
}

# hp_in_scope SCOPE COMMAND...: becomes COMMAND inside the cgroup SCOPE and in a mount namespace with a bpffs of its
# own: when the last process of it ends, nothing stays pinned on the host. Call it in a subshell.
hp_in_scope() {
  local scope=$1
  shift
  echo "$BASHPID" >"$scope/cgroup.procs" || exit 69
  # shellcheck disable=SC2016  # expanded by the inner shell
  exec unshare --mount --propagation private -- bash -c '
    mount -t bpf none /sys/fs/bpf || { echo "cannot mount a bpffs on /sys/fs/bpf" >&2; exit 69; }
    exec "$@"' "$HP_ME" "$@"
}

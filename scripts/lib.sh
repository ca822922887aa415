# Functions of the shell scripts: messages, builds, models and packs. To be sourced, not run.
# shellcheck shell=bash
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
JOBS=${FRUGAL_JOBS:-$(nproc)}

say()  { printf '%s\n' "==> $*" >&2; }
note() { printf '%s\n' "    $*" >&2; }
# die CODE WHAT [HINT]: exit codes are those of the tools (docs/architecture.md).
die() {
  printf 'error: %s\n' "$2" >&2
  [ $# -lt 3 ] || printf 'hint: %s\n' "$3" >&2
  exit "$1"
}

# configure PRESET OPTION...: runs CMake once, with these options; later, ninja notices new files and changed build scripts.
configure() {
  local log
  [ ! -f "$ROOT/build/$1/build.ninja" ] || return 0
  say "configuring build/$1"
  log=$(cd "$ROOT" && cmake --preset "$1" "${@:2}" 2>&1) ||
    die 3 "CMake could not configure build/$1:"$'\n'"$log" "scripts/setup installs what the build needs; the presets dev and tidy need Clang (--dev)"
}

# build PRESET TARGET...: configures if necessary, then builds.
build() {
  local preset=$1 quiet=()
  shift
  configure "$preset"
  [ -t 2 ] || quiet=(--quiet)
  ninja -C "$ROOT/build/$preset" -j "$JOBS" "${quiet[@]}" "$@" >&2 || die 1 "build/$preset does not build"
}

# make_packs FLAGS: quantises the models that fetch-models lists with these flags into their packs; quantize-model skips packs that
# are up to date.
make_packs() {
  local name source pack
  while IFS=$'\t' read -r name _ source pack; do
    note "quantize-model $name"
    "$ROOT/build/release/bin/quantize-model" "$source" -o "$pack" >&2
  done < <("$ROOT/scripts/fetch-models" --list "$@")
}

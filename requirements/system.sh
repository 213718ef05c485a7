#!/usr/bin/env bash
# System packages. `system.sh check` compares the machine with system.txt and installs what is missing where it may;
# `system.sh demo` does so for the demo, `system.sh install NAME…` for Debian packages by name. "May" is root, or sudo that asks no password.
set -euo pipefail
cd "$(dirname "$0")"

say() { printf '%s\n' "$*" >&2; }

install() {
  command -v apt-get >/dev/null || return 1
  local as_root=()
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
    as_root=(sudo -n)
  fi
  say "installing system packages: $*"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null 2>&1 && return
  "${as_root[@]}" apt-get update -qq >/dev/null 2>&1 || true
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

# Prints the lines of system.txt whose command is not on the machine. Servers are in /usr/sbin, which is not on everybody's path.
missing() {
  local PATH=$PATH:/usr/sbin
  local name package tests
  while read -r name package tests; do
    [[ -z $name || $name == \#* ]] || command -v "$name" >/dev/null || printf '%s %s %s\n' "$name" "$package" "$tests"
  done <system.txt
}

check() {
  local packages left
  mapfile -t packages < <(missing | awk '{print $2}' | sort -u)
  [[ ${#packages[@]} == 0 ]] && return
  install "${packages[@]}" || true
  left=$(missing)
  [[ -z $left ]] && return
  say "system packages are missing; install them with: sudo apt-get install $(awk '{print $2}' <<<"$left" | sort -u | tr '\n' ' ')"
  awk '{name = $1; $1 = $2 = ""; print "  without " name " these tests do not run:" $0}' <<<"$left" >&2
  # Where a merge is decided, a test that did not run is a test that failed.
  [[ ${CI:-} != true ]]
}

# Two administrations of the demo have a MariaDB server; the demo itself refuses to start without the program and says so.
demo() {
  local PATH=$PATH:/usr/sbin
  command -v mariadbd >/dev/null && command -v mariadb >/dev/null && return
  install mariadb-server-core mariadb-client-core || say "the demo needs MariaDB: sudo apt-get install mariadb-server-core mariadb-client-core"
}

case ${1:-} in
demo) demo ;;
check) check ;;
install) shift && install "$@" ;;
*) say "usage: system.sh check | demo | install NAME…" && exit 2 ;;
esac

#!/usr/bin/env bash
# Makes .venv hold what a level needs: `environment.sh platform` to run polyceph, `environment.sh dev` to test and check it too.
# A second call finds its stamp and ends at once. A dev environment is never taken back to platform: dev.txt holds the same versions.
set -euo pipefail
cd "$(dirname "$0")/.."
level=${1:?usage: environment.sh platform|dev}
venv=.venv

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 7; }

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local name
  for name in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if command -v "$name" >/dev/null && is_recent "$name"; then command -v "$name"; return; fi
  done
  die "no Python 3.11 or later found (tried ${PYTHON:-python3}, python3.13, python3.12, python3.11); install python3 or name one: make demo PYTHON=/path/to/python3"
}

# The first way that works. Debian splits pip and ensurepip off its python3, so none of them can be taken for granted.
provide_uv() {
  uv=$(command -v uv || true)
  if [[ -n $uv ]] && "$uv" pip sync --help 2>/dev/null | grep -q -- --require-hashes; then return; fi
  uv=$venv/.uv/bin/uv
  [[ -x $uv ]] && return
  local pip_options=(--quiet --disable-pip-version-check --root-user-action=ignore --require-hashes -r requirements/bootstrap.txt)
  say "installing uv"
  if "$python" -m pip --version >/dev/null 2>&1; then
    # --target leaves the system's own packages alone, so it works on an externally managed Python as well.
    "$python" -m pip install --target "$venv/.uv" "${pip_options[@]}"
    return
  fi
  "$python" -c 'import ensurepip' 2>/dev/null || requirements/system.sh install python3-venv ||
    die "this Python has neither pip nor venv; install one of them (Debian, Ubuntu: sudo apt-get install python3-venv) and run the same command again"
  "$python" -m venv "$venv/.pip"
  "$venv/.pip/bin/python" -m pip install --target "$venv/.uv" "${pip_options[@]}"
}

case $level in platform | dev) ;; *) die "unknown level '$level'; levels are platform, dev" ;; esac
[[ $level == platform && -e $venv/.stamp-dev ]] && level=dev

# Scripts in an environment name its folder, so a moved checkout needs a new one.
is_usable() { [[ $(cat "$venv/.stamp-origin" 2>/dev/null || echo "$PWD") == "$PWD" ]] && is_recent "$venv/bin/python"; }
stamp() { cat "requirements/$level.txt" pyproject.toml <("$venv/bin/python" -V) | sha256sum; }

if is_usable && [[ -x $venv/bin/polyceph && $(cat "$venv/.stamp-$level" 2>/dev/null) == "$(stamp)" ]]; then exit 0; fi

started=$SECONDS
python=$(find_python)
if ! is_usable; then
  say "creating $venv with $("$python" -V 2>&1)"
  rm -rf "$venv"
  "$python" -m venv --without-pip "$venv"
fi
printf '%s' "$PWD" >"$venv/.stamp-origin"
provide_uv
quiet=--quiet
[[ -t 2 ]] && quiet=
export VIRTUAL_ENV=$PWD/$venv
# Organisations add their own authority to the system's certificates; uv would look only at those it brings.
[[ -e /etc/ssl/certs/ca-certificates.crt ]] && export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1}
say "installing the $level environment from requirements/$level.txt (a few minutes the first time)"
"$uv" pip sync $quiet --require-hashes "requirements/$level.txt"
"$uv" pip install --quiet --no-deps --no-build-isolation -e .
# `polyceph domain install` looks for uv beside its own Python.
[[ $uv == "$venv"/* ]] && ln -sf ../.uv/bin/uv "$venv/bin/uv"
stamp >"$venv/.stamp-$level"
say "environment ready after $((SECONDS - started)) s"

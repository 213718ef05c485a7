#!/usr/bin/env bash
# Installs what requirements/node/package-lock.json pins, for the tests that start a server which exists as an npm package alone.
# A second call finds its stamp and ends at once. No package's own install script is run.
set -euo pipefail
cd "$(dirname "$0")/node"
wanted=$(sha256sum <package-lock.json)
[[ $(cat node_modules/.stamp 2>/dev/null) == "$wanted" ]] && exit 0
command -v npm >/dev/null || { printf 'npm is not installed: sudo apt-get install npm\n' >&2; exit 7; }
npm ci --ignore-scripts --no-audit --no-fund --silent
printf '%s' "$wanted" >node_modules/.stamp

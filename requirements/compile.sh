#!/usr/bin/env bash
# Locks the environments with hashes and without registry addresses. Run it after a change of dependencies in pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
lock() { uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --quiet --python-version 3.11 "$@"; }
lock --extra s3 --group build pyproject.toml -o requirements/platform.txt
lock --extra s3 --group build --group test --group check --group bench pyproject.toml -c requirements/platform.txt -o requirements/dev.txt

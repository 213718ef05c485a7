#!/usr/bin/env bash
# Locks the environments with hashes and without registry addresses. Run it (`make lock`) after a change of dependencies in
# pyproject.toml. dev.txt is constrained by platform.txt: a superset with the very same versions.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/.uv/bin:$PATH"
lock() { uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --quiet --python-version 3.11 "$@"; }
lock requirements/bootstrap.in -o requirements/bootstrap.txt
lock --extra s3 --extra azure --extra sftp --extra mysql --extra soap --extra demo --group build pyproject.toml -o requirements/platform.txt
lock --all-extras --group build --group test --group check --group bench pyproject.toml -c requirements/platform.txt -o requirements/dev.txt
# What benchmarks compare with, each in an environment of its own: none of them resolves together with the others.
for peer in requirements/peers/*.in; do lock "$peer" -o "${peer%.in}.txt"; done

# Everything a newcomer or a robot does with this checkout. `make` alone lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
MAKEFLAGS += --no-print-directory --no-builtin-rules
.PHONY: help demo test check format bench docs lock clean environment

bin := .venv/bin
code := src tests docs verifier $(wildcard bench) $(wildcard examples)
say = printf '%s\n' "$(1)" >&2

help: ## list the targets
	@printf 'make TARGET, where TARGET is one of\n'
	awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' Makefile

demo: ## install, run the demo federation and stay up until Ctrl-C (ONCE=1: verify its result, stop and exit)
	@requirements/environment.sh platform
	requirements/system.sh demo
	exec $(bin)/polyceph demo $(if $(ONCE),--once)

test: ## install what tests need and run them all (ARGS="-k lake" for some)
	@requirements/environment.sh dev
	requirements/system.sh check
	requirements/node.sh || [[ $${CI:-} != true ]]
	exec $(bin)/pytest -n $(or $(WORKERS),2) --dist loadfile $(ARGS)

check: ## formatting, lint, types, import rules, freshness of the reference pages
	@requirements/environment.sh dev
	broken=
	try() { printf '%s\n' "$$1" >&2; "$${@:2}" || broken+=" $$1,"; }
	try format $(bin)/ruff format --quiet --check $(code)
	try lint $(bin)/ruff check --quiet $(code)
	try types $(bin)/mypy
	try imports $(bin)/lint-imports --no-logo
	try reference $(bin)/python docs/generate.py --check
	[[ -z $$broken ]] || { printf 'not in order:%s see above\n' "$$broken" >&2; exit 1; }

format: ## put the code into the agreed form
	@requirements/environment.sh dev
	$(bin)/ruff check --quiet --fix-only $(code)
	$(bin)/ruff format $(code)

bench: ## run all benchmarks (BENCH=sources.postgres: one; its last line is one JSON object)
	@requirements/environment.sh dev
	mkdir -p bench/results
	for script in $(if $(BENCH),bench/$(subst .,_,$(BENCH)).py,$(sort $(filter-out bench/_%,$(wildcard bench/*_*.py)))); do
	  name=$$(basename "$$script" .py)
	  [[ -f $$script ]] || { $(call say,no benchmark '$(BENCH)'; there are: $(subst _,.,$(basename $(notdir $(wildcard bench/*_*.py))))); exit 2; }
	  $(call say,bench $$name)
	  $(bin)/python "$$script" | tee bench/results/.last
	  tail -n 1 bench/results/.last >>"bench/results/$$name.jsonl"
	done

docs: ## write the reference pages anew from the code
	@requirements/environment.sh dev
	$(bin)/python docs/generate.py

lock: ## lock the dependencies of pyproject.toml with hashes
	@requirements/environment.sh dev
	requirements/compile.sh

environment: ## only install the environment for tests and checks
	@requirements/environment.sh dev

clean: ## remove the environment, the demo's state and everything generated
	@rm -rf .venv .peers .polyceph .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build bench/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two commands are enough: `make demo` shows what Brama does, `make test` proves it. Each does its own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check bench clean

help: ## what there is to run
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(STAMP) ## make the virtual environment (the other targets do it themselves)

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Brama needs Python 3.11 or newer; set PYTHON=python3.x" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## the main job from end to end, with real processes, in under a minute
	$(BIN)/brama demo

run: $(STAMP) ## the same set-up, and it stays: prints the addresses and the demo logins
	$(BIN)/brama demo --stay

test: $(STAMP) ## every test (installs xmlsec1, node, php and mono from Debian when absent and allowed)
	@sh tests/tools.sh
	$(BIN)/python -m pytest

check: $(STAMP) ## lint, format, types, import rules, security
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -ll -c pyproject.toml -r gateway schemas transformers adapters registry

bench: $(STAMP) ## measure, with the floor beside it (about 4 minutes)
	$(BIN)/python -m bench

clean: ## remove what was made here
	rm -rf $(VENV) var build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

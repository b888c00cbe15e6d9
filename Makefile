# `make help` lists what can be done. Nothing needs installing first but Python 3.11 or newer, and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --quiet \
	--no-emit-index-url --custom-compile-command "make lock"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test test-long test-deploy test-sdk test-browser test-examples page check format generate migrations-check lock upgrade bench bench-growth faults faults-hosts faults-soak clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.runtime ## set everything up and serve on HOST:PORT
	@$(BIN)/python manage.py migrate --noinput --verbosity 0
	@$(BIN)/python manage.py seed_demo
	@$(BIN)/python manage.py ensure_admin
	@exec $(BIN)/python manage.py serve

test: $(VENV)/.dev ## each test once, on PostgreSQL and Redis where they are; ARGS="-k name" chooses; REQUIRE_SERVICES=1 demands them
	@$(BIN)/python scripts/run_tests.py $(ARGS)

test-long: $(VENV)/.dev ## what `make test` has no time for: the same on the other backend, made-up requests, a million messages
	@$(BIN)/python scripts/run_tests.py --long $(ARGS)

test-deploy: $(VENV)/.dev ## what is shipped for more than one machine, with real programs of others in front and below
	@$(BIN)/python scripts/run_tests.py tests/deploy -m deploy -n $${TEST_PROCESSES:-2} --dist loadfile $(ARGS)

test-sdk: $(VENV)/.dev ## the TypeScript client against real servers, and whether the page is built; needs Node 20 and npm
	cd clients/typescript && npm ci && npm run check:generated && npm test
	cd clients/board && npm ci && npm run check:types && npm run check:build && npm test

test-browser: $(VENV)/.dev ## the page at /board in a headless Chromium; says what it needs where that is missing
	@$(BIN)/python scripts/run_browser_tests.py $(ARGS)

test-examples: $(VENV)/.dev ## the Next.js example, built and tried in a headless Chromium; needs Node 20.9 and npm, too
	cd clients/typescript && npm ci && npm run build
	cd clients/typescript/examples/nextjs && npm ci
	@$(BIN)/python scripts/run_browser_tests.py tests/browser/test_nextjs.py $(ARGS)

page: ## build the page at /board from clients/board; needs Node 20 and npm
	cd clients/board && npm ci && npm run build

check: $(VENV)/.dev ## lint, types, layers, generated files fresh, deployment settings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/with_settings.py development $(BIN)/mypy
	@$(MAKE) --no-print-directory migrations-check
	$(BIN)/python scripts/check_generated.py
	@$(BIN)/python scripts/with_settings.py production manage.py check --deploy --fail-level WARNING

format: $(VENV)/.dev ## put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(VENV)/.dev ## write the generated files anew
	$(BIN)/python scripts/check_generated.py --write

migrations-check: $(VENV)/.dev ## fail where a model has no migration, or a migration would make people wait
	@$(BIN)/python scripts/with_settings.py development manage.py makemigrations --check --dry-run
	@$(BIN)/python scripts/with_settings.py development scripts/check_migrations.py

lock: $(VENV)/.dev ## pin what pyproject.toml asks for, keeping the pins that still fit
	$(LOCK) --output-file requirements.txt
	$(LOCK) --extra dev --constraints requirements.txt --output-file requirements-dev.txt
	$(LOCK) --extra observability --constraints requirements-dev.txt --output-file requirements-observability.txt

upgrade: ## pin the newest versions that pyproject.toml allows
	@$(MAKE) --no-print-directory lock LOCK='$(LOCK) --upgrade'

bench: $(VENV)/.dev ## measure; ARGS are passed on
	$(BIN)/python -m benchmarks $(ARGS)

bench-growth: $(VENV)/.dev ## what servers cost as sockets, rooms and processes grow; writes docs/scaling.md
	$(BIN)/python -m benchmarks.growth_model $(ARGS)

faults: $(VENV)/.dev ## break real servers on purpose and check that nothing is lost
	@SEANCE_FAULTS=full $(BIN)/python scripts/run_tests.py tests/faults $(ARGS)

faults-hosts: $(VENV)/.dev ## the same with each server on a host of its own: network namespaces; needs root and iproute2
	@SEANCE_FAULTS=full SEANCE_HOSTS=namespaces $(BIN)/python scripts/run_tests.py tests/faults $(ARGS)

faults-soak: $(VENV)/.dev ## let people come and go for SOAK_SECONDS (an hour), and see what is left behind
	@SEANCE_FAULTS=full SOAK_SECONDS=$${SOAK_SECONDS:-3600} $(BIN)/python scripts/run_tests.py tests/faults/test_soak.py $(ARGS)

clean: ## remove what was made here: environment, caches, and var/ with its database
	rm -rf $(VENV) var build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -not -path './node_modules/*' -prune -exec rm -rf {} +

# Each stamp says that the environment holds what its lock file names; a second run has nothing to do.
$(VENV)/.runtime: requirements.txt | $(VENV)/.made
	@echo "Installing what the server needs …"
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(VENV)/.made
	@echo "Installing what development needs …"
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/.made:
	@if [ -x $(BIN)/python ]; then touch $@; exit 0; fi; \
	for python in "$(PYTHON)" python3.13 python3.12 python3.11; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		"$$python" -m venv $(VENV) || { echo "The venv module failed; on Debian: apt install python3-venv" >&2; exit 1; }; \
		touch $@; exit 0; \
	done; \
	echo "Python 3.11 or newer is needed. Install it, or say where it is: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	exit 1

# What can be done with raglive from a clone; `make` alone lists it.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

FOLDER ?= examples/documents
export FOLDER
export UV_PYTHON_DOWNLOADS := never
export NEXT_TELEMETRY_DISABLED := 1
# Images for containers set it; without bytecode each process takes two seconds more to start.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
WITH_NODE := tools/with_node.sh
# Two more than the cores: tests wait for servers about half of their time.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)
PYTEST := $(BIN)/pytest -n $(WORKERS) --maxprocesses 6 --dist worksteal --durations 25
APP := src/raglive/dashboard/app
PACKAGES := packages/raglive-reporter packages/fake-google-drive
EDITABLE := --editable . $(addprefix --editable ,$(PACKAGES))
LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock, for $$($(BIN)/python tools/check_locks.py --fingerprint)" tools/uv.sh pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-package raglive-reporter --no-emit-package fake-google-drive $(UPGRADE)

# Folders too, so that a file that is gone is noticed.
WEB_SOURCES := $(shell find web -mindepth 1 \
	\( -name node_modules -o -name .next -o -name out \) -prune -o \
	! -name '*.tsbuildinfo' ! -name next-env.d.ts -print 2>/dev/null)

.PHONY: help setup up check check-python check-web test test-all test-python test-web test-deploy test-google bench bench-ingest test-examples lock dist generate format clean

help: ## List what can be made
	@awk -F ' *## *' '/^[a-z-]+:.*##/ { sub(/:.*/, "", $$1); printf "make %-13s %s\n", $$1, $$2 }' Makefile

setup: .make/python $(APP)/index.html ## Install everything into .venv and build the web app

up: setup ## Index FOLDER (examples/documents) and show it live, until Ctrl-C
	@exec $(BIN)/raglive up "$$FOLDER"

check: check-python check-web ## Check format, lint, types, imports, lock files and generated files

check-python: .make/python
	$(BIN)/ruff format --check .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy src packages tests tools hatch_build.py deploy/healthcheck.py $(if $(wildcard bench/*.py),bench)
	$(BIN)/lint-imports
	$(BIN)/python tools/check_locks.py
	$(BIN)/python -m tools.generate_contract --check
	$(BIN)/python -m tools.generate_reference --check

check-web: setup
	$(WITH_NODE) npm run --silent --prefix web check

test: test-web test-python ## Test what each change needs: a part of crashes, chaos, histories and requests; ARGS go to pytest
test-all: test-web test-python ## Test everything, with every part of crashes, chaos, histories and requests
test-all: PARTS = --all-shares

test-web: web/node_modules/.package-lock.json
	$(WITH_NODE) npm run --silent --prefix web test

test-python: setup
	tools/install_test_programs.sh
	$(WITH_NODE) $(PYTEST) $(PARTS) $(ARGS)

test-google: setup ## Test with a real Google account: RAGLIVE_TEST_GOOGLE_KEY, RAGLIVE_TEST_GOOGLE_FOLDER
ifeq ($(and $(RAGLIVE_TEST_GOOGLE_KEY),$(RAGLIVE_TEST_GOOGLE_FOLDER)),)
	@echo "Skipped: set RAGLIVE_TEST_GOOGLE_KEY to the path of a service account's key, and"
	@echo "RAGLIVE_TEST_GOOGLE_FOLDER to the id of a folder of a shared drive that it may edit."
else
	RAG_WATCH_FOLDER_ID=$(RAGLIVE_TEST_GOOGLE_FOLDER) GOOGLE_SERVICE_ACCOUNT_FILE=$(RAGLIVE_TEST_GOOGLE_KEY) $(BIN)/raglive doctor google-drive
	$(BIN)/pytest -n 0 --timeout 600 tests/integration/sources/google_drive/test_account.py $(ARGS)
endif

test-deploy: setup ## Test the wheel, the image and the Compose file as they are deployed
	tools/install_test_programs.sh docker
	CI=true $(BIN)/pytest -m deploy --timeout 900 tests/deploy $(ARGS)

test-examples: setup .make/peers/installed ## Run the reporter's examples with LangChain and LlamaIndex
	CI=true EXAMPLES_PYTHON=.make/peers/bin/python $(BIN)/pytest tests/integration/reporter/test_examples.py $(ARGS)

bench: setup ## Measure the speeds that are promised; FULL=1 takes longer and means more
	@for script in bench/[a-z]*.py; do \
		[ -e "$$script" ] || continue; \
		$(WITH_NODE) $(BIN)/python -m "bench.$$(basename "$$script" .py)" $(if $(FULL),,--quick) || exit 1; \
	done

bench-ingest: setup .make/peers/installed ## Measure indexing against LlamaIndex and LangChain, in one run
	$(BIN)/python -m bench.peers $(if $(FULL),,--quick)

lock: .venv/bin/uv ## Bring the lock files in step with all pyproject.toml; UPGRADE=--upgrade renews all
	$(LOCK) --all-extras pyproject.toml --output-file requirements.lock
	$(LOCK) --all-extras pyproject.toml --group dev --output-file requirements-dev.lock
	$(LOCK) --group uv --output-file tools/requirements-uv.lock
	$(LOCK) --group node --output-file tools/requirements-node.lock

dist: setup ## Build wheels and sdists of raglive and its packages into dist/
	@for package in . $(PACKAGES); do \
		tools/uv.sh build --quiet --no-build-isolation --out-dir dist "$$package" || exit 1; \
	done

generate: .make/python web/node_modules/.package-lock.json ## Write contract/ and the TypeScript types from the Python models
	$(BIN)/python -m tools.generate_contract
	$(BIN)/python -m tools.generate_reference
	$(BIN)/python -m tools.third_party_licenses
	$(WITH_NODE) npm run --silent --prefix web generate

format: .make/python web/node_modules/.package-lock.json ## Format the code, and mend what lint can
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .
	$(WITH_NODE) npm run --silent --prefix web format

clean: ## Remove everything that was made here
	rm -rf .venv .make $(APP) web/node_modules web/.next web/out \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist

.venv/bin/uv: tools/requirements-uv.lock tools/make_venv.sh
	tools/make_venv.sh
	@touch $@

.make/python: .venv/bin/uv requirements-dev.lock pyproject.toml $(PACKAGES:=/pyproject.toml)
	tools/uv.sh pip sync --quiet --require-hashes requirements-dev.lock
	tools/uv.sh pip install --quiet --no-deps --no-build-isolation $(EDITABLE)
	@mkdir -p .make && touch $@

.make/peers/installed: .venv/bin/uv bench/peers/requirements.txt
	tools/uv.sh venv --quiet --clear --python $(BIN)/python .make/peers
	tools/uv.sh pip install --quiet --link-mode copy --python .make/peers/bin/python --requirement bench/peers/requirements.txt
	tools/uv.sh pip install --quiet --python .make/peers/bin/python --no-deps --editable . --editable packages/raglive-reporter
	@touch $@

web/node_modules/.package-lock.json: web/package.json web/package-lock.json | .make/python
	$(WITH_NODE) npm ci --prefix web --loglevel error --prefer-offline --no-audit --no-fund
	@touch $@

$(APP)/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	$(WITH_NODE) npm run --silent --prefix web build
	@rm -rf .make/app .make/old-app && cp -R web/out .make/app
	@if [ -e $(APP) ]; then mv $(APP) .make/old-app; fi
	@mkdir -p $(dir $(APP)) && mv .make/app $(APP) && rm -rf .make/old-app
	@touch $@

# `make` without a target prints the list of targets: every line of the form `name: … ## text`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
ARGS ?= get all --all-namespaces

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' Makefile

.PHONY: demo e2e-quick e2e e2e-long
demo: $(READY) ## A real cluster and seven versions of a real model under traffic (root; see README)
	@$(PY) -m e2e.demo

e2e-quick: $(READY) ## The short demo: one good and one bad version
	@$(PY) -m e2e.demo --quick

e2e: $(READY) ## All tests that need real pods: faults, gates, rollbacks (half an hour or more)
	$(VENV)/bin/pytest e2e/suite -q -s -p no:cacheprovider -m "not long"

e2e-long: $(READY) ## 20 healthy and 10 bad rollouts, three at a time, at 200 requests per second
	$(VENV)/bin/pytest e2e/suite -q -s -p no:cacheprovider -m long

.PHONY: test test-all lint types imports lint-chart unit slow format
test: lint types imports lint-chart unit ## All checks without real pods: lint, types, imports, chart, tests

test-all: test slow ## The same, and the tests that are marked `slow`: what CI runs

lint: $(READY) ## Check rules and format (ruff)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(READY) ## Check types (mypy, strict)
	$(VENV)/bin/mypy

imports: $(READY) ## Check the layers of imports (import-linter)
	PYTHONPATH=operator $(VENV)/bin/lint-imports

lint-chart: $(READY) ## Check the chart (helm lint --strict)
	@helm=$$($(PY) -c 'from e2e.cluster.build import binary; print(binary("helm"))'); \
	"$$helm" lint --strict --quiet --kube-version 1.36.4 charts/merit && echo "charts/merit: no findings"

# In two processes at once: the tests on a real API server, which mostly wait, and all others.
unit: $(READY) ## Run the tests (pytest), without those marked `slow`
	@echo "pytest, in two processes: each prints when it has ended"
	@$(MAKE) --no-print-directory -j 2 --output-sync=target unit-apiserver unit-others

.PHONY: unit-apiserver unit-others
unit-apiserver: $(READY)
	$(VENV)/bin/pytest -q -m "apiserver and not slow"

unit-others: $(READY)
	$(VENV)/bin/pytest -q -m "not apiserver and not slow"

slow: $(READY) ## Run the tests marked `slow`: exhaustive crash points, long simulations, big fleets
	$(VENV)/bin/pytest -q -m slow

.PHONY: faults faults-planted faults-soak
EVERY ?= 1
faults: $(READY) ## Every fault at every write on a real API server (hours; EVERY=7: every seventh)
	@PYTHONPATH=operator:. $(PY) -m tests.faults --every $(EVERY)
	$(VENV)/bin/pytest tests/faults -q -m slow

faults-planted: $(READY) ## Plant bugs on purpose: each must be found by the same harness
	@PYTHONPATH=operator:. $(PY) -m tests.faults --planted

faults-soak: $(READY) ## What the operator's memory does in thousands of passes
	@PYTHONPATH=operator:. $(PY) -m tests.faults --soak

format: $(READY) ## Format the code for `make lint`
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

.PHONY: cluster-up cluster-down cluster-status cluster-kubectl
cluster-up: $(READY) ## Start the bundled one-node cluster (root, Debian 12 or newer)
	@$(PY) -m e2e.cluster up

cluster-down: $(READY) ## Stop it and remove everything of it but the cache
	@$(PY) -m e2e.cluster down

cluster-status: $(READY) ## Show what of it is running
	@$(PY) -m e2e.cluster status

cluster-kubectl: $(READY) ## Run kubectl on it: make cluster-kubectl ARGS="get pods -A"
	@$(PY) -m e2e.cluster kubectl $(ARGS)

.PHONY: bench
RUNS ?= 1000
bench: $(READY) ## Measure error rates, other tools' rules, and the cost of decisions and fleets (RUNS=1000: hours)
	@PYTHONPATH=operator:. $(PY) -m bench.speed
	@PYTHONPATH=operator:. $(PY) -m bench.fleet
	@PYTHONPATH=operator:. $(PY) -m bench.incident
	@PYTHONPATH=operator:. $(PY) -m bench.takeover
	@PYTHONPATH=operator:. $(PY) -m bench.guarantee --runs $(RUNS) --jobs $$(nproc)
	@PYTHONPATH=operator:. $(PY) -m bench.peers --runs $(RUNS)

.PHONY: images crd lock clean
images: $(READY) ## Build all images as OCI archives; prints reference and file of each
	@$(PY) -m e2e.images build

crd: $(READY) ## Generate the CRD, its copy in the chart, and tables in docs/
	@$(PY) -m docs.generate

# For every platform and Python that pyproject.toml allows, with the hash of each file in the registry.
LOCKS := requirements-operator.lock requirements.lock
LOCK_WITH := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

lock: ## Write the two requirements*.lock again, from the pins of pyproject.toml
	@rm -rf .build/lock && $(call find-python) && "$$python" -m venv .build/lock && rm -f $(LOCKS)
	@.build/lock/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
	@printf '%s\n' hatchling==1.33.0 editables | .build/lock/bin/uv pip compile $(LOCK_WITH) --extra dev \
	  --output-file requirements.lock pyproject.toml - >/dev/null
	@.build/lock/bin/uv pip compile $(LOCK_WITH) --constraint requirements.lock \
	  --output-file requirements-operator.lock pyproject.toml >/dev/null
	@sed -i '1i # Written by `make lock`: what make installs here; pip refuses any other file.' requirements.lock
	@sed -i '1i # Written by `make lock`: what the image of the operator holds besides it.' requirements-operator.lock
	@rm -rf .build/lock && touch pyproject.toml && echo "$(LOCKS): written"

clean: ## Remove what make built here; binaries stay in the cache that all clones share
	@rm -rf $(VENV) .build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "clean; the shared cache is $${XDG_CACHE_HOME:-$$HOME/.cache}/merit"

# The newest Python from 3.11 on that can create a virtual environment.
define find-python
python=; for p in python3.14 python3.13 python3.12 python3.11 python3 python; do \
  if "$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
  then python=$$p; break; fi; done; \
if [ -z "$$python" ]; then \
  echo "no Python 3.11 or newer with venv: apt-get install python3-venv" >&2; exit 1; fi
endef

$(READY): requirements.lock pyproject.toml
	@$(call find-python); echo "$(VENV): from $$("$$python" --version), once"; \
	"$$python" -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements.lock
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

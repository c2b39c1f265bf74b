# `make` alone lists what there is. Each line that begins with `name: … ## text` is in that list.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
ARGS ?= get all --all-namespaces

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' Makefile

.PHONY: demo e2e-quick e2e e2e-long
demo: $(READY) ## A real cluster, seven versions of a real model: each decision, under traffic (root; see README)
	@$(PY) -m e2e.demo

e2e-quick: $(READY) ## The demo's short form: one good and one bad version
	@$(PY) -m e2e.demo --quick

e2e: $(READY) ## Everything that needs real pods: faults, gates, rollbacks (half an hour or more)
	$(VENV)/bin/pytest e2e/suite -q -s -p no:cacheprovider -m "not long"

e2e-long: $(READY) ## 20 healthy and 10 bad rollouts, three at a time, 200 requests a second
	$(VENV)/bin/pytest e2e/suite -q -s -p no:cacheprovider -m long

.PHONY: test lint types imports lint-chart unit format
test: lint types imports lint-chart unit ## Everything but real pods: lint, types, imports, chart, tests

lint: $(READY) ## ruff: rules and format
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(READY) ## mypy, strict
	$(VENV)/bin/mypy

imports: $(READY) ## Imports run one way (import-linter)
	PYTHONPATH=operator $(VENV)/bin/lint-imports

lint-chart: $(READY) ## helm lint --strict
	@helm=$$($(PY) -c 'from e2e.cluster.build import binary; print(binary("helm"))'); \
	"$$helm" lint --strict --quiet --kube-version 1.36.4 charts/merit && echo "charts/merit: no complaint"

unit: $(READY) ## pytest
	$(VENV)/bin/pytest -q

format: $(READY) ## Format the code as `make lint` wants it
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

.PHONY: cluster-up cluster-down cluster-status cluster-kubectl
cluster-up: $(READY) ## The bundled one-node cluster (root, Debian 12 or newer)
	@$(PY) -m e2e.cluster up

cluster-down: $(READY) ## Take it down: nothing of it stays
	@$(PY) -m e2e.cluster down

cluster-status: $(READY) ## What of it runs
	@$(PY) -m e2e.cluster status

cluster-kubectl: $(READY) ## kubectl on it: make cluster-kubectl ARGS="get pods -A"
	@$(PY) -m e2e.cluster kubectl $(ARGS)

.PHONY: bench
RUNS ?= 1000
bench: $(READY) ## The guarantee at length, beside other tools' rules, and what decisions and fleets cost (RUNS=1000: hours)
	@PYTHONPATH=operator:. $(PY) -m bench.speed
	@PYTHONPATH=operator:. $(PY) -m bench.fleet
	@PYTHONPATH=operator:. $(PY) -m bench.incident
	@PYTHONPATH=operator:. $(PY) -m bench.guarantee --runs $(RUNS) --jobs $$(nproc)
	@PYTHONPATH=operator:. $(PY) -m bench.peers --runs $(RUNS)

.PHONY: images crd lock clean
images: $(READY) ## All images as OCI archives; prints reference and file of each
	@$(PY) -m e2e.images build

crd: $(READY) ## What is generated: the CRD, its copy in the chart, pages of docs/
	@$(PY) -m docs.generate

lock: ## requirements.lock anew, from the pins of pyproject.toml
	@rm -rf .build/lock && $(call find-python) && "$$python" -m venv .build/lock
	@.build/lock/bin/pip install --quiet --disable-pip-version-check -e '.[dev]' hatchling==1.33.0 editables
	@{ echo "# Exact versions of everything that make installs. Written by \`make lock\`."; \
	  .build/lock/bin/pip freeze --exclude-editable; } > requirements.lock
	@rm -rf .build/lock && touch pyproject.toml && echo "requirements.lock: written"

clean: ## Remove what make made here; built binaries stay in the cache that all clones share
	@rm -rf $(VENV) .build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "clean; the shared cache is $${XDG_CACHE_HOME:-$$HOME/.cache}/merit"

# The newest Python from 3.11 on that can make an environment.
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
	@$(VENV)/bin/pip install --quiet --no-compile --disable-pip-version-check -r requirements.lock
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

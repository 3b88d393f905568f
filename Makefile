# SlimDerm's front door. `make help` lists the targets: behind ## stands what a target does, or, where the
# program has a command of its name, the variables that it takes. `python -m slimderm X --help` says more.
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

.PHONY: agent help setup demo run test coverage test-slow soak check docs flow up down data predict batch serve kiosk watch feedback review evaluate promote rollback lineage backfill verify codecs bench remote push pull doctor status backup restore lock clean

help: ## list the targets
	@if test -e $(BIN)/.installed; then python -m slimderm make-help; else \
		grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ?' '{printf "  make %-10s %s\n", $$1, $$2}'; \
		echo 'make setup, then make help explains the rest'; fi

$(BIN)/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info[:2] < (3, 14), f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}"'
	@echo "setup: installing the locked environment into .venv (once, about 3 GB)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -m1 -oE '^uv==[0-9.]+' requirements.lock)"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@echo "$(CURDIR)" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/slimderm.pth"
	@printf '#!/bin/sh\nexec "$$(dirname "$$0")/python" -m slimderm "$$@"\n' > $(BIN)/slimderm && chmod +x $(BIN)/slimderm
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

demo: setup ##
	@python -m slimderm demo

run: setup ## DATA=folder RECIPE=recipes/x.yaml
	@python -m slimderm run $(if $(RECIPE),--recipe "$(RECIPE)") $(if $(DATA),--data "$(DATA)")

flow: setup ##
	@python -m slimderm flow

# More at once than cores: tests wait for servers half of the time.
test: setup ## everything fast and one short run through real servers
	@python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not slow"

# Not part of make test: tracing costs half as much processor time again (Python 3.11 has no cheaper way).
coverage: setup ## the same as test, with the lines of each file that no test runs
	@python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not slow" --cov=slimderm --cov-report=term-missing:skip-covered

test-slow: setup ## the rest of the tests
	@python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m slow --durations 15

soak: setup ## everything broken on purpose, with 50 kills at random moments (KILLS); an hour or two
	@KILLS=$(or $(KILLS),50) python -m pytest tests/faults

check: setup ## lint, format, types, import direction
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports

docs: setup ## the documentation as a site in site/
	@NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict --quiet
	@echo "docs: site/index.html"

up: setup ## POOLS=cpu leaves GPU jobs to agents
	@python -m slimderm up $(POOLS)

agent: setup ## GPU=number
	@python -m slimderm agent $(if $(GPU),--gpu $(GPU))

down: setup ##
	@python -m slimderm down

data: setup ##
	@python -m slimderm data

predict: setup ## IMAGE=file AGE=years SEX=male SITE=back
	@python -m slimderm predict "$(IMAGE)" --age "$(AGE)" --sex "$(SEX)" --site "$(SITE)"

batch: setup ## IMAGES=folder METADATA=table.csv OUT=probabilities.csv RECORD=embedding
	@python -m slimderm batch "$(IMAGES)" $(if $(OUT),"$(OUT)") --metadata "$(METADATA)" $(if $(RECORD),--record "$(RECORD)")

serve: setup ## SERVE_PORT=5001 SERVE_RECORD=embedding
	@python -m slimderm serve

kiosk: setup ## MODEL=version; KIOSK_PORT=5002
	@python -m slimderm kiosk serve --model "$(MODEL)"

watch: setup ## MODEL=version
	@python -m slimderm watch --model "$(MODEL)"

feedback: setup ## TABLE=table.csv CORRECT=1
	@python -m slimderm feedback "$(TABLE)" $(if $(CORRECT),--correct)

review: setup ##
	@python -m slimderm review

evaluate: setup ## DATA=folder MODEL=version SKIN_TONE=column
	@python -m slimderm evaluate "$(DATA)" --model "$(MODEL)" --skin-tone "$(SKIN_TONE)"

promote: setup ## VERSION=number WHY="..."
	@python -m slimderm promote --version "$(VERSION)" --why "$(WHY)"

rollback: setup ## WHY="..."
	@python -m slimderm rollback --why "$(WHY)"

lineage: setup ## MODEL=version or OF=hash
	@python -m slimderm lineage "$(MODEL)" --of "$(OF)"

backfill: setup ##
	@python -m slimderm backfill

verify: setup ##
	@python -m slimderm verify

codecs: setup ## IMAGES=folder
	@python -m slimderm codecs "$(IMAGES)"

bench: setup ## measure the sweep beside the straightforward way on IMAGES=folder, 10 minutes; ARGUMENTS="--images 4"
	@test -d "$(IMAGES)" || { echo "bench: received IMAGES=$(IMAGES), expected a folder: make bench IMAGES=photos"; exit 1; }
	@python benchmarks/sweep.py "$(IMAGES)" $(ARGUMENTS)

remote: setup ## URL=folder or URL=s3://bucket/prefix
	@python -m slimderm remote "$(URL)"

push: setup ## send data versions to the remote
	@python -m dvc push

pull: setup ## fetch data versions from the remote
	@python -m dvc pull

doctor: setup ##
	@python -m slimderm doctor

status: setup ##
	@python -m slimderm status

backup: setup ## OUT=folder
	@python -m slimderm backup $(if $(OUT),"$(OUT)")

restore: setup ## IN=folder; CHECK=yes checks its hashes alone, OVERWRITE=yes replaces what is there, PARTS="users mlflow"
	@python -m slimderm restore "$(IN)" $(addprefix --part ,$(PARTS)) $(if $(OVERWRITE),--overwrite) $(if $(CHECK),--check)

lock: ## resolve pyproject.toml anew into requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --extra platform --extra dev --generate-hashes \
		--no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements.lock
	@for name in jax oldest; do uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate tests/$$name.in -o tests/$$name.lock; done
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate $(addprefix --no-emit-package ,triton cuda-bindings cuda-pathfinder cuda-toolkit \
		nvidia-cusolver nvidia-nvtx nvidia-cuda-cccl nvidia-nvjitlink) tests/torch.in -o tests/torch.lock
	@for backend in tensorflow jax torch; do \
		python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['cuda-$$backend'])" \
		| uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --constraint requirements.lock - -o infra/cuda-$$backend.lock; done

clean: ## delete what the pipeline made, the record included; data/ham10000, data/watch, data/feedback stay
	@find data -mindepth 1 -maxdepth 1 ! -name ham10000 ! -name watch ! -name feedback -exec rm -rf {} + 2>/dev/null || true
	@rm -rf models reports .cache dvc.lock mlflow.db mlartifacts

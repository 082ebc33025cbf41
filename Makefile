# make demo     the whole loop on a local Apache Kafka; DATA=, TASK=, WINDOW=, REPORT= stream a file
# make test     everything that CI checks
# make bench-ingest, make bench-fit, make bench-demo, make bench-learning, make bench    how fast, how well; see benchmarks/RESULTS.md

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .uv/bin/uv
BIN := .venv/bin
READY := .venv/.ready
AVALANCHE := .avalanche-venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint test-roles test-model faults bench bench-ingest bench-fit bench-demo bench-gate bench-swap bench-learning clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# The stamp is written last, so an interrupted sync is done again. Compiled here once, the large
# libraries need not be compiled at the first start of every role.
$(READY): pyproject.toml uv.lock | $(UV)
	@echo "Installing the locked dependencies into .venv: a minute or two the first time."
	UV_PYTHON_DOWNLOADS=never $(UV) sync --frozen --quiet --compile-bytecode --python .uv/bin/python
	@touch $@

setup: $(READY) ## Make the local environment with the locked dependencies

demo: $(READY) ## Run the whole loop; DATA=file TASK=name WINDOW=200 REPORT=out.json
	@$(BIN)/freshet demo $(if $(DATA),--data '$(DATA)') $(if $(TASK),--task '$(TASK)') \
		$(if $(WINDOW),--window '$(WINDOW)') $(if $(REPORT),--report '$(REPORT)')

lint: $(READY) ## Format, lint, types, and who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint test-roles test-model ## All checks and tests, on a real broker

test-roles: $(READY)
	$(BIN)/pytest tests --ignore=tests/model $(ARGS)

test-model: $(READY)
	$(BIN)/pytest tests/model $(ARGS)

faults: $(READY) ## Every fault by itself, then rounds of all on a real Kafka; ROUNDS=100 SEED=1
	$(BIN)/pytest -q -m long tests/faults
	$(BIN)/python -m tests.faults --rounds $(or $(ROUNDS),100) --seed $(or $(SEED),1)

bench: bench-ingest bench-fit bench-demo bench-gate bench-swap bench-learning ## Every benchmark, the last over an hour

bench-ingest: $(READY) ## Validated records a second, beside a plain Faust agent
	$(BIN)/python benchmarks/ingest.py

bench-fit: $(READY) ## Our fit beside transformers' Trainer; DATA=file
	$(BIN)/python -m benchmarks.fit $(if $(DATA),--data '$(DATA)')

bench-demo: $(READY) ## Run the demo and hold it to its limits; DATA=file
	$(BIN)/python benchmarks/demo.py $(if $(DATA),--data '$(DATA)')

bench-gate: $(READY) ## What the gate lets through over one round and fifty, simulated
	$(BIN)/python benchmarks/gate.py

bench-swap: $(READY) ## 1,000 swaps between real versions while texts flow; ARGS=--help
	$(BIN)/python -m benchmarks.swap $(ARGS)

# Torch once more, since Avalanche's many packages are no business of ours: 6 GB on Linux.
$(AVALANCHE): benchmarks/avalanche/requirements.txt | $(UV)
	UV_PYTHON_DOWNLOADS=never $(UV) venv --quiet --allow-existing --python .uv/bin/python .avalanche-venv
	$(UV) pip sync --quiet --python .avalanche-venv/bin/python $<
	@touch $@

bench-learning: $(READY) $(AVALANCHE) ## How well it learns, beside the field's methods; ARGS=--help
	$(BIN)/python -m benchmarks.learning $(ARGS)

clean: ## Remove environments and caches; the store and the logs of demos stay
	rm -rf .venv .avalanche-venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist

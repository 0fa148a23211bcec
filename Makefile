# `make help` lists what there is. Works with GNU make 3.81 (macOS) and any POSIX shell.

.DEFAULT_GOAL := help
.PHONY: help run test check lint bench lock audit clean purge

BIN := .venv/bin
DATA ?=
SCALE ?=
DEMO ?=
TESTS ?=
ARGS ?=
# Each worker starts its own servers, unless all share a given one; the tests of a file share what is built for them.
WORKERS ?= $(if $(REVOPS_TEST_URL),0,logical)
SIDE_BY_SIDE := --numprocesses $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder
export PYTHON
export SCALE

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  make run DATA=/path/to/files     your own files; without DATA: data/raw, or a synthetic demo set"
	@echo "  make run SCALE=0.2               a demo set of another size; 1 is the published one"
	@echo "  make run DEMO=1                  a demo set in the place of your files"
	@echo "  make test TESTS=tests/loaders    some of the tests"

run: .venv/stamp ## From raw files to a served, verified warehouse: installs, starts, loads, builds, verifies
	@$(BIN)/revops run $(if $(DATA),--data "$(DATA)") $(if $(DEMO),--demo)

test: lint ## Everything: lint, types, format, and all tests, on real servers
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(TESTS) $(ARGS)

check: lint ## What needs no database: lint, types, format, unit tests
	$(BIN)/python -m pytest -m unit $(ARGS)

lint: .venv/stamp ## Lint, types and format only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/sqlmesh --log-file-dir .warehouse/logs format --check

bench: .venv/stamp ## Measure speed and memory on this machine
	$(BIN)/python -m bench $(ARGS)

lock: .venv/stamp ## Regenerate requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --extra dev pyproject.toml -o requirements.lock

audit: .venv/stamp ## Look up known vulnerabilities of the locked dependencies; needs the network
	$(BIN)/uv tool run --from 'pip-audit>=2.10,<3' pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock

clean: ## Remove .venv, caches and demo files; the warehouse in .warehouse stays
	@if [ -x $(BIN)/revops ]; then $(BIN)/revops down; fi
	rm -rf .venv data/demo data/demo.new build logs .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

purge: clean ## The same, and delete the embedded server's whole warehouse, key and password included
	rm -rf .warehouse

.venv/stamp: requirements.lock pyproject.toml .ci/make_venv.py
	@python="$$(.ci/python)" && "$$python" .ci/make_venv.py

# `make help` lists what there is. Works with GNU make 3.81 (macOS) and any POSIX shell.

.DEFAULT_GOAL := help
.PHONY: help run test test-engines test-spark test-score check lint bench lock audit clean purge

BIN := .venv/bin
DATA ?=
SCALE ?=
DEMO ?=
TESTS ?=
ENGINE ?=
ARGS ?=
# Each worker starts its own servers, unless all share a given one; the tests of a file share what is built for them.
WORKERS ?= $(if $(REVOPS_TEST_URL),0,logical)
SIDE_BY_SIDE := --numprocesses $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder
export PYTHON
export SCALE

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  make run DATA=/path/to/files     your own files; without DATA: data/raw, or a synthetic demo set"
	@echo "  make run SCALE=0.2               a demo set of another size; 1 is the published one"
	@echo "  make run DEMO=1                  a demo set in the place of your files"
	@echo "  make test TESTS=tests/loaders    some of the tests"

run: .venv/stamp $(if $(filter spark,$(ENGINE)),.venv/spark) ## From raw files to a served, verified warehouse: installs, starts, loads, builds, verifies
	@$(if $(ENGINE),REVOPS_ENGINE=$(ENGINE)) $(BIN)/revops run $(if $(DATA),--data "$(DATA)") $(if $(DEMO),--demo)

test: lint ## Everything: lint, types, format, and all tests, on real servers
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(TESTS) $(ARGS)

test-engines: .venv/spark ## The same models on Spark: installs its client and Sail, compares every row
	REVOPS_TEST_ENGINES=1 $(BIN)/python -m pytest tests/engines $(ARGS)

test-spark: .venv/spark .cache/spark/stamp ## The same models on Spark itself: needs Java 17, installs Spark, compares every row
	REVOPS_TEST_ENGINES=1 REVOPS_TEST_SPARK_HOME="$(CURDIR)/.cache/spark/deps" \
	    $(BIN)/python -m pytest tests/engines/test_spark_itself.py $(ARGS)

test-score: .venv/score ## Training of scorecards: installs scikit-learn
	$(BIN)/python -m pytest tests/revops/scoring $(ARGS)

check: lint ## What needs no database: lint, types, format, unit tests
	$(BIN)/python -m pytest -m unit $(ARGS)

lint: .venv/stamp ## Lint, types and format only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/sqlmesh --log-file-dir .warehouse/logs format --check

bench: .venv/stamp ## Measure speed and memory on this machine
	$(BIN)/python -m bench $(ARGS)

lock: .venv/stamp ## Regenerate requirements.lock and those of the extras from pyproject.toml
	$(BIN)/uv pip compile --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --extra dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --constraint requirements.lock --extra spark pyproject.toml -o requirements-spark.lock
	$(BIN)/uv pip compile --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --constraint requirements.lock --extra score pyproject.toml -o requirements-score.lock
	sed -n 's/^pyspark-client==\([^ ]*\).*/pyspark==\1/p' requirements-spark.lock | \
	    $(BIN)/uv pip compile --no-deps --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	    - -o requirements-spark-itself.lock

audit: .venv/stamp ## Look up known vulnerabilities of the locked dependencies; needs the network
	$(BIN)/uv tool run --from 'pip-audit>=2.10,<3' pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock

clean: ## Remove .venv, caches and demo files; the warehouse in .warehouse stays
	@if [ -x $(BIN)/revops ]; then $(BIN)/revops down; fi
	rm -rf .venv data/demo data/demo.new build logs .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

purge: clean ## The same, and delete the embedded server's whole warehouse, key and password included
	rm -rf .warehouse

# Only those who build on Spark install this: the client, and Sail, a server of its dialect for trials and tests.
.venv/spark: .venv/stamp requirements-spark.lock
	@echo "Installing the client of Spark, and Sail" >&2
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-spark.lock
	@touch $@

# Spark with its jars, of the client's version: for tests of the models on Java alone.
.cache/spark/stamp: requirements-spark-itself.lock .venv/stamp
	@echo "Installing Spark" >&2
	@rm -rf .cache/spark && mkdir -p .cache/spark
	@$(BIN)/python -m pip download --quiet --no-deps --require-hashes --requirement requirements-spark-itself.lock \
	    --dest .cache/spark
	@tar -xzf .cache/spark/pyspark-*.tar.gz -C .cache/spark --strip-components 1 && rm .cache/spark/pyspark-*.tar.gz
	@touch $@

# Only those who train scorecards install this: .venv/bin/revops train then works.
.venv/score: .venv/stamp requirements-score.lock
	@echo "Installing what fits scorecards" >&2
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-score.lock
	@touch $@

.venv/stamp: requirements.lock pyproject.toml .ci/make_venv.py
	@python="$$(.ci/python)" && "$$python" .ci/make_venv.py

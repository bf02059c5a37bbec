# Everything that is done with this project; `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
export PYTHON
# A path from the caller's shell must not put other code before what is pinned.
unexport PYTHONPATH PYTHONHOME
# Without compiled modules kept, each of the tests' many processes compiles all that it imports: 5.2 instead of
# 2.3 s of CPU for a run's imports.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
# Tests wait for servers much of their time: one process more than a small machine has cores.
TEST_PROCESSES ?= 3
# How many shops `make reference` makes up; a few are part of `make test`.
SHOPS ?= 300
# How many runs `make soak` does.
RUNS ?= 200
PACKAGES := chromium chromium-driver fonts-dejavu-core mariadb-client-core mariadb-server-core nodejs openssl \
	pgbouncer postgresql sqlite3 systemd
PROGRAMS := command -v chromium && command -v chromedriver && command -v node && command -v sqlite3 \
	&& command -v systemd-analyze && command -v mariadb-install-db && PATH=$$PATH:/usr/sbin command -v mariadbd \
	&& PATH=$$PATH:/usr/sbin command -v pgbouncer && command -v openssl && ls /usr/lib/postgresql/*/bin/postgres
JAVA := openjdk-17-jre-headless
AIRFLOW_BIN := .venv-airflow/bin
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header

.PHONY: docs pictures reference tamper help demo test test-orchestration test-airflow test-spark lint format bench mutants faults soak versions pins upgrade programs clean \
	.venv .venv-airflow .venv-spark .venv-bench .venv-docs java

help: ## list what there is to do
	@awk -F ':.*## ' '/^[.a-z-]+:.*## / { printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv: .venv/stamp ## make the environment, from the pins in requirements/dev.txt
	@:

.venv/stamp: requirements/dev.txt requirements/bootstrap.txt tools/make_environment.sh pyproject.toml
	@tools/make_environment.sh .venv requirements/dev.txt

.venv-airflow: .venv-airflow/stamp ## make Airflow's own environment (it cannot share Prefect's)
	@:

.venv-airflow/stamp: requirements/airflow.txt requirements/bootstrap.txt tools/make_environment.sh
	@tools/make_environment.sh .venv-airflow requirements/airflow.txt

.venv-spark: .venv-spark/stamp ## make Spark's own environment (with Spark it takes 1.4 GB)
	@:

.venv-spark/stamp: requirements/spark.txt requirements/bootstrap.txt tools/make_environment.sh pyproject.toml
	@tools/make_environment.sh .venv-spark requirements/spark.txt

.venv-bench: .venv-bench/stamp ## make the benchmark peers' own environment
	@:

.venv-bench/stamp: requirements/bench.txt requirements/bootstrap.txt tools/make_environment.sh
	@tools/make_environment.sh .venv-bench requirements/bench.txt

.venv-docs: .venv-docs/stamp ## make the documentation's own environment
	@:

.venv-docs/stamp: requirements/docs.txt requirements/bootstrap.txt tools/make_environment.sh
	@tools/make_environment.sh .venv-docs requirements/docs.txt

demo: .venv/stamp ## a sample shop through the whole pipeline, on real databases
	@$(BIN)/shopsight demo

test: .venv/stamp programs ## all tests, doctests included, on real databases (ARGS="-k name" for some)
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

reference: .venv/stamp ## every figure against an independent reference, over random dirty shops (SHOPS=300; minutes)
	REFERENCE_SHOPS=$(SHOPS) $(BIN)/python -m pytest tests/reference $(ARGS)

test-orchestration: .venv/stamp ## the service, its runs and its server killed in every stage (minutes)
	$(BIN)/python -m pytest tests/orchestration/test_service.py -m "orchestration or not orchestration" $(ARGS)

test-airflow: .venv-airflow/stamp ## the same pipeline as an Airflow DAG, in Airflow's own environment
	$(AIRFLOW_BIN)/python -m pytest tests/orchestration/airflow $(ARGS)

test-spark: .venv-spark/stamp java ## the pipeline on Spark: local, a cluster, Spark Connect; workers and servers killed
	.venv-spark/bin/python -m pytest tests/engine/spark $(ARGS)

lint: .venv/stamp ## ruff, mypy strict, and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/stamp ## put the code into ruff's form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/stamp .venv-bench/stamp ## the benchmark against its peers (SCALE=0.1 PEERS=… ROUNDS=3); see docs/performance.md
	$(BIN)/python -m benchmarks $(ARGS)

mutants: .venv/stamp ## plant small faults in the code and see the tests catch each
	$(BIN)/python tools/mutants.py

tamper: .venv/stamp ## alter data between the stages, and see the proof notice (ARGS="--only clean/orders")
	$(BIN)/python tools/tamper.py $(ARGS)

soak: .venv/stamp ## the service for hours, over a shop that changes and servers that fail (RUNS=200)
	$(BIN)/python tools/soak.py --runs $(RUNS) $(ARGS)

versions: .venv/stamp programs ## PostgreSQL 13 to 18, MongoDB 5 and 6 (ARGS="--only 'PostgreSQL 16'")
	$(BIN)/python tools/versions.py $(ARGS)

faults: .venv/stamp ## kill runs and servers a hundred times, and count what survived
	$(BIN)/python tools/faults.py

docs: .venv/stamp .venv-docs/stamp ## the documentation as a site in .docs/site, every link checked
	$(BIN)/python tools/docs_pages.py .docs/pages
	@# It announces its successor at each build: docs/adr/0015-a-site-made-by-mkdocs-material.md
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet
	@echo "The site is .docs/site/index.html"

pictures: .venv/stamp programs ## renew the pictures of the demo's terminal and of its report
	$(BIN)/python tools/terminal_picture.py
	SHOPSIGHT_SHOP_NAME="Fjord & Finch" SHOPSIGHT_SHOP_CURRENCY=EUR $(BIN)/shopsight demo
	$(BIN)/python -m tools.report_pictures .shopsight/report.html

pins: .venv/stamp ## renew the pins after a change in pyproject.toml (make upgrade also takes newer versions)
	$(UV_COMPILE) $(UPGRADE) requirements/bootstrap.in --output-file requirements/bootstrap.txt
	$(UV_COMPILE) $(UPGRADE) pyproject.toml --extra demo --extra mysql --extra prefect --group dev \
		--output-file requirements/dev.txt
	$(UV_COMPILE) $(UPGRADE) pyproject.toml --extra demo --extra airflow --group airflow-test \
		--output-file requirements/airflow.txt
	$(UV_COMPILE) $(UPGRADE) pyproject.toml --extra demo --extra spark-classic --group spark-test \
		--output-file requirements/spark.txt
	$(UV_COMPILE) $(UPGRADE) requirements/bench.in --output-file requirements/bench.txt
	$(UV_COMPILE) $(UPGRADE) requirements/docs.in --output-file requirements/docs.txt

upgrade: ## renew the pins to the newest versions that pyproject.toml allows
	@$(MAKE) pins UPGRADE=--upgrade

# The report is tested in a real browser, the documents' JavaScript, SQL and unit by the programs that read them.
# Without rights to install them, their tests fail and this says what is missing.
programs:
	@if ! { $(PROGRAMS); } >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing what the tests need: $(PACKAGES)"; \
			{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
				--no-install-recommends $(PACKAGES); } >/dev/null || true; \
		fi; \
		{ $(PROGRAMS); } >/dev/null || echo \
			"A program is missing, its test will fail: sudo apt-get install $(PACKAGES)"; \
	fi

# Spark runs on Java; without rights to install it, its tests fail and this says what is missing.
java:
	@if ! command -v java >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing what Spark needs: $(JAVA)"; \
			{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
				--no-install-recommends $(JAVA); } >/dev/null || true; \
		fi; \
		command -v java >/dev/null || echo "Java is missing: sudo apt-get install $(JAVA)"; \
	fi

clean: ## remove environments, caches and the working directory; stops the demo's servers first
	@if [ -d .shopsight ] && [ -x $(BIN)/shopsight ]; then $(BIN)/shopsight down --remove || true; fi
	rm -rf .venv .venv-airflow .venv-spark .venv-bench .venv-docs .docs .shopsight .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .grimp_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

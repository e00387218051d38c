SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
PYTHON := $(BIN)/python
STAMP := .venv/.stamp

# What `make demo` searches, and how `make test` runs pytest: override either on the command line.
DEMO_ARGS ?= --space nas_cell --strategy sep_crossover --task digits --trials 40 --set train.epochs=4
PYTEST_ARGS ?= -n auto --maxprocesses 8 --dist loadfile
WHEEL_TESTS ?= tests

export MPLBACKEND ?= Agg
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# A Python that is new enough, or an explanation. Override with `make setup BASE_PYTHON=/path/to/python`.
define find_python
for python in $(BASE_PYTHON) python3.11 python3; do \
  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
  python=; \
done; \
if [ -z "$$python" ]; then \
  echo "no suitable Python: automl needs 3.11 or newer, but found $$(python3 --version 2>&1 || true)" >&2; \
  echo "  install one, or name it: make setup BASE_PYTHON=/path/to/python3.11" >&2; \
  exit 1; \
fi
endef

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## create .venv and install automl with its development tools

$(STAMP): pyproject.toml constraints.txt
	@$(find_python); \
	echo "installing into .venv with $$("$$python" --version) (a few minutes the first time)"; \
	"$$python" -m venv .venv
	@$(PYTHON) -m pip install --quiet --editable '.[dev]' --constraint constraints.txt
	@touch $@

.PHONY: demo
demo: setup ## run a small search from start to finish
	$(BIN)/automl search $(DEMO_ARGS)

.PHONY: newcomer
newcomer: setup ## walk and time a newcomer's path: clone, own images, search, report, retrain, ONNX, prediction
	$(PYTHON) benchmarks/newcomer.py

.PHONY: lint
lint: setup ## check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.PHONY: format
format: setup ## mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: test
test: lint ## lint, then the fast tests
	$(PYTHON) -m pytest $(PYTEST_ARGS)

.PHONY: coverage
coverage: setup ## how much of the core the fast tests run, by lines; fails under 90 %
	@rm -rf build/coverage; mkdir -p build/coverage
	COVERAGE_FILE=$(CURDIR)/build/coverage/data $(PYTHON) -m pytest $(PYTEST_ARGS) --cov --cov-report=term:skip-covered \
	  --cov-report=html:build/coverage/html

.PHONY: slow
slow: setup ## the slow tests
	$(PYTHON) -m pytest -m "slow and not gpu"

.PHONY: gpu
gpu: setup ## the tests that need an accelerator
	$(PYTHON) -m pytest -m gpu

.PHONY: wheel
wheel: setup ## build the wheel into build/wheel
	@rm -rf build/wheel
	@$(PYTHON) -m build --wheel --no-isolation --outdir build/wheel >/dev/null
	@ls build/wheel/*.whl

# The wheel comes first on the path, the tests run from a folder outside the checkout, and the recipe itself makes sure
# that all three packages are the wheel's before it trusts a green run.
.PHONY: test-wheel
test-wheel: wheel ## the fast tests against the built wheel, from another folder (WHEEL_TESTS picks some)
	@rm -rf build/wheel-site
	@$(PYTHON) -m pip install --quiet --no-deps --target build/wheel-site build/wheel/*.whl
	@site=$$(cd build/wheel-site && pwd -P); python=$$PWD/$(PYTHON); \
	if [ -n "$${AUTOML_DATA_DIR:-}" ]; then AUTOML_DATA_DIR=$$(cd "$$AUTOML_DATA_DIR" && pwd); fi; \
	folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	cp -R tests pyproject.toml "$$folder"; cd "$$folder"; \
	export PYTHONPATH=$$site AUTOML_EXPECT_PREFIX=$$site; \
	"$$python" -c "$$CHECK_PREFIX"; \
	"$$python" -m pytest $(PYTEST_ARGS) -o pythonpath= $(WHEEL_TESTS)

define CHECK_PREFIX
import importlib, os
for name in ("automl", "automl_plugins", "automl_spaces"):
    found = os.path.realpath(importlib.import_module(name).__file__)
    if not found.startswith(os.environ["AUTOML_EXPECT_PREFIX"] + os.sep):
        raise SystemExit(f"{name} is imported from {found}, not from the wheel")
print("testing the wheel in", os.environ["AUTOML_EXPECT_PREFIX"])
endef
export CHECK_PREFIX

# The comparisons of docs/benchmarks.md, each in a store of its own under build/studies: stopped, they go on.
STUDIES := strategies_cifar10 strategies_cifar100 nas_bench_201_cifar10 nas_bench_201_models_cifar10 \
  nas_bench_201_cifar100 sep_noise_free sep_noisy

.PHONY: studies
studies: setup ## run the comparisons of docs/benchmarks.md (an hour or two) and rewrite its tables
	@mkdir -p build/studies; failed=; \
	for name in $(STUDIES); do \
	  $(BIN)/automl run $$name --check --jobs 2 --storage build/studies/$$name.db || failed+=" $$name"; \
	done; \
	$(PYTHON) benchmarks/_strategy_tables.py build/studies; \
	if [ -n "$$failed" ]; then echo "not as expected:$$failed" >&2; exit 1; fi

# The pages are gathered in build/docs, and the site is left in build/site. Nothing is fetched, then or when it is read.
.PHONY: docs
docs: setup ## build the documentation site into build/site
	@rm -rf build/docs build/site
	@$(PYTHON) docs/_generate.py build/docs
	@$(PYTHON) -m zensical build --strict --config-file build/docs/mkdocs.yml
	@mv build/docs/site build/site
	@echo "to read it: $(PYTHON) -m http.server --directory build/site"

# Each script ends with one line of JSON; `"ok": false` there, or a crash, fails the target once all have run.
.PHONY: bench
bench: setup ## run every benchmark
	@mkdir -p build/bench; failed=; \
	for script in $(sort $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py))); do \
	  echo "== $$script"; log=build/bench/$$(basename "$$script" .py).log; \
	  $(PYTHON) "$$script" | tee "$$log" && tail -n 1 "$$log" | $(PYTHON) -c "$$CHECK_OK" || failed+=" $$script"; \
	done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

define CHECK_OK
import json, sys
line = sys.stdin.read()
try:
    outcome = json.loads(line)
except ValueError:
    sys.exit(f"the last line is not JSON: {line.strip()!r}")
sys.exit(0 if isinstance(outcome, dict) and outcome.get("ok", True) else 1)
endef
export CHECK_OK

# From a fresh environment, without the present constraints. A local suffix (`torch==2.6.0+cpu`) and the CUDA packages,
# which torch itself pins, are a matter of the machine and are dropped.
.PHONY: lock
lock: ## renew constraints.txt with the newest releases
	@$(find_python); rm -rf build/lock; "$$python" -m venv build/lock
	@build/lock/bin/python -m pip install --quiet --editable '.[dev]'
	@{ sed -n '/^#/p' constraints.txt; \
	  build/lock/bin/python -m pip freeze --exclude-editable | sed -E '/^(cuda|nvidia|triton)/d; s/\+[A-Za-z0-9.]+$$//'; } >build/constraints.txt
	@mv build/constraints.txt constraints.txt; rm -rf build/lock
	@echo "renewed constraints.txt; now run: make test"

.PHONY: clean
clean: ## remove what was built, the environment included
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find automl plugins search_spaces tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

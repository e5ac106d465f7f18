# Every target works from a clean clone with Python 3.11 or later and pip; each makes what it needs in .venv.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

# What is installed is recorded in files of the environment, so that an unchanged one is not installed again.
INSTALLED := $(VENV)/.installed
TESTED := $(VENV)/.installed-test
DEVELOPED := $(VENV)/.installed-dev

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "perfcli needs Python 3.11 or later: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

$(INSTALLED): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[all]'
	@touch $@

$(TESTED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --group test
	@touch $@

$(DEVELOPED): $(TESTED)
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

.PHONY: help install run test check format bench golden pictures run-api test-performance smoke clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-18s %s\n", $$1, $$2 }'

install: $(INSTALLED) ## Make the virtual environment and install perfcli with all extras
	@echo "Installed. Start with: $(BIN)/perfcli profile"

run: $(INSTALLED) ## Profile a sample patient on the embedded model
	$(BIN)/perfcli profile sample_payloads/malignant.json

test: $(TESTED) ## Run the whole test suite
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(DEVELOPED) ## Format, lint, types, import rules, then the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

format: $(DEVELOPED) ## Format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEVELOPED) ## Print every benchmark's ratios, measured side by side
	$(BIN)/python -m tests.benchmarks

golden: $(TESTED) ## Write the golden files of the reports again
	PERFCLI_GOLDEN=write $(BIN)/python -m pytest tests/golden $(PYTEST_ARGS)

pictures: $(INSTALLED) ## Make the pictures of the README again (needs Chromium)
	$(BIN)/python .github/pictures/make.py

run-api: $(INSTALLED) ## Serve the embedded model on http://127.0.0.1:8000
	$(BIN)/perfcli serve

test-performance: $(TESTED) ## Test the performance monitoring, then show it at work on the embedded API
	$(BIN)/python -m pytest tests/api/test_performance_monitoring.py -v
	$(BIN)/python -m tests.demonstration

smoke: $(INSTALLED) ## Gate this project as a pipeline would: a profile and a load with SLOs, and a comparison
	$(BIN)/perfcli profile sample_payloads/malignant.json --max-time 5s --slo 'median < 200ms'
	$(BIN)/perfcli load --users 5 --duration 5s --warm-up none --slo 'error_rate < 1%' --slo 'throughput > 5/s'
	$(BIN)/perfcli compare --base perfcli.patient_model:patient_model --new perfcli.patient_model:patient_model \
		--max-time 5s --fail-if never sample_payloads/malignant.json

clean: ## Remove the environment and everything generated
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

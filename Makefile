# SPDX-License-Identifier: MIT
PYTHON ?= python3
LISTEN ?= 127.0.0.1:10049
ARGS   ?=
JOBS   ?= 2
UV     ?= uv
VENV   := .venv
BIN    := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help

.PHONY: help
help:  ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PYTHON=$(PYTHON) makes the virtual environment; ARGS=... goes to hwinfod or pytest"

.PHONY: run
run: $(BIN)/hwinfod  ## start hwinfod in the foreground, with /metrics on 127.0.0.1:10049
	@echo "hwinfod runs in the foreground; Ctrl-C stops it. Type next, in another terminal:"
	@echo "  $(CURDIR)/$(BIN)/hwinfoctl status"
	@echo "  curl -s http://$(LISTEN)/metrics"
	@exec $(BIN)/hwinfod --web.listen-address $(LISTEN) $(ARGS)

.PHONY: test
test: venv-dev test-packages  ## install what tests need, and run everything
	$(PYTEST) -m "not gpu" $(ARGS)

.PHONY: check
check: venv-dev  ## linters, types and unit tests, in under three minutes
	$(PYTEST) -n $(JOBS) tests/lint tests/unit $(ARGS)

.PHONY: golden
golden: venv-dev  ## write the kept outputs of the tests anew (then read the diff)
	$(PYTEST) -m golden --update-golden $(ARGS)

.PHONY: docs
docs: venv-dev  ## write what is generated (manual pages, example configuration), and check it
	$(BIN)/python tools/docs.py $(ARGS)

.PHONY: deb
deb: venv-dev  ## build the Debian package into dist/, the same bytes each time
	packaging/build-deb.sh $(BIN)/python dist
	@ls -l dist/*.deb

.PHONY: bench
bench: venv-dev test-packages  ## measure what it costs: target, value, verdict
	$(BIN)/python -m bench $(ARGS)

.PHONY: fuzz
fuzz: venv-dev  ## the parsers against FUZZ_EXAMPLES=100000 inputs each
	HYPOTHESIS_PROFILE=fuzz $(PYTEST) -m hypothesis --timeout=0 tests/unit $(ARGS)

.PHONY: test-gpu
test-gpu: venv-dev  ## the end-to-end tests that need a real GPU
	$(PYTEST) -m gpu $(ARGS)

.PHONY: vm
vm: venv-dev test-packages  ## build the guest that tests/vm boots (root; tests do it where it is missing)
	$(BIN)/python -m tests.vm.build

.PHONY: lock
lock:  ## renew requirements*.txt from pyproject.toml (needs uv)
	UV_CUSTOM_COMPILE_COMMAND="make lock"; export UV_CUSTOM_COMPILE_COMMAND; \
	compile="$(UV) pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes"; \
	$$compile --group build -o requirements-build.txt && \
	$$compile pyproject.toml --extra web --extra runtimes -o requirements.txt && \
	$$compile pyproject.toml --extra web --extra runtimes --group dev -c requirements.txt -o requirements-dev.txt

.PHONY: clean
clean:  ## remove everything that was made here
	rm -rf $(VENV) .venvs .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: venv
venv:
	@tools/venv.sh $(VENV) "$(PYTHON)" requirements.txt

.PHONY: venv-dev
venv-dev: $(BIN)/hwinfod
	@tools/venv.sh $(VENV) "$(PYTHON)" requirements-dev.txt

.PHONY: test-packages
test-packages:
	@tools/test-packages.sh

# compat: a plain path entry. The other editable modes put an import hook into each start of the interpreter.
$(BIN)/hwinfod: pyproject.toml | venv
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --config-settings editable_mode=compat -e .
	@touch $@

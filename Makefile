# SPDX-License-Identifier: MIT
PYTHON ?= python3
LISTEN ?= 127.0.0.1:10049
ARGS   ?=
JOBS   ?= 2
UV     ?= uv
ARCH   ?= amd64 arm64
VENV   := .venv
BIN    := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help

.PHONY: help
help:  ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PYTHON=$(PYTHON) makes the virtual environment; ARGS=... goes to hwinfod or pytest"

# On a terminal hwinfod says it itself, with the socket that it has.
.PHONY: run
run: $(BIN)/hwinfod  ## start hwinfod in the foreground, with /metrics on 127.0.0.1:10049
	@[ -t 2 ] || printf '%s\n' "hwinfod runs in the foreground; Ctrl-C stops it. Type next, in another terminal:" \
		"  $(CURDIR)/$(BIN)/hwinfoctl status" "  curl -s http://$(LISTEN)/metrics"
	@exec $(BIN)/hwinfod --web.listen-address $(LISTEN) $(ARGS)

.PHONY: test
test: venv-dev test-packages  ## install what tests need, and run everything
	$(PYTEST) -n $(JOBS) --dist loadscope --no-loadscope-reorder -m "not gpu" $(ARGS)

.PHONY: check
check: venv-dev  ## linters, types and unit tests, in under three minutes
	$(PYTEST) -n $(JOBS) tests/lint tests/unit $(ARGS)

.PHONY: golden
golden: venv-dev  ## write the kept outputs of the tests anew (then read the diff)
	$(PYTEST) -m golden --update-golden $(ARGS)

.PHONY: storm
storm: venv-dev test-packages  ## a minute of 10,000 processes a second, and what owners cost meanwhile
	STORM_SECONDS=60 $(PYTEST) tests/e2e/test_process_storm.py $(ARGS)

.PHONY: docs
docs: venv-dev  ## write what is generated (manual pages, example configuration), and check it
	$(BIN)/python tools/docs.py $(ARGS)

.PHONY: deb
deb: venv-dev  ## build Debian packages into dist/, the same bytes each time (ARCH="amd64 arm64")
	packaging/build-deb.sh $(BIN)/python dist $(ARCH)
	@ls -l dist/*.deb

.PHONY: rpm
rpm: venv-dev  ## build rpm packages into dist/, the same bytes each time (ARCH="amd64 arm64")
	packaging/build-rpm.sh $(BIN)/python dist $(ARCH)
	@ls -l dist/*.rpm

.PHONY: wheel
wheel: venv-dev  ## build the source release and its wheel into dist/, for pip
	packaging/build-wheel.sh $(BIN)/python dist
	@ls -l dist/*.whl

.PHONY: tarball
tarball: deb rpm  ## pack what a site without a network needs into dist/, with checksums
	packaging/build-tarball.sh $(BIN)/python dist
	@ls -l dist/*-offline.tar.gz

.PHONY: bench
bench: venv-dev test-packages  ## measure what it costs: target, value, verdict
	$(BIN)/python -m bench $(ARGS)

.PHONY: fuzz
fuzz: venv-dev  ## the parsers against FUZZ_EXAMPLES=100000 inputs each
	HYPOTHESIS_PROFILE=fuzz $(PYTEST) -m hypothesis --timeout=0 tests/unit $(ARGS)

.PHONY: test-gpu
test-gpu: venv-dev  ## the end-to-end tests of GPUs, against the GPUs of this machine
	@$(BIN)/python -m tests.support.gpu_machines
	$(PYTEST) -m gpu $(ARGS)

.PHONY: vm
vm: venv-dev test-packages  ## build the guests that tests/vm boots (root; tests do it where one is missing)
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

# `make sweep` and `make test` need Python >= 3.11 and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AGAIN = $(BIN)/python -m pytest --last-failed --last-failed-no-failures none

.PHONY: sweep test check docs bench lock clean env

sweep: $(VENV)/.ready
	$(BIN)/sweeper train --model xgboost
	$(BIN)/sweeper grid --workers 1,4,8,16,32 --users 100 --window 6s --max-blocks 5 --tolerance 0.1 || [ $$? -eq 1 ]

# Most tests start processes and wait for them, or measure, on whatever machine this is. What fails, such as by
# runs that are suspect because other guests of the host took the cores, is run once more, by itself.
test: $(VENV)/.ready
	$(BIN)/python -m tests.support.needs
	$(BIN)/python -m pytest -n auto -m together || $(AGAIN) -m together
	$(BIN)/python -m pytest -n 6 --dist worksteal -m asleep || $(AGAIN) -m asleep
	$(BIN)/python -m pytest -n 2 --dist worksteal -m pairs || $(AGAIN) -m pairs
	$(BIN)/python -m pytest -m alone || $(AGAIN) -m alone

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet --config-file .ci/mkdocs.yml

# Rewrites the pages of the documentation that are made from the command line.
docs: $(VENV)/.ready
	$(BIN)/python -m tests.support.command_pages

bench: $(VENV)/.ready
	$(BIN)/python -m tests.bench

env: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sweeper needs Python 3.11 or newer; this is %d.%d (set PYTHON=...)" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	# What earlier locks installed under the files of xgboost-cpu, or for xgboost alone.
	$(BIN)/python -m pip uninstall -qq --yes xgboost nvidia-nccl-cu12 nvidia-nccl-cu13
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Rewrites the lock for every supported Python; the only target that needs uv.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" --all-extras -o requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Everything runs inside .venv. A stamp in it says what is installed, so that the second call starts at once.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python -m
# Python compiles a module when it is first imported, and keeps what it has compiled: to compile all 12,000 of them takes
# longer than to start the app. Where it is told to keep nothing, every start would take seconds more.
PIP_INSTALL := $(PY) pip install --disable-pip-version-check --no-compile
unexport PYTHONDONTWRITEBYTECODE
# What takes long to compile: done when it has been installed, whoever starts the app later.
COMPILED := streamlit.web.bootstrap, altair, pandas, torch, torchvision.datasets, vl_convert

.DEFAULT_GOAL := help
.PHONY: help run test lint format clean

help: ## List these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: $(VENV)/.installed ## Install what the app needs and start it
	$(PY) streamlit run app.py

test: $(VENV)/.installed-dev lint ## Install what the tests need, then lint and run all tests, two files at a time
	$(PY) pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed-dev ## Check the code's style
	$(PY) ruff check
	$(PY) ruff format --check

format: $(VENV)/.installed-dev ## Put the code in the project's style
	$(PY) ruff check --fix
	$(PY) ruff format

clean: ## Remove .venv and all caches; runs and data stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.installed: requirements.txt | $(VENV)/bin/pip
	$(PIP_INSTALL) -r $<
	@$(VENV)/bin/python -c 'import $(COMPILED)'
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements-dask.txt $(VENV)/.installed
	$(PIP_INSTALL) -r $<
	@touch $@

# pip, not python: a venv whose creation failed half-way has the one and not the other.
$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo 'RNN Lab needs Python 3.11 or newer; name one with: make run PYTHON=/path/to/python3.11' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

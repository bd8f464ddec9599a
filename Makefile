# Every target starts from nothing (it makes .venv, installs, fetches the page's scripts) and does
# no work twice: an unchanged requirements.txt installs nothing, an unchanged chapter is not rerun.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python

INSTALLED := $(VENV)/.installed
VENDOR := book/_static/vendor/versions.json

# Nothing here talks home, and a notebook's own paths are plain.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export JUPYTER_PLATFORM_DIRS := 1
export PYTHONDONTWRITEBYTECODE ?=

.PHONY: help install book test notebooks stale bench lab clean

help:
	@echo "make book       the book, in build/_build/html/index.html; runs the chapters that are stale"
	@echo "make test       lint, tests, every chapter at the smoke profile, the book in a browser"
	@echo "make notebooks  runs every chapter again at the book profile and saves its outputs"
	@echo "make stale      lists the chapters whose outputs are older than the library"
	@echo "make bench      measures what the README's table promises, and fills it in"
	@echo "make lab        opens the chapters in JupyterLab"
	@echo "make install    the environment alone (.venv); make clean removes what was built"

install: $(INSTALLED)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "faceattr needs Python 3.10 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): requirements.txt pyproject.toml | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --requirement requirements.txt
	$(RUN) -m pip install --quiet --no-deps facenet-pytorch==2.6.0
	$(RUN) -m pip install --quiet --no-deps --editable .
	@touch $@

$(VENDOR): book/tools/vendor.py $(INSTALLED)
	$(RUN) book/tools/vendor.py
	@touch $@

notebooks: $(INSTALLED)
	$(RUN) book/tools/run_notebooks.py --profile book

stale: $(INSTALLED)
	$(RUN) book/tools/run_notebooks.py --list-stale

book: $(VENDOR)
	$(RUN) book/tools/run_notebooks.py --profile book --only-stale
	$(RUN) book/tools/build_book.py
	@echo "open build/_build/html/index.html"

test: $(VENDOR)
	$(RUN) book/tools/check_all.py

bench: $(INSTALLED)
	$(RUN) book/tools/bench.py

lab: $(INSTALLED)
	$(RUN) -m jupyter lab --notebook-dir notebooks

clean:
	rm -rf build book/_static/vendor dist *.egg-info

# make play    the game and its dream, side by side
# make test    what has to pass before a change goes in
# make style types bench test-slow test-gpu clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml constraints.txt CMakeLists.txt $(wildcard cuda/*)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: play test test-slow test-gpu style types bench clean
.DELETE_ON_ERROR:

play: $(VENV)/play.installed
	$(BIN)/mirage play

test: style types $(VENV)/dev.installed
	$(BIN)/python -m pytest

test-slow: $(VENV)/dev.installed
	$(BIN)/python -m pytest -m "slow and not gpu"

test-gpu: $(VENV)/dev.installed
	$(BIN)/python -m pytest -m gpu

style: $(VENV)/dev.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(wildcard cuda/*.cuh cuda/*.cu cuda/*.cpp cuda/*.h)

types: $(VENV)/dev.installed
	$(BIN)/pyright

bench: $(VENV)/dev.installed
	$(BIN)/python -m benchmarks.cpu

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Installed anew when the project's needs or the C++ sources change; Python sources are used in place.
$(VENV)/play.installed: $(SOURCES) | $(BIN)/python
	@echo "installing the game and its dream into $(VENV) (some minutes the first time)"
	$(PIP_INSTALL) -e '.[play,video,wm]'
	@touch $@

$(VENV)/dev.installed: $(SOURCES) | $(BIN)/python
	@echo "installing the project and its tests' needs into $(VENV) (some minutes the first time)"
	$(PIP_INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/play.installed

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis tests/failures

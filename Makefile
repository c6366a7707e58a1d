# Each target makes or refreshes .venv by itself: `make test` on a fresh clone is enough. Needs no root.
#   make PYTHON=/path/to/python3.12 ...   chooses the interpreter a new .venv is made of

# Bytecode is worth keeping: the tests start Python a hundred times.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet
PYTHON ?=
CANDIDATES := $(or $(PYTHON),python3.11 python3.12 python3.13 python3)

# Checked by whatever of these exists. benchmarks/ is left to ruff and mypy: what it compares with is not in .venv here.
CHECKED := $(wildcard sansio_http sansio_http_anyio tests examples benchmarks docs)

# A venv knows its own path: one that was moved, copied or lost its interpreter is made anew.
ifneq ($(shell { $(PY) -c pass && cat $(VENV)/.made; } 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/.made
endif

.PHONY: help demo test lint format docs bench mutants mutation clean

help:
	@echo "make demo     the client against a misbehaving server, on asyncio and trio"
	@echo "make test     all tests; the core at 100 % branch coverage, the adapter at 90 %"
	@echo "make lint     format, style, types, import contracts, docs/api.md"
	@echo "make format   let ruff put right what it can"
	@echo "make docs     write docs/api.md anew from the docstrings"
	@echo "make bench    benchmarks/*.py, beside other libraries, and their chart (some half an hour)"
	@echo "make mutants  break the code on purpose, and see the tests notice"
	@echo "make mutation the same by a tool, over the policies; an hour or two, and goes on where it was interrupted"
	@echo "make clean    remove .venv and everything that was made"

demo: $(VENV)/.run
	@$(PY) examples/demo.py

# Both gates are always shown; the first that fails is what make reports.
test: $(VENV)/.dev
	$(PY) -m coverage erase
	$(PY) -m pytest --numprocesses=2 --dist=loadfile --cov --cov-report=
	@core=0; adapter=0; \
	echo; echo "== coverage of the core: 100 % of the branches"; \
	$(PY) -m coverage report --include='sansio_http/*' --fail-under=100 || core=$$?; \
	echo; echo "== coverage of the adapter: at least 90 %"; \
	$(PY) -m coverage report --include='sansio_http_anyio/*' --fail-under=90 || adapter=$$?; \
	[ $$core -eq 0 ] || { echo "FAILED: the core is not covered in full" >&2; exit 1; }; \
	[ $$adapter -eq 0 ] || { echo "FAILED: the adapter is covered by less than 90 %" >&2; exit 1; }; \
	echo; echo "== tests and both coverage gates passed"

lint: $(VENV)/.dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy $(CHECKED)
	$(PY) -m pyright
	$(VENV)/bin/lint-imports
	$(PY) docs/generate_api.py --check
	@echo "== lint passed"

format: $(VENV)/.dev
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

docs: $(VENV)/.dev
	$(PY) docs/generate_api.py

# A name that starts with an underscore is imported by the others.
bench: $(VENV)/.bench
	@set -e; for script in benchmarks/[!_]*.py; do \
	  case $$script in */small_requests.py) figures="--json benchmarks/results/small_requests.json";; *) figures=;; esac; \
	  echo "== $$script"; $(PY) "$$script" $$figures; \
	done
	@$(PY) docs/draw_benchmarks.py
	@echo "== docs/benchmarks.svg drawn anew"

mutants: $(VENV)/.dev
	@$(PY) tests/mutants/run.py

mutation: $(VENV)/.mutation
	@$(PY) tests/mutants/mutation.py
	@$(PY) tests/mutants/rows_and_defaults.py

clean:
	rm -rf $(VENV) mutants build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment, in layers: .made (the interpreter), .run (what a user installs), .dev (the gate), .bench (the others),
# .mutation (the tool that changes the code).

$(VENV)/.made:
	@set -e; found=; \
	for candidate in $(CANDIDATES); do \
	  if "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	  then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.11 or later with venv and ensurepip among: $(CANDIDATES)." >&2; \
	  echo "Name one with: make PYTHON=/path/to/python3.11 $(or $(MAKECMDGOALS),help)" >&2; exit 1; \
	fi; \
	echo "== $(VENV): made by $$("$$found" --version)"; \
	"$$found" -m venv --clear $(VENV); \
	echo "$(CURDIR)" >$@

$(VENV)/.run: $(VENV)/.made pyproject.toml
	@echo "== $(VENV): what the library needs, and trio"
	@$(PIP) --editable '.[trio]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "== $(VENV): what the gate needs"
	@$(PIP) --editable '.[dev,trio]'
	@touch $@

$(VENV)/.bench: $(VENV)/.run
	@echo "== $(VENV): what the benchmarks compare with"
	@$(PIP) --editable '.[bench,trio]'
	@touch $@

$(VENV)/.mutation: $(VENV)/.dev
	@echo "== $(VENV): what changes the code"
	@$(PIP) --editable '.[dev,mutation,trio]'
	@touch $@

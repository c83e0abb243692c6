# Every target makes what it needs in .venv; nothing outside this folder is touched.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test test-fast check

# Made anew when the dependencies change. seqeval is built here; older pips would do that in a way that can fail.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 -e '.[dev]'
	touch $@

# The main job on the embedded model and data.
quickstart: .venv/installed
	$(BIN)/autoft search search_spaces/quickstart.yaml

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What needs no search, no server, no pretrained model and no kills, for a change at hand.
test-fast: .venv/installed
	$(BIN)/pytest --numprocesses 2 tests/spec tests/data tests/report tests/study \
	  --ignore tests/study/ray_tune --ignore tests/report/test_check.py --ignore tests/report/page/test_browser.py \
	  -k "not killed_at_any_write and not others_ended_while"

# Everything.
test: check
	$(BIN)/pytest --numprocesses 2 --durations 25

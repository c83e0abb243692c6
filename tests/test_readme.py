"""What the README, the docs and the docstrings show is run, so that it stays true."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import autoft
from autoft.spec.read import read_spec

from .main_job import REPOSITORY, SPACE, run_from_the_start

README = (REPOSITORY / "README.md").read_text()
PAGES = {page.name: page.read_text() for page in sorted((REPOSITORY / "docs").glob("*.md"))}


def blocks(language):
    """Of the README, then of the pages of docs/ by name."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return [block for page in (README, *PAGES.values()) for block in pattern.findall(page)]


def modules():
    found = pkgutil.walk_packages(autoft.__path__, "autoft.")
    return [module.name for module in found if module.name != "autoft.__main__"]


@pytest.mark.parametrize("name", ["autoft", *modules()])
def test_docstring_examples_run(name, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_there_are_docstring_examples():
    finder = doctest.DocTestFinder()
    tests = [test for name in modules() for test in finder.find(importlib.import_module(name))]
    assert sum(len(test.examples) for test in tests) >= 10


def test_the_spaces_in_the_docs_are_read(tmp_path):
    first, *spaces = [text for text in blocks("yaml") if "task:" in text]
    path = tmp_path / "quickstart.yaml"
    path.write_text(first)
    quickstart = read_spec(SPACE)
    assert (
        replace(read_spec(path), base=quickstart.base, data=quickstart.data) == quickstart
    )  # whose output is shown
    assert len(spaces) == 2
    for text in spaces:
        path.write_text(text)
        assert read_spec(path).budget.trials == 60
    whole = spaces[1]
    for text in blocks("yaml"):
        if text.startswith("resources:"):
            path.write_text(re.sub(r"^resources:.*\n", text, whole, flags=re.MULTILINE))
            assert read_spec(path).resources != read_spec({"study": "x", **minimal()}).resources


def minimal():
    return {
        "task": "text-classification",
        "model": "org/name",
        "data": {"path": "x.csv", "inputs": "a", "target": "b"},
        "objective": "accuracy",
        "budget": {"trials": 1},
    }


def test_the_python_of_the_docs_runs(searched):
    folder, _ = searched
    script = folder / "docs.py"
    script.write_text("\n".join(blocks("python")) + "\nprint(result.study, set(result.trials['state']))\n")
    done = subprocess.run(
        [sys.executable, str(script)], cwd=folder, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("macro_f1 0.") == 3  # the README's, and twice of docs/python.md
    assert "'label': " in done.stdout
    assert re.search(r"from-python \{.*'COMPLETE'", done.stdout)


def test_the_commands_of_the_docs_exist(workdir):
    commands = set(re.findall(r"`autoft (\w+)", README + "".join(PAGES.values())))
    helped = run_from_the_start(workdir, "--help").out
    assert commands >= {"check", "search", "best", "show", "ui", "explain", "schema"}
    assert all(f" {command} " in helped for command in commands)


def test_the_output_that_is_shown_is_of_this_version(searched):
    """What follows the trials' lines in the README is worded as the program words it."""
    _, ran = searched
    shown = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    example = next(text for language, text in shown if not language and "champion" in text)
    for start in (
        "Study quickstart: ",
        "champion   trial ",
        "model      models:/quickstart/",
        "report     studies/quickstart/report.html",
        "baseline   frozen, ",
        "On the sealed test (",
    ):
        assert (f"\n{start}" in example, f"\n{start}" in ran.out) == (True, True)


def test_the_file_map_is_true():
    paths = re.findall(r"`((?:autoft|search_spaces|experiments|tests)/[\w/.]*)`", README)
    assert len(paths) >= 9
    assert [path for path in paths if not Path(REPOSITORY, path).exists()] == []


def test_links_lead_to_files():
    for folder, text in [(REPOSITORY, README), *((REPOSITORY / "docs", page) for page in PAGES.values())]:
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
        assert [link for link in links if not (folder / link).exists()] == []
    assert set(PAGES) == set(re.findall(r"\(docs/([\w.]+)\)", README))


def test_the_readme_is_short():
    assert README.count("\n") < 150

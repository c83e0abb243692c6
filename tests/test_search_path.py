"""Files of the working directory that have the name of a library."""

import os
import subprocess
import sys

import pytest

from autoft import search_path


def python(folder, *arguments, **environment):
    environment = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, env=environment, check=False
    )


def test_the_command_imports_nothing_from_the_working_directory(tmp_path):
    for name in ("typer", "typing", "autoft_is_not_here", "difflib"):
        (tmp_path / f"{name}.py").write_text('raise RuntimeError("mine")\n')
    own = os.path.dirname(os.path.dirname(search_path.__file__))
    for path in (own, f"{own}:", f".:{own}", f"{own}:{tmp_path}"):
        done = python(tmp_path, "-m", "autoft", "explain", "learning_rate", PYTHONPATH=path)
        assert (done.returncode, done.stderr) == (0, "")


def test_where_a_program_hides_a_library_from_itself_the_file_is_named(tmp_path):
    (tmp_path / "optuna.py").write_text("mine = True\n")
    (tmp_path / "fine.py").write_text("mine = True\n")
    (tmp_path / "program.py").write_text("import autoft, fine\nautoft.search({})\n")
    done = python(tmp_path, "program.py")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("autoft.errors.AutoftError: a library cannot be imported (")
    assert last.endswith(f"hide installed modules of the same name: {tmp_path}/optuna.py; rename them")


def test_a_program_keeps_its_own_search_path(tmp_path):
    (tmp_path / "fine.py").write_text("mine = True\n")
    program = "import autoft, sys; from fine import mine; print(sys.path[0] == '')"
    assert python(tmp_path, "-c", program).stdout == "True\n"


def test_a_checkout_of_autoft_itself_comes_last(monkeypatch):
    own = os.path.dirname(os.path.dirname(search_path.__file__))
    monkeypatch.chdir(own)
    assert search_path.without_working_directory(["", "/lib", own]) == ["/lib", os.path.realpath(own)]
    monkeypatch.chdir("/")
    assert search_path.without_working_directory(["", "/lib", own]) == ["/lib", own]


@pytest.mark.parametrize("argv", [["autoft", "check"], ["/usr/bin/autoft"]])
def test_the_command_knows_itself(argv, monkeypatch):
    monkeypatch.setattr(sys, "argv", argv)
    assert search_path.is_command()
    monkeypatch.setattr(sys, "argv", ["train.py"])
    assert not search_path.is_command()

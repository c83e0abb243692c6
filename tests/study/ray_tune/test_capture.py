"""Everything that a process prints is in the file, and what it prints later is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoft.study.ray_tune.capture import Capture


def test_python_libraries_and_children_are_captured(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    os.write(1, b"before\n")
    capture = Capture(tmp_path / "logs/trial.log")
    os.write(1, b"one\n")
    os.write(2, b"two\n")
    subprocess.run(["echo", "three"], check=True)
    assert capture.news() == b"one\ntwo\nthree\n"
    assert capture.news() == b""
    os.write(1, b"four\n")
    assert capture.news() == b"four\n"
    capture.close()
    capture.close()
    os.write(1, b"after\n")
    sys.stdout.flush()
    assert (tmp_path / "logs/trial.log").read_text() == "one\ntwo\nthree\nfour\n"
    assert capfd.readouterr().out == "before\nafter\n"


def test_a_second_attempt_writes_behind_the_first(tmp_path: Path) -> None:
    for text in (b"first\n", b"second\n"):
        capture = Capture(tmp_path / "trial.log")
        os.write(1, text)
        capture.close()
    assert (tmp_path / "trial.log").read_text() == "first\nsecond\n"

"""Output that goes away, with real pipes and files."""

import io
import logging
import os
import pty
import subprocess
import sys

import pytest

from autoft.screen import Screen

from . import warm
from .main_job import TIMEOUT_S, run, search_words, small_model

PRINTS = """
import sys
from autoft import quiet, screen
screen.open_closed_streams()
screen.protect()
from pathlib import Path
quiet.log_to(Path("autoft.log"))
console = screen.console()
if sys.stdin:
    sys.stdin.readline()  # until the other end is gone
for number in range(3):
    console.print(f"line {number}")
Path("opened-later").open("w").close()
print("a library's word", flush=True)
sys.exit(7)
"""


def printing(folder, redirected, **streams):
    """A process that prints when it is told to, and ends with 7."""
    command = ["sh", "-c", f'exec "$0" -c "$1" {redirected}', sys.executable, PRINTS]
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **streams
    )


def logged(folder):
    (line,) = (folder / "autoft.log").read_text().splitlines()
    assert line.endswith("The search continues without a screen; `autoft show` tells what was found")
    return line


@pytest.mark.parametrize(
    ("redirected", "reason"),
    [
        (">/dev/full", "nothing can be printed any more: No space left on device."),
        (">&-", "nothing can be printed: standard output is closed."),
        ("<&- >&- 2>&-", "nothing can be printed: standard output is closed."),
    ],
)
def test_what_cannot_be_printed_is_left_out_and_the_log_says_why_once(tmp_path, redirected, reason):
    process = printing(tmp_path, redirected)
    out, err = process.communicate("go\n", timeout=60)
    assert (process.returncode, out, err) == (7, None, "")
    assert reason in logged(tmp_path)
    assert (tmp_path / "opened-later").read_text() == ""  # it has not become the standard output


def test_a_pipe_that_is_closed_ends_nothing(tmp_path):
    process = printing(tmp_path, "", stdout=subprocess.PIPE)
    process.stdout.close()
    process.stdin.write("go\n")
    process.stdin.close()
    assert (process.wait(60), process.stderr.read()) == (7, "")
    assert "nothing can be printed any more: Broken pipe." in logged(tmp_path)


def test_a_terminal_that_is_gone_ends_nothing(tmp_path):
    terminal, other_end = pty.openpty()
    process = printing(tmp_path, "", stdout=other_end)
    os.close(other_end)
    os.close(terminal)
    process.stdin.write("go\n")
    process.stdin.close()
    assert (process.wait(60), process.stderr.read()) == (7, "")
    assert "nothing can be printed any more: Input/output error." in logged(tmp_path)


def test_what_was_printed_on_a_full_disk_appears_when_there_is_room():
    class Full(io.RawIOBase):
        full, taken = True, b""

        def writable(self):
            return True

        def write(self, content):
            if self.full:
                raise OSError(28, "No space left on device")
            self.taken += bytes(content)
            return len(content)

    disk = Full()
    screen = Screen(io.TextIOWrapper(io.BufferedWriter(disk), encoding="utf-8"))
    screen.write("first\n")
    screen.flush()
    disk.full = False
    screen.write("second\n")
    screen.flush()
    assert disk.taken == b"first\nsecond\n"


def test_characters_that_the_stream_does_not_have_are_replaced(caplog):
    caplog.set_level(logging.WARNING)
    buffer = io.BytesIO()
    screen = Screen(io.TextIOWrapper(buffer, encoding="ascii"))
    screen.write("best 0.7 · 1 of 4")
    screen.flush()
    assert buffer.getvalue() == b"best 0.7 ? 1 of 4"
    assert not caplog.records


def test_a_search_whose_reader_leaves_runs_to_its_end_and_registers_the_winner(tmp_path):
    """`autoft search ... | head -1`"""
    pipe, err = tmp_path / "pipe", tmp_path / "err"
    os.mkfifo(pipe)
    words = search_words(small_model(), "budget.trials=2", "search.pruner=none")
    search = warm.Command(words, tmp_path, pipe, err)
    with pipe.open() as reader:
        assert reader.readline().startswith("cache: ")
    assert (search.wait(TIMEOUT_S), err.read_text()) == (0, "")
    assert run(tmp_path, "show", "quickstart").out.count("complete") == 2
    best = run(tmp_path, "best", "quickstart").out
    assert ("models:/quickstart/1" in best, "None" in best) == (True, False)
    log = (tmp_path / "studies" / "quickstart" / "autoft.log").read_text()
    assert log.count("nothing can be printed any more: Broken pipe.") == 1

"""What the start of a session says of the hidden states that the study keeps."""

import io
import logging

from rich.console import Console

from autoft.kernel.boundary.plan import Boundary, CachePlan
from autoft.report.cache_lines import kept, tell

KEPT = (
    Boundary("./m", 64, boundary=4, layout="ragged", shape=(384,), bytes=27_000_000),
    Boundary("./m", 64, boundary=6, layout="first", shape=(1, 384), bytes=1_200_000),
)
NOTE = "nothing at depth all: the embeddings are trained"


def told(plan):
    text = io.StringIO()
    tell(plan, Console(file=text, width=60))
    return text.getvalue().splitlines()


def test_the_screen_has_one_line_and_the_log_has_every_boundary(caplog):
    caplog.set_level(logging.INFO)
    line = f"cache: 28.2 MB of hidden states, computed once at 2 boundaries; {NOTE}"
    assert told(CachePlan(KEPT, (NOTE,))) == [line]
    assert caplog.messages == [
        "cache: 28.2 MB of hidden states, computed once",
        "cache: ./m, max_length 64: 27 MB, whole rows, after block 4",
        "cache: ./m, max_length 64: 1.2 MB, the first token of a row, after block 6",
        f"cache: {NOTE}",
    ]


def test_it_is_said_what_is_kept_of_a_row():
    images = Boundary("./m", 64, 6, layout="mean", shape=(32, 1, 1), bytes=1_200_000)
    assert kept(images) == "1.2 MB, the mean of a row, after block 6"
    decoder = Boundary("./m", 64, 8, layout="ragged", shape=(768,), bytes=54_000_000, encoder=6)
    assert kept(decoder) == "54 MB, whole rows, after block 8, and after block 6, the encoder's last"


def test_a_cache_that_is_off_says_why():
    off = CachePlan(notes=("resources.cache is 0",))
    assert told(off) == ["cache: no hidden states are kept; resources.cache is 0"]


def test_a_difference_that_was_found_is_a_warning_on_the_screen_once_and_in_the_log(caplog):
    caplog.set_level(logging.INFO)
    warning = "nothing at depth 1: a row's states depend on how far its batch is padded"
    lines = told(CachePlan(KEPT[1:], (NOTE,), (warning,)))
    assert lines[1:] == [f"cache: WARNING: {warning}"]
    assert (logging.INFO, f"cache: WARNING: {warning}") in [(r.levelno, r.message) for r in caplog.records]

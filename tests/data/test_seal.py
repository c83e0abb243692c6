import json
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from autoft.data.prepare import examine
from autoft.data.seal import OPENINGS_FILE, move, open_test, openings, times_opened
from autoft.spec.study import DataSpec, SplitSpec

from .prepared import RULES

FRAME = pd.DataFrame({"text": [f"message {i}" for i in range(40)], "queue": ["a", "b"] * 20})


def test_every_opening_is_on_record_and_preparing_again_forgets_none(tmp_path):
    spec = DataSpec(inputs=("text",), target="queue")
    rows = examine(spec, RULES, {"train": FRAME})
    rows.seal(tmp_path)
    assert openings(tmp_path) == ()
    assert len(open_test(tmp_path, "final score")) == 6  # 15 % of 40
    rows.seal(tmp_path)
    open_test(tmp_path, "a look")
    first, second = openings(tmp_path)
    assert (first.reason, second.reason) == ("final score", "a look")
    assert first.digest == rows.digest
    assert first.opened <= second.opened <= datetime.now(UTC)


def test_what_was_sealed_elsewhere_before_moves_with_its_openings(tmp_path):
    rows = examine(DataSpec(inputs=("text",), target="queue"), RULES, {"train": FRAME})
    before, after = tmp_path / "data", tmp_path / "sealed"
    rows.seal(before)
    open_test(before, "a look")
    for _ in range(2):
        move(before, after)
        rows.seal(after)
    assert list(before.iterdir()) == []
    open_test(after, "another")
    assert [each.reason for each in openings(after)] == ["a look", "another"]


def test_an_opening_needs_a_reason(tmp_path):
    with pytest.raises(ValueError, match="reason"):
        open_test(tmp_path, " ")
    assert openings(tmp_path) == ()


SPEC = DataSpec(inputs=("text",), target="queue")
MANY = pd.DataFrame({"text": [f"message {i}" for i in range(900)], "queue": ["a", "b", "c"] * 300})


def opened(root, name, frames, spec=SPEC):
    """The test rows of a study that opens them."""
    examine(spec, RULES, frames).seal(root / name)
    return open_test(root / name, "verdict")


def test_the_same_test_rows_are_counted_on_whatever_is_corrected(tmp_path):
    """The loop that the report invites: a suspect's label is corrected, and the search begins anew."""
    opened(tmp_path, "first", {"train": MANY})
    corrected = MANY.assign(queue=["b", *MANY["queue"][1:]])
    assert times_opened(tmp_path, opened(tmp_path, "second", {"train": corrected})) == 2
    test = pd.DataFrame({"text": [f"held out {i}" for i in range(30)], "queue": ["a", "b"] * 15})
    assert times_opened(tmp_path, opened(tmp_path, "files", {"train": MANY, "test": test})) == 1
    relabeled = {"train": MANY.iloc[:-1], "test": test.iloc[::-1].assign(queue=["b", "a"] * 15)}
    assert times_opened(tmp_path, opened(tmp_path, "files-2", relabeled)) == 2


def test_a_test_of_mostly_other_rows_is_another_one(tmp_path):
    opened(tmp_path, "first", {"train": MANY})
    other = replace(SPEC, split=SplitSpec(seed=14))  # 15 % of 15 % are in both by chance
    assert times_opened(tmp_path, opened(tmp_path, "second", {"train": MANY}, other)) == 1


def test_openings_of_before_the_rows_were_kept_count_by_the_digest_of_all_data(tmp_path):
    rows = opened(tmp_path, "first", {"train": MANY})
    log = tmp_path / "first" / OPENINGS_FILE
    entry = json.loads(log.read_text())
    del entry["sketch"]
    log.write_text(json.dumps(entry) + "\n" + json.dumps({**entry, "digest": "of other data"}) + "\n")
    assert times_opened(tmp_path, rows) == 1
    opened(tmp_path, "second", {"train": MANY})
    assert times_opened(tmp_path, rows) == 2

from datetime import UTC, datetime

import pandas as pd
import pytest

from autoft.data.prepare import examine
from autoft.data.seal import move, open_test, openings
from autoft.spec.study import DataSpec

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

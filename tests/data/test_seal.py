from datetime import UTC, datetime

import pandas as pd
import pytest

from autoft.data.prepare import prepare
from autoft.data.seal import open_test, openings
from autoft.spec.study import DataSpec

FRAME = pd.DataFrame({"text": [f"message {i}" for i in range(40)], "queue": ["a", "b"] * 20})


def test_every_opening_is_on_record_and_preparing_again_forgets_none(tmp_path):
    spec = DataSpec(inputs=("text",), target="queue")
    data = prepare(spec, tmp_path, {"train": FRAME})
    assert openings(tmp_path) == ()
    assert len(open_test(tmp_path, "final score")) == 6  # 15 % of 40
    prepare(spec, tmp_path, {"train": FRAME})
    open_test(tmp_path, "a look")
    first, second = openings(tmp_path)
    assert (first.reason, second.reason) == ("final score", "a look")
    assert first.digest == data.digest
    assert first.opened <= second.opened <= datetime.now(UTC)


def test_an_opening_needs_a_reason(tmp_path):
    with pytest.raises(ValueError, match="reason"):
        open_test(tmp_path, " ")
    assert openings(tmp_path) == ()

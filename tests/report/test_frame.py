from autoft.report.frame import frame

from .records import trial


def test_the_frame_has_a_row_a_trial_and_is_empty_without_any():
    rows = frame([trial(0), trial(1, "FAIL", values=(), reason="boom", unfreeze_depth=2)])
    assert list(rows["state"]) == ["COMPLETE", "FAIL"]
    assert list(rows.columns) == [
        "number", "state", "score", "duration_s", "reason", "learning_rate", "unfreeze_depth",
    ]  # fmt: skip
    assert frame([]).empty

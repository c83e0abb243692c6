import pytest

from autoft.report import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.4, "0 s"),
        (89, "89 s"),
        (91, "2 min"),
        (5 * 3600 + 61, "5 h 01 min"),
        (7200, "2 h 00 min"),
    ],
)
def test_durations_are_written_in_the_unit_one_would_say(seconds, text):
    assert words.duration(seconds) == text


def test_numbers_keep_four_digits_and_scores_line_up():
    assert (words.number(0.00012345), words.number(None)) == ("0.0001234", "-")
    assert (words.score(0.9), words.score(None)) == ("0.9000", "-")


def test_parameters_read_as_one_would_type_them():
    assert words.parameters({"learning_rate": 3e-4, "unfreeze_depth": "all"}) == (
        "learning_rate=0.0003 unfreeze_depth=all"
    )


def test_counts_know_their_plural():
    assert [words.count(n, "trial") for n in (0, 1, 1204)] == ["0 trials", "1 trial", "1,204 trials"]

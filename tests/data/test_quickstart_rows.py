"""The promises of search_spaces/quickstart.NOTICE.md."""

import csv
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "search_spaces"


@pytest.fixture(scope="module")
def messages():
    with (FOLDER / "quickstart.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_counts_are_those_of_the_notice(messages):
    notice = (FOLDER / "quickstart.NOTICE.md").read_text(encoding="utf-8")
    promised = {queue: int(n) for queue, n in re.findall(r"^\| ([a-z]+) \| (\d+) \|", notice, re.MULTILINE)}
    assert len(promised) == 9
    assert Counter(message["queue"] for message in messages) == promised
    assert f"{len(messages)} short messages" in notice
    urgencies = dict(re.findall(r"^\| ([1-5]) \| (\d+) \|", notice, re.MULTILINE))
    assert len(urgencies) == 5
    assert Counter(message["urgency"] for message in messages) == {k: int(n) for k, n in urgencies.items()}


def test_no_two_messages_share_half_of_their_words(messages):
    words = [frozenset(re.findall(r"\w+", message["text"].lower())) for message in messages]
    assert all(words)
    assert max(len(a & b) / len(a | b) for a, b in combinations(words, 2)) <= 0.5

from collections.abc import Callable

import pytest

from autoft.study.records import StudyInfo
from autoft.tracking import runs, store, tags
from autoft.tracking.projection import Projection

from .conftest import make_trial


def test_search_reads_every_page(
    uri: str, study: str, make_info: Callable[..., StudyInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_PAGE", 2)
    client = store.connect(uri)
    place = store.experiment_id(client, study)
    projection = Projection.open(client, place, make_info(), "id-1")
    for number in range(5):
        projection.project(make_trial(number, "RUNNING", ()))
    found = runs.search(client, [place], runs.has(STUDY=study, ROLE="trial"))
    assert sorted(run.data.tags[tags.TRIAL] for run in found) == list("01234")


def test_nothing_is_found_in_no_experiment(sqlite: str) -> None:
    assert list(runs.search(store.connect(sqlite), [], runs.has(ROLE="study"))) == []

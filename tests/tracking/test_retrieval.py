from collections.abc import Callable
from pathlib import Path

import pytest

from autoft.errors import StudyError
from autoft.study.records import StudyInfo, TrialRecord
from autoft.tracking import loading, retrieval, store, tags
from autoft.tracking.projection import Projection

from .conftest import make_trial


@pytest.fixture
def publish(uri: str, make_info: Callable[..., StudyInfo]) -> Callable[..., Projection]:
    def write(trials: list[TrialRecord], study_id: str = "id-1", **changed: object) -> Projection:
        info = make_info(**changed)
        client = store.connect(uri)
        projection = Projection.open(client, store.experiment_id(client, info.name), info, study_id)
        for trial in trials:
            projection.project(trial)
        projection.conclude(trials, None)
        return projection

    return write


def test_best_needs_the_name_and_the_address_only(
    uri: str, study: str, publish: Callable[..., Projection]
) -> None:
    params = {"learning_rate": 1e-05 / 3, "unfreeze_depth": 2, "model": "2"}
    projection = publish(
        [make_trial(0), make_trial(1, scores=(0.75, 0.7), params=params), make_trial(2, "PRUNED", (0.9,))]
    )
    best = retrieval.best(study, uri)
    assert best.to_dict() == {
        "study": study,
        "params": params,  # numbers are numbers again, to the last digit
        "metric": "macro_f1",
        "value": 0.75,
        "trial": 1,
        "run_id": projection.trials[1].run_id,
        "model_uri": None,
        "values": {"learning_rate": 3e-05, "unfreeze_depth": "all", "batch_size": 32},  # make_trial's
        "confirmation": None,
        "refit": None,
        "test": None,
    }


def test_a_run_that_does_not_tell_every_value_has_the_searched_ones(
    uri: str, study: str, publish: Callable[..., Projection]
) -> None:
    projection = publish([make_trial(0)])
    store.connect(uri).delete_tag(projection.trials[0].run_id, tags.VALUES)
    best = retrieval.best(study, uri)
    assert best.values == best.params == {"learning_rate": 3e-05, "unfreeze_depth": "all"}


def test_of_equals_the_earliest_wins_also_past_nine(
    uri: str, study: str, publish: Callable[..., Projection]
) -> None:
    publish([make_trial(number, scores=(0.5,)) for number in (10, 9, 2)])
    assert retrieval.best(study, uri).trial == 2


def test_lower_is_better_where_the_metric_says_so(
    uri: str, study: str, publish: Callable[..., Projection]
) -> None:
    trials = [make_trial(0, scores=(0.5,)), make_trial(1, scores=(0.2,)), make_trial(2, scores=(0.9,))]
    publish(trials, direction="minimize")
    assert retrieval.best(study, uri).trial == 1


def test_newest_of_two_studies_with_one_name_counts(
    uri: str, study: str, publish: Callable[..., Projection]
) -> None:
    publish([make_trial(0, scores=(0.9,))], "old")
    publish([make_trial(0, scores=(0.3,))], "new")
    assert retrieval.best(study, uri).value == 0.3


def test_unknown_study_is_answered_with_the_known_ones(
    uri: str, study: str, publish: Callable[..., Projection]
) -> None:
    publish([])
    with pytest.raises(
        StudyError, match=rf"no study '{study}x' in .*, did you mean '{study}'\? \(studies there: "
    ):
        retrieval.best(f"{study}x", uri)
    with pytest.raises(StudyError, match="no study"):
        retrieval.best("it's", uri)


def test_empty_store_says_so(sqlite: str) -> None:
    with pytest.raises(StudyError, match="there is no study there yet"):
        retrieval.best("x", sqlite)


@pytest.mark.parametrize("read", [retrieval.best, loading.load_best_model])
def test_reading_makes_no_store(
    read: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(
        StudyError, match=r"no MLflow store at sqlite:////.*/mlflow\.db, so there is no study"
    ):
        read("nope")
    assert list(tmp_path.iterdir()) == []


def test_study_without_a_winner_says_so(uri: str, study: str, publish: Callable[..., Projection]) -> None:
    publish([make_trial(0, "FAIL", ())])
    with pytest.raises(StudyError, match="no complete trial"):
        retrieval.best(study, uri)


def test_model_that_is_not_registered_yet_is_an_error_with_a_way_out(
    uri: str, study: str, publish: Callable[..., Projection]
) -> None:
    publish([make_trial(0)])
    with pytest.raises(StudyError, match=r"\(0\) is not registered yet; run `autoft search` again"):
        loading.load_best_model(study, uri)


def test_environment_tells_the_address(
    sqlite: str, study: str, make_info: Callable[..., StudyInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = store.connect(sqlite)
    projection = Projection.open(client, store.experiment_id(client, study), make_info(), "id")
    projection.project(make_trial(0))
    projection.conclude([make_trial(0)], None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite)
    assert retrieval.best(study).trial == 0

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from autoft.study.records import StudyInfo, TrialRecord
from autoft.tracking import recorder, runs, store, tags
from autoft.tracking.projection import Projection
from autoft.tracking.recorder import Recorder

from .conftest import make_trial

WAIT_S = 60.0


@pytest.fixture
def record(
    study: str, make_info: Callable[..., StudyInfo]
) -> Callable[[str, dict[int, TrialRecord]], Recorder]:
    def start(uri: str, trials: dict[int, TrialRecord]) -> Recorder:
        return Recorder(uri, study, "id-1", make_info, trials.__getitem__, calm_s=0.01, longest_pause_s=0.01)

    return start


def _states(client: MlflowClient, study: str) -> dict[int, tuple[str, str]]:
    found = runs.search(client, runs.every_experiment(client), runs.has(STUDY=study, ROLE="trial"))
    return {int(run.data.tags[tags.TRIAL]): (run.data.tags[tags.STATE], run.info.status) for run in found}


def test_search_is_published_while_it_runs(uri: str, study: str, record: Callable[..., Recorder]) -> None:
    trials = {0: make_trial(0, "RUNNING", (0.2,)), 1: make_trial(1, "RUNNING", ())}
    watching = record(uri, trials)
    watching.started(0)
    watching.started(1)
    assert watching.flush(WAIT_S) is None
    client = store.connect(uri)
    assert _states(client, study) == {0: ("RUNNING", "RUNNING"), 1: ("RUNNING", "RUNNING")}
    trials |= {0: make_trial(0), 1: make_trial(1, "PRUNED", (0.1,))}
    watching.measured(0, trials[0].measurements[-1])
    watching.finished(0)
    watching.finished(1)
    watching.registered("models:/x/1")
    assert watching.close(WAIT_S) is None
    assert _states(client, study) == {0: ("COMPLETE", "FINISHED"), 1: ("PRUNED", "KILLED")}
    parent = runs.parents(client, study)[0]
    assert parent.info.status == "FINISHED"
    assert parent.data.tags[tags.MODEL_URI] == "models:/x/1"
    assert 'load_model("models:/x/1")' in parent.data.tags[tags.NOTE]
    assert "2 trials: 1 complete, 1 pruned." in parent.data.tags[tags.NOTE]


def test_the_latest_report_is_an_artifact_of_the_study(
    sqlite: str, study: str, record: Callable[..., Recorder], tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    watching = record(sqlite, {})
    for text in ("as it was", "as it is"):
        page.write_text(text)
        watching.reported(page)
        assert watching.flush(WAIT_S) is None
    assert watching.close(WAIT_S) is None
    client = store.connect(sqlite)
    (parent,) = runs.parents(client, study)
    copy = client.download_artifacts(parent.info.run_id, "report.html", str(tmp_path / "copy"))
    assert Path(copy).read_text() == "as it is"


def test_study_without_trials_has_its_parent(
    sqlite: str, study: str, record: Callable[..., Recorder]
) -> None:
    assert record(sqlite, {}).close(WAIT_S) is None
    assert len(runs.parents(store.connect(sqlite), study)) == 1


def test_server_that_comes_back_gets_everything(
    sqlite: str, study: str, record: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    back = threading.Event()
    connect = store.connect

    def flaky(uri: str | None) -> MlflowClient:
        tries.append(1)
        if len(tries) == 3:
            back.set()
        if not back.is_set():
            raise ConnectionError("connection refused")
        return connect(uri)

    monkeypatch.setattr(recorder.store, "connect", flaky)
    watching = record(sqlite, {number: make_trial(number) for number in range(3)})
    watching.catch_up(range(3))
    assert watching.close(WAIT_S) is None
    assert len(tries) >= 3
    assert set(_states(connect(sqlite), study)) == {0, 1, 2}


def test_request_that_arrived_but_was_not_answered_makes_no_second_run(
    sqlite: str, study: str, record: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    create = MlflowClient.create_run
    lost: list[str] = []

    def create_and_lose_the_answer(client: MlflowClient, *args: object, **kwargs: object) -> object:
        made = create(client, *args, **kwargs)  # type: ignore[arg-type]
        if len(lost) < 2:  # the parent's, then the trial's
            lost.append(made.info.run_id)
            raise TimeoutError("read timed out")
        return made

    monkeypatch.setattr(MlflowClient, "create_run", create_and_lose_the_answer)
    watching = record(sqlite, {0: make_trial(0)})
    watching.finished(0)
    assert watching.close(WAIT_S) is None
    client = store.connect(sqlite)
    assert {run.info.run_id for run in client.search_runs(runs.every_experiment(client))} == set(lost)


def test_what_a_dead_server_did_not_take_is_named(record: Callable[..., Recorder]) -> None:
    watching = record("http://me:s3cret@127.0.0.1:1", {4: make_trial(4), 7: make_trial(7)})
    watching.catch_up([4, 7])
    warning = watching.close(0.1)
    assert warning is not None
    assert "the record of 2 trials (4, 7)" in warning and "run the same command again" in warning
    assert "s3cret" not in warning


@pytest.mark.parametrize("while_it_moves", [True, False])
def test_it_waits_for_a_slow_server_as_long_as_that_takes_one_trial_after_the_other(
    while_it_moves: bool, sqlite: str, record: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = {number: make_trial(number) for number in range(8)}
    watching = record(sqlite, trials)
    assert watching.flush(WAIT_S) is None
    # Only sleeping: how fast this machine writes to MLflow does not decide what is waited for.
    monkeypatch.setattr(Projection, "project", lambda projection, trial: time.sleep(0.4))
    monkeypatch.setattr(Projection, "conclude", lambda projection, trials, model_uri: None)
    watching.catch_up(trials)
    warning = watching.flush(2.0, while_it_moves=while_it_moves)
    assert (warning is None) == while_it_moves
    assert watching.close(WAIT_S) is None


def test_trial_that_the_server_refuses_does_not_hold_up_the_others(
    sqlite: str, study: str, record: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Projection.project

    def refuse_one(projection: Projection, trial: TrialRecord) -> None:
        if trial.number == 0:
            raise MlflowException.invalid_parameter_value("Changing param values is not allowed")
        project(projection, trial)

    monkeypatch.setattr(Projection, "project", refuse_one)
    watching = record(sqlite, {0: make_trial(0), 1: make_trial(1)})
    watching.catch_up([0, 1])
    warning = watching.close(WAIT_S)
    assert warning is not None
    assert "the record of trial 0: Changing param values is not allowed" in warning
    assert set(_states(store.connect(sqlite), study)) == {1}

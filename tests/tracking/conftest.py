"""A MLflow database made once, a real MLflow server on 127.0.0.1, and trials as the study records them."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autoft.kernel.measurement import Measurement
from autoft.study.records import StudyInfo, TrialRecord
from autoft.tracking import ui

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def sqlite(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """MLflow's default store in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture(scope="session")
def server(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real `mlflow server` with one worker, which passes artifacts on."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_database, folder / "mlflow.db")
    with chdir(folder):  # its artifacts go to the folder it is started in
        process, url = ui.start(f"sqlite:///{folder}/mlflow.db")
    yield url
    ui.stop(process)


@pytest.fixture(params=["sqlite", "server"])
def uri(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test that asks for it runs on a database and over HTTP."""
    monkeypatch.chdir(tmp_path)
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def study(request: pytest.FixtureRequest) -> str:
    """A study name of the test's own: the server is shared."""
    return request.node.name.replace("[", "-").replace("]", "").replace("_", "-")


@pytest.fixture
def make_info(study: str) -> Callable[..., StudyInfo]:
    def make(**changed: object) -> StudyInfo:
        fields: dict[str, object] = {
            "name": study,
            "task": "text-classification",
            "models": ("org/tiny",),
            "objective": "macro_f1",
            "direction": "maximize",
            "fixed": {"batch_size": 32, "lr_schedule": "linear"},
            "data": {"source": "tickets.csv", "digest": "sha256:" + "ab" * 32, "counts": {"train": {"a": 3}}},
            "versions": {"torch": "2.13.0"},
            "text": "objective: macro_f1\n",
        }
        return StudyInfo(**{**fields, **changed})  # type: ignore[arg-type]

    return make


def make_trial(
    number: int,
    state: str = "COMPLETE",
    scores: tuple[float, ...] = (0.2, 0.5, 0.4),
    error: float | None = None,
    **changed: object,
) -> TrialRecord:
    """A trial of one minute that measured `scores` at the steps 10, 20, ..., with this `error` each."""
    began = BEGAN + timedelta(minutes=number)
    over = state != "RUNNING"
    measurements = tuple(
        Measurement(
            index=index,
            fraction=index / len(scores),
            step=10 * index,
            epoch=float(index),
            metrics={"macro_f1": score, "accuracy": score / 2, "train_loss": 1 / index},
            elapsed_s=float(index),
            error=error,
            last=index == len(scores),
        )
        for index, score in enumerate(scores, 1)
    )
    best = max(range(len(scores)), key=scores.__getitem__) if scores else None
    fields: dict[str, object] = {
        "number": number,
        "state": state,
        "params": {"learning_rate": 3e-5, "unfreeze_depth": "all"},
        "values": {"learning_rate": 3e-5, "unfreeze_depth": "all", "batch_size": 32},
        "seed": 1000 + number,
        "measurements": measurements,
        "score": None if best is None else scores[best],
        "best_index": None if best is None else best + 1,
        "reason": None,
        "stop": None,
        "origin": None,
        "traceback": None,
        "node": "node-1",
        "started": began,
        "finished": began + timedelta(minutes=1) if over else None,
        "duration_s": 60.0 if over else None,
        "attempt": 1,
        "micro_batch": None,
        "checkpoint": None,
    }
    return TrialRecord(**{**fields, **changed})  # type: ignore[arg-type]

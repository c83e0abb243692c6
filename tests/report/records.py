"""Records as the study would give them, for what a person looks at."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from autoft.kernel.measurement import Measurement
from autoft.study import tested
from autoft.study.records import StudyInfo, TrialRecord
from autoft.tasks.breakdown import Breakdown

BEGAN = datetime(2026, 1, 1, 20, 0, tzinfo=UTC)


def info(direction="maximize", objective="macro_f1"):
    return StudyInfo(
        name="tickets",
        task="text-classification",
        models=("org/model",),
        objective=objective,
        direction=direction,
        fixed={"epochs": 4},
        data={"rows": {"train": 10}},
        versions={},
        text="study: tickets\n",
    )


def measurement(index, value, of=4, objective="macro_f1"):
    return Measurement(
        index=index,
        fraction=index / of,
        step=10 * index,
        epoch=float(index),
        metrics={objective: value, "train_loss": 1.0},
        elapsed_s=float(index),
        checkpoint=Path(f"checkpoints/{index}"),
        last=index == of,
    )


def trial(
    number,
    state="COMPLETE",
    values=(0.5, 0.7),
    reason=None,
    traceback=None,
    stop=None,
    origin=None,
    **params,
):
    measurements = tuple(measurement(i + 1, value) for i, value in enumerate(values))
    score = max(values, default=None)
    return TrialRecord(
        number=number,
        state=state,
        params={"learning_rate": 1e-4, **params},
        values={"learning_rate": 1e-4, "epochs": 4, **params},
        seed=number,
        measurements=measurements,
        score=score,
        best_index=None if score is None else values.index(score) + 1,
        reason=reason,
        stop=stop,
        origin=origin,
        traceback=traceback,
        node="host",
        started=BEGAN,
        finished=None if state == "RUNNING" else BEGAN.replace(minute=2),
        duration_s=None if state == "RUNNING" else 120.0,
        attempt=1,
        micro_batch=None,
        checkpoint=None,
    )


def on_test(score=0.7, objective="macro_f1", **changes):
    """What the test rows have said of trial 0."""
    winner = tested.Contender("winner", {objective: score}, 0.01)
    found = tested.Tested(
        trial=0, seed=0, refit=False, model_uri="models:/tickets/1", metric=objective, digest=None, rows=80,
        opened=1, contenders=(winner,), breakdown=Breakdown(), objection=None, said="The test rows say so.",
    )  # fmt: skip
    return replace(found, **changes)


def early(ended):
    """The trial, as early stopping has ended it at its last measurement."""
    *before, last = ended.measurements
    return replace(ended, measurements=(*before, replace(last, last=True)))

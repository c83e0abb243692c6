"""A study as a search leaves it, without training: what its trials scored follows from their parameters."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from autoft.judge import answers
from autoft.judge.answers import Answers
from autoft.report.show import ShownStudy
from autoft.spec.space import Choice, Condition, Parameter, Range
from autoft.spec.study import DataSpec, SearchMethod
from autoft.study.baselines import Baseline, write_baselines
from autoft.study.comparison import winner_of
from autoft.study.failure_streak import Failure
from autoft.study.identity import identity_of
from autoft.study.layout import DATA
from autoft.study.records import StudyInfo, read_info, read_trial, read_trials, write_info
from autoft.study.storage import Study, open_study
from autoft.study.tuner import Decision, Tuner

from ...data.prepared import prepare
from ...study.scripted import make_spec, measurement

LABELS = ("bill<b>", "ship", "other")
HOSTILE = "<script>alert(1)</script> & \x1b[31m"
TRIALS, STEPS = 20, 4
SPACE = (
    Parameter("unfreeze_depth", Choice((0, 1, 2, "all"))),
    Parameter("learning_rate", Range(1e-5, 1e-2, integer=False, log=True)),
    Parameter("dropout", Range(0, 0.4, integer=False), (Condition("unfreeze_depth", (0,), negated=True),)),
)


def score_of(params):
    """Best at a learning rate of 3e-4 with two blocks."""
    off = abs(math.log10(params["learning_rate"] / 3e-4))
    return 0.9 - 0.25 * off - (0.0 if params["unfreeze_depth"] == 2 else 0.1)


def make_study(folder: Path) -> Study:
    """Searched in `folder`: 20 trials, some of them stopped, one failed; baselines, rows and answers."""
    rows = [f"{HOSTILE} row {i}" for i in range(30)]
    frame = pd.DataFrame({"text": rows, "label": [LABELS[i % 3] for i in range(30)]})
    data = DataSpec(inputs=("text",), target="label")
    prepared = prepare(data, folder / DATA, {"train": frame[:15], "validation": frame[15:]})
    spec = make_spec(
        trials=TRIALS,
        parameters=SPACE,
        data=data,
        search=SearchMethod(
            sampler="random",
            pruner="successive_halving",
            storage="sqlite:///:memory:",
            seed=3,
            start="random",
        ),
    )
    study = open_study(spec, folder, identity_of(spec, prepared.digest))
    write_info(study, info_of(spec, prepared))
    tuner = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=1)
    for _ in range(TRIALS):
        run_trial(tuner)
    unscored = Baseline("trivial", {"macro_f1": 0.3}, 0.02, rows=15, train_rows=15, seconds=0.1)
    write_baselines(
        study, [unscored, replace(unscored, name="frozen", metrics={}, failed="OSError: <no> room")]
    )
    best = winner_of(read_trials(study), "maximize")
    assert best is not None
    answers.save(answers.path_of(folder, "trial", best.number), answered())
    return study


def run_trial(tuner: Tuner) -> None:
    assignment = tuner.next()
    assert assignment is not None
    number, attempt = assignment.number, 1
    if number == 5:
        tuner.failed(
            number, attempt, Failure("error", f"ValueError: {HOSTILE}", f"Traceback: {HOSTILE}"), "node"
        )
        return
    values = read_trial(tuner.study, number).values
    for index in range(1, STEPS + 1):
        reached = score_of(values) * (1 - math.exp(-index))
        told = measurement(index, STEPS, round(reached, 4), error=0.02)
        if tuner.measured(number, attempt, told, "node") is Decision.STOP:
            return
    tuner.completed(number, attempt, "node")


def info_of(spec, prepared) -> StudyInfo:
    return StudyInfo(
        name="study",
        task=spec.task,
        models=("tiny",),
        objective="macro_f1",
        direction="maximize",
        fixed={"epochs": 6},
        data={
            "source": "rows.csv",
            "digest": prepared.digest,
            "inputs": ["text"],
            "target": "label",
            "targets": dict(prepared.targets),
            "rows": dict(prepared.sizes),
        },
        versions={"autoft": "0.1.0"},
        text="study: study\n",
    )


def answered() -> Answers:
    """Sure and right, but for row 0, in which it is as sure of label 1, and row 1, of which it is unsure."""
    labels = np.arange(15, 30) % 3
    logits = np.full((15, 3), -3.0, np.float32)
    # The labels of the study are sorted: bill<b>, other, ship.
    labels = np.array([(0, 2, 1)[label] for label in labels])
    logits[np.arange(15), labels] = 3.0
    logits[0] = (-3.0, 3.0, -3.0)
    logits[1] = (0.1, 0.1, 0.0)
    return Answers({"logits": logits}, {"labels": labels})


def shown_of(study: Study, folder: Path, *, searched: bool = False) -> ShownStudy:
    return ShownStudy(read_info(study), read_trials(study), folder, searched)

"""What holds of a trial of every architecture: it repeats, resumes, and leaves a model that stands alone."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file

from autoft.kernel.measurement import Measurement
from autoft.kernel.pretrained import ModelSource
from autoft.kernel.resume import Resume
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.workbench import Workbench, rebuild
from autoft.tasks.predictions import predictions
from autoft.tasks.protocol import Answered

from ..kernel.tiny import config, tiny_tokenizer
from ..tasks.toys import OBJECTIVES
from .cases import CLASSIFICATION, OTHERS, PAIRS, Case

KINDS = ("bert", "gpt2", "t5")
"""An encoder, a decoder, and both; the other tasks share everything else with text classification."""
CASES = [*CLASSIFICATION, *(case for case in (*PAIRS, *OTHERS) if case.name in KINDS)]
ANY = pytest.mark.parametrize("case", CASES, ids=str)


class Trained:
    """A trial in a workbench, to its end."""

    def __init__(self, case: Case, folder: Path) -> None:
        case.wanted.build(hf.AutoModel).save_pretrained(folder)
        tiny_tokenizer().save_pretrained(folder)
        data = case.rows.write(folder)
        self.case, self.folder, self.source = case, folder, ModelSource(case.name, str(folder))
        self.workbench = Workbench(
            StudyInputs(
                models=(self.source,),
                rows=data.rows_path,
                rows_digest=data.rows_digest,
                targets=data.targets,
                cache=folder,
                task_name=case.task_name,
                cpus=1,
                values=case.values,
            )
        )
        self.config = config(
            model=case.name,
            unfreeze_depth=1,
            batch_size=8,
            epochs=1,
            measurements=3,  # one after each step
            objective=OBJECTIVES.get(case.task_name, "log_loss"),
            task_values=case.values,
        )
        self.checkpoint = folder / "whole.safetensors"
        self.measured = list(self.run(self.checkpoint))

    def run(self, checkpoint: Path, resume: Resume | None = None, **changes: object) -> Any:
        trial = config(**{**vars(self.config), **changes})
        found = self.workbench.fine_tune(trial, checkpoint, resume)
        return (each for each in found if each is not None)


@cache
def trained(case: Case, new_folder: Callable[[str], Path]) -> Trained:
    return Trained(case, new_folder(str(case)))


@pytest.fixture
def one(case, tmp_path_factory):
    return trained(case, tmp_path_factory.mktemp)


def told(measurements: list[Measurement]) -> list[tuple[object, ...]]:
    return [(each.index, each.step, dict(each.metrics), each.error) for each in measurements]


def same(one: Path, other: Path) -> bool:
    first, second = load_file(one), load_file(other)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@ANY
def test_measurements_repeat_after_a_trial_of_another_depth(one, tmp_path):
    list(one.run(tmp_path / "other.safetensors", unfreeze_depth="all", dropout=0.4, seed=1, measurements=1))
    assert told(one.run(tmp_path / "again.safetensors")) == told(one.measured)
    assert same(tmp_path / "again.safetensors", one.checkpoint)


@ANY
def test_a_trial_that_is_stopped_resumes_to_the_same_bits(one, tmp_path):
    first = Resume(tmp_path / "1.resume")
    stopped = one.workbench.fine_tune(one.config, tmp_path / "1.safetensors", first)
    heard = next(each for each in stopped if each is not None)
    stopped.close()
    resume = Resume(tmp_path / "2.resume", (first.path,), measured=1)
    resumed = list(one.run(tmp_path / "2.safetensors", resume))
    assert told([heard, *resumed]) == told(one.measured)
    best = [each.checkpoint for each in (heard, *resumed) if each.checkpoint][-1]
    assert same(best, one.checkpoint)


@ANY
def test_a_finished_model_scores_as_it_was_measured_and_loads_alone(one, tmp_path):
    case, task, targets = one.case, one.case.task, one.case.rows.targets
    objective = one.config.objective
    measured = [each for each in one.measured if each.checkpoint][-1].metrics[objective]
    validation = case.rows.tables["validation"]

    def score(model: Any, processor: Any, meant: Any) -> float:
        found, encoded = predictions(task, model, processor, validation, meant, case.values)
        if meant is targets:
            found = task.decide(found, (found, encoded.targets), objective)
        return task.score(found, encoded.targets, meant)[objective]

    rows = case.rows.tables["train"]
    model, processor = rebuild(one.source, one.config, targets, one.checkpoint, task, rows=rows)
    assert score(model, processor, targets) == pytest.approx(measured, rel=1e-4)

    def answers() -> Answered:
        return predictions(task, model, processor, validation, targets, case.values)

    task.finish(model, targets, answers, objective)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    alone = task.auto_model.from_pretrained(tmp_path)
    finished = task.finished(targets, alone)
    assert score(alone, task.load_processor(str(tmp_path)), finished) == pytest.approx(measured, rel=1e-4)

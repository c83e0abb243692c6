"""A task of another package with a hyperparameter of its own that decides how rows are encoded."""

from dataclasses import replace

import numpy as np
import pytest

from autoft.data.encoded import Encoded, Ragged
from autoft.data.files import read_table
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.model_summary import fit_to_models
from autoft.kernel.workbench import Workbench, rebuild
from autoft.spec.hyperparameters import LABEL_SMOOTHING, Hyperparameter
from autoft.spec.read import read_spec
from autoft.spec.tasks import TASKS
from autoft.tasks import classification
from autoft.tasks.text import encode_texts
from autoft.tasks.text_classification.task import TextClassification

from ..tiny import TARGETS, TASK, config, save_pretrained, study_inputs
from .test_cache import results, state_files

pytestmark = pytest.mark.usefixtures("reading_pays")
SIZE = Hyperparameter("size", "int", 6, "tokens of each row, padding included", 4, 16, encoding=True)
OFTEN = {"train": 40.0, "validation": 40.0}
"""Passes over the rows."""


class Sized(TextClassification):
    """All rows of one size, as images are."""

    spec = replace(
        TASK.spec, name="acme-sized", own=(LABEL_SMOOTHING, SIZE), implementation=f"{__name__}:Sized"
    )

    def encode(self, rows, processor, targets, values):
        size = int(values["size"])
        found = encode_texts(rows, processor, {"max_length": size}, classification.encoded_labels(rows))
        inputs = {name: dense(array, size) for name, array in found.inputs.items()}
        mask = (np.arange(size) < found.lengths[:, None]).astype(np.int8)
        return Encoded({**inputs, "attention_mask": mask}, found.targets, np.full(len(rows), size))


def dense(array: Ragged, size: int) -> np.ndarray:
    grid = array.padded(np.arange(len(array)))[:, :size]
    return np.pad(grid, ((0, 0), (0, size - grid.shape[1])), constant_values=array.fill)


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """What the workers of a study get, by what its space says of `size`."""
    monkeypatch.setitem(TASKS, "acme-sized", Sized.spec)
    source = replace(save_pretrained("bert", tmp_path / "bert"), name=str(tmp_path / "bert"))

    def of(size):
        spec = read_spec(
            {
                "study": "s",
                "task": "acme-sized",
                "model": str(tmp_path / "bert"),
                "data": {"path": "rows.csv", "inputs": "text", "target": "label"},
                "objective": "macro_f1",
                "space": {"unfreeze_depth": [1, "all"], "epochs": 2, "size": size},
                "budget": {"trials": 60},
            }
        )
        things = replace(study_inputs(tmp_path, source), task_name=spec.task, values=spec.own_values)
        return spec, replace(things, cache_plan=plan_cache(spec, things, "fp32", OFTEN))

    return of


def trial(things, path, size, context=None):
    values = {"size": size, "label_smoothing": 0.0}
    return results(things, path, context, unfreeze_depth=1, task_values=values)


def test_a_model_is_examined_at_what_the_space_fixes(planned, tmp_path):
    _, things = planned(12)
    (boundary,) = things.cache_plan.boundaries
    assert (boundary.layout, boundary.shape) == ("fixed", (12, 16))  # tokens, hidden size
    bare = replace(things.cache_plan, boundaries=())
    without = trial(replace(things, cache_plan=bare), tmp_path / "1.safetensors", 12)
    with_states = trial(things, tmp_path / "2.safetensors", 12)
    assert len(state_files(things)) == 1
    for one, other in zip(with_states[0], without[0], strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_of_a_searched_size_the_first_is_stored_and_others_are_computed(planned, tmp_path):
    _, things = planned([8, 12])
    plan, context = things.cache_plan, Workbench(things)
    assert [each.shape for each in plan.boundaries] == [(8, 16)]
    assert plan.notes[-1] == "nothing at another size than 8: its rows are encoded otherwise"
    plain = Workbench(replace(things, cache_plan=CachePlan()))
    trial(things, tmp_path / "0.safetensors", 8, context)
    files = state_files(things)
    other = trial(things, tmp_path / "1.safetensors", 12, context)
    assert other == trial(things, tmp_path / "1.safetensors", 12, plain)
    assert state_files(things) == files


def test_of_a_wide_range_of_sizes_nothing_is_stored(planned):
    _, things = planned({"low": 4, "high": 16})  # 40 / 13 passes, half of them at depth 1
    assert things.cache_plan.boundaries == ()
    assert "nothing at depth 1: too few trials would read it" in things.cache_plan.notes
    assert "nothing at another size than 4: its rows are encoded otherwise" in things.cache_plan.notes


def test_blocks_are_found_on_rows_as_trials_have_them(planned, tmp_path, monkeypatch):
    spec, things = planned(12)
    trial(things, path := tmp_path / "1.safetensors", 12)
    rows, sizes, encode = read_table(things.rows), [], Sized.encode
    monkeypatch.setattr(Sized, "encode", lambda *given: sizes.append(given[4]["size"]) or encode(*given))
    things.load(things.models[0].name)
    fit_to_models(spec, TARGETS, 48, rows)
    one = config(
        model=things.models[0].name, unfreeze_depth=1, task_values={"size": 12, "label_smoothing": 0.0}
    )
    rebuild(things.models[0], one, TARGETS, path, Sized(), rows=rows)
    assert sizes == [12, 12, 12]  # not 6, which the task declares as default

import math
from dataclasses import replace
from itertools import pairwise

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from autoft.data.batch import pieces
from autoft.data.files import file_digest, read_table, write_table
from autoft.kernel import loop, trial_context, workbench
from autoft.kernel import step as kernel_step
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.resume import Resume
from autoft.kernel.steps import plan
from autoft.kernel.trial import Diverged
from autoft.kernel.workbench import Workbench
from autoft.tasks.classification_metrics import METRICS

from .tiny import config, save_pretrained, study_inputs


@pytest.fixture
def context(tmp_path):
    return Workbench(study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert")))


@pytest.mark.parametrize(
    ("rows", "epochs", "measurements", "expected"),
    [
        (48, 2, 3, (2, 4, 6)),  # 3 steps an epoch
        (48, 2, 4, (2, 3, 5, 6)),  # ceil of 1.5, 3, 4.5, 6
        (49, 1, 12, (1, 2, 3, 4)),  # never more measurements than steps; the last batch has one row
        (48, 5, 1, (15,)),
    ],
)
def test_measurements_are_evenly_spaced_and_the_last_is_at_the_end(rows, epochs, measurements, expected):
    found = plan(rows, config(epochs=epochs, measurements=measurements))
    assert found.measured_at == expected
    assert found.steps == expected[-1]


def test_a_trial_that_ends_before_is_measured_there_alone_and_saved_as_if_it_did_not():
    whole, ended = (plan(48, config(epochs=5, ends_at=share)) for share in (0.0, 2 / 3))
    assert (whole.measured_at, ended.measured_at) == ((5, 10, 15), (10,))
    assert (ended.steps, ended.saved_at) == (15, {5, 10, 15})
    sevenths = plan(48, config(epochs=4, measurements=12, ends_at=7 / 12))  # 7 / 12 * 12 is above 7
    assert sevenths.measured_at == (7,)


def test_trained_on_the_validation_rows_too_it_is_as_if_they_were_training_rows(tmp_path):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    table = read_table(things.rows)
    copied = table.slice(len(table) - 1)  # so that there is a validation split, which nothing depends on
    split = ["train"] * len(table) + ["validation"]
    relabeled = pa.concat_tables([table, copied]).set_column(
        table.column_names.index("split"), "split", pa.array(split)
    )
    (tmp_path / "all").mkdir()
    write_table(relabeled, tmp_path / "all" / "rows.arrow")
    rows = tmp_path / "all" / "rows.arrow"
    expected = replace(things, rows=rows, rows_digest=file_digest(rows))
    tensors, steps = [], []
    for number, inputs in enumerate((expected, replace(things, train_on_all=True), things)):
        path = tmp_path / f"{number}.safetensors"
        (only,) = Workbench(inputs).fine_tune(config(ends_at=2 / 3), path)
        assert only.last and only.index == 1 and only.checkpoint == path
        tensors.append(load_file(path))
        steps.append(only.step)
    assert steps[0] == steps[1] == math.ceil(2 / 3 * 2 * math.ceil(len(table) / 16)) > steps[2]
    assert all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])
    assert not all(torch.equal(tensors[0][name], tensors[2][name]) for name in tensors[0])


def test_a_measurement_says_all_of_itself(context, tmp_path):
    found = list(context.fine_tune(config(measurements=4), tmp_path / "7.safetensors"))
    assert [m.index for m in found] == [1, 2, 3, 4]
    assert [m.fraction for m in found] == [0.25, 0.5, 0.75, 1.0]
    assert [m.last for m in found] == [False, False, False, True]
    assert [m.step for m in found] == [2, 3, 5, 6]
    assert [m.epoch for m in found] == [2 / 3, 1.0, 5 / 3, 2.0]
    assert all(set(m.metrics) == {*METRICS, "train_loss"} for m in found)
    assert all(0 < earlier.elapsed_s <= later.elapsed_s for earlier, later in pairwise(found))
    assert all(m.training_s > 0 and m.evaluation_s > 0 for m in found)
    assert all(
        later.training_s + later.evaluation_s <= later.elapsed_s - earlier.elapsed_s
        for earlier, later in pairwise(found)
    )


def test_a_measurement_has_the_standard_error_of_its_objective(context, tmp_path):
    path = tmp_path / "7.safetensors"
    by_share = list(context.fine_tune(config(objective="accuracy"), path))
    for each in by_share:  # 20 validation rows
        right = each.metrics["accuracy"]
        assert each.error == pytest.approx(math.sqrt(right * (1 - right) / 20))
    by_f1 = list(context.fine_tune(config(objective="macro_f1"), path))
    assert [each.metrics for each in by_f1] == [each.metrics for each in by_share]
    assert [each.error for each in by_f1] != [each.error for each in by_share]
    assert all(isinstance(each.error, float) for each in by_f1)


@pytest.mark.parametrize("objective", ["macro_f1", "log_loss"])
def test_the_checkpoint_is_that_of_the_best_measurement(context, tmp_path, objective):
    path = tmp_path / "7.safetensors"
    best, at_best = None, None
    trial = config(objective=objective, epochs=6, measurements=12, learning_rate=3e-3)
    for measurement in context.fine_tune(trial, path):
        value = measurement.metrics[objective]
        improved = best is None or (value > best if objective == "macro_f1" else value < best)
        assert (measurement.checkpoint == path) == improved
        if improved:
            context._writer.finish()
            best, at_best = value, path.read_bytes()
    assert path.read_bytes() == at_best


@pytest.mark.parametrize("depth", [0, 1, "all"])
def test_a_checkpoint_holds_the_trained_tensors_only(context, tmp_path, depth):
    list(context.fine_tune(config(unfreeze_depth=depth, measurements=1), tmp_path / "7.safetensors"))
    names = set(load_file(tmp_path / "7.safetensors"))
    top = {name for name in names if name.startswith("bert.encoder.layer.2.")}
    lower = {name for name in names if name.startswith(("bert.encoder.layer.0.", "bert.embeddings."))}
    assert {"classifier.weight", "bert.pooler.dense.weight"} <= names
    assert bool(top) == (depth != 0)
    assert bool(lower) == (depth == "all")


def test_an_infinite_learning_rate_diverges_with_its_step_and_the_next_trial_is_well(context, tmp_path):
    path = tmp_path / "7.safetensors"
    good = [m.metrics for m in context.fine_tune(config(), path)]
    with pytest.raises(Diverged, match="no longer finite at step 2") as error:
        list(context.fine_tune(config(learning_rate=math.inf, max_grad_norm=0.0), path))
    assert error.value.step == 2
    assert [m.metrics for m in context.fine_tune(config(), path)] == good


def test_with_a_place_a_broken_loss_ends_the_trial_before_its_measurement(context, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "TICK_S", 0.0)
    broken = config(learning_rate=math.inf, max_grad_norm=0.0, measurements=1)
    trial = context.fine_tune(broken, tmp_path / "7.safetensors", Resume(tmp_path / "7.resume"))
    assert next(trial) is None
    with pytest.raises(Diverged, match="no longer finite at step 2"):
        next(trial)


def test_with_a_place_a_loss_beyond_measure_ends_the_trial_before_its_first_measurement(
    context, tmp_path, monkeypatch
):
    monkeypatch.setattr(loop, "TICK_S", 0.0)
    wild = config(learning_rate=1e3, warmup_ratio=0.0, max_grad_norm=0.0, measurements=1)
    trial = context.fine_tune(wild, tmp_path / "7.safetensors", Resume(tmp_path / "7.resume"))
    # Three labels: guessing has a loss of log 3.
    with pytest.raises(Diverged, match=r"has grown from 1\.1 to ") as error:
        list(trial)
    assert error.value.step < 6


def test_a_passing_spike_ends_no_trial_whenever_it_is_looked_at(context, tmp_path, monkeypatch):
    """The losses of the first step: 20 times that of guessing, but less than 10 times over three steps."""
    plain, steps = kernel_step.add_gradients, []

    def spiked(*given):
        steps.append(plain(*given))
        return torch.tensor(22.0) if len(steps) == 1 else steps[-1]

    monkeypatch.setattr(kernel_step, "add_gradients", spiked)
    monkeypatch.setattr(loop, "TICK_S", 0.0)
    found = context.fine_tune(
        config(measurements=2), tmp_path / "7.safetensors", Resume(tmp_path / "7.resume")
    )
    measured = [each for each in found if each is not None]
    assert len(steps) == 6 and len(measured) == 2
    assert 22 / 3 < measured[0].metrics["train_loss"] < 10 * math.log(3)


def test_the_pieces_of_a_batch_add_up_to_the_whole(context, tmp_path, monkeypatch):
    cut = []

    def watched(lengths, piece_tokens):
        cut.append(len(pieces(lengths, piece_tokens)))
        return pieces(lengths, piece_tokens)

    monkeypatch.setattr(trial_context, "pieces", watched)
    found = {}
    for piece_tokens in (math.inf, 0.0):
        monkeypatch.setattr(workbench, "PIECE_TOKENS", {context.device.type: piece_tokens})
        found[piece_tokens] = list(
            context.fine_tune(config(dropout=0.0, unfreeze_depth=2), tmp_path / "7.safetensors")
        )
    assert set(cut[: len(cut) // 2]) == {1}
    assert min(cut[len(cut) // 2 :]) > 1
    # Sums of float32 in another order; six updates carry the difference on.
    for whole, cut_up in zip(*found.values(), strict=True):
        for name, value in whole.metrics.items():
            assert cut_up.metrics[name] == pytest.approx(value, abs=1e-5)


def test_a_batch_stays_whole_where_its_statistics_are_trained(context, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        trial_context, "pieces", lambda lengths, cost: asked.append(cost) or pieces(lengths, cost)
    )
    monkeypatch.setattr(workbench, "PIECE_TOKENS", {context.device.type: 7.0})
    list(context.fine_tune(config(unfreeze_depth=2), tmp_path / "7.safetensors"))
    monkeypatch.setattr(workbench, "trained_statistics", lambda *_: {"norm.running_mean": None})
    list(context.fine_tune(config(unfreeze_depth=2), tmp_path / "7.safetensors"))
    assert set(asked[: len(asked) // 2]) == {7.0}
    assert set(asked[len(asked) // 2 :]) == {math.inf}


def test_a_batch_stays_whole_where_each_piece_would_add_up_the_whole_vocabulary(
    context, tmp_path, monkeypatch
):
    asked = []
    monkeypatch.setattr(
        trial_context, "pieces", lambda lengths, cost: asked.append(cost) or pieces(lengths, cost)
    )
    monkeypatch.setattr(workbench, "PIECE_TOKENS", {context.device.type: 7.0})
    for tables in ({}, {"bert": "bert.embeddings.word_embeddings"}):
        context.study_inputs = replace(context.study_inputs, cache_plan=CachePlan(tables=tables))
        list(context.fine_tune(config(unfreeze_depth="all"), tmp_path / "7.safetensors"))
    assert set(asked[: len(asked) // 2]) == {math.inf}
    assert set(asked[len(asked) // 2 :]) == {7.0}


def test_the_schedule_spans_the_whole_trial_whether_it_is_watched_or_not(context, tmp_path):
    few = list(context.fine_tune(config(measurements=1), tmp_path / "7.safetensors"))
    many = list(context.fine_tune(config(measurements=6), tmp_path / "7.safetensors"))
    same = set(METRICS)
    assert {k: few[-1].metrics[k] for k in same} == {k: many[-1].metrics[k] for k in same}


def test_closing_the_iterator_is_all_there_is_to_pruning(context, tmp_path):
    folder = tmp_path / "trial"
    trial = context.fine_tune(config(measurements=6), folder / "7.safetensors")
    next(trial)
    trial.close()
    assert [file.name for file in folder.iterdir()] == ["7.safetensors"]
    assert list(trial) == []


@pytest.mark.parametrize("max_grad_norm", [0.0, 1e-9])
def test_the_gradient_is_clipped_unless_the_norm_is_0(context, tmp_path, max_grad_norm):
    # AdamW divides by the gradient's size, except where that is as small as its epsilon, 1e-8.
    path = tmp_path / "7.safetensors"
    trial = config(max_grad_norm=max_grad_norm, weight_decay=0.0, warmup_ratio=0.0, measurements=1)
    list(context.fine_tune(trial, path))
    resident = context._resident[1]
    moved = max(
        (value - resident._pristine[name]).abs().max().item()
        for name, value in resident.model.named_parameters()
        if name in resident._pristine
    )
    assert (moved < 1e-3) == (max_grad_norm > 0)


def test_label_smoothing_reaches_the_training_loss(context, tmp_path):
    losses = {
        smoothing: next(context.fine_tune(config(label_smoothing=smoothing), tmp_path / "7.safetensors"))
        for smoothing in (0.0, 0.4)
    }
    assert losses[0.0].metrics["train_loss"] != losses[0.4].metrics["train_loss"]


def test_mixed_precision_trains_and_keeps_weights_in_full_precision(context, tmp_path):
    path = tmp_path / "7.safetensors"
    full = list(context.fine_tune(config(), path))[-1].metrics["train_loss"]
    mixed = list(context.fine_tune(config(precision="bf16"), path))[-1].metrics["train_loss"]
    assert mixed != full
    assert mixed == pytest.approx(full, rel=0.05)  # bf16 keeps 8 bits of a number
    assert {str(tensor.dtype) for tensor in load_file(path).values()} == {"torch.float32"}

"""A step in its two forms: eager, and as a CUDA graph takes it. Here the second one runs without a graph.

What is captured, shared and refused is tested with `Emulated` graphs, which run the step when replayed.
"""

import math
import traceback
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from autoft.kernel import loop, workbench
from autoft.kernel import step as kernel_step
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.graph_store import Captured, GraphStore
from autoft.kernel.optimizer import learning_rate
from autoft.kernel.steps import batches
from autoft.kernel.trial import Diverged
from autoft.kernel.workbench import Workbench

from .test_resume import interrupted, same_tensors, uninterrupted
from .tiny import config, save_pretrained, study_inputs

TABLES = {"bert": "bert.embeddings.word_embeddings"}
EAGER, CAPTURABLE = CachePlan(tables=TABLES), CachePlan(tables=TABLES, graphs=("bert",))
EVERYTHING = {"label_smoothing": 0.2, "layer_decay": 0.7, "weight_decay": 0.2, "max_grad_norm": 0.5}


@pytest.fixture
def things(tmp_path):
    return study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))


@pytest.fixture
def whole_batches(monkeypatch):
    """As on a GPU."""
    monkeypatch.setattr(workbench, "PIECE_TOKENS", {"cpu": math.inf})


def forms(things) -> list[Workbench]:
    return [Workbench(replace(things, cache_plan=plan)) for plan in (EAGER, CAPTURABLE)]


@pytest.mark.parametrize("changes", [{"unfreeze_depth": "all", **EVERYTHING}, {"unfreeze_depth": 1}])
def test_over_200_steps_both_forms_agree(things, whole_batches, monkeypatch, changes):
    """In float32 sums of other lengths, and rates with 24 bits, change the last bits: 2.4e-7 of a loss of 1.1
    was seen. AdamW makes a step of a rate's size of a gradient that is rounding alone, as the keys' biases'.
    """
    monkeypatch.setattr(workbench, "to_grid", lambda longest, most: longest + 5)  # for rows so short
    trial = config(dropout=0.0, epochs=70, **changes)  # three steps an epoch
    eager, capturable = (bench.first_steps(trial, 200) for bench in forms(things))
    assert len(eager[0]) == 200 and eager[0][-1] < 0.85 * eager[0][0]
    assert capturable[0] == pytest.approx(eager[0], abs=1e-5)
    assert eager[1].keys() == capturable[1].keys()
    for name, tensor in eager[1].items():
        if not name.endswith("key.bias"):
            assert (tensor - capturable[1][name]).abs().max() < 1e-3, name


def test_resumed_anywhere_the_capturable_form_ends_with_the_same_bits(things, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "TICK_S", 0.0)
    things = replace(things, cache_plan=CAPTURABLE)
    trial = {"epochs": 4, "measurements": 6, "dropout": 0.3, **EVERYTHING}
    expected = uninterrupted(things, tmp_path / "whole.safetensors", **trial)
    measured, tensors, attempts = interrupted(things, tmp_path / "cut", 5, **trial)
    assert attempts > 2
    assert measured == expected[0]
    assert same_tensors(tensors, expected[1])


def test_a_trial_depends_on_itself_alone_where_moments_and_embeddings_stay_in_place(things, tmp_path):
    bench = Workbench(replace(things, cache_plan=CAPTURABLE))
    trial = config(epochs=3, **EVERYTHING)
    first, between, again = (
        bench.first_steps(each, 9) for each in (trial, config(learning_rate=0.01), trial)
    )
    assert first[0] == again[0] != between[0]
    assert same_tensors(first[1], again[1])


def test_a_broken_loss_is_found_in_the_capturable_form_too(things, tmp_path):
    trial = config(learning_rate=math.inf, max_grad_norm=0.0)
    with pytest.raises(Diverged, match="no longer finite at step 2"):
        list(Workbench(replace(things, cache_plan=CAPTURABLE)).fine_tune(trial, tmp_path / "7.safetensors"))


ATEN = torch.ops.aten
WAITING = {ATEN._local_scalar_dense.default, ATEN.is_nonzero.default, ATEN.nonzero.default}
WAITING |= {ATEN.masked_select.default}


class NothingWaits(TorchDispatchMode):
    """Refuses what makes the host wait for a GPU: a number that is read, a shape that depends on numbers."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        masked = func is ATEN.index.Tensor and any(
            at is not None and at.dtype == torch.bool for at in args[1]
        )
        # A mask may be left out where nothing is padded; transformers looks, unless a graph is captured.
        if (masked or func in WAITING) and not any(
            frame.filename.endswith("masking_utils.py") for frame in traceback.extract_stack()
        ):
            raise AssertionError(f"{func} waits for the device")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("plan", [EAGER, CAPTURABLE])
@pytest.mark.parametrize("depth", [0, "all"])
def test_nothing_is_read_from_the_device_in_a_step(things, whole_batches, plan, depth):
    trial = config(unfreeze_depth=depth, epochs=2, **EVERYTHING)
    with Workbench(replace(things, cache_plan=plan))._context(trial) as context:
        trained = {name: each for name, each in context.model.named_parameters() if each.requires_grad}
        step = kernel_step.Step(context, trial, trained, trial.batch_size)
        with NothingWaits():
            for number, rows in enumerate(batches(context.train.lengths, trial, 0), start=1):
                step.take(number, learning_rate(number, 6, trial), rows)
    with NothingWaits(), pytest.raises(AssertionError, match="waits"):
        float(torch.ones(1) * 2)


class Emulated:
    """Stands for CUDA: captures on a CPU, and runs a step when it is replayed."""

    def __init__(self, monkeypatch) -> None:
        self.captures, self.replays, self.error = 0, 0, None
        monkeypatch.setattr(GraphStore, "_capture", lambda *given: self.capture(*given))
        plain = kernel_step.Step.__init__

        def on_a_gpu(step, context, config, trained, micro_batch):
            plain(step, context, config, trained, micro_batch)
            if context.graphs is not None:
                step._capturing = kernel_step._Capturing(context, config, trained, step.optimizer)

        monkeypatch.setattr(kernel_step.Step, "__init__", on_a_gpu)

    def capture(self, store, batch, gradients, apply):
        self.captures += 1
        if self.error is not None:
            raise self.error
        own = replace(
            batch,
            inputs={name: tensor.clone() for name, tensor in batch.inputs.items()},
            targets={name: tensor.clone() for name, tensor in batch.targets.items()},
        )
        loss = torch.zeros(())

        def replay():
            self.replays += 1
            loss.copy_(gradients(own))
            apply()

        return Captured(SimpleNamespace(replay=replay), own, loss)


@pytest.fixture
def emulated(monkeypatch, whole_batches):
    return Emulated(monkeypatch)


def test_a_graph_serves_all_trials_of_a_kind_and_a_replayed_step_is_the_same(things, emulated):
    bench = Workbench(replace(things, cache_plan=CAPTURABLE))
    # 48 rows of 4 to 11 tokens in batches of 16: padded to 8 or, at most, to the longest row, 11.
    trial = config(epochs=20, dropout=0.1, **EVERYTHING)
    replayed = bench.first_steps(trial, 30)
    assert (emulated.captures, emulated.replays) == (1, 30)
    other = replace(trial, learning_rate=1e-2, weight_decay=0.01, layer_decay=0.9, seed=3)
    other = replace(other, task_values={**other.task_values, "label_smoothing": 0.05})
    found = bench.first_steps(other, 30)
    assert (emulated.captures, emulated.replays) == (1, 60)
    for changes in ({"dropout": 0.2}, {"unfreeze_depth": 2}, {"max_grad_norm": 1.0}, {"layer_decay": 1.0}):
        bench.first_steps(replace(trial, **changes), 3)
    assert emulated.captures == 5
    # Each is what it would be without graphs.
    kernel_step.OFTEN, often = 10**9, kernel_step.OFTEN
    try:
        for each, with_graphs in ((trial, replayed), (other, found)):
            plain = Workbench(replace(things, cache_plan=CAPTURABLE)).first_steps(each, 30)
            assert plain[0] == with_graphs[0]
            assert same_tensors(plain[1], with_graphs[1])
    finally:
        kernel_step.OFTEN = often
    assert emulated.captures == 5


def test_where_rows_are_encoded_otherwise_the_embeddings_go_and_all_graphs_with_them(things, emulated):
    bench = Workbench(replace(things, cache_plan=CAPTURABLE))
    whole, cut = config(epochs=20), config(epochs=20, max_length=6)
    first = bench.first_steps(whole, 3)
    bench.first_steps(cut, 3)
    assert emulated.captures == 2
    again = bench.first_steps(whole, 3)
    assert emulated.captures == 3
    assert same_tensors(first[1], again[1])


@pytest.mark.parametrize(
    ("error", "tries"),
    [(RuntimeError("operation not permitted when stream is capturing\nmore"), 1), (MemoryError(), 2)],
)
def test_what_cannot_be_captured_runs_eagerly_and_says_so(things, emulated, capsys, error, tries):
    """It is tried again in the next trial only where memory was short."""
    trial = config(epochs=20)
    bench = Workbench(replace(things, cache_plan=CAPTURABLE))
    expected = bench.first_steps(trial, 9)
    emulated.error = error
    bench = Workbench(replace(things, cache_plan=CAPTURABLE))
    emulated.captures = 0
    for _ in range(2):
        found = bench.first_steps(trial, 9)
        assert found[0] == expected[0]
        assert same_tensors(found[1], expected[1])
    assert emulated.captures == tries
    told = capsys.readouterr().out.splitlines()
    begin = "This trial's steps are run eagerly, because they could not be captured: "
    assert [line for line in told if line.startswith(begin)] == [
        begin + str(error).partition("\n")[0]
    ] * tries
    assert bench.not_captured == [str(error).partition("\n")[0]] * (tries == 1)


def test_room_that_earlier_graphs_take_is_given_back_before_a_batch_is_cut(things, emulated, monkeypatch):
    bench = Workbench(replace(things, cache_plan=CAPTURABLE))
    bench.first_steps(config(epochs=20), 3)
    assert emulated.captures == 1
    monkeypatch.setattr(kernel_step, "OFTEN", 10**9)
    plain = kernel_step.add_gradients

    def short_of_memory(context, *rest):
        if context.graphs._graphs:
            raise MemoryError
        return plain(context, *rest)

    monkeypatch.setattr(kernel_step, "add_gradients", short_of_memory)
    trial = config(epochs=20, dropout=0.2)
    found = bench.first_steps(trial, 6)
    assert found[0] == Workbench(replace(things, cache_plan=CAPTURABLE)).first_steps(trial, 6)[0]
    assert not (things.cache / workbench.WORKING_SIZES).exists()


def test_a_larger_model_has_to_have_a_shape_more_often(things, emulated, monkeypatch):
    monkeypatch.setattr(kernel_step, "OFTEN_A_PARAMETER", 30.5 / 110e6)
    monkeypatch.setattr("transformers.PreTrainedModel.num_parameters", lambda model: 110_000_000)
    bench = Workbench(replace(things, cache_plan=CAPTURABLE))
    bench.first_steps(config(epochs=10), 3)  # 30 batches of one shape, and 31 are needed
    assert emulated.captures == 0
    bench.first_steps(config(epochs=11), 3)
    assert emulated.captures == 1


def test_a_shape_that_a_trial_has_seldom_is_not_captured(things, emulated):
    bench = Workbench(replace(things, cache_plan=CAPTURABLE))
    # Of 48 rows in batches of 20 the last has 8: once an epoch, and the others twice.
    bench.first_steps(config(epochs=11, batch_size=20), 6)
    assert (emulated.captures, emulated.replays) == (1, 4)
    bench.first_steps(config(epochs=12, batch_size=20), 6)
    assert (emulated.captures, emulated.replays) == (2, 10)


def test_another_optimizer_s_steps_are_eager_and_the_trial_says_so(things, capsys):
    trial = config(optimizer="sgd")
    eager, capturable = (bench.first_steps(trial, 6) for bench in forms(things))
    assert eager[0] == capturable[0]
    assert "This trial's steps are run eagerly: that of sgd cannot be captured." in capsys.readouterr().out


@pytest.mark.gpu
def test_on_a_gpu_replayed_steps_are_the_eager_ones(things):
    trial = config(dropout=0.0, epochs=70, **EVERYTHING)
    eager, captured = (bench.first_steps(trial, 200) for bench in forms(things))
    assert captured[0] == pytest.approx(eager[0], abs=1e-3)


@pytest.mark.gpu
def test_on_a_gpu_a_replayed_trial_resumes_with_the_same_bits(things, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "TICK_S", 0.0)
    things = replace(things, cache_plan=CAPTURABLE)
    trial = {"epochs": 20, "measurements": 6, "dropout": 0.3, **EVERYTHING}
    expected = uninterrupted(things, tmp_path / "whole.safetensors", **trial)
    measured, tensors, _ = interrupted(things, tmp_path / "cut", 40, **trial)
    assert measured == expected[0]
    assert same_tensors(tensors, expected[1])

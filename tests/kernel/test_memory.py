"""Where memory is short the batch stays the user's: it is computed in pieces, and the result is the same."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file
from torch.nn import functional

from autoft.kernel import loop, trial_context
from autoft.kernel import study_inputs as kernel_study_inputs
from autoft.kernel.checkpoint import load_checkpoint
from autoft.kernel.device import device_name
from autoft.kernel.memory import WorkingSizes, is_out_of_memory
from autoft.kernel.pretrained import ModelSource
from autoft.kernel.resume import Resume
from autoft.kernel.workbench import Workbench
from autoft.tasks.text_classification.task import TextClassification

from .tiny import ENCODER, config, save_pretrained, study_inputs, tiny_tokenizer

REPOSITORY = Path(__file__).parents[2]
WIDE = {"batch_size": 48, "epochs": 2, "measurements": 2, "dropout": 0.0, "learning_rate": 3e-4}
LIMITED = """
import json, resource, sys
from pathlib import Path
sys.path.insert(0, {repository!r})
import torch
from tests.kernel.tiny import config, study_inputs
from autoft.kernel.pretrained import ModelSource
from autoft.kernel.workbench import Workbench
from autoft.tasks.text_classification.task import TextClassification
folder, limit = Path({folder!r}), {limit_mb}
bench = Workbench(study_inputs(folder, ModelSource("bert", str(folder / "wide"))))
list(bench.fine_tune(config(**{{**{trial!r}, "batch_size": 1, "epochs": 1}}), folder / "warm.safetensors"))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + limit * 2**20,) * 2)
eaten = []
try:
    while limit < 0:  # nor is there anything to take from what has been given back
        eaten.append(torch.empty(2**16))
except RuntimeError:
    pass
try:
    found = list(bench.fine_tune(config(**{trial!r}), folder / "limited.safetensors"))
    print(json.dumps([[m.step, m.micro_batch, dict(m.metrics)] for m in found]))
except Exception as error:
    print(json.dumps(f"{{type(error).__name__}}: {{error}}"))
"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A model whose activations are large and whose weights are not."""
    folder = tmp_path_factory.mktemp("wide")
    shape = hf.BertConfig(**{**ENCODER, "intermediate_size": 16384})
    torch.manual_seed(0)
    hf.AutoModel.from_config(shape).save_pretrained(folder / "wide")
    tiny_tokenizer().save_pretrained(folder / "wide")
    return folder


def sizes_in(folder: Path) -> WorkingSizes:
    return WorkingSizes(folder / "cache" / "working-sizes.json", device_name(torch.device("cpu")))


def limited(folder: Path, limit_mb: int, **changes: object):
    """The trial in a process that may have so much more memory than it had before the first large batch."""
    script = LIMITED.format(
        repository=str(REPOSITORY), folder=str(folder), limit_mb=limit_mb, trial={**WIDE, **changes}
    )
    # So that what a step needs is asked of the system, and not taken from what an earlier step gave back.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_batch_that_does_not_fit_is_computed_in_pieces_with_the_same_result(wide):
    whole = Workbench(study_inputs(wide, ModelSource("bert", str(wide / "wide"))))
    expected = list(whole.fine_tune(config(**WIDE), wide / "whole.safetensors"))
    found = limited(wide, 60)
    assert [step for step, _, _ in found] == [m.step for m in expected]
    assert all(rows < WIDE["batch_size"] for _, rows, _ in found)
    assert all(one.micro_batch is None for one in expected)
    for (_, _, metrics), one in zip(found, expected, strict=True):
        assert metrics["train_loss"] == pytest.approx(one.metrics["train_loss"], abs=1e-4)
        assert metrics["log_loss"] == pytest.approx(one.metrics["log_loss"], abs=1e-4)
    names = {name: torch.zeros_like(t) for name, t in whole._resident[1].model.named_parameters()}
    halves = {name: torch.zeros_like(t) for name, t in names.items()}
    load_checkpoint(wide / "whole.safetensors", names)
    load_checkpoint(wide / "limited.safetensors", halves)
    assert max((names[name] - halves[name]).abs().max().item() for name in names) < 1e-4
    # What fitted is remembered on the node, for the next trial of that depth and model.
    assert sizes_in(wide).of(config(**WIDE)) == found[-1][1]


def test_where_not_even_one_row_fits_the_trial_says_so(wide):
    # At depth 0 the optimizer is small: it is the step that finds no room, with ever fewer rows.
    found = limited(wide, -1000, unfreeze_depth=0)
    assert found == "OutOfMemory: out of memory at step 1, with one row at a time"


def test_losses_count_rows_whatever_the_pieces(tmp_path, monkeypatch):
    """48 rows in pieces of 20, 20 and 8: each row counts the same."""
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    trial = config(batch_size=48, epochs=2, measurements=2, dropout=0.0)
    expected = list(Workbench(things).fine_tune(trial, tmp_path / "whole.safetensors"))
    context = Workbench(things)
    sizes_in(tmp_path).remember(trial, 20)
    found = list(context.fine_tune(trial, tmp_path / "pieces.safetensors"))
    assert [m.micro_batch for m in found] == [20, 20]
    for a, b in zip(found, expected, strict=True):
        assert a.metrics["train_loss"] == pytest.approx(b.metrics["train_loss"], abs=1e-6)
        assert a.metrics["log_loss"] == pytest.approx(b.metrics["log_loss"], abs=1e-4)


class Weighted(TextClassification):
    """The first color counts ten times, so batches of equal size have different weights."""

    weights = torch.tensor([10.0, 1.0, 1.0])

    def weight(self, targets):
        return float(self.weights[torch.from_numpy(targets["labels"].astype(int))].sum())

    def loss(self, outputs, batch, values):
        labels = batch.targets["labels"]
        return functional.cross_entropy(outputs["logits"], labels, weight=self.weights, reduction="sum")


@pytest.mark.parametrize("depth", [1, "all"])
def test_weights_that_are_not_the_number_of_rows_count_the_same_in_pieces(tmp_path, monkeypatch, depth):
    monkeypatch.setattr(kernel_study_inputs, "find_task", lambda name: Weighted())
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    trial = config(batch_size=48, epochs=3, measurements=3, dropout=0.0, unfreeze_depth=depth)
    expected = list(Workbench(things).fine_tune(trial, tmp_path / "whole.safetensors"))
    whole = load_file(tmp_path / "whole.safetensors")
    sizes_in(tmp_path).remember(trial, 7)
    found = list(Workbench(things).fine_tune(trial, tmp_path / "pieces.safetensors"))
    assert [m.micro_batch for m in found] == [7, 7, 7]
    for a, b in zip(found, expected, strict=True):
        assert a.metrics["train_loss"] == pytest.approx(b.metrics["train_loss"], abs=1e-5)
    for name, tensor in load_file(tmp_path / "pieces.safetensors").items():
        assert (tensor.double() - whole[name].double()).abs().mean() < 1e-5
    # The first step's loss is the weighted mean of the rows', by torch's own definition of it.
    assert 0.5 < expected[0].metrics["train_loss"] < 2


def test_what_an_earlier_attempt_was_ended_for_is_not_tried_again(tmp_path, monkeypatch):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    trial = config(batch_size=48, epochs=2, measurements=2, dropout=0.0)
    expected = list(Workbench(things).fine_tune(trial, tmp_path / "whole.safetensors"))
    place, checkpoint = tmp_path / "resume.1", tmp_path / "pieces.safetensors"
    begun = Workbench(things).fine_tune(trial, checkpoint, Resume(place))
    while next(begun) is None:
        pass
    begun.close()
    late, heeds = replace(trial, measurements=1), Resume(tmp_path / "resume.2", micro_batch=12)
    begun = Workbench(things).fine_tune(late, checkpoint, heeds)
    monkeypatch.setattr(loop, "TICK_S", 0.0)
    assert next(begun) is None
    begun.close()
    assert sizes_in(tmp_path).of(trial) == 48  # that 12 fit is not known before a measurement
    for earlier in ((), (place,)):  # before its first measurement, and after it
        again = Resume(tmp_path / "resume.2", earlier, measured=len(earlier), micro_batch=12)
        found = [m for m in Workbench(things).fine_tune(trial, checkpoint, again) if m]
        assert [(m.index, m.micro_batch) for m in found] == [(1, 12), (2, 12)][len(earlier) :]
        assert found[-1].metrics["log_loss"] == pytest.approx(expected[1].metrics["log_loss"], abs=1e-4)
        assert sizes_in(tmp_path).of(trial) == 12  # the next trial of that depth begins there
        (tmp_path / "cache" / "working-sizes.json").unlink()


def test_an_evaluation_that_does_not_fit_is_made_in_smaller_batches(tmp_path, monkeypatch):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    expected = [m.metrics for m in Workbench(things).fine_tune(config(), tmp_path / "a.safetensors")]
    tried, plain = [], trial_context._try_predictions

    def short_of_memory(context, precision):
        tried.append(max(map(len, context.validation.evaluated)))
        return None if tried[-1] > 3 else plain(context, precision)

    monkeypatch.setattr(trial_context, "_try_predictions", short_of_memory)
    found = [m.metrics for m in Workbench(things).fine_tune(config(), tmp_path / "b.safetensors")]
    assert tried[0] > tried[-1] >= 1
    for a, b in zip(found, expected, strict=True):
        assert a["log_loss"] == pytest.approx(b["log_loss"], abs=1e-5)


def test_the_next_trial_is_evaluated_as_if_there_had_been_room_before(tmp_path, monkeypatch):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    plain, sizes = trial_context._try_predictions, []

    def watched(context, precision):
        sizes.append(max(map(len, context.validation.evaluated)))
        return None if short and sizes[-1] > 3 else plain(context, precision)

    monkeypatch.setattr(trial_context, "_try_predictions", watched)
    workbench, short = Workbench(things), True
    list(workbench.fine_tune(config(), tmp_path / "a.safetensors"))
    whole, smallest = sizes[0], sizes[-1]
    sizes.clear()
    short = False
    list(workbench.fine_tune(config(), tmp_path / "b.safetensors"))
    assert smallest <= 3 < whole
    assert set(sizes) == {whole}


def test_other_errors_are_not_taken_for_it():
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(OSError("can't allocate memory"))


def test_a_broken_memory_of_sizes_is_none(tmp_path):
    sizes = WorkingSizes(tmp_path / "sizes.json", "a device")
    (tmp_path / "sizes.json").write_text("{broken")
    assert sizes.of(config(batch_size=16)) == 16
    sizes.remember(config(batch_size=16), 4)
    assert sizes.of(config(batch_size=16)) == 4
    sizes.remember(replace(config(), batch_size=32), 8)
    assert sizes.of(config(batch_size=16)) == 4  # the smaller one of what was seen
    assert sizes.of(config(batch_size=2)) == 2
    assert sizes.of(config(unfreeze_depth=0)) == 16


@pytest.mark.gpu
def test_a_real_cuda_out_of_memory_gives_the_same_result(wide):
    context = Workbench(study_inputs(wide, ModelSource("bert", str(wide / "wide"))))
    expected = list(context.fine_tune(config(**WIDE), wide / "whole.safetensors"))
    peak = torch.cuda.max_memory_allocated()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((peak * 0.6) / total)
    try:
        found = list(context.fine_tune(config(**WIDE), wide / "limited.safetensors"))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert found[-1].micro_batch is not None
    for a, b in zip(found, expected, strict=True):
        assert a.metrics["log_loss"] == pytest.approx(b.metrics["log_loss"], abs=1e-4)

"""Training with stored states and without: the same logits, gradients and final weights.

`conformance` has every architecture, a batch each; here are those whose states are of different kinds, with
the store and an optimizer.

The steps are made of the kernel's own pieces: `set_depth`, `BatchSource`, `fill`, the store, `injected`,
`forward` and `build_optimizer`. Dropout is on: a frozen prefix draws no random numbers, so both ways draw
the same.
"""

import copy
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from torch.nn import functional

from autoft.data.batch import Batch, batches_by_length
from autoft.data.encoded import Encoded
from autoft.kernel.batch_source import BatchSource
from autoft.kernel.blocks import trained_parameters
from autoft.kernel.boundary import store
from autoft.kernel.boundary.fill import fill
from autoft.kernel.boundary.inject import cut_states, cuts, injected, states_at
from autoft.kernel.boundary.plan import Boundary, CachePlan
from autoft.kernel.boundary.states import States, kept, positions
from autoft.kernel.boundary.valid import Sample, refusal, row_layout, tokens_read
from autoft.kernel.device import prepare_process
from autoft.kernel.freeze import evaluation_mode, restore_dropout_places, set_depth
from autoft.kernel.optimizer import build_optimizer
from autoft.kernel.workbench import forward

from ..tiny import TASK, VISION, anatomy_of, config, configs, encoded_images, encoded_texts, tiny_model

DEPTHS = {
    # Three blocks each where nothing else is said.
    **dict.fromkeys(("bert", "deberta-v2", "modernbert", "gpt2", "mixtral", "resnet", "swin"), (0, 1)),
    "vit": (1,),
    "convnext": (2,),  # of five
    "t5": (1, 2, 4),  # encoder and decoder of three each, whose first makes the position bias of the others
    "t5-encoder": (1,),
    "bart": (0, 2),  # an encoder of one and a decoder of two
}
CPU = torch.device("cpu")
ROWS, BATCH_ROWS, EPOCHS = 20, 8, 2  # six steps, two of them of four rows
FILL_TOKENS = 80

FORWARD = 1e-5
"""Of the largest logit or gradient. Computed in a batch of other rows, a row's states differ in their last
bits (float32: 6e-8 of a number); 6e-7 was the most that was seen in six steps."""
WEIGHTS = 1e-6
"""Mean over a tensor after six steps of 1e-3; 4e-8 was the most that was seen. Not the largest, because AdamW
divides a gradient by its own size: where it is all but 0, its last bit counts in full."""


def build(name: str, depth: int):
    """The same model each time, frozen to `depth`; its anatomy; and where it is cut."""
    return copy.deepcopy(built(name, depth))  # faster than anew


@lru_cache(maxsize=1)
def built(name: str, depth: int):
    if name == "t5-encoder":
        torch.manual_seed(0)
        model = hf.T5ForTokenClassification(configs()["t5"])
    else:
        model = tiny_model(name)
    restore_dropout_places(model)
    anatomy = anatomy_of(model)
    set_depth(model, anatomy, depth, dropout=0.2)
    return model, anatomy, next(iter(cuts(anatomy, depth)), None)


def texts() -> Encoded:
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 17, ROWS)
    ids = [np.array([1, *rng.integers(4, 30, length - 2), 2], np.int32) for length in lengths]
    labels = rng.integers(3, size=ROWS).astype(np.int32)
    return encoded_texts(ids, labels)


def rows_of(name: str) -> Encoded:
    if name not in VISION:
        return texts()
    side = getattr(configs()[name], "image_size", 64)
    return encoded_images(np.random.default_rng(0).standard_normal((ROWS, 3, side, side)))


def batch_source(name: str, states: States | None = None) -> BatchSource:
    return BatchSource(rows_of(name), np.arange(ROWS), CPU, states)


def of_the_same_batch(name: str, depth: int) -> Callable[[np.ndarray], Batch]:
    """States as the frozen prefix gives them for the very rows of a training batch."""
    model, anatomy, cut = build(name, depth)
    rows_alone = batch_source(name)

    def batch(rows: np.ndarray) -> Batch:
        whole = rows_alone.batch(rows)
        return replace(whole, states=cut_states(states_at(model, anatomy, cut, whole.inputs), cut))

    return batch


def out_of_the_store(name: str, depth: int, path: Path) -> Callable[[np.ndarray], Batch]:
    """States as a study keeps them: computed once, in batches of their own."""
    model, anatomy, cut = build(name, depth)
    evaluation_mode(model)
    rows = rows_of(name)
    sample = Sample(rows, TASK, {"label_smoothing": 0.0})
    one_label = depth == 0 and name != "t5-encoder"
    reads = tokens_read(model, anatomy, sample) if one_label else "all"
    layout = row_layout(model, anatomy, sample, cut) if reads == "all" else reads
    flat = kept(
        cut_states(states_at(model, anatomy, cut, sample.batch(CPU).inputs), cut), rows.lengths, layout
    )
    encoder = cut[0] if len(cut) > 1 else None
    planned = Boundary(name, 16, cut[-1], layout, tuple(flat.shape[1:]), 0, encoder)
    plan = CachePlan((planned,), fill_tokens=FILL_TOKENS)
    with store.writing(path, flat.shape, store.DTYPES[plan.dtype]) as target:
        fill(model, anatomy, rows, plan, plan.boundaries, {cut[-1]: target}, None, "fp32")
    stored = store.read(path, flat.shape, store.DTYPES[plan.dtype])
    offsets = positions(rows.lengths, layout)
    return batch_source(name, States(stored, layout, offsets, model.main_input_name)).batch


@dataclass
class Run:
    """What six steps gave, by step and name."""

    logits: dict[int, torch.Tensor] = field(default_factory=dict)
    gradients: dict[tuple[int, str], torch.Tensor] = field(default_factory=dict)
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    """And the moving statistics of BatchNorm."""


def train(name: str, depth: int, batch: Callable[[np.ndarray], Batch], cached: bool = True) -> Run:
    prepare_process(CPU, cpus=1)
    model, anatomy, cut = build(name, depth)
    trained = trained_parameters(model, anatomy, depth)
    optimizer = build_optimizer(model, trained, anatomy, config(learning_rate=1e-3))
    batches = [
        rows for epoch in range(EPOCHS) for rows in batches_by_length(texts().lengths, BATCH_ROWS, 0, epoch)
    ]
    run = Run()
    torch.manual_seed(1)
    with injected(model, anatomy, *cut) if cached else nullcontext() as cached_output:
        for step, rows in enumerate(batches):
            given = batch(rows)
            logits = forward(TASK, model, given, cached_output)["logits"]
            logits = logits[:, 0] if name == "t5-encoder" else logits  # labels of tokens: the first one's
            functional.cross_entropy(logits, given.targets["labels"]).backward()
            run.logits[step] = logits.detach()
            run.gradients.update({(step, key): parameter.grad for key, parameter in trained.items()})
            optimizer.step()
            optimizer.zero_grad()
    run.weights.update(model.state_dict())
    return run


def furthest(one: dict, other: dict) -> float:
    """The largest difference, in shares of the largest number."""
    assert one.keys() == other.keys()
    assert all((one[key] is None) == (other[key] is None) for key in one)
    kept = [key for key in one if one[key] is not None]
    return float(
        max((one[key] - other[key]).abs().max() for key in kept) / max(one[key].abs().max() for key in kept)
    )


@pytest.mark.parametrize(("name", "depth"), [(name, depth) for name in DEPTHS for depth in DEPTHS[name]])
def test_six_steps_with_stored_states_are_those_without(tmp_path, name, depth):
    model, anatomy, _ = build(name, depth)
    assert refusal(model, anatomy, depth) is None
    plain = train(name, depth, batch_source(name).batch, cached=False)
    assert any(not torch.equal(plain.weights[key], value) for key, value in model.state_dict().items())

    # The same states: the same bits, so what is put in place of the prefix changes nothing by itself.
    same = train(name, depth, of_the_same_batch(name, depth))
    assert furthest(plain.logits, same.logits) == 0
    assert furthest(plain.gradients, same.gradients) == 0
    assert all(torch.equal(plain.weights[key], value) for key, value in same.weights.items())

    kept = train(name, depth, out_of_the_store(name, depth, tmp_path / "kept.states"))
    assert furthest(plain.logits, kept.logits) < FORWARD
    assert furthest(plain.gradients, kept.gradients) < FORWARD
    for key, value in kept.weights.items():
        assert (plain.weights[key].double() - value.double()).abs().mean() < WEIGHTS

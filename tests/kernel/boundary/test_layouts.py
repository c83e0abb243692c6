"""Rows of one shape, one vector a row, decoders that are cut: what is stored of each changes nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from autoft.data.encoded import Encoded
from autoft.kernel.batch_source import BatchSource
from autoft.kernel.blocks import find_blocks
from autoft.kernel.boundary.head import find_chain
from autoft.kernel.boundary.inject import cuts, injected, states_at
from autoft.kernel.boundary.plan import Boundary, CachePlan
from autoft.kernel.boundary.states import States, kept, positions
from autoft.kernel.boundary.valid import Sample, difference, row_layout, tokens_read
from autoft.kernel.freeze import set_depth
from autoft.tasks.text_classification.task import TextClassification

from ...conformance.architectures import TEXT, WITHOUT_A_TASK
from ..tiny import TASK, anatomy_of, encoded_images, tiny_model
from .test_injection import rows

CPU = torch.device("cpu")
VALUES = {"label_smoothing": 0.0}
CHAINS = {
    "vit": ["vit.layernorm", "classifier"],
    "resnet": ["resnet.pooler", "classifier"],
    "convnext": [],
}
VISION = ("vit", "resnet", "convnext", "swin")


def examined(name):
    """A model, its anatomy and rows of one shape: six images, or two sounds."""
    if name in VISION:
        model = tiny_model(name).eval()
        side = getattr(model.config, "image_size", 64)
        pixels = np.random.default_rng(0).standard_normal((6, 3, side, side))
        return model, anatomy_of(model), Sample(encoded_images(pixels), TASK, VALUES)
    architecture = {**TEXT, **WITHOUT_A_TASK}[name]
    model = architecture.build().eval()
    inputs = architecture.inputs(model)
    arrays = {key: tensor.numpy() for key, tensor in inputs.items()}
    encoded = Encoded(arrays, {"labels": np.arange(2, dtype=np.int32)}, np.full(2, 16))
    return model, find_blocks(model, inputs), Sample(encoded, TASK, VALUES)


@pytest.mark.parametrize("name", [*VISION, "whisper", "ast"])
def test_rows_of_one_shape_change_no_bit_at_any_boundary(name):
    model, anatomy, sample = examined(name)
    for depth in range(len(anatomy.blocks)):
        (cut,) = cuts(anatomy, depth)
        assert row_layout(model, anatomy, sample, cut) == "fixed"
        assert difference(model, anatomy, depth, sample, "all") is None


@pytest.mark.parametrize(
    ("name", "reads", "shape"),
    [("vit", "first", (1, 16)), ("resnet", "mean", (32, 1, 1)), ("convnext", "mean", (32, 1, 1))],
)
def test_a_head_reads_one_vector_of_a_row_and_needs_one_row_of_pixels_for_them_all(name, reads, shape):
    model, anatomy, sample = examined(name)
    assert tokens_read(model, anatomy, sample) == reads
    assert difference(model, anatomy, 0, sample, reads) is None
    boundary, six = len(anatomy.blocks), np.arange(6)
    set_depth(model, anatomy, 0, dropout=0.0)
    model.eval()
    whole, lengths = BatchSource(sample.encoded, six, CPU).batch(six), sample.encoded.lengths
    flat = kept(states_at(model, anatomy, [boundary], whole.inputs)[boundary], lengths, reads)
    assert flat.shape == (6, *shape)
    chosen = six[::-1].copy()
    stored = States(flat, reads, positions(lengths, reads), "pixel_values")
    batch = BatchSource(sample.encoded, chosen, CPU, stored).batch(six)
    assert len(batch.inputs["pixel_values"]) == 1
    expected = model(**whole.inputs).logits.flip(0)
    with injected(model, anatomy, boundary) as cached_output:
        cached_output.states = batch.states
        torch.testing.assert_close(model(**batch.inputs).logits, expected)
        chain = find_chain(TASK, model, anatomy, cached_output, batch)
    # ConvNeXt takes the mean between its modules.
    assert [anatomy.head_names[anatomy.head.index(part)] for part in chain or ()] == CHAINS[name]


def test_a_norm_before_the_mean_is_noticed():
    model, anatomy, sample = examined("swin")
    assert tokens_read(model, anatomy, sample) == "all"
    assert difference(model, anatomy, 0, sample, "mean") == (
        "what follows the last block reads more than the mean of a row"
    )


def test_a_mean_leaves_the_padding_out():
    states = torch.tensor([[1.0, 3.0, 100.0], [1.0, 2.0, 6.0]]).unsqueeze(-1)
    assert kept(states, np.array([2, 3]), "mean").flatten().tolist() == [2.0, 3.0]


def test_rows_that_depend_on_their_batch_are_noticed():
    model, anatomy, sample = examined("vit")
    anatomy.blocks[1].register_forward_hook(lambda module, args, output: output + output.mean(dim=0))
    assert difference(model, anatomy, 1, sample, "all") == "a row's states depend on the rows of its batch"


@pytest.mark.parametrize(
    ("name", "depth", "cut"),
    [("bart", 1, (1, 2)), ("umt5", 2, (3, 4)), ("t5", 1, (3, 5)), ("t5", 2, (3,)), ("bart", 0, (3,))],
)
def test_a_decoder_is_cut_with_its_encoder_s_output_or_above_it_alone(name, depth, cut):
    model = tiny_model(name).eval()
    anatomy = anatomy_of(model)
    end = (anatomy.encoder_end,)
    assert cuts(anatomy, depth) == list(dict.fromkeys((cut, end)))  # T5's first block has to run
    for each in (cut, end):
        assert difference(model, anatomy, depth, rows(), "all", each) is None


class Continued(TextClassification):
    """Reads the logits of each token that a decoder gives."""

    def loss(self, outputs, batch, values):
        logits = outputs["logits"]
        weights = torch.linspace(1, 2, logits[0].numel()).view(
            logits.shape[1:]
        )  # their plain sum is constant
        return (logits * weights).sum()


@pytest.mark.parametrize("name", ["bart-lm", "t5-lm"])
def test_where_rows_of_the_decoder_have_lengths_of_their_own_the_encoder_s_output_alone_is_stored(name):
    architecture = WITHOUT_A_TASK[name]
    model = architecture.build().eval()
    anatomy = find_blocks(model, architecture.inputs(model))
    end, top = anatomy.encoder_end, len(anatomy.blocks)
    # Seven tokens each, other ones for each row.
    answers = np.random.default_rng(0).integers(4, 11, (6, 7)).astype(np.int32)
    texts = rows().encoded
    encoded = replace(texts, inputs={**texts.inputs, "decoder_input_ids": answers})
    sample = Sample(encoded, Continued(), VALUES)
    both = difference(model, anatomy, 1, sample, "all", (end, top - 1))
    assert "neither one for each of its tokens nor" in both
    for depth in range(1, top - end):
        assert difference(model, anatomy, depth, sample, "all", (end,)) is None

    # Any rows in any order, whatever else is in their batch, answer as the whole model answers to them.
    set_depth(model, anatomy, 1, dropout=0.0)
    model.eval()
    flat = kept(states_at(model, anatomy, [end], sample.batch(CPU).inputs)[end], texts.lengths, "ragged")
    stored = States(flat, "ragged", positions(texts.lengths, "ragged"), "input_ids")
    plain, cut = (BatchSource(encoded, np.array([5, 0, 3, 1]), CPU, of) for of in (None, stored))
    chosen = [*cut.evaluated, np.array([2, 0]), np.array([1]), np.array([0, 0, 3])]
    for few in chosen:
        expected = model(**plain.batch(few).inputs).logits
        with injected(model, anatomy, end) as cached_output:
            batch = cut.batch(few)
            cached_output.states = batch.states
            torch.testing.assert_close(model(**batch.inputs).logits, expected)


def test_a_plan_says_what_each_depth_reads_and_one_of_before_is_read():
    encoder = Boundary("m", 16, 3, "ragged", (16,), 1, readers=(3, 4))
    both = Boundary("m", 16, 5, "ragged", (32,), 2, encoder=3)
    images = Boundary("v", 16, 2, "fixed", (17, 16), 3)
    plan = CachePlan((encoder, both, images))
    assert [plan.read("m", 16, frozen) for frozen in (2, 3, 4, 5)] == [None, encoder, encoder, both]
    assert (encoder.cut, both.cut) == ((3,), (3, 5))
    assert CachePlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    before = {"model": "m", "max_length": 16, "boundary": 2, "width": 16, "bytes": 1}
    stored = plan.to_json() | {"boundaries": [before | {"reads": reads} for reads in ("all", "last")]}
    assert CachePlan.from_json(stored).boundaries == (
        Boundary("m", 16, 2, "ragged", (16,), 1),
        Boundary("m", 16, 2, "last", (1, 16), 1),
    )

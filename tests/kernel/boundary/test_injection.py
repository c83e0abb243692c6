"""Stored states give what the whole model gives, for many architectures."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from autoft.kernel.boundary.inject import cuts, injected
from autoft.kernel.boundary.valid import Sample, difference, refusal, tokens_read

from ..tiny import TASK, anatomy_of, encoded_texts, tiny_model

READS = {
    **dict.fromkeys(("bert", "distilbert", "roberta", "deberta-v2", "electra"), "first"),
    **dict.fromkeys(("mpnet", "modernbert", "mobilebert"), "first"),
    **dict.fromkeys(("gpt2", "llama", "mixtral"), "last"),
}
MORE_THAN_STATES = "takes more than hidden states from below"


def rows() -> Sample:
    """Six rows that begin and end with a special token, as tokenizers make them."""
    rng = np.random.default_rng(0)
    lengths = np.array([3, 5, 9, 9, 12, 16])
    ids = [np.array([1, *rng.integers(4, 30, length - 2), 2], np.int32) for length in lengths]
    return Sample(encoded_texts(ids, np.arange(6) % 3), TASK, {"label_smoothing": 0.0})


def loaded(name):
    model = tiny_model(name).eval()
    return model, anatomy_of(model)


@pytest.mark.parametrize("name", [*READS, "bart", "umt5"])
def test_logits_are_equal_and_gradients_too_at_every_boundary(name):
    model, anatomy = loaded(name)
    for depth in range(len(anatomy.blocks)):
        assert refusal(model, anatomy, depth) is None
        assert difference(model, anatomy, depth, rows(), "all") is None


@pytest.mark.parametrize(("name", "reads"), READS.items())
def test_the_head_reads_one_token_and_needs_no_other(name, reads):
    model, anatomy = loaded(name)
    assert tokens_read(model, anatomy, rows()) == reads
    assert difference(model, anatomy, 0, rows(), reads) is None
    wrong = "first" if reads == "last" else "last"
    assert difference(model, anatomy, 0, rows(), wrong) == (
        f"what follows the last block reads more than the {wrong} token of a row"
    )


def test_a_head_that_reads_the_mean_needs_all_tokens():
    model = tiny_model("modernbert").eval()
    model.config.classifier_pooling = "mean"
    anatomy = anatomy_of(model)
    assert tokens_read(model, anatomy, rows()) == "all"
    assert difference(model, anatomy, 0, rows(), "all") is None


def test_a_position_bias_is_made_anew_by_the_block_that_makes_it_and_handed_on_by_the_others():
    model, anatomy = loaded("t5")
    ran: list[str] = []
    for name, block in zip(anatomy.block_names, anatomy.blocks, strict=True):
        block.register_forward_hook(lambda *_, name=name: ran.append(name))
    # Three blocks in the encoder, three in the decoder. Depths 5 and 2 train all but the first of one: in the
    # encoder nothing can be left out then, below a decoder the encoder can.
    for depth, run in ((0, ()), (1, (3, 5)), (2, (3, 4, 5)), (3, (3, 4, 5)), (4, (0, 2, 3, 4, 5))):
        assert refusal(model, anatomy, depth) is None
        assert difference(model, anatomy, depth, rows(), "all") is None
        ran.clear()
        cut = cuts(anatomy, depth)[0]
        with injected(model, anatomy, *cut) as cached_output:
            cached_output.states = torch.zeros(2, 5, 16 * len(cut))
            model(input_ids=torch.full((2, 5), 2))
        assert ran == [anatomy.block_names[i] for i in run]
    assert cuts(anatomy, 5) == []
    assert "all frozen blocks have to run" in refusal(model, anatomy, 5)
    assert tokens_read(model, anatomy, rows()) == "last"
    assert difference(model, anatomy, 0, rows(), "last") is None


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_the_check_notices_what_was_not_handed_up(name):
    model, anatomy = loaded(name)
    blind = replace(anatomy, still_run=(0,) * len(anatomy.still_run), encoder_end=None)
    found = [difference(model, blind, depth, rows(), "all") for depth in range(len(anatomy.blocks))]
    crossed = [anatomy.still_run[len(anatomy.blocks) - depth] > 0 for depth in range(len(anatomy.blocks))]
    assert [MORE_THAN_STATES in str(reason) for reason in found] == crossed
    deaf = replace(anatomy, block_outlets=tuple(o and (None,) * len(o) for o in anatomy.block_outlets))
    found = [difference(model, deaf, depth, rows(), "all") for depth in (1, 4) if name == "t5"]
    assert all(MORE_THAN_STATES in reason for reason in found)


def test_shared_and_trained_parameters_are_refused_in_words():
    model, anatomy = loaded("albert")
    assert "runs 3 times with shared parameters" in refusal(model, anatomy, 0)
    model, anatomy = loaded("bert")
    assert "the embeddings are trained" in refusal(model, anatomy, "all")
    assert refusal(model, anatomy, 3) == "no block is frozen"
    anatomy.blocks[2].output.dense.bias = anatomy.blocks[0].output.dense.bias
    assert "encoder.layer.0.output.dense.bias is shared" in refusal(model, anatomy, 1)


def test_padding_that_reaches_rows_is_noticed():
    model, anatomy = loaded("bert")
    top = anatomy.blocks[2]
    # A block without a mask, as in FNet.
    top.register_forward_hook(lambda module, args, output: output + args[0].mean(dim=1, keepdim=True))
    reason = difference(model, anatomy, 1, rows(), "all")
    assert reason == "a row's states depend on how far its batch is padded"


def test_the_model_is_whole_again_afterwards_also_after_an_error():
    model, anatomy = loaded("bert")
    modules = dict(model.named_modules())
    with injected(model, anatomy, 2), pytest.raises(AssertionError):
        model(input_ids=torch.ones(1, 3, dtype=torch.long))  # without states
    assert dict(model.named_modules()) == modules
    with injected(model, anatomy, 2):
        assert "bert.encoder.layer.0.output.dense" not in dict(model.named_modules())
    assert dict(model.named_modules()) == modules

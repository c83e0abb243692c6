"""What is found beside the blocks, which `conformance` has.

It is written down from each architecture's source in transformers.
"""

import pytest
import torch
import transformers as hf

from autoft.errors import ModelError
from autoft.kernel.blocks import describe_depths, find_blocks, require_depth

from ..conformance.architectures import LANGUAGE
from .tiny import anatomy_of, configs, tiny_inputs, tiny_model

HEADS = {
    "bert": ["bert.pooler", "dropout", "classifier"],
    "distilbert": ["pre_classifier", "classifier", "dropout"],
    "roberta": ["classifier"],
    "deberta-v2": ["pooler", "classifier", "dropout"],
    "gpt2": ["transformer.ln_f", "score"],
    "modernbert": ["model.final_norm", "head", "drop", "classifier"],
    "llama": ["model.norm", "score"],
    # The decoder's dropout is not among them: it serves the embeddings too.
    "t5": ["transformer.decoder.final_layer_norm", "classification_head"],
    "vit": ["vit.layernorm", "classifier"],
    "convnext": ["convnext.layernorm", "classifier"],
    "resnet": ["resnet.pooler", "classifier"],
}


@pytest.mark.parametrize("name", HEADS)
def test_what_follows_the_last_block_is_head(name):
    assert list(anatomy_of(tiny_model(name)).head_names) == HEADS[name]


def test_an_encoder_without_a_head_of_its_own():
    torch.manual_seed(0)
    anatomy = anatomy_of(hf.T5EncoderModel(configs()["t5"]))
    assert list(anatomy.block_names) == [f"encoder.block.{i}" for i in range(3)]
    assert list(anatomy.head_names) == ["encoder.final_layer_norm"]


def test_a_model_without_a_stack_is_refused():
    # XLM keeps its attentions, norms and feed-forward networks in parallel lists.
    with pytest.raises(ModelError, match="XLMForSequenceClassification: cannot find its blocks"):
        anatomy_of(tiny_model("xlm"))


@pytest.mark.parametrize(
    ("name", "still_run"),
    [
        # Encoders and decoders of three blocks. T5's first of each makes the bias that the others hand on;
        # a decoder's block takes what the encoder made, which has to run then.
        ("t5", (0, 1, 1, 0, 4, 4, 0)),
        ("umt5", (0, 0, 0, 0, 3, 3, 0)),
        ("bart", (0, 0, 1, 0)),  # one and two
        ("bert", (0, 0, 0, 0)),
        # Masks, position biases and rotations are older than every block.
        ("deberta-v2", (0, 0, 0, 0)),
        ("mpnet", (0, 0, 0, 0)),
        ("modernbert", (0, 0, 0, 0)),
        ("llama", (0, 0, 0, 0)),
        ("convnext", (0, 0, 0, 0, 0, 0)),
        ("swin", (0, 0, 0, 0)),
    ],
)
def test_blocks_that_make_more_than_states_still_run_below_a_boundary(name, still_run):
    assert anatomy_of(tiny_model(name)).still_run == still_run


@pytest.mark.parametrize(
    ("name", "end"), [("t5", 3), ("umt5", 3), ("bart", 1), ("bert", None), ("swin", None), ("mpnet", None)]
)
def test_an_encoder_ends_where_all_blocks_above_take_its_output(name, end):
    assert anatomy_of(tiny_model(name)).encoder_end == end


def test_t5_s_blocks_hand_on_the_biases_that_they_are_given():
    # Arguments 2 and 5 of a block: the bias of its attention to itself and of that to the encoder.
    outlets = anatomy_of(tiny_model("t5")).block_outlets
    assert outlets == ((None, None, None), *[(None, 2, None)] * 2, (None, None, None), *[(None, 2, 5)] * 2)


def test_nothing_stands_for_the_embeddings_of_an_encoder_and_a_decoder_whose_rows_are_alike_by_chance():
    model = LANGUAGE["t5-lm"].build()
    inputs = tiny_inputs(model)
    assert find_blocks(model, {**inputs, "decoder_input_ids": inputs["input_ids"]}).stem_name is None
    assert anatomy_of(tiny_model("bert")).stem_name == "bert.embeddings"


def test_a_depth_that_the_model_does_not_have_is_refused_with_its_number_of_blocks():
    model = tiny_model("bert")
    anatomy = anatomy_of(model)
    for depth in (0, 3, "all"):
        require_depth(anatomy, depth)
    with pytest.raises(ModelError, match="the model's 3 blocks, or `all`, got 4"):
        require_depth(anatomy, 4)
    with pytest.raises(ModelError, match="got -1"):
        require_depth(anatomy, -1)


def test_numbers_trained_at_each_depth():
    model = tiny_model("bert")
    # A layer: four attention maps, two feed-forward maps, two norms; hidden 16, intermediate 32.
    layer = 4 * (16 * 16 + 16) + (16 * 32 + 32) + (32 * 16 + 16) + 2 * 32
    head = (16 * 16 + 16) + (16 * 3 + 3)
    everything = sum(parameter.numel() for parameter in model.parameters())
    assert describe_depths(model, anatomy_of(model), (0, 1, 3, "all")) == {
        0: head,
        1: head + layer,
        3: head + 3 * layer,
        "all": everything,
    }


def test_the_frozen_prefix_and_the_trained_blocks_meet_at_the_boundary():
    anatomy = anatomy_of(tiny_model("bert"))
    for depth in (0, 1, 2, 3):
        assert anatomy.frozen_blocks(depth) + anatomy.trained_blocks(depth) == anatomy.blocks
        assert len(anatomy.trained_blocks(depth)) == depth
    assert anatomy.frozen_blocks("all") == ()


def test_looking_leaves_no_trace():
    model = tiny_model("bert")
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    anatomy_of(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)

"""Expected blocks are written down from each architecture's source in transformers."""

import pytest
import torch
import transformers as hf

from autoft.errors import ModelError
from autoft.kernel.blocks import describe_depths, find_blocks, require_depth, trained_parameters

from .tiny import VISION, configs, tiny_model


def layers(prefix: str, count: int = 3) -> list[str]:
    return [f"{prefix}.{i}" for i in range(count)]


BLOCKS = {
    "bert": layers("bert.encoder.layer"),
    "distilbert": layers("distilbert.transformer.layer"),
    "roberta": layers("roberta.encoder.layer"),
    "deberta-v2": layers("deberta.encoder.layer"),
    "gpt2": layers("transformer.h"),
    "electra": layers("electra.encoder.layer"),
    "mpnet": layers("mpnet.encoder.layer"),
    "modernbert": layers("model.layers"),
    "albert": ["albert.encoder.albert_layer_groups.0.albert_layers.0"],
    "llama": layers("model.layers"),
    "mixtral": layers("model.layers"),
    "mobilebert": layers("mobilebert.encoder.layer"),
    "bart": [*layers("model.encoder.layers", 1), *layers("model.decoder.layers", 2)],
    "t5": [*layers("transformer.encoder.block"), *layers("transformer.decoder.block")],
    "umt5": [*layers("transformer.encoder.block"), *layers("transformer.decoder.block")],
    "vit": layers("vit.layers"),
    "convnext": [
        "convnext.encoder.stages.0.layers.0",
        *layers("convnext.encoder.stages.1.layers", 2),
        "convnext.encoder.stages.2.layers.0",
        "convnext.encoder.stages.3.layers.0",
    ],
    "resnet": ["resnet.encoder.stages.0.layers.0", *layers("resnet.encoder.stages.1.layers", 2)],
    "swin": ["swin.encoder.layers.0.blocks.0", *layers("swin.encoder.layers.1.blocks", 2)],
}
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


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_found_in_forward_order(name):
    assert list(find_blocks(tiny_model(name)).block_names) == BLOCKS[name]


@pytest.mark.parametrize("name", HEADS)
def test_what_follows_the_last_block_is_head(name):
    assert list(find_blocks(tiny_model(name)).head_names) == HEADS[name]


def test_every_architecture_of_the_table_is_looked_for():
    assert set(BLOCKS) == set(configs()) - {"xlm"}
    assert set(VISION) < set(BLOCKS)


def test_an_encoder_without_a_head_of_its_own():
    torch.manual_seed(0)
    anatomy = find_blocks(hf.T5EncoderModel(configs()["t5"]))
    assert list(anatomy.block_names) == layers("encoder.block")
    assert list(anatomy.head_names) == ["encoder.final_layer_norm"]


def test_a_model_without_a_stack_is_refused():
    # XLM keeps its attentions, norms and feed-forward networks in parallel lists.
    with pytest.raises(ModelError, match="XLMForSequenceClassification: cannot find its blocks"):
        find_blocks(tiny_model("xlm"))


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("deberta-v2", ["deberta.encoder.rel_embeddings.weight", "deberta.encoder.LayerNorm.weight"]),
        ("mpnet", ["mpnet.encoder.relative_attention_bias.weight"]),
        (
            "t5",
            [
                f"transformer.{part}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
                for part in ("encoder", "decoder")
            ],
        ),
        ("convnext", ["convnext.encoder.stages.1.downsampling_layer.1.weight"]),
    ],
)
def test_what_blocks_share_is_trained_by_all_only(name, shared):
    model = tiny_model(name)
    anatomy = find_blocks(model)
    assert not set(shared) & set(trained_parameters(model, anatomy, len(anatomy.blocks)))
    assert set(shared) <= set(trained_parameters(model, anatomy, "all"))


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
    assert find_blocks(tiny_model(name)).still_run == still_run


def test_t5_s_blocks_hand_on_the_biases_that_they_are_given():
    # Arguments 2 and 5 of a block: the bias of its attention to itself and of that to the encoder.
    outlets = find_blocks(tiny_model("t5")).block_outlets
    assert outlets == ((None, None, None), *[(None, 2, None)] * 2, (None, None, None), *[(None, 2, 5)] * 2)


def test_a_depth_that_the_model_does_not_have_is_refused_with_its_number_of_blocks():
    model = tiny_model("bert")
    anatomy = find_blocks(model)
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
    assert describe_depths(model, find_blocks(model), (0, 1, 3, "all")) == {
        0: head,
        1: head + layer,
        3: head + 3 * layer,
        "all": everything,
    }


def test_the_frozen_prefix_and_the_trained_blocks_meet_at_the_boundary():
    anatomy = find_blocks(tiny_model("bert"))
    for depth in (0, 1, 2, 3):
        assert anatomy.frozen_blocks(depth) + anatomy.trained_blocks(depth) == anatomy.blocks
        assert len(anatomy.trained_blocks(depth)) == depth
    assert anatomy.frozen_blocks("all") == ()


def test_looking_leaves_no_trace():
    model = tiny_model("bert")
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    find_blocks(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)

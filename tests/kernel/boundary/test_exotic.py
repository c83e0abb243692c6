"""Architectures that cannot be cut, or mix padding in: nothing is stored, and nothing breaks."""

import pytest
import torch
import transformers as hf

from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.pretrained import ModelSource

from ..tiny import ENCODER, WORDS, study_inputs, tiny_tokenizer
from .test_cache import request

SMALL = {"vocab_size": len(WORDS), "pad_token_id": 0, "num_labels": 3}
CONFIGS = {
    "xlnet": hf.XLNetConfig(d_model=16, n_layer=3, n_head=2, d_inner=32, **SMALL),
    "longformer": hf.LongformerConfig(**ENCODER | {"attention_window": 4, "max_position_embeddings": 64}),
    "canine": hf.CanineConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, num_labels=3
    ),
    "openai-gpt": hf.OpenAIGPTConfig(n_embd=16, n_layer=3, n_head=2, n_positions=40, **SMALL),
    "fnet": hf.FNetConfig(hidden_size=16, num_hidden_layers=3, intermediate_size=32, **SMALL),
    "convbert": hf.ConvBertConfig(**ENCODER, embedding_size=16),
}
PADDING = "a row's states depend on how far its batch is padded"


def plan_of(name, folder):
    torch.manual_seed(0)
    hf.AutoModel.from_config(CONFIGS[name]).save_pretrained(folder / name)
    tiny_tokenizer().save_pretrained(folder / name)
    things = study_inputs(folder, ModelSource(f"./{name}", str(folder / name)))
    return plan_cache(request(name), things, "fp32", passes={"train": 100.0, "validation": 100.0})


@pytest.mark.parametrize("name", CONFIGS)
def test_a_plan_is_made_for_every_architecture(tmp_path, name):
    plan = plan_of(name, tmp_path)
    assert plan.first_token == {}
    assert len(plan.boundaries) < 3 or name == "longformer"


@pytest.mark.parametrize("name", ["fnet", "convbert"])
def test_an_architecture_that_mixes_padding_in_stores_nothing_and_says_why(tmp_path, name):
    plan = plan_of(name, tmp_path)
    assert plan.boundaries == ()
    assert any(PADDING in warning for warning in plan.warnings)

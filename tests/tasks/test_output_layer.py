"""Which layer gives a model's answer."""

import pytest
from torch import nn

from autoft.tasks.output_layer import output_layer

from ..kernel.tiny import tiny_model

LAYERS = {
    "bert": "classifier",
    "roberta": "classifier.out_proj",
    "modernbert": "classifier",
    "gpt2": "score",
    "bart": "classification_head.out_proj",
    "xlm": "sequence_summary.summary",
}


@pytest.mark.parametrize(("name", "layer"), LAYERS.items())
def test_it_is_the_last_of_the_head_and_none_of_the_base_model(name, layer):
    model = tiny_model(name)
    assert output_layer(model, 3) is model.get_submodule(layer)
    base = model.base_model_prefix
    model._modules[base] = model._modules.pop(base)  # registered behind the head
    model.base_model.gate = nn.Linear(16, 3)
    assert output_layer(model, 3) is model.get_submodule(layer)
    assert output_layer(model, 4) is None
    model.base_model.gate = nn.Linear(16, 4)
    assert output_layer(model, 4) is None


def test_a_layer_as_wide_as_the_labels_are_many_comes_before_it():
    model = tiny_model("roberta", num_labels=16)  # as wide as its states
    assert output_layer(model, 16) is model.classifier.out_proj

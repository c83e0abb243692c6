"""What the top block makes of tokens that the head does not read can be left out."""

from dataclasses import replace

import pytest

from autoft.kernel.blocks import trained_parameters
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.boundary.valid import agree, equal, outputs_and_gradients
from autoft.kernel.freeze import set_depth
from autoft.kernel.top_block import find_part, first_token_only
from autoft.kernel.workbench import Workbench

from .boundary.test_injection import rows
from .test_workbench import measured
from .tiny import anatomy_of, save_pretrained, study_inputs, tiny_model

PARTS = {
    "bert": "bert.encoder.layer.2.attention.output",
    "roberta": "roberta.encoder.layer.2.attention.output",
    "electra": "electra.encoder.layer.2.attention.output",
    "deberta-v2": "deberta.encoder.layer.2.attention.output",
    "distilbert": "distilbert.transformer.layer.2.sa_layer_norm",
    "mpnet": "mpnet.encoder.layer.2.attention.LayerNorm",
}


def found(name):
    model = tiny_model(name).eval()
    anatomy = anatomy_of(model)
    return model, anatomy, find_part(model, anatomy, rows())


@pytest.mark.parametrize(("name", "part"), PARTS.items())
def test_the_part_begins_right_behind_the_attention(name, part):
    assert found(name)[2] == part


@pytest.mark.parametrize("name", ["albert", "gpt2", "llama", "modernbert"])
def test_there_is_none_where_blocks_are_shared_other_tokens_are_read_or_residuals_pass_by(name):
    assert found(name)[2] is None


def test_a_head_that_reads_the_mean_keeps_all_tokens():
    model = tiny_model("modernbert").eval()
    model.config.classifier_pooling = "mean"
    assert find_part(model, anatomy_of(model), rows()) is None


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("depth", [1, 2, "all"])
def test_outputs_and_gradients_agree_at_every_depth(name, depth):
    model, anatomy, part = found(name)
    set_depth(model, anatomy, depth, dropout=0.0)
    trained = list(trained_parameters(model, anatomy, depth).values())
    sample, batch = rows(), rows().batch(model.device)
    plain, gradients = outputs_and_gradients(model, sample, batch, trained)
    with first_token_only(model, part):
        narrow, narrow_gradients = outputs_and_gradients(model, sample, batch, trained)
    assert agree([*plain, *gradients], [*narrow, *narrow_gradients])
    again, _ = outputs_and_gradients(model, sample, batch, trained)
    assert equal(again, plain)  # the hook is gone


def test_a_trial_measures_what_it_would_with_whole_rows(tmp_path):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    narrowing = replace(things, cache_plan=CachePlan(first_token={"bert": PARTS["bert"]}))
    path = tmp_path / "1.safetensors"
    differs = set()
    for depth in (0, 2, "all"):
        changes = {"model": "bert", "unfreeze_depth": depth, "dropout": 0.0}
        expected = measured(Workbench(things), path, **changes)
        # Sums over other numbers of tokens differ in the last bits, and training carries them on.
        found = measured(Workbench(narrowing), path, **changes)
        assert found == [pytest.approx(each, rel=1e-4) for each in expected]
        differs |= {depth} if found != expected else set()
    assert differs  # so something else was computed

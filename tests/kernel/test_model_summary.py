import json
from dataclasses import replace

import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from autoft.data.files import read_table
from autoft.errors import ModelError
from autoft.kernel.model_summary import fit_to_models
from autoft.spec.read import read_spec

from .tiny import TARGETS, save_pretrained, write_rows


@pytest.fixture
def folder(tmp_path):
    save_pretrained("bert", tmp_path)  # three blocks, 40 positions
    return tmp_path


def spec(folder, **space):
    return read_spec(
        {
            "study": "facts",
            "task": "text-classification",
            "model": str(folder),
            "data": {"path": "rows.csv", "inputs": "text", "target": "color"},
            "objective": "macro_f1",
            "budget": {"trials": 1},
            "space": {"max_length": 16, **space},
        }
    )


def depths(fitted):
    return next(p.domain.values for p in fitted.space.parameters if p.name == "unfreeze_depth")


def test_a_model_is_known_by_its_weights_and_its_tokenizer(folder):
    def digests():
        ref = fit_to_models(spec(folder), TARGETS, 100)[0].models[0]
        return ref.weights, ref.tokenizer

    before = digests()
    assert digests() == before  # what the head begins with is no part of it
    vocabulary = folder / "tokenizer.json"
    vocabulary.write_text(vocabulary.read_text().replace('"red"', '"rot"'))
    other_words = digests()
    assert (other_words[0] == before[0], other_words[1] == before[1]) == (True, False)
    numbers = load_file(folder / "model.safetensors")
    numbers["encoder.layer.1.output.dense.bias"][0] += 1e-3
    save_file(numbers, folder / "model.safetensors", {"format": "pt"})
    assert digests()[0] != before[0]


def test_depths_that_are_there_by_default_are_fitted_to_the_model(folder):
    fitted, (summary,) = fit_to_models(spec(folder), TARGETS, 100)
    assert depths(fitted) == (0, 1, 2, "all")  # 4 is more than the model's three blocks
    assert summary.blocks == 3
    assert list(summary.trained) == [0, 1, 2, 3, "all"]
    assert summary.trained["all"] == summary.parameters
    assert sorted(summary.trained.values()) == list(summary.trained.values())


def test_what_is_recommended_suits_what_the_space_fixes(folder):
    def values(**space):
        fitted = fit_to_models(spec(folder, **space), TARGETS, 2_000)[0].space
        low, high = fitted.ends("learning_rate")
        return (*(fitted.resolve({})[name] for name in ("learning_rate", "batch_size", "epochs")), low, high)

    rate, _, epochs, low, high = values()
    assert (rate, epochs, low, high) == (5e-4, 5, 6.3e-5, 4e-3)
    assert values(batch_size=32)[:3] == (rate, 32, 2 * epochs)
    assert values(batch_size=[4, 8])[2] == 3  # the fewest
    assert values(unfreeze_depth=[0, 1]) == (3 * rate, 16, epochs, 1.9e-4, 1.2e-2)  # one block of three
    assert values(unfreeze_depth=0) == (3e-3, 16, epochs, 3.8e-4, 2.4e-2)
    assert values(unfreeze_depth=[1, "all"])[0] == values(unfreeze_depth=3)[0] == rate
    few = values(batch_size=8)[2]
    assert values(batch_size=[8, 64])[2] == few < epochs  # trial 0 has 8, which is nearer to 16
    on_16 = {"values": [0, 1], "when": {"batch_size": 16}}
    assert values(batch_size=[16, 32], unfreeze_depth=on_16)[0] == 3 * rate
    on_64 = {**on_16, "when": {"batch_size": 64}}
    assert values(batch_size=[16, 64], unfreeze_depth=on_64)[0] == rate  # it does not count in trial 0


def test_a_depth_that_the_user_asks_for_is_refused_with_the_model_and_its_blocks(folder):
    with pytest.raises(ModelError, match=r"3 blocks, or `all`, got 4") as error:
        fit_to_models(spec(folder, unfreeze_depth=[0, 4]), TARGETS, 100)
    assert str(error.value).startswith(str(folder))


def test_rows_longer_than_the_model_takes_are_refused_before_the_first_trial(folder):
    with pytest.raises(ModelError, match="at most the model's 40 tokens, got 64"):
        fit_to_models(spec(folder, max_length=[16, 64]), TARGETS, 100)


def test_every_model_of_a_searched_list_has_to_fit(folder, tmp_path):
    one = spec(folder)
    missing = replace(one.models[0], name="gone", location=str(tmp_path / "gone"))
    with pytest.raises(ModelError, match="gone"):
        fit_to_models(replace(one, models=(*one.models, missing)), TARGETS, 100)


def added(folder, *tokens):
    """The tokenizer in `folder` gets words that the model's embedding has no row for."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(list(tokens))
    tokenizer.save_pretrained(folder)


def test_tokens_beyond_the_embedding_are_refused_with_both_sizes_and_the_way_out(folder):
    added(folder, "parcel", "invoice")
    with pytest.raises(ModelError) as raised:  # 37 words, see tiny.py
        fit_to_models(spec(folder), TARGETS, 100)
    assert str(raised.value).startswith(
        f"{folder}: its tokenizer has 39 tokens, but the model has embeddings for 37, so none for `invoice`, "
        "`parcel`. Add them (model.resize_token_embeddings(39))"
    )
    model = AutoModel.from_pretrained(folder)
    model.resize_token_embeddings(39)
    model.save_pretrained(folder)
    fit_to_models(spec(folder), TARGETS, 100)  # as told


def test_a_padding_token_beyond_the_embedding_is_refused_too(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "<my pad>"})
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match="so none for `<my pad>`"):
        fit_to_models(spec(folder), TARGETS, 100)


def test_an_embedding_with_spare_rows_is_as_good(folder):
    model = AutoModel.from_pretrained(folder)
    model.resize_token_embeddings(64)
    model.save_pretrained(folder)
    added(folder, "parcel")
    _, found = fit_to_models(spec(folder), TARGETS, 100)
    assert [each.name for each in found] == [str(folder)]


def test_a_second_kind_of_token_that_the_model_lacks_is_refused_for_pairs_alone(folder, tmp_path):
    config = BertConfig.from_pretrained(folder)
    config.type_vocab_size = 1
    BertModel(config).save_pretrained(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    one = spec(folder)
    fit_to_models(one, TARGETS, 100, read_table(write_rows(tmp_path)))
    pairs = read_table(write_rows(tmp_path, n_inputs=2))
    with pytest.raises(ModelError, match=r"2 kinds of tokens apart .* embeddings for 1"):
        fit_to_models(one, TARGETS, 100, pairs)

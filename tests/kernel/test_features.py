"""Features of frozen states against transformers' own base model, a row at a time and so without padding."""

import numpy as np
import pytest
import torch
from transformers import AutoModel

from autoft.data.files import read_table
from autoft.kernel.workbench import Workbench

from .tiny import config, save_pretrained, study_inputs, tiny_tokenizer

ROWS = np.array([50, 3, 17, 4])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def source(folder):
    return save_pretrained("bert", folder / "bert")


@pytest.fixture(scope="module")
def alone(folder, source):
    """The last hidden states of each of the ROWS, [tokens, hidden]."""
    model, rows = AutoModel.from_pretrained(source.path_or_id).eval(), study_inputs(folder, source).rows
    texts = [read_table(rows)["input_0"][int(row)].as_py() for row in ROWS]
    with torch.no_grad():
        of_each = [model(**tiny_tokenizer()(text, return_tensors="pt")) for text in texts]
    return [each.last_hidden_state[0].numpy() for each in of_each]


def features(workbench, config):
    return workbench.frozen_features(config, workbench.encoded(config).take(ROWS))


def test_a_row_s_features_are_the_mean_of_its_last_hidden_states(folder, source, alone):
    found = features(Workbench(study_inputs(folder, source)), config(unfreeze_depth=1))
    assert found == pytest.approx(np.stack([each.mean(axis=0) for each in alone]), abs=1e-5)


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_of_an_encoder_and_decoder_they_are_the_encoder_s(tmp_path, name):
    source = save_pretrained(name, tmp_path / name)
    encoder = AutoModel.from_pretrained(source.path_or_id).eval().get_encoder()
    inputs = study_inputs(tmp_path, source)
    texts = read_table(inputs.rows)["input_0"].take(ROWS).to_pylist()
    with torch.no_grad():
        answers = [encoder(**tiny_tokenizer()(text, return_tensors="pt")) for text in texts]
    means = np.stack([each.last_hidden_state[0].mean(dim=0).numpy() for each in answers])
    found = features(Workbench(inputs), config(model=name))
    assert found == pytest.approx(means, abs=1e-5)


def test_where_a_task_asks_for_tokens_they_come_row_after_row(folder, source, alone, monkeypatch):
    workbench = Workbench(study_inputs(folder, source))
    task = type(workbench.study_inputs.task)

    def second_and_third(self, batch):
        wanted = torch.zeros_like(batch.inputs["attention_mask"], dtype=torch.bool)
        wanted[:, 1:3] = True
        return wanted

    monkeypatch.setattr(task, "tokens_of", second_and_third)
    found = features(workbench, config())
    assert found == pytest.approx(np.concatenate([each[1:3] for each in alone]), abs=1e-5)

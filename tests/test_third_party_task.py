"""A task of another package, whose rows are no texts: from the search to the champion."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf

from .acme_vectors import SIZE
from .conftest import REPOSITORY
from .spec.test_tasks import install

SPACE = """
task: acme-vectors
model: tiny
data: {path: signals.jsonl, inputs: signal, target: trend}
objective: macro_f1
space: {learning_rate: 1e-2, unfreeze_depth: 1, epochs: 4, dropout: 0}
budget: {trials: 1}
resources: {max_concurrent: 1}
register: {name: trends}
"""
SEARCHED = """
import json
from pathlib import Path
import numpy as np
import autoft
import pyarrow.compute as pc
from autoft.against_champion import compare_with_champion
from autoft.data.prepare import read_rows
from autoft.tracking.registry import Registered
best = autoft.search("one.yaml").best
uri, rows = "sqlite:///mlflow.db", read_rows(Path("studies/one/data/rows.arrow"))
targets = json.loads(rows.schema.metadata[b"targets"])
rows = rows.filter(pc.equal(rows["split"], "validation"))
found = compare_with_champion(uri, Registered("trends", 1, ""), 1, "macro_f1", rows, targets, print)
answer = autoft.load_best_model("one")(np.linspace(-1, 1, 40))
print("FOUND" + json.dumps([best.model_uri, best.value, found.one, found.other, found.rows, answer]))
"""


def write_model(folder):
    """A model whose inputs are floats, with convolutions that make one vector of SIZE of them."""
    config = hf.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, conv_dim=(8, 8),
        conv_stride=(5, 4), conv_kernel=(10, 4), num_feat_extract_layers=2, num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2, classifier_proj_size=8, apply_spec_augment=False, layerdrop=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    hf.AutoModel.from_config(config).save_pretrained(folder)
    hf.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(folder)


def write_rows(path, count, seed):
    """Numbers that rise or fall, and noise."""
    rng, rows = np.random.default_rng(seed), []
    for row in range(count):
        trend = ("up", "down")[row % 2]
        slope = np.linspace(-1, 1, SIZE) * (1 if trend == "up" else -1)
        signal = np.round(slope + rng.normal(0, 0.2, SIZE), 3)
        rows.append(json.dumps({"signal": signal.tolist(), "trend": trend}))
    path.write_text("\n".join(rows))


def test_a_task_without_texts_goes_from_search_to_champion(tmp_path):
    packages = tmp_path / "site-packages"  # what lies in the working directory is no library
    packages.mkdir()
    install(packages, "acme_vectors", Path(__file__).with_name("acme_vectors.py").read_text())
    shutil.copy(Path(__file__).with_name("acme_vectors_task.py"), packages)
    write_model(tmp_path / "tiny")
    write_rows(tmp_path / "signals.jsonl", 400, seed=0)
    (tmp_path / "one.yaml").write_text(SPACE)
    done = subprocess.run(
        [sys.executable, "-c", SEARCHED],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(packages), str(REPOSITORY)])},
    )
    assert "FOUND" in done.stdout, done.stdout[-3000:] + done.stderr[-6000:]
    uri, value, mine, theirs, compared, answer = json.loads(done.stdout.split("FOUND")[1].splitlines()[0])
    assert uri == "models:/trends/1"
    assert value > 0.7
    assert (mine, theirs, compared) == (pytest.approx(value), mine, 60)
    assert answer[0]["label"] == "up"

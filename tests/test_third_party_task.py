"""Tasks of another package, whose rows are no texts: from the search to the champion."""

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
from PIL import Image

from .acme_vectors import SIZE
from .conftest import REPOSITORY
from .kernel.tiny import save_pretrained
from .spec.test_tasks import install
from .tasks.toys import frame

SPACE = """
task: {task}
model: {model}
data: {data}
objective: macro_f1
space: {{learning_rate: 1e-2, unfreeze_depth: {depth}, epochs: 4, dropout: 0}}
budget: {{trials: 1}}
resources: {{max_concurrent: 1}}
register: {{name: {study}}}
"""
SEARCHED = """
import base64, json
from pathlib import Path
import numpy as np
import autoft
import mlflow
import pyarrow.compute as pc
from autoft.against_champion import compare_with_champion
from autoft.data.prepare import read_rows
from autoft.tracking.registry import Registered
uri, found = "sqlite:///mlflow.db", {}
image = base64.b64encode(Path("new.png").read_bytes()).decode()
for study, row in (("trends", np.linspace(-1, 1, 40)), ("colors", image)):
    best = autoft.search(f"{study}.yaml").best
    rows = read_rows(Path(f"studies/{study}/data/rows.arrow"))
    targets = json.loads(rows.schema.metadata[b"targets"])
    rows = rows.filter(pc.equal(rows["split"], "validation"))
    version = Registered(study, 1, "")
    compared = compare_with_champion(uri, version, 1, "macro_f1", rows, targets, print)
    answer = autoft.load_best_model(study)(row)
    found[study] = [best.model_uri, best.value, compared.one, compared.other, compared.rows, answer]
mlflow.set_tracking_uri(uri)
served = mlflow.pyfunc.load_model("models:/colors/1").predict([image]).iloc[0, 0]["label"]
verdict = autoft.load_study("colors").verdict.score
autoft.search("spied.yaml", overrides=["space.max_length=16"])
spied = json.loads(Path("studies/spied/data/spied.json").read_text())
opened = len(Path("studies/.sealed/spied/test_openings.jsonl").read_text().splitlines())
print("FOUND" + json.dumps([found, served, verdict, spied, opened]))
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


def write_vision_model(folder):
    """A ViT for images of 8 x 8 pixels."""
    config = hf.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=8,
        patch_size=4,
    )  # fmt: skip
    torch.manual_seed(0)
    hf.AutoModel.from_config(config).save_pretrained(folder)
    hf.ViTImageProcessorPil(size={"height": 8, "width": 8}).save_pretrained(folder)


def write_image(path, color, rng):
    """Noise, brighter in one of the colors."""
    pixels = rng.integers(0, 128, (8, 8, 3), np.uint8)
    pixels[..., ("red", "green", "blue").index(color)] += 100
    Image.fromarray(pixels).save(path)


def write_images(folder, count):
    """Images, and a csv that names each with its color."""
    rng, lines = np.random.default_rng(0), ["image,color"]
    (folder / "images").mkdir()
    for row in range(count):
        color = ("red", "blue")[row % 2]
        write_image(folder / f"images/{row}.png", color, rng)
        lines.append(f"images/{row}.png,{color}")
    (folder / "colors.csv").write_text("\n".join(lines))
    write_image(folder / "new.png", "blue", rng)


def write_marked_texts(folder):
    """A file a split; each text begins with a mark that names its split."""
    folder.mkdir()
    for seed, split in enumerate(("train", "validation", "test")):
        rows = frame("text-classification", 60, seed)
        rows["input"] = [f"zzq{split}{row} {text}" for row, text in enumerate(rows["input"])]
        rows.to_csv(folder / f"{split}.csv", index=False)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """What three searches have found, one after the other in one process: by study, and of some more."""
    folder = tmp_path_factory.mktemp("searched")
    packages = folder / "site-packages"  # what lies in the working directory is no library
    packages.mkdir()
    for module in ("acme_vectors", "acme_images", "acme_spy"):
        install(packages, module, Path(__file__).with_name(f"{module}.py").read_text())
        shutil.copy(Path(__file__).with_name(f"{module}_task.py"), packages)
    write_model(folder / "tiny")
    write_rows(folder / "signals.jsonl", 400, seed=0)
    write_vision_model(folder / "tiny-vit")
    write_images(folder, 400)
    save_pretrained("bert", folder / "tiny-bert")
    write_marked_texts(folder / "marked")
    signals = "{path: signals.jsonl, inputs: signal, target: trend}"
    images = "{path: colors.csv, inputs: image, target: color}"
    texts = "{path: marked, inputs: input, target: target, on_leak: warn}"
    for study, task, model, data, depth in (
        ("trends", "acme-vectors", "tiny", signals, 1),
        ("colors", "acme-images", "tiny-vit", images, "all"),
        ("spied", "acme-spy", "tiny-bert", texts, 0),
    ):
        space = SPACE.format(study=study, task=task, model=model, data=data, depth=depth)
        (folder / f"{study}.yaml").write_text(space)
    done = subprocess.run(
        [sys.executable, "-c", SEARCHED],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(packages), str(REPOSITORY)])},
    )
    assert "FOUND" in done.stdout, done.stdout[-3000:] + done.stderr[-6000:]
    return json.loads(done.stdout.split("FOUND")[1].splitlines()[0])


@pytest.mark.parametrize(("study", "label"), [("trends", "up"), ("colors", "blue")])
def test_a_task_without_texts_goes_from_search_to_champion(searched, study, label):
    uri, value, mine, theirs, compared, answer = searched[0][study]
    assert uri == f"models:/{study}/1"
    assert value > 0.7
    assert (mine, theirs, compared) == (pytest.approx(value), mine, 60)
    assert answer[0]["label"] == label


def test_a_model_of_images_is_judged_on_test_images_and_takes_a_new_one_by_mlflow(searched):
    _, served, verdict, *_ = searched
    assert served == "blue"
    assert verdict > 0.7


def test_a_trial_that_looks_for_the_test_rows_finds_the_others_alone(searched):
    *_, spied, opened = searched
    # Those that it is given it finds everywhere, so it would have found these.
    assert spied == {
        "memory": ["train", "validation"],
        "files": ["train", "validation"],
        "open": [],
        "given": ["train", "validation"],
    }
    assert opened == 1  # for the verdict, when all trials were over

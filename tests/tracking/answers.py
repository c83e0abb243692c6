"""Models whose every answer is written down: a real transformers model that looks up its only word."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2ForSequenceClassification, PreTrainedTokenizerFast

from autoft.tracking.saving import FineTuned

from ..data.prepared import RULES
from ..tasks.answers import example as rows_of


def answering(
    answers: Mapping[str, str],
    labels: Sequence[str],
    trained_rows: np.ndarray,
    example: tuple[str, ...],
    sureness: float = 10.0,
) -> FineTuned:
    """Gives each text, which is one word, the label of `answers`.

    A GPT-2 without blocks: the last token's embedding, which is its place among the words, goes to the head.
    """
    words = ["[PAD]", "[UNK]", *answers]
    config = GPT2Config(
        vocab_size=len(words), n_embd=len(words), n_layer=0, n_head=1, n_positions=4,
        pad_token_id=0, bos_token_id=0, eos_token_id=0,
        id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)},
    )  # fmt: skip
    model = GPT2ForSequenceClassification(config)
    with torch.no_grad():
        model.transformer.wte.weight.copy_(torch.eye(len(words)))
        model.transformer.wpe.weight.zero_()
        model.score.weight.zero_()
        for number, label in enumerate(answers.values(), start=2):
            # Of n words a LayerNorm makes sqrt(n - 1) of the 1.
            model.score.weight[labels.index(label), number] = sureness / (len(words) - 1) ** 0.5
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]")
    tokenizer.padding_side = "right"
    targets = {"labels": list(labels)}
    row = rows_of(*([text] for text in example))
    values = {"max_length": 4}
    return FineTuned(RULES, model.eval(), tokenizer, targets, "org/answering", values, row, trained_rows)

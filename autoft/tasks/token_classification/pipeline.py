"""What gives a text its entities."""

import re
from typing import Any

from seqeval.metrics.sequence_labeling import get_entities
from transformers import Pipeline

from autoft.data.text import begins


class EntityPipeline(Pipeline):
    """A transformers pipeline from a text to its entities, or from a list of texts to a list for each.

    A text is split at white space, or is a list of words in the list of texts. A word has the tag of its
    first token, as in training; transformers' own pipeline also tags the parts of a word such as Coca-Cola,
    which no training has looked at.
    """

    def _sanitize_parameters(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return {}, {}, {}

    def preprocess(self, input_: Any, **_: Any) -> dict[str, Any]:
        """The row's words, where they stand, and the model's inputs."""
        text = input_ if isinstance(input_, str) else " ".join(input_)
        found = re.finditer(r"\S+", text)
        spans = [each.span() for each in found] if isinstance(input_, str) else _spans(input_)
        words = [text[start:end] for start, end in spans] or [""]
        assert self.tokenizer is not None
        encoded = self.tokenizer(words, is_split_into_words=True, truncation=True, return_tensors="pt")
        return {"text": text, "spans": spans, "begins": begins(encoded.word_ids(0)), "inputs": dict(encoded)}

    def _forward(self, input_tensors: Any, **_: Any) -> Any:
        return {**input_tensors, "logits": self.model(**input_tensors.pop("inputs")).logits[0].float()}

    def postprocess(self, model_outputs: Any, **_: Any) -> list[dict[str, Any]]:
        """Type, mean probability of the tags, text and place of each entity, first to last."""
        text, spans = model_outputs["text"], model_outputs["spans"]
        probabilities = model_outputs["logits"].softmax(dim=-1)
        tags, scores = ["O"] * len(spans), [0.0] * len(spans)
        for token, word in enumerate(model_outputs["begins"]):
            if 0 <= word < len(spans):
                score, tag = probabilities[token].max(dim=-1)
                tags[word], scores[word] = self._name(int(tag)), float(score)
        return [
            {
                "entity_group": kind,
                "score": sum(scores[first : last + 1]) / (last + 1 - first),
                "word": text[spans[first][0] : spans[last][1]],
                "start": spans[first][0],
                "end": spans[last][1],
            }
            for kind, first, last in get_entities(tags)
        ]

    def _name(self, tag: int) -> str:
        names: Any = self.model.config.id2label
        return str(names[tag])


def _spans(words: list[str]) -> list[tuple[int, int]]:
    """Where the words stand in a text with a space between each two."""
    spans, start = [], 0
    for word in words:
        spans.append((start, start + len(word)))
        start += len(word) + 1
    return spans

"""Token classification: its tags, their place among the model's tokens, its loss and its metrics."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from seqeval.metrics.sequence_labeling import get_entities
from torch.nn import functional
from transformers import AutoModelForTokenClassification

from autoft.data.alike import alike_labels
from autoft.data.batch import Batch
from autoft.data.encoded import Array, Encoded, Ragged
from autoft.data.rows import Cell, RawSplit, elements
from autoft.data.targets import Targets
from autoft.data.text import WORDS, tokenize_words, tokenizer_fingerprint
from autoft.errors import DataError
from autoft.tasks import classification, plain, resampling
from autoft.tasks.breakdown import Breakdown
from autoft.tasks.label_sets import known_labels, rarest_strata
from autoft.tasks.outputs import LOGITS
from autoft.tasks.protocol import LossValues, Outputs, Predictions, Scorable, Served, Values
from autoft.tasks.row_answers import RowAnswer
from autoft.tasks.text import serve
from autoft.tasks.token_classification import TASK
from autoft.tasks.token_classification.baselines import BASELINES, linear
from autoft.tasks.token_classification.metrics import EntityCounts, by_type, metric_of
from autoft.tasks.token_classification.pipeline import EntityPipeline
from autoft.tasks.token_classification.word_tags import FINITE, IGNORED, LABELS, TAGS
from autoft.tasks.token_classification.words import load_word_tokenizer

OUTSIDE = "O"
_TAG = re.compile(r"O|[BI]-.+")
_OTHER_SCHEME = re.compile(r"[ESLU]-")


class TokenClassification:
    """See `tasks.protocol.Task`. A word has the tag of its first token; the others do not count."""

    spec = TASK
    auto_model = AutoModelForTokenClassification
    output_fields = (LOGITS,)
    pipeline_task = "token-classification"
    load_processor = staticmethod(load_word_tokenizer)
    fingerprint = staticmethod(tokenizer_fingerprint)
    baselines = BASELINES
    linear = staticmethod(linear)
    target_findings = staticmethod(alike_labels)
    output_size = staticmethod(classification.label_count)
    output_bias = staticmethod(plain.drawn_bias)
    guess_loss = staticmethod(classification.guess_loss)
    decide = staticmethod(plain.as_predicted)
    suspects = staticmethod(plain.no_suspects)
    check_model = staticmethod(plain.any_model)
    finish = staticmethod(plain.keep_model)
    finished = staticmethod(plain.keep_targets)

    def clean_target(self, split: RawSplit, column: str, inputs: Sequence[str]) -> Sequence[Cell]:
        """The tags of each row, without white space.

        Raises DataError for what is no BIO tag, and where a row has more or fewer tags than tokens.
        """
        (tokens,) = inputs
        cells = [tuple(tag.strip() for tag in elements(cell)) for cell in split.columns[column]]
        for number, words, tags in zip(split.numbers, split.columns[tokens], cells, strict=True):
            place = f"{split.source}: {split.unit} {number}: column `{column}`"
            if len(words or ()) != len(tags):
                raise DataError(f"{place} has {len(tags)} tags for {len(words or ())} tokens in `{tokens}`")
            for word, tag in zip(words or (), tags, strict=True):
                if not _TAG.fullmatch(tag):
                    scheme = "; write BIOES and BILOU tags as BIO" if _OTHER_SCHEME.match(tag) else ""
                    raise DataError(
                        f"{place} must hold tags O, B-NAME or I-NAME, got {tag!r} at token {word!r}{scheme}"
                    )
        return cells

    def fit_targets(self, splits: Mapping[str, RawSplit], column: str) -> Targets:
        """`labels`: O, and B- and I- of each type of entity in train; DataError as in `known_labels`."""
        of_rows = {name: [_types(cell) for cell in split.columns[column]] for name, split in splits.items()}
        types = known_labels(splits, column, of_rows)
        return {"labels": [OUTSIDE, *(f"{kind}-{name}" for name in types for kind in "BI")]}

    def strata(self, cells: Sequence[Cell]) -> Sequence[str | None] | None:
        """See `rarest_strata`, by type of entity."""
        return rarest_strata([_types(cell) for cell in cells])

    def target_array(self, cells: Sequence[Cell], targets: Targets) -> pa.Array:
        """The numbers of each row's tags, a list of int32 [n]."""
        number = {label: i for i, label in enumerate(targets["labels"])}
        return pa.array(
            [[number[tag] for tag in elements(cell)] for cell in cells], pa.large_list(pa.int32())
        )

    def occurrences(self, cells: Sequence[Cell], targets: Targets) -> Mapping[str, int]:
        """Entities of each type."""
        counts = Counter(entity[0] for cell in cells for entity in get_entities(list(elements(cell))))
        return {label[2:]: counts[label[2:]] for label in targets["labels"] if label.startswith("B-")}

    def config_values(self, targets: Targets) -> dict[str, Any]:
        """The tags; of a model for tokens the kind of problem is not asked."""
        return {**classification.config_values(targets), "problem_type": None}

    def encode(self, rows: pa.Table, processor: Any, targets: Targets, values: Values) -> Encoded:
        """Tokens; of each one `labels`, its tag, and `words`, the word it begins; of each word `tags`."""
        tags = _ragged(rows.column("target").to_pylist())
        encoded = tokenize_words(rows.column("input_0").to_pylist(), processor, int(values["max_length"]))
        words = encoded.targets[WORDS]
        assert isinstance(words, Ragged)
        places = np.repeat(tags.offsets[:-1], encoded.lengths) + np.maximum(words.values, 0)
        labels = np.where(words.values < 0, IGNORED, tags.values[places]).astype(np.int32)
        of_tokens = {LABELS: Ragged(labels, words.offsets, IGNORED), WORDS: words}
        return replace(encoded, targets={**of_tokens, TAGS: tags})

    def weight(self, targets: Mapping[str, Array]) -> float:
        """How many words there are."""
        labels = targets[LABELS]
        assert isinstance(labels, Ragged)
        return int((labels.values != IGNORED).sum())

    def loss(self, outputs: Outputs, batch: Batch, values: LossValues) -> torch.Tensor:
        """The sum of the words' cross entropies."""
        labels = batch.targets[LABELS]
        return functional.cross_entropy(
            outputs[LOGITS].float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
        )

    def predict(self, outputs: Outputs, batch: Batch, targets: Targets) -> Mapping[str, torch.Tensor]:
        """`tags` [b, longest], `finite` [b]."""
        logits = outputs[LOGITS]
        return {TAGS: logits.argmax(dim=-1), FINITE: logits.isfinite().flatten(1).all(dim=1)}

    def score(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets
    ) -> dict[str, float]:
        """Every metric. A word that was cut off, or has no token, counts as predicted O."""
        found, once = _rows(predictions, encoded), np.ones((1, len(predictions[TAGS])))
        return {name: float(metric_of(name, found)(once)[0]) for name in TASK.metrics}

    def error(self, metric: str, predictions: Predictions, encoded: Mapping[str, Array]) -> float | None:
        """By the bootstrap."""
        found = metric_of(metric, _rows(predictions, encoded))
        return resampling.standard_error(found, len(predictions[TAGS]))

    def differences(self, metric: str, one: Scorable, other: Scorable, draws: int) -> np.ndarray:
        """See `Task.differences`."""
        mine, theirs = (metric_of(metric, _rows(*each)) for each in (one, other))
        return resampling.differences(mine, theirs, len(one[0][TAGS]), draws)

    def breakdown(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets
    ) -> Breakdown:
        """By type of entity."""
        if not predictions[FINITE].all():
            return Breakdown()
        return Breakdown(by_type(_tags(predictions, encoded), targets["labels"]))

    def row_answers(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets, rows: pa.Table
    ) -> Sequence[RowAnswer]:
        """Both lists of entities; how many words have another tag than theirs."""
        if not predictions[FINITE].all():
            return ()
        names, texts = np.array(targets["labels"]), rows.column("input_0").to_pylist()
        return [
            RowAnswer(_said(names[true], words), _said(names[given], words), float((true != given).sum()))
            for words, (true, given) in zip(texts, _tags(predictions, encoded), strict=True)
        ]

    def tokens_of(self, batch: Batch) -> torch.Tensor:
        """Those that begin a word."""
        return batch.targets[LABELS] != IGNORED

    def pipeline(self, model: Any, processor: Any) -> Any:
        """Gives a text its entities."""
        return EntityPipeline(
            model=model.eval(), tokenizer=processor, task=self.pipeline_task, device=model.device
        )

    def served(self, example: pa.Table, targets: Targets) -> Served:
        """Of a text's tokens pyfunc gives the tags, joined by commas.

        Without those of tokens that are in no entity, as the plain pipeline has it by default, it would not
        tell where the others are, and fail on texts without any.
        """
        return serve(example, [{"type": "string"}], {"ignore_labels": []})


def _types(cell: Cell) -> frozenset[str]:
    """The types of entities in a row's tags."""
    return frozenset(tag[2:] for tag in elements(cell) if tag != OUTSIDE)


def _said(tags: np.ndarray, words: Sequence[str]) -> str:
    """Those of one row, such as `city: New York; name: Ada`."""
    found = get_entities(tags.tolist())
    return "; ".join(f"{kind}: {' '.join(words[i : j + 1])}" for kind, i, j in found) or "(none)"


def _ragged(rows: Sequence[Sequence[int]]) -> Ragged:
    sizes = np.fromiter(map(len, rows), np.int64, len(rows))
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Ragged(np.fromiter(chain.from_iterable(rows), np.int32, offsets[-1]), offsets)


def _rows(predictions: Predictions, encoded: Mapping[str, Array]) -> EntityCounts | None:
    """Both tags of each row's words, counted; None where a logit was not finite."""
    return EntityCounts.of(_tags(predictions, encoded)) if predictions[FINITE].all() else None


def _tags(predictions: Predictions, encoded: Mapping[str, Array]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The numbers of the true and of the predicted tags of each row's words."""
    tags, words = encoded[TAGS], encoded[WORDS]
    assert isinstance(tags, Ragged) and isinstance(words, Ragged)
    pairs = []
    for row, given in enumerate(predictions[TAGS]):
        true = tags.values[tags.offsets[row] : tags.offsets[row + 1]]
        begins = words.values[words.offsets[row] : words.offsets[row + 1]]
        predicted = np.zeros_like(true)  # O
        predicted[begins[begins >= 0]] = given[: len(begins)][begins >= 0]
        pairs.append((true, predicted))
    return pairs

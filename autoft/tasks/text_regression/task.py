"""Text regression: the scale of its numbers, its loss and its metrics."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from scipy.stats import rankdata
from sklearn.linear_model import Ridge
from torch import nn
from transformers import AutoModelForSequenceClassification

from autoft.data.batch import Batch
from autoft.data.encoded import Array, Encoded
from autoft.data.finding import Finding
from autoft.data.rows import Cell, RawSplit
from autoft.data.targets import Targets
from autoft.data.text import tokenizer_fingerprint
from autoft.errors import DataError, ModelError
from autoft.tasks import plain, resampling
from autoft.tasks.breakdown import Breakdown
from autoft.tasks.linear import STRENGTHS, on_texts
from autoft.tasks.output_layer import output_layer
from autoft.tasks.outputs import LOGITS
from autoft.tasks.protocol import (
    Answered,
    Features,
    LossValues,
    Model,
    OnFeatures,
    Outputs,
    Predictions,
    Scorable,
    Values,
)
from autoft.tasks.row_answers import RowAnswer
from autoft.tasks.text import encode_texts, load_tokenizer, serve_texts, text_classification_pipeline
from autoft.tasks.text_regression import TASK

RANGES = 5
"""Into which numbers are sorted for a table, and to be spread evenly over splits."""
FEWEST = 3
"""Rows of a range, one for each split; with fewer in one of them rows are split at random."""
LARGEST = 1e30
"""Beyond, the squares of float32 overflow."""
FARTHEST = 1e5
"""How many standard deviations the mean may be from 0. The finished model answers in float32, whose numbers
are then up to 0.006 deviations apart."""
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SAME = 1e-13
"""Numbers that differ by no more than this share are the same but for rounding, as to scipy's `pearsonr`."""
NUMBER, SCALED = "number", "scaled"
"""What the encoded targets are called: as the user gave them, and as the loss takes them."""


def trivial(rows: pa.Table, encoded: Encoded, targets: Targets) -> Iterator[Model]:
    """A baseline: the mean."""
    mean = np.asarray(encoded.targets[NUMBER]).mean()
    yield lambda rows, encoded: {NUMBER: np.full(len(encoded), mean)}


def linear(features: Features, encoded: Encoded, targets: Targets) -> Iterator[OnFeatures]:
    """Ridge regressions."""

    def predict(model: Any, features: Features, encoded: Encoded) -> Predictions:
        return {NUMBER: model.predict(features)}

    for strength in STRENGTHS:
        model = Ridge(alpha=1 / strength).fit(features, np.asarray(encoded.targets[NUMBER]))
        yield partial(predict, model)


BASELINES = {"trivial": trivial, "classical": on_texts(linear)}


class TextRegression:
    """See `tasks.protocol.Task`. A model gives one number, which is trained at mean 0 and deviation 1."""

    spec = TASK
    auto_model = AutoModelForSequenceClassification
    output_fields = (LOGITS,)
    pipeline_task = "text-classification"
    pipeline = staticmethod(text_classification_pipeline)
    served = staticmethod(serve_texts)
    load_processor = staticmethod(load_tokenizer)
    fingerprint = staticmethod(tokenizer_fingerprint)
    baselines = BASELINES
    linear = staticmethod(linear)
    decide = staticmethod(plain.as_predicted)
    suspects = staticmethod(plain.no_suspects)
    tokens_of = staticmethod(plain.whole_rows)
    output_bias = staticmethod(plain.drawn_bias)

    def clean_target(self, split: RawSplit, column: str, inputs: Sequence[str]) -> Sequence[Cell]:
        """The numbers, each written in one way; DataError where one is none."""
        cells = [str(cell).strip() for cell in split.columns[column]]
        wrong = np.array([_NUMBER.fullmatch(cell) is None or abs(float(cell)) > LARGEST for cell in cells])
        if wrong.any():
            first = cells[int(np.flatnonzero(wrong)[0])]
            raise DataError(
                f"{split.source}: column `{column}` must hold a number in each row, at most {LARGEST:g} in "
                f"size, got {first!r} ({split.places(wrong)})"
            )
        return [repr(float(cell)) for cell in cells]

    def fit_targets(self, splits: Mapping[str, RawSplit], column: str) -> Targets:
        """Mean, standard deviation and ranges of the training rows, and the column's name."""
        train = splits["train"]
        numbers = _numbers(train.columns[column])
        if numbers.min() == numbers.max():
            raise DataError(
                f"{train.source}: column `{column}` is {numbers[0]:g} in all {len(train)} training rows; "
                "there is nothing to learn"
            )
        if abs(numbers.mean()) > FARTHEST * numbers.std():
            raise DataError(
                f"{train.source}: the numbers of column `{column}` are {numbers.mean():g} in the mean and "
                f"differ by {numbers.std():g} only, which a model's float32 does not tell apart; subtract "
                "the mean first"
            )
        return {
            "name": column,
            "mean": float(numbers.mean()),
            "deviation": float(numbers.std()),
            "ranges": _ranges(numbers),
        }

    def strata(self, cells: Sequence[Cell]) -> Sequence[str] | None:
        """Fifths by rank: equal numbers are in the same one."""
        ranks = rankdata(_numbers(cells), method="average")
        ranges = np.minimum((ranks - 1) * RANGES // len(ranks), RANGES - 1).astype(int)
        sizes = np.bincount(ranges)
        return None if (sizes[sizes > 0] < FEWEST).any() else [str(each) for each in ranges]

    def target_array(self, cells: Sequence[Cell], targets: Targets) -> pa.Array:
        """float64 [n]."""
        return pa.array(_numbers(cells), pa.float64())

    def occurrences(self, cells: Sequence[Cell], targets: Targets) -> Mapping[str, int]:
        """Rows by range of numbers; what lies outside of the training rows' counts at the end."""
        ranges = targets["ranges"]
        counts = np.bincount(_places(_numbers(cells), ranges), minlength=len(ranges))
        return dict(zip(_names(ranges), counts.tolist(), strict=True))

    def target_findings(self, column: str, occurrences: Mapping[str, int]) -> Sequence[Finding]:
        """None."""
        return ()

    def config_values(self, targets: Targets) -> dict[str, Any]:
        """One output, by the column's name."""
        name = targets["name"]
        return {
            "num_labels": 1,
            "id2label": {0: name},
            "label2id": {name: 0},
            "problem_type": "regression",
        }

    def output_size(self, targets: Targets) -> int:
        """One."""
        return 1

    def encode(self, rows: pa.Table, processor: Any, targets: Targets, values: Values) -> Encoded:
        """Tokens; `number` and `scaled` [n]."""
        numbers = rows.column("target").to_numpy()
        scaled = ((numbers - targets["mean"]) / targets["deviation"]).astype(np.float32)
        return encode_texts(rows, processor, values, {NUMBER: numbers, SCALED: scaled})

    def weight(self, targets: Mapping[str, Array]) -> float:
        """Each row counts the same."""
        return len(targets[SCALED])

    def loss(self, outputs: Outputs, batch: Batch, values: LossValues) -> torch.Tensor:
        """The sum of squared errors, in squared deviations of the training rows."""
        return (outputs[LOGITS].float()[:, 0] - batch.targets[SCALED]).square().sum()

    def guess_loss(self, targets: Targets) -> float:
        """Of the training rows' mean for all."""
        return 1.0

    def predict(self, outputs: Outputs, batch: Batch, targets: Targets) -> Mapping[str, torch.Tensor]:
        """`number` [b], in the target's unit."""
        return {NUMBER: outputs[LOGITS][:, 0].double() * targets["deviation"] + targets["mean"]}

    def score(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets
    ) -> dict[str, float]:
        """Every metric; a correlation is 0 where all predictions are the same."""
        once = np.ones((1, len(predictions[NUMBER])))
        metrics = {name: _metric(name, predictions, encoded) for name in TASK.metrics}
        return {name: float(metric(once)[0]) for name, metric in metrics.items()}

    def error(self, metric: str, predictions: Predictions, encoded: Mapping[str, Array]) -> float | None:
        """By the bootstrap; of `spearman` with the ranks that the rows have among all."""
        return resampling.standard_error(_metric(metric, predictions, encoded), len(predictions[NUMBER]))

    def differences(self, metric: str, one: Scorable, other: Scorable, draws: int) -> np.ndarray:
        """See `Task.differences`."""
        mine, theirs = (_metric(metric, *each) for each in (one, other))
        return resampling.differences(mine, theirs, len(one[0][NUMBER]), draws)

    def breakdown(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets
    ) -> Breakdown:
        """By range of the true number: how far answers are off, and in which direction, in the mean."""
        predicted, true = predictions[NUMBER], np.asarray(encoded[NUMBER])
        if not np.isfinite(predicted).all():
            return Breakdown()
        ranges, off = targets["ranges"], predicted - true
        of_range = _places(true, ranges)
        chosen = {name: of_range == number for number, name in enumerate(_names(ranges))}
        return Breakdown(
            {
                name: {
                    "mae": float(np.abs(off[rows]).mean()),
                    "mean error": float(off[rows].mean()),
                    "support": float(rows.sum()),
                }
                for name, rows in chosen.items()
                if rows.any()
            }
        )

    def row_answers(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets, rows: pa.Table
    ) -> Sequence[RowAnswer]:
        """Both numbers, and their distance."""
        predicted, true = predictions[NUMBER], np.asarray(encoded[NUMBER])
        if not np.isfinite(predicted).all():
            return ()
        return [
            RowAnswer(f"{given:.6g}", f"{other:.4g}", abs(other - given))
            for given, other in zip(true.tolist(), predicted.tolist(), strict=True)
        ]

    def check_model(self, model: Any) -> None:
        """ModelError where the head cannot give numbers of any size; see `finish`."""
        _last_layer(model)

    def finish(
        self, model: Any, targets: Targets, validation: Callable[[], Answered], objective: str
    ) -> None:
        """The scale goes into the head's last layer, so that the model alone answers in the target's unit."""
        layer = _last_layer(model)
        with torch.no_grad():
            layer.weight.mul_(targets["deviation"])
            layer.bias.mul_(targets["deviation"]).add_(targets["mean"])

    def finished(self, targets: Targets, model: Any) -> Targets:
        """Its answers are what they are."""
        return {**targets, "mean": 0.0, "deviation": 1.0}


def _numbers(cells: Sequence[Cell]) -> np.ndarray:
    return np.array([float(str(cell)) for cell in cells], np.float64)


def _ranges(numbers: np.ndarray) -> list[tuple[float, float]]:
    """Each number by itself where they are few, as ratings are; else fifths."""
    distinct = np.unique(numbers).tolist()
    if len(distinct) <= 2 * RANGES:
        return [(number, number) for number in distinct]
    return list(pairwise(np.unique(np.quantile(numbers, np.linspace(0, 1, RANGES + 1))).tolist()))


def _places(numbers: np.ndarray, ranges: Sequence[Sequence[float]]) -> np.ndarray:
    """In which of the ranges each number lies; what is outside of all counts at the end."""
    lows = [low for low, _ in ranges]
    return np.clip(np.searchsorted(lows, numbers, side="right") - 1, 0, None)


def _names(ranges: Sequence[Sequence[float]]) -> list[str]:
    """In as few digits as tell them apart, from six on."""
    for digits in range(6, 18):  # 17 tell any two floats apart
        shown = [[f"{end:.{digits}g}" for end in ends] for ends in ranges]
        names = [
            low if ends[0] == ends[1] else f"{low} to {high}"
            for ends, (low, high) in zip(ranges, shown, strict=True)
        ]
        if len({low for low, _ in shown}) == len(shown):
            break
    return names


def _last_layer(model: Any) -> nn.Linear:
    """The layer that gives the number."""
    layer = output_layer(model, 1)
    if layer is None or layer.bias is None:
        raise ModelError(
            f"the head of {type(model).__name__} has no bias, so it cannot give numbers around a mean; "
            "choose another model for text-regression"
        )
    return layer


def _metric(name: str, predictions: Predictions, encoded: Mapping[str, Array]) -> resampling.Metric:
    predicted, true = predictions[NUMBER], np.asarray(encoded[NUMBER])
    if not np.isfinite(predicted).all():
        return lambda counts: np.full(len(counts), np.nan)
    if name in ("pearson", "spearman"):
        pair = (predicted, true) if name == "pearson" else (rankdata(predicted), rankdata(true))
        return lambda counts: _correlation(counts, *pair)
    errors = np.abs(predicted - true)
    if name == "mae":
        return lambda counts: counts @ errors / counts.sum(axis=1)
    return lambda counts: np.sqrt(counts @ errors**2 / counts.sum(axis=1))


def _correlation(counts: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pearson's, [draws], of rows that occur so often [draws, n]; 0 where one side is the same throughout."""
    share = counts / counts.sum(axis=1, keepdims=True)
    apart = [each[None] - (share @ each)[:, None] for each in (one - one.mean(), other - other.mean())]
    first, second = (np.sqrt((share * each**2).sum(axis=1)) for each in apart)
    differ = (first > _SAME * np.abs(one).max()) & (second > _SAME * np.abs(other).max())
    return resampling.share((share * apart[0] * apart[1]).sum(axis=1), np.where(differ, first * second, 0))

"""Simple models of tags: a list of the words of train, and linear models of a word."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.feature_extraction import DictVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from autoft.data.encoded import Encoded, Ragged
from autoft.data.targets import Targets
from autoft.tasks.linear import classifiers
from autoft.tasks.protocol import Baseline, Features, Model, OnFeatures, Predictions
from autoft.tasks.text import input_columns
from autoft.tasks.token_classification.word_tags import TAGS, begun, predictions_of


def of_each_word(rows: pa.Table, encoded: Encoded, targets: Targets) -> Iterator[Model]:
    """The tag that a word has most often, the first one of equals; O for a word that train does not have."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for word, tag in zip(_words(rows), _tags(encoded).tolist(), strict=True):
        counts[word][tag] += 1
    most = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}

    def model(rows: pa.Table, encoded: Encoded) -> Predictions:
        tags = np.array([most.get(word, 0) for word in _words(rows)], np.int64)
        return predictions_of(tags[begun(encoded)[1]], encoded)

    yield model


def linear(features: Features, encoded: Encoded, targets: Targets) -> Iterator[OnFeatures]:
    """Logistic regressions, with features of the words that are `begun`."""

    def predict(model: Any, features: Features, encoded: Encoded) -> Predictions:
        return predictions_of(model.predict(features), encoded)

    for model in classifiers(features, _tags(encoded)[begun(encoded)[1]]):
        yield partial(predict, model)


def of_letters(rows: pa.Table, encoded: Encoded, targets: Targets) -> Iterator[Model]:
    """The same on a word, its ends and its form, and the words beside it."""
    vectorizer = make_pipeline(DictVectorizer(), Normalizer())

    def features(rows: pa.Table, encoded: Encoded, of: Callable[[Any], Features]) -> Features:
        found = of([each for words in _sentences(rows) for each in _described(words)])
        return found[begun(encoded)[1]]

    def predict(answer: OnFeatures, rows: pa.Table, encoded: Encoded) -> Predictions:
        return answer(features(rows, encoded, vectorizer.transform), encoded)

    for answer in linear(features(rows, encoded, vectorizer.fit_transform), encoded, targets):
        yield partial(predict, answer)


BASELINES: Mapping[str, Baseline] = {"trivial": of_each_word, "classical": of_letters}


def _described(words: Sequence[str]) -> Iterator[dict[str, Any]]:
    low = ["", *(word.lower() for word in words), ""]
    for word, before, same, after in zip(words, low, low[1:], low[2:], strict=False):
        yield {
            **{"word": same, "before": before, "after": after, "begins": same[:3], "ends": same[-3:]},
            **{"title": word.istitle(), "upper": word.isupper(), "digits": any(map(str.isdigit, word))},
        }


def _sentences(rows: pa.Table) -> Sequence[Sequence[str]]:
    (sentences,) = input_columns(rows)
    return sentences


def _words(rows: pa.Table) -> Iterator[str]:
    return chain.from_iterable(_sentences(rows))


def _tags(encoded: Encoded) -> np.ndarray:
    """Of all words, one row after the other."""
    tags = encoded.targets[TAGS]
    assert isinstance(tags, Ragged)
    return tags.values
